#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: python3
#
# --time-scale live: the 40 s residual of SNI-IV at 10, on one 4-tuple that is tried again and again: dead for 4 s from the
# trigger on, alive long before 40. All events carry the scale, the replay of the capture under it gives the same events, and
# `try` takes it.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

profile=tspu@2022-03-20/home

# Closing resets, so that the kernel gives the tuple back at once; the server answers the first SYN of a tuple it holds open
# with an ACK, the client resets that, and a second SYN, 1 s later, opens.
cat >"$scratch/client" <<'END'
import socket, ssl, struct, time

address = socket.gethostbyname("sni-iv.example")

def connect(seconds):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.settimeout(seconds)
    s.bind(("", 40000))
    s.connect((address, 443))
    return s

def page(name, s):
    with ssl.create_default_context().wrap_socket(s, server_hostname=name) as tls:
        tls.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        return tls.recv(15).decode()

def attempt(name, handshake):
    try:
        s = connect(1)
        s.settimeout(handshake)
        return page(name, s)
    except OSError as error:
        return type(error).__name__

start = time.monotonic()
print("trigger:", attempt("sni-iv.example", 1))
dead, said = 0, ""
while not said.startswith("HTTP") and time.monotonic() < start + 30:
    said = attempt("www.example.com", 15)  # dead is the tuple, so a page that is under way comes
    dead += not said.startswith("HTTP")
alive = time.monotonic() - start
print("then:", said)
print("dead at first:", dead >= 2)
print("alive:", "too early" if alive < 4 else "in time" if alive < 30 else "too late")
END
lab -p $profile --time-scale 10 --seed 7 --events "$scratch/live.jsonl" --capture "$scratch/in.pcapng" -- \
	/usr/bin/python3 "$scratch/client" >"$scratch/said" 2>"$scratch/err" || true
check "a person is told once" "kordon: time-scale 10: residuals, bans, idle times, publication and flapping run 10 times as fast" \
	"$(grep time-scale "$scratch/err" || true)"
check "the hello is swallowed" "trigger: TimeoutError" "$(grep ^trigger "$scratch/said" || true)"
check "another name on its tuple is dead, too" "dead at first: True" "$(grep '^dead' "$scratch/said" || true)"
check "until the residual ends" "then: HTTP/1.1 200 OK" "$(grep '^then' "$scratch/said" || true)"
check "which takes 4 s" "alive: in time" "$(grep '^alive' "$scratch/said" || true)"

check "every event carries the scale" 0 "$(grep -vc '"time_scale":10,' "$scratch/live.jsonl" || true)"
check "the residual of the event is 4 s" 4.0 "$(/usr/bin/python3 - "$scratch/live.jsonl" <<'END'
import datetime, json, sys

def seconds(text):  # nanoseconds are more than it reads
    return datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").timestamp() + float("0" + text[19:-1])

for line in open(sys.argv[1], encoding="utf-8"):
    event = json.loads(line)
    if event.get("verdict", {}).get("until"):
        print(round(seconds(event["verdict"]["until"]) - seconds(event["timestamp"]), 6))
END
)"

replay() { # OPTION...: events as a live run tells them, without the run record
	"$KORDON" replay -p $profile --seed 7 "$@" "$scratch/in.pcapng" 2>"$scratch/err" |
		tail -n +2 | sed -E 's/"blind_spots":\[[^]]*\](,"unseen":"[^"]*")?,//'
}
tail -n +2 "$scratch/live.jsonl" | sed -E 's/"blind_spots":\[[^]]*\](,"unseen":"[^"]*")?,//' >"$scratch/live"
check "the replay under it gives the same events" same \
	"$(replay --time-scale 10 | if diff "$scratch/live" -; then echo same; fi)"
replay >"$scratch/unscaled"
check "without it a replay says what is missing" "*the capture is of a live run under --time-scale 10:*" "$(cat "$scratch/err")"
check "and its box holds the tuple still" "live 1, unscaled 0" \
	"live $(grep -c '"sni":"www.example.com"' "$scratch/live" || true), unscaled $(grep -c '"sni":"www.example.com"' \
		"$scratch/unscaled" || true)"

check "try takes it, and its replay agrees" 0 "$(status_of "$KORDON" try --time-scale 10 -p $profile --timeout 20 \
	--expect blocked --json "$scratch/try.json" -- curl -s -o /dev/null --max-time 8 https://sni-iv.example/)"
check "its document carries it" '*"time_scale":10,*' "$(cat "$scratch/try.json" || true)"
finish
