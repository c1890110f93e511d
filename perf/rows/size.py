# SPDX-License-Identifier: ISC
"""What size costs: rings, queues and segments, this project beside itself."""

import race
import ring

RINGS = (16, 64, 256, 1024, 4096, 32768)
QUEUES = (1, 4, 16, 64)
# The first two are what a table costs at all; the others are held together.
SEGMENTS = (1, 2, 16, 64, 256, 1024, 4096)
BATCH = 8
PASSES = 4      # over all sizes, in a measurement of time
KINDS = [("split", "split", []), ("packed", "packed", ["--packed"])]
DEAREST, CHEAPEST = "dearest", "cheapest"

# Counts hardly differ; memory that no longer fits a cache takes its time.
GOALS = {"instructions": 1.05, "ns": 1.5}

ASKED = {
    "rings": [(["--size", str(n)], BATCH) for n in RINGS],
    "queues": [(["--queues", str(n)], BATCH) for n in QUEUES],
    "segments": [(["--segments", str(n), "--size", str(max(n, 256))], 1)
                 for n in SEGMENTS[1:]],
}


def rows():
    for kind, words, _ in KINDS:
        for name, sizes, unit in (
                ("rings", f"rings of {RINGS[0]} to {RINGS[-1]}", "a buffer"),
                ("queues", f"{QUEUES[0]} to {QUEUES[-1]} queues in turn",
                 "a buffer"),
                ("segments", f"buffers of 16 to {SEGMENTS[-1]} segments",
                 "a segment")):
            for what, limit in GOALS.items():
                yield race.Row(
                    f"{kind}-{name}-{what}", f"{sizes}, {words}",
                    f"{what} {unit}", (DEAREST, CHEAPEST),
                    form="{:.1f}", goal=race.at_most(limit),
                    counted=what == "instructions", picture=False)


class Part(race.Part):
    title = "Cost against size"
    how = f"""This project's virtqueues as in the part ring, beside themselves:
        the dearest size to the cheapest. Rings of {', '.join(map(str, RINGS))}
        and {', '.join(map(str, QUEUES))} queues of 256 entries in turn,
        batches of {BATCH}; buffers of {', '.join(map(str, SEGMENTS[2:]))}
        segments one at a time, of which the cost is that of each segment beyond
        the second: what a buffer of two costs is subtracted. No chain has more
        than 1024, which is what hosts take: 4096 go as four, a map each. ns are
        the least of {PASSES} passes over all sizes: what disturbs the machine
        disturbs one size, or some."""
    rows = list(rows())

    def versions(self):
        return {"compiler": race.said("gcc", "--version")}

    def setup(self, bench):
        race.build("perf/ring-ours")

    def ask(self, arguments, batch):
        return ring.ask(race.OURS, arguments, [batch])[batch]

    def costs(self, name, what, arguments, passes):
        """What each size costs: the least of passes, each over all sizes."""
        found = [min(costs) for costs in zip(*(
            [self.ask([*arguments, *words], batch)[what]
             for words, batch in ASKED[name]] for _ in range(passes)))]
        if name != "segments":
            return found
        return [(cost - found[0]) / (n - 2)
                for n, cost in zip(SEGMENTS[2:], found[1:])]

    def measure(self, bench, what, argument, passes=1):
        for kind, _, arguments in KINDS:
            for name in ("rings", "queues", "segments"):
                row = f"{kind}-{name}-{what}"
                if not bench.only(row):
                    continue
                try:
                    costs = self.costs(name, what, [argument, *arguments],
                                       passes)
                except (race.Missing, RuntimeError) as why:
                    bench.leave_out(row, DEAREST, str(why))
                    continue
                bench.sample(row, DEAREST, max(costs))
                bench.sample(row, CHEAPEST, min(costs))

    def once(self, bench):
        self.measure(bench, "instructions", "--count")

    def run(self, bench, n):
        self.measure(bench, "ns", "--time", PASSES)
