# SPDX-License-Identifier: LGPL-3.0-or-later
# memory.py -- how much memory daemons take, and may take (tests/bench/crowd, tests/integration/crowd)
"""What they may take is added up as libxfer/docs/memory.md has it, from what their status says of their configuration and
from the constants that it doesn't say. All numbers are bytes."""

import pathlib
import re
import threading

SOURCES = pathlib.Path(__file__).resolve().parent.parent.parent
PERIOD_SECONDS = 0.1
MIB = 1024 * 1024
CALL_BYTES = 8192  # a request with its groups and its answer's head
RECEIVE_BYTES = 65536  # that a call may keep of its connection's receive memory


def constant(file, name):
    """One of ours: NAME 28u << 20, NAME (64 << 20), or name = 256."""
    text = (SOURCES / file).read_text(encoding="utf-8")
    found = re.search(rf"\b{name}\s*=?\s*\(?(\d+)u?(?: << (\d+))?", text)
    return int(found.group(1)) << int(found.group(2) or 0)


PAYLOAD_OUT_MAX = constant("libxfer/control/protocol.h", "XFER_PAYLOAD_OUT_MAX")
KEPT_MAX = constant("libxfer/bufpool.h", "XFER_BUFPOOL_KEEP")
CALLS_MAX = constant("libxfer/control/protocol.c", "calls_max")
HEAP_KEPT_MAX = constant("fsal_rdmaxfer/heap.h", "HEAP_KEPT_MAX") * constant("fsal_rdmaxfer/heap.h", "HEAP_ARENAS")


def fields(path, names):
    """KiB in files of /proc."""
    told = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines() if ":" in line)
    return {name: int(told[field].split()[0]) * 1024 for name, field in names.items()}


def sample(pid):
    """rss is all that is mapped and there, shared the part of it that others have, too; pss counts that by parts."""
    proc = pathlib.Path(f"/proc/{pid}")
    return {
        **fields(proc / "status", {"rss": "VmRSS", "anonymous": "RssAnon", "shared": "RssShmem"}),
        **fields(proc / "smaps_rollup", {"pss": "Pss", "pss_anonymous": "Pss_Anon", "pss_shared": "Pss_Shmem"}),
    }


class Watch(threading.Thread):
    """The most that each of some processes had while it ran: with Watch(pids) as watch, then watch.peaks."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.ended, self.peaks = pids, threading.Event(), {}

    def look(self):
        for name, pid in self.pids.items():
            peak = self.peaks.setdefault(name, {})
            for what, value in sample(pid).items():
                peak[what] = max(value, peak.get(what, 0))

    def run(self):
        while not self.ended.wait(PERIOD_SECONDS):
            self.look()

    def __enter__(self):
        self.look()
        self.start()
        return self

    def __exit__(self, *_problem):
        self.ended.set()
        self.join()
        self.look()


def own(idle):
    """What a daemon has had before any load, without slots."""
    return idle["rss"] - idle["shared"]


def owner_may(idle, status):
    """Of an owner, by what; status: with its sessions."""
    paths = [one["path"] for one in status["sessions"] if "path" in one]
    sessions = len(status["sessions"])
    return {
        "idle": own(idle),
        "slots of WRITEs": sum(path["write"]["bytes"] for path in paths),
        "slots of READs": sum(path["read"]["bytes"] for path in paths),
        "payload inside RPCs": 2 * PAYLOAD_OUT_MAX * sessions,
        "calls": CALLS_MAX * (CALL_BYTES + RECEIVE_BYTES) * sessions,
        "buffers kept": KEPT_MAX,
    }


def contact_may(idle, status):
    """Of a point of contact: Ganesha keeps the bytes of a WRITE twice until it is answered, those of a READ once."""
    sessions = status["sessions"]
    sizes = [size for one in sessions if "path" in one for size in one["path"]["sizes"]]
    return {
        "idle": own(idle),
        "slots": sum(one["slots"] * one["slot_size"] for one in sizes),
        "waiting": 2 * sum(one["waiting_max"] for one in sessions),
        "under way": 2 * PAYLOAD_OUT_MAX * len(sessions),
        "buffers kept": KEPT_MAX,
        "heap kept": HEAP_KEPT_MAX,
    }


def mib(value):
    return round(value / MIB)
