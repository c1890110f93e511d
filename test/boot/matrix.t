#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=900 long=21600
"""
The guest on machines of every kind: each pair of choices in some run, and with
PARAVANE_LONG=1 each combination. A run lists the devices, fetches an address,
reaches the gateway, passes the self-test and powers off.
"""

import itertools
import os
import random
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended

# Interrupts: the machine, the kernel's words, how PCI devices then interrupt.
INTERRUPTS = {
    "v2m": ("gic-version=2", "", "msix"),
    "gic2-intx": ("gic-version=2", "msi=off", "intx"),
    "gic2-poll": ("gic-version=2", "msi=off intx=off", "poll"),
    "its": ("gic-version=3,its=on", "", "msix"),
    "gic3-intx": ("gic-version=3,its=off", "", "intx"),
    "gic3-poll": ("gic-version=3,its=on", "msi=off intx=off", "poll"),
}

CHOICES = {
    "boot": ("image", "efi-acpi", "efi-dt"),
    "interrupts": tuple(INTERRUPTS),
    "transport": ("pci", "root-port", "bridge", "mmio2", "mmio1"),
    "cpus": (1, 4),
    "memory": ("32M", "256M", "8G"),
    "entry": ("el1", "el2"),
    "dma": ("coherent", "noncoherent"),
    "ring": ("split", "packed"),
    "events": ("event_idx", "flags"),
}


def possible(c):
    """What this QEMU, or the way of booting, can't do is left out."""
    # The packaged firmware wants more than that for itself.
    if c["boot"] != "image" and c["memory"] == "32M":
        return False
    # ACPI tells of virtio-mmio in the DSDT alone, which takes an interpreter.
    if c["boot"] == "efi-acpi" and c["transport"].startswith("mmio"):
        return False
    # Packed rings came with virtio 1.1.
    if (c["transport"], c["ring"]) == ("mmio1", "packed"):
        return False
    # QEMU's root port wants a machine that has MSI-X.
    return (c["interrupts"], c["transport"]) != ("gic3-intx", "root-port")


def pairs(c):
    """The pairs of choices that occur in a combination."""
    return itertools.combinations(c.items(), 2)


def covered(combinations):
    return {pair for c in combinations for pair in pairs(c)}


def every():
    names = list(CHOICES)
    return [c for c in (dict(zip(names, values)) for values in
                        itertools.product(*CHOICES.values())) if possible(c)]


def cost(c):
    """About what a run takes, of one from QEMU's own loader on one processor."""
    return 1 + 1.1 * (c["boot"] != "image") + 0.8 * (c["cpus"] == 4)


def pairwise():
    """
    A few cheap combinations in which each pair of choices occurs: always the
    one with the most pairs that are still wanted, for what it costs. Which of
    equals comes first decides how many it takes: of some thousand orders this
    was among the best, with no more runs than there are pairs of interrupts
    and transport, and of firmware and interrupts.
    """
    rest = every()
    random.Random(403045).shuffle(rest)
    bits = {pair: 1 << i for i, pair in enumerate(covered(rest))}
    rest = [(c, sum(bits[pair] for pair in pairs(c)), 0.6 * cost(c))
            for c in rest]
    wanted = sum(bits.values())
    chosen = []
    while wanted:
        c, has, _ = max((r for r in rest if r[1] & wanted), key=lambda r:
                        (r[1] & wanted).bit_count() - r[2])
        wanted &= ~has
        chosen.append(c)
    return chosen


def devices(transport, ring, events):
    """QEMU's words for a network, a display, entropy, a console and a disk."""
    # Of all, also of the disk that firmware starts from.
    how = ["-global", f"virtio-device.packed={'on' if ring == 'packed' else 'off'}",
           "-global", "virtio-device.event_idx="
           f"{'on' if events == 'event_idx' else 'off'}"]
    disk = ["-blockdev", "driver=null-co,node-name=d,size=1048576,"
            "read-zeroes=on"]
    if transport.startswith("mmio"):
        legacy = "true" if transport == "mmio1" else "false"
        return [[*how, "-global", f"virtio-mmio.force-legacy={legacy}",
                 "-netdev", "user,id=n",
                 "-device", "virtio-net-device,netdev=n",
                 "-device", "virtio-rng-device",
                 "-device", "virtio-serial-device,max_ports=1",
                 "-chardev", "null,id=c",
                 "-device", "virtconsole,chardev=c",
                 *disk, "-device", "virtio-blk-device,drive=d"] +
                # The display has no legacy form.
                (["-device", "virtio-gpu-device"] if legacy == "false"
                 else [])]
    words, bus = [], [""] * 5
    if transport == "root-port":
        for i in range(5):
            words += ["-device",
                      f"pcie-root-port,id=port{i},chassis={i + 1},slot={i}"]
            bus[i] = f",bus=port{i}"
    elif transport == "bridge":
        words += ["-device", "pcie-pci-bridge,id=b0",
                  "-device", "pci-bridge,id=b1,bus=b0,chassis_nr=9,addr=1"]
        bus = [",bus=b1,addr=1", ",bus=b1,addr=2", ",bus=b0,addr=3",
               ",bus=b0,addr=4", ",bus=b1,addr=5"]
    return [how + words + ["-netdev", "user,id=n", "-device",
                     f"virtio-net-pci,netdev=n,romfile={bus[0]}",
                     "-device", f"virtio-gpu-pci{bus[1]}",
                     "-device", f"virtio-rng-pci{bus[2]}",
                     "-device", f"virtio-serial-pci,max_ports=1{bus[3]}",
                     "-chardev", "null,id=c",
                     "-device", "virtconsole,chardev=c",
                     *disk, "-device", f"virtio-blk-pci,drive=d{bus[4]}"]]


def mode(c):
    """How devices then interrupt, in the words of the guest's start-up."""
    how = INTERRUPTS[c["interrupts"]][2]
    if how == "poll":
        return "polling"
    if c["transport"].startswith("mmio"):
        return "line"
    if how == "msix":
        return "MSI-X"
    # Which line a PCI device has is in the DSDT, where there is ACPI.
    return "polling" if c["boot"] == "efi-acpi" else "INTx"


def features(c, r):
    """
    What is wrong with the features in use: rings are packed where that is
    offered, events by index likewise, and a queue can be reset (this QEMU offers
    that of itself, but to legacy drivers).
    """
    accepted = re.findall(r"^ +accepted +[0-9a-f]{16} ((?:.*\n(?: {12}.*\n)*?)"
                          r"(?= {2}\S|\S))", r.text, re.M)
    want = {"RING_PACKED": c["ring"] == "packed",
            "EVENT_IDX": c["events"] == "event_idx",
            **({} if c["transport"] == "mmio1" else {"RING_RESET": True})}
    return [f"{name} is {'not ' if wanted else ''}in use: {words}"
            for words in map(str.split, accepted)
            for name, wanted in want.items() if (name in words) != wanted] + \
        ([] if accepted else ["no device has features"])


def trouble(c, r):
    """What of the run is not as it should be."""
    lines = list(r.why)
    if not re.search(r"10\.0\.2\.15", r.text):
        lines.append("no address by DHCP")
    count = 4 if c["transport"] == "mmio1" else 5
    found = len(set(re.findall(r"^(net|gpu|entropy|console|blk)0: ", r.text,
                               re.M)))
    if found < count:
        lines.append(f"{found} of {count} devices are listed")
    lines += features(c, r)
    modes = set(re.findall(r"^(?:net|gpu|entropy|console)0: (?:pci|mmio) .*, "
                           r"(MSI-X|INTx|line|polling|none)", r.text, re.M))
    if modes != {mode(c)}:
        lines.append(f"interrupts are {modes}, and should be {mode(c)}")
    if lines and not r.why:
        lines += r.text.splitlines()[-60:]
    return lines


chosen = every() if unattended.LONG else pairwise()
tap.equal(covered(every()) - covered(chosen), set(),
          f"each pair of choices occurs in the {len(chosen)} runs")
for c in chosen:
    gic, words, _ = INTERRUPTS[c["interrupts"]]
    machine = f"virt,{gic}"
    if c["entry"] == "el2":
        machine += ",virtualization=on"
    if c["dma"] == "noncoherent":
        words += " dma=noncoherent segsize=65536"
    r = unattended.run(
        "devices;ifconfig;ping -c 1 10.0.2.2;selftest", words=words.strip(),
        machine=machine, memory=c["memory"], smp=c["cpus"],
        efi={"image": None, "efi-acpi": "acpi", "efi-dt": "dt"}[c["boot"]],
        devices=devices(c["transport"], c["ring"], c["events"]), limit=90)
    lines = trouble(c, r)
    tap.ok(not lines, " ".join(map(str, c.values())), *lines)
tap.done()
