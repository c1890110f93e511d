#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=400
"""
Is the machine `applevz` true to what is on record of Apple's? The
distribution's arm64 Linux, unmodified, tells what it found there, and its own
drivers work: network with DHCP, disk, display, keyboard and pointer.
"""

import hashlib
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "test", "lib"),
                os.path.join(TOP, "perf")]
import linux
import tap
from paravane_qemu import Failure, Guest

MODULES = """virtio_pci virtio_console virtio_net virtio_blk virtio_gpu
    virtio_rng virtio_balloon xhci_pci usbhid hid_generic evdev nvme
    gpio_keys virtiofs""".split()
INIT = """#!/bin/busybox sh
{load}
for c in $(/bin/busybox --list); do /bin/busybox ln -s busybox /bin/$c; done
export PATH=/bin PS1='paravane> ' TERM=dumb
cat >/lease <<'EOS'
#!/bin/sh
[ "$1" = bound ] || exit 0
ifconfig $interface $ip netmask $subnet
echo lease $ip
EOS
chmod +x /lease
exec setsid cttyhack sh </dev/hvc0 >/dev/hvc0 2>&1
"""
VIRTIOFSD = "/usr/lib/qemu/virtiofsd"
MIB = 1 << 20
WIDTH, HEIGHT = 1280, 800

# What is recorded of Apple's machine, and how Linux says it.
FACTS = [
    ("MIDR 0x610f0000", r"Booting Linux on physical CPU 0x0+ \[0x610f0000\]"),
    ("no SVE, no MTE", r"\A(?![\s\S]*detected: (Scalable|Memory Tagging))"),
    *[(what, rf"CPU features: detected: {what}") for what in (
        "Privileged Access Never", "LSE atomic instructions",
        "Address authentication", "E0PD", "Speculative Store Bypassing Safe")],
    ("entered at EL1", r"All CPU\(s\) started at EL1"),
    ("PSCI 1.1", r"psci: PSCIv1\.1 detected in firmware"),
    ("224 shared interrupts", r"GICv3: 224 SPIs implemented"),
    ("no ITS", r"\A(?![\s\S]*ITS@)"),
    ("the redistributors of each processor",
     r"GICv3: CPU0: found redistributor 0 region 0:0x0+10010000[\s\S]*"
     r"GICv3: CPU1: found redistributor 1 region 0:0x0+10030000"),
    ("the GICv2m frame, INTIDs 128-255",
     r"GICv2m: range\[mem 0x1fff0000-0x1fff[0-9a-f]{4}\], SPI\[128:255\]"),
    ("the virtual timer, 24 MHz",
     r"arch_timer: cp15 timer\(s\) running at 24\.00MHz \(virt\)"),
    ("RAM at 0x70000000", r"node   0: \[mem 0x0+70000000-"),
    ("the host bridge's node", r"host bridge /pci@40000000 ranges"),
    ("the I/O window", r"IO 0x006fff0000\.\.0x006fffffff -> 0x0+\b"),
    ("the 32-bit window", r"MEM 0x0050000000\.\.0x006ffdffff -> 0x0050000000"),
    ("the 64-bit window, above RAM",
     r"MEM 0x00a0000000\.\.0x00dfffffff -> 0x00a0000000"),
    ("the configuration space",
     r"ECAM at \[mem 0x40000000-0x4fffffff\] for \[bus 00-ff\]"),
    ("the host bridge",
     r"pci 0000:00:00\.0: \[106b:1a05\] type 00 class 0x060000"),
    ("unassigned BARs, BAR 0 of 16 KiB",
     r"\[1af4:1041\][^\n]*\n[^\n]*\[mem 0x00000000-0x00003fff 64bit"),
    ("BAR 2 for MSI-X alone",
     r"\[1af4:1041\][^\n]*\n[^\n]*\n[^\n]*\[mem 0x00000000-0x0000003f\]"),
    ("xHCI's BARs", r"\[106b:1a06\][^\n]*\n[^\n]*0x00000000-0x00000fff\]\n"
     r"[^\n]*0x00000000-0x000003ff\]"),
    ("one scanout", r"\[drm\] number of scanouts: 1\b"),
    ("no EDID, no 3D, no blobs",
     r"\[drm\] features: -virgl -edid -resource_blob"),
    ("xHCI 1.10, of 16 ports", r"xhci_hcd [^\n]*hci version 0x110"),
    ("no UART", r"\A(?![\s\S]*tty(AMA|S)0 at MMIO)"),
    ("the clock", r"rtc-pl031 20050000\.pl031"),
    ("the button's GPIO", r"20060000\.pl061"),
    ("the keyboard", r"idVendor=05ac, idProduct=8105"),
    ("the pointer", r"idVendor=05ac, idProduct=8106"),
]

# Device, class, and the bits offered: 34 is RING_PACKED, which this Linux
# has no transport's say in; sysfs shows what was agreed on.
FUNCTIONS = [
    ("net", "0x1041", "0x020000", {0, 1, 3, 5, 7, 8, 11, 12, 16, 28, 29, 32,
                                   34}),
    ("blk", "0x1042", "0x018000", None),
    ("console", "0x1043", "0x078000", {28, 29, 32, 34}),
    ("entropy", "0x1044", "0x100000", {28, 29, 32, 34}),
    ("balloon", "0x1045", "0x058000", {2, 28, 29, 32, 34}),
    ("gpu", "0x1050", "0x038000", {28, 29, 32, 34}),
]


class Server:
    """Sends bytes to who connects, or takes what it is sent, by the port."""

    def __init__(self, data=None):
        self.data, self.digest = data, None
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        peer, _ = self.socket.accept()
        with peer:
            if self.data is not None:
                peer.sendall(self.data)
                return
            digest = hashlib.sha256()
            while block := peer.recv(65536):
                digest.update(block)
            self.digest = digest.hexdigest()


class Share:
    """A directory of the host's, where its server can be run."""

    def __init__(self, tmp):
        self.path, sock = f"{tmp}/share", f"{tmp}/share.socket"
        os.mkdir(self.path)
        self.proc = None
        try:
            self.proc = subprocess.Popen(
                [VIRTIOFSD, f"--socket-path={sock}", "-o",
                 f"source={self.path}"], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
        except OSError:
            pass
        deadline = time.monotonic() + 20
        while self.proc and not os.path.exists(sock):
            if self.proc.poll() is not None or time.monotonic() > deadline:
                self.close()
                self.proc = None
            time.sleep(0.05)
        self.options, self.words = "", []
        if self.proc:
            self.options = ",memory-backend=ram"
            self.words = ["-object", "memory-backend-memfd,id=ram,size=512M,"
                          "share=on", "-chardev", f"socket,id=fs,path={sock}",
                          "-device", "applevz-fs,chardev=fs,tag=share"]

    def close(self):
        if self.proc:
            self.proc.terminate()
            self.proc.wait()

    def check(self, g):
        if not self.proc:
            tap.ok(True, "a shared directory # SKIP virtiofsd does not run")
            return
        with open(f"{self.path}/ours", "w") as f:
            f.write("from the host\n")
        out = g.command("mkdir /mnt; mount -t virtiofs share /mnt; "
                        "cat /mnt/ours; cp /data /mnt/theirs; cat "
                        "/sys/bus/pci/devices/*/device | grep 105a", 60)
        with open(f"{self.path}/theirs", "rb") as theirs:
            tap.ok("from the host" in out and "0x105a" in out and
                   theirs.read() == random.Random(1).randbytes(4 * MIB),
                   "a shared directory, both ways", out)


def facts(g):
    g.command("dmesg -n 1; stty cols 1000")
    log = re.sub(r"^\[ *\d+\.\d+\] ", "", g.command("dmesg", 60), flags=re.M)
    for what, pattern in FACTS:
        tap.ok(re.search(pattern, log), what, f"not there: {pattern}",
               *[line for line in log.splitlines()
                 if re.search("(?i)gic|pci|timer|psci|drm", line)])


def functions(g):
    out = g.command("cd /sys/bus/pci/devices; for d in *; do echo $(cat "
                    "$d/device $d/class $d/virtio*/features); done; cd /")
    for name, device, kind, bits in FUNCTIONS:
        found = re.search(rf"^{device} (0x\w+) ?([01]*)$", out, re.M)
        if not found:
            tap.ok(False, f"{name} is there", out)
            continue
        agreed = {i for i, c in enumerate(found[2]) if c == "1"}
        tap.ok(found[1] == kind, f"{name}: class {kind}", found[0])
        tap.ok(bits is None or agreed and agreed <= bits,
               f"{name}: no feature that Apple's has not", sorted(agreed))
        if name == "net":
            tap.equal(sorted(agreed), sorted(bits),
                      "net: all that is offered, Linux takes")


def network(g):
    tap.equal(g.command("cat /sys/class/net/eth0/mtu /sys/class/net/eth1/mtu")
              .split(), ["1500", "4000"], "the MTU offered is followed")
    out = g.command("ifconfig lo 127.0.0.1; ifconfig eth0 up; "
                    "udhcpc -i eth0 -n -q -s /lease", 60)
    tap.ok("lease 10.0.2.15" in out, "an address by DHCP", out)
    data = random.Random(1).randbytes(4 * MIB)
    digest = hashlib.sha256(data).hexdigest()
    down, up = Server(data), Server()
    out = g.command(f"nc 10.0.2.2 {down.port} >/data </dev/null; "
                    "sha256sum /data", 60)
    tap.ok(digest in out, "4 MiB come as they were", out)
    g.command(f"nc 10.0.2.2 {up.port} </data", 60)
    up.thread.join(20)
    tap.equal(up.digest, digest, "and go, by segments that the device cuts")


def disk(g, path, picture):
    with open(path, "rb") as f:
        digest = hashlib.sha256(f.read()).hexdigest()
    out = g.command("sha256sum /dev/vda", 60)
    tap.ok(digest in out, "the disk is read", out)
    g.command("echo 0 >/sys/class/vtconsole/vtcon1/bind; "
              "dd if=/dev/vda of=/dev/fb0 bs=1M skip=1 count=4", 60)

    def same(width, height, rgb):
        return (width, height) == (WIDTH, HEIGHT) and rgb == picture
    try:
        g.screen_until(same)
        tap.ok(True, "the display shows what is written to it")
    except Failure as e:
        tap.ok(False, "the display shows what is written to it", e)
    out = g.command("dd if=/data of=/dev/vda bs=64k count=16; sync; "
                    "dd if=/data bs=64k count=16 | sha256sum", 60)
    with open(path, "rb") as f:
        digest = hashlib.sha256(f.read(MIB)).hexdigest()
    tap.ok(digest in out, "the disk is written", out)
    out = g.command("dd if=/data of=/dev/nvme0n1 bs=64k count=16; sync; "
                    "dd if=/dev/nvme0n1 bs=64k count=16 | sha256sum", 60)
    tap.ok(digest in out, "so is the NVMe disk", out)


def keys(g):
    out = g.command("cat /proc/bus/input/devices")
    for name, what in (("Vendor=05ac Product=8105", "keyboard"),
                       ("Vendor=05ac Product=8106", "pointer"),
                       ('Name="gpio-keys"', "power button")):
        found = re.search(rf"{name}[\s\S]*?(event\d+)", out)
        if not found:
            tap.ok(False, f"the {what}", out)
            continue
        g.send(f"echo re''ady; dd if=/dev/input/{found[1]} bs=24 count=1 "
               "2>/dev/null | wc -c\r")
        g.expect("^ready$")
        for _ in range(100):
            if what == "keyboard":
                g.qmp("send-key", keys=[{"type": "qcode", "data": "a"}])
            elif what == "power button":
                g.qmp("system_powerdown")
            else:
                g.qmp("input-send-event", events=[
                    {"type": "abs", "data": {"axis": "x", "value":
                                             random.randrange(32768)}}])
            try:
                g.expect(r"^24$", 1)
                tap.ok(True, f"the {what} is heard")
                break
            except Failure:
                pass
        else:
            tap.ok(False, f"the {what} is heard", g.text[-500:])
        g.prompt()


def main():
    if linux.KERNEL is None:
        tap.skip_all("no Linux was fetched: tool/bootstrap test")
    shade = random.Random(2)
    row = [bytes(shade.randrange(256) for _ in range(3))
           for _ in range(WIDTH)]
    lines = [row[y % 97:] + row[:y % 97] for y in range(HEIGHT)]
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp:
        initrd, path = f"{tmp}/initramfs", f"{tmp}/disk"
        linux.initramfs(initrd, linux.modules(*MODULES), INIT)
        with open(path, "wb") as f:
            f.write(shade.randbytes(MIB))
            for line in lines:
                f.write(b"".join(p[::-1] + b"\xff" for p in line))
            f.truncate(8 * MIB)
        with open(f"{tmp}/nvme", "wb") as f:
            f.truncate(8 * MIB)
        share = Share(tmp)
        with Guest(machine="applevz,strict=on" + share.options, smp=2,
                   image=linux.KERNEL, append="console=hvc0",
                   memory="512M", limit=380, wait_s=120, devices=[
                ["-netdev", "user,id=n0", "-device",
                 "applevz-net,netdev=n0"],
                ["-netdev", "user,id=n1", "-device",
                 "applevz-net,netdev=n1,mtu=4000"],
                ["-drive", f"if=none,id=d,format=raw,file={path}", "-device",
                 "applevz-blk,drive=d"],
                ["-drive", f"if=none,id=e,format=raw,file={tmp}/nvme",
                 "-device", "nvme,drive=e,serial=1"],
                ["-device", "applevz-gpu"], ["-device", "applevz-entropy"],
                ["-device", "applevz-balloon"],
                ["-device", "applevz-xhci", "-device", "applevz-kbd",
                 "-device", "applevz-tablet"]],
                   args=["-initrd", initrd] + share.words) as g:
            g.prompt(300)
            facts(g)
            functions(g)
            network(g)
            disk(g, path, b"".join(b"".join(line) for line in lines))
            keys(g)
            share.check(g)
            said = re.findall("^applevz: .*", g.text, re.M)
            tap.ok(not said, "no rule of the machine's was broken", *said)
            g.command("poweroff -f", wait=False)
            tap.equal(g.wait(), 0, "it powers off")
        share.close()
    tap.done()


main()
