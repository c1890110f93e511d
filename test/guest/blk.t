#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=200
"""
QEMU's disks in the shapes that it can give them: blocks, limits, queues, rings,
features, transports. On each the guest writes a pattern, flushes and reads it
back, and the image is looked at (test/lib/pattern.py).
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import Failure, Guest
from pattern import SECTOR, Pattern, flushed_up_to

SECTORS = 1024
OPS = 100

# QEMU's options; what `disk info` says of it; what its record in `devices` says.
PCI = (
    ("", "write-back", r"accepted .*FLUSH.*DISCARD.*WRITE_ZEROES"),
    ("num-queues=4", "write-back", r"queue 1 .* 64 entries"),
    ("num-queues=1,queue-size=8", "write-back", r"queue 0 .* 8 entries"),
    ("config-wce=off", "write-back", r"-CONFIG_WCE\(not offered\)"),
    ("discard=off,write-zeroes=off", "trim      no", r"-DISCARD\(not off"),
    ("physical_block_size=4096,min_io_size=8192,opt_io_size=65536",
     "optimal   65536 bytes", r"accepted .*TOPOLOGY"),
    ("write-cache=off,serial=a-serial", "name      a-serial",
     r"accepted .*CONFIG_WCE"),
    ("event_idx=off,indirect_desc=off", "write-back",
     r"-INDIRECT_DESC\(not offered\) -EVENT_IDX\(not offered\)"),
    ("queue-size=16,indirect_desc=off,seg-max-adjust=off", "write-back",
     r"queue 0 .* 16 entries"),
    ("packed=on,iommu_platform=on,disable-legacy=on", "write-back",
     r"accepted .*ACCESS_PLATFORM"),
    ("disable-modern=off,vectors=0", "write-back", r"interrupts INTx"),
)
MMIO = (("", "write-back", r"mmio"),)
# A device of its own, in a process of its own. Its field says that there is no
# cache, and there is one; and that segments have no bytes.
DAEMON = (("num-queues=2", "write-back", r"-SIZE_MAX\(value\)"),)


def disks(tmp, shapes, device):
    for i, (options, _, _) in enumerate(shapes):
        with open(f"{tmp}/disk{i}", "wb") as f:
            f.write(random.Random(i).randbytes(SECTORS * SECTOR))
        yield ["-blockdev", f"driver=file,node-name=f{i},discard=unmap,"
               f"filename={tmp}/disk{i}",
               "-device", f"{device},drive=f{i},{options}".rstrip(",")]


def contents(tmp, i):
    with open(f"{tmp}/disk{i}", "rb") as f:
        return f.read()


def record(g, i):
    """What `devices` says of one, in a line."""
    told = re.search(rf"^blk{i}: .*(?:\n .*)*", g.command("devices"), re.M)
    return re.sub(r"\s+", " ", told.group(0)) if told else ""


def one(g, tmp, i, shape):
    """What is wrong with this disk."""
    options, info, accepted = shape
    text = g.command(f"diskpattern disk{i} seed={i} ops={OPS} "
                     f"sectors={SECTORS} depth=16", 90)
    bad = Pattern(i, OPS, SECTORS).check(
        contents(tmp, i), random.Random(i).randbytes(SECTORS * SECTOR),
        flushed_up_to(text))
    if f"pattern: {OPS} generations written, flushed and read" not in text:
        bad.append(text)
    told = g.command(f"disk info disk{i}")
    if info not in told:
        bad += [f"no `{info}'", told]
    told = record(g, i)
    if not re.search(accepted, told):
        bad += [f"no `{accepted}'", told]
    chains, bells = (sum(int(n) for n in re.findall(what, told))
                     for what in (r"(\d+) in,", r"(\d+) doorbells"))
    if not OPS < chains or bells > chains:
        bad.append(f"{chains} requests, {bells} doorbells")
    return bad


@contextlib.contextmanager
def daemon(tmp):
    """QEMU's storage daemon serves disk0; QEMU's words for it."""
    subprocess.run(
        ["qemu-storage-daemon", "--daemonize", "--pidfile", f"{tmp}/pid",
         "--blockdev", f"driver=file,node-name=f,filename={tmp}/disk0",
         "--export", "type=vhost-user-blk,id=e,node-name=f,writable=on,"
         f"num-queues=2,addr.type=unix,addr.path={tmp}/socket"],
        check=True, timeout=60)
    with open(f"{tmp}/pid", encoding="ascii") as f:
        pid = int(f.read())
    try:
        yield ["-object", "memory-backend-memfd,id=m,size=256M,share=on",
               "-numa", "node,memdev=m",
               "-chardev", f"socket,id=c,path={tmp}/socket",
               "-device", f"vhost-user-blk-pci,chardev=c,{DAEMON[0][0]}"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def shapes(name, table, device, args=()):
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        devices = list(disks(tmp, table, device or "none"))
        try:
            with contextlib.ExitStack() as stack:
                if device is None:
                    devices = [stack.enter_context(daemon(tmp))]
                g = stack.enter_context(Guest(devices=devices, smp=2,
                                              limit=180, args=args))
                g.prompt()
                for i, shape in enumerate(table):
                    bad = one(g, tmp, i, shape)
                    tap.ok(not bad, f"{name} {shape[0]}".rstrip(" ,"), *bad)
                g.command("poweroff", wait=False)
                tap.ok(g.wait() == 0, f"{name}: all of them stop")
        except (Failure, OSError, subprocess.SubprocessError) as e:
            tap.ok(False, name, str(e))


def blocks(g, tmp):
    """Of 4 KiB, and what is trimmed is given back."""
    out = g.command("disk info disk0")
    bad = [] if "sectors of 4096" in out else [out]
    g.command("disk write disk0 8192 12288 0x5a yes")
    g.command("sync")
    image = contents(tmp, 0)
    if image[8192:20480] != b"\x5a" * 12288:
        bad.append("what was written is not there")
    out = g.command("disk trim disk0 65536 65536 yes")
    image = contents(tmp, 0)
    if any(image[65536:131072]) or not any(image[131072:]):
        bad += ["not trimmed, or too much", out]
    return bad


def read_only(g, tmp):
    before = contents(tmp, 1)
    out = g.command("disk write disk1 0 512 1 yes")
    bad = [] if "read-only" in out else [out]
    out = g.command("disk read disk1 0 16")
    if before[:4].hex() not in out.replace(" ", ""):
        bad.append(out)
    if contents(tmp, 1) != before:
        bad.append("it was written")
    return bad


def kinds():
    table = (("logical_block_size=4096,physical_block_size=4096", 0, 0),
             ("", 0, 0))
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        devices = list(disks(tmp, table, "virtio-blk-pci"))
        devices[1][1] += ",read-only=on"
        try:
            with Guest(devices=devices) as g:
                g.prompt()
                for what in (blocks, read_only):
                    bad = what(g, tmp)
                    tap.ok(not bad, what.__name__, *bad)
                g.command("poweroff", wait=False)
                g.wait()
        except (Failure, OSError) as e:
            tap.ok(False, "blocks and a disk that is read-only", str(e))


shapes("pci", PCI, "virtio-blk-pci")
shapes("mmio 1", MMIO, "virtio-blk-device")
shapes("mmio 2", MMIO, "virtio-blk-device",
       ["-global", "virtio-mmio.force-legacy=false"])
shapes("storage daemon", DAEMON, None)
kinds()
tap.done()
