#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=600
"""The library's unit tests, and the bench's tool, on machines of another byte order and word size,
with pages of 4, 16 and 64 KiB (mk/machines.mk): QEMU's user mode runs them."""

import concurrent.futures
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "test" / "lib"))
import tap  # noqa: E402

# QEMU's name of it, its C library, and bytes 4 and 5 of an ELF file: class
# (1: 32 bits, 2: 64) and order (1: little-endian, 2: big).
MACHINES = {
    "s390x": ("qemu-s390x", "/usr/s390x-linux-gnu", b"\2\2"),
    "powerpc": ("qemu-ppc", "/usr/powerpc-linux-gnu", b"\1\2"),
    "arm": ("qemu-arm", "/usr/arm-linux-gnueabihf", b"\1\1"),
}
# The longest first, so that the last ones to run are short.
TESTS = "hostile virtq pci blk gpu virtio mmio net console entropy".split()
# The first seed, and how many: this machine's own tests take more.
ARGUMENTS = {"hostile": ["1", "40"]}


def run(machine, test):
    """Whether it went well, and what it said."""
    emulator, library, kind = MACHINES[machine]
    program = root / "build" / "machines" / machine / f"test_{test}"
    with open(program, "rb") as file:
        if file.read(6)[4:] != kind:
            return False, "a program for another machine"
    try:
        done = subprocess.run(
            ["timeout", "240", emulator, "-L", library, program,
             *ARGUMENTS.get(test, [])], cwd=root,
            env={"CMOCKA_MESSAGE_OUTPUT": "TAP", "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
    except OSError as error:
        return False, str(error)
    plan = re.search(r"^1\.\.(\d+)$", done.stdout, re.M)
    # A test that was skipped is "not ok", by this version of cmocka.
    points = re.findall(r"^(?:ok|not ok \d+ # SKIP)\b", done.stdout, re.M)
    good = done.returncode == 0 and plan and len(points) == int(plan.group(1))
    return good and len(points) > 0, done.stdout


def check():
    """Every driver against every model as the specification has it."""
    emulator, library, _ = MACHINES["s390x"]
    program = root / "build" / "machines" / "s390x" / "check"
    return subprocess.run(
        ["timeout", "240", emulator, "-L", library, program, "--seeds", "1",
         "--profile", "strict", "--transport", "pci"], cwd=root, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace")


make = subprocess.run(
    ["make", "-f", "mk/build.mk", "--no-print-directory", "-j2", "machines"],
    cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
if make.returncode != 0:
    tap.ok(False, "built for other machines", *make.stdout.splitlines()[-20:])
else:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        checked = pool.submit(check)
        runs = [(m, t, pool.submit(run, m, t))
                for t in TESTS for m in MACHINES]
    for machine, test, result in runs:
        well, said = result.result()
        bad = [line for line in said.splitlines() if re.match(
            r"not ok \d+ -|# |port: ", line)] or said.splitlines()
        tap.ok(well, f"{machine}: {test}", *bad[:20])
    done = checked.result()
    tap.ok(done.returncode == 0 and re.search(r"^\d\d+ passed, 0 failed$",
                                              done.stdout, re.M),
           "s390x: every driver against every model",
           *done.stdout.splitlines()[-20:])
tap.done()
