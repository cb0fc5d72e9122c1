"""Containers on the host's network, started by a launcher outside of them: nothing of the tool is in them, and the
programs there find the tunnel by its name."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

from lab import PROGRAMS, RUN, missing, need, wait_listening, warnings
from ways import FarSide, nothing_left, talk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the engines are root's here")
# Where the machine mounts the controllers of cgroup v1, the runtimes want v2 alone.
ALONE = ["unshare", "--mount", "sh", "-c",
         'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec "$@"', "sh"]
SPACES = ("pid", "mount", "ipc", "uts")


@pytest.fixture
def root(tmp_path):
    """The root of a container: the machine's programs, and the tests'."""
    folder = tmp_path / "root"
    for name in ("usr", "proc", "sys", "dev", "tmp", "etc", "programs", "run", "var", "root", "home"):
        (folder / name).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (folder / name).symlink_to(f"usr/{name}")
    (folder / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (folder / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (folder / "etc/os-release").write_text("ID=test\n")
    return folder


class Engine:
    """Words that run a command in a container; spaces: its own namespaces beside those that each has."""

    def __init__(self, lab, root):
        self.lab, self.root = lab, root
        self.short = tempfile.mkdtemp(prefix="gs-", dir="/tmp")  # podman's own paths may have 50 characters

    def podman(self, command, uid, spaces=()):
        network = "none" if "network" in spaces else "host"
        return ["podman", "--root", f"{self.short}/store", "--runroot", f"{self.short}/run", "run", "--rm",
                "--network", network, "--cgroups", "disabled", "--ulimit", "nofile=1024:1024", "--ulimit",
                "nproc=1000:1000", "--user", str(uid), "-v", "/usr:/usr:ro", "-v", f"{PROGRAMS}:/programs:ro",
                "--rootfs", self.root, *command]

    def bundle(self, command, uid, spaces):
        mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
                  {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"}]
        mounts += [{"destination": to, "source": str(what), "type": "bind", "options": ["rbind", "ro"]}
                   for to, what in (("/usr", "/usr"), ("/programs", PROGRAMS))]
        process = {"user": {"uid": uid, "gid": uid}, "args": command, "cwd": "/", "env": ["PATH=/usr/bin:/bin"],
                   "noNewPrivileges": True}
        folder = self.lab.folder / "bundle"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({
            "ociVersion": "1.0.2", "root": {"path": str(self.root)}, "process": process, "mounts": mounts,
            "linux": {"namespaces": [{"type": kind} for kind in (*SPACES, *spaces)]}}))
        return folder

    def crun(self, command, uid, spaces=()):
        return ["crun", "--cgroup-manager=disabled", *self.of_runtime(command, uid, spaces)]

    def runc(self, command, uid, spaces=()):
        return ["runc", *self.of_runtime(command, uid, spaces)]

    def of_runtime(self, command, uid, spaces):
        return ["--root", self.lab.folder / "runtime", "run", "--bundle", self.bundle(command, uid, spaces),
                f"globus-streams-test-{os.getpid()}"]


def there(command):
    """The words as they are in the container."""
    return [f"/programs/{command[0].name}", *map(str, command[1:])]


def launch(lab, tunnel, engine, name, command, side=None, **options):
    need(name)
    words = getattr(engine, name)(there(command), **options)
    return lab.start(*ALONE, RUN, "--base-dir", side or tunnel.initiator, tunnel.id, "--", *words)


@pytest.fixture
def engine(lab, root):
    engine = Engine(lab, root)
    yield engine
    shutil.rmtree(engine.short, ignore_errors=True)


@pytest.mark.parametrize("uid", [0, 65534])
@pytest.mark.parametrize("program", ["talk", "talk-static", "talk-go"])
@pytest.mark.parametrize("name", ["podman", "crun", "runc"])
def test_client(lab, tunnel, engine, name, program, uid):
    far = FarSide(tunnel, 1)
    command = [PROGRAMS / program, *talk(tunnel, "text")[1:]]
    here = launch(lab, tunnel, engine, name, command, uid=uid)
    assert here.ok(60) == "text" and not warnings(here), here
    far.has_exactly("text")
    nothing_left(lab)


@pytest.mark.parametrize("name", ["podman", "crun", "runc"])
def test_listener(lab, tunnel, engine, name):
    server = launch(lab, tunnel, engine, name, [PROGRAMS / "talk", "listen", tunnel.port, "answer"],
                    side=tunnel.listener, uid=65534)
    wait_listening(tunnel.port, server)
    assert tunnel.call(*talk(tunnel, "question")).ok() == "answer"
    assert server.ok() == "question"


@pytest.mark.parametrize("name", ["podman", "crun", "runc"])
def test_network_of_its_own(lab, tunnel, engine, name):
    """Refused with one line, and nothing arrives."""
    far = FarSide(tunnel, 1)
    here = launch(lab, tunnel, engine, name, talk(tunnel, "text"), uid=0, spaces=["network"])
    assert here.wait(60) != 0 and "Network is unreachable" in here.err, here
    assert [line for line in warnings(here) if "network namespace" in line], here
    assert far.texts() == [] and far.program.running()


def image(lab, root):
    """The same root with copies in place of mounts, for engines that are given no mounts here."""
    for name in ("talk", "talk-static"):
        subprocess.run(["cp", PROGRAMS / name, root / "programs"], check=True)
    return root


@pytest.mark.parametrize("program", ["talk", "talk-static"])
def test_ch_run(lab, tunnel, root, program):
    far = FarSide(tunnel, 1)
    here = tunnel.call(need("ch-run"), "--bind=/usr:/usr", image(lab, root), "--", f"/programs/{program}",
                       *talk(tunnel, "text")[1:], env={"USER": "root"})
    assert here.ok() == "text" and not warnings(here), here
    far.has_exactly("text")


@pytest.mark.parametrize("program", ["talk", "talk-static"])
def test_nspawn(lab, tunnel, root, program):
    words = [need("systemd-nspawn"), "--quiet", "--register=no", "--keep-unit", "--bind-ro=/usr", "-D", image(lab, root)]
    bare = lab.start(*ALONE, *words, "/bin/true")
    if bare.wait():
        missing(f"systemd-nspawn that works here: {bare.err.strip()}")
    far = FarSide(tunnel, 1)
    here = lab.start(*ALONE, RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", *words, f"/programs/{program}",
                     *talk(tunnel, "text")[1:])
    assert here.ok(60).strip() == "text" and not warnings(here), here
    far.has_exactly("text")
