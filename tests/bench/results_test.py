#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# results_test.py -- what the benchmarks make of measurements is right, for measurements that are made up
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import results  # noqa: E402
from progress import Progress  # noqa: E402
from workloads import Io, Part  # noqa: E402

MIB = 1024 * 1024


READS = Io("seq", MIB, "1m", False, 1)
CREATES = Part("meta-create-d1")


def io(rate, cpu_seconds=1.0):
    """What nfsload says of a GiB."""
    return {"MiB/s": rate, "lat_us": {"mean": 1000 / rate, "p99": 2000 / rate}, "bytes": 1024 * MIB,
            "cpu_seconds": cpu_seconds, "delays": 1}


def meta(rate):
    return {"ops/s": rate, "lat_us": {"mean": 1, "p99": 1}, "bytes": 0, "delays": 0}


def entries():
    return [
        results.entry("vfs", 3, READS, [io(100), io(400), io(200)]),
        results.entry("vfs", 4, READS, [io(50)]),
        results.entry("proxy_v4", 4, READS, [io(10)]),
        results.entry("shm", 3, READS, [io(100, 4.0), io(90, 2.0), io(120, 9.0)]),
        results.entry("shm", 4, READS, [io(25)]),
        results.entry("vfs", 3, CREATES, [meta(10)]),
        results.entry("shm", 3, CREATES, [meta(20)]),
    ]


class Statistics(unittest.TestCase):
    def test_summary(self):
        self.assertEqual(results.summary([3, 1, 2]), {"median": 2, "min": 1, "max": 3, "runs": [3, 1, 2]})
        self.assertEqual(results.summary([4, 1, 2, 3])["median"], 2.5)
        self.assertIsNone(results.summary([1, None]))

    def test_entry(self):
        one = entries()[3]
        self.assertEqual((one["rate"]["median"], one["rate"]["min"], one["rate"]["max"]), (100, 90, 120))
        self.assertEqual(one["cpu_seconds_per_gib"]["median"], 4.0)
        self.assertEqual(one["delays"], 3)
        self.assertIsNone(entries()[5]["cpu_seconds_per_gib"])

    def test_ratios(self):
        """Of medians, by the same version, to all that come before; workloads stay together."""
        ratios = results.ratios_of(entries())
        found = {(one["workload"], one["target"], one["base"], one["nfs"]): one for one in ratios}
        self.assertEqual(len(found), len(ratios))
        self.assertEqual({key: one["rate"] for key, one in found.items()}, {
            ("seq-1m-read-d1", "shm", "vfs", 3): 0.5,
            ("seq-1m-read-d1", "shm", "vfs", 4): 0.5,
            ("seq-1m-read-d1", "shm", "proxy_v4", 4): 2.5,
            ("seq-1m-read-d1", "proxy_v4", "vfs", 4): 0.2,
            ("meta-create-d1", "shm", "vfs", 3): 2.0,
        })
        one = found["seq-1m-read-d1", "shm", "vfs", 3]
        self.assertEqual((one["latency"], one["cpu"]), (2.0, 4.0))
        self.assertIsNone(found["meta-create-d1", "shm", "vfs", 3]["cpu"])
        self.assertEqual(ratios[-1]["workload"], "meta-create-d1")

    def test_workload_names(self):
        self.assertEqual(READS.name, "seq-1m-read-d1")
        self.assertEqual(Io("rand", 4096, "4k", True, 1, 16).name, "rand-4k-write-d1-c16")


class Time(unittest.TestCase):
    def test_progress(self):
        progress = Progress(["long", "short", "unknown", "long", "short"])
        self.assertEqual(progress.seconds_left(), 0)
        progress.done("long", 100)
        progress.done("short", 20)
        self.assertEqual(progress.seconds_left(), 60 + 100 + 20)
        self.assertEqual(str(progress), "[2/5, 3:00 left]")
        progress.done("short", 40)
        self.assertEqual(progress.seconds_left(), 65 + 100)


if __name__ == "__main__":
    unittest.main()
