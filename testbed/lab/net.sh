# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154
#
# The wires of a lab: which namespace has which addresses, and the router that takes eight TTL steps. Sourced by init;
# the namespace init runs in is the box's, and holds nothing but kordon.
#
#   inside  kdi 198.18.0.2 -- kordon -- kdo 198.18.0.1  hop  198.18.8.1 -- 198.18.8.2  outside (web servers, names)
#                                                       hop  198.18.9.1 -- 198.18.9.2  server  (only with --outside)

ula=fd6b:6f72:646f # networks 0 inside, 8 outside, 9 server: 198.18.N.0/24 and $ula:N::/64
# Resolvers of *outside*: two that anybody may ask, behind @cloudflare and @google, and the national one behind @domestic.
public_resolvers=(198.18.16.53 198.18.17.53) national_resolver=198.18.26.53
lab_nets=198.18.0.0/15,203.0.113.0/24,$ula::/48,2001:db8::/32

host_of() { # PREFIX HOST: host 10 of 198.18.16.0/24 or of 2001:db8:16::/64
	case $1 in
	*:*) echo "${1%/*}$2" ;;
	*) echo "${1%.*}.$2" ;;
	esac
}

tags() { # the rows of the table, without comments
	sed 's/#.*//; /^ *$/d' "$here/tags"
}

# Neither addresses of its own making nor questions to a router: what crosses the wire is what the ends meant to send.
net_quiet() { # NAMESPACE: for the one this runs in
	local key
	for key in accept_ra=0 autoconf=0 router_solicitations=0 accept_dad=0 addr_gen_mode=1; do
		echo "${key#*=}" >"/proc/sys/net/ipv6/conf/default/${key%=*}"
	done
	# The box's ends of wire are born in its namespace: they say nothing until they are moved to where they belong.
	[ "$1" != box ] || echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
	[ "$1" != hop ] || {
		echo 1 >/proc/sys/net/ipv4/ip_forward
		echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
		echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
	}
	ip link set lo up
}

net_settle() { # NAMESPACE COMMAND...: that runs something in it
	local name=$1
	shift
	"$@" bash -euc "$(declare -f net_quiet); net_quiet $name" || die 125 "the network settings of $name are refused"
}

net_namespaces() {
	local name
	for name in inside hop outside ${outside:+server}; do
		: >"$dir/ns/$name"
		unshare --net="$dir/ns/$name" true || die 125 "no network namespace for $name"
	done
	for name in inside hop outside ${outside:+server}; do net_settle "$name" at "$name"; done
	# The router is one step of its own. Neighbour discovery dies below hop limit 255, so it is left alone (RFC 4861,
	# 6.1 and 7.1). Reports of multicast groups are the kernel's talk, not the client's.
	at hop iptables-restore <<-END || die 125 "iptables: no TTL target in this kernel"
		*mangle
		-A PREROUTING -j TTL --ttl-dec 7
		COMMIT
	END
	for name in hop inside; do
		at "$name" ip6tables-restore <<-END || die 125 "ip6tables: no HL target in this kernel"
			*mangle
			$([ $name != hop ] || printf -- '-A PREROUTING -p icmpv6 --icmpv6-type %d -j RETURN\n' 133 134 135 136)
			$([ $name != hop ] || echo '-A PREROUTING -j HL --hl-dec 7')
			-A OUTPUT -p icmpv6 --icmpv6-type 143 -j DROP
			COMMIT
		END
	done
}

# A pair of wires between the hop and one more namespace, without the kernel's offloads: what looks like one packet is
# one.
net_leg() { # NAMESPACE NUMBER
	local pair offloads=(tx off tso off gso off gro off)
	ip link add "to_$1" netns "$dir/ns/hop" type veth peer name eth0 netns "$dir/ns/$1"
	for pair in "hop to_$1" "$1 eth0"; do
		at "${pair% *}" ethtool -K "${pair#* }" "${offloads[@]}" >"$dir/ethtool.log" 2>&1 ||
			die 125 "ethtool: offloads stay on" "$dir/ethtool.log"
	done
	net_end hop "to_$1" "$2" 1 2
	net_end "$1" eth0 "$2" 2 1
	net_default "$1" "$2"
}

# One end of a wire, host number HOST of its network; the other end is known beforehand, so nobody asks for it.
net_end() { # NAMESPACE LINK NETWORK HOST PEER
	local mac=02:4b:44:00:0$3:0
	at "$1" ip -batch - <<-END
		link set $2 address $mac$4
		link set $2 up
		addr add 198.18.$3.$4/24 dev $2
		addr add $ula:$3::$4/64 dev $2 nodad
		neigh replace 198.18.$3.$5 lladdr $mac$5 dev $2 nud permanent
		neigh replace $ula:$3::$5 lladdr $mac$5 dev $2 nud permanent
	END
}

net_default() { # NAMESPACE NETWORK
	at "$1" ip -batch - <<-END
		route add default via 198.18.$2.1
		route add default via $ula:$2::1
	END
}

net_outside() {
	net_leg outside 8
	at hop ip -batch - <<-END
		route add 198.18.0.0/15 via 198.18.8.2
		route add 203.0.113.0/24 via 198.18.8.2
		route add 2001:db8::/32 via $ula:8::2
	END
	while read -r _ v4 v6 _; do
		echo "addr add $(host_of "$v4" 10)/32 dev lo"
		echo "addr add $(host_of "$v6" 10)/128 dev lo nodad"
	done < <(tags) | at outside ip -batch -
	printf 'addr add %s/32 dev lo\n' "${public_resolvers[@]}" "$national_resolver" | at outside ip -batch -
}

# The box's two ends of wire, once kordon has made them: to the client, and to the router.
net_ends() {
	ip link set kdi netns "$dir/ns/inside"
	ip link set kdo netns "$dir/ns/hop"
	net_end inside kdi 0 2 1
	net_end hop kdo 0 1 2
	net_default inside 0
}

# A server of one's own has a namespace to itself, so it may listen on every address of it: it never meets the web
# servers. --outside-at @TAG[:HOST] says where on the map it stands.
net_server() {
	local tag=${outside_at%%:*} host=20 v4 v6
	[ "$tag" = "$outside_at" ] || host=${outside_at#*:}
	read -r v4 v6 < <(tags | awk -v tag="${tag#@}" '$1 == tag { print $2, $3 }') || true
	[ -n "${v4:-}" ] || die 122 "--outside-at $outside_at: known tags are $(tags | awk '{ printf "@%s ", $1 }')"
	KORDON_SERVER=$(host_of "$v4" "$host")
	KORDON_SERVER6=$(host_of "$v6" "$host")
	export KORDON_SERVER KORDON_SERVER6
	net_leg server 9
	at hop ip -batch - <<-END
		route add $KORDON_SERVER/32 via 198.18.9.2
		route add $KORDON_SERVER6/128 via $ula:9::2
	END
	at server ip -batch - <<-END
		addr add $KORDON_SERVER/32 dev lo
		addr add $KORDON_SERVER6/128 dev lo nodad
		route replace default via 198.18.9.1 src $KORDON_SERVER
		route replace default via $ula:9::1 src $KORDON_SERVER6
	END
}
