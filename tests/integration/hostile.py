# SPDX-License-Identifier: LGPL-3.0-or-later
# hostile.py -- peers that take a control port's or socket's resources: ADDRESS PORT|unix PATH SECONDS ATTACK...
"""Thousands of idle connections, records that never end or are cut off, a byte a second, floods of HELLO, callers that
never read an answer, and sessions that ask for more than they read (greedy, from a node that may have one). Prints what
was done; fails when something could not even be tried."""

import os
import random
import resource
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from bad_peer import HELLO, OK, Peer, header, hello, opaque, status, volume_id  # noqa: E402
from control_garbage import call, connect, mark, record  # noqa: E402

IDLE = 2000
SLOW = 20
READ, STATUS, PING = 25, 5, 4
ROOT = b"\xff\xff"
LOOKUP, MIB = 16, 1 << 20


class Attack(threading.Thread):
    """Something that is done again and again until the time is over."""

    def __init__(self, target, deadline, act):
        super().__init__(daemon=True)
        self.target, self.deadline, self.act = target, deadline, act
        self.count = 0

    def time_left(self):
        return time.monotonic() < self.deadline

    def open(self, timeout=1.0):
        """None: it is not let in now."""
        try:
            connection = connect(*self.target)
        except OSError:
            time.sleep(0.01)
            return None
        connection.settimeout(timeout)
        return connection

    def run(self):
        while self.time_left():
            try:
                self.act(self)
            except OSError:
                pass


def idle(attack):
    """Opens as many as there can be, and others for those that are closed."""
    kept = []
    while attack.time_left():
        connection = attack.open()
        if connection:
            kept.append(connection)
            attack.count += 1
        if len(kept) >= IDLE:
            kept.pop(0).close()
            time.sleep(0.001)


def slow(attack):
    """A valid call, a byte a second, as long as one of the connections is let live."""
    connections = [connection for _ in range(SLOW) if (connection := attack.open())]
    for byte in record(call(PING)):
        for connection in list(connections):
            try:
                connection.sendall(bytes([byte]))
                attack.count += 1
            except OSError:
                connections.remove(connection)
        if not connections or not attack.time_left():
            return
        time.sleep(1)


def endless(attack):
    """A call that is refused, whose payload never ends; then fragments without end."""
    connection = attack.open()
    if not connection:
        return
    head = call(26, bytes(64))
    connection.sendall(mark(len(head), False) + head + mark(MIB))
    for _ in range(random.randrange(64)):
        connection.sendall(bytes(16384))
    while attack.time_left():
        connection.sendall(mark(16384, False) + bytes(16384))
        attack.count += 1


def cut(attack):
    """Half a record, then the end, one way or the other."""
    connection = attack.open()
    if not connection:
        return
    connection.sendall(mark(random.randrange(8, 131072, 4)) + random.randbytes(random.randrange(8)))
    if random.random() < 0.5:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    attack.count += 1


def hellos(attack):
    """As nodes that there are and that there aren't."""
    connection = attack.open()
    if not connection:
        return
    for _ in range(50):
        node = random.choice([b"poc1", b"owner1", b"nobody", b"x" * 63])
        connection.sendall(record(call(HELLO, hello(node=node, minor=random.choice([0, 0, 7])))))
        attack.count += 1
    connection.recv(65536)
    connection.close()


def deaf(attack):
    """Calls whose answers are never read, until no more is taken."""
    connection = attack.open(timeout=0.5)
    calls = b"".join(record(call(random.choice([PING, STATUS, HELLO, 999]))) for _ in range(100))
    try:
        while connection and attack.time_left():
            connection.sendall(calls)
            attack.count += 100
    except TimeoutError:
        while attack.time_left():
            time.sleep(0.1)


def member(attack):
    """A connection with a session; among so many strangers it may be closed before its HELLO is looked at."""
    while attack.time_left():
        try:
            peer = Peer(*attack.target)
            if status(peer.call(HELLO, hello())) == OK:
                return peer
        except (OSError, SystemExit):
            time.sleep(0.01)
    return None


def greedy(attack):
    """A session that asks for megabytes and reads none of them."""
    peer = member(attack)
    if not peer:
        return
    handle, slot = lookup(peer, b"nfsload.dat"), 0
    peer.socket.settimeout(0.5)
    try:
        while attack.time_left():
            arguments = struct.pack(">IIIII", slot % 256, 2 + slot // 256, 0, 0, 0) + opaque(handle)
            arguments += struct.pack(">QQIII", 0, 0, MIB, 1, 1) + struct.pack(">I", MIB)
            peer.socket.sendall(record(call(READ, arguments)))
            slot += 1
            attack.count += 1
    except TimeoutError:
        while attack.time_left():
            time.sleep(0.1)


def lookup(peer, name):
    """A file's handle: behind the status and the directory's attributes, a flag and 100 bytes."""
    found = peer.call(LOOKUP, header() + opaque(volume_id() + ROOT) + opaque(name))
    if status(found) != OK:
        sys.exit(f"LOOKUP: status {status(found)}")
    (length,) = struct.unpack(">I", found[108:112])
    return found[112 : 112 + length]


def main():
    seconds, acts = float(sys.argv[3]), [globals()[name] for name in sys.argv[4:]]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 16384), most))
    attacks = [Attack(sys.argv[1:3], time.monotonic() + seconds, act) for act in acts]
    for attack in attacks:
        attack.start()
    for attack in attacks:
        attack.join(seconds + 10)
    print("   " + ", ".join(f"{attack.act.__name__} {attack.count}" for attack in attacks))
    if not all(attack.count for attack in attacks):
        sys.exit("an attack did not take place")


main()
