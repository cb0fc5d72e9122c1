"""globus-streams connections --accounting: a line for each connection that has ended."""

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from lab import CLI, PYTHON, SOURCE, need, write_conf
from processes import wait_for
from users import open_for_all

PACE = SOURCE / "src/pace.py"


class Accounting:
    def __init__(self, lab, base, path, *wrapper):
        self.path = path
        self.program = lab.start(*wrapper, CLI, "connections", "--base-dir", base, "--accounting", path)

    def ready(self, lab, port):
        """Until a connection to the port is written down."""
        def written():
            assert self.program.running(), self.program
            with socket.socket() as probe:
                probe.connect(("127.0.0.1", port))
            return self.lines()
        wait_for("the first line", written)

    def lines(self, path=None):
        path = path or self.path
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def contact(bare_lab):
    """A folder whose conf names a port that takes connections and ends them."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as server:
        port = server.getsockname()[1]
        base = bare_lab.folder / "base"
        write_conf(base, connector_contact_string=f"127.0.0.1:{port}")
        yield base, port, server


def test_a_connection_of_a_tunnel(lab):
    tunnel = lab.tunnel()
    path = lab.folder / "accounting"
    accounting = Accounting(lab, tunnel.initiator, path)
    wait_for("the file", path.exists)
    assert path.stat().st_mode & 0o777 == 0o600
    far = tunnel.listen(PYTHON, PACE, "listen", "exchange", "127.0.0.1", tunnel.port)
    near = tunnel.call(PYTHON, PACE, "call", "exchange", tunnel.name, tunnel.fake_port)
    words = [CLI, "connections", "--base-dir", tunnel.initiator, "-F", "json"]

    def known():
        """It has lasted for some looks."""
        (one,) = json.loads(lab.start(*words).ok())["data"] or [{"age_ms": 0}]
        return one if one["age_ms"] > 3000 and one["received_bytes"] == 500 else None
    one = wait_for("a connection of three seconds", known)
    near.end()
    (line,) = wait_for("the line", accounting.lines)
    assert all(line[key] == one[key] for key in ("pid", "peer", "local"))
    assert (line["tunnel_id"], line["side"], line["authenticated"]) == (tunnel.id, "initiator", True)
    assert line["sent_bytes"] == 1000
    assert line["received_bytes"] in (500, 501) and line["process"].startswith("python3")
    far.end()
    assert accounting.program.running()


def test_it_is_opened_again(bare_lab, contact):
    base, port, _ = contact
    accounting = Accounting(bare_lab, base, bare_lab.folder / "accounting")
    accounting.ready(bare_lab, port)
    old = accounting.path.rename(bare_lab.folder / "old")
    before = len(accounting.lines(old))
    os.kill(accounting.program.pid, signal.SIGHUP)
    wait_for("the new file", accounting.path.exists)
    accounting.ready(bare_lab, port)
    after = len(accounting.lines(old))
    assert after >= before
    accounting.path.unlink()
    accounting.path.symlink_to(old)
    os.kill(accounting.program.pid, signal.SIGHUP)
    wait_for("the warning", lambda: "warning: cannot write" in accounting.program.err)
    assert "it is a symbolic link" in accounting.program.err and accounting.program.running()
    assert len(accounting.lines(old)) == after


def drops_of(pid):
    """How many messages the kernel could not keep, for each socket of netlink that the process has."""
    links = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    for line in Path("/proc/net/netlink").read_text().splitlines()[1:]:
        fields = line.split()
        if f"socket:[{fields[9]}]" in links:
            yield int(fields[8])


def test_what_is_lost_is_marked(bare_lab, contact):
    """While it is stopped, more connections end than the kernel keeps."""
    base, port, server = contact
    accounting = Accounting(bare_lab, base, bare_lab.folder / "accounting")
    accounting.ready(bare_lab, port)
    os.kill(accounting.program.pid, signal.SIGSTOP)
    while not any(drops_of(accounting.program.pid)):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            server.accept()[0].close()
    os.kill(accounting.program.pid, signal.SIGCONT)
    wait_for("a line that says so", lambda: any(line.get("gap") for line in accounting.lines()))
    assert accounting.program.running()


@pytest.mark.parametrize("how", ["a link", "readable", "another name", "a folder", "a pipe"])
def test_a_file_that_is_not_ours_alone(bare_lab, contact, how):
    path, other = bare_lab.folder / "accounting", bare_lab.folder / "other"
    other.write_text("kept")
    other.chmod(0o600)
    {"a link": lambda: path.symlink_to(other), "readable": lambda: path.write_text("") or path.chmod(0o644),
     "another name": lambda: os.link(other, path), "a folder": path.mkdir, "a pipe": lambda: os.mkfifo(path)}[how]()
    program = Accounting(bare_lab, contact[0], path).program
    assert program.wait() == 1 and str(path) in program.err and other.read_text() == "kept", program


def test_not_beside_watch(bare_lab, contact):
    program = bare_lab.start(CLI, "connections", "--watch", "--accounting", bare_lab.folder / "file")
    assert program.wait() == 2 and "exclude each other" in program.err, program


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_of_an_ordinary_user(bare_lab, contact):
    base, port, _ = contact
    open_for_all(bare_lab.folder)
    folder = bare_lab.folder / "theirs"
    folder.mkdir()
    for path in (folder, base, *base.iterdir()):
        os.chown(path, 65534, 65534)
    accounting = Accounting(bare_lab, base, folder / "accounting", need("setpriv"), "--reuid=65534", "--regid=65534",
                            "--clear-groups")
    accounting.ready(bare_lab, port)
    assert all(line["process"] is None and line["pid"] is None for line in accounting.lines())
