#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=180
"""
Several consoles at once: each shows all and can be typed at, `console=` picks
one, and no input, however much and however odd, brings the shell down. (A
console that takes nothing: test/unit/test_consoles.c. QEMU's takes all.)
"""

import os
import random
import re
import socket
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import GPU, NET, PROMPT, Failure, Font, Guest, check


class Second:
    """A virtio console on a socket, beside the one that Guest drives."""

    def __init__(self):
        self.tmp = tempfile.TemporaryDirectory(prefix="paravane-")
        self.path = os.path.join(self.tmp.name, "console")
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(1)
        self.words = ["-chardev", f"socket,id=second,path={self.path}",
                      "-device", "virtio-serial-pci,max_ports=1",
                      "-device", "virtconsole,chardev=second"]
        self.text = ""

    def accept(self):
        self.server.settimeout(20)
        self.sock = self.server.accept()[0]
        self.sock.settimeout(0.2)

    def expect(self, pattern, timeout=20):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                self.text += self.sock.recv(65536).decode(
                    "utf-8", "replace").replace("\r", "")
            except TimeoutError:
                pass
            match = re.search(pattern, self.text, re.M)
            if match:
                return match
        raise Failure(f"{pattern!r} did not come on the second console:\n" +
                      self.text[-1000:])

    def close(self):
        self.sock.close()
        self.server.close()
        self.tmp.cleanup()


def both_show_all_and_hear():
    second = Second()
    with Guest(append="test", devices=[second.words]) as g:
        second.accept()
        g.prompt()
        g.command("echo typed at the first")
        second.expect("^typed at the first$")
        second.sock.sendall(b"echo typed at the second\r")
        second.expect("^typed at the second$")
        g.expect("^typed at the second$")
        g.expect("^" + re.escape(PROMPT))
        # Half a line from each.
        g.send("echo ha")
        g.expect("echo ha")
        second.sock.sendall(b"lf\r")
        g.expect("^half$")
        second.sock.sendall(b"sleep 60000\r")
        g.expect("sleep 60000\n")
        second.sock.sendall(b"\x03")
        g.expect("^" + re.escape(PROMPT))
        g.command("poweroff", wait=False)
        g.expect("^paravane: done$")
        second.expect("^paravane: done$")
        g.wait()
        if g.text.strip() != second.text.strip():
            return f"they differ:\n{g.text}\n--- and:\n{second.text}"
    second.close()


def picked(which, want):
    second = Second()
    console = "virtio" if which == "virtio" else "pl011"
    with Guest(append=f"console={which}", console=console,
               devices=[GPU] + ([second.words] if which != "virtio"
                                else [])) as g:
        g.prompt()
        names = sorted(re.findall(r"^(\w+): \d+ bytes lost", g.command(
            "consoles"), re.M))
        if names != want:
            return f"the consoles are {names}"
        width, height, rgb = g.screen()
        if ("fb" not in names) != (not any(rgb)):
            return "the display is not as it should be"


def more_than_there_is_room_for():
    words = []
    for i in range(6):
        words += ["-chardev", f"null,id=c{i}",
                  "-device", f"virtio-serial-pci,max_ports=1,id=s{i}",
                  "-device", f"virtconsole,chardev=c{i},bus=s{i}.0"]
    with Guest(devices=[words]) as g:
        g.prompt()
        out = g.command("consoles")
        if out.count("virtio: 0 bytes lost") != 4:
            return out


def pasted_text_arrives_whole():
    """A long script, of which the first command takes its time."""
    with Guest() as g:
        g.prompt()
        lines = ["sleep 2000"] + [f"echo pasted {i}" for i in range(400)]
        g.send("\r".join(lines) + "\r")
        for i in range(400):
            g.expect(f"^pasted {i}$")


def typed_before_the_prompt():
    """
    What is piped in while the machine starts is commands, all of them. (At
    each moment of the PL011's attachment: test/unit/test_pl011.c.)
    """
    with Guest() as g:
        lines = [f"echo early {i}" for i in range(20)]
        g.send("\r".join(lines) + "\r")
        for i in range(20):
            g.expect(f"^early {i}$", 60)


def garbage_input():
    rng = random.Random(20260101)
    with Guest(append="test") as g:
        g.prompt()
        for i in range(100):
            # No Enter, so that nothing is run.
            g.send(bytes(c for c in rng.randbytes(500) if c not in b"\r\n"))
            time.sleep(0.01)
        g.send("\x03\x03")
        time.sleep(0.5)
        g.send("echo still here\r")
        g.expect("^still here$")


def message_beside_the_editor():
    with Guest(append="net=off test", devices=[NET]) as g:
        g.prompt()
        g.send("echo ab")
        g.expect("echo ab")
        g.qmp("set_link", name="n0", up=False)
        g.expect(r"^(net0: .*\n)+" + re.escape(PROMPT) + "echo ab")
        g.send("c\r")
        g.expect("^abc$")


def display_after_all():
    """A console of another kind does not keep the display from its text."""
    with Guest(devices=[GPU]) as g:
        g.prompt()
        out = g.command("consoles")
        names = re.findall(r"^(\w+):", out, re.M)
        if sorted(names) != ["fb", "pl011"]:
            return out
        g.command("help")
        g.screen_until(lambda *s: any("poweroff" in line
                                      for line in Font().read(*s)))


check("two consoles show the same and hear both", both_show_all_and_hear)
for which, want in [("pl011", ["pl011"]), ("virtio", ["virtio"]),
                    ("ttyAMA0", ["fb", "pl011", "virtio"])]:
    check(f"console={which}", picked, which, want)
check("more consoles than there is room for", more_than_there_is_room_for)
check("text that is pasted", pasted_text_arrives_whole)
check("text that is typed before there is a prompt", typed_before_the_prompt)
check("garbage that is typed", garbage_input)
check("a message while a line is typed", message_beside_the_editor)
check("display and serial console", display_after_all)
tap.done()
