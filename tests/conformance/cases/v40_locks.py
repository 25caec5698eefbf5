# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_locks.py -- LOCK, LOCKT, LOCKU, RELEASE_LOCKOWNER
"""Tests of NFS v4.0: byte-range locks."""

from nfs4 import (ANONYMOUS, BYPASS, LOCK, LOCKT, LOOKUP, PUTFH, READW_LT, READ_ACCESS, READ_LT, RELEASE_LOCKOWNER,
                  U64_MAX, WRITEW_LT, WRITE_ACCESS, WRITE_LT, stateid)
from suite import Failed, equal, test, that
from xdr import Record

from .v40_lookup import make_all_types, not_a_file

TO_END = U64_MAX
LOCKS = ("RFC 7530 16.10.4", "The LOCK operation requests a byte-range lock for the byte range specified by the offset "
                             "and length parameters.")
DENIED = ("RFC 7530 16.10.4", "In the case that the lock is denied, the owner, offset, and length of a conflicting "
                              "lock are returned.")
RANGES = ("RFC 7530 16.10.4", "If the length is zero, or if a length that is not all bits set to one is specified, and "
                              "the length when added to the offset exceeds the maximum 64-bit unsigned integer value, "
                              "the error NFS4ERR_INVAL will result.")
SUBRANGE = ("RFC 7530 9.2", "The protocol allows a lock-owner to request a lock with a byte range and then either "
                            "upgrade or unlock a sub-range of the initial lock.")
COUNTS = ("RFC 7530 9.1.4.1", "All locks held on a particular file by a particular owner and all gotten under the "
                              "aegis of a particular open file are associated with a single stateid, with the seqid "
                              "being incremented whenever LOCK and LOCKU operations affect that set of locks.")
TESTS = ("RFC 7530 16.11.4", "If a conflicting lock exists, the owner, offset, length, and type of the conflicting "
                             "lock are returned; if no lock is held, nothing other than NFS4_OK is returned.")
WRONG_TYPE = ("RFC 7530 9.1.4.4", "when a stateid that doesn't represent byte-range locks is passed to the "
                                  "non-from_open case of LOCK or to LOCKU, or when a stateid that does not represent "
                                  "an open is passed to CLOSE or OPEN_DOWNGRADE. In such cases, the server MUST return "
                                  "NFS4ERR_BAD_STATEID")
BAD_RANGES = ((0, 0), (5, 0), (3, U64_MAX - 1), (U64_MAX, 2), (1 << 63, (1 << 63) + 1))


def denied(reply, client, owner, offset, length, kind=WRITE_LT):
    """The conflict has to be with this lock."""
    reply.expect("NFS4ERR_DENIED")
    got = reply[len(reply) - 1].denied
    wanted = Record(offset=offset, length=length, locktype=kind, owner=Record(clientid=client.clientid, owner=owner))
    equal("the conflicting lock", got, wanted)


def held(env, handle, offset, length, wanted):
    """What LOCKT says of each byte of a range has to be in wanted: a string of - (free), r, w."""
    got = ""
    for at in range(offset, offset + length):
        if env.lock_test(handle, at, 1, READ_LT).status:
            got += "w"
        else:
            got += "r" if env.lock_test(handle, at, 1, WRITE_LT).status else "-"
    equal("the locks", got, wanted)


@test("LOCK40-1", "v40 lock locks", cites=[LOCKS, DENIED])
def lock_and_conflict(env):
    """LOCK by one owner keeps others out; what they are told"""
    opened = env.create_file(b"file")
    other = env.open_file(b"file", owner=b"other")
    lock = env.lock(opened, 10, 10)
    equal("the seqid", lock.stateid.seqid, 1)
    that(lock.stateid.other != opened.stateid.other, "the lock has the open's stateid")
    for offset, length in ((10, 10), (0, 11), (19, 5), (0, TO_END), (12, 2)):
        reply = env.lock_reply(other, offset, length, owner=b"other lock owner")
        denied(reply, env.client, b"lock owner", 10, 10)
        denied(env.lock_test(opened.handle, offset, length), env.client, b"lock owner", 10, 10)
    for offset, length in ((0, 10), (20, 5), (20, TO_END)):
        env.lock_test(opened.handle, offset, length).expect("NFS4_OK")
    env.unlock(lock, 10, 10)
    env.lock_test(opened.handle, 0, TO_END).expect("NFS4_OK")
    env.lock(other, 10, 10, owner=b"other lock owner")


@test("LOCK40-2", "v40 lock locks", cites=[LOCKS])
def shared_and_exclusive(env):
    """Read locks go together, write locks with none"""
    opened = env.create_file(b"file")
    other = env.open_file(b"file", owner=b"other")
    one = env.lock(opened, 0, 10, READ_LT, b"one")
    two = env.lock(other, 5, 10, READ_LT, b"two")
    denied(env.lock_test(opened.handle, 0, 5, WRITE_LT), env.client, b"one", 0, 10, READ_LT)
    denied(env.lock_test(opened.handle, 10, 5, WRITE_LT), env.client, b"two", 5, 10, READ_LT)
    env.lock_test(opened.handle, 0, 100, READ_LT).expect("NFS4_OK")
    denied(env.lock_more_reply(one, 0, 10, WRITE_LT), env.client, b"two", 5, 10, READ_LT)
    env.unlock(two, 5, 10)
    env.lock_more(one, 0, 10, WRITE_LT)
    denied(env.lock_test(opened.handle, 0, 1, READ_LT), env.client, b"one", 0, 10)


@test("LOCK40-3", "v40 lock locks", cites=[
    LOCKS, ("RFC 7530 9.1.4.1", "Each stateid in this case represents the OPEN state for a given client "
                                "ID/open-owner/filehandle triple.")])
def conflicts_of_clients(env):
    """LOCK by two clients with owners of the same name"""
    opened = env.create_file(b"file")
    other = env.new_client("other").setup()
    theirs = env.open_file(b"file", client=other)
    env.lock(opened, 0, 10)
    reply = env.lock_reply(theirs, 0, 10)
    denied(reply, env.client, b"lock owner", 0, 10)
    env.lock(theirs, 10, 10)
    denied(env.lock_test(opened.handle, 10, 10), other, b"lock owner", 10, 10)


@test("LOCK40-4", "v40 lock locks", cites=[
    ("RFC 7530 16.10.4", "To lock the file from a specific offset through the end-of-file (no matter how long the file "
                         "actually is), use a length field with all bits set to 1 (one)."),
    ("RFC 7530 16.10.4", "Bytes in a file may be locked even if those bytes are not currently allocated to the file.")])
def lock_to_the_end(env):
    """LOCK with all bits of length set, and beyond the end of the file"""
    opened = env.create_file(b"file", b"data")
    lock = env.lock(opened, 100, TO_END)
    for offset, length in ((1 << 40, 1), (100, 1), (99, 2), (0, TO_END)):
        conflict = env.lock_test(opened.handle, offset, length).expect("NFS4ERR_DENIED")["LOCKT"].denied
        equal("offset and type of the conflicting lock", (conflict.offset, conflict.locktype), (100, WRITE_LT))
    env.lock_test(opened.handle, 0, 100).expect("NFS4_OK")
    env.unlock(lock, 200, TO_END)
    denied(env.lock_test(opened.handle, 0, TO_END), env.client, b"lock owner", 100, 100)
    env.lock_more(lock, 0, TO_END)
    env.lock_test(opened.handle, 5, 1).expect("NFS4ERR_DENIED")
    env.unlock(lock, 0, TO_END)
    env.lock_test(opened.handle, 0, TO_END).expect("NFS4_OK")


@test("LOCK40-21", "v40 lock lockt locks range", cites=[
    DENIED, ("RFC 7530 16.10.4", "To lock the file from a specific offset through the end-of-file (no matter how long "
                                 "the file actually is), use a length field with all bits set to 1 (one).")])
def length_of_a_lock_to_the_end(env):
    """A conflict with a lock to the end of the file tells all bits of the length"""
    opened = env.create_file(b"file")
    env.lock(opened, 100, TO_END)
    denied(env.lock_test(opened.handle, 1 << 40, 1), env.client, b"lock owner", 100, TO_END)


@test("LOCK40-5", "v40 lock locks range", cites=[RANGES])
def bad_ranges(env):
    """LOCK of no bytes, and beyond the last offset"""
    env.new_file(b"file")
    for number, (offset, length) in enumerate(BAD_RANGES):
        opened = env.open_file(b"file", owner=b"owner %d" % number)
        env.lock_reply(opened, offset, length, owner=b"lock %d" % number).expect("NFS4ERR_INVAL")
    env.lock_test(opened.handle, 0, TO_END).expect("NFS4_OK")


@test("LOCK40-6", "v40 lock locks range", cites=[RANGES])
def largest_ranges(env):
    """LOCK near the last offset that a file can have"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, (1 << 63) - 2, 1)
    env.lock_test(opened.handle, (1 << 63) - 2, 1).expect("NFS4ERR_DENIED")
    env.lock_test(opened.handle, 0, (1 << 63) - 2).expect("NFS4_OK")
    env.unlock(lock, (1 << 63) - 2, 1)


@test("LOCK40-22", "v40 lock locks range", cites=[
    RANGES, ("RFC 7530 13.1.8.1", "The range for a LOCK, LOCKT, or LOCKU operation is not appropriate to the allowable "
                                  "range of offsets for the server.")])
def ranges_beyond_files(env):
    """LOCK of valid ranges beyond what a file can have: it works, or they are NFS4ERR_BAD_RANGE"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1, READ_LT)
    for offset, length in ((1 << 63, 1), (U64_MAX - 1, 1), (U64_MAX, TO_END), (0, U64_MAX - 1)):
        reply = env.lock_more_reply(lock, offset, length).expect("NFS4_OK", "NFS4ERR_BAD_RANGE")
        if not reply.status:
            lock.stateid = reply["LOCK"].lock_stateid
            env.lock_test(opened.handle, offset, length).expect("NFS4ERR_DENIED")
            env.unlock(lock, offset, length)


@test("LOCK40-7", "v40 lock locku locks range", cites=[SUBRANGE, COUNTS])
def split(env):
    """LOCKU of the middle leaves both ends"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 12)
    first = lock.stateid
    env.unlock(lock, 4, 4)
    equal("the stateid", lock.stateid, stateid(first.seqid + 1, first.other))
    held(env, opened.handle, 0, 13, "wwww----wwww-")
    denied(env.lock_test(opened.handle, 0, 4), env.client, b"lock owner", 0, 4)
    denied(env.lock_test(opened.handle, 8, 4), env.client, b"lock owner", 8, 4)
    env.unlock(lock, 0, TO_END)
    held(env, opened.handle, 0, 13, "-------------")


@test("LOCK40-8", "v40 lock locks range", cites=[SUBRANGE])
def merge(env):
    """Locks that touch or overlap become one; a write lock in a read lock splits it"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 4, READ_LT)
    env.lock_more(lock, 8, 4, READ_LT)
    env.lock_more(lock, 2, 8, READ_LT)
    denied(env.lock_test(opened.handle, 0, TO_END), env.client, b"lock owner", 0, 12, READ_LT)
    env.lock_more(lock, 4, 4, WRITE_LT)
    held(env, opened.handle, 0, 13, "rrrrwwwwrrrr-")
    env.lock_more(lock, 0, 6, WRITE_LT)
    held(env, opened.handle, 0, 13, "wwwwwwwwrrrr-")


@test("LOCK40-9", "v40 lock locks upgrade", cites=[
    ("RFC 7530 9.3", "If a client has a write lock on a record, it can request an atomic downgrade of the lock to a "
                     "read lock via the LOCK request, by setting the type to READ_LT."),
    ("RFC 7530 9.3", "If the upgrade can be achieved without an existing conflict, the request will succeed.")])
def upgrade_and_downgrade(env):
    """LOCK of what the owner has, with the other type"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 10, WRITE_LT)
    env.lock_test(opened.handle, 0, 10, READ_LT).expect("NFS4ERR_DENIED")
    env.lock_more(lock, 0, 10, READ_LT)
    env.lock_test(opened.handle, 0, 10, READ_LT).expect("NFS4_OK")
    denied(env.lock_test(opened.handle, 0, 10, WRITE_LT), env.client, b"lock owner", 0, 10, READ_LT)
    env.lock_more(lock, 0, 10, WRITEW_LT)
    env.lock_test(opened.handle, 0, 10, READ_LT).expect("NFS4ERR_DENIED")
    equal("the seqid", lock.stateid.seqid, 3)


@test("LOCK40-10", "v40 lock locks", cites=[
    ("RFC 7530 9.4", "Two new lock types are added, READW and WRITEW, and are used to indicate to the server that the "
                     "client is requesting a blocking lock.")])
def blocking_types(env):
    """READW_LT and WRITEW_LT lock, and are denied, as the others"""
    opened = env.create_file(b"file")
    other = env.open_file(b"file", owner=b"other")
    env.lock(opened, 0, 10, WRITEW_LT)
    for number, kind in enumerate((READW_LT, WRITEW_LT)):
        reply = env.lock_reply(other, 5, 10, kind, b"other %d" % number)
        reply.expect("NFS4ERR_DENIED")
        denied(env.lock_test(opened.handle, 5, 10, kind), env.client, b"lock owner", 0, 10,
               reply["LOCK"].denied.locktype)
        that(reply["LOCK"].denied.locktype in (WRITE_LT, WRITEW_LT),
             f"the conflict's type is {reply['LOCK'].denied.locktype}")
    env.lock(other, 10, 10, READW_LT, b"third")


@test("LOCK40-11", "v40 lock locks open", cites=[
    ("RFC 7530 16.10.5", "LOCK operations are subject to permission checks and to checks against the access type of "
                         "the associated file.")])
def lock_against_the_access(env):
    """LOCK for writing of a file that is open for reading, and the other way round"""
    env.new_file(b"file")
    reader = env.open_file(b"file", access=READ_ACCESS, owner=b"reader")
    env.lock_reply(reader, 0, 10, WRITE_LT, b"lock 1").expect("NFS4ERR_OPENMODE")
    env.lock(reader, 0, 10, READ_LT, b"lock 2")
    writer = env.open_file(b"file", access=WRITE_ACCESS, owner=b"writer")
    env.lock_reply(writer, 20, 10, READ_LT, b"lock 3").expect("NFS4ERR_OPENMODE", "NFS4_OK")
    env.lock(writer, 40, 10, WRITE_LT, b"lock 4")


@test("LOCK40-12", "v40 lock locks stateid", cites=[WRONG_TYPE])
def lock_with_wrong_stateids(env):
    """LOCK with a lock's stateid as an open's, an open's as a lock's, special ones, nobody's"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    for wrong in (ANONYMOUS, BYPASS, lock.stateid):
        env.lock_reply(opened, 10, 1, owner=b"new", stateid=wrong).expect("NFS4ERR_BAD_STATEID")
    env.lock_reply(opened, 10, 1, owner=b"new", stateid=stateid(1, b"nobody's own")).expect(
        "NFS4ERR_BAD_STATEID", "NFS4ERR_STALE_STATEID", "NFS4ERR_EXPIRED")
    for wrong in (ANONYMOUS, BYPASS):
        env.lock_more_reply(lock, 10, 1, stateid=wrong).expect("NFS4ERR_BAD_STATEID")
        env.unlock_reply(lock, 0, 1, stateid=wrong).expect("NFS4ERR_BAD_STATEID")
    env.lock_more_reply(lock, 10, 1, stateid=opened.stateid).expect("NFS4ERR_BAD_STATEID", "NFS4ERR_BAD_SEQID")
    env.unlock_reply(lock, 0, 1, stateid=opened.stateid).expect("NFS4ERR_BAD_STATEID", "NFS4ERR_BAD_SEQID")
    held(env, opened.handle, 0, 2, "w-")


@test("LOCK40-13", "v40 lock locks stateid", cites=[
    ("RFC 7530 13.1.5.5", "A stateid is provided with a seqid value that is not the most current."), COUNTS])
def lock_with_old_stateids(env):
    """LOCK and LOCKU with stateids of yesterday and of tomorrow"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    old = lock.stateid
    env.lock_more(lock, 5, 1)
    equal("the stateid", lock.stateid, stateid(2, old.other))
    env.unlock_reply(lock, 0, 1, stateid=stateid(3, old.other)).expect("NFS4ERR_BAD_STATEID")
    env.lock_more_reply(lock, 7, 1, stateid=stateid(3, old.other)).expect("NFS4ERR_BAD_STATEID")
    env.unlock_reply(lock, 0, 1, stateid=old).expect("NFS4ERR_OLD_STATEID")
    held(env, opened.handle, 0, 8, "w----w--")


@test("LOCK40-14", "v40 lock locks seqid", cites=[
    ("RFC 7530 13.1.8.2", "The sequence number (seqid) in a locking request is neither the next expected number nor "
                          "the last number processed.")])
def lock_with_bad_seqids(env):
    """LOCK with other sequence numbers than the next, of the lock owner or of the open owner"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    for wrong in (lock.owner.seqid + 1, lock.owner.seqid + 100):
        locker = Record(new_lock_owner=False, lock_stateid=lock.stateid, lock_seqid=wrong)
        env.fails("NFS4ERR_BAD_SEQID", PUTFH(opened.handle), LOCK(WRITE_LT, False, 5, 1, locker))
    locker = Record(new_lock_owner=True, open_seqid=opened.owner.seqid + 5, open_stateid=opened.stateid, lock_seqid=1,
                    lock_owner=Record(clientid=env.client.clientid, owner=b"new"))
    env.fails("NFS4ERR_BAD_SEQID", PUTFH(opened.handle), LOCK(WRITE_LT, False, 5, 1, locker))
    held(env, opened.handle, 0, 6, "w-----")
    env.lock_more(lock, 5, 1)


@test("LOCK40-15", "v40 lock locks seqid replay", cites=[
    ("RFC 7530 9.1.7", "If a duplicate of last request (r == L) is received, the stored response is returned.")])
def replays(env):
    """LOCK and LOCKU again with the last sequence number have the last answer"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    locker = Record(new_lock_owner=False, lock_stateid=lock.stateid, lock_seqid=lock.owner.seqid)
    ask = LOCK(WRITE_LT, False, 5, 1, locker)
    first = env.sequenced([lock.owner], PUTFH(opened.handle), ask).expect("NFS4_OK")["LOCK"]
    again = env.compound(PUTFH(opened.handle), ask, check=False).expect("NFS4_OK")["LOCK"]
    equal("the second answer", again, first)
    lock.stateid = first.lock_stateid
    held(env, opened.handle, 0, 6, "w----w")
    env.unlock(lock, 0, 10)


@test("LOCK40-16", "v40 lock locks", cites=[
    ("RFC 7530 16.10.5", "In the case in which the state has been created and the boolean is true, the server rejects "
                         "the request with the error NFS4ERR_BAD_SEQID.")])
def new_owner_that_is_known(env):
    """LOCK as a new lock owner by one that has a lock on the file"""
    opened = env.create_file(b"file")
    env.lock(opened, 0, 1)
    env.lock_reply(opened, 5, 1).expect("NFS4ERR_BAD_SEQID")
    held(env, opened.handle, 0, 6, "w-----")


@test("LOCK40-17", "v40 lock locks reclaim", cites=[
    ("RFC 7530 13.1.9.2", "The server cannot guarantee that it has not granted state to another client that may "
                          "conflict with this client's state.")])
def reclaim(env):
    """LOCK that reclaims outside of the grace period"""
    opened = env.create_file(b"file")
    env.lock_reply(opened, 0, 1, reclaim=True).expect("NFS4ERR_NO_GRACE")
    env.lock_test(opened.handle, 0, 1).expect("NFS4_OK")


@test("LOCK40-18", "v40 lock locks", cites=[
    ("RFC 7530 9.1.4.1", "All locks held on a particular file by a particular owner and all gotten under the aegis of "
                         "a particular open file are associated with a single stateid")])
def one_owner_on_two_files(env):
    """One lock owner's locks on two files have two stateids"""
    one, two = env.create_file(b"one"), env.create_file(b"two")
    first, second = env.lock(one, 0, 10), env.lock(two, 0, 10)
    if first.stateid.other == second.stateid.other:
        raise Failed("the stateids are the same")
    env.unlock(first, 0, 10)
    held(env, two.handle, 0, 2, "ww")
    env.unlock(second, 0, 10)


@test("LOCK40-19", "v40 lock locks write read", cites=[
    ("RFC 7530 9.1.4.4", "Stateids associated with byte-range locks are an exception. They remain valid even if a "
                         "LOCKU frees all remaining locks, so long as the open file with which they are associated "
                         "remains open.")])
def stateid_without_locks(env):
    """A lock's stateid is good for READ, WRITE and LOCK after the last LOCKU"""
    opened = env.create_file(b"file", b"data")
    lock = env.unlock(env.lock(opened, 0, 10), 0, 10)
    env.write(opened.handle, b"D", 0, lock.stateid)
    equal("the data", env.read(opened.handle, stateid=lock.stateid), (b"Data", True))
    env.lock_more(lock, 0, 10)
    held(env, opened.handle, 0, 2, "ww")


@test("LOCK40-20", "v40 lock lockt locks", cites=[
    ("RFC 7530 13.1.2.3", "The current or saved filehandle designates a directory when the current operation does not "
                          "allow a directory to be accepted as the target of this operation.")])
def what_is_no_file(env):
    """LOCKT of other types of objects"""
    owner = Record(clientid=env.client.clientid, owner=b"o")
    for name, kind in make_all_types(env).items():
        if name != b"reg":
            env.fails(not_a_file(kind), PUTFH(env.home), LOOKUP(name), LOCKT(WRITE_LT, 0, 1, owner))


@test("LKT40-1", "v40 lockt locks", cites=[
    TESTS, ("RFC 7530 16.11.5", "The test for conflicting locks SHOULD exclude locks for the current lock-owner.")])
def own_locks(env):
    """LOCKT by the owner of the lock"""
    opened = env.create_file(b"file")
    env.lock(opened, 0, 10)
    for kind in (READ_LT, WRITE_LT, READW_LT, WRITEW_LT):
        env.lock_test(opened.handle, 0, 10, kind, b"lock owner").expect("NFS4_OK")
        denied(env.lock_test(opened.handle, 0, 10, kind, b"lock owne"), env.client, b"lock owner", 0, 10)


@test("LKT40-2", "v40 lockt locks range", cites=[
    ("RFC 7530 16.11.4", "The ranges are specified as for LOCK. The NFS4ERR_INVAL and NFS4ERR_BAD_RANGE errors are "
                         "returned under the same circumstances as for LOCK.")])
def test_of_bad_ranges(env):
    """LOCKT of no bytes, and beyond the last offset"""
    handle = env.new_file(b"file")
    for offset, length in BAD_RANGES:
        env.lock_test(handle, offset, length).expect("NFS4ERR_INVAL")


@test("LKT40-3", "v40 lockt locks clientid", cites=[
    ("RFC 7530 13.1.10.2", "A client ID not recognized by the server was used in a locking or SETCLIENTID_CONFIRM "
                           "request."),
    ("RFC 7530 16.11.5", "LOCKT uses a lock_owner4, rather than a stateid4 as is used in LOCK, to identify the owner. "
                         "This is because the client does not have to open the file to test for the existence of a "
                         "lock")])
def test_by_unknown_client(env):
    """LOCKT with a client id that the server never gave; without an open"""
    handle = env.new_file(b"file")
    env.lock_test(handle, 0, 1).expect("NFS4_OK")
    env.fails("NFS4ERR_STALE_CLIENTID", PUTFH(handle), LOCKT(WRITE_LT, 0, 1, Record(clientid=0, owner=b"o")))


@test("LKU40-1", "v40 locku locks range", cites=[
    ("RFC 7530 16.12.4", "The LOCKU operation unlocks the byte-range lock specified by the parameters."),
    ("RFC 7530 16.12.5", "If the area to be unlocked does not correspond exactly to a lock actually held by the "
                         "lock-owner, the server may return the error NFS4ERR_LOCK_RANGE.")])
def unlock_nothing(env):
    """LOCKU of what isn't locked, of parts, of several locks"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 4)
    env.unlock(lock, 100, 10)
    env.lock_more(lock, 6, 4)
    env.unlock(lock, 3, 4)
    held(env, opened.handle, 0, 11, "www----www-")
    env.unlock(lock, 0, 100)
    held(env, opened.handle, 0, 11, "-----------")
    env.unlock(lock, 0, 100)


@test("LKU40-2", "v40 locku locks", cites=[
    ("RFC 7530 16.12.4", "The client may set the locktype field to any value that is legal for the nfs_lock_type4 "
                         "enumerated type, and the server MUST accept any legal value for locktype.")])
def unlock_with_each_type(env):
    """LOCKU with each type of lock"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 1)
    for kind in (READ_LT, WRITE_LT, READW_LT, WRITEW_LT):
        env.lock_more(lock, 0, 10, WRITE_LT)
        env.unlock(lock, 0, 10, kind)
        env.lock_test(opened.handle, 0, 10).expect("NFS4_OK")


@test("LKU40-3", "v40 locku locks range", cites=[
    ("RFC 7530 16.12.4", "The NFS4ERR_INVAL and NFS4ERR_BAD_RANGE errors are returned under the same circumstances as "
                         "for LOCK.")])
def unlock_bad_ranges(env):
    """LOCKU of no bytes, and beyond the last offset"""
    opened = env.create_file(b"file")
    for number, (offset, length) in enumerate(BAD_RANGES):
        lock = env.lock(opened, 0, 1, READ_LT, b"lock %d" % number)
        env.unlock_reply(lock, offset, length).expect("NFS4ERR_INVAL")


@test("RLOW40-1", "v40 release_lockowner locks", cites=[
    ("RFC 7530 16.37.4", "If file locks associated with the lock_owner are held at the server, the error "
                         "NFS4ERR_LOCKS_HELD will be returned and no further action will be taken.")])
def release_lock_owner(env):
    """RELEASE_LOCKOWNER with locks, then without; the owner may begin again"""
    opened = env.create_file(b"file")
    lock = env.lock(opened, 0, 10)
    env.fails("NFS4ERR_LOCKS_HELD", RELEASE_LOCKOWNER(lock.owner.record()))
    held(env, opened.handle, 0, 1, "w")
    env.unlock(lock, 0, 10)
    env.ok(RELEASE_LOCKOWNER(lock.owner.record()))
    env.unlock_reply(lock, 0, 10).expect("NFS4ERR_BAD_STATEID", "NFS4ERR_EXPIRED", "NFS4ERR_OLD_STATEID")
    lock.owner.seqid = 1
    env.lock(opened, 0, 10)
    held(env, opened.handle, 0, 1, "w")


@test("RLOW40-2", "v40 release_lockowner locks", cites=[
    ("RFC 7530 16.37.4", "This operation is used to notify the server that the lock_owner is no longer in use by the "
                         "client and that future client requests will not reference this lock_owner."),
    ("RFC 7530 13.1.10.2", "A client ID not recognized by the server was used in a locking or SETCLIENTID_CONFIRM "
                           "request.")])
def release_unknown(env):
    """RELEASE_LOCKOWNER of an owner that isn't known, of a client that isn't"""
    env.ok(RELEASE_LOCKOWNER(Record(clientid=env.client.clientid, owner=b"never seen")))
    env.fails("NFS4ERR_STALE_CLIENTID", RELEASE_LOCKOWNER(Record(clientid=0, owner=b"never seen")))
