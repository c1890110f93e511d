#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=280
"""
The other way to boot on Apple's machine: from UEFI firmware, which has ACPI
tables and no device tree. The packaged firmware takes the tables that this
test makes, in the shape that is on record: FACP 6, APIC 5, GTDT, MCFG, an empty
DSDT, by APPLE; no SPCR, so that the console is virtio's, no DBG2, IORT or PPTT.
What they tell of is QEMU's `virt`, the only machine that such firmware runs on.
"""

import os
import re
import struct
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended
from paravane_qemu import GPU, NET, RNG, Guest, check

CPUS = 2
ECAM = 0x4010000000
HEADER = 36
TABLES, RSDP = b"etc/acpi/tables", b"etc/acpi/rsdp"


def table(signature, revision, body):
    head = struct.pack("<4sIBB6s8sIII", signature, HEADER + len(body),
                       revision, 0, b"APPLE ", b"Apple Vz", 1, 0, 0)
    return bytearray(head + body)


def facp(conduit):
    """The DSDT's address is put in later."""
    t = table(b"FACP", 6, bytes(276 - HEADER))
    struct.pack_into("<I", t, 112, 1 << 20)     # no ACPI hardware
    struct.pack_into("<HB", t, 129, 3 if conduit == "hvc" else 1, 3)
    return t


def apic(version):
    """Redistributors by processor; MSI by a GICv2m frame where there is one."""
    body = struct.pack("<II", 0, 0)
    body += struct.pack("<BBHIQIBxxx", 12, 24, 0, 0, 0x8000000, 0, version)
    for cpu in range(CPUS):
        body += struct.pack("<BBHIIIIIQQQQIQQI", 11, 80, 0, cpu, cpu, 1, 0, 0,
                            0, 0x8010000 if version == 2 else 0, 0, 0, 25,
                            0 if version == 2 else 0x80a0000 + 0x20000 * cpu,
                            cpu, 0)
    if version == 2:
        body += struct.pack("<BBHIQIHH", 13, 24, 0, 0, 0x8020000, 0, 0, 0)
    return table(b"APIC", 5, body)


def gtdt():
    return table(b"GTDT", 3, struct.pack(
        "<QIIIIIIIIIQIIII", 2**64 - 1, 0, 29, 0, 30, 0, 27, 4, 26, 0,
        2**64 - 1, 0, 0, 0, 0))


def mcfg():
    return table(b"MCFG", 1, struct.pack("<QQHBBI", 0, ECAM, 0, 0, 255, 0))


class Loader:
    """QEMU's script for firmware, which puts tables where it likes."""

    def __init__(self):
        self.script = b""

    def command(self, number, form, *arguments):
        data = struct.pack("<I" + form, number, *arguments)
        self.script += data.ljust(128, b"\0")

    def allocate(self, name, align, zone):
        self.command(1, "56sIB", name, align, zone)

    def pointer(self, name, offset):
        self.command(2, "56s56sIB", name, TABLES, offset, 8)

    def checksum(self, name, offset, start, length):
        self.command(3, "56sIII", name, offset, start, length)


def files(version, conduit):
    """What firmware is given: the tables, where they begin, the script."""
    parts = [table(b"DSDT", 2, b""), facp(conduit), apic(version), gtdt(),
             mcfg()]
    loader, places, blob = Loader(), [], b""
    loader.allocate(TABLES, 64, 1)
    loader.allocate(RSDP, 16, 2)
    for part in parts:
        places.append(len(blob))
        if part[:4] == b"FACP":
            struct.pack_into("<Q", part, 140, places[0])
            loader.pointer(TABLES, places[-1] + 140)
        blob += bytes(part).ljust(-(-len(part) // 64) * 64, b"\0")
    listed = places[1:]
    places.append(len(blob))
    parts.append(table(b"XSDT", 1, struct.pack(f"<{len(listed)}Q", *listed)))
    blob += parts[-1]
    for i in range(len(listed)):
        loader.pointer(TABLES, places[-1] + HEADER + 8 * i)
    rsdp = struct.pack("<8sB6sBIIQBxxx", b"RSD PTR ", 0, b"APPLE ", 2, 0, 36,
                       places[-1], 0)
    loader.pointer(RSDP, 24)
    for place, part in zip(places, parts):
        loader.checksum(TABLES, place + 9, place, len(part))
    loader.checksum(RSDP, 8, 0, 20)
    loader.checksum(RSDP, 32, 0, 36)
    return {"etc/acpi/tables": blob, "etc/acpi/rsdp": rsdp,
            "etc/table-loader": loader.script}


def boots(version, conduit, machine, *wanted):
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        words = unattended.esp(
            tmp + "/esp", 'run="devices;selftest cpu;selftest intr;'
            'selftest virtio;selftest pci;poweroff"')
        for i, (name, data) in enumerate(files(version, conduit).items()):
            with open(f"{tmp}/{i}", "wb") as f:
                f.write(data)
            words += ["-fw_cfg", f"name={name},file={tmp}/{i}"]
        with Guest(kernel=False, machine=f"virt,gic-version={version},"
                   f"acpi=off{machine}", cpu="cortex-a72", smp=CPUS,
                   console="virtio", devices=[NET, GPU, RNG], args=words,
                   wait_s=120) as g:
            g.expect("^paravane: (done|failed)")
            bad = re.findall("^not ok.*", g.text, re.M)
            bad += [f"not said: {w}" for w in wanted
                    if not re.search(w, g.text, re.M)]
            if bad:
                g.fail("\n".join(bad))
            return g.wait() and "QEMU's exit status"


ADDRESS = r"^net0: 10\.0\.2\.15/24 "
check("tables of Apple's shape, MSI by a GICv2m frame", boots, 2, "hvc", "",
      r"^machine: by ACPI", ADDRESS, r"^net0: .*MSI-X", "# v2m, ")
check("GICv3 by processor, PSCI by SMC, entered at EL2, no MSI", boots, 3,
      "smc", ",its=off,virtualization=on", r"^machine: by ACPI", ADDRESS,
      r"^net0: .*polling", "entered at EL2")
tap.done()
