# SPDX-License-Identifier: LGPL-3.0-or-later
# bigdir.py -- SERVER NFS-PORT MOUNT-PORT EXPORT VOLUME rdmaxfer|vfs NAMES: a directory that changes while it is listed
"""NAMES files stay, of which each has its number as its size; another client creates and unlinks further ones all the
time. Each listing has to have each name that stays once, and no name that wasn't there at some time of the listing."""
import multiprocessing
import os
import sys
import time

from patient import Cluster, Patience  # first: it finds the modules below
import nfs3
from nfs4 import GETATTR, LOOKUP, PUTFH, READDIR
from rpc import RpcError
from suite import Failed, equal, that
from xdr import XdrError

WINDOW = 64  # names of the other client that are there at a time
SAMPLE = 211
ENTRIES_PER_REQUEST = 100  # at least: an answer of the owner has room for 300, of which some are read again
REPLY_BYTES = 128 << 10
ATTRIBUTES = ["type", "size", "fileid", "filehandle"]


def stable_name(number):
    return b"stable-%06d" % number


# --- the other client ---------------------------------------------------------------------------------


class Churn:
    """A process of its own that creates other-N and unlinks other-(N - WINDOW), N = 1, 2, ..."""

    def __init__(self, patience, directory):
        self.patience, self.directory = patience, directory
        self.first, self.last = (multiprocessing.Value("Q", 1) for _ in range(2))  # that may be there
        self.process = multiprocessing.Process(target=self.run, daemon=True)
        self.process.start()

    def run(self):
        env = None
        number = 1
        while True:
            self.last.value = number
            env = self.insist(env, "create", b"other-%08d" % number, how=nfs3.GUARDED, want="OK EXIST IO")
            if number > WINDOW:
                env = self.insist(env, "remove", b"other-%08d" % (number - WINDOW), want="OK NOENT")
                self.first.value = number - WINDOW + 1
            number += 1

    def insist(self, env, procedure, name, **more):
        """Asks until there is an answer, over new connections where an old one has ended."""
        while True:
            try:
                env = env or self.patience.client("v3")
                getattr(env, procedure)(self.directory, name, **more)
                return env
            except (OSError, RpcError, Failed, XdrError) as problem:
                if env:
                    env.close()
                env = None
                print(f"   the other client: {procedure}: {problem}", flush=True)
                time.sleep(0.1)

    def check(self, name, since):
        number = int(name.removeprefix(b"other-"))
        that(since <= number <= self.last.value, f"{name} is listed, but only other-{since:08} to "
                                                 f"other-{self.last.value:08} were there")


# --- listings -----------------------------------------------------------------------------------------


class Entry:
    __slots__ = ("name", "cookie", "fileid", "size", "handle")

    def __init__(self, name, cookie, fileid, size=None, handle=None):
        self.name, self.cookie, self.fileid, self.size, self.handle = name, cookie, fileid, size, handle


class Lister:
    """One way to list; part() answers (entries, verifier, end)."""

    def __init__(self, patience, version, plus=False):
        self.version, self.plus = version, plus
        self.title = {"v40": "v4.0 READDIR", "v41": "v4.1 READDIR"}.get(version, f"v3 READDIR{'PLUS' * plus}")
        self.patience = patience
        self.env = patience.client(version)

    def again(self):
        """A new connection and, in v4, a new client."""
        self.env.close()
        self.env = self.patience.client(self.version)

    def part(self, directory, cookie, verf):
        if self.version != "v3":
            res = self.env.ok(PUTFH(directory), READDIR(cookie, verf, REPLY_BYTES, REPLY_BYTES, ATTRIBUTES))["READDIR"]
            return [Entry(one.name, one.cookie, one.attrs.fileid, one.attrs.size, one.attrs.filehandle)
                    for one in res.entries], res.cookieverf, res.eof
        if self.plus:
            res = self.env.readdirplus(directory, cookie, verf, REPLY_BYTES, REPLY_BYTES)
            entries = [self.plus_entry(one) for one in res.entries]
        else:
            res = self.env.readdir(directory, cookie, verf, REPLY_BYTES)
            entries = [Entry(one.name, one.cookie, one.fileid) for one in res.entries]
        return [one for one in entries if one.name not in (b".", b"..")], res.verf, res.eof

    @staticmethod
    def plus_entry(one):
        that(one.attributes and one.handle, f"{one.name} comes without attributes or handle")
        equal(f"the fileid of {one.name} in its attributes", one.attributes.fileid, one.fileid)
        return Entry(one.name, one.cookie, one.fileid, one.attributes.size, one.handle)

    def list(self, directory, cookie=0, verf=bytes(8), most=None):
        """The entries behind a cookie, the last verifier, the number of parts; of `most` parts at most."""
        entries, end, parts = [], False, 0
        while not end and parts != most:
            more, verf, end = self.part(directory, cookie, verf)
            that(more or end, "neither entries nor the end")
            entries += more
            parts += 1
            cookie = entries[-1].cookie if entries else cookie
        return entries, verf, parts

    def look_up(self, directory, name):
        """(handle, fileid, size)"""
        if self.version == "v3":
            found = self.env.lookup(directory, name)
            return found.handle, found.attributes.fileid, found.attributes.size
        attrs = self.env.ok(PUTFH(directory), LOOKUP(name), GETATTR(ATTRIBUTES))["GETATTR"].attrs
        return attrs.filehandle, attrs.fileid, attrs.size

    def by_handle(self, handle):
        """(fileid, size)"""
        if self.version == "v3":
            attributes = self.env.getattr(handle).attributes
            return attributes.fileid, attributes.size
        attrs = self.env.get(handle, "fileid", "size")
        return attrs.fileid, attrs.size

    def directory(self, name):
        found = self.env.lookup(self.env.home, name)
        return found.handle if self.version == "v3" else found


class BigDirectory:
    LISTERS = (("v3", False), ("v3", True), ("v40", False), ("v41", False))

    def __init__(self, server, nfs_port, mount_port, export, volume, fsal, names):
        self.patience = Patience(server, nfs_port, mount_port, export)
        self.cluster = Cluster(fsal == "rdmaxfer")
        self.path = os.path.join(volume, "big").encode()
        self.inodes = {}
        self.make(int(names))
        self.churn = None

    def make(self, names):
        os.mkdir(self.path)
        os.chmod(self.path, 0o777)
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        for number in range(names):
            file = os.open(stable_name(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
            os.ftruncate(file, number)
            os.close(file)
        os.close(folder)
        with os.scandir(self.path) as found:
            self.inodes = {entry.name: entry.inode() for entry in found}
        equal("the number of files made", len(self.inodes), names)

    def check(self, entries, since, wanted):
        """wanted: the names that stay and that have to be there."""
        names = [entry.name for entry in entries]
        that(len(set(names)) == len(names), f"{len(names) - len(set(names))} names are listed twice")
        stable = [entry for entry in entries if entry.name.startswith(b"stable-")]
        others = [entry for entry in entries if not entry.name.startswith(b"stable-")]
        lacking, surplus = wanted - {entry.name for entry in stable}, {entry.name for entry in stable} - wanted
        that(not lacking, f"{len(lacking)} names are missing, such as {min(lacking, default=b'')}")
        that(not surplus, f"{len(surplus)} names are there that shouldn't, such as {min(surplus, default=b'')}")
        for entry in others:
            self.churn.check(entry.name, since)
        for entry in stable:
            if entry.fileid != self.inodes[entry.name]:
                equal(f"the fileid of {entry.name}", entry.fileid, self.inodes[entry.name])
            if entry.size is not None and entry.size != int(entry.name[7:]):
                equal(f"the size of {entry.name}", entry.size, int(entry.name[7:]))
        return stable, others

    def check_sample(self, lister, directory, entries):
        """Handles that the listing gave are those of LOOKUP, and belong to their names."""
        for entry in entries[::SAMPLE]:
            handle, *attributes = lister.look_up(directory, entry.name)
            wanted = [self.inodes[entry.name], int(entry.name[7:])]
            equal(f"fileid and size of {entry.name}", attributes, wanted)
            if entry.handle is not None:
                equal(f"the handle of {entry.name} in the listing", entry.handle, handle)
                equal(f"fileid and size behind the handle of {entry.name}", list(lister.by_handle(handle)), wanted)

    def list(self, version, plus):
        """The whole listing, while names come and go. Returns what is needed to go on in its middle."""
        lister = Lister(self.patience, version, plus)
        directory = lister.directory(b"big")
        since, last, began = self.churn.first.value, self.churn.last.value, time.monotonic()
        asked = self.cluster.readdirs()
        entries, verf, parts = lister.list(directory)
        seconds, asked = time.monotonic() - began, self.cluster.readdirs() - asked
        stable, others = self.check(entries, since, set(self.inodes))
        self.check_sample(lister, directory, stable)
        that(asked <= len(entries) // ENTRIES_PER_REQUEST, f"{asked} requests to the owner for {len(entries)} names")
        print(f"   {lister.title}: {len(stable)} names that stay and {len(others)} others in {parts} parts, "
              f"{seconds:.1f} s, {asked} requests to the owner; meanwhile {self.churn.last.value - last} others came",
              flush=True)
        return Resumed(self, lister, directory, verf, entries)


class Resumed:
    """A listing that is gone on with from cookies in its middle."""

    PLACES = (0.1, 0.5, 0.9, 0.99)

    def __init__(self, big, lister, directory, verf, entries):
        self.big, self.lister, self.directory, self.verf = big, lister, directory, verf
        self.stable = [entry for entry in entries if entry.name.startswith(b"stable-")]

    def check(self, place):
        """Behind a cookie there is what was behind it: in the next part, or near the end in all of them."""
        at = int(len(self.stable) * place)
        since = self.big.churn.first.value
        to_end = place == self.PLACES[-1]
        entries, _, _ = self.lister.list(self.directory, self.stable[at].cookie, self.verf, None if to_end else 1)
        behind = [entry.name for entry in self.stable[at + 1:] if entry.name in self.big.inodes]
        got = [entry.name for entry in entries if entry.name in self.big.inodes]
        if not to_end:
            behind = behind[:len(got)]
        self.big.check(entries, since, set(behind))
        that(got == behind, "the order of names has changed")
        return len(got)

    def check_all(self, when):
        counts = [self.check(place) for place in self.PLACES]
        print(f"   {self.lister.title} {when}: {counts} names behind four cookies", flush=True)

    def remove(self):
        """Unlinks the names that the cookies belong to."""
        env = self.big.patience.client("v3")
        directory = env.lookup(env.home, b"big").handle
        for place in self.PLACES:
            name = self.stable[int(len(self.stable) * place)].name
            if name in self.big.inodes:
                env.remove(directory, name)
                del self.big.inodes[name]
        env.close()


def main():
    big = BigDirectory(*sys.argv[1:])
    env = big.patience.client("v3")
    big.churn = Churn(big.patience, env.lookup(env.home, b"big").handle)
    env.close()
    try:
        resumed = [big.list(version, plus) for version, plus in big.LISTERS]
        steps = [("later", lambda: None),
                 ("after the removal of the cookies' names", lambda: [one.remove() for one in resumed]),
                 *[("after a restart of the owner", lambda: big.cluster.restart("owner1"))] * big.cluster.owners,
                 ("after a restart of Ganesha", lambda: big.cluster.restart("poc1"))]
        for when, act in steps:
            act()
            for one in resumed:
                one.lister.again()
                one.check_all(when)
    except Failed as problem:
        sys.exit(f"FAILED: {problem}")
    finally:
        big.churn.process.kill()
        big.churn.process.join()
    print(f"   asked again because of DELAY: {big.patience.delays()}")


main()
