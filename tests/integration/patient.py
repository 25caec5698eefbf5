# SPDX-License-Identifier: LGPL-3.0-or-later
# patient.py -- raw clients of all versions that ask again while a server is away, and count how often
"""Patience(server, nfs_port, mount_port, export).client("v40") is an environment of the conformance suite that answers
JUKEBOX and NFS4ERR_DELAY by asking again, and remembers no replies. Cluster ends and starts the daemons."""
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
sys.path.insert(0, os.path.join(TESTS, "conformance"))
import nfs3  # noqa: E402
import nfs40  # noqa: E402
import nfs41  # noqa: E402
from nfs4 import STATUS  # noqa: E402
from rpc import Tape  # noqa: E402
from suite import Failed, Target  # noqa: E402

PATIENCE_SECONDS = 40
PAUSE_SECONDS = 0.02
JUKEBOX = nfs3.Status.values["JUKEBOX"]
DELAY = STATUS.values["NFS4ERR_DELAY"]


class Blank(Tape):
    """Large listings needn't be kept."""

    def note(self, *_what):
        pass


class Unchecked:
    """Instead of the suite's Checker, which remembers each object."""

    supported = None

    def compound(self, *_what):
        pass


def again(ask, delayed, count):
    """ask() until its answer isn't delayed; count() for each time that it was."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while delayed(answer := ask()):
        if time.monotonic() > deadline:
            raise Failed(f"still DELAY after {PATIENCE_SECONDS} s")
        count()
        time.sleep(PAUSE_SECONDS)
    return answer


class Patient3(nfs3.Nfs3):
    count = None

    def call(self, procedure, want="OK", /, **arguments):
        ask = super().call
        return again(lambda: ask(procedure, f"{want} JUKEBOX", **arguments),
                     lambda answer: answer.status == JUKEBOX, self.count)


class Patient4:
    """Operations with an owner's sequence number are sent once: it was used up by the DELAY."""

    count = None

    def compound(self, *ops, **options):
        ask = super().compound
        sequenced = self.version == "v40" and any(op.argop in nfs40.SEQUENCED for op in ops)
        return again(lambda: ask(*ops, **options), lambda answer: answer.status == DELAY and not sequenced, self.count)


class Patient40(Patient4, nfs40.Nfs40):
    pass


class Patient41(Patient4, nfs41.Nfs41):
    pass


KINDS = {"v3": Patient3, "v40": Patient40, "v41": Patient41, "v42": Patient41}


class Patience:
    """Makes clients of one export. What is answered DELAY is counted by version, in all processes."""

    kinds = KINDS

    def __init__(self, server, nfs_port, mount_port, export):
        self.target = Target(server, int(nfs_port), int(mount_port), export, f"patient-{os.getpid()}")
        self.counts = {version: multiprocessing.Value("Q", 0) for version in self.kinds}
        self.numbers = itertools.count(1)

    def count(self, version):
        with self.counts[version].get_lock():
            self.counts[version].value += 1

    def delays(self):
        return {version: count.value for version, count in self.counts.items()}

    def client(self, version):
        """A new client with a new connection; .home is the export's root."""
        env = self.kinds[version](self.target, version, Blank())
        env.count = lambda: self.count(version)
        env.open()
        if version == "v3":
            env.model = None
            env.home = env.mount_call("MNT", path=self.target.export.encode()).handle
        else:
            env.checker = Unchecked()
            env.enter(f"client-{next(self.numbers)}")
            env.home = env.lookup(None, *(part.encode() for part in self.target.export.split("/") if part))
        return env


class Cluster:
    """tests/cluster, on the running one."""

    def __init__(self, owners):
        self.owners = owners

    @staticmethod
    def run(*words):
        subprocess.run([os.path.join(TESTS, "cluster"), *words], check=True, timeout=60)

    def restart(self, *nodes):
        """Kills daemons, then starts them, owners first. Where FSAL_VFS serves there are none."""
        nodes = sorted(node for node in nodes if self.owners or not node.startswith("owner"))
        for action in ("kill", "start"):
            for node in nodes:
                self.run(action, node)

    def readdirs(self):
        """How many READDIRs the owner was asked; 0 without one."""
        if not self.owners:
            return 0
        control = os.path.join(os.environ["XFER_BUILD_DIR"], "libxfer", "rdmaxferctl")
        told = subprocess.run([control, "--run-dir", os.path.join(os.environ["CLUSTER_DIR"], "owner1"), "--json",
                               "status"], check=True, capture_output=True, timeout=60)
        return json.loads(told.stdout)[0]["counters"]["rpcs"].get("READDIR", 0)
