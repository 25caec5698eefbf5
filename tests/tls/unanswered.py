# SPDX-License-Identifier: LGPL-3.0-or-later
# unanswered.py -- what was called in cleartext is answered in cleartext, or not at all
"""Who is on the way could send a call before a client's question for TLS: its answer, if it comes by TLS, is the server's own
word to that client. Says a line when the owner has to stop, and to go on; each is answered by one on stdin, when it is done."""
import struct
import sys
import time

from clients import ADDRESS, CA, NFS, NFS_PORT, fail, mount
from rpctls import Client, Stream, accepted, connect, opaque, question, receive_record, record

MARK, FSSTAT = 0x4D4D4D4D, 18


def owner(what):
    print(what, flush=True)
    sys.stdin.readline()


def fsstat(handle):
    """A call in cleartext that only the owner can answer."""
    return record(struct.pack(">IIIIII", MARK, 0, 2, *NFS, FSSTAT) + opaque(1, struct.pack(">IIIII", 0, 0, 0, 0, 0)) +
                  opaque(0, b"") + struct.pack(">I", len(handle)) + handle + bytes(-len(handle) % 4))


root = mount(None)
wire = connect(ADDRESS, NFS_PORT)
owner("stop")
wire.sendall(fsstat(root))
time.sleep(0.3)  # so that it is under way
wire.sendall(question(*NFS))
answer = receive_record(wire)
if answer != accepted():
    fail(f"the question isn't answered first, but {answer[:64]!r}")
stream = Stream(wire, Client(CA, ADDRESS).context(), ADDRESS)
wire.settimeout(0.5)
try:
    stream.shake()
    fail("TLS begins before what was called in cleartext is answered")
except TimeoutError:
    pass
owner("go on")
wire.settimeout(30)
answer = receive_record(wire)
if answer[:4] != struct.pack(">I", MARK):
    fail(f"what was called in cleartext isn't answered so, but {answer[:64]!r}")
# An honest client would have given up by now. One that hasn't is served, by TLS.
stream.shake()
stream.sendall(record(struct.pack(">IIIIII", 7, 0, 2, *NFS, 0) + opaque(0, b"") + opaque(0, b"")))
if receive_record(stream) != accepted(7, b""):
    fail("the connection isn't served afterwards")
