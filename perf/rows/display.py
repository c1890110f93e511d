# SPDX-License-Identifier: ISC
"""Flushes of the display, and text on it, by this guest and by Linux."""

import re
import time

import guests
import linux
import race
from paravane_qemu import Failure

LINES = 200
LINE = 72
# The rectangle that Linux flushes; and what this guest calls all of it.
FLUSHES = {"full": "0 0", "damage": "64 64"}
OURS = {"full-pipelined": "full", "damage-pipelined": "damage",
        "lines": "lines"}
# On the console that fills the screen, none of them like the one before.
TEXT = "".join("".join(chr(33 + (n + i) % 94) for i in range(LINE)) + "\n"
               for n in range(LINES))
DEVICE = ["-device", "virtio-gpu-pci"]


class Part(race.Part):
    title = "The display, in the guest"
    how = f"""virtio-gpu at 1280 x 800 in the same QEMU. Flushes: this guest's
        fbbench, with eight flushes under way, and on Linux a program with a
        framebuffer of its own (a dumb buffer, DIRTYFB); transfer and flush of
        the whole frame or of 64 x 64 pixels, as often as the driver gets them
        done. Lines: {LINES} of {LINE} characters on a screen that scrolls, by
        the text console of each (Linux's is fbcon, its text written to
        /dev/tty0), until the last is shown."""
    rows = [
        race.Row("full", "flushes of the whole frame", "/s",
                 (race.OURS, guests.Linux.name), more=True,
                 goal=race.at_least(2), form="{:.0f}"),
        race.Row("damage", "flushes of 64 x 64 pixels", "/s",
                 (race.OURS, guests.Linux.name), more=True,
                 goal=race.at_least(2), form="{:.0f}"),
        race.Row("lines", "console lines", "/s",
                 (race.OURS, guests.Linux.name), more=True,
                 goal=race.at_least(2), form="{:.0f}"),
    ]

    def versions(self):
        return {"Linux": linux.version(), "QEMU": race.qemu_version()}

    def setup(self, bench):
        if not linux.KERNEL:
            raise race.Missing("`make bench` fetches Linux")
        program, = race.build("perf/drmload")
        initramfs = f"{self.tmp}/initramfs"
        linux.initramfs(initramfs, linux.modules("virtio_pci", "virtio_gpu"),
                        guests.INIT, {
                            "bin/drmload": linux.contents(program),
                            "text": TEXT.encode()})
        self.systems = [
            guests.Ours(self.stack, DEVICE),
            guests.Linux(self.stack, DEVICE, initramfs=initramfs)]

    # This guest does all of it at one command.

    def ours(self, system, seconds):
        said = system.run(f"fbbench {int(seconds * 1000)} {LINES}")
        found = re.findall(r"^fbbench: (\S+) (\d+) in (\d+) us", said, re.M)
        return {OURS[name]: int(n) / int(us) * 1e6
                for name, n, us in found if name in OURS}

    def linux(self, system, seconds):
        rates = {}
        for name, size in FLUSHES.items():
            said = system.run(f"drmload {size} {int(seconds * 1000)}")
            match = re.search(r"^bench: (\d+) operations in (\d+) us", said,
                              re.M)
            if not match:
                raise Failure(f"no figure in {said!r}")
            rates[name] = int(match[1]) / int(match[2]) * 1e6
        began = time.monotonic()
        system.run("cat /text >/dev/tty0")
        rates["lines"] = LINES / (time.monotonic() - began)
        return rates

    def run(self, bench, n):
        seconds = bench.seconds(0.5)
        for system in bench.turns(self.systems, n):
            rates = (self.ours if system.name == race.OURS else self.linux)(
                system, seconds)
            for row, rate in rates.items():
                bench.sample(row, system.name, rate)
