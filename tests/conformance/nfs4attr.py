# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs4attr.py -- the attributes of NFS v4.0 (RFC 7531), v4.1 (RFC 5662) and v4.2 (RFC 7863, 8275, 8276)
"""A bitmap's value is a frozenset of names (numbers, where there is no name); any iterable of them is packed.
Attributes are a Record with a field per attribute, whose names are those of the RFCs; they are packed in the order of
their numbers. Both keep the number of the bitmap's words, so that packing what was unpacked gives the same bytes.

Words and RawAttributes stand in for them in calls that shall be wrong."""

import struct

from xdr import BOOL, I32, U32, U64, Array, Bytes, Enum, Number, Record, Reader, Struct, Type, Union, XdrError

FTYPE = Enum({"NF4REG": 1, "NF4DIR": 2, "NF4BLK": 3, "NF4CHR": 4, "NF4LNK": 5, "NF4SOCK": 6, "NF4FIFO": 7,
              "NF4ATTRDIR": 8, "NF4NAMEDATTR": 9})
NF4REG, NF4DIR, NF4BLK, NF4CHR, NF4LNK, NF4SOCK, NF4FIFO, NF4ATTRDIR, NF4NAMEDATTR = range(1, 10)
SET_TO_SERVER_TIME, SET_TO_CLIENT_TIME = 0, 1
BITMAP_WORDS_MAX = 16

STATUS = Enum({
    "NFS4_OK": 0, "NFS4ERR_PERM": 1, "NFS4ERR_NOENT": 2, "NFS4ERR_IO": 5, "NFS4ERR_NXIO": 6, "NFS4ERR_ACCESS": 13,
    "NFS4ERR_EXIST": 17, "NFS4ERR_XDEV": 18, "NFS4ERR_NOTDIR": 20, "NFS4ERR_ISDIR": 21, "NFS4ERR_INVAL": 22,
    "NFS4ERR_FBIG": 27, "NFS4ERR_NOSPC": 28, "NFS4ERR_ROFS": 30, "NFS4ERR_MLINK": 31, "NFS4ERR_NAMETOOLONG": 63,
    "NFS4ERR_NOTEMPTY": 66, "NFS4ERR_DQUOT": 69, "NFS4ERR_STALE": 70, "NFS4ERR_BADHANDLE": 10001,
    "NFS4ERR_BAD_COOKIE": 10003, "NFS4ERR_NOTSUPP": 10004, "NFS4ERR_TOOSMALL": 10005, "NFS4ERR_SERVERFAULT": 10006,
    "NFS4ERR_BADTYPE": 10007, "NFS4ERR_DELAY": 10008, "NFS4ERR_SAME": 10009, "NFS4ERR_DENIED": 10010,
    "NFS4ERR_EXPIRED": 10011, "NFS4ERR_LOCKED": 10012, "NFS4ERR_GRACE": 10013, "NFS4ERR_FHEXPIRED": 10014,
    "NFS4ERR_SHARE_DENIED": 10015, "NFS4ERR_WRONGSEC": 10016, "NFS4ERR_CLID_INUSE": 10017, "NFS4ERR_RESOURCE": 10018,
    "NFS4ERR_MOVED": 10019, "NFS4ERR_NOFILEHANDLE": 10020, "NFS4ERR_MINOR_VERS_MISMATCH": 10021,
    "NFS4ERR_STALE_CLIENTID": 10022, "NFS4ERR_STALE_STATEID": 10023, "NFS4ERR_OLD_STATEID": 10024,
    "NFS4ERR_BAD_STATEID": 10025, "NFS4ERR_BAD_SEQID": 10026, "NFS4ERR_NOT_SAME": 10027, "NFS4ERR_LOCK_RANGE": 10028,
    "NFS4ERR_SYMLINK": 10029, "NFS4ERR_RESTOREFH": 10030, "NFS4ERR_LEASE_MOVED": 10031, "NFS4ERR_ATTRNOTSUPP": 10032,
    "NFS4ERR_NO_GRACE": 10033, "NFS4ERR_RECLAIM_BAD": 10034, "NFS4ERR_RECLAIM_CONFLICT": 10035,
    "NFS4ERR_BADXDR": 10036, "NFS4ERR_LOCKS_HELD": 10037, "NFS4ERR_OPENMODE": 10038, "NFS4ERR_BADOWNER": 10039,
    "NFS4ERR_BADCHAR": 10040, "NFS4ERR_BADNAME": 10041, "NFS4ERR_BAD_RANGE": 10042, "NFS4ERR_LOCK_NOTSUPP": 10043,
    "NFS4ERR_OP_ILLEGAL": 10044, "NFS4ERR_DEADLOCK": 10045, "NFS4ERR_FILE_OPEN": 10046,
    "NFS4ERR_ADMIN_REVOKED": 10047, "NFS4ERR_CB_PATH_DOWN": 10048, "NFS4ERR_BADIOMODE": 10049,
    "NFS4ERR_BADLAYOUT": 10050, "NFS4ERR_BAD_SESSION_DIGEST": 10051, "NFS4ERR_BADSESSION": 10052,
    "NFS4ERR_BADSLOT": 10053, "NFS4ERR_COMPLETE_ALREADY": 10054, "NFS4ERR_CONN_NOT_BOUND_TO_SESSION": 10055,
    "NFS4ERR_DELEG_ALREADY_WANTED": 10056, "NFS4ERR_BACK_CHAN_BUSY": 10057, "NFS4ERR_LAYOUTTRYLATER": 10058,
    "NFS4ERR_LAYOUTUNAVAILABLE": 10059, "NFS4ERR_NOMATCHING_LAYOUT": 10060, "NFS4ERR_RECALLCONFLICT": 10061,
    "NFS4ERR_UNKNOWN_LAYOUTTYPE": 10062, "NFS4ERR_SEQ_MISORDERED": 10063, "NFS4ERR_SEQUENCE_POS": 10064,
    "NFS4ERR_REQ_TOO_BIG": 10065, "NFS4ERR_REP_TOO_BIG": 10066, "NFS4ERR_REP_TOO_BIG_TO_CACHE": 10067,
    "NFS4ERR_RETRY_UNCACHED_REP": 10068, "NFS4ERR_UNSAFE_COMPOUND": 10069, "NFS4ERR_TOO_MANY_OPS": 10070,
    "NFS4ERR_OP_NOT_IN_SESSION": 10071, "NFS4ERR_HASH_ALG_UNSUPP": 10072, "NFS4ERR_CLIENTID_BUSY": 10074,
    "NFS4ERR_PNFS_IO_HOLE": 10075, "NFS4ERR_SEQ_FALSE_RETRY": 10076, "NFS4ERR_BAD_HIGH_SLOT": 10077,
    "NFS4ERR_DEADSESSION": 10078, "NFS4ERR_ENCR_ALG_UNSUPP": 10079, "NFS4ERR_PNFS_NO_LAYOUT": 10080,
    "NFS4ERR_NOT_ONLY_OP": 10081, "NFS4ERR_WRONG_CRED": 10082, "NFS4ERR_WRONG_TYPE": 10083,
    "NFS4ERR_DIRDELEG_UNAVAIL": 10084, "NFS4ERR_REJECT_DELEG": 10085, "NFS4ERR_RETURNCONFLICT": 10086,
    "NFS4ERR_DELEG_REVOKED": 10087, "NFS4ERR_PARTNER_NOTSUPP": 10088, "NFS4ERR_PARTNER_NO_AUTH": 10089,
    "NFS4ERR_UNION_NOTSUPP": 10090, "NFS4ERR_OFFLOAD_DENIED": 10091, "NFS4ERR_WRONG_LFS": 10092,
    "NFS4ERR_BADLABEL": 10093, "NFS4ERR_OFFLOAD_NO_REQS": 10094, "NFS4ERR_NOXATTR": 10095, "NFS4ERR_XATTR2BIG": 10096})
LAST_STATUS = {"v40": 10048, "v41": 10087, "v42": 10096}


class Names(frozenset):
    """A bitmap that came from a server, which may have words without bits."""

    words = 0

    def __repr__(self):
        return "{" + ", ".join(sorted(map(str, self))) + "}"


class Held(Record):
    """Attributes that came from a server."""

    __slots__ = ("words",)


class Words:
    """A bitmap's words as they are."""

    def __init__(self, *words):
        self.words = words


class RawAttributes:
    """A bitmap and the bytes of attributes as they are."""

    def __init__(self, mask, data):
        self.mask, self.data = mask, data


class Bitmap(Type):
    """bitmap4. `numbers` finds names' numbers: of attributes, or (empty) for numbers only."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.names = None

    def name(self, number):
        if self.names is None:
            self.names = {value: name for name, value in self.numbers.items()}
        return self.names.get(number, number)

    def number(self, name):
        return name if isinstance(name, int) else self.numbers[name]

    def words(self, value):
        if isinstance(value, Words):
            return list(value.words)
        numbers = {self.number(name) for name in value}
        words = [0] * max(max(numbers, default=-1) // 32 + 1, getattr(value, "words", 0))
        for number in numbers:
            words[number // 32] |= 1 << number % 32
        return words

    def pack(self, out, value):
        words = self.words(value)
        out += struct.pack(f">I{len(words)}I", len(words), *words)

    def unpack(self, reader):
        count = U32.unpack(reader)
        if count > BITMAP_WORDS_MAX:
            raise XdrError(f"a bitmap of {count} words")
        words = [U32.unpack(reader) for _ in range(count)]
        value = Names(self.name(index * 32 + bit) for index, word in enumerate(words) for bit in range(32)
                      if word >> bit & 1)
        value.words = count
        return value

    def zero(self):
        return frozenset()

    def spoil(self, value):
        return value - {max(value, key=self.number)} if value else frozenset({self.name(1)})


class Attributes(Type):
    """fattr4."""

    def pack(self, out, value):
        if isinstance(value, RawAttributes):
            ATTRMASK.pack(out, value.mask)
            OPAQUE.pack(out, value.data)
            return
        names = Names(value.__dict__)
        names.words = getattr(value, "words", 0)
        ATTRMASK.pack(out, names)
        data = bytearray()
        for name in sorted(names, key=NUMBERS.__getitem__):
            try:
                TYPES[name].pack(data, getattr(value, name))
            except (struct.error, TypeError, AttributeError) as problem:
                raise XdrError(f"attribute {name}: {problem}") from problem
        OPAQUE.pack(out, bytes(data))

    def unpack(self, reader):
        mask = ATTRMASK.unpack(reader)
        inner = Reader(OPAQUE.unpack(reader))
        if unknown := [name for name in mask if isinstance(name, int)]:
            raise XdrError(f"attribute {unknown[0]} is unknown")
        value = Held(**{name: TYPES[name].unpack(inner) for name in sorted(mask, key=NUMBERS.__getitem__)})
        value.words = mask.words
        if inner.at != len(inner.data):
            raise XdrError(f"{len(inner.data) - inner.at} bytes left over behind attributes")
        return value

    def zero(self):
        return Record()

    def spots(self, value, path=""):
        for name, held in value.__dict__.items():
            for where, spoiled in TYPES[name].spots(held, f"{path}.{name}"):
                yield where, value.copy(**{name: spoiled})
        names = list(value.__dict__)
        yield f"{path}#", Record(**{name: getattr(value,
                                                  name) for name in names[:-1]}) if names else Record(type=NF4REG)


NUMBERS = {}
TYPES = {}
ATTRMASK = Bitmap(NUMBERS)
NUMBERMASK = Bitmap({})
OPAQUE = Bytes()
ATTRIBUTES = Attributes()
WRITE_ONLY = frozenset({"time_access_set", "time_modify_set", "retention_set", "retentevt_set", "layout_hint",
                        "mode_set_masked", "mode_umask"})

Time = Struct(seconds=Number("q"), nseconds=U32)
SetTime = Union("how", Enum({"SET_TO_SERVER_TIME4": 0, "SET_TO_CLIENT_TIME4": 1}), {0: None, 1: Struct(time=Time)})
SERVER_TIME = Record(how=SET_TO_SERVER_TIME)
Fsid = Struct(major=U64, minor=U64)
SpecData = Struct(major=U32, minor=U32)
Ace = Struct(type=U32, flag=U32, access_mask=U32, who=OPAQUE)
Acl = Array(Ace)
Acl41 = Struct(flag=U32, aces=Acl)
Pathname = Array(OPAQUE)
FsLocations = Struct(fs_root=Pathname, locations=Array(Struct(server=Array(OPAQUE), rootpath=Pathname)))
FsStatus = Struct(absent=BOOL, type=U32, source=OPAQUE, current=OPAQUE, age=I32, version=Time)
FsLocationsInfo = Struct(
    flags=U32, valid_for=I32, fs_root=Pathname,
    items=Array(Struct(entries=Array(Struct(currency=I32, info=OPAQUE, server=OPAQUE)), rootpath=Pathname)))
Threshold = Struct(hints=Array(Struct(layout_type=U32, hintset=NUMBERMASK, hintlist=OPAQUE)))
RetentionGet = Struct(duration=U64, begin_time=Array(Time, limit=1))
RetentionSet = Struct(enable=BOOL, duration=Array(U64, limit=1))
SecLabel = Struct(lfs=U32, pi=U32, data=OPAQUE)


def at(seconds, nseconds=0):
    """The settime4 of a time of the client's."""
    return Record(how=SET_TO_CLIENT_TIME, time=Record(seconds=seconds, nseconds=nseconds))


def define(first, **types):
    """Attributes with numbers from `first` on."""
    for number, (name, kind) in enumerate(types.items(), first):
        NUMBERS[name] = number
        TYPES[name] = kind


define(0, supported_attrs=ATTRMASK, type=FTYPE, fh_expire_type=U32, change=U64, size=U64, link_support=BOOL,
       symlink_support=BOOL, named_attr=BOOL, fsid=Fsid, unique_handles=BOOL, lease_time=U32, rdattr_error=STATUS,
       acl=Acl, aclsupport=U32, archive=BOOL, cansettime=BOOL, case_insensitive=BOOL, case_preserving=BOOL,
       chown_restricted=BOOL, filehandle=Bytes(128), fileid=U64, files_avail=U64, files_free=U64, files_total=U64,
       fs_locations=FsLocations, hidden=BOOL, homogeneous=BOOL, maxfilesize=U64, maxlink=U32, maxname=U32, maxread=U64,
       maxwrite=U64, mimetype=OPAQUE, mode=U32, no_trunc=BOOL, numlinks=U32, owner=OPAQUE, owner_group=OPAQUE,
       quota_avail_hard=U64, quota_avail_soft=U64, quota_used=U64, rawdev=SpecData, space_avail=U64, space_free=U64,
       space_total=U64, space_used=U64, system=BOOL, time_access=Time, time_access_set=SetTime, time_backup=Time,
       time_create=Time, time_delta=Time, time_metadata=Time, time_modify=Time, time_modify_set=SetTime,
       mounted_on_fileid=U64)
define(56, dir_notif_delay=Time, dirent_notif_delay=Time, dacl=Acl41, sacl=Acl41, change_policy=Fsid,
       fs_status=FsStatus,
       fs_layout_types=Array(U32), layout_hint=Struct(type=U32, body=OPAQUE), layout_types=Array(U32),
       layout_blksize=U32, layout_alignment=U32, fs_locations_info=FsLocationsInfo, mdsthreshold=Threshold,
       retention_get=RetentionGet, retention_set=RetentionSet, retentevt_get=RetentionGet, retentevt_set=RetentionSet,
       retention_hold=U64, mode_set_masked=Struct(value=U32, mask=U32), suppattr_exclcreat=ATTRMASK,
       fs_charset_cap=U32)
define(77, clone_blksize=U32, space_freed=U64, change_attr_type=U32, sec_label=SecLabel,
       mode_umask=Struct(mode=U32, umask=U32), xattr_support=BOOL)
REQUIRED = frozenset(name for name, number in NUMBERS.items() if number <= 11) | {"filehandle"}
REQUIRED41 = REQUIRED | {"suppattr_exclcreat"}
