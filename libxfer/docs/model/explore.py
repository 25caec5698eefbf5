# SPDX-License-Identifier: LGPL-3.0-or-later
# explore.py -- visits all states of a model, breadth first, and finds the shortest way to one that must not be; a model's command line
"""A model has initial(), steps(state), which yields (what happens, next state), and wrong(state), which is None or says
what must not be. States are hashable."""

import os
import sys


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


# --- a model's command line ---


def first_problem(plays, make, broken):
    """check() for command(): the plays in turn, until something is wrong in one. make(play, broken) gives the model."""
    states = 0
    for name, play in plays.items():
        found = explore(make(play, broken))
        states += found.states
        if found.problem:
            return states, found, name
    return states, None, None


def command(doc, rules, check, words):
    """rules: name to sentence. check(broken): (states, Found, where) with a rule broken, or (None) with none; the latter two are
    None if nothing is wrong. The exit status."""
    if not words:
        return show_all(rules, check)
    if words[0] in rules:
        return show_one(rules, check, words[0])
    print(f"{doc}\nRules: {', '.join(rules)}", file=sys.stderr)
    return 2


def show_one(rules, check, rule):
    states, found, where = check(rule)
    print(f"without \"{rules[rule]}\": {states} states")
    if found:
        print(f"{where}: {found.problem}\n  " + "\n  ".join(found.trace))
    return 0 if found else 1


def show_all(rules, check):
    states, found, where = check(None)
    print(f"all rules: {states} states, {found.problem if found else 'nothing wrong'}")
    if found:
        print(f"{where}:\n  " + "\n  ".join(found.trace))
    wrong = found is not None
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md"), encoding="utf-8") as file:
        table = file.read()
    for rule, sentence in rules.items():
        _, found, _ = check(rule)
        line = f"| {sentence} | {len(found.trace)} | {found.problem} |" if found else f"NOTHING is found without \"{sentence}\""
        listed = line in table
        print(line if listed else f"{line}     (not in README.md)")
        wrong = wrong or not listed
    return 1 if wrong else 0
