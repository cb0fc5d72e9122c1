"""The supervisor as a service: the test plays the service manager (sd_notify(3), sd_listen_fds(3))."""

import array
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from lab import BUILD, CLI, PATH, PYTHON, RUN, SOURCE, STORM, SUPERVISOR, missing
from launches import agree, attached, below, keeper_of, one_connection, put, status
from processes import wait_for

CONTRIB, BUILT = SOURCE.parents[1] / "contrib/systemd", BUILD / "contrib/systemd"


class Manager(threading.Thread):
    """Listens on NOTIFY_SOCKET, keeps what it is given to store, and passes it to the next start."""

    def __init__(self, lab, abstract=False, stores=True, watchdog=None):
        super().__init__(daemon=True)
        self.lab, self.stores, self.watchdog = lab, stores, watchdog
        self.folder = lab.folder / "runtime"
        self.folder.mkdir(mode=0o700)
        self.path = self.folder / "supervisor"
        self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listening.bind(str(self.path))
        self.listening.listen(100)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f"\0globus-streams-test-{os.getpid()}-{id(self)}" if abstract else str(lab.folder / "notify")
        self.notify.bind(name)
        self.name = name.replace("\0", "@")
        self.told, self.stored, self.program = [], {}, None
        self.start()

    def run(self):
        while True:
            data, ancillary, _, _ = self.notify.recvmsg(4096, socket.CMSG_SPACE(16))
            fds = array.array("i")
            for _, _, content in ancillary:
                fds.frombytes(content)
            self.take(dict(line.split("=", 1) for line in data.decode().splitlines()), list(fds))
            if data == b"END=1":
                return

    def take(self, message, fds):
        self.told.append(message)
        if "FDSTORE" in message and self.stores:
            self.stored[message["FDNAME"]] = fds.pop()
        if "FDSTOREREMOVE" in message:
            os.close(self.stored.pop(message["FDNAME"]))
        for fd in fds:
            os.close(fd)

    def launch(self, *words):
        """Start the service, with its socket and what was stored."""
        passed = [f"{self.listening.fileno()}=control", *(f"{fd}={name}" for name, fd in self.stored.items())]
        env = self.lab.env | {"NOTIFY_SOCKET": self.name}
        if self.watchdog:
            env["WATCHDOG_USEC"] = str(self.watchdog)
        before = self.ready
        out = open(self.lab.folder / "service.err", "ab")
        self.program = subprocess.Popen(
            [PYTHON, str(SOURCE / "src/pass_descriptors.py"), *passed, "--", str(SUPERVISOR), *words],
            env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            pass_fds=[self.listening.fileno(), *self.stored.values()])
        out.close()
        wait_for("READY=1", lambda: self.ready > before or self.program.poll() is not None)
        assert self.program.poll() is None, (self.lab.folder / "service.err").read_text()

    @property
    def ready(self):
        return sum("READY" in message for message in self.told)

    @property
    def supervisor(self):
        return below(self.program.pid, "gs-supervisor")

    def stop(self):
        self.program.send_signal(signal.SIGTERM)
        assert self.program.wait(10) == 0

    def restart(self):
        self.stop()
        self.launch()

    def finish(self):
        if self.program and self.program.poll() is None:
            os.kill(self.program.pid, signal.SIGKILL)
            self.program.wait()
        self.notify.sendto(b"END=1", self.name.replace("@", "\0"))
        self.join()
        for fd in self.stored.values():
            os.close(fd)
        self.notify.close()
        self.listening.close()


@pytest.fixture
def manage(lab):
    managers = []

    def make(**how):
        managers.append(Manager(lab, **how))
        return managers[-1]
    yield make
    for manager in managers:
        manager.finish()


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_readiness_and_activation(lab, tunnel, manage, abstract):
    """The socket is the manager's; READY=1 and STOPPING=1 are told."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    manager = manage(abstract=abstract)
    manager.launch()
    one_connection(tunnel, manager).end()
    manager.stop()
    assert any("STOPPING" in message for message in manager.told)
    assert manager.path.exists(), "it is the manager's"
    there.end()


def test_restart_loses_nothing(lab, tunnel, manage):
    """The manager keeps state and descriptors while the service is started again: no call fails, none is
    made twice, and nothing stays in the store."""
    manager = manage()
    manager.launch()
    there = attached(tunnel, manager, "serve", tunnel.port, 4, listens=True)
    here = attached(tunnel, manager, "call", tunnel.name, tunnel.fake_port, 4, 1)
    restarts = 0
    while here.running():
        signal.sigtimedwait([], 0.1)
        manager.restart()
        restarts += 1
    assert here.wait() == 0, here
    wait_for("an empty store", lambda: not manager.stored)
    assert status(lab, manager)["programs"] == 1
    assert not below(keeper_of(there), "gs-supervisor")
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
    agree(here, there, 5)
    assert restarts > 2


def test_store_that_is_dropped(lab, tunnel, manage):
    """After a stop the manager lets go of it all: the launches serve themselves."""
    manager = manage()
    manager.launch()
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = one_connection(tunnel, manager)
    manager.stop()
    manager.path.unlink()
    assert manager.stored
    for name in list(manager.stored):
        os.close(manager.stored.pop(name))
    wait_for("a supervisor of its own", lambda: below(keeper_of(here), "gs-supervisor"), timeout=5)
    put(here)
    wait_for("the answer", lambda: here.out == "ready\ngood\ngood\n", timeout=5)
    here.end()
    there.end()


def test_manager_that_stores_nothing(lab, tunnel, manage):
    """The launches attach to the next one, as they do after any other end."""
    manager = manage(stores=False)
    manager.launch()
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = one_connection(tunnel, manager)
    manager.restart()
    wait_for("the launch", lambda: status(lab, manager)["programs"] == 1, timeout=5)
    put(here)
    wait_for("the answer", lambda: here.out == "ready\ngood\ngood\n", timeout=5)
    here.end()
    there.end()


def test_stored_state_of_another_layout(lab, tunnel, manage):
    """It is let go as a whole; the launches attach again."""
    manager = manage()
    manager.launch()
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = one_connection(tunnel, manager)
    manager.stop()
    os.pwrite(manager.stored["gs-memory"], b"0123456789abcdef-1000\0", 0)
    manager.launch()
    wait_for("the launch", lambda: status(lab, manager)["programs"] == 1, timeout=5)
    wait_for("an empty store", lambda: not manager.stored)
    put(here)
    wait_for("the answer", lambda: here.out == "ready\ngood\ngood\n", timeout=5)
    here.end()
    there.end()


def test_watchdog(lab, manage):
    """Signs of life come only while keeper and supervisor both work."""
    manager = manage(watchdog=300_000)
    manager.launch()

    def signs():
        return sum("WATCHDOG" in message for message in manager.told)
    wait_for("three signs of life", lambda: signs() >= 3, timeout=3)
    os.kill(manager.program.pid, signal.SIGSTOP)
    before = signs()
    signal.sigtimedwait([], 0.5)
    assert signs() <= before + 1
    os.kill(manager.program.pid, signal.SIGCONT)
    wait_for("signs of life", lambda: signs() >= before + 2, timeout=3)


class Held:
    """A process that a tracer holds: it looks alive to its parent, and does nothing."""

    def __init__(self, pid):
        self.pid, self.libc = pid, ctypes.CDLL(None, use_errno=True)

    def ptrace(self, request):
        if self.libc.ptrace(request, self.pid, None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def __enter__(self):
        self.ptrace(0x4206)  # PTRACE_SEIZE
        self.ptrace(0x4207)  # PTRACE_INTERRUPT
        os.waitpid(self.pid, 0x40000000)  # __WALL

    def __exit__(self, *_):
        self.ptrace(17)  # PTRACE_DETACH


def test_watchdog_of_a_loop_that_stands(lab, manage):
    if os.geteuid() != 0:
        pytest.skip("only root may hold a supervisor")
    manager = manage(watchdog=300_000)
    manager.launch()

    def signs():
        return sum("WATCHDOG" in message for message in manager.told)
    wait_for("two signs of life", lambda: signs() >= 2, timeout=3)
    with Held(manager.supervisor):
        before = signs()
        signal.sigtimedwait([], 0.5)
        assert signs() <= before + 1
    wait_for("signs of life", lambda: signs() >= before + 3, timeout=3)


def test_no_socket_is_passed(lab):
    """Neither --socket nor a manager: one line."""
    refused = lab.start(SUPERVISOR)
    assert refused.wait() == 2 and "--socket" in refused.err and refused.err.count("\n") == 1


def verify(user, folder, *units):
    """What systemd's own program says of units whose programs are those that were built."""
    analyze = shutil.which("systemd-analyze")
    if not CONTRIB.exists():
        pytest.skip("only where the sources are")
    if not analyze:
        missing("systemd-analyze")
    built = {"/usr/bin/globus-streams-supervisor": SUPERVISOR, "/usr/bin/globus-streams-run": RUN,
             "/usr/bin/globus-streams\"": f"{CLI}\""}
    for unit in units:
        text = next(path for path in (BUILT / unit, CONTRIB / unit) if path.exists()).read_text()
        for there, here in built.items():
            text = text.replace(there, str(here))
        (folder / unit).write_text(text)
    env = {"PATH": PATH, "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder), "SYSTEMD_LOG_LEVEL": "info"}
    said = subprocess.run([analyze, *(["--user"] if user else []), "--man=no", "--recursive-errors=no", "verify",
                           *(folder / unit for unit in units)], env=env, capture_output=True, text=True, check=False)
    return said.returncode, said.stdout + said.stderr


def test_units(tmp_path):
    """systemd's own program finds nothing wrong with them."""
    units = [f"globus-streams-supervisor.{kind}" for kind in ("service", "socket")]
    assert verify(True, tmp_path, *units) == (0, "")


@pytest.mark.parametrize("whose", ["system", "user"])
def test_examples(tmp_path, whose):
    assert verify(whose == "user", tmp_path, f"globus-streams-{whose}@.service") == (0, "")


@pytest.mark.parametrize("kind", ["--user", "--system"])
def test_units_of_the_agent(tmp_path, kind):
    analyze = shutil.which("systemd-analyze")
    if not CONTRIB.exists():
        pytest.skip("only where the sources are")
    if not analyze:
        missing("systemd-analyze")
    for name in ("supervisor.socket", "oci.socket", "supervisor.service", "oci@.service"):
        path = next(folder / f"globus-streams-{name}" for folder in (BUILT, CONTRIB)
                    if (folder / f"globus-streams-{name}").exists())
        text = re.sub(r'"/usr/bin/(globus-streams[a-z-]*)"', f"{CLI.parent}/\\1", path.read_text())
        (tmp_path / path.name).write_text(text.replace(f"{CLI.parent}/{SUPERVISOR.name}", str(SUPERVISOR)))
    # a burst of containers would fail the socket, and all later ones with it
    assert "TriggerLimitBurst=0\n" in (tmp_path / "globus-streams-oci.socket").read_text()
    env = {"PATH": PATH, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path), "SYSTEMD_LOG_LEVEL": "info",
           "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    said = subprocess.run([analyze, kind, "--man=no", "--recursive-errors=no", "verify",
                           tmp_path / "globus-streams-oci.socket", tmp_path / "globus-streams-oci@.service"], env=env,
                          capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
