#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The replayer of write logs (test/lib/writelog.py) against QEMU's own logs and
qemu-io, so that it is right before any guest is judged by it.
"""

import os
import random
import struct
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import writelog

SIZE = 1 << 20
SECTOR = writelog.SECTOR


def logged(tmp, commands, log_sector=512):
    """What qemu-io's commands leave: the disk's bytes and the log's."""
    disk, log = os.path.join(tmp, "disk"), os.path.join(tmp, "log")
    for path, size in ((disk, SIZE), (log, 0)):
        with open(path, "wb") as f:
            f.truncate(size)
    words = ["timeout", "60", "qemu-io", "-t", "writeback", "--image-opts",
             f"driver=blklogwrites,file.driver=file,file.filename={disk},"
             f"log.driver=file,log.filename={log},"
             f"log-sector-size={log_sector},log-super-update-interval=1"]
    for command in commands:
        words += ["-c", command]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    with open(disk, "rb") as d, open(log, "rb") as w:
        return d.read(), w.read()


def random_commands(seed, count):
    rng = random.Random(seed)
    for n in range(count):
        length = rng.randint(1, 64)
        offset = rng.randint(0, SIZE // SECTOR - length)
        yield f"write -q -P {n % 255 + 1} {offset * SECTOR} {length * SECTOR}"
        if rng.random() < 0.2:
            yield "flush"


def whole(tmp):
    """Everything replayed is the disk."""
    disk, raw = logged(tmp, list(random_commands(7, 60)) + ["flush"])
    entries = writelog.parse(raw)
    tap.equal(sum(e.writes for e in entries), 60, "each write is in the log")
    tap.ok(writelog.replay(bytes(SIZE), entries) == disk,
           "all replayed is the disk")
    *_, last = writelog.crashes(bytes(SIZE), entries, 1)
    tap.ok(last.image == disk, "and is the last state, behind a flush")


def big_sectors(tmp):
    disk, raw = logged(tmp, ["write -P 1 8k 4k", "write -P 2 64k 8k",
                             "flush"], 4096)
    entries = writelog.parse(raw)
    tap.ok(writelog.replay(bytes(SIZE), entries) == disk,
           "a log of 4096-byte sectors")


def discarded(tmp):
    _, raw = logged(tmp, ["write -P 1 0 64k", "flush", "discard 4k 8k"])
    entries = writelog.parse(raw)
    kinds = [(e.flushes, e.data is None and e.writes) for e in entries]
    tap.ok((False, True) in kinds, "a discard is one", entries)
    image = writelog.replay(bytes(SIZE), entries)
    tap.ok(image[:4096] == b"\1" * 4096 and not any(image[4096:12288]) and
           image[12288:65536] == b"\1" * 53248, "and reads as zeros")


def at_boundaries(tmp):
    """What a flush covered is in every later state; the rest may be."""
    _, raw = logged(tmp, ["write -P 1 0 8k", "flush", "write -P 2 0 4k",
                          "write -P 3 8k 4k", "flush", "write -P 4 0 8k"])
    entries = writelog.parse(raw)
    states = list(writelog.crashes(bytes(SIZE), entries, 3, each=40))
    first = [i for i, e in enumerate(entries) if e.flushes][0] + 1
    second = [i for i, e in enumerate(entries) if e.flushes][1] + 1
    tap.ok(all(set(s.image[:8192]) <= {1, 2} for s in states
               if first <= s.at < second), "one flush: old or new")
    tap.ok(all(set(s.image[:4096]) <= {2, 4} and
               set(s.image[8192:12288]) == {3} for s in states
               if s.at >= second), "two flushes: old or new")
    seen = {bytes(s.image[n * SECTOR:(n + 1) * SECTOR])
            for s in states for n in range(16)}
    tap.ok(all(len(set(sector)) == 1 for sector in seen),
           "no sector is torn")
    torn = [s for s in states if s.at > second and
            set(s.image[:8192]) == {1, 2, 4}]
    tap.ok(torn, "writes are torn between sectors")
    tap.ok(any(set(s.image[:8192]) == {0, 1} for s in states if s.at <= first),
           "before the first flush too")
    again = list(writelog.crashes(bytes(SIZE), entries, 3, each=40))
    tap.ok(all(a.image == b.image for a, b in zip(states, again)),
           "the same seed, the same states")


def damaged():
    good = writelog.SUPER.pack(writelog.MAGIC, 1, 1, 512).ljust(512, b"\0")
    head = writelog.HEADER.pack(0, 1, 0, 0).ljust(512, b"\0")
    for what, raw in (
            ("nothing", b""), ("zeros", bytes(4096)),
            ("a short header", good + head[:8]),
            ("data that is cut off", good + head + bytes(511)),
            ("sectors of 500 bytes",
             struct.pack("<QQQI", writelog.MAGIC, 1, 0, 500).ljust(512))):
        try:
            writelog.parse(raw)
            tap.ok(False, f"refused: {what}")
        except writelog.BadLog as bad:
            tap.ok(True, f"refused: {what} ({bad})")
    fua = writelog.Entry(0, 512, writelog.FUA, b"x" * 512)
    tap.ok(all(writelog.crash(bytes(512), [fua], random.Random(n)) ==
               b"x" * 512 for n in range(50)), "what FUA carries has arrived")


with tempfile.TemporaryDirectory() as directory:
    whole(directory)
    big_sectors(directory)
    discarded(directory)
    at_boundaries(directory)
damaged()
tap.done()
