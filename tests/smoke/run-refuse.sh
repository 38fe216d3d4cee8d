#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: setpriv
#
# What cannot work is said in one line, with what to do, and exit status 5 (2 for a wrong command line). Nothing is
# left behind.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

refused() { # STATUS PATTERN OPTIONS...
	local want=$1 pattern=$2 got=0
	shift 2
	"$KORDON" run "$@" >"$work/out" 2>"$work/err" || got=$?
	cat "$work/out" "$work/err"
	echo "exit status $got"
	[ "$got" -eq "$want" ] && grep -qE "$pattern" "$work/err" && [ ! -s "$work/out" ] &&
		{ [ "$want" -ne 5 ] || [ "$(wc -l <"$work/err")" -eq 1 ]; }
}

lab=(-p null --lab-net 198.18.0.0/15 --seconds 1)

ip tuntap add busy mode tap
ok "a name that is taken" refused 5 'busy.*exists already.*ip link delete' "${lab[@]}" \
	--inside-port net_tap0,iface=busy --outside-port net_tap1,iface=kdo
ok "an interface that is not there" refused 5 'no interface "nosuch".*ip link' "${lab[@]}" \
	--inside-port net_af_packet0,iface=nosuch --outside-port net_tap1,iface=kdo
ok "a PCI device that is not there" refused 5 'no such PCI device.*lspci' "${lab[@]}" \
	--inside-port ffff:ff:1f.7 --outside-port net_tap1,iface=kdo
ok "a word that is no port" refused 5 'neither a PCI address nor a virtual device' "${lab[@]}" \
	--inside-port eth0 --outside-port net_tap1,iface=kdo
ok "a driver that DPDK does not have" refused 5 'inside port net_nosuch0: the driver refuses it' "${lab[@]}" \
	--inside-port net_nosuch0 --outside-port net_tap1,iface=kdo
ok "a name too long" refused 5 'too long for an interface' "${lab[@]}" \
	--inside-port net_tap0,iface=abcdefghijklmnopqrst --outside-port net_tap1,iface=kdo
ok "one name for both ports" refused 5 'both ports are called' "${lab[@]}" \
	--inside-port net_tap0,iface=kdi --outside-port net_tap0,iface=kdo
ok "options that EAL does not know" refused 5 'DPDK did not start' "${lab[@]}" --virtual -- --nosuch-option
ok "help of DPDK's own" refused 2 'behind --' "${lab[@]}" --virtual -- --help
echo precious >"$work/precious"
ok "--stats on a plain file" refused 5 'no socket' "${lab[@]}" --virtual --stats "$work/precious"
ok "which is still there" grep -q precious "$work/precious"
ok "a ready file that is there" refused 5 'is there already' "${lab[@]}" --virtual --ready-file "$work/precious"
ok "cores that run no worker" refused 5 'logical cores' "${lab[@]}" --virtual -- -l 0,1 -s 0x2
ok "a capture that cannot be written" refused 5 'No such file' "${lab[@]}" --virtual --capture "$work/no/in.pcapng"
ok "a full disk for events" refused 5 'No space left' "${lab[@]}" --virtual --events /dev/full -q
ok "no --lab-net" refused 2 '^kordon run: --lab-net is missing.*private' -p null --virtual
ok "public space is no lab" refused 2 'lab-net.*8.8.8.0/24.*not lab space' -p null --virtual --lab-net 8.8.8.0/24
ok "shared space is no lab" refused 2 'lab-net.*100.64.0.0/10.*not lab space' -p null --virtual \
	--lab-net 100.64.0.0/10
ok "no port at all" refused 2 'are needed, or --virtual' -p null --lab-net 198.18.0.0/15
ok "a delay that is none" refused 2 'delay.*expected a time' "${lab[@]}" --virtual --delay 18
unprivileged() {
	# capabilities dropped for good: a user without them, in a namespace that is not theirs
	refused 5 'no privilege.*CAP_NET_ADMIN|/dev/net/tun' "${lab[@]}" --virtual
}
KORDON_REAL=$KORDON
cat >"$work/bare" <<-END
	#!/bin/bash
	exec setpriv --bounding-set -all --inh-caps -all --ambient-caps -all "$KORDON_REAL" "\$@"
END
chmod +x "$work/bare"
KORDON=$work/bare
ok "no privilege" unprivileged
KORDON=$KORDON_REAL
finish
