# SPDX-License-Identifier: ISC
"""
How soon the guest is there and what it needs, against Linux and U-Boot, and what
an empty QEMU takes.
"""

import gzip
import os
import re
import resource
import select
import signal
import struct
import subprocess
import time

import linux
import race

IMAGE = os.path.join(race.BUILD, "paravane")
U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
LIMIT_S = 60
GOAL_BYTES = 512 * 1024
MOST_MIB = 512

MACHINE = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72",
           "-display", "none", "-serial", "stdio", "-monitor", "none",
           "-no-reboot"]
DEVICES = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n",
           "-device", "virtio-gpu-pci"]

# The network's driver is asked for an address while the display's is loaded,
# and nothing is waited for that need not be.
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
for m in {modules}; do
	/bin/busybox insmod /$m
	case $m in virtio_net*)
		/bin/busybox ip link set eth0 up
		/bin/busybox udhcpc -q -f -i eth0 -s /bin/lease >/dev/null 2>&1 &
	esac
done
until [ -e /sys/class/graphics/fb0 ]; do /bin/busybox usleep 1000; done
echo "linux: console"
wait
while :; do /bin/busybox sleep 1000; done
"""
LEASE = """#!/bin/busybox sh
[ "$1" != bound ] || echo "linux: lease $ip" >/dev/console
"""

LINUX, U, EMPTY = "Linux", "U-Boot", "empty QEMU"

# What each says when its console is there (the display painted and the MTU
# agreed; both drivers bound; its prompt), and when it has a lease.
SAYS = {
    race.OURS: ([rb"fb: painted", rb"net0: link up, mtu \d+"],
                [rb"net0: 10\.0\.2\.\d+/24"]),
    LINUX: ([rb"linux: console"], [rb"linux: lease 10\.0\.2\."]),
    U: ([rb"=> "], [rb"DHCP client bound to address 10\.0\.2\."]),
}
# What is typed when something was said.
TYPES = {U: [(rb"Hit any key", b"\n"), (rb"=> ", b"dhcp\n")]}


def processor_s():
    """Seconds of processor time of all that ran and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Ended(Exception):
    """QEMU did, or its time was over, before all was said."""


def said(patterns, seen):
    return all(re.search(pattern, seen) for pattern in patterns)


def listen(qemu, kind, began, limit):
    """
    Seconds from began until the console was there, and until the lease, which
    may be first.
    """
    times = [None, None]
    typed = list(TYPES.get(kind, ()))
    seen = b""
    while None in times:
        left = began + limit - time.monotonic()
        ready, _, _ = select.select([qemu.stdout], [], [], max(left, 0))
        data = os.read(qemu.stdout.fileno(), 4096) if ready else b""
        if not data:
            raise Ended(f"{kind} did not get there; its last words:\n"
                        + seen[-1000:].decode(errors="replace"))
        seen += data
        now = time.monotonic() - began
        times = [t or (now if said(patterns, seen) else None)
                 for t, patterns in zip(times, SAYS[kind])]
        if typed and re.search(typed[0][0], seen):
            qemu.stdin.write(typed.pop(0)[1])
    return times


def power_on(kind, words, mib=MOST_MIB, limit=LIMIT_S):
    """
    Seconds to the console, to the lease, and of processor time until QEMU was
    ended then.
    """
    before = processor_s()
    began = time.monotonic()
    qemu = subprocess.Popen(
        ["timeout", str(limit)] + MACHINE + ["-m", f"{mib}M"] + DEVICES +
        words, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    try:
        times = listen(qemu, kind, began, limit)
    finally:
        qemu.send_signal(signal.SIGTERM)
        qemu.wait()
        qemu.stdout.close()
        qemu.stdin.close()
    return [*times, processor_s() - before]


def run_empty(path):
    """Seconds for a QEMU whose guest powers off with its first words."""
    with open(path, "wb") as f:    # mov w0, #0x84000008; hvc #0; b .
        f.write(struct.pack("<4I", 0x52b08000, 0x72800100, 0xd4000002,
                            0x14000000))
    began = time.monotonic()
    subprocess.run(MACHINE + ["-m", f"{MOST_MIB}M"] + DEVICES +
                   ["-kernel", path], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, timeout=LIMIT_S)
    return time.monotonic() - began


def least_memory(kind, words, limit):
    """MiB with which it gets to its lease, one less being too few."""
    low, high = 1, MOST_MIB
    while high - low > 1:
        mib = (low + high) // 2
        try:
            power_on(kind, words, mib, limit)
            high = mib
        except Ended:
            low = mib
    return high


def boot_rows():
    ours = race.OURS
    for name, what in (("console", "power-on to the console"),
                       ("lease", "power-on to a DHCP lease")):
        yield race.Row(name, what, "s", (ours, LINUX), goal=race.sooner(20))
        yield race.Row(f"{name}-u-boot", what, "s", (ours, U), picture=True)
    yield race.Row("processor", "processor time of both", "s",
                   (ours, LINUX, U))
    yield race.Row("empty", "power-on to a lease, beside an empty QEMU from "
                   "start to end", "s", (ours, EMPTY))
    yield race.Row("memory", "RAM needed to get there", "MiB",
                   (ours, LINUX, U), form="{:.0f}", counted=True)
    yield race.Row("image", "the image", "bytes", (ours, LINUX, U),
                   goal=race.figure_at_most(GOAL_BYTES), form="{:.0f}",
                   counted=True)
    yield race.Row("image-gzip", "the image by gzip", "bytes",
                   (ours, LINUX, U), form="{:.0f}", counted=True)


class Part(race.Part):
    title = "Power-on to display, network and lease"
    how = """QEMU from its start until the guest has a painted console and an
        accepted MTU, and until it has a DHCP lease; the same of the
        distribution's arm64 Linux (virtio_net and virtio_gpu bound, from an
        initramfs of busybox and the modules needed, nothing else; its address
        is asked for while the display's driver is loaded) and of U-Boot's
        packaged image (the prompt, a key pressed at once; `dhcp`; it has no
        display). An empty QEMU, whose guest powers off with its first
        instruction, is what no guest can save. RAM needed is the least -m with
        which a lease is got; Linux's image is the kernel with that
        initramfs."""
    rows = list(boot_rows())

    def versions(self):
        return {"Linux": linux.version(), "QEMU": race.qemu_version(),
                "U-Boot": race.package_version("u-boot-qemu")}

    def setup(self, bench):
        if not os.path.exists(IMAGE) or not linux.KERNEL:
            raise race.Missing("`make bench` builds and fetches this")
        initramfs = f"{self.tmp}/initramfs"
        linux.initramfs(initramfs, linux.modules(
            "virtio_pci", "virtio_net", "virtio_gpu"), INIT,
            {"bin/lease": LEASE.encode()})
        self.files = {race.OURS: [IMAGE], LINUX: [linux.KERNEL, initramfs],
                      U: [U_BOOT]}
        self.words = {
            race.OURS: ["-kernel", IMAGE], U: ["-bios", U_BOOT],
            LINUX: ["-kernel", linux.KERNEL, "-initrd", initramfs, "-append",
                    "console=ttyAMA0 quiet panic=-1"]}
        if not os.path.exists(U_BOOT):
            del self.words[U], self.files[U]
            for row in self.rows:
                if U in row.racers:
                    bench.leave_out(row.name, U, "no U-Boot package")

    def run(self, bench, n):
        wanted = [row for row in self.rows if bench.only(row.name) and
                  not row.counted]
        racers = {racer for row in wanted for racer in row.racers}
        for racer in bench.turns((EMPTY, *self.words), n):
            if racer not in racers:
                continue
            if racer == EMPTY:
                figures = {"empty": run_empty(f"{self.tmp}/empty")}
            else:
                console, lease, busy = power_on(racer, self.words[racer])
                figures = {"console": console, "console-u-boot": console,
                           "lease": lease, "lease-u-boot": lease,
                           "empty": lease, "processor": busy}
            for row in wanted:
                if racer in row.racers and row.name in figures:
                    bench.sample(row.name, racer, figures[row.name])

    def once(self, bench):
        for racer, paths in self.files.items():
            data = b"".join(map(linux.contents, paths))
            bench.sample("image", racer, len(data))
            bench.sample("image-gzip", racer, len(gzip.compress(data, 6)))
        for racer, words in self.words.items() if bench.only("memory") else ():
            # Whoever is not there in three times the time has too little.
            limit = 2 + 3 * power_on(racer, words)[1]
            bench.sample("memory", racer,
                         least_memory(racer, words, limit))
