#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=400
"""
The MTU that the hypervisor offers is honoured: a packet of just that size
passes both ways uncut, one byte more is refused by the stack and by the driver,
and what arrives above it is counted and dropped.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import Failure, Guest
from peer import Peer

PEER = "10.0.2.2"

PCI = ("pci", [], "virtio-net-pci,netdev=n0,romfile=,disable-legacy=on")
PCI_PLAIN = ("pci, no mergeable buffers", [], PCI[2] + ",mrg_rxbuf=off")
MMIO = ("mmio", ["-global", "virtio-mmio.force-legacy=false"],
        "virtio-net-device,netdev=n0")
MMIO_PLAIN = ("mmio, no mergeable buffers", MMIO[1],
              MMIO[2] + ",mrg_rxbuf=off")
LEGACY = ("legacy mmio", [], "virtio-net-device,netdev=n0")
LEGACY_PLAIN = ("legacy mmio, header of 10 bytes", [],
                "virtio-net-device,netdev=n0,mrg_rxbuf=off")
EVERY = [PCI, PCI_PLAIN, MMIO, MMIO_PLAIN, LEGACY, LEGACY_PLAIN]


class Case:
    """A guest, its peer, and what the tests ask of both."""

    def __init__(self, host_mtu, kind, append="", **peer):
        name, args, device = kind
        self.name = f"host_mtu {host_mtu}, {name}"
        if host_mtu is not None:
            device += f",host_mtu={host_mtu}"
        self.peer = Peer(**peer)
        self.guest = Guest(append=append, args=args, devices=[
            self.peer.netdev("n0"), ["-device", device]])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.guest.close()
        self.peer.close()

    def ready(self, lease=True):
        self.guest.prompt()
        if lease and not self.peer.wait_lease():
            self.guest.fail("no lease was taken")
        if lease:
            self.guest.until("ifconfig net0", lambda out: "inet " in out)
            self.guest.command("sleep 100")     # an MTU with it is taken soon

    def ok(self, good, what, *notes):
        text = [] if good else self.guest.text.splitlines()[-30:]
        return tap.ok(good, f"{self.name}: {what}", *notes, *text)

    def says(self, command, pattern, what):
        answer = self.guest.command(command)
        return self.ok(re.search(pattern, answer), what,
                       f"`{command}` said:", answer, f"not: {pattern}")

    def counter(self, direction, name):
        answer = self.guest.command("ifconfig net0")
        line = re.search(rf"^\t{direction} .*$", answer, re.M)[0]
        return int(re.search(rf"(\d+) {name}", line)[1])

    def passes(self, mtu):
        """A packet of mtu bytes passes both ways, whole; no longer one."""
        self.says(f"ping -D -c 1 -s {mtu} {PEER}", "1 received",
                  f"the guest's ping of {mtu} passes")
        self.says(f"ping -D -c 1 -s {mtu + 1} {PEER}" if mtu < 65535 else "",
                  "message too long", f"and of {mtu + 1} is refused")
        self.ok(self.peer.ping(mtu), f"the peer's ping of {mtu} passes")
        before = self.counter("rx", "above mtu")
        self.ok(not self.peer.ping(mtu + 1, seconds=0.5),
                f"and of {mtu + 1} does not")
        after = self.counter("rx", "above mtu")
        self.ok(after == before + 1, "it was counted", f"{before} {after}")

    def driver_refuses(self, mtu):
        """Past the stack too."""
        self.peer.test_frames.clear()
        self.says(f"sendframe net0 {mtu}", "bytes sent",
                  f"the driver sends a frame of {mtu}")
        self.says(f"sendframe net0 {mtu + 1}", "message too long",
                  f"and refuses one of {mtu + 1}")
        self.guest.command("sleep 50")
        self.ok(self.peer.wait(lambda: self.peer.test_frames) and
                self.peer.test_frames == [max(mtu, 46)] or
                self.peer.test_frames == [mtu],
                "which the peer never saw", repr(self.peer.test_frames))

    def clean(self, most):
        self.ok(self.peer.largest <= most,
                f"nothing above {most} left the guest",
                f"{self.peer.largest}")
        self.ok(not self.peer.bad, "what left was well formed",
                *self.peer.bad[:5])


def offered(mtu, kind):
    with Case(mtu, kind) as c:
        c.ready()
        c.says("ifconfig net0", rf"mtu {mtu} hardmtu {mtu}",
               "it is the interface's MTU and hard MTU")
        c.ok(re.search(rf"^net0: 10\.0\.2\.15/24 mtu {mtu} "
                       rf"\(hardmtu {mtu}\).* \+MTU ", c.guest.text, re.M),
             "the start says so")
        c.passes(mtu)
        c.driver_refuses(mtu)
        c.says(f"ifconfig net0 mtu {mtu + 1}", "above the hard mtu",
               "it can't be raised")
        c.clean(mtu)


def lowered_and_raised():
    with Case(4000, PCI) as c:
        c.ready()
        c.says("ifconfig net0 mtu 1400", "^$", "it can be lowered")
        c.says("ifconfig net0", "mtu 1400 hardmtu 4000", "to 1400")
        c.peer.largest = 0
        c.passes(1400)
        c.driver_refuses(1400)
        c.clean(1400)
        c.peer.mtu = 1400
        c.says(f"ping -c 1 -s 3000 {PEER}", "1 received",
               "what may be cut, is")
        c.clean(1400)
        c.peer.mtu = 4000
        c.says("ifconfig net0 mtu 4000", "^$", "and raised again")
        c.passes(4000)
        c.says("ifconfig net0 mtu 67", "refused: below 68",
               "67 is refused")
        c.says("ifconfig net0 mtu 4001", "above the hard mtu 4000",
               "4001 is refused")
        c.says("ifconfig net0 mtu many", "not a number",
               "so is what is no number")


def largest(kind):
    """65535 is more than the stack takes: the bit is left, 65435 possible."""
    with Case(65535, kind) as c:
        c.ready()
        c.says("ifconfig net0", r"mtu 1500 hardmtu 65435.*(.|\n)*-MTU\(",
               "the bit is not accepted")
        c.says("ifconfig net0 mtu 65435", "^$", "65435 can be set")
        c.says("ifconfig net0 mtu 65436", "above the hard mtu",
               "65436 can't")
        c.passes(65435)
        c.driver_refuses(65435)
        frames = c.counter("rx", "frames"), c.counter("rx", "bytes")
        over = c.counter("rx", "above mtu")
        c.peer.test_frame(65535)
        c.peer.ping(100)
        c.ok(c.counter("rx", "above mtu") == over + 1,
             "a frame of 65535 is counted as above the MTU")
        got = c.counter("rx", "bytes") - frames[1]
        c.ok(65549 < got < 66500, "and was delivered whole by the driver",
             f"{got} bytes")
        c.clean(65435)


def too_small():
    with Case(67, PCI) as c:
        c.ready()
        c.says("ifconfig net0", r"mtu 1500 hardmtu 65435.*(.|\n)*-MTU\(",
               "the bit is not accepted, the MTU 1500")
        c.passes(1500)


def smallest():
    with Case(68, PCI, append=f"net=10.0.2.15/24,{PEER}", ra=False) as c:
        c.ready(lease=False)
        c.says("ifconfig net0", "mtu 68 hardmtu 68", "it is accepted")
        c.passes(68)
        c.driver_refuses(68)
        c.peer.mtu = 68
        c.says(f"ping -c 1 -s 1000 {PEER}", "1 received",
               "a longer packet goes in pieces")
        c.clean(68)


def none_offered(kind):
    with Case(None, kind) as c:
        c.ready()
        c.says("ifconfig net0", "mtu 1500 hardmtu 65435",
               "1500, and any up to 65435 can be set")
        c.passes(1500)
        c.says("ifconfig net0 mtu 9000", "^$", "9000 is set")
        c.passes(9000)
        c.clean(9000)


def by_dhcp():
    with Case(4000, PCI, dhcp_mtu=1450) as c:
        c.ready()
        c.says("sleep 100;ifconfig net0", "mtu 1450 hardmtu 4000",
               "DHCP's 1450 is taken")
        c.passes(1450)
        c.clean(1450)
    with Case(1500, PCI, dhcp_mtu=9000) as c:
        c.ready()
        c.says("sleep 100;ifconfig net0", "mtu 1500 hardmtu 1500",
               "DHCP's 9000 is not")
        c.clean(1500)


def main():
    run = [(offered, mtu, PCI) for mtu in (1280, 1500, 4000, 9000, 65435)]
    run += [(offered, 9000, kind) for kind in EVERY[1:]]
    run += [(offered, 65435, kind) for kind in (PCI_PLAIN, LEGACY_PLAIN)]
    run += [(lowered_and_raised,), (largest, PCI), (largest, PCI_PLAIN),
            (too_small,), (smallest,), (none_offered, PCI),
            (none_offered, LEGACY_PLAIN), (by_dhcp,)]
    if os.environ.get("PARAVANE_LONG"):
        run += [(offered, mtu, kind) for kind in EVERY[1:]
                for mtu in (1280, 1500, 4000, 65435)]
        run += [(largest, kind) for kind in EVERY[2:]]
    only = sys.argv[1:]
    for function, *args in run:
        if only and function.__name__ not in only:
            continue
        try:
            function(*args)
        except Failure as failure:
            tap.ok(False, f"{function.__name__} {args}", str(failure))
    tap.done()


main()
