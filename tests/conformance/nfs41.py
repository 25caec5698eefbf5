# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs41.py -- clients and sessions of NFS v4.1 and v4.2, and the environment of their tests
"""env.client and env.session are the test's own; env.compound(*ops) goes through the session with SEQUENCE before it,
and the Reply leaves SEQUENCE's result out (reply.sequence has it). env.send(ops) sends a COMPOUND as it is.

More clients: env.new_client(name), client.exchange_id(), client.create_session()."""

from nfs4 import (BOTH_ACCESS, CLOSE, CREATE_SESSION, DENY_NONE, DESTROY_CLIENTID, DESTROY_SESSION, EXCHANGE_ID,
                  GETATTR, GETFH, OPEN, PUTFH, RECLAIM_COMPLETE, SEQUENCE, WANT_NO_DELEG, LOCK, LOCKU, WRITE_LT,
                  by_name, create, no_create)
from nfs4env import Nfs4, Reply, verifier_of
from rpc import ROOT
from suite import environment, equal, that
from xdr import Record

EXCHGID_FLAG_CONFIRMED_R = 0x80000000
SLOTS = 8
SIZE = 1 << 20


def channel(**changes):
    """channel_attrs4 as a client asks for them."""
    return Record(headerpadsize=0, maxrequestsize=SIZE + 4096, maxresponsesize=SIZE + 4096,
                  maxresponsesize_cached=16384,
                  maxoperations=32, maxrequests=SLOTS, rdma_ird=[]).copy(**changes)


def back_channel():
    return channel(maxrequestsize=4096, maxresponsesize=4096, maxresponsesize_cached=0, maxoperations=2, maxrequests=1)


class Session41:
    """A session: its slots' sequence numbers, and COMPOUNDs in it."""

    def __init__(self, client, res):
        self.client, self.env = client, client.env
        self.sessionid, self.flags = res.sessionid, res.flags
        self.fore, self.back = res.fore_chan_attrs, res.back_chan_attrs
        self.slots = {}

    def sequence(self, slot=0, cache=False, **changes):
        """The SEQUENCE operation that this slot wants next; take() has to be called when it was executed."""
        highest = max([slot, *self.slots])
        return SEQUENCE(self.sessionid, self.slots.get(slot, 0) + 1, slot, highest, cache).copy(**changes)

    def take(self, slot):
        self.slots[slot] = self.slots.get(slot, 0) + 1

    def compound(self, *ops, slot=0, cache=False, **options):
        """ops behind a SEQUENCE, which has to succeed."""
        reply = self.env.send([self.sequence(slot, cache), *ops], **options)
        if not reply.results or reply[0].status:
            reply.expect("NFS4_OK")
        self.take(slot)
        equal("the number of the SEQUENCE", reply[0].sequenceid, self.slots[slot])
        that(reply[0].highest_slotid < self.fore.maxrequests, "SEQUENCE's highest_slotid is beyond the session's slots")
        return Reply(reply.status, reply.results[1:], reply[0])

    def ok(self, *ops, **options):
        return self.compound(*ops, **options).expect("NFS4_OK")

    def destroy(self, **options):
        return self.env.send([DESTROY_SESSION(self.sessionid)], **options).expect("NFS4_OK")


class Client41:
    """A client: name, verifier, and what EXCHANGE_ID answered."""

    def __init__(self, env, name, verifier=None, credential=ROOT):
        self.env, self.credential = env, credential
        self.name = f"{env.target.name}-{env.version}-{name}".encode()
        self.verifier = verifier or verifier_of(self.name)
        self.clientid = self.sequence = None
        self.sessions = []

    def exchange_op(self, **changes):
        owner = Record(verifier=self.verifier, ownerid=self.name)
        return EXCHANGE_ID(owner, 0, Record(how=0), []).copy(**changes)

    def exchange_id(self, connection=None, **changes):
        """EXCHANGE_ID, which has to succeed; returns its result."""
        reply = self.env.send([self.exchange_op(**changes)], credential=self.credential, connection=connection)
        res = reply.expect("NFS4_OK")[0]
        self.clientid, self.sequence = res.clientid, res.sequenceid
        return res

    def session_op(self, **changes):
        return CREATE_SESSION(self.clientid, self.sequence, 0, channel(), back_channel(), 0x40000000,
                              [Record(flavor=0)]).copy(**changes)

    def create_session(self, connection=None, **changes):
        """CREATE_SESSION, which has to succeed."""
        reply = self.env.send([self.session_op(**changes)], credential=self.credential, connection=connection)
        res = reply.expect("NFS4_OK")[0]
        equal("CREATE_SESSION's sequence number", res.sequence, changes.get("sequence", self.sequence))
        self.sequence = res.sequence + 1
        self.check_channels(res, changes)
        self.sessions.append(Session41(self, res))
        return self.sessions[-1]

    @staticmethod
    def check_channels(res, changes):
        asked = changes.get("fore_chan_attrs", channel())
        for name in ("maxrequestsize", "maxresponsesize", "maxresponsesize_cached", "maxoperations", "maxrequests"):
            got = getattr(res.fore_chan_attrs, name)
            that(got <= getattr(asked, name), f"CREATE_SESSION raises {name} from {getattr(asked, name)} to {got}")
            that(got or name == "maxresponsesize_cached", f"CREATE_SESSION grants no {name}")
        that(not res.flags & ~changes.get("flags", 0), f"CREATE_SESSION sets flags {res.flags:#x}")

    def setup(self, connection=None, reclaim=True):
        """EXCHANGE_ID, CREATE_SESSION, RECLAIM_COMPLETE; returns the session."""
        res = self.exchange_id(connection)
        that(not res.flags & EXCHGID_FLAG_CONFIRMED_R, "EXCHANGE_ID says that a new client is confirmed")
        session = self.create_session(connection)
        if reclaim:
            session.ok(RECLAIM_COMPLETE(False), credential=self.credential, connection=connection)
        return session

    def destroy(self, **options):
        return self.env.send([DESTROY_CLIENTID(self.clientid)], **options).expect("NFS4_OK")


@environment("v41", "v42")
class Nfs41(Nfs4):
    def open(self):
        super().open()
        self.clients = []
        self.client = self.session = None

    def begin(self, code):
        self.enter(code)
        self.make_home(code)

    def enter(self, name):
        self.client = self.new_client(name)
        self.session = self.client.setup()

    def new_client(self, name, **options):
        """Another client of this test; close() destroys it."""
        self.clients.append(Client41(self, name, **options))
        return self.clients[-1]

    def prepare(self):
        self.enter("prepare")
        return self.make_base()

    def tidy(self):
        self.enter("tidy")
        self.remove_base()

    def close(self):
        for client in getattr(self, "clients", []):
            for session in client.sessions:
                self.off_tape(session.destroy)
            if client.clientid is not None:
                self.off_tape(client.destroy)
        super().close()

    def compound(self, *ops, session=None, **options):
        return (session or self.session).compound(*ops, **options)

    # --- opens and locks; session= acts as another client ---

    def open_op(self, name, access=BOTH_ACCESS, deny=DENY_NONE, how=None, owner=b"owner", claim=None, clientid=None):
        """OPEN; name None with a claim of one's own."""
        return OPEN(0, access | WANT_NO_DELEG, deny, Record(clientid=clientid or 0, owner=owner), how or no_create(),
                    claim or by_name(name))

    def open_file(self, name, directory=None, session=None, credential=ROOT, **fields):
        """Opens a file, or creates it with how=create(...); the OPEN's result, with the handle as .handle."""
        reply = (session or self.session).ok(PUTFH(self.home if directory is None else directory),
                                             self.open_op(name, **fields), GETFH(),
                                             GETATTR(["filehandle", "type", "fileid"]), credential=credential)
        return reply["OPEN"].copy(handle=reply["GETFH"].object)

    def create_file(self, name, data=b"", mode=0o644, **fields):
        """A new file that stays open; the OPEN's result, with the handle as .handle."""
        opened = self.open_file(name, how=create(attrs=Record(mode=mode)), **fields)
        if data:
            self.write(opened.handle, data, stateid=opened.stateid)
        return opened

    def new_file(self, name, data=b"", mode=0o644, **fields):
        """A new file that is closed again; its handle."""
        opened = self.create_file(name, data, mode, **fields)
        self.close_file(opened)
        return opened.handle

    def close_file(self, opened, **options):
        return self.ok(PUTFH(opened.handle), CLOSE(0, opened.stateid), **options)["CLOSE"]

    def lock_op(self, opened, offset, length, kind=WRITE_LT, owner=b"lock owner", reclaim=False):
        """LOCK by a new lock owner, from an open."""
        return LOCK(kind, reclaim, offset, length,
                    Record(new_lock_owner=True, open_seqid=0, open_stateid=opened.stateid, lock_seqid=0,
                           lock_owner=Record(clientid=0, owner=owner)))

    def lock_more_op(self, stateid, offset, length, kind=WRITE_LT):
        """LOCK by a lock owner that has a stateid."""
        return LOCK(kind, False, offset, length, Record(new_lock_owner=False, lock_stateid=stateid, lock_seqid=0))

    def lock(self, opened, offset, length, **fields):
        """The lock's stateid."""
        return self.ok(PUTFH(opened.handle), self.lock_op(opened, offset, length, **fields))["LOCK"].lock_stateid

    def unlock(self, handle, stateid, offset, length, kind=WRITE_LT):
        return self.ok(PUTFH(handle), LOCKU(kind, 0, stateid, offset, length))["LOCKU"].lock_stateid
