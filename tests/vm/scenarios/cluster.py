# SPDX-License-Identifier: LGPL-3.0-or-later
# cluster.py -- an owner and a Ganesha on this kernel, and its own NFS client
from files import copy_all, write_under_way
from guest import Contact, Owner, expect, mounted, running, say, wait_until
from scenarios import scenario

VERSIONS = ("3", "4.1")


@scenario()
def tcp():
    """By TCP without a data path: all payload goes inline."""
    owner, contact = Owner(), Contact(path="inline")
    with running(owner, contact):
        for version in VERSIONS:
            say(f"v{version}")
            with mounted(version) as mount:
                copy_all(mount)
        counters = contact.status()["counters"]
    expect(counters["slot_writes"] == counters["slot_reads"] == 0, f"payload went through slots: {counters}")


@scenario()
def shared_memory():
    owner = Owner()
    contact = Contact(path="shm", address=owner.socket)
    with running(owner, contact):
        expect(contact.path() == owner.path() == "shm", f"the path is {contact.path()}, {owner.path()}")
        with mounted("4.1") as mount:
            copy_all(mount)
        counters = contact.status()["counters"]
    expect(counters["slot_writes"] > 0 and counters["slot_reads"] > 0, f"payload didn't go through slots: {counters}")


@scenario(seconds=120)
def owner_killed():
    """Clients wait for the owner and go on."""
    owner, contact = Owner(), Contact(path="inline")
    with running(owner, contact), mounted("3") as three, mounted("4.1") as four:
        with write_under_way(three, four) as load:
            for _ in range(2):
                load.goes_on()
                owner.kill()
                owner.start()
                wait_until("the session is back", lambda: contact.session().get("state") == "up")
            load.goes_on()
