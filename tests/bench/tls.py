# SPDX-License-Identifier: LGPL-3.0-or-later
# tls.py -- what TLS costs: plain TCP, the kernel and the relay, side by side in one run (tests/bench/run --tls)
"""Streams one way, and handshakes, between two processes (tls_load): in user-mode Linux, whose kernel has TLS; and on the host.
UML's kernel encrypts without the processor's instructions for that, OpenSSL by them: so the relay is measured without them,
too, as relay_c. OpenSSL is then about as fast as the kernel, and what is left is what each does around it."""

import json
import os
import resource
import statistics
import subprocess

from clusters import BUILD, HERE, Failure, say

GIB = 1 << 30
GUEST, HOST = ("plain", "kernel", "relay", "relay_c"), ("plain", "relay")
GUEST_SECONDS = 100
KERNEL_AT_MOST = 0.85  # of the relay's processor time, by comparable crypto


class Costs:
    """Of one carrier, over all rounds."""

    def __init__(self, runs):
        # What starting and ending takes, of a guest, too, isn't the connection's. Others at work only add to it: the least counts.
        idle = min(run["cpu_seconds"] for run in runs["nothing"])
        self.rate = statistics.median(run["bytes"] / run["seconds"] / (1 << 20) for run in runs["bytes"])
        self.cpu_per_gib = (min(run["cpu_seconds"] for run in runs["bytes"]) - idle) * GIB / runs["bytes"][0]["bytes"]
        self.handshakes = statistics.median(run["handshakes"] / run["seconds"] for run in runs["handshakes"])

    def values(self):
        return {"mib_per_second": self.rate, "cpu_seconds_per_gib": self.cpu_per_gib, "connections_per_second": self.handshakes}


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(command, *arguments):
    """What tls_load says, with the processor time that the host has spent: a guest counts what others have had as its own."""
    variables = {"XFER_SOURCE_DIR": str(HERE.parent.parent), "XFER_BUILD_DIR": str(BUILD), "UML_TIMEOUT": str(GUEST_SECONDS)}
    before = cpu_seconds()
    done = subprocess.run([str(word) for word in (*command, HERE / "tls.guest", *arguments)], capture_output=True, text=True,
                          check=False, env={**os.environ, **variables})
    if done.returncode:
        raise Failure(f"tls_load can't be measured: {done.stderr.strip()}\n{done.stdout.strip()}")
    return {**json.loads(done.stdout), "cpu_seconds": cpu_seconds() - before}


def costs_of(command, carriers, rounds, mib, handshakes):
    """By carrier; all take their turn in each round."""
    works = {"nothing": (0, 0), "bytes": (mib, 0), "handshakes": (0, handshakes)}
    runs = {carrier: {work: [] for work in works} for carrier in carriers}
    for _ in range(rounds):
        for carrier in carriers:
            for work, sizes in works.items():
                runs[carrier][work].append(measure(command, carrier, *sizes))
    return {carrier: Costs(of_work) for carrier, of_work in runs.items()}


def show(where, costs):
    say(f"\n{where}\n{'carrier':<10}{'MiB/s':>10}{'× plain':>10}{'CPU s/GiB':>12}{'× relay':>10}{'connections/s':>16}{'× plain':>10}")
    plain, relay = costs["plain"], costs["relay"]  # plain TCP's processor time may be less than what can be measured
    for carrier, cost in costs.items():
        say(f"{carrier:<10}{cost.rate:>10.1f}{cost.rate / plain.rate:>10.2f}{cost.cpu_per_gib:>12.2f}"
            f"{cost.cpu_per_gib / relay.cpu_per_gib:>10.2f}{cost.handshakes:>16.1f}{cost.handshakes / plain.handshakes:>10.2f}")


def bench(rounds, mib, handshakes):
    """A report; shows it, too."""
    guest = costs_of([HERE.parent / "vm/uml", "--alone", "--memory", 1024], GUEST, rounds, mib, handshakes)
    host = costs_of(["bash"], HOST, rounds, mib, 4 * handshakes)
    show("user-mode Linux, TLS_AES_128_GCM_SHA256; the kernel encrypts by ctr(aes-generic) and ghash-generic, relay_c as slowly", guest)
    show("this host, TLS_AES_128_GCM_SHA256", host)
    ratio = guest["kernel"].cpu_per_gib / guest["relay_c"].cpu_per_gib
    say(f"\nkernel / relay_c, processor time: {ratio:.2f} (at most {KERNEL_AT_MOST} is wanted)")
    costs = {"guest": guest, "host": host}
    return {"kernel_by_relay_cpu": ratio,
            **{where: {carrier: cost.values() for carrier, cost in these.items()} for where, these in costs.items()}}
