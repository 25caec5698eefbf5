# SPDX-License-Identifier: LGPL-3.0-or-later
# count_calls.py -- counts the control calls in a capture: FILE
"""Puts the TCP streams to port 20491 together, walks their records and prints how many calls of operations
there are."""

import struct
import sys

PORT, FIRST_OPERATION = 20491, 16


def packets(path):
    with open(path, "rb") as file:
        header = file.read(24)
        order = "<" if header[:4] == b"\xd4\xc3\xb2\xa1" else ">"
        while len(head := file.read(16)) == 16:
            _, _, length, _ = struct.unpack(order + "IIII", head)
            data = file.read(length)
            if len(data) == length:
                yield data


def segments(path):
    """(stream, sequence number, payload) of what goes to the port."""
    for frame in packets(path):
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        header = 14 + (frame[14] & 15) * 4
        end = 14 + struct.unpack(">H", frame[16:18])[0]
        source, target, sequence = struct.unpack(">HHI", frame[header : header + 8])
        data = frame[header + (frame[header + 12] >> 4) * 4 : end]
        if target == PORT and data:
            yield (frame[26:30], source), sequence, data


def streams(path):
    """Each stream's bytes. Packets of several processors may have been captured in another order."""
    pieces = {}
    for stream, sequence, data in segments(path):
        first, found = pieces.setdefault(stream, (sequence, []))
        found.append((((sequence - first + (1 << 31)) & 0xFFFFFFFF) - (1 << 31), data))
    for _, found in pieces.values():
        found.sort()
        start, content = found[0][0], bytearray()
        for at, data in found:
            if at - start > len(content):
                sys.exit("the capture lacks a segment")
            content[at - start : at - start + len(data)] = data
        yield bytes(content)


def walk(stream):
    """The procedures of the calls."""
    at = 0
    while at < len(stream):
        head, last = b"", False
        while not last:
            if at + 4 > len(stream):
                sys.exit("the capture ends within a record")
            (mark,) = struct.unpack(">I", stream[at : at + 4])
            last, length = bool(mark >> 31), mark & 0x7FFFFFFF
            if at + 4 + length > len(stream):
                sys.exit("the capture ends within a record")
            head = head or stream[at + 4 : at + 4 + length]
            at += 4 + length
        yield struct.unpack(">I", head[20:24])[0]


def main():
    calls = [proc for stream in streams(sys.argv[1]) for proc in walk(stream)]
    print(sum(1 for proc in calls if proc >= FIRST_OPERATION))


main()
