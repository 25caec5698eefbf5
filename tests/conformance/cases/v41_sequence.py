# SPDX-License-Identifier: LGPL-3.0-or-later
# v41_sequence.py -- SEQUENCE of NFS v4.1: slots, retries, sizes, what a COMPOUND may hold, malformed ones
from nfs4 import (ANONYMOUS, CREATE, EXCHANGE_ID, FILE_SYNC, GETATTR, GETFH, LOOKUP, OPENATTR, PUTFH, PUTROOTFH,
                  READ, READDIR, RENEW, SEQUENCE, SETCLIENTID, WRITE, OPEN_CONFIRM, RELEASE_LOCKOWNER)
from nfs4attr import NF4DIR, Words
from nfs41 import SLOTS, channel
from rpc import Credential
from suite import equal, expect_rpc, test, that
from xdr import Record

from .v41_tools import BAD_XDR, another, argument, fails_alone, malformed, same_reply

SEQ = "RFC 8881 18.46.3"
CACHE = "RFC 8881 2.10.6.1.3"
BUILD = "RFC 8881 2.10.6.4"
ENUMERATIONS = ("RFC 8881 15.1.1.1",
                "Note that this error applies when fixed enumerations (these include booleans) have a value within the "
                "input stream that is not valid for the enum")


def make_dir(env, name):
    return [PUTFH(env.home), CREATE(Record(type=NF4DIR), name, Record(mode=0o755)), GETFH()]


def small_session(env, **changes):
    """A session of another client, with smaller limits."""
    client = another(env, "small")
    client.exchange_id()
    return client.create_session(fore_chan_attrs=channel(**changes))


@test("SEQ41-1", "v41 sequence session", cites=[
    (SEQ, "The sr_sessionid result MUST equal sa_sessionid"),
    (SEQ, "The sr_slotid result MUST equal sa_slotid. The sr_sequenceid result MUST equal sa_sequenceid")])
def alone(env):
    "SEQUENCE alone, on each slot"
    for slot in range(env.session.fore.maxrequests):
        for _ in range(2):
            result = env.compound(slot=slot).expect("NFS4_OK").sequence
            equal("the slot", result.slotid, slot)
            equal("the session", result.sessionid, env.session.sessionid)


@test("SEQ41-2", "v41 sequence session", cites=[
    (SEQ, "The former is the highest slot ID the server will accept in future SEQUENCE operation"),
    (SEQ, "The latter is the highest slot ID the server would prefer the client use on a future SEQUENCE operation")])
def highest_slots(env):
    "SEQUENCE's highest slots are within the session's, and stay"
    first, second = (env.ok(PUTFH(env.home)).sequence for _ in range(2))
    equal("the highest slot, asked again", second.highest_slotid, first.highest_slotid)
    equal("the highest slot preferred, asked again", second.target_highest_slotid, first.target_highest_slotid)
    that(first.target_highest_slotid < env.session.fore.maxrequests, "the slot preferred is beyond the session's slots")
    env.ok(PUTFH(env.home), slot=first.highest_slotid)


@test("SEQ41-3", "v41 sequence session", cites=[
    (SEQ, "If the difference between sa_sequenceid and the server's cached sequence ID at the slot ID is two (2) "
          "or more, or if sa_sequenceid is less than the cached sequence ID (accounting for wraparound of the "
          "unsigned sequence ID value), then the server MUST return NFS4ERR_SEQ_MISORDERED"),
    (SEQ, "If SEQUENCE returns an error, then the state of the slot (sequence ID, cached reply) MUST NOT change")])
def misordered(env):
    "SEQUENCE with sequence numbers too high and too low; the slot stays as it was"
    for _ in range(3):
        env.ok(PUTFH(env.home))
    right = env.session.sequence()
    for wrong in (right.sequenceid + 1, right.sequenceid + 100, right.sequenceid - 2, 0xFFFFFFFF):
        reply = env.send([right.copy(sequenceid=wrong), PUTFH(env.home)]).expect("NFS4ERR_SEQ_MISORDERED")
        equal("the number of results", len(reply), 1)
    env.ok(PUTFH(env.home))


@test("SEQ41-4", "v41 sequence session", cites=[
    ("RFC 8881 18.36.3",
     "Once the session is created, the first SEQUENCE or CB_SEQUENCE received on a slot MUST have a sequence ID "
     "equal to 1; if not, the replier MUST return NFS4ERR_SEQ_MISORDERED")])
def first_on_a_slot(env):
    "The first SEQUENCE on a slot with other numbers than 1"
    for number in (0, 2, 0xFFFFFFFF):
        fails_alone(env, "NFS4ERR_SEQ_MISORDERED", env.session.sequence(slot=3, sequenceid=number))
    env.ok(PUTFH(env.home), slot=3)


@test("SEQ41-5", "v41 sequence session", cites=[
    ("RFC 8881 15.1.11.2",
     "The requester sent a Sequence operation that attempted to use a slot the replier does not have in its slot "
     "table")])
def bad_slot(env):
    "SEQUENCE on slots that the session hasn't"
    for slot in (env.session.fore.maxrequests, env.session.fore.maxrequests + 1000, 0xFFFFFFFF):
        op = env.session.sequence(slotid=slot, highest_slotid=slot)
        fails_alone(env, "NFS4ERR_BADSLOT NFS4ERR_BAD_HIGH_SLOT", op)
    env.ok(PUTFH(env.home))


@test("SEQ41-6", "v41 sequence session", cites=[
    ("RFC 8881 2.10.6.1",
     "if the requester continues to send requests with a highest_slotid that is greater than the replier's new "
     "enforced highest_slotid, the server MAY return NFS4ERR_BAD_HIGH_SLOT")])
def bad_high_slot(env):
    "SEQUENCE whose highest slot is beyond the session's: refused, or told the right one"
    reply = env.send([env.session.sequence(highest_slotid=env.session.fore.maxrequests + 10)])
    reply.expect("NFS4_OK", "NFS4ERR_BAD_HIGH_SLOT")
    if not reply.status:
        that(reply[0].highest_slotid < env.session.fore.maxrequests, "a slot beyond the session's is accepted")


@test("SEQ41-7", "v41 sequence session", cites=[
    (SEQ, "If sa_sequenceid and the cached sequence ID are the same, this is a retry, and the server replies with "
          "what is recorded in the reply cache"),
    (SEQ, "If sa_cachethis is TRUE, then the client is requesting that the server cache the entire reply in the "
          "server's reply cache; therefore, the server MUST cache the reply")])
def retry(env):
    "A retry of a cached CREATE gets the same reply, and nothing is made again"
    ops = [env.session.sequence(cache=True), *make_dir(env, b"d"), GETATTR(["type", "fileid", "change"])]
    first = env.send(ops).expect("NFS4_OK")
    env.session.take(0)
    before = env.get(env.home, "change", "numlinks", slot=1)
    for _ in range(2):
        same_reply(first, env.send(ops, check=False))
    equal("the directory's attributes after retries", env.get(env.home, "change", "numlinks", slot=1), before)
    env.ok(PUTFH(env.home))


@test("SEQ41-8", "v41 sequence session", cites=[
    (SEQ, "If sa_sequenceid and the cached sequence ID are the same, this is a retry")])
def retry_of_failure(env):
    "A retry of a cached failure gets the same reply"
    ops = [env.session.sequence(cache=True), PUTFH(env.home), LOOKUP(b"missing"), GETFH()]
    first = env.send(ops).expect("NFS4ERR_NOENT")
    env.session.take(0)
    env.ok(*make_dir(env, b"missing"), slot=1)
    same_reply(first, env.send(ops, check=False))


@test("SEQ41-9", "v41 sequence session", cites=[
    (CACHE, "Thus, if the requester later retries the request, it will get NFS4ERR_RETRY_UNCACHED_REP"),
    (CACHE, "The replier can cache the entire original reply. Even though sa_cachethis or csa_cachethis is FALSE, "
            "the replier is always free to cache")])
def retry_uncached(env):
    "A retry of a CREATE that wasn't to be cached: the same reply, or RETRY_UNCACHED_REP behind SEQUENCE"
    ops = [env.session.sequence(), *make_dir(env, b"d")]
    first = env.send(ops).expect("NFS4_OK")
    second = env.send(ops, check=False)
    env.session.take(0)
    if second.results != first.results:
        second.expect("NFS4ERR_RETRY_UNCACHED_REP")
        equal("the number of results", len(second), 2)
        equal("SEQUENCE's result", second[0], first[0])
    equal("the number of directories", [entry.name for entry in env.list(env.home)], [b"d"])


@test("SEQ41-10", "v41 sequence session", cites=[
    (SEQ, "If the client reuses a slot ID and sequence ID for a completely different request, the server MAY treat "
          "the request as if it is a retry of what it has already executed. The server MAY however detect the "
          "client's illegal reuse and return NFS4ERR_SEQ_FALSE_RETRY")])
def false_retry(env):
    "Another request with a number that was used: the first reply, or SEQ_FALSE_RETRY; it isn't executed"
    sequence = env.session.sequence(cache=True)
    first = env.send([sequence, PUTFH(env.home), GETATTR(["type"])]).expect("NFS4_OK")
    second = env.send_bytes(env.encode(sequence, *make_dir(env, b"d")))
    env.session.take(0)
    if second.results != first.results:
        second.expect("NFS4ERR_SEQ_FALSE_RETRY", "NFS4ERR_RETRY_UNCACHED_REP")
    equal("what is in the directory", env.list(env.home), [])


@test("SEQ41-11", "v41 sequence session perms", cites=[
    (CACHE, "The cached reply to the original request (if the replier has cached it in its entirety and the users "
            "of the original request and retry match)"),
    ("RFC 8881 2.10.6.1.3.1",
     "If the replier determines the users are different between the original request and a retry, then the replier "
     "MUST return NFS4ERR_FALSE_RETRY")])
def retry_of_another_user(env):
    "A retry by another user"
    ops = [env.session.sequence(cache=True), PUTFH(env.home), GETATTR(["type"])]
    env.send(ops).expect("NFS4_OK")
    reply = env.send(ops, credential=Credential(1000, 1000), check=False)
    reply.expect("NFS4ERR_SEQ_FALSE_RETRY")


@test("SEQ41-12", "v41 sequence compound", cites=[
    (SEQ, "The error NFS4ERR_SEQUENCE_POS will be returned when it is found in any position in a COMPOUND beyond "
          "the first")])
def not_first(env):
    "SEQUENCE in second place"
    reply = env.fails("NFS4ERR_SEQUENCE_POS", PUTFH(env.home), env.session.sequence(slot=1))
    equal("the operation", reply[-1].resop, SEQUENCE.number)
    env.ok(PUTFH(env.home), slot=1)


@test("SEQ41-13", "v41 sequence compound", cites=[
    (SEQ, "Such operations MUST yield the error NFS4ERR_OP_NOT_IN_SESSION if they do appear at the start of a "
          "COMPOUND")])
def no_sequence(env):
    "Other operations without SEQUENCE"
    for op in (PUTROOTFH(), PUTFH(env.home), GETATTR(["type"]), READ(ANONYMOUS, 0, 10)):
        fails_alone(env, "NFS4ERR_OP_NOT_IN_SESSION", op)
    reply = env.send([PUTROOTFH(), GETFH()]).expect("NFS4ERR_OP_NOT_IN_SESSION")
    that(len(reply) <= 1, "operations went on without SEQUENCE")


@test("SEQ41-14", "v41 sequence compound", cites=[
    ("RFC 8881 18.36.3",
     "After the session is created, if a requester sends a COMPOUND or CB_COMPOUND with more operations than "
     "ca_maxoperations, the replier MUST return NFS4ERR_TOO_MANY_OPS")])
def too_many_operations(env):
    "A COMPOUND with more operations than the session allows"
    session = small_session(env, maxoperations=4)
    limit = session.fore.maxoperations
    session.ok(*[PUTFH(env.home)] * (limit - 1))
    reply = env.send([session.sequence(), *[PUTFH(env.home)] * limit]).expect("NFS4ERR_TOO_MANY_OPS")
    that(len(reply) <= limit + 1, f"{len(reply)} results")


@test("SEQ41-15", "v41 sequence compound", cites=[
    (BUILD, "If a request exceeds ca_maxrequestsize, the reply will have the status NFS4ERR_REQ_TOO_BIG")])
def request_too_big(env):
    "A request that is bigger than the session allows"
    handle = env.new_file(b"f", mode=0o666)
    session = small_session(env, maxrequestsize=2000)
    session.ok(PUTFH(handle), WRITE(ANONYMOUS, 0, FILE_SYNC, bytes(100)))
    ops = [session.sequence(), PUTFH(handle), WRITE(ANONYMOUS, 0, FILE_SYNC, bytes(4000))]
    env.send(ops).expect("NFS4ERR_REQ_TOO_BIG")


@test("SEQ41-16", "v41 sequence compound", cites=[
    (BUILD, "If a reply exceeds ca_maxresponsesize, the reply will have the status NFS4ERR_REP_TOO_BIG")])
def reply_too_big(env):
    "A reply that would be bigger than the session allows"
    handle = env.new_file(b"f", bytes(5000))
    session = small_session(env, maxresponsesize=2000, maxresponsesize_cached=1000)
    equal("what fits", len(session.ok(PUTFH(handle), READ(ANONYMOUS, 0, 1000))["READ"].data), 1000)
    reply = session.compound(PUTFH(handle), READ(ANONYMOUS, 0, 4000)).expect("NFS4ERR_REP_TOO_BIG")
    equal("the number of results", len(reply), 2)
    session.ok(PUTFH(handle))


@test("SEQ41-17", "v41 sequence compound", cites=[
    (BUILD, "If the reply exceeds ca_maxresponsesize_cached (and sa_cachethis or csa_cachethis is TRUE), then the "
            "server MUST return NFS4ERR_REP_TOO_BIG_TO_CACHE")])
def reply_too_big_to_cache(env):
    "A reply that is to be cached and doesn't fit into the cache"
    handle = env.new_file(b"f", bytes(5000))
    session = small_session(env, maxresponsesize_cached=1000)
    equal("what needn't be cached", len(session.ok(PUTFH(handle), READ(ANONYMOUS, 0, 4000))["READ"].data), 4000)
    session.compound(PUTFH(handle), READ(ANONYMOUS, 0, 4000), cache=True).expect("NFS4ERR_REP_TOO_BIG_TO_CACHE")
    session.ok(PUTFH(handle))


@test("SEQ41-18", "v41 sequence session", cites=[
    (SEQ, "The sa_sessionid argument identifies the session to which this request applies")])
def slots_apart(env):
    "Slots of two sessions don't know of each other"
    other = another(env, "other").setup()
    for slot in (0, 1, SLOTS - 1):
        for session in (env.session, other):
            session.ok(PUTFH(env.home), GETATTR(["type"]), slot=slot)
    env.send([other.sequence(sessionid=env.session.sessionid, sequenceid=77)]).expect("NFS4ERR_SEQ_MISORDERED")


@test("OPS41-2", "v41 compound", cites=[
    ("RFC 8881 15.1.1.5", "the operation MUST NOT be implemented in the current minor version")])
def old_operations(env):
    "Operations of NFS v4.0 that v4.1 hasn't any more"
    owner = Record(clientid=env.client.clientid, owner=b"owner")
    client = Record(verifier=bytes(8), ownerid=b"old")
    callback = Record(program=0, location=Record(netid=b"tcp", addr=b"0.0.0.0.0.0"))
    for op in (RENEW(env.client.clientid), SETCLIENTID(client, callback, 0), RELEASE_LOCKOWNER(owner), OPEN_CONFIRM()):
        env.fails("NFS4ERR_NOTSUPP", PUTFH(env.home), op)


@test("OPS41-3", "v41 compound", cites=[
    ("RFC 8881 15.1.3.2", "the results will specify a result count of zero")])
def minor_version(env):
    "A minor version that isn't there"
    for minor in (3, 77, 0xFFFFFFFF):
        reply = env.send([env.session.sequence(), PUTFH(env.home)], minor=minor).expect("NFS4ERR_MINOR_VERS_MISMATCH")
        equal("the number of results", len(reply), 0)
    env.ok(PUTFH(env.home))


@test("OPS41-4", "v41 compound", cites=[
    ("RFC 8881 16.2.3", "The definition of the \"tag\" in the request is left to the implementor")])
def tags(env):
    "Tags come back as they were"
    for tag in (b"", b"x", "t\u00e4g".encode(), b"a longer tag " * 15):
        env.send([env.session.sequence(), PUTFH(env.home)], tag=tag).expect("NFS4_OK")
        env.session.take(0)


@test("OPS41-6", "v41 compound", cites=[
    ("RFC 8881 16.2.3",
     "The server continues this process until there are no more operations to be executed or until one of the "
     "operations has a status value other than NFS4_OK")])
def empty(env):
    "A COMPOUND without operations"
    reply = env.send([])
    equal("the number of results", len(reply), 0)
    reply.expect("NFS4_OK", "NFS4ERR_OP_NOT_IN_SESSION")


@test("OPS41-5", "v41 openattr names", cites=[
    ("RFC 8881 18.17.3",
     "If the server does not support named attributes for the current filehandle, an error of NFS4ERR_NOTSUPP will "
     "be returned to the client")])
def named_attributes(env):
    "OPENATTR says what the attribute named_attr says"
    handle = env.new_file(b"f")
    if env.get(handle, "named_attr").named_attr:
        env.compound(PUTFH(handle), OPENATTR(False)).expect("NFS4_OK", "NFS4ERR_NOENT")
    else:
        env.fails("NFS4ERR_NOTSUPP", PUTFH(handle), OPENATTR(False))


@test("XDR41-1", "v41 xdr compound", cites=[
    BAD_XDR])
def cut_off(env):
    "Arguments that end too early"
    whole = argument(READ(ANONYMOUS, 0, 100))
    for length in (4, 12, len(whole) - 4):
        malformed(env, whole[:length], PUTFH(env.home))
        env.ok(PUTFH(env.home))


@test("XDR41-2", "v41 xdr compound", cites=[
    BAD_XDR])
def huge_counts(env):
    "Lengths that are far beyond the request's end"
    huge = b"\xff\xff\xff\xff"
    for bad in (argument(PUTFH(b""))[:4] + huge, argument(LOOKUP(b""))[:4] + huge, argument(GETATTR([]))[:4] + huge,
                argument(WRITE(ANONYMOUS, 0, FILE_SYNC, b""))[:-4] + b"\x7f\xff\xff\xff"):
        malformed(env, bad, PUTFH(env.home))
        env.ok(PUTFH(env.home))


@test("XDR41-3", "v41 xdr compound", cites=[
    ENUMERATIONS])
def bad_switch(env):
    "EXCHANGE_ID whose union has a switch without arm"
    good = argument(env.client.exchange_op())
    kind = EXCHANGE_ID.arguments.fields["state_protect"].encode(Record(how=0))
    malformed(env, good.replace(kind + bytes(4), b"\0\0\0\x63" + bytes(4)))
    env.ok(PUTFH(env.home))


@test("XDR41-6", "v41 xdr write", cites=[
    ENUMERATIONS])
def bad_enumeration(env):
    "WRITE whose stability is none"
    write = bytearray(argument(WRITE(ANONYMOUS, 0, FILE_SYNC, b"abcd")))
    write[31:32] = b"\x63"
    malformed(env, bytes(write), PUTFH(env.new_file(b"f")))
    env.ok(PUTFH(env.home))


@test("XDR41-4", "v41 xdr compound", cites=[
    ("RFC 8881 16.2.3",
     "operation that is less than the first legal operation (OP_ACCESS) or greater than the last legal operation"),
    BAD_XDR])
def garbage(env):
    "Bytes that aren't a COMPOUND, and one that claims a thousand million operations"
    head = env.encode()[:-4]
    many = head + b"\x3b\x9a\xca\x00"
    for bad in (b"", b"\xff" * 4, b"\xff" * 64, head, many, head + b"\xff\xff\xff\xff" + bytes(64)):
        expect_rpc("GARBAGE_ARGS", env.send_bytes, bad)
    env.ok(PUTFH(env.home))


@test("XDR41-5", "v41 xdr readdir", cites=[
    ("RFC 8881 18.7.3",
     "If the server does not support a particular attribute on the target file system, then it MUST NOT return the "
     "attribute value and MUST NOT set the attribute bit in the result bitmap")])
def long_bitmap(env):
    "A bitmap longer than all attributes: what isn't known isn't returned"
    reply = env.ok(PUTFH(env.home), GETATTR(Words(2, 0, 0, 0xFFFFFF00)),
                   READDIR(0, bytes(8), 1000, 1000, Words(2, 0, 0, 0x80000000)))
    equal("the attributes", list(reply["GETATTR"].attrs.__dict__), ["type"])
    equal("the entries", reply["READDIR"].entries, [])
