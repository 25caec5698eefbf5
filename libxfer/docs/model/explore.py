# SPDX-License-Identifier: LGPL-3.0-or-later
# explore.py -- visits all states of a model, breadth first, and finds the shortest way to one that must not be
"""A model has initial(), steps(state), which yields (what happens, next state), and wrong(state), which is None or says
what must not be. States are hashable."""


class Found:
    """What came of it: the number of states, and the shortest trace to a wrong one, if there is any."""

    def __init__(self, states, problem=None, trace=()):
        self.states, self.problem, self.trace = states, problem, list(trace)


def explore(model, limit=5_000_000):
    first = model.initial()
    came_from = {first: None}
    frontier = [first]
    while frontier:
        following = []
        for state in frontier:
            for happens, after in model.steps(state):
                if after in came_from:
                    continue
                came_from[after] = (state, happens)
                if problem := model.wrong(after):
                    return Found(len(came_from), problem, trace_to(after, came_from))
                following.append(after)
        if len(came_from) > limit:
            raise MemoryError(f"more than {limit} states")
        frontier = following
    return Found(len(came_from))


def trace_to(state, came_from):
    steps = []
    while came_from[state]:
        state, happens = came_from[state]
        steps.append(happens)
    return reversed(steps)
