#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
What people call tells what it does when it is asked, on its standard output, and
nothing is built, fetched or run for that; what it does not know it refuses.
"""

import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

COMMANDS = ["tool/bootstrap", "tool/coverage", "tool/fuzz", "tool/mutate",
            "tool/report-diff", "tool/run", "tool/screenshot", "tool/snapshot",
            "tool/test", "perf/bench", "test/conform/conformance"]
TARGETS = ["run", "conformance", "bench", "snapshot", "mutation", "coverage"]


def call(*words):
    return subprocess.run(words, cwd=TOP, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


for command in COMMANDS:
    for option in ("--help", "-h"):
        r = call(command, option)
        tap.ok(r.returncode == 0 and r.stdout.count("\n") > 3
               and not r.stderr, f"{command} {option}", r.returncode, r.stdout,
               r.stderr)
for command in COMMANDS:
    r = call(command, "--no-such-option")
    tap.ok(r.returncode in (1, 2) and r.stderr and not r.stdout,
           f"{command} --no-such-option is refused", r.returncode, r.stdout,
           r.stderr)
for target in TARGETS:
    # What it would do beside the help would stand here.
    r = call("make", "-n", target, "ARGS=--help")
    tap.ok(r.returncode == 0 and len(r.stdout.splitlines()) == 1
           and "--help" in r.stdout, f"make {target} ARGS=--help does no more",
           r.stdout, r.stderr)
r = call("perf/bench", "--help")
tap.ok("minutes" in r.stdout, "perf/bench says how long it takes", r.stdout)
tap.done()
