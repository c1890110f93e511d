#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The protocols that lose wake-ups, and the reset, hold in every interleaving
of driver, device and store buffers; and the checker finds each classic mistake
when it is planted. Exhaustive: no state is left out."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent

# What must hold; what must be found.
SOUND = [
    ("doorbell", "by flag", []),
    ("doorbell", "EVENT_IDX", ["EVENT_IDX"]),
    ("interrupt", "by flag", []),
    ("interrupt", "EVENT_IDX", ["EVENT_IDX"]),
    ("interrupt", "EVENT_IDX, delayed", ["EVENT_IDX", "DELAY=2"]),
    ("packed_doorbell", "by flag", []),
    ("packed_doorbell", "EVENT_IDX", ["EVENT_IDX"]),
    ("packed_interrupt", "by flag", []),
    ("packed_interrupt", "EVENT_IDX", ["EVENT_IDX"]),
    ("packed_interrupt", "EVENT_IDX, delayed", ["EVENT_IDX", "DELAY=2"]),
    ("reset", "confirmed", []),
    ("reset", "never confirmed", ["LOST"]),
]
PLANTED = [
    ("doorbell", "no store barrier before avail.idx", ["NO_WMB"], True),
    ("doorbell", "no full fence between avail.idx and avail_event",
     ["NO_MB_PUBLISH"], True),
    ("doorbell", "device: no full fence before it sleeps",
     ["NO_MB_SLEEP"], True),
    ("doorbell", "device: no recheck before it sleeps", ["NO_RECHECK"], True),
    ("interrupt", "no recheck after enabling", ["NO_RECHECK"], True),
    ("interrupt", "no full fence between used_event and used.idx",
     ["NO_MB_ENABLE"], True),
    ("interrupt", "no load barrier after used.idx", ["NO_RMB"], True),
    ("packed_doorbell", "no store barrier before the first flags",
     ["NO_WMB"], True),
    ("packed_doorbell", "no full fence between flags and event suppression",
     ["NO_MB_PUBLISH"], True),
    ("packed_doorbell", "device: no full fence before it sleeps",
     ["NO_MB_SLEEP"], True),
    ("packed_doorbell", "device: no recheck before it sleeps", ["NO_RECHECK"],
     True),
    ("packed_interrupt", "no recheck after enabling", ["NO_RECHECK"], True),
    ("packed_interrupt", "no full fence between event suppression and flags",
     ["NO_MB_ENABLE"], True),
    ("packed_interrupt", "no load barrier after the flags", ["NO_RMB"], True),
    ("reset", "buffers given back before the reset is confirmed",
     ["NO_CONFIRM"], False),
    ("reset", "the latch tells more than once", ["NO_LATCH"], False),
    ("reset", "buffers given back though it was never confirmed",
     ["LOST", "NO_LOST"], False),
    ("reset", "a handler runs after the teardown", ["NO_TEARDOWN_WAIT"],
     False),
]


def check(model, defines):
    """Errors that the checker found, states it visited, and what it said."""
    with tempfile.TemporaryDirectory() as work:
        for source in here.glob("*.pml"):
            shutil.copy(source, work)
        flags = [f"-D{d}" for d in defines]
        said = ""
        for command in (["spin", *flags, "-a", f"{model}.pml"],
                        ["cc", "-O0", "-w", "-DSAFETY", "-DNOREDUCE", "-o",
                         "pan", "pan.c"],
                        ["./pan", "-m100000"]):
            run = subprocess.run(command, cwd=work, capture_output=True,
                                 text=True, timeout=300)
            said += run.stdout + run.stderr
            if run.returncode != 0:
                return None, 0, said
        errors = re.search(r"errors: (\d+)", said)
        states = re.search(r"(\d+) states, stored", said)
        if errors is None or "max search depth too small" in said:
            return None, 0, said
        return int(errors[1]), int(states[1]), said


number = 0


def result(good, name, said):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    if not good:
        for line in said.splitlines()[-25:]:
            print(f"# {line}")


for model, name, defines in SOUND:
    errors, states, said = check(model, defines)
    result(errors == 0, f"{model}, {name}: holds in {states} states", said)
for model, name, defines, both in PLANTED:
    kinds = [("by flag", []), ("EVENT_IDX", ["EVENT_IDX"])] if both else \
        [("", [])]
    for kind, extra in kinds:
        errors, states, said = check(model, defines + extra)
        result(errors is not None and errors > 0,
               f"{model}{', ' + kind if kind else ''}: found: {name}", said)
print(f"1..{number}")
sys.exit(0)
