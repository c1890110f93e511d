# SPDX-License-Identifier: ISC
"""
A tap device in a network namespace of the test's own, and this machine's
network stack at its other end.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys

import tap

NAME = "paravane0"
HOST, GUEST = "10.0.2.2", "10.0.2.15"

TUNSETIFF, TUNSETPERSIST = 0x400454ca, 0x400454cb
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
IFF_MULTI_QUEUE = 0x0100
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
SIOCSIFNETMASK, SIOCSIFMTU = 0x891c, 0x8922


def enter_namespace():
    """Run again where we are root of a network of our own; or skip."""
    if os.environ.get("PARAVANE_NETNS"):
        try:
            os.close(os.open("/dev/net/tun", os.O_RDWR))
        except OSError as error:
            tap.skip_all(f"tap devices are not to be had: {error}")
        return
    if not os.path.exists("/dev/net/tun"):
        tap.skip_all("there is no /dev/net/tun")
    for flags in ("-n", "-rn"):
        if subprocess.run(["unshare", flags, "true"], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0:
            os.environ["PARAVANE_NETNS"] = "1"
            os.execvp("unshare", ["unshare", flags, sys.executable] +
                      sys.argv)
    tap.skip_all("network namespaces are not to be had")


def interface(request, value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, request, struct.pack(
            "16s16s8x", NAME.encode(), value))


def address(text):
    return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))


def make_tap(mtu, queues=1):
    """A tap device that stays when it is closed, until QEMU opens it."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack(
        "16sH22x", NAME.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
        (IFF_MULTI_QUEUE if queues > 1 else 0)))
    fcntl.ioctl(fd, TUNSETPERSIST, 1)
    os.close(fd)
    interface(SIOCSIFMTU, struct.pack("i", mtu))
    interface(SIOCSIFADDR, address(HOST))
    interface(SIOCSIFNETMASK, address("255.255.255.0"))
    flags = struct.unpack("16xH", interface(SIOCGIFFLAGS, b"")[:18])[0]
    interface(SIOCSIFFLAGS, struct.pack("H", flags | 1))
