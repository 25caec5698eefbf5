# SPDX-License-Identifier: LGPL-3.0-or-later
# v40_setattr.py -- SETATTR
"""Tests of NFS v4.0: setting attributes."""

from nfs4 import ANONYMOUS, BYPASS, DENY_WRITE, GETATTR, PUTFH, READ_ACCESS, SETATTR, U64_MAX, VERIFY, stateid
from nfs4attr import NF4DIR, NF4FIFO, NF4LNK, SERVER_TIME, at
from rpc import Credential
from suite import equal, test, that
from xdr import Record

USER, OTHER = Credential(1000, 1000), Credential(1002, 1002)
SETS = ("RFC 7530 16.32.4", "The SETATTR operation changes one or more of the attributes of a file system object.")
SIZE = ("RFC 7530 16.32.5", "a value less than the current size of the file causes data from the new size to the end "
                            "of the file to be discarded, and a size greater than the current size of the file causes "
                            "logically zeroed data bytes to be added to the end of the file")
GET_ONLY = ("RFC 7530 5.5", "If a client attempts to set a get-only attribute or get a set-only attribute, the server "
                            "MUST return NFS4ERR_INVAL.")


@test("SATT40-1", "v40 setattr attrs mode", cites=[SETS])
def mode(env):
    """Modes of a file and a directory; nothing else changes"""
    for handle in (env.new_file(b"file", b"data"), env.make(b"dir", mode=0o755)):
        before = env.get(handle, "size", "owner", "owner_group", "time_modify", "fileid", "type")
        for bits in (0o0, 0o777, 0o644, 0o4755, 0o2755, 0o1777, 0o7777, 0o111):
            equal("what was set", env.set(handle, mode=bits).attrsset, {"mode"})
            equal("mode", env.get(handle, "mode").mode, bits)
        equal("other attributes", env.get(handle, *before.__dict__), before)


@test("SATT40-2", "v40 setattr attrs mode", cites=[
    ("RFC 7530 6.2.2", "it MUST return NFS4ERR_INVAL if bits other than those defined above are set in a SETATTR, "
                       "CREATE, OPEN, VERIFY, or NVERIFY operation")])
def undefined_mode_bits(env):
    """Modes with bits that aren't defined"""
    handle = env.new_file(b"file", mode=0o600)
    for bits in (0o10644, 0o100644, 0x80000000):
        env.fails("NFS4ERR_INVAL", PUTFH(handle), SETATTR(ANONYMOUS, Record(mode=bits)))
    equal("mode", env.get(handle, "mode").mode, 0o600)


@test("SATT40-3", "v40 setattr attrs owner", cites=[
    ("RFC 7530 5.9", "When a server does accept a user or group string as valid on a SETATTR, it is promising to "
                     "return that same string (see below) when a corresponding GETATTR is done")])
def owners(env):
    """Owner and group, alone and together, numeric"""
    handle = env.new_file(b"file")
    equal("what was set", env.set(handle, owner=b"1000").attrsset, {"owner"})
    attrs = env.get(handle, "owner", "owner_group")
    equal("owner and group", (attrs.owner, attrs.owner_group), (b"1000", b"0"))
    env.set(handle, owner_group=b"1001")
    attrs = env.get(handle, "owner", "owner_group")
    equal("owner and group", (attrs.owner, attrs.owner_group), (b"1000", b"1001"))
    equal("what was set", env.set(handle, owner=b"2147483648", owner_group=b"65534").attrsset, {"owner", "owner_group"})
    attrs = env.get(handle, "owner", "owner_group")
    equal("owner and group", (attrs.owner, attrs.owner_group), (b"2147483648", b"65534"))


@test("SATT40-4", "v40 setattr attrs owner", cites=[
    ("RFC 7530 13.1.11.2", "This error is returned when an owner or owner_group attribute value or the who field of an "
                           "ace within an ACL attribute value cannot be translated to a local representation.")])
def unknown_owners(env):
    """Owners and groups that nobody knows"""
    handle = env.new_file(b"file")
    for name in (b"no-such-user", b"", b"12x"):
        for attribute in ("owner", "owner_group"):
            wanted = "NFS4ERR_BADOWNER" if name else "NFS4ERR_BADOWNER NFS4ERR_INVAL"
            env.fails(wanted, PUTFH(handle), SETATTR(ANONYMOUS, Record(**{attribute: name})))
    attrs = env.get(handle, "owner", "owner_group")
    equal("owner and group", (attrs.owner, attrs.owner_group), (b"0", b"0"))


@test("SATT40-24", "v40 setattr attrs owner", cites=[
    ("RFC 7530 5.9", "Servers that do not provide support for all possible values of user and group strings SHOULD "
                     "return an error (NFS4ERR_BADOWNER) when a string is presented that has no translation")])
def unknown_owners_of_domains(env):
    """Owners and groups of a domain that doesn't exist"""
    handle = env.new_file(b"file")
    for attribute in ("owner", "owner_group"):
        env.fails("NFS4ERR_BADOWNER", PUTFH(handle), SETATTR(ANONYMOUS,
                                                             Record(**{attribute: b"no-such-user@example.invalid"})))
    attrs = env.get(handle, "owner", "owner_group")
    equal("owner and group", (attrs.owner, attrs.owner_group), (b"0", b"0"))


@test("SATT40-5", "v40 setattr attrs times", cites=[
    ("RFC 7530 16.32.5", "If the switched union specifies SET_TO_CLIENT_TIME4, the client has provided an nfstime4 to "
                         "be used for the operation.")])
def client_times(env):
    """Times of the client's, alone and together, with nanoseconds"""
    handle = env.new_file(b"file", b"data")
    equal("what was set", env.set(handle, time_modify_set=at(1000000000, 123456789)).attrsset, {"time_modify_set"})
    equal("time_modify", env.get(handle, "time_modify").time_modify, Record(seconds=1000000000, nseconds=123456789))
    equal("what was set", env.set(handle, time_access_set=at(1, 1)).attrsset, {"time_access_set"})
    attrs = env.get(handle, "time_access", "time_modify")
    equal("times", attrs, Record(time_access=Record(seconds=1, nseconds=1),
                                 time_modify=Record(seconds=1000000000, nseconds=123456789)))
    env.set(handle, time_access_set=at(2000000000), time_modify_set=at(3000000000, 999999999))
    equal("times", env.get(handle, "time_access", "time_modify"),
          Record(time_access=Record(seconds=2000000000, nseconds=0), time_modify=Record(seconds=3000000000,
                                                                                        nseconds=999999999)))


@test("SATT40-6", "v40 setattr attrs times", cites=[
    ("RFC 7530 2.2.3", "If set_it is SET_TO_SERVER_TIME4, then the server uses its local representation of time for "
                       "the time value.")])
def server_times(env):
    """The server's time"""
    handle = env.new_file(b"file", b"data")
    env.set(handle, time_access_set=at(1), time_modify_set=at(2))
    env.set(handle, time_modify_set=SERVER_TIME)
    attrs = env.get(handle, "time_access", "time_modify", "time_metadata")
    equal("time_access", attrs.time_access.seconds, 1)
    that(abs(attrs.time_modify.seconds - env.now()) < 600, f"time_modify is {attrs.time_modify}")
    that(abs(attrs.time_modify.seconds - attrs.time_metadata.seconds) <= 1, f"times are {attrs}")
    env.set(handle, time_access_set=SERVER_TIME)
    that(abs(env.get(handle, "time_access").time_access.seconds - env.now()) < 600, "time_access isn't the server's "
                                                                                    "time")


@test("SATT40-7", "v40 setattr attrs times", cites=[
    ("RFC 7530 2.2.1", "Values greater than 999,999,999 for nseconds are considered invalid.")])
def invalid_times(env):
    """Times of a second's nanoseconds and more"""
    handle = env.new_file(b"file")
    for nanoseconds in (1000000000, 0x7FFFFFFF, 0xFFFFFFFF):
        for name in ("time_access_set", "time_modify_set"):
            env.fails("NFS4ERR_INVAL", PUTFH(handle), SETATTR(ANONYMOUS, Record(**{name: at(5, nanoseconds)})))


@test("SATT40-8", "v40 setattr attrs times", cites=[
    ("RFC 7530 2.2.1", "Values less than zero for the seconds field denote dates before the 0 hour January 1, 1970. In "
                       "both cases, the nseconds field is to be added to the seconds field for the final time "
                       "representation.")])
def times_before_1970(env):
    """A time half a second before 1970 comes back, or is refused"""
    handle = env.new_file(b"file")
    reply = env.compound(PUTFH(handle), SETATTR(ANONYMOUS, Record(time_modify_set=at(-1, 500000000))))
    reply.expect("NFS4_OK", "NFS4ERR_INVAL")
    if not reply.status:
        equal("time_modify", env.get(handle, "time_modify").time_modify, Record(seconds=-1, nseconds=500000000))


@test("SATT40-9", "v40 setattr attrs size", cites=[
    SIZE, ("RFC 7530 16.32.5", "Servers MUST support extending the file size via SETATTR.")])
def size_with_anonymous_stateid(env):
    """Sizes down, up, to zero with the anonymous and the bypass stateid"""
    handle = env.new_file(b"file", b"0123456789")
    equal("what was set", env.set(handle, size=4).attrsset, {"size"})
    equal("the data", env.read(handle), (b"0123", True))
    env.set(handle, size=8)
    equal("the data", env.read(handle), (b"0123\0\0\0\0", True))
    env.set(handle, BYPASS, size=2)
    equal("the data", env.read(handle), (b"01", True))
    env.set(handle, size=0)
    equal("the data", env.read(handle), (b"", True))
    env.set(handle, size=1 << 33)
    equal("size", env.get(handle, "size").size, 1 << 33)


@test("SATT40-10", "v40 setattr attrs size open", cites=[
    SIZE, ("RFC 7530 16.32.5", "Changing the size of a file with SETATTR indirectly changes the time_modify and change "
           "attributes.")])
def size_with_open_stateid(env):
    """Sizes with an open's stateid; time_modify and change follow"""
    opened = env.create_file(b"file", b"0123456789")
    before = env.get(opened.handle, "time_modify", "change")
    env.sleep(0.02)
    env.set(opened.handle, opened.stateid, size=3, mode=0o640)
    after = env.get(opened.handle, "time_modify", "change", "size", "mode")
    equal("size and mode", (after.size, after.mode), (3, 0o640))
    that(after.change != before.change, "change stays the same")
    that((after.time_modify.seconds, after.time_modify.nseconds) > (before.time_modify.seconds,
                                                                    before.time_modify.nseconds),
         "time_modify stays the same")


@test("SATT40-11", "v40 setattr size open", cites=[
    ("RFC 7530 13.1.8.9", "The client attempted a READ, WRITE, LOCK, or other operation not sanctioned by the stateid "
                          "passed (e.g., writing to a file opened only for read).")])
def size_with_read_stateid(env):
    """A size with the stateid of an open for reading"""
    env.new_file(b"file", b"0123456789")
    opened = env.open_file(b"file", access=READ_ACCESS)
    env.fails("NFS4ERR_OPENMODE", PUTFH(opened.handle), SETATTR(opened.stateid, Record(size=3)))
    equal("size", env.get(opened.handle, "size").size, 10)


@test("SATT40-12", "v40 setattr size", cites=[
    ("RFC 7530 9.1.4.4", "If the \"other\" and seqid fields do not match a defined combination associated with a "
                         "special stateid, the error NFS4ERR_BAD_STATEID is returned.")])
def size_with_bad_stateids(env):
    """A size with stateids that nobody gave"""
    handle = env.new_file(b"file", b"0123456789")
    for wrong in (stateid(7, bytes(12)), stateid(0, b"\xff" * 12)):
        env.fails("NFS4ERR_BAD_STATEID", PUTFH(handle), SETATTR(wrong, Record(size=3)))
    env.fails("NFS4ERR_BAD_STATEID NFS4ERR_STALE_STATEID NFS4ERR_EXPIRED", PUTFH(handle),
              SETATTR(stateid(1, b"nobody's own"), Record(size=3)))
    equal("size", env.get(handle, "size").size, 10)


@test("SATT40-13", "v40 setattr size open", cites=[
    ("RFC 7530 16.32.4", "Any SETATTR that sets the size attribute is incompatible with a share reservation that "
                         "specifies OPEN4_SHARE_DENY_WRITE.")])
def size_of_a_denied_file(env):
    """A size with the anonymous stateid, while somebody denies writing"""
    opened = env.create_file(b"file", b"0123456789", deny=DENY_WRITE)
    env.fails("NFS4ERR_LOCKED NFS4ERR_SHARE_DENIED", PUTFH(opened.handle), SETATTR(ANONYMOUS, Record(size=3)))
    equal("size", env.get(opened.handle, "size").size, 10)
    env.set(opened.handle, mode=0o600)
    env.close_file(opened)
    env.set(opened.handle, size=3)


@test("SATT40-14", "v40 setattr size", cites=[
    ("RFC 7530 13.1.2.3", "The current or saved filehandle designates a directory when the current operation does not "
                          "allow a directory to be accepted as the target of this operation.")])
def size_of_what_is_no_file(env):
    """The size of a directory, a symlink, a fifo"""
    env.fails("NFS4ERR_ISDIR", PUTFH(env.make(b"dir", mode=0o755)), SETATTR(ANONYMOUS, Record(size=0)))
    link = env.make(b"link", NF4LNK, type_fields={"linkdata": b"target"})
    env.fails("NFS4ERR_INVAL NFS4ERR_SYMLINK", PUTFH(link), SETATTR(ANONYMOUS, Record(size=0)))
    env.fails("NFS4ERR_INVAL", PUTFH(env.make(b"fifo", NF4FIFO, mode=0o600)), SETATTR(ANONYMOUS, Record(size=0)))


@test("SATT40-15", "v40 setattr size", cites=[
    ("RFC 7530 13.1.4.4", "The operation would have caused a file system object to grow beyond the server's limit.")])
def enormous_size(env):
    """Sizes beyond maxfilesize"""
    handle = env.new_file(b"file", b"data")
    env.fails("NFS4ERR_FBIG NFS4ERR_INVAL", PUTFH(handle), SETATTR(ANONYMOUS, Record(size=U64_MAX)))
    env.fails("NFS4ERR_FBIG NFS4ERR_INVAL", PUTFH(handle), SETATTR(ANONYMOUS, Record(size=1 << 63)))
    equal("size", env.get(handle, "size").size, 4)


@test("SATT40-16", "v40 setattr attrs", cites=[GET_ONLY])
def get_only(env):
    """Attributes that can only be read"""
    handle = env.new_file(b"file")
    names = ("supported_attrs", "type", "fh_expire_type", "change", "link_support", "symlink_support", "named_attr",
             "fsid",
             "unique_handles", "lease_time", "rdattr_error", "filehandle", "fileid", "maxname", "numlinks",
             "space_used",
             "time_access", "time_metadata", "time_modify", "mounted_on_fileid", "case_insensitive", "homogeneous")
    values = env.get(handle, *names).copy(rdattr_error=0)
    for name in names:
        env.fails("NFS4ERR_INVAL", PUTFH(handle), SETATTR(ANONYMOUS, Record(**{name: values.get(name)})))


@test("SATT40-17", "v40 setattr attrs", cites=[
    ("RFC 7530 16.32.5", "If the server does not support an attribute as requested by the client, the server should "
                         "return NFS4ERR_ATTRNOTSUPP.")])
def unsupported(env):
    """Attributes that aren't supported"""
    handle = env.new_file(b"file")
    held = env.get(handle, "supported_attrs").supported_attrs
    moment = Record(seconds=1, nseconds=0)
    for name, value in (("archive", True), ("hidden", True), ("mimetype", b"text/plain"), ("system", True),
                        ("time_backup", moment), ("time_create", moment)):
        wanted = "NFS4_OK" if name in held else "NFS4ERR_ATTRNOTSUPP"
        env.fails(wanted, PUTFH(handle), SETATTR(ANONYMOUS, Record(**{name: value})))


@test("SATT40-18", "v40 setattr attrs", cites=[
    ("RFC 7530 16.32.5", "A mask of the attributes actually set is returned by SETATTR in all cases. That mask MUST "
                         "NOT include attribute bits not requested to be set by the client.")])
def mask_of_a_failure(env):
    """Nothing to set succeeds; after an error the mask is a part of what was asked"""
    handle = env.new_file(b"file", mode=0o640)
    equal("what was set of nothing", env.set(handle).attrsset, frozenset())
    res = env.fails("NFS4ERR_BADOWNER", PUTFH(handle), SETATTR(ANONYMOUS, Record(mode=0o600, owner=b"nobody at all")))
    that(res["SETATTR"].attrsset < {"mode", "owner"}, f"set were {sorted(res['SETATTR'].attrsset)}")
    equal("mode", env.get(handle, "mode").mode, 0o600 if "mode" in res["SETATTR"].attrsset else 0o640)


@test("SATT40-19", "v40 setattr perms", cites=[
    ("RFC 7530 13.1.6.2", "The operation was not allowed because the caller is neither a privileged user (root) nor "
                          "the owner of the target of the operation.")])
def not_the_owner(env):
    """Mode, times and owner by somebody else; the owner may set the mode, but not give the file away"""
    handle = env.new_file(b"file", mode=0o666)
    env.set(handle, owner=b"1000", owner_group=b"1000")
    for wrong in (Record(mode=0o600), Record(time_modify_set=at(5)), Record(owner=b"1002")):
        env.fails("NFS4ERR_PERM", PUTFH(handle), SETATTR(ANONYMOUS, wrong), credential=OTHER)
    env.ok(PUTFH(handle), SETATTR(ANONYMOUS, Record(mode=0o640, time_modify_set=at(5))), credential=USER)
    env.fails("NFS4ERR_PERM", PUTFH(handle), SETATTR(ANONYMOUS, Record(owner=b"1002")), credential=USER)
    env.ok(PUTFH(handle), SETATTR(ANONYMOUS, Record(owner=b"1000")), credential=USER)
    attrs = env.get(handle, "owner", "mode")
    equal("owner and mode", (attrs.owner, attrs.mode), (b"1000", 0o640))


@test("SATT40-20", "v40 setattr perms size", cites=[
    ("RFC 7530 16.32.4", "Since setting the size attribute modifies the file's data, it has the same locking "
                         "requirements as a "
     "corresponding WRITE."), ("RFC 7530 13.1.6.1", "The caller does not have the correct permission to perform the "
                                                    "requested operation.")])
def size_without_permission(env):
    """A size, and the server's time, by a user who may not write, then by one who may"""
    handle = env.new_file(b"file", b"data", mode=0o644)
    env.fails("NFS4ERR_ACCESS", PUTFH(handle), SETATTR(ANONYMOUS, Record(size=0)), credential=OTHER)
    env.fails("NFS4ERR_ACCESS", PUTFH(handle), SETATTR(ANONYMOUS, Record(time_modify_set=SERVER_TIME)),
              credential=OTHER)
    env.set(handle, mode=0o666)
    env.ok(PUTFH(handle), SETATTR(ANONYMOUS, Record(size=1)), credential=OTHER)
    env.ok(PUTFH(handle), SETATTR(ANONYMOUS, Record(time_modify_set=SERVER_TIME)), credential=OTHER)
    equal("size", env.get(handle, "size").size, 1)


@test("SATT40-21", "v40 setattr attrs verify", cites=[
    ("RFC 7530 16.32.5", "Use of a COMPOUND containing a VERIFY operation specifying only the change attribute, "
                         "immediately followed by a SETATTR, provides a means whereby a client may specify a request "
                         "that emulates the functionality of the SETATTR guard mechanism of NFSv3.")])
def guarded(env):
    """SETATTR behind a VERIFY of change"""
    handle = env.new_file(b"file", b"data")
    change = env.get(handle, "change").change
    env.ok(PUTFH(handle), VERIFY(Record(change=change)), SETATTR(ANONYMOUS, Record(mode=0o600)), GETATTR(["mode"]))
    reply = env.compound(PUTFH(handle), VERIFY(Record(change=change)), SETATTR(ANONYMOUS, Record(mode=0o640)))
    reply.expect("NFS4ERR_NOT_SAME")
    equal("mode", env.get(handle, "mode").mode, 0o600)


@test("SATT40-22", "v40 setattr attrs acl", cites=[
    ("RFC 7530 6.2.1.2", "If the server receives a request to set an ACE that it cannot store, it MUST reject the "
                         "request with NFS4ERR_ATTRNOTSUPP.")])
def acl(env):
    """An ACL is refused, or comes back"""
    handle = env.new_file(b"file")
    held = env.get(handle, "supported_attrs").supported_attrs
    allow = [Record(type=0, flag=0, access_mask=0x1F01FF, who=b"OWNER@"), Record(type=0, flag=0, access_mask=1,
                                                                                 who=b"EVERYONE@")]
    reply = env.compound(PUTFH(handle), SETATTR(ANONYMOUS, Record(acl=allow)))
    reply.expect("NFS4_OK" if "acl" in held else "NFS4ERR_ATTRNOTSUPP")
    if not reply.status:
        whos = [ace.who for ace in env.get(handle, "acl").acl]
        that(b"OWNER@" in whos and b"EVERYONE@" in whos, f"the ACL has entries for {whos}")


@test("SATT40-23", "v40 setattr attrs", cites=[SETS])
def attributes_of_other_types(env):
    """Mode, owner and times of directories and fifos"""
    for name, kind in ((b"dir", NF4DIR), (b"fifo", NF4FIFO)):
        handle = env.make(name, kind, mode=0o700)
        env.set(handle, mode=0o750, owner=b"1000", owner_group=b"1001", time_access_set=at(11), time_modify_set=at(12))
        attrs = env.get(handle, "mode", "owner", "owner_group", "time_access", "time_modify", "type")
        equal("attributes", attrs, Record(type=kind, mode=0o750, owner=b"1000", owner_group=b"1001",
                                          time_access=Record(seconds=11, nseconds=0), time_modify=Record(seconds=12,
                                                                                                         nseconds=0)))
