# SPDX-License-Identifier: LGPL-3.0-or-later
# clients.py -- NFS clients that go on when servers die: they connect again, send again, and recover their state
"""Lasting(target).client("v41") is a raw client of one version with the calls that the kill test needs:

    open(name)                       makes and opens the client's file
    write(offset, data, stable)      (stable, write verifier)
    commit()                         write verifier
    read(offset, count)              bytes
    mkdir(name), rmdir(name), rename(name, to), lookup(name)

Each answers when the server has done it, or raises Failed with the server's status. A call that was under way when a
connection ended is sent again as it was (v3 and v4.0: same xid; v4.1: same slot and sequence number); DELAY is asked
again; a server that has forgotten the client is told of it anew, and of its open file."""

import os
import socket
import sys
import time

sys.dont_write_bytecode = True
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
sys.path.insert(0, os.path.join(TESTS, "integration"))
from patient import Patience, Patient3, Patient40, Patient41  # noqa: E402  first: it finds the modules below
import nfs3  # noqa: E402
from nfs4 import (COMMIT, CREATE, FILE_SYNC, LOOKUP, PUTFH, READ, REMOVE, RENAME, SAVEFH, UNCHECKED, UNSTABLE, WRITE,  # noqa: E402
                  create)
from nfs4attr import NF4DIR  # noqa: E402
from rpc import Connection, RpcError, Tape  # noqa: E402
from suite import Failed  # noqa: E402
from xdr import Record  # noqa: E402

ANSWER_SECONDS = 60  # within which a server has to be back and answer
RETRY_SECONDS = 0.02

# What a server that was started again answers to a client that it doesn't know.
FORGOTTEN = {f"NFS4ERR_{name}" for name in (
    "STALE_CLIENTID", "STALE_STATEID", "BAD_STATEID", "EXPIRED", "BADSESSION", "DEADSESSION", "GRACE", "OLD_STATEID")}


class LastingConnection(Connection):
    """Connects again, and sends what has no answer yet once more."""

    def __init__(self, address, port):
        self.where, self.tape, self.timeout = (address, port), Tape(), ANSWER_SECONDS
        self.xid, self.socket = int.from_bytes(os.urandom(4), "big"), None

    def connect(self):
        self.socket = socket.create_connection(self.where, self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, prog, vers, proc, request):
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                if not self.socket:
                    self.connect()
                self.send_record(request)
                while (record := self.receive_record())[:4] != request[:4]:
                    pass
                return record[4:]
            except (OSError, RpcError) as problem:
                self.close()
                if time.monotonic() > deadline:
                    raise Failed(f"no answer within {ANSWER_SECONDS} s: {problem}", "TIMEOUT") from problem
                time.sleep(RETRY_SECONDS)


class Lasting3(Patient3):
    def open(self):
        self.wires.nfs = LastingConnection(self.target.server, self.target.port)


class Lasting4:
    def connect(self):
        self.connections.append(LastingConnection(self.target.server, self.target.port))
        return self.connections[-1]


class Lasting40(Lasting4, Patient40):
    pass


class Lasting41(Lasting4, Patient41):
    pass


class Client3:
    def __init__(self, env):
        self.env, self.handle = env, None

    def open(self, name):
        self.handle = self.env.create(self.env.home, name).handle

    def write(self, offset, data, stable):
        got = self.env.write(self.handle, offset, data, nfs3.FILE_SYNC if stable else nfs3.UNSTABLE)
        if got.count != len(data):
            raise Failed(f"{got.count} of {len(data)} bytes written", "SHORT")
        return got.committed != nfs3.UNSTABLE, got.verf

    def commit(self):
        return self.env.commit(self.handle).verf

    def read(self, offset, count):
        return self.env.read(self.handle, offset, count).data

    def mkdir(self, name):
        self.env.mkdir(self.env.home, name)

    def rmdir(self, name):
        self.env.rmdir(self.env.home, name)

    def rename(self, name, to):
        self.env.rename(self.env.home, name, self.env.home, to)

    def lookup(self, name):
        self.env.lookup(self.env.home, name)


class Client4:
    def __init__(self, env):
        self.env, self.name, self.opened = env, None, None

    def open(self, name):
        self.name = name
        self.lasting(self.open_again)

    def open_again(self):
        how = create(UNCHECKED, Record(mode=0o644))
        self.opened = self.env.open_file(self.name, directory=self.env.home, how=how)

    def recover(self):
        """The server has started again: a client as it begins, and its open. What was open there is closed."""
        self.env.enter(f"client-{id(self)}-{time.monotonic_ns()}")
        if self.name:
            self.open_again()

    def lasting(self, act):
        """act(), after recovery where that is needed, however often."""
        deadline = time.monotonic() + ANSWER_SECONDS
        forgotten = False
        while True:
            try:
                if forgotten:
                    self.recover()
                return act()
            except Failed as problem:
                if problem.status == "NFS4ERR_DELAY":  # of an operation that Patient doesn't repeat
                    time.sleep(RETRY_SECONDS)
                elif problem.status in FORGOTTEN:
                    forgotten = True
                else:
                    raise Failed(str(problem), problem.status.removeprefix("NFS4ERR_")) from problem
                if time.monotonic() > deadline:
                    raise

    def ok(self, *ops):
        """ops: made anew for each try, because a stateid may be another one by then."""
        return self.lasting(lambda: self.env.ok(*(op() if callable(op) else op for op in ops)))

    def write(self, offset, data, stable):
        how = FILE_SYNC if stable else UNSTABLE
        got = self.ok(lambda: PUTFH(self.opened.handle), lambda: WRITE(self.opened.stateid, offset, how, data))["WRITE"]
        if got.count != len(data):
            raise Failed(f"{got.count} of {len(data)} bytes written", "SHORT")
        return got.committed != UNSTABLE, got.writeverf

    def commit(self):
        return self.ok(lambda: PUTFH(self.opened.handle), COMMIT(0, 0))["COMMIT"].writeverf

    def read(self, offset, count):
        return self.ok(lambda: PUTFH(self.opened.handle), lambda: READ(self.opened.stateid, offset, count))["READ"].data

    def mkdir(self, name):
        self.ok(PUTFH(self.env.home), CREATE(Record(type=NF4DIR), name, Record(mode=0o755)))

    def rmdir(self, name):
        self.ok(PUTFH(self.env.home), REMOVE(name))

    def rename(self, name, to):
        self.ok(PUTFH(self.env.home), SAVEFH(), RENAME(name, to))

    def lookup(self, name):
        self.ok(PUTFH(self.env.home), LOOKUP(name))


class Lasting(Patience):
    kinds = {"v3": Lasting3, "v40": Lasting40, "v41": Lasting41}

    def client(self, version):
        env = super().client(version)
        return Client3(env) if version == "v3" else Client4(env)
