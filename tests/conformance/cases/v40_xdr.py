# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_xdr.py -- arguments that aren't what XDR says
"""Tests of NFS v4.0: malformed calls. The connection, and the server, have to survive each of them."""

import struct

from nfs4 import (ACCESS, ANONYMOUS, CLOSE, COMMIT, CREATE, DELEGPURGE, DELEGRETURN, GETATTR, LINK, LOCK, LOCKT, LOCKU,
                  LOOKUP, NUMBER_OF, NVERIFY, OPEN, OPENATTR, OPEN_CONFIRM, OPEN_DOWNGRADE, OPS, PUTFH, PUTROOTFH,
                  READ, READDIR, READ_LT, RELEASE_LOCKOWNER, REMOVE, RENAME, RENEW, SECINFO, SETATTR, SETCLIENTID,
                  SETCLIENTID_CONFIRM, VERIFY, WRITE, Raw, by_name, create)
from nfs4attr import NF4DIR, RawAttributes, Words, at
from nfs40 import NO_CALLBACK
from rpc import RpcError
from suite import Failed, equal, test, that
from xdr import Record

BADXDR = ("RFC 7530 13.1.1.1", "The arguments for this operation do not match those specified in the XDR definition. "
                               "This includes situations in which the request ends before all the arguments have been "
                               "seen.")
ENUMS = ("RFC 7530 13.1.1.1", "Note that this error applies when fixed enumerations (these include booleans) have a "
                              "value within the input stream that is not valid for the enum.")
RPC_ERROR = ("RFC 7530 15.2.4", "If there is an XDR decoding error in this case, an RPC XDR decode error would be "
                                "returned.")


def malformed(env, data, others=""):
    """These bytes have to get GARBAGE_ARGS, or NFS4ERR_BADXDR (or one of `others`) for the last operation."""
    try:
        reply = env.send_bytes(data)
    except RpcError as problem:
        if problem.what != "GARBAGE_ARGS":
            raise Failed(f"{problem} instead of GARBAGE_ARGS or NFS4ERR_BADXDR", problem.what) from problem
    else:
        reply.expect("NFS4ERR_BADXDR", *others.split())
    env.ok(PUTROOTFH())


def arguments(env):
    """A good call of each operation that has arguments."""
    owner = Record(clientid=env.client.clientid, owner=b"owner")
    locker = Record(new_lock_owner=True, open_seqid=1, open_stateid=ANONYMOUS, lock_seqid=1, lock_owner=owner)
    return {
        "ACCESS": ACCESS(1), "CLOSE": CLOSE(1, ANONYMOUS), "COMMIT": COMMIT(0, 0), "CREATE": CREATE(Record(type=NF4DIR),
                                                                                                    b"x"),
        "DELEGPURGE": DELEGPURGE(1), "DELEGRETURN": DELEGRETURN(ANONYMOUS), "GETATTR": GETATTR(["type"]),
            "LINK": LINK(b"x"),
        "LOCK": LOCK(READ_LT, False, 0, 1, locker), "LOCKT": LOCKT(READ_LT, 0, 1, owner),
        "LOCKU": LOCKU(READ_LT, 1, ANONYMOUS, 0, 1), "LOOKUP": LOOKUP(b"x"), "NVERIFY": NVERIFY(Record(size=1)),
        "OPEN": OPEN(1, 1, 0, owner, create(attrs=Record(mode=0)), by_name(b"x")), "OPENATTR": OPENATTR(False),
        "OPEN_CONFIRM": OPEN_CONFIRM(ANONYMOUS, 1), "OPEN_DOWNGRADE": OPEN_DOWNGRADE(ANONYMOUS, 1, 1, 0),
            "PUTFH": PUTFH(env.home),
        "READ": READ(ANONYMOUS, 0, 1), "READDIR": READDIR(0, bytes(8), 4096, 4096, ["type"]), "REMOVE": REMOVE(b"x"),
        "RENAME": RENAME(b"x", b"y"), "RENEW": RENEW(1), "SECINFO": SECINFO(b"x"), "SETATTR": SETATTR(ANONYMOUS,
                                                                                                      Record(mode=0)),
        "SETCLIENTID": SETCLIENTID(Record(verifier=b"verifier", ownerid=b"x"), NO_CALLBACK, 1),
        "SETCLIENTID_CONFIRM": SETCLIENTID_CONFIRM(1, bytes(8)), "VERIFY": VERIFY(Record(size=1)),
        "WRITE": WRITE(ANONYMOUS, 0, 0, b"data"), "RELEASE_LOCKOWNER": RELEASE_LOCKOWNER(owner)}


WITH_ARGUMENTS = ("ACCESS", "CLOSE", "COMMIT", "CREATE", "DELEGPURGE", "DELEGRETURN", "GETATTR", "LINK", "LOCK",
                  "LOCKT", "LOCKU", "LOOKUP",
                  "NVERIFY", "OPEN", "OPENATTR", "OPEN_CONFIRM", "OPEN_DOWNGRADE", "PUTFH", "READ", "READDIR", "REMOVE",
                  "RENAME",
                  "RENEW", "SECINFO", "SETATTR", "SETCLIENTID", "SETCLIENTID_CONFIRM", "VERIFY", "WRITE",
                  "RELEASE_LOCKOWNER")


def register_truncated(number, name):
    @test(f"XDR40-{number}", f"v40 {name.lower()} xdr", cites=[BADXDR, RPC_ERROR])
    def truncated(env):
        """The call ends before the arguments do, after each of their words"""
        whole = env.encode(PUTFH(env.home), arguments(env)[name])
        short = len(whole) - len(OPS[NUMBER_OF[name]].arguments.encode(arguments(env)[name]))
        for length in range(short, len(whole), 4):
            malformed(env, whole[:length])
    return truncated


for index, operation in enumerate(WITH_ARGUMENTS, 1):
    register_truncated(index, operation)


def raw(env, name, *words):
    """A COMPOUND of PUTFH and this operation with these 32-bit words as its arguments."""
    return env.encode(PUTFH(env.home), Raw(NUMBER_OF[name], struct.pack(f">{len(words)}I", *words)))


@test("XDR40-L1", "v40 compound xdr", cites=[BADXDR, RPC_ERROR])
def lengths(env):
    """Lengths of names, handles, data, bitmaps, owners that the call doesn't have"""
    for length in (5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF):
        for name in ("LOOKUP", "REMOVE", "LINK", "SECINFO", "PUTFH", "GETATTR", "RENAME"):
            malformed(env, raw(env, name, length, 0x78787878), "NFS4ERR_NAMETOOLONG NFS4ERR_BADHANDLE")
        malformed(env, raw(env, "WRITE", 0, 0, 0, 0, 0, 0, 0, length, 0x78787878))
        malformed(env, raw(env, "RELEASE_LOCKOWNER", 0, 0, length, 0x78787878))
        malformed(env, raw(env, "SETCLIENTID", 0, 0, length, 0x78787878))


@test("XDR40-L2", "v40 compound xdr", cites=[BADXDR, RPC_ERROR])
def numbers_of_operations(env):
    """More operations announced than there are; a tag that is longer than the call"""
    for count in (2, 100, 0x7FFFFFFF, 0xFFFFFFFF):
        malformed(env, struct.pack(">III", 0, 0, count) + struct.pack(">I", NUMBER_OF["PUTROOTFH"]), "NFS4ERR_RESOURCE")
    for length in (5, 0x7FFFFFFF, 0xFFFFFFFF):
        malformed(env, struct.pack(">IIII", length, 0, 0, 0)[:12], "NFS4ERR_INVAL")
    for size in (0, 3, 4, 8):
        malformed(env, bytes(size))


@test("XDR40-L3", "v40 putfh xdr", cites=[BADXDR])
def long_handles(env):
    """A handle of more than 128 bytes"""
    for length in (129, 132, 1024):
        data = struct.pack(">I", length) + b"h" * length + bytes(-length % 4)
        malformed(env, env.encode(Raw(NUMBER_OF["PUTFH"], data)), "NFS4ERR_BADHANDLE")


@test("XDR40-L4", "v40 release_lockowner setclientid xdr", cites=[BADXDR])
def long_owners(env):
    """Owners and client ids of more than 1024 bytes"""
    for length in (1025, 4096):
        owner = struct.pack(">I", length) + b"o" * length + bytes(-length % 4)
        malformed(env, env.encode(Raw(NUMBER_OF["RELEASE_LOCKOWNER"], bytes(8) + owner)))
        tail = struct.pack(">IIIII", 0, 0, 0, 0, 0)
        malformed(env, env.encode(Raw(NUMBER_OF["SETCLIENTID"], b"verifier" + owner + tail)))


@test("XDR40-E1", "v40 openattr xdr", cites=[ENUMS])
def boolean_of_openattr(env):
    """OPENATTR with a boolean that is neither 0 nor 1 isn't executed"""
    handle = env.new_file(b"file")
    for value in (2, 0xFFFFFFFF):
        malformed(env, env.encode(PUTFH(handle), Raw(NUMBER_OF["OPENATTR"], struct.pack(">I", value))),
                  "NFS4ERR_NOTSUPP")


@test("XDR40-E6", "v40 lock xdr", cites=[ENUMS])
def booleans_of_lock(env):
    """LOCK with booleans that are neither 0 nor 1"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    for value in (2, 0xFFFFFFFF):
        head = struct.pack(">IIQQ", READ_LT, 0, 10, 1)
        known = struct.pack(">I12sI", lock.stateid.seqid, lock.stateid.other, lock.owner.seqid)
        malformed(env, env.encode(PUTFH(opened.handle), Raw(NUMBER_OF["LOCK"], head + struct.pack(">I",
                                                                                                  value) + known)))
        head = struct.pack(">IIQQ", READ_LT, value, 10, 1)
        malformed(env, env.encode(PUTFH(opened.handle), Raw(NUMBER_OF["LOCK"], head + bytes(4) + known)))


@test("XDR40-E2", "v40 lock lockt locku xdr", cites=[ENUMS])
def lock_types(env):
    """Types of locks that don't exist"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    owner = Record(clientid=env.client.clientid, owner=b"owner")
    locker = Record(new_lock_owner=False, lock_stateid=lock.stateid, lock_seqid=lock.owner.seqid)
    for kind in (0, 5, 0x80000000):
        malformed(env, env.encode(PUTFH(opened.handle), LOCKT(kind, 5, 1, owner)), "NFS4ERR_INVAL")
        malformed(env, env.encode(PUTFH(opened.handle), LOCK(kind, False, 5, 1, locker)), "NFS4ERR_INVAL")
        malformed(env, env.encode(PUTFH(opened.handle), LOCKU(kind, lock.owner.seqid, lock.stateid, 5, 1)),
                  "NFS4ERR_INVAL")


@test("XDR40-E3", "v40 write xdr", cites=[ENUMS])
def stable_how(env):
    """WRITE with a stable_how that doesn't exist"""
    handle = env.new_file(b"file", b"data")
    for stable in (3, 0xFFFFFFFF):
        malformed(env, env.encode(PUTFH(handle), WRITE(ANONYMOUS, 0, stable, b"x")), "NFS4ERR_INVAL")
    equal("the data", env.read(handle)[0], b"data")


@test("XDR40-E4", "v40 open xdr", cites=[ENUMS])
def open_enums(env):
    """OPEN with a createmode, a claim that don't exist"""
    owner = env.client.owner(b"owner")
    head = struct.pack(">IIIQI", 1, 3, 0, env.client.clientid, 5) + b"owner\0\0\0"
    name = struct.pack(">I", 4) + b"name"
    for tail in (struct.pack(">II", 1, 4), struct.pack(">II", 1, 0xFFFFFFFF), struct.pack(">II", 0, 7),
                 struct.pack(">II", 0, 0xFFFFFFFF)):
        malformed(env, env.encode(PUTFH(env.home), Raw(NUMBER_OF["OPEN"], head + tail + name)), "NFS4ERR_INVAL "
                                                                                                "NFS4ERR_NOTSUPP")
    equal("the names", env.list(env.home), [])
    env.sequenced([owner], PUTFH(env.home), env.open_op(b"name", owner,
                                                        how=create(attrs=Record(mode=0o600)))).expect("NFS4_OK")


@test("XDR40-E7", "v40 open xdr", cites=[ENUMS])
def opentypes(env):
    """OPEN with an opentype that doesn't exist"""
    handle = env.new_file(b"name")
    for number, opentype in enumerate((2, 0xFFFFFFFF)):
        head = struct.pack(">IIIQI", 1, 3, 0, env.client.clientid, 4) + b"own%d" % number
        ask = Raw(NUMBER_OF["OPEN"], head + struct.pack(">III", opentype, 0, 4) + b"name")
        malformed(env, env.encode(PUTFH(env.home), ask), "NFS4ERR_INVAL NFS4ERR_NOTSUPP")
    equal("the handle", env.lookup(env.home, b"name"), handle)


@test("XDR40-E5", "v40 setattr xdr times", cites=[ENUMS])
def time_how(env):
    """SETATTR with a time_how that doesn't exist"""
    handle = env.new_file(b"file")
    env.set(handle, time_modify_set=at(5))
    for how in (2, 0xFFFFFFFF):
        wrong = RawAttributes(["time_modify_set"], struct.pack(">I", how))
        malformed(env, env.encode(PUTFH(handle), SETATTR(ANONYMOUS, wrong)), "NFS4ERR_INVAL")
    equal("time_modify", env.get(handle, "time_modify").time_modify.seconds, 5)


SHORT = (RawAttributes(["size"], b""), RawAttributes(["size"], bytes(4)), RawAttributes(["mode", "owner"],
                                                                                        struct.pack(">II", 0o600, 100)),
         RawAttributes(["owner"], struct.pack(">I", 0xFFFFFFFF)),
         RawAttributes(["mode", "time_modify_set"], struct.pack(">II", 0o600, 1)))
LONG = (RawAttributes(["mode"], struct.pack(">II", 0o600, 0)), RawAttributes([], bytes(4)),
        RawAttributes(["mode"], struct.pack(">III", 0o600, 0, 0)))


def register_attributes(code, words, wrong):
    def register(letter, names, function):
        function.__doc__ = f"{names} with {words} bytes than the attributes have"
        test(f"XDR40-{code}{letter}", f"v40 xdr attrs {names.lower()}", cites=[BADXDR])(function)

    def of_setattr(env):
        handle = env.new_file(b"file", b"data", mode=0o644)
        for attributes in wrong:
            malformed(env, env.encode(PUTFH(handle), SETATTR(ANONYMOUS, attributes)), "NFS4ERR_INVAL")
        equal("size and mode", env.get(handle, "size", "mode"), Record(size=4, mode=0o644))

    def of_create(env):
        for number, attributes in enumerate(wrong):
            malformed(env, env.encode(PUTFH(env.home), CREATE(Record(type=NF4DIR), b"dir%d" % number, attributes)),
                      "NFS4ERR_INVAL")
        equal("the names", env.list(env.home), [])

    def of_open(env):
        for number, attributes in enumerate(wrong):
            ask = env.open_op(b"file%d" % number, env.client.owner(b"owner %d" % number), how=create(attrs=attributes))
            malformed(env, env.encode(PUTFH(env.home), ask), "NFS4ERR_INVAL")
        equal("the names", env.list(env.home), [])

    def of_verify(env):
        handle = env.new_file(b"file", b"data", mode=0o600)
        for attributes in wrong:
            if "time_modify_set" not in attributes.mask:
                malformed(env, env.encode(PUTFH(handle), VERIFY(attributes)), "NFS4ERR_INVAL")
                malformed(env, env.encode(PUTFH(handle), NVERIFY(attributes)), "NFS4ERR_INVAL")
    for letter, names, function in (("S", "SETATTR", of_setattr), ("C", "CREATE", of_create), ("O", "OPEN", of_open),
                                    ("V", "VERIFY", of_verify)):
        register(letter, names, function)


register_attributes("A1", "fewer", SHORT)
register_attributes("A2", "more", LONG)


@test("XDR40-A4", "v40 getattr xdr attrs", cites=[BADXDR, (
    "RFC 7530 16.7.4", "The client sets a bit in the bitmap argument for each attribute value that it would like the "
                       "server to return.")])
def long_bitmaps(env):
    """GETATTR with bitmaps of many words: they are answered, or refused, and nothing breaks"""
    for count in (4, 8, 9, 64, 1000):
        try:
            reply = env.compound(PUTFH(env.home), GETATTR(Words(2, *[0] * (count - 1))))
            reply.expect("NFS4_OK", "NFS4ERR_BADXDR", "NFS4ERR_INVAL")
            if not reply.status:
                equal("the attributes", reply["GETATTR"].attrs, Record(type=NF4DIR))
        except RpcError as problem:
            equal("the RPC error", problem.what, "GARBAGE_ARGS")
        that(env.get(env.home, "type").type == NF4DIR, "GETATTR doesn't work any more")
