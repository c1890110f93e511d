#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What each compiler made boots, passes its self-test, and is small."""

import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended
from paravane_qemu import GPU, NET, RNG

for compiler in ("gcc", "clang"):
    image = os.path.join(TOP, "build", compiler, "paravane")
    r = unattended.run("devices;selftest", image=image, smp=2,
                       devices=[NET, GPU, RNG])
    tap.ok(r.good, f"{compiler}: the self-test", *r.why)
    tap.ok(len(r.points) > 40, f"{compiler}: all of it",
           f"{len(r.points)} points")
    size = os.path.getsize(image)
    tap.ok(size < 512 * 1024, f"{compiler}: under 512 KiB", f"{size} bytes")
tap.done()
