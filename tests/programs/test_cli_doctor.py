"""globus-streams doctor, against the real gateway."""

import json
import re

from lab import CLI, RUN, change_conf, free_port


def doctor(lab, *words, env=None):
    """The verdict and the message of each check."""
    program = lab.start(CLI, "doctor", "-Fjson", *words, env=env)
    status, found = program.wait(60), {}
    for line in json.loads(program.out)["data"]:
        assert line["verdict"] in ("ok", "warning", "failed") and line["check"] not in found
        found[line["check"]] = (line["verdict"], line["message"])
    failed = [name for name, (verdict, _) in found.items() if verdict == "failed"]
    assert status == (1 if failed else 0) and program.err == ""
    return found, failed


def test_machine_and_services(lab):
    found, failed = doctor(lab)
    assert failed == [] and found["shim"][0] == "ok" and found["login"][0] == "ok"
    out = lab.start(CLI, "doctor").ok()
    assert all(re.match(r"(ok|warning|failed) +\S.*: ", line) for line in out.splitlines()[:-1])
    assert out.splitlines()[-1].startswith("0 failed")


def test_both_sides_of_a_tunnel(lab, tunnel):
    found, failed = doctor(lab, "--base-dir", tunnel.listener, tunnel.id)
    assert failed == [] and found["listener"][0] == "warning" and "port is free" in found["listener"][1]
    found, failed = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id)
    assert failed == ["far side"] and found["LAN authentication"][0] == "ok"
    tunnel.listen("nc", "-lk", "127.0.0.1", tunnel.port)
    found, failed = doctor(lab, "--base-dir", tunnel.listener, tunnel.id)
    assert failed == [] and found["listener"][0] == "ok"
    found, failed = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id)
    assert failed == [] and found["far side"][0] == "ok" and found["time left"][0] == "ok"


def test_what_is_wrong_is_found(lab, tunnel):
    where = ("--base-dir", tunnel.initiator, tunnel.id)
    change_conf(tunnel.initiator, tunnel.id, lankey="another")
    found, failed = doctor(lab, *where)
    assert failed == ["LAN authentication"] and "--force" in found["LAN authentication"][1]
    change_conf(tunnel.initiator, tunnel.id, lankey=None)
    found, failed = doctor(lab, *where)
    assert found["LAN secret"][0] == "warning"
    (tunnel.initiator / f"{tunnel.id}.conf").chmod(0o644)
    found, failed = doctor(lab, *where)
    assert failed == ["conf file"] and "chmod 600" in found["conf file"][1]
    change_conf(tunnel.listener, tunnel.id, listener_contact_string=f"192.0.2.1:{free_port()}")
    found, failed = doctor(lab, "--base-dir", tunnel.listener, tunnel.id)
    assert failed == ["listener"] and "not this machine's" in found["listener"][1]
    lab.cli("tunnel", "stop", tunnel.id)
    found, failed = doctor(lab, "--base-dir", tunnel.listener, tunnel.id)
    assert "tunnel" in failed and "create a new one" in found["tunnel"][1]


def test_services_that_are_not_there(lab, tunnel):
    found, failed = doctor(lab, env={"GLOBUS_CLI_CLIENT_SECRET": "wrong", "HOME": str(lab.folder)})
    assert failed == ["login"]
    found, failed = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id,
                           env={"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://127.0.0.1"})
    assert "Transfer" in failed


def test_under_another_launcher(lab, tunnel):
    """A second listener is refused: the doctor says so."""
    program = lab.start(RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", CLI, "doctor")
    assert program.wait(60) == 1
    assert re.search(r"^failed +kernel: another seccomp listener", program.out, re.M)
