"""What the tool keeps to itself, and what it leaves alone."""

import contextlib
import os
import re
import socket
import struct
from pathlib import Path

from lab import PYTHON, SOURCE, need
from processes import wait_for
from users import parts_of

HOLD = SOURCE / "src/hold.py"


def memory_of(pid):
    """All that can be read of a process's memory."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            begin, end, flags = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not flags.startswith("r") or "[v" in line:
                continue
            try:
                memory.seek(int(begin, 16))
                yield memory.read(int(end, 16) - int(begin, 16))
            except OSError:
                continue


def holding(tunnel):
    """A connected pair, both ends held open by the programs: (listener's process, initiator's)."""
    there = tunnel.listen(PYTHON, HOLD, "listen", tunnel.port, stdin="open")
    here = tunnel.call(PYTHON, HOLD, "call", tunnel.name, tunnel.fake_port, stdin="open")
    pids = []
    for program in (there, here):
        wait_for("the connection", lambda: program.out.strip())
        pids.append(int(program.out.split()[0]))
    return pids


def test_the_secret_stays_out_of_the_command(tunnel):
    secrets = [part for secret in tunnel.secrets() for part in parts_of(secret)]
    for pid in holding(tunnel):
        for name in ("environ", "cmdline"):
            content = Path(f"/proc/{pid}/{name}").read_bytes()
            assert not any(secret in content for secret in secrets), f"in its {name}"
        searched = 0
        for block in memory_of(pid):
            searched += len(block)
            assert not any(secret in block for secret in secrets), "in its memory"
        assert searched > 1_000_000
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            target = os.readlink(descriptor)
            assert not target.endswith(".conf") and "memfd" not in target and "seccomp" not in target


def test_keeper_and_supervisor_cannot_be_looked_into(lab, tunnel):
    """Root may look; anybody else may not, not even their own user."""
    holding(tunnel)
    tools = [pid for pid, name in lab.left().items() if name.startswith("gs-")]
    tools += [pid for program in lab.programs for pid, (name, _) in program.children().items()
              if name.startswith("gs-")]
    assert tools
    for pid in tools:
        assert Path(f"/proc/{pid}/mem").stat().st_uid == 0
        if os.geteuid() != 0:
            try:
                os.listdir(f"/proc/{pid}/fd")
                raise AssertionError("its descriptors can be listed")
            except PermissionError:
                pass


def sockets_of(pid):
    found = {}
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            found[int(descriptor.name)] = int(target[8:-1])
    return found


def peer_of(inode):
    """The peer's address of a TCP socket, by the kernel's table; None: no TCP socket."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[9]) == inode:
            host, port = fields[2].split(":")
            return socket.inet_ntoa(struct.pack("<I", int(host, 16))), int(port, 16)
    return None


def test_no_relay(tunnel):
    """The application's own socket goes to the access point, and nobody else holds it."""
    there, here = holding(tunnel)
    (inode,) = [inode for inode in sockets_of(here).values()]
    assert peer_of(inode) == tunnel.contact
    others = [entry for entry in os.listdir("/proc") if entry.isdigit() and int(entry) != here]
    accepted = [inode for inode in sockets_of(there).values() if peer_of(inode) != ("0.0.0.0", 0)]
    assert len(accepted) == 1
    held, looked_at = set(), 0
    for pid in others:
        if int(pid) == there:
            continue
        try:
            held |= set(sockets_of(pid).values())
            looked_at += 1
        except OSError:
            continue
    assert looked_at > 0
    assert inode not in held and accepted[0] not in held, "somebody else has it open"


def test_no_relay_by_the_clock(tunnel):
    """Data flows while keeper and supervisor are stopped: they have no part in it."""
    there = tunnel.listen(need("nc.openbsd"), "-l", tunnel.port, stdin="open")
    here = tunnel.call(need("nc.openbsd"), tunnel.name, tunnel.fake_port, stdin="open")
    here.process.stdin.write(b"before\n")
    here.process.stdin.flush()
    wait_for("the first line", lambda: there.out == "before\n")
    # keepers first: one that runs ends a supervisor that was stopped
    stopped = [pid for wanted in ("gs-keeper", "gs-supervisor") for program in (there, here)
               for pid, (name, _) in program.children().items() if name == wanted]
    assert len(stopped) == 4
    try:
        for pid in stopped:
            os.kill(pid, 19)
        here.process.stdin.write(b"after\n")
        here.process.stdin.flush()
        wait_for("the second line", lambda: there.out == "before\nafter\n")
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 18)
