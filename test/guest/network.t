#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: serial timeout=400
"""
A network that works: DHCP, names, both IPs, bulk data hashed at both ends,
iperf, the page; and what goes wrong on a network: links that come and go,
floods, and frames that no decent host sends.
"""

import os
import re
import shutil
import socket
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import tcphash
from paravane_qemu import GPU, RNG, Failure, Guest
from peer import Peer

PCI = ("pci", [], "virtio-net-pci,id=nic,netdev=n0,romfile=")
MMIO = ("mmio", ["-global", "virtio-mmio.force-legacy=false"],
        "virtio-net-device,id=nic,netdev=n0")
LEGACY = ("legacy mmio, header of 10 bytes", [],
          "virtio-net-device,id=nic,netdev=n0,mrg_rxbuf=off")
BULK = 256 << 20
AS_SEEN = "10.0.2.2", "127.0.0.1"      # from the guest, from here


def check(guest, good, what, *notes):
    text = [] if good else guest.text.splitlines()[-30:]
    return tap.ok(good, what, *notes, *text)


def says(guest, command, pattern, what, timeout=None):
    answer = guest.command(command, timeout)
    return check(guest, re.search(pattern, answer), what,
                 f"`{command}` said:", answer, f"not: {pattern}")


def on_the_peer(kind):
    """All that needs an Ethernet host of our own."""
    name, args, device = kind
    with Peer() as peer, Guest(devices=[peer.netdev("n0"), [
            "-device", device]], args=args) as g:
        g.prompt()
        check(g, peer.wait_lease(), f"{name}: DHCP gives an address")
        g.until("ifconfig", lambda out: "inet " in out)
        says(g, "ifconfig", r"inet 10\.0\.2\.15/24 gateway 10\.0\.2\.2 "
             r"\(dhcp\)", f"{name}: which the interface has")
        names(g, name)
        ipv6(g, peer, name)
        fragments(g, peer, name)
        malformed(g, peer, name)
        flood(g, peer, name)
        link(g, peer, name)
        check(g, not peer.bad, f"{name}: all that left was well formed",
              *peer.bad[:5])
        check(g, peer.largest <= 1500, f"{name}: and not above the MTU")


def names(g, name):
    says(g, "nslookup peer.test", r"peer\.test has address 10\.0\.2\.2",
         f"{name}: a name is found")
    says(g, "nslookup -6 peer.test", r"has address fec0::2",
         f"{name}: for IPv6 too")
    says(g, "nslookup nobody.test", "no such name",
         f"{name}: one that is none is not")
    says(g, "ping -c 1 peer.test", "1 received",
         f"{name}: a name can be pinged")


def ipv6(g, peer, name):
    for _ in range(12):
        answer = g.command("ifconfig")
        if "inet6 fec0" in answer and "tentative" not in answer:
            break
        g.command("sleep 500")
    own = re.findall(r"inet6 (\S+)$", answer, re.M)
    check(g, any(a.startswith("fec0::") for a in own),
          f"{name}: the router's prefix makes an IPv6 address", answer)
    says(g, "ping -6 -c 1 fec0::2", "1 received",
         f"{name}: the guest's IPv6 ping")
    says(g, "ping -6 -D -c 1 -s 1500 fec0::2", "1 received",
         f"{name}: and one of 1500 bytes")
    says(g, "ping -6 -D -c 1 -s 1501 fec0::2", "message too long",
         f"{name}: not of 1501")
    for address in own:
        check(g, peer.ping6(1500, address),
              f"{name}: the peer's IPv6 ping to {address}")


def fragments(g, peer, name):
    peer.mtu = 1500
    says(g, "ping -c 1 -s 20000 10.0.2.2", "1 received",
         f"{name}: a packet of 20000 bytes in pieces, both ways")
    check(g, peer.ping(20000, df=False), f"{name}: and from the peer")
    peer.mtu = 65535


def malformed(g, peer, name):
    for _ in range(3):
        peer.malformed()
    check(g, peer.ping(1000), f"{name}: odd frames do no harm")


def flood(g, peer, name):
    sent = peer.flood(100000, seconds=4)
    # They all come before the ping, and each is answered.
    check(g, any(peer.ping(1000, seconds=5) for _ in range(8)),
          f"{name}: nor do {sent} frames in a burst")
    answer = g.command("ifconfig;sockets")
    check(g, " 0 errors" in answer and "running" in answer,
          f"{name}: without an error of the driver's", answer)


def link(g, peer, name):
    g.qmp("set_link", name="nic", up=False)
    g.expect("net0: link down")
    says(g, "ifconfig net0", "no link", f"{name}: the link goes down")
    leases = peer.leases
    g.qmp("set_link", name="nic", up=True)
    g.expect("net0: link up")
    check(g, peer.wait(lambda: peer.leases > leases),
          f"{name}: and up, and the lease is asked for again")
    says(g, "ping -c 1 10.0.2.2", "1 received", f"{name}: and all is well")
    for _ in range(20):
        g.qmp("set_link", name="nic", up=False)
        g.qmp("set_link", name="nic", up=True)
    g.command("sleep 300")
    g.until("ifconfig net0", lambda out: "up running mtu" in out)
    says(g, "ifconfig net0", "up running mtu",
         f"{name}: twenty times in a row, too")
    says(g, "ping -c 1 10.0.2.2", "1 received", f"{name}: it still works")


def has_address(g):
    g.until("ifconfig", lambda out: "inet 10.0.2.15/24" in out)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def on_the_host(kind, size, extras=False):
    """Through QEMU's own network, to sockets of this machine."""
    name, args, device = kind
    ports = {guest: free_port() for guest in (80, 5001)}
    forward = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}"
                      for guest, host in ports.items())
    with Guest(devices=[["-netdev", "user,id=n0" + forward],
                        ["-device", device]] +
               ([GPU, RNG] if extras else []), args=args, limit=300) as g:
        g.prompt()
        has_address(g)
        bulk_in(g, name, size)
        bulk_out(g, name, size)
        if extras:
            broken_off(g, name)
            page(g, name, ports[80])
            held(g, name, ports[80])
            iperf(g, name, ports[5001])
        says(g, "sockets", r" 0 requests failed",
             f"{name}: memory was never short")


def bulk_in(g, name, size):
    whole, rate, note = tcphash.to_guest(g, size, 42, *AS_SEEN)
    check(g, whole, f"{name}: {size >> 20} MiB into the guest", note)
    tap.diag(f"{rate} MB/s into the guest")


def bulk_out(g, name, size):
    whole, rate, note = tcphash.from_guest(g, size, 43, *AS_SEEN)
    check(g, whole, f"{name}: {size >> 20} MiB out of the guest", note)
    tap.diag(f"{rate} MB/s out of the guest")


def broken_off(g, name):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.settimeout(30)
        g.send(f"tcphash recv {listener.getsockname()[1]} 10.0.2.2\r")
        with listener.accept()[0] as sock:
            sock.settimeout(60)
            sock.sendall(tcphash.block(1))
            g.send("\x03")
            g.expect("tcphash: .* after ")
    g.expect("^paravane> ")
    says(g, "ping -c 1 10.0.2.2", "1 received",
         f"{name}: a transfer can be broken off")


def page(g, name, port):
    got = subprocess.run(["curl", "-sS", "-m", "20", "-i",
                          f"http://127.0.0.1:{port}/"],
                         capture_output=True, text=True, check=False)
    text = got.stdout
    check(g, got.returncode == 0 and " 200 OK" in text.splitlines()[0],
          f"{name}: the page is fetched", got.stderr, text[:300])
    for what in ("10.0.2.15/24", "+MAC", "MSI-X", "net0", "gpu0"):
        check(g, what in text, f"{name}: it tells of {what}")
    check(g, text.rstrip().endswith("</html>") and text.count("<pre>") ==
          text.count("</pre>"), f"{name}: and is whole", text[-200:])
    check(g, "no such command" not in text, f"{name}: no part is missing",
          *re.findall(".*no such command.*", text))
    got = subprocess.run(["curl", "-sS", "-m", "20",
                          f"http://127.0.0.1:{port}/report"],
                         capture_output=True, text=True, check=False)
    check(g, got.stdout.startswith("paravane report 1\n")
          and got.stdout.endswith("\n== end\n"),
          f"{name}: the record is fetched, whole", got.stdout[-200:])
    got = subprocess.run(["curl", "-sS", "-m", "20", "-o", "/dev/null", "-w",
                          "%{http_code}", f"http://127.0.0.1:{port}/poweroff"],
                         capture_output=True, text=True, check=False)
    check(g, got.stdout == "404", f"{name}: other names are not found",
          got.stdout)


def held(g, name, port):
    """
    Devices are held by who measures one: a page tells that, and does not keep
    the stack's thread from all others meanwhile.
    """
    g.send("fbbench 1000 1\r")
    body = ""
    while body != "busy\n" and "lines" not in g.text.rpartition("fbbench")[2]:
        got = subprocess.run(["curl", "-sS", "-m", "20",
                              f"http://127.0.0.1:{port}/pci"],
                             capture_output=True, text=True, check=False)
        body = got.stdout
    check(g, body == "busy\n", f"{name}: a page does not wait", got.stderr, body)
    g.expect("^paravane> ")


def iperf(g, name, port):
    if shutil.which("iperf") is None:
        tap.ok(True, f"{name}: iperf # SKIP iperf is not installed")
        return
    got = subprocess.run(["iperf", "-c", "127.0.0.1", "-p", str(port), "-t",
                          "5", "-f", "m"], capture_output=True, text=True,
                         timeout=60, check=False)
    rate = re.search(r"([\d.]+) Mbits/sec", got.stdout)
    check(g, got.returncode == 0 and rate, f"{name}: iperf has a figure",
          got.stdout, got.stderr)
    told = g.expect(r"iperf: \S+ (\d+) bytes in (\d+) ms, (\d+) kbit/s\s")
    check(g, int(told[1]) > 0, f"{name}: and so has the guest")
    tap.diag(f"iperf: {rate[1] if rate else '?'} Mbit/s; the guest says "
             f"{int(told[3]) / 1000:.0f}")


def main():
    run = [(on_the_peer, PCI), (on_the_peer, LEGACY),
           (on_the_host, PCI, BULK, True), (on_the_host, MMIO, 32 << 20),
           (on_the_host, LEGACY, 32 << 20)]
    if os.environ.get("PARAVANE_LONG"):
        run += [(on_the_peer, MMIO), (on_the_host, MMIO, BULK),
                (on_the_host, LEGACY, BULK)]
    only = sys.argv[1:]
    for function, *args in run:
        if only and function.__name__ not in only:
            continue
        try:
            function(*args)
        except (Failure, OSError, subprocess.SubprocessError) as failure:
            tap.ok(False, f"{function.__name__} {args}", str(failure))
    tap.done()


main()
