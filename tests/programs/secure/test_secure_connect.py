"""What is meant for a tunnel goes through it or fails; and the answers to a program are the kernel's."""

import ctypes
import errno
import os
import re
import resource
import signal
import socket
import struct
import subprocess

import pytest

import odd_gateways as odd
from lab import PROGRAMS, RUN, free_port, missing, need, one_warning, warnings
from odd_gateways import OddGateway
from processes import needs_to_see, wait_for
from sockets_lab import ASYNC, FAKE_PORT, SECRET, Initiator, before_netns_cookies, echoes, script
from sockets_lab import line_to
from launches import Daemon
from launches import limit as set_limit
from launches import below

TOLD_MAX = 128  # supervisor/base/state.h
APART = "unshare", "--map-root-user", "--net"
NO_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
LAUNCHED = RUN.name[:15], "gs-keeper"  # below secure_leak.py
WEAK = NO_RIGHTS if os.geteuid() == 0 else ()


@pytest.fixture
def near(bare_lab):
    with OddGateway(odd.holds(SECRET)) as gateway:
        yield Initiator(bare_lab, gateway.port)


def virtual(near, name=None, port=FAKE_PORT):
    return near.run(PROGRAMS / "talk", "resolve", name or near.name, port).ok().strip()


def start_where_it_would_leak(near, address, *words, weak=False, options=(), port=FAKE_PORT, **how):
    """Run a program in a network where somebody listens at the virtual address."""
    if near.lab.start(*APART, "true").wait() != 0:
        missing("network namespaces")
    # who makes a network has all rights in it
    run = [*(NO_RIGHTS if weak else ()), RUN, "--base-dir", near.base, *options, near.id, "--"]
    return near.lab.start(*APART, *script("secure_leak.py", address, port), *run,
                          *script("secure_connect.py", *words), **how)


def where_it_would_leak(near, address, *words, **how):
    """Its outcome, how many connections and datagrams came there, and the launcher's lines."""
    here = start_where_it_would_leak(near, address, *words, **how)
    *said, leaked = here.ok().splitlines()
    return said, int(leaked.split()[1]), warnings(here)


def start_later(near, address, **how):
    """A program that connects there once it is told."""
    here = start_where_it_would_leak(near, address, "later", address, FAKE_PORT, stdin="open", **how)
    wait_for(f"the program: {here}", lambda: here.out == "ready\n" or not here.running())
    return here


def program(near, *words, **options):
    return near.run(*script("secure_connect.py", *words), **options)


def test_so_error_with_little_room(bare_lab):
    """Not a byte more is written than there is room for, and a question that is wrong takes no error away."""
    def refuses_late(gateway, connection):
        gateway.done.wait(0.1)
        odd.refuses(1)(gateway, connection)
    with OddGateway(refuses_late) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        for room in (0, 1, 8):
            said = program(near, "so_error", near.name, FAKE_PORT, -1, room).ok().split("\n")
            assert said[0] == f"EINVAL -1 {'aa' * 8}"
            error = struct.pack("=i", errno.EACCES)[:min(room, 4)]
            assert said[1] == f"0 {len(error)} {error.hex()}{'aa' * (8 - len(error))}"


# --- a virtual address never reaches the kernel ---

@pytest.mark.parametrize("cookies", [True, False], ids=["now", "before-5.14"])
def test_virtual_address_in_another_network(near, cookies):
    """A program that has moved to a network namespace where somebody listens at the virtual address."""
    address = virtual(near)
    if near.run(*APART, "true").wait() != 0:
        missing("network namespaces")
    here = near.run(*APART, *script("secure_leak.py", address, FAKE_PORT),
                    *script("secure_connect.py", "connect", address, FAKE_PORT),
                    launcher=RUN if cookies else before_netns_cookies(near.lab))
    assert here.ok() == "ENETUNREACH\nleaked 0\n", here
    one_warning(here, "network namespace", "not available", near.id, "inside it", "--network host")


def test_virtual_address_without_descriptors(near):
    """The supervisor cannot look at the socket."""
    here = start_later(near, virtual(near))
    supervisor = below(here.pid, *LAUNCHED, "gs-supervisor")
    set_limit(supervisor, resource.RLIMIT_NOFILE, 3)
    line_to(here)
    assert here.ok() == "ready\nENFILE\nleaked 0\n", here


def test_virtual_address_of_a_supervisor_that_has_ended(near):
    """What it gave out is not known any more: every such address is refused, with a line."""
    daemon, address = Daemon(near.lab), "198.19.77.77"
    here = start_later(near, address, options=["--attach", daemon.path])
    for pid in (daemon.program.pid, daemon.supervisor):
        os.kill(pid, signal.SIGKILL)
    wait_for("a keeper of its own", lambda: below(here.pid, *LAUNCHED))
    line_to(here)
    assert here.ok() == "ready\nECONNREFUSED\nleaked 0\n", here
    assert [line for line in warnings(here) if address in line and "may have assigned" in line], here


def test_virtual_address_of_a_launch_that_has_ended(bare_lab):
    """In a daemon its tunnel is there for the others: the address leads into it still, and nowhere else."""
    daemon = Daemon(bare_lab)
    with OddGateway(odd.holds(SECRET)) as gateway, OddGateway(odd.closes_at_once) as nobody:
        first = Initiator(bare_lab, gateway.port, base="first")
        address = first.run(PROGRAMS / "talk", "resolve", first.name, FAKE_PORT, options=["--attach", daemon.path]).ok()
        second = Initiator(bare_lab, nobody.port, base="second")
        assert program(second, "connect", address.strip(), FAKE_PORT, options=["--attach", daemon.path]).ok() == "word\n"
        assert gateway.calls == 1 and nobody.calls == 0


def test_errors_are_the_kernels(near):
    """What is answered in its place is what it says of an address that leads elsewhere."""
    here = program(near, "no_descriptor", near.name, FAKE_PORT).ok()
    assert here == near.lab.start(*script("secure_connect.py", "no_descriptor", "127.0.0.1", 9)).ok()
    assert here.count("\n") == 6 and " 0\n" not in here


# --- programs that cannot be inspected ---

@pytest.mark.parametrize("how", [["hidden"], ["hidden_child", "child"], ["hidden_child", "orphan"]])
def test_hidden_program_that_was_told(near, how):
    """It, or its parent, was told an address: nothing leaves, and a line says why."""
    kind, *more = how
    said, leaked, lines = where_it_would_leak(near, virtual(near), kind, near.name, FAKE_PORT, *more, weak=True)
    assert (said, leaked) == (["ECONNREFUSED"], 0)
    assert any("cannot be inspected" in line and "refused" in line for line in lines), lines


def as_ordinary_user(near, *words, **options):
    """Under a launcher that may not look into what hides."""
    run = [*WEAK, RUN, "--base-dir", near.base, *near.options, near.id, "--"]
    return near.lab.start(*run, *script("secure_connect.py", *words), **options)


@pytest.mark.parametrize("children", [0, 1])
def test_hidden_program_that_was_not_told(near, children):
    """Its connections are its own, whatever its children know. Where /proc hides whose children these are, they
    are refused."""
    if children:
        needs_to_see()
    with OddGateway(lambda _, connection: connection.sendall(connection.recv(9))) as other:
        words = "hidden_from_the_start", "127.0.0.1", other.port, children, near.name, FAKE_PORT
        here = as_ordinary_user(near, *words)
        assert here.ok() == "word\n"
        assert warnings(here) == []


def may_mean_a_tunnel(near, *words):
    with OddGateway(odd.is_silent) as other:
        here = as_ordinary_user(near, words[0], *(other.port if word == "PORT" else word for word in words[1:]))
        assert here.ok(100) == "ECONNREFUSED\n"
        assert other.calls == 0
    one_warning(here, "cannot be inspected", "may be meant for a tunnel")


def test_hidden_program_that_was_told_and_others(near):
    """Where it connects to cannot be read: all its connections are refused."""
    may_mean_a_tunnel(near, "hidden_elsewhere", near.name, FAKE_PORT, "127.0.0.1", "PORT")


def test_more_processes_were_told_than_are_known(near):
    """Then anybody may have been."""
    may_mean_a_tunnel(near, "hidden_from_the_start", "127.0.0.1", "PORT", TOLD_MAX + 1, near.name, FAKE_PORT)


def test_hidden_program_and_local_sockets(near):
    path = near.lab.folder / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        here = as_ordinary_user(near, "hidden_local", path, near.name, FAKE_PORT)
        assert here.ok() == "connected\n"


@pytest.mark.parametrize("behave, said", [(echoes(0.05), "0\nword\n"), (None, "failed EFAULT\n")])
def test_program_that_hides_while_it_connects(bare_lab, behave, said):
    """The question for the result waits for the handshake, and an error is one, though it cannot be written."""
    def refuses_late(gateway, connection):
        gateway.done.wait(0.1)
        odd.refuses(1)(gateway, connection)
    with OddGateway(behave or refuses_late) as gateway:
        near = Initiator(bare_lab, gateway.port, options=ASYNC)
        assert as_ordinary_user(near, "hidden_so_error", near.name, FAKE_PORT).ok() == said


# --- datagrams ---

def test_datagrams_to_a_virtual_address(near):
    for kind in ("udp", "no-family"):
        said, leaked, lines = where_it_would_leak(near, virtual(near), "send", near.name, FAKE_PORT, kind, 16, 24, 28,
                                                  100, 128)
        assert (said, leaked) == (["ECONNREFUSED"] * 5, 0)
        assert len(lines) == 1 and "tunnels carry TCP" in lines[0] and near.name in lines[0]


def test_data_with_an_address_on_a_connection(near):
    """TCP takes no notice of the address, and the tunnel is where it leads."""
    here = program(near, "send", near.name, FAKE_PORT, "tcp", 16, 28)
    assert here.ok() == "4\n4\n" and warnings(here) == []


def test_addresses_that_were_not_given_out(near):
    """Others use the range too."""
    said, leaked, lines = where_it_would_leak(near, "198.19.77.77", "send", "198.19.77.77", FAKE_PORT, "udp", 16, 28)
    assert (said, leaked, lines) == (["4"] * 2, 2, [])
    said, leaked, lines = where_it_would_leak(near, "198.19.77.77", "hidden_from_the_start", "198.19.77.77", FAKE_PORT, 0,
                                              weak=True)
    assert leaked == 1 and lines == []


# --- past the filter, and past the program's own rules ---

def test_inherited_ring(near):
    """A ring that was made before the launch connects for nobody."""
    libc = ctypes.CDLL(None, use_errno=True)
    ring = libc.syscall(425, 1, ctypes.create_string_buffer(120))
    if ring < 0:
        missing("io_uring")
    words = [RUN, "--base-dir", near.base, near.id, "--", *script("secure_connect.py", "ring", "9")]
    try:
        inherits = [need("bash"), "-c", f'exec 9<&{ring}; exec "$@"', "sh"]
        os.set_inheritable(ring, True)
        here = subprocess.run([*inherits, *map(str, words)], env=near.lab.env, capture_output=True, text=True,
                              timeout=30, close_fds=False)
    finally:
        os.close(ring)
    assert here.stdout == "setup ENOSYS\nenter ENOSYS\nregister ENOSYS\n", here


def test_landlock(bare_lab):
    """A program that forbids itself to connect reaches tunnels, and nothing else by the supervisor's hand."""
    with OddGateway(odd.holds(SECRET)) as gateway, OddGateway(lambda _, caller: caller.sendall(b"real")) as real:
        mapped = free_port()
        near = Initiator(bare_lab, gateway.port, globus_contact=f"localhost:{mapped}")
        here = near.run(*script("secure_connect.py", "confined", "localhost", mapped, real.port))
        said = here.ok().split()
        if "landlock" in said:
            missing("Landlock's rules for TCP (Linux 6.7)")
        assert said == ["real", "word", "EACCES", "EACCES"]
        one_warning(here, f"localhost:{real.port}", "landlock", "leads into no tunnel")


def test_filter_of_the_programs_own(near):
    """What it refuses is refused, tunnel or not."""
    if os.uname().machine != "x86_64":
        pytest.skip("written for x86-64")
    assert program(near, "filtered", virtual(near), FAKE_PORT).ok() == "EACCES\n"


# --- programs that do not see our addresses ---

@pytest.mark.parametrize("how", ["alone", "daemon"])
def test_real_host_of_a_mapped_name(bare_lab, how):
    """A program without the shim is kept from where a mapped name really is, at that port; or it is allowed."""
    with OddGateway(odd.holds(SECRET)) as gateway, OddGateway(odd.closes_at_once) as real, \
            OddGateway(odd.closes_at_once) as other:
        near = Initiator(bare_lab, gateway.port, globus_contact=f"localhost:{real.port}")
        daemon = Daemon(bare_lab) if how == "daemon" else None
        options = ["--attach", daemon.path] if daemon else []
        clear = need("env"), "-u", "LD_PRELOAD"
        for host in ("0.0.0.0", "127.0.0.1", "localhost"):  # from the first one on
            here = near.run(*clear, *script("secure_connect.py", "direct", host), real.port, options=options)
            assert here.ok(100) == "ECONNREFUSED\n"
        lines = warnings(daemon.program if daemon else here)
        assert len(lines) == (3 if daemon else 1), lines
        assert re.search(rf"127.0.0.1:{real.port} .* real address of localhost.* --hosts, .* --allow-direct", lines[-1])
        here = near.run(*clear, *script("secure_connect.py", "connect", "127.0.0.1", other.port), options=options)
        assert here.ok() in ("end\n", "ECONNRESET\n", "EPIPE\n") and warnings(here) == []
        assert program(near, "connect", "localhost", real.port, options=options).ok() == "word\n"
        here = near.run(*clear, *script("secure_connect.py", "connect", "127.0.0.1", real.port),
                        options=[*options, "--allow-direct"])
        assert here.ok() in ("end\n", "ECONNRESET\n", "EPIPE\n")
        one_warning(here, "unencrypted")
