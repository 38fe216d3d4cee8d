#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: ping openssl curl python3
#
# The ingress capture of a live session, replayed, gives the live events byte for byte but for the run record: with
# one worker and with two, with and without the delay line.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

session() { # several clients, so that two workers share the work
	local i
	for i in 3 4 5 6 7 8; do
		at "$client" ip address add "198.18.0.$i/32" dev kdi
	done
	at "$client" ping -q -c 2 -i 0.2 -W 2 -s 4000 203.0.113.10
	at "$client" ping -6 -q -c 2 -i 0.2 -W 2 2001:2::10
	for i in 2 3 4 5 6 7 8; do
		at "$client" curl -4 -sk -m 5 -o /dev/null --interface "198.18.0.$i" \
			--resolve www.wikipedia.org:443:203.0.113.10 https://www.wikipedia.org/
		fails 35 at "$client" curl -4 -sk -m 5 -o /dev/null --interface "198.18.0.$i" \
			--resolve www.instagram.com:443:203.0.113.10 https://www.instagram.com/
	done
}

try() { # NAME OPTIONS...
	local name=$1 profile=tspu@2022-03-20/home
	shift
	start -p "$profile" --set "flow.idle_other=2 s" --seed 7 --lab-net 198.18.0.0/15,203.0.113.0/24 \
		--capture "$work/in.pcapng" --events "$work/live.jsonl" "$@"
	https_server
	ok "$name: the session" session
	ok "$name: events come while it runs" until_true grep -q '"end":"flow.idle"' "$work/live.jsonl"
	stop
	ok "$name: kordon ends well" test "$status" -eq 0
	ok "$name: the capture replays" "$KORDON" replay -p "$profile" --set "flow.idle_other=2 s" --seed 7 \
		"$work/in.pcapng" -e "$work/replayed.jsonl"
	ok "$name: same events" same_events "$work/live.jsonl" "$work/replayed.jsonl"
	ok "$name: seven flows were cut" test \
		"$(grep -c '"outcome":"blocked"' "$work/live.jsonl")" -eq 7
	ok "$name: another seed is another run" fails 1 same_events "$work/live.jsonl" <("$KORDON" replay -q \
		-p "$profile" --set "flow.idle_other=2 s" --seed 8 "$work/in.pcapng")
}

hosts
try "one worker"
try "delay line" --delay "18 ms"
try "two workers" --workers 2
finish
