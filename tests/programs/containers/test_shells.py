"""Terminals that outlive a login, and programs that start many others."""

import os
import shutil

import pytest

from lab import LOOPBACK, PATH, PYTHON, SOURCE, free_port, need, wait_listening
from processes import wait_for
from ways import TALK, FarSide, inside, is_not_redirected, script, talk


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_parallel(lab, tunnel, where):
    """GNU parallel, four at a time."""
    far, texts = FarSide(tunnel, 8), [str(number) for number in range(8)]
    parallel, line = [need("parallel"), "-j4", "--will-cite"], talk(tunnel, "{}")
    if where == "inside":
        here = lab.start(*parallel, *inside(tunnel, *line), ":::", *texts)
    else:
        here = tunnel.call(*parallel, *line, ":::", *texts)
    assert sorted(here.ok(60)) == texts
    far.has_exactly(*texts)


class Terminals:
    """A server of terminals: started, given a command, and ended at the end of the test."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.env = {"TERM": "xterm", "SHELL": "/bin/sh", "SCREENDIR": str(lab.folder / "screens")}
        (lab.folder / "screens").mkdir(mode=0o700)

    def new(self, line):
        """Words that start a server with a terminal which runs this line."""
        if self.name == "tmux":
            return [need("tmux"), "-S", self.lab.folder / "tmux", "-f", "/dev/null", "new-session", "-d", line]
        return [need("screen"), "-c", "/dev/null", "-S", "server", "-d", "-m", "/bin/sh", "-c", line]

    def more(self, line):
        """Words that have a running one start another terminal."""
        if self.name == "tmux":
            return [need("tmux"), "-S", self.lab.folder / "tmux", "new-window", "-d", line]
        return [need("screen"), "-S", "server", "-X", "screen", "/bin/sh", "-c", line]


@pytest.fixture(params=["tmux", "screen"])
def terminals(lab, request):
    return Terminals(lab, request.param)


def until(lab, line):
    """It runs, and its terminal goes on until the test says so; what it prints is in `said`."""
    return f'{{ {line}; }} >>"{lab.folder}/said" 2>&1; until [ -e "{lab.folder}/go" ]; do sleep 0.05; done'


def said(lab):
    path = lab.folder / "said"
    return wait_for("its output", lambda: path.exists() and path.read_text())


def test_server_started_inside(lab, tunnel, terminals):
    """It belongs to the launch, and so do all its terminals, those that come later too."""
    far = FarSide(tunnel, 2)
    tunnel.call(*terminals.new(until(lab, script(tunnel, "first"))), env=terminals.env).ok()
    wait_for("the first", lambda: "first" in said(lab))
    lab.start(*terminals.more(until(lab, script(tunnel, "later"))), env=terminals.env).ok()
    far.has_exactly("first", "later")
    wait_for("the answer", lambda: "later" in said(lab))
    (lab.folder / "go").touch()


def test_server_that_runs_already(lab, tunnel, terminals):
    """It starts its terminals itself: they are not redirected, with a launcher around its client."""
    far = FarSide(tunnel, 1)
    lab.start(*terminals.new(until(lab, "echo up")), env=terminals.env).ok()
    wait_for("the server", lambda: "up" in said(lab))
    assert tunnel.call(*terminals.more(until(lab, script(tunnel, "around"))), env=terminals.env).ok() == ""
    wait_for("the look-up's failure", lambda: f"talk: {tunnel.name}" in said(lab), timeout=40)
    assert far.texts() == [] and far.program.running()
    launcher = " ".join(f"'{word}'" for word in inside(tunnel))
    lab.start(*terminals.more(until(lab, f"{launcher} {script(tunnel, 'within')}")), env=terminals.env).ok()
    far.has_exactly("within")
    (lab.folder / "go").touch()


SSHD = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
{more}
"""


def sshd(lab, more=""):
    """An sshd of the test's; the words that reach it."""
    folder, port = lab.folder / "ssh", free_port()
    folder.mkdir(mode=0o755)
    for key in ("host", "user"):
        lab.start(need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / key).ok()
    (folder / "conf").write_text(SSHD.format(port=port, folder=folder, more=more))
    there = lab.start("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"', "sh",
                      need("sshd"), "-D", "-e", "-f", folder / "conf")
    wait_listening(port, there)
    return [need("ssh"), "-F", "none", "-p", port, "-i", folder / "user", "-o", "StrictHostKeyChecking=no", "-o",
            f"UserKnownHostsFile={folder}/known", "-o", "LogLevel=ERROR", LOOPBACK]


@pytest.mark.skipif(os.geteuid() != 0, reason="sshd is root's here")
@pytest.mark.parametrize("leaks", [False, True])
def test_ssh(lab, tunnel, leaks):
    """sshd starts what is to run there: the launcher belongs after ssh."""
    if not shutil.which("sshd", path=PATH):
        pytest.skip("no sshd here, and to install one would open the machine to others")
    far, send = FarSide(tunnel, 1), ["-o", "SendEnv=LD_PRELOAD"] if leaks else []
    ssh = sshd(lab, "AcceptEnv LD_PRELOAD" if leaks else "")
    is_not_redirected(tunnel.call(ssh[0], *send, *ssh[1:], script(tunnel, "around")), far, leaks)
    launcher = " ".join(f"'{word}'" for word in inside(tunnel))
    assert lab.start(*ssh, f"{launcher} {script(tunnel, 'after')}").ok() == "after"
    far.has_exactly("after")


def test_jupyter(tunnel):
    """A launcher around the notebook's server: all its kernels are in the launch, after a restart too."""
    listen = f'"{TALK}" listen {tunnel.port}'
    there = tunnel.listen("/bin/sh", "-c", f"{listen} first; {listen} second")
    here = tunnel.call(PYTHON, SOURCE / "src/notebook.py", "python3", tunnel.name, tunnel.fake_port)
    assert here.wait(85) == 0, here
    assert here.out.splitlines() == ["first", "KeyboardInterrupt", "second", "ended"]
    assert there.ok() == "onetwo"
