# SPDX-License-Identifier: ISC
"""
The distribution's arm64 Linux as the peer in a benchmark: its kernel, and an
initramfs of busybox, the modules that are named and whatever else is given.

    linux.KERNEL                # its file; None: `make bench` fetches it
    linux.initramfs(path, linux.modules("virtio_blk"), init, {"bin/x": bytes})

The script `init` is run with {modules} and {load} replaced: their names, and
the lines that mount /proc, /sys and /dev and load them.
"""

import glob
import os
import re

CACHE = os.environ.get("PARAVANE_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
    "paravane")
KERNEL = next(iter(glob.glob(f"{CACHE}/linux/boot/vmlinuz-*")), None)

LOAD = """/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs dev /dev
for m in {modules}; do /bin/busybox insmod /$m; done"""


def version():
    return os.path.basename(KERNEL)[len("vmlinuz-"):]


def depends(path):
    """The modules that this one names in its .modinfo."""
    with open(path, "rb") as f:
        found = re.search(rb"\0depends=([^\0]*)\0", f.read())
    return [n for n in found.group(1).decode().split(",") if n] if found else []


def modules(*wanted):
    """Their files, each after what it depends on."""
    files = {os.path.basename(p)[:-3].replace("-", "_"): p for p in glob.glob(
        f"{CACHE}/linux/lib/modules/*/kernel/**/*.ko", recursive=True)}
    order = []

    def add(name):
        path = files.get(name.replace("-", "_"))
        if path is None or path in order:   # built in, or there already
            return
        for other in depends(path):
            add(other)
        order.append(path)

    for name in wanted:
        add(name)
    return order


def contents(path):
    with open(path, "rb") as f:
        return f.read()


def initramfs(path, wanted, init, more=None):
    """A cpio archive of the "newc" form."""
    names = " ".join(map(os.path.basename, wanted))
    init = init.replace("{load}", LOAD).replace("{modules}", names)
    files = [(name, 0o040755, b"") for name in ("bin", "proc", "sys", "dev")]
    files += [("bin/busybox", 0o100755,
               contents(f"{CACHE}/busybox/bin/busybox")),
              ("init", 0o100755, init.encode())]
    files += [(name, 0o100755, data) for name, data in (more or {}).items()]
    files += [(os.path.basename(module), 0o100644, contents(module))
              for module in wanted]
    files.append(("TRAILER!!!", 0, b""))
    with open(path, "wb") as out:
        for inode, (name, mode, data) in enumerate(files, 1):
            head = "070701" + "".join("%08X" % n for n in (
                inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0,
                len(name) + 1, 0))
            entry = head.encode() + name.encode() + b"\0"
            out.write(entry + b"\0" * (-len(entry) % 4))
            out.write(data + b"\0" * (-len(data) % 4))
