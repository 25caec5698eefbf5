# SPDX-License-Identifier: LGPL-3.0-or-later
# counts.py -- what operations cost, counted instead of timed (tests/bench/run --counts)
"""Each workload runs twice on each target, with a fixed number of operations: once as it is, for context switches and
our own counters, and once while strace counts the system calls, which by itself makes context switches. What strace
has seen of the control connections' sendmsg and recvmsg is compared with our counters. It may be a little more: it
sees those that ask for the counters, too."""

import argparse
import pathlib

from clusters import say
from results import cell
from traces import traced
from workloads import COUNTED_ENTRIES, COUNTED_FILES, WRITE_FILE

# Of the session itself, and the questions for the counters.
NO_OPERATIONS = {"NULL", "HELLO", "TOKEN", "ATTACH", "PING", "STATUS", "EVENTS"}
CHECKED = {"sendmsg": "send_calls", "recvmsg": "recv_calls"}


def smaller(args):
    """The same with fewer files."""
    if args.quick:
        return args
    return argparse.Namespace(**{**vars(args), "files": COUNTED_FILES, "entries": COUNTED_ENTRIES})


def switches(pid):
    """Context switches of each thread that lives, wanted or not."""
    counts = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            lines = (task / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # it has ended meanwhile
            continue
        counts[task.name] = sum(int(line.split()[1]) for line in lines if "ctxt_switches:" in line)
    return counts


def all_switches(cluster):
    return {(node, task): count for node, pid in cluster.daemons().items() for task, count in switches(pid).items()}


def counters(cluster):
    """Of both daemons, if they are ours."""
    return {node: cluster.status(node)["counters"] for node in cluster.daemons()} if cluster.ours else {}


def grown(before, after):
    return sum(count - before.get(key, 0) for key, count in after.items())


def operations_called(owner):
    return sum(count for name, count in owner["rpcs"].items() if name not in NO_OPERATIONS)


def copied(daemons):
    return sum(one["payload_copied_bytes"] for one in daemons.values())


def deviation(seen, counted):
    """In percent of what we counted."""
    return 100 * (seen - counted) / counted if counted else None


def per_operation(calls, operations):
    """Of each name, the most frequent first."""
    return {name: count / operations for name, count in calls.most_common()}


def checks(before, after, traces):
    """For each node and system call, what we counted and what was seen."""
    found = []
    for node in after:
        for call, name in CHECKED.items():
            counted, seen = after[node][name] - before[node][name], traces[node].control[call]
            percent = deviation(seen, counted)
            found.append({"node": node, "call": call, "counted": counted, "seen": seen, "percent": percent})
    return found


class Counting:
    """A workload on a target."""

    def __init__(self, target, workload, args):
        self.target, self.workload, self.args = target, workload, smaller(args)
        self.cluster = target.cluster

    def prepared(self):
        """What nfsload is to be told, after all that isn't counted."""
        arguments = self.workload.counted(self.args)
        if WRITE_FILE in arguments:
            size = ["--file-size", f"{self.args.file_mib}M"]
            self.cluster.load(self.target.nfs, ["--fill", "--file", WRITE_FILE, *size])
        if self.workload.command == "list":
            arguments += ["--dir", self.cluster.populate(self.args.entries)]
        return arguments

    def load(self, arguments):
        results = self.cluster.load(self.target.nfs, arguments, self.workload.command)
        return self.workload.operations(results, self.args)

    def plain(self):
        """Totals, and of how many operations."""
        arguments = self.prepared()
        asked = counters(self.cluster)
        before = all_switches(self.cluster)
        operations = self.load(arguments)
        totals = {"context_switches": grown(before, all_switches(self.cluster))}
        told = counters(self.cluster)
        if told:
            totals["rpcs"] = operations_called(told["owner1"]) - operations_called(asked["owner1"])
            totals["copied_bytes"] = copied(told) - copied(asked)
        return totals, operations

    def traced(self):
        arguments = self.prepared()
        with traced(self.cluster) as traces:
            before = counters(self.cluster)
            operations = self.load(arguments)
            after = counters(self.cluster)
        totals = {"system_calls": sum(sum(trace.calls.values()) for trace in traces.values())}
        if "owner1" in traces:
            totals["control_bytes"] = traces["owner1"].bytes
        calls = {node: per_operation(trace.calls, operations) for node, trace in traces.items()}
        return totals, operations, calls, checks(before, after, traces)

    def count(self):
        totals, operations = self.plain()
        seen, traced_operations, calls, checked = self.traced()
        entry = {"workload": self.workload.name, "target": self.cluster.name, "nfs": self.target.nfs}
        entry["operations"] = operations
        for name in ("context_switches", "rpcs", "copied_bytes"):
            entry[name] = totals[name] / operations if name in totals else None
        for name in ("system_calls", "control_bytes"):
            entry[name] = seen[name] / traced_operations if name in seen else None
        return {**entry, "calls": calls, "checks": checked}


def print_counts(entries):
    say(f"\nfor each operation; a file counts as four (create, stat, unlink, stat), a listing's entry as one\n"
        f"{'workload':<22} {'target':<12} {'counted':>7} {'sys calls':>9} {'switches':>8} {'RPCs':>6} "
        f"{'control B':>10} {'copied B':>10}")
    for one in entries:
        say(f"{one['workload']:<22} {one['target'] + ' v' + str(one['nfs']):<12} {one['operations']:7} "
            f"{one['system_calls']:9.2f} {one['context_switches']:8.2f} {cell(one['rpcs'], '.3f'):>6} "
            f"{cell(one['control_bytes'], '.1f'):>10} {cell(one['copied_bytes'], '.1f'):>10}")
    print_checks(entries)


def print_checks(entries):
    if not any(one["checks"] for one in entries):
        return
    say(f"\nour counters beside what strace has seen\n"
        f"{'workload':<22} {'target':<12} {'node':<7} {'call':<8} {'counted':>8} {'seen':>8} {'percent':>8}")
    for one in entries:
        for check in one["checks"]:
            say(f"{one['workload']:<22} {one['target'] + ' v' + str(one['nfs']):<12} {check['node']:<7} "
                f"{check['call']:<8} {check['counted']:8} {check['seen']:8} {cell(check['percent'], '+.2f'):>8}")
