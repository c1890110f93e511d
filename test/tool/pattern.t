#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The judge of disk images (test/lib/pattern.py): it passes what a disk may do,
and finds a flush that was left out, once, anywhere.
"""

import os
import random
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import writelog
from pattern import SECTOR, STEP, Pattern, content, flushed_up_to, mix

OPS, SECTORS = 80, 384
BASE = bytes(range(256)) * (2 * SECTORS)


def guest(seed, without=None):
    """
    The log of a guest that writes the pattern; number `without` of its flushes
    is not carried out.
    """
    pattern = Pattern(seed, OPS, SECTORS)
    log, state, flushed, flushes = [], seed, 0, 0
    for gen in range(1, OPS + 1):
        state = state + STEP & (1 << 64) - 1
        first, length = pattern.place(mix(state))
        data = b"".join(content(seed, s, flushed << 32 | gen)
                        for s in range(first, first + length))
        log.append(writelog.Entry(first * SECTOR, len(data), 0, data))
        if mix(state) >> 56 < 32 or gen == OPS:
            if flushes != without:
                log.append(writelog.Entry(0, 0, writelog.FLUSH, None))
            flushes += 1
            flushed = gen
    return pattern, log, flushes


def faults(pattern, log, seed, each=8):
    return [f for state in writelog.crashes(BASE, log, seed, each)
            for f in pattern.check(state.image, BASE)]


def right():
    for seed in (1, 2, 3):
        pattern, log, _ = guest(seed)
        found = faults(pattern, log, seed)
        tap.ok(not found, f"seed {seed}: a disk that keeps its word", *found)


def left_out():
    pattern, _, flushes = guest(1)
    # Of few writes between two flushes it takes more moments to see it.
    missed = [n for n in range(flushes - 1)
              if not any(faults(pattern, guest(1, n)[1], n, each)
                         for each in (4, 40, 200))]
    tap.ok(not missed, f"each of {flushes - 1} flushes left out is found",
           f"not found: {missed}")


def said():
    pattern, log, _ = guest(4)
    image = writelog.replay(BASE, log)
    tap.ok(not pattern.check(image, BASE, OPS), "all that was said is there")
    tap.ok(pattern.check(BASE, BASE, OPS), "nothing of what was said is")
    text = ("pattern: flushed up to generation 12\nx\n"
            "pattern: flushed up to generation 34\n"
            "pattern: flushed up to generation 5")
    tap.equal(flushed_up_to(text), 34, "a line that is cut off says nothing")


def damaged():
    pattern, log, _ = guest(5)
    image = writelog.replay(BASE, log)
    rng = random.Random(1)
    sector = rng.choice(sorted(pattern.written))
    at = sector * SECTOR
    other = next(s for s in pattern.written if s != sector) * SECTOR

    def with_bytes(offset, data):
        bad = bytearray(image)
        bad[offset:offset + len(data)] = data
        return pattern.check(bad, BASE, OPS)

    untouched = next(s for s in range(SECTORS) if s not in pattern.written)
    for what, bad in (
            ("a bit", with_bytes(at + 300, bytes([image[at + 300] ^ 4]))),
            ("a sector half old",
             with_bytes(at, BASE[at:at + SECTOR // 2])),
            ("a sector of zeros", with_bytes(at, bytes(SECTOR))),
            ("a sector in another's place",
             with_bytes(at, image[other:other + SECTOR])),
            ("another seed's", with_bytes(at, content(6, sector, 1))),
            ("a generation that went elsewhere",
             with_bytes(at, content(5, sector, OPS + 1))),
            ("a generation with the wrong flush",
             with_bytes(at, content(5, sector, 99 << 32 |
                                    pattern.written[sector][0]))),
            ("a sector outside", with_bytes(untouched * SECTOR,
                                            bytes(SECTOR)))):
        tap.ok(len(bad) >= 1, f"found: {what}", bad)


right()
left_out()
said()
damaged()
tap.done()
