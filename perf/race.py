# SPDX-License-Identifier: ISC
"""
What a part of `make bench` is, and how one is run (perf/bench).

A part is a module perf/rows/NAME.py with a class Part of this form:

    class Part(race.Part):
        title = "A disk beside Linux"
        how = "what is run and how: a sentence or three, for the report"
        rows = [
            race.Row("random-read-1", "random read, depth 1", "/s",
                     ("paravane", "Linux"), more=True,
                     goal=race.at_least(3.0)),
            race.Row("read-doorbells", ..., "a thousand requests",
                     ("paravane", "Linux"), goal=race.not_more()),
        ]

        def versions(self):
            return {"Linux": linux.version(), "QEMU": race.qemu_version()}

        def setup(self, bench):     # bench.only(row), bench.seconds(s), ...
            build("perf/diskbench") # self.stack.enter_context(x), self.tmp

        def once(self, bench):      # first: what needs no repetition, counts
            bench.sample("read-doorbells", "paravane", 12.5)

        def run(self, bench, n):    # n from 0, as often as --runs says
            for racer in bench.turns(("paravane", "Linux"), n):
                bench.sample("random-read-1", racer, self.rate(racer))

The first name of a row's racers is this project's (or, where it races itself,
the case that is judged); those after it are its peers, of which the best counts.
A goal is held against the median over the runs of the ratio of neighbours; where
the least and the most of the runs would be judged otherwise, the verdict is said
to be within the spread. A row without a goal is reported. A row whose part
raised, or which has no sample of one of its racers, is broken, and that is no
goal met. A part whose racers can't be had (no such package) raises Missing in
setup, or calls bench.leave_out.
"""

import contextlib
import dataclasses
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build")
CACHE = os.environ.get("PARAVANE_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
    "paravane")
OURS = "paravane"
sys.path.insert(0, os.path.join(TOP, "test", "lib"))


class Missing(Exception):
    """What a part needs is not there; the message says what."""


@dataclasses.dataclass(frozen=True)
class Goal:
    words: str
    holds: object       # a function of a Result
    drawn: bool = True  # of use in a picture of ratios


def at_least(times):
    """So many times as much as the peer (a rate)."""
    return Goal(f"≥ {times:g}", lambda r: r.ratio() >= times)


def at_most(share):
    """No more than this share of the peer's (a cost, a time)."""
    return Goal(f"≤ {share:g}", lambda r: r.ratio() <= share)


def sooner(times):
    """A time: the peer takes so many times as long, or more."""
    return Goal(f"≤ 1/{times:g}", lambda r: r.ratio() * times <= 1)


def fewer():
    """Less than any peer."""
    return Goal("< 1", lambda r: r.ratio() < 1)


def not_more(chance=0.01, allow=0.0):
    """
    Not more than the peer, but for chance: a part of it, and what is allowed on
    top in the row's unit.
    """
    return Goal("≤ 1", lambda r: r.median(r.ours) <=
                r.median(r.best()) * (1 + chance) + allow, drawn=False)


def figure_at_most(limit):
    """Our figure, whatever the peer's."""
    return Goal(f"itself ≤ {limit:g}", lambda r: r.median(r.ours) <= limit,
                drawn=False)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. name: short, without spaces."""
    name: str
    what: str
    unit: str
    racers: tuple
    more: bool = False      # is more better?
    goal: Goal = None
    form: str = ""          # of a figure: "{:.1f}"; "": three digits or more
    scale: float = 1.0      # what a sample is multiplied by when it is shown
    counted: bool = False   # exact: no timing, a busy machine changes nothing
    # In the picture: always, or only if it is missed; None: if it has a goal.
    picture: bool = None


class Part:
    title = ""
    how = ""
    rows = []
    network = False         # of its own (wire.own_network)
    name = ""               # set by load: the module's

    def versions(self):
        return {}

    def setup(self, bench):
        pass

    def once(self, bench):
        pass

    def run(self, bench, n):
        pass


@dataclasses.dataclass
class Result:
    """What became of a row."""
    part: str
    row: Row
    samples: dict           # racer: figures, in the order of the runs
    broken: str = ""
    left_out: dict = dataclasses.field(default_factory=dict)   # racer: why

    @property
    def name(self):
        return f"{self.part}/{self.row.name}"

    @property
    def ours(self):
        return self.row.racers[0]

    @property
    def peers(self):
        return [r for r in self.row.racers[1:] if self.samples.get(r)]

    def median(self, racer):
        return statistics.median(self.samples[racer])

    def best(self):
        """The peer to beat."""
        pick = max if self.row.more else min
        return pick(self.peers, key=self.median) if self.peers else None

    def ratio(self):
        """Median of the ratios of neighbours, ours to the best peer's."""
        if self.best() is None or not self.samples.get(self.ours):
            return None
        pairs = list(zip(self.samples[self.ours], self.samples[self.best()]))
        return statistics.median(
            a / b if b else (1.0 if a == b else float("inf"))
            for a, b in pairs)

    def verdict(self):
        """"met", "missed", "reported" or "broken"."""
        absent = [r for r in self.row.racers
                  if not self.samples.get(r) and r not in self.left_out]
        if self.broken or absent or not self.samples.get(self.ours) or (
                len(self.row.racers) > 1 and not self.peers):
            return "broken"
        if self.row.goal is None:
            return "reported"
        return "met" if self.row.goal.holds(self) else "missed"

    def within_spread(self):
        """
        Whether another choice among the runs could turn the verdict: the worst
        figure of ours beside the best of any peer's a goal that is met, our
        best beside their worst one that is missed.
        """
        verdict = self.verdict()
        if verdict not in ("met", "missed"):
            return False
        ours, theirs = (min, max) if self.row.more == (verdict == "met") \
            else (max, min)
        other = Result(self.part, self.row, {
            racer: [ours(figures) if racer == self.ours else theirs(figures)]
            for racer, figures in self.samples.items() if figures})
        return self.row.goal.holds(other) != (verdict == "met")

    def why(self):
        if self.broken:
            return self.broken
        absent = [r for r in self.row.racers if not self.samples.get(r)]
        return "; ".join(self.left_out.get(r, f"no figure of {r}")
                         for r in absent)


class Bench:
    """One run of the command, as its parts see it."""

    def __init__(self, parts, wanted, runs, quick):
        self.runs, self.quick = runs, quick
        self.results = {}       # part's name: {row's name: Result}
        self.part = None
        self.took = {}
        self.began = time.monotonic()
        for part in parts:
            rows = {row.name: Result(part.name, row, {})
                    for row in part.rows if wanted(f"{part.name}/{row.name}")}
            if rows:
                self.results[part.name] = rows

    def only(self, row):
        """Whether this row of the part is asked for."""
        return row in self.results[self.part.name]

    def seconds(self, s):
        """How long to measure what by default is measured for s."""
        return s / 5 if self.quick else s

    def turns(self, racers, n):
        """In this order in run n, so that each goes first as often."""
        return list(racers)[::-1 if n % 2 else 1]

    def sample(self, row, racer, figure):
        if self.only(row):
            result = self.results[self.part.name][row]
            assert racer in result.row.racers, (row, racer)
            result.samples.setdefault(racer, []).append(float(figure))

    def leave_out(self, row, racer, why):
        """This racer can't run that: no figure, and the reader is told why."""
        if self.only(row):
            self.results[self.part.name][row].left_out[racer] = why

    def say(self, words):
        took = int(time.monotonic() - self.began)
        print(f"bench: {took // 60:2d}:{took % 60:02d} {self.part.name}: "
              f"{words}", file=sys.stderr, flush=True)

    def race(self, part):
        """All of a part; what breaks it breaks its rows alone."""
        self.part = part
        began = time.monotonic()
        try:
            with contextlib.ExitStack() as part.stack:
                part.tmp = part.stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="paravane-"))
                self.say("getting ready")
                part.setup(self)
                self.say("counting")
                part.once(self)
                for n in range(self.runs):
                    self.say(f"run {n + 1} of {self.runs}")
                    part.run(self, n)
        except Exception as error:  # whatever it is, the others go on
            self.broke(error)
        self.took[part.name] = time.monotonic() - began

    def broke(self, error):
        words = str(error).strip() or "without a word"
        if not isinstance(error, Missing):
            words = f"{type(error).__name__}: {words}"
            traceback.print_exc()
        self.say(f"BROKEN: {words}")
        why = words.splitlines()[0]
        for result in self.results[self.part.name].values():
            result.broken = why

    def all(self):
        return [result for rows in self.results.values()
                for result in rows.values()]


def build(*targets):
    """Files of build/, by mk/perf.mk: ("perf/diskbench"). Where they are."""
    paths = [os.path.join("build", target) for target in targets]
    made = subprocess.run(["make", "-f", "mk/build.mk", "-s", *paths], cwd=TOP,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if made.returncode:
        # What was being built is not why it could not be.
        raise Missing("can't be built: " + re.sub(
            r"^  [A-Z]+ .*\n", "", made.stdout.decode(errors="replace"),
            flags=re.M).strip())
    return [os.path.join(TOP, path) for path in paths]


def said(*command):
    """The first line of what a command says of itself; "" without it."""
    try:
        text = subprocess.run(command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=20).stdout
    except OSError:
        return ""
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[0] if lines else ""


def package_version(name):
    """Of a package of the distribution; "" if it is not installed."""
    return said("dpkg-query", "-W", "-f", "${Version}", name) \
        if said("dpkg-query", "-W", "-f", "${db:Status-Status}", name) \
        == "installed" else ""


def qemu_version():
    found = re.search(r"version (\S+)", said("qemu-system-aarch64",
                                             "--version"))
    return found[1] if found else "?"


def processor():
    try:
        with open("/proc/cpuinfo") as f:
            return re.search(r"^model name\s*: (.*)", f.read(), re.M)[1]
    except (OSError, TypeError):
        return os.uname().machine


def machine():
    """What it ran on, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = ""
    with contextlib.suppress(OSError, TypeError), open(
            "/etc/os-release") as f:
        system = re.search(r'^PRETTY_NAME="?([^"\n]*)', f.read(), re.M)[1]
    return (f"{os.cpu_count()} processors ({processor()}), "
            f"{memory / 2**30:.0f} GiB, {system}")
