# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_io.py -- READ, WRITE and COMMIT of NFS v3
from nfs3 import DATA_SYNC, FIFO, FILE_SYNC, UNSTABLE, stamp
from rpc import RpcError
from suite import equal, test, that

READ = ("RFC 1813 3.3.6", "Procedure READ reads data from a file.")
PAST = ("RFC 1813 3.3.6", "If offset is greater than or equal to the size of the file, the status, NFS3_OK, is "
                          "returned with count set to 0 and eof set to TRUE, subject to access permissions checking.")
EOF = ("RFC 1813 3.3.6", "If the read ended at the end-of-file (formally, in a correctly formed READ request, if "
                         "READ3args.offset plus READ3resok.count is equal to the size of the file), eof is returned "
                         "as TRUE; otherwise it is FALSE. A successful READ of an empty file will always return eof "
                         "as TRUE.")
ZERO = ("RFC 1813 3.3.6", "If count is 0, the READ will succeed and return 0 bytes of data, subject to access "
                          "permissions checking.")
RTMAX = ("RFC 1813 3.3.19", "rtmax: The maximum size in bytes of a READ request supported by the server. Any READ "
                            "with a number greater than rtmax will result in a short read of rtmax bytes or less.")
WRITE = ("RFC 1813 3.3.7", "Procedure WRITE writes data to a file.")
STABLE = ("RFC 1813 3.3.7", "If stable is FILE_SYNC, the server must commit the data written plus all file system "
                            "metadata to stable storage before returning results. If stable is DATA_SYNC, then the "
                            "server must commit all of the data to stable storage and enough of the metadata to "
                            "retrieve the data before returning.")
VERF = ("RFC 1813 3.3.7", "This cookie must be consistent during a single instance of the NFS version 3 protocol "
                          "service and must be unique between instances of the NFS version 3 protocol server, where "
                          "uncommitted data may be lost.")
COMMIT = ("RFC 1813 3.3.21", "Procedure COMMIT forces or flushes data to stable storage that was previously written "
                             "with a WRITE procedure call with the stable field set to UNSTABLE.")
REGULAR = ("RFC 1813 2.6", "NFS3ERR_INVAL: Invalid argument or unsupported argument for an operation. NFS3ERR_ISDIR: "
                           "Is a directory. The caller specified a directory in a non-directory operation.")
FBIG = ("RFC 1813 2.6", "NFS3ERR_FBIG: File too large. The operation would have caused a file to grow beyond the "
                        "server's limit.")
PATTERN = bytes(range(251))


def pattern(count, start=0):
    shift = start % len(PATTERN)
    return (PATTERN * (count // len(PATTERN) + 2))[shift:shift + count]


@test("N3READ1", "v3 read", cites=[READ, EOF])
def parts(env):
    "READ of parts: at the beginning, in the middle, up to the end, over it"
    handle = env.file(b"f", pattern(1000))
    for offset, count, got, eof in ((0, 10, 10, False), (499, 501, 501, True), (499, 500, 500, False),
                                    (990, 100, 10, True), (0, 1000, 1000, True), (0, 5000, 1000, True),
                                    (999, 1, 1, True)):
        result = env.read(handle, offset, count)
        equal(f"data at {offset}", result.data, pattern(got, offset))
        equal(f"eof at {offset}", result.eof, eof)


@test("N3READ2", "v3 read", cites=[PAST, EOF])
def past_the_end(env):
    "READ at the end, past it, far past it, and of an empty file"
    handle = env.file(b"f", b"abc")
    for offset in (3, 4, 4096, 2 ** 32, 2 ** 40):
        got = env.read(handle, offset, 10)
        equal(f"count, eof at {offset}", (got.count, got.data, got.eof), (0, b"", True))
    got = env.read(env.file(b"e"), 0, 10)
    equal("count, eof of an empty file", (got.count, got.data, got.eof), (0, b"", True))


@test("N3READ3", "v3 read", cites=[ZERO])
def no_bytes(env):
    "READ of 0 bytes before the end; permissions are checked all the same"
    handle = env.file(b"f", b"abc", 0o600)
    got = env.read(handle, 0, 0)
    equal("count, eof", (got.count, got.data, got.eof), (0, b"", False))
    env.as_user(1001, 1001).read(handle, 0, 0, want="ACCES")


@test("N3READ7", "v3 read", cites=[ZERO, EOF])
def no_bytes_at_the_end(env):
    "READ of 0 bytes at the end and of an empty file: eof is TRUE"
    equal("eof", env.read(env.file(b"f", b"abc"), 3, 0).eof, True)
    equal("eof", env.read(env.file(b"e"), 0, 0).eof, True)


@test("N3READ4", "v3 read", cites=[RTMAX])
def largest(env):
    "READ of rtmax bytes (or of 4 MiB if that is less), and of more"
    rtmax = min(env.fsinfo(env.home).rtmax, 4 << 20)
    handle = env.file(b"f")
    env.setattr(handle, size=rtmax + 4096)
    env.write(handle, 0, b"begin")
    got = env.read(handle, 0, rtmax)
    that(got.data[:5] == b"begin" and not got.eof, "the data isn't the file's")
    got = env.read(handle, 0, rtmax + 2048)
    that(0 < got.count <= env.fsinfo(env.home).rtmax, f"{got.count} bytes")
    equal("eof", got.eof, False)


@test("N3READ5", "v3 read", cites=[REGULAR])
def not_a_file(env):
    "READ of a directory, a symbolic link and a fifo"
    env.read(env.home, 0, 10, want="ISDIR INVAL")
    env.read(env.symlink(env.home, b"l", b"target").handle, 0, 10, want="INVAL")
    env.read(env.mknod(env.home, b"p", FIFO).handle, 0, 10, want="INVAL")


@test("N3READ6", "v3 read", cites=[
    READ,
    ("RFC 1813 2.5 fattr3", "Atime is the time when the file data was last accessed."),
])
def offsets_that_wrap(env):
    "READ at offsets near 2^63 and 2^64: the end, or an argument that isn't valid"
    handle = env.file(b"f", b"abc")
    for offset in (2 ** 63 - 10, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1):
        got = env.read(handle, offset, 100, want="OK INVAL FBIG")
        if got.status == 0:
            equal(f"count, eof at {offset}", (got.count, got.data, got.eof), (0, b"", True))


@test("N3WRIT1", "v3 write read", cites=[WRITE])
def overwrite(env):
    "WRITE at the beginning, over the middle, at the end, beyond it"
    handle = env.file(b"f")
    equal("count", env.write(handle, 0, b"0123456789").count, 10)
    equal("size", env.write(handle, 3, b"abc").wcc.after.size, 10)
    equal("size", env.write(handle, 8, b"xyz").wcc.after.size, 11)
    equal("size", env.write(handle, 15, b"end").wcc.after.size, 18)
    equal("data", env.read(handle).data, b"012abc67xyz\0\0\0\0end")


@test("N3WRIT2", "v3 write", cites=[STABLE])
def stability(env):
    "WRITE by each of the three modes is committed at least as asked"
    handle = env.file(b"f")
    for at, mode in enumerate((UNSTABLE, DATA_SYNC, FILE_SYNC)):
        got = env.write(handle, at * 4, b"data", mode)
        that(got.committed >= mode, f"committed {got.committed} of {mode}")
        equal("count", got.count, 4)
    equal("committed", env.write(handle, 0, b"D", FILE_SYNC).committed, FILE_SYNC)
    equal("data", env.read(handle).data, b"Datadatadata")


@test("N3WRIT3", "v3 write commit", cites=[VERF, COMMIT])
def verifiers(env):
    "WRITE and COMMIT of two files over two connections answer one verifier"
    first, second = env.file(b"f"), env.file(b"g")
    verf = env.write(first, 0, b"one", UNSTABLE).verf
    equal("verifier", env.write(second, 0, b"two", FILE_SYNC).verf, verf)
    equal("verifier", env.commit(first).verf, verf)
    env.reconnect()
    equal("verifier", env.write(first, 0, b"new", UNSTABLE).verf, verf)
    equal("verifier", env.commit(second).verf, verf)


@test("N3WRIT4", "v3 write", cites=[
    ("RFC 1813 3.3.7", "count: The number of bytes of data to be written. If count is 0, the WRITE will succeed "
     "and return a count of 0, barring errors due to permissions checking."),
])
def no_bytes_written(env):
    "WRITE of 0 bytes, also past the end, changes nothing; permissions are checked all the same"
    handle = env.file(b"f", b"abc", 0o600)
    before = env.getattr(handle).attributes
    equal("count", env.write(handle, 0, b"").count, 0)
    equal("count", env.write(handle, 100, b"").count, 0)
    env.as_user(1001, 1001).write(handle, 0, b"", want="ACCES")
    after = env.getattr(handle).attributes
    equal("size, mtime", (after.size, after.mtime), (before.size, before.mtime))


@test("N3WRIT5", "v3 write", cites=[
    ("RFC 1813 3.3.19", "wtmax: The maximum size of a WRITE request supported by the server. In general, the "
     "client is limited by wtmax since there is no guarantee that a server can handle a larger write."),
])
def largest_write(env):
    "WRITE of wtmax bytes, or of 4 MiB if that is less, and READ of them"
    info = env.fsinfo(env.home)
    size = min(info.wtmax, 4 << 20)
    data = pattern(size)
    handle = env.file(b"f")
    done = 0
    while done < size:
        done += env.write(handle, done, data[done:], UNSTABLE).count
    env.commit(handle)
    got = b""
    while len(got) < size:
        got += env.read(handle, len(got), min(info.rtmax, size - len(got))).data
    that(got == data, "the data isn't what was written")
    equal("size", env.getattr(handle).attributes.size, size)


@test("N3WRIT6", "v3 write read size", cites=[WRITE, READ, ("RFC 1813 2.5 offset3", "typedef uint64 offset3")])
def beyond_4_gib(env):
    "WRITE and READ around 2 GiB, 4 GiB and 1 TiB; what is between are zeros"
    handle = env.file(b"f")
    for offset in (2 ** 31 - 2, 2 ** 32 - 2, 2 ** 40 - 2):
        equal("size", env.write(handle, offset, b"abcd").wcc.after.size, offset + 4)
        equal("data", env.read(handle, offset - 4, 20).data, b"\0\0\0\0abcd")
    equal("data", env.read(handle, 2 ** 31 - 3, 6).data, b"\0abcd\0")
    equal("data", env.read(handle, 2 ** 32, 4).data, b"cd\0\0")
    equal("data of the hole", env.read(handle, 2 ** 39, 4096).data, bytes(4096))
    used = env.getattr(handle).attributes.used
    that(used < 2 ** 30, f"used is {used}")


@test("N3WRIT7", "v3 write", cites=[
    FBIG,
    ("RFC 1813 3.3.19", "maxfilesize: The maximum size of a file on the file system."),
])
def beyond_the_largest(env):
    "WRITE beyond the largest file"
    handle = env.file(b"f", b"abc")
    for offset in (2 ** 63 - 1, 2 ** 63, 2 ** 64 - 2):
        env.write(handle, offset, b"data", want="FBIG INVAL")
    equal("size", env.getattr(handle).attributes.size, 3)
    equal("data", env.read(handle).data, b"abc")


@test("N3WRIT8", "v3 write", cites=[REGULAR])
def write_to_others(env):
    "WRITE to a directory, a symbolic link and a fifo"
    env.write(env.home, 0, b"data", want="ISDIR INVAL")
    env.write(env.symlink(env.home, b"l", b"target").handle, 0, b"data", want="INVAL")
    env.write(env.mknod(env.home, b"p", FIFO).handle, 0, b"data", want="INVAL")


@test("N3WRIT9", "v3 write xdr", cites=[
    ("RFC 1813 3.3.7", "count: The number of bytes of data to be written; data: The data to be written to the file."),
    ("RFC 1813 2.6", "NFS3ERR_INVAL: Invalid argument or unsupported argument."),
])
def count_that_differs(env):
    "WRITE whose count is more than its data writes no more than the data; one whose count is less, no more than count"
    handle = env.file(b"f", b"0123456789")
    for count, data in ((1000, b"abcd"), (2, b"wxyz")):
        arguments = env.encoded("WRITE", object=handle, offset=4, count=count, stable=FILE_SYNC, data=data)
        try_raw(env, arguments)
        env.model.touch(handle, "mtime", "ctime", "size", "used")
        got = env.read(handle).data
        that(len(got) == 10 and got[:4] == b"0123" and got[8:] == b"89", f"the file is {got!r}")
    that(got[6:8] in (b"cd", b"67"), f"more than count was written: {got!r}")


def try_raw(env, arguments):
    """A WRITE that the server may do in part, refuse by status, or as garbage."""
    try:
        reply = env.raw("WRITE", arguments)
    except RpcError:
        env.reconnect()
        return
    that(reply[:4] in (b"\0\0\0\0", b"\0\0\0\x16"), f"status {reply[:4]!r} instead of OK or INVAL")


@test("N3WRIT10", "v3 write", cites=[
    ("RFC 1813 2.5 fattr3", "Mtime is the time when the file data was last modified."),
])
def write_moves_times(env):
    "WRITE moves mtime from a past one, and leaves atime"
    handle = env.file(b"f", b"abc")
    env.setattr(handle, atime=stamp(5, 6), mtime=stamp(7, 8))
    after = env.write(handle, 1, b"B").wcc.after
    that(after.mtime.seconds > 7, "mtime stays")
    equal("atime", after.atime, stamp(5, 6))


@test("N3WRIT11", "v3 write read", cites=[WRITE, READ])
def odd_sizes(env):
    "WRITE and READ of all sizes modulo 4 at offsets that aren't aligned"
    handle = env.file(b"f")
    wanted = bytearray()
    for size in (*range(1, 10), 4095, 4096, 4097):
        data = pattern(size, size)
        offset = len(wanted)
        env.write(handle, offset, data, UNSTABLE)
        wanted += data
        got = env.read(handle, offset, size)
        equal("data", got.data, data)
        equal("eof", got.eof, True)
    that(env.read(handle, 0, 65536).data == bytes(wanted), "the data isn't what was written")


@test("N3WRIT12", "v3 write xdr", cites=[
    ("RFC 4506 4.3", "It is an error to encode as an enum any other integer than those that have been given "
     "assignments in the enum declaration."),
])
def stable_how_unknown(env):
    "WRITE with a stable_how that doesn't exist"
    handle = env.file(b"f", b"abc")
    arguments = env.encoded("WRITE", object=handle, offset=0, count=1, stable=3, data=b"x")
    try:
        reply = env.raw("WRITE", arguments)
        equal("status", reply[:4], b"\0\0\0\x16")
    except RpcError as problem:
        equal("answer", problem.what, "GARBAGE_ARGS")
    equal("data", env.read(handle).data, b"abc")


@test("N3COMM1", "v3 commit", cites=[COMMIT])
def commit(env):
    "COMMIT of all, of a part, of nothing written, of an empty file, past the end"
    handle = env.file(b"f")
    env.commit(handle)
    env.write(handle, 0, pattern(20000), UNSTABLE)
    env.commit(handle, 4096, 4096)
    env.commit(handle, 0, 0)
    env.commit(handle, 100000, 10)
    equal("size", env.commit(handle, 0, 20000).wcc.after.size, 20000)
    that(env.read(handle).data == pattern(20000), "the data isn't what was written")


@test("N3COMM2", "v3 commit", cites=[
    COMMIT,
    ("RFC 1813 3.3.21", "ERRORS: NFS3ERR_IO, NFS3ERR_STALE, NFS3ERR_BADHANDLE, NFS3ERR_SERVERFAULT"),
    REGULAR,
])
def commit_of_others(env):
    "COMMIT of a directory and a symbolic link"
    env.commit(env.home, want="ISDIR INVAL SERVERFAULT")
    env.commit(env.symlink(env.home, b"l", b"target").handle, want="INVAL SERVERFAULT")


@test("N3COMM3", "v3 commit", cites=[
    COMMIT,
    ("RFC 1813 3.3.21", "offset: The position within the file at which the flush is to begin. An offset of 0 means "
     "to flush data starting at the beginning of the file. count: The number of bytes of data to flush. If count "
     "is 0, a flush from offset to the end of file is done."),
])
def commit_ranges(env):
    "COMMIT up to and over the greatest offset"
    handle = env.file(b"f", b"abc")
    env.commit(handle, 2 ** 64 - 2, 1, want="OK INVAL")
    env.commit(handle, 2 ** 63, 2 ** 31, want="OK INVAL")
    env.commit(handle, 2 ** 64 - 1, 2 ** 32 - 1, want="INVAL OK")
    equal("data", env.read(handle).data, b"abc")


@test("N3COMM4", "v3 commit write", cites=[COMMIT, VERF])
def unstable_pieces(env):
    "UNSTABLE pieces in any order, COMMIT, and READ over another connection"
    handle = env.file(b"f")
    data = pattern(40960)
    for piece in (3, 0, 4, 1, 2):
        env.write(handle, piece * 8192, data[piece * 8192:piece * 8192 + 8192], UNSTABLE)
    env.commit(handle)
    env.reconnect()
    that(env.read(handle, 0, 65536).data == data, "the data isn't what was written")
