# SPDX-License-Identifier: LGPL-3.0-or-later
# recovery.py -- POC1 POC2 NFS-PORT MOUNT-PORT EXPORT VOLUME: opens and locks outlive the owner's process
"""Clients A at POC1 and B at POC2; owner1 is killed and started again between their operations."""
import itertools
import json
import os
import subprocess
import sys
import threading
import time

from patient import Cluster, Patience  # first: it finds the modules below
from nfs3 import UNSTABLE
from nfs4 import BOTH_ACCESS, FILE_SYNC, PUTFH, STATUS, WRITE, create
from suite import equal, expect
from xdr import Record

poc1, poc2, nfs_port, mount_port, export, volume = sys.argv[1:]
ALL = 2 ** 64 - 1
CALM_SECONDS = 20  # for service to be back
HANGING = 32  # more than Ganesha's workers may wait for one volume
cluster = Cluster(True)
patience = [Patience(server, nfs_port, mount_port, export) for server in (poc1, poc2)]
a, b = (one.client("v40") for one in patience)
a3 = patience[0].client("v3")


def say(text):
    print(f"   {text}", flush=True)


def status(reply):
    return STATUS.name(reply.status)


def opened_by(env, name, **more):
    return env.open_file(name, how=create(attrs=Record(mode=0o666)), access=BOTH_ACCESS, **more)


def eventually(ask, *wanted):
    """Until an answer isn't one that means: wait."""
    deadline = time.monotonic() + CALM_SECONDS
    while status(reply := ask()) in ("NFS4ERR_GRACE", "NFS4ERR_DELAY") and time.monotonic() < deadline:
        time.sleep(0.1)
    expect(STATUS, reply.status, *wanted)
    return reply


numbers = itertools.count(1)


def lock_is(wanted, env, opened, offset, length):
    """LOCK by a new owner of locks for each try, because a DELAY uses one up; given back if it is granted."""
    def ask():
        nonlocal name
        name = b"asks %d" % next(numbers)
        return env.lock_reply(opened, offset, length, owner=name)
    name = None
    reply = eventually(ask, wanted)
    if wanted == "NFS4_OK":
        lock = Record(stateid=reply["LOCK"].lock_stateid, owner=env.client.owner(name), handle=opened.handle)
        env.unlock(lock, 0, ALL)


def write_reply(env, handle, stateid):
    return env.compound(PUTFH(handle), WRITE(stateid, 0, FILE_SYNC, b"protected"))


def within(seconds, action):
    start = time.monotonic()
    result = action()
    if time.monotonic() - start > seconds:
        sys.exit(f"it took {time.monotonic() - start:.1f} s instead of {seconds}")
    return result


def opens():
    """How many there are at the owner."""
    told = subprocess.run([os.path.join(os.environ["XFER_BUILD_DIR"], "libxfer", "rdmaxferctl"), "--run-dir",
                           os.path.join(os.environ["CLUSTER_DIR"], "owner1"), "--json", "status"], check=True,
                          capture_output=True, timeout=60)
    return json.loads(told.stdout)[0]["opens"]["count"]


def becomes(wanted, get):
    deadline = time.monotonic() + CALM_SECONDS
    while (got := get()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    equal("what it comes to", got, wanted)


def restart():
    cluster.restart("owner1")


def locks_are_kept():
    here, there = opened_by(a, b"kept"), opened_by(b, b"kept")
    lock = a.lock(here, 0, 100)
    a.unlock(lock, 40, 20)
    before = opens()
    restart()
    expect(STATUS, write_reply(a, here.handle, lock.stateid).status, "NFS4_OK")
    becomes(before, opens)
    for offset, wanted in ((0, "NFS4ERR_DENIED"), (45, "NFS4_OK"), (60, "NFS4ERR_DENIED"), (100, "NFS4_OK")):
        lock_is(wanted, b, there, offset, 1)
    a.unlock(lock, 0, ALL)
    lock_is("NFS4_OK", b, there, 0, 10)
    a.close_file(here)
    b.close_file(there)


def given_back_while_away():
    here, gone, there = opened_by(a, b"away"), opened_by(a, b"closed"), opened_by(b, b"away")
    lock = a.lock(here, 0, 10)
    part = a.lock(gone, 0, 10)
    cluster.run("kill", "owner1")
    within(3, lambda: a.unlock(lock, 0, ALL))
    within(3, lambda: a.unlock(part, 5, 5))
    within(3, lambda: a.unlock(part, 0, 5))
    within(3, lambda: a.close_file(gone))
    cluster.run("start", "owner1")
    becomes(3, opens)  # A's open and the one of its lock, B's open
    lock_is("NFS4_OK", b, there, 0, ALL)
    b.close_file(there)
    a.close_file(here)
    becomes(0, opens)


def stopped_and_continued():
    """The same process: nothing is forgotten, and what is given back meanwhile is in the end."""
    here, there = opened_by(a, b"stopped"), opened_by(b, b"stopped")
    lock = a.lock(here, 0, 100)
    cluster.run("stop", "owner1")
    time.sleep(7)
    within(3, lambda: a.unlock(lock, 0, 50))
    cluster.run("cont", "owner1")
    lock_is("NFS4_OK", b, there, 0, 50)
    lock_is("NFS4ERR_DENIED", b, there, 50, 1)
    expect(STATUS, write_reply(a, here.handle, lock.stateid).status, "NFS4_OK")
    a.unlock(lock, 0, ALL)
    a.close_file(here)
    b.close_file(there)
    becomes(0, opens)


def given_back_unnoticed():
    """To an owner that was stopped a moment ago, so that it is still taken for well. An unlock waits a little for its answer,
    a CLOSE doesn't, not even where as many wait as may."""
    a41 = patience[0].client("v41")
    opened = [opened_by(a, b"unnoticed-%d" % number) for number in range(6)]
    opened41 = [a41.open_file(b"unnoticed41-%d" % number, directory=a41.home, how=create(attrs=Record(mode=0o666)),
                              access=BOTH_ACCESS) for number in range(6)]
    lock, lock41 = a.lock(opened[0], 0, 100), a41.lock(opened41[0], 0, 100)
    waiting = [patience[0].client("v3") for _ in range(HANGING)]
    threads = [threading.Thread(target=one.create, args=(one.home, b"hangs-%d" % number), daemon=True)
               for number, one in enumerate(waiting)]
    before = opens()
    cluster.run("stop", "owner1")
    for one, one41 in zip(opened[1:4], opened41[1:4]):
        within(2, lambda: a.close_file(one))
        within(2, lambda: a41.close_file(one41))
    within(3, lambda: a.unlock(lock, 0, ALL))
    for thread in threads:
        thread.start()
    within(3, lambda: a41.unlock(opened41[0].handle, lock41, 0, ALL))
    for one, one41 in zip(opened[4:] + opened[:1], opened41[4:] + opened41[:1]):
        within(2, lambda: a.close_file(one))
        within(2, lambda: a41.close_file(one41))
    equal("operations that hang", sum(thread.is_alive() for thread in threads), HANGING)
    cluster.run("cont", "owner1")
    for thread in threads:
        thread.join(CALM_SECONDS)
    equal("operations that hang in the end", sum(thread.is_alive() for thread in threads), 0)
    becomes(before - len(opened) - len(opened41) - 2, opens)  # the locks have opens of their own
    there = opened_by(b, b"unnoticed-0")
    lock_is("NFS4_OK", b, there, 0, ALL)
    b.close_file(there)
    a41.close()


def lost_to_another():
    here, there = opened_by(a, b"lost"), opened_by(b, b"lost")
    lock = a.lock(here, 0, 10)
    cluster.run("stop", "poc1")
    restart()
    deadline = time.monotonic() + CALM_SECONDS
    while status(reply := b.lock_reply(there, 0, 10, owner=b"takes %d" % next(numbers))) != "NFS4_OK":
        if time.monotonic() > deadline:
            sys.exit(f"the lock is still {status(reply)}")
        time.sleep(0.2)
    cluster.run("cont", "poc1")
    eventually(lambda: write_reply(a, here.handle, lock.stateid), "NFS4ERR_IO")
    expect(STATUS, a.lock_more_reply(lock, 20, 1).status, "NFS4ERR_IO")
    a.unlock(lock, 0, ALL)
    expect(STATUS, write_reply(a, here.handle, lock.stateid).status, "NFS4_OK")
    lock_is("NFS4ERR_DENIED", a, here, 0, 10)


def removed_while_open():
    here = opened_by(a, b"removed")
    a3.remove(a3.home, b"removed")
    restart()
    eventually(lambda: write_reply(a, here.handle, here.stateid), "NFS4ERR_STALE")
    a.close_reply(here)


def unstable_over_v3():
    kept, lost = (a3.create(a3.home, name).handle for name in (b"kept-data", b"lost-data"))
    equal("what was done", a3.write(kept, 0, b"x" * 4096, stable=UNSTABLE).committed, UNSTABLE)
    a3.write(lost, 0, b"x" * 4096, stable=UNSTABLE)
    a3.commit(kept)
    cluster.run("kill", "owner1")
    with open(os.path.join(os.environ["CLUSTER_DIR"], "owner1", "state", "writeback-errors"), "w", encoding="ascii") as file:
        file.write("4711\n")
    cluster.run("start", "owner1")
    a3.commit(kept)
    a3.commit(lost, want="IO")
    a3.write(lost, 0, b"x" * 4096, stable=UNSTABLE)
    a3.commit(lost)


def a_thousand_opens():
    """Made again one after the other; how long that took is said."""
    handles = [opened_by(a, b"many-%d" % number) for number in range(1000)]
    before = opens()
    restart()
    expect(STATUS, write_reply(a, handles[-1].handle, handles[-1].stateid).status, "NFS4_OK")
    becomes(before, opens)
    with open(os.path.join(os.environ["CLUSTER_DIR"], "logs", "poc1.ganesha.log"), encoding="utf-8") as file:
        took = [line for line in file if "are made again; it took" in line][-1].split()
    say(f"they took {took[-2]} ms")
    for opened in handles:
        a.close_file(opened)


for test in (locks_are_kept, given_back_while_away, given_back_unnoticed, stopped_and_continued, removed_while_open, lost_to_another,
             unstable_over_v3, a_thousand_opens):
    say(test.__name__.replace("_", " "))
    test()
