#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=200
"""
A network device beyond its traffic: what ifconfig sets, announcements that the
host asks for, and what comes after a device that asks for a reset or sends
nothing any more.
"""

import contextlib
import os
import re
import socket
import struct
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import gdb
import tap
from paravane_qemu import Failure, Guest

NIC = "virtio-net-pci,netdev=n0,id=v,romfile="
USER = ["-netdev", "user,id=n0", "-device", NIC + ",disable-legacy=on"]
PING = "ping -c 1 10.0.2.2"
RESET = "^net0: sends nothing any more: reset"


def up(g):
    g.expect(r"^net0: 10\.0\.2\.15/24", 60)
    g.send("\r")
    g.prompt()


def until(g, pattern, good=lambda found: found):
    """
    Asks ifconfig until the pattern's match is good, for some seconds; whether
    it was, and the last answer.
    """
    for _ in range(20):
        answer = g.command("ifconfig net0")
        if good(re.search(pattern, answer)):
            return True, answer
        g.command("sleep 200")
    return False, answer


@contextlib.contextmanager
def idle_backend(words):
    """A guest, and its back end's socket, out of which nothing is taken."""
    with tempfile.TemporaryDirectory() as tmp, \
            socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(tmp, "peer")
        listener.bind(path)
        listener.listen(1)
        with Guest(append="net=off " + words, devices=[
                ["-netdev", "stream,id=n0,server=off,addr.type=unix,"
                 f"addr.path={path}", "-device", NIC]]) as g, \
                listener.accept()[0] as peer:
            g.prompt()
            yield g, peer


def asks(g):
    """What is asked of ifconfig, and refused."""
    help_text = g.command("ifconfig --help")
    for word in ("mtu", "mac", "promisc", "allmulti", "vlan", "txcsum",
                 "rxcsum", "lro", "pairs", "rss", "coalesce", "feature",
                 "stats", "alluni", "nomulti"):
        tap.ok(re.search(rf"^\s+{word}\b", help_text, re.M),
               f"ifconfig --help tells of {word}", help_text)
    tap.ok("usage: ifconfig" in g.command("ifconfig -h"), "its usage")
    for command, pattern in (
            ("nonsense", "neither a setting nor an address"),
            ("mtu", "a word is missing"),
            ("promisc maybe", "on or off, not maybe"),
            ("mac 2:0:0", "is not like 02:00:00:00:00:01"),
            ("mac 01:00:00:00:00:01", "is a group's"),
            ("rxcsum on", "the device does not offer it"),
            ("lro on", "the device does not offer it"),
            ("feature MQ on", "the device does not offer it"),
            ("vlan 4096 on", "vlan"),
            ("pairs 2", "pairs"),
            ("rss all", "the device does not offer it"),
            ("coalesce rx 8 50", "the device does not offer it"),
            ("coalesce up 8 50", "rx or tx, not up"),
            ("feature NONE on", "none is called NONE"),
            ("txcsum on", "the device does not offer it")):
        answer = g.command(f"ifconfig net0 {command}")
        tap.ok(re.search(pattern, answer), f"ifconfig net0 {command}", answer)
    answer = g.command("ifconfig net0 txcsum off rxcsum off lro off")
    tap.ok(not answer.strip(), "what is off can be set so", answer)


def filters(g):
    """As QEMU has them: 7.2 means the opposite by the last."""
    for setting, field, value in (
            ("vlan 9 on", "vlan-table", [9]),
            ("vlan 9 off", "vlan-table", []),
            ("mac 02:00:00:00:00:78", "main-mac", "02:00:00:00:00:78"),
            ("promisc on", "promiscuous", True),
            ("promisc off", "promiscuous", False),
            ("nomulti on", "multicast", "none"),
            ("nomulti off", "multicast", "all"),
            ("allmulti off", "multicast", "normal"),
            ("allmulti on", "multicast", "all"),
            ("nouni on", "unicast", "none"),
            ("nouni off", "unicast", "normal"),
            ("alluni on", "unicast", "all"),
            ("nobcast on", "broadcast-allowed", True)):
        answer = g.command(f"ifconfig net0 {setting}")
        had = g.qmp("query-rx-filter", name="v")[0][field]
        tap.ok(had == value, f"ifconfig net0 {setting}", answer, had)
    answer = g.command("ifconfig net0")
    tap.ok("on: allmulti alluni nobcast\n" in answer, "are shown", answer)
    g.command("ifconfig net0 feature CTRL_RX_EXTRA off", 30)
    answer = g.command("ifconfig net0 nouni on")
    tap.ok("the device does not offer it" in answer,
           "a mode that the device has not", answer)
    g.command("ifconfig net0 alluni off nobcast off feature CTRL_RX_EXTRA on",
              30)
    tap.ok("1 received" in g.command(PING), "traffic after them")


def sets(g):
    answer = g.command("ifconfig net0 promisc on vlan 7 on pairs 1")
    tap.ok(not answer.strip(), "several settings at once", answer)
    answer = g.command("ifconfig net0")
    tap.ok(re.search(r"on: promisc allmulti\s.*vlan 7\s", answer, re.S),
           "are shown", answer)
    g.command("ifconfig net0 promisc off mac 02:00:00:00:00:77")
    g.command("ifconfig net0 vlan 7 off vlan 4095 on mtu 1400")
    answer = g.command("ifconfig net0")
    tap.ok("ether 02:00:00:00:00:77" in answer and
           "promisc" not in answer and "vlan 4095" in answer,
           "another address", answer)
    tap.ok("1 received" in g.command(PING), "traffic with it")


def negotiates(g):
    """After sets()."""
    g.command("ifconfig net0 feature MRG_RXBUF off", 30)
    answer = g.command("ifconfig net0")
    tap.ok("-MRG_RXBUF(denied" in answer, "a feature given up", answer)
    tap.ok("mtu 1400 " in answer and "02:00:00:00:00:77" in answer,
           "MTU and address stay", answer)
    tap.ok("vlan" not in answer.lower().replace("ctrl_vlan", ""),
           "VLANs do not, and are not shown", answer)
    tap.ok("1 received" in g.command(PING), "traffic without it")
    g.command("ifconfig net0 feature MRG_RXBUF on", 30)
    answer = g.command("ifconfig net0")
    tap.ok("+MRG_RXBUF" in answer, "and taken again", answer)
    answer = g.command("ifconfig net0 feature VERSION_1 off", 30)
    tap.ok("can't be had so" in answer and "1 received" in g.command(PING),
           "what a device is not had without stays", answer)


def goes_down(g):
    g.command("ifconfig net0 down")
    tap.ok("inet 10." not in g.command("ifconfig net0"), "down: no lease")
    g.command("ifconfig net0 up")
    g.expect(r"^net0: 10\.0\.2\.\d+/24", 30)
    g.send("\r")
    g.prompt()
    tap.ok("1 received" in g.command(PING), "up: it has one again")


def counts(g):
    answer = g.command("ifconfig net0 stats")
    tap.ok(re.search(r"pair 0: rx \d+ frames.*\n.*rx: \d+ queued.*\n"
                     r".*tx: \d+ queued", answer), "counters by queue", answer)
    answer = g.command("netbench net0 send size=64 batch=8 frames=2000 "
                       "ms=30000", 60)
    tap.ok(re.search(r"^netbench: net0 send size=64 batch=8 gso=0 "
                     r"frames=2000 bytes=128000 us=\d+ frames/s=\d+ "
                     r"bytes/s=\d+ doorbells=\d+ interrupts=\d+ ",
                     answer, re.M), "netbench sends", answer)
    answer = g.command("netbench net0 recv ms=50")
    tap.ok("netbench: net0 recv " in answer, "netbench receives", answer)
    for command in ("send size=9000", "send size=30000 gso=1448",
                    "send queue=1", "both", "send speed=1"):
        answer = g.command("netbench net0 " + command)
        tap.ok("netbench" in answer and "frames/s" not in answer,
               f"netbench refuses {command}", answer)
    tap.ok("1 received" in g.command(PING), "traffic after it")


def settings():
    with Guest(devices=[USER]) as g:
        up(g)
        for part in (asks, filters, sets, negotiates, goes_down, counts):
            part(g)


def packets(path):
    """Of a capture file."""
    with open(path, "rb") as f:
        data = f.read()
    at = 24
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at + 16:at + 16 + length]
        at += 16 + length


def announcements(path, mac):
    """Gratuitous ARPs and unsolicited advertisements from it."""
    arp = advertised = 0
    for p in packets(path):
        arp += (p[6:12] == mac and p[12:14] == b"\x08\x06" and
                p[28:32] == p[38:42] == socket.inet_aton("10.0.2.15"))
        advertised += (p[6:12] == mac and p[12:14] == b"\x86\xdd" and
                       p[20] == 58 and p[54] == 136 and p[58] == 0x20)
    return arp, advertised


def announce():
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "frames")
        with Guest(devices=[USER], args=[
                "-object", f"filter-dump,id=f,netdev=n0,file={path}"]) as g:
            up(g)
            # The link-local address is in use after its check.
            _, answer = until(g, r"\(tentative\)", lambda found: not found)
            mac = bytes.fromhex(re.search(r"ether (\S+)", answer)[1]
                                .replace(":", ""))
            before = announcements(path, mac)
            g.qmp("announce-self", initial=50, max=100, rounds=2, step=50)
            told, answer = until(g, r"announced (\d+) times")
            tap.ok(told, "the guest announces when it is asked to", answer)
            g.command("poweroff", wait=False)
            g.wait(30)
        after = announcements(path, mac)
        tap.ok(after[0] > before[0], "by ARP", f"{before} {after}")
        tap.ok(after[1] > before[1], "and to IPv6's neighbours",
               f"{before} {after}")


def spoil(g, stub, queue):
    """A descriptor that can't be, next in the ring."""
    ring = gdb.ring(g, "v", queue)
    avail, size = ring["vring-avail"], ring["vring-num"]
    with gdb.Stub(stub) as memory:
        index = int.from_bytes(memory.read(avail + 2, 2), "little")
        memory.write(avail + 4 + index % size * 2, b"\xff\xff")
        memory.write(avail + 2, (index + 1 & 0xffff).to_bytes(2, "little"))


def needs_reset():
    with tempfile.TemporaryDirectory() as tmp:
        stub = os.path.join(tmp, "gdb")
        with Guest(devices=[USER], args=gdb.words(stub)) as g:
            up(g)
            for times in (1, 2):
                spoil(g, stub, 1)
                g.command(PING, 40)
                answer = g.command("ifconfig net0")
                tap.ok(re.search(rf"{times} resets", answer),
                       f"a device that asks for a reset, {times}", answer)
                tap.ok("1 received" in g.command(PING, 40),
                       "and traffic after it")


def empty_hub():
    """Nobody is there to take the stack's frames."""
    with Guest(devices=[["-netdev", "hubport,id=n0,hubid=0",
                         "-device", NIC]]) as g:
        g.prompt()
        g.until("devices net0", lambda out: re.search(
            r"^  queue 1 .* [1-9]\d* outstanding", out, re.M))
        answer = g.command("netbench net0 send size=64 batch=8 frames=2000")
        tap.ok("does not come back: nothing was tried\nHas it a back end"
               in answer, "netbench on an empty hub says what to look for",
               answer)


def hangs():
    """A back end that takes nothing until it is asked to."""
    with idle_backend("") as (g, peer):
        answer = g.command("netbench net0 send size=1514 ms=20000", 60)
        tap.ok(re.search(r"\d+ frames sent, and for 2 s the device gave none "
                         r"back\nHas it a back end", answer),
               "a device that sends no more, says netbench", answer)
        g.expect(RESET, 30)
        g.send("\r")
        g.prompt()
        answer = g.command("ifconfig net0")
        tap.ok("1 resets, 1 of them" in answer, "is reset", answer)
        # Another way to it: frames that nobody waits for.
        g.command("ifconfig net0 up")
        for _ in range(40):
            g.command("sendframe net0 1400")
        g.expect(RESET, 60)
        tap.ok(True, "the watchdog finds it, too")
        peer.close()
        g.send("\r")
        g.prompt()
        # It says that it resets, then it does.
        again, answer = until(g, r"(\d+) frames sent again",
                              lambda found: found and int(found[1]) >= 40)
        tap.ok(again, "what was queued is sent again", answer)


def drain(peer):
    """Reads until nothing comes for a while; how much there was."""
    peer.settimeout(1)
    total = 0
    try:
        while data := peer.recv(1 << 20):
            total += len(data)
    except TimeoutError:
        pass
    return total


def hold_one(g):
    """Frames one by one until the back end has no room for one."""
    for _ in range(1000):
        g.command("sendframe net0 1400")
        for _ in range(3):
            found = re.search(r"tx: (\d+) queued, (\d+) used",
                              g.command("ifconfig net0 stats"))
            if found[1] == found[2]:
                break
        else:
            return
    raise Failure("the back end has room for everything")


def hangs_alone():
    """
    One queue is reset; then all, as it hangs again. There is one frame in it:
    with more QEMU 7.2 ends in an assertion.
    """
    with idle_backend("netreset=queue") as (g, peer):
        hold_one(g)
        for whole in (0, 1):
            g.expect(RESET if whole else
                     "^net0: queue 0 sends nothing any more: reset alone", 60)
            g.send("\r")
            g.prompt()
            reset, answer = until(
                g, rf"{whole} resets, {whole} of them .* more, "
                rf"1 of a queue alone; {whole + 1} frames sent again")
            tap.ok(reset, "a device that is reset" if whole else
                   "a queue that is reset alone", answer)
        drain(peer)
        g.command("sendframe net0 1400")
        tap.ok(drain(peer) >= 1400, "and frames are sent")


for work in (settings, announce, needs_reset, empty_hub, hangs, hangs_alone):
    try:
        work()
    except (Failure, OSError) as failure:
        tap.ok(False, work.__name__, str(failure))
tap.done()
