#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: iperf3
#
# Under load no packet and no buffer is lost from the books: TCP and UDP through one worker, through the delay line
# and through two workers.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

load() { # OPTIONS...; the server may still be at the end of the last one, and does not listen while it starts anew
	local tries
	for tries in 1 2 3 4 5 6; do
		at "$client" iperf3 -c 203.0.113.10 -t 3 "$@" >"$work/iperf" 2>&1 && return
		grep -qE 'busy running|Connection refused' "$work/iperf" || break
		sleep 0.4
	done
	echo "after $tries tries:"
	cat "$work/iperf"
	return 1
}

buffers_back() {
	summary 'buffers for packets' | awk '{ exit !($5 == $10 && $5 > 0) }'
}

try() { # NAME OPTIONS...
	local name=$1
	shift
	start -p tspu@2022-03-20/home --lab-net 198.18.0.0/15,203.0.113.0/24 "$@"
	[ -n "${iperf:-}" ] || {
		at "$server" iperf3 -s >/dev/null 2>&1 &
		iperf=$!
		until_true at "$server" bash -c 'exec 3<>/dev/tcp/127.0.0.1/5201'
	}
	ok "$name: TCP" load
	ok "$name: UDP, more than fits" load -u -b 2G -l 1000
	stop
	ok "$name: kordon ends well" test "$status" -eq 0
	ok "$name: packets were many" summary '^kordon: [0-9]{5,} packets in'
	ok "$name: buffers are back" buffers_back
}

hosts
try "one worker"
try "delay line" --delay "18 ms"
try "two workers" --workers 2
finish
