# SPDX-License-Identifier: LGPL-3.0-or-later
# quota.py -- SERVER NFS-PORT MOUNT-PORT RQUOTA-PORT EXPORT: RQUOTA is answered Q_NOQUOTA; a volume of 32 MiB gets full
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "conformance"))
import nfs3  # noqa: E402,F401
import suite  # noqa: E402
from rpc import Connection, Program, Tape  # noqa: E402
from xdr import U32, Bytes, Record, Struct  # noqa: E402

GETQUOTA = Struct(path=Bytes(1024), uid=U32)
LIMITS = Struct(*((name, U32) for name in ("bhardlimit", "bsoftlimit", "curblocks", "fhardlimit", "fsoftlimit",
                                           "curfiles", "btimeleft", "ftimeleft")))
SETQUOTA = Struct(qcmd=U32, path=Bytes(1024), uid=U32, limits=LIMITS)
NOQUOTA = 2
RQUOTA = Program(100011, 1, [(1, "GETQUOTA", GETQUOTA, U32), (3, "SETQUOTA", SETQUOTA, U32)])

MIB = bytes(1 << 20)
SIZE = 32


def ask_for_quotas(server, port, path):
    connection = Connection(server, port, Tape())
    for name, more in (("GETQUOTA", {}), ("SETQUOTA", {"qcmd": 0, "limits": LIMITS.zero()})):
        status = connection.call(RQUOTA, name, Record(path=path.encode(), uid=1000, **more))
        if status != NOQUOTA:
            sys.exit(f"{name} is answered {status} instead of {NOQUOTA}")


def fill(target):
    """As many whole MiB as fit; what was acknowledged is there, and with space again writing goes on."""
    env = suite.ENVIRONMENTS["v3"](target, "v3", Tape())
    env.open()
    env.base = env.prepare()
    env.begin("FULL")
    env.model = None  # a WRITE that fails may have changed the times
    handle, written = env.file(b"large"), 0
    while (result := env.write(handle, written << 20, MIB, want="OK NOSPC")).status == 0 and result.count == len(MIB):
        written += 1
    env.write(handle, SIZE << 20, MIB, want="NOSPC")
    if not SIZE - 4 <= written <= SIZE:
        sys.exit(f"NOSPC after {written} MiB of {SIZE}")
    suite.that(env.read(handle, (written - 1) << 20, 1 << 20).data == MIB, "the last MiB isn't there")
    env.setattr(handle, size=0)
    env.write(handle, 0, MIB)
    env.tidy()
    env.close()
    print(f"NOSPC after {written} MiB")


server, nfs_port, mount_port, quota_port, export = sys.argv[1:]
ask_for_quotas(server, int(quota_port), export)
fill(suite.Target(server, int(nfs_port), int(mount_port), export, "full"))
