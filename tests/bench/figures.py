"""The rows of the table. Each function measures some, both sides in turn, and yields them."""

import json
import re
import subprocess
import time
from pathlib import Path

from containers_launched import launched_containers
from stats import (GIGABITS, KIBIBYTES, MICROSECONDS, MILLISECONDS, NANOSECONDS, PER_SECOND, Goal, Row)
from world import LAUNCH, LOOPBACK, PROGRAMS, RUN, Missing, Wrong, connections_possible, need, pin, processes, unpin

IN_PROCESS = "the same handshake in-process"
NO_TOOL = "no tool"


def in_turn(rounds, ours, theirs):
    """Both functions, rounds times in turn, after one round each that does not count."""
    ours(), theirs()
    both = [(ours(), theirs()) for _ in range(rounds)]
    return [a for a, _ in both], [b for _, b in both]


# --- iperf3 ---

def iperf(client, target, port, peer, streams, reverse, seconds=1):
    """(bits a second that arrived, the client's processor time in ns for each gigabyte), checked: so many
    streams, all to that port."""
    command = [*client, "iperf3", "-c", target, "-p", port, "-t", seconds, "-P", streams, "-J"]
    command += ["-R"] if reverse else []
    for _ in range(40):  # its server may still be busy with the end of the test before
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60)
        result = json.loads(done.stdout or "{}")
        if "busy" not in result.get("error", ""):
            break
        time.sleep(0.05)
    if done.returncode or "error" in result:
        raise Wrong(f"iperf3: {result.get('error')} {done.stderr}")
    found = result["start"]["connected"]
    if len(found) != streams or any(one["remote_port"] != peer for one in found):
        raise Wrong(f"iperf3's connections went elsewhere: {found}")
    received, busy = result["end"]["sum_received"], result["end"]["cpu_utilization_percent"]["host_total"]
    if received["bytes"] < 1 << 20:
        raise Wrong("iperf3 moved next to nothing")
    return received["bits_per_second"], busy / 100 * received["seconds"] * 1e18 / received["bytes"]


def iperf_pair(world):
    """Two functions of (streams, reverse): through the tool at both ends, and through the same gateway
    without it, by a tunnel whose legs are not secured."""
    need("iperf3")
    secured, plain = world.tunnel(), world.tunnel(initiator=False, listener=False)
    run = [RUN, "--base-dir"]
    world.background(*run, secured.listener, secured.id, "--", "iperf3", "-s", "-B", LOOPBACK, "-p",
                     secured.port, port=secured.port)
    world.background("iperf3", "-s", "-B", LOOPBACK, "-p", plain.port, port=plain.port)
    call = [*run, secured.initiator, secured.id, "--"]
    return (lambda *how: iperf(call, secured.name, secured.fake_port, secured.contact, *how),
            lambda *how: iperf([], LOOPBACK, plain.contact, plain.contact, *how))


def throughput(world, rounds=8, kinds=((1, False), (1, True), (8, False), (8, True))):
    ours, theirs = iperf_pair(world)
    for kind in kinds:
        streams, reverse = kind
        label = f"{streams} stream{'s' * (streams > 1)}, {'to us' if reverse else 'from us'}"
        a, b = in_turn(rounds, lambda: ours(*kind), lambda: theirs(*kind))
        speeds, times = ([[[one[which]] for one in side] for side in (a, b)] for which in (0, 1))
        yield Row(f"throughput, {label}", NO_TOOL, GIGABITS, *speeds, Goal(">= 0.98", ratio_min=0.98))
        yield Row(f"processor time a gigabyte, {label}", NO_TOOL, MILLISECONDS, *times,
                  note="of the iperf3 on our side")


# --- connections through the tunnel ---

class Callers:
    """The near side of a tunnel whose listener is a plain program: one worker under the tool, one that
    does the handshake itself."""

    def __init__(self, world):
        self.tunnel = world.tunnel(listener=False)
        self.server = world.server(self.tunnel, "plain")
        self.ours = world.supervised(self.tunnel.initiator, self.tunnel.id)
        self.theirs = world.worker()

    def pair(self, command, *numbers):
        return (lambda: self.ours.ask(command, *numbers, *self.tunnel.by_name()),
                lambda: self.theirs.ask(command, *numbers, *self.tunnel.by_itself()))


def connects(world, rounds=20):
    callers = Callers(world)
    a, b = in_turn(rounds, *callers.pair("connect", 50))
    yield Row("tunnelled connect", IN_PROCESS, MICROSECONDS, a, b, Goal("<= 1.15", ratio_max=1.15))


def first_connects(world, rounds=10):
    """Of a fresh process, as most programs make them: both pay for what libcrypto does once."""
    tunnel = world.tunnel(listener=False)
    world.server(tunnel, "plain")

    def first(start, where):
        worker = start()
        took = worker.ask("connect", 1, *where)
        world.end(worker)
        return took
    a, b = in_turn(rounds, lambda: first(lambda: world.supervised(tunnel.initiator, tunnel.id), tunnel.by_name()),
                   lambda: first(world.worker, tunnel.by_itself()))
    yield Row("first tunnelled connect of a launch", IN_PROCESS, MICROSECONDS, a, b,
              note="both with libcrypto's first use")


def storms(world, rounds=5, each=10, at_a_time=64):
    callers = Callers(world)
    ours, theirs = callers.pair("storm", at_a_time, each)
    a, b = in_turn(rounds, lambda: rate(ours(), at_a_time * each), lambda: rate(theirs(), at_a_time * each))
    yield Row(f"connects a second, {at_a_time} programs at a time", IN_PROCESS, PER_SECOND, a, b,
              Goal(">= 0.7", ratio_min=0.7))


def rate(nanoseconds, count):
    return [count * 1e9 / one for one in nanoseconds]


def accepts(world, rounds=20):
    """The caller is the same plain program, the gateway calls the listeners; only these differ."""
    goal = Goal("<= 1.25", ratio_max=1.25)
    tool, itself = world.tunnel(initiator=False), world.tunnel(initiator=False)
    world.server(tool, "tool")
    world.server(itself, "itself")
    caller = world.worker()
    a, b = in_turn(rounds, lambda: caller.ask("accept", 50, *tool.by_itself()),
                   lambda: caller.ask("accept", 50, *itself.by_itself()))
    yield Row("accept of an authenticated connection", IN_PROCESS, MICROSECONDS, a, b, goal)

    a, b = in_turn(rounds, lambda: caller.ask("accept", 50, *tool.to_listener()),
                   lambda: caller.ask("accept", 50, *itself.to_listener()))
    yield Row("accept, called without the gateway between", IN_PROCESS, MICROSECONDS, a, b,
              note="the stricter form of the row above")


def round_trips(world, rounds=40):
    """Programs on one processor, the gateway on another: where the kernel would put them differs more from
    run to run than the two sides do."""
    secured, plain = world.tunnel(), world.tunnel(initiator=False, listener=False)
    servers = world.server(secured, "tool"), world.server(plain, "plain")
    ours, theirs = world.supervised(secured.initiator, secured.id), world.worker()
    for worker in (*servers, ours, theirs):
        pin(worker.program(), 0)
    pin(world.gateway.process.pid, 1)
    a, b = in_turn(rounds, lambda: ours.ask("exchange", 500, *secured.by_name()),
                   lambda: theirs.ask("exchange", 500, *plain.by_itself()))
    unpin(world.gateway.process.pid)
    yield Row("round trip, established, 64 bytes", NO_TOOL, MICROSECONDS, a, b, Goal("<= 1.02", ratio_max=1.02),
              note="programs pinned")


# --- calls that are not for a tunnel ---

def passed(world, rounds=20):
    """connect() under a launch that initiates; accept() and bind() under one that listens."""
    tunnel, elsewhere = world.tunnel(), world.tunnel()
    world.server(elsewhere, "plain")
    where = (LOOPBACK, elsewhere.port, elsewhere.port, "-")
    initiates, listens = (world.supervised(base, tunnel.id) for base in (tunnel.initiator, tunnel.listener))
    without = world.worker()
    a, b = in_turn(rounds, lambda: initiates.ask("connect", 50, *where),
                   lambda: without.ask("connect", 50, *where))
    yield Row("connect, not for a tunnel", NO_TOOL, MICROSECONDS, a, b,
              Goal("<= 1.8, < 25 µs added", ratio_max=1.8, added_max=25))
    for name, command in (("accept", "take"), ("bind", "bind")):
        a, b = in_turn(rounds, lambda: listens.ask(command, 100), lambda: without.ask(command, 100))
        yield Row(f"{name}, not for a tunnel", NO_TOOL, MICROSECONDS, a, b, Goal("< 25 µs added", added_max=25))


CALLS = {"getppid": 20000, "read": 20000, "write": 20000, "sendto": 5000, "epoll_wait": 20000, "openat": 5000}


def others(world, rounds=40):
    """Calls that the filter lets pass, under a launch that initiates and listens."""
    tunnel, second = world.tunnel(), world.tunnel()
    both = world.together(tunnel.conf("initiator"), second.conf("listener"))
    ours, theirs = world.supervised(both, tunnel.id, second.id), world.worker()
    for worker in (ours, theirs):
        pin(worker.program(), 0)
    for name, count in CALLS.items():
        a, b = in_turn(rounds, lambda: [ours.ask("call", name, count)[0] / count],
                       lambda: [theirs.ask("call", name, count)[0] / count])
        yield Row(f"{name}{NOTE.get(name, '')}", NO_TOOL, NANOSECONDS, a, b, Goal("< 60 ns added", added_max=60))


NOTE = {"sendto": ", UDP, 1 byte", "openat": ", not there", "epoll_wait": ", nothing there"}


# --- launching ---

def launches(world, rounds=60):
    tunnel = world.tunnel()

    def times(ours, theirs, count=rounds):
        command = [PROGRAMS / "bench-launch", count, *ours, "---", *theirs]
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise Wrong(f"bench-launch: {done.stderr}")
        return ([[int(value)] for value in line.split()] for line in done.stdout.splitlines())
    run = [RUN, "--base-dir", tunnel.initiator, tunnel.id, "--"]
    supervised = subprocess.run([str(word) for word in run + ["grep", "^Seccomp:", "/proc/self/status"]],
                                capture_output=True, text=True, timeout=30)
    if supervised.stdout.split() != ["Seccomp:", "2"]:
        raise Wrong(f"the launcher's command has no filter: {supervised}")
    a, b = times([*run, "true"], ["true"])
    yield Row("globus-streams-run T -- true", "true", MILLISECONDS, a, b, Goal("< 5 ms added", added_max=5))
    a, b = times([LAUNCH, "--base-dir", tunnel.initiator, tunnel.id, "true"], ["/usr/bin/python3", "-c", "pass"],
                 rounds // 2)
    yield Row("globus-streams-launch.sh T true", "python3 -c pass", MILLISECONDS, a, b,
              Goal("<= 0.5", ratio_max=0.5))


# --- what keeper and supervisor take ---

def maps_of(pid):
    try:
        return Path(f"/proc/{pid}/smaps").read_text()
    except PermissionError:
        raise Missing("only root may look at the memory of keeper and supervisor") from None


def memory(pids):
    """KiB that are these processes' alone, the mapping that they share (of /dev/zero) counted once."""
    private, shared = 0, 0
    for pid in pids:
        ours, state = 0, False
        for line in maps_of(pid).splitlines():
            if re.match(r"[0-9a-f]+-", line):
                state = "/dev/zero" in line
            elif line.startswith("Private_"):
                private += int(line.split()[1])
            elif state and line.startswith("Shared_"):
                ours += int(line.split()[1])
        shared = max(shared, ours)
    return private + shared


def held_connections(world, wanted=10000):
    """Memory of keeper and supervisor, idle and with connections open, on either side. The far side is
    played by the worker or server itself: the gateway would need six descriptors a connection."""
    count = min(wanted, connections_possible())
    if count < wanted:
        print(f"memory: {count} connections instead of {wanted}: the limit of open files is low")
    initiating, listening = world.access_point(), world.tunnel()
    server = world.server(listening, "tool")
    ours, theirs = world.supervised(initiating.initiator, initiating.id), world.worker()
    sides = {"initiating": (ours, ours, initiating.by_name()),
             "listening": (server, theirs, listening.to_listener())}
    for side, (watched, caller, where) in sides.items():
        caller.ask("hold", 1, *where)
        keepers = watched.keepers()
        if len(keepers) != 2:
            raise Wrong("no keeper or no supervisor")
        idle = memory(keepers.values())
        if caller.ask("hold", count, *where) != [count] or watched.keepers() != keepers:
            raise Wrong("not so many connections are open, or a supervisor has died")
        full = memory(keepers.values())
        caller.ask("hold", 0, *where)
        yield Row(f"memory, {side}, idle", "", KIBIBYTES, [[idle]], goal=Goal("< 4096", value_max=4096))
        yield Row(f"memory, {side}, {count} connections", "its memory when idle", KIBIBYTES, [[full]],
                  [[idle]], Goal("no more (5 %)", ratio_max=1.05))


def processor_time(pids):
    """Nanoseconds that they ran."""
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)


def while_data_flows(world, seconds=2):
    """Processor time of all keepers and supervisors of a transfer between its start and its end."""
    tunnel = world.tunnel()
    need("iperf3")
    run = [RUN, "--base-dir"]
    listens = world.background(*run, tunnel.listener, tunnel.id, "--", "iperf3", "-s", "-B", LOOPBACK, "-p",
                               tunnel.port, port=tunnel.port)
    words = [*run, tunnel.initiator, tunnel.id, "--", "iperf3", "-c", tunnel.name, "-p", tunnel.fake_port,
             "-t", seconds + 1, "-J"]
    calls = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    pids = [pid for root in (listens.pid, calls.pid) for pid, (name, _) in processes.descendants(root).items()
            if name.startswith("gs-")]
    if len(pids) != 4:
        raise Wrong("not two keepers and two supervisors")
    before = processor_time(pids)
    time.sleep(seconds)
    after = processor_time(pids)
    result = json.loads(calls.communicate(timeout=30)[0])
    speed = result["end"]["sum_received"]["bits_per_second"] / 1e9
    if result["start"]["connected"][0]["remote_port"] != tunnel.contact or speed < 0.1:
        raise Wrong("no data flowed")
    yield Row("processor time while data flows, both sides", "", ("ms/s", 1e6), [[(after - before) / seconds]],
              goal=Goal("0", value_max=0), note=f"while {speed:.1f} Gbit/s flowed")


def while_accepts_wait(world, counts=(1, 1000), seconds=2):
    """Processor time of keeper and supervisor while nothing happens but blocked accept() calls."""
    tunnel = world.tunnel()
    worker = world.supervised(tunnel.listener, tunnel.id)
    for count in counts:
        worker.ask("block", count, tunnel.port)
        time.sleep(1)  # until all of them are there
        pids = worker.keepers().values()
        before = processor_time(pids)
        time.sleep(seconds)
        yield Row(f"processor time while {count} accept{'s' * (count > 1)} wait", "", ("ms/s", 1e6),
                  [[(processor_time(pids) - before) / seconds]], note="no goal: ought to be next to 0")


GROUPS = {"throughput": throughput, "round-trip": round_trips, "connect": connects, "first": first_connects,
          "accept": accepts,
          "passed": passed, "calls": others, "storm": storms, "launch": launches, "containers": launched_containers,
          "memory": held_connections, "processor": while_data_flows,
          "waiting": while_accepts_wait}
