"""What is measured: a gateway, tunnels, and programs at both ends, with the tool and without."""

import os
import re
import resource
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("GS_BUILD", HERE.parents[1] / "build")).resolve()
os.environ["GS_BUILD"] = str(BUILD)
sys.path.insert(0, str(HERE.parent / "programs/fixtures"))

import gateway_lab  # noqa: E402
import processes  # noqa: E402

RUN = BUILD / "cli/globus-streams-run"
LAUNCH = BUILD / "cli/globus-streams-launch.sh"
PROGRAMS = BUILD / "tests/bench"
LOOPBACK = "127.0.0.1"
NEEDED = [RUN, LAUNCH, gateway_lab.PROGRAM, *(PROGRAMS / f"bench-{name}" for name in
                                              ("worker", "server", "launch", "held"))]
PATIENCE = 60  # seconds for one answer


class Wrong(Exception):
    """A figure would not be what its name says."""


class Missing(Exception):
    """Something that a figure needs is not here."""


def need(program):
    found = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if not found:
        raise Missing(f"{program} is not installed")
    return found


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections_possible():
    """How many one program may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200


def pin(pid, processor):
    """Keep all threads of a process on one processor, so that where the kernel puts them makes no
    difference between two sides."""
    allowed = sorted(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {allowed[processor % len(allowed)]})


def unpin(pid):
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), os.sched_getaffinity(0))


def free_port():
    """A port below those that the kernel hands out, so that no connection takes it meanwhile."""
    for port in range(10000 + os.getpid() % 5000, 32000):
        if port in free_port.given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        free_port.given.add(port)
        return port
    raise Wrong("no port is free")


free_port.given = set()


class Worker:
    """A program that answers each line with a line (bench-worker, or bench-server with its one)."""

    def __init__(self, command, supervised):
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self.command, self.supervised = command, supervised

    def read(self):
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise Wrong(f"no answer within {PATIENCE} s: {self.command}")
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
            if not piece:
                raise Wrong(f"it ended with {self.process.wait(5)}: {self.command}")
            line += piece
        return line.decode()

    def ask(self, *words):
        """What it answers to these words: a list of numbers."""
        self.process.stdin.write((" ".join(str(word) for word in words) + "\n").encode())
        return [int(number) for number in self.read().split()]

    def check(self):
        """It runs with the filter, or without, as it should."""
        pid = self.ask("which")[0]
        mode = re.search(r"^Seccomp:\s*(\d)", Path(f"/proc/{pid}/status").read_text(), re.M).group(1)
        own = re.search(r"^Seccomp:\s*(\d)", Path("/proc/self/status").read_text(), re.M).group(1)
        if mode != ("2" if self.supervised else own):
            raise Wrong(f"Seccomp is {mode}: {self.command}")
        return self

    def keepers(self):
        """{name: pid} of its keeper and supervisor."""
        return {name: pid for pid, (name, _) in processes.descendants(self.process.pid).items()
                if name in ("gs-keeper", "gs-supervisor")}

    def program(self):
        """The process id of the program itself, beneath the tool or not."""
        below = [pid for pid in processes.descendants(self.process.pid) if pid not in self.keepers().values()]
        return below[0] if self.supervised else self.process.pid

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Tunnel:
    """One tunnel of the gateway and the conf files of its ends. initiator, listener: whether that side is
    secured; contact: a port that programs are to take for the access point's."""

    def __init__(self, world, initiator=True, listener=True, contact=None):
        self.port = free_port()
        gateway = world.gateway
        self.id = gateway.create()
        secrets = {"initiator": initiator and gateway.secret(self.id, gateway.initiator_ap),
                   "listener": listener and gateway.secret(self.id, gateway.listener_ap)}
        status, answer = gateway.update(self.id, listener_ip_address=LOOPBACK, listener_port=self.port)
        if status != 200 or answer["data"]["attributes"]["state"] != "ACTIVE":
            raise Wrong(f"the tunnel is not active: {answer}")
        self.contact = contact or answer["data"]["attributes"]["initiator_port"]
        self.initiator = world.folder / f"{self.id}-initiator"
        self.listener = world.folder / f"{self.id}-listener"
        self.fake_port = 1234
        write_conf(self.initiator, self.id, secrets["initiator"], fake_port=self.fake_port,
                   connector_contact_string=f"{LOOPBACK}:{self.contact}", update_time=2 ** 33,
                   connector_contact_string_ttl=10 ** 6)
        write_conf(self.listener, self.id, secrets["listener"],
                   listener_contact_string=f"{LOOPBACK}:{self.port}")
        self.secured = {side: bool(secret) for side, secret in secrets.items()}

    @property
    def name(self):
        return f"globus.{self.id}"

    def conf(self, side):
        return (self.listener if side == "listener" else self.initiator) / f"{self.id}.conf"

    def by_name(self):
        """Where a program under the tool connects to (bench-worker's WHERE)."""
        return self.name, self.fake_port, self.contact, "-"

    def by_itself(self):
        """Where a program without the tool connects to; it does the handshake if there is one."""
        conf = self.conf("initiator") if self.secured["initiator"] else "-"
        return LOOPBACK, self.contact, self.contact, conf

    def to_listener(self):
        """Where a program connects to that plays the access point and calls the listener."""
        return LOOPBACK, self.port, self.port, self.conf("listener")


def write_conf(base, tunnel, secret, **values):
    if secret:
        values = {"lankey": secret[1], "lankey_id": secret[0]} | values
    base.mkdir(mode=0o700, exist_ok=True)
    path = base / f"{tunnel}.conf"
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
    path.chmod(0o600)


class World:
    def __init__(self):
        for program in NEEDED:
            if not program.exists():
                raise Missing(f"{program} is not built (another folder than build: set GS_BUILD)")
        raise_descriptor_limit()
        for service in ("AUTH", "TRANSFER"):  # never the real Globus, whatever happens
            os.environ[f"GLOBUS_SDK_SERVICE_URL_{service}"] = "http://127.0.0.1:1"
        self.folder = Path(tempfile.mkdtemp(prefix="globus-streams-bench-"))
        self.gateway = gateway_lab.Gateway(self.folder / "state")
        os.environ.update(self.gateway.env)
        self.started = []

    def add(self, program):
        self.started.append(program)
        return program

    def tunnel(self, **options):
        return Tunnel(self, **options)

    def together(self, *confs):
        """A folder with copies of these conf files, for a launch with several tunnels."""
        base = Path(tempfile.mkdtemp(dir=self.folder))
        for conf in confs:
            shutil.copy2(conf, base)
        return base

    def worker(self):
        """Without the tool."""
        return self.add(Worker([PROGRAMS / "bench-worker"], False)).check()

    def supervised(self, base, *tunnels):
        """Under the tool."""
        return self.add(Worker([RUN, "--base-dir", base, *tunnels, "--", PROGRAMS / "bench-worker"],
                               True)).check()

    def access_point(self):
        """A tunnel to a server that plays the access point itself, and takes more connections than the
        gateway has descriptors for."""
        tunnel = Tunnel(self, contact=free_port())
        self.started_server([PROGRAMS / "bench-server", tunnel.contact,
                             tunnel.conf("initiator")], False)
        return tunnel

    def server(self, tunnel, how):
        """The far side of a tunnel. how: "tool"; "itself": it does the handshake; "plain"."""
        command = [PROGRAMS / "bench-server", tunnel.port]
        if how == "tool":
            command = [RUN, "--base-dir", tunnel.listener, tunnel.id, "--", *command]
        elif how == "itself":
            command.append(tunnel.conf("listener"))
        return self.started_server(command, how == "tool")

    def started_server(self, command, supervised):
        program = self.add(Worker(command, supervised))
        if program.read() != "ready\n":
            raise Wrong("the server is not ready")
        return program

    def background(self, *command, port=None):
        """Any command that serves until it is ended; port: where it will listen."""
        words = [str(word) for word in command]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.add(Background(process))
        if port:
            wait_listening(port, process, words)
        return process

    def end(self, *programs):
        for program in programs or reversed(self.started):
            program.end()
        self.started = [program for program in self.started if programs and program not in programs]

    def finish(self):
        self.end()
        self.gateway.stop()
        shutil.rmtree(self.folder)


class Background:
    def __init__(self, process):
        self.process = process

    def end(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def listening(port):
    line = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F:]+ 0A ", re.M)
    return any(line.search(Path(f"/proc/net/{table}").read_text()) for table in ("tcp", "tcp6"))


def wait_listening(port, process, words):
    end = time.monotonic() + 10
    while not listening(port):
        if process.poll() is not None or time.monotonic() > end:
            raise Wrong(f"it does not listen: {' '.join(words)}")
        time.sleep(0.01)
