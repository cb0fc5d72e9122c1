"""connect() without blocking, as the program sees it: how long each call takes, and which events come."""

import errno
import json
import os
import select
import signal
import socket
import time

import pytest

import odd_gateways as odd
from lab import PROGRAMS, PYTHON, free_port, missing, need, one_warning, wait_listening, warnings
from odd_gateways import BlackHole, OddGateway
from processes import needs_to_see, wait_for
from sockets_lab import ASYNC, DIAL, FAKE_PORT, Initiator, LateRelay, at_most, echoes, log_lines, median, script

WAYS = ["level", "edge", "poll", "select"]
REGISTERED = [(way, when) for way in ("level", "edge") for when in ("before", "during", "after")]
LOOPS = REGISTERED + [("poll", "during"), ("select", "during")]
HELD_US = 25_000  # a non-blocking connect() may take that long
SILENT_US = 2_300_000  # and what asks for its result


@pytest.mark.alone
@pytest.mark.parametrize("way", WAYS)
def test_black_hole_does_not_hold_a_loop(bare_lab, way):
    with BlackHole() as hole:
        near = Initiator(bare_lab, hole.port)

        def measure():
            seen = near.dial(way, "before", 10, "close")
            assert {one["said"] for one in seen} == {errno.EINPROGRESS}
            return [one["connect_us"] for one in seen]
        at_most(HELD_US, measure)


@pytest.mark.alone
def test_others_connect_as_fast_beside_a_black_hole(bare_lab):
    """Ten programs of one launch, without and with a loop that keeps calling where nobody answers."""
    with BlackHole() as hole, OddGateway(echoes()) as gateway:
        good = Initiator(bare_lab, gateway.port)
        bad = Initiator(bare_lab, hole.port)

        def took(*beside):
            ten = f'for i in 0 1 2 3 4 5 6 7 8 9; do "{DIAL}" {good.name} {FAKE_PORT} edge before 20 & done; wait'
            beside = f'"{DIAL}" {" ".join(str(word) for word in beside)} >/dev/null & beside=$!; ' if beside else ""
            end = "kill $beside; " if beside else ""
            here = bare_lab.run(good.base, [good.id, bad.id], "/bin/sh", "-c",
                                f"{beside}( {ten} ); {end}true")
            seen = [json.loads(line) for line in here.ok().splitlines()]
            assert len(seen) == 200 and not any(one["result"] for one in seen)
            return median([one["connect_us"] for one in seen])
        ratios = []
        for _ in range(3):
            alone = took()
            ratios.append(took(bad.name, FAKE_PORT, "edge", "before", 100_000, "close") / alone)
            if ratios[-1] < 2:
                break
        assert min(ratios) < 2, ratios


@pytest.mark.parametrize("way", WAYS)
def test_silent_access_point(bare_lab, way):
    """It takes TCP and says nothing: whoever asks for the result is held for 2 s at most."""
    with OddGateway(odd.is_silent) as gateway:
        (seen,) = Initiator(bare_lab, gateway.port, options=ASYNC).dial(way, "before", 1)
    assert seen["said"] == errno.EINPROGRESS and seen["connect_us"] < 10 * HELD_US
    assert seen["result"] == errno.ETIMEDOUT
    assert seen["asked_us"] < SILENT_US


USER_TIMEOUT = """
import errno, socket, sys, time
with socket.socket() as made:
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 200)
    to, begin = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]), socket.AF_INET, socket.SOCK_STREAM)[0][4], time.monotonic()
    print(errno.errorcode[made.connect_ex(to)], time.monotonic() - begin < 6)
"""


def test_time_limit_of_the_programs_own(lab):
    """The kernel's ETIMEDOUT, after a SYN or two: the program is told that, and not only after our own 10 s."""
    with BlackHole() as hole:
        near = Initiator(lab, hole.port)
        here = near.run(PYTHON, "-c", USER_TIMEOUT, near.name, FAKE_PORT)
        assert here.ok() == "ETIMEDOUT True\n"
        one_warning(here, near.name, "timed out")


def test_curl_gives_up_on_a_silent_access_point(bare_lab):
    with OddGateway(odd.is_silent) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        here = near.run(need("curl"), "-s", "--connect-timeout", "1", "-w", "%{time_total}",
                        f"http://{near.name}:{FAKE_PORT}/")
        assert here.wait() in (7, 28), here
        assert float(here.out) < 2.5, here


@pytest.mark.alone
@pytest.mark.parametrize("way,when", LOOPS)
def test_slow_contact(bare_lab, way, when):
    """300 ms: connect() says EINPROGRESS at once, then the right events come, and the data."""
    with OddGateway(echoes(delay=0.15)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        seen = near.dial(way, when, 3)
    for one in seen:
        assert one["said"] == errno.EINPROGRESS
        assert one["result"] == 0, seen
        assert one["seen"] & select.EPOLLOUT and not one["seen"] & (select.EPOLLHUP | select.EPOLLERR), seen
        assert one["took_us"] > 290_000
    assert min(one["connect_us"] for one in seen) < HELD_US


@pytest.mark.parametrize("way,when", LOOPS)
def test_slow_tcp(bare_lab, way, when):
    """The SYN is answered after a second: the loop turns meanwhile."""
    with OddGateway(echoes(delay=0.01)) as gateway, LateRelay(gateway.port) as relay:
        near = Initiator(bare_lab, relay.port)
        here = near.run(DIAL, near.name, FAKE_PORT, way, when, 1)
        wait_for("its SYN", lambda: callers_of(relay.port) - relay.fillers)
        relay.open()
        seen = json.loads(here.ok())
    assert seen["said"] == errno.EINPROGRESS and seen["result"] == 0
    assert seen["seen"] & select.EPOLLOUT and not seen["seen"] & (select.EPOLLHUP | select.EPOLLERR)


@pytest.mark.alone
def test_burst(bare_lab):
    """A loop that starts fifty connections at once is not held for each: the time halves, to 2.5 ms."""
    with OddGateway(echoes(delay=0.1)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        at_most(400, lambda: [int(near.run(*script("callers.py", "burst", near.name, FAKE_PORT, 50)).ok())])


def callers_of(port):
    """The local ports of this machine's IPv4 sockets that are calling a port: SYN_SENT in /proc/net/tcp."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows
            if row[3] == "02" and int(row[2].split(":")[1], 16) == port}


@pytest.mark.alone
@pytest.mark.parametrize("way,when", LOOPS)
def test_fast_contact(bare_lab, way, when):
    """Done within the first 20 ms: 0, and no event is missing afterwards."""
    with OddGateway(echoes()) as gateway:
        seen = Initiator(bare_lab, gateway.port).dial(way, when, 50)
    assert len(seen) == 50
    assert all(one["result"] == 0 for one in seen), seen
    assert sum(one["said"] == 0 for one in seen) > 25


@pytest.mark.parametrize("way", WAYS)
def test_refused(bare_lab, way):
    """Nobody listens at the contact: the error is the kernel's."""
    (seen,) = Initiator(bare_lab, free_port()).dial(way, "before", 1)
    assert seen["result"] == errno.ECONNREFUSED


@pytest.mark.parametrize("way", WAYS)
def test_reads_without_asking(bare_lab, way):
    """Told EINPROGRESS, it waits until there is something to read: that is the server's first word, and
    nothing of the handshake before it."""
    with OddGateway(echoes(delay=0.03, greeting=b"hello")) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        here = near.run(*script("callers.py", "reads_without_asking", near.name, FAKE_PORT, way, 15))
        assert here.ok().split() == ["hello"] * 15


@pytest.mark.parametrize("before,during", [(1, 0), (3, 0), (3, 2)])
def test_low_water_mark(bare_lab, before, during):
    """SO_RCVLOWAT is ours while the handshake runs; afterwards it is what the program has set last, whoever
    of us was killed meanwhile."""
    needs_to_see()
    with OddGateway(echoes(delay=0.2)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        here = near.run(*script("callers.py", "low_water", near.name, FAKE_PORT, before, during), stdin="open")
        wait_for("EINPROGRESS", lambda: here.out == "connecting\n")
        (supervisor,) = [pid for pid, (name, _) in here.children().items() if name == "gs-supervisor"]
        os.kill(supervisor, signal.SIGKILL)
        here.process.stdin.write(b"\n")
        here.process.stdin.close()
        assert here.ok() == f"connecting\n{during or before} word\n"


def test_low_water_mark_of_a_small_buffer(bare_lab):
    """The kernel caps it at half of the buffer, ours too: it is put back all the same."""
    with OddGateway(echoes(delay=0.03)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        here = near.run(*script("callers.py", "small_buffer", near.name, FAKE_PORT, 2048, 8192, 12000, 16384, 32768))
        assert here.ok() == "1 woken\n" * 5


@pytest.mark.parametrize("options", [[], ASYNC], ids=["evidence", "async"])
@pytest.mark.parametrize("way", ["blocking", "non-blocking"])
@pytest.mark.parametrize("delay", [0, 0.05])
def test_no_timestamps_of_the_handshake(bare_lab, delay, way, options):
    """The program's error queue has two for each of its messages, and nothing before them."""
    with OddGateway(echoes(delay=delay)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=options)
        assert near.run(*script("stamps.py", near.name, FAKE_PORT, way)).ok() == "0 6\n"


def test_closed_before_tcp_is_up_calls_nobody(bare_lab):
    with OddGateway(echoes()) as gateway, LateRelay(gateway.port) as relay:
        near = Initiator(bare_lab, relay.port)
        here = near.run(*script("callers.py", "close_early", near.name, FAKE_PORT, "20"), stdin="open")
        wait_for("its sockets are closed", lambda: here.out == "closed\n")
        relay.open()
        end = time.monotonic() + 2.5  # two SYNs more would come
        while time.monotonic() < end:
            assert relay.bytes == 0
            time.sleep(0.05)
        here.process.stdin.close()
        here.ok()
        assert gateway.calls == relay.calls and relay.bytes == 0


@pytest.mark.parametrize("how", ["close_early", "killed"])
def test_closed_during_the_handshake_calls_nobody(bare_lab, how):
    """The socket goes while the access point thinks: it never gets the proof for which it would call."""
    accepted = []
    with OddGateway(echoes(delay=0.12, accepted=accepted)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        here = near.run(*script("callers.py", how, near.name, FAKE_PORT, "20"), stdin="open")
        wait_for("its sockets are closed", lambda: here.out == "closed\n")
        wait_for("the access point has heard of each", lambda: gateway.calls == 20)
        time.sleep(0.5)  # more than the proof takes
        assert len(accepted) == 0
        here.process.stdin.close()
        here.ok()


# --- HAProxy writes after EINPROGRESS without asking ---

def haproxy(near, front):
    conf = near.lab.folder / "haproxy.cfg"
    conf.write_text("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n"
                    "  retries 0\n"
                    f"listen front\n  bind 127.0.0.1:{front}\n  server far {near.name}:{FAKE_PORT}\n")
    program = near.run(need("haproxy"), "-db", "-f", conf)
    wait_listening(front, program)
    return program


def through(front, text):
    with socket.create_connection(("127.0.0.1", front), 20) as sock:
        sock.settimeout(20)
        sock.sendall(text)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while data := sock.recv(4096):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def test_haproxy(bare_lab):
    with OddGateway(echoes()) as gateway:
        near, front = Initiator(bare_lab, gateway.port), free_port()
        proxy = haproxy(near, front)
        for number in range(20):  # on a busy machine 20 ms may be over before a fast contact has answered
            question = b"question %d" % number
            assert question in (through(front, question) for _ in range(3))
        assert proxy.running()


def test_haproxy_fails_closed(bare_lab):
    """Against a slow contact it loses the connection, the far side is not called, and a line says why."""
    accepted = []
    with OddGateway(echoes(delay=0.2, accepted=accepted)) as gateway:
        near, front = Initiator(bare_lab, gateway.port, options=ASYNC), free_port()
        proxy = haproxy(near, front)
        for _ in range(10):
            assert b"question" not in through(front, b"question")
        wait_for("a line that says why", lambda: any("wrote or read" in line for line in warnings(proxy)))
        wait_for("each of its calls", lambda: gateway.calls == 10)
    assert accepted == []


def test_haproxy_passes_nothing_of_the_handshake_on(bare_lab):
    with OddGateway(echoes(delay=0.03)) as gateway:
        near, front = Initiator(bare_lab, gateway.port, options=ASYNC), free_port()
        haproxy(near, front)
        assert {through(front, b"question") for _ in range(40)} <= {b"", b"question"}


def test_signals_of_go_during_slow_connects(bare_lab):
    """Its runtime interrupts busy threads with SIGURG every 10 ms; connects of 50 ms all get there, each
    in one connection."""
    log, preempt = bare_lab.folder / "log", PROGRAMS / "preempt"
    if not preempt.exists():
        missing(preempt)
    with OddGateway(echoes(delay=0.025)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        here = near.run(preempt, near.name, FAKE_PORT, "40", options=["-l", log])
        assert here.ok() == "40 echoed\n"
        assert gateway.calls == 40
    assert len(log_lines(log, "connect requested")) == 40


def urged(near, log, way, restart, count, interval_us):
    here = near.run(PROGRAMS / "urged", near.name, FAKE_PORT, way, restart, count, interval_us,
                    options=["-l", log])
    good, signals, longest = (int(word) for word in here.ok(60).split())
    assert good == count and signals >= 4 * count, str(here)
    return longest


@pytest.mark.parametrize("way,restart", [
    ("blocking", "restart"), ("blocking", "no-restart"), ("nonblocking", "no-restart"),
    ("nonblocking", "restart")])
def test_signals_during_slow_connects(bare_lab, way, restart):
    """The same with the signal sent for certain, about five times in each connect()."""
    log = bare_lab.folder / "log"
    with OddGateway(echoes(delay=0.025)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        urged(near, log, way, restart, 20, 9100)
        assert gateway.calls == 20
    assert len(log_lines(log, "connect requested")) == 20


def test_signals_do_not_lengthen_a_connect(bare_lab):
    with OddGateway(echoes(delay=0.15)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        at_most(2 * HELD_US, lambda: [urged(near, bare_lab.folder / "log", "nonblocking", "restart", 3, 5100)])


def test_signals_in_the_instant_of_the_answer(bare_lab):
    """The seventh signal comes about when the handshake ends; in one run of two they meet. More runs when
    GS_TEST_SIGNALS_SECONDS says for how long others are to last."""
    with OddGateway(echoes(delay=0.025)) as gateway:
        near = Initiator(bare_lab, gateway.port)
        for _ in range(int(os.environ.get("GS_TEST_SIGNALS_SECONDS", "4"))):
            urged(near, bare_lab.folder / "log", "nonblocking", "restart", 20, 7300)
