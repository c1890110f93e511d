#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The manual pages have each of the shell's commands, and each word of the command
line, that the sources know, and no other; so has cmdline.h.
"""

import os
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

commands = set()
for source in (TOP / "guest").glob("*/*.c"):
    commands |= set(re.findall(r"^COMMAND\((\w+),", source.read_text(), re.M))
page = set(re.findall(r"^\.It Ic (\w+)",
                      (TOP / "man/paravane-shell.8").read_text(), re.M))

tap.ok(commands, "the sources have commands")
tap.equal(sorted(commands - page), [], "each is in paravane-shell(8)")
tap.equal(sorted(page - commands), [], "nothing else is")
words = set()
for source in (TOP / "guest").glob("*/*.c"):
    words |= set(re.findall(r'\bcmdline_(?:get|is|get_number)\("(\w+)"',
                            source.read_text()))
page = set(re.findall(r"^\.It Cm (\w+)", (TOP / "man/paravane.7").read_text(),
                      re.M))
header = (TOP / "guest/include/cmdline.h").read_text()
listed = set(re.findall(r"^ \* (\w+)[=\t]",
                        header.split("Words that are known:")[1]
                        .split("*/")[0], re.M))

tap.ok(words, "the sources know words of the command line")
tap.equal(sorted(words ^ page), [], "paravane(7) has each, and no other")
tap.equal(sorted(words ^ listed), [], "cmdline.h has each, and no other")
tap.done()
