# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_readdir.py -- READDIR and READDIRPLUS of NFS v3, and names of any bytes
from nfs3 import BLK, CHR, DIR, FIFO, LNK, NFS_PROGRAM, REG, SOCK
from suite import equal, test, that

READDIR = ("RFC 1813 3.3.16", "Procedure READDIR retrieves a variable number of entries, in sequence, from a "
                              "directory and returns the name and file identifier for each, with information to allow "
                              "the client to request additional directory entries in a subsequent READDIR request.")
COUNT = ("RFC 1813 3.3.16", "count: The maximum size of the READDIR3resok structure, in bytes. The size must include "
                            "all XDR overhead. The server is free to return less than count bytes of data.")
COOKIE = ("RFC 1813 3.3.16", "cookie: This should be set to 0 in the first request to read the directory. On "
                             "subsequent requests, it should be a cookie as returned by the server.")
EOF = ("RFC 1813 3.3.16", "TRUE if the last member of reply.entries is the last entry in the directory or the list "
                          "reply.entries is empty and the cookie corresponded to the end of the directory. If FALSE, "
                          "there may be more entries to read.")
BAD = ("RFC 1813 3.3.16", "If the server detects that the cookie is no longer valid, the server will reject the "
                          "READDIR request with the status, NFS3ERR_BAD_COOKIE.")
SMALL = ("RFC 1813 2.6", "NFS3ERR_TOOSMALL: Buffer or request is too small.")
PLUS = ("RFC 1813 3.3.17", "Procedure READDIRPLUS retrieves a variable number of entries from a file system directory "
                           "and returns complete information about each along with information to allow the client to "
                           "request additional directory entries.")
MAXCOUNT = ("RFC 1813 3.3.17", "maxcount: The maximum size of the READDIRPLUS3resok structure, in bytes. The size "
                               "must include all XDR overhead.")
FILEID = ("RFC 1813 3.3.16", "fileid: the file identifier, the number that GETATTR returns in the fileid field of the "
                             "attributes.")
NAMES = ("RFC 1813 3.2", "In general, there will be characters that a server will not be able to handle as part of a "
                         "filename. This set of characters will vary from server to server and from implementation to "
                         "implementation.")
NAME_MAX = ("RFC 1813 3.3.20", "name_max: The maximum length of a component of a filename.")
MANY = 1000


def fill(env, count, name=b"entry-%04d"):
    """Makes names in env.home: links to a few files, which is quick."""
    wanted = [name % at for at in range(count)]
    for at, each in enumerate(wanted):
        if at % 100 == 0:
            handle = env.create(env.home, each).handle
        else:
            env.link(handle, env.home, each)
    return wanted


def size_of(procedure, result):
    """The encoded size of READDIR3resok or READDIRPLUS3resok."""
    return len(NFS_PROGRAM.procedures[procedure].results.encode(result)) - 4


@test("N3RDIR1", "v3 readdir", cites=[READDIR, FILEID])
def few(env):
    "READDIR of a few objects: names, fileids of GETATTR, the end"
    each = env.one_of_each()
    part = env.readdir(env.home)
    that(part.eof, "a few entries don't fit")
    fileids = {entry.name: entry.fileid for entry in part.entries if entry.name not in (b".", b"..")}
    kinds = {b"reg": REG, b"dir": DIR, b"lnk": LNK, b"sock": SOCK, b"fifo": FIFO, b"blk": BLK, b"chr": CHR}
    equal("fileids", fileids, {name: env.getattr(each[kind]).attributes.fileid for name, kind in kinds.items()})


@test("N3RDIR2", "v3 readdir", cites=[READDIR, EOF])
def empty(env):
    "READDIR and READDIRPLUS of an empty directory; . and .. have their fileids"
    sub = env.folder(b"d")
    fileids = {b".": env.getattr(sub).attributes.fileid, b"..": env.getattr(env.home).attributes.fileid}
    for part in (env.readdir(sub), env.readdirplus(sub)):
        that(part.eof, "no end")
        for entry in part.entries:
            equal(f"fileid of {entry.name!r}", entry.fileid, fileids.get(entry.name))
        if part.entries:
            end = env.readdir(sub, part.entries[-1].cookie, part.verf)
            equal("entries behind the end", (end.entries, end.eof), ([], True))


@test("N3RDIR3", "v3 readdir slow", cites=[READDIR, COOKIE, EOF, COUNT])
def many(env):
    "READDIR of 1000 names in pieces of 512, 4096 and 65536 bytes: each name once"
    wanted = fill(env, MANY)
    for count in (512, 4096, 65536):
        got = [entry.name for entry in env.listing(env.home, count=count)]
        equal("count of names", len(got), MANY)
        equal("names", sorted(got), wanted)


@test("N3RDIR4", "v3 readdir", cites=[COUNT])
def no_more_than_count(env):
    "READDIR answers no more than count bytes, whatever count is"
    fill(env, 50)
    for count in (256, 300, 512, 1000, 1024, 4096):
        part = env.readdir(env.home, count=count)
        that(size_of("READDIR", part) <= count, f"{size_of('READDIR', part)} bytes of {count}")
        that(part.entries, f"no entry in {count} bytes")
        that(not part.eof or len(part.entries) >= 50, "eof before the end")


@test("N3RDIR5", "v3 readdir", cites=[SMALL])
def too_small(env):
    "READDIR whose count has no room for an entry"
    env.file(b"n" * 200)
    for count in (0, 1, 32, 100):
        env.readdir(env.home, count=count, want="TOOSMALL")


@test("N3RDIR6", "v3 readdir", cites=[COOKIE, EOF])
def any_cookie(env):
    "READDIR from each cookie goes on behind its entry, in the same order"
    fill(env, 60)
    whole = env.readdir(env.home, count=65536)
    that(whole.eof, "60 entries don't fit into 64 KiB")
    order = [entry.name for entry in whole.entries]
    for at in range(0, len(order), 3):
        rest = env.readdir(env.home, whole.entries[at].cookie, whole.verf, 65536)
        equal(f"names behind entry {at}", [entry.name for entry in rest.entries], order[at + 1:])
        equal("eof", rest.eof, True)


@test("N3RDIR7", "v3 readdir", cites=[COOKIE])
def other_connection(env):
    "READDIR is resumed over a new connection"
    wanted = fill(env, 40)
    part = env.readdir(env.home, count=1000)
    that(not part.eof, "40 entries in 1000 bytes")
    env.reconnect()
    rest = env.readdir(env.home, part.entries[-1].cookie, part.verf, 65536)
    got = [entry.name for entry in part.entries + rest.entries if entry.name not in (b".", b"..")]
    equal("names", sorted(got), wanted)
    equal("cookie verifier", rest.verf, part.verf)


@test("N3RDIR8", "v3 readdir", cites=[BAD])
def bad_cookie(env):
    "READDIR with a cookie that no server made: BAD_COOKIE, or the rest of the directory"
    wanted = fill(env, 5)
    for call in (env.readdir, env.readdirplus):
        for cookie in (2 ** 64 - 1, 2 ** 63 + 12345):
            part = call(env.home, cookie, bytes(8), want="OK BAD_COOKIE INVAL")
            if part.status == 0:
                that({entry.name for entry in part.entries} <= {*wanted, b".", b".."}, "names that aren't there")


@test("N3RDIR9", "v3 readdir", cites=[COOKIE, READDIR])
def while_removing(env):
    "READDIR in pieces, removing what came: nothing is left out"
    wanted = fill(env, 100)
    got, cookie, verf, eof = [], 0, bytes(8), False
    while not eof:
        part = env.readdir(env.home, cookie, verf, 1000)
        for entry in part.entries:
            cookie = entry.cookie
            if entry.name not in (b".", b".."):
                got.append(entry.name)
                env.remove(env.home, entry.name)
        verf, eof = part.verf, part.eof
    equal("names", sorted(got), wanted)
    equal("names left", env.listing(env.home), [])


@test("N3RDIR10", "v3 readdir", cites=[READDIR])
def changes_show(env):
    "READDIR shows CREATE, RENAME and REMOVE at once"
    env.file(b"a")
    equal("names", [entry.name for entry in env.listing(env.home)], [b"a"])
    env.file(b"b")
    equal("names", sorted(entry.name for entry in env.listing(env.home)), [b"a", b"b"])
    env.rename(env.home, b"a", env.home, b"c")
    equal("names", sorted(entry.name for entry in env.listing(env.home)), [b"b", b"c"])
    env.remove(env.home, b"b")
    equal("names", [entry.name for entry in env.listing(env.home)], [b"c"])


@test("N3RDPL1", "v3 readdirplus", cites=[PLUS])
def plus(env):
    "READDIRPLUS has the handles and attributes of LOOKUP"
    env.one_of_each()
    part = env.readdirplus(env.home)
    that(part.eof, "a few entries don't fit")
    for entry in part.entries:
        that(entry.handle is not None and entry.attributes is not None, f"{entry.name!r} lacks a handle or attributes")
        if entry.name not in (b".", b".."):
            found = env.lookup(env.home, entry.name)
            equal("handle", entry.handle, found.handle)
            equal("attributes", entry.attributes, found.attributes)
    equal("count of names", len([entry for entry in part.entries if entry.name not in (b".", b"..")]), 7)


@test("N3RDPL2", "v3 readdirplus slow", cites=[PLUS, MAXCOUNT])
def plus_many(env):
    "READDIRPLUS of 1000 names in pieces of 2 KiB and 64 KiB: each name once"
    wanted = fill(env, MANY)
    for sizes in ({"dircount": 512, "maxcount": 2048}, {"dircount": 65536, "maxcount": 65536}):
        got = [entry.name for entry in env.listing(env.home, plus=True, **sizes)]
        equal("count of names", len(got), MANY)
        equal("names", sorted(got), wanted)


@test("N3RDPL3", "v3 readdirplus", cites=[MAXCOUNT])
def no_more_than_maxcount(env):
    "READDIRPLUS answers no more than maxcount bytes"
    fill(env, 50)
    for maxcount in (600, 1000, 1024, 2048, 4096, 8192):
        part = env.readdirplus(env.home, dircount=maxcount, maxcount=maxcount)
        that(size_of("READDIRPLUS", part) <= maxcount, f"{size_of('READDIRPLUS', part)} bytes of {maxcount}")
        that(part.entries, f"no entry in {maxcount} bytes")


@test("N3RDPL4", "v3 readdirplus", cites=[SMALL])
def plus_too_small(env):
    "READDIRPLUS whose maxcount has no room for an entry"
    env.file(b"n" * 200)
    for maxcount in (0, 1, 32, 100):
        env.readdirplus(env.home, dircount=4096, maxcount=maxcount, want="TOOSMALL")


@test("N3RDPL5", "v3 readdirplus readdir", cites=[COOKIE, PLUS])
def plus_cookies(env):
    "READDIRPLUS from each cookie goes on behind its entry; READDIR gives the same names in the same order"
    fill(env, 40)
    whole = env.readdirplus(env.home, dircount=65536, maxcount=65536)
    that(whole.eof, "40 entries don't fit into 64 KiB")
    order = [entry.name for entry in whole.entries]
    equal("READDIR's order", [entry.name for entry in env.readdir(env.home, count=65536).entries], order)
    for at in range(0, len(order), 5):
        rest = env.readdirplus(env.home, whole.entries[at].cookie, whole.verf, 65536, 65536)
        equal(f"names behind entry {at}", [entry.name for entry in rest.entries], order[at + 1:])


@test("N3NAME1", "v3 names readdir", cites=[NAME_MAX])
def longest(env):
    "Names of 255 bytes, by all procedures that take one"
    size = 255
    name, other = b"n" * size, b"m" * size
    handle = env.create(env.home, name).handle
    equal("handle", env.lookup(env.home, name).handle, handle)
    env.rename(env.home, name, env.home, other)
    env.link(handle, env.home, name)
    sub = env.mkdir(env.home, b"d" * size).handle
    env.symlink(sub, name, b"t")
    env.mknod(sub, other, FIFO)
    equal("names", sorted(entry.name for entry in env.listing(env.home)), [b"d" * size, other, name])
    equal("names", sorted(entry.name for entry in env.listing(sub, plus=True)), [other, name])
    env.remove(sub, name)
    env.remove(sub, other)
    env.rmdir(env.home, b"d" * size)


@test("N3NAME4", "v3 names pathconf", cites=[
    NAME_MAX,
    ("RFC 1813 3.3.20", "no_trunc: If TRUE, the server will reject any request that includes a name longer than "
     "name_max with the error, NFS3ERR_NAMETOOLONG."),
])
def name_max(env):
    "A name of name_max bytes is taken, one of a byte more is not"
    config = env.pathconf(env.home)
    that(config.no_trunc, "no_trunc is FALSE")
    env.create(env.home, b"n" * config.name_max)
    env.create(env.home, b"n" * (config.name_max + 1), want="NAMETOOLONG")


@test("N3NAME2", "v3 names readdir", cites=[NAMES])
def any_byte(env):
    "Names with each byte but NUL and slash; all are listed as they were made"
    wanted = sorted(b"x" + bytes([byte]) for byte in range(1, 256) if byte != 0x2F)
    handle = env.file(wanted[0])
    for name in wanted[1:]:
        env.link(handle, env.home, name)
    equal("names", sorted(entry.name for entry in env.listing(env.home)), wanted)
    equal("nlink", env.getattr(handle).attributes.nlink, len(wanted))
    for name in wanted[::10]:
        equal("handle", env.lookup(env.home, name).handle, handle)


@test("N3NAME3", "v3 names", cites=[NAMES])
def odd_names(env):
    "Names of one byte, of blanks, dots, newlines, and of bytes that aren't UTF-8, kept apart"
    wanted = [b" ", b"...", b"a ", b" a", b"a", b"a\n", b"-rf", b"\\", b"*", b"\xff", b"\xc3\xa4", b"a\xcc\x88",
              b"\xe4", b"A", b"%s", b"\x01", b".x", b"..x", b"~", b"\"", b"'", b"\x7f"]
    handles = [env.create(env.home, name, how=1).handle for name in wanted]
    equal("handles that differ", len(set(handles)), len(wanted))
    for name, handle in zip(wanted, handles):
        equal(f"handle of {name!r}", env.lookup(env.home, name).handle, handle)
        env.rename(env.home, name, env.home, name + b"!")
        env.remove(env.home, name + b"!")
    equal("names", env.listing(env.home), [])
