#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=450
"""
A disk that hangs, fails, loses its connection or is taken out while the guest
writes: it ends in success, because it was tried again, or in an error that is
told. Never in silence, and never with a lost write that was said to be flushed
(test/lib/pattern.py).
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import gdb
import nbd
import tap
from paravane_qemu import Failure, Guest
from pattern import SECTOR, Pattern, flushed_up_to

SECTORS = 1024
FLUSHED = "^pattern: flushed up to generation"
WRITTEN = r"^pattern: \d+ generations written, flushed and read$"
TOLD = r"^pattern: (flush|writing|reading) failed at generation \d+: {}"
WAYS = (("through the cache", 0), ("past it", 8))


def faults_of(name, function, *args):
    """What is wrong with the disk after it, or what did not come."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        disk = f"{tmp}/disk"
        base = random.Random(name).randbytes(SECTORS * SECTOR)
        with open(disk, "wb") as f:
            f.write(base)
        try:
            text, seed, ops = function(disk, *args)
            with open(disk, "rb") as f:
                return Pattern(seed, ops, SECTORS).check(
                    f.read(), base, flushed_up_to(text))
        except (Failure, OSError, subprocess.SubprocessError) as e:
            return [str(e)]


def check(name, function, *args):
    bad = faults_of(name, function, *args)
    tap.ok(not bad, name, *bad)


def forgets():
    """A guest whose cache drops what a failed flush was for is found."""
    made = subprocess.run(
        ["make", "-s", "-f", "mk/build.mk", "build/planted/cache-forgets"],
        cwd=TOP, capture_output=True, text=True, check=False, timeout=200)
    bad = faults_of("forgets", loses, 0,
                    os.path.join(TOP, "build/planted/cache-forgets"))
    tap.ok(made.returncode == 0 and any("is lost" in b for b in bad),
           "found: a cache that forgets", made.stderr, *bad)


def start(g, seed, ops, depth, more=""):
    """Begins the pattern; something of it is flushed when this returns."""
    g.prompt()
    g.send(f"diskpattern disk0 seed={seed} ops={ops} sectors={SECTORS} "
           f"depth={depth}{more}\r")
    g.expect(FLUSHED)


def end(g, wanted=WRITTEN):
    """It ends so, and the guest is in good health."""
    g.expect(wanted, 90)
    g.prompt(90)
    g.command("poweroff", wait=False)
    g.wait()
    return g.text


def node_disk(*nodes, more=""):
    args = []
    for node in nodes:
        args += ["-blockdev", node]
    return args + ["-device", "virtio-blk-pci,drive=d" + more]


def nbd_disk(server, more=""):
    return node_disk("driver=nbd,node-name=d,server.type=unix,"
                     f"server.path={server.socket}{more}")


def hangs(disk, depth, stall_s, patience_s):
    """A time without answers, shorter or longer than the guest's patience."""
    ops = 1000
    said = stall_s > patience_s
    with nbd.Server(disk) as server, \
            Guest(append=f"disktimeout={patience_s}",
                  devices=[nbd_disk(server)]) as g:
        start(g, 1, ops, depth)
        server.order("stall")
        if said:
            g.expect(f": no answer for {patience_s} s: reset")
        time.sleep(stall_s)
        server.order("go")
        text = end(g)
        if not said and ": no answer for" in text:
            raise Failure("it was not waited for")
        return text, 1, ops


def hangs_and_dies(disk, depth):
    """Reset twice with requests under way, and then its cache is lost."""
    with nbd.Server(disk, seed=10, early=0.3, delay=2) as server, \
            Guest(append="disktimeout=1", devices=[nbd_disk(server)]) as g:
        start(g, 10, 100000, depth)
        for _ in range(2):
            server.order("stall")
            g.expect(": no answer for 1 s: reset")
            server.order("go")
            g.expect(FLUSHED)
        server.kill()
        text = end(g, TOLD.format("I/O error"))
    return text, 10, flushed_up_to(text) + 4000


def cut(disk, depth):
    """QEMU finds its server again, and the guest sees nothing of it."""
    ops = 1000
    with nbd.Server(disk) as server, \
            Guest(devices=[nbd_disk(server, ",reconnect-delay=30")]) as g:
        start(g, 2, ops, depth)
        for _ in range(3):
            server.order("drop")
            g.expect(FLUSHED)
        text = end(g)
    return text, 2, ops


def comes_back(disk, depth):
    """The server dies, and another takes its place: it had lost nothing."""
    ops = 1000
    with nbd.Server(disk, early=1.0) as server, \
            Guest(devices=[nbd_disk(server, ",reconnect-delay=30")]) as g:
        start(g, 7, ops, depth)
        server.kill()
        time.sleep(0.3)
        server.start()
        text = end(g)
    return text, 7, ops


def grows(disk, depth):
    """The disk becomes larger while it is written."""
    ops = 1000
    with Guest(devices=[node_disk(
            f"driver=file,node-name=f,filename={disk}",
            "driver=raw,node-name=d,file=f")]) as g:
        start(g, 8, ops, depth)
        for n in (2, 3, 4):
            g.qmp("block_resize", **{"node-name": "d",
                                     "size": n * SECTORS * SECTOR})
        text = end(g)
        if f"{4 * SECTORS * SECTOR} bytes now" not in text:
            raise Failure("the guest has not seen it")
    return text, 8, ops


def fails_once(disk, depth):
    """
    Some requests fail. Through the cache nothing is lost: the next flush
    writes what the failed one did not. Past it the error is the caller's.
    """
    ops = 1000
    with nbd.Server(disk) as server, Guest(devices=[nbd_disk(server)]) as g:
        start(g, 3, ops, depth, " tries=100")
        server.order("fail 5")
        g.expect(TOLD.format("I/O error"))
        if depth:
            g.prompt()
            g.command("poweroff", wait=False)
            g.wait()
            text = g.text
        else:
            text = end(g)
    return text, 3, ops


def loses(disk, depth, image=None):
    """
    A flush fails and what it was for is lost: that is written again by the
    cache, or the error is the caller's.
    """
    ops = 150       # few: what comes later covers what was lost
    with nbd.Server(disk) as server, \
            Guest(devices=[nbd_disk(server)],
                  **({"image": image} if image else {})) as g:
        server.order("lose 8")
        start(g, 6, ops, depth, " tries=100")
        g.expect(r"^pattern: flush failed at generation \d+: I/O error")
        text = end(g, "" if depth else WRITTEN)
    return text, 6, ops


def bad_medium(disk, kind, depth):
    """QEMU's blkdebug: every request of a kind fails, all the time."""
    ops = 300
    with Guest(devices=[node_disk(
            f"driver=file,node-name=f,filename={disk}",
            "driver=blkdebug,node-name=d,image=f,"
            "inject-error.0.event=none,inject-error.0.errno=5,"
            f"inject-error.0.iotype={kind},inject-error.0.once=off")]) as g:
        g.prompt()
        out = g.command(f"diskpattern disk0 seed=4 ops={ops} "
                        f"sectors={SECTORS} depth={depth}", 60)
        if "I/O error" not in out or (kind != "read" and flushed_up_to(out)):
            g.fail("no error was told")
        g.command("poweroff", wait=False)
        g.wait(60)
        return g.text, 4, ops


def needs_reset(disk, depth):
    """
    The device finds a descriptor that can't be, as a host's own fault would
    make it, and asks for a reset.
    """
    ops, stub = 4000, disk + ".gdb"
    said = "blk0: broken: the device needs a reset"
    with Guest(devices=[node_disk(
            f"driver=file,node-name=d,filename={disk}", more=",id=v")],
               args=gdb.words(stub)) as g:
        start(g, 9, ops, depth)
        # The device looks as the machine goes on, if the guest lets it.
        for _ in range(40):
            ring = gdb.ring(g, "v", 0)
            avail, size = ring["vring-avail"], ring["vring-num"]
            with gdb.Stub(stub) as memory:
                index = int.from_bytes(memory.read(avail + 2, 2), "little")
                memory.write(avail + 4 + index % size * 2, b"\xff\xff")
                memory.write(avail + 2, (index + 1 & 0xffff).to_bytes(
                    2, "little"))
            g.expect(f"{FLUSHED}|{WRITTEN}")
            if g.text.count(said) >= 2:
                break
        text = end(g, "")
        if not re.search(WRITTEN, text, re.M) or said not in text:
            g.fail("no reset was asked for, or it did not help")
    return text, 9, ops


def taken_out(disk, depth):
    ops = 100000
    with Guest(devices=[
            ["-device", "pcie-root-port,id=rp,chassis=1"],
            node_disk(f"driver=file,node-name=d,filename={disk}",
                      more=",bus=rp,id=v")]) as g:
        start(g, 5, ops, depth)
        g.qmp("device_del", id="v")
        text = end(g, TOLD.format("No such device"))
    return text, 5, flushed_up_to(text) + 4000


for way, depth in WAYS:
    check(f"half a second without answers, {way}", hangs, depth, 0.5, 10)
    check(f"a hung request, {way}", hangs, depth, 3, 1)
    check(f"a disk that hangs and dies, {way}", hangs_and_dies, depth)
    check(f"a connection that is cut, {way}", cut, depth)
    check(f"a server that comes back, {way}", comes_back, depth)
    check(f"a disk that grows, {way}", grows, depth)
    check(f"requests that fail, {way}", fails_once, depth)
    check(f"a cache that is lost, {way}", loses, depth)
    for kind in ("read", "write", "flush"):
        check(f"every {kind} fails, {way}", bad_medium, kind, depth)
    check(f"a device that needs a reset, {way}", needs_reset, depth)
    check(f"the disk is taken out, {way}", taken_out, depth)
forgets()
tap.done()
