"""Containers on the host's network, started by a launcher outside of them: nothing of the tool is in them, and the
programs there find the tunnel by its name."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from lab import BUILD, PROGRAMS, RUN, missing, need, wait_listening, warnings
from users import open_for_all
from ways import FarSide, inside, nothing_left, talk

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

    def podman(self, command, uid, spaces=(), options=("--rm",)):
        network = "none" if "network" in spaces else "host"
        return ["podman", "--root", f"{self.short}/store", "--runroot", f"{self.short}/run", "run", *options,
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
    return [f"/programs/{word.name}" if isinstance(word, Path) else str(word) for word in command]


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


def test_podman_in_the_background(lab, tunnel, engine):
    """The launcher returns; the container goes on, and what serves it, until the container ends."""
    far, go = FarSide(tunnel, 1), engine.root / "tmp/go"
    call = f"exec /programs/talk call {tunnel.name} {tunnel.fake_port} late"
    line = f"until [ -e /tmp/go ]; do sleep 0.05; done; {call}"
    before = set(lab.left())
    here = launch(lab, tunnel, engine, "podman", ["/bin/sh", "-c", line], uid=0, options=["-d", "--rm"])
    assert here.wait(60) == 0, here
    assert far.texts() == []
    go.touch()
    far.has_exactly("late")
    nothing_left(lab, before)


ORDINARY = 65534


def as_ordinary(ids):
    """A command as a user who has these ids to give to containers."""
    binds = " && ".join(f'mount --bind "{ids}" {file}' for file in ("/etc/subuid", "/etc/subgid"))
    return [*ALONE, "sh", "-c", f'{binds} && exec setpriv --reuid={ORDINARY} --regid={ORDINARY} --clear-groups "$@"',
            "sh"]


def test_podman_as_an_ordinary_user(lab, tunnel, engine):
    """Its helper gets no privileges under a launcher; where podman has a process of this user already, it needs none."""
    far, home, ids = FarSide(tunnel, 1), Path(engine.short), lab.folder / "subids"
    ids.write_text("nobody:100000:65536\n")
    open_for_all(lab.folder)
    for path in (home, engine.root, *engine.root.iterdir(), tunnel.initiator, *tunnel.initiator.iterdir()):
        os.chown(path, ORDINARY, ORDINARY, follow_symlinks=False)
    env = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "TMPDIR": str(home), "USER": "nobody"}
    podman = list(map(str, engine.podman(there(talk(tunnel, "text")), 0)))
    script = ('"$@" || echo "first refused"; podman unshare true && "$@"; echo "then $?"; '
              f'kill $(cat "{home}/libpod/tmp/pause.pid")')
    here = lab.start(*as_ordinary(ids), "sh", "-c", script, "sh",
                     *inside(tunnel, *podman), env=env)
    assert here.wait(80) == 0 and here.out.splitlines() == ["first refused", "textthen 0"], here
    assert "newuidmap" in here.err
    far.has_exactly("text")


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
    words = [need("systemd-nspawn"), "--quiet", "--register=no", "--keep-unit", "--bind-ro=/usr", "-D",
             image(lab, root)]
    bare = lab.start(*ALONE, *words, "/bin/true")
    if bare.wait():
        missing(f"systemd-nspawn that works here: {bare.err.strip()}")
    far = FarSide(tunnel, 1)
    here = lab.start(*ALONE, RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", *words, f"/programs/{program}",
                     *talk(tunnel, "text")[1:])
    assert here.ok(60).strip() == "text" and not warnings(here), here
    far.has_exactly("text")


# --- the launcher inside ---

def bound(option, *folders):
    return [word for folder in folders for word in (option, f"{folder}:{folder}")]


def test_inside_ch_run(lab, tunnel, root):
    """It shares /tmp by itself, and the machine's other folders when it is told."""
    folders = [Path("/usr"), *(folder for folder in (BUILD, lab.folder) if Path("/tmp") not in folder.parents)]
    for folder in folders:
        Path(f"{root}{folder}").mkdir(parents=True, exist_ok=True)
    far = FarSide(tunnel, 1)
    here = lab.start(need("ch-run"), *bound("--bind", *folders), root, "--",
                     *inside(tunnel, *talk(tunnel, "text")), env={"USER": "root", "TMPDIR": None})
    assert (here.ok(), here.err) == ("text", "")
    far.has_exactly("text")


@pytest.mark.parametrize("allowed", [True, False])
def test_inside_nspawn(lab, tunnel, root, allowed):
    """Its filter denies one call, unless it is told; then the command is not started."""
    words = [need("systemd-nspawn"), "--quiet", "--register=no", "--keep-unit", "-D", root,
             *(word for folder in (BUILD, lab.folder) for word in ("--bind", folder)), "--bind-ro=/usr",
             *(["--system-call-filter=pidfd_getfd"] if allowed else [])]
    far = FarSide(tunnel, 1)
    here = lab.start(*ALONE, *words, *inside(tunnel, *talk(tunnel, "text")))
    if allowed:
        assert here.ok(60).strip() == "text"
        far.has_exactly("text")
    else:
        assert here.wait(60) == 1 and "pidfd_getfd" in here.err + here.out, here
        assert far.texts() == [] and far.program.running()


def test_inside_podman(lab, tunnel, engine):
    need("podman")
    far = FarSide(tunnel, 1)
    words = [str(word) for word in inside(tunnel, *talk(tunnel, "text"))]
    here = lab.start(*ALONE, *engine.podman(words, 0, options=["--rm", *bound("-v", BUILD, lab.folder)]))
    assert (here.ok(60), here.err) == ("text", "")
    far.has_exactly("text")
