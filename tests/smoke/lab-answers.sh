#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Real clients take forged answers: curl follows the 302 of a listed host to a page in the lab, over IPv4 and IPv6; a query
# for a listed name gets NXDOMAIN or the false address over UDP and TCP, others get the lab's.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

cat >"$scratch/book.cfg" <<'END'
rules = (
  { id = "page"; phase = "names-blocked"; when = { host = [ "www.linkedin.com" ]; };
    then = { mechanism = "answer"; form = "302"; location = "http://blocked.example/"; }; },
  { id = "none"; phase = "names-blocked"; when = { protocol = "dns"; from = "inside"; qname = [ "no.test" ]; };
    then = { mechanism = "answer"; form = "nxdomain"; }; },
  { id = "false"; phase = "names-blocked"; when = { protocol = "dns"; from = "inside"; qname = [ "lie.test" ]; };
    then = { mechanism = "answer"; form = "dns"; address = "192.0.2.7"; }; }
);
END
cat >"$scratch/client" <<'END'
for family in -4 -6; do
	echo "302 $family: $(curl -s -L $family --max-time 8 -w ' %{num_redirects} %{url_effective}' http://www.linkedin.com/ | tr '\n' ' ')"
done
/usr/bin/python3 - "$(getent ahostsv4 www.wikipedia.org | awk 'NR == 1 { print $1 }')" <<'PY'
import socket, struct, sys
for name in ("no.test", "lie.test", "other.test"):
    query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0)
    query += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0\0\1\0\1"
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        tcp = kind == socket.SOCK_STREAM
        s = socket.socket(socket.AF_INET, kind)
        s.settimeout(5)
        s.connect((sys.argv[1], 53))
        s.send((struct.pack(">H", len(query)) if tcp else b"") + query)
        got = s.recv(2048)[2 if tcp else 0:]
        end = socket.inet_ntoa(got[-4:]) if got[7] else "none"
        print("dns %s %s: id %d code %d %s" % (name, "tcp" if tcp else "udp", got[1], got[3] & 15, end))
PY
END
lab -p "$scratch/book.cfg" -- bash "$scratch/client" >"$scratch/said" 2>"$scratch/err" || cat "$scratch/err"
while read -r line; do
	who=${line%%: *} got=${line#*: }
	case $who in
	302*) want='kordon lab: blocked.example,*1 http://blocked.example/' ;;
	*no.test*) want='id 7 code 3 none' ;;
	*lie.test*) want='id 7 code 0 192.0.2.7' ;;
	*) want='id 7 code 0 203.0.113.10' ;;
	esac
	check "$who" "$want" "$got"
done <"$scratch/said"
check "cases tried" 8 "$(wc -l <"$scratch/said")"
finish
