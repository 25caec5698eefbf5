# SPDX-License-Identifier: LGPL-3.0-or-later
# pulse.py -- clients of v3, v4.0 and v4.1 that write, one WRITE after the other, and say when (tests/bench/outage)
"""pulse.py SERVER NFS-PORT MOUNT-PORT EXPORT: a line of JSON for each WRITE that is answered: its version, and when, by the
host's monotonic clock. What is put off by DELAY is asked again after 20 ms, so that it shows the server's pause, not the client's."""

import json
import os
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "fault"))
from clients import Lasting  # noqa: E402

VERSIONS = ("v3", "v40", "v41")
PAUSE_SECONDS = 0.005
BYTES = 4096


def beat(client, version):
    try:
        client.open(f"pulse-{version}".encode())
        while True:
            client.write(0, bytes(BYTES), True)
            say({"version": version, "end": time.monotonic()})
            time.sleep(PAUSE_SECONDS)
    except Exception as problem:  # noqa: B902  a thread has nobody else who would see it
        say({"version": version, "problem": f"{type(problem).__name__}: {problem}"})


def say(what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main():
    lasting = Lasting(*sys.argv[1:])
    threads = [threading.Thread(target=beat, args=(lasting.client(version), version)) for version in VERSIONS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
