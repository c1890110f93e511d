# SPDX-License-Identifier: ISC
"""
Much at once over this guest's network and Linux's: large segments that the
device is to cut, or has put together, at the driver; and TCP.
"""

import contextlib
import socket
import subprocess
import threading
import time

import guests
import linux
import race
import wire

PLAIN = "Linux without offloads"
SEGMENT = 65226         # 45 times an MSS of 1448, and headers
MTUS = (1500, 9000)
OFF = "".join(f",{name}=off" for name in (
    "csum", "guest_csum", "host_tso4", "host_tso6", "host_ecn", "host_ufo",
    "guest_tso4", "guest_tso6", "guest_ecn", "guest_ufo"))
GBIT = 8e-9


class Endpoint:
    """This machine's end of a TCP connection: what is timed is its doing."""

    def __init__(self, host):
        self.listener = socket.create_server((host, 0))
        self.listener.settimeout(30)
        self.port = self.listener.getsockname()[1]
        self.rate = None
        self.error = None

    def begin(self, work, *args):
        self.thread = threading.Thread(target=self.serve, args=(work, args))
        self.thread.start()

    def serve(self, work, args):
        try:
            with self.listener, self.listener.accept()[0] as sock:
                sock.settimeout(30)
                work(sock, *args)
        except OSError as error:
            self.error = error

    def end(self):
        """Bytes a second."""
        self.thread.join()
        if self.error is not None:
            raise self.error
        return self.rate

    def sink(self, sock):
        """Until the end of what the guest sends."""
        buffer = bytearray(1 << 20)
        total, began = sock.recv_into(buffer), time.monotonic()
        while n := sock.recv_into(buffer):
            total += n
        self.rate = total / (time.monotonic() - began)

    def source(self, sock, seconds):
        """What the guest has taken, to the last byte."""
        data = memoryview(bytes(1 << 18))
        began, total = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            sock.sendall(data)
            total += len(data)
        sock.shutdown(socket.SHUT_WR)
        # The guest closes when it has read all.
        while sock.recv(4096):
            pass
        self.rate = total / (time.monotonic() - began)


def rows():
    ours, them = race.OURS, guests.Linux.name
    for name, what in (
            ("large-send", "segments of 64 KB sent, cut by the device"),
            ("large-receive", "segments of 64 KB received as one")):
        yield race.Row(name, what, "GB/s", (ours, them), more=True,
                       goal=race.at_least(1.5), scale=1e-9)
    for way in ("send", "receive"):
        for mtu in MTUS:
            what = f"TCP, {way}, MTU {mtu}"
            yield race.Row(f"tcp-{way}-{mtu}", what, "Gbit/s", (ours, PLAIN),
                           more=True, goal=race.at_least(1.0), scale=GBIT)
            yield race.Row(f"tcp-{way}-{mtu}-offloads", what, "Gbit/s",
                           (ours, them), more=True, scale=GBIT, picture=True)


class Part(race.Part):
    title = "Large sends and receives, and TCP, in the guest"
    how = """A tap device each with virtio's header, whose other end is this
        machine's network stack in a namespace of its own. Large segments: by
        netbench, and on Linux out of a ring of pages that its driver gets as
        they are (PACKET_TX_RING); bytes are those of the tap's counters. TCP:
        the guest's stack (lwIP, which leaves checksums to the device and cuts
        segments itself) and Linux's, a connection each, without and with what
        the device can do for it; timed by this machine's end, to the last
        byte."""
    rows = list(rows())
    network = True

    def versions(self):
        return {"Linux": linux.version(), "QEMU": race.qemu_version()}

    def setup(self, bench):
        if not linux.KERNEL:
            raise race.Missing("`make bench` fetches Linux")
        load, self.feeder = race.build("perf/netload", "perf/netload-host")
        self.initramfs = f"{self.tmp}/initramfs"
        linux.initramfs(self.initramfs, linux.modules(
            "virtio_pci", "virtio_net"), guests.INIT,
            {"bin/netload": linux.contents(load)})
        self.stack.enter_context(wire.own_network())
        self.up = {}

    def system(self, name):
        """Each is up from when it is first asked for."""
        if name not in self.up:
            n = len(self.up)
            self.up[name] = self.boot(name, wire.Tap(
                f"paravane{n}", f"10.0.{n}.2", max(MTUS)), f"10.0.{n}.15")
        return self.up[name]

    def boot(self, name, tap, address):
        device = [*tap.words, "-device", "virtio-net-pci,netdev=n0,id=nic,"
                  f"romfile=,host_mtu={max(MTUS)}"
                  + (OFF if name == PLAIN else "")]
        if name == race.OURS:
            system = guests.Ours(self.stack, device,
                                 append=f"net={address}/24,{tap.host}")
        else:
            system = guests.Linux(self.stack, device,
                                  initramfs=self.initramfs)
            system.run(f"ip addr add {address}/24 dev eth0; "
                       "ip link set eth0 up")
        if name == PLAIN:
            system.run("netload offloads eth0 off")
        system.tap = tap
        return system

    # Large segments

    def large_send(self, system, seconds):
        ms = int(seconds * 1000) + 400
        if system.name == race.OURS:
            system.start(f"netbench net0 send size={SEGMENT} batch=32 "
                         f"gso=1448 ms={ms}")
        else:
            system.start(f"netload tso eth0 {SEGMENT} 32 {ms}")
        with self.settled(system, 0):
            return self.bytes_in(system, 0, seconds)

    def large_receive(self, system, seconds):
        ms = int(seconds * 1000) + 400
        if system.name == race.OURS:
            system.start(f"netbench net0 recv ms={ms + 300}")
        feeder = subprocess.Popen([self.feeder, "feed", system.tap.name,
                                   str(SEGMENT), str(ms)])
        try:
            with self.settled(system, 1, system.name == race.OURS):
                return self.bytes_in(system, 1, seconds)
        finally:
            feeder.wait(20)

    @contextlib.contextmanager
    def settled(self, system, way, commanded=True):
        """When bytes come for good; after it the guest has done."""
        end = time.monotonic() + 20
        while self.bytes_in(system, way, 0.05) < 1e6:
            if time.monotonic() > end:
                raise race.Missing(f"{system.name}: nothing comes")
        yield
        if commanded:
            system.ready()

    @staticmethod
    def bytes_in(system, way, seconds):
        """A second, of those seconds."""
        began, first = time.monotonic(), system.tap.counters()[way]
        time.sleep(seconds)
        now, last = time.monotonic(), system.tap.counters()[way]
        return (last - first) / (now - began)

    # TCP

    def tcp(self, system, way, mtu, seconds):
        end = Endpoint(system.tap.host)
        ours = system.name == race.OURS
        where = f"{system.tap.host} {end.port}"
        if ours:
            system.run(f"ifconfig net0 mtu {mtu}")
        else:
            system.run(f"ip link set eth0 mtu {mtu}")
        if way == "send":
            end.begin(end.sink)
            command = "netbench tcp send" if ours else "netload send"
            system.run(f"{command} {where} {int(seconds * 1000)}")
        else:
            end.begin(end.source, seconds)
            command = "netbench tcp receive" if ours else "netload recv"
            system.run(f"{command} {where}")
        return end.end()

    def run(self, bench, n):
        seconds = bench.seconds(0.6)
        for way, work in (("send", self.large_send),
                          ("receive", self.large_receive)):
            row = f"large-{way}"
            if bench.only(row):
                for name in bench.turns((race.OURS, guests.Linux.name), n):
                    bench.sample(row, name, work(self.system(name), seconds))
        for way in ("send", "receive"):
            for mtu in MTUS:
                self.race_tcp(bench, n, way, mtu, seconds)

    def race_tcp(self, bench, n, way, mtu, seconds):
        row = f"tcp-{way}-{mtu}"
        for name in bench.turns((race.OURS, PLAIN, guests.Linux.name), n):
            wanted = {race.OURS: (row, f"{row}-offloads"), PLAIN: (row,),
                      guests.Linux.name: (f"{row}-offloads",)}[name]
            if any(map(bench.only, wanted)):
                rate = self.tcp(self.system(name), way, mtu, seconds)
                for each in wanted:
                    bench.sample(each, name, rate)
