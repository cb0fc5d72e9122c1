"""The long-running supervisor: asked, told, and replaced by a new binary while calls are under way."""

import json
import os
import shutil
import signal
import socket
from contextlib import suppress

import pytest

from lab import CLI, LOOPBACK, RUN, SHIM, STORM, SUPERVISOR, change_conf, free_port, read_conf
from launches import Daemon, agree, ask, attached, below, counts, keeper_of, one_connection, put, status
from processes import wait_for


def test_status(lab, tunnel, daemon):
    """What it serves, what was connected and accepted, and what was refused, by reason."""
    there = attached(tunnel, daemon, "serve", tunnel.port, 1, listens=True)
    here = one_connection(tunnel, daemon)
    told = status(lab, daemon)
    assert told["pid"] == daemon.supervisor
    assert (told["programs"], told["connected"], told["accepted"]) == (2, 1, 1)
    assert told["version"] and told["restarts"] == 0 and not told["stopping"]
    assert {(entry["id"], entry["side"]) for entry in told["tunnels"]} == {(tunnel.id, "listener"),
                                                                         (tunnel.id, "initiator")}
    assert [entry["ports"] for entry in told["tunnels"] if entry["side"] == "listener"] == [[tunnel.port]]
    assert told["refused"] == dict.fromkeys(told["refused"], 0)
    with socket.create_connection((LOOPBACK, tunnel.port)) as stranger:
        stranger.send(b"GET / HTTP/1.0\r\n\r\n")
        stranger.recv(100)
    socket.create_connection((LOOPBACK, tunnel.port)).close()
    wait_for("the refusals", lambda: status(lab, daemon)["refused"] | {"format": 1, "closed": 1}
             == status(lab, daemon)["refused"])
    text = ask(lab, daemon, "status").ok()
    assert "Programs:" in text and "Refused:" in text and "2 (format 1, closed 1)" in text
    assert f"Tunnel: {tunnel.id}, listener, " in text
    assert not any(secret in text + json.dumps(told) for secret in tunnel.secrets())
    here.end()
    there.end()


def test_reload(lab, tunnel, daemon):
    """A conf file that was repaired counts from then on; one that is broken changes nothing."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    good = read_conf(tunnel.initiator, tunnel.id)["lankey"]
    change_conf(tunnel.initiator, tunnel.id, lankey="A" * len(good))
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    put(here)
    wait_for("the refusal", lambda: here.out == "ready\nbad\n")
    assert status(lab, daemon)["refused"]["secret"] == 1
    change_conf(tunnel.initiator, tunnel.id, lankey=good)
    assert ask(lab, daemon, "reload").ok() == "1 conf file read again\n"
    put(here)
    wait_for("the answer", lambda: here.out == "ready\nbad\ngood\n")
    change_conf(tunnel.initiator, tunnel.id, fake_port="x")
    broken = ask(lab, daemon, "reload")
    assert broken.wait() == 1 and "fake_port" in broken.err and "keeps what it read" in broken.err
    broken = ask(lab, daemon, "reload", "-Fjson")
    assert broken.wait() == 1 and broken.out == ""
    (line,) = json.loads(broken.err)["globus_streams"]["errors"]
    assert "fake_port" in line and json.loads(broken.err)["message"] == line
    put(here)
    wait_for("the answer", lambda: here.out == "ready\nbad\ngood\ngood\n")
    there.end()


def test_port_of_the_environment(lab, tunnel, daemon):
    """A launch tells the ports that are in no conf, too."""
    port = free_port()
    there = lab.run(tunnel.listener, tunnel.id, "/bin/cat", options=["--attach", daemon.path], stdin="open",
                    env={f"GLOBUS_STREAMS_INTERCEPT_PORT_{port}": tunnel.id})
    wait_for("the launch", lambda: status(lab, daemon)["programs"] == 1)
    assert status(lab, daemon)["tunnels"][0]["ports"] == [tunnel.port, port]
    there.end()


def test_stop(lab, tunnel, daemon):
    """It ends with its last program."""
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    ask(lab, daemon, "stop").ok()
    assert status(lab, daemon)["stopping"] and daemon.program.running()
    here.process.stdin.close()
    assert here.wait() == 0
    assert daemon.program.wait(5) == 0


@pytest.mark.parametrize("verb", ["status", "reload", "stop", "upgrade"])
def test_nobody_there(lab, verb):
    refused = lab.start(CLI, "supervisor", verb, "--socket", lab.folder / "none")
    assert refused.wait() == 1
    assert "no supervisor at" in refused.err and "globus-streams-supervisor --socket" in refused.err


def test_nobody_accepts(lab):
    """One that listens, and is stuck: as many wait there as may."""
    path, waiting = lab.folder / "stuck", []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stuck:
        stuck.bind(str(path))
        stuck.listen(0)
        with suppress(BlockingIOError):
            while True:
                waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK))
                waiting[-1].connect(str(path))
        refused = lab.start(CLI, "supervisor", "status", "--socket", path)
        assert refused.wait(5) == 1
        assert f"no supervisor at {path}" in refused.err and "timed out" in refused.err


# --- a new binary ---

class Installed:
    """The programs in a folder of the test's, where they can be replaced."""

    def __init__(self, lab):
        self.bin = lab.folder / "usr/bin"
        for name, folder in ((SUPERVISOR, "bin"), (RUN, "bin"), (CLI, "bin"), (SHIM, "shim")):
            (lab.folder / "usr" / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(name, lab.folder / "usr" / folder)

    def replace(self, program, by=None):
        """With a copy of itself, or with something else."""
        fresh = self.bin / "fresh"
        shutil.copy(by or program, fresh)
        fresh.rename(self.bin / program.name)

    def script(self, program, text):
        fresh = self.bin / "script"
        fresh.write_text(text)
        fresh.chmod(0o755)
        fresh.rename(self.bin / program.name)


@pytest.fixture
def installed(lab):
    return Installed(lab)


@pytest.fixture
def replaceable(lab, installed):
    return Daemon(lab, program=installed.bin / SUPERVISOR.name)


def test_upgrades_amid_connections(lab, tunnel, installed, replaceable):
    """The daemon is replaced time and again while programs of two launches connect and accept: no call
    fails, and none is made twice."""
    there = attached(tunnel, replaceable, "serve", tunnel.port, 4, listens=True)
    here = attached(tunnel, replaceable, "call", tunnel.name, tunnel.fake_port, 4, 3)
    keeper, upgrades = replaceable.program.pid, 0
    while here.running():
        installed.replace(SUPERVISOR)
        ask(lab, replaceable, "upgrade").ok()
        upgrades += 1
    assert here.wait() == 0, here
    told = status(lab, replaceable)
    assert told["upgrades"] == upgrades > 2
    assert replaceable.program.pid == keeper and told["programs"] == 1
    if os.geteuid() == 0:
        binary = os.stat(f"/proc/{keeper}/exe")
        assert binary.st_ino == (installed.bin / SUPERVISOR.name).stat().st_ino
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
    agree(here, there, 20)


def test_upgrade_of_a_launch(lab, tunnel, installed):
    """SIGUSR2 to gs-keeper; the launcher's own part stays what it was."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 4)
    here = lab.start(installed.bin / RUN.name, "--base-dir", tunnel.initiator, tunnel.id, "--", STORM, "call",
                     tunnel.name, tunnel.fake_port, 4, 1)
    wait_for("the keeper", lambda: keeper_of(here) or not here.running())
    keeper = keeper_of(here)
    before, sent = None, 0
    while here.running():
        supervisor = below(keeper, "gs-supervisor")
        if supervisor and supervisor != before:
            installed.replace(RUN)
            with suppress(ProcessLookupError):  # it may be over
                os.kill(keeper, signal.SIGUSR2)
            before, sent = supervisor, sent + 1
    assert here.wait() == 0, here
    assert sent > 2
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
    agree(here, there, 20)


def test_upgrade_of_a_launch_that_is_attached(lab, tunnel, installed):
    """Its keeper has no supervisor of its own, and stays attached."""
    daemon = Daemon(lab)
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = lab.start(installed.bin / RUN.name, "--base-dir", tunnel.initiator, "--attach", daemon.path, tunnel.id,
                     "--", STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    wait_for("the program", lambda: here.out == "ready\n" or not here.running())
    keeper, before = keeper_of(here), (installed.bin / RUN.name).stat().st_ino
    installed.replace(RUN)
    os.kill(keeper, signal.SIGUSR2)
    if os.geteuid() == 0:
        wait_for("the new binary", lambda: os.stat(f"/proc/{keeper}/exe").st_ino not in (before, 0))
    put(here)
    wait_for("the answer", lambda: here.out == "ready\ngood\n", timeout=10)
    wait_for("its name", lambda: keeper_of(here) == keeper)
    assert status(lab, daemon)["programs"] == 1 and not below(keeper, "gs-supervisor")
    here.process.stdin.close()
    assert here.wait() == 0
    there.end()


@pytest.mark.parametrize("text, why", [("#!/bin/sh\necho 0123456789abcdef-1000\n", "another format"),
                                       ("#!/bin/sh\nexit 0\n", "cannot be run"),
                                       ("no program", "cannot be run"),
                                       (None, "cannot be run")],
                         ids=["another layout", "silent", "not a program", "gone"])
def test_upgrade_refused(lab, tunnel, installed, replaceable, text, why):
    """It goes on as it is, and says why."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    supervisor = replaceable.supervisor
    if text:
        installed.script(SUPERVISOR, text)
    else:
        (installed.bin / SUPERVISOR.name).unlink()
    refused = ask(lab, replaceable, "upgrade")
    assert refused.wait() == 1
    assert "keeps running" in refused.err and why in refused.err
    assert replaceable.supervisor == supervisor
    one_connection(tunnel, replaceable).end()
    there.end()


def test_upgrade_under_a_limit_for_files(lab, tunnel, installed):
    """The state does not fit into a file then: everything works, but no upgrade."""
    daemon = Daemon(lab, program="/usr/bin/prlimit", words=["--fsize=100000", SUPERVISOR])
    refused = ask(lab, daemon, "upgrade")
    assert refused.wait() == 1 and "file size limit" in refused.err
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    one_connection(tunnel, daemon).end()
    there.end()


# --- a daemon that comes back ---

def kill(daemon):
    """Keeper and supervisor at once, so that nothing of what they knew is left."""
    supervisor = daemon.supervisor
    daemon.program.process.kill()
    if supervisor:
        os.kill(supervisor, signal.SIGKILL)
    daemon.program.wait()
    wait_for("the end of its socket", lambda: not daemon.answers())


def test_daemon_takes_its_programs_back(lab, tunnel, daemon):
    """One that is killed with its keeper and started again: the launches attach again, a call that was
    held is held again, and none of them has a supervisor of its own."""
    there = attached(tunnel, daemon, "serve", tunnel.port, 1, listens=True)
    here = one_connection(tunnel, daemon)
    for good in range(2, 5):
        wait_for("the held accept", lambda: status(lab, daemon)["calls_held"] == 1)
        kill(daemon)
        daemon.start()
        wait_for("both launches", lambda: status(lab, daemon)["programs"] == 2, timeout=5)
        put(here)
        wait_for("the answer", lambda: here.out == "ready\n" + good * "good\n", timeout=5)
    assert not below(keeper_of(here), "gs-supervisor") and not below(keeper_of(there), "gs-supervisor")
    assert {entry["side"] for entry in status(lab, daemon)["tunnels"]} == {"listener", "initiator"}
    here.end()
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
    assert counts(there.out)["done"] == 4


@pytest.mark.parametrize("polled", [(), ("poll",)], ids=["blocking", "polled"])
def test_daemon_killed_amid_connections(lab, tunnel, daemon, polled):
    """No call hangs, whenever it was killed: a connect that cannot be begun again gets ECONNRESET."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 4)
    here = attached(tunnel, daemon, "call", tunnel.name, tunnel.fake_port, 4, 3, *polled)
    kills = 0
    while here.running():
        signal.sigtimedwait([], 0.1)
        kill(daemon)
        daemon.start()
        kills += 1
    assert here.wait() in (0, 1), here
    lines = [line for line in here.err.splitlines() if not line.startswith("globus-streams-run")]
    assert all("Connection reset by peer" in line for line in lines), here
    assert kills > 2 and counts(here.out)["done"] > 5
    there.process.send_signal(signal.SIGTERM)
    there.wait()
