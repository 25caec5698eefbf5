#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# permissions_test.py -- tests of what the permission test expects, without a server
import argparse
import contextlib
import importlib.machinery
import importlib.util
import io
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


permissions = script("permissions")
Identity = permissions.Identity


def allowed_here(who, path):
    """What the kernel lets somebody do, as Identity.may() says it."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups(who.gids)
        os.setresgid(who.gid, who.gid, who.gid)
        os.setresuid(who.uid, who.uid, who.uid)
        os.write(write_end, bytes(os.access(path, kind) for kind in (os.R_OK, os.W_OK, os.X_OK)))
        os._exit(0)
    os.close(write_end)
    os.waitpid(pid, 0)
    answer = os.read(read_end, 3)
    os.close(read_end)
    return tuple(map(bool, answer))


class Rules(unittest.TestCase):
    @unittest.skipIf(os.geteuid(), "acting as other users needs root")
    def test_as_the_kernel_does(self):
        """Each mode for each kind of user, on a file and on a directory."""
        users = [Identity(0, 0), Identity(1001, 2001), Identity(1001, 2002), Identity(1002, 2002),
                 Identity(1003, 2003, [3001, 2002]), Identity(1004, 2004)]
        with tempfile.TemporaryDirectory() as top:
            os.chmod(top, 0o755)
            file, directory = os.path.join(top, "file"), os.path.join(top, "directory")
            os.mkdir(directory)
            with open(file, "wb"):
                pass
            for path in (file, directory):
                os.chown(path, 1001, 2002)
            for mode in permissions.sample():
                for path in (file, directory):
                    os.chmod(path, mode)
                    for who in users:
                        self.assertEqual(who.may(mode, 1001, 2002, path == directory), allowed_here(who, path),
                                         f"{who.__dict__} {mode:o} {path}")

    def test_squash(self):
        anonymous, root, user = Identity(1234, 1235), Identity(0, 0), Identity(1001, 0, [0, 7])
        self.assertIs(root.squashed("none", anonymous), root)
        self.assertIs(root.squashed("root", anonymous), anonymous)
        self.assertIs(user.squashed("all", anonymous), anonymous)
        squashed = user.squashed("root", anonymous)
        self.assertEqual((squashed.uid, squashed.gid, squashed.gids), (1001, 1235, (1235, 7)))

    def test_modes(self):
        modes = permissions.sample()
        self.assertEqual(len(modes), 44)
        for shift in (0, 3, 6):
            self.assertEqual({mode >> shift & 7 for mode in modes}, set(range(8)))


class Report(unittest.TestCase):
    def report(self, *results, at_most=False):
        args = argparse.Namespace(version="v3", json=None, at_most=at_most)
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = permissions.report(args, results, 0)
        return status, output.getvalue()

    def test_all_right(self):
        status, text = self.report(("other: file 0640: READ", "ACCES", "ACCES"))
        self.assertEqual((status, text), (0, "v3: 1 outcomes, 0 unexpected, 0.0 s\n"))

    def test_one_wrong(self):
        for got, wanted in (("OK", "ACCES"), ("ACCES", "OK"), ("PERM", "ACCES")):
            status, text = self.report(("other: file 0640: READ", got, wanted), ("other: file 0600: READ", got, wanted))
            self.assertEqual(status, 1)
            self.assertIn(f"other: file: READ: {got} instead of {wanted} with 0640 0600\n", text)

    def test_at_most(self):
        for got, wanted, status in (("OK", "ACCES", 1), ("OK", "PERM", 1), ("ACCES", "OK", 0), ("PERM", "ACCES", 0),
                                    ("IO", "OK", 1), ("OK, but b''", "OK", 1), (["new"], ["remove"], 1)):
            self.assertEqual(self.report(("x: rule: chmod", got, wanted), at_most=True)[0], status)
        self.assertEqual(self.report(("root: file 0000: ACCESS", 13, 0), at_most=True)[0], 0)


if __name__ == "__main__":
    unittest.main()
