#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
A USB keyboard and pointer behind xHCI: what is typed by QEMU's monitor arrives in
the shell, by each kind of interrupt; devices and controllers come and go.
"""

import os
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from keyboard import event, listed, press, type_line
from paravane_qemu import Guest, check

CPU = "cortex-a72"
GICV2 = "virt,gic-version=2"
GICV3 = "virt,gic-version=3"
KEYBOARD = ["-device", "usb-kbd,id=k,bus=u.0"]
TABLET = ["-device", "usb-tablet,id=t,bus=u.0"]


def leave(g):
    g.command("poweroff", wait=False)
    return g.wait() and "QEMU's exit status"


def typed(controller, machine, words, how, keyboard=KEYBOARD):
    with Guest(append=words, machine=machine, cpu=CPU,
               devices=[["-device", f"{controller},id=u"], keyboard,
                        TABLET]) as g:
        g.prompt()
        text = listed(g, how, "keyboard", "pointer")
        if " 0 strange" not in text:
            return text
        type_line(g, "echo the quick brown fox jumps over a lazy dog")
        type_line(g, "echo THE QUICK BROWN FOX JUMPS OVER A LAZY DOG")
        type_line(g, "echo 0123456789-=[],./`")
        type_line(g, "echo !@#$%^*()_+{}:<>?~")
        press(g, "caps_lock")
        for name in "abc1":
            press(g, name)
        g.expect("ABC1")
        press(g, "caps_lock")
        for _ in range(4):
            press(g, "backspace")
        press(g, "ctrl", "c")
        g.prompt()                      # fourteen events: all are taken
        type_line(g, "echo caps are off")
        # The history by arrow, and Ctrl-C.
        press(g, "up")
        g.expect("echo caps are off")
        press(g, "ctrl", "c")
        g.prompt()
        g.send("sleep 100\r")
        g.expect("sleep 100\n")
        time.sleep(0.5)
        press(g, "ctrl", "c")
        g.prompt()
        # Held down, it comes again and again, until it is let go.
        event(g, "x", True)
        g.expect("xxxxxxxxxx")
        event(g, "x", False)
        time.sleep(0.5)
        press(g, "ctrl", "c")
        g.prompt()
        for x, y in ((0, 32767), (16384, 8192)):
            g.qmp("input-send-event", events=[
                {"type": "abs", "data": {"axis": "x", "value": x}},
                {"type": "abs", "data": {"axis": "y", "value": y}},
                {"type": "btn", "data": {"down": x > 0, "button": "left"}}])
            listed(g, f"at {x} of 32767, {y} of 32767, "
                   f"buttons {1 if x else 0}")
        return leave(g)


def free_pages(g):
    return int(re.search(r"pages +\d+, (\d+) free", g.command("mem"))[1])


def gone(g):
    """
    Until both ports are found empty, and no key is held any more. (What is said
    of each is limited.)
    """
    def empty(out):
        g.send("\x03")
        return " ports, " in out and not re.search("keyboard|pointer", out)

    g.send("\x03")
    g.until("usb", empty)
    g.command("echo no key is held")


def plugged(rounds):
    """Keyboards go and come; the last one is as good as the first."""
    with Guest(machine=GICV3, cpu=CPU,
               devices=[["-device", "qemu-xhci,id=u"]]) as g:
        g.prompt()
        free = []
        for turn in range(rounds):
            for name, driver in (("k", "usb-kbd"), ("t", "usb-tablet")):
                g.qmp("device_add", driver=driver, id=name, bus="u.0")
            listed(g, "keyboard", "pointer")
            if turn % 3 == 0:
                type_line(g, f"echo round {turn}")
            else:
                # It goes with a key held, which ends then.
                event(g, "y", True)
                g.expect("yyy")
            for name in ("k", "t"):
                g.qmp("device_del", id=name)
            gone(g)
            free.append(free_pages(g))
        if len(set(free[1:])) != 1:
            return f"free pages: {free}"
        return leave(g)


def controllers():
    """Whole controllers are plugged, taken out, and torn out."""
    with Guest(machine=GICV3, cpu=CPU, wait_s=60, devices=[
            ["-device", f"pcie-root-port,id=rp{i},chassis={i + 1},"
             f"addr={8 + i}"] for i in range(2)]) as g:
        g.prompt()
        for how in ("off", "cut"):
            for i in range(2):
                g.qmp("device_add", driver="nec-usb-xhci" if i else
                      "qemu-xhci", id=f"u{i}", bus=f"rp{i}")
                g.qmp("device_add", driver="usb-kbd", id=f"k{i}",
                      bus=f"u{i}.0")
            listed(g, "xhci.*pci", "keyboard", "xhci.*pci", "keyboard")
            type_line(g, "echo here")
            for i in range(2):
                g.command(f"slot 0000:00:{8 + i:02x}.0 {how}")
            g.unplugged("u0", "u1")
            listed(g, "no USB controller")
        return leave(g)


def others():
    """What is no keyboard and no absolute pointer does no harm."""
    more = [["-device", f"{driver},bus=u.0"] for driver in
            ("usb-hub", "usb-mouse", "usb-serial,chardev=s",
             "usb-wacom-tablet")] + [["-chardev", "null,id=s"]]
    with Guest(machine=GICV3, cpu=CPU,
               devices=[["-device", "qemu-xhci,id=u,p2=8"]] + more +
               [KEYBOARD]) as g:
        g.prompt()
        text = listed(g, "keyboard")
        if text.count("no driver") < 3:
            return text
        type_line(g, "echo beside others")
        return leave(g)


def unattended():
    """What `run=` asks for begins when USB was looked at: not before, nor
    only when the longest wait for late devices is over."""
    with Guest(append='run="usb;poweroff"', machine=GICV3, cpu=CPU,
               devices=[["-device", "qemu-xhci,id=u"], KEYBOARD,
                        TABLET]) as g:
        bad = g.wait() and "QEMU's exit status"
        for name in ("keyboard", "pointer"):
            if not re.search(f"port .* {name}, ", g.text):
                bad = g.text
        return g.text if "still come" in g.text else bad


check("commands that a start brings along", unattended)
check("qemu-xhci, MSI-X", typed, "qemu-xhci", GICV3, "", "MSI-X")
check("nec-usb-xhci, INTx", typed, "nec-usb-xhci", GICV2, "msi=off", "INTx")
check("qemu-xhci, polled, not coherent, a keyboard of full speed", typed,
      "qemu-xhci", GICV2, "msi=off intx=off dma=noncoherent", "polling",
      ["-device", "usb-kbd,id=k,bus=u.0,usb_version=1"])
# Four times two that come and go are sixteen lines: more are not all said.
check("devices come and go", plugged, 4)
check("controllers come and go", controllers)
check("other devices", others)
tap.done()
