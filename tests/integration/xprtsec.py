# SPDX-License-Identifier: LGPL-3.0-or-later
# xprtsec.py -- SERVER NFS-PORT MOUNT-PORT CONNECTIONS: every way into an export, taken by many clients at a time
"""Half of the clients use the export /vol1, which everybody may, half of them /guarded, of the same volume. They learn handles,
open and lock files there; then, told so by lines on stdin, all of them take all the routes at the same time:

    served      nobody is refused
    refused     who uses /guarded is, at each of them, and no byte of an answer tells anything
    released    the same, but what is open and locked can be given back

Each line is answered by one that says how much was done. Any other outcome ends it with an error."""
import os
import struct
import sys
import threading
import time

from patient import PATIENCE_SECONDS, Patience  # first: it finds the modules below
import nfs3
import nfs4env
import rpc
from nfs4 import (ACCESS, ALLOCATE, ANONYMOUS, CLAIM_FH, CLOSE, COMMIT, CREATE, DEALLOCATE, FILE_SYNC, GETATTR, GETFH,
                  GETXATTR, LINK, LISTXATTRS, LOCKT, LOCKU, LOOKUP, LOOKUPP, NVERIFY, PUTFH, PUTPUBFH, PUTROOTFH, READ,
                  READDIR, READLINK, READ_ACCESS, READ_LT, RENAME, REMOVE, REMOVEXATTR, RESTOREFH, SAVEFH, SECINFO,
                  SECINFO_NO_NAME, SEEK, SETATTR, SETXATTR, STATUS, VERIFY, WRITE, WRITE_LT, create)
from nfs4attr import NF4DIR, NF4LNK
from suite import Failed
from xdr import Record

PUT_OFF = ("JUKEBOX", "NFS4ERR_DELAY", "NFS4ERR_GRACE")
OPEN_EXPORT, GUARDED_EXPORT = "/vol1", "/guarded"
VERSIONS = ("v3", "v40", "v41", "v42")
UID = 0x5EC0DE11  # who owns what is secret
CONTENT = b"the content of a file that is nobody's business"
TARGET = b"the-target-of-a-link-that-is-secret"
VALUE = b"the value of an attribute that is secret"
SECRET = b"secret"  # in all names
ALL_ATTRIBUTES = ("type", "change", "size", "fsid", "rdattr_error", "filehandle", "fileid", "mode", "numlinks", "owner",
                  "time_modify", "mounted_on_fileid")


class Wire(rpc.Connection):
    """Keeps the last answer's bytes."""

    last = b""

    def exchange(self, *call):
        self.last = super().exchange(*call)
        return self.last


nfs3.Connection = nfs4env.Connection = Wire


class Routes:
    """One client and all its ways into an export. The subclasses' route methods are generators of calls, each
    (text, function that makes it and gives the status's name, what it gives when it is served)."""

    refused = None

    def __init__(self, env, number):
        self.env, self.name = env, f"{SECRET.decode()}-{os.getpid()}-{env.version}-{number}".encode()
        self.count, self.secrets = 0, [SECRET, CONTENT, TARGET, VALUE, struct.pack(">I", UID), str(UID).encode()]
        self.learn()

    def new_name(self):
        self.count += 1
        return b"%s-%d" % (self.name, self.count)

    def keep(self, handle):
        """A handle that no answer may have in it; Ganesha's own header before it isn't secret."""
        self.secrets.append(handle[-24:])
        return handle

    def run(self, refused):
        """Takes all routes; how many they were."""
        done = 0
        for text, call, served in self.routes():
            status = self.take(call)
            wanted = (self.refused,) if refused else served
            if status not in wanted:
                raise Failed(f"{self.env.version} {self.env.target.export}: {text}: {status} instead of {' or '.join(wanted)}")
            if refused:
                self.check_bytes(text)
            done += 1
        return done

    def take(self, call):
        """The status that it ends with; a server that has much to do may put it off."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for wire in self.wires():
                wire.last = b""
            status = call()
            if status not in PUT_OFF or time.monotonic() > deadline:
                return status
            time.sleep(0.02)

    def check_bytes(self, text):
        for wire in self.wires():
            for secret in self.secrets:
                if secret in wire.last:
                    raise Failed(f"{self.env.version}: {text}: the refusal has {secret!r} in it")


class Routes3(Routes):
    refused = "ACCES"

    def learn(self):
        env = self.env
        self.root = self.keep(env.home)
        env.setattr(self.root, mode=0o777, uid=UID)
        self.folder = self.keep(env.mkdir(self.root, self.name, 0o777, uid=UID).handle)
        self.file = self.keep(env.create(self.folder, self.name, uid=UID).handle)
        env.write(self.file, 0, CONTENT)
        self.link = self.keep(env.symlink(self.folder, self.new_name(), TARGET).handle)
        self.old = self.new_name()
        env.create(self.folder, self.old)

    def wires(self):
        return [wire for wire in (self.env.wires.nfs, self.env.wires.mount) if wire]

    def ask(self, procedure, **arguments):
        def call():
            return nfs3.Status.name(self.env.call(procedure, " ".join(nfs3.Status.values), **arguments).status)
        return procedure, call, ("OK",)

    def mount(self, below=""):
        def call():
            return nfs3.MountStatus.name(self.env.mount_call("MNT", path=(self.env.target.export + below).encode()).status)
        return f"MNT {below}", call, ("OK",)

    def routes(self):
        root, folder, file, name = self.root, self.folder, self.file, self.new_name()
        attributes, verf = nfs3.sattr(), bytes(8)
        yield self.mount()
        yield self.mount("/" + self.name.decode())
        for handle in (root, folder, file):
            yield self.ask("GETATTR", object=handle)
            yield self.ask("ACCESS", object=handle, access=nfs3.ACCESS_ALL)
        yield self.ask("SETATTR", object=file, new=nfs3.sattr(mode=0o640), guard=None)
        yield self.ask("LOOKUP", dir=root, name=self.name)
        yield self.ask("LOOKUP", dir=folder, name=self.name)
        yield self.ask("LOOKUP", dir=folder, name=b"..")
        yield self.ask("READLINK", object=self.link)
        yield self.ask("READ", object=file, offset=0, count=4096)
        yield self.ask("WRITE", object=file, offset=0, count=len(CONTENT), stable=nfs3.UNSTABLE, data=CONTENT)
        yield self.ask("COMMIT", object=file, offset=0, count=0)
        yield self.ask("CREATE", dir=folder, name=name, how=Record(how=nfs3.UNCHECKED, attributes=attributes))
        yield self.ask("MKDIR", dir=folder, name=name + b"d", attributes=attributes)
        yield self.ask("SYMLINK", dir=folder, name=name + b"l", attributes=attributes, target=TARGET)
        yield self.ask("MKNOD", dir=folder, name=name + b"p",
                       what=Record(type=nfs3.FIFO, attributes=attributes))
        yield self.ask("LINK", object=file, link=Record(dir=folder, name=name + b"h"))
        yield self.ask("RENAME", source=Record(dir=folder, name=name), to=Record(dir=folder, name=name + b"r"))
        yield self.ask("REMOVE", dir=folder, name=name + b"r")
        yield self.ask("RMDIR", dir=folder, name=name + b"d")
        for handle in (root, folder):
            yield self.ask("READDIR", dir=handle, cookie=0, verf=verf, count=32768)
            yield self.ask("READDIRPLUS", dir=handle, cookie=0, verf=verf, dircount=8192, maxcount=32768)
        yield self.ask("FSSTAT", root=root)
        yield self.ask("FSINFO", root=root)
        yield self.ask("PATHCONF", object=root)

    def release(self):
        return 0


class Routes4(Routes):
    """All minor versions."""

    refused = "NFS4ERR_ACCESS"
    OK = ("NFS4_OK",)

    def learn(self):
        env = self.env
        self.export = env.target.export[1:].encode()
        self.root = self.keep(env.home)
        self.folder = self.keep(env.make(self.name, directory=self.root, mode=0o777, owner=str(UID).encode()))
        self.opened = env.create_file(self.name, CONTENT, 0o666, directory=self.folder)
        self.file = self.keep(self.opened.handle)
        env.set(self.file, owner=str(UID).encode())
        self.lock = self.lock_file()
        self.link = self.keep(env.make(self.new_name(), NF4LNK, self.folder, dict(linkdata=TARGET)))

    def wires(self):
        return self.env.connections

    def ask(self, text, *ops, served=OK):
        return text, lambda: STATUS.name(self.env.compound(*ops).status), served

    def at(self, text, handle, *ops, **options):
        """By a handle that is known; by PUTROOTFH and LOOKUP, as far as that leads; and beside what is allowed."""
        yield self.ask(text, PUTFH(handle), *ops, **options)
        yield self.ask(f"{text} after SAVEFH", PUTROOTFH(), SAVEFH(), PUTFH(handle), *ops, **options)

    def below(self, text, names, *ops, **options):
        path = (self.export, *names)
        yield self.ask(f"{text} by names", PUTROOTFH(), *(LOOKUP(name) for name in path), *ops, **options)
        yield self.ask(f"{text} by names, RESTOREFH", PUTROOTFH(), *(LOOKUP(name) for name in path), SAVEFH(), PUTROOTFH(),
                       RESTOREFH(), *ops, **options)

    def routes(self):
        yield from self.names()
        yield from self.attributes()
        yield from self.data()
        yield from self.changes()
        yield from self.state()
        yield from self.newer()
        yield self.ask("beside the root's listing", PUTFH(self.root))
        self.check_listing()

    def check_listing(self):
        """The pseudo root can be listed by everybody."""
        for names in (ALL_ATTRIBUTES, ("type", "fileid", "filehandle"), ()):
            reply = self.env.ok(PUTROOTFH(), READDIR(0, bytes(8), 8192, 32768, names))
            listed = [entry.name for entry in reply["READDIR"].entries]
            if OPEN_EXPORT[1:].encode() not in listed or not reply["READDIR"].eof:
                raise Failed(f"READDIR of the pseudo root with {names}: {listed}")
            if self.env.target.export == GUARDED_EXPORT:
                self.pseudo = self.wires()[0].last

    def names(self):
        yield from self.below("nothing else", ())
        yield from self.below("GETFH", (), GETFH())
        yield from self.below("GETFH of a file", (self.name, self.name), GETFH())
        yield self.ask("PUTPUBFH", PUTPUBFH(), LOOKUP(self.export), GETFH())
        yield from self.at("nothing else", self.root)
        yield from self.at("GETFH", self.file, GETFH())
        yield from self.at("LOOKUP", self.folder, LOOKUP(self.name), GETFH())
        yield from self.at("LOOKUP of nothing", self.folder, LOOKUP(b"nothing"), served=("NFS4ERR_NOENT",))
        yield from self.at("LOOKUPP", self.folder, LOOKUPP(), GETFH())
        yield from self.at("LOOKUPP of the root", self.root, LOOKUPP(), GETFH())
        yield from self.at("SECINFO", self.root, SECINFO(self.name))
        for names in ((), (self.name,)):
            yield from self.below("READDIR", names, READDIR(0, bytes(8), 8192, 32768, ALL_ATTRIBUTES))
        yield from self.at("READDIR", self.folder, READDIR(0, bytes(8), 8192, 32768, ALL_ATTRIBUTES))
        yield from self.at("READDIR without attributes", self.root, READDIR(0, bytes(8), 8192, 32768, ()))

    def attributes(self):
        asked = [name for name in ALL_ATTRIBUTES if name != "rdattr_error"]
        for text, handle in (("of the root", self.root), ("of a file", self.file)):
            yield from self.at(f"GETATTR {text}", handle, GETATTR(asked))
            yield from self.at(f"ACCESS {text}", handle, ACCESS(0x3F))
            yield from self.at(f"VERIFY {text}", handle, VERIFY(Record(size=1 << 60)), served=("NFS4ERR_NOT_SAME",))
            yield from self.at(f"NVERIFY {text}", handle, NVERIFY(Record(size=1 << 60)))
        yield from self.below("GETATTR", (), GETATTR(asked))
        yield from self.below("ACCESS", (), ACCESS(0x3F))
        yield from self.below("GETATTR of a file", (self.name, self.name), GETATTR(asked))
        yield from self.at("SETATTR", self.file, SETATTR(ANONYMOUS, Record(mode=0o640)))

    def data(self):
        for text, stateid in (("", ANONYMOUS), (" by an open", self.opened.stateid), (" by a lock", self.lock.stateid)):
            yield from self.at(f"READ{text}", self.file, READ(stateid, 0, 4096))
            yield from self.at(f"WRITE{text}", self.file, WRITE(stateid, 0, FILE_SYNC, CONTENT))
            yield from self.at(f"SETATTR of the size{text}", self.file, SETATTR(stateid, Record(size=len(CONTENT))))
        yield from self.below("READ", (self.name, self.name), READ(ANONYMOUS, 0, 4096))
        yield from self.at("COMMIT", self.file, COMMIT(0, 0))
        yield from self.at("READLINK", self.link, READLINK())

    def changes(self):
        folder, name = self.folder, self.new_name()
        directory = Record(type=NF4DIR)
        yield self.ask("CREATE", PUTFH(folder), CREATE(directory, name, Record()), GETFH())
        yield self.ask("RENAME", PUTFH(folder), SAVEFH(), PUTFH(folder), RENAME(name, name + b"r"))
        yield self.ask("REMOVE", PUTFH(folder), REMOVE(name + b"r"))
        yield self.ask("LINK", PUTFH(self.file), SAVEFH(), PUTFH(folder), LINK(name + b"h"))
        yield self.ask("RENAME from the pseudo root", PUTROOTFH(), SAVEFH(), PUTFH(folder),
                       RENAME(self.export, name), served=("NFS4ERR_XDEV",))
        yield self.ask("RENAME to the pseudo root", PUTFH(folder), SAVEFH(), PUTROOTFH(), RENAME(self.name, name),
                       served=("NFS4ERR_ROFS",))
        yield self.ask("LINK to the pseudo root", PUTFH(self.file), SAVEFH(), PUTROOTFH(), LINK(name),
                       served=("NFS4ERR_ROFS",))

    def state(self):
        yield self.ask_open("OPEN", self.name)
        yield self.ask_open("OPEN that creates", self.new_name(), how=create(attrs=Record(mode=0o600)))
        yield self.ask("LOCKT", PUTFH(self.file), LOCKT(READ_LT, 0, 1, self.tester()), served=("NFS4ERR_DENIED",))
        yield self.ask_lock()

    def newer(self):
        """What only later minor versions have."""
        return ()


class Routes40(Routes4):
    def lock_file(self):
        return self.env.lock(self.opened, 0, 10)

    def tester(self):
        return Record(clientid=self.env.client.clientid, owner=b"tester")

    def ask_open(self, text, name, **options):
        def call():
            reply = self.env.open_reply(name, self.folder, b"other", **options)
            if reply.status == 0:
                opened = reply["OPEN"].copy(handle=reply["GETFH"].object, owner=self.env.client.owner(b"other"))
                if opened.rflags & 2:
                    opened.stateid = self.env.confirm(opened).expect("NFS4_OK")["OPEN_CONFIRM"].open_stateid
                self.env.close_file(opened)
            return STATUS.name(reply.status)
        return text, call, self.OK

    def ask_lock(self):
        def call():
            reply = self.env.lock_more_reply(self.lock, 100, 10)
            if reply.status == 0:
                self.lock.stateid = reply["LOCK"].lock_stateid
            return STATUS.name(reply.status)
        return "LOCK", call, self.OK

    def release(self):
        self.env.unlock(self.lock, 0, 200)
        self.env.close_file(self.opened)
        return 2


class Routes41(Routes4):
    def lock_file(self):
        return Record(stateid=self.env.lock(self.opened, 0, 10))

    def tester(self):
        return Record(clientid=0, owner=b"tester")

    def ask_open(self, text, name, handle=None, **options):
        def call():
            reply = self.env.compound(PUTFH(handle or self.folder),
                                      self.env.open_op(name, owner=b"other", access=READ_ACCESS, **options), GETFH())
            if reply.status == 0:
                self.env.close_file(reply["OPEN"].copy(handle=reply["GETFH"].object))
            return STATUS.name(reply.status)
        return text, call, self.OK

    def ask_lock(self):
        def call():
            reply = self.env.compound(PUTFH(self.file), self.env.lock_more_op(self.lock.stateid, 100, 10))
            if reply.status == 0:
                self.lock.stateid = reply["LOCK"].lock_stateid
            return STATUS.name(reply.status)
        return "LOCK", call, self.OK

    def newer(self):
        yield self.ask_open("OPEN by handle", None, self.file, claim=Record(claim=CLAIM_FH))
        yield self.ask("SECINFO_NO_NAME", PUTFH(self.folder), SECINFO_NO_NAME(0))

    def release(self):
        """Only if nothing else is asked for in the COMPOUND."""
        unlock = LOCKU(WRITE_LT, 0, self.lock.stateid, 0, 200)
        for ops in ((unlock, GETATTR(["size"])), (ACCESS(1), unlock), (unlock, READ(ANONYMOUS, 0, 10))):
            self.env.compound(PUTFH(self.file), *ops).expect(self.refused)
            self.check_bytes("LOCKU and something else")
        self.env.ok(PUTFH(self.file), unlock)
        self.env.close_file(self.opened)
        return 5


class Routes42(Routes41):
    def learn(self):
        super().learn()
        self.env.ok(PUTFH(self.file), SETXATTR(0, SECRET, VALUE))

    def newer(self):
        yield from super().newer()
        stateid = self.opened.stateid
        yield self.ask("ALLOCATE", PUTFH(self.file), ALLOCATE(stateid, 0, 10))
        yield self.ask("SEEK", PUTFH(self.file), SEEK(stateid, 0, 0))
        yield self.ask("DEALLOCATE", PUTFH(self.file), DEALLOCATE(stateid, 1 << 20, 4096))
        yield self.ask("GETXATTR", PUTFH(self.file), GETXATTR(SECRET))
        yield self.ask("SETXATTR", PUTFH(self.file), SETXATTR(0, SECRET + b"2", VALUE))
        yield self.ask("LISTXATTRS", PUTFH(self.file), LISTXATTRS(0, 4096))
        yield self.ask("REMOVEXATTR", PUTFH(self.file), REMOVEXATTR(SECRET + b"2"))


KINDS = {"v3": Routes3, "v40": Routes40, "v41": Routes41, "v42": Routes42}


class Worker(threading.Thread):
    """One client's part of a round."""

    def __init__(self, routes, act):
        super().__init__(daemon=True)
        self.routes, self.act = routes, act
        self.done, self.problem = 0, None

    def run(self):
        try:
            self.done = self.act(self.routes)
        except Exception as problem:  # noqa: B902  it is told by whoever waits
            self.problem = problem


def together(clients, act):
    """act(client) for all at the same time; the sum of what they return."""
    workers = [Worker(client, act) for client in clients]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    problems = [worker.problem for worker in workers if worker.problem]
    for problem in problems[:3]:
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)
    if problems:
        sys.exit(f"{len(problems)} of {len(workers)} clients")
    return sum(worker.done for worker in workers)


def is_guarded(client):
    return client.env.target.export == GUARDED_EXPORT


ROUNDS = {
    "served": lambda client: client.run(False),
    "refused": lambda client: client.run(is_guarded(client)),
    "released": lambda client: client.release() if is_guarded(client) else client.run(False),
}


def main():
    server, nfs_port, mount_port, connections = sys.argv[1:]
    makers = [Patience(server, nfs_port, mount_port, export) for export in (OPEN_EXPORT, GUARDED_EXPORT)]
    for maker in makers:
        maker.target.name += maker.target.export  # tells their clients apart
    clients = []
    for number in range(int(connections)):
        version = VERSIONS[number // 2 % len(VERSIONS)]
        clients.append(KINDS[version](makers[number % 2].client(version), number))
    print(f"{len(clients)} clients", flush=True)
    for line in sys.stdin:
        started = time.monotonic()
        done = together(clients, ROUNDS[line.strip()])
        print(f"{line.strip()}: {done} routes in {time.monotonic() - started:.1f} s", flush=True)


main()
