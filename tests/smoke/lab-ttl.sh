#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Eight steps behind the box: a packet with TTL 8 passes the box and dies at the router, one with TTL 9 arrives.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
need_lab

cat >"$scratch/client" <<'END'
for family in 4 6; do
	for ttl in 1 8 9; do
		status=0
		said=$(ping -$family -n -c 1 -W 3 -t $ttl www.vk.com) || status=$?
		case $said in *'ime exceeded'* | *'ime to live exceeded'*) said=died ;; *) said=arrived ;; esac
		echo "IPv$family TTL $ttl: $said $status"
	done
done
END
lab -- bash "$scratch/client" >"$scratch/said" || true
for family in 4 6; do
	for row in '1: died 1' '8: died 1' '9: arrived 0'; do
		check "IPv$family, TTL ${row%%:*}" "IPv$family TTL $row" "$(grep "^IPv$family TTL ${row%%:*}:" "$scratch/said" || true)"
	done
done
finish
