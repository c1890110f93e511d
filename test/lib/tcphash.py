# SPDX-License-Identifier: ISC
"""
The other end of the guest's `tcphash` (guest/net/tcphash.c tells the data):
a block of 65521 bytes made of a seed, over and over, and the CRC-32 of all.
"""

import socket
import struct
import time
import zlib

BLOCK = 65521


def block(seed):
    x, words = seed, []
    for _ in range((BLOCK + 3) // 4):
        x = (x * 6364136223846793005 + 1442695040888963407) % 2**64
        words.append(x >> 32)
    return struct.pack(f"<{len(words)}I", *words)[:BLOCK]


def expected(total, seed):
    """The CRC of that much data."""
    data, crc = block(seed) * 16, 0
    while total > 0:
        n = min(total, len(data))
        crc = zlib.crc32(data[:n], crc)
        total -= n
    return crc


def send(sock, total, seed):
    """Sends, and waits until the other end has closed; CRC and seconds."""
    data, crc, left = memoryview(block(seed) * 16), 0, total
    began = time.monotonic()
    while left > 0:
        part = data[:min(left, len(data))]
        sock.sendall(part)
        crc = zlib.crc32(part, crc)
        left -= len(part)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass
    return crc, time.monotonic() - began


def receive(sock):
    """Until the other end closes: bytes, CRC and seconds."""
    total, crc, began = 0, 0, time.monotonic()
    buf = bytearray(1 << 18)
    view = memoryview(buf)
    while True:
        n = sock.recv_into(buf)
        if n == 0:
            return total, crc, time.monotonic() - began
        crc = zlib.crc32(view[:n], crc)
        total += n
