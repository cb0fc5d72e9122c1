"""A supervisor that ends at each point of a connect and of an accept, one after the other.

The points are its system calls, before and after each, and in a longer run instructions in between. To
stop it there one has to trace it, which only root may: nobody else can look into a supervisor.
"""

import os
import random
import signal
import time

import pytest

from lab import PROGRAMS
from processes import wait_for
from test_survive_storm import counts, supervisor_of

STORM, STEP = PROGRAMS / "storm", PROGRAMS / "storm-step"
INSTRUCTIONS = int(os.environ.get("GS_TEST_STEP_INSTRUCTIONS", "0"))  # points, beside the system calls
LAST = 400  # no connect takes more system calls


class Pair:
    """A listener and an initiator that connects when told to; there, here: how each is launched."""

    def __init__(self, lab, tunnel, polled, there=None, here=None):
        self.lab = lab
        words = ("poll",) if polled else ()
        self.there = tunnel.listen(STORM, "serve", tunnel.port, 1, *words, **there or {})
        self.here = tunnel.call(STORM, "ask", tunnel.name, tunnel.fake_port, *words, stdin="open", **here or {})
        self.lines = 0
        self.wait_for_line("ready")

    def wait_for_line(self, line):
        self.lines += 1
        wait_for(f"{line}: {self.here}", lambda: self.here.out.count("\n") == self.lines, timeout=5)
        got = self.here.out.splitlines()[-1]
        assert got == line, f"{got}: {self.here}\n{self.there}"

    def connect(self):
        self.here.process.stdin.write(b"\n")
        self.here.process.stdin.flush()
        self.wait_for_line("good")

    def attach(self, victim, calls, steps, number):
        """None: the supervisor was about to end already."""
        pid = wait_for("a supervisor", lambda: supervisor_of(victim))
        step = self.lab.start(STEP, pid, calls, steps, number)
        wait_for("the tracer", lambda: step.out or not step.running())
        return step if "attached" in step.out else None

    def connect_and_end(self, victim, calls, steps, number):
        """One connection, while the victim ends there: false if there is nothing so far on."""
        step = wait_for("a tracer of a supervisor", lambda: self.attach(victim, calls, steps, number))
        try:
            self.connect()
        except AssertionError as error:
            raise AssertionError(f"after {calls} stops at calls and {steps} steps: {step}\n{error}") from None
        end = time.monotonic() + 0.3
        while step.running() and time.monotonic() < end:
            time.sleep(0.002)
        there = not step.running()
        step.process.kill()
        step.wait()
        return there and "sent" in step.out

    def end(self):
        self.here.process.stdin.close()
        assert self.here.wait() == 0, self.here
        self.there.process.send_signal(signal.SIGTERM)
        assert self.there.wait() == 0, self.there
        assert counts(self.there.out) == {"done": self.lines - 1, "faults": 0}


@pytest.mark.limit(60 + INSTRUCTIONS)
@pytest.mark.parametrize("side", ["initiator", "listener"])
@pytest.mark.parametrize("polled", [False, True])
def test_end_at_each_call(lab, tunnel, side, polled):
    """Whatever the supervisor was about to do or had just done, the next one goes on from there."""
    if os.geteuid() != 0:
        pytest.skip("only root may trace a supervisor")
    pair = Pair(lab, tunnel, polled)
    victim = pair.here if side == "initiator" else pair.there
    calls = 1
    while calls < LAST and pair.connect_and_end(victim, calls, 0, signal.SIGKILL):
        calls += 1
    assert 20 < calls < LAST
    for _ in range(INSTRUCTIONS):
        pair.connect_and_end(victim, random.randrange(1, calls), random.randrange(3000), signal.SIGKILL)
    pair.connect()
    pair.end()
