# SPDX-License-Identifier: LGPL-3.0-or-later
# rpc.py -- ONC RPC (RFC 5531) over TCP, for a client; and programs, as tables of procedures
"""A Program names its procedures and their types. A Connection sends calls of any program and checks every
field of the answers' headers. A Tape notes what went over connections, or plays it back without any."""

import os
import socket
import struct
import time

from xdr import I32, U32, Array, Bytes, Enum, Reader, Record, Struct, Union, XdrError

TIMEOUT_SECONDS = 30
RECORD_MAX = 8 << 20

ACCEPT = Enum({"SUCCESS": 0, "PROG_UNAVAIL": 1, "PROG_MISMATCH": 2, "PROC_UNAVAIL": 3, "GARBAGE_ARGS": 4, "SYSTEM_ERR": 5})
AUTH = Enum({"AUTH_OK": 0, "AUTH_BADCRED": 1, "AUTH_REJECTEDCRED": 2, "AUTH_BADVERF": 3, "AUTH_REJECTEDVERF": 4,
             "AUTH_TOOWEAK": 5, "AUTH_INVALIDRESP": 6, "AUTH_FAILED": 7})
AUTH_NONE, AUTH_SYS = 0, 1
SUCCESS = 0

OpaqueAuth = Struct(flavor=U32, body=Bytes(400))
AuthSys = Struct(stamp=U32, machinename=Bytes(255), uid=U32, gid=U32, gids=Array(U32))
Mismatch = Struct(low=U32, high=U32)
CallHeader = Struct(xid=U32, mtype=I32, rpcvers=U32, prog=U32, vers=U32, proc=U32, cred=OpaqueAuth, verf=OpaqueAuth)
Rejected = Union("reject_stat", I32, {0: Mismatch, 1: Struct(auth_stat=AUTH)})
Accepted = Union("accept_stat", ACCEPT, {2: Mismatch}, default=Struct())
ReplyHeader = Struct(xid=U32, mtype=I32,
                     reply=Union("reply_stat", I32, {0: Struct(verf=OpaqueAuth, accepted=Accepted), 1: Struct(rejected=Rejected)}))


class RpcError(Exception):
    """The server didn't do the call. `what` is the name of its answer, for comparisons."""

    def __init__(self, what, text=""):
        super().__init__(f"{what}: {text}" if text else what)
        self.what = what


class Procedure:
    def __init__(self, number, name, arguments, results):
        self.number, self.name, self.arguments, self.results = number, name, arguments, results


class Program:
    """procedures: (number, name, arguments' type, results' type) each."""

    known = {}

    def __init__(self, number, version, procedures):
        self.number, self.version = number, version
        self.procedures = {name: Procedure(proc, name, arguments, results) for proc, name, arguments, results in procedures}
        self.by_number = {procedure.number: procedure for procedure in self.procedures.values()}
        Program.known[number, version] = self


class Credential:
    """Who calls (AUTH_SYS)."""

    def __init__(self, uid=0, gid=0, gids=(), machine=b"conformance"):
        self.uid, self.gid, self.gids, self.machine = uid, gid, list(gids), machine

    def auth(self):
        body = AuthSys.encode(Record(stamp=0, machinename=self.machine, uid=self.uid, gid=self.gid, gids=self.gids))
        return Record(flavor=AUTH_SYS, body=body)


NOBODY = Record(flavor=AUTH_NONE, body=b"")
ROOT = Credential()


class Tape:
    """What was asked and answered, in order, so that a test can be repeated without a server.

    An entry is (program, version, procedure, reply without its xid; None: there was none), or ("value", what value()
    noted). During a replay `spoil` is called with the index and the reply of each entry; what it returns is played."""

    def __init__(self, entries=None, spoil=None):
        self.entries = [] if entries is None else entries
        self.replaying = entries is not None
        self.spoil = spoil
        self.at = 0

    def note(self, prog, vers, proc, reply):
        self.entries.append((prog, vers, proc, reply))

    def value(self, make):
        """make(), noted: what a test knows from elsewhere than the server, such as the time."""
        if self.replaying:
            return self.next("value")
        self.entries.append(("value", make()))
        return self.entries[-1][-1]

    def next(self, *wanted):
        if self.at == len(self.entries):
            raise RpcError("TAPE", "more calls than were recorded")
        *what, reply = self.entries[self.at]
        self.at += 1
        if tuple(what) != wanted:
            raise RpcError("TAPE", f"{wanted} instead of {what}")
        if self.spoil and wanted[0] != "value":
            reply = self.spoil(self.at - 1, reply)
        if reply is None:
            raise RpcError("CLOSED", "the server has closed the connection")
        return reply


class Connection:
    """One TCP connection. Not for several threads. sent_ns, answered_ns: CLOCK_MONOTONIC around the last exchange."""

    secure = None  # secure(socket, port) returns what takes the socket's place, TLS for one

    def __init__(self, address, port, tape, timeout=TIMEOUT_SECONDS):
        self.tape = tape
        self.timeout = timeout
        self.xid = 0 if tape.replaying else int.from_bytes(os.urandom(4), "big")
        self.socket = self.sent_ns = self.answered_ns = None
        if not tape.replaying:
            self.socket = socket.create_connection((address, port), timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if Connection.secure:
                self.socket = Connection.secure(self.socket, port)

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def send_record(self, record):
        self.socket.sendall(struct.pack(">I", 0x80000000 | len(record)) + record)

    def receive(self, count):
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(min(count - len(data), 1 << 20))
            if not piece:
                raise RpcError("CLOSED", "the server has closed the connection")
            data += piece
        return bytes(data)

    def receive_record(self):
        record = b""
        last = False
        while not last:
            mark = struct.unpack(">I", self.receive(4))[0]
            last = mark >= 0x80000000
            record += self.receive(mark & 0x7FFFFFFF)
            if len(record) > RECORD_MAX:
                raise RpcError("RECORD", f"a record of over {RECORD_MAX} bytes")
        return record

    def exchange(self, prog, vers, proc, request):
        """Sends a whole record that begins with self.xid; returns the reply behind its xid."""
        if self.tape.replaying:
            return self.tape.next(prog, vers, proc)
        reply = None
        deadline = time.monotonic() + self.timeout
        self.sent_ns = time.monotonic_ns()
        try:
            self.send_record(request)
            while reply is None:
                record = self.receive_record()
                if record[:4] == struct.pack(">I", self.xid) or time.monotonic() > deadline:
                    self.answered_ns = time.monotonic_ns()
                    reply = record[4:]
        except (ConnectionError, BrokenPipeError) as problem:
            raise RpcError("CLOSED", str(problem)) from problem
        except TimeoutError as problem:
            raise RpcError("TIMEOUT", f"no answer within {self.timeout} s") from problem
        finally:
            self.tape.note(prog, vers, proc, reply)
        return reply

    def raw_call(self, prog, vers, proc, arguments, cred=NOBODY, verf=NOBODY, rpcvers=2, mtype=0):
        """Arguments are bytes; returns the results' bytes. Raises RpcError for any other answer."""
        self.xid = (self.xid + 1) & 0xFFFFFFFF
        header = Record(xid=self.xid, mtype=mtype, rpcvers=rpcvers, prog=prog, vers=vers, proc=proc, cred=cred, verf=verf)
        reply = self.exchange(prog, vers, proc, CallHeader.encode(header) + arguments)
        return self.results(struct.pack(">I", self.xid) + reply)

    def results(self, record):
        """Checks a reply's header; returns what is behind it."""
        reader = Reader(record)
        try:
            header = ReplyHeader.unpack(reader)
        except XdrError as problem:
            raise RpcError("BADREPLY", str(problem)) from problem
        if header.mtype != 1:
            raise RpcError("BADREPLY", f"message type {header.mtype}")
        if header.reply.reply_stat != 0:
            rejected = header.reply.rejected
            if rejected.reject_stat == 0:
                raise RpcError("RPC_MISMATCH", f"{rejected.low} to {rejected.high}")
            raise RpcError("AUTH_ERROR", AUTH.name(rejected.auth_stat))
        if header.reply.verf.flavor != AUTH_NONE or header.reply.verf.body:
            raise RpcError("BADREPLY", "a verifier that isn't AUTH_NONE's")
        accepted = header.reply.accepted
        if accepted.accept_stat != SUCCESS:
            versions = f"{accepted.low} to {accepted.high}" if accepted.accept_stat == 2 else ""
            raise RpcError(ACCEPT.name(accepted.accept_stat), versions)
        return record[reader.at:]

    def call(self, program, name, arguments, credential=ROOT):
        """A typed call. Raises RpcError, XdrError."""
        procedure = program.procedures[name]
        cred = credential.auth() if credential else NOBODY
        data = self.raw_call(program.number, program.version, procedure.number, procedure.arguments.encode(arguments), cred)
        return procedure.results.decode(data)


def reply_type(prog, vers, proc):
    """The type of a successful reply behind its xid, or None if the procedure isn't known."""
    program = Program.known.get((prog, vers))
    if program is None or proc not in program.by_number:
        return None
    return Struct(mtype=I32, reply_stat=I32, verf=OpaqueAuth, accept_stat=ACCEPT, results=program.by_number[proc].results)
