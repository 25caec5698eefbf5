# SPDX-License-Identifier: LGPL-3.0-or-later
# v41_misc.py -- NFS v4.1: attributes, SECINFO_NO_NAME, and what a server without delegations and layouts answers
from nfs4 import (ACCESS, ANONYMOUS, CLOSE, COMMIT, CREATE, DELEGPURGE, DELEGRETURN, FILE_SYNC, GET_DIR_DELEGATION,
                  GETATTR, GETDEVICEINFO, GETDEVICELIST, GETFH, LAYOUTCOMMIT, LAYOUTGET, LAYOUTRETURN, LOOKUP,
                  LOOKUPP, NVERIFY, OPEN, PUTFH, PUTPUBFH, PUTROOTFH, READ, READDIR, READLINK, REMOVE, RENAME,
                  LINK, RESTOREFH, SAVEFH, SECINFO, SECINFO_NO_NAME, SET_SSV, SETATTR, UNSTABLE, VERIFY,
                  WANT_DELEGATION, WRITE, WRITE_ACCESS, BOTH_ACCESS, DENY_NONE, WANT_READ_DELEG, by_name, create,
                  no_create)
from nfs4attr import NF4DIR, NF4LNK, NF4REG, REQUIRED41, WRITE_ONLY, at
from rpc import Credential
from suite import equal, test, that
from xdr import Record

from .v41_tools import another

NO_NAME = "RFC 8881 18.45.3"
CURRENT_FH, PARENT = 0, 1
LAYOUT_FILES, IOMODE_READ, RETURN_FILE = 1, 1, 1
READ_ONLY = {"supported_attrs", "type", "fh_expire_type", "change", "link_support", "symlink_support",
             "named_attr", "fsid", "unique_handles", "lease_time", "rdattr_error", "aclsupport", "cansettime",
             "case_insensitive", "case_preserving", "chown_restricted", "filehandle", "fileid", "files_avail",
             "files_free", "files_total", "fs_locations", "homogeneous", "maxfilesize", "maxlink", "maxname",
             "maxread", "maxwrite", "no_trunc", "numlinks", "quota_avail_hard", "quota_avail_soft", "quota_used",
             "rawdev", "space_avail", "space_free", "space_total", "space_used", "time_access", "time_delta",
             "time_metadata", "time_modify", "mounted_on_fileid", "suppattr_exclcreat", "xattr_support"}
STEADY = sorted(READ_ONLY - {"files_avail", "files_free", "space_avail", "space_free", "rdattr_error", "fs_locations"})
USER = Credential(1000, 1000)
UNSUPPORTED = "NFS4ERR_NOTSUPP"
NOT_WANTED = 0


@test("ATTR41-1", "v41 getattr attrs", cites=[
    ("RFC 8881 5.1", "The server MUST store and return these attributes, and the client MUST be able to function "
                     "with an attribute set limited to these attributes")])
def required(env):
    "All REQUIRED attributes are supported and returned, for a file and a directory"
    for handle, kind in ((env.home, NF4DIR), (env.new_file(b"f"), NF4REG)):
        supported = env.get(handle, "supported_attrs").supported_attrs
        that(REQUIRED41 <= supported, f"{sorted(REQUIRED41 - supported)} aren't supported")
        attrs = env.get(handle, *REQUIRED41)
        equal("the attributes returned", set(attrs.__dict__), set(REQUIRED41))
        equal("the type", attrs.type, kind)
        equal("the handle", attrs.filehandle, handle)
        equal("the attributes supported, asked with others", attrs.supported_attrs, supported)
        equal("rdattr_error", attrs.rdattr_error, 0)


@test("ATTR41-2", "v41 getattr attrs", cites=[
    ("RFC 8881 18.7.3",
     "The server MUST return a value for each attribute that the client requests if the attribute is supported by "
     "the server for the target file system")])
def all_supported(env):
    "All that is supported is returned"
    handle = env.new_file(b"f", b"data")
    supported = env.get(handle, "supported_attrs").supported_attrs - WRITE_ONLY
    got = set(env.get(handle, *supported).__dict__)
    equal("attributes that are supported and not returned", sorted(supported - got), [])


@test("ATTR41-7", "v41 getattr attrs", cites=[
    ("RFC 8881 18.7.3", "This bitmap is followed by the attribute values ordered lowest attribute number first")])
def steady(env):
    "Attributes of a file that nobody touches stay, and are those of its directory's entry"
    handle = env.new_file(b"f", b"data")
    supported = env.get(handle, "supported_attrs").supported_attrs
    one, other = (env.get(handle, *supported & set(STEADY)) for _ in range(2))
    entry = env.list(env.home, supported & set(STEADY))[0].attrs
    for name in STEADY:
        equal(f"{name} in READDIR", entry.get(name), one.get(name))
        equal(f"{name}, asked again", other.get(name), one.get(name))


@test("ATTR41-3", "v41 getattr attrs", cites=[
    ("RFC 8881 5.8.1.14",
     "The bit vector that would set all REQUIRED and RECOMMENDED attributes that are supported by the EXCLUSIVE4_1 "
     "method of file creation via the OPEN operation")])
def exclusive_attributes(env):
    "suppattr_exclcreat: attributes that can be set, and that are supported"
    attrs = env.get(env.home, "suppattr_exclcreat", "supported_attrs")
    odd = attrs.suppattr_exclcreat - attrs.supported_attrs
    that(not odd, f"{sorted(map(str, odd))} aren't supported")
    that("mode" in attrs.suppattr_exclcreat, "the mode can't be set")
    odd = attrs.suppattr_exclcreat & READ_ONLY
    that(not odd, f"{sorted(odd)} can't be set at all")


@test("ATTR41-4", "v41 getattr attrs", cites=[
    ("RFC 8881 18.7.3",
     "If the server does not support a particular attribute on the target file system, then it MUST NOT return the "
     "attribute value and MUST NOT set the attribute bit in the result bitmap")])
def unsupported(env):
    "Attributes that aren't supported, or can't be read"
    supported = env.get(env.home, "supported_attrs").supported_attrs
    optional = {"hidden", "system", "archive", "mimetype", "quota_used", "retention_get", "dacl", "layout_blksize"}
    asked = optional - supported
    reply = env.ok(PUTFH(env.home), GETATTR({"type", *asked}))
    equal("the attributes", set(reply["GETATTR"].attrs.__dict__), {"type"})
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), GETATTR(["time_modify_set"]))


@test("ATTR41-5", "v41 setattr attrs", cites=[
    ("RFC 8881 5.5", "A client MAY ask for any of these attributes to be returned by setting a bit in the GETATTR "
                     "request"),
    ("RFC 8881 18.30.3", "The SETATTR operation changes one or more of the attributes of a file system object")])
def set_attributes(env):
    "SETATTR of mode, owner, times and size; each shows in GETATTR"
    handle = env.new_file(b"f", b"0123456789")
    before = env.get(handle, "change", "time_metadata")
    opened = env.open_file(b"f")
    env.set(handle, opened.stateid, size=4, mode=0o600)
    env.set(handle, owner=b"1000", owner_group=b"1001")
    env.set(handle, time_access_set=at(1000000000, 5000), time_modify_set=at(1100000000, 7000))
    after = env.get(handle, "size", "mode", "owner", "owner_group", "time_access", "time_modify", "change",
                    "time_metadata")
    equal("size and mode", (after.size, after.mode), (4, 0o600))
    equal("owner and group", (after.owner, after.owner_group), (b"1000", b"1001"))
    equal("the time of access", after.time_access, Record(seconds=1000000000, nseconds=5000))
    equal("the time of modification", after.time_modify, Record(seconds=1100000000, nseconds=7000))
    that(after.change > before.change, "change stays")
    that(after.time_metadata.seconds >= before.time_metadata.seconds, "the time of the metadata goes back")
    that(abs(after.time_metadata.seconds - env.now()) < 3600, "the time of the metadata isn't now")
    equal("the data", env.read(handle), (b"0123", True))
    env.close_file(opened)


@test("ATTR41-6", "v41 verify attrs", cites=[
    ("RFC 8881 18.31.3",
     "The VERIFY operation is used to verify that attributes have the value assumed by the client before "
     "proceeding with the following operations in the COMPOUND request"),
    ("RFC 8881 18.15.3",
     "This operation is used to prefix a sequence of operations to be performed if one or more attributes have "
     "changed on some file system object")])
def verify(env):
    "VERIFY and NVERIFY with right and wrong values"
    handle = env.new_file(b"f", b"data")
    right, wrong = Record(size=4, type=NF4REG), Record(size=5, type=NF4REG)
    env.ok(PUTFH(handle), VERIFY(right), NVERIFY(wrong), GETFH())
    env.fails("NFS4ERR_NOT_SAME", PUTFH(handle), VERIFY(wrong))
    env.fails("NFS4ERR_SAME", PUTFH(handle), NVERIFY(right))
    env.fails("NFS4ERR_INVAL", PUTFH(handle), VERIFY(Record(rdattr_error=0)))


@test("IO41-1", "v41 read write", cites=[
    ("RFC 8881 18.32.3", "The WRITE operation is used to write data to a regular file"),
    ("RFC 8881 18.3.3",
     "The COMMIT operation forces or flushes uncommitted, modified data to stable storage for the file specified "
     "by the current filehandle")])
def write_commit_read(env):
    "WRITE, COMMIT, READ: counts, verifiers, the file's end"
    opened = env.create_file(b"f")
    data = bytes(range(256)) * 8
    first = env.write(opened.handle, data, stateid=opened.stateid, stable=UNSTABLE)
    second = env.write(opened.handle, data, 4096, opened.stateid, FILE_SYNC)
    commit = env.ok(PUTFH(opened.handle), COMMIT(0, 0))["COMMIT"]
    equal("the verifiers", {first.writeverf, second.writeverf, commit.writeverf}, {first.writeverf})
    equal("how the second one is committed", second.committed, FILE_SYNC)
    equal("the first part", env.read(opened.handle, 0, 2048, opened.stateid), (data, False))
    equal("the gap", env.read(opened.handle, 2048, 2048, opened.stateid), (bytes(2048), False))
    equal("the last part", env.read(opened.handle, 4096, 2048, opened.stateid), (data, True))
    equal("beyond the end", env.read(opened.handle, 1 << 20, 10, opened.stateid), (b"", True))
    attrs = env.get(opened.handle, "size", "space_used")
    equal("the size", attrs.size, 6144)
    that(2048 <= attrs.space_used <= 1 << 20, f"{attrs.space_used} bytes of space are used")
    env.close_file(opened)


def change_of(env, handle):
    return env.get(handle, "change").change


def changed(what, cinfo, before, after):
    """Nobody else is at work: a change information is what GETATTR says before and after."""
    equal(f"the change attribute of {what} before", cinfo.before, before)
    equal(f"the change attribute of {what} afterwards", cinfo.after, after)
    that(after != before, f"the change attribute of {what} stays")


@test("NAME41-1", "v41 names create link rename remove", cites=[
    ("RFC 8881 18.26.3",
     "The RENAME operation renames the object identified by oldname in the source directory corresponding to the "
     "saved filehandle"),
    ("RFC 8881 18.9.3",
     "The LINK operation creates an additional newname for the file represented by the saved filehandle")])
def names(env):
    "CREATE, LINK, RENAME, REMOVE, READLINK, LOOKUPP, READDIR in a session, and their change information"
    handle = env.new_file(b"f", b"data")
    before = change_of(env, env.home)
    reply = env.ok(PUTFH(env.home), CREATE(Record(type=NF4DIR), b"d", Record(mode=0o755)), GETFH())
    sub = reply["GETFH"].object
    changed("CREATE's directory", reply["CREATE"].cinfo, before, change_of(env, env.home))
    link = env.make(b"l", NF4LNK, type_fields={"linkdata": b"../somewhere"}, mode=0o777)
    before = change_of(env, sub)
    cinfo = env.ok(PUTFH(handle), SAVEFH(), PUTFH(sub), LINK(b"g"))["LINK"].cinfo
    changed("LINK's directory", cinfo, before, change_of(env, sub))
    equal("the links", env.get(handle, "numlinks").numlinks, 2)
    before = change_of(env, env.home), change_of(env, sub)
    reply = env.ok(PUTFH(env.home), SAVEFH(), PUTFH(sub), RENAME(b"f", b"h"), RESTOREFH(), LOOKUP(b"d"), LOOKUPP(),
                   GETFH())
    changed("RENAME's source", reply["RENAME"].source_cinfo, before[0], change_of(env, env.home))
    changed("RENAME's target", reply["RENAME"].target_cinfo, before[1], change_of(env, sub))
    equal("the parent", reply["GETFH"].object, env.home)
    equal("the names", sorted(entry.name for entry in env.list(sub)), [b"g", b"h"])
    equal("the link", env.ok(PUTFH(link), READLINK())["READLINK"].link, b"../somewhere")
    env.fails("NFS4ERR_NOTEMPTY", PUTFH(env.home), REMOVE(b"d"))
    before = change_of(env, sub)
    changed("REMOVE's directory", env.ok(PUTFH(sub), REMOVE(b"g"))["REMOVE"].cinfo, before, change_of(env, sub))
    env.ok(PUTFH(sub), REMOVE(b"h"), PUTFH(env.home), REMOVE(b"d"))
    env.compound(PUTFH(sub), GETATTR(["type"])).expect("NFS4ERR_STALE")


@test("NAME41-2", "v41 readdir", cites=[
    ("RFC 8881 18.23.3", "The READDIR operation retrieves a variable number of entries from a file system "
     "directory")])
def directory_in_pieces(env):
    "READDIR in small pieces returns each name once, with attributes like GETATTR's"
    made = {b"entry %02d" % number: env.new_file(b"entry %02d" % number, bytes(number)) for number in range(20)}
    entries = env.list(env.home, ["type", "size", "fileid", "filehandle", "numlinks"], maxcount=1500)
    equal("the names", sorted(entry.name for entry in entries), sorted(made))
    for entry in entries:
        attrs = env.get(made[entry.name], "type", "size", "fileid", "filehandle", "numlinks")
        equal(f"attributes of {entry.name}", entry.attrs, attrs)
    env.fails("NFS4ERR_TOOSMALL", PUTFH(env.home), READDIR(0, bytes(8), 20, 20, ["type"]))
    env.fails("NFS4ERR_NOTDIR", PUTFH(made[b"entry 00"]), READDIR(0, bytes(8), 1000, 1000, []))


@test("ACC41-1", "v41 access perms", cites=[
    ("RFC 8881 18.1.3",
     "ACCESS determines the access rights that a user, as identified by the credentials in the RPC request, has "
     "with respect to the file system object specified by the current filehandle")])
def access(env):
    "ACCESS of a file for its owner and others, of a directory"
    handle = env.new_file(b"f", mode=0o740)
    env.set(handle, owner=b"1000")
    for credential, allowed in ((USER, 0x2D), (Credential(1001, 1001), 0)):
        result = env.ok(PUTFH(handle), ACCESS(0x2D), credential=credential)["ACCESS"]
        equal("what is supported", result.supported, 0x2D)
        equal("what is allowed", result.access, allowed)
    result = env.ok(PUTFH(env.home), ACCESS(0x1F), credential=USER)["ACCESS"]
    equal("what a directory with mode 777 allows", (result.supported, result.access), (0x1F, 0x1F))


@test("SECN41-1", "v41 secinfo_no_name", cites=[
    (NO_NAME, "On success, the current filehandle is consumed (see Section 2.6.3.1.1.8), and if the next operation "
              "after SECINFO_NO_NAME tries to use the current filehandle, that operation will fail with the status "
              "NFS4ERR_NOFILEHANDLE")])
def security(env):
    "SECINFO_NO_NAME of the current handle and of the parent, and SECINFO: AUTH_SYS; they consume the handle"
    env.make(b"d", mode=0o755)
    for ops in ((PUTFH(env.home), SECINFO_NO_NAME(CURRENT_FH)), (PUTFH(env.home), SECINFO_NO_NAME(PARENT)),
                (PUTFH(env.home), SECINFO(b"d"))):
        flavors = env.ok(*ops).results[-1].flavors
        that(1 in [flavor.flavor for flavor in flavors], "AUTH_SYS isn't allowed")
        equal("the flavors, asked again", env.ok(*ops).results[-1].flavors, flavors)
        env.fails("NFS4ERR_NOFILEHANDLE", *ops, GETATTR(["type"]))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), SECINFO(b"missing"))


@test("SECN41-2", "v41 secinfo_no_name", cites=[
    (NO_NAME, "If SECINFO_STYLE4_PARENT is specified and there is no parent directory, SECINFO_NO_NAME MUST return "
              "NFS4ERR_NOENT")])
def security_of_no_parent(env):
    "SECINFO_NO_NAME of the root's parent, and without a handle"
    env.fails("NFS4ERR_NOENT", PUTROOTFH(), SECINFO_NO_NAME(PARENT))
    env.fails("NFS4ERR_NOFILEHANDLE", SECINFO_NO_NAME(CURRENT_FH))


@test("ROOT41-1", "v41 putrootfh", cites=[
    ("RFC 8881 18.21.3",
     "This operation replaces the current filehandle with the filehandle that represents the root of the server's "
     "namespace")])
def roots(env):
    "PUTROOTFH and PUTPUBFH; LOOKUPP of the root"
    root = env.ok(PUTROOTFH(), GETFH(), GETATTR(["type", "filehandle"]))
    equal("the root's type", root["GETATTR"].attrs.type, NF4DIR)
    equal("the root's handle", root["GETATTR"].attrs.filehandle, root["GETFH"].object)
    that(env.ok(PUTPUBFH(), GETFH())["GETFH"].object, "the public handle is empty")
    env.fails("NFS4ERR_NOENT", PUTROOTFH(), LOOKUPP())
    env.fails("NFS4ERR_RESTOREFH NFS4ERR_NOFILEHANDLE", RESTOREFH())
    env.fails("NFS4ERR_NOFILEHANDLE", GETFH())


@test("DELE41-1", "v41 open delegations", cites=[
    ("RFC 8881 18.16.3", "Note that delegation is up to the server to decide")])
def no_delegation(env):
    "OPEN that wants no delegation gets none; one that wants some gets one, or none and a reason"
    env.new_file(b"f")
    owner = Record(clientid=0, owner=b"owner")
    wanting = OPEN(0, BOTH_ACCESS | WANT_READ_DELEG, DENY_NONE, owner, no_create(), by_name(b"f"))
    reply = env.ok(PUTFH(env.home), wanting, GETFH())
    delegation = reply["OPEN"].delegation
    equal("the delegation, without a back channel", delegation.type in (0, 3), True)
    env.ok(PUTFH(reply["GETFH"].object), CLOSE(0, reply["OPEN"].stateid))
    opened = env.open_file(b"f")
    that(opened.delegation.type in (0, 3), f"a delegation of type {opened.delegation.type} that isn't wanted")
    if opened.delegation.type == 3:
        equal("why there is none", opened.delegation.none.why, NOT_WANTED)
    env.close_file(opened)


@test("DELE41-2", "v41 delegreturn delegations", cites=[
    ("RFC 8881 18.6.3",
     "The DELEGRETURN operation returns the delegation represented by the current filehandle and stateid")])
def return_nothing(env):
    "DELEGRETURN of what isn't a delegation; DELEGPURGE"
    opened = env.create_file(b"f")
    for stateid in (opened.stateid, ANONYMOUS):
        env.fails("NFS4ERR_BAD_STATEID NFS4ERR_NOTSUPP", PUTFH(opened.handle), DELEGRETURN(stateid))
    env.close_file(opened)
    env.compound(DELEGPURGE(0)).expect("NFS4_OK", UNSUPPORTED)


@test("DELE41-3", "v41 delegations", cites=[
    ("RFC 8881 18.39.3", "The GET_DIR_DELEGATION operation is used by a client to request a directory delegation"),
    ("RFC 8881 15.1.1.5",
     "Operation not supported, either because the operation is an OPTIONAL one and is not supported by this server")])
def other_delegations(env):
    "GET_DIR_DELEGATION and WANT_DELEGATION, which are optional"
    second = Record(seconds=1, nseconds=0)
    for op in (GET_DIR_DELEGATION(False, frozenset(), second, second, [], []),
               WANT_DELEGATION(0x100, Record(claim=4))):
        env.fails(UNSUPPORTED, PUTFH(env.home), op)


@test("LAYO41-1", "v41 layouts", cites=[
    ("RFC 8881 18.43.3",
     "The LAYOUTGET operation requests a layout from the metadata server for reading or writing the file given by "
     "the filehandle"),
    ("RFC 8881 15.1.10.4",
     "Returned when layouts are not available for the current file system or the particular specified file")])
def no_layout(env):
    "LAYOUTGET and GETDEVICEINFO of a server without pNFS"
    opened = env.create_file(b"f")
    env.fails("NFS4ERR_NOTSUPP NFS4ERR_LAYOUTUNAVAILABLE NFS4ERR_UNKNOWN_LAYOUTTYPE", PUTFH(opened.handle),
              LAYOUTGET(False, LAYOUT_FILES, IOMODE_READ, 0, 4096, 4096, opened.stateid, 4096))
    env.fails("NFS4ERR_NOTSUPP NFS4ERR_UNKNOWN_LAYOUTTYPE NFS4ERR_NOENT NFS4ERR_INVAL",
              GETDEVICEINFO(bytes(16), LAYOUT_FILES, 4096, []))
    env.close_file(opened)


@test("LAYO41-2", "v41 layouts", cites=[
    ("RFC 8881 8.2.4", "If the stateid type is not valid for the context in which the stateid appears, return "
                       "NFS4ERR_BAD_STATEID")])
def no_layout_to_commit(env):
    "LAYOUTCOMMIT with an open's stateid"
    opened = env.create_file(b"f")
    body = Record(type=LAYOUT_FILES, body=b"")
    env.fails("NFS4ERR_NOTSUPP NFS4ERR_BAD_STATEID NFS4ERR_BADLAYOUT NFS4ERR_UNKNOWN_LAYOUTTYPE", PUTFH(opened.handle),
              LAYOUTCOMMIT(0, 4096, False, opened.stateid, Record(given=False), Record(given=False), body))
    env.close_file(opened)


@test("LAYO41-3", "v41 layouts", cites=[
    ("RFC 8881 18.44.3",
     "This operation returns from the client to the server one or more layouts represented by the client ID")])
def no_layout_to_return(env):
    "LAYOUTRETURN and GETDEVICELIST of a server without pNFS"
    opened = env.create_file(b"f")
    give_back = Record(type=RETURN_FILE, offset=0, length=4096, stateid=opened.stateid, body=b"")
    reply = env.compound(PUTFH(opened.handle), LAYOUTRETURN(False, LAYOUT_FILES, IOMODE_READ, give_back))
    reply.expect("NFS4_OK", "NFS4ERR_NOTSUPP", "NFS4ERR_BAD_STATEID", "NFS4ERR_UNKNOWN_LAYOUTTYPE")
    if not reply.status:
        equal("whether layouts are left", reply["LAYOUTRETURN"].stateid.present, False)
    env.fails("NFS4ERR_NOTSUPP NFS4ERR_UNKNOWN_LAYOUTTYPE", PUTFH(opened.handle),
              GETDEVICELIST(LAYOUT_FILES, 10, 0, bytes(8)))
    env.close_file(opened)


@test("SSV41-1", "v41 set_ssv", cites=[
    ("RFC 8881 18.47.3",
     "It MUST NOT be used if the client did not opt for SP4_SSV state protection when the client ID was created "
     "(see Section 18.35); the server returns NFS4ERR_INVAL in that case")])
def no_secret(env):
    "SET_SSV of a client without SP4_SSV"
    env.fails("NFS4ERR_INVAL NFS4ERR_NOTSUPP", SET_SSV(b"\1" * 16, b"\2" * 16))


@test("IO41-2", "v41 write perms", cites=[
    ("RFC 8881 18.22.3",
     "In the case that the current filehandle represents an object of type NF4DIR, NFS4ERR_ISDIR is returned"),
    ("RFC 8881 15.1.6.1",
     "Indicates permission denied. The caller does not have the correct permission to perform the requested "
     "operation")])
def permissions(env):
    "READ, WRITE and SETATTR by another user, without an open"
    handle = env.new_file(b"f", b"data", mode=0o604)
    equal("the data", env.read(handle, credential=USER), (b"data", True))
    env.fails("NFS4ERR_ACCESS", PUTFH(handle), WRITE(ANONYMOUS, 0, FILE_SYNC, b"x"), credential=USER)
    env.fails("NFS4ERR_PERM", PUTFH(handle), SETATTR(ANONYMOUS, Record(mode=0o777)), credential=USER)
    env.fails("NFS4ERR_ISDIR NFS4ERR_INVAL", PUTFH(env.home), READ(ANONYMOUS, 0, 10))
    writer = another(env, "writer").setup()
    opened = env.open_file(b"g", session=writer, how=create(attrs=Record(mode=0o600)), access=WRITE_ACCESS)
    env.fails("NFS4ERR_ACCESS", PUTFH(opened.handle), READ(ANONYMOUS, 0, 10), credential=USER)
