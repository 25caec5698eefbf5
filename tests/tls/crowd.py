# SPDX-License-Identifier: LGPL-3.0-or-later
# crowd.py -- COUNT: so many connections ask for TLS and don't begin; those that are let wait are ended, others are served
import select
import socket
import sys

from clients import ADDRESS, ARGUMENTS, NFS, NFS_PORT, fail
from rpctls import STARTTLS, question

COUNT = int(ARGUMENTS[0])
GIVE_UP_SECONDS = 60


def open_one():
    wire = socket.create_connection((ADDRESS, NFS_PORT), 30)
    wire.sendall(question(*NFS))
    return wire


def watch(wires):
    """How many were told to begin; when all are closed."""
    poll, left, told = select.poll(), {wire.fileno(): wire for wire in wires}, 0
    for number in left:
        poll.register(number, select.POLLIN)
    while left:
        ready = poll.poll(GIVE_UP_SECONDS * 1000)
        if not ready:
            fail(f"{len(left)} of {COUNT} connections aren't closed")
        for number, _ in ready:
            try:
                data = left[number].recv(4096)
            except ConnectionError:
                data = b""
            told += STARTTLS in data
            if not data:
                poll.unregister(number)
                left.pop(number).close()
    return told


opened = [open_one() for _ in range(COUNT)]
print("   opened", flush=True)
if sys.stdin.readline():
    TOLD = watch(opened)
    print(f"   {COUNT} connections, {TOLD} were told to begin; all are closed", flush=True)
    if not 0 < TOLD < COUNT:
        fail("as many as may, and no more, should have been told to begin")
