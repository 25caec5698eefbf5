# SPDX-License-Identifier: LGPL-3.0-or-later
# v42_other.py -- NFS v4.2: attributes, copies, clones, layouts' reports, and COMPOUNDs of the new minor version
from nfs4 import (ACCESS, CLONE, COPY, COPY_NOTIFY, GETATTR, GETFH, LAYOUTERROR, LAYOUTSTATS, LAST_OPERATION,
                  OFFLOAD_CANCEL, OFFLOAD_STATUS, PUTFH, SAVEFH, WRITE_SAME, FILE_SYNC, Raw, create)
from nfs4attr import REQUIRED41
from suite import equal, test, that
from xdr import Record

from .v41_tools import BAD_XDR, another, argument, fails_alone, malformed, same_reply

NOTSUPP = ("RFC 8881 15.1.1.5",
           "Operation not supported, either because the operation is an OPTIONAL one and is not supported by this "
           "server")
DATA = b"some data " * 100


def two_files(env):
    """One with data, and an empty one, both open."""
    return env.create_file(b"from", DATA), env.create_file(b"to")


def optional(env, reply, names):
    """An optional operation: it works, or it isn't supported. Returns whether it works."""
    reply.expect("NFS4_OK", "NFS4ERR_NOTSUPP", *names.split())
    env.ok(PUTFH(env.home))
    return not reply.status


@test("BASE42-1", "v42 compound session", cites=[
    ("RFC 7862 2", "NFSv4.2 is a minor version of NFSv4 and is built upon NFSv4.1 as documented in [RFC5661] and "
                   "[RFC5662]")])
def session_of_42(env):
    "EXCHANGE_ID, CREATE_SESSION, SEQUENCE with minor version 2: slots, retries, unknown slots"
    ops = [env.session.sequence(cache=True), PUTFH(env.home), GETATTR(["type", "fileid"])]
    first = env.send(ops).expect("NFS4_OK")
    env.session.take(0)
    same_reply(first, env.send(ops, check=False))
    fails_alone(env, "NFS4ERR_BADSLOT", env.session.sequence(slotid=10000, highest_slotid=10000))
    fails_alone(env, "NFS4ERR_SEQ_MISORDERED", env.session.sequence(sequenceid=99))
    client = another(env, "client")
    session = client.setup()
    session.destroy()
    client.sessions.clear()
    fails_alone(env, "NFS4ERR_BADSESSION", session.sequence())
    client.destroy()


@test("BASE42-2", "v42 compound illegal", cites=[
    ("RFC 8881 16.2.3", "the server's response will encode the opcode OP_ILLEGAL")])
def illegal(env):
    "Operations beyond those of NFS v4.2"
    for number in (0, 2, LAST_OPERATION["v42"] + 1, 5000, 10044):
        reply = env.compound(PUTFH(env.home), Raw(number), GETFH())
        reply.expect("NFS4ERR_OP_ILLEGAL")
        equal("the number of results", len(reply), 2)
        equal("the illegal operation", reply[1].resop, 10044)


@test("BASE42-3", "v42 open attrs", cites=[
    ("RFC 8881 18.16.3",
     "Upon success (which might entail creation of a new file), the current filehandle is replaced by that of the "
     "created or existing object")])
def open_write_read(env):
    "OPEN, WRITE, READ, CLOSE, and the REQUIRED attributes, with minor version 2"
    opened = env.create_file(b"f", DATA, mode=0o640)
    equal("the data", env.read(opened.handle, stateid=opened.stateid), (DATA, True))
    attrs = env.get(opened.handle, "mode", "size", *REQUIRED41)
    equal("mode and size", (attrs.mode, attrs.size), (0o640, len(DATA)))
    that(REQUIRED41 <= set(attrs.__dict__), "REQUIRED attributes are missing")
    equal("access", env.ok(PUTFH(opened.handle), ACCESS(5))["ACCESS"].access, 5)
    env.close_file(opened)


@test("ATTR42-1", "v42 attrs", cites=[
    ("RFC 7862 12.2.3",
     "change_attr_type is a per-file system attribute that enables the NFSv4.2 server to provide additional "
     "information about how it expects the change attribute value to evolve after the file data or metadata has "
     "changed")])
def change_attribute(env):
    "change_attr_type, where it is supported, is one of the five"
    supported = env.get(env.home, "supported_attrs").supported_attrs
    attrs = env.ok(PUTFH(env.home), GETATTR(["change_attr_type", "change"]))["GETATTR"].attrs
    equal("whether it is returned", "change_attr_type" in attrs.__dict__, "change_attr_type" in supported)
    that(attrs.get("change_attr_type", 0) <= 4, f"change_attr_type {attrs.get('change_attr_type')}")


@test("ATTR42-2", "v42 attrs create", cites=[
    ("RFC 8275 Abstract",
     "transmitting the umask and create mode as separate pieces of data, allowing the server to make more "
     "intelligent decisions about the permissions to set on new files")])
def mode_umask(env):
    "mode_umask, where it is supported, makes a file with the mode without the mask's bits"
    supported = env.get(env.home, "supported_attrs").supported_attrs
    attrs = Record(mode_umask=Record(mode=0o666, umask=0o026))
    reply = env.compound(PUTFH(env.home), env.open_op(b"f", how=create(attrs=attrs)), GETFH())
    if "mode_umask" not in supported:
        reply.expect("NFS4ERR_ATTRNOTSUPP")
        return
    equal("the mode", env.get(reply.expect("NFS4_OK")["GETFH"].object, "mode").mode, 0o640)
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), GETATTR(["mode_umask"]))


@test("ATTR42-3", "v42 attrs", cites=[
    ("RFC 7862 12.2.1", "The clone_blksize attribute indicates the granularity of a CLONE operation"),
    ("RFC 7862 12.2.2", "space_freed gives the number of bytes freed if the file is deleted")])
def other_attributes(env):
    "clone_blksize, space_freed, sec_label, xattr_support: returned where supported"
    handle = env.new_file(b"f", DATA)
    supported = env.get(handle, "supported_attrs").supported_attrs
    names = {"clone_blksize", "space_freed", "sec_label", "xattr_support"} & supported
    attrs = env.get(handle, "type", *names)
    equal("what is returned", set(attrs.__dict__), {"type", *names})
    that(attrs.get("space_freed", 0) <= 1 << 20, "more space is freed than the file has")


@test("COPY42-1", "v42 copy", cites=[
    NOTSUPP,
    ("RFC 7862 15.2.3", "The COPY operation is used for both intra-server and inter-server copies")])
def copy(env):
    "COPY within the server: copied, or not supported"
    source, target = two_files(env)
    reply = env.compound(PUTFH(source.handle), SAVEFH(), PUTFH(target.handle),
                         COPY(source.stateid, target.stateid, 0, 0, len(DATA), True, True, []))
    if optional(env, reply, ""):
        equal("how much is copied", reply["COPY"].response.count, len(DATA))
        equal("the copy", env.read(target.handle), (DATA, True))
    else:
        equal("the target", env.read(target.handle), (b"", True))


@test("COPY42-2", "v42 copy", cites=[
    NOTSUPP,
    ("RFC 7862 15.3.3", "This operation is used for an inter-server copy")])
def copy_notify(env):
    "COPY_NOTIFY: answered, or not supported"
    source, _ = two_files(env)
    reply = env.compound(PUTFH(source.handle), COPY_NOTIFY(source.stateid, Record(type=1, name=b"192.0.2.7")))
    if optional(env, reply, ""):
        that(reply["COPY_NOTIFY"].source_server, "no server is named")


@test("CLON42-1", "v42 clone", cites=[
    NOTSUPP,
    ("RFC 7862 15.13.3", "The CLONE operation is used to clone file content from a source file")])
def clone(env):
    "CLONE: cloned, or not supported"
    source, target = two_files(env)
    reply = env.compound(PUTFH(source.handle), SAVEFH(), PUTFH(target.handle),
                         CLONE(source.stateid, target.stateid, 0, 0, 0))
    if optional(env, reply, ""):
        equal("the clone", env.read(target.handle), (DATA, True))
    else:
        equal("the target", env.read(target.handle), (b"", True))


@test("OFFL42-1", "v42 copy", cites=[
    NOTSUPP,
    ("RFC 7862 15.9.3",
     "OFFLOAD_STATUS can be used by the client to query the progress of an asynchronous operation")])
def offload(env):
    "OFFLOAD_STATUS and OFFLOAD_CANCEL of nothing"
    source, _ = two_files(env)
    for op in (OFFLOAD_STATUS(source.stateid), OFFLOAD_CANCEL(source.stateid)):
        env.fails("NFS4ERR_NOTSUPP NFS4ERR_BAD_STATEID NFS4ERR_COMPLETE_ALREADY", PUTFH(source.handle), op)


@test("SAME42-1", "v42 write_same", cites=[
    NOTSUPP,
    ("RFC 7862 15.12.3", "The WRITE_SAME operation writes an application data block to the regular file")])
def write_same(env):
    "WRITE_SAME: written, or not supported"
    _, target = two_files(env)
    pattern = Record(offset=0, block_size=512, block_count=4, reloff_blocknum=0, block_num=0, reloff_pattern=0,
                     pattern=b"p" * 512)
    reply = env.compound(PUTFH(target.handle), WRITE_SAME(target.stateid, FILE_SYNC, pattern))
    if not optional(env, reply, "NFS4ERR_UNION_NOTSUPP"):
        equal("the target", env.read(target.handle), (b"", True))


@test("LAYO42-1", "v42 layouts", cites=[
    NOTSUPP,
    ("RFC 7862 15.6.3", "The client can use LAYOUTERROR to inform the metadata server about errors")])
def layout_error(env):
    "LAYOUTERROR without a layout"
    opened, _ = two_files(env)
    error = Record(deviceid=bytes(16), status=5, opnum=38)
    env.fails("NFS4ERR_NOTSUPP NFS4ERR_BAD_STATEID NFS4ERR_UNKNOWN_LAYOUTTYPE", PUTFH(opened.handle),
              LAYOUTERROR(0, 4096, opened.stateid, [error]))


@test("LAYO42-2", "v42 layouts", cites=[
    NOTSUPP,
    ("RFC 7862 15.7.3",
     "The client can use LAYOUTSTATS to inform the metadata server about its interaction with the layout")])
def layout_statistics(env):
    "LAYOUTSTATS without a layout"
    opened, _ = two_files(env)
    no_io = Record(count=0, bytes=0)
    env.fails("NFS4ERR_NOTSUPP NFS4ERR_BAD_STATEID NFS4ERR_UNKNOWN_LAYOUTTYPE", PUTFH(opened.handle),
              LAYOUTSTATS(0, 4096, opened.stateid, no_io, no_io, bytes(16), Record(type=1, body=b"")))


@test("XDR42-1", "v42 xdr compound", cites=[
    BAD_XDR])
def cut_off(env):
    "New operations whose arguments end too early; where they aren't supported, the server needn't look at them"
    source, target = two_files(env)
    whole = COPY(source.stateid, target.stateid, 0, 0, 10, True, True, [Record(type=1, name=b"192.0.2.7")])
    for op in (argument(whole)[:-4], argument(whole)[:20],
               argument(CLONE(source.stateid, target.stateid, 0, 0, 0))[:-8],
               argument(OFFLOAD_CANCEL(source.stateid))[:8]):
        malformed(env, op, PUTFH(source.handle), also="NFS4ERR_NOTSUPP")
        env.ok(PUTFH(env.home))


@test("XDR42-2", "v42 xdr compound", cites=[
    BAD_XDR])
def bad_lengths(env):
    "COPY with a list of servers that is longer than the request"
    source, target = two_files(env)
    good = argument(COPY(source.stateid, target.stateid, 0, 0, 10, True, True, []))
    malformed(env, good[:-4] + b"\x0f\xff\xff\xff", PUTFH(source.handle), also="NFS4ERR_NOTSUPP")
    env.ok(PUTFH(env.home))
