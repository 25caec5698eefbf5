# SPDX-License-Identifier: LGPL-3.0-or-later
# crowd.py -- inline|shm 3|4 MIB: the part of tests/integration/crowd that loads the cluster and looks at its daemons
"""What an owner may take is computed from its configuration (tests/bench/memory.py). The volume is frozen until all WRITEs
that clients have under way wait, or, where Waiting_Memory is MIB only, as many as may: more memory than then is never
needed."""
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "bench"))
from clusters import Cluster  # noqa: E402
from memory import MIB, PAYLOAD_OUT_MAX, Watch, mib, owner_may, sample  # noqa: E402

CONNS, DEPTH, EACH = 64, 16, 64
GIVE_UP_SECONDS = 40
LOAD = ["--conns", str(CONNS), "--depth", str(DEPTH), "--each", str(EACH), "--file", "crowd.dat", "--file-size", "256M"]


def fail(what):
    sys.exit(f"FAILED: {what}")


def until(condition, otherwise):
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            fail(f"{otherwise} after {GIVE_UP_SECONDS} s")
        time.sleep(0.02)


def session(cluster, node):
    return cluster.status(node)["sessions"][0]


def freeze(cluster, on):
    subprocess.run(cluster.command("owner1", "fsfreeze", "-f" if on else "-u", cluster.values["VOLUME1"]), check=True)


def check_shares(what, result):
    """All is done, and nobody had nothing when the first one had all of its own."""
    ops, least = [one["ops"] for one in result["conns"]], min(one["ops_at_first_end"] for one in result["conns"])
    print(f"   {what}: {result['ops']} operations, {result['delays']} delays; when the first connection had done its {EACH}, each "
          f"had done {least} or more", flush=True)
    if ops != [EACH] * CONNS or result["errors"]:
        fail(f"{what}: not all operations were done: {ops}, {result['errors']} errors")
    if least == 0:
        fail(f"{what}: a connection got nothing while another one got all")


def check_memory(what, may, peak, status):
    """Of the owner."""
    memory, paths = status["memory"], [one["path"] for one in status["sessions"] if "path" in one]
    allowed = sum(may.values())
    print(f"   {what}: the owner takes {mib(peak)} MiB, it may take {mib(allowed)}: "
          + " + ".join(f"{mib(value)} {name}" for name, value in may.items()), flush=True)
    if peak > allowed:
        fail(f"{what}: the owner takes {peak} bytes, more than {allowed}")
    if any(path[which]["bytes"] > memory["session_bytes"] for path in paths for which in ("write", "read")):
        fail(f"a session has more memory than session_memory: {paths}")


def all_wait(cluster):
    """Or all that may: one more would be too much."""
    waits = session(cluster, "poc1")
    return waits["outstanding"] >= CONNS * DEPTH or waits["waiting_bytes"] + 2 * MIB > waits["waiting_max"] / 2


def check_frozen(cluster, waiting_max):
    """Nothing is under way but what waits at the point of contact, as much as it may, and at the owner, as was agreed."""
    until(lambda: all_wait(cluster), "not all WRITEs wait")
    waits, volume = session(cluster, "poc1"), cluster.status("owner1")["volumes"][0]
    here, there = waits["waiting_bytes"], (volume["queued"] + volume["running"]) * MIB
    print(f"   frozen: {waits['outstanding']} operations, {mib(here)} MiB wait at the point of contact, {mib(there)} at the owner", flush=True)
    if not 0 < here <= waiting_max / 2:
        fail(f"{here} bytes wait at the point of contact, for one volume {waiting_max / 2} are allowed")
    if not 0 < there <= PAYLOAD_OUT_MAX / 2:
        fail(f"{there} bytes wait at the owner, for one volume {PAYLOAD_OUT_MAX / 2} are allowed")


def read(cluster, version, _waiting_max):
    return cluster.load(version, [*LOAD, "--fill", "--read"])[0]


def write(cluster, version, waiting_max):
    command = cluster.nfsload(version, "io", [*LOAD, "--existing", "--write", "--verify", "--seed", "3"])
    freeze(cluster, True)
    try:
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        check_frozen(cluster, waiting_max)
    finally:
        freeze(cluster, False)
    told, _ = writer.communicate(timeout=2 * GIVE_UP_SECONDS)
    if writer.returncode:
        fail(f"nfsload ended with {writer.returncode}")
    return json.loads(told)


def main():
    path, version, waiting_max = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) * MIB
    cluster = Cluster("cluster", pathlib.Path(os.environ["CLUSTER_DIR"]).parent)
    cluster.values = dict(os.environ)
    pids = cluster.daemons()
    idle = sample(pids["owner1"])
    if path == "shm":
        until(lambda: "path" in session(cluster, "owner1"), "there is no shared memory")
    for what, load in (("READ", read), ("WRITE", write)):
        with Watch({"owner1": pids["owner1"]}) as watch:
            result = load(cluster, version, waiting_max)
        status = cluster.status("owner1")
        check_memory(what, owner_may(idle, status), watch.peaks["owner1"]["rss"], status)
        check_shares(what, result)
    if waiting_max < CONNS * DEPTH * MIB and result["delays"] == 0:
        fail("more was wanted than may wait, and nothing was put off")


main()
