"""A launch with a conf file whose time has passed: Transfer decides, and where it cannot be asked, the access point."""

import time

import pytest

from lab import CLI, GOOD, PROGRAMS, RUN, change_conf, need, one_warning, read_conf, write_conf

TALK = PROGRAMS / "talk"
PASSED = str(int(time.time()) - 60)


def test_a_living_tunnel(lab, tunnel):
    """On both sides: nothing is said, the data arrive, and the file has the right time afterwards."""
    ends = {base: read_conf(base, tunnel.id)["tunnel_expiration_time"] for base in (tunnel.listener, tunnel.initiator)}
    for base in ends:
        change_conf(base, tunnel.id, tunnel_expiration_time=PASSED)
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer" and there.ok() == "question" and here.err == there.err == ""
    assert {base: read_conf(base, tunnel.id)["tunnel_expiration_time"] for base in ends} == ends


def test_as_globus_own_cli_writes_it(lab, tunnel):
    """Eight lines, no contact, and a time that has passed."""
    conf = read_conf(tunnel.initiator, tunnel.id)
    kept = {key: conf[key] for key in ("lankey", "lankey_id")}
    more = {key: conf[key] for key in ("update_time", "connector_contact_string_ttl", "endpoint_id", "fake_port")}
    write_conf(tunnel.initiator, tunnel.id, **kept, connector_contact_string="None:None", **more,
               tunnel_expiration_time=PASSED)
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer" and there.ok() == "question" and here.err == ""


def test_a_tunnel_that_has_ended(lab, tunnel):
    """Stopped, and then deleted."""
    lab.cli("tunnel", "stop", "--wait", tunnel.id)
    change_conf(tunnel.initiator, tunnel.id, tunnel_expiration_time=PASSED)
    for _ in range(2):
        here = tunnel.call("/bin/echo", "started")
        assert here.wait() == 1 and here.out == ""
        one_warning(here, tunnel.id, "has ended", "tunnel create")
        lab.start(CLI, "tunnel", "delete", tunnel.id).wait()


def test_without_a_login(lab, tunnel):
    """One line that names it, and the command is started: its connections work."""
    change_conf(tunnel.initiator, tunnel.id, tunnel_expiration_time=PASSED)
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    nobody = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None}
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question", env=nobody)
    assert here.wait() == 0 and here.out == "answer" and there.ok() == "question"
    one_warning(here, tunnel.id, "expired", "not logged in", "started all the same")


@pytest.mark.parametrize("job, told", [("+3600", True), ("-3600", False), ("0", False), ("", False), ("soon", False)])
def test_a_job_that_may_run_longer(bare_lab, job, told):
    """Slurm says when the job ends: a tunnel that ends before is told at the start, and the command is started."""
    end = int(time.time()) + 7200
    tunnel = write_conf(bare_lab.folder / "base", **GOOD, tunnel_expiration_time=end)
    job = str(end + int(job)) if job[:1] in "+-" and job else job
    here = bare_lab.run(bare_lab.folder / "base", tunnel, "echo", "started", env={"SLURM_JOB_END_TIME": job})
    assert here.wait() == 0 and here.out == "started\n"
    if told:
        one_warning(here, tunnel, "ends at", "--lifetime-minutes")
    else:
        assert here.err == ""


def test_nobody_is_asked_while_there_is_time(bare_lab):
    """Not even globus-streams is run: that takes no time, and works without it."""
    base = bare_lab.folder / "base"
    tunnel = write_conf(base, **GOOD, tunnel_expiration_time=int(time.time()) + 60)
    trace = bare_lab.folder / "trace"
    here = bare_lab.start(need("strace"), "-f", "-qq", "-e", "trace=execve", "-o", trace, "sh", "-c", "exec \"$@\"", "sh",
                          RUN, "--base-dir", base, tunnel, "--", "/bin/true")
    assert here.wait() == 0, here
    assert "environment" not in trace.read_text()
