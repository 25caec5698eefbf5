#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# suite_test.py -- tests of the suite's own parts, without a server
import importlib.machinery
import importlib.util
import os
import struct
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rpc  # noqa: E402
import suite  # noqa: E402
from xdr import (BOOL, I32, U32, U64, VOID, Array, Bytes, Chain, Enum, Optional, Reader, Record, Struct,  # noqa: E402
                 Union, XdrError)


def script(name):
    """One of the suite's commands as a module."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    loader = importlib.machinery.SourceFileLoader(name, path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


compare = script("compare")
selftest = script("selftest")
ANSWERS = Enum({"YES": 0, "NO": 1, "LATER": 2})


class Xdr(unittest.TestCase):
    def both(self, kind, value, data):
        self.assertEqual(kind.encode(value), data)
        self.assertEqual(kind.decode(data), value)

    def test_numbers(self):
        self.both(U32, 0xFFFFFFFE, b"\xff\xff\xff\xfe")
        self.both(I32, -2, b"\xff\xff\xff\xfe")
        self.both(U64, 1, bytes(7) + b"\x01")
        self.both(BOOL, True, b"\0\0\0\x01")
        with self.assertRaises(XdrError):
            BOOL.decode(b"\0\0\0\x02")

    def test_opaques(self):
        self.both(Bytes(), b"abcde", b"\0\0\0\x05abcde\0\0\0")
        self.both(Bytes(size=3), b"abc", b"abc\0")
        for data in (b"\0\0\0\x05abcde\0\0\x01", b"\0\0\0\x05abcde", b"\0\0\0\x09abcde\0\0\0"):
            with self.assertRaises(XdrError):
                Bytes().decode(data)
        with self.assertRaises(XdrError):
            Bytes(limit=4).decode(b"\0\0\0\x05abcde\0\0\0")
        with self.assertRaises(XdrError):
            Bytes(size=3).encode(b"ab")

    def test_arrays_and_lists(self):
        self.both(Array(U32), [7, 8], struct.pack(">III", 2, 7, 8))
        self.both(Array(U32, size=2), [7, 8], struct.pack(">II", 7, 8))
        self.both(Chain(U32), [7, 8], struct.pack(">IIIII", 1, 7, 1, 8, 0))
        self.both(Optional(U32), None, bytes(4))
        self.both(Optional(U32), 5, struct.pack(">II", 1, 5))
        with self.assertRaises(XdrError):
            Array(U32, limit=1).decode(struct.pack(">III", 2, 7, 8))
        with self.assertRaises(XdrError):
            Array(U32).decode(struct.pack(">II", 0xFFFFFFFF, 7))

    def test_structures(self):
        pair = Struct(("first", U32), second=Bytes())
        self.both(pair, Record(first=1, second=b"x"), b"\0\0\0\x01\0\0\0\x01x\0\0\0")
        with self.assertRaises(XdrError):
            pair.encode(Record(first=1))
        choice = Union("answer", ANSWERS, {0: Struct(count=U32), 1: None})
        self.both(choice, Record(answer=0, count=3), struct.pack(">II", 0, 3))
        self.both(choice, Record(answer=1), struct.pack(">I", 1))
        with self.assertRaises(XdrError):
            choice.decode(struct.pack(">I", 2))
        choice = Union("answer", ANSWERS, {0: Struct(count=U32)}, default=Struct())
        self.both(choice, Record(answer=2), struct.pack(">I", 2))

    def test_nothing_left_over(self):
        with self.assertRaises(XdrError):
            U32.decode(bytes(8))
        with self.assertRaises(XdrError):
            U32.unpack(Reader(bytes(3)))

    def test_zero_can_be_encoded(self):
        kind = Struct(a=U32, b=Bytes(size=8), c=Array(U32, size=2), d=Optional(U32), e=Chain(U32),
                      f=Union("answer", ANSWERS, {0: Struct(count=U32)}))
        self.assertEqual(kind.decode(kind.encode(kind.zero())), kind.zero())


class Spoiling(unittest.TestCase):
    kind = Struct(number=U64, flag=BOOL, name=Bytes(), maybe=Optional(Struct(x=U32)), items=Chain(Struct(y=U32)),
                  choice=Union("answer", ANSWERS, {0: Struct(count=U32)}, default=Struct()))
    value = Record(number=5, flag=True, name=b"n", maybe=Record(x=1), items=[Record(y=1), Record(y=2)],
                   choice=Record(answer=0, count=9))

    def test_paths(self):
        paths = [path for path, _ in self.kind.spots(self.value)]
        self.assertEqual(paths, ["number", "flag", "name", "maybe.x", "maybe?", "items.y", "items.y", "items#",
                                 "choice.answer", "choice.count"])

    def test_each_differs_and_can_be_decoded(self):
        good = self.kind.encode(self.value)
        seen = set()
        for path, spoiled in self.kind.spots(self.value):
            data = self.kind.encode(spoiled)
            self.assertNotEqual(data, good, path)
            self.assertEqual(self.kind.decode(data), spoiled, path)
            seen.add(data)
        self.assertEqual(len(seen), 10)
        self.assertEqual(self.kind.encode(self.value), good)

    def test_empty_values(self):
        spoiled = dict(self.kind.spots(self.kind.zero()))
        self.assertEqual(spoiled["name"].name, b"x")
        self.assertEqual(spoiled["maybe?"].maybe, Record(x=0))
        self.assertEqual(spoiled["items#"].items, [Record(y=0)])


ECHO = rpc.Program(0x20000001, 1, [(0, "NULL", VOID, VOID),
                                   (1, "ADD", Struct(a=U32, b=U32), Struct(sum=U32, note=Bytes()))])


def accepted(results, stat=0):
    """A reply without its xid."""
    return struct.pack(">IIIII", 1, 0, 0, 0, stat) + results


def recorded(*replies, proc=1):
    return [(ECHO.number, 1, proc, reply) for reply in replies]


class Rpc(unittest.TestCase):
    def answer(self, reply):
        tape = rpc.Tape(recorded(reply))
        return rpc.Connection("", 0, tape).call(ECHO, "ADD", Record(a=1, b=2))

    def test_success(self):
        self.assertEqual(self.answer(accepted(struct.pack(">II", 3, 0))), Record(sum=3, note=b""))

    def test_errors(self):
        replies = {
            "PROC_UNAVAIL": accepted(b"", 3), "GARBAGE_ARGS": accepted(b"", 4),
            "PROG_MISMATCH": accepted(struct.pack(">II", 2, 4), 2),
            "RPC_MISMATCH": struct.pack(">IIIII", 1, 1, 0, 2, 2), "AUTH_ERROR": struct.pack(">IIII", 1, 1, 1, 5),
            "BADREPLY": struct.pack(">IIIII", 0, 0, 0, 0, 0), "CLOSED": None}
        for what, reply in replies.items():
            with self.assertRaises(rpc.RpcError) as caught:
                self.answer(reply)
            self.assertEqual(caught.exception.what, what)
        with self.assertRaises(rpc.RpcError):
            self.answer(struct.pack(">IIIII", 1, 0, 1, 0, 0))
        with self.assertRaises(XdrError):
            self.answer(accepted(struct.pack(">III", 3, 0, 0)))

    def test_tape(self):
        tape = rpc.Tape()
        self.assertEqual(tape.value(lambda: 7), 7)
        tape.note(1, 2, 3, b"x")
        again = rpc.Tape(tape.entries, lambda index, reply: reply + b"%d" % index)
        self.assertEqual(again.value(lambda: 8), 7)
        self.assertEqual(again.next(1, 2, 3), b"x1")
        with self.assertRaises(rpc.RpcError):
            again.next(1, 2, 3)
        with self.assertRaises(rpc.RpcError):
            rpc.Tape(tape.entries).next(1, 2, 3)


@suite.environment("v3")
class Adding(suite.Environment):
    """An environment that adds numbers."""

    def open(self):
        self.connection = rpc.Connection("", 0, self.tape)

    def begin(self, code):
        pass

    def close(self):
        pass

    def add(self, a, b):
        return self.connection.call(ECHO, "ADD", Record(a=a, b=b))


class Registered(unittest.TestCase):
    """Tests that have a registry of their own."""

    def setUp(self):
        self.kept, suite.TESTS = suite.TESTS, {}
        selftest.suite.TESTS = suite.TESTS
        self.environments = dict(suite.ENVIRONMENTS)
        suite.ENVIRONMENTS["v3"] = Adding

    def tearDown(self):
        suite.TESTS = selftest.suite.TESTS = self.kept
        suite.ENVIRONMENTS.update(self.environments)

    @staticmethod
    def case(code, flags="v3", depends=(), function=None):
        def nothing(_env):
            "nothing"
        suite.test(code, flags, cites=[("RFC", "sentence")], depends=depends)(function or nothing)


class Selection(Registered):
    def setUp(self):
        super().setUp()
        self.case("A1", "v3 names", depends=["B1"])
        self.case("B1", "v3 io", depends=["C1"])
        self.case("C1", "v40 io")
        self.case("D1", "v40 names")

    def test_all(self):
        self.assertEqual(suite.select([]), ["C1", "B1", "A1", "D1"])

    def test_words(self):
        self.assertEqual(suite.select(["A1"]), ["C1", "B1", "A1"])
        self.assertEqual(suite.select(["names"]), ["C1", "B1", "A1", "D1"])
        self.assertEqual(suite.select(["v40", "noio"]), ["D1"])
        self.assertEqual(suite.select(["nov3", "noC1"]), ["D1"])
        with self.assertRaises(KeyError):
            suite.select(["nobody"])

    def test_registration(self):
        for wrong in (("A1", "v3"), ("E1", "v3 v40"), ("E1", "names")):
            with self.assertRaises(ValueError):
                self.case(*wrong)
        with self.assertRaises(ValueError):
            suite.test("E1", "v3", cites=[])(lambda env: None)


class Running(Registered):
    """One test on tapes, the outcomes, and the recording."""

    def setUp(self):
        super().setUp()

        def adds(env):
            "ADD adds"
            suite.equal("the sum", env.add(1, 2).sum, 3)
        self.case("ADD1", "v3 add", function=adds)
        self.target = suite.Target("", 0, 0, "/", "x")

    def run_on(self, *replies, code="ADD1"):
        return suite.run_test(code, self.target, rpc.Tape(recorded(*replies)), b"")

    def test_outcomes(self):
        good = accepted(struct.pack(">II", 3, 0))
        self.assertEqual(self.run_on(good).outcome, "pass")
        for status, replies in {"": [accepted(struct.pack(">II", 4, 0))], "XDR": [good[:-4]], "TAPE": [],
                                "PROC_UNAVAIL": [accepted(b"", 3)]}.items():
            result = self.run_on(*replies)
            self.assertEqual((result.outcome, result.status), ("fail", status))
        self.assertEqual(self.run_on(good, good).outcome, "fail")

    def test_expectations(self):
        suite.expect(ANSWERS, 1, "NO", "LATER")
        with self.assertRaises(suite.Failed) as caught:
            suite.expect(ANSWERS, 1, "YES")
        self.assertEqual(caught.exception.status, "NO")

        def refuses():
            raise rpc.RpcError("GARBAGE_ARGS")
        suite.expect_rpc("GARBAGE_ARGS CLOSED", refuses)
        with self.assertRaises(suite.Failed):
            suite.expect_rpc("CLOSED", refuses)
        with self.assertRaises(suite.Failed):
            suite.expect_rpc("CLOSED", lambda: None)

    def test_recording_on_disk(self):
        recording = suite.Recording(self.target)
        recording.prepared["v3"] = b"\0base"
        tape = rpc.Tape()
        tape.value(lambda: 7)
        tape.note(1, 2, 3, b"\xff")
        tape.note(1, 2, 3, None)
        recording.tapes["ADD1"] = tape
        with tempfile.TemporaryDirectory() as directory:
            recording.save(os.path.join(directory, "tapes"))
            again = suite.Recording.load(os.path.join(directory, "tapes"))
        self.assertEqual(again.tapes["ADD1"].entries, tape.entries)
        self.assertEqual(again.prepared, recording.prepared)
        self.assertEqual(again.target.__dict__, self.target.__dict__)


class Selftest(Registered):
    def check(self, function, *replies):
        self.case("ADD1", "v3 add", function=function)
        recording = suite.Recording(suite.Target("", 0, 0, "/", "x"))
        recording.prepared["v3"] = b""
        recording.tapes["ADD1"] = rpc.Tape(recorded(*replies))
        check = selftest.Check(recording)
        check.replay_all()
        return check

    good = accepted(struct.pack(">II", 3, 0))

    @staticmethod
    def looks_at_sum(env):
        "ADD adds"
        suite.equal("the sum", env.add(1, 2).sum, 3)

    @staticmethod
    def looks_away(env):
        "ADD answers"
        env.add(1, 2)

    def test_caught_and_missed(self):
        check = self.check(self.looks_at_sum, self.good)
        caught, missed, _ = selftest.measure(check, selftest.Opaques([]))
        self.assertEqual(check.problems, [])
        self.assertEqual(missed, [("ADD", "note")])
        self.assertEqual(caught, [("ADD", "sum"), ("RPC", "accept_stat"), ("RPC", "mtype"), ("RPC", "reply_stat"),
                                  ("RPC", "verf.body"), ("RPC", "verf.flavor")])

    def test_opaques(self):
        check = self.check(self.looks_away, self.good)
        opaques = selftest.Opaques(["# comment\n", "\n", "A* no* the server's\n", "RPC verf.* checked\n"])
        caught, missed, excused = selftest.measure(check, opaques)
        self.assertEqual((len(caught), missed), (3, [("ADD", "sum")]))
        self.assertEqual(excused[("A*", "no*", "the server's\n")], ([], [("ADD", "note")]))
        self.assertEqual(len(excused[("RPC", "verf.*", "checked\n")][0]), 2)
        with self.assertRaises(ValueError):
            selftest.Opaques(["ADD sum"])

    def test_one_of_several_replies_is_enough(self):
        def first_only(env):
            "ADD adds"
            suite.equal("the sum", env.add(1, 2).sum, 3)
            env.add(1, 2)
        caught, _, _ = selftest.measure(self.check(first_only, self.good, self.good), selftest.Opaques([]))
        self.assertIn(("ADD", "sum"), caught)

    def test_unspoiled_replays(self):
        self.assertIn("its replay fails", self.check(self.looks_at_sum, accepted(struct.pack(">II", 4, 0))).problems[0])

    def test_bytes_again(self):
        check = self.check(self.looks_away, self.good + bytes(4))
        self.assertEqual(len(check.problems), 2)
        self.assertIn("reply 0", check.problems[1])

    def test_faults_of_the_suite(self):
        def divides(env):
            "ADD adds"
            suite.equal("the quotient", 3 // (env.add(1, 2).sum - 2), 3)
        check = self.check(divides, self.good)
        _, missed, _ = selftest.measure(check, selftest.Opaques([]))
        self.assertIn(("ADD", "sum"), missed)
        self.assertIn("ZeroDivisionError", check.problems[0])

    def test_errors_are_replies_too(self):
        def refused(env):
            "ADD is unknown"
            suite.expect_rpc("PROC_UNAVAIL", env.add, 1, 2)
        check = self.check(refused, accepted(b"", 3))
        caught, _, _ = selftest.measure(check, selftest.Opaques([]))
        self.assertIn(("RPC", "reply.accepted.accept_stat"), caught)


def outcome(code, result="pass", status="", text=""):
    return {"code": code, "outcome": result, "status": status, "text": text}


class Compare(unittest.TestCase):
    def problems(self, ours, theirs, lines=()):
        return list(compare.compare(ours, theirs, compare.read_differences(lines)))

    def test_same(self):
        results = [outcome("A"), outcome("B", "fail", "ISDIR", "one text"), outcome("C", "skip")]
        others = [outcome("A"), outcome("B", "fail", "ISDIR", "another text"), outcome("C", "skip")]
        self.assertEqual(self.problems(results, others), [])

    def test_unlisted_difference(self):
        problems = self.problems([outcome("A")], [outcome("A", "fail", "ISDIR")])
        self.assertIn("A: pass instead of fail/ISDIR", problems[0])
        self.assertEqual(len(self.problems([outcome("A", "fail", "INVAL")], [outcome("A", "fail", "ISDIR")])), 1)

    def test_only_one_ran_it(self):
        self.assertEqual(len(self.problems([outcome("A")], [outcome("A"), outcome("B")])), 1)
        self.assertEqual(len(self.problems([outcome("A"), outcome("B")], [outcome("A")])), 1)

    def test_listed(self):
        lines = ["# comment", "A pass fail/ISDIR RFC 1813 3.3.1: because"]
        self.assertEqual(self.problems([outcome("A")], [outcome("A", "fail", "ISDIR")], lines), [])
        self.assertIn("no longer differs", self.problems([outcome("A")], [outcome("A")], lines)[0])
        self.assertIn("differences.txt has", self.problems([outcome("A")], [outcome("A", "fail")], lines)[0])
        self.assertIn("didn't run", self.problems([outcome("B")], [outcome("B")], lines)[0])

    def test_list(self):
        for lines in (["A pass fail"], [f"A{number} pass fail why" for number in range(11)]):
            with self.assertRaises(ValueError):
                compare.read_differences(lines)


if __name__ == "__main__":
    unittest.main()
