"""Access points that are not what they should be, each a small server on loopback."""

import hashlib
import hmac
import os
import socket
import struct
import threading

MAGIC = b"GSL1"
HELLO, CHALLENGE, RESPONSE, STATUS = 1, 2, 3, 4


class OddGateway:
    """Takes connections and gives each to `behave`, in a thread; `calls` counts them."""

    def __init__(self, behave):
        self.behave, self.calls = behave, 0
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.accept_all, daemon=True)]
        self.threads[0].start()

    def accept_all(self):
        while True:
            try:
                connection = self.server.accept()[0]
            except OSError:
                return
            self.calls += 1
            thread = threading.Thread(target=self.serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def serve(self, connection):
        with connection:
            try:
                self.behave(self, connection)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.set()
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for thread in self.threads:
            thread.join(5)
            assert not thread.is_alive()


class BlackHole:
    """A port whose queue is full: what else calls is not answered at all."""

    def __init__(self):
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(0)
        self.port = self.server.getsockname()[1]
        self.fillers = []

    def __enter__(self):
        while True:
            filler = socket.socket()
            self.fillers.append(filler)
            filler.settimeout(0.3)
            try:
                filler.connect(("127.0.0.1", self.port))
            except socket.timeout:
                return self

    def __exit__(self, *_):
        for filler in self.fillers:
            filler.close()
        self.server.close()


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        block = connection.recv(size - len(data))
        if not block:
            raise OSError("closed")
        data += block
    return data


def header(kind, code=0, version=1):
    return MAGIC + struct.pack(">BBH", kind, version, code)


def closes_at_once(_, connection):
    """Nothing to be done: leaving closes it."""


def closes_after_hello(_, connection):
    read_exactly(connection, 56)


def resets(_, connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def speaks_http(_, connection):
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def speaks_random(_, connection):
    connection.sendall(os.urandom(4096))


def is_silent(gateway, connection):
    gateway.done.wait(60)


def stops_half_way(gateway, connection):
    read_exactly(connection, 56)
    connection.sendall((header(CHALLENGE) + os.urandom(32))[:20])
    gateway.done.wait(60)


def refuses(code):
    """Answers HELLO with this STATUS code."""
    def behave(_, connection):
        read_exactly(connection, 56)
        connection.sendall(header(STATUS, code))
    return behave


def holds(secret):
    """An honest answerer with this secret, right or wrong; then it sends what it receives back."""
    def mac(label, *frames):
        return hmac.new(secret.encode(), label + b"\0" + b"".join(frames), hashlib.sha256).digest()

    def behave(_, connection):
        hello = read_exactly(connection, 56)
        challenge = header(CHALLENGE) + os.urandom(32)
        connection.sendall(challenge)
        response = read_exactly(connection, 40)
        ok = header(STATUS)
        connection.sendall(ok + mac(b"globus-streams lan-auth v1 answerer", hello, challenge, response, ok))
        while data := connection.recv(65536):
            connection.sendall(data)
    return behave
