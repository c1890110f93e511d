# SPDX-License-Identifier: ISC
"""
This guest and the distribution's arm64 Linux on the same QEMU, each asked by
commands on its console, for the rows of perf/rows that race the two.

    linux.initramfs(path, modules, guests.INIT, files)
    system = guests.Linux(stack, devices, initramfs=path)
    system = guests.Ours(stack, devices)
    system.run("a command")         # what it printed
    system.start("a command")       # and on; then system.ready()
    with guests.traced(...) as t:   # QEMU's trace of doorbells and interrupts

A device with id=nic can be metered: guests.Meter counts what QEMU has put into
a virtqueue's used ring, which is the same for whoever drives it.
"""

import os
import re
import time

import linux
import race
from paravane_qemu import Failure, Guest

MEMORY = "512M"
# One processor, and room for another: without it QEMU 7.2 leaves out the
# barriers of a guest, though its devices run beside it (doc/speed.md).
SMP = "1,maxcpus=2"
# Longer than a whole `make bench` asks of one guest.
LIMIT_S = 1200

# A line from the console is a command; the shell's own messages stay off it.
INIT = """#!/bin/busybox sh
{load}
/bin/busybox --install -s /bin
export PATH=/bin
stty -F /dev/console -echo
exec </dev/console >/dev/console 2>&1
echo "linux: ready"
while read line; do
	eval "$line"
	echo "linux: ready"
done
"""


class Ours:
    name = race.OURS

    def __init__(self, stack, devices, args=(), append="", **more):
        self.guest = stack.enter_context(Guest(
            machine="virt", cpu="cortex-a72", memory=MEMORY, smp=SMP,
            limit=LIMIT_S, append=append, devices=[devices], args=args, **more))
        self.guest.prompt(60)

    def end(self):
        self.guest.close()

    def start(self, line):
        self.guest.command(line, wait=False)

    def ready(self, seconds=60):
        begin = self.guest.seen
        self.guest.expect(r"^paravane> ", seconds)
        return self.guest.text[begin:self.guest.seen]

    def run(self, line, seconds=60):
        return self.guest.command(line, seconds)


class Linux:
    name = "Linux"

    def __init__(self, stack, devices, args=(), append="", initramfs=""):
        self.guest = stack.enter_context(Guest(
            machine="virt", cpu="cortex-a72", memory=MEMORY, smp=SMP,
            limit=LIMIT_S, kernel=False, devices=[devices], args=[
                "-kernel", linux.KERNEL, "-initrd", initramfs, "-append",
                f"console=ttyAMA0 quiet {append}", *args]))
        self.ready()

    def end(self):
        self.guest.close()

    def start(self, line):
        self.guest.send(line + "\n")

    def ready(self, seconds=60):
        begin = self.guest.seen
        self.guest.expect("^linux: ready\n", seconds)
        return self.guest.text[begin:self.guest.seen]

    def run(self, line, seconds=60):
        self.start(line)
        return self.ready(seconds)


class Meter:
    """What the device `nic` has put into the used ring of one queue."""

    STEP_S = 0.01
    # Until then less than 65536 has passed, whoever sends.
    SURE_S = 0.03

    def __init__(self, system, queue):
        self.guest, self.queue = system.guest, queue
        self.total = 0
        self.last = self.index()

    def index(self):
        return self.guest.qmp(
            "x-query-virtio-queue-status", queue=self.queue,
            path="/machine/peripheral/nic/virtio-backend")["used-idx"]

    def look(self):
        """How many there were since the last look, if less than 65536."""
        index = self.index()
        passed = index - self.last & 0xffff
        self.last = index
        self.total += passed
        return passed

    def rate(self, seconds):
        """Each second, from now on."""
        self.look()
        end = (before := time.monotonic()) + seconds
        took = total = 0
        while before < end:
            time.sleep(self.STEP_S)
            passed, now = self.look(), time.monotonic()
            # Where this program had to wait, nobody knows how many times
            # around the index has been.
            if now - before < self.SURE_S:
                took, total = took + now - before, total + passed
            before = now
        return total / took if took else 0.0

    def until(self, condition, seconds=20):
        """Until condition(rate) of a tenth of a second, which is returned."""
        end = time.monotonic() + seconds
        while not condition(rate := self.rate(0.1)):
            if time.monotonic() > end:
                raise Failure(f"queue {self.queue} was used {rate:.0f} times "
                              "a second")
        return rate


class Trace:
    """Doorbells and interrupts, as QEMU traces them (see `words`)."""

    EVENTS = (rb"virtio_queue_notify ", rb"virtio_notify ")

    def __init__(self, path):
        self.path = path
        # Without ioeventfd=off QEMU 7.2 traces no doorbell.
        self.words = ["-trace", "virtio_queue_notify", "-trace",
                      "virtio_notify", "-D", path]
        self.seen = 0

    def begin(self):
        self.seen = os.path.getsize(self.path)

    def count(self):
        """Doorbells and interrupts since begin()."""
        with open(self.path, "rb") as f:
            f.seek(self.seen)
            lines = f.read()
        return [len(re.findall(event, lines)) for event in self.EVENTS]
