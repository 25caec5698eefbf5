# SPDX-License-Identifier: LGPL-3.0-or-later
# looker.py -- an NFSv3 client that looks at names and attributes all the time (tests/bench/two_nodes)
"""looker.py SERVER NFS-PORT MOUNT-PORT EXPORT RATE DIRECTORY NAME...: GETATTR of a directory of the export ("." is its
root), LOOKUP of each of these names in it, and GETATTR of what they are at first, in turn: RATE of these a second, or, if
it is 0, as many as it gets answered, some of them at a time. It prints an empty line when the first ones have been
answered; a line of JSON when its input ends: how many there were, and in how many seconds."""

import json
import os
import random
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "integration"))
from patient import Patience  # noqa: E402  first: it finds the modules below
from nfs3 import NFS, NFS_PROGRAM, Status  # noqa: E402
from rpc import NOBODY, ROOT, CallHeader  # noqa: E402
from xdr import Record  # noqa: E402

AT_A_TIME = 8
STATUS_AT = 24  # in an answer, behind a header with an empty verifier
FINE = {Status.values[name] for name in ("OK", "NOENT", "JUKEBOX")}


def encoded(procedure, /, **arguments):
    """A call without its number, which comes first."""
    procedure = NFS_PROGRAM.procedures[procedure]
    header = Record(xid=0, mtype=0, rpcvers=2, prog=NFS[0], vers=NFS[1], proc=procedure.number, cred=ROOT.auth(), verf=NOBODY)
    return (CallHeader.encode(header) + procedure.arguments.encode(Record(**arguments)))[4:]


def calls_of(env, directory, names):
    """The directory's attributes between all others."""
    handle = env.home if directory == "." else env.lookup(env.home, directory.encode()).handle
    calls, of_directory = [], encoded("GETATTR", object=handle)
    for name in (name.encode() for name in names):
        calls += [of_directory, encoded("LOOKUP", dir=handle, name=name)]
        found = env.lookup(handle, name, want="OK NOENT")
        if found.status == 0:
            calls.append(encoded("GETATTR", object=found.handle))
    return calls


class Looker:
    def __init__(self, connection, calls):
        self.connection, self.calls = connection, calls
        self.number = self.looks = 0
        self.at = random.randrange(len(calls))

    def look(self, count):
        """So many at a time."""
        records = []
        for _ in range(count):
            self.number, self.at = self.number + 1, (self.at + 1) % len(self.calls)
            call = self.calls[self.at]
            records.append(struct.pack(">II", 0x80000000 | len(call) + 4, self.number) + call)
        self.connection.socket.sendall(b"".join(records))
        for _ in range(count):
            answer = self.connection.receive_record()
            status, = struct.unpack_from(">I", answer, STATUS_AT)
            if status not in FINE:
                sys.exit(f"looker.py: {Status.name(status)}")
        self.looks += count

    def go(self, rate, ended):
        began = time.monotonic()
        while not ended.is_set():
            if rate:
                time.sleep(max(0, began + self.looks / rate - time.monotonic()))
            self.look(1 if rate else AT_A_TIME)
        return time.monotonic() - began


def main():
    where, rate, directory, names = sys.argv[1:5], sys.argv[5], sys.argv[6], sys.argv[7:]
    env = Patience(*where).client("v3")
    looker = Looker(env.wires.nfs, calls_of(env, directory, names))
    looker.look(AT_A_TIME)
    looker.looks = 0
    print(flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    seconds = looker.go(int(rate), ended)
    print(json.dumps({"looks": looker.looks, "seconds": seconds}), flush=True)


main()
