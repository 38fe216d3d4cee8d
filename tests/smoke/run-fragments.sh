#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: ping python3
#
# A live box of 2022 and IP fragments: whole packets cross it as fragments, with the TTL of the first; parts of one do
# not, and their buffers come back, when their time is over and when the run is.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

watch() { # PID DEVICE FILE: a line "VERSION TTL" for each IP fragment on this wire, either way
	at "$1" python3 - "$2" "$3" 2>/dev/null <<-'END' &
		import socket, sys
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		s.bind((sys.argv[1], 0))
		out = open(sys.argv[2], "w", buffering=1)
		while True:
		    p = s.recv(65535)
		    if p[12:14] == b"\x08\x00" and (p[20] & 0x3f or p[21]):
		        out.write("4 %d\n" % p[22])
		    if p[12:14] == b"\x86\xdd" and p[20] == 44:
		        out.write("6 %d\n" % p[21])
	END
	until_true test -e "$3"
}

send() { # ID COUNT TTL...: as many fragments of 8 bytes as TTLs; the COUNT-th of a packet is its last
	at "$client" python3 - "$@" <<-'END'
		import socket, struct, sys
		id, count, ttls = int(sys.argv[1]), int(sys.argv[2]), [int(t) for t in sys.argv[3:]]
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		s.bind(("kdi", 0))
		for n, ttl in enumerate(ttls):
		    h = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28, id, n | (0 if n + 1 == count else 0x2000), ttl, 17, 0,
		                    bytes([198, 18, 0, 2]), bytes([203, 0, 113, 10]))
		    x = sum(struct.unpack(">10H", h))
		    x = (x & 0xffff) + (x >> 16)
		    h = h[:10] + struct.pack(">H", ~((x & 0xffff) + (x >> 16)) & 0xffff) + h[12:]
		    s.send(b"\xff" * 6 + b"\x02\0\0\0\0\x11" + b"\x08\x00" + h + b"fragment" + b"\0" * 18)
	END
}

seen() { # NUMBER LINE: so many fragments like that went out
	[ "$(grep -cx "$2" "$work/outside")" -eq "$1" ]
}

counted() { # REASON NUMBER
	"$KORDON" stats "$work/stats" | grep -E "^  $1 +$2\$"
}

hosts
start -p tspu@2022-03-20/home --lab-net 198.18.0.0/15,203.0.113.0/24,2001:2::/48 --set "frag.lifetime=1 s" \
	--stats "$work/stats"
watch "$server" kdo "$work/outside"
ok "4000 bytes over IPv4" at "$client" ping -c 1 -W 2 -s 4000 203.0.113.10
ok "4000 bytes over IPv6" at "$client" ping -6 -c 1 -W 2 -s 4000 2001:2::10
ok "three IPv4 fragments each way" until_true seen 6 "4 64"
ok "three IPv6 fragments each way" until_true seen 6 "6 64"
ok "all of them were held, but the last of each" counted frag.held 8

ok "fragments with TTLs 99, 10, 10" send 1001 3 99 10 10
ok "arrive with that of the first" until_true seen 3 "4 99"
ok "a packet of three, its last missing" send 1002 3 98 98
ok "is given up" until_true counted frag.timeout 2
ok "and nothing of it was seen" seen 0 "4 98"
# shellcheck disable=SC2046 # a TTL each
ok "a packet of 46" send 1003 46 $(yes 97 | head -n 46)
ok "is lost" until_true counted frag.too_many 46
ok "and nothing of it was seen" seen 0 "4 97"

ok "a fragment that waits when the run ends" send 1004 2 96
ok "is held" until_true counted frag.held 58
stop
ok "kordon ends well" test "$status" -eq 0
ok "nothing is held" summary ' \+ 49 dropped \+ 0 held \+ 0 consumed; 2 rewritten, 0 injected'
finish
