# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_fs.py -- FSSTAT, FSINFO and PATHCONF of NFS v3, and the MOUNT protocol
from nfs3 import (DIR, FSF_CANSETTIME, FSF_HOMOGENEOUS, FSF_LINK, FSF_SYMLINK, LNK, MOUNT, MOUNT_PROGRAM, UNSTABLE,
                  MountStatus, stamp)
from rpc import AUTH_SYS, RpcError
from suite import equal, expect, expect_rpc, test, that

FSSTAT = ("RFC 1813 3.3.18", "Procedure FSSTAT retrieves volatile file system state information. tbytes: The total "
                             "size, in bytes, of the file system. fbytes: The amount of free space, in bytes, in the "
                             "file system.")
ABYTES = ("RFC 1813 3.3.18", "abytes: The amount of free space, in bytes, available to the user identified by the "
                             "authentication information in the RPC.")
TFILES = ("RFC 1813 3.3.18", "tfiles: The total number of file slots in the file system. ffiles: The number of free "
                             "file slots in the file system.")
INVARSEC = ("RFC 1813 3.3.18", "invarsec: this is the number of seconds for which the file system is not expected to "
                               "change. For a volatile, frequently updated file system, this will be 0.")
FSINFO = ("RFC 1813 3.3.19", "Procedure FSINFO retrieves nonvolatile file system state information and general "
                             "information about the NFS version 3 protocol server implementation.")
PREFERRED = ("RFC 1813 3.3.19", "rtpref: The preferred size of a READ request. This should be the same as rtmax "
                                "unless there is a clear benefit in performance or efficiency. rtmult: The suggested "
                                "multiple for the size of a READ request.")
MAXFILESIZE = ("RFC 1813 3.3.19", "maxfilesize: The maximum size of a file on the file system.")
TIME_DELTA = ("RFC 1813 3.3.19", "time_delta: The server time granularity. When setting a file time using SETATTR, "
                                 "the server guarantees only to preserve times to this accuracy. If this is {0, 1}, "
                                 "the server can support nanosecond times.")
PROPERTIES = ("RFC 1813 3.3.19", "FSF_LINK: If this bit is 1 (TRUE), the file system supports hard links. "
                                 "FSF_SYMLINK: symbolic links. FSF_HOMOGENEOUS: the information returned by PATHCONF "
                                 "is identical for every file and directory in the file system. FSF_CANSETTIME: the "
                                 "server will set the times for a file via SETATTR if requested.")
PATHCONF = ("RFC 1813 3.3.20", "Procedure PATHCONF retrieves the pathconf information for a file or directory.")
CASE = ("RFC 1813 3.3.20", "case_insensitive: If TRUE, the server file system does not distinguish case when "
                           "interpreting filenames. case_preserving: If TRUE, the server file system will preserve "
                           "the case of a name during a CREATE, MKDIR, MKNOD, SYMLINK, RENAME, or LINK operation.")
MNT = ("RFC 1813 5.2.1", "Procedure MNT maps a pathname on the server to a file handle. If the call is successful, "
                         "the server returns the file handle for the directory and a vector of RPC authentication "
                         "flavors that are supported with the client's use of it.")
MNT_ERRORS = ("RFC 1813 5.2.1", "ERRORS: MNT3ERR_NOENT, MNT3ERR_IO, MNT3ERR_ACCES, MNT3ERR_NOTDIR, MNT3ERR_NAMETOOLONG")
DUMP = ("RFC 1813 5.2.2", "Procedure DUMP returns the list of remotely mounted file systems. The mountlist contains "
                          "one entry for each client host name and directory pair.")
UMNT = ("RFC 1813 5.2.3", "Procedure UMNT removes the mount list entry for the directory that was previously the "
                          "subject of a MNT call from this client.")
UMNTALL = ("RFC 1813 5.2.4", "Procedure UMNTALL removes all of the mount entries for this client previously recorded "
                             "by calls to MNT.")
EXPORT = ("RFC 1813 5.2.5", "Procedure EXPORT returns a list of all the exported file systems and which clients are "
                            "allowed to mount each one.")
MNT_NULL = ("RFC 1813 5.2.0", "Procedure NULL does not do any work. It is made available to allow server response "
                              "testing and timing.")
PROG = ("RFC 5531 9", "PROG_MISMATCH: remote can't support version #. PROC_UNAVAIL: program can't support procedure.")


@test("N3FSST1", "v3 fsstat", cites=[FSSTAT, TFILES, INVARSEC])
def fsstat(env):
    "FSSTAT of a directory and of a file in it, twice: totals that stay, whole blocks, less free than there is"
    handle = env.file(b"f", b"abc")
    first = env.fsstat(env.home)
    again = env.fsstat(handle)
    for name in ("tbytes", "tfiles", "invarsec"):
        equal(name, getattr(again, name), getattr(first, name))
    for got in (first, again):
        for name in ("tbytes", "fbytes", "abytes"):
            that(getattr(got, name) > 0, f"{name} is 0")
            equal(f"{name} modulo 512", getattr(got, name) % 512, 0)
        if got.tfiles:
            that(0 < got.afiles <= got.ffiles < got.tfiles, f"files: {got.tfiles}, {got.ffiles}, {got.afiles}")
        that(got.fbytes < got.tbytes, "a file system in use is empty")
        that(got.invarsec < 3600, f"invarsec is {got.invarsec} though the file system changes")
    equal("type of the directory", first.attributes.type, DIR)


@test("N3FSST2", "v3 fsstat write", cites=[FSSTAT, TFILES])
def fsstat_moves(env):
    "FSSTAT counts a file that is made, and one of 4 MiB"
    before = env.fsstat(env.home)
    handle = env.file(b"f")
    slots = 1 if before.tfiles else 0
    equal("ffiles", env.fsstat(env.home).ffiles, before.ffiles - slots)
    equal("afiles", env.fsstat(env.home).afiles, before.afiles - slots)
    for at in range(4):
        env.write(handle, at << 20, b"x" * (1 << 20), UNSTABLE)
    env.commit(handle)
    after = env.fsstat(env.home)
    that(after.fbytes < before.fbytes, f"fbytes is {before.fbytes}, then {after.fbytes}")
    that(after.abytes < before.abytes, f"abytes is {before.abytes}, then {after.abytes}")
    env.remove(env.home, b"f")
    equal("ffiles", env.fsstat(env.home).ffiles, before.ffiles)


@test("N3FSST3", "v3 fsstat perms", cites=[ABYTES])
def fsstat_by_user(env):
    "FSSTAT by a user: the same totals, no more available than for root"
    root, user = env.fsstat(env.home), env.as_user(1001, 1001).fsstat(env.home)
    equal("tbytes, tfiles", (user.tbytes, user.tfiles), (root.tbytes, root.tfiles))
    that(user.abytes <= root.fbytes, f"abytes is {user.abytes}, fbytes {root.fbytes}")


@test("N3FSIN1", "v3 fsinfo", cites=[FSINFO, PREFERRED])
def fsinfo(env):
    "FSINFO: sizes that are multiples of rtmult and wtmult, equal when asked twice and of a file"
    got = env.fsinfo(env.home)
    for mult, *sizes in (("rtmult", "rtmax", "rtpref"), ("wtmult", "wtmax", "wtpref")):
        that(getattr(got, mult) >= 1, f"{mult} is 0")
        for size in sizes:
            equal(f"{size} modulo {mult}", getattr(got, size) % getattr(got, mult), 0)
            that(getattr(got, size) >= 8192, f"{size} is {getattr(got, size)}")
    that(got.rtpref <= got.rtmax, f"rtpref is {got.rtpref}, rtmax {got.rtmax}")
    that(got.wtpref <= got.wtmax, f"wtpref is {got.wtpref}, wtmax {got.wtmax}")
    that(got.dtpref >= 512 and got.dtpref % 512 == 0, f"dtpref is {got.dtpref}")
    again = env.fsinfo(env.file(b"f"))
    equal("all but attributes", again.copy(attributes=None), got.copy(attributes=None))


@test("N3FSIN2", "v3 fsinfo write", cites=[MAXFILESIZE])
def maxfilesize(env):
    "FSINFO's maxfilesize: no file grows beyond it"
    size = env.fsinfo(env.home).maxfilesize
    that(size >= 2 ** 31 - 1, f"maxfilesize is {size}")
    equal("maxfilesize again", env.fsinfo(env.home).maxfilesize, size)
    handle = env.file(b"f")
    if size < 2 ** 64 - 1:
        env.write(handle, size, b"x", want="FBIG INVAL")
    equal("size", env.getattr(handle).attributes.size, 0)


@test("N3FSIN3", "v3 fsinfo setattr times", cites=[TIME_DELTA])
def time_delta(env):
    "FSINFO's time_delta: SETATTR keeps times to this accuracy"
    delta = env.fsinfo(env.home).time_delta
    grains = [(0, 10 ** digit) for digit in range(9)] + [(1, 0)]
    that((delta.seconds, delta.nseconds) in grains, f"time_delta is {delta}")
    nseconds = 123456789 - 123456789 % max(delta.nseconds, 1) if not delta.seconds else 0
    after = env.setattr(env.file(b"f"), mtime=stamp(1234567890, nseconds)).wcc.after
    equal("mtime", after.mtime, stamp(1234567890, nseconds))


@test("N3FSIN4", "v3 fsinfo", cites=[PROPERTIES])
def properties(env):
    "FSINFO's properties are what the file system does"
    bits = env.fsinfo(env.home).properties
    handle = env.file(b"f")
    env.link(handle, env.home, b"g", want="OK" if bits & FSF_LINK else "NOTSUPP")
    made = env.symlink(env.home, b"l", b"t", want="OK" if bits & FSF_SYMLINK else "NOTSUPP")
    if bits & FSF_SYMLINK:
        equal("type", made.attributes.type, LNK)
    equal("CANSETTIME", bits & FSF_CANSETTIME, FSF_CANSETTIME)
    equal("LINK", bits & FSF_LINK, FSF_LINK)
    one, other = (env.pathconf(each).copy(attributes=None) for each in (handle, env.home))
    if bits & FSF_HOMOGENEOUS:
        equal("PATHCONF of a file and a directory", one, other)


@test("N3PCNF1", "v3 pathconf", cites=[PATHCONF, CASE])
def pathconf(env):
    "PATHCONF: limits, and flags as names show them"
    got = env.pathconf(env.home)
    that(255 <= got.name_max <= 65536, f"name_max is {got.name_max}")
    equal("no_trunc, chown_restricted", (got.no_trunc, got.chown_restricted), (True, True))
    env.file(b"Name")
    equal("case_preserving", got.case_preserving, b"Name" in [entry.name for entry in env.listing(env.home)])
    found = env.lookup(env.home, b"nAME", want="OK NOENT").status == 0
    equal("case_insensitive", got.case_insensitive, found)
    equal("asked again", env.pathconf(env.home).copy(attributes=None), got.copy(attributes=None))


@test("N3PCNF2", "v3 pathconf link", cites=[
    ("RFC 1813 3.3.20", "linkmax: The maximum number of hard links to an object."),
])
def linkmax(env):
    "PATHCONF's linkmax allows two links, and is the same for objects of one file system"
    handle = env.file(b"f")
    got = env.pathconf(handle).linkmax
    that(got >= 2, f"linkmax is {got}")
    equal("nlink", env.link(handle, env.home, b"g").attributes.nlink, 2)
    equal("linkmax again", env.pathconf(handle).linkmax, got)


@test("N3PCNF3", "v3 pathconf link", cites=[
    ("RFC 1813 3.3.20", "linkmax: The maximum number of hard links to an object."),
])
def linkmax_reached(env):
    "An object has no more links than PATHCONF's linkmax says (tried up to 100)"
    handle = env.file(b"f")
    wanted = env.pathconf(handle).linkmax
    for at in range(1, min(wanted, 100)):
        env.link(handle, env.home, b"l%d" % at)
    if wanted <= 100:
        env.link(handle, env.home, b"more", want="MLINK")


@test("N3MNT0", "v3 mount", cites=[MNT_NULL])
def mount_null(env):
    "NULL of MOUNT answers nothing"
    equal("NULL's results", env.mount_wire().raw_call(*MOUNT, 0, b""), b"")


@test("N3MNT1", "v3 mount", cites=[MNT])
def mnt(env):
    "MNT of the export: a handle of a directory, the same each time, and AUTH_SYS among the flavors"
    path = env.target.export.encode()
    got = env.mount_call("MNT", path=path)
    expect(MountStatus, got.status, "OK")
    that(AUTH_SYS in got.flavors, f"flavors {got.flavors}")
    that(len(got.flavors) == len(set(got.flavors)), f"flavors {got.flavors}")
    equal("MNT again", env.mount_call("MNT", path=path), got)
    equal("type", env.getattr(got.handle).attributes.type, DIR)
    equal("handle", env.lookup(got.handle, env.target.name.encode()).handle, env.base)


@test("N3MNT2", "v3 mount", cites=[MNT_ERRORS])
def mnt_of_nothing(env):
    "MNT of paths that aren't exported"
    for path in (b"/no/such/export", b"", b"relative", env.target.export.encode() + b"-not"):
        expect(MountStatus, env.mount_call("MNT", path=path).status, "NOENT", "ACCES", "INVAL")


@test("N3MNT3", "v3 mount", cites=[DUMP, UMNT, UMNTALL])
def mount_list(env):
    "DUMP, UMNT and UMNTALL: entries have names; nothing that was asked for by UMNT is needed to go on"
    path = env.target.export.encode()
    env.mount_call("MNT", path=path)
    for entry in env.mount_call("DUMP"):
        that(entry.hostname and entry.directory.startswith(b"/"), f"the entry {entry!r}")
    env.mount_call("UMNT", path=path)
    env.mount_call("UMNT", path=b"/no/such/export")
    env.mount_call("UMNTALL")
    equal("type", env.getattr(env.home).attributes.type, DIR)


@test("N3MNT4", "v3 mount", cites=[EXPORT])
def export_list(env):
    "EXPORT lists the export that is mounted, once"
    entries = env.mount_call("EXPORT")
    listed = [entry.directory for entry in entries]
    equal("entries of the export", listed.count(env.target.export.encode()), 1)
    that(all(each.startswith(b"/") for each in listed), f"exports {listed!r}")
    equal("EXPORT again", env.mount_call("EXPORT"), entries)


@test("N3MNT5", "v3 mount rpc", cites=[PROG])
def mount_unknown(env):
    "MOUNT: a procedure and a version that don't exist"
    expect_rpc("PROC_UNAVAIL", env.mount_wire().raw_call, *MOUNT, 6, b"")
    expect_rpc("PROG_MISMATCH", env.mount_wire().raw_call, MOUNT[0], 7, 0, b"")


@test("N3MNT6", "v3 mount xdr", cites=[
    ("RFC 1813 5.1.4", "MNTPATHLEN: Maximum bytes in a pathname argument, 1024."),
    ("RFC 5531 9", "GARBAGE_ARGS: procedure can't decode params."),
])
def mount_garbage(env):
    "MNT without a path, with a path that is cut, and with one of more than MNTPATHLEN bytes"
    proc = MOUNT_PROGRAM.procedures["MNT"].number
    for arguments in (b"", b"\0\0\0\x08/vol", b"\xff\xff\xff\xff"):
        expect_rpc("GARBAGE_ARGS", env.mount_wire().raw_call, *MOUNT, proc, arguments)
    long = b"\0\0\x04\x04/" + b"p" * 1027
    try_long(env, proc, long)
    expect(MountStatus, env.mount_call("MNT", path=env.target.export.encode()).status, "OK")


def try_long(env, proc, arguments):
    reply = b"\0\0\0\x3f"
    try:
        reply = env.mount_wire().raw_call(*MOUNT, proc, arguments)
    except RpcError as problem:
        equal("answer", problem.what, "GARBAGE_ARGS")
    that(reply[:4] != b"\0\0\0\0", "MNT of a path that is too long succeeds")
