#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=300
"""
The whole boot and self-test under the instruction checker: no device is ever
accessed by a form of instruction that a hypervisor could not emulate. On PCI,
on MMIO, with MSI and without, and behind firmware, whose own accesses do not
count.
"""

import os
import re
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended
from paravane_qemu import GPU, NET, RNG

PLUGIN = os.path.join(TOP, "build", "machine", "isv.so")

CONSOLE = ["-device", "virtio-serial-pci,max_ports=1", "-chardev", "null,id=c",
           "-device", "virtconsole,chardev=c"]
PCI = [NET, GPU, RNG, CONSOLE]
MMIO = [["-netdev", "user,id=n", "-device", "virtio-net-device,netdev=n"],
        ["-device", "virtio-gpu-device"], ["-device", "virtio-rng-device"]]
USB = [["-device", "qemu-xhci"], ["-device", "usb-kbd"],
       ["-device", "usb-tablet"],
       ["-device", "pcie-root-port,id=p,chassis=1"]]
MODERN = ["-global", "virtio-mmio.force-legacy=false"]
KERNEL = ",from=0xffff000000000000"

RUNS = [
    ("PCI, GICv3 and ITS", {"devices": PCI}),
    ("PCI, GICv3, INTx", {"devices": PCI + USB, "words": "msi=off"}),
    ("PCI, GICv2, two processors", {"devices": PCI, "smp": 2,
                                    "machine": "virt,gic-version=2",
                                    "cpu": "cortex-a72"}),
    ("MMIO", {"devices": MMIO + [MODERN]}),
    ("MMIO version 1, no ITS", {"devices": MMIO,
                                "machine": "virt,gic-version=3,its=off"}),
    ("EFI and ACPI", {"devices": PCI, "efi": "acpi"}),
]


def test_run(name, arguments):
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report")
        only = KERNEL if "efi" in arguments else ""
        plugin = f"{PLUGIN}{only},out="
        result = unattended.run("devices;selftest;usb;slot", limit=120,
                                args=["-plugin", plugin + report],
                                **arguments)
        tap.ok(result.good, f"{name}: boots and tests itself", *result.why)
        lines = []
        if os.path.exists(report):
            with open(report) as f:
                lines = f.read().splitlines()
        offenders = [l for l in lines if l.startswith("offender")]
        tap.ok(not offenders, f"{name}: no offender", *offenders)
        summary = re.match(r"summary accesses=(\d+) sites=(\d+) offenders=0 "
                           r".*unknown=0$", lines[-1] if lines else "")
        tap.ok(summary and int(summary[1]) > 1000 and int(summary[2]) > 20,
               f"{name}: devices were accessed, all of it was seen",
               *lines[-1:])


def main():
    for name, arguments in RUNS:
        test_run(name, arguments)
    tap.done()


main()
