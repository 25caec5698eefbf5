# SPDX-License-Identifier: LGPL-3.0-or-later
# devices.py -- what other scenarios stand on: soft-RoCE works here
import contextlib

from guest import (CONTACT, DEVICE, INTERFACE, OWNER, PACKET_BYTES, Failed, Task, device_away, expect, hardware_counter,
                   pinning_limited, run, wait_until)
from scenarios import scenario

PINGS = 5


@scenario()
def active():
    shown = run("ibv_devinfo", "-d", DEVICE)
    for text in "PORT_ACTIVE", f"active_mtu:\t\t{PACKET_BYTES}":
        expect(text in shown, f"ibv_devinfo doesn't say {text}: {shown}")


@scenario()
def rping():
    server = Task("rping", "-s", "-a", OWNER, "-C", PINGS)
    shown = ping(OWNER)
    server.wait()
    expect(shown.count("ping data") == PINGS, shown)


def ping(address):
    """From the point of contact's address; asks again while nobody listens yet."""
    while True:
        try:
            return run("rping", "-c", "-I", CONTACT, "-a", address, "-C", PINGS, "-v")
        except Failed as failure:
            if "error 8" not in str(failure):  # refused
                raise


@contextlib.contextmanager
def write_bw(*prefix):
    """ib_write_bw's two ends at work; the client's command begins with the prefix."""
    command = ("stdbuf", "-oL", "ib_write_bw", "-d", DEVICE, "-x", "1", "-F", "-D", "20")
    with contextlib.ExitStack() as stack:
        server = Task(*command)
        stack.callback(server.end)
        wait_until(lambda: "Waiting for client" in server.output())
        client = Task(*prefix, *command, CONTACT)
        stack.callback(client.end)
        yield client


@scenario()
def goes_and_comes():
    """The device is removed under load, and made again."""
    before = hardware_counter("sent_pkts")
    with write_bw():
        wait_until(lambda: hardware_counter("sent_pkts") > before + 1000)
        before = hardware_counter("sent_pkts")
        with device_away():
            expect(DEVICE not in run("rdma", "link"), "the device is still there")
            expect(INTERFACE in run("ip", "link"), "the interface has gone, too")
    expect(hardware_counter("sent_pkts") < before, "the device isn't a new one")
    rping()


@scenario()
def memlock():
    """Root without CAP_IPC_LOCK meets the limit for pinned memory."""
    with write_bw(*pinning_limited(64)) as client:
        wait_until(lambda: not client.alive())
        expect("allocate MR" in client.output(), f"ib_write_bw ran with 64 KiB: {client.output()}")
