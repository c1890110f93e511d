#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# TEST: timeout=120
"""
tool/mutate on a library of a few lines: mutants whose end is known, one that
hangs, entries of equivalent.tsv that are wrong, and sources that have changed
since the tests were built.
"""

import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

LIBRARY = """
#include <toy.h>

int
toy_check(unsigned int v, const char *p)
{
\tif (v > 10 || p == NULL)
\t\treturn 1;
\tif (v == 7)
\t\treturn 2;
\treturn 0;
}

void
toy_give(int map)
{
\tpv_dma_sync(0, map, 8, 128, BUS_DMASYNC_PREWRITE);
\tpv_barrier_publish(1);
}

unsigned int
toy_wait(unsigned int left)
{
\twhile (left > 0 && !toy_stuck)
\t\tleft = toy_step(left);
\treturn left;
}
"""

HEADER = """
#include <stddef.h>
#define BUS_DMASYNC_PREREAD 1
#define BUS_DMASYNC_PREWRITE 2
extern int toy_stuck, synced[4], ordered;
unsigned int toy_step(unsigned int);
int toy_check(unsigned int, const char *);
void toy_give(int);
unsigned int toy_wait(unsigned int);
void pv_dma_sync(int, int, int, int, int);
void pv_barrier_publish(int);
"""

TEST = """
#include <toy.h>
int toy_stuck, synced[4], ordered;
unsigned int toy_step(unsigned int n) { return n > 0 ? n - 1 : 0; }
void pv_dma_sync(int t, int m, int off, int len, int ops)
{ (void)t; synced[0] = m; synced[1] = off; synced[2] = len; synced[3] = ops; }
void pv_barrier_publish(int outer) { ordered = outer; }
int
main(void)
{
	if (toy_check(10, "") != 0 || toy_check(11, "") != 1 ||
	    toy_check(3, NULL) != 1 || toy_wait(3) != 0)
		return 1;
	toy_give(5);
	return !(synced[0] == 5 && synced[1] == 8 && synced[2] == 128 &&
	    synced[3] == BUS_DMASYNC_PREWRITE && ordered == 1);
}
"""

# As mk/mutation.mk does.
MAKE = """
M := build/mutation
P := $(M)/host/unit/test_toy
mutation-tests: $(P)
\t@echo $(P) >$(M)/programs
$(M)/written: lib/toy/toy.c
\ttool/mutate --write $(M) && touch $@
$(P): $(M)/written test/unit/test_toy.c test/mutation/mutation.c
\t@mkdir -p $(@D)
\tclang -Iinclude -iquote . -o $@ test/unit/test_toy.c $(M)/lib/toy/toy.c \\
\t\ttest/mutation/mutation.c
"""

C = "lib/toy/toy.c"
SYNC = "pv_dma_sync(0, map, {}, {}, BUS_DMASYNC_{});"
MUTANTS = [
    f"{C}:toy_check:check:v > 10 || p == NULL",
    f"{C}:toy_check:part:v > 10",
    f"{C}:toy_check:edge:v > 10",
    f"{C}:toy_check:part:p == NULL",
    f"{C}:toy_check:check:v == 7",
    f"{C}:toy_wait:part:left > 0",
    f"{C}:toy_wait:edge:left > 0",
    f"{C}:toy_wait:part:!toy_stuck",
    f"{C}:toy_give:sync:" + SYNC.format("8", "128", "PREWRITE"),
    f"{C}:toy_give:shift:" + SYNC.format("MUTATION_SHIFT(8)", "128",
                                         "PREWRITE"),
    f"{C}:toy_give:short:" + SYNC.format("8", "MUTATION_SHORT(128)",
                                         "PREWRITE"),
    f"{C}:toy_give:turn:" + SYNC.format("8", "128", "PREREAD"),
    f"{C}:toy_give:barrier:pv_barrier_publish(1);",
    f"{C}:toy_give:weaker:MUTATION_COMPILER_BARRIER();",
]
# Nothing asks for 7, nor is anything ever stuck.
SURVIVE = [MUTANTS[4], MUTANTS[7]]
# It steps from 0 to 0 for ever.
HANGS = [MUTANTS[5], MUTANTS[6]]


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def plant():
    """The tool, a library and its test, none of which is built."""
    for path in ("tool/mutate", "test/mutation/mutants.py",
                 "test/mutation/mutation.h", "test/mutation/mutation.c"):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.join(TOP, path), path)
    write("test/mutation/equivalent.tsv", "# none\n")
    write(C, LIBRARY)
    write("include/toy.h", HEADER)
    write("test/unit/test_toy.c", TEST)
    write("mk/build.mk", MAKE)


def mutate(*arguments):
    return subprocess.run(["tool/mutate"] + list(arguments), text=True,
                          timeout=100, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def entry(text):
    write("test/mutation/equivalent.tsv", text)
    return mutate()


def last(r):
    return r.stdout.splitlines()[-1] if r.stdout else ""


def runs():
    listed = mutate("--list").stdout.splitlines()
    tap.equal(sorted(listed[:-1]), sorted(MUTANTS),
              "each sync, barrier and check is found, and weakened")
    r = mutate()
    tap.equal(last(r), "14 mutants: 12 caught, 0 equivalent, 2 survived; "
              "0 wrong entries", "those that the test sees are caught")
    tap.ok(r.returncode == 1 and all(f": {m}\n" in r.stdout for m in SURVIVE),
           "the others are named", r.stdout)
    with open("build/mutation/results.tsv", encoding="utf-8") as f:
        rows = [l.split("\t") for l in f]
    tap.ok(all([m, "caught"] in [r[:2] for r in rows] for m in HANGS),
           "what hangs is caught", rows)
    r = mutate("--only", "v == 7")
    tap.equal(last(r), "1 mutants: 0 caught, 0 equivalent, 1 survived; "
              "0 wrong entries", "one alone")


def reasons():
    good = "".join(f"{m}\tnobody asks for it\n" for m in SURVIVE)
    r = entry(good)
    tap.ok(r.returncode == 0 and "2 equivalent, 0 survived" in last(r),
           "with a reason it may survive", r.stdout)
    r = entry(good + f"{MUTANTS[0]}\tsaid to be equivalent\n")
    tap.ok(r.returncode == 1 and f"caught: {MUTANTS[0]}" in r.stdout,
           "an entry whose mutant is caught is an error", r.stdout)
    r = entry(good + f"{C}:toy_check:check:v == 8\tgone since\n")
    tap.ok(r.returncode == 1 and "no such mutant" in r.stdout,
           "an entry without a mutant is an error", r.stdout)
    r = entry(good + SURVIVE[0] + "\n")
    tap.ok(r.returncode == 1 and "no reason" in r.stdout and
           "twice" in r.stdout, "so is one without a reason, or twice",
           r.stdout)


def changes():
    """Both are caught as soon as the test asks for 7, and is stuck."""
    asks = TEST.replace("\ttoy_give(5);", """\ttoy_stuck = 1;
\tif (toy_check(7, "") != 2 || toy_wait(3) != 3)
\t\treturn 1;
\ttoy_give(5);""")
    write("test/unit/test_toy.c", asks)
    r = entry("# none\n")
    tap.ok(r.returncode == 0 and "14 caught" in last(r),
           "a test that has changed is built again", r.stdout)
    write(C, LIBRARY.replace("v == 7", "v - 7 == 0"))
    r = mutate("--only", "7 == 0")
    tap.ok(r.returncode == 0 and "1 mutants: 1 caught" in last(r),
           "and so is the library", r.stdout)
    write(C, LIBRARY.replace("v == 7", "v = = 7"))
    r = mutate()
    tap.ok(r.returncode == 1 and "could not be built" in last(r),
           "what can't be built is said", r.stdout)


def main():
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        plant()
        runs()
        reasons()
        changes()
        os.chdir(TOP)
    tap.done()


main()
