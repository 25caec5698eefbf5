# SPDX-License-Identifier: LGPL-3.0-or-later
# faults.py -- what goes away, when and for how long, as a seed says
import random
import threading
import time

from patient import Cluster

KINDS = ("kill", "stop", "cut")
LOCAL_KINDS = ("kill", "stop")  # through sockets on one node
LONG_PERCENT = 20  # longer than sessions outlive silence


class Fault:
    """One per seed: a daemon is killed and started again, or stopped and continued, or a point of contact and the owner
    don't reach each other."""

    def __init__(self, seed, addresses, kinds):
        """addresses: of each node; kinds: some of KINDS."""
        chance = random.Random(f"fault {seed}")
        self.addresses, self.cluster = addresses, Cluster(True)
        self.kind = chance.choice(kinds)
        pocs = sorted(node for node in addresses if node.startswith("poc"))
        self.node = chance.choice(pocs) if self.kind == "cut" else chance.choice(sorted(addresses))
        self.after = chance.uniform(0.05, 0.6)
        long = self.kind != "kill" and chance.randrange(100) < LONG_PERCENT
        self.seconds = chance.uniform(6, 8) if long else chance.uniform(0.1, 1.5)
        self.thread = threading.Thread(target=self.run)
        self.problem = None

    def __str__(self):
        return f"{self.kind} {self.node} after {self.after:.2f} s for {self.seconds:.2f} s"

    def run(self):
        try:
            time.sleep(self.after)
            self.act("kill", "stop", "add")
            time.sleep(self.seconds)
            self.act("start", "cont", "del")
        except Exception as problem:  # noqa: B902  told by end()
            self.problem = problem

    def act(self, kill, stop, route):
        """What is to be done for each kind."""
        if self.kind == "cut":
            for here, there in ((self.node, "owner1"), ("owner1", self.node)):
                self.cluster.run("exec", here, "--", "ip", "route", route, "blackhole", self.addresses[there])
        else:
            self.cluster.run(kill if self.kind == "kill" else stop, self.node)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, problem, trace):
        self.thread.join()
        if self.problem and not problem:
            raise self.problem
