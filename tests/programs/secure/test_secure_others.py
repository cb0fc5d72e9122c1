"""Who may not: another user, a container's root, and the program itself."""

import os
import re
import stat
from pathlib import Path

import pytest

from lab import PYTHON, SOURCE, SUPERVISOR, need
from processes import wait_for
from users import OTHER, open_for_all, parts_of, tools_of

INTRUDE = SOURCE / "src/secure_intrude.py"


def running(tunnel):
    here = tunnel.call("/bin/sleep", "1000")
    wait_for("the command", lambda: any(name == "sleep" for name, _ in here.children().values()))
    return here


def intrude(lab, how, *words):
    """Every attempt that succeeded, by name; the attempts are told so that none is forgotten."""
    told = lab.start(*how, PYTHON, INTRUDE, *words).ok()
    results = dict(line.split("=", 1) for line in told.splitlines())
    assert len(results) >= 3, told
    return {name for name, result in results.items() if not result.startswith("refused")}


def as_other_user():
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    return [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups"]


def as_container_root():
    """Root that may do nothing: no capability, and none to be had."""
    if os.geteuid() != 0:
        pytest.skip("only root can be a lesser root")
    return [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "--bounding-set=-all",
            "--inh-caps=-all", "--no-new-privs", need("unshare"), "-Ur"]


def as_lesser_root():
    if os.geteuid() != 0:
        pytest.skip("only root can be a lesser root")
    return [need("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


# to read and to write memory, to take descriptors and to put others in their place, to trace
ATTEMPTS = ("mem", "mem_write", "environ", "descriptors", "reopen", "trace", "take", "vm", "vm_write")

WHO = {"another-user": as_other_user, "container-root": as_container_root}


@pytest.mark.parametrize("who", WHO)
def test_files_of_others(lab, tunnel, who):
    """The conf and what is beside it."""
    how = WHO[who]()
    open_for_all(tunnel.initiator.parent)
    conf = tunnel.initiator / f"{tunnel.id}.conf"
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600
    words = [word for path in tunnel.initiator.rglob("*") if path.is_file() for word in ("read", path)]
    assert intrude(lab, how, *words, "write", conf, "read", "/etc/shadow") == set()


@pytest.mark.parametrize("who", [*WHO, "lesser-root"])
@pytest.mark.parametrize("tool", ["gs-keeper", "gs-supervisor"])
def test_processes_of_others(lab, tunnel, who, tool):
    """Memory, environment, descriptors: not to be read, taken, traced or ended."""
    how = {**WHO, "lesser-root": as_lesser_root}[who]()
    here = running(tunnel)
    pid = tools_of(here)[tool]
    words = [word for what in ATTEMPTS for word in (what, pid)]
    if who != "lesser-root":
        words += ["kill", pid]
    assert intrude(lab, how, *words) == set()
    assert here.running() and tools_of(here)[tool] == pid


@pytest.mark.parametrize("who", WHO)
def test_control_socket_of_others(lab, who):
    """It is closed to others by its folder and its mode, and by what the kernel says of a caller."""
    how = WHO[who]()
    open_for_all(lab.folder)
    folder = lab.folder / "sockets"
    folder.mkdir(mode=0o755)
    path = folder / "s"
    daemon = lab.start(SUPERVISOR, "--socket", path)
    wait_for("its socket", lambda: path.exists() or not daemon.running())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert intrude(lab, how, "control", path, "read", "/etc/shadow", "write", path) == set()
    path.chmod(0o666)  # if it were open after all
    assert intrude(lab, how, "control", path, "read", "/etc/shadow", "write", "/etc/shadow") == set()
    assert "another user" in daemon.err


def test_control_socket_in_anothers_folder(lab):
    """A launch that attaches to another user's socket would hand over its secret: it does not."""
    how = as_other_user()
    open_for_all(lab.folder)
    folder = lab.folder / "theirs"
    folder.mkdir()
    os.chown(folder, OTHER, OTHER)
    listener = lab.start(*how, PYTHON, "-c",
                         "import socket,sys,time\ns=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET)\n"
                         "s.bind(sys.argv[1]);s.listen()\nimport os\nos.chmod(sys.argv[1],0o777)\n"
                         "print('ready',flush=True)\nc,_=s.accept()\nprint(len(c.recv(100000)))", folder / "s")
    wait_for("the trap", lambda: listener.out == "ready\n" or not listener.running())
    tunnel = lab.tunnel()
    here = tunnel.call("/bin/true", options=["--attach", folder / "s"])
    here.wait()
    listener.wait(10)
    assert listener.out == "ready\n0\n", "it was told something"


def test_the_program_itself(lab, tunnel):
    """The same user, below the tool: keeper and supervisor are closed to it all the same."""
    if os.geteuid() == 0:
        how = as_lesser_root()  # root with all its rights may do anything
    else:
        how = []
    script = lab.folder / "inside"
    script.write_text(
        "import os, subprocess, sys\n"
        "keeper = os.getppid()\n"
        "while 'gs-keeper' not in open(f'/proc/{keeper}/comm').read():\n"
        "    keeper = int(open(f'/proc/{keeper}/stat').read().rsplit(')', 1)[1].split()[1])\n"
        "words = []\n"
        "for pid in [str(keeper), *open(f'/proc/{keeper}/task/{keeper}/children').read().split()]:\n"
        "    if open(f'/proc/{pid}/comm').read().startswith('gs-'):\n"
        f"        for what in {ATTEMPTS}:\n"
        "            words += [what, pid]\n"
        f"assert len(words) >= {4 * len(ATTEMPTS)}, words\n"
        "os.execv(sys.executable, [sys.executable, sys.argv[1], *words])\n")
    here = tunnel.call(*how, PYTHON, script, INTRUDE)
    results = dict(line.split("=", 1) for line in here.ok().splitlines())
    assert len(results) >= 2 * len(ATTEMPTS)
    assert {name for name, result in results.items() if not result.startswith("refused")} == set()


def test_the_secret_is_not_on_a_command_line_or_in_a_core(lab, tunnel):
    """Arguments of all processes; keeper and supervisor leave no core behind."""
    here = running(tunnel)
    secrets = [part for secret in tunnel.secrets() for part in parts_of(secret)]
    for pid in here.children():
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert not any(secret in line for secret in secrets)
    for pid in tools_of(here).values():
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 ", limits) or os.stat(f"/proc/{pid}/mem").st_uid == 0


def test_a_folder_that_others_may_read_is_refused(lab, tunnel):
    """A conf that is open to others has no secret any more: the launcher says so."""
    conf = tunnel.initiator / f"{tunnel.id}.conf"
    conf.chmod(0o644)
    here = tunnel.call("/bin/true")
    assert here.wait() != 0 and str(conf) in here.err
