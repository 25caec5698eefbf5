#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# lmrm.py -- a model of LMRM pools: slots for WRITE and READ, what frees them, and what becomes of the operations
"""lmrm.py [RULE]: explores the model with all rules in force, then with each rule broken (or with one of them)

WRITE: a point of contact places payloads in slots of the owner's memory and sends calls that name the slots. Calls and
immediates overtake each other; a payload is placed late, or not at all if its queue pair has ended. Calls are given up, before
they are sent and after. The session's connection breaks, and calls are sent again, with their slot or inline; the data path
breaks, and has a new epoch. Regions are given back, sessions end. Over shared memory there are no immediates.

READ: the owner places data in slots of the point of contact's that the calls name.

Exit status: 0 the rules hold, breaking any of them is found, and README.md's table says so; 1 not so."""

import sys
from collections import namedtuple

from explore import command, first_problem

# What each rule says, and the play that shows what it is good for.
RULES = {
    "timeout": ("a slot isn't freed by a timeout, only by an answer that names it, or a new epoch", "cancel"),
    "confirmed": ("an epoch of the data path begins when the owner has confirmed it", "paths"),
    "destroyed": ("which it does when the queue pairs of the old one are destroyed", "paths"),
    "withheld": ("a slot that an operation of an earlier epoch still uses is withheld from the new one", "paths"),
    "limbo-reply": ("but not if the operation's answer has come before WELCOME", "path"),
    "held": ("a slot that somebody is about to fill isn't freed by WELCOME", "paths"),
    "match": ("an answer frees a slot only if its name is the slot's: epoch, slot, generation", "paths"),
    "join": ("a call that names a slot waits for the slot's immediate", "cancel"),
    "join-epoch": ("call and immediate are of one epoch", "paths"),
    "join-lane": ("call and immediate are of one slot, also if the call comes on another lane", "lanes"),
    "generation": ("call and immediate are of one generation, if slots are used again before their immediate has come", "reuse"),
    "wrap": ("then no generation comes again while an immediate with it may yet come", "reuse"),
    "joined": ("an answer that was given before the immediate came doesn't free the slot", "cancel"),
    "joined-retire": ("nor does it let the region be deregistered", "retire"),
    "repost": ("the receive is posted again before the answer is sent", "cancel"),
    "abort": ("a slot that is filled, but whose call wasn't sent, is freed when the owner has acknowledged it", "abort"),
    "abort-waits": ("which the owner does when the immediate has come", "abort"),
    "abort-again": ("and again, if it is asked again", "abort"),
    "cache": ("a call that is sent again isn't executed again, whichever way its payload travels", "breaks"),
    "resend": ("what was answered RESEND_INLINE isn't executed when its immediate comes after all", "resend"),
    "resend-delay": ("so that, where a CANCEL was sent, it means DELAY", "cancel-resend"),
    "resend-kept": ("RESEND_INLINE isn't kept as the call's answer", "resend"),
    "cancel": ("DELAY only when the owner has said that the operation isn't executed", "cancel"),
    "cancelled": ("a call that was cancelled before it came isn't executed", "cancel"),
    "drained": ("a region that is given back is deregistered when nothing is under way in it", "retire"),
    "end-uses": ("where a session ends: when no operation uses it any more", "end"),
    "end-destroyed": ("and the queue pairs are destroyed", "end"),
    "memory": ("shared memory: a new epoch has new memory", "shm"),
    "shm-epoch": ("shared memory: a call that names an earlier epoch isn't executed from the new one's memory", "shm"),
    "shm-timeout": ("shared memory: a slot isn't freed by a timeout", "shm"),
    "read-reply": ("READ: data is delivered when the reply and the immediate have come, not at the reply", "read"),
    "read-immediate": ("READ: nor is the slot free at the immediate, before the reply", "read"),
    "read-timeout": ("READ: nor after a timeout, before both", "read"),
    "read-release": ("READ: nor when both have come, but its data is still needed", "read"),
    "read-held": ("READ: nor at WELCOME, while its data is needed", "read path"),
    "read-destroyed": ("READ: the queue pairs of the old epoch are destroyed before the new one is confirmed", "read path"),
    "read-once": ("READ: a call that names a slot isn't executed again when it is sent again", "read"),
    "read-source": ("READ: the owner uses its buffer again when the data is placed, not when it is posted", "two slots"),
    "read-shm-once": ("READ, shared memory: a call that names a slot isn't executed again when it is sent again", "read shm"),
    "read-memory": ("READ, shared memory: a new epoch has new memory", "read shm"),
}

# What happens in a play: calls; lanes, with a slot each; transport; how often the data path breaks, the connection breaks,
# a call is cancelled, and a filled slot given up; deadline: immediates aren't awaited forever; region: what becomes of it;
# generations: so many there are; early: any answer frees a slot, as the path keeps the order of what is posted.
Play = namedtuple("Play", "calls lanes transport paths breaks cancels aborts deadline region generations early",
                  defaults=(2, 1, "verbs", 0, 0, 0, 0, False, None, 2, False))
WRITES = {
    "path": Play(calls=2, paths=1),
    "paths": Play(calls=3, paths=2),
    "breaks": Play(paths=1, breaks=1),
    "cancel": Play(calls=3, breaks=1, cancels=2),
    "resend": Play(breaks=1, paths=1, deadline=True),
    "cancel-resend": Play(paths=1, cancels=1, deadline=True),
    "abort": Play(calls=3, breaks=1, aborts=2),
    "everything once": Play(paths=1, breaks=1, cancels=1, aborts=1, deadline=True),
    "lanes": Play(lanes=2, paths=1, breaks=1),
    "reuse": Play(calls=3, cancels=2, generations=3, early=True),
    "retire": Play(cancels=1, aborts=1, deadline=True, region="retire"),
    "end": Play(paths=1, region="end"),
    "shm": Play(transport="shm", paths=2, breaks=1, cancels=1, aborts=1),
}
READS = {
    "read": Play(calls=3, breaks=1, cancels=1),
    "read path": Play(paths=2, breaks=1),
    "two slots": Play(lanes=2, paths=1, breaks=1),
    "read shm": Play(calls=3, transport="shm", paths=1, breaks=1, cancels=1),
}

Name = namedtuple("Name", "lane epoch generation")
# A slot at the point of contact: free, reserved, filled, submitted, quarantined, aborted (quarantined until the owner
#   acknowledges it), limbo, withheld; and the name it has, or had.
Slot = namedtuple("Slot", "state name")
# A call: new, reserved, filled, sent, done, delay; the slot's name; inline: how it is sent; cancelling: a CANCEL was sent.
Call = namedtuple("Call", "at name inline cancelling")
WriteState = namedtuple("WriteState", """
    calls slots epoch up net writes
    reached alive memory arrived aborting receives cache heard executing starts region
    paths breaks cancels aborts problem""")
# The point of contact: its calls and slots, the data path's epoch, which is up or asked for.
# net: messages of the session: call, reply, cancel, abort, aborted, path, welcome, drained; late: a call that the owner may
#   yet find on a connection that is gone; repost: a receive that isn't posted yet.
# writes: what was posted, and isn't placed: (name, call).
# The owner: the epoch it has reached, whether its queue pairs are alive; memory: whose payload is in each slot; arrived:
#   the last immediate of each, (epoch, generation, taken); aborting: the name that is to be acknowledged when it comes;
#   receives posted; cache: what it knows of each call: None, (waits NAME), (drops NAME) (cancelled, but its immediate is
#   awaited), (executes), (resend NAME), (cancelled), (done STATUS NAME); heard: the calls that have come on this connection,
#   and aren't answered there; executing: (call, NAME or None); how often each call was begun; region: used, retiring,
#   drained, ended, gone.


def put(values, index, value):
    return values[:index] + (value,) + values[index + 1:]


# With all rules in force there are as many receives as slots, and a slot has one name at a time. Where another rule than
# these is broken that isn't looked at, so that what comes of it is seen.
RECEIVES = ("repost", "joined")
NAMES = ("shm-timeout",)


class Model:
    def __init__(self, play, broken=None):
        self.play, self.broken, self.shm = play, broken, play.transport == "shm"
        self.counted = not play.early and broken in (None, *RECEIVES)
        self.named_twice = not play.early and broken in (None, *NAMES)

    def keeps(self, *rules):
        return self.broken not in rules

    def steps(self, s):
        """Everything that may happen; if nothing may, nothing must be waited for."""
        if s.problem:
            return
        idle = True
        for step in self.happens(s):
            idle = False
            yield step
        if idle and self.stuck(s):
            yield "nothing happens any more", s._replace(problem=self.stuck(s))

    def call(self, s, number, **changes):
        return s._replace(calls=put(s.calls, number, s.calls[number]._replace(**changes)))

    def slot(self, s, name, state):
        return s._replace(slots=put(s.slots, name.lane, Slot(state, name)))

    def send(self, s, *messages):
        return s._replace(net=s.net | set(messages))

    def tell(self, s, number, status, name):
        """A call is answered where it came from; if that connection is gone, when it comes again."""
        if number not in s.heard:
            return s
        return self.send(s._replace(heard=s.heard - {number}), ("reply", number, status, name))

    def answer(self, s, number, status, name):
        return self.tell(s._replace(cache=put(s.cache, number, ("done", status, name))), number, status, name)

    def message(self, s, message):
        """One arrives, at either end."""
        kind, *rest = message
        if kind == "call":
            yield from self.arrives(s._replace(heard=s.heard | {rest[0]}), *rest)
        elif kind == "late":
            yield from self.arrives(s, *rest)
        elif kind == "reply":
            number, status, name = rest
            yield f"{number} is answered: {status}{'' if name else ', no slot named'}", self.reply(s, *rest)
        elif kind == "path":
            yield "the owner begins a new epoch", self.new_path(s, *rest)
        elif kind == "welcome":
            yield f"WELCOME {rest[0]}, {len(rest[1])} withheld", self.welcome(s, *rest)
        else:
            yield self.other(s, kind, *rest)

    def following(self, slot, epoch):
        """The slot's next name."""
        last = slot.name.generation if slot.name.epoch == epoch else 0
        return slot.name._replace(epoch=epoch, generation=last % self.play.generations + 1)


class Writes(Model):
    def __init__(self, play, broken=None):
        super().__init__(play._replace(generations=2) if broken == "wrap" else play, broken)

    def initial(self):
        lanes, calls = range(self.play.lanes), self.play.calls
        return WriteState(
            calls=(Call("new", None, False, False),) * calls, slots=tuple(Slot("free", Name(lane, 1, 0)) for lane in lanes),
            epoch=1, up=True, net=frozenset(), writes=frozenset(), reached=1, alive=True,
            memory=(None,) * (len(lanes) * (2 + self.play.paths)), arrived=(None,) * len(lanes), aborting=(None,) * len(lanes),
            receives=(1,) * len(lanes), cache=(None,) * calls, heard=frozenset(), executing=frozenset(), starts=(0,) * calls,
            region="used",
            paths=self.play.paths, breaks=self.play.breaks, cancels=self.play.cancels, aborts=self.play.aborts, problem=None)

    def happens(self, s):
        for number, call in enumerate(s.calls):
            yield from self.caller(s, number, call)
        for message in s.net if not self.ended(s) else ():
            yield from self.message(s._replace(net=s.net - {message}), message)
        for name, number in s.writes:
            if not self.play.early or number == min(other for _, other in s.writes):
                yield f"the payload of {number} is placed", self.placed(s, name, number)
        yield from self.owner(s)
        yield from self.regions(s)
        yield from self.accidents(s)

    # --- the point of contact ---

    def has(self, s, call, *states):
        """Whether the call's slot is still its own, in one of these states, and of this epoch."""
        name = call.name
        return name and s.up and name.epoch == s.epoch and s.slots[name.lane] in [Slot(state, name) for state in states]

    def caller(self, s, number, call):
        name = call.name
        slot = s.slots[number % self.play.lanes]
        if call.at == "new" and s.up and slot.state == "free" and s.region == "used":
            if number == 0 or s.calls[number - 1].at != "new":
                name = self.following(slot, s.epoch)
                if self.named_twice and self.outstanding(s, name):
                    s = s._replace(problem="a slot has two names at a time")
                yield f"{number} reserves a slot, generation {name.generation}", \
                    self.slot(self.call(s, number, at="reserved", name=name), name, "reserved")
        elif call.at == "reserved":
            yield from self.fill(s, number, name)
        elif call.at == "filled":
            if self.has(s, call, "filled"):
                yield f"{number} is sent", self.send(self.slot(self.call(s, number, at="sent"), name, "submitted"),
                                                     ("call", number, name.lane, name))
                if s.aborts:
                    yield f"{number} is given up before it is sent", self.abort(s, number, name)
            else:
                yield f"{number} is sent inline", self.inline(s, number)
        elif call.at == "sent" and s.cancels and not call.cancelling:
            yield f"{number} takes too long: CANCEL", self.cancel(s, number, call)

    def outstanding(self, s, new):
        """Whether anything that is under way, or at the owner, names this slot already."""
        names = [name for name, _ in s.writes]
        names += [m[3] for m in s.net if m[0] in ("call", "late") and s.calls[m[1]].at == "sent"]
        names += [known[1] for known in s.cache if known and known[0] in ("waits", "drops")]
        return any(name and name[:2] == new[:2] for name in names) or \
            any(name and self.place(name) == self.place(new) for _, name in s.executing)

    def fill(self, s, number, name):
        if s.up and (name.epoch == s.epoch or not self.keeps("held")):
            after = self.slot(self.call(s, number, at="filled"), name, "filled")
            if self.shm:
                yield f"{number} fills its slot", after._replace(memory=put(s.memory, self.place(name), number))
            else:
                posted = name._replace(epoch=s.epoch)
                yield f"{number}'s payload is posted", after._replace(writes=s.writes | {(posted, number)})
        elif name.epoch != s.epoch:
            free = Name(name.lane, s.epoch, 0)
            yield f"{number} gives its slot back, and is sent inline", self.inline(self.slot(s, free, "free"), number)

    def place(self, name):
        """Where a slot's contents are: over shared memory each epoch has its own."""
        return name.lane + self.play.lanes * (name.epoch if self.shm and self.keeps("memory") else 0)

    def inline(self, s, number):
        return self.send(self.call(s, number, at="sent", inline=True), ("call", number, 0, None))

    def abort(self, s, number, name):
        s = self.call(s, number, at="delay")._replace(aborts=s.aborts - 1)
        if self.shm or not self.keeps("abort"):
            return self.slot(s, name, "free")
        return self.send(self.slot(s, name, "aborted"), ("abort", name))

    def cancel(self, s, number, call):
        after = self.call(s, number, cancelling=True)._replace(cancels=s.cancels - 1)
        if not self.keeps("cancel"):
            after = self.call(after, number, at="delay")
        if self.has(s, call, "submitted"):
            after = self.slot(after, call.name, "quarantined" if self.keeps("timeout", "shm-timeout") else "free")
        return self.send(after, ("cancel", number))

    def reply(self, s, number, status, name):
        call = s.calls[number]
        s = self.freed(s, call, name)
        if call.at != "sent":
            return s
        if status != "resend":
            return self.call(s, number, at=status)
        if call.inline:
            return s._replace(problem="a call that was sent inline is to be sent inline")
        if call.cancelling:
            return self.call(s, number, at="delay")
        return self.inline(s, number)

    def freed(self, s, call, name):
        """What a reply does to the slot that it names, or to the call's own if it names none."""
        if not name:
            return self.slot(s, call.name, "quarantined") if self.has(s, call, "submitted") else s
        slot = s.slots[name.lane]
        if slot.name == name and slot.state == "limbo" and self.keeps("limbo-reply"):
            return self.slot(s, name._replace(epoch=0), "limbo")
        if (slot.name == name or not self.keeps("match")) and slot.state in ("submitted", "quarantined", "withheld"):
            return self.slot(s, slot.name, "free")
        return s

    def welcome(self, s, epoch, withheld):
        if s.up or epoch != s.epoch:
            return s
        s = s._replace(up=True)
        for slot in s.slots:
            if slot.state == "limbo" and slot.name in withheld:
                s = self.slot(s, slot.name, "withheld")
            elif slot.state in ("limbo", "free"):
                s = self.slot(s, Name(slot.name.lane, epoch, 0), "free")
        return s

    def lost(self, s):
        """The point of contact gives the data path up, and asks for a new epoch of it."""
        s = s._replace(epoch=s.epoch + 1, up=not self.keeps("confirmed"))
        if not self.keeps("confirmed"):
            return s._replace(slots=tuple(Slot("free", Name(slot.name.lane, s.epoch, 0)) for slot in s.slots))
        kept = ("free", "reserved") if self.keeps("held") else ("free",)
        slots = tuple(slot if slot.state in kept else slot._replace(state="limbo") for slot in s.slots)
        return self.send(s._replace(slots=slots), ("path", s.epoch))

    # --- the owner ---

    def other(self, s, kind, about=None):
        """A message that READs don't have arrives."""
        if kind == "cancel":
            return f"CANCEL of {about} arrives", self.cancel_arrives(s, about)
        if kind == "abort":
            return "the owner is told of the slot that was given up", self.abort_arrives(s, about)
        if kind == "aborted":
            return "the owner has acknowledged it", self.slot(s, about, "free") if Slot("aborted", about) in s.slots else s
        if kind == "drained":
            return "the owner deregisters the region", s._replace(region="gone")
        return "a receive is posted", self.repost(s, about)

    def arrives(self, s, number, lane, name):
        known = s.cache[number]
        kind = known[0] if known else None
        if not self.keeps("cache") and kind in ("executes", "done"):
            kind = None
        if kind == "done":
            yield f"{number} comes again, and was done", self.tell(s, number, *known[1:])
        elif kind in ("executes", "drops") or (kind == "waits" and name):
            yield f"{number} comes again", s
        elif kind == "cancelled":
            yield f"{number} comes, and was cancelled", self.drop(s, number, name)
        elif kind == "resend" and (name or not self.keeps("resend-kept")):
            yield f"{number} comes again, and has to be sent inline", self.tell(s, number, "resend", None)
        elif not name:
            yield f"{number} comes inline, and begins", self.begin(s, number, None)
        else:
            yield from self.named(s, number, name if self.keeps("join-lane") else name._replace(lane=lane))

    def named(self, s, number, name):
        """A call arrives that names a slot."""
        if not self.keeps("confirmed") and name.epoch > s.reached:
            s = s._replace(reached=name.epoch, receives=(1,) * self.play.lanes)
        if not self.keeps("shm-epoch"):
            name = name._replace(epoch=s.reached)
        if name.epoch != s.reached and self.keeps("join-epoch"):
            yield f"{number} comes, of an old epoch", self.resend(s, number, name)
        elif self.shm or not self.keeps("join") or self.joins(s, name):
            yield f"{number} comes, and begins", self.begin(self.take(s, name), number, name)
        elif not s.alive:
            yield f"{number} comes, and its immediate can't", self.resend(s, number, name)
        else:
            yield f"{number} comes, and waits", s._replace(cache=put(s.cache, number, ("waits", name)))

    def joins(self, s, name):
        if not s.arrived[name.lane]:
            return False
        epoch, generation, taken = s.arrived[name.lane]
        return not taken and (epoch == name.epoch or not self.keeps("join-epoch")) \
            and (generation == name.generation or not self.keeps("generation"))

    def take(self, s, name):
        if not s.arrived[name.lane]:
            return s
        return s._replace(arrived=put(s.arrived, name.lane, s.arrived[name.lane][:2] + (True,)))

    def begin(self, s, number, name):
        return s._replace(cache=put(s.cache, number, ("executes",)), executing=s.executing | {(number, name)},
                          starts=put(s.starts, number, s.starts[number] + 1))

    def finish(self, s, number, name):
        s = s._replace(executing=s.executing - {(number, name)})
        if name and not self.shm and name.epoch == s.reached:
            s = self.repost(s, name.lane) if self.keeps("repost") else self.send(s, ("repost", name.lane))
        return self.answer(s, number, "done", name)

    def repost(self, s, lane):
        return s._replace(receives=put(s.receives, lane, 1))

    def unjoined(self, name):
        """What an answer says of a slot whose immediate hasn't come: nothing."""
        return None if self.keeps("joined", "joined-retire") and not self.play.early else name

    def resend(self, s, number, name):
        s = s._replace(cache=put(s.cache, number, ("resend", name)))
        return self.tell(s, number, "resend", self.unjoined(name))

    def cancel_arrives(self, s, number):
        kind = s.cache[number] and s.cache[number][0]
        if kind == "waits":
            return self.drop(s, number, s.cache[number][1])
        if kind is None and not self.keeps("cancelled"):
            return self.send(s, ("reply", number, "delay", None))
        return s._replace(cache=put(s.cache, number, ("cancelled",))) if kind in (None, "resend") else s

    def drop(self, s, number, name):
        """A call that was cancelled is answered when its immediate has come, if there is one to come."""
        if not name or self.shm:
            return self.answer(s, number, "delay", name)
        if self.joins(s, name):
            return self.answer(self.repost(self.take(s, name), name.lane), number, "delay", name)
        if name.epoch != s.reached or not s.alive or self.unjoined(name):
            return self.answer(s, number, "delay", self.unjoined(name))
        return s._replace(cache=put(s.cache, number, ("drops", name)))

    def abort_arrives(self, s, name):
        if name.epoch != s.reached:
            return s
        if self.joins(s, name):
            s = self.repost(self.take(s, name), name.lane)
        elif s.arrived[name.lane] != (*name[1:], True) or not self.keeps("abort-again"):
            if self.keeps("abort-waits"):
                return s._replace(aborting=put(s.aborting, name.lane, name))
        return self.send(s, ("aborted", name))

    def placed(self, s, name, number):
        s = s._replace(writes=s.writes - {(name, number)})
        if not self.keeps("confirmed") and name.epoch > s.reached:
            s = s._replace(reached=name.epoch, receives=(1,) * self.play.lanes)
        if not s.alive or (name.epoch != s.reached and self.keeps("destroyed")):
            return s
        if s.region == "gone":
            return s._replace(problem="a payload is placed in memory that is deregistered")
        s = s._replace(memory=put(s.memory, self.place(name), number))
        if name.epoch != s.reached:
            return s
        if not s.receives[name.lane] and self.counted:
            return s._replace(problem="an immediate finds no receive")
        s = s._replace(receives=put(s.receives, name.lane, max(0, s.receives[name.lane] - 1)),
                       arrived=put(s.arrived, name.lane, (*name[1:], False)))
        return self.immediate(s, name)

    def immediate(self, s, name):
        for number, known in enumerate(s.cache):
            if known and known[0] == "waits" and self.joins(s, known[1]) and known[1].lane == name.lane:
                return self.begin(self.take(s, name), number, known[1])
            if known and known[0] == "drops" and known[1] == name:
                return self.answer(self.repost(self.take(s, name), name.lane), number, "delay", name)
            if known == ("resend", name) and not self.keeps("resend", "resend-delay"):
                executing = self.begin(self.take(s, name), number, name)
                return executing._replace(cache=s.cache) if self.keeps("resend-delay") else executing
        if s.aborting[name.lane] == name:
            s = s._replace(aborting=put(s.aborting, name.lane, None))
            return self.send(self.repost(self.take(s, name), name.lane), ("aborted", name))
        return s

    def owner(self, s):
        for number, name in s.executing:
            yield f"{number} is done", self.finish(s, number, name)
        for number, known in enumerate(s.cache):
            if known and known[0] in ("waits", "drops") and (self.play.deadline or not s.alive):
                yield f"{number}'s immediate doesn't come", self.without(s, number)

    def without(self, s, number):
        """The owner doesn't wait for this immediate any longer."""
        kind, name = s.cache[number]
        return self.resend(s, number, name) if kind == "waits" else self.answer(s, number, "delay", None)

    def new_path(self, s, epoch):
        if epoch > s.reached:
            for number, known in enumerate(s.cache):
                if known and known[0] in ("waits", "drops"):
                    s = self.without(s, number)
            lanes = self.play.lanes
            s = s._replace(reached=epoch, alive=True, arrived=(None,) * lanes, aborting=(None,) * lanes, receives=(1,) * lanes)
            if self.keeps("destroyed"):
                s = s._replace(writes=frozenset())
        used = frozenset(name for _, name in s.executing if name and name.epoch < epoch)
        return self.send(s, ("welcome", epoch, used if self.keeps("withheld") and not self.shm else frozenset()))

    def ended(self, s):
        """Whether the session is over: the owner does nothing more for it."""
        return self.play.region == "end" and s.region != "used"

    def regions(self, s):
        """The point of contact gives the region back; or the session ends, and the owner takes it."""
        if self.play.region == "retire" and s.region == "used":
            yield "no more slots of the region are reserved", s._replace(region="retiring")
        if s.region == "retiring" and (s.slots[0].state == "free" or not self.keeps("drained")):
            yield "nothing is under way in the region", self.send(s._replace(region="drained"), ("drained",))
        if self.play.region == "end" and s.region == "used":
            alive = s.alive and not self.keeps("end-destroyed")
            yield "the session ends", s._replace(region="ended", alive=alive, net=frozenset(), breaks=0)
        if s.region == "ended" and not (s.executing and self.keeps("end-uses")):
            yield "the owner deregisters the region", s._replace(region="gone")

    # --- what goes wrong ---

    def accidents(self, s):
        if self.ended(s):
            return
        if s.paths and s.up:
            yield "the point of contact gives the data path up", self.lost(s._replace(paths=s.paths - 1))
        if s.paths and s.alive and s.up and not self.shm:
            yield "the queue pair ends at the owner", s._replace(alive=False, writes=frozenset())
        if s.breaks:
            s = s._replace(breaks=s.breaks - 1, heard=frozenset(), aborting=(None,) * self.play.lanes, net=frozenset(
                ("late", *m[1:]) if m[0] == "call" else m for m in s.net if m[0] in ("call", "late", "cancel", "repost")))
            yield "the connection breaks, and everything is sent again", self.again(s, False, 0)
            if any(call.at == "sent" and self.has(s, call, "submitted", "quarantined") for call in s.calls):
                yield "the connection breaks, and everything is sent again inline", self.again(s, True, 0)
                if self.play.lanes > 1:
                    yield "the connection breaks, and everything is sent again on the other lane", self.again(s, False, 1)

    def again(self, s, inline, shift):
        """The session's next epoch: what was asked for and isn't answered is sent again."""
        for number, call in enumerate(s.calls):
            if call.at != "sent":
                continue
            if call.inline or inline or not self.has(s, call, "submitted", "quarantined"):
                s = self.inline(s, number)
            else:
                s = self.send(s, ("call", number, (call.name.lane + shift) % self.play.lanes, call.name))
            if self.has(s, call, "submitted") and s.calls[number].inline:
                s = self.slot(s, call.name, "quarantined")
            if call.cancelling:
                s = self.send(s, ("cancel", number))
        s = self.send(s, *(("abort", slot.name) for slot in s.slots if slot.state == "aborted"))
        return s if s.up else self.send(s, ("path", s.epoch))

    # --- what must not be ---

    def stuck(self, s):
        if self.ended(s):
            return None
        if any(call.at in ("reserved", "filled", "sent") for call in s.calls):
            return "a call is never answered"
        if any(slot.state in ("reserved", "limbo", "withheld") or (slot.state == "aborted" and s.alive) for slot in s.slots):
            return "a slot is lost"
        return None

    def wrong(self, s):
        for number, name in s.executing:
            if name and s.memory[self.place(name)] != number:
                return "an operation is executed with another one's payload"
            if name and s.region == "gone":
                return "an operation uses memory that is deregistered"
            if s.calls[number].at == "delay":
                return "an operation that was answered DELAY is executed"
            if s.calls[number].at == "done":
                return "an operation is executed after it was acknowledged"
        for number, call in enumerate(s.calls):
            if s.starts[number] > 1:
                return "an operation is executed twice"
            if call.at == "done" and not s.starts[number]:
                return "an operation is acknowledged and was not executed"
        return s.problem


# A READ: new, sent, delivered (its data is needed), done, gone (nobody waits for it); the name of the slot that it is to go
#   to; inline: it is asked for without one; got: reply, immediate.
Read = namedtuple("Read", "at name inline got")
# memory: which READ's data each slot has. The owner: source: what its buffer has; cache: what it knows of each READ
#   that names a slot: None, (reads), (done STATUS NAME); reading: (call, NAME, how often it was begun).
ReadState = namedtuple("ReadState", """
    calls slots epoch up net memory receives
    reached alive writes source cache heard reading
    paths breaks cancels problem""")


class Reads(Model):
    def initial(self):
        calls, lanes = self.play.calls, self.play.lanes
        return ReadState(calls=(Read("new", None, False, frozenset()),) * calls, epoch=1, up=True, net=frozenset(),
                         slots=tuple(Slot("free", Name(lane, 1, 0)) for lane in range(lanes)), receives=(1,) * lanes,
                         memory=(None,) * (lanes * (2 + self.play.paths)), reached=1, alive=True, writes=frozenset(),
                         source=None, cache=(None,) * calls, heard=frozenset(), reading=frozenset(), paths=self.play.paths,
                         breaks=self.play.breaks, cancels=self.play.cancels, problem=None)

    def happens(self, s):
        for number, call in enumerate(s.calls):
            yield from self.caller(s, number, call)
        for message in s.net:
            yield from self.message(s._replace(net=s.net - {message}), message)
        for name, number in s.writes:
            yield f"the data of {number} is placed", self.placed(s, name, number)
        for number, name, time in s.reading:
            yield from self.read(s._replace(reading=s.reading - {(number, name, time)}), number, name)
        yield from self.accidents(s)

    # --- the point of contact ---

    def state(self, s, name):
        """The state of the slot that has this name."""
        slot = s.slots[name.lane]
        return slot.state if slot.name == name else None

    def free(self, s, name):
        """The receive is posted again first."""
        if name.epoch != s.epoch:
            return self.slot(s, Name(name.lane, s.epoch, 0), "free")
        return self.slot(s, name, "free")._replace(receives=put(s.receives, name.lane, 1))

    def place(self, name):
        return name.lane + self.play.lanes * (name.epoch if self.shm and self.keeps("read-memory") else 0)

    def caller(self, s, number, call):
        slot = s.slots[number % self.play.lanes]
        if call.at == "new" and s.up and slot.state == "free" and (number == 0 or s.calls[number - 1].at != "new"):
            name = self.following(slot, s.epoch)
            after = self.slot(self.call(s, number, at="sent", name=name), name, "offered")
            yield f"{number} is sent, generation {name.generation}", self.send(after, ("call", number, name))
        if call.at == "sent" and not call.inline and s.cancels and self.state(s, call.name) == "offered":
            after = self.call(s, number, at="gone")._replace(cancels=s.cancels - 1)
            if self.keeps("read-timeout"):
                yield f"{number} takes too long", self.slot(after, call.name, "quarantined")
            else:
                yield f"{number} takes too long", self.free(after, call.name)
        if call.at == "delivered":
            after = self.call(s, number, at="done")
            held = self.state(s, call.name) == "delivered"
            yield f"{number}'s data isn't needed any more", self.free(after, call.name) if held else after

    def inline(self, s, number):
        return self.send(self.call(s, number, inline=True), ("call", number, None))

    def reply(self, s, number, status, name):
        call = s.calls[number]
        waits = call.at == "sent" and call.inline == (name is None)
        if status == "data":
            return self.call(s, number, at="done") if waits else s
        if status == "again":
            if self.state(s, name) == "offered":
                s = self.slot(s, name, "quarantined")
            return self.inline(s, number) if waits else s
        if status == "nothing":
            if self.state(s, name) in ("offered", "quarantined"):
                s = self.free(s, name)
            return self.call(s, number, at="done") if waits else s
        return self.got(s, number, "reply")

    def got(self, s, number, what):
        """A reply that promises an immediate has come, or the immediate."""
        call = s.calls[number]
        s = self.call(s, number, got=call.got | {what})
        ours = self.state(s, call.name) in ("offered", "quarantined")
        if what == "immediate" and not self.keeps("read-immediate") and ours:
            s = self.free(s, call.name)
        complete = len(s.calls[number].got) == 2 or (what == "reply" and not self.keeps("read-reply"))
        if not complete:
            return s
        delivered = call.at == "sent" and not call.inline
        if delivered:
            s = self.call(s, number, at="delivered")
        if not ours or not self.keeps("read-immediate"):
            return s
        if delivered and self.keeps("read-release"):
            return self.slot(s, call.name, "delivered")
        return self.free(s, call.name)

    def placed(self, s, name, number):
        """The queue pair implies the epoch."""
        s = s._replace(writes=s.writes - {(name, number)})
        s = s._replace(memory=put(s.memory, self.place(name), number if self.keeps("read-source") else s.source))
        if name.epoch != s.reached:
            return s
        if not s.receives[name.lane] and self.counted:
            return s._replace(problem="an immediate finds no receive")
        s = s._replace(receives=put(s.receives, name.lane, 0))
        named = [number for number, call in enumerate(s.calls) if call.name == name]
        return self.got(s, named[-1], "immediate") if named else s

    def lost(self, s):
        s = s._replace(epoch=s.epoch + 1, up=False)
        for number, call in enumerate(s.calls):
            if call.at == "sent" and not call.inline:
                s = self.inline(s, number)
        kept = ("free", "delivered") if self.keeps("read-held") else ("free",)
        s = s._replace(slots=tuple(slot if slot.state in kept else slot._replace(state="limbo") for slot in s.slots))
        return self.send(s, ("path", s.epoch))

    def welcome(self, s, epoch, _):
        if s.up or epoch != s.epoch:
            return s
        for slot in s.slots:
            if slot.state in ("limbo", "free"):
                s = self.slot(s, Name(slot.name.lane, epoch, 0), "free")
        return s._replace(up=True, receives=(1,) * self.play.lanes)

    # --- the owner ---

    def new_path(self, s, epoch):
        if epoch > s.reached:
            s = s._replace(reached=epoch, alive=True, writes=frozenset() if self.keeps("read-destroyed") else s.writes)
        return self.send(s, ("welcome", s.reached, frozenset()))

    def arrives(self, s, number, name):
        known = s.cache[number]
        once = "read-shm-once" if self.shm else "read-once"
        if not name:
            yield f"{number} is read inline", self.tell(s, number, "data", None)
        elif known and known[0] == "done" and self.keeps(once):
            yield f"{number} comes again, and was done", self.tell(s, number, *known[1:])
        elif known and self.keeps(once):
            yield f"{number} comes again", s
        else:
            time = sum(other == number for other, *_ in s.reading)
            yield f"{number} comes, and begins", s._replace(cache=put(s.cache, number, ("reads",)),
                                                            reading=s.reading | {(number, name, time)})

    def read(self, s, number, name):
        """The owner has read; over shared memory right into the slot."""
        if self.shm:
            after = s._replace(memory=put(s.memory, self.place(name), number))
            after = self.call(after, number, got=frozenset({"immediate"}))
            yield f"{number} is read into its slot", self.answer(after, number, "data follows", name)
        elif name.epoch == s.reached and s.alive:
            after = s._replace(source=number, writes=s.writes | {(name, number)})
            yield f"{number} is read, and its data posted", self.answer(after, number, "data follows", name)
        else:
            yield f"{number} is read, but can't be placed", self.answer(s, number, "again", name)
        yield f"there is nothing to read for {number}", self.answer(s, number, "nothing", name)

    # --- what goes wrong ---

    def accidents(self, s):
        if s.paths and s.up:
            yield "the point of contact gives the data path up", self.lost(s._replace(paths=s.paths - 1))
            if s.alive and not self.shm:
                yield "the queue pair ends at the owner", s._replace(alive=False, writes=frozenset())
        if s.breaks:
            after = s._replace(breaks=s.breaks - 1, heard=frozenset(), net=frozenset(
                ("late", *m[1:]) for m in s.net if m[0] in ("call", "late")))
            for number, call in enumerate(s.calls):
                if call.at == "sent":
                    after = self.inline(after, number) if call.inline else self.send(after, ("call", number, call.name))
            yield "the connection breaks, and everything is sent again", \
                after if s.up else self.send(after, ("path", s.epoch))

    # --- what must not be ---

    def stuck(self, s):
        if any(call.at == "sent" for call in s.calls):
            return "a call is never answered"
        return "a slot is lost" if any(slot.state in ("offered", "limbo", "delivered") for slot in s.slots) else None

    def wrong(self, s):
        for number, call in enumerate(s.calls):
            if call.at == "delivered" and s.memory[self.place(call.name)] != number:
                return "a client is given another READ's data"
        return s.problem


MODELS = {play: (Writes, script) for play, script in WRITES.items()} | {play: (Reads, script) for play, script in READS.items()}


def check(broken):
    """The play that shows the broken rule, or all of them in turn."""
    plays = {RULES[broken][1]: MODELS[RULES[broken][1]]} if broken else MODELS
    return first_problem(plays, lambda model, rule: model[0](model[1], rule), broken)


if __name__ == "__main__":
    sys.exit(command(__doc__, {rule: sentence for rule, (sentence, _) in RULES.items()}, check, sys.argv[1:]))
