#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# coherence.py -- a model of what points of contact may believe: promises, leases, invalidations
"""coherence.py [RULE]: explores the model with all rules in force, then with each rule broken (or with one of them)

A and B are points of contact for one object, a value that each change makes greater by one. Their clients change it and
read it, through the owner or from what the point of contact believes (its fact). Requests, replies, and EVENTS are delayed
as they like, and overtake each other; so do the owner's threads. Connections break, the owner's process is started again.
Time passes in steps; a fact is believed for a few of them. That a point of contact stands still is in it, too: time passes,
and nothing else happens.

Exit status: 0 the rules hold, breaking any of them is found, and README.md's table says so; 1 not so."""

import sys
from collections import namedtuple

from explore import command, first_problem

RULES = {
    "invalidate-first": "a change is executed after others have been told, not only acknowledged after that",
    "wait-for-acks": "a change waits until those who were told have acknowledged it",
    "wait-for-unsettled": "a change waits for what earlier changes have told, and isn't acknowledged yet, too",
    "close-queue": "who takes a mark has queued its invalidation before another change can miss the mark",
    "no-promise-while-closed": "nothing is promised to others while a change is under way",
    "mixed": "nor to anybody while changes of several sessions are under way",
    "originator-in-flight": "a fact isn't served while the point of contact's own change is under way",
    "asked-before": "a reply that was asked for before an invalidation came isn't kept",
    "mark-first": "the object is marked before its attributes are read",
    "mark-kept": "attributes read before aren't good because the mark was there already",
    "changes-counted": "where only reading tells what to mark: it is read again if others' changes ended meanwhile",
    "lease-owner": "the owner waits for the end of the lease of somebody it can't reach",
    "lease-poc": "a fact is believed for the lease at most",
    "lease-asked": "the lease counts from when the fact was asked for, not from when it came",
    "new-epoch": "a new epoch ends all facts, and whatever was asked for before it",
    "epoch-ended": "what was promised in an epoch that has ended is unsettled until the next one's first EVENTS",
    "fresh-first": "nothing is promised in an epoch before its first EVENTS",
    "restart": "a restarted owner waits for leases that its predecessor gave",
    "change-order": "a reply that is older than another one that came since it was asked for isn't kept",
    "unkept-order": "even if that one wasn't kept itself",
    "unkept-ends": "a reply that isn't kept ends a fact that is older",
}

# What clients do: at A: (changes, reads through the owner); at B: the same; accidents; the lease; how the owner reads.
SCRIPTS = {
    "A changes, B reads": ((1, 0), (0, 2), 1, 1, "mark, read"),
    "A changes, B looks up": ((1, 0), (0, 2), 0, 1, "read, mark"),
    "A changes twice, B reads": ((2, 0), (0, 1), 0, 2, "mark, read"),
    "A changes and reads, B reads": ((1, 1), (0, 1), 1, 1, "mark, read"),
    "both change, A reads": ((1, 1), (1, 0), 0, 2, "mark, read"),
    "both change, A looks up": ((1, 1), (1, 0), 0, 1, "read, mark"),
}

Fact = namedtuple("Fact", "value age")
# A request. kind: read, change; at: sent; marked, or counted, read, again, compare (a read at the owner); closing, closed,
#   executed (a change); reply, cached (a reply that can't be sent). Of the point of contact: stale: what comes isn't kept;
#   floor: nor if it is less than this; age: since it was asked for. Of the owner: promised, value: of the reply; awaited:
#   the number of the other's invalidation that it waits for; arrived: how long ago that was; counted: how many changes of
#   others had ended before it was read.
Request = namedtuple("Request", "kind at stale floor age promised value awaited arrived counted")
# A point of contact: its fact, its requests; what its clients have yet to do; its EVENTS: None (not connected), fresh, seen
#   N (sent), waits (at the owner), tells N (the answer).
# What the owner knows of its session: up; fresh: it has called EVENTS in this epoch; mark; heard: how long ago a request
#   came that was promised something; number: of the last invalidation; seen: of the last one that was acknowledged;
#   opened: how many of its changes have ended.
Contact = namedtuple("Contact", "fact requests changes reads events up fresh mark heard number seen opened")
# closer: None, or whose changes are under way: a, b, mixed; told: the greatest value that a client was told; how: by the
#   reply to a read or a change.
State = namedtuple("State", "a b value closer told how accidents")


def other(name):
    return "b" if name == "a" else "a"


class Coherence:
    def __init__(self, script, broken=None):
        self.script, self.broken, self.lease, self.order = script[:3], broken, *script[3:]

    def keeps(self, rule):
        return rule != self.broken

    def initial(self):
        (a_changes, a_reads), (b_changes, b_reads), accidents = self.script
        contact = Contact(fact=None, requests=(), changes=0, reads=0, events=("waits",), up=True, fresh=True, mark=False,
                          heard=self.lease, number=0, seen=0, opened=0)
        return State(a=contact._replace(changes=a_changes, reads=a_reads), b=contact._replace(changes=b_changes, reads=b_reads),
                     value=0, closer=None, told=0, how="read", accidents=accidents)

    def over(self, s):
        """Nobody can be told anything but the last value any more."""
        requests = s.a.requests + s.b.requests
        return not (s.a.changes or s.b.changes
                    or any(r.kind == "change" and r.at not in ("reply", "cached") for r in requests)
                    or any(r.at in ("read", "compare", "reply", "cached") and r.value < s.value for r in requests)
                    or any(c.fact and c.fact.value < s.value for c in (s.a, s.b)))

    def steps(self, s):
        if self.over(s):
            return
        for name in "ab":
            contact = getattr(s, name)
            yield from self.clients(s, name, contact)
            yield from self.events(s, name, contact)
            for request in sorted(set(contact.requests)):
                yield from self.request(s, name, request)
            yield from self.accidents(s, name, contact)
        yield from self.time(s)

    def put(self, s, name, **changes):
        return s._replace(**{name: getattr(s, name)._replace(**changes)})

    def replace(self, s, name, request, *new):
        """The request becomes another one, or ends."""
        requests = list(getattr(s, name).requests)
        requests.remove(request)
        return self.put(s, name, requests=tuple(sorted(requests + list(new))))

    # --- points of contact ---

    def clients(self, s, name, contact):
        request = Request("read", "sent", False, 0, 0, False, 0, 0, 0, 0)
        if contact.reads:
            yield f"{name} asks for the object", self.put(
                s, name, reads=contact.reads - 1, requests=tuple(sorted(contact.requests + (request,))))
        if contact.changes:
            yield f"{name} sends a change", self.put(
                s, name, changes=contact.changes - 1,
                requests=tuple(sorted(contact.requests + (request._replace(kind="change"),))))

    def reply(self, s, name, request):
        """The client is told, and the reply becomes a fact, if it may."""
        s = self.replace(s, name, request)
        contact, value = getattr(s, name), request.value
        if value > s.told:
            s = s._replace(told=value, how=request.kind)
        age = request.age if self.keeps("lease-asked") else 0
        keep = request.promised and not request.stale and value >= request.floor and age < self.lease
        fact = contact.fact
        if keep:
            fact = Fact(value, age)
        elif fact and value > fact.value and self.keeps("unkept-ends"):
            fact = None
        requests = contact.requests
        if keep or self.keeps("unkept-order"):
            requests = tuple(sorted(self.not_below(r, value) for r in requests))
        return self.put(s, name, fact=fact, requests=requests)

    def not_below(self, request, value):
        if request.stale or not self.keeps("change-order"):
            return request
        return request._replace(floor=max(request.floor, value))

    def outdated(self, contact):
        """The requests under way: what they bring isn't kept."""
        return tuple(sorted(r._replace(stale=True, floor=0) for r in contact.requests))

    def invalidated(self, s, name):
        contact = getattr(s, name)
        requests = self.outdated(contact) if self.keeps("asked-before") else contact.requests
        return self.put(s, name, fact=None, requests=requests)

    def events(self, s, name, contact):
        kind = contact.events and contact.events[0]
        if kind == "tells":
            after = ("seen", contact.events[1]) if contact.up else None
            yield f"{name} is told to believe nothing", self.put(self.invalidated(s, name), name, events=after)
        if kind == "seen":
            seen = max(contact.seen, contact.events[1])
            yield f"{name}'s acknowledgement arrives", self.tell(self.put(s, name, events=("waits",), seen=seen), name)
        if kind == "fresh":
            yield f"{name}'s first EVENTS arrives", self.put(s, name, events=("waits",), seen=contact.number, fresh=True)

    def tell(self, s, name):
        """The owner answers EVENTS if there is something to tell."""
        contact = getattr(s, name)
        if contact.events != ("waits",) or contact.number == contact.seen:
            return s
        return self.put(s, name, events=("tells", contact.number))

    # --- the owner ---

    def request(self, s, name, request):
        if request.at == "reply":
            promised = "promised" if request.promised else "not promised"
            yield f"{name} gets the {request.kind}'s reply: {request.value}, {promised}", self.reply(s, name, request)
        elif request.at == "cached" or (request.at == "sent" and not getattr(s, name).up):
            return
        elif request.kind == "read":
            yield from self.read(s, name, request)
        else:
            yield from self.change(s, name, request)

    def sent(self, s, name, request):
        """The reply is on its way; if the connection is gone, it waits in the owner's reply cache for the next epoch."""
        return request._replace(at="reply" if getattr(s, name).up else "cached")

    def mark(self, s, name, arrived):
        """(the state after it, whether it is promised, whether the mark is new)."""
        contact = getattr(s, name)
        refused = self.keeps("no-promise-while-closed") and s.closer not in (None, name)
        if not self.keeps("mixed") and s.closer == "mixed":
            refused = False
        if refused or (self.keeps("fresh-first") and not contact.fresh):
            return s, False, False
        s = self.put(s, name, mark=contact.mark or arrived < self.lease, heard=min(contact.heard, arrived))
        return s, True, not contact.mark

    def read(self, s, name, request):
        if self.order == "read, mark":
            yield from self.look_up(s, name, request)
        elif self.keeps("mark-first") and self.keeps("mark-kept"):
            if request.at == "sent":
                s, promised, _ = self.mark(s, name, 0)
                yield f"the owner marks the object for {name}: {'yes' if promised else 'refused'}", \
                    self.replace(s, name, request, request._replace(at="marked", promised=promised))
            else:
                yield f"the owner reads for {name}: {s.value}", \
                    self.replace(s, name, request, self.sent(s, name, request._replace(value=s.value)))
        elif request.at in ("sent", "again"):
            yield f"the owner reads for {name}: {s.value}", \
                self.replace(s, name, request, request._replace(at="read", value=s.value))
        else:
            s, promised, new = self.mark(s, name, 0)
            again = new and self.keeps("mark-first")
            yield f"the owner marks the object for {name}: {('new' if new else 'kept') if promised else 'refused'}", \
                self.replace(s, name, request, request._replace(at="again", value=0) if again
                             else self.sent(s, name, request._replace(promised=promised)))

    def look_up(self, s, name, request):
        """What has to be marked is known only when it was read."""
        ended = getattr(s, other(name)).opened
        if request.at == "sent":
            yield f"the owner counts changes for {name}", \
                self.replace(s, name, request, request._replace(at="counted", counted=ended))
        elif request.at == "counted":
            yield f"the owner reads for {name}: {s.value}", \
                self.replace(s, name, request, request._replace(at="read", value=s.value))
        elif request.at == "read":
            s, promised, _ = self.mark(s, name, 0)
            yield f"the owner marks the object for {name}: {'yes' if promised else 'refused'}", \
                self.replace(s, name, request, request._replace(at="compare", promised=promised))
        elif request.at == "compare" and self.keeps("changes-counted") and request.counted != ended:
            yield f"others have changed something since the owner read for {name}", \
                self.replace(s, name, request, request._replace(at="again", value=0, counted=0))
        else:
            value = s.value if request.at == "again" else request.value
            yield f"the owner answers {name}: {value}", \
                self.replace(s, name, request, self.sent(s, name, request._replace(value=value, counted=0)))

    def change(self, s, name, request):
        if request.at == "sent":
            yield from self.close(s, name, request)
        elif request.at == "closing":
            s, awaited = self.queue(s, name, True)
            yield f"{other(name)}'s invalidation is queued", \
                self.replace(s, name, request, request._replace(at="closed", awaited=awaited))
        elif request.at == "closed" and self.settled(s, name, request.awaited):
            value = s.value + 1 if self.keeps("invalidate-first") else s.value
            s, promised, _ = self.mark(s._replace(value=value), name, request.arrived)
            yield f"{name}'s change is executed: {value}", self.replace(
                s, name, request, request._replace(at="executed", promised=promised, awaited=0, arrived=0))
        elif request.at == "executed":
            s = self.replace(s, name, request, self.sent(s, name, request._replace(value=s.value)))
            s = self.put(s, name, opened=getattr(s, name).opened + 1)
            closed = any(r.at in ("closing", "closed", "executed") for r in s.a.requests + s.b.requests)
            yield f"{name}'s change is answered: {s.value}", s if closed else s._replace(closer=None)

    def close(self, s, name, request):
        if not self.keeps("invalidate-first"):
            s = s._replace(value=s.value + 1)
        # Who has not called EVENTS has nothing that isn't unsettled already.
        marked = getattr(s, other(name)).mark and getattr(s, other(name)).fresh
        s = self.put(s, other(name), mark=False)._replace(closer=name if s.closer in (None, name) else "mixed")
        if marked and not self.keeps("close-queue"):
            yield f"{name}'s change takes {other(name)}'s mark", self.replace(s, name, request, request._replace(at="closing"))
            return
        s, awaited = self.queue(s, name, marked)
        yield f"{name}'s change arrives{', ' + other(name) + ' is to be told' if marked else ''}", \
            self.replace(s, name, request, request._replace(at="closed", awaited=awaited))

    def queue(self, s, name, marked):
        """(the state after it, the number of the invalidation that the change has to wait for, or 0)."""
        holder = getattr(s, other(name))
        number = holder.number + marked
        wait = self.keeps("wait-for-acks") and (marked or (self.keeps("wait-for-unsettled") and number > holder.seen))
        return self.tell(self.put(s, other(name), number=number), other(name)), number if wait else 0

    def settled(self, s, name, awaited):
        holder = getattr(s, other(name))
        return holder.seen >= awaited or holder.heard >= self.lease or (not self.keeps("lease-owner") and not holder.up)

    # --- what goes wrong, and time ---

    def accidents(self, s, name, contact):
        if not contact.up:
            yield f"{name}'s new epoch", self.welcome(s, name, contact)
        if not s.accidents:
            return
        s = s._replace(accidents=s.accidents - 1)
        if contact.up:
            number = contact.number + self.keeps("epoch-ended")
            yield f"{name}'s connection breaks", self.put(s, name, number=number, **self.cut(contact))
        if name == "a":
            yield "the owner's process is started again", self.restarted(self.restarted(s, "a"), "b")._replace(closer=None)

    def cut(self, contact):
        """The owner's end of the connection is gone; what it had sent may still arrive."""
        events = contact.events if contact.events and contact.events[0] == "tells" else None
        return {"up": False, "fresh": False, "events": events}

    def welcome(self, s, name, contact):
        """Requests are sent again: replies from the owner's reply cache come as they were."""
        requests = tuple(sorted(r._replace(at="reply") if r.at == "cached" else r for r in contact.requests))
        s = self.put(s, name, up=True, fresh=False, events=("fresh",), requests=requests)
        if self.keeps("new-epoch"):
            s = self.put(s, name, fact=None, requests=self.outdated(getattr(s, name)))
        return s

    def restarted(self, s, name):
        """Nothing is known but that there was a session. What was under way is sent again."""
        contact = getattr(s, name)
        requests = tuple(sorted(
            r if r.at == "reply" else r._replace(at="sent", promised=False, value=0, awaited=0, arrived=0, counted=0)
            for r in contact.requests))
        return self.put(s, name, requests=requests, mark=False, opened=0, number=1, seen=0 if self.keeps("restart") else 1,
                        heard=0 if self.keeps("restart") else self.lease, **self.cut(contact))

    def time(self, s):
        after = self.later(self.later(s, "a"), "b")
        if after != s:
            yield "time passes", after

    def later(self, s, name):
        """A mark that nobody can rely on any more vanishes."""
        contact = getattr(s, name)
        fact, heard = contact.fact, min(contact.heard + 1, self.lease)
        if fact and self.keeps("lease-poc"):
            fact = fact._replace(age=fact.age + 1) if fact.age + 1 < self.lease else None
        return self.put(s, name, fact=fact, heard=heard, mark=contact.mark and heard < self.lease,
                        requests=tuple(sorted(self.older(r) for r in contact.requests)))

    def older(self, request):
        if request.at in ("closing", "closed"):
            request = request._replace(arrived=min(request.arrived + 1, self.lease))
        if request.stale or not self.keeps("lease-poc") or not self.keeps("lease-asked"):
            return request
        if request.age + 1 >= self.lease:
            return request._replace(stale=True, floor=0, age=0)
        return request._replace(age=request.age + 1)

    # --- what must not be ---

    def wrong(self, s):
        for contact in (s.a, s.b):
            busy = self.keeps("originator-in-flight") and any(r.kind == "change" for r in contact.requests)
            if contact.fact and not busy and contact.fact.value < s.told:
                missed = "an acknowledged change" if s.how == "change" else "what another one has seen"
                return f"a client doesn't see {missed}"
        return None


if __name__ == "__main__":
    sys.exit(command(__doc__, RULES, lambda broken: first_problem(SCRIPTS, Coherence, broken), sys.argv[1:]))
