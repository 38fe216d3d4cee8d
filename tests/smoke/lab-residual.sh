#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The 40 s for which SNI-IV keeps a 4-tuple dead, by the wall's clock: a socket of the same port gets nothing at 20 s and
# at 38 s and its page at 41 s; another port, and the same port without a trigger, get theirs at once.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

cat >"$scratch/client.py" <<'END'
import socket, ssl, struct, sys, time

ADDRESS = socket.gethostbyname("www.vk.com")
sent = 0  # the moment before the latest hello


def get(port, name, seconds):
    """The status line, or what failed; closed so that nothing of the client's own stands in the way of the next."""
    global sent
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.bind(("198.18.0.2", port))
    raw.settimeout(seconds)
    try:
        raw.connect((ADDRESS, 443))
    except OSError:
        raw.close()
        return "no connection"
    sent = time.monotonic()
    try:
        tls = ssl.create_default_context().wrap_socket(raw, server_hostname=name)
    except OSError:
        raw.close()
        return "no handshake"
    try:
        tls.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % name.encode())
        return tls.recv(4096).split(b"\r\n")[0].decode()
    except OSError:
        return "no answer"
    finally:
        tls.close()


def until(moment):
    while time.monotonic() < moment:
        time.sleep(0.02)


def case(name, got):
    print("%s: %s" % (name, got), flush=True)


get(41000, "www.vk.com", 10)  # its certificate is made
once = len(sys.argv) > 1
for port in range(41001, 41006):  # one hello in 370 slips through
    got = get(port, "sni-iv.example", 20 if once else 3)
    if got != "HTTP/1.1 200 OK":
        break
began = sent
case("trigger", got)
if once:
    sys.exit()
case("other port", get(port + 10, "www.vk.com", 10))
for at in 20, 38:
    until(began + at)
    # Over before the 40 s are, whenever the box began to count: that was after `began`.
    case("at %d s" % at, get(port, "www.vk.com", max(0.1, min(1.5, began + 39.9 - time.monotonic()))))
until(began + 41)
# The server still knows the connection cut by the trigger, and clears it when asked anew.
case("at 41 s", get(port, "www.vk.com", 10))
case("took", "%d s" % (time.monotonic() - began))
END
lab -p tspu@2022-03-20/home -- /usr/bin/python3 "$scratch/client.py" >"$scratch/said" 2>"$scratch/err" || cat "$scratch/err"
while read -r line; do
	who=${line%%: *} got=${line#*: }
	case $who in
	trigger) want='no handshake' ;;
	'at 20 s' | 'at 38 s') want='no connection' ;;
	took) want='4[1-9] s' ;;
	*) want='HTTP/1.1 200 OK' ;;
	esac
	check "$who: $got" "$want" "$got"
done <"$scratch/said"
check "cases tried" 6 "$(wc -l <"$scratch/said")"
check "null: trigger" 'trigger: HTTP/1.1 200 OK' "$(lab -- /usr/bin/python3 "$scratch/client.py" once)"
finish
