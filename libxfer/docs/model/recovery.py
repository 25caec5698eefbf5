#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# recovery.py -- a model of what follows the restart of an owner's process: two points of contact, one object, one lock
"""recovery.py [RULE]: explores the model with all rules in force, then with each rule broken (or with one of them)

A and B are points of contact. A's client has a lock and writes once; B's client would like to have the lock, and
writes, too. The owner's process dies and is started again; connections break, or stay away for so long that the owner
gives up the session; A's process may die. The owner knows from a file which processes had sessions with its predecessor.

Exit status: 0 the rules hold, breaking any of them is found, and README.md's table says so; 1 not so."""

import sys
from collections import namedtuple

from explore import command, first_problem

RULES = {
    "grace": "after a restart only what its predecessor's sessions had under way is carried out, until all have recovered",
    "grace-end": "a session that hasn't recovered when the grace period ends is given up",
    "struck": "who hasn't come back by then is struck from the record before anybody changes anything",
    "recovered-last": "a session says RECOVERED after its locks are made again and what was under way is settled",
    "too-late": "what was under way isn't sent again to an owner that has given up the session",
    "expire-locks": "a lock that couldn't be made again is lost, and writes under it fail",
}

ACCIDENTS = 3

# Of a point of contact: alive; session: 0 none, else the owner's process it is with; up; recovered: it has said so, or need
# not; write: new, sent (unsettled while not up), executed (by a predecessor: unsettled, too), done, failed; lock: what its
# client believes.
Contact = namedtuple("Contact", "alive session up recovered write lock")
# holder: who has the lock at the owner; file: A's and B's writes in the order in which they were executed; record: who is in
# the file of sessions; awaited: who has to recover yet; grace: not over yet.
State = namedtuple("State", "a b process holder record awaited grace file acknowledged accidents")


def other(name):
    return "b" if name == "a" else "a"


class Recovery:
    def __init__(self, broken=None):
        self.broken = broken

    def keeps(self, rule):
        return rule != self.broken

    def initial(self):
        contact = Contact(alive=True, session=1, up=True, recovered=True, write="new", lock=False)
        return State(a=contact._replace(lock=True), b=contact, process=1, holder="a", record=frozenset("ab"),
                     awaited=frozenset(), grace=False, file=(), acknowledged=(), accidents=ACCIDENTS)

    def steps(self, s):
        for name in "ab":
            contact = getattr(s, name)
            if contact.alive:
                yield from self.client(s, name, contact)
            if contact.alive and s.process:
                yield from self.connection(s, name, contact)
        yield from self.accidents(s)

    def put(self, s, name, **changes):
        return s._replace(**{name: getattr(s, name)._replace(**changes)})

    # --- what a point of contact does for its client ---

    def admitted(self, s, name, contact):
        """Whether the owner carries out a change of this session now."""
        if not self.keeps("grace") or not s.grace:
            return True
        return name in s.awaited and not contact.recovered

    def client(self, s, name, contact):
        # Only who believes to have the lock writes.
        if contact.write == "new" and contact.up and contact.recovered and contact.lock:
            yield f"{name} sends its write", self.put(s, name, write="sent")
        if contact.write == "sent" and contact.up and contact.session == s.process and self.admitted(s, name, contact):
            executed = s._replace(file=s.file + (name,))
            yield f"{name}'s write is executed, and the answer is lost", self.lost(executed, name)
            yield f"{name}'s write is answered", self.acknowledge(executed, name)
        if contact.up and contact.recovered and not contact.lock and s.holder is None and self.admitted(s, name, contact):
            yield f"{name} gets the lock", self.put(s._replace(holder=name), name, lock=True)
        if contact.write in ("done", "failed") and contact.lock and contact.up and s.holder == name:
            yield f"{name} gives the lock back", self.put(s._replace(holder=None), name, lock=False)

    def lost(self, s, name):
        """The connection breaks before the answer; the reply cache of this session knows it."""
        return self.put(s, name, up=False, write="executed")

    def acknowledge(self, s, name):
        return self.put(s._replace(acknowledged=s.acknowledged + (name,)), name, write="done")

    # --- connections ---

    def connection(self, s, name, contact):
        if not contact.up and contact.session == s.process:
            after = self.put(s, name, up=True)
            yield f"{name} resumes", self.acknowledge(after, name) if contact.write == "executed" else after
        if not contact.up and contact.session != s.process:
            yield from self.new_session(s, name, contact)
        if contact.up and not contact.recovered:
            yield from self.recover(s, name, contact)

    def new_session(self, s, name, contact):
        after = s._replace(record=s.record | {name})
        if name in s.awaited and s.grace:
            # What was executed by the predecessor is sent again as well: nobody knows.
            write = "sent" if contact.write in ("sent", "executed") else contact.write
            yield f"{name} comes back in time", self.put(after, name, session=s.process, up=True, recovered=False, write=write)
            return
        write = contact.write
        if write in ("sent", "executed"):
            write = "failed" if self.keeps("too-late") else "sent"
        yield f"{name} comes back too late", self.relock(self.put(after, name, session=s.process, up=True, recovered=True, write=write), name)

    def relock(self, s, name):
        """Its lock is made again if it can be: not before those who have a right to theirs."""
        if not getattr(s, name).lock:
            return s
        if s.holder == name or (s.holder is None and self.admitted(s, name, getattr(s, name))):
            return s._replace(holder=name)
        return self.put(s, name, lock=False) if self.keeps("expire-locks") else s

    def recover(self, s, name, contact):
        settled = contact.write not in ("sent", "executed") and (not contact.lock or s.holder == name)
        if contact.lock and s.holder is None:
            yield f"{name} makes its lock again", s._replace(holder=name)
        if contact.lock and s.holder not in (None, name):
            yield f"{name}'s lock is somebody else's", self.put(s, name, lock=not self.keeps("expire-locks"), recovered=True)
        if settled or not self.keeps("recovered-last"):
            yield f"{name} says RECOVERED", self.settle(self.put(s, name, recovered=True), name)

    def settle(self, s, name):
        awaited = s.awaited - {name}
        return s._replace(awaited=awaited, grace=s.grace and bool(awaited))

    # --- what goes wrong ---

    def accidents(self, s):
        if s.grace:
            yield "the grace period is over", self.end_grace(s)
        if not s.process:
            yield "the owner's process starts", s._replace(
                process=1 + ACCIDENTS - s.accidents, awaited=s.record, grace=bool(s.record))
        if not s.accidents:
            return
        s = s._replace(accidents=s.accidents - 1)
        if s.process:
            yield "the owner's process dies", s._replace(
                process=0, holder=None, a=s.a._replace(up=False), b=s.b._replace(up=False))
            for name in "ab":
                if getattr(s, name).session == s.process and getattr(s, name).alive:
                    yield f"{name}'s connection breaks", self.put(s, name, up=False)
                    yield f"{name} is away for too long", self.expired(s, name)
        if s.a.alive:
            yield "a's process dies", self.expired(s, "a")._replace(a=s.a._replace(alive=False, up=False, session=0))

    def end_grace(self, s):
        if self.keeps("grace-end"):
            for name in s.awaited:
                if getattr(s, name).session == s.process:
                    s = self.expired(s, name)
        record = s.record - s.awaited if self.keeps("struck") else s.record
        return s._replace(grace=False, awaited=frozenset(), record=record)

    def expired(self, s, name):
        """The owner gives the session up, and writes down that it is gone."""
        holder = None if s.holder == name else s.holder
        return self.settle(self.put(s._replace(holder=holder, record=s.record - {name}), name, up=False, session=0), name)

    # --- what must not be ---

    def wrong(self, s):
        for first, second in (("a", "b"), ("b", "a")):
            story = "".join(s.file)
            if second in s.acknowledged and f"{first}{second}" in story and f"{second}{first}" in story[story.index(first):]:
                return "an acknowledged write is overwritten by an older one"
        held = [name for name in "ab" if getattr(s, name).alive and getattr(s, name).lock and getattr(s, name).up
                and getattr(s, name).recovered]
        if len(held) == 2:
            return "two clients have one lock"
        return None


if __name__ == "__main__":
    sys.exit(command(__doc__, RULES, lambda broken: first_problem({"all": None}, lambda _, rule: Recovery(rule), broken), sys.argv[1:]))
