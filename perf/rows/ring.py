# SPDX-License-Identifier: ISC
"""A virtqueue's cost to its driver, a buffer: perf/ring has the programs."""

import re
import subprocess

import race

BATCHES = (1, 8, 32)
LINUX, RECEIVE, TRANSMIT = "Linux", "DPDK receive", "DPDK transmit"
SIMD_IN, SIMD_OUT = "DPDK receive, SIMD", "DPDK transmit, SIMD"
LIMIT_S = 300

# Of the ring alone, fully batched (the design): lines of 64 bytes.
LINES = {"split": 0.41, "packed": 0.5}

# Name, words, arguments, and racers beside this project.
KINDS = [
    ("split", "split", [], (RECEIVE, TRANSMIT, LINUX)),
    ("split-in-order", "split, in order", ["--in-order"],
     (RECEIVE, TRANSMIT)),
    ("packed", "packed", ["--packed"], (RECEIVE, TRANSMIT, LINUX)),
    ("packed-in-order", "packed, in order", ["--packed", "--in-order"],
     (RECEIVE, TRANSMIT)),
]

# DPDK's with SIMD, where it has such a path: only if it is asked for, for
# receiving on a split ring that is not in order, eight buffers at least, and on
# a packed one that is.
SIMD = [
    ("split-simd", "split; DPDK's with SIMD", [], (SIMD_IN,)),
    ("packed-in-order-simd", "packed, in order; DPDK's with SIMD",
     ["--packed", "--in-order"], (SIMD_IN, SIMD_OUT)),
]

# The program of a racer, and its own arguments.
PROGRAMS = {
    race.OURS: ("ring-ours", []),
    LINUX: ("ring-linux", []),
    RECEIVE: ("ring-dpdk", ["--in"]),
    TRANSMIT: ("ring-dpdk", []),
    SIMD_IN: ("ring-dpdk", ["--in", "--vector"]),
    SIMD_OUT: ("ring-dpdk", ["--vector"]),
}

SAID = re.compile(r"^(\d+)((?: \w+ -?[\d.]+)*)$", re.M)


def batches(name):
    return BATCHES[1:] if name == "split-simd" else BATCHES


def rows():
    for name, words, _, peers in KINDS + SIMD:
        racers = (race.OURS, *peers)
        simd = name.endswith("simd")
        for batch in batches(name):
            yield race.Row(
                f"{name}-{batch}-instructions", f"{words}, batch {batch}",
                "instructions a buffer", racers, goal=race.fewer(),
                form="{:.1f}", counted=True, picture=batch == 32)
            if not simd:
                yield race.Row(
                    f"{name}-{batch}-lines", f"{words}, batch {batch}",
                    "cache lines of the ring a buffer", racers, form="{:.2f}",
                    goal=race.figure_at_most(
                        round(1.3 * LINES[name.split("-")[0]], 3))
                    if batch == 32 else None, counted=True)
            yield race.Row(
                f"{name}-{batch}-ns", f"{words}, batch {batch}",
                "ns a buffer", racers, form="{:.1f}")


def ask(racer, arguments, sizes):
    """{batch: {"instructions": ..., "lines": ..., "ns": ...}}"""
    program, own = PROGRAMS[racer]
    ran = subprocess.run(
        [f"{race.BUILD}/perf/{program}", *own, *arguments, *map(str, sizes)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=LIMIT_S, text=True)
    if ran.returncode == 2:     # it can't, and says why
        raise race.Missing(ran.stderr.strip().splitlines()[-1])
    if ran.returncode:
        raise RuntimeError(f"{program} {' '.join(arguments)}: "
                           + ran.stderr.strip()[-500:])
    found = {}
    for batch, pairs in SAID.findall(ran.stdout):
        words = pairs.split()
        found[int(batch)] = dict(zip(words[::2], map(float, words[1::2])))
    return found


def ask_dearer(racer, arguments, sizes):
    """As ask; of this project's two directions the one that costs more."""
    found = ask(racer, arguments, sizes)
    if racer in (race.OURS, LINUX):
        other = ask(racer, [*arguments, "--in"], sizes)
        for batch, figures in found.items():
            for what in figures:
                figures[what] = max(figures[what], other[batch][what])
    return found


class Part(race.Part):
    title = "A virtqueue's cost to its driver"
    how = """Rounds of a batch of buffers of one segment: the driver makes them
        available and shows them, one neutral device in the same thread uses
        them in order, the driver takes them back; only the driver is counted.
        Polling, no doorbells, rings of 256. Instructions are single steps of
        this processor, SIMD included; lines are 64 bytes of ring memory, each
        once in a showing and once in a taking; ns are the least of eight
        stretches of whole rounds, less the device by itself, between
        serialising looks at the clock. This project and
        Linux: the dearer of buffers that the device reads and that it writes.
        Linux is virtio_ring.c of the distribution's source package compiled in
        user space without the DMA API, its scatterlist made once. DPDK is the
        burst function of net_virtio_user without mergeable buffers, less what
        as many mbufs cost that it allocates or frees in there; the header of
        each frame stays in, because it can't be told apart."""
    rows = list(rows())

    def versions(self):
        return {"DPDK": race.package_version("dpdk"),
                "Linux": race.package_version("linux-source-6.1"),
                "compiler": race.said("gcc", "--version")}

    def setup(self, bench):
        self.absent = {}    # program: why it is not there
        for program, _ in sorted(set(map(tuple, (
                (p, "") for p, _ in PROGRAMS.values())))):
            try:
                race.build(f"perf/{program}")
            except race.Missing as error:
                bench.say(f"{program}: {error}")
                self.absent[program] = str(error).splitlines()[-1]
        if "ring-ours" in self.absent:
            raise race.Missing(self.absent["ring-ours"])

    def measure(self, bench, what, argument, n=0):
        """All kinds and racers, as far as rows ask for what."""
        figures = {}            # (arguments, racer): found
        for name, _, arguments, peers in KINDS + SIMD:
            wanted = [(b, w) for b in batches(name) for w in what
                      if bench.only(f"{name}-{b}-{w}")]
            sizes = sorted({b for b, _ in wanted})
            if sizes and argument == "--count":
                bench.say(name)
            for racer in bench.turns((race.OURS, *peers), n) if sizes else ():
                key = (*arguments, racer, *sizes)
                if key not in figures:
                    figures[key] = self.one(racer, [argument, *arguments],
                                            sizes)
                found, why = figures[key]
                for batch, w in wanted:
                    row = f"{name}-{batch}-{w}"
                    if why:
                        bench.leave_out(row, racer, why)
                    elif w in found.get(batch, {}):
                        bench.sample(row, racer, found[batch][w])

    def one(self, racer, arguments, sizes):
        """What it found, or why not: a peer that fails is no other's loss."""
        program, _ = PROGRAMS[racer]
        if program in self.absent:
            return {}, f"{racer}: {self.absent[program]}"
        try:
            return ask_dearer(racer, arguments, sizes), ""
        except (race.Missing, subprocess.TimeoutExpired) as error:
            return {}, str(error)

    def once(self, bench):
        self.measure(bench, ("instructions", "lines"), "--count")

    def run(self, bench, n):
        self.measure(bench, ("ns",), "--time", n)
