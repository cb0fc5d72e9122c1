"""The control socket, against a process of the same user that says what it likes."""

import array
import os
import signal
import socket
import struct
import time

import pytest

from lab import SUPERVISOR
from processes import wait_for
from launches import below

STATUS = struct.pack("=BBHI", 1, 4, 0, 8)
TUNNEL, LISTED = 9096, 4164
ATTACH = struct.pack("=BBHIiI", 1, 3, 0, 16, os.getpid(), 0)


@pytest.fixture
def daemon(bare_lab):
    folder = bare_lab.folder / "sockets"
    folder.mkdir(mode=0o700)
    program = bare_lab.start(SUPERVISOR, "--socket", folder / "s")

    def there():
        assert program.running(), program
        try:
            connect(folder / "s").close()
            return True
        except OSError:
            return False
    wait_for("its socket", there)
    wait_for("its supervisor", lambda: below(program.pid, "gs-supervisor"))
    program.path = folder / "s"
    return program


def connect(path):
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asking.settimeout(5)
    asking.connect(str(path))
    return asking


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def status(path):
    with connect(path) as asking:
        asking.send(STATUS)
        told = asking.recv(1000)
    assert len(told) >= 16 and told[1] == 4
    return told


# What each question measures, protocol/control.h.
SIZES = {"tunnel": (2, TUNNEL), "attach": (3, 16), "status": (4, 8), "stop": (5, 8), "listed": (6, LISTED),
         "upgrade": (7, 8), "limit": (8, 64), "guest": (10, 16)}
EPROTO, EBADF, EINVAL, ENOENT = 71, 9, 22, 2


def message(op, size, version=1, serial=77, told=None):
    """A question of zeros; told: the size that it says of itself."""
    return struct.pack("=BBHI", version, op, serial, size if told is None else told).ljust(size, b"\0")[:size]


def answer(asking):
    """(op, serial, error) of the answer, which may be a hang-up: None."""
    told = asking.recv(20000)
    if not told:
        return None
    version, op, serial, size = struct.unpack_from("=BBHI", told)
    assert version == 1 and size == len(told)
    return op, serial, struct.unpack_from("=i", told, 8)[0] if op == 1 else 0


@pytest.mark.parametrize("name", SIZES)
def test_each_question_in_the_wrong_shape(daemon, name):
    """Short, long, of another version, or of another size than it says: EPROTO, and the next question of the
    same connection is answered."""
    op, size = SIZES[name]
    supervisor = below(daemon.pid, "gs-supervisor")
    with connect(daemon.path) as asking:
        for wrong in (message(op, size - 1), message(op, size + 1), message(op, size, version=2),
                      message(op, size, version=0), message(op, size, told=size - 1), message(op, size, told=0),
                      message(op, size, told=2 ** 32 - 1), message(op, size + 1, told=size)):
            asking.send(wrong)
            serial = struct.unpack_from("=H", wrong, 2)[0] if len(wrong) >= 8 else 0
            assert answer(asking) == (1, serial, EPROTO), (name, len(wrong))
        asking.send(STATUS)
        assert answer(asking)[0] == 4
    assert below(daemon.pid, "gs-supervisor") == supervisor


def test_questions_out_of_order(daemon):
    """A program without tunnels, without a descriptor or twice; an answer as a question; a tunnel of zeros;
    a tunnel that is not there; two questions before the first answer."""
    with connect(daemon.path) as asking:
        for question, wanted in ((message(3, 16), EBADF), (message(3, 16), EBADF), (message(1, 16), EPROTO),
                                 (message(0, 8), EPROTO), (message(9, 8), EPROTO),
                                 (message(2, TUNNEL), EINVAL), (message(6, LISTED), ENOENT)):
            asking.send(question)
            assert answer(asking) == (1, 77, wanted)
        asking.send(message(4, 8, serial=1))
        asking.send(message(4, 8, serial=2))
        assert answer(asking)[:2] == (4, 1) and answer(asking)[:2] == (4, 2)
    status(daemon.path)


@pytest.mark.parametrize("message", [b"\1", STATUS[:7], STATUS + b"x", STATUS * 3000, bytes(16384),
                                     struct.pack("=BBHI", 2, 4, 0, 8), struct.pack("=BBHI", 1, 255, 0, 8),
                                     struct.pack("=BBHI", 1, 2, 0, 8), struct.pack("=BBHI", 1, 3, 0, 2 ** 32 - 1)],
                         ids=["a byte", "short", "long", "longer", "zeros", "version", "op", "no tunnel", "size"])
def test_wrong_message(daemon, message):
    """It is answered with an error or hung up on, and others are served on."""
    supervisor = below(daemon.pid, "gs-supervisor")
    with connect(daemon.path) as asking:
        asking.send(message)
        told = asking.recv(1000)
        assert told == b"" or struct.unpack("=BBHIiI", told)[1:2] + struct.unpack("=BBHIiI", told)[4:5] != (1, 0)
    status(daemon.path)
    assert below(daemon.pid, "gs-supervisor") == supervisor, "it has died of it"


@pytest.mark.parametrize("count", [1, 2])
def test_descriptors_that_nobody_asked_for(daemon, count):
    """They do not stay."""
    if os.geteuid() != 0:
        pytest.skip("only root may count a supervisor's descriptors")
    status(daemon.path)
    pid = below(daemon.pid, "gs-supervisor")
    before = descriptors(pid)
    null = os.open("/dev/null", os.O_RDONLY)
    try:
        for _ in range(20):
            with connect(daemon.path) as asking:
                asking.sendmsg([STATUS], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                           array.array("i", [null] * count))])
                asking.recv(1000)
        wait_for("the end of the connections", lambda: descriptors(pid) <= before + 1, timeout=2)
    finally:
        os.close(null)


def processor_time(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_descriptor_that_is_no_filter(daemon):
    """It is refused, or at least does no harm."""
    ours, theirs = socket.socketpair()
    ours.send(b"always readable")
    try:
        with connect(daemon.path) as asking:
            asking.sendmsg([ATTACH], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                       array.array("i", [theirs.fileno()]))])
            assert asking.recv(1000)[1] == 1
            pid = below(daemon.pid, "gs-supervisor")
            before = processor_time(pid)
            time.sleep(0.5)
            assert processor_time(pid) - before < 0.2
    finally:
        daemon.process.send_signal(signal.SIGTERM)  # once more than it takes: it waits for its programs
        wait_for("the first to be read", lambda: not daemon.running() or time.sleep(0.1) is None)
        daemon.end()
        ours.close()
        theirs.close()


def test_more_launches_than_there_is_room(daemon):
    """The newest are turned away; those that are there are served, and room comes back."""
    held = [connect(daemon.path) for _ in range(900)]
    status(daemon.path)
    held += [connect(daemon.path) for _ in range(400)]
    held[0].send(STATUS)
    assert held[0].recv(1000)[1] == 4
    for one in held:
        one.close()
    status(daemon.path)
