# SPDX-License-Identifier: LGPL-3.0-or-later
# nlm.py -- plain|openssl|gnutls NLM_PORT kernel|relay: tests/integration/nlm.py over connections of that kind
import os
import runpy
import sys

from clients import ADDRESS, ARGUMENTS, EXPORT, MNT_PORT, MOUNT, NFS, NFS_PORT, client_of, fail
import rpctls
from rpc import Connection

NLM = (100021, 4)
kind, nlm_port, carrier = ARGUMENTS
client = client_of(kind)
programs = {NFS_PORT: NFS, MNT_PORT: MOUNT, int(nlm_port): NLM}


def secure(wire, port):
    if port != int(nlm_port) or carrier == "kernel":
        return client.start(wire, *programs[port])
    try:
        rpctls.ask(wire, *NLM)
    except rpctls.Refused:
        return wire  # and it goes on in cleartext
    return fail("NLM's port offers TLS, where the relay would carry it")


if client:
    Connection.secure = staticmethod(secure)
sys.argv[1:] = [ADDRESS, str(NFS_PORT), str(MNT_PORT), nlm_port, EXPORT]
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "integration", "nlm.py"),
               run_name="__main__")
