#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A plain user's lab: a page, fragments, and a listed name reset.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
as=()
if [ "$(id -u)" -eq 0 ]; then
	mkdir -m 1777 "$scratch/home"
	as=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$scratch/home" TMPDIR="$scratch/home" XDG_RUNTIME_DIR=)
	"${as[@]}" test -x "$KORDON" -a -r "$KORDON_TESTBED/lab/start" -a -r "$KORDON_POLICIES/claims.cfg" ||
		skip "the tree is not readable for a plain user"
fi
lab() { # as that user
	"${as[@]}" "$KORDON" lab "$@"
}
need_lab

check "it is a plain user" '[1-9]*' "$("${as[@]}" id -u)"
check "a page" 'kordon lab: www.vk.com, HTTP/2.0*' "$(lab -- curl -s https://www.vk.com/ || true)"
check "fragments, IPv4" 0 "$(status_of lab -- ping -4 -c 1 -W 3 -s 4000 www.vk.com)"
check "fragments, IPv6" 0 "$(status_of lab -- ping -6 -c 1 -W 3 -s 4000 www.vk.com)"
# One in 1200 slips through.
check "a listed name" '@(35|56)' "$(status_of lab -p tspu@2022-03-20/home -- \
	sh -c 'curl -s https://www.instagram.com/ && curl -s https://www.instagram.com/')"
finish
