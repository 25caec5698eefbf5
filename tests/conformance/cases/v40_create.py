# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_create.py -- CREATE and READLINK
"""Tests of NFS v4.0: making objects other than regular files."""

from nfs4 import CREATE, GETATTR, GETFH, LOOKUP, NVERIFY, PUTFH, READLINK
from nfs4attr import NF4ATTRDIR, NF4BLK, NF4CHR, NF4DIR, NF4FIFO, NF4LNK, NF4NAMEDATTR, NF4REG, NF4SOCK
from rpc import Credential
from suite import equal, test, that
from xdr import Record

from .v40_lookup import make_all_types

USER = Credential(1000, 1000)
DIRECTORY = Record(type=NF4DIR)
DEVICE = Record(major=11, minor=300)
MODE = Record(mode=0o750)
CREATES = ("RFC 7530 16.4.4", "The objname specifies the name for the new object. The objtype determines the type of "
                              "object to be created: directory, symlink, etc.")
ODD_NAMES = (b" ", b"-", b"a b", b"name\n", b"*?[", b"~", b"$HOME", b"\\", b"...", b".hidden",
             "\u00e4\u20ac\U0001f600".encode(),
             b"a:b", b'"', b"con", b"tilde~1", b"\x01\x7f", b"=+,;", b"%00")


def create_one(env, objtype, name):
    """CREATE with checks on the object and on its directory; returns the attributes."""
    before = env.get(env.home, "change").change
    reply = env.ok(PUTFH(env.home), CREATE(objtype, name, MODE), GETFH(), GETATTR(["type", "mode", "owner", "rawdev",
                                                                                   "size",
                                                                                  "numlinks", "fileid"]))
    res = reply["CREATE"]
    equal("what was set", res.attrset, {"mode"})
    equal("the directory's change before", res.cinfo.before, before)
    equal("the directory's change after", res.cinfo.after, env.get(env.home, "change").change)
    that(res.cinfo.after != before, "the directory's change stays the same")
    equal("the handle by name", env.lookup(env.home, name), reply["GETFH"].object)
    attrs = reply["GETATTR"].attrs
    equal("type and owner", (attrs.type, attrs.owner), (objtype.type, b"0"))
    return attrs


TYPES = (("a directory", DIRECTORY), ("a symlink", Record(type=NF4LNK, linkdata=b"some/target")),
         ("a block device", Record(type=NF4BLK, devdata=DEVICE)), ("a character device", Record(type=NF4CHR,
                                                                                                devdata=DEVICE)),
         ("a socket", Record(type=NF4SOCK)), ("a fifo", Record(type=NF4FIFO)))


def register_create(number, title, objtype):
    def create_type(env):
        attrs = create_one(env, objtype, b"new")
        if objtype.type != NF4LNK:
            equal("mode", attrs.mode, 0o750)
        if objtype.type in (NF4BLK, NF4CHR):
            equal("device", attrs.rawdev, DEVICE)
        if objtype.type == NF4LNK:
            equal("size", attrs.size, len(objtype.linkdata))
        if objtype.type != NF4DIR:
            equal("links", attrs.numlinks, 1)
        env.fails("NFS4ERR_EXIST", PUTFH(env.home), CREATE(objtype, b"new", MODE))
    create_type.__doc__ = f"CREATE of {title}"
    test(f"CRE40-{number}", f"v40 create {title.split()[-1]}", cites=[CREATES, (
        "RFC 7530 16.4.4", "The current filehandle is replaced by that of the new object.")])(create_type)


for index, (what, kind) in enumerate(TYPES, 1):
    register_create(index, what, kind)


@test("CRE40-7", "v40 create", cites=[
    ("RFC 7530 13.1.4.1", "This may be because the type is undefined; because it is a type not supported by the "
                          "server; or because it is a type for which create is not intended, such as a regular file or "
                          "named attribute, for which OPEN is used to do the file creation.")])
def bad_types(env):
    """CREATE of regular files, named attributes, and of types that don't exist"""
    for number in (NF4REG, NF4ATTRDIR, NF4NAMEDATTR):
        env.fails("NFS4ERR_BADTYPE", PUTFH(env.home), CREATE(Record(type=number), b"new", MODE))
    for number in (0, 10, 1000):
        env.fails("NFS4ERR_BADTYPE NFS4ERR_BADXDR", PUTFH(env.home), CREATE(Record(type=number), b"new", MODE))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(b"new"))


@test("CRE40-8", "v40 create", cites=[
    ("RFC 7530 16.4.4", "If an object of the same name already exists in the directory, the server will return the "
                        "error NFS4ERR_EXIST.")])
def existing(env):
    """CREATE of a directory and a symlink over each type of object"""
    for name in make_all_types(env):
        for objtype in (DIRECTORY, Record(type=NF4LNK, linkdata=b"x")):
            env.fails("NFS4ERR_EXIST", PUTFH(env.home), CREATE(objtype, name, MODE))


@test("CRE40-9", "v40 create names", cites=[
    ("RFC 7530 16.4.4", "If the objname is of zero length, NFS4ERR_INVAL will be returned.")])
def empty_name(env):
    """CREATE of a name of no bytes"""
    for objtype in (kind for _, kind in TYPES):
        env.fails("NFS4ERR_INVAL", PUTFH(env.home), CREATE(objtype, b"", MODE))


@test("CRE40-10", "v40 create names dots", cites=[
    ("RFC 7530 13.1.7.2", "An example might be creating a file or directory named \"..\" on a server whose file system "
                          "uses that name for links to parent directories.")])
def dots(env):
    """CREATE of . and .."""
    for name in (b".", b".."):
        env.fails("NFS4ERR_BADNAME", PUTFH(env.home), CREATE(DIRECTORY, name, MODE))


@test("CRE40-11", "v40 create names", cites=[
    ("RFC 7530 13.1.7.3", "This is returned when the filename in an operation exceeds the server's implementation "
                          "limit.")])
def long_names(env):
    """CREATE of names of 255 bytes and more"""
    for number, objtype in enumerate(kind for _, kind in TYPES):
        name = b"%d" % number + b"n" * 254
        env.ok(PUTFH(env.home), CREATE(objtype, name, MODE))
        env.fails("NFS4ERR_NAMETOOLONG", PUTFH(env.home), CREATE(objtype, name + b"n", MODE))
        env.fails("NFS4ERR_NAMETOOLONG", PUTFH(env.home), CREATE(objtype, b"n" * 4096, MODE))


@test("CRE40-12", "v40 create names readdir", cites=[
    ("RFC 7530 16.4.4", "The objname is also subject to the normal UTF-8, character support, and name checks.")])
def odd_names(env):
    """CREATE of names with blanks, control characters, wildcards, other scripts; READDIR has them as they are"""
    for name in ODD_NAMES:
        env.make(name, mode=0o755)
        env.lookup(env.home, name)
    equal("the names", sorted(entry.name for entry in env.list(env.home)), sorted(ODD_NAMES))


@test("CRE40-13", "v40 create names", cites=[
    ("RFC 7530 13.1.7", "When they are not valid UTF-8, the error NFS4ERR_INVAL also results, but servers may "
                        "accommodate file systems with different character formats and not return this error.")])
def names_that_are_not_utf8(env):
    """CREATE of bytes that aren't UTF-8 is refused, or they come back"""
    made = []
    for name in (b"\xff\xfe", b"\xc3", b"a\x80b", b"\xe2\x82", b"\xc0\xaf"):
        reply = env.compound(PUTFH(env.home), CREATE(DIRECTORY, name, MODE))
        reply.expect("NFS4_OK", "NFS4ERR_INVAL", "NFS4ERR_BADCHAR")
        made += [] if reply.status else [name]
    equal("the names", sorted(entry.name for entry in env.list(env.home)), sorted(made))


@test("CRE40-14", "v40 create names", cites=[
    ("RFC 7530 13.1.7.1", "A UTF-8 string contains a character that is not supported by the server in the context in "
                          "which it is being used.")])
def slash(env):
    """CREATE of names with a slash"""
    for name in (b"a/b", b"/", b"/etc", b"a/"):
        env.fails("NFS4ERR_BADCHAR NFS4ERR_BADNAME NFS4ERR_INVAL", PUTFH(env.home), CREATE(DIRECTORY, name, MODE))
    equal("the names", [entry.name for entry in env.list(env.home)], [])


@test("CRE40-19", "v40 create names", cites=[
    ("RFC 7530 13.1.7.1", "A UTF-8 string contains a character that is not supported by the server in the context in "
                          "which it is being used.")])
def zero_bytes(env):
    """CREATE of names with a zero byte, which a POSIX file system can't hold"""
    for name in (b"a\0b", b"a\0", b"\0"):
        env.fails("NFS4ERR_BADCHAR NFS4ERR_BADNAME NFS4ERR_INVAL", PUTFH(env.home), CREATE(DIRECTORY, name, MODE))
    equal("the names", [entry.name for entry in env.list(env.home)], [])


@test("CRE40-15", "v40 create", cites=[
    ("RFC 7530 13.1.2.6", "The current (or saved) filehandle designates an object that is not a directory for an "
                          "operation in which a directory is required.")])
def create_in_what_is_no_directory(env):
    """CREATE in each type of object"""
    for name, kind in make_all_types(env).items():
        if kind != NF4DIR:
            wanted = "NFS4ERR_NOTDIR NFS4ERR_SYMLINK" if kind == NF4LNK else "NFS4ERR_NOTDIR"
            env.fails(wanted, PUTFH(env.home), LOOKUP(name), CREATE(DIRECTORY, b"new", MODE))


@test("CRE40-16", "v40 create perms", cites=[
    ("RFC 7530 13.1.6.1", "The caller does not have the correct permission to perform the requested operation."),
    ("RFC 7530 16.4.4", "the server MUST derive the owner (or the owner ACE). This would typically be from the "
                        "principal indicated in the RPC credentials of the call")])
def permissions(env):
    """CREATE by a user, where it may and where it may not"""
    closed = env.make(b"closed", mode=0o755)
    env.fails("NFS4ERR_ACCESS", PUTFH(closed), CREATE(DIRECTORY, b"new", MODE), credential=USER)
    reply = env.ok(PUTFH(env.home), CREATE(DIRECTORY, b"mine", MODE), GETATTR(["owner", "owner_group", "mode"]),
                   credential=USER)
    equal("owner, group, mode", reply["GETATTR"].attrs, Record(owner=b"1000", owner_group=b"1000", mode=0o750))
    env.fails("NFS4ERR_PERM", PUTFH(env.home), CREATE(Record(type=NF4BLK, devdata=DEVICE), b"dev", MODE),
              credential=USER)


@test("CRE40-17", "v40 create attrs", cites=[
    ("RFC 7530 16.4.4", "When the operation is successful, the server will return to the client an attribute mask "
                        "signifying which attributes were successfully set for the object.")])
def initial_attributes(env):
    """CREATE with mode, owner, group; with none"""
    wanted = Record(mode=0o711, owner=b"1000", owner_group=b"1001")
    reply = env.ok(PUTFH(env.home), CREATE(DIRECTORY, b"new", wanted), GETATTR(["mode", "owner", "owner_group"]))
    equal("what was set", reply["CREATE"].attrset, {"mode", "owner", "owner_group"})
    equal("attributes", reply["GETATTR"].attrs, wanted)
    equal("what was set of nothing", env.ok(PUTFH(env.home), CREATE(DIRECTORY, b"other"))["CREATE"].attrset,
          frozenset())


@test("CRE40-18", "v40 create attrs", cites=[
    ("RFC 7530 13.1.11.1", "An attribute specified is not supported by the server."),
    ("RFC 7530 5.5", "If a client attempts to set a get-only attribute or get a set-only attribute, the server MUST "
                     "return NFS4ERR_INVAL.")])
def bad_attributes(env):
    """CREATE with attributes that aren't supported, or can't be set"""
    held = env.get(env.home, "supported_attrs").supported_attrs
    wanted = "NFS4_OK" if "hidden" in held else "NFS4ERR_ATTRNOTSUPP"
    env.fails(wanted, PUTFH(env.home), CREATE(DIRECTORY, b"new", Record(hidden=True)))
    for wrong in (Record(fileid=5), Record(numlinks=2), Record(mode=0o700, mounted_on_fileid=5)):
        env.fails("NFS4ERR_INVAL", PUTFH(env.home), CREATE(DIRECTORY, b"other", wrong))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(b"other"))


# --- symbolic links ------------------------------------------------------------------------------------

OPAQUE_LINK = ("RFC 7530 16.25.4", "whether created by an NFS client or created locally on the server, the data in a "
                                   "symbolic link is not interpreted when created but is simply stored")


@test("LINK40-S1", "v40 create readlink symlink", cites=[OPAQUE_LINK])
def targets(env):
    """Symlinks to targets of many kinds"""
    targets_ = (b"x", b"/", b"/abs/path", b"../..", b"a//b/", b" ", b"\n", b"%s", "\u00e4".encode(), b"t" * 1000, b".",
                b"nfs://host/x", b"-rf")
    for number, target in enumerate(targets_):
        handle = env.make(b"l%d" % number, NF4LNK, type_fields={"linkdata": target})
        equal("target", env.ok(PUTFH(handle), READLINK())["READLINK"].link, target)
        equal("size", env.get(handle, "size").size, len(target))


@test("LINK40-S2", "v40 create readlink symlink", cites=[OPAQUE_LINK])
def targets_that_are_not_utf8(env):
    """Symlinks to bytes that aren't UTF-8 are refused, or come back"""
    for number, target in enumerate((b"\xff", b"a\xc3")):
        reply = env.compound(PUTFH(env.home), CREATE(Record(type=NF4LNK, linkdata=target), b"l%d" % number), READLINK())
        reply.expect("NFS4_OK", "NFS4ERR_INVAL", "NFS4ERR_BADCHAR")
        if not reply.status:
            equal("target", reply["READLINK"].link, target)


@test("LINK40-S3", "v40 create readlink symlink", cites=[
    ("RFC 7530 13.1.1.4", "The arguments for this operation are not valid for some reason, even though they do match "
                          "those specified in the XDR definition for the "
                          "request."), ("RFC 7530 13.1.7.3", "exceeds the server's implementation limit")])
def bad_targets(env):
    """Symlinks to nothing, and to what is too long for any path"""
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), CREATE(Record(type=NF4LNK, linkdata=b""), b"empty"))
    env.fails("NFS4ERR_NAMETOOLONG NFS4ERR_INVAL", PUTFH(env.home), CREATE(Record(type=NF4LNK, linkdata=b"t" * 4097),
                                                                           b"long"))
    equal("the names", [entry.name for entry in env.list(env.home)], [])


@test("RDLK40-1", "v40 readlink symlink", cites=[
    ("RFC 7530 16.25.5", "The server should return the error NFS4ERR_INVAL if the object is not of type NF4LNK.")])
def readlink_of_other_types(env):
    """READLINK of each type of object"""
    for name, kind in make_all_types(env).items():
        reply = env.compound(PUTFH(env.home), LOOKUP(name), READLINK())
        reply.expect("NFS4_OK" if kind == NF4LNK else "NFS4ERR_INVAL")
    env.fails("NFS4ERR_SAME", PUTFH(env.home), NVERIFY(Record(type=NF4DIR)))
