#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=280
"""
The image as an EFI application, from an EFI system partition under the packaged
UEFI firmware: with the device tree and with ACPI only, with the command line
from load options and from paravane.cfg, and with a network device that was
left running under a flood of frames.
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import GPU, IMAGE, NET, RNG, Guest, check
from peer import BROADCAST, ETH_TEST, PEER_MAC, Peer, ether

FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
CROSS = os.environ.get("CROSS_COMPILE", "aarch64-linux-gnu-")
AAVMF = "/usr/share/AAVMF/AAVMF_%s.fd"
START = 2048            # of the partition, in sectors
SECTORS = 65536 * 2     # of the disk


def tool(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def disk(path, files):
    """A disk with an EFI system partition; files: name there -> here."""
    with open(path, "wb") as f:
        f.truncate(SECTORS * 512)
        entry = struct.pack("<B3sB3sII", 0, b"\xff\xff\xff", 0xef,
                            b"\xff\xff\xff", START, SECTORS - START)
        f.seek(446)
        f.write(entry + bytes(48) + b"\x55\xaa")
    where = f"{path}@@{START * 512}"
    tool("mformat", "-i", where, "-F", "-T", str(SECTORS - START), "-h", "16",
         "-s", "63", "-v", "PARAVANE", "::")
    tool("mmd", "-i", where, "::/EFI", "::/EFI/BOOT")
    for name, source in files.items():
        tool("mcopy", "-i", where, source, "::" + name)
    return ["-bios", FIRMWARE,
            "-drive", f"if=none,id=esp,format=raw,readonly=on,file={path}",
            "-device", "virtio-blk-pci,drive=esp,bootindex=0"]


def esp(tmp, command_line):
    files = {"/EFI/BOOT/BOOTAA64.EFI": IMAGE}
    if command_line is not None:
        cfg = os.path.join(tmp, "paravane.cfg")
        with open(cfg, "w") as f:
            f.write(command_line + "\r\n")
        files["/EFI/BOOT/paravane.cfg"] = cfg
    return disk(os.path.join(tmp, "disk"), files)


def boots(source, machine, devices, smp=1, cpu="cortex-a72"):
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        words = esp(tmp, 'run="pci;devices;selftest;poweroff"')
        with Guest(machine=machine, cpu=cpu, smp=smp, devices=devices,
                   args=words, kernel=False, wait_s=60) as g:
            g.expect(rf"^machine: by {source} from EFI, 1 host bridges")
            g.expect(r"^net0: 10\.0\.2\.15/24 ")
            g.expect(r"^paravane: done$")
            if g.wait():
                return "QEMU's exit status"
            if re.search(r"^not ok", g.text, re.M):
                g.fail("a self-test failed")
            if "unassigned" in g.text or "polling:" in g.text:
                g.fail("a BAR without an address, or a device that is polled")
            return None


def options():
    """The firmware starts the kernel that QEMU hands over, with options."""
    with Guest(append='test run="echo by=options;poweroff"', wait_s=60,
               cpu="cortex-a72", args=["-bios", FIRMWARE]) as g:
        g.expect(r"from EFI")
        g.expect(r"^by=options$")
        return g.wait() and "QEMU's exit status"


def no_config():
    """Neither options nor a file: the shell is there."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        with Guest(args=esp(tmp, None), kernel=False, wait_s=60,
                   cpu="cortex-a72") as g:
            g.prompt()
            g.command("poweroff", wait=False)
            return g.wait() and "QEMU's exit status"


def log_file(path):
    return subprocess.run(
        ["mtype", "-i", f"{path}@@{START * 512}", "::/EFI/BOOT/paravane.log"],
        check=True, capture_output=True).stdout.decode()


def log(old):
    """A file paravane.log beside the application says what it found."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        empty = os.path.join(tmp, "empty")
        with open(empty, "w", encoding="utf-8") as f:
            f.write("~" * old)
        path = os.path.join(tmp, "disk")
        words = disk(path, {"/EFI/BOOT/BOOTAA64.EFI": IMAGE,
                            "/EFI/BOOT/paravane.log": empty})
        words = [w.replace(",readonly=on", "") for w in words]
        with Guest(args=words, kernel=False, wait_s=60, cpu="cortex-a72",
                   machine="virt,gic-version=3") as g:
            g.prompt()
            g.command("sleep 2000")    # its disk is looked at meanwhile
            out = g.command("rm /EFI/BOOT/paravane.log")
            assert "the kernel's log is written to it" in out, out
            g.command("crash panic", wait=False)
            g.expect("panic: ")
        text = log_file(path)
        for line in ("paravane: machine by ACPI, ", "processors: 1",
                     "psci: hvc", "timer: virtual, intid 27",
                     "gic: distributor 0x8000000 + 0x10000",
                     "gic: ITS 0x8080000 + 0x20000",
                     "pci: configuration space 0x4010000000 + 0x10000000",
                     "memory: 0x4"):
            if line not in text:
                return f"{line!r} is not in it:\n{text}"
        if not re.match(r"kernel: \S.{69}\r\n", text):
            return f"the stage: {text[:80]!r}"
        kernel = text[8192:]
        if not re.match(r"\[ +\d+\.\d+\] cpu: ", kernel) or \
                " on BOCHS" not in kernel or "blk0: pci" not in kernel:
            return f"the kernel's log: {kernel.rstrip()[-1500:]!r}"
        if len(text) != max(old, 65536):
            return f"it has {len(text)} bytes"
        return "~" in text and "something old is left in it"


def variable(vars_file):
    """The text of ParavaneStage, as the firmware's flash keeps it."""
    with open(vars_file, "rb") as f:
        flash = f.read()
    name = "ParavaneStage\0".encode("utf-16le")
    # A variable that is written again leaves its old copy: the last counts.
    at = flash.rfind(name)
    return flash[at + len(name):].split(b"\xff")[0] if at >= 0 else None


def stage(broken, want, said):
    """The EFI variable says how far it came, without a file."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        kept = os.path.join(tmp, "vars")
        shutil.copy(AAVMF % "VARS", kept)
        files = {"/EFI/BOOT/BOOTAA64.EFI": IMAGE}
        if broken:
            files = {"/EFI/BOOT/BOOTAA64.EFI": leave_build(
                tmp, '-DBREAK_TABLE="AP"', "-Wno-unused"),
                "/paravane.efi": IMAGE}
        words = disk(os.path.join(tmp, "disk"), files)[2:]
        words += ["-drive", "if=pflash,format=raw,readonly=on,file="
                  + AAVMF % "CODE", "-drive",
                  f"if=pflash,format=raw,file={kept}"]
        with Guest(machine="virt,gic-version=3", cpu="cortex-a72", args=words,
                   kernel=False, wait_s=60) as g:
            g.expect(said)
        got = variable(kept)
        return got != want.encode() and f"the variable holds {got}"


def leave_build(tmp, *options):
    """The application that leaves a device running; its path."""
    here = os.path.join(TOP, "test", "guest", "leave")
    elf, out = os.path.join(tmp, "leave.elf"), os.path.join(tmp, "leave.efi")
    tool(CROSS + "gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror",
         "-ffreestanding", "-fno-pic", "-fno-stack-protector", "-nostdlib",
         "-mgeneral-regs-only", "-mstrict-align", "-fno-builtin",
         "-fno-tree-loop-distribute-patterns", "-fno-asynchronous-unwind-tables",
         "-static", "-no-pie", "-Wl,--build-id=none",
         "-Wl,--no-warn-rwx-segments", *options, "-Wl,-T," + os.path.join(here, "leave.ld"),
         "-o", elf, os.path.join(here, "leave.c"),
         os.path.join(TOP, "guest", "boot", "efi_header.S"))
    tool(CROSS + "objcopy", "-O", "binary", elf, out)
    return out


class Flood:
    """Broadcasts without a pause, until stopped."""

    def __init__(self, peer):
        self.peer = peer
        self.sent = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self.thread.start()

    def _run(self):
        frame = ether(BROADCAST, PEER_MAC, ETH_TEST, b"\xa5" * 1500)
        try:
            while not self.stop.is_set():
                for _ in range(4):
                    self.peer.send(frame)
                    self.sent += 1
                time.sleep(0.01)
        except OSError:
            pass

    def end(self):
        self.stop.set()
        self.thread.join(10)


def statuses(trace):
    """The values written to the network device's status since it was left."""
    out = []
    for line in trace.splitlines():
        m = re.search(r"virtio_set_status vdev (\S+) val (\d+)", line)
        if m:
            out.append((m[1], int(m[2])))
    # The network device is the one that left.efi drove: 3, 11, 15.
    for vdev in {v for v, _ in out}:
        values = [n for v, n in out if v == vdev]
        for at in range(len(values) - 2):
            if values[at:at + 3] == [3, 11, 15]:
                return values[at + 3:]
    return None


def left_running(machine):
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp, \
            Peer() as peer:
        trace = os.path.join(tmp, "trace")
        words = disk(os.path.join(tmp, "disk"), {
            "/EFI/BOOT/BOOTAA64.EFI": leave_build(tmp),
            "/paravane.efi": IMAGE})
        words += ["-trace", "virtio_set_status", "-trace",
                  "pci_cfg_write", "-D", trace]
        devices = [peer.netdev("n0"), [
            "-device", "virtio-net-pci,netdev=n0,romfile="]]
        flood = Flood(peer)
        with Guest(machine=machine, cpu="cortex-a72", devices=devices,
                   args=words, kernel=False, wait_s=60) as g:
            try:
                g.expect(r"leave: the device runs")
                flood.start()
                g.expect(r"leave: it receives")
                g.expect(r"^paravane: done$")
                status = g.wait()
            finally:
                flood.end()
            if status:
                return "QEMU's exit status"
            if re.search(r"^not ok", g.text, re.M):
                g.fail("a self-test failed")
            with open(trace, encoding="utf-8") as f:
                text = f.read()
            after = statuses(text)
            # Once by the application, once more by the driver.
            if after is None or after[:2] != [0, 0]:
                return f"the device was not reset in time: {after}"
            # What comes after the application's start of the device.
            left = text[text.index(" val 15"):]
            cut = re.search(r"pci_cfg_write virtio-net-pci .*@0x4 <- "
                            r"0x([0-9a-f]+)", left)
            if not cut or int(cut[1], 16) & 4:
                return "bus mastering was not cleared first"
            if flood.sent < 100:
                return f"that was no flood: {flood.sent} frames"
            return None


def broken_table(name, *said):
    """ACPI with a table whose checksum is wrong."""
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        words = disk(os.path.join(tmp, "disk"), {
            "/EFI/BOOT/BOOTAA64.EFI":
                leave_build(tmp, f'-DBREAK_TABLE="{name}"', "-Wno-unused"),
            "/paravane.efi": IMAGE})
        with Guest(machine="virt,gic-version=3", cpu="cortex-a72",
                   devices=[NET], args=words, kernel=False, wait_s=60) as g:
            g.expect("leave: broken")
            for pattern in said:
                g.expect(pattern)
            return None


check("by ACPI, GICv2", boots, "ACPI", "virt,gic-version=2", [NET, RNG])
check("by device tree, GICv2", boots, "device tree",
      "virt,gic-version=2,acpi=off", [NET, RNG])
check("by ACPI, GICv3 with ITS, EL2, 2 processors, display, behind a root port",
      boots, "ACPI", "virt,gic-version=3,virtualization=on",
      [GPU, RNG, ["-netdev", "user,id=n0", "-device", "pcie-root-port,id=rp",
                  "-device", "virtio-net-pci,netdev=n0,romfile=,bus=rp"]], 2)
check("options on the firmware's part are the command line", options)
check("without options or paravane.cfg", no_config)
check("paravane.log, made long enough", log, 1)
check("paravane.log, longer than that", log, 100000)
check("the stage in a variable: the kernel started", stage, False,
      "firmware: left, the kernel takes over", "^paravane> ")
check("the stage in a variable: it was not understood", stage, True,
      "firmware: this machine can't be understood", "can't be understood")
check("a device left running, flooded, by ACPI", left_running,
      "virt,gic-version=2")
check("a device left running, flooded, by device tree", left_running,
      "virt,gic-version=3,acpi=off")
check("ACPI with a broken MADT: firmware's console says so", broken_table,
      "AP", "paravane: this machine can't be understood",
      "ACPI: APIC: checksum is wrong", "BdsDxe|Shell>")
check("ACPI with a broken GTDT: the timer is where it always is",
      broken_table, "GT", "ACPI: GTDT: checksum is wrong", "^paravane: done$")
check("ACPI with a broken MCFG: no PCI", broken_table, "MC",
      "ACPI: MCFG: checksum is wrong", "by ACPI from EFI, 0 host bridges")
tap.done()
