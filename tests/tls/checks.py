# SPDX-License-Identifier: LGPL-3.0-or-later
# checks.py -- what RFC 9289 asks of the server, and what no client may get by breaking its rules
import random
import socket
import ssl
import struct

from clients import ADDRESS, CA, MNT_PORT, MOUNT, NFS, NFS_PORT, TUNNEL, WORK, File, client_of, connection, fail, identity
from nfs3 import NFS_PROGRAM
from rpctls import STARTTLS, Client, Stream, accepted, ask, connect, opaque, question, receive_record, record

BADCRED, BADVERF = 1, 3
MARK = 0x4D4D4D4D  # the xid of calls that must not be served
CHANCE = random.Random(9289)
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(what, got, wanted):
    if got != wanted:
        fail(f"{what}: {got!r} instead of {wanted!r}")


def rejected(status, xid=0x7105):
    return struct.pack(">IIIII", xid, 1, 1, 1, status)


def null(xid):
    """A call of NFS's procedure 0, in cleartext."""
    return record(struct.pack(">IIIIII", xid, 0, 2, *NFS, 0) + opaque(0, b"") + opaque(0, b""))


def null_answer(xid):
    return accepted(xid, b"")


def asked():
    """A connection that was told to begin."""
    wire = connect(ADDRESS, NFS_PORT)
    ask(wire, *NFS)
    return wire


def shaken(**options):
    return Stream(asked(), Client(CA, ADDRESS).context(**options), ADDRESS).shake()


def expect_closed(wire, what):
    """Nothing that is RPC comes any more, but the end; it may take as long as a handshake may."""
    wire.settimeout(30)
    try:
        while data := wire.recv(1 << 16):
            if STARTTLS in data or null_answer(MARK) in data:
                fail(f"{what}: {data!r} is answered")
    except (ConnectionError, ssl.SSLError):
        pass
    except TimeoutError:
        fail(f"{what}: the connection isn't closed")
    wire.close()


def expect_refused(what, act):
    """TLS is refused; a client of TLS 1.3 may hear of it only when it waits for an answer."""
    try:
        stream = act()
        stream.sendall(null(1))
        answer = stream.recv(1)
    except (ssl.SSLError, ConnectionError):
        return
    if answer:
        fail(f"{what}: the server doesn't mind")


def expect_service(stream, xid=77):
    stream.sendall(null(xid))
    equal("the answer", receive_record(stream), null_answer(xid))


# --- the question ---


@check
def questions_are_answered_as_rfc_9289_says():
    for port, program in ((NFS_PORT, NFS), (NFS_PORT, (100003, 4)), (MNT_PORT, MOUNT)):
        for options, answer in (({"cred": b"1234"}, rejected(BADCRED)), ({"procedure": 1}, rejected(BADCRED)),
                                ({"verf": (0, b"1234")}, rejected(BADVERF)), ({"verf": (1, b"")}, rejected(BADVERF)),
                                ({}, accepted())):
            wire = connect(ADDRESS, port)
            wire.sendall(question(*program, **options))
            equal(f"{options} at {port}", receive_record(wire), answer)
            wire.close()


@check
def cleartext_goes_on_behind_a_question_that_was_refused():
    wire = connect(ADDRESS, NFS_PORT)
    for xid in range(3):
        wire.sendall(question(*NFS, procedure=1) + null(xid))
        got = {receive_record(wire), receive_record(wire)}
        equal("the answers", got, {rejected(BADCRED), null_answer(xid)})
    ask(wire, *NFS)
    expect_service(Stream(wire, Client(CA, ADDRESS).context(), ADDRESS).shake())
    wire.close()


@check
def tls_connections_do_not_begin_again():
    stream = shaken()
    for xid in range(3):
        stream.sendall(question(*NFS))
        equal("the second question", receive_record(stream), rejected(BADCRED))
        expect_service(stream, xid)
    stream.close()


# --- the handshake ---


@check
def sunrpc_is_selected_others_are_refused_and_none_is_accepted():
    stream = shaken(alpn=("h2", "sunrpc"))
    equal("the protocol", stream.tls.selected_alpn_protocol(), "sunrpc")
    expect_service(stream)
    stream = shaken(alpn=())
    equal("the protocol", stream.tls.selected_alpn_protocol(), None)
    expect_service(stream)
    expect_refused("h2 alone", lambda: shaken(alpn=("h2",)))


@check
def versions_before_tls_1_3_are_refused():
    def old():
        context = Client(CA, ADDRESS).context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        return Stream(asked(), context, ADDRESS).shake()
    expect_refused("TLS 1.2", old)


@check
def bad_client_certificates_are_refused_and_good_ones_are_not():
    for name, folder in (("expired", "certs"), ("revoked", "certs"), ("client", "others")):
        # GnuTLS doesn't show what isn't of an authority that the server names.
        for tunnel in (None, TUNNEL) if folder == "certs" else (None,):
            client = Client(CA, ADDRESS, identity(name, folder), tunnel)
            expect_refused(f"{folder}/{name}, {tunnel}", lambda client=client: client.start(connect(ADDRESS, NFS_PORT), *NFS))
    for kind in ("openssl", "gnutls"):
        file = File(client_of(kind, identity("client")), b"good")
        file.turn(CHANCE)
        file.close()


@check
def clients_see_that_the_certificate_is_the_servers():
    for ca, host in ((f"{WORK}/others/ca.pem", ADDRESS), (CA, "192.0.2.99")):
        try:
            Client(ca, host).start(connect(ADDRESS, NFS_PORT), *NFS)
        except ssl.SSLCertVerificationError:
            continue
        fail(f"the certificate is {host}'s and of {ca}")


@check
def a_handshake_may_come_byte_by_byte():
    class Slow:
        def __init__(self, wire):
            self.wire, self.recv = wire, wire.recv

        def sendall(self, data):
            for byte in data:
                self.wire.sendall(bytes([byte]))
    wire = asked()
    stream = Stream(Slow(wire), Client(CA, ADDRESS).context(), ADDRESS).shake()
    stream.sendall(null(5) + null(6))
    equal("the answers", {receive_record(stream), receive_record(stream)}, {null_answer(5), null_answer(6)})
    wire.close()


@check
def a_handshake_that_never_ends_is_ended():
    hello = Stream(None, Client(CA, ADDRESS).context(), ADDRESS)
    try:
        hello.tls.do_handshake()
    except ssl.SSLWantReadError:
        hello = hello.outgoing.read()
    for part in (b"", hello[:1], hello[:4], hello[:5], hello[:-1], hello):
        wire = asked()
        wire.sendall(part)
        expect_closed(wire, f"{len(part)} bytes of a ClientHello and no more")


@check
def connections_may_be_cut_anywhere():
    for cut in range(1, 1600, 97):
        wire = asked()

        class Cut:
            left = cut

            def sendall(self, data):
                wire.sendall(data[:self.left])
                self.left -= len(data)
                if self.left <= 0:
                    raise ConnectionError

            def recv(self, count):
                return wire.recv(count)
        try:
            stream = Stream(Cut(), Client(CA, ADDRESS, identity("client")).context(), ADDRESS).shake()
            stream.sendall(null(1))
        except ConnectionError:
            pass
        if cut % 2:  # by RST
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.close()
    expect_service(shaken())


# --- what isn't TLS ---


@check
def cleartext_behind_starttls_is_not_served():
    for data in (null(MARK), question(*NFS, xid=MARK), null(MARK) * 100):
        wire = asked()
        wire.sendall(data)
        expect_closed(wire, "cleartext behind STARTTLS")


@check
def garbage_behind_starttls_ends_the_connection():
    for size in (1, 5, 6, 100, 20000):
        wire = asked()
        try:
            wire.sendall(CHANCE.randbytes(size))
        except ConnectionError:
            pass
        expect_closed(wire, f"{size} bytes of garbage")
    for header in (b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x00", b"\x17\x03\x03\x00\x10", b"\x15\x03\x03\x00\x02\x02\x28",
                   b"\x14\x03\x03\x00\x01\x01", b"\x80\x00\x00\x28"):
        wire = asked()
        try:
            wire.sendall(header + bytes(64))
        except ConnectionError:
            pass
        expect_closed(wire, f"a record that begins with {header.hex()}")


@check
def nothing_of_before_is_a_part_of_what_comes_by_tls():
    """Who is on the way could send the first half of a record behind the client's question: the client's own bytes would end
    it. And whole records are served in cleartext, or not at all."""
    half = struct.pack(">I", 0x80000000 | 40) + null(MARK)[4:24]
    for data in (half, half[:4], half[:2], null(MARK)[:-1], null(MARK) + half):
        for _ in range(10):
            wire = connect(ADDRESS, NFS_PORT)
            wire.sendall(question(*NFS) + data)
            try:
                stream = Stream(wire, Client(CA, ADDRESS).context(), ADDRESS)
                receive_record(wire)
                stream.shake()
                stream.sendall(null(MARK)[24:])
                stream.wire.settimeout(1)
                if stream.recv(1):
                    fail(f"{data!r} in cleartext is a part of what TLS carries")
            except (ConnectionError, ssl.SSLError, TimeoutError):
                pass
            wire.close()


# --- data ---


@check
def requests_may_follow_the_finished_at_once():
    for count in (1, 2, 50):
        wire = asked()
        stream = Stream(wire, Client(CA, ADDRESS, identity("client")).context(), ADDRESS)

        def together():
            for xid in range(count):
                stream.tls.write(null(xid))
            stream.flush()
        stream.shake(last=together)
        got = {receive_record(stream) for _ in range(count)}
        equal("the answers", got, {null_answer(xid) for xid in range(count)})
        stream.close()


@check
def requests_may_be_cut_into_tls_records_anyhow():
    stream = shaken()
    for size in (1, 2, 3, 5, 7, 43):
        data = b"".join(null(xid) for xid in range(4))
        for at in range(0, len(data), size):
            stream.tls.write(data[at:at + size])
        stream.flush()
        got = {receive_record(stream) for _ in range(4)}
        equal("the answers", got, {null_answer(xid) for xid in range(4)})
    for byte in null(9):
        stream.sendall(bytes([byte]))
    equal("the answer", receive_record(stream), null_answer(9))
    stream.close()


@check
def a_record_that_was_changed_ends_the_connection():
    stream = shaken()
    stream.tls.write(null(1))
    data = bytearray(stream.outgoing.read())
    data[-1] ^= 1
    stream.wire.sendall(data)
    expect_closed(stream, "a forged record")


@check
def who_ends_one_direction_hears_the_goodbye_in_the_other():
    for kind in ("openssl", "gnutls"):
        wire = connection(client_of(kind))
        wire.call(NFS_PROGRAM, "NULL", None)
        wire.socket.finish()
        equal(f"{kind}: what comes then", wire.socket.recv(1), b"")
        if kind == "gnutls":
            equal("GnuTLS", wire.socket.outcome()[0], 0)
        wire.close()


@check
def ganesha_says_goodbye_when_it_ends_a_connection():
    stream = shaken()
    expect_service(stream)
    stream.sendall(struct.pack(">I", 0x80000000))  # a record of no bytes: libntirpc ends the connection
    equal("what comes then", stream.recv(1), b"")
    stream.close()


for function in CHECKS:
    print(f"   {function.__name__.replace('_', ' ')}", flush=True)
    function()
