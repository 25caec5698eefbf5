# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_readdir.py -- READDIR
"""Tests of NFS v4.0: listing directories."""

from nfs4 import CREATE, GETATTR, LOOKUP, NFS4, PUTFH, PUTROOTFH, READDIR, REMOVE, STATUS
from nfs4attr import NF4DIR, NF4FIFO, NF4LNK, WRITE_ONLY
from rpc import Credential
from suite import Failed, equal, test, that
from xdr import Record

from .v40_lookup import make_all_types

USER = Credential(1000, 1000)
ZERO = bytes(8)
MANY = 500
BATCH = 25
RETRIEVES = ("RFC 7530 16.24.4", "The READDIR operation retrieves a variable number of entries from a file system "
                                 "directory and for each entry returns attributes that were requested by the client")
RESERVED = ("RFC 7530 16.24.4", "For READDIR arguments, cookie values of 1 and 2 SHOULD NOT be used, and for READDIR "
                                "results, cookie values of 0, 1, and 2 MUST NOT be returned.")


def fill(env, directory, count):
    """Fifos f000, f001, ... in a directory."""
    for first in range(0, count, BATCH):
        ops = []
        for number in range(first, min(first + BATCH, count)):
            ops += [PUTFH(directory), CREATE(Record(type=NF4FIFO), b"f%03d" % number, Record(mode=0o600))]
        env.ok(*ops)
    return [b"f%03d" % number for number in range(count)]


def size_of(res):
    """The bytes of READDIR4resok."""
    kind = NFS4.procedures["COMPOUND"].results.fields["resarray"].item
    return len(kind.encode(res)) - 8


@test("RDDR40-1", "v40 readdir attrs", cites=[RETRIEVES])
def each_type(env):
    """Names, and attributes that are those of GETATTR"""
    kinds = make_all_types(env)
    wanted = ("type", "fileid", "filehandle", "mode", "size", "owner", "numlinks", "change", "fsid", "time_modify",
              "rawdev",
              "mounted_on_fileid", "rdattr_error", "space_used", "owner_group", "time_metadata")
    entries = {entry.name: entry.attrs for entry in env.list(env.home, wanted)}
    equal("the names", sorted(entries), sorted(kinds))
    for name, attrs in entries.items():
        equal(f"{name}'s type", attrs.type, kinds[name])
        equal(f"{name}'s rdattr_error", STATUS.name(attrs.rdattr_error), "NFS4_OK")
        names = [one for one in wanted if one != "rdattr_error"]
        got = env.ok(PUTFH(env.home), LOOKUP(name), GETATTR(names))["GETATTR"].attrs
        equal(f"{name}'s attributes", Record(**{one: attrs.get(one) for one in names}),
              Record(**{one: got.get(one) for one in names}))


@test("RDDR40-2", "v40 readdir attrs", cites=[
    RETRIEVES, ("RFC 7530 16.24.4", "Finally, attr_request represents the list of attributes to be returned for each "
                                    "directory entry supplied by the server.")])
def all_attributes(env):
    """All supported attributes at once; and none"""
    handle = env.new_file(b"file", b"data")
    names = env.get(env.home, "supported_attrs").supported_attrs - WRITE_ONLY
    entry, = env.list(env.home, names)
    equal("the missing attributes", sorted(names - set(entry.attrs.__dict__) - {"fs_locations"}), [])
    equal("size and handle", (entry.attrs.size, entry.attrs.filehandle), (4, handle))
    got = env.ok(PUTFH(env.home), LOOKUP(b"file"),
                 GETATTR(set(entry.attrs.__dict__) - {"rdattr_error"}))["GETATTR"].attrs
    equal("the attributes", entry.attrs, got.copy(rdattr_error=entry.attrs.rdattr_error))
    entry, = env.list(env.home)
    equal("the attributes, when none is asked for", sorted(entry.attrs.__dict__), [])


@test("RDDR40-3", "v40 readdir", cites=[
    ("RFC 7530 16.24.4", "The \"eof\" flag has a value of TRUE if there are no more entries in the directory."),
    ("RFC 7530 16.24.4", "If the server supports these special entries within a directory, they should not be returned "
                         "to the client as part of the READDIR response.")])
def empty_directory(env):
    """An empty directory has no entries, not even . and .."""
    res = env.ok(PUTFH(env.home), READDIR(0, ZERO, 8192, 8192, ["type"]), GETATTR(["filehandle"]))
    equal("entries and eof", (res[1].entries, res[1].eof), ([], True))
    equal("the current filehandle", res[2].attrs.filehandle, env.home)


@test("RDDR40-4", "v40 readdir slow", cites=[
    ("RFC 7530 16.24.4", "For subsequent READDIR requests, the client specifies a cookie value that is provided by the "
                         "server in a previous READDIR request.")])
def many_entries(env):
    """500 entries with small answers and with large ones: each exactly once"""
    directory = env.make(b"dir", mode=0o755)
    names = fill(env, directory, MANY)
    for maxcount in (2048, 1 << 16):
        entries = env.list(directory, ["type", "fileid"], maxcount)
        equal("the names", sorted(entry.name for entry in entries), names)
        equal("the number of cookies", len({entry.cookie for entry in entries}), MANY)
        equal("the number of file ids", len({entry.attrs.fileid for entry in entries}), MANY)
        equal("the types", {entry.attrs.type for entry in entries}, {NF4FIFO})


@test("RDDR40-5", "v40 readdir", cites=[
    ("RFC 7530 16.24.4", "This maximum size represents all of the data being returned within the READDIR4resok "
                         "structure and includes the XDR overhead. The server may return less data.")])
def maxcount(env):
    """Answers keep within maxcount"""
    directory = env.make(b"dir", mode=0o755)
    names = fill(env, directory, 50)
    for limit in (256, 300, 512, 1000, 4096):
        cookie, verf, eof, got = 0, ZERO, False, []
        while not eof:
            res = env.ok(PUTFH(directory), READDIR(cookie, verf, limit, limit, ["type", "fileid"]))["READDIR"]
            that(size_of(res) <= limit, f"{size_of(res)} bytes with maxcount {limit}")
            that(res.entries or res.eof, "neither entries nor eof")
            got += [entry.name for entry in res.entries]
            cookie, verf, eof = res.entries[-1].cookie if res.entries else 0, res.cookieverf, res.eof
        equal("the names", sorted(got), names)


@test("RDDR40-6", "v40 readdir", cites=[
    ("RFC 7530 16.24.4", "If the server is unable to return a single directory entry within the maxcount limit, the "
                         "error NFS4ERR_TOOSMALL will be returned to the client.")])
def too_small(env):
    """A maxcount that hardly anything fits into"""
    env.make(b"a name that takes its room", mode=0o755)
    for limit in (0, 1, 8, 24):
        env.fails("NFS4ERR_TOOSMALL", PUTFH(env.home), READDIR(0, ZERO, limit, limit, ["type", "filehandle"]))


@test("RDDR40-18", "v40 readdir", cites=[
    ("RFC 7530 16.24.4", "If the server is unable to return a single directory entry within the maxcount limit, the "
                         "error NFS4ERR_TOOSMALL will be returned to the client.")])
def too_small_for_one(env):
    """A maxcount that an empty answer fits into, but no entry"""
    env.make(b"a name that takes its room", mode=0o755)
    for limit in (16, 32, 48, 64):
        env.fails("NFS4ERR_TOOSMALL", PUTFH(env.home), READDIR(0, ZERO, limit, limit, ["type", "filehandle"]))


@test("RDDR40-7", "v40 readdir", cites=[
    ("RFC 7530 16.24.5", "it may be possible that a dircount value is zero. In this case, the server is free to ignore "
                         "the dircount value and return directory information based on the specified maxcount value.")])
def dircount_is_a_hint(env):
    """A dircount of zero"""
    names = fill(env, env.home, 20)
    res = env.ok(PUTFH(env.home), READDIR(0, ZERO, 0, 8192, ["type"]))["READDIR"]
    that(res.entries, "no entries with dircount 0")
    that({entry.name for entry in res.entries} <= set(names), "other names than there are")


@test("RDDR40-19", "v40 readdir", cites=[
    ("RFC 7530 16.24.4", "The dircount portion of the argument is a hint of the maximum number of bytes of directory "
                         "information that should be returned.")])
def large_dircount(env):
    """A dircount greater than maxcount, and small ones"""
    names = fill(env, env.home, 20)
    for dircount in (1 << 20, 64, 512):
        res = env.ok(PUTFH(env.home), READDIR(0, ZERO, dircount, 8192, ["type"]))["READDIR"]
        that(res.entries, f"no entries with dircount {dircount}")
        that({entry.name for entry in res.entries} <= set(names), "other names than there are")


@test("RDDR40-8", "v40 readdir cookies", cites=[
    RESERVED, ("RFC 7530 13.1.1.2", "Where the value cannot be used for its intended purpose, this error results.")])
def reserved_cookies(env):
    """Cookies 1 and 2 are refused"""
    fill(env, env.home, 5)
    for cookie in (1, 2):
        env.fails("NFS4ERR_BAD_COOKIE NFS4ERR_INVAL", PUTFH(env.home), READDIR(cookie, ZERO, 8192, 8192, ["type"]))


@test("RDDR40-9", "v40 readdir cookies", cites=[
    ("RFC 7530 16.24.4", "The cookie value is only meaningful to the server and is used as a \"bookmark\" for the "
                         "directory entry.")])
def each_cookie(env):
    """Reading on from each entry's cookie yields what is behind it"""
    fill(env, env.home, 12)
    whole = env.ok(PUTFH(env.home), READDIR(0, ZERO, 8192, 8192, []))["READDIR"]
    names = [entry.name for entry in whole.entries]
    equal("eof", whole.eof, True)
    for number, entry in enumerate(whole.entries):
        rest = env.ok(PUTFH(env.home), READDIR(entry.cookie, whole.cookieverf, 8192, 8192, []))["READDIR"]
        equal(f"the names behind {entry.name}", [other.name for other in rest.entries], names[number + 1:])
        equal("eof", rest.eof, True)
        equal("the verifier", rest.cookieverf, whole.cookieverf)
        equal("the cookies", [other.cookie for other in rest.entries],
              [other.cookie for other in whole.entries[number + 1:]])


@test("RDDR40-10", "v40 readdir cookies", cites=[
    ("RFC 7530 16.24.4", "If the server determines that the cookieverf is no longer valid for the directory, the error "
     "NFS4ERR_NOT_SAME must be returned.")])
def foreign_verifier(env):
    """A cookie with a verifier that isn't its own is refused, where the server uses verifiers"""
    fill(env, env.home, 12)
    res = env.ok(PUTFH(env.home), READDIR(0, ZERO, 512, 512, []))["READDIR"]
    if res.cookieverf == ZERO:
        env.ok(PUTFH(env.home), READDIR(res.entries[0].cookie, ZERO, 8192, 8192, []))
        return
    other = bytes(byte ^ 0x5A for byte in res.cookieverf)
    env.fails("NFS4ERR_NOT_SAME NFS4ERR_BAD_COOKIE", PUTFH(env.home), READDIR(res.entries[0].cookie, other, 8192, 8192,
                                                                              []))


@test("RDDR40-11", "v40 readdir cookies", cites=[
    ("RFC 7530 16.24.4", "The server SHOULD try to accept cookie values issued with READDIR responses even if the "
                         "directory has been modified between the READDIR calls")])
def removing_while_reading(env):
    """Names are removed behind and before the cookie, and the rest is read on"""
    names = fill(env, env.home, 60)
    first = env.ok(PUTFH(env.home), READDIR(0, ZERO, 1024, 1024, []))["READDIR"]
    read = [entry.name for entry in first.entries]
    that(0 < len(read) < 60, f"{len(read)} entries in 1024 bytes")
    rest = [name for name in names if name not in read]
    for gone in (read[0], read[-1], rest[0], rest[-1]):
        env.ok(PUTFH(env.home), REMOVE(gone))
    cookie, verf, eof, got = first.entries[-1].cookie, first.cookieverf, False, []
    while not eof:
        res = env.ok(PUTFH(env.home), READDIR(cookie, verf, 1024, 1024, []))["READDIR"]
        got += [entry.name for entry in res.entries]
        cookie, verf, eof = res.entries[-1].cookie if res.entries else cookie, res.cookieverf, res.eof
    equal("the names that were read twice", sorted(set(got) & set(read)), [])
    equal("the names that weren't read", sorted(set(rest[1:-1]) - set(got)), [])


@test("RDDR40-12", "v40 readdir", cites=[
    ("RFC 7530 13.1.2.6", "The current (or saved) filehandle designates an object that is not a directory for an "
                          "operation in which a directory is required.")])
def what_is_no_directory(env):
    """READDIR of other types of objects"""
    for name, kind in make_all_types(env).items():
        if kind != NF4DIR:
            wanted = "NFS4ERR_NOTDIR NFS4ERR_SYMLINK" if kind == NF4LNK else "NFS4ERR_NOTDIR"
            env.fails(wanted, PUTFH(env.home), LOOKUP(name), READDIR(0, ZERO, 8192, 8192, ["type"]))


@test("RDDR40-13", "v40 readdir perms", cites=[
    ("RFC 7530 13.1.6.1", "The caller does not have the correct permission to perform the requested operation.")])
def without_permission(env):
    """READDIR by a user who may not read the directory"""
    directory = env.make(b"dir", mode=0o711)
    env.fails("NFS4ERR_ACCESS", PUTFH(directory), READDIR(0, ZERO, 8192, 8192, ["type"]), credential=USER)
    env.set(directory, mode=0o755)
    env.ok(PUTFH(directory), READDIR(0, ZERO, 8192, 8192, ["type"]), credential=USER)


@test("RDDR40-14", "v40 readdir attrs", cites=[
    ("RFC 7530 5.5", "If a client attempts to set a get-only attribute or get a set-only attribute, the server MUST "
                     "return NFS4ERR_INVAL.")])
def write_only(env):
    """READDIR with attributes that can't be read"""
    env.make(b"dir", mode=0o755)
    for name in ("time_access_set", "time_modify_set"):
        env.fails("NFS4ERR_INVAL", PUTFH(env.home), READDIR(0, ZERO, 8192, 8192, ["type", name]))


@test("RDDR40-15", "v40 readdir attrs", cites=[
    ("RFC 7530 16.7.4", "If the server does not support an attribute or cannot approximate a useful value, then it "
                        "MUST NOT return the attribute value and MUST NOT set the attribute bit in the result "
                        "bitmap.")])
def unsupported(env):
    """READDIR with attributes that aren't supported leaves them out"""
    env.make(b"dir", mode=0o755)
    held = env.get(env.home, "supported_attrs").supported_attrs
    names = {"archive", "hidden", "mimetype", "system", "time_backup", "time_create", "quota_used", "acl"} - held
    entry, = env.list(env.home, ["type", *names])
    equal("the attributes", sorted(entry.attrs.__dict__), ["type"])


@test("RDDR40-16", "v40 readdir fileid", cites=[
    ("RFC 7530 5.8.2.19", "it is trivial (at least for UNIX-based servers) to return mounted_on_fileid since it is "
                          "equal to the fileid of a directory entry returned by readdir()")])
def the_root(env):
    """READDIR of the server's root has the export, with the type of a directory"""
    name = env.target.export.split("/")[1].encode()
    res = env.ok(PUTROOTFH(), READDIR(0, ZERO, 8192, 8192, ["type", "fsid", "mounted_on_fileid", "fileid"]))["READDIR"]
    found = [entry for entry in res.entries if entry.name == name]
    if len(found) != 1:
        raise Failed(f"{name} is {len(found)} times in the root")
    attrs = env.ok(PUTROOTFH(), LOOKUP(name), GETATTR(["type", "fsid", "fileid", "mounted_on_fileid"]))["GETATTR"].attrs
    equal("the attributes of the export", found[0].attrs, attrs)


@test("RDDR40-17", "v40 readdir", cites=[
    ("RFC 7530 16.24.4", "The cookieverf value should be set to 0 (zero) when the cookie value is 0 (zero) (first "
                         "directory read).")])
def twice(env):
    """The same READDIR twice has the same answer; a new name changes it"""
    fill(env, env.home, 5)
    first, second = (env.ok(PUTFH(env.home), READDIR(0, ZERO, 8192, 8192, ["type"]))["READDIR"] for _ in range(2))
    equal("the second answer", second, first)
    env.make(b"new", mode=0o755)
    third = env.ok(PUTFH(env.home), READDIR(0, ZERO, 8192, 8192, ["type"]))["READDIR"]
    equal("the number of entries", len(third.entries), 6)
