# SPDX-License-Identifier: LGPL-3.0-or-later
# records.py -- CARRIER: clients' records that aren't data, amid calls: new keys, asked for in return or not; fatal alerts
"""Others write and read meanwhile. The relay follows new keys; the kernel can't, and the connection ends with a goodbye."""

import struct
import subprocess
import threading

from clients import ARGUMENTS, NFS, File, at_once, client_of, connection, fail
from rpctls import receive_record

CARRIER, = ARGUMENTS
ROUNDS = 3
CUTS = (0, 2, 30)  # between records, in the length of one, in one
OTHERS = ("openssl", "gnutls", "plain")
AT_ONCE_SECONDS = 10  # of a busy machine
EXIT_CUT, EXIT_ALERT = 3, 4  # of gnutls_tunnel


def call(xid):
    """A record whose answer is its xid and success."""
    return struct.pack(">I", 0x80000000 | 40) + struct.pack(">10I", xid, 0, 2, *NFS, 0, 0, 0, 0, 0)


def answer(xid):
    return struct.pack(">6I", xid, 1, 0, 0, 0, 0)


def begin():
    """A connection that has been answered."""
    stream = connection(client_of("gnutls")).socket
    stream.settimeout(AT_ONCE_SECONDS)
    stream.sendall(call(1))
    if receive_record(stream) != answer(1):
        fail("NULL isn't answered")
    return stream


def change_keys(stream, order, record, cut):
    """In between."""
    stream.sendall(record[:cut])
    stream.order(order)
    if record[cut:]:
        stream.sendall(record[cut:])


def is_followed(order, cut):
    stream = begin()
    for xid in range(2, 8):
        change_keys(stream, order, call(xid), cut)
        if receive_record(stream) != answer(xid):
            fail("a call isn't answered")
    stream.finish()
    if (outcome := stream.outcome()) != (0, ""):
        fail(outcome)
    stream.close()


def ends(order, cut):
    """Without an answer; with a goodbye, for which nothing can come too late if nothing follows."""
    for record in (call(2), call(2)[:cut]):
        stream = begin()
        change_keys(stream, order, record, cut)
        if stream.recv(1):
            fail("something is answered")
        stream.finish()
        if len(record) == cut and (outcome := stream.outcome())[0] == EXIT_CUT:
            fail(outcome)
        stream.close()


def alert(cut):
    """No answer is under way: those that can't be sent any more keep libntirpc from closing a descriptor, without TLS, too."""
    stream = begin()
    stream.sendall(call(2)[:cut])
    stream.order(b"a")
    # The tunnel ends when the server has ended the connection.
    if (status := stream.process.wait(AT_ONCE_SECONDS)) != EXIT_ALERT:
        fail(status)
    stream.close()


def try_all():
    new_keys = {"relay": is_followed, "kernel": ends}[CARRIER]
    for cut in CUTS:
        for name, work in (("new keys", lambda: new_keys(b"u", cut)), ("new keys on both sides", lambda: new_keys(b"r", cut)),
                           ("an alert", lambda: alert(cut))):
            try:
                work()
            except (OSError, SystemExit, subprocess.TimeoutExpired) as problem:
                fail(f"{name} at byte {cut} of a call: {problem!r}")


def work(number, chance):
    if number == len(OTHERS):
        try:
            for _ in range(ROUNDS):
                try_all()
        finally:
            over.set()
        return
    file = File(client_of(OTHERS[number]), b"records%d" % number)
    while not over.is_set():
        file.turn(chance)
    file.turn(chance)
    file.close()


over = threading.Event()
at_once(len(OTHERS) + 1, work)
print(f"   {ROUNDS * len(CUTS)} times new keys, new keys on both sides, and an alert")
