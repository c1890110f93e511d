# SPDX-License-Identifier: ISC
"""
The guest in QEMU, for tests.

	run = guest.run("devices;selftest", machine="virt,gic-version=2")
	tap.ok(run.good, "gic 2", *run.why)

	with guest.Guest(devices=[...]) as g:
		g.wait_for(r"paravane> ")
		g.type("ifconfig")
		width, height, pixels = g.screen()

The image is build/paravane, or what $PARAVANE_IMAGE names. Nothing outlives
the test: QEMU ends when the Guest does, and by itself after `timeout` seconds.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
IMAGE = os.environ.get("PARAVANE_IMAGE") or os.path.join(
    TOP, "build", "paravane")
FIRMWARE = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"
LONG = os.environ.get("PARAVANE_LONG") == "1"
PROMPT = r"paravane> "

NET = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile="]
DISPLAY = ["-device", "virtio-gpu-pci"]
ENTROPY = ["-device", "virtio-rng-pci"]
CONSOLE = ["-device", "virtio-serial-pci,max_ports=1", "-chardev",
           "null,id=c", "-device", "virtconsole,chardev=c"]
DEVICES = NET + DISPLAY + ENTROPY + CONSOLE


class Guest:
    """
    A QEMU that runs the image.

    append	the kernel's command line
    devices	QEMU's arguments for devices (DEVICES if not said)
    extra	more of its arguments
    efi		start the image as an EFI application, from a disk under the
		packaged firmware; append goes to paravane.cfg
    acpi	with efi: the machine is described by ACPI (the default of the
		firmware's); False: by the device tree
    """

    def __init__(self, append="", machine="virt,gic-version=3",
                 cpu="max,pauth-impdef=on", memory="256M", smp=1,
                 devices=None, extra=(), efi=False, acpi=True, image=None,
                 timeout=60):
        self.tmp = tempfile.mkdtemp(prefix="paravane-test-")
        self.text = ""
        self.deadline = time.monotonic() + timeout
        self.monitor = None
        image = image or IMAGE
        # Firmware may pick the device tree only if there is no ACPI.
        if efi and not acpi:
            machine += ",acpi=off"
        arguments = ["qemu-system-aarch64", "-M", machine, "-cpu", cpu,
                     "-m", memory, "-smp", str(smp), "-display", "none",
                     "-serial", "stdio", "-monitor", "none", "-no-reboot",
                     "-qmp", f"unix:{self.tmp}/qmp,server=on,wait=off"]
        if efi:
            esp = os.path.join(self.tmp, "esp")
            boot = os.path.join(esp, "EFI", "BOOT")
            os.makedirs(boot)
            shutil.copy(image, os.path.join(boot, "BOOTAA64.EFI"))
            with open(os.path.join(boot, "paravane.cfg"), "w") as f:
                f.write(append + "\n")
            arguments += ["-bios", FIRMWARE, "-drive",
                          f"if=none,id=esp,format=raw,file=fat:rw:{esp}",
                          "-device", "virtio-blk-pci,drive=esp,bootindex=0"]
        else:
            arguments += ["-kernel", image, "-append", append]
        arguments += DEVICES if devices is None else list(devices)
        arguments += extra
        self.arguments = arguments
        self.qemu = subprocess.Popen(
            ["timeout", "-k", "5", str(int(timeout) + 10)] + arguments,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends QEMU, if it has not ended."""
        if self.qemu.poll() is None:
            self.qemu.send_signal(signal.SIGTERM)
            try:
                self.qemu.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.qemu.pid, signal.SIGKILL)
                self.qemu.wait()
        for stream in (self.qemu.stdin, self.qemu.stdout):
            stream.close()
        shutil.rmtree(self.tmp, ignore_errors=True)

    def read(self, seconds=None):
        """Adds to self.text what comes within the time; False at the end."""
        left = self.deadline - time.monotonic()
        if seconds is not None:
            left = min(left, seconds)
        fd = self.qemu.stdout.fileno()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return True
        data = os.read(fd, 65536)
        self.text += data.decode(errors="replace")
        return bool(data)

    def wait_for(self, pattern, seconds=None, start=0):
        """
        The match of pattern in what the serial console said since `start`
        (a position in self.text); None if QEMU ended or time ran out first.
        """
        end = self.deadline
        if seconds is not None:
            end = min(end, time.monotonic() + seconds)
        while True:
            found = re.compile(pattern, re.M).search(self.text, start)
            if found:
                return found
            left = end - time.monotonic()
            if left <= 0 or not self.read(left):
                return re.compile(pattern, re.M).search(self.text, start)

    def type(self, line):
        """To the serial console, with the key that ends a line."""
        self.qemu.stdin.write(line.encode() + b"\r")
        self.qemu.stdin.flush()

    def command(self, line, seconds=None):
        """What the shell answered to this line; None if it never finished."""
        start = len(self.text)
        self.type(line)
        if not self.wait_for(r"\n" + PROMPT, seconds, start):
            return None
        answer = self.text[start:].replace("\r", "")
        return answer[answer.find("\n") + 1:answer.rfind(PROMPT)]

    def wait_end(self):
        """True once QEMU has ended by itself, False if time ran out."""
        while time.monotonic() < self.deadline:
            if not self.read():
                self.qemu.wait(10)
                return True
        return False

    def qmp(self, command, **arguments):
        """A command of QEMU's monitor, and its answer."""
        if self.monitor is None:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(20)
            for _ in range(100):
                try:
                    sock.connect(f"{self.tmp}/qmp")
                    break
                except OSError:
                    time.sleep(0.05)
            self.monitor = sock.makefile("rw")
            self.monitor.readline()
            self.qmp("qmp_capabilities")
        self.monitor.write(json.dumps(
            {"execute": command, "arguments": arguments}) + "\n")
        self.monitor.flush()
        while True:
            line = self.monitor.readline()
            if not line:
                raise RuntimeError(f"QEMU ended during {command}")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def screen(self):
        """The display: width, height, and its pixels as bytes R, G, B."""
        path = f"{self.tmp}/screen.ppm"
        self.qmp("screendump", filename=path)
        with open(path, "rb") as f:
            data = f.read()
        head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
        return int(head[1]), int(head[2]), data[head.end():]


class Run:
    """
    How an unattended run went.

    text	all that the serial console said
    done	it ended by itself after `paravane: done`
    points	(good, name) of each TAP line
    good	done, and no TAP point failed
    why		lines for a diagnosis, if not good
    """

    def __init__(self, g, ended):
        self.text = g.text.replace("\r", "")
        self.points = [(not no, name.strip()) for no, name in re.findall(
            r"^(not )?ok \d+ - (.*)$", self.text, re.M)]
        self.bad = [name for good, name in self.points if not good]
        self.done = ended and re.search(r"^paravane: done", self.text,
                                        re.M) is not None
        self.good = self.done and not self.bad
        self.why = []
        if not ended:
            self.why.append("it did not end by itself")
        if ended and not self.done:
            self.why.append("it ended without `paravane: done`")
        self.why += [f"not ok: {name}" for name in self.bad]
        if not self.good:
            self.why += ["its last words:"] + self.text.splitlines()[-25:]
            self.why.append(" ".join(g.arguments))


def run(commands, words="", **arguments):
    """Runs the shell's commands, then powers off."""
    append = f'{words} run="{commands};poweroff"'.strip()
    with Guest(append=append, **arguments) as g:
        ended = g.wait_end()
        return Run(g, ended)
