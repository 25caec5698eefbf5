# SPDX-License-Identifier: LGPL-3.0-or-later
# workloads.py -- what benchmarks have nfsload do (tests/bench/run and others)
"""Names tell what it is: seq-1m-read-d8-c16 reads 1 MiB at a time, one after the other, with 8 operations under way on
each of 16 connections."""

import fnmatch

MIB = 1024 * 1024
READ_FILE, WRITE_FILE = "bench-read.dat", "bench-write.dat"
# So many operations are counted: enough for mounting and opening to vanish in it, though each is traced.
COUNTED_OPS = {MIB: 256, 64 * 1024: 1000, 4096: 2000}
COUNTED_FILES, COUNTED_ENTRIES = 500, 10000
PASSES = 4  # of meta: create, stat and unlink, and a stat that finds nothing, which isn't timed
LISTINGS = 2


class Io:
    """What one call of nfsload measures; `parts` are what its lines of results are about, one each."""

    command = "io"

    def __init__(self, pattern, size, label, writing, depth, conns=1):
        self.pattern, self.size, self.writing, self.depth, self.conns = pattern, size, writing, depth, conns
        self.name = f"{pattern}-{label}-{'write' if writing else 'read'}-d{depth}{f'-c{conns}' if conns > 1 else ''}"
        # Of large operations bytes count, of small ones their number; the two are in proportion.
        self.unit = "MiB/s" if pattern == "seq" else "ops/s"
        self.parts = [self]

    def shape(self, args):
        return [
            "--pattern", self.pattern, "--size", str(self.size), "--depth", str(self.depth), "--conns", str(self.conns),
            "--file-size", str(args.file_mib * MIB),
        ]

    def few(self):
        return str(12 if self.size >= MIB else 200)

    def arguments(self, args):
        load = self.shape(args) + (["--ops", self.few()] if args.quick else ["--duration", str(args.seconds)])
        if self.writing:
            return load + ["--file", WRITE_FILE, "--fill", "--write", "--verify"]
        return load + ["--file", READ_FILE, "--read"]

    def counted(self, args):
        """A fixed number of operations, and nothing else."""
        ops = self.few() if args.quick else str(COUNTED_OPS[self.size])
        files = ["--file", WRITE_FILE, "--write"] if self.writing else ["--file", READ_FILE, "--read"]
        return self.shape(args) + ["--ops", ops, *files]

    def operations(self, results, _args):
        return results[0]["ops"]


class Part:
    """One of several results of a workload."""

    def __init__(self, name, unit="ops/s"):
        self.name, self.unit = name, unit


class Metadata:
    """Creates, stats and unlinks files."""

    command = "meta"

    def __init__(self, depth):
        self.depth, self.name = depth, f"meta-d{depth}"
        self.parts = [Part(f"meta-{what}-d{depth}") for what in ("create", "stat", "unlink")]

    def arguments(self, args):
        return ["--count", str(args.files), "--depth", str(self.depth)]

    def counted(self, args):
        return self.arguments(args)

    def operations(self, _results, args):
        return PASSES * args.files


class Listing:
    """Lists a large directory that the servers have never seen, with attributes, and once more right afterwards."""

    command, name = "list", "list"

    def __init__(self):
        self.parts = [Part(f"list-{when}", "entries/s") for when in ("new", "again")]

    def arguments(self, args):
        return ["--count", str(args.entries), "--times", str(LISTINGS)]

    def counted(self, args):
        return self.arguments(args)

    def operations(self, _results, args):
        """Entries, so that it doesn't depend on how many there are."""
        return LISTINGS * args.entries


def everything():
    shapes = [
        ("seq", MIB, "1m", [(1, 1), (8, 1), (1, 16)]),
        ("seq", 64 * 1024, "64k", [(8, 1)]),
        ("rand", 4096, "4k", [(1, 1), (16, 1), (1, 16)]),
    ]
    return [
        Io(pattern, size, label, writing, depth, conns)
        for pattern, size, label, ways in shapes for writing in (False, True) for depth, conns in ways
    ] + [Metadata(1), Metadata(8), Listing()]


def parts(chosen, pattern):
    return [part for workload in chosen for part in workload.parts if fnmatch.fnmatch(part.name, pattern)]
