#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The image's symbol table: what is taken of nm's output, and how it is laid
out."""

import os
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
NM = """                 w weak
ffffffff80000000 T image_entry
ffffffff80000100 t local
ffffffff80000100 T alias
ffffffff80000101 r datum
ffffffff80000103 t odd
ffffffff80000200 t $x
ffffffff80000300 T last.part.0
ffffffff80001000 B zeroes
ffffffff80300300 T far
"""
MANY = "".join(f"{0xffffffff80000000 + 8 * i:x} T subject_verb_{i}\n"
               for i in range(500))


def assembled(text, tmp):
    """The bytes of its read-only data and its symbols, by name."""
    source, obj, flat = (os.path.join(tmp, n) for n in ("a.S", "a.o", "a"))
    with open(source, "w") as f:
        f.write(text)
    subprocess.run([CROSS + "gcc", "-c", "-o", obj, source], check=True)
    subprocess.run([CROSS + "ld", "-Ttext-segment=0", "-e", "0", "-o", flat,
                    obj], check=True, capture_output=True)
    symbols = {}
    for line in subprocess.run([CROSS + "nm", flat], check=True, text=True,
                               capture_output=True).stdout.splitlines():
        address, _, name = line.split()
        symbols[name] = int(address, 16)
    subprocess.run([CROSS + "objcopy", "-O", "binary", flat, flat + ".bin"],
                   check=True)
    with open(flat + ".bin", "rb") as f:
        data = f.read()
    base = min(v for n, v in symbols.items() if not n.startswith("_"))
    return data, {n: v - base for n, v in symbols.items()}


def table(nm, tmp):
    """What the assembly of tool/symbols holds, and its bytes."""
    text = subprocess.run([os.path.join(TOP, "tool", "symbols")], input=nm,
                          text=True, capture_output=True, check=True).stdout
    data, at = assembled(text, tmp)
    base, = struct.unpack_from("<Q", data, at["symbols_base"])
    count, = struct.unpack_from("<I", data, at["symbols_count"])

    def letters(c):
        pair = at["symbols_token"] + 2 * c
        if not data[pair]:
            return chr(c)
        return letters(data[pair]) + letters(data[pair + 1])

    here, found, address = at["symbols_list"], [], base
    for _ in range(count):
        shift = 0
        while True:
            c = data[here]
            address += (c & 127) << shift << 2
            shift, here = shift + 7, here + 1
            if not c & 128:
                break
        end = data.index(b"\0", here)
        found.append((address, "".join(letters(c) for c in data[here:end])))
        here = end + 1
    return found, here - at["symbols_base"]


with tempfile.TemporaryDirectory() as tmp:
    tap.equal(table(NM, tmp)[0],
              [(0xffffffff80000000, "image_entry"),
               (0xffffffff80000100, "local"),
               (0xffffffff80000300, "last.part.0"),
               (0xffffffff80300300, "far")],
              "functions alone, one name an address")
    tap.equal(table("", tmp)[0], [], "no functions: an empty table")
    found, size = table(MANY, tmp)
    tap.equal([n for _, n in found], [f"subject_verb_{i}" for i in range(500)],
              "names of which parts are common")
    tap.ok(size < 500 * 6, "are short in the table", size)
tap.done()
