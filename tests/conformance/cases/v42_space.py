# SPDX-License-Identifier: LGPL-3.0-or-later
# v42_space.py -- NFS v4.2: holes and space of files: SEEK, ALLOCATE, DEALLOCATE, READ_PLUS, IO_ADVISE
from nfs4 import (ALLOCATE, ANONYMOUS, DATA_CONTENT, DEALLOCATE, HOLE_CONTENT, INVALID, IO_ADVISE, PUTFH,
                  READ_ACCESS, READ_PLUS, SEEK, SEEK_DATA, SEEK_HOLE, U64_MAX, WRITE_ACCESS)
from nfs4attr import NF4LNK
from suite import equal, test, that

from .v41_tools import BAD_XDR, argument, malformed

SEEKING = "RFC 7862 15.11.3"
ALLOCATING = "RFC 7862 15.1.3"
DEALLOCATING = "RFC 7862 15.4.3"
READING = "RFC 7862 15.10.3"
ADVISING = "RFC 7862 15.5.3"
MIB = 1 << 20
DATA = b"d" * 65536
NORMAL, SEQUENTIAL, RANDOM, WILLNEED, DONTNEED = 0, 1, 3, 4, 6


def sparse(env, name=b"sparse"):
    """A file of 3 MiB + 64 KiB: data, a hole, data at 1 MiB, a hole, data at the end. It stays open."""
    opened = env.create_file(name)
    for offset in (0, MIB, 3 * MIB):
        env.write(opened.handle, DATA, offset, opened.stateid)
    return opened


def seek(env, opened, offset, what):
    """(eof, offset)"""
    result = env.ok(PUTFH(opened.handle), SEEK(opened.stateid, offset, what))["SEEK"]
    return result.eof, result.offset


def read_plus(env, handle, stateid, offset, count):
    """Checks that the contents are contiguous; returns (what they say the file holds within the range, eof)."""
    result = env.ok(PUTFH(handle), READ_PLUS(stateid, offset, count))["READ_PLUS"]
    at, found = None, bytearray()
    for content in result.contents:
        length = len(content.data) if content.content == DATA_CONTENT else content.length
        if at is None:
            that(content.offset <= offset, f"the first content begins at {content.offset} instead of {offset}")
        else:
            equal("where the next content begins", content.offset, at)
        that(content.content in (DATA_CONTENT, HOLE_CONTENT), f"content {content.content}")
        piece = content.data if content.content == DATA_CONTENT else bytes(min(length, 8 * MIB))
        skip = max(0, offset - content.offset) if at is None else 0
        found += piece[skip:]
        at = content.offset + length
    return bytes(found[:count]), result.eof


def wrong_type(env, op):
    """The operation on a directory and a symbolic link."""
    link = env.make(b"link", NF4LNK, type_fields={"linkdata": b"target"}, mode=0o777)
    for handle in (env.home, link):
        env.fails("NFS4ERR_WRONG_TYPE", PUTFH(handle), op)
    env.fails("NFS4ERR_NOFILEHANDLE", op)


@test("SEEK42-1", "v42 seek space", cites=[
    (SEEKING, "From the given sa_offset, find the next data_content4 of type sa_what in the file"),
    (SEEKING, "If the server can find the sa_what, then the sr_offset is the start of that content")])
def holes_and_data(env):
    "SEEK through a file with two holes"
    opened = sparse(env)
    for offset, what, found in (
            (0, SEEK_DATA, 0), (0, SEEK_HOLE, 65536), (65536, SEEK_DATA, MIB), (MIB, SEEK_HOLE, MIB + 65536),
            (MIB + 65536, SEEK_DATA, 3 * MIB), (MIB + 10, SEEK_DATA, MIB + 10), (MIB // 2, SEEK_HOLE, MIB // 2)):
        equal(f"what SEEK {what} finds from {offset}", seek(env, opened, offset, what), (False, found))
    env.close_file(opened)


@test("SEEK42-2", "v42 seek space", cites=[
    (SEEKING, "All files MUST have a virtual hole at the end of the file"),
    (SEEKING, "a COMPOUND with {SEEK 0 NFS4_CONTENT_HOLE;} would return a result of {SEEK 1 X;}, where \"X\" was "
              "the size of the file")])
def hole_at_the_end(env):
    "SEEK for a hole in a file without holes finds the file's end"
    opened = env.create_file(b"f", DATA)
    equal("the hole from the beginning", seek(env, opened, 0, SEEK_HOLE), (True, 65536))
    equal("the hole from the middle", seek(env, opened, 65535, SEEK_HOLE), (True, 65536))
    equal("the data", seek(env, opened, 65535, SEEK_DATA), (False, 65535))
    env.close_file(opened)


@test("SEEK42-3", "v42 seek space", cites=[
    (SEEKING, "If the server cannot find a corresponding sa_what, then the status will still be NFS4_OK, but "
              "sr_eof would be TRUE")])
def no_more_data(env):
    "SEEK for data in the hole at the end of a file"
    opened = env.create_file(b"f", DATA)
    env.set(opened.handle, opened.stateid, size=MIB)
    equal("the end", seek(env, opened, 65536, SEEK_DATA)[0], True)
    env.close_file(opened)


@test("SEEK42-4", "v42 seek space", cites=[
    (SEEKING, "If the sa_offset is beyond the end of the file, then SEEK MUST return NFS4ERR_NXIO")])
def beyond_the_end(env):
    "SEEK beyond the end of the file"
    opened = env.create_file(b"f", DATA)
    for offset in (65537, MIB, 1 << 40):
        for what in (SEEK_DATA, SEEK_HOLE):
            env.fails("NFS4ERR_NXIO", PUTFH(opened.handle), SEEK(opened.stateid, offset, what))
    env.close_file(opened)


@test("SEEK42-5", "v42 seek space stateid", cites=[
    (SEEKING, "SEEK must follow the same rules for stateids as READ_PLUS")])
def seek_stateids(env):
    "SEEK with stateids that are none"
    opened = sparse(env)
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), SEEK(INVALID, 0, SEEK_HOLE))
    env.close_file(opened)
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), SEEK(opened.stateid, 0, SEEK_HOLE))


@test("SEEK42-8", "v42 seek space stateid", cites=[
    (SEEKING, "SEEK must follow the same rules for stateids as READ_PLUS")])
def seek_anonymous(env):
    "SEEK with the anonymous stateid"
    opened = sparse(env)
    result = env.ok(PUTFH(opened.handle), SEEK(ANONYMOUS, 0, SEEK_HOLE))["SEEK"]
    equal("the hole", (result.eof, result.offset), (False, 65536))
    env.close_file(opened)


@test("SEEK42-6", "v42 seek space", cites=[
    (READING, "In the case that the current filehandle represents an object of type NF4DIR, NFS4ERR_ISDIR is "
              "returned")])
def seek_wrong_type(env):
    "SEEK in a directory, and without a handle"
    env.fails("NFS4ERR_ISDIR NFS4ERR_WRONG_TYPE", PUTFH(env.home), SEEK(ANONYMOUS, 0, SEEK_HOLE))
    env.fails("NFS4ERR_NOFILEHANDLE", SEEK(ANONYMOUS, 0, SEEK_HOLE))


@test("SEEK42-7", "v42 seek xdr", cites=[
    ("RFC 7862 11.1.1.1",
     "while the server supports the given operation, it does not support the selected arm of the discriminated "
     "union"),
    BAD_XDR])
def unknown_content(env):
    "SEEK for a content that isn't there"
    opened = env.create_file(b"f", DATA)
    bad = argument(SEEK(opened.stateid, 0, 77))
    malformed(env, bad, PUTFH(opened.handle), also="NFS4ERR_UNION_NOTSUPP")
    env.close_file(opened)


@test("ALLO42-1", "v42 allocate space", cites=[
    (ALLOCATING, "If the region lies partially or fully outside the current file size, the file size will be set "
                 "to aa_offset + aa_length implicitly"),
    (ALLOCATING, "any data outside of the previous file size will return zeros when read before data is written to "
                 "it")])
def allocate_beyond(env):
    "ALLOCATE beyond the end: the size grows, zeros are read, space is used"
    opened = env.create_file(b"f", b"data")
    env.ok(PUTFH(opened.handle), ALLOCATE(opened.stateid, 0, MIB))
    attrs = env.get(opened.handle, "size", "space_used")
    equal("the size", attrs.size, MIB)
    that(attrs.space_used >= MIB, f"{attrs.space_used} bytes are reserved")
    equal("the data", env.read(opened.handle, 0, 8192), (b"data" + bytes(8188), False))
    equal("the end", env.read(opened.handle, MIB - 10, 100), (bytes(10), True))
    env.close_file(opened)


@test("ALLO42-2", "v42 allocate space", cites=[
    (ALLOCATING, "The ALLOCATE operation will result in the space_used and space_freed attributes being increased "
                 "by the number of bytes reserved")])
def allocate_hole(env):
    "ALLOCATE in a hole: the size and the data stay, space is used"
    opened = sparse(env)
    before = env.get(opened.handle, "size", "space_used")
    env.ok(PUTFH(opened.handle), ALLOCATE(opened.stateid, 65536, MIB - 65536))
    after = env.get(opened.handle, "size", "space_used")
    equal("the size", after.size, before.size)
    that(after.space_used >= before.space_used + MIB - 65536,
         f"space goes from {before.space_used} to {after.space_used} bytes")
    equal("the data around the hole's beginning", env.read(opened.handle, 65532, 8)[0], b"dddd" + bytes(4))
    env.close_file(opened)


@test("ALLO42-3", "v42 allocate space", cites=[
    (ALLOCATING, "If the server cannot guarantee this, it must return NFS4ERR_NOSPC"),
    ("RFC 8881 15.1.4.4", "The operation would have caused the file to grow beyond the server's limit")])
def allocate_too_much(env):
    "ALLOCATE of more than there is, or than there can be"
    opened = env.create_file(b"f", b"data")
    env.fails("NFS4ERR_NOSPC NFS4ERR_FBIG", PUTFH(opened.handle), ALLOCATE(opened.stateid, 0, 1 << 62))
    env.fails("NFS4ERR_INVAL NFS4ERR_FBIG", PUTFH(opened.handle), ALLOCATE(opened.stateid, U64_MAX - 10, 100))
    equal("the size", env.get(opened.handle, "size").size, 4)
    env.close_file(opened)


@test("ALLO42-4", "v42 allocate deallocate space stateid", cites=[
    (ALLOCATING, "The aa_stateid MUST refer to a stateid that is valid for a WRITE operation"),
    (DEALLOCATING, "The da_stateid MUST refer to a stateid that is valid for a WRITE operation")])
def space_stateids(env):
    "ALLOCATE and DEALLOCATE with stateids that aren't for writing"
    opened = env.create_file(b"f", DATA)
    reader = env.open_file(b"f", access=READ_ACCESS, owner=b"reader")
    for op in (ALLOCATE, DEALLOCATE):
        env.fails("NFS4ERR_OPENMODE", PUTFH(opened.handle), op(reader.stateid, 0, 4096))
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), op(INVALID, 0, 4096))
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), op(opened.stateid.copy(seqid=9), 0, 4096))
    equal("the data", env.read(opened.handle)[0], DATA)
    env.close_file(reader)
    env.close_file(opened)


@test("ALLO42-5", "v42 allocate space", cites=[
    (ALLOCATING, "CURRENT_FH must be a regular file. If CURRENT_FH is not a regular file, the operation MUST fail "
                 "and return NFS4ERR_WRONG_TYPE")])
def allocate_wrong_type(env):
    "ALLOCATE in what isn't a file"
    wrong_type(env, ALLOCATE(ANONYMOUS, 0, 4096))


@test("DEAL42-1", "v42 deallocate space", cites=[
    (DEALLOCATING, "All further READs from the region passed to DEALLOCATE MUST return zeros until overwritten"),
    (DEALLOCATING, "DEALLOCATE will result in the space_used attribute being decreased by the number of bytes that "
                   "were deallocated"),
    (DEALLOCATING, "The size attribute will remain unchanged")])
def deallocate(env):
    "DEALLOCATE in the middle: zeros, less space, the same size, a hole"
    opened = env.create_file(b"f")
    for offset in range(0, MIB, 65536):
        env.write(opened.handle, DATA, offset, opened.stateid)
    before = env.get(opened.handle, "size", "space_used", "change")
    env.ok(PUTFH(opened.handle), DEALLOCATE(opened.stateid, 262144, 262144))
    after = env.get(opened.handle, "size", "space_used", "change")
    equal("the size", after.size, MIB)
    equal("the space", after.space_used, before.space_used - 262144)
    that(after.change != before.change, "change stays")
    equal("the data around the hole's beginning", env.read(opened.handle, 262140, 8)[0], b"dddd" + bytes(4))
    equal("the data around the hole's end", env.read(opened.handle, 524284, 8)[0], bytes(4) + b"dddd")
    equal("the hole", seek(env, opened, 0, SEEK_HOLE), (False, 262144))
    equal("the data behind it", seek(env, opened, 262144, SEEK_DATA), (False, 524288))
    env.write(opened.handle, b"again", 262144, opened.stateid)
    equal("what is written into it", env.read(opened.handle, 262144, 8)[0], b"again" + bytes(3))
    env.close_file(opened)


@test("DEAL42-2", "v42 deallocate space", cites=[
    (DEALLOCATING, "The blocks that cannot be deallocated MUST be zeroed"),
    (DEALLOCATING, "If no space was allocated or reserved for all or parts of the region, the DEALLOCATE operation "
                   "will have no effect for the region that already is in unreserved state")])
def deallocate_unaligned(env):
    "DEALLOCATE of parts of blocks, of a hole, and beyond the end"
    opened = env.create_file(b"f", DATA)
    env.ok(PUTFH(opened.handle), DEALLOCATE(opened.stateid, 1000, 5000), DEALLOCATE(opened.stateid, 20, 3))
    expected = bytearray(DATA)
    expected[1000:6000] = bytes(5000)
    expected[20:23] = bytes(3)
    equal("the data", env.read(opened.handle)[0], bytes(expected))
    env.ok(PUTFH(opened.handle), DEALLOCATE(opened.stateid, 65000, MIB), DEALLOCATE(opened.stateid, 4 * MIB, MIB))
    equal("the size", env.get(opened.handle, "size").size, 65536)
    equal("the last bytes", env.read(opened.handle, 64990, 1000), (b"d" * 10 + bytes(536), True))
    env.close_file(opened)


@test("DEAL42-3", "v42 deallocate space", cites=[
    (DEALLOCATING, "CURRENT_FH must be a regular file. If CURRENT_FH is not a regular file, the operation MUST "
                   "fail and return NFS4ERR_WRONG_TYPE")])
def deallocate_wrong_type(env):
    "DEALLOCATE in what isn't a file"
    wrong_type(env, DEALLOCATE(ANONYMOUS, 0, 4096))


def where_supported(body):
    """READ_PLUS is optional (RFC 7862 15.10, table 5): a server may say so, then READ has to do."""
    def run(env):
        opened = env.create_file(b"probe", DATA)
        reply = env.compound(PUTFH(opened.handle), READ_PLUS(opened.stateid, 0, 10))
        reply.expect("NFS4_OK", "NFS4ERR_NOTSUPP")
        env.close_file(opened)
        if not reply.status:
            body(env)
    run.__doc__ = body.__doc__
    return run


@test("RDPL42-1", "v42 read_plus space", cites=[
    (READING, "The READ_PLUS operation is based upon the NFSv4.1 READ operation (see Section 18.22 of [RFC5661]) "
              "and similarly reads data from the regular file identified by the current filehandle"),
    (READING, "eof is returned as TRUE; otherwise, it is FALSE")])
@where_supported
def read_plus_data(env):
    "READ_PLUS of a file without holes: the data, and its end"
    opened = env.create_file(b"f", DATA)
    for offset, count in ((0, 100), (0, 65536), (100, 65536), (65530, 6), (65530, 100)):
        found, eof = read_plus(env, opened.handle, opened.stateid, offset, count)
        equal(f"the {count} bytes at {offset}", found, DATA[offset:offset + count])
        equal(f"the end behind {count} bytes at {offset}", eof, offset + count >= 65536)
    env.close_file(opened)


@test("RDPL42-2", "v42 read_plus space", cites=[
    (READING, "The array contents MUST be contiguous in the file"),
    (READING, "The server MUST provide the same semantics for the hole as if the client read the region and "
              "received zeros")])
@where_supported
def read_plus_holes(env):
    "READ_PLUS through a file with holes returns what READ does"
    opened = sparse(env)
    size, offset, whole = 3 * MIB + 65536, 0, bytearray()
    while offset < size:
        found, eof = read_plus(env, opened.handle, opened.stateid, offset, 262144)
        that(found, "no progress")
        equal("the end", eof, offset + len(found) >= size)
        whole += found
        offset += len(found)
    expected = bytearray(size)
    for at in (0, MIB, 3 * MIB):
        expected[at:at + 65536] = DATA
    equal("whether the data is the same", bytes(whole) == bytes(expected), True)
    env.close_file(opened)


@test("RDPL42-3", "v42 read_plus space", cites=[
    (READING, "If rpa_offset is greater than or equal to the size of the file, the status NFS4_OK is returned with "
              "di_length (the data length) set to zero and eof set to TRUE"),
    (READING, "A successful READ_PLUS of an empty file will always return eof as TRUE"),
    (READING, "If the client specifies an rpa_count value of zero, the READ_PLUS succeeds and returns zero bytes "
              "of data")])
@where_supported
def read_plus_nothing(env):
    "READ_PLUS beyond the end, of an empty file, of no bytes"
    opened = env.create_file(b"f", DATA)
    empty = env.create_file(b"empty")
    for one, offset, count in ((opened, 65536, 10), (opened, MIB, 10), (empty, 0, 10)):
        equal(f"{count} bytes at {offset}", read_plus(env, one.handle, one.stateid, offset, count), (b"", True))
    equal("no bytes", read_plus(env, opened.handle, opened.stateid, 0, 0)[0], b"")
    env.close_file(opened)
    env.close_file(empty)


@test("RDPL42-4", "v42 read_plus space", cites=[
    (READING, "In the case that the current filehandle represents an object of type NF4DIR, NFS4ERR_ISDIR is "
              "returned. If the current filehandle designates a symbolic link, NFS4ERR_SYMLINK is returned")])
def read_plus_wrong_type(env):
    "READ_PLUS of a directory, a symbolic link, nothing, and with bad stateids"
    link = env.make(b"link", NF4LNK, type_fields={"linkdata": b"target"}, mode=0o777)
    env.fails("NFS4ERR_ISDIR", PUTFH(env.home), READ_PLUS(ANONYMOUS, 0, 10))
    env.fails("NFS4ERR_SYMLINK", PUTFH(link), READ_PLUS(ANONYMOUS, 0, 10))
    env.fails("NFS4ERR_NOFILEHANDLE", READ_PLUS(ANONYMOUS, 0, 10))
    opened = env.create_file(b"f", access=WRITE_ACCESS)
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), READ_PLUS(INVALID, 0, 10))
    env.close_file(opened)


@test("ADVI42-1", "v42 io_advise", cites=[
    (ADVISING, "In these cases, the server MUST return success and an ior_hints value that indicates the hint it "
               "intends to implement"),
    (ADVISING, "Since IO_ADVISE is a hint, a server SHOULD NOT return an error and invalidate an entire COMPOUND "
               "request if one of the sent hints in iar_hints is not supported by the server")])
def advice(env):
    "IO_ADVISE with one hint, several, contradictory ones, for the whole file"
    # With an open's stateid Ganesha 4.3 writes the hints over the open's list of locks (nfs4_op_io_advise), and
    # crashes at CLOSE.
    handle = env.new_file(b"f", DATA)
    for hints in ({NORMAL}, {SEQUENTIAL, WILLNEED}, {SEQUENTIAL, RANDOM}, {DONTNEED}):
        result = env.ok(PUTFH(handle), IO_ADVISE(ANONYMOUS, 0, 0, hints))["IO_ADVISE"]
        that(result.hints <= set(range(11)), f"hints {sorted(result.hints)}")
        again = env.ok(PUTFH(handle), IO_ADVISE(ANONYMOUS, 0, 0, hints))["IO_ADVISE"]
        equal("the hints, advised again", again.hints, result.hints)
    equal("the data", env.read(handle, 0, 100)[0], DATA[:100])


@test("ADVI42-2", "v42 io_advise stateid", cites=[
    (ADVISING, "The IO_ADVISE operation sends an I/O access pattern hint to the server for the owner of the "
               "stateid")])
def advice_stateids(env):
    "IO_ADVISE with a bad stateid, and without a handle"
    opened = env.create_file(b"f", DATA)
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), IO_ADVISE(INVALID, 0, 0, {NORMAL}))
    env.fails("NFS4ERR_NOFILEHANDLE", IO_ADVISE(opened.stateid, 0, 0, {NORMAL}))
    env.close_file(opened)
