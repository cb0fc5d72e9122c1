"""globus-streams-gateway: the bytes that go through its access points."""

import concurrent.futures
import fcntl
import hashlib
import os
import resource
import socket
import struct
import termios
import threading
import time

import pytest

from gateway_lab import call, echo, receive, receive_all, reset, through, wait_for


def unsent(sock):
    """Bytes that the other end's kernel has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


def test_bytes_go_both_ways(ends):
    for a, b in (ends, ends[::-1]):
        for size in (1, 100, 65536):
            data = os.urandom(size)
            a.sendall(data)
            assert receive(b, size) == data


@pytest.mark.parametrize("first", [0, 1])
def test_half_close(ends, first):
    one, other = ends[first], ends[1 - first]
    one.sendall(b"question")
    one.shutdown(socket.SHUT_WR)
    assert receive_all(other) == b"question"
    time.sleep(0.05)  # the open half stays open
    other.sendall(b"answer")
    assert receive(one, 6) == b"answer"
    other.sendall(b" and more")
    other.shutdown(socket.SHUT_WR)
    assert receive_all(one) == b" and more"


def test_plain_caller_may_be_done_before_the_listener_is_called(gateway, listen):
    listener = listen()
    tunnel = through(gateway, listener, secured=False)
    with socket.create_connection(tunnel.contact, timeout=20) as caller:
        caller.sendall(b"all I have to say")
        caller.shutdown(socket.SHUT_WR)
        with listener.accept() as answerer:
            assert receive_all(answerer) == b"all I have to say"
            answerer.sendall(b"heard")
            answerer.shutdown(socket.SHUT_WR)
            assert receive_all(caller) == b"heard"


@pytest.mark.parametrize("first", [0, 1])
def test_reset_reaches_the_other_end(ends, first):
    one, other = ends[first], ends[1 - first]
    reset(one)
    with pytest.raises(ConnectionResetError):
        other.recv(1)


@pytest.mark.parametrize("first", [0, 1])
def test_what_was_sent_before_a_reset_arrives(ends, first):
    one, other = ends[first], ends[1 - first]
    other.sendall(b"unread, so that close() makes a RST")
    wait_for(lambda: not unsent(other))
    data = os.urandom(300000)
    got = bytearray()

    def read():
        with pytest.raises(ConnectionResetError):
            while piece := other.recv(1 << 20):
                got.extend(piece)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        one.sendall(data)
        wait_for(lambda: not unsent(one))
        one.close()
        reading.result()
    assert got == data


@pytest.mark.parametrize("first", [0, 1])
def test_reset_after_a_half_close(ends, first):
    one, other = ends[first], ends[1 - first]
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    reset(one)

    def broken():
        try:
            other.sendall(b"x")
        except OSError:
            return True
    wait_for(broken)


def test_a_slow_reader_holds_the_writer_back(ends):
    one, other = ends
    one.settimeout(1)
    sent = 0
    with pytest.raises(socket.timeout):
        while True:
            sent += one.send(b"z" * 65536)
            assert sent < 64 << 20
    one.setblocking(True)
    got = 0
    while got < sent:
        got += len(other.recv(1 << 20))
    one.sendall(b"end")
    assert receive(other, 3) == b"end"


@pytest.mark.parametrize("direction", ["there", "back"])
def test_a_gibibyte(ends, direction):
    source, sink = ends if direction == "there" else ends[::-1]
    block = os.urandom(1 << 20)
    digest = hashlib.sha256(block * 1024).digest()

    def send():
        for _ in range(1024):
            source.sendall(block)
        source.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    got, buffer = hashlib.sha256(), bytearray(1 << 20)
    while count := sink.recv_into(buffer):
        got.update(memoryview(buffer)[:count])
    sender.join()
    assert got.digest() == digest


def test_a_thousand_connections_at_once(gateway, listen):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 8192:
        pytest.skip("needs 8192 descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    listener = listen(echo)
    tunnel = through(gateway, listener)
    try:
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            socks = list(pool.map(lambda _: call(tunnel, 60), range(1000)))
            sizes = [1 + 37 * i % 5000 for i in range(1000)]
            data = [os.urandom(size) for size in sizes]
            for _ in range(2):
                for sock, piece in zip(socks, data):
                    sock.sendall(piece)
                for sock, piece in zip(socks, data):
                    assert receive(sock, len(piece)) == piece
            # all are idle: two descriptors each, and no pipe beyond the few that are kept
            count = len(os.listdir(f"/proc/{gateway.process.pid}/fd"))
            assert 2000 < count < 2000 + 200
            for sock in socks:
                sock.close()
        wait_for(lambda: len(os.listdir(f"/proc/{gateway.process.pid}/fd")) < 200)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections_cost_no_time(ends, gateway):
    def ticks():
        fields = open(f"/proc/{gateway.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(1)
    assert ticks() - before <= 1
