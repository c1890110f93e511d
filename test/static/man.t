#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""The manual pages are sound, and name each function of the public headers
with the arguments that it has."""

import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
pages = sorted((root / "man").glob("*.[1-9]"))
tests = []


def test(name, faults):
    tests.append(name)
    print(f"{'not ok' if faults else 'ok'} {len(tests)} - {name}")
    for fault in faults:
        print(f"# {fault}")


def lint(page):
    run = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(page)],
                         capture_output=True, text=True)
    return (run.stdout + run.stderr).splitlines()


def header_functions():
    """Name and number of arguments of each function that a header declares."""
    found = {}
    for header in sorted((root / "include/paravane").glob("*.h")):
        text = re.sub(r"/\*.*?\*/", " ", header.read_text(), flags=re.S)
        text = re.sub(r"^#.*(\\\n.*)*$", "", text, flags=re.M)
        text = re.sub(r"\{[^{}]*\}", ";", text)
        for name, args in re.findall(
                r"(?<![\w(])(pv_[a-z0-9_]+)\(([^()]*)\)(?=\s*(?:;|__attr))",
                text):
            found[name] = 0 if args.strip() == "void" else args.count(",") + 1
    return found


def page_functions(page):
    found = {}
    synopsis = page.read_text().split(".Sh DESCRIPTION")[0]
    for name, rest in re.findall(r"^\.Fn (pv_\w+)(.*)$", synopsis, re.M):
        args = re.findall(r'"[^"]*"|\S+', rest)
        found[name] = 0 if args == ["void"] else len(args)
    return found


documented = {}
for page in pages:
    test(f"{page.name}: mandoc has nothing to say", lint(page))
    documented.update(page_functions(page))

declared = header_functions()
test("headers declare functions at all", [] if len(declared) > 60 else
     [f"only {len(declared)} found"])
test("each function of the public headers has a page",
     [name for name in declared if name not in documented])
test("each function of a page is declared",
     [name for name in documented if name not in declared])
test("pages and headers agree on the number of arguments",
     [f"{name}: {documented[name]} in the page, {declared[name]} declared"
      for name in declared
      if name in documented and documented[name] != declared[name]])
print(f"1..{len(tests)}")
sys.exit(0)
