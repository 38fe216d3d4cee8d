#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `try` with a real curl: a listed name against a day that lets it pass and one that does not; expectations met and not,
# and what is written for machines about them.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

mkdir "$scratch/tmp" "$scratch/docs"
export TMPDIR=$scratch/tmp
passes=tspu@2021-12-01 blocks=tspu@2022-03-20

attempt() { # OPTION...: `try`; its status in $status. A listed hello slips through once in 1200, so it is tried again.
	for _ in 1 2 3; do
		status=0
		"$KORDON" try "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
		grep -q 'decide\.missed' "$scratch/out" || break
	done
}

line() { # PROFILE: its line of the results
	grep "^$1 " "$scratch/out" || true
}

json() { # EXPRESSION over d, the document
	/usr/bin/python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"$scratch/docs/try.json" "$1"
}

junit() { # EXPRESSION over x, the document's root
	/usr/bin/python3 -c 'import sys, xml.etree.ElementTree as e; x = e.parse(sys.argv[1]).getroot(); print(eval(sys.argv[2]))' \
		"$scratch/docs/try.xml" "$1"
}

get=(curl -sS -o /dev/null https://www.instagram.com)

attempt -p $passes,$blocks --expect $passes=ok --expect $blocks/home=blocked --json "$scratch/docs/try.json" \
	--junit "$scratch/docs/try.xml" --keep "$scratch/docs/kept" -- "${get[@]}"
check "met: status" 0 "$status"
check "met: says nothing more" '' "$(cat "$scratch/err")"
check "null comes first" 'null *ok *' "$(sed -n 2p "$scratch/out")"
check "a day before" "$passes/home *ok *[0-9]" "$(line $passes/home)"
check "a day after" "$blocks/home *blocked *sni www.instagram.com (packet *), rule sni-i-instagram: *\[reset.rewritten\]*date reported*" \
	"$(line $blocks/home)"
check "JSON: results" "ok ok blocked" "$(json '" ".join(b["result"] for b in d["boxes"])')"
check "JSON: rule and name" "sni-i-instagram www.instagram.com True" \
	"$(json '"%(rule)s %(sni)s" % d["boxes"][2]["trials"][0] + " " + str(d["boxes"][2]["met"])')"
check "JSON: figures" True "$(json 'd["boxes"][0]["trials"][0]["bytes"] > 500 and d["boxes"][0]["trials"][0]["setup_ms"] >= 36')"
check "JSON: command" True "$(json 'd["command"] == "'"${get[*]}"'".split()')"
check "JUnit: cases and failures" "2 0" "$(junit 'x.get("tests") + " " + x.get("failures")')"
check "kept" 3 "$(find "$scratch/docs/kept" -name ingress.pcapng -size +0 | wc -l)"
check "kept: told again" '*sni-i-instagram*' \
	"$("$KORDON" explain -q -p $blocks "$scratch/docs/kept/${blocks}_home/1/ingress.pcapng")"

attempt -p $blocks --expect ok --json "$scratch/docs/try.json" --junit "$scratch/docs/try.xml" -- "${get[@]}"
check "not met: status" 1 "$status"
check "not met: expected, got and why" "kordon: $blocks/home: expected ok, got blocked: *sni-i-instagram*" \
	"$(cat "$scratch/err")"
check "not met: JSON" False "$(json 'd["boxes"][1]["met"]')"
check "not met: JUnit" "1 1" "$(junit 'x.get("tests") + " " + x.get("failures")')"

attempt -p $blocks --json - -- "${get[@]}"
cp "$scratch/out" "$scratch/docs/try.json"
check "JSON on standard output: status" 0 "$status"
check "JSON on standard output, alone" blocked "$(json 'd["boxes"][1]["result"]')"
# Sampled boxes of one seed: the rule is on every one of them, its numbers differ.
attempt -p $blocks --sample 2 --seed 7 --trials 2 --expect $blocks=blocked --json "$scratch/docs/try.json" -- "${get[@]}"
check "sample: status" 0 "$status"
check "sample: a line for each box" "$blocks/home~1 *blocked *" "$(line "$blocks/home~1")"
check "sample: summed up" "$blocks/home: 2 of 2 sampled boxes: blocked (a share of sampled models, not a probability)" \
	"$(tail -n 1 "$scratch/out")"
check "sample: JSON, summed up" "$blocks/home 2 2" \
	"$(json '" ".join("%s %d %d" % (s["profile"], s["boxes"], s["results"]["blocked"]) for s in d["samples"])')"
check "sample: JSON, each box is told apart" True \
	"$(json 'd["boxes"][1]["drawn"] != d["boxes"][2]["drawn"] and d["boxes"][1]["hash"] != d["boxes"][2]["hash"]')"
check "sample: JSON, a box keeps its seed" "7 7" "$(json '" ".join(t["seed"] for t in d["boxes"][1]["trials"])')"
check "nothing stays behind" '' "$(ls "$scratch/tmp")"
finish
