#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=280
"""
Machines that are not as one would like: device trees in which something is
missing or wrong, devices that appear when the guest has been up for a while,
and more devices than there are vectors.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended
from paravane_qemu import NET, QEMU, RNG, Guest, check

CPU = "cortex-a72"
GICV2 = "virt,gic-version=2"
BOOTS = r"^paravane: done$"


def quiet(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def tree(edits, pattern, absent=None):
    """Boots with QEMU's tree, edited by fdtput."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        dtb = os.path.join(tmp, "dtb")
        quiet("timeout", "30", QEMU, "-M", f"{GICV2},dumpdtb={dtb}", "-cpu",
              CPU, "-smp", "2", "-display", "none")
        for edit in edits:
            quiet("fdtput", *[dtb if word == "DTB" else word
                              for word in edit])
        with Guest(append='run="selftest pci;poweroff"', machine=GICV2,
                   cpu=CPU, smp=2, devices=[NET, RNG],
                   args=["-dtb", dtb]) as g:
            g.expect(pattern)
            g.wait()
            if re.search("^not ok", g.text, re.M):
                g.fail("a self-test failed")
            if absent and re.search(absent, g.text, re.M):
                g.fail(f"{absent!r} was said")
            return None


def without(node):
    return ["-r", "DTB", node]


def cells(node, name, *values):
    return ["-t", "x", "DTB", node, name, *values]


PCI = "/pcie@10000000"
TREES = [
    # what is odd, edits, what is said, and what is not
    ("no interrupt controller", [without("/intc@8000000")],
     r"^device tree: no interrupt controller\n[^~]*^Bail out! panic: no "
     r"interrupt controller", None),
    ("no timer node", [without("/timer")], BOOTS, None),
    ("a timer that ticks once a second", [
        cells("/timer", "clock-frequency", "1")],
     r"^device tree: timer: frequency is nonsense\n[^~]*" + BOOTS, None),
    ("no host bridge", [without(PCI)], BOOTS, r"^net0:"),
    ("no processors", [without("/cpus")], BOOTS, None),
    ("no PSCI", [without("/psci")], BOOTS, None),
    ("no MSI frame", [without("/intc@8000000/v2m@8020000")],
     r"^net0: .*INTx\n[^~]*" + BOOTS, None),
    ("no MSI frame, no interrupt-map", [
        without("/intc@8000000/v2m@8020000"),
        ["-d", "DTB", PCI, "interrupt-map"]],
     r"^net0: .*polling\n[^~]*" + BOOTS, None),
    ("an interrupt-map that ends early", [
        cells(PCI, "interrupt-map", "0", "0", "0", "1", "8001", "0", "0"),
        without("/intc@8000000/v2m@8020000")],
     r"^device tree: pcie@10000000: interrupt-map is damaged\n[^~]*" + BOOTS,
     None),
    ("windows out of range", [
        cells(PCI, "ranges", "2000000", "0", "10000000", "ffffffff",
              "fffff000", "0", "2eff0000")],
     r"^device tree: pcie@10000000: a window is out of range\n[^~]*" + BOOTS,
     None),
    ("a window of one page", [
        cells(PCI, "ranges", "2000000", "0", "10000000", "0", "10000000",
              "0", "1000")],
     r"no room for BAR[^~]*" + BOOTS, None),
    ("a configuration space of nothing", [
        cells(PCI, "reg", "40", "10000000", "0", "0")],
     r"^device tree: pcie@10000000: registers missing or out of range\n[^~]*" +
     BOOTS, None),
    ("buses the wrong way round", [
        cells(PCI, "bus-range", "ff", "0")],
     r"^device tree: pcie@10000000: bus range is nonsense\n[^~]*" + BOOTS,
     None),
    ("cells of a hundred", [cells("/intc@8000000", "#address-cells", "64")],
     r"^device tree: intc@8000000: cells are nonsense", None),
]


def late(efi):
    """Two devices are plugged into slots that were empty."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        devices = [["-device", f"pcie-root-port,id=rp{i},chassis={i}"]
                   for i in (1, 2)] + [["-netdev", "user,id=n0"]]
        args = unattended.esp(tmp, "late=1") if efi else []
        with Guest(machine="virt,gic-version=3", cpu=CPU, devices=devices,
                   args=args, kernel=not efi, wait_s=60) as g:
            g.prompt()
            g.qmp("device_add", driver="virtio-rng-pci", id="r", bus="rp1")
            time.sleep(1)
            g.qmp("device_add", driver="virtio-net-pci", id="n", bus="rp2",
                  netdev="n0", romfile="")
            g.expect(r"^net0: 10\.0\.2\.15/24 ")
            out = g.command("selftest pci;selftest virtio")
            if "not ok" in out or "ok 1" not in out or "SKIP" in out:
                return out
            g.command("poweroff", wait=False)
            return g.wait() and "QEMU's exit status"


def plug(g, driver, name, bus, **more):
    g.qmp("device_add", driver=driver, id=name, bus=bus, **more)


def out_and_in():
    """Devices in use are taken out and put in again, three times."""
    devices = [["-device", f"pcie-root-port,id=rp{i},chassis={i}"]
               for i in (1, 2, 3)] + [["-netdev", "user,id=n0"]]
    with Guest(machine="virt,gic-version=3", cpu=CPU, devices=devices,
               wait_s=60) as g:
        g.prompt()
        for _ in range(3):
            plug(g, "virtio-rng-pci", "r", "rp1")
            plug(g, "virtio-serial-pci", "c", "rp3")
            plug(g, "virtio-net-pci", "n", "rp2", netdev="n0", romfile="")
            g.expect(r"^net0: 10\.0\.2\.15/24 ")
            while g.command("slot").count(" on,") != 3:
                time.sleep(0.2)
            out = g.command("selftest pci;selftest virtio")
            if "not ok" in out or "SKIP" in out:
                return out
            for name in "nrc":
                g.qmp("device_del", id=name)
            g.unplugged("n", "r", "c")
            g.expect("taken out(.*\n)+.*taken out(.*\n)+.*taken out")
            out = g.command("devices;pci")
            if out.count("taken out") != 3 or "1af4:" in out:
                return out
        g.command("poweroff", wait=False)
        return g.wait() and "QEMU's exit status"


def twins():
    """One of two networks goes and comes back beside the other."""
    devices = [["-netdev", f"user,id=n{i}",
                "-device", f"virtio-net-pci,netdev=n{i},romfile="]
               for i in (0, 1)]
    with Guest(append='run="selftest net_detach_and_attach;poweroff"',
               machine=GICV2, cpu=CPU, devices=devices) as g:
        g.expect(BOOTS)
        return g.wait() and "QEMU's exit status"


def crowd(machine, buses):
    """28 devices on some buses: each works, whatever interrupts are left."""
    devices, count = [], 28
    for i in range(buses):
        devices += [["-device", f"pcie-root-port,id=rp{i},chassis={i + 1}"],
                    ["-device", f"pcie-pci-bridge,id=b{i},bus=rp{i}"]]
    for i in range(count):
        where = f",bus=b{i % buses},addr={i // buses + 1}" if buses else ""
        devices.append(["-device", "virtio-rng-pci" + where])
    with Guest(append='run="devices;selftest pci;selftest virtio;poweroff"',
               machine=machine, cpu=CPU, devices=devices) as g:
        g.expect(BOOTS)
        g.wait()
        if re.search("^not ok", g.text, re.M):
            g.fail("a self-test failed")
        names = set(re.findall(r"^(entropy\d+): pci .*(?:MSI-X|INTx)",
                               g.text, re.M))
        return len(names) != count and f"only {len(names)} of {count} attach"


def give_entropy(sock, pauses):
    """As QEMU's rng-egd asks for it; after such a pause, where one is left."""
    while len(header := sock.recv(2, socket.MSG_WAITALL)) == 2:
        if pauses:
            with pauses.pop():
                time.sleep(0.7)
        sock.sendall(os.urandom(header[1]))


def held_up():
    """A host that is busy elsewhere just as a device is to answer."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp, \
            socket.socket(socket.AF_UNIX) as server:
        path = os.path.join(tmp, "egd")
        server.bind(path)
        server.listen(1)
        server.settimeout(30)
        with Guest(machine=GICV2, cpu=CPU, devices=[
                ["-chardev", f"socket,id=egd,path={path}",
                 "-object", "rng-egd,id=egd,chardev=egd",
                 "-device", "virtio-rng-pci,rng=egd"]]) as g:
            pauses = []
            threading.Thread(target=give_entropy, daemon=True, args=(
                server.accept()[0], pauses)).start()
            g.prompt()
            for _ in range(3):          # this test is held up at times, too
                pauses.append(g.held_up())
                g.send("selftest virtio_entropy\r")
                if g.expect("^(ok|not ok) 1 ")[1] == "ok":
                    return None
            return "it was not waited for"


for what, edits, said, unsaid in TREES:
    check(f"a device tree with {what}", tree, edits, said, unsaid)
check("devices that appear late", late, False)
check("devices that appear late, from EFI with ACPI", late, True)
check("devices that are taken out and put in again", out_and_in)
check("two networks", twins)
check("a host that stops the machine for a while", held_up)
check("28 devices on the root bus, GICv2", crowd, GICV2, 0)
check("28 devices behind bridges, GICv3 with ITS", crowd,
      "virt,gic-version=3", 2)
tap.done()
