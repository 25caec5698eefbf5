# SPDX-License-Identifier: LGPL-3.0-or-later
# clients.py -- raw NFS clients that note what they ask, when, and what they are told, as linear.py's operations
"""client.do("rename", "/0", "a", "/1", "b") does one operation of files.py's by one call (or COMPOUND), appends it to
client.history, with the times around the call that was answered. Attributes that come along in the answer are noted
as a GETATTR of their own. What is answered DELAY, JUKEBOX or GRACE is asked again: it wasn't done. When the connection
ends, the client connects again, for as long as it takes, and

- asks again what changes nothing;
- sends a WRITE again, which then may have been done twice until it is answered;
- leaves any other change alone: whether and when it is done, nobody knows.

With `faulty`, a change that is answered by an I/O error is such a one, too."""

import os
import sys
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, os.pardir, "integration")]
import patient  # noqa: E402,F401  it finds the suite's modules
import nfs3  # noqa: E402
from files import BLOCK, CHANGES, END, TORN, is_dir  # noqa: E402
from linear import Operation, unanswered  # noqa: E402
from nfs4 import (ANONYMOUS, CLOSE, CREATE, CURRENT, FILE_SYNC, GETATTR, GETFH, LINK, LOOKUP, NUMBER_OF,  # noqa: E402
                  PUTFH, READ, READDIR, REMOVE, RENAME, RESULT_CONFIRM, SAVEFH, STATUS, WRITE, create)
from nfs4 import GUARDED as GUARDED4  # noqa: E402
from nfs4attr import NF4DIR  # noqa: E402
from rpc import ROOT, RpcError  # noqa: E402
from suite import Failed  # noqa: E402
from xdr import Record  # noqa: E402

PATIENCE_SECONDS = 60
PAUSE_SECONDS = 0.01
LISTING = 8192
AGAIN = ("JUKEBOX", "DELAY", "GRACE")
FORGOTTEN = ("STALE_CLIENTID", "EXPIRED", "BADSESSION", "DEADSESSION", "BAD_STATEID", "STALE_STATEID")
FOUND = ["type", "numlinks", "size"]


class Refused(Exception):
    """An answer that isn't OK; word is its name without prefix."""

    def __init__(self, word):
        super().__init__(word)
        self.word = word


class Objects:
    """What all clients of a history call an object: "f1", "d2"."""

    def __init__(self):
        self.lock = threading.Lock()
        self.things, self.handles = {}, {}

    def name(self, version, handle, directory):
        """directory: whether it is one; None: not known, and None is returned if it is new. A handle of NFSv3 is
        NFSv4's, padded."""
        key = handle.rstrip(b"\0")
        with self.lock:
            if key not in self.things and directory is None:
                return None
            thing = self.things.setdefault(key, f"{'d' if directory else 'f'}{len(self.things) + 1}")
        self.fix(version, thing, handle)
        return thing

    def fix(self, version, thing, handle):
        with self.lock:
            self.handles[version == "v3", thing] = handle

    def handle(self, version, thing):
        return self.handles[version == "v3", thing]

    def known(self, version, kind):
        """The objects that clients of this version can ask for, in the order in which they were found."""
        with self.lock:
            return [thing for is_v3, thing in self.handles if is_v3 == (version == "v3") and thing[0] == kind]


class Client:
    """One of NFS's versions at one point of contact. Subclasses have a method for each kind of operation: it returns
    the result, or raises Refused, or RpcError."""

    def __init__(self, name, patience, version):
        self.name, self.patience, self.version = name, patience, version
        self.env, self.owner = None, 0
        self.connect()

    def begin(self, objects, faulty):
        """A new history."""
        self.objects, self.faulty, self.history = objects, faulty, []

    def connect(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if self.env:
                    self.connection().close()
                self.env = self.patience.client(self.version)
                return
            except (OSError, RpcError, Failed) as problem:
                if time.monotonic() > deadline:
                    raise Failed(f"{self.name} can't connect for {PATIENCE_SECONDS} s: {problem}") from problem
                time.sleep(PAUSE_SECONDS)

    def do(self, kind, *args):
        """One operation. Returns its result; None if nobody knows it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        lost = []
        while time.monotonic() < deadline:
            result = self.attempt(kind, args)
            if result in AGAIN:
                time.sleep(PAUSE_SECONDS)
            elif result in FORGOTTEN:
                self.connect()
            elif kind in CHANGES and (result == "LOST" and kind != "write" or result == "IO" and self.faulty):
                self.history += [unanswered(self.name, kind, args, call) for call in (*lost, self.sent)]
                return None
            elif result == "LOST":
                lost.append(self.sent)
            else:
                return self.note(kind, args, result, lost)
        raise Failed(f"{self.name}: {kind} {args} is answered {result}")

    def attempt(self, kind, args):
        self.seen = []
        try:
            return getattr(self, kind)(*args)
        except Refused as refusal:
            return refusal.word
        except RpcError as problem:
            if problem.what not in ("CLOSED", "TIMEOUT"):
                raise
            self.connect()
            return "LOST"

    def note(self, kind, args, result, lost):
        if kind in CHANGES:
            self.history += [unanswered(self.name, kind, args, call).changed(ret=self.answered) for call in lost]
        told = [(kind, args, result), *(("getattr", (thing,), attributes) for thing, attributes in self.seen)]
        self.history += [Operation(self.name, *one[:2], self.sent, self.answered, one[2]) for one in told]
        return result

    def timed(self, connection, ask):
        try:
            return ask()
        finally:
            self.sent, self.answered = connection.sent_ns, connection.answered_ns

    def handle(self, thing):
        return self.objects.handle(self.version, thing)

    def place(self, directory, name):
        return self.handle(directory), name.encode()

    def found(self, handle, directory, attributes):
        """An object's name; attributes, [nlink, size], that came along are noted."""
        thing = self.objects.name(self.version, handle, directory)
        if thing is None:
            raise Refused("DELAY")  # neither a type nor an earlier one
        self.saw(thing, attributes)
        return thing

    def saw(self, thing, attributes):
        if attributes and not is_dir(thing):
            self.seen.append((thing, attributes))

    @staticmethod
    def value(data):
        return int.from_bytes(data, "big") if len(data) == BLOCK else TORN if data else END


class Client3(Client):
    def connection(self):
        return self.env.wires.nfs

    def ask(self, procedure, **arguments):
        connection = self.connection()
        answer = self.timed(connection, lambda: connection.call(nfs3.NFS_PROGRAM, procedure, Record(**arguments), ROOT))
        if answer.status:
            raise Refused(nfs3.Status.name(answer.status))
        return answer

    def entry(self, directory, name):
        return dict(zip(("dir", "name"), self.place(directory, name)))

    @staticmethod
    def brief(attributes):
        return attributes and [attributes.nlink, attributes.size]

    def lookup(self, directory, name):
        got = self.ask("LOOKUP", **self.entry(directory, name))
        is_directory = got.attributes.type == nfs3.DIR if got.attributes else None
        return self.found(got.handle, is_directory, self.brief(got.attributes))

    def getattr(self, thing):
        got = self.ask("GETATTR", object=self.handle(thing)).attributes
        return "dir" if got.type == nfs3.DIR else self.brief(got)

    def read(self, file, block):
        got = self.ask("READ", object=self.handle(file), offset=block * BLOCK, count=BLOCK)
        self.saw(file, self.brief(got.attributes))
        return self.value(got.data)

    def write(self, file, block, value):
        got = self.ask("WRITE", object=self.handle(file), offset=block * BLOCK, count=BLOCK, stable=nfs3.FILE_SYNC,
                       data=value.to_bytes(BLOCK, "big"))
        self.saw(file, self.brief(got.wcc.after))
        return "OK"

    def create(self, directory, name):
        how = Record(how=nfs3.GUARDED, attributes=nfs3.sattr(mode=0o666))
        got = self.ask("CREATE", **self.entry(directory, name), how=how)
        return self.found(got.handle, False, self.brief(got.attributes))

    def mkdir(self, directory, name):
        got = self.ask("MKDIR", **self.entry(directory, name), attributes=nfs3.sattr(mode=0o777))
        return self.found(got.handle, True, None)

    def rename(self, directory, name, to_directory, to_name):
        self.ask("RENAME", source=Record(**self.entry(directory, name)), to=Record(**self.entry(to_directory, to_name)))
        return "OK"

    def unlink(self, directory, name):
        self.ask("REMOVE", **self.entry(directory, name))
        return "OK"

    def rmdir(self, directory, name):
        self.ask("RMDIR", **self.entry(directory, name))
        return "OK"

    def link(self, file, directory, name):
        got = self.ask("LINK", object=self.handle(file), link=Record(**self.entry(directory, name)))
        self.saw(file, self.brief(got.attributes))
        return "OK"

    def readdir(self, directory):
        got = self.ask("READDIR", dir=self.handle(directory), cookie=0, verf=bytes(8), count=LISTING)
        return [entry.name.decode() for entry in got.entries if entry.name not in (b".", b"..")]


class Client4(Client):
    def connection(self):
        return self.env.connection

    def ask(self, main, *ops):
        """Raises Refused unless the operation `main` of a COMPOUND succeeds."""
        send = self.env.session.compound if self.env.minor else lambda *ops: self.env.send(ops)
        return self.reply(main, lambda: send(*ops))

    def reply(self, main, ask):
        try:
            reply = self.timed(self.connection(), ask)
        except Failed as problem:  # SEQUENCE fails
            if not problem.status:
                raise
            raise Refused(problem.status.removeprefix("NFS4ERR_")) from problem
        if not any(one.resop == NUMBER_OF[main] and one.status == 0 for one in reply.results):
            raise Refused(STATUS.name(reply.status).removeprefix("NFS4ERR_"))
        return reply

    @staticmethod
    def brief(reply):
        """Type and attributes, as far as there are any."""
        got = reply.results[-1]
        if got.resop != NUMBER_OF["GETATTR"] or got.status:
            return None, None
        return got.attrs.type == NF4DIR, [got.attrs.numlinks, got.attrs.size]

    def lookup(self, directory, name):
        handle, name = self.place(directory, name)
        reply = self.ask("GETFH", PUTFH(handle), LOOKUP(name), GETFH(), GETATTR(FOUND))
        return self.found(reply["GETFH"].object, *self.brief(reply))

    def getattr(self, thing):
        is_directory, attributes = self.brief(self.ask("GETATTR", PUTFH(self.handle(thing)), GETATTR(FOUND)))
        return "dir" if is_directory else attributes

    def read(self, file, block):
        reply = self.ask("READ", PUTFH(self.handle(file)), READ(ANONYMOUS, block * BLOCK, BLOCK), GETATTR(FOUND))
        self.saw(file, self.brief(reply)[1])
        return self.value(reply["READ"].data)

    def write(self, file, block, value):
        data = value.to_bytes(BLOCK, "big")
        self.ask("WRITE", PUTFH(self.handle(file)), WRITE(ANONYMOUS, block * BLOCK, FILE_SYNC, data))
        return "OK"

    def create(self, directory, name):
        """By an OPEN; it is closed at once, by NFSv4.0 in calls of their own."""
        env, (handle, name) = self.env, self.place(directory, name)
        how = create(GUARDED4, Record(mode=0o666))
        if env.minor:
            reply = self.ask("GETFH", PUTFH(handle), env.open_op(name, how=how), GETFH(), CLOSE(0, CURRENT))
        else:
            owner = env.client.owner(b"owner %d" % self.owner)
            reply = self.reply("GETFH", lambda: env.sequenced([owner], PUTFH(handle), env.open_op(name, owner, how=how),
                                                              GETFH()))
            self.close(reply["OPEN"].copy(handle=reply["GETFH"].object, owner=owner))
        return self.found(reply["GETFH"].object, False, None)

    def close(self, opened):
        try:
            if opened.rflags & RESULT_CONFIRM:
                opened.stateid = self.env.confirm(opened).expect("NFS4_OK")["OPEN_CONFIRM"].open_stateid
            self.env.close_file(opened)
        except (Failed, RpcError):
            self.owner += 1  # this one's sequence number isn't known any more

    def mkdir(self, directory, name):
        handle, name = self.place(directory, name)
        reply = self.ask("GETFH", PUTFH(handle), CREATE(Record(type=NF4DIR), name, Record(mode=0o777)), GETFH())
        return self.found(reply["GETFH"].object, True, None)

    def rename(self, directory, name, to_directory, to_name):
        source, to = self.place(directory, name), self.place(to_directory, to_name)
        self.ask("RENAME", PUTFH(source[0]), SAVEFH(), PUTFH(to[0]), RENAME(source[1], to[1]))
        return "OK"

    def remove(self, directory, name):
        handle, name = self.place(directory, name)
        self.ask("REMOVE", PUTFH(handle), REMOVE(name))
        return "OK"

    def link(self, file, directory, name):
        handle, name = self.place(directory, name)
        self.ask("LINK", PUTFH(self.handle(file)), SAVEFH(), PUTFH(handle), LINK(name))
        return "OK"

    def readdir(self, directory):
        got = self.ask("READDIR", PUTFH(self.handle(directory)), READDIR(0, bytes(8), LISTING, LISTING, []))["READDIR"]
        return [entry.name.decode() for entry in got.entries]


def new_client(name, patience, version):
    return (Client3 if version == "v3" else Client4)(name, patience, version)
