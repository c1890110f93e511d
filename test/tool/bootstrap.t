#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
What tool/bootstrap says where it can't do its work. Machines are made of
stand-ins for the programs that it calls.
"""

import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import standins
import tap

# What it may use of the real machine.
TOOLS = """sh cat cut sha256sum mkdir dirname grep sed mktemp rm tail flock
    perl ls mv env head""".split()
ALL_THERE = "echo installed"
NOT_THERE = "exit 1"
LISTED = ("if [ $# -gt 0 ] && [ $1 = dump ]; then exit 0; fi; "
          "echo amd64")


def bootstrap(level, stand_ins, cache=None):
    """Its status and what it said, on a machine with these programs."""
    with tempfile.TemporaryDirectory() as tmp:
        programs = standins.directory(os.path.join(tmp, "bin"), TOOLS,
                                      stand_ins)
        done = subprocess.run(
            [os.path.join(TOP, "tool", "bootstrap"), level],
            env={"PATH": programs,
                 "PARAVANE_CACHE": cache or os.path.join(tmp, "c")},
            cwd=tmp, capture_output=True, text=True)
        return done.returncode, done.stderr


def says(what, level, stand_ins, *words):
    status, said = bootstrap(level, stand_ins)
    tap.ok(status == 1 and all(w in said for w in words), what,
           f"status {status}", said)


ROOT = {"id": "echo 0", "apt-config": "exit 0", "apt-cache": "exit 0",
        "dpkg": LISTED}

says("not Debian", "run", {"id": "echo 0"}, "Debian 12", "no apt-get")
says("neither root nor sudo", "run",
     {"id": "echo 1000", "apt-get": "exit 0", "dpkg-query": NOT_THERE},
     "neither root nor sudo", "gcc-aarch64-linux-gnu", "qemu-system-arm")
says("no network, for packages", "run",
     ROOT | {"apt-get": "echo could not resolve; exit 100",
             "dpkg-query": NOT_THERE},
     "installing by apt: ", "could not resolve", "is there a network?")
says("a package that can't be had", "run",
     ROOT | {"apt-get": "[ $1 = update ] || { echo no such thing; exit 100; }",
             "dpkg-query": NOT_THERE}, "no such thing", "could not install")
says("no network, for sources", "run",
     ROOT | {"apt-get": "echo could not resolve; exit 100",
             "dpkg-query": ALL_THERE}, "could not resolve",
     "is there a network?")
says("a mirror without sources", "run",
     ROOT | {"apt-get": "echo Err:3 source/Sources 404; exit 100",
             "dpkg-query": ALL_THERE}, "no source packages")
says("a mirror that lost a source package", "run",
     ROOT | {"apt-get": "[ $1 = update ] || { echo 404 gone; exit 100; }",
             "dpkg-query": ALL_THERE}, "404 gone", "picolibc",
     "could not be fetched")
says("a level that there is not", "all", ROOT, "usage:")

status, said = bootstrap("run", ROOT | {
    "apt-get": 'cat "$APT_CONFIG"; exit 100', "dpkg-query": ALL_THERE}, "c")
tap.ok('Dir::State "/' in said and 'Dir::Cache "/' in said,
       "a cache named from here is not below the root", said)
status, said = bootstrap("run", {
    "id": "echo 1000", "sudo": 'echo "sudo $*" >&2; exit 1',
    "apt-get": "exit 0", "dpkg-query": NOT_THERE})
tap.ok("installing by apt: " in said, "sudo is used where one is not root",
       said)
tap.done()
