# SPDX-License-Identifier: ISC
"""
The guest's memory from outside, by QEMU's GDB stub: what a host gone wrong
writes there.

    with Guest(args=gdb.words(path), ...) as g:
        with gdb.Stub(path) as stub:        # the machine stands still
            data = stub.read(address, 16)   # physical addresses
            stub.write(address, data)
                                            # and goes on
        gdb.ring(g, "v", 0)                 # a virtqueue's addresses, by QMP

(GDB Remote Serial Protocol, in GDB's manual; Qqemu.PhyMemMode is QEMU's.)
"""

import socket
import time


def words(path):
    return ["-gdb", f"unix:{path},server=on,wait=off"]


def ring(guest, device, queue):
    """What QEMU knows of a queue of `-device ...,id=DEVICE`."""
    return guest.qmp("x-query-virtio-queue-status", queue=queue,
                     path=f"/machine/peripheral/{device}/virtio-backend")


class Stub:
    def __init__(self, path, wait_s=10):
        deadline = time.monotonic() + wait_s
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(wait_s)
            try:
                self.sock.connect(path)
                break
            except OSError:
                self.sock.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.data = b""
        self.ask("?")
        if self.ask("Qqemu.PhyMemMode:1") != "OK":
            raise OSError("the GDB stub has no physical addresses")

    def ask(self, text):
        body = text.encode()
        self.sock.sendall(b"$%s#%02x" % (body, sum(body) & 0xff))
        answer = self.packet()
        # That the machine has stopped is said unasked too.
        while text != "?" and answer[:1] in "TS":
            answer = self.packet()
        return answer

    def packet(self):
        while True:
            start = self.data.find(b"$")
            end = self.data.find(b"#", start)
            if start >= 0 and end >= 0 and len(self.data) >= end + 3:
                break
            more = self.sock.recv(65536)
            if not more:
                raise OSError("the GDB stub closed")
            self.data += more
        answer = self.data[start + 1:end].decode()
        self.data = self.data[end + 3:]
        self.sock.sendall(b"+")
        return answer

    def read(self, address, length):
        answer = self.ask(f"m{address:x},{length:x}")
        if answer.startswith("E"):
            raise OSError(f"reading {address:#x}: {answer}")
        return bytes.fromhex(answer)

    def write(self, address, data):
        if self.ask(f"M{address:x},{len(data):x}:{data.hex()}") != "OK":
            raise OSError(f"writing {address:#x} failed")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        try:
            self.ask("D")           # the machine goes on
        finally:
            self.sock.close()
