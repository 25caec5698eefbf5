# SPDX-License-Identifier: LGPL-3.0-or-later
# locks.py -- STEP POC1 POC2 PORT EXPORT: two NFSv4 clients at two points of contact, one file
"""STEP together: their locks meet at the owner. STEP holder: takes a lock at POC1, says so, and keeps it until it is told
to go on. STEP waiter: waits until the whole file can be locked at POC2. STEP away: what a lock is answered with while
the owner is away."""
import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance"))
import nfs40  # noqa: E402,F401
import suite  # noqa: E402
from nfs4 import BOTH_ACCESS, READ_LT, STATUS, WRITE_LT, create  # noqa: E402
from suite import equal, expect  # noqa: E402
from xdr import Record  # noqa: E402

ALL = 2 ** 64 - 1
environments = []
step, poc1, poc2, port, export = sys.argv[1:]


def client(server, name):
    """An environment whose home is the export's root, and the file, open there."""
    env = suite.ENVIRONMENTS["v40"](suite.Target(server, int(port), 0, export, "locks"), "v40", suite.Tape())
    environments.append(env)
    env.open()
    env.enter(name)
    env.home = env.lookup(None, *(part.encode() for part in export.split("/") if part))
    send = env.send
    # The other client changes the file, too: what is known of earlier answers says nothing about later ones.
    env.send = lambda ops, **options: send(ops, **{**options, "check": False})
    return env


def opened_by(env):
    return env.open_file(b"locked", how=create(attrs=Record(mode=0o666)), access=BOTH_ACCESS)


def status(reply):
    return STATUS.name(reply.status)


def denied(reply):
    expect(STATUS, reply.status, "NFS4ERR_DENIED")
    return reply[len(reply) - 1].denied


def together():
    first, second = client(poc1, "first"), client(poc2, "second")
    here, there = opened_by(first), opened_by(second)
    lock = first.lock(here, 100, 50)
    result = denied(second.lock_reply(there, 120, 100))
    equal("the lock in the way", (result.offset, result.length, result.locktype), (100, 50, WRITE_LT))
    denied(second.lock_test(there.handle, 0, ALL, READ_LT))
    expect(STATUS, second.lock_test(there.handle, 0, 100).status, "NFS4_OK")
    beside = second.lock(there, 0, 100, owner=b"other")
    denied(first.lock_more_reply(lock, 0, 10))
    first.unlock(lock, 100, 25)
    second.lock_more(beside, 100, 25)
    denied(second.lock_more_reply(beside, 125, 1))
    first.unlock(lock, 0, ALL)
    second.lock_more(beside, 0, ALL)
    second.unlock(beside, 0, ALL)
    shared = first.lock(here, 0, ALL, READ_LT, owner=b"reader")
    also = second.lock(there, 0, ALL, READ_LT, owner=b"reader")
    denied(second.lock_more_reply(also, 5, 1, WRITE_LT))
    first.unlock(shared, 0, ALL, READ_LT)
    second.lock_more(also, 5, 1, WRITE_LT)
    # The end of an open, with its locks still held, is their end.
    second.unlock(also, 0, ALL)
    second.close_file(there)
    first.lock_more(lock, 0, ALL)
    first.unlock(lock, 0, ALL)
    first.close_file(here)


def holder():
    env = client(poc1, "holder")
    env.lock(opened_by(env), 0, ALL)
    print("locked", flush=True)
    sys.stdin.readline()


def waiter():
    env = client(poc2, "waiter")
    opened = opened_by(env)
    denied(env.lock_reply(opened, 7, 1))
    print("denied", flush=True)
    deadline = time.monotonic() + 20
    while True:
        reply = env.lock_reply(opened, 0, ALL, owner=b"later %d" % int(time.monotonic() * 1000))
        if status(reply) == "NFS4_OK":
            return
        if time.monotonic() > deadline:
            sys.exit(f"still {status(reply)}")
        time.sleep(0.2)


def away():
    env = client(poc1, "away")
    opened = opened_by(env)
    print("opened", flush=True)
    sys.stdin.readline()
    expect(STATUS, env.lock_reply(opened, 0, ALL).status, "NFS4ERR_GRACE", "NFS4ERR_DELAY")
    print("refused for now", flush=True)
    sys.stdin.readline()
    deadline = time.monotonic() + 20
    while status(reply := env.lock_reply(opened, 0, ALL, owner=b"again %d" % int(time.monotonic() * 1000))) != "NFS4_OK":
        if time.monotonic() > deadline:
            sys.exit(f"still {status(reply)}")
        time.sleep(0.2)


{"together": together, "holder": holder, "waiter": waiter, "away": away}[step]()
for environment in environments:
    environment.close()
print("done", flush=True)
