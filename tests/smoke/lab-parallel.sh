#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Twenty labs at once share nothing: each gets its page.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

for n in $(seq 20); do
	{
		status=0
		lab --bare -- curl -s --max-time 30 "https://n$n.example/" >"$scratch/page.$n" 2>"$scratch/err.$n" || status=$?
		echo $status >"$scratch/status.$n"
	} &
done
wait
for n in $(seq 20); do
	check "lab $n" "0 kordon lab: n$n.example*" "$(cat "$scratch/status.$n" "$scratch/page.$n" "$scratch/err.$n" | tr '\n' ' ')"
done
finish
