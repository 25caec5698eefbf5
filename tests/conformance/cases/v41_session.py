# SPDX-License-Identifier: LGPL-3.0-or-later
# v41_session.py -- sessions of NFS v4.1: CREATE_SESSION, DESTROY_SESSION, BIND_CONN_TO_SESSION, the back channel
from nfs4 import BACKCHANNEL_CTL, BIND_CONN_TO_SESSION, DESTROY_SESSION, GETATTR, PUTFH, RECLAIM_COMPLETE
from nfs41 import EXCHGID_FLAG_CONFIRMED_R, SLOTS, Session41, back_channel, channel
from rpc import Credential
from suite import equal, test, that
from xdr import Record

from .v41_tools import another, fails_alone

CREATE = "RFC 8881 18.36.3"
CREATE_PHASES = "RFC 8881 18.36.4"
DESTROY = "RFC 8881 18.37.3"
BIND = "RFC 8881 18.34.3"
FLAG_PERSIST, FLAG_BACK_CHAN, FLAG_RDMA = 1, 2, 4
FORE, BACK, FORE_OR_BOTH, BACK_OR_BOTH = 1, 2, 3, 7
IS_FORE, IS_BACK, IS_BOTH = 1, 2, 3
CB_PATH_DOWN, CB_PATH_DOWN_SESSION = 1, 0x200
NO_SESSION = b"\xaa" * 16
SIZES = ("headerpadsize", "maxrequestsize", "maxresponsesize", "maxresponsesize_cached")


@test("CRSE41-1", "v41 create_session session", cites=[
    (CREATE, "The first session created with a new client ID serves to confirm the creation of that client's state "
             "on the server"),
    (CREATE, "The corresponding result is csr_sequence, which MUST be equal to csa_sequence")])
def confirms(env):
    "CREATE_SESSION confirms a client, and a second session of it works as well"
    client = another(env, "client")
    client.exchange_id()
    one, other = client.create_session(), client.create_session()
    that(one.sessionid != other.sessionid, "two sessions have the same ID")
    one.ok(RECLAIM_COMPLETE(False))
    for session in (one, other):
        session.ok(PUTFH(env.home), GETATTR(["type"]))
    equal("the confirmed flag", client.exchange_id().flags & EXCHGID_FLAG_CONFIRMED_R, EXCHGID_FLAG_CONFIRMED_R)


@test("CRSE41-2", "v41 create_session session", cites=[
    (CREATE_PHASES, "If csa_sequenceid is equal to the sequence ID in the client ID's slot, then this is a replay "
                    "of the previous CREATE_SESSION request, and the server returns the cached result")])
def replay(env):
    "CREATE_SESSION again returns the same session, field by field"
    client = another(env, "client")
    client.exchange_id()
    op = client.session_op()
    session = client.create_session()
    result = env.send([op], check=False).expect("NFS4_OK")[0]
    equal("the session", result.sessionid, session.sessionid)
    equal("the sequence number", result.sequence, op.sequence)
    equal("the fore channel", result.fore_chan_attrs, session.fore)
    equal("the back channel", result.back_chan_attrs, session.back)
    equal("the flags", result.flags, session.flags)
    session.ok(PUTFH(env.home))
    that(client.create_session().sessionid != session.sessionid, "a new session has the old one's ID")


@test("CRSE41-3", "v41 create_session session", cites=[
    (CREATE_PHASES, "If csa_sequenceid is not equal to the sequence ID in the slot, and is more than one greater "
                    "(accounting for wraparound), then the server returns the error NFS4ERR_SEQ_MISORDERED, and "
                    "does not change the slot")])
def misordered(env):
    "CREATE_SESSION with sequence numbers that are too high or too low"
    client = another(env, "client")
    client.exchange_id()
    first = client.sequence
    for sequence in (first + 1, first + 7, (first - 2) & 0xFFFFFFFF):
        fails_alone(env, "NFS4ERR_SEQ_MISORDERED", client.session_op(sequence=sequence))
    client.create_session()
    fails_alone(env, "NFS4ERR_SEQ_MISORDERED", client.session_op(sequence=first + 2))
    client.create_session()


@test("CRSE41-4", "v41 create_session session", cites=[
    (CREATE_PHASES, "records a contrived CREATE_SESSION result with a \"cached\" result of NFS4ERR_SEQ_MISORDERED")])
def replay_of_nothing(env):
    "A replay of a CREATE_SESSION that never was"
    client = another(env, "client")
    client.exchange_id()
    fails_alone(env, "NFS4ERR_SEQ_MISORDERED", client.session_op(sequence=client.sequence - 1))
    client.create_session()


@test("CRSE41-5", "v41 create_session session", cites=[
    (CREATE_PHASES, "NFS4ERR_STALE_CLIENTID is returned, and no changes are made to any client records on the "
                    "server")])
def unknown_client(env):
    "CREATE_SESSION of a client ID that isn't there"
    fails_alone(env, "NFS4ERR_STALE_CLIENTID", env.client.session_op(clientid=env.client.clientid ^ 0x55555555))


@test("CRSE41-6", "v41 create_session session", cites=[
    (CREATE, "if the client selects a value for ca_maxresponsesize such that a replier on a channel could never "
             "send a response, the server SHOULD return NFS4ERR_TOOSMALL in the CREATE_SESSION reply")])
def too_small(env):
    "CREATE_SESSION with a fore channel whose replies, or requests, can't have a SEQUENCE"
    client = another(env, "client")
    client.exchange_id()
    for changes in ({"maxresponsesize": 10}, {"maxrequestsize": 20}, {"maxresponsesize": 0}):
        fails_alone(env, "NFS4ERR_TOOSMALL", client.session_op(fore_chan_attrs=channel(**changes)))
    client.create_session()


@test("CRSE41-7", "v41 create_session session", cites=[
    (CREATE, "For each channel, the server MAY decrease this value but MUST NOT increase it"),
    (CREATE, "For the backchannel, the server MUST NOT change the value the client offers")])
def attributes(env):
    "CREATE_SESSION raises no size, and leaves the back channel's slots and operations"
    client = another(env, "client")
    client.exchange_id()
    offers = [(channel(), back_channel()),
              (channel(maxrequestsize=65536, maxresponsesize=70000, maxresponsesize_cached=5000, maxoperations=9,
                       maxrequests=3),
               channel(maxrequestsize=5000, maxresponsesize=6000, maxresponsesize_cached=700, maxoperations=5,
                       maxrequests=4))]
    for fore, back in offers:
        session = client.create_session(fore_chan_attrs=fore, back_chan_attrs=back)
        for asked, got in ((fore, session.fore), (back, session.back)):
            for name in SIZES:
                that(getattr(got, name) <= getattr(asked, name), f"{name} is raised to {getattr(got, name)}")
            equal("the RDMA read queue's depth", got.rdma_ird, [])
        equal("the back channel's operations", session.back.maxoperations, back.maxoperations)
        equal("the back channel's requests", session.back.maxrequests, back.maxrequests)
        that(session.fore.maxoperations >= 2, f"{session.fore.maxoperations} operations in a COMPOUND")


@test("CRSE41-8", "v41 create_session session", cites=[
    (CREATE, "the server MUST return the value the session will use")])
def attributes_again(env):
    "Two sessions with the same offers get the same"
    client = another(env, "client")
    client.exchange_id()
    one, other = client.create_session(), client.create_session()
    equal("the fore channel", other.fore, one.fore)
    equal("the back channel", other.back, one.back)
    equal("the flags", other.flags, one.flags)


@test("CRSE41-9", "v41 create_session session", cites=[
    (CREATE, "If CREATE_SESSION4_FLAG_CONN_BACK_CHAN is not set in csa_flags, then "
             "CREATE_SESSION4_FLAG_CONN_BACK_CHAN MUST NOT be set in csr_flags"),
    (CREATE, "If the server does not or cannot provide a persistent reply cache, the server MUST NOT set "
             "CREATE_SESSION4_FLAG_PERSIST in the field csr_flags"),
    (CREATE, "If CREATE_SESSION4_FLAG_CONN_RDMA is not set in csa_flags, then CREATE_SESSION4_FLAG_CONN_RDMA MUST "
             "NOT be set in csr_flags")])
def flags(env):
    "CREATE_SESSION sets no flag that wasn't asked for"
    client = another(env, "client")
    client.exchange_id()
    for asked in (0, FLAG_PERSIST, FLAG_RDMA):
        session = client.create_session(flags=asked)
        equal("flags beyond those asked for", session.flags & ~asked, 0)
        equal("RDMA over TCP", session.flags & FLAG_RDMA, 0)


@test("CRSE41-10", "v41 create_session session", cites=[
    ("RFC 8881 15.1.1.4", "The arguments for this operation are not valid for some reason")])
def unknown_flags(env):
    "CREATE_SESSION with unknown flags"
    client = another(env, "client")
    client.exchange_id()
    fails_alone(env, "NFS4ERR_INVAL", client.session_op(flags=0x80))


@test("CRSE41-11", "v41 create_session session perms", cites=[
    (CREATE_PHASES, "Processing stops and NFS4ERR_CLID_INUSE is returned to the client. No changes are made to any "
                    "client records on the server")])
def other_principal(env):
    "CREATE_SESSION of another user than EXCHANGE_ID's"
    client = another(env, "client")
    client.exchange_id()
    fails_alone(env, "NFS4ERR_CLID_INUSE", client.session_op(), credential=Credential(1000, 1000))
    client.create_session()


@test("CRSE41-12", "v41 create_session session", cites=[
    (CREATE, "If CREATE_SESSION is sent without a preceding SEQUENCE, then it MUST be the only operation in the "
             "COMPOUND procedure's request. If it is not, the server MUST return NFS4ERR_NOT_ONLY_OP"),
    (CREATE, "CREATE_SESSION can be sent with or without a preceding SEQUENCE operation in the same COMPOUND "
             "procedure")])
def not_alone(env):
    "CREATE_SESSION with another operation, without and behind a SEQUENCE"
    client = another(env, "client")
    client.exchange_id()
    fails_alone(env, "NFS4ERR_NOT_ONLY_OP", client.session_op(), PUTFH(env.home))
    result = env.ok(client.session_op(), PUTFH(env.home))["CREATE_SESSION"]
    session = Session41(client, result)
    client.sessions.append(session)
    equal("the sequence number", result.sequence, client.sequence)
    session.ok(RECLAIM_COMPLETE(False))


@test("CRSE41-13", "v41 create_session session", cites=[
    (CREATE, "the client is requesting that the connection over which the CREATE_SESSION operation arrived be "
             "associated with the session's backchannel"),
    ("RFC 8881 18.46.3",
     "indicates that the client has no operational backchannel path for any session associated with the client ID")])
def back_channel_path(env):
    "A session with a back channel has no path down; one without has"
    client = another(env, "with")
    client.exchange_id()
    session = client.create_session(flags=FLAG_BACK_CHAN)
    equal("the flags", session.flags, FLAG_BACK_CHAN)
    equal("the status flags", session.ok(RECLAIM_COMPLETE(False)).sequence.status_flags, 0)
    other = another(env, "without").setup()
    flags = other.ok(PUTFH(env.home)).sequence.status_flags
    equal("the status flags without a back channel", flags & ~CB_PATH_DOWN_SESSION, CB_PATH_DOWN)


@test("DESS41-1", "v41 destroy_session session", cites=[
    (DESTROY, "The DESTROY_SESSION operation closes the session and discards the session's reply cache, if any")])
def destroyed(env):
    "A session that is destroyed is unknown; the client and its other session stay"
    client = another(env, "client")
    one = client.setup()
    other = client.create_session()
    one.destroy()
    fails_alone(env, "NFS4ERR_BADSESSION", DESTROY_SESSION(one.sessionid))
    reply = env.send([one.sequence(), PUTFH(env.home)]).expect("NFS4ERR_BADSESSION")
    equal("the number of results", len(reply), 1)
    other.ok(PUTFH(env.home))
    client.sessions.remove(one)


@test("DESS41-2", "v41 destroy_session session", cites=[
    ("RFC 8881 15.1.11.1", "The specified session ID is unknown to the server to which the operation is addressed")])
def unknown_session(env):
    "DESTROY_SESSION, BIND_CONN_TO_SESSION and SEQUENCE of a session that isn't there"
    fails_alone(env, "NFS4ERR_BADSESSION", DESTROY_SESSION(NO_SESSION))
    fails_alone(env, "NFS4ERR_BADSESSION", BIND_CONN_TO_SESSION(NO_SESSION, FORE, False))
    fails_alone(env, "NFS4ERR_BADSESSION", env.session.sequence(sessionid=NO_SESSION))


@test("DESS41-3", "v41 destroy_session session", cites=[
    (DESTROY, "DESTROY_SESSION MUST be invoked on a connection that is associated with the session being destroyed"),
    ("RFC 8881 15.1.11.6",
     "A Sequence operation was sent on a connection that has not been associated with the specified session")])
def other_connection(env):
    "DESTROY_SESSION on a connection that isn't the session's"
    client = another(env, "client")
    session = client.setup()
    stranger = env.connect()
    fails_alone(env, "NFS4ERR_CONN_NOT_BOUND_TO_SESSION", DESTROY_SESSION(session.sessionid), connection=stranger)
    session.ok(PUTFH(env.home))


@test("DESS41-4", "v41 destroy_session session", cites=[
    (DESTROY, "If the COMPOUND request does not start with SEQUENCE, and if DESTROY_SESSION is not the sole "
              "operation, then server MUST return NFS4ERR_NOT_ONLY_OP")])
def destroy_not_alone(env):
    "DESTROY_SESSION with another operation, without SEQUENCE"
    session = another(env, "client").setup()
    fails_alone(env, "NFS4ERR_NOT_ONLY_OP", DESTROY_SESSION(session.sessionid), PUTFH(env.home))
    session.ok(PUTFH(env.home))


@test("DESS41-5", "v41 destroy_session session", cites=[
    (DESTROY, "DESTROY_SESSION MUST be the final operation in the COMPOUND request"),
    (DESTROY, "If the COMPOUND request starts with SEQUENCE, and if the sessionids specified in SEQUENCE and "
              "DESTROY_SESSION are different, then DESTROY_SESSION can appear in any position of the COMPOUND "
              "request (except for the first position)")])
def destroy_in_sequence(env):
    "DESTROY_SESSION of another session anywhere behind SEQUENCE; of its own only at the end"
    client = another(env, "client")
    session, other = client.setup(), client.create_session()
    reply = session.compound(DESTROY_SESSION(session.sessionid), PUTFH(env.home))
    reply.expect("NFS4ERR_NOT_ONLY_OP")
    session.ok(DESTROY_SESSION(other.sessionid), PUTFH(env.home), GETATTR(["type"]))
    client.sessions.remove(other)
    session.ok(PUTFH(env.home), DESTROY_SESSION(session.sessionid))
    client.sessions.remove(session)
    fails_alone(env, "NFS4ERR_BADSESSION", session.sequence())


@test("BIND41-1", "v41 bind_conn_to_session session", cites=[
    (BIND, "If the client specified CDFC4_FORE, the server MUST return CDFS4_FORE. If the client specified "
           "CDFC4_BACK, the server MUST return CDFS4_BACK"),
    (BIND, "If the client specified CDFC4_FORE_OR_BOTH, the server MUST return CDFS4_FORE or CDFS4_BOTH. If the "
           "client specified CDFC4_BACK_OR_BOTH, the server MUST return CDFS4_BACK or CDFS4_BOTH")])
def directions(env):
    "BIND_CONN_TO_SESSION of new connections in each direction"
    session = another(env, "client").setup()
    for asked, allowed in ((FORE, (IS_FORE,)), (BACK, (IS_BACK,)), (FORE_OR_BOTH, (IS_FORE, IS_BOTH)),
                           (BACK_OR_BOTH, (IS_BACK, IS_BOTH))):
        connection = env.connect()
        bind = BIND_CONN_TO_SESSION(session.sessionid, asked, False)
        result = env.send([bind], connection=connection).expect("NFS4_OK")[0]
        equal("the session", result.sessionid, session.sessionid)
        that(result.dir in allowed, f"asked for direction {asked}, bound in {result.dir}")
        equal("RDMA mode", result.use_conn_in_rdma_mode, False)


@test("BIND41-2", "v41 bind_conn_to_session session", cites=[
    (BIND, "Invoking BIND_CONN_TO_SESSION on a connection already associated with the specified session has no "
           "effect, and the server MUST respond with NFS4_OK"),
    (BIND, "BIND_CONN_TO_SESSION is used to associate additional connections with a session")])
def bound_connection(env):
    "A bound connection can be bound again, serve the session, and destroy it"
    client = another(env, "client")
    session = client.setup()
    connection = env.connect()
    for _ in range(2):
        env.send([BIND_CONN_TO_SESSION(session.sessionid, FORE, False)], connection=connection).expect("NFS4_OK")
    session.ok(PUTFH(env.home), GETATTR(["type"]), connection=connection)
    session.ok(PUTFH(env.home))
    session.destroy(connection=connection)
    client.sessions.remove(session)


@test("BIND41-3", "v41 bind_conn_to_session session", cites=[
    (BIND, "It MUST be the only operation in the COMPOUND procedure"),
    ("RFC 8881 15.1.3.3",
     "Certain operations, which are allowed to be executed outside of a session, MUST be the only operation within "
     "a Compound whenever the Compound does not start with a Sequence operation")])
def bind_not_alone(env):
    "BIND_CONN_TO_SESSION with another operation, or behind SEQUENCE"
    bind = BIND_CONN_TO_SESSION(env.session.sessionid, FORE, False)
    fails_alone(env, "NFS4ERR_NOT_ONLY_OP", bind, PUTFH(env.home))
    env.fails("NFS4ERR_NOT_ONLY_OP", bind)


@test("BIND41-4", "v41 bind_conn_to_session session", cites=[
    (BIND, "simply sending a COMPOUND request with a SEQUENCE operation is sufficient to associate the connection "
           "with the session")])
def bound_by_sequence(env):
    "A SEQUENCE binds its connection"
    client = another(env, "client")
    session = client.setup()
    connection = env.connect()
    session.ok(PUTFH(env.home), connection=connection)
    session.destroy(connection=connection)
    client.sessions.remove(session)


@test("BACK41-1", "v41 backchannel_ctl session", cites=[
    ("RFC 8881 18.33.3",
     "The BACKCHANNEL_CTL operation replaces the backchannel's callback program number and adds (not replaces) "
     "RPCSEC_GSS handles for use by the backchannel")])
def control(env):
    "BACKCHANNEL_CTL of a session with a back channel"
    client = another(env, "client")
    client.exchange_id()
    session = client.create_session(flags=FLAG_BACK_CHAN)
    session.ok(BACKCHANNEL_CTL(0x40000001, [Record(flavor=0)]))


@test("CRSE41-14", "v41 create_session session xdr", cites=[
    (CREATE, "This array has a maximum of one element. If this array has one element, then the element contains "
             "the inbound RDMA read queue depth (IRD)")])
def read_queue(env):
    "CREATE_SESSION with an RDMA read queue's depth over TCP"
    client = another(env, "client")
    client.exchange_id()
    session = client.create_session(fore_chan_attrs=channel(rdma_ird=[4]))
    that(all(depth <= 4 for depth in session.fore.rdma_ird), "the depth is raised")
    equal("the number of slots", session.fore.maxrequests, SLOTS)
