#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
Programs at EL0: what works, what is refused, what kills a program and never
the guest.
"""

import os
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended
from paravane_qemu import GPU, RNG, Failure, Guest

KILLS = {
    "null": "data abort", "kernel-text": "data abort",
    "kernel-dmap": "data abort", "kernel-device": "data abort",
    "device": "data abort", "code": "data abort", "constant": "data abort",
    "stack": "instruction abort", "jump-kernel": "instruction abort",
    "jump-odd": "PC alignment", "undefined": "undefined instruction",
    "break": "BRK", "hypervisor": "", "register": "", "mask": "",
    "simd": "FP or SIMD", "sp": "data abort",
}

MMIO_GPU = ["-device", "virtio-gpu-device",
            "-global", "virtio-mmio.force-legacy=false"]

SELFTESTS = [
    ("pieces of 64 KiB", {"words": "segsize=65536"}),
    ("pieces of a page", {"words": "segsize=4096"}),
    ("without coherence", {"words": "dma=noncoherent segsize=65536"}),
    ("32 MiB", {"memory": "32M"}),
    ("a display on MMIO", {"devices": [MMIO_GPU]}),
    ("no display", {"devices": []}),
    ("an older processor, entered at EL2",
     {"cpu": "cortex-a53", "machine": "virt,virtualization=on"}),
]


def says(g, line, *patterns):
    answer = g.command(line, 60)
    tap.ok(all(re.search(p, answer) for p in patterns), line, answer)


def test_programs(g):
    says(g, "exec", "fbdemo", "hello", "hostile", "spin")
    says(g, "exec hello", r"\A\n\Z")
    says(g, "exec hello a b", "a b", "status 2")
    says(g, "exec nothing", "no such program")
    says(g, "exec hello " + " ".join("x" * 20), "status 20")
    says(g, "exec hostile", "hostile: all refused")
    for what, why in KILLS.items():
        says(g, f"exec hostile {what}", f"hostile: killed: .*{why}",
             r"status 1(29|30)")


def test_endless(g):
    """Ctrl-C ends a program that never calls the guest."""
    g.command("exec spin", wait=False)
    time.sleep(1)       # what is typed before a command begins is not its own
    g.send("\x03")
    g.expect("spin: status 131", 20)
    g.prompt()
    tap.ok(True, "Ctrl-C ends an endless loop")
    says(g, "exec hello still here", "still here")


def test_no_display(g):
    says(g, "fbdemo", "take the display: error", "status 1")


def session(test_list, **arguments):
    try:
        with Guest(limit=120, **arguments) as g:
            g.prompt(60)
            for test in test_list:
                test(g)
            g.command("poweroff", wait=False)
            tap.equal(g.wait(), 0, "ends when told to")
    except Failure as why:
        tap.ok(False, "goes on to the end", why)


def test_selftests():
    for name, arguments in SELFTESTS:
        result = unattended.run("selftest user",
                                **{"devices": [GPU, RNG], **arguments})
        tap.ok(result.good and len(result.points) >= 6,
               f"self-test of programs, {name}", *result.why)


def main():
    session([test_programs, test_endless], append="test", devices=[GPU])
    session([test_no_display], append="test")
    test_selftests()
    tap.done()


main()
