# SPDX-License-Identifier: ISC
"""Frames over vhost-user to DPDK's testpmd: perf/frames has the programs."""

import contextlib
import os
import re
import subprocess
import time

import race

DPDK, SIMD = "DPDK", "DPDK, SIMD"
LIMIT_S = 120
PASSES = 3      # in a measurement of a rate
START_S = 30

SPLIT, PACKED = [], ["--packed"]
IN_ORDER = ["--in-order"]

# Name, words, arguments, lengths of frames, peer.
KINDS = [
    ("split", "split", SPLIT, (64,), DPDK),
    ("split-in-order", "split, in order", SPLIT + IN_ORDER, (64, 1500), DPDK),
    ("packed", "packed", PACKED, (64,), DPDK),
    ("packed-in-order", "packed, in order", PACKED + IN_ORDER, (64, 1500),
     DPDK),
    ("packed-in-order-simd", "packed, in order; DPDK's with SIMD",
     PACKED + IN_ORDER, (64,), SIMD),
]

PROGRAMS = {
    race.OURS: ("frames-ours", []),
    DPDK: ("frames-dpdk", []),
    SIMD: ("frames-dpdk", ["--vector"]),
}

RATE = re.compile(r"^frames (\d+) us (\d+)$", re.M)
COST = re.compile(r"^frames (\d+) instructions (\d+)$", re.M)


def rows():
    for name, words, _, lengths, peer in KINDS:
        for length in lengths:
            racers = (race.OURS, peer)
            simd = name.endswith("simd")
            yield race.Row(
                f"{name}-{length}", f"{length}-byte frames, {words}",
                "million/s", racers, more=True, form="{:.2f}", scale=1e-6,
                goal=None if simd else race.at_least(1.0))
            yield race.Row(
                f"{name}-{length}-instructions",
                f"{length}-byte frames, {words}", "instructions a frame",
                racers, form="{:.0f}", counted=True,
                goal=None if simd else race.at_most(0.8))


class Part(race.Part):
    title = "Frames over vhost-user to testpmd"
    how = f"""128 frames circle between the driver, in a process on one core, and
        DPDK's testpmd (net_vhost, io forwarding, one core) on another: a frame
        is what came, was sent on, and whose buffer was posted again. Rings of
        256, bursts of 32, polling; no offloads and no mergeable buffers on
        either side. DPDK is net_virtio_user in a loop of rte_eth_rx_burst and
        rte_eth_tx_burst; each driver starts anew in each pass, in turns. A rate
        is the most of {PASSES} passes: there are moments when the machine lets
        nobody have more than half of it.
        Instructions are single steps of the driver's process over 256 frames and more,
        all of its loop: driver, buffers, application; rounds that find nothing
        are left out. SIMD is DPDK's with vectorized=1, which it does not take
        by itself."""
    rows = list(rows())

    def versions(self):
        return {"DPDK": race.package_version("dpdk"),
                "compiler": race.said("gcc", "--version")}

    def setup(self, bench):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise race.Missing("two processors are needed")
        self.front, self.back = cores[0], cores[-1]
        race.build("perf/frames-ours", "perf/frames-dpdk")
        self.socket = f"{self.tmp}/testpmd"
        self.stack.callback(self.end_testpmd)
        self.testpmd = None

    def start_testpmd(self):
        with open(f"{self.tmp}/testpmd.log", "wb") as log:
            self.testpmd = subprocess.Popen(
                ["dpdk-testpmd", "-l", f"{self.front},{self.back}",
                 "--main-lcore", str(self.front), "--no-huge", "-m", "256",
                 "--no-pci", "--no-telemetry", "--no-shconf",
                 "--log-level=error",
                 f"--vdev=net_vhost0,iface={self.socket},queues=1", "--",
                 "--forward-mode=io", "--port-topology=loop", "--nb-cores=1",
                 "--auto-start", "--no-flush-rx", "--total-num-mbufs=8192",
                 "--txd=512", "--rxd=512"],
                stdin=subprocess.PIPE, stdout=log, stderr=log)
        until = time.monotonic() + START_S
        while not os.path.exists(self.socket):
            if self.testpmd.poll() is not None or time.monotonic() > until:
                raise RuntimeError("testpmd: " + self.last_words())
            time.sleep(0.05)

    def last_words(self):
        with open(f"{self.tmp}/testpmd.log", errors="replace") as log:
            return log.read()[-500:].strip() or "it does not start"

    def end_testpmd(self):
        if self.testpmd is None:
            return
        self.testpmd.terminate()
        try:
            self.testpmd.wait(10)
        except subprocess.TimeoutExpired:
            self.testpmd.kill()
            self.testpmd.wait()
        self.testpmd.stdin.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        self.testpmd = None

    def ask(self, racer, arguments):
        """What the program says; another testpmd if this one has gone."""
        if self.testpmd is None or self.testpmd.poll() is not None:
            self.end_testpmd()
            self.start_testpmd()
        program, own = PROGRAMS[racer]
        ran = subprocess.run(
            ["taskset", "-c", str(self.front),
             f"{race.BUILD}/perf/{program}", *own, *arguments, self.socket],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=LIMIT_S, text=True)
        if ran.returncode == 2:
            raise race.Missing(ran.stderr.strip().splitlines()[-1])
        if ran.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: "
                               f"{ran.stderr.strip()[-300:]}")
        return ran.stdout

    def measure(self, bench, row, racer, arguments, pattern):
        """The two numbers, or None: the reader is told why."""
        try:
            found = pattern.search(self.ask(racer, arguments))
        except (race.Missing, RuntimeError, subprocess.TimeoutExpired) as why:
            bench.leave_out(row, racer, str(why))
            self.end_testpmd()
            return None
        return map(int, found.groups())

    def once(self, bench):
        for name, _, arguments, lengths, peer in KINDS:
            for length in lengths:
                row = f"{name}-{length}-instructions"
                if bench.only(row):
                    bench.say(row)
                for racer in (race.OURS, peer) if bench.only(row) else ():
                    found = self.measure(
                        bench, row, racer,
                        [*arguments, "--count", "--length", str(length)], COST)
                    if found is not None:
                        frames, steps = found
                        bench.sample(row, racer, steps / frames)

    def run(self, bench, n):
        for name, _, arguments, lengths, peer in KINDS:
            for length in lengths:
                row = f"{name}-{length}"
                if bench.only(row):
                    self.pace(bench, n, row, (race.OURS, peer),
                              [*arguments, "--length", str(length)])

    def pace(self, bench, n, row, racers, arguments):
        ms = str(int(bench.seconds(0.4) * 1000))
        rates = {}
        for turn in range(n, n + PASSES):
            for racer in bench.turns(racers, turn):
                found = self.measure(bench, row, racer,
                                     [*arguments, "--ms", ms], RATE)
                if found is not None:
                    frames, us = found
                    rates.setdefault(racer, []).append(frames / us * 1e6)
        for racer, found in rates.items():
            bench.sample(row, racer, max(found))
