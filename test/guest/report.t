#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The record: it holds every subject, two of one machine are the same to
tool/report-diff, and what differs between two machines is shown.
"""

import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import unattended
from paravane_qemu import GPU, RNG

DIFF = os.path.join(TOP, "tool", "report-diff")
USB = ["-device", "qemu-xhci", "-device", "usb-kbd", "-device", "usb-tablet"]
SUBJECTS = {
    "selftest": r"\d+ passed, 0 failed",
    "machine": r"^  ecam +0x",
    "cpus": r"^cpu0: mpidr",
    "mem": r"KiB of it free",
    "intr": r"^GICv\d",
    "pci": r"^0000:00:01\.0  1af4:",
    "devices": r"^  dropped +-",
    "usb": r"^no USB controller|^xhci0",
    "ifconfig": r"hardmtu \d+",
    "fb": r"B8G8R8X8",
    "dmesg": r"^\[ *\d+\.\d+\] pci: \d+ functions",
}


def record(text):
    found = re.search(r"^paravane report 1\n(.*?)^== end$", text.replace(
        "\r", ""), re.S | re.M)
    if not found:
        return {}
    sections = re.split(r"^== (\w+)\n", found[1], flags=re.M)
    return dict(zip(["version"] + sections[1::2], sections[0::2]))


def diff(*arguments):
    done = subprocess.run([DIFF, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def guest(directory, name, devices, commands="report -t", **more):
    """The guest's words, and the file that they are in."""
    result = unattended.run(commands, devices=devices, limit=120, **more)
    tap.ok(result.good, f"{name}: the guest reports", *result.why)
    path = os.path.join(directory, name)
    with open(path, "w") as f:
        f.write(result.text)
    return result.text, path


def test_subjects(text):
    sections = record(text)
    tap.ok(re.match(r"version +([0-9a-f]{12}\+?|unknown)$",
                    sections.get("version", "").strip()),
           "the record tells the source's version", sections.get("version"))
    for name, pattern in SUBJECTS.items():
        tap.ok(re.search(pattern, sections.get(name, ""), re.M),
               f"the record has {name}", sections.get(name))


def test_diff(directory, net):
    text, a = guest(directory, "a", [net, GPU, RNG, USB])
    test_subjects(text)
    said, b = guest(directory, "b", [net, GPU, RNG, USB])
    _, other = guest(directory, "other", [net, GPU, RNG, USB, RNG], smp=2)
    guest(directory, "bare", [net], commands="report")
    status, out, err = diff(a, b)
    tap.ok(status == 0 and not out, "two runs of one machine are the same",
           out, err)
    used = os.path.join(directory, "used")
    with open(used, "w") as f:
        f.write(re.sub(r"at 0 of (\d+), 0 of (\d+), buttons 0",
                       r"at 7 of \1, 9 of \2, buttons 1",
                       re.sub(r"\b0 reports", "12 reports", said)))
    status, out, err = diff(a, used)
    tap.ok(status == 0 and said.count(" 0 reports") == 2, "nor does it matter "
           "that a keyboard and a pointer were used", out, err)
    with open(used, "w") as f:
        f.write(re.sub(r"(\d doorbells, \d+ interrupts)\n",
                       r"\1, 2 clamped, 1 times full\n          , "
                       r"1 rung again\n", said))
    status, out, err = diff(a, used)
    tap.ok(status == 0, "nor what a busy host does to a queue", out, err)
    status, out, err = diff("--all", a, b)
    tap.ok(status == 1 and "== dmesg" in out, "but for times, with --all", err)
    status, out, err = diff(a, other)
    tap.ok(status == 1 and "+entropy1: pci" in out and "+cpus     2" in out
           # with a second processor the network's interrupts go there
           and not re.search(r"^[+-](?!.*  cpu\d).*net0", out, re.M),
           "another machine: what differs, nothing else", out, err)
    cut = os.path.join(directory, "cut")
    with open(cut, "w") as f:
        f.write(text.replace("== end", ""))
    tap.ok(diff(a, cut)[0] == 2 and "cut short" in diff(a, cut)[2],
           "half a record is told from a whole one")
    with open(cut, "w") as f:
        f.write(text + text.replace("== end", ""))
    tap.ok(diff(a, cut)[0] == 0, "the last whole one counts", *diff(a, cut))
    tap.ok(diff(a, DIFF)[0] == 2 and diff(a, "/absent")[0] == 2,
           "what is no record is told")


def main():
    with tempfile.TemporaryDirectory() as directory:
        test_diff(directory, ["-netdev", "user,id=n,ipv6=off", "-device",
                              "virtio-net-pci,netdev=n"])
    tap.done()


main()
