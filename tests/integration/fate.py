# SPDX-License-Identifier: LGPL-3.0-or-later
# fate.py -- SERVER OTHER NFS-PORT MOUNT-PORT EXPORT=OWNER=VOLUME...: what was under way when an export went
"""Clients at SERVER have operations under way at two owners that are stopped: one for so long that it is taken for dead, one
since a moment ago. Their exports go, so that each operation ends with an I/O error. Then the owners go on, and clients at OTHER
change again what the operations were about. Whatever happens from now on, with the exports there again, and with other
processes for owners: that change stays."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from patient import Cluster, Patience  # first: it finds the modules below
from nfs4 import BOTH_ACCESS, create
from suite import Failed
from xdr import Record

server, other, nfs_port, mount_port, *exports = sys.argv[1:]
DETECTION_SECONDS = 6
END_SECONDS = 10  # for operations to fail, and exports to be read again
SESSION_SECONDS = 20  # for owners to lose a session, or to have it again
SETTLE_SECONDS = 1  # for what was sent to be carried out
OLD, NEW = b"old" * 1000, b"new" * 1000
cluster, state = Cluster(True), pathlib.Path(os.environ["CLUSTER_DIR"])
config = state / "poc1/ganesha.conf"


def until(seconds, condition, otherwise):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"{otherwise} after {seconds} s")
        time.sleep(0.05)


class Operation(threading.Thread):
    """One that is under way; afterwards `status` is its answer."""

    def __init__(self, name, act):
        super().__init__(daemon=True)
        self.name, self.act, self.status = name, act, None

    def run(self):
        try:
            self.act()
            self.status = "OK"
        except Failed as problem:
            self.status = (problem.status or str(problem)).removeprefix("NFS4ERR_")


class Export:
    """Its files, and what is under way."""

    FILES = ("written", "written4", "shortened")

    def __init__(self, text):
        self.path, self.owner, volume = text.split("=")
        self.volume = pathlib.Path(volume)
        self.elsewhere = Patience(other, nfs_port, mount_port, self.path).client("v3")
        here = Patience(server, nfs_port, mount_port, self.path)
        here.target.name += self.path.strip("/")  # of clients: one may not be another's
        self.operations = self.prepare(here)

    def prepare(self, here):
        """Each has a client, and so a connection, of its own. Attributes are known, from refresh() on for a second, so that
        the owner is asked for nothing before that."""
        clients = [here.client("v3") for _ in range(3)]
        one = here.client("v40")
        written, shortened = (clients[0].create(clients[0].home, name).handle for name in (b"written", b"shortened"))
        opened = one.open_file(b"written4", how=create(attrs=Record(mode=0o666)), access=BOTH_ACCESS)
        one.write(opened.handle, bytes(len(OLD)), stateid=opened.stateid)

        def refresh():
            for handle in (written, shortened):
                clients[0].write(handle, 0, bytes(len(OLD)))
        self.refresh = refresh
        return [
            Operation("WRITE over v3", lambda: clients[0].write(written, 0, OLD)),
            Operation("SETATTR", lambda: clients[1].setattr(shortened, size=5)),
            Operation("MKDIR", lambda: clients[2].mkdir(clients[2].home, b"made")),
            Operation("WRITE over v4", lambda: one.write(opened.handle, OLD, stateid=opened.stateid)),
        ]

    def all_hang(self):
        return all(one.is_alive() for one in self.operations)

    def connected(self):
        """SERVER, at the owner."""
        command = [os.path.join(os.environ["XFER_BUILD_DIR"], "libxfer", "rdmaxferctl"), "--run-dir", state / self.owner,
                   "--json", "status"]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)[0]
        return any(one["state"] == "up" for one in told["sessions"] if one["peer"] == "poc1")

    def change_again(self):
        """By somebody who knows what has come of it."""
        home = self.elsewhere.home
        for name in self.FILES:
            handle = self.elsewhere.lookup(home, name.encode()).handle
            self.elsewhere.write(handle, 0, NEW)
        if (self.volume / "made").exists():
            self.elsewhere.rmdir(home, b"made")

    def changed(self):
        """What isn't as it was left, at the owner."""
        wrong = [name for name in self.FILES if (self.volume / name).read_bytes() != NEW]
        return wrong + [name for name in ("made",) if (self.volume / name).exists()]


def reread(text):
    """The point of contact's exports become those."""
    log = state / "logs/poc1.ganesha.log"

    def count():
        return log.read_text(encoding="utf-8", errors="replace").count("Reread exports complete")
    before = count()
    config.write_text(text, encoding="utf-8")
    pids = subprocess.run([os.path.join(os.environ["XFER_SOURCE_DIR"], "tests/cluster"), "pids"], check=True,
                          capture_output=True, text=True).stdout
    os.kill(int(dict(line.split() for line in pids.splitlines())["poc1"]), signal.SIGHUP)
    until(END_SECONDS, lambda: count() > before, "the exports aren't read again")


def main():
    all_of_them = config.read_text(encoding="utf-8")
    gone = [Export(text) for text in exports]
    for number, export in enumerate(gone):
        export.refresh()
        cluster.run("stop", export.owner)
        for operation in export.operations:
            operation.start()
        time.sleep(0.5 if number else DETECTION_SECONDS)
    for export in gone:
        if not export.all_hang():
            sys.exit(f"answered already: {[(one.name, one.status) for one in export.operations if not one.is_alive()]}")
    reread("".join(line for line in all_of_them.splitlines(True)
                   if not any(line.startswith("EXPORT {") and f'Path = "{one.path}"' in line for one in gone)))
    for export in gone:
        until(END_SECONDS, lambda: not any(one.is_alive() for one in export.operations), "operations don't end")
        print(f"   {export.owner}: " + ", ".join(f"{one.name} {one.status}" for one in export.operations), flush=True)
    if wrong := [one.name for export in gone for one in export.operations if one.status != "IO"]:
        sys.exit(f"not an I/O error: {wrong}")
    for export in gone:
        cluster.run("cont", export.owner)
    for export in gone:
        until(SESSION_SECONDS, lambda: not export.connected(), f"{export.owner} is still connected")
    time.sleep(SETTLE_SECONDS)
    for export in gone:
        export.change_again()
    reread(all_of_them)
    for export in gone:
        until(SESSION_SECONDS, export.connected, f"{export.owner} isn't connected again")
    cluster.restart(*(export.owner for export in gone))
    for export in gone:
        until(SESSION_SECONDS, export.connected, f"the next {export.owner} isn't connected")
    time.sleep(SETTLE_SECONDS)
    if wrong := [f"{name} of {export.path}" for export in gone for name in export.changed()]:
        sys.exit(f"isn't as it was left: {', '.join(wrong)}")


main()
