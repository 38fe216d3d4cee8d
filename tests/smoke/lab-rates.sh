#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Rates as real programs measure them, for a minute: iperf3's UDP behind 140 kbit/s, 600 B/s and a capacity of 50 gets
# what was asked, by loss and not by waiting; curl behind the throttling of 2021 a goodput of 100 to 150 kbit/s.
set -eu
# shellcheck source=tests/smoke/lab.bash
. "$(dirname "$0")/lab.bash"
command -v iperf3 >/dev/null || skip "iperf3 is missing"
need_lab
KORDON=$(realpath "$KORDON")
export KORDON

# By its first two datagrams iperf3 makes itself known, once: they pass what loses half of all.
cat >"$scratch/book.cfg" <<'END'
rules = (
  { id = "slow";  phase = "addresses";  when = { transport = "udp"; to_port = [ 5201, 5202 ]; };
    then = { mechanism = "police"; rate = "140 kbit/s"; burst = "16 kB"; }; },
  { id = "crawl";  phase = "addresses";  when = { transport = "udp"; to_port = 5203; };
    then = { mechanism = "police"; rate = "600 B/s"; burst = "1.5 kB"; }; },
  { id = "half";  phase = "addresses";  when = { transport = "udp"; to_port = 5204; };
    then = { mechanism = "impair"; capacity = 50; direction = "to-outside"; after = { packets = 2; }; }; }
);
END
cat >"$scratch/server" <<'END'
for port in 5201 5202 5203 5204 5205; do iperf3 -s -1 -p $port & done
wait
END
cat >"$scratch/client" <<'END'
cd "$1"
offer() { # NAME PORT OPTIONS...
	iperf3 -u -J -c "$KORDON_SERVER" -p "$2" "${@:3}" >"$1.json" || true
}
offer up 5201 -l 1000 -b 400k -t "$2" &
offer down 5202 -l 1000 -b 400k -t "$2" -R &
offer crawl 5203 -l 100 -b 24k -t "$2" &
offer half 5204 -l 200 -b 400k -k "$3" &
offer free 5205 -l 1000 -b 400k -t 5 &
wait
"$KORDON" stats --json >stats.json
python3 - up down crawl half free <<'PY'
import json, sys

sent = got = 0
for name in sys.argv[1:]:
    end = json.load(open(name + ".json"))["end"]
    if "sum_received" not in end:
        continue
    there, here = end["sum_received"], end["sum_sent"]
    n = there["packets"] - there["lost_packets"]
    length = here["bytes"] // here["packets"] + 28  # of the IP packets
    print("%s_sent=%d %s_got=%d %s_bps=%d" % (name, here["packets"], name, n, name, n * length * 8 / here["seconds"]))
    sent, got = sent + here["packets"], got + n
stats = json.load(open("stats.json"))
fate = stats["fate"]
# Every fate has a reason, and a packet that waited has had two: to be held, and to be let go.
waited = sum(stats["reason"].values()) - fate["emitted"] - fate["rewritten"] - fate["dropped"]
print("missing=%d dropped=%d waited=%d" % (sent - got, fate["dropped"], waited))
PY
END

udp() { # NAME PROFILE SECONDS DATAGRAMS: what arrived, as variables NAME_...
	mkdir "$scratch/$1"
	lab --bare -p "$2" --outside "bash $scratch/server" --ready tcp:5205 --ready-timeout 60 -- \
		bash "$scratch/client" "$scratch/$1" "$3" "$4" >"$scratch/$1/said" 2>"$scratch/$1/err" || cat "$scratch/$1/err"
}

tcp() { # the rule of 2021 by its name, and a name beside it
	# Certificates first, one by one: of several that are new at the same moment the web server refuses some.
	# shellcheck disable=SC2016
	lab -p tspu@2021-04-15/home -- bash -c '
		for name in abs.twimg.com www.vk.com; do curl -s -m 10 -o /dev/null https://$name/; done
		curl -s -m 50 -o /dev/null -w "twitter_bytes=%{size_download} twitter_bps=%{speed_download}\n" \
			https://abs.twimg.com/bytes/10M &
		curl -s -m 50 -o /dev/null -w "other_bytes=%{size_download}\n" https://www.vk.com/bytes/1M &
		wait' >"$scratch/tcp" 2>"$scratch/tcp.err" || cat "$scratch/tcp.err"
}

udp book "$scratch/book.cfg" 60 12000 &
udp null null 5 1200 &
tcp &
wait

read_results '' "$scratch/book/said"
read_results null_ "$scratch/null/said"
read_results '' "$scratch/tcp"
share() { # NAME: thousandths that arrived
	echo $((${of[$1_sent]:-0} > 0 ? 1000 * of[$1_got] / of[$1_sent] : -1))
}

within "UDP out of 400 kbit/s, 140 kbit/s asked" 126000 154000 "${of[up_bps]:-}" bit/s
within "UDP into 400 kbit/s, 140 kbit/s asked" 126000 154000 "${of[down_bps]:-}" bit/s
within "UDP, 600 B/s asked" 540 660 $((${of[crawl_bps]:-0} / 8)) B/s
within "capacity 50: of ${of[half_sent]:-no} datagrams" 480 520 "$(share half)" "in a thousand"
within "at a port of no rule" 990 1000 "$(share free)" "in a thousand"
within "what is missing was dropped, ${of[dropped]:-?} packets; differing" -10 10 $((${of[missing]:-99} - ${of[dropped]:-0})) packets
check "none of them waited" 0 "${of[waited]:-}"
within "TCP through the throttling of 2021, goodput" 100000 150000 $((${of[twitter_bps]:-0} * 8)) bit/s
check "a page of 1 MB from elsewhere at the same time" 1048576 "${of[other_bytes]:-}"
for name in up down crawl half; do
	within "null: $name" 950 1000 "$(share null_$name)" "in a thousand"
done
check "null: nothing dropped, nothing waited" "0 0" "${of[null_dropped]:-} ${of[null_waited]:-}"
finish
