# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs4env.py -- what environments of all minor versions of NFS v4 share: a COMPOUND, its reply, and helpers around them
"""env.compound(*ops) sends one COMPOUND and returns a Reply; env.ok(*ops) wants NFS4_OK; env.fails(names, *ops) wants
the last of ops, and no other, to fail with one of these statuses. The Checker (nfs4check.py) sees every reply."""

import hashlib

from nfs4 import (CREATE, FILE_SYNC, GETATTR, GETFH, LOOKUP, NFS4, PUTFH, PUTROOTFH, READ, READDIR, REMOVE, SETATTR,
                  STATUS, WRITE, ANONYMOUS, NUMBER_OF, VERSION, PROGRAM, CompoundArgs, op_name)
from nfs4attr import NF4DIR, NF4REG
from nfs4check import Checker
from rpc import ROOT, Connection, Tape
from suite import Environment, Failed, expect
from xdr import Record

MINOR = {"v40": 0, "v41": 1, "v42": 2}


def verifier_of(name):
    """8 bytes that belong to a name."""
    return hashlib.sha256(name.encode() if isinstance(name, str) else name).digest()[:8]


class Reply:
    """The results of a COMPOUND: reply[0], reply["GETFH"] (the last one of that operation), reply.status."""

    def __init__(self, status, results, sequence=None):
        self.status, self.results, self.sequence = status, results, sequence

    def __getitem__(self, key):
        if isinstance(key, int):
            return self.results[key]
        found = [res for res in self.results if res.resop == NUMBER_OF[key]]
        if not found:
            raise Failed(f"no result of {key}: the compound ended with {self}")
        return found[-1]

    def __len__(self):
        return len(self.results)

    def __repr__(self):
        last = f" of {op_name(self.results[-1].resop)}" if self.results else ""
        return STATUS.name(self.status) + last

    def expect(self, *names):
        if STATUS.name(self.status) not in names:
            raise Failed(f"{self} instead of {' or '.join(names)}", STATUS.name(self.status))
        return self


class Nfs4(Environment):
    """The common part of the environments. Subclasses define compound() and begin()."""

    def open(self):
        self.minor = MINOR[self.version]
        self.tag = b"conformance"
        self.checker = Checker(self.version)
        self.connections = []
        self.connection = self.connect()

    def connect(self):
        """Another connection; close() ends it."""
        self.connections.append(Connection(self.target.server, self.target.port, self.tape))
        return self.connections[-1]

    def close(self):
        for connection in getattr(self, "connections", []):
            connection.close()

    def off_tape(self, goodbye):
        """Calls goodbye() for calls that belong to no test: they aren't recorded, and their failure is nobody's."""
        if self.tape.replaying:
            return
        for connection in self.connections:
            connection.tape = Tape()
        try:
            goodbye()
        except Exception:  # noqa: B902  the test is over: whatever happens now says nothing about it
            return

    # --- sending ---

    def send(self, ops, *, credential=ROOT, connection=None, minor=None, tag=None, check=True):
        """One COMPOUND as it is. check=False leaves out the checks that need to know what happened before."""
        connection = connection or self.connection
        tag = self.tag if tag is None else tag
        minor = self.minor if minor is None else minor
        arguments = Record(tag=tag, minorversion=minor, argarray=list(ops))
        res = connection.call(NFS4, "COMPOUND", arguments, credential)
        self.checker.compound(list(ops), tag, minor, res, check)
        return Reply(res.status, res.resarray)

    def send_bytes(self, data, credential=ROOT, connection=None):
        """A COMPOUND's arguments as bytes; raises RpcError like any call."""
        results = (connection or self.connection).raw_call(PROGRAM, VERSION, 1, data, credential.auth())
        res = NFS4.procedures["COMPOUND"].results.decode(results)
        return Reply(res.status, res.resarray)

    def encode(self, *ops):
        """The bytes of a COMPOUND's arguments."""
        return CompoundArgs.encode(Record(tag=self.tag, minorversion=self.minor, argarray=list(ops)))

    def compound(self, *ops, **options):
        raise NotImplementedError

    def ok(self, *ops, **options):
        """The COMPOUND has to succeed."""
        return self.compound(*ops, **options).expect("NFS4_OK")

    def fails(self, names, *ops, **options):
        """The last operation has to fail with one of the statuses (with blanks between)."""
        reply = self.compound(*ops, **options).expect(*names.split())
        if len(reply) != len(ops):
            raise Failed(f"{reply} as answer {len(reply)} of {len(ops)}", STATUS.name(reply.status))
        return reply

    # --- helpers ---

    def get(self, handle, *names, **options):
        """Attributes of a handle."""
        return self.ok(PUTFH(handle), GETATTR(names), **options)["GETATTR"].attrs

    def set(self, handle, stateid=ANONYMOUS, **attributes):
        return self.ok(PUTFH(handle), SETATTR(stateid, Record(**attributes)))["SETATTR"]

    def lookup(self, directory, *names):
        """The handle behind names, from a directory (None: the root)."""
        start = PUTFH(directory) if directory is not None else PUTROOTFH()
        return self.ok(start, *(LOOKUP(name) for name in names), GETFH(),
                       GETATTR(["filehandle", "type", "fileid"]))["GETFH"].object

    def make(self, name, kind=NF4DIR, directory=None, type_fields=None, **attributes):
        """CREATE in a directory (None: home); returns the handle."""
        where = self.home if directory is None else directory
        objtype = Record(type=kind, **(type_fields or {}))
        return self.ok(PUTFH(where), CREATE(objtype, name, Record(**attributes)), GETFH(),
                       GETATTR(["filehandle", "type", "fileid"]))["GETFH"].object

    def read(self, handle, offset=0, count=1 << 16, stateid=ANONYMOUS, **options):
        """(data, eof)"""
        res = self.ok(PUTFH(handle), READ(stateid, offset, count), **options)["READ"]
        return res.data, res.eof

    def write(self, handle, data, offset=0, stateid=ANONYMOUS, stable=FILE_SYNC, **options):
        """The result of a WRITE that writes all of data."""
        res = self.ok(PUTFH(handle), WRITE(stateid, offset, stable, data), **options)["WRITE"]
        if res.count != len(data):
            raise Failed(f"{res.count} of {len(data)} bytes written")
        return res

    def list(self, handle, names=(), maxcount=1 << 15, **options):
        """All entries of a directory."""
        entries, cookie, verf, eof = [], 0, bytes(8), False
        while not eof:
            res = self.ok(PUTFH(handle), READDIR(cookie, verf, maxcount, maxcount, names), **options)["READDIR"]
            if not res.entries and not res.eof:
                raise Failed("READDIR returns neither entries nor the end")
            entries += res.entries
            cookie, verf, eof = entries[-1].cookie if entries else 0, res.cookieverf, res.eof
        return entries

    def make_home(self, code):
        learned = ["supported_attrs", "type", "fsid", "filehandle", "change", "fileid"]
        reply = self.ok(PUTFH(self.base), GETATTR(learned), CREATE(Record(type=NF4DIR), code.encode(),
                                                                   Record(mode=0o777)),
                        GETFH(), GETATTR(learned), PUTFH(self.base), GETATTR(learned))
        self.home = reply["GETFH"].object
        self.checker.supported = reply["GETATTR"].attrs.supported_attrs

    def make_base(self):
        parts = [part.encode() for part in self.target.export.split("/") if part]
        self.home = self.lookup(None, *parts)
        return self.make(f"{self.target.name}-{self.version}".encode(), mode=0o777)

    def remove_tree(self, handle):
        """Everything below a directory."""
        for entry in self.list(handle, ["type"]):
            if entry.attrs.type == NF4DIR:
                self.remove_tree(self.lookup(handle, entry.name))
            self.ok(PUTFH(handle), REMOVE(entry.name))

    def remove_base(self):
        self.remove_tree(self.base)
        parts = [part.encode() for part in self.target.export.split("/") if part]
        self.ok(PUTFH(self.lookup(None, *parts)), REMOVE(f"{self.target.name}-{self.version}".encode()))


def status_of(number, *names):
    """expect() for a status that isn't a reply's."""
    expect(STATUS, number, *names)


REGULAR = Record(type=NF4REG)
