# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_share.py -- share reservations, upgrades, OPEN_CONFIRM, OPEN_DOWNGRADE, CLOSE
"""Tests of NFS v4.0: the state of opens."""

from nfs4 import (ANONYMOUS, BOTH_ACCESS, BYPASS, CLOSE, DENY_BOTH, DENY_NONE, DENY_READ, DENY_WRITE, OPEN_CONFIRM,
                  OPEN_DOWNGRADE, PUTFH, READ, READ_ACCESS, RESULT_CONFIRM, UNSTABLE, WRITE, WRITE_ACCESS, stateid)
from suite import equal, test, that

ACCESSES = (READ_ACCESS, WRITE_ACCESS, BOTH_ACCESS)
DENIES = (DENY_NONE, DENY_READ, DENY_WRITE, DENY_BOTH)
CONFLICT = ("RFC 7530 16.16.5", "In the case that there is an existing share reservation that conflicts with the OPEN "
                                "request, the server returns the error NFS4ERR_SHARE_DENIED.")
UPGRADE = ("RFC 7530 16.16.5", "In this case, the stateid returned has an \"other\" field that matches that of the "
                               "previous open, while the seqid field is incremented to reflect the changed status due "
                               "to the new open")
WRONG_STATEID = ("RFC 7530 9.1.4.4", "If the stateid type is not valid for the context in which the stateid appears, "
                                     "return NFS4ERR_BAD_STATEID.")
OLD = ("RFC 7530 13.1.5.5", "A stateid is provided with a seqid value that is not the most current.")
NOBODYS = stateid(1, b"nobody's own")


def register_matrix(number, access, title):
    def matrix(env):
        env.new_file(b"file", b"data")
        other = env.new_client("other").setup()
        for deny in DENIES:
            first = env.open_file(b"file", access=access, deny=deny, owner=b"first")
            for second_access in ACCESSES:
                for second_deny in DENIES:
                    conflict = second_access & deny or second_deny & access
                    for client, owner in ((env.client, b"second"), (other, b"other")):
                        reply = env.open_reply(b"file", access=second_access, deny=second_deny, owner=owner,
                                               client=client)
                        what = f"deny {deny}, then access {second_access} deny {second_deny}"
                        equal(f"that OPEN is denied: {what}", bool(reply.status), bool(conflict))
                        if conflict:
                            reply.expect("NFS4ERR_SHARE_DENIED")
                            continue
                        opened = reply["OPEN"].copy(handle=first.handle, owner=client.owner(owner))
                        if opened.rflags & RESULT_CONFIRM:
                            opened.stateid = env.confirm(opened).expect("NFS4_OK")["OPEN_CONFIRM"].open_stateid
                        env.close_file(opened)
            env.close_file(first)
    matrix.__doc__ = f"Each way to open a file that is open for {title}, by another owner and by another client"
    test(f"SHAR40-{number}", "v40 open share slow", cites=[
        CONFLICT, ("RFC 7530 9.9", "A share reservation is a mechanism to control access to a file. It is a separate "
                                   "and independent mechanism from byte-range locking.")])(matrix)


for index, (kind, words) in enumerate(((READ_ACCESS, "reading"), (WRITE_ACCESS, "writing"), (BOTH_ACCESS, "both")), 1):
    register_matrix(index, kind, words)


@test("SHAR40-4", "v40 open share upgrade", cites=[UPGRADE])
def upgrade(env):
    """OPEN for writing by an owner that has the file open for reading"""
    env.new_file(b"file", b"data")
    first = env.open_file(b"file", access=READ_ACCESS)
    env.fails("NFS4ERR_OPENMODE", PUTFH(first.handle), WRITE(first.stateid, 0, UNSTABLE, b"x"))
    second = env.open_file(b"file", access=WRITE_ACCESS)
    equal("the stateid", second.stateid, stateid(first.stateid.seqid + 1, first.stateid.other))
    env.write(first.handle, b"x", stateid=second.stateid)
    equal("the data", env.read(first.handle, stateid=second.stateid), (b"xata", True))
    env.fails("NFS4ERR_OLD_STATEID", PUTFH(first.handle), READ(first.stateid, 0, 4))
    env.close_file(second)
    env.compound(PUTFH(first.handle), READ(second.stateid, 0, 4)).expect("NFS4ERR_BAD_STATEID", "NFS4ERR_EXPIRED",
                                                                        "NFS4ERR_OLD_STATEID")


@test("SHAR40-5", "v40 open share upgrade", cites=[
    ("RFC 7530 9.9", "This checking of share reservations on OPEN is done with no exception for an existing OPEN for "
                     "the same open-owner.")])
def upgrade_against_itself(env):
    """OPEN that the owner's own open denies"""
    env.new_file(b"file")
    first = env.open_file(b"file", access=READ_ACCESS, deny=DENY_WRITE)
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", access=WRITE_ACCESS)
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", access=READ_ACCESS, deny=DENY_READ)
    env.close_file(first)


@test("SHAR40-6", "v40 open share upgrade", cites=[
    ("RFC 7530 9.11", "The result is that there is one open file, as far as the protocol is concerned, and it includes "
                      "the union of the access and deny bits for all of the OPEN requests completed.")])
def upgrade_of_denials(env):
    """An owner's two opens deny together what each of them denies; one CLOSE ends both"""
    env.new_file(b"file")
    env.open_file(b"file", access=READ_ACCESS, deny=DENY_NONE)
    both = env.open_file(b"file", access=READ_ACCESS, deny=DENY_WRITE)
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", access=WRITE_ACCESS, owner=b"other")
    env.close_file(both)
    env.close_file(env.open_file(b"file", access=WRITE_ACCESS, deny=DENY_BOTH, owner=b"other"))


@test("SHAR40-7", "v40 read write share", cites=[
    ("RFC 7530 9.1.4.3", "When an anonymous stateid value is used, and an existing open denies the form of access "
                         "requested, then access will be denied to the request.")])
def denied_io(env):
    """READ and WRITE with the anonymous stateid of a file that somebody denies"""
    opened = env.create_file(b"file", b"data", deny=DENY_BOTH)
    env.fails("NFS4ERR_LOCKED", PUTFH(opened.handle), WRITE(ANONYMOUS, 0, UNSTABLE, b"x"))
    env.fails("NFS4ERR_LOCKED", PUTFH(opened.handle), WRITE(BYPASS, 0, UNSTABLE, b"x"))
    env.fails("NFS4ERR_LOCKED", PUTFH(opened.handle), READ(ANONYMOUS, 0, 4))
    equal("the data", env.read(opened.handle, stateid=opened.stateid), (b"data", True))
    env.close_file(opened)
    env.write(opened.handle, b"x")
    equal("the data", env.read(opened.handle), (b"xata", True))


@test("SHAR40-8", "v40 read share", cites=[
    ("RFC 7530 16.23.4", "For a READ using the special READ bypass stateid, the server MAY allow READ operations to "
                         "bypass locking checks at the server.")])
def bypass(env):
    """READ with the bypass stateid of a file that denies reading"""
    opened = env.create_file(b"file", b"data", deny=DENY_READ)
    reply = env.compound(PUTFH(opened.handle), READ(BYPASS, 0, 4))
    reply.expect("NFS4_OK", "NFS4ERR_LOCKED")
    if not reply.status:
        equal("the data", reply["READ"].data, b"data")


# --- OPEN_CONFIRM --------------------------------------------------------------------------------------


@test("OCNF40-1", "v40 open_confirm", cites=[
    ("RFC 7530 9.1.11", "When the server observes the use of the open-owner for the first time, it will direct the "
                        "client to perform the OPEN_CONFIRM for the corresponding OPEN.")])
def confirm(env):
    """A new owner's first OPEN has to be confirmed, its second one hasn't"""
    env.new_file(b"file", b"data")
    reply = env.open_reply(b"file", owner=b"new")
    opened = reply.expect("NFS4_OK")["OPEN"].copy(handle=reply["GETFH"].object, owner=env.client.owner(b"new"))
    that(opened.rflags & RESULT_CONFIRM, "OPEN4_RESULT_CONFIRM isn't set")
    confirmed = env.confirm(opened).expect("NFS4_OK")["OPEN_CONFIRM"].open_stateid
    equal("the stateid", confirmed, stateid(opened.stateid.seqid + 1, opened.stateid.other))
    env.new_file(b"second", owner=b"someone else")
    second = env.open_reply(b"second", owner=b"new").expect("NFS4_OK")["OPEN"]
    that(not second.rflags & RESULT_CONFIRM, "OPEN4_RESULT_CONFIRM is set")
    equal("the data", env.read(opened.handle, stateid=confirmed), (b"data", True))


@test("OCNF40-2", "v40 open_confirm seqid", cites=[
    ("RFC 7530 16.18.4", "The sequence id passed to the OPEN_CONFIRM must be 1 (one) greater than the seqid passed to "
                         "the OPEN operation")])
def confirm_with_wrong_seqid(env):
    """OPEN_CONFIRM with another sequence number than the next"""
    env.new_file(b"file")
    reply = env.open_reply(b"file", owner=b"new").expect("NFS4_OK")
    owner = env.client.owner(b"new")
    env.fails("NFS4ERR_BAD_SEQID", PUTFH(reply["GETFH"].object), OPEN_CONFIRM(reply["OPEN"].stateid, owner.seqid + 5))


@test("OCNF40-3", "v40 open_confirm", cites=[
    ("RFC 7530 16.18.5", "it is OPEN_CONFIRM but with the wrong stateid? Then, even if the seqid is correct, the "
                         "server returns NFS4ERR_BAD_STATEID"), WRONG_STATEID])
def confirm_with_wrong_stateid(env):
    """OPEN_CONFIRM with stateids that nobody gave, special ones, a lock's"""
    env.new_file(b"file")
    reply = env.open_reply(b"file", owner=b"new").expect("NFS4_OK")
    owner, handle = env.client.owner(b"new"), reply["GETFH"].object
    for wrong in (ANONYMOUS, BYPASS):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(handle), OPEN_CONFIRM(wrong, owner.seqid))
    env.fails("NFS4ERR_BAD_STATEID NFS4ERR_STALE_STATEID NFS4ERR_EXPIRED", PUTFH(handle), OPEN_CONFIRM(NOBODYS,
                                                                                                       owner.seqid))
    opened = env.open_file(b"file")
    lock = env.lock(opened, 0, 1)
    env.fails("NFS4ERR_BAD_STATEID NFS4ERR_BAD_SEQID", PUTFH(handle), OPEN_CONFIRM(lock.stateid, opened.owner.seqid))


@test("OCNF40-4", "v40 open_confirm", cites=[
    ("RFC 7530 16.18.4", "This operation is used to confirm the sequence id usage for the first time that an "
                         "open-owner is used by a client.")])
def confirm_twice(env):
    """OPEN_CONFIRM of what is confirmed"""
    opened = env.create_file(b"file")
    env.confirm(opened).expect("NFS4ERR_BAD_STATEID")


@test("OCNF40-5", "v40 open_confirm", cites=[
    ("RFC 7530 16.16.5", "OPEN4_RESULT_CONFIRM indicates that the client MUST execute an OPEN_CONFIRM operation "
                         "before using the open "
     "file."), ("RFC 7530 16.18.5", "if the server has no established OPEN state, then there is no way, for example, a "
                                    "LOCK operation could be valid")])
def without_confirming(env):
    """CLOSE and OPEN_DOWNGRADE of an open that isn't confirmed"""
    env.new_file(b"file")
    reply = env.open_reply(b"file", owner=b"new").expect("NFS4_OK")
    owner, handle, unconfirmed = env.client.owner(b"new"), reply["GETFH"].object, reply["OPEN"].stateid
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(handle), OPEN_DOWNGRADE(unconfirmed, owner.seqid, BOTH_ACCESS, DENY_NONE))
    env.fails("NFS4ERR_BAD_STATEID", PUTFH(handle), CLOSE(owner.seqid, unconfirmed))


# --- OPEN_DOWNGRADE ------------------------------------------------------------------------------------


def both_ways(env):
    """A file that one owner has opened for reading, then for writing."""
    env.new_file(b"file", b"data")
    env.open_file(b"file", access=READ_ACCESS, deny=DENY_NONE)
    return env.open_file(b"file", access=WRITE_ACCESS, deny=DENY_NONE)


@test("ODWN40-1", "v40 open_downgrade share", cites=[
    ("RFC 7530 16.19.4", "The share_access and share_deny bits specified in this operation replace the current ones "
                         "for the specified "
     "open file."), ("RFC 7530 9.11", "The seqid value in the returned stateid MUST be incremented (Section 9.1.4), "
                                      "even in situations in which there has been no change to the access and deny "
                                      "bits for the file.")])
def downgrade(env):
    """OPEN_DOWNGRADE to reading: others may deny writing"""
    opened = both_ways(env)
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", access=READ_ACCESS, deny=DENY_WRITE, owner=b"other")
    now = env.downgrade(opened, READ_ACCESS, DENY_NONE).expect("NFS4_OK")["OPEN_DOWNGRADE"].open_stateid
    equal("the stateid", now, stateid(opened.stateid.seqid + 1, opened.stateid.other))
    equal("the data", env.read(opened.handle, stateid=now), (b"data", True))
    env.close_file(env.open_file(b"file", access=READ_ACCESS, deny=DENY_WRITE, owner=b"other"))
    again = env.downgrade(opened, READ_ACCESS, DENY_NONE, now).expect("NFS4_OK")["OPEN_DOWNGRADE"].open_stateid
    equal("the stateid", again, stateid(now.seqid + 1, now.other))


@test("ODWN40-5", "v40 open_downgrade write", cites=[
    ("RFC 7530 13.1.8.9", "The client attempted a READ, WRITE, LOCK, or other operation not sanctioned by the stateid "
                          "passed (e.g., writing to a file opened only for read).")])
def write_after_downgrade(env):
    """WRITE after OPEN_DOWNGRADE to reading"""
    opened = both_ways(env)
    now = env.downgrade(opened, READ_ACCESS, DENY_NONE).expect("NFS4_OK")["OPEN_DOWNGRADE"].open_stateid
    env.fails("NFS4ERR_OPENMODE", PUTFH(opened.handle), WRITE(now, 0, UNSTABLE, b"x"))
    equal("the data", env.read(opened.handle, stateid=now), (b"data", True))


@test("ODWN40-6", "v40 open_downgrade close seqid", cites=[
    ("RFC 7530 9.1.7", "This is true even in the event that the previous operation that used the sequence number "
                       "received an error.")])
def errors_use_up_sequence_numbers(env):
    """OPEN_DOWNGRADE that gets NFS4ERR_INVAL, and CLOSE that gets NFS4ERR_OLD_STATEID, use up their sequence numbers"""
    opened = both_ways(env)
    env.downgrade(opened, 0, DENY_NONE).expect("NFS4ERR_INVAL")
    env.close_reply(opened, stateid(1, opened.stateid.other)).expect("NFS4ERR_OLD_STATEID")
    env.close_file(opened)


@test("ODWN40-2", "v40 open_downgrade share", cites=[
    ("RFC 7530 16.19.4", "The share_access and share_deny bits specified must be exactly equal to the union of the "
                         "share_access and share_deny bits specified for some subset of the OPENs in effect for the "
                         "current open-owner on the current file. If that constraint is not respected, the error "
                         "NFS4ERR_INVAL should be returned.")])
def downgrade_to_more(env):
    """OPEN_DOWNGRADE to more than there is, to nothing, to bits that don't exist"""
    env.new_file(b"file")
    for access, deny in ((BOTH_ACCESS, 0), (WRITE_ACCESS, 0), (READ_ACCESS, DENY_WRITE), (0, 0), (4, 0), (READ_ACCESS,
                                                                                                          4)):
        opened = env.open_file(b"file", access=READ_ACCESS, owner=b"owner %d %d" % (access, deny))
        env.downgrade(opened, access, deny).expect("NFS4ERR_INVAL")
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", access=READ_ACCESS, deny=DENY_READ, owner=b"last")


@test("ODWN40-3", "v40 open_downgrade share", cites=[
    ("RFC 7530 16.19.4", "The share_access and share_deny bits specified must be exactly equal to the union of the "
                         "share_access and share_deny bits specified for some subset of the OPENs in effect for the "
                         "current open-owner on the current file.")])
def downgrade_of_one_open(env):
    """OPEN_DOWNGRADE to a part of the only open's access"""
    env.new_file(b"file")
    opened = env.open_file(b"file", access=BOTH_ACCESS)
    env.downgrade(opened, READ_ACCESS, DENY_NONE).expect("NFS4ERR_INVAL")


@test("ODWN40-4", "v40 open_downgrade", cites=[OLD, WRONG_STATEID])
def downgrade_with_wrong_stateids(env):
    """OPEN_DOWNGRADE with an old stateid, a later one, special ones, a lock's"""
    opened = both_ways(env)
    other, seqid = opened.stateid.other, opened.stateid.seqid
    for wrong in (stateid(seqid + 1, other), ANONYMOUS, BYPASS):
        env.downgrade(opened, READ_ACCESS, DENY_NONE, wrong).expect("NFS4ERR_BAD_STATEID")
    lock = env.lock(opened, 0, 1)
    env.downgrade(opened, READ_ACCESS, DENY_NONE, lock.stateid).expect("NFS4ERR_BAD_STATEID", "NFS4ERR_BAD_SEQID")
    env.downgrade(opened, READ_ACCESS, DENY_NONE, stateid(seqid - 1, other)).expect("NFS4ERR_OLD_STATEID")


# --- CLOSE ---------------------------------------------------------------------------------------------


@test("CLOS40-1", "v40 close", cites=[
    ("RFC 7530 16.2.4", "The CLOSE operation releases share reservations for the regular or named attribute file as "
                        "specified by the current filehandle.")])
def close(env):
    """CLOSE ends the reservation and the stateid"""
    opened = env.create_file(b"file", b"data", deny=DENY_BOTH)
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", owner=b"other")
    env.close_file(opened)
    for ask in (READ(opened.stateid, 0, 4), WRITE(opened.stateid, 0, UNSTABLE, b"x")):
        env.fails("NFS4ERR_BAD_STATEID NFS4ERR_EXPIRED NFS4ERR_OLD_STATEID", PUTFH(opened.handle), ask)
    env.close_file(env.open_file(b"file", owner=b"other"))


@test("CLOS40-2", "v40 close", cites=[OLD, WRONG_STATEID])
def close_with_wrong_stateids(env):
    """CLOSE with a later stateid, special ones, an old one"""
    opened = both_ways(env)
    other, seqid = opened.stateid.other, opened.stateid.seqid
    for wrong in (stateid(seqid + 1, other), ANONYMOUS, BYPASS):
        env.close_reply(opened, wrong).expect("NFS4ERR_BAD_STATEID")
    env.close_reply(opened, stateid(seqid - 1, other)).expect("NFS4ERR_OLD_STATEID")


@test("CLOS40-3", "v40 close", cites=[
    ("RFC 7530 9.1.4.4", "If the selected table entry does not match the current filehandle, return "
                         "NFS4ERR_BAD_STATEID.")])
def close_of_another_file(env):
    """CLOSE, READ and WRITE with the stateid of another file's open"""
    one, two = env.create_file(b"one", b"data"), env.create_file(b"two", b"data")
    for ask in (READ(one.stateid, 0, 4), WRITE(one.stateid, 0, UNSTABLE, b"x"), CLOSE(one.owner.seqid, one.stateid)):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(two.handle), ask)
    equal("the data", env.read(two.handle, stateid=two.stateid), (b"data", True))
    env.close_file(one)


@test("CLOS40-4", "v40 close locks", cites=[
    ("RFC 7530 16.2.4", "The server MAY free all outstanding locks on CLOSE, but some servers may not support the "
                        "CLOSE of a file that still has byte-range locks held. The server MUST return failure if any "
                        "locks would exist after the CLOSE.")])
def close_with_locks(env):
    """CLOSE with locks fails, or frees them"""
    opened = env.create_file(b"file", b"data")
    lock = env.lock(opened, 0, 4)
    reply = env.close_reply(opened)
    reply.expect("NFS4_OK", "NFS4ERR_LOCKS_HELD")
    if reply.status:
        env.lock_test(opened.handle, 0, 4).expect("NFS4ERR_DENIED")
        env.unlock(lock, 0, 4)
        env.close_file(opened)
    env.lock_test(opened.handle, 0, 4).expect("NFS4_OK")


@test("CLOS40-5", "v40 close", cites=[
    ("RFC 7530 16.2.4", "The share reservations and other state information released at the server as a result of this "
                        "CLOSE are only associated with the supplied stateid.")])
def close_of_one_of_two(env):
    """CLOSE of one owner's open leaves the other's"""
    one = env.create_file(b"file", b"data", deny=DENY_NONE, owner=b"one")
    two = env.open_file(b"file", deny=DENY_NONE, owner=b"two")
    env.close_file(one)
    env.write(two.handle, b"x", stateid=two.stateid)
    env.open_fails("NFS4ERR_SHARE_DENIED", b"file", deny=DENY_BOTH, owner=b"one")
    env.close_file(two)
