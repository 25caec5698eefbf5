# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_rename.py -- LINK, RENAME, REMOVE, SECINFO, OPENATTR
"""Tests of NFS v4.0: names of objects that exist."""

from nfs4 import GETATTR, GETFH, LINK, LOOKUP, OPENATTR, PUTFH, PUTROOTFH, READDIR, REMOVE, RENAME, SAVEFH, SECINFO
from nfs4attr import NF4DIR, NF4LNK
from rpc import Credential
from suite import equal, test, that

from .v40_lookup import make_all_types

USER = Credential(1000, 1000)
LONG = b"n" * 256
NOTDIR = ("RFC 7530 13.1.2.6", "The current (or saved) filehandle designates an object that is not a directory for an "
                               "operation in which a directory is required.")
TOO_LONG = ("RFC 7530 13.1.7.3", "This is returned when the filename in an operation exceeds the server's "
                                 "implementation limit.")
DENIED = ("RFC 7530 13.1.6.1", "The caller does not have the correct permission to perform the requested operation.")
DOTS = ("RFC 7530 13.1.7.2", "A name string in a request consisted of valid UTF-8 characters supported by the server, "
                             "but the name is not supported by the server as a valid name for current operation.")


def names(env, handle=None):
    return sorted(entry.name for entry in env.list(env.home if handle is None else handle))


def link(source, directory, name):
    """The operations that link."""
    return PUTFH(source), SAVEFH(), PUTFH(directory), LINK(name)


def rename(source, old, target, new):
    """The operations that rename."""
    return PUTFH(source), SAVEFH(), PUTFH(target), RENAME(old, new)


# --- LINK ----------------------------------------------------------------------------------------------


@test("LINK40-1", "v40 link", cites=[
    ("RFC 7530 16.9.5", "When a link is made to a file, the attributes for the file should have a value for numlinks "
                        "that is one greater than the value before the LINK operation.")])
def make_link(env):
    """LINK counts; change info; the current filehandle stays the directory"""
    handle, directory = env.new_file(b"file", b"data"), env.make(b"dir", mode=0o755)
    before = env.get(directory, "change").change
    reply = env.ok(*link(handle, directory, b"second"), GETFH())
    equal("the current filehandle", reply["GETFH"].object, directory)
    cinfo = reply["LINK"].cinfo
    equal("change info", (cinfo.before, cinfo.after), (before, env.get(directory, "change").change))
    that(cinfo.after != before, "the directory's change stays the same")
    equal("numlinks", env.get(handle, "numlinks").numlinks, 2)
    equal("the handle behind the new name", env.lookup(directory, b"second"), handle)
    env.ok(PUTFH(env.home), REMOVE(b"file"))
    equal("numlinks", env.get(handle, "numlinks").numlinks, 1)
    equal("the data", env.read(handle), (b"data", True))


@test("LINK40-2", "v40 link", cites=[
    ("RFC 7530 16.9.4", "If an object exists in the target directory with the same name as newname, the server must "
                        "return NFS4ERR_EXIST.")])
def link_to_existing(env):
    """LINK to names that exist, of each type, and to the file's own"""
    handle = env.new_file(b"file", b"data")
    for name in make_all_types(env):
        env.fails("NFS4ERR_EXIST", *link(handle, env.home, name))
    env.fails("NFS4ERR_EXIST", *link(handle, env.home, b"file"))
    equal("numlinks", env.get(handle, "numlinks").numlinks, 1)


@test("LINK40-3", "v40 link", cites=[
    ("RFC 7530 13.1.2.3", "The current or saved filehandle designates a directory when the current operation does not "
                          "allow a directory to be accepted as the target of this operation.")])
def link_of_a_directory(env):
    """LINK of a directory"""
    env.fails("NFS4ERR_ISDIR", *link(env.make(b"dir", mode=0o755), env.home, b"second"))
    equal("the names", names(env), [b"dir"])


@test("LINK40-4", "v40 link names", cites=[
    ("RFC 7530 16.9.4", "If newname has a length of 0 (zero), or if newname does not obey the UTF-8 definition, the "
                        "error NFS4ERR_INVAL will be returned."), TOO_LONG])
def link_to_bad_names(env):
    """LINK to a name of no bytes, and to one of 256"""
    handle = env.new_file(b"file")
    env.fails("NFS4ERR_INVAL", *link(handle, env.home, b""))
    env.fails("NFS4ERR_NAMETOOLONG", *link(handle, env.home, LONG))
    env.ok(*link(handle, env.home, LONG[:255]))


@test("LINK40-5", "v40 link", cites=[NOTDIR])
def link_in_what_is_no_directory(env):
    """LINK with another type of object as the directory"""
    handle = env.new_file(b"file")
    for name, kind in make_all_types(env).items():
        if kind not in (NF4DIR, NF4LNK):
            env.fails("NFS4ERR_NOTDIR", *link(handle, env.lookup(env.home, name), b"second"))


@test("LINK40-6", "v40 link", cites=[
    ("RFC 7530 16.9.4", "The LINK operation creates an additional newname for the file represented by the saved "
                        "filehandle, as set by the SAVEFH operation, in the directory represented by the current "
                        "filehandle.")])
def link_of_other_types(env):
    """LINK of symlinks, devices, sockets, fifos"""
    for name, kind in make_all_types(env).items():
        if kind != NF4DIR:
            handle = env.lookup(env.home, name)
            env.ok(*link(handle, env.home, b"second " + name))
            attrs = env.get(env.lookup(env.home, b"second " + name), "type", "numlinks", "filehandle")
            equal("type, links, handle", (attrs.type, attrs.numlinks, attrs.filehandle), (kind, 2, handle))


@test("LINK40-7", "v40 link dots names", cites=[
    ("RFC 7530 16.9.5", "On some servers, \".\" and \"..\" are illegal values for newname, and the error "
                        "NFS4ERR_BADNAME will be returned if they are specified.")])
def link_to_dots(env):
    """LINK to . and .."""
    handle = env.new_file(b"file")
    for name in (b".", b".."):
        env.fails("NFS4ERR_BADNAME", *link(handle, env.home, name))


@test("LINK40-8", "v40 link perms", cites=[DENIED])
def link_without_permission(env):
    """LINK by a user who may not write the directory"""
    handle, directory = env.new_file(b"file", mode=0o666), env.make(b"dir", mode=0o755)
    env.fails("NFS4ERR_ACCESS", *link(handle, directory, b"second"), credential=USER)


@test("LINK40-9", "v40 link", cites=[
    ("RFC 7530 16.9.5", "If they reside on different file systems, the error NFS4ERR_XDEV is returned.")])
def link_across_file_systems(env):
    """LINK of a file into the server's root"""
    handle = env.new_file(b"file")
    env.fails("NFS4ERR_XDEV NFS4ERR_ROFS NFS4ERR_ACCESS", PUTFH(handle), SAVEFH(), PUTROOTFH(), LINK(b"second"))


# --- RENAME --------------------------------------------------------------------------------------------


@test("RENM40-1", "v40 rename", cites=[
    ("RFC 7530 16.27.4", "The RENAME operation renames the object identified by oldname in the source directory "
                         "corresponding to the saved filehandle, as set by the SAVEFH operation, to newname in the "
                         "target directory corresponding to the current filehandle."),
    ("RFC 7530 16.27.4", "On success, the current filehandle will continue to be the target directory.")])
def rename_each_type(env):
    """RENAME of each type of object to another directory; change info, handles"""
    directory = env.make(b"target", mode=0o755)
    for name, kind in make_all_types(env).items():
        handle = env.lookup(env.home, name)
        before = env.get(env.home, "change").change, env.get(directory, "change").change
        reply = env.ok(*rename(env.home, name, directory, b"new " + name), GETFH())
        after = env.get(env.home, "change").change, env.get(directory, "change").change
        source, target = reply["RENAME"].source_cinfo, reply["RENAME"].target_cinfo
        equal("change info before", (source.before, target.before), before)
        equal("change info after", (source.after, target.after), after)
        equal("the current filehandle", reply["GETFH"].object, directory)
        equal("the handle behind the new name", env.lookup(directory, b"new " + name), handle)
        equal("the type", env.get(handle, "type").type, kind)
        env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(name))
    equal("the names", names(env), [b"target"])


@test("RENM40-2", "v40 rename", cites=[
    ("RFC 7530 16.27.4", "If compatible, the existing target is removed before the rename occurs")])
def rename_over_existing(env):
    """RENAME of a file over a file and a symlink, of a directory over an empty one"""
    handle = env.new_file(b"file", b"data")
    gone = env.new_file(b"old file", b"old")
    env.make(b"link", NF4LNK, type_fields={"linkdata": b"x"})
    env.ok(*rename(env.home, b"file", env.home, b"old file"))
    equal("the handle", env.lookup(env.home, b"old file"), handle)
    env.compound(PUTFH(gone), GETATTR(["type"])).expect("NFS4ERR_STALE")
    env.ok(*rename(env.home, b"old file", env.home, b"link"))
    directory = env.make(b"dir", mode=0o755)
    env.make(b"empty", mode=0o755)
    env.ok(*rename(env.home, b"dir", env.home, b"empty"))
    equal("the handle", env.lookup(env.home, b"empty"), directory)
    equal("the names", names(env), [b"empty", b"link"])
    equal("the data", env.read(env.lookup(env.home, b"link")), (b"data", True))


@test("RENM40-3", "v40 rename", cites=[
    ("RFC 7530 16.27.4", "If they are not compatible or if the target is a directory but not empty, the server will "
                         "return the error NFS4ERR_EXIST.")])
def rename_over_incompatible(env):
    """RENAME of a file over a directory, and the other way round"""
    env.new_file(b"file")
    env.make(b"dir", mode=0o755)
    env.fails("NFS4ERR_EXIST", *rename(env.home, b"file", env.home, b"dir"))
    env.fails("NFS4ERR_EXIST", *rename(env.home, b"dir", env.home, b"file"))
    equal("the names", names(env), [b"dir", b"file"])


@test("RENM40-4", "v40 rename", cites=[
    ("RFC 7530 16.27.4", "if the target is a directory but not empty, the server will return the error NFS4ERR_EXIST"),
    ("RFC 7530 13.1.4.10", "An attempt was made to remove a directory that was not empty.")])
def rename_over_full_directory(env):
    """RENAME of a directory over one that isn't empty"""
    full = env.make(b"full", mode=0o755)
    env.new_file(b"file", directory=full)
    env.make(b"dir", mode=0o755)
    env.fails("NFS4ERR_EXIST NFS4ERR_NOTEMPTY", *rename(env.home, b"dir", env.home, b"full"))
    equal("the names", names(env) + names(env, full), [b"dir", b"full", b"file"])


@test("RENM40-5", "v40 rename", cites=[
    ("RFC 7530 13.1.4.8", "The file system object referenced by the name specified does not exist.")])
def rename_of_nothing(env):
    """RENAME of a name that isn't there, also over one that is"""
    env.new_file(b"file")
    env.fails("NFS4ERR_NOENT", *rename(env.home, b"nothing", env.home, b"new"))
    env.fails("NFS4ERR_NOENT", *rename(env.home, b"nothing", env.home, b"file"))
    env.fails("NFS4ERR_NOENT", *rename(env.home, b"nothing", env.home, b"nothing"))
    equal("the names", names(env), [b"file"])


@test("RENM40-6", "v40 rename link", cites=[
    ("RFC 7530 16.27.4", "If oldname and newname both refer to the same file (they might be hard links of each other), "
                         "then RENAME should perform no action and return success.")])
def rename_to_itself(env):
    """RENAME of a name to itself, and to another name of the same file"""
    handle = env.new_file(b"one", b"data")
    env.ok(*link(handle, env.home, b"two"))
    before = env.get(env.home, "change").change
    env.ok(*rename(env.home, b"one", env.home, b"one"))
    env.ok(*rename(env.home, b"one", env.home, b"two"))
    equal("the directory's change", env.get(env.home, "change").change, before)
    equal("the names", names(env), [b"one", b"two"])
    equal("numlinks", env.get(handle, "numlinks").numlinks, 2)


@test("RENM40-7", "v40 rename names", cites=[
    ("RFC 7530 16.27.4", "If the oldname or newname is of zero length, NFS4ERR_INVAL will be returned."), TOO_LONG])
def rename_with_bad_names(env):
    """RENAME from and to names of no bytes and of 256"""
    env.new_file(b"file")
    for old, new in ((b"", b"new"), (b"file", b""), (b"", b"")):
        env.fails("NFS4ERR_INVAL", *rename(env.home, old, env.home, new))
    env.fails("NFS4ERR_NAMETOOLONG", *rename(env.home, b"file", env.home, LONG))
    env.fails("NFS4ERR_NAMETOOLONG NFS4ERR_NOENT", *rename(env.home, LONG, env.home, b"new"))
    env.ok(*rename(env.home, b"file", env.home, LONG[:255]))
    equal("the names", names(env), [LONG[:255]])


@test("RENM40-8", "v40 rename names dots", cites=[
    ("RFC 7530 16.27.5", "On some servers, the filenames \".\" and \"..\" are illegal as either oldname or newname and "
                         "will result in the error NFS4ERR_BADNAME.")])
def rename_with_dots(env):
    """RENAME from and to . and .."""
    env.make(b"dir", mode=0o755)
    for dots in (b".", b".."):
        env.fails("NFS4ERR_BADNAME NFS4ERR_INVAL", *rename(env.home, dots, env.home, b"new"))
        env.fails("NFS4ERR_BADNAME NFS4ERR_INVAL", *rename(env.home, b"dir", env.home, dots))
    equal("the names", names(env), [b"dir"])


@test("RENM40-9", "v40 rename", cites=[
    ("RFC 7530 16.27.5", "If either of the source or target filehandles are not directories, the server will return "
     "NFS4ERR_NOTDIR.")])
def rename_in_what_is_no_directory(env):
    """RENAME with a file as source or target directory"""
    handle = env.new_file(b"file")
    env.fails("NFS4ERR_NOTDIR", *rename(handle, b"file", env.home, b"new"))
    env.fails("NFS4ERR_NOTDIR", *rename(env.home, b"file", handle, b"new"))
    equal("the names", names(env), [b"file"])


@test("RENM40-10", "v40 rename", cites=[
    ("RFC 7530 13.1.1.4", "The arguments for this operation are not valid for some reason, even though they do match "
                          "those specified in the XDR definition for the request.")])
def rename_into_itself(env):
    """RENAME of a directory into itself and into one below it"""
    one = env.make(b"one", mode=0o755)
    two = env.make(b"two", directory=one, mode=0o755)
    env.fails("NFS4ERR_INVAL", *rename(env.home, b"one", one, b"new"))
    env.fails("NFS4ERR_INVAL", *rename(env.home, b"one", two, b"new"))
    equal("the names", names(env) + names(env, one) + names(env, two), [b"one", b"two"])


@test("RENM40-11", "v40 rename perms", cites=[DENIED])
def rename_without_permission(env):
    """RENAME by a user who may not write one of the directories"""
    closed, opened = env.make(b"closed", mode=0o755), env.make(b"open", mode=0o777)
    env.new_file(b"file", directory=closed)
    env.new_file(b"file", directory=opened)
    env.fails("NFS4ERR_ACCESS", *rename(closed, b"file", opened, b"new"), credential=USER)
    env.fails("NFS4ERR_ACCESS", *rename(opened, b"file", closed, b"new"), credential=USER)
    env.ok(*rename(opened, b"file", opened, b"new"), credential=USER)


@test("RENM40-12", "v40 rename", cites=[
    ("RFC 7530 16.27.5", "If they reside on different file systems, the error NFS4ERR_XDEV is returned.")])
def rename_across_file_systems(env):
    """RENAME of a file into the server's root"""
    env.new_file(b"file")
    env.fails("NFS4ERR_XDEV NFS4ERR_ROFS NFS4ERR_ACCESS", PUTFH(env.home), SAVEFH(), PUTROOTFH(), RENAME(b"file",
                                                                                                         b"new"))
    equal("the names", names(env), [b"file"])


# --- REMOVE --------------------------------------------------------------------------------------------


@test("RMV40-1", "v40 remove", cites=[
    ("RFC 7530 16.26.5", "NFSv4 REMOVE can be used to delete any directory entry, independent of its file type.")])
def remove_each_type(env):
    """REMOVE of each type of object; change info"""
    for name in make_all_types(env):
        before = env.get(env.home, "change").change
        reply = env.ok(PUTFH(env.home), REMOVE(name), GETATTR(["change", "filehandle"]))
        cinfo = reply["REMOVE"].cinfo
        equal("change info", (cinfo.before, cinfo.after), (before, reply["GETATTR"].attrs.change))
        that(cinfo.after != before, "the directory's change stays the same")
        equal("the current filehandle", reply["GETATTR"].attrs.filehandle, env.home)
        env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(name))
        env.fails("NFS4ERR_NOENT", PUTFH(env.home), REMOVE(name))
    equal("the names", names(env), [])


@test("RMV40-2", "v40 remove", cites=[
    ("RFC 7530 13.1.4.10", "An attempt was made to remove a directory that was not empty.")])
def remove_full_directory(env):
    """REMOVE of a directory with something in it"""
    directory = env.make(b"dir", mode=0o755)
    env.new_file(b"file", directory=directory)
    env.fails("NFS4ERR_NOTEMPTY", PUTFH(env.home), REMOVE(b"dir"))
    env.ok(PUTFH(directory), REMOVE(b"file"))
    env.ok(PUTFH(env.home), REMOVE(b"dir"))


@test("RMV40-3", "v40 remove names", cites=[
    ("RFC 7530 16.26.4", "If the target is of zero length, NFS4ERR_INVAL will be returned."), TOO_LONG])
def remove_bad_names(env):
    """REMOVE of names of no bytes and of 256"""
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), REMOVE(b""))
    env.fails("NFS4ERR_NAMETOOLONG NFS4ERR_NOENT", PUTFH(env.home), REMOVE(LONG))


@test("RMV40-4", "v40 remove names dots", cites=[DOTS])
def remove_dots(env):
    """REMOVE of . and .."""
    directory = env.make(b"dir", mode=0o755)
    for name in (b".", b".."):
        env.fails("NFS4ERR_BADNAME NFS4ERR_INVAL", PUTFH(directory), REMOVE(name))
    equal("the names", names(env), [b"dir"])


@test("RMV40-5", "v40 remove", cites=[NOTDIR])
def remove_in_what_is_no_directory(env):
    """REMOVE with another type of object as the directory"""
    for name, kind in make_all_types(env).items():
        if kind not in (NF4DIR, NF4LNK):
            env.fails("NFS4ERR_NOTDIR", PUTFH(env.home), LOOKUP(name), REMOVE(b"x"))


@test("RMV40-6", "v40 remove perms", cites=[DENIED])
def remove_without_permission(env):
    """REMOVE by a user who may not write the directory, and in one with the sticky bit"""
    closed, sticky = env.make(b"closed", mode=0o755), env.make(b"sticky", mode=0o1777)
    env.new_file(b"file", directory=closed)
    env.new_file(b"file", directory=sticky)
    env.fails("NFS4ERR_ACCESS", PUTFH(closed), REMOVE(b"file"), credential=USER)
    env.fails("NFS4ERR_ACCESS NFS4ERR_PERM", PUTFH(sticky), REMOVE(b"file"), credential=USER)
    equal("the names", names(env, closed) + names(env, sticky), [b"file", b"file"])


@test("RMV40-7", "v40 remove open", cites=[
    ("RFC 7530 16.26.5", "If the file was not opened with OPEN4_SHARE_DENY_WRITE or OPEN4_SHARE_DENY_BOTH, the server "
                         "SHOULD delete the file's directory entry.")])
def remove_open_file(env):
    """REMOVE of a file that is open takes its name away at once"""
    opened = env.create_file(b"file", b"data")
    env.ok(PUTFH(env.home), REMOVE(b"file"))
    equal("the names", names(env), [])
    reply = env.compound(PUTFH(opened.handle), GETATTR(["numlinks", "size"]))
    reply.expect("NFS4_OK", "NFS4ERR_STALE")
    if not reply.status:
        equal("numlinks and size", (reply["GETATTR"].attrs.numlinks, reply["GETATTR"].attrs.size), (0, 4))


# --- SECINFO and OPENATTR ------------------------------------------------------------------------------


@test("SEC40-1", "v40 secinfo", cites=[
    ("RFC 7530 16.31.4", "The result will contain an array that represents the security mechanisms available, with an "
                         "order corresponding to the server's preferences, the most preferred being first in the "
                         "array."),
    ("RFC 7530 16.31.4", "On success, the current filehandle retains its value.")])
def secinfo(env):
    """SECINFO of a file and of a directory names AUTH_SYS, which this client uses"""
    env.new_file(b"file")
    env.make(b"dir", mode=0o755)
    for name in (b"file", b"dir"):
        reply = env.ok(PUTFH(env.home), SECINFO(name), GETFH())
        that(1 in [flavor.flavor for flavor in reply["SECINFO"].flavors], "AUTH_SYS isn't among the flavors")
        equal("the flavors' number", len({repr(flavor) for flavor in reply[1].flavors}), len(reply[1].flavors))
        equal("the current filehandle", reply["GETFH"].object, env.home)
    first, second = (env.ok(PUTFH(env.home), SECINFO(name))["SECINFO"].flavors for name in (b"file", b"dir"))
    equal("the flavors of the second", second, first)


@test("SEC40-2", "v40 secinfo names", cites=[
    ("RFC 7530 16.31.4", "If the name has a length of 0 (zero), or if the name does not obey the UTF-8 definition, the "
                         "error NFS4ERR_INVAL will be returned."), NOTDIR])
def secinfo_errors(env):
    """SECINFO of a name of no bytes, of nothing, in a file"""
    handle = env.new_file(b"file")
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), SECINFO(b""))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), SECINFO(b"nothing"))
    env.fails("NFS4ERR_NOTDIR", PUTFH(handle), SECINFO(b"x"))


@test("SEC40-3", "v40 secinfo perms", cites=[
    ("RFC 7530 16.31.4", "Therefore, if the requester does not have the appropriate access to perform a LOOKUP for the "
                         "name, then SECINFO must behave the same way and return NFS4ERR_ACCESS")])
def secinfo_without_permission(env):
    """SECINFO by a user who may not search the directory"""
    directory = env.make(b"dir", mode=0o700)
    env.new_file(b"file", directory=directory)
    env.fails("NFS4ERR_ACCESS", PUTFH(directory), SECINFO(b"file"), credential=USER)


@test("OPAT40-1", "v40 openattr", cites=[
    ("RFC 7530 16.17.5", "If the server does not support named attributes for the current filehandle, an error of "
                         "NFS4ERR_NOTSUPP will be returned to the client."),
    ("RFC 7530 16.17.4", "From this filehandle, READDIR and LOOKUP operations can be used to obtain filehandles for "
                         "the various named attributes associated with the original file system object.")])
def openattr(env):
    """OPENATTR isn't supported, or leads to an empty directory of named attributes"""
    handle = env.new_file(b"file")
    reply = env.compound(PUTFH(handle), OPENATTR(True), READDIR(0, bytes(8), 8192, 8192, []))
    reply.expect("NFS4_OK", "NFS4ERR_NOTSUPP")
    if not reply.status:
        equal("the named attributes", reply["READDIR"].entries, [])
