"""connect() without blocking through a slow access point: who asks for the result and who does not (patience.h)."""

import errno
import os
import signal

import pytest

import odd_gateways as odd
from lab import RUN, one_warning
from odd_gateways import BlackHole, OddGateway
from processes import wait_for
from sockets_lab import ASYNC, FAKE_PORT, Initiator, at_most, echoes, script
from test_survive_ends import Daemon

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


def said_of(lines):
    return [said for _, said, _ in lines]


def came_of(lines):
    return [came for came, _, _ in lines]


@pytest.fixture
def near(bare_lab):
    """Its access point takes 80 ms."""
    with OddGateway(echoes(delay=0.04)) as gateway:
        yield Initiator(bare_lab, gateway.port)


@pytest.mark.parametrize("how", SILENT + ASKERS)
def test_first_connection(near, how):
    """Whoever it is: nothing is known of it, and it is held."""
    assert talk(near, how) == [("word", "0", pytest.approx(80, abs=SLACK_MS))]


@pytest.mark.parametrize("how", ["always"])
def test_who_asks_is_held_once(near, how):
    """Asking about a connect() that returned 0 is enough."""
    lines = talk(near, how, 6)
    assert came_of(lines) == ["word"] * 6
    assert said_of(lines)[0] == "0" and set(said_of(lines)[1:]) == {"EINPROGRESS"}, lines


@pytest.mark.parametrize("how", ["ask", "again"])
def test_who_asks_after_einprogress_is_held_for_a_second(near, how):
    lines = talk(near, how, 30)
    held = [took for _, said, took in lines if said == "0"]
    assert came_of(lines) == ["word"] * 30
    assert "EINPROGRESS" in said_of(lines), lines
    first = said_of(lines).index("EINPROGRESS")
    assert how == "again" or set(said_of(lines)[first:]) == {"EINPROGRESS"}, lines
    assert sum(max(0, took - 20) for took in held) < 1000 + SLACK_MS, lines


def test_who_never_asks_loses_one_connection_at_most(near):
    """When a second is over one is a trial; whatever comes after that is held to the end."""
    lines = talk(near, "write", 30)
    lost = [came for came in came_of(lines) if came != "word"]
    assert len(lost) == 1 and said_of(lines).count("EINPROGRESS") == 1, lines
    assert came_of(lines)[-5:] == ["word"] * 5


def test_it_is_known_of_all_processes_of_a_launch(near):
    """The evidence is the executable's: a process after another is held but for the first, who asked."""
    command = " ".join(str(word) for word in script("asking.py", near.name, FAKE_PORT, "always", 1))
    lines = lines_of(near.run("/bin/sh", "-c", f"for i in 1 2 3 4; do {command}; done"))
    assert said_of(lines) == ["0"] + ["EINPROGRESS"] * 3, lines
    assert came_of(lines) == ["word"] * 4


def test_it_is_known_of_an_executable_alone(near, bare_lab):
    """Another one that does the same is unknown, and so is the same one at another port of the tunnel."""
    other = bare_lab.folder / "other-python"
    other.write_bytes(open("/usr/bin/python3", "rb").read())
    other.chmod(0o755)
    first = script("asking.py", near.name, FAKE_PORT, "always", 2)
    second = [other, *first[1:]]
    text = "; ".join(" ".join(str(word) for word in words) for words in (first, second))
    lines = lines_of(near.run("/bin/sh", "-c", text))
    assert said_of(lines) == ["0", "EINPROGRESS"] * 2, lines


def test_it_is_known_of_all_launches_of_a_supervisor(near, bare_lab):
    daemon = Daemon(bare_lab)
    options = ["--attach", daemon.path]
    assert said_of(talk(near, "always", options=options)) == ["0"]
    assert said_of(talk(near, "always", options=options)) == ["EINPROGRESS"]
    assert said_of(talk(near, "always", options=options + HOLD)) == ["0"]


def test_both_kinds_in_one_process(near):
    """As PHP has them: who does not ask counts, once it was seen, and is not forgotten."""
    lines = talk(near, "both", 40)
    assert came_of(lines).count("word") >= 38, lines
    assert came_of(lines)[-10:] == ["word"] * 10
    assert set(said_of(lines)[-10:]) == {"0"}


def test_a_burst_of_one_thread(bare_lab):
    """A loop that begins fifty at once is held for a second in all; then it is known."""
    with OddGateway(echoes(delay=0.1)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        lines = talk(near, "burst", 50)
    assert came_of(lines) == ["word"] * 50
    assert sum(max(0, took - 20) for _, _, took in lines) < 1000 + 50 * 5 + SLACK_MS, lines


def test_a_process_of_many_threads(bare_lab):
    """No more than 64 of them are held; one connection more is the trial, and nothing is lost."""
    with OddGateway(echoes(delay=0.5)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        lines = talk(near, "threads", 80)
    assert came_of(lines) == ["word"] * 80
    assert "EINPROGRESS" in said_of(lines)


def test_async_connect(near):
    """EINPROGRESS after 20 ms; who does not ask loses it, as it is told."""
    lines = talk(near, "ask", 3, options=ASYNC)
    assert came_of(lines) == ["word"] * 3 and set(said_of(lines)) == {"EINPROGRESS"}
    here = asking(near, "write", options=ASYNC)
    assert came_of(lines_of(here)) != ["word"]
    one_warning(here, "wrote or read before it asked", "--hold-connect")


def test_hold_connect(near):
    """Always to the end, also who asks."""
    lines = talk(near, "always", 20, options=HOLD)
    assert [line[:2] for line in lines] == [("word", "0")] * 20


def test_hold_connect_where_nobody_answers(bare_lab):
    """2 s at most, and then its error: whether TCP is answered or not."""
    with OddGateway(odd.is_silent) as gateway:
        ((came, said, took),) = talk(Initiator(bare_lab, gateway.port), "write", options=HOLD)
    assert said == "ETIMEDOUT" and 1900 < took < 2000 + 2 * SLACK_MS and came == "ETIMEDOUT"


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
        assert [line[:2] for line in lines_of(here)] == [("word", "0")]
    assert len(accepted) == 1
