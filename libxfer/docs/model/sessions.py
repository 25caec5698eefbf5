#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# sessions.py -- a model of sessions: epochs, reply cache, CANCEL, restarts, and what becomes of a file's contents
"""sessions.py [RULE]: explores the model with all rules in force, then with each rule broken (or with one of them)

One client changes one object, one operation after the other, through one point of contact at one owner. It sends an
operation again when it is answered DELAY, when the point of contact is restarted, and when a COMMIT's verifier isn't the
one of the data. Connections break, and messages on them are lost or overtake each other (a session has several lanes);
the point of contact and the owner's process die and come back, the owner's kernel too; a thread of the owner may take
arbitrarily long for an operation, even beyond its process's end (in a system call).

Exit status: 0 the rules hold, breaking any of them is found, and README.md's table says so; 1 not so."""

import sys
from collections import namedtuple

from explore import command, explore

RULES = {
    "delay": "an operation whose fate is unknown is never answered DELAY",
    "cache": "the owner keeps the reply of each call slot, and doesn't execute a call again",
    "cache-epochs": "the reply cache survives the session's epochs",
    "same-sequence": "a call is sent again under its own sequence number",
    "hold": "an operation waits for operations of earlier epochs and sessions on its object",
    "fence": "a successor serves a volume only when nothing of its predecessor executes any more",
    "cancel-confirmed": "DELAY only after the owner has confirmed the CANCEL",
    "cancel-remembered": "a call that was cancelled before it arrived isn't executed when it arrives",
    "cancel-executing": "a CANCEL of a call that executes doesn't say that it isn't executed",
    "verifier": "the write verifier tells one boot of the owner's kernel from the next",
    "unstable": "unstable data counts as written only after a COMMIT with the same verifier",
}

# What the client does, one after the other: (operation, what it changes, stable).
SCRIPTS = {
    "two stable writes": (("write", 1, True), ("write", 2, True)),
    "an unstable write, COMMIT": (("write", 1, False), ("commit", 1, True)),
    "something that must not be done twice, a write": (("append", 0, True), ("write", 1, True)),
}

# So many accidents in one history, of any kind; and so many CANCELs.
ACCIDENTS = 3
CANCELS = 1

Call = namedtuple("Call", "step sequence state")  # state: new, sent, cancelling
Execution = namedtuple("Execution", "process session epoch sequence step ended")
State = namedtuple("State", """
    step waits verifier delayed
    call session epoch sequence up
    net
    process kernel cache executing
    volatile durable appended
    accidents cancels late""")
# The client: `step` of its script, whether it waits, the verifier that its unstable data was written under, and calls
#   of which it was told that they are not executed.
# The point of contact: its call, the session (a number, with its restarts), epoch, last sequence, whether it is connected.
# net: messages under way on this epoch's lanes: (kind, sequence, ...).
# The owner: its process (0: none), its kernel's boot, the reply cache: (session, sequence, "executing" | "cancelled" |
#   reply), what executes; the file's contents in memory and on disk, and by which processes, for which sessions, it was appended to.
# late: an operation was executed of which the client had been told that it isn't.


class Sessions:
    def __init__(self, script, broken=None):
        self.script, self.broken = script, broken

    def keeps(self, rule):
        return rule != self.broken

    def initial(self):
        return State(step=0, waits=False, verifier=None, delayed=frozenset(), call=None, session=1, epoch=1, sequence=0,
                     up=True, net=frozenset(), process=1, kernel=1, cache=None, executing=frozenset(), volatile=0,
                     durable=0, appended=(), accidents=ACCIDENTS, cancels=CANCELS, late=False)

    def steps(self, s):
        yield from self.client(s)
        yield from self.point_of_contact(s)
        yield from self.owner(s)
        yield from self.accidents(s)

    # --- the client, and the point of contact ---

    def client(self, s):
        if not s.waits and s.step < len(self.script) and s.call is None:
            yield "the client asks", s._replace(waits=True, call=Call(s.step, 0, "new"))

    def answered(self, s, reply):
        """The call has ended, and the client is told."""
        s = s._replace(call=None, waits=False)
        if reply == "delay":
            return s
        verifier = reply
        if self.script[s.step][0] == "commit" and self.keeps("unstable") and verifier != s.verifier:
            return s._replace(step=s.step - 1)  # the data has to be written again
        return s._replace(step=s.step + 1, verifier=verifier)

    def point_of_contact(self, s):
        call = s.call
        if call and call.state == "new" and not s.up:
            yield "what wasn't sent is answered DELAY", self.answered(s, "delay")
        if call and call.state == "new" and s.up:
            yield "the call is sent", self.sent(s, self.numbered(s, call))
        if call and call.state == "sent" and s.up and s.cancels:
            after = s._replace(cancels=s.cancels - 1, call=call._replace(state="cancelling"),
                               net=s.net | {("cancel", call.sequence)})
            if not self.keeps("cancel-confirmed"):
                after = self.answered(after._replace(delayed=s.delayed | {(s.session, call.sequence)}), "delay")
            yield "CANCEL is sent", after
        for message in s.net:
            if message[0] in ("reply", "cancelled"):
                yield from self.received(s, message)

    def numbered(self, s, call):
        return call._replace(sequence=s.sequence + 1)

    def sent(self, s, call):
        return s._replace(call=call._replace(state="sent"), sequence=call.sequence, net=s.net | {("call", call.sequence, call.step)})

    def received(self, s, message):
        after = s._replace(net=s.net - {message})
        if not s.call or s.call.sequence != message[1]:
            yield "an old answer", after
        elif message[0] == "reply":
            yield "the answer arrives", self.answered(after, message[2])
        else:
            delayed = s.delayed | {(s.session, s.call.sequence)}
            yield "CANCEL is confirmed", self.answered(after._replace(delayed=delayed), "delay")

    # --- the owner ---

    def owner(self, s):
        for message in s.net:
            if message[0] == "call":
                yield from self.arrives(s, message)
            elif message[0] == "cancel":
                yield from self.cancels(s, message)
        for execution in s.executing:
            yield "an operation is done", self.done(s, execution)

    def cached(self, s, sequence):
        if s.cache and self.keeps("cache") and s.cache[:2] == (s.session, sequence):
            return s.cache[2]
        return None

    def arrives(self, s, message):
        _, sequence, step = message
        after = s._replace(net=s.net - {message})
        known = self.cached(s, sequence)
        if known == "executing":
            yield "a call that is executing arrives again", after
        elif known == "cancelled":
            yield "a cancelled call arrives", after
        elif known is not None:
            yield "a call that was done arrives again", after._replace(net=after.net | {("reply", sequence, known)})
        elif s.cache and self.keeps("cache") and s.cache[0] == s.session and s.cache[1] > sequence:
            yield "a call before the last one arrives", after
        elif not self.must_wait(s):
            execution = Execution(s.process, s.session, s.epoch, sequence, step, False)
            yield "a call is executed", after._replace(cache=(s.session, sequence, "executing"),
                                                       executing=s.executing | {execution})

    def must_wait(self, s):
        return self.keeps("hold") and any((e.session, e.epoch) != (s.session, s.epoch) for e in s.executing)

    def cancels(self, s, message):
        sequence = message[1]
        after = s._replace(net=s.net - {message})
        known = self.cached(s, sequence)
        confirmed = after._replace(net=after.net | {("cancelled", sequence)})
        if known == "executing":
            yield "CANCEL of what executes", after if self.keeps("cancel-executing") else confirmed
        elif known == "cancelled":
            yield "CANCEL once more", confirmed
        elif known is not None:
            yield "CANCEL of what is done", after._replace(net=after.net | {("reply", sequence, known)})
        elif self.keeps("cancel-remembered"):
            yield "CANCEL of what has not arrived", confirmed._replace(cache=(s.session, sequence, "cancelled"))
        else:
            yield "CANCEL of what has not arrived", confirmed

    def done(self, s, execution):
        """The system call returns; the process that made it may be gone."""
        operation, value, stable = self.script[execution.step]
        after = s._replace(executing=s.executing - {execution})
        if operation == "append":
            after = after._replace(appended=s.appended + ((execution.process, execution.session),))
        elif operation == "write":
            after = after._replace(volatile=value, durable=value if stable else s.durable)
        else:
            after = after._replace(durable=s.volatile)
        if (execution.session, execution.sequence) in s.delayed:
            after = after._replace(late=True)
        if execution.process != s.process or execution.session != s.session:
            return after
        reply = s.kernel if self.keeps("verifier") else 1
        if not self.keeps("cache") or (s.cache and s.cache[:2] == (s.session, execution.sequence)):
            after = after._replace(cache=(s.session, execution.sequence, reply))
        return after._replace(net=after.net | {("reply", execution.sequence, reply)}) if s.up else after

    # --- what goes wrong ---

    def accident(self, s):
        """What all of them bring: the connection is gone, and what was on it."""
        return s._replace(up=False, net=frozenset(), accidents=s.accidents - 1)

    def accidents(self, s):
        if s.accidents and s.up:
            yield "the connection breaks", self.unknown(self.accident(s))
        if s.accidents:
            # The client's call is its own to send again; the point of contact knows nothing of it.
            yield "the point of contact is restarted", self.accident(s)._replace(
                call=None, waits=False, session=s.session + 1, epoch=0)
            yield "the owner's kernel goes", self.unknown(self.accident(s)._replace(
                process=0, cache=None, executing=frozenset(), kernel=s.kernel + 1, volatile=s.durable))
        if s.accidents and s.process:
            yield "the owner's process dies", self.unknown(self.accident(s)._replace(process=0, cache=None))
        if not s.process and not (self.keeps("fence") and s.executing):
            yield "the owner's process starts", s._replace(process=self.next_process(s))
        if not s.up and s.process:
            yield "a new epoch", self.welcome(s)

    def next_process(self, s):
        return 1 + ACCIDENTS - s.accidents

    def unknown(self, s):
        """The connection is gone while a call is under way."""
        if s.call and s.call.state != "new" and not self.keeps("delay"):
            return self.answered(s._replace(delayed=s.delayed | {(s.session, s.call.sequence)}), "delay")
        return s

    def welcome(self, s):
        s = s._replace(up=True, epoch=s.epoch + 1)
        if not self.keeps("cache-epochs"):
            s = s._replace(cache=None)
        if not s.call or s.call.state == "new":
            return s
        return self.sent(s, s.call if self.keeps("same-sequence") else self.numbered(s, s.call))

    # --- what must not be ---

    def wrong(self, s):
        acknowledged = [self.script[step] for step in range(s.step)]
        written = max((value for operation, value, stable in acknowledged if operation == "write" and stable),
                      default=0)
        if s.late:
            return "an operation that was answered DELAY is executed"
        if s.volatile < written or s.durable < written:
            return "an acknowledged write is overwritten by an older one, or lost"
        if len(set(s.appended)) < len(s.appended):
            return "one process executes an operation of one session twice"
        if any(operation == "commit" for operation, *_ in acknowledged) and s.durable != 1:
            return "committed data isn't on the disk"
        return None


def check(broken):
    """(states, the shortest trace's Found, its script) over all scripts; the latter two are None if nothing is wrong."""
    states, best, where = 0, None, None
    for name, script in SCRIPTS.items():
        found = explore(Sessions(script, broken))
        states += found.states
        if found.problem and (best is None or len(found.trace) < len(best.trace)):
            best, where = found, name
    return states, best, where


if __name__ == "__main__":
    sys.exit(command(__doc__, RULES, check, sys.argv[1:]))
