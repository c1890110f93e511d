# SPDX-License-Identifier: ISC
"""
Tap devices in a network of the bench's own, which nobody else sees.

    wire.allow()                        # first of all, for one who is not root
    with wire.own_network():            # for this thread, and what it starts
        tap = wire.Tap("paravane0", "10.0.2.2", 1500)
        tap.words                       # QEMU's -netdev
        tap.counters()                  # bytes from the guest, bytes to it

Packets over the tap keep virtio's header, so that checksums and segmentation
can be left to this machine. Raises race.Missing where this is not to be had.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys

import race

CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETPERSIST = 0x400454ca, 0x400454cb
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
IFF_UP = 1
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
SIOCSIFNETMASK, SIOCSIFMTU = 0x891c, 0x8922
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result != 0:
        why = os.strerror(ctypes.get_errno())
        raise race.Missing(f"{what}: {why}; root may have it" if os.geteuid()
                           else f"{what}: {why}")


def allow():
    """
    Run this program again, as the same user, where it may make networks: in
    one of its own, with no more than the loopback. For root, and where a user
    may not do so, nothing: own_network tells.
    """
    if os.environ.get("PARAVANE_NETNS"):
        interface("lo", SIOCSIFFLAGS, struct.pack("H", IFF_UP))
        return
    words = ["unshare", "--map-current-user", "--keep-caps", "--net"]
    if os.geteuid() and subprocess.run(
            [*words, "true"], check=False, stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0:
        os.environ["PARAVANE_NETNS"] = "1"
        os.execvp("unshare", [*words, sys.executable, *sys.argv])


@contextlib.contextmanager
def own_network():
    """Until its end, this thread's network is one of its own."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        checked(LIBC.unshare(CLONE_NEWNET), "a network namespace")
        try:
            yield
        finally:
            checked(LIBC.setns(before, CLONE_NEWNET), "the way back")
    finally:
        os.close(before)


def interface(name, request, value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, request, struct.pack(
            "16s16s8x", name.encode(), value))


def address(text):
    return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))


class Tap:
    """One that stays when it is closed, until the namespace ends."""

    def __init__(self, name, host, mtu):
        self.name, self.host = name, host
        try:
            fd = os.open("/dev/net/tun", os.O_RDWR)
        except OSError as error:
            raise race.Missing(f"/dev/net/tun: {error.strerror}") from error
        try:
            fcntl.ioctl(fd, TUNSETIFF, struct.pack(
                "16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
            fcntl.ioctl(fd, TUNSETPERSIST, 1)
        finally:
            os.close(fd)
        self.ioctl(SIOCSIFMTU, struct.pack("i", mtu))
        self.ioctl(SIOCSIFADDR, address(host))
        self.ioctl(SIOCSIFNETMASK, address("255.255.255.0"))
        flags, = struct.unpack("16xH", self.ioctl(SIOCGIFFLAGS, b"")[:18])
        self.ioctl(SIOCSIFFLAGS, struct.pack("H", flags | IFF_UP))
        self.words = ["-netdev", f"tap,id=n,ifname={name},script=no,"
                      "downscript=no"]

    def ioctl(self, request, value):
        return interface(self.name, request, value)

    def counters(self):
        """Bytes that QEMU has written, and bytes that it has read."""
        with open("/proc/thread-self/net/dev") as f:
            for line in f:
                name, _, words = line.partition(":")
                if name.strip() == self.name:
                    words = words.split()
                    return int(words[0]), int(words[8])
        raise RuntimeError(f"{self.name} is gone")
