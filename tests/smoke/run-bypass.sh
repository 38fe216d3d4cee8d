#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A box of two workers is bypassed and put back while it runs: both throw the switch at one time, which is one event, and a
# replay of the capture tells the same events with one engine.
# needs: openssl curl python3
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

hosts
start -p tspu@2022-03-20/home --lab-net 198.18.0.0/15,203.0.113.0/24,2001:2::/48 --workers 2 \
	--stats "$work/stats" --events "$work/live.jsonl" --capture "$work/in.pcapng"
export KORDON_STATS=$work/stats
for last in 3 4 5; do
	at "$client" ip address add 198.18.0.$last/32 dev kdi
done
https_server

# From several clients, so that both workers have some; one in 1200 hellos slips through.
pages() { # STATUS-PATTERN
	local last status
	for last in 2 3 4 5; do
		status=0
		at "$client" curl -4 -sk -m 5 -o /dev/null --interface 198.18.0.$last \
			--resolve www.instagram.com:443:203.0.113.10 https://www.instagram.com/ || status=$?
		# shellcheck disable=SC2254
		case $status in $1) ;; *) echo "198.18.0.$last: status $status, expected $1" && return 1 ;; esac
	done
}

ok "blocked" pages '[!0]*'
ok "bypass is answered" grep -x 'the box is bypassed' <("$KORDON" bypass)
ok "every client's page comes" pages 0
ok "inline is answered" grep -x 'the box is inline' <("$KORDON" bypass --off)
ok "blocked again" pages '[!0]*'
ok "no worker was late" grep -E 'late +0$' <("$KORDON" stats)
stop
ok "it ends with 0: nothing is lost" test "$status" -eq 0
ok "two switches, each told once" test "$(grep -c '"event_type":"box"' "$work/live.jsonl")" -eq 2
"$KORDON" replay -q -p tspu@2022-03-20/home -e "$work/again.jsonl" "$work/in.pcapng"
ok "a replay with one engine tells the same" same_events "$work/live.jsonl" "$work/again.jsonl"
finish
