#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# needs: python3
#
# A run that ends while its engine holds packets, some of them just due: they are sent, or dropped and counted, and every
# buffer comes back, with one worker, the delay line and two workers.
set -eu
# shellcheck source=tests/smoke/common.bash
. "$(dirname "$0")/common.bash"

cat >"$work/late.cfg" <<'END'
rules = (
  { id = "late";  phase = "addresses";  when = { transport = "udp"; };
    then = { mechanism = "delay"; time = "50 ms"; }; }
);
END

stream() { # 16000 datagrams a second, so that some fall due in any fraction of a millisecond
	at "$client" python3 - <<-'END'
		import socket, time

		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		began, n = time.monotonic(), 0
		while n < 64000:
		    while n < 16000 * (time.monotonic() - began):
		        try:
		            s.sendto(b"late" * 20, ("203.0.113.10", 9))
		        except OSError:
		            pass
		        n += 1
		    time.sleep(0.0002)
	END
}

flowing() { # packets wait in the engine, and others have waited
	"$KORDON" stats "$work/stats" >"$work/now" || return 1
	awk '$1 == "held" { held = $2 } $1 == "emitted" { out = $2 } END { exit !(held > 100 && out > 100) }' "$work/now"
}

ended_well() {
	cat "$work/kordon.err"
	[ "$status" -eq 0 ]
}

try() { # NAME OPTIONS...
	local name=$1 sender
	shift
	start -p "$work/late.cfg" --lab-net 198.18.0.0/15,203.0.113.0/24 --stats "$work/stats" "$@"
	stream &
	sender=$!
	ok "$name: packets wait" until_true flowing
	stop
	kill "$sender" 2>/dev/null || true
	wait "$sender" 2>/dev/null || true
	ok "$name: kordon ends well" ended_well
	ok "$name: none of many is held" summary ' [0-9]{3,} emitted . [0-9]+ dropped . 0 held '
}

hosts
for round in first second third; do # whether something falls due just then is a matter of luck
	try "$round, one worker"
	try "$round, delay line" --delay "18 ms"
	try "$round, two workers" --workers 2
done
finish
