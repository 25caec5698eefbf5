#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
# make_certs.py -- what config_samples/make-certs.sh makes, judged by openssl, and what it refuses
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(os.environ["XFER_SOURCE_DIR"]) / "config_samples/make-certs.sh"


def openssl(*words):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)


class MakeCerts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name) / "a folder"

    def tearDown(self):
        self.folder.cleanup()

    def run_script(self, *words):
        return subprocess.run([SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)

    def make(self, *words, options=()):
        done = self.run_script(*options, self.dir, *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def refused(self, status, text, *words):
        done = self.run_script(*words)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(text, done.stderr)

    def content(self):
        """Of the folder and those in it: what must not change."""
        return {file.relative_to(self.dir): file.read_bytes() for file in self.dir.rglob("*") if file.is_file()}

    def verify(self, name, *options):
        """None, or why openssl doesn't take it."""
        done = openssl("verify", "-CAfile", self.dir / "ca.pem", *options, self.dir / f"{name}.pem")
        return None if done.returncode == 0 else done.stderr.partition("lookup: ")[2].partition("\n")[0]

    def verify_with_crl(self, name):
        return self.verify(name, "-crl_check", "-CRLfile", self.dir / "crl.pem")

    def shown(self, name, extension):
        done = openssl("x509", "-in", self.dir / f"{name}.pem", "-noout", "-ext", extension)
        return done.stdout

    def test_an_authority_and_certificates_of_it(self):
        self.make("a=a.example.org,*.cluster.example.org,192.0.2.1,2001:db8::1", "b")
        for name in "a", "b":
            self.assertIsNone(self.verify(name, "-x509_strict", "-purpose", "sslserver"))
            self.assertIsNone(self.verify(name, "-x509_strict", "-purpose", "sslclient"))
        for matches in (("-verify_hostname", "a"), ("-verify_hostname", "a.example.org"), ("-verify_ip", "192.0.2.1"),
                        ("-verify_hostname", "x.cluster.example.org"), ("-verify_ip", "2001:db8::1")):
            self.assertIsNone(self.verify("a", *matches))
        self.assertEqual(self.verify("b", "-verify_hostname", "a"), "hostname mismatch")
        self.assertEqual(self.verify("a", "-verify_ip", "192.0.2.2"), "IP address mismatch")

    def test_a_name_may_be_an_address(self):
        self.make("192.0.2.7")
        self.assertIsNone(self.verify("192.0.2.7", "-verify_ip", "192.0.2.7"))

    def test_keys_belong_to_their_certificates_and_are_secret(self):
        self.make("a")
        for name in "ca", "a":
            key = self.dir / f"{name}.key"
            self.assertEqual(key.stat().st_mode & 0o7777, 0o600)
            self.assertEqual(openssl("pkey", "-in", key, "-pubout").stdout,
                             openssl("x509", "-in", self.dir / f"{name}.pem", "-noout", "-pubkey").stdout)
        self.assertEqual((self.dir / "ca.db").stat().st_mode & 0o7777, 0o700)
        self.assertEqual((self.dir / "a.pem").stat().st_mode & 0o7777, 0o644)
        self.assertEqual(sorted(file.name for file in self.dir.iterdir()), ["a.key", "a.pem", "ca.db", "ca.key", "ca.pem"])

    def test_more_certificates_come_from_the_same_authority(self):
        self.make("a")
        before = (self.dir / "ca.pem").read_bytes()
        self.make("b")
        self.assertEqual((self.dir / "ca.pem").read_bytes(), before)
        self.assertIsNone(self.verify("a"))
        self.assertIsNone(self.verify("b"))

    def test_nothing_is_overwritten(self):
        self.make("a")
        before = self.content()
        self.refused(1, f"there is {self.dir}/a.pem already", self.dir, "b", "a")
        self.assertEqual(self.content(), before)
        (self.dir / "ca.key").rename(self.dir / "elsewhere")
        self.refused(1, "ca.key is missing", self.dir, "b")
        (self.dir / "elsewhere").rename(self.dir / "ca.key")
        (self.dir / "ca.pem").unlink()
        self.refused(1, "but not ca.pem", self.dir, "b")

    def test_renewed(self):
        self.make("a", "b")
        before = self.content()
        self.make("a", options=["--renew"])
        changed = {str(name) for name, text in self.content().items() if before.get(name) != text}
        self.assertEqual({name for name in changed if not name.startswith("ca.db")}, {"a.key", "a.pem"})
        self.assertIsNone(self.verify("a"))

    def test_revoked(self):
        self.make("a", "b", options=["--crl"])
        self.assertIsNone(self.verify_with_crl("a"))
        self.make(options=["--revoke", "a"])
        self.assertEqual(self.verify_with_crl("a"), "certificate revoked")
        self.assertIsNone(self.verify_with_crl("b"))
        self.refused(1, "Already revoked", "--revoke", "a", self.dir)
        self.refused(1, "there is no", "--revoke", "c", self.dir)
        self.make("a", options=["--renew"])
        self.assertIsNone(self.verify_with_crl("a"))

    def test_what_tests_need(self):
        self.make("old", options=["--expired"])
        self.assertEqual(self.verify("old"), "certificate has expired")
        for eku, purpose, other in (("serverAuth", "sslserver", "sslclient"), ("clientAuth", "sslclient", "sslserver")):
            self.make(eku, options=["--eku", eku])
            self.assertIsNone(self.verify(eku, "-purpose", purpose))
            self.assertRegex(self.verify(eku, "-purpose", other), "unsuitable|unsupported certificate purpose")
        self.make("free", options=["--eku", "none"])
        self.assertEqual(self.shown("free", "extendedKeyUsage"), "")
        self.make("short", options=["--days", "1"])
        ends = openssl("x509", "-in", self.dir / "short.pem", "-noout", "-checkend", 86400 + 60)
        self.assertEqual(ends.returncode, 1)

    def test_other_authorities_differ(self):
        self.make("a")
        first, self.dir = self.dir, self.dir.with_name("other")
        self.make("a")
        self.assertNotEqual(openssl("x509", "-in", first / "ca.pem", "-noout", "-subject").stdout,
                            openssl("x509", "-in", self.dir / "ca.pem", "-noout", "-subject").stdout)
        self.assertNotEqual(openssl("verify", "-CAfile", first / "ca.pem", self.dir / "a.pem").returncode, 0)

    def test_misuse(self):
        for text, words in (
                ("in which folder", []), ("no option --what", ["--what"]), ("--days needs a value", ["--days"]),
                ("isn't a number", ["--days", "0", self.dir]), ("--eku mail is none of", ["--eku", "mail", self.dir]),
                ('"a=" isn\'t NAME', [self.dir, "a="]), ('"a b" isn\'t NAME', [self.dir, "a b"]),
                ('"../a" isn\'t NAME', [self.dir, "../a"]), ("can't be a certificate's name", [self.dir, "ca"]),
                ("longer than the 64", [self.dir, "a" * 65])):
            self.refused(2, text, *words)
        self.assertFalse(self.dir.exists())
        self.refused(1, "bad ip address", self.dir, "a=999.0.0.1")
        self.assertEqual(sorted(file.name for file in self.dir.iterdir()), ["ca.db", "ca.key", "ca.pem"])
        self.refused(1, "can't be made", "/dev/null/x", "a")
        usage = self.run_script("--help")
        self.assertEqual(usage.returncode, 0)
        for option in re.findall(r"^\t\t?(--[a-z]+)\)", SCRIPT.read_text(encoding="utf-8"), re.M):
            self.assertIn(option, usage.stdout)


if __name__ == "__main__":
    if not SCRIPT.exists():
        sys.exit(f"{SCRIPT} is missing")
    unittest.main()
