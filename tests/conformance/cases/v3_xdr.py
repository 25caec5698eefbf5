# SPDX-License-Identifier: LGPL-3.0-or-later
# v3_xdr.py -- arguments of NFS v3 that aren't what XDR says, and calls that aren't what RPC says
import struct

from nfs3 import FIFO, FILE_SYNC, GUARDED, NFS, NFS_PROGRAM, UNCHECKED, sattr
from rpc import AUTH_SYS, NOBODY, Credential, Record, RpcError
from suite import equal, expect_rpc, test, that

GARBAGE = ("RFC 5531 9", "GARBAGE_ARGS: procedure can't decode params.")
PADDING = ("RFC 4506 4.10", "The length is followed by n bytes of data and enough (0 to 3) residual zero bytes, r, to "
                            "make the total byte count a multiple of four.")
UNION = ("RFC 4506 4.15", "A discriminated union is a type composed of a discriminant followed by a type selected "
                          "from a set of prearranged types according to the value of the discriminant.")
BOOL = ("RFC 4506 4.4", "bool identifier; this is equivalent to: enum { FALSE = 0, TRUE = 1 } identifier;")
HANDLE = ("RFC 1813 2.4", "NFS3_FHSIZE 64: The maximum size in bytes of the opaque file handle.")
PROG = ("RFC 5531 9", "PROG_UNAVAIL: remote hasn't exported program. PROG_MISMATCH: remote can't support version #. "
                      "PROC_UNAVAIL: program can't support procedure.")
RPCVERS = ("RFC 5531 9", "RPC_MISMATCH: RPC version number != 2. In the case of an RPC version mismatch, the server "
                         "returns the lowest and highest supported RPC version numbers.")
AUTH = ("RFC 5531 9", "AUTH_BADCRED: bad credential (seal broken). AUTH_REJECTEDCRED: client must begin new session. "
                      "AUTH_TOOWEAK: rejected for security reasons.")
WITH_ARGUMENTS = [name for name in NFS_PROGRAM.procedures if name != "NULL"]
HUGE = struct.pack(">I", 0xFFFFFFF0)


def arguments(env, name):
    """Arguments of a procedure that are right, as bytes: on an object in env.home, for a name that is new."""
    handle = env.lookup(env.home, b"f").handle
    entry = {"dir": env.home, "name": b"new"}
    values = {
        "SETATTR": {"object": handle, "new": sattr(mode=0o640), "guard": None},
        "ACCESS": {"object": handle, "access": 1},
        "READ": {"object": handle, "offset": 0, "count": 4},
        "WRITE": {"object": handle, "offset": 0, "count": 4, "stable": FILE_SYNC, "data": b"DATA"},
        "CREATE": {**entry, "how": Record(how=UNCHECKED, attributes=sattr(mode=0o644))},
        "MKDIR": {**entry, "attributes": sattr(mode=0o755)},
        "SYMLINK": {**entry, "attributes": sattr(), "target": b"t"},
        "MKNOD": {**entry, "what": Record(type=FIFO, attributes=sattr(mode=0o644))},
        "LOOKUP": {"dir": env.home, "name": b"f"},
        "REMOVE": {"dir": env.home, "name": b"f"}, "RMDIR": {"dir": env.home, "name": b"d"},
        "RENAME": {"source": Record(dir=env.home, name=b"f"), "to": Record(**entry)},
        "LINK": {"object": handle, "link": Record(**entry)},
        "READDIR": {"dir": env.home, "cookie": 0, "verf": bytes(8), "count": 4096},
        "READDIRPLUS": {"dir": env.home, "cookie": 0, "verf": bytes(8), "dircount": 4096, "maxcount": 8192},
        "COMMIT": {"object": handle, "offset": 0, "count": 0}}
    default = {"root": env.home} if name in ("FSSTAT", "FSINFO") else {"object": handle}
    return env.encoded(name, **values.get(name, default))


def garbage(env, name, data):
    """The call is garbage, for a server that stays usable."""
    expect_rpc("GARBAGE_ARGS", env.raw, name, data)


def untouched(env):
    equal("names", sorted(entry.name for entry in env.listing(env.home)), [b"d", b"f"])
    handle = env.lookup(env.home, b"f").handle
    equal("data", env.read(handle).data, b"data")
    equal("mode", env.getattr(handle).attributes.mode, 0o600)


def register(name, body, kind, title, cites):
    def run(env):
        env.file(b"f", b"data", 0o600)
        env.folder(b"d")
        body(env, name, arguments(env, name))
        untouched(env)
    run.__doc__ = f"{name} {title}"
    test(f"N3{kind}{name}", f"v3 xdr {name.lower()}", cites=cites)(run)


def cut(env, name, data):
    for size in sorted({0, 3, 4, len(data) // 8 * 4, len(data) - 4, len(data) - 1}):
        garbage(env, name, data[:size])


def handle_lengths(env, name, data):
    """Lengths of the first handle: a byte over the limit, and far over it."""
    size = struct.unpack(">I", data[:4])[0]
    rest = data[4 + size + -size % 4:]
    garbage(env, name, struct.pack(">I", 68) + bytes(68) + rest)
    for length in (len(data) + 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF):
        garbage(env, name, struct.pack(">I", length) + data[4:])


def name_lengths(env, name, data):
    """Lengths of the first name."""
    size = struct.unpack(">I", data[:4])[0]
    at = 4 + size + -size % 4
    for length in (len(data), 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF):
        garbage(env, name, data[:at] + struct.pack(">I", length) + data[at + 4:])


for _name in WITH_ARGUMENTS:
    register(_name, cut, "CUT", "with arguments that are cut at several places", [GARBAGE])
    register(_name, handle_lengths, "FHL", "with a handle that is too long, or longer than the call", [GARBAGE, HANDLE])
for _name in ("LOOKUP", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "REMOVE", "RMDIR"):
    register(_name, name_lengths, "NML", "with a name that is longer than the call", [GARBAGE])


def begin(env):
    env.folder(b"d")
    return env.file(b"f", b"data", 0o600)


@test("N3XDR1", "v3 xdr create", cites=[GARBAGE, UNION])
def createmode_unknown(env):
    "CREATE with a createmode3 that has no arm"
    begin(env)
    data = env.encoded("LOOKUP", dir=env.home, name=b"new")
    for mode in (3, 0xFFFFFFFF):
        garbage(env, "CREATE", data + struct.pack(">I", mode) + bytes(64))
    untouched(env)


@test("N3XDR10", "v3 xdr setattr", cites=[GARBAGE, UNION])
def time_how_unknown(env):
    "SETATTR with a time_how that has no arm, of atime and of mtime"
    data = env.encoded("GETATTR", object=begin(env)) + bytes(16)
    for atime, mtime in ((3, 0), (0, 3), (0xFFFFFFFF, 0), (0, 0xFFFFFFFF)):
        garbage(env, "SETATTR", data + struct.pack(">III", atime, mtime, 0))
    untouched(env)


@test("N3XDR11", "v3 xdr mknod", cites=[
    UNION,
    ("RFC 1813 3.3.11", "The server should return NFS3ERR_BADTYPE if what.type is any other value."),
])
def ftype_unknown(env):
    "MKNOD with an ftype3 that doesn't exist: BADTYPE, or garbage"
    begin(env)
    data = env.encoded("LOOKUP", dir=env.home, name=b"new")
    for kind in (0, 8, 0xFFFFFFFF):
        try:
            equal("status", env.raw("MKNOD", data + struct.pack(">I", kind))[:4], struct.pack(">I", 10007))
        except RpcError as problem:
            equal("answer", problem.what, "GARBAGE_ARGS")
    untouched(env)


@test("N3XDR2", "v3 xdr setattr", cites=[GARBAGE, BOOL])
def booleans(env):
    "SETATTR with booleans that are neither FALSE nor TRUE changes no mode that isn't the one given, or is garbage"
    handle = begin(env)
    start = env.encoded("GETATTR", object=handle)
    for value in (2, 0x100, 0xFFFFFFFF):
        try:
            reply = env.raw("SETATTR", start + struct.pack(">II", value, 0o600) + bytes(12) + bytes(8) + bytes(4))
            that(reply[:4] in (b"\0\0\0\0", b"\0\0\0\x16"), f"status {reply[:4]!r}")
        except RpcError as problem:
            equal("answer", problem.what, "GARBAGE_ARGS")
        env.model.touch(handle, "ctime")
    untouched(env)


@test("N3XDR3", "v3 xdr lookup", cites=[PADDING])
def padding(env):
    "LOOKUP and GETATTR with padding that isn't zero: done, or garbage, but no other object"
    handle = begin(env)
    try:
        reply = env.raw("LOOKUP", arguments(env, "LOOKUP")[:-3] + b"abc")
        equal("status and handle", reply[:8 + len(handle)], struct.pack(">II", 0, len(handle)) + handle)
    except RpcError as problem:
        equal("answer", problem.what, "GARBAGE_ARGS")
    untouched(env)


@test("N3XDR4", "v3 xdr lookup", cites=[PADDING, GARBAGE])
def no_padding(env):
    "LOOKUP whose name ends without padding"
    begin(env)
    garbage(env, "LOOKUP", arguments(env, "LOOKUP")[:-3])
    untouched(env)


@test("N3XDR5", "v3 xdr getattr", cites=[GARBAGE])
def extra_bytes(env):
    "Bytes behind the arguments: done or garbage, and the server stays usable"
    handle = begin(env)
    for extra in (b"\0\0\0\0", b"\xff" * 64, bytes(4096)):
        try:
            reply = env.raw("GETATTR", env.encoded("GETATTR", object=handle) + extra)
            equal("status, type", reply[:8], struct.pack(">II", 0, 1))
        except RpcError as problem:
            equal("answer", problem.what, "GARBAGE_ARGS")
        equal("NULL", env.raw("NULL", b""), b"")
    untouched(env)


@test("N3XDR6", "v3 xdr write", cites=[GARBAGE])
def write_data_length(env):
    "WRITE whose data's length is more than the call has, up to 4 GiB"
    begin(env)
    data = arguments(env, "WRITE")
    for length in (5, 8, 4096, 0x7FFFFFFF, 0xFFFFFFFC, 0xFFFFFFFF):
        garbage(env, "WRITE", data[:-8] + struct.pack(">I", length) + data[-4:])
    untouched(env)


@test("N3XDR7", "v3 xdr rename link symlink", cites=[GARBAGE])
def second_lengths(env):
    "RENAME, LINK and SYMLINK whose second name or handle, or text, is longer than the call"
    begin(env)
    for name, back in (("RENAME", 8), ("LINK", 8), ("SYMLINK", 8), ("RENAME", 12 + len(env.home) + -len(env.home) % 4),
                       ("LINK", 12 + len(env.home) + -len(env.home) % 4)):
        data = arguments(env, name)
        garbage(env, name, data[:-back] + HUGE + data[len(data) - back + 4:])
    untouched(env)


@test("N3XDR8", "v3 xdr null", cites=[("RFC 1813 3.3.0", "Procedure NULL does not do any work.")])
def null_with_arguments(env):
    "NULL with arguments that it doesn't have: done or garbage"
    try:
        equal("results", env.raw("NULL", b"\xff" * 100), b"")
    except RpcError as problem:
        equal("answer", problem.what, "GARBAGE_ARGS")
    equal("results", env.raw("NULL", b""), b"")


@test("N3XDR9", "v3 xdr read readdir", cites=[
    ("RFC 1813 3.3.6", "It is possible for the server to return fewer than count bytes of data."),
])
def huge_counts(env):
    "READ, READDIR and READDIRPLUS of 4 GiB answer what there is"
    handle = begin(env)
    got = env.read(handle, 0, 2 ** 32 - 1)
    equal("data, eof", (got.data, got.eof), (b"data", True))
    for part in (env.readdir(env.home, count=2 ** 32 - 1),
                 env.readdirplus(env.home, dircount=2 ** 32 - 1, maxcount=2 ** 32 - 1)):
        equal("names", {entry.name for entry in part.entries} - {b".", b".."}, {b"f", b"d"})


@test("N3RPC1", "v3 rpc", cites=[PROG])
def unknown_procedures(env):
    "Procedures 22, 23 and 2^32-1 of NFS v3"
    for proc in (22, 23, 1000, 2 ** 32 - 1):
        expect_rpc("PROC_UNAVAIL", env.wires.nfs.raw_call, *NFS, proc, b"")
    equal("NULL", env.raw("NULL", b""), b"")


@test("N3RPC2", "v3 rpc", cites=[PROG])
def unknown_versions(env):
    "Versions of NFS that no server has: PROG_MISMATCH tells those that it has, 3 among them"
    for vers in (0, 1, 5, 2 ** 32 - 1):
        try:
            env.wires.nfs.raw_call(NFS[0], vers, 0, b"")
            that(False, f"version {vers} is answered")
        except RpcError as problem:
            equal("answer", problem.what, "PROG_MISMATCH")
            low, high = str(problem).partition(": ")[2].split(" to ")
            that(2 <= int(low) <= 3 <= int(high) <= 4, f"versions {low} to {high}")


@test("N3RPC3", "v3 rpc", cites=[PROG])
def unknown_program(env):
    "Programs that nobody has"
    for prog in (100099, 0, 2 ** 32 - 1):
        expect_rpc("PROG_UNAVAIL", env.wires.nfs.raw_call, prog, 3, 0, b"")
    equal("NULL", env.raw("NULL", b""), b"")


@test("N3RPC4", "v3 rpc", cites=[RPCVERS])
def rpc_version(env):
    "RPC versions 1, 3 and 2^32-1"
    for vers in (1, 3, 2 ** 32 - 1):
        try:
            env.raw("NULL", b"", rpcvers=vers)
            that(False, f"RPC version {vers} is answered")
        except RpcError as problem:
            equal("answer", str(problem), "RPC_MISMATCH: 2 to 2")
            env.reconnect()


@test("N3RPC5", "v3 rpc", cites=[("RFC 1813 2.1", "The NULL procedure typically requires no authentication."), AUTH])
def auth_none(env):
    "AUTH_NONE: NULL is answered; other procedures are refused as too weak, or done as nobody"
    handle = begin(env)
    env.setattr(handle, mode=0o600)
    equal("NULL", env.raw("NULL", b"", cred=NOBODY), b"")
    try:
        reply = env.raw("READ", arguments(env, "READ"), cred=NOBODY)
        equal("status", reply[:4], struct.pack(">I", 13))
    except RpcError as problem:
        equal("answer", str(problem), "AUTH_ERROR: AUTH_TOOWEAK")
    untouched(env)


@test("N3RPC6", "v3 rpc", cites=[AUTH])
def unknown_flavor(env):
    "Credentials of a flavor that nobody knows"
    begin(env)
    for flavor in (99, 2 ** 31):
        cred = Record(flavor=flavor, body=b"whatever")
        expect_rpc("AUTH_ERROR", env.raw, "GETATTR", arguments(env, "GETATTR"), cred=cred)
    untouched(env)


@test("N3RPC7", "v3 rpc", cites=[
    AUTH,
    ("RFC 5531 A", "The \"gids\" is a counted array of groups that contain the caller as a member; gids<16>; "
     "machinename<255>."),
])
def spoiled_credentials(env):
    "AUTH_SYS credentials that are cut, have 17 groups, or a machine name of 256 bytes"
    begin(env)
    data = arguments(env, "GETATTR")
    good = Credential(0, 0, [1, 2]).auth().body
    for body in (good[:-4], good[:8], b"", good[:-12] + HUGE + good[-8:], Credential(0, 0, range(17)).auth().body):
        expect_rpc("AUTH_ERROR", env.raw, "GETATTR", data, cred=Record(flavor=AUTH_SYS, body=body))
    untouched(env)


@test("N3RPC8", "v3 rpc create", cites=[
    ("RFC 5531 A", "gids<16>"),
    ("RFC 1813 2.1", "AUTH_UNIX: the uid, gid and groups of the caller."),
])
def sixteen_groups(env):
    "AUTH_SYS with 16 groups: the last counts"
    handle = env.file(b"f", b"data", 0o640, gid=1016)
    user = env.as_user(1001, 1001, range(1001, 1017))
    equal("data", user.read(handle).data, b"data")
    env.as_user(1001, 1001, range(1001, 1016)).read(handle, want="ACCES")
    equal("gid", user.create(env.home, b"g", how=GUARDED).attributes.gid, 1001)


@test("N3RPC9", "v3 rpc", cites=[
    ("RFC 5531 11", "A record is composed of one or more record fragments. A record fragment is a four-byte header "
     "followed by 0 to (2**31) - 1 bytes of fragment data."),
])
def fragments(env):
    "A call in fragments of 4 bytes is answered as one in a single fragment"
    handle = begin(env)
    wire = env.wires.nfs
    send, wire.send_record = wire.send_record, lambda record: wire.socket.sendall(b"".join(
        struct.pack(">I", (0x80000000 if at + 4 >= len(record) else 0) | len(record[at:at + 4])) + record[at:at + 4]
        for at in range(0, len(record), 4)))
    equal("data", env.read(handle).data, b"data")
    wire.send_record = send
    untouched(env)
