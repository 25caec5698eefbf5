# SPDX-License-Identifier: LGPL-3.0-or-later
# pair.py -- two guests: this one is the point of contact, the other one the owner
import hashlib

from files import content
from guest import OWNER, Contact, expect, forget_pages, mounted, running
from scenarios import scenario
from scenarios.devices import PINGS, pinging

FILE_BYTES = 8 << 20


@scenario(guests=2)
def rping(peer):
    server = peer.Task("rping", "-s", "-a", OWNER, "-C", PINGS)
    pinging(OWNER, "-C", PINGS).wait()
    server.wait()


@scenario(guests=2)
def cluster(peer):
    owner, contact = peer.Owner(), Contact(path="inline")
    with running(owner, contact):
        for version in "3", "4.1":
            with mounted(version) as mount:
                compare(mount, owner, f"file-{version}")


def compare(mount, owner, name):
    """A file that is written, read back from the server, and found at the owner."""
    data = content(FILE_BYTES, name)
    (mount / name).write_bytes(data)
    forget_pages()
    expect((mount / name).read_bytes() == data, f"{name} comes back with other bytes")
    expect(owner.sha256(name) == hashlib.sha256(data).hexdigest(), f"{name} has other bytes at the owner")
