# SPDX-License-Identifier: LGPL-3.0-or-later
# kills.py -- clients write while daemons are killed; then the checker looks at all that they saw (tests/fault/kills)
import argparse
import collections
import json
import os
import random
import struct
import subprocess
import sys
import threading
import time
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clients import Failed, Lasting, TESTS  # noqa: E402
from checker import CUT, KERNEL, LINK, POC, PROCESS, SHUTDOWN, STOP, check, context, describe  # noqa: E402

VERSIONS = ("v3", "v40", "v41")
BLOCKS, BLOCK_BYTES = 16, 4096
NAMES = 4  # directories of a client
COMMITS = 3  # in a row; a server may say for some time that it has lost everything
PROGRESS_SECONDS = 30
SILENT_SECONDS = (0.5, 4, 8)  # one that is noticed after five
AT_ONCE = 0.2  # how often it happens while clients and daemons are still about the last one, within so many seconds
MOST_SHOWN = 20

# How one of them is done: tests/cluster's commands, with what is started again.
HITS = {
    PROCESS: (["kill", "owner1", "--process"], ["start", "owner1"]),
    KERNEL: (["kill", "owner1"], ["start", "owner1"]),
    POC: (["kill", "poc1"], ["start", "poc1", "--alone"]),
    SHUTDOWN: (["term", "poc1"], ["start", "poc1", "--alone"]),
    CUT: (["cut", "owner1"], None),
    STOP: (["stop", "owner1"], ["cont", "owner1"]),
    LINK: (["exec", "hub", "--", "ip", "link", "set", "owner1", "down"],
           ["exec", "hub", "--", "ip", "link", "set", "owner1", "up"]),
}


# --- blocks ------------------------------------------------------------------------------------------


def block_of(file, number, seq):
    """A block says whose it is, and nothing else."""
    head = struct.pack(">4sIIQ", b"kill", file, number, seq)
    body = (head * (BLOCK_BYTES // len(head) + 1))[:BLOCK_BYTES - 4]
    return body + struct.pack(">I", zlib.crc32(body))


def seq_of(data, file, number):
    """The write that a block comes from; None: it is none of this block's."""
    if len(data) != BLOCK_BYTES or zlib.crc32(data[:-4]) != struct.unpack(">I", data[-4:])[0]:
        return None
    mark, its_file, its_number, seq = struct.unpack(">4sIIQ", data[:20])
    return seq if (mark, its_file, its_number) == (b"kill", file, number) else None


# --- what clients do ---------------------------------------------------------------------------------


class Shared:
    """What all threads share."""

    def __init__(self):
        self.history = []
        self.stop = threading.Event()
        self.hits = 0  # how often daemons were hit
        self.settled = 0  # blocks that a COMMIT has made durable
        self.broken = []  # what ended a thread

    def add(self, record):
        self.history.append(record)


class Writer(threading.Thread):
    """One client: its file, its names, one call after the other."""

    def __init__(self, shared, lasting, version, number, seed):
        super().__init__(name=f"{version}-{number}", daemon=True)
        self.shared, self.number, self.version = shared, number, version
        self.random = random.Random(f"{seed}-{number}")
        self.client = lasting.client(version)
        self.seq = 0
        self.unsynced = {}  # block: (number, verifier) of what a COMMIT has to settle
        self.names, self.made = [], 0  # that are there; how many were ever made

    def call(self, op, act, **fields):
        """Makes one call; its record, which isn't complete yet, and its answer, or None when it failed."""
        record, got = {"op": op, "client": self.name, "begin": time.monotonic(), "status": "OK", **fields}, None
        try:
            got = act()
        except Failed as problem:
            record["status"] = problem.status or str(problem)
        record["end"] = time.monotonic()
        return record, got

    def done(self, record):
        self.shared.add(record)

    def write(self, number, stable, seq=None):
        """seq: of what is sent again, because it may be lost."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        data = block_of(self.number, number, seq)
        record, got = self.call("write", lambda: self.client.write(number * BLOCK_BYTES, data, stable),
                                  file=self.number, block=number, seq=seq, stable=stable)
        committed, verf = got or (False, b"")
        self.done({**record, "committed": committed, "verf": verf.hex()})
        self.unsynced.pop(number, None)  # also when it failed: nobody sends again what was there before
        if got and not committed:
            self.unsynced[number] = seq, verf

    def commit(self):
        """What another verifier answers for is written again, and committed again, but not for ever."""
        for _round in range(COMMITS):
            if not self.unsynced:
                return
            record, verf = self.call("commit", self.client.commit, file=self.number)
            self.done({**record, "verf": (verf or b"").hex()})
            if verf is None:
                return
            lost = {number: seq for number, (seq, under) in self.unsynced.items() if under != verf}
            self.shared.settled += len(self.unsynced) - len(lost)
            self.unsynced = {}
            for number, seq in lost.items():
                self.write(number, False, seq)

    def read(self):
        record, data = self.call("read", lambda: self.client.read(0, BLOCKS * BLOCK_BYTES), file=self.number)
        blocks = {number: seq_of(data[number * BLOCK_BYTES:(number + 1) * BLOCK_BYTES], self.number, number)
                  for number in range(BLOCKS)} if data is not None else {}
        self.done({**record, "blocks": blocks})

    def fresh_name(self):
        """A name is never used again, so that what is carried out late can't be mistaken for anything else."""
        self.made += 1
        return f"{self.name}-{self.made}"

    def change_name(self):
        name = self.random.choice(self.names) if len(self.names) == NAMES else self.fresh_name()
        if name not in self.names:
            record, _got = self.call("mkdir", lambda: self.client.mkdir(name.encode()), name=name)
            self.names += [name] if record["status"] in ("OK", "EXIST") else []
        elif self.random.random() < 0.5:
            to = self.fresh_name()
            record, _got = self.call("rename", lambda: self.client.rename(name.encode(), to.encode()), name=name, to=to)
            self.names.remove(name)
            self.names += [to] if record["status"] in ("OK", "NOENT") else []
        else:
            record, _got = self.call("rmdir", lambda: self.client.rmdir(name.encode()), name=name)
            self.names.remove(name)
        self.done(record)

    def look_up(self, name):
        record, _got = self.call("lookup", lambda: self.client.lookup(name.encode()), name=name)
        self.done(record)

    def act(self):
        dice = self.random.random()
        if dice < 0.80:
            self.write(self.random.randrange(BLOCKS), stable=dice > 0.65)
        elif dice < 0.88:
            self.commit()
        elif dice < 0.93:
            self.read()
        else:
            self.change_name()

    def run(self):
        try:
            self.client.open(f"file-{self.number}".encode())
            for number in range(BLOCKS):
                self.write(number, stable=True)
            hits = 0
            while not self.shared.stop.is_set():
                if hits != self.shared.hits:
                    hits = self.shared.hits
                    self.read()
                self.act()
            self.commit()
            self.read()
            for number in range(1, self.made + 1):
                self.look_up(f"{self.name}-{number}")
        except Exception as problem:  # noqa: B902  a thread has nobody else who would see it
            self.shared.broken.append(f"{self.name}: {type(problem).__name__}: {problem}")
            raise


# --- what is done to daemons -------------------------------------------------------------------------


def cluster(*words):
    command = [os.path.join(TESTS, "cluster"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise Failed(f"tests/cluster {' '.join(words)}: {done.stderr.strip()}")


class Killer:
    """Hits daemons while clients write."""

    def __init__(self, shared, what, seed):
        self.shared, self.what, self.random = shared, what, random.Random(seed)
        self.counts = collections.Counter()
        self.epoch = int(time.time())  # Ganesha's: its clients and sessions are named after it

    def wait_for_progress(self, records):
        """Until clients have been served again, so that the next hit finds them writing."""
        deadline, wanted = time.monotonic() + PROGRESS_SECONDS, len(self.shared.history) + records
        while len(self.shared.history) < wanted:
            if self.shared.broken:
                return
            if time.monotonic() > deadline:
                raise Failed(f"clients haven't come on for {PROGRESS_SECONDS} s")
            time.sleep(0.005)

    def another_epoch(self, what):
        """Ganesha counts them in seconds, and takes an old one's session for its own if it has begun in the same one."""
        while what in (POC, SHUTDOWN) and int(time.time()) <= self.epoch:
            time.sleep(0.01)
        self.epoch = int(time.time()) if what in (POC, SHUTDOWN) else self.epoch

    def hit(self):
        what = self.random.choice(self.what)
        down, again = HITS[what]
        begin = time.monotonic()
        cluster(*down)
        if again:
            if what in (STOP, LINK):
                time.sleep(self.random.choice(SILENT_SECONDS))
            else:
                time.sleep(self.random.choice((0, 0, 0.3)) * self.random.random())
            self.another_epoch(what)
            cluster(*again)
        self.shared.add({"op": "event", "what": what, "begin": begin, "end": time.monotonic()})
        self.shared.hits += 1
        self.counts[what] += 1

    def work(self, kills, seconds):
        deadline = time.monotonic() + seconds
        while sum(self.counts.values()) < kills and time.monotonic() < deadline and not self.shared.broken:
            if self.random.random() < AT_ONCE:
                time.sleep(self.random.random() * AT_ONCE)
            else:
                self.wait_for_progress(self.random.randrange(50, 150))
            self.hit()
        self.wait_for_progress(20)


def report(shared, killer, lasting, began, path):
    violations = check(shared.history)
    operations = collections.Counter(record["op"] for record in shared.history)
    operations.pop("event", None)
    errors = collections.Counter(record["status"] for record in shared.history if record["op"] != "event")
    seconds = time.monotonic() - began
    print(f"   {sum(killer.counts.values())} hits in {seconds:.0f} s ({dict(killer.counts)}), {dict(operations)}")
    print(f"   answers: {dict(errors)}; {shared.settled} blocks made durable by COMMIT")
    print(f"   asked again because of DELAY: {lasting.delays()}")
    for record, wrong in violations[:MOST_SHOWN]:
        print(f"   VIOLATION: {describe(record)}: {wrong}")
    if len(violations) > MOST_SHOWN:
        print(f"   and {len(violations) - MOST_SHOWN} more")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(shared.history, file)
    if violations:
        print("   what led to the first one:")
        for one in context(shared.history, violations[0][0])[-MOST_SHOWN:]:
            print(f"      {describe(one)}")
    print(f"   {len(violations)} violations", flush=True)
    return violations


def main():
    parser = argparse.ArgumentParser(description="The part of tests/fault/kills that runs on the client's node.")
    parser.add_argument("server")
    parser.add_argument("nfs_port")
    parser.add_argument("mount_port")
    parser.add_argument("export")
    parser.add_argument("--history", required=True, metavar="FILE", help="where it is written")
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--clients", type=int, required=True, help="of each version")
    parser.add_argument("--what", required=True, help="what is hit, with commas between")
    parser.add_argument("--plain", action="store_true", help="owners have no kernel of their own")
    args = parser.parse_args()
    if args.plain:
        HITS[PROCESS] = (["kill", "owner1"], HITS[PROCESS][1])
    lasting, shared = Lasting(args.server, args.nfs_port, args.mount_port, args.export), Shared()
    writers = [Writer(shared, lasting, version, number * len(VERSIONS) + i, args.seed)
               for number in range(args.clients) for i, version in enumerate(VERSIONS)]
    killer = Killer(shared, args.what.split(","), args.seed)
    began = time.monotonic()
    for writer in writers:
        writer.start()
    try:
        killer.work(args.kills, args.seconds)
    except Failed as problem:
        shared.broken.append(str(problem))
    shared.stop.set()
    for writer in writers:
        writer.join(2 * PROGRESS_SECONDS)
    stuck = [writer.name for writer in writers if writer.is_alive()]
    violations = report(shared, killer, lasting, began, args.history)
    for problem in shared.broken + [f"{name} doesn't end" for name in stuck]:
        print(f"   FAILED: {problem}")
    sys.exit(1 if violations else 2 if shared.broken or stuck else 0)


main()
