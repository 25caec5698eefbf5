# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_client.py -- SETCLIENTID, SETCLIENTID_CONFIRM, RENEW, DELEGRETURN, DELEGPURGE
"""Tests of NFS v4.0: clients."""

from nfs4 import (ANONYMOUS, BYPASS, DELEGPURGE, DELEGRETURN, PUTFH, READ, RENEW, SETCLIENTID, SETCLIENTID_CONFIRM,
                  STATUS, by_name, stateid)
from nfs40 import NO_CALLBACK
from rpc import Credential
from suite import equal, test, that
from xdr import Record

USER = Credential(1000, 1000)
UPDATE = ("RFC 7530 16.33.5", "the server treats this as a probable callback information update and records an "
                              "unconfirmed { v, x, c, k, t } and leaves the confirmed { v, x, c, l, s } in place, such "
                              "that t != s")
RESTART = ("RFC 7530 16.33.5", "The server records an unconfirmed { v, x, d, k, t } (d != c, t != s).")
STALE = ("RFC 7530 16.34.5", "The server has no record of a confirmed or unconfirmed { *, *, c, *, s }. The server "
                             "returns NFS4ERR_STALE_CLIENTID.")


@test("CID40-1", "v40 setclientid", cites=[
    ("RFC 7530 16.33.5", "The server returns { d, t }. The server awaits confirmation of { d, k } via "
                         "SETCLIENTID_CONFIRM { d, t }.")])
def new_clients(env):
    """Two new clients get two client ids, which can be renewed after their confirmation"""
    one, two = env.new_client("one"), env.new_client("two")
    for client in (one, two):
        client.setup()
        env.ok(RENEW(client.clientid))
    that(one.clientid != two.clientid, "two clients have the same client id")
    that(one.clientid not in (0, env.client.clientid), "a client id is 0 or another client's")


@test("CID40-2", "v40 setclientid setclientid_confirm", cites=[
    ("RFC 7530 16.33.5", "Any unconfirmed record { u, x, c, l, * }, regardless of whether u == v or l == k, is "
                         "replaced with an unconfirmed record { v, x, d, k, t } where d != c, t != s.")])
def unconfirmed_again(env):
    """SETCLIENTID again before the confirmation: the first answer can't be confirmed any more"""
    client = env.new_client("new")
    first = client.ask()
    second = client.ask()
    that((first.clientid, first.confirm) != (second.clientid, second.confirm), "both answers are the same")
    env.fails("NFS4ERR_STALE_CLIENTID", SETCLIENTID_CONFIRM(first.clientid, first.confirm))
    client.confirm()
    env.ok(RENEW(second.clientid))


@test("CID40-3", "v40 setclientid setclientid_confirm", cites=[UPDATE, (
    "RFC 7530 16.34.5", "The client's use of SETCLIENTID_CONFIRM in this case MUST NOT result in the removal of any "
                        "previous leased state (locks, share reservations, and delegations).")])
def callback_update(env):
    """SETCLIENTID with the same verifier: the client id and the state stay"""
    opened = env.create_file(b"file", b"data")
    clientid, confirm = env.client.clientid, env.client.confirm_verifier
    res = env.client.ask()
    equal("the client id", res.clientid, clientid)
    that(res.confirm != confirm, "the confirmation's verifier is the same")
    equal("the data before the confirmation", env.read(opened.handle, stateid=opened.stateid)[0], b"data")
    env.client.confirm()
    equal("the data after the confirmation", env.read(opened.handle, stateid=opened.stateid)[0], b"data")
    env.close_file(opened)


@test("CID40-4", "v40 setclientid setclientid_confirm", cites=[RESTART, (
    "RFC 7530 16.34.5", "If there is also a confirmed { *, x, d, *, t }, the server MUST remove client x's relevant "
                        "leased client state and overwrite the callback state with k.")])
def restart(env):
    """SETCLIENTID with another verifier: a new client id; the state goes with the confirmation"""
    client = env.new_client("restarts").setup()
    opened = env.create_file(b"file", b"data", client=client, deny=1)
    old = client.clientid
    client.verifier = b"another!"
    res = client.ask()
    that(res.clientid != old, "the client id is the same")
    env.ok(RENEW(old))
    equal("the data before the confirmation", env.read(opened.handle, stateid=opened.stateid)[0], b"data")
    client.confirm()
    env.ok(RENEW(client.clientid))
    env.fails("NFS4ERR_STALE_CLIENTID NFS4ERR_EXPIRED", RENEW(old))
    env.fails("NFS4ERR_BAD_STATEID NFS4ERR_EXPIRED NFS4ERR_STALE_STATEID NFS4ERR_OLD_STATEID", PUTFH(opened.handle),
              READ(opened.stateid, 0, 4))
    env.open_file(b"file")


@test("CID40-5", "v40 setclientid", cites=[
    ("RFC 7530 16.33.5", "For any confirmed record with the same id string x, if the recorded principal does not match "
                         "that of the SETCLIENTID call, then the server returns an NFS4ERR_CLID_INUSE error.")])
def in_use(env):
    """SETCLIENTID of a client with state, by another principal"""
    client = env.new_client("mine").setup()
    env.create_file(b"file", client=client)
    reply = env.compound(client.ask_op(), credential=USER)
    using = reply.expect("NFS4ERR_CLID_INUSE")[0].client_using
    that(using.netid in (b"", b"tcp", b"tcp6", b"udp", b"udp6", b"rdma", b"rdma6"),
         f"the client's network is {using.netid}")
    that(not using.addr.strip(b"0123456789.:abcdef"), f"the client's address is {using.addr}")
    env.ok(RENEW(client.clientid))


@test("CID40-6", "v40 setclientid_confirm", cites=[STALE])
def confirm_unknown(env):
    """SETCLIENTID_CONFIRM of client ids that the server never gave"""
    client = env.new_client("new")
    res = client.ask()
    env.fails("NFS4ERR_STALE_CLIENTID", SETCLIENTID_CONFIRM(0, res.confirm))
    env.fails("NFS4ERR_STALE_CLIENTID", SETCLIENTID_CONFIRM(res.clientid ^ 0xFFFF0000FFFF, res.confirm))
    client.confirm()


@test("CID40-10", "v40 setclientid_confirm", cites=[STALE])
def confirm_with_wrong_verifier(env):
    """SETCLIENTID_CONFIRM with another verifier than SETCLIENTID's"""
    client = env.new_client("new")
    res = client.ask()
    env.fails("NFS4ERR_STALE_CLIENTID", SETCLIENTID_CONFIRM(res.clientid, bytes(byte ^ 1 for byte in res.confirm)))
    client.confirm()


@test("CID40-7", "v40 setclientid_confirm", cites=[
    ("RFC 7530 16.34.5", "the server leaves client x's relevant leased client state intact, leaves its callback and "
                         "callback_ident values unmodified, and returns NFS4_OK")])
def confirm_again(env):
    """SETCLIENTID_CONFIRM again leaves the state"""
    opened = env.create_file(b"file", b"data")
    env.client.confirm()
    equal("the data", env.read(opened.handle, stateid=opened.stateid)[0], b"data")
    env.close_file(opened)


@test("CID40-8", "v40 setclientid_confirm", cites=[
    ("RFC 7530 16.34.5", "If the principal of the unconfirmed { *, x, c, k, s } record mismatches that of the "
                         "SETCLIENTID_CONFIRM request, the server returns NFS4ERR_CLID_INUSE without removing any "
                         "relevant leased client state.")])
def confirm_by_another(env):
    """SETCLIENTID_CONFIRM by another principal than SETCLIENTID"""
    client = env.new_client("new")
    res = client.ask()
    env.fails("NFS4ERR_CLID_INUSE", SETCLIENTID_CONFIRM(res.clientid, res.confirm), credential=USER)
    client.confirm()


@test("CID40-9", "v40 setclientid", cites=[
    ("RFC 7530 16.33.5", "x be the value of the client.id subfield of the SETCLIENTID4args structure.")])
def odd_names_of_clients(env):
    """Client ids of one byte, with zero bytes, of the greatest length"""
    prefix = env.client.name
    seen = set()
    for name in (prefix + b"\0", prefix + b"\0\0", prefix + b"\xff", (prefix + b"x" * 1024)[:1024]):
        res = env.ok(SETCLIENTID(Record(verifier=b"verifier", ownerid=name), NO_CALLBACK, 1))[0]
        env.ok(SETCLIENTID_CONFIRM(res.clientid, res.confirm), RENEW(res.clientid))
        seen.add(res.clientid)
    equal("the number of client ids", len(seen), 4)


@test("RENW40-1", "v40 renew", cites=[
    ("RFC 7530 16.28.4", "The associated leases are determined by the clientid provided via the SETCLIENTID "
                         "operation."),
    ("RFC 7530 13.1.10.2", "A client ID not recognized by the server was used in a locking or SETCLIENTID_CONFIRM "
                           "request.")])
def renew(env):
    """RENEW of a client, and of one that isn't"""
    env.ok(RENEW(env.client.clientid))
    env.ok(RENEW(env.client.clientid), RENEW(env.client.clientid))
    env.fails("NFS4ERR_STALE_CLIENTID", RENEW(0))
    env.fails("NFS4ERR_STALE_CLIENTID NFS4ERR_EXPIRED", RENEW(env.client.clientid ^ 0xFFFF0000FFFF))


@test("RENW40-2", "v40 renew", cites=[
    ("RFC 7530 13.1.10.2", "A client ID not recognized by the server was used in a locking or SETCLIENTID_CONFIRM "
                           "request.")])
def renew_unconfirmed(env):
    """RENEW of a client that isn't confirmed"""
    client = env.new_client("new")
    client.ask()
    env.fails("NFS4ERR_STALE_CLIENTID NFS4ERR_EXPIRED", RENEW(client.clientid))
    client.confirm()
    env.ok(RENEW(client.clientid))


@test("DELR40-1", "v40 delegreturn delegations", cites=[
    ("RFC 7530 16.6.4", "DELEGRETURN returns the delegation represented by the current filehandle and stateid."),
    ("RFC 7530 9.1.4.4", "If the stateid type is not valid for the context in which the stateid appears, return "
                         "NFS4ERR_BAD_STATEID.")])
def delegreturn_without_delegation(env):
    """DELEGRETURN with an open's and special stateids, and with nobody's, unless it isn't supported"""
    opened = env.create_file(b"file")
    if env.compound(PUTFH(opened.handle), DELEGRETURN(opened.stateid)).status == STATUS.values["NFS4ERR_NOTSUPP"]:
        return
    for wrong in (opened.stateid, ANONYMOUS, BYPASS):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(opened.handle), DELEGRETURN(wrong))
    env.fails("NFS4ERR_BAD_STATEID NFS4ERR_STALE_STATEID NFS4ERR_EXPIRED", PUTFH(opened.handle),
              DELEGRETURN(stateid(1, b"nobody's own")))
    env.close_file(opened)


@test("DELP40-1", "v40 delegpurge delegations", cites=[
    ("RFC 7530 16.5.4", "The server MAY support DELEGPURGE, but its support or non-support should match that of "
                        "CLAIM_DELEGATE_PREV"),
    ("RFC 7530 16.16.5", "NFS4ERR_NOTSUPP is returned if the server does not support this claim type.")])
def delegpurge(env):
    """DELEGPURGE is supported just as CLAIM_DELEGATE_PREV is"""
    env.new_file(b"file")
    claim = by_name(b"file").copy(claim=3)
    opened = env.open_reply(b"file", claim=claim, owner=b"other").expect(
        "NFS4ERR_NOTSUPP", "NFS4ERR_INVAL", "NFS4ERR_RECLAIM_BAD", "NFS4ERR_NO_GRACE")
    purged = env.compound(DELEGPURGE(env.client.clientid)).expect("NFS4_OK", "NFS4ERR_NOTSUPP")
    equal("that DELEGPURGE isn't supported", STATUS.name(purged.status) == "NFS4ERR_NOTSUPP",
          STATUS.name(opened.status) == "NFS4ERR_NOTSUPP")


@test("CONN40-1", "v40 open locks", cites=[
    ("RFC 7530 9.1.7", "ONC RPC over a reliable transport is not sufficient because a sequence of locking requests may "
                       "span multiple TCP connections.")])
def another_connection(env):
    """State made through one connection is good through another"""
    opened = env.create_file(b"file", b"data")
    other = env.connect()
    equal("the data", env.read(opened.handle, stateid=opened.stateid, connection=other), (b"data", True))
    env.write(opened.handle, b"D", stateid=opened.stateid, connection=other)
    env.ok(RENEW(env.client.clientid), connection=other)
    equal("the data", env.read(opened.handle, stateid=opened.stateid), (b"Data", True))
    env.close_file(opened)
