#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=900
"""
The library's unit tests once more, as they are, under the bench's bus and with
the library traced: every driver, on every kind of memory, without a finding.
And the proof that a finding would show.
"""

import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

UNITS = ["virtq", "virtq_lies", "virtio", "limits", "entropy", "console", "net",
         "netctrl", "blk", "gpu", "gpuheads"]
PACKED = ["virtq_lies"]         # needs a bus that has coherent memory

BUSES = [
    "coherent,segsize=700,seed=1",
    "noncoherent,line=64,seed=2",
    "noncoherent,line=128,refuse-coherent,chance=1,segsize=4096,seed=3",
    "bounce,refuse-coherent,seed=4",
]

# And the first seed of the devices, and how many; with stale lines that stay, a
# device that looks where it has no business is told from the driver.
HOSTILE = [
    BUSES[:1],
    BUSES[1:2],
    ["noncoherent,refuse-coherent,chance=4096", "293", "40"],
]

# With --long: other moments for what happens by chance.
MORE = ["coherent,seed=5", "bounce,segsize=1000,seed=6"] + [
        f"noncoherent,line={line},refuse-coherent,chance={chance},seed={seed}"
        for line in (64, 128) for chance in (1, 4) for seed in range(10, 15)]


def run(program, bus, *arguments):
    program = os.path.join(TOP, "build", "traced", program)
    environment = dict(os.environ, PARAVANE_BENCH=bus,
                       CMOCKA_MESSAGE_OUTPUT="STDOUT")
    try:
        return subprocess.run([program, *arguments], env=environment,
                              timeout=240,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(program, -1, str(e.output))


def main():
    buses = BUSES + (MORE if os.environ.get("PARAVANE_LONG") else [])
    for bus in buses:
        for unit in UNITS:
            if unit in PACKED and "refuse-coherent" in bus:
                continue
            r = run(f"unit/test_{unit}", bus)
            findings = re.findall(r"^paravane: bench: ([a-z-]+):", r.stdout,
                                  re.M)
            tap.ok(r.returncode == 0 and not findings, f"{unit}: {bus}",
                   "\n".join(r.stdout.splitlines()[-60:]))
    for bus, *seeds in HOSTILE:
        r = run("unit/test_hostile", bus, *seeds)
        tap.ok(r.returncode == 0, f"hostile devices: {' '.join([bus, *seeds])}",
               "\n".join(r.stdout.splitlines()[-60:]))
    r = run("unit/test_virtq", "no-such-word")
    tap.ok(r.returncode == 2, "an unknown word is told", r.stdout)
    tap.done()


main()
