# SPDX-License-Identifier: ISC
"""
The other end of a guest's network cable: an Ethernet host of the test's own,
behind QEMU's stream back end (each frame comes after its length, four bytes,
most significant first).

    with Peer() as peer, Guest(devices=[peer.netdev("n0"),
            ["-device", "virtio-net-pci,netdev=n0,romfile=,host_mtu=9000"]]) as g:
        peer.wait_lease()           # the guest has its address from us
        peer.ping(9000)             # one packet of 9000 bytes, not to be cut
        peer.largest                # of all packets that came from the guest

It is host 10.0.2.2 (and fe80::2, fec0::2), the DHCP server, the router, and the
name server of `peer.test`. It answers ARP, neighbour solicitations and echo
requests of both IPs, IPv4 ones in fragments too. "Size" is that of an IP packet
with its header; `mtu` is what it sends itself without cutting.

QEMU 7.2 passes frames of up to 69632 bytes; a longer one ends the connection.
"""

import os
import select
import socket
import struct
import tempfile
import threading
import time

ETHER = 14
ETH_IPV4 = 0x0800
ETH_ARP = 0x0806
ETH_IPV6 = 0x86dd
ETH_TEST = 0x88b5           # set aside for experiments
FRAME_MAX = 4096 + 65536
BROADCAST = b"\xff" * 6
PEER_MAC = bytes.fromhex("020000000002")
PEER_IP = "10.0.2.2"
GUEST_IP = "10.0.2.15"
PEER_LL = "fe80::2"
PEER_IP6 = "fec0::2"
PREFIX6 = "fec0::"


def checksum(data):
    """The Internet's, of bytes."""
    if len(data) & 1:
        data = bytes(data) + b"\0"
    total = int.from_bytes(data, "big") % 0xffff
    return 0xffff - total if total else (0 if any(data) else 0xffff)


def ip4(text):
    return socket.inet_aton(text)


def ip6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def ether(dst, src, kind, payload):
    return dst + src + struct.pack(">H", kind) + payload


def ipv4(src, dst, proto, payload, ident=0, df=False, offset=0, more=False,
         ttl=64):
    flags = (0x4000 if df else 0) | (0x2000 if more else 0) | offset // 8
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident,
                       flags, ttl, proto, 0, src, dst)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def ipv6(src, dst, proto, payload, hops=64):
    return struct.pack(">IHBB16s16s", 6 << 28, len(payload), proto, hops,
                       src, dst) + payload


def icmp(kind, code, rest):
    body = struct.pack(">BBH", kind, code, 0) + rest
    return body[:2] + struct.pack(">H", checksum(body)) + body[4:]


def icmp6(src, dst, kind, code, rest):
    body = struct.pack(">BBH", kind, code, 0) + rest
    pseudo = src + dst + struct.pack(">II", len(body), 58)
    return body[:2] + struct.pack(">H", checksum(pseudo + body)) + body[4:]


def udp(src, dst, sport, dport, payload):
    body = struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload
    pseudo = src + dst + struct.pack(">BBH", 0, 17, len(body))
    return body[:6] + struct.pack(">H", checksum(pseudo + body) or 0xffff) + \
        body[8:]


def pattern(n):
    return (bytes(range(256)) * (n // 256 + 1))[:n]


class Peer:
    """
    dhcp_mtu   an MTU that the DHCP server tells
    mtu        what the peer sends uncut of its own accord
    dhcp       False: no DHCP server
    ra         True: a router advertisement answers each solicitation
    """

    def __init__(self, dhcp_mtu=None, mtu=65535, dhcp=True, ra=True):
        self.dhcp_mtu = dhcp_mtu
        self.mtu = mtu
        self.dhcp = dhcp
        self.ra = ra
        self.tmp = tempfile.TemporaryDirectory(prefix="paravane-peer-")
        self.path = os.path.join(self.tmp.name, "net")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.sock = None
        self.guest_mac = None
        self.guest_ip6 = set()
        self.lease = False
        self.leases = 0
        self.frames = 0
        self.bytes = 0
        self.largest = 0        # of all IP packets, and test frames' contents
        self.test_frames = []   # lengths of frames of ETH_TEST
        self.bad = []           # what a guest should not have sent
        self.replies = {}       # (ident, seq) -> payload
        self.errors = []        # ICMP errors from the guest: (type, code)
        self.fragments = {}
        self.ident = 0
        self.closed = False
        self.cond = threading.Condition()
        self.sending = threading.Lock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closed = True
        self.listener.close()
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.thread.join(10)
        if self.sock is not None:
            self.sock.close()
        self.tmp.cleanup()

    def netdev(self, name):
        return ["-netdev", f"stream,id={name},server=off,addr.type=unix,"
                f"addr.path={self.path}"]

    # The wire

    def _run(self):
        while not self.closed:
            try:
                if not select.select([self.listener], [], [], 0.5)[0]:
                    continue
                self.sock = self.listener.accept()[0]
            except (OSError, ValueError):
                return
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            try:
                self._frames()
            except OSError:
                pass

    def _frames(self):
        reader = self.sock.makefile("rb", buffering=1 << 18)
        while True:
            head = reader.read(4)
            if len(head) < 4:
                return
            frame = reader.read(struct.unpack(">I", head)[0])
            with self.cond:
                self._input(frame)
                self.cond.notify_all()

    def send(self, frame):
        """One frame, as it is; padded to what Ethernet sends at least."""
        if len(frame) > FRAME_MAX:
            raise ValueError("QEMU would end the connection")
        frame = frame.ljust(60, b"\0")
        with self.sending:
            self.sock.sendall(struct.pack(">I", len(frame)) + frame)

    def send_raw(self, frame):
        """One frame, as it is, however short."""
        with self.sending:
            self.sock.sendall(struct.pack(">I", len(frame)) + frame)

    def _ether(self, kind, payload, dst=None):
        self.send(ether(dst or self.guest_mac or BROADCAST, PEER_MAC, kind,
                        payload))

    def _ipv4(self, proto, payload, df=False, dst=None, src=None, mac=None):
        """A packet, in fragments if it is above `mtu`."""
        src = src or ip4(PEER_IP)
        dst = dst or ip4(GUEST_IP)
        self.ident = self.ident + 1 & 0xffff
        room = (self.mtu - 20) & ~7
        if df or 20 + len(payload) <= self.mtu:
            self._ether(ETH_IPV4, ipv4(src, dst, proto, payload, self.ident,
                                       df), mac)
            return
        for at in range(0, len(payload), room):
            part = payload[at:at + room]
            self._ether(ETH_IPV4, ipv4(
                src, dst, proto, part, self.ident, offset=at,
                more=at + len(part) < len(payload)), mac)

    # What comes in

    def _input(self, frame):
        self.frames += 1
        self.bytes += len(frame)
        if len(frame) < ETHER:
            self.bad.append(f"a frame of {len(frame)} bytes")
            return
        dst, src = frame[:6], frame[6:12]
        kind = struct.unpack(">H", frame[12:14])[0]
        body = frame[ETHER:]
        if not src[0] & 1:
            self.guest_mac = src
        else:
            self.bad.append("a frame from a group address")
        if dst != PEER_MAC and not dst[0] & 1:
            return
        if kind == ETH_ARP:
            self._arp(body)
        elif kind == ETH_IPV4:
            self._in_ipv4(body)
        elif kind == ETH_IPV6:
            self._in_ipv6(body)
        elif kind == ETH_TEST:
            self.test_frames.append(len(body))
            self.largest = max(self.largest, len(body))

    def _arp(self, body):
        op, sha, spa, tpa = struct.unpack(">6xH6s4s6x4s", body[:28])
        if op == 1 and tpa == ip4(PEER_IP):
            self._ether(ETH_ARP, struct.pack(
                ">HHBBH6s4s6s4s", 1, ETH_IPV4, 6, 4, 2, PEER_MAC, tpa, sha,
                spa), sha)

    def _in_ipv4(self, body):
        size = struct.unpack(">H", body[2:4])[0]
        if size > len(body) or body[0] != 0x45:
            self.bad.append("a short or odd IPv4 packet")
            return
        self.largest = max(self.largest, size)
        packet = body[:size]
        if checksum(packet[:20]) != 0:
            self.bad.append("an IPv4 header with a wrong checksum")
            return
        ident, flags, _, proto = struct.unpack(">HHBB", packet[4:10])
        src, dst, data = packet[12:16], packet[16:20], packet[20:]
        if flags & 0x3fff:
            data = self._fragment((src, ident, proto), flags, data)
            if data is None:
                return
        if proto == 1:
            self._in_icmp(src, dst, data, bool(flags & 0x4000))
        elif proto == 17:
            self._in_udp(src, dst, data)

    def _fragment(self, key, flags, data):
        """A datagram that is now whole, or None."""
        parts, total = self.fragments.setdefault(key, ({}, [None]))
        parts[(flags & 0x1fff) * 8] = data
        if not flags & 0x2000:
            total[0] = (flags & 0x1fff) * 8 + len(data)
        if total[0] is None or sum(map(len, parts.values())) < total[0]:
            return None
        del self.fragments[key]
        return b"".join(parts[at] for at in sorted(parts))

    def _in_icmp(self, src, dst, data, df):
        if checksum(data) != 0:
            self.bad.append("an ICMP message with a wrong checksum")
            return
        kind, code = data[0], data[1]
        if kind == 8 and dst == ip4(PEER_IP):
            self._ipv4(1, icmp(0, 0, data[4:]), df=df, dst=src)
        elif kind == 0:
            self.replies[struct.unpack(">HH", data[4:8])] = data[8:]
        elif kind in (3, 11, 12):
            self.errors.append((kind, code))

    def _in_udp(self, src, dst, data):
        sport, dport, size, csum = struct.unpack(">HHHH", data[:8])
        pseudo = src + dst + struct.pack(">BBH", 0, 17, size)
        if csum and checksum(pseudo + data[:size]) != 0:
            self.bad.append("a UDP datagram with a wrong checksum")
            return
        if dport == 67 and self.dhcp:
            self._dhcp(data[8:size])
        elif dport == 53 and dst == ip4(PEER_IP):
            answer = self._dns(data[8:size])
            self._ipv4(17, udp(dst, src, 53, sport, answer), dst=src)

    def _dhcp(self, data):
        options, at = {}, 240
        while at + 1 < len(data) and data[at] != 255:
            if data[at] == 0:
                at += 1
                continue
            options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
            at += 2 + data[at + 1]
        kind = options.get(53, b"\0")[0]
        answer = {1: 2, 3: 5}.get(kind)
        if answer is None:
            return
        mac = data[28:34]
        me = ip4(PEER_IP)
        reply = struct.pack(">BBBB4sHH4s4s4s4s16s64x128x4s", 2, 1, 6, 0,
                            data[4:8], 0, 0, b"\0" * 4, ip4(GUEST_IP), me,
                            b"\0" * 4, mac, b"\x63\x82\x53\x63")
        out = [(53, bytes([answer])), (54, me), (51, struct.pack(">I", 86400)),
               (1, ip4("255.255.255.0")), (3, me), (6, me)]
        if self.dhcp_mtu is not None:
            out.append((26, struct.pack(">H", self.dhcp_mtu)))
        for code, value in out:
            reply += bytes([code, len(value)]) + value
        reply += b"\xff"
        self._ipv4(17, udp(me, ip4(GUEST_IP), 67, 68, reply), mac=mac)
        if answer == 5:
            self.lease = True
            self.leases += 1

    @staticmethod
    def _dns(data):
        """`peer.test` has an A and an AAAA record; no other name exists."""
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += 1 + data[at]
        kind = struct.unpack(">H", data[at + 1:at + 3])[0]
        question = data[12:at + 5]
        if labels != ["peer", "test"]:
            return data[:2] + struct.pack(">HHHHH", 0x8183, 1, 0, 0, 0) + \
                question
        value = {1: ip4(PEER_IP), 28: ip6(PEER_IP6)}.get(kind)
        head = data[:2] + struct.pack(">HHHHH", 0x8180, 1,
                                      0 if value is None else 1, 0, 0)
        if value is None:
            return head + question
        return head + question + struct.pack(">HHHIH", 0xc00c, kind, 1, 60,
                                             len(value)) + value

    def _in_ipv6(self, body):
        size = 40 + struct.unpack(">H", body[4:6])[0]
        if size > len(body) or body[0] >> 4 != 6:
            self.bad.append("a short or odd IPv6 packet")
            return
        self.largest = max(self.largest, size)
        src, dst, data = body[8:24], body[24:40], body[40:size]
        proto = body[6]
        if proto != 58:
            return
        pseudo = src + dst + struct.pack(">II", len(data), 58)
        if checksum(pseudo + data) != 0:
            self.bad.append("an ICMPv6 message with a wrong checksum")
            return
        self._in_icmp6(src, dst, data)

    def _in_icmp6(self, src, dst, data):
        kind = data[0]
        if src != bytes(16):
            self.guest_ip6.add(socket.inet_ntop(socket.AF_INET6, src))
        if kind == 133 and self.ra:
            self.advertise()
        elif kind == 135:
            target = data[8:24]
            if target in (ip6(PEER_LL), ip6(PEER_IP6)) and src != bytes(16):
                self._ether(ETH_IPV6, ipv6(target, src, 58, icmp6(
                    target, src, 136, 0, struct.pack(
                        ">I16sBB6s", 0xe0000000, target, 2, 1, PEER_MAC)),
                    255))
        elif kind == 128:
            self._ether(ETH_IPV6, ipv6(dst, src, 58, icmp6(
                dst, src, 129, 0, data[4:])))
        elif kind == 129:
            self.replies[struct.unpack(">HH", data[4:8])] = data[8:]

    # What a test asks for

    def wait(self, condition, seconds=10):
        """Until condition() holds; whether it does."""
        end = time.monotonic() + seconds
        with self.cond:
            while not condition():
                left = end - time.monotonic()
                if left <= 0:
                    return False
                self.cond.wait(min(left, 0.2))
        return True

    def wait_lease(self, seconds=20):
        return self.wait(lambda: self.lease, seconds)

    def advertise(self, mtu=None):
        """A router advertisement to all nodes."""
        src, dst = ip6(PEER_LL), ip6("ff02::1")
        rest = struct.pack(">BBHII", 64, 0, 1800, 0, 0)
        rest += struct.pack(">BB6s", 1, 1, PEER_MAC)
        rest += struct.pack(">BBBBIII16s", 3, 4, 64, 0xc0, 86400, 14400, 0,
                            ip6(PREFIX6))
        if mtu is not None:
            rest += struct.pack(">BBHI", 5, 1, 0, mtu)
        self._ether(ETH_IPV6, ipv6(src, dst, 58,
                                   icmp6(src, dst, 134, 0, rest), 255),
                    bytes.fromhex("333300000001"))

    def ping(self, size, df=True, seconds=5):
        """Whether the guest answers an echo request of this size right."""
        return self._echo(size, seconds, lambda rest: self._ipv4(
            1, icmp(8, 0, rest), df=df), 28)

    def ping6(self, size, target, seconds=5):
        src = ip6(PEER_LL if target.startswith("fe80") else PEER_IP6)
        dst = ip6(target)
        return self._echo(size, seconds, lambda rest: self._ether(
            ETH_IPV6, ipv6(src, dst, 58, icmp6(src, dst, 128, 0, rest))), 48)

    def _echo(self, size, seconds, send, overhead):
        with self.cond:
            self.ident = self.ident + 1 & 0xffff
            key = (0x5056, self.ident)
        data = pattern(size - overhead)
        send(struct.pack(">HH", *key) + data)
        if not self.wait(lambda: key in self.replies, seconds):
            return False
        with self.cond:
            return self.replies.pop(key) == data

    def test_frame(self, size, dst=None):
        """A frame with `size` bytes after its header, of no protocol."""
        self._ether(ETH_TEST, pattern(size), dst)

    def flood(self, frames, size=64, seconds=10):
        """Many small UDP datagrams to a closed port; how many went out."""
        src, dst = ip4(PEER_IP), ip4(GUEST_IP)
        packet = ether(self.guest_mac, PEER_MAC, ETH_IPV4, ipv4(
            src, dst, 17, udp(src, dst, 9, 9, pattern(size - 28))))
        packet = packet.ljust(60, b"\0")
        burst = (struct.pack(">I", len(packet)) + packet) * 64
        end = time.monotonic() + seconds
        sent = 0
        while sent < frames and time.monotonic() < end:
            with self.sending:
                self.sock.sendall(burst)
            sent += 64
        return sent

    def malformed(self):
        """Frames that no decent host sends; how many."""
        me, you = ip4(PEER_IP), ip4(GUEST_IP)
        good = ipv4(me, you, 1, icmp(8, 0, pattern(60)))
        bad = [
            b"",
            good[:10],
            b"\x4f" + good[1:],
            b"\x40" + good[1:],
            b"\x45\0\xff\xff" + good[4:],
            b"\x45\0\0\x05" + good[4:],
            good[:10] + b"\0\0" + good[12:],
            ipv4(me, you, 1, icmp(8, 0, pattern(60)), offset=65528),
            ipv4(me, you, 6, b"\0" * 4),
            ipv4(me, you, 6, pattern(20)),
            ipv4(me, you, 17, b"\0\x35\0\x44\xff\xff\0\0"),
            ipv4(you, you, 1, icmp(8, 0, pattern(8))),
            ipv4(b"\xff" * 4, you, 1, icmp(8, 0, pattern(8))),
            ipv4(me, you, 2, b"\x11\0\0\0" + b"\0" * 4),
            ipv4(me, you, 1, icmp(3, 4, b"\0\0\0\x10" + good[:28])),
        ]
        for body in bad:
            self._ether(ETH_IPV4, body)
        src, dst = ip6(PEER_LL), ip6("ff02::1")
        for body in (
                b"\x60",
                ipv6(src, dst, 58, b"")[:39],
                ipv6(src, dst, 0, b"\0\xff" + b"\0" * 6),
                ipv6(src, dst, 43, b"\x3a\x02\0\x01" + b"\0" * 20),
                ipv6(src, dst, 44, b"\x3a\0\xff\xf9\0\0\0\x01" + pattern(8)),
                ipv6(src, dst, 58, icmp6(src, dst, 134, 0, b"\0" * 12 +
                                         b"\x03\x00")),
                ipv6(src, dst, 58, icmp6(src, dst, 135, 0, b"\0" * 3))):
            self._ether(ETH_IPV6, body)
        self._ether(ETH_ARP, b"\0\1\x08\0\xff\xff\0\1")
        self._ether(ETH_ARP, b"\0" * 28)
        self._ether(0x8100, b"\0\1")
        self._ether(0x0001, pattern(1400))
        for n in (14, 15, 33, 34, 54):
            self.send_raw(ether(self.guest_mac, PEER_MAC, ETH_IPV4,
                                good)[:n])
        return len(bad) + 16
