#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=240
"""
The shell: line editing, history, help, every command's bad input, Ctrl-C,
messages while a line is being typed, and how a run ends.
"""

import os
import random
import re
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap
from paravane_qemu import GPU, NET, RNG, PROMPT, Failure, Guest, check


def typed(g, keys, want):
    """What is printed after keys that must make the line `echo ...`."""
    g.send(keys + (b"\r" if isinstance(keys, bytes) else "\r"))
    g.expect("^" + re.escape(want) + "$")
    g.expect("^" + re.escape(PROMPT))


def editing(g):
    left, right, up, down = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
    for name, keys, want in [
            ("backspace", "echo abx\x7fc", "abc"),
            ("arrows insert in the middle", "echo ac" + left + "b", "abc"),
            ("Ctrl-A and Ctrl-E", "cho b\x01e\x05c", "bc"),
            ("Home, End, Delete", "xecho q\x1b[H\x1b[3~\x1b[Fr", "qr"),
            ("Ctrl-U", "rubbish\x15echo u", "u"),
            ("Ctrl-W", "echo one two\x17three", "one three"),
            ("Ctrl-K", "echo kz" + left + "\x0b", "k"),
            ("right after left", "echo ab" + left + right + "c", "abc"),
            ("Ctrl-L keeps the line", "echo l\x0cm", "lm"),
            ("UTF-8", "echo \u00e4\u20acx" + left + "\x7f", "\u00e4x"),
            ("the last line again", up, "\u00e4x"),
            ("two back", "echo new" + up + up, "lm"),
            ("back and forth", "echo kept" + up + up + down + down, "kept"),
            ("a newline for Enter", "echo nl\n", "nl"),
            ("quotes", "echo 'a  b' \"c;d\"", "a  b c;d"),
            ("a comment", "echo a # b", "a"),
            ("three commands", "echo 1;echo 2 ; echo 3", "3"),
            ("blank lines", "\r  \r;;\recho e", "e"),
            ("garbage keys", b"\x1b[99~\x00\x1b[Zecho g\xff\x07", "g")]:
        check("editing: " + name, typed, g, keys, want)

    def interrupt():
        g.send("echo never\x03")
        g.expect(r"\^C\n" + re.escape(PROMPT))
        if re.search("^never", g.text, re.M):
            return "the line was run"

    check("editing: Ctrl-C gives the line up", interrupt)

    def long_line():
        word = "".join(chr(ord("a") + i % 26) for i in range(240))
        g.send("echo " + word + "\r")
        g.expect("^" + word + "$")
        g.expect("^" + re.escape(PROMPT))

    check("editing: a line longer than the screen", long_line)


def says(g, line, pattern):
    out = g.command(line)
    if not re.search(pattern, out, re.M):
        return f"`{line}' printed:\n{out}"
    return None


def ticks(g):
    """The first comes when something is first waited for."""
    for _ in range(50):
        bad = says(g, "cpus", r"^cpu0: mpidr \w+, [1-9]\d* timer ticks")
        if bad is None:
            break
        time.sleep(0.1)
    return bad


def commands(g):
    names = re.findall(r"^  (\S+) +\S", g.command("help"), re.M)
    for name in ["help", "dmesg", "devices", "fb", "selftest", "reboot",
                 "poweroff", "uptime", "mem", "intr", "cpus", "echo",
                 "history"]:
        tap.ok(name in names, f"help lists {name}")

    tap.equal(names, sorted(names), "help is sorted")
    for name in names:
        check(f"help {name}", says, g, "help " + name, f"^usage: {name}")
    check("history lists what was typed", says, g, "history", "^help mem$")
    check("dmesg has times", says, g, "dmesg",
          r"^\[ *\d+\.\d{6}\] .*Paravane")
    check("uptime", says, g, "uptime", r"^up \d+\.\d{3} s")
    check("mem", says, g, "mem", r"^\d+ KiB, \d+ KiB of it free")
    check("intr", says, g, "intr", r"cpu0 +\d+  pl011")
    check("cpus", ticks, g)
    check("threads", says, g, "threads", r"^shell ")
    check("consoles", says, g, "consoles", r"^pl011: 0 bytes lost$")
    check("devices", says, g, "devices", r"^net0: (.|\n)* offered +\w{16} ")
    check("devices net0", says, g, "devices net0",
          r" accepted .* (MAC|MTU)\b(.|\n)* queue 0 ")
    check("devices tells why", says, g, "devices net0",
          r" dropped .*-\w+\(\w+[^)]*\)")
    check("fb", says, g, "fb", r"^\d+ x \d+ B8G8R8X8, .*generation 1")
    check("fb segments", says, g, "fb segments", r"^ +0: \w+ \+ \d+$")
    check("selftest", says, g, "selftest log", r"^1\.\.2\nok 1 - log_")

    for line, pattern in [
            ("nonsense", "^nonsense: no such command"),
            ("help nonsense", "there is no command `nonsense'"),
            ("help a b", "^usage: help"),
            ("devices nonsense", "there is no `nonsense'"),
            ("devices a b", "^usage: devices"),
            ("dmesg x", "^usage: dmesg"),
            ("fb nonsense", "^usage: fb"),
            ("fb test x", "`x' is not a number"),
            ("fb test -1", "`-1' is not a number"),
            ("fbdemo x", "^usage: fbdemo"),
            ("fbdemo 1 1 1", "^usage: fbdemo"),
            ("ifconfig -h", "^usage: ifconfig"),
            ("diskbench disk0 foo rand", "^usage: diskbench"),
            ("diskbench disk0 read foo", "^usage: diskbench"),
            ("fb test 99999999999999999999", "is not"),
            ("fb test 3601", "is not from 0 to 3600"),
            ("selftest nonsense", "no test begins with `nonsense'"),
            ("selftest a b", "^usage: selftest"),
            ("sleep", "^usage: sleep"),
            ("sleep ''", "`' is not a number"),
            ("sleep 0x", "`0x' is not a number"),
            ("crash nonsense", "^usage: crash"),
            ("echo 'x", "a quote has no end"),
            ("echo " + " ".join("a" * 32), "too many words")] + [
            (name + " x", f"^usage: {name}") for name in (
                "uptime", "mem", "intr", "cpus", "threads", "consoles",
                "history", "poweroff", "reboot")]:
        check(f"bad input: {line[:40]}", says, g, line, pattern)


def interrupts(g):
    def ctrl_c():
        g.send("sleep 60000\r")
        g.expect("sleep 60000\n")
        g.send("\x03")
        g.expect("^" + re.escape(PROMPT))

    check("Ctrl-C ends a command", ctrl_c)

    def list_ends():
        g.send("sleep 60000;echo after\r")
        g.expect("echo after\n")
        g.send("\x03")
        g.expect("^" + re.escape(PROMPT))
        g.command("echo done")
        if re.search("^after", g.text, re.M):
            return "the command behind it was run"

    check("Ctrl-C ends the list", list_ends)

    def type_ahead():
        g.send("sleep 300\recho ahead\r")
        g.expect("^ahead$")
        g.expect("^" + re.escape(PROMPT))

    check("what is typed ahead is not lost", type_ahead)


WORDS = ["x", "-1", "0", "1", "99999999999999999999", "0x", "-", "--", "-c",
         "-s", "-6", "-D", "-c-1", "%s%n%p", "a" * 60, "\u00e4", "''", "net0",
         "net9", "gpu0", "mtu", "up", "dhcp", "127.0.0.1", "::1", "1.2.3.4/33",
         "256.1.1.1", "1.2.3", "/24", "recv", "send", "65536", "hello",
         "hostile", "segments", "test", "list", "#", "=", "*"]


def nonsense(g, names, count):
    """Commands with arguments that make no sense: an answer, and a prompt."""
    rng = random.Random(20260102)
    names = [n for n in names if n not in ("poweroff", "reboot", "crash")]
    for _ in range(count):
        line = " ".join([rng.choice(names)] + rng.choices(
            WORDS, k=rng.choice([1, 1, 2, 2, 3, 4])))[:60]
        g.send(line + "\r")
        try:
            g.expect("^" + re.escape(PROMPT), 1)
        except Failure:
            g.send("\x03")         # some wait for something
            try:
                g.expect("^" + re.escape(PROMPT), 10)
            except Failure as e:
                return f"after `{line}': {e}"
    # What was set is set to something that works again.
    return says(g, "echo still here", "^still here$")


def ending():
    def run(append, want, devices=()):
        with Guest(append=append, devices=devices) as g:
            g.expect(want)
            status = g.wait()
            if status != 0:
                return f"QEMU's status is {status}"

    check("a run that ends well", run, 'run="echo hello;poweroff"',
          r"^hello\n(.*\n)*paravane: done$")
    check("a command that fails is told at the end", run,
          'run="nonsense;echo on;poweroff"',
          r"^on\n(.*\n)*paravane: failed$")
    check("run= with quotes within", run,
          "run=\"echo 'a  b' ; poweroff\"",
          r"^a  b\n(.*\n)*paravane: done$")
    check("an unknown word is ignored", run,
          'nonsense=1 quiet run=poweroff', r"^paravane: done$")
    check("reboot", run, 'run=reboot', r"^paravane: done$")
    check("without any device", run, 'run="devices;fb;poweroff"',
          r"^no virtio device\nfb: there is no display\n"
          r"(.*\n)*paravane: failed$")


try:
    with Guest(devices=[NET, GPU, RNG]) as guest:
        guest.prompt()
        editing(guest)
        commands(guest)
        interrupts(guest)
        check("arguments without sense", nonsense, guest, re.findall(
            r"^  (\S+) +\S", guest.command("help"), re.M), 300)
except Failure as failure:
    tap.ok(False, "the shell comes up", str(failure))
ending()
tap.done()
