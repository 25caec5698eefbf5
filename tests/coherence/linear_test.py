#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# linear_test.py -- tests of the checker and its model: histories made by hand and at random, right and wrong
import os
import random
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import linear  # noqa: E402
from files import BLOCK, END, MAKES, STEPS, Files, is_dir, is_error  # noqa: E402
from linear import FOREVER, GaveUp, Operation  # noqa: E402

CLIENTS, OPERATIONS = 8, 200
CORRUPTED = 150
SMALL, SMALL_OPERATIONS = 80, 60
CAUGHT_PERCENT = 80
SECONDS = 1.0


def op(call, ret, text, result=None, client="c"):
    """text: kind and arguments; numbers are numbers."""
    kind, *words = text.split()
    args = tuple(int(word) if word.isdigit() else word for word in words)
    return Operation(client, kind, args, call, ret, result, maybe=result is None)


def lost(call, text):
    return op(call, FOREVER, text)


MADE = op(0, 1, "create /0 a", "f1")


class ByHand(unittest.TestCase):
    def good(self, *history):
        self.assertIsNone(linear.check(Files, [MADE, *history]))

    def bad(self, *history, story=None):
        """story: the calls of the operations in it but MADE, the culprit last."""
        violation = linear.check(Files, [MADE, *history])
        self.assertIsNotNone(violation)
        if story:
            calls = [one.call for one in violation.story if one not in (MADE, violation.culprit)]
            self.assertEqual([*calls, violation.culprit.call], story)

    # --- contents

    def test_what_is_written_is_read(self):
        self.good(op(2, 3, "write f1 0 7", "OK"), op(4, 5, "read f1 0", 7), op(4, 5, "read f1 1", END),
                  op(4, 5, "getattr f1", [1, BLOCK]))

    def test_an_error_that_nothing_explains(self):
        self.bad(op(2, 3, "write f1 0 7", "OK"), op(4, 5, "read f1 0", "IO"), op(6, 7, "read f1 0", 7), story=[4])

    def test_a_hole(self):
        self.good(op(2, 3, "write f1 1 7", "OK"), op(4, 5, "read f1 0", 0), op(4, 5, "getattr f1", [1, 2 * BLOCK]))

    def test_a_stale_read(self):
        self.bad(op(2, 3, "write f1 0 7", "OK"), op(4, 5, "write f1 0 8", "OK"), op(6, 7, "read f1 0", 7), story=[4, 6])

    def test_a_read_while_it_is_written(self):
        write = op(2, 3, "write f1 0 7", "OK"), op(4, 9, "write f1 0 8", "OK")
        self.good(*write, op(5, 6, "read f1 0", 7), op(7, 8, "read f1 0", 8))
        self.bad(*write, op(5, 6, "read f1 0", 8), op(7, 8, "read f1 0", 7))

    def test_a_lost_update(self):
        self.bad(op(2, 3, "write f1 0 7", "OK"), op(4, 5, "read f1 0", END), story=[2, 4])

    def test_two_writes_end_in_one_order_for_all(self):
        writes = op(2, 5, "write f1 0 7", "OK"), op(3, 6, "write f1 0 8", "OK")
        for value in (7, 8):
            self.good(*writes, op(7, 8, "read f1 0", value), op(9, 10, "read f1 0", value))
        self.bad(*writes, op(7, 8, "read f1 0", 7), op(9, 10, "read f1 0", 8))

    def test_a_stale_size(self):
        self.bad(op(2, 3, "write f1 1 7", "OK"), op(4, 5, "getattr f1", [1, 0]), story=[2, 4])

    # --- names

    def test_a_name_after_a_rename(self):
        rename = op(2, 3, "rename /0 a /1 b", "OK")
        self.good(rename, op(4, 5, "lookup /0 a", "NOENT"), op(4, 5, "lookup /1 b", "f1"))
        self.bad(rename, op(4, 5, "lookup /0 a", "f1"), story=[2, 4])
        self.bad(rename, op(4, 5, "lookup /1 b", "NOENT"), story=[2, 4])

    def test_a_rename_is_one_moment(self):
        rename = op(2, 9, "rename /0 a /1 b", "OK")
        self.good(rename, op(3, 4, "lookup /0 a", "f1"), op(5, 6, "lookup /1 b", "f1"))
        self.bad(rename, op(3, 4, "lookup /1 b", "f1"), op(5, 6, "lookup /0 a", "f1"))
        self.bad(rename, op(3, 4, "lookup /0 a", "NOENT"), op(5, 6, "lookup /1 b", "NOENT"))

    def test_a_rename_over_another(self):
        history = op(0, 1, "create /0 b", "f2"), op(2, 3, "rename /0 a /0 b", "OK")
        self.good(*history, op(4, 5, "getattr f2", "STALE"), op(4, 5, "getattr f2", [0, 0]))
        self.bad(*history, op(4, 5, "getattr f2", [1, 0]), story=[2, 4])
        self.bad(*history, op(4, 5, "lookup /0 b", "f2"), story=[2, 4])

    def test_a_rename_to_itself(self):
        self.good(op(2, 3, "link f1 /0 b", "OK"), op(4, 5, "rename /0 a /0 b", "OK"), op(6, 7, "lookup /0 a", "f1"))

    def test_a_rename_that_may_change_nothing(self):
        """It has two links of one file, unless the UNLINK comes first."""
        history = op(2, 3, "link f1 /0 b", "OK"), op(4, 9, "rename /0 a /0 b", "OK"), op(4, 9, "unlink /0 b", "OK")
        self.good(*history, op(10, 11, "lookup /0 b", "NOENT"), op(12, 13, "lookup /0 a", "f1"))
        self.good(*history, op(10, 11, "lookup /0 b", "f1"), op(12, 13, "lookup /0 a", "NOENT"))
        self.bad(*history, op(10, 11, "lookup /0 b", "f1"), op(12, 13, "lookup /0 a", "f1"))

    def test_a_name_after_an_unlink(self):
        unlink = op(2, 3, "unlink /0 a", "OK")
        self.bad(unlink, op(4, 5, "lookup /0 a", "f1"), story=[2, 4])
        self.bad(unlink, op(4, 5, "unlink /0 a", "OK"))
        self.bad(unlink, op(4, 5, "create /0 a", "EXIST"), story=[2, 4])
        self.good(unlink, op(4, 5, "lookup /0 a", "NOENT"), op(4, 5, "read f1 0", "STALE"),
                  op(6, 7, "create /0 a", "f2"))

    def test_one_of_two_creates(self):
        for second in ("OK", "f2"):
            self.bad(op(2, 9, "create /0 b", "f3"), op(3, 8, "create /0 b", second))
        self.good(op(2, 9, "create /0 b", "EXIST"), op(3, 8, "create /0 b", "f2"))

    def test_links(self):
        link = op(2, 3, "link f1 /1 b", "OK")
        self.good(link, op(4, 5, "getattr f1", [2, 0]), op(6, 7, "unlink /0 a", "OK"), op(8, 9, "getattr f1", [1, 0]))
        self.bad(link, op(4, 5, "getattr f1", [1, 0]), story=[2, 4])
        self.bad(link, op(4, 5, "unlink /0 a", "OK"), op(6, 7, "unlink /1 b", "OK"), op(8, 9, "link f1 /0 c", "OK"))

    def test_directories(self):
        made = op(0, 1, "mkdir /0 s", "d1"), op(2, 3, "create d1 x", "f2")
        self.good(*made, op(4, 5, "rmdir /0 s", "NOTEMPTY"), op(6, 7, "unlink d1 x", "OK"),
                  op(8, 9, "rmdir /0 s", "OK"), op(10, 11, "create d1 x", "STALE"),
                  op(10, 11, "lookup d1 x", "NOENT"), op(10, 11, "readdir d1", "STALE"))
        self.bad(*made, op(4, 5, "rmdir /0 s", "OK"))
        self.bad(*made, op(4, 5, "rename /0 s d1 t", "OK"))
        self.bad(*made, op(4, 5, "getattr d1", "STALE"))
        self.good(*made, op(4, 5, "rename /0 s d1 t", "INVAL"), op(4, 5, "rename /0 a /0 s", "ISDIR"),
                  op(4, 5, "getattr d1", "dir"))

    def test_listings(self):
        self.good(op(2, 3, "readdir /0", ["a"]), op(4, 5, "create /0 b", "f2"), op(6, 7, "readdir /0", ["b", "a"]))
        self.bad(op(4, 5, "create /0 b", "f2"), op(6, 7, "readdir /0", ["a"]), story=[4, 6])
        self.bad(op(4, 5, "unlink /0 a", "OK"), op(6, 7, "readdir /0", ["a"]), story=[4, 6])

    def test_a_listing_isn_t_atomic(self):
        rename = op(3, 8, "rename /0 a /0 b", "OK")
        for names in ([], ["a"], ["b"], ["a", "b"]):
            self.good(rename, op(2, 9, "readdir /0", names))

    # --- unknown outcomes

    def test_a_lost_write_may_have_happened(self):
        lost_write = lost(2, "write f1 0 7")
        for late in (END, 7):
            self.good(lost_write, op(4, 5, "read f1 0", END), op(6, 7, "read f1 0", late))
        self.bad(lost_write, op(4, 5, "read f1 0", 7), op(6, 7, "read f1 0", END))
        self.bad(lost_write, op(4, 5, "read f1 0", 8), story=[4])

    def test_nothing_happens_before_its_call(self):
        self.bad(op(2, 3, "read f1 0", 7), lost(4, "write f1 0 7"), story=[2])

    def test_it_happens_once(self):
        history = lost(2, "unlink /0 a"), op(4, 5, "lookup /0 a", "NOENT"), op(6, 7, "create /0 a", "f2")
        self.good(*history)
        self.bad(*history, op(8, 9, "lookup /0 a", "NOENT"))

    def test_the_object_of_a_lost_create_is_found(self):
        create, found = lost(2, "create /1 b"), op(4, 5, "lookup /1 b", "f2")
        self.good(create, found, op(6, 7, "getattr f2", [1, 0]), op(6, 7, "lookup /1 b", "f2"))
        self.bad(create, found, op(6, 7, "lookup /1 b", "f3"))
        self.bad(create, op(4, 5, "lookup /1 c", "f2"))
        self.good(create, lost(2, "rename /1 b /1 c"), op(4, 5, "lookup /1 c", "f2"))

    def test_a_second_try_may_be_too_late(self):
        """A WRITE that was sent twice: the first may have been executed until the second was answered."""
        history = op(2, 6, "write f1 0 7"), op(3, 6, "write f1 0 7", "OK"), op(4, 5, "write f1 0 8", "OK")
        self.good(*history, op(7, 8, "read f1 0", 7))
        self.bad(*history, op(7, 8, "write f1 0 9", "OK"), op(9, 10, "read f1 0", 7))

    # --- the search

    def test_giving_up_is_no_pass(self):
        writes = [op(2, 100, f"write f1 0 {value}", "OK") for value in range(12)]
        with self.assertRaises(GaveUp):
            linear.check(Files, [MADE, *writes, op(200, 201, "read f1 0", 99)], limit=1000)

    def test_independent_objects_are_checked_apart(self):
        history = [op(0, 1, f"create /0 n{number}", f"f{number}") for number in range(30)]
        self.assertEqual(len(linear.parts(Files, history)), 30)
        history.append(op(2, 3, "rename /0 n1 /0 n2", "OK"))
        self.assertEqual(len(linear.parts(Files, history)), 29)

    def test_json(self):
        history = [MADE, lost(2, "write f1 0 7"), op(4, 5, "getattr f1", [1, 0])]
        copied = linear.from_json(linear.to_json(history))
        self.assertEqual([vars(one) for one in copied], [vars(one) for one in history])


# --- histories of real executions


class Execution:
    """Random operations of CLIENTS on few names, done one by one; the intervals around these moments overlap."""

    def __init__(self, seed, operations=OPERATIONS, lost_percent=0):
        self.random = random.Random(seed)
        self.tree, self.made, self.told = Files.initial, 0, {}
        self.lost_percent = lost_percent
        self.free = [0.0] * CLIENTS
        self.history = [self.one(float(moment)) for moment in range(10, 10 * operations + 10, 10)]

    def one(self, moment):
        client = self.random.randrange(CLIENTS)
        call = max(self.free[client], moment - self.random.expovariate(1 / 30))
        ret = self.free[client] = moment + self.random.expovariate(1 / 30)
        if call > moment:
            call, ret = moment, max(moment, ret)
        kind = self.random.choice([*sorted(set(STEPS) - {"listed", "renamed"}), "create", "lookup", "read"])
        done = Operation(f"client{client}", kind, self.arguments(kind, call), call, ret)
        self.tree, done = self.answer(done)
        if self.random.random() * 100 < self.lost_percent and Files.changes(done):
            return done.changed(ret=FOREVER, result=None, maybe=True)
        if done.kind in ("lookup", *MAKES) and not is_error(done.result):
            self.told[done.result] = min(ret, self.told.get(done.result, FOREVER))
        return done

    def arguments(self, kind, call):
        """Of objects that somebody has heard of before."""
        known = ["f0", *(thing for thing, told in self.told.items() if told < call)]
        directories = ["/0", "/1", *(thing for thing in known if thing[0] == "d")]
        place = self.random.choice(directories[-4:]), self.random.choice("abc")
        other = self.random.choice(directories[-4:]), self.random.choice("abc")
        files = [thing for thing in known if thing[0] == "f"]
        there = [thing for thing in files if self.tree.has(thing)]
        file = self.random.choice(there if there and self.random.randrange(5) else files[-4:])
        block = self.random.randrange(2)
        if kind in ("read", "write"):
            return (file, block) if kind == "read" else (file, block, self.random.randrange(1, 100))
        return {"getattr": (file,), "rename": place + other, "link": (file, *place),
                "readdir": place[:1]}.get(kind, place)

    def answer(self, asked):
        """The state after it, and it with its answer."""
        errors, _ = STEPS[asked.kind](self.tree, asked)
        if errors:
            result = self.random.choice(sorted(errors))
            return self.tree, asked.changed(result=result)
        if asked.kind in MAKES:
            self.made += 1
            asked = asked.changed(result=f"{MAKES[asked.kind]}{self.made}")
        elif Files.changes(asked):
            asked = asked.changed(result="OK")
        else:
            return self.tree, asked.changed(result=self.look(asked))
        return Files.step(self.tree, asked), asked

    def look(self, asked):
        tree, args = self.tree, asked.args
        if asked.kind == "lookup":
            return tree.names[args]
        if asked.kind == "readdir":
            return [name for where, name in tree.names if where == args[0]]
        if asked.kind == "getattr":
            return "dir" if is_dir(args[0]) else [tree.links(args[0]), tree.size(args[0])]
        return tree.data.get(args, 0 if args[1] * BLOCK < tree.size(args[0]) else END)


def corrupted(history, generator):
    """One answer of a LOOKUP, READ or GETATTR is another one's of the same kind and object, or another answer."""
    history = list(history)
    at = generator.choice([at for at, one in enumerate(history)
                           if one.kind in ("lookup", "read", "getattr") and not one.maybe and not is_error(one.result)])
    same = [one.result for one in history if one.kind == history[at].kind and one.args == history[at].args
            and one.result != history[at].result and one.result is not None]
    history[at] = history[at].changed(result=generator.choice(same) if same else
                                      {"lookup": "NOENT", "read": 1000, "getattr": [9, BLOCK]}[history[at].kind])
    return history


def has_order(history):
    """The definition, without anything clever."""
    failed = set()

    def goes_on(tree, left):
        deadline = min((one.ret for one in left if not one.maybe), default=None)
        if deadline is None:
            return True
        for one in left:
            after = Files.step(tree, one) if one.call <= deadline else None
            if after is not None and (after, left - {one}) not in failed:
                if goes_on(after, left - {one}):
                    return True
                failed.add((after, left - {one}))
        return False
    return goes_on(Files.initial, frozenset(Files.expand(history)))


class AtRandom(unittest.TestCase):
    def test_executions_pass(self):
        for seed in range(40):
            with self.subTest(seed=seed):
                self.assertIsNone(linear.check(Files, Execution(seed).history))

    def test_executions_with_lost_answers_pass(self):
        for seed in range(20):
            with self.subTest(seed=seed):
                self.assertIsNone(linear.check(Files, Execution(seed, lost_percent=10).history))

    def test_corrupted_ones_are_caught(self):
        caught = 0
        for seed in range(CORRUPTED):
            history = corrupted(Execution(seed).history, random.Random(seed))
            caught += linear.unexplained(Files, history) is not None
        print(f"{caught} of {CORRUPTED} wrong answers are caught", file=sys.stderr)
        self.assertGreaterEqual(100 * caught, CAUGHT_PERCENT * CORRUPTED)

    def test_it_agrees_with_the_definition(self):
        wrong = 0
        for seed in range(SMALL):
            history = Execution(seed, SMALL_OPERATIONS, lost_percent=5).history
            if seed % 2:
                history = corrupted(history, random.Random(seed))
            with self.subTest(seed=seed):
                right = has_order(history)
                wrong += not right
                self.assertEqual(linear.unexplained(Files, history) is None, right)
        self.assertGreater(wrong, SMALL // 4)

    def test_it_is_fast(self):
        for operations in (OPERATIONS, CLIENTS * OPERATIONS):
            for seed in range(3):
                history = Execution(seed, operations).history
                began = time.process_time()
                self.assertIsNone(linear.check(Files, history))
                seconds = time.process_time() - began
                self.assertLess(seconds, SECONDS, f"{operations} operations of {CLIENTS} clients, seed {seed}")


if __name__ == "__main__":
    unittest.main()
