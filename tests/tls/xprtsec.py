# SPDX-License-Identifier: LGPL-3.0-or-later
# xprtsec.py -- ADDRESS NFS_PORT MNT_PORT EXPORT WORK TUNNEL CONNECTIONS [mount]: every way into an export, by many clients at a time
"""Half of the clients use EXPORT, which everybody may, half of them /guarded, of the same volume; by connections of all kinds:

    none    in cleartext
    tls     by TLS, without a certificate
    client  by TLS, with the certificate of that name
    other   the same with another one

They learn handles, open and lock files. Then each line on stdin says what all of them do at the same time:

    take KIND...        all take all routes. At /guarded these kinds are refused, each time, and no byte of an answer tells anything;
                        nor if they use the handles, opens, locks and sessions of those who are served
    release KIND...     the same, and those who are refused give back what they have open and locked
    sideband WHAT KIND  MOUNT, NLM, RQUOTA and NFSACL of this kind are `served`, `closed` or `open` (Xprtsec_Sideband)

With `mount` all clients are for /guarded, and MOUNT by its path, which Ganesha takes instead of Pseudo if it is told so, is all that
they do.

Each line is answered by one that says how much was done, and how often it was refused: by its export, and as a stranger's call in
a session. Any other outcome ends it with an error."""
import os
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "integration"))
from clients import ADDRESS, ARGUMENTS, EXPORT, MNT_PORT, NFS_PORT, client_of, identity  # finds the suite's modules
from patient import PATIENCE_SECONDS, Patience
import nfs3
import nfs4env
import nlm4
import rpc
from nfs4 import (ACCESS, ALLOCATE, ANONYMOUS, CLAIM_FH, CLOSE, COMMIT, CREATE, DEALLOCATE, FILE_SYNC, GETATTR, GETFH,
                  GETXATTR, LINK, LISTXATTRS, LOCKT, LOCKU, LOOKUP, LOOKUPP, NVERIFY, PUTFH, PUTPUBFH, PUTROOTFH, READ,
                  READDIR, READLINK, READ_ACCESS, READ_LT, RENAME, REMOVE, REMOVEXATTR, RESTOREFH, SAVEFH, SECINFO,
                  SECINFO_NO_NAME, SEEK, SETATTR, SETXATTR, STATUS, VERIFY, WRITE, WRITE_LT, create)
from nfs4attr import NF4DIR, NF4LNK
from suite import Failed
from xdr import U32, Array, Bytes, Enum, Record, Struct, Union

PUT_OFF = ("JUKEBOX", "NFS4ERR_DELAY", "NFS4ERR_GRACE")
GUARDED, PATH, TAG = "/guarded", "/path-of-guarded", "tag-of-guarded"  # its Pseudo, Path and Tag
KINDS = ("none", "tls", "client", "other")
NLM_PORT, RQUOTA_PORT = 4045, 875
PROGRAMS = {NFS_PORT: nfs3.NFS, MNT_PORT: nfs3.MOUNT, NLM_PORT: (100021, 4), RQUOTA_PORT: (100011, 1)}
VERSIONS = ("v3", "v40", "v41", "v42")
UID = 0x5EC0DE11  # who owns what is secret
CONTENT = b"the content of a file that is nobody's business"
TARGET = b"the-target-of-a-link-that-is-secret"
VALUE = b"the value of an attribute that is secret"
SECRET = b"secret"  # in all names
ALL_ATTRIBUTES = ("type", "change", "size", "fsid", "rdattr_error", "filehandle", "fileid", "mode", "numlinks", "owner",
                  "time_modify", "mounted_on_fileid")
ACL = Array(Struct(tag=U32, id=U32, perm=U32))
ACL_ENTRIES = [Record(tag=tag, id=0, perm=perm) for tag, perm in ((1, 6), (4, 4), (32, 4))]  # owner, group, others
NFSACL = rpc.Program(100227, 3, [
    (1, "GETACL", Struct(object=nfs3.Handle, mask=U32), Union("status", nfs3.Status, {0: Struct(
        attributes=nfs3.PostOp, mask=U32, count=U32, acl=ACL, default_count=U32, default_acl=ACL)}, default=Struct())),
    (2, "SETACL", Struct(object=nfs3.Handle, mask=U32, count=U32, acl=ACL, default_count=U32, default_acl=ACL),
     Union("status", nfs3.Status, {0: Struct(attributes=nfs3.PostOp)}, default=Struct())),
])


def ask_acl(wire, procedure, handle):
    """Of the access ACL, its status's name."""
    acl = dict(count=3, acl=ACL_ENTRIES, default_count=3, default_acl=ACL_ENTRIES) if procedure == "SETACL" else {}
    return nfs3.Status.name(wire.call(NFSACL, procedure, Record(object=handle, mask=1, **acl)).status)


class Wire(rpc.Connection):
    """Of the kind that this thread has set last; keeps the last answer's bytes."""

    now = threading.local()
    last = b""
    fragment = None

    def __init__(self, address, port, tape, timeout=rpc.TIMEOUT_SECONDS):
        super().__init__(address, port, tape, timeout)
        self.port = port
        if self.now.kind != "none":
            client = client_of("openssl", () if self.now.kind == "tls" else identity(self.now.kind))
            self.socket = client.start(self.socket, *PROGRAMS[port])

    def send_record(self, record):
        """In fragments of this size, if it is set."""
        size = self.fragment or len(record)
        parts = [record[at:at + size] for at in range(0, len(record), size)]
        last = len(parts) - 1
        self.socket.sendall(b"".join(struct.pack(">I", (at == last) << 31 | len(part)) + part
                                     for at, part in enumerate(parts)))

    def exchange(self, *call):
        self.last = super().exchange(*call)
        return self.last


nfs3.Connection = nfs4env.Connection = Wire


class Routes:
    """One client and all its ways into an export. The subclasses' route methods are generators of calls, each
    (text, function that makes it and gives the status's name, what it gives when it is served)."""

    refused = None  # what is answered to who may not come
    bound = False  # the session is for this client alone
    refusals = strangers = 0

    def __init__(self, env, kind, number):
        self.kind, self.guarded = kind, env.target.export == GUARDED
        self.env, self.name = env, f"{SECRET.decode()}-{os.getpid()}-{env.version}-{number}".encode()
        self.count, self.secrets = 0, [SECRET, CONTENT, TARGET, VALUE, struct.pack(">I", UID), str(UID).encode()]
        self.learn()

    def __str__(self):
        return f"{self.kind} {self.env.version} {self.env.target.export}"

    def new_name(self):
        self.count += 1
        return b"%s-%d" % (self.name, self.count)

    def keep(self, handle):
        """A handle that no answer may have in it; Ganesha's own header before it isn't secret."""
        self.secrets.append(handle[-24:])
        return handle

    def act(self, refused):
        """One round; how many routes were taken. refused: the kinds that are."""
        if self.guarded and self.kind in refused:
            return self.run(self.refused)
        done = self.run(None)
        for kind in refused if self.guarded else ():
            done += self.steal(kind, lambda: self.run("AUTH_ERROR" if self.bound else self.refused))
        for kind in refused if self.guarded else ():
            done += self.repeat(kind)
        return done

    def steal(self, kind, use):
        """use() of all that this client knows and has, by connections that are refused."""
        own, Wire.now.kind = self.wires(), kind
        self.use([Wire(ADDRESS, wire.port, wire.tape) for wire in own])
        done = use()
        for wire in self.wires():
            wire.close()
        self.use(own)
        return done

    def repeat(self, kind):
        """A call is repeated, where Ganesha keeps replies."""
        return 0

    def run(self, refused):
        """Takes all routes; how many they were. refused: what is answered; None: they are served."""
        done = 0
        for text, call, served in self.routes():
            # MOUNT has no other word for "later".
            status = self.take(call, PUT_OFF if refused or not text.startswith("MNT") else (*PUT_OFF, "ACCES"))
            wanted = (refused,) if refused else served
            if status not in wanted:
                raise Failed(f"{text}: {status} instead of {' or '.join(wanted)}")
            if refused:
                self.check_bytes(text)
            self.refusals += refused == self.refused
            done += 1
        if refused != "AUTH_ERROR":
            self.finish(bool(refused))
        return done

    def finish(self, refused):
        """What is no route, but has to go on."""

    def take(self, call, put_off):
        """The status that it ends with; a server that has much to do may put it off, by saying so."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for wire in self.wires():
                wire.last = b""
            status = self.status(call)
            if status not in put_off or time.monotonic() > deadline:
                return status
            time.sleep(0.02)

    def status(self, call):
        try:
            return call()
        except rpc.RpcError as problem:
            if problem.what != "AUTH_ERROR":
                raise
            self.strangers += 1
            return problem.what

    def check_bytes(self, text):
        for wire in self.wires():
            for secret in self.secrets:
                if secret in wire.last:
                    raise Failed(f"{text}: the answer has {secret!r} in it")


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
        self.other_folder = env.lookup(env.mount_call("MNT", path=EXPORT.encode()).handle, self.name).handle
        self.other_file = env.lookup(self.other_folder, self.name).handle

    def wires(self):
        return [self.env.wires.nfs, self.env.wires.mount]

    def use(self, wires):
        self.env.wires.nfs, self.env.wires.mount = wires

    def ask(self, procedure, **arguments):
        def call():
            return nfs3.Status.name(self.env.call(procedure, " ".join(nfs3.Status.values), **arguments).status)
        return procedure, call, ("OK",)

    def mount(self, name):
        def call():
            return nfs3.MountStatus.name(self.env.mount_call("MNT", path=name.encode()).status)
        return f"MNT {name}", call, ("OK",)

    def acl(self, procedure):
        return procedure, lambda: ask_acl(self.env.wires.nfs, procedure, self.file), ("OK",)

    def routes(self):
        root, folder, file, name = self.root, self.folder, self.file, self.new_name()
        attributes, verf = nfs3.sattr(), bytes(8)
        export = self.env.target.export
        yield self.mount(export)
        yield self.mount(f"{export}/{self.name.decode()}")
        if self.guarded:
            yield self.mount(TAG)
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
        yield self.acl("GETACL")
        yield self.acl("SETACL")

    def finish(self, refused):
        """What everybody is told: MOUNT's names, and that two handles are of two exports, before they are looked at."""
        for text, call, wanted in (*self.lists(), *(self.between() if self.guarded else ())):
            if (found := self.take(call, ())) != wanted:
                raise Failed(f"{text}: {found}")
            self.check_bytes(text)

    def lists(self):
        def ask(procedure, **arguments):
            return lambda: self.env.mount_call(procedure, **arguments)
        exports = ask("EXPORT")
        yield "EXPORT", lambda: sorted(entry.directory.decode() for entry in exports()), sorted((EXPORT, GUARDED))
        yield "DUMP", ask("DUMP"), []
        yield "UMNT", ask("UMNT", path=self.env.target.export.encode()), None
        yield "UMNTALL", ask("UMNTALL"), None

    def between(self):
        name = self.new_name()
        for text, file, source, target in (("to another export", self.file, self.folder, self.other_folder),
                                           ("from another export", self.other_file, self.other_folder, self.folder)):
            to = Record(dir=target, name=name)
            for procedure, arguments in (("LINK", dict(object=file, link=to)),
                                         ("RENAME", dict(source=Record(dir=source, name=self.name), to=to))):
                yield f"{procedure} {text}", self.ask(procedure, **arguments)[1], "XDEV"

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
        self.other_folder = env.lookup(None, EXPORT[1:].encode(), self.name)
        self.other_file = env.lookup(self.other_folder, self.name)

    def wires(self):
        return [self.env.connection]

    def use(self, wires):
        self.env.connection, = wires

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
        if self.guarded:
            yield from self.between()
        yield from self.state()
        yield from self.newer()

    def finish(self, refused):
        """The pseudo root can be listed by everybody, and an export's flavours be asked for."""
        self.env.ok(PUTROOTFH(), SECINFO(self.export))
        for names in (ALL_ATTRIBUTES, ("type", "fileid", "filehandle"), ()):
            reply = self.env.ok(PUTROOTFH(), READDIR(0, bytes(8), 8192, 32768, names))
            listed = [entry.name for entry in reply["READDIR"].entries]
            if not reply["READDIR"].eof or EXPORT[1:].encode() not in listed or (self.export in listed) == refused:
                raise Failed(f"READDIR of the pseudo root with {names}: {listed}")
            if refused and self.root in self.wires()[0].last:
                raise Failed(f"READDIR of the pseudo root with {names} has the root's handle")

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

    def between(self):
        name = self.new_name()
        for text, file, source, target in (("to another export", self.file, self.folder, self.other_folder),
                                           ("from another export", self.other_file, self.other_folder, self.folder)):
            yield self.ask(f"LINK {text}", PUTFH(file), SAVEFH(), PUTFH(target), LINK(name), served=("NFS4ERR_XDEV",))
            yield self.ask(f"RENAME {text}", PUTFH(source), SAVEFH(), PUTFH(target), RENAME(self.name, name),
                           served=("NFS4ERR_XDEV",))

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

    def repeat(self, kind):
        """Who has asked is answered again; others are told nothing, in this session, from now on."""
        ops = [self.env.session.sequence(0, True), PUTFH(self.file), GETFH(), GETATTR(["owner"])]
        answers = []
        for self.env.connection.fragment in (None, 400, 60, 8, None):
            answers.append(self.env.send(ops).expect("NFS4_OK").results)
        self.env.session.take(0)
        if answers.count(answers[0]) != len(answers):
            raise Failed(f"a reply is repeated otherwise: {answers}")
        self.bound = True
        return self.steal(kind, lambda: self.repeat_stolen(ops))

    def repeat_stolen(self, ops):
        """However it is packed."""
        ways = [(tag, fragment) for tag in (b"", b"tag", b"t" * 1000) for fragment in (None, 400, 60, 8)]
        for tag, self.env.connection.fragment in ways:
            if (status := self.status(lambda: self.env.send(ops, tag=tag))) != "AUTH_ERROR":
                raise Failed(f"a stranger's repetition: {status}")
            self.check_bytes("a repetition")
        return len(ways)

    def newer(self):
        yield self.ask_open("OPEN by handle", None, self.file, claim=Record(claim=CLAIM_FH))
        yield self.ask("SECINFO_NO_NAME", PUTFH(self.folder), SECINFO_NO_NAME(0))

    def release(self):
        """Only if nothing else is asked for in the COMPOUND."""
        unlock = LOCKU(WRITE_LT, 0, self.lock.stateid, 0, 200)
        for ops in ((unlock, GETATTR(["size"])), (ACCESS(1), unlock), (unlock, READ(ANONYMOUS, 0, 10))):
            self.env.compound(PUTFH(self.file), *ops).expect(self.refused)
            self.check_bytes("LOCKU and something else")
            self.refusals += 1
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


class Mounts(Routes):
    """Of who knows no handle."""

    refused, guarded = "ACCES", True

    def __init__(self, kind):
        self.kind, self.wire, self.secrets = kind, Wire(ADDRESS, MNT_PORT, rpc.Tape()), [SECRET]

    def __str__(self):
        return f"{self.kind} MNT"

    def wires(self):
        return [self.wire]

    def act(self, refused):
        return self.run(self.refused if self.kind in refused else None)

    def routes(self):
        for path in (PATH, f"{PATH}/{SECRET.decode()}"):
            yield f"MNT {path}", lambda path=path: mounted(self.wire, path.encode()), ("OK",)


def mounted(wire, path):
    return nfs3.MountStatus.name(wire.call(nfs3.MOUNT_PROGRAM, "MNT", Record(path=path)).status)


ROUTES = {"v3": Routes3, "v40": Routes40, "v41": Routes41, "v42": Routes42}

# --- beside NFS: with Linux's client MOUNT and NLM are always in cleartext --------------------------------

QUOTA = Enum({"OK": 1, "NOQUOTA": 2, "EPERM": 3})
RQUOTA = rpc.Program(100011, 1, [
    (1, "GETQUOTA", Struct(path=Bytes(1024), uid=U32), Union("status", QUOTA, {}, default=Struct())),
])
STATES = ("served", "closed", "open")
TAKEN = dict(block=False, exclusive=True, reclaim=False, state=0)
REFUSED = ("ACCES", "STALE_FH", "EPERM")


class Sideband:
    """What a client of NFSv3 asks beside NFS, of /guarded, by connections of this kind."""

    def __init__(self, routes, kind):
        self.routes, self.kind, Wire.now.kind = routes, kind, kind
        self.nfs, self.mount, self.nlm, self.rquota = (Wire(ADDRESS, port, rpc.Tape())
                                                      for port in (NFS_PORT, MNT_PORT, NLM_PORT, RQUOTA_PORT))

    def attributes(self):
        found = self.nfs.call(nfs3.NFS_PROGRAM, "GETATTR", Record(object=self.routes.root))
        return nfs3.Status.name(found.status)

    def lock(self, procedure, **arguments):
        lock = Record(caller=b"xprtsec", fh=self.routes.file, oh=self.routes.name, svid=1, offset=1000, length=10)
        reply = self.nlm.call(nlm4.NLM, procedure, Record(cookie=b"", lock=lock, **arguments))
        return nlm4.STATUS.name((reply.test if procedure == "TEST" else reply).stat)

    def share(self, procedure):
        share = Record(caller=b"xprtsec", fh=self.routes.file, oh=self.routes.name, mode=0, access=1)
        return nlm4.STATUS.name(self.nlm.call(nlm4.NLM, procedure, Record(cookie=b"", share=share, reclaim=False)).stat)

    def restarted(self):
        return self.nlm.call(nlm4.NLM, "SM_NOTIFY", Record(name=b"xprtsec", state=1, private=bytes(16)))

    def quota(self):
        return QUOTA.name(self.rquota.call(RQUOTA, "GETQUOTA", Record(path=GUARDED.encode(), uid=0)).status)

    def asked(self):
        """What is answered to each in each of STATES."""
        refused = "ACCES", "ACCES"
        yield "MNT", mounted(self.mount, GUARDED.encode()), ("OK", "ACCES", "OK")
        yield "MNT by tag", mounted(self.mount, TAG.encode()), ("OK", "ACCES", "OK")
        yield "MNT below", mounted(self.mount, GUARDED.encode() + b"/" + self.routes.name), ("OK", *refused)
        yield "GETATTR", self.attributes(), ("OK", *refused)
        yield "GETACL", ask_acl(self.nfs, "GETACL", self.routes.file), ("OK", *refused)
        yield "SETACL", ask_acl(self.nfs, "SETACL", self.routes.file), ("OK", *refused)
        yield "GETQUOTA", self.quota(), ("NOQUOTA", "EPERM", "EPERM")
        yield "TEST", self.lock("TEST", exclusive=True), ("GRANTED", "STALE_FH", "GRANTED")
        yield "NM_LOCK", self.lock("NM_LOCK", **TAKEN), ("GRANTED", "STALE_FH", "GRANTED")
        # It is let in; but there is no statd.
        yield "LOCK", self.lock("LOCK", **TAKEN), ("DENIED_NOLOCKS", "STALE_FH", "DENIED_NOLOCKS")
        yield "SHARE", self.share("SHARE"), ("GRANTED", "STALE_FH", "GRANTED")
        yield "CANCEL", self.lock("CANCEL", block=False, exclusive=True), ("GRANTED",) * 3
        yield "UNLOCK", self.lock("UNLOCK"), ("GRANTED",) * 3
        yield "UNSHARE", self.share("UNSHARE"), ("GRANTED",) * 3
        yield "SM_NOTIFY", self.restarted(), (None,) * 3

    def act(self, state):
        done = 0
        for text, status, wanted in self.asked():
            if status != wanted[STATES.index(state)]:
                raise Failed(f"{text} by {self.kind}: {status}, where it should be {state}")
            self.routes.refusals += status in REFUSED
            done += 1
        for wire in (self.nfs, self.mount, self.nlm, self.rquota):
            wire.close()
        return done


# --- rounds ---------------------------------------------------------------------------------------------


class Worker(threading.Thread):
    """One client's part of a round."""

    def __init__(self, client, act):
        super().__init__(daemon=True)
        self.client, self.act = client, act
        self.done, self.problem = 0, None

    def run(self):
        try:
            self.done = self.act(self.client)
        except Exception as problem:  # noqa: B902  it is told by whoever waits
            self.problem = f"{self.client}: {type(problem).__name__}: {problem}"


def together(clients, act):
    """act(client) for all at the same time; the sum of what they return."""
    workers = [Worker(client, act) for client in clients]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    problems = [worker.problem for worker in workers if worker.problem]
    if problems:
        sys.exit("\n".join([f"FAILED: {len(problems)} of {len(workers)} clients", *problems[:3]]))
    return sum(worker.done for worker in workers)


def take(clients, refused):
    return together(clients, lambda client: client.act(refused))


def release(clients, refused):
    return together(clients, lambda client: client.release() if client.guarded and client.kind in refused
                    else client.act(refused))


def sideband(clients, words):
    state, kind = words
    asking = [client for client in clients if client.guarded and client.env.version == "v3"]
    return together(asking, lambda client: Sideband(client, kind).act(state))


def make_mounts(count):
    for number in range(count):
        Wire.now.kind = KINDS[number % 4]
        yield Mounts(Wire.now.kind)


def make_clients(count):
    """Half of them of each export, and of each export's all kinds by all versions."""
    makers = [Patience(ADDRESS, NFS_PORT, MNT_PORT, export) for export in (EXPORT, GUARDED)]
    for maker in makers:
        maker.target.name += maker.target.export  # tells their clients apart
    for number in range(count):
        kind, version = KINDS[number // 2 % 4], VERSIONS[number // 8 % 4]
        Wire.now.kind = kind
        yield ROUTES[version](makers[number % 2].client(version), kind, number)


def main():
    make = make_mounts if ARGUMENTS[1:] == ["mount"] else make_clients
    clients = list(make(int(ARGUMENTS[0])))
    print(f"{len(clients)} clients", flush=True)
    for line in sys.stdin:
        started = time.monotonic()
        for client in clients:
            client.refusals = client.strangers = 0
        word, *words = line.split()
        done = {"take": take, "release": release, "sideband": sideband}[word](clients, words)
        refusals, strangers = (sum(getattr(client, kind) for client in clients) for kind in ("refusals", "strangers"))
        print(f"{line.strip()}: {done} routes in {time.monotonic() - started:.1f} s, {refusals} refused, {strangers} strangers",
              flush=True)


main()
