# SPDX-License-Identifier: LGPL-3.0-or-later
# control_garbage.py -- throws bytes at a control port or socket: ADDRESS PORT|unix PATH SECONDS [SEED]
"""Random bytes, huge lengths, half records, and calls that are almost right."""

import random
import socket
import struct
import sys
import time

PROGRAM = 0x20584652


def mark(length, last=True):
    return struct.pack(">I", length | (0x80000000 if last else 0))


def call(proc, arguments=b"", program=PROGRAM, version=1, rpc=2):
    head = struct.pack(">IIIIIIIIII", random.getrandbits(32), 0, rpc, program, version, proc, 0, 0, 0, 0)
    return head + arguments


def record(head):
    return mark(len(head)) + head


def random_bytes():
    return random.randbytes(random.randrange(1, 4096))


def huge_length():
    return mark(random.choice([0x7FFFFFFF, 0x10000000, 1 << 20, 131073 + 3])) + random_bytes()


def half_record():
    return mark(random.randrange(8, 131072, 4)) + random.randbytes(7)


def empty_fragments():
    return mark(0, False) * random.randrange(1, 100)


def almost_a_call():
    head = bytearray(call(random.randrange(0, 40), random.randbytes(4 * random.randrange(0, 100))))
    for _ in range(random.randrange(0, 4)):
        head[random.randrange(len(head))] = random.getrandbits(8)
    return record(bytes(head))


def refused_payload():
    head = call(26, random.randbytes(64))
    return mark(len(head), False) + head + mark(1 << 20) + random.randbytes(random.choice([0, 1000, 1 << 20]))


def endless_fragments():
    head = call(0)
    return mark(len(head), False) + head + mark(4096, False) + random.randbytes(4096)


KINDS = [random_bytes, huge_length, half_record, empty_fragments, almost_a_call, refused_payload, endless_fragments]


def connect(address, port):
    """unix PATH: a Unix socket."""
    if address != "unix":
        return socket.create_connection((address, int(port)), timeout=10)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    connection.connect(port)
    return connection


def main():
    address, port, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else int(time.time())
    print(f"   seed {seed}")
    random.seed(seed)
    deadline = time.monotonic() + seconds
    sent, idle = 0, []
    while time.monotonic() < deadline:
        try:
            connection = connect(address, port)
        except OSError:
            time.sleep(0.01)  # too many wait to be accepted
            continue
        connection.settimeout(0.05)
        try:
            for _ in range(random.randrange(1, 5)):
                connection.sendall(random.choice(KINDS)())
                sent += 1
            if random.random() < 0.3:
                connection.recv(4096)
        except OSError:
            pass
        if random.random() < 0.05 and len(idle) < 100:
            idle.append(connection)
        else:
            connection.close()
    print(f"   {sent} messages of garbage, {len(idle)} connections left open")


if __name__ == "__main__":
    main()
