#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The instruction checker itself: a guest with one offender of each form, every
one of which must be reported, and one without any. Then the decoder alone, on
forms that QEMU's processors do not have.
"""

import ctypes
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
PLUGIN = os.path.join(TOP, "build", "machine", "isv.so")

# x2 is the device (the machine's PL031), x3 a copy that may be spoilt, and x4
# an address where a word straddles two of the machine's virtio-mmio pages: the
# one kind of unaligned access that its devices let pass.
OFFENDERS = [
    ("pair", "ldp x5, x6, [x2]"),
    ("pair", "ldp w5, w6, [x2, #8]"),
    ("pair", "stp w5, w6, [x2]"),
    ("pair", "stp xzr, xzr, [x2, #16]"),
    ("pair", "ldnp x5, x6, [x2]"),
    ("pair", "stnp w5, w6, [x2]"),
    ("pair", "ldpsw x5, x6, [x2]"),
    ("pair", "ldp x5, x6, [x3], #16"),
    ("pair", "stp x5, x6, [x3, #-16]!"),
    ("write-back", "ldr w5, [x3], #4"),
    ("write-back", "ldr x5, [x3, #8]!"),
    ("write-back", "str w5, [x3], #4"),
    ("write-back", "str w5, [x3, #4]!"),
    ("write-back", "ldrb w5, [x3], #1"),
    ("write-back", "strh w5, [x3, #2]!"),
    ("write-back", "ldrsw x5, [x3], #4"),
    ("write-back", "ldraa x5, [x3, #8]!"),
    ("simd", "ldr s0, [x2]"),
    ("simd", "ldr b0, [x2]"),
    ("simd", "str d0, [x2]"),
    ("simd", "ldr q0, [x2]"),
    ("simd", "str q0, [x3], #16"),
    ("simd", "ldur d0, [x2, #8]"),
    ("simd", "str s0, [x2, x7]"),
    ("simd", "ldp d0, d1, [x2]"),
    ("simd", "stp q0, q1, [x2]"),
    ("simd", "ld1 {v0.4s}, [x2]"),
    ("simd", "st1 {v0.2d, v1.2d}, [x3], #32"),
    ("simd", "ld4 {v0.s, v1.s, v2.s, v3.s}[0], [x2]"),
    ("simd", "ld1r {v0.2s}, [x2]"),
    ("simd", "ld1w {z0.s}, p0/z, [x2]"),
    ("simd", "st1w {z0.s}, p0, [x2]"),
    ("simd", "ldr z0, [x2]"),
    ("exclusive", "ldxr w5, [x2]"),
    ("exclusive", "ldaxr x5, [x2]"),
    ("exclusive", "ldxrb w5, [x2]"),
    ("exclusive", "ldxp w5, w6, [x2]"),
    ("exclusive", "ldxr w5, [x2]\n\tstxr w6, w5, [x2]"),
    ("exclusive", "ldaxr w5, [x2]\n\tstlxr w6, w5, [x2]"),
    ("atomic", "ldadd w5, w6, [x2]"),
    ("atomic", "stset w5, [x2]"),
    ("atomic", "swp w5, w6, [x2]"),
    ("atomic", "swpal x5, x6, [x2]"),
    ("atomic", "ldumaxb w5, w6, [x2]"),
    ("atomic", "cas w5, w6, [x2]"),
    ("atomic", "casal x5, x6, [x2]"),
    ("atomic", "casp w8, w9, w10, w11, [x2]"),
    ("maintenance", "dc zva, x2"),
    ("single unaligned", "ldr w5, [x4]"),
    ("single unaligned", "ldrh w5, [x4, #1]"),
    ("pair unaligned", "ldp w5, w6, [x4]"),
]

CLEAN = [
    "ldr w5, [x2]", "ldr x5, [x2, #8]", "str w5, [x2]", "str xzr, [x2, #8]",
    "ldrb w5, [x2]", "strb wzr, [x2, #16]", "ldrh w5, [x2]",
    "strh w5, [x2, #16]", "ldrsw x5, [x2]", "ldrsb w5, [x2]",
    "ldrsh x5, [x2]", "ldur w5, [x3, #-4]", "stur w5, [x3, #-4]",
    "ldr w5, [x2, x7]", "str w5, [x2, w7, uxtw #2]", "ldtr w5, [x2]",
    "sttr w5, [x2]", "ldtrb w5, [x2]", "ldar w5, [x2]", "stlr w5, [x2]",
    "ldarb w5, [x2]", "stlrh w5, [x2]", "ldlar w5, [x2]", "stllr w5, [x2]",
    "ldapr w5, [x2]", "ldapur w5, [x2, #4]", "stlur w5, [x2, #4]",
    "ldraa x5, [x2]",
]

# Never run: what QEMU 7.2 has not, or what needs more than a device.
DECODE = [
    ("copy", "cpyfp [x5]!, [x6]!, x7!"),
    ("copy", "setm [x5]!, x6!, x7"),
    ("atomic", "ld64b x8, [x2]"),
    ("atomic", "st64b x8, [x2]"),
    ("atomic", "st64bv x5, x8, [x2]"),
    ("tag", "stg x5, [x2]"),
    ("tag", "ldg x5, [x2]"),
    ("tag", "st2g x5, [x2], #16"),
    ("tag", "stgp x5, x6, [x2]"),
    ("simd", "ldr q0, ."),
    ("single", "ldr x5, ."),
    ("single", "ldrsw x5, ."),
    ("simd", "str za[w12, 0], [x2]"),
    ("simd", "ld1d {za0h.d[w12, 0]}, p0/z, [x2]"),
    ("maintenance", "dc civac, x2"),
    ("maintenance", "dc ivac, x2"),
    ("maintenance", "dc cvau, x2"),
    ("maintenance", "ic ivau, x2"),
    ("maintenance", "ic iallu"),
    ("none", "at s1e1r, x2"),
    ("none", "tlbi vmalle1"),
    ("none", "add x5, x6, x7"),
    ("none", "fadd d0, d1, d2"),
    ("none", "b ."),
    ("none", "svc #0"),
    ("none", "udf #0"),
    ("none", "madd x5, x6, x7, x8"),
]

ARCH = ".arch armv8.7-a+sve+sme+sme-i64+lse+memtag+mops+ls64+pauth\n"

HEAD = ARCH + """
	.text
	.globl	_start
_start:
	adr	x0, vectors
	msr	vbar_el1, x0
	mov	x0, #(3 << 20 | 3 << 16)
	msr	cpacr_el1, x0
	isb
	mov	x7, #0
	ptrue	p0.b, vl4
"""

TAIL = """
off:
	ldr	w0, =0x84000008		// SYSTEM_OFF
	hvc	#0
	b	.
	.balign	2048
vectors:
	.rept	16
	b	off
	.balign	128
	.endr
"""


def program(lines):
    text = HEAD
    for i, asm in enumerate(lines):
        text += ("\tldr\tx2, =0x09010000\n\tadd\tx3, x2, #32\n"
                 "\tldr\tx4, =0x0a000ffe\n\tldr\tx5, =0x12345678\n"
                 f"case_{i}:\n\t{asm}\nend_{i}:\n")
        if i % 16 == 15:
            text += f"\tb 1f\n\t.ltorg\n1:\n"
    return text + TAIL


def run(*cmd, **kw):
    done = subprocess.run(cmd, capture_output=True, text=True, timeout=120,
                          **kw)
    if done.returncode != 0:
        tap.diag(f"{' '.join(cmd)}: {done.stderr}")
    return done


def build(directory, text):
    source = os.path.join(directory, "guest.S")
    elf = os.path.join(directory, "guest.elf")
    with open(source, "w") as f:
        f.write(text)
    if run(CROSS + "gcc", "-nostdlib", "-static", "-Wl,-Ttext=0x40080000",
           "-Wl,--build-id=none", "-o", elf, source).returncode != 0:
        tap.bail_out("the test guest does not assemble")
    symbols = {}
    for line in run(CROSS + "nm", elf).stdout.splitlines():
        value, _, name = line.split()
        symbols[name] = int(value, 16)
    return elf, symbols


def check(directory, elf, start=0):
    report = os.path.join(directory, "report")
    run("timeout", "60", "qemu-system-aarch64", "-M", "virt", "-cpu", "max",
        "-m", "64", "-nodefaults", "-display", "none", "-kernel", elf,
        "-plugin", f"{PLUGIN},out={report},all=on,from={start}")
    with open(report) as f:
        return [dict(re.findall(r"(\w+)=(.*?)(?= \w+=|$)", line),
                     kind=line.split()[0]) for line in f]


def within(rows, kind, symbols, i):
    return [r for r in rows if r["kind"] == kind
            and symbols[f"case_{i}"] <= int(r["pc"], 16) < symbols[f"end_{i}"]]


def test_offenders(directory):
    elf, symbols = build(directory, program([a for _, a in OFFENDERS]))
    rows = check(directory, elf)
    for i, (want, asm) in enumerate(OFFENDERS):
        form, *unaligned = want.split()
        fault = ["form"] if form != "single" else []
        found = within(rows, "offender", symbols, i)
        tap.ok(len(found) == len(asm.split("\n"))
               and all(r["form"] == form for r in found)
               and all(r["fault"] == ",".join(fault + unaligned)
                       for r in found),
               f"reported: {asm!r}", found)
    total = sum(len(a.split("\n")) for _, a in OFFENDERS)
    tap.equal([r["offenders"] for r in rows if r["kind"] == "summary"],
              [str(total)], "and nothing else is")


def test_clean(directory):
    elf, symbols = build(directory, program(CLEAN))
    rows = check(directory, elf)
    tap.equal([r for r in rows if r["kind"] == "offender"], [],
              "no offender in the clean guest")
    for i, asm in enumerate(CLEAN):
        tap.equal([r["form"] for r in within(rows, "site", symbols, i)],
                  ["single"], f"seen, and in order: {asm}")
    summary = [r for r in rows if r["kind"] == "summary"]
    tap.equal([(r["accesses"], r["offenders"], r["unknown"])
               for r in summary], [(str(len(CLEAN)), "0", "0")],
              "the summary says so")


def test_from(directory):
    lines = ["ldp w5, w6, [x2]", "ldp w5, w6, [x2, #8]"]
    elf, symbols = build(directory, program(lines))
    rows = check(directory, elf, start=symbols["case_1"])
    tap.equal([int(r["pc"], 16) for r in rows if r["kind"] == "offender"],
              [symbols["case_1"]], "only from an address on, if told so")


def test_cache(directory):
    text = HEAD + "\tadr x0, 1f\n1:\tdc civac, x0\n\tic iallu\n" + TAIL
    elf, _ = build(directory, text)
    rows = check(directory, elf)
    tap.equal([r["asm"].split()[0] for r in rows
               if r["kind"] == "maintenance"], ["dc", "ic"],
              "cache maintenance is listed by itself")


def test_decoder(directory):
    library = os.path.join(directory, "form.so")
    source = os.path.join(directory, "words.S")
    obj = os.path.join(directory, "words.o")
    flat = os.path.join(directory, "words.bin")
    isv = os.path.join(TOP, "machine", "isv")
    run(os.environ.get("HOSTCC", "cc"), "-shared", "-fPIC", "-o", library,
        os.path.join(isv, "form.c"))
    with open(source, "w") as f:
        f.write(ARCH + "".join(f"\t{asm}\n" for _, asm in DECODE))
    run(CROSS + "gcc", "-c", "-o", obj, source)
    run(CROSS + "objcopy", "-O", "binary", "-j", ".text", obj, flat)
    form = ctypes.CDLL(library)
    form.isv_form_name.restype = ctypes.c_char_p
    form.isv_form.argtypes = [ctypes.c_uint32]
    with open(flat, "rb") as f:
        for want, asm in DECODE:
            word = int.from_bytes(f.read(4), "little")
            tap.equal(form.isv_form_name(form.isv_form(word)).decode(), want,
                      f"decoded: {asm}")


def main():
    if not os.path.exists(PLUGIN):
        tap.bail_out(f"{PLUGIN} is missing: make build/machine/isv.so")
    with tempfile.TemporaryDirectory() as directory:
        test_offenders(directory)
        test_clean(directory)
        test_from(directory)
        test_cache(directory)
        test_decoder(directory)
    tap.done()


main()
