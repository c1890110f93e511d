# SPDX-License-Identifier: ISC
"""
A disk beside Linux: requests past the cache to a virtio disk, by this guest and
by the distribution's arm64 Linux (pread, pwrite, Linux aio; O_DIRECT).
"""

import os
import re

import linux
import race
from paravane_qemu import Failure, Guest

DISK_BYTES = 64 << 20
SAID = r"^bench: (\d+) operations in (\d+) us"

# Name, words, what is asked, bytes, and how often what Linux does is wanted.
WORK = [
    ("random-read-1", "random read, depth 1", "read rand 1", 4096, 3.0),
    ("random-write-1", "random write, depth 1", "write rand 1", 4096, 3.0),
    ("random-read-32", "random read, depth 32", "read rand 32", 4096, 1.5),
    ("random-write-32", "random write, depth 32", "write rand 32", 4096, 1.5),
    ("read", "sequential read of 128 KiB, depth 8", "read seq 8", 131072, 1.0),
    ("write", "sequential write of 128 KiB, depth 8", "write seq 8", 131072,
     1.0),
]

# Lines from the console are commands.
INIT = """#!/bin/busybox sh
{load}
until [ -e /dev/vda ]; do /bin/busybox usleep 1000; done
/bin/busybox stty -F /dev/console -echo
exec </dev/console >/dev/console 2>&1
echo "linux: ready"
while read line; do
	$line
	echo "linux: ready"
done
"""


class Ours:
    name = "paravane"
    append = ""

    def __init__(self, guest):
        self.guest = guest
        guest.prompt()

    def run(self, what, size, ms):
        kind, order, depth = what.split()
        return self.guest.command(
            f"diskbench disk0 {kind} {order} depth={depth} size={size} "
            f"ms={ms}", 60)


class Linux:
    name = "Linux"
    append = "console=ttyAMA0 quiet"

    def __init__(self, guest):
        self.guest = guest
        self.ready()

    def ready(self):
        self.guest.expect("^linux: ready\n", 60)

    def run(self, what, size, ms):
        start = self.guest.seen
        self.guest.send(f"/bin/diskbench /dev/vda {what} {size} {ms}\n")
        self.ready()
        return self.guest.text[start:self.guest.seen]


def boot(kind, tmp, drive="", args=()):
    words = ["-kernel", linux.KERNEL, "-initrd", f"{tmp}/initramfs",
             "-append", kind.append] if kind is Linux else []
    return Guest(machine="virt", cpu="cortex-a72", memory="512M", limit=300,
                 kernel=kind is Ours, args=[*words, *args], devices=[
                     ["-drive", "if=none,id=d,format=raw,"
                      f"file={tmp}/{kind.name}",
                      "-device", f"virtio-blk-pci,drive=d{drive}"]])


def operations(said):
    """Number, and each second."""
    match = re.search(SAID, said, re.M)
    if not match:
        raise Failure(f"no figure in {said!r}")
    return int(match[1]), int(match[1]) / int(match[2]) * 1e6


def exits(kind, tmp, work, ms):
    """Doorbells and interrupts a thousand requests, of each work."""
    trace = f"{tmp}/trace"
    counts, seen = [], 0
    with boot(kind, tmp, ",ioeventfd=off", [
            "-trace", "virtio_queue_notify", "-trace", "virtio_notify",
            "-D", trace]) as guest:
        system = kind(guest)
        for _, _, what, size, _ in work:
            with open(trace, "rb") as f:
                seen = f.seek(0, os.SEEK_END)
            number, _ = operations(system.run(what, size, ms))
            with open(trace, "rb") as f:
                f.seek(seen)
                lines = f.read()
            counts.append([len(re.findall(event, lines)) / number * 1000
                           for event in (rb"virtio_queue_notify ",
                                         rb"virtio_notify ")])
    return counts


def rows():
    racers = (Ours.name, Linux.name)
    for name, words, _, size, times in WORK:
        big = size > 4096
        yield race.Row(name, words, "MiB/s" if big else "/s", racers,
                       more=True, goal=race.at_least(times),
                       form="{:.1f}" if big else "{:.0f}",
                       scale=size / (1 << 20) if big else 1.0)
        for what in ("doorbells", "interrupts"):
            yield race.Row(f"{name}-{what}", f"{words}: {what}",
                           "a thousand requests", racers, form="{:.0f}",
                           goal=race.not_more(allow=1))


class Part(race.Part):
    title = "A disk, past the cache"
    how = """The same requests to a virtio disk by the guest and by the
        distribution's arm64 Linux (pread, pwrite, Linux aio; O_DIRECT) on the
        same QEMU with the same image. Both are up all the time, and each is
        asked in turns. Doorbells and interrupts are those that QEMU's trace
        saw, in runs of their own with ioeventfd=off, without which QEMU traces
        no doorbell."""
    rows = list(rows())

    def versions(self):
        return {"Linux": linux.version(), "QEMU": race.qemu_version()}

    def setup(self, bench):
        if not linux.KERNEL:
            raise race.Missing("`make bench` fetches Linux")
        program, = race.build("perf/diskbench")
        self.kinds = [Ours, Linux]
        for _ in range(DISK_BYTES >> 20):
            data = os.urandom(1 << 20)
            for kind in self.kinds:
                with open(f"{self.tmp}/{kind.name}", "ab") as f:
                    f.write(data)
        linux.initramfs(f"{self.tmp}/initramfs",
                        linux.modules("virtio_pci", "virtio_blk"), INIT,
                        {"bin/diskbench": linux.contents(program)})
        self.systems = None

    def run(self, bench, n):
        work = [w for w in WORK if bench.only(w[0])]
        if work and self.systems is None:
            self.systems = [kind(self.stack.enter_context(
                boot(kind, self.tmp))) for kind in self.kinds]
        for name, _, what, size, _ in work:
            for system in bench.turns(self.systems, n):
                said = system.run(what, size, int(bench.seconds(0.5) * 1000))
                bench.sample(name, system.name, operations(said)[1])

    def once(self, bench):
        work = [w for w in WORK if bench.only(f"{w[0]}-doorbells")
                or bench.only(f"{w[0]}-interrupts")]
        for kind in self.kinds if work else ():
            counts = exits(kind, self.tmp, work,
                           int(bench.seconds(0.25) * 1000))
            for (name, *_), (bells, interrupts) in zip(work, counts):
                bench.sample(f"{name}-doorbells", kind.name, bells)
                bench.sample(f"{name}-interrupts", kind.name, interrupts)
