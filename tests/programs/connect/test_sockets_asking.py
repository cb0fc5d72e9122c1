"""connect() without blocking through a slow access point: who asks for the result and who does not (patience.h)."""

import errno
import os
import signal
from pathlib import Path

import pytest

import odd_gateways as odd
from held_lab import ATTACKER, VICTIM, as_user
from lab import RUN, one_warning
from odd_gateways import BlackHole, OddGateway
from processes import wait_for
from sockets_lab import ASYNC, FAKE_PORT, Initiator, at_most, echoes, script
from launches import Daemon

HOLD = ["--hold-connect"]
ASKERS = ["ask", "always", "again"]
SILENT = ["write", "name"]
SLACK_MS = 400  # that a busy machine may add to a second


def lines_of(program, timeout=60):
    return [(came, said, int(took)) for came, said, took in
            (line.split() for line in program.ok(timeout).splitlines())]


def asking(near, how, count=1, pause=0, **options):
    return near.run(*script("asking.py", near.name, FAKE_PORT, how, count, pause), **options)


def talk(near, *words, **options):
    return lines_of(asking(near, *words, **options))


def came_of(lines):
    return [came for came, _, _ in lines]


def waits_of(lines):
    """Whether each was held until the connection was there: 200 ms, where others are for 20 at most."""
    return [took > 140 for _, _, took in lines]


@pytest.fixture
def near(bare_lab):
    """Its access point takes 200 ms."""
    with OddGateway(echoes(delay=0.1)) as gateway:
        yield Initiator(bare_lab, gateway.port)


@pytest.mark.parametrize("how", SILENT + ASKERS)
def test_first_connection(near, how):
    """Whoever it is: nothing is known of it, and it is held. Then connect() says what it would have said."""
    ((came, said, took),) = talk(near, how)
    assert (came, said) == ("word", "EINPROGRESS") and 140 < took < 200 + SLACK_MS


@pytest.mark.parametrize("how", ASKERS)
def test_who_asks_is_held_once(near, how):
    lines = talk(near, how, 6)
    assert came_of(lines) == ["word"] * 6
    assert waits_of(lines) == [True] + [False] * 5, lines


def test_who_never_asks_loses_nothing_while_it_keeps_its_connections(near):
    """They are looked at: it has used one and has not asked."""
    lines = talk(near, "keep", 12)
    assert came_of(lines) == ["word"] * 12
    assert waits_of(lines) == [True] * 12


def test_who_never_asks_loses_one_connection_at_most(near):
    """It closes each. When a second is over one is a trial; whatever comes after that is held to the end."""
    lines = talk(near, "write", 15)
    assert len([came for came in came_of(lines) if came != "word"]) <= 1, lines
    assert waits_of(lines).count(False) <= 1, lines
    assert came_of(lines)[-5:] == ["word"] * 5


def test_it_is_known_of_all_processes_of_a_launch(near):
    """The evidence is the executable's: a process after another is held but for the first, who asked."""
    command = " ".join(str(word) for word in script("asking.py", near.name, FAKE_PORT, "ask", 1))
    lines = lines_of(near.run("/bin/sh", "-c", f"for i in 1 2 3 4; do {command}; done"))
    assert waits_of(lines) == [True] + [False] * 3, lines
    assert came_of(lines) == ["word"] * 4


def test_it_is_known_of_an_executable_alone(near, bare_lab):
    other = bare_lab.folder / "other-python"
    other.write_bytes(Path("/usr/bin/python3").read_bytes())
    other.chmod(0o755)
    first = script("asking.py", near.name, FAKE_PORT, "ask", 2)
    text = "; ".join(" ".join(str(word) for word in words) for words in (first, [other, *first[1:]]))
    lines = lines_of(near.run("/bin/sh", "-c", text))
    assert waits_of(lines) == [True, False] * 2, lines


def test_it_is_known_of_all_launches_of_a_supervisor(near, bare_lab):
    options = ["--attach", Daemon(bare_lab).path]
    assert waits_of(talk(near, "ask", options=options)) == [True]
    assert waits_of(talk(near, "ask", options=options)) == [False]
    assert waits_of(talk(near, "ask", options=options + HOLD)) == [True]


def test_it_is_known_of_one_user_alone(near):
    """What another user's programs do with the same executable says nothing of this one's."""
    if os.geteuid() != 0:
        pytest.skip("only root starts programs of several users")
    options = ["--attach", Daemon(near.lab).path]

    def talk_as(uid):
        return lines_of(near.run(*as_user(uid), *script("asking.py", near.name, FAKE_PORT, "ask", 1), options=options))
    assert waits_of(talk_as(ATTACKER)) == [True]
    assert waits_of(talk_as(ATTACKER)) == [False]
    assert waits_of(talk_as(VICTIM)) == [True]


def test_both_kinds_in_one_process(near):
    """As PHP has them: that one does not ask counts, and is not forgotten."""
    lines = talk(near, "both", 10)
    assert came_of(lines).count("word") >= 9, lines
    assert came_of(lines)[-6:] == ["word"] * 6
    assert waits_of(lines)[-6:] == [True] * 6


def test_a_burst_of_one_thread(near):
    """A loop that begins thirty at once is held for a second in all."""
    lines = talk(near, "burst", 30)
    assert came_of(lines) == ["word"] * 30
    assert sum(max(0, took - 20) for _, _, took in lines) < 1000 + 2 * SLACK_MS, lines
    assert True in waits_of(lines) and waits_of(lines)[-1] is False


def test_a_process_of_many_threads(bare_lab):
    """No more than 64 of them are held; one connection more is the trial, and nothing is lost."""
    with OddGateway(echoes(delay=0.5)) as gateway:
        lines = talk(Initiator(bare_lab, gateway.port), "threads", 80)
    assert came_of(lines) == ["word"] * 80
    assert any(took < 500 for _, _, took in lines)


def test_async_connect(near):
    """EINPROGRESS after 20 ms; who does not ask loses the connection, and is told why."""
    lines = talk(near, "ask", 3, options=ASYNC)
    assert came_of(lines) == ["word"] * 3 and waits_of(lines) == [False] * 3
    here = asking(near, "write", options=ASYNC)
    assert came_of(lines_of(here)) != ["word"]
    one_warning(here, "wrote or read before checking", "--hold-connect")


def test_hold_connect(near):
    """Always to the end, also who asks."""
    lines = talk(near, "always", 8, options=HOLD)
    assert came_of(lines) == ["word"] * 8 and waits_of(lines) == [True] * 8


def test_hold_connect_where_nobody_answers(bare_lab):
    """2 s at most, and then its error."""
    with OddGateway(odd.is_silent) as gateway:
        ((came, said, took),) = talk(Initiator(bare_lab, gateway.port), "write", options=HOLD)
    assert said == "ETIMEDOUT" and 1900 < took < 2000 + 2 * SLACK_MS and came == "ETIMEDOUT"


def test_hold_connect_where_nobody_is(bare_lab):
    """The same where not even TCP is there: were it told EINPROGRESS, it would write to whoever comes."""
    with BlackHole() as hole:
        ((came, said, took),) = talk(Initiator(bare_lab, hole.port), "write", options=HOLD)
    assert said == "ETIMEDOUT" and 1900 < took < 2000 + 2 * SLACK_MS and came == "ETIMEDOUT"


def test_multipath_without_blocking(near):
    """The kernel counts a byte too many on its queue where the access point has no MPTCP."""
    for _ in range(3):
        here = near.run(*script("callers.py", "loops", near.name, FAKE_PORT, "multipath"), options=ASYNC)
        assert here.ok() == "word\n", here


@pytest.mark.parametrize("options", [[], ASYNC], ids=["evidence", "async"])
def test_silent_access_point_holds_a_loop_for_a_second(bare_lab, options):
    with OddGateway(odd.is_silent) as gateway:
        ((came, said, took),) = talk(Initiator(bare_lab, gateway.port), "ask", options=options)
    assert said == "EINPROGRESS" and came == "ETIMEDOUT"
    assert took < (20 if options else 1020) + SLACK_MS


def test_black_hole_is_not_held(bare_lab):
    """Where TCP is not up within 20 ms the kernel keeps the socket unwritable."""
    with BlackHole() as hole:
        near = Initiator(bare_lab, hole.port)

        def took():
            seen = near.dial("edge", "before", 5, "close")
            assert {one["said"] for one in seen} == {errno.EINPROGRESS}
            return [one["connect_us"] for one in seen]
        at_most(25_000, took)


def test_both_options(near):
    here = near.lab.start(RUN, "--base-dir", near.base, *ASYNC, *HOLD, near.id, "--", "true")
    assert here.wait() == 2
    one_warning(here, "--async-connect and --hold-connect")


def test_the_supervisor_dies_while_it_is_held(bare_lab):
    """The next one goes on holding, to the end."""
    accepted = []
    with OddGateway(echoes(delay=0.15, accepted=accepted)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        here = asking(near, "write")
        wait_for("the access point has the proof", lambda: accepted)
        (supervisor,) = [pid for pid, (name, _) in here.children().items() if name == "gs-supervisor"]
        os.kill(supervisor, signal.SIGKILL)
        assert came_of(lines_of(here)) == ["word"]
    assert len(accepted) == 1
