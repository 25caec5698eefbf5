# SPDX-License-Identifier: LGPL-3.0-or-later
# qemu.py -- guests: Debian's kernel in QEMU, on the host's root file system
"""A guest has the device rxe0, soft-RoCE on the interface eth0. It sees all of the host's files at their own paths; what it
writes stays in its memory, but for its folder.

The kernel comes from Debian's archive, once, into the cache; it is not installed. QEMU interprets (no KVM), so that all is
slow. The guest ends when its command has; a guest that goes on for too long is killed. No guest outlives this process."""

import contextlib
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("XFER_BUILD_DIR", SOURCE / "build")).resolve()
CACHE = pathlib.Path(os.environ.get("RDMAXFER_CACHE_DIR") or BUILD / "cache").resolve()
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "busybox": "busybox-static", "cpio": "cpio", "modprobe": "kmod",
         "setpriv": "util-linux"}
INITRD_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
# Without the second line the guest asks HPET for the time, where each question is a trap, and is three times as slow.
KERNEL_OPTIONS = ("console=ttyS0 quiet panic=-1 "
                  "tsc=reliable mitigations=off")
LOOK_SECONDS = 0.05
CONSOLE_LINES = 60


class Failure(Exception):
    """Something that the user of the command has to be told."""


class Missing(Failure):
    """What a guest needs isn't there."""


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise Failure(f"{shlex.join(map(str, command))} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def interrupted(*_):
    sys.exit(130)


def counter_khz():
    """Of the processor's time stamp counter. A guest that measures it itself, while others have the processor, may be wrong,
    and its clock be many times too fast."""
    program = BUILD / "tests/vm/vm_tsc_khz"
    if not program.exists():
        raise Missing(f"{program} isn't built: tests/run does that, and cmake")
    return run(program).strip()


def check_tools():
    if os.geteuid() != 0:
        raise Missing("a guest on the host's root file system needs root")
    for tool, package in TOOLS.items():
        if not shutil.which(tool):
            raise Missing(f"{tool} is missing: apt-get install {package}")


# --- the kernel --------------------------------------------------------------------------------------


class Kernel:
    """An unpacked package: boot/ and lib/modules/."""

    def __init__(self, tree):
        self.tree = tree
        self.image, = tree.glob("boot/vmlinuz-*")
        self.version = self.image.name.partition("-")[2]

    def module_files(self, module):
        """The files to load for a module, in this order."""
        shown = run("modprobe", "-d", self.tree, "-S", self.version, "--show-depends", module)
        return [pathlib.Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod")]


def kernel():
    """The cache's kernel; fetched where there is none."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "linux-image.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = sorted(CACHE.glob("linux-image-*-amd64"))
        return Kernel(found[-1] if found else fetch_kernel())


def fetch_kernel():
    """Unpacked under another name first: what an interrupted run leaves is never taken for a kernel."""
    folder = CACHE / "linux-image.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    print("fetching the guests' kernel, once", flush=True)
    try:
        try:
            package = download_kernel(folder)
        except Failure:  # the lists of packages may be old, or not there yet
            run("apt-get", "update", "-q")
            package = download_kernel(folder)
    except Failure as failure:
        raise Missing(f"the guests' kernel can't be had: {failure}") from None
    archive, = folder.glob("*.deb")
    run("dpkg", "-x", archive, folder / "tree")
    run("depmod", "-b", folder / "tree", Kernel(folder / "tree").version)
    (folder / "tree").rename(CACHE / package)
    shutil.rmtree(folder)
    return CACHE / package


def download_kernel(folder):
    """The package that linux-image-amd64 stands for."""
    found = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", "linux-image-amd64"))
    if not found:
        raise Failure("apt-cache knows no kernel behind linux-image-amd64")
    run("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", found[1], cwd=folder)
    return found[1]


def make_initrd(its_kernel, folder):
    """What mounts the host's root file system and goes there."""
    tree = folder / "initrd.tree"
    for name in ("bin", "modules", "dev", "proc", "sys", "host", "memory", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), tree / "bin/busybox")
    files = dict.fromkeys(file for module in INITRD_MODULES for file in its_kernel.module_files(module))
    for number, file in enumerate(files):
        shutil.copy(file, tree / f"modules/{number:02}-{file.name}")
    shutil.copy(HERE / "initrd", tree / "init")
    image = folder / "initrd"
    run("sh", "-c", f"find . | cpio -o -H newc --quiet >{shlex.quote(str(image))}", cwd=tree)
    shutil.rmtree(tree)
    return image


# --- guests ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def machine():
    """A Machine, for as long as this takes; signals that end this process have to end guests, too."""
    check_tools()
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, interrupted)
    with tempfile.TemporaryDirectory(prefix="rdmaxfer-vm.", dir="/var/tmp") as folder:
        yield Machine(pathlib.Path(folder))


class Machine:
    """What guests are made of; its folder has theirs."""

    def __init__(self, folder):
        self.folder = folder
        self.kernel = kernel()
        self.initrd = make_initrd(self.kernel, folder)

    def alone(self, command):
        """A guest with two addresses."""
        return Guest(self, "guest", command, ADDRESSES, ["-smp", "2", "-m", "2G"])

    def pair(self, command, other_command):
        """Two guests with an address each, on one network."""
        return self.one_of_two(1, command, "on"), self.one_of_two(2, other_command, "off")

    def one_of_two(self, number, command, server):
        socket = self.folder / "network"
        options = ["-smp", "1", "-m", "1G",
                   "-netdev", f"stream,id=net,server={server},addr.type=unix,addr.path={socket}",
                   "-device", f"virtio-net-pci,netdev=net,mac=52:54:00:00:00:{number:02}"]
        guest = Guest(self, f"guest{number}", command, ADDRESSES[number - 1:number], options)
        wait_for(socket)
        return guest


def wait_for(socket):
    """Until QEMU listens there."""
    deadline = time.monotonic() + 10
    while not socket.exists():
        if time.monotonic() > deadline:
            raise Failure("QEMU doesn't make the guests' network")
        time.sleep(LOOK_SECONDS)


class Guest:
    """A guest that runs a command; its folder is seen by both sides: `output`, `status`, and what the command leaves."""

    def __init__(self, machine, name, command, addresses, options):
        self.folder, self.printed = machine.folder / name, 0
        self.folder.mkdir()
        (self.folder / "output").touch()
        (self.folder / "command").write_text(self.script(command), encoding="utf-8")
        append = (f"{KERNEL_OPTIONS} tsc_early_khz={counter_khz()} INIT={HERE}/init FOLDER={self.folder} "
                  f"MODULES={machine.kernel.tree} ADDRESSES={','.join(addresses)}")
        share = "security_model=passthrough,multidevs=remap"
        with open(self.folder / "qemu", "wb") as complaints:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "qemu-system-x86_64", "-nodefaults", "-no-user-config",
                 "-accel", "tcg,thread=multi", "-cpu", "max", "-display", "none", "-no-reboot",
                 "-serial", f"file:{self.folder}/console", "-kernel", machine.kernel.image,
                 "-initrd", machine.initrd, "-append", append,
                 "-virtfs", f"local,path=/,mount_tag=host,readonly=on,{share}",
                 "-virtfs", f"local,path={self.folder},mount_tag=folder,{share}", *options],
                stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints)

    @staticmethod
    def script(command):
        variables = {"XFER_SOURCE_DIR": SOURCE, "XFER_BUILD_DIR": BUILD}
        lines = [f"export {name}={shlex.quote(str(value))}" for name, value in variables.items()]
        return "\n".join([*lines, f"cd {shlex.quote(os.getcwd())}", command, ""])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def news(self):
        """What the command has printed since the last call."""
        with open(self.folder / "output", "rb") as output:
            output.seek(self.printed)
            text = output.read()
        self.printed += len(text)
        return text.decode(errors="replace")

    def status(self):
        """The command's exit status; None: it has none, or not yet."""
        try:
            return int((self.folder / "status").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return None

    def follow(self, seconds, tell):
        """Passes what the command prints to `tell` until the guest ends, or is ended for want of time."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            tell(self.news())
            if time.monotonic() > deadline:
                tell(self.news())
                raise Failure(f"the guest hasn't ended within {seconds:.0f} s; {self.last_words()}")
            time.sleep(LOOK_SECONDS)
        tell(self.news())
        if self.status() is None:
            raise Failure(f"the guest has ended without its command; {self.last_words()}")
        return self.status()

    def last_words(self):
        text = ""
        for name in ("qemu", "console"):
            file = self.folder / name
            lines = file.read_text(errors="replace").splitlines() if file.exists() else []
            text += f"the end of its {name}:\n" + "\n".join(f"    {line}" for line in lines[-CONSOLE_LINES:]) + "\n"
        return text.rstrip()
