"""Programs whose keeper, supervisor or both are gone for good, or stopped: an answer in bounded time."""

import os
import signal

import pytest

from lab import BOTH_SPEEDS, PYTHON
from processes import wait_for
from launches import keeper_of
from faults import HOLD, Faults
from faults import FATES, Told, gone
from launches import supervisor_of

pytestmark = BOTH_SPEEDS

NO_CALL = "[Errno 38] Function not implemented"


@pytest.fixture
def faults(lab):
    return Faults(lab)


def end_both(program):
    keeper, supervisor = keeper_of(program), supervisor_of(program)
    os.kill(keeper, signal.SIGSTOP)  # so that it starts no other
    os.kill(supervisor, signal.SIGKILL)
    os.kill(keeper, signal.SIGKILL)


def caller(tunnel, **how):
    tunnel.listen(PYTHON, FATES, "echo", tunnel.port)
    here = Told(tunnel.call(PYTHON, FATES, "call", tunnel.name, tunnel.fake_port, stdin="open", **how))
    assert here.ask("ask") == "good"
    return here


def fails(told):
    """The next call does, at once, and ends the program, which takes an error for its end."""
    told.tell("ask")
    wait_for("its end", lambda: not told.program.running(), timeout=5)
    assert told.program.wait() == 1 and NO_CALL in told.program.err, told.program


def test_calls_go_on_without_the_keeper(tunnel):
    """The supervisor serves them, and when it ends too, they fail."""
    here = caller(tunnel)
    supervisor = supervisor_of(here.program)
    os.kill(keeper_of(here.program), signal.SIGKILL)
    wait_for("the line about it", lambda: "gs-keeper was killed" in here.program.err)
    assert here.ask("ask") == "good"
    os.kill(supervisor, signal.SIGKILL)
    fails(here)


@pytest.mark.parametrize("point", ["connect.held", "connect.auth", "lan.sent", "connect.done", "notify.answering"])
def test_connect_that_is_under_way(tunnel, faults, point):
    here = caller(tunnel, **faults.how)
    faults.order(point, 0, HOLD)
    child = here.begin()
    wait_for("the point", lambda: faults.name == "held")
    end_both(here.program)
    wait_for("the end of who called", lambda: gone(child), timeout=5)
    assert NO_CALL in here.program.err
    fails(here)


def test_accept_that_is_held(tunnel):
    there = Told(tunnel.listen(PYTHON, FATES, "serve", tunnel.port, stdin="open"))
    child = there.begin()
    end_both(there.program)
    wait_for("the end of who accepts", lambda: gone(child), timeout=5)
    assert NO_CALL in there.program.err
    assert there.ask("kill") == "gone"


def test_supervisor_that_was_stopped(tunnel):
    """It is replaced; the call that it had in hand succeeds."""
    here = caller(tunnel)
    stopped = supervisor_of(here.program)
    os.kill(stopped, signal.SIGSTOP)
    assert here.ask("ask") == "good"
    assert supervisor_of(here.program) != stopped


def test_keeper_that_was_stopped(tunnel):
    """Calls go on; who needs another supervisor waits until the keeper goes on."""
    here = caller(tunnel)
    keeper = keeper_of(here.program)
    os.kill(keeper, signal.SIGSTOP)
    assert here.ask("ask") == "good"
    os.kill(supervisor_of(here.program), signal.SIGKILL)
    here.tell("ask")
    os.kill(keeper, signal.SIGCONT)
    assert here.hear() == "good"
