"""accept() under signals, stops and debuggers: it goes on, and no connection is lost."""

import os
import signal
import subprocess
import threading
import time

import pytest

from lab import PROGRAMS, need
from processes import stat_of, wait_for
from sockets_lab import program_of, word_from

# A minute, as the servers of the real world have it, with GS_TEST_SIGNALS_SECONDS=60.
STORM_SECONDS = int(os.environ.get("GS_TEST_SIGNALS_SECONDS", "4" if os.geteuid() == 0 else "2"))


class Calling:
    """Honest callers one after the other, from a thread, until it is left: all have to be answered."""

    def __init__(self, far, pause=0.02):
        self.far, self.pause, self.count, self.wrong = far, pause, 0, []
        self.over, self.thread = threading.Event(), threading.Thread(target=self.call, daemon=True)

    def call(self):
        while not self.over.is_set():
            try:
                answer = self.far.ask(self.count)
            except OSError as error:
                answer = repr(error)
            if answer != f"{self.count}\n":
                self.wrong.append((self.count, answer))
            self.count += 1
            self.over.wait(self.pause)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(25)
        assert not self.thread.is_alive(), f"caller {self.count} is not answered"


def alarmed(far, restart, how, us=1000):
    return far.start(PROGRAMS / "alarmed", far.port, restart, how, us)


def nothing_lost(there, calling):
    assert calling.wrong == []
    assert calling.count > 10
    there.process.send_signal(signal.SIGTERM)
    there.ok()
    assert [number for number, _ in taken_lines(there)] == list(range(calling.count))
    return int(word_from(there, "alarms"))


def taken_lines(there):
    return [(int(line), "") for line in there.out.splitlines() if line.isdigit()]


class Attached:
    """A debugger that is attached to a process and lets it run."""

    def __init__(self, debugger, pid):
        words = {"strace": ["-f", "-o", "/dev/null", "-p", pid],
                 "gdb": ["-nx", "-batch", "-p", pid, "-ex", "handle SIGALRM SIGUSR1 SIGTERM nostop noprint pass",
                         "-ex", "continue"]}[debugger]
        self.tracer = subprocess.Popen([need(debugger), *[str(word) for word in words]], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = pid
        wait_for("it is attached", lambda: self.holds(pid))

    @staticmethod
    def holds(pid):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return "TracerPid:\t0\n" not in status.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tracer.terminate()
        self.tracer.wait(10)
        os.kill(self.pid, signal.SIGCONT)  # gdb's SIGSTOP may be left over


def stop_and_continue(pid, seconds):
    """Twenty times a second."""
    for _ in range(20 * seconds):
        os.kill(pid, signal.SIGSTOP)
        wait_for("it is stopped", lambda: stat_of(pid)[1] == "T")
        time.sleep(0.01)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.03)


@pytest.mark.limit(60 + STORM_SECONDS)
@pytest.mark.parametrize("restart", ["restart", "no-restart"])
@pytest.mark.parametrize("meanwhile", ["alarms", "stops", "strace", "gdb"])
def test_one_accept_through_a_storm(far, restart, meanwhile):
    """One accept() under SIGALRM at 1 kHz, and what else may happen to a process: with SA_RESTART it does not
    return before there is a connection, and those that come then are all handed over."""
    if meanwhile in ("strace", "gdb"):
        need(meanwhile)
    there = alarmed(far, restart, "blocking")
    pid = program_of(there, "alarmed")
    if meanwhile == "alarms":
        time.sleep(STORM_SECONDS)
    elif meanwhile == "stops":
        stop_and_continue(pid, STORM_SECONDS)
    else:
        with Attached(meanwhile, pid):
            time.sleep(STORM_SECONDS)
    os.kill(pid, signal.SIGUSR1)
    for number in range(3):
        assert far.ask(number) == f"{number}\n"
    os.kill(pid, signal.SIGTERM)
    there.ok()
    assert [number for number, _ in taken_lines(there)] == [0, 1, 2]
    assert int(word_from(there, "alarms")) > 100 * STORM_SECONDS
    if restart == "restart":
        assert int(word_from(there, "returns")) <= 3 + 1  # SIGTERM's


# An answer that the kernel takes for a call that a signal has just taken back is lost, and told to be there. Measured:
# about one connection in a thousand under these storms. More than this of all, or than one, is a fault of ours.
LOST = 0.02


def few_lost(there, calling):
    """Each connection is handed over once and in order; but for a few that nobody has, whose callers are not
    answered."""
    os.kill(program_of(there, "alarmed"), signal.SIGUSR1)
    # one that comes with the last alarm does not end accept(), which the alarm has begun again
    wait_for("its end", lambda: not there.running() or there.process.send_signal(signal.SIGTERM))
    there.ok()
    lost = [number for number, _ in calling.wrong]
    assert calling.count > 10
    assert len(lost) <= max(1, LOST * calling.count), f"{len(lost)} of {calling.count}: {calling.wrong[:5]}"
    got = [number for number, _ in taken_lines(there)]
    assert got == [number for number in range(calling.count) if number not in lost]
    return int(word_from(there, "alarms"))


@pytest.mark.parametrize("restart,how", [
    ("restart", "blocking"), ("no-restart", "blocking"), ("restart", "poll"),
    ("no-restart", "poll")])
def test_under_alarms(far, restart, how):
    """accept() under SIGALRM at 1 kHz."""
    far.patience = 4
    there = alarmed(far, restart, how)
    with Calling(far) as calling:
        time.sleep(2)
    assert few_lost(there, calling) > 500


@pytest.mark.parametrize("restart", ["restart", "no-restart"])
def test_stopped_and_continued(far, restart):
    """SIGSTOP and SIGCONT twenty times a second, with the alarms."""
    far.patience = 4
    there = alarmed(far, restart, "blocking")
    pid = program_of(there, "alarmed")
    with Calling(far, 0.005) as calling:
        stop_and_continue(pid, 2)
    few_lost(there, calling)


@pytest.mark.parametrize("debugger", ["strace", "gdb"])
def test_with_a_debugger(far, debugger):
    """It attaches and detaches while accept() is held and connections come."""
    path = need(debugger)
    there = alarmed(far, "restart", "blocking", 0)
    pid = program_of(there, "alarmed")
    with Calling(far, 0.005) as calling:
        for _ in range(4):
            if debugger == "gdb":
                subprocess.run([path, "-nx", "-batch", "-p", str(pid), "-ex", "detach"], timeout=20, check=True,
                               stdin=subprocess.DEVNULL, capture_output=True)
                continue
            with subprocess.Popen([path, "-f", "-p", str(pid), "-o", "/dev/null"],
                                  stderr=subprocess.DEVNULL) as tracer:
                time.sleep(0.7)
                tracer.terminate()
                tracer.wait(10)
    nothing_lost(there, calling)


def test_attached_while_accept_is_held(far):
    """With strace there all the time, the call shows as interrupted and made again; it works."""
    there = far.start(need("strace"), "-f", "-o", "/dev/null", PROGRAMS / "alarmed", far.port, "restart", "blocking",
                      0)
    with Calling(far) as calling:
        time.sleep(2)
    assert calling.wrong == [] and calling.count > 10
    os.kill(program_of(there, "alarmed"), signal.SIGTERM)
    there.ok()
    assert [number for number, _ in taken_lines(there)] == list(range(calling.count))
