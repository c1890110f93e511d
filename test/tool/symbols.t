#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The image's symbol table: what is taken of nm's output, and how it is laid
out; and the table of embedded files."""

import os
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "support"))
import tap

CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
NM = """                 w weak
ffffffff80000000 T image_entry
ffffffff80000100 t local
ffffffff80000100 T alias
ffffffff80000101 r datum
ffffffff80000200 t $x
ffffffff80000300 T last.part.0
ffffffff80001000 B zeroes
"""


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


def string(data, at):
    return data[at:data.index(b"\0", at)].decode()


with tempfile.TemporaryDirectory() as tmp:
    text = subprocess.run([os.path.join(TOP, "tool", "symbols")], input=NM,
                          text=True, capture_output=True, check=True).stdout
    data, at = assembled(text, tmp)
    count, = struct.unpack_from("<I", data, at["symbols_count"])
    tap.equal(count, 3, "functions alone, one name an address")
    tap.equal(struct.unpack_from("<Q", data, at["symbols_base"])[0],
              0xffffffff80000000, "the first one's address")
    tap.equal(struct.unpack_from("<3I", data, at["symbols_offset"]),
              (0, 0x100, 0x300), "offsets, ascending")
    names = [string(data, at["symbols_names"] + n) for n in
             struct.unpack_from("<3I", data, at["symbols_name"])]
    tap.equal(names, ["image_entry", "local", "last.part.0"], "names")

    text = subprocess.run([os.path.join(TOP, "tool", "symbols")], input="",
                          text=True, capture_output=True, check=True).stdout
    data, at = assembled(text, tmp)
    tap.equal(struct.unpack_from("<I", data, at["symbols_count"])[0], 0,
              "no functions: an empty table")

    for name, content in (("one", b"first"), ("two", b"the second")):
        with open(os.path.join(tmp, name), "wb") as f:
            f.write(content)
    blob = subprocess.run(
        [os.path.join(TOP, "tool", "embed"), "--blob", "font",
         os.path.join(tmp, "two")],
        text=True, capture_output=True, check=True).stdout
    data, at = assembled(blob, tmp)
    tap.equal(data[at["font_start"]:at["font_end"]], b"the second",
              "a file, from NAME_start to NAME_end")
tap.done()
