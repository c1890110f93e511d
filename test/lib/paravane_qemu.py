# SPDX-License-Identifier: ISC
"""
The guest in QEMU, for tests in Python.

    import os, sys
    TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path.insert(0, os.path.join(TOP, "test", "lib"))
    import tap
    from paravane_qemu import GPU, NET, RNG, Failure, Guest

    with Guest(append='run="devices"', devices=[NET]) as g:
        g.prompt()                      # until the shell asks for a command
        out = g.command("echo hi")      # what it printed, without echo and prompt
        g.until("devices", lambda out: "net1" in out)   # asks until that is true
        g.expect(r"ok (\\d+)")          # a match object; Failure when time is over
        g.send("\\x03")                 # keys, as they are
        width, height, rgb = g.screen() # the display, 3 bytes a pixel
        g.qmp("system_reset")
        g.unplugged("net")              # until QEMU no longer has the device
        g.command("poweroff", wait=False)
        status = g.wait()               # QEMU's exit status
        g.kill()                        # or: it is gone, at once
        with g.held_up():               # QEMU stands still

Each wait is bounded; QEMU itself is ended after `limit` seconds, and when the
`with` block is left. Whatever fails raises Failure with the console's last
lines in its text (`check` makes it a point of the test). All that the console said is in g.text, without carriage
returns and colours.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import tap

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
IMAGE = os.environ.get("PARAVANE_IMAGE", os.path.join(TOP, "build",
                                                      "paravane"))
QEMU = os.environ.get("QEMU", "qemu-system-aarch64")
# QEMU with Apple's machine, as tool/machine builds it.
APPLEVZ = os.path.join(TOP, "build", "machine",
                       "qemu-system-aarch64-applevz")
# With PARAVANE_MACHINE=applevz (or with its options: applevz,strict=on) a test
# that knows nothing of it runs there: its devices become that machine's.
MACHINE = os.environ.get("PARAVANE_MACHINE")
PROMPT = "paravane> "

# Devices that most tests want, as words for -device and what belongs to it.
NET = ["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="]
GPU = ["-device", "virtio-gpu-pci"]
RNG = ["-device", "virtio-rng-pci"]


# Words for the console that the test types at.
_PORT = ["-device", "virtconsole,chardev=con"]
_STDIO = ["-chardev", "stdio,id=con,signal=off"]
CONSOLES = {
    "none": ["-serial", "none"],
    "applevz": _STDIO + ["-serial", "none", "-device", "applevz-console"] +
    _PORT,
    "pl011": _STDIO + ["-serial", "chardev:con"],
    "virtio": _STDIO + ["-serial", "none", "-device",
                        "virtio-serial-pci,max_ports=1"] + _PORT,
    "virtio-mmio": _STDIO + ["-serial", "none", "-device",
                             "virtio-serial-device,max_ports=1"] + _PORT,
}


class Failure(Exception):
    """Something that was awaited did not come."""


def check(name, function, *args, **more):
    """
    One point of the test: good unless function returns a text, or raises
    Failure. Words on the command line choose: a part of a name each.
    """
    if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
        return
    try:
        bad = function(*args, **more)
    except (Failure, subprocess.CalledProcessError) as e:
        bad = str(e)
    tap.ok(not bad, name, *([bad] if bad else []))


def of_applevz(words):
    """QEMU's words with its virtio-pci devices as that machine has them."""
    names = {"net": "net", "gpu": "gpu", "rng": "entropy", "blk": "blk",
             "serial": "console", "balloon": "balloon"}
    found = []
    for word in words:
        kind = re.match(r"virtio-(\w+)-pci\b", word)
        if kind and kind[1] in names:
            word = "applevz-" + names[kind[1]] + word[kind.end():]
            word = re.sub(r",(romfile=|disable-legacy=on|max_ports=1)", "",
                          word).replace("host_mtu=", "mtu=")
        found.append(word)
    return found


class Guest:
    """
    append    the kernel's command line
    devices   lists of QEMU's words, one after the other
    console   "pl011"; "virtio" (PCI); "virtio-mmio"; "none"; on the machine
              "applevz" its own is the only one, but for "none"
    machine   "applevz" or "applevz,option=..." takes the QEMU that has it
    limit     seconds after which QEMU is ended, whatever happens
    wait_s    how long expect() and the like wait, where not said otherwise
    args      more of QEMU's words
    kernel    False: no -kernel (the firmware boots, by `args`)
    """

    def __init__(self, append="", devices=(), console="pl011",
                 machine="virt,gic-version=3", cpu="max,pauth-impdef=on",
                 smp=1, memory="256M", limit=120, wait_s=30, args=(),
                 image=IMAGE, kernel=True):
        self.wait_s = wait_s
        self.data = b""
        self.seen = 0           # how far expect() has read
        self.cond = threading.Condition()
        self.closed = False
        self.sock = None
        self.tmp = tempfile.TemporaryDirectory(prefix="paravane-")
        self.monitor = os.path.join(self.tmp.name, "qmp")
        if MACHINE and machine.startswith("virt"):
            machine = MACHINE
        apple = machine.startswith("applevz")
        if apple and console != "none":
            console = "applevz"
        words = ["timeout", "-k", "5", str(limit), APPLEVZ if apple else QEMU,
                 "-M", machine, "-cpu", cpu, "-smp", str(smp), "-m", memory,
                 "-nodefaults", "-display", "none", "-no-reboot",
                 "-qmp", f"unix:{self.monitor},server=on,wait=off"]
        if kernel:
            words += ["-kernel", image, "-append", append]
        words += CONSOLES[console]
        for device in devices:
            words += device
        words += args
        self.words = words = of_applevz(words) if apple else words
        self.proc = subprocess.Popen(words, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        if self.sock:
            self.sock.close()
            self.sock = None
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        self.reader.join(10)
        self.proc.stdout.close()
        try:
            self.proc.stdin.close()
        except OSError:
            pass
        self.tmp.cleanup()

    def _signal(self, number):
        """To QEMU itself."""
        pid = self.proc.pid         # timeout's, whose only child is QEMU
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            for child in f.read().split():
                os.kill(int(child), number)

    @contextlib.contextmanager
    def held_up(self):
        """QEMU stands still meanwhile, but not the guest's clock."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def kill(self):
        """QEMU itself ends at once, in the middle of whatever it does."""
        self._signal(signal.SIGKILL)
        self.proc.wait()
        self.reader.join(10)

    def _read(self):
        while True:
            try:
                data = os.read(self.proc.stdout.fileno(), 65536)
            except (OSError, ValueError):
                data = b""
            with self.cond:
                if data:
                    self.data += data
                else:
                    self.closed = True
                self.cond.notify_all()
            if not data:
                return

    @staticmethod
    def _plain(data):
        text = data.decode("utf-8", "replace").replace("\r", "")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    @property
    def text(self):
        with self.cond:
            return self._plain(self.data)

    def fail(self, why):
        tail = "\n".join(self.text.splitlines()[-25:])
        raise Failure(f"{why}\n--- the console's last lines:\n{tail}\n---")

    def expect(self, pattern, timeout=None):
        """
        Waits for a regular expression (over lines: ^ and $ match at each)
        in what came since the last expect(); returns the match, and goes
        on behind it.
        """
        regex = re.compile(pattern, re.M)
        deadline = time.monotonic() + (timeout or self.wait_s)
        with self.cond:
            while True:
                text = self._plain(self.data)
                match = regex.search(text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                left = deadline - time.monotonic()
                if self.closed or left <= 0:
                    break
                self.cond.wait(left)
        self.fail(f"{pattern!r} did not come" +
                  (": QEMU ended" if self.closed else ""))

    def send(self, keys):
        data = keys.encode() if isinstance(keys, str) else keys
        try:
            self.proc.stdin.write(data)
            self.proc.stdin.flush()
        except OSError:
            self.fail(f"QEMU ended before {keys!r} was sent")

    def prompt(self, timeout=None):
        """Waits until the shell asks for a command."""
        return self.expect("^" + re.escape(PROMPT) + r"\Z", timeout)

    def command(self, line, timeout=None, wait=True):
        """Types a line at the prompt; returns what the command printed."""
        self.send(line + "\r")
        self.expect(re.escape(line) + "\n")
        if not wait:
            return None
        start = self.seen
        self.expect("^" + re.escape(PROMPT), timeout)
        return self.text[start:self.seen - len(PROMPT)]

    def until(self, line, good, timeout=None):
        """Types a line again and again until good(what it printed)."""
        deadline = time.monotonic() + (timeout or self.wait_s)
        while True:
            answer = self.command(line)
            if good(answer):
                return answer
            if time.monotonic() > deadline:
                self.fail(f"{line!r} never said what was expected")
            time.sleep(0.1)

    def wait(self, timeout=None):
        """Until QEMU ends by itself; its exit status."""
        try:
            status = self.proc.wait(timeout or self.wait_s)
        except subprocess.TimeoutExpired:
            self.fail("QEMU did not end")
        self.reader.join(10)
        return status

    def qmp(self, command, **arguments):
        """One command of QEMU's monitor; returns its answer."""
        if self.sock is None:
            self._qmp_connect()
        self.monitor_file.write(json.dumps(
            {"execute": command, "arguments": arguments}) + "\n")
        self.monitor_file.flush()
        while True:
            line = self.monitor_file.readline()
            if not line:
                self.fail(f"the monitor closed at {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise Failure(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def unplugged(self, *names, timeout=None):
        """
        Waits until QEMU has no device of these names any more. (Its event
        comes when the last reference is gone, which may be much later.)
        """
        deadline = time.monotonic() + (timeout or self.wait_s)
        while True:
            have = {o["name"] for o in
                    self.qmp("qom-list", path="/machine/peripheral")}
            if not have & set(names):
                return
            if time.monotonic() > deadline:
                self.fail(f"QEMU still has {have & set(names)}")
            time.sleep(0.05)

    def _qmp_connect(self):
        deadline = time.monotonic() + 10
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(30)
            try:
                self.sock.connect(self.monitor)
                break
            except OSError:
                self.sock.close()
                self.sock = None
                if time.monotonic() > deadline:
                    self.fail("no monitor")
                time.sleep(0.02)
        self.monitor_file = self.sock.makefile("rw")
        self.monitor_file.readline()
        self.qmp("qmp_capabilities")

    def screen(self, **which):
        """
        The display now, or the one that device= and head= name: width, height,
        3 bytes (R, G, B) a pixel.
        """
        path = os.path.join(self.tmp.name, "screen.ppm")
        self.qmp("screendump", filename=path, **which)
        with open(path, "rb") as f:
            data = f.read()
        head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        if not head:
            self.fail("the screen dump is no PPM file")
        width, height = int(head[1]), int(head[2])
        data = data[head.end():]
        # QEMU 7.2 pads each row to 4 bytes.
        row = len(data) // height
        if row > width * 3:
            data = b"".join(data[y * row:y * row + width * 3]
                            for y in range(height))
        return width, height, data

    def screen_until(self, good, timeout=None):
        """Looks at the display until good(width, height, rgb)."""
        deadline = time.monotonic() + (timeout or self.wait_s)
        while True:
            screen = self.screen()
            if good(*screen):
                return screen
            if time.monotonic() > deadline:
                self.fail("the display never showed what was expected")
            time.sleep(0.1)


class Font:
    """The console's font, to read text from a display."""

    COLOURS = [(0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0),
               (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
               (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85),
               (85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255)]

    def __init__(self, path=os.path.join(TOP, "build", "font.psf")):
        with open(path, "rb") as f:
            data = f.read()
        if data[:2] != b"\x36\x04":
            raise Failure(f"{path} is no PSF file of version 1")
        count = 512 if data[2] & 1 else 256
        self.width, self.height = 8, data[3]
        self.glyphs = {}
        self.cells = {}         # what was recognised before
        pos = 4 + count * self.height
        for glyph in range(count):
            start = 4 + glyph * self.height
            bits = data[start:start + self.height]
            while True:
                code = int.from_bytes(data[pos:pos + 2], "little")
                pos += 2
                if code == 0xffff:
                    break
                if code < 0xd800:
                    # Of characters that look the same, the first is read.
                    self.glyphs.setdefault(bits, chr(code))
        self.glyphs[bytes(self.height)] = " "

    def _cell(self, pixels):
        """The character of a cell, given its pixels row by row."""
        if pixels in self.cells:
            return self.cells[pixels]
        points = [pixels[i:i + 3] for i in range(0, len(pixels), 3)]
        colours = set(points)
        char = " " if len(colours) == 1 else "\ufffd"
        for fg in colours if len(colours) == 2 else ():
            bits = bytes(sum(0x80 >> x for x in range(8)
                             if points[y * 8 + x] == fg)
                         for y in range(self.height))
            char = self.glyphs.get(bits, char)
        self.cells[pixels] = char
        return char

    def read(self, width, height, rgb):
        """The display's lines; what is no character is U+FFFD."""
        lines = []
        for top in range(0, height - self.height + 1, self.height):
            rows = [rgb[(top + y) * width * 3:(top + y + 1) * width * 3]
                    for y in range(self.height)]
            if not any(map(any, rows)):
                lines.append("")
                continue
            line = "".join(
                self._cell(b"".join(row[x:x + 24] for row in rows))
                for x in range(0, width * 3 - 23, 24))
            lines.append(line.rstrip())
        return lines
