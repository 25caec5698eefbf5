#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# clients_test.py -- what clients note when they are refused, put off, or get no answer at all; without a server
import itertools
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from clients import Client, Objects, Refused  # noqa: E402
from linear import FOREVER  # noqa: E402
from rpc import RpcError  # noqa: E402


class Scripted(Client):
    """A client whose calls are answered, one after the other, by results, words of refusal, or LOST. Each is sent at an
    even moment and answered at the odd one behind it."""

    def __init__(self, *answers, faulty=False):
        self.clock, self.answers, self.connections = itertools.count(), iter(answers), 0
        super().__init__("client", None, "v3")
        self.begin(Objects(), faulty)

    def connect(self):
        self.connections += 1

    def __getattr__(self, kind):
        if kind not in ("getattr", "write", "rename"):
            raise AttributeError(kind)
        return self.call

    def call(self, *_args):
        self.sent, self.answered = next(self.clock), next(self.clock)
        answer = next(self.answers)
        if answer == "LOST":
            raise RpcError("CLOSED")
        if answer in ("DELAY", "BADSESSION", "IO", "NOENT"):
            raise Refused(answer)
        return answer

    def noted(self):
        return [(one.kind, one.call, one.ret, one.result, one.maybe) for one in self.history]


class Noted(unittest.TestCase):
    def test_an_answer(self):
        client = Scripted("OK", "NOENT")
        self.assertEqual([client.do("rename", "/0", "a", "/0", "b") for _ in range(2)], ["OK", "NOENT"])
        self.assertEqual(client.noted(), [("rename", 0, 1, "OK", False), ("rename", 2, 3, "NOENT", False)])

    def test_what_is_put_off_is_done_once(self):
        client = Scripted("DELAY", "BADSESSION", "OK")
        client.do("rename", "/0", "a", "/0", "b")
        self.assertEqual(client.noted(), [("rename", 4, 5, "OK", False)])
        self.assertEqual(client.connections, 2)

    def test_a_question_is_asked_again(self):
        client = Scripted("LOST", [1, 0])
        client.do("getattr", "f1")
        self.assertEqual(client.noted(), [("getattr", 2, 3, [1, 0], False)])

    def test_a_lost_write_is_sent_again(self):
        client = Scripted("LOST", "DELAY", "OK")
        client.do("write", "f1", 0, 7)
        self.assertEqual(client.noted(), [("write", 0, 5, None, True), ("write", 4, 5, "OK", False)])

    def test_a_lost_rename_is_left_alone(self):
        client = Scripted("DELAY", "LOST")
        self.assertIsNone(client.do("rename", "/0", "a", "/0", "b"))
        self.assertEqual(client.noted(), [("rename", 2, FOREVER, None, True)])

    def test_an_io_error_says_nothing(self):
        for kind in ("rename", "write"):
            client = Scripted("IO", faulty=True)
            client.do(kind, "f1", 0, 7)
            self.assertEqual(client.noted(), [(kind, 0, FOREVER, None, True)])

    def test_an_io_error_of_what_changes_nothing_is_one(self):
        client = Scripted("IO", faulty=True)
        client.do("getattr", "f1")
        self.assertEqual(client.noted(), [("getattr", 0, 1, "IO", False)])


if __name__ == "__main__":
    unittest.main()
