"""Whose connections are they? Nobody gets another's, strangers get to no program, and nobody's listening sockets
are at others' cost: attackers of our own, beside them a victim."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

import gateway_lab
from lab import PROGRAMS, PYTHON, RUN, SOURCE, free_port, missing, need, warnings
from processes import wait_for
from sockets_lab import Listener, at_most, before_netns_cookies, script, word_from
from sockets_lab import is_open, line_to
from users import OTHER, open_for_all
from launches import Daemon, keeper_of
from faults import HOLD, Faults
from launches import supervisor_of

PROGRAM = "secure_listen.py"
CONTESTED_MOST = 8  # supervisor/base/share.c


@pytest.fixture
def far(bare_lab):
    return Listener(bare_lab, free_port())


def start(far, kind, *words, **options):
    program = far.run(*script(PROGRAM, kind, far.port, *words), **options)
    wait_for(f"it listens: {program}", lambda: "server listens" in program.out or not program.running())
    return program


def ask_all(far, count):
    for number in range(count):
        assert far.ask(number) == f"{number}\n"


# --- whose a connection is ---

@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_bind_that_fails(far, host):
    """Who could not bind to the server's address, and listens elsewhere, has nothing of the server's."""
    there = start(far, "theft", host)
    wait_for("the thief", lambda: "thief listens" in there.out)
    ask_all(far, 30)
    lines = there.out.splitlines()
    assert [line for line in lines if line.startswith("thief")] == ["thief listens"]
    assert [line for line in lines if line.startswith("server")][1:] == [f"server {n}" for n in range(30)]


def test_binds_that_fail_are_no_listeners(far):
    """A hundred of them where there is room for two."""
    start(far, "failed_binds", 100, options=["--limit", "listeners=2", "--limit", "listeners-each=2"])
    ask_all(far, 2)


def test_listens_that_fail_are_forgotten(far):
    """Ten listen() that fail hold no place for long."""
    other = free_port()
    there = start(far, "failed_listens", 10, other, options=["--limit", "listeners=3", "--port", other])
    assert "room" in there.out, there
    far.port = other
    ask_all(far, 2)


def test_sockets_of_two_devices(far):
    """Two that both say SO_REUSEPORT at one address, and are not one group: neither has the other's connections."""
    there = start(far, "devices", stdin="open")
    far.caller_that_says("word")  # which is told that it is authenticated
    line_to(there)
    assert there.ok() == "server listens\n" + "other EAGAIN\n" * 20 + "own word\n"


@pytest.fixture
def forks(bare_lab, far):
    """A worker that has a connection which it was not told of, and that caller."""
    faults = Faults(bare_lab)

    def make(way):
        there = start(far, "forks", way, stdin="open", **faults.how)
        worker = int(word_from(there, "accepts"))
        faults.order("accept.numbered", what=HOLD)
        caller = far.caller_that_says("first")
        wait_for("it is in the worker's table", lambda: faults.name == "held")
        os.kill(worker, signal.SIGUSR1)
        wait_for("the signal", lambda: "interrupted" in there.out)
        faults.order("")
        line_to(there)
        assert word_from(there, "has") == "2", there
        return there, caller
    return make


def test_child_of_one_that_is_owed(far, forks):
    """Who was forked has what its parent was not told of, and is not told either: each gets its own."""
    there, first = forks("stays")
    with first:
        assert far.ask("second") == "second\n"
        assert gateway_lab.receive_all(first) == b"first\n"
    assert there.ok().splitlines()[-2:] == ["child second", "owner first"]


def test_child_that_outlives_one_that_is_owed(far, forks):
    """The connection, which it has still, is ended; nobody else gets it."""
    there, first = forks("ends")
    child = int(word_from(there, "child"))
    try:
        with first:
            wait_for("its end", lambda: is_open(first) is False or "other" in there.out)
            assert "other" not in there.out
        assert far.ask("second") == "second\n"
        there_are = wait_for("the other", lambda: [line for line in there.out.splitlines() if "other" in line])
        assert there_are == ["other second"]
    finally:
        os.kill(child, signal.SIGKILL)
    there.ok()


# --- shares ---

@pytest.fixture
def daemon(bare_lab):
    def make(*limits):
        return Daemon(bare_lab, words=[word for limit in limits for word in ("--limit", limit)])
    return make


def attached(bare_lab, daemon, base):
    far = Listener(bare_lab, free_port(), base=base)
    far.attach = ["--attach", daemon.path]
    return far


def test_share_of_listeners(bare_lab, daemon):
    """The third of one launch is too many; another launch has its own."""
    there = daemon("listeners-each=2")
    greedy, modest = (attached(bare_lab, there, base) for base in ("greedy", "modest"))
    more = [free_port(), free_port()]
    ports = [word for port in more for word in ("--port", port)]
    first = start(greedy, "several", *more, options=greedy.attach + ports)
    assert first.out.splitlines()[:3] == [f"{greedy.port} good", f"{more[0]} good", f"{more[1]} ENOBUFS"]
    second = start(modest, "several", options=modest.attach)
    assert second.out.splitlines()[0] == f"{modest.port} good"
    ask_all(modest, 2)


def test_share_of_calls(bare_lab, daemon):
    there = daemon("calls-each=2")
    greedy, modest = (attached(bare_lab, there, base) for base in ("greedy", "modest"))
    first = greedy.start(*script(PROGRAM, "accepts", greedy.port, 3), options=greedy.attach)
    wait_for("the third", lambda: first.out == "ENOBUFS\n")
    second = modest.start(*script(PROGRAM, "accepts", modest.port, 1), options=modest.attach)
    modest.caller_that_says("word")
    assert second.ok() == "word\n"
    for word in ("one", "two"):
        greedy.caller_that_says(word)
    assert sorted(first.ok().split()) == ["ENOBUFS", "one", "two"]


# --- strangers get to no program ---

def test_upper_half_of_the_flags(far):
    there = start(far, "flags")
    stranger = far.stranger()
    stranger.sendall(b"stranger\n")
    wait_for("the stranger's end", lambda: not is_open(stranger))
    far.caller_that_says("word")
    assert there.ok() == "server listens\nserver word\n"


def test_socket_that_does_not_listen(far):
    assert far.run(*script(PROGRAM, "before_listen", far.port)).ok() == "EINVAL\n"


def test_urgent_byte_of_a_stranger(far):
    """It goes with the others, before a program gets what is left of the connection."""
    there = start(far, "urgent")
    while there.running():  # until one has woken it, before it was taken from under it
        try:
            with far.stranger() as stranger:
                stranger.send(b"GET / HTTP/1.0\r\n!", socket.MSG_OOB)
                time.sleep(0.01)
        except ConnectionRefusedError:
            time.sleep(0.01)  # it is about to end
    assert there.ok() == "server listens\nnone EINVAL\nrest b''\n"


def as_other(far):
    """Where the tests are root's, which may look into everybody: an ordinary user with a conf of his own."""
    if os.geteuid() != 0:
        return []
    open_for_all(far.lab.home)
    for path in (far.lab.home, far.base, *far.base.iterdir()):
        os.chown(path, OTHER, OTHER)
    return [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups"]


def start_blind(far, how):
    there = far.lab.start(*as_other(far), RUN, "--base-dir", far.base, far.id, "--", *script(
        PROGRAM, "blind", far.port, how), stdin="open", cwd="/")
    wait_for(f"both: {there}", lambda: {"server listens", "agent listens"} <= set(there.out.splitlines()))
    return there


def is_refusal(line):
    return "cannot be inspected" in line and "is refused" in line and "tunnel's port" in line


@pytest.mark.parametrize("how", ["before", "after", "child", "orphan"])
def test_program_that_cannot_be_looked_into(far, how):
    """Its accept() is refused with a line; an agent of AF_UNIX goes on, unless nobody knows which of the two it is:
    the parents of both are gone."""
    there = start_blind(far, how)
    far.stranger().sendall(b"stranger\n")
    line_to(there)
    wait_for("an answer", lambda: "server EACCES" in there.out or "server stranger" in there.out)
    assert "server EACCES" in there.out, there
    far.lab.start(PYTHON, SOURCE / "src" / PROGRAM, "call_agent").wait()
    wait_for("the agent", lambda: "agent word" in there.out or how == "orphan" and "agent EACCES" in there.out)
    if how != "orphan":  # there the launcher has ended with the command, and says nothing more
        lines = wait_for("a line", lambda: [line for line in warnings(there) if is_refusal(line)])
        assert len(lines) == 1


def test_agent_after_a_server(far):
    """A server that has ended, with its socket, is no reason to refuse others."""
    there = start_blind(far, "ended")
    far.lab.start(PYTHON, SOURCE / "src" / PROGRAM, "call_agent").ok()
    wait_for("the agent", lambda: "agent word" in there.out)
    line_to(there)
    there.ok()


def test_keeper_that_is_stopped(far):
    """While it cannot be asked for the descriptor, no stranger is let in."""
    there = start_blind(far, "after")
    keeper = keeper_of(there)
    os.kill(keeper, signal.SIGSTOP)
    try:
        far.stranger().sendall(b"stranger\n")
        line_to(there)
        wait_for("an answer", lambda: [line for line in there.out.splitlines() if line.startswith("server ")][1:], 5)
        assert "server stranger" not in there.out, there
    finally:
        os.kill(keeper, signal.SIGCONT)
        far.lab.start(PYTHON, SOURCE / "src" / PROGRAM, "call_agent").wait()


@pytest.mark.parametrize("cookies", [True, False], ids=["now", "before-5.14"])
def test_another_network(far, cookies):
    """The access point does not reach it there, and whoever does is not let in: accept() is refused with a line."""
    apart = [need("unshare"), "--map-root-user", "--net"]
    up = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if subprocess.run([*apart, *up, "true"], check=False, capture_output=True).returncode != 0:
        missing("network namespaces")
    there = far.run(*apart, *up, *script(PROGRAM, "once", far.port),
                    launcher=RUN if cookies else before_netns_cookies(far.lab))
    assert there.ok() == "server listens\nserver EACCES\n"
    assert [line for line in warnings(there) if "another network namespace" in line]


def test_one_line_for_all_addresses(far):
    """A program that listens at one address after the other, where the access point does not reach it."""
    there = start(far, "walk", 40)
    ask_all(far, 1)
    assert len(lines := warnings(there)) == 1 and "will not reach" in lines[0], there


# --- nobody is held up ---

def watched_by(pid):
    """How many items its largest epoll has."""
    most = 0
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            most = max(most, path.read_text().count("tfd:"))
        except OSError:
            pass  # closed meanwhile
    return most


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user may not see what a supervisor watches")
def test_sockets_that_listen_no_more_are_not_watched(far):
    """A program that has a hundred of them, shut down and kept, leaves nothing with the supervisor."""
    there = start(far, "shut", 100)
    wait_for("those that were shut down", lambda: "shut 100" in there.out)
    supervisor = supervisor_of(there)
    wait_for("they are watched no more", lambda: watched_by(supervisor) < 20)
    ask_all(far, 3)


def served(victim):
    """How long it took."""
    begin = time.monotonic()
    assert victim.ask("word") == "word\n"
    return time.monotonic() - begin


@pytest.fixture
def both(bare_lab):
    """Two launches that one daemon serves: a hostile one, and its victim."""
    there = Daemon(bare_lab)
    hostile, victim = (attached(bare_lab, there, base) for base in ("hostile", "victim"))
    start(victim, "several", options=victim.attach)
    return hostile, victim, there


ONE_CALLER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("server listens", flush=True)
made = listener.accept()[0]
made.sendall(made.recv(100))
"""
KNOCKS = """
import socket, sys
for _ in range(3):
    socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
"""


def test_another_launch_wakes_nobody(both):
    """That a program of its own connects may wake an accept(), as a server that stops itself wants it; another's not."""
    hostile, _, daemon = both
    victim = attached(hostile.lab, daemon, "one-caller")
    there = victim.run(PYTHON, "-c", ONE_CALLER, victim.port, options=victim.attach)
    wait_for(f"it listens: {there}", lambda: "server listens" in there.out or not there.running())
    hostile.run(PYTHON, "-c", KNOCKS, victim.port, options=hostile.attach).ok()
    assert victim.ask("word") == "word\n"
    there.ok()


def test_nonblocking_that_changes(both):
    """accept() on a socket whose O_NONBLOCK another thread sets and clears: others are served as usual."""
    hostile, victim, _ = both
    attack = hostile.run(PROGRAMS / "secure-toggle", "flip", hostile.port, options=hostile.attach)
    wait_for("the attack", lambda: attack.out or not attack.running())
    while attack.running():
        at_most(0.25, lambda: [served(victim)])
    assert attack.ok() == "begins\nnot refused\n"
    at_most(0.25, lambda: [served(victim)])


def test_connections_taken_from_under_us(bare_lab):
    """A blocking socket is shared with a process that is not supervised, which takes a connection that we have seen:
    our accept() has to wait, and others are served all the same. Where this has happened often enough, such programs
    are refused, with a line; others are served as usual."""
    faults = Faults(bare_lab)
    there = Daemon(bare_lab, program="/usr/bin/env", words=[f"GS_FAULT_FILE={faults.how['env']['GS_FAULT_FILE']}",
                                                            PROGRAMS / "supervisor-with-faults"])
    hostile, victim = (attached(bare_lab, there, base) for base in ("hostile", "victim"))
    start(victim, "several", options=victim.attach)
    attack = bare_lab.start(PROGRAMS / "secure-toggle", "share", hostile.port, RUN, "--base-dir", hostile.base,
                            *hostile.attach, hostile.id, "--", PROGRAMS / "secure-toggle", "take", stdin="open")
    wait_for("the attack", lambda: attack.out.count("begins") == 2 or not attack.running())
    for number in range(1, CONTESTED_MOST + 1):
        assert "refused" not in attack.out and not said_of_accept(there), number
        faults.order("accept.accepting", what=HOLD)
        with hostile.stranger():
            wait_for("its being seen", lambda: faults.name == "held", 5)
            line_to(attack)
            wait_for("its being taken", lambda: attack.out.count("taken") == number)
            faults.order("")
            at_most(0.25, lambda: [served(victim)])
    wait_for("a refusal", lambda: "refused" in attack.out or not attack.running())
    attack.process.stdin.close()
    assert attack.ok().splitlines()[-1] == "refused" and len(said_of_accept(there)) == 1, there.program
    at_most(0.25, lambda: [served(victim)])


def said_of_accept(daemon):
    return [line for line in daemon.program.err.splitlines() if "accept on port" in line and "O_NONBLOCK" in line]


@pytest.mark.limit(60)
def test_ten_thousand_strangers(far):
    """All silent, from one address: a caller from another is served within a second."""
    start(far, "several")
    crowd = far.lab.start(*script(PROGRAM, "strangers", far.port, 10_000), stdin="open")

    while crowd.running() and "strangers" not in crowd.out:
        at_most(1, lambda: [served(far)])
    assert "strangers 10000" in crowd.out, crowd
    at_most(1, lambda: [served(far)])


# --- on the wrong port ---

def said(program):
    return [line for line in warnings(program) if "but the port of tunnel" in line]


def test_program_on_another_port(far):
    """One line names both ports."""
    others = free_port(), free_port()
    there = far.run(*script(PROGRAM, "elsewhere", 0, *others), stdin="open")
    (line,) = wait_for("the line", lambda: said(there))
    assert f"port {others[0]}," in line and f" is {far.port};" in line and far.id in line
    there.process.stdin.close()
    there.ok()
    assert len(said(there)) == 1


def test_program_on_another_port_first(far):
    """Where it listens on the tunnel's too, nothing is said; nor of ports that the kernel chose."""
    both = far.run(*script(PROGRAM, "elsewhere", far.port, free_port()), stdin="open")
    chosen = far.lab.run(far.base, far.id, *script(PROGRAM, "elsewhere", 0, 0), stdin="open")
    wrong = far.lab.run(far.base, far.id, *script(PROGRAM, "elsewhere", 0, free_port()), stdin="open")
    wait_for("the line of the one", lambda: said(wrong))  # they were started before
    for program in (both, chosen, wrong):
        program.process.stdin.close()
        program.ok()
    assert not said(both) and not said(chosen)
