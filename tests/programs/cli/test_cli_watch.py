"""globus-streams connections --watch: the screen, on a terminal that tmux plays."""

import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import time

import pytest

import lab as laboratory
from lab import CLI, write_conf
from launches import below
from processes import wait_for

KEYS = "q quit  s sort: "


class Terminal:
    """A shell in a terminal of tmux, in which the program is started."""

    def __init__(self, lab, columns, rows, **env):
        self.tmux = [laboratory.need("tmux"), "-u", "-S", lab.folder / "tmux", "-f", "/dev/null"]
        self.env = lab.env | {"TERM": "xterm-256color", "SHELL": "/bin/sh", "PS1": "$ "} | env
        self.call("new-session", "-d", "-x", str(columns), "-y", str(rows), "env",
                  *(f"{name}={value}" for name, value in self.env.items() if name != "TERM"), "sh")

    def call(self, *words):
        return subprocess.run([*self.tmux, *words], env=self.env, check=True, capture_output=True, text=True).stdout

    def screen(self, *words):
        return self.call("capture-pane", "-p", *words)

    def wait(self, pattern):
        """Until the screen has what is expected, a regular expression; its text."""
        def there():
            text = self.screen()
            return text if re.search(pattern, text, re.M) else None
        try:
            return wait_for(f"{pattern!r} on the screen", there)
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{self.screen()}") from None

    def press(self, *keys):
        self.call("send-keys", *keys)

    def type(self, text):
        self.call("send-keys", "-l", text)
        self.press("Enter")

    def start(self, *words, env=""):
        self.type("echo before; stty -g >modes; {} {}".format(env, shlex.join([str(CLI), "connections", "--watch",
                                                                              *map(str, words)])))

    def alternate(self):
        return self.call("display-message", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}").strip()

    def given_back(self, status):
        """The shell has its screen again, with the modes that it had."""
        wait_for("the prompt", lambda: self.screen().rstrip().endswith("\n$"))  # what is typed before that is its own
        self.type("echo status $?; stty -g | cmp - modes && echo the same modes")
        text = self.wait("^the same modes")
        assert "before" in text and f"status {status}" in text and KEYS not in text
        assert self.alternate() == "0 1 1"

    def end(self):
        subprocess.run([*self.tmux, "kill-server"], env=self.env, check=False, capture_output=True)


@pytest.fixture
def terminal(bare_lab):
    made = []

    def make(columns=80, rows=24, **env):
        made.append(Terminal(bare_lab, columns, rows, **env))
        made[-1].wait(r"^\$")
        return made[-1]
    os.chdir(bare_lab.folder)
    yield make
    for one in made:
        one.end()


class Connections:
    """Those of this process to a contact, and the folder whose conf names it."""

    def __init__(self, lab, count):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 2 * count + 500), hard), hard))
        self.server = socket.create_server(("127.0.0.1", 0), backlog=128)
        port = self.server.getsockname()[1]
        self.base = lab.folder / "base"
        self.tunnel = write_conf(self.base, connector_contact_string=f"127.0.0.1:{port}")
        self.near, self.far = [], []
        for _ in range(count):
            self.add()

    def add(self):
        self.near.append(socket.create_connection(self.server.getsockname()))
        self.far.append(self.server.accept()[0])

    def end(self):
        for sock in (self.server, *self.near, *self.far):
            sock.close()


@pytest.fixture
def some(bare_lab):
    made = []

    def make(count):
        made.append(Connections(bare_lab, count))
        return made[-1]
    yield make
    for one in made:
        one.end()


@pytest.mark.parametrize("count", [1, 50, 1000])
@pytest.mark.parametrize("size", [(80, 24), (200, 60)], ids=["80x24", "200x60"])
def test_the_screen(terminal, some, count, size):
    columns, rows = size
    connections, shell = some(count), terminal(columns, rows)
    shell.start("--base-dir", connections.base)
    shown = min(count, rows - 4)
    text = shell.wait(rf"1 to {shown} of {count}$")
    lines = text.splitlines()
    assert len(lines) == rows and all(len(line) <= columns for line in lines)
    assert lines[0].startswith(f"globus-streams: {count} connection") and "sent" in lines[0]
    assert lines[1].split()[:5] == ["Process", "Tunnel", "Sent/s", "Recv/s", "Rates"]
    assert ("Peer" in lines[1], "Unread" in lines[1]) == (columns == 200, columns == 200)
    for line in lines[2:2 + shown]:
        assert line.split()[1] == connections.tunnel[:8] and line.endswith((" new", " idle", " program sends less"))
    assert lines[-1].startswith(KEYS) and shell.alternate() == "1 0 0"
    shell.press("End")
    shell.wait(rf"^{count - shown + 1} to {count} of {count}$")
    shell.press("Home")
    shell.wait(rf"^1 to {shown} of {count}$")
    shell.press("q")
    shell.given_back(0)


def test_it_follows_what_changes(terminal, some):
    """Connections, rates and bars; a new one's age is known."""
    connections, shell = some(1), terminal(200, 60)
    shell.start("--base-dir", connections.base)
    shell.wait("^1 to 1 of 1$")
    connections.add()
    text = shell.wait("^1 to 2 of 2$")
    assert len(re.findall(r" > \d+ s ", text)) == 1
    deadline = time.monotonic() + 20
    while not re.search("[▁▂▃▄▅▆▇█]{2}", shell.screen()):
        assert time.monotonic() < deadline, shell.screen()
        connections.near[0].sendall(bytes(1000))
        time.sleep(0.05)
    for sock in (connections.near.pop(), connections.far.pop()):
        sock.close()
    shell.wait("^1 to 1 of 1$")


@pytest.mark.parametrize("env, bars", [("LC_ALL=C", "[.:=+*%#-]{2}"), ("LC_ALL=C.UTF-8", "[▁▂▃▄▅▆▇█]{2}")])
def test_with_and_without_utf_8(terminal, some, env, bars):
    connections, shell = some(1), terminal()
    shell.start("--base-dir", connections.base, env=env)
    deadline = time.monotonic() + 20
    while not re.search(bars, "".join(shell.screen().splitlines()[2:3])):
        assert time.monotonic() < deadline, shell.screen()
        connections.near[0].sendall(bytes(1000))
        time.sleep(0.05)
    if env == "LC_ALL=C":
        assert shell.screen().isascii()


def test_no_color(terminal, some):
    connections, shell = some(1), terminal()
    shell.start("--base-dir", connections.base)
    shell.wait("^1 to 1 of 1$")
    assert "\x1b[" in shell.screen("-e")
    shell.press("q")
    shell.given_back(0)
    shell.type("clear")
    shell.start("--base-dir", connections.base, env="NO_COLOR=1")
    shell.wait("^1 to 1 of 1$")
    assert "\x1b[" not in shell.screen("-e")


def test_sorting_and_filtering(terminal, some):
    connections, shell = some(2), terminal(200, 60)
    shell.start("--base-dir", connections.base)
    shell.wait("^1 to 2 of 2$")
    for order in ("received/s", "process", "tunnel", "age", "verdict", "sent/s"):
        shell.press("s")
        shell.wait(f"sort: {order} ")
    shell.press("r")
    shell.wait(r"sort: sent/s \(reversed\)")
    peers = [f"127.0.0.1:{sock.getsockname()[1]}" for sock in connections.far]
    shell.press("/")
    shell.call("send-keys", "-l", "no such text")
    shell.wait("^filter: no such text_")
    shell.wait("^0 to 0 of 0$")
    shell.press("Escape")
    shell.wait("^1 to 2 of 2$")
    shell.press("/")
    shell.call("send-keys", "-l", peers[0] + "q")
    shell.press("BSpace", "Enter")
    text = shell.wait(f"/ filter: {peers[0]}$")
    assert "1 to 2 of 2" in text
    shell.press("q")
    shell.given_back(0)


def test_a_terminal_that_changes_its_size(terminal, some):
    connections, shell = some(50), terminal()
    shell.start("--base-dir", connections.base)
    shell.wait("^1 to 20 of 50$")
    shell.call("resize-window", "-x", "200", "-y", "60")
    text = shell.wait("^1 to 50 of 50$")
    assert "Unread" in text
    shell.call("resize-window", "-x", "40", "-y", "5")
    text = shell.wait("^1 to 1 of 50$")
    assert text.startswith("globus-streams:")
    shell.call("resize-window", "-x", "10", "-y", "2")
    shell.wait(r"\Aglobus-str\n")
    shell.call("resize-window", "-x", "80", "-y", "24")
    shell.wait("^1 to 20 of 50$")


def pid_of_the_program(shell):
    (pane,) = shell.call("list-panes", "-F", "#{pane_pid}").split()
    return wait_for("the program", lambda: below(int(pane), "globus-streams"))


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "SEGV"])
def test_a_signal_leaves_the_terminal_as_it_was(terminal, some, name):
    connections, shell = some(1), terminal()
    shell.type("ulimit -c 0")
    shell.start("--base-dir", connections.base)
    shell.wait("^1 to 1 of 1$")
    number = signal.Signals[f"SIG{name}"]
    if name == "INT":
        shell.press("C-c")
    else:
        os.kill(pid_of_the_program(shell), number)
    shell.given_back(128 + number)


def test_it_can_be_stopped(terminal, some):
    connections, shell = some(1), terminal()
    shell.type("set -m")
    shell.start("--base-dir", connections.base)
    shell.wait("^1 to 1 of 1$")
    shell.press("C-z")
    shell.wait("Stopped")
    assert shell.alternate() == "0 1 1"
    shell.type("clear; echo before; fg")
    shell.wait("^1 to 1 of 1$")
    assert shell.alternate() == "1 0 0"
    shell.press("q")
    shell.given_back(0)


def test_names_of_programs_move_nothing(terminal, some, bare_lab):
    connections, shell = some(0), terminal()
    port = connections.server.getsockname()[1]
    bare_lab.start(laboratory.PYTHON, laboratory.SOURCE / "src/pace.py", "call", "hold", "127.0.0.1", port,
                   env={"PACE_NAME": "\x1b[2J\n\u00e9\x9b"})
    connections.far.append(connections.server.accept()[0])
    shell.start("--base-dir", connections.base)
    text = shell.wait("^1 to 1 of 1$")
    assert text.splitlines()[2].startswith(" [2J é") and text.startswith("globus-streams: 1 connection")
