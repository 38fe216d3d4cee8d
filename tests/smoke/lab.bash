# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
#
# What the smoke tests of the lab share: a folder of their own, one line of TAP a case, and a skip with its reason where
# no lab can be had. Sourced with $KORDON set.

cd "$(dirname "$0")/../.."
export KORDON_POLICIES=${KORDON_POLICIES:-$PWD/policies} KORDON_TESTBED=${KORDON_TESTBED:-$PWD/testbed}
scratch=$(mktemp -d)
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
cases=0 bad=0

lab() {
	"$KORDON" lab "$@"
}

skip() { # WHY
	echo "1..0 # SKIP $1"
	exit 77
}

need_lab() {
	local status=0
	lab -- true 2>"$scratch/why" || status=$?
	[ $status -ne 125 ] || skip "$(head -n 1 "$scratch/why")"
}

check() { # NAME EXPECTED GOT: patterns of the shell are allowed in EXPECTED
	cases=$((cases + 1))
	# shellcheck disable=SC2053
	if [[ $3 == $2 ]]; then
		echo "ok $cases - $1"
		return
	fi
	echo "not ok $cases - $1"
	printf 'expected: %s\ngot:      %s\n' "$2" "$3" | sed 's/^/# /'
	bad=1
}

within() { # NAME LOW HIGH VALUE UNIT: both ends belong; what was measured stands in the result
	cases=$((cases + 1))
	local line="$cases - $1: ${4:-nothing} $5 ($2..$3)"
	if [[ $4 =~ ^-?[0-9]+$ ]] && [ "$4" -ge "$2" ] && [ "$4" -le "$3" ]; then
		echo "ok $line"
		return
	fi
	echo "not ok $line"
	bad=1
}

declare -A of=()
read_results() { # PREFIX FILE: words NAME=VALUE, into of[PREFIXNAME]
	local word
	for word in $(cat "$2"); do of[$1${word%%=*}]=${word#*=}; done
}

status_of() { # COMMAND...
	local status=0
	"$@" >"$scratch/out" 2>"$scratch/err" || status=$?
	echo $status
}

finish() {
	echo "1..$cases"
	exit $bad
}
