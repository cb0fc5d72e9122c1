"""Programs that exit, exec or are killed at each step of a connect and an accept.

The supervisor is held at each fault point meanwhile (test_survive_faults.py), and goes on afterwards.
"""

import itertools
import os

import pytest

from faults import ACCEPT, AT_MOST, BELL, CONNECT, FATES, HOLD, Counted, Faults, Told, gone
from lab import BOTH_SPEEDS, PYTHON
from launches import supervisor_of
from processes import stat_of, wait_for

pytestmark = BOTH_SPEEDS

ALL = "GS_TEST_FATES" in os.environ  # each fate at each step; else they take turns


ACCEPT4 = {"x86_64": "288", "aarch64": "242"}[os.uname().machine]


def accepts(pid):
    """Is its first thread in accept()? Who may not look is told by its sleep."""
    try:
        with open(f"/proc/{pid}/syscall", encoding="utf-8") as file:
            return file.read().split()[0] == ACCEPT4
    except PermissionError:
        return (stat_of(pid) or "??")[1] == "S"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_at_each(faults, victim, names, fates, once):
    """once(fate) at each of these points; it returns whether the point was reached."""
    reached = set()
    for point in names:
        for first in range(AT_MOST):
            wait_for("a supervisor", lambda: supervisor_of(victim))
            faults.order(point, first, HOLD)
            fate = next(fates)
            try:
                there = once(fate)
            except AssertionError as error:
                raise AssertionError(f"{fate} at {point}, passed {first} times: {error}") from None
            if not there:
                break
            reached.add(point)
    return reached


def fates_of_this_run():
    return [[fate] for fate in ("kill", "exit", "exec")] if ALL else [["kill", "exit", "exec"]]


@pytest.fixture
def faults(lab):
    return Faults(lab)


def held(faults, pid):
    wait_for("the supervisor to be held, or the child to end", lambda: faults.name == "held" or gone(pid))
    there = faults.name == "held"
    if not there:
        faults.order("")
    return there


@pytest.mark.limit(200)
@pytest.mark.parametrize("fates", fates_of_this_run(), ids="-".join)
def test_callers_that_end(tunnel, faults, fates):
    """Nothing is left of them, and who calls next is not held up."""
    tunnel.listen(PYTHON, FATES, "echo", tunnel.port)
    here = Told(tunnel.call(PYTHON, FATES, "call", tunnel.name, tunnel.fake_port, stdin="open", **faults.how))
    assert here.ask("ask") == "good"
    counted = Counted(here.program, "python3")

    def once(fate):
        child = here.begin()
        there = held(faults, child)
        assert here.ask(fate) == "gone"
        faults.order("")
        assert here.ask("ask") == "good"
        return there
    reached = end_at_each(faults, here.program, CONNECT, itertools.cycle(fates), once)
    counted.check()
    assert set(CONNECT) <= reached, set(CONNECT) - reached


@pytest.mark.limit(200)
@pytest.mark.parametrize("fates", fates_of_this_run(), ids="-".join)
def test_servers_that_end(tunnel, faults, fates):
    """Who calls next is answered by another process on the same socket."""
    there = Told(tunnel.listen(PYTHON, FATES, "serve", tunnel.port, stdin="open", **faults.how))
    here = Told(tunnel.call(PYTHON, FATES, "call", tunnel.name, tunnel.fake_port, stdin="open"))

    def answered():
        there.tell("serve")
        assert here.ask("ask") == "good"
        assert there.hear() == "served"
    answered()
    counted = Counted(there.program, "python3")

    def once(fate):
        server = there.begin()
        wait_for("its accept()", lambda: accepts(server) or gone(server))  # the caller may come first otherwise
        here.begin()
        reached = held(faults, server)
        assert there.ask(fate) == "gone"
        faults.order("")
        answered()
        assert here.ask("kill") == "gone"
        return reached
    reached = end_at_each(faults, there.program, ACCEPT + BELL, itertools.cycle(fates), once)
    # where the caller of the round before has come late, accept() had it at once
    again = sorted(set(ACCEPT) - reached)
    reached |= end_at_each(faults, there.program, again, itertools.cycle(fates), once)
    # the last caller that ended may come late, and waits until somebody accepts
    counted.check(meanwhile=answered)
    assert set(ACCEPT) <= reached, set(ACCEPT) - reached
