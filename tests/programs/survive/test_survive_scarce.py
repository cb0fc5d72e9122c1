"""Too little of something, or too much: descriptors, memory, room for the log, processes, threads,
connections. Calls get an error or succeed, in bounded time, and go on when there is enough again."""

import os
import re
import resource
import shutil
import signal
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

import sanitizers
from faults import Told
from lab import PYTHON, SOURCE, STORM, Gateway, new_lab, warnings
from launches import counts, cpu_of, descriptors, keeper_of, limit, supervisor_of
from processes import wait_for

MANY = SOURCE / "src/many.py"
HELD = int(os.environ.get("GS_TEST_HELD", "300"))  # 10000 when named
HELD_EACH = 2500  # by one gateway, which says busy where its descriptors end
SUPERVISOR_SOURCE = SOURCE.parents[1] / "supervisor"


def no_burning(pid, seconds=0.5):
    before = cpu_of(pid)
    time.sleep(seconds)
    assert cpu_of(pid) - before < seconds / 2


# --- descriptors ---

def test_connect_while_the_supervisor_has_no_descriptors(lab, tunnel):
    """The program is told so; the next call succeeds once there are some."""
    tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    told = Told(here)
    assert told.hear() == "ready"
    supervisor = supervisor_of(here)
    before = limit(supervisor, resource.RLIMIT_NOFILE, 3)
    for _ in range(3):
        assert told.ask("") == "bad"
    assert "Too many open files" in here.err
    no_burning(supervisor)
    limit(supervisor, resource.RLIMIT_NOFILE, before)
    assert told.ask("") == "good"
    assert supervisor_of(here) == supervisor


def test_accept_while_the_supervisor_has_no_descriptors(lab, tunnel):
    """Those who call wait meanwhile."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    told = Told(here)
    assert told.hear() == "ready" and told.ask("") == "good"
    supervisor = supervisor_of(there)
    before = limit(supervisor, resource.RLIMIT_NOFILE, 3)
    told.tell("")
    wait_for("the warning", lambda: any("have to wait" in line for line in warnings(there)))
    no_burning(supervisor)
    assert here.out.count("\n") == 2
    limit(supervisor, resource.RLIMIT_NOFILE, before)
    assert told.hear() == "good" and told.ask("") == "good"
    assert supervisor_of(there) == supervisor
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0


# --- memory ---

@pytest.mark.skipif(sanitizers.SANITIZED, reason="AddressSanitizer ends a program that has no memory")
@pytest.mark.parametrize("room", [0, 1 << 16, 1 << 19], ids=["none", "64 KiB", "512 KiB"])
def test_supervisors_without_memory(tunnel, room):
    """RLIMIT_AS, RLIMIT_DATA: of a supervisor that runs and of those that are to take over from it. Calls
    succeed, or the program is told that there is no memory; with memory they succeed again."""
    tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    told, before = Told(here), {}
    assert told.hear() == "ready" and told.ask("") == "good"
    keeper = keeper_of(here)
    for pid in (keeper, supervisor_of(here)):
        text = Path(f"/proc/{pid}/status").read_text()
        for what, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
            size = int(re.search(rf"^{name}:\s+(\d+) kB", text, re.M).group(1)) * 1024
            before[what] = limit(pid, what, size + room)
    heard = [told.ask("") for _ in range(3)]
    for _ in range(3):
        os.kill(wait_for("a supervisor", lambda: supervisor_of(here)), signal.SIGKILL)
        heard.append(told.ask(""))
    errors = [line for line in here.err.splitlines() if line.startswith("fault: ")]
    assert errors == ["fault: connect: Cannot allocate memory"] * heard.count("bad"), here
    assert room < 1 << 19 or not errors
    for what, size in before.items():
        limit(keeper, what, size)
    os.kill(wait_for("a supervisor", lambda: supervisor_of(here)), signal.SIGKILL)
    assert told.ask("") == "good", str(here)


# --- the log ---

def test_disk_full_for_the_log(lab, tunnel):
    there = tunnel.listen(STORM, "serve", tunnel.port, 1, options=["--debug", "--log=/dev/full"])
    here = tunnel.call(STORM, "call", tunnel.name, tunnel.fake_port, 1, 60, 20, options=["--log=/dev/full"])
    assert counts(here.ok()) == {"done": 20, "faults": 0}
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0


def test_log_that_nobody_reads(lab, tunnel):
    """A pipe that is full holds up nobody."""
    pipe = lab.folder / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        there = tunnel.listen(STORM, "serve", tunnel.port, 1)
        here = tunnel.call(STORM, "call", tunnel.name, tunnel.fake_port, 1, 60, 500, options=[f"--log={pipe}"])
        assert counts(here.ok()) == {"done": 500, "faults": 0}
        assert len(os.read(reading, 1 << 20)) > 50000
        there.process.send_signal(signal.SIGTERM)
        assert there.wait() == 0
    finally:
        os.close(reading)


# --- the clock ---

def test_no_time_is_taken_from_a_clock_that_may_jump():
    """Only the log tells the time of day."""
    wall = r"CLOCK_REALTIME|gettimeofday|\btime\((NULL|&|0)"
    assert {path.name for path in SUPERVISOR_SOURCE.rglob("*.[ch]") if re.search(wall, path.read_text())} == {"log_format.c"}


# --- processes and threads ---

@pytest.mark.limit(120)
def test_fork_bomb(lab, tunnel):
    """Each of 128 processes that come into being and end at once has its connection, and nothing stays."""
    there = tunnel.listen(PYTHON, MANY, "hold", tunnel.port)
    here = tunnel.call(PYTHON, MANY, "bomb", 7, f"{tunnel.name}:{tunnel.fake_port}")
    assert here.ok(timeout=100) == "x" * 128
    again = tunnel.call(PYTHON, MANY, "bomb", 2, f"{tunnel.name}:{tunnel.fake_port}")
    assert again.ok() == "x" * 4
    assert there.running() and there.err == ""


@pytest.mark.limit(120)
def test_a_thousand_threads_connect_at_once(lab, tunnel):
    there = tunnel.listen(STORM, "serve", tunnel.port, 64)
    here = tunnel.call(STORM, "call", tunnel.name, tunnel.fake_port, 1000, 60, 1)
    assert counts(here.ok(timeout=100)) == {"done": 1000, "faults": 0}
    there.process.send_signal(signal.SIGTERM)
    there.wait()
    assert counts(there.out) == {"done": 1000, "faults": 0}


# --- connections ---

@pytest.fixture
def gateways(tmp_path, nothing_left_behind):
    """As many as it takes: each call is two descriptors of a gateway's, and four while bytes move."""
    with ExitStack() as stack:
        labs = []
        for number in range(-(-HELD // HELD_EACH)):
            folder = tmp_path / f"gateway-{number}"
            folder.mkdir()
            gateway = Gateway(folder, folder).start()
            stack.callback(gateway.stop)
            labs.append(stack.enter_context(contextmanager(new_lab)(tmp_path / f"lab-{number}", gateway)))
        yield labs


@pytest.mark.limit(60 + HELD // 20)
def test_many_connections_held_open(tmp_path, gateways):
    """They cost the supervisors nothing, and the next one is made as soon as usual."""
    tunnels = [lab.tunnel() for lab in gateways]
    there = [tunnel.listen(PYTHON, MANY, "hold", tunnel.port) for tunnel in tunnels]
    base = tmp_path / "all"
    base.mkdir(mode=0o700)
    for tunnel in tunnels:
        shutil.copy2(tunnel.initiator / f"{tunnel.id}.conf", base)
    to = [f"{tunnel.name}:{tunnel.fake_port}" for tunnel in tunnels]
    here = gateways[0].run(base, [tunnel.id for tunnel in tunnels], PYTHON, MANY, "call", HELD // len(to), *to,
                           stdin="open")
    told, held = Told(here), HELD // len(to) * len(to)
    assert told.hear(30 + HELD // 20) == f"open {held}"
    for program in (here, *there):
        assert os.geteuid() != 0 or descriptors(supervisor_of(program)) < 20
        os.kill(supervisor_of(program), signal.SIGKILL)
    assert told.ask("") == "good"
    one = tunnels[0].call(PYTHON, MANY, "call", 1, to[0], stdin="\n")
    assert one.ok() == "open 1\ngood\n"
    assert here.wait() == 0
