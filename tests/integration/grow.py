# SPDX-License-Identifier: LGPL-3.0-or-later
# grow.py -- the part of tests/integration/grow that runs on the client's node
import argparse
import collections
import os
import pathlib
import random
import statistics
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "fault"))
from clients import Failed, Lasting, RETRY_SECONDS  # noqa: E402
from patient import Cluster  # noqa: E402
from nfs4 import PUTFH, REMOVE, create  # noqa: E402
from xdr import Record  # noqa: E402

VERSIONS = ("v3", "v40", "v41")
AGAIN = {"DELAY", "GRACE", "NFS4ERR_DELAY", "NFS4ERR_GRACE"}
AGAIN_SECONDS = 60
PAUSE_SECONDS = 0.01  # between a client's files: the load is light
WINDOW_SECONDS = 20  # at most, over which the median is taken
TABLE_ROWS = 12
COUNTS = ("descriptors", "threads")
SPARE = 2  # of these, beyond the percentage, for what is under way when it is counted


def lasting(act):
    """act() until it isn't put off any more."""
    deadline = time.monotonic() + AGAIN_SECONDS
    while True:
        try:
            return act()
        except Failed as problem:
            if problem.status not in AGAIN or time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)


class Load(threading.Thread):
    """One client. It makes a file, opens, writes and locks it, and gives all of that up again."""

    def __init__(self, patience, version, number):
        super().__init__(daemon=True)
        self.version, self.file, self.number = version, f"grow-{number}".encode(), number
        self.env = patience.client(version).env
        self.stop, self.rounds, self.failed, self.broken, self.clients = threading.Event(), 0, collections.Counter(), None, 0

    def round_v3(self):
        handle = self.env.create(self.env.home, self.file).handle
        self.env.write(handle, 0, bytes(4096))
        self.env.read(handle, 0, 4096)
        self.env.remove(self.env.home, self.file)

    def round_v4(self):
        how = create(attrs=Record(mode=0o644))
        opened = lasting(lambda: self.env.open_file(self.file, directory=self.env.home, how=how))
        lasting(lambda: self.env.write(opened.handle, bytes(4096), stateid=opened.stateid))
        lasting(lambda: self.env.read(opened.handle, 0, 4096, stateid=opened.stateid))
        lock = lasting(lambda: self.env.lock(opened, 0, 100))
        if self.version == "v40":
            lasting(lambda: self.env.unlock(lock, 0, 100))
        else:
            lasting(lambda: self.env.unlock(opened.handle, lock, 0, 100))
        lasting(lambda: self.env.close_file(opened))
        lasting(lambda: self.env.ok(PUTFH(self.env.home), REMOVE(self.file)))

    def another_client(self):
        """After a failure: what is still open belongs to a client that the server forgets."""
        self.env.clients.clear()
        self.clients += 1
        lasting(lambda: self.env.enter(f"grow-{self.number}-{self.clients}"))

    def run(self):
        try:
            while not self.stop.is_set():
                try:
                    self.round_v3() if self.version == "v3" else self.round_v4()
                    self.rounds += 1
                except Failed as problem:
                    self.failed[problem.status or str(problem)] += 1
                    if self.version != "v3":
                        self.another_client()
                time.sleep(PAUSE_SECONDS)
        except Exception as problem:  # noqa: B902  a thread has nobody else who would see it
            self.broken = f"{self.file.decode()} of {self.version}: {type(problem).__name__}: {problem}"


class Breaker(threading.Thread):
    """Cuts the owners' connections in turns, and kills the first one now and then."""

    def __init__(self, cut, kill):
        super().__init__(daemon=True)
        self.cut, self.kill, self.stop, self.broken = cut, kill, threading.Event(), None
        self.cuts = self.kills = 0

    def run(self):
        killed = time.monotonic()
        try:
            while not self.stop.wait(self.cut):
                if time.monotonic() > killed + self.kill:
                    Cluster.run("kill", "owner1", "--process")
                    time.sleep(random.random())
                    Cluster.run("start", "owner1")
                    killed, self.kills = time.monotonic(), self.kills + 1
                Cluster.run("cut", f"owner{self.cuts % 2 + 1}")
                self.cuts += 1
        except Exception as problem:  # noqa: B902  as above
            self.broken = f"{type(problem).__name__}: {problem}"


def sample(pid):
    """KiB and numbers."""
    proc, told = pathlib.Path("/proc") / pid, {}
    for file, names in (("status", {"VmRSS": "RSS", "Threads": "threads"}), ("smaps_rollup", {"Anonymous": "anonymous"})):
        for line in (proc / file).read_text().splitlines():
            name, _, value = line.partition(":")
            if name in names:
                told[names[name]] = int(value.split()[0])
    told["descriptors"] = len(os.listdir(proc / "fd"))
    return told


def watch(processes, seconds, threads):
    """Each second's samples, by process; ends early when a thread is broken."""
    samples, began = {name: [] for name in processes}, time.monotonic()
    while (now := time.monotonic() - began) < seconds and not any(one.broken for one in threads):
        for name, pid in processes.items():
            samples[name].append({"second": now, **sample(pid)})
        time.sleep(1 - (time.monotonic() - began) % 1)
    return samples


def typical(samples, until, name):
    """A count's leak shows in the least; memory is a median."""
    window = min(WINDOW_SECONDS, until / 2)
    values = [one[name] for one in samples if until - window <= one["second"] <= until]
    return min(values) if name in COUNTS else statistics.median(values)


def table(name, samples):
    print(f"   {name:<8} {'second':>7} {'RSS KiB':>9} {'anonymous':>9} {'descriptors':>11} {'threads':>7}")
    step = max(1, len(samples) // TABLE_ROWS)
    for one in samples[::step] + samples[-1:]:
        print(f"   {'':<8} {one['second']:7.0f} {one['RSS']:9} {one['anonymous']:9} {one['descriptors']:11} {one['threads']:7}")


def judge(name, samples, args):
    """What has grown. Anonymous memory is a part of RSS, shown to tell heaps and stacks from mapped files."""
    grown = []
    for what in ("RSS", *COUNTS):
        first, last = (typical(samples, until, what) for until in (args.first, args.seconds))
        print(f"   {name:<8} {what:<11} {first:9.0f} after {args.first:.0f} s, {last:9.0f} after {args.seconds:.0f} s: "
              f"{100 * (last / first - 1):+.2f} %")
        limit = first * (1 + args.percent / 100) + (SPARE if what in COUNTS else 0)
        if last > limit:
            grown.append(f"{what} of {name} has grown from {first:.0f} to {last:.0f}")
    return grown


def parse():
    parser = argparse.ArgumentParser(description="The part of tests/integration/grow that runs on the client's node.")
    parser.add_argument("server")
    parser.add_argument("nfs_port")
    parser.add_argument("mount_port")
    parser.add_argument("exports", help="with commas between")
    parser.add_argument("--versions", required=True, metavar="VERSION,...", help=f"of {', '.join(VERSIONS)}")
    parser.add_argument("--processes", required=True, metavar="NAME=PID,...")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--from", dest="first", type=float, required=True)
    parser.add_argument("--percent", type=float, required=True)
    parser.add_argument("--cut", type=float, required=True)
    parser.add_argument("--kill", type=float, required=True)
    return parser.parse_args()


def main():
    args = parse()
    processes = dict(one.split("=") for one in args.processes.split(","))
    loads = []
    for export in args.exports.split(","):
        patience = Lasting(args.server, args.nfs_port, args.mount_port, export)
        patience.target.name += export.strip("/")
        loads += [Load(patience, version, len(loads) + i) for i, version in enumerate(args.versions.split(","))]
    breaker = Breaker(args.cut, args.kill)
    for thread in (*loads, breaker):
        thread.start()
    samples = watch(processes, args.seconds, [*loads, breaker])
    for thread in (breaker, *loads):
        thread.stop.set()
        thread.join(AGAIN_SECONDS)
    rounds, failed = [one.rounds for one in loads], sum((one.failed for one in loads), collections.Counter())
    print(f"   {breaker.cuts} cuts, {breaker.kills} kills; files by client {rounds}; failures {dict(failed)}")
    problems = [one.broken for one in (*loads, breaker) if one.broken]
    problems += [f"{one.name} doesn't end" for one in (*loads, breaker) if one.is_alive()]
    problems += [] if min(rounds) and breaker.cuts else ["a client hasn't done anything, or nothing was cut"]
    for name, one in samples.items():
        table(name, one)
        problems += judge(name, one, args) if not problems else []
    for problem in problems:
        print(f"   FAILED: {problem}", flush=True)
    sys.exit(1 if problems else 0)


main()
