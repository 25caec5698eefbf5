# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_open.py -- OPEN: creating, claims, errors
"""Tests of NFS v4.0: opening files."""

from nfs4 import (CLAIM_DELEGATE_CUR, CLAIM_DELEGATE_PREV, CLAIM_PREVIOUS, CLOSE, EXCLUSIVE, GETATTR, GETFH, GUARDED,
                  LOOKUP, OPEN, OPEN_CREATE, PUTFH, READ, READ_ACCESS, RESULT_LOCKTYPE_POSIX, UNCHECKED, WRITE_ACCESS,
                  by_name, create, no_create, stateid)
from nfs4attr import NF4DIR, NF4LNK, at
from rpc import Credential, RpcError
from suite import equal, test, that
from xdr import Record

from .v40_lookup import make_all_types

USER = Credential(1000, 1000)
MODE = Record(mode=0o640)
CREATES = ("RFC 7530 16.16.5", "The OPEN operation creates and/or opens a regular file in a directory with the "
                               "provided name.")
NAME_CHECKS = ("RFC 7530 16.16.5", "If the component is of zero length, NFS4ERR_INVAL will be returned. The component "
                                   "is also subject to the normal UTF-8, character support, and name checks.")
NOT_REGULAR = ("RFC 7530 16.16.6", "If it is a directory, NFS4ERR_ISDIR is returned; otherwise, NFS4ERR_SYMLINK is "
                                   "returned. Note that NFS4ERR_SYMLINK is returned for both symlinks and for special "
                                   "files of other types")
ALLOWED = ("RFC 7530 16.16.6", "If the requester is not authorized to READ or WRITE (depending on the share_access "
                               "value), the server must return NFS4ERR_ACCESS.")


@test("OPEN40-1", "v40 open create", cites=[
    CREATES, ("RFC 7530 16.16.5", "Upon successful creation, the current filehandle is replaced by that of the new "
                                  "object.")])
def create_file(env):
    """OPEN creates a file: attributes, change info, stateid, flags"""
    before = env.get(env.home, "change").change
    opened = env.open_file(b"file", how=create(attrs=MODE))
    after = env.get(env.home, "change").change
    equal("change info", (opened.cinfo.before, opened.cinfo.after), (before, after))
    that(after != before, "the directory's change stays the same")
    equal("what was set", opened.attrset, {"mode"})
    equal("the delegation", opened.delegation.type, 0)
    that(opened.rflags & RESULT_LOCKTYPE_POSIX, "the server doesn't say that its locks are POSIX's")
    equal("the handle by name", env.lookup(env.home, b"file"), opened.handle)
    attrs = env.get(opened.handle, "type", "size", "mode", "owner", "owner_group", "numlinks")
    equal("attributes", attrs, Record(type=1, size=0, mode=0o640, owner=b"0", owner_group=b"0", numlinks=1))
    env.close_file(opened)


@test("OPEN40-2", "v40 open create attrs", cites=[
    ("RFC 7530 16.16.5", "the server will return to the client an attribute mask signifying which attributes were "
                         "successfully set for the object")])
def initial_attributes(env):
    """UNCHECKED4 and GUARDED4 with mode, owner, group, size, times"""
    for number, mode in enumerate((UNCHECKED, GUARDED)):
        wanted = Record(size=7, mode=0o600, owner=b"1000", owner_group=b"1001", time_access_set=at(21),
                        time_modify_set=at(22))
        opened = env.open_file(b"file%d" % number, how=create(mode, wanted))
        equal("what was set", opened.attrset, set(wanted.__dict__))
        attrs = env.get(opened.handle, "size", "mode", "owner", "owner_group", "time_access", "time_modify")
        equal("attributes", attrs, Record(size=7, mode=0o600, owner=b"1000", owner_group=b"1001",
                                          time_access=Record(seconds=21, nseconds=0), time_modify=Record(seconds=22,
                                                                                                         nseconds=0)))
        equal("the data", env.read(opened.handle, stateid=opened.stateid), (bytes(7), True))


@test("OPEN40-3", "v40 open create", cites=[
    ("RFC 7530 16.16.5", "When an UNCHECKED4 create encounters an existing file, the attributes specified by "
                         "createattrs are not used, except that when a size of zero is specified, the existing file is "
                         "truncated.")])
def unchecked_existing(env):
    """UNCHECKED4 of a file that is there: its attributes stay, a size of zero truncates"""
    handle = env.new_file(b"file", b"data", mode=0o604)
    opened = env.open_file(b"file", how=create(attrs=Record(mode=0o777)))
    equal("the handle", opened.handle, handle)
    equal("mode and size", env.get(handle, "mode", "size"), Record(mode=0o604, size=4))
    env.close_file(opened)
    opened = env.open_file(b"file", how=create(attrs=Record(size=2)))
    equal("size", env.get(handle, "size").size, 4)
    env.close_file(opened)
    env.open_file(b"file", how=create(attrs=Record(size=0, mode=0o777)))
    equal("mode and size", env.get(handle, "mode", "size"), Record(mode=0o604, size=0))


@test("OPEN40-24", "v40 open create attrs", cites=[
    ("RFC 7530 16.16.5", "the server will return to the client an attribute mask signifying which attributes were "
                         "successfully set for the object")])
def unchecked_existing_attrset(env):
    """UNCHECKED4 of a file that is there says that it has set at most the size"""
    env.new_file(b"file", b"data")
    equal("what was set", env.open_file(b"file", how=create(attrs=Record(mode=0o777))).attrset, frozenset())
    equal("what was set", env.open_file(b"file", how=create(attrs=Record(size=0, mode=0o777))).attrset, {"size"})


@test("OPEN40-4", "v40 open create", cites=[
    ("RFC 7530 16.16.5", "If GUARDED4 is specified, the server checks for the presence of a duplicate object by name "
                         "before performing the create. If a duplicate exists, an error of NFS4ERR_EXIST is returned "
                         "as the status.")])
def guarded_existing(env):
    """GUARDED4 of each type of object"""
    for name in make_all_types(env):
        env.open_fails("NFS4ERR_EXIST", name, how=create(GUARDED, MODE))
    env.close_file(env.open_file(b"new", how=create(GUARDED, MODE)))
    env.open_fails("NFS4ERR_EXIST", b"new", how=create(GUARDED, MODE))


@test("OPEN40-5", "v40 open create exclusive", cites=[
    ("RFC 7530 16.16.5", "If the object does exist and the stored verifier matches the verifier provided by the "
                         "client, the server uses the existing object as the newly created object. If the stored "
                         "verifier does not match, then an error of NFS4ERR_EXIST is returned.")])
def exclusive(env):
    """EXCLUSIVE4: again with the same verifier, with another, over a file with data"""
    how = create(EXCLUSIVE, verf=b"verifier")
    first = env.open_file(b"file", how=how)
    again = env.open_file(b"file", how=how)
    equal("the handle", again.handle, first.handle)
    equal("the stateid's other", again.stateid.other, first.stateid.other)
    for other in (b"VERIFIER", b"verifies", bytes(8)):
        env.open_fails("NFS4ERR_EXIST", b"file", how=create(EXCLUSIVE, verf=other))
    env.set(first.handle, first.stateid, mode=0o600)
    equal("size and mode", env.get(first.handle, "size", "mode"), Record(size=0, mode=0o600))
    env.new_file(b"other", b"data")
    env.open_fails("NFS4ERR_EXIST", b"other", how=how)


@test("OPEN40-6", "v40 open create exclusive", cites=[
    ("RFC 7530 16.16.5", "If the server uses an attribute to store the exclusive create verifier, it will signify "
                         "which attribute was used by setting the appropriate bit in the attribute mask that is "
                         "returned in the results.")])
def exclusive_attrset(env):
    """EXCLUSIVE4: what isn't in the mask has ordinary values"""
    opened = env.open_file(b"file", how=create(EXCLUSIVE, verf=b"12345678"))
    now = env.now()
    attrs = env.get(opened.handle, "time_access", "time_modify", "size", "owner")
    equal("size and owner", (attrs.size, attrs.owner), (0, b"0"))
    for name in ("time_access", "time_modify"):
        ordinary = abs(attrs.get(name).seconds - now) < 600
        that(ordinary or {name, f"{name}_set"} & opened.attrset, f"{name} is {attrs.get(name)}, but not in the mask")


@test("OPEN40-7", "v40 open", cites=[
    ("RFC 7530 13.1.4.8", "The file system object referenced by the name specified does not exist.")])
def nothing(env):
    """OPEN of a name that isn't there"""
    env.open_fails("NFS4ERR_NOENT", b"nothing")
    env.open_fails("NFS4ERR_NOENT", b"nothing", access=READ_ACCESS)


@test("OPEN40-8", "v40 open", cites=[NOT_REGULAR])
def what_is_no_file(env):
    """OPEN of each type of object but regular files"""
    for name, kind in make_all_types(env).items():
        if name != b"reg":
            env.open_fails("NFS4ERR_ISDIR" if kind == NF4DIR else "NFS4ERR_SYMLINK", name, access=READ_ACCESS)


@test("OPEN40-9", "v40 open create", cites=[NOT_REGULAR, CREATES])
def unchecked_over_what_is_no_file(env):
    """UNCHECKED4 over a directory and a symlink"""
    env.make(b"dir", mode=0o755)
    env.make(b"link", NF4LNK, type_fields={"linkdata": b"target"})
    env.open_fails("NFS4ERR_ISDIR NFS4ERR_EXIST", b"dir", how=create(attrs=MODE))
    env.open_fails("NFS4ERR_SYMLINK NFS4ERR_EXIST", b"link", how=create(attrs=MODE))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(b"target"))


@test("OPEN40-10", "v40 open names", cites=[NAME_CHECKS])
def bad_names(env):
    """OPEN of names of no bytes, of 256; . and .., with a slash"""
    for how in (no_create(), create(attrs=MODE)):
        env.open_fails("NFS4ERR_INVAL", b"", how=how)
        env.open_fails("NFS4ERR_NAMETOOLONG", b"n" * 256, how=how)
        for name in (b".", b"..", b"a/b"):
            env.open_fails("NFS4ERR_BADNAME NFS4ERR_INVAL NFS4ERR_BADCHAR NFS4ERR_NOENT NFS4ERR_ISDIR", name, how=how)
    env.close_file(env.open_file(b"n" * 255, how=create(attrs=MODE)))
    equal("the names", [entry.name for entry in env.list(env.home)], [b"n" * 255])


@test("OPEN40-11", "v40 open", cites=[
    ("RFC 7530 16.16.6", "If the current filehandle is not a directory, the error NFS4ERR_NOTDIR will be returned.")])
def in_what_is_no_directory(env):
    """OPEN in a file"""
    handle = env.new_file(b"file")
    env.open_fails("NFS4ERR_NOTDIR", b"x", directory=handle)
    env.open_fails("NFS4ERR_NOTDIR", b"x", directory=handle, how=create(attrs=MODE))


@test("OPEN40-12", "v40 open share", cites=[
    ("RFC 7530 16.16.6", "If the client fails to do this, the server must return NFS4ERR_INVAL.")])
def bad_shares(env):
    """OPEN with no access, with bits that don't exist"""
    env.new_file(b"file")
    for access, deny in ((0, 0), (4, 0), (7, 0), (1, 4), (3, 8), (0x80000000, 0), (1, 0xFFFFFFFF)):
        env.open_fails("NFS4ERR_INVAL", b"file", access=access, deny=deny)


@test("OPEN40-13", "v40 open perms", cites=[ALLOWED])
def permissions(env):
    """OPEN by a user: what the mode allows, and what it doesn't"""
    for mode, allowed in ((0o604, {READ_ACCESS}), (0o602, {WRITE_ACCESS}), (0o606, {1, 2, 3}), (0o600, set())):
        name = b"%o" % mode
        env.new_file(name, b"data", mode=mode)
        for access in (1, 2, 3):
            if access in allowed:
                env.close_file(env.open_file(name, access=access, credential=USER, owner=b"user"))
            else:
                env.open_fails("NFS4ERR_ACCESS", name, access=access, credential=USER, owner=b"user")


@test("OPEN40-14", "v40 open perms create", cites=[
    ("RFC 7530 13.1.6.1", "The caller does not have the correct permission to perform the requested operation.")])
def create_without_permission(env):
    """OPEN that creates, by a user who may not write the directory; what it creates elsewhere is its own"""
    closed = env.make(b"closed", mode=0o755)
    env.open_fails("NFS4ERR_ACCESS", b"new", directory=closed, how=create(attrs=MODE), credential=USER, owner=b"user")
    opened = env.open_file(b"mine", how=create(attrs=Record(mode=0o400)), credential=USER, owner=b"user")
    attrs = env.get(opened.handle, "owner", "owner_group", "mode")
    equal("attributes", attrs, Record(owner=b"1000", owner_group=b"1000", mode=0o400))
    env.write(opened.handle, b"data", stateid=opened.stateid, credential=USER)


@test("OPEN40-15", "v40 open create attrs", cites=[
    ("RFC 7530 13.1.11.2", "This error is returned when an owner or owner_group attribute value or the who field of an "
                           "ace within an ACL attribute value cannot be translated to a local representation."),
    ("RFC 7530 13.1.11.1", "An attribute specified is not supported by the server."),
    ("RFC 7530 6.2.2", "it MUST return NFS4ERR_INVAL if bits other than those defined above are set in a SETATTR, "
                       "CREATE, OPEN, VERIFY, or NVERIFY operation")])
def bad_attributes(env):
    """OPEN that creates with an unknown owner, with attributes that aren't supported or can't be set"""
    held = env.get(env.home, "supported_attrs").supported_attrs
    env.open_fails("NFS4ERR_BADOWNER", b"new", how=create(attrs=Record(owner=b"no-such-user")))
    env.open_fails("NFS4_OK" if "hidden" in held else "NFS4ERR_ATTRNOTSUPP", b"new",
                   how=create(attrs=Record(hidden=True)))
    env.open_fails("NFS4ERR_INVAL", b"new", how=create(attrs=Record(fileid=5)))
    env.open_fails("NFS4ERR_INVAL", b"new", how=create(attrs=Record(time_modify_set=at(1, 1000000000))))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(b"new"))


@test("OPEN40-16", "v40 open reclaim", cites=[
    ("RFC 7530 13.1.9.2", "The server cannot guarantee that it has not granted state to another client that may "
                          "conflict with this "
     "client's state."), ("RFC 7530 16.16.5", "The client is claiming basic OPEN state for a file that was held "
                                              "previous to a server reboot.")])
def reclaim(env):
    """CLAIM_PREVIOUS outside of the grace period"""
    handle = env.new_file(b"file")
    env.open_fails("NFS4ERR_NO_GRACE NFS4ERR_RECLAIM_BAD", b"file", directory=handle,
                   claim=Record(claim=CLAIM_PREVIOUS, delegate_type=0))


@test("OPEN40-17", "v40 open delegations", cites=[
    ("RFC 7530 9.1.4.4", "If the selected table entry is of a different generation than that specified in the "
                         "incoming stateid, return "
     "NFS4ERR_BAD_STATEID."), ("RFC 7530 16.16.5", "NFS4ERR_NOTSUPP is returned if the server does not support this "
                                                   "claim type.")])
def claims_of_delegations(env):
    """CLAIM_DELEGATE_CUR with a stateid that isn't a delegation's; CLAIM_DELEGATE_PREV without one"""
    opened = env.create_file(b"file")
    for wrong in (opened.stateid, stateid(1, b"nobody's own")):
        env.open_fails("NFS4ERR_BAD_STATEID NFS4ERR_STALE_STATEID NFS4ERR_EXPIRED NFS4ERR_NOTSUPP", b"file",
                       claim=Record(claim=CLAIM_DELEGATE_CUR, stateid=wrong, file=b"file"))
    env.open_fails("NFS4ERR_NOTSUPP NFS4ERR_INVAL NFS4ERR_RECLAIM_BAD NFS4ERR_NO_GRACE", b"file",
                   claim=Record(claim=CLAIM_DELEGATE_PREV, file=b"file"))


@test("OPEN40-18", "v40 open clientid", cites=[
    ("RFC 7530 13.1.10.2", "A client ID not recognized by the server was used in a locking or SETCLIENTID_CONFIRM "
                           "request.")])
def unknown_client(env):
    """OPEN with a client id that the server never gave"""
    env.new_file(b"file")
    for clientid in (env.client.clientid ^ 0xFFFF0000FFFF, 0):
        env.fails("NFS4ERR_STALE_CLIENTID NFS4ERR_EXPIRED", PUTFH(env.home),
                  OPEN(1, 1, 0, Record(clientid=clientid, owner=b"o"), no_create(), by_name(b"file")))


@test("OPEN40-25", "v40 open clientid", cites=[
    ("RFC 7530 16.34.4", "This operation is used by the client to confirm the results from a previous call to "
                         "SETCLIENTID."),
    ("RFC 7530 13.1.10.2", "A client ID not recognized by the server was used in a locking or SETCLIENTID_CONFIRM "
                           "request.")])
def unconfirmed_client(env):
    """OPEN with a client id that isn't confirmed"""
    env.new_file(b"file")
    other = env.new_client("other")
    other.ask()
    env.fails("NFS4ERR_STALE_CLIENTID", PUTFH(env.home),
              OPEN(1, 1, 0, Record(clientid=other.clientid, owner=b"o"), no_create(), by_name(b"file")))


@test("OPEN40-19", "v40 open seqid", cites=[
    ("RFC 7530 13.1.8.2", "The sequence number (seqid) in a locking request is neither the next expected number nor "
                          "the last number processed.")])
def bad_seqids(env):
    """OPEN and CLOSE with other sequence numbers than the next"""
    opened = env.create_file(b"file")
    owner, right = opened.owner, opened.owner.seqid
    for wrong in (right + 1, right + 100, right - 2):
        env.fails("NFS4ERR_BAD_SEQID", PUTFH(opened.handle), CLOSE(wrong, opened.stateid))
        env.fails("NFS4ERR_BAD_SEQID", PUTFH(env.home),
                  OPEN(wrong, 1, 0, owner.record(), no_create(), by_name(b"file")))
    env.close_file(opened)


@test("OPEN40-26", "v40 open seqid", cites=[
    ("RFC 7530 9.1.11", "the sequence number may have any valid (i.e., non-zero) value"),
    ("RFC 7530 9.1.7", "If the sequence value received is any other value, it is rejected with the return of error "
                       "NFS4ERR_BAD_SEQID.")])
def seqid_zero(env):
    """OPEN with the sequence number 0 by an owner that is known"""
    opened = env.create_file(b"file")
    env.fails("NFS4ERR_BAD_SEQID", PUTFH(env.home), OPEN(0, 1, 0, opened.owner.record(), no_create(), by_name(b"file")))


@test("OPEN40-20", "v40 open seqid replay", cites=[
    ("RFC 7530 9.1.7", "If a duplicate of last request (r == L) is received, the stored response is returned.")])
def replays(env):
    """OPEN and CLOSE again with the last sequence number have the last answer"""
    opened = env.create_file(b"file", b"data")
    owner = opened.owner
    ask = OPEN(owner.seqid, 3, 0, owner.record(), no_create(), by_name(b"file"))
    first = env.sequenced([owner], PUTFH(env.home), ask).expect("NFS4_OK")["OPEN"]
    again = env.compound(PUTFH(env.home), ask, check=False).expect("NFS4_OK")["OPEN"]
    equal("the second answer's stateid", again.stateid, first.stateid)
    ask = CLOSE(owner.seqid, first.stateid)
    first = env.sequenced([owner], PUTFH(opened.handle), ask).expect("NFS4_OK")["CLOSE"]
    again = env.compound(PUTFH(opened.handle), ask, check=False).expect("NFS4_OK")["CLOSE"]
    equal("the second answer to CLOSE", again, first)


@test("OPEN40-21", "v40 open getfh", cites=[
    ("RFC 7530 16.16.4", "This will supply the client with the filehandle such that CLOSE can be used appropriately.")])
def current_filehandle(env):
    """OPEN makes the file the current filehandle"""
    handle = env.new_file(b"file", b"data")
    owner = env.client.owner(b"owner")
    reply = env.sequenced([owner], PUTFH(env.home), env.open_op(b"file", owner, access=READ_ACCESS), GETFH(),
                          GETATTR(["size", "filehandle"]))
    reply.expect("NFS4_OK")
    equal("the handle", (reply["GETFH"].object, reply["GETATTR"].attrs.filehandle), (handle, handle))
    equal("the size", reply["GETATTR"].attrs.size, 4)
    equal("the attributes set", reply["OPEN"].attrset, frozenset())
    env.ok(PUTFH(handle), READ(reply["OPEN"].stateid, 0, 4))


@test("OPEN40-22", "v40 open owners", cites=[
    ("RFC 7530 9.1.4", "opens of the same file by different open-owners each have an identifying stateid")])
def two_owners(env):
    """Two owners' opens of a file, and one owner's of two files, have different stateids"""
    env.new_file(b"one")
    env.new_file(b"two")
    a, b = env.open_file(b"one", owner=b"a"), env.open_file(b"one", owner=b"b")
    c = env.open_file(b"two", owner=b"a")
    equal("the number of stateids", len({opened.stateid.other for opened in (a, b, c)}), 3)
    equal("the handles", a.handle == b.handle != c.handle, True)
    env.close_file(a)
    env.ok(PUTFH(b.handle), READ(b.stateid, 0, 1))
    env.ok(PUTFH(c.handle), READ(c.stateid, 0, 1))


@test("OPEN40-23", "v40 open create xdr", cites=[
    ("RFC 7530 13.1.1.1", "Note that this error applies when fixed enumerations (these include booleans) have a value "
                          "within the input stream that is not valid for the enum.")])
def exclusive_of_v41(env):
    """EXCLUSIVE4_1, which v4.0 doesn't have"""
    how = Record(opentype=OPEN_CREATE, how=Record(mode=3, verf=b"verifier", attrs=MODE))
    owner = env.client.owner(b"owner")
    try:
        reply = env.compound(PUTFH(env.home), env.open_op(b"new", owner, how=how))
        reply.expect("NFS4ERR_BADXDR", "NFS4ERR_INVAL")
    except RpcError as problem:
        equal("the RPC error", problem.what, "GARBAGE_ARGS")
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(b"new"))
