# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs3.py -- NFS and MOUNT version 3 (RFC 1813): their types, their procedures, and what tests of them act through
"""Nfs3 is the environment of v3's tests. Each procedure is a method: it makes the call, has nfs3model.py check the
reply against all earlier ones, expects one of the statuses that `want` names, and returns the results' Record.

    made = env.create(env.home, b"f", mode=0o600)
    env.getattr(made.handle).attributes.mode
    env.lookup(env.home, b"g", want="NOENT")
    env.as_user(1001, 1001).read(made.handle, 0, 1, want="ACCES")"""

import copy

from nfs3model import Model
from rpc import NOBODY, ROOT, Connection, Credential, Program
from suite import Environment, Failed, environment, expect, that
from xdr import BOOL, U32, U64, VOID, Array, Bytes, Chain, Enum, Optional, Record, Struct, Union

NFS, MOUNT, PORTMAP = (100003, 3), (100005, 3), (100000, 2)
HANDLE_MAX = 64
COOKIEVERF_SIZE = CREATEVERF_SIZE = WRITEVERF_SIZE = 8
PORTMAP_PORT, IPPROTO_TCP = 111, 6

Status = Enum({"OK": 0, "PERM": 1, "NOENT": 2, "IO": 5, "NXIO": 6, "ACCES": 13, "EXIST": 17, "XDEV": 18, "NODEV": 19,
               "NOTDIR": 20, "ISDIR": 21, "INVAL": 22, "FBIG": 27, "NOSPC": 28, "ROFS": 30, "MLINK": 31,
               "NAMETOOLONG": 63, "NOTEMPTY": 66, "DQUOT": 69, "STALE": 70, "REMOTE": 71, "BADHANDLE": 10001,
               "NOT_SYNC": 10002, "BAD_COOKIE": 10003, "NOTSUPP": 10004, "TOOSMALL": 10005, "SERVERFAULT": 10006,
               "BADTYPE": 10007, "JUKEBOX": 10008})
MountStatus = Enum({"OK": 0, "PERM": 1, "NOENT": 2, "IO": 5, "ACCES": 13, "NOTDIR": 20, "INVAL": 22, "NAMETOOLONG": 63,
                    "NOTSUPP": 10004, "SERVERFAULT": 10006})
Ftype = Enum({"REG": 1, "DIR": 2, "BLK": 3, "CHR": 4, "LNK": 5, "SOCK": 6, "FIFO": 7})
REG, DIR, BLK, CHR, LNK, SOCK, FIFO = range(1, 8)
UNCHECKED, GUARDED, EXCLUSIVE = range(3)
UNSTABLE, DATA_SYNC, FILE_SYNC = range(3)
KEEP, SERVER_TIME, CLIENT_TIME = range(3)
ACCESS_READ, ACCESS_LOOKUP, ACCESS_MODIFY, ACCESS_EXTEND, ACCESS_DELETE, ACCESS_EXECUTE = (1 << bit for bit in range(6))
ACCESS_ALL = 0x3F
FSF_LINK, FSF_SYMLINK, FSF_HOMOGENEOUS, FSF_CANSETTIME = 1, 2, 8, 16

Handle = Bytes(HANDLE_MAX)
Name = Bytes()
Verf = Bytes(size=8)
Time = Struct(seconds=U32, nseconds=U32)
Specdata = Struct(major=U32, minor=U32)
Fattr = Struct(type=Ftype, mode=U32, nlink=U32, uid=U32, gid=U32, size=U64, used=U64, rdev=Specdata, fsid=U64,
               fileid=U64, atime=Time, mtime=Time, ctime=Time)
PostOp = Optional(Fattr)
WccAttr = Struct(size=U64, mtime=Time, ctime=Time)
Wcc = Struct(before=Optional(WccAttr), after=PostOp)
SetTime = Union("how", Enum({"DONT_CHANGE": 0, "SET_TO_SERVER_TIME": 1, "SET_TO_CLIENT_TIME": 2}),
                {KEEP: None, SERVER_TIME: None, CLIENT_TIME: Struct(time=Time)})
Sattr = Struct(mode=Optional(U32), uid=Optional(U32), gid=Optional(U32), size=Optional(U64), atime=SetTime,
               mtime=SetTime)
DirOp = Struct(dir=Handle, name=Name)
CreateHow = Union("how", Enum({"UNCHECKED": 0, "GUARDED": 1, "EXCLUSIVE": 2}),
                  {UNCHECKED: Struct(attributes=Sattr), GUARDED: Struct(attributes=Sattr),
                   EXCLUSIVE: Struct(verf=Verf)})
Device = Struct(attributes=Sattr, rdev=Specdata)
Special = Struct(attributes=Sattr)
MknodData = Union("type", Ftype, {CHR: Device, BLK: Device, SOCK: Special, FIFO: Special}, default=Struct())
Entry = Struct(fileid=U64, name=Name, cookie=U64)
EntryPlus = Struct(fileid=U64, name=Name, cookie=U64, attributes=PostOp, handle=Optional(Handle))


def outcome(ok, **failed):
    """A procedure's results: fields of success, fields of failure."""
    return Union("status", Status, {0: ok}, default=Struct(**failed))


MADE = outcome(Struct(handle=Optional(Handle), attributes=PostOp, dir_wcc=Wcc), dir_wcc=Wcc)
UNMADE = outcome(Struct(dir_wcc=Wcc), dir_wcc=Wcc)

NFS_PROGRAM = Program(*NFS, [
    (0, "NULL", VOID, VOID),
    (1, "GETATTR", Struct(object=Handle), outcome(Struct(attributes=Fattr))),
    (2, "SETATTR", Struct(object=Handle, new=Sattr, guard=Optional(Time)), outcome(Struct(wcc=Wcc), wcc=Wcc)),
    (3, "LOOKUP", DirOp,
     outcome(Struct(handle=Handle, attributes=PostOp, dir_attributes=PostOp), dir_attributes=PostOp)),
    (4, "ACCESS", Struct(object=Handle, access=U32), outcome(Struct(attributes=PostOp, access=U32), attributes=PostOp)),
    (5, "READLINK", Struct(object=Handle), outcome(Struct(attributes=PostOp, target=Bytes()), attributes=PostOp)),
    (6, "READ", Struct(object=Handle, offset=U64, count=U32),
     outcome(Struct(attributes=PostOp, count=U32, eof=BOOL, data=Bytes()), attributes=PostOp)),
    (7, "WRITE", Struct(object=Handle, offset=U64, count=U32, stable=U32, data=Bytes()),
     outcome(Struct(wcc=Wcc, count=U32, committed=U32, verf=Verf), wcc=Wcc)),
    (8, "CREATE", Struct(dir=Handle, name=Name, how=CreateHow), MADE),
    (9, "MKDIR", Struct(dir=Handle, name=Name, attributes=Sattr), MADE),
    (10, "SYMLINK", Struct(dir=Handle, name=Name, attributes=Sattr, target=Bytes()), MADE),
    (11, "MKNOD", Struct(dir=Handle, name=Name, what=MknodData), MADE),
    (12, "REMOVE", DirOp, UNMADE),
    (13, "RMDIR", DirOp, UNMADE),
    (14, "RENAME", Struct(source=DirOp, to=DirOp),
     outcome(Struct(from_wcc=Wcc, to_wcc=Wcc), from_wcc=Wcc, to_wcc=Wcc)),
    (15, "LINK", Struct(object=Handle, link=DirOp),
     outcome(Struct(attributes=PostOp, dir_wcc=Wcc), attributes=PostOp, dir_wcc=Wcc)),
    (16, "READDIR", Struct(dir=Handle, cookie=U64, verf=Verf, count=U32),
     outcome(Struct(dir_attributes=PostOp, verf=Verf, entries=Chain(Entry), eof=BOOL), dir_attributes=PostOp)),
    (17, "READDIRPLUS", Struct(dir=Handle, cookie=U64, verf=Verf, dircount=U32, maxcount=U32),
     outcome(Struct(dir_attributes=PostOp, verf=Verf, entries=Chain(EntryPlus), eof=BOOL), dir_attributes=PostOp)),
    (18, "FSSTAT", Struct(root=Handle), outcome(
        Struct(attributes=PostOp, tbytes=U64, fbytes=U64, abytes=U64, tfiles=U64, ffiles=U64, afiles=U64, invarsec=U32),
        attributes=PostOp)),
    (19, "FSINFO", Struct(root=Handle), outcome(
        Struct(attributes=PostOp, rtmax=U32, rtpref=U32, rtmult=U32, wtmax=U32, wtpref=U32, wtmult=U32, dtpref=U32,
               maxfilesize=U64, time_delta=Time, properties=U32), attributes=PostOp)),
    (20, "PATHCONF", Struct(object=Handle), outcome(
        Struct(attributes=PostOp, linkmax=U32, name_max=U32, no_trunc=BOOL, chown_restricted=BOOL,
               case_insensitive=BOOL, case_preserving=BOOL), attributes=PostOp)),
    (21, "COMMIT", Struct(object=Handle, offset=U64, count=U32), outcome(Struct(wcc=Wcc, verf=Verf), wcc=Wcc)),
])

MountEntry = Struct(hostname=Name, directory=Name)
ExportEntry = Struct(directory=Name, groups=Chain(Struct(name=Name)))
MOUNT_PROGRAM = Program(*MOUNT, [
    (0, "NULL", VOID, VOID),
    (1, "MNT", Struct(path=Name),
     Union("status", MountStatus, {0: Struct(handle=Handle, flavors=Array(U32))}, default=Struct())),
    (2, "DUMP", VOID, Chain(MountEntry)),
    (3, "UMNT", Struct(path=Name), VOID),
    (4, "UMNTALL", VOID, VOID),
    (5, "EXPORT", VOID, Chain(ExportEntry)),
])
PORTMAP_PROGRAM = Program(*PORTMAP, [
    (3, "GETPORT", Struct(prog=U32, vers=U32, prot=U32, port=U32), U32),
])


def stamp(seconds, nseconds=0):
    return Record(seconds=seconds, nseconds=nseconds)


def sattr(mode=None, uid=None, gid=None, size=None, atime=KEEP, mtime=KEEP):
    """Times: KEEP, SERVER_TIME, or a stamp()."""
    def time(value):
        return Record(how=CLIENT_TIME, time=value) if isinstance(value, Record) else Record(how=value)
    return Record(mode=mode, uid=uid, gid=gid, size=size, atime=time(atime), mtime=time(mtime))


class Wires:
    """The connections that the views of one environment share."""

    def __init__(self):
        self.nfs = None
        self.mount = None

    def close(self):
        for connection in (self.nfs, self.mount):
            if connection:
                connection.close()
        self.nfs = self.mount = None


@environment("v3")
class Nfs3(Environment):
    """home: the handle of the test's directory; base: of the run's; model: what replies have told so far (None: not
    checked)."""

    def __init__(self, target, version, tape):
        super().__init__(target, version, tape)
        self.credential = ROOT
        self.wires = Wires()
        self.model = Model()
        self.home = None

    # --- what suite.Environment asks for

    def open(self):
        self.wires.nfs = Connection(self.target.server, self.target.port, self.tape)

    def prepare(self):
        mounted = self.mount_call("MNT", path=self.target.export.encode())
        if mounted.status:
            status = MountStatus.name(mounted.status)
            raise Failed(f"MNT of {self.target.export}: {status}", status)
        return self.mkdir(mounted.handle, self.target.name.encode(), 0o777).handle

    def begin(self, code):
        self.model.root(self.base, self.getattr(self.base).attributes)
        self.home = self.mkdir(self.base, code.encode(), 0o777).handle
        self.lookup(self.base, code.encode())

    def tidy(self):
        self.model = None
        self.empty(self.base)
        mounted = self.mount_call("MNT", path=self.target.export.encode())
        self.rmdir(mounted.handle, self.target.name.encode())

    def empty(self, directory):
        for entry in self.listing(directory):
            found = self.lookup(directory, entry.name)
            if found.attributes.type == DIR:
                self.empty(found.handle)
                self.rmdir(directory, entry.name)
            else:
                self.remove(directory, entry.name)

    def close(self):
        self.wires.close()

    # --- calls

    def as_user(self, uid, gid, gids=()):
        """The same environment, acting as somebody else."""
        view = copy.copy(self)
        view.credential = Credential(uid, gid, gids)
        return view

    def reconnect(self):
        """A new connection, after a call that the server may have answered by ending the old one."""
        self.wires.close()
        self.open()

    def call(self, procedure, want="OK", /, **arguments):
        """Any procedure. Raises RpcError, XdrError, Failed."""
        asked = Record(**arguments)
        result = self.wires.nfs.call(NFS_PROGRAM, procedure, asked, self.credential)
        if procedure == "NULL":
            return result
        that(result.status in Status.names, f"{procedure}'s status {result.status} is none of nfsstat3")
        expect(Status, result.status, *want.split())
        if self.model:
            self.model.check(procedure, asked, result)
        return result

    def raw(self, name, arguments, cred=None, **header):
        """A procedure with arguments as bytes, checked by nobody; returns the results' bytes."""
        cred = cred or self.credential.auth()
        return self.wires.nfs.raw_call(*NFS, NFS_PROGRAM.procedures[name].number, arguments, cred=cred, **header)

    def encoded(self, procedure, /, **arguments):
        return NFS_PROGRAM.procedures[procedure].arguments.encode(Record(**arguments))

    def mount_wire(self):
        if not self.wires.mount:
            port = self.target.mount_port or self.tape.value(self.ask_mount_port)
            self.wires.mount = Connection(self.target.server, port, self.tape)
        return self.wires.mount

    def ask_mount_port(self):
        wire = Connection(self.target.server, PORTMAP_PORT, type(self.tape)())
        try:
            port = wire.call(PORTMAP_PROGRAM, "GETPORT",
                             Record(prog=MOUNT[0], vers=MOUNT[1], prot=IPPROTO_TCP, port=0), None)
        finally:
            wire.close()
        that(port, f"rpcbind of {self.target.server} knows no MOUNT v3 over TCP: give its port by --mount-port")
        return port

    def mount_call(self, name, **arguments):
        return self.mount_wire().call(MOUNT_PROGRAM, name, Record(**arguments), self.credential)

    # --- procedures

    def null(self):
        return self.call("NULL")

    def getattr(self, handle, want="OK"):
        return self.call("GETATTR", want, object=handle)

    def setattr(self, handle, want="OK", guard=None, **new):
        return self.call("SETATTR", want, object=handle, new=sattr(**new), guard=guard)

    def lookup(self, directory, name, want="OK"):
        return self.call("LOOKUP", want, dir=directory, name=name)

    def access(self, handle, bits=ACCESS_ALL, want="OK"):
        return self.call("ACCESS", want, object=handle, access=bits)

    def readlink(self, handle, want="OK"):
        return self.call("READLINK", want, object=handle)

    def read(self, handle, offset=0, count=65536, want="OK"):
        return self.call("READ", want, object=handle, offset=offset, count=count)

    def write(self, handle, offset, data, stable=FILE_SYNC, want="OK", count=None):
        return self.call("WRITE", want, object=handle, offset=offset, count=len(data) if count is None else count,
                         stable=stable, data=data)

    def create(self, directory, name, mode=0o644, how=UNCHECKED, want="OK", **new):
        return self.call("CREATE", want, dir=directory, name=name,
                         how=Record(how=how, attributes=sattr(mode=mode, **new)))

    def create_exclusive(self, directory, name, verf, want="OK"):
        return self.call("CREATE", want, dir=directory, name=name, how=Record(how=EXCLUSIVE, verf=verf))

    def mkdir(self, directory, name, mode=0o755, want="OK", **new):
        return self.call("MKDIR", want, dir=directory, name=name, attributes=sattr(mode=mode, **new))

    def symlink(self, directory, name, target, want="OK", **new):
        return self.call("SYMLINK", want, dir=directory, name=name, attributes=sattr(**new), target=target)

    def mknod(self, directory, name, kind, mode=0o644, rdev=(0, 0), want="OK", **new):
        what = Record(type=kind, attributes=sattr(mode=mode, **new), rdev=Record(major=rdev[0], minor=rdev[1]))
        return self.call("MKNOD", want, dir=directory, name=name, what=what)

    def remove(self, directory, name, want="OK"):
        return self.call("REMOVE", want, dir=directory, name=name)

    def rmdir(self, directory, name, want="OK"):
        return self.call("RMDIR", want, dir=directory, name=name)

    def rename(self, directory, name, to_directory, to_name, want="OK"):
        return self.call("RENAME", want, source=Record(dir=directory, name=name),
                         to=Record(dir=to_directory, name=to_name))

    def link(self, handle, directory, name, want="OK"):
        return self.call("LINK", want, object=handle, link=Record(dir=directory, name=name))

    def readdir(self, directory, cookie=0, verf=bytes(8), count=8192, want="OK"):
        return self.call("READDIR", want, dir=directory, cookie=cookie, verf=verf, count=count)

    def readdirplus(self, directory, cookie=0, verf=bytes(8), dircount=8192, maxcount=32768, want="OK"):
        return self.call("READDIRPLUS", want, dir=directory, cookie=cookie, verf=verf, dircount=dircount,
                         maxcount=maxcount)

    def fsstat(self, handle, want="OK"):
        return self.call("FSSTAT", want, root=handle)

    def fsinfo(self, handle, want="OK"):
        return self.call("FSINFO", want, root=handle)

    def pathconf(self, handle, want="OK"):
        return self.call("PATHCONF", want, object=handle)

    def commit(self, handle, offset=0, count=0, want="OK"):
        return self.call("COMMIT", want, object=handle, offset=offset, count=count)

    # --- things that many tests need

    def file(self, name, data=b"", mode=0o644, **new):
        """A file in env.home; returns its handle."""
        handle = self.create(self.home, name, mode, GUARDED, **new).handle
        if data:
            self.write(handle, 0, data)
        return handle

    def folder(self, name, mode=0o755, **new):
        """A directory in env.home; returns its handle."""
        return self.mkdir(self.home, name, mode, **new).handle

    def one_of_each(self):
        """Objects of all types in env.home: {type: handle}."""
        return {REG: self.file(b"reg", b"data"), DIR: self.folder(b"dir"),
                LNK: self.symlink(self.home, b"lnk", b"target").handle,
                **{kind: self.mknod(self.home, name, kind).handle for kind, name in ((SOCK, b"sock"), (FIFO, b"fifo"))},
                **{kind: self.mknod(self.home, name, kind, rdev=(1, 3)).handle
                   for kind, name in ((BLK, b"blk"), (CHR, b"chr"))}}

    def listing(self, directory, plus=False, **sizes):
        """All entries of a directory but "." and "..", by as many calls as needed."""
        entries, cookie, verf, eof = [], 0, bytes(8), False
        while not eof:
            part = (self.readdirplus if plus else self.readdir)(directory, cookie, verf, **sizes)
            that(part.entries or part.eof, "neither an entry nor the end")
            that(not cookie or part.verf == verf, "the cookie verifier of a directory that stays changes")
            that(not plus or all(entry.attributes and entry.handle for entry in part.entries), "READDIRPLUS without "
                                                                                               "attributes or handle")
            entries += part.entries
            eof, verf = part.eof, part.verf
            cookie = part.entries[-1].cookie if part.entries else cookie
        return [entry for entry in entries if entry.name not in (b".", b"..")]
