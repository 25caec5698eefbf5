# SPDX-License-Identifier: LGPL-3.0-or-later
# guest.py -- what runs in a guest: an owner, a point of contact, Linux's NFS client, and what they count
"""rxe receives only in the first network namespace: nodes are addresses of it, or guests of their own."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time
from multiprocessing.managers import BaseManager

BUILD = pathlib.Path(os.environ.get("XFER_BUILD_DIR", pathlib.Path(__file__).resolve().parents[2] / "build"))
CONTACT, OWNER = "10.77.0.1", "10.77.0.2"
SECOND_ADDRESSES = "10.79.0.1", "10.79.0.2"
OWNER_PORT, NFS_PORT, MOUNT_PORT, PEER_PORT = 20491, 2049, 20048, 20400
NODES, VOLUME, MOUNTS = pathlib.Path("/run/nodes"), pathlib.Path("/srv/vol1"), pathlib.Path("/mnt")
PLUGINS = pathlib.Path("/usr/lib/x86_64-linux-gnu/ganesha")
DEVICE, INTERFACE = "rxe0", "eth0"
MTU, PACKET_BYTES = 4200, 4096  # of the interface (init), and the payload that a packet of it has room for
START_SECONDS, END_SECONDS, LOOK_SECONDS = 30, 10, 0.1
LOG_LINES = 25
AS_UNITS_DO = ["prlimit", "--memlock=unlimited:unlimited", "--"]
NOISE = re.compile(r":(DBUS|THREAD|NFS CB) :|:NFS STARTUP :(EVENT|WARN)")  # of Ganesha


class Failed(Exception):
    """What a scenario finds wrong."""


def expect(truth, why):
    if not truth:
        raise Failed(why)


def say(text):
    print(f"   {text}", flush=True)


def wait_until(state, reached, seconds=START_SECONDS):
    """Until reached() is true; `state` says in words what that means."""
    deadline = time.monotonic() + seconds
    while not reached():
        expect(time.monotonic() < deadline, f"not within {seconds} s: {state}")
        time.sleep(LOOK_SECONDS)


class Task:
    """A command that runs; its output is in a file."""

    number = 0

    def __init__(self, *command, log=None):
        Task.number += 1
        self.command = [str(word) for word in command]
        self.log = pathlib.Path(log or f"/run/task{Task.number}")
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                            start_new_session=True)

    def alive(self):
        return self.process.poll() is None

    def output(self):
        return self.log.read_text(errors="replace")

    def wait(self, seconds=START_SECONDS):
        """Its output, if it succeeds within this time."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            status = f"not ended after {seconds} s"
        if status != 0:
            raise Failed(f"{shlex.join(self.command)}: {status}: {self.output().strip()}")
        return self.output()

    def end(self, number=signal.SIGKILL):
        if self.alive():
            os.killpg(self.process.pid, number)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                raise Failed(f"{shlex.join(self.command)} doesn't end by signal {number}") from None


@contextlib.contextmanager
def ended(task):
    """A task that ends here at the latest."""
    try:
        yield task
    finally:
        task.end()


def run(*command, seconds=START_SECONDS):
    return Task(*command).wait(seconds)


# --- nodes -------------------------------------------------------------------------------------------


class Node:
    """A daemon with a folder; `prefix` is a command that runs it with other limits or rights."""

    def __init__(self, name, prefix=()):
        self.name, self.prefix, self.task = name, prefix or AS_UNITS_DO, None
        self.dir = NODES / name
        shutil.rmtree(self.dir, ignore_errors=True)
        self.dir.mkdir(parents=True)
        self.log_file = self.dir / "log"
        self.log_file.touch()

    def begin(self, command, ready):
        """Starts it, until its log says `ready`."""
        since = len(self.log())
        self.task = Task(*self.prefix, *command, log=self.log_file)
        wait_until(f"{self.name} says {ready}", lambda: ready in self.log()[since:] or not self.task.alive())
        expect(self.task.alive(), f"{self.name} has ended: {self.log()[since:].strip()}")

    def log(self):
        return self.log_file.read_text(errors="replace")

    def says(self, text):
        """How many lines of the log say so."""
        return sum(text in line for line in self.log().splitlines())

    def last_words(self):
        lines = [line for line in self.log().splitlines() if not NOISE.search(line)][-LOG_LINES:]
        return "\n".join([f"--- the end of the log of {self.name}", *lines])

    def status(self):
        shown = run(BUILD / "libxfer/rdmaxferctl", "--run-dir", self.dir, "--json", "status")
        return json.loads(shown)[0]

    def session(self):
        """The one with the other node; {} where there is none."""
        return next(iter(self.status()["sessions"]), {})

    def path(self):
        """What its data path is: "verbs", "shm", or None."""
        return self.session().get("path", {}).get("kind")

    def kill(self):
        if self.task:
            self.task.end()

    def stop(self):
        """As an administrator would. It has to have lived until now, and to end well."""
        expect(self.task.alive(), f"{self.name} has ended by itself: {self.task.process.returncode}")
        self.task.end(signal.SIGTERM)
        expect(self.task.process.returncode == 0, f"{self.name} has ended with {self.task.process.returncode}")


class Owner(Node):
    """An rdmaxferd with a volume in memory."""

    def __init__(self, prefix=(), contact=CONTACT):
        super().__init__("owner", prefix)
        self.socket = f"unix:{self.dir}/rdmaxferd.sock"
        shutil.rmtree(VOLUME, ignore_errors=True)
        VOLUME.mkdir()
        (self.dir / "conf").write_text(f"""node = "owner";
listen = ( "0.0.0.0:{OWNER_PORT}", "{self.socket}" );
state_dir = "{self.dir}/state";
run_dir = "{self.dir}";
nodes = ( {{ name = "contact"; address = "{contact}"; insecure = true; uids = [ 0 ]; }} );
volumes = ( {{ name = "vol1"; path = "{VOLUME}"; nodes = [ "contact" ]; }} );
""", encoding="utf-8")

    def start(self):
        self.begin([BUILD / "libxfer/rdmaxferd", "--config", self.dir / "conf"], "listening at unix:")

    def sha256(self, name):
        """Of a file in the volume."""
        return hashlib.sha256((VOLUME / name).read_bytes()).hexdigest()


class Contact(Node):
    """A Ganesha that exports the volume of the owner."""

    def __init__(self, path="auto", prefix=(), options="", owner=f"{OWNER}:{OWNER_PORT}"):
        super().__init__("contact", prefix)
        (self.dir / "recovery").mkdir()
        self.link_plugins()
        (self.dir / "conf").write_text(f"""NFS_CORE_PARAM {{
    NFS_Port = {NFS_PORT}; MNT_Port = {MOUNT_PORT}; Rquota_Port = 0; NLM_Port = 0; Protocols = 3,4;
    Enable_NLM = false; Enable_RQUOTA = false; Enable_UDP = false; mount_path_pseudo = true; fsid_device = false;
    Plugins_Dir = "{self.dir}/plugins";
}}
NFSV4 {{ Graceless = true; Lease_Lifetime = 20; RecoveryBackend = fs; RecoveryRoot = "{self.dir}/recovery";
    Minor_Versions = 0,1,2; Only_Numeric_Owners = true; }}
NFS_KRB5 {{ Active_krb5 = false; }}
LOG {{ Default_Log_Level = EVENT; }}
EXPORT_DEFAULTS {{ Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Transports = TCP; }}
MDCACHE {{ Dir_Chunk = 0; }}
RDMAXFER {{ Node_Name = contact; Owners = "owner={owner} insecure"; Path = {path}; Run_Dir = "{self.dir}"; {options} }}
EXPORT {{ Export_Id = 1; Path = "/vol1"; Pseudo = "/vol1"; Protocols = 3,4; Attr_Expiration_Time = 0;
    FSAL {{ Name = RDMAXFER; Owner = owner; Volume = vol1; }} }}
""", encoding="utf-8")

    def link_plugins(self):
        plugins = self.dir / "plugins"
        plugins.mkdir()
        for plugin in PLUGINS.glob("*.so"):
            (plugins / plugin.name).symlink_to(plugin)
        module = plugins / "libfsalrdmaxfer.so"
        module.unlink(missing_ok=True)
        module.symlink_to(BUILD / "fsal_rdmaxfer/libfsalrdmaxfer.so")

    def start(self):
        """Until it serves, with a session to the owner."""
        start_rpcbind()
        since = len(self.log())
        self.begin(["/usr/bin/ganesha.nfsd", "-F", "-f", self.dir / "conf", "-L", self.log_file, "-p",
                    self.dir / "pid", "-N", "NIV_EVENT"], "NFS SERVER INITIALIZED")
        wait_until("there is a session", lambda: "with owner owner at" in self.log()[since:])


def start_rpcbind():
    if not pathlib.Path("/run/rpcbind.sock").exists():
        Task("/usr/sbin/rpcbind", "-f", "-w")
        wait_until("rpcbind listens", pathlib.Path("/run/rpcbind.sock").exists)


@contextlib.contextmanager
def running(*nodes):
    """Nodes that are started in this order, and stopped; their logs are shown when the scenario fails."""
    try:
        for node in nodes:
            node.start()
        yield
        for node in reversed(nodes):
            node.stop()
    except BaseException:
        for node in nodes:
            print(node.last_words(), flush=True)
        raise
    finally:
        for node in nodes:
            node.kill()


# --- Linux's NFS client ------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(version):
    """The export, by this version of NFS."""
    mount = MOUNTS / version
    mount.mkdir(exist_ok=True)
    options = f"vers={version},proto=tcp,port={NFS_PORT}"
    if version == "3":
        options += f",mountproto=tcp,mountport={MOUNT_PORT},nolock"
    run("mount", "-t", "nfs", "-o", options, f"{CONTACT}:/vol1", mount)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-f", "-l", mount], check=False)


def read_again(file):
    """What a file contains, from the server: the client's cache is emptied first."""
    with open(file, "rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return opened.read()


# --- devices ------------------------------------------------------------------------------------------


def verbs_objects():
    """How many of each kind the device has: queue pairs, memory regions and so on."""
    device, = json.loads(run("rdma", "-j", "resource", "show", DEVICE))
    return device


@contextlib.contextmanager
def apart():
    """A network namespace, which has no device: the command to run something there, its address, and ours on the way."""
    theirs, ours = "10.78.0.2", "10.78.0.1"
    run("ip", "netns", "add", "apart")
    try:
        run("ip", "link", "add", "apart0", "type", "veth", "peer", "name", "eth0", "netns", "apart")
        run("ip", "address", "add", f"{ours}/24", "dev", "apart0")
        run("ip", "link", "set", "apart0", "up")
        for words in f"address add {theirs}/24 dev eth0", "link set eth0 up", "link set lo up":
            run("ip", "-n", "apart", *words.split())
        yield ["ip", "netns", "exec", "apart"], theirs, ours
    finally:
        run("ip", "netns", "del", "apart")


@contextlib.contextmanager
def device_away():
    """rxe0 is removed; in the end it is made again. The kernel waits until all have closed it."""
    run("rdma", "link", "delete", DEVICE, seconds=END_SECONDS)
    try:
        yield
    finally:
        run("rdma", "link", "add", DEVICE, "type", "rxe", "netdev", INTERFACE)


@contextlib.contextmanager
def without_udp():
    """RoCE's packets don't reach this guest, others do."""
    run("tc", "qdisc", "add", "dev", INTERFACE, "clsact")
    try:
        # Not what leaves: rxe tries again without an end, with the processor to itself, when it is told of a drop.
        run("tc", "filter", "add", "dev", INTERFACE, "ingress", "protocol", "ip", "u32", "match", "ip", "protocol", "17", "0xff",
            "action", "drop")
        yield
    finally:
        run("tc", "qdisc", "delete", "dev", INTERFACE, "clsact")


@contextlib.contextmanager
def second_device():
    """Its name; it has addresses of its own."""
    name, interface = "rxe1", "second0"
    run("ip", "link", "add", interface, "mtu", MTU, "type", "dummy")
    try:
        for address in SECOND_ADDRESSES:
            run("ip", "address", "add", f"{address}/24", "dev", interface)
        run("ip", "link", "set", interface, "up")
        run("rdma", "link", "add", name, "type", "rxe", "netdev", interface)
        yield name
    finally:
        run("ip", "link", "delete", interface)


def pinning_limited(kib):
    """The command that runs another with a limit for pinned memory; root is above it, but for this capability."""
    limit = kib << 10
    return ["setpriv", "--bounding-set", "-ipc_lock", "prlimit", f"--memlock={limit}:{limit}", "--"]


# --- another guest -----------------------------------------------------------------------------------


class Peer(BaseManager):
    """The other guest: what is made there is used as if it were here."""


Peer.register("Owner", Owner)
Peer.register("Task", Task)


def peer(address=OWNER):
    """The other guest, as soon as it answers."""
    found = Peer((address, PEER_PORT), authkey=b"guest")

    def answers():
        try:
            found.connect()
        except OSError:
            return False
        return True

    wait_until("the other guest answers", answers)
    return found


def serve_peer(address=OWNER):
    Peer((address, PEER_PORT), authkey=b"guest").get_server().serve_forever()
