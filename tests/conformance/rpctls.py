# SPDX-License-Identifier: LGPL-3.0-or-later
# rpctls.py -- RPC-with-TLS (RFC 9289) for a client: STARTTLS, and TLS by OpenSSL or by GnuTLS
"""A Client knows its certificate and whom it trusts; client.start(socket, program, version) asks for STARTTLS and shakes
hands; what it returns takes the socket's place. Stream is TLS by Python's ssl module, for those who want to say which bytes
leave when; Tunnel is a program of its own, tests/tls/gnutls_tunnel."""

import os
import socket
import ssl
import struct
import subprocess

AUTH_TLS = 7
STARTTLS = b"STARTTLS"


class Refused(Exception):
    """The server has answered the question for TLS otherwise than by STARTTLS."""


def receive(wire, count):
    data = b""
    while len(data) < count:
        piece = wire.recv(count - len(data))
        if not piece:
            raise ConnectionError("the server has closed the connection")
        data += piece
    return data


def record(body):
    return struct.pack(">I", 0x80000000 | len(body)) + body


def receive_record(wire):
    return receive(wire, struct.unpack(">I", receive(wire, 4))[0] & 0x7FFFFFFF)


def opaque(flavor, body):
    return struct.pack(">II", flavor, len(body)) + body + bytes(-len(body) % 4)


def question(program, version, xid=0x7105, procedure=0, cred=b"", verf=(0, b"")):
    """The record that asks for TLS."""
    return record(struct.pack(">IIIIII", xid, 0, 2, program, version, procedure) + opaque(AUTH_TLS, cred) + opaque(*verf))


def accepted(xid=0x7105, verf=STARTTLS):
    """What is answered, without the record's mark."""
    return struct.pack(">III", xid, 1, 0) + opaque(0, verf) + struct.pack(">I", 0)


def ask(wire, program, version):
    wire.sendall(question(program, version))
    answer = receive_record(wire)
    if answer != accepted():
        raise Refused(answer.hex())


class Stream:
    """TLS by OpenSSL on a connected socket. What it wants to send is in self.outgoing until flush()."""

    def __init__(self, wire, context, host):
        self.wire = wire
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)

    def flush(self):
        self.wire.sendall(self.outgoing.read())

    def feed(self):
        """Takes what the peer has sent."""
        data = self.wire.recv(1 << 16)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def shake(self, last=None):
        """last: what to do instead of sending our last flight, the Finished, at once."""
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.feed()
        (last or self.flush)()
        return self

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view):]
        self.flush()

    def recv(self, count):
        """b"": the peer has said that nothing follows. SSLEOFError: it went without saying so."""
        while True:
            try:
                return self.tls.read(count)
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLWantReadError:
                self.feed()

    def finish(self):
        """Says that nothing follows, and ends that direction of the connection."""
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # the peer's goodbye isn't there yet
        self.flush()
        self.wire.shutdown(socket.SHUT_WR)

    def settimeout(self, seconds):
        self.wire.settimeout(seconds)

    def close(self):
        self.wire.close()


class Tunnel:
    """TLS by another program, which has the connection and the other end of a socket pair."""

    def __init__(self, wire, program, ca, host, identity):
        self.plain, other = socket.socketpair()
        wire.setblocking(True)
        self.process = subprocess.Popen(
            [program, str(wire.fileno()), str(other.fileno()), ca, host, *identity],
            pass_fds=[wire.fileno(), other.fileno()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.sendall, self.recv = self.plain.sendall, self.plain.recv
        other.close()
        wire.close()

    def settimeout(self, seconds):
        self.plain.settimeout(seconds)

    def finish(self):
        self.plain.shutdown(socket.SHUT_WR)

    def order(self, letter):
        """As the program knows them; what is sent from now on goes out behind that."""
        os.write(self.process.stdin.fileno(), letter)
        if os.read(self.process.stdout.fileno(), 1) != letter:
            raise ConnectionError(f"it has ended instead: {self.outcome()}")

    def outcome(self):
        """Its exit status and what it has said."""
        said = self.process.stderr.read().decode()
        return self.process.wait(), said

    def close(self):
        self.plain.close()
        self.process.terminate()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


class Client:
    """ca: a file; identity: none, or certificate's and key's file; tunnel: the program that does TLS instead of OpenSSL."""

    def __init__(self, ca, host, identity=(), tunnel=None):
        self.ca, self.host, self.identity, self.tunnel = ca, host, tuple(identity), tunnel

    def context(self, alpn=("sunrpc",)):
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.ca)
        if self.identity:
            context.load_cert_chain(*self.identity)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def start(self, wire, program, version):
        ask(wire, program, version)
        if self.tunnel:
            return Tunnel(wire, self.tunnel, self.ca, self.host, self.identity)
        return Stream(wire, self.context(), self.host).shake()


def connect(host, port, timeout=30):
    wire = socket.create_connection((host, port), timeout)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire
