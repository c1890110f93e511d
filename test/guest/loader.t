#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
Under a boot loader of our own, which puts the image and the device tree where
QEMU's never would, and hands over trees of machines that QEMU does not have:
memory in pieces, holes that must not be mapped, a timer that stays silent,
addresses at which nothing is.
"""

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
from paravane_qemu import IMAGE, QEMU, Failure, Guest

RAM = 0x40000000
LOADER = RAM + 0x180000         # QEMU's own tree is below
MEMORY = r"reg = <0x00 0x40000000 0x00 0x8000000>"
TESTS = "selftest vm;selftest kmem;selftest time_is;selftest cpu;poweroff"
SIZE = struct.unpack_from("<Q", open(IMAGE, "rb").read(64), 16)[0]


def regs(*ranges):
    return "reg = <" + " ".join(f"0x0 {base:#x} 0x0 {size:#x}"
                                for base, size in ranges) + ">"


def tree(directory, machine, command, edit, cpu, pad=0):
    """QEMU's device tree of the machine, edited as text."""
    path = os.path.join(directory, "tree.dtb")
    subprocess.run([QEMU, "-M", f"{machine},dumpdtb={path}", "-cpu", cpu,
                    "-m", "128", "-smp", "2", "-append", command,
                    "-kernel", IMAGE], check=True, capture_output=True)
    text = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", path],
                          check=True, capture_output=True, text=True).stdout
    for old, new in edit:
        text, n = re.subn(old, new, text)
        if n == 0:
            raise Failure(f"nothing in the tree is like {old}")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", path,
                    "-S", str(pad), "-"],
                   check=True, capture_output=True, text=True, input=text)
    return path


# mov x2, #E2H|TGE; msr hcr_el2, x2; isb
VHE = struct.pack("<IIII", 0xd2c00082, 0xf2a10002, 0xd51c1102, 0xd5033fdf)


def boot(image=RAM + 0x200000, dtb=RAM + 0x4000000, edit=(),
         machine="virt,gic-version=3", commands=TESTS, words="test",
         cpu="cortex-a72", pad=0, before=b""):
    """What the console says."""
    with tempfile.TemporaryDirectory(prefix="paravane-loader-") as d:
        # ldr x0, tree; ldr x1, image; br x1
        stub = os.path.join(d, "stub")
        with open(stub, "wb") as f:
            f.write(before + struct.pack("<IIIIQQ", 0x58000080, 0x580000a1,
                                0xd61f0020, 0xd503201f, dtb, image))
        path = tree(d, machine, f'{words} run="{commands}"', edit, cpu, pad)
        args = []
        for name, addr in ((stub, f"{LOADER:#x},cpu-num=0"),
                           (IMAGE, f"{image:#x}"), (path, f"{dtb:#x}")):
            args += ["-device",
                     f"loader,file={name},addr={addr},force-raw=on"]
        with Guest(kernel=False, machine=machine, memory="128M", smp=2,
                   cpu=cpu, args=args, limit=60) as g:
            try:
                g.wait(60)
            except Failure:
                pass
            return g.text


def boots(name, want="", **arguments):
    try:
        text = boot(**arguments)
    except Failure as e:
        tap.ok(False, name, str(e))
        return
    good = re.search(r"^paravane: done", text, re.M) and \
        re.search(want, text) and not re.search(r"^not ok", text, re.M)
    tap.ok(good, name, *text.splitlines()[-40:])


def ends(name, want, **arguments):
    """It says why it can't go on."""
    try:
        text = boot(**arguments)
    except Failure as e:
        tap.ok(False, name, str(e))
        return
    tap.ok(re.search(want, text) and
           re.search(r"^paravane: failed", text, re.M), name,
           *text.splitlines()[-40:])


boots("an image at a multiple of 2 MiB")
boots("at a page that is none", image=RAM + 0x3ff000)
boots("at the end of memory", image=RAM + 0x8000000 - SIZE)
boots("the tree right behind the image", dtb=RAM + 0x200000 + SIZE)
boots("behind it, and across a page's end",
      dtb=RAM + 0x200000 + SIZE + 0xff8)
boots("below the image", dtb=RAM + 0x190008)
boots("a tree of 2 MiB, across three of them", dtb=RAM + 0x3ffff8,
      image=RAM + 0x1000000, pad=0x200000)
boots("entered at EL2", machine="virt,gic-version=3,virtualization=on",
      image=RAM + 0x3ff000)

boots("entered at EL2 as a host's kernel is", "entered at EL2", before=VHE,
      machine="virt,gic-version=3,virtualization=on",
      cpu="max,pauth-impdef=on")
for cpu in "cortex-a53", "cortex-a76", "neoverse-n1", "a64fx":
    boots(f"a {cpu}", cpu=cpu)

PIECES = regs((RAM + 0x123, 0x100000), (RAM + 0x300000, 0x2000000),
              (RAM + 0x7000000, 0x800800))
boots("memory in pieces that are no pages", r"40 MiB in 3 ranges",
      edit=[(MEMORY, PIECES)], image=RAM + 0x400000)
boots("with the image in none of them", r"40 MiB in 3 ranges",
      edit=[(MEMORY, PIECES)], image=RAM + 0x5fff000)
boots("memory beyond what is there, and beyond what can be addressed",
      edit=[(MEMORY, regs((RAM, 0x8000000)) [:-1] +
             " 0xffff0000 0x0 0x0 0x40000000>")])
HOLES = (r"\n\tchosen {", "\n\treserved-memory { #address-cells = <2>; "
         "#size-cells = <2>; ranges; a@44100000 { " +
         regs((0x44100000, 0x12000)) + "; no-map; }; b@45000800 { " +
         regs((0x45000800, 0x400)) + "; }; c@46000000 { " +
         regs((0x46000000, 0x400000)) + "; no-map; }; };\n\tchosen {")
boots("memory that must not be mapped", edit=[HOLES])

TIMER = r"(0x01 0x0e (0x[0-9a-f]+) )0x01 0x0b"
boots("a timer whose interrupt does not come", "clock is polled",
      edit=[(TIMER, r"\g<1>0x01 0x06")],
      commands="selftest time_is;selftest thread;poweroff")
for hz in 24000000, 1000000000:
    boots(f"a counter of {hz} Hz", f"{hz} Hz", cpu=f"cortex-a72,cntfrq={hz}")
boots("the physical timer, as asked", "physical timer",
      words="test timer=physical")
boots("one processor of two, as asked", "cpu: 1 of 2", words="test maxcpus=1")

ends("no distributor where there should be one",
     "no interrupt controller that works",
     edit=[(r"(intc@[^}]*?reg = <0x00 )0x8000000", r"\g<1>0xb8000000")])
ends("no redistributors", "no interrupt controller that works",
     edit=[(r"(intc@[^}]*?reg = <0x00 0x8000000 0x00 0x10000 0x00 )0x80a0000",
            r"\g<1>0xb80a0000")])
boots("no ITS where there should be one", "no MSI here",
      edit=[(r"(its@[^}]*?reg = <0x00 )0x8080000", r"\g<1>0xb8080000")],
      commands="selftest intr;poweroff")

tap.done()
