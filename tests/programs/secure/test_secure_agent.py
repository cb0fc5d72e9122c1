"""The seccomp agent of container runtimes, against documents and peers of all kinds: one clear line, no descriptor
left, and nobody else held up."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from guests import AGENT, AS_SOMEBODY, Guest, Site, somebodys_site
from lab import GOOD, PROGRAMS, PYTHON, need, need_user_namespace, write_conf
from processes import ended, wait_for

EXAMPLE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def lab(bare_lab):
    return bare_lab


@pytest.fixture
def tunnel(lab):
    """A conf file is enough."""
    base = lab.folder / "confs"
    return SimpleNamespace(id=write_conf(base, **GOOD), initiator=base)


@pytest.fixture
def site(lab, tunnel):
    return Site(lab, tunnel.initiator)


@pytest.fixture
def guest(lab):
    """A container that waits; its program ends with ENOSYS in its loader if it is not served."""
    guest = Guest(lab, "/bin/true", what="initiates")
    yield guest
    guest.close()


def test_a_document_by_hand(site, tunnel, guest):
    """The runtime leaves its end open."""
    line = site.hand(guest.document(tunnel.id), fds=[guest.fd], end=False)
    assert "some-container is served, with 1 tunnel" in line
    assert site.programs() == 1
    guest.go().ok()
    wait_for("its end", lambda: site.programs() == 0)


def test_in_pieces_and_with_others(site, tunnel, guest):
    """Any number of pieces; other descriptors are closed."""
    whole = guest.document(tunnel.id, fds=["other", "seccompFd", "else"])
    reading, writing = os.pipe()
    assert "is served" in site.hand(*(bytes([byte]) for byte in whole), fds=[writing, guest.fd, writing], end=False)
    os.close(writing)
    assert os.read(reading, 1) == b"", "a descriptor is left somewhere"
    os.close(reading)


def is_dropped(site, guest):
    """Nobody has the listener descriptor but we: what the program calls then fails, and its start does not hang."""
    assert site.programs() == 0
    assert guest.go().wait() != 0


def test_cut_off_anywhere(site, tunnel, guest):
    whole = guest.document(tunnel.id)
    for size in range(1, len(whole)):
        assert "cut off" in site.hand(whole[:size], fds=[guest.fd]), size
    is_dropped(site, guest)


REFUSED = [
    ({"fds": []}, "other descriptors"),
    ({"fds": ["seccompFd", "seccompFd"]}, "other descriptors"),
    ({"fds": "seccompFd"}, "other descriptors"),
    ({"fds": ["other"]}, "one seccompFd"),
    ({"pid": -1}, "pid"),
    ({"pid": 1.5}, "pid"),
    ({"pid": 1e300}, "pid"),
    ({"pid": "1"}, "pid"),
    ({"metadata": None}, "names no tunnel"),
    ({"metadata": ""}, "names no tunnel"),
    ({"metadata": "../conf"}, "not a tunnel's id"),
    ({"metadata": f"/etc/globus-streams/oci/{EXAMPLE}"}, "not a tunnel's id"),
    ({"metadata": f"../{EXAMPLE}"}, "not a tunnel's id"),
    ({"metadata": f"{EXAMPLE[:-1]}/"}, "not a tunnel's id"),
    ({"metadata": f"{EXAMPLE}.conf"}, "not a tunnel's id"),
    ({"metadata": "allow-direct"}, "not a tunnel's id"),
    ({"metadata": EXAMPLE}, f"{EXAMPLE}.conf does not exist"),
    ({"metadata": ",".join(f"{EXAMPLE[:-1]}{digit}" for digit in range(9))}, "too many tunnels"),
    ({"metadata": f"{EXAMPLE}\0more"}, "not a JSON object"),
    ({"metadata": EXAMPLE, "state": {"id": "one-of-many"}}, "container one-of-many is refused: "),
    ({"metadata": EXAMPLE, "state": {"id": "\u202e"}}, "container (unnamed) is refused: "),
    ({"pad": "x" * 300000}, "too large"),
]


def test_what_is_refused(site, tunnel, guest):
    for changes, says in REFUSED:
        assert says in site.hand(guest.document(tunnel.id, **changes), fds=[guest.fd]), changes
    is_dropped(site, guest)


def test_a_tunnel_twice_and_a_backslash(site, tunnel, guest):
    """What looks like a null character and is none harms nothing."""
    document = guest.document(f"{tunnel.id},{tunnel.id.upper()}", annotations={"path": "\\u0000"})
    assert "is served, with 1 tunnel" in site.hand(document, fds=[guest.fd])


def test_an_alarm_that_is_ignored_and_blocked(site, lab, tunnel):
    """Whatever its starter did with SIGALRM, its time is limited, and a line says that it is over."""
    ours, theirs = socket.socketpair()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        with theirs, subprocess.Popen([AGENT, "--base-dir", tunnel.initiator, "--attach", site.supervisor],
                                      stdin=theirs, stderr=subprocess.PIPE, text=True) as agent:
            wait_for("its handler", lambda: is_caught(agent.pid, signal.SIGALRM))
            agent.send_signal(signal.SIGALRM)
            _, error = agent.communicate(timeout=20)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        ours.close()
    assert agent.returncode == 1 and "not handed over within a minute" in error


def is_caught(pid, number):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = {name: int(mask, 16) for name, mask in (line.split(":") for line in lines if line.startswith("Sig")
                                                    and "/" not in line)}
    bit = 1 << number - 1
    return masks["SigCgt"] & bit and not masks["SigBlk"] & bit


def test_a_key_that_stands_twice(site, tunnel, guest):
    """Readers take the one or the other."""
    text = guest.document(tunnel.id).decode()
    twice = text.replace('"metadata"', f'"metadata": "{EXAMPLE}", "metadata"').encode()
    assert "names no tunnel" in site.hand(twice, fds=[guest.fd])


NO_DOCUMENTS = [(b"hello", "not a JSON object"), (b"[]", "not a JSON object"), (b"{}", "other descriptors"),
                (b"{]", "not a JSON object"), (b"\0", "not a JSON object"), (b"{\"a\":\"\0\"}", "not a JSON object"),
                (b"{" * 5000, "cut off"), (b"{} {}", "follows its end")]


def test_what_is_no_document(site, guest):
    for text, says in NO_DOCUMENTS:
        assert says in site.hand(text, fds=[guest.fd]), text


def test_twenty_descriptors(site, tunnel, guest):
    reading, writing = os.pipe()
    line = site.hand(guest.document(tunnel.id, fds=["seccompFd"] * 20), fds=[writing] * 20)
    os.close(writing)
    assert "too many descriptors" in line and os.read(reading, 1) == b""
    os.close(reading)


def test_another_descriptor(site, tunnel, guest):
    with open("/dev/null") as null, socket.socket() as other:
        for file in null, other:
            line = site.hand(guest.document(tunnel.id), fds=[file.fileno()])
            assert "not a seccomp filter's listener" in line


def test_it_does_not_end(site, tunnel, guest):
    """A runtime that goes on for ever, and one that says nothing: each has its time, and holds up nobody else."""
    with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as silent:
        for one in slow, silent:
            one.settimeout(20)
            one.connect(str(site.socket))
        socket.send_fds(slow, [b"{"], [guest.fd])
        assert "is served" in site.hand(guest.document(tunnel.id), fds=[guest.fd])
        assert site.agent.err.count("did not end in time") == 0
        assert slow.recv(1) == b"" and silent.recv(1) == b""
    wait_for("two lines", lambda: site.agent.err.count("did not end in time") == 2)


def test_a_process_that_has_ended(site, tunnel, guest):
    gone = subprocess.Popen(["true"])
    gone.wait()
    line = site.hand(guest.document(tunnel.id, pid=gone.pid), fds=[guest.fd])
    assert f"its process {gone.pid} has ended" in line
    is_dropped(site, guest)


def test_a_process_that_the_runtime_does_not_know(site, tunnel, guest):
    """As crun 1.8 says of exec."""
    assert "is served" in site.hand(guest.document(tunnel.id, pid=0), fds=[guest.fd])
    guest.go().ok()


def test_a_network_of_its_own(site, tunnel, guest):
    other = subprocess.Popen([*need_user_namespace("--map-root-user", "--net"), "sleep", "100"])
    ours = os.readlink("/proc/self/ns/net")
    wait_for("its network", lambda: os.readlink(f"/proc/{other.pid}/ns/net") != ours)
    try:
        line = site.hand(guest.document(tunnel.id, pid=other.pid), fds=[guest.fd])
    finally:
        other.kill()
        other.wait()
    assert "--network host" in line
    is_dropped(site, guest)


@pytest.fixture
def somebodys(lab, tunnel):
    return somebodys_site(lab, tunnel.initiator / f"{tunnel.id}.conf"), AS_SOMEBODY


def send_as(wrapper, path, text):
    code = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]);" \
           "s.sendall(sys.argv[2].encode()); s.shutdown(socket.SHUT_WR)\n" \
           "try: sys.exit(s.recv(1) != b'')\nexcept ConnectionResetError: pass"
    subprocess.run([*wrapper, PYTHON, "-c", code, path, text], check=True, timeout=30)


def test_peers_and_containers_of_other_users(somebodys, tunnel, guest):
    """Of a connection that another user made nothing is read, root's too; and this user's runtime cannot have
    somebody else's process served."""
    site, wrapper = somebodys
    site.hand(guest.document(tunnel.id), fds=[guest.fd])
    said = "a container of user 0 is refused: this agent serves user 65534 only"
    wait_for("a line", lambda: said in site.agent.err)
    send_as(wrapper, site.socket, guest.document(tunnel.id).decode())
    wait_for("another line", lambda: "other descriptors" in site.agent.err)
    code = ("import socket, sys; p = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); p.bind(sys.argv[2]);"
            "p.listen(); import subprocess; subprocess.Popen([sys.argv[3], sys.argv[2], 'initiates', 'true']);"
            "c, _ = p.accept(); _, fds, _, _ = socket.recv_fds(c, 1, 1);"
            "s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]);"
            "socket.send_fds(s, [sys.argv[4].encode()], fds); s.recv(1)")
    subprocess.run([*wrapper, PYTHON, "-c", code, site.socket, site.base / "own", PROGRAMS / "filtered",
                    guest.document(tunnel.id).decode()], check=True, timeout=60)
    wait_for("the refusal", lambda: f"its process {guest.pid} is not this user's, but user 0's" in site.agent.err)
    assert "attached" not in site.daemon.err


@pytest.mark.skipif(os.geteuid() != 0, reason="root's agent")
def test_roots_own_tunnels(site, lab, tunnel, guest):
    """Root's agent serves anybody's containers: only what the administrator has put into its folder."""
    own = write_conf(lab.home / ".globus/streams", **GOOD)
    site.agent.end()
    site.start_agent(GLOBUS_STREAMS_BASE_DIR=str(tunnel.initiator))
    for ident in own, tunnel.id:
        line = site.hand(guest.document(ident), fds=[guest.fd])
        assert f"/etc/globus-streams/oci/{ident}.conf does not exist" in line
    is_dropped(site, guest)


# --- the listening agent ---


def test_what_it_does_not_remove(site, lab, tunnel):
    """Only its own stale socket is replaced: no file, no link, no socket of somebody who listens."""
    folder = site.socket.parent
    file, link, other = folder / "file", folder / "link", folder / "other"
    file.write_text("precious")
    link.symlink_to(file)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(other))
        server.listen()
        for path in file, link, other, site.socket:
            agent = lab.start(AGENT, "--listen", path, "--base-dir", tunnel.initiator)
            assert agent.wait() == 1 and f"cannot listen at {path}: another agent listens there" in agent.err
    assert file.read_text() == "precious" and link.is_symlink()
    again = lab.start(AGENT, "--listen", other, "--base-dir", tunnel.initiator)
    wait_for("the agent", lambda: "listening" in again.err)
    opened = lab.folder / "open"
    opened.mkdir()
    opened.chmod(0o777)
    agent = lab.start(AGENT, "--listen", opened / "s", "--base-dir", tunnel.initiator)
    assert agent.wait() == 1 and "its folder must belong to you" in agent.err


def test_usage(lab):
    for options in (["--base-dir", ""], ["--base-dir="], ["--attach", ""], ["--listen", ""], ["word"],
                    ["--nonsense"]):
        agent = lab.start(AGENT, *options)
        assert agent.wait() == 2 and "see: globus-streams-oci-agent --help" in agent.err, options
        assert agent.err.count("\n") == 1


def test_it_is_not_started_for_a_connection(lab):
    agent = lab.start(AGENT, "--base-dir", lab.folder)
    assert agent.wait() == 1 and "globus-streams-oci.socket" in agent.err


def test_started_for_each_connection(site, lab, tunnel, guest):
    """As by the socket unit, which has Accept=yes; this program of systemd's does the same."""
    activate, path = need("systemd-socket-activate"), site.socket.parent / "unit"
    unit = lab.start(activate, "--accept", "--inetd", "--listen", path, AGENT, "--base-dir", tunnel.initiator,
                     "--attach", site.supervisor)
    wait_for("its socket", path.exists)
    for document, says in (guest.document(EXAMPLE), "does not exist"), (guest.document(tunnel.id), "is served"):
        with socket.socket(socket.AF_UNIX) as runtime:
            runtime.settimeout(20)
            runtime.connect(str(path))
            socket.send_fds(runtime, [document], [guest.fd])
            assert runtime.recv(1) == b""
        wait_for(f"its line: {unit}", lambda says=says: says in unit.err)
    guest.go().ok()


def test_children_do_not_have_the_listening_socket(site):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(site.socket))
        child = wait_for("its child", site.agent.children)
        (pid,) = child
        inodes = [os.readlink(f"/proc/{site.agent.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{site.agent.pid}/fd")]
        listening = [inode for inode in inodes if inode.startswith("socket:")]
        wait_for("the child to have closed it", lambda: not set(listening) & {
            os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}, timeout=2)
        assert not ended(pid)


def test_too_many_connections(site, tunnel, guest):
    """So many processes, and no more; the others wait, and are served when those have had their time."""
    silent = []
    for _ in range(70):
        silent.append(socket.socket(socket.AF_UNIX))
        silent[-1].connect(str(site.socket))
    wait_for("its children", lambda: len(site.agent.children()) >= 64)
    assert len(site.agent.children()) == 64
    with socket.socket(socket.AF_UNIX) as runtime:
        runtime.settimeout(60)
        runtime.connect(str(site.socket))
        socket.send_fds(runtime, [guest.document(tunnel.id)], [guest.fd])
        assert runtime.recv(1) == b""
    assert "some-container is served" in site.agent.err
    for one in silent:
        one.close()


def ticks(pid):
    """Processor time, in hundredths of a second."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))


def test_no_descriptors_left(site, tunnel, guest):
    """It goes on, and does not spin."""
    count = len(os.listdir(f"/proc/{site.agent.pid}/fd"))
    before = resource.prlimit(site.agent.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(site.agent.pid, resource.RLIMIT_NOFILE, (count, before[1]))
    with socket.socket(socket.AF_UNIX) as waiting, socket.socket(socket.AF_UNIX) as first:
        waiting.settimeout(20)
        first.connect(str(site.socket))  # for which accept() has its number already
        waiting.connect(str(site.socket))
        wait_for("its line", lambda: "cannot accept a connection for now" in site.agent.err)
        used = ticks(site.agent.pid)
        time.sleep(1)  # in which it is measured
        assert ticks(site.agent.pid) - used < 20, "it spins"
        assert site.agent.err.count("for now") == 1
        resource.prlimit(site.agent.pid, resource.RLIMIT_NOFILE, before)
        socket.send_fds(waiting, [guest.document(tunnel.id)], [guest.fd])
        assert waiting.recv(1) == b""
    assert "is served" in site.agent.err


def test_killed_before(site, lab, tunnel, guest):
    """The runtime has nobody to connect to; the next agent takes the socket's place."""
    site.agent.process.kill()
    site.agent.wait()
    with socket.socket(socket.AF_UNIX) as runtime, pytest.raises(ConnectionRefusedError):
        runtime.connect(str(site.socket))
    site.start_agent()
    assert "is served" in site.hand(guest.document(tunnel.id), fds=[guest.fd], end=False)


def test_killed_during(site, tunnel, guest):
    """With half of a document, and its descriptor: the program's calls fail."""
    with socket.socket(socket.AF_UNIX) as runtime:
        runtime.connect(str(site.socket))
        socket.send_fds(runtime, [guest.document(tunnel.id)[:50]], [guest.fd])
        (pid,) = wait_for("its child", site.agent.children)
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: ended(pid))
    is_dropped(site, guest)
    other = Guest(site.lab, "true", what="initiates")
    other.begin(site, tunnel.id).ok()


def test_killed_after(site, tunnel, guest):
    assert "is served" in site.hand(guest.document(tunnel.id), fds=[guest.fd])
    site.agent.process.kill()
    site.agent.wait()
    guest.go().ok()


def test_without_a_supervisor(site, tunnel, guest):
    site.daemon.end()
    line = site.hand(guest.document(tunnel.id), fds=[guest.fd])
    assert f"no supervisor at {site.supervisor}" in line
    assert guest.go().wait() != 0


def test_a_supervisor_of_another_version(site, tunnel, guest):
    """One that knows no guests would give it all tunnels: nothing is attached."""
    site.daemon.end()
    code = ("import socket, struct, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
            "s.bind(sys.argv[1]); s.listen(); print('there', flush=True); c, _ = s.accept()\n"
            "while True:\n"
            "    m = c.recv(20000)\n"
            "    if not m: break\n"
            "    op, serial = m[1], struct.unpack_from('=H', m, 2)[0]\n"
            "    c.send(struct.pack('=BBHIiI', 1, 1, serial, 16, 0 if op < 10 else 71, 0))")
    old = site.lab.start(PYTHON, "-c", code, site.supervisor)
    wait_for("it", lambda: "there" in old.out)
    line = site.hand(guest.document(tunnel.id), fds=[guest.fd])
    assert "of another version; run: globus-streams supervisor upgrade" in line


def test_a_supervisor_that_is_slow(site, tunnel, guest):
    """It has the container in its queue, and may still serve it."""
    site.daemon.end()
    code = ("import socket, struct, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET);"
            "s.bind(sys.argv[1]); s.listen(); print('there', flush=True); c, _ = s.accept()\n"
            "m = c.recv(20000)\n"
            "c.send(struct.pack('=BBHIiI', 1, 1, struct.unpack_from('=H', m, 2)[0], 16, 0, 0)); sys.stdin.read()")
    slow = site.lab.start(PYTHON, "-c", code, site.supervisor, stdin="open")
    wait_for("it", lambda: "there" in slow.out)
    line = site.hand(guest.document(tunnel.id), fds=[guest.fd])
    assert "it has not answered in time; the container may be served later" in line


def test_two_folders(site, lab, tunnel, guest):
    """A supervisor has each tunnel once: the line says whose conf file it has."""
    site.hand(guest.document(tunnel.id), fds=[guest.fd])
    other = lab.folder / "other"
    other.mkdir(mode=0o700)
    shutil.copy2(tunnel.initiator / f"{tunnel.id}.conf", other)
    site.agent.end()
    site.base = other
    site.start_agent()
    line = site.hand(guest.document(tunnel.id), fds=[guest.fd])
    assert f"has tunnel {tunnel.id} from folder {tunnel.initiator} already; use --base-dir {tunnel.initiator}" in line


def test_a_conf_that_others_may_write(site, tunnel, guest):
    (tunnel.initiator / f"{tunnel.id}.conf").chmod(0o666)
    assert "other users may read or write it" in site.hand(guest.document(tunnel.id), fds=[guest.fd])
    is_dropped(site, guest)


def test_a_pipe_as_hosts_file(site, tunnel):
    """Its own open of it waits, as the kernel has it; nobody else's."""
    program = ("import ctypes, os, sys; libc = ctypes.CDLL(None, use_errno=True)\n"
               "os.mkfifo(sys.argv[1]); libc.mount(sys.argv[1].encode(), b'/etc/hosts', None, 4096, None)\n"
               "open(sys.argv[2], 'w').close(); open('/etc/hosts').read()")
    there = site.lab.folder / "there"
    words = need_user_namespace("--map-root-user", "--mount")
    slow = Guest(site.lab, *words, PYTHON, "-c", program, site.lab.folder / "pipe", there,
                 what="initiates").begin(site, tunnel.id)
    wait_for(f"the pipe: {slow}", there.exists)
    code = "print(open('/etc/hosts').read())"
    for _ in range(3):
        assert tunnel.id in Guest(site.lab, PYTHON, "-c", code, what="initiates").begin(site, tunnel.id).ok()
    assert slow.running()
