# SPDX-License-Identifier: LGPL-3.0-or-later
# worker_share.py -- SERVER NFS-PORT MOUNT-PORT EXPORT EXPORT WORKERS: more clients than workers wait for the first one's owner
"""All of them ask for something that Ganesha's workers wait for: a quarter of these at most may, the others' clients are put
off. Clients of the second export must not notice, neither before the owner is found dead nor afterwards.

Each works in a directory of its own. In one directory they would wait for each other in Ganesha itself, whose cache keeps an
object's lock while its attributes are asked for; who waits there isn't counted."""
import sys
import threading
import time

from patient import Cluster, Patience  # first: it finds the modules below
from rpc import RpcError
from suite import Failed

server, nfs_port, mount_port, stopped, served, workers = sys.argv[1:]
HANGING = 3 * int(workers)
WATCH_SECONDS = 8  # the owner is found dead meanwhile
SLOWEST_SECONDS = 1.5  # without a share workers are free again after five seconds
END_SECONDS = 30
cluster = Cluster(True)


class Waiter(threading.Thread):
    """Creates a file, sooner or later."""

    def __init__(self, env, number):
        super().__init__(daemon=True)
        self.env, self.problem = env, None
        self.directory = env.mkdir(env.home, b"waits-%d" % number).handle

    def run(self):
        try:
            self.env.create(self.directory, b"file")
        except (Failed, RpcError) as problem:
            self.problem = str(problem)


def served_round(env, number):
    """Seconds that the slowest of some operations took."""
    slowest = 0
    for act in (lambda: env.create(env.home, b"served-%d" % number), lambda: env.lookup(env.home, b"served-%d" % number),
                lambda: env.remove(env.home, b"served-%d" % number)):
        begin = time.monotonic()
        try:
            act()
        except RpcError as problem:
            sys.exit(f"the other owner's clients are not served: {problem}")
        slowest = max(slowest, time.monotonic() - begin)
    return slowest


def main():
    patience = Patience(server, nfs_port, mount_port, stopped)
    waiters = [Waiter(patience.client("v3"), number) for number in range(HANGING)]
    env = Patience(server, nfs_port, mount_port, served).client("v3")
    served_round(env, 0)
    cluster.run("stop", "owner1")
    for one in waiters:
        one.start()
    begin, rounds, slowest = time.monotonic(), 0, 0
    while time.monotonic() < begin + WATCH_SECONDS:
        rounds += 1
        slowest = max(slowest, served_round(env, rounds))
    waiting = sum(one.is_alive() for one in waiters)
    put_off = patience.delays()["v3"]
    cluster.run("cont", "owner1")
    for one in waiters:
        one.join(END_SECONDS)
    print(f"   {waiting} waited, put off {put_off} times; {rounds} rounds elsewhere, the slowest operation took "
          f"{slowest * 1000:.0f} ms", flush=True)
    wrong = [one.problem or "still waits" for one in waiters if one.problem or one.is_alive()]
    if wrong:
        sys.exit(f"of those that waited {len(wrong)} failed: {wrong[0]}")
    if waiting != HANGING or put_off == 0:
        sys.exit(f"of {HANGING} {waiting} waited, put off {put_off} times")
    if slowest > SLOWEST_SECONDS:
        sys.exit("that is too slow")


main()
