"""The log: where it goes, what its lines are, and that nobody is held up by it."""

import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
from contextlib import suppress

import pytest

from lab import PYTHON, RUN, STORM, SUPERVISOR, write_conf
from launches import Daemon
from processes import wait_for


def asks(tunnel, *options, **more):
    """A program that has made one connection, with the other side's."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open", options=options, **more)
    wait_for("the program", lambda: here.out == "ready\n" or not here.running())
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\n" or not here.running())
    here.process.stdin.close()
    assert here.wait() == 0, here
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
    return here


def test_story_of_a_connection(lab, tunnel):
    """Every line about it has its number, the program's name and what happened."""
    log = lab.folder / "log"
    asks(tunnel, "-l", log)
    lines = [line for line in log.read_text().splitlines() if "(storm), connection " in line]
    numbers = {re.search(r"connection (\d+) to", line).group(1) for line in lines}
    assert len(numbers) == 1, lines
    story = [re.search(r" \(access point [^)]*\): (.*) \(\d+ us\)$", line).group(1) for line in lines]
    assert story[0].startswith("connect requested") and story[-1] == "authenticated", lines
    assert all(tunnel.name in line for line in lines)
    assert not any(secret in log.read_text() for secret in tunnel.secrets())


def test_json(lab, tunnel):
    log = lab.folder / "log"
    asks(tunnel, "--log-target", log, "--log-format", "json")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    mine = [event for event in events if event.get("comm") == "storm"]
    assert mine and all(event["tunnel"] == tunnel.id and event["process"] > 1 for event in mine)
    assert len({event["connection"] for event in mine}) == 1
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["time"]) for event in events)


def test_logfmt_and_errors_by_name(lab):
    """A connection that fails: the error's name, and the program's own name escaped."""
    base, log = lab.folder / "base", lab.folder / "log"
    tunnel = write_conf(base, connector_contact_string="127.0.0.1:9", fake_port=1234, update_time=2 ** 33,
                        connector_contact_string_ttl=100000)
    odd = lab.folder / "a\n\x1b[31mb"
    odd.symlink_to(STORM)
    program = lab.start(RUN, "--base-dir", base, "--log-target", log, "--log-format", "logfmt", "--log-level",
                        "warning", tunnel, "--", odd, "ask", f"globus.{tunnel}", 1234, stdin="open")
    wait_for("the program", lambda: program.out == "ready\n")
    program.process.stdin.write(b"\n")
    program.process.stdin.flush()
    wait_for("the line", lambda: log.read_text().count("\n") == 1 or not program.running())
    program.end()
    (line,) = log.read_text().splitlines()
    assert f" tunnel={tunnel} " in line and " error=ECONNREFUSED " in line and " level=warning " in line
    assert "\\u000a\\u001b[31m" in line and "\x1b" not in line


def test_journal(lab, tunnel):
    """One datagram an event, in the journal's own protocol."""
    path = lab.folder / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(5)
        asks(tunnel, "--log-target", f"journal:{path}")
        events = []
        while not any("authenticated" in event["MESSAGE"] for event in events):
            fields = journal.recv(65536).decode().splitlines()
            events.append(dict(field.split("=", 1) for field in fields))
    assert all(event["SYSLOG_IDENTIFIER"] == "globus-streams" and event["PRIORITY"] in "467" for event in events)
    assert any(event.get("GLOBUS_STREAMS_TUNNEL") == tunnel.id for event in events)


@pytest.mark.parametrize("options", [("-l", "/dev/full"), ("--log-target", "/dev/full", "--log-format", "json")])
def test_disk_full(tunnel, options):
    asks(tunnel, *options)


def test_journal_that_is_gone(lab, tunnel):
    path = lab.folder / "journal"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        there = tunnel.listen(STORM, "serve", tunnel.port, 1, options=["--log-target", f"journal:{path}"])
    asked = tunnel.call(STORM, "call", tunnel.name, tunnel.fake_port, 1, 60, 5)
    assert asked.wait() == 0, asked
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there


@pytest.mark.parametrize("words", [("--log-format", "xml"), ("--log-level", "loud")])
@pytest.mark.parametrize("program", [RUN, SUPERVISOR], ids=lambda path: path.name)
def test_words_that_mean_nothing(lab, tunnel, program, words):
    more = ["--base-dir", tunnel.initiator, tunnel.id, "/bin/true"] if program == RUN else \
        ["--socket", lab.folder / "s"]
    told = lab.start(program, *words, *more)
    assert told.wait() == 2 and words[1] in told.err and told.err.count("\n") == 1, told


def test_daemon_whose_log_may_not_grow(lab, tunnel):
    """Neither a limit for the size of files nor a reader that is gone ends it."""
    log = lab.folder / "log"
    daemon = Daemon(lab, words=["-l", log])
    resource.prlimit(daemon.program.pid, resource.RLIMIT_FSIZE, (64, 64))
    supervisor = wait_for("its supervisor", lambda: daemon.supervisor)
    os.kill(supervisor, signal.SIGKILL)
    wait_for("another one, with that limit", lambda: daemon.supervisor not in (None, supervisor))
    asks(tunnel, "--attach", daemon.path)
    assert daemon.program.running() and log.stat().st_size <= 64


CONNECTS = """
import socket, sys
for _ in range(5):
    with socket.socket() as made:
        made.connect_ex((sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize("target", ["stderr", "path"])
def test_terminal_that_nobody_reads(lab, target):
    """It has room, but not for a line: nobody waits for more."""
    base = lab.folder / "base"
    tunnel = write_conf(base, connector_contact_string="127.0.0.1:9", fake_port=1234, update_time=2 ** 33)
    here, there = pty.openpty()
    try:
        os.set_blocking(there, False)
        with suppress(BlockingIOError):
            while os.write(there, b"x" * 50):
                pass
        os.set_blocking(there, True)
        os.read(here, 1500)
        options = ["-d"] if target == "stderr" else ["--log-target", os.ttyname(there)]
        words = [RUN, "--base-dir", base, *options, tunnel, "--", PYTHON, "-c", CONNECTS,
                 f"globus.{tunnel}", "1234"]
        with open(lab.folder / "out", "w") as out:
            program = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=there if target == "stderr" else out, env=lab.env, start_new_session=True)
        try:
            assert program.wait(15) == 0
        finally:
            os.set_blocking(here, False)
            with suppress(BlockingIOError):
                while os.read(here, 65536):
                    pass
            program.wait(15)
    finally:
        os.close(here)
        os.close(there)
