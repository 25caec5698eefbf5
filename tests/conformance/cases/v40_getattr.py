# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_getattr.py -- reading and comparing attributes: GETATTR, VERIFY, NVERIFY, ACCESS
"""Tests of NFS v4.0: attributes and access rights."""

from nfs4 import (ACCESS, ACCESS_DELETE, ACCESS_EXECUTE, ACCESS_EXTEND, ACCESS_LOOKUP, ACCESS_MODIFY, ACCESS_READ,
                  GETATTR, LINK, LOOKUP, NVERIFY, PUTFH, SAVEFH, VERIFY, STATUS)
from nfs4attr import ATTRMASK, NF4BLK, NF4CHR, NF4DIR, NF4LNK, NF4REG, REQUIRED, WRITE_ONLY, Words, at
from rpc import Credential
from suite import equal, test, that
from xdr import Record

from .v40_lookup import make_all_types

USER, MEMBER, OTHER = Credential(1000, 1000), Credential(1001, 5000, [1000]), Credential(1002, 1002)
MUST_RETURN = ("RFC 7530 16.7.4", "The server MUST return a value for each attribute that the client requests if the "
                                  "attribute is supported by the server.")
VOLATILE = {"time_access", "space_avail", "space_free", "files_avail", "files_free", "rdattr_error", "fs_locations"}
ALL_BITS = (ACCESS_READ, ACCESS_LOOKUP, ACCESS_MODIFY, ACCESS_EXTEND, ACCESS_DELETE, ACCESS_EXECUTE)


def supported(env):
    """The names that may be asked for, and have to be answered."""
    return env.get(env.home, "supported_attrs").supported_attrs - WRITE_ONLY - VOLATILE


@test("GATT40-1", "v40 getattr attrs", cites=[
    ("RFC 7530 16.7.4", "All servers MUST support the REQUIRED attributes, as specified in Section 5, for all file "
                        "systems"),
    MUST_RETURN])
def required(env):
    """The REQUIRED attributes of a file and of a directory"""
    handle = env.new_file(b"file", b"0123456789")
    file, home = env.get(handle, *REQUIRED), env.get(env.home, *REQUIRED)
    equal("the missing ones", sorted(REQUIRED - set(file.__dict__)), [])
    equal("those that aren't in supported_attrs", sorted(REQUIRED - file.supported_attrs), [])
    equal("types, sizes", (file.type, file.size, home.type), (NF4REG, 10, NF4DIR))
    equal("handles", (file.filehandle, home.filehandle), (handle, env.home))
    equal("link_support, symlink_support, unique_handles", (file.link_support, file.symlink_support,
                                                            file.unique_handles),
          (True, True, True))
    equal("fh_expire_type", file.fh_expire_type, 0)
    that(1 <= file.lease_time <= 3600, f"lease_time is {file.lease_time}")
    equal("fsid", home.fsid, file.fsid)


@test("GATT40-2", "v40 getattr attrs", cites=[MUST_RETURN])
def each_alone(env):
    """Each supported attribute alone has the value that it has among all others"""
    handle = env.new_file(b"file", b"0123456789")
    names = supported(env)
    together = env.get(handle, *names)
    equal("the missing ones", sorted(names - set(together.__dict__)), [])
    for name in sorted(names):
        equal(name, env.get(handle, name).get(name), together.get(name))


@test("GATT40-3", "v40 getattr attrs", cites=[
    MUST_RETURN, ("RFC 7530 5.8.2.10", "Locations where this file system may be found.")])
def fs_locations(env):
    """fs_locations is returned if, and only if, it is in supported_attrs"""
    offered = "fs_locations" in env.get(env.home, "supported_attrs").supported_attrs
    equal("that it is returned", "fs_locations" in env.get(env.home, "fs_locations").__dict__, offered)


@test("GATT40-4", "v40 getattr attrs", cites=[
    ("RFC 7530 16.7.4", "If the server does not support an attribute or cannot approximate a useful value, then it "
                        "MUST NOT return the attribute value and MUST NOT set the attribute bit in the result "
                        "bitmap.")])
def unsupported(env):
    """Attributes that aren't supported are left out, without an error"""
    names = set(range(56)) - {48, 54}
    names = [ATTRMASK.name(number) for number in names]
    held = env.get(env.home, "supported_attrs").supported_attrs
    got = env.get(env.home, "type", *[name for name in names if name not in held])
    equal("what is returned", sorted(got.__dict__), ["type"])


@test("GATT40-5", "v40 getattr attrs minor", cites=[
    ("RFC 7530 16.7.4", "If the server does not support an attribute or cannot approximate a useful value, then it "
                        "MUST NOT return the attribute value and MUST NOT set the attribute bit in the result "
                        "bitmap.")])
def unknown(env):
    """Numbers of attributes that v4.0 doesn't know are left out, without an error"""
    for numbers in ([56, 57], [63, 64], [76], [82], [95], [96], [127, 128], [500]):
        reply = env.compound(PUTFH(env.home), GETATTR(["type", *numbers]))
        equal(f"the status with attributes {numbers}", STATUS.name(reply.status), "NFS4_OK")
        equal("what is returned", sorted(reply["GETATTR"].attrs.__dict__), ["type"])


@test("GATT40-6", "v40 getattr attrs", cites=[
    ("RFC 7530 5.5", "If a client attempts to set a get-only attribute or get a set-only attribute, the server MUST "
                     "return NFS4ERR_INVAL.")])
def write_only(env):
    """time_access_set and time_modify_set can't be read"""
    for name in ("time_access_set", "time_modify_set"):
        env.fails("NFS4ERR_INVAL", PUTFH(env.home), GETATTR([name]))


@test("GATT40-7", "v40 getattr attrs", cites=[
    ("RFC 7530 16.7.4", "The client sets a bit in the bitmap argument for each attribute value that it would like the "
                        "server to return.")])
def nothing(env):
    """GETATTR of nothing, with bitmaps of no word and of words without bits"""
    for words in ((), (0,), (0, 0), (0, 0, 0)):
        got = env.ok(PUTFH(env.home), GETATTR(Words(*words)))["GETATTR"].attrs
        equal("what is returned", sorted(got.__dict__), [])


@test("GATT40-8", "v40 getattr attrs", cites=[
    ("RFC 7530 5.8.1.2", "Designates the type of an object in terms of one of a number of special constants"),
    ("RFC 7530 5.8.2.27", "Raw device number of file of type NF4BLK or NF4CHR. The device number is split into major "
                          "and minor numbers.")])
def types(env):
    """Type, size, device, links of each type of object"""
    for name, kind in make_all_types(env).items():
        attrs = env.get(env.lookup(env.home, name), "type", "size", "rawdev", "numlinks", "mode", "owner",
                        "owner_group")
        equal(f"{name}'s type", attrs.type, kind)
        equal(f"{name}'s owner and group", (attrs.owner, attrs.owner_group), (b"0", b"0"))
        if kind in (NF4BLK, NF4CHR):
            equal(f"{name}'s device", (attrs.rawdev.major, attrs.rawdev.minor), (7, 9))
            equal(f"{name}'s mode", attrs.mode, 0o600)
        if kind == NF4LNK:
            equal("the symlink's size", attrs.size, len(b"target"))
        if kind == NF4REG:
            equal("the file's size, links, mode", (attrs.size, attrs.numlinks, attrs.mode), (4, 1, 0o644))


@test("GATT40-9", "v40 getattr attrs fileid", cites=[
    ("RFC 7530 5.8.1.9", "Unique file system identifier for the file system holding this object."),
    ("RFC 7530 5.8.2.19", "If the server detects that there is nothing mounted on top of the target file object, then "
                          "the value for mounted_on_fileid that it returns is the same as that of the fileid "
                          "attribute.")])
def identities(env):
    """fsid, fileid, mounted_on_fileid of several objects"""
    seen = {}
    for name in make_all_types(env):
        handle = env.lookup(env.home, name)
        attrs = env.get(handle, "fsid", "fileid", "mounted_on_fileid")
        equal(f"{name}'s fsid", attrs.fsid, env.get(env.home, "fsid").fsid)
        equal(f"{name}'s mounted_on_fileid", attrs.mounted_on_fileid, attrs.fileid)
        seen[attrs.fileid] = handle
    equal("the number of different file ids", len(seen), 7)
    equal("the number of different handles", len(set(seen.values())), 7)


@test("GATT40-10", "v40 getattr attrs space", cites=[
    ("RFC 7530 5.8.2.31", "Number of file system bytes allocated to this object."),
    ("RFC 7530 5.8.2.29", "Free disk space in bytes on the file system containing this object")])
def space(env):
    """space_used grows with data; space and numbers of files fit together"""
    handle = env.new_file(b"file")
    equal("space_used of an empty file", env.get(handle, "space_used").space_used, 0)
    env.write(handle, b"x" * 100000)
    names = ["size", "space_used", "space_avail", "space_free", "space_total", "files_avail", "files_free",
             "files_total"]
    reply = env.ok(PUTFH(handle), GETATTR(names), GETATTR(names))
    attrs = reply[1].attrs
    equal("the same again", reply[2].attrs, attrs)
    equal("size", attrs.size, 100000)
    that(100000 <= attrs.space_used <= 1 << 20, f"space_used is {attrs.space_used}")
    that(attrs.space_used % 512 == 0, f"space_used is {attrs.space_used}")
    that(0 < attrs.space_avail <= attrs.space_free <= attrs.space_total, f"space: {attrs}")
    that(0 < attrs.files_avail <= attrs.files_free < attrs.files_total, f"files: {attrs}")


@test("GATT40-11", "v40 getattr attrs times", cites=[
    ("RFC 7530 5.8.2.39", "The time of last modification to the object."),
    ("RFC 7530 5.8.2.38", "The time of last metadata modification of the object."),
    ("RFC 7530 5.8.1.4", "A value created by the server that the client can use to determine if file data, directory "
                         "contents, or attributes of the object have been modified.")])
def times_of_changes(env):
    """Times and change after writing, setting a mode, adding a name"""
    def stamps(handle):
        attrs = env.get(handle, "time_modify", "time_metadata", "change")
        return [(value.seconds, value.nseconds) for value in (attrs.time_modify, attrs.time_metadata)], attrs.change
    handle = env.new_file(b"file", b"data")
    times, change = stamps(handle)
    now = env.now()
    that(abs(times[0][0] - now) < 600, f"time_modify {times[0][0]} of a new file, now is {now}")
    equal("times and change, when nothing happens", stamps(handle), (times, change))
    env.sleep(0.02)
    env.write(handle, b"more")
    (modified, metadata), written = stamps(handle)
    that(modified > times[0] and metadata > times[1] and written != change, "WRITE doesn't change time_modify, change")
    env.sleep(0.02)
    env.set(handle, mode=0o600)
    (same, later), changed = stamps(handle)
    equal("time_modify after setting the mode", same, modified)
    that(later > metadata and changed != written, "setting the mode doesn't change time_metadata, change")
    before = stamps(env.home)
    env.sleep(0.02)
    env.make(b"dir", mode=0o755)
    after = stamps(env.home)
    that(after[0][0] > before[0][0] and after[1] != before[1], "CREATE doesn't change the directory's time_modify, "
                                                               "change")


@test("GATT40-12", "v40 getattr attrs", cites=[
    ("RFC 7530 5.8.2.26", "The value in bytes that represents the amount of disk space used by this file or directory"),
    ("RFC 7530 5.8.2.12", "TRUE, if this object's file system is homogeneous"),
    ("RFC 7530 5.8.2.20", "if the client uses a filename longer than name_max, an error will be returned instead of "
                          "the name being truncated")])
def file_system(env):
    """Attributes of the file system have values that fit a POSIX one"""
    attrs = env.get(env.home, "homogeneous", "no_trunc", "case_insensitive", "case_preserving", "chown_restricted",
                    "cansettime", "maxfilesize", "maxlink", "maxname", "maxread", "maxwrite", "time_delta")
    equal("flags", [attrs.homogeneous, attrs.no_trunc, attrs.case_insensitive, attrs.case_preserving,
                    attrs.chown_restricted,
                    attrs.cansettime], [True, True, False, True, True, True])
    that(attrs.maxfilesize >= 1 << 40, f"maxfilesize is {attrs.maxfilesize}")
    that(attrs.maxlink >= 2, f"maxlink is {attrs.maxlink}")
    that(attrs.maxname >= 255, f"maxname is {attrs.maxname}")
    that(attrs.maxread >= 4096 and attrs.maxread % 512 == 0, f"maxread is {attrs.maxread}")
    that(attrs.maxwrite >= 4096 and attrs.maxwrite % 512 == 0, f"maxwrite is {attrs.maxwrite}")
    that(attrs.time_delta.seconds == 0 and 1 <= attrs.time_delta.nseconds <= 10_000_000,
         f"time_delta is {attrs.time_delta}")


@test("GATT40-13", "v40 getattr attrs link", cites=[
    ("RFC 7530 5.8.2.14", "Maximum number of hard links for this object.")])
def maxlink(env):
    """As many links as maxlink says can be made, where that isn't too many to try"""
    limit = env.get(env.home, "maxlink").maxlink
    handle = env.new_file(b"file")
    for number in range(2, min(limit, 20) + 1):
        env.ok(PUTFH(handle), SAVEFH(), PUTFH(env.home), LINK(b"link%d" % number))
    reply = env.compound(PUTFH(handle), SAVEFH(), PUTFH(env.home), LINK(b"one more"))
    reply.expect("NFS4_OK" if limit > 20 else "NFS4ERR_MLINK")


@test("GATT40-14", "v40 getattr attrs openattr", cites=[
    ("RFC 7530 5.8.1.8", "TRUE, if this object has named attributes. In other words, this object has a non-empty named "
     "attribute directory.")])
def named_attr(env):
    """named_attr of a new file is FALSE"""
    equal("named_attr", env.get(env.new_file(b"file"), "named_attr").named_attr, False)


@test("GATT40-15", "v40 getattr acl attrs", cites=[
    ("RFC 7530 6.2.1.2", "Servers that support either the ALLOW or DENY ACE type SHOULD support both ALLOW and DENY "
                         "ACE types.")])
def acl_support(env):
    """aclsupport says what is so: nothing without the attribute acl, ALLOW and DENY with it"""
    attrs = env.get(env.home, "supported_attrs", "aclsupport", "acl")
    offered = "acl" in attrs.supported_attrs
    equal("that acl is returned", "acl" in attrs.__dict__, offered)
    equal("aclsupport & (ALLOW | DENY)", attrs.get("aclsupport", 0) & 3, 3 if offered else 0)


# --- VERIFY and NVERIFY --------------------------------------------------------------------------------


def comparable(env, handle):
    """Attributes that are compared one by one."""
    names = supported(env) - {"space_used", "time_delta"}
    return env.get(handle, *names).__dict__


@test("VRFY40-1", "v40 verify attrs", cites=[
    ("RFC 7530 16.35.4", "The VERIFY operation is used to verify that attributes have a value assumed by the client "
                         "before proceeding with subsequent operations in the COMPOUND request.")])
def verify_same(env):
    """VERIFY of each attribute with its value"""
    handle = env.new_file(b"file", b"data")
    values = comparable(env, handle)
    for name, value in values.items():
        reply = env.compound(PUTFH(handle), VERIFY(Record(**{name: value})))
        equal(f"VERIFY of the same {name}", STATUS.name(reply.status), "NFS4_OK")


@test("VRFY40-5", "v40 verify attrs", cites=[
    ("RFC 7530 16.35.4", "The current filehandle retains its value after successful completion of the operation.")])
def verify_all(env):
    """VERIFY of all attributes together"""
    handle = env.new_file(b"file", b"data")
    values = comparable(env, handle)
    got = env.ok(PUTFH(handle), VERIFY(Record(**values)), GETATTR(["filehandle"]))["GETATTR"].attrs
    equal("the current filehandle", got.filehandle, handle)


@test("VRFY40-2", "v40 verify attrs", cites=[
    ("RFC 7530 16.35.4", "If any of the attributes do not match, then the error NFS4ERR_NOT_SAME must be returned.")])
def verify_different(env):
    """VERIFY with a wrong size, mode, type, change, owner; alone and among right ones"""
    handle = env.new_file(b"file", b"data")
    right = env.get(handle, "type", "size", "mode", "fileid", "change", "numlinks")
    for name, value in (("size", 5), ("mode", 0o600), ("type", NF4DIR), ("change", right.change + 1),
                        ("fileid", right.fileid + 1), ("numlinks", 2)):
        env.fails("NFS4ERR_NOT_SAME", PUTFH(handle), VERIFY(Record(**{name: value})))
        env.fails("NFS4ERR_NOT_SAME", PUTFH(handle), VERIFY(right.copy(**{name: value})))
    env.ok(PUTFH(handle), VERIFY(right))
    env.fails("NFS4ERR_NOT_SAME", PUTFH(handle), VERIFY(Record(owner=b"99")))


@test("VRFY40-3", "v40 verify attrs", cites=[
    ("RFC 7530 16.35.5", "When the attribute rdattr_error or any write-only attribute (e.g., time_modify_set) is "
                         "specified, the error NFS4ERR_INVAL is returned to the client.")])
def verify_invalid(env):
    """VERIFY of rdattr_error, time_access_set, time_modify_set"""
    for wrong in (Record(rdattr_error=0), Record(time_access_set=at(0)), Record(time_modify_set=at(0))):
        env.fails("NFS4ERR_INVAL", PUTFH(env.home), VERIFY(wrong))


@test("VRFY40-4", "v40 verify attrs", cites=[
    ("RFC 7530 16.35.5", "In the case that a RECOMMENDED attribute is specified in the VERIFY operation and the server "
                         "does not support that attribute for the file system object, the error NFS4ERR_ATTRNOTSUPP is "
                         "returned to the client.")])
def verify_unsupported(env):
    """VERIFY of attributes that aren't supported"""
    held = env.get(env.home, "supported_attrs").supported_attrs
    for name, value in (("archive", False), ("hidden", False), ("mimetype", b"text/plain"), ("system", True)):
        wanted = "NFS4_OK NFS4ERR_NOT_SAME" if name in held else "NFS4ERR_ATTRNOTSUPP"
        env.compound(PUTFH(env.home), VERIFY(Record(**{name: value}))).expect(*wanted.split())


@test("NVFY40-1", "v40 nverify attrs", cites=[
    ("RFC 7530 16.15.4", "If all the attributes match, then the error NFS4ERR_SAME must be returned.")])
def nverify_same(env):
    """NVERIFY of each attribute with its value"""
    handle = env.new_file(b"file", b"data")
    values = comparable(env, handle)
    for name, value in values.items():
        reply = env.compound(PUTFH(handle), NVERIFY(Record(**{name: value})))
        equal(f"NVERIFY of the same {name}", STATUS.name(reply.status), "NFS4ERR_SAME")


@test("NVFY40-5", "v40 nverify attrs", cites=[
    ("RFC 7530 16.15.4", "If all the attributes match, then the error NFS4ERR_SAME must be returned.")])
def nverify_all(env):
    """NVERIFY of all attributes together"""
    handle = env.new_file(b"file", b"data")
    env.fails("NFS4ERR_SAME", PUTFH(handle), NVERIFY(Record(**comparable(env, handle))))


@test("NVFY40-2", "v40 nverify attrs", cites=[
    ("RFC 7530 16.15.4", "This operation is used to prefix a sequence of operations to be performed if one or more "
                         "attributes have changed on some file system object.")])
def nverify_different(env):
    """NVERIFY lets pass when one attribute differs"""
    handle = env.new_file(b"file", b"data")
    right = env.get(handle, "type", "size", "mode", "change")
    for name, value in (("size", 5), ("mode", 0o600), ("type", NF4DIR), ("change", right.change + 1)):
        got = env.ok(PUTFH(handle), NVERIFY(right.copy(**{name: value})), GETATTR(["size"]))["GETATTR"].attrs
        equal("the size behind it", got.size, 4)


@test("NVFY40-3", "v40 nverify attrs", cites=[
    ("RFC 7530 5.5", "If a client attempts to set a get-only attribute or get a set-only attribute, the server MUST "
                     "return NFS4ERR_INVAL.")])
def nverify_invalid(env):
    """NVERIFY of rdattr_error, time_access_set, time_modify_set"""
    for wrong in (Record(rdattr_error=0), Record(time_access_set=at(0)), Record(time_modify_set=at(0))):
        env.fails("NFS4ERR_INVAL", PUTFH(env.home), NVERIFY(wrong))


@test("NVFY40-4", "v40 nverify attrs", cites=[
    ("RFC 7530 13.1.11.1", "An attribute specified is not supported by the server.")])
def nverify_unsupported(env):
    """NVERIFY of attributes that aren't supported"""
    held = env.get(env.home, "supported_attrs").supported_attrs
    for name, value in (("archive", False), ("hidden", False), ("mimetype", b"text/plain")):
        wanted = "NFS4_OK NFS4ERR_SAME" if name in held else "NFS4ERR_ATTRNOTSUPP"
        env.compound(PUTFH(env.home), NVERIFY(Record(**{name: value}))).expect(*wanted.split())


# --- ACCESS --------------------------------------------------------------------------------------------


def rights(env, handle, credential, asked=0x3F):
    res = env.ok(PUTFH(handle), ACCESS(asked), credential=credential)["ACCESS"]
    return res.supported, res.access


def posix_rights(bits, directory):
    """What rwx allow, of those bits that make sense for the type."""
    read, write, execute = bits & 4, bits & 2, bits & 1
    if directory:
        return (read and ACCESS_READ) | (execute and ACCESS_LOOKUP) | (
            ACCESS_MODIFY | ACCESS_EXTEND | ACCESS_DELETE if write and execute else 0)
    return (read and ACCESS_READ) | (write and ACCESS_MODIFY | ACCESS_EXTEND) | (execute and ACCESS_EXECUTE)


FILE_BITS = ACCESS_READ | ACCESS_MODIFY | ACCESS_EXTEND | ACCESS_EXECUTE
DIRECTORY_BITS = ACCESS_READ | ACCESS_LOOKUP | ACCESS_MODIFY | ACCESS_EXTEND | ACCESS_DELETE
DETERMINES = ("RFC 7530 16.1.4", "ACCESS determines the access rights that a user, as identified by the credentials in "
                                 "the RPC request, has with respect to the file system object specified by the current "
                                 "filehandle.")


@test("ACC40-1", "v40 access perms", cites=[DETERMINES])
def access_to_files(env):
    """Owner, member of the group, other user on files of several modes"""
    handle = env.new_file(b"file", b"data")
    env.set(handle, owner=b"1000", owner_group=b"1000")
    for mode in (0o000, 0o400, 0o640, 0o751, 0o026, 0o666):
        env.set(handle, mode=mode)
        for credential, shift in ((USER, 6), (MEMBER, 3), (OTHER, 0)):
            got = rights(env, handle, credential)[1] & FILE_BITS
            equal(f"rights on mode {mode:o} >> {shift}", got, posix_rights(mode >> shift & 7, False))


@test("ACC40-2", "v40 access perms", cites=[DETERMINES])
def access_to_directories(env):
    """Owner, member of the group, other user on directories of several modes"""
    handle = env.make(b"dir", mode=0o755)
    env.set(handle, owner=b"1000", owner_group=b"1000")
    for mode in (0o000, 0o500, 0o750, 0o731, 0o755, 0o777):
        env.set(handle, mode=mode)
        for credential, shift in ((USER, 6), (MEMBER, 3), (OTHER, 0)):
            got = rights(env, handle, credential)[1] & DIRECTORY_BITS
            equal(f"rights on mode {mode:o} >> {shift}", got, posix_rights(mode >> shift & 7, True))


@test("ACC40-3", "v40 access perms", cites=[
    ("RFC 7530 16.1.4", "Note that the supported field will contain only as many values as were originally sent in the "
     "arguments.")])
def access_supported(env):
    """Each right alone, and none"""
    directory, file = env.make(b"dir", mode=0o777), env.new_file(b"file", mode=0o777)
    for bit in ALL_BITS:
        for handle, bits in ((directory, DIRECTORY_BITS), (file, FILE_BITS)):
            supported_bits, granted = rights(env, handle, USER, bit)
            that(not supported_bits & ~bit, f"asked for {bit:#x}, supported are {supported_bits:#x}")
            if bit & bits:
                equal(f"supported and granted of {bit:#x}", (supported_bits, granted), (bit, bit))
    equal("rights of nothing asked", rights(env, file, USER, 0), (0, 0))


@test("ACC40-4", "v40 access perms", cites=[DETERMINES])
def access_of_root(env):
    """root may read and write everything; the current filehandle stays"""
    handle = env.new_file(b"file", mode=0o000)
    reply = env.ok(PUTFH(handle), ACCESS(ACCESS_READ | ACCESS_MODIFY | ACCESS_EXTEND), GETATTR(["filehandle"]))
    equal("rights", (reply[1].supported, reply[1].access), (13, 13))
    equal("the handle", reply[2].attrs.filehandle, handle)


@test("ACC40-5", "v40 access perms", cites=[DETERMINES])
def access_to_other_types(env):
    """ACCESS to each type of object"""
    for name in make_all_types(env):
        res = env.ok(PUTFH(env.home), LOOKUP(name), ACCESS(ACCESS_READ | ACCESS_MODIFY))["ACCESS"]
        equal(f"rights on {name}", (res.supported, res.access), (5, 5))
