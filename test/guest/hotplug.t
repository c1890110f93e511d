#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=280
"""
Devices are put into slots and taken out while the guest runs: each kind, in use
or not, by every kind of interrupt, singly and in storms.

The five seconds between the button and the power are the standard's: slots are
asked to let go all at once, so that the test waits for them once.
"""

import concurrent.futures
import os
import random
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import Failure, Guest
from peer import Peer

CPU = "cortex-a72"
GICV2 = "virt,gic-version=2"
GICV3 = "virt,gic-version=3"

# QEMU's name, the guest's, and more of QEMU's words. QEMU takes no display while
# it runs, nor lets it go: that one is there at the start, and goes by the guest.
KINDS = {
    "net": ("virtio-net-pci", "net", {"romfile": ""}),
    "rng": ("virtio-rng-pci", "entropy", {}),
    "con": ("virtio-serial-pci", "console", {"max_ports": 1}),
    "blk": ("virtio-blk-pci", "blk", {}),
    "gpu": ("virtio-gpu-pci", "gpu", {}),
}
POOL = concurrent.futures.ThreadPoolExecutor(4)
SCENES = []
PLUGGED = ("net", "rng", "con", "blk")


def display(i):
    return ["-device", f"virtio-gpu-pci,id=d{i},bus=rp{i}"]


def slot(i):
    return f"0000:00:{8 + i // 8:02x}.{i % 8}"


def check(name, function, *args):
    """One scene; most of its time is the slots' own, so some run at once."""
    def scene():
        try:
            return function(*args)
        except Failure as e:
            return str(e)
    SCENES.append((name, POOL.submit(scene)))


def ports(count, kind="pcie-root-port", more=""):
    words = []
    for i in range(count):
        words.append(["-device", f"{kind},id=rp{i},chassis={i + 1},"
                      f"slot={i + 1},addr={8 + i // 8:x}.{i % 8}"
                      f"{',multifunction=on' if i % 8 == 0 else ''}{more}"])
        words.append(["-netdev", f"user,id=n{i}"])
        words.append(["-blockdev",
                      f"null-co,node-name=b{i},size=16777216,read-zeroes=on"])
    return words


def plug(g, kind, i, **more):
    driver, _, words = KINDS[kind]
    words = dict(words, **more)
    if kind == "net":
        words["netdev"] = f"n{i}"
    if kind == "blk":
        words["drive"] = f"b{i}"
    # QEMU holds on to a disk's node for a while after its device has gone.
    end = time.monotonic() + 20
    while True:
        try:
            g.qmp("device_add", driver=driver, id=f"d{i}", bus=f"rp{i}",
                  **words)
            return
        except Failure as e:
            if "Permission conflict" not in str(e) or time.monotonic() > end:
                raise
        time.sleep(0.1)


def ask(g, i):
    g.qmp("device_del", id=f"d{i}")


def gone(g, which):
    try:
        g.unplugged(*(f"d{i}" for i in which))
    except Failure as e:
        raise Failure(f"{e}\n{g.command('slot;pci')}")


def states(g, state, count):
    """Until so many slots are in that state."""
    return g.until("slot", lambda text: len(re.findall(
        rf"^    slot \d+  {state},", text, re.M)) == count)


def attached(g, kinds, how="MSI-X|INTx|polling"):
    """Until each of the devices runs, with such interrupts."""
    want = sorted(KINDS[kind][1] for kind in kinds)

    def good(text):
        have = re.findall(r"^([a-z]+)\d+: pci (?:(?!^\S).)*?^  interrupts "
                          rf"(?:{how})", text, re.M | re.S)
        return sorted(have) == want and "not running" not in re.sub(
            r"^\S+: taken out.*\n.*\n", "", text, flags=re.M)
    return g.until("devices", good)


def free_pages(g):
    return int(re.search(r"pages +\d+, (\d+) free", g.command("mem"))[1])


def leave(g, display=False):
    g.command("poweroff", wait=False)
    g.expect("^paravane: done")
    # QEMU 7.2 faults at its end after a display was taken out.
    return g.wait() and not display and "QEMU's exit status"


def every_kind(machine, words, slots, how, rounds):
    """Each kind in a slot of its own, used, and taken out."""
    n = len(PLUGGED)
    with Guest(append=words, machine=machine, cpu=CPU, smp=2,
               devices=ports(n + 1) + [display(n)], wait_s=60) as g:
        g.prompt()
        text = states(g, "empty", n)
        if text.count(slots) != n + 1:
            return text
        for turn in range(rounds):
            for i, kind in enumerate(PLUGGED):
                plug(g, kind, i)
            g.expect(r"^net0: 10\.0\.2\.15/24 ")
            attached(g, PLUGGED + (("gpu",) if turn == 0 else ()), how)
            text = g.command("selftest pci;selftest virtio")
            if "not ok" in text or "ok 1" not in text:
                return text
            for i in range(n):
                ask(g, i)
            if turn == 0:
                g.command(f"slot {slot(n)} off")
            gone(g, range(n))
            states(g, "empty", n + 1)
            text = g.command("devices;pci;ifconfig")
            if text.count("taken out") != n + 1 or "1af4:" in text or \
                    "net0:" in text.split("0000:")[-1]:
                return text
        return leave(g, display=True)


def leak(rounds):
    """Three of each kind, again and again: the memory is all there after it."""
    kinds = PLUGGED * 3
    with Guest(machine=GICV3, cpu=CPU, devices=ports(len(kinds)), wait_s=90,
               memory="512M") as g:
        g.prompt()
        free = []
        for _ in range(rounds):
            for i, kind in enumerate(kinds):
                plug(g, kind, i)
            states(g, "on", len(kinds))
            attached(g, kinds)
            for i in range(len(kinds)):
                ask(g, i)
            gone(g, range(len(kinds)))
            states(g, "empty", len(kinds))
            free.append((free_pages(g), re.search(
                r"memory \d+ bytes: (\d+) used", g.command("sockets"))[1]))
        # The first round leaves tables and the records of devices' names.
        if len(set(free[1:])) != 1:
            return f"free pages and bytes of the network's: {free}"
        return leave(g)


def functions():
    """Two functions in one slot come, and go, together."""
    with Guest(machine=GICV3, cpu=CPU, devices=ports(1)) as g:
        g.prompt()
        g.qmp("device_add", driver="virtio-rng-pci", id="d1", bus="rp0",
              addr="0.3")
        g.qmp("device_add", driver="virtio-net-pci", id="d2", bus="rp0",
              netdev="n0", romfile="", addr="0.1")
        g.qmp("device_add", driver="virtio-rng-pci", id="d0", bus="rp0",
              addr="0.0", multifunction=True)
        g.expect(r"filled: 3 functions")
        g.expect(r"^net0: 10\.0\.2\.15/24 ")
        attached(g, ["rng", "rng", "net"])
        ask(g, 0)
        gone(g, (0, 1, 2))
        states(g, "empty", 1)
        if "1af4:" in g.command("pci"):
            return g.text
        return leave(g)


def at_the_start():
    """What is put in, and asked out, before the kernel runs at all."""
    devices = ports(3) + [["-device", "virtio-rng-pci,id=d1,bus=rp1"],
                          ["-device", "virtio-rng-pci,id=d2,bus=rp2"]]
    with Guest(machine=GICV3, cpu=CPU, devices=devices, args=["-S"]) as g:
        plug(g, "net", 0)
        ask(g, 1)
        g.qmp("cont")
        g.expect(r"^net0: 10\.0\.2\.15/24 ")
        gone(g, (1,))
        states(g, "empty", 1)
        attached(g, ["net", "rng"])
        return leave(g)


def during_the_start():
    """Asked out, and put in, at moments of the start."""
    for delay in (0.0, 0.05, 0.1, 0.2):
        devices = ports(2) + [["-device", "virtio-rng-pci,id=d1,bus=rp1"]]
        with Guest(machine=GICV3, cpu=CPU, devices=devices) as g:
            time.sleep(delay)
            plug(g, "net", 0)
            ask(g, 1)
            g.expect(r"^net0: 10\.0\.2\.15/24 ")
            gone(g, (1,))
            attached(g, ["net"])
            bad = leave(g)
            if bad:
                return bad
    return None


def storm(seed, seconds):
    """In and out at random: in the end there is what was put in last."""
    rnd = random.Random(seed)
    kinds = PLUGGED
    with Guest(machine=GICV3, cpu=CPU, devices=ports(len(kinds)), wait_s=60,
               limit=180) as g:
        g.prompt()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            i = rnd.randrange(len(kinds))
            try:
                if rnd.random() < 0.5:
                    plug(g, kinds[i], i)
                else:
                    ask(g, i)
            except Failure as e:
                # Already there, not there, or its lamp blinks.
                if not re.search("Duplicate|not found|busy|in use|already",
                                 str(e)):
                    return str(e)
            time.sleep(rnd.choice((0, 0, 0.01, 0.1, 0.3)))
        deadline = time.monotonic() + 60
        for i in range(len(kinds)):
            while time.monotonic() < deadline:
                try:
                    ask(g, i)
                except Failure as e:
                    if "not found" in str(e):
                        break
                time.sleep(0.5)
        states(g, "empty", len(kinds))
        for i, kind in enumerate(kinds):
            plug(g, kind, i)
        attached(g, kinds)
        text = g.command("selftest pci;selftest virtio")
        if "not ok" in text:
            return text
        return leave(g)


def changed_mind():
    """Asked twice, it stays: the button is pressed again in time."""
    with Guest(machine=GICV3, cpu=CPU, devices=ports(1)) as g:
        g.prompt()
        plug(g, "rng", 0)
        states(g, "on", 1)
        ask(g, 0)
        g.expect("asked out")
        try:
            ask(g, 0)
        except Failure as e:
            # The lamp blinks, and QEMU has no hand for a second press.
            if "busy" not in str(e) and "already" not in str(e):
                raise
        gone(g, (0,))
        states(g, "empty", 1)
        # By the guest's own user.
        plug(g, "rng", 0)
        states(g, "on", 1)
        g.command(f"slot {slot(0)} off")
        g.expect("asked out")
        g.command(f"slot {slot(0)} off")
        g.expect("stays")
        g.command(f"slot {slot(0)} off")
        gone(g, (0,))
        states(g, "empty", 1)
        return leave(g)


def traffic(how):
    """Taken out in the middle of all that devices do: who waits is told."""
    with Peer() as peer, Guest(machine=GICV3, cpu=CPU, smp=2, wait_s=60,
                               devices=ports(5) + [display(4)] +
                               [peer.netdev("cable")]) as g:
        g.prompt()
        g.qmp("device_add", driver="virtio-net-pci", id="d0", bus="rp0",
              netdev="cable", romfile="")
        for i in (1, 2, 3):
            plug(g, PLUGGED[i], i)
        g.expect(r"^net0: 10\.0\.2\.15/24 ")
        attached(g, KINDS)
        # By the button after five seconds, cut at once.
        for i in range(5):
            g.command(f"slot {slot(i)} {how}")
        start = time.monotonic()
        g.send("ping -c 1000 10.0.2.2\r")
        g.expect(r"^ping: |^\d+ sent, \d+ received")
        if time.monotonic() - start > 30:
            return "the ping took too long to end"
        gone(g, range(4))
        states(g, "empty", 5)
        text = g.command("devices;ifconfig;exec hello")
        if text.count("taken out") != 5 or "net0: " in \
                text[text.rindex("taken out"):]:
            return text
        # What was lost is made up for by what comes.
        for i in (1, 2, 3):
            plug(g, PLUGGED[i], i)
        attached(g, PLUGGED[1:])
        return leave(g, display=True)


def contended():
    """Taken out while somebody else detaches and attaches it."""
    with Guest(machine=GICV3, cpu=CPU, devices=ports(1), wait_s=60) as g:
        g.prompt()
        for how in ("off", "cut"):
            plug(g, "rng", 0)
            attached(g, ["rng"])
            g.command(f"slot {slot(0)} {how}")
            end = time.monotonic() + 40
            while "no entropy device" not in \
                    g.command("selftest virtio_detach_in_flight"):
                if time.monotonic() > end:
                    return "it never went"
            gone(g, (0,))
            states(g, "empty", 1)
        # The test that it was taken from may have failed.
        g.command("poweroff", wait=False)
        g.wait()
        return None


def transfer(how):
    """A connection's end is told who uses it; the other interface goes on."""
    with Peer() as peer, Guest(machine=GICV3, cpu=CPU, smp=2, wait_s=60,
                               devices=ports(2) + [peer.netdev("cable")]) as g:
        g.prompt()
        plug(g, "net", 0)
        g.expect(r"^net0: 10\.0\.2\.15/24 ")
        g.qmp("device_add", driver="virtio-net-pci", id="d1", bus="rp1",
              netdev="cable", romfile="")
        g.expect(r"^net1: 10\.0\.2\.15/24 ")
        g.command(f"slot {slot(0)} {how}")
        g.send("tcphash recv 9 \r")
        g.expect(r"listening|tcphash: ")
        gone(g, (0,))
        g.send("\x03")
        g.prompt()
        text = g.command("ping -c 2 10.0.2.2")
        if "2 received" not in text:
            return text
        return leave(g)


def program():
    """A display goes under a program that maps it, which is told so."""
    with Guest(machine=GICV3, cpu=CPU, devices=ports(2) + [display(0),
               display(1)], wait_s=60) as g:
        g.expect("fb: painted")
        g.prompt()
        for i in (0, 1):
            g.command(f"slot {slot(i)} off")
            g.command("fbdemo 60", wait=False)
            g.expect(rf"^gpu{i}: taken out")
            g.expect(r"^fbdemo: resize: error 6\n(.*\n)*fbdemo: status 1")
            g.prompt()
            # The text, and the next program, go to the other display.
            text = g.command("fbdemo;fb")
            if ("B8G8R8X8" in text) != (i == 0) or \
                    ("error" in text) != (i == 1):
                return text
        states(g, "empty", 2)
        return leave(g, display=True)


def large():
    """A port keeps room for what QEMU says, and numbers for a bridge."""
    devices = ports(1, more=",pref64-reserve=64M,mem-reserve=8M,"
                    "bus-reserve=3") + [
        ["-object", "memory-backend-ram,id=m,size=32M"]]
    with Guest(machine=GICV3, cpu=CPU, devices=devices) as g:
        g.prompt()
        if "buses 1 to 4" not in g.command("pci"):
            return g.text
        g.qmp("device_add", driver="ivshmem-plain", id="d0", bus="rp0",
              memdev="m")
        states(g, "on", 1)
        if not re.search(r"BAR 2 .* \+ 0x2000000 64-bit prefetchable$",
                         g.command("pci"), re.M):
            return g.text
        ask(g, 0)
        gone(g, (0,))
        g.qmp("device_add", driver="pcie-pci-bridge", id="d0", bus="rp0")
        g.expect("filled: 1 function")
        if not re.search(r"0000:01:00.0 (.*\n)+ +buses 2 to 2\n +window",
                         g.command("pci")):
            return g.text
        ask(g, 0)
        gone(g, (0,))
        states(g, "empty", 1)
        return leave(g)


check("every kind, GICv3 with ITS", every_kind, GICV3, "", "MSI-X", "MSI-X", 2)
check("every kind, GICv2", every_kind, GICV2, "", "MSI-X", "MSI-X", 1)
check("every kind, INTx", every_kind, GICV3, "msi=off", "INTx", "INTx", 1)
check("every kind, polled, not coherent", every_kind, GICV2,
      "msi=off intx=off dma=noncoherent", "polled", "polling", 1)
check("twelve devices, five times: nothing leaks", leak, 5)
check("functions of one slot", functions)
check("put in and asked out before the start", at_the_start)
check("put in and asked out during the start", during_the_start)
check("asked out twice, and from within", changed_mind)
check("taken out in traffic", traffic, "off")
check("torn out in traffic", traffic, "cut")
check("taken out while it is detached", contended)
check("one of two networks goes", transfer, "off")
check("displays taken from a program, one after the other", program)
check("reserved room, and a bridge", large)
check("in and out at random", storm, 1, 20)
for what, scene in SCENES:
    bad = scene.result()
    tap.ok(not bad, what, *([bad] if bad else []))
tap.done()
