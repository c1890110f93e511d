#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""
The command that tool/run makes, on machines of several kinds, and what it says
where it can make none.
"""

import os
import signal
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "test", "lib"))
import standins
import tap

QEMU = 'if [ "$1" = -display ]; then printf "gtk\\nsdl\\ncocoa\\n"; fi'
TOOLS = "sh dirname basename cat grep perl sed mkdir mktemp cp rm ls".split()

left_behind = []


def run(*arguments, uname="Linux x86_64", display="", qemu=QEMU, image=True,
        temporary="t", vfkit=None):
    """Status, standard output, standard error."""
    with tempfile.TemporaryDirectory() as tmp:
        system, machine = uname.split()
        stand_ins = {"uname": f'[ "$1" = -m ] && echo {machine} || '
                              f'echo {system}'}
        if qemu is not None:
            stand_ins["qemu-system-aarch64"] = qemu
        if vfkit is not None:
            stand_ins["vfkit"] = vfkit
        programs = standins.directory(os.path.join(tmp, "bin"), TOOLS,
                                      stand_ins)
        file = os.path.join(tmp, "image")
        if image:
            open(file, "w").close()
        temporary = os.path.join(tmp, temporary)
        os.mkdir(temporary)
        env = {"PATH": programs, "TMPDIR": temporary}
        if display:
            env["DISPLAY"] = display
        done = subprocess.run(
            [os.path.join(TOP, "tool", "run"), "--image", file, *arguments],
            env=env, capture_output=True, text=True)
        left_behind[:] = os.listdir(temporary)
        return done.returncode, done.stdout, done.stderr


def killed(*arguments):
    """Whether QEMU is still there when tool/run was killed and has ended."""
    with tempfile.TemporaryDirectory() as tmp:
        path = os.path.join(tmp, "qemu-system-aarch64")
        with open(path, "w") as f:
            f.write("#!/bin/sh\necho $$\nexec sleep 60\n")
        os.chmod(path, 0o755)
        env = {"PATH": tmp + ":" + os.environ["PATH"], "TMPDIR": tmp}
        with subprocess.Popen(
                [os.path.join(TOP, "tool", "run"), "--no-window", "--image",
                 path, *arguments], env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            qemu = int(child.stdout.readline())
            child.send_signal(signal.SIGTERM)
            child.wait(20)
        left_behind[:] = [f for f in os.listdir(tmp) if "esp" in f]
        try:
            os.kill(qemu, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def has(what, got, *words):
    status, out, err = got
    tap.ok(status == 0 and all(w in out for w in words), what,
           f"status {status}", out, err)


def fails(what, got, *words):
    status, out, err = got
    tap.ok(status != 0 and all(w in err for w in words), what,
           f"status {status}", out, err)


has("a terminal", run("--dry-run"), "-display none", "-serial mon:stdio",
    "virtio-net-pci", "virtio-gpu-pci", "virtio-rng-pci", "virtconsole",
    "qemu-xhci", "usb-kbd", "usb-tablet", "-accel tcg", "hostfwd=tcp:127.0.0.1:", "-:80")
has("a window", run("--dry-run", display=":0"), "-display gtk")
has("a window that is not wanted", run("--dry-run", "--no-window",
                                       display=":0"), "-display none")
status, out, err = run("--dry-run", display=":0", qemu="exit 0")
tap.ok("-display none" in out and "qemu-system-gui" in err,
       "a QEMU that has no window", err)
has("Apple silicon", run("--dry-run", uname="Darwin arm64"), "-accel hvf",
    "-cpu host", "-display cocoa")
has("Apple silicon, emulated", run("--dry-run", "--tcg",
                                   uname="Darwin arm64"), "-accel tcg")
has("words for the kernel are quoted",
    run("--dry-run", "--append", 'run="devices;poweroff"'),
    """-append 'run="devices;poweroff"'""")
has("an MTU", run("--dry-run", "--mtu", "9000"), "host_mtu=9000")
has("arguments for QEMU come last", run("--dry-run", "--", "-d", "int"),
    "-d int \n")
has("EFI, from a directory with blanks and commas",
    run("--efi", temporary="a, b", qemu='echo "$*"'),
    "file=fat:rw:", "/a,, b/")
status, out, err = run("--efi", qemu='ls -ld "$TMPDIR"/*; ls "$TMPDIR"/*/EFI')
tap.ok("drwx------" in out, "nobody else has a hand in what EFI starts", out)
status, out, err = run("--efi", "--no-window", qemu="kill -TERM $PPID")
tap.ok(status == 143 and not left_behind,
       "told to end, it leaves no directory behind", status, left_behind)
status, out, err = run("--help")
tap.ok(status == 0 and "poweroff" in out and "Ctrl-A X" in out,
       "help tells how to leave")
status, out, err = run(qemu=QEMU)
tap.ok(status == 0 and "poweroff" in err and "Ctrl-A X" in err
       and "http://127.0.0.1:" in err,
       "before it starts, the way out and the page are told", err)

MAC = {"uname": "Darwin arm64", "vfkit": "echo vfkit ran; exit 7", "qemu": None}
has("a Mac with vfkit", run("--dry-run", "--append", "console=hvc0",
                            "--memory", "1G", **MAC),
    "vfkit --cpus 2 --memory 1024 --bootloader 'linux,kernel=/",
    "/image,initrd=/", """/image,cmdline="console=hvc0"'""", "--device virtio-net,nat",
    "--device virtio-gpu,width=1280,height=800", "--gui")
status, out, err = run("--dry-run", "--no-window", **MAC)
tap.ok(status == 0 and "gui" not in out and "cmdline" not in out
       and "--memory 256 " in out, "in its terminal, without words", out, err)
has("words between quotes of their own",
    run("--dry-run", "--append", 'quiet run="fb;ifconfig net0 10.0.0.2/8,10.0.0.1"',
        **MAC),
    """/image,cmdline=quiet run="fb;ifconfig net0 10.0.0.2/8,10.0.0.1"'""")
has("words with a comma", run("--dry-run", "--append", "a,b c", **MAC),
    """/image,cmdline="a,b c"'""")
status, out, err = run(**MAC)
tap.ok(status == 7 and "vfkit ran" in out and "Ctrl-C" in err,
       "it is what runs, and the way out is told", status, out, err)
for name, words in [("by choice", ["--qemu"]), ("for an MTU", ["--mtu", "9000"]),
                    ("for a port", ["--port", "8080"]), ("for EFI", ["--efi"]),
                    ("to emulate", ["--tcg"]),
                    ("for a comma", ["--append", 'run="devices" a,b']),
                    ("for a quote", ["--append", 'run="devices']),
                    ("for quotes in front", ["--append", '"a" b="c"']),
                    ("for its own arguments", ["--", "-d", "int"])]:
    has(f"a Mac with vfkit: QEMU {name}", run("--dry-run", *words, **dict(
        MAC, qemu=QEMU)), "qemu-system-aarch64 ")
has("a Mac with an Intel processor", run("--dry-run", **dict(
    MAC, uname="Darwin x86_64", qemu=QEMU)), "-accel tcg")
has("arm64 Linux", run("--dry-run", uname="Linux aarch64"),
    "-accel kvm -cpu host" if os.access("/dev/kvm", os.W_OK) else "-accel tcg")
fails("no size", run("--memory", "lots", **MAC), "--memory takes a size")

fails("no QEMU on Debian", run(qemu=None), "apt install qemu-system-arm")
fails("no QEMU on macOS", run(qemu=None, uname="Darwin arm64"), "brew install")
fails("a machine that there is not", run("--machine", "pc"), "no such machine")
fails("Apple's machine, with firmware", run("--machine", "applevz", "--efi"),
      "no firmware")
status, out, err = run("--dry-run", "--machine", "applevz,strict=on", "--mtu",
                       "4000", display=":0")
tap.ok("make machine" in err or (
    status == 0 and "-M applevz,strict=on" in out and "mtu=4000" in out
    and "virtio-" not in out and "-display none" in out),
    "Apple's machine, or how to have it", status, out, err)
with tempfile.TemporaryDirectory(prefix="paravane-") as disks:
    first, second = f"{disks}/a disk, odd", f"{disks}/b.qcow2"
    for disk in (first, second):
        open(disk, "w").close()
    status, out, err = run("--dry-run", "--disk", first, "--disk",
                           f"{second},ro", "--", "-d", "int")
    tap.ok(status == 0 and out.endswith(" -d int \n") and
           f"'if=none,id=disk0,format=raw,file={disks}/a disk,, odd' "
           "-device virtio-blk-pci,drive=disk0 -drive "
           f"if=none,id=disk1,format=qcow2,file={second},readonly=on "
           "-device virtio-blk-pci,drive=disk1 " in out,
           "two disks, in their order, the second not to be written", out, err)
    plain = f"{disks}/c.img"
    open(plain, "w").close()
    has("a disk on a Mac with vfkit", run("--dry-run", "--disk", plain, **MAC),
        f"--device virtio-blk,path={plain} ")
    has("a qcow2, which vfkit would take for raw: QEMU", run(
        "--dry-run", "--disk", second, "--disk", plain, **dict(MAC, qemu=QEMU)),
        "qemu-system-aarch64 ", "format=qcow2")
    has("one that is not to be written: QEMU", run(
        "--dry-run", "--disk", f"{second},ro", **dict(MAC, qemu=QEMU)),
        "qemu-system-aarch64 ", "readonly=on")
    fails("a disk that there is not", run("--disk", f"{disks}/none"),
          "there is no disk", "truncate -s 64M")
    fails("a directory for a disk", run("--disk", disks), "no file that could")
    if os.getuid() != 0:
        os.chmod(first, 0o444)
        fails("a disk that may not be written", run("--disk", first), ",ro")

fails("no image", run(image=False), "make image")
fails("no image, and nothing but vfkit", run(image=False, **MAC),
      "built on Debian 12")
fails("no image on macOS", run(image=False, uname="Darwin arm64"),
      "Debian 12", "make image", "--image")
fails("an option that there is not", run("--wat"), "no such option: --wat")
for option, value in [("--mtu", "12"), ("--mtu", "65536"), ("--mtu", "9k"),
                      ("--port", "80000"), ("--port", "0"), ("--smp", "0"),
                      ("--smp", "99999999999999999999")]:
    fails(f"{option} {value!r}", run("--dry-run", option, value),
          f"{option} takes a number from")
for value in ["lots", "0", "16M", "256X", "0x10", "9999999G", "-1"]:
    fails(f"--memory {value!r}", run("--dry-run", "--memory", value),
          "--memory takes a size from 32M on" if value == "16M" else
          "--memory takes a size such as")
has("an amount of memory", run("--dry-run", "--memory", "1G"), "-m 1G")
fails("an MTU that Apple's machine has not",
      run("--dry-run", "--machine", "applevz", "--mtu", "1280"),
      "--mtu takes a number from 1500 to 65535")
tap.ok(not killed(), "a kill leaves no QEMU behind")
tap.ok(not killed("--efi") and not left_behind,
       "a kill leaves neither QEMU nor the firmware's directory behind",
       left_behind)
for option in ("--image", "--append", "--machine", "--disk", "--port", "--mtu",
               "--smp", "--memory"):
    fails(f"{option} without its value", run("--dry-run", option),
          f"{option} needs a value")
    if option == "--append":
        continue
    fails(f"{option} with an empty one", run("--dry-run", option, ""),
          f"{option} needs a value")
    fails(f"{option}= with nothing behind it", run("--dry-run", f"{option}="),
          f"{option} needs a value")
has("values behind an =", run(
    "--dry-run", "--mtu=9000", "--smp=4", "--memory=1G", "--port=8123",
    "--machine=virt", "--append=run=\"devices\" a=b"), "host_mtu=9000", "-smp 4",
    "-m 1G", ":8123-:80", "-M virt,", "-append 'run=\"devices\" a=b'")
with tempfile.TemporaryDirectory(prefix="paravane-") as disks:
    disk = f"{disks}/a=b"
    open(disk, "w").close()
    has("a disk's and an image's", run("--dry-run", f"--disk={disk}",
                                       f"--image={disk}"),
        f"file={disk}", f"-kernel {disk}")
has("no words for the kernel", run("--dry-run", "--append", "x", "--append="),
    "-kernel")
fails("a value where none is taken", run("--dry-run", "--efi=yes"),
      "no such option: --efi=yes")
tap.done()
