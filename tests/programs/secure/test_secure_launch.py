"""A command that could not be served does not start: filters, containers, what is missing."""

import os
import shutil
import signal
import socket

import pytest

from lab import GOOD, PROGRAMS, RUN, SHIM, STORM, SUPERVISOR, need, one_warning, wait_listening, warnings, write_conf
from launches import Daemon, status_of
from processes import wait_for
from users import tools_of

BOX = PROGRAMS / "box"
CALLS = ["pidfd_open", "pidfd_getfd", "process_vm_readv", "RECV", "ID_VALID", "ADDFD", "SEND"]
HOW = ["docker", "podman", "systemd", "nspawn"]
SIDES = {"initiator": {}, "listener": {"connector_contact_string": "", "listener_contact_string": "127.0.0.1:8"}}


def launched(lab, base, tunnel, *around, options=()):
    """The launcher with a command that leaves a file behind if it runs at all."""
    started = lab.folder / "started"
    here = lab.start(*around, RUN, "--base-dir", base, *options, tunnel, "--", "/bin/sh", "-c", f'>"{started}"')
    return here, here.wait(), started.exists()


@pytest.fixture
def base(bare_lab):
    return bare_lab.folder / "base"


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("error", [1, 38, "kill"], ids=["EPERM", "ENOSYS", "kill"])
@pytest.mark.parametrize("call", CALLS)
def test_filter_that_forbids_one_call(bare_lab, base, call, error, side):
    """As docker's profile for root, nspawn's, or systemd's SystemCallFilter do."""
    tunnel = write_conf(base, **(GOOD | SIDES[side]))
    here, status, ran = launched(bare_lab, base, tunnel, BOX, "deny", call, error)
    assert (status, ran) == (1, False), here
    assert len(here.err.splitlines()) == 1, here
    one_warning(here, f"{call}\\(?\\)", *HOW)


@pytest.mark.parametrize("error", [1, "kill"])
def test_filter_that_forbids_filters(bare_lab, base, error):
    """systemd's @system-service has no seccomp()."""
    tunnel = write_conf(base, **GOOD)
    here, status, ran = launched(bare_lab, base, tunnel, BOX, "deny", "seccomp", error)
    assert (status, ran) == (1, False), here
    assert len(here.err.splitlines()) == 1, here
    one_warning(here, r"seccomp\(\)", *HOW)


@pytest.mark.parametrize("error", [1, 38])
def test_filter_that_forbids_what_is_not_needed(bare_lab, base, error):
    """Pidfds of threads can be opened where this runs (Linux 6.9), or kcmp() is needed."""
    tunnel = write_conf(base, **GOOD)
    here, status, ran = launched(bare_lab, base, tunnel, BOX, "deny", "kcmp", error)
    if ran:
        assert (status, here.err) == (0, "")
    else:
        one_warning(here, r"kcmp\(\)", *HOW)


# --- a supervisor that is not ours ---

@pytest.mark.parametrize("call", ["pidfd_getfd", "process_vm_readv"])
def test_daemon_that_cannot_look(lab, tunnel, call):
    """It says no before it is given the program, which is served by one of its own."""
    daemon = Daemon(lab, program=BOX, words=["deny", call, 1, SUPERVISOR])
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, options=["--attach", daemon.path], stdin="open")
    wait_for("the program", lambda: here.out == "ready\n")
    one_warning(here, "runs its own")
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\n")
    here.end()
    there.end()
    daemon.program.end()


@pytest.mark.parametrize("call", ["ADDFD"])
@pytest.mark.parametrize("side", SIDES)
def test_daemon_that_cannot_serve(bare_lab, base, call, side):
    """It has the program already: the command does not start."""
    daemon = Daemon(bare_lab, program=BOX, words=["deny", call, 1, SUPERVISOR])
    tunnel = write_conf(base, **(GOOD | SIDES[side]))
    here, status, ran = launched(bare_lab, base, tunnel, options=["--attach", daemon.path])
    assert (status, ran) == (1, False), here
    assert len(warnings(here)) == 1, here
    one_warning(here, f"{call}\\(?\\)", "attach", *HOW)
    daemon.program.end()


# --- root that may do less ---

def lesser(*words):
    if os.geteuid() != 0:
        pytest.skip("only root can be a lesser root")
    return [need("setpriv"), *words]


def run_as(who, lab, base, tunnel, *command, **options):
    return lab.start(*who, RUN, "--base-dir", base, tunnel.id, "--", *command, **options)


@pytest.mark.parametrize("less", ["-sys_ptrace", "-all,+chown,+dac_override,+kill,+setuid,+setgid,+net_bind_service"],
                         ids=["without ptrace", "like a container"])
def test_root_without_ptrace(lab, tunnel, less):
    """Both ends work: what is permitted, and not in effect, lets the kernel trust keeper and supervisor."""
    who = lesser(f"--bounding-set={less}")
    there = run_as(who, lab, tunnel.listener, tunnel, STORM, "serve", tunnel.port, 1)
    wait_listening(tunnel.port, there)
    here = run_as(who, lab, tunnel.initiator, tunnel, STORM, "call", tunnel.name, tunnel.fake_port, 1, 20, 3)
    tools = tools_of(there)
    assert here.wait() == 0, here
    assert warnings(here) == [], here
    for name, pid in tools.items():
        may = status_of(pid)
        if name == "gs-hand":  # which opens files of programs that have as much
            assert may["CapEff"] == may["CapPrm"]
        else:
            assert int(may["CapEff"], 16) == (1 << 5 if name == "gs-keeper" else 0), (name, may)  # CAP_KILL
        assert int(may["CapPrm"], 16) & 1 << 19 == 0
    there.process.send_signal(signal.SIGTERM)
    there.wait()
    assert warnings(there) == [], there


def test_program_of_another_user_without_ptrace(lab, tunnel):
    """The kernel lets nobody look into it: its connects to the tunnel fail, and a line says why."""
    who = lesser("--bounding-set=-sys_ptrace")
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = run_as(who, lab, tunnel.initiator, tunnel, *lesser("--reuid=65534", "--regid=65534", "--clear-groups"),
                  STORM, "call", tunnel.name, tunnel.fake_port, 1, 1, 3)
    assert here.wait(60) != 0, here
    assert any("cannot be inspected" in line and "--cap-add SYS_PTRACE" in line for line in warnings(here)), here
    there.end()


# --- what is no command ---

@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "folder"])
@pytest.mark.parametrize("how", ["path", "PATH"])
def test_command_that_is_no_file(bare_lab, base, kind, how):
    """Nobody waits for a FIFO's writer; what a shell says of it is said."""
    tunnel = write_conf(base, **GOOD)
    folder = bare_lab.folder / "bin"
    folder.mkdir()
    path = folder / "command"
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "fifo":
            os.mkfifo(path, 0o777)
        elif kind == "socket":
            listening.bind(str(path))
        elif kind == "device":
            path.symlink_to("/dev/tty")
        else:
            path.mkdir()
        here = bare_lab.start(RUN, "--base-dir", base, tunnel, "--", path if how == "path" else "command",
                              env={"PATH": f"{folder}:{bare_lab.env['PATH']}"})
        assert here.wait(10) == 126, here
    one_warning(here, "command: Permission denied")


# --- the shim ---

@pytest.fixture
def installed(bare_lab):
    """A copy of the launcher, with the shim where it belongs if it is put there."""
    def install(folder="tree", shim=True):
        root = bare_lab.folder / folder
        (root / "cli").mkdir(parents=True)
        shutil.copy(RUN, root / "cli")
        if shim:
            (root / "shim").mkdir()
            shutil.copy(SHIM, root / "shim")
        return root / "cli" / RUN.name
    return install


FAULTS = {"missing": ({"shim": False}, "reinstall"), "blank": ({"folder": "a tree"}, "another folder"),
          "colon": ({"folder": "a:tree"}, "another folder")}


def launch_from(lab, base, tunnel, launcher, *options):
    started = lab.folder / "started"
    here = lab.start(launcher, "--base-dir", base, *options, tunnel, "--", "/bin/sh", "-c",
                     f'echo "$LD_PRELOAD"; >"{started}"')
    return here, here.wait(), started.exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_shim_that_cannot_be_loaded(bare_lab, base, installed, fault):
    """A mapped name would lead to its real host, in clear: the command does not start."""
    how, remedy = FAULTS[fault]
    tunnel, launcher = write_conf(base, **GOOD), installed(**how)
    here, status, ran = launch_from(bare_lab, base, tunnel, launcher)
    assert (status, ran) == (1, False), here
    assert len(here.err.splitlines()) == 1, here
    one_warning(here, "libglobus_streams_shim", remedy, "--hosts", "--no-shim")
    here, status, ran = launch_from(bare_lab, base, tunnel, launcher, "--hosts")
    assert (status, ran) == (0, True), here
    one_warning(here, "libglobus_streams_shim", "/etc/hosts")


def test_shim_that_cannot_be_read(bare_lab, base, installed):
    if os.geteuid() == 0:
        pytest.skip("root may read it")
    tunnel, launcher = write_conf(base, **GOOD), installed()
    (launcher.parent.parent / "shim" / SHIM.name).chmod(0)
    here, status, ran = launch_from(bare_lab, base, tunnel, launcher)
    assert (status, ran) == (1, False), here
    one_warning(here, "cannot be read")


def test_listener_needs_no_shim(bare_lab, base, installed):
    tunnel = write_conf(base, **(GOOD | SIDES["listener"]))
    here, status, ran = launch_from(bare_lab, base, tunnel, installed(shim=False))
    assert (status, ran, here.err) == (0, True, "")


def test_without_the_shim(bare_lab, base):
    """An option of its own, whose line says what is lost; nothing is where the names are found otherwise."""
    tunnel = write_conf(base, **GOOD)
    here, status, ran = launch_from(bare_lab, base, tunnel, RUN, "--no-shim")
    assert (status, ran, here.out) == (0, True, "\n"), here
    one_warning(here, "--no-shim", "bypass the tunnels")
    here, status, ran = launch_from(bare_lab, base, tunnel, RUN, "--no-shim", "--hosts")
    assert (status, ran, here.out, here.err) == (0, True, "\n", ""), here


# --- /proc ---

def test_memory_that_cannot_be_written(bare_lab, base):
    """/proc is read-only, as in a bubblewrap of `--ro-bind / /`."""
    tunnel, started = write_conf(base, **GOOD), bare_lab.folder / "started"
    script = f'mount -o remount,ro,bind /proc && exec "{RUN}" --base-dir "{base}" {tunnel} -- /bin/sh -c \'>"{started}"\''
    how = [need("unshare"), "-m" if os.geteuid() == 0 else "-Urm", "/bin/sh", "-c"]
    if bare_lab.start(*how, "mount -o remount,ro,bind /proc").wait() != 0:
        pytest.skip("no mount namespace can be made here")
    here = bare_lab.start(*how, script)
    assert here.wait() == 1, here
    assert len(here.err.splitlines()) == 1, here
    one_warning(here, "/proc/PID/mem for writing", "bwrap: --proc /proc", "--mount-proc")
    assert not started.exists()


# --- ports and sides ---

def with_port(lab, base, tunnels, port, how, named=None):
    options = ["--port", port] if how == "option" else []
    env = {} if how == "option" else {f"GLOBUS_STREAMS_INTERCEPT_PORT_{port}": named or tunnels[0]}
    here = lab.run(base, tunnels, "/bin/true", options=options, env=env)
    assert here.wait() == 0, here
    return here


@pytest.mark.parametrize("how", ["option", "variable"])
def test_port_for_the_side_that_calls(bare_lab, base, how):
    """Scripts that always pass one are right, and are told: the port is for authenticated connections alone,
    and nobody makes any."""
    tunnel = write_conf(base, **GOOD)
    here = with_port(bare_lab, base, [tunnel], 8888, how)
    one_warning(here, f"{tunnel}.conf is for the initiator side", "port 8888", "--listener-contact-string")


@pytest.mark.parametrize("how", ["option", "variable"])
@pytest.mark.parametrize("side", ["listener", "not known"])
def test_port_for_a_side_that_may_listen(bare_lab, base, how, side):
    values = SIDES["listener"] if side == "listener" else {"connector_contact_string": ""}
    tunnel = write_conf(base, **(GOOD | values))
    assert with_port(bare_lab, base, [tunnel], 8888, how).err == ""


def test_port_beside_a_side_that_calls(bare_lab, base):
    """It is for the tunnel that listens."""
    calls, listens = write_conf(base, **GOOD), write_conf(base, **(GOOD | SIDES["listener"]))
    assert with_port(bare_lab, base, [calls, listens], 8888, "option").err == ""
