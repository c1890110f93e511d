# SPDX-License-Identifier: ISC
"""A PATH of a test's own: few of this machine's programs, and stand-ins."""

import os


def directory(path, tools, stand_ins):
    """
    Makes it: links to the tools, as far as this machine has them, and a shell
    script of each name and body in stand_ins, in the tool's place.
    """
    os.mkdir(path)
    for name in tools:
        for place in ("/usr/bin", "/bin"):
            if os.path.exists(os.path.join(place, name)):
                os.symlink(os.path.join(place, name),
                           os.path.join(path, name))
                break
    for name, body in stand_ins.items():
        script = os.path.join(path, name)
        with open(script, "w") as f:
            f.write(f"#!/bin/sh\n{body}\n")
        os.chmod(script, 0o755)
    return path
