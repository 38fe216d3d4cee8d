#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Every shape of a rule that is known can be written: shapes/ is a rulebook that does, shapes.tsv says which entries write
# which shape. For each row: its entries are in force on its profile, cite its rows of the facts, and wait for exactly
# what it says; the policy compiles; and none of their ids stands in dataplane/, for a shape is data and no case in C.
# TAP, then the table. What the entries do to packets is for the scenarios.
set -eu

cd "$(dirname "$0")"
exec /usr/bin/python3 - "$KORDON" <<'END'
import json
import pathlib
import re
import subprocess
import sys

KORDON = sys.argv[1]
BOOK = "shapes"
GROUPS = ["names", "quic", "unclassified", "tunnels", "addresses", "box"]
cases = failed = 0


def case(name, wrong):
    global cases, failed
    cases += 1
    failed += bool(wrong)
    print("%sok %d - %s" % ("not " if wrong else "", cases, name))
    for line in wrong:
        print("# " + line)


def kordon(*words):
    return subprocess.run([KORDON, *words, "--policies", BOOK], capture_output=True, text=True)


cache = {}


def listed(what, *profile):
    """What `kordon list` gives in JSON; None and what it said when it fails."""
    key = (what, *profile)
    if key not in cache:
        run = kordon("list", what, *profile, "--json")
        cache[key] = (json.loads(run.stdout), "") if run.returncode == 0 else (None, run.stderr.strip())
    return cache[key]


def words_of(value):
    return set(re.findall(r"[^\s,]+", value or ""))


def cited(evidence):
    """Claims of an entry's evidence: a group by part in rules, a line of words elsewhere."""
    if isinstance(evidence, dict):
        return {claim for part in evidence.values() for claim in part["claims"]}
    return words_of(evidence)


def pending_of(entry):
    return words_of(entry.get("pending"))


def stands_on(path, profile):
    """Whether a path's places are those of the profile; paths have no list by profile."""
    place = re.match(r"[^/]*/(\w+)(?:/([\w-]+))?", profile)
    return path.get("of", "") in ("", place[1], "%s; ISP %s" % (place[1], place[2]))


def find(kind, name, profile):
    """The entry, its claims, what it waits for; or a reason why not."""
    if kind in ("path", "box"):
        entries, said = listed("places")
        fits = [e for e in entries or [] if e["place"] == kind and e["id"] == name]
        fits = [e for e in fits if kind == "box" or stands_on(e, profile)]
    elif kind == "rule":
        entries, said = listed("rules", "-p", profile)
        fits = [e for e in entries or [] if e["id"] == name]
    elif kind == "knob":
        entries, said = listed("knobs", "-p", profile)
        fits = [e for e in entries or [] if "%s=%s" % (e["knob"], e["value"]) == name]
    else:
        entries, said = listed("settings", "-p", profile)
        fits = [e for e in entries or [] if e["setting"] == name]
    if not fits:
        return None, said or "%s:%s is not in force on %s" % (kind, name, profile)
    entry = fits[0]
    return (cited(entry.get("evidence")) | words_of(entry.get("claims")), pending_of(entry)), ""


def tell(row):
    wrong, claims, pending = [], set(), set()
    for word in row["ids"].split():
        kind, name = word.split(":", 1)
        got, why = find(kind, name, row["profile"])
        if got is None:
            wrong += why.splitlines()
            continue
        claims |= got[0]
        pending |= got[1]
    missing = set(row["rows"].split()) - claims
    if missing:
        wrong.append("not cited: " + " ".join(sorted(missing)))
    state = " ".join(sorted(pending)) or "compiled"
    if not wrong and state != row["state"]:
        wrong.append("state is %s, not %s" % (state, row["state"]))
    return wrong


columns = ["group", "shape", "rows", "profile", "ids", "state"]
lines = pathlib.Path("shapes.tsv").read_text(encoding="utf-8").splitlines()
rows = [dict(zip(columns, line.split("\t"))) for line in lines if line and not line.startswith("#")]

check = kordon("check")
case("shapes: the folder checks clean", check.stderr.splitlines() if check.returncode or check.stderr else [])
case("shapes: rows are whole", [str(r) for r in rows if len(r) != len(columns) or r["group"] not in GROUPS])
for row in rows:
    case("shape: " + row["shape"], tell(row))

# Two rules with the same days between them: on each sampled box the one ends as the other starts.
held = []
for k in range(1, 11):
    entries, said = listed("rules", "-p", "tspu@2021-03-20/home~%d" % k)
    held.append([e["id"] for e in entries or [] if e["id"] in ("thr-2021-substring", "thr-2021-suffix")])
wrong = ["box %d: %s" % (k + 1, " ".join(ids) or "neither") for k, ids in enumerate(held) if len(ids) != 1]
if len({id for ids in held for id in ids}) != 2:
    wrong.append("all ten boxes drew the same side")
case("shapes: sampled days adjoin", wrong)

# Every rule of the folder writes some shape, and no id has a place in C.
everything, said = listed("rules")
named = {word for row in rows for word in row["ids"].split()}
ids = ["rule:" + entry["id"] for entry in everything or []]
case("shapes: no rule without a row", said.splitlines() + sorted(set(ids) - named))
source = pathlib.Path("../../dataplane")
text = {f: f.read_text(encoding="utf-8") for f in source.rglob("*") if f.suffix in (".c", ".h", ".in", ".build")}
special = []
for word in sorted(named | set(ids)):
    kind, name = word.split(":", 1)
    if kind not in ("rule", "path", "box"):
        continue
    special += ["%s stands in %s" % (name, f) for f, content in text.items() if name in content]
case("shapes: no id stands in dataplane/", special if text else ["there is no dataplane/"])

table = [["group", "shape", "rules", "rows", "state"]]
table += [[r["group"], r["shape"], r["ids"].replace("rule:", ""), r["rows"], r["state"]] for r in rows]
widths = [max(len(r[i]) for r in table) for i in range(4)]
print("#")
for r in table:
    print("# " + "  ".join([c.ljust(w) for c, w in zip(r, widths)] + r[4:]))
print("1..%d" % cases)
sys.exit(1 if failed else 0)
END
