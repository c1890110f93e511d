#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
A network block device with a volatile cache, for tests that pull the plug.

    with Server("disk.img", seed=1) as server:
        server.qemu             # the place, for QEMU: nbd+unix:///?socket=...
        server.order("stall")   # see below
        server.kill()           # as a power failure: what no flush wrote is lost

What is written is in the server's memory until FLUSH comes, or FUA asks for it,
and is gone when the server is killed. FLUSH makes durable what was answered
before it came, nothing that was still under way. With `early` some sectors
reach the disk by themselves, at random: then a part of what was not flushed
survives, each sector whole. With `delay` each request takes up to so many
milliseconds, and they overtake one another.

Orders, a line each on the program's standard input, answered by "ok":

    stall       requests stay unanswered from now on
    go          they are answered again, those that waited first
    drop        the connections are cut; the cache and the server live on
    fail N      the next N requests but reads are answered by EIO
    lose N      the Nth FLUSH from now loses what it was for, and is answered
                by EIO
    count       "ok READS WRITES FLUSHES TRIMS": answered so far

It speaks fixed newstyle negotiation with simple replies (the protocol's own
document, doc/proto.md of the nbd project), over a Unix socket alone.
"""

import argparse
import asyncio
import os
import random
import struct
import subprocess
import sys
import tempfile

SECTOR = 512
LARGEST = 32 << 20          # of one request

NBDMAGIC, IHAVEOPT = 0x4e42444d41474943, 0x49484156454f5054
REPLY_OPTION = 0x3e889045565a9
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, OPT_INFO, OPT_GO = 1, 2, 3, 6, 7
REP_ACK, REP_SERVER, REP_INFO, REP_ERR_UNSUP = 1, 2, 3, (1 << 31) + 1
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3
HAS_FLAGS, READ_ONLY, SEND_FLUSH, SEND_FUA = 1, 2, 4, 8
SEND_TRIM, SEND_WRITE_ZEROES = 32, 64
REQUEST, REPLY = 0x25609513, 0x67446698
READ, WRITE, DISC, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6
CMD_FUA = 1
EPERM, EIO, EINVAL, ENOSPC = 1, 5, 22, 28


class Refused(Exception):
    """A request that is answered by an error of the protocol."""

    def __init__(self, error):
        super().__init__(error)
        self.error = error


class Disk:
    """A file behind a volatile cache of sectors."""

    def __init__(self, path, seed=0, early=0.0, read_only=False):
        self.file = open(path, "rb" if read_only else "r+b", buffering=0)
        self.size = os.path.getsize(path)
        self.read_only = read_only
        self.rng = random.Random(seed)
        self.early = early
        self.cache = {}

    def check(self, offset, length, error):
        if offset + length > self.size:
            raise Refused(error)
        if offset % SECTOR or length % SECTOR:
            raise Refused(EINVAL)

    def read(self, offset, length):
        self.check(offset, length, EINVAL)
        if length > LARGEST:
            raise Refused(EINVAL)
        data = bytearray(os.pread(self.file.fileno(), length, offset))
        if self.cache:
            for at in range(0, length, SECTOR):
                sector = self.cache.get(offset + at)
                if sector is not None:
                    data[at:at + SECTOR] = sector
        return bytes(data)

    def write(self, offset, data, fua=False):
        if self.read_only:
            raise Refused(EPERM)
        self.check(offset, len(data), ENOSPC)
        for at in range(0, len(data), SECTOR):
            sector = data[at:at + SECTOR]
            if fua or (self.early and self.rng.random() < self.early):
                self.cache.pop(offset + at, None)
                os.pwrite(self.file.fileno(), sector, offset + at)
            else:
                self.cache[offset + at] = sector

    def flush(self):
        for offset, sector in self.cache.items():
            os.pwrite(self.file.fileno(), sector, offset)
        self.cache.clear()


class Export:
    """The disk as all connections share it, and what was ordered."""

    def __init__(self, disk, delay_s=0.0):
        self.disk = disk
        self.delay_s = delay_s
        self.going = asyncio.Event()
        self.going.set()
        self.fail = 0
        self.lose = 0
        self.writers = set()
        self.count = {READ: 0, WRITE: 0, FLUSH: 0, TRIM: 0, WRITE_ZEROES: 0}
        self.flags = (HAS_FLAGS | SEND_FLUSH | SEND_FUA | SEND_TRIM |
                      SEND_WRITE_ZEROES | READ_ONLY * disk.read_only)

    def perform(self, kind, flags, offset, length, data):
        """What a request asks for; the bytes it returns."""
        fua = bool(flags & CMD_FUA)
        if kind not in self.count:
            raise Refused(EINVAL)
        if self.fail > 0 and kind != READ:
            self.fail -= 1
            raise Refused(EIO)
        self.count[kind] += 1
        if kind == READ:
            return self.disk.read(offset, length)
        if kind == WRITE:
            self.disk.write(offset, data, fua)
        elif kind == FLUSH:
            self.lose -= 1
            if self.lose == 0:
                self.disk.cache.clear()
                raise Refused(EIO)
            self.disk.flush()
        else:
            self.disk.write(offset, bytes(length), fua)
        return b""

    def order(self, line):
        words = line.split()
        if words == ["stall"]:
            self.going.clear()
        elif words == ["go"]:
            self.going.set()
        elif words == ["drop"]:
            for writer in list(self.writers):
                writer.transport.abort()
        elif words == ["count"]:
            return "ok " + " ".join(str(self.count[k]) for k in (
                READ, WRITE, FLUSH, TRIM))
        elif len(words) == 2 and words[0] in ("fail", "lose") and \
                words[1].isdigit():
            setattr(self, words[0], int(words[1]))
        else:
            return f"no such order: {line.strip()}"
        return "ok"


async def negotiate(export, reader, writer):
    """True when the client has come to the transmission of requests."""
    writer.write(struct.pack(">QQH", NBDMAGIC, IHAVEOPT,
                             FIXED_NEWSTYLE | NO_ZEROES))
    (client,) = struct.unpack(">I", await reader.readexactly(4))

    def answer(option, kind, data=b""):
        writer.write(struct.pack(">QIII", REPLY_OPTION, option, kind,
                                 len(data)) + data)

    while True:
        magic, option, length = struct.unpack(
            ">QII", await reader.readexactly(16))
        if magic != IHAVEOPT or length > 65536:
            return False
        await reader.readexactly(length)
        if option == OPT_EXPORT_NAME:
            writer.write(struct.pack(">QH", export.disk.size, export.flags) +
                         (b"" if client & NO_ZEROES else bytes(124)))
            return True
        if option in (OPT_GO, OPT_INFO):
            answer(option, REP_INFO, struct.pack(
                ">HQH", INFO_EXPORT, export.disk.size, export.flags))
            answer(option, REP_INFO, struct.pack(
                ">HIII", INFO_BLOCK_SIZE, SECTOR, 4096, LARGEST))
            answer(option, REP_ACK)
            if option == OPT_GO:
                return True
        elif option == OPT_LIST:
            answer(option, REP_SERVER, struct.pack(">I", 0))
            answer(option, REP_ACK)
        elif option == OPT_ABORT:
            answer(option, REP_ACK)
            return False
        else:
            answer(option, REP_ERR_UNSUP)


async def request(export, writer, kind, flags, cookie, offset, length, data):
    # A flush speaks of what was answered by now: it does not wait its turn.
    if export.delay_s and kind != FLUSH:
        await asyncio.sleep(export.disk.rng.random() * export.delay_s)
    await export.going.wait()
    error, result = 0, b""
    try:
        result = export.perform(kind, flags, offset, length, data)
    except Refused as refused:
        error = refused.error
    except OSError:
        error = EIO
    if not writer.is_closing():
        writer.write(struct.pack(">IIQ", REPLY, error, cookie) + result)


async def serve(export, reader, writer):
    export.writers.add(writer)
    tasks = set()
    try:
        going = await negotiate(export, reader, writer)
        while going:
            magic, flags, kind, cookie, offset, length = struct.unpack(
                ">IHHQQI", await reader.readexactly(28))
            if magic != REQUEST or kind == DISC:
                break
            data = b""
            if kind == WRITE:
                if length > LARGEST:
                    break
                data = await reader.readexactly(length)
            task = asyncio.ensure_future(request(
                export, writer, kind, flags, cookie, offset, length, data))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        # What was cut off in the middle was not done.
        for task in tasks:
            task.cancel()
        export.writers.discard(writer)
        writer.close()


async def orders(export):
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while True:
        line = await reader.readline()
        if not line:
            return
        print(export.order(line.decode()), flush=True)


async def run(args):
    export = Export(Disk(args.image, args.seed, args.early, args.read_only),
                    args.delay / 1000)
    server = await asyncio.start_unix_server(
        lambda reader, writer: serve(export, reader, writer), args.socket)
    print("ok", flush=True)
    async with server:
        # Whoever started it ends it by closing the pipe, or by a signal.
        await orders(export)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.strip().splitlines()[0])
    parser.add_argument("socket")
    parser.add_argument("image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--early", type=float, default=0.0,
                        help="the part of the sectors that is not cached")
    parser.add_argument("--delay", type=float, default=0.0,
                        help="milliseconds that a request takes at most")
    parser.add_argument("--read-only", action="store_true")
    asyncio.run(run(parser.parse_args()))


class Server:
    """The server as a process of its own, so that it can be killed."""

    def __init__(self, image, seed=0, early=0.0, delay=0.0, read_only=False):
        self.tmp = tempfile.TemporaryDirectory(prefix="paravane-")
        self.socket = os.path.join(self.tmp.name, "nbd")
        self.qemu = f"nbd+unix:///?socket={self.socket}"
        self.words = [sys.executable, os.path.abspath(__file__), self.socket,
                      image, "--seed", str(seed), "--early", str(early),
                      "--delay", str(delay)]
        if read_only:
            self.words.append("--read-only")
        self.proc = None
        self.start()

    def start(self):
        """Also after kill(): it comes back at the same place."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.proc = subprocess.Popen(self.words, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        if self.proc.stdout.readline() != "ok\n":
            self.close()
            raise OSError("the NBD server did not start")

    def order(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()
        answer = self.proc.stdout.readline().strip()
        if not answer.startswith("ok"):
            raise OSError(f"the NBD server: {line}: {answer or 'it ended'}")
        return answer[3:]

    def kill(self):
        self.proc.kill()
        self.proc.wait()
        self.proc.stdin.close()
        self.proc.stdout.close()

    def close(self):
        if self.proc.returncode is None:
            self.kill()
        self.tmp.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


if __name__ == "__main__":
    main()
