#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
The Image boots whatever console there is, says the same on all of them, and
when the kernel ends in a panic says so on all of them, too.
"""

import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import GPU, IMAGE, NET, RNG, Failure, Font, Guest, check

FONT = Font()


def shown(g, pattern, timeout=20):
    """Waits until the display shows it; returns the display's lines."""
    lines = []

    def good(*screen):
        lines[:] = FONT.read(*screen)
        return re.search(pattern, "\n".join(lines), re.M)

    try:
        g.screen_until(good, timeout)
    except Failure as e:
        raise Failure(f"{pattern!r} is not on the display, which shows:\n" +
                      "\n".join(lines).rstrip() + f"\n{e}") from e
    return lines


def boots(console, devices):
    with Guest(append='run="selftest log;echo hi there;poweroff"',
               console=console, devices=devices) as g:
        g.expect(r"^ok 1 - log_")
        g.expect(r"^hi there$")
        g.expect(r"^paravane: done$")
        return g.wait() and "QEMU's exit status"


def all_said(console, devices):
    """The first line that a late console gets is the first that was said."""
    with Guest(append='run=dmesg', console=console, devices=devices) as g:
        g.prompt()
        first = re.search(r"^\[ *\d+\.\d{6}\] (.+)$", g.text, re.M)
        if not first:
            return "dmesg printed nothing"
        if first[1] not in g.text[:first.start()]:
            return f"{first[1]!r} was not said on the console"


def typing(console):
    with Guest(console=console) as g:
        g.prompt()
        g.send("echo ax\x7fbc\x1b[D\x1b[Dd\r")
        g.expect("^adbc$")


def on_display():
    with Guest(devices=[GPU]) as g:
        g.prompt()
        g.command("echo on the display")
        lines = shown(g, "^on the display$")
        if "\ufffd" in "".join(lines):
            return "there are pixels that are no character:\n" + \
                "\n".join(lines)
        g.command("echo \u00e4\u00d6\u2502\u253c")
        shown(g, "^\u00e4\u00d6\u2502\u253c$")


def display_scrolls():
    with Guest(devices=[GPU]) as g:
        g.prompt()
        for i in range(16):
            g.command(";".join(f"echo line {i * 5 + j}" for j in range(5)))
        lines = shown(g, "^line 79\nparavane>")
        numbers = [int(x[5:]) for x in lines if re.fullmatch(r"line \d+", x)]
        if numbers != list(range(numbers[0], 80)) or len(numbers) < 20:
            return f"the lines are {numbers}"


def display_edits():
    """The prompt's line on the display is as the editor has it."""
    with Guest(devices=[GPU]) as g:
        g.prompt()
        g.send("echo abcdef\x1b[D\x1b[D\x7f\x7fXY\x01")
        shown(g, "^paravane> echo abXYef$")
        g.send("\x0b")
        shown(g, "^paravane>$")


def colours():
    with Guest(devices=[GPU]) as g:
        g.prompt()
        if b"\x1b[1mParavane\x1b[m" not in g.data:
            return "the banner is not bold"
        lines = shown(g, "^Paravane on")
        width, height, rgb = g.screen()
        top = next(i for i, line in enumerate(lines)
                   if line.startswith("Paravane on")) * FONT.height
        rows = rgb[top * width * 3:(top + FONT.height) * width * 3]
        points = {rows[i:i + 3] for i in range(0, len(rows), 3)}
        if points != {b"\0\0\0", b"\xaa\xaa\xaa", b"\xff\xff\xff"}:
            return f"its colours are {points}"
    with Guest(append="run=poweroff") as g:
        g.wait()
        if b"\x1b" in g.data:
            return "there are escape sequences in a test run"


def debug_shows_more():
    """What only the log has is on the console if asked for."""
    with Guest(append='run="dmesg;poweroff"') as g:
        g.wait()
        said, _, logged = g.text.partition("\n[")
        if "pci 0000:" in said or "pci 0000:" not in logged:
            return "without `debug':\n" + g.text
    with Guest(append='debug run="poweroff"') as g:
        g.wait()
        if not re.search("^pci 0000:", g.text, re.M):
            return "with `debug':\n" + g.text


def beside_a_ram_disk():
    """Some loaders insist on one: its memory is as good as any."""
    with Guest(append="run=poweroff", memory="64M",
               args=["-initrd", IMAGE]) as g:
        if g.wait() != 0 or "paravane: done" not in g.text:
            return g.text


def test_picture():
    with Guest(devices=[GPU]) as g:
        g.prompt()
        g.command("fb test 20", wait=False)

        def good(width, height, rgb):
            return rgb[:6] == b"\xff" * 6 and \
                rgb[(height // 2 * width + width // 16) * 3:][:3] == \
                b"\xff\xff\xff"

        width, height, rgb = g.screen_until(good)
        bars = [(255, 255, 255), (255, 255, 0), (0, 255, 255), (0, 255, 0),
                (255, 0, 255), (255, 0, 0), (0, 0, 255), (0, 0, 0)]
        want = bytearray()
        for y in range(height):
            for x in range(width):
                if x in (0, width - 1) or y in (0, height - 1):
                    want += bytes((255, 255, 255))
                elif y < height // 4 * 3:
                    want += bytes(bars[x * 8 // width])
                else:
                    want += bytes((x * 256 // width,) * 3)
        if bytes(want) != rgb:
            bad = sum(want[i:i + 3] != rgb[i:i + 3]
                      for i in range(0, len(rgb), 3))
            return f"{bad} pixels of {width}x{height} differ"
        g.send("\x03")
        shown(g, "paravane>")


def panics(kind, console, pattern, function=None):
    function = function or "crash_" + kind
    with Guest(append='test', console=console, devices=[GPU, NET],
               args=["-no-shutdown"]) as g:
        g.prompt()
        g.command("crash " + kind, wait=False)
        g.expect(r"^Bail out! .*" + pattern)
        g.expect(r"^ *#\d+ .*shell_main")
        g.expect(r"^paravane: failed$")
        lines = "\n".join(shown(g, "^paravane: failed$"))
        if "Bail out! " not in lines or function not in lines:
            return "the display shows only:\n" + lines


def panic_on_another_cpu():
    with Guest(append="test", smp=2) as g:
        g.prompt()
        g.command("crash other", wait=False)
        g.expect(r"^Bail out! panic: data abort in (crash_read|read_there)")
        g.expect(r", cpu 1$")
        g.expect(r"^ *#\d+ .*cpu_secondary")
        g.expect(r"^paravane: failed$")
        if g.wait() != 0:
            return "the machine is not turned off"


def panic_ends_the_run():
    with Guest(append='run="crash;echo never"') as g:
        g.expect(r"^Bail out! panic: as you wished$")
        g.expect(r"^paravane: failed$")
        status = g.wait()
        if status != 0:
            return f"QEMU's status is {status}"
        if "never" in g.text.partition("Bail out!")[2]:
            return "the run went on"


def panic_on_all_consoles():
    with Guest(append='test', console="pl011", devices=[
            GPU, ["-device", "virtio-serial-pci,max_ports=1",
                  "-chardev", "file,id=v,path=/dev/stderr",
                  "-device", "virtconsole,chardev=v"]]) as g:
        # Both write to one place, in any order.
        g.expect("paravane> ")
        g.expect("paravane> ")
        g.send("crash\r")
        g.wait()
        count = g.text.count("Bail out! panic: as you wished")
        if count != 2:
            return f"it was said {count} times on two serial consoles"


VIRTIO = ["-device", "virtio-serial-pci,max_ports=1", "-device",
          "virtconsole,chardev=null0", "-chardev", "null,id=null0"]

for console in "pl011", "virtio", "virtio-mmio":
    check(f"boots with {console} alone", boots, console, [])
    check(f"boots with {console} and all devices", boots, console,
          [GPU, NET, RNG] + ([VIRTIO] if console == "pl011" else []))
    check(f"{console} misses nothing that was said", all_said, console, [])
    check(f"the editor on {console}", typing, console)
check("text on the display", on_display)
check("the display scrolls", display_scrolls)
check("the editor on the display", display_edits)
check("colours, but not in a test run", colours)
check("more messages with `debug'", debug_shows_more)
check("with an initial RAM disk, which it leaves alone", beside_a_ram_disk)
check("the test picture, pixel by pixel", test_picture)
check("a panic ends the run with an error", panic_ends_the_run)
check("a panic is said on all consoles", panic_on_all_consoles)
for kind, pattern, function in [
        ("panic", "as you wished", None), ("read", "data abort", None),
        ("write", "data abort", None),
        ("jump", "instruction abort", "cmd_crash"),
        ("undefined", "undefined instruction", None),
        ("stack", "stack overflow", None)]:
    check(f"a panic by `{kind}', registers and backtrace on the display",
          panics, kind, "pl011", pattern, function)
check("a panic on another processor", panic_on_another_cpu)
check("a panic with the virtio console alone", panics, "panic", "virtio",
      "as you wished")
tap.done()
