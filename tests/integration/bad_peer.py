# SPDX-License-Identifier: LGPL-3.0-or-later
# bad_peer.py -- a peer that does one thing wrong: ADDRESS PORT version|address|forged
"""Speaks the control protocol as node poc1 of the cluster does, from another connection."""

import hashlib
import socket
import struct
import sys

PROGRAM, VERSION = 0x20584652, 1
HELLO, LOOKUP, GETATTR = 1, 16, 17
OK, ST_NOT_ALLOWED, ST_VERSION, ST_BAD_HANDLE = 0, 1002, 1003, 1005
ROOT = 0xFFFF
ATTRIBUTES = 100  # bytes


def opaque(data):
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def limits():
    return struct.pack(">IIIII", 1179652, 256, 1024, 1 << 20, 1000)


def hello(minor=0, node=b"poc1"):
    return (
        struct.pack(">IIQQ", minor, minor, 0, 0) + bytes(16) + bytes(16) + struct.pack(">Q", 0)
        + opaque(node) + opaque(b"owner1") + limits()
    )


def header():
    return struct.pack(">IIIII", 0, 1, 0, 0, 0)


class Peer:
    """One connection; calls one after the other."""

    def __init__(self, address, port):
        self.socket = socket.create_connection((address, int(port)), timeout=10)
        self.xid = 0

    def call(self, proc, arguments):
        """The results of a call that the server accepted."""
        self.xid += 1
        head = struct.pack(">IIIIIIIIII", self.xid, 0, 2, PROGRAM, VERSION, proc, 0, 0, 0, 0) + arguments
        self.socket.sendall(struct.pack(">I", len(head) | 0x80000000) + head)
        (mark,) = struct.unpack(">I", self.receive(4))
        reply = self.receive(mark & 0x7FFFFFFF)
        xid, direction, accepted, _, _, stat = struct.unpack(">IIIIII", reply[:24])
        if (xid, direction, accepted, stat) != (self.xid, 1, 0, 0):
            sys.exit(f"procedure {proc} is refused: {reply[:28].hex()}")
        return reply[24:]

    def receive(self, length):
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                sys.exit("the server closed the connection")
            data += part
        return data


def status(results):
    return struct.unpack(">I", results[:4])[0]


def expect(what, got, wanted):
    print(f"   {what}: status {got}")
    if got != wanted:
        sys.exit(f"{what}: status {got} instead of {wanted}")


def volume_id():
    return hashlib.sha256(b"vol1").digest()[:4]


def forged(peer):
    expect("HELLO", status(peer.call(HELLO, hello())), OK)
    root = volume_id() + struct.pack(">H", ROOT)
    found = peer.call(LOOKUP, header() + opaque(root) + opaque(b"file"))
    expect("LOOKUP of a file", status(found), OK)
    # status; the directory's attributes: a flag and ATTRIBUTES; the handle
    (length,) = struct.unpack(">I", found[4 + 4 + ATTRIBUTES :][:4])
    handle = found[4 + 4 + ATTRIBUTES + 4 :][:length]
    expect("GETATTR with its handle", status(peer.call(GETATTR, header() + opaque(handle))), OK)
    for at in range(4, length):
        for bit in (1, 128):
            changed = bytearray(handle)
            changed[at] ^= bit
            got = status(peer.call(GETATTR, header() + opaque(bytes(changed))))
            if got != ST_BAD_HANDLE:
                sys.exit(f"a handle with byte {at} changed: status {got} instead of {ST_BAD_HANDLE}")
    print(f"   {2 * (length - 4)} changed handles: status {ST_BAD_HANDLE}")


def main():
    peer = Peer(sys.argv[1], sys.argv[2])
    if sys.argv[3] == "version":
        expect("HELLO of another minor version", status(peer.call(HELLO, hello(minor=7))), ST_VERSION)
    elif sys.argv[3] == "address":
        expect("HELLO from another's address", status(peer.call(HELLO, hello())), ST_NOT_ALLOWED)
    else:
        forged(peer)


if __name__ == "__main__":
    main()
