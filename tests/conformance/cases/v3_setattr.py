# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_setattr.py -- SETATTR of NFS v3
from nfs3 import DIR, FIFO, LNK, REG, SERVER_TIME, stamp
from suite import equal, test, that

SETATTR = ("RFC 1813 3.3.2", "Procedure SETATTR changes one or more of the attributes of a file system object on the "
                             "server.")
SIZE = ("RFC 1813 3.3.2", "A value of 0 causes the file to be truncated, a value less than the current size of the "
                          "file causes data from new size to the end of the file to be discarded, and a size greater "
                          "than the current size of the file causes logically zeroed data bytes to be added to the "
                          "end of the file.")
GUARD = ("RFC 1813 3.3.2", "If check is TRUE the server must verify that guard.obj_ctime matches the current ctime "
                           "for the object; if it does not, it must preserve the object attributes and must return a "
                           "status of NFS3ERR_NOT_SYNC.")
PERM = ("RFC 1813 2.6", "NFS3ERR_PERM: Not owner. The operation was not allowed because the caller is either not a "
                        "privileged user (root) or not the owner of the target of the operation.")
ACCES = ("RFC 1813 2.6", "NFS3ERR_ACCES: Permission denied. The caller does not have the correct permission to "
                         "perform the requested operation. Contrast this with NFS3ERR_PERM, which restricts itself to "
                         "owner or privileged user permission failures.")
TIMES = ("RFC 1813 2.5 set_atime", "If set_it is SET_TO_CLIENT_TIME, the attribute is set to the time passed by the "
                                   "client; if it is SET_TO_SERVER_TIME, to the server's local time; DONT_CHANGE "
                                   "leaves it.")
CHOWN = ("RFC 1813 3.3.20", "chown_restricted: If TRUE, the server will reject any request to change either the owner "
                            "or the group associated with a file if the caller is not the privileged user. (Uid 0.)")


@test("N3SATT1", "v3 setattr", cites=[SETATTR])
def every_mode(env):
    "SETATTR of mode: each of the twelve bits alone, all, and none"
    handle = env.file(b"f")
    for mode in (*(1 << bit for bit in range(12)), 0o7777, 0o755, 0):
        equal("mode", env.setattr(handle, mode=mode).wcc.after.mode, mode)
    equal("mode", env.getattr(handle).attributes.mode, 0)


@test("N3SATT2", "v3 setattr", cites=[SETATTR])
def owner_and_group(env):
    "SETATTR of uid and gid by root, one, the other and both, to values of 32 bits"
    handle = env.file(b"f")
    after = env.setattr(handle, uid=1001).wcc.after
    equal("uid, gid", (after.uid, after.gid), (1001, 0))
    after = env.setattr(handle, gid=1002).wcc.after
    equal("uid, gid", (after.uid, after.gid), (1001, 1002))
    after = env.setattr(handle, uid=4294967293, gid=2147483648).wcc.after
    equal("uid, gid", (after.uid, after.gid), (4294967293, 2147483648))
    equal("asked again", env.getattr(handle).attributes, after)


@test("N3SATT3", "v3 setattr times", cites=[TIMES])
def times_with_nanoseconds(env):
    "SETATTR of atime and mtime to the nanosecond, or to what time_delta says; each one alone"
    handle = env.file(b"f")
    before = env.getattr(handle).attributes
    after = env.setattr(handle, atime=stamp(1000000000, 123456789)).wcc.after
    equal("atime", after.atime, stamp(1000000000, 123456789))
    equal("mtime", after.mtime, before.mtime)
    after = env.setattr(handle, mtime=stamp(1234567890, 987654321)).wcc.after
    equal("atime", after.atime, stamp(1000000000, 123456789))
    equal("mtime", after.mtime, stamp(1234567890, 987654321))
    that(after.ctime.seconds > 1234567890, "ctime is the client's")
    equal("asked again", env.getattr(handle).attributes, after)


@test("N3SATT4", "v3 setattr times", cites=[
    TIMES,
    ("RFC 1813 2.5 nfstime3", "The nfstime3 structure gives the number of seconds and nanoseconds since midnight "
     "January 1, 1970 Greenwich Mean Time."),
])
def times_of_the_range(env):
    "SETATTR of times at the beginning, around 2038, and at the greatest that 32 bits hold"
    handle = env.file(b"f")
    for seconds in (0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1):
        after = env.setattr(handle, atime=stamp(seconds, 1), mtime=stamp(seconds, 999999999)).wcc.after
        equal("atime", after.atime, stamp(seconds, 1))
        equal("mtime", after.mtime, stamp(seconds, 999999999))


@test("N3SATT5", "v3 setattr times", cites=[TIMES])
def times_of_server(env):
    "SETATTR of times to the server's"
    handle = env.file(b"f")
    env.setattr(handle, atime=stamp(1, 1), mtime=stamp(1, 1))
    after = env.setattr(handle, mtime=SERVER_TIME).wcc.after
    equal("atime", after.atime, stamp(1, 1))
    that(abs(after.mtime.seconds - after.ctime.seconds) <= 1, f"mtime {after.mtime} and ctime {after.ctime}")
    after = env.setattr(handle, atime=SERVER_TIME).wcc.after
    that(abs(after.atime.seconds - after.ctime.seconds) <= 1, f"atime {after.atime} and ctime {after.ctime}")


@test("N3SATT6", "v3 setattr times", cites=[
    ("RFC 1813 2.5 nfstime3", "The nfstime3 structure gives the number of seconds and nanoseconds since midnight "
     "January 1, 1970 Greenwich Mean Time."),
    ("RFC 1813 2.6", "NFS3ERR_INVAL: Invalid argument or unsupported argument."),
])
def no_time(env):
    "SETATTR of a time with a billion nanoseconds"
    handle = env.file(b"f")
    before = env.getattr(handle).attributes
    env.setattr(handle, mtime=stamp(1, 10 ** 9), want="INVAL")
    env.setattr(handle, atime=stamp(1, 2 ** 32 - 1), want="INVAL")
    equal("attributes", env.getattr(handle).attributes, before)


@test("N3SATT7", "v3 setattr size", cites=[SIZE])
def shrink(env):
    "SETATTR of size: shrinking discards, growing again shows zeros"
    handle = env.file(b"f", b"x" * 10000)
    equal("size", env.setattr(handle, size=5001).wcc.after.size, 5001)
    got = env.read(handle, 0, 20000)
    equal("data", (got.data, got.eof), (b"x" * 5001, True))
    equal("size", env.setattr(handle, size=10000).wcc.after.size, 10000)
    equal("data", env.read(handle, 0, 20000).data, b"x" * 5001 + bytes(4999))
    env.setattr(handle, size=0)
    got = env.read(handle, 0, 10)
    equal("data", (got.data, got.eof), (b"", True))


@test("N3SATT8", "v3 setattr size", cites=[
    SIZE,
    ("RFC 1813 3.3.2", "Servers must support extending the file size via SETATTR."),
])
def grow(env):
    "SETATTR of size: to 4 GiB and more, zeros in between"
    handle = env.file(b"f", b"abc")
    for size in (4096, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 4097):
        equal("size", env.setattr(handle, size=size).wcc.after.size, size)
    got = env.read(handle, 2 ** 32 + 4090, 100)
    equal("data, eof", (got.data, got.eof), (bytes(7), True))
    equal("data", env.read(handle, 0, 5).data, b"abc\0\0")
    that(env.getattr(handle).attributes.used < 2 ** 31, "the hole is allocated")


@test("N3SATT9", "v3 setattr size", cites=[
    ("RFC 1813 3.3.2", "Changing the size of a file with SETATTR indirectly changes the mtime."),
])
def size_moves_mtime(env):
    "SETATTR of another size moves mtime"
    handle = env.file(b"f", b"abc")
    env.setattr(handle, mtime=stamp(5, 5))
    that(env.setattr(handle, size=1).wcc.after.mtime.seconds > 5, "mtime stays")


@test("N3SATT10", "v3 setattr size", cites=[
    ("RFC 1813 2.6", "NFS3ERR_ISDIR: Is a directory. The caller specified a directory in a non-directory operation."),
    ("RFC 1813 3.3.2", "Errors of SETATTR: NFS3ERR_PERM, IO, ACCES, INVAL, NOSPC, ROFS, DQUOT, NOT_SYNC, STALE, "
     "BADHANDLE, NOTSUPP, SERVERFAULT."),
])
def size_of_others(env):
    "SETATTR of the size of a directory, a link and a fifo"
    env.setattr(env.folder(b"d"), size=0, want="ISDIR INVAL")
    env.setattr(env.symlink(env.home, b"l", b"target").handle, size=0, want="INVAL")
    env.setattr(env.mknod(env.home, b"p", FIFO).handle, size=0, want="INVAL")


@test("N3SATT11", "v3 setattr size", cites=[
    ("RFC 1813 3.3.19", "maxfilesize: The maximum size of a file on the file system."),
    ("RFC 1813 2.6", "NFS3ERR_FBIG: File too large. The operation would have caused a file to grow beyond the "
     "server's limit."),
])
def size_beyond_limits(env):
    "SETATTR of a size that no file has"
    handle = env.file(b"f", b"abc")
    for size in (2 ** 63, 2 ** 64 - 1):
        env.setattr(handle, size=size, want="FBIG INVAL")
    equal("size", env.getattr(handle).attributes.size, 3)


@test("N3SATT12", "v3 setattr", cites=[GUARD])
def guard_that_holds(env):
    "SETATTR guarded by the ctime that the object has"
    handle = env.file(b"f", mode=0o600)
    ctime = env.getattr(handle).attributes.ctime
    equal("mode", env.setattr(handle, mode=0o640, guard=ctime).wcc.after.mode, 0o640)


@test("N3SATT13", "v3 setattr", cites=[GUARD])
def guard_that_fails(env):
    "SETATTR guarded by an old ctime, by one a nanosecond off, by zero"
    handle = env.file(b"f", mode=0o600)
    old = env.getattr(handle).attributes.ctime
    env.sleep(0.02)
    now = env.setattr(handle, mode=0o640).wcc.after
    for guard in (old, stamp(now.ctime.seconds, now.ctime.nseconds ^ 1),
                  stamp(now.ctime.seconds ^ 1, now.ctime.nseconds), stamp(0)):
        env.setattr(handle, mode=0o777, size=100, guard=guard, want="NOT_SYNC")
    equal("attributes", env.getattr(handle).attributes, now)


@test("N3SATT14", "v3 setattr", cites=[
    ("RFC 1813 3.3.2", "new_attributes: A structure containing booleans and enumerations describing the attributes "
     "to be set and the new values for those attributes."),
])
def nothing_set(env):
    "SETATTR of nothing at all"
    handle = env.file(b"f", b"abc", 0o640)
    before = env.getattr(handle).attributes
    after = env.setattr(handle).wcc.after
    for name in ("mode", "uid", "gid", "size", "atime", "mtime"):
        equal(name, getattr(after, name), getattr(before, name))


@test("N3SATT15", "v3 setattr", cites=[SETATTR])
def all_at_once(env):
    "SETATTR of all attributes in one call, and of a directory's"
    handle = env.file(b"f", b"abcdef")
    after = env.setattr(handle, mode=0o604, uid=1001, gid=1002, size=3, atime=stamp(7, 8), mtime=stamp(9, 10)).wcc.after
    equal("mode, uid, gid, size", (after.mode, after.uid, after.gid, after.size), (0o604, 1001, 1002, 3))
    equal("times", (after.atime, after.mtime), (stamp(7, 8), stamp(9, 10)))
    sub = env.folder(b"d")
    after = env.setattr(sub, mode=0o1705, uid=1001, gid=1002, atime=stamp(7, 8), mtime=stamp(9, 10)).wcc.after
    equal("type, mode", (after.type, after.mode), (DIR, 0o1705))
    equal("uid, gid, times", (after.uid, after.gid, after.atime, after.mtime), (1001, 1002, stamp(7, 8), stamp(9, 10)))


@test("N3SATT16", "v3 setattr symlink", cites=[SETATTR])
def of_symlink(env):
    "SETATTR of a symbolic link's owner is the link's own, and not its target's"
    target = env.file(b"f")
    link = env.symlink(env.home, b"l", b"f").handle
    after = env.setattr(link, uid=1001, gid=1002).wcc.after
    equal("type, uid, gid", (after.type, after.uid, after.gid), (LNK, 1001, 1002))
    found = env.getattr(target).attributes
    equal("the target's type, uid, gid", (found.type, found.uid, found.gid), (REG, 0, 0))


@test("N3SATT24", "v3 setattr symlink times", cites=[SETATTR, TIMES])
def times_of_symlink(env):
    "SETATTR of a symbolic link's times leaves its target's"
    target = env.file(b"f")
    before = env.getattr(target).attributes
    link = env.symlink(env.home, b"l", b"f").handle
    equal("mtime", env.setattr(link, mtime=stamp(9, 10)).wcc.after.mtime, stamp(9, 10))
    equal("the target", env.getattr(target).attributes, before)


@test("N3SATT17", "v3 setattr perms", cites=[PERM])
def by_another(env):
    "SETATTR of mode, times and owner by a user who isn't the owner, though he may write"
    handle = env.file(b"f", b"abc", 0o666)
    user = env.as_user(1001, 1001)
    user.setattr(handle, mode=0o777, want="PERM")
    user.setattr(handle, mtime=stamp(1), want="PERM")
    user.setattr(handle, uid=1001, want="PERM")
    equal("mode", env.getattr(handle).attributes.mode, 0o666)


@test("N3SATT18", "v3 setattr perms", cites=[PERM, CHOWN])
def by_owner(env):
    "SETATTR by the owner: mode, times, a group of his; no other owner or group, as chown_restricted says"
    handle = env.file(b"f", b"abc", 0o600, uid=1001, gid=1001)
    user = env.as_user(1001, 1001, [1002])
    equal("mode", user.setattr(handle, mode=0o640).wcc.after.mode, 0o640)
    equal("mtime", user.setattr(handle, mtime=stamp(1, 2)).wcc.after.mtime, stamp(1, 2))
    equal("gid", user.setattr(handle, gid=1002).wcc.after.gid, 1002)
    if env.pathconf(handle).chown_restricted:
        user.setattr(handle, uid=1003, want="PERM")
        user.setattr(handle, gid=1003, want="PERM")
    equal("uid", env.getattr(handle).attributes.uid, 1001)


@test("N3SATT19", "v3 setattr perms times", cites=[ACCES])
def touch_by_writer(env):
    "SETATTR of times to the server's by somebody who may write, and by somebody who may not"
    handle = env.file(b"f", b"abc", 0o606)
    env.setattr(handle, atime=stamp(1), mtime=stamp(1))
    after = env.as_user(1001, 1001).setattr(handle, atime=SERVER_TIME, mtime=SERVER_TIME).wcc.after
    that(after.mtime.seconds > 1 and after.atime.seconds > 1, "times stay")
    env.setattr(handle, mode=0o604)
    env.as_user(1001, 1001).setattr(handle, atime=SERVER_TIME, mtime=SERVER_TIME, want="ACCES")


@test("N3SATT20", "v3 setattr perms size", cites=[ACCES])
def truncate_by_others(env):
    "SETATTR of size needs write permission, and nothing else"
    handle = env.file(b"f", b"abcdef", 0o646)
    equal("size", env.as_user(1001, 1001).setattr(handle, size=3).wcc.after.size, 3)
    env.setattr(handle, mode=0o644)
    env.as_user(1001, 1001).setattr(handle, size=1, want="ACCES")
    equal("size", env.getattr(handle).attributes.size, 3)


@test("N3SATT21", "v3 setattr perms", cites=[
    ("RFC 1813 2.5 sattr3", "mode is defined as in fattr3: 0x00800 Set user ID on execution, 0x00400 Set group ID "
     "on execution."),
    PERM,
])
def setuid_and_owner(env):
    "SETATTR of the owner by root sets it; the set-ID bits of a program are gone after a change by its owner"
    handle = env.file(b"f", b"abc", 0o755, uid=1001, gid=1001)
    env.setattr(handle, mode=0o6755)
    after = env.as_user(1001, 1001, [1002]).setattr(handle, gid=1002).wcc.after
    equal("mode, gid", (after.mode, after.gid), (0o755, 1002))


@test("N3SATT22", "v3 setattr perms", cites=[
    ("RFC 1813 4.4", "It is expected that a server will do normal operating system permission checking using "
     "AUTH_UNIX style authentication as the basis of its protection mechanism."),
])
def setgid_of_foreign_group(env):
    "SETATTR of the set-group-ID bit by an owner who isn't in the file's group leaves it off"
    handle = env.file(b"f", b"abc", 0o755, uid=1001, gid=1003)
    env.as_user(1001, 1001).setattr(handle, mode=0o2755)
    equal("mode", env.getattr(handle).attributes.mode, 0o755)


@test("N3SATT23", "v3 setattr perms", cites=[
    ("RFC 1813 4.4", "The server's permission checking algorithm should allow the owner of a file to access it "
     "regardless of the permission setting."),
])
def owner_truncates_readonly(env):
    "SETATTR of size by the owner of a file of mode 0444"
    handle = env.file(b"f", b"abc", 0o444, uid=1001, gid=1001)
    equal("size", env.as_user(1001, 1001).setattr(handle, size=1).wcc.after.size, 1)
