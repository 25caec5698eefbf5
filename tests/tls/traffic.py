# SPDX-License-Identifier: LGPL-3.0-or-later
# traffic.py -- CONNECTIONS LIVES TURNS: clients of all kinds come, write and read with all versions, and go
from clients import ARGUMENTS, File, at_once, client_of, identity

CONNECTIONS, LIVES, TURNS = map(int, ARGUMENTS)
KINDS = ("openssl", "gnutls", "openssl", "plain")


def work(number, chance):
    for life in range(LIVES):
        certificate = identity("client") if (number + life) % 3 == 0 else ()
        file = File(client_of(KINDS[(number + life) % len(KINDS)], certificate), b"traffic%d" % number)
        for _ in range(TURNS):
            file.turn(chance)
        file.close()


at_once(CONNECTIONS, work)
kinds = [KINDS[(number + life) % len(KINDS)] for number in range(CONNECTIONS) for life in range(LIVES)]
print(f"{len(kinds)} connections, {CONNECTIONS} at a time: " + ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(KINDS)))
