#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=300 long=900
"""
The network driver in a process, over vhost-user, against DPDK's testpmd: each
frame comes back byte-exact, and once, with rings of each kind, lengths up to
9014 bytes, by interrupt and by polling, on two queue pairs by two threads; the
back end killed and restarted under way, on either end of the socket.
"""

import glob
import os
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import vhost

PROTOCOL = "MQ REPLY_ACK NET_MTU BACKEND_REQ STATUS"
ALL = 0xffffffff
FRAMES = 400000 if os.environ.get("PARAVANE_LONG") else 8000


def bit(*numbers):
    return sum(1 << n for n in numbers)


MRG, INDIRECT, EVENT, PACKED, IN_ORDER = 15, 28, 29, 34, 35
RING = (MRG, INDIRECT, EVENT, PACKED, IN_ORDER)

# What, arguments, the bits of RING that are then in use, the MTU, the pairs.
RUNS = [
    ("split, by interrupts", ["-d", bit(PACKED, IN_ORDER)],
     (MRG, INDIRECT, EVENT), 1500, 1),
    ("split, polled, two pairs on two threads",
     ["-d", bit(PACKED, IN_ORDER), "-q", 2, "-p"], (MRG, INDIRECT, EVENT),
     1500, 2),
    ("split, no option, a ring of 64",
     ["-d", bit(*RING), "-z", 64, "-w", 32], (), 1500, 1),
    ("split, in order", ["-d", bit(PACKED)],
     (MRG, INDIRECT, EVENT, IN_ORDER), 1500, 1),
    ("packed", ["-d", bit(IN_ORDER)], (MRG, INDIRECT, EVENT, PACKED), 1500, 1),
    ("packed, in order, two pairs on two threads", ["-q", 2], RING, 1500, 2),
    ("packed, polled, a ring of 64, no EVENT_IDX",
     ["-d", bit(IN_ORDER, EVENT), "-p", "-z", 64, "-w", 32],
     (MRG, INDIRECT, PACKED), 1500, 1),
    ("frames of 9014 bytes, the MTU told", ["-m", 9000], RING, 9000, 1),
    ("stopped and started, two pairs", ["-q", 2, "-x", 4], RING, 1500, 2),
    ("one ring of a pair reset, split", ["-r", 4, "-d", bit(PACKED, IN_ORDER)],
     (MRG, INDIRECT, EVENT), 1500, 1),
    ("one ring of each pair reset, packed, in order", ["-r", 4, "-q", 2],
     RING, 1500, 2),
]



def judge(p, status, frames, breaks):
    bad = [] if status == 0 else [f"status {status}"] + p.lines[-4:]
    sent = p.value(r"^frames: sent (\d+)")
    lost = p.value(r"lost (\d+)")
    if sent != frames or lost < 0 or (breaks == 0 and lost != 0):
        bad += [x for x in p.lines if x.startswith("frames")] + ["frames"]
    if p.value(r"^breaks: (\d+)") < breaks:
        bad.append(f"{p.value('^breaks: ([0-9]+)')} breaks, not {breaks}")
    return bad


def run(tmp, sock, name, args, ring, mtu, pairs):
    p = vhost.program(tmp, "vhost_net", *args, sock, FRAMES)
    bad = judge(p, p.wait(), FRAMES, 3 if "-x" in args else 0)
    resets = len([x for x in p.lines if x.startswith("reset:")])
    if resets != (3 if "-r" in args else 0):
        bad.append(f"{resets} resets")
    used = p.value(r"^features: (\w+)", 0)
    if not bad and used & bit(*RING) != bit(*ring):
        bad.append(f"features 0x{used:x}")
    if not bad and (p.value(r"^mtu: (\d+)"), p.value(r"pairs: (\d+)")) != \
            (mtu, pairs):
        bad += [x for x in p.lines if x.startswith("mtu")]
    if not bad and [p.value(rf"queue {q}: back (\d+)") > 0
                    for q in range(pairs)] != [True] * pairs:
        bad.append("a queue without frames")
    tap.ok(not bad, name, *bad)
    return p


def sequence(tmp, sock):
    """One back end, one front end after the other."""
    back = vhost.testpmd(tmp, sock, queues=2)
    try:
        for args in RUNS:
            p = run(tmp, sock, *args)
        tap.equal([x for x in p.lines if x.startswith("protocol")],
                  [f"protocol: {PROTOCOL}"], "what testpmd speaks")
        p = run(tmp, sock, "none of the protocol's features",
                ["-D", ALL], RING, 1500, 1)
        tap.equal([x for x in p.lines if x.startswith("protocol")],
                  ["protocol: "], "then it speaks none")
    finally:
        back.stop()


def killed(tmp, sock, name, client, args):
    frames, times = 600000, 2
    back = vhost.testpmd(tmp, sock, 2, client) if not client else None
    p = vhost.program(tmp, "vhost_net", *args, sock, frames)
    if client:
        back = vhost.testpmd(tmp, sock, 2, client)
    bad = [] if p.await_line("^up$") else ["it does not come up"]
    for i in range(times):
        p.await_line(f"^again: {i}$" if i else "^up$")
        p.await_line("^never$", 0.1)		# some way into the traffic
        back.kill()
        if not client and os.path.exists(sock):
            os.unlink(sock)
        back = vhost.testpmd(tmp, sock, 2, client)
    status = p.wait()
    back.stop()
    bad += judge(p, status, frames, times)
    tap.ok(not bad, name, *bad)
    tap.diag(f"{p.value('^breaks: ([0-9]+)')} times in traffic, "
             f"{p.value('lost ([0-9]+)')} frames lost of {frames}")


def main():
    if vhost.missing():
        tap.skip_all("not installed: " + " ".join(vhost.missing()))
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        sequence(tmp, os.path.join(tmp, "a"))
        killed(tmp, os.path.join(tmp, "b"), "the back end listens, is killed "
               "and restarted in traffic", 0, ["-q", 2])
        killed(tmp, os.path.join(tmp, "c"), "the back end connects, is killed "
               "and restarted in traffic", 1, ["-s"])
    left = glob.glob(f"/var/run/dpdk/paravane{os.getpid()}.*")
    tap.ok(not left, "testpmd, killed or not, leaves nothing behind", *left)
    tap.done()


main()
