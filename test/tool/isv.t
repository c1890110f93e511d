#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The instruction checker as a tool: what it says of a guest with known offenders,
by which name, what it suppresses, and the status it ends with. (Which forms it
finds is the matter of test/static/isv.t.)
"""

import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
TOOL = os.path.join(TOP, "machine", "isv", "isv")
QEMU = ["qemu-system-aarch64", "-M", "virt", "-cpu", "max", "-m", "64",
        "-nodefaults", "-display", "none", "-kernel"]
FUNCTION = "\n\t.globl {0}\n\t.type {0}, %function\n{0}:\n"
BAD = (FUNCTION.format("read_pair") + "\tnop\n\tldp w5, w6, [x2]\n"
       + FUNCTION.format("write_twice") + "\tmov x8, #3\n"
       "1:\tmov x3, x2\n\tstr w5, [x3, #4]!\n\tsub x8, x8, #1\n\tcbnz x8, 1b\n")
GOOD = FUNCTION.format("read_one") + "\tldr w5, [x2]\n\tdc civac, x9\n"
HEAD = ("\t.text\n\t.globl _start\n_start:\n\tldr x2, =0x09010000\n"
        "\tldr x9, =0x40100000\n")
OFF = "\n\tldr w0, =0x84000008\n\thvc #0\n"
STAY = "\n\twfi\n\tb .\n"


class Guest:
    """A kernel of some lines."""

    def __init__(self, directory, name, text):
        self.elf = os.path.join(directory, name + ".elf")
        source = os.path.join(directory, name + ".S")
        with open(source, "w") as f:
            f.write(HEAD + text)
        subprocess.run([CROSS + "gcc", "-nostdlib", "-static",
                        "-Wl,-Ttext=0x40080000", "-Wl,--build-id=none", "-o",
                        self.elf, source], check=True)

    def isv(self, *options):
        return tool(*options, "--", *QEMU, self.elf)


def tool(*arguments):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True,
                          timeout=100, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


def says(what, got, status, out=(), err=(), never=()):
    tap.ok(got[0] == status and all(w in got[1] for w in out)
           and all(w in got[2] for w in err)
           and not any(w in got[1] + got[2] for w in never), what,
           f"want status {status}, {out}, {err}, not {never}",
           f"status {got[0]}", got[1], got[2])


def write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def test_report(bad, good):
    says("offenders: each with form, count, device and disassembly",
         bad.isv(), 1,
         ["offender: pair: load of 4 bytes, ", "of pl031 at 0x9010",
          "offender: write-back: store of 4 bytes, 3 times", "ldp w5, w6, [x2]",
          "offenders 2, suppressed 0"], never=["in read_pair"])
    says("named by the symbols of an ELF file",
         bad.isv("--symbols", bad.elf), 1,
         ["    in read_pair+0x4\n", "    in write_twice+0x8\n"])
    says("a guest in order: status 0", good.isv(), 0,
         ["1 device accesses at 1 sites; offenders 0"], never=["offender:"])
    says("--all shows what is in order, and cache maintenance",
         good.isv("--all", "--symbols", good.elf), 0,
         ["site: single: load of 4 bytes, once", "in read_one\n",
          "dc civac, x9, once  in read_one+0x4"])
    says("--from leaves out what is below", bad.isv("--from", "0x50000000"),
         0, ["0 device accesses"], ["accessed no device"])


def test_symbol_lists(directory, bad):
    listing = write(directory, "System.map",
                    "0000000000000010 t first\n0000000000080000 T base\n"
                    "0000000000080000 T also_base\n0000000000080008 r data\n")
    says("a symbol list, moved by its slide; of two names the first",
         bad.isv("--symbols", f"{listing},slide=0x40000000"), 1,
         ["    in also_base+0xc\n"])
    says("a list without symbols is refused",
         bad.isv("--symbols", write(directory, "none", "what is this\n")), 2,
         err=["no symbols in it"])
    says("a slide that is no number is refused",
         bad.isv("--symbols", f"{listing},slide=up"), 2,
         err=["the slide is not a number"])
    says("a symbol file that is not there is told",
         bad.isv("--symbols", f"{directory}/absent"), 2, err=["absent: No such"])


def test_suppression(directory, bad):
    known = write(directory, "known", "# the loader's, mended upstream\n"
                  "symbol=read_* form=pair\n\nform=write-back dev=pl0?1\n")
    symbols = ["--symbols", bad.elf]
    says("suppressed by symbol, form and device: status 0",
         bad.isv(*symbols, "--suppress", known), 0,
         ["offenders 0, suppressed 2"], never=["offender:"])
    stale = write(directory, "stale", "form=pair\nform=simd\n")
    says("only what all of a line's patterns fit; a useless line is told",
         bad.isv("--suppress", stale), 1,
         ["offender: write-back", "offenders 1, suppressed 1"],
         ["stale:2: suppressed nothing"], ["offender: pair"])
    says("an unknown key is refused, with its line",
         bad.isv("--suppress", write(directory, "typo", "\nsymbl=x\n")), 2,
         err=["typo:2: \"symbl\" is none of symbol, form"])


def test_again(directory, bad):
    report = os.path.join(directory, "kept")
    bad.isv("--report", report)
    says("a kept report can be judged again",
         tool("--read", report, "--symbols", bad.elf), 1, ["in read_pair+0x4"])
    with open(report) as f:
        half = f.read().rpartition("summary")[0]
    says("half a report is none",
         tool("--read", write(directory, "half", half)), 3,
         err=["its summary is missing"])


def test_ends(directory, good):
    endless = Guest(directory, "endless", GOOD + STAY)
    says("--seconds ends a guest that does not end, and reports",
         endless.isv("--seconds", "6"), 0, ["1 device accesses"])
    says("QEMU that does not start: status 3",
         tool("--", "qemu-system-aarch64", "-M", "no-such"), 3,
         err=["left no report"])
    says("a program that is not there", tool("--", "no-such-qemu"), 2,
         err=["no-such-qemu: No such file"])
    says("no plug-in: what builds it",
         good.isv("--plugin", f"{directory}/isv.so"), 2, err=["`make isv`"])
    says("no command: how to give one", tool(), 2, err=["after --"])
    says("--help", tool("--help"), 0, ["--suppress", "Exit status"])


def main():
    with tempfile.TemporaryDirectory(suffix=",a b") as directory:
        bad = Guest(directory, "bad", BAD + OFF)
        good = Guest(directory, "good", GOOD + OFF)
        test_report(bad, good)
        test_symbol_lists(directory, bad)
        test_suppression(directory, bad)
        test_again(directory, bad)
        test_ends(directory, good)
    tap.done()


main()
