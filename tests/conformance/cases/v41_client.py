# SPDX-License-Identifier: LGPL-3.0-or-later
# v41_client.py -- client IDs of NFS v4.1: EXCHANGE_ID, DESTROY_CLIENTID, RECLAIM_COMPLETE
from nfs4 import (ALLOCATE, CLAIM_PREVIOUS, DESTROY_CLIENTID, EXCHANGE_ID, GETATTR, GETFH, PUTFH, READ,
                  RECLAIM_COMPLETE, WRITE_LT, Raw, create)
from nfs41 import EXCHGID_FLAG_CONFIRMED_R
from rpc import Credential, RpcError
from suite import equal, test, that
from xdr import Record

from .v41_tools import BAD_XDR, another

EXID = "RFC 8881 18.35.3"
EXID_CASES = "RFC 8881 18.35.4"
SUPP_MOVED_REFER, SUPP_MOVED_MIGR, BIND_PRINC_STATEID = 1, 2, 0x100
USE_NON_PNFS, USE_PNFS_MDS, USE_PNFS_DS = 0x10000, 0x20000, 0x40000
UPD_CONFIRMED_REC_A = 0x40000000
ROLES = (USE_PNFS_MDS, USE_PNFS_MDS | USE_PNFS_DS, USE_PNFS_DS, USE_NON_PNFS, USE_PNFS_DS | USE_NON_PNFS)
RESULT_FLAGS = (EXCHGID_FLAG_CONFIRMED_R | SUPP_MOVED_REFER | SUPP_MOVED_MIGR | BIND_PRINC_STATEID | USE_NON_PNFS |
                USE_PNFS_MDS | USE_PNFS_DS)
USER = Credential(1000, 1000)


def refused(env, client, names, credential=None, **changes):
    """EXCHANGE_ID has to fail."""
    reply = env.send([client.exchange_op(**changes)], credential=credential or client.credential).expect(*names.split())
    equal("the number of results", len(reply), 1)


def same_server(one, other):
    equal("the server owner's major id", other.server_owner.major_id, one.server_owner.major_id)
    equal("the server owner's minor id", other.server_owner.minor_id, one.server_owner.minor_id)
    equal("the server's scope", other.server_scope, one.server_scope)
    equal("the server's implementation", other.server_impl_id, one.server_impl_id)


@test("EXID41-1", "v41 exchange_id clientid", cites=[
    (EXID, "the server returns a server owner (eir_server_owner) and server scope (eir_server_scope)"),
    (EXID_CASES, "a new shorthand client ID (let us call it clientid_ret) is generated")])
def two_clients(env):
    "EXCHANGE_ID of two client owners: two client IDs of one server, neither confirmed"
    one, other = another(env, "one").exchange_id(), another(env, "other").exchange_id()
    that(one.clientid != other.clientid, "two client owners have the same client ID")
    same_server(one, other)
    equal("the second one's flags", other.flags, one.flags)
    equal("the confirmed flag", one.flags & EXCHGID_FLAG_CONFIRMED_R, 0)
    equal("the state protection", (one.state_protect.how, other.state_protect.how), (0, 0))
    for result in (one, other):
        equal("sequence IDs of new clients", result.sequenceid, one.sequenceid)
        for impl in result.server_impl_id:
            that(impl.date.nseconds < 10**9, "the implementation's date has too many nanoseconds")


@test("EXID41-2", "v41 exchange_id clientid", cites=[
    (EXID, "The server MUST set one of the acceptable combinations of these bits (roles) in eir_flags"),
    (EXID, "The EXCHGID4_FLAG_UPD_CONFIRMED_REC_A bit can only be set in eia_flags; it is always off in eir_flags")])
def result_flags(env):
    "EXCHANGE_ID's flags are one of the combinations of pNFS roles, and known ones"
    for number, asked in enumerate((0, USE_NON_PNFS, SUPP_MOVED_REFER | SUPP_MOVED_MIGR)):
        flags = another(env, str(number)).exchange_id(flags=asked).flags
        that(flags & 0x70000 in ROLES, f"asked for {asked:#x}, the roles are {flags & 0x70000:#x}")
        equal("unknown flags, or UPD_CONFIRMED_REC_A", flags & ~RESULT_FLAGS, 0)


@test("EXID41-3", "v41 exchange_id clientid", cites=[
    (EXID, "Bits not defined above cannot be set in the eia_flags field. If they are, the server MUST reject the "
           "operation with NFS4ERR_INVAL")])
def unknown_flags(env):
    "EXCHANGE_ID with unknown flags, or with CONFIRMED_R"
    client = another(env, "flags")
    for flags in (0x4, 0x200, 0x00100000, EXCHGID_FLAG_CONFIRMED_R):
        refused(env, client, "NFS4ERR_INVAL", flags=flags)


@test("EXID41-4", "v41 exchange_id clientid", cites=[
    (EXID_CASES, "Since the record has been confirmed, the client must have received the server's reply from the "
                 "initial EXCHANGE_ID request"),
    (EXID, "If the server recognizes the co_ownerid and co_verifier as mapping to a confirmed client ID, it sets "
           "EXCHGID4_FLAG_CONFIRMED_R in eir_flags")])
def confirmed(env):
    "EXCHANGE_ID of a confirmed client returns what it did before, and CONFIRMED_R"
    client = another(env, "client")
    first = client.exchange_id()
    session = client.create_session()
    second = env.send([client.exchange_op()]).expect("NFS4_OK")[0]
    equal("the client ID", second.clientid, first.clientid)
    equal("the flags", second.flags, first.flags | EXCHGID_FLAG_CONFIRMED_R)
    same_server(first, second)
    session.ok(RECLAIM_COMPLETE(False))


@test("EXID41-5", "v41 exchange_id clientid", cites=[
    (EXID_CASES, "Whether or not the properties are being updated, to eliminate ambiguity, the server deletes the "
                 "unconfirmed record, generates a new client ID (clientid_ret)")])
def unconfirmed_again(env):
    "EXCHANGE_ID replaces an unconfirmed client ID, and the old one is gone"
    client = another(env, "client")
    first = client.exchange_id()
    old = client.session_op()
    second = client.exchange_id()
    that(first.clientid != second.clientid, "the client ID stays although it wasn't confirmed")
    equal("the confirmed flag", second.flags & EXCHGID_FLAG_CONFIRMED_R, 0)
    env.send([old]).expect("NFS4ERR_STALE_CLIENTID")
    client.create_session()


@test("EXID41-6", "v41 exchange_id clientid", cites=[
    (EXID_CASES, "once the new client ID is confirmed by CREATE_SESSION, byte-range locks and share reservations "
                 "should be released immediately"),
    (EXID, "A server MUST NOT use the same client ID for two different incarnations of an eir_clientowner")])
def client_restart(env):
    "A restarted client has a new client ID, and the old one's session, opens and locks go when it is confirmed"
    client = another(env, "client")
    session = client.setup()
    opened = env.open_file(b"f", session=session, deny=3, how=create(attrs=Record(mode=0o666)))
    session.ok(PUTFH(opened.handle), env.lock_op(opened, 0, 10, WRITE_LT))
    first = client.clientid
    client.verifier = b"restart!"
    second = client.exchange_id()
    that(second.clientid != first, "the restarted client has the old client ID")
    equal("the confirmed flag", second.flags & EXCHGID_FLAG_CONFIRMED_R, 0)
    session.ok(PUTFH(opened.handle), READ(opened.stateid, 0, 10))
    client.create_session().ok(RECLAIM_COMPLETE(False))
    env.send([session.sequence()]).expect("NFS4ERR_BADSESSION", "NFS4ERR_DEADSESSION")
    client.sessions.remove(session)
    env.open_file(b"f", deny=3)


@test("EXID41-7", "v41 exchange_id clientid", cites=[
    (EXID_CASES, "If EXCHGID4_FLAG_UPD_CONFIRMED_REC_A is set, and the server has no confirmed record "
                 "corresponding ownerid_arg, then the server returns NFS4ERR_NOENT")])
def update_of_nothing(env):
    "An update of a client that isn't there, or isn't confirmed"
    client = another(env, "client")
    refused(env, client, "NFS4ERR_NOENT", flags=UPD_CONFIRMED_REC_A)
    client.exchange_id()
    refused(env, client, "NFS4ERR_NOENT", flags=UPD_CONFIRMED_REC_A)
    client.create_session()


@test("EXID41-8", "v41 exchange_id clientid", cites=[
    (EXID_CASES, "The server allows the update, and the client record is left intact"),
    (EXID, "if the operation succeeds and returns a client ID that is already confirmed, the server MUST set the "
           "EXCHGID4_FLAG_CONFIRMED_R bit in eir_flags")])
def update(env):
    "An update of a confirmed client, by itself and behind a SEQUENCE"
    client = another(env, "client")
    session = client.setup()
    alone = env.send([client.exchange_op(flags=UPD_CONFIRMED_REC_A)]).expect("NFS4_OK")[0]
    within = session.ok(client.exchange_op(flags=UPD_CONFIRMED_REC_A))["EXCHANGE_ID"]
    for result in (alone, within):
        equal("the client ID", result.clientid, client.clientid)
        equal("the confirmed flag", result.flags & EXCHGID_FLAG_CONFIRMED_R, EXCHGID_FLAG_CONFIRMED_R)
    session.ok(PUTFH(env.home), GETATTR(["type"]))


@test("EXID41-9", "v41 exchange_id clientid", cites=[
    (EXID_CASES, "The server returns NFS4ERR_NOT_SAME and leaves the client record intact")])
def update_wrong_verifier(env):
    "An update of a client with another verifier"
    client = another(env, "client")
    session = client.setup()
    owner = Record(verifier=b"another!", ownerid=client.name)
    refused(env, client, "NFS4ERR_NOT_SAME", clientowner=owner, flags=UPD_CONFIRMED_REC_A)
    session.ok(PUTFH(env.home))


@test("EXID41-10", "v41 exchange_id clientid perms", cites=[
    (EXID_CASES, "The server returns NFS4ERR_PERM and leaves the client record intact")])
def update_wrong_principal(env):
    "An update of a client by another user"
    client = another(env, "client")
    session = client.setup()
    refused(env, client, "NFS4ERR_PERM", credential=USER, flags=UPD_CONFIRMED_REC_A)
    session.ok(PUTFH(env.home))


@test("EXID41-11", "v41 exchange_id clientid perms", cites=[
    (EXID_CASES, "If old_clientid_ret has an unexpired lease with state, then no state of old_clientid_ret is "
                 "changed or deleted. The server returns NFS4ERR_CLID_INUSE")])
def collision_with_state(env):
    "EXCHANGE_ID of another user with the client owner of a client that has state"
    client = another(env, "client")
    session = client.setup()
    opened = env.open_file(b"f", session=session, how=create(attrs=Record(mode=0o666)))
    refused(env, client, "NFS4ERR_CLID_INUSE", credential=USER)
    session.ok(PUTFH(opened.handle), READ(opened.stateid, 0, 10))
    env.close_file(opened, session=session)


@test("EXID41-12", "v41 exchange_id clientid perms", cites=[
    (EXID_CASES, "The confirmed record is deleted, the old_clientid_ret and its lock state are deleted, a new "
                 "shorthand client ID is generated")])
def collision_without_state(env):
    "EXCHANGE_ID of another user with the client owner of a client that has no state"
    client = another(env, "client")
    client.exchange_id()
    client.create_session()
    first = client.clientid
    result = env.send([client.exchange_op()], credential=USER).expect("NFS4_OK")[0]
    that(result.clientid != first, "both users have the same client ID")
    equal("the confirmed flag", result.flags & EXCHGID_FLAG_CONFIRMED_R, 0)


@test("EXID41-13", "v41 exchange_id clientid", cites=[
    (EXID, "Servers MUST accept a zero-length eia_client_impl_id array"),
    (EXID, "If eia_client_impl_id is present, it contains the information identifying the implementation of the "
           "client")])
def implementation(env):
    "EXCHANGE_ID with and without the client's implementation: no difference"
    impl = Record(domain=b"example.org", name=b"conformance suite", date=Record(seconds=1, nseconds=5))
    one = another(env, "one").exchange_id(client_impl_id=[impl])
    other = another(env, "other").exchange_id()
    same_server(one, other)
    equal("the flags", one.flags, other.flags)


@test("EXID41-14", "v41 exchange_id clientid xdr", cites=[
    (EXID, "The arguments include an array of up to one element in length called eia_client_impl_id"),
    BAD_XDR])
def two_implementations(env):
    "EXCHANGE_ID with two implementations can't be decoded"
    client = another(env, "client")
    impl = EXCHANGE_ID.arguments.fields["client_impl_id"].item.zero()
    one = EXCHANGE_ID.arguments.fields["client_impl_id"].item.encode(impl)
    good = env.encode(client.exchange_op(client_impl_id=[impl]))
    try:
        env.send_bytes(good[:-len(one) - 4] + b"\0\0\0\2" + one + one).expect("NFS4ERR_BADXDR")
    except RpcError as problem:
        equal("the answer", problem.what, "GARBAGE_ARGS")


@test("EXID41-15", "v41 exchange_id clientid", cites=[
    (EXID, "If EXCHANGE_ID is sent without a preceding SEQUENCE, then it MUST be the only operation in the "
           "COMPOUND procedure's request. If it is not, the server MUST return NFS4ERR_NOT_ONLY_OP")])
def not_alone(env):
    "EXCHANGE_ID with another operation behind it, without SEQUENCE"
    client = another(env, "client")
    env.send([client.exchange_op(), PUTFH(env.home)]).expect("NFS4ERR_NOT_ONLY_OP")


@test("EXID41-16", "v41 exchange_id clientid", cites=[
    (EXID, "If spa_how is SP4_MACH_CRED, then the client MUST send the EXCHANGE_ID request with RPCSEC_GSS as the "
           "security flavor")])
def machine_credential(env):
    "EXCHANGE_ID asking with AUTH_SYS for the machine credential's protection: it isn't granted"
    ops = Record(must_enforce=frozenset({43, 44}), must_allow=frozenset())
    client = another(env, "client")
    reply = env.send([client.exchange_op(state_protect=Record(how=1, ops=ops))]).expect("NFS4_OK", "NFS4ERR_INVAL")
    if not reply.status:
        equal("the protection granted", reply[0].state_protect.how, 0)


@test("DESC41-1", "v41 destroy_clientid clientid", cites=[
    ("RFC 8881 18.50.3", "The DESTROY_CLIENTID operation destroys the client ID"),
    ("RFC 8881 15.1.13.5", "A client ID not recognized by the server was passed to an operation")])
def destroy(env):
    "DESTROY_CLIENTID of a client without sessions, twice; then it is unknown"
    client = another(env, "client")
    client.setup().destroy()
    client.sessions.clear()
    client.destroy()
    env.send([DESTROY_CLIENTID(client.clientid)]).expect("NFS4ERR_STALE_CLIENTID")
    env.send([client.session_op()]).expect("NFS4ERR_STALE_CLIENTID")
    result = client.exchange_id()
    equal("the confirmed flag", result.flags & EXCHGID_FLAG_CONFIRMED_R, 0)


@test("DESC41-2", "v41 destroy_clientid clientid", cites=[
    ("RFC 8881 18.50.3",
     "If there are sessions (both idle and non-idle), opens, locks, delegations, layouts, and/or wants (Section "
     "18.49) associated with the unexpired lease of the client ID, the server MUST return NFS4ERR_CLIENTID_BUSY")])
def destroy_busy(env):
    "DESTROY_CLIENTID of a client that has a session"
    client = another(env, "client")
    session = client.setup()
    env.send([DESTROY_CLIENTID(client.clientid)]).expect("NFS4ERR_CLIENTID_BUSY")
    env.fails("NFS4ERR_CLIENTID_BUSY", DESTROY_CLIENTID(client.clientid))
    session.ok(PUTFH(env.home), GETATTR(["type"]))


@test("DESC41-5", "v41 destroy_clientid clientid", cites=[
    ("RFC 8881 18.50.3",
     "If there are sessions (both idle and non-idle), opens, locks, delegations, layouts, and/or wants (Section "
     "18.49) associated with the unexpired lease of the client ID, the server MUST return NFS4ERR_CLIENTID_BUSY")])
def destroy_with_open(env):
    "DESTROY_CLIENTID of a client that has no session, but an open"
    client = another(env, "client")
    session = client.setup()
    opened = env.open_file(b"f", session=session, how=create(attrs=Record(mode=0o666)))
    session.destroy()
    client.sessions.remove(session)
    env.send([DESTROY_CLIENTID(client.clientid)]).expect("NFS4ERR_CLIENTID_BUSY")
    env.close_file(opened, session=client.create_session())


@test("DESC41-3", "v41 destroy_clientid clientid", cites=[
    ("RFC 8881 18.50.3", "If the client IDs are the same, then the server MUST return NFS4ERR_CLIENTID_BUSY")])
def destroy_oneself(env):
    "DESTROY_CLIENTID of the session's own client"
    env.fails("NFS4ERR_CLIENTID_BUSY", DESTROY_CLIENTID(env.client.clientid))
    env.ok(PUTFH(env.home))


@test("DESC41-4", "v41 destroy_clientid clientid", cites=[
    ("RFC 8881 18.50.3",
     "If DESTROY_CLIENTID is not prefixed by SEQUENCE, it MUST be the only operation in the COMPOUND request "
     "(otherwise, the server MUST return NFS4ERR_NOT_ONLY_OP)"),
    ("RFC 8881 18.50.3",
     "DESTROY_CLIENTID MAY be preceded with a SEQUENCE operation as long as the client ID derived from the session "
     "ID of SEQUENCE is not the same as the client ID to be destroyed")])
def destroy_in_sequence(env):
    "DESTROY_CLIENTID with another operation, and behind a SEQUENCE of another client"
    client = another(env, "client")
    client.exchange_id()
    env.send([DESTROY_CLIENTID(client.clientid), PUTFH(env.home)]).expect("NFS4ERR_NOT_ONLY_OP")
    env.ok(DESTROY_CLIENTID(client.clientid))
    env.fails("NFS4ERR_STALE_CLIENTID", DESTROY_CLIENTID(client.clientid))


@test("RECC41-1", "v41 reclaim_complete clientid", cites=[
    ("RFC 8881 18.51.4", "If it is done a second time, the error NFS4ERR_COMPLETE_ALREADY will result")])
def reclaim_twice(env):
    "RECLAIM_COMPLETE a second time"
    session = another(env, "client").setup(reclaim=False)
    session.ok(RECLAIM_COMPLETE(False))
    reply = session.compound(RECLAIM_COMPLETE(False)).expect("NFS4ERR_COMPLETE_ALREADY")
    equal("the number of results", len(reply), 1)


@test("RECC41-2", "v41 reclaim_complete clientid", cites=[
    ("RFC 8881 18.51.3",
     "If non-reclaim locking operations are done before the RECLAIM_COMPLETE, an NFS4ERR_GRACE error will be "
     "returned")])
def open_before_reclaim(env):
    "OPEN before RECLAIM_COMPLETE"
    session = another(env, "client").setup(reclaim=False)
    env.new_file(b"f")
    session.compound(PUTFH(env.home), env.open_op(b"f")).expect("NFS4ERR_GRACE")


@test("RECC41-3", "v41 reclaim_complete clientid", cites=[
    ("RFC 8881 18.51.3",
     "Once the client sends RECLAIM_COMPLETE, the server will not allow the client to do subsequent reclaims of "
     "locking state for that scope and, if these are attempted, will return NFS4ERR_NO_GRACE")])
def reclaim_afterwards(env):
    "A reclaim after RECLAIM_COMPLETE"
    handle = env.new_file(b"f")
    claim = Record(claim=CLAIM_PREVIOUS, delegate_type=0)
    env.fails("NFS4ERR_NO_GRACE", PUTFH(handle), env.open_op(None, claim=claim))


@test("RECC41-4", "v41 reclaim_complete clientid", cites=[
    ("RFC 8881 18.51.3", "Presence of a current filehandle is only required when rca_one_fs is set to TRUE")])
def one_file_system(env):
    "RECLAIM_COMPLETE for one file system, with and without a current handle"
    env.ok(PUTFH(env.home), RECLAIM_COMPLETE(True))
    env.fails("NFS4ERR_NOFILEHANDLE", RECLAIM_COMPLETE(True))


@test("OPS41-1", "v41 compound illegal", cites=[
    ("RFC 8881 16.2.3", "the server's response will encode the opcode OP_ILLEGAL")])
def illegal(env):
    "Operations that NFS v4.1 hasn't"
    for bad in (Raw(0), Raw(2), ALLOCATE(), Raw(9999), Raw(10044)):
        reply = env.compound(PUTFH(env.home), bad, GETFH())
        reply.expect("NFS4ERR_OP_ILLEGAL")
        equal("the number of results", len(reply), 2)
        equal("the illegal operation", reply[1].resop, 10044)

