#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# results_test.py -- what the benchmarks make of measurements is right, for measurements that are made up
import importlib.machinery
import importlib.util
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import counts  # noqa: E402
import results  # noqa: E402
from progress import Progress  # noqa: E402
from traces import Trace  # noqa: E402
from workloads import Io, Part  # noqa: E402

MIB = 1024 * 1024


def script(name):
    """One of the programs as a module."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


readme = script("readme")
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

    def test_relative(self):
        relative = results.relative(entries())
        self.assertEqual(relative[3]["shm"]["seq-1m-read-d1"], (0.5, 0.45, 0.6))
        self.assertEqual(relative[3]["vfs"]["seq-1m-read-d1"], (1.0, 0.5, 2.0))
        self.assertEqual(relative[4]["proxy_v4"]["seq-1m-read-d1"], (0.2, 0.2, 0.2))
        self.assertEqual(results.relative(entries(), "rdmaxfer"), {})

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


TRACE = """\
11 epoll_wait(5<anon_inode:[eventpoll]>,  <unfinished ...>
12 recvmsg(9<TCP:[10.99.0.11:40000->10.99.0.51:20491]>,  <unfinished ...>
11 <... epoll_wait resumed>[{events=EPOLLIN, data=0x1}], 64, -1) = 1
12 <... recvmsg resumed>{msg_name=NULL, msg_iov=[{iov_base=""..., iov_len=64}], msg_iovlen=1}, 0) = 40
12 recvmsg(9<TCP:[10.99.0.11:40000->10.99.0.51:20491]>, {msg_namelen=0}, 0) = -1 EAGAIN (Resource unavailable)
11 sendmsg(10<UNIX-STREAM:[1234->1235]>, {msg_iovlen=2}, MSG_NOSIGNAL) = 100
11 sendmsg(11<TCPv6:[[::ffff:10.99.0.11]:2049->[::ffff:10.99.0.100]:700]>, {msg_iovlen=2}, MSG_NOSIGNAL) = 5000
11 write(4<anon_inode:[eventfd]>, ""..., 8) = 8
11 read(7</srv/vol1/file>, ""..., 4096) = 4096
12 futex(0x7f0, FUTEX_WAIT_PRIVATE, 2, NULL <unfinished ...>
11 --- SIGUSR1 {si_signo=SIGUSR1} ---
11 +++ exited with 0 +++
""".splitlines(keepends=True)


class Traces(unittest.TestCase):
    def test_point_of_contact(self):
        trace = Trace("poc1", TRACE)
        self.assertEqual(trace.calls, {"epoll_wait": 1, "recvmsg": 2, "sendmsg": 2, "write": 1, "read": 1})
        self.assertEqual(trace.control, {"recvmsg": 2, "sendmsg": 1})
        self.assertEqual(trace.bytes, 140)

    def test_owner(self):
        """All its sockets count."""
        trace = Trace("owner1", TRACE)
        self.assertEqual(trace.control, {"recvmsg": 2, "sendmsg": 2})
        self.assertEqual(trace.bytes, 5140)

    def test_deviation(self):
        self.assertEqual(counts.deviation(103, 100), 3)
        self.assertEqual(counts.deviation(95, 100), -5)
        self.assertIsNone(counts.deviation(1, 0))

    def test_checks(self):
        before = {"poc1": {"send_calls": 10, "recv_calls": 20}}
        after = {"poc1": {"send_calls": 11, "recv_calls": 24}}
        self.assertEqual(counts.checks(before, after, {"poc1": Trace("poc1", TRACE)}), [
            {"node": "poc1", "call": "sendmsg", "counted": 1, "seen": 1, "percent": 0},
            {"node": "poc1", "call": "recvmsg", "counted": 4, "seen": 2, "percent": -50},
        ])

    def test_switches_and_calls(self):
        self.assertEqual(counts.grown({"a": 5}, {"a": 7, "new": 3}), 5)
        self.assertEqual(counts.operations_called({"rpcs": {"READ": 5, "PING": 9, "GETATTR": 1}}), 6)


class Readme(unittest.TestCase):
    def test_tables(self):
        lines = readme.by_target(entries(), readme.rate).splitlines()
        self.assertEqual(lines[0], "| workload | NFS | unit | vfs | proxy_v4 | shm |")
        self.assertEqual(lines[2],
            "| seq-1m-read-d1 | v3 | MiB/s | 200 (100 to 400) | – | 100 (90.0 to 120) ×0.50 |")
        self.assertEqual(lines[4],
            "| meta-create-d1 | v3 | ops/s | 10.0 (10.0 to 10.0) | – | 20.0 (20.0 to 20.0) ×2.00 |")

    def test_marks(self):
        text = f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n"
        new = f"before\n{readme.BEGIN}\n\nnew\n\n{readme.END}\nafter\n"
        self.assertEqual(readme.replaced(text, "new"), new)
        self.assertEqual(readme.replaced(new, "new"), new)
        self.assertIsNone(readme.replaced("nothing", "new"))
        self.assertIsNone(readme.replaced(f"{readme.BEGIN}\nno end", "new"))

    def test_ours(self):
        """README.md has the marks."""
        with open(readme.SOURCE / "README.md", encoding="utf-8") as file:
            self.assertIsNotNone(readme.replaced(file.read(), ""))


if __name__ == "__main__":
    unittest.main()
