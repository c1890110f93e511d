#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=60
"""
The programs that drive vhost-user back ends, and the one that is one: what they
say of themselves, and of arguments that they can't do with.
"""

import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap


def run(*words):
    p = subprocess.run([os.path.join(TOP, "build/native", words[0]),
                        *words[1:]], capture_output=True, text=True,
                       timeout=20, check=False)
    return p.returncode, p.stdout, p.stderr


for name in ("vhost_net", "vhost_blk", "vhost_back"):
    status, out, err = run(name, "--help")
    tap.ok(status == 0 and out.startswith(f"usage: {name} "),
           f"{name} --help", out, err)
for words, why in (
        (["vhost_net"], ""), (["vhost_blk"], ""), (["vhost_back"], ""),
        (["vhost_net", "-Z"], "invalid option"),
        (["vhost_net", "-q", "many", "/none", "1"], "many: a number from 1"),
        (["vhost_net", "-q", "5", "/none", "1"], "5: a number from 1 to 4"),
        (["vhost_net", "-w", "0", "/none", "1"], "0: a number from 1"),
        (["vhost_net", "-m", "67", "/none", "1"], "67: a number from 68"),
        (["vhost_net", "-d", "-1", "/none", "1"], "-1: a number"),
        (["vhost_net", "/none", "0"], "0: a number is wanted"),
        (["vhost_blk", "-q", "0", "/none", "/none", "1"], "0: a number"),
        (["vhost_blk", "/none", "/none", "x"], "x: a number is wanted")):
    status, out, err = run(*words)
    tap.ok(status == 2 and why in err and f"usage: {words[0]}" in err and
           not out, " ".join(words) + " is told", f"{status}", out, err)
tap.done()
