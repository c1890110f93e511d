#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=450 long=3600
"""
Never lost: what the guest was told is flushed is on the disk, whenever and
however the power fails. Whatever was not flushed is old or new there, sector by
sector.

The guest writes a pattern that knows itself (guest/disk/pattern.c, judged by
test/lib/pattern.py) through its cache and past it, onto

	a disk whose every write is logged: what it could hold at every flush and
	between any two is rebuilt, some of the writes left out
	a disk with a volatile cache, which dies at a random moment
	an image file, QEMU being killed at a random moment

and guests in which one flush is left out are found.
"""

import os
import random
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import nbd
import tap
import writelog
from paravane_qemu import Failure, Guest
from pattern import SECTOR, Pattern, flushed_up_to

LONG = os.environ.get("PARAVANE_LONG") == "1"
SECTORS = 2048
KILLS = 1000 if LONG else 30
CACHE_MODES = ("writeback", "none", "writethrough")
DEVICES = ("virtio-blk-pci", "virtio-blk-pci,num-queues=4",
           "virtio-blk-pci,event_idx=off,indirect_desc=off",
           "virtio-blk-pci,config-wce=off", "virtio-blk-device",
           "virtio-blk-pci,logical_block_size=4096,physical_block_size=4096")
# Through the cache, and past it with so many requests at once.
WAYS = (("through the cache", 0), ("past it, 8 at once", 8))


def faults_of(function, *args):
    try:
        return function(*args)
    except (Failure, OSError, subprocess.SubprocessError,
            writelog.BadLog) as e:
        return [str(e)]


def check(name, function, *args):
    bad = faults_of(function, *args)
    tap.ok(not bad, name, *bad)


def fresh(path):
    """A disk full of nothing that anyone wrote; its bytes."""
    base = random.Random(path).randbytes(SECTORS * SECTOR)
    with open(path, "wb") as f:
        f.write(base)
    return base


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def words(seed, ops, depth, more=""):
    return (f"diskpattern disk0 seed={seed} ops={ops} sectors={SECTORS} "
            f"depth={depth}{more}")


def file_disk(path, cache, device):
    return ["-drive", f"if=none,id=d,format=raw,file={path},cache={cache}",
            "-device", device + ",drive=d"]


def node_disk(*nodes, more=""):
    """-blockdev NODE ...; the last is the disk."""
    args = []
    for node in nodes:
        args += ["-blockdev", node]
    return args + ["-device", "virtio-blk-pci,drive=d" + more]


def logged_disk(path, log):
    return node_disk(f"driver=file,node-name=f,filename={path}",
                     f"driver=file,node-name=l,filename={log}",
                     "driver=blklogwrites,node-name=d,file=f,log=l,"
                     "log-super-update-interval=1")


def nbd_disk(server, more=""):
    return node_disk("driver=nbd,node-name=d,server.type=unix,"
                     f"server.path={server.socket}{more}")


def write_pattern(disk, command, image=None):
    """The guest writes it to the end; what it said."""
    with Guest(append=f'run="{command};poweroff"', devices=[disk],
               **({"image": image} if image else {})) as g:
        g.expect(r"^pattern: \d+ generations written, flushed and read$", 60)
        g.wait()
        return g.text


def logged(tmp, seed, depth, each, image=None):
    """Faults at any moment of the log; at the first that has some."""
    disk, log = f"{tmp}/disk", f"{tmp}/log"
    base = fresh(disk)
    open(log, "wb").close()
    ops = 1500 if LONG else 250
    pattern = Pattern(seed, ops, SECTORS)
    text = write_pattern(logged_disk(disk, log), words(seed, ops, depth),
                         image)
    entries = writelog.read(log)
    if flushed_up_to(text) != ops or not any(e.writes for e in entries):
        return ["the guest did not write and flush all of it"]
    if writelog.replay(base, entries) != contents(disk):
        return ["the log is not what was written to the disk"]
    for state in writelog.crashes(base, entries, seed, each):
        faults = pattern.check(state.image, base)
        if faults:
            return [state.where] + faults
    return pattern.check(contents(disk), base, ops)


def volatile(tmp, seed, depth):
    """The disk dies, with all that its cache holds."""
    disk = f"{tmp}/disk"
    base = fresh(disk)
    ops = 100000
    rng = random.Random(seed)
    with nbd.Server(disk, seed=seed, early=0.3, delay=rng.choice((0, 2))) \
            as server, Guest(devices=[nbd_disk(server)]) as g:
        g.prompt()
        g.send(words(seed, ops, depth) + "\r")
        g.expect("^pattern: flushed up to generation")
        time.sleep(rng.random())
        server.kill()
        # It says so, and says nothing more of having flushed.
        g.expect(r"^pattern: (flush|writing|reading) failed at generation")
        g.prompt(60)
        text = g.text
        g.command("poweroff", wait=False)
        g.wait()
    pattern = Pattern(seed, reached(text), SECTORS)
    return pattern.check(contents(disk), base, flushed_up_to(text))


def host(*program, data=None):
    """A tool of the host's on a disk's image; what it printed, as bytes."""
    return subprocess.run(
        program, check=True, capture_output=True, input=data, timeout=60,
        env=os.environ | {"PATH": os.environ["PATH"] + ":/sbin:/usr/sbin",
                          "MTOOLS_SKIP_CHECK": "1"}).stdout


def files(tmp, image=None):
    """What `sync` said is done is in the files, though the disk dies."""
    disk = f"{tmp}/fat"
    data = random.Random(1).randbytes(300000)
    host("mkfs.vfat", "-C", disk, "16384")
    host("mcopy", "-i", disk, "-", "::/A", data=data)
    with nbd.Server(disk, seed=1, early=0.3) as server, \
            Guest(devices=[nbd_disk(server)],
                  **({"image": image} if image else {})) as g:
        g.prompt()
        for name in "BCD":
            g.command(f"cp disk0:/A disk0:/{name}")
            if g.command("sync"):
                g.fail("sync has failed")
        g.send("cp disk0:/A disk0:/E\r")
        server.kill()
        g.kill()
    return [f"{name} is lost" for name in "ABCD"
            if host("mcopy", "-i", disk, f"::/{name}", "-") != data]


def reached(text):
    """More generations than a guest can have written that said this."""
    return flushed_up_to(text) + 4000


def killed(tmp, seed, cache):
    """QEMU dies; what its host has of the disk stays."""
    disk = f"{tmp}/disk"
    if not os.path.exists(disk):
        fresh(disk)
    base = contents(disk)
    rng = random.Random(seed)
    depth, device = rng.choice((0, 0, 1, 8)), rng.choice(DEVICES)
    if "4096" in device:
        depth = 0       # past the cache there are no shorter sectors
    with Guest(append=f'run="{words(seed, 100000, depth)}"',
               devices=[file_disk(disk, cache, device)]) as g:
        g.expect("^pattern: flushed up to generation")
        time.sleep(rng.random() * 0.4)
        g.kill()
        text = g.text
    pattern = Pattern(seed, reached(text), SECTORS)
    return [f"{device}, {cache}, seed {seed}, depth {depth}: {fault}"
            for fault in pattern.check(contents(disk), base,
                                       flushed_up_to(text))]


def kills(tmp):
    """Rounds on one image, which the next goes on with."""
    for n in range(KILLS):
        faults = killed(tmp, 1000 + n, CACHE_MODES[n % 3])
        if faults:
            return faults
    return []


def left_out():
    """Guests in which one flush is not made are found."""
    made = subprocess.run(
        ["make", "-s", "-f", "mk/build.mk", "-j2", "planted-guests"], cwd=TOP,
        capture_output=True, text=True, check=False, timeout=200)
    if not tap.ok(made.returncode == 0, "guests with a flush left out",
                  made.stderr):
        return
    for name, depth in (("cache-flush", 0), ("driver-flush", 0),
                        ("driver-flush", 8)):
        with directory() as tmp:
            faults = faults_of(logged, tmp, 11, depth, 3, os.path.join(
                TOP, "build", "planted", name))
        tap.ok(any("is lost" in f for f in faults),
               f"found: {name}, depth {depth}", *faults)


def directory():
    """On a disk that takes O_DIRECT, as a tmpfs may not."""
    return tempfile.TemporaryDirectory(prefix="paravane-",
                                       dir=os.path.join(TOP, "build"))


def main():
    with directory() as tmp:
        for n, (way, depth) in enumerate(WAYS):
            check(f"logged, {way}: at every flush and between", logged, tmp,
                  11 + n, depth, 6 if LONG else 3)
        for seed in range(20 if LONG else 2):
            for way, depth in WAYS:
                check(f"a disk that dies, {way}, {seed}", volatile, tmp,
                      100 + seed, depth)
        check("files, and a disk that dies", files, tmp)
        os.unlink(f"{tmp}/disk")
        check(f"QEMU is killed {KILLS} times", kills, tmp)
    left_out()
    tap.done()


main()
