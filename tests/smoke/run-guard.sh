#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: openssl curl python3
#
# Lab only: what is not between two addresses of the lab is forwarded untouched and counted, and so is the 257th
# inside address.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

from() { # ADDRESS TO: a listed name
	at "$client" curl -4 -sk -m 5 -o /dev/null --interface "$1" --resolve "www.instagram.com:443:$2" \
		https://www.instagram.com/
}

counted() { # REASON
	"$KORDON" stats "$work/stats" | grep -E "^  $1 +[1-9]"
}

hosts
start -p tspu@2022-03-20/home --lab-net 198.18.0.0/15,203.0.113.0/24 --stats "$work/stats"
at "$client" ip address add 10.0.0.2/32 dev kdi
at "$client" ip route add 8.8.8.0/24 dev kdi
at "$server" ip address add 8.8.8.8/32 dev kdo
at "$server" ip route add 10.0.0.0/8 dev kdo
https_server
ok "in the lab it is reset" fails 35 from 198.18.0.2 203.0.113.10
ok "from 10/8 to a public address it passes" from 10.0.0.2 8.8.8.8
ok "from the lab to a public address it passes" from 198.18.0.2 8.8.8.8
ok "from 10/8 to the lab it passes" from 10.0.0.2 203.0.113.10
ok "and that is counted" counted guard.outside_lab
stop
ok "kordon ends well" test "$status" -eq 0
ok "and says it" summary 'packets untouched: guard.outside_lab'

start -p tspu@2022-03-20/home --lab-net 10.0.0.0/8,203.0.113.0/24 --stats "$work/stats"
for ((i = 1; i <= 257; i++)); do
	echo "address add 10.1.$((i / 256)).$((i % 256))/32 dev kdi"
done >"$work/addresses"
at "$client" ip -batch "$work/addresses"
at "$server" ip route add 10.0.0.0/8 dev kdo
at "$server" ip route del 198.18.0.0/15
datagrams() { # one of each of the first 256
	at "$client" python3 -c '
import socket, time
for i in range(1, 257):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("10.1.%d.%d" % (i // 256, i % 256), 0))
    s.sendto(b"hello", ("203.0.113.10", 9))
    time.sleep(0.002)
'
}
https_server
ok "256 inside addresses" datagrams
ok "none of them is too many" fails 1 counted guard.lab_size
ok "the first is still acted on" fails 35 from 10.1.0.1 203.0.113.10
ok "the 257th passes" from 10.1.1.1 203.0.113.10
ok "and that is counted too" counted guard.lab_size
stop
ok "kordon ends well again" test "$status" -eq 0
finish
