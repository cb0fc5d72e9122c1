"""The copy of /etc/hosts: what the program itself could have read and our names, nothing else; nobody waits for
another's. secure-hosts (src/secure_hosts.c) makes of its /etc/hosts what it likes."""

import collections
import contextlib
import os
import re
import shutil
import signal
import subprocess

import pytest

from lab import PROGRAMS, PYTHON, RUN, SUPERVISOR, fuse_device, missing, need
from processes import descendants, wait_for
from users import parts_of
from users import OTHER, open_for_all
from launches import Daemon
from launches import below, supervisor_of

TALK = PROGRAMS / "talk-static"
MARK = "what-only-its-owner-may-read"
AT_ONCE_EACH = 4  # supervisor/tunnel/copy.c


def namespaces():
    if subprocess.run([need("unshare"), "-Ur", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        missing("user namespaces")


@pytest.fixture
def hosts(lab):
    """A copy of the program where every user reaches it."""
    namespaces()
    open_for_all(lab.folder)
    path = lab.folder / "hosts"
    shutil.copy2(PROGRAMS / "secure-hosts", path)
    return path


def lesser():
    """Root's launch runs it as another user; an ordinary user's as that one."""
    if os.geteuid() != 0:
        return []
    return [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups"]


def parts(text):
    """What was read, by its title."""
    found = re.split(r"(?:^|(?<=\0))== (.*)\n", text, flags=re.M)
    assert found[0] == "" or found[0].startswith("server"), text
    return dict(zip(found[1::2], found[2::2]))


def names_of(tunnel):
    return re.compile(rf"\A198\.1[89]\.\d+\.\d+ {re.escape(tunnel.name)} # globus-streams-run\n")


def closed(folder, name="closed"):
    """A file that only its owner may read; an ordinary user's is closed to himself."""
    path = folder / name
    path.write_text(MARK + "\n")
    path.chmod(0o600 if os.geteuid() == 0 else 0)
    return path


def gone(program):
    """No child that reads is left below the launch or daemon."""
    wait_for("the children's end", lambda: not readers(program.pid))


def readers(pid):
    return [child for child, (name, state) in descendants(pid).items() if name == "gs-hosts" and state != "Z"]


@pytest.mark.parametrize("how", ["link", "bind"])
def test_files_of_others(lab, tunnel, hosts, how):
    """root's conf with its secret, /etc/shadow: another user's program has them as its /etc/hosts, and reads
    our names alone."""
    files = [closed(lab.folder)]
    if os.geteuid() == 0:
        files.append("/etc/shadow")
        tunnel.initiator.chmod(0o711)  # or it could not be mounted
        files.append(tunnel.initiator / f"{tunnel.id}.conf")
    told = parts(tunnel.call(*lesser(), hosts, how, *files).ok())
    assert len(told) == len(files)
    for text in told.values():
        assert names_of(tunnel).match(text) and text.count("\n") == 1, text


@pytest.mark.parametrize("how", ["link", "bind"])
def test_own_file(lab, tunnel, hosts, how):
    """What it may read it gets, behind our names."""
    path = lab.folder / "open"
    path.write_text("192.0.2.7 its.own\n")
    path.chmod(0o644)
    (text,) = parts(tunnel.call(*lesser(), hosts, how, path).ok()).values()
    assert names_of(tunnel).match(text) and text.endswith("\n192.0.2.7 its.own\n")


def test_groups_count(lab, tunnel, hosts):
    """A file that its group may read: for a program that has that group, and no other."""
    if os.geteuid() != 0:
        pytest.skip("only root gives groups")
    path = closed(lab.folder)
    os.chown(path, 0, OTHER + 1)
    path.chmod(0o640)
    for groups, reads in (("--clear-groups", False), (f"--groups={OTHER + 1}", True)):
        how = [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", groups]
        (text,) = parts(tunnel.call(*how, hosts, "link", path).ok()).values()
        assert names_of(tunnel).match(text) and (MARK in text) == reads


def test_nothing_of_ours(lab, tunnel, hosts):
    """Links to what is in /proc: where it is about the reader, that is the program."""
    here = tunnel.call("/bin/sleep", "1000", options=["-d"])
    keeper = wait_for("its keeper", lambda: below(here.pid, "gs-keeper"))
    words = "self/maps self/comm thread-self/comm self/environ self/mem".split()
    links = [f"/proc/{word}" for word in words]
    links += [f"/proc/{keeper}/{word}" for word in ("maps", "mem", "environ", "root/etc/shadow")]
    links += [f"/proc/self/fd/{number}" for number in range(3, 80)]
    told = parts(tunnel.call(*lesser(), hosts, "link", *links).ok())
    assert len(told) == len(links)
    assert told["/proc/self/comm"] == told["/proc/thread-self/comm"] == "hosts\n"
    text = "".join(told.values())
    assert "gs-" not in text and "memfd" not in text and "[heap]" in told["/proc/self/maps"]
    assert not any(secret.decode("latin-1") in text for secrets in tunnel.secrets() for secret in parts_of(secrets))
    for link in links:
        if str(keeper) in link and os.geteuid() == 0:
            assert "error: " in told[link] or names_of(tunnel).fullmatch(told[link]), (link, told[link][:200])
        if "/fd/" in link:  # which neither the program nor the child has
            assert "error: " in told[link] or names_of(tunnel).fullmatch(told[link]), (link, told[link])


def test_own_memory_of_the_keepers_launch(tunnel, hosts):
    """The keeper that answers is the program's own ancestor: it is closed all the same."""
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's keeper is closed to him by being non-dumpable")
    script = ("import os,sys\nkeeper = os.getppid()\n"
              "while 'gs-keeper' not in open(f'/proc/{keeper}/comm').read():\n"
              "    keeper = int(open(f'/proc/{keeper}/stat').read().rsplit(')', 1)[1].split()[1])\n"
              "os.execv(sys.argv[1], [*sys.argv[1:], *(f'/proc/{keeper}/{what}' for what in "
              "('maps', 'mem', 'environ', 'fd/3', 'cwd/etc/shadow'))])\n")
    told = parts(tunnel.call(*lesser(), PYTHON, "-c", script, hosts, "link").ok())
    assert len(told) == 5
    for text in told.values():
        assert text.startswith("error: ") or names_of(tunnel).fullmatch(text), text


@pytest.mark.parametrize("what", ["fifo", "folder", "socket"])
def test_no_file_at_all(tunnel, hosts, what):
    """What is no regular file is the kernel's: a FIFO that nobody writes to blocks its reader alone."""
    here = tunnel.call(*lesser(), hosts, "make", what)
    if what == "fifo":
        wait_for("the program", lambda: "hosts" in [name for name, _ in here.children().values()])
        gone(here)
        assert tunnel.call(TALK, "resolve", tunnel.name, 80).ok().startswith("198.1")
        assert here.running()
        here.end()
        return
    assert here.ok() == {"folder": "== folder\nerror: in reading: Is a directory\n",
                         "socket": "== socket\nerror: No such device or address\n"}[what]


def test_device(tunnel, hosts):
    told = parts(tunnel.call(*lesser(), hosts, "bind", "/dev/null").ok())
    assert told == {"/dev/null": ""}, "it is read as the device that it is"


def test_no_way_out_of_another_root(lab, tunnel, hosts):
    """Links in a root of its own lead within that root."""
    outside = lab.folder / "outside"
    outside.write_text(MARK)
    for name, target in (("absolute", outside), ("relative", f"../../../../../../../../..{outside}"),
                         ("inside", "/inside")):
        root = lab.folder / name
        (root / "etc").mkdir(parents=True)
        (root / "etc/hosts").symlink_to(target)
        (root / "inside").write_text("192.0.2.8 inside\n")
        open_for_all(root)
        (text,) = parts(tunnel.call(*lesser(), hosts, "root", root).ok()).values()
        assert names_of(tunnel).match(text) and MARK not in text
        assert text.endswith("\n192.0.2.8 inside\n") == (name == "inside")


@pytest.mark.parametrize("how", ["link", "bind"])
def test_the_whole_file(lab, tunnel, hosts, how):
    """3 MiB, of which each byte counts; what is longer than is copied is refused with a line."""
    path = lab.folder / "long"
    line = "192.0.2.9 a-long-name-of-some-host.example\n"
    text = line * (3 * (1 << 20) // len(line))
    path.write_text(text + "192.0.2.10 last\n")
    path.chmod(0o644)
    (got,) = parts(tunnel.call(*lesser(), hosts, how, path).ok()).values()
    assert names_of(tunnel).sub("", got, 1) == path.read_text()


def test_too_long(lab, tunnel, hosts):
    path = lab.folder / "long"
    with open(path, "wb") as file:
        file.truncate(65 << 20)
    path.chmod(0o644)
    here = tunnel.call(*lesser(), hosts, "link", path)
    (text,) = parts(here.ok()).values()
    assert text == "error: File too large\n"
    assert here.err.count("File too large") == 1 and here.err.count("\n") == 1


def test_flags_are_the_kernels(lab, tunnel, hosts):
    """Each open gives what it gives without us; but the copy cannot be written to by anybody."""
    bare = lab.start(*lesser(), hosts, "flags").ok().splitlines()
    told = tunnel.call(*lesser(), hosts, "flags").ok().splitlines()
    assert len(told) == len(bare) > 10
    for ours, real in zip(told, bare):
        assert ours == real
    if os.geteuid() == 0:  # who may do anything to the real one may not to the copy
        root = tunnel.call(hosts, "flags").ok().splitlines()
        served = [line for line in root if not line.startswith(("O_PATH", "O_DIRECT"))]
        assert len(served) > 10 and [line for line in served if "writable" in line] == []


# --- nobody waits for another's ---

@pytest.fixture
def fuse(lab):
    """A device that the program may open; its server never answers."""
    return fuse_device(lab.folder)


def hanging(tunnel, hosts, fuse, when, count, **how):
    """A program whose opens hang, as far as children are started for it; its server's id."""
    here = tunnel.call(*lesser(), hosts, "fuse", fuse, when, count, **how)
    server = wait_for("its server", lambda: re.match(r"server (\d+)\n", here.out))
    return here, int(server[1])


def own(path):
    for each in [path, *path.rglob("*")]:
        os.chown(each, OTHER, OTHER)


@pytest.mark.parametrize("when", ["open", "read", "deaf"])
@pytest.mark.parametrize("who", ["another-user", "same-user"])
def test_another_launch_goes_on(lab, tunnel, hosts, fuse, who, when):
    """The attacker has as many children as it may have, and they hang; under the same supervisor another launch
    opens and connects at once, and the attacker's children end with it."""
    same, sockets = lesser() if who == "same-user" else [], lab.folder / "sockets"
    if os.geteuid() != 0 and not same:
        pytest.skip("only root runs programs of two users")
    sockets.mkdir(mode=0o700)
    if same:
        own(sockets), own(tunnel.initiator)
    daemon = Daemon(lab, program="/usr/bin/env", words=[*same, SUPERVISOR])

    def call(*words):
        return lab.start(*same, RUN, "--attach", daemon.path, "--base-dir", tunnel.initiator, tunnel.id, "--", *words)
    attacker = call(*([] if same else lesser()), hosts, "fuse", fuse, when, 3 * AT_ONCE_EACH)
    if when == "deaf":
        wait_for("its server", lambda: attacker.out.startswith("server "))
    else:
        wait_for("opens that hang", lambda: f"\nopen: {when} of" in attacker.out)
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    for _ in range(3):
        assert call(TALK, "resolve", tunnel.name, tunnel.fake_port).ok(timeout=5).startswith("198.1")
    here = call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok(timeout=5) == "answer" and there.ok() == "question"
    wait_for("children that hang", lambda: len(readers(daemon.program.pid)) == AT_ONCE_EACH)
    assert attacker.running()
    attacker.end()
    gone(daemon.program)


def test_another_user_of_the_launch_goes_on(tunnel, hosts, fuse):
    if os.geteuid() != 0:
        pytest.skip("only root runs programs of two users")
    words = [*lesser(), hosts, "fuse", fuse, "open", "8"]
    script = '"$@" & read -r line; ' + f"{TALK} resolve {tunnel.name} 80; wait"
    here = tunnel.call("/bin/sh", "-c", script, "sh", *words, stdin="open")
    wait_for("children that hang", lambda: len(readers(here.pid)) == AT_ONCE_EACH)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("an address", lambda: re.search(r"^198\.1", here.out, re.M), timeout=5)
    for pid, (name, _) in here.children().items():
        if name == "hosts":
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    here.ok()


def test_a_killed_child(tunnel, hosts, fuse):
    """The call fails, with a line, and the next one is as usual."""
    here, _ = hanging(tunnel, hosts, fuse, "deaf", 1)
    (child,) = wait_for("its child", lambda: readers(here.pid))
    os.kill(child, signal.SIGKILL)
    wait_for("an error", lambda: "error: Input/output error" in here.out, timeout=5)
    assert here.err.count("could not be copied") == 1
    here.end()


def test_a_killed_supervisor(tunnel, hosts, fuse):
    """The next one waits for the same child; when its file fails, so does the open, as the kernel has it."""
    here, server = hanging(tunnel, hosts, fuse, "deaf", 1)
    child = wait_for("its child", lambda: readers(here.pid))
    for _ in range(3):
        before = supervisor_of(here)
        os.kill(before, signal.SIGKILL)
        wait_for("another supervisor", lambda: supervisor_of(here) not in (None, before))
    assert readers(here.pid) == child and "error" not in here.out
    os.kill(server, signal.SIGKILL)
    wait_for("an error", lambda: re.search("error: (Transport|Software|Connection)", here.out), timeout=5)
    gone(here)
    here.end()


@pytest.mark.parametrize("when", ["open", "deaf"])
def test_the_end_is_not_waited_for(tunnel, hosts, fuse, when):
    """A launch ends with its command, whatever hangs."""
    here, _ = hanging(tunnel, hosts, fuse, when, 2)
    wait_for("its children", lambda: len(readers(here.pid)) == 2)
    here.process.send_signal(signal.SIGTERM)
    assert here.wait(timeout=5) == 128 + signal.SIGTERM


def test_time_is_limited(tunnel, hosts, fuse):
    """After 10 s calls fail, those too whose turn has not come, and the next file is read as usual."""
    count = AT_ONCE_EACH + 1
    here, _ = hanging(tunnel, hosts, fuse, "deaf", count)
    wait_for("errors", lambda: here.out.count("error: Connection timed out\n") == count)
    assert here.err.count("could not be copied") == count
    gone(here)
    here.end()


def test_many_at_once(tunnel, hosts):
    """More than are made at a time: each is whole."""
    told = tunnel.call(*lesser(), hosts, "many", 100).ok().splitlines()
    assert list(collections.Counter(told).values()) == [100]


def test_nothing_is_left_open(tunnel, hosts):
    """In keeper and supervisor, nor a child."""
    if os.geteuid() != 0:
        pytest.skip("only root may see the keeper's descriptors")
    words = 'for i in 1 2 3; do "$@" || exit; done; read -r line; "$@"; read -r line; exit 0'
    here = tunnel.call("/bin/sh", "-c", words, "sh", hosts, "many", 20, stdin="open")
    keeper = wait_for("its keeper", lambda: below(here.pid, "gs-keeper"))

    def counted(lines):
        wait_for("its copies", lambda: here.out.count("\n") == lines)
        gone(here)
        return wait_for("descriptors", lambda: len(os.listdir(f"/proc/{keeper}/fd")))
    before = counted(60)
    here.process.stdin.write(b"\n")
    here.process.stdin.flush()
    wait_for("the same", lambda: counted(80) <= before)
    here.process.stdin.close()
    here.ok()
