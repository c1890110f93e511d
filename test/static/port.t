#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=120
"""
The port of doc/port.md, as it stands there, with the library: it compiles, what
it lacks then is what the page says that a port supplies, and in the kernel of
test/port/least it sends its frame, from a legacy device's queue as from a modern
one's.
"""

import glob
import os
import re
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

TOOL = "aarch64-linux-gnu-"
CONTRACT = {"my_pages", "my_pages_free", "my_phys", "memcpy", "memmove",
            "memset", "memcmp"} | {
    "pv_kern_" + name for name in ("alloc", "free", "uptime_ns", "delay_us",
                                   "pause_us", "log")}
LEAST = os.path.join(TOP, "test", "port", "least")
QEMU = os.environ.get("QEMU", "qemu-system-aarch64")


def run(*words):
    p = subprocess.run(words, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, check=False)
    return p.returncode, p.stdout


def frames(path):
    """What QEMU's filter-dump wrote: lengths as they were, and the bytes."""
    with open(path, "rb") as f:
        data = f.read()
    found, at = [], 24
    while at < len(data):
        kept, length = struct.unpack_from("<II", data, at + 8)
        found.append((length, data[at + 16:at + 16 + kept]))
        at += 16 + kept
    return found


def sends(kernel, legacy, directory):
    """60 bytes of 0, once."""
    dump = os.path.join(directory, "dump")
    p = subprocess.run(
        [QEMU, "-M", "virt", "-cpu", "cortex-a72", "-m", "64M", "-nodefaults",
         "-display", "none", "-serial", "stdio", "-kernel", kernel, "-global",
         f"virtio-mmio.force-legacy={legacy}", "-netdev", "user,id=n",
         "-object", f"filter-dump,id=d,netdev=n,file={dump}", "-device",
         "virtio-net-device,netdev=n", "-device", "virtio-rng-device"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    out = [frame for _, frame in frames(dump)]
    tap.ok(p.stdout == "sent\ndone\n" and out == [bytes(60)],
           f"it sends its frame, legacy {legacy}", p.stdout, out)


with open(os.path.join(TOP, "doc", "port.md")) as f:
    blocks = dict(re.findall(r"^```c\n/\* (\S+) \*/\n(.*?)^```$", f.read(),
                             re.M | re.S))
tap.equal(sorted(blocks), ["dma.c", "paravane_machdep.h", "port.c"],
          "three files")
with tempfile.TemporaryDirectory() as tmp:
    for name, text in blocks.items():
        with open(os.path.join(tmp, name), "w") as f:
            if name.endswith(".h"):
                text = f"#ifndef MD\n#define MD\n{text}\n#endif\n"
            f.write(text)
    flags = ["-std=c11", "-ffreestanding", "-O2", "-mno-outline-atomics",
             "-mgeneral-regs-only", "-mstrict-align", "-Wall", "-Wextra",
             "-Werror", "-I" + tmp, "-I" + os.path.join(TOP, "include")]
    objects, said = [], ""
    for source in [os.path.join(tmp, "port.c"), os.path.join(tmp, "dma.c"),
                   *sorted(glob.glob(os.path.join(TOP, "lib/*/*.c")))]:
        objects.append(os.path.join(
            tmp, os.path.basename(source)[:-2] + ".o"))
        said += run(TOOL + "gcc", *flags, "-c", "-o", objects[-1], source)[1]
    tap.ok(not said, "it compiles without a word", said)
    archive, whole = (os.path.join(tmp, n) for n in ("libpv.a", "whole.o"))
    run("ar", "rcs", archive, *objects[2:])
    status, said = run(TOOL + "ld", "-r", "-o", whole, *objects[:2],
                       archive)
    tap.ok(status == 0, "it links", said)
    lacking = set(run(TOOL + "nm", "-u", "-P", whole)[1].replace(
        " U ", " ").split()) - {"U"}
    tap.ok(lacking and lacking <= CONTRACT,
           "what it lacks is what a port supplies", str(lacking - CONTRACT))
    names = run(TOOL + "nm", whole)[1]
    tap.ok("pv_net_transmit" in names and "pv_gpu_" not in names and
           "pv_pci_attach" not in names, "it has no driver that is not named")
    kernel = os.path.join(tmp, "least")
    status, said = run(
        TOOL + "gcc", *flags, "-fno-tree-loop-distribute-patterns", "-nostdlib",
        "-static", "-no-pie", "-Wl,-T," + os.path.join(LEAST, "least.ld"),
        "-Wl,--no-warn-rwx-segments", "-o", kernel,
        os.path.join(LEAST, "start.S"), os.path.join(LEAST, "kern.c"),
        *objects[:2], archive)
    if tap.ok(status == 0 and not said, "and a least kernel with it", said):
        for legacy in ("false", "true"):
            sends(kernel, legacy, tmp)
tap.done()
