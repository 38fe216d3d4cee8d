#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `kordon list samples` on the folder shapes/: the same boxes every time, other boxes under another seed, every number and
# day inside what the rulebook says (RANGES is copied out of its files by hand), entries of one draw together, one hash for
# one set of draws, and `replay -p ...~7` runs row 7. TAP. What `try --sample` makes of the boxes is for its own tests.
set -eu

cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 - "$KORDON" "$work" <<'END'
import datetime
import json
import os
import re
import subprocess
import sys

KORDON, WORK = sys.argv[1:]
BOOK = "shapes"
YEAR_2026 = "tspu@2026-07-01/home"
ROWS = 50
UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "bit/s": 1, "kbit/s": 1e3, "%": 1, "pkt": 1}
MINUTE, HOUR = 60, 3600
# The second entry of a knob in force is NAME.2.
RANGES = {
    "tspu@2021-03-20/home": {
        "rule:thr-2021-substring.until": ("2021-03-11", "2021-04-02"),
        "rule:thr-2021-substring.then.rate": (130e3, 150e3),
        "rule:thr-2021-suffix.since": ("2021-03-11", "2021-04-02"),
        "rule:thr-2021-suffix.then.rate": (130e3, 150e3),
        "setting:flow.idle_tcp": (5 * MINUTE, 11 * MINUTE),
        "setting:inspect.packets": (15, 20),
    },
    "tspu@2024-06-01/mobile/megafon": {
        "rule:ip-1.since": ("2021-12-01", "2021-12-31"),
        "rule:ip-1.miss": (0, 0.045),
        "rule:two-stage.since": ("2022-03-01", "2022-03-31"),
        "rule:two-stage.residual.time": (10 * MINUTE, 30 * MINUTE),
        "rule:two-stage.residual.publish_after": (5 * MINUTE, 6 * HOUR),
        "rule:quic-2026-cleared.since": ("2023-07-01", "2023-07-31"),
        "rule:sni-i-2022.until": ("2024-01-01", "2026-01-31"),
        "rule:sni-i-2022.miss": (0.08, 3),
        "rule:sni-ii-2022.variant": {"acks-count", "payload-counts", "hello-and-acks-count", "hello-and-payload-count"},
        "rule:sni-ii-2022.miss": (0.0025, 3),
        "rule:sni-iv-2022.miss": (0.04, 3),
        "rule:certificate-name.since": ("2021-12-01", "2024-01-31"),
        "rule:fep-megafon.count.window": (10, 10 * MINUTE),
        "rule:wireguard-2023.variant": {"two-pass", "none-passes", "four-to-six-pass"},
        "knob:tls.certificates.since": ("2021-12-01", "2024-01-31"),
        "knob:fake.past_sequence.since": ("2024-01-01", "2024-01-31"),
    },
    YEAR_2026: {
        "rule:ip-1.since": ("2021-12-01", "2021-12-31"),
        "rule:ip-1.miss": (0, 0.045),
        "rule:two-stage.since": ("2022-03-01", "2022-03-31"),
        "rule:two-stage.residual.time": (10 * MINUTE, 30 * MINUTE),
        "rule:two-stage.residual.publish_after": (5 * MINUTE, 6 * HOUR),
        "rule:ovh-2025.residual.time": (15 * MINUTE, 30 * MINUTE),
        "rule:quic-2026-cleared.since": ("2023-07-01", "2023-07-31"),
        "rule:sni-ii-2022.variant": {"acks-count", "payload-counts", "hello-and-acks-count", "hello-and-payload-count"},
        "rule:sni-ii-2022.miss": (0.0025, 3),
        "rule:sni-iv-2022.miss": (0.04, 3),
        "rule:certificate-name.since": ("2021-12-01", "2024-01-31"),
        "rule:seg1424-head.since": ("2026-05-01", "2026-06-30"),
        "rule:seg1424.since": ("2026-05-01", "2026-06-30"),
        "rule:seg1424.then.share": (40, 60),
        "rule:burst-2026.since": ("2026-05-22", "2026-06-05"),
        "rule:burst-2026.count.more_than": (3, 12),
        "rule:burst-2026.count.window": (5, 60),
        "rule:burst-2026.count.spacing": (0.02, 0.4),
        "rule:burst-2026.residual.time": (60, 180),
        "rule:l4-25.variant": {"packets-both-ways", "packets-one-way", "bytes-from-the-server"},
        "rule:l4-25.share": (30, 95),
        "rule:l4-25.then.after.packets": (10, 30),
        "rule:l4-25-rdp.share": (0, 100),
        "rule:wireguard-2023.variant": {"two-pass", "none-passes", "four-to-six-pass"},
        "rule:faketls-appdata.since": ("2026-05-22", "2026-05-28"),
        "rule:dtls-2026.then.delay_before": (1, 20),
        "rule:calls-degraded.since": ("2025-08-11", "2025-08-13"),
        "rule:calls-degraded.then.capacity": (0, 10),
        "knob:tcp.reassemble.since": ("2024-08-08", "2024-10-09"),
        "knob:tcp.reassemble.2.since": ("2025-01-01", "2025-03-31"),
        "knob:tcp.reassemble.2.share": (30, 95),
        "knob:tls.join_records.since": ("2025-01-01", "2025-03-31"),
        "knob:tls.join_records.share": (30, 95),
        "knob:tls.certificates.since": ("2021-12-01", "2024-01-31"),
        "knob:fake.ip_id.since": ("2024-10-01", "2024-10-31"),
    },
}
cases = failed = 0


def case(name, wrong):
    global cases, failed
    cases += 1
    failed += bool(wrong)
    print("%sok %d - samples: %s" % ("not " if wrong else "", cases, name))
    for line in wrong:
        print("# " + line)


def kordon(*words):
    return subprocess.run([KORDON, *words], capture_output=True, text=True)


def samples(profile, *words, seed=1, rows=ROWS, book=BOOK):
    """Rows as (hash, [(what, value)...]), and what was printed."""
    run = kordon("list", "samples", "-p", profile, "--sample", str(rows), "--seed", str(seed), "--json",
                 "--policies", book, *words)
    if run.returncode != 0:
        return [], "exit %d: %s" % (run.returncode, run.stderr.strip())
    found = []
    for row in json.loads(run.stdout):
        pairs = [tuple(part.split("=", 1)) for part in row.get("drawn", "").split(", ") if part]
        found.append((row["hash"], pairs))
    return found, run.stdout


def values(rows, what):
    """The value of `what` in each row; None where a row has none or several."""
    found = []
    for _, pairs in rows:
        here = [value for key, value in pairs if key == what]
        found.append(here[0] if len(here) == 1 else None)
    return found


def number(text):
    match = re.fullmatch(r"([0-9.]+) (\S+)", text)
    return float(match[1]) * UNITS[match[2]] if match and match[2] in UNITS else None


def measure(text, bounds):
    """A value and its bounds on one scale."""
    if isinstance(bounds[0], str):
        try:
            return datetime.date.fromisoformat(text).toordinal(), *(datetime.date.fromisoformat(b).toordinal() for b in bounds)
        except ValueError:
            return None
    value = number(text)
    return None if value is None else (value, *bounds)


def inside(text, bounds):
    """Where in its range a value lies, 0 to 1; None: outside."""
    measured = measure(text, bounds)
    if measured and measured[1] <= measured[0] <= measured[2] * (1 + 1e-9):
        return (measured[0] - measured[1]) / (measured[2] - measured[1])
    return None


def check_ranges(rows, table):
    wrong, places, names = [], {}, {}
    for k, (_, pairs) in enumerate(rows, 1):
        for what, text in pairs:
            if what not in table:
                wrong.append("box %d: %s is not in RANGES" % (k, what))
                continue
            ranges = table[what]
            if isinstance(ranges, set):
                names.setdefault(what, set()).add(text)
                if text not in ranges:
                    wrong.append("box %d: %s=%s is none of its variants" % (k, what, text))
                continue
            at = inside(text, ranges)
            if at is None:
                wrong.append("box %d: %s=%s lies outside %s" % (k, what, text, ranges))
            else:
                places.setdefault(what, []).append(at)
    # What lies inside may still be the default each time, or an end of the range.
    for what, at in places.items():
        if len(at) == ROWS and not min(at) < 0.5 < max(at):
            wrong.append("%s: all draws lie in one half, %.3f..%.3f" % (what, min(at), max(at)))
    for what, ranges in table.items():
        if what not in places and what not in names:
            wrong.append("no box drew " + what)
        if isinstance(ranges, set) and names.get(what) != ranges:
            wrong.append("%s: not every variant was drawn: %s" % (what, sorted(names.get(what, []))))
    return wrong[:10]


def same(rows, a, b):
    pairs = list(zip(values(rows, a), values(rows, b)))
    wrong = ["box %d: %s=%s, %s=%s" % (k, a, x, b, y) for k, (x, y) in enumerate(pairs, 1) if x is None or x != y]
    if len({x for x, _ in pairs}) < 2:
        wrong.append("%s was drawn alike by all" % a)
    return wrong[:5]


def apart(rows, a, b):
    pairs = list(zip(values(rows, a), values(rows, b)))
    wrong = ["box %d has no %s or no %s" % (k, a, b) for k, (x, y) in enumerate(pairs, 1) if x is None or y is None]
    return wrong[:5] or (["%s and %s agree in all boxes" % (a, b)] if all(x == y for x, y in pairs) else [])


first, said = samples(YEAR_2026)
again, said_again = samples(YEAR_2026)
case("a seed gives the same boxes twice", [said] if len(first) != ROWS else [] if said == said_again else ["they differ"])
other, said = samples(YEAR_2026, seed=2)
equal = [k for k, (a, b) in enumerate(zip(first, other), 1) if a[0] == b[0] or a[1] == b[1]]
case("another seed gives other boxes", [said] if len(other) != ROWS else ["box %d is the same" % k for k in equal])
few, said = samples(YEAR_2026, rows=5)
case("a box is the same among few and many", [] if [h for h, _ in few] == [h for h, _ in first[:5]] else [said])

for profile, table in RANGES.items():
    rows, said = samples(profile)
    case("draws lie inside, " + profile, check_ranges(rows, table) if len(rows) == ROWS else [said])

# Shared by `draw`; by being the same days; and, for all that the ranges are the same, not shared.
case("one draw, two rules", same(first, "rule:seg1424-head.since", "rule:seg1424.since"))
case("one draw, two knobs", same(first, "knob:tcp.reassemble.2.share", "knob:tls.join_records.share"))
case("same days, no draw", same(first, "rule:certificate-name.since", "knob:tls.certificates.since"))
case("same range, no draw", apart(first, "rule:l4-25.share", "knob:tcp.reassemble.2.share"))

os.makedirs(WORK + "/book/rulebook")
with open(WORK + "/book/claims.cfg", "w", encoding="utf-8") as f:
    f.write("claims = ();\n")
with open(WORK + "/book/rulebook/settings.cfg", "w", encoding="utf-8") as f:
    entry = '{ set = "%s"; value = "4 min (2 min..8 min)"; %s evidence = { numbers = "assumed"; }; }'
    f.write("settings = ( %s, %s, %s );\n" % (entry % ("flow.idle_tcp", 'draw = "load";'),
                                            entry % ("flow.idle_udp", 'draw = "load";'), entry % ("flow.idle_other", "")))
rows, said = samples("tspu@2022-03-20/home", book=WORK + "/book")
case("one draw, two settings", same(rows, "setting:flow.idle_tcp", "setting:flow.idle_udp") if rows else [said])
case("a setting of no draw", apart(rows, "setting:flow.idle_tcp", "setting:flow.idle_other") if rows else [said])

# Six numbers of packets, so fifty boxes fall into six kinds.
rows, said = samples("tspu@2022-01-15/corporate", "--set", "flow.idle_tcp=5 min")
kinds = {(h, tuple(pairs)) for h, pairs in rows}
wrong = [] if len(kinds) == 6 else ["%d kinds: %s" % (len(kinds), said)]
for i, what in enumerate(("hashes", "draws")):
    if len({kind[i] for kind in kinds}) != len(kinds):
        wrong.append("%d %s for %d kinds" % (len({kind[i] for kind in kinds}), what, len(kinds)))
case("one hash for one set of draws", wrong)
# One knob of that day began on a drawn day: it is in force or not, and on which day it began makes no other box.
rows, said = samples("tspu@2022-03-20/corporate")
hashes = [{h for h, pairs in rows if bool(pairs) == began} for began in (True, False)]
case("a day counts by what is in force", [] if [len(h) for h in hashes] == [1, 1] and hashes[0] != hashes[1] else [said])
rows, said = samples("tspu@2021-11-15/corporate", "--set", "flow.idle_tcp=5 min", "--set", "inspect.packets=20")
case("nothing to draw, one hash", [] if len({h for h, _ in rows}) == 1 and not any(p for _, p in rows) else [said])


def run_record(profile, *words):
    run = kordon("replay", "-q", "-p", profile, *words, "--policies", BOOK, "../replay/tls13-listed/in.pcap", "-e", "-")
    line = run.stdout.partition("\n")[0]
    if run.returncode != 0 or not line:
        return None, run.stderr.strip()
    # As pairs: see RANGES for names that stand twice.
    record = dict(dict(json.loads(line, object_pairs_hook=list))["run"])
    return record, ""


# The list leaves out what all its boxes drew alike; the record has it too.
wrong = []
seventh, said = run_record(YEAR_2026 + "~7")
eighth, _ = run_record(YEAR_2026 + "~8")
if not seventh or not eighth:
    wrong.append(said)
elif len(first) == ROWS:
    rest = [pair for pair in seventh["drawn"] if pair not in first[6][1]]
    wrong += ["row 7 has %s=%s, the record has not" % p for p in first[6][1] if p not in seventh["drawn"]]
    wrong += ["the record has %s=%s, row 7 has not" % p for p in rest if p not in eighth["drawn"]]
    if not seventh["hash"].startswith(first[6][0]) or seventh["profile"] != YEAR_2026 + "~7":
        wrong.append("hash %s, profile %s" % (seventh["hash"], seventh["profile"]))
else:
    wrong.append("no rows")
case("replay runs row 7", wrong)
plain, said = run_record(YEAR_2026)
wrong = [said] if not plain else [] if plain["drawn"] == [] and plain["hash"][:12] not in {h for h, _ in first} else [str(plain)]
case("without ~K nothing is drawn", wrong)

print("1..%d" % cases)
sys.exit(1 if failed else 0)
END
