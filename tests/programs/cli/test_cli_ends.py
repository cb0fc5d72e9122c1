"""globus-streams: what ends a run: the time of --wait, a signal, a stdout that takes nothing more."""

import fcntl
import json
import os
import signal
import subprocess
import time

import pytest

import far_side
from cli_program import PROGRAM, Result
from far_side import INITIATOR_AP, LISTENER_AP, Answer


# --- the time of --wait ---


def timed(cli, *words):
    """The last line that it said."""
    start = time.monotonic()
    result = cli.run(*words)
    result.err = "".join(result.err.splitlines(True)[words[1] == "create":])
    line = result.failed(1)
    assert 1 <= time.monotonic() - start < 4, line
    return line


@pytest.mark.parametrize("answer", [Answer(200, {}, delay=20), Answer(503, {}, headers={"Retry-After": "10"}),
                                    Answer(200, reset=True)], ids=["silence", "503", "reset"])
def test_wait_is_a_bound(cli, far, answer):
    far.rule("GET", "/v2/tunnels/.*", answer)
    line = timed(cli, "tunnel", "create", "--wait=1", INITIATOR_AP, LISTENER_AP)
    assert "is created" in line and "after 1 s" in line
    line = timed(cli, "tunnel", "stop", "--wait=1", next(iter(far.tunnels)))
    assert "after 1 s" in line


def test_initialize_waits_no_longer(cli, far):
    tunnel = far.tunnel()
    far.rule("GET", "/v2/tunnels/.*", lambda request, usual: usual(), times=1)
    far.rule("GET", "/v2/tunnels/.*", Answer(200, {}, delay=20))
    start = time.monotonic()
    result = cli.run("environment", "initialize", "--wait=1", "-Fjson", tunnel)
    assert "the environment is initialized, but" in result.failed(1) and 1 <= time.monotonic() - start < 4
    assert cli.conf(tunnel)["lankey_id"] in far.secrets
    assert json.loads(result.out)["tunnel_id"] == tunnel


def test_wait_bounds_the_wait_for_a_lock(cli, far):
    tunnel, held = far.active(), []

    def hold(request, usual):
        held.append(open(cli.base / "tokens.json.lock", "w"))
        fcntl.lockf(held[0], fcntl.LOCK_EX)
        far.tokens.clear()
        return Answer(200, far.tunnels[tunnel])

    far.rule("PATCH", ".*", hold)
    assert "tokens.json.lock" in timed(cli, "tunnel", "stop", "--wait=1", tunnel)
    held[0].close()


# --- signals ---


class Interrupted:
    """A run that gets a signal while it waits for the answer to a request; then the answer comes."""

    def __init__(self, cli, far, method, path, number=signal.SIGINT, answer=None):
        self.cli, self.number, self.answer, self.process = cli, number, answer, None
        far.rule(method, path, self.on_request, times=1)

    def on_request(self, request, usual):
        answer = usual()
        self.process.send_signal(self.number)
        if self.answer:
            return self.answer
        time.sleep(0.2)
        return answer

    def run(self, *words):
        self.process = self.cli.start(*words)
        out, err = self.process.communicate(timeout=30)
        return Result(self.process.returncode, out, err)


def left(cli):
    return sorted(p.name for p in cli.base.iterdir() if "tokens" not in p.name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("method, path", [("GET", "/v2/tunnels/.*"), ("POST", "/manager/api/lan_secrets"),
                                          ("GET", "/v2/stream_access_points/.*")])
def test_an_interrupted_initialize_leaves_nothing(cli, far, method, path, number):
    tunnel = far.active()
    line = Interrupted(cli, far, method, path, number).run("environment", "initialize", tunnel).failed(128 + number)
    assert "interrupted" in line and far.secrets == {} and left(cli) == []


def test_an_interrupted_initialize_keeps_the_old_conf(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    before, secrets = cli.files(), dict(far.secrets)
    run = Interrupted(cli, far, "POST", "/manager/api/lan_secrets")
    run.run("environment", "initialize", "--force", tunnel).failed(130)
    assert cli.files() == before and far.secrets == secrets


def test_an_initialize_that_was_nearly_done_is_done(cli, far):
    """The listener's contact is stored already: the conf file that belongs to it is written."""
    tunnel = far.tunnel()
    run = Interrupted(cli, far, "PATCH", "/v2/tunnels/.*")
    run.run("environment", "initialize", "--listener-contact-string", "10.0.0.1:80", tunnel).warned()
    assert cli.conf(tunnel)["lankey_id"] in far.secrets


def test_an_interrupted_wait(cli, far):
    tunnel = far.tunnel()
    process = cli.start("environment", "initialize", "--wait", tunnel)
    deadline = time.monotonic() + 20
    while not (cli.base / f"{tunnel}.conf").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    line = Result(process.returncode, out, err).failed(130)
    assert "was interrupted" in line and "the environment is initialized" in line
    assert out.splitlines()[1:] == [
        f"The environment is initialized for use with tunnel {tunnel}",
        f"Your application key file base directory is {cli.base}/",
        f"Your contact string is: globus.{tunnel}:{cli.conf(tunnel)['fake_port']}"]
    assert cli.conf(tunnel)["lankey_id"] in far.secrets


def test_an_interrupted_wait_for_a_lock(cli, far):
    tunnel = far.active()
    cli.run("tunnel", "list").ok()
    with open(cli.base / f".{tunnel}.lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        process = cli.start("environment", "initialize", tunnel)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert "interrupted" in Result(process.returncode, out, err).failed(143)


def test_interrupted_with_the_new_conf_in_place(cli, far):
    """The old secret, of which nobody knows any more, is deleted all the same."""
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    Interrupted(cli, far, "DELETE", "/manager/api/.*").run("environment", "initialize", "--force", tunnel).ok()
    assert list(far.secrets) == [cli.conf(tunnel)["lankey_id"]]


def test_interrupted_where_there_is_no_way_back(cli, far):
    """The old secret had to go first: it goes on to the end."""
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    far.rule("POST", "/manager/api/lan_secrets", far.envelope(409, "conflict", "there is one already"), times=1)
    run = Interrupted(cli, far, "POST", "/manager/api/lan_secrets")
    run.run("environment", "initialize", "--force", tunnel).ok()
    assert list(far.secrets) == [cli.conf(tunnel)["lankey_id"]]


def test_a_secret_that_nobody_told_us(cli, far):
    tunnel = far.active()
    run = Interrupted(cli, far, "POST", "/manager/api/lan_secrets", answer=Answer(201, {}, delay=20))
    line = run.run("environment", "initialize", tunnel).failed(130)
    assert "before the service answered" in line and left(cli) == []


def test_an_ignored_signal_stays_ignored(cli, far):
    tunnel = far.active()
    run = Interrupted(cli, far, "POST", "/manager/api/lan_secrets", signal.SIGHUP)
    old = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run.run("environment", "initialize", tunnel).ok()
    finally:
        signal.signal(signal.SIGHUP, old)


# --- stdout ---


def run_into(cli, stdout, *words):
    done = subprocess.run([str(PROGRAM), *words], env=cli.environment, stdout=stdout, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, text=True, timeout=20, start_new_session=True)
    return Result(done.returncode, "", done.stderr)


def broken_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w")


def full():
    return open("/dev/full", "w")


COMMANDS = [
    "--help", "tunnel --help", "--version", "__complete tunnel s", "whoami", "tunnel list", "tunnel show {}",
    "tunnel show -Fjson {}", "tunnel update --label x {}", "tunnel events {}",
    "tunnel events --follow {}", "tunnel events --follow -Fjson {}", "access-point list", "environment show {}",
    "environment list", "environment contact-lookup {}", "environment update {}", "environment initialize --force {}",
    "login --no-browser --force", "logout", "doctor", "tunnel stop {}", "environment cleanup --force {}", "tunnel delete {}"]


@pytest.mark.parametrize("stdout, why", [(full, "No space left"), (broken_pipe, "Broken pipe")], ids=["full", "pipe"])
def test_a_stdout_that_takes_nothing(cli, far, stdout, why):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    far.events[tunnel] = [{"type": "TunnelEvent", "id": 1, "attributes": {"code": "STARTED"}}]
    for words in COMMANDS:
        with stdout() as out:
            line = run_into(cli, out, *words.format(tunnel).split()).failed(1)
        assert "stdout" in line, words
        assert why in line, words


def test_a_tunnel_that_nobody_reads_of(cli, far):
    with full() as out:
        line = run_into(cli, out, "tunnel", "create", INITIATOR_AP, LISTENER_AP).failed(1)
    assert f"tunnel {next(iter(far.tunnels))} is created" in line and "No space left" in line


def test_a_stdout_that_is_not_there(cli, far):
    far.tunnel()
    for words in (["tunnel", "list"], ["--help"], ["whoami"]):
        line = cli.run(*words, preexec_fn=lambda: os.close(1)).failed(1)
        assert "cannot write to stdout" in line


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_launcher_says_it_too(cli, option):
    with full() as out:
        done = subprocess.run([str(PROGRAM.with_name("globus-streams-run")), option], stdout=out, text=True,
                              stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 1 and done.stderr == "globus-streams-run: cannot write to stdout: No space left on device\n"


def test_a_doctor_that_finds_faults_says_it_too(cli):
    with full() as out:
        cli.environment["GLOBUS_CLI_CLIENT_SECRET"] = "wrong"
        assert "No space left" in run_into(cli, out, "doctor").failed(1)


def test_an_address_that_nobody_sees(cli, far):
    cli.environment = {k: v for k, v in cli.environment.items() if not k.startswith("GLOBUS_CLI_CLIENT")}
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = far_side.CLIENT_ID
    with full() as out:
        assert "address" in run_into(cli, out, "login", "--no-browser").failed(1)


def test_followed_events_that_nobody_reads_any_more(cli, far):
    """Nothing is printed, so nothing fails to be written; it ends all the same."""
    process = cli.start("tunnel", "events", "--follow", far.active())
    process.stdout.close()
    assert "has closed it" in process.stderr.read() and process.wait(20) == 1
