# SPDX-License-Identifier: LGPL-3.0-or-later
# files.py -- what clients do with files in a guest: all that they are told and read is checked
import contextlib
import os
import random
import threading

from guest import BUILD, CONTACT, MOUNT_PORT, NFS_PORT, VOLUME, Failed, expect, read_again, run, say, wait_until

SIZES = (0, 1, 511, 4096, 20000, 65536, (1 << 20) + 1, 8 << 20)
BLOCK_BYTES, BLOCKS = 256 << 10, 16
LOAD_SECONDS = 120
LOAD_OPERATIONS = 12  # of each client, to believe that it goes on
BASE = random.Random(1).randbytes(8 << 20)


def content(size, *of):
    """Bytes that tell where they belong: a part of BASE that begins where `of` says."""
    start = random.Random(repr(of)).randrange(len(BASE))
    return (BASE[start:] + BASE * (size // len(BASE) + 1))[:size]


def copy_all(mount):
    """Files of several sizes: written, read back from the server, and found in the volume."""
    for size in SIZES:
        data, name = content(size, "copy", mount, size), f"copy-{size}"
        (mount / name).write_bytes(data)
        expect(read_again(mount / name) == data, f"{name} comes back with other bytes")
        expect((VOLUME / name).read_bytes() == data, f"{name} has other bytes in the volume")
        (mount / name).unlink()
    say(f"{len(SIZES)} files of up to {max(SIZES)} bytes")


def nfsload(*options):
    """The load generator, which compares all that it reads, on one file; for exact numbers of operations."""
    return run(BUILD / "tests/bench/nfsload", f"--host={CONTACT}", f"--port={NFS_PORT}", f"--mount-port={MOUNT_PORT}",
               "--export=/vol1", *options, "io", seconds=LOAD_SECONDS)


class Client(threading.Thread):
    """Writes blocks of its file and reads them back, past the kernel's cache, until it is told to stop."""

    def __init__(self, mount, volume):
        super().__init__(daemon=True)
        self.file = mount / f"load-{mount.name}"
        self.files = [self.file, volume / self.file.name] if volume else [self.file]
        self.random, self.written = random.Random(mount.name), {}
        self.operations, self.stop, self.problem = 0, threading.Event(), None

    def run(self):
        try:
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_DIRECT, 0o644)
            while not self.stop.is_set():
                self.act(descriptor)
                self.operations += 1
            os.close(descriptor)
        except Exception as problem:  # noqa: B902  a thread has nobody else who would see it
            self.problem = problem

    def act(self, descriptor):
        block = self.random.randrange(BLOCKS)
        if block in self.written and self.random.random() < 0.4:
            found = os.pread(descriptor, BLOCK_BYTES, block * BLOCK_BYTES)
            expect(found == self.written[block], f"block {block} comes back with other bytes")
            return
        data = content(BLOCK_BYTES, self.file, block, self.operations)
        done = os.pwrite(descriptor, data, block * BLOCK_BYTES)
        expect(done == len(data), f"{done} bytes of {len(data)} were written")
        self.written[block] = data

    def check(self):
        """What it was told against what there is."""
        if self.problem:
            raise Failed(f"{self.file}: after {self.operations} operations: {self.problem}") from self.problem
        for file in self.files:
            data = read_again(file)
            for block, written in self.written.items():
                found = data[block * BLOCK_BYTES:(block + 1) * BLOCK_BYTES]
                expect(found == written, f"{file}: block {block} has other bytes")


class Load:
    """Clients, one on each mount."""

    def __init__(self, mounts, volume):
        self.clients = [Client(mount, volume) for mount in mounts]

    def goes_on(self, operations=LOAD_OPERATIONS):
        """Until each client has done so many more."""
        goals = [client.operations + operations for client in self.clients]

        def reached():
            return any(client.problem for client in self.clients) or all(
                client.operations >= goal for client, goal in zip(self.clients, goals))

        wait_until("all clients go on", reached)
        for client in self.clients:
            expect(not client.problem, f"{client.file}: {client.problem}")


@contextlib.contextmanager
def write_under_way(*mounts, volume=VOLUME):
    """Clients at work on the mounts; when they have ended, all their bytes are compared, in the volume, too, if it is here."""
    load = Load(mounts, volume)
    for client in load.clients:
        client.start()
    try:
        yield load
    finally:
        for client in load.clients:
            client.stop.set()
    for client in load.clients:
        client.join(60)
        expect(not client.is_alive(), f"{client.file}: an operation doesn't end")
    for client in load.clients:
        client.check()
    say(" and ".join(f"{client.operations} operations on {client.file}" for client in load.clients))
