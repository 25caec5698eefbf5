# SPDX-License-Identifier: LGPL-3.0-or-later
# endings.py -- connections at all stages, which the server ends: those that carry hear its goodbye
import ssl
import sys

from clients import ADDRESS, CA, NFS, NFS_PORT, client_of, connection, fail
from nfs3 import NFS_PROGRAM
from rpctls import Client, Stream, ask, connect

EACH = 16
GIVE_UP_SECONDS = 60


def asked():
    wire = connect(ADDRESS, NFS_PORT, GIVE_UP_SECONDS)
    ask(wire, *NFS)
    return wire


def begun():
    """A connection whose server waits for our Finished."""
    wire = asked()
    stream = Stream(wire, Client(CA, ADDRESS).context(), ADDRESS)
    stream.shake(last=lambda: None)
    return wire


def carrying(kind):
    wire = connection(client_of(kind))
    wire.call(NFS_PROGRAM, "NULL", None)
    wire.socket.settimeout(GIVE_UP_SECONDS)
    return wire.socket


def ended(wire):
    try:
        while wire.recv(4096):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        fail("a connection that doesn't carry isn't ended")


def said_goodbye(stream, kind):
    try:
        if stream.recv(1):
            fail("something comes that nobody has asked for")
    except (ssl.SSLError, ConnectionError) as problem:
        fail(f"{kind}: the server goes without a goodbye: {problem}")
    except TimeoutError:
        fail(f"{kind}: a connection that carries isn't ended")
    if kind == "gnutls" and (outcome := (stream.finish(), stream.outcome())[1])[0]:
        fail(f"gnutls: {outcome}")


others = [make() for _ in range(EACH) for make in (asked, begun)]
streams = [(carrying(kind), kind) for _ in range(EACH) for kind in ("openssl", "gnutls")]
print("held", flush=True)
if sys.stdin.readline():
    for stream, kind in streams:
        said_goodbye(stream, kind)
    for wire in others:
        ended(wire)
    print(f"   {len(streams)} said goodbye to, {len(others)} ended")
