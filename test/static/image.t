#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
What the image's instructions must not be, where an emulator forgives and a
processor does not. Every check is also shown to fail, on a breach planted for
it.
"""

import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import a64
import tap

# Sections of code that runs with the MMU off, and where it may leave them to:
# by then the MMU is on.
PREMMU = (".head", ".text.boot", ".text.premmu")
AFTER = {"boot_main", "cpu_secondary", "vectors"}

# Who may maintain caches: nothing else is ever pointed at device memory.
CACHE = ("cache_", "range_", "boot_", "cpu_high", "drop_to_el1", "skip_")

# Words that hold addresses of code which nobody calls through them.
IGNORE = [("symbols_base", "symbols_count"), ("extable_start", "extable_end"),
          ("skip_vectors", "cpu_high")]

# Labels in code that are the bounds of something, that hardware jumps to or
# that an exception returns to.
PLACES = {"_image_start", "_rodata_start", "_text_code_end", "_start",
          "_pe_text_start", "vectors", "probe_failed"}


def build(directory, name, text, *flags):
    source = os.path.join(directory, name + ".c")
    path = os.path.join(directory, name + ".o")
    with open(source, "w") as f:
        f.write(text)
    subprocess.run([a64.CROSS + "gcc", "-O2", "-ffreestanding", "-fno-pic",
                    "-mno-outline-atomics", "-c", "-o", path, source, *flags],
                   check=True)
    return path


def link(directory, name, text, *flags):
    obj = build(directory, name, text, *flags)
    path = os.path.join(directory, name + ".elf")
    subprocess.run([a64.CROSS + "ld", "-e", "f", "-Ttext=0x400000",
                    "--build-id=none", "-z", "noexecstack", "-o", path, obj],
                   check=True)
    return path


def premmu_sections(path):
    names = [line.split()[1] for line in
             a64.tool("objdump", "-h", path).splitlines()
             if len(line.split()) == 7 and line.split()[0].isdigit()]
    return [n for n in names
            if n in PREMMU or n.startswith(tuple(p + "." for p in PREMMU))]


def premmu(forms, path):
    """Breaches, and how many instructions were seen, of one object file."""
    sections = premmu_sections(path)
    if not sections:
        return [], 0
    args = [a for s in sections for a in ("-j", s)]
    insns = a64.disassemble(path, *args)
    found = [f"{path}: {why}: {i}" for i in insns
             for why in [a64.breach_before_mmu(forms, i)] if why]
    # A call into code that was not made for it.
    defined = {line.split()[-1] for line in
               a64.tool("objdump", "-t", path).splitlines()
               if any(s in line.split() for s in sections)}
    for line in a64.tool("objdump", "-r", *args, path).splitlines():
        if "R_AARCH64_CALL26" in line or "R_AARCH64_JUMP26" in line:
            target = line.split()[-1].split("+")[0]
            if target not in AFTER | defined | set(sections):
                found.append(f"{path}: calls {target}")
    return found, len(insns)


def simd(forms, path):
    return [str(i) for i in a64.disassemble(path) if a64.uses_simd(forms, i)]


def zva(path):
    return [str(i) for i in a64.disassemble(path) if a64.is_dc_zva(i)]


def stray_maintenance(forms, path):
    return [str(i) for i in a64.disassemble(path)
            if forms.name(i.word) == "maintenance"
            and not i.symbol.startswith(CACHE)]


def objects(directory):
    for where, _, files in os.walk(directory):
        for name in files:
            if name.endswith(".o"):
                yield os.path.join(where, name)


def test_image(forms, toolchain):
    out = os.path.join(TOP, "build", toolchain)
    elf = os.path.join(out, "paravane.elf")
    if not tap.ok(os.path.exists(elf), f"{toolchain}: the image is built"):
        return
    found, seen = [], 0
    for path in objects(os.path.join(out, "guest")):
        bad, n = premmu(forms, path)
        found += bad
        seen += n
    tap.equal(found, [], f"{toolchain}: nothing unfit runs before the MMU")
    tap.ok(seen > 50, f"{toolchain}: {seen} instructions run there")
    insns = a64.disassemble(elf)
    tap.ok(len(insns) > 10000, f"{toolchain}: {len(insns)} instructions")
    tap.equal([str(i) for i in insns if a64.uses_simd(forms, i)], [],
              f"{toolchain}: no SIMD register in the kernel")
    tap.equal(zva(elf), [], f"{toolchain}: no dc zva")
    tap.equal(stray_maintenance(forms, elf), [],
              f"{toolchain}: caches are maintained by their functions alone")
    missing, n = a64.without_pad(elf, IGNORE, PLACES)
    tap.equal(missing, [],
              f"{toolchain}: a landing pad where an address is taken")
    tap.ok(n > 100, f"{toolchain}: {n} functions have their address taken")


BOOT = "__attribute__((section(\".text.boot\"))) "

PREMMU_BREACHES = [
    ("simd", BOOT + "void f(double *p) { *p = *p + 1.0; }"),
    ("simd", BOOT + "void f(void *p) {"
     " __asm__(\"ld1 {v0.16b}, [%0]\" : : \"r\"(p)); }"),
    ("exclusive", BOOT + "int f(int *p) { int v;"
     " __asm__(\"ldxr %w0, [%1]\" : \"=r\"(v) : \"r\"(p)); return v; }"),
    ("atomic", BOOT + "void f(int *p) { __asm__(\".arch armv8.1-a\\n"
     "ldadd w1, w2, [%0]\" : : \"r\"(p) : \"x2\"); }"),
    ("dc zva", BOOT + "void f(int *p) {"
     " __asm__(\"dc zva, %0\" : : \"r\"(p)); }"),
    ("unaligned", "struct __attribute__((packed)) s { char c; int i; };" +
     BOOT + "int f(struct s *p) { return p->i; }"),
    ("unaligned", BOOT + "long f(char *p, long i) {"
     " return *(long *)(p + i); }"),
    ("calls g", "void g(void);" + BOOT + "int f(void) { g(); return 1; }"),
]


def test_premmu_breaches(forms, directory):
    good = build(directory, "good", "void boot_main(long);" + BOOT +
                 "void f(int *p, long *q) { p[0] = 1; p[3] = 2; q[1] = 3;"
                 " boot_main(q[5]); }", "-mgeneral-regs-only")
    found, n = premmu(forms, good)
    tap.ok(not found and n > 3, "what is fit before the MMU passes", found)
    for i, (want, text) in enumerate(PREMMU_BREACHES):
        found, _ = premmu(forms, build(directory, f"premmu{i}", text))
        tap.ok(any(want in f for f in found),
               f"found before the MMU: {want} ({i})", found)
    found, n = premmu(forms, build(directory, "later",
                                   "double f(double d) { return d + 1; }"))
    tap.equal((found, n), ([], 0), "what runs later is not meant")


def test_breaches(forms, directory):
    for i, text in enumerate([
            "double f(double *p) { return *p * 2; }",
            "void f(long *p) { __asm__(\"ldp q0, q1, [%0]\" : : \"r\"(p)); }",
            "void f(void) { __asm__(\"movi v0.2d, #0\"); }"]):
        path = link(directory, f"simd{i}", text)
        tap.ok(simd(forms, path), f"found: a SIMD register ({i})")
    path = link(directory, "plain", "long f(long *p) { return *p * 2; }")
    tap.equal(simd(forms, path), [], "none where there is none")
    path = link(directory, "zva", "void f(int *p) {"
                " __asm__(\"dc zva, %0\" : : \"r\"(p)); }")
    tap.ok(zva(path), "found: dc zva")
    path = link(directory, "civac", "void f(int *p) {"
                " __asm__(\"dc civac, %0\" : : \"r\"(p)); }")
    tap.ok(stray_maintenance(forms, path), "found: dc civac in a stranger")
    path = link(directory, "cache", "void cache_f(int *p) {"
                " __asm__(\"dc civac, %0\" : : \"r\"(p)); }"
                "void f(void) { }")
    tap.equal(stray_maintenance(forms, path), [], "none in its own function")


TAKEN = [
    ("a word of data",
     "static int g(void) { return 2; } int (*volatile p)(void) = g;"
     "int f(void) { return p(); }"),
    ("constants",
     "static int g(void) { return 2; } static int h(void) { return 3; }"
     "int (*const t[])(void) = { g, h };"
     "int f(int i) { return t[i](); }"),
    ("code",
     "__attribute__((noinline)) int g(void) { return 2; }"
     "void *volatile p; void f(void) { p = g; }"),
    ("a literal",
     "__attribute__((noinline)) int g(void) { return 2; }"
     "void *f(void) { void *v; __asm__(\"ldr %0, =g\" : \"=r\"(v));"
     " return v; }"),
]


def test_pads(directory):
    for i, (where, text) in enumerate(TAKEN):
        path = link(directory, f"nopad{i}", text)
        missing, n = a64.without_pad(path)
        tap.ok(missing and n, f"found: no landing pad, address in {where}",
               missing)
        path = link(directory, f"pad{i}", text, "-mbranch-protection=standard")
        missing, n = a64.without_pad(path)
        tap.ok(not missing and n, f"with a landing pad, address in {where}",
               missing)


def main():
    with tempfile.TemporaryDirectory() as directory:
        forms = a64.Forms(TOP, directory)
        test_premmu_breaches(forms, directory)
        test_breaches(forms, directory)
        test_pads(directory)
        for toolchain in ("gcc", "clang"):
            test_image(forms, toolchain)
    tap.done()


main()
