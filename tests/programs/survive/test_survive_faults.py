"""Supervisors that end at each fault point (supervisor/base/fault.h), one at a time and at random.

The launcher here is built with them. Where it ends is written into a file that its supervisors have mapped
(src/fault.c). The points are read from the source: each has to be reached by one of the tests.
"""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

from faults import ACCEPT, AT_MOST, BELL, CONNECT, HOLD, Counted, Faults
from lab import LOOPBACK, PROGRAMS, PYTHON, SOURCE, STORM, Gateway, free_port, new_lab, restart_on_other_ports
from launches import Daemon, attached, below, supervisor_of
from processes import descendants, wait_for
from sockets_lab import Listener, asked
from storms import Pair, storm

SUPERVISOR_SOURCE = SOURCE.parents[1] / "supervisor"
SECONDS = int(os.environ.get("GS_TEST_STORM_SECONDS", "5" if os.geteuid() == 0 else "2"))

OWED = "owed.watched owed.taken-back".split()
STRANGER = "accept.refusing accept.dead".split()
TOLD = "connect.told".split()
HELD_ON = "connect.held-on".split()
FAILED = "connect.failing connect.failed connect.disconnected".split()
FAILED_POLLED = FAILED + ["connect.result-written"]
LOOKUP = "connect.retrying connect.lookup lookup.wanting lookup.wanted lookup.reading lookup.read lookup.taken lookup.over".split()
START = "target.pidfd-opened bind.noted listen.noted listener.added blind.told question.answered".split()
OPEN = "open.taken open.held open.wanted open.made open.injected open.answered".split()
RUN = ["run.ready"]
CONTROL = "control.peeked control.half-taken control.taken control.answered control.dropped".split()


def points():
    found = []
    for path in sorted(SUPERVISOR_SOURCE.rglob("*.c")):
        found += re.findall(r'\bfault_point\("([^"]+)"\)', path.read_text())
    return found


@pytest.mark.parametrize("message", ["tunnel", "program"])
@pytest.mark.parametrize("point", CONTROL)
def test_end_while_a_launch_attaches(lab, tunnel, faults, point, message):
    """The next supervisor answers the question, once in effect: the launch is attached, and nobody else
    serves it."""
    if (point, message) == ("control.half-taken", "tunnel"):
        pytest.skip("there is no such point")
    daemon = Daemon(lab, program="/usr/bin/env", words=[f"GS_FAULT_FILE={faults.how['env']['GS_FAULT_FILE']}",
                                                        PROGRAMS / "supervisor-with-faults"])
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    faults.order(point, first=1 if message == "program" and point != "control.half-taken" else 0)
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    assert faults.happened(2)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\n", timeout=5)
    assert not below(here.pid, "gs-keeper", "gs-supervisor") and not here.err
    here.process.stdin.close()
    here.ok()
    daemon.program.process.send_signal(signal.SIGTERM)
    assert daemon.program.wait(5) == 0, "it waits for a program that is not there"
    there.end()


def test_each_point_has_its_test():
    there = points()
    assert len(there) == len(set(there)) and len(there) > 50
    assert set(there) == {*CONNECT, *ACCEPT, *BELL, *OWED, *STRANGER, *TOLD, *HELD_ON, *FAILED_POLLED, *LOOKUP, *START,
                          *OPEN, *CONTROL, *RUN}


@pytest.fixture
def faults(lab):
    return Faults(lab)


def stat_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(")", 1)[1].split()


def processor_state(pid):
    return stat_of(pid)[0]


def processor_time(pid):
    """Seconds that it has run."""
    return (int(stat_of(pid)[11]) + int(stat_of(pid)[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def slow_lab(folder, milliseconds):
    """A lab with an access point that waits so long before it answers."""
    (folder / "gateway").mkdir()
    gateway = Gateway(folder / "gateway", folder / "gateway").start("--lan-delay", str(milliseconds))
    try:
        for lab in new_lab(folder / "lab", gateway):
            yield lab
    finally:
        gateway.stop()


def end_at_each(faults, victim, once, where=None, at_most=AT_MOST):
    """once() for each point, passed once, twice …; returns which were reached."""
    reached = set()
    for point in where or points():
        for first in range(at_most):
            wait_for("a supervisor", lambda: supervisor_of(victim))
            faults.order(point, first)
            try:
                once()
            except AssertionError as error:
                raise AssertionError(f"{point}, passed {first} times: {error}") from None
            if not faults.happened():
                break
            reached.add(point)
    return reached


@pytest.mark.parametrize("polled", [False, True], ids=["blocking", "polled"])
def test_end_where_a_connection_was_there_before_its_call(lab, tunnel, faults, polled):
    """The connection is recorded and its call is not held yet: three supervisors end before they come to the
    call, and two more while they answer it."""
    pair = Pair(lab, tunnel, polled, None, faults.how)

    def all_five():
        wait_for("a supervisor", lambda: supervisor_of(pair.here))
        faults.order("connect.whole", then=["lan.sent", "lan.sent", *2 * ["notify.answering"]])
        pair.connect()
        return faults.happened()
    assert any(all_five() for _ in range(20))  # the access point may have answered later than the next began
    pair.end()


@pytest.mark.parametrize("polled", [False, True], ids=["blocking", "polled"])
@pytest.mark.parametrize("side", ["initiator", "listener"])
def test_end_at_each_point(lab, tunnel, faults, side, polled):
    here, there = (faults.how, None) if side == "initiator" else (None, faults.how)
    pair = Pair(lab, tunnel, polled, there, here)
    victim = pair.here if here else pair.there
    pair.connect()
    counted = Counted(victim)
    reached = end_at_each(faults, victim, pair.connect)
    pair.connect()
    counted.check()
    pair.end()
    wanted = CONNECT if here else ACCEPT if not polled else ACCEPT[:-2]
    assert set(wanted) <= reached, set(wanted) - reached


def test_end_while_a_bell_rings(tmp_path, nothing_left_behind):
    """An access point so slow that no accept() waits for its proof."""
    with slow_lab(tmp_path, 25) as lab:
        tunnel, faults = lab.tunnel(), Faults(lab)
        pair = Pair(lab, tunnel, True, there=faults.how)
        counted = Counted(pair.there)
        reached = end_at_each(faults, pair.there, pair.connect, BELL, 2)
        counted.check()
        pair.end()
    assert set(BELL) <= reached, set(BELL) - reached


def test_end_while_strangers_call(lab, tunnel, faults):
    """Who does not authenticate is refused all the same, and costs nobody anything."""
    pair = Pair(lab, tunnel, False, there=faults.how)
    def refused():
        with socket.create_connection((LOOPBACK, tunnel.port), timeout=5) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            try:
                assert stranger.recv(1) == b""
            except ConnectionResetError:
                pass
        pair.connect()
    refused()
    counted = Counted(pair.there)
    reached = end_at_each(faults, pair.there, refused)
    counted.check()
    pair.end()
    assert set(STRANGER) <= reached, set(STRANGER) - reached


@pytest.mark.parametrize("point", OWED)
def test_end_while_a_worker_ends(bare_lab, point):
    """What a worker that ended was not told goes to another, once."""
    far, faults = Listener(bare_lab, free_port()), Faults(bare_lab)
    there = far.start(PROGRAMS / "graceful", far.port, **faults.how)
    for _ in range(3):
        faults.order(point)
        wrong = []
        wait_for(f"{point} is reached", lambda: wrong.extend(asked(far, 3, 20)) or not faults.name, timeout=30)
        assert wrong == [], point
    there.process.send_signal(signal.SIGTERM)
    there.ok()


def refused_at_each(tunnel, faults, polled, where=None):
    """Nobody listens: the error is the same whoever tells it."""
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, *["poll"] * polled, stdin="open", **faults.how)
    wait_for("the program", lambda: here.out == "ready\n")
    counted, lines = Counted(here), 1

    def refused():
        nonlocal lines
        lines += 1
        here.process.stdin.write(b"\n")
        here.process.stdin.flush()
        wait_for("an error", lambda: here.out.count("\n") == lines, timeout=5)
        told = [line for line in here.err.splitlines() if line.startswith("fault: ")]
        assert here.out.endswith("bad\n") and len(told) == lines - 1, here
        assert told[-1] == "fault: connect: Connection refused", here
    reached = end_at_each(faults, here, refused, where)
    counted.check()
    return reached


@pytest.mark.parametrize("polled", [False, True], ids=["blocking", "polled"])
def test_end_while_connects_fail(tunnel, faults, polled):
    reached = refused_at_each(tunnel, faults, polled)
    assert set(FAILED) <= reached, set(FAILED) - reached


def test_end_while_the_program_is_told_to_wait(tmp_path, nothing_left_behind):
    """An access point so slow that connect() returns EINPROGRESS."""
    with slow_lab(tmp_path, 25) as lab:
        tunnel, faults = lab.tunnel(), Faults(lab)
        faults.how["options"] = ["--async-connect"]
        failed = refused_at_each(tunnel, faults, True, FAILED_POLLED)
        pair = Pair(lab, tunnel, True, here=faults.how)
        counted = Counted(pair.here)
        reached = end_at_each(faults, pair.here, pair.connect, TOLD + CONNECT, 1)
        counted.check()
        pair.end()
    assert set(TOLD) <= reached and set(FAILED_POLLED) <= failed


def test_end_while_connect_is_held_on(tmp_path, nothing_left_behind):
    """Nothing is known of who calls."""
    with slow_lab(tmp_path, 25) as lab:
        tunnel, faults = lab.tunnel(), Faults(lab)
        faults.order(*HELD_ON)
        pair = Pair(lab, tunnel, True, here=faults.how)
        pair.connect()
        assert faults.happened(2)
        pair.end()


@pytest.mark.parametrize("point", LOOKUP)
def test_end_while_a_contact_is_fetched(own_lab, own_gateway, point):
    """The access point has moved: its new contact is fetched, once or again, and the call succeeds."""
    tunnel, faults = own_lab.tunnel(ttl=100_000), Faults(own_lab)
    pair = Pair(own_lab, tunnel, False, here=faults.how)
    pair.connect()
    restart_on_other_ports(own_gateway)
    faults.order(point)
    pair.connect()
    assert faults.happened(2)
    pair.connect()
    pair.end()


@pytest.mark.parametrize("point", START)
def test_end_while_programs_begin(lab, tunnel, faults, point):
    """While a port is bound, and a name resolved."""
    faults.order(point)
    here, there = (faults.how, None) if point in ("question.answered", "blind.told") else (None, faults.how)
    pair = Pair(lab, tunnel, False, there, here)
    pair.connect()
    assert faults.happened(2)
    pair.end()


@contextmanager
def hardly_runs(pid):
    """Something else has its processor, and it has what is left over."""
    processor = min(os.sched_getaffinity(0))
    code = f"import os\nos.sched_setaffinity(0, [{processor}])\nwhile True: pass"
    hogs = [subprocess.Popen([PYTHON, "-c", code]) for _ in range(6)]
    wait_for("the hogs", lambda: all(processor_time(hog.pid) > 0.05 for hog in hogs))
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        os.sched_setaffinity(thread, [processor])
        os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@pytest.mark.alone
@pytest.mark.parametrize("point", ["accept.numbered", "accept.telling"])
def test_end_where_a_chore_has_given(lab, tunnel, faults, point):
    """A server that hardly runs is given its connections by chores: it is told, whoever tells it."""
    pair = Pair(lab, tunnel, False, there=faults.how)
    server = next(pid for pid, (name, _) in pair.there.children().items() if name == "storm")
    with hardly_runs(server):
        for _ in range(5):  # after some of them that is known
            pair.connect()
        faults.order(point)
        pair.connect()
        assert faults.happened(2)
    pair.end()


def test_begin_late(lab, faults):
    """A supervisor that did not get to run for a while before it waits for the first time is as good as any."""
    faults.order(*RUN, what=HOLD)
    # nobody connects to it: it has nothing to do
    daemon = lab.start("/usr/bin/env", f"GS_FAULT_FILE={faults.how['env']['GS_FAULT_FILE']}",
                       PROGRAMS / "supervisor-with-faults", "--socket", lab.folder / "s")
    wait_for("the point", lambda: faults.name == "held")
    supervisor = next(pid for pid, (name, _) in descendants(daemon.pid).items() if name == "gs-supervisor")
    busy = processor_time(supervisor)
    wait_for("more than ten ticks", lambda: processor_time(supervisor) > busy + 0.2)
    faults.order("")
    wait_for("its wait", lambda: processor_state(supervisor) != "R")
    time.sleep(0.1)  # ten ticks more
    assert processor_state(supervisor) == "S" and "held up" not in daemon.err, daemon
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait(5) == 0


@pytest.mark.parametrize("point", OPEN)
def test_end_while_hosts_are_read(tunnel, faults, point):
    """A static program reads /etc/hosts: it gets one descriptor."""
    faults.order(point)
    here = tunnel.call(PROGRAMS / "talk-static", "resolve", tunnel.name, tunnel.fake_port, **faults.how)
    assert here.ok().startswith("198.1")
    # the program has its answer by then, and may have ended with all of its launch
    assert faults.happened(0.5) or point == "open.answered"


class Saboteur(threading.Thread):
    """Ends supervisors at points, any of them, one after the other."""

    def __init__(self, *all_faults):
        super().__init__()
        self.all, self.ended, self.over = all_faults, 0, threading.Event()

    def run(self):
        while not self.over.wait(random.uniform(0.005, 0.05)):
            for faults in self.all:
                if not faults.name:
                    self.ended += 1
                    faults.order("*", random.randrange(200))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.mark.limit(SECONDS + 100)
@pytest.mark.parametrize("polled", [(), ("poll",)], ids=["blocking", "polled"])
def test_storm_while_supervisors_end_at_points(told_tunnel, polled):  # noqa: F811
    """64 connects and accepts at a time while supervisors end at points of both sides, at random."""
    here, there = Faults(told_tunnel.lab), Faults(told_tunnel.lab)
    made, ended = storm(told_tunnel, SECONDS // 2, polled, lambda *_: Saboteur(here, there), here.how, there.how)
    assert made > 5 * SECONDS and ended > SECONDS
