# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_compound.py -- COMPOUND itself, and operations without the handle that they need
"""Tests of NFS v4.0: COMPOUND."""

from nfs4 import (ACCESS, ANONYMOUS, CLOSE, COMMIT, CREATE, DELEGRETURN, GETATTR, GETFH, ILLEGAL, LINK, LOCK, LOCKT,
                  LOCKU, LOOKUP, LOOKUPP, NVERIFY, OPEN, OPENATTR, OPEN_CONFIRM, OPEN_DOWNGRADE, OP_ILLEGAL, PUTFH,
                  PUTROOTFH, READ, READDIR, READLINK, READ_LT, REMOVE, RENAME, RESTOREFH, SAVEFH, SECINFO, SETATTR,
                  VERIFY, WRITE, Raw, by_name, no_create)
from nfs4attr import NF4DIR, STATUS
from rpc import RpcError
from suite import Failed, equal, test, that
from xdr import Record

MISSING = ("RFC 7530 13.1.2.5", "The logical current or saved filehandle value is required by the current operation "
                                "and is not set.")


def without_handle(env):
    """(operation, its arguments) for each that needs a current filehandle."""
    owner = Record(clientid=env.client.clientid, owner=b"owner")
    locker = Record(new_lock_owner=False, lock_stateid=ANONYMOUS, lock_seqid=1)
    return {
        "access": ACCESS(1), "close": CLOSE(1, ANONYMOUS), "commit": COMMIT(0, 0),
            "delegreturn": DELEGRETURN(ANONYMOUS),
        "create": CREATE(Record(type=NF4DIR), b"x"), "getattr": GETATTR(["type"]), "getfh": GETFH(), "link": LINK(b"x"),
        "lock": LOCK(READ_LT, False, 0, 1, locker), "lockt": LOCKT(READ_LT, 0, 1, owner),
        "locku": LOCKU(READ_LT, 1, ANONYMOUS, 0, 1), "lookup": LOOKUP(b"x"), "lookupp": LOOKUPP(),
        "nverify": NVERIFY(Record(size=1)), "open": OPEN(1, 1, 0, owner, no_create(), by_name(b"x")),
        "openattr": OPENATTR(False), "open_confirm": OPEN_CONFIRM(ANONYMOUS, 1),
        "open_downgrade": OPEN_DOWNGRADE(ANONYMOUS, 1, 1, 0), "read": READ(ANONYMOUS, 0, 1),
        "readdir": READDIR(0, bytes(8), 4096, 4096, ["type"]), "readlink": READLINK(), "remove": REMOVE(b"x"),
        "rename": RENAME(b"x", b"y"), "savefh": SAVEFH(), "secinfo": SECINFO(b"x"),
        "setattr": SETATTR(ANONYMOUS, Record(mode=0)), "verify": VERIFY(Record(size=1)), "write": WRITE(ANONYMOUS, 0, 0,
                                                                                                        b"x")}


WITHOUT_HANDLE = ("access", "close", "commit", "create", "delegreturn", "getattr", "getfh", "link", "lock", "lockt",
                  "locku",
                  "lookup", "lookupp", "nverify", "open", "openattr", "open_confirm", "open_downgrade", "read",
                  "readdir",
                  "readlink", "remove", "rename", "savefh", "secinfo", "setattr", "verify", "write")


def register_without_handle(number, name):
    @test(f"NOFH40-{number}", f"v40 {name} handles", cites=[MISSING])
    def no_handle(env):
        """Without a current filehandle"""
        env.fails("NFS4ERR_NOFILEHANDLE", without_handle(env)[name])
    return no_handle


for index, operation in enumerate(WITHOUT_HANDLE, 1):
    register_without_handle(index, operation)


@test("NOFH40-S", "v40 link rename handles", cites=[MISSING])
def no_saved_handle(env):
    """LINK and RENAME with a current, but without a saved filehandle"""
    env.fails("NFS4ERR_NOFILEHANDLE", PUTFH(env.home), LINK(b"x"))
    env.fails("NFS4ERR_NOFILEHANDLE", PUTFH(env.home), RENAME(b"x", b"y"))


@test("COMP40-1", "v40 compound", cites=[
    ("RFC 7530 15.2.4", "The COMPOUND procedure is used to combine one or more of the NFS operations into a single RPC "
     "request.")])
def no_operations(env):
    """A COMPOUND of no operations"""
    reply = env.compound()
    reply.expect("NFS4_OK")
    equal("the number of results", len(reply), 0)


@test("COMP40-2", "v40 compound", cites=[
    ("RFC 7530 15.2.4", "the value of \"tag\" in the response SHOULD be the same value as the value provided in the "
                        "request")])
def tags(env):
    """Tags come back: empty, of odd lengths, in UTF-8"""
    for tag in (b"", b"a", b"abc", b"tag " * 16, "t\u00e4g \u20ac".encode()):
        reply = env.compound(PUTROOTFH(), GETFH(), tag=tag)
        equal(f"the status with the tag {tag[:16]}", STATUS.name(reply.status), "NFS4_OK")


@test("COMP40-3", "v40 compound minor", cites=[
    ("RFC 7530 15.2.4", "If the server receives a COMPOUND procedure with a minorversion field value that it does not "
     "support, the server MUST return an error of NFS4ERR_MINOR_VERS_MISMATCH and a zero-length resultdata array.")])
def unknown_minor_version(env):
    """Minor versions that don't exist"""
    for minor in (9, 50, 0xFFFFFFFF):
        reply = env.compound(PUTROOTFH(), GETFH(), minor=minor)
        reply.expect("NFS4ERR_MINOR_VERS_MISMATCH")
        equal("the number of results", len(reply), 0)


ILLEGAL_CITE = ("RFC 7530 15.2.4", "In this case, the server's response will encode the opcode OP_ILLEGAL rather than "
                                   "the illegal opcode of the request. The status field in the ILLEGAL return results "
                                   "will be set to NFS4ERR_OP_ILLEGAL.")


def illegal(env, number):
    """The operation has to be answered as an illegal one, behind results of those before it."""
    sent = [PUTROOTFH(), ILLEGAL() if number == OP_ILLEGAL else Raw(number), GETFH()]
    try:
        reply = env.send_bytes(env.encode(*sent))
    except RpcError as problem:
        if problem.what != "GARBAGE_ARGS":
            raise
        return
    reply.expect("NFS4ERR_OP_ILLEGAL")
    that(len(reply) <= 2, f"{len(reply)} results")
    equal("the operation of the last result", reply[len(reply) - 1].resop, OP_ILLEGAL)
    equal("the status of the last result", reply[len(reply) - 1].status, reply.status)


@test("COMP40-4", "v40 compound illegal", cites=[
    ILLEGAL_CITE, ("RFC 7530 15.2.4", "Note that operations 0 (zero), 1 (one), and 2 (two) are not defined for the "
                                      "COMPOUND procedure.")])
def operations_below_the_first(env):
    """Operations 0, 1, 2"""
    for number in (0, 1, 2):
        illegal(env, number)


@test("COMP40-5", "v40 compound illegal", cites=[ILLEGAL_CITE])
def operations_above_the_last(env):
    """Operations 40 (which v4.1 has), 76, 10043, 0xffffffff"""
    for number in (40, 76, 10043, 0xFFFFFFFF):
        illegal(env, number)


@test("COMP40-6", "v40 compound illegal", cites=[
    ("RFC 7530 16.38.5", "if it does, the response will be ILLEGAL4res, just as it would be with any other invalid "
                         "operation code")])
def operation_illegal(env):
    """OP_ILLEGAL itself"""
    illegal(env, OP_ILLEGAL)


@test("COMP40-7", "v40 compound", cites=[
    ("RFC 7530 15.2.4", "The server continues this process until there are no more operations to be executed or one of "
                        "the operations has a status value other than NFS4_OK.")])
def stops_at_the_first_error(env):
    """Operations behind one that fails aren't executed"""
    env.make(b"there", mode=0o755)
    reply = env.compound(PUTFH(env.home), LOOKUP(b"not there"), PUTFH(env.home), REMOVE(b"there"), GETFH())
    reply.expect("NFS4ERR_NOENT")
    equal("the number of results", len(reply), 2)
    env.ok(PUTFH(env.home), LOOKUP(b"there"))


@test("COMP40-8", "v40 compound", cites=[
    ("RFC 7530 15.2.4.1", "In this example, the PUTFH (Section 16.20) operation explicitly sets the current filehandle "
     "value, while the result of each LOOKUP operation sets the current filehandle value to the resultant file system "
     "object.")])
def long_compound(env):
    """GETATTR behind each of several LOOKUPs and CREATEs is about the object that they reach"""
    handles, ops = [env.home], [PUTFH(env.home), GETATTR(["fileid", "type"])]
    for depth in range(4):
        handles.append(env.make(b"d%d" % depth, directory=handles[-1], mode=0o755))
        ops += [LOOKUP(b"d%d" % depth), GETFH(), GETATTR(["fileid", "type"])]
    reply = env.ok(*ops)
    files = [res.attrs.fileid for res in reply.results if hasattr(res, "attrs")]
    equal("the handles", [res.object for res in reply.results if hasattr(res, "object")], handles[1:])
    equal("the file ids", files, [env.get(handle, "fileid").fileid for handle in handles])
    equal("the number of different file ids", len(set(files)), 5)


@test("COMP40-9", "v40 compound savefh restorefh handles", cites=[
    ("RFC 7530 16.29.4", "Set the current filehandle to the value in the saved filehandle. If there is no saved "
                         "filehandle, then return the error NFS4ERR_RESTOREFH.")])
def restore_without_save(env):
    """RESTOREFH without a saved filehandle, and that a COMPOUND doesn't inherit one"""
    env.ok(PUTFH(env.home), SAVEFH())
    env.fails("NFS4ERR_RESTOREFH", RESTOREFH())
    env.fails("NFS4ERR_RESTOREFH", PUTFH(env.home), RESTOREFH())
    env.fails("NFS4ERR_NOFILEHANDLE", GETFH())


@test("COMP40-10", "v40 compound savefh restorefh handles", cites=[
    ("RFC 7530 16.30.4", "Save the current filehandle. If a previous filehandle was saved, then it is no longer "
                         "accessible.")])
def save_and_restore(env):
    """SAVEFH keeps the last one saved; RESTOREFH may be repeated"""
    one, two = env.make(b"one", mode=0o755), env.make(b"two", mode=0o755)
    reply = env.ok(PUTFH(one), SAVEFH(), PUTFH(two), SAVEFH(), PUTFH(env.home), RESTOREFH(), GETFH(), PUTFH(one),
                   RESTOREFH(),
                   GETFH())
    equal("the handles", [reply[6].object, reply[9].object], [two, two])
    if one == two:
        raise Failed("two directories have the same handle")


@test("COMP40-11", "v40 compound", cites=[
    ("RFC 7530 15.2.4", "The definition of the \"tag\" in the request is left to the implementer.")])
def long_tag(env):
    """A tag of 1000 bytes"""
    reply = env.compound(PUTROOTFH(), GETFH(), tag=b"tag " * 250)
    reply.expect("NFS4_OK")
