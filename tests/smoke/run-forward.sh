#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: ping openssl curl python3
#
# Two taps in two namespaces: what passes a box that censors nothing, and what one of 2022 does to a listed name.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

watch() { # PID DEVICE FILE: a line 4 or 6 for each IP fragment on this wire, either way
	at "$1" python3 - "$2" "$3" 2>/dev/null <<-'END' &
		import socket, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		s.bind((sys.argv[1], 0))
		out = open(sys.argv[2], "w", buffering=1)
		while True:
		    p = s.recv(65535)
		    if p[12:14] == b"\x08\x00" and (p[20] & 0x3f or p[21]):
		        out.write("4\n")
		    if p[12:14] == b"\x86\xdd" and p[20] == 44:
		        out.write("6\n")
	END
	until_true test -e "$3"
}

fragments() { # FILE VERSION: of one 4000-byte ping, three there and three back
	[ "$(grep -c "$2" "$1")" -eq 6 ]
}

hosts
start -p null --lab-net 198.18.0.0/15,203.0.113.0/24,2001:2::/48 --stats "$work/stats"
ok "ping over IPv4" at "$client" ping -c 3 -i 0.2 -W 2 203.0.113.10
ok "ping over IPv6" at "$client" ping -6 -c 3 -i 0.2 -W 2 2001:2::10
watch "$client" kdi "$work/inside"
watch "$server" kdo "$work/outside"
ok "4000 bytes over IPv4" at "$client" ping -c 1 -W 2 -s 4000 203.0.113.10
ok "4000 bytes over IPv6" at "$client" ping -6 -c 1 -W 2 -s 4000 2001:2::10
for side in inside outside; do
	ok "three IPv4 fragments each way, $side" until_true fragments "$work/$side" 4
	ok "three IPv6 fragments each way, $side" until_true fragments "$work/$side" 6
done
https_server
ok "a listed name passes on null" page www.instagram.com
for_people() {
	"$KORDON" stats "$work/stats" | grep -E '^  frag.not_inspected +12$'
}
for_programs() {
	"$KORDON" stats "$work/stats" --json >"$work/stats.json"
	python3 - "$work/stats.json" <<-END
		import json, sys
		s = json.load(open(sys.argv[1]))
		sys.exit(s["received"]["inside"] < 10 or s["kordon"]["profile"] != "null")
	END
}
ok "stats for people" for_people
ok "stats for programs" for_programs
stop
ok "kordon ends well" test "$status" -eq 0
ok "nothing dropped" summary ' \+ 0 dropped \+ 0 held \+ 0 consumed; 0 rewritten, 0 injected'
ok "the socket and the ready file are gone" test ! -e "$work/stats" -a ! -e "$work/ready"

start -p tspu@2022-03-20/home --lab-net 198.18.0.0/15,203.0.113.0/24,2001:2::/48 --delay "18 ms"
https_server
ok "an unlisted name passes in 2022" page www.wikipedia.org
ok "a listed name is reset in 2022" fails 35 page www.instagram.com
rtt() {
	at "$client" ping -c 4 -i 0.2 -W 2 203.0.113.10 | tee "$work/ping"
	# the shortest: 36 ms of delay line, and not much else even on a busy machine
	awk -F'[/= ]+' '/^rtt/ { exit !($6 >= 36 && $6 < 60) }' "$work/ping"
}
ok "the delay line makes the round trip 36 ms" rtt
stop
ok "kordon ends well with a delay line" test "$status" -eq 0
ok "what was rewritten is said" summary ' [1-9][0-9]* rewritten, 0 injected'
finish
