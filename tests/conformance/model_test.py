#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# model_test.py -- tests of the model test itself: it has to notice each kind of wrong answer, without a server
import errno
import importlib.machinery
import importlib.util
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def script(name):
    """One of the suite's commands as a module."""
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


model = script("model")
OPERATIONS = 1500


class Memory:
    """A server whose files are files in memory. `spoil` maps a method to (how often it is right before, what is made
    of its answer then)."""

    can_punch = True
    limit = model.MIB

    def __init__(self, **spoil):
        self.spoil = spoil
        self.left = {method: after for method, (after, _) in spoil.items()}
        self.descriptors = []

    def close(self):
        for descriptor in self.descriptors:
            os.close(descriptor)

    def answer(self, method, value):
        if method in self.left:
            self.left[method] -= 1
            if self.left[method] < 0:
                if (spoiled := self.spoil[method][1](value)) != value:
                    del self.left[method]
                return spoiled
        return value

    def create(self, directory, name):
        self.descriptors.append(os.memfd_create(name.decode()))
        return self.descriptors[-1]

    def reopen(self, file):
        return file

    def length(self, file):
        return os.fstat(file).st_size

    def read(self, file, offset, count, other):
        data = os.pread(file, count, offset)
        return self.answer("read", (data, offset + count >= self.length(file), self.length(file)))

    def write(self, file, offset, data, stable):
        written = self.answer("stored", data)
        os.pwrite(file, written, offset)
        return self.answer("write", (len(data), stable, b"verifier", max(self.length(file), offset + len(data))))

    def commit(self, file):
        return self.answer("commit", b"verifier")

    def truncate(self, file, size):
        os.ftruncate(file, self.answer("resized", size))
        return size

    def size(self, file):
        return self.answer("size", self.length(file))

    def punch(self, file, offset, length):
        end = self.answer("punched", min(offset + length, self.length(file)))
        if offset < end:
            os.pwrite(file, bytes(end - offset), offset)
        return self.length(file)

    def allocate(self, file, offset, length):
        size = self.answer("allocated", max(self.length(file), offset + length))
        os.ftruncate(file, size)
        return size

    def seek(self, file, offset, what):
        try:
            found = os.lseek(file, offset, os.SEEK_HOLE if what == model.SEEK_HOLE else os.SEEK_DATA)
        except OSError as problem:
            if problem.errno != errno.ENXIO:
                raise
            found = None
        return self.answer("seek", found)


def wrong_byte(answer):
    data, eof, size = answer
    middle = len(data) // 2
    return data[:middle] + bytes(byte ^ 1 for byte in data[middle:middle + 1]) + data[middle + 1:], eof, size


class Model(unittest.TestCase):
    def play(self, volume=None, tell=lambda count: None, **spoil):
        server = Memory(**spoil)
        self.addCleanup(server.close)
        player = model.Player(server, None, 1, 3)
        model.play(player, OPERATIONS, tell, volume)
        return player

    def noticed(self, *texts, **spoil):
        with self.assertRaises(model.Difference) as caught:
            self.play(**spoil)
        for text in texts:
            self.assertRegex(str(caught.exception), text)
        return str(caught.exception)

    def test_no_difference(self):
        counts = []
        player = self.play(tell=counts.append)
        self.assertEqual(sum(counts), OPERATIONS)
        self.assertTrue(any(file.mirror.size > 4 * model.GIB for file in player.files))
        kinds = {words[0] for file in player.files for words in file.history}
        self.assertIn("whole", kinds)

    def test_same_seed_same_operations(self):
        one, other = self.play(), self.play()
        self.assertEqual([file.history for file in one.files], [file.history for file in other.files])

    def test_wrong_byte_once(self):
        for after in (0, 1, 30, 300):
            text = self.noticed("first differing byte is at [0-9]+: 0x", "the last operations on 1-[0-2]",
                                read=(after, wrong_byte))
            self.assertLessEqual(text.count("\n"), model.HISTORY + 1)
            self.assertTrue(text.splitlines()[-1].strip().startswith("read "))

    def test_where_it_differs(self):
        with self.assertRaisesRegex(model.Difference, r"at 1002: 0x63 instead of 0x64 \(2 bytes of 5 read at 1000"):
            model.File.differs(1000, b"abccf", b"abdcg")

    def test_short_read(self):
        self.noticed("bytes read at", read=(20, lambda got: (got[0][:-1], *got[1:])))

    def test_wrong_end(self):
        self.noticed("eof is", read=(20, lambda got: (got[0], not got[1], got[2])))

    def test_wrong_size(self):
        self.noticed("size after GETATTR", size=(5, lambda size: size + 1))
        self.noticed("size after READ", read=(5, lambda got: (*got[:2], got[2] + 1)))
        self.noticed("size after WRITE", write=(5, lambda got: (*got[:3], got[3] + 1)))
        self.noticed("size after ALLOCATE", allocated=(3, lambda size: size + 1))

    def test_lost_write(self):
        self.noticed("differ|bytes read", stored=(20, lambda data: bytes(len(data))))

    def test_partial_write(self):
        self.noticed("bytes were written", write=(20, lambda got: (got[0] - 1, *got[1:])))

    def test_less_stable(self):
        self.noticed("stability 0 where", write=(0, lambda got: (got[0], 0, *got[2:])))

    def test_verifiers(self):
        self.noticed("write verifier changes", write=(20, lambda got: (*got[:2], b"another!", got[3])))
        self.noticed("COMMIT's verifier", commit=(5, lambda got: b"another!"))

    def test_wrong_truncate(self):
        self.noticed("size after|bytes read|eof", resized=(5, lambda size: size + 1))

    def test_punch_too_short_or_long(self):
        self.noticed("differ", punched=(5, lambda end: end - 1))
        self.noticed("differ|size", punched=(5, lambda end: end + 1))

    def test_seek(self):
        self.noticed("SEEK to data", seek=(0, lambda found: found and found + model.GIB))
        self.noticed("SEEK to", seek=(0, lambda found: 0 if found is None else None))

    def test_volume(self):
        """The files' contents behind the server's back."""
        with tempfile.TemporaryDirectory() as volume:
            player = self.play()
            for file in player.files:
                path = os.path.join(volume, file.name)
                with open(path, "wb") as copy:
                    for number, page in file.mirror.pages.items():
                        os.pwrite(copy.fileno(), page, number * model.PAGE)
                    copy.truncate(file.mirror.size)
                file.check_volume(path)
                with open(path, "r+b") as copy:
                    os.pwrite(copy.fileno(), b"\1\2", file.mirror.size - 2)
                with self.assertRaisesRegex(model.Difference, "differing byte"):
                    file.check_volume(path)
                with open(path, "r+b") as copy:
                    copy.truncate(file.mirror.size + 1)
                with self.assertRaisesRegex(model.Difference, "in the volume"):
                    file.check_volume(path)


class Mirror(unittest.TestCase):
    def test_against_bytes(self):
        """Every kind of change around a page's border."""
        page = model.PAGE
        for offset in (0, 1, page - 2, page, page + 1):
            for length in (0, 1, 2, page, page + 3):
                mirror, plain = model.Mirror(), bytearray(b"\x55" * 3 * page)
                mirror.write(0, bytes(plain))
                mirror.write(offset, b"\xaa" * length)
                plain[offset:offset + length] = b"\xaa" * length
                mirror.punch(offset + 1, length)
                plain[offset + 1:offset + 1 + length] = bytes(length)
                self.assertEqual(mirror.read(0, 4 * page), bytes(plain))
                self.assertEqual(mirror.is_zero(offset + 1, offset + 1 + length), True)
                mirror.truncate(offset + length)
                mirror.truncate(2 * page)
                plain[offset + length:] = bytes(3 * page - offset - length)
                self.assertEqual(mirror.read(0, 4 * page), bytes(plain[:2 * page]))

    def test_beyond_the_end(self):
        mirror = model.Mirror()
        mirror.write(10, b"x")
        mirror.punch(5, 100)
        mirror.punch(50, 10)
        self.assertEqual((mirror.size, mirror.read(0, 100), mirror.read(11, 1), mirror.read(50, 1)),
                         (11, bytes(11), b"", b""))
        self.assertFalse(mirror.pages[0].strip(b"\0"))


if __name__ == "__main__":
    unittest.main()
