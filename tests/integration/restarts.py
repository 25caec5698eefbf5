# SPDX-License-Identifier: LGPL-3.0-or-later
# restarts.py -- SERVER OTHER NFS-PORT MOUNT-PORT EXPORT VOLUME vfs|rdmaxfer JSON: what outlives daemons and renames
"""Tests SERVER; OTHER is another point of contact, or the same. Each finding has a name, what was found, and what has
to be found (or nothing: then both FSALs have to find the same). With FSAL_VFS they are written to the file JSON and are
no failure: it has no owner that could be restarted. With RDMAXFER they are compared with those in the file."""
import json
import os
import random
import sys
import time

from patient import Cluster, Patience  # first: it finds the modules below
import nfs3
from cases.v3_handles import ON_DIRECTORIES, ON_OBJECTS
from nfs4 import (ACCESS, ALLOCATE, ANONYMOUS, CLAIM_FH, COMMIT, CREATE, DEALLOCATE, FILE_SYNC, GETATTR, GETXATTR,
                  LINK, LISTXATTRS, LOOKUP, LOOKUPP, NVERIFY, OPENATTR, PUTFH, READ, READDIR, READLINK, REMOVE,
                  REMOVEXATTR, RENAME, SAVEFH, SECINFO, SEEK, SETATTR, SETXATTR, STATUS, VERIFY, WRITE)
from nfs4attr import NF4DIR, NF4FIFO, NF4LNK, at
from suite import Failed, that
from xdr import Record

VERSIONS = ("v3", "v40", "v41", "v42")
AGE_SECONDS = 1.2  # attributes may be a second old
SETTLE_SECONDS = 5
MIB = 1 << 20


class Findings:
    """What was found, and how much of it is wrong."""

    def __init__(self):
        self.found = {}
        self.wrong = []
        self.phase = ""

    def add(self, name, got, wanted=None):
        name = f"{self.phase}: {name}"
        self.found[name] = str(got) if wanted is None else got == wanted
        if wanted is not None and got != wanted:
            self.wrong.append(name)
            print(f"   {name}: {got} instead of {wanted}", flush=True)

    def eventually(self, name, get, want):
        """get() has to be want(), which others may change meanwhile, within the age that attributes may have."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (got := get()) != (wanted := want()) and time.monotonic() < deadline:
            time.sleep(0.2)
        self.add(name, got, wanted)


# --- one way to do a thing in each version ------------------------------------------------------------


class Client3:
    def __init__(self, patience, version):
        self.version, self.env = version, patience.client(version)
        self.home = self.env.home

    def attributes(self, handle):
        return self.env.getattr(handle).attributes

    def facts(self, handle):
        """What can't change: type, fileid, mode, owner, size of what isn't a directory."""
        got = self.attributes(handle)
        return got.type, got.fileid, got.mode, got.uid, None if got.type == nfs3.DIR else got.size

    def look_up(self, directory, name):
        return self.env.lookup(directory, name).handle

    def read(self, handle, offset, count):
        got = self.env.read(handle, offset, count)
        return got.data, got.eof

    def write(self, handle, offset, data):
        return self.env.write(handle, offset, data).count

    def write_status(self, handle, offset, data):
        return status_of(lambda: self.env.write(handle, offset, data))

    def set_size(self, handle, size):
        self.env.setattr(handle, size=size)

    def readlink(self, handle):
        return self.env.readlink(handle).target

    def part(self, directory, cookie, verf, size):
        got = self.env.readdir(directory, cookie, verf, size)
        entries = [(one.name, one.cookie, one.fileid) for one in got.entries if one.name not in (b".", b"..")]
        return entries, got.verf, got.eof

    def used(self, handle):
        return self.attributes(handle).used

    def mtime(self, handle):
        got = self.attributes(handle).mtime
        return got.seconds, got.nseconds

    def set_mtime(self, handle, seconds, nseconds):
        self.env.setattr(handle, mtime=nfs3.stamp(seconds, nseconds))

    @staticmethod
    def shown(seconds):
        return seconds % (1 << 32)

    def space(self):
        got = self.env.fsstat(self.home)
        return got.tbytes, got.fbytes, got.abytes, got.tfiles, got.ffiles, got.afiles


class Client4:
    def __init__(self, patience, version):
        self.version, self.env = version, patience.client(version)
        self.home = self.env.home

    def facts(self, handle):
        got = self.env.get(handle, "type", "fileid", "mode", "owner", "size")
        return got.type, got.fileid, got.mode, int(got.owner), None if got.type == NF4DIR else got.size

    def look_up(self, directory, name):
        return self.env.lookup(directory, name)

    def read(self, handle, offset, count):
        return self.env.read(handle, offset, count)

    def write(self, handle, offset, data):
        return self.env.write(handle, data, offset).count

    def write_status(self, handle, offset, data):
        reply = self.env.compound(PUTFH(handle), WRITE(ANONYMOUS, offset, FILE_SYNC, data))
        return STATUS.name(reply.status).removeprefix("NFS4ERR_")

    def set_size(self, handle, size):
        self.env.set(handle, size=size)

    def readlink(self, handle):
        return self.env.ok(PUTFH(handle), READLINK())["READLINK"].link

    def part(self, directory, cookie, verf, size):
        got = self.env.ok(PUTFH(directory), READDIR(cookie, verf, size, size, ["fileid"]))["READDIR"]
        return [(one.name, one.cookie, one.attrs.fileid) for one in got.entries], got.cookieverf, got.eof

    def used(self, handle):
        return self.env.get(handle, "space_used").space_used

    def mtime(self, handle):
        got = self.env.get(handle, "time_modify").time_modify
        return got.seconds, got.nseconds

    def set_mtime(self, handle, seconds, nseconds):
        self.env.set(handle, time_modify_set=at(seconds, nseconds))

    @staticmethod
    def shown(seconds):
        return seconds

    def space(self):
        names = ("space_total", "space_free", "space_avail", "files_total", "files_free", "files_avail")
        got = self.env.get(self.home, *names)
        return tuple(getattr(got, name) for name in names)


def status_of(call):
    """A call's status; "OK" where it succeeds."""
    try:
        call()
    except Failed as problem:
        return problem.status.removeprefix("NFS4ERR_")
    return "OK"


# --- subjects: make() once, check() at each phase -----------------------------------------------------


class Subject:
    def __init__(self, test):
        self.test, self.findings, self.volume = test, test.findings, test.volume

    def path(self, *names):
        return os.path.join(self.volume, *names)

    def make_file(self, name, data=b""):
        """At the owner's volume, before any client has looked."""
        with open(self.path(name), "xb") as file:
            file.write(data)


class Handles(Subject):
    """Handles, cookies and listings from before."""

    NAMES = 700
    PART = 4096
    WHERE = {"file": "from/file", "inner": "from/parent/inner", "dir": "from/dir", "lnk": "from/lnk",
             "fifo": "from/fifo"}

    def make(self):
        for name in ("from", "from/parent", "from/dir", "to", "to/deep"):
            os.mkdir(self.path(name))
        self.data = {"file": random.Random(3).randbytes(10007), "inner": b"inner"}
        for name, data in self.data.items():
            self.make_file(self.WHERE[name], data)
        for number in range(self.NAMES):
            self.make_file(f"from/dir/entry-{number:04}")
        os.symlink("the target", self.path("from/lnk"))
        os.mkfifo(self.path("from/fifo"), 0o640)
        self.where = dict(self.WHERE)
        self.handles, self.before, self.parts, self.listed = {}, {}, {}, {}
        for client in self.test.clients():
            version = client.version
            found = {name: self.find(client, where) for name, where in self.where.items()}
            self.handles[version] = {**found, "root": client.home}
            self.before[version] = {name: client.facts(handle) for name, handle in self.handles[version].items()}
            self.parts[version] = client.part(found["dir"], 0, bytes(8), self.PART)
            self.listed[version] = self.listing(client, found["dir"])

    @staticmethod
    def find(client, where):
        handle = client.home
        for name in where.split("/"):
            handle = client.look_up(handle, name.encode())
        return handle

    def listing(self, client, directory, cookie=0, verf=bytes(8)):
        entries, end = [], False
        while not end:
            more, verf, end = client.part(directory, cookie, verf, self.PART)
            entries += more
            cookie = more[-1][1] if more else cookie
        return entries

    def check(self):
        for client in self.test.clients():
            version = client.version
            handles = self.handles[version]
            for name, handle in handles.items():
                self.findings.add(f"{version} {name} by its handle", client.facts(handle), self.before[version][name])
            for name, where in self.where.items():
                self.findings.add(f"{version} LOOKUP of {name}", self.find(client, where).hex(), handles[name].hex())
            for name, data in self.data.items():
                got = client.read(handles[name], 0, 1 << 16)
                self.findings.add(f"{version} READ of {name}", got == (data, True), True)
            self.findings.add(f"{version} READLINK", client.readlink(handles["lnk"]), b"the target")
            got = client.facts(client.look_up(handles["dir"], b"entry-0007"))
            self.findings.add(f"{version} LOOKUP in dir", got[0], nfs3.REG)
            self.check_listings(client)

    def check_listings(self, client):
        version, directory = client.version, self.handles[client.version]["dir"]
        entries, verf, end = self.parts[version]
        self.findings.add(f"{version} a part isn't the whole", end, False)
        old = self.listed[version]
        self.findings.add(f"{version} the listing is as before", self.listing(client, directory) == old, True)
        for place in (0, len(entries) // 2, len(entries) - 1):
            got = self.listing(client, directory, entries[place][1], verf)
            self.findings.add(f"{version} the listing behind cookie {place}", got == old[place + 1:], True)

    def rename(self, move):
        """Objects go to another directory, then the directory that one is in."""
        for name, where in {"file": "to/file2", "lnk": "to/deep/lnk", "fifo": "to/fifo", "dir": "to/deep/dir2"}.items():
            move(self.where[name], where)
            self.where[name] = where
        move("from/parent", "to/parent2")
        self.where["inner"] = "to/parent2/inner"

    def rename_back(self, move):
        move("to/parent2", "from/parent3")
        for name in ("file", "lnk", "fifo", "dir"):
            move(self.where[name], self.WHERE[name])
        self.where = {**self.WHERE, "inner": "from/parent3/inner"}


class Gone(Subject):
    """Handles of what was unlinked: STALE for everything."""

    def make(self):
        os.mkdir(self.path("gone"))
        os.chmod(self.path("gone"), 0o777)
        self.inodes, self.handles = {}, {}
        self.bury("unlinked", self.unlink)
        self.bury("replaced", self.replace)
        self.bury("unlinked-elsewhere", self.unlink_elsewhere)

    def bury(self, name, remove):
        """A new file and a new directory that are used, then go by remove(v3 client, directory, name)."""
        folder = f"{name}-dir"
        self.make_file(f"gone/{name}", b"data")
        os.mkdir(self.path("gone", folder))
        self.inodes[name] = {os.stat(self.path("gone", one)).st_ino for one in (name, folder)}
        for client in self.test.clients():
            handles = [Handles.find(client, f"gone/{one}") for one in (name, folder)]
            client.read(handles[0], 0, 4)
            client.write(handles[0], 0, b"data")
            client.part(handles[1], 0, bytes(8), 4096)
            self.handles[name, client.version] = handles
        remove(name, folder)

    def unlink(self, file, folder, client=None):
        client = client or self.test.client("v3")
        home = client.look_up(client.home, b"gone")
        client.env.remove(home, file.encode())
        client.env.rmdir(home, folder.encode())

    def unlink_elsewhere(self, file, folder):
        """By another point of contact, of which this one hears when its attributes are too old."""
        client = Client3(self.test.elsewhere, "v3")
        self.unlink(file, folder, client)
        client.env.close()
        time.sleep(AGE_SECONDS)

    def replace(self, file, folder):
        client = self.test.client("v3")
        home = client.look_up(client.home, b"gone")
        for name, make in ((file, client.env.create), (folder, client.env.mkdir)):
            make(home, b"new")
            client.env.rename(home, b"new", home, name.encode())

    def reuse(self):
        """New objects get the inode numbers of those that have gone."""
        wanted, client = set().union(*self.inodes.values()), self.test.client("v3")
        home, number = client.look_up(client.home, b"gone"), 0
        for folder, folders, files in os.walk(self.volume):
            wanted -= {os.lstat(os.path.join(folder, name)).st_ino for name in folders + files}
        while wanted and number < 200:
            for name, make in ((b"new-%d" % number, client.env.create), (b"new-%d-dir" % number, client.env.mkdir)):
                wanted.discard(make(home, name).attributes.fileid)
            number += 1
        self.findings.add("inode numbers that nobody has got", wanted, set())

    def check(self):
        for (name, version), (file, folder) in self.handles.items():
            client = self.test.client(version)
            ask = self.stale3 if version == "v3" else self.stale4
            for kind, handle in (("file", file), ("dir", folder)):
                for operation, status in ask(client, handle, kind == "dir"):
                    self.findings.add(f"{version} {operation} on the {kind} {name} that has gone", status, "STALE")

    @staticmethod
    def stale3(client, handle, is_dir):
        env = client.env
        there, env.home = env.home, client.look_up(env.home, b"stale")
        for operation, call in (ON_DIRECTORIES if is_dir else ON_OBJECTS).items():
            yield operation, status_of(lambda call=call: call(env, handle, want="OK"))
        env.home = there

    @staticmethod
    def stale4(client, handle, is_dir):
        home = client.look_up(client.home, b"stale")
        for name, ops in operations4(client, handle, home, is_dir).items():
            reply = client.env.compound(*ops)
            yield name, STATUS.name(reply.status).removeprefix("NFS4ERR_")


def operations4(client, handle, home, is_dir):
    """COMPOUNDs with an operation on the handle, by its name."""
    env, there, put = client.env, client.look_up(home, b"file"), PUTFH(handle)
    ops = {"GETATTR": [GETATTR(["size"])], "SETATTR": [SETATTR(ANONYMOUS, Record(mode=0o600))],
           "ACCESS": [ACCESS(0x3F)], "VERIFY": [VERIFY(Record(size=1))], "NVERIFY": [NVERIFY(Record(size=1))],
           "OPENATTR": [OPENATTR(False)]}
    if is_dir:
        ops |= {"LOOKUP": [LOOKUP(b"x")], "LOOKUPP": [LOOKUPP()], "REMOVE": [REMOVE(b"x")], "SECINFO": [SECINFO(b"x")],
                "CREATE": [CREATE(Record(type=NF4FIFO), b"x", Record(mode=0o600))],
                "CREATE of a link": [CREATE(Record(type=NF4LNK, linkdata=b"y"), b"x", Record())],
                "READDIR": [READDIR(0, bytes(8), 4096, 4096, ["fileid"])],
                "RENAME from": [SAVEFH(), PUTFH(home), RENAME(b"x", b"y")]}
    else:
        ops |= {"READ": [READ(ANONYMOUS, 0, 10)], "WRITE": [WRITE(ANONYMOUS, 0, FILE_SYNC, b"data")],
                "COMMIT": [COMMIT(0, 0)], "READLINK": [READLINK()], "LINK": [SAVEFH(), PUTFH(home), LINK(b"new")]}
    if client.version == "v42" and not is_dir:
        ops |= {"SEEK": [SEEK(ANONYMOUS, 0, 1)], "ALLOCATE": [ALLOCATE(ANONYMOUS, 0, 10)],
                "DEALLOCATE": [DEALLOCATE(ANONYMOUS, 0, 10)], "GETXATTR": [GETXATTR(b"x")],
                "LISTXATTRS": [LISTXATTRS(0, 100)], "SETXATTR": [SETXATTR(0, b"x", b"y")],
                "REMOVEXATTR": [REMOVEXATTR(b"x")]}
    ops = {name: [put, *rest] for name, rest in ops.items()}
    if is_dir:
        ops |= {"RENAME to": [PUTFH(home), SAVEFH(), put, RENAME(b"file", b"y")],
                "LINK to": [PUTFH(there), SAVEFH(), put, LINK(b"new")]}
    if is_dir and client.version != "v40":
        ops["OPEN"] = [put, env.open_op(b"x")]
    if not is_dir and client.version != "v40":
        ops["OPEN by handle"] = [put, env.open_op(None, claim=Record(claim=CLAIM_FH))]
    return ops


class Ends(Subject):
    """The end of files, exactly."""

    SIZES = (0, 1, 511, 4096, 10007, 65536, MIB + 1)
    READS = ((1, 1), (1, 2), (2, 1), (0, 1), (-5, 100), (4096, 4096), (4097, 4096), (4096, 4097), (65536, 65536))

    def make(self):
        os.mkdir(self.path("ends"))
        self.data = {size: random.Random(size).randbytes(size) for size in self.SIZES}
        for size, data in self.data.items():
            self.make_file(f"ends/{size}", data)
        self.make_file("ends/changing", bytes(100))

    def check(self):
        clients = self.test.clients()
        for client in clients:
            wrong = []
            for size, data in self.data.items():
                handle = Handles.find(client, f"ends/{size}")
                for back, count in self.READS:
                    offset = max(size - back, 0)
                    if client.read(handle, offset, count) != (data[offset:offset + count], offset + count >= size):
                        wrong.append((size, offset, count))
            self.findings.add(f"{client.version} reads at the end that go wrong", wrong, [])
        self.change(clients)

    def change(self, clients):
        """What one client does to the size, all others see at once: they ask the same server."""
        for number, by in enumerate(clients):
            size = 5000 + 1000 * number
            for act in ("truncate", "append"):
                handle = Handles.find(by, "ends/changing")
                by.set_size(handle, size) if act == "truncate" else by.write(handle, size, b"end")
                size += 3 if act == "append" else 0
                for client in clients:
                    got = client.read(Handles.find(client, "ends/changing"), size - 2, 10)
                    self.findings.add(f"{client.version} the end after {by.version} {act}", got,
                                      (b"nd" if act == "append" else bytes(2), True))


class Sparse(Subject):
    """Large offsets; 16 TiB - 4 KiB is the end of ext4's files with blocks of 4 KiB."""

    MOST = (1 << 44) - 4096
    EDGES = (1 << 31, 1 << 32, 1 << 43, MOST - 8)
    MARK = b"0123456789abcdef"

    def make(self):
        for version in VERSIONS:
            self.make_file(f"sparse-{version}")
            client = self.test.client(version)
            handle = Handles.find(client, f"sparse-{version}")
            for edge in self.EDGES:
                self.findings.add(f"{version} WRITE around {edge:#x}", client.write(handle, edge - 8, self.MARK), 16)
            status = client.write_status(handle, self.MOST, b"x")
            self.findings.add(f"{version} WRITE behind the last byte", status, "FBIG")
            status = client.write_status(handle, self.MOST - 2, b"over")
            self.findings.add(f"{version} WRITE over the last byte", status)
            client.write(handle, self.MOST - 8, self.MARK[8:])
            self.findings.add(f"{version} SETATTR of a size too large",
                              status_of(lambda: client.set_size(handle, self.MOST + 1)), "FBIG")
            with open(self.path(f"sparse-{version}"), "rb") as file:
                for edge in self.EDGES:
                    got = os.pread(file.fileno(), 16, edge - 8)
                    self.findings.add(f"{version} at the owner around {edge:#x}", got, self.MARK)

    def check(self):
        for client in self.test.clients():
            for of in VERSIONS:
                handle, path = Handles.find(client, f"sparse-{of}"), self.path(f"sparse-{of}")
                self.findings.add(f"{client.version} size of {of}'s", client.facts(handle)[4], self.MOST)
                self.findings.eventually(f"{client.version} space of {of}'s", lambda: client.used(handle),
                                         lambda: os.stat(path).st_blocks * 512)
                for edge in self.EDGES:
                    more = min(16, self.MOST - edge - 8)
                    self.findings.add(f"{client.version} READ of {of}'s around {edge:#x}",
                                      client.read(handle, edge - 24, 48),
                                      (bytes(16) + self.MARK + bytes(more), edge + 24 >= self.MOST))


class Times(Subject):
    """From 1901 to 2446, in nanoseconds; NFS v3 has the low 32 bits of seconds."""

    MOST = (1 << 34) - (1 << 31) - 1
    SECONDS = (-1 << 31, -2, -1, 0, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, MOST)
    ENDS = (-1 << 31, MOST)
    BEYOND = (ENDS[0] - 1, MOST + 1, 1 << 40)

    def make(self):
        os.mkdir(self.path("times"))
        self.times = {}
        for number, seconds in enumerate(self.SECONDS):
            for by in ("owner", *VERSIONS):
                if by == "v3" and not 0 <= seconds < 1 << 32:
                    continue
                # the kernel leaves nothing of the nanoseconds at the very ends
                nseconds = 0 if seconds in self.ENDS else 999999999 if number % 2 else 123456789
                self.set(f"{by}-{number}", by, seconds, nseconds)
                self.times[f"{by}-{number}"] = seconds, nseconds
        for number, seconds in enumerate(self.BEYOND):
            for by in VERSIONS[1:]:
                self.set(f"beyond-{by}-{number}", by, seconds, 5)
                stamp = os.stat(self.path(f"times/beyond-{by}-{number}")).st_mtime_ns
                self.findings.add(f"{by} time {seconds} at the owner", stamp)

    def set(self, name, by, seconds, nseconds):
        self.make_file(f"times/{name}")
        if by == "owner":
            stamp = seconds * 10 ** 9 + nseconds
            os.utime(self.path("times", name), ns=(stamp, stamp))
        else:
            client = self.test.client(by)
            handle = Handles.find(client, f"times/{name}")
            self.findings.add(f"{by} setting the time {seconds}",
                              status_of(lambda: client.set_mtime(handle, seconds, nseconds)),
                              None if name.startswith("beyond") else "OK")

    def check(self):
        for name, (seconds, nseconds) in self.times.items():
            stamp = os.stat(self.path("times", name)).st_mtime_ns
            self.findings.add(f"{name} at the owner", stamp, seconds * 10 ** 9 + nseconds)
            for client in self.test.clients():
                self.findings.add(f"{client.version} {name}", client.mtime(Handles.find(client, f"times/{name}")),
                                  (client.shown(seconds), nseconds))


class Space(Subject):
    """df."""

    def make(self):
        """Nothing: the volume is there."""

    def owners(self):
        got = os.statvfs(self.volume)
        size = got.f_frsize
        return (got.f_blocks * size, got.f_bfree * size, got.f_bavail * size, got.f_files, got.f_ffree, got.f_favail)

    def check(self):
        for client in self.test.clients():
            self.findings.eventually(f"{client.version} space and files are the volume's", client.space, self.owners)

    def fill(self):
        """100 MiB over NFS, half of it by v3 and half by v4.1."""
        before = self.owners()
        for version in ("v3", "v41"):
            self.make_file(f"fill-{version}")
            client = self.test.client(version)
            handle = Handles.find(client, f"fill-{version}")
            for number in range(100):
                client.write(handle, number * MIB // 2, b"\xa5" * (MIB // 2))
        self.check()
        taken = before[1] - self.owners()[1]
        self.findings.add("100 MiB more are taken", 100 * MIB <= taken < 102 * MIB, True)
        self.findings.add("two files more are there", before[4] - self.owners()[4], 2)


# --- the whole ----------------------------------------------------------------------------------------


class Test:
    def __init__(self, server, other, nfs_port, mount_port, export, volume, fsal):
        self.volume = volume
        self.patience, self.elsewhere = (Patience(one, nfs_port, mount_port, export) for one in (server, other))
        self.cluster = Cluster(fsal == "rdmaxfer")
        self.findings = Findings()
        self.open = {}
        os.mkdir(os.path.join(volume, "stale"))
        os.chmod(os.path.join(volume, "stale"), 0o777)
        with open(os.path.join(volume, "stale", "file"), "xb"):
            pass
        self.handles, self.gone, self.space = Handles(self), Gone(self), Space(self)
        self.subjects = [self.handles, self.gone, Ends(self), Sparse(self), Times(self), self.space]

    def client(self, version):
        if version not in self.open:
            self.open[version] = (Client3 if version == "v3" else Client4)(self.patience, version)
        return self.open[version]

    def clients(self):
        return [self.client(version) for version in VERSIONS]

    def phase(self, title, act):
        """Acts, then checks everything by new connections and clients."""
        began = time.monotonic()
        self.findings.phase = title
        act()
        for client in self.open.values():
            client.env.close()
        self.open = {}
        count = len(self.findings.found)
        for subject in self.subjects:
            subject.check()
        print(f"   {title}: {len(self.findings.found) - count} findings, {time.monotonic() - began:.1f} s", flush=True)

    def make(self):
        for subject in self.subjects:
            subject.make()

    def over_nfs(self, source, to):
        client = self.client("v3")
        folders = [Handles.find(client, path.rpartition("/")[0]) for path in (source, to)]
        client.env.rename(folders[0], os.path.basename(source).encode(), folders[1], os.path.basename(to).encode())

    def at_owner(self, source, to):
        os.rename(os.path.join(self.volume, source), os.path.join(self.volume, to))

    def rename_and_reuse(self):
        self.handles.rename(self.over_nfs)
        self.gone.bury("unlinked-later", self.gone.unlink)
        self.gone.reuse()

    def rename_and_fill(self):
        self.handles.rename_back(self.at_owner)
        self.space.fill()

    def run(self):
        restart = self.cluster.restart
        self.phase("at first", self.make)
        self.phase("after a restart of the owner", lambda: restart("owner1"))
        self.phase("after renames", self.rename_and_reuse)
        self.phase("after a restart of Ganesha", lambda: restart("poc1"))
        self.phase("after renames at the owner", self.rename_and_fill)
        self.phase("after a restart of both", lambda: restart("owner1", "poc1"))


def compare(found, reference):
    """How many findings are other ones than with FSAL_VFS, and not right."""
    that(found.keys() == reference.keys(), f"findings on one side only: {sorted(found.keys() ^ reference.keys())[:5]}")
    different = [name for name in found if found[name] != reference[name] and found[name] is not True]
    for name in different:
        print(f"   {name}: {found[name]}, with FSAL_VFS {reference[name]}")
    return len(different)


def main():
    *arguments, fsal, path = sys.argv[1:]
    test = Test(*arguments, fsal)
    try:
        test.run()
    except Failed as problem:
        print(f"FAILED {test.findings.phase}: {problem}")
        return 1
    found = test.findings.found
    print(f"   {len(found)} findings, {len(test.findings.wrong)} are wrong; "
          f"asked again because of DELAY: {test.patience.delays()}")
    if fsal == "vfs":
        with open(path, "w", encoding="utf-8") as file:
            json.dump(found, file)
        return 0
    with open(path, encoding="utf-8") as file:
        different = compare(found, json.load(file))
    return 1 if test.findings.wrong or different else 0


sys.exit(main())
