#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The library compiles as a part of OpenBSD's arm64 kernel would: with that
kernel's flags, no header of a C library, and declarations in that system's
shapes (test/port/openbsd)."""

import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
FLAGS = """--target=aarch64-unknown-openbsd -std=gnu99 -nostdinc -ffreestanding
    -O2 -ffixed-x18 -mgeneral-regs-only -fno-omit-frame-pointer
    -mno-omit-leaf-frame-pointer -fno-stack-protector -Wall -Wextra -Werror
    -Wno-pointer-sign -Wframe-larger-than=2047
    -Iinclude -Itest/port/openbsd -c""".split()
number = 0


def result(good, name, said=""):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    if not good:
        for line in said.splitlines()[:20]:
            print(f"# {line}")


def compile(source, to):
    return subprocess.run(["clang", *FLAGS, str(source), "-o", str(to)],
                          cwd=root, capture_output=True, text=True)


with tempfile.TemporaryDirectory() as work:
    work = pathlib.Path(work)
    objects = []
    for source in sorted((root / "lib").glob("*/*.c")):
        name = source.relative_to(root)
        to = work / (str(name).replace("/", "_") + ".o")
        run = compile(source, to)
        result(run.returncode == 0, f"{name} compiles", run.stderr)
        if run.returncode == 0:
            objects.append(str(to))
    code = subprocess.run(["llvm-objdump", "-d",
                           "--no-show-raw-insn", *objects],
                          capture_output=True, text=True).stdout
    result(len(code) > 10000 and not re.search(r"\b[xw]18\b", code),
           "no instruction touches the reserved register x18")
    result(not re.search(r"\s[vqds]\d+\b(?!:)", re.sub(r"<.*?>", "", code)),
           "no floating point or SIMD register")
    for name, text in [
            ("a C library's header", "#include <stdint.h>\nint x;\n"),
            ("a frame of 2 KiB", "#include <paravane/kern.h>\n"
             "void g(char *);void f(void);void f(void) { char b[2100];g(b); }\n")]:
        breach = work / "breach.c"
        breach.write_text(text)
        result(compile(breach, work / "breach.o").returncode != 0,
               f"refused: {name}")
print(f"1..{number}")
sys.exit(0)
