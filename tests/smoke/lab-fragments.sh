#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# A ping of 4000 bytes and its answer cross the box as three fragments each, seen on the wires before and behind it.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
command -v tcpdump >/dev/null || PATH=$PATH:/usr/sbin
command -v tcpdump >/dev/null || skip "tcpdump is missing"
need_lab

cat >"$scratch/client" <<'END'
PATH=$PATH:/usr/sbin
watch() { # NAME NAMESPACE LINK
	nsenter --net="$KORDON_NETNS/$2" -- tcpdump -Z root --immediate-mode -lnq -i "$3" \
		'(ip and ip[6:2] & 0x3fff != 0) or (ip6 and ip6[6] == 44)' >"$1" 2>"$1.err" &
}
poll() { # COMMAND...
	local tries
	for tries in $(seq 250); do
		! "$@" || return 0
		sleep 0.02
	done
}
for family in 4 6; do
	watch before.$family inside kdi
	watch behind.$family hop kdo
	poll grep -q 'listening on' before.$family.err
	poll grep -q 'listening on' behind.$family.err
	ping -$family -n -c 1 -W 3 -s 4000 www.vk.com >ping.$family || true
	for wire in before.$family behind.$family; do
		poll eval '[ "$(wc -l <'$wire')" -ge 6 ]'
	done
	kill $(jobs -p)
	wait || true
done
END
cd "$scratch"
lab -- bash client >client.out 2>&1 || cat client.out
for family in 4 6; do
	check "IPv$family: answered" '*1 received*' "$(cat ping.$family)"
	for wire in before behind; do
		check "IPv$family: three there and three back, $wire the box" '3 3' \
			"$(grep -cE 'IP6? (198.18.0.2|fd6b:6f72:646f::2) > ' "$wire.$family" || true) $(
				grep -cE 'IP6? [^ ]+ > (198.18.0.2|fd6b:6f72:646f::2)' "$wire.$family" || true)"
	done
done
finish
