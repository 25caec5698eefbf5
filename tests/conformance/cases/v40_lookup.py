# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_lookup.py -- handles and names: PUTROOTFH, PUTPUBFH, PUTFH, GETFH, LOOKUP, LOOKUPP
"""Tests of NFS v4.0: how objects are reached."""

from nfs4 import CREATE, GETATTR, GETFH, LINK, LOOKUP, LOOKUPP, PUTFH, PUTPUBFH, PUTROOTFH, REMOVE, SAVEFH
from nfs4attr import NF4BLK, NF4CHR, NF4DIR, NF4FIFO, NF4LNK, NF4REG, NF4SOCK
from rpc import Credential
from suite import equal, test, that
from xdr import Record

USER = Credential(1000, 1000)
LONGEST = b"n" * 255


def make_all_types(env):
    """name: type of one object of each type in home."""
    device = Record(major=7, minor=9)
    env.new_file(b"reg", b"data")
    env.make(b"dir", mode=0o755)
    env.make(b"lnk", NF4LNK, type_fields={"linkdata": b"target"})
    env.make(b"blk", NF4BLK, type_fields={"devdata": device}, mode=0o600)
    env.make(b"chr", NF4CHR, type_fields={"devdata": device}, mode=0o600)
    env.make(b"sock", NF4SOCK, mode=0o600)
    env.make(b"fifo", NF4FIFO, mode=0o600)
    return {b"reg": NF4REG, b"dir": NF4DIR, b"lnk": NF4LNK, b"blk": NF4BLK, b"chr": NF4CHR, b"sock": NF4SOCK,
            b"fifo": NF4FIFO}


def not_a_file(kind):
    """The statuses of operations that want a regular file, for another type."""
    return {NF4DIR: "NFS4ERR_ISDIR", NF4LNK: "NFS4ERR_INVAL NFS4ERR_SYMLINK"}.get(kind, "NFS4ERR_INVAL")


@test("ROOT40-1", "v40 putrootfh handles", cites=[
    ("RFC 7530 16.22.4", "PUTROOTFH replaces the current filehandle with the filehandle that represents the root of "
                         "the server's namespace. From this filehandle, a LOOKUP operation can locate any other "
                         "filehandle on the server.")])
def root(env):
    """PUTROOTFH is a directory, always the same, and leads to the export"""
    first = env.ok(PUTROOTFH(), GETFH(), GETATTR(["type", "fileid"]))
    second = env.ok(PUTFH(env.home), PUTROOTFH(), GETFH(), GETATTR(["type", "fileid"]))
    equal("the root's type", first["GETATTR"].attrs.type, NF4DIR)
    equal("the root's handle", second["GETFH"].object, first["GETFH"].object)
    equal("the root's attributes", second["GETATTR"].attrs, first["GETATTR"].attrs)
    export = env.lookup(None, *[part.encode() for part in env.target.export.split("/") if part])
    equal("the export's type", env.get(export, "type").type, NF4DIR)


@test("PUB40-1", "v40 putpubfh handles", cites=[
    ("RFC 7530 16.21.4", "PUTPUBFH replaces the current filehandle with the filehandle that represents the public "
                         "filehandle of the server's namespace.")])
def public(env):
    """PUTPUBFH is a directory, always the same"""
    first = env.ok(PUTPUBFH(), GETFH(), GETATTR(["type"]))
    second = env.ok(PUTFH(env.home), PUTPUBFH(), GETFH())
    equal("its type", first["GETATTR"].attrs.type, NF4DIR)
    equal("its handle", second["GETFH"].object, first["GETFH"].object)


@test("PFH40-1", "v40 putfh getfh handles", cites=[
    ("RFC 7530 16.20.4", "PUTFH replaces the current filehandle with the filehandle provided as an argument."),
    ("RFC 7530 16.8.4", "This operation returns the current filehandle value.")])
def put_and_get(env):
    """The handle of each type of object comes back, and has its attributes"""
    for name, kind in make_all_types(env).items():
        looked = env.ok(PUTFH(env.home), LOOKUP(name), GETFH(), GETATTR(["filehandle", "type", "fileid"]))
        handle = looked["GETFH"].object
        again = env.ok(PUTFH(handle), GETFH(), GETATTR(["filehandle", "type", "fileid"]))
        equal(f"{name}'s handle", again["GETFH"].object, handle)
        equal(f"{name}'s type", looked["GETATTR"].attrs.type, kind)
        equal(f"{name}'s attributes", again["GETATTR"].attrs, looked["GETATTR"].attrs)
        equal(f"{name}'s attribute filehandle", again["GETATTR"].attrs.filehandle, handle)


@test("PFH40-2", "v40 putfh handles", cites=[
    ("RFC 7530 13.1.2.1", "This error is generated for an illegal NFS filehandle for the current server. The current "
     "filehandle failed internal consistency checks.")])
def bad_handles(env):
    """Handles that no server makes: empty, one byte, all bits"""
    for handle in (b"", b"\x01", b"abcd", b"\xff" * 128):
        env.fails("NFS4ERR_BADHANDLE", PUTFH(handle))


@test("PFH40-3", "v40 putfh handles", cites=[
    ("RFC 7530 13.1.2.1", "The current filehandle failed internal consistency checks."),
    ("RFC 7530 13.1.2.7", "The current or saved filehandle value designating an argument to the current operation is "
     "invalid.")])
def forged_handles(env):
    """A good handle with one byte changed, a byte less or more isn't accepted"""
    handle = env.new_file(b"file", b"data")
    forged = [handle[:at] + bytes([handle[at] ^ 0x55]) + handle[at + 1:] for at in range(len(handle))]
    accepted = 0
    for other in (*forged, handle[:-1], handle + b"\0"):
        if len(other) <= 128:
            accepted += not env.compound(PUTFH(other), GETATTR(["type"])).status
    equal("the number of forged handles that were accepted", accepted, 0)


@test("PFH40-4", "v40 putfh remove handles", cites=[
    ("RFC 7530 13.1.2.7", "The file system object referred to by that filehandle no longer exists, or access to it has "
                          "been revoked.")])
def stale_handles(env):
    """The handles of a removed file and of a removed directory"""
    gone = {b"file": env.new_file(b"file", b"data"), b"dir": env.make(b"dir", mode=0o755)}
    for name, handle in gone.items():
        env.ok(PUTFH(env.home), REMOVE(name))
        env.compound(PUTFH(handle), GETATTR(["type"])).expect("NFS4ERR_STALE")


@test("GFH40-1", "v40 getfh link handles", cites=[
    ("RFC 7530 4.2.1", "If two filehandles from the same server are equal, they MUST refer to the same file.")])
def equal_handles(env):
    """Two names of one file have one handle; other files have others"""
    handle = env.new_file(b"one", b"data")
    env.ok(PUTFH(handle), SAVEFH(), PUTFH(env.home), LINK(b"two"))
    other = env.new_file(b"other", b"data")
    fileid = env.get(handle, "fileid").fileid
    equal("the second name's handle", env.lookup(env.home, b"two"), handle)
    equal("the second name's file id", env.get(env.lookup(env.home, b"two"), "fileid").fileid, fileid)
    that(other != handle, "two files have the same handle")
    that(env.get(other, "fileid").fileid != fileid, "two files have the same file id")


@test("LOOK40-1", "v40 lookup names", cites=[
    ("RFC 7530 16.13.4", "LOOKUP evaluates the component and if the object exists the current filehandle is replaced "
                         "with the component's filehandle.")])
def look_up_each_type(env):
    """LOOKUP of each type of object"""
    for name, kind in make_all_types(env).items():
        attrs = env.ok(PUTFH(env.home), LOOKUP(name), GETATTR(["type", "numlinks"]))["GETATTR"].attrs
        equal(f"{name}'s type", attrs.type, kind)
        that(attrs.numlinks == 1 or kind == NF4DIR, f"{name} has {attrs.numlinks} links")


@test("LOOK40-2", "v40 lookup names", cites=[
    ("RFC 7530 16.13.4", "If the component cannot be evaluated because either it does not exist or the client does not "
                         "have permission to evaluate it, then an error will be returned, and the current filehandle "
                         "will be unchanged.")])
def look_up_nothing(env):
    """LOOKUP of a name that isn't there"""
    env.new_file(b"name")
    for name in (b"nam", b"name2", b"NAME", b"name ", b"\xc3\xa4"):
        env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(name))


@test("LOOK40-3", "v40 lookup names", cites=[
    ("RFC 7530 16.13.4", "If the component is of zero length, NFS4ERR_INVAL will be returned.")])
def look_up_empty_name(env):
    """LOOKUP of a name of no bytes"""
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), LOOKUP(b""))


@test("LOOK40-4", "v40 lookup names", cites=[
    ("RFC 7530 13.1.7.3", "This is returned when the filename in an operation exceeds the server's implementation "
                          "limit.")])
def look_up_long_names(env):
    """LOOKUP of a name of 255 bytes, and of longer ones than maxname"""
    env.new_file(LONGEST, b"x")
    equal("its size", env.get(env.lookup(env.home, LONGEST), "size").size, 1)
    for length in (256, 1025, 5000):
        env.fails("NFS4ERR_NAMETOOLONG", PUTFH(env.home), LOOKUP(b"n" * length))


@test("LOOK40-5", "v40 lookup names", cites=[
    ("RFC 7530 5.8.2.15", "Maximum filename size supported for this object.")])
def longest_name_is_maxname(env):
    """Names up to maxname can be made, and one byte more is too long"""
    limit = env.get(env.home, "maxname").maxname
    that(0 < limit < 65536, f"maxname is {limit}")
    env.make(b"n" * limit, mode=0o755)
    env.fails("NFS4ERR_NAMETOOLONG", PUTFH(env.home), CREATE(Record(type=NF4DIR), b"n" * (limit + 1),
                                                             Record(mode=0o755)))


@test("LOOK40-6", "v40 lookup names", cites=[
    ("RFC 7530 16.13.5", "If the current filehandle supplied is not a directory but a symbolic link, NFS4ERR_SYMLINK "
                         "is returned as the error. For all other non-directory file types, the error NFS4ERR_NOTDIR "
                         "is returned.")])
def look_up_in_what_is_no_directory(env):
    """LOOKUP in each type of object"""
    for name, kind in make_all_types(env).items():
        if kind != NF4DIR:
            wanted = "NFS4ERR_SYMLINK" if kind == NF4LNK else "NFS4ERR_NOTDIR"
            env.fails(wanted, PUTFH(env.home), LOOKUP(name), LOOKUP(b"x"))


@test("LOOK40-7", "v40 lookup names dots", cites=[
    ("RFC 7530 16.13.5", "NFSv4 assigns no special semantics to these names. The LOOKUPP operator must be used to look "
                         "up a parent directory.")])
def look_up_dots(env):
    """LOOKUP of . and .. doesn't find directories"""
    directory = env.make(b"dir", mode=0o755)
    for name in (b".", b".."):
        env.fails("NFS4ERR_NOENT NFS4ERR_BADNAME", PUTFH(directory), LOOKUP(name))


@test("LOOK40-8", "v40 lookup perms", cites=[
    ("RFC 7530 13.1.6.1", "This indicates permission denied. The caller does not have the correct permission to "
                          "perform the requested operation.")])
def look_up_without_permission(env):
    """LOOKUP by a user who may not search the directory"""
    directory = env.make(b"dir", mode=0o700)
    env.new_file(b"file", directory=directory)
    env.ok(PUTFH(directory), LOOKUP(b"file"))
    env.fails("NFS4ERR_ACCESS", PUTFH(directory), LOOKUP(b"file"), credential=USER)
    env.set(directory, mode=0o711)
    env.ok(PUTFH(directory), LOOKUP(b"file"), credential=USER)


@test("LOOK40-9", "v40 lookup names", cites=[
    ("RFC 7530 13.1.7", "When they are not valid UTF-8, the error NFS4ERR_INVAL also results, but servers may "
                        "accommodate file systems with different character formats and not return this error.")])
def look_up_odd_bytes(env):
    """LOOKUP of bytes that aren't UTF-8, and of a name with a slash"""
    for name in (b"\xff\xfe", b"\xc3", b"a\x80b", b"\xed\xa0\x80"):
        env.fails("NFS4ERR_INVAL NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(name))
    env.make(b"a", mode=0o755)
    env.new_file(b"b", directory=env.lookup(env.home, b"a"))
    env.fails("NFS4ERR_NOENT NFS4ERR_BADCHAR NFS4ERR_BADNAME NFS4ERR_INVAL", PUTFH(env.home), LOOKUP(b"a/b"))


@test("LKPP40-1", "v40 lookupp handles", cites=[
    ("RFC 7530 16.14.4", "LOOKUPP assigns the filehandle for its parent directory to be the current filehandle.")])
def parent(env):
    """LOOKUPP leads back, step by step"""
    one = env.make(b"one", mode=0o755)
    two = env.make(b"two", directory=one, mode=0o755)
    reply = env.ok(PUTFH(two), LOOKUPP(), GETFH(), LOOKUPP(), GETFH(), LOOKUPP(), GETFH())
    equal("the handles", [reply[2].object, reply[4].object, reply[6].object], [one, env.home, env.base])


@test("LKPP40-2", "v40 lookupp handles", cites=[
    ("RFC 7530 16.14.4", "NFS4ERR_NOENT will be returned by the server when the current filehandle is at the root or "
                         "top of the server's file tree.")])
def parent_of_root(env):
    """LOOKUPP at the root"""
    env.fails("NFS4ERR_NOENT", PUTROOTFH(), LOOKUPP())


@test("LKPP40-3", "v40 lookupp handles", cites=[
    ("RFC 7530 16.14.5", "If the current filehandle is not a directory or named attribute directory, the error "
                         "NFS4ERR_NOTDIR is returned.")])
def parent_of_what_is_no_directory(env):
    """LOOKUPP at other types than directories"""
    for name, kind in make_all_types(env).items():
        if kind != NF4DIR:
            wanted = "NFS4ERR_NOTDIR NFS4ERR_SYMLINK" if kind == NF4LNK else "NFS4ERR_NOTDIR"
            env.fails(wanted, PUTFH(env.home), LOOKUP(name), LOOKUPP())


@test("LKPP40-4", "v40 lookupp handles", cites=[
    ("RFC 7530 16.14.5", "As for LOOKUP, LOOKUPP will also cross mount points."),
    ("RFC 7530 16.13.5", "The client can detect a mount point crossing by comparing the fsid attribute of the "
                         "directory with the fsid attribute of the directory looked up.")])
def parent_of_the_export(env):
    """LOOKUPP crosses from the export to the server's root, whose fsid is another"""
    parts = [part.encode() for part in env.target.export.split("/") if part]
    export = env.lookup(None, *parts)
    reply = env.ok(PUTFH(export), GETATTR(["fsid"]), *[LOOKUPP() for _ in parts], GETFH(), GETATTR(["fsid"]))
    root_handle = env.ok(PUTROOTFH(), GETFH())["GETFH"].object
    equal("the handle above the export", reply["GETFH"].object, root_handle)
    that(reply[1].attrs.fsid != reply["GETATTR"].attrs.fsid, "the export has the fsid of the server's root")
