#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
What may know what (doc/architecture.md): include rules, the library's
undefined symbols, no 8-byte access to registers. Every check is also shown to
fail, on a breach planted for it.
"""

import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import a64
import tap

# The compiler's own headers, freestanding (C11 4p6).
COMPILER = {"float.h", "iso646.h", "limits.h", "stdalign.h", "stdarg.h",
            "stdbool.h", "stddef.h", "stdint.h", "stdnoreturn.h"}

# Which directories may include headers of which others, beside its own.
# Everything may include include/. test/ and perf/ may include anything.
MAY = {
    "include": set(),
    "lib": set(),
    "guest": set(),
    "bench": {"port/posix"},
    "port": set(),
    "machine": set(),
}

MEMORY = {"memcpy", "memmove", "memset", "memcmp"}


def sources(top, *directories):
    for directory in directories:
        for where, dirs, files in os.walk(os.path.join(top, directory)):
            for name in sorted(files):
                if name.endswith((".c", ".h", ".S")):
                    yield os.path.relpath(os.path.join(where, name), top)


def includes(top, path):
    with open(os.path.join(top, path)) as f:
        for number, line in enumerate(f, 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if m:
                yield number, m.group(1) == '"', m.group(2)


def house(path):
    """The part of the house that a file belongs to."""
    return path.split(os.sep)[0]


def resolve(top, path, name):
    """The project's file that an include names, or None."""
    here = os.path.dirname(path)
    for base in (here, "include"):
        found = os.path.normpath(os.path.join(base, name))
        if os.path.exists(os.path.join(top, found)):
            return found
    return None


def allowed(top, path, quoted, name):
    part = house(path)
    found = resolve(top, path, name)
    if found and house(found) == "include":
        return part != "machine"
    if part == "include":
        return name == "paravane_machdep.h"
    if found is None:
        # Not beside it: a system header, or of the same part by its own path.
        if part == "lib":
            return not quoted and name in COMPILER
        return "lib/" not in name and ".." not in name
    return house(found) == part or any(
        found.startswith(m + os.sep) for m in MAY[part])


def include_breaches(top):
    return [f"{path}:{number}: {name}"
            for path in sources(top, *MAY)
            for number, quoted, name in includes(top, path)
            if not allowed(top, path, quoted, name)]


def wide_breaches(top):
    wide = re.compile(r"\bbus_space_(read|write|set|copy)\w*_8\b")
    found = []
    for path in sources(top, "include", "lib", "guest", "port", "bench"):
        with open(os.path.join(top, path)) as f:
            for number, line in enumerate(f, 1):
                if wide.search(line):
                    found.append(f"{path}:{number}: {line.strip()}")
    return found


def contract(top):
    """The functions that kern.h asks the kernel for."""
    with open(os.path.join(top, "include", "paravane", "kern.h")) as f:
        text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    return set(re.findall(r"\b(pv_kern_\w+)\s*\(", text))


def undefined(objects):
    wanted, defined = set(), set()
    for path in objects:
        for line in a64.tool("nm", path).splitlines():
            kind, name = line.split()[-2:]
            if name == "_GLOBAL_OFFSET_TABLE_":
                continue  # the linker's own, of position-independent code
            if kind == "U":
                wanted.add(name)
            elif kind in "TtDdBbRrVvWwC":
                defined.add(name)
    return wanted - defined


def library_objects(toolchain):
    top = os.path.join(TOP, "build", toolchain, "lib")
    return [os.path.join(where, name) for where, _, files in os.walk(top)
            for name in files if name.endswith(".o")]


def plant(directory, files):
    top = tempfile.mkdtemp(dir=directory)
    for path, text in files.items():
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as f:
            f.write(text)
    return top


SOUND = {
    "include/paravane/a.h": "#include <paravane/b.h>\n",
    "include/paravane/b.h": "#include <paravane_machdep.h>\n",
    "lib/core/c.h": "#include <stdint.h>\n",
    "lib/core/c.c": "#include <paravane/a.h>\n#include \"c.h\"\n",
    "lib/device/d.c": "#include \"../core/c.h\"\n",
    "guest/include/e.h": "",
    "guest/cpu/e.c": "#include <string.h>\n#include <paravane/a.h>\n"
                     "#include \"e.h\"\n",
    "port/posix/p.h": "",
    "bench/model/m.c": "#include \"../../port/posix/p.h\"\n",
}

INCLUDE_BREACHES = [
    ("a public header, of the compiler's", "include/paravane/x.h",
     "#include <stdint.h>\n"),
    ("a public header, of the library's", "include/paravane/x.h",
     "#include \"../../lib/core/c.h\"\n"),
    ("the library, of the C library's", "lib/core/x.c",
     "#include <string.h>\n"),
    ("the library, of the guest's by path", "lib/core/x.c",
     "#include \"../../guest/include/e.h\"\n"),
    ("the library, of the guest's by name", "lib/core/x.c",
     "#include \"e.h\"\n"),
    ("the library, of a port", "lib/core/x.c",
     "#include <paravane_machdep.h>\n"),
    ("the guest, of the library's own", "guest/cpu/x.c",
     "#include \"../../lib/core/c.h\"\n"),
    ("the guest, of the library's own by name", "guest/cpu/x.c",
     "#include <lib/core/c.h>\n"),
    ("the guest, of a port", "guest/cpu/x.c",
     "#include \"../../port/posix/p.h\"\n"),
    ("the bench, of the guest", "bench/model/x.c",
     "#include \"../../guest/include/e.h\"\n"),
    ("a process as a port, of the library's own", "port/posix/native/x.c",
     "#include \"../../../lib/core/c.h\"\n"),
    ("a port, of the bench", "port/posix/x.c",
     "#include \"../../bench/model/m.c\"\n"),
]


def test_includes(directory):
    top = plant(directory, SOUND)
    tap.equal(include_breaches(top), [], "a sound house passes")
    for what, path, text in INCLUDE_BREACHES:
        top = plant(directory, {**SOUND, path: text})
        tap.equal([b.split(":")[0] for b in include_breaches(top)], [path],
                  f"found: an include of {what}")
    tap.equal(include_breaches(TOP), [], "what may know what")


def test_wide(directory):
    top = plant(directory, {"lib/core/x.c":
                            "void f(void) { bus_space_write_8(t, h, 0, 1); }"})
    tap.equal(len(wide_breaches(top)), 1, "found: an 8-byte access")
    tap.equal(wide_breaches(TOP), [], "no 8-byte bus_space access")


def test_undefined(directory):
    want = contract(TOP)
    tap.ok(len(want) > 3, f"the contract has {len(want)} functions", want)
    source = os.path.join(directory, "planted.c")
    path = os.path.join(directory, "planted.o")
    with open(source, "w") as f:
        f.write("void *pv_kern_alloc(unsigned long); int printf();"
                "void *f(void) { printf(\"\"); return pv_kern_alloc(1); }")
    subprocess.run([a64.CROSS + "gcc", "-fno-builtin", "-w", "-c", "-o", path,
                    source], check=True)
    tap.equal(undefined([path]) - want - MEMORY, {"printf"},
              "found: an undefined symbol beyond the contract")
    for toolchain in ("gcc", "clang", "native"):
        objects = library_objects(toolchain)
        if not tap.ok(objects, f"{toolchain}: the library is built"):
            continue
        found = undefined(objects)
        tap.equal(sorted(found - MEMORY), sorted(want),
                  f"{toolchain}: the library's undefined symbols are the "
                  "contract's")


def main():
    with tempfile.TemporaryDirectory() as directory:
        test_includes(directory)
        test_wide(directory)
        test_undefined(directory)
    tap.done()


main()
