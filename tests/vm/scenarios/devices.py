# SPDX-License-Identifier: LGPL-3.0-or-later
# devices.py -- what other scenarios stand on: soft-RoCE works here
import json

from counts import hardware_counter
from guest import (BUILD, CONTACT, DEVICE, INTERFACE, OWNER, PACKET_BYTES, Task, device_away, ended,
                   expect, pinning_limited, run, wait_until)
from scenarios import scenario

PINGS = 5


@scenario()
def active():
    shown = run("ibv_devinfo", "-d", DEVICE)
    for text in "PORT_ACTIVE", f"active_mtu:\t\t{PACKET_BYTES}":
        expect(text in shown, f"ibv_devinfo doesn't say {text}: {shown}")


@scenario()
def rping():
    with ended(Task("rping", "-s", "-a", OWNER, "-C", PINGS)) as server:
        pinging(OWNER, "-C", PINGS).wait()
        server.wait()


def pinging(address, *options):
    """rping's client, from the point of contact's address, that was answered; it asks again while nobody listens yet."""
    while True:
        client = Task("rping", "-c", "-I", CONTACT, "-a", address, "-v", *options)
        wait_until("rping is answered, or not", lambda: "ping data" in client.output() or not client.alive())
        if "ping data" in client.output():
            return client
        expect("UNREACHABLE" in client.output() or "REJECTED" in client.output(), f"rping: {client.output()}")


@scenario()
def raw():
    """Both ends of a data path are in one process: the bytes and the immediate of each write land."""
    shown = json.loads(run(BUILD / "libxfer/rdmaxferctl", "--json", "bench", "--raw", "--verify", "--address", CONTACT,
                           "--size", "64K", "--seconds", 1))
    expect(shown["address"] == CONTACT and shown["posts"] == shown["operations"] > 0, f"bench --raw says {shown}")


@scenario()
def goes_and_comes():
    """The device is removed under load, and made again. Its users have to close it: they hear of it by rdma_cm."""
    before = hardware_counter("sent_pkts")
    with ended(Task("rping", "-s", "-a", OWNER, "-v")) as server, ended(pinging(OWNER)) as client:
        wait_until("packets are sent", lambda: hardware_counter("sent_pkts") > before + 1000)
        before = hardware_counter("sent_pkts")
        with device_away():
            expect(DEVICE not in run("rdma", "link"), "the device is still there")
            expect(INTERFACE in run("ip", "link"), "the interface has gone, too")
            expect(not server.alive() and not client.alive(), "rping goes on without a device")
    expect(hardware_counter("sent_pkts") < before, "the device isn't a new one")
    rping()


@scenario()
def memlock():
    """Root without CAP_IPC_LOCK meets the limit for pinned memory."""
    command = ("stdbuf", "-oL", "ib_write_bw", "-d", DEVICE, "-x", "1", "-F")
    with ended(Task(*command)) as server:
        wait_until("ib_write_bw listens", lambda: "Waiting for client" in server.output())
        with ended(Task(*pinning_limited(64), *command, CONTACT)) as client:
            wait_until("ib_write_bw fails", lambda: not client.alive())
        expect("allocate MR" in client.output(), f"ib_write_bw ran with 64 KiB: {client.output()}")
