# SPDX-License-Identifier: LGPL-3.0-or-later
# checker.py -- whether a history of what clients did while daemons were killed is one that NFS allows
"""check(history) returns the violations. A history is a list of records, which a program can write as JSON:

    {"op": "event", "what": WHAT, "begin": T, "end": T}    from before a daemon was hit until it served again
    {"op": "write", "file": F, "block": B, "seq": N, "stable": bool, "committed": bool, "verf": V, ...}
    {"op": "commit", "file": F, "verf": V, ...}
    {"op": "read", "file": F, "blocks": {B: N; None: the content isn't any write's}, ...}
    {"op": "mkdir" or "rmdir" or "lookup", "name": NAME, ...}    {"op": "rename", "name": FROM, "to": TO, ...}

Each but events has `begin` (first sent), `end` (answered) and `status` ("OK", "IO", "EXIST", ...); a call that was sent
again, or asked again after DELAY, is one record. `stable`: asked for it; `committed`: the answer says that it is; `verf`:
the answer's write verifier. A file and a name are changed by one client, one call after the other; numbers of writes grow.

The rules are those of the functions below; what is excused is in EXCUSES, and nowhere else."""

import bisect
import math

PROCESS, KERNEL, POC, SHUTDOWN, CUT, STOP, LINK = "process", "kernel", "poc", "shutdown", "cut", "stop", "link"
# process: the owner's, its page cache survives. kernel: the owner's, what wasn't synced may be lost. poc: Ganesha is
# killed. shutdown: Ganesha ends by SIGTERM. cut: the connections to the owner break.

CHANGING = {"write", "mkdir", "rmdir", "rename"}

# (statuses, operations, events): such an answer is excused when the operation was under way during such an event.
EXCUSES = [
    # Ganesha answers what it can't settle before it ends.
    ({"IO"}, CHANGING, {SHUTDOWN}),
    # What was done before a reply cache died with its process (the owner's, or Ganesha's own) is asked again.
    ({"EXIST"}, {"mkdir"}, {PROCESS, KERNEL, POC, SHUTDOWN}),
    ({"NOENT"}, {"rmdir", "rename"}, {PROCESS, KERNEL, POC, SHUTDOWN}),
]


class Events:
    """What hit the daemons, and when: one after the other."""

    def __init__(self, history):
        self.times = {}
        for record in sorted((one for one in history if one["op"] == "event"), key=lambda one: one["begin"]):
            self.times.setdefault(record["what"], []).append((record["begin"], record["end"]))

    def hit(self, begin, end, what):
        """Whether one of these events took place, at least in part, between two times."""
        for kind in what:
            times = self.times.get(kind, [])
            before = bisect.bisect_right(times, (end, math.inf))
            if before and times[before - 1][1] >= begin:
                return True
        return False

    def excused(self, record):
        return any(record["status"] in statuses and record["op"] in operations
                   and self.hit(record["begin"], record["end"], what) for statuses, operations, what in EXCUSES)


class Block:
    """What is known of one block of a file."""

    def __init__(self):
        self.issued = 0  # the newest number that was ever sent
        self.durable = -1  # the newest that is on disk, whatever happens
        self.volatile = []  # (number, since, verifier): there, as long as the kernel that has it lives
        self.unknown = set()  # numbers that may come at any time, or never
        self.seen = (-1, 0.0)  # what was read last, and since when it was there

    def write(self, record):
        self.issued = max(self.issued, record["seq"])
        if record["status"] != "OK":
            self.unknown.add(record["seq"])
            return
        if record["committed"]:
            self.durable = max(self.durable, record["seq"])
        else:
            self.volatile.append((record["seq"], record["begin"], record["verf"]))

    def commit(self, verf):
        self.durable = max([self.durable, *(seq for seq, _since, under in self.volatile if under == verf)])
        self.volatile = [entry for entry in self.volatile if entry[0] > self.durable]

    def read(self, seq, record, events):
        """What is wrong with having read a number; None: nothing."""
        if seq is None and self.unknown:
            return None  # one of them was just being carried out
        if seq is None:
            return "has a content that nobody wrote"
        if seq > self.issued:
            return f"is {seq}, which nobody has written yet"
        lasting = [kept for kept, since in (self.seen, *(entry[:2] for entry in self.volatile))
                   if not events.hit(since, record["end"], {KERNEL})]
        there = max([-1, *lasting])
        self.seen = (seq, record["begin"])
        if seq in self.unknown:
            return None
        if seq < self.durable:
            return f"is {seq}, but {self.durable} was acknowledged as stable"
        if seq < there:
            return f"is {seq}, but {there} was there and no kernel has gone down since"
        return None


class File:
    """Rules of data: what was acknowledged stable is never lost; what was acknowledged isn't lost while the owner's kernel
    lives, nor ever when a COMMIT has told the same verifier; and nothing older comes back."""

    def __init__(self):
        self.blocks = {}

    def block(self, number):
        return self.blocks.setdefault(int(number), Block())

    def follow(self, record, events):
        """Yields what is wrong."""
        if record["op"] == "write":
            self.block(record["block"]).write(record)
            if record["status"] == "OK" and record["stable"] and not record["committed"]:
                yield "is answered without being stable, as was asked"
        elif record["status"] != "OK":
            return
        elif record["op"] == "commit":
            for block in self.blocks.values():
                block.commit(record["verf"])
        else:
            for number, seq in record["blocks"].items():
                wrong = self.block(number).read(seq, record, events)
                if wrong:
                    yield f"block {number} {wrong}"


class Names:
    """Rules of names: each operation is carried out once. .there: name: True, False, or None: it may come and go."""

    WAS = {("mkdir", "OK"): False, ("mkdir", "EXIST"): True, ("lookup", "OK"): True, ("lookup", "NOENT"): False,
           ("rmdir", "OK"): True, ("rmdir", "NOENT"): False, ("rename", "OK"): True, ("rename", "NOENT"): False}

    def __init__(self):
        self.there = {}

    def follow(self, record, events):
        """Yields what is wrong."""
        name, to = record["name"], record.get("to", record["name"])
        there = self.there.get(name, False)
        answer = record["op"], record["status"]
        if None in (there, self.there.get(to, False)) or answer not in self.WAS:
            self.there[name] = self.there[to] = None
            return
        if there != self.WAS[answer] and not events.excused(record):
            yield f"is answered {record['status']}, but it was {'' if there else 'not '}there"
        if record["op"] == "rename":  # NOENT: it was carried out before
            self.there[name], self.there[to] = False, there
        else:
            self.there[name] = record["op"] == "mkdir" or answer == ("lookup", "OK")


def describe(record):
    """One line."""
    where = record.get("name") or record.get("what") or f"file {record['file']}"
    told = " ".join(f"{key}={record[key]}" for key in ("to", "block", "seq", "committed", "verf") if key in record)
    status = record.get("status", "")
    return f"{record['begin']:.3f} to {record['end']:.3f} {record['op']} {where} {told} {status}".replace("  ", " ")


def context(history, record, seconds=3.0):
    """The events before a record, and what was done to the same blocks or name."""
    subject = record.get("file"), record.get("name")
    near = [one for one in history if one["end"] > record["begin"] - seconds and one["begin"] <= record["begin"]
            and (one["op"] == "event" or (one.get("file"), one.get("name")) == subject
                 or record.get("name") and one.get("to") == record["name"])]
    return sorted(near, key=lambda one: one["begin"])


def check(history):
    """The violations of a history: (record, what is wrong) each; none: it is allowed."""
    events, files, names, violations = Events(history), {}, Names(), []
    for record in sorted((record for record in history if record["op"] != "event"), key=lambda one: one["begin"]):
        rules = names if "name" in record else files.setdefault(record["file"], File())
        known = {"OK", "EXIST", "NOENT"} if rules is names else {"OK"}
        if record["status"] not in known and not events.excused(record):
            violations.append((record, f"is answered {record['status']}"))
        violations += [(record, wrong) for wrong in rules.follow(record, events)]
    return violations
