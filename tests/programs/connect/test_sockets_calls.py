"""connect() on sockets that came about or are used in odd ways, and the calls that would pass unseen."""

import contextlib
import os
import signal
import socket
import threading

import pytest

import odd_gateways as odd
from lab import PROGRAMS, RUN, free_port, missing, need, warnings
from odd_gateways import BlackHole, OddGateway
from processes import wait_for
from sockets_lab import ASYNC, FAKE_PORT, Initiator, Listener, before_netns_cookies, echoes, script

INT80 = ["int80", "int80-m32"]


@pytest.fixture(params=[0, 0.08], ids=["fast", "slow"])
def near(request, bare_lab):
    """An initiator; its access point takes no time, or more than a non-blocking connect() waits."""
    with OddGateway(echoes(delay=request.param / 2)) as gateway:
        yield Initiator(bare_lab, gateway.port)


@pytest.fixture
def slow(bare_lab):
    with OddGateway(echoes(delay=0.08)) as gateway:
        yield Initiator(bare_lab, gateway.port, options=ASYNC)


def caller(near, kind, *words, **options):
    return near.run(*script("callers.py", kind, near.name, FAKE_PORT, *words), **options)


@pytest.mark.parametrize("kind", ["inherited", "passed", "own_table"])
def test_whose_socket(near, kind):
    here = caller(near, kind)
    assert here.ok() == "word\n", here
    assert warnings(here) == []


@pytest.mark.parametrize("kind", ["duplicated", "inherited_while_connecting", "passed_while_connecting"])
def test_handed_on_while_it_connects(slow, kind):
    here = caller(slow, kind)
    assert here.ok() == "word\n", str(here)
    assert warnings(here) == []


@pytest.mark.parametrize("how", ["files", "vfork", "spawn"])
def test_connected_by_a_child(near, how):
    here = near.run(PROGRAMS / "handed", how, near.name, FAKE_PORT)
    assert here.ok() == "word\n", here


def test_x32(near):
    """Where the kernel has it, too: nobody watches what it does."""
    assert near.run(PROGRAMS / "handed", "x32", near.name, FAKE_PORT).ok() == "ENOSYS word\n"


@pytest.mark.parametrize("closes", ["parent stays", "supervisor dies"])
def test_left_to_a_child_that_waits(bare_lab, closes):
    """It is connected though the child who has it now has never asked for anything; and once only."""
    accepted = []
    with OddGateway(echoes(delay=0.1, accepted=accepted)) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        here = near.run(PROGRAMS / "handed", "late", near.name, FAKE_PORT, stdin="open")
        wait_for("the parent closes it", lambda: here.out == "closed\n")
        if closes == "supervisor dies":
            (supervisor,) = [pid for pid, (name, _) in here.children().items() if name == "gs-supervisor"]
            os.kill(supervisor, signal.SIGKILL)
        wait_for("it is authenticated", lambda: accepted)
        here.process.stdin.close()
        assert here.ok() == "closed\nword\n"
        assert len(accepted) == 1


def test_threads(near):
    assert caller(near, "threads", "40").ok() == "40\n"


def test_one_socket_two_threads(near):
    """One connection; the second connect() says 0 or that it is there or under way, as in the kernel."""
    word, *said = caller(near, "one_socket_two_threads").ok().split()
    assert word == "word" and set(said) <= {"0", "EISCONN", "EALREADY"}, said


def test_unspec_while_connecting(slow):
    assert caller(slow, "unspec").ok() == "word\n"


def test_unspec_after(near):
    assert caller(near, "unspec_after").ok() == "word\n"


def test_again(near):
    assert caller(near, "again").ok() == "EISCONN word\n"


def test_again_while_connecting(slow):
    """EALREADY at first, or the wait for the end; then 0 once, then EISCONN: a loop that asks by connect()."""
    words = caller(slow, "again_while_connecting").ok().split()
    assert words[0] in ("EALREADY", "0", "EISCONN") and words[-2:] == ["EISCONN", "word"], words


def test_refused_then_elsewhere(bare_lab):
    """A socket that a tunnel refused connects to a place of no tunnel."""
    with OddGateway(odd.refuses(6)) as gateway, OddGateway(lambda _, sock: sock.sendall(sock.recv(4))) as other:
        near = Initiator(bare_lab, gateway.port)
        assert caller(near, "refused_then_elsewhere", other.port).ok() == "ECONNREFUSED word\n"


@pytest.mark.parametrize("only", ["0", "1"], ids=["dual", "v6only"])
def test_ipv6_socket_to_an_ipv4_contact(near, only):
    assert caller(near, "mapped", only).ok() == "word\n"


class Gateway6(OddGateway):
    """An access point on the IPv6 loopback."""

    def __init__(self, behave):
        self.behave, self.calls = behave, 0
        self.server = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.port = self.server.getsockname()[1]
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.accept_all, daemon=True)]
        self.threads[0].start()


def test_ipv6_contact(bare_lab):
    with Gateway6(echoes()) as gateway:
        near = Initiator(bare_lab, gateway.port, host="[::1]")
        assert caller(near, "threads", "3").ok() == "3\n"


def test_ipv4_socket_to_an_ipv6_contact(bare_lab):
    """The kernel cannot connect it: it is told at once, and the user with it."""
    with Gateway6(echoes()) as gateway:
        near = Initiator(bare_lab, gateway.port, host="[::1]")
        here = caller(near, "ipv4_socket")
        assert here.ok() == "EAFNOSUPPORT True\n"
        assert any("IPv6" in line for line in warnings(here))


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.77", "0.0.0.0"])
def test_bound_first(near, source):
    word, name = caller(near, "bound", source).ok().split()
    assert word == "word" and name == ("127.0.0.1" if source == "0.0.0.0" else source)


def test_bound_where_the_contact_cannot_be_reached_from(bare_lab):
    """The contact is on no loopback: EADDRNOTAVAIL, and a line. Nothing is sent: 192.0.2.0/24 is nowhere."""
    near = Initiator(bare_lab, 9, host="192.0.2.1")
    here = caller(near, "bound", "127.0.0.1")
    assert here.ok().split()[0] == "EADDRNOTAVAIL"
    assert any("bind its socket" in line for line in warnings(here))


def test_send_timeout(bare_lab):
    """SO_SNDTIMEO: EINPROGRESS once it is over, as connect(2) has it, black hole or silence."""
    with BlackHole() as hole:
        error, took = caller(Initiator(bare_lab, hole.port), "send_timeout", "300").ok().split()
    assert error == "EINPROGRESS" and 300 <= int(took) < 1000
    with OddGateway(odd.is_silent) as gateway:
        error, took = caller(Initiator(bare_lab, gateway.port), "send_timeout", "300").ok().split()
    assert error == "EINPROGRESS" and 300 <= int(took) < 1000


@pytest.mark.parametrize("kind", ["fastopen", "fastopen_message"])
def test_fastopen(near, kind):
    """It is not there, and the connect() after it works."""
    assert caller(near, kind).ok() == "ENOTSUP word\n"  # EOPNOTSUPP's other name


@pytest.mark.parametrize("kind", ["multipath", "fastopen_connect"])
def test_loop_with_an_odd_socket(near, kind):
    assert caller(near, "loops", kind).ok() == "word\n"


def test_io_uring(bare_lab, near):
    assert caller(near, "io_uring").ok() == "ENOSYS\n"
    bare = bare_lab.start(*script("callers.py", "io_uring")).ok()
    allowed = caller(near, "io_uring", options=["--allow-io-uring"])
    assert allowed.ok() == bare
    assert any("io_uring" in line for line in warnings(allowed))


def test_udp(near):
    assert caller(near, "udp").ok() == "ECONNREFUSED\n"


@pytest.mark.parametrize("cookies", [True, False], ids=["now", "before-5.14"])
def test_another_network(bare_lab, cookies):
    """A program that has moved to another network namespace gets what the kernel says there."""
    launcher = RUN if cookies else before_netns_cookies(bare_lab)
    with OddGateway(echoes()) as gateway:
        near = Initiator(bare_lab, gateway.port)
        apart = need("unshare"), "--map-root-user", "--net"
        if near.run(*apart, "true").wait() != 0:
            missing("network namespaces")
        here = near.run(*apart, PROGRAMS / "talk", "call", near.name, FAKE_PORT, "question",
                        launcher=launcher)
        assert here.wait() == 1 and "unreachable" in here.err, here
        assert gateway.calls == 0
        here = near.run(*script("callers.py", "inherited", near.name, FAKE_PORT), launcher=launcher)
        assert here.ok() == "word\n" and warnings(here) == [], here


def test_several_tunnels(bare_lab):
    """One command, three tunnels to three access points with other secrets, all at once."""
    with contextlib.ExitStack() as stack:
        ends = []
        for number in range(3):
            def behave(gateway, connection, number=number):
                odd.holds(f"{number}" * 64)(gateway, connection)
            gateway = stack.enter_context(OddGateway(behave))
            ends.append(Initiator(bare_lab, gateway.port, lankey=f"{number}" * 64, fake_port=1300 + number))
        words = [word for number, end in enumerate(ends) for word in (end.name, str(1300 + number))]
        here = bare_lab.run(ends[0].base, [end.id for end in ends], *script("callers.py", "several", *words))
        assert here.ok() == "word word word\n"


# --- i386 ---

def int80(name):
    path = PROGRAMS / name
    if not path.exists():
        missing(f"{path}: a compiler with -m32")
    return path


@pytest.mark.parametrize("way", ["socketcall", "direct"])
@pytest.mark.parametrize("name", INT80)
def test_int80_calls(near, name, way):
    """By int 0x80, from a 32-bit program and from a 64-bit one."""
    address = near.run(PROGRAMS / "talk", "resolve", near.name, FAKE_PORT).ok().strip()
    here = near.run(int80(name), way, "call", address, FAKE_PORT)
    assert here.ok() == "word\n", here


@pytest.mark.parametrize("way", ["socketcall", "direct"])
@pytest.mark.parametrize("name", INT80)
def test_int80_calls_without_blocking(slow, name, way):
    """EINPROGRESS, poll, SO_ERROR, all by int 0x80."""
    address = slow.run(PROGRAMS / "talk", "resolve", slow.name, FAKE_PORT).ok().strip()
    here = slow.run(int80(name), way, "call-nonblocking", address, FAKE_PORT)
    assert here.ok() == "word\n", here


@pytest.mark.parametrize("way", ["socketcall", "direct"])
@pytest.mark.parametrize("name", INT80)
def test_int80_listens(bare_lab, name, way):
    far = Listener(bare_lab, free_port())
    there = far.start(int80(name), way, "listen", "127.0.0.1", far.port)
    stranger = far.stranger()
    assert far.ask("word") == "word\n"
    assert there.ok() == "127.0.0.1\n"
    stranger.close()


def test_m32_program(bare_lab):
    """A C library of 32 bits on both sides, with names by /etc/hosts or by address."""
    port = free_port()
    talk = int80("talk-m32")
    with OddGateway(echoes()) as gateway:
        near = Initiator(bare_lab, gateway.port)
        address = near.run(PROGRAMS / "talk", "resolve", near.name, FAKE_PORT).ok().strip()
        assert near.run(talk, "call", address, FAKE_PORT, "question").ok() == "question"
    far = Listener(bare_lab, port)
    there = far.start(talk, "listen", port, "answer")
    assert far.ask("question") == "answer"
    assert there.ok() == "question\n"
