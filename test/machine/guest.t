#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=600
"""
Our guest on Apple's machine, which says so when a rule of it is broken: every
self-test on 1 to 4 processors, entered at EL1 and EL2; console, network and
display; each reading of what records dispute; and that the rules are there.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import tcphash
from keyboard import listed, press, type_line
from paravane_qemu import GPU, NET, RNG, Font, Guest, check
from pattern import Pattern, flushed_up_to
from peer import Peer

STRICT = "applevz,strict=on"
DEVICES = [NET, GPU, RNG]
BULK = 16 << 20
MTU = 1 << 3


def broken_rules(g):
    return re.findall("applevz: strict: .*", g.text)


def unattended(run, options="", append="", devices=DEVICES, **more):
    """Commands; no self-test fails, no rule is broken."""
    with Guest(append=f'{append} run="{run};poweroff"', wait_s=120,
               machine=STRICT + options, devices=devices, **more) as g:
        g.expect("^paravane: (done|failed)$")
        g.wait()
        bad = re.findall("^not ok.*", g.text, re.M) + broken_rules(g)
        if bad or "paravane: done" not in g.text:
            g.fail("\n".join(bad))
        return g.text


def selftests(options, smp, run="selftest"):
    text = unattended(f"devices;{run}", options, smp=smp)
    if not re.search(r"^net0: pci 1af4:1041 rev 1\b", text, re.M):
        return "net0 is not Apple's"
    if len(re.findall(r"interrupts MSI-X", text)) < 4:
        return "not every device has MSI-X"
    if run == "selftest" and "# v2m, " not in text:
        return "its interrupts are not the GICv2m frame's"


def keyboard():
    """Apple's controller, keyboard and pointer: what is typed arrives."""
    with Guest(machine=STRICT, wait_s=60, devices=[
            ["-device", "applevz-xhci", "-device", "applevz-kbd",
             "-device", "applevz-tablet"]]) as g:
        g.prompt()
        listed(g, "MSI-X", "05ac:8105 keyboard", "05ac:8106 pointer")
        type_line(g, "echo The Quick, Brown Fox!")
        press(g, "ctrl", "c")
        g.prompt()
        g.qmp("input-send-event", events=[
            {"type": "abs", "data": {"axis": "x", "value": 16384}},
            {"type": "abs", "data": {"axis": "y", "value": 8192}}])
        listed(g, r"at [1-9]\d* of \d+, [1-9]\d* of ")
        g.command("poweroff", wait=False)
        g.wait()
        return "\n".join(broken_rules(g))


def machine(options, devices=DEVICES):
    """A reading of the records: all of the devices work."""
    with Guest(machine=STRICT + options, devices=devices) as g:
        g.expect(r"^net0: 10\.0\.2\.15/24 mtu 1500 ", 60)
        g.send("\r")
        g.prompt()
        # Late ones may come in any order: an address says nothing of the rest.
        g.until("devices", lambda out: all(re.search(
            rf"^{name}0: (?s:(?!^\S).)*^  interrupts MSI-X", out, re.M)
            for name in ("net", "gpu", "entropy")))
        out = g.command("selftest pci;selftest virtio", 60)
        if "not ok" in out or "SKIP" in out or out.count("\nok ") < 7:
            return out
        return "\n".join(broken_rules(g))


def with_options(devices, *options):
    """Each device with its own option."""
    return [[re.sub(r"^virtio-.*", rf"\g<0>,{option}", word)
             for word in words] for words, option in zip(devices, options)]


def each(option):
    """Each of the devices with the same option."""
    return machine("", with_options(DEVICES, *[option] * len(DEVICES)))


def one_by_one():
    """
    What `run=` finds is there, though it comes after start-up and one by one.
    Time is counted in instructions, so that it's the same on any host.
    """
    text = unattended("selftest virtio;devices", devices=with_options(
        [RNG, GPU], "late-ms=250", "late-ms=500"),
        args=["-icount", "shift=3,sleep=off"])
    if "SKIP" in text or not re.search(r"^gpu0: .*, type 16", text, re.M):
        return text


def late_network():
    """`run=` has a network that came after start-up."""
    text = unattended("ifconfig", devices=with_options([NET], "late-ms=150"))
    return "inet 10.0.2.15/24" not in text and text


def consoles():
    gpu = ["-device", "applevz-gpu,x-is-alpha=on"]
    with Guest(machine=STRICT, devices=[NET, gpu]) as g:
        g.prompt()
        font = Font()
        g.command("echo on both of them")
        g.screen_until(lambda *s: "on both of them" in font.read(*s), 20)
        g.command("poweroff", wait=False)
        return g.wait() and "QEMU's exit status"


def time_passes():
    """A rounded period makes a clock that gains 1.6%: that is 0.1 s in 6."""
    with Guest(machine=STRICT) as g:
        g.prompt()
        began = time.monotonic()
        g.command("sleep 6000")
        took = time.monotonic() - began
        return took < 5.99 and f"6 s of the guest's took {took:.3f} s"


def agent():
    """A second console function with a port that nobody drains."""
    with Guest(machine=STRICT, devices=[
            RNG, ["-device", "applevz-spice,id=s", "-device",
                  "applevz-agent,bus=s.0,kills=on"]]) as g:
        g.prompt()
        out = g.command("devices")
        if len(re.findall("^console[01]: pci 1af4:1043", out, re.M)) != 2 or \
                "MULTIPORT" not in out:
            return out
        g.command("poweroff", wait=False)
        return g.wait() and "QEMU's exit status" or "\n".join(broken_rules(g))


def again():
    """A reset of the machine is a boot like the first."""
    with Guest(machine=STRICT + ",assign=some", devices=DEVICES, smp=2,
               args=["-action", "reboot=reset"]) as g:
        for _ in range(2):
            g.expect(r"^net0: 10\.0\.2\.15/24 ")
            out = g.command("selftest pci;selftest virtio")
            if "not ok" in out or "SKIP" in out:
                return out
            g.qmp("system_reset")
        g.expect(r"^net0: 10\.0\.2\.15/24 ")
        return "\n".join(broken_rules(g))


def power_button():
    with Guest(machine=STRICT) as g:
        g.prompt()
        g.qmp("system_powerdown")
        g.command("echo still here")


def mtu(size, taken):
    """Packets of the MTU that is taken pass both ways, none above it."""
    with Peer() as peer, Guest(machine=STRICT, devices=[
            peer.netdev("n0"),
            ["-device", f"virtio-net-pci,netdev=n0,host_mtu={size}"]]) as g:
        g.prompt()
        if not peer.wait_lease():
            g.fail("no lease was taken")
        g.until("ifconfig net0", lambda out: "inet " in out)
        if taken != size:
            g.command(f"ifconfig net0 mtu {taken}")
        out = g.command(f"ping -D -c 1 -s {taken} 10.0.2.2")
        if "1 received" not in out or not peer.ping(taken):
            g.fail(f"a packet of {taken} bytes does not pass")
        out = g.command("ifconfig net0")
        if f"mtu {taken} " not in out or peer.largest > taken or peer.bad:
            g.fail(f"{out} {peer.largest} {peer.bad}")
        # It leaves out an MTU that is too large for its stack, is refused,
        # and goes on with it.
        bad = broken_rules(g)
        return len(bad) != (taken != size) and "\n".join(bad)


def hashed(device):
    """TCP both ways, hashed at both ends."""
    with Guest(machine=STRICT, devices=[
            ["-netdev", "user,id=n0", "-device", device]]) as g:
        g.prompt()
        g.until("ifconfig", lambda out: "inet 10.0.2.15/24" in out)
        for way, seed in ((tcphash.to_guest, 42), (tcphash.from_guest, 43)):
            whole, _, note = way(g, BULK, seed, "10.0.2.2", "127.0.0.1")
            if not whole:
                g.fail(note)
        return "\n".join(broken_rules(g))


def disk(options):
    """What is written and flushed is in the image, and what was there stays."""
    sectors, ops, before = 1024, 100, random.Random(1).randbytes(1 << 19)
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        with open(f"{tmp}/disk", "wb") as f:
            f.write(before)
        with Guest(machine=STRICT, devices=[[
                "-blockdev", f"driver=file,node-name=f,filename={tmp}/disk",
                "-device", f"applevz-blk,drive=f{options}"]]) as g:
            g.prompt()
            text = g.command(f"diskpattern disk0 seed=5 ops={ops} "
                             f"sectors={sectors} depth=16", 90)
            with open(f"{tmp}/disk", "rb") as f:
                bad = Pattern(5, ops, sectors).check(f.read(), before,
                                                     flushed_up_to(text))
            if f"{ops} generations written, flushed and read" not in text:
                bad.append(text)
            return "\n".join(bad + broken_rules(g))


def late():
    """The display comes to the bus when the guest has been up for a while."""
    with Guest(machine=STRICT, devices=[
            ["-device", "applevz-gpu,late-ms=1500"]], wait_s=60) as g:
        g.prompt()
        g.expect("fb: painted")
        g.command("echo here it is")
        font = Font()
        g.screen_until(lambda *s: "here it is" in font.read(*s), 20)
        return "\n".join(broken_rules(g))


def refused(append, devices, *reasons):
    """A rule is broken, which the machine says, and the guest survives."""
    with Guest(append=append, machine=STRICT, devices=devices) as g:
        for reason in reasons:
            g.expect(f"applevz: strict: {reason}")
        g.prompt()


def quiet():
    """Not strict, the same happens and nothing is said."""
    with Guest(append=f"netdeny={MTU}", machine="applevz",
               devices=[NET]) as g:
        g.prompt()
        if "inet" in g.command("ifconfig") or broken_rules(g):
            g.fail("the device was not refused, or something was said")


def wedge():
    """A receive buffer that is too small stops transmission as well."""
    with Peer() as peer, Guest(machine=STRICT, devices=[
            peer.netdev("n0"), ["-device",
                                "applevz-net,netdev=n0,rx-minimum=9000"]],
            append="net=10.0.2.15/24") as g:
        g.expect("paravane> ")
        for _ in range(20):
            peer.ping(100, seconds=1)
            if "bytes: the device is wedged" in g.text:
                break
        else:
            g.fail("it was not wedged")
        g.command("ping -c 1 10.0.2.2")
        if peer.ping(100, seconds=1):
            return "it goes on"


def elsewhere(test, *args):
    """A test of the guest's, on this machine."""
    done = subprocess.run(
        [os.path.join(TOP, test), *args], text=True, capture_output=True,
        env=os.environ | {"PARAVANE_MACHINE": STRICT})
    return done.returncode and done.stdout + done.stderr


def main():
    check("every self-test, 2 processors", selftests, "", 2)
    check("every self-test, 4 processors, entered at EL2", selftests,
          ",nested=on", 4)
    check("1 processor", selftests, "", 1, "selftest intr")
    check("3 processors, entered at EL2", selftests, ",nested=on", 3,
          "selftest cpu")
    check("the console, on virtio and on the display", consoles)
    check("an agent's port beside the console", agent)
    check("a reset, and another", again)
    check("its clock gains nothing", time_passes)
    check("the power button does no harm", power_button)
    check("the keyboard and the pointer", keyboard)
    for size, taken in ((1500, 1500), (4000, 4000), (65535, 65435)):
        check(f"an MTU of {size}", mtu, size, taken)
    check("TCP, hashed", hashed, "virtio-net-pci,netdev=n0")
    check("TCP, hashed, with doorbells elsewhere and each third interrupt lost",
          hashed, "virtio-net-pci,netdev=n0,layout=wide16,lose=3")
    check("TCP, hashed, through a device that dozes", hashed,
          "virtio-net-pci,netdev=n0,mtu=4000,doze-ms=10")
    check("a disk", disk, "")
    check("a disk, each third interrupt lost", disk, ",lose=3")
    check("a display that comes late", late)
    for option in ("hide-gic=on", "odd-bytes=on", "psci=hvc", "assign=some",
                   "assign=all", "tree-apart=on", "pa-bits=40",
                   "cntfrq=1000000000", "spis=928",
                   "window=17179869184"):
        check(f"with {option}", machine, "," + option)
    for option in ("layout=wide", "reset-us=20000", "coalesce-us=0",
                   "ring-packed=off", "ring-reset=on", "late-ms=150"):
        check(f"all devices with {option}", each, option)
    check("devices that come one by one", machine, "", with_options(
        DEVICES, "late-ms=150", "late-ms=300", "late-ms=1500"))
    check("an unattended run, of devices that come one by one", one_by_one)
    check("an unattended run, of a network that comes late", late_network)
    check("the display, as it is tested elsewhere", elsewhere,
          "test/guest/display.t")
    if os.environ.get("PARAVANE_LONG"):
        check("booting, as it is tested elsewhere", elsewhere,
              "test/guest/boot.t")
    check("MTU is insisted on", refused, f"netdeny={MTU}", [NET],
          "net: FEATURES_OK is refused: MTU was not accepted")
    check("not strict, nothing is said", quiet)
    check("a wedge", wedge)
    tap.done()


main()
