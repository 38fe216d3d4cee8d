#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `kordon bench throughput` runs, touches the flows it says, keeps its books and writes JSON; a wrong command line and
# too short a run are refused. `kordon bench mechanisms` has a recipe for every mechanism there is, each of whose packets
# got the reason it must. `kordon bench memory` floods an engine, in small, and finds what it must. No other figure is
# held against anything: the machine of a test is not a quiet one.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C.UTF-8 KORDON_POLICIES=$here/../../policies
[ -x "${KORDON:?names the binary}" ] || {
	echo "$KORDON is not there" >&2
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tests=0 bad=0

ok() { # NAME COMMAND...
	local name=$1 word=ok
	shift
	"$@" >"$work/said" 2>&1 || word="not ok"
	tests=$((tests + 1))
	echo "$word $tests - $name"
	[ "$word" = ok ] || {
		bad=$((bad + 1))
		sed 's/^/# /' "$work/said"
	}
}

measured() { # PROFILE NAME
	"$KORDON" bench throughput -p "$1" --name "$2" --flows 10000 --seconds 1 --no-testpmd --json "$work/json"
}

sound() { # EXPRESSION over d, the document, and r, each of its rows
	python3 - "$work/json" "$1" <<-'END'
		import json, sys

		d = json.load(open(sys.argv[1]))
		assert d["bench"] == "throughput" and d["machine"]["tsc_hz"] > 0, d
		assert [(r["ip"], r["flows"]) for r in d["rows"]] == [(4, 10000), (6, 10000)], d["rows"]
		for r in d["rows"]:
		    assert r["distinct"] >= 9500 and r["packets"] >= 65536, r
		    assert all(0 < v["min"] <= v["median"] <= v["max"] for v in r["ps_per_packet"].values()), r
		    assert "memory" in r["ps_per_packet"], r
		    assert ("engine" in r["permille_of_io"]) if d["machine"]["dpdk"] else "io" not in r["ps_per_packet"], r
		    assert eval(sys.argv[2]), r
	END
}

refused() { # STATUS PATTERN OPTION...
	local want=$1 pattern=$2 got=0
	shift 2
	"$KORDON" bench "$@" >"$work/out" 2>"$work/err" || got=$?
	cat "$work/out" "$work/err"
	[ "$got" -eq "$want" ] && grep -q -- "$pattern" "$work/err" && [ ! -s "$work/out" ]
}

ok "flows that pass" measured tspu@2022-03-20 unlisted.example
ok "its figures are whole, nothing was dropped" sound 'r["dropped"] == r["rewritten"] == 0'
ok "flows that a rule has hold of" measured tspu@2022-03-20 facebook.com
ok "its figures are whole, packets were rewritten" sound 'r["rewritten"] > 0'
ok "too few packets for the flows" refused 1 'only .* of 1000000 flows were touched' throughput --flows 1000000 \
	--seconds 0 --pairs 1 --no-testpmd
held() {
	"$KORDON" bench mechanisms --flows 10000 --seconds 0 --pairs 1 --json "$work/json" >"$work/text"
	"$KORDON" list mechanisms --json >"$work/list"
}

all_held() {
	python3 - "$work/json" "$work/list" <<-'END'
		import json, sys

		d, known = (json.load(open(path)) for path in sys.argv[1:])
		assert d["bench"] == "mechanisms" and d["flows"] == 10000, d
		assert d["no_recipe"] == [], d["no_recipe"]
		assert {r["mechanism"] for r in d["rows"]} == {m["mechanism"] for m in known}, d["rows"]
		ports = bool(d["machine"]["dpdk"])
		for r in d["rows"]:
		    assert r["distinct"] >= 9500 and r["packets"] == 65536 * (2 if ports else 1), r
		    assert all(0 < v["min"] <= v["median"] <= v["max"] for v in r["ps_per_packet"].values()), r
		    assert len(r["ps_per_packet"]) == (5 if ports else 2) and len(r["permille"]) == (3 if ports else 1), r
		    # Half of the packets are queries.
		    asked = r["packets"] // 2 if "each query" in r["what"] else 0
		    assert r["injected"] == asked, r
	END
}

ok "mechanisms that have hold of flows" held
ok "none is without a recipe, all touched their flows, what was to be injected was" all_held
ok "mechanisms have rules of their own" refused 2 'neither -p nor --name' mechanisms -p null
flooded() {
	"$KORDON" bench memory --flows 200000 --fragments 100000 --hellos 20000 --json "$work/json"
	python3 - "$work/json" <<-'END'
		import json, sys

		d = json.load(open(sys.argv[1]))
		floods = {f["name"]: f for f in d["floods"]}
		assert {n: f["packets"] for n, f in floods.items()} == {
		    "first fragments": 100000, "half hellos": 20000, "half-open flows": 200000}, floods
		# What has room: fragments that may be held, gatherings, and in a table of 100000 what the hellos left.
		assert [f["room"] for f in floods.values()] == [1024, 400, 100000 - 20000 - 2], floods
		assert all(f["room"] + f["full"] == f["packets"] for f in floods.values()), floods
	END
}

ok "floods: memory flat, overflow counted, listed hellos blocked, buffers back" flooded
ok "floods: a name that no rule drops" refused 1 'a listed hello passed' memory --flows 8000 --fragments 10000 \
	--hellos 1000 --name unlisted.example
ok "nothing to measure" refused 2 'expected what to measure' latency
ok "a number that is none" refused 2 '--flows "many"' throughput --flows many
echo "1..$tests"
[ "$bad" -eq 0 ]
