# SPDX-License-Identifier: LGPL-3.0-or-later
# refused.py -- EXPORT...: the server has none of these, for v3 and v4, and offers no TLS
from clients import ADDRESS, ARGUMENTS, MNT_PORT, MOUNT, NFS, NFS_PORT, connection, fail
from nfs3 import MOUNT_PROGRAM
from nfs4 import LOOKUP, NFS4, PUTROOTFH
from rpctls import STARTTLS, connect, question, receive_record
from xdr import Record

mounts, wire = connection(None, MNT_PORT, MOUNT), connection(None)
for export in ARGUMENTS:
    if mounts.call(MOUNT_PROGRAM, "MNT", Record(path=export.encode())).status == 0:
        fail(f"{export} can be mounted")
    ops = [PUTROOTFH(), LOOKUP(export[1:].encode())]
    if wire.call(NFS4, "COMPOUND", Record(tag=b"", minorversion=0, argarray=ops)).status == 0:
        fail(f"{export} is found")
mounts.close()
wire.close()
wire = connect(ADDRESS, NFS_PORT)
wire.sendall(question(*NFS))
if STARTTLS in receive_record(wire):
    fail("TLS is offered")
wire.close()
