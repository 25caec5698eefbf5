# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs40.py -- clients, open-owners and lock-owners of NFS v4.0, and the environment of its tests
"""env.client is the test's own client; more by env.new_client(name).setup(). An Owner40 counts the sequence numbers of
one open-owner or lock-owner: env.sequenced(owners, *ops) sends ops of which one carries a sequence number of each.

    opened = env.open_file(b"name", how=create())       .stateid, .handle, .owner, and OPEN's result
    lock = env.lock(opened, 0, 10)                      .stateid, .owner, .handle
    reply = env.open_reply(b"name", deny=DENY_READ, owner=b"other")     whatever it answers"""

from nfs4 import (BOTH_ACCESS, CLOSE, DENY_NONE, GETATTR, GETFH, LOCK, LOCKT, LOCKU, OPEN, OPEN_CONFIRM,
                  OPEN_DOWNGRADE, PUTFH, RESULT_CONFIRM, SETCLIENTID, SETCLIENTID_CONFIRM, WRITE_LT, by_name, create,
                  no_create)
from nfs4 import NUMBER_OF, STATUS
from nfs4env import Nfs4, verifier_of
from rpc import ROOT
from suite import Failed, environment
from xdr import Record

SEQUENCED = {NUMBER_OF[name] for name in ("OPEN", "CLOSE", "LOCK", "LOCKU", "OPEN_CONFIRM", "OPEN_DOWNGRADE")}
# RFC 7530 9.1.7: a sequence number isn't used up by these
UNCOUNTED = {STATUS.values[f"NFS4ERR_{name}"] for name in (
    "STALE_CLIENTID", "STALE_STATEID", "BAD_STATEID", "BAD_SEQID", "BADXDR", "RESOURCE", "NOFILEHANDLE", "MOVED")}
NO_CALLBACK = Record(program=0x40000000, location=Record(netid=b"tcp", addr=b"0.0.0.0.0.0"))


class Owner40:
    """An open-owner or lock-owner; .seqid is its next sequence number."""

    def __init__(self, client, name):
        self.client, self.name, self.seqid = client, name, 1

    def record(self):
        return Record(clientid=self.client.clientid, owner=self.name)

    def after(self, reply):
        """Counts, if the operation with the sequence number was executed."""
        done = [res.status for res in reply.results if res.resop in SEQUENCED]
        if done and done[-1] not in UNCOUNTED:
            self.seqid += 1


class Client40:
    """A client: what SETCLIENTID asked and answered, and its owners by name."""

    def __init__(self, env, name, verifier=None, credential=ROOT):
        self.env, self.credential = env, credential
        self.name = f"{env.target.name}-{name}".encode()
        self.verifier = verifier or verifier_of(self.name)
        self.clientid = self.confirm_verifier = None
        self.owners = {}

    def ask_op(self, **changes):
        return SETCLIENTID(Record(verifier=self.verifier, ownerid=self.name), NO_CALLBACK, 1).copy(**changes)

    def ask(self, **options):
        """SETCLIENTID, which has to succeed; returns its result."""
        res = self.env.send([self.ask_op()], credential=self.credential, **options).expect("NFS4_OK")[0]
        self.clientid, self.confirm_verifier = res.clientid, res.confirm
        return res

    def confirm(self, **options):
        self.env.send([SETCLIENTID_CONFIRM(self.clientid, self.confirm_verifier)], credential=self.credential,
                      **options).expect("NFS4_OK")

    def setup(self):
        self.ask()
        self.confirm()
        return self

    def forget(self):
        """Frees the server from this client's state, by a restart of the client."""
        self.verifier = bytes(byte ^ 0xFF for byte in self.verifier)
        self.setup()

    def owner(self, name):
        if isinstance(name, Owner40):
            return name
        if name not in self.owners:
            self.owners[name] = Owner40(self, name)
        return self.owners[name]


@environment("v40")
class Nfs40(Nfs4):
    def open(self):
        super().open()
        self.clients = []
        self.client = None

    def begin(self, code):
        self.enter(code)
        self.make_home(code)

    def enter(self, name):
        self.client = self.new_client(name).setup()

    def new_client(self, name, **options):
        """Another client of this test, which hasn't spoken yet."""
        self.clients.append(Client40(self, name, **options))
        return self.clients[-1]

    def prepare(self):
        self.enter("prepare")
        return self.make_base()

    def tidy(self):
        self.enter("tidy")
        self.remove_base()

    def close(self):
        for client in getattr(self, "clients", []):
            if client.owners:
                self.off_tape(client.forget)
        super().close()

    def compound(self, *ops, **options):
        return self.send(ops, **options)

    def sequenced(self, owners, *ops, **options):
        """ops of which one has the next sequence numbers of these owners."""
        reply = self.compound(*ops, **options)
        for owner in owners:
            owner.after(reply)
        return reply

    # --- opens ---

    def open_op(self, name, owner, access=BOTH_ACCESS, deny=DENY_NONE, how=None, claim=None):
        return OPEN(owner.seqid, access, deny, owner.record(), how or no_create(), claim or by_name(name))

    def open_reply(self, name, directory=None, owner=b"owner", client=None, credential=ROOT, **fields):
        """OPEN and GETFH, whatever it answers. OPEN isn't confirmed."""
        owner = (client or self.client).owner(owner)
        return self.sequenced([owner], PUTFH(self.home if directory is None else directory),
                              self.open_op(name, owner, **fields), GETFH(), GETATTR(["filehandle", "type", "fileid"]),
                              credential=credential)

    def open_file(self, name, directory=None, owner=b"owner", client=None, **fields):
        """Opens a file, and confirms it when the server asks for it."""
        owner = (client or self.client).owner(owner)
        reply = self.open_reply(name, directory, owner, **fields).expect("NFS4_OK")
        opened = reply["OPEN"].copy(handle=reply["GETFH"].object, owner=owner)
        if opened.rflags & RESULT_CONFIRM:
            opened.stateid = self.confirm(opened).expect("NFS4_OK")["OPEN_CONFIRM"].open_stateid
        return opened

    def open_fails(self, names, name, **fields):
        """OPEN has to answer one of the statuses."""
        reply = self.open_reply(name, **fields).expect(*names.split())
        if len(reply) != 2:
            raise Failed(f"{reply} isn't OPEN's", STATUS.name(reply.status))
        return reply

    def confirm(self, opened):
        return self.sequenced([opened.owner], PUTFH(opened.handle), OPEN_CONFIRM(opened.stateid, opened.owner.seqid))

    def create_file(self, name, data=b"", mode=0o644, **fields):
        """A new file that stays open."""
        opened = self.open_file(name, how=create(attrs=Record(mode=mode)), **fields)
        if data:
            self.write(opened.handle, data, stateid=opened.stateid)
        return opened

    def new_file(self, name, data=b"", mode=0o644, **fields):
        """A new file that is closed again; its handle."""
        opened = self.create_file(name, data, mode, **fields)
        self.close_file(opened)
        return opened.handle

    def close_reply(self, opened, stateid=None):
        return self.sequenced([opened.owner], PUTFH(opened.handle), CLOSE(opened.owner.seqid,
                                                                          stateid or opened.stateid))

    def close_file(self, opened):
        return self.close_reply(opened).expect("NFS4_OK")["CLOSE"]

    def downgrade(self, opened, access, deny, stateid=None):
        return self.sequenced([opened.owner], PUTFH(opened.handle),
                              OPEN_DOWNGRADE(stateid or opened.stateid, opened.owner.seqid, access, deny))

    # --- locks ---

    def lock_reply(self, opened, offset, length, kind=WRITE_LT, owner=b"lock owner", client=None, reclaim=False,
                   stateid=None):
        """LOCK by a new lock owner, whatever it answers."""
        owner = (client or opened.owner.client).owner(owner)
        locker = Record(new_lock_owner=True, open_seqid=opened.owner.seqid, open_stateid=stateid or opened.stateid,
                        lock_seqid=owner.seqid, lock_owner=owner.record())
        return self.sequenced([opened.owner, owner], PUTFH(opened.handle), LOCK(kind, reclaim, offset, length, locker))

    def lock(self, opened, offset, length, kind=WRITE_LT, owner=b"lock owner"):
        """A new lock owner's first lock."""
        reply = self.lock_reply(opened, offset, length, kind, owner).expect("NFS4_OK")
        return Record(stateid=reply["LOCK"].lock_stateid, owner=opened.owner.client.owner(owner), handle=opened.handle)

    def lock_more_reply(self, lock, offset, length, kind=WRITE_LT, stateid=None):
        """LOCK by an owner that has a stateid, whatever it answers."""
        locker = Record(new_lock_owner=False, lock_stateid=stateid or lock.stateid, lock_seqid=lock.owner.seqid)
        return self.sequenced([lock.owner], PUTFH(lock.handle), LOCK(kind, False, offset, length, locker))

    def lock_more(self, lock, offset, length, kind=WRITE_LT):
        lock.stateid = self.lock_more_reply(lock, offset, length, kind).expect("NFS4_OK")["LOCK"].lock_stateid
        return lock

    def unlock_reply(self, lock, offset, length, kind=WRITE_LT, stateid=None):
        return self.sequenced([lock.owner], PUTFH(lock.handle),
                              LOCKU(kind, lock.owner.seqid, stateid or lock.stateid, offset, length))

    def unlock(self, lock, offset, length, kind=WRITE_LT):
        lock.stateid = self.unlock_reply(lock, offset, length, kind).expect("NFS4_OK")["LOCKU"].lock_stateid
        return lock

    def lock_test(self, handle, offset, length, kind=WRITE_LT, owner=b"tester", client=None):
        """LOCKT, whatever it answers."""
        name = Record(clientid=(client or self.client).clientid, owner=owner)
        return self.compound(PUTFH(handle), LOCKT(kind, offset, length, name))
