# SPDX-License-Identifier: ISC
"""
Typing at a guest, by QEMU's monitor, on the USB keyboard that it has.

    type_line(g, "echo hello")      # seen as it is typed, and what it does
    press(g, "ctrl", "c")           # QEMU's names of keys, down together
    listed(g, "keyboard")           # until the command usb says so
"""

import re
import time

PLAIN = {" ": "spc", "-": "minus", "=": "equal", "[": "bracket_left",
         "]": "bracket_right", "\\": "backslash", ";": "semicolon",
         "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot",
         "/": "slash", "\r": "ret"}
SHIFTED = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./"))


def code(char):
    return PLAIN.get(char, char)


def events(g, *changes):
    g.qmp("input-send-event", events=[{"type": "key", "data": {
        "down": down, "key": {"type": "qcode", "data": name}}}
        for name, down in changes])


def event(g, name, down):
    events(g, (name, down))


def press(g, *names):
    """
    Down in this order, and up again: each is seen before the next. All in one
    command: between two of them a key that is down may begin to repeat.
    """
    events(g, *[(name, True) for name in names],
           *[(name, False) for name in reversed(names)])


def key(g, char):
    if char in SHIFTED:
        press(g, "shift", code(SHIFTED[char]))
    elif char.isupper():
        press(g, "shift", char.lower())
    else:
        press(g, code(char))


def type_line(g, text, answer=None):
    """Types a line; all of it is seen as it is typed, and what it does."""
    for start in range(0, len(text), 4):
        part = text[start:start + 4]
        for char in part:
            key(g, char)
        # QEMU keeps sixteen events of a keyboard, and drops what is more.
        g.expect(re.escape(part))
    press(g, "ret")
    g.expect(r"\n" + (answer or re.escape(text.split(" ", 1)[1]) + r"\n"))
    g.prompt()


def listed(g, *patterns, timeout=30):
    """Until the command says all of these, one after the other."""
    end = time.monotonic() + timeout
    while True:
        text = g.command("usb")
        if re.search(r"(.*\n)*.*".join(patterns), text):
            return text
        if time.monotonic() > end:
            g.fail(f"usb never said {patterns}")
        time.sleep(0.2)
