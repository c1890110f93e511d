#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=300
"""
In-flight tracking: a back end that dies at each point on a request's way, and
whenever, hands the next one what it had begun (vhost_back.c). The driver goes
on with the same rings: no request fails, none is done twice or not at all, and
none is sent again by it.
"""

import filecmp
import os
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import vhost

SIZE = 8 << 20
OPS = 6000
DEATHS = 3
POINTS = ["taken", "half taken", "served", "noted as used", "shown",
          "no longer noted"]


class Run:
    def __init__(self, tmp, packed, *args, ops=OPS):
        self.tmp = tmp
        self.ops = ops
        self.files = [os.path.join(tmp, f) for f in
                      ("sock", "image", "expect")]
        with open(self.files[1], "wb") as f:
            f.truncate(SIZE)
        self.packed = ["-p"] if packed else []
        self.inflight = 0
        self.back = None
        self.start(*args)
        self.front = vhost.program(tmp, "vhost_blk", "-r", "-q", 2,
                                   self.files[0], self.files[2], ops)

    def start(self, *args):
        self.back = vhost.program(self.tmp, "vhost_back", *self.packed, *args,
                                  *self.files[:2])
        if self.back.await_line("^listening$") is None:
            raise RuntimeError("no back end: " + " ".join(self.back.lines))

    def ended(self):
        """It is dead, or not needed any more."""
        status = self.back.wait()
        self.inflight += len([x for x in self.back.lines
                              if x.startswith("in flight")])
        return status

    def finish(self, name, deaths):
        status = self.front.wait()
        self.ended()
        f = self.front
        bad = [] if status == 0 else [f"status {status}"] + f.lines[-4:]
        if f.value(r"^requests: done (\d+) errors 0$") != self.ops:
            bad += [x for x in f.lines if x.startswith("request")] + ["done?"]
        if not bad and not filecmp.cmp(*self.files[1:], shallow=False):
            bad.append("the image is another")
        resumes = f.value(r"resumes: (\d+)")
        if not bad and (resumes < 1 or deaths not in (None, resumes) or
                        f.value(r"again: (\d+)") != 0):
            bad += [x for x in f.lines if x.startswith("breaks")]
        # Killed anywhere, it may have had nothing at the time.
        if not bad and self.inflight == 0 and deaths is not None:
            bad.append("nothing was ever in flight")
        packed = f.value(r"^features: (\w+)", 0) >> 34 & 1
        if not bad and packed != len(self.packed):
            bad.append("the other kind of ring")
        tap.ok(not bad, name, *bad)


def point(tmp, kind, packed, number, name):
    args = ("-k", number, "-n", 400)
    run = Run(tmp, packed, *args)
    for death in range(DEATHS):
        if run.ended() != -9:
            tap.ok(False, f"{kind}: {name}: it does not die")
            run.front.kill()
            return
        run.start(*(args if death + 1 < DEATHS else ()))
    run.finish(f"{kind}: it dies when a request is {name}", DEATHS)


def anywhere(tmp, kind, packed):
    run = Run(tmp, packed, ops=10 * OPS)
    for _ in range(DEATHS):
        run.back.await_line("^busy$")
        run.back.await_line("^never$", 0.05)
        run.back.kill()
        run.ended()
        run.start()
    run.finish(f"{kind}: it is killed anywhere", None)


def main():
    if vhost.missing():
        tap.skip_all("not installed: " + " ".join(vhost.missing()))
    for kind, packed in (("split", False), ("packed", True)):
        with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
            for i, name in enumerate(POINTS):
                point(tmp, kind, packed, i + 1, name)
            anywhere(tmp, kind, packed)
    tap.done()


main()
