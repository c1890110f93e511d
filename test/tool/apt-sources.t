#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The private sources list: what is taken of a machine's entries, in either
form, and what is left out.
"""

import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import tap

DEB822 = """# a remark
Types: deb
# another
URIs: http://deb.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security/
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
"""

THIRD = """Types: deb
URIs: https://packages.example/node_20.x
Suites: nodistro
Components: main

Types: deb
URIs: https://download.example/linux/debian
Suites: bookworm
Components: stable

Types: deb
URIs: https://packages.example/debian/12/prod
Suites: bookworm-pgdg
Components: main
"""

ONE_LINE = """# deb http://commented.example/debian bookworm main
deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb http://ftp.example/debian/ bookworm main non-free-firmware # remark
deb-src http://ftp.example/debian/ bookworm main
deb [arch=amd64 trusted=yes signed-by=/k.gpg] http://m.example/debian-security bookworm-security main
deb [arch=amd64] https://repo.example/apt bookworm main
deb http://old.example/debian bullseye main
"""


def sources(files):
    """What the tool prints for a machine with these files, and its status."""
    with tempfile.TemporaryDirectory() as root:
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as f:
                f.write(text)
        done = subprocess.run([os.path.join(TOP, "tool", "apt-sources"), root],
                              capture_output=True, text=True)
        return done.stdout, done.returncode


def uris(text):
    """(place, suite) of each entry."""
    found = []
    for stanza in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.split("\n")
                      if ": " in line)
        found.append((fields["URIs"], fields["Suites"]))
    return found


OS = {"etc/os-release": 'VERSION_CODENAME=bookworm\n'}
DIR = "etc/apt/sources.list.d/"

out, status = sources(OS | {DIR + "debian.sources": DEB822})
tap.equal(status, 0, "deb822: success")
tap.equal(uris(out), [
    ("http://deb.example/debian", "bookworm"),
    ("http://deb.example/debian", "bookworm-updates"),
    ("http://security.example/debian-security/", "bookworm-security")],
    "deb822: every suite, remarks and the disabled left out")
tap.equal(out.count("Types: deb deb-src\n"), 3, "deb822: with sources")
tap.ok("Signed-By:\n -----BEGIN PGP" in out and " .\n abc\n" in out,
       "deb822: a key within the entry is kept")
tap.equal(out.count("Components: main\n"), 3, "deb822: main only")

out, status = sources(OS | {"etc/apt/sources.list": ONE_LINE})
tap.equal(status, 0, "one line: success")
tap.equal(uris(out), [
    ("http://ftp.example/debian/", "bookworm"),
    ("http://m.example/debian-security", "bookworm-security")],
    "one line: Debian's own, once each")
tap.ok("Signed-By: /k.gpg\n" in out, "one line: signed-by is kept")
tap.ok("rusted" not in out, "one line: trusted=yes is not")

out, status = sources(OS | {DIR + "third.sources": THIRD})
tap.equal((out, status), ("", 1), "third parties alone: nothing, and says so")
out, status = sources(OS)
tap.equal((out, status), ("", 1), "no entries at all")
out, _ = sources(OS | {"etc/apt/sources.list": ONE_LINE,
                       DIR + "debian.sources": DEB822,
                       DIR + "third.sources": THIRD})
tap.equal(len(uris(out)), 5, "both forms together")
out, status = sources(OS | {
    DIR + "cloud.sources": "Types: deb deb-src\n"
    "URIs: mirror+file:///etc/apt/mirrors/debian.list\n"
    "Suites: bookworm\nComponents: main\n"})
tap.equal(uris(out), [("mirror+file:///etc/apt/mirrors/debian.list",
                       "bookworm")], "a list of mirrors, as clouds have it")
out, status = sources(OS | {"etc/apt/sources.list":
                            "deb http://ftp.example/debian oldstable main\n"
                            "deb http://ftp.example/debian oldoldstable main\n"})
tap.equal(uris(out), [("http://ftp.example/debian", "oldstable")],
          "a suite by what the release is called since the next one is out")
tap.done()
