# SPDX-License-Identifier: ISC
"""
An unattended run of the guest in QEMU, for tests.

	r = unattended.run("devices;selftest", machine="virt,gic-version=2")
	tap.ok(r.good, "gic 2", *r.why)

Arguments are those of paravane_qemu.Guest, and:

	words	more of the kernel's command line
	efi	"acpi" or "dt": start the image as an EFI application, under the
		packaged firmware, the machine described in this way; the
		command line is in paravane.cfg
"""

import os
import re
import shutil
import tempfile

import paravane_qemu as qemu

FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
LONG = os.environ.get("PARAVANE_LONG") == "1"


def esp(directory, append, image=None):
    """Lays out an EFI system partition; QEMU's words that start from it."""
    boot = os.path.join(directory, "EFI", "BOOT")
    os.makedirs(boot)
    shutil.copy(image or qemu.IMAGE, os.path.join(boot, "BOOTAA64.EFI"))
    with open(os.path.join(boot, "paravane.cfg"), "w") as f:
        f.write(append + "\n")
    return ["-bios", FIRMWARE, "-drive",
            f"if=none,id=esp,format=raw,file=fat:rw:{directory}",
            "-device", "virtio-blk-pci,drive=esp,bootindex=0"]


class Run:
    """
    How it went.

    text	all that the console said
    points	(good, name) of each TAP line
    done	it ended by itself after `paravane: done`
    good	done, and no TAP point failed
    why		lines for a diagnosis
    """

    def __init__(self, text, words, trouble):
        self.text = text
        self.points = [(not no, name.strip()) for no, name in re.findall(
            r"^(not )?ok \d+ - (.*)$", text, re.M)]
        bad = [name for good, name in self.points if not good]
        self.done = not trouble and bool(
            re.search(r"^paravane: done", text, re.M))
        self.good = self.done and not bad
        self.why = [trouble] if trouble else []
        self.why += [f"not ok: {name}" for name in bad]
        if not self.good:
            self.why += ["its last words:"] + text.splitlines()[-30:]
            self.why.append(" ".join(words))


def run(commands, words="", efi=None, machine="virt,gic-version=3", args=(),
        limit=60, **arguments):
    """Runs the shell's commands, then powers off."""
    append = f'{words} run="{commands};poweroff"'.strip()
    with tempfile.TemporaryDirectory(prefix="paravane-esp-") as directory:
        args = list(args)
        if efi:
            args += esp(directory, append)
            if efi == "dt":
                machine += ",acpi=off"
        with qemu.Guest(append=append, machine=machine, args=args,
                        kernel=not efi, limit=limit, **arguments) as g:
            trouble = ""
            try:
                g.wait(limit)
            except qemu.Failure as e:
                trouble = str(e).splitlines()[0]
            return Run(g.text, g.words, trouble)
