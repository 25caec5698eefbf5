# SPDX-License-Identifier: LGPL-3.0-or-later
# shutdown.py -- hang|clean SERVER NFS-PORT MOUNT-PORT EXPORT...: clients of all kinds that never rest
"""Says "running" when each has had its first answers. hang: they go on until their connection ends, whatever they are
answered. clean: until a line comes in; each error is one of the test's. Then it says how many operations were answered."""
import multiprocessing
import os
import sys
import time

from patient import Patience  # first: it finds the modules below
from nfs4 import BOTH_ACCESS, create
from rpc import RpcError
from suite import Failed
from xdr import Record

mode, server, nfs_port, mount_port, *exports = sys.argv[1:]
DATA = os.urandom(65536)


def data3(env, name):
    handle = env.create(env.home, name).handle
    while True:
        env.write(handle, 0, DATA)
        if env.read(handle, 0, len(DATA)).data != DATA:
            raise Failed("other data is read than was written")
        yield


def names3(env, name):
    while True:
        env.create(env.home, name)
        env.rename(env.home, name, env.home, name + b"-new")
        env.remove(env.home, name + b"-new")
        yield


def attributes3(env, name):
    handle = env.create(env.home, name).handle
    while True:
        env.setattr(handle, mode=0o600)
        env.setattr(handle, size=4711)
        env.getattr(handle)
        yield


def listings3(env, name):
    folder = env.mkdir(env.home, name).handle
    while True:
        env.readdir(folder)
        env.lookup(env.home, name)
        yield


def locks4(env, name):
    opened = env.open_file(name, how=create(attrs=Record(mode=0o666)), access=BOTH_ACCESS)
    lock = env.lock(opened, 0, 10)
    while True:
        env.write(opened.handle, DATA, 0, lock.stateid)
        env.unlock(lock, 0, 10)
        env.lock_more(lock, 0, 10)
        yield


def data4(env, name):
    opened = env.open_file(name, how=create(attrs=Record(mode=0o666)), access=BOTH_ACCESS)
    while True:
        env.write(opened.handle, DATA, 0, opened.stateid)
        env.read(opened.handle, 0, len(DATA), opened.stateid)
        yield


KINDS = [("v3", data3), ("v3", data3), ("v3", names3), ("v3", attributes3), ("v3", attributes3), ("v3", listings3),
         ("v40", locks4), ("v40", data4)]


class Client(multiprocessing.Process):
    def __init__(self, export, number, version, kind):
        super().__init__(daemon=True)
        self.export, self.version, self.kind = export, version, kind
        self.file = f"{kind.__name__}-{number}-{os.getpid()}".encode()
        self.count, self.stop = multiprocessing.Value("Q", 0), multiprocessing.Event()

    def run(self):
        try:
            # Made here, because clients have their process's name.
            patience = Patience(server, nfs_port, mount_port, self.export)
            for _ in self.kind(patience.client(self.version), self.file):
                self.count.value += 1
                if self.stop.is_set():
                    return
        except (Failed, RpcError) as problem:
            if mode == "clean" or self.count.value < 3:
                print(f"{self.file.decode()}: {problem}", flush=True)
                sys.exit(1)


clients = [Client(export, number, *kind) for export in exports for number, kind in enumerate(KINDS)]
for client in clients:
    client.start()
deadline = time.monotonic() + 20
while any(client.count.value < 3 for client in clients):
    if time.monotonic() > deadline:
        sys.exit("too few answers: " + ", ".join(f"{client.file.decode()} {client.count.value}" for client in clients))
    time.sleep(0.02)
print("running", flush=True)
if mode == "clean":
    sys.stdin.readline()
    for client in clients:
        client.stop.set()
for client in clients:
    client.join(60)
    if client.is_alive():
        client.kill()
        sys.exit(f"{client.file.decode()} hangs")
print(f"{sum(client.count.value for client in clients)} rounds", flush=True)
sys.exit(any(client.exitcode for client in clients))
