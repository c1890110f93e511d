# SPDX-License-Identifier: ISC
"""
Tap devices, and this machine's network stack at their other end. Packets keep
virtio's header, so that checksums and segmentation can be left to this machine.

    tapdev.enter_namespace()            # a test: first of all
    words = tapdev.make_tap(1500)       # QEMU's -netdev, with the id n0
    words = tapdev.make_tap(1500, name="paravane1", host="10.0.3.2")
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
IFF_UP = 1
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


def interface(name, request, value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, request, struct.pack(
            "16s16s8x", name.encode(), value))


def up(name):
    flags, = struct.unpack("16xH", interface(name, SIOCGIFFLAGS, b"")[:18])
    interface(name, SIOCSIFFLAGS, struct.pack("H", flags | IFF_UP))


def address(text):
    return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))


def make_tap(mtu, queues=1, name=NAME, host=HOST):
    """A tap device that stays when it is closed, until the namespace ends."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(fd, TUNSETIFF, struct.pack(
            "16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
            (IFF_MULTI_QUEUE if queues > 1 else 0)))
        fcntl.ioctl(fd, TUNSETPERSIST, 1)
    finally:
        os.close(fd)
    interface(name, SIOCSIFMTU, struct.pack("i", mtu))
    interface(name, SIOCSIFADDR, address(host))
    interface(name, SIOCSIFNETMASK, address("255.255.255.0"))
    up(name)
    words = f"tap,id=n0,ifname={name},script=no,downscript=no"
    return ["-netdev", words + (f",queues={queues}" if queues > 1 else "")]
