#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: serial timeout=200
"""
Queue pairs on processors of their own: connections over a tap device of two
queues keep every byte, on either pair; each pair's interrupts are its
processor's; with RSS the pair follows from a hash, and a hash in each header
does no harm.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import tcphash
from paravane_qemu import Failure, Guest
from tapdev import GUEST, HOST, enter_namespace, make_tap

SIZE = 8 << 20
TRIES = 12
FEW = 60000


def both_ways(g, seed):
    """A connection each way; whether every byte came."""
    return (tcphash.to_guest(g, SIZE, seed, HOST)[0] and
            tcphash.from_guest(g, SIZE, seed, HOST)[0])


def frames(g):
    """Of each pair: received, sent."""
    return [tuple(map(int, m)) for m in re.findall(
        r"pair \d+: rx (\d+) frames .* tx (\d+) frames",
        g.command("ifconfig net0 stats"))]


def guest(smp, queues, append="", more=""):
    netdev = make_tap(1500, queues)
    return Guest(append=f"net={GUEST}/24,{HOST} {append}", smp=smp, devices=[
        netdev,
        ["-device", "virtio-net-pci,netdev=n0,romfile=,mq=on,"
         f"vectors={2 * queues + 2}{more}"]])


def on_processors():
    with guest(2, 2) as g:
        g.prompt()
        answer = g.command("ifconfig net0")
        tap.ok("+MQ" in answer and "queues 2 pairs, 2 in use, 1 on other "
               "processors" in answer, "two pairs, one on processor 1", answer)
        good, counts = True, [(0, 0), (0, 0)]
        for n in range(TRIES):
            good &= both_ways(g, n)
            counts = frames(g)
            if n > 1 and min(counts[0] + counts[1]) > 500:
                break
        tap.ok(good, f"{n + 1} connections each way keep every byte")
        tap.ok(min(counts[0] + counts[1]) > 500,
               "frames in and out on both pairs", str(counts))
        answer = g.command("intr")
        tap.ok(re.search(r"cpu1 +[1-9]\d* +net0", answer),
               "processor 1 takes its pair's interrupts", answer)
        g.command("ifconfig net0 pairs 1")
        before = frames(g)
        tap.ok(both_ways(g, 90), "with one pair in use")
        after = frames(g)
        tap.ok(after[1][1] == before[1][1], "nothing is sent on the other",
               f"{before} {after}")
        g.command("ifconfig net0 pairs 2")
        g.command("ifconfig net0 feature MRG_RXBUF off", 30)
        tap.ok(both_ways(g, 91), "after a new negotiation")
        answer = g.command("netbench net0 send size=64 queue=1 frames=5000 "
                           "ms=30000", 60)
        tap.ok("frames=5000" in answer, "netbench on the second pair", answer)
        tap.ok(both_ways(g, 92), "and the pairs are served after it")


def on_one_processor():
    """Two pairs that processor 0 serves: by request, and by need."""
    with guest(1, 2, "netpairs=2") as g:
        g.prompt()
        answer = g.command("ifconfig net0")
        tap.ok("queues 2 pairs, 2 in use, 0 on other" in answer,
               "two pairs on one processor", answer)
        tap.ok(both_ways(g, 7) and both_ways(g, 8), "keep every byte")


def settings():
    """What ifconfig sets that a device with one pair has not, and shows."""
    def on():
        return re.search(r"\ton:(.*)\n", g.command("ifconfig net0"))[1].split()

    with guest(2, 2, more=",rss=on,hash=on") as g:
        g.prompt()
        tap.equal(on(), ["allmulti", "txcsum", "rxcsum", "lro"],
                  "offloads are on, and shown")
        g.command("ifconfig net0 rss tcp")
        tap.ok("\trss tcp\n" in g.command("ifconfig net0"), "a spread is shown")
        g.command("ifconfig net0 pairs 1")
        tap.ok("\trss" not in g.command("ifconfig net0"),
               "which another number of pairs ends")
        g.command("ifconfig net0 txcsum off rxcsum off")
        tap.equal(on(), ["allmulti"], "offloads are off, and not shown")
        answer = g.command("ifconfig net0 lro on")
        tap.ok("lro: needs rxcsum" in answer, "none without what it needs",
               answer)
        answer = g.command("ifconfig net0 rxcsum on lro on")
        tap.equal(on(), ["allmulti", "rxcsum", "lro"], "and with it")
        tap.ok(both_ways(g, 3), "a connection each way keeps every byte")
        g.command("ifconfig net0 feature CTRL_GUEST_OFFLOADS off", 30)
        answer = g.command("ifconfig net0 rxcsum off")
        tap.ok("rxcsum: only by `feature'" in answer, "which others must be told "
               "anew", answer)
        g.command("ifconfig net0 feature MRG_RXBUF off", 30)
        answer = g.command("ifconfig net0 feature GUEST_TSO4 on", 30)
        tap.ok("GUEST_TSO4: not in use: denied" in answer,
               "one that does not come", answer)


def received(g, connections, seed):
    """So many connections, each of less than a pair has room for: QEMU 7.2 forgets a frame
    that it has steered from one queue of the tap device to another whose buffers are all used.
    Whether every byte came; how many frames each pair received."""
    before, good = frames(g), True
    for n in range(connections):
        good &= tcphash.to_guest(g, FEW, seed + n, HOST)[0]
    return good, [b[0] - a[0] for a, b in zip(before, frames(g))]


def accepted(g):
    return re.search(r" accepted +\w+ ([^-]*?)\n +dropped", g.command("devices"))[1].split()


def by_hash():
    """QEMU makes the hash itself where it may not load a program into the kernel."""
    with guest(2, 2, more=",rss=on,hash=on") as g:
        g.prompt()
        tap.ok("RSS" in accepted(g), "RSS is negotiated", g.command("devices"))
        for feature in (None, "HASH_REPORT"):
            if feature:
                g.command(f"ifconfig net0 feature {feature} on", 30)
                tap.ok({"RSS", feature} <= set(accepted(g)), "and hashes in headers",
                       g.command("devices"))
            g.command("ifconfig net0 rss ip")
            good, counts = received(g, 6, 200)
            tap.ok(good and max(counts) >= 24 and min(counts) <= 6,
                   "hashed by addresses all connections use one pair", str(counts))
            g.command("ifconfig net0 rss tcp")
            for n in range(TRIES):
                good, counts = received(g, 6, 300 + n)
                if not good or min(counts) >= 10:
                    break
            tap.ok(good and min(counts) >= 10, "hashed by ports too, both", str(counts))


def far():
    """The control queue of a device of many pairs lies behind those that have vectors."""
    with guest(2, 33) as g:
        g.prompt()
        answer = g.command("devices")
        tap.ok(re.search(r"\n  queue 66 +ctrl: \d+ entries, 0 outstanding,\s+[1-9]\d* in",
                         answer), "it is listed with the others", answer)
        g.command("ifconfig net0 pairs 1")
        tap.ok(both_ways(g, 5), "and of use: one pair keeps every byte")


def main():
    enter_namespace()
    for work in (on_processors, by_hash, on_one_processor, settings, far):
        try:
            work()
        except (Failure, OSError) as failure:
            tap.ok(False, work.__name__, str(failure))
    tap.done()


main()
