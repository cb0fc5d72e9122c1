"""Access points that are down, silent, or something else: the program gets the error that connect() gives
for it, in time, and the user one line that says what is the matter."""

import os
import re
import time
from contextlib import ExitStack

import pytest

import odd_gateways as odd
from lab import PROGRAMS, PYTHON, free_port, one_warning, warnings, write_conf
from odd_gateways import BlackHole, OddGateway

TALK = PROGRAMS / "talk"
SECRET = "e7a1c0ffee5ec2e7d15ea5ed0ddba11c0decafe0123456789abcdef00facade5"
FAKE_PORT = 1234

# behaviour, what connect() says, what the line says
ODD = {
    "closes at once": (odd.closes_at_once, "Connection reset by peer", "clos"),
    "closes after HELLO": (odd.closes_after_hello, "Connection reset by peer", "clos"),
    "resets": (odd.resets, "Connection reset by peer", "reset|clos"),
    "HTTP": (odd.speaks_http, "Protocol error", "speak"),
    "random bytes": (odd.speaks_random, "Protocol error", "speak"),
    "another secret": (odd.holds("another" + SECRET), "Permission denied", "secret"),
    "refused": (odd.refuses(1), "Permission denied", "authentication failed"),
    "unknown key": (odd.refuses(2), "Permission denied", "unknown key"),
    "not active": (odd.refuses(3), "Network is unreachable", "not active"),
    "unreachable": (odd.refuses(4), "Connection refused", "unreachable"),
    "timed out": (odd.refuses(5), "Connection timed out", "timed out"),
    "busy": (odd.refuses(6), "Connection refused", "busy"),
    "version": (odd.refuses(7), "Protocol error", "version"),
}
SILENT = {"silence": odd.is_silent, "half a frame": odd.stops_half_way}
SLOW = 25  # seconds within which a silent peer has to have been given up


@pytest.fixture
def initiator(lab):
    """A conf file for an access point at a port; returns (base folder, tunnel). The services are up, and
    know no such tunnel."""
    def make(port, **values):
        base = lab.folder / "initiator"
        conf = {"lankey": SECRET, "lankey_id": "13fb1936-c8dd-4c6b-9af3-394075c08424",
                "connector_contact_string": f"127.0.0.1:{port}", "update_time": 2 ** 33,
                "connector_contact_string_ttl": 100_000, "fake_port": FAKE_PORT, "lan_auth": "v1"}
        return base, write_conf(base, **(conf | values))
    return make


def calling(lab, base, tunnel):
    return lab.run(base, tunnel, TALK, "call", f"globus.{tunnel}", FAKE_PORT, "question")


def expect_error(lab, base, tunnel, error, line, here=None):
    begin = time.monotonic()
    here = here or calling(lab, base, tunnel)
    assert here.wait(60) == 1, here
    assert time.monotonic() - begin < SLOW
    assert f"talk: connect: {error}\n" in here.err, here
    assert here.out == ""
    one_warning(here, line, tunnel)
    return here


@pytest.mark.parametrize("kind", ODD)
def test_odd(lab, initiator, kind):
    behave, error, line = ODD[kind]
    with OddGateway(behave) as gateway:
        base, tunnel = initiator(gateway.port)
        expect_error(lab, base, tunnel, error, line)
        assert gateway.calls >= 1


def test_down(lab, initiator):
    base, tunnel = initiator(free_port())
    expect_error(lab, base, tunnel, "Connection refused", "refused")


def test_those_that_do_not_answer(lab, initiator):
    """All at once, since each takes its 10 s."""
    with ExitStack() as stack:
        doors = [stack.enter_context(door) for door in (BlackHole(), *map(OddGateway, SILENT.values()))]
        wheres = [initiator(door.port) for door in doors]
        heres = [calling(lab, *where) for where in wheres]
        for where, here in zip(wheres, heres):
            expect_error(lab, *where, "Connection timed out", "time|answer", here)
        assert all(gateway.calls >= 1 for gateway in doors[1:])


def test_the_right_secret(lab, initiator):
    """These servers are good enough to be talked to: what fails above fails for its own reason."""
    with OddGateway(odd.holds(SECRET)) as gateway:
        base, tunnel = initiator(gateway.port)
        here = lab.run(base, tunnel, TALK, "call", f"globus.{tunnel}", FAKE_PORT, "question")
        assert here.ok() == "question"
        assert warnings(here) == []


def test_nothing_of_the_application_reaches_another(lab, initiator):
    """Not one byte of its data is sent to a peer that did not prove itself."""
    heard = []

    def listen(_, connection):
        connection.settimeout(5)
        connection.sendall(odd.header(odd.CHALLENGE) + os.urandom(32))
        while block := connection.recv(4096):
            heard.append(block)
            if len(b"".join(heard)) >= 96:
                connection.sendall(odd.header(odd.STATUS) + bytes(32))
    with OddGateway(listen) as gateway:
        base, tunnel = initiator(gateway.port)
        expect_error(lab, base, tunnel, "Permission denied", "secret")
    assert len(b"".join(heard)) == 56 + 40
    assert b"question" not in b"".join(heard)


def test_a_failure_is_not_for_good(lab, initiator):
    """A program that tries again on a new socket after a refusal gets through, and so it does on the same."""
    answers = iter([odd.refuses(6), odd.refuses(6), odd.holds(SECRET), odd.holds(SECRET)])
    with OddGateway(lambda gateway, connection: next(answers)(gateway, connection)) as gateway:
        base, tunnel = initiator(gateway.port)
        code = ("import socket, sys\n"
                "where = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), type=socket.SOCK_STREAM)[0][4]\n"
                "def attempt(s):\n"
                "    try: s.connect(where)\n"
                "    except OSError as e: return type(e).__name__\n"
                "    s.sendall(b'x'); return s.recv(1).decode()\n"
                "same = socket.socket()\n"
                "print(attempt(same), attempt(socket.socket()), attempt(same), attempt(socket.socket()))\n")
        here = lab.run(base, tunnel, PYTHON, "-c", code, f"globus.{tunnel}", FAKE_PORT)
        assert here.ok() == "ConnectionRefusedError ConnectionRefusedError x x\n", here


def test_asyncio_is_not_held_up(lab, initiator):
    """An event loop goes on turning while an access point is silent: at most 2 s are lost."""
    code = ("import asyncio, sys, time\n"
            "async def main():\n"
            "    worst, last, end = 0, time.monotonic(), asyncio.Event()\n"
            "    async def tick():\n"
            "        nonlocal worst, last\n"
            "        while not end.is_set():\n"
            "            await asyncio.sleep(0.01)\n"
            "            now = time.monotonic(); worst = max(worst, now - last); last = now\n"
            "    ticker = asyncio.create_task(tick())\n"
            "    try: await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))\n"
            "    except OSError as e: print(type(e).__name__)\n"
            "    end.set(); await ticker\n"
            "    print('held up' if worst > 2.5 else 'turning', round(worst, 1))\n"
            "asyncio.run(main())")
    with OddGateway(odd.is_silent) as gateway:
        base, tunnel = initiator(gateway.port)
        here = lab.run(base, tunnel, PYTHON, "-c", code, f"globus.{tunnel}", FAKE_PORT)
        lines = here.ok(60).splitlines()
    assert lines[0] == "TimeoutError"
    assert re.match("turning", lines[1]), here
