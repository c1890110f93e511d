#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
The snapshot: the same bytes whenever and wherever it is made, sums and a
signature that verify, a disk that tools for disks find in order and that boots
under the packaged firmware; and no key, image or option taken for a good one
that is none.
"""

import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import Failure, Guest, IMAGE

TOOL = os.path.join(TOP, "tool", "snapshot")
FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
START = 2048
SECTORS = 73728
FILES = ["INSTALL.md", "REPORTING.md", "SHA256", "paravane", "paravane.img"]


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, **more)


def good(name, done, *words):
    tap.ok(done.returncode == 0 and all(w in done.stdout for w in words),
           name, done.returncode, done.stdout, done.stderr)


def refused(name, *arguments, said):
    done = run(TOOL, *arguments)
    tap.ok(done.returncode != 0 and said in done.stderr, name, done.stdout,
           done.stderr)


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def test_same(tmp):
    """Two of them; the directory of the first."""
    first, second = os.path.join(tmp, "a, b"), os.path.join(tmp, "second")
    good("it is made, by a user whose PATH has no sbin", run(
        TOOL, "--out", first, env=dict(os.environ, PATH="/usr/bin:/bin")),
        "SHA256 (paravane.img)")
    env = dict(os.environ, TZ="Asia/Tokyo", LANG="C.UTF-8")
    good("again, elsewhere", run(TOOL, "--out", second, cwd="/", env=env,
                                 umask=0o077))
    tap.equal(sorted(os.listdir(first)), FILES, "these files, no others")
    for name in FILES:
        tap.ok(read(first, name) == read(second, name),
               f"{name}: the same bytes twice")
    tap.ok(read(first, "paravane") == read(IMAGE), "the image is the image")
    good("sums verify", run("sha256sum", "-c", "SHA256", cwd=first))
    return first


def test_disk(tmp, out):
    image = os.path.join(out, "paravane.img")
    good("the partition table is in order",
         run("sfdisk", "-V", image, env=dict(os.environ, PATH=os.environ[
             "PATH"] + ":/sbin:/usr/sbin")), "No errors detected")
    part = os.path.join(tmp, "esp")
    with open(part, "wb") as f:
        f.write(read(image)[START * 512:(START + SECTORS) * 512])
    good("the file system is in order", run("/sbin/fsck.vfat", "-n", part))
    here = f"{image}@@{START * 512}"
    done = subprocess.run(["mtype", "-i", here, "::/EFI/BOOT/BOOTAA64.EFI"],
                          capture_output=True)
    tap.ok(done.stdout == read(IMAGE), "the application is on it, whole")


def test_boots(out):
    image = os.path.join(out, "paravane.img")
    try:
        with Guest(args=["-bios", FIRMWARE, "-drive",
                         "if=none,id=esp,format=raw,file="
                         + image.replace(",", ",,"),
                         "-device", "virtio-blk-pci,drive=esp"],
                   kernel=False, wait_s=60, cpu="cortex-a72") as g:
            g.expect("from EFI")
            g.prompt()
            g.command("sleep 2000")    # its disk is looked at meanwhile
            g.command("poweroff", wait=False)
            status = g.wait()
        tap.ok(status == 0, "firmware boots it, and it ends in order")
    except Failure as why:
        tap.ok(False, "firmware boots it", str(why))
    log = subprocess.run(["mtype", "-i", f"{image}@@{START * 512}",
                          "::/EFI/BOOT/paravane.log"],
                         capture_output=True).stdout
    tap.ok(log.startswith(b"kernel: paravane: done ")
           and b"paravane: machine by ACPI" in log
           and b"] paravane: done\n" in log
           and len(log) == 65536, "it left its log there", log[:200])


def test_key(tmp):
    out = os.path.join(tmp, "signed")
    secret, public = os.path.join(tmp, "k.sec"), os.path.join(tmp, "k.pub")
    run("signify-openbsd", "-G", "-n", "-p", public, "-s", secret)
    good("with a key", run(TOOL, "--out", out, "--key", secret), "signed")
    verify = ["signify-openbsd", "-V", "-q", "-p", public, "-m",
              os.path.join(out, "SHA256")]
    good("the signature verifies", run(*verify))
    with open(os.path.join(out, "SHA256"), "a") as f:
        f.write("\n")
    tap.ok(run(*verify).returncode != 0, "and not of something else")
    run(TOOL, "--out", out)
    tap.ok("SHA256.sig" not in os.listdir(out),
           "made again without a key, no old signature is left")
    before = sorted(os.listdir(out))
    refused("a key that is none", "--out", out, "--key", public,
            said="signify did not sign")
    tap.equal(sorted(os.listdir(out)), before, "and nothing is left behind")


def main():
    with tempfile.TemporaryDirectory() as tmp:
        out = test_same(tmp)
        test_disk(tmp, out)
        test_boots(out)
        test_key(tmp)
        refused("no image", "--image", tmp + "/none", said="make image")
        refused("no such key", "--key", tmp + "/none", said="can't be read")
        refused("an option that there is not", "--wat", said="no such option")
        good("--help", run(TOOL, "--help"), "SHA256", "--key")
    tap.done()


main()
