"""accept() in all the ways in which servers wait: every connection that proves itself is handed over exactly
once, in the order in which it did, whoever else calls. What interrupts: test_sockets_interrupted.py."""

import errno
import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest

import gateway_lab
from lab import PYTHON, RUN, wait_listening
from processes import stat_of, wait_for
from sockets_lab import KEY_ID, SECRET, SELECT_SERVER, program_of, script, word_from

LATE = 2000  # connections on a busy machine
WAITS = ["level", "edge", "poll", "blocking", "poll_then_accept", "threads"]


def server(far, kind, *words, **options):
    return far.start(*script("listeners.py", kind, far.port, *words), **options)


def taken(program):
    """The numbers that the server printed, in order, and by whom."""
    rows = [line.split() for line in program.out.splitlines()]
    return [(int(row[0]), row[1]) for row in rows if row[0].isdigit()]


@pytest.mark.parametrize("kind", WAITS)
def test_each_exactly_once(far, kind):
    there = server(far, kind, 60)
    assert [far.ask(number) for number in range(60)] == [f"{number}\n" for number in range(60)]
    there.ok()
    assert [number for number, _ in taken(there)] == list(range(60))


@pytest.mark.parametrize("kind", WAITS)
def test_many_at_once(far, kind):
    """Sixty callers that are authenticated together."""
    there = server(far, kind, 60)
    answers = []
    callers = [threading.Thread(target=lambda number=number: answers.append(far.ask(number)), daemon=True)
               for number in range(60)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert sorted(answers) == sorted(f"{number}\n" for number in range(60))
    there.ok()
    assert sorted(number for number, _ in taken(there)) == list(range(60))


@pytest.mark.parametrize("flags", ["et", "lt"])
def test_prefork(far, flags):
    """Three workers, EPOLLEXCLUSIVE: one at a time, many at once; each exactly once."""
    there = server(far, "prefork", 0, flags)
    for number in range(40):
        assert far.ask(number) == f"{number}\n"
    socks = [far.caller_that_says(number) for number in range(40, 100)]
    for number, sock in enumerate(socks, 40):
        with sock:
            assert gateway_lab.receive_all(sock) == f"{number}\n".encode()
    there.process.send_signal(signal.SIGTERM)
    there.ok()
    assert sorted(number for number, _ in taken(there)) == list(range(100))
    assert [number for number, _ in taken(there)][:40] == list(range(40))


def test_in_the_order_of_their_proof(far):
    """Those who called first and proved themselves last come last."""
    there = far.start(*script("listeners.py", "idle", far.port, 10), stdin="open")
    wait_for("it has listened once", lambda: there.out == "idle\n")
    socks = [far.stranger() for _ in range(10)]
    for number, sock in enumerate(reversed(socks)):
        gateway_lab.authenticate_caller(sock, (KEY_ID, SECRET))
        sock.sendall(f"{number}\n".encode())
    there.process.stdin.write(b"\n")
    there.process.stdin.close()
    there.ok()
    assert [number for number, _ in taken(there)] == list(range(10))


# --- strangers ---

class Strangers:
    """Connections that prove nothing."""

    def __init__(self, far, kind, count=200):
        self.socks, self.over = [far.stranger() for _ in range(count)], threading.Event()
        self.say = {"silent": lambda: b"", "slow": lambda: b"G", "random": lambda: os.urandom(300)}[kind]
        self.thread = threading.Thread(target=self.talk, daemon=True)

    def talk(self):
        while not self.over.is_set():
            for sock in self.socks:
                try:
                    sock.send(self.say())
                except OSError:
                    pass
            self.over.wait(1)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)
        for sock in self.socks:
            sock.close()


def times(far, count, numbers):
    """How long each of `count` connections took to be answered, the slowest hundredth left out."""
    took = []
    for _ in range(count):
        begin = time.monotonic()
        number = next(numbers)
        assert far.ask(number) == f"{number}\n"
        took.append(time.monotonic() - begin)
    return sorted(took)[count * 99 // 100 - 1]


@pytest.mark.parametrize("kind", ["silent", "slow", "random"])
def test_strangers_do_not_delay_others(far, kind):
    """200 of them, and the 99th percentile of 200 honest connections at most doubles."""
    server(far, "level", 100_000)
    numbers, ratios = itertools.count(), []
    times(far, 100, numbers)
    for _ in range(3):
        without = times(far, 200, numbers)
        with Strangers(far, kind):
            ratios.append(times(far, 200, numbers) / without)
        if ratios[-1] <= 2:
            return
    raise AssertionError(ratios)


@pytest.mark.parametrize("wait", ["level", "edge"])
@pytest.mark.parametrize("kind", ["silent", "slow", "random"])
def test_strangers_wake_a_program_once_each(far, kind, wait):
    there = server(far, wait, 1)
    with Strangers(far, kind):
        time.sleep(2.5)  # two more rounds of what they say
        assert far.ask(0) == "0\n"
        there.ok()
    wakes = int(word_from(there, "wakes"))
    assert 1 <= wakes <= 200 + 2  # one is ours, which may ring twice


# --- kinds of listening sockets ---

ROUNDS = 3
NUMBERS = range(4 * ROUNDS)  # each way to wait has its turn: level, edge, poll, select


@pytest.mark.parametrize("kind,host", [
    ("any", "127.0.0.1"), ("specific", "127.0.0.5"), ("v6only", "::1"), ("v6", "::1"), ("dual", "::1"),
    ("dual", "127.0.0.1"), ("deferred", "127.0.0.1"), ("device", "127.0.0.1"), ("dual_device", "::1"),
    ("low_water", "127.0.0.1"), ("cork", "127.0.0.1")])
def test_each_is_woken(far, kind, host):
    there = server(far, "woken", kind, ROUNDS, "lo")
    for number in NUMBERS:
        assert far.ask(number, host) == f"{number}\n"
    there.ok()


def test_full_backlog(far):
    """A queue of two; strangers fill it again and again."""
    there = server(far, "woken", "full", ROUNDS)
    over = threading.Event()

    def fill():
        while not over.is_set():
            socks = [socket.socket() for _ in range(8)]
            for sock in socks:
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", far.port))
            over.wait(0.02)
            for sock in socks:
                sock.close()
    filler = threading.Thread(target=fill, daemon=True)
    filler.start()
    try:
        for number in NUMBERS:
            assert far.ask(number) == f"{number}\n"
        there.ok()
    finally:
        over.set()
        filler.join(10)


@pytest.mark.parametrize("way", ["level", "edge", "poll", "select"])
def test_reuseport_group(far, way):
    """Whichever of three the kernel wakes, each connection is taken."""
    there = server(far, "reuseport", way)
    wait_for("three listeners", lambda: listeners_on(far.port) == 3)
    for number in range(30):
        assert far.ask(number) == f"{number}\n"
    there.process.send_signal(signal.SIGTERM)
    there.ok()
    assert [number for number, _ in taken(there)] == list(range(30))


def test_steered_group(far):
    """Where a program decides which of a group gets each connection, the other gets none, though it looks for one all
    the time and the first one sleeps."""
    there = server(far, "steered")
    wait_for("two listeners", lambda: listeners_on(far.port) == 2)
    for number in range(30):
        assert far.ask(number) == f"{number}\n"
    there.process.send_signal(signal.SIGTERM)
    there.ok()
    assert taken(there) == [(number, "first") for number in range(30)]


def listeners_on(port):
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[3] == "0A" and int(row[1].split(":")[1], 16) == port for row in rows)


def test_listen_fds(bare_lab, far):
    """The socket comes from whoever started the launcher; LISTEN_PID is the command's."""
    with socket.create_server(("127.0.0.1", far.port)) as listener:
        code = ("import os, sys\n"
                f"os.dup2({listener.fileno()}, 3); os.set_inheritable(3, True)\n"
                "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()))\n"
                "os.execv(sys.argv[1], sys.argv[1:])\n")
        command = [PYTHON, "-c", code, RUN, "--base-dir", far.base, far.id, "--",
                   *script("listeners.py", "inherited", far.port, 5)]
        with subprocess.Popen([str(word) for word in command], env=bare_lab.env, pass_fds=[listener.fileno()],
                              stdout=subprocess.DEVNULL) as there:
            wait_listening(far.port)
            for number in range(5):
                assert far.ask(number) == f"{number}\n"
            assert there.wait(20) == 0


@pytest.mark.parametrize("strangers", [0, 1])
def test_receive_timeout(far, strangers):
    """SO_RCVTIMEO: EAGAIN in time while nobody has proved himself; then the socket goes on as before."""
    there = server(far, "receive_timeout", 400)
    socks = [far.stranger() for _ in range(strangers)]
    assert 400 <= int(word_from(there, "EAGAIN")) < 1500
    for sock in socks:
        sock.close()
    wait_for("accept() is held again", lambda: stat_of(program_of(there, "python3"))[1] == "S")
    assert far.ask(0) == "0\n"
    there.ok()


def test_full_table(far):
    there = server(far, "full_table", 0)
    wait_for("its table is full", lambda: "full" in there.out)
    assert far.ask(7) == "7\n"
    there.ok()
    assert f"error {errno.EMFILE}\n" in there.out


def test_flags_and_address(far):
    there = server(far, "flags", 0)
    for number in range(4):
        assert far.ask(number) == f"{number}\n"
    there.ok()


@contextmanager
def busy_machine():
    """Where each processor has more to do than it can, a connection on this machine may come late."""
    hogs = [subprocess.Popen([PYTHON, "-c", "while True: pass"]) for _ in range(4 * len(os.sched_getaffinity(0)))]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


@pytest.mark.alone
@pytest.mark.limit(120)
def test_a_bell_that_comes_late(far):
    """What it rang for has been handed over already: select() wakes once more, and a blocking accept() must
    not take the loop away from that one. One of some hundred connections was stuck."""
    there = far.start(PYTHON, "-c", SELECT_SERVER, far.port, LATE)
    with busy_machine():
        for number in range(LATE):
            assert far.ask(number) == f"{number}\n"
    there.ok()


@pytest.mark.limit(60)
def test_goes_on_after_all_that(far):
    """A port is free for the next program as soon as its listener has closed it."""
    for _ in range(5):
        there = server(far, "blocking", 2)
        stranger = far.stranger()
        assert far.ask(0) == "0\n" and far.ask(1) == "1\n"
        there.ok()
        stranger.close()
