# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_remove.py -- REMOVE, RMDIR, RENAME and LINK of NFS v3
from nfs3 import DIR, FIFO, LNK
from suite import equal, test, that

REMOVE = ("RFC 1813 3.3.12", "Procedure REMOVE removes (deletes) an entry from a directory.")
REMOVE_DIR = ("RFC 1813 3.3.12", "In general, REMOVE is intended to remove non-directory file objects and RMDIR is to "
                                 "be used to remove directories.")
RMDIR = ("RFC 1813 3.3.13", "Procedure RMDIR removes (deletes) a subdirectory from a directory.")
NOTEMPTY = ("RFC 1813 2.6", "NFS3ERR_NOTEMPTY: An attempt was made to remove a directory that was not empty.")
NOTDIR = ("RFC 1813 2.6", "NFS3ERR_NOTDIR: Not a directory. The caller specified a non-directory in a directory "
                          "operation.")
NOENT = ("RFC 1813 2.6", "NFS3ERR_NOENT: No such file or directory. The file or directory name specified does not "
                         "exist.")
EXIST = ("RFC 1813 2.6", "NFS3ERR_EXIST: File exists. The file specified already exists.")
RENAME = ("RFC 1813 3.3.14", "Procedure RENAME renames the file identified by from.name in the directory, from.dir, "
                             "to to.name in the directory, to.dir. The operation is required to be atomic to the "
                             "client.")
TARGET = ("RFC 1813 3.3.14", "If the directory, to.dir, already contains an entry with the name, to.name, the source "
                             "object must be compatible with the target: either both are non-directories or both are "
                             "directories and the target must be empty. If compatible, the existing target is removed "
                             "before the rename occurs.")
INCOMPATIBLE = ("RFC 1813 3.3.14", "If they are not compatible or if the target is a directory but not empty, the "
                                   "server should return the error, NFS3ERR_EXIST.")
SAME = ("RFC 1813 3.3.14", "If from and to both refer to the same file (they might be hard links of each other), then "
                           "RENAME should perform no action and return NFS3_OK.")
LINK = ("RFC 1813 3.3.15", "Procedure LINK creates a hard link from file to link.name, in the directory, link.dir.")
NLINK = ("RFC 1813 3.3.15", "When a hard link is made to a file, the attributes for the file should have a value for "
                            "nlink that is one greater than the value before the LINK.")
SHARED = ("RFC 1813 3.3.15", "Changes to any property of the hard-linked files are reflected in all of the linked "
                             "files.")
INVAL = ("RFC 1813 2.6", "NFS3ERR_INVAL: Invalid argument or unsupported argument for an operation.")


def names(env, directory):
    return sorted(entry.name for entry in env.listing(directory))


@test("N3REM1", "v3 remove", cites=[REMOVE])
def each_type(env):
    "REMOVE of objects of each type but directories"
    env.one_of_each()
    for name in (b"reg", b"blk", b"chr", b"lnk", b"sock", b"fifo"):
        env.remove(env.home, name)
        env.lookup(env.home, name, want="NOENT")
    equal("names", names(env, env.home), [b"dir"])


@test("N3REM2", "v3 remove", cites=[REMOVE, NOENT])
def nothing(env):
    "REMOVE of a name that isn't there, and twice"
    env.remove(env.home, b"missing", want="NOENT")
    env.file(b"f")
    env.remove(env.home, b"f")
    env.remove(env.home, b"f", want="NOENT")


@test("N3REM3", "v3 remove", cites=[REMOVE_DIR])
def directory(env):
    "REMOVE of a directory that isn't empty fails, of an empty one may succeed"
    sub = env.folder(b"d")
    env.create(sub, b"f")
    env.remove(env.home, b"d", want="ISDIR PERM NOTEMPTY EXIST INVAL")
    equal("names", names(env, sub), [b"f"])
    env.remove(sub, b"f")
    done = env.remove(env.home, b"d", want="OK ISDIR PERM INVAL")
    equal("names", names(env, env.home), [] if done.status == 0 else [b"d"])


@test("N3REM4", "v3 remove", cites=[REMOVE])
def symlink_only(env):
    "REMOVE of a symbolic link leaves its target"
    env.file(b"f", b"abc")
    env.symlink(env.home, b"l", b"f")
    env.remove(env.home, b"l")
    equal("data", env.read(env.lookup(env.home, b"f").handle).data, b"abc")


@test("N3REM5", "v3 remove names", cites=[REMOVE, INVAL])
def remove_dots(env):
    "REMOVE of . and .. removes nothing"
    sub = env.folder(b"d")
    for name in (b".", b".."):
        env.remove(sub, name, want="ISDIR INVAL PERM EXIST ACCES NOTEMPTY")
    equal("names", names(env, env.home), [b"d"])


@test("N3REM6", "v3 remove", cites=[("RFC 1813 2.5 fattr3", "Nlink is the number of hard links to the file.")])
def nlink_falls(env):
    "REMOVE of one of three links, then of another"
    handle = env.file(b"a", b"abc")
    env.link(handle, env.home, b"b")
    env.link(handle, env.home, b"c")
    for left, name in ((2, b"a"), (1, b"c")):
        before = env.getattr(handle).attributes
        env.sleep(0.02)
        env.remove(env.home, name)
        after = env.getattr(handle).attributes
        equal("nlink", after.nlink, left)
        that((after.ctime.seconds, after.ctime.nseconds) > (before.ctime.seconds, before.ctime.nseconds), "ctime stays")
    equal("data", env.read(handle).data, b"abc")


@test("N3RMD1", "v3 rmdir", cites=[RMDIR])
def rmdir(env):
    "RMDIR of an empty directory lowers the parent's nlink"
    env.folder(b"d")
    before = env.getattr(env.home).attributes.nlink
    env.rmdir(env.home, b"d")
    env.lookup(env.home, b"d", want="NOENT")
    that(env.getattr(env.home).attributes.nlink in (1, before - 1), "nlink of the parent")


@test("N3RMD2", "v3 rmdir", cites=[RMDIR, NOTEMPTY])
def not_empty(env):
    "RMDIR of a directory with a file, with a directory, with a symbolic link"
    sub = env.folder(b"d")
    env.create(sub, b"x")
    env.rmdir(env.home, b"d", want="NOTEMPTY")
    env.remove(sub, b"x")
    env.mkdir(sub, b"x")
    env.rmdir(env.home, b"d", want="NOTEMPTY")
    env.rmdir(sub, b"x")
    env.symlink(sub, b"x", b"nowhere")
    env.rmdir(env.home, b"d", want="NOTEMPTY")
    equal("names", names(env, sub), [b"x"])
    env.remove(sub, b"x")
    env.rmdir(env.home, b"d")


@test("N3RMD3", "v3 rmdir", cites=[RMDIR, NOTDIR, NOENT])
def not_a_directory(env):
    "RMDIR of what is no directory, also of a link to one, and of nothing"
    env.one_of_each()
    env.symlink(env.home, b"l", b"dir")
    for name in (b"reg", b"lnk", b"l", b"fifo", b"sock", b"chr", b"blk"):
        env.rmdir(env.home, name, want="NOTDIR")
    env.rmdir(env.home, b"missing", want="NOENT")
    equal("count of names", len(names(env, env.home)), 8)


@test("N3RMD4", "v3 rmdir names", cites=[
    ("RFC 1813 3.3.13", "On some servers, the filename, \".\", is illegal. These servers will return the error, "
     "NFS3ERR_INVAL. On some servers, the filename, \"..\", is illegal. These servers will return the error, "
     "NFS3ERR_EXIST."),
])
def rmdir_dots(env):
    "RMDIR of . is INVAL, of .. EXIST (or NOTEMPTY, which it is)"
    sub = env.folder(b"d")
    env.rmdir(sub, b".", want="INVAL")
    env.rmdir(sub, b"..", want="EXIST NOTEMPTY")
    equal("names", names(env, env.home), [b"d"])


@test("N3REN1", "v3 rename", cites=[RENAME])
def rename_each(env):
    "RENAME of objects of each type within a directory and to another one"
    each = env.one_of_each()
    sub = env.folder(b"to")
    for kind, name in zip((1, 2, 5, 6, 7), (b"reg", b"dir", b"lnk", b"sock", b"fifo")):
        env.rename(env.home, name, env.home, name + b"2")
        env.lookup(env.home, name, want="NOENT")
        equal("handle", env.lookup(env.home, name + b"2").handle, each[kind])
        env.rename(env.home, name + b"2", sub, name)
        env.lookup(env.home, name + b"2", want="NOENT")
        equal("handle", env.lookup(sub, name).handle, each[kind])
    equal("data", env.read(each[1]).data, b"data")


@test("N3REN2", "v3 rename", cites=[TARGET])
def over_file(env):
    "RENAME over a file, a symbolic link, a fifo"
    for make in (lambda: env.file(b"to", b"old"), lambda: env.symlink(env.home, b"to", b"nowhere"),
                 lambda: env.mknod(env.home, b"to", FIFO)):
        moved = env.file(b"from", b"new")
        make()
        env.rename(env.home, b"from", env.home, b"to")
        equal("handle", env.lookup(env.home, b"to").handle, moved)
        equal("data", env.read(moved).data, b"new")
        equal("names", names(env, env.home), [b"to"])
        env.remove(env.home, b"to")


@test("N3REN3", "v3 rename", cites=[TARGET])
def over_empty_directory(env):
    "RENAME of a directory over an empty one"
    moved = env.folder(b"from")
    env.create(moved, b"f")
    old = env.folder(b"to")
    env.rename(env.home, b"from", env.home, b"to")
    equal("handle", env.lookup(env.home, b"to").handle, moved)
    env.getattr(old, want="STALE")
    equal("names", names(env, moved), [b"f"])
    equal("names", names(env, env.home), [b"to"])


@test("N3REN4", "v3 rename", cites=[INCOMPATIBLE, NOTEMPTY])
def over_full_directory(env):
    "RENAME of a directory over one that isn't empty"
    env.folder(b"from")
    full = env.folder(b"to")
    env.create(full, b"f")
    env.rename(env.home, b"from", env.home, b"to", want="EXIST NOTEMPTY")
    equal("names", names(env, env.home), [b"from", b"to"])
    equal("names", names(env, full), [b"f"])


@test("N3REN5", "v3 rename", cites=[INCOMPATIBLE])
def file_over_directory(env):
    "RENAME of a file over a directory, empty or not, and of a directory over a file"
    env.file(b"f")
    sub = env.folder(b"d")
    env.rename(env.home, b"f", env.home, b"d", want="EXIST ISDIR")
    env.rename(env.home, b"d", env.home, b"f", want="EXIST NOTDIR")
    env.create(sub, b"x")
    env.rename(env.home, b"f", env.home, b"d", want="EXIST ISDIR NOTEMPTY")
    env.symlink(env.home, b"l", b"d")
    env.rename(env.home, b"d", env.home, b"l", want="EXIST NOTDIR")
    equal("names", names(env, env.home), [b"d", b"f", b"l"])


@test("N3REN6", "v3 rename", cites=[SAME])
def onto_itself(env):
    "RENAME of a file and a directory onto themselves"
    handle, sub = env.file(b"f", b"abc"), env.folder(b"d")
    env.rename(env.home, b"f", env.home, b"f")
    env.rename(env.home, b"d", env.home, b"d")
    equal("handle", env.lookup(env.home, b"f").handle, handle)
    equal("handle", env.lookup(env.home, b"d").handle, sub)
    equal("data", env.read(handle).data, b"abc")


@test("N3REN7", "v3 rename link", cites=[SAME])
def onto_hard_link(env):
    "RENAME of a name over another name of the same file: both stay, in one directory and in two"
    handle, sub = env.file(b"a", b"abc"), env.folder(b"d")
    env.link(handle, env.home, b"b")
    env.link(handle, sub, b"c")
    env.rename(env.home, b"a", env.home, b"b")
    env.rename(env.home, b"a", sub, b"c")
    equal("names", names(env, env.home), [b"a", b"b", b"d"])
    equal("names", names(env, sub), [b"c"])
    equal("nlink", env.getattr(handle).attributes.nlink, 3)


@test("N3REN8", "v3 rename", cites=[RENAME, INVAL])
def into_itself(env):
    "RENAME of a directory into itself and into one below it"
    top = env.folder(b"d")
    below = env.mkdir(top, b"e").handle
    env.rename(env.home, b"d", top, b"x", want="INVAL")
    env.rename(env.home, b"d", below, b"x", want="INVAL")
    equal("names", names(env, env.home), [b"d"])
    equal("names", names(env, below), [])


@test("N3REN9", "v3 rename names", cites=[
    ("RFC 1813 3.3.14", "On some servers, the filenames, \".\" and \"..\", are illegal as either from.name or to.name. "
     "These servers will return the error, NFS3ERR_INVAL, in these cases."),
])
def rename_dots(env):
    "RENAME of . and .., and to them, changes nothing"
    sub = env.folder(b"d")
    env.create(sub, b"f")
    for name in (b".", b".."):
        env.rename(sub, name, env.home, b"x", want="INVAL EXIST ISDIR NOTEMPTY ACCES")
        env.rename(sub, b"f", sub, name, want="INVAL EXIST ISDIR NOTEMPTY ACCES")
    equal("names", names(env, env.home), [b"d"])
    equal("names", names(env, sub), [b"f"])


@test("N3REN10", "v3 rename", cites=[RENAME, NOENT])
def rename_of_nothing(env):
    "RENAME of a name that isn't there leaves the target"
    handle = env.file(b"to", b"abc")
    env.rename(env.home, b"missing", env.home, b"to", want="NOENT")
    env.rename(env.home, b"missing", env.home, b"missing", want="NOENT")
    equal("data", env.read(handle).data, b"abc")


@test("N3REN11", "v3 rename", cites=[RENAME])
def directory_moves(env):
    "RENAME of a directory to another parent moves what is in it, and the parents' nlink"
    first, second = env.folder(b"a"), env.folder(b"b")
    sub = env.mkdir(first, b"d").handle
    handle = env.create(sub, b"f").handle
    before = [env.getattr(each).attributes.nlink for each in (first, second)]
    env.rename(first, b"d", second, b"e")
    after = [env.getattr(each).attributes.nlink for each in (first, second)]
    that(after in ([1, 1], [before[0] - 1, before[1] + 1]), f"nlink of the parents: {before}, {after}")
    equal("handle", env.lookup(env.lookup(second, b"e").handle, b"f").handle, handle)
    equal("names", names(env, first), [])


@test("N3REN12", "v3 rename perms", cites=[("RFC 1813 2.6", "NFS3ERR_ACCES: Permission denied."), RENAME])
def rename_without_permission(env):
    "RENAME needs write permission on both directories"
    open_one, shut = env.folder(b"open", 0o777), env.folder(b"shut", 0o755)
    env.create(open_one, b"f", 0o666)
    env.create(shut, b"g", 0o666)
    user = env.as_user(1001, 1001)
    user.rename(open_one, b"f", shut, b"f", want="ACCES")
    user.rename(shut, b"g", open_one, b"g", want="ACCES")
    user.rename(open_one, b"f", open_one, b"h")
    equal("names", names(env, open_one), [b"h"])


@test("N3LINK1", "v3 link", cites=[LINK, NLINK, SHARED])
def link(env):
    "LINK of a file: one handle, nlink 2, attributes and data shared"
    handle, sub = env.file(b"a", b"abc"), env.folder(b"d")
    equal("nlink", env.link(handle, sub, b"b").attributes.nlink, 2)
    equal("handle", env.lookup(sub, b"b").handle, handle)
    env.setattr(env.lookup(sub, b"b").handle, mode=0o600)
    equal("mode", env.lookup(env.home, b"a").attributes.mode, 0o600)
    env.write(handle, 0, b"ABC")
    equal("data", env.read(env.lookup(sub, b"b").handle).data, b"ABC")


@test("N3LINK2", "v3 link", cites=[LINK, EXIST])
def link_over(env):
    "LINK to a name that exists, of any type, of the file itself"
    each = env.one_of_each()
    handle = env.file(b"f", b"abc")
    for name in (b"f", b"reg", b"dir", b"lnk", b"fifo"):
        env.link(handle, env.home, name, want="EXIST")
    equal("nlink", env.getattr(handle).attributes.nlink, 1)
    equal("count of names", len(names(env, env.home)), len(each) + 1)


@test("N3LINK3", "v3 link", cites=[LINK, INVAL])
def link_to_directory(env):
    "LINK of a directory fails"
    sub = env.folder(b"d")
    env.link(sub, env.home, b"x", want="INVAL ISDIR PERM NOTSUPP ACCES")
    equal("names", names(env, env.home), [b"d"])


@test("N3LINK4", "v3 link", cites=[LINK, NLINK])
def link_of_others(env):
    "LINK of a symbolic link is the link's, not its target's; LINK of a fifo"
    target = env.file(b"f")
    handle = env.symlink(env.home, b"l", b"f").handle
    got = env.link(handle, env.home, b"m").attributes
    equal("type, nlink", (got.type, got.nlink), (LNK, 2))
    equal("nlink of the target", env.getattr(target).attributes.nlink, 1)
    fifo = env.mknod(env.home, b"p", FIFO).handle
    equal("nlink", env.link(fifo, env.home, b"q").attributes.nlink, 2)
    equal("handle", env.lookup(env.home, b"q").handle, fifo)


@test("N3LINK5", "v3 link", cites=[NLINK])
def many_links(env):
    "LINK a hundred times: names, nlink"
    handle = env.file(b"f")
    for at in range(100):
        equal("nlink", env.link(handle, env.home, b"l%d" % at).attributes.nlink, at + 2)
    equal("count of names", len(names(env, env.home)), 101)


@test("N3LINK6", "v3 link names", cites=[LINK, EXIST])
def link_dots(env):
    "LINK to . and .. makes nothing"
    handle = env.file(b"f")
    for name in (b".", b".."):
        env.link(handle, env.home, name, want="EXIST INVAL ISDIR ACCES")
    equal("type", env.lookup(env.home, b".").attributes.type, DIR)
    equal("nlink", env.getattr(handle).attributes.nlink, 1)
