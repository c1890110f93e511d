# SPDX-License-Identifier: ISC
"""
A machine of QEMU's without a processor: the test is the processor.

    with Qtest(QEMU, ["-M", "applevz", "-device", "applevz-net"]) as q:
        q.read32(0x10000000)
        q.write32(0x40008010, 0x50000000)
        q.write(0x70000000, b"bytes")
        q.step_us(200)              # time passes only so
        q.said()                    # what QEMU printed
        q.qmp("system_reset")       # a command of its monitor

    f = Function(q, 0x1041)         # on bus 0, by its device id
    f.assign(); v = Virtio(f)       # its registers, by its capabilities
"""

import json
import os
import socket
import struct
import subprocess
import tempfile
import time

ECAM = 0x40000000


class Qtest:
    def __init__(self, qemu, words, limit=60):
        self.tmp = tempfile.TemporaryDirectory(prefix="paravane-")
        self.log = os.path.join(self.tmp.name, "log")
        path = os.path.join(self.tmp.name, "qtest")
        self.monitor, self.asked = os.path.join(self.tmp.name, "qmp"), None
        with socket.socket(socket.AF_UNIX) as listener, \
                open(self.log, "wb") as log:
            listener.bind(path)
            listener.listen(1)
            listener.settimeout(30)
            self.proc = subprocess.Popen(
                ["timeout", "-k", "5", str(limit), qemu, "-nodefaults",
                 "-display", "none", "-accel", "qtest", "-qtest",
                 f"unix:{path}", "-qtest-log", "none", "-qmp",
                 f"unix:{self.monitor},server=on,wait=off"] + words,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                self.sock = listener.accept()[0]
            except TimeoutError:
                self.proc.terminate()   # and timeout(1) ends QEMU
                self.proc.wait()
                raise RuntimeError(self.said()) from None
        self.sock.settimeout(30)
        self.file = self.sock.makefile("rw")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.asked:
            self.asked.close()
        self.file.close()
        self.sock.close()
        self.proc.terminate()
        self.proc.wait()
        self.tmp.cleanup()

    def said(self):
        with open(self.log, encoding="utf-8") as f:
            return f.read()

    def call(self, line):
        self.file.write(line + "\n")
        self.file.flush()
        while True:
            answer = self.file.readline()
            if not answer:
                raise RuntimeError(f"QEMU ended at {line}: {self.said()}")
            if answer.startswith("OK"):
                return answer.split()[1:]
            if not answer.startswith("IRQ"):
                raise RuntimeError(f"{line}: {answer}")

    def qmp(self, command, **arguments):
        if self.asked is None:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(30)
                sock.connect(self.monitor)
                self.asked = sock.makefile("rw")
            self.asked.readline()
            self.qmp("qmp_capabilities")
        self.asked.write(json.dumps({"execute": command,
                                     "arguments": arguments}) + "\n")
        self.asked.flush()
        while True:
            answer = json.loads(self.asked.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def access(self, kind, size, addr, *value):
        letter = {1: "b", 2: "w", 4: "l"}[size]
        answer = self.call(" ".join([f"{kind}{letter}", hex(addr),
                                     *map(hex, value)]))
        return int(answer[0], 16) if answer else None

    def read32(self, addr):
        return self.access("read", 4, addr)

    def write32(self, addr, value):
        self.access("write", 4, addr, value)

    def read(self, addr, size):
        return bytes.fromhex(self.call(f"read {addr:#x} {size:#x}")[0][2:])

    def write(self, addr, data):
        self.call(f"write {addr:#x} {len(data):#x} 0x{data.hex()}")

    def step_us(self, us):
        self.call(f"clock_step {us * 1000}")


class Function:
    """A PCI function of bus 0."""

    def __init__(self, q, device):
        self.q, self.bars = q, {}
        for slot in range(32):
            self.base = ECAM + (slot << 15)
            if self.config(0) >> 16 == device:
                return
        raise LookupError(f"no device {device:04x}")

    def config(self, at):
        return self.q.read32(self.base + at)

    def set_config(self, at, value):
        self.q.write32(self.base + at, value)

    def bar_size(self, n):
        at = 0x10 + n * 4
        old = self.config(at)
        self.set_config(at, 0xffffffff)
        size = -(self.config(at) & ~15) & 0xffffffff
        self.set_config(at, old)
        return size

    def assign(self, low=0x50000000, high=None):
        """BARs 0 and 2; the first where `high` is, or with the others."""
        self.bars[0] = high or low
        self.set_config(0x10, self.bars[0] & 0xffffffff)
        if high:
            self.set_config(0x14, high >> 32)
        self.bars[2] = low + 0x100000
        self.set_config(0x18, self.bars[2])
        self.set_config(4, 6)

    def capabilities(self):
        """Offset and id of each."""
        at = self.config(0x34) & 0xff
        while at:
            word = self.config(at)
            yield at, word & 0xff
            at = word >> 8 & 0xff


class Virtio:
    """The registers of a function with virtio's capabilities."""

    FIELDS = {"dfselect": (0, 4), "df": (4, 4), "gfselect": (8, 4),
              "gf": (12, 4), "config_vector": (16, 2), "queues": (18, 2),
              "status": (20, 1), "select": (22, 2), "size": (24, 2),
              "vector": (26, 2), "enable": (28, 2), "notify": (30, 2),
              "desc": (32, 4), "desc_high": (36, 4), "avail": (40, 4),
              "used": (48, 4)}
    COMMON, NOTIFY, ISR, DEVICE = 1, 2, 3, 4

    def __init__(self, f):
        self.f, self.q, self.at, self.where = f, f.q, {}, {}
        self.rings = {}
        for at, kind in f.capabilities():
            if kind != 9:
                continue
            what, bar = f.config(at) >> 24, f.config(at + 4) & 0xff
            if what > 4:
                continue
            self.where[what] = f.config(at + 8)
            self.at[what] = f.bars.get(bar, 0) + self.where[what]
            if what == self.NOTIFY:
                self.multiplier = f.config(at + 16)

    def get(self, field):
        offset, size = self.FIELDS[field]
        return self.q.access("read", size, self.at[self.COMMON] + offset)

    def set(self, field, value):
        offset, size = self.FIELDS[field]
        self.q.access("write", size, self.at[self.COMMON] + offset, value)

    def config(self, at, size):
        return self.q.access("read", size, self.at[self.DEVICE] + at)

    def offered(self):
        bits = 0
        for half in 0, 1:
            self.set("dfselect", half)
            bits |= self.get("df") << 32 * half
        return bits

    def reset(self, us=1000):
        self.set("status", 0)
        self.q.step_us(us)

    def agree(self, features):
        """True if the device keeps FEATURES_OK."""
        self.reset()
        self.set("status", 1)
        self.set("status", 3)
        for half in 0, 1:
            self.set("gfselect", half)
            self.set("gf", features >> 32 * half & 0xffffffff)
        self.set("status", 11)
        return bool(self.get("status") & 8)

    def queue(self, n, base, size=16):
        """A split ring of `size` at a page of RAM and the two behind it."""
        self.q.write(base, bytes(0x3000))
        self.set("select", n)
        self.set("size", size)
        self.set("desc", base)
        self.set("avail", base + 0x1000)
        self.set("used", base + 0x2000)
        self.set("enable", 1)
        self.rings[n] = [base, size, 0]

    def post(self, n, *pieces):
        """A chain: (address, length, does the device write it)."""
        base, size, count = self.rings[n]
        first = count * 4 % size
        for i, (addr, length, writes) in enumerate(pieces):
            last = i == len(pieces) - 1
            self.q.write(base + (first + i) * 16, struct.pack(
                "<QIHH", addr, length, 2 * writes | (not last),
                0 if last else first + i + 1))
        self.q.write(base + 0x1004 + count % size * 2,
                     struct.pack("<H", first))
        self.rings[n][2] = count = count + 1
        self.q.write(base + 0x1002, struct.pack("<H", count))
        self.q.access("write", 2, self.at[self.NOTIFY] +
                      n * self.multiplier, n)

    def used(self, n, at_least=0, seconds=10):
        """How many chains came back; and the last one's length."""
        base, size, _ = self.rings[n]
        deadline = time.monotonic() + seconds
        while True:
            count, = struct.unpack("<H", self.q.read(base + 0x2002, 2))
            if count >= at_least or time.monotonic() > deadline:
                break
            self.q.step_us(100)
        length = struct.unpack("<I", self.q.read(
            base + 0x2004 + (count - 1) % size * 8 + 4, 4))[0]
        return count, length if count else 0
