# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_access.py -- ACCESS of NFS v3, and the permissions of reading and writing
from nfs3 import (ACCESS_ALL, ACCESS_DELETE, ACCESS_EXECUTE, ACCESS_EXTEND, ACCESS_LOOKUP, ACCESS_MODIFY, ACCESS_READ,
                  GUARDED, UNCHECKED)
from suite import equal, test, that

ACCESS = ("RFC 1813 3.3.4", "Procedure ACCESS determines the access rights that a user, as identified by the "
                            "credentials in the request, has with respect to a file system object.")
BITS = ("RFC 1813 3.3.4", "A status of NFS3_OK is returned along with a bit mask encoded with the permissions that "
                          "the client is allowed.")
MEANING = ("RFC 1813 3.3.4", "ACCESS3_LOOKUP: Look up a name in a directory (no meaning for non-directory objects). "
                             "ACCESS3_DELETE: Delete an existing directory entry. ACCESS3_EXECUTE: Execute file (no "
                             "meaning for a directory).")
OWNER = ("RFC 1813 4.4", "The server's permission checking algorithm should allow the owner of a file to access it "
                         "regardless of the permission setting.")
PAGING = ("RFC 1813 4.4", "The server should allow reading of files if the uid given in the call has either execute "
                          "or read permission on the file, or is the owner.")
NORMAL = ("RFC 1813 4.4", "It is expected that a server will do normal operating system permission checking using "
                          "AUTH_UNIX style authentication as the basis of its protection mechanism.")
ACCES = ("RFC 1813 2.6", "NFS3ERR_ACCES: Permission denied. The caller does not have the correct permission to "
                         "perform the requested operation.")
FILE_BITS = ((4, ACCESS_READ), (2, ACCESS_MODIFY | ACCESS_EXTEND), (1, ACCESS_EXECUTE))
DIR_BITS = ((4, ACCESS_READ), (1, ACCESS_LOOKUP))
DIR_WRITE = ACCESS_MODIFY | ACCESS_EXTEND | ACCESS_DELETE
USERS = {"owner": ((1001, 1009), 6), "group": ((1003, 1002), 3), "supplementary": ((1003, 1009, (1000, 1002)), 3),
         "other": ((1003, 1009, (1004,)), 0)}


def wanted_of(bits, rwx):
    return sum(access for bit, access in bits if rwx & bit)


@test("N3ACC1", "v3 access perms", cites=[ACCESS, BITS])
def file_matrix(env):
    "ACCESS of a file for owner, group, supplementary group and others over all three bits"
    handle = env.file(b"f", b"x", 0, uid=1001, gid=1002)
    for rwx in range(8):
        for who, shift in USERS.values():
            mode = rwx << shift
            env.setattr(handle, mode=mode)
            got = env.as_user(*who).access(handle, ACCESS_ALL & ~ACCESS_DELETE).access
            equal(f"ACCESS of mode {mode:04o} for {who}", got & ~ACCESS_LOOKUP, wanted_of(FILE_BITS, rwx))


@test("N3ACC2", "v3 access perms", cites=[ACCESS, BITS, MEANING])
def directory_matrix(env):
    "ACCESS of a directory for owner, group, supplementary group and others over all three bits"
    handle = env.folder(b"d", 0, uid=1001, gid=1002)
    for rwx in range(8):
        for who, shift in USERS.values():
            mode = rwx << shift
            env.setattr(handle, mode=mode)
            got = env.as_user(*who).access(handle).access
            wanted = wanted_of(DIR_BITS, rwx) | (DIR_WRITE if rwx & 3 == 3 else 0)
            if rwx & 3 == 2:
                got &= ~DIR_WRITE
            equal(f"ACCESS of mode {mode:04o} for {who}", got & ~ACCESS_EXECUTE, wanted)


@test("N3ACC3", "v3 access perms", cites=[ACCESS, NORMAL])
def first_class_decides(env):
    "ACCESS by the class that comes first: owner before group before others"
    handle = env.file(b"f", b"x", 0o077, uid=1001, gid=1002)
    both = ACCESS_READ | ACCESS_MODIFY
    equal("owner", env.as_user(1001, 1002).access(handle, both).access, 0)
    env.setattr(handle, mode=0o707)
    equal("group", env.as_user(1003, 1002).access(handle, both).access, 0)
    equal("other", env.as_user(1003, 1003).access(handle, both).access, both)


@test("N3ACC4", "v3 access perms", cites=[BITS])
def each_bit_alone(env):
    "ACCESS answers no bit that wasn't asked for"
    handle = env.file(b"f", b"x", 0o755)
    sub = env.folder(b"d", 0o755)
    for bit in (1 << shift for shift in range(6)):
        meaningless = ACCESS_LOOKUP | ACCESS_DELETE
        equal("file", env.access(handle, bit).access & ~meaningless, bit & ~meaningless)
        equal("directory", env.access(sub, bit).access & ~ACCESS_EXECUTE, bit & ~ACCESS_EXECUTE)
        got = env.as_user(1001, 1001).access(sub, bit).access & ~ACCESS_EXECUTE
        equal("other", got, bit & (ACCESS_READ | ACCESS_LOOKUP))
    equal("nothing", env.access(handle, 0).access, 0)


@test("N3ACC5", "v3 access perms", cites=[ACCESS, NORMAL])
def root(env):
    "ACCESS for root of a file without permissions: all but EXECUTE"
    handle = env.file(b"f", b"x", 0, uid=1001, gid=1001)
    mask = ACCESS_READ | ACCESS_MODIFY | ACCESS_EXTEND | ACCESS_EXECUTE
    equal("ACCESS", env.access(handle, mask).access, ACCESS_READ | ACCESS_MODIFY | ACCESS_EXTEND)
    env.setattr(handle, mode=0o010)
    equal("ACCESS", env.access(handle, mask).access, mask)


@test("N3ACC6", "v3 access perms", cites=[
    ("RFC 1813 3.3.4", "The results of this procedure are necessarily advisory in nature."),
])
def access_changes_nothing(env):
    "ACCESS changes no attribute, also when bits are asked for that don't exist"
    handle = env.file(b"f", b"x", 0o644)
    before = env.getattr(handle).attributes
    equal("bits", env.access(handle, 0xFFFFFFFF).access & ACCESS_ALL, env.access(handle).access)
    equal("attributes", env.getattr(handle).attributes, before)


@test("N3PERM1", "v3 read write perms", cites=[NORMAL, ACCES])
def others(env):
    "READ and WRITE by somebody whom the mode forbids it, and by group members whom it allows it"
    handle = env.file(b"f", b"secret", 0o640, uid=1001, gid=1002)
    env.as_user(1003, 1003).read(handle, want="ACCES")
    env.as_user(1003, 1003).write(handle, 0, b"x", want="ACCES")
    equal("data", env.as_user(1003, 1002).read(handle).data, b"secret")
    equal("data", env.as_user(1003, 1003, (1005, 1002)).read(handle).data, b"secret")
    env.as_user(1003, 1002).write(handle, 0, b"x", want="ACCES")
    env.setattr(handle, mode=0o660)
    env.as_user(1003, 1002).write(handle, 0, b"S")
    equal("data", env.read(handle).data, b"Secret")


@test("N3PERM2", "v3 read write perms", cites=[OWNER])
def owner_override(env):
    "READ and WRITE by the owner of a file of mode 0444, and of mode 0"
    handle = env.file(b"f", b"abc", 0o444, uid=1001, gid=1001)
    owner = env.as_user(1001, 1001)
    equal("count", owner.write(handle, 0, b"A").count, 1)
    env.setattr(handle, mode=0)
    equal("data", owner.read(handle).data, b"Abc")
    equal("count", owner.write(handle, 1, b"B").count, 1)
    env.as_user(1002, 1001).read(handle, want="ACCES")
    env.as_user(1002, 1001).write(handle, 0, b"x", want="ACCES")
    equal("data", env.read(handle).data, b"ABc")


@test("N3PERM3", "v3 read perms", cites=[PAGING])
def execute_only(env):
    "READ of a file that one may only execute"
    handle = env.file(b"f", b"program", 0o711)
    equal("data", env.as_user(1001, 1001).read(handle).data, b"program")
    env.as_user(1001, 1001).write(handle, 0, b"x", want="ACCES")


@test("N3PERM4", "v3 create perms", cites=[NORMAL, ACCES])
def directory_without_write(env):
    "CREATE, MKDIR, SYMLINK, REMOVE, RMDIR, RENAME and LINK in a directory that one may not write"
    shut = env.folder(b"d", 0o755)
    handle = env.create(shut, b"f", 0o666).handle
    env.mkdir(shut, b"sub", 0o777)
    user = env.as_user(1001, 1001)
    user.create(shut, b"new", want="ACCES")
    user.create(shut, b"new", how=GUARDED, want="ACCES")
    user.create_exclusive(shut, b"new", b"verifier", want="ACCES")
    user.mkdir(shut, b"new", want="ACCES")
    user.symlink(shut, b"new", b"t", want="ACCES")
    user.remove(shut, b"f", want="ACCES")
    user.rmdir(shut, b"sub", want="ACCES")
    user.rename(shut, b"f", env.home, b"g", want="ACCES")
    user.rename(shut, b"f", shut, b"g", want="ACCES")
    user.link(handle, shut, b"g", want="ACCES")
    equal("names", sorted(entry.name for entry in env.listing(shut)), [b"f", b"sub"])


@test("N3PERM5", "v3 create perms", cites=[NORMAL])
def owner_of_new(env):
    "What CREATE, MKDIR, SYMLINK make belongs to the caller, with his group"
    user = env.as_user(1001, 1002, (1003,))
    for what, made in (("file", user.create(env.home, b"f", 0o600)), ("directory", user.mkdir(env.home, b"d", 0o700)),
                       ("symlink", user.symlink(env.home, b"l", b"t")),
                       ("exclusive", user.create_exclusive(env.home, b"e", b"12345678"))):
        equal(f"owner of the {what}", (made.attributes.uid, made.attributes.gid), (1001, 1002))


@test("N3PERM6", "v3 mkdir create perms", cites=[NORMAL])
def setgid_directory(env):
    "In a directory with the set-group-ID bit new objects have its group, and new directories its bit"
    parent = env.folder(b"d", 0o777)
    env.setattr(parent, gid=1005)
    env.setattr(parent, mode=0o2777)
    user = env.as_user(1001, 1002)
    equal("gid of a file", user.create(parent, b"f").attributes.gid, 1005)
    sub = user.mkdir(parent, b"s", 0o755).attributes
    equal("gid, mode of a directory", (sub.gid, sub.mode & 0o2000), (1005, 0o2000))


@test("N3PERM7", "v3 remove rename perms", cites=[NORMAL])
def sticky(env):
    "In a directory with the sticky bit only owners remove and rename"
    parent = env.folder(b"d", 0o1777)
    mine, other = env.as_user(1001, 1001), env.as_user(1002, 1002)
    mine.create(parent, b"f", 0o666)
    mine.create(parent, b"g", 0o666)
    other.create(parent, b"h", 0o666)
    other.remove(parent, b"f", want="ACCES PERM")
    other.rename(parent, b"f", parent, b"x", want="ACCES PERM")
    other.rename(parent, b"h", parent, b"g", want="ACCES PERM")
    mine.remove(parent, b"f")
    other.remove(parent, b"h")
    equal("names", [entry.name for entry in env.listing(parent)], [b"g"])


@test("N3PERM8", "v3 readdir perms", cites=[NORMAL, ACCES])
def listing_forbidden(env):
    "READDIR and READDIRPLUS need read permission on the directory"
    blind = env.folder(b"d", 0o711)
    env.create(blind, b"f")
    user = env.as_user(1001, 1001)
    user.readdir(blind, want="ACCES")
    user.readdirplus(blind, want="ACCES")
    env.setattr(blind, mode=0o755)
    equal("names", [entry.name for entry in user.listing(blind)], [b"f"])


@test("N3PERM9", "v3 write perms setuid", cites=[
    NORMAL,
    ("RFC 1813 2.5 fattr3", "0x00800 Set user ID on execution. 0x00400 Set group ID on execution."),
])
def write_clears_setuid(env):
    "WRITE by somebody else takes the set-ID bits of a program away"
    handle = env.file(b"f", b"program", 0o777)
    env.setattr(handle, mode=0o6777)
    env.as_user(1001, 1001).write(handle, 0, b"P")
    equal("mode", env.getattr(handle).attributes.mode, 0o777)


@test("N3PERM10", "v3 create perms", cites=[NORMAL])
def create_of_foreign_file(env):
    "UNCHECKED CREATE of somebody else's file keeps owner and data, and truncates only for those who may write"
    handle = env.file(b"f", b"abc", 0o644, uid=1002)
    env.as_user(1001, 1001).create(env.home, b"f", mode=None, size=0, how=UNCHECKED, want="ACCES")
    got = env.getattr(handle).attributes
    equal("uid, mode, size", (got.uid, got.mode, got.size), (1002, 0o644, 3))
    that(env.read(handle).data == b"abc", "the data is gone")
