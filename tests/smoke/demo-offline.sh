#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The demonstration without a lab: no capability at all, and the table that the rulebook's days make of five captures.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"

bare=()
[ "$(id -u)" -ne 0 ] || bare=(setpriv --no-new-privs --bounding-set=-all --inh-caps=-all)
check "status" 0 "$(status_of ${bare[@]+"${bare[@]}"} testbed/demo --offline --out "$scratch/demo")"
check "says nothing else" '' "$(cat "$scratch/err")"

row() { # CLIENT: the words of its four cells
	sed -n "s|^$1  *||p" "$scratch/out" | awk '{ print $1, $2, $3, $4 }'
}

check "heading" 'client null 2021-12-01 2022-03-20 2026-04-15 *' "$(grep '^client ' "$scratch/out" | tr -s ' ')"
check "a name on no list" 'ok ok ok ok' "$(row 'curl https://www.wikipedia.org')"
check "a listed name" 'ok ok blocked blocked' "$(row 'curl https://www.instagram.com')"
check "over IPv6" 'ok ok blocked blocked' "$(row 'curl -6 https://www.instagram.com')"
check "another client" 'ok ok blocked blocked' "$(row 'openssl s_client www.facebook.com')"
check "without TLS" 'ok ok ok ok' "$(row 'curl http://www.instagram.com')"
check "why" '*packet 4 named it: sni-drop-registry:*\[drop.later\]*' "$(grep '^curl https://www.instagram' "$scratch/out")"
check "the story" '*rule sni-i-instagram*' "$(grep '^  rule' "$scratch/out")"
check "a capture to open" '*reset.rewritten*' \
	"$("$KORDON" explain -q -p tspu@2022-03-20 "$scratch/demo/instagram-2022-03-20.pcapng")"
check "unknown argument" 2 "$(status_of testbed/demo --bogus)"
check "help" 0 "$(status_of testbed/demo --help)"
finish
