# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_handles.py -- handles and names that no procedure of NFS v3 may take
from nfs3 import FIFO
from suite import equal, test

STALE = ("RFC 1813 2.6", "NFS3ERR_STALE: Invalid file handle. The file handle given in the arguments was invalid. The "
                         "file referred to by that file handle no longer exists or access to it has been revoked.")
BADHANDLE = ("RFC 1813 2.6", "NFS3ERR_BADHANDLE: Illegal NFS file handle. The file handle failed internal consistency "
                             "checks.")
NOTDIR = ("RFC 1813 2.6", "NFS3ERR_NOTDIR: Not a directory. The caller specified a non-directory in a directory "
                          "operation.")
TOOLONG = ("RFC 1813 3.2", "If no_trunc is TRUE and the filename exceeds the server's file system maximum filename "
                           "length, the operation will fail with the error, NFS3ERR_NAMETOOLONG.")
EMPTY = ("RFC 1813 3.2", "The filename must not be null nor may it be the null string. The server should return the "
                         "error, NFS3ERR_ACCES, if it receives such a filename.")
STRANGE = ("RFC 1813 3.2", "If the server receives a filename containing characters that it can not handle, the error, "
           "NFS3ERR_EACCES, should be returned.")
GARBAGE = b"\xff\xfe" * 10

ON_OBJECTS = {
    "GETATTR": lambda env, bad, want: env.getattr(bad, want=want),
    "SETATTR": lambda env, bad, want: env.setattr(bad, mode=0o600, want=want),
    "ACCESS": lambda env, bad, want: env.access(bad, want=want),
    "READLINK": lambda env, bad, want: env.readlink(bad, want=want),
    "READ": lambda env, bad, want: env.read(bad, 0, 10, want=want),
    "WRITE": lambda env, bad, want: env.write(bad, 0, b"data", want=want),
    "LINK": lambda env, bad, want: env.link(bad, env.home, b"new", want=want),
    "FSSTAT": lambda env, bad, want: env.fsstat(bad, want=want),
    "FSINFO": lambda env, bad, want: env.fsinfo(bad, want=want),
    "PATHCONF": lambda env, bad, want: env.pathconf(bad, want=want),
    "COMMIT": lambda env, bad, want: env.commit(bad, want=want),
}
ON_NAMES = {
    "LOOKUP": lambda env, bad, name, want: env.lookup(bad, name, want=want),
    "CREATE": lambda env, bad, name, want: env.create(bad, name, want=want),
    "MKDIR": lambda env, bad, name, want: env.mkdir(bad, name, want=want),
    "SYMLINK": lambda env, bad, name, want: env.symlink(bad, name, b"target", want=want),
    "MKNOD": lambda env, bad, name, want: env.mknod(bad, name, FIFO, want=want),
    "REMOVE": lambda env, bad, name, want: env.remove(bad, name, want=want),
    "RMDIR": lambda env, bad, name, want: env.rmdir(bad, name, want=want),
    "RENAME-FROM": lambda env, bad, name, want: env.rename(bad, name, env.home, b"new", want=want),
    "RENAME-TO": lambda env, bad, name, want: env.rename(env.home, b"file", bad, name, want=want),
    "LINK-TO": lambda env, bad, name, want: env.link(env.lookup(env.home, b"file").handle, bad, name, want=want),
}
ON_LISTS = {
    "READDIR": lambda env, bad, want: env.readdir(bad, want=want),
    "READDIRPLUS": lambda env, bad, want: env.readdirplus(bad, want=want),
}


def named(call):
    return lambda env, bad, want: call(env, bad, b"x", want)


ON_DIRECTORIES = {**{name: named(call) for name, call in ON_NAMES.items()}, **ON_LISTS}


def unchanged(env):
    """Nothing but what the test made is in env.home."""
    equal("names", [entry.name for entry in env.listing(env.home)], [b"file"])


def gone(env, procedure):
    """The handle of an object that was removed, of a type that the procedure takes."""
    if procedure == "READLINK":
        handle = env.symlink(env.home, b"gone", b"target").handle
    elif procedure in ON_DIRECTORIES:
        handle = env.folder(b"gone", 0o777)
        env.rmdir(env.home, b"gone")
        return handle
    else:
        handle = env.file(b"gone", b"data", 0o666)
    env.remove(env.home, b"gone")
    return handle


def register(kind, procedure, call, cite, title, body):
    """A test of one procedure."""
    code = f"N3{kind}{procedure.replace('-', '')}"
    words = f"v3 {procedure.split('-', maxsplit=1)[0].lower()} handles"

    def run(env):
        env.file(b"file", b"data", 0o666)
        body(env, procedure, call)
        unchanged(env)
    run.__doc__ = f"{procedure} {title}"
    test(code, words, cites=[cite])(run)


def stale(env, procedure, call):
    call(env, gone(env, procedure), "STALE")


def garbage(env, procedure, call):
    call(env, GARBAGE, "BADHANDLE")


def not_directory(env, procedure, call):
    call(env, env.lookup(env.home, b"file").handle, "NOTDIR")


def too_long(env, procedure, call):
    call(env, env.home, b"n" * (env.pathconf(env.home).name_max + 1), "NAMETOOLONG")


def empty(env, procedure, call):
    call(env, env.home, b"", "ACCES")


def slash(env, procedure, call):
    # ACCES is recommended, but it is enough that the name isn't followed as a path.
    call(env, env.home, b"file/x", "ACCES INVAL NOTDIR")


def nul(env, procedure, call):
    call(env, env.home, b"file\0x", "ACCES")


for _name, _call in {**ON_OBJECTS, **ON_DIRECTORIES}.items():
    register("STALE", _name, _call, STALE, "with the handle of what was removed", stale)
    register("BADH", _name, _call, BADHANDLE, "with a handle that no server made", garbage)
for _name, _call in ON_DIRECTORIES.items():
    register("NDIR", _name, _call, NOTDIR, "in a file", not_directory)
for _name, _call in ON_NAMES.items():
    register("LONG", _name, _call, TOOLONG, "of a name that is a byte too long", too_long)
for _name in ("LOOKUP", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "LINK-TO", "RENAME-TO"):
    register("NONAME", _name, ON_NAMES[_name], EMPTY, "of an empty name", empty)
for _name in ("LOOKUP", "CREATE", "MKDIR", "SYMLINK", "RENAME-TO"):
    register("SLASH", _name, ON_NAMES[_name], STRANGE, "of a name with a slash", slash)
    register("NUL", _name, ON_NAMES[_name], STRANGE, "of a name with a NUL", nul)


@test("N3BADH1", "v3 getattr handles", cites=[BADHANDLE, STALE])
def spoiled_handles(env):
    "GETATTR with handles that are cut, too long, empty, zeros or ones; with one byte changed it may find something"
    handle = env.file(b"file", b"data")
    for at in range(len(handle)):
        bad = handle[:at] + bytes([handle[at] ^ 0xA5]) + handle[at + 1:]
        env.getattr(bad, want="OK BADHANDLE STALE")
    for bad in (handle[:-1], handle[:4], handle[:1], (handle + bytes(64))[:64], bytes(len(handle)), bytes(64),
                b"\xff" * 64):
        env.getattr(bad, want="BADHANDLE STALE")
    env.getattr(b"", want="BADHANDLE")
    equal("size", env.getattr(handle).attributes.size, 4)
    unchanged(env)


@test("N3STALE1", "v3 remove handles", cites=[STALE])
def name_used_again(env):
    "The handle of a removed file is stale also when its name, or its inode, is in use again"
    old = env.file(b"file", b"old")
    env.remove(env.home, b"file")
    new = env.create(env.home, b"file").handle
    env.getattr(old, want="STALE")
    env.read(old, want="STALE")
    env.write(old, 0, b"no", want="STALE")
    equal("size of the new one", env.getattr(new).attributes.size, 0)
    unchanged(env)


@test("N3STALE2", "v3 remove handles", cites=[
    ("RFC 1813 3.3.12", "If the entry in the directory was the last reference to the corresponding file system "
     "object, the object may be destroyed."),
    STALE,
])
def links_left(env):
    "A handle is stale only after the last link has gone"
    handle = env.file(b"file", b"data")
    env.link(handle, env.home, b"other")
    env.remove(env.home, b"other")
    equal("nlink", env.getattr(handle).attributes.nlink, 1)
    env.link(handle, env.home, b"other")
    env.remove(env.home, b"file")
    equal("data", env.read(handle).data, b"data")
    env.remove(env.home, b"other")
    env.getattr(handle, want="STALE")


@test("N3STALE3", "v3 rename handles", cites=[
    ("RFC 1813 3.3.14", "If compatible, the existing target is removed before the rename occurs."),
    STALE,
])
def renamed_over(env):
    "The handle of what RENAME replaced is stale"
    moved = env.file(b"old", b"moved")
    replaced = env.file(b"file", b"replaced")
    env.rename(env.home, b"old", env.home, b"file")
    env.getattr(replaced, want="STALE")
    equal("data", env.read(moved).data, b"moved")
    unchanged(env)
