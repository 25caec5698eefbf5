# SPDX-License-Identifier: LGPL-3.0-or-later
# nfs4.py -- COMPOUND of NFS v4.0 (RFC 7531), v4.1 (RFC 5662) and v4.2 (RFC 7863, 8276): operations and their types
"""Each operation is a callable that makes its argument, fields in the order of the RFC or by name (what isn't given is
zero): LOOKUP(b"name"), READ(stateid=ANONYMOUS, count=10). A result is a Record with resop, status, and the fields of
the operation's answer beside them. Fields are named as in the RFCs, without their prefixes.

Raw(number, data) stands for an operation with any number and any bytes."""

import struct

from nfs4attr import ATTRIBUTES, ATTRMASK, NUMBERMASK, OPAQUE, STATUS, Ace, FTYPE, SpecData, Time
from rpc import AuthSys, Program
from xdr import BOOL, U32, U64, VOID, Array, Bytes, Chain, Record, Struct, Type, Union, XdrError

PROGRAM, VERSION = 100003, 4
OP_ILLEGAL = 10044
OPS = {}
NUMBER_OF = {}

FH = Bytes(128)
NAME = Bytes()
Verifier = Bytes(size=8)
SessionId = Bytes(size=16)
DeviceId = Bytes(size=16)
Stateid = Struct(seqid=U32, other=Bytes(size=12))
ANONYMOUS = Record(seqid=0, other=bytes(12))
BYPASS = Record(seqid=0xFFFFFFFF, other=b"\xff" * 12)
CURRENT = Record(seqid=1, other=bytes(12))
INVALID = Record(seqid=0xFFFFFFFF, other=bytes(12))
ChangeInfo = Struct(atomic=BOOL, before=U64, after=U64)
Owner = Struct(clientid=U64, owner=Bytes(1024))
NetAddress = Struct(netid=OPAQUE, addr=OPAQUE)

READ_ACCESS, WRITE_ACCESS, BOTH_ACCESS = 1, 2, 3
DENY_NONE, DENY_READ, DENY_WRITE, DENY_BOTH = 0, 1, 2, 3
WANT_READ_DELEG, WANT_NO_DELEG = 0x100, 0x400
OPEN_NOCREATE, OPEN_CREATE = 0, 1
UNCHECKED, GUARDED, EXCLUSIVE, EXCLUSIVE4_1 = 0, 1, 2, 3
CLAIM_NULL, CLAIM_PREVIOUS, CLAIM_DELEGATE_CUR, CLAIM_DELEGATE_PREV = 0, 1, 2, 3
CLAIM_FH, CLAIM_DELEG_CUR_FH, CLAIM_DELEG_PREV_FH = 4, 5, 6
RESULT_CONFIRM, RESULT_LOCKTYPE_POSIX, RESULT_PRESERVE_UNLINKED, RESULT_MAY_NOTIFY_LOCK = 2, 4, 8, 0x20
READ_LT, WRITE_LT, READW_LT, WRITEW_LT = 1, 2, 3, 4
UNSTABLE, DATA_SYNC, FILE_SYNC = 0, 1, 2
ACCESS_READ, ACCESS_LOOKUP, ACCESS_MODIFY, ACCESS_EXTEND, ACCESS_DELETE, ACCESS_EXECUTE = 1, 2, 4, 8, 16, 32
ACCESS_XAREAD, ACCESS_XAWRITE, ACCESS_XALIST = 64, 128, 256
U64_MAX = 0xFFFFFFFFFFFFFFFF


class Operation:
    """Calling it makes a nfs_argop4."""

    def __init__(self, number, name, arguments, results):
        self.number, self.name, self.arguments, self.results = number, name, arguments, results
        OPS[number] = self
        NUMBER_OF[name] = number

    def __call__(self, *values, **fields):
        given = dict(zip(self.arguments.fields, values), **fields)
        if unknown := set(given) - set(self.arguments.fields) or len(values) > len(self.arguments.fields):
            raise XdrError(f"{self.name} has no argument {unknown}")
        return Record(argop=self.number, **{name: given[name] if name in given else kind.zero()
                                            for name, kind in self.arguments.fields.items()})


class Raw(Record):
    """An operation with any bytes as its arguments."""

    def __init__(self, number, data=b""):
        super().__init__(argop=number, data=data)


class ArgOp(Type):
    """nfs_argop4."""

    def pack(self, out, value):
        out += struct.pack(">I", value.argop)
        if isinstance(value, Raw):
            out += value.data
        else:
            OPS[value.argop].arguments.pack(out, value)

    def unpack(self, reader):
        number = U32.unpack(reader)
        if number not in OPS:
            raise XdrError(f"operation {number} is unknown")
        return Record(argop=number, **OPS[number].arguments.unpack(reader).__dict__)

    def zero(self):
        return Record(argop=OP_ILLEGAL)


class ResOp(Type):
    """nfs_resop4; the paths of its spots have the operation's name."""

    def pack(self, out, value):
        out += struct.pack(">I", value.resop)
        OPS[value.resop].results.pack(out, value)

    def unpack(self, reader):
        number = U32.unpack(reader)
        if number not in OPS:
            raise XdrError(f"operation {number} is unknown")
        return Record(resop=number, **OPS[number].results.unpack(reader).__dict__)

    def zero(self):
        return Record(resop=OP_ILLEGAL, status=STATUS.values["NFS4ERR_OP_ILLEGAL"])

    def spots(self, value, path=""):
        inside = f"{path}.{OPS[value.resop].name}"
        if value.resop != OP_ILLEGAL:
            yield f"{inside}.resop", self.zero()
        for where, spoiled in OPS[value.resop].results.spots(value, inside):
            yield where, spoiled.copy(resop=value.resop)


def result(ok=None, default=None, **others):
    """switch (nfsstat4 status): ok's fields, those of others by status, default's or nothing."""
    arms = {0: ok or Struct(), **{STATUS.values[name]: arm for name, arm in others.items()}}
    return Union("status", STATUS, arms, default=default or Struct())


def op(number, name, arguments=None, ok=None, results=None):
    return Operation(number, name, arguments or Struct(), results or result(ok))


# --- parts of several operations -----------------------------------------------------------------------

CreateType = Union("type", FTYPE, {5: Struct(linkdata=OPAQUE), 3: Struct(devdata=SpecData),
                                   4: Struct(devdata=SpecData)},
                   default=Struct())
Createhow = Union("mode", U32, {0: Struct(attrs=ATTRIBUTES), 1: Struct(attrs=ATTRIBUTES), 2: Struct(verf=Verifier),
                                3: Struct(verf=Verifier, attrs=ATTRIBUTES)})
Openflag = Union("opentype", U32, {0: None, 1: Struct(how=Createhow)})
Claim = Union("claim", U32, {0: Struct(file=NAME), 1: Struct(delegate_type=U32), 2: Struct(stateid=Stateid, file=NAME),
                             3: Struct(file=NAME), 4: None, 5: Struct(stateid=Stateid), 6: None})
SpaceLimit = Union("limitby", U32, {1: Struct(filesize=U64), 2: Struct(num_blocks=U32, bytes_per_block=U32)})
NoDelegation = Union("why", U32, {1: Struct(will_push=BOOL), 2: Struct(will_signal=BOOL)}, default=Struct())
Delegation = Union("type", U32, {
    0: None, 1: Struct(stateid=Stateid, recall=BOOL, permissions=Ace),
    2: Struct(stateid=Stateid, recall=BOOL, space_limit=SpaceLimit, permissions=Ace), 3: Struct(none=NoDelegation)})
Locker = Union("new_lock_owner", BOOL, {
    True: Struct(open_seqid=U32, open_stateid=Stateid, lock_seqid=U32, lock_owner=Owner),
    False: Struct(lock_stateid=Stateid, lock_seqid=U32)})
LockDenied = Struct(offset=U64, length=U64, locktype=U32, owner=Owner)
DirEntry = Struct(cookie=U64, name=NAME, attrs=ATTRIBUTES)
GssInfo = Struct(oid=OPAQUE, qop=U32, service=U32)
SecInfo = Array(Union("flavor", U32, {6: Struct(info=GssInfo)}, default=Struct()))
CbClient = Struct(program=U32, location=NetAddress)
GssHandles = Struct(service=U32, from_server=OPAQUE, from_client=OPAQUE)
CbSecurity = Union("flavor", U32, {0: None, 1: Struct(sys=AuthSys), 6: Struct(gss=GssHandles)})
ClientOwner = Struct(verifier=Verifier, ownerid=Bytes(1024))
ProtectOps = Struct(must_enforce=NUMBERMASK, must_allow=NUMBERMASK)
ProtectAsked = Union("how", U32, {
    0: None, 1: Struct(ops=ProtectOps),
    2: Struct(ops=ProtectOps, hash_algs=Array(OPAQUE), encr_algs=Array(OPAQUE), window=U32, num_gss_handles=U32)})
ProtectGiven = Union("how", U32, {
    0: None, 1: Struct(ops=ProtectOps),
    2: Struct(ops=ProtectOps, hash_alg=U32, encr_alg=U32, ssv_len=U32, window=U32, handles=Array(OPAQUE))})
ImplId = Struct(domain=OPAQUE, name=OPAQUE, date=Time)
ServerOwner = Struct(minor_id=U64, major_id=Bytes(1024))
ChannelAttributes = Struct(headerpadsize=U32, maxrequestsize=U32, maxresponsesize=U32, maxresponsesize_cached=U32,
                           maxoperations=U32, maxrequests=U32, rdma_ird=Array(U32, limit=1))
LayoutBody = Struct(type=U32, body=OPAQUE)
NewOffset = Union("given", BOOL, {True: Struct(offset=U64), False: None})
NewTime = Union("given", BOOL, {True: Struct(time=Time), False: None})
NewSize = Union("changed", BOOL, {True: Struct(size=U64), False: None})
Layout = Struct(offset=U64, length=U64, iomode=U32, content=LayoutBody)
LayoutReturned = Union("type", U32, {1: Struct(offset=U64, length=U64, stateid=Stateid, body=OPAQUE), 2: None, 3: None})
LayoutStateid = Union("present", BOOL, {True: Struct(stateid=Stateid), False: None})
DelegationWanted = Union("claim", U32, {1: Struct(delegate_type=U32), 4: None, 6: None})
DirDelegation = Union("non_fatal", U32, {
    0: Struct(cookieverf=Verifier, stateid=Stateid, notification=NUMBERMASK, child_attributes=ATTRMASK,
              dir_attributes=ATTRMASK),
    1: Struct(will_signal=BOOL)})
NetLocation = Union("type", U32, {1: Struct(name=OPAQUE), 2: Struct(url=OPAQUE), 3: Struct(address=NetAddress)})
CopyRequirements = Struct(consecutive=BOOL, synchronous=BOOL)
WriteResponse = Struct(callback_id=Array(Stateid, limit=1), count=U64, committed=U32, writeverf=Verifier)
IoInfo = Struct(count=U64, bytes=U64)
DeviceError = Struct(deviceid=DeviceId, status=STATUS, opnum=U32)
Pattern = Struct(offset=U64, block_size=U64, block_count=U64, reloff_blocknum=U64, block_num=U32, reloff_pattern=U64,
                 pattern=OPAQUE)
DATA_CONTENT, HOLE_CONTENT = 0, 1
Content = Union("content", U32, {0: Struct(offset=U64, data=OPAQUE), 1: Struct(offset=U64, length=U64)})

# --- operations of v4.0 --------------------------------------------------------------------------------

ACCESS = op(3, "ACCESS", Struct(access=U32), Struct(supported=U32, access=U32))
CLOSE = op(4, "CLOSE", Struct(seqid=U32, open_stateid=Stateid), Struct(open_stateid=Stateid))
COMMIT = op(5, "COMMIT", Struct(offset=U64, count=U32), Struct(writeverf=Verifier))
CREATE = op(6, "CREATE", Struct(objtype=CreateType, objname=NAME, createattrs=ATTRIBUTES),
            Struct(cinfo=ChangeInfo, attrset=ATTRMASK))
DELEGPURGE = op(7, "DELEGPURGE", Struct(clientid=U64))
DELEGRETURN = op(8, "DELEGRETURN", Struct(deleg_stateid=Stateid))
GETATTR = op(9, "GETATTR", Struct(attr_request=ATTRMASK), Struct(attrs=ATTRIBUTES))
GETFH = op(10, "GETFH", ok=Struct(object=FH))
LINK = op(11, "LINK", Struct(newname=NAME), Struct(cinfo=ChangeInfo))
LOCK = op(12, "LOCK", Struct(locktype=U32, reclaim=BOOL, offset=U64, length=U64, locker=Locker),
          results=result(Struct(lock_stateid=Stateid), NFS4ERR_DENIED=Struct(denied=LockDenied)))
LOCKT = op(13, "LOCKT", Struct(locktype=U32, offset=U64, length=U64, owner=Owner),
           results=result(NFS4ERR_DENIED=Struct(denied=LockDenied)))
LOCKU = op(14, "LOCKU", Struct(locktype=U32, seqid=U32, lock_stateid=Stateid, offset=U64, length=U64),
           Struct(lock_stateid=Stateid))
LOOKUP = op(15, "LOOKUP", Struct(objname=NAME))
LOOKUPP = op(16, "LOOKUPP")
NVERIFY = op(17, "NVERIFY", Struct(obj_attributes=ATTRIBUTES))
OPEN = op(18, "OPEN", Struct(seqid=U32, share_access=U32, share_deny=U32, owner=Owner, openhow=Openflag, claim=Claim),
          Struct(stateid=Stateid, cinfo=ChangeInfo, rflags=U32, attrset=ATTRMASK, delegation=Delegation))
OPENATTR = op(19, "OPENATTR", Struct(createdir=BOOL))
OPEN_CONFIRM = op(20, "OPEN_CONFIRM", Struct(open_stateid=Stateid, seqid=U32), Struct(open_stateid=Stateid))
OPEN_DOWNGRADE = op(21, "OPEN_DOWNGRADE", Struct(open_stateid=Stateid, seqid=U32, share_access=U32, share_deny=U32),
                    Struct(open_stateid=Stateid))
PUTFH = op(22, "PUTFH", Struct(object=FH))
PUTPUBFH = op(23, "PUTPUBFH")
PUTROOTFH = op(24, "PUTROOTFH")
READ = op(25, "READ", Struct(stateid=Stateid, offset=U64, count=U32), Struct(eof=BOOL, data=OPAQUE))
READDIR = op(26, "READDIR", Struct(cookie=U64, cookieverf=Verifier, dircount=U32, maxcount=U32, attr_request=ATTRMASK),
             Struct(cookieverf=Verifier, entries=Chain(DirEntry), eof=BOOL))
READLINK = op(27, "READLINK", ok=Struct(link=OPAQUE))
REMOVE = op(28, "REMOVE", Struct(target=NAME), Struct(cinfo=ChangeInfo))
RENAME = op(29, "RENAME", Struct(oldname=NAME, newname=NAME), Struct(source_cinfo=ChangeInfo, target_cinfo=ChangeInfo))
RENEW = op(30, "RENEW", Struct(clientid=U64))
RESTOREFH = op(31, "RESTOREFH")
SAVEFH = op(32, "SAVEFH")
SECINFO = op(33, "SECINFO", Struct(name=NAME), Struct(flavors=SecInfo))
SETATTR = op(34, "SETATTR", Struct(stateid=Stateid, obj_attributes=ATTRIBUTES),
             results=result(Struct(attrsset=ATTRMASK), default=Struct(attrsset=ATTRMASK)))
SETCLIENTID = op(35, "SETCLIENTID", Struct(client=ClientOwner, callback=CbClient, callback_ident=U32),
                 results=result(Struct(clientid=U64, confirm=Verifier),
                                NFS4ERR_CLID_INUSE=Struct(client_using=NetAddress)))
SETCLIENTID_CONFIRM = op(36, "SETCLIENTID_CONFIRM", Struct(clientid=U64, confirm=Verifier))
VERIFY = op(37, "VERIFY", Struct(obj_attributes=ATTRIBUTES))
WRITE = op(38, "WRITE", Struct(stateid=Stateid, offset=U64, stable=U32, data=OPAQUE),
           Struct(count=U32, committed=U32, writeverf=Verifier))
RELEASE_LOCKOWNER = op(39, "RELEASE_LOCKOWNER", Struct(lock_owner=Owner))
ILLEGAL = op(OP_ILLEGAL, "ILLEGAL")

# --- operations of v4.1 --------------------------------------------------------------------------------

BACKCHANNEL_CTL = op(40, "BACKCHANNEL_CTL", Struct(cb_program=U32, sec_parms=Array(CbSecurity)))
BIND_CONN_TO_SESSION = op(41, "BIND_CONN_TO_SESSION", Struct(sessionid=SessionId, dir=U32, use_conn_in_rdma_mode=BOOL),
                          Struct(sessionid=SessionId, dir=U32, use_conn_in_rdma_mode=BOOL))
EXCHANGE_ID = op(42, "EXCHANGE_ID",
                 Struct(clientowner=ClientOwner, flags=U32, state_protect=ProtectAsked, client_impl_id=Array(ImplId,
                                                                                                             limit=1)),
                 Struct(clientid=U64, sequenceid=U32, flags=U32, state_protect=ProtectGiven, server_owner=ServerOwner,
                        server_scope=Bytes(1024), server_impl_id=Array(ImplId, limit=1)))
CREATE_SESSION = op(43, "CREATE_SESSION",
                    Struct(clientid=U64, sequence=U32, flags=U32, fore_chan_attrs=ChannelAttributes,
                           back_chan_attrs=ChannelAttributes, cb_program=U32, sec_parms=Array(CbSecurity)),
                    Struct(sessionid=SessionId, sequence=U32, flags=U32, fore_chan_attrs=ChannelAttributes,
                           back_chan_attrs=ChannelAttributes))
DESTROY_SESSION = op(44, "DESTROY_SESSION", Struct(sessionid=SessionId))
FREE_STATEID = op(45, "FREE_STATEID", Struct(stateid=Stateid))
GET_DIR_DELEGATION = op(46, "GET_DIR_DELEGATION",
                        Struct(signal_deleg_avail=BOOL, notification_types=NUMBERMASK, child_attr_delay=Time,
                               dir_attr_delay=Time, child_attributes=ATTRMASK, dir_attributes=ATTRMASK),
                        Struct(res=DirDelegation))
GETDEVICEINFO = op(47, "GETDEVICEINFO", Struct(device_id=DeviceId, layout_type=U32, maxcount=U32,
                                               notify_types=NUMBERMASK),
                   results=result(Struct(device_addr=LayoutBody, notification=NUMBERMASK),
                                  NFS4ERR_TOOSMALL=Struct(mincount=U32)))
GETDEVICELIST = op(48, "GETDEVICELIST", Struct(layout_type=U32, maxdevices=U32, cookie=U64, cookieverf=Verifier),
                   Struct(cookie=U64, cookieverf=Verifier, deviceid_list=Array(DeviceId), eof=BOOL))
LAYOUTCOMMIT = op(49, "LAYOUTCOMMIT",
                  Struct(offset=U64, length=U64, reclaim=BOOL, stateid=Stateid, last_write_offset=NewOffset,
                         time_modify=NewTime, layoutupdate=LayoutBody), Struct(newsize=NewSize))
LAYOUTGET = op(50, "LAYOUTGET",
               Struct(signal_layout_avail=BOOL, layout_type=U32, iomode=U32, offset=U64, length=U64, minlength=U64,
                      stateid=Stateid, maxcount=U32),
               results=result(Struct(return_on_close=BOOL, stateid=Stateid, layout=Array(Layout)),
                              NFS4ERR_LAYOUTTRYLATER=Struct(will_signal_layout_avail=BOOL)))
LAYOUTRETURN = op(51, "LAYOUTRETURN", Struct(reclaim=BOOL, layout_type=U32, iomode=U32, layoutreturn=LayoutReturned),
                  Struct(stateid=LayoutStateid))
SECINFO_NO_NAME = op(52, "SECINFO_NO_NAME", Struct(style=U32), Struct(flavors=SecInfo))
SEQUENCE = op(53, "SEQUENCE", Struct(sessionid=SessionId, sequenceid=U32, slotid=U32, highest_slotid=U32,
                                     cachethis=BOOL),
              Struct(sessionid=SessionId, sequenceid=U32, slotid=U32, highest_slotid=U32, target_highest_slotid=U32,
                     status_flags=U32))
SET_SSV = op(54, "SET_SSV", Struct(ssv=OPAQUE, digest=OPAQUE), Struct(digest=OPAQUE))
TEST_STATEID = op(55, "TEST_STATEID", Struct(stateids=Array(Stateid)), Struct(status_codes=Array(STATUS)))
WANT_DELEGATION = op(56, "WANT_DELEGATION", Struct(want=U32, claim=DelegationWanted), Struct(delegation=Delegation))
DESTROY_CLIENTID = op(57, "DESTROY_CLIENTID", Struct(clientid=U64))
RECLAIM_COMPLETE = op(58, "RECLAIM_COMPLETE", Struct(one_fs=BOOL))

# --- operations of v4.2 --------------------------------------------------------------------------------

ALLOCATE = op(59, "ALLOCATE", Struct(stateid=Stateid, offset=U64, length=U64))
COPY = op(60, "COPY",
          Struct(src_stateid=Stateid, dst_stateid=Stateid, src_offset=U64, dst_offset=U64, count=U64, consecutive=BOOL,
                 synchronous=BOOL, source_server=Array(NetLocation)),
          results=result(Struct(response=WriteResponse, requirements=CopyRequirements),
                         NFS4ERR_OFFLOAD_NO_REQS=Struct(requirements=CopyRequirements)))
COPY_NOTIFY = op(61, "COPY_NOTIFY", Struct(src_stateid=Stateid, destination_server=NetLocation),
                 Struct(lease_time=Time, stateid=Stateid, source_server=Array(NetLocation)))
DEALLOCATE = op(62, "DEALLOCATE", Struct(stateid=Stateid, offset=U64, length=U64))
IO_ADVISE = op(63, "IO_ADVISE", Struct(stateid=Stateid, offset=U64, count=U64, hints=NUMBERMASK),
               Struct(hints=NUMBERMASK))
LAYOUTERROR = op(64, "LAYOUTERROR", Struct(offset=U64, length=U64, stateid=Stateid, errors=Array(DeviceError)))
LAYOUTSTATS = op(65, "LAYOUTSTATS", Struct(offset=U64, length=U64, stateid=Stateid, read=IoInfo, write=IoInfo,
                                           deviceid=DeviceId, layoutupdate=LayoutBody))
OFFLOAD_CANCEL = op(66, "OFFLOAD_CANCEL", Struct(stateid=Stateid))
OFFLOAD_STATUS = op(67, "OFFLOAD_STATUS", Struct(stateid=Stateid), Struct(count=U64, complete=Array(STATUS, limit=1)))
READ_PLUS = op(68, "READ_PLUS", Struct(stateid=Stateid, offset=U64, count=U32), Struct(eof=BOOL,
                                                                                       contents=Array(Content)))
SEEK = op(69, "SEEK", Struct(stateid=Stateid, offset=U64, what=U32), Struct(eof=BOOL, offset=U64))
WRITE_SAME = op(70, "WRITE_SAME", Struct(stateid=Stateid, stable=U32, adb=Pattern), Struct(response=WriteResponse))
CLONE = op(71, "CLONE", Struct(src_stateid=Stateid, dst_stateid=Stateid, src_offset=U64, dst_offset=U64, count=U64))
GETXATTR = op(72, "GETXATTR", Struct(name=NAME), Struct(value=OPAQUE))
SETXATTR = op(73, "SETXATTR", Struct(option=U32, name=NAME, value=OPAQUE), Struct(cinfo=ChangeInfo))
LISTXATTRS = op(74, "LISTXATTRS", Struct(cookie=U64, maxcount=U32), Struct(cookie=U64, names=Array(NAME), eof=BOOL))
REMOVEXATTR = op(75, "REMOVEXATTR", Struct(name=NAME), Struct(cinfo=ChangeInfo))
SETXATTR_EITHER, SETXATTR_CREATE, SETXATTR_REPLACE = 0, 1, 2
SEEK_DATA, SEEK_HOLE = 0, 1
LAST_OPERATION = {"v40": 39, "v41": 58, "v42": 75}

# --- the program ---------------------------------------------------------------------------------------

CompoundArgs = Struct(tag=OPAQUE, minorversion=U32, argarray=Array(ArgOp()))
CompoundRes = Struct(status=STATUS, tag=OPAQUE, resarray=Array(ResOp()))
NFS4 = Program(PROGRAM, VERSION, [(0, "NULL", VOID, VOID), (1, "COMPOUND", CompoundArgs, CompoundRes)])


def no_create():
    return Record(opentype=OPEN_NOCREATE)


def create(mode=UNCHECKED, attrs=None, verf=bytes(8)):
    """The openflag4 that creates."""
    return Record(opentype=OPEN_CREATE, how=Record(mode=mode, attrs=attrs or Record(), verf=verf))


def by_name(name):
    return Record(claim=CLAIM_NULL, file=name)


def stateid(seqid, other):
    return Record(seqid=seqid, other=other)


def op_name(number):
    return OPS[number].name if number in OPS else str(number)
