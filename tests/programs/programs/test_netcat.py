"""netcat in both its kinds, each on each side, and what half-close does."""

import socket

import pytest

from lab import BOTH_SPEEDS, PROGRAMS, need
from processes import wait_for

pytestmark = BOTH_SPEEDS


def listening(kind, port):
    return [need("nc.openbsd"), "-l", port] if kind == "nc" else [need("ncat"), "-l", port]


def calling(kind, host, port):
    return [need("nc.openbsd" if kind == "nc" else "ncat"), host, port]


@pytest.mark.parametrize("listener", ["nc", "ncat"])
@pytest.mark.parametrize("caller", ["nc", "ncat"])
def test_both_ways(tunnel, listener, caller):
    """What either side types reaches the other while both stay open."""
    there = tunnel.listen(*listening(listener, tunnel.port), stdin="open")
    here = tunnel.call(*calling(caller, tunnel.name, tunnel.fake_port), stdin="open")
    here.process.stdin.write(b"from the initiator\n")
    here.process.stdin.flush()
    wait_for("the initiator's line at the listener", lambda: there.out == "from the initiator\n")
    there.process.stdin.write(b"from the listener\n")
    there.process.stdin.flush()
    wait_for("the listener's line at the initiator", lambda: here.out == "from the listener\n")
    assert here.running() and there.running()
    there.end()
    assert here.err == there.err == ""


def test_half_close_ends_both(tunnel):
    """`echo x | nc -N`: the end of input crosses the tunnel, and its answer comes back."""
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer\n")
    here = tunnel.call(need("nc.openbsd"), "-N", tunnel.name, tunnel.fake_port, stdin="x\n")
    assert here.ok() == "answer\n"
    assert there.ok() == "x\n"


def test_half_close_leaves_the_other_way_open(tunnel):
    """One side's end of input is not the connection's: this listener answers after it."""
    there = tunnel.listen(PROGRAMS / "talk", "listen", tunnel.port, "late answer\n")
    here = tunnel.call(need("nc.openbsd"), "-N", tunnel.name, tunnel.fake_port, stdin="question\n")
    assert here.ok() == "late answer\n"
    assert there.ok() == "question\n"


def test_listener_goes_on(tunnel):
    """One launch takes many connections, one after the other and at the same time."""
    there = tunnel.listen(need("ncat"), "-l", "-k", "-c", "cat", tunnel.port)
    callers = [tunnel.call(need("ncat"), tunnel.name, tunnel.fake_port, stdin="open") for _ in range(4)]
    for number, here in enumerate(callers):
        here.process.stdin.write(f"line {number}\n".encode())
        here.process.stdin.flush()
    for number, here in enumerate(callers):
        wait_for("its echo", lambda: here.out == f"line {number}\n")
    assert all(here.running() for here in callers) and there.running()


def test_telnet(tunnel):
    """The guide's client."""
    there = tunnel.listen(need("nc.openbsd"), "-l", tunnel.port, stdin="open")
    here = tunnel.call(need("telnet"), tunnel.name, tunnel.fake_port, stdin="open")
    wait_for("the connection", lambda: "Connected to" in here.out)
    here.process.stdin.write(b"typed into telnet\n")
    here.process.stdin.flush()
    wait_for("the line", lambda: "typed into telnet" in there.out)


def test_another_port_of_the_name_is_refused(tunnel):
    """A program that uses a wrong port is told the right one."""
    here = tunnel.call(need("nc.openbsd"), "-v", tunnel.name, tunnel.fake_port + 1)
    assert here.wait() == 1
    assert str(tunnel.fake_port) in here.err


def test_strangers_do_not_disturb(tunnel):
    """A connection that does not come from the access point is not the application's."""
    there = tunnel.listen(need("nc.openbsd"), "-l", tunnel.port, stdin="open")
    strangers = [socket.create_connection(("127.0.0.1", tunnel.port)) for _ in range(5)]
    strangers[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
    here = tunnel.call(need("nc.openbsd"), "-N", tunnel.name, tunnel.fake_port, stdin="mine\n")
    wait_for("the caller's line", lambda: there.out == "mine\n")
    for stranger in strangers:
        stranger.close()
    there.process.stdin.close()
    assert here.wait() == 0
