#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=300
"""
The disk driver in a process, over vhost-user, against QEMU's storage daemon:
what was written is read back, and stands in the image; configuration, memory
slots, two queues on two threads; the daemon killed under way.
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

SIZE = 16 << 20
F_INDIRECT, F_EVENT = 1 << 28, 1 << 29


def outcome(p, status, done):
    """What is wrong with a run of the program, in lines."""
    bad = [] if status == 0 else [f"status {status}"] + p.lines[-5:]
    if p.value(r"^requests: done (\d+) errors 0$") != done:
        bad += [line for line in p.lines if "requests" in line] + ["done?"]
    return bad


def one(tmp, name, args, queues=1, ops=4000, protocol=None, regions=2):
    sock, image, expect = (os.path.join(tmp, f) for f in
                           ("sock", "image", "expect"))
    with open(image, "wb") as f:
        f.truncate(SIZE)
    daemon = vhost.storage(tmp, sock, image, queues)
    p = vhost.program(tmp, "vhost_blk", *args, sock, expect, ops)
    bad = outcome(p, p.wait(), ops)
    daemon.stop()
    if not bad and not filecmp.cmp(image, expect, shallow=False):
        bad.append("the image is another")
    if not bad and protocol is not None:
        said = [x for x in p.lines if x.startswith("protocol:")]
        if said != [f"protocol: {protocol}"]:
            bad += said
    if not bad and p.value(r"regions: (\d+)") != regions:
        bad.append("regions of memory")
    if not bad and p.value(r"queues: (\d+)") != queues:
        bad.append("queues")
    tap.ok(not bad, name, *bad)


def killed(tmp, name, queues):
    sock, image, expect = (os.path.join(tmp, f) for f in
                           ("sock", "image", "expect"))
    with open(image, "wb") as f:
        f.truncate(SIZE)
    ops, times = 60000, 3
    daemon = vhost.storage(tmp, sock, image, queues)
    p = vhost.program(tmp, "vhost_blk", "-q", queues, sock, expect, ops)
    bad = []
    for i in range(times):
        if p.await_line(f"^goes on: {i}$" if i else "^up$") is None:
            bad.append("it does not come up")
        # Killed somewhere in the traffic, which is long.
        p.await_line("^never$", 0.1)
        daemon.kill()
        if os.path.exists(sock):
            os.unlink(sock)
        daemon = vhost.storage(tmp, sock, image, queues)
    status = p.wait()
    daemon.stop()
    bad += outcome(p, status, ops)
    if not bad and not filecmp.cmp(image, expect, shallow=False):
        bad.append("the image is another")
    breaks = p.value(r"^breaks: (\d+)")
    if not bad and breaks < times:
        bad.append(f"killed under way {breaks} times, not {times}")
    again = p.value(r"again: (\d+)")
    tap.ok(not bad, name, *bad)
    tap.diag(f"{breaks} times in traffic, {again} requests sent again")
    return again


def main():
    if vhost.missing():
        tap.skip_all("not installed: " + " ".join(vhost.missing()))
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        one(tmp, "one queue; what the daemon speaks", [],
            protocol="MQ REPLY_ACK BACKEND_REQ CONFIG CONFIGURE_MEM_SLOTS")
        one(tmp, "two queues on two threads, memory that grows in traffic",
            ["-q", 2, "-g"], 2, regions=3)
        one(tmp, "direct descriptors, no EVENT_IDX",
            ["-d", F_INDIRECT | F_EVENT])
        one(tmp, "no acknowledgements, one table of memory, no channel back",
            ["-D", 1 << 3 | 1 << 5 | 1 << 15, "-g"], regions=3,
            protocol="MQ CONFIG")
        again = killed(tmp, "killed and restarted in traffic", 1)
        again += killed(tmp, "killed and restarted in traffic, two queues", 2)
        tap.ok(again > 0, "requests were sent again")
    tap.done()


main()
