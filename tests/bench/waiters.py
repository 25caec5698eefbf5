# SPDX-License-Identifier: LGPL-3.0-or-later
# waiters.py -- NFS clients that each wait for one operation of a server that doesn't answer (tests/bench/hang)
"""waiters.py SERVER NFS-PORT MOUNT-PORT EXPORT VERSION COUNT: COUNT clients with a connection each, a quarter of them for
READ, WRITE, CREATE and LOOKUP each. It prints a line of JSON when they are ready, and for each line that it reads:

    go     each client begins one operation, and repeats it as long as it is answered DELAY
    tell   says how many operations haven't ended, how many of these were put off by DELAY, and how often that was
    wait   the same, when all have ended"""

import collections
import itertools
import json
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "fault"))
from clients import Failed, Lasting  # noqa: E402
import patient  # noqa: E402

KINDS = ("READ", "WRITE", "CREATE", "LOOKUP")
BYTES = 65536
# What a kernel's client of v4 waits before it asks the first time again; later it waits longer, and for v3 5 s.
patient.PAUSE_SECONDS = 0.1


class Waiter:
    """One client. Its thread alone changes what it counts."""

    def __init__(self, lasting, version, number):
        self.kind, self.version, self.number = KINDS[number % len(KINDS)], version, number
        self.client = lasting.client(version)
        self.client.env.count = self.delayed
        self.client.open(f"waiter-{number}".encode())
        self.client.write(0, bytes(BYTES), True)
        self.names, self.delays, self.thread, self.problem = itertools.count(), 0, None, None

    def delayed(self):
        self.delays += 1

    def fresh_name(self):
        return f"waiter-{self.number}-{next(self.names)}".encode()

    def look_up_nothing(self):
        """What is there might be known to the point of contact."""
        try:
            self.client.lookup(self.fresh_name())
        except Failed as problem:
            if problem.status != "NOENT":
                raise

    def operation(self):
        if self.kind == "READ":
            self.client.read(0, BYTES)
        elif self.kind == "WRITE":
            self.client.write(0, bytes(BYTES), True)
        elif self.kind == "LOOKUP":
            self.look_up_nothing()
        else:
            name = self.fresh_name()
            if self.version == "v3":
                self.client.env.create(self.client.env.home, name)
            else:
                self.client.mkdir(name)

    def run(self):
        try:
            self.operation()
        except Exception as problem:  # noqa: B902  a thread has nobody else who would see it
            self.problem = f"{self.kind}: {type(problem).__name__}: {problem}"

    def go(self):
        self.delays, self.problem = 0, None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()


def state(waiters):
    waiting = [one for one in waiters if one.thread and one.thread.is_alive()]
    return {
        "waiting": len(waiting),
        "kinds": collections.Counter(one.kind for one in waiting),
        "put_off": sum(1 for one in waiting if one.delays),
        "delays": sum(one.delays for one in waiters),
        "problems": [one.problem for one in waiters if one.problem],
    }


def main():
    *where, version, count = sys.argv[1:]
    lasting = Lasting(*where)
    waiters = [Waiter(lasting, version, number) for number in range(int(count))]
    print(json.dumps(state(waiters)), flush=True)
    for line in sys.stdin:
        for one in waiters:
            if line == "go\n":
                one.go()
            elif line == "wait\n":
                one.thread.join()
        print(json.dumps(state(waiters)), flush=True)


main()
