#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The NBD server with a volatile cache (test/lib/nbd.py) under QEMU's own client:
what is there after it was killed, what a stalled or cut connection does.
"""

import os
import subprocess
import sys
import tempfile
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import nbd
import tap

SIZE = 1 << 20
SECTOR = nbd.SECTOR


class Client:
    """qemu-io, its commands typed one by one."""

    def __init__(self, server, options="", writeback=True):
        self.proc = subprocess.Popen(
            ["timeout", "60", "qemu-io", "-t",
             "writeback" if writeback else "writethrough", "--image-opts",
             f"driver=nbd,server.type=unix,server.path={server.socket}" +
             options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=0)
        self.said = ""
        self.until("qemu-io> ")

    def until(self, end):
        while not self.said.endswith(end):
            char = self.proc.stdout.read(1)
            if not char:
                raise OSError(f"qemu-io ended: {self.said}")
            self.said += char

    def __call__(self, command):
        self.start(command)
        return self.finish()

    def start(self, command):
        self.said = ""
        self.proc.stdin.write(command + "\n")

    def finish(self):
        self.until("qemu-io> ")
        return self.said[:-len("qemu-io> ")]

    def end(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()


def content(path):
    with open(path, "rb") as f:
        return f.read()


def fresh(tmp):
    path = os.path.join(tmp, "disk")
    with open(path, "wb") as f:
        f.truncate(SIZE)
    return path


def volatile(path):
    """Lost without a flush, there with one, and read back meanwhile."""
    with nbd.Server(path) as server:
        io = Client(server)
        io("write -P 1 0 64k")
        io("flush")
        io("write -P 2 4k 8k")
        io("write -P 3 128k 4k")
        tap.ok("verification failed" not in io("read -P 2 4k 8k") and
               "verification failed" not in io("read -P 1 12k 4k"),
               "what is in the cache is read")
        server.kill()
        io.end()
    data = content(path)
    tap.ok(data[:65536] == b"\1" * 65536, "what was flushed is there")
    tap.ok(not any(data[65536:]), "what was not is gone")


def durable(path, what, writeback, *commands):
    with nbd.Server(path) as server:
        io = Client(server, writeback=writeback)
        for command in commands:
            io(command)
        server.kill()
        io.end()
    tap.ok(content(path)[8192:16384] == b"\5" * 8192, what)


def zeros(path):
    with nbd.Server(path) as server:
        io = Client(server, ",discard=unmap")
        io("write -P 1 0 64k")
        io("write -z 4k 4k")
        io("discard 16k 4k")
        tap.ok("verification failed" not in io("read -P 0 4k 4k") and
               "verification failed" not in io("read -P 0 16k 4k") and
               "verification failed" not in io("read -P 1 8k 8k"),
               "zeroed and trimmed")
        io("flush")
        counts = [int(n) for n in server.order("count").split()]
        tap.ok(counts[2] >= 1 and counts[3] >= 1, "both came as such", counts)
        server.kill()
        io.end()
    data = content(path)
    tap.ok(not any(data[4096:8192]) and data[8192:16384] == b"\1" * 8192,
           "and flushed")


def early(path):
    """Some sectors go their own way; each is whole, the seed decides."""
    images = []
    for seed in (1, 1, 2):
        with open(path, "wb") as f:
            f.truncate(SIZE)
        with nbd.Server(path, seed=seed, early=0.5) as server:
            io = Client(server)
            io("write -P 7 0 64k")
            server.kill()
            io.end()
        images.append(content(path))
    kinds = {images[0][n:n + SECTOR] for n in range(0, 65536, SECTOR)}
    tap.ok(kinds == {bytes(SECTOR), b"\7" * SECTOR},
           "some sectors have arrived, each whole")
    tap.ok(images[0] == images[1], "the same seed, the same sectors")
    tap.ok(images[0] != images[2], "another seed, others")


def overtaken(path):
    """A flush does not wait for what has not been answered."""
    with nbd.Server(path, delay=400, seed=3) as server:
        io = Client(server)
        io("aio_write -q -P 9 0 4k")
        io("flush")
        server.kill()
        io.end()
    tap.ok(not any(content(path)), "a write under way is not flushed")
    with nbd.Server(path, delay=50, seed=3) as server:
        io = Client(server)
        for n in range(8):
            io(f"aio_write -q -P {n + 1} {n}k 1k")
        io("aio_flush")
        io("flush")
        server.kill()
        io.end()
    tap.ok(all(content(path)[n << 10:(n + 1) << 10] ==
               bytes([n + 1]) * 1024 for n in range(8)),
           "what was answered before is")


def stalled(path):
    with nbd.Server(path) as server:
        io = Client(server)
        server.order("stall")
        io.start("write -P 4 0 4k")
        answered = threading.Event()

        def wait():
            io.finish()
            answered.set()

        waiter = threading.Thread(target=wait, daemon=True)
        waiter.start()
        tap.ok(not answered.wait(0.5), "stalled: no answer")
        server.order("go")
        tap.ok(answered.wait(20), "and going on: an answer")
        waiter.join(20)
        server.order("fail 1")
        tap.ok("Input/output error" in io("write -P 4 0 4k"), "a failure")
        tap.ok("wrote" in io("write -P 4 0 4k"), "and one alone")
        server.order("drop")
        tap.ok("failed" in io("write -P 4 0 4k"), "a connection is cut")
        io.end()


def lost(path):
    """Told of by that flush, and by no other."""
    export = nbd.Export(nbd.Disk(path))
    export.order("lose 2")
    errors = []
    for _ in range(3):
        export.perform(nbd.WRITE, 0, 4096, 4096, b"\4" * 4096)
        try:
            export.perform(nbd.FLUSH, 0, 0, 0, b"")
            errors.append(0)
        except nbd.Refused as refused:
            errors.append(refused.error)
        export.perform(nbd.WRITE, 0, 8192 * len(errors), 4096, b"\5" * 4096)
    tap.equal(errors, [0, nbd.EIO, 0], "a cache that is lost is told of, once")
    tap.ok(content(path)[4096:8192] == b"\4" * 4096 and
           not any(content(path)[8192:12288]), "and lost")


def reconnects(path):
    """The cache outlives a connection, and QEMU comes back to it."""
    with nbd.Server(path) as server:
        io = Client(server, ",reconnect-delay=20")
        io("write -P 6 0 4k")
        server.order("stall")
        io.start("write -P 6 4k 4k")
        server.order("drop")
        server.order("go")
        tap.ok("wrote" in io.finish(), "sent again on a new connection")
        io("flush")
        io.end()
        server.kill()
    tap.ok(content(path)[:8192] == b"\6" * 8192, "and flushed there")


def refused(path):
    with nbd.Server(path, read_only=True) as server:
        got = subprocess.run(
            ["timeout", "30", "qemu-io", "-f", "raw", "-c", "write 0 4k",
             server.qemu], capture_output=True, text=True, check=False)
        tap.ok(got.returncode != 0, "read-only: no write", got.stdout)
        got = subprocess.run(
            ["timeout", "30", "qemu-img", "info", server.qemu],
            capture_output=True, text=True, check=False)
        tap.ok("1 MiB" in got.stdout, "qemu-img knows its size", got.stdout,
               got.stderr)


with tempfile.TemporaryDirectory() as directory:
    volatile(fresh(directory))
    durable(fresh(directory), "FUA", True, "write -f -P 5 8k 8k")
    durable(fresh(directory), "writethrough", False, "write -P 5 8k 8k")
    zeros(fresh(directory))
    early(fresh(directory))
    overtaken(fresh(directory))
    stalled(fresh(directory))
    lost(fresh(directory))
    reconnects(fresh(directory))
    refused(fresh(directory))
tap.done()
