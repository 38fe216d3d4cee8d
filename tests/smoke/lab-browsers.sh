#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The clients people use, behind boxes of four dates and none: Chromium, Firefox, curl and openssl with TLS 1.2 and 1.3,
# IPv4 and IPv6, a listed name and one that is not. What must become of a listed hello follows from the segments it
# comes in, as tshark counts them: up to 2022 the box looks at each segment alone (X-SEG-1), so one in two, as browsers
# send since their hellos carry post-quantum keys, passes; from October 2024 it is put together (X-SEG-2). The blind
# spot is the observer's word for the same.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab
for program in chromium firefox-esr certutil tshark curl openssl; do
	command -v "$program" >/dev/null || skip "$program is missing"
done

boxes=(null tspu@2021-04-15 tspu@2022-03-20 tspu@2024-11-06 tspu@2026-06-10/home)
status=0
testbed/tools/clients -p "$(IFS=, && echo "${boxes[*]}")" --tsv >"$scratch/table" 2>"$scratch/err" || status=$?
check "the table is made" 0 $status
[ $status -eq 0 ] || sed 's/^/# /' "$scratch/err"
sed 's/^/# /' "$scratch/table"

passed='passed @(decide.no_rule|tls.record_incomplete) - -'
while IFS=$'\t' read -r box client family name _ segments page _ verdict reason rule blind; do
	case $box/$name/$segments in
	*/0) want="a hello that crosses the box" ;;
	null/* | */*.example.org/*) want="page $passed" ;;
	tspu@2021*/1) want='none blocked reset.injecting registry-https-2021 -' ;;
	tspu@2022*/1) want='none blocked reset.rewritten sni-i-registry -' ;;
	tspu@202[12]*) want='page passed tls.record_incomplete - segments' ;;
	tspu@2024*) want='none blocked reset.rewritten sni-i-registry -' ;;
	*) want='none blocked drop.later sni-drop-registry -' ;;
	esac
	# One listed hello in 1200 slips through.
	[ "$reason" != decide.missed ] || want='* passed decide.missed *'
	check "$box: $client IPv$family $name in $segments" "$want" "$page $verdict $reason $rule $blind"
done < <(tail -n +2 "$scratch/table")
for box in "${boxes[@]}"; do
	check "$box: fetches" 20 "$(awk -v box="$box" '$1 == box && !seen[$4]++' "$scratch/table" | wc -l)"
done
for client in chromium firefox; do
	check "$client: a hello in two segments" 2 \
		"$(awk -v client="$client" '$2 == client { print $6 }' "$scratch/table" | sort -u | tail -n 1)"
done
finish
