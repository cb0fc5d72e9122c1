"""Ends of tunnels by hand, for the tests of sockets: an access point whose timing the test decides, and
callers of a listening program that prove themselves when the test wants it."""

import json
import socket
import threading
import time
from pathlib import Path

import gateway_lab
import odd_gateways as odd
from lab import PROGRAMS, PYTHON, SOURCE, wait_listening, write_conf
from processes import wait_for

SECRET = "5ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2e75ec2"
KEY_ID = "3a0b6ad1-4d5c-4f5e-8a0c-6c1f3d9b7e21"
FAKE_PORT = 1234
DIAL = PROGRAMS / "dial"
ASYNC = ["--async-connect"]  # EINPROGRESS, whatever is known of the program


def script(name, *words):
    return [PYTHON, SOURCE / "src" / name, *words]


class Initiator:
    """The conf of an initiator whose access point is at a port, and programs that run with it and these options."""

    def __init__(self, lab, port, host="127.0.0.1", base="initiator", options=(), **values):
        self.lab, self.base, self.options = lab, lab.folder / base, options
        conf = {"lankey": SECRET, "lankey_id": KEY_ID, "connector_contact_string": f"{host}:{port}",
                "update_time": 2 ** 33, "connector_contact_string_ttl": 100_000, "fake_port": FAKE_PORT,
                "lan_auth": "v1"}
        self.id = write_conf(self.base, **(conf | values))
        self.name = f"globus.{self.id}"

    def run(self, *command, options=(), **others):
        return self.lab.run(self.base, self.id, *command, options=[*self.options, *options], **others)

    def dial(self, *words, timeout=30, **options):
        """What dial.c says of each connection."""
        out = self.run(DIAL, self.name, FAKE_PORT, *words, **options).ok(timeout)
        return [json.loads(line) for line in out.splitlines()]


class Listener:
    """The conf of a listening side; its program; and callers that hold the secret."""

    def __init__(self, lab, port, base="listener", host="127.0.0.1"):
        self.lab, self.port, self.base = lab, port, lab.folder / base
        self.patience = 20  # seconds that a caller waits
        self.id = write_conf(self.base, lankey=SECRET, lankey_id=KEY_ID, fake_port=FAKE_PORT,
                             listener_contact_string=f"{host}:{port}", lan_auth="v1")

    def run(self, *command, **options):
        return self.lab.run(self.base, self.id, *command, **options)

    def start(self, *command, **options):
        program = self.run(*command, **options)
        wait_listening(self.port, program)
        return program

    def stranger(self, host="127.0.0.1"):
        """A connection that has not said anything."""
        return socket.create_connection((host, self.port), self.patience)

    def caller(self, host="127.0.0.1"):
        """A connection that the program's side has let in."""
        sock = self.stranger(host)
        gateway_lab.authenticate_caller(sock, (KEY_ID, SECRET))
        return sock

    def caller_that_says(self, word, host="127.0.0.1"):
        sock = self.caller(host)
        sock.sendall(f"{word}\n".encode())
        sock.shutdown(socket.SHUT_WR)
        return sock

    def ask(self, word, host="127.0.0.1"):
        """Send a word; what the program answers."""
        with self.caller_that_says(word, host) as sock:
            return gateway_lab.receive_all(sock).decode()


def echoes(delay=0.0, accepted=None, greeting=b""):
    """An honest access point that waits before each of its two frames; accepted: gets the time of each
    caller that proved itself, which is when a far listener would have been called; greeting: what comes
    with the last frame."""
    def behave(gateway, connection):
        def pause():
            gateway.done.wait(delay)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        hello = odd.read_exactly(connection, 56)
        pause()
        challenge = odd.header(odd.CHALLENGE) + bytes(32)
        connection.sendall(challenge)
        response = odd.read_exactly(connection, 40)
        if accepted is not None:
            accepted.append(time.monotonic())
        pause()
        status = odd.header(odd.STATUS)
        status += gateway_lab.mac(SECRET, b"answerer", hello, challenge, response, status)
        connection.sendall(status + greeting)
        while data := connection.recv(65536):
            connection.sendall(data)
    return behave


class LateRelay:
    """A TCP port that drops SYNs at first: whoever calls is connected, to the port behind it, only when the
    kernel has tried again, a second later. bytes: how many came from the callers."""

    def __init__(self, behind):
        self.hole, self.behind, self.bytes, self.calls = odd.BlackHole(), behind, 0, 0
        self.port, self.threads = self.hole.port, []

    def __enter__(self):
        self.hole.__enter__()
        self.fillers = {filler.getsockname()[1] for filler in self.hole.fillers}
        return self

    def open(self):
        """From now on calls are taken."""
        self.hole.server.listen(64)
        self.start(self.take)

    def start(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def take(self):
        while True:
            try:
                caller, (_, port) = self.hole.server.accept()
            except OSError:
                return
            if port in self.fillers:
                caller.close()
                continue
            self.calls += 1
            ahead = socket.create_connection(("127.0.0.1", self.behind))
            self.start(self.pump, caller, ahead, True)
            self.start(self.pump, ahead, caller, False)

    def pump(self, source, sink, count):
        try:
            while data := source.recv(65536):
                self.bytes += len(data) if count else 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def __exit__(self, *_):
        try:
            self.hole.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.hole.__exit__()


def median(values):
    return sorted(values)[len(values) // 2]


def at_most(limit, measure, attempts=6):
    """Measure until the largest value is within the limit: on a busy machine one that is late once proves
    nothing, one that is late each time does."""
    seen = []
    for _ in range(attempts):
        seen.append(max(measure()))
        if seen[-1] <= limit:
            return
    raise AssertionError(f"at most {limit} wanted: {seen}")


def log_lines(path, text):
    return [line for line in Path(path).read_text().splitlines() if text in line]


def word_from(program, name, timeout=20):
    """The rest of the line of its output that starts with this word."""
    def there():
        return [line for line in program.out.splitlines() if line.startswith(name + " ")]
    return wait_for(f"{name}: {program}", there, timeout)[0].split(" ", 1)[1]
