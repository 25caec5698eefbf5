#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# checker_test.py -- the checker of killed daemons' histories finds what is wrong in them, and nothing else
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402


class History:
    """Records one second apart, each half a second long."""

    def __init__(self):
        self.records = []

    def add(self, op, status="OK", **fields):
        now = float(len(self.records))
        self.records.append({"op": op, "status": status, "begin": now, "end": now + 0.5, **fields})
        return self

    def write(self, seq, stable=False, verf="v1", block=0, status="OK", committed=None):
        return self.add("write", status, file=1, block=block, seq=seq, stable=stable, verf=verf,
                        committed=stable if committed is None else committed)

    def commit(self, verf="v1"):
        return self.add("commit", file=1, verf=verf)

    def read(self, seq, block=0):
        return self.add("read", file=1, blocks={block: seq})

    def event(self, what):
        return self.add("event", what=what)

    def name(self, op, status="OK", **fields):
        return self.add(op, status, **{"name": "d", **fields})

    def during(self, what):
        """The last operation was under way when it happened."""
        last = self.records[-1]
        self.records.append({"op": "event", "what": what, "begin": last["begin"] + 0.1, "end": last["end"] + 3})
        return self


class Base(unittest.TestCase):
    def good(self, history):
        self.assertEqual(checker.check(history.records), [])

    def bad(self, history, *texts):
        found = [wrong for _record, wrong in checker.check(history.records)]
        self.assertEqual(len(found), len(texts), found)
        for text, violation in zip(texts, found):
            self.assertIn(text, violation)


class Data(Base):
    def test_what_was_written_is_read(self):
        self.good(History().write(1).read(1).write(2, stable=True).read(2).write(3).commit().read(3))

    def test_stable_is_lost(self):
        for what in ("process", "kernel", "poc", "cut"):
            self.bad(History().write(1, stable=True).write(2, stable=True).event(what).read(1),
                     "is 1, but 2 was acknowledged as stable")

    def test_committed_is_lost(self):
        self.bad(History().write(1, stable=True).write(2).commit().event("kernel").read(1),
                 "is 1, but 2 was acknowledged as stable")

    def test_unsynced_is_lost_with_the_kernel(self):
        self.good(History().write(1, stable=True).write(2).event("kernel").read(1))
        self.good(History().write(1, stable=True).write(2).during("kernel").read(1))

    def test_unsynced_is_lost_without(self):
        for what in ("process", "poc", "shutdown", "cut"):
            self.bad(History().write(1, stable=True).write(2).event(what).read(1), "is 1, but 2 was there")

    def test_unsynced_of_a_later_kernel_is_lost(self):
        self.bad(History().write(1, stable=True).event("kernel").write(2).read(1), "is 1, but 2 was there")

    def test_the_verifier_tells(self):
        self.good(History().write(1, stable=True).write(2).event("kernel").commit("v2").read(1).write(2, verf="v2")
                  .commit("v2").event("kernel").read(2))

    def test_the_verifier_does_not_tell(self):
        self.bad(History().write(1, stable=True).write(2).event("kernel").commit("v1").read(1),
                 "is 1, but 2 was acknowledged as stable")

    def test_a_commit_is_of_one_verifier(self):
        self.bad(History().write(1, stable=True).write(2).write(3, verf="v2", block=1).commit("v2").event("kernel")
                 .read(1).read(0, block=1), "is 0, but 3 was acknowledged as stable")

    def test_older_overwrites_newer(self):
        self.bad(History().write(1).write(2).read(2).read(1), "is 1, but 2 was there")
        self.bad(History().write(1, stable=True).write(2, stable=True).read(1), "but 2 was acknowledged as stable")

    def test_what_was_read_stays(self):
        self.bad(History().write(1, stable=True).write(2, status="IO").during("shutdown").write(3).read(3).read(1),
                 "is 1, but 3 was there")

    def test_another_content(self):
        self.bad(History().write(1).read(None), "content that nobody wrote")
        self.bad(History().write(1).read(2), "which nobody has written yet")

    def test_less_stable_than_asked(self):
        self.bad(History().write(1, stable=True, committed=False), "without being stable")
        self.good(History().write(1, committed=True).event("kernel").read(1))

    def test_blocks_are_apart(self):
        self.good(History().write(1, block=0).write(2, block=1).read(1, block=0).read(2, block=1))

    def test_unknown_fate(self):
        """Carried out late, or never."""
        begin = History().write(1, stable=True).write(2, status="IO").during("shutdown").write(3, stable=True)
        self.good(begin.read(3).read(2))
        self.bad(begin.read(1), "is 1, but 3 was acknowledged as stable")

    def test_late_after_poc(self):
        history = History().write(1, stable=True).write(2).during("poc").write(3, stable=True).read(2)
        self.bad(history, "is 2, but 3 was acknowledged as stable")
        self.bad(History().write(1, stable=True).write(2).during("poc").write(3, stable=True).read(1),
                 "is 1, but 3 was acknowledged as stable")


class Errors(Base):
    def test_an_error_for_nothing(self):
        self.bad(History().write(1, status="IO"), "is answered IO")
        self.bad(History().event("shutdown").add("event", what="process").read(0).write(1, status="IO"), "answered IO")
        self.bad(History().add("read", "IO", file=1, blocks={}).during("process"), "is answered IO")
        self.bad(History().add("commit", "IO", file=1, verf="").during("process"), "is answered IO")
        self.bad(History().name("mkdir", "SERVERFAULT").during("process"), "is answered SERVERFAULT")

    def test_ganesha_is_killed(self):
        self.bad(History().write(1, status="IO").during("poc"), "is answered IO")

    def test_unknown_fate(self):
        for what in ("process", "kernel", "cut"):
            self.bad(History().write(1, status="IO").during(what), "is answered IO")
        self.good(History().name("mkdir", "IO").during("shutdown"))


class NameSpace(Base):
    def test_good(self):
        self.good(History().name("mkdir").name("lookup").name("mkdir", "EXIST").name("rmdir").name("rmdir", "NOENT")
                  .name("lookup", "NOENT").name("mkdir").name("rename", to="e").name("lookup", name="e")
                  .name("lookup", "NOENT"))

    def test_carried_out_twice(self):
        self.bad(History().name("mkdir", "EXIST"), "is answered EXIST, but it was not there")
        self.bad(History().name("mkdir", "EXIST").during("cut"), "is answered EXIST")
        self.bad(History().name("mkdir").name("rmdir", "NOENT").during("cut"), "is answered NOENT, but it was there")
        self.bad(History().name("mkdir").name("rename", "NOENT", to="e").during("cut"), "is answered NOENT")

    def test_the_reply_cache_has_died(self):
        for what in ("process", "kernel", "poc"):
            self.good(History().name("mkdir", "EXIST").during(what).name("lookup"))
            self.good(History().name("mkdir").name("rmdir", "NOENT").during(what).name("lookup", "NOENT"))
            self.good(History().name("mkdir").name("rename", "NOENT", to="e").during(what)
                      .name("lookup", name="e").name("lookup", "NOENT"))
        self.bad(History().name("mkdir").name("rename", "NOENT", to="e").during("process").name("lookup", "NOENT", name="e"),
                 "is answered NOENT, but it was there")

    def test_late_after_poc(self):
        history = History().name("mkdir").name("rmdir").during("poc").name("mkdir").name("lookup", "NOENT")
        self.bad(history, "is answered NOENT, but it was there")

    def test_lost(self):
        self.bad(History().name("mkdir").event("kernel").name("lookup", "NOENT"), "answered NOENT, but it was there")
        self.bad(History().name("mkdir").name("rmdir").name("lookup"), "answered OK, but it was not there")
        self.bad(History().name("mkdir").name("rename", to="e").name("lookup", "NOENT", name="e"), "answered NOENT")

    def test_nobody_can_know(self):
        for status in ("OK", "NOENT"):
            self.good(History().name("mkdir", "IO").during("shutdown").name("lookup").name("lookup", status))
            self.good(History().name("mkdir").name("rename", "IO", to="e").during("shutdown")
                      .name("lookup", status).name("lookup", status, name="e"))


class Context(Base):
    def test_the_same_subject_and_events(self):
        history = History().write(1).name("mkdir").write(2).event("process").write(3, block=7).read(1)
        (record, _wrong), = checker.check(history.records)
        self.assertEqual([one["op"] for one in checker.context(history.records, record, 3.6)],
                         ["write", "event", "write", "read"])
        for one in history.records:
            checker.describe(one)


if __name__ == "__main__":
    unittest.main()
