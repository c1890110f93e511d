# SPDX-License-Identifier: ISC
"""
The log that QEMU's blklogwrites keeps of what a guest writes, and what a disk
with a volatile cache could hold had the power failed at any moment of it.

    log = writelog.read("disk.log")
    for state in writelog.crashes(base, log, seed=1, each=3):
        state.image         # bytearray: the disk after the power failed
        state.at            # after how many of the log's entries
        state.where         # "after flush 4, some of 17 writes" for a person

crashes() stops at every flush: there all that was logged before is on the disk
(one state with nothing more), and of what was logged from there to the next
flush, or to the log's end, `each` times a random part. A part is made of
sectors: those of a write arrive in any number, each whole. What a FUA write
carries has arrived.

The format is Linux's (Documentation/admin-guide/device-mapper/log-writes.rst
and drivers/md/dm-log-writes.c): little-endian; at 0 a superblock of one sector,
then for each operation a sector with its header, and for what is no discard its
data. QEMU counts the entries only from time to time: open the log with
log-super-update-interval=1. QEMU 7.2 logs zeroing in two parts with a gap
between them, so that another write can get in there: keep to writes, flushes
and discards.
"""

import random
import struct

MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512
SUPER = struct.Struct("<QQQI")
HEADER = struct.Struct("<QQQQ")


class BadLog(Exception):
    """The log is not what the format says."""


class Entry:
    """An operation: bytes `data` (None: discarded) at byte `offset`."""

    def __init__(self, offset, length, flags, data):
        self.offset = offset
        self.length = length
        self.flags = flags
        self.data = data

    @property
    def writes(self):
        return self.length > 0 and not self.flags & MARK

    @property
    def flushes(self):
        return bool(self.flags & FLUSH)

    def __repr__(self):
        names = [n for n in ("FLUSH", "FUA", "DISCARD", "MARK")
                 if self.flags & globals()[n]]
        return f"<{self.length} at {self.offset} {' '.join(names)}>"


def parse(raw):
    """The entries of a log's bytes."""
    if len(raw) < SUPER.size:
        raise BadLog("no room for a superblock")
    magic, version, count, unit = SUPER.unpack_from(raw)
    if magic != MAGIC or version != 1:
        raise BadLog(f"magic {magic:#x}, version {version}")
    if unit < SECTOR or unit & (unit - 1):
        raise BadLog(f"sectors of {unit} bytes")
    entries, pos = [], unit
    for number in range(count):
        if pos + HEADER.size > len(raw):
            raise BadLog(f"entry {number} of {count} is behind the end")
        sector, sectors, flags, extra = HEADER.unpack_from(raw, pos)
        pos += unit
        length, data = sectors * unit, None
        if flags & MARK:
            pos += extra + -extra % unit
        elif not flags & DISCARD:
            data = raw[pos:pos + length]
            if len(data) != length:
                raise BadLog(f"the data of entry {number} is cut off")
            pos += length
        entries.append(Entry(sector * unit, length, flags, data))
    return entries


def read(path):
    with open(path, "rb") as f:
        return parse(f.read())


def apply(image, entry, sectors=None):
    """Puts it, or those of its sectors alone, onto the disk."""
    data = entry.data if entry.data is not None else bytes(entry.length)
    if sectors is None:
        image[entry.offset:entry.offset + entry.length] = data
        return
    for n in sectors:
        start = entry.offset + n * SECTOR
        image[start:start + SECTOR] = data[n * SECTOR:(n + 1) * SECTOR]


def some(rng, entry):
    """Which of a write's sectors arrive: all, none, or any."""
    count = entry.length // SECTOR
    luck = rng.random()
    if luck < 0.4:
        return []
    if luck < 0.7:
        return range(count)
    return [n for n in range(count) if rng.random() < 0.5]


class State:
    def __init__(self, image, at, where):
        self.image = image
        self.at = at
        self.where = where


def epochs(entries):
    """
    Lists of entries, each up to and with a flush: what must be there, and in
    the last list what came after all flushes.
    """
    epoch = []
    for entry in entries:
        epoch.append(entry)
        if entry.flushes:
            yield epoch
            epoch = []
    yield epoch


def crash(durable, pending, rng):
    """A disk on which a random part of what was pending has arrived."""
    image = bytearray(durable)
    for entry in pending:
        if entry.writes:
            apply(image, entry,
                  None if entry.flags & FUA else some(rng, entry))
    return image


def crashes(base, entries, seed, each=2):
    """See above. The base is not changed."""
    rng = random.Random(seed)
    durable, at, flushes = bytearray(base), 0, 0
    for epoch in epochs(entries):
        writes = sum(e.writes for e in epoch)
        yield State(bytearray(durable), at, f"after flush {flushes}")
        for _ in range(each if writes else 0):
            # The power fails anywhere in the epoch, its flush not done.
            upto = rng.randint(1, len(epoch) - epoch[-1].flushes)
            yield State(crash(durable, epoch[:upto], rng), at + upto,
                        f"after flush {flushes}, some of the next {upto} "
                        f"entries")
        for entry in epoch:
            if entry.writes:
                apply(durable, entry)
        at += len(epoch)
        flushes += 1


def replay(base, entries):
    """The disk as the guest sees it: everything has arrived."""
    image = bytearray(base)
    for entry in entries:
        if entry.writes:
            apply(image, entry)
    return image
