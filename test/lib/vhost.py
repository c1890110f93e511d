# SPDX-License-Identifier: ISC
"""Back ends of vhost-user, and the programs that drive devices in them."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
LIMIT = 120


class Process:
    """A program, its lines as they come, and its end within a bound."""

    def __init__(self, command, log, env=None):
        self.log = log
        self.lines = []
        self.more = threading.Condition()
        self.ended = False
        self.p = subprocess.Popen(command, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  errors="replace",
                                  env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        with open(self.log, "a", encoding="utf-8") as f:
            for line in self.p.stdout:
                f.write(line)
                with self.more:
                    self.lines.append(line.rstrip("\n"))
                    self.more.notify_all()
        with self.more:
            self.ended = True
            self.more.notify_all()

    def await_line(self, pattern, limit=LIMIT):
        """The first line that matches, or None: it ended, or time is over."""
        until = time.monotonic() + limit
        seen = 0
        with self.more:
            while True:
                for line in self.lines[seen:]:
                    if re.search(pattern, line):
                        return line
                seen = len(self.lines)
                left = until - time.monotonic()
                if self.ended or left <= 0:
                    return None
                self.more.wait(left)

    def wait(self, limit=LIMIT):
        """Its exit status; it is ended when the time is over."""
        try:
            status = self.p.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        self.reader.join(10)
        return status

    def kill(self, how=signal.SIGKILL):
        if self.p.poll() is None:
            self.p.send_signal(how)
        self.p.wait()
        self.reader.join(10)

    def stop(self):
        """As an operator would; or else."""
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
            try:
                self.p.wait(20)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def value(self, pattern, default=-1):
        """The number that a line of the output has."""
        for line in self.lines:
            m = re.search(pattern, line)
            if m:
                return int(m.group(1), 0)
        return default


def missing():
    """What is not installed, or not built, of what these tests need."""
    return [name for name in ("dpdk-testpmd", "qemu-storage-daemon")
            if not shutil.which(name)]


def testpmd(tmp, sock, queues=1, client=0, more=""):
    """DPDK's testpmd, which sends each frame back with addresses exchanged."""
    number = len(os.listdir(tmp))
    p = Process(
        ["dpdk-testpmd", "--no-huge", "-m", "256", "-l", "0-1", "--no-pci",
         "--no-telemetry", "--file-prefix", f"paravane{os.getpid()}.{number}",
         "--vdev",
         f"net_vhost0,iface={sock},queues={queues},client={client}{more}",
         "--", "--forward-mode=macswap", "--port-topology=loop",
         "--auto-start", "--no-mlockall", "--total-num-mbufs=8192",
         f"--rxq={queues}", f"--txq={queues}"],
        os.path.join(tmp, f"testpmd.{number}"), {"RUNTIME_DIRECTORY": tmp})
    # Its own words come in blocks; those of the library at once.
    if p.await_line("binding succeeded|client: socket created") is None:
        p.kill()
        raise RuntimeError("testpmd does not start: " + p.lines[-1])
    return p


def storage(tmp, sock, image, queues=1, more=()):
    """QEMU's storage daemon with one disk."""
    p = Process(
        ["qemu-storage-daemon",
         "--blockdev", f"driver=file,node-name=f,filename={image}",
         "--export", "type=vhost-user-blk,id=e,node-name=f,writable=on,"
         f"num-queues={queues},addr.type=unix,addr.path={sock}",
         *more], os.path.join(tmp, "storage"))
    until = time.monotonic() + LIMIT
    while not os.path.exists(sock):
        if p.p.poll() is not None or time.monotonic() > until:
            p.kill()
            raise RuntimeError("the storage daemon does not start: " +
                               " ".join(p.lines))
        time.sleep(0.02)
    return p


def program(tmp, name, *args):
    return Process([os.path.join(TOP, "build/native", name), *map(str, args)],
                   os.path.join(tmp, name))
