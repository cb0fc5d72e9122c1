"""An attacker (src/hold.c) and a victim (src/victim.c) of one daemon, or of one launch, and what it costs the victim."""

import json
import os
import shutil
import threading
import time

from lab import PROGRAMS, free_port, missing, need
from odd_gateways import BlackHole, OddGateway, is_silent, refuses
from processes import wait_for
from sockets_lab import FAKE_PORT, Initiator, Listener, echoes, median
from test_secure_others import open_for_all
from test_survive_ends import Daemon
from test_survive_storm import below, children_of, named

SECONDS = float(os.environ.get("GS_TEST_HOLD_SECONDS", "1.5"))  # of each attack; ten by hand
WINDOW = 0.25       # seconds: what is told of one stretch of time
KNOWN = 0.4         # seconds until the attacker has to be known
ATTACKER, VICTIM = 65534, 65533  # users, where root starts them
STATIC = {"hosts", "starved"}  # their opens are seen
HELD_US = 250_000   # the one pause, at most


def as_user(uid):
    """The words in front of a command that make it another user's, where this is root."""
    if os.geteuid() != 0 or uid == 0:
        return []
    return [need("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]


class Callers(threading.Thread):
    """Authenticated callers of the attacker's port, one after the other."""

    def __init__(self, listener):
        super().__init__(daemon=True)
        self.listener, self.over = listener, threading.Event()
        listener.patience = 0.5

    def run(self):
        while not self.over.wait(0.01):
            try:
                self.listener.caller().close()
            except (OSError, ValueError, AssertionError):
                pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class Victim:
    """A program whose input is a line for each report."""

    def __init__(self, program):
        self.program, self.lines = program, 0
        wait_for(f"the victim: {program}", lambda: self.report()["plain"]["count"] or not program.running())
        assert program.running(), program

    def report(self):
        """What it has seen since the last report."""
        self.program.process.stdin.write(b"\n")
        self.program.process.stdin.flush()
        self.lines += 1
        wait_for(f"a report: {self.program}", lambda: self.program.out.count("\n") >= self.lines, timeout=5)
        return json.loads(self.program.out.splitlines()[self.lines - 1])

    def windows(self, seconds):
        self.report()
        end, seen = time.monotonic() + seconds, []
        while time.monotonic() < end:
            time.sleep(WINDOW)
            seen.append(self.report())
        return seen


def p99(windows):
    return median([window["plain"]["p99"] for window in windows])


class Field:
    """Where an attack takes place. alone: in one launch of its own, else with a daemon that serves two."""

    def __init__(self, lab, alone):
        self.lab, self.alone, self.ends = lab, alone, []
        open_for_all(lab.folder)
        self.programs = lab.folder / "bin"
        self.programs.mkdir(mode=0o755)
        for name in ("hold", "hold-static", "victim"):
            shutil.copy(PROGRAMS / name, self.programs)
        self.device, self.hold, self.victim = None, None, None
        self.daemon = None if alone else Daemon(lab)
        self.go = lab.folder / "go"

    def open(self, gateway):
        gateway.__enter__()
        self.ends.append(gateway)
        return gateway

    def confs(self, base):
        return [path.stem for path in (self.lab.folder / base).glob("*.conf")]

    def prepare(self, target):
        """The confs. target: what the attacker's own tunnel leads to."""
        attacker = "all" if self.alone else "attacker"
        near = self.open({"silent": lambda: OddGateway(is_silent), "hole": BlackHole,
                          "echo": lambda: OddGateway(echoes())}[target]())
        # a status, after which the contact is not fetched again: the error is told at once
        bad = self.open(OddGateway(lambda gateway, connection: (gateway.done.wait(0.05),
                                                                refuses(1)(gateway, connection))))
        echo = self.open(OddGateway(echoes()))
        self.to = Initiator(self.lab, near.port, base=attacker)
        self.bad = Initiator(self.lab, bad.port, base=attacker)
        self.listener = Listener(self.lab, free_port(), base=attacker)
        self.echo = Initiator(self.lab, echo.port, base="all" if self.alone else "victim")

    def words_of(self, mode, threads, seconds, uid, **words):
        """The attacker's command. Where it needs a FUSE file, root mounts that for it, as fusermount(1) would;
        an ordinary user does it in a namespace."""
        if self.device and uid and os.geteuid() == 0:
            words, uid = {"uid": uid} | words, 0
        words = {"port": self.listener.port, "go": self.go} | words
        if mode not in STATIC:
            words |= {"to": f"{self.to.name}:{FAKE_PORT}", "bad": f"{self.bad.name}:{FAKE_PORT}"}
        if self.device:
            words["fuse"] = self.device
        program = self.programs / ("hold-static" if mode in STATIC else "hold")
        return [*as_user(uid), program, mode, seconds, threads, *(f"{k}={v}" for k, v in words.items())]

    def start(self, command):
        """Both programs, until the attacker is ready and the victim has connected."""
        victim = [*as_user(VICTIM), self.programs / "victim", f"{self.echo.name}:{FAKE_PORT}"]
        if self.alone:
            told = self.lab.folder / "told"
            told.touch()
            script = f'{" ".join(map(str, command))} >"{told}" 2>&1 & exec {" ".join(map(str, victim))}'
            both = self.lab.run(
                self.lab.folder / "all", self.confs("all"), "/bin/sh", "-c", script, stdin="open")
            self.hold, self.told = both, told.read_text
            self.victim = Victim(both)
        else:
            attach = ["--attach", self.daemon.path]
            self.victim = Victim(self.lab.run(self.lab.folder / "victim", self.confs("victim"), *victim,
                                              options=attach, stdin="open"))
            self.hold = self.lab.run(self.lab.folder / "attacker", self.confs("attacker"), *command, options=attach)
            self.told = lambda: self.hold.out + self.hold.err
        wait_for(f"the attacker: {self.hold}", lambda: "\n" in self.told())
        if "skip:" in self.told():
            missing(self.told())
        assert "ready" in self.told(), self.told()

    @property
    def keeper(self):
        return self.daemon.program.pid if self.daemon else below(self.victim.program.pid, "gs-keeper")

    def supervisors(self):
        return [pid for pid in children_of(self.keeper) if named(pid, "gs-supervisor")]

    def finish(self):
        for end in reversed(self.ends):
            end.__exit__()
