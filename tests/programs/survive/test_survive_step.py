"""A supervisor that ends at each point of a connect and of an accept, one after the other.

The points are its system calls, before and after each, and in a longer run instructions in between. To
stop it there one has to trace it, which only root may: nobody else can look into a supervisor.
"""

import os
import random
import signal

import pytest

from storms import Pair

INSTRUCTIONS = int(os.environ.get("GS_TEST_STEP_INSTRUCTIONS", "0"))  # points, beside the system calls
LAST = 400  # no connect takes more system calls


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
