# SPDX-License-Identifier: LGPL-3.0-or-later
# workloads.py -- the parts of the guest of workloads that want a program
"""workloads.py COMMAND ...

project DIR            writes a C project with a Makefile; "./program" prints the number in "expected"
tree DIR               makes a tree of everything that archives carry
xattrs DIR             gives the tree's files and directories extended attributes
describe DIR           prints all of a tree but its symbolic links' times: two that print the same are the same
sqlite FILE WRITERS    writes to a database with as many processes at a time, and checks it"""

import hashlib
import os
import pathlib
import sqlite3
import stat
import subprocess
import sys

MODULES = 14
TRANSACTIONS, ROWS = 12, 5  # of each of the database's writers


def project(directory):
    root = pathlib.Path(directory)
    for folder in ("lib", "include"):
        (root / folder).mkdir(parents=True)
    for number in range(MODULES):
        (root / f"include/part{number}.h").write_text(f"int part{number}(int);\n", encoding="ascii")
        below = f"part{number - 1}(value) + " if number else ""
        header = f'#include "part{number - 1}.h"\n' if number else ""
        (root / f"lib/part{number}.c").write_text(
            f'#include "part{number}.h"\n{header}int part{number}(int value) {{ return {below}value * {number}; }}\n',
            encoding="ascii",
        )
    last = MODULES - 1
    (root / "main.c").write_text(
        f'#include <stdio.h>\n#include "part{last}.h"\nint main(void) {{ return printf("%d\\n", part{last}(3)) < 0; }}\n',
        encoding="ascii",
    )
    (root / "expected").write_text(f"{3 * last * MODULES // 2}\n", encoding="ascii")
    (root / "Makefile").write_text(
        """CFLAGS = -O1 -Iinclude -MMD
objects := $(patsubst %.c,%.o,$(wildcard lib/*.c))
all: program
program: main.o libparts.a
\t$(CC) -o $@ main.o -L. -lparts
libparts.a: $(objects)
\tar rcs $@ $^
-include $(wildcard *.d lib/*.d)
""",
        encoding="ascii",
    )


def tree(directory):
    root = os.fsencode(directory)
    names = [b"plain", b"with space", b"-dash", b"new\nline", b"back\\slash", b"quote'\"", b"*?[", b"l\xc3\xb6ng",
        b"\xff\xfe\x80", b"n" * 255, b"\x01\x7f", b".hidden", b"trail. "]
    for number, name in enumerate(names):
        path = os.path.join(root, name)
        write(path, bytes([number]) * (number * 1000))
        os.chown(path, number, 4000000000 + number)
        os.chmod(path, (0o644, 0o4755, 0o2755, 0o1644, 0o000, 0o7777)[number % 6])
    folder = os.path.join(root, b"dir \xfe")
    for number in range(3):
        folder = os.path.join(folder, b"%d" % number)
        os.makedirs(folder)
        write(os.path.join(folder, b"file"), os.urandom(70000))
        os.link(os.path.join(folder, b"file"), os.path.join(root, b"hard%d" % number))
        os.chown(folder, 1000 + number, 100)
        os.chmod(folder, (0o1777, 0o2750, 0o700)[number])
    os.mkdir(os.path.join(root, b"empty"))
    write(os.path.join(root, b"nothing"), b"")
    with open(os.path.join(root, b"sparse"), "wb") as file:
        for offset in (0, 300000, 5 << 20):
            file.seek(offset)
            file.write(b"data at %d" % offset)
        file.truncate(8 << 20)
    os.symlink(b"plain", os.path.join(root, b"symlink"))
    os.symlink(b"nowhere/\xff\n", os.path.join(root, b"dangling"))
    os.symlink(b"t" * 1000, os.path.join(root, b"long link"))
    os.chown(os.path.join(root, b"dangling"), 12, 34, follow_symlinks=False)
    os.mkfifo(os.path.join(root, b"fifo"), 0o620)
    os.mknod(os.path.join(root, b"device"), 0o640 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod(os.path.join(root, b"block"), 0o640 | stat.S_IFBLK, os.makedev(250, 70000))
    set_times(root)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def paths(root):
    """All below it, contents before the directories that have them."""
    for folder, folders, files in os.walk(root, topdown=False):
        for name in folders + files:
            yield os.path.join(folder, name)
    yield root


def set_times(root):
    for number, path in enumerate(sorted(paths(root), reverse=True)):
        when = (1 << 30) * 10**9 + number * 86_400_123_456_789
        os.utime(path, ns=(when + 987654321, when), follow_symlinks=False)


def xattrs(directory):
    root = os.fsencode(directory)
    for path in paths(root):
        if os.path.isdir(path) or (os.path.isfile(path) and not os.path.islink(path)):
            os.setxattr(path, b"user.name", os.path.basename(path))
            os.setxattr(path, b"user.empty", b"")
            os.setxattr(path, b"user.\xc3\xb6", bytes(range(256)) * 4)
    set_times(root)


def describe(directory):
    root = os.fsencode(directory)
    links = {}
    for path in sorted(paths(root)):
        links.setdefault(os.lstat(path).st_ino, os.path.relpath(path, root))
    for path in sorted(paths(root)):
        print(os.path.relpath(path, root), *describe_one(path, links))


def describe_one(path, links):
    found = os.lstat(path)
    kind = stat.S_IFMT(found.st_mode)
    yield f"{found.st_mode:o} {found.st_uid}:{found.st_gid}"
    if kind != stat.S_IFLNK:
        yield found.st_mtime_ns
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha1").hexdigest()
        holes = "with holes" if found.st_blocks * 512 < found.st_size // 2 else "dense"
        yield f"{found.st_size} bytes {digest} {holes}, one of {found.st_nlink}: {links[found.st_ino]}"
    elif kind == stat.S_IFLNK:
        yield os.readlink(path)
    elif kind in (stat.S_IFCHR, stat.S_IFBLK):
        yield f"{os.major(found.st_rdev)},{os.minor(found.st_rdev)}"
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        for name in sorted(os.listxattr(path)):
            if name.startswith("user."):
                yield f"{name}={os.getxattr(path, name)}"


def sqlite(file, writers):
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE rows (writer, number, text, UNIQUE (writer, number))")
    database.execute("CREATE TABLE counter (value)")
    database.execute("INSERT INTO counter VALUES (0)")
    database.commit()
    children = [
        subprocess.Popen([sys.executable, "-B", __file__, "writer", file, str(writer)])
        for writer in range(int(writers))
    ]
    for child in children:
        if child.wait():
            sys.exit(f"a writer ended with {child.returncode}")
    expected = int(writers) * TRANSACTIONS
    (integrity,) = database.execute("PRAGMA integrity_check").fetchone()
    (rows,) = database.execute("SELECT count(*) FROM rows").fetchone()
    (counter,) = database.execute("SELECT value FROM counter").fetchone()
    if (integrity, rows, counter) != ("ok", expected * ROWS, expected):
        sys.exit(f"integrity: {integrity}; {rows} rows, not {expected * ROWS}; counter {counter}, not {expected}")


def writer(file, number):
    """Reads the counter and writes it back in one transaction: what isn't isolated gets lost."""
    database = sqlite3.connect(file, timeout=100, isolation_level=None)
    for transaction in range(TRANSACTIONS):
        database.execute("BEGIN IMMEDIATE")
        (counter,) = database.execute("SELECT value FROM counter").fetchone()
        for row in range(ROWS):
            database.execute("INSERT INTO rows VALUES (?, ?, ?)", (number, transaction * ROWS + row, "x" * 500))
        database.execute("UPDATE counter SET value = ?", (counter + 1,))
        database.execute("COMMIT")


COMMANDS = {command.__name__: command for command in (project, tree, xattrs, describe, sqlite, writer)}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
