# SPDX-License-Identifier: LGPL-3.0-or-later
# nodes_tls.py -- POC NFS-PORT MOUNT-PORT EXPORT FILE: writes and reads until FILE appears; nothing fails
import os
import pathlib
import sys

from patient import Patience  # first: it finds the modules below
from suite import equal

poc, nfs_port, mount_port, export, end = sys.argv[1:]
BLOCK, BLOCKS = 65536, 8


def main():
    patience = Patience(poc, nfs_port, mount_port, export)
    client = patience.client("v3")
    handle = client.file(b"traffic-%d" % os.getpid())
    turns = 0
    while not pathlib.Path(end).exists():
        for number in range(BLOCKS):
            client.write(handle, number * BLOCK, bytes([(turns + number) % 251]) * BLOCK)
        for number in range(BLOCKS):
            equal("what was written", client.read(handle, number * BLOCK, BLOCK).data, bytes([(turns + number) % 251]) * BLOCK)
        turns += 1
    print(f"   {turns * BLOCKS} blocks were written and read, delays: {patience.delays()['v3']}")
    sys.exit(turns == 0)


main()
