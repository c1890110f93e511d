# SPDX-License-Identifier: ISC
"""
The other end of the guest's `tcphash` (guest/net/tcphash.c tells the data):
a block of 65521 bytes made of a seed, over and over, and the CRC-32 of all.

    whole, rate, note = tcphash.to_guest(g, total, seed, HOST)
    whole, rate, note = tcphash.from_guest(g, total, seed, HOST)

Whether each byte came and both ends have the CRC, MB/s by the guest's word, and
what each end has. HOST is this machine as the guest knows it; here, where it has
that address under another name.
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


def _transfer(g, command, total, here, host_end):
    """What host_end makes of the connection, the guest's CRC and its rate."""
    with socket.create_server((here, 0)) as listener:
        listener.settimeout(30)
        g.send(command.format(port=listener.getsockname()[1]) + "\r")
        with listener.accept()[0] as sock:
            sock.settimeout(60)
            host = host_end(sock)
    said = g.expect(rf"tcphash: \w+ {total} bytes crc32 ([0-9a-f]{{8}}) in "
                    r"\d+ ms, (\S+) MB/s", 60)
    g.expect("^paravane> ")
    return host, int(said[1], 16), said[2]


def to_guest(g, total, seed, host, here=None):
    (crc, _), got, rate = _transfer(
        g, f"tcphash recv {{port}} {host}", total, here or host,
        lambda sock: send(sock, total, seed))
    return crc == got, rate, f"sent {crc:08x}, came {got:08x}"


def from_guest(g, total, seed, host, here=None):
    (count, crc, _), sent, rate = _transfer(
        g, f"tcphash send {{port}} {total} {seed} {host}", total,
        here or host, receive)
    return ((count, crc) == (total, sent) and crc == expected(total, seed),
            rate, f"sent {sent:08x}, came {count} bytes, {crc:08x}")
