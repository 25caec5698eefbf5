# SPDX-License-Identifier: LGPL-3.0-or-later
# counts.py -- what operations cost: by the nodes' own counters, by the device's, and by the kernel's of their connections
import dataclasses
import pathlib
import re

from guest import DEVICE, OWNER_PORT, run

HARDWARE = pathlib.Path(f"/sys/class/infiniband/{DEVICE}/ports/1/hw_counters")


def hardware_counter(name):
    return int((HARDWARE / name).read_text(encoding="ascii"))


def tcp_bytes():
    """Both ways, on all connections from the point of contact to the owner."""
    shown = run("ss", "-tinH", f"dport = :{OWNER_PORT}")
    return sum(int(number) for number in re.findall(r"bytes_(?:sent|received):(\d+)", shown))


def rise(before, after):
    """Of counters, or tables of them."""
    if isinstance(after, dict):
        return {name: rise(before.get(name, {}) if isinstance(value, dict) else before.get(name, 0), value)
                for name, value in after.items()}
    return after - before


@dataclasses.dataclass
class Counts:
    owner: dict
    contact: dict
    device: dict
    tcp_bytes: int
    posts: int  # of both ends' queue pairs
    registrations: int  # at both ends

    @classmethod
    def now(cls, owner, contact):
        status = [node.status() for node in (owner, contact)]
        paths = [session.get("path", {}) for one in status for session in one["sessions"]]
        return cls(
            *[one["counters"] for one in status],
            {file.name: hardware_counter(file.name) for file in HARDWARE.iterdir()},
            tcp_bytes(),
            sum(pair["posted"] for path in paths for pair in path.get("queue_pairs", ())),
            sum(path.get("registrations", 0) for path in paths))


class Counting:
    """What the nodes do from here on."""

    def __init__(self, owner, contact):
        self.nodes = owner, contact
        self.before = Counts.now(*self.nodes)

    def done(self):
        before, after = vars(self.before), vars(Counts.now(*self.nodes))
        return Counts(**{name: rise(before[name], after[name]) for name in after})
