"""globus-streams: questions and addresses go to the terminal, whatever stdin and stdout are."""

import os
import re
import signal
import subprocess
import termios

import pytest

import far_side
from cli_program import PROGRAM, Cli, Terminal, address_in
from test_cli_login import LOGIN_CLIENT, MANAGER_SCOPE, log_in


@pytest.fixture
def cli(tmp_path, far):
    instance = Cli(tmp_path, far.url)
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        instance.environment.pop(name)
    instance.environment["GLOBUS_STREAMS_CLIENT_ID"] = LOGIN_CLIENT
    return instance


class Piped:
    """A run whose stdin and outputs are pipes, on a terminal all the same: data waits in stdin."""

    def __init__(self, cli, *words, data=b"line one\nline two\n", outputs=(1,)):
        self.stdin, writer = os.pipe()
        self.stdout, out = os.pipe()
        os.write(writer, data)
        os.close(writer)
        self.terminal = Terminal(cli, *words, streams={0: self.stdin, **dict.fromkeys(outputs, out)})
        os.close(out)

    def end(self):
        """(status, what it printed, what it left in stdin)"""
        status = self.terminal.end()
        texts = [b"".join(iter(lambda fd=fd: os.read(fd, 4096), b"")).decode() for fd in (self.stdout, self.stdin)]
        os.close(self.stdin)
        os.close(self.stdout)
        return status, *texts


def alone_in_its_line(text):
    """The address, which stands in a line by itself."""
    address = address_in(text)
    assert address in re.split(r"\r?\n", text), text
    return address


@pytest.mark.parametrize("outputs", [(1,), (1, 2)], ids=["pipeline", "all"])
def test_login_asks_on_the_terminal(cli, far, outputs):
    run = Piped(cli, "login", "--no-browser", outputs=outputs)
    run.terminal.read_until("Enter the code: ")
    run.terminal.send(far.log_in(alone_in_its_line(run.terminal.text))[0])
    assert run.end() == (0, "You are logged in.\n", "line one\nline two\n")


def test_a_login_within_a_pipeline_eats_nothing_of_it(cli, far):
    tunnel = far.active()
    log_in(cli, far)
    run = Piped(cli, "environment", "initialize", tunnel)
    run.terminal.read_until("Enter the code: ")
    code, asked = far.log_in(alone_in_its_line(run.terminal.text))
    assert MANAGER_SCOPE in asked["scope"].split()
    run.terminal.send(code)
    status, out, left = run.end()
    assert (status, left) == (0, "line one\nline two\n")
    assert out.splitlines() == [
        f"Initializing the environment for tunnel: {tunnel}",
        f"The environment is initialized for use with tunnel {tunnel}",
        f"Your application key file base directory is {cli.base}/",
        f"Your contact string is: globus.{tunnel}:{cli.conf(tunnel)['fake_port']}"]


def test_a_script_that_takes_the_messages_is_not_asked(cli, far):
    """With its stderr elsewhere a command starts no login: it says which one is needed."""
    log_in(cli, far)
    run = Piped(cli, "environment", "initialize", far.active(), outputs=(1, 2))
    status, out, left = run.end()
    assert status == 4 and f"globus-streams login --scope '{MANAGER_SCOPE}'" in out and left == "line one\nline two\n"
    assert run.terminal.text == ""


@pytest.mark.parametrize("columns", [20, 80, 400])
def test_the_address_is_one_line(cli, far, columns):
    terminal = Terminal(cli, "login", "--no-browser", columns=columns)
    terminal.read_until("Enter the code: ")
    assert len(alone_in_its_line(terminal.text)) > 200
    terminal.send("")
    assert terminal.end() == 4 and "no code was entered" in terminal.text


def test_the_address_for_a_browser_is_one_line(cli, far):
    cli.environment["BROWSER"] = "/bin/true"
    terminal = Terminal(cli, "login", columns=40)
    terminal.read_until(r"code_challenge\S+\r\n")
    alone_in_its_line(terminal.text)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == -signal.SIGTERM


@pytest.mark.parametrize("words, status", [(["login", "--no-browser"], -signal.SIGINT), (["environment", "initialize"], 130)])
def test_control_c_leaves_the_terminal_as_it_was(cli, far, words, status):
    if words[0] == "environment":
        log_in(cli, far)
        words = [*words, far.active()]
    terminal = Terminal(cli, *words)
    terminal.read_until("Enter the code: ")
    keeper = os.dup(terminal.fd)
    asked = termios.tcgetattr(keeper)
    os.write(terminal.fd, b"half a co\x03")
    assert terminal.end() == status
    assert termios.tcgetattr(keeper) == asked and asked[3] & termios.ECHO and asked[3] & termios.ICANON
    os.close(keeper)
    if status == 130:
        assert re.search(r"\n.*interrupted", terminal.text)


# --- without a terminal ---


def without_a_terminal(cli, *words):
    return subprocess.Popen([str(PROGRAM), *words], env=cli.environment, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize("stream, words", [("stdout", []), ("stderr", ["--format", "json"])])
def test_without_a_terminal_login_uses_stdin_and_stdout(cli, far, stream, words):
    process = without_a_terminal(cli, "login", "--no-browser", *words)
    text = ""
    while "authorize?" not in text:
        text += getattr(process, stream).readline()
    out, err = process.communicate(far.log_in(address_in(text))[0] + "\n", timeout=30)
    assert process.returncode == 0, err
    assert cli.run("whoami").ok() == "ada@example.org\n"


def test_without_a_terminal_login_takes_one_line_of_stdin(cli, far):
    """What follows the code is for the next program."""
    script = f'"{PROGRAM}" login --no-browser && cat'
    process = subprocess.Popen(["sh", "-c", script], env=cli.environment, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    text = ""
    while "authorize?" not in text:
        text += process.stdout.readline()
    code = far.log_in(address_in(text))[0]
    out, err = process.communicate(f"{code}\r\nthe rest\n", timeout=30)
    assert process.returncode == 0 and out.endswith("You are logged in.\nthe rest\n"), out + err


def test_in_the_background_the_terminal_is_left_alone(cli, far):
    """It is another job that the user talks to."""
    script = f'set -m; "{PROGRAM}" login --no-browser <"{os.devnull}" & wait $!; echo "status $?"'
    terminal = Terminal(cli, streams={}, program=["/bin/bash", "-c", script])
    terminal.end()
    assert "Enter the code" in terminal.text and "no code was entered" in terminal.text, terminal.text
    assert "status 4" in terminal.text


# --- the other question ---


@pytest.mark.parametrize("answer, deleted", [("n", False), ("", False), ("y", True)])
def test_whether_to_delete_all(cli, far, answer, deleted):
    cli.environment.update(GLOBUS_CLI_CLIENT_ID=far_side.CLIENT_ID, GLOBUS_CLI_CLIENT_SECRET=far_side.CLIENT_SECRET)
    cli.run("environment", "initialize", far.active()).ok()
    reader, writer = os.pipe()
    terminal = Terminal(cli, "environment", "cleanup", "--all", "--force", streams={1: writer})
    os.close(writer)
    terminal.read_until(r"\[y/N\] ")
    terminal.send(answer)
    assert terminal.end() == (0 if deleted else 2)
    assert bool(list(cli.base.glob("*.conf"))) != deleted
    assert os.read(reader, 4096).startswith(b"Deleted") == deleted
    os.close(reader)
