# SPDX-License-Identifier: ISC
"""How soon the guest is there, against Linux, and what an empty QEMU takes."""

import gzip
import os
import re
import resource
import signal
import struct
import subprocess
import time

import linux
import race

IMAGE = os.path.join(race.BUILD, "paravane")
LIMIT_S = 60
GOAL_BYTES = 512 * 1024

MACHINE = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72",
           "-m", "512M", "-display", "none", "-serial", "stdio",
           "-monitor", "none", "-no-reboot"]
DEVICES = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n",
           "-device", "virtio-gpu-pci"]

# What the guest says when its console is painted and its network attached with
# the MTU agreed: as far as Linux is when both drivers have bound.
OURS = [re.compile(rb"fb: painted"), re.compile(rb"net0: link up, mtu \d+")]
LINUX = [re.compile(rb"linux: display and network are up")]

INIT = """#!/bin/busybox sh
{load}
until [ -e /sys/class/graphics/fb0 ] && [ -e /sys/class/net/eth0/mtu ]; do
	/bin/busybox usleep 1000
done
/bin/busybox ip link set eth0 up
echo "linux: display and network are up" >/dev/console
/bin/busybox poweroff -f
"""

EMPTY = "empty QEMU"


def processor_s():
    """Seconds of processor time of all that ran and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_until(arguments, wanted):
    """
    Seconds from QEMU's start until every one of wanted was said, and of
    processor time until QEMU was then ended.
    """
    before = processor_s()
    began = time.monotonic()
    qemu = subprocess.Popen(
        ["timeout", str(LIMIT_S)] + MACHINE + arguments,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    seen = b""
    try:
        while not all(w.search(seen) for w in wanted):
            data = os.read(qemu.stdout.fileno(), 4096)
            if not data:
                raise RuntimeError(
                    "it ended before it said all of "
                    f"{[w.pattern for w in wanted]}; its last words:\n"
                    + seen[-1000:].decode(errors="replace"))
            seen += data
        took = time.monotonic() - began
    finally:
        qemu.send_signal(signal.SIGTERM)
        qemu.wait()
        qemu.stdout.close()
    return took, processor_s() - before


def run_empty(path):
    """Seconds for a QEMU whose guest powers off with its first words."""
    with open(path, "wb") as f:    # mov w0, #0x84000008; hvc #0; b .
        f.write(struct.pack("<4I", 0x52b08000, 0x72800100, 0xd4000002,
                            0x14000000))
    before = processor_s()
    began = time.monotonic()
    subprocess.run(MACHINE + DEVICES + ["-kernel", path], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   timeout=LIMIT_S)
    return time.monotonic() - began, processor_s() - before


class Part(race.Part):
    title = "Power-on to display and network"
    how = """QEMU from its start until the guest has a painted console and an
        accepted MTU, and until the distribution's arm64 Linux has its
        virtio_net and virtio_gpu up (from an initramfs of busybox and the
        modules needed, nothing else). An empty QEMU, whose guest powers off
        with its first instruction, is what no guest can save."""
    rows = [
        race.Row("console", "start to painted console and MTU", "s",
                 (race.OURS, "Linux"), goal=race.sooner(20)),
        race.Row("processor", "processor time of that", "s",
                 (race.OURS, "Linux")),
        race.Row("empty", "beside an empty QEMU, start to end", "s",
                 (race.OURS, EMPTY)),
        race.Row("image", "the image", "bytes", (race.OURS, "Linux"),
                 goal=race.figure_at_most(GOAL_BYTES), form="{:.0f}",
                 counted=True),
        race.Row("image-gzip", "the image by gzip", "bytes",
                 (race.OURS, "Linux"), form="{:.0f}", counted=True),
    ]

    def versions(self):
        return {"Linux": linux.version(), "QEMU": race.qemu_version()}

    def setup(self, bench):
        if not os.path.exists(IMAGE) or not linux.KERNEL:
            raise race.Missing("`make bench` builds and fetches this")
        linux.initramfs(f"{self.tmp}/initramfs", linux.modules(
            "virtio_pci", "virtio_net", "virtio_gpu"), INIT)

    def start(self, racer):
        if racer == EMPTY:
            return run_empty(f"{self.tmp}/empty")
        if racer == "Linux":
            return run_until(
                DEVICES + ["-kernel", linux.KERNEL, "-initrd",
                           f"{self.tmp}/initramfs", "-append",
                           "console=ttyAMA0 quiet"], LINUX)
        return run_until(DEVICES + ["-kernel", IMAGE], OURS)

    def run(self, bench, n):
        if not any(map(bench.only, ("console", "processor", "empty"))):
            return
        for racer in bench.turns((EMPTY, race.OURS, "Linux"), n):
            took, busy = self.start(racer)
            bench_rows = {"console": took, "processor": busy, "empty": took}
            for row in bench_rows:
                if racer in self.racers(row):
                    bench.sample(row, racer, bench_rows[row])

    def racers(self, name):
        return next(row.racers for row in self.rows if row.name == name)

    def once(self, bench):
        for racer, path in ((race.OURS, IMAGE), ("Linux", linux.KERNEL)):
            data = linux.contents(path)
            bench.sample("image", racer, len(data))
            bench.sample("image-gzip", racer, len(gzip.compress(data, 6)))
