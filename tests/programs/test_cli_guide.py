"""The Globus Streaming user guide, sections 2 to 4, as it is printed, and the scripts that people run."""

import re
import socket

from lab import CLI, RUN, free_port, read_conf, wait_for


def test_the_guide(lab):
    """Two environments on one machine: HOME is the listener's, a second base directory the initiator's."""
    port = free_port()
    created = lab.cli("tunnel", "create", lab.env["LAB_INITIATOR_AP"], lab.env["LAB_LISTENER_AP"])
    tunnel = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created).group()
    base = lab.home / ".globus" / "streams"
    out = lab.cli("environment", "initialize", "--listener-contact-string", f"127.0.0.1:{port}", tunnel)
    assert out.splitlines() == [f"Initializing the environment for tunnel: {tunnel}",
                                f"The environment is initialized for use with tunnel {tunnel}",
                                f"Your application key file base directory is {base}/"]
    other = lab.folder / "initiator"
    lab.env["GLOBUS_STREAMS_BASE_DIR"] = str(other)
    out = lab.cli("environment", "initialize", "--globus-contact", "myhost.com:443", tunnel).splitlines()
    conf = read_conf(other, tunnel)
    assert out == [f"Initializing the environment for tunnel: {tunnel}",
                   f"The environment is initialized for use with tunnel {tunnel}",
                   f"Your application key file base directory is {other}/",
                   f"Your contact string is: globus.{tunnel}:{conf['fake_port']}"]
    looked_up = lab.cli("environment", "contact-lookup", tunnel).strip()
    assert looked_up == conf["connector_contact_string"] and re.fullmatch(r"[0-9.]+:\d+", looked_up)


def test_the_scripts_pattern(lab):
    """create, poll show for State, initialize, cat the conf, launch, stop, poll, delete."""
    port = free_port()
    created = lab.cli("tunnel", "create", lab.env["LAB_INITIATOR_AP"], lab.env["LAB_LISTENER_AP"], "--label", "script")
    tunnel = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", created).group()

    def state():
        return re.search(r"^\s*State:\s*(\S+)", lab.cli("tunnel", "show", tunnel), re.M).group(1)

    assert state() == "AWAITING_LISTENER"
    lab.cli("environment", "initialize", "--listener-contact-string", f"127.0.0.1:{port}", tunnel)
    wait_for("the tunnel to be active", lambda: state() == "ACTIVE")
    base = lab.folder / "initiator"
    lab.cli("environment", "initialize", "--base-dir", base, tunnel)
    text = lab.start("cat", base / f"{tunnel}.conf").ok()
    host, lan_port = re.search(r"^connector_contact_string\s*=\s*([^:\s]+):(\d+)\s*$", text, re.M).groups()
    socket.create_connection((host, int(lan_port)), timeout=10).close()
    lab.cli("tunnel", "stop", tunnel)
    wait_for("the tunnel to have stopped", lambda: state() == "STOPPED")
    lab.cli("tunnel", "delete", tunnel)
    assert lab.start(CLI, "tunnel", "show", tunnel).wait(30) == 1
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
