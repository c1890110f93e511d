#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=600
"""
Every fuzz target on its seed corpus and on all that was ever found; and the
proof that the harness sees: a mistake planted in the library is found.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

TARGETS = ["ring", "packed", "config", "net", "gpu", "blk", "console",
           "entropy", "pci", "mmio"]
PLANTED = ["used-id", "used-length", "used-index", "ring-batch", "ring-order",
           "packed-id", "packed-length", "packed-batch", "packed-event",
           "config-steady", "net-csum", "net-removal", "gpu-width", "gpu-wait",
           "blk-cut", "blk-status"]
FROM_NOTHING = ["used-id", "used-length", "packed-batch"]


def run(command, timeout):
    try:
        return subprocess.run(command, timeout=timeout, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace")
    except subprocess.TimeoutExpired as e:
        return subprocess.CompletedProcess(command, -1, str(e.output))


def last(r):
    return "\n".join(r.stdout.splitlines()[-40:])


def inputs(target):
    return sorted(glob.glob(f"test/fuzz/corpus/{target}/*") +
                  glob.glob(f"test/fuzz/found/{target}/*"))


def rules_of(target):
    """The rules that doc/hostile.md says it asks for."""
    with open("doc/hostile.md") as f:
        rows = re.findall(r"^\| (\d+) [A-Z]+ \|.*\| ([a-z ]+) \|$", f.read(),
                          re.M)
    return len(rows), [int(n) for n, targets in rows
                       if target in targets.split()]


def replay(target):
    files = inputs(target)
    r = run([f"build/fuzz/{target}"] + files, 200)
    tap.ok(files and r.returncode == 0,
           f"{target}: {len(files)} inputs, and nothing is broken", last(r))
    told = re.search(r"^rules:((?: \d+)*)$", r.stdout, re.M)
    asked = [int(n) for n in told.group(1).split()] if told else []
    rows, rules = rules_of(target)
    missed = [n for n in rules if n > len(asked) or asked[n - 1] == 0]
    tap.ok(rows == 12 and rules and not missed,
           f"{target}: asks for the rules of its rows of doc/hostile.md",
           f"{rows} rows, {rules}, never asked for: {missed}, {asked}")


def planted(name, prefix):
    program = f"build/fuzz/planted/{name}"
    target = name.split("-")[0]
    files = inputs(target if target in TARGETS else "ring")
    r = run([program, f"-artifact_prefix={prefix}/"] + files, 200)
    tap.ok(r.returncode != 0 and
           ("does not hold" in r.stdout or "Sanitizer" in r.stdout),
           f"{name}: planted, and the corpus finds it", last(r))


def from_nothing(name, prefix):
    program = f"build/fuzz/planted/{name}"
    r = run([program, "-seed=1", "-max_total_time=200", "-max_len=256",
             f"-artifact_prefix={prefix}/"], 240)
    tap.ok(r.returncode != 0 and "Test unit written" in r.stdout,
           f"{name}: the fuzzer finds it from nothing", last(r))


def told():
    r = run(["tool/fuzz"], 60)
    tap.ok(r.returncode == 2 and "TARGET=ring|packed|config" in r.stdout,
           "without a target, all are named", last(r))
    r = run(["tool/fuzz", "nosuch"], 60)
    tap.ok(r.returncode == 2 and "nosuch" in r.stdout,
           "an unknown target is told", last(r))
    size = sum(os.path.getsize(f) for f in
               glob.glob("test/fuzz/corpus/*/*"))
    tap.ok(size < 300 * 1024, f"the seed corpora are small ({size} bytes)")


def main():
    os.chdir(TOP)
    r = run(["make", "-f", "mk/build.mk", "--no-print-directory", "-j2",
             "fuzz-targets", "fuzz-planted"], 400)
    if not tap.ok(r.returncode == 0, "the targets are built", last(r)):
        tap.done()
    for target in TARGETS:
        replay(target)
    with tempfile.TemporaryDirectory() as place:
        for name in PLANTED:
            planted(name, place)
        for name in FROM_NOTHING:
            from_nothing(name, place)
    told()
    tap.done()


main()
