# SPDX-License-Identifier: LGPL-3.0-or-later
# capture.py -- what the network between two guests carries
import contextlib
import signal
import time

from guest import INTERFACE, OWNER, OWNER_PORT, Task, ended, run, wait_until

FILE = "/run/capture"
SETTLE_SECONDS = 3  # what comes is written later, when the processor has time for it
ROCE_PORT = 4791
# Of a reliable connection (BTH): the last packet of a write, or its only one, with an immediate; and all packets of writes.
WITH_IMMEDIATE = "(udp[8] = 9 or udp[8] = 11)"
OF_WRITES = "(udp[8] >= 6 and udp[8] <= 11)"
# Headers aside.
WITH_PAYLOAD = "(ip[2:2] - ((ip[0] & 15) << 2) - ((tcp[12] & 240) >> 2) > 0)"


class Captured:
    """Packets, by what they are."""

    def __init__(self):
        self.immediates = self.count(f"udp dst port {ROCE_PORT} and {WITH_IMMEDIATE}")
        self.packets = self.count(f"udp dst port {ROCE_PORT} and {OF_WRITES}")
        self.requests = self.count(f"tcp and dst host {OWNER} and dst port {OWNER_PORT} and {WITH_PAYLOAD}")
        self.replies = self.count(f"tcp and src host {OWNER} and src port {OWNER_PORT} and {WITH_PAYLOAD}")

    @staticmethod
    def count(what):
        return len(run("tcpdump", "-n", "-r", FILE, what).splitlines()) - 1  # the file's name is said, too


@contextlib.contextmanager
def capturing():
    """A function that ends it and gives what it has."""
    with ended(Task("tcpdump", "-n", "-U", "-s", "100", "-B", "65536", "--immediate-mode", "-i", INTERFACE, "-w", FILE)) as task:
        wait_until("tcpdump listens", lambda: "listening" in task.output())

        def done():
            time.sleep(SETTLE_SECONDS)
            task.end(signal.SIGINT)
            return Captured()

        yield done
