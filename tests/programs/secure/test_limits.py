"""Bounds on what strangers and programs can make grow: each is met, and counted, and hurts nobody else."""

import json
import os
import re
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

import odd_gateways as odd
from lab import CLI, PYTHON, RUN, STORM, SUPERVISOR, free_port, warnings, write_conf
from launches import Daemon, supervisor_of
from processes import wait_for
from sockets_lab import Initiator, Listener, is_open, line_to


# to the limit for descriptors
FITTED = "strangers", "strangers-each", "strangers-address", "ready", "connects", "connects-each"
PAGES = Path(__file__).resolve().parents[3] / "man"

SERVE = """
import socket, sys
servers = []
for port in sys.argv[1:]:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", int(port)))
    server.listen(64)
    server.setblocking(False)
    servers.append(server)
print("ready", flush=True)
taken = []
for line in sys.stdin:
    for server in servers:
        try:
            taken.append(server.accept()[0])
            taken[-1].sendall(b"welcome")
            print("taken", flush=True)
        except OSError as error:
            print(error.strerror, flush=True)
"""

CONNECT = """
import errno, os, socket, sys, threading
made, to = [], (sys.argv[1], int(sys.argv[2]))
def connect(blocking=False):
    one = socket.socket()
    made.append(one)
    one.setblocking(blocking)
    print(errno.errorcode[one.connect_ex(to)], flush=True)
for _ in range(int(sys.argv[3])):
    if sys.argv[4:] == ["blocking"]:
        threading.Thread(target=connect, args=[True], daemon=True).start()
    else:
        connect()
if sys.argv[4:] == ["other"]:
    done, end = os.pipe()
    if os.fork() == 0:
        os.setgroups([]), os.setgid(61235), os.setuid(61235)
        connect(), connect(), connect()
        os.write(end, b"1")
    else:
        os.read(done, 1), connect()
for line in sys.stdin:
    connect()
"""

ACCEPT = """
import errno, socket, sys, threading
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", int(sys.argv[1])))
server.listen(64)
def take():
    try:
        with server.accept()[0] as taken:
            taken.sendall(b"welcome")
    except OSError as error:
        print(errno.errorcode[error.errno], flush=True)
for _ in range(3):
    threading.Thread(target=take).start()
"""


def limited(near, limit, *command):
    return near.run(*command, options=["--limit", limit], stdin="open")


@pytest.mark.parametrize("limit", ["strangers-each=3", "strangers=3", "strangers-address=3"])
def test_strangers(bare_lab, limit):
    """The oldest go; what has authenticated stays, and who comes and proves himself is let in."""
    near = Listener(bare_lab, free_port())
    server = limited(near, limit, PYTHON, "-c", SERVE, near.port)
    wait_for("the server", lambda: server.out == "ready\n")
    first = near.caller()
    strangers = [near.stranger() for _ in range(3)]
    line_to(server)
    wait_for("the first", lambda: server.out == "ready\ntaken\n")
    assert first.recv(10) == b"welcome"
    late = [near.stranger() for _ in range(2)]
    wait_for("the end of those that are too many", lambda: not any(is_open(one) for one in strangers[:2]))
    assert all(is_open(one) for one in [strangers[2], *late])
    second = near.caller()
    line_to(server)
    wait_for("the second", lambda: server.out.count("taken") == 2)
    assert second.recv(10) == b"welcome" and is_open(first)
    assert not is_open(strangers[2]) and all(is_open(one) for one in late)
    assert any("oldest was dropped" in line for line in warnings(server))


def test_strangers_that_talk(bare_lab):
    """Who has said something goes after those who are silent, though he came before them."""
    near = Listener(bare_lab, free_port())
    server = limited(near, "strangers-each=3", PYTHON, "-c", SERVE, near.port)
    wait_for("the server", lambda: server.out == "ready\n")
    talks = near.stranger()
    talks.sendall(odd.header(odd.HELLO)[:4])
    silent = [near.stranger() for _ in range(2)]
    with near.caller():  # once it is authenticated, those before it have been looked at
        late = [near.stranger() for _ in range(2)]
        wait_for("the end of the silent ones", lambda: not any(is_open(one) for one in silent))
        assert is_open(talks) and all(is_open(one) for one in late)


def test_strangers_of_two_listeners(bare_lab):
    """The bound for all counts those of every listener."""
    ports = free_port(), free_port()
    near = Listener(bare_lab, ports[0])
    server = near.run(PYTHON, "-c", SERVE, *ports, options=["--limit", "strangers=4", "--port", ports[1]],
                      stdin="open")
    wait_for("the server", lambda: server.out == "ready\n")
    strangers = [socket.create_connection(("127.0.0.1", port)) for port in ports for _ in range(4)]
    wait_for("the end of half of them", lambda: sum(map(is_open, strangers)) == 4)


def test_ready(bare_lab):
    """A program that accepts nothing: the rest wait in the kernel, and are let in when it does."""
    near = Listener(bare_lab, free_port())
    server = limited(near, "ready=2", PYTHON, "-c", SERVE, near.port)
    wait_for("the server", lambda: server.out == "ready\n")
    callers = [near.caller(), near.caller()]
    waits = near.stranger()
    waits.sendall(odd.header(9, version=9))  # it would be answered, if it had been taken in
    time.sleep(0.7)  # longer than between two visits
    assert is_open(waits)
    line_to(server)
    wait_for("one to be taken", lambda: server.out.count("taken") == 1)
    wait_for("the one that waited", lambda: not is_open(waits))
    line_to(server)
    wait_for("the other", lambda: server.out.count("taken") == 2)
    assert all(one.recv(10) == b"welcome" for one in callers)


def test_connects(bare_lab):
    with odd.OddGateway(odd.is_silent) as gateway:
        near = Initiator(bare_lab, gateway.port)
        program = limited(near, "connects=2", PYTHON, "-c", CONNECT, near.name, 1234, 3)
        wait_for("all three", lambda: program.out.count("\n") == 3)
        assert program.out.split() == ["EINPROGRESS", "EINPROGRESS", "ENOBUFS"]
        wait_for("the line", lambda: told(program, "connects=2"))
        assert len(told(program, "connects=2")) == 1, program


def told(program, limit):
    """The lines about a limit."""
    return [line for line in program.err.splitlines() if f"limit {limit} is reached" in line]


def attached(lab, daemon, port, base):
    near = Initiator(lab, port, base=base)
    return lambda count: near.run(PYTHON, "-c", CONNECT, near.name, 1234, count, stdin="open",
                                  options=["--attach", daemon.path])


def outcomes(program, *wanted):
    wait_for(f"{wanted}: {program}", lambda: program.out.count("\n") >= len(wanted))
    assert program.out.split() == list(wanted)


def test_share_of_connects(bare_lab):
    """What one launch has too much is refused, with a line; another goes on. So it is under the next supervisor."""
    daemon = Daemon(bare_lab, words=["--limit", "connects-each=2"])
    with odd.OddGateway(odd.is_silent) as gateway:
        greedy, modest = (attached(bare_lab, daemon, gateway.port, base) for base in ("greedy", "modest"))
        first = greedy(3)
        outcomes(first, "EINPROGRESS", "EINPROGRESS", "ENOBUFS")
        second = modest(1)
        outcomes(second, "EINPROGRESS")
        limits = status(bare_lab, daemon)
        assert [limits["connects-each"][what] for what in ("most", "now", "met")] == [2, 2, 1]
        assert [limits["connects"][what] for what in ("now", "met")] == [3, 0]
        assert len(told(daemon.program, "connects-each=2")) == 1, daemon.program
        before = daemon.supervisor
        os.kill(before, signal.SIGKILL)
        wait_for("another supervisor", lambda: daemon.supervisor not in (None, before))
        line_to(first)
        outcomes(first, "EINPROGRESS", "EINPROGRESS", "ENOBUFS", "ENOBUFS")
        line_to(second)
        outcomes(second, "EINPROGRESS", "EINPROGRESS")
        assert status(bare_lab, daemon)["connects-each"]["met"] == 2


def test_share_of_connects_of_a_user(bare_lab):
    """Each user's programs of one launch have their own."""
    if os.geteuid() != 0:
        pytest.skip("only root starts programs of several users")
    with odd.OddGateway(odd.is_silent) as gateway:
        near = Initiator(bare_lab, gateway.port)
        program = limited(near, "connects-each=2", PYTHON, "-c", CONNECT, near.name, 1234, 2, "other")
        outcomes(program, *["EINPROGRESS"] * 4, "ENOBUFS", "ENOBUFS")
        assert len(told(program, "connects-each=2")) == 1, program


USERS = """
import errno, os, socket, sys
for uid in range(70000, 70066):
    if os.fork() == 0:
        os.setgid(uid), os.setuid(uid)
        one = socket.socket()
        one.setblocking(False)
        os.write(1, (errno.errorcode[one.connect_ex((sys.argv[1], 1234))] + "\\n").encode())
        sys.stdin.read()
        os._exit(0)
sys.stdin.read()
"""


def test_users_without_a_share_of_their_own(bare_lab):
    """Those after the 64th have one together: who has many users does not have the more."""
    if os.geteuid() != 0:
        pytest.skip("only root starts programs of several users")
    with odd.OddGateway(odd.is_silent) as gateway:
        near = Initiator(bare_lab, gateway.port)
        program = limited(near, "connects-each=1", PYTHON, "-c", USERS, near.name)
        wait_for("all of them", lambda: program.out.count("\n") == 66)
        assert sorted(program.out.split()) == ["EINPROGRESS"] * 65 + ["ENOBUFS"]


@pytest.mark.parametrize("limit", ["calls=2", "calls-each=2"])
def test_calls_that_connect(bare_lab, limit):
    with odd.OddGateway(odd.is_silent) as gateway:
        near = Initiator(bare_lab, gateway.port)
        program = limited(near, limit, PYTHON, "-c", CONNECT, near.name, 1234, 3, "blocking")
        outcomes(program, "ENOBUFS")
        assert len(told(program, limit)) == 1, program
        wait_for("the others", lambda: gateway.calls == 2)


def test_calls(bare_lab):
    """One accept() too many fails; the others are served."""
    near = Listener(bare_lab, free_port())
    program = limited(near, "calls=2", PYTHON, "-c", ACCEPT, near.port)
    wait_for("the third", lambda: program.out == "ENOBUFS\n")
    for caller in (near.caller(), near.caller()):
        assert caller.recv(10) == b"welcome"
    assert program.wait() == 0 and program.out == "ENOBUFS\n"
    assert len(told(program, "calls=2")) == 1, program


def test_listeners(bare_lab):
    ports = free_port(), free_port()
    near = Listener(bare_lab, ports[0])
    server = near.run(PYTHON, "-c", SERVE, *ports, options=["--limit", "listeners=1", "--port", ports[1]],
                      stdin="open")
    wait_for("the server", lambda: server.out == "ready\n")
    line_to(server)
    wait_for("both answers", lambda: server.out.count("\n") == 3)
    assert server.out == "ready\nResource temporarily unavailable\nNo buffer space available\n"
    assert len(told(server, "listeners=1")) == 1, server


def test_tunnels_and_names(bare_lab):
    near = Initiator(bare_lab, 9, globus_contact="a.example:1,b.example:2")
    other = Initiator(bare_lab, 9, lankey_id="3a0b6ad1-4d5c-4f5e-8a0c-6c1f3d9b7e22")
    for limit, tunnels in (("names=2", [near.id]), ("tunnels=1", [near.id, other.id])):
        program = bare_lab.start(RUN, "--base-dir", near.base, "--limit", limit, *tunnels, "--", "/bin/true")
        assert program.wait() == 1 and "too many tunnels or names" in program.err, program


def status(lab, daemon):
    told = lab.start(CLI, "supervisor", "status", "--socket", daemon.path, "--format", "json")
    return {limit["name"]: limit for limit in json.loads(told.ok())["limits"]}


def test_programs_and_clients(lab, tunnel):
    """A launch that finds no room serves itself; the daemon's status tells how often."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 2)
    daemon = Daemon(lab, words=["--limit", "programs=1", "--limit", "clients=3"])
    programs = [tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open",
                            options=["--attach", daemon.path]) for _ in range(2)]
    for program in programs:
        wait_for("the program", lambda program=program: program.out == "ready\n")
    assert sorted(bool(supervisor_of(program)) for program in programs) == [False, True]
    for program in programs:
        line_to(program)
        wait_for("the answer", lambda program=program: program.out == "ready\ngood\n")
    limits = status(lab, daemon)
    assert limits["programs"]["most"] == limits["programs"]["now"] == limits["programs"]["met"] == 1
    asking = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(4)]
    for one in asking:
        one.connect(str(daemon.path))
    wait_for("the newest to be turned away", lambda: not is_open(asking[-1]))
    for one in asking:
        one.close()
    told = wait_for("room", lambda: (ended := lab.start(CLI, "supervisor", "status", "--socket", daemon.path)).wait()
                    == 0 and ended.out)
    assert re.search(r"^Limit: programs, 1 at most, 1 now, met 1 times$", told, re.M), told
    assert re.search(r"^Limit: clients, 3 at most", told, re.M), told
    for program in programs:
        program.process.stdin.close()
        assert program.wait() == 0
    there.process.send_signal(signal.SIGTERM)
    there.wait()  # both of its callers counted from 1, which it takes for a fault


@pytest.mark.parametrize("limit", ["strangers", "strangers=", "strangers=0", "strangers=-1", "strangers=many",
                                   "strangers=99999999999999999999", "stranger=1", "=1", ""])
@pytest.mark.parametrize("program", [RUN, SUPERVISOR], ids=lambda path: path.name)
def test_limit_that_is_none(bare_lab, program, limit):
    base = bare_lab.folder / "base"
    words = ["--base-dir", base, write_conf(base, fake_port=1234), "/bin/true"] if program == RUN else \
        ["--socket", bare_lab.folder / "s"]
    told = bare_lab.start(program, "--limit", limit, *words)
    assert told.wait() == 2 and f"--limit {limit}: " in told.err


def test_log_lines(bare_lab):
    """A log has so many lines in a second, and one that says how many there were more."""
    log = bare_lab.folder / "log"
    with odd.OddGateway(odd.is_silent) as gateway:
        near = Initiator(bare_lab, gateway.port)
        program = near.run(PYTHON, "-c", CONNECT, near.name, 1234, 40, stdin="open",
                           options=["--limit", "log-lines=5", "--log", log])
        wait_for("the connects", lambda: program.out.count("\n") == 40)

        def left_out():
            line_to(program)  # another line, in another second
            return [line for line in log.read_text().splitlines() if "lines left out: too many in a second" in line]
        wait_for("a line", left_out)
    for second, count in Counter(line[:8] for line in log.read_text().splitlines() if "left out" not in line).items():
        assert count <= 2 * 5, second  # its own seconds are another clock's


def test_limits_and_descriptors(bare_lab):
    """With few descriptors the limits are lower, so that strangers and connects leave some for others."""
    few = Daemon(bare_lab, program="/bin/sh", words=["-c", 'ulimit -n 400; exec "$0" "$@"', SUPERVISOR])
    most = {name: limit["most"] for name, limit in status(bare_lab, few).items() if name in FITTED}
    half = most["strangers"]
    assert 100 < half <= 200
    assert most == {"strangers": half, "strangers-each": half // 2, "strangers-address": half // 4, "ready": half // 2,
                    "connects": half, "connects-each": half // 2}


def test_limits_of_the_page(lab):
    """The table of the manual page is the program's."""
    page = PAGES / "globus-streams-run.1.scd"
    if not page.exists():
        pytest.skip("only where the sources are")
    table = page.read_text().split("# LIMITS")[1].split("\n# ")[0]
    written = dict(re.findall(r"^\|  (\S+)\n:  (\d+)$", table, re.M))
    limits = status(lab, Daemon(lab))
    assert {name: str(limit["most"]) for name, limit in limits.items()
            if name not in FITTED} == {name: most for name, most in written.items() if name not in FITTED}
    assert limits.keys() == written.keys()
