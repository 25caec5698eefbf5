# SPDX-License-Identifier: LGPL-3.0-or-later
# traces.py -- the system calls of servers, by strace (tests/bench/run --counts)
"""Each server has a strace of its own, in its network namespace: only there it can tell which connection a socket is.
To the control connections belong all sockets of an owner, and those of a point of contact that go to an owner's port,
or are Unix sockets."""

import collections
import contextlib
import re
import signal
import subprocess
import time

from clusters import Failure

ATTACH_SECONDS = 30
OWNER_PORT = 20491
MOVES = {"sendmsg", "recvmsg", "sendto", "recvfrom", "read", "write", "readv", "writev"}
LINE = re.compile(r"(\d+)\s+(?:<\.\.\. (\w+) resumed>|(\w+)\()")
SOCKET = re.compile(r"\w+\(\d+<((?:TCPv6|TCP|UNIX-STREAM|UNIX|socket):\[.*?\])>")


class Trace:
    """How often a server called what, and of that on control connections; how many bytes these moved."""

    def __init__(self, node, lines):
        self.node = node
        self.calls, self.control, self.bytes = collections.Counter(), collections.Counter(), 0
        begun = {}  # of each thread, the call that it waits in
        for line in lines:
            found = LINE.match(line)
            if not found:
                continue
            thread, resumed, name = found.groups()
            if line.rstrip().endswith("<unfinished ...>"):
                begun[thread] = line
            else:
                self.note(resumed or name, begun.pop(thread, line) if resumed else line, line)

    def note(self, name, start, end):
        result = end.rpartition(" = ")[2].split(" ")[0].strip()
        self.calls[name] += 1
        if name not in MOVES or not self.is_control(start):
            return
        self.control[name] += 1
        if result.isdigit():
            self.bytes += int(result)

    def is_control(self, start):
        found = SOCKET.search(start)
        if not found:
            return False
        return self.node.startswith("owner") or found[1].startswith("UNIX") or found[1].endswith(f":{OWNER_PORT}]")


def attach(cluster, node, pid, path):
    """A strace that has all threads of the process."""
    messages = path.with_suffix(".messages")
    command = cluster.command(node, "strace", "-f", "-yy", "-s", "0", "-e", "signal=none", "-o", path, "-p", str(pid))
    with open(messages, "wb") as file:
        tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    deadline = time.monotonic() + ATTACH_SECONDS
    while "attached" not in messages.read_text(errors="replace"):
        if tracer.poll() is not None or time.monotonic() > deadline:
            detach(tracer)
            raise Failure(f"strace of {node} doesn't attach: {messages.read_text(errors='replace').strip()}")
        time.sleep(0.01)
    return tracer


def detach(tracer):
    tracer.send_signal(signal.SIGINT)
    try:
        tracer.wait(ATTACH_SECONDS)
    except subprocess.TimeoutExpired:
        tracer.kill()
        tracer.wait()


@contextlib.contextmanager
def traced(cluster):
    """Its servers; when it ends there is a Trace for each node in what it gives."""
    traces, tracers = {}, {}
    paths = {node: cluster.dir / f"{node}.strace" for node in cluster.daemons()}
    try:
        for node, pid in cluster.daemons().items():
            tracers[node] = attach(cluster, node, pid, paths[node])
        yield traces
    finally:
        for tracer in tracers.values():
            detach(tracer)
    for node, path in paths.items():
        with open(path, encoding="utf-8", errors="replace") as lines:
            traces[node] = Trace(node, lines)
        path.unlink()
