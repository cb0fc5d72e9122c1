"""A tunnel that was handed to a machine without a login and without the services, as a compute node is."""

import pytest

from lab import CLI, change_conf, restart_on_other_ports, warnings

NODE = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None,
        "GLOBUS_SDK_SERVICE_URL_AUTH": "http://127.0.0.1:1", "GLOBUS_SDK_SERVICE_URL_TRANSFER": "http://127.0.0.1:1"}


@pytest.fixture
def handed(own_lab):
    """Both ends, each handed over; their contacts are old, as after hours in a queue."""
    tunnel = own_lab.tunnel()
    for side in "listener", "initiator":
        base = getattr(tunnel, side)
        change_conf(base, tunnel.id, update_time="1000000000")
        file, there = own_lab.folder / f"{side}-file", own_lab.folder / f"{side}-there"
        own_lab.cli("environment", "export", "--base-dir", base, "--output", file, tunnel.id)
        own_lab.start(CLI, "environment", "import", "--base-dir", there, file,
                      env=NODE).ok()
        setattr(tunnel, side, there)
    return tunnel


def test_job_runs(handed):
    there = handed.listen("nc", "-l", str(handed.port), env=NODE)
    here = handed.call("sh", "-c", f"echo hello | nc -N {handed.name} {handed.fake_port}", env=NODE)
    assert there.ok() == "hello\n"
    here.ok()
    assert warnings(here) == [] == warnings(there)


def test_contact_holds_no_longer(handed, own_gateway):
    """The access point has moved, and nobody here can ask where it is now: one line says so, and what to do."""
    restart_on_other_ports(own_gateway)
    here = handed.call("nc", "-w", "5", handed.name, str(handed.fake_port), env=NODE)
    assert here.wait(20) != 0
    lines = warnings(here)
    assert len(lines) == 1 and "Connection refused" in lines[0] and "not logged in" in lines[0], here
