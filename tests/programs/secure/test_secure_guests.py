"""Programs that the seccomp agent has attached to a daemon: they get the tunnels that were chosen for them, and no
others of that daemon's."""

import errno
import os
import shutil

import pytest

from guests import AS_SOMEBODY, Guest, Site, begin_as_somebody, somebodys_site
from lab import GOOD, PROGRAMS, PYTHON, RUN, wait_listening, write_conf
from launches import below
from processes import wait_for

TALK, GO = PROGRAMS / "talk", PROGRAMS / "talk-go"


@pytest.fixture
def own(lab):
    return lab.tunnel(mapped=["own.example:80", "shared.example:80"])


@pytest.fixture
def other(lab):
    return lab.tunnel(mapped=["other.example:80", "shared.example:81", "127.0.0.1:9"])


@pytest.fixture
def site(lab, own, other):
    """A daemon that knows both tunnels, of both ends: a launch and a guest have told it of them."""
    base = lab.folder / "confs"
    base.mkdir(mode=0o700)
    for tunnel in own, other:
        shutil.copy2(tunnel.initiator / f"{tunnel.id}.conf", base)
    site = Site(lab, base)
    launch = lab.start(RUN, "--attach", site.supervisor, "--base-dir", base, own.id, other.id, "--", TALK, "resolve",
                       other.name, "1")
    launch.ok()
    return site


def run(site, tunnels, *command, **options):
    return Guest(site.lab, *command, **options).begin(site, *(tunnel.id for tunnel in tunnels))


def address_of(site, tunnel):
    """What a launch is told; anybody can work it out."""
    return site.lab.start(RUN, "--attach", site.supervisor, "--base-dir", site.base, tunnel.id, "--", TALK, "resolve",
                          tunnel.name, "1").ok().strip()


def test_its_tunnel_and_no_other(site, own, other):
    listener = own.listen(TALK, "listen", own.port, "answer")
    assert run(site, [own], TALK, "call", own.name, own.fake_port, "question").ok() == "answer"
    assert listener.ok() == "question"
    address = address_of(site, other)
    refused = run(site, [own], TALK, "call", address, other.fake_port, "question")
    assert refused.wait() == 1 and "refused" in refused.err
    assert f"to {address}:{other.fake_port} is refused: that is a tunnel's address" in site.daemon.err


# Others' names would be asked of the network's name servers: who reads the hosts file is shown them nowhere else.
@pytest.mark.parametrize("talk", [TALK, PROGRAMS / "talk-static", GO], ids=lambda path: path.name)
def test_names(site, own, talk):
    for name in own.name, "own.example", "shared.example":
        run(site, [own], talk, "resolve", name, "80").ok()


def test_the_copy_of_the_hosts_file(site, own, other):
    code = "print(open('/etc/hosts').read())"
    text = run(site, [own], PYTHON, "-c", code).ok()
    assert own.name in text and "own.example" in text and "shared.example" in text
    assert other.id not in text and "other.example" not in text


def test_calls_that_the_supervisor_does_not_know(site, own):
    """A filter of somebody else's may send such calls, of x32 for one: nobody knows what they do."""
    assert run(site, [own], PYTHON, "-c", "import os; print(os.getppid())", what="strange").ok() == "-38\n"


def test_children_have_no_more(site, own, other):
    """By fork, exec, and a launcher inside, which may not add any."""
    address = address_of(site, other)
    child = run(site, [own], "/bin/sh", "-c", f"{TALK} call {address} {other.fake_port} x & wait $!")
    assert child.wait() == 1 and "refused" in child.err
    inside = run(site, [own], RUN, "--base-dir", site.base, other.id, "--", "true")
    assert inside.wait() == 1 and f"refused tunnel {other.id}" in inside.err, inside
    new = write_conf(site.base, **GOOD)
    inside = run(site, [own], RUN, "--base-dir", site.base, new, "--", "true")
    assert inside.wait() == 1 and f"refused tunnel {new}" in inside.err, inside


def test_mapped_numbers_and_contacts_of_others(lab, site, own, other):
    """What another tunnel has taken is for this one the place that it is without: a bare connect."""
    host, port = other.contact
    code = ("import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10); s.settimeout(1)\n"
            "try: print(s.recv(1))\nexcept TimeoutError: print('silence')")
    assert run(site, [own], PYTHON, "-c", code, host, port).ok() == "silence\n", "it has been authenticated"
    assert "refused" in (refused := run(site, [own], PYTHON, "-c", code, "127.0.0.1", 9)).err or refused.wait() == 1
    assert "ConnectionRefused" in refused.err


@pytest.fixture
def beside(lab, own):
    """Another tunnel, which listens on the same port."""
    return lab.tunnel(port=own.port)


@pytest.fixture
def listening(lab, own, beside):
    """A daemon where both of them listen."""
    base = lab.folder / "listening"
    base.mkdir(mode=0o700)
    for tunnel in own, beside:
        shutil.copy2(tunnel.listener / f"{tunnel.id}.conf", base)
    site = Site(lab, base, "listening")
    lab.start(RUN, "--attach", site.supervisor, "--base-dir", base, own.id, beside.id, "--", "true").ok()
    return site


def test_accept(listening, own, beside):
    """On a port of both tunnels, the calls of its own only."""
    program = run(listening, [own], TALK, "listen", own.port, "answer", what="listens")
    wait_listening(own.port, program)
    refused = beside.call(TALK, "call", beside.name, beside.fake_port, "wrong")
    assert refused.wait() == 1, refused
    assert own.call(TALK, "call", own.name, own.fake_port, "question").ok() == "answer"
    assert program.ok() == "question"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_users_of_one_guest(lab, listening, own):
    """They have one user's share together: root in a container has as many users as it likes."""
    code = ("import os, resource, socket, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024)); kept = []\n"
            "try:\n"
            "    for number in range(300):\n"
            "        os.seteuid(0); os.seteuid(5001 + number // 100); kept.append(s := socket.socket())\n"
            "        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
            "        s.bind((f'127.0.{number // 100}.1', int(sys.argv[1]))); s.listen()\n"
            "        s.setblocking(False)\n"
            "        try: s.accept()\n"
            "        except BlockingIOError: pass\n"
            "except OSError as error: print(number, error.errno)")
    program = run(listening, [own], PYTHON, "-c", code, own.port)
    assert program.ok() == f"256 {errno.ENOBUFS}\n"


def test_connects_of_one_that_only_listens(listening, own):
    """It has no tunnel to connect to: a tunnel's address is another's, and leads nowhere, by TCP or UDP."""
    code = ("import socket, sys\n"
            "for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:\n"
            "    s = socket.socket(type=kind); s.settimeout(3)\n"
            "    try: s.connect(('198.18.1.1', 80)); print('in clear')\n"
            "    except OSError as error: print(type(error).__name__)\n"
            "l = socket.create_server(('127.0.0.1', 0)); socket.create_connection(l.getsockname()); print('others')")
    program = run(listening, [own], PYTHON, "-c", code, what="both")
    assert program.ok().split() == ["ConnectionRefusedError"] * 2 + ["others"]
    assert "to 198.18.1.1:80 is refused: that is a tunnel's address" in listening.daemon.err


def test_a_listening_socket_of_another_program(lab, listening, own, beside):
    """A launch of the same daemon gives its listening socket away: what is queued there may be another tunnel's."""
    path = lab.folder / "given"
    launch = ("import array, socket, sys, time; l = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
              "l.setblocking(False)\n"
              "try: l.accept()\nexcept BlockingIOError: pass\n"
              "s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[2]); s.listen(); c, _ = s.accept();"
              "socket.send_fds(c, [b'x'], [l.fileno()]); c.recv(1)")
    guest = ("import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
             "_, fds, _, _ = socket.recv_fds(s, 1, 1); l = socket.socket(fileno=fds[0]); l.setblocking(True)\n"
             "try: print(l.accept())\nexcept PermissionError: print('refused')")
    giver = lab.start(RUN, "--attach", listening.supervisor, "--base-dir", listening.base, own.id, beside.id, "--",
                      PYTHON, "-c", launch, own.port, path)
    wait_listening(own.port, giver)
    wait_for("the socket", path.exists)
    taker = run(listening, [own], PYTHON, "-c", guest, path)
    assert taker.ok() == "refused\n"
    assert "belongs to a program that has other tunnels" in listening.daemon.err


def test_a_process_that_cannot_be_inspected(lab, own, other):
    """Where it connects to is not known, nor what its hosts file says: it may be a tunnel's address, and is refused."""
    conf = own.initiator / f"{own.id}.conf"
    wrapper = AS_SOMEBODY if os.geteuid() == 0 else ()
    site = somebodys_site(lab, conf) if wrapper else Site(lab, own.initiator)
    code = ("import ctypes, socket; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); s = socket.socket(); s.settimeout(3)\n"
            "try: s.connect(('198.18.1.1', 80))\nexcept OSError as error: print(type(error).__name__)")
    guest = Guest(lab, PYTHON, "-c", code, wrapper=wrapper)
    if wrapper:
        program = begin_as_somebody(site, guest, own.id)
    else:
        program = guest.begin(site, own.id)
    assert program.ok() == "ConnectionRefusedError\n"
    assert "cannot be inspected" in site.daemon.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_accept_where_nobody_may_look(lab, own):
    """Whose socket it is cannot be known: it may be one of a program with other tunnels."""
    site = somebodys_site(lab, own.listener / f"{own.id}.conf")
    code = ("import ctypes, socket; l = socket.create_server(('127.0.0.1', 0)); l.setblocking(False)\n"
            "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
            "try: l.accept()\nexcept OSError as error: print(type(error).__name__)")
    program = begin_as_somebody(site, Guest(lab, PYTHON, "-c", code, wrapper=AS_SOMEBODY), own.id)
    assert program.ok() == "PermissionError\n"


def test_a_supervisor_that_dies(site, own, other):
    """The next one knows which tunnels it has."""
    go = site.lab.folder / "go"
    address = address_of(site, other)
    program = run(site, [own], "/bin/sh", "-c",
                  f"while [ ! -e {go} ]; do sleep 0.1; done; {TALK} resolve {own.name} 80 && {TALK} call {address} "
                  f"{other.fake_port} x")
    before = below(site.daemon.pid, "gs-supervisor")
    os.kill(before, 9)
    wait_for("another supervisor", lambda: below(site.daemon.pid, "gs-supervisor") not in (None, before))
    go.touch()
    assert program.wait() == 1 and program.out.strip() and "refused" in program.err, program
    assert f"to {address}:{other.fake_port} is refused: that is a tunnel's address" in site.daemon.err


def test_an_upgrade(site, own, other):
    """So does the new version."""
    go, address = site.lab.folder / "go", address_of(site, other)
    program = run(site, [own], "/bin/sh", "-c",
                  f"while [ ! -e {go} ]; do sleep 0.1; done; {TALK} resolve {own.name} 80 && {TALK} call {address} "
                  f"{other.fake_port} x")
    site.lab.cli("supervisor", "upgrade", "--socket", site.supervisor)
    go.touch()
    assert program.wait() == 1 and program.out.strip() and "refused" in program.err, program
    assert f"to {address}:{other.fake_port} is refused: that is a tunnel's address" in site.daemon.err


def test_a_daemon_that_is_gone(site, own):
    """Its programs' calls fail: nothing that was for the tunnel leaves without it, and nobody hangs."""
    code = ("import errno, os, socket, sys, time; open(sys.argv[1], 'w').close()\n"
            "while True:\n"
            "    s = socket.socket()\n"
            "    try: s.connect(('127.0.0.1', 9))\n"
            "    except OSError as error:\n"
            "        if error.errno == errno.ENOSYS: os.write(1, b'no such call'); os._exit(0)\n"
            "    s.close(); time.sleep(0.01)")
    there = site.lab.folder / "there"
    program = run(site, [own], PYTHON, "-c", code, there)
    wait_for("the program", there.exists)
    site.daemon.process.kill()
    assert program.ok() == "no such call"
