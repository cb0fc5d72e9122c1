"""Sockets and servers that are used in ways that few think of."""

import ctypes
import os
import socket
import struct
import time

import pytest

from lab import BOTH_SPEEDS, LOOPBACK, PYTHON, RUN, change_conf, wait_listening, warnings
from processes import wait_for
from sockets_lab import SELECT_SERVER

pytestmark = BOTH_SPEEDS


CALL = """
import socket, sys
def call(prepare=lambda made: None):
    made = socket.socket()
    prepare(made)
    made.settimeout(15)
    made.connect((sys.argv[1], int(sys.argv[2])))
    return made
def ask(made, text=b"question"):
    made.sendall(text)
    got = made.recv(100)
    assert got == text, got
"""


def caller(tunnel, code, **options):
    return tunnel.call(PYTHON, "-c", CALL + code, tunnel.name, tunnel.fake_port, **options)


@pytest.mark.parametrize("stranger", ["goes at once", "says nothing", "talks"])
def test_stranger_at_a_server_that_selects(tunnel, stranger):
    """Its listening socket blocks: a stranger wakes select(), and accept() must not take the loop away
    from those who are served already."""
    there = tunnel.listen(PYTHON, "-c", SELECT_SERVER, tunnel.port, "3")
    here = caller(tunnel, "made = call(); ask(made); print('answered', flush=True)\n"
                          "input(); ask(made); ask(made)\n", stdin="open")
    wait_for("the first answer", lambda: "answered" in here.out)
    with socket.create_connection((LOOPBACK, tunnel.port)) as other:
        if stranger == "goes at once":
            other.close()
        elif stranger == "talks":
            other.sendall(b"GET / HTTP/1.0\r\n\r\n")
        here.process.stdin.write(b"\n")
        here.process.stdin.close()
        here.ok()
    there.ok()


def test_server_that_is_busy(tunnel):
    """Who calls while the server does something else is connected, and waits for its answer."""
    code = ("import socket, sys\n"
            "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
            "first = listener.accept()[0]\n"
            "while first.recv(100): pass\n"  # the first stays until it is told to go
            "second = listener.accept()[0]\n"
            "second.sendall(second.recv(100))\n")
    there = tunnel.listen(PYTHON, "-c", code, tunnel.port)
    first = caller(tunnel, "made = call(); print('connected', flush=True); input()\n", stdin="open")
    wait_for("the first", lambda: "connected" in first.out)
    second = caller(tunnel, "made = call(); print('connected', flush=True); ask(made)\n")
    wait_for("the second, while the server serves the first", lambda: "connected" in second.out, timeout=3)
    first.process.stdin.close()
    second.ok()
    there.ok()


LINGERING_SERVER = """
import socket, struct, sys, threading

LINGER = struct.pack("ii", 1, 20)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
taken = listener.accept()[0]
print(taken.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == LINGER, flush=True)
taken.sendall(taken.recv(100))
"""


def be_deaf(sock):
    """Nothing that comes is seen, nor acknowledged: a filter that keeps no byte (socket(7))."""
    nothing = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("@HP", 1, ctypes.addressof(nothing)))


def test_strangers_at_a_server_that_lingers(tunnel):
    """close() of what a stranger leaves behind would wait for him: nobody else is held up by that, and the
    program's connections have the option."""
    if os.geteuid() != 0:
        pytest.skip("only root may attach such a filter everywhere")
    there = tunnel.listen(PYTHON, "-c", LINGERING_SERVER, tunnel.port)
    strangers = [socket.create_connection((LOOPBACK, tunnel.port)) for _ in range(3)]
    for stranger in strangers:
        be_deaf(stranger)
        stranger.sendall(b"GET / HTTP/1.0" * 20)
    wait_for("the refusal", lambda: "refused a connection" in there.err)
    began = time.monotonic()
    assert caller(tunnel, "ask(call())").wait() == 0
    assert time.monotonic() - began < 5
    assert there.ok() == "True\n"


@pytest.mark.parametrize("option", ["SOL_SOCKET, socket.SO_RCVLOWAT, 1000",
                                    "IPPROTO_TCP, socket.TCP_CORK, 1"])
def test_option_that_would_hold_up_the_handshake(tunnel, option):
    """It is out of the way for that time, and there again afterwards."""
    level, name, value = option.split(", ")
    there = tunnel.listen(PYTHON, "-c", SELECT_SERVER, tunnel.port, "1")
    began = time.monotonic()
    here = caller(tunnel, f"made = call(lambda made: made.setsockopt(socket.{option}))\n"
                          f"print(made.getsockopt(socket.{level}, {name}), flush=True)\n"
                          f"made.setsockopt(socket.{level}, {name}, {0 if 'CORK' in name else 1})\n"
                          "ask(made)\n")
    assert here.ok() == f"{value}\n"
    assert time.monotonic() - began < 5
    there.ok()


def test_multipath_tcp(tunnel):
    """A blocking MPTCP socket is connected as any."""
    there = tunnel.listen(PYTHON, "-c", SELECT_SERVER, tunnel.port, "1")
    here = caller(tunnel, "try: made = socket.socket(proto=262)\n"
                          "except OSError: made = socket.socket()\n"
                          "made.connect((sys.argv[1], int(sys.argv[2])))\n"
                          "ask(made)\n")
    here.ok()
    there.ok()


def test_socket_that_is_connected_already(tunnel):
    """A second connect() is EISCONN and does nothing, whether or not a contact is known."""
    change_conf(tunnel.initiator, tunnel.id, connector_contact_string=None)
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        here = tunnel.call(PYTHON, "-c",
                           "import errno, socket, sys\n"
                           "to = socket.gethostbyname(sys.argv[1]), int(sys.argv[2])\n"
                           f"made = socket.create_connection(('127.0.0.1', {port}))\n"
                           "assert made.connect_ex(to) == errno.EISCONN\n"
                           "made.sendall(b'still there')\n", tunnel.name, tunnel.fake_port)
        taken = other.accept()[0]
        assert here.wait() == 0, here
        assert taken.recv(100) == b"still there"


@pytest.mark.parametrize("mismatch", ["AF_INET6, ipv4", "AF_INET6, ipv4 + bytes(12)", "AF_INET, ipv6"])
def test_address_of_the_other_family(tunnel, mismatch):
    """TCP takes addresses of its socket's own family alone, virtual ones too, and works after that."""
    there = tunnel.listen(PYTHON, "-c", SELECT_SERVER, tunnel.port, "1")
    here = caller(tunnel, "import ctypes, struct\n"
                          "from socket import AF_INET, AF_INET6\n"
                          "libc = ctypes.CDLL(None, use_errno=True)\n"
                          "port = struct.pack('>H', int(sys.argv[2]))\n"
                          "host = socket.inet_aton(socket.gethostbyname(sys.argv[1]))\n"
                          "ipv4 = struct.pack('H', AF_INET) + port + host + bytes(8)\n"
                          "ipv6 = struct.pack('H', AF_INET6) + port + bytes(14) + b'\\xff\\xff' + host + bytes(4)\n"
                          "def refused(where, to):\n"
                          "    with socket.socket(where) as one:\n"
                          "        assert libc.connect(one.fileno(), to, len(to)) == -1\n"
                          "        return ctypes.get_errno()\n"
                          f"family, address = {mismatch}\n"
                          "local = ipv4[:4] + socket.inet_aton('127.0.0.1') + address[8:] if family == AF_INET6 \\\n"
                          "    else address[:20] + socket.inet_aton('127.0.0.1') + bytes(4)\n"
                          "assert refused(family, address) == refused(family, local)\n"
                          "ask(socket.create_connection((sys.argv[1], int(sys.argv[2]))))\n")
    here.ok()
    there.ok()


def test_no_descriptors_left(lab, tunnel):
    """With its table full the supervisor lets nobody past: strangers do not reach the program."""
    server = ("import select, socket, sys\n"
              "listener = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=200)\n"
              "listener.setblocking(False)\n"
              "while True:\n"
              "    select.select([listener], [], [])\n"
              "    try: made = listener.accept()[0]\n"
              "    except OSError: continue\n"
              "    made.setblocking(True)\n"
              "    data = made.recv(100)\n"
              "    print('got', data, flush=True)\n"
              "    if data == b'mine': break\n"
              "    assert not data, data\n")
    words = ["bash", "-c", 'ulimit -n 64; exec "$0" "$@"']
    there = lab.start(*words, RUN, "--base-dir", tunnel.listener, tunnel.id, "--", PYTHON, "-c", server,
                      tunnel.port)
    wait_listening(tunnel.port, there)
    strangers = []
    try:
        for _ in range(120):
            strangers.append(socket.create_connection((LOOPBACK, tunnel.port), timeout=2))
            strangers[-1].sendall(b"not mine")
    except OSError:
        pass  # its queue is full
    finally:
        for stranger in strangers:
            stranger.close()
    code = "made = call(); made.sendall(b'mine'); made.recv(1)\n"
    wait_for("a connection of ours", lambda: caller(tunnel, code).wait() == 0 or not there.running())
    assert there.wait() == 0, there
    assert "not mine" not in there.out
    assert all(line.startswith("globus-streams-run: ") for line in warnings(there))


def test_address_that_was_mapped(lab):
    """--globus-contact may name an address, for programs that are given one."""
    tunnel = lab.tunnel(mapped=["127.0.0.9:8443"])
    there = tunnel.listen(PYTHON, "-c", SELECT_SERVER, tunnel.port, "1")
    here = tunnel.call(PYTHON, "-c", CALL + "made = call(); ask(made)\n", "127.0.0.9", 8443)
    here.ok()
    there.ok()
