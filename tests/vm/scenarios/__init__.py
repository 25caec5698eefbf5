# SPDX-License-Identifier: LGPL-3.0-or-later
# The tests that run in guests: a scenario is a function, named GROUP.NAME after its file and itself
"""A scenario raises Failed, or whatever goes wrong; it takes the other guest where it needs two."""

import dataclasses
import typing

SCENARIOS = {}


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    run: typing.Callable
    guests: int
    seconds: int  # what it may take


def scenario(guests=1, seconds=60):
    """Lists a function among the scenarios."""

    def listed(function):
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        SCENARIOS[name] = Scenario(name, function, guests, seconds)
        return function

    return listed
