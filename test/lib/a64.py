# SPDX-License-Identifier: ISC
"""A64 code as a disassembler shows it, and what may not be in it."""

import ctypes
import os
import re
import struct
import subprocess

CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")

# Instructions that an indirect call may land on: BTI c, BTI jc, PACIASP,
# PACIBSP.
PADS = {0xd503245f, 0xd50324df, 0xd503233f, 0xd503237f}


class Insn:
    """One instruction: address, word, text, and the symbol it is under."""

    def __init__(self, address, word, text, symbol):
        self.address = address
        self.word = word
        self.text = text
        self.symbol = symbol

    def __str__(self):
        return f"{self.address:x} <{self.symbol}> {self.word:08x} {self.text}"


def tool(name, *args):
    return subprocess.run([CROSS + name, *args], check=True, text=True,
                          capture_output=True).stdout


def disassemble(path, *args):
    """Every instruction of the executable sections; data is left out."""
    symbol = "?"
    out = []
    for line in tool("objdump", "-d", "-z", *args, path).splitlines():
        head = re.match(r"^[0-9a-f]+ <(.*)>:$", line)
        if head:
            symbol = head.group(1)
            continue
        body = re.match(r"^ *([0-9a-f]+):\t([0-9a-f]{8}) *\t(.*)$", line)
        if body and not body.group(3).startswith((".word", ".inst")):
            text = " ".join(body.group(3).split("//")[0].split())
            out.append(Insn(int(body.group(1), 16), int(body.group(2), 16),
                            text, symbol))
    return out


class Forms:
    """The instruction checker's decoder (machine/isv/form.c)."""

    def __init__(self, top, directory):
        library = os.path.join(directory, "libform.so")
        subprocess.run([os.environ.get("HOSTCC", "cc"), "-shared", "-fPIC",
                        "-o", library,
                        os.path.join(top, "machine", "isv", "form.c")],
                       check=True)
        self.library = ctypes.CDLL(library)
        self.library.isv_form_name.restype = ctypes.c_char_p
        self.library.isv_form.argtypes = [ctypes.c_uint32]

    def name(self, word):
        return self.library.isv_form_name(self.library.isv_form(word)).decode()


def uses_simd(forms, insn):
    """A SIMD, floating point or SVE register is read or written."""
    return (insn.word >> 25) & 7 == 7 or forms.name(insn.word) == "simd"


def is_dc_zva(insn):
    return insn.word & 0xffffffe0 == 0xd50b7420


def bits(word, high, low):
    return (word >> low) & ((1 << (high - low + 1)) - 1)


def may_be_unaligned(insn):
    """
    A load or store that is unaligned although its base is aligned: an unscaled
    offset or an index step that is no multiple of the size, an index register
    that is not scaled.
    """
    w = insn.word
    if w & 0x3b000000 != 0x38000000 or w >> 30 == 0:
        return False            # scaled, a pair, a literal; or a byte
    size = 1 << (w >> 30)
    if bits(w, 21, 21) == 0:    # imm9: unscaled, pre- and post-index
        return bits(w, 20, 12) % size != 0
    if bits(w, 11, 10) == 2:    # register offset
        return bits(w, 12, 12) == 0
    return False


def breach_before_mmu(forms, insn):
    """What is wrong with an instruction that runs with the MMU off, or ''."""
    form = forms.name(insn.word)
    if uses_simd(forms, insn):
        return "simd"
    if form in ("exclusive", "atomic", "copy", "tag", "other"):
        return form
    if is_dc_zva(insn):
        return "dc zva"
    if may_be_unaligned(insn):
        return "unaligned"
    return ""


class Elf:
    """A linked ELF file: sections that have contents, and symbols of code."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        shoff, = struct.unpack_from("<Q", self.data, 0x28)
        shentsize, shnum = struct.unpack_from("<HH", self.data, 0x3a)
        self.sections = []
        for i in range(shnum):
            (_, kind, flags, addr, offset, size) = struct.unpack_from(
                "<IIQQQQ", self.data, shoff + i * shentsize)
            if kind == 1 and flags & 2:         # PROGBITS, ALLOC
                self.sections.append((addr, size, offset, bool(flags & 4)))
        self.symbols = {}       # address: names, those of code only
        self.names = {}
        for line in tool("nm", path).splitlines():
            value, kind, name = line.split(" ", 2)[-3:]
            if not value.strip():
                continue
            self.names[name] = int(value, 16)
            if kind in "tT" and not name.startswith(("$", ".")):
                self.symbols.setdefault(int(value, 16), []).append(name)

    def words(self, size):
        """(address, value, in code) of every aligned word."""
        for addr, length, offset, code in self.sections:
            start = -addr % size
            for at in range(start, length - size + 1, size):
                value = int.from_bytes(
                    self.data[offset + at:offset + at + size], "little")
                yield addr + at, value, code

    def code_word(self, address):
        for addr, length, offset, code in self.sections:
            if code and addr <= address < addr + length:
                at = offset + address - addr
                return int.from_bytes(self.data[at:at + 4], "little")
        return None


def adrp_targets(insns):
    """Addresses that ADRP with ADD, or ADR, compute: {target: Insn}."""
    found = {}
    page = {}
    symbol = None
    for i in insns:
        if i.symbol != symbol:
            page, symbol = {}, i.symbol
        w = i.word
        if w & 0x9f000000 in (0x90000000, 0x10000000):
            imm = bits(w, 23, 5) << 2 | bits(w, 30, 29)
            imm -= (imm & 1 << 20) << 1
            if w >> 31:
                page[w & 31] = ((i.address & ~0xfff) + (imm << 12)) & (1 << 64) - 1
            else:
                found[(i.address + imm) & (1 << 64) - 1] = i
        elif w & 0xffc00000 == 0x91000000 and bits(w, 9, 5) in page:
            found[page[bits(w, 9, 5)] + bits(w, 21, 10)] = i
    return found


def without_pad(path, ignore=(), places=frozenset()):
    """
    Functions whose address is taken and which begin with no landing pad. An
    address is taken by a word of data (or of a literal pool) or by code; what
    lies between two symbols of `ignore` is not looked at, and symbols of
    `places` are no functions. Returns (missing, number of functions whose
    address is taken).
    """
    elf = Elf(path)
    insns = disassemble(path)
    ranges = [(elf.names[a], elf.names[b]) for a, b in ignore
              if a in elf.names and b in elf.names]
    taken = {}
    for at, value, _ in elf.words(8):
        if value in elf.symbols and not any(a <= at < b for a, b in ranges):
            taken[value] = f"{at:x}"
    for target, insn in adrp_targets(insns).items():
        if target in elf.symbols and not any(
                a <= insn.address < b for a, b in ranges):
            taken[target] = str(insn)
    missing = [f"{elf.symbols[a][0]}: address taken at {by}"
               for a, by in sorted(taken.items())
               if elf.code_word(a) not in PADS
               and not places.issuperset(elf.symbols[a])]
    return missing, len(taken)
