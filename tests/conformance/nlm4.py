# SPDX-License-Identifier: LGPL-3.0-or-later
# nlm4.py -- NLM, version 4: locks of NFSv3's clients
from rpc import Program
from xdr import BOOL, I32, U64, VOID, Bytes, Enum, Struct, Union

# The protocol is in "Protocols for Interworking: XNFS, Version 3W" (The Open Group), chapter 14; version 4 has 64-bit ranges.
STATUS = Enum({"GRANTED": 0, "DENIED": 1, "DENIED_NOLOCKS": 2, "BLOCKED": 3, "DENIED_GRACE_PERIOD": 4, "DEADLCK": 5,
               "ROFS": 6, "STALE_FH": 7, "FBIG": 8, "FAILED": 9})
LOCK = Struct(caller=Bytes(1024), fh=Bytes(64), oh=Bytes(1024), svid=I32, offset=U64, length=U64)
HOLDER = Struct(exclusive=BOOL, svid=I32, oh=Bytes(1024), offset=U64, length=U64)
SHARE = Struct(caller=Bytes(1024), fh=Bytes(64), oh=Bytes(1024), mode=I32, access=I32)
TEST = Struct(cookie=Bytes(1024), exclusive=BOOL, lock=LOCK)
LOCK_ARGS = Struct(cookie=Bytes(1024), block=BOOL, exclusive=BOOL, lock=LOCK, reclaim=BOOL, state=I32)
CANCEL = Struct(cookie=Bytes(1024), block=BOOL, exclusive=BOOL, lock=LOCK)
UNLOCK = Struct(cookie=Bytes(1024), lock=LOCK)
SHARE_ARGS = Struct(cookie=Bytes(1024), share=SHARE, reclaim=BOOL)
NOTIFY = Struct(name=Bytes(1024), state=I32, private=Bytes(size=16))
RESULT = Struct(cookie=Bytes(1024), stat=STATUS)
NLM = Program(100021, 4, [
    (1, "TEST", TEST, Struct(cookie=Bytes(1024), test=Union("stat", STATUS, {1: Struct(holder=HOLDER)}, default=Struct()))),
    (2, "LOCK", LOCK_ARGS, RESULT),
    (3, "CANCEL", CANCEL, RESULT),
    (4, "UNLOCK", UNLOCK, RESULT),
    (16, "SM_NOTIFY", NOTIFY, VOID),
    (20, "SHARE", SHARE_ARGS, Struct(cookie=Bytes(1024), stat=STATUS, sequence=I32)),
    (21, "UNSHARE", SHARE_ARGS, Struct(cookie=Bytes(1024), stat=STATUS, sequence=I32)),
    (22, "NM_LOCK", LOCK_ARGS, RESULT),
])
