"""The Globus Streaming user guide, sections 2 to 4, typed as it is printed, and the pattern of people's scripts.

The guide's addresses are 10.0.2.164 and 192.168.0.10, its ports 8888 and 443: a network namespace has them. Two
homes are its two machines.
"""

import os
import re
import subprocess

import pytest

from lab import BUILD, CLI, LOOPBACK, Gateway, Lab, free_port, missing, need, read_conf, wait_for, wait_listening

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class Namespace:
    """A network of its own with the guide's addresses."""

    def __init__(self, folder):
        ready = folder / "network"
        setup = "ip link set lo up && ip address add 10.0.2.164/32 dev lo && ip address add 192.168.0.10/32 dev lo"
        alone = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
        self.holder = subprocess.Popen([need("unshare"), *alone, "sh", "-c", f'{setup} && : >"{ready}" && exec sleep 1000'])
        wait_for("the network namespace", lambda: ready.exists() or self.holder.poll() is not None)
        if self.holder.poll() is not None:
            missing("network namespaces")
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        self.enter = [need("nsenter"), "-t", str(self.holder.pid), *user, "-n"]

    def is_bound(self, port):
        with open(f"/proc/{self.holder.pid}/net/tcp", encoding="ascii") as table:
            return any(f":{port:04X} 00000000:0000 0A" in line for line in table)

    def end(self):
        self.holder.terminate()
        self.holder.wait()


class Machine:
    """One of the guide's machines: what is typed there, with TUNNEL_ID set."""

    def __init__(self, lab, network, name, as_globus):
        self.lab, self.network, self.tunnel, self.as_globus = lab, network, None, as_globus
        self.home = lab.folder / name
        self.home.mkdir()
        self.base = self.home / ".globus" / "streams"

    def start(self, line, stdin=None):
        """Type a line; the program that it starts."""
        settings = {"HOME": str(self.home), "TUNNEL_ID": self.tunnel, "PATH": f"{BUILD}/cli:{self.lab.env['PATH']}"}
        return self.lab.start(*self.network.enter, "bash", "-c", f"exec {line}", env=settings, stdin=stdin)

    def type(self, line):
        """The lines that it prints."""
        insecure = self.as_globus and " initialize " in line
        program = self.start(line.replace(" initialize ", " initialize --insecure ") if insecure else line)
        assert program.wait() == 0, program
        assert "is not authenticated" in program.err if insecure else program.err == "", program
        return program.out.splitlines()

    def listen(self, line, port=8888):
        program = self.start(line, stdin="open")
        wait_for(f"a listener: {line}", lambda: self.network.is_bound(port) or not program.running())
        assert program.running(), program
        return program


@pytest.fixture(params=[(), ("--as-globus",)], ids=["ours", "globus"])
def guide(tmp_path, request):
    """Both machines, with a gateway in their network; that plays Globus's own where --insecure is added to what the
    guide has."""
    network = Namespace(tmp_path)
    folder = tmp_path / "gateway"
    folder.mkdir()
    gateway = Gateway(folder, folder, network.enter).start(*request.param)
    lab = Lab(tmp_path / "lab", gateway)
    machines = [Machine(lab, network, name, bool(request.param)) for name in ("listener", "initiator")]

    def new_tunnel():
        created = machines[0].type(f"globus-streams tunnel create {lab.env['LAB_INITIATOR_AP']} "
                                   f"{lab.env['LAB_LISTENER_AP']}")
        tunnel = re.search(UUID, "\n".join(created)).group()
        for machine in machines:
            machine.tunnel = tunnel
        return tunnel
    yield *machines, new_tunnel
    lab.end()
    gateway.stop()
    network.end()


def initialized(machine, *more):
    return [f"Initializing the environment for tunnel: {machine.tunnel}",
            f"The environment is initialized for use with tunnel {machine.tunnel}",
            f"Your application key file base directory is {machine.base}/", *more]


def contact_of(machine):
    return f"globus.{machine.tunnel}:{read_conf(machine.base, machine.tunnel)['fake_port']}"


def say(program, line):
    program.process.stdin.write((line + "\n").encode())
    program.process.stdin.flush()


def exchange(there, here):
    """What either types is shown by the other."""
    say(here, "typed by the initiator")
    wait_for("the initiator's line", lambda: there.out == "typed by the initiator\n" or not there.running())
    assert there.out == "typed by the initiator\n", (there, here)
    say(there, "typed by the listener")
    wait_for("the listener's line", lambda: here.out.endswith("typed by the listener\n"))
    here.end()
    there.end()


def test_listener_and_initiator(guide):
    """Sections 3.1 to 3.3: nc and telnet, by the mapped name, with each of the launcher's options."""
    listener, initiator, new_tunnel = guide
    new_tunnel()
    assert listener.type("globus-streams environment initialize --listener-contact-string 10.0.2.164:8888 "
                         "${TUNNEL_ID}") == initialized(listener)
    lines = initiator.type("globus-streams environment initialize --globus-contact myhost.com:443 ${TUNNEL_ID}")
    contact = contact_of(initiator)
    assert lines == initialized(initiator, f"Your contact string is: {contact}")
    log = listener.home / "streams-debug.log"
    for options in ("", "-p 8888 ", "-d ", f"-l {log} "):
        there = listener.listen(f"globus-streams-launch.sh {options}${{TUNNEL_ID}} nc -l 8888")
        here = initiator.start("globus-streams-launch.sh ${TUNNEL_ID} telnet myhost.com 443", stdin="open")
        wait_for("telnet's connection", lambda: "Escape character" in here.out or not here.running())
        assert re.fullmatch(r"Trying 198\.1[89]\.\d+\.\d+\.\.\.\nConnected to myhost\.com\.\n"
                            r"Escape character is '\^\]'\.\n", here.out), here
        exchange(there, here)
        if not listener.as_globus:  # whose connections nobody looks at
            assert (there.err == "") == (options != "-d ") and log.exists() == options.startswith("-l"), there
    there = listener.listen("globus-streams-launch.sh ${TUNNEL_ID} nc -l 8888")
    exchange(there, initiator.start(f"globus-streams-launch.sh ${{TUNNEL_ID}} nc {contact.replace(':', ' ')}",
                                    stdin="open"))


def test_contact_strings(guide):
    """Sections 4.1 and 4.2: the contact, before and after the listener's side is known; a secret on each side."""
    listener, initiator, new_tunnel = guide
    new_tunnel()
    lines = initiator.type("globus-streams environment initialize $TUNNEL_ID")
    assert lines == initialized(initiator, f"Your contact string is: {contact_of(initiator)}")
    assert listener.type("globus-streams environment initialize --listener-contact-string 192.168.0.10:8888 "
                         "$TUNNEL_ID") == initialized(listener)
    (contact,) = initiator.type("globus-streams environment contact-lookup $TUNNEL_ID")
    confs = [read_conf(machine.base, machine.tunnel) for machine in (listener, initiator)]
    assert re.fullmatch(r"[0-9.]+:\d+", contact) and confs[1]["connector_contact_string"] == contact
    assert confs[0].get("lankey") != confs[1].get("lankey") or listener.as_globus
    there = listener.listen("globus-streams-launch.sh ${TUNNEL_ID} nc -l 8888")
    exchange(there, initiator.start("globus-streams-launch.sh ${TUNNEL_ID} "
                                    f"nc {contact_of(initiator).replace(':', ' ')}", stdin="open"))


def test_tls(guide):
    """Section 4.3, TLS: the certificate is that of the name that the user types."""
    listener, initiator, new_tunnel = guide
    new_tunnel()
    key, certificate = listener.home / "key.pem", listener.home / "certificate.pem"
    listener.lab.start(need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                       "-nodes", "-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com", "-days", "2",
                       "-keyout", key, "-out", certificate).ok()
    listener.type("globus-streams environment initialize --listener-contact-string 10.0.2.164:8888 ${TUNNEL_ID}")
    lines = initiator.type("globus-streams environment initialize --globus-contact example.com:443 ${TUNNEL_ID}")
    assert lines == initialized(initiator, f"Your contact string is: {contact_of(initiator)}")
    listener.listen(f"globus-streams-launch.sh ${{TUNNEL_ID}} openssl s_server -quiet -www -key {key} "
                    f"-cert {certificate} -accept 10.0.2.164:8888")
    initiator.lab.env["CURL_CA_BUNDLE"] = str(certificate)
    here = initiator.start("globus-streams-launch.sh ${TUNNEL_ID} curl --silent --show-error https://example.com:443")
    assert "Ciphers supported" in here.ok(), here


def test_the_scripts_pattern(lab):
    """create, poll show for State, initialize, cat the conf, launch, stop, poll, delete."""
    port = free_port()
    launch = BUILD / "cli" / "globus-streams-launch.sh"
    created = lab.cli("tunnel", "create", lab.env["LAB_INITIATOR_AP"], lab.env["LAB_LISTENER_AP"], "--label", "script")
    tunnel = re.search(UUID, created).group()

    def state():
        return re.search(r"^\s*State:\s*(\S+)", lab.cli("tunnel", "show", tunnel), re.M).group(1)

    assert state() == "AWAITING_LISTENER"
    lab.cli("environment", "initialize", "--listener-contact-string", f"{LOOPBACK}:{port}", tunnel)
    wait_for("the tunnel to be active", lambda: state() == "ACTIVE")
    base = lab.folder / "initiator"
    out = lab.cli("environment", "initialize", "--base-dir", base, tunnel)
    name, fake_port = re.search(rf"(globus\.{tunnel}):(\d+)", out).groups()
    text = lab.start("cat", base / f"{tunnel}.conf").ok()
    assert re.search(r"^connector_contact_string\s*=\s*([^:\s]+):(\d+)\s*$", text, re.M)
    server = lab.start(launch, tunnel, need("iperf3"), "-s", "-1", "-p", port)
    wait_listening(port, server)
    here = lab.start(launch, tunnel, need("iperf3"), "-c", name, "-p", fake_port, "-n", "1M", "-P", "2",
                     env={"GLOBUS_STREAMS_BASE_DIR": str(base)})
    assert "iperf Done" in here.ok() and "Server listening" in server.ok()
    assert here.err == server.err == ""
    lab.cli("tunnel", "stop", tunnel)
    wait_for("the tunnel to have stopped", lambda: state() == "STOPPED")
    lab.cli("tunnel", "delete", tunnel)
    gone = lab.start(CLI, "tunnel", "show", tunnel)
    assert gone.wait() == 1 and "404" in gone.err
    lab.cli("environment", "cleanup", "--force", tunnel)


def test_every_command_against_the_gateway(lab):
    port = free_port()
    tunnel = lab.create_tunnel("--lifetime-minutes", "30")
    lab.cli("environment", "initialize", "--listener-contact-string", f"127.0.0.1:{port}", "--wait=30", tunnel)
    assert tunnel in lab.cli("tunnel", "list") and tunnel in lab.cli("environment", "list")
    assert re.search(r"^Label: +renamed$", lab.cli("tunnel", "update", "--label", "renamed", tunnel), re.M)
    assert re.search(r"TUNNEL_ACTIVE +\| False", lab.cli("tunnel", "events", tunnel))
    assert lab.env["LAB_LISTENER_AP"] in lab.cli("access-point", "list", "listener")
    lab.cli("access-point", "show", lab.env["LAB_LISTENER_AP"])
    lab.cli("environment", "update", "--listener-contact-string", f"127.0.0.1:{free_port()}", tunnel)
    lab.cli("environment", "initialize", "--listener", "--force", tunnel)
    assert "@" in lab.cli("whoami")
    lab.cli("tunnel", "stop", "--wait=30", tunnel)
    assert "TUNNEL_STOPPED" in lab.cli("tunnel", "events", "--follow", tunnel)
    lab.cli("environment", "cleanup", "--force", tunnel)
    lab.cli("tunnel", "delete", tunnel)
    lab.cli("logout")
