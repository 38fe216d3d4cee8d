#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: ping
#
# Kinds of port other than taps: af_packet, and af_xdp where there is a real root, each between two veth pairs, carry a
# ping and give their buffers back.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

hosts
n=1
for host in "$client" "$server"; do
	ip link add "p$n" type veth peer name "h$n" netns "$host"
	ip link set "p$n" up promisc on
	at "$host" ip address add "198.18.0.$n/24" dev "h$n"
	at "$host" ip link set "h$n" up
	n=$((n + 1))
done

crosses() { # DRIVER
	rm -f "$work/ready"
	"$KORDON" run -p null --lab-net 198.18.0.0/15 --ready-file "$work/ready" \
		--inside-port "${1}0,iface=p1" --outside-port "${1}1,iface=p2" 2>"$work/kordon.err" &
	kordon_pid=$!
	until_true test -e "$work/ready" && until_true at "$client" ping -c 1 -W 1 -q 198.18.0.2
	stop
	cat "$work/kordon.err"
	[ "$status" -eq 0 ] && grep -q ' 0 dropped' "$work/kordon.err"
}

ok "af_packet carries a ping, and its buffers come back" crosses net_af_packet
# In a user namespace the kernel gives no memory for its queues.
if [ "$(awk '{ print $3; exit }' /proc/self/uid_map)" -gt 1 ]; then
	ok "af_xdp carries a ping" crosses net_af_xdp
fi
finish
