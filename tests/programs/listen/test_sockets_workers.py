"""Servers whose workers are busy, end, or are many: none of their connections is lost, and none waits for a worker
to be authenticated."""

import os
import signal
import socket
import time

import pytest

import gateway_lab
from lab import PROGRAMS
from processes import wait_for
from sockets_lab import asked, at_most, script, word_from


def test_workers_that_end_gracefully(far):
    """A worker that is signalled while it waits in accept(), and ends, takes no connection with it."""
    there = far.start(PROGRAMS / "graceful", far.port)
    assert asked(far, 3, 150) == []
    there.process.send_signal(signal.SIGTERM)
    there.ok()
    assert int(word_from(there, "ended")) > 10


def test_callers_of_busy_workers(far):
    """All are authenticated as they come, though no worker is free."""
    there = far.start(*script("listeners.py", "busy", far.port, 2))
    begin = time.monotonic()
    callers = [far.caller() for _ in range(26)]
    assert time.monotonic() - begin < 4, "authenticated one after the other"
    for number, caller in enumerate(callers):
        with caller:
            caller.sendall(b"%d" % number)
            assert caller.recv(10) == b"%d" % number
    there.process.send_signal(signal.SIGTERM)
    there.ok()


def test_strangers_while_workers_are_busy(far):
    """They are taken in as they come; a worker that calls accept() after them is not given what is left of them."""
    there = far.start(*script("listeners.py", "busy", far.port, 1))
    caller = far.caller()
    caller.sendall(b"first")
    assert caller.recv(10) == b"first"
    for _ in range(3):
        with far.stranger() as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert gateway_lab.receive_all(stranger) == b""
    caller.close()
    with far.caller() as second:
        second.sendall(b"second")
        assert second.recv(10) == b"second"
    wait_for("both", lambda: there.out.count("\n") == 2)
    there.process.send_signal(signal.SIGTERM)
    assert there.ok() == "had 5\nhad 6\n"


@pytest.mark.parametrize("how", ["stays", "closes", "resets", "says"])
def test_server_that_wakes_itself(far, how):
    """It ends its blocking accept() by a connection of its own, in which there is nothing; another's does not."""
    there = far.start(*script("listeners.py", "self_wake", far.port, how))
    assert far.ask("first") == "first\n"
    with far.stranger():
        pass
    assert far.ask("second") == "second\n"
    there.process.send_signal(signal.SIGTERM)
    there.ok()
    assert "woken b'' b''" in there.out and int(word_from(there, "stopped")) < 5000


@pytest.mark.alone
def test_accept_after_poll(far):
    """Nearly every one has its connection at once."""
    def share():
        there = far.start(*script("listeners.py", "again", far.port, 40))
        for number in range(40):
            assert far.ask(number) == f"{number}\n"
        there.ok()
        return [int(word_from(there, "empty"))]
    at_most(2, share)


def test_strangers_hold_no_accept(far):
    """Who has not said HELLO is waited for by nobody: an accept() that finds only such comes back at once."""
    there = far.start(*script("listeners.py", "again", far.port, 1))
    begin = time.monotonic()
    for _ in range(50):
        with far.stranger():
            pass
    assert far.ask("word") == "word\n"
    there.ok()
    assert time.monotonic() - begin < 10


def test_port_of_one_that_was_killed(far):
    """Who listened, and was killed while connections waited for it, leaves the port free, and they end."""
    there = far.start(*script("listeners.py", "idle", far.port, 1), stdin="open")
    wait_for("it has listened once", lambda: there.out == "idle\n")
    waiting = far.caller()
    (pid,) = [pid for pid, (name, _) in there.children().items() if name == "python3"]
    os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: not there.running())
    with socket.create_server(("127.0.0.1", far.port)):
        pass
    with waiting:
        assert gateway_lab.receive_all(waiting) == b""
