#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: serial timeout=200
"""
Checksums that are left to the device, and large frames in bulk: against this
machine's own network stack, in a network namespace of the test's, over a tap
device. Skipped where neither root nor user namespaces can have one.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
import tcphash
from paravane_qemu import Failure, Guest
from tapdev import GUEST, HOST, enter_namespace, make_tap

SIZE = 64 << 20
CSUM, GUEST_CSUM = 1 << 0, 1 << 1


def checksum_errors():
    """Of TCP, as this machine counts them."""
    with open("/proc/net/snmp", encoding="ascii") as f:
        names, values = [line.split() for line in f
                         if line.startswith("Tcp:")]
    return int(dict(zip(names, values))["InCsumErrors"])


def bulk(name, mtu, deny, has, options=""):
    netdev = make_tap(mtu)
    append = f"net={GUEST}/24,{HOST} netdeny={deny:#x}"
    with Guest(append=append, devices=[
            netdev,
            ["-device", "virtio-net-pci,netdev=n0,romfile=,host_mtu="
             f"{mtu}{options}"]]) as g:
        g.prompt()
        answer = g.command("ifconfig net0")
        for word in has:
            tap.ok(word in answer, f"{name}: {word}", answer)
        answer = g.command(f"ping -D -c 1 -s {mtu} {HOST}")
        tap.ok("1 received" in answer, f"{name}: a ping of {mtu}", answer)
        errors = checksum_errors()
        whole, rate, note = tcphash.to_guest(g, SIZE, 7, HOST)
        tap.ok(whole, f"{name}: {SIZE >> 20} MiB in, {rate} MB/s", note)
        whole, rate, note = tcphash.from_guest(g, SIZE, 8, HOST)
        tap.ok(whole, f"{name}: {SIZE >> 20} MiB out, {rate} MB/s", note)
        tap.ok(checksum_errors() == errors, f"{name}: no bad checksum left")
        answer = g.command("ifconfig net0")
        errors = re.search(r"rx .* (\d+) above mtu, (\d+) errors, "
                           r"(\d+) dropped", answer)
        tap.ok(errors and errors.groups() == ("0", "0", "0"),
               f"{name}: nothing was dropped", answer)


def main():
    enter_namespace()
    both = ("+CSUM", "+GUEST_CSUM")
    denied = ("-CSUM(denied", "-GUEST_CSUM(denied")
    for case in (("offloaded", 1500, 0, both),
                 ("by lwIP", 1500, CSUM | GUEST_CSUM, denied),
                 ("sending alone", 1500, GUEST_CSUM, (both[0], denied[1])),
                 ("receiving alone", 1500, CSUM, (denied[0], both[1])),
                 ("mtu 9000", 9000, 0, both),
                 ("mtu 65435", 65435, 0, both),
                 ("mtu 65435, one buffer", 65435, 0, both, ",mrg_rxbuf=off")):
        try:
            bulk(*case)
        except (Failure, OSError) as failure:
            tap.ok(False, case[0], str(failure))
    tap.done()


main()
