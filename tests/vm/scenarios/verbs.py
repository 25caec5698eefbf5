# SPDX-License-Identifier: LGPL-3.0-or-later
# verbs.py -- file data through queue pairs: what goes that way, what doesn't, and what clients see when it breaks
import contextlib
import re

from capture import capturing
from counts import Counting, hardware_counter
from files import copy_all, nfsload, write_under_way
from guest import (AS_UNITS_DO, BUILD, DEVICE, INTERFACE, MTU, OWNER_PORT, PACKET_BYTES, Contact, Owner, apart,
                   device_away, expect, mounted, pinning_limited, run, running, say, second_device, verbs_objects,
                   wait_until, without_udp)
from scenarios import scenario
from scenarios.pair import compare

KIND = "verbs"
FALLEN_BACK, BACK = "travels over the connection", "travels over a data path again"  # what the point of contact logs
MEANWHILE = {"PING", "STATUS"}
QUIET = 16  # PINGs, STATUSes and the like on the network meanwhile
FEW = 2  # requests before and after the operations: LOOKUP, COMMIT
LIMIT_KIB = 64
SMALL_MTU = 1500
RANDOM_OPERATIONS = 4000
MIB = 1 << 20


def by_verbs(node):
    return node.path() == KIND


@contextlib.contextmanager
def cluster(owner=None, **options):
    """An owner and a point of contact, with queue pairs between them."""
    owner, contact = owner or Owner(), Contact(path=KIND, **options)
    with running(owner, contact):
        wait_until("there are queue pairs", lambda: by_verbs(contact) and by_verbs(owner))
        yield owner, contact


def devices_of(node):
    """Of its queue pairs."""
    return {pair["device"] for pair in node.session().get("path", {}).get("queue_pairs", ())}


def small_only(done):
    """What has gone inline is what is cheaper that way."""
    causes = {cause: number for cause, number in done.contact["inline"].items() if number}
    expect(set(causes) <= {"small"}, f"payload went inline: {causes}")


# --- sessions ----------------------------------------------------------------------------------------


@scenario()
def session():
    """Queue pairs begin with a session and end with it."""
    before = verbs_objects()
    with cluster() as (owner, contact):
        path = contact.session()["path"]
        say(f"{len(path['queue_pairs'])} queue pairs, {path['registered_bytes'] >> 20} MiB registered")
        expect(len(path["queue_pairs"]) == len(contact.session()["lanes"]), f"not a queue pair for each lane: {path}")
        expect(verbs_objects()["qp"] > before["qp"], "the kernel knows no queue pairs")
        owner.kill()
        owner.start()
        wait_until("there are queue pairs again", lambda: by_verbs(contact) and by_verbs(owner))
    expect(verbs_objects() == before, f"left in the kernel: {verbs_objects()}, before there were {before}")


@scenario(seconds=120)
def mounts():
    """Linux's client, all versions."""
    with cluster() as (owner, contact):
        counting = Counting(owner, contact)
        for version in "3", "4.0", "4.1", "4.2":
            with mounted(version) as mount:
                copy_all(mount)
        done = counting.done()
        expect(done.contact["slot_writes"] > 0 and done.contact["slot_reads"] > 0, "no payload in slots")
        small_only(done)


@scenario(guests=2, seconds=120)
def two_guests(peer):
    with cluster(owner=peer.Owner()) as (owner, _):
        for version in "3", "4.1":
            with mounted(version) as mount:
                compare(mount, owner, f"file-{version}")


@scenario(seconds=90)
def random():
    """Operations of all sizes, RPCs that overtake bytes, chunks that come and go: each operation sees its own bytes."""
    program = BUILD / "tests/property/property_verbs_device"
    say(run(*AS_UNITS_DO, program, RANDOM_OPERATIONS, seconds=60).strip())


# --- what an operation costs -------------------------------------------------------------------------


@scenario(seconds=120)
def off_tcp():
    """Payload doesn't touch TCP: the device carries it, with one immediate for each operation."""
    operations, size = 200, MIB
    with cluster() as (owner, contact):
        nfsload("--size=1M", "--file-size=64M", "--write", "--verify", "--depth=8")  # warm
        for direction in ["--read"], ["--write", "--existing"]:
            counting = Counting(owner, contact)
            nfsload(f"--size={size}", "--file-size=64M", "--depth=8", f"--ops={operations}", *direction)
            done = counting.done()
            tcp = done.tcp_bytes / operations
            say(f"{direction[0]}: {done.device['rdma_recvs']} immediates, {done.device['sent_pkts']} packets, "
                f"{tcp:.0f} bytes on TCP for each")
            expect(done.device["rdma_recvs"] == operations, "not an immediate for each")
            expect(done.device["sent_pkts"] * PACKET_BYTES >= operations * size, "the device didn't carry it all")
            expect(100 < tcp < 1024, "TCP didn't carry names, or more than that")
            small_only(done)


@scenario(seconds=200)
def one_round_trip():
    """10,000 warm operations: a request, a reply and a post each; nothing is registered."""
    operations = 5000
    with cluster() as (owner, contact):
        nfsload("--size=16K", "--file-size=8M", "--write", "--verify", "--depth=16")  # warm
        for direction, procedure in ([["--read"], "READ"], [["--write", "--existing"], "WRITE"]):
            counting = Counting(owner, contact)
            nfsload("--size=16K", "--file-size=8M", "--pattern=rand", "--depth=16", f"--ops={operations}", *direction)
            done = counting.done()
            requests = done.owner["rpcs"][procedure]
            others = {name for name, number in done.owner["rpcs"].items() if number > FEW} - {procedure, *MEANWHILE}
            say(f"{procedure}: {requests} requests, {done.posts} posts, {done.registrations} registrations")
            expect(requests == operations and not others, f"not one request for each: {done.owner['rpcs']}")
            unanswered = done.contact["calls_sent"] - done.contact["replies_received"]
            expect(abs(unanswered) <= 1, f"{unanswered} requests without a reply")  # a PING may be under way
            expect(done.posts == operations, "not a post for each")
            expect(done.registrations == 0, "memory was registered")
            small_only(done)


@scenario(seconds=120)
def exhausted():
    """More is under way than there are slots: what finds none goes inline, and no receive is ever missing."""
    with cluster(options="Small_Slots = 16; Large_Slots = 4;") as (owner, contact):
        counting = Counting(owner, contact)
        for size in "16K", "1M":
            nfsload(f"--size={size}", "--file-size=32M", "--conns=2", "--depth=32", "--write", "--read", "--verify")
        done = counting.done()
        say(f"{done.contact['slot_writes'] + done.contact['slot_reads']} in slots, inline {done.contact['inline']}")
        expect(done.contact["inline"].get("exhausted", 0) > 0, "there were slots for all")
        expect(done.contact["slot_writes"] > 0 and done.contact["slot_reads"] > 0, "slots weren't used")
        for name in "rcvd_rnr_err", "send_rnr_err":
            expect(done.device[name] == 0, f"{name} rose by {done.device[name]}")
        expect(by_verbs(contact) and contact.says(FALLEN_BACK) == 0, "the data path was lost")


# --- what breaks -------------------------------------------------------------------------------------


@scenario(seconds=120)
def owner_killed():
    """Under load: clients wait and go on, and so do queue pairs."""
    with cluster() as (owner, contact), mounted("3") as three, mounted("4.1") as four:
        with write_under_way(three, four) as load:
            for _ in range(3):
                load.goes_on()
                owner.kill()
                owner.start()
                wait_until("there are queue pairs again", lambda: by_verbs(contact))
            counting = Counting(owner, contact)
            load.goes_on()
            small_only(counting.done())


@scenario(seconds=120)
def device_removed():
    """Under load: inline without it, said once; by verbs again when it is back."""
    with cluster() as (owner, contact), mounted("3") as three, mounted("4.1") as four:
        with write_under_way(three, four) as load:
            load.goes_on()
            with device_away():
                load.goes_on()
                expect(not by_verbs(contact) and not by_verbs(owner), "there is a data path without a device")
                wait_until("it is said", lambda: contact.says(FALLEN_BACK))
                expect(contact.says(FALLEN_BACK) == 1, f"it isn't said once, but {contact.says(FALLEN_BACK)} times")
            wait_until("there are queue pairs again", lambda: by_verbs(contact))
            load.goes_on()
            expect(hardware_counter("rdma_recvs") > 0, "the new device isn't used")
        expect(contact.says(BACK) == 1, f"it isn't said once, but {contact.says(BACK)} times")


def goes_inline(owner, contact):
    """Without a data path, which is said once."""
    pairs = owner.session().get("path", {}).get("queue_pairs")
    expect(contact.path() is None and not pairs, f"the path is {contact.path()}, {pairs}")
    with mounted("3") as mount:
        copy_all(mount)
    expect(contact.says(FALLEN_BACK) == 1, f"it isn't said once, but {contact.says(FALLEN_BACK)} times")


def names_limit(node):
    """One line says what is needed, and where to write it."""
    lines = [line for line in node.log().splitlines() if "LimitMEMLOCK" in line]
    expect(len(lines) == 1, f"{node.name} doesn't say it once, but {len(lines)} times")
    needed = re.search(r"LimitMEMLOCK=(\d+)K", lines[0])
    expect(needed and int(needed[1]) > LIMIT_KIB, f"it doesn't name the limit that is needed: {lines[0]}")
    expect("limits.conf" in lines[0], f"it doesn't name limits.conf: {lines[0]}")


@scenario()
def memlock_owner():
    owner, contact = Owner(prefix=pinning_limited(LIMIT_KIB)), Contact(path=KIND)
    with running(owner, contact):
        goes_inline(owner, contact)
        names_limit(owner)


@scenario()
def memlock_contact():
    owner, contact = Owner(), Contact(path=KIND, prefix=pinning_limited(LIMIT_KIB))
    with running(owner, contact):
        goes_inline(owner, contact)
        names_limit(contact)


@scenario()
def peer_without_device():
    """The owner is where no device is."""
    with apart() as (prefix, its_address, our_address):
        owner = Owner(prefix=prefix, contact=our_address)
        contact = Contact(path="auto", owner=f"{its_address}:{OWNER_PORT}")
        with running(owner, contact):
            goes_inline(owner, contact)
            expect(owner.says("no RDMA device") == 1, "the owner doesn't say why")


@scenario(guests=2)
def other_mtu(peer):
    """Large packets would be lost: said once, and inline goes on."""
    peer.Task("ip", "link", "set", INTERFACE, "mtu", SMALL_MTU).wait()
    try:
        owner, contact = peer.Owner(), Contact(path=KIND)
        with running(owner, contact):
            wait_until("it is said", lambda: contact.says(FALLEN_BACK))
            with mounted("3") as mount:
                compare(mount, owner, "file")
            expect(contact.says("give both the same") == 1, "the point of contact doesn't say what to do")
            expect(owner.says("give both the same MTU") == 1, "the owner doesn't say what to do")
    finally:
        peer.Task("ip", "link", "set", INTERFACE, "mtu", MTU).wait()


@scenario(seconds=120)
def two_devices():
    """Lanes are spread over them, and all go by one of them when the other fails."""
    with second_device() as second, cluster() as (_, contact):
        expect(devices_of(contact) == {DEVICE, second}, f"the lanes are on {devices_of(contact)}")
        with mounted("4.1") as mount, write_under_way(mount) as load:
            load.goes_on()
            run("rdma", "link", "delete", second)
            wait_until("the lanes are on the device that is left", lambda: devices_of(contact) == {DEVICE})
            load.goes_on()
        with mounted("3") as mount:
            copy_all(mount)


@scenario(guests=2, seconds=120)
def captured(peer):
    """The counters tell the truth: as many requests, replies and announced writes are on the network."""
    operations, size = 200, 16384
    with cluster(owner=peer.Owner()):
        nfsload(f"--size={size}", "--file-size=2M", "--write", "--verify")  # warm
        for direction in ["--write", "--existing"], ["--read"]:
            with capturing() as done:
                nfsload(f"--size={size}", "--file-size=2M", "--depth=1", "--pattern=rand", f"--ops={operations}", *direction)
                found = done()
            say(f"{direction[0]}: {found.requests} requests, {found.replies} replies, {found.immediates} immediates in "
                f"{found.packets} packets")
            expect(found.immediates >= operations, "not an immediate for each")  # lost ones are sent again
            expect(operations <= found.requests <= operations + FEW + QUIET, "not a request for each")
            expect(abs(found.requests - found.replies) <= QUIET, "not a reply for each")
            expect(found.packets * PACKET_BYTES >= operations * size, "the device didn't carry it all")


@scenario(guests=2, seconds=150)
def packets_lost(peer):
    """The network carries TCP only: nothing fails, what waits goes inline, and queue pairs come back with their packets."""
    owner = peer.Owner()
    with cluster(owner=owner) as (_, contact), mounted("3") as three:
        with write_under_way(three, volume=None) as load:
            load.goes_on()
            with without_udp():
                load.goes_on()
                wait_until("it is said", lambda: contact.says(FALLEN_BACK))
                load.goes_on()
            wait_until("there are queue pairs again", lambda: by_verbs(contact), seconds=60)
            load.goes_on()
