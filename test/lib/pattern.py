# SPDX-License-Identifier: ISC
"""
What a disk must hold after the guest's `diskpattern` (guest/disk/pattern.c).

    pattern = Pattern(seed=7, ops=400, sectors=2048)
    faults = pattern.check(image, base, flushed)

The image is what the disk held when the power was gone, `base` what it held
before the guest wrote, `flushed` the generation up to which the guest said that
all is flushed (flushed_up_to finds it in a console's text). Each sector of the
image that belongs to the pattern names a flush too, which had ended when it was
written: the latest of them all counts.

A sector is right if it is whole, as one generation wrote it there or as it was
before, and none that was written there later had been flushed. A fault is a line
of text; no fault, nothing was lost.
"""

import re
import struct

SECTOR = 512
MAGIC = 0x4e52455454415056
LONGEST = 64
MASK = (1 << 64) - 1
STEP = 0x9e3779b97f4a7c15
HEAD = struct.Struct("<5Q")
SAID = re.compile(r"^pattern: flushed up to generation (\d+)\n", re.M)
SHOWN = 5                       # faults of one image


def mix(z):
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & MASK
    z = (z ^ z >> 27) * 0x94d049bb133111eb & MASK
    return z ^ z >> 31


def content(seed, sector, head):
    """A sector, by the word that has its generation."""
    total = mix(mix(mix(seed) ^ sector) ^ head)
    words = [MAGIC, seed, sector, head]
    words += [(total + n * STEP) & MASK for n in range(60)]
    return struct.pack("<64Q", *words)


def flushed_up_to(text):
    """The last that a console said; a line that was cut off says nothing."""
    said = SAID.findall(text)
    return int(said[-1]) if said else 0


class Pattern:
    """
    written[S]  the generations that sector S was written in, the first first
    acked[G]    what was flushed when generation G was written
    """

    def __init__(self, seed, ops, sectors):
        self.seed = seed
        self.ops = ops
        self.sectors = sectors
        self.written = {}
        self.acked = [0]
        self.whole = {}         # sectors seen: their heads, None if not whole
        state, flushed = seed, 0
        for gen in range(1, ops + 1):
            state = state + STEP & MASK
            random = mix(state)
            self.acked.append(flushed)
            first, length = self.place(random)
            for sector in range(first, first + length):
                self.written.setdefault(sector, []).append(gen)
            if random >> 56 < 32 or gen == ops:
                flushed = gen

    def place(self, random):
        length = 1 + (random >> 3 & (7 if random & 7 else LONGEST - 1))
        length = min(length, self.sectors)
        return (random >> 9 & 0xffffffff) % (self.sectors - length + 1), length

    def head(self, raw):
        """The word with the generation of a sector; None: it is not one."""
        if raw not in self.whole:
            magic, seed, sector, head, _ = HEAD.unpack_from(raw)
            good = magic == MAGIC and raw == content(seed, sector, head)
            self.whole[raw] = (seed, sector, head) if good else None
        return self.whole[raw]

    def generation(self, sector, raw, before):
        """Of a sector of the image; a string says what is wrong."""
        if raw == before:
            return 0
        found = self.head(raw)
        if found is None:
            return "is torn, or was never written by anyone"
        seed, number, head = found
        gen = head & 0xffffffff
        if number != sector or seed != self.seed:
            return f"holds what belongs to sector {number}, seed {seed}"
        if gen not in self.written.get(sector, ()) or \
                self.acked[gen] != head >> 32:
            return f"holds generation {gen}, which was not written there"
        return gen

    def check(self, image, base, flushed=0):
        faults, gens = [], {}
        for sector in range(self.sectors):
            at = slice(sector * SECTOR, (sector + 1) * SECTOR)
            raw = bytes(image[at])
            if sector not in self.written:
                if raw != base[at]:
                    faults.append(f"sector {sector} was never written, and "
                                  f"has changed")
                continue
            gen = self.generation(sector, raw, base[at])
            if isinstance(gen, str):
                faults.append(f"sector {sector} {gen}")
                continue
            gens[sector] = gen
            flushed = max(flushed, self.acked[gen])
        for sector, gen in gens.items():
            must = [g for g in self.written[sector] if g <= flushed]
            if must and gen < must[-1]:
                faults.append(
                    f"sector {sector} is of generation {gen}; {must[-1]} was "
                    f"flushed (up to {flushed}) and is lost")
        if len(faults) > SHOWN:
            faults[SHOWN:] = [f"and {len(faults) - SHOWN} more"]
        return faults
