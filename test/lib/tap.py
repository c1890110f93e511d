# SPDX-License-Identifier: ISC
"""Test Anything Protocol, for the tests that are written in Python."""

import sys

_run = 0
_failed = 0


def ok(good, name, *notes):
    """One test. Notes (lines of text) are shown if it failed."""
    global _run, _failed
    _run += 1
    print(f"{'ok' if good else 'not ok'} {_run} - {name}")
    if not good:
        _failed += 1
        for note in notes:
            diag(note)
    sys.stdout.flush()
    return bool(good)


def equal(got, want, name):
    return ok(got == want, name, f"got  {got!r}", f"want {want!r}")


def diag(text):
    for line in str(text).splitlines():
        print("# " + line)
    sys.stdout.flush()


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def bail_out(why):
    print(f"Bail out! {why}")
    sys.exit(1)


def done():
    """The plan, last, and the exit status."""
    print(f"1..{_run}")
    sys.exit(1 if _failed else 0)
