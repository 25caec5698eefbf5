# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_create.py -- CREATE, MKDIR, SYMLINK, READLINK and MKNOD of NFS v3
from nfs3 import BLK, CHR, DIR, FIFO, GUARDED, LNK, REG, SERVER_TIME, SOCK, UNCHECKED, stamp
from suite import equal, test, that

UNCHECKED_TEXT = ("RFC 1813 3.3.8", "UNCHECKED means that the file should be created without checking for the "
                                    "existence of a duplicate file in the same directory. In this case, "
                                    "how.obj_attributes is a sattr3 describing the initial attributes for the file.")
GUARDED_TEXT = ("RFC 1813 3.3.8", "GUARDED specifies that the server should check for the presence of a duplicate "
                                  "file before performing the create and should fail the request with NFS3ERR_EXIST "
                                  "if a duplicate file exists.")
EXCLUSIVE_TEXT = ("RFC 1813 3.3.8", "EXCLUSIVE specifies that the server is to follow exclusive creation semantics, "
                                    "using the verifier to ensure exclusive creation of the target.")
EXIST = ("RFC 1813 2.6", "NFS3ERR_EXIST: File exists. The file specified already exists.")
MKDIR = ("RFC 1813 3.3.9", "Procedure MKDIR creates a new subdirectory. attributes: The initial attributes for the "
                           "subdirectory.")
MKDIR_DOTS = ("RFC 1813 3.3.9", "Many server implementations will not allow the filenames, \".\" or \"..\", to be "
                                "used as targets in a MKDIR operation. In this case, the server should return "
                                "NFS3ERR_EXIST.")
SYMLINK = ("RFC 1813 3.3.10", "Procedure SYMLINK creates a new symbolic link.")
READLINK = ("RFC 1813 3.3.5", "The data is an ASCII string that is opaque to the server: the data in a symbolic link "
                              "is not interpreted when created, but is simply stored.")
NOT_A_LINK = ("RFC 1813 3.3.5", "The READLINK operation is only allowed on objects of type, NF3LNK. The server should "
                                "return the error, NFS3ERR_INVAL, if the object is not of type, NF3LNK.")
MKNOD = ("RFC 1813 3.3.11", "Procedure MKNOD creates a new special file of the type, what.type.")
BADTYPE = ("RFC 1813 3.3.11", "The server should return NFS3ERR_BADTYPE if what.type is any other value than NF3CHR, "
                              "NF3BLK, NF3SOCK and NF3FIFO.")
DUPLICATES = (("file", lambda env: env.file(b"x")), ("directory", lambda env: env.folder(b"x")),
              ("symlink", lambda env: env.symlink(env.home, b"x", b"nowhere")),
              ("fifo", lambda env: env.mknod(env.home, b"x", FIFO)))


def over_each(env, call):
    """The call, while its name belongs to an object of another type each time, which has to survive."""
    for what, make in DUPLICATES:
        make(env)
        before = env.lookup(env.home, b"x").attributes
        call()
        equal(f"the {what}", env.lookup(env.home, b"x").attributes, before)
        (env.rmdir if before.type == DIR else env.remove)(env.home, b"x")


@test("N3CREA1", "v3 create", cites=[UNCHECKED_TEXT])
def unchecked(env):
    "UNCHECKED CREATE of a new file with mode, owner, group and times"
    made = env.create(env.home, b"f", 0o751, uid=1001, gid=1002, atime=stamp(5, 6), mtime=stamp(7, 8))
    got = made.attributes
    equal("type, mode, size", (got.type, got.mode, got.size), (REG, 0o751, 0))
    equal("uid, gid", (got.uid, got.gid), (1001, 1002))
    equal("times", (got.atime, got.mtime), (stamp(5, 6), stamp(7, 8)))
    equal("handle", env.lookup(env.home, b"f").handle, made.handle)


@test("N3CREA2", "v3 create", cites=[UNCHECKED_TEXT])
def unchecked_again(env):
    "UNCHECKED CREATE of a file that exists is that file, with its data"
    handle = env.file(b"f", b"data")
    again = env.create(env.home, b"f", None, UNCHECKED)
    equal("handle", again.handle, handle)
    equal("size", again.attributes.size, 4)
    equal("data", env.read(handle).data, b"data")


@test("N3CREA3", "v3 create size", cites=[
    UNCHECKED_TEXT,
    ("RFC 1813 3.3.2", "A value of 0 causes the file to be truncated."),
])
def unchecked_truncates(env):
    "UNCHECKED CREATE with size 0 truncates a file that exists"
    handle = env.file(b"f", b"data")
    again = env.create(env.home, b"f", None, UNCHECKED, size=0)
    equal("handle", again.handle, handle)
    equal("size", again.attributes.size, 0)
    equal("data", env.read(handle).data, b"")


@test("N3CREA4", "v3 create size", cites=[UNCHECKED_TEXT])
def create_with_size(env):
    "CREATE of a new file with a size"
    made = env.create(env.home, b"f", 0o600, GUARDED, size=10000)
    equal("size", made.attributes.size, 10000)
    equal("data", env.read(made.handle, 0, 20000).data, bytes(10000))


@test("N3CREA5", "v3 create", cites=[GUARDED_TEXT, EXIST])
def guarded(env):
    "GUARDED CREATE of a new name, and of names that exist"
    made = env.create(env.home, b"f", 0o640, GUARDED)
    equal("mode", made.attributes.mode, 0o640)
    over_each(env, lambda: env.create(env.home, b"x", how=GUARDED, size=0, want="EXIST"))


@test("N3CREA6", "v3 create", cites=[EXCLUSIVE_TEXT])
def exclusive(env):
    "EXCLUSIVE CREATE, repeated with its verifier, is the same file"
    made = env.create_exclusive(env.home, b"f", b"verifier")
    equal("type", made.attributes.type, REG)
    again = env.create_exclusive(env.home, b"f", b"verifier")
    equal("handle", again.handle, made.handle)
    env.reconnect()
    equal("handle", env.create_exclusive(env.home, b"f", b"verifier").handle, made.handle)
    equal("names", [entry.name for entry in env.listing(env.home)], [b"f"])


@test("N3CREA7", "v3 create", cites=[EXCLUSIVE_TEXT, EXIST])
def exclusive_other_verifier(env):
    "EXCLUSIVE CREATE of a file that exists by another verifier, in either half"
    env.create_exclusive(env.home, b"f", b"verifier")
    for verf in (b"Verifier", b"veriFier", b"verifieR", bytes(8), b"\xff" * 8):
        env.create_exclusive(env.home, b"f", verf, want="EXIST")
    env.create(env.home, b"f", how=GUARDED, want="EXIST")


@test("N3CREA8", "v3 create", cites=[EXCLUSIVE_TEXT, EXIST])
def exclusive_of_others(env):
    "EXCLUSIVE CREATE over objects that were made otherwise"
    over_each(env, lambda: env.create_exclusive(env.home, b"x", b"verifier", want="EXIST"))


@test("N3CREA9", "v3 create setattr", cites=[
    EXCLUSIVE_TEXT,
    ("RFC 1813 3.3.8", "Once the client has performed a successful exclusive create, it must perform a SETATTR "
     "operation to set the file attributes correctly."),
])
def exclusive_then_setattr(env):
    "EXCLUSIVE CREATE, SETATTR, and then another one with the verifier finds the file taken or its own"
    made = env.create_exclusive(env.home, b"f", b"verifier")
    after = env.setattr(made.handle, mode=0o640, atime=SERVER_TIME, mtime=SERVER_TIME).wcc.after
    equal("mode", after.mode, 0o640)
    that(abs(after.mtime.seconds - after.ctime.seconds) <= 1, "mtime is still the verifier")
    equal("mode", env.lookup(env.home, b"f").attributes.mode, 0o640)


@test("N3CREA10", "v3 create", cites=[UNCHECKED_TEXT, EXIST])
def unchecked_over_others(env):
    "UNCHECKED CREATE over a directory, a symbolic link and a fifo doesn't replace them"
    for _, make in DUPLICATES[1:]:
        make(env)
        before = env.lookup(env.home, b"x").attributes
        env.create(env.home, b"x", None, UNCHECKED, want="EXIST ISDIR INVAL")
        equal("the object", env.lookup(env.home, b"x").attributes, before)
        (env.rmdir if before.type == DIR else env.remove)(env.home, b"x")


@test("N3CREA11", "v3 create names", cites=[
    ("RFC 1813 3.2", "The server should be able to handle a filename having the value of \".\" or \"..\" correctly."),
    EXIST,
])
def create_dots(env):
    "CREATE of . and .. makes nothing"
    for name in (b".", b".."):
        env.create(env.home, name, how=GUARDED, want="EXIST ISDIR INVAL ACCES")
        env.create(env.home, name, None, how=UNCHECKED, want="EXIST ISDIR INVAL ACCES")
        env.symlink(env.home, name, b"t", want="EXIST ISDIR INVAL ACCES")
        env.mknod(env.home, name, FIFO, want="EXIST ISDIR INVAL ACCES")
    equal("names", env.listing(env.home), [])


@test("N3CREA12", "v3 create setuid", cites=[
    UNCHECKED_TEXT,
    ("RFC 1813 2.5 fattr3", "0x00800 Set user ID on execution. 0x00400 Set group ID on execution. 0x00200 Save "
     "swapped text."),
])
def create_with_setuid(env):
    "CREATE by root with set-ID bits, for itself and for another owner"
    equal("mode", env.create(env.home, b"f", 0o6751).attributes.mode, 0o6751)
    equal("mode", env.create(env.home, b"g", 0o6751, uid=1001, gid=1002).attributes.mode, 0o6751)


@test("N3MKDR1", "v3 mkdir", cites=[MKDIR])
def mkdir(env):
    "MKDIR with mode, owner and group; the new one is empty but for . and .."
    made = env.mkdir(env.home, b"d", 0o1751, uid=1001, gid=1002)
    got = made.attributes
    equal("type, mode", (got.type, got.mode), (DIR, 0o1751))
    equal("uid, gid", (got.uid, got.gid), (1001, 1002))
    part = env.readdir(made.handle)
    that({entry.name for entry in part.entries} <= {b".", b".."} and part.eof, "a new directory isn't empty")


@test("N3MKDR2", "v3 mkdir", cites=[MKDIR, EXIST])
def mkdir_over(env):
    "MKDIR over objects of each type"
    over_each(env, lambda: env.mkdir(env.home, b"x", want="EXIST"))


@test("N3MKDR3", "v3 mkdir names", cites=[MKDIR_DOTS])
def mkdir_dots(env):
    "MKDIR of . and .."
    env.mkdir(env.home, b".", want="EXIST")
    env.mkdir(env.home, b"..", want="EXIST")


@test("N3MKDR4", "v3 mkdir", cites=[MKDIR])
def deep(env):
    "MKDIR 40 levels deep with long names: longer together than any path"
    at = env.home
    for level in range(40):
        at = env.mkdir(at, b"%03d" % level + b"n" * 197).handle
    made = env.create(at, b"f").handle
    env.write(made, 0, b"deep")
    equal("data", env.read(env.lookup(at, b"f").handle).data, b"deep")
    for level in range(39, -1, -1):
        env.lookup(at, b"..")
        at = env.lookup(at, b"..").handle
    equal("the top", at, env.home)


@test("N3SYML1", "v3 symlink readlink", cites=[SYMLINK, READLINK])
def symlink(env):
    "SYMLINK and READLINK of a text with mode-less attributes"
    made = env.symlink(env.home, b"l", b"some/where", uid=1001, gid=1002)
    got = made.attributes
    equal("type, size", (got.type, got.size), (LNK, 10))
    equal("uid, gid", (got.uid, got.gid), (1001, 1002))
    equal("target", env.readlink(made.handle).target, b"some/where")


@test("N3SYML2", "v3 symlink readlink names", cites=[READLINK])
def odd_targets(env):
    "READLINK of targets with every byte but NUL, slashes in any places, dots"
    for at, target in enumerate((bytes(range(1, 256)), b"/", b"//x//", b"..", b"../../etc", b"a b\nc",
                                 "gr\u00fc\u00df".encode(), b"\xff\xfe\x80", b"%s%n", b" ")):
        made = env.symlink(env.home, b"l%d" % at, target)
        equal("target", env.readlink(made.handle).target, target)
        equal("size", made.attributes.size, len(target))


@test("N3SYML3", "v3 symlink readlink", cites=[
    READLINK,
    ("RFC 1813 2.6", "NFS3ERR_NAMETOOLONG: The filename in an operation was too long."),
])
def long_targets(env):
    "READLINK of short and long targets (59 to 1023 bytes); a target too long for any file system is refused"
    for size in (1, 59, 60, 61, 255, 256, 1023):
        made = env.symlink(env.home, b"l%d" % size, b"t" * size)
        equal("target", env.readlink(made.handle).target, b"t" * size)
    env.symlink(env.home, b"huge", b"t" * 8000, want="NAMETOOLONG INVAL")
    env.lookup(env.home, b"huge", want="NOENT")


@test("N3SYML4", "v3 symlink readlink", cites=[READLINK])
def target_of_4095(env):
    "READLINK of a target of 4095 bytes, the longest path"
    made = env.symlink(env.home, b"l", b"t" * 4095, want="OK NAMETOOLONG")
    if made.status == 0:
        equal("target", env.readlink(made.handle).target, b"t" * 4095)
    else:
        equal("names", env.listing(env.home), [])


@test("N3SYML5", "v3 symlink", cites=[SYMLINK, EXIST])
def symlink_over(env):
    "SYMLINK over objects of each type"
    over_each(env, lambda: env.symlink(env.home, b"x", b"target", want="EXIST"))


@test("N3SYML6", "v3 symlink xdr", cites=[READLINK, ("RFC 1813 2.6", "NFS3ERR_INVAL: Invalid argument.")])
def strange_targets(env):
    "SYMLINK to an empty text, or one with NUL, is refused or kept as it is"
    for at, target in enumerate((b"", b"a\0b")):
        made = env.symlink(env.home, b"l%d" % at, target, want="OK INVAL NOENT ACCES")
        if made.status == 0:
            equal("target", env.readlink(made.handle).target, target)


@test("N3RLNK1", "v3 readlink", cites=[NOT_A_LINK])
def readlink_of_others(env):
    "READLINK of a file, a directory, a fifo and a device"
    each = env.one_of_each()
    for kind in (REG, DIR, FIFO, SOCK, CHR, BLK):
        env.readlink(each[kind], want="INVAL")
    equal("target", env.readlink(each[LNK]).target, b"target")


@test("N3RLNK2", "v3 readlink perms", cites=[READLINK])
def readlink_by_others(env):
    "READLINK by anybody: a link has no permissions that count"
    link = env.symlink(env.home, b"l", b"target", mode=0o700).handle
    equal("target", env.as_user(1001, 1001).readlink(link).target, b"target")


@test("N3MKND1", "v3 mknod", cites=[MKNOD])
def fifo_and_socket(env):
    "MKNOD of a fifo and a socket with mode and owner"
    for kind, name in ((FIFO, b"p"), (SOCK, b"s")):
        got = env.mknod(env.home, name, kind, 0o640, uid=1001, gid=1002).attributes
        equal("type, mode", (got.type, got.mode), (kind, 0o640))
        equal("uid, gid, size", (got.uid, got.gid, got.size), (1001, 1002, 0))
        equal("type", env.lookup(env.home, name).attributes.type, kind)


@test("N3MKND2", "v3 mknod", cites=[
    MKNOD,
    ("RFC 1813 3.3.11", "spec: The device number information: for NF3CHR and NF3BLK, specdata1 is the major and "
     "specdata2 the minor device number."),
])
def devices(env):
    "MKNOD of devices with small and large numbers"
    for at, rdev in enumerate(((1, 3), (0, 0), (8, 17), (255, 255), (259, 65536), (4095, 1048575))):
        for kind in (CHR, BLK):
            name = b"%d-%d" % (kind, at)
            got = env.mknod(env.home, name, kind, 0o600, rdev).attributes
            equal("type, mode", (got.type, got.mode), (kind, 0o600))
            equal("rdev", (got.rdev.major, got.rdev.minor), rdev)
            equal("attributes", env.lookup(env.home, name).attributes, got)


@test("N3MKND3", "v3 mknod", cites=[BADTYPE])
def mknod_of_others(env):
    "MKNOD of types that it doesn't make"
    for kind in (REG, DIR, LNK):
        env.mknod(env.home, b"x", kind, want="BADTYPE")
    env.lookup(env.home, b"x", want="NOENT")


@test("N3MKND4", "v3 mknod", cites=[MKNOD, EXIST])
def mknod_over(env):
    "MKNOD over objects of each type"
    over_each(env, lambda: env.mknod(env.home, b"x", FIFO, want="EXIST"))


@test("N3MKND5", "v3 mknod perms", cites=[
    MKNOD,
    ("RFC 1813 2.6", "NFS3ERR_PERM: Not owner. The operation was not allowed because the caller is either not a "
     "privileged user (root) or not the owner of the target of the operation."),
])
def mknod_by_user(env):
    "MKNOD by a user: a fifo and a socket, but no device"
    user = env.as_user(1001, 1001)
    equal("uid", user.mknod(env.home, b"p", FIFO).attributes.uid, 1001)
    equal("uid", user.mknod(env.home, b"s", SOCK).attributes.uid, 1001)
    user.mknod(env.home, b"c", CHR, rdev=(1, 3), want="PERM ACCES")
    user.mknod(env.home, b"b", BLK, rdev=(1, 3), want="PERM ACCES")
    equal("names", sorted(entry.name for entry in env.listing(env.home)), [b"p", b"s"])
