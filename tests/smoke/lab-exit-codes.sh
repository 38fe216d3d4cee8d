#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The status of a lab is that of its command; kordon's own failures have numbers of their own, and a reason.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

try() { # NAME STATUS WORDS OPTION...
	local name=$1 status=$2 words=$3
	shift 3
	check "$name: status" "$status" "$(status_of lab "$@")"
	check "$name: says" "$words" "$(cat "$scratch/err")"
}

try "the command's own" 0 '' -- true
try "the command's own, bad" 7 '' -- bash -c 'exit 7'
try "died of a signal" 137 '' -- bash -c 'kill -9 $$'
try "server not ready in time" 120 '*no tcp:443 after 1 s*' \
	--outside 'exec tail -f /dev/null' --ready tcp:443 --ready-timeout 1 -- true
try "seconds with a leading zero" 120 '*no tcp:443 after 01 s*' \
	--outside 'exec tail -f /dev/null' --ready tcp:443 --ready-timeout 01 -- true
try "server ended" 120 '*ended before it was ready*' --outside 'echo why >&2; exit 1' --ready udp:443 -- true
try "server ready" 0 '' --outside 'exec openssl s_server -quiet -accept 443 -nocert -cipher aNULL:ALL' \
	--outside-at @meta --ready tcp:443 -- bash -c ': >/dev/tcp/server.test/443'
try "expectation met" 35 '' -p tspu@2022-03-20/home --expect www.instagram.com=blocked:sni-i-instagram \
	-- bash -c 'curl -s https://www.instagram.com/ || exit 35'
try "expectation not met" 121 '*passed*' -p tspu@2022-03-20/home --expect blocked -- curl -s https://www.vk.com/ -o /dev/null
try "unknown option" 122 '*usage:*' --bogus
try "command not behind --" 122 '*behind --*' true
try "access" 122 '*not in this version*' --access cgnat -- true
try "unknown tag" 122 '*@cloudflare*' --outside true --outside-at @nowhere -- true
try "bad expectation" 122 '*--expect*' --expect maybe -- true
try "unknown day" 123 '*1999*' -p tspu@1999 -- true
try "time-out" 124 '' --timeout 1 -- tail -f /dev/null
try "events cannot be written" 125 '*nowhere*' --events "$scratch/nowhere/e" -- true
KORDON_TESTBED=$scratch try "no scripts" 125 '*KORDON_TESTBED*' -- true
TMPDIR=$scratch/nowhere try "no folder" 125 '*TMPDIR*' -- true
try "not runnable" 126 '*cannot be run*' -- "$scratch"
try "not found" 127 '*no such command*' -- no-such-command
finish
