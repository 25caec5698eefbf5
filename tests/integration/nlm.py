# SPDX-License-Identifier: LGPL-3.0-or-later
# nlm.py -- SERVER NFS-PORT MOUNT-PORT NLM-PORT EXPORT: byte-range locks by NLM, version 4; prints each answer
"""What is printed is compared between FSALs. FREE_ALL is not asked for: Ganesha 4.3 breaks off, with FSAL_VFS, too. With a
last argument one TEST, LOCK and UNLOCK of all: `held`: while somebody else has a lock; `away`: when it is told to go on."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance"))
import nfs3  # noqa: E402,F401
import suite  # noqa: E402
from nlm4 import NLM, STATUS  # noqa: E402
from rpc import Connection, Tape  # noqa: E402
from xdr import Record  # noqa: E402

END = 0  # as a length: to the end of any file
CALLER = b"nlm-client"


class Locks:
    def __init__(self, server, port, handle):
        self.connection, self.handle, self.cookie = Connection(server, port, Tape()), handle, 0

    def call(self, procedure, **arguments):
        self.cookie += 1
        cookie = b"%04d" % self.cookie
        reply = self.connection.call(NLM, procedure, Record(cookie=cookie, **arguments))
        if reply.cookie != cookie:
            sys.exit(f"{procedure} is answered with the cookie {reply.cookie} instead of {cookie}")
        return reply

    def lock_of(self, who, offset, length):
        return Record(caller=CALLER, fh=self.handle, oh=b"%d@nlm-client" % who, svid=who, offset=offset, length=length)

    def lock(self, who, offset, length, exclusive=True, block=False, procedure="LOCK"):
        reply = self.call(procedure, block=block, exclusive=exclusive, lock=self.lock_of(who, offset, length),
                          reclaim=False, state=1)
        return STATUS.name(reply.stat)

    def unlock(self, who, offset, length):
        return STATUS.name(self.call("UNLOCK", lock=self.lock_of(who, offset, length)).stat)

    def cancel(self, who, offset, length, exclusive=True):
        reply = self.call("CANCEL", block=True, exclusive=exclusive, lock=self.lock_of(who, offset, length))
        return STATUS.name(reply.stat)

    def test(self, who, offset, length, exclusive=True):
        test = self.call("TEST", exclusive=exclusive, lock=self.lock_of(who, offset, length)).test
        name = STATUS.name(test.stat)
        if name != "DENIED":
            return name
        kind = "exclusive" if test.holder.exclusive else "shared"
        return f"{name}: {kind}, {test.holder.offset} + {test.holder.length}"

    def share(self, who, mode, access, procedure="SHARE"):
        share = Record(caller=CALLER, fh=self.handle, oh=b"%d@nlm-client" % who, mode=mode, access=access)
        return STATUS.name(self.call(procedure, share=share, reclaim=False).stat)


def steps(locks):
    """Each with what it is about."""
    lock, unlock, test = locks.lock, locks.unlock, locks.test
    yield "a free range is tested", test(1, 0, 10)
    yield "and locked", lock(1, 0, 10)
    yield "the same again by the same", lock(1, 0, 10)
    yield "another tests it", test(2, 5, 1)
    yield "and wants it", lock(2, 5, 1)
    yield "shared, too", lock(2, 5, 1, exclusive=False)
    yield "another range it gets", lock(2, 10, 10)
    yield "tested by the one who has it", test(1, 0, 10)
    yield "made shared", lock(1, 0, 10, exclusive=False)
    yield "so another may share it", lock(2, 0, 10, exclusive=False)
    yield "and nobody have it alone", lock(1, 0, 10)
    yield "the middle is given back", unlock(2, 3, 2)
    yield "and had alone", lock(1, 3, 2)
    yield "beside it is still shared", lock(1, 2, 1)
    yield "what nobody has is given back", unlock(3, 100, 5)
    yield "all of the second one's", unlock(2, 0, END)
    yield "all of the first one's", unlock(1, 0, END)
    yield "to the end of any file", lock(1, 1 << 40, END)
    yield "behind it is locked, too", lock(2, (1 << 62) + 7, 1)
    yield "before it isn't", lock(2, 0, 1 << 40)
    yield "the last byte that there can be", test(2, (1 << 63) - 1, 1)
    yield "a range beyond it", lock(3, (1 << 64) - 10, 5)
    yield "given back by both", (unlock(1, 0, END), unlock(2, 0, END))
    yield "free again", test(3, 0, END)
    yield "without monitoring", lock(1, 0, 10, procedure="NM_LOCK")
    yield "denied as well", lock(2, 0, 10, procedure="NM_LOCK")
    yield "one that would wait", lock(2, 0, 10, block=True)
    yield "and gives that up", locks.cancel(2, 0, 10)
    yield "what isn't waited for is given up", locks.cancel(2, 50, 10)
    yield "given back", unlock(1, 0, 10)
    yield "nobody waits any more", test(3, 0, 10)
    yield "a share that denies writing", locks.share(1, 2, 1)
    yield "another that writes", locks.share(2, 0, 2)
    yield "another that reads", locks.share(2, 0, 1)
    yield "given back", (locks.share(1, 2, 1, "UNSHARE"), locks.share(2, 0, 1, "UNSHARE"))
    yield "now it may write", locks.share(2, 0, 2)
    yield "given back, too", locks.share(2, 0, 2, "UNSHARE")
    yield "a file that there isn't", Locks.lock(Wrong(locks), 1, 0, 1)


class Wrong(Locks):
    """The same with the handle of a file that was removed."""

    def __init__(self, locks):
        self.connection, self.handle, self.cookie = locks.connection, GONE, 1000


server, nfs_port, mount_port, nlm_port, export = sys.argv[1:6]
mode = sys.argv[6] if len(sys.argv) > 6 else ""
env = suite.ENVIRONMENTS["v3"](suite.Target(server, int(nfs_port), int(mount_port), export, "nlm"), "v3", Tape())
env.open()
if mode:
    env.model = None  # what others do to the volume isn't its business
    root = env.mount_call("MNT", path=export.encode()).handle
    handle = env.lookup(root, b"locked").handle
    locks = Locks(server, int(nlm_port), handle)
    if mode == "away":
        print("ready", flush=True)
        sys.stdin.readline()
    print(locks.test(1, 0, END), "|", locks.lock(1, 0, END), "|", locks.unlock(1, 0, END))
else:
    env.base = env.prepare()
    env.begin("NLM")
    gone = env.file(b"gone")
    GONE = gone
    env.remove(env.home, b"gone")
    locks = Locks(server, int(nlm_port), env.file(b"file"))
    for about, answer in steps(locks):
        print(f"{about}: {answer}", flush=True)
    env.tidy()
env.close()
