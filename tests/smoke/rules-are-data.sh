#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A censor is data over mechanisms: freeze, burst, ban, IP block, allowlist and two-stage block come into the rulebook
# without a line of C. Each is taken out of a copy of the policies; the same binary then does nothing of it, and its
# scenario fails. Put back, the scenario passes. What was added is what `git diff --stat` says, and holds no code.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
export LC_ALL=C.UTF-8 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
runner=$(dirname "${KORDON:?names the binary}")/tests/scenario/runner
[ -x "$runner" ] || {
	echo "$runner is not there" >&2
	exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
book=$work/policies
tests=0 bad=0

ok() { # NAME COMMAND...: one result; what the command printed is shown when it fails
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

without() { # FILE RULE...: those rules are no longer in it; nothing else changes
	/usr/bin/python3 - "$@" <<-'END'
		import re, sys

		path, *rules = sys.argv[1:]
		text = open(path).read()
		for rule in rules:
		    start = text.index('{ id = "%s"' % rule)
		    depth, end = 1, start + 1
		    while depth:
		        depth += {"{": 1, "}": -1}.get(text[end], 0)
		        end += 1
		    comma = re.match(r"\s*,", text[end:])
		    if comma:
		        text = text[:start] + text[end + comma.end():]
		    else:
		        text = re.sub(r",(\s*(#[^\n]*\n\s*)*)$", r"\1", text[:start]) + text[end:]
		open(path, "w").write(text)
	END
}

# Of a scenario only what is sent: nothing becomes of it.
untouched() {
	sed -E '/^(case|expect|[[:space:]])/d; s/[[:space:]]expect .*//' "$work/trial.scn" >"$work/untouched.scn"
	printf '\ncontrol\nexpect counters dropped 0 rewritten 0 injected 0\n' >>"$work/untouched.scn"
	KORDON_POLICIES=$book "$runner" "$work/untouched.scn"
}

scenario() {
	KORDON_POLICIES=$book "$runner" "$work/trial.scn"
}

nobody_acts() { # and the scenario sees it
	"$KORDON" check -q --policies "$book" && untouched && ! scenario
}

acts() {
	scenario && ! untouched
}

no_code() { # the addition, and nothing of what a compiler reads
	local said
	(cd "$work" && git diff --no-index --stat before policies) >"$work/stat" || true
	cat "$work/stat"
	said=$(cd "$work" && git diff --no-index --name-only before policies) || true
	[ -n "$said" ] && ! grep -E '\.[ch]$|meson' <<<"$said"
}

entry() { # NAME SCENARIO FILE RULE...: without these rules of FILE, and with them
	local name=$1 scenario=$2 file=$3
	shift 3
	rm -rf "$book" "$work/before"
	cp -r "$here/../../policies" "$book"
	sed '/^case /d' "$here/../scenario/$scenario.scn" >"$work/trial.scn"
	# A tester's own rule, in a file that is its scenario's profile.
	if [ -e "$here/../scenario/$file" ]; then
		cp "$here/../scenario/$file" "$book/rulebook/"
		sed -i "s|^profile .*|profile $book/rulebook/$file|" "$work/trial.scn"
	fi
	cp -r "$book" "$work/whole"
	without "$book/rulebook/$file" "$@"
	cp -r "$book" "$work/before"
	ok "$name: without it nobody acts on its traffic" nobody_acts
	rm -rf "$book"
	mv "$work/whole" "$book"
	ok "$name: with it its scenario passes" acts
	ok "$name: what was added is no code" no_code
	sed 's/^/# /' "$work/stat"
}

built=$(sha256sum "$KORDON" "$runner")
entry freeze case-49-freeze 2025-freeze.cfg l4-25
entry burst burst burst.cfg burst
entry ban ban-ovh-2025 bans.cfg ovh-2025
entry "IP block" case-43 addresses.cfg listed-address-inbound listed-address
entry allowlist allowlist-2026 allowlists.cfg allowlist-addresses allowlist-deny
entry two-stage two-stage-2022 bans.cfg two-stage
ok "the binaries are those it began with" test "$(sha256sum "$KORDON" "$runner")" = "$built"
echo "1..$tests"
[ "$bad" -eq 0 ]
