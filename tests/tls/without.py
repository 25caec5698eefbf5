# SPDX-License-Identifier: LGPL-3.0-or-later
# without.py -- a server without TLS: the question is answered by an empty verifier, and the connection goes on
import random

from clients import ADDRESS, NFS, NFS_PORT, File, connection, fail
from nfs3 import NFS_PROGRAM
from rpctls import accepted, connect, question, receive_record

for _ in range(3):
    wire = connection(None)
    wire.socket.sendall(question(*NFS))
    if receive_record(wire.socket) != accepted(verf=b""):
        fail("the question isn't answered by an empty verifier")
    wire.call(NFS_PROGRAM, "NULL", None)
    wire.close()
wire = connect(ADDRESS, NFS_PORT)
wire.sendall(question(*NFS, procedure=1))
if receive_record(wire)[8:12] != b"\0\0\0\1":
    fail("a question with another procedure is accepted")
wire.close()
file = File(None, b"without")
file.turn(random.Random(1))
file.close()
