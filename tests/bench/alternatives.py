"""What a user would take instead, side by side: until the first byte is back, a round trip, throughput.

All of them lead to the gateway's port of a tunnel without a secret, since they cannot do its handshake;
the tool goes to one with a secret. What is not installed is left out."""

import getpass
import os
import subprocess
from pathlib import Path

from figures import IN_PROCESS, iperf
from stats import GIGABITS, MICROSECONDS, Row
from world import LOOPBACK, PROGRAMS, RUN, Missing, Worker, Wrong, free_port, need

ROUNDS = 6
PLAIN = "no tool, no secret"


class Way:
    """One way to the far side: who connects where, and how iperf3 does."""

    def __init__(self, name, worker, where, iperf_command, iperf_target):
        self.name, self.worker, self.where = name, worker, where
        self.iperf_command, self.iperf_target = iperf_command, iperf_target

    def ask(self, command, count):
        return self.worker.ask(command, count, *self.where)

    def throughput(self):
        return [iperf(self.iperf_command, *self.iperf_target, 1, False)[0]]


class Ends:
    """Two tunnels of each kind, since bench-server and iperf3 need a port each."""

    def __init__(self, world):
        self.world = world
        need("iperf3")
        self.secured = [world.tunnel(listener=False) for _ in range(2)]
        self.plain = [world.tunnel(initiator=False, listener=False) for _ in range(2)]
        for message, bulk in (self.secured, self.plain):
            world.server(message, "plain")
            world.background("iperf3", "-s", "-B", LOOPBACK, "-p", bulk.port, port=bulk.port)

    def tool(self):
        message, bulk = self.secured
        return Way("globus-streams-run", self.world.supervised(message.initiator, message.id),
                   message.by_name(), [RUN, "--base-dir", bulk.initiator, bulk.id, "--"],
                   (bulk.name, bulk.fake_port, bulk.contact))

    def in_process(self):
        return Way(IN_PROCESS, self.world.worker(), self.secured[0].by_itself(), None, None)

    def direct(self):
        contact = self.plain[1].contact
        return Way(PLAIN, self.world.worker(), self.plain[0].by_itself(), [], (LOOPBACK, contact, contact))

    def relayed(self, name, ports):
        """Through local ports that lead to the tunnels."""
        return Way(name, self.world.worker(), (LOOPBACK, ports[0], ports[0], "-"), [],
                   (LOOPBACK, ports[1], ports[1]))

    def wrapped(self, name, wrapper, peer):
        """By a wrapper that takes connections elsewhere; peer: to which port."""
        worker = self.world.add(Worker([*wrapper, PROGRAMS / "bench-worker"], False))
        contacts = [tunnel.contact for tunnel in self.plain]
        return Way(name, worker, (LOOPBACK, contacts[0], peer, "-"), wrapper, (LOOPBACK, contacts[1], peer))

    def contacts(self):
        return [tunnel.contact for tunnel in self.plain]


def socat(ends):
    program, ports = need("socat"), [free_port(), free_port()]
    for port, contact in zip(ports, ends.contacts()):
        ends.world.background(program, f"TCP-LISTEN:{port},bind={LOOPBACK},reuseaddr,fork,nodelay",
                              f"TCP:{LOOPBACK}:{contact},nodelay", port=port)
    return ends.relayed("socat", ports)


def ssh(ends):
    server, client, keygen = need("sshd"), need("ssh"), need("ssh-keygen")
    folder, port, ports = Path(ends.world.folder), free_port(), [free_port(), free_port()]
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", exist_ok=True)  # which sshd insists on, and its service makes
    for key in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    (folder / "sshd.conf").write_text(
        f"Port {port}\nListenAddress {LOOPBACK}\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nPermitRootLogin yes\nLogLevel QUIET\n")
    ends.world.background(server, "-D", "-f", folder / "sshd.conf", port=port)
    forwards = [word for at, contact in zip(ports, ends.contacts())
                for word in ("-L", f"{LOOPBACK}:{at}:{LOOPBACK}:{contact}")]
    ends.world.background(client, "-N", "-F", "none", "-i", folder / "user", "-p", port, "-o", "BatchMode=yes",
                          "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", *forwards,
                          f"{getpass.getuser()}@{LOOPBACK}", port=ports[1])
    return ends.relayed("ssh -L", ports)


def stunnel(ends):
    program, folder = need("stunnel"), Path(ends.world.folder)
    near, far = [free_port(), free_port()], [free_port(), free_port()]
    (folder / "psk").write_text(f"bench:{os.urandom(32).hex()}\n")
    (folder / "psk").chmod(0o600)
    common = f"foreground = quiet\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n" \
             f"PSKsecrets = {folder}/psk\nciphers = PSK\n"
    for name, client, accepts, leads in (("far", "no", far, ends.contacts()), ("near", "yes", near, far)):
        services = "".join(f"[{i}]\nclient = {client}\naccept = {LOOPBACK}:{at}\nconnect = {LOOPBACK}:{to}\n"
                           for i, (at, to) in enumerate(zip(accepts, leads)))
        (folder / f"stunnel-{name}.conf").write_text(common + services)
        ends.world.background(program, folder / f"stunnel-{name}.conf", port=accepts[1])
    return ends.relayed("stunnel, pre-shared key", near)


def proxychains(ends):
    program, socks, port = need("proxychains4"), need("microsocks"), free_port()
    conf = Path(ends.world.folder) / "proxychains.conf"
    conf.write_text(f"strict_chain\nquiet_mode\n[ProxyList]\nsocks5 {LOOPBACK} {port}\n")
    ends.world.background(socks, "-i", LOOPBACK, "-p", port, port=port)
    return ends.wrapped("proxychains4, microsocks", [program, "-q", "-f", conf], port)


def torsocks(_):
    need("torsocks")
    raise Missing("it refuses loopback addresses, and nothing else may be used here")


def make_ways(world):
    ends = Ends(world)
    ways = [ends.tool(), ends.in_process()]
    for make in (socat, ssh, stunnel, proxychains, torsocks):
        try:
            ways.append(make(ends))
        except (Missing, Wrong, subprocess.SubprocessError) as missing:
            print(f"alternatives: without {make.__name__}: {missing}")
    return ways, ends.direct()


def in_turn(ways, base, measure, rounds):
    """[(way, its rounds)], and those of the base; a first round does not count."""
    found = [[measure(way) for way in (base, *ways)] for _ in range(rounds + 1)][1:]
    columns = list(zip(*found))
    return list(zip(ways, columns[1:])), columns[0]


def alternatives(world):
    ways, base = make_ways(world)
    found, beside = in_turn(ways, base, lambda way: way.ask("first", 30), ROUNDS)
    for way, ours in found:
        yield Row(f"first byte: {way.name}", PLAIN, MICROSECONDS, list(ours), list(beside))
    found, beside = in_turn(ways, base, lambda way: way.ask("exchange", 300), ROUNDS)
    for way, ours in found:
        yield Row(f"round trip: {way.name}", PLAIN, MICROSECONDS, list(ours), list(beside))
    bulk = [way for way in ways if way.iperf_target]
    found, beside = in_turn(bulk, base, Way.throughput, 2)
    for way, ours in found:
        yield Row(f"1 stream: {way.name}", PLAIN, GIGABITS, list(ours), list(beside))
