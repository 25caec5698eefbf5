# SPDX-License-Identifier: LGPL-3.0-or-later
# listing.py -- SERVER OTHER-SERVER NFS-PORT MOUNT-PORT EXPORT VOLUME: what is kept of listings, and until when
"""Clients of two points of contact list one directory while one of them, or a program on the owner, changes it."""
import os
import random
import struct
import sys
import time

from patient import Cluster, Patience  # first: it finds the modules below
import nfs3
from suite import equal, that

MANY, FEW = 3000, 12
TRIES, ROUNDS = 30, 150
SECONDS = 30  # until what the owner itself has changed has to be seen: by far
REPLY_BYTES = 64 << 10
USER = 4711


class Client:
    """Lists and changes through one point of contact."""

    def __init__(self, patience, version="v3"):
        self.env = patience.client(version)

    def folder(self, name):
        return self.env.lookup(self.env.home, name).handle

    def list(self, folder, env=None):
        """{name: (mode, size, fileid)}"""
        cookie, verf, end, found = 0, bytes(8), False, {}
        while not end:
            part = (env or self.env).readdirplus(folder, cookie, verf, REPLY_BYTES, REPLY_BYTES)
            for one in part.entries:
                cookie = one.cookie
                if one.name not in (b".", b".."):
                    that(one.name not in found, f"{one.name} is listed twice")
                    found[one.name] = one.attributes.mode, one.attributes.size, one.attributes.fileid
            verf, end = part.verf, part.eof
        return found


def make(path, count):
    os.mkdir(path)
    os.chmod(path, 0o777)
    for number in range(count):
        with open(os.path.join(path, f"entry-{number:05}"), "wb") as file:
            os.fchmod(file.fileno(), 0o600 + number % 64)
            file.truncate(number)


def state(path):
    """What a listing has to tell."""
    with os.scandir(path) as found:
        stats = {entry.name.encode(): entry.stat(follow_symlinks=False) for entry in found}
    return {name: (stat.st_mode & 0o7777, stat.st_size, stat.st_ino) for name, stat in stats.items()}


def same(what, got, wanted):
    differing = sorted(name for name in got.keys() | wanted.keys() if got.get(name) != wanted.get(name))
    that(not differing, f"{what}: " + ", ".join(f"{name}: {got.get(name)} instead of {wanted.get(name)}"
                                                for name in differing[:4]))


# --- what is kept -------------------------------------------------------------------------------------


def test_again(client, cluster, path):
    """Promises are for a second, so on a slow machine it may take some tries."""
    make(path, MANY)
    folder = client.folder(os.path.basename(path).encode())
    wanted = state(path)
    for tried in range(1, TRIES + 1):
        same("the first listing", client.list(folder), wanted)
        before = cluster.readdirs()
        same("the second listing", client.list(folder), wanted)
        if cluster.readdirs() == before:
            print(f"   a listing of {MANY} names is repeated without the owner: in try {tried}", flush=True)
            return
    that(False, f"the owner was asked for each of {TRIES} listings that were repeated")


# --- until when ---------------------------------------------------------------------------------------


class Changes:
    """Random ones, through any client; the file system knows what became of them."""

    def __init__(self, clients, path, seed):
        self.clients, self.path, self.random = clients, path, random.Random(seed)
        self.folder = clients[0].folder(os.path.basename(path).encode())
        self.number = 0

    def new_name(self):
        self.number += 1
        return b"new-%05d" % self.number

    def change(self, env):
        name = self.random.choice(sorted(state(self.path)))
        kind = self.random.choice(("create", "remove", "rename", "mode", "size", "link"))
        handle = env.lookup(self.folder, name).handle
        if kind == "create":
            env.create(self.folder, self.new_name(), how=nfs3.GUARDED)
        elif kind == "remove":
            env.remove(self.folder, name)
            env.create(self.folder, self.new_name(), how=nfs3.GUARDED)
        elif kind == "rename":
            env.rename(self.folder, name, self.folder, self.new_name())
        elif kind == "mode":
            env.setattr(handle, mode=self.random.randrange(0o1000))
        elif kind == "size":
            env.write(handle, self.random.randrange(5000), b"data")
        else:
            env.link(handle, self.folder, self.new_name())
        return kind

    def round(self):
        """All have the listing in memory when somebody changes something."""
        before = state(self.path)
        for client in self.clients:
            same("a listing before a change", client.list(self.folder), before)
        kind = self.change(self.random.choice(self.clients).env)
        after = state(self.path)
        for number, client in enumerate(self.clients, 1):
            same(f"point of contact {number} after {kind}", client.list(self.folder), after)


def test_changes(clients, path):
    make(path, FEW)
    changes = Changes(clients, path, 1)
    for _ in range(ROUNDS):
        changes.round()
    print(f"   {ROUNDS} changes through two points of contact, each told at once by both", flush=True)


def test_rights(clients, path):
    """Who may not list the directory any more isn't shown what is known of it, nor is who never might."""
    make(path, FEW)
    folder = clients[0].folder(os.path.basename(path).encode())
    user, stranger = (clients[0].env.as_user(uid, uid) for uid in (USER, USER + 1))
    for changer in clients:
        changer.env.setattr(folder, uid=USER, gid=USER, mode=0o700)
        same("the user's listing", clients[0].list(folder, user), state(path))
        stranger.readdirplus(folder, 0, bytes(8), REPLY_BYTES, REPLY_BYTES, want="ACCES")
        changer.env.setattr(folder, mode=0o300)
        user.readdirplus(folder, 0, bytes(8), REPLY_BYTES, REPLY_BYTES, want="ACCES")
    print("   who may not list isn't shown what is known", flush=True)


def shut_out(path, user):
    """By an access control list, which Ganesha doesn't know: everybody may list it, but for one."""
    own, named, group, mask, other, nobody = 1, 2, 4, 16, 32, 0xFFFFFFFF
    entries = ((own, 7, nobody), (named, 0, user), (group, 5, nobody), (mask, 7, nobody), (other, 5, nobody))
    os.setxattr(path, "system.posix_acl_access", struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry)
                                                                               for entry in entries))


def test_lists_of_rights(clients, path):
    """What the owner has shown to one it shows to nobody else."""
    make(path, FEW)
    shut_out(path, USER + 1)
    folder = clients[0].folder(os.path.basename(path).encode())
    user, stranger = (clients[0].env.as_user(uid, uid) for uid in (USER, USER + 1))
    same("the user's listing", clients[0].list(folder, user), state(path))
    stranger.readdirplus(folder, 0, bytes(8), REPLY_BYTES, REPLY_BYTES, want="ACCES")
    print("   whom only the owner knows not to be permitted isn't shown it either", flush=True)


def test_owner(clients, path):
    """A program on the owner asks nobody; its changes are seen when promises end by themselves."""
    make(path, FEW)
    folder = clients[0].folder(os.path.basename(path).encode())
    for number in range(3):
        for client in clients:
            same("a listing before", client.list(folder), state(path))
        os.rename(os.path.join(path, f"entry-{number:05}"), os.path.join(path, f"other-{number}"))
        os.truncate(os.path.join(path, f"entry-{number + 5:05}"), 4711)
        deadline = time.monotonic() + SECONDS
        while any(client.list(folder) != state(path) for client in clients):
            that(time.monotonic() < deadline, "what the owner has changed isn't seen")
    print("   what a program on the owner changes is seen", flush=True)


def main():
    server, other, nfs_port, mount_port, export, volume = sys.argv[1:]
    clients = [Client(Patience(address, nfs_port, mount_port, export)) for address in (server, other)]
    cluster = Cluster(True)
    equal("the listing of an empty volume", clients[0].list(clients[0].env.home), {})
    test_again(clients[0], cluster, os.path.join(volume, "many"))
    test_changes(clients, os.path.join(volume, "changes"))
    test_rights(clients, os.path.join(volume, "rights"))
    test_lists_of_rights(clients, os.path.join(volume, "lists"))
    test_owner(clients, os.path.join(volume, "owner"))


main()
