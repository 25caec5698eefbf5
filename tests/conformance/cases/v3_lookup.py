# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_lookup.py -- NULL, GETATTR and LOOKUP of NFS v3
from nfs3 import BLK, CHR, DIR, FIFO, LNK, REG, SOCK
from suite import equal, test, that

NULL = ("RFC 1813 3.3.0", "Procedure NULL does not do any work. It is made available to allow server response testing "
                          "and timing.")
GETATTR = ("RFC 1813 3.3.1", "Procedure GETATTR retrieves the attributes for a specified file system object.")
LOOKUP = ("RFC 1813 3.3.3", "Procedure LOOKUP searches a directory for a specific name and returns the file handle "
                            "for the corresponding file system object.")
NOENT = ("RFC 1813 2.6", "NFS3ERR_NOENT: No such file or directory. The file or directory name specified does not "
                         "exist.")
FATTR = "RFC 1813 2.5 fattr3"


@test("N3NULL1", "v3 null", cites=[NULL])
def null(env):
    "NULL answers nothing"
    equal("NULL's results", env.raw("NULL", b""), b"")


@test("N3GATT1", "v3 getattr", cites=[
    GETATTR,
    (FATTR, "Type is the type of the file. Size is the size of the file in bytes. Used is the number of bytes of "
     "disk space that the file actually uses."),
])
def attributes_of_file(env):
    "GETATTR of a regular file says what CREATE and WRITE said"
    handle = env.file(b"f", b"x" * 10000, 0o640, uid=1001, gid=1002)
    got = env.getattr(handle).attributes
    equal("type, mode, nlink", (got.type, got.mode, got.nlink), (REG, 0o640, 1))
    equal("uid, gid", (got.uid, got.gid), (1001, 1002))
    equal("size", got.size, 10000)
    equal("attributes asked again", env.getattr(handle).attributes, got)
    equal("attributes by LOOKUP", env.lookup(env.home, b"f").attributes, got)


@test("N3GATT2", "v3 getattr", cites=[
    GETATTR,
    (FATTR, "Nlink is the number of hard links to the file - that is, the number of different names for the same "
     "file."),
])
def attributes_of_directory(env):
    "GETATTR of a directory"
    handle = env.folder(b"d", 0o751, uid=1001, gid=1002)
    got = env.getattr(handle).attributes
    equal("type, mode", (got.type, got.mode), (DIR, 0o751))
    equal("uid, gid", (got.uid, got.gid), (1001, 1002))
    that(got.nlink in (1, 2), f"nlink of an empty directory is {got.nlink}")
    env.mkdir(handle, b"e")
    that(env.getattr(handle).attributes.nlink in (1, 3), "nlink of a directory in a directory")


@test("N3GATT3", "v3 getattr mknod", cites=[
    GETATTR,
    ("RFC 1813 2.5 ftype3", "The enumeration, ftype3, gives the type of a file."),
])
def attributes_of_each_type(env):
    "GETATTR tells all seven types, fileids that differ, one fsid"
    each = env.one_of_each()
    got = {kind: env.getattr(handle).attributes for kind, handle in each.items()}
    equal("types", {kind: one.type for kind, one in got.items()},
          {kind: kind for kind in (REG, DIR, BLK, CHR, LNK, SOCK, FIFO)})
    equal("fileids that differ", len({one.fileid for one in got.values()}), 7)
    equal("fsids", {one.fsid for one in got.values()}, {env.getattr(env.home).attributes.fsid})
    for kind in (BLK, CHR):
        equal("rdev", (got[kind].rdev.major, got[kind].rdev.minor), (1, 3))
    equal("handles that differ", len(set(each.values())), 7)


@test("N3GATT4", "v3 getattr times", cites=[
    (FATTR, "Ctime is the time when the attributes of the file were last changed. Writing to the file changes the "
     "ctime in addition to the mtime."),
])
def times(env):
    "Times of a new file are the server's present, and WRITE moves mtime and ctime"
    handle = env.file(b"f")
    made = env.getattr(handle).attributes
    that(abs(made.ctime.seconds - env.now()) < 24 * 3600, f"ctime is {made.ctime.seconds}")
    that(abs(made.mtime.seconds - env.now()) < 24 * 3600, f"mtime is {made.mtime.seconds}")
    that(abs(made.atime.seconds - env.now()) < 24 * 3600, f"atime is {made.atime.seconds}")
    env.sleep(0.02)
    written = env.write(handle, 0, b"1").wcc.after
    for name in ("mtime", "ctime"):
        old, new = getattr(made, name), getattr(written, name)
        that((new.seconds, new.nseconds) > (old.seconds, old.nseconds), f"{name} stays")
    equal("mtime against ctime", written.mtime, written.ctime)


@test("N3LOOK1", "v3 lookup", cites=[LOOKUP, NOENT])
def nothing(env):
    "LOOKUP of a name that isn't there, and of one that has gone"
    env.lookup(env.home, b"missing", want="NOENT")
    env.file(b"f")
    env.lookup(env.home, b"f")
    env.remove(env.home, b"f")
    env.lookup(env.home, b"f", want="NOENT")


@test("N3LOOK2", "v3 lookup", cites=[LOOKUP])
def each_type(env):
    "LOOKUP returns handles and attributes of objects of each type"
    each = env.one_of_each()
    for kind, name in ((REG, b"reg"), (DIR, b"dir"), (BLK, b"blk"), (CHR, b"chr"), (LNK, b"lnk"), (SOCK, b"sock"),
                       (FIFO, b"fifo")):
        found = env.lookup(env.home, name)
        equal(f"handle of {name!r}", found.handle, each[kind])
        equal(f"type of {name!r}", found.attributes.type, kind)
        equal("attributes", env.getattr(found.handle).attributes.fileid, found.attributes.fileid)


@test("N3LOOK3", "v3 lookup", cites=[
    ("RFC 1813 3.3.3", "Note that this procedure does not follow symbolic links. The client is responsible for all "
     "parsing of filenames including filenames that are modified by symbolic links."),
])
def through_symlink(env):
    "LOOKUP of a symbolic link is the link, also of a dangling one; LOOKUP in one fails"
    env.folder(b"d")
    link = env.symlink(env.home, b"l", b"d").handle
    dangling = env.symlink(env.home, b"m", b"nowhere").handle
    equal("handle", env.lookup(env.home, b"l").handle, link)
    equal("type", env.lookup(env.home, b"m").attributes.type, LNK)
    equal("handle", env.lookup(env.home, b"m").handle, dangling)
    env.lookup(link, b"x", want="NOTDIR")


@test("N3LOOK4", "v3 lookup names", cites=[
    ("RFC 1813 3.2", "A filename having the value of \".\" is assumed to be an alias for the current directory. The "
     "server should be able to handle such a filename correctly."),
])
def dot(env):
    "LOOKUP of . is the directory itself"
    sub = env.folder(b"d")
    found = env.lookup(sub, b".")
    equal("fileid", found.attributes.fileid, env.getattr(sub).attributes.fileid)
    equal("handle", found.handle, sub)


@test("N3LOOK5", "v3 lookup names", cites=[
    ("RFC 1813 3.2", "A filename having the value of \"..\" is assumed to be an alias for the parent of the current "
     "directory."),
])
def dotdot(env):
    "LOOKUP of .. is the parent, also after a RENAME to another one"
    first, second = env.folder(b"a"), env.folder(b"b")
    sub = env.mkdir(first, b"d").handle
    equal("handle", env.lookup(sub, b"..").handle, first)
    env.rename(first, b"d", second, b"d")
    equal("handle", env.lookup(sub, b"..").handle, second)


@test("N3LOOK6", "v3 lookup perms", cites=[
    ("RFC 1813 2.6", "NFS3ERR_ACCES: Permission denied. The caller does not have the correct permission to perform "
     "the requested operation."),
])
def forbidden(env):
    "LOOKUP needs search permission: read permission is not enough, and not needed"
    shut, blind = env.folder(b"shut", 0o744), env.folder(b"blind", 0o711)
    env.create(shut, b"f")
    made = env.create(blind, b"f").handle
    user = env.as_user(1001, 1001)
    user.lookup(shut, b"f", want="ACCES")
    user.lookup(shut, b"missing", want="ACCES")
    equal("handle", user.lookup(blind, b"f").handle, made)


@test("N3LOOK7", "v3 lookup names", cites=[LOOKUP, NOENT])
def case(env):
    "LOOKUP tells upper case from lower case when PATHCONF says so"
    env.file(b"Name")
    if not env.pathconf(env.home).case_insensitive:
        env.lookup(env.home, b"name", want="NOENT")
    equal("type", env.lookup(env.home, b"Name").attributes.type, REG)


@test("N3LOOK8", "v3 lookup", cites=[
    ("RFC 1813 2.5 nfs_fh3", "The file handle contains all the information the server needs to distinguish an "
     "individual file. To the client, the file handle is opaque."),
])
def handle_lives(env):
    "A handle stays valid over RENAME and over new connections"
    handle = env.file(b"f", b"abc")
    sub = env.folder(b"d")
    env.rename(env.home, b"f", sub, b"g")
    env.reconnect()
    equal("data", env.read(handle).data, b"abc")
    equal("handle", env.lookup(sub, b"g").handle, handle)
