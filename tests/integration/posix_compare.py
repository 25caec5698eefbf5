# SPDX-License-Identifier: LGPL-3.0-or-later
# posix_compare.py -- a fixed sequence of file operations, and what comes of each
"""posix_compare.py DIRECTORY: works in the directory, as root and as other users, and prints a line
per operation: SECTION: as USER OPERATION <tab> RESULT. What two file systems print can be compared line by line,
so nothing printed depends on time, inode numbers or the order of names."""

import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import stat
import sys

SHARED_GROUP = 77  # every user but root is in it
current = {"section": "", "user": 0}


def say(operation, result):
    print(f"{current['section']}: as {current['user']} {operation}\t{result}", flush=True)


def error_name(error):
    # 524: what Linux's NFS client makes of a server's NOTSUPP is an error of the kernel's own. EOPNOTSUPP has a
    # second name, and which of the two errorcode knows depends on Python's version.
    names = {524: "ENOTSUPP", errno.EOPNOTSUPP: "EOPNOTSUPP"}
    return names.get(error.errno) or errno.errorcode.get(error.errno, f"errno {error.errno}")


def do(operation, function, *arguments, **options):
    """Calls the function, and prints what came of it."""
    try:
        result = function(*arguments, **options)
    except OSError as error:
        say(operation, error_name(error))
        return
    say(operation, "ok" if result is None else result)


def become(user):
    os.seteuid(0)
    os.setgroups([user, SHARED_GROUP] if user else [0])
    os.setegid(user)
    os.seteuid(user)
    current["user"] = user


class File:
    """An open file; flags by their names without O_. Where open fails, the rest does nothing."""

    def __init__(self, path, flags, mode=0):
        number = 0
        for flag in flags.split():
            number |= getattr(os, f"O_{flag}")
        self.path, self.fd = path, None
        do(f"open {path} {flags} {mode:o}", self._open, number, mode)

    def _open(self, flags, mode):
        self.fd = os.open(self.path, flags, mode)

    def _do(self, operation, function, *arguments):
        if self.fd is not None:
            do(f"{operation} {self.path}", function, self.fd, *arguments)

    def write(self, offset, text):
        self._do(f"write {len(text)}@{offset}", os.pwrite, text.encode(), offset)

    def read(self, offset, count):
        self._do(f"read {count}@{offset}", os.pread, count, offset)

    def truncate(self, size):
        self._do(f"ftruncate {size}", os.ftruncate, size)

    def sync(self):
        self._do("fsync", os.fsync)

    def chmod(self, mode):
        self._do(f"fchmod {mode:o}", os.fchmod, mode)

    def run(self, operation, function, *arguments):
        self._do(operation, function, *arguments)

    def close(self):
        self._do("close", os.close)
        self.fd = None


def show(path):
    def attributes():
        s = os.lstat(path)
        return f"mode {s.st_mode:o} nlink {s.st_nlink} uid {s.st_uid} gid {s.st_gid} size {s.st_size}"

    do(f"stat {path}", attributes)


def mkdir(path, mode):
    do(f"mkdir {path} {mode:o}", os.mkdir, path, mode)


def rmdir(path):
    do(f"rmdir {path}", os.rmdir, path)


def unlink(path):
    do(f"unlink {path}", os.unlink, path)


def rename(old, new):
    do(f"rename {old} {new}", os.rename, old, new)


def chmod(path, mode):
    do(f"chmod {path} {mode:o}", os.chmod, path, mode)


def chown(path, user, group):
    do(f"chown {path} {user} {group}", os.chown, path, user, group)


def truncate(path, size):
    do(f"truncate {path} {size}", os.truncate, path, size)


def access(path, mode):
    do(f"access {path} {mode}", os.access, path, mode, effective_ids=True)


def put(path, text, mode=0o644):
    file = File(path, "CREAT WRONLY", mode)
    file.write(0, text)
    file.close()


# --- sections, in the order in which they run; each works in a directory of its own ----------------------


def directories():
    mkdir("d", 0o777)
    mkdir("d", 0o777)
    show("d")
    become(1000)
    mkdir("d/user", 0o750)
    show("d/user")
    become(2000)
    mkdir("d/user/x", 0o755)
    mkdir("d/none/x", 0o755)
    mkdir("d/setgid", 0o2777)
    show("d/setgid")
    become(1000)
    mkdir("d/setgid/below", 0o755)
    show("d/setgid/below")
    put("d/setgid/file", "group of the directory")
    show("d/setgid/file")
    show("d")


def creation():
    become(1000)
    file = File("a", "CREAT RDWR", 0o644)
    file.write(0, "hello world")
    file.read(0, 5)
    file.read(6, 100)
    file.read(11, 10)
    file.write(100, "tail")
    file.read(90, 10)
    file.sync()
    file.close()
    show("a")
    file = File("a", "CREAT RDWR", 0o600)
    file.read(0, 5)
    file.close()
    file = File("a", "CREAT WRONLY APPEND", 0o600)
    file.write(0, "appended")
    file.close()
    show("a")


def exclusive_creation():
    become(1000)
    put("a", "there")
    File("a", "CREAT EXCL RDWR", 0o644).close()
    for name, flags, mode in (
        ("new", "CREAT EXCL RDWR", 0o640),
        ("no-mode", "CREAT EXCL RDWR", 0),
        ("read-only", "CREAT EXCL RDWR TRUNC", 0o444),
    ):
        file = File(name, flags, mode)
        file.write(0, name)
        file.read(0, 3)
        file.close()
        show(name)
    # The verifier of an exclusive creation rests in the times until the client has set them.
    times = os.stat("new")
    say("times of new are real", 1.5e9 < times.st_atime < 4e9 and 1.5e9 < times.st_mtime < 4e9)
    File("new", "CREAT EXCL RDWR", 0o640).close()


def truncation():
    become(1000)
    put("a", "something long")
    file = File("a", "RDWR TRUNC")
    file.write(0, "new")
    file.close()
    show("a")
    for size in (1000, 2):
        truncate("a", size)
        show("a")
    file = File("a", "RDWR")
    file.truncate(50)
    file.write(50, "end")
    file.read(48, 10)
    file.close()
    become(2000)
    truncate("a", 0)
    become(1000)
    truncate("none", 0)
    File("a", "CREAT TRUNC RDWR", 0o600).close()
    show("a")


def permissions():
    become(1000)
    file = File("read-only", "CREAT RDWR", 0o444)
    file.write(0, "by its creator")
    file.sync()
    file.close()
    show("read-only")
    put("private", "private", 0o600)
    for user in (1000, 2000, 0):
        become(user)
        for path in ("read-only", "private"):
            for flags in ("RDONLY", "RDWR", "CREAT RDWR"):
                file = File(path, flags, 0o666)
                file.read(0, 20)
                file.close()
            access(path, os.R_OK)
            access(path, os.W_OK)
            access(path, os.X_OK)
    chown("private", 1000, SHARED_GROUP)
    chmod("private", 0o640)
    become(2000)
    file = File("private", "RDONLY")
    file.read(0, 8)
    file.close()
    File("private", "RDWR").close()


def run_as_current_user(path):
    """The exit status of a program that the effective user and group run."""
    child = os.fork()
    if not child:
        user, group = os.geteuid(), os.getegid()
        try:
            os.seteuid(0)
            os.setresgid(group, group, group)
            os.setresuid(user, user, user)
            os.execv(path, [path])
        except OSError as error:
            os._exit(error.errno)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def execution():
    program = pathlib.Path("/bin/true").read_bytes()
    do("copy true", pathlib.Path("true").write_bytes, program)
    chmod("true", 0o711)
    become(1000)
    File("true", "RDONLY").close()
    # The second time the client may have it all in its cache.
    do("run true", run_as_current_user, "./true")
    do("run true again", run_as_current_user, "./true")
    become(0)
    chmod("true", 0o644)
    become(1000)
    do("run true that isn't executable", run_as_current_user, "./true")


def several_opens():
    become(1000)
    put("a", "one")
    reader = File("a", "RDONLY")
    writer = File("a", "RDWR")
    writer.write(0, "two")
    reader.read(0, 3)
    writer.close()
    reader.read(0, 3)
    writer = File("a", "WRONLY")
    writer.write(3, "W")
    reader.close()
    writer.write(4, "X")
    writer.close()
    show("a")
    file = File("a", "RDWR")
    file.chmod(0)
    file.write(0, "zz")
    file.sync()
    file.read(0, 2)
    file.truncate(1)
    file.close()
    File("a", "RDWR").close()
    chmod("a", 0o640)
    show("a")


def attributes():
    become(1000)
    put("a", "x")
    become(2000)
    chmod("a", 0o777)
    chown("a", 2000, 2000)
    become(1000)
    chown("a", 2000, 1000)
    chown("a", -1, 3000)
    chown("a", -1, SHARED_GROUP)
    show("a")
    become(0)
    chown("a", 2000, 2000)
    chmod("a", 0o6755)
    show("a")
    become(2000)
    put("a", "takes setuid and setgid away")
    show("a")
    chmod("a", 0o4755)
    truncate("a", 1)
    do("is setuid after truncate a", lambda: bool(os.stat("a").st_mode & stat.S_ISUID))
    chmod("a", 0o755)
    show("a")
    times = {"ns": (1_000_000_000_001, 2_000_000_000_005)}
    do("utimens a", os.utime, "a", **times)
    do("times of a", lambda: f"{os.stat('a').st_atime_ns} {os.stat('a').st_mtime_ns}")
    become(1000)
    do("utimens a", os.utime, "a", **times)
    do("utimens a to now", os.utime, "a")
    become(2000)
    do("utimens a to now", os.utime, "a")


def renames():
    become(1000)
    put("file", "first")
    put("other", "second")
    mkdir("dir", 0o755)
    inode = os.stat("file").st_ino
    rename("file", "dir/file")
    say("the inode stays", os.stat("dir/file").st_ino == inode)
    show("file")
    rename("dir/file", "other")
    show("other")
    show("dir/file")
    rename("none", "x")
    rename("other", "dir")
    rename("dir", "other")
    rename("dir", "dir2")
    mkdir("dir2/from", 0o755)
    mkdir("dir2/to", 0o755)
    rename("dir2/from", "dir2/to/moved")
    show("dir2")
    show("dir2/to")
    say("its parent is the new one", os.stat("dir2/to").st_ino == os.stat("dir2/to/moved/..").st_ino)
    rename("dir2", "dir2/to/below-itself")
    rename("dir2/to", "dir2")
    become(2000)
    rename("dir2/to", "dir2/taken")
    become(0)
    mkdir("sticky", 0o1777)
    become(1000)
    put("sticky/mine", "mine")
    become(2000)
    rename("sticky/mine", "sticky/yours")
    unlink("sticky/mine")


def removals():
    become(1000)
    mkdir("dir", 0o755)
    mkdir("dir/in", 0o755)
    put("file", "x")
    rmdir("dir")
    unlink("dir")
    unlink("none")
    rmdir("none")
    rmdir("file")
    become(2000)
    rmdir("dir/in")
    become(1000)
    rmdir("dir/in")
    rmdir("dir")
    file = File("gone", "CREAT RDWR", 0o644)
    file.write(0, "gone")
    unlink("gone")
    show("gone")
    file.read(0, 4)
    file.write(4, "more")
    file.read(0, 8)
    file.sync()
    file.close()
    victim = File("victim", "CREAT RDWR", 0o644)
    victim.write(0, "victim")
    put("killer", "killer")
    rename("killer", "victim")
    victim.read(0, 6)
    victim.close()
    victim = File("victim", "RDONLY")
    victim.read(0, 6)
    victim.close()


def names():
    become(1000)
    longest = "n" * 255
    put(longest, "x")
    unlink(longest)
    mkdir(longest + "n", 0o755)
    put(longest + "n", "x")
    for name in (b"\xc3\xa4\xff", b" ", b"a b\\c\"d", b"new\nline", b"...", b"-"):
        text = repr(name)
        do(f"create {text}", lambda path=name: os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)))
        do(f"is listed {text}", lambda path=name: os.listdir(b".").count(path))
        do(f"unlink {text}", os.unlink, name)
    mkdir("d", 0o755)
    put("a", "x")
    File("d", "RDWR").close()
    File("d", "CREAT RDWR", 0o644).close()
    File("a/b", "CREAT RDWR", 0o644).close()
    File("a", "RDONLY DIRECTORY").close()
    show("a/b")
    show("d/../a")


def listings():
    mkdir("big", 0o777)
    every = [f"f{i:04}" for i in range(700)]
    for name in every:
        pathlib.Path("big", name).write_bytes(b"")
    for first in (0, 250):
        do("all are listed once", lambda: sorted(os.listdir("big")) == every)
        for name in every[:250]:
            os.unlink(f"big/{name}")
        del every[:250]
    say("names that are left", len(os.listdir("big")))
    with os.scandir("big") as entries:
        removed = 0
        for entry in entries:
            os.unlink(entry.path)
            removed += 1
    say("removed while being listed", removed)
    rmdir("big")
    become(1000)
    mkdir("closed", 0o700)
    put("closed/file", "x")
    mkdir("searchable", 0o711)
    put("searchable/file", "x")
    become(2000)
    for directory in ("closed", "searchable"):
        do(f"list {directory}", os.listdir, directory)
        show(f"{directory}/file")


def mappings():
    become(1000)
    file = File("mapped", "CREAT RDWR", 0o644)
    file.truncate(100000)
    with mmap.mmap(file.fd, 100000) as memory:
        memory[50000] = ord("M")
        memory[99999] = ord("E")
        do("msync", memory.flush)
    file.read(49999, 3)
    file.close()
    show("mapped")
    file = File("direct", "CREAT RDWR DIRECT", 0o644)
    with mmap.mmap(-1, 1 << 20) as memory:
        memory.write(b"D" * (1 << 20))
        file.run("write 1M directly", os.pwritev, [memory], 0)
        file.run("read 1M@512K directly", os.preadv, [memory], 512 << 10)
        file.run("read 1M@1M directly", os.preadv, [memory], 1 << 20)
    file.close()
    show("direct")
    file = File("far", "CREAT RDWR", 0o644)
    file.write(1 << 40, "far")
    file.sync()
    file.read((1 << 40) - 2, 5)
    file.write((1 << 63) - 8, "farther")
    file.close()
    show("far")


def volume():
    do("longest name", lambda: os.statvfs(".").f_namemax)
    do("is writable", lambda: not os.statvfs(".").f_flag & os.ST_RDONLY)
    put("a", "x" * 1000)
    put("b", "")
    source, target = os.open("a", os.O_RDONLY), os.open("b", os.O_WRONLY)
    do("copy_file_range", os.copy_file_range, source, target, 2000)
    os.close(source)
    os.close(target)
    show("b")


def special_files():
    become(1000)
    put("a", "x" * 100000)
    do("symlink", os.symlink, "a", "symbolic")
    do("readlink", os.readlink, "symbolic")
    do("link", os.link, "a", "hard")
    do("mknod", os.mknod, "fifo", stat.S_IFIFO | 0o644)
    do("setxattr", os.setxattr, "a", "user.x", b"v")
    do("listxattr", os.listxattr, "a")


def fallocate(fd, offset, length):
    """The system call itself: posix_fallocate would write zeros where the server can't."""
    call = ctypes.CDLL(None, use_errno=True).fallocate
    if call(fd, 0, ctypes.c_int64(offset), ctypes.c_int64(length)):
        raise OSError(ctypes.get_errno(), "fallocate")


def ranges():
    become(1000)
    put("a", "x" * 100000)
    file = File("a", "RDWR")
    file.run("lock", fcntl.lockf, fcntl.LOCK_EX | fcntl.LOCK_NB, 10)
    file.run("unlock", fcntl.lockf, fcntl.LOCK_UN, 10)
    file.run("flock", fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.run("unflock", fcntl.flock, fcntl.LOCK_UN)
    file.truncate(500000)
    file.sync()
    file.run("seek hole", os.lseek, 0, os.SEEK_HOLE)
    file.run("seek data", os.lseek, 200000, os.SEEK_DATA)
    file.run("fallocate", fallocate, 0, 400000)
    file.close()
    show("a")


SECTIONS = (
    directories, creation, exclusive_creation, truncation, permissions, execution, several_opens, attributes,
    renames, removals, names, listings, mappings, volume, special_files, ranges,
)


def main():
    os.umask(0)
    os.chdir(sys.argv[1])
    for section in SECTIONS:
        current["section"] = section.__name__
        become(0)
        os.mkdir(section.__name__)
        os.chmod(section.__name__, 0o777)
        os.chdir(section.__name__)
        section()
        become(0)
        os.chdir("..")


main()
