# SPDX-License-Identifier: LGPL-3.0-or-later
# linear.py -- whether a history of concurrent operations is linearizable, and the least that shows that it isn't
"""A history is linearizable (Herlihy and Wing, "Linearizability: a correctness condition for concurrent objects", 1990)
if each operation can be given one moment between its call and its return such that all of them, done at these moments
one by one, give the answers that were seen.

Search is the algorithm of Wing and Gong ("Testing and verifying concurrent objects", 1993): an operation can come next
if none that hasn't been done yet had returned before it was called; try those, go back where none fits. As in Lowe's
"Testing for linearizability" (2017) and Porcupine, a configuration (what is done, and the state) is entered once
only. Histories of independent objects are checked apart (Horn and Kroening, "Faster linearizability checking via
P-compositionality", 2015); that is sound because footprint() names all objects that an operation depends on or changes.

The model of what is tested is an object with
    initial            a hashable state
    step(state, op)    the state after op, `state` itself if op changes nothing, or None if op can't answer so
    footprint(op)      the objects of op; operations without a common one, through others, neither, are independent
    expand(ops)        the operations, with several in place of one that needs several moments (files.py: READDIR)
    changes(op)        whether it can, if it answered so
    telling(ops)       the operations that change nothing, but without which others couldn't be understood
    visible(ops)       the operations without those whose changes none of them can see

An operation whose client got no answer may be done at any time after its call, or never: `maybe`, and it returns
FOREVER. The search is bounded: who gives up raises GaveUp, which says nothing about the history."""

import dataclasses
import json

FOREVER = float("inf")
LIMIT = 200_000
STORY_LIMIT = 5_000


class GaveUp(Exception):
    """Too many configurations."""


@dataclasses.dataclass(frozen=True, eq=False)
class Operation:
    """call and ret are times of one clock; result None: nobody knows. client says who, for people."""

    client: str
    kind: str
    args: tuple
    call: float
    ret: float = FOREVER
    result: object = None
    maybe: bool = False

    def __str__(self):
        until = "..." if self.ret == FOREVER else f"{self.ret / 1e6:.3f}"
        answer = "no answer" if self.result is None else self.result
        words = " ".join(map(str, self.args))
        return f"{self.call / 1e6:10.3f} to {until:>10} ms  {self.client:10} {self.kind} {words}: {answer}"

    def changed(self, **fields):
        return dataclasses.replace(self, **fields)


def unanswered(client, kind, args, call):
    return Operation(client, kind, args, call, maybe=True)


class Search:
    """Of one history. A configuration is (first, done, past, state): all of self.musts before first are done and, bit
    by bit, those of `done` behind it; `past` are the bits of self.maybes that are done, or too late to be."""

    def __init__(self, model, operations, limit=LIMIT):
        self.model, self.limit = model, limit
        self.musts = sorted((op for op in operations if not op.maybe), key=lambda op: op.call)
        self.maybes = sorted((op for op in operations if op.maybe), key=lambda op: op.call)
        self.must_ends, self.maybe_ends = self.ends(self.musts), self.ends(self.maybes)
        self.wall = -1

    def ends(self, operations):
        """For each of operations the maybes that had ended before it was called."""
        return [sum(1 << j for j, maybe in enumerate(self.maybes) if maybe.ret < op.call) for op in operations]

    def passes(self):
        """Whether it is linearizable. If not, self.wall is when the first answer returned that can't be explained."""
        start = (0, 0, 0, self.model.initial)
        seen, stack = {start}, [start]
        while stack:
            config = stack.pop()
            if config[0] == len(self.musts):
                return True
            for after in reversed(self.successors(*config)):
                if after not in seen:
                    seen.add(after)
                    stack.append(after)
            if len(seen) > self.limit:
                raise GaveUp(f"{len(seen)} configurations of {len(self.musts)} operations and {len(self.maybes)} "
                             "without an answer")
        return False

    def successors(self, first, done, past, state):
        """In the order in which they are to be tried. What never changes anything and fits now, and makes it too late
        for nothing, may as well be done now."""
        deadline, found = FOREVER, []
        for i in range(first, len(self.musts)):
            op = self.musts[i]
            if op.call > deadline:
                break
            if done >> (i - first) & 1:
                continue
            deadline = min(deadline, op.ret)
            after = self.model.step(state, op)
            if after is not None:
                config = self.after_must(first, done, past, i, after)
                if not self.model.changes(op) and after is state and config[2] == past:
                    return [config]
                found.append((op.ret, i, config))
        self.wall = max(self.wall, deadline)
        found.sort(key=lambda one: one[:2])
        return [config for _, _, config in found] + self.by_maybes(first, done, past, state, deadline)

    def after_must(self, first, done, past, i, state):
        done |= 1 << (i - first)
        while done & 1:
            done >>= 1
            first += 1
        return first, done, past | self.must_ends[i], state

    def by_maybes(self, first, done, past, state, deadline):
        """One that changes nothing needn't be done."""
        found = []
        for j, op in enumerate(self.maybes):
            if op.call > deadline:
                break
            if past >> j & 1:
                continue
            after = self.model.step(state, op)
            if after is not None and after is not state:
                found.append((first, done, past | 1 << j | self.maybe_ends[j], after))
        return found


def parts(model, operations):
    """The operations by independent objects."""
    leader = {}

    def find(thing):
        while leader.setdefault(thing, thing) != thing:
            leader[thing] = thing = leader[leader[thing]]
        return thing
    for op in operations:
        first, *others = model.footprint(op)
        for other in others:
            leader[find(other)] = find(first)
    found = {}
    for op in operations:
        found.setdefault(find(next(iter(model.footprint(op)))), []).append(op)
    return list(found.values())


class Violation:
    """story: as few operations as are needed to see that the answer of the last one that returned can't be explained;
    others: how many more were under way, or done before, and don't explain it, either."""

    def __init__(self, story, others):
        self.story, self.others = story, others
        self.culprit = max(story, key=lambda op: op.ret)

    def __str__(self):
        lines = [f"  {'->' if op is self.culprit else '  '} {op}" for op in self.story]
        return "\n".join([*lines, f"     ({self.others} more operations until then don't explain it)"])


def unexplained(model, history, limit=LIMIT):
    """None; or of the first answer that can't be explained the time, and the operations on objects connected with it.
    Raises GaveUp."""
    first = None
    for part in parts(model, model.expand(history)):
        search = Search(model, part, limit)
        if not search.passes() and (first is None or search.wall < first[0]):
            first = search.wall, part
    return first


def check(model, history, limit=LIMIT):
    """None, or the first Violation. Raises GaveUp."""
    found = unexplained(model, history, limit)
    if found is None:
        return None
    wall, part = found
    until = []
    for op in part:
        if op.ret > wall:
            op = op.changed(maybe=True, ret=FOREVER)
        if op.call <= wall and (not op.maybe or model.changes(op)):
            until.append(op)
    return Story(model, until).shrink()


class Story:
    """Takes away what isn't needed: an answer that changes nothing is forgotten, a change becomes one that may or may
    not have been made. Both allow more, so that what can't be explained still couldn't be with everything."""

    def __init__(self, model, operations):
        self.model = model
        self.operations = sorted(operations, key=lambda op: op.call)
        self.total = len(operations)
        self.needed = model.telling(operations)

    def shrink(self):
        self.relax_all(self.forgotten)
        self.operations = self.model.visible(self.operations)
        self.relax_all(self.uncertain)
        story = [op for op in self.operations if not op.maybe]
        return Violation(story, self.total - len(story))

    def relax_all(self, relaxed):
        """Many at once, if possible."""
        size = len(self.operations)
        while size:
            for at in reversed(range(0, len(self.operations), size)):
                self.relax(relaxed, at, at + size)
            size //= 2

    def relax(self, relaxed, start, stop):
        """self.operations[start:stop], if the others are enough."""
        old = self.operations[start:stop]
        new = [relaxed(op) for op in old]
        operations = self.operations[:start] + [op for op in new if op] + self.operations[stop:]
        if new != old and self.is_violation(operations):
            self.operations = operations

    def forgotten(self, op):
        return op if self.model.changes(op) or op in self.needed else None

    def uncertain(self, op):
        return op.changed(maybe=True) if self.model.changes(op) and not op.maybe else op

    def is_violation(self, operations):
        try:
            return not all(Search(self.model, part, STORY_LIMIT).passes() for part in parts(self.model, operations))
        except GaveUp:
            return False


def to_json(history):
    """A line per operation."""
    def entry(op):
        ret = None if op.ret == FOREVER else op.ret
        return json.dumps([op.client, op.kind, op.args, op.call, ret, op.result, op.maybe])
    return "[\n" + ",\n".join(map(entry, history)) + "\n]\n"


def from_json(text):
    return [Operation(client, kind, tuple(args), call, FOREVER if ret is None else ret, result, maybe)
            for client, kind, args, call, ret, result, maybe in json.loads(text)]
