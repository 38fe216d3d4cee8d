#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A tester flips the censor in mid-session: the whole box, then one rule. A listed page is blocked, comes while the box is
# bypassed, and is blocked again when it is inline; the counters say so, an unknown rule is told of, and the capture's replay
# tells the events of the live run, switches and all.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

# A listed hello slips through once in 1200, so one that came is tried again; each has a port of its own.
cat >"$scratch/client" <<'END'
page() {
	local try status
	for try in 1 2; do
		status=0
		curl -s --max-time 8 -o /dev/null https://www.instagram.com/ || status=$?
		[ $status -eq 0 ] && [ "$1" = blocked ] || break
	done
	echo "page $status"
}
count() {
	"$KORDON" stats | awk -v name="$1" '$1 == name { print name, ($2 > 0 ? "some" : "none") }'
}
page blocked
"$KORDON" bypass
page open
"$KORDON" bypass
count box.bypassed
"$KORDON" bypass --inline
page blocked
"$KORDON" bypass --rule sni-i-instagram
page open
"$KORDON" bypass --rule sni-i-instagram --off
page blocked
"$KORDON" bypass --rule sni-i-instagran || echo "refused $?"
"$KORDON" stats | awk '$1 == "late" { print "late", $2 }'
END
cat >"$scratch/want" <<'END'
page blocked
the box is bypassed
page 0
the box is bypassed already
box.bypassed some
the box is inline
page blocked
rule sni-i-instagram is bypassed
page 0
rule sni-i-instagram is inline
page blocked
refused 3
late 0
END

lab -p tspu@2022-03-20/home --events "$scratch/live.jsonl" --capture "$scratch/in.pcapng" \
	-- bash "$scratch/client" >"$scratch/said" 2>"$scratch/err" || cat "$scratch/err"
sed -E 's/^page (35|56)$/page blocked/' "$scratch/said" >"$scratch/got"
check "what the client met" "$(cat "$scratch/want")" "$(cat "$scratch/got")"
check "an unknown rule" 'kordon: unknown rule "sni-i-instagran"; did you mean "sni-i-instagram"[?]' \
	"$(grep unknown "$scratch/err")"
check "switches in the events" "true false true sni-i-instagram false sni-i-instagram" \
	"$(sed -n 's/.*"switch":{"bypassed":\([a-z]*\)\(,"rule":"\([^"]*\)"\)\?}.*/\1 \3/p' "$scratch/live.jsonl" | xargs)"
"$KORDON" replay -q -p tspu@2022-03-20/home -e "$scratch/again.jsonl" "$scratch/in.pcapng"
blind='s/"blind_spots":\[[^]]*\](,"unseen":"[^"]*")?,//'
check "a replay of the capture throws the same switches" "" \
	"$(diff <(tail -n +2 "$scratch/live.jsonl" | sed -E "$blind") <(tail -n +2 "$scratch/again.jsonl" | sed -E "$blind"))"
finish
