"""A storm of connections while the supervisors are ended, all the time and at any point."""

import os
import random
import signal
import threading
from pathlib import Path

import pytest

from conftest import new_lab
from lab import PROGRAMS, Gateway
from processes import needs_to_see, stat_of

STORM = PROGRAMS / "storm"
# A full run has it as root and as an ordinary user; ten minutes with GS_TEST_STORM_SECONDS=600.
SECONDS = int(os.environ.get("GS_TEST_STORM_SECONDS", "20" if os.geteuid() == 0 else "5"))
THREADS = 64


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [int(word) for word in children.read().split()]
    except OSError:
        return []


def named(pid, name):
    stat = stat_of(pid)
    return stat and stat[0] == name and stat[1] != "Z"


def below(pid, *names):
    """The process that one reaches from pid by children of these names; None: there is none now."""
    needs_to_see()
    for name in names:
        pid = next((child for child in children_of(pid) if named(child, name)), None)
        if pid is None:
            break
    return pid


def supervisor_of(program):
    return below(program.pid, "gs-keeper", "gs-supervisor")


class Killer(threading.Thread):
    """Sends a signal to the supervisors of programs every 50 ms, give or take."""

    def __init__(self, programs, number, pause=0.05):
        super().__init__()
        self.programs, self.number, self.pause = programs, number, pause
        self.ended, self.over = 0, threading.Event()

    def run(self):
        while not self.over.wait(self.pause * random.uniform(0.5, 1.5)):
            for program in self.programs:
                pid = supervisor_of(program)
                if pid:
                    try:
                        os.kill(pid, self.number)
                        self.ended += 1
                    except ProcessLookupError:
                        pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def counts(line):
    return {name: int(value) for name, value in (word.split("=") for word in line.split())}


@pytest.fixture
def told_gateway(tmp_path, nothing_left_behind):
    """A gateway that tells each call."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    running = Gateway(folder, folder).start("--verbose")
    yield running
    running.stop()


@pytest.fixture
def told_tunnel(tmp_path, told_gateway):
    for lab in new_lab(tmp_path / "lab", told_gateway):
        yield lab.tunnel()


def waiting_ports(port):
    """Those that wait (TIME_WAIT) after a connection to that port of this host."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "06"]


def storm(tunnel, seconds, polled, trouble, here=None, there=None):
    """Returns (connections, supervisors ended); everything else has to be without a fault: no call fails,
    nothing is handed over twice or under another number, no byte is wrong, and the access point has seen each
    connection of the program, and no other. trouble(*programs) ends them; here, there: how each is launched."""
    there = tunnel.listen(STORM, "serve", tunnel.port, THREADS, *polled, **there or {})
    here = tunnel.call(STORM, "call", tunnel.name, tunnel.fake_port, THREADS, seconds, *polled, **here or {})
    with trouble(there, here) as killer:
        here.wait(seconds + 60)
    there.process.send_signal(signal.SIGTERM)
    there.wait()
    told = counts(here.out), counts(there.out)
    assert told[0]["faults"] == 0 and told[1]["faults"] == 0, f"{killer.ended} ended, {told}: {here}\n{there}"
    made = told[0]["done"]
    assert told[1]["done"] == made, told
    lines = [line for line in tunnel.lab.gateway.program.err.splitlines() if f"tunnel {tunnel.id}: " in line]
    assert sum(line.endswith(": a call") for line in lines) == made
    assert sum(line.endswith(": a call is through") for line in lines) == made
    assert len(lines) == 2 * made, [line for line in lines if not line.endswith((": a call", "through"))][:9]
    assert not waiting_ports(tunnel.port), "a bell's port is not free at once"
    return made, killer.ended


@pytest.mark.limit(SECONDS + 100)
@pytest.mark.parametrize("polled", [(), ("poll",)], ids=["blocking", "polled"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP], ids=lambda number: number.name)
def test_storm_while_supervisors_end(told_tunnel, number, polled):
    made, ended = storm(told_tunnel, SECONDS // 5, polled, lambda *programs: Killer(programs, number))
    assert made > 5 * SECONDS and ended > SECONDS
