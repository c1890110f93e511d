# SPDX-License-Identifier: ISC
"""
Frames at the network driver, this guest's and Linux's, and what they cost in
doorbells and interrupts.
"""

import statistics
import subprocess
import time

import guests
import linux
import race
from paravane_qemu import Failure

XDP = "Linux XDP"
SIZES = (64, 1500)
BATCHES = (1, 8, 32, 128)
# A frame's bytes without its check sequence, which no virtio device carries.
BYTES = {64: 60, 1500: 1514}

# pktgen SIZE BURST COUNT DELAY: Linux's own generator, at the driver; the same
# frame again and again, BURST of them before the doorbell, bursts DELAY ns
# apart. COUNT 0: until stopped.
PKTGEN = """#!/bin/busybox sh
d=/proc/net/pktgen
echo rem_device_all >$d/kpktgend_0
echo add_device eth0 >$d/kpktgend_0
for c in "pkt_size $1" "burst $2" "clone_skb 1000000000" "count $3" "delay $4" \\
    "dst 10.0.2.2" "dst_mac 02:00:00:00:00:02"; do
	echo "$c" >$d/eth0
done
echo start >$d/pgctrl
"""
STOP = "echo stop >/proc/net/pktgen/pgctrl; wait"

# A back end that takes all and does nothing: a hub with nobody else on it.
NOWHERE = ["-netdev", "hubport,hubid=1,id=n", "-netdev",
           "hubport,hubid=1,id=nobody"]
NIC = "virtio-net-pci,netdev=n,id=nic,romfile="
RX, TX = 0, 1
# Frames that wait in QEMU while one receives as fast as one can.
RESERVE = 60000
WARM_S = 0.1
# Of which doorbells and interrupts are counted, how often, and what is between
# batches, so that each finds the other side idle.
SOME = 512
COUNTS = 3
GAP_US = {1: 2000, 8: 3000, 32: 6000, 128: 15000}
KINDS = (guests.Ours, guests.Linux)


class Peer:
    """perf/netpeer.c on the other end of the cable."""

    def __init__(self, stack, program, path):
        self.process = stack.enter_context(subprocess.Popen(
            [program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1))
        stack.callback(self.process.terminate)
        if self.process.stdout.readline() != "ready\n":
            raise race.Missing("netpeer did not start")
        self.words = ["-netdev", "stream,id=n,server=off,addr.type=unix,"
                      f"addr.path={path}"]

    def start(self, line):
        self.process.stdin.write(line + "\n")

    def sent(self):
        """Until QEMU has taken what was asked for last."""
        if self.process.stdout.readline() != "sent\n":
            raise Failure("netpeer ended")


def rows():
    ours, them = race.OURS, guests.Linux.name
    for size in SIZES:
        yield race.Row(f"send-{size}", f"frames of {size} bytes sent",
                       "/s", (ours, them), more=True,
                       goal=race.at_least(1.5), form="{:.0f}")
        yield race.Row(f"receive-{size}", f"frames of {size} bytes received",
                       "/s", (ours, them, XDP), more=True,
                       goal=race.at_least(1.5), form="{:.0f}")
    for way in ("send", "receive"):
        for batch in BATCHES:
            for what in ("doorbells", "interrupts"):
                yield race.Row(
                    f"{way}-{what}-{batch}",
                    f"{what}, {way} in batches of {batch}",
                    "a thousand frames", (ours, them), form="{:.0f}",
                    goal=race.not_more(allow=1000 / SOME))


class Part(race.Part):
    title = "Frames at the driver, in the guest"
    how = """Sent: this guest's netbench and Linux's pktgen (one frame again and
        again, its bursts as they serve it best) on the same QEMU, whose
        network card is on a hub with nobody else, so that no back end is the
        limit. Received: a program of this project's fills QEMU's stream back
        end with frames of a protocol that nobody takes; netbench drops them,
        so does Linux's stack as soon as it sees the protocol, and Linux's
        driver itself by XDP. Frames are what QEMU has put into the used ring,
        as its monitor tells, of whoever drives it. Doorbells and interrupts
        are those of QEMU's trace, in runs of their own with ioeventfd=off,
        with milliseconds between batches; of three such runs the most
        (sent) or the median (received)."""
    rows = list(rows())

    def versions(self):
        return {"Linux": linux.version(), "QEMU": race.qemu_version()}

    def setup(self, bench):
        if not linux.KERNEL:
            raise race.Missing("`make bench` fetches Linux")
        self.peer_program, load = race.build("perf/netpeer", "perf/netload")
        self.initramfs = f"{self.tmp}/initramfs"
        linux.initramfs(self.initramfs, linux.modules(
            "virtio_pci", "virtio_net", "pktgen"), guests.INIT, {
                "bin/netload": linux.contents(load),
                "bin/pktgen": PKTGEN.encode()})
        self.up = {}

    # Guests

    def boot(self, kind, back_end, options="", args=()):
        words = [*back_end, "-device", NIC + options]
        if kind is guests.Ours:
            return guests.Ours(self.stack, words, args, "net=off")
        system = guests.Linux(self.stack, words, args,
                              initramfs=self.initramfs)
        system.run("ip link set eth0 up")
        return system

    def with_peer(self, kind, name, options="", args=()):
        peer = Peer(self.stack, self.peer_program, f"{self.tmp}/{name}")
        system = self.boot(kind, peer.words, options, args)
        system.peer = peer
        return system

    # Rates

    def send_rate(self, system, size, batch, seconds):
        meter = guests.Meter(system, TX)
        if system.name == race.OURS:
            system.start(f"netbench net0 send size={BYTES[size]} "
                         f"batch={batch} ms={int(seconds * 1000) + 400}")
        else:
            system.run(f"pktgen {BYTES[size]} {batch} 0 0 &")
        meter.until(lambda rate: rate > 1000)
        rate = meter.rate(seconds)
        if system.name == race.OURS:
            system.ready()
        else:
            system.run(STOP)
        return rate

    def receive_rate(self, system, size, seconds):
        """QEMU holds frames enough all the time, but not for long after it."""
        meter = guests.Meter(system, RX)
        if system.name == race.OURS:
            system.start("netbench net0 recv ms="
                         f"{int(seconds * 1000) + 1500}")
        sent, _ = self.fill(system, size, 0, meter, WARM_S)
        sent, rate = self.fill(system, size, sent, meter, seconds)
        meter.until(lambda left: left < 10)
        if system.name == race.OURS:
            system.ready()
        return rate

    def fill(self, system, size, sent, meter, seconds):
        """
        So many have been sent then; received were so many a second. Fewer than
        65536 are on the way at any time, so that the index tells all.
        """
        meter.look()
        began, first = time.monotonic(), meter.total
        while time.monotonic() - began < seconds:
            lacks = sent + RESERVE - meter.total
            if lacks > RESERVE / 2:
                system.peer.start(f"blast {BYTES[size]} {lacks}")
                system.peer.sent()
                sent += lacks
            else:
                time.sleep(meter.STEP_S)
            meter.look()
        return sent, (meter.total - first) / (time.monotonic() - began)

    # Doorbells and interrupts

    def send_some(self, system, batch):
        if system.name == race.OURS:
            system.run(f"netbench net0 send size={BYTES[64]} batch={batch} "
                       f"frames={SOME} gap={GAP_US[batch]} ms=60000")
        else:
            system.run(f"pktgen {BYTES[64]} {batch} {SOME} {GAP_US[batch] * 1000}")

    def receive_some(self, system, batch):
        bursts, gap = SOME // batch, GAP_US[batch]
        if system.name == race.OURS:
            system.start("netbench net0 recv ms="
                         f"{bursts * gap // 1000 * 3 // 2 + 300}")
        system.peer.start(f"burst {BYTES[64]} {batch} {gap} {bursts}")
        system.peer.sent()
        if system.name == race.OURS:
            system.ready()

    def exits(self, system, queue, work, batch):
        """Doorbells and interrupts that work() takes, a thousand frames."""
        meter = guests.Meter(system, queue)
        system.trace.begin()
        work(system, batch)
        meter.until(lambda rate: rate < 10)
        return [n / meter.total * 1000 for n in system.trace.count()]

    def traced(self, way, kind):
        """A guest whose doorbells and interrupts QEMU traces."""
        name = f"{way}-{kind.name}"
        trace = guests.Trace(f"{self.tmp}/{name}.trace")
        more = ",ioeventfd=off", trace.words
        system = self.boot(kind, NOWHERE, *more) if way == "send" else \
            self.with_peer(kind, name, *more)
        system.trace = trace
        return system

    def count(self, bench, way, batches):
        systems = [self.traced(way, kind) for kind in KINDS]
        work, queue = {"send": (self.send_some, TX),
                       "receive": (self.receive_some, RX)}[way]
        seen = {}
        for n in range(COUNTS):
            for batch in batches:
                for system in bench.turns(systems, n):
                    counts = self.exits(system, queue, work, batch)
                    for what, each in zip(("doorbells", "interrupts"), counts):
                        seen.setdefault((f"{way}-{what}-{batch}", system.name),
                                        []).append(each)
        # Where the host stalls, batches that are sent run together: the most
        # is what they cost by themselves.
        pick = max if way == "send" else statistics.median
        for (row, name), counts in seen.items():
            bench.sample(row, name, pick(counts))
        for system in systems:
            system.end()

    def once(self, bench):
        for way in ("send", "receive"):
            batches = [batch for batch in BATCHES
                       if bench.only(f"{way}-doorbells-{batch}")
                       or bench.only(f"{way}-interrupts-{batch}")]
            if batches:
                self.count(bench, way, batches)

    # In turns

    def systems(self, way):
        """Both, up from now on."""
        if way not in self.up:
            self.up[way] = [
                self.boot(kind, NOWHERE) if way == "send" else
                self.with_peer(kind, kind.name) for kind in KINDS]
        return self.up[way]

    def run(self, bench, n):
        seconds = bench.seconds(0.6)
        for size in SIZES:
            if bench.only(f"send-{size}"):
                for system in bench.turns(self.systems("send"), n):
                    bench.sample(f"send-{size}", system.name, max(
                        self.send_rate(system, size, batch, seconds / 2)
                        for batch in BATCHES[-2:]))
            if bench.only(f"receive-{size}"):
                for system in bench.turns(self.systems("receive"), n):
                    self.receive(bench, system, size, seconds)

    def receive(self, bench, system, size, seconds):
        bench.sample(f"receive-{size}", system.name,
                     self.receive_rate(system, size, seconds))
        if system.name == race.OURS:
            return
        system.run("netload xdp eth0")
        bench.sample(f"receive-{size}", XDP,
                     self.receive_rate(system, size, seconds))
        system.run("netload plain eth0")
