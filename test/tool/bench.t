#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""`make bench`'s own judgement: ratios, goals, turns, what is broken and what
that costs others; and that its table, its page and its list can be had."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, d) for d in ("test/lib", "perf")]
import tap
import race
import show

PAIR = (race.OURS, "peer")


def result(ours, peers, **row):
    """Of a row with these samples; peers: {name: samples}."""
    return race.Result("part", race.Row("row", "words", "unit", (
        race.OURS, *peers), **row), {race.OURS: ours, **peers})


def verdict(goal, ours, peer, more=False):
    return result(ours, {"peer": peer}, goal=goal, more=more).verdict()


tap.equal(result([2, 9, 4], {"peer": [1, 3, 4]}).ratio(), 2,
          "the ratio is the median of those of neighbours")
tap.equal(result([3], {"slow": [9], "fast": [2]}).best(), "fast",
          "of costs the least is the best peer's")
tap.equal(result([3], {"slow": [1], "fast": [7]}, more=True).best(), "fast",
          "of rates the most is")
tap.equal([verdict(race.at_least(1.5), [n], [2], True) for n in (3, 2.9)],
          ["met", "missed"], "a rate so many times the peer's")
tap.equal([verdict(race.sooner(20), [n], [20]) for n in (1, 1.1)],
          ["met", "missed"], "a time so many times sooner")
tap.equal([verdict(race.at_most(0.8), [n], [10]) for n in (8, 8.1)],
          ["met", "missed"], "a share of the peer's cost")
tap.equal([verdict(race.fewer(), [n], [10]) for n in (9.9, 10)],
          ["met", "missed"], "fewer is less than as many")
tap.equal([verdict(race.not_more(0.01, 1), [n], [100])
           for n in (102, 102.1)], ["met", "missed"],
          "not more, but for what chance is allowed")
tap.equal([verdict(race.figure_at_most(5), [n], [1]) for n in (5, 6)],
          ["met", "missed"], "a bound of the figure itself")
tap.equal(verdict(None, [1], [2]), "reported", "no goal: reported")
tap.equal(result([0], {"peer": [0]}, goal=race.not_more()).verdict(), "met",
          "nothing is not more than nothing")
tap.equal(result([1], {"peer": [0]}, goal=race.at_most(2)).verdict(),
          "missed", "something is more than nothing")
tap.equal(result([1], {"peer": []}, goal=race.fewer()).verdict(), "broken",
          "no goal is met without a peer's figure")
tap.equal(result([], {"peer": [1]}, goal=race.fewer()).verdict(), "broken",
          "nor without one of ours")
left = result([1], {"peer": [2], "other": []}, goal=race.fewer())
left.left_out["other"] = "it can't"
tap.equal((left.verdict(), left.why()), ("met", "it can't"),
          "a peer that can't is left out by name, if another is there")


def spread(goal, ours, peers, more=False):
    """The verdict, and whether it is within the spread."""
    r = result(ours, peers, goal=goal, more=more)
    return r.verdict(), r.within_spread()


# Rates of two levels, which each racer is at by chance.
tap.equal(spread(race.at_least(1), [7.3, 7.1, 15.6], {"peer": [
    7.2, 15.4, 14.7]}, True), ("met", True),
    "met by a rate whose least is below the peer's most: within the spread")
tap.equal(spread(race.at_least(1), [11.3, 12.7, 13.0], {"peer": [
    6.5, 10.2, 10.5]}, True), ("met", False),
    "not so if even the worst is enough")
tap.equal(spread(race.at_least(1), [10, 12, 12], {
    "fast": [9, 9, 9], "odd": [2, 2, 11]}, True), ("met", True),
    "whichever the peer that was better once")
tap.equal([spread(race.at_most(1.5), ours, {"peer": [4.3] * 3}) for ours in
           ([4.5, 7, 7], [7, 7, 8])], [("missed", True), ("missed", False)],
          "a cost that is too high, but was not in each run")
tap.equal([spread(race.figure_at_most(5), ours, {"peer": [1]}) for ours in
           ([4, 5, 6], [4, 5, 5])], [("met", True), ("met", False)],
          "a bound of the figure itself")
tap.equal([spread(race.fewer(), [8], {"peer": [9]}), spread(
    race.not_more(), [0, 0], {"peer": [0, 0]})], 2 * [("met", False)],
    "what has no spread is within none")
tap.equal([spread(None, [1, 9], {"peer": [2, 3]}),
           spread(race.fewer(), [1, 9], {"peer": []})],
          [("reported", False), ("broken", False)],
          "nor is what has no verdict")


class Good(race.Part):
    name, title, how = "good", "Good | title", "How."
    rows = [race.Row("a", "a|b", "s", PAIR, goal=race.fewer()),
            race.Row("b", "b", "s", PAIR, more=True)]

    def once(self, bench):
        for racer, figure in zip(PAIR, (1, 2)):
            bench.sample("b", racer, figure)

    def run(self, bench, n):
        self.order = getattr(self, "order", []) + bench.turns(PAIR, n)
        for racer, figure in zip(PAIR, (1 + n, 4)):
            bench.sample("a", racer, figure)


class Bad(Good):
    name, title = "bad", "Bad"

    def run(self, bench, n):
        if n == 1:
            raise ValueError("the floor is wet\nand more")


class Lacking(Good):
    name, title = "lacking", "Lacking"

    def setup(self, bench):
        raise race.Missing("no such package")


def raced(wanted=lambda name: True, runs=3):
    parts = [Bad(), Lacking(), Good()]
    bench = race.Bench(parts, wanted, runs, False)
    with contextlib.redirect_stderr(io.StringIO()):
        for part in parts:
            if part.name in bench.results:
                bench.race(part)
    return parts, bench


parts, bench = raced()
tap.equal({r.name: r.verdict() for r in bench.all()}, {
    "bad/a": "broken", "bad/b": "broken", "lacking/a": "broken",
    "lacking/b": "broken", "good/a": "met", "good/b": "reported"},
    "a part that breaks loses its own rows and no others")
tap.equal([bench.results[p]["a"].why() for p in ("bad", "lacking")],
          ["ValueError: the floor is wet", "no such package"], "and says why")
tap.equal(parts[2].order, [*PAIR, *PAIR[::-1], *PAIR],
          "racers take turns at being first")
table = show.terminal(bench, parts)
tap.ok("1 to 3" in table and "the floor is wet" in table,
       "the table has the spread, and what broke", table)
page = show.markdown(bench, parts)
tap.ok("but within the spread" not in page and "Within the spread" in page,
       "the page says what within the spread is, and of no row here", page)
_, close = raced(lambda name: name == "good/a", runs=4)
tap.ok("met, but within the spread" in show.terminal(close, parts) and
       show.summary(close).endswith("of the runs: good/a"),
       "a row that is met by less than its spread is marked, and named",
       show.terminal(close, parts), show.summary(close))
tap.ok("| a\\|b, s | 2 (1 to 3) | peer 4 | 0.50 | < 1 | met |" in page,
       "the page has a row of each", page)
tap.equal([b.get("gain") for b in show.bars(bench, parts)], [None, 2.0],
          "the picture has bars of what has a goal and figures")

def gain(goal, ours, peer, **row):
    return show.gain(result([ours], {"peer": [peer]}, goal=goal, **row))


tap.equal([gain(race.fewer(), 1, 2, picture=False),
           gain(race.fewer(), 4, 2, picture=False), gain(None, 1, 2),
           gain(None, 1, 2, picture=True), gain(race.not_more(), 4, 2)],
          [None, 0.5, None, 2.0, None],
          "and of what is missed, or always shown, though it is not asked for")
tap.ok("and in brackets" in page and "no spread" in
       show.markdown(raced(runs=1)[1], parts),
       "the page says whether there are medians and a spread")
tap.equal(show.number(race.Row("n", "", "/s", PAIR, form="{:.0f}"), 3204546),
          "3,204,546", "long figures can be read")
_, some = raced(lambda name: name == "good/b")
tap.equal([r.name for r in some.all()], ["good/b"], "rows can be picked")

command = os.path.join(TOP, "perf", "bench")
listed = subprocess.run([command, "--list"], capture_output=True, text=True)
rows = [line.split()[0] for line in listed.stdout.splitlines()]
tap.ok(listed.returncode == 0 and len(rows) > 50 and
       len(set(rows)) == len(rows), "--list: every row by a name of its own",
       listed.stdout, listed.stderr)
tap.equal(subprocess.run([command, "--only", "nothing/such"],
                         capture_output=True).returncode, 2,
          "what matches no row is an error")
for option in ("--json", "--svg"):
    for path in ("/nonexistent/x", "/tmp"):
        r = subprocess.run([command, "--list", option, path],
                           capture_output=True, text=True)
        tap.ok(r.returncode == 2 and path in r.stderr,
               f"{option} {path}: said before a race", r.stderr)

# Who is not root has networks for its races all the same.
USER = """import os, sys
sys.path[:0] = sys.argv[1:]
import wire
wire.allow()
with wire.own_network():
    print(os.geteuid(), wire.Tap("paravane0", "10.0.2.2", 1500).counters())
"""
someone = 65534 if os.geteuid() == 0 else os.geteuid()


def by_user(*words):
    return subprocess.run(words, capture_output=True, text=True, user=someone,
                          cwd="/", env={"PATH": os.environ["PATH"]})


what = "a user who is not root makes a network"
wire = os.path.join(TOP, "perf", "wire.py")
if by_user("unshare", "-rn", "test", "-w", "/dev/net/tun").returncode or \
        by_user("test", "-r", wire).returncode:
    tap.ok(True, f"{what} # SKIP there is none, or none for users")
else:
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        program = os.path.join(tmp, "user.py")
        with open(program, "w") as f:
            f.write(USER)
        r = by_user("/usr/bin/python3", "-B", program, *(
            os.path.join(TOP, d) for d in ("perf", "test/lib")))
        tap.equal(r.stdout, f"{someone} (0, 0)\n", what + r.stderr)
tap.done()
