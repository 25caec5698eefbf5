# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_io.py -- READ, WRITE, COMMIT
"""Tests of NFS v4.0: data."""

from nfs4 import (ANONYMOUS, BYPASS, COMMIT, DATA_SYNC, FILE_SYNC, GETATTR, LOOKUP, PUTFH, READ, READ_ACCESS, U64_MAX,
                  UNSTABLE, WRITE, WRITE_ACCESS, stateid)
from rpc import Credential
from suite import equal, test, that

from .v40_lookup import make_all_types, not_a_file

USER = Credential(1000, 1000)
PATTERN = bytes((number * 7 + number // 251) & 0xFF for number in range(100_000))
END = ("RFC 7530 16.23.4", "If the READ ended at the end-of-file (formally, in a correctly formed READ request, if "
                           "offset + count is equal to the size of the file), or the READ request extends beyond the "
                           "size of the file (if offset + count is greater than the size of the file), eof is returned "
                           "as TRUE; otherwise, it is FALSE.")
BAD_SPECIAL = ("RFC 7530 9.1.4.3", "If a stateid value is used that has all zeros or all ones in the \"other\" field "
                                   "but does not match one of the cases above, the server MUST return the error "
                                   "NFS4ERR_BAD_STATEID.")
MODE = ("RFC 7530 13.1.8.9", "The client attempted a READ, WRITE, LOCK, or other operation not sanctioned by the "
                             "stateid passed (e.g., writing to a file opened only for read).")
LATER = ("RFC 7530 9.1.4.4", "If the seqid field is not zero and it is later than the current sequence value "
                             "corresponding to the current \"other\" field, return NFS4ERR_BAD_STATEID.")


@test("READ40-1", "v40 read", cites=[
    END, ("RFC 7530 16.23.4", "If the offset is greater than or equal to the size of the file, the status, NFS4_OK, is "
                              "returned with a data length set to 0 (zero), and eof is set to TRUE.")])
def reads(env):
    """READ at, before, across and behind the end"""
    handle = env.new_file(b"file", b"0123456789")
    for offset, count, wanted in (
            (0, 10, (b"0123456789", True)), (0, 11, (b"0123456789", True)), (0, 9, (b"012345678", False)),
            (3, 4, (b"3456", False)), (3, 7, (b"3456789", True)), (9, 1, (b"9", True)), (9, 100, (b"9", True)),
            (10, 1, (b"", True)), (11, 5, (b"", True)), (1 << 40, 5, (b"", True)), (4, 1, (b"4", False))):
        equal(f"READ of {count} at {offset}", env.read(handle, offset, count), wanted)


@test("READ40-2", "v40 read", cites=[
    ("RFC 7530 16.23.4", "A successful READ of an empty file will always return eof as TRUE.")])
def read_empty_file(env):
    """READ of an empty file"""
    opened = env.create_file(b"file")
    for offset, count in ((0, 1), (0, 4096), (5, 5)):
        equal("data and eof", env.read(opened.handle, offset, count, opened.stateid), (b"", True))


@test("READ40-3", "v40 read", cites=[
    ("RFC 7530 16.23.4", "If the client specifies a count value of 0 (zero), the READ succeeds and returns 0 (zero) "
                         "bytes of data (subject to access permissions checking).")])
def read_nothing(env):
    """READ of no bytes"""
    handle = env.new_file(b"file", b"0123456789")
    equal("data and eof inside", env.read(handle, 4, 0), (b"", False))
    env.set(handle, mode=0o600)
    env.fails("NFS4ERR_ACCESS", PUTFH(handle), READ(ANONYMOUS, 0, 0), credential=USER)


@test("READ40-12", "v40 read", cites=[END])
def read_nothing_at_the_end(env):
    """READ of no bytes at the end of the file, and behind it"""
    handle = env.new_file(b"file", b"0123456789")
    equal("data and eof at the end", env.read(handle, 10, 0), (b"", True))
    equal("data and eof behind the end", env.read(handle, 11, 0), (b"", True))


@test("READ40-4", "v40 read", cites=[
    ("RFC 7530 16.23.4", "In the case where the current filehandle represents a directory, NFS4ERR_ISDIR is returned; "
                         "otherwise, NFS4ERR_INVAL is returned.")])
def read_what_is_no_file(env):
    """READ of other types of objects"""
    for name, kind in make_all_types(env).items():
        if name != b"reg":
            env.fails(not_a_file(kind), PUTFH(env.home), LOOKUP(name), READ(ANONYMOUS, 0, 10))


@test("READ40-5", "v40 read stateid", cites=[
    ("RFC 7530 9.1.4.3", "which can be used in READ, WRITE, and SETATTR requests to indicate the absence of any open "
                         "state associated with "
     "the request"), ("RFC 7530 16.23.4", "The stateid value for a READ request represents a value returned from a "
                                          "previous byte-range lock or share reservation request, or the stateid "
                                          "associated with a delegation.")])
def read_with_each_stateid(env):
    """READ with the anonymous, the bypass, an open's and a lock's stateid"""
    opened = env.create_file(b"file", b"data")
    lock = env.lock(opened, 0, 1)
    for good in (ANONYMOUS, BYPASS, opened.stateid, lock.stateid):
        equal("data and eof", env.read(opened.handle, stateid=good), (b"data", True))


@test("READ40-6", "v40 read write stateid", cites=[BAD_SPECIAL])
def reserved_stateids(env):
    """READ and WRITE with stateids of all zeros or ones but for the seqid"""
    handle = env.new_file(b"file", b"data")
    zeros, ones = bytes(12), b"\xff" * 12
    for wrong in (stateid(1, zeros), stateid(0xFFFFFFFF, zeros), stateid(0, ones), stateid(1, ones)):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(handle), READ(wrong, 0, 4))
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(handle), WRITE(wrong, 0, UNSTABLE, b"x"))
    equal("the data", env.read(handle)[0], b"data")


@test("READ40-7", "v40 read write stateid", cites=[
    LATER, ("RFC 7530 9.1.4.4", "If the seqid field is earlier than the current sequence value corresponding to the "
                                "current \"other\" field, return NFS4ERR_OLD_STATEID.")])
def old_and_later_stateids(env):
    """READ and WRITE with an open's stateid of yesterday and of tomorrow"""
    env.new_file(b"file", b"data")
    env.open_file(b"file", access=READ_ACCESS)
    opened = env.open_file(b"file")
    seqid, other = opened.stateid.seqid, opened.stateid.other
    for ask in (lambda wrong: READ(wrong, 0, 4), lambda wrong: WRITE(wrong, 0, UNSTABLE, b"x")):
        env.fails("NFS4ERR_OLD_STATEID", PUTFH(opened.handle), ask(stateid(seqid - 1, other)))
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), ask(stateid(seqid + 1, other)))
    equal("the data", env.read(opened.handle, stateid=opened.stateid)[0], b"data")


@test("READ40-8", "v40 read write stateid", cites=[
    ("RFC 7530 9.1.4.4", "If the table index field is outside the range of the associated table, return "
                         "NFS4ERR_BAD_STATEID.")])
def unknown_stateids(env):
    """READ and WRITE with stateids that nobody gave"""
    opened = env.create_file(b"file", b"data")
    flipped = bytes(byte ^ (0x10 if index == 1 else 0) for index, byte in enumerate(opened.stateid.other))
    for wrong in (stateid(1, b"nobody's own"), stateid(1, flipped)):
        for ask in (READ(wrong, 0, 4), WRITE(wrong, 0, UNSTABLE, b"x")):
            env.fails("NFS4ERR_BAD_STATEID NFS4ERR_STALE_STATEID NFS4ERR_EXPIRED", PUTFH(opened.handle), ask)
    equal("the data", env.read(opened.handle)[0], b"data")


@test("READ40-9", "v40 read open", cites=[MODE])
def read_of_a_write_open(env):
    """READ with the stateid of an open for writing only is refused, or served as POSIX clients need it"""
    env.new_file(b"file", b"data")
    opened = env.open_file(b"file", access=WRITE_ACCESS)
    reply = env.compound(PUTFH(opened.handle), READ(opened.stateid, 0, 4))
    reply.expect("NFS4ERR_OPENMODE", "NFS4_OK")
    if not reply.status:
        equal("the data", reply["READ"].data, b"data")


@test("READ40-10", "v40 read perms", cites=[
    ("RFC 7530 16.23.4", "The READ is subject to access permissions checking.")])
def read_without_permission(env):
    """READ by a user who may not"""
    handle = env.new_file(b"file", b"data", mode=0o600)
    env.fails("NFS4ERR_ACCESS", PUTFH(handle), READ(ANONYMOUS, 0, 4), credential=USER)
    env.set(handle, mode=0o604)
    equal("data and eof", env.read(handle, credential=USER), (b"data", True))


@test("READ40-11", "v40 read write slow", cites=[
    ("RFC 7530 16.23.4", "An offset of 0 (zero) means to read data starting at the beginning of the file.")])
def large_data(env):
    """100000 bytes written in pieces of several sizes, read in others"""
    opened = env.create_file(b"file")
    at = 0
    for size in (1, 4095, 4097, 8192, 13, 65536, 18066):
        env.write(opened.handle, PATTERN[at:at + size], at, opened.stateid, UNSTABLE)
        at += size
    equal("size", env.get(opened.handle, "size").size, len(PATTERN))
    for size in (100_000, 32768, 4099):
        data, eof = b"", False
        while not eof:
            piece, eof = env.read(opened.handle, len(data), size, opened.stateid)
            data += piece
        that(data == PATTERN, f"READs of {size} bytes return other data than was written")


@test("WRIT40-1", "v40 write", cites=[
    ("RFC 7530 16.36.4", "The count result is the number of bytes of data written to the file."),
    ("RFC 7530 16.36.4", "An offset of 0 (zero) specifies that the write should start at the beginning of the file.")])
def writes(env):
    """WRITE at the beginning, in the middle, across and behind the end"""
    opened = env.create_file(b"file")
    wanted = b""
    for offset, data in ((0, b"0123456789"), (3, b"xyz"), (8, b"abcd"), (20, b"far"), (0, b"")):
        env.write(opened.handle, data, offset, opened.stateid)
        if data:
            wanted = wanted.ljust(offset, b"\0")[:offset] + data + wanted[offset + len(data):]
        equal(f"the data after WRITE at {offset}", env.read(opened.handle, stateid=opened.stateid), (wanted, True))
        equal("size", env.get(opened.handle, "size").size, len(wanted))


@test("WRIT40-2", "v40 write commit", cites=[
    ("RFC 7530 16.36.4", "If stable was FILE4_SYNC, then committed must also be FILE_SYNC4: anything else constitutes "
                         "a protocol violation. If stable was DATA_SYNC4, then committed may be FILE_SYNC4 or "
                         "DATA_SYNC4: anything else constitutes a protocol violation."),
    ("RFC 7530 16.36.4", "This cookie must be consistent during a single instance of the NFSv4 protocol service")])
def stability(env):
    """committed is at least what was asked for; the verifier stays, and is COMMIT's"""
    opened = env.create_file(b"file")
    verifiers = set()
    for offset, stable in enumerate((UNSTABLE, DATA_SYNC, FILE_SYNC)):
        res = env.write(opened.handle, b"x", offset, opened.stateid, stable)
        that(stable <= res.committed <= FILE_SYNC, f"asked for {stable}, committed is {res.committed}")
        verifiers.add(res.writeverf)
    verifiers.add(env.ok(PUTFH(opened.handle), COMMIT(0, 0))["COMMIT"].writeverf)
    equal("the number of verifiers", len(verifiers), 1)


@test("WRIT40-3", "v40 write times", cites=[
    ("RFC 7530 16.36.5", "It is assumed that the act of writing data to a file will cause the time_modify attribute "
                         "of the file to be "
     "updated."), ("RFC 7530 16.36.5", "a WRITE request with count set to 0 should not cause the time_modify attribute "
                                       "of the file to be updated")])
def write_of_nothing(env):
    """WRITE of no bytes changes nothing, WRITE of the same bytes changes the time"""
    opened = env.create_file(b"file", b"data")
    before = env.get(opened.handle, "time_modify", "size", "change")
    env.sleep(0.02)
    equal("count", env.write(opened.handle, b"", 100, opened.stateid).count, 0)
    equal("time_modify, size, change", env.get(opened.handle, "time_modify", "size", "change"), before)
    env.write(opened.handle, b"data", 0, opened.stateid)
    after = env.get(opened.handle, "time_modify", "size", "change")
    that(after.time_modify != before.time_modify and after.change != before.change, "WRITE doesn't change time_modify, "
                                                                                    "change")


@test("WRIT40-4", "v40 write", cites=[
    ("RFC 7530 16.36.5", "In the case that the current filehandle is a directory, the server will return "
                         "NFS4ERR_ISDIR. If the current filehandle is not a regular file or a directory, the server "
                         "will return NFS4ERR_INVAL.")])
def write_what_is_no_file(env):
    """WRITE to other types of objects"""
    for name, kind in make_all_types(env).items():
        if name != b"reg":
            env.fails(not_a_file(kind), PUTFH(env.home), LOOKUP(name), WRITE(ANONYMOUS, 0, UNSTABLE, b"x"))


@test("WRIT40-5", "v40 write open", cites=[MODE])
def write_of_a_read_open(env):
    """WRITE with the stateid of an open for reading, also of root"""
    env.new_file(b"file", b"data")
    opened = env.open_file(b"file", access=READ_ACCESS)
    env.fails("NFS4ERR_OPENMODE", PUTFH(opened.handle), WRITE(opened.stateid, 0, UNSTABLE, b"x"))
    equal("the data", env.read(opened.handle, stateid=opened.stateid), (b"data", True))


@test("WRIT40-6", "v40 write stateid", cites=[
    ("RFC 7530 9.1.4.3", "When this value is used in WRITE or SETATTR, it is treated like the anonymous value."),
    ("RFC 7530 16.36.4", "The stateid value for a WRITE request represents a value returned from a previous byte-range "
                         "lock or share reservation request or the stateid associated with a delegation.")])
def write_with_each_stateid(env):
    """WRITE with the anonymous, the bypass, an open's and a lock's stateid"""
    opened = env.create_file(b"file", b"....")
    lock = env.lock(opened, 0, 1)
    for offset, good in enumerate((ANONYMOUS, BYPASS, opened.stateid, lock.stateid)):
        env.write(opened.handle, b"%d" % offset, offset, good)
    equal("the data", env.read(opened.handle), (b"0123", True))


@test("WRIT40-7", "v40 write perms", cites=[
    ("RFC 7530 13.1.6.1", "The caller does not have the correct permission to perform the requested operation.")])
def write_without_permission(env):
    """WRITE by a user who may not"""
    handle = env.new_file(b"file", b"data", mode=0o644)
    env.fails("NFS4ERR_ACCESS", PUTFH(handle), WRITE(ANONYMOUS, 0, UNSTABLE, b"x"), credential=USER)
    env.set(handle, mode=0o646)
    env.write(handle, b"x", credential=USER)
    equal("the data", env.read(handle)[0], b"xata")


@test("WRIT40-8", "v40 write", cites=[
    ("RFC 7530 13.1.4.4", "The operation would have caused a file system object to grow beyond the server's limit.")])
def write_far_out(env):
    """WRITE far out makes a hole; WRITE beyond all limits fails"""
    opened = env.create_file(b"file", b"data")
    env.write(opened.handle, b"x", 1 << 32, opened.stateid)
    attrs = env.get(opened.handle, "size", "space_used")
    equal("size", attrs.size, (1 << 32) + 1)
    that(attrs.space_used < 1 << 20, f"space_used of a file with a hole is {attrs.space_used}")
    equal("the hole's data", env.read(opened.handle, 1 << 20, 10), (bytes(10), False))
    for offset in (U64_MAX, U64_MAX - 1, (1 << 63) - 1):
        env.fails("NFS4ERR_FBIG NFS4ERR_INVAL", PUTFH(opened.handle), WRITE(opened.stateid, offset, UNSTABLE, b"xy"))


@test("WRIT40-9", "v40 write", cites=[
    ("RFC 7530 16.36.4", "An offset of 0 (zero) specifies that the write should start at the beginning of the file."),
    ("RFC 7530 5.8.2.17", "Maximum amount of data the WRITE operation will accept for this object.")])
def write_and_read_in_one_compound(env):
    """WRITE, READ, GETATTR in one COMPOUND see one another"""
    opened = env.create_file(b"file", b"data")
    reply = env.ok(PUTFH(opened.handle), WRITE(opened.stateid, 4, UNSTABLE, b"more"), READ(opened.stateid, 2, 4),
                   GETATTR(["size"]),
                   COMMIT(0, 0))
    equal("the count", reply[1].count, 4)
    equal("the data", (reply[2].data, reply[2].eof), (b"tamo", False))
    equal("size", reply[3].attrs.size, 8)
    equal("the verifiers", reply[4].writeverf, reply[1].writeverf)


@test("CMIT40-1", "v40 commit", cites=[
    ("RFC 7530 16.3.4", "If count is 0 (zero), a flush from the offset to the end of the file is done."),
    ("RFC 7530 16.3.5", "It is not an error for there to be nothing to flush on the server.")])
def commits(env):
    """COMMIT of ranges inside, across and behind the file, with and without something to flush"""
    opened = env.create_file(b"file")
    verf = env.write(opened.handle, PATTERN[:9000], 0, opened.stateid, UNSTABLE).writeverf
    for offset, count in ((0, 0), (0, 9000), (4096, 100), (8999, 1), (9000, 0), (1 << 40, 5), (0, 0xFFFFFFFF)):
        equal("the verifier", env.ok(PUTFH(opened.handle), COMMIT(offset, count))["COMMIT"].writeverf, verf)
    equal("the data", env.read(opened.handle)[0], PATTERN[:9000])


@test("CMIT40-2", "v40 commit", cites=[
    ("RFC 7530 16.3.4", "The COMMIT operation forces or flushes data to stable storage for the file specified by the "
                        "current filehandle."),
    ("RFC 7530 13.1.2.3", "The current or saved filehandle designates a directory when the current operation does not "
                          "allow a directory to be accepted as the target of this operation.")])
def commit_of_what_is_no_file(env):
    """COMMIT of other types of objects"""
    for name, kind in make_all_types(env).items():
        if name != b"reg":
            env.fails(not_a_file(kind), PUTFH(env.home), LOOKUP(name), COMMIT(0, 0))


@test("CMIT40-3", "v40 commit", cites=[
    ("RFC 7530 13.1.1.4", "The arguments for this operation are not valid for some reason, even though they do match "
                          "those specified in the XDR definition for the request.")])
def commit_beyond_all_offsets(env):
    """COMMIT of a range that ends behind the last offset"""
    handle = env.new_file(b"file", b"data")
    env.fails("NFS4ERR_INVAL", PUTFH(handle), COMMIT(U64_MAX, 100))
