#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# kill -9 of kordon in the middle of a transfer: no process, namespace, link or mount of the lab is left, and nothing
# either after a SIGTERM or the ordinary end, by the time kordon itself has gone.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

# Whoever sees the lab's private mount is of the lab; what namespaces they are in that this shell is not in.
members() {
	grep -ls "$scratch/kordon-lab" /proc/[0-9]*/mountinfo 2>/dev/null | cut -d/ -f3 || true
}
namespaces() {
	local pid
	for pid in $(members); do readlink "/proc/$pid/ns/net" "/proc/$pid/ns/mnt" "/proc/$pid/ns/pid" || true; done |
		sort -u | grep -vxF "$(readlink /proc/self/ns/net /proc/self/ns/mnt /proc/self/ns/pid)" || true
}
left() { # what still is in one of the namespaces noted
	local all
	all=$(readlink /proc/[0-9]*/ns/net /proc/[0-9]*/ns/mnt /proc/[0-9]*/ns/pid 2>/dev/null || true)
	grep -xF -f "$scratch/noted" <<<"$all" | sort | uniq -c || true
	members
}
listing() {
	ip -o link show | cut -d' ' -f1-2
	cat /proc/self/mounts
}

for how in KILL TERM end; do
	listing >"$scratch/before"
	: >"$scratch/part"
	"$KORDON" lab -- curl -s -o "$scratch/part" https://www.vk.com/bytes/1G 2>"$scratch/err" &
	kordon=$!
	for _ in $(seq 1500); do
		[ "$(stat -c %s "$scratch/part")" -lt 100000 ] || break
		sleep 0.02
	done
	members >"$scratch/members"
	namespaces >"$scratch/noted"
	check "$how: a transfer is on its way" yes "$([ "$(stat -c %s "$scratch/part")" -ge 100000 ] && echo yes)"
	check "$how: three network namespaces with processes, one of mounts, one of processes" '3 1 1' "$(grep -c net: "$scratch/noted") $(
		grep -c mnt: "$scratch/noted") $(grep -c pid: "$scratch/noted")"
	case $how in
	end) while read -r pid; do [ "$(cat "/proc/$pid/comm")" != curl ] || kill "$pid"; done <"$scratch/members" ;;
	*) kill -"$how" $kordon ;;
	esac
	status=0
	wait $kordon 2>/dev/null || status=$?
	case $how in KILL) want=137 ;; *) want=143 ;; esac
	check "$how: status" $want $status
	if [ $how != end ]; then # nobody is left to wait for the kernel
		for _ in $(seq 250); do
			[ -n "$(left)" ] || break
			sleep 0.02
		done
	fi
	check "$how: nothing left in the lab's namespaces" '' "$(left)"
	check "$how: links and mounts as before" "$(cat "$scratch/before")" "$(listing)"
done
check "no folder left but that of the kordon that was killed" 1 "$(find "$scratch" -name 'kordon-lab-*' | wc -l)"
finish
