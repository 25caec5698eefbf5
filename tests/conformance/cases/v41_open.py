# SPDX-License-Identifier: LGPL-3.0-or-later
# v41_open.py -- OPEN of NFS v4.1, share reservations, stateids, and byte-range locks in sessions
from nfs4 import (ANONYMOUS, BOTH_ACCESS, BYPASS, CLAIM_FH, CLOSE, CURRENT, DENY_BOTH, DENY_NONE, DENY_READ,
                  DENY_WRITE, EXCLUSIVE, EXCLUSIVE4_1, FILE_SYNC, FREE_STATEID, GETATTR, GETFH, GUARDED, INVALID,
                  LOCKT, LOCKU, LOOKUP, OPEN_DOWNGRADE, PUTFH, READ, READ_ACCESS, READ_LT, READW_LT, RESTOREFH,
                  RESULT_LOCKTYPE_POSIX, SAVEFH, TEST_STATEID, UNCHECKED, WRITE, WRITE_ACCESS, WRITE_LT, U64_MAX,
                  create)
from nfs4attr import NF4DIR, STATUS, at
from rpc import Credential
from suite import equal, test, that
from xdr import Record

from .v41_tools import another

OPENING = "RFC 8881 18.16.3"
STATEIDS = "RFC 8881 8.2.2"
SPECIAL = "RFC 8881 8.2.3"
SHARES = "RFC 8881 9.7"
LOCKING = "RFC 8881 18.10.3"
MADE_UP = Record(seqid=1, other=b"made up here")
OWNER = Record(clientid=0, owner=b"lock owner")
OTHER = Record(clientid=0, owner=b"another lock owner")
USER = Credential(1000, 1000)


def status_codes(env, *stateids, **options):
    return [STATUS.name(code) for code in env.ok(TEST_STATEID(stateids), **options)["TEST_STATEID"].status_codes]


def downgrade(env, handle, stateid):
    """OPEN_DOWNGRADE to reading; the new stateid."""
    reply = env.ok(PUTFH(handle), OPEN_DOWNGRADE(stateid, 0, READ_ACCESS, DENY_NONE))
    return reply["OPEN_DOWNGRADE"].open_stateid


def denied_by(reply, offset, length, kind, owner, clientid):
    """What LOCK and LOCKT say about the lock in the way."""
    denied = reply[-1].denied
    equal("the offset of the lock in the way", denied.offset, offset)
    equal("its length", denied.length, length)
    equal("its type", denied.locktype, kind)
    equal("its owner", denied.owner.owner, owner)
    equal("its client", denied.owner.clientid, clientid)


@test("OPEN41-1", "v41 open close create", cites=[
    (OPENING, "Upon success (which might entail creation of a new file), the current filehandle is replaced by "
              "that of the created or existing object"),
    ("RFC 8881 18.2.4",
     "the server SHOULD return the invalid special stateid (the \"other\" value is zero and the \"seqid\" field is "
     "NFS4_UINT32_MAX, see Section 8.2.3)"),
    (OPENING, "OPEN4_RESULT_CONFIRM is deprecated and MUST NOT be returned by an NFSv4.1 server"),
    (STATEIDS, "When such a set of locks is first created, the server returns a stateid with seqid value of one")])
def created(env):
    "OPEN creates a file: its stateid, change info, attributes"
    before = env.get(env.home, "change").change
    opened = env.open_file(b"f", how=create(attrs=Record(mode=0o640, size=0)))
    equal("the stateid's seqid", opened.stateid.seqid, 1)
    equal("the directory's change before", opened.cinfo.before, before)
    equal("the directory's change after", opened.cinfo.after, env.get(env.home, "change").change)
    that(opened.cinfo.after != opened.cinfo.before, "the directory's change attribute stays")
    that({"mode"} <= opened.attrset <= {"mode", "size"}, f"{sorted(opened.attrset)} are set")
    equal("the flags but for LOCKTYPE_POSIX", opened.rflags & ~RESULT_LOCKTYPE_POSIX & 3, 0)
    equal("the delegation's type", opened.delegation.type in (0, 3), True)
    attrs = env.get(opened.handle, "type", "mode", "size", "numlinks")
    equal("the new file", (attrs.type, attrs.mode, attrs.size, attrs.numlinks), (1, 0o640, 0, 1))
    closed = env.close_file(opened)
    equal("CLOSE's stateid", closed.open_stateid, INVALID)


@test("OPEN41-2", "v41 open create", cites=[
    (OPENING, "the attributes specified by createattrs are not used, except that when createattrs specifies the "
              "size attribute with a size of zero, the existing file is truncated"),
    (OPENING, "If a duplicate exists, NFS4ERR_EXIST is returned")])
def unchecked_guarded(env):
    "OPEN creating what exists: UNCHECKED opens it, size 0 truncates, GUARDED fails"
    env.new_file(b"f", b"abcdef")
    opened = env.open_file(b"f", how=create(UNCHECKED, Record(mode=0o600)))
    equal("the size", env.get(opened.handle, "size", "mode"), Record(size=6, mode=0o644))
    env.close_file(opened)
    opened = env.open_file(b"f", how=create(UNCHECKED, Record(size=0)))
    equal("the size after truncating", env.get(opened.handle, "size").size, 0)
    env.close_file(opened)
    env.fails("NFS4ERR_EXIST", PUTFH(env.home), env.open_op(b"f", how=create(GUARDED, Record(mode=0o600))))


@test("OPEN41-3", "v41 open create", cites=[
    (OPENING, "If the object does exist and the stored verifier matches the client provided verifier, the server "
              "uses the existing object as the newly created object. If the stored verifier does not match, then "
              "an error of NFS4ERR_EXIST is returned")])
def exclusive41(env):
    "OPEN with EXCLUSIVE4_1 and attributes; again with the same verifier, and with another"
    how = create(EXCLUSIVE4_1, Record(mode=0o604), b"verifier")
    opened = env.open_file(b"f", how=how)
    verifiers = {"time_access_set", "time_modify_set", "time_access", "time_modify", "time_metadata"}
    that(opened.attrset <= {"mode", *verifiers},
         f"{sorted(opened.attrset)} are set")
    if "mode" in opened.attrset:
        equal("the mode", env.get(opened.handle, "mode").mode, 0o604)
    again = env.open_file(b"f", how=how)
    equal("the file of the retry", again.handle, opened.handle)
    equal("the stateid of the retry", again.stateid.other, opened.stateid.other)
    other = create(EXCLUSIVE4_1, Record(mode=0o604), b"another!")
    env.fails("NFS4ERR_EXIST", PUTFH(env.home), env.open_op(b"f", how=other))
    env.close_file(again)


@test("OPEN41-4", "v41 open create attrs", cites=[
    ("RFC 8881 5.8.1.14",
     "The bit vector that would set all REQUIRED and RECOMMENDED attributes that are supported by the EXCLUSIVE4_1 "
     "method of file creation via the OPEN operation"),
    (OPENING, "If the client attempts to set in cva_attrs an attribute that is not in suppattr_exclcreat, the "
              "server MUST return NFS4ERR_INVAL")])
def exclusive_attributes(env):
    "EXCLUSIVE4_1 with an attribute that suppattr_exclcreat hasn't"
    allowed = env.get(env.home, "suppattr_exclcreat").suppattr_exclcreat
    bad = next(Record(**{name: value}) for name, value in
               (("time_modify_set", at(1)), ("time_access_set", at(1)), ("type", NF4DIR)) if name not in allowed)
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), env.open_op(b"f", how=create(EXCLUSIVE4_1, bad, b"verifier")))
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), LOOKUP(b"f"))


@test("OPEN41-5", "v41 open create", cites=[
    (OPENING, "EXCLUSIVE4_1 and EXCLUSIVE4 specify that the server is to follow exclusive creation semantics, "
              "using the verifier to ensure exclusive creation of the target")])
def exclusive(env):
    "OPEN with the exclusive mode of v4.0, retried, and with another verifier"
    how = create(EXCLUSIVE, verf=b"01234567")
    opened = env.open_file(b"f", how=how)
    equal("the file of the retry", env.open_file(b"f", how=how).handle, opened.handle)
    env.fails("NFS4ERR_EXIST", PUTFH(env.home), env.open_op(b"f", how=create(EXCLUSIVE, verf=b"76543210")))


@test("OPEN41-6", "v41 open", cites=[
    (OPENING, "The OPEN operation opens a regular file in a directory with the provided name or filehandle")])
def by_handle(env):
    "OPEN by handle; of a directory"
    handle = env.new_file(b"f", b"data")
    claim = Record(claim=CLAIM_FH)
    opened = env.ok(PUTFH(handle), env.open_op(None, claim=claim), GETFH())
    equal("the handle", opened["GETFH"].object, handle)
    equal("the data", env.read(handle, stateid=opened["OPEN"].stateid), (b"data", True))
    env.ok(PUTFH(handle), CLOSE(0, opened["OPEN"].stateid))
    env.fails("NFS4ERR_ISDIR NFS4ERR_WRONG_TYPE", PUTFH(env.home), env.open_op(None, claim=claim))


@test("OPEN41-7", "v41 open", cites=[
    (OPENING, "If the component is of zero length, NFS4ERR_INVAL will be returned"),
    (SHARES, "if (request.access == 0) { return (NFS4ERR_INVAL) }")])
def what_cannot_be_opened(env):
    "OPEN of nothing, a directory, a symbolic link; with no access, and unknown deny bits"
    env.make(b"d", mode=0o755)
    env.make(b"l", 5, type_fields={"linkdata": b"d"}, mode=0o777)
    env.new_file(b"f")
    env.fails("NFS4ERR_NOENT", PUTFH(env.home), env.open_op(b"missing"))
    env.fails("NFS4ERR_ISDIR", PUTFH(env.home), env.open_op(b"d"))
    env.fails("NFS4ERR_SYMLINK", PUTFH(env.home), env.open_op(b"l"))
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), env.open_op(b"f", access=0))
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), env.open_op(b"f", deny=4))
    env.fails("NFS4ERR_INVAL", PUTFH(env.home), env.open_op(b""))


@test("OPEN41-8", "v41 open", cites=[
    (STATEIDS, "the server is required to increment the \"seqid\" field by one whenever it returns a stateid for "
               "the same state-owner/file/type combination and there is some change in the set of locks actually "
               "designated"),
    ("RFC 8881 18.18.3", "This operation is used to adjust the access and deny states for a given open")])
def upgrade_and_downgrade(env):
    "A second OPEN by the same owner upgrades the first, OPEN_DOWNGRADE takes it back"
    handle = env.new_file(b"f", b"data")
    first = env.open_file(b"f", access=READ_ACCESS)
    env.fails("NFS4ERR_OPENMODE", PUTFH(handle), WRITE(first.stateid, 0, FILE_SYNC, b"x"))
    second = env.open_file(b"f", access=BOTH_ACCESS)
    equal("the upgraded stateid", second.stateid, first.stateid.copy(seqid=2))
    env.write(handle, b"DATA", stateid=second.stateid)
    down = downgrade(env, handle, second.stateid)
    equal("the downgraded stateid", down, first.stateid.copy(seqid=3))
    env.fails("NFS4ERR_INVAL", PUTFH(handle), OPEN_DOWNGRADE(down, 0, WRITE_ACCESS, DENY_NONE))
    env.ok(PUTFH(handle), CLOSE(0, down))


@test("OPEN41-12", "v41 open_downgrade open", cites=[
    ("RFC 8881 18.18.3", "This operation is used to adjust the access and deny states for a given open"),
    ("RFC 8881 15.1.8.8",
     "The client attempted a READ, WRITE, LOCK, or other operation not sanctioned by the stateid passed (e.g., "
     "writing to a file opened for read-only access)")])
def downgraded(env):
    "After OPEN_DOWNGRADE to reading, WRITE isn't allowed any more"
    handle = env.new_file(b"f", b"data")
    env.open_file(b"f", access=READ_ACCESS)
    opened = env.open_file(b"f", access=BOTH_ACCESS)
    down = downgrade(env, handle, opened.stateid)
    env.fails("NFS4ERR_OPENMODE", PUTFH(handle), WRITE(down, 0, FILE_SYNC, b"x"))


@test("OPEN41-9", "v41 open perms", cites=[
    ("RFC 8881 15.1.6.1",
     "Indicates permission denied. The caller does not have the correct permission to perform the requested "
     "operation")])
def permissions(env):
    "OPEN of another's file as the mode allows"
    env.new_file(b"f", mode=0o604)
    opened = env.open_file(b"f", access=READ_ACCESS, credential=USER)
    env.close_file(opened, credential=USER)
    env.fails("NFS4ERR_ACCESS", PUTFH(env.home), env.open_op(b"f", access=WRITE_ACCESS), credential=USER)


@test("OPEN41-10", "v41 open share", cites=[
    (SHARES, "if ((request.access & file_state.deny)) || (request.deny & file_state.access)) { return "
             "(NFS4ERR_SHARE_DENIED) }"),
    (OPENING, "In the case that there is an existing SHARE reservation that conflicts with the OPEN request, the "
              "server returns the error NFS4ERR_SHARE_DENIED")])
def shares(env):
    "OPENs of two owners: all combinations of access and deny"
    env.new_file(b"f")
    kinds = [(access, deny) for access in (READ_ACCESS, WRITE_ACCESS, BOTH_ACCESS)
             for deny in (DENY_NONE, DENY_READ, DENY_WRITE, DENY_BOTH)]
    for access, deny in kinds:
        first = env.open_file(b"f", access=access, deny=deny)
        for wanted, denying in kinds:
            reply = env.compound(PUTFH(env.home), env.open_op(b"f", wanted, denying, owner=b"other"), GETFH())
            if wanted & deny or denying & access:
                reply.expect("NFS4ERR_SHARE_DENIED")
            else:
                reply.expect("NFS4_OK")
                env.ok(PUTFH(first.handle), CLOSE(0, reply["OPEN"].stateid))
        env.close_file(first)


@test("OPEN41-11", "v41 open share", cites=[
    (SPECIAL, "When an anonymous stateid value is used and an existing open denies the form of access requested, "
              "then access will be denied to the request")])
def denied_io(env):
    "READ and WRITE without an open while an open denies them"
    opened = env.create_file(b"f", b"data", deny=DENY_BOTH)
    env.fails("NFS4ERR_LOCKED NFS4ERR_SHARE_DENIED", PUTFH(opened.handle), READ(ANONYMOUS, 0, 10))
    env.fails("NFS4ERR_LOCKED NFS4ERR_SHARE_DENIED", PUTFH(opened.handle), WRITE(ANONYMOUS, 0, FILE_SYNC, b"x"))
    equal("the owner's data", env.read(opened.handle, stateid=opened.stateid), (b"data", True))
    env.close_file(opened)
    equal("the data after closing", env.read(opened.handle), (b"data", True))


@test("STAT41-1", "v41 stateid", cites=[
    (STATEIDS, "It may set the seqid to zero to indicate to the server that it wishes the most up-to-date seqid "
               "for that stateid's \"other\" field to be used")])
def seqid_zero(env):
    "Stateids with seqid 0 in READ, WRITE, LOCK, LOCKU, CLOSE"
    opened = env.create_file(b"f", b"data")
    now = opened.stateid.copy(seqid=0)
    equal("the data", env.read(opened.handle, stateid=now), (b"data", True))
    env.write(opened.handle, b"DATA", stateid=now)
    locked = env.lock(opened.copy(stateid=now), 0, 4)
    unlocked = env.unlock(opened.handle, locked.copy(seqid=0), 0, 4)
    equal("the unlocked stateid", unlocked, locked.copy(seqid=2))
    env.ok(PUTFH(opened.handle), CLOSE(0, now))
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), READ(now, 0, 4))


@test("STAT41-2", "v41 stateid", cites=[
    (STATEIDS, "the server is required to return NFS4ERR_OLD_STATEID if the seqid is lower than the most current "
               "value and NFS4ERR_BAD_STATEID if the seqid is greater than the most current value")])
def old_and_future(env):
    "Stateids with a lower or greater seqid than the current one"
    opened = env.create_file(b"f", b"data")
    newer = env.open_file(b"f").stateid
    equal("the current seqid", newer.seqid, 2)
    for op in (lambda stateid: READ(stateid, 0, 4), lambda stateid: WRITE(stateid, 0, FILE_SYNC, b"x"),
               lambda stateid: CLOSE(0, stateid)):
        env.fails("NFS4ERR_OLD_STATEID", PUTFH(opened.handle), op(opened.stateid))
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), op(newer.copy(seqid=3)))
    env.ok(PUTFH(opened.handle), CLOSE(0, newer))


@test("STAT41-3", "v41 stateid", cites=[
    ("RFC 8881 16.2.3.1.2",
     "If an operation returns a stateid, it MUST set the current stateid to the returned value"),
    (SPECIAL, "the stateid represents the current stateid, which is whatever value is the last stateid returned by "
              "an operation within the COMPOUND")])
def current(env):
    "OPEN, WRITE, READ, LOCK, LOCKU and CLOSE in one COMPOUND, with the current stateid"
    lock = env.lock_op(Record(stateid=CURRENT), 0, 10)
    making = env.open_op(b"f", how=create(attrs=Record(mode=0o644)))
    reply = env.ok(PUTFH(env.home), making, WRITE(CURRENT, 0, FILE_SYNC, b"data"),
                   READ(CURRENT, 0, 10), lock, READ(CURRENT, 1, 10), LOCKU(WRITE_LT, 0, CURRENT, 0, 10), GETFH())
    equal("the data", reply[3].data, b"data")
    equal("the data under the lock", reply[5].data, b"ata")
    equal("LOCKU's stateid", reply["LOCKU"].lock_stateid, reply["LOCK"].lock_stateid.copy(seqid=2))
    env.ok(PUTFH(reply["GETFH"].object), CLOSE(0, reply["OPEN"].stateid))
    reply = env.ok(PUTFH(env.home), env.open_op(b"f"), CLOSE(0, CURRENT), GETATTR(["size"]))
    equal("the size", reply["GETATTR"].attrs.size, 4)


@test("STAT41-4", "v41 stateid", cites=[
    ("RFC 8881 16.2.3.1.2",
     "The SAVEFH and RESTOREFH operations will save and restore both the current filehandle and the current "
     "stateid as a set")])
def saved(env):
    "SAVEFH and RESTOREFH carry the current stateid"
    other = env.new_file(b"other", b"other")
    reply = env.ok(PUTFH(env.home), env.open_op(b"f", how=create(attrs=Record(mode=0o644))), SAVEFH(), PUTFH(other),
                   READ(ANONYMOUS, 0, 10), RESTOREFH(), WRITE(CURRENT, 0, FILE_SYNC, b"data"), CLOSE(0, CURRENT))
    equal("the other file's data", reply["READ"].data, b"other")


@test("STAT41-5", "v41 stateid", cites=[
    (SPECIAL, "If there is no operation in the COMPOUND that has returned a stateid value, the server MUST return "
              "the error NFS4ERR_BAD_STATEID"),
    (SPECIAL, "When this stateid is used, the server MUST return the error NFS4ERR_BAD_STATEID")])
def no_current(env):
    "The current stateid where there is none, the invalid stateid, and undefined special ones"
    opened = env.create_file(b"f", b"data")
    for stateid in (CURRENT, INVALID, Record(seqid=7, other=bytes(12)), Record(seqid=7, other=b"\xff" * 12)):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), READ(stateid, 0, 4))
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), WRITE(stateid, 0, FILE_SYNC, b"x"))
    for stateid in (ANONYMOUS, BYPASS):
        equal("the data", env.read(opened.handle, stateid=stateid), (b"data", True))
    env.close_file(opened)


@test("STAT41-6", "v41 stateid", cites=[
    ("RFC 8881 8.2.4", "If the selected table entry does not match the current filehandle, return "
                       "NFS4ERR_BAD_STATEID")])
def other_file(env):
    "A stateid with another file"
    opened = env.create_file(b"f", b"data")
    other = env.new_file(b"other", b"other")
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(other), READ(opened.stateid, 0, 4))
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(other), CLOSE(0, opened.stateid))
    env.close_file(opened)


@test("STAT41-7", "v41 stateid", cites=[
    ("RFC 8881 8.2.4", "If the client ID in the table entry does not match the client ID associated with the "
                       "current session, return NFS4ERR_BAD_STATEID")])
def other_client(env):
    "A stateid of another client"
    opened = env.create_file(b"f", b"data")
    stranger = another(env, "stranger").setup()
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), READ(opened.stateid, 0, 4), session=stranger)
    equal("what TEST_STATEID says", status_codes(env, opened.stateid, session=stranger), ["NFS4ERR_BAD_STATEID"])
    env.close_file(opened)


@test("TEST41-1", "v41 test_stateid stateid", cites=[
    ("RFC 8881 18.48.3",
     "For each stateid, the server returns the status code that would be returned if that stateid were to be used "
     "in normal operation"),
    ("RFC 8881 18.48.3",
     "Special stateids are always considered invalid (they result in the error code NFS4ERR_BAD_STATEID)")])
def test_stateid(env):
    "TEST_STATEID of good, old, future and special ones, and of none"
    first = env.create_file(b"f")
    opened = env.open_file(b"f")
    lock = env.lock(opened, 0, 10)
    stateids = (opened.stateid, opened.stateid.copy(seqid=0), first.stateid, opened.stateid.copy(seqid=9), lock,
                ANONYMOUS, BYPASS, INVALID)
    equal("status codes", status_codes(env, *stateids),
          ["NFS4_OK", "NFS4_OK", "NFS4ERR_OLD_STATEID", "NFS4ERR_BAD_STATEID", "NFS4_OK", "NFS4ERR_BAD_STATEID",
           "NFS4ERR_BAD_STATEID", "NFS4ERR_BAD_STATEID"])
    equal("status codes of no stateids", status_codes(env), [])
    env.unlock(opened.handle, lock, 0, 10)
    env.close_file(opened)
    equal("the status code after CLOSE", status_codes(env, opened.stateid), ["NFS4ERR_BAD_STATEID"])


@test("TEST41-2", "v41 test_stateid stateid", cites=[
    ("RFC 8881 18.48.3",
     "The valid status values in the returned status_code array are NFS4ERR_OK, NFS4ERR_BAD_STATEID, "
     "NFS4ERR_OLD_STATEID, NFS4ERR_EXPIRED, NFS4ERR_ADMIN_REVOKED, and NFS4ERR_DELEG_REVOKED")])
def made_up(env):
    "TEST_STATEID and FREE_STATEID of a stateid that no server made"
    equal("the status code", status_codes(env, MADE_UP), ["NFS4ERR_BAD_STATEID"])
    env.fails("NFS4ERR_BAD_STATEID", FREE_STATEID(MADE_UP))


@test("FREE41-1", "v41 free_stateid stateid", cites=[
    ("RFC 8881 18.38.3",
     "If there are valid locks (of any kind) associated with the stateid in question, the error NFS4ERR_LOCKS_HELD "
     "will be returned, and the associated stateid will not be freed")])
def free_held(env):
    "FREE_STATEID of an open, and of a held lock"
    opened = env.create_file(b"f")
    lock = env.lock(opened, 0, 10)
    env.fails("NFS4ERR_LOCKS_HELD", FREE_STATEID(opened.stateid))
    env.fails("NFS4ERR_LOCKS_HELD", FREE_STATEID(lock))
    env.unlock(opened.handle, lock, 0, 10)
    env.close_file(opened)


@test("FREE41-2", "v41 free_stateid stateid", cites=[
    ("RFC 8881 18.38.3",
     "Once a successful FREE_STATEID is done for a given stateid, any subsequent use of that stateid will result "
     "in an NFS4ERR_BAD_STATEID error"),
    ("RFC 8881 8.2.4", "They remain valid even if a LOCKU frees all remaining locks, so long as the open file with "
                       "which they are associated remains open")])
def free_unlocked(env):
    "FREE_STATEID of a lock's stateid without locks, twice"
    opened = env.create_file(b"f")
    lock = env.unlock(opened.handle, env.lock(opened, 0, 10), 0, 10)
    equal("the status code before", status_codes(env, lock), ["NFS4_OK"])
    env.ok(FREE_STATEID(lock))
    equal("the status code after", status_codes(env, lock), ["NFS4ERR_BAD_STATEID"])
    env.fails("NFS4ERR_BAD_STATEID", FREE_STATEID(lock))
    env.close_file(opened)


@test("LOCK41-1", "v41 lock locks", cites=[
    (LOCKING, "The LOCK operation requests a byte-range lock for the byte-range specified by the offset and length "
              "parameters"),
    (LOCKING, "If the server returns NFS4ERR_DENIED, the owner, offset, and length of a conflicting lock are "
              "returned"),
    (LOCKING, "if the server returns NFS4ERR_DENIED, it MUST set the clientid field of the owner field of the "
              "denied field")])
def conflict(env):
    "Write locks of two owners of two clients, and what LOCK and LOCKT say about them"
    opened = env.create_file(b"f", mode=0o666)
    lock = env.lock(opened, 10, 20)
    equal("the lock's seqid", lock.seqid, 1)
    stranger = another(env, "stranger").setup()
    theirs = env.open_file(b"f", session=stranger)
    reply = env.fails("NFS4ERR_DENIED", PUTFH(opened.handle), env.lock_op(theirs, 25, 100), session=stranger)
    denied_by(reply, 10, 20, WRITE_LT, b"lock owner", env.client.clientid)
    reply = env.fails("NFS4ERR_DENIED", PUTFH(opened.handle), LOCKT(READ_LT, 0, U64_MAX, OTHER), session=stranger)
    denied_by(reply, 10, 20, WRITE_LT, b"lock owner", env.client.clientid)
    env.ok(PUTFH(opened.handle), LOCKT(WRITE_LT, 30, 10, OTHER), LOCKT(WRITE_LT, 0, 10, OTHER), session=stranger)
    env.ok(PUTFH(opened.handle), LOCKT(WRITE_LT, 0, 100, OWNER))
    env.unlock(opened.handle, lock, 10, 20)
    env.ok(PUTFH(opened.handle), LOCKT(WRITE_LT, 0, U64_MAX, OTHER), session=stranger)
    env.close_file(theirs, session=stranger)
    env.close_file(opened)


@test("LOCK41-2", "v41 lock locks", cites=[
    (LOCKING, "To lock the file from a specific offset through the end-of-file (no matter how long the file "
              "actually is) use a length field equal to NFS4_UINT64_MAX")])
def to_the_end(env):
    "A lock to the end of the file, and what LOCKT says about it"
    opened = env.create_file(b"f")
    lock = env.lock(opened, 100, U64_MAX)
    env.ok(PUTFH(opened.handle), LOCKT(WRITE_LT, 0, 100, OTHER))
    for offset in (100, 1 << 40, U64_MAX - 9):
        reply = env.fails("NFS4ERR_DENIED", PUTFH(opened.handle), LOCKT(WRITE_LT, offset, 5, OTHER))
        denied_by(reply, 100, U64_MAX, WRITE_LT, b"lock owner", env.client.clientid)
    env.unlock(opened.handle, lock, 100, U64_MAX)
    env.close_file(opened)


@test("LOCK41-7", "v41 lock locks", cites=[
    ("RFC 8881 9.3", "If a client has a READ_LT lock on a byte-range, it can request an atomic upgrade of the lock "
                     "to a WRITE_LT lock via the LOCK operation by setting the type to WRITE_LT or WRITEW_LT"),
    (LOCKING, "a stateid representing the set of locks associated with that open file and lock-owner")])
def shared_upgraded_split(env):
    "Shared locks of two owners, an upgrade, and a lock in the middle of another one"
    opened = env.create_file(b"f")
    other = env.open_file(b"f", owner=b"other")
    lock = env.lock(opened, 100, 200, kind=READ_LT)
    theirs = env.lock(other, 50, 200, kind=READ_LT, owner=b"another lock owner")
    reply = env.fails("NFS4ERR_DENIED", PUTFH(opened.handle), env.lock_more_op(lock, 200, 10))
    denied_by(reply, 50, 200, READ_LT, b"another lock owner", env.client.clientid)
    env.unlock(opened.handle, theirs, 50, 200, kind=READ_LT)
    more = env.ok(PUTFH(opened.handle), env.lock_more_op(lock, 200, 10))["LOCK"].lock_stateid
    equal("the stateid after the upgrade", more, lock.copy(seqid=2))
    for offset, length, kind in ((100, 100, READ_LT), (200, 10, WRITE_LT), (210, 90, READ_LT)):
        reply = env.fails("NFS4ERR_DENIED", PUTFH(opened.handle), LOCKT(WRITE_LT, offset, 5, OTHER))
        denied_by(reply, offset, length, kind, b"lock owner", env.client.clientid)
    env.ok(PUTFH(opened.handle), LOCKT(READ_LT, 100, 100, OTHER), LOCKT(WRITE_LT, 300, 10, OTHER))
    equal("the stateid after LOCKU", env.unlock(opened.handle, more, 0, U64_MAX), lock.copy(seqid=3))
    env.close_file(other)
    env.close_file(opened)


@test("LOCK41-3", "v41 lock locks", cites=[
    (LOCKING, "The server MUST return NFS4ERR_INVAL under the following combinations of length and offset: o "
              "Length is equal to zero. o Length is not equal to NFS4_UINT64_MAX, and the sum of length and offset "
              "exceeds NFS4_UINT64_MAX")])
def bad_ranges(env):
    "Locks of length 0, and beyond the last offset"
    opened = env.create_file(b"f")
    for offset, length in ((0, 0), (U64_MAX - 5, 10), (U64_MAX, 2)):
        env.fails("NFS4ERR_INVAL", PUTFH(opened.handle), env.lock_op(opened, offset, length))
        env.fails("NFS4ERR_INVAL", PUTFH(opened.handle), LOCKT(WRITE_LT, offset, length, OWNER))
    env.close_file(opened)


@test("LOCK41-4", "v41 lock locks", cites=[
    ("RFC 8881 8.2.4", "when a stateid that doesn't represent byte-range locks is passed to the non-from_open case "
                       "of LOCK or to LOCKU"),
    ("RFC 8881 8.2.4", "In such cases, the server MUST return NFS4ERR_BAD_STATEID"),
    (LOCKING, "In the case that the current filehandle represents an object of type NF4DIR, NFS4ERR_ISDIR is "
              "returned")])
def wrong_stateids(env):
    "LOCK with stateids of another kind, against the open's mode, on a directory"
    opened = env.create_file(b"f")
    for stateid in (opened.stateid, ANONYMOUS, INVALID):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), env.lock_more_op(stateid, 0, 10))
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), env.lock_op(Record(stateid=ANONYMOUS), 0, 10))
    reader = env.open_file(b"f", access=READ_ACCESS, owner=b"reader")
    env.fails("NFS4ERR_OPENMODE", PUTFH(opened.handle), env.lock_op(reader, 0, 10))
    env.fails("NFS4ERR_ISDIR", PUTFH(env.home), LOCKT(WRITE_LT, 0, 10, OWNER))
    env.fails("NFS4ERR_NOFILEHANDLE", LOCKT(WRITE_LT, 0, 10, OWNER))
    env.close_file(reader)
    env.close_file(opened)


@test("LOCK41-8", "v41 locku locks", cites=[
    ("RFC 8881 8.2.4", "when a stateid that doesn't represent byte-range locks is passed to the non-from_open case "
                       "of LOCK or to LOCKU"),
    ("RFC 8881 8.2.4", "In such cases, the server MUST return NFS4ERR_BAD_STATEID")])
def unlock_wrong_stateids(env):
    "LOCKU with stateids of another kind"
    opened = env.create_file(b"f")
    for stateid in (ANONYMOUS, INVALID, opened.stateid):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), LOCKU(WRITE_LT, 0, stateid, 0, 10))
    env.close_file(opened)


@test("LOCK41-5", "v41 lock locks", cites=[
    ("RFC 8881 18.2.3",
     "The server MAY free all outstanding locks on CLOSE, but some servers may not support the CLOSE of a file "
     "that still has byte-range locks held"),
    ("RFC 8881 9.6", "Two of the lock types, READW_LT and WRITEW_LT, are used to indicate to the server that the "
                     "client is requesting a blocking lock")])
def close_with_locks(env):
    "CLOSE with a lock held; READW asks without waiting"
    opened = env.create_file(b"f")
    other = env.open_file(b"f", owner=b"other")
    lock = env.lock(opened, 0, 10)
    env.fails("NFS4ERR_DENIED", PUTFH(opened.handle), env.lock_op(other, 0, 10, READW_LT, b"another lock owner"))
    reply = env.compound(PUTFH(opened.handle), CLOSE(0, opened.stateid)).expect("NFS4_OK", "NFS4ERR_LOCKS_HELD")
    if reply.status:
        env.unlock(opened.handle, lock, 0, 10)
        env.close_file(opened)
    env.lock(other, 0, 10, kind=WRITE_LT, owner=b"another lock owner")


@test("LOCK41-6", "v41 lock locks", cites=[
    (LOCKING, "If this is a reclaim request, the reclaim parameter will be TRUE"),
    ("RFC 8881 15.1.9.3",
     "This can occur because the reclaim has been done outside of the grace period of the server, after the client "
     "has done a RECLAIM_COMPLETE operation")])
def reclaim(env):
    "LOCK that reclaims, outside of a grace period"
    opened = env.create_file(b"f")
    env.fails("NFS4ERR_NO_GRACE", PUTFH(opened.handle), env.lock_op(opened, 0, 10, reclaim=True))
    env.close_file(opened)
