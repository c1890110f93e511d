#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=120
"""
The port of doc/port.md, as it stands there, with the library: it compiles, and
what it lacks then is what the page says that a port supplies.
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

TOOL = "aarch64-linux-gnu-"
CONTRACT = {"my_tag", "memcpy", "memmove", "memset", "memcmp"} | {
    "pv_kern_" + name for name in ("alloc", "free", "uptime_ns", "delay_us",
                                   "pause_us", "log")}


def run(*words):
    p = subprocess.run(words, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False)
    return p.returncode, p.stdout


with open(os.path.join(TOP, "doc", "port.md")) as f:
    blocks = dict(re.findall(r"^```c\n/\* (\S+) \*/\n(.*?)^```$", f.read(),
                             re.M | re.S))
tap.equal(sorted(blocks), ["paravane_machdep.h", "port.c"], "two files")
with tempfile.TemporaryDirectory() as tmp:
    for name, text in blocks.items():
        with open(os.path.join(tmp, name), "w") as f:
            if name.endswith(".h"):
                text = f"#ifndef MD\n#define MD\n{text}\n#endif\n"
            f.write(text)
    objects, said = [], ""
    for source in [os.path.join(tmp, "port.c"), *sorted(glob.glob(
            os.path.join(TOP, "lib/*/*.c")))]:
        objects.append(os.path.join(
            tmp, os.path.basename(source)[:-2] + ".o"))
        said += run(TOOL + "gcc", "-std=c11", "-ffreestanding", "-O2",
                    "-mno-outline-atomics", "-Wall", "-Wextra", "-Werror",
                    "-I" + tmp, "-I" + os.path.join(TOP, "include"), "-c",
                    "-o", objects[-1], source)[1]
    tap.ok(not said, "it compiles without a word", said)
    archive, whole = (os.path.join(tmp, n) for n in ("libpv.a", "whole.o"))
    run("ar", "rcs", archive, *objects[1:])
    status, said = run(TOOL + "ld", "-r", "-o", whole, objects[0], archive)
    tap.ok(status == 0, "it links", said)
    lacking = set(run(TOOL + "nm", "-u", "-P", whole)[1].replace(
        " U ", " ").split()) - {"U"}
    tap.ok(lacking and lacking <= CONTRACT,
           "what it lacks is what a port supplies", str(lacking - CONTRACT))
    names = run(TOOL + "nm", whole)[1]
    tap.ok("pv_net_transmit" in names and "pv_gpu_" not in names and
           "pv_pci_attach" not in names, "it has no driver that is not named")
tap.done()
