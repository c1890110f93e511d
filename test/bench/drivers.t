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
sys.path.insert(0, os.path.join(TOP, "test", "support"))
import tap

UNITS = ["virtq", "virtio", "entropy", "console", "net", "gpu"]

BUSES = [
    "coherent,segsize=700,seed=1",
    "noncoherent,line=64,seed=2",
    "noncoherent,line=128,refuse-coherent,chance=1,segsize=4096,seed=3",
    "bounce,refuse-coherent,seed=4",
]

# With --long: other moments for what happens by chance.
MORE = ["coherent,seed=5", "bounce,segsize=1000,seed=6"] + [
        f"noncoherent,line={line},refuse-coherent,chance={chance},seed={seed}"
        for line in (64, 128) for chance in (1, 4) for seed in range(10, 15)]


def run(program, bus):
    program = os.path.join(TOP, "build", "traced", program)
    environment = dict(os.environ, PARAVANE_BENCH=bus,
                       CMOCKA_MESSAGE_OUTPUT="STDOUT")
    try:
        return subprocess.run([program], env=environment, timeout=240,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(program, -1, str(e.output))


def main():
    buses = BUSES + (MORE if os.environ.get("PARAVANE_LONG") else [])
    for bus in buses:
        for unit in UNITS:
            r = run(f"unit/test_{unit}", bus)
            findings = re.findall(r"^paravane: bench: ([a-z-]+):", r.stdout,
                                  re.M)
            tap.ok(r.returncode == 0 and not findings, f"{unit}: {bus}",
                   "\n".join(r.stdout.splitlines()[-60:]))
    # It writes where it may not: only what the CPU does is judged.
    for bus in BUSES[:2]:
        r = run("unit/test_hostile", bus)
        tap.ok(r.returncode == 0, f"hostile devices: {bus}",
               "\n".join(r.stdout.splitlines()[-60:]))
    r = run("unit/test_virtq", "no-such-word")
    tap.ok(r.returncode == 2, "an unknown word is told", r.stdout)
    tap.done()


main()
