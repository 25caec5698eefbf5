# SPDX-License-Identifier: LGPL-3.0-or-later
# fenced.py -- SERVER NFS-PORT MOUNT-PORT EXPORT VOLUME: the volume's file system hangs, its owner is killed
"""Clients of v3 and v4.0 write numbers to a file each. What the owner's dead process has under way may still come to the disk; so its
successor may not serve before it is gone. In the end each file says the number that was acknowledged last."""
import os
import pathlib
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "fault"))
from clients import Lasting, TESTS  # noqa: E402
from patient import Cluster  # noqa: E402

server, nfs_port, mount_port, export, volume = sys.argv[1:]
LOCK_SECONDS = 10  # that a successor waits for
GO_ON_SECONDS = 30
BYTES = 65536
cluster = Cluster(True)


class Writer(threading.Thread):
    def __init__(self, lasting, version):
        super().__init__(daemon=True)
        self.file, self.client = f"number-{version}", lasting.client(version)
        self.written, self.stop, self.problem = 0, threading.Event(), None

    def run(self):
        try:
            self.client.open(self.file.encode())
            while not self.stop.is_set():
                self.client.write(0, struct.pack(">Q", self.written + 1) * (BYTES // 8), True)
                self.written += 1
        except Exception as problem:  # noqa: B902  a thread has nobody else who would see it
            self.problem = f"{self.file}: {type(problem).__name__}: {problem}"

    def on_disk(self):
        return set(struct.unpack(f">{BYTES // 8}Q", (pathlib.Path(volume) / self.file).read_bytes()))


writers = [Writer(Lasting(server, nfs_port, mount_port, export), version) for version in ("v3", "v40")]


def numbers():
    return [one.written for one in writers]


def go_on():
    """All of them write something new."""
    before, deadline = numbers(), time.monotonic() + GO_ON_SECONDS
    while any(now <= then for now, then in zip(numbers(), before)):
        if time.monotonic() > deadline or any(one.problem for one in writers):
            sys.exit(f"the clients don't go on: {numbers()}, {[one.problem for one in writers if one.problem]}")
        time.sleep(0.02)


def freeze(how):
    cluster.run("exec", "owner1", "--", "fsfreeze", how, volume)


def start():
    done = subprocess.run([os.path.join(TESTS, "cluster"), "start", "owner1"], capture_output=True, text=True,
                          timeout=60, check=False)
    return done.returncode, done.stderr


def main():
    for one in writers:
        one.start()
    go_on()
    freeze("-f")
    try:
        time.sleep(0.5)
        hanging = numbers()
        cluster.run("kill", "owner1")
        since = time.monotonic()
        failed, said = start()
        seconds = time.monotonic() - since
        if not failed or "is locked by process" not in said:
            sys.exit(f"a successor began beside its predecessor, or didn't say why not: {said}")
        if seconds < LOCK_SECONDS - 1:
            sys.exit(f"it waited only {seconds:.1f} s for its predecessor")
        if numbers() != hanging:
            sys.exit(f"writes were acknowledged meanwhile: {hanging}, then {numbers()}")
    finally:
        freeze("-u")
    failed, said = start()
    if failed:
        sys.exit(f"the owner doesn't come back: {said}")
    go_on()
    for one in writers:
        one.stop.set()
        one.join(GO_ON_SECONDS)
    wrong = [f"{one.file}: {one.on_disk()} instead of {one.written}" for one in writers if one.on_disk() != {one.written}]
    print(f"   {hanging} writes before, {numbers()} in the end", flush=True)
    sys.exit("; ".join(wrong) or 0)


main()
