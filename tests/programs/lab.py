"""What the tests work with: the built programs, the gateway, tunnels with both ends on this machine."""

import os
import random
import re
import shutil
import socket
import stat
import subprocess
import uuid
from pathlib import Path

import pytest

import sanitizers
from processes import Program, left_over, wait_for

BUILD = sanitizers.BUILD
SOURCE = Path(__file__).resolve().parent
CLI = BUILD / "cli/globus-streams"
RUN = BUILD / "cli/globus-streams-run"
SUPERVISOR = BUILD / "supervisor/globus-streams-supervisor"
SHIM = BUILD / "shim/libglobus_streams_shim.so"
GATEWAY = BUILD / "contrib/gateway/globus-streams-gateway"
PROGRAMS = BUILD / "tests/programs"
PYTHON = "/usr/bin/python3"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LOOPBACK = "127.0.0.1"
# a gateway that answers at once, and one as far away as another continent
SPEEDS = {"fast": (), "slow": ("--lan-delay", "30", "--listener-delay", "100")}
# of a test, or of all tests of a file (pytestmark): it runs with each of them
BOTH_SPEEDS = pytest.mark.parametrize("gateway", ["fast", "slow"], indirect=True)


def missing(what):
    """A prerequisite is not there: a failure where everything has to run, else a skip that says why."""
    if os.environ.get("CI") or os.environ.get("GS_TEST_ALL"):
        pytest.fail(f"missing: {what}")
    pytest.skip(f"missing: {what}")


def need_user_namespace(*options):
    """The words in front of a command that runs in one of its own; a machine without them is no failure."""
    words = [need("unshare"), *(options or ["--map-root-user"])]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no user namespace can be made here")
    return words


def need(program):
    """The path of a program that a test cannot do without."""
    found = shutil.which(str(program), path=PATH)
    if not found:
        missing(program)
    return found


def fuse_device(folder, user=None):
    """A FUSE device that the user's programs may open (None: anybody's). Root makes one in the test's folder."""
    if os.geteuid() != 0:
        device = os.environ.get("GS_TEST_FUSE", "/dev/fuse")
        if not os.access(device, os.R_OK | os.W_OK):
            missing(f"a FUSE device that this user may open (not {device})")
        return device
    device = folder / "fuse"
    os.mknod(device, stat.S_IFCHR, os.makedev(10, 229))
    device.chmod(0o666 if user is None else 0o600)
    os.chown(device, user or 0, user or 0)
    return device


def base_env(home):
    """The environment of every command of a test. Without a gateway nothing answers: not even by accident
    does a test reach the real Globus."""
    nowhere = "http://127.0.0.1:1"
    return {"PATH": PATH, "HOME": str(home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
            "TMPDIR": str(home), "GLOBUS_SDK_SERVICE_URL_AUTH": nowhere,
            "GLOBUS_SDK_SERVICE_URL_TRANSFER": nowhere, "GLOBUS_CLI_CLIENT_ID": str(uuid.UUID(int=0)),
            "GLOBUS_CLI_CLIENT_SECRET": "none"} | sanitizers.environment()


def parse_exports(text):
    """What a file of `export NAME=VALUE` lines sets; values may be quoted."""
    pairs = re.findall(r"^(?:export\s+)?([A-Z_]+)=['\"]?(.*?)['\"]?$", text, re.M)
    assert pairs, f"no exports in: {text}"
    return dict(pairs)


def sockets(state="0A"):
    """The local ports of this machine's TCP sockets in a state (0A: listening)."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == state:
                found.add(int(fields[1].rsplit(":", 1)[1], 16))
    return found


shared_programs = set()  # of all tests of a run

handed_out = []  # for as long as the run lasts: an abstract name for each port, that no other run gets


def free_port():
    """A port that nothing uses and no other test was given, of this run or of one beside it; below those that the
    kernel hands out."""
    while True:
        port = random.randint(10000, 32000)
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0globus-streams-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            name.close()
            continue
        handed_out.append(name)
        return port


def wait_listening(port, program=None):
    def there():
        assert not program or program.running(), f"ended before it listened: {program}"
        return port in sockets()
    wait_for(f"a listener on port {port}" + (f": {program}" if program else ""), there)


def write_conf(base, tunnel=None, mode=0o600, raw=None, **values):
    """A conf file by hand; returns the tunnel's id."""
    tunnel = tunnel or str(uuid.uuid4())
    base.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = raw if raw is not None else "".join(f"{key}={value}\n" for key, value in values.items())
    path = base / f"{tunnel}.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return tunnel


def read_conf(base, tunnel):
    lines = (base / f"{tunnel}.conf").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def change_conf(base, tunnel, **values):
    """Set values (None: remove) in a conf file that exists."""
    conf = read_conf(base, tunnel)
    conf.update(values)
    write_conf(base, tunnel, **{key: value for key, value in conf.items() if value is not None})


class Gateway:
    """The gateway as a process, which can be ended and started again with the same state."""

    def __init__(self, folder, home, wrapper=()):
        self.state, self.home, self.runs, self.wrapper = folder / "state", home, 0, wrapper
        self.program, self.env = None, {}

    def start(self, *options):
        env_file = self.state / "env"
        env_file.unlink(missing_ok=True)
        self.runs += 1
        self.program = Program([*self.wrapper, GATEWAY, "--state", self.state, *options],
                               self.state.parent / f"gateway-{self.runs}", base_env(self.home))

        def ready():
            assert self.program.running(), f"the gateway ended: {self.program}"
            return env_file.exists() and env_file.stat().st_size > 0
        wait_for("the gateway's env file", ready)
        self.env = base_env(self.home) | parse_exports(env_file.read_text())
        for service in ("AUTH", "TRANSFER"):
            assert LOOPBACK in self.env[f"GLOBUS_SDK_SERVICE_URL_{service}"]
        return self

    def stop(self):
        self.program.end()


class Tunnel:
    """A tunnel of the gateway and the two folders with the conf files of its ends."""

    def __init__(self, lab, tunnel, port, listener, initiator):
        self.lab, self.id, self.port = lab, tunnel, port
        self.listener, self.initiator = listener, initiator

    @property
    def fake_port(self):
        return int(read_conf(self.initiator, self.id)["fake_port"])

    @property
    def name(self):
        return f"globus.{self.id}"

    @property
    def contact(self):
        """The host and port of the initiator's access point."""
        host, port = read_conf(self.initiator, self.id)["connector_contact_string"].rsplit(":", 1)
        return host, int(port)

    def secrets(self):
        return [read_conf(base, self.id)["lankey"] for base in (self.listener, self.initiator)]

    def listen(self, *command, **options):
        """Run a command as the listening side and wait until it listens."""
        program = self.lab.run(self.listener, self.id, *command, **options)
        wait_listening(self.port, program)
        return program

    def call(self, *command, **options):
        """Run a command as the initiating side."""
        return self.lab.run(self.initiator, self.id, *command, **options)


class Lab:
    """One test's folder, programs and tunnels."""

    def __init__(self, folder, gateway=None):
        self.folder, self.gateway, self.programs = folder, gateway, []
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.env = (gateway.env if gateway else base_env(self.home)) | {"HOME": str(self.home)}

    def start(self, *command, env=None, stdin=None, cwd=None):
        """Start any command in the test's environment; env adds to it, None removes."""
        full = {key: value for key, value in (self.env | (env or {})).items() if value is not None}
        program = Program(command, self.folder / f"run-{len(self.programs)}", full, stdin, cwd)
        self.programs.append(program)
        return program

    def run(self, base, tunnel, *command, options=(), env=None, stdin=None, launcher=RUN):
        """Start a command under globus-streams-run."""
        tunnels = [tunnel] if isinstance(tunnel, str) else list(tunnel)
        return self.start(launcher, "--base-dir", base, *options, *tunnels, "--", *command, env=env,
                          stdin=stdin)

    def cli(self, *arguments):
        return self.start(CLI, *arguments).ok()

    def create_tunnel(self, *options):
        out = self.cli("tunnel", "create", self.env["LAB_INITIATOR_AP"], self.env["LAB_LISTENER_AP"],
                       "--label", "test", *options)
        return re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", out).group(0)

    def tunnel(self, mapped=(), host=LOOPBACK, port=None, create=(), ttl=None):
        """A new tunnel with both ends initialized; mapped: HOST:PORT that are to go through it."""
        port = port or free_port()
        ident = self.create_tunnel(*create)
        listener, initiator = self.folder / f"{ident}-listener", self.folder / f"{ident}-initiator"
        self.cli("environment", "initialize", "--base-dir", listener, "--listener-contact-string",
                 f"{host}:{port}", ident)
        contacts = [word for contact in mapped for word in ("--globus-contact", contact)]
        times = ["--cs-ttl", str(ttl)] if ttl is not None else []
        self.cli("environment", "initialize", "--base-dir", initiator, *contacts, *times, ident)
        return Tunnel(self, ident, port, listener, initiator)

    def left(self):
        """The names of the processes of this test that are there, by id."""
        shared = shared_programs | ({self.gateway.program.pid} if self.gateway else set())
        return left_over(shared | {program.pid for program in self.programs if program.running()})

    def end(self):
        for program in reversed(self.programs):
            program.end()


def warnings(program):
    """The launcher's own lines on a command's stderr."""
    return [line for line in program.err.splitlines() if line.startswith("globus-streams-run: ")]


def one_warning(program, *parts):
    """The one line that the launcher said, which has these parts (regular expressions)."""
    lines = warnings(program)
    assert len(lines) == 1, f"one line wanted: {program}"
    for part in parts:
        assert re.search(part, lines[0], re.I), f"no {part!r} in: {lines[0]}"
    return lines[0]
