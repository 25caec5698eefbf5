# SPDX-License-Identifier: LGPL-3.0-or-later
# io_advise.py -- SERVER PORT EXPORT: IO_ADVISE with an open's stateid is refused, and CLOSE works afterwards
"""Not in the conformance suite: with FSAL_VFS, Ganesha 4.3 writes the hints over the open's list of locks and ends at CLOSE."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance"))
import nfs41  # noqa: E402,F401
import suite  # noqa: E402
from nfs4 import IO_ADVISE, PUTFH  # noqa: E402

server, port, export = sys.argv[1:]
target = suite.Target(server, int(port), 0, export, "io-advise")
env = suite.ENVIRONMENTS["v42"](target, "v42", suite.Tape())
env.open()
env.base = env.prepare()
env.begin("ADVISE")
opened = env.create_file(b"file", b"data")
for hint in (1, 2, 3):
    env.fails("NFS4ERR_NOTSUPP", PUTFH(opened.handle), IO_ADVISE(opened.stateid, 0, 0, {hint}))
env.close_file(opened)
env.tidy()
env.close()
print("refused, and closed")
