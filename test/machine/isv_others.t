#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=600
"""
The instruction checker over kernels and firmware that are not ours: the
distribution's Linux, U-Boot and UEFI firmware, each made to use what devices
the machine has. What it finds in them, doc/isv.md tells. Long.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "perf"),
                os.path.join(TOP, "test", "lib")]
import linux
import tap

TOOL = os.path.join(TOP, "machine", "isv", "isv")
AAVMF = "/usr/share/AAVMF/AAVMF_%s.fd"
UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
MACHINE = ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu",
           "max,pauth-impdef=on", "-m", "1G", "-display", "none", "-no-reboot",
           "-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n",
           "-device", "virtio-gpu-pci", "-device", "virtio-rng-pci",
           "-device", "qemu-xhci", "-device", "usb-kbd",
           "-drive", "if=none,id=d,format=raw,file=null-co://",
           "-device", "virtio-blk-pci,drive=d",
           "-drive", "if=none,id=e,format=raw,file=null-co://",
           "-device", "nvme,drive=e,serial=1"]
MODULES = ["virtio_pci", "virtio_net", "virtio_gpu", "virtio_blk", "virtio_rng",
           "virtio_console", "nvme", "xhci_pci", "usbhid"]
INIT = """#!/bin/busybox sh
{load}
echo 0 >/proc/sys/kernel/kptr_restrict
/bin/busybox sleep 2
/bin/busybox ip link set eth0 up
/bin/busybox udhcpc -i eth0 -n -q -s /bin/true
for d in vda nvme0n1; do
	/bin/busybox dd if=/dev/$d of=/dev/null bs=64k count=64
	/bin/busybox dd if=/dev/zero of=/dev/$d bs=64k count=64 conv=fsync
done
/bin/busybox head -c 200000 /dev/zero >/dev/fb0
/bin/busybox cat /proc/kallsyms >/dev/ttyAMA0
echo "linux: ready"
/bin/busybox poweroff -f
"""


def isv(name, serial, seconds, words, said):
    """Runs it; the guest must have said so, and nothing may be found."""
    done = subprocess.run(
        [TOOL, "--all", "--seconds", str(seconds), "--", *MACHINE, "-serial",
         f"file:{serial}", *words], capture_output=True, text=True,
        stdin=subprocess.DEVNULL)
    with open(serial, errors="replace") as f:
        text = f.read()
    tap.ok(re.search(said, text, re.M), f"{name}: it ran as far as it should",
           text[-500:])
    found = re.search(r"isv: (\d+) device accesses at (\d+) sites", done.stdout)
    tap.ok(found and int(found[1]) > 10000, f"{name}: it was watched",
           done.stdout[-300:], done.stderr)
    tap.ok(done.returncode == 0, f"{name}: no offender", *[
        line for line in done.stdout.splitlines() if "offender:" in line])
    if found:
        tap.diag(f"{name}: {found[1]} accesses at {found[2]} sites of "
                 + ", ".join(sorted(set(re.findall(r"first of (\S+)",
                                                   done.stdout)))))


def main():
    if os.environ.get("PARAVANE_LONG") != "1":
        tap.skip_all("long: PARAVANE_LONG=1, or make test-long")
    for path, what in ((UBOOT, "the package u-boot-qemu"),
                       (AAVMF % "CODE", "the package qemu-efi-aarch64"),
                       (linux.KERNEL or "/none", "`make bench`")):
        if not os.path.exists(path):
            tap.skip_all(f"no {path}: it comes by {what}")
    with tempfile.TemporaryDirectory() as tmp:
        serial = os.path.join(tmp, "serial")
        kept = os.path.join(tmp, "vars")
        shutil.copy(AAVMF % "VARS", kept)
        isv("UEFI firmware", serial, 40, [
            "-drive", "if=pflash,format=raw,readonly=on,file="
            + AAVMF % "CODE", "-drive", f"if=pflash,format=raw,file={kept}"],
            "Start PXE")
        isv("U-Boot", serial, 30, ["-bios", UBOOT], "BOOTP broadcast|DHCP")
        initramfs = os.path.join(tmp, "initramfs")
        linux.initramfs(initramfs, linux.modules(*MODULES), INIT)
        isv("Linux", serial, 200, [
            "-kernel", linux.KERNEL, "-initrd", initramfs, "-append",
            "console=ttyAMA0 quiet nokaslr"], "^linux: ready")
    tap.done()


main()
