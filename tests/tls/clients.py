# SPDX-License-Identifier: LGPL-3.0-or-later
# clients.py -- what the tests' clients share: where all is, and NFS over connections of any kind
"""The arguments of each script: ADDRESS NFS_PORT MNT_PORT EXPORT WORK TUNNEL, and its own."""

import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance"))
import rpctls  # noqa: E402
from nfs3 import FILE_SYNC, MOUNT_PROGRAM, NFS_PROGRAM, UNCHECKED, sattr  # noqa: E402
from nfs4 import ANONYMOUS, LOOKUP, NFS4, PUTROOTFH, READ  # noqa: E402
from rpc import Connection, Tape  # noqa: E402
from xdr import Record  # noqa: E402

ADDRESS, NFS_PORT, MNT_PORT, EXPORT, WORK, TUNNEL = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:7]
ARGUMENTS = sys.argv[7:]
CA = f"{WORK}/certs/ca.pem"
NFS, MOUNT = (100003, 3), (100005, 3)
SIZES = (1, 3, 100, 4096, 65536, 300000)
LATER = 10008  # NFS3ERR_JUKEBOX, NFS4ERR_DELAY: what a crowd is told when many wait for the owner already


def fail(text):
    sys.exit(f"FAILED: {text}")


def identity(name, folder="certs"):
    return f"{WORK}/{folder}/{name}.pem", f"{WORK}/{folder}/{name}.key"


def client_of(kind, certificate=()):
    """openssl, gnutls, or plain: None."""
    if kind == "plain":
        return None
    return rpctls.Client(CA, ADDRESS, certificate, TUNNEL if kind == "gnutls" else None)


def connection(client, port=NFS_PORT, program=NFS):
    made = Connection(ADDRESS, port, Tape())
    if client:
        made.socket = client.start(made.socket, *program)
    return made


def ask(wire, program, procedure, arguments):
    """As clients do: what may be asked later is asked later."""
    while (found := wire.call(program, procedure, arguments)).status == LATER:
        time.sleep(0.05)
    return found


def mount(client):
    """The export's root, by a connection of its own."""
    wire = connection(client, MNT_PORT, MOUNT)
    found = wire.call(MOUNT_PROGRAM, "MNT", Record(path=EXPORT.encode()))
    wire.close()
    if found.status:
        fail(f"MNT is answered {found.status}")
    return found.handle


class File:
    """A file of the export's root, written and read by v3 and read by v4."""

    def __init__(self, client, name):
        self.name, self.root, self.wire = name, mount(client), connection(client)
        how = Record(how=UNCHECKED, attributes=sattr(mode=0o644))
        made = ask(self.wire, NFS_PROGRAM, "CREATE", Record(dir=self.root, name=name, how=how))
        if made.status:
            fail(f"CREATE is answered {made.status}")
        self.handle = made.handle

    def compound(self, *ops):
        found = ask(self.wire, NFS4, "COMPOUND", Record(tag=b"", minorversion=0, argarray=list(ops)))
        if found.status:
            fail(f"a COMPOUND is answered {found.status}")
        return found.resarray[-1]

    def turn(self, chance):
        """Something is written, and found there by both versions."""
        size, offset = chance.choice(SIZES), chance.randrange(1 << 20)
        data = chance.randbytes(size)
        wrote = ask(self.wire, NFS_PROGRAM, "WRITE",
                    Record(object=self.handle, offset=offset, count=size, stable=FILE_SYNC, data=data))
        read = ask(self.wire, NFS_PROGRAM, "READ", Record(object=self.handle, offset=offset, count=size))
        if wrote.status or wrote.count != size or read.status or read.data != data:
            fail(f"{size} bytes at {offset} of {self.name}: WRITE {wrote.status}, READ {read.status}, or other data")
        some = self.compound(PUTROOTFH(), LOOKUP(EXPORT[1:].encode()), LOOKUP(self.name),
                             READ(ANONYMOUS, offset, min(size, 65536)))
        if some.data != data[:65536]:
            fail(f"{size} bytes at {offset} of {self.name}: v4 reads others")

    def close(self):
        self.wire.close()


def at_once(count, work):
    """work(number, its own chance), by so many threads; all of them have to come through."""
    problems = []

    def one(number):
        try:
            work(number, random.Random(number))
        except BaseException as problem:  # noqa: B902  a SystemExit of fail(), too
            problems.append(f"{number}: {problem!r}")
    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        fail(f"{len(problems)} of {count}: {'; '.join(problems[:3])}")
