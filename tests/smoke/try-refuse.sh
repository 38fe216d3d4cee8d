#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `try` does not start with: each says why, with a status of its own.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

mkdir "$scratch/tmp"
export TMPDIR=$scratch/tmp
day=tspu@2022-03-20

try() { # NAME STATUS WORDS OPTION...: on standard error; nothing on the other
	local name=$1 status=$2 words=$3
	shift 3
	check "$name: status" "$status" "$(status_of "$KORDON" try "$@")"
	check "$name: says" "$words" "$(cat "$scratch/err")"
	check "$name: no results" '' "$(cat "$scratch/out")"
}

try "no such client" 5 'kordon: *no-such-client: no such command' -p $day -- no-such-client
try "no client" 2 '*no client*' -p $day
try "client not behind --" 2 '*behind --*' true
try "no such day" 3 '*1999*' -p tspu@1999-01-01 -- true
try "no such result" 2 '*ok, degraded, blocked, broken*' -p $day --expect fine -- true
try "not among those tried" 2 '*no such profile*' -p $day --expect tspu@2021-12-01=ok -- true
try "twice" 2 '*twice*' -p $day,$day/home -- true
try "JUnit of nothing" 2 '*needs --expect*' -p $day --junit "$scratch/x" -- true
try "no such tag" 2 '*@cloudflare*' -p $day --server true --server-at @nowhere -- true
try "sampled twice over" 2 '*--sample*one sampled box already*' -p $day~1 --sample 2 -- true
try "no boxes" 2 '*--sample "0"*from 1 to 1000*' -p $day --sample 0 -- true
try "no such box" 3 '*"~0" is not a sampled box*' -p $day~0 -- true
try "nothing to draw" 2 '*--sample needs a profile of the rulebook*' -p null --sample 2 -- true
try "not writable" 5 '*nowhere*' -p $day --json "$scratch/nowhere/x" -- true
KORDON_TESTBED=$scratch try "no lab" 5 '*KORDON_TESTBED*' -p $day -- true
check "nothing stays behind" '' "$(ls "$scratch/tmp")"
finish
