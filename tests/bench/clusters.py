# SPDX-License-Identifier: LGPL-3.0-or-later
# clusters.py -- what benchmarks measure: tests/cluster's clusters, and versions of NFS on them
"""A target is a kind of cluster: FSAL_VFS (the local limit), FSAL_PROXY_V4 (the same job as ours), and this FSAL, by
each path that file data can take. Benchmarks of another kind derive from Cluster."""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CLUSTER = HERE.parent / "cluster"
BUILD = pathlib.Path(os.environ.get("XFER_BUILD_DIR", HERE.parent.parent / "build")).resolve()
FSALS = ["vfs", "proxy_v4", "rdmaxfer"]
# With the options of tests/cluster up. Nodes have to be on one host for shared memory, and are by the Unix socket.
TARGETS = {
    "vfs": ["--fsal", "vfs"],
    "proxy_v4": ["--fsal", "proxy_v4"],
    "rdmaxfer": [],
    "inline": ["--path", "inline"],
    "shm": ["--path", "shm", "--control", "unix"],
}
OURS = ["rdmaxfer", "inline", "shm"]
AGAINST = "against"  # in the place of a target: one of ours of another build, or with another environment
RUN_SECONDS = 300
SKIPPED = 77
# What nfsload's list wants to find, instead of what is there from the last time; in the end on the disk, so that
# nothing of it disturbs the measurement. A name that was there before would be known to the servers still, with its old
# content.
POPULATE = """import os, pathlib, shutil, sys
path, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for old in path.parent.glob("bench-many-*"):
    shutil.rmtree(old)
os.umask(0)
path.mkdir(0o755)
for i in range(count):
    fd = os.open(f"{path}/entry-{i:06}", os.O_CREAT | os.O_WRONLY, 0o600 + i % 64)
    os.ftruncate(fd, i % 4096)
    os.close(fd)
os.sync()
"""


class Failure(Exception):
    """Something that the user has to be told."""


def say(text):
    print(text, flush=True)


def check_here():
    if os.geteuid() != 0:
        say("skipped: needs root, for network namespaces")
        sys.exit(SKIPPED)
    for tool, package in {"ganesha.nfsd": "nfs-ganesha", "rpcbind": "rpcbind", "ip": "iproute2"}.items():
        if not shutil.which(tool):
            say(f"skipped: {tool} is missing (apt-get install {package})")
            sys.exit(SKIPPED)
    if not (BUILD / "tests/bench/nfsload").exists():
        raise Failure(f"{BUILD}/tests/bench/nfsload is missing: "
            "build first, or name the build folder in XFER_BUILD_DIR")


class Cluster:
    """One of tests/cluster's, in a state folder of its own."""

    more = []  # options of tests/cluster up

    def __init__(self, name, directory, like=None, build=BUILD, environment=()):
        self.name, self.dir, self.values = name, directory / name, {}
        self.like = like or name  # the target whose options it has
        self.build, self.environment = build, dict(environment)
        self.populated = 0

    @property
    def ours(self):
        return self.like in OURS

    @property
    def versions(self):
        """Of NFS, that it serves."""
        return [4] if self.like == "proxy_v4" else [3, 4]

    def up(self, store):
        options = ["--store", store, "--build", self.build, *TARGETS[self.like], *self.more]
        command, environment = [CLUSTER, "up", "--dir", self.dir, *options], {**os.environ, **self.environment}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            raise Failure(done.stderr.strip() or f"tests/cluster up {shlex.join(TARGETS[self.like])} failed")
        words = (word.partition("=") for word in shlex.split(done.stdout))
        self.values = {name: value for name, _, value in words}

    def down(self):
        subprocess.run([CLUSTER, "down", "--dir", self.dir], check=False)

    def command(self, node, *words):
        """What runs it on a node."""
        return [CLUSTER, "exec", "--dir", self.dir, node, "--", *words]

    def daemons(self):
        """The process id of each node's server."""
        done = subprocess.run([CLUSTER, "pids", "--dir", self.dir], capture_output=True, text=True, check=True)
        return {node: int(pid) for node, pid in (line.split() for line in done.stdout.splitlines())}

    def pids(self):
        return ",".join(str(pid) for pid in self.daemons().values())

    def status(self, node):
        """What a node's daemon, one of ours, says."""
        command = [BUILD / "libxfer/rdmaxferctl", "--run-dir", self.dir / node, "--json", "status"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)[0]

    def populate(self, entries):
        """Makes the directory that is listed, another one each time, behind all servers' backs; its name."""
        self.populated += 1
        name = f"bench-many-{self.populated}"
        command = [sys.executable, "-c", POPULATE, f"{self.values['VOLUME1']}/{name}", str(entries)]
        subprocess.run(self.command("owner1", *command), check=True)
        return name

    def nfsload(self, nfs, command, arguments, export=1):
        """What runs it on the client."""
        return self.command(
            "client", BUILD / "tests/bench/nfsload", command, "--json",
            "--nfs", str(nfs), "--host", self.values["POC1_ADDR"], "--port", self.values["NFS_PORT"],
            "--mount-port", self.values["MNT_PORT"], "--export", self.values[f"EXPORT{export}"], *arguments,
        )

    def load(self, nfs, arguments, command="io"):
        """nfsload's results, one for each line it printed."""
        command = self.nfsload(nfs, command, arguments)
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} v{nfs}: no end after {RUN_SECONDS} s of {shlex.join(arguments)}") from None
        if done.returncode:
            raise Failure(f"{self.name} v{nfs}: {done.stderr.strip()} ({shlex.join(arguments)})")
        return [json.loads(line) for line in done.stdout.splitlines()]


class Target:
    """A cluster reached by one version of NFS, and what was measured on it."""

    def __init__(self, cluster, nfs):
        self.cluster, self.nfs = cluster, nfs
        self.name = f"{cluster.name} v{nfs}"
        self.runs = {}

    def measure(self, workload, args):
        arguments = workload.arguments(args)
        if workload.command == "io":
            arguments += ["--cpu-of", self.cluster.pids()]
        if workload.command == "list":
            arguments += ["--dir", self.cluster.populate(args.entries)]
        results = self.cluster.load(self.nfs, arguments, workload.command)
        if workload.command == "list":
            for result in results:
                result["entries/s"] = args.entries / result["seconds"]
        if len(results) != len(workload.parts):
            raise Failure(f"{self.name}: {len(results)} results of {workload.name} instead of {len(workload.parts)}")
        for part, result in zip(workload.parts, results):
            self.runs.setdefault(part.name, []).append(result)
        return results
