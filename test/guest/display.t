#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
What the display shows, pixel by pixel: the text console against a rendering of
the same text by this test, from the packaged font; the picture that fbdemo
draws from EL0 against its formula; both again after resizes, which are asked
for as a viewer does, through a remote framebuffer client of the test's own.
Then a display of two heads, which come and go, each with a picture of its own;
what its EDID says; and the cursor, as a viewer is told of it. Last, displays
of sizes for which there is no memory, or which are none.
"""

import os
import re
import socket
import struct
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import GPU, PROMPT, Failure, Guest

FONT = os.path.join(TOP, "build", "font.psf")
FOREGROUND = bytes([0xaa, 0xaa, 0xaa])
BACKGROUND = bytes([0, 0, 0])
CLEAR = "\x0c"

SIZES = [(800, 600), (1024, 768), (640, 480), (1366, 768), (1280, 1024),
         (333, 257), (1600, 900), (720, 400), (1920, 1080), (1000, 700)]


class Font:
    """A PC Screen Font, version 1 or 2."""

    def __init__(self, path):
        with open(path, "rb") as f:
            data = f.read()
        if data[:2] == b"\x36\x04":
            count = 512 if data[2] & 1 else 256
            start, self.height, self.width = 4, data[3], 8
            size, table = self.height, data[2] & 6
        else:
            (_, _, start, flags, count, size, self.height,
             self.width) = struct.unpack_from("<8I", data)
            table = flags & 1
        bits = data[start:start + count * size]
        self.stride = size // self.height
        self.glyphs = [bits[i * size:(i + 1) * size] for i in range(count)]
        self.map = {}
        if table:
            self.read_map(data[start + count * size:], data[:2])

    def read_map(self, table, magic):
        if magic == b"\x36\x04":
            words = struct.unpack(f"<{len(table) // 2}H",
                                  table[:len(table) & ~1])
            glyph, sequence = 0, False
            for word in words:
                if word == 0xffff:
                    glyph, sequence = glyph + 1, False
                elif word == 0xfffe:
                    sequence = True
                elif not sequence:
                    self.map.setdefault(chr(word), glyph)
            return
        for glyph, entry in enumerate(table.split(b"\xff")[:-1]):
            for char in entry.split(b"\xfe")[0].decode():
                self.map.setdefault(char, glyph)

    def row(self, char, y):
        """One row of a character: a list of booleans."""
        glyph = self.glyphs[self.map[char]]
        line = glyph[y * self.stride:(y + 1) * self.stride]
        return [bool(line[x // 8] & 0x80 >> x % 8) for x in range(self.width)]


def text_picture(font, lines, cursor, width, height):
    """The console's pixels when it shows these lines. cursor: column, row."""
    columns, rows = width // font.width, height // font.height
    picture = bytearray(BACKGROUND * (width * height))
    for y, line in enumerate(lines[:rows]):
        for fy in range(font.height):
            row = bytearray()
            for x in range(columns):
                char = line[x] if x < len(line) else " "
                for on in font.row(char, fy):
                    if (x, y) == cursor:
                        on = not on
                    row += FOREGROUND if on else BACKGROUND
            at = (y * font.height + fy) * width * 3
            picture[at:at + len(row)] = row
    return bytes(picture)


def demo_picture(width, height):
    """What guest/user/prog/fbdemo.c says that it draws."""
    reds = bytes(x * 255 // (width - 1) for x in range(width))
    blues = [bytes(255 * ((x // 16 + odd) % 2) for x in range(width))
             for odd in range(2)]
    white = b"\xff"
    picture = bytearray()
    for y in range(height):
        row = bytearray(3 * width)
        if y < 2 or y >= height - 2:
            row[:] = white * (3 * width)
        else:
            row[0::3] = reds
            row[1::3] = bytes([y * 255 // (height - 1)]) * width
            row[2::3] = blues[y // 16 % 2]
            row[:6] = row[-6:] = white * 6
        picture += row
    return bytes(picture)


def differences(got, want, width):
    """How two pictures of one size differ, in words."""
    if len(got) != len(want):
        return f"{len(got)} bytes instead of {len(want)}"
    wrong = [i // 3 for i in range(0, len(want), 3)
             if got[i:i + 3] != want[i:i + 3]]
    i = wrong[0]
    return (f"{len(wrong)} of {len(want) // 3} pixels; the first at "
            f"{i % width},{i // width}: {got[3 * i:3 * i + 3].hex()} instead "
            f"of {want[3 * i:3 * i + 3].hex()}")


def check(g, width, height, picture, name, seconds=0, **which):
    """
    The screen is that picture; where nothing tells when it was drawn, within
    some seconds.
    """
    end = time.monotonic() + seconds
    while True:
        got = g.screen(**which)
        good = got == (width, height, picture)
        if good or time.monotonic() >= end:
            break
        time.sleep(0.1)
    why = ""
    if not good:
        why = f"it is {got[0]}x{got[1]}, not {width}x{height}"
        if got[:2] == (width, height):
            why = differences(got[2], picture, width)
    return tap.ok(good, name, why)


class Viewer:
    """As much of a remote framebuffer client (RFC 6143) as a resize needs."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.receive(12)
        self.socket.sendall(b"RFB 003.008\n")
        self.receive(self.receive(1)[0])
        self.socket.sendall(b"\x01")            # no authentication
        if self.receive(4) != bytes(4):
            raise RuntimeError("QEMU refuses the viewer")
        self.socket.sendall(b"\x01")            # shared
        self.receive(20)
        self.receive(struct.unpack(">I", self.receive(4))[0])
        # Raw, the desktop's size with its screens, cursors with alpha.
        self.socket.sendall(struct.pack(">BxHiii", 2, 3, 0, -308, -314))

    def receive(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise RuntimeError("QEMU ended the viewer's connection")
            data += more
        return data

    def resize(self, width, height):
        self.socket.sendall(struct.pack(">BxHHBxIHHHHI", 251, width, height,
                                        1, 0, 0, 0, width, height, 0))

    def point(self, x, y):
        self.socket.sendall(struct.pack(">BBHH", 5, 0, x, y))

    def rectangle(self):
        """One rectangle of an update: a cursor, or None of another kind."""
        hot_x, hot_y, width, height, kind = struct.unpack(
            ">HHHHi", self.receive(12))
        if kind == -308:
            self.receive(16 * self.receive(4)[0])
        elif kind == -314:
            self.receive(4)                     # its pixels are raw
            return hot_x, hot_y, width, height, self.receive(
                4 * width * height)
        elif kind == 0:
            self.receive(4 * width * height)
        else:
            raise RuntimeError(f"a rectangle of kind {kind}")
        return None

    def cursor(self):
        """The next cursor that the server tells of, not an empty one."""
        while True:
            kind = self.receive(1)[0]
            if kind != 0:
                raise RuntimeError(f"a message of kind {kind}")
            for _ in range(struct.unpack(">xH", self.receive(3))[0]):
                found = self.rectangle()
                if found and any(found[4][3::4]):
                    return found

    def close(self):
        self.socket.close()


def clear(g):
    """An empty screen with a prompt on it."""
    g.send(CLEAR)
    return [PROMPT]


def say(g, lines, words):
    """Types `echo words`, and notes what that adds to the screen."""
    g.command("echo " + words, 10)
    lines[-1] += "echo " + words
    lines += [words, PROMPT]


def shown(lines, rows):
    return lines[-rows:]


def check_text(g, font, lines, width, height, name, **which):
    now = shown(lines, height // font.height)
    return check(g, width, height,
                 text_picture(font, now, (len(now[-1]), len(now) - 1), width,
                              height), name, 5, **which)


def test_text(g, font, width, height):
    lines = clear(g)
    check_text(g, font, lines, width, height, "text: a prompt")
    say(g, lines, "The quick brown fox jumps over the lazy dog, 0123456789")
    say(g, lines, "[]{}()<>!?@#$%^&*_-+=/|~.:,")
    check_text(g, font, lines, width, height, "text: lines")
    for i in range(height // font.height):
        say(g, lines, f"line {i}")
    check_text(g, font, lines, width, height, "text: scrolled")


def await_picture(g, width, height):
    g.expect(rf"fbdemo: {width}x{height} generation \d+", 30)
    check(g, width, height, demo_picture(width, height),
          f"fbdemo: its picture, {width}x{height}")


def test_demo(g, viewer, width, height):
    """The picture at first, and after each of ten resizes."""
    g.command(f"fbdemo {len(SIZES)} 5", wait=False)
    await_picture(g, width, height)
    for width, height in SIZES:
        viewer.resize(width, height)
        await_picture(g, width, height)
    g.prompt(30)
    tap.ok(True, "fbdemo: ends")
    return width, height


def test_storm(g, viewer):
    """Resizes faster than they can be followed: the last one counts."""
    g.command("fbdemo 1000", wait=False)
    g.expect(r"fbdemo: \d+x\d+ generation \d+", 30)
    for i in range(60):
        viewer.resize(320 + 37 * i % 640, 240 + 23 * i % 480)
        time.sleep(0.01)
    width, height = 808, 606
    viewer.resize(width, height)
    check(g, width, height, demo_picture(width, height),
          "fbdemo: right after a storm of resizes", 20)
    g.send("\x03")
    g.expect("fbdemo: status 131", 20)
    g.prompt()
    return width, height


def test_resized_text(g, font, viewer, width, height):
    lines = clear(g)
    say(g, lines, "after fbdemo")
    check_text(g, font, lines, width, height,
               f"text: again after fbdemo, {width}x{height}")
    for width, height in (1024, 768), (500, 300):
        viewer.resize(width, height)
        check_text(g, font, lines, width, height,
                   f"text: stays in a resize to {width}x{height}")
        say(g, lines, f"at {width}x{height}")
        check_text(g, font, lines, width, height,
                   f"text: goes on at {width}x{height}")


def test_segments(g):
    """With the framebuffer in pieces, its pages are those of the program."""
    answer = g.command("selftest user_framebuffer", 60)
    found = re.search(r"(\d+) segments, .*", answer)
    tap.ok("ok 1 " in answer and "not ok" not in answer,
           "the program's page table entries are the framebuffer's", answer)
    tap.ok(found and int(found[1]) > 10, "which is in many segments", answer)


def test_display(directory):
    font = Font(FONT)
    path = os.path.join(directory, "viewer")
    with Guest(append="test segsize=65536", devices=[GPU], limit=200,
               args=["-vnc", f"unix:{path}"]) as g:
        g.prompt(60)
        width, height, _ = g.screen()
        viewer = Viewer(path)
        test_text(g, font, width, height)
        test_segments(g)
        width, height = test_demo(g, viewer, width, height)
        width, height = test_storm(g, viewer)
        test_resized_text(g, font, viewer, width, height)
        viewer.close()
        g.command("poweroff", wait=False)
        tap.equal(g.wait(), 0, "ends when told to")


def await_fb(g, pattern):
    """What `fb` says, once it says that."""
    end = time.monotonic() + 20
    while True:
        answer = g.command("fb", 20)
        if re.search(pattern, answer, re.M) or time.monotonic() > end:
            return answer
        time.sleep(0.1)


def test_edid(g):
    answer = g.command("fb", 20)
    tap.ok('RHT "QEMU Monitor"' in answer, "EDID: maker and name", answer)
    tap.ok(re.search(r"^    880x660@\S+ preferred,", answer, re.M),
           "EDID: the preferred mode is what the host was asked for", answer)
    size = re.search(r"(\d+) x (\d+) mm", answer)
    tap.ok(size and 100 < int(size[1]) < 1000, "EDID: its size", answer)


def test_heads(g, font, first, second):
    """Each head shows the text in its own size; one goes, one comes again."""
    other = {"device": "gpu0", "head": 1}
    tap.ok("head 1 off" in g.command("fb", 20), "head 1: off at first")
    second.resize(640, 480)
    answer = await_fb(g, "^head 1 on, shows 640 x 480")
    tap.ok("head 1 on, shows 640 x 480" in answer,
           "head 1: comes when the host enables it", answer)
    lines = clear(g)
    say(g, lines, "on both of them")
    check_text(g, font, lines, 880, 660, "head 0: its text")
    check_text(g, font, lines, 640, 480, "head 1: the same text", **other)
    second.resize(800, 600)
    check_text(g, font, lines, 800, 600, "head 1: after a resize", **other)
    check_text(g, font, lines, 880, 660, "head 0: as it was")
    # None is what QEMU takes a viewer to want that never said: no change.
    first.resize(880, 660)
    first.resize(0, 0)
    answer = await_fb(g, "^head 0 off")
    tap.ok("head 0 off" in answer and "head 1 on, primary" in answer,
           "head 1: the primary one once head 0 is disabled", answer)
    lines = clear(g)
    say(g, lines, "on the one that is left")
    check_text(g, font, lines, 800, 600, "head 1: goes on", **other)
    first.resize(720, 400)
    answer = await_fb(g, "^head 0 on, primary, shows 720 x 400")
    tap.ok("head 0 on, primary, shows 720 x 400" in answer,
           "head 0: comes again", answer)
    lines = clear(g)
    check_text(g, font, lines, 720, 400, "head 0: its text again")
    check_text(g, font, lines, 800, 600, "head 1: there still", **other)


def test_cursor(g, viewer):
    """An arrow of white in black, its tip at its hot spot."""
    # The first ones may come before anybody listens.
    for i in range(100):
        viewer.point(100 + i, 100)
        if re.search(r" [1-9]\d* moves", g.command("fb", 20)):
            break
        time.sleep(0.1)
    hot_x, hot_y, width, height, pixels = viewer.cursor()
    tap.equal((hot_x, hot_y, width, height), (0, 0, 64, 64),
              "cursor: its size and its hot spot")
    alpha = pixels[3::4]
    row = 64 * 10
    tap.ok(alpha[0] == 255 and alpha[63] == 0 and alpha[64 * 63] == 0,
           "cursor: opaque at its tip, nothing far from it")
    tap.equal(pixels[4 * (row + 3):4 * (row + 3) + 4], b"\xff" * 4,
              "cursor: white within")
    tap.equal(pixels[4 * row:4 * row + 4], b"\0\0\0\xff",
              "cursor: black at its edge")
    before = int(re.search(r" (\d+) moves", g.command("fb", 20))[1])
    viewer.point(300, 200)
    answer = await_fb(g, rf" (?!{before} )\d+ moves")
    tap.ok(f" {before} moves" not in answer, "cursor: moves", answer)


def test_two_heads(directory):
    font = Font(FONT)
    paths = [os.path.join(directory, f"head{i}") for i in range(2)]
    vnc = [f"unix:{path},display=gpu0,head={i}"
           for i, path in enumerate(paths)]
    with Guest(append="test", limit=200,
               devices=[["-device", "virtio-gpu-pci,id=gpu0,max_outputs=2,"
                         "xres=880,yres=660,edid=on"],
                        ["-device", "qemu-xhci"], ["-device", "usb-tablet"]],
               args=["-vnc", vnc[0], "-vnc", vnc[1]]) as g:
        g.prompt(60)
        first, second = [Viewer(path) for path in paths]
        test_edid(g)
        test_cursor(g, first)
        test_heads(g, font, first, second)
        first.close()
        second.close()
        g.command("poweroff", wait=False)
        tap.equal(g.wait(), 0, "two heads: ends when told to")


def test_less():
    """Displays that can't have their size: of the guest, of QEMU, of any."""
    sizes = ["8192,yres=8192", "2000,yres=1500,max_hostmem=4M", "8,yres=8"]
    with Guest(append="test", limit=100,
               devices=[["-device", f"virtio-gpu-pci,id=gpu{i},xres={size}"]
                        for i, size in enumerate(sizes)]) as g:
        g.prompt(60)
        log = g.command("dmesg")
        for i, size in enumerate(["8192 x 8192", "2000 x 1500", "8 x 8"]):
            tap.ok(f"gpu{i}: head 0: {size} can't be had, 1024 x 768 is shown"
                   in log, f"{size} is shown as less", log)
            tap.equal(g.screen(device=f"gpu{i}")[:2], (1024, 768),
                      f"{size}: and so it is seen")
        lines = clear(g)
        say(g, lines, "less")
        check_text(g, Font(FONT), lines, 1024, 768, "the console is there")
        g.command("poweroff", wait=False)
        tap.equal(g.wait(), 0, "less: ends when told to")


def main():
    with tempfile.TemporaryDirectory() as directory:
        try:
            test_display(directory)
            # Apple's machine has one.
            if "PARAVANE_MACHINE" not in os.environ:
                test_two_heads(directory)
                test_less()
        except Failure as why:
            tap.ok(False, "goes on to the end", why)
    tap.done()


main()
