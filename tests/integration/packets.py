# SPDX-License-Identifier: LGPL-3.0-or-later
# packets.py -- MARKER FILE: how many bytes packets on this node's network carry, and how often they have a text, until the file appears
import pathlib
import socket
import sys

ETH_P_ALL = 3


def main():
    marker, end = sys.argv[1].encode(), pathlib.Path(sys.argv[2])
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packets.bind(("eth0", 0))
    packets.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)  # SO_RCVBUFFORCE
    packets.settimeout(0.2)
    print("listening", flush=True)
    total = markers = 0
    while True:
        try:
            packet = packets.recv(1 << 20)
        except TimeoutError:
            if end.exists():
                break
            continue
        total += len(packet)
        markers += packet.count(marker)
    print(f"bytes {total}\nmarkers {markers}")


main()
