#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The console's font as the image has it: of files of both versions, and of
none that is damaged."""

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


def version1():
    """256 glyphs of 8x2; 'A' and U+0391 are 65, 'B' is 66, 'a' is 64."""
    tables = {65: b"\x41\0\x91\3", 66: b"\x42\0",
              64: b"\x61\0\xfe\xff\x62\0\1\3"}
    bits = b"".join(bytes([n, 255 - n]) for n in range(256))
    return b"\x36\4\2\2" + bits + b"".join(
        tables.get(n, b"") + b"\xff\xff" for n in range(256))


def version2():
    """Three glyphs of 12x3: of two bytes a row."""
    return struct.pack("<8I", 0x864ab572, 0, 32, 1, 3, 6, 3, 12) + \
        bytes(range(18)) + b"a\xff" + "\u20acb".encode() + b"\xfecd\xff" + \
        "\U0001f600".encode() + b"\xff"


def font(data, tmp):
    """Measures, glyphs' bytes, and (code, glyph, how many) in order; None:
    refused."""
    path = os.path.join(tmp, "font")
    with open(path, "wb") as f:
        f.write(data)
    made = subprocess.run([os.path.join(TOP, "tool", "font"), path],
                          text=True, capture_output=True)
    if made.returncode:
        return None if made.stderr.startswith("font: ") and \
            not made.stdout else made
    parts = [[int(n) for n in re.findall(r"\b\d+\b", part)]
             for part in re.findall(r"= \{\n(.*?)\};", made.stdout, re.S)]
    bits, runs, measures = parts
    return measures, bytes(bits), list(zip(runs[::3], runs[1::3], runs[2::3]))


with tempfile.TemporaryDirectory() as tmp:
    data = version1()
    tap.equal(font(data, tmp), ([8, 2, 3, 3], bytes(
        [65, 190, 66, 189, 64, 191]), [(0x41, 0, 2), (0x61, 2, 1),
        (0x391, 0, 1)]), "version 1; by code, no sequences")
    tap.equal(font(version2(), tmp), ([12, 3, 2, 2], bytes(range(12)), [
        (0x61, 0, 2), (0x20ac, 1, 1)]), "version 2; nothing above U+FFFF")
    for name, whole in (("version 1", version1()), ("version 2", version2())):
        cuts = [0, 1, 3, 4, 31, 33, len(whole) // 2, len(whole) - 1]
        tap.equal([font(whole[:n], tmp) for n in cuts], [None] * len(cuts),
                  f"{name}: cut short")
    wrong = [(0, 0), (12, 0), (8, 31), (16, 0), (20, 5), (24, 65), (28, 33)]
    tap.equal([font(version2()[:at] + bytes([value]) + version2()[at + 1:],
                    tmp) for at, value in wrong], [None] * len(wrong),
              "no table, and measures that are none")
tap.done()
