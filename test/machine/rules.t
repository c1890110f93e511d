#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=200
"""
The rules of Apple's machine, each broken and kept, by a test that stands in for
the processor: what devices offer, where their registers are, what they refuse,
and what becomes of who breaks a rule.
"""

import os
import socket
import struct
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import APPLEVZ
from peer import checksum
from qtest import Function, Qtest, Virtio

RAM = 0x70000000
HIGH = 0xa0000000               # with 512 MiB of RAM
RINGS, DATA = RAM + 0x100000, RAM + 0x200000

CSUM, MTU, MAC, STATUS = 1 << 0, 1 << 3, 1 << 5, 1 << 16
GUEST_TSO, HOST_TSO4, HOST_TSO6 = 3 << 7, 1 << 11, 1 << 12
TSO = GUEST_TSO | HOST_TSO4 | HOST_TSO6
PACKED, V1 = 1 << 34, 1 << 32
NET = 0x5300119ab


def machine(*devices, options=",strict=on", more=()):
    words = ["-M", "applevz" + options, "-m", "512M", *more]
    for device in devices:
        words += ["-device", device]
    return Qtest(APPLEVZ, words)


def says(q, reason, what):
    tap.ok(reason in q.said(), f"it is told: {what}", q.said())


def addresses():
    with machine("applevz-net", "applevz-xhci") as q:
        f, x = Function(q, 0x1041), Function(q, 0x1a06)
        tap.equal([f.config(at) for at in (0x10, 0x14, 0x18)], [12, 0, 0],
                  "no BAR has an address at the start")
        tap.equal(f.config(4) & 0xffff, 0x10, "the command is 0x10")
        tap.equal(f.config(0x3c) >> 8 & 0xff, 2, "the pin is B")
        tap.equal((f.bar_size(0), f.bar_size(2)), (0x4000, 0x40),
                  "net: BARs of 16 KiB and of 64 bytes")
        tap.equal((x.bar_size(0), x.bar_size(2)), (0x1000, 0x400),
                  "xhci: BARs of 4 and 1 KiB")
        f.set_config(0x18, 0x50001000)
        tap.equal(f.config(0x18), 0x50001000, "an address in the window")
        for addr in 0x4ffff000, 0x6ffe0000, RAM:
            f.set_config(0x18, addr)
            tap.equal(f.config(0x18), 0x50001000,
                      f"{addr:#x} is rejected: it keeps the old one")
        says(q, "net: BAR 2 at 0x0000000070000000 is outside", "a BAR in RAM")
        f.set_config(0x10, HIGH + 0x4000)
        f.set_config(0x14, 0)
        tap.equal(f.config(0x10), HIGH + 0x4000 | 12,
                  "the window above RAM is for 64-bit ones")
        f.set_config(0x10, 0)
        f.set_config(0x14, 1)
        tap.equal((f.config(0x10), f.config(0x14)), (HIGH + 0x4000 | 12, 0),
                  "0x100000000 is rejected")
        x.assign(0x50010000)
        tap.equal((q.read32(0x50010000), q.read32(0x50010004) >> 24),
                  (0x01100040, 16), "xhci: 1.10, 16 ports")
        tap.ok(q.read32(0x50010044) & 1, "xhci: halted")
        tap.equal(q.read32(0x1fff0008), 0x00800080,
                  "the GICv2m frame: INTIDs 128-255")


def assigned():
    for option, all_set in ("some", False), ("all", True):
        with machine("applevz-net", "applevz-xhci",
                     options=f",assign={option}") as q:
            f, x = Function(q, 0x1041), Function(q, 0x1a06)
            tap.equal((f.config(0x10) & ~15, f.config(4) & 0xffff),
                      (HIGH, 0x16), f"assign={option}: net, and it is on")
            tap.equal((bool(x.config(0x10)), x.config(4) & 0xffff),
                      (all_set, 0x10), f"assign={option}: xhci is not on")


def config_space():
    with machine(options=",odd-bytes=on") as q:
        tap.equal(q.read32(0x40000000), 0x1a05106b, "a word is read well")
        tap.ok(q.access("read", 1, 0x40000000) != 0x6b, "a byte is not")
    with machine("applevz-gpu,late-ms=100") as q:
        try:
            Function(q, 0x1050)
            tap.ok(False, "a late device is not there")
        except LookupError:
            tap.ok(True, "a late device is not there")
        q.step_us(100000)
        tap.ok(Function(q, 0x1050), "and then it is")


def layouts():
    for option, where, multiplier in (
            ("compact", (0, 0x1000, 0x3000, 0x2000), 4),
            ("wide", (0, 0x4000, 0x1000, 0x8000), 4),
            ("wide16", (0, 0x4000, 0x1000, 0x8000), 16)):
        with machine(f"applevz-net,layout={option}") as q:
            f = Function(q, 0x1041)
            f.assign()
            v = Virtio(f)
            tap.equal((tuple(v.where[i] for i in (1, 2, 3, 4)), v.multiplier),
                      (where, multiplier), f"layout={option}")
            tap.ok(v.agree(V1 | MTU), f"layout={option} works")


def resets():
    with machine("applevz-entropy,reset-us=500") as q:
        f = Function(q, 0x1044)
        f.assign()
        v = Virtio(f)
        tap.equal(v.offered(), 0x530000000, "entropy: what it offers")
        v.set("status", 3)
        v.set("status", 0)
        tap.equal(v.get("status"), 3, "a reset is not confirmed at once")
        v.set("status", 1)
        q.step_us(500)
        tap.equal(v.get("status"), 0, "then it is; status came too early")
        says(q, "entropy: status 0x1 was written before", "early status")
        tap.ok(not v.agree(0), "VERSION_1 is a must")
        tap.ok("common configuration" not in q.said(), "each at its width",
               q.said())
        q.read32(v.at[v.COMMON] + 16)
        says(q, "entropy: 4 bytes at +0x10 of the common", "two fields at once")


def features():
    agreed = [
        (V1, False), (V1 | MAC, False), (V1 | MAC | STATUS, False),
        (V1 | MTU | MAC, True), (NET & ~PACKED, True), (NET, True),
        (V1 | MTU | MAC | HOST_TSO4 | HOST_TSO6 | CSUM, False),
        (V1 | MTU | MAC | TSO | CSUM, True), (V1 | MTU | 1 << 15, False)]
    with machine("applevz-net,mtu=4000") as q:
        f = Function(q, 0x1041)
        f.assign()
        v = Virtio(f)
        tap.equal(v.offered(), NET, "net: what it offers")
        tap.equal((v.config(10, 2), v.config(6, 2)), (4000, 1),
                  "net: the MTU and the link")
        for bits, good in agreed:
            tap.equal(v.agree(bits), good,
                      f"net: {bits:#x} is {'taken' if good else 'refused'}")
        says(q, "FEATURES_OK is refused: MTU was not accepted", "the MTU")
        says(q, "of the four TSO features, all or none", "part of TSO")
    with machine("applevz-net,tso-lenient=on,ring-reset=on") as q:
        f = Function(q, 0x1041)
        f.assign()
        v = Virtio(f)
        some = V1 | MTU | HOST_TSO4 | CSUM
        tap.ok(not v.agree(some), "RING_RESET is a must, where offered")
        tap.ok(v.agree(some | 1 << 40), "tso-lenient takes part of TSO")


class Wire:
    """A network device with its two queues, and the cable's other end."""

    def __init__(self, tmp, options="", features=V1 | MTU | MAC):
        ours = f"{tmp}/a{len(os.listdir(tmp))}"
        theirs = ours + "-qemu"
        self.cable = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.cable.bind(ours)
        self.cable.settimeout(10)
        self.theirs = theirs
        self.q = machine(f"applevz-net,netdev=n{options}", more=[
            "-netdev", f"dgram,id=n,local.type=unix,local.path={theirs},"
            f"remote.type=unix,remote.path={ours}"])
        f = Function(self.q, 0x1041)
        f.assign()
        self.v = Virtio(f)
        self.start(features)

    def start(self, features=V1 | MTU | MAC):
        self.v.agree(features)
        self.v.queue(0, RINGS)
        self.v.queue(1, RINGS + 0x4000)
        self.v.set("status", 15)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.q.__exit__()
        self.cable.close()

    def send(self, data, header=bytes(12)):
        self.q.write(DATA, header + data)
        self.v.post(1, (DATA, 12 + len(data), False))

    def come(self, data):
        self.cable.sendto(data, self.theirs)

    def sent(self, seconds=10):
        self.cable.settimeout(seconds)
        try:
            return self.cable.recv(70000)
        except TimeoutError:
            return None


def buffers(tmp):
    short = b"\xff" * 12 + b"\x88\xb5" + b"hello"
    with Wire(tmp) as w:
        w.v.post(0, (DATA + 0x10000, 1530, True))
        w.come(short)
        tap.equal(w.v.used(0, 1), (1, 12 + len(short)),
                  "net: a buffer of 1530 bytes will do, nothing is padded")
        tap.equal(w.q.read(DATA + 0x10000, 12 + len(short)),
                  bytes(10) + b"\1\0" + short,
                  "net: a header of 12 bytes, num_buffers is 1")
        w.send(short)
        tap.equal(w.sent(), short, "net: it sends, and does not pad")
        w.v.post(0, (DATA + 0x10000, 1529, True))
        w.come(short)
        for _ in range(100):
            w.q.step_us(1000)
            if "wedged" in w.q.said():
                break
        says(w.q, "net: a receive buffer of 1529 bytes: the device is wedged",
             "a buffer of 1529 bytes")
        before = w.v.used(1)[0]
        w.send(short)
        tap.ok(w.sent(1) is None and w.v.used(1)[0] == before,
               "net: which stops transmission as well")
        w.start()
        w.send(short)
        tap.equal(w.sent(), short, "net: until the reset")


def tcp_segment(size):
    tcp = struct.pack(">HHIIBBHHH", 80, 81, 1000, 0, 0x50, 0x19, 100, 0, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + size, 7, 0, 64, 6, 0,
                     bytes([10, 0, 2, 15]), bytes([10, 0, 2, 2]))
    data = bytes(i * 7 % 251 for i in range(size))
    return b"\x02" * 12 + b"\x08\x00" + ip + tcp + data, data


def good_piece(frame, number, last):
    """Its data; None if something in its headers is wrong."""
    ip, tcp = frame[14:34], frame[34:54]
    length, ident = struct.unpack(">HH", ip[2:6])
    seq, = struct.unpack(">I", tcp[4:8])
    pseudo = ip[12:20] + struct.pack(">BBH", 0, 6, len(frame) - 34)
    good = (length == len(frame) - 14 and ident == 7 + number and
            checksum(ip) == 0 and checksum(pseudo + frame[34:]) == 0 and
            seq == 1000 + 1000 * number and
            tcp[13] == (0x19 if last else 0x10))
    return frame[54:] if good else None


def offload(tmp):
    with Wire(tmp, ",mtu=4000", V1 | MTU | MAC | CSUM | TSO) as w:
        frame, data = tcp_segment(2500)
        w.send(frame, struct.pack("<BBHHHHH", 1, 1, 54, 1000, 34, 16, 0))
        pieces = [w.sent() for _ in range(3)]
        tap.equal(b"".join(good_piece(p, i, i == 2) or b"?"
                           for i, p in enumerate(pieces) if p), data,
                  "net: a segment is cut into pieces with good headers")
        # The sum of the pseudo header is there, as a driver leaves it.
        frame, data = tcp_segment(101)
        pseudo = frame[26:34] + struct.pack(">BBH", 0, 6, len(frame) - 34)
        partial = 0xffff - checksum(pseudo)
        frame = frame[:50] + struct.pack(">H", partial) + frame[52:]
        w.send(frame, struct.pack("<BBHHHHH", 1, 0, 0, 0, 34, 16, 0))
        got = w.sent()
        tap.ok(got and checksum(pseudo + got[34:]) == 0,
               "net: a checksum is computed", repr(got))
        w.send(frame, struct.pack("<BBHHHHH", 1, 0, 0, 0, 5000, 16, 0))
        w.send(frame)
        tap.equal(w.sent(), frame, "net: but not one outside of the frame")
        says(w.q, "a checksum at 5000 + 16", "a checksum outside")


def display():
    with machine("applevz-gpu,xres=640,yres=480") as q:
        f = Function(q, 0x1050)
        f.assign()
        v = Virtio(f)
        tap.equal(v.offered(), 0x530000000, "gpu: what it offers")
        tap.equal(v.config(8, 4), 1, "gpu: one scanout")
        for room, good in (408, True), (407, False):
            v.agree(V1)
            v.queue(0, RINGS)
            v.queue(1, RINGS + 0x4000)
            v.set("status", 15)
            q.write(DATA, struct.pack("<IIQIBxxx", 0x100, 0, 0, 0, 0))
            v.post(0, (DATA, 24, False), (DATA + 0x1000, room, True))
            count, length = v.used(0, 1, 10 if good else 1)
            if good:
                answer = struct.unpack("<I20xIIIII", q.read(DATA + 0x1000, 44))
                tap.equal((count, length, answer),
                          (1, 408, (0x1101, 0, 0, 640, 480, 1)),
                          "gpu: display information, with room for it")
                continue
            tap.equal((count, v.get("status")), (0, 0x4f),
                      "gpu: with a byte less, DEVICE_NEEDS_RESET")
            says(q, "gpu: room for 407 of the 408 bytes", "too little room")


class Display:
    """A display device with a picture of 16 x 16 pixels."""

    def __init__(self, q):
        f = Function(q, 0x1050)
        f.assign()
        self.q, self.v, self.count = q, Virtio(f), 0
        self.v.agree(V1)
        self.v.queue(0, RINGS)
        self.v.queue(1, RINGS + 0x4000)
        self.v.set("status", 15)

    def command(self, kind, *words):
        data = struct.pack(f"<IIQII{len(words)}I", kind, 0, 0, 0, 0, *words)
        self.q.write(DATA, data)
        self.v.post(0, (DATA, len(data), False), (DATA + 0x1000, 24, True))
        self.count += 1
        self.v.used(0, self.count)
        return self.q.read32(DATA + 0x1000)

    def show(self, pixels, tmp):
        """Pixels (B, G, R, X) as the screen has them (R, G, B)."""
        whole = 0, 0, 16, 16
        self.q.write(DATA + 0x2000, pixels)
        for command in ((0x101, 1, 2, 16, 16),
                        (0x106, 1, 1, DATA + 0x2000, 0, 1024, 0),
                        (0x103, *whole, 0, 1),
                        (0x105, *whole, 0, 0, 1, 0),
                        (0x104, *whole, 1, 0)):
            if self.command(*command) != 0x1100:
                return f"command {command[0]:#x} failed"
        self.q.qmp("screendump", filename=f"{tmp}/ppm")
        with open(f"{tmp}/ppm", "rb") as f:
            return f.read()[-768:]


def picture(tmp):
    pixels = b"".join(bytes([200, 100, 50, x]) for x in (255, 128, 0, 255) * 64)
    opaque = bytes([50, 100, 200])
    for option, want in (("", opaque * 256), (",x-is-alpha=on", (
            opaque + bytes([25, 50, 100]) + bytes(3) + opaque) * 64)):
        with machine("applevz-gpu,id=g" + option) as q:
            d = Display(q)
            tap.equal(d.show(pixels, tmp), want, f"gpu{option}: the picture")
            if option:
                continue
            q.qmp("qom-set", path="/machine/peripheral/g", property="size",
                  value="800x600")
            tap.equal(d.v.config(0, 4), 1, "gpu: a resize is an event")
            q.write(DATA, struct.pack("<IIQII", 0x100, 0, 0, 0, 0))
            d.v.post(0, (DATA, 24, False), (DATA + 0x1000, 408, True))
            d.v.used(0, d.count + 1)
            tap.equal(struct.unpack("<II", q.read(DATA + 0x1020, 8)),
                      (800, 600), "gpu: which the display information has")


def quiet():
    with machine("applevz-net", options="") as q:
        f = Function(q, 0x1041)
        f.assign()
        tap.ok(not Virtio(f).agree(V1), "the same happens where not strict")
        f.set_config(0x18, RAM)
        tap.equal(q.said(), "", "and nothing is said")


def main():
    addresses()
    assigned()
    config_space()
    layouts()
    resets()
    features()
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        buffers(tmp)
        offload(tmp)
        picture(tmp)
    display()
    quiet()
    tap.done()


main()
