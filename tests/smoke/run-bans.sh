#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: ping python3
#
# Two workers, each with clients of its own: a ban for everyone that a client of one sets off holds those of the other
# too, within moments, and is over after its time.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

# Shards are by a hash without a seed: 2, 3 and 5 are clients of one worker, the others of the other.
clients=(2 3 4 5 6 7 8 9)
cat >"$work/ban.cfg" <<'END'
rules = (
  { id = "ban";  phase = "observe";
    when = { transport = "udp"; opened_from = "inside"; from = "inside"; to_port = 4000; };
    then = { mechanism = "drop"; direction = "both"; };
    residual = { key = "address"; for = "everyone"; time = "6 s"; }; }
);
END

reached() { # ADDRESS: the clients whose ping it answered
	local i
	for i in "${clients[@]}"; do
		{ ! at "$client" ping -q -c 1 -W 1 -I "198.18.0.$i" "$1" >/dev/null || touch "$work/reached.$1.$i"; } &
		pings+=($!)
	done
	wait "${pings[@]}"
	pings=()
	(cd "$work" && ls reached."$1".*) 2>/dev/null | sed 's/.*[.]//' | tr '\n' ' '
	rm -f "$work/reached.$1".*
}
pings=()

all_reach() { # ADDRESS
	[ "$(reached "$1")" = "${clients[*]} " ]
}

none_reaches() { # ADDRESS
	local who
	who=$(reached "$1")
	echo "$1 answers the clients $who"
	[ -z "$who" ]
}

soon() { # COMMAND...: it takes the main thread a moment to carry a ban over
	"$@" || "$@"
}

trigger() { # CLIENT ADDRESS
	at "$client" python3 - "$@" <<-'END'
		import socket, sys

		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		s.bind(("198.18.0." + sys.argv[1], 0))
		s.sendto(b"ban", (sys.argv[2], 4000))
	END
}

hosts
start -p "$work/ban.cfg" --lab-net 198.18.0.0/15,203.0.113.0/24 --workers 2
for i in "${clients[@]}"; do
	at "$client" ip address replace "198.18.0.$i/32" dev kdi
	at "$server" ip address replace "203.0.113.1$i/32" dev kdo
done
for i in 2 4; do
	ok "server $i answers all" until_true all_reach "203.0.113.1$i"
	trigger "$i" "203.0.113.1$i"
	ok "banned by client $i it answers nobody" soon none_reaches "203.0.113.1$i"
	ok "server 6 answers all meanwhile" soon all_reach 203.0.113.16
done
ok "server 4 answers all when the ban is over" until_true all_reach 203.0.113.14
stop
ok "kordon ends well" test "$status" -eq 0
finish
