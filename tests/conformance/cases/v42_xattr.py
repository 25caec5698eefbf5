# SPDX-License-Identifier: LGPL-3.0-or-later
# v42_xattr.py -- extended attributes of NFS v4.2 (RFC 8276)
from nfs4 import (ACCESS, ACCESS_XALIST, ACCESS_XAREAD, ACCESS_XAWRITE, GETATTR, GETXATTR, LISTXATTRS, PUTFH,
                  REMOVEXATTR, SETXATTR, SETXATTR_CREATE, SETXATTR_EITHER, SETXATTR_REPLACE)
from rpc import Credential
from suite import equal, test, that

from .v41_tools import argument, malformed

GET, SET, LIST, REMOVE = "RFC 8276 8.4.1.3", "RFC 8276 8.4.2.3", "RFC 8276 8.4.3.3", "RFC 8276 8.4.4.3"
LIST_OVERHEAD = 16
USER = Credential(1000, 1000)


def put(env, handle, name, value, option=SETXATTR_EITHER):
    """Sets one; returns SETXATTR's change info."""
    return env.ok(PUTFH(handle), SETXATTR(option, name, value))["SETXATTR"].cinfo


def value_of(env, handle, name):
    return env.ok(PUTFH(handle), GETXATTR(name))["GETXATTR"].value


def names_of(env, handle, maxcount=65536):
    """All names, by as many calls as it takes; each within maxcount bytes."""
    names, cookie, eof = [], 0, False
    while not eof:
        result = env.ok(PUTFH(handle), LISTXATTRS(cookie, maxcount))["LISTXATTRS"]
        size = LIST_OVERHEAD + sum(4 + len(name) + -len(name) % 4 for name in result.names)
        that(size <= maxcount, f"{size} bytes of at most {maxcount}")
        that(result.eof or result.names, "neither names nor the end")
        that(result.eof or result.cookie != cookie, "the cookie stays")
        names += result.names
        cookie, eof = result.cookie, result.eof
    return names


def with_xattrs(body):
    """Where a file system has none, a test's operations must not be supported (RFC 8276 8.4), and that is all of it."""
    def run(env):
        if env.ok(PUTFH(env.home), GETATTR(["xattr_support"]))["GETATTR"].attrs.get("xattr_support"):
            body(env)
            return
        for operation in (GETXATTR(b"name"), SETXATTR(SETXATTR_EITHER, b"name", b"value"), LISTXATTRS(0, 65536),
                          REMOVEXATTR(b"name")):
            env.fails("NFS4ERR_NOTSUPP", PUTFH(env.home), operation)
    run.__doc__ = body.__doc__
    return run


@test("XATT42-1", "v42 setxattr xattrs", cites=[
    (GET, "The GETXATTR operation will obtain the value for the given extended attribute key for the file system "
          "object specified by the current filehandle"),
    (SET, "By default (SETXATTR4_EITHER), the extended attribute will be created if need be, or its value will be "
          "replaced if the attribute exists")])
@with_xattrs
def set_and_get(env):
    "SETXATTR and GETXATTR of a file and a directory: values short, empty, with zeros, replaced"
    for handle in (env.new_file(b"f"), env.make(b"d", mode=0o755)):
        for name, value in ((b"one", b"value"), (b"two", b"\0\1\0"), (b"three", b"x" * 1000), (b"one", b"replaced")):
            put(env, handle, name, value)
            equal(f"the value of {name}", value_of(env, handle, name), value)
        equal("the names", sorted(names_of(env, handle)), [b"one", b"three", b"two"])
        equal("the value of the first", value_of(env, handle, b"one"), b"replaced")


@test("XATT42-2", "v42 setxattr xattrs", cites=[
    (SET, "The server MUST return NFS4ERR_EXIST if the attribute key already exists")])
@with_xattrs
def create_only(env):
    "SETXATTR with CREATE, then again"
    handle = env.new_file(b"f")
    put(env, handle, b"name", b"value", SETXATTR_CREATE)
    env.fails("NFS4ERR_EXIST", PUTFH(handle), SETXATTR(SETXATTR_CREATE, b"name", b"other"))
    equal("the value", value_of(env, handle, b"name"), b"value")


@test("XATT42-3", "v42 setxattr xattrs", cites=[
    (SET, "SETXATTR4_REPLACE is also used to set an xattr, but the server MUST return NFS4ERR_NOXATTR if the "
          "attribute key does not exist")])
@with_xattrs
def replace_only(env):
    "SETXATTR with REPLACE, of nothing and of something"
    handle = env.new_file(b"f")
    env.fails("NFS4ERR_NOXATTR", PUTFH(handle), SETXATTR(SETXATTR_REPLACE, b"name", b"value"))
    equal("the names", names_of(env, handle), [])
    put(env, handle, b"name", b"value")
    put(env, handle, b"name", b"other", SETXATTR_REPLACE)
    equal("the value", value_of(env, handle, b"name"), b"other")


@test("XATT42-4", "v42 getxattr xattrs", cites=[
    (GET, "The server also MUST return NFS4ERR_NOXATTR if it supports xattrs on the target but cannot obtain the "
          "requested data"),
    (REMOVE, "The server MUST return NFS4ERR_NOXATTR if the attribute key does not exist")])
@with_xattrs
def missing(env):
    "GETXATTR and REMOVEXATTR of a name that isn't there"
    handle = env.new_file(b"f")
    put(env, handle, b"name", b"value")
    env.fails("NFS4ERR_NOXATTR", PUTFH(handle), GETXATTR(b"nam"))
    env.fails("NFS4ERR_NOXATTR", PUTFH(handle), REMOVEXATTR(b"names"))
    equal("the names", names_of(env, handle), [b"name"])


@test("XATT42-5", "v42 removexattr xattrs", cites=[
    (REMOVE, "The REMOVEXATTR operation deletes one extended attribute of a file system object specified by "
             "rxa_name")])
@with_xattrs
def remove(env):
    "REMOVEXATTR, twice"
    handle = env.new_file(b"f")
    for name in (b"one", b"two"):
        put(env, handle, name, name)
    env.ok(PUTFH(handle), REMOVEXATTR(b"one"))
    env.fails("NFS4ERR_NOXATTR", PUTFH(handle), GETXATTR(b"one"))
    env.fails("NFS4ERR_NOXATTR", PUTFH(handle), REMOVEXATTR(b"one"))
    equal("the names", names_of(env, handle), [b"two"])


@test("XATT42-6", "v42 setxattr xattrs attrs", cites=[
    (SET, "A successful SETXATTR MUST change the file time_metadata and change attributes if the xattr is created "
          "or the value assigned to xattr changes"),
    (REMOVE, "A successful REMOVEXATTR MUST change the file time_metadata and change attributes")])
@with_xattrs
def changes(env):
    "SETXATTR and REMOVEXATTR change the file's change attribute, and nothing else"
    handle = env.new_file(b"f", b"data")
    before = env.get(handle, "change", "time_modify", "size", "mode")
    put(env, handle, b"name", b"value")
    made = env.get(handle, "change", "time_modify", "size", "mode")
    that(made.change != before.change, "change stays when an attribute is made")
    put(env, handle, b"name", b"other value")
    other = env.get(handle, "change", "time_modify", "size", "mode")
    that(other.change != made.change, "change stays when the value changes")
    env.ok(PUTFH(handle), REMOVEXATTR(b"name"))
    gone = env.get(handle, "change", "time_modify", "size", "mode")
    that(gone.change != other.change, "change stays when the attribute goes")
    for after in (made, other, gone):
        equal("the other attributes", after.copy(change=0), before.copy(change=0))


@test("XATT42-7", "v42 setxattr xattrs", cites=[
    (SET, "On success, the server returns the change_info4 information in sxr_info"),
    (REMOVE, "the server communicates the value of the change attribute immediately prior to, and immediately "
             "following, a successful REMOVEXATTR operation in rxr_info")])
@with_xattrs
def change_info(env):
    "The change information of SETXATTR and REMOVEXATTR is the file's change attribute before and after"
    handle = env.new_file(b"f")
    before = env.get(handle, "change").change
    cinfo = put(env, handle, b"name", b"value")
    after = env.get(handle, "change").change
    equal("SETXATTR's change information", (cinfo.before, cinfo.after), (before, after))
    cinfo = env.ok(PUTFH(handle), REMOVEXATTR(b"name"))["REMOVEXATTR"].cinfo
    equal("REMOVEXATTR's change information", (cinfo.before, cinfo.after), (after, env.get(handle, "change").change))


@test("XATT42-8", "v42 listxattrs xattrs", cites=[
    (LIST, "On successful return, the server's response will provide a list of extended attribute keys. The "
           "\"lxr_eof\" flag has a value of TRUE if there are no more keys for the object")])
@with_xattrs
def list_none(env):
    "LISTXATTRS of a file without, and with one"
    handle = env.new_file(b"f")
    result = env.ok(PUTFH(handle), LISTXATTRS(0, 4096))["LISTXATTRS"]
    equal("the names and the end", (result.names, result.eof), ([], True))
    put(env, handle, b"name", b"value")
    result = env.ok(PUTFH(handle), LISTXATTRS(0, 4096))["LISTXATTRS"]
    equal("the names and the end", (result.names, result.eof), ([b"name"], True))


@test("XATT42-9", "v42 listxattrs xattrs", cites=[
    (LIST, "For subsequent LISTXATTRS requests, the client specifies a cookie value that is provided by the server "
           "on a previous LISTXATTRS request"),
    (LIST, "This maximum size represents all of the data being returned within the LISTXATTRS4resok structure and "
           "includes the XDR overhead")])
@with_xattrs
def list_in_pieces(env):
    "LISTXATTRS of 20 names in pieces: each once"
    handle = env.new_file(b"f")
    made = [b"name %02d" % number for number in range(20)]
    for name in made:
        put(env, handle, name, name)
    for maxcount in (65536, 200, 64):
        equal(f"the names by {maxcount} bytes", sorted(names_of(env, handle, maxcount)), made)


@test("XATT42-10", "v42 listxattrs xattrs", cites=[
    (LIST, "If the server is unable to return a single xattr name within the maxcount limit, the error "
           "NFS4ERR_TOOSMALL will be returned to the client")])
@with_xattrs
def list_too_small(env):
    "LISTXATTRS without room for a name"
    handle = env.new_file(b"f")
    put(env, handle, b"a name of some length", b"value")
    for maxcount in (0, 8, 16, 30):
        env.fails("NFS4ERR_TOOSMALL", PUTFH(handle), LISTXATTRS(0, maxcount))


def refused_or_set(env, handle, value):
    reply = env.compound(PUTFH(handle), SETXATTR(SETXATTR_EITHER, b"big", value))
    reply.expect("NFS4_OK", "NFS4ERR_XATTR2BIG", "NFS4ERR_NOSPC")
    if reply.status:
        env.fails("NFS4ERR_NOXATTR", PUTFH(handle), GETXATTR(b"big"))
    else:
        equal("the value", value_of(env, handle, b"big"), value)


@test("XATT42-11", "v42 setxattr xattrs", cites=[
    (SET, "If the server file system imposes additional limits on the size of the key name or value, it MAY return "
          "NFS4ERR_XATTR2BIG"),
    ("RFC 8276 8.3.2", "The size of the xattr value specified as part of a SETXATTR operation, or the collective "
                       "size of all xattrs of the file resulting from the SETXATTR operation, is bigger than that "
                       "supported by the underlying file system")])
@with_xattrs
def too_big(env):
    "SETXATTR of a big value: refused without a trace, or it comes back"
    handle = env.new_file(b"f")
    refused_or_set(env, handle, b"v" * 8000)


@test("XATT42-19", "v42 setxattr xattrs", cites=[
    ("RFC 8276 8.2.1", "a single xattr key or value exchanged between the client and server for get/set operations "
                       "is limited by the channel's negotiated maximum size for requests and responses")])
def huge(env):
    "SETXATTR of 60000 bytes, which the session's requests may have"
    refused_or_set(env, env.new_file(b"f"), b"v" * 60000)


@test("XATT42-12", "v42 setxattr xattrs names", cites=[
    ("RFC 8881 15.1.7.3", "Returned when the filename in an operation exceeds the server's implementation limit")])
@with_xattrs
def long_name(env):
    "SETXATTR and GETXATTR with a name that is too long, and an empty one"
    handle = env.new_file(b"f")
    for op in (SETXATTR(SETXATTR_EITHER, b"n" * 300, b"value"), GETXATTR(b"n" * 300)):
        env.fails("NFS4ERR_NAMETOOLONG NFS4ERR_INVAL", PUTFH(handle), op)
    env.fails("NFS4ERR_INVAL NFS4ERR_BADNAME NFS4ERR_NAMETOOLONG", PUTFH(handle),
              SETXATTR(SETXATTR_EITHER, b"", b"value"))


@test("XATT42-13", "v42 getxattr xattrs", cites=[
    ("RFC 8881 15.1.2.5",
     "The logical current or saved filehandle value is required by the current operation and is not set")])
def no_handle(env):
    "Each of the four operations without a current handle"
    setting = SETXATTR(SETXATTR_EITHER, b"name", b"value")
    for op in (GETXATTR(b"name"), setting, LISTXATTRS(0, 4096), REMOVEXATTR(b"name")):
        env.fails("NFS4ERR_NOFILEHANDLE", op)


@test("XATT42-14", "v42 xattrs attrs", cites=[
    ("RFC 8276 8.2.1", "xattr_support is set to True, if the object's file system supports extended attributes"),
    ("RFC 8276 8.4", "A server MUST support all four operations when they are directed to a file system that "
                     "supports the xattr_support attribute and returns TRUE when it is interrogated. For file "
                     "systems that either do not support the xattr_support attribute or return FALSE when the "
                     "xattr_support attribute is interrogated, all of the above operations MUST NOT be supported")])
def support(env):
    "The attribute xattr_support says whether the operations work"
    handle = env.new_file(b"f")
    attrs = env.ok(PUTFH(handle), GETATTR(["xattr_support"]))["GETATTR"].attrs
    reply = env.compound(PUTFH(handle), SETXATTR(SETXATTR_EITHER, b"name", b"value"))
    reply.expect("NFS4_OK" if attrs.get("xattr_support") else "NFS4ERR_NOTSUPP")


@test("XATT42-15", "v42 xattrs access perms", cites=[
    ("RFC 8276 8.5", "If the client is sending ACCESS in order to determine if the user can read an xattr of the "
                     "file with GETXATTR, the client should set ACCESS4_XAREAD in the request's access field")])
@with_xattrs
def access(env):
    "ACCESS says who may get, set and list extended attributes, and so it is"
    handle = env.new_file(b"f", mode=0o604)
    put(env, handle, b"name", b"value")
    wanted = ACCESS_XAREAD | ACCESS_XAWRITE | ACCESS_XALIST
    result = env.ok(PUTFH(handle), ACCESS(wanted))["ACCESS"]
    equal("what is supported and what root may do", (result.supported, result.access), (wanted, wanted))
    result = env.ok(PUTFH(handle), ACCESS(wanted), credential=USER)["ACCESS"]
    equal("what a reader may do", (result.supported, result.access), (wanted, ACCESS_XAREAD | ACCESS_XALIST))


@test("XATT42-16", "v42 xattrs perms", cites=[
    ("RFC 8881 15.1.6.1",
     "Indicates permission denied. The caller does not have the correct permission to perform the requested "
     "operation")])
@with_xattrs
def permissions(env):
    "Another user may read a readable file's extended attributes, and not set them"
    handle = env.new_file(b"f", mode=0o604)
    put(env, handle, b"name", b"value")
    result = env.ok(PUTFH(handle), GETXATTR(b"name"), credential=USER)["GETXATTR"]
    equal("the value", result.value, b"value")
    env.fails("NFS4ERR_ACCESS NFS4ERR_PERM", PUTFH(handle), SETXATTR(SETXATTR_EITHER, b"name", b"x"), credential=USER)
    env.fails("NFS4ERR_ACCESS NFS4ERR_PERM", PUTFH(handle), REMOVEXATTR(b"name"), credential=USER)
    equal("the value", value_of(env, handle, b"name"), b"value")
    secret = env.new_file(b"secret", mode=0o600)
    put(env, secret, b"name", b"value")
    env.fails("NFS4ERR_ACCESS NFS4ERR_PERM", PUTFH(secret), GETXATTR(b"name"), credential=USER)


@test("XATT42-17", "v42 xattrs names", cites=[
    ("RFC 8276 8.4", "GETXATTR allows obtaining the value of an xattr key, SETXATTR allows creating or replacing "
                     "an xattr key with a value, LISTXATTRS enumerates all the xattrs names")])
@with_xattrs
def apart(env):
    "Extended attributes of two files, and of a file that is renamed"
    one, other = env.new_file(b"one"), env.new_file(b"other")
    put(env, one, b"name", b"one's")
    put(env, other, b"name", b"other's")
    equal("the values", (value_of(env, one, b"name"), value_of(env, other, b"name")), (b"one's", b"other's"))
    equal("the names of the directory", names_of(env, env.home), [])


@test("XATT42-18", "v42 xattrs xdr", cites=[
    ("RFC 8881 15.1.1.1", "The arguments for this operation do not match those specified in the XDR definition")])
@with_xattrs
def undecodable(env):
    "SETXATTR with an unknown option, and cut off"
    handle = env.new_file(b"f")
    good = argument(SETXATTR(SETXATTR_EITHER, b"name", b"value"))
    malformed(env, good[:-8], PUTFH(handle))
    env.ok(PUTFH(handle))
    malformed(env, good[:4] + b"\0\0\0\7" + good[8:], PUTFH(handle))
    env.ok(PUTFH(handle))
    equal("the names", names_of(env, handle), [])
