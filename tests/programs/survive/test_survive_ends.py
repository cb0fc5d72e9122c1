"""Keeper, launcher and daemon end, or cannot begin: a clear end in bounded time, and nothing left."""

import os
import resource
import signal
import stat
from contextlib import suppress

import pytest

from lab import RUN, STORM, SUPERVISOR, warnings
from launches import attached, cpu_of, keeper_of, supervisor_of
from processes import ended, stat_of, wait_for


def test_keeper_killed(tunnel):
    """It is said; the command and what it has go on; nothing hangs, and signals still arrive."""
    here = tunnel.call("/bin/sleep", "1000")
    wait_for("the command", lambda: any(name == "sleep" for name, _ in here.children().values()))
    (sleep,) = [pid for pid, (name, _) in here.children().items() if name == "sleep"]
    try:
        os.kill(keeper_of(here), signal.SIGKILL)
        wait_for("the warning", lambda: "gs-keeper was killed" in here.err or not here.running(), timeout=10)
        assert "gs-keeper was killed" in here.err
        here.process.send_signal(signal.SIGTERM)
        assert here.wait(3) == 143
    finally:
        if stat_of(sleep):
            os.kill(sleep, signal.SIGKILL)


def test_supervisor_killed_with_its_keeper(lab, tunnel):
    """Both at once: calls fail with an error, none waits for anybody."""
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    wait_for("the program", lambda: here.out == "ready\n")
    (storm,) = [pid for pid, (name, _) in here.children().items() if name == "storm"]
    keeper, supervisor = keeper_of(here), supervisor_of(here)
    try:
        os.kill(keeper, signal.SIGSTOP)
        os.kill(supervisor, signal.SIGKILL)
        os.kill(keeper, signal.SIGKILL)
        here.process.stdin.write(b"\n")
        here.process.stdin.flush()
        wait_for("an error", lambda: here.out == "ready\nbad\n", timeout=5)
        assert "Function not implemented" in here.err
    finally:
        if stat_of(storm):
            os.kill(storm, signal.SIGKILL)


def limit_descriptors(pid, count):
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, hard))


@pytest.mark.parametrize("room", ["none", "one"])
def test_supervisor_that_cannot_begin(lab, tunnel, room):
    """No descriptor is left for it: calls get an error in the end, and nobody burns the processor. With
    room for one, it can be started, and ends at once."""
    if os.geteuid() != 0:
        pytest.skip("only root may see the keeper's descriptors")
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    wait_for("the program", lambda: here.out == "ready\n")
    keeper = keeper_of(here)
    numbers = {int(name): os.readlink(f"/proc/{keeper}/fd/{name}")
               for name in os.listdir(f"/proc/{keeper}/fd")}
    if room == "none":  # the supervisor's own is closed before another is made
        numbers = {number: what for number, what in numbers.items() if "pidfd" not in what}
    limit_descriptors(keeper, next(number for number in range(1000) if number not in numbers))
    os.kill(supervisor_of(here), signal.SIGKILL)
    before = cpu_of(keeper)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    try:
        wait_for("an error", lambda: here.out == "ready\nbad\n")
        if "Connection refused" in here.err:
            pytest.skip("a supervisor was started all the same: a number had been free only for a moment")
        assert "Function not implemented" in here.err
        assert cpu_of(keeper) - before < 3  # it does not spin
    finally:
        limit_descriptors(keeper, 1024)


def test_no_process_can_be_started(lab, tunnel):
    """RLIMIT_NPROC: after some tries the program is let go, and told."""
    if os.geteuid() != 0:
        pytest.skip("root starts it as an ordinary user of its own")
    user = 61234
    os.chmod(lab.folder, 0o711)
    for folder in lab.folder.parents:
        if folder.stat().st_uid == 0 and str(folder) != "/" and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    for path in [tunnel.initiator, *tunnel.initiator.iterdir()]:
        os.chown(path, user, user)
    here = lab.start("/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", RUN,
                     "--base-dir", tunnel.initiator, tunnel.id, "--", STORM, "ask", tunnel.name,
                     tunnel.fake_port, stdin="open")
    wait_for("the program", lambda: here.out == "ready\n" or not here.running())
    assert here.running(), here
    keeper = keeper_of(here)
    lab.start("/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "/usr/bin/prlimit",
              f"--pid={keeper}", "--nproc=1:1").ok()
    os.kill(supervisor_of(here), signal.SIGKILL)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("an error", lambda: here.out == "ready\nbad\n", timeout=10)
    assert "Function not implemented" in here.err
    wait_for("the warning", lambda: any("cannot start the supervisor" in line for line in warnings(here)))
    before = cpu_of(keeper)
    signal.sigtimedwait([], 1)
    assert cpu_of(keeper) - before < 0.5


# --- the daemon ---


def test_daemons_supervisor_killed(lab, tunnel, daemon):
    """Programs of many launches lose nothing when their one supervisor ends."""
    there = attached(tunnel, daemon, "serve", tunnel.port, 2, listens=True)
    callers = [attached(tunnel, daemon, "call", tunnel.name, tunnel.fake_port, 1, 60, 40 + i)
               for i in range(1)]
    kills = 0
    while any(caller.running() for caller in callers):
        pid = daemon.supervisor
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        signal.sigtimedwait([], 0.05)
    for caller in callers:
        assert caller.wait() == 0, caller
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
    assert kills > 0
    assert not supervisor_of(there), "it has one of its own"


def test_daemon_killed_while_nothing_waits(lab, tunnel, daemon):
    """A launch whose daemon is gone serves itself."""
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    supervisor = daemon.supervisor
    daemon.program.process.kill()
    os.kill(supervisor, signal.SIGKILL)
    wait_for("a supervisor of its own", lambda: supervisor_of(here), timeout=5)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\n", timeout=5)
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there


def test_daemon_killed_while_accept_is_held(lab, tunnel, daemon):
    """The call is made again, to the supervisor that takes the daemon's place."""
    there = attached(tunnel, daemon, "serve", tunnel.port, 1, listens=True)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    wait_for("the program", lambda: here.out == "ready\n")
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\n", timeout=5)
    supervisor = daemon.supervisor
    daemon.program.process.kill()
    os.kill(supervisor, signal.SIGKILL)
    wait_for("a supervisor of its own", lambda: supervisor_of(there), timeout=5)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\ngood\n", timeout=5)


def test_daemons_keeper_killed(lab, tunnel, daemon):
    """Nothing of it stays: the launches serve themselves."""
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    supervisor = daemon.supervisor
    daemon.program.process.kill()
    try:
        wait_for("a supervisor of its own", lambda: supervisor_of(here), timeout=3)
        assert ended(supervisor)
    finally:
        if stat_of(supervisor):
            os.kill(supervisor, signal.SIGKILL)


def test_daemon_whose_supervisor_cannot_begin(lab, tunnel, daemon):
    """It lets go of its launches, which serve themselves: none waits for it."""
    if os.geteuid() != 0:
        pytest.skip("only root may see the keeper's descriptors")
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    keeper = daemon.program.pid
    numbers = {int(name) for name in os.listdir(f"/proc/{keeper}/fd")
               if "pidfd" not in os.readlink(f"/proc/{keeper}/fd/{name}")}
    limit_descriptors(keeper, next(number for number in range(1000) if number not in numbers))
    os.kill(daemon.supervisor, signal.SIGKILL)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    try:
        wait_for("a supervisor of its own", lambda: supervisor_of(here), timeout=10)
        wait_for("the answer", lambda: here.out == "ready\ngood\n", timeout=5)
    finally:
        limit_descriptors(keeper, 1024)
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there


def test_daemon_ends_when_asked(lab, tunnel, daemon):
    """SIGTERM waits for the programs that are attached, a second one does not."""
    here = attached(tunnel, daemon, "ask", tunnel.name, tunnel.fake_port)
    wait_for("the program", lambda: here.out == "ready\n")
    daemon.program.process.send_signal(signal.SIGTERM)
    signal.sigtimedwait([], 0.2)
    assert daemon.program.running()
    here.process.stdin.close()
    assert here.wait() == 0
    assert daemon.program.wait(5) == 0
    assert not daemon.path.exists()


def test_daemon_takes_the_place_of_a_dead_one(lab, daemon):
    """Its socket is recognised as left behind; one that is answered is not taken."""
    second = lab.start(SUPERVISOR, "--socket", daemon.path)
    assert second.wait() == 1 and "already listens there" in second.err
    supervisor = daemon.supervisor
    daemon.program.process.kill()
    os.kill(supervisor, signal.SIGKILL)
    daemon.program.wait()
    assert daemon.path.exists()
    wait_for("its end", lambda: not daemon.answers())
    daemon.start()
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o600


def test_what_is_no_socket_stays(lab):
    """A file refuses connections just as a socket does that was left behind."""
    folder = lab.folder / "own"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text("precious")
    refused = lab.start(SUPERVISOR, "--socket", folder / "file")
    assert refused.wait() == 1 and "not a socket" in refused.err
    assert (folder / "file").read_text() == "precious"


def test_folder_that_others_may_write_to(lab):
    folder = lab.folder / "open"
    folder.mkdir()
    folder.chmod(0o777)
    refused = lab.start(SUPERVISOR, "--socket", folder / "s")
    assert refused.wait() == 1
    assert "others may write to it" in refused.err
