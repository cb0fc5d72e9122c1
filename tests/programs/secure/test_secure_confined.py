"""What an intruder in the supervisor could do: nothing that is not its work, and the job goes on."""

import os
import re
import signal

import pytest

import sanitizers
from lab import PROGRAMS, STORM, warnings
from launches import status_of, supervisor_of
from processes import wait_for

pytestmark = pytest.mark.skipif(sanitizers.SANITIZED, reason="a build with AddressSanitizer does not confine "
                                "itself: the runtime reads files to tell what it has found")
CALL = PROGRAMS / "secure-call"
AT_FDCWD = -100
CALLS = {  # numbers of x86-64
    "openat": (257, AT_FDCWD, "/etc/passwd", 0),
    "execve": (59, "/bin/true", 0, 0),
    "socket": (41, 1, 1, 0),  # AF_UNIX
    "fork": (57,),
    "ptrace": (101, 0x4206, 1, 0, 0),
    "kill": (62, 1, signal.SIGCONT),
}


def test_what_a_supervisor_may(lab, tunnel):
    """Its list is in force, it gains no right, and the command's processes are not touched by this."""
    here = tunnel.call("/bin/sh", "-c", "cat /proc/self/status; cat", stdin="open")
    wait_for("the command", lambda: "NoNewPrivs" in here.out and supervisor_of(here))
    supervisor = wait_for("its supervisor, confined", lambda: status_of(supervisor_of(here))["Seccomp"] == "2"
                          and status_of(supervisor_of(here)))
    assert supervisor["NoNewPrivs"] == "1"
    assert int(supervisor["CapEff"], 16) in (0, 1 << 19)  # CAP_SYS_PTRACE, for root
    assert supervisor["CapPrm"] == supervisor["CapEff"]
    command = dict(re.findall(r"^(\w+):\s*(.*)$", here.out, re.M))
    if os.geteuid() == 0:
        assert command["NoNewPrivs"] == "0"


@pytest.mark.skipif(not CALL.exists(), reason="written for x86-64")
@pytest.mark.parametrize("name", CALLS)
def test_call_that_it_must_not_make(lab, tunnel, name):
    """It is not made; the supervisor ends, a line says why, and the next one does the work."""
    if os.geteuid() != 0:
        pytest.skip("only root may trace a supervisor; tests/unit/test_confine.c tries them all")
    there = tunnel.listen(STORM, "serve", tunnel.port, 1)
    here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, stdin="open")
    wait_for("the program", lambda: here.out == "ready\n")
    first = wait_for("its supervisor", lambda: supervisor_of(here))
    wait_for("its list", lambda: status_of(first)["Seccomp"] == "2")
    number, *arguments = CALLS[name]
    assert lab.start(CALL, first, number, *arguments).ok() == f"signal {signal.SIGSYS.value}\n"
    wait_for("another supervisor", lambda: supervisor_of(here) not in (None, first))
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the answer", lambda: here.out == "ready\ngood\n")
    wait_for("the warning", lambda: warnings(here))
    assert f"system call {number} ({name})" in warnings(here)[0]
    here.process.stdin.close()
    assert here.wait() == 0, here
    there.process.send_signal(signal.SIGTERM)
    assert there.wait() == 0, there
