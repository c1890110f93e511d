# SPDX-License-Identifier: ISC
"""
Tap devices in a network of the bench's own, which nobody else sees.

    wire.allow()                        # first of all, for one who is not root
    with wire.own_network():            # for this thread, and what it starts
        tap = wire.Tap("paravane0", "10.0.2.2", 1500)
        tap.words                       # QEMU's -netdev
        tap.counters()                  # bytes from the guest, bytes to it

Raises race.Missing where this is not to be had.
"""

import contextlib
import ctypes
import os
import subprocess
import sys

import race
import tapdev

CLONE_NEWNET = 0x40000000
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
        tapdev.up("lo")
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


class Tap:
    """One that stays when it is closed, until the namespace ends."""

    def __init__(self, name, host, mtu):
        self.name, self.host = name, host
        try:
            self.words = tapdev.make_tap(mtu, name=name, host=host)
        except OSError as error:
            raise race.Missing(f"a tap device: {error}") from error

    def counters(self):
        """Bytes that QEMU has written, and bytes that it has read."""
        with open("/proc/thread-self/net/dev") as f:
            for line in f:
                name, _, words = line.partition(":")
                if name.strip() == self.name:
                    words = words.split()
                    return int(words[0]), int(words[8])
        raise RuntimeError(f"{self.name} is gone")
