#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
Disks of every kind, at once in one machine: tables and files that the host's
tools made and afterwards judge, and bad ones, of which the guest says what is
wrong and to which it writes nothing.
"""

import hashlib
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import Failure, Guest

MIB = 1 << 20
HUGE = (1 << 63) - (1 << 32)    # the longest that this QEMU takes, nearly
LONG = "Its long name.text"


def like(text, pattern, name):
    tap.ok(re.search(pattern, text, re.M), name, f"no {pattern!r} in", text)


def run(*words, **more):
    return subprocess.run(words, check=True, capture_output=True, text=True,
                          env=os.environ | {"PATH": os.environ["PATH"] +
                                            ":/sbin:/usr/sbin",
                                            "MTOOLS_SKIP_CHECK": "1"},
                          **more).stdout


def blank(path, size):
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def patch(path, at, data):
    with open(path, "r+b") as f:
        f.seek(at)
        f.write(data)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def gpt(path):
    """A disk as for EFI: its file system at 1 MiB."""
    blank(path, 24 * MIB)
    run("sgdisk", "-n", "1:2048:+16M", "-t", "1:ef00", "-c", "1:ESP",
        "-n", "4:0:+2M", "-c", "4:the fourth", path)
    run("mkfs.vfat", "--offset", "2048", path, str(16 * 1024))
    with open(f"{path}.text", "w") as f:
        f.write("said by the host\n")
    run("mcopy", "-i", f"{path}@@1M", f"{path}.text", f"::/{LONG}")
    run("mmd", "-i", f"{path}@@1M", "::/EFI", "::/EFI/BOOT")
    return path


def mbr(path):
    blank(path, 16 * MIB)
    run("sfdisk", path, input="label: dos\n2048,4096,c\n8192,20000,5\n"
        "10240,2048,83\n14336,2048,82\n")
    return path


def loop(path):
    """A FAT16 whose file's second cluster leads back to the first."""
    run("mkfs.vfat", "-F", "16", "-s", "4", "-C", path, "16384")
    with open(f"{path}.data", "wb") as f:
        f.write(b"x" * 8192)
    run("mcopy", "-i", path, f"{path}.data", "::/LOOP.BIN")
    with open(path, "rb") as f:
        boot = f.read(512)
        fat = struct.unpack_from("<H", boot, 14)[0] * 512
        size = struct.unpack_from("<H", boot, 22)[0] * 512
        f.seek(fat)
        table = f.read(size)
        first = table.index(struct.pack("<HH", 4, 5), 4) // 2 \
            if struct.pack("<HH", 4, 5) in table else 3
    for copy in range(2):
        patch(path, fat + copy * size + 2 * (first + 1),
              struct.pack("<H", first))
    return path


class Disks:
    """Words for QEMU, and which image is which disk of the guest."""

    def __init__(self):
        self.words, self.names = [], {}

    def add(self, name, drive, device="virtio-blk-pci", more=""):
        node = f"d{len(self.names)}"
        self.names[name] = f"disk{len(self.names)}"
        self.words += ["-blockdev", f"node-name={node},{drive}",
                       "-device", f"{device},drive={node}{more}"]
        return self.names[name]

    def file(self, name, path, more="", extra="", **kind):
        return self.add(name, "driver=raw,discard=unmap,file.driver=file,"
                        f"file.locking=off,file.filename={path}{extra}",
                        more=more, **kind)


def good(tmp):
    """What is right is read and written, by both sides."""
    disk = gpt(f"{tmp}/gpt")
    run("mkfs.vfat", "-S", "4096", "-C", f"{tmp}/bigfat", "32768")
    blank(f"{tmp}/big", 40 * MIB)
    run("fdisk", "-b", "4096", f"{tmp}/big",
        input="g\nn\n1\n256\n8447\nt\n1\nw\n")
    with open(f"{tmp}/bigfat", "rb") as f:
        patch(f"{tmp}/big", MIB, f.read())
    full = blank(f"{tmp}/full", 8 * MIB)
    patch(full, 0, os.urandom(8 * MIB))
    disks = Disks()
    disks.file("gpt", disk, ",num-queues=4,serial=A-serial-number")
    disks.file("mbr", mbr(f"{tmp}/mbr"))
    disks.file("big", f"{tmp}/big",
               ",logical_block_size=4096,physical_block_size=4096")
    disks.file("full", full)
    disks.file("mmio", blank(f"{tmp}/mmio", 4 * MIB),
               device="virtio-blk-device")
    with Guest(memory="32M", smp=2, devices=[disks.words]) as g:
        g.prompt()
        out = g.command("disk")
        tap.ok(re.search(r'^disk0 +24 MiB  gpt "A-serial-number"$', out, re.M)
               and re.search(r'^disk0p1 +16 MiB  EFI system "ESP"$', out, re.M)
               and re.search(r'^disk0p4 +2 MiB  Linux "the fourth"$', out,
                             re.M), "a GPT as sgdisk made it", out)
        tap.ok(all(re.search(f"^disk1p{n} +{size} MiB  0x{kind}$", out, re.M)
                   for n, size, kind in ((1, 2, "0c"), (5, 1, "83"),
                                         (6, 1, "82"))),
               "an MBR with logical partitions, as sfdisk made it", out)
        like(out, r"^disk2p1 +32 MiB  EFI system$",
             "a GPT of sectors of 4096, as fdisk made it")
        out = g.command("disk info disk1p6")
        like(out, rf"from byte {14336 * 512} on, 0x82",
                 "a logical partition is where it is")
        like(g.command(f"cat 'disk0p1:/{LONG}'"), "^said by the host$",
                 "a file of the host's is read")
        for line in (f"cp '{LONG}' /EFI/BOOT/paravane.cfg",
                     "mkdir '/A new directory'",
                     f"cp 'disk0p1:/{LONG}' '/A new directory/A copy.text'",
                     f"rm '/{LONG}'", "cp /EFI/BOOT/paravane.cfg disk2p1:/",
                     "disk write disk4 1000 5000 paravane! yes",
                     f"disk write disk3 0 {6 * MIB} 0x5a yes",
                     f"disk trim disk3 {4 * MIB} {2 * MIB} yes", "sync"):
            out = g.command(line)
            tap.ok(out == "", f"done: {line}", out)
        like(g.command("cp /EFI/BOOT/PARAVANE.CFG disk0p1:EFI/BOOT"),
             "File exists", "a file is not copied over itself")
        like(g.command("ls '/A new directory'"),
                 r"^ +17  A copy.text$", "the copy is listed")
        out = g.command(f"disk read disk3 0 {4 * MIB}", 60)
        like(out, r"^4194304 bytes read in \d+ us, crc32 [0-9a-f]{8}$",
                 "more than the cache holds is read in a guest of 32 MiB")
        tap.ok(all("is whole" in g.command(f"disk check {d}")
                   for d in ("disk0", "disk0p1", "disk2")), "both are whole")
        for disk_name in ("disk1", "disk3", "disk4"):
            g.command(f"disk check {disk_name}")
        out = g.command("disk trim disk0")
        like(out, "destroys .* yes'", "without a yes nothing is trimmed")
        out = g.command("disk write disk0 0 512 0")
        like(out, "destroys .* yes'", "nor written")
        out = g.command("disk read disk3 8388608")
        like(out, "beyond its end", "beyond the end there is nothing")
        like(g.command("disk info disk9"), "no such disk", "a wrong name")
        like(g.command("disk what"), "usage: disk list", "a wrong word")
        like(g.command("cat '/A new directory'"), "Is a directory",
             "a directory is no file to be read")
        out = g.command("selftest disk")
        tap.ok("not ok" not in out and "\nok " in "\n" + out,
               "the guest's own tests of disks", out)
        g.command("poweroff", wait=False)
        g.wait()
    with open(f"{disk}", "rb") as f, open(f"{tmp}/esp", "wb") as esp:
        f.seek(MIB)
        esp.write(f.read(16 * MIB))
    with open(f"{tmp}/big", "rb") as f, open(f"{tmp}/bigfat", "wb") as fat:
        f.seek(MIB)
        fat.write(f.read(32 * MIB))
    for name in (f"{tmp}/esp", f"{tmp}/bigfat"):
        tap.ok(subprocess.run(["/sbin/fsck.vfat", "-n", name],
                              capture_output=True).returncode == 0,
               "fsck.vfat finds nothing wrong")
    tap.equal(run("mtype", "-i", f"{tmp}/esp",
                  "::/A new directory/A copy.text"), "said by the host\n",
              "the copy is read by the host")
    tap.equal(run("mtype", "-i", f"{tmp}/bigfat", "::/paravane.cfg"),
              "said by the host\n", "on sectors of 4096 too")
    tap.ok(LONG not in run("mdir", "-i", f"{tmp}/esp", "::/"), "it is removed")
    with open(f"{tmp}/mmio", "rb") as f:
        f.seek(1000)
        tap.ok(f.read(5000) == (b"paravane!" * 600)[:5000],
               "a disk at an MMIO place")
    with open(full, "rb") as f:
        data = f.read()
    tap.ok(data[:4 * MIB] == b"\x5a" * (4 * MIB) and
           not any(data[4 * MIB:6 * MIB]), "written and trimmed")
    tap.ok(any(data[6 * MIB:]), "and no more than that")


def bad(tmp):
    """What is wrong is told, and left as it is."""
    paths = {"readonly": gpt(f"{tmp}/readonly"), "first": gpt(f"{tmp}/first"),
             "both": gpt(f"{tmp}/both"), "loop": loop(f"{tmp}/loop"),
             "empty": blank(f"{tmp}/empty", 0),
             "one": blank(f"{tmp}/one", 512),
             "noise": blank(f"{tmp}/noise", MIB)}
    patch(paths["first"], 512 + 56, b"\xff")
    patch(paths["both"], 512 + 56, b"\xff")
    patch(paths["both"], 24 * MIB - 512 + 16, b"\0\0\0\0")
    patch(paths["noise"], 0, os.urandom(MIB - 2) + b"\x55\xaa")
    patch(paths["noise"], 510, b"\x55\xaa")
    before = {name: digest(path) for name, path in paths.items()}
    disks = Disks()
    disks.file("readonly", paths["readonly"], extra=",read-only=on")
    for name in ("first", "both", "loop", "empty", "one", "noise"):
        disks.file(name, paths[name])
    disks.add("huge", "driver=null-co,read-zeroes=on,"
              f"size={HUGE}")
    blank(f"{tmp}/sick", 8 * MIB)
    disks.add("sick", "driver=blkdebug,inject-error.0.event=none,"
              "inject-error.0.iotype=write,inject-error.0.sector=4096,"
              "inject-error.0.errno=5,inject-error.0.once=off,"
              "inject-error.1.event=none,inject-error.1.iotype=read,"
              "inject-error.1.sector=8192,inject-error.1.errno=5,"
              "inject-error.1.once=off,"
              f"image.driver=file,image.locking=off,image.filename={tmp}/sick")
    with Guest(memory="64M", devices=[disks.words, [
            "-blockdev", "driver=null-co,node-name=wide,size=67108864", "-device",
            "virtio-blk-pci,drive=wide,logical_block_size=65536,"
            "physical_block_size=65536"]]) as g:
        g.prompt()
        g.command("disk")       # every table was read
        out = g.command("dmesg")
        like(out, r"disk1: the first GPT is damaged \(its checksum\): the "
                 r"backup at sector \d+ is used", "a damaged GPT is told")
        like(out, r"disk2: the GPT is damaged \(its checksum\), and so is "
                 r"its backup", "and two of them")
        like(out, "sectors of 65536 bytes are too large",
                 "sectors beyond ours are refused")
        out = g.command("disk")
        tap.ok("disk1p1" in out and "disk1p4" in out and "disk2p" not in out,
               "partitions come from the backup", out)
        like(out, r"^disk4 +0 B ", "a disk of no bytes")
        like(out, r"^disk5 +512 B ", "a disk of one sector")
        like(out, r"^disk7 +7\.9 EiB ", "a disk of nearly 2^63 bytes")
        for line, said in (
                ("disk write disk0 0 512 0 yes", "the disk is read-only"),
                ("disk trim disk0 yes", "the disk is read-only"),
                ("mkdir disk0p1:/new", "the disk is read-only"),
                (f"rm 'disk0p1:/{LONG}'", "the disk is read-only"),
                ("disk check disk2", "the partition table is damaged"),
                ("disk check disk3", r"LOOP +BIN: loops"),
                ("mkdir disk3:/new", "damaged: nothing is written"),
                ("rm disk3:/LOOP.BIN", "damaged: nothing is written"),
                ("ls disk3:", "LOOP.BIN"),
                ("disk read disk4", "beyond its end"),
                ("disk write disk4 0 1 1 yes", "beyond its end"),
                ("ls disk4:", "no FAT file system"),
                ("disk read disk5 500 20", "beyond its end"),
                ("disk read disk5 500 12", "^000001f4  00 00"),
                ("ls disk5:", "no FAT file system"),
                ("ls disk6:", "no FAT file system"),
                ("disk check disk7", "partition table: none"),
                (f"disk read disk7 {HUGE - 16} 16", "^7ffffffefffffff0  00"),
                ("disk write disk8 0 8 300 yes", "300 is not from 0 to 255"),
                ("disk write disk8 0 8 1a yes", "`1a' is not a number"),
                ("disk read disk8 0 8", "^00000000  00 00 00 00"),
                ("disk write disk8 2097152 512 1 yes", "I/O error"),
                ("disk write disk8 2093056 8192 1 yes", "I/O error"),
                ("disk write disk8 0 512 0x77 yes", ""),
                ("disk read disk8 4194304", "I/O error"),
                ("disk read disk8 4194300 4", "^003ffffc  00 00 00 00"),
                ("disk info disk8", "0 bytes to write")):
            like(g.command(line), said, f"told: {line}")
        like(g.command("dmesg"), r"disk8: 512 bytes could not be written",
                 "what is given up is in the log")
        g.command("poweroff", wait=False)
        g.wait()
    for name, path in paths.items():
        tap.equal(digest(path), before[name], f"nothing was written: {name}")
    with open(f"{tmp}/sick", "rb") as f:
        tap.equal(f.read(512), b"\x77" * 512, "beside the bad sector all is")
        f.seek(2093056)
        data = f.read(4096)
        tap.ok(data == b"\x01" * 4096, "also what was in one request",
               f"{data.count(1)} bytes of it")


def goes(tmp):
    """A disk is taken out while its files are used, and put in again."""
    disk = gpt(f"{tmp}/goes")
    with Guest(devices=[[
            "-device", "pcie-root-port,id=rp,chassis=1", "-blockdev",
            f"driver=file,node-name=d,filename={disk}", "-device",
            "virtio-blk-pci,drive=d,bus=rp,id=v"]]) as g:
        g.prompt()
        like(g.command("cp disk0p1:/EFI/BOOT/none /x"), "No such file",
             "a file that there is not")
        g.send("; ".join(["cp '%s' /EFI/copy" % LONG] * 6) + "\r")
        g.qmp("device_del", id="v")
        g.unplugged("v")
        g.prompt(60)
        like(g.command("ls disk0p1:/"), "no such disk", "it is gone")
        tap.ok("disk0" not in g.command("disk"), "from the list too")
        like(g.command("mem"), "free", "the guest is well")
        # QEMU lets go of the image by and by; a second one is as good.
        g.qmp("blockdev-add", **{"driver": "file", "node-name": "e",
                                 "filename": disk, "locking": "off"})
        g.qmp("device_add", driver="virtio-blk-pci", drive="e", bus="rp",
              id="w")
        for _ in range(200):
            if "disk0p1" in g.command("disk"):
                break
            time.sleep(0.1)
        like(g.command(f"cat 'disk0p1:/{LONG}'"), "said by the host",
             "and is back, with what it holds")
        g.command("poweroff", wait=False)
        g.wait()


for part in (good, bad, goes):
    with tempfile.TemporaryDirectory(prefix="paravane-") as tmp_dir:
        try:
            part(tmp_dir)
        except (Failure, subprocess.CalledProcessError) as e:
            tap.ok(False, part.__name__, e, getattr(e, "stderr", ""))
tap.done()
