#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The shell's manual page has each command of the sources, and no other."""

import os
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, os.path.join(TOP, "test", "support"))
import tap

commands = set()
for source in (TOP / "guest").glob("*/*.c"):
    commands |= set(re.findall(r"^COMMAND\((\w+),", source.read_text(), re.M))
page = set(re.findall(r"^\.It Ic (\w+)",
                      (TOP / "man/paravane-shell.8").read_text(), re.M))

tap.ok(commands, "the sources have commands")
tap.equal(sorted(commands - page), [], "each is in paravane-shell(8)")
tap.equal(sorted(page - commands), [], "nothing else is")
tap.done()
