"""A tunnel that was handed to a machine without a login and without the services, as a compute node is."""

import pytest

from lab import CLI, change_conf, restart_on_other_ports, warnings
from processes import wait_for
from ways import FarSide, script

NODE = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None,
        "GLOBUS_SDK_SERVICE_URL_AUTH": "http://127.0.0.1:1", "GLOBUS_SDK_SERVICE_URL_TRANSFER": "http://127.0.0.1:1"}


def hand_over(lab, tunnel, side, base):
    """Export and import one end; the folder that a node has then."""
    file, there = lab.folder / f"{side}-file", lab.folder / f"{side}-there"
    file.unlink(missing_ok=True)
    lab.cli("environment", "export", "--base-dir", base, "--output", file, tunnel.id)
    lab.start(CLI, "environment", "import", "--force", "--base-dir", there, file, env=NODE).ok()
    return there


@pytest.fixture
def handed(own_lab):
    """Both ends, each handed over; their contacts are old, as after hours in a queue."""
    tunnel = own_lab.tunnel()
    for side in "listener", "initiator":
        base = getattr(tunnel, side)
        change_conf(base, tunnel.id, update_time="1000000000")
        setattr(tunnel, side, hand_over(own_lab, tunnel, side, base))
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


def test_one_job_before_and_after(own_lab, own_gateway, handed):
    """It is served while the contact holds; then its next connection fails with a line, and the job goes on. What is
    exported once more, where there is a login, serves the next job."""
    go, far = own_lab.folder / "go", FarSide(handed, 2)
    line = f'{script(handed, "held")}; until [ -e "{go}" ]; do sleep 0.05; done; {script(handed, "moved")} || echo no'
    job = handed.call("/bin/sh", "-c", line, env=NODE)
    wait_for("the first answer", lambda: job.out == "held")
    assert warnings(job) == []
    restart_on_other_ports(own_gateway)
    go.touch()
    assert job.ok() == "heldno\n"
    lines = warnings(job)
    assert len(lines) == 1 and "Connection refused" in lines[0] and "not logged in" in lines[0], job
    base = own_lab.folder / f"{handed.id}-initiator"
    own_lab.cli("environment", "update", "--base-dir", base, handed.id)
    hand_over(own_lab, handed, "initiator", base)
    assert handed.call("/bin/sh", "-c", script(handed, "later"), env=NODE).ok() == "later"
    far.has_exactly("held", "later")
