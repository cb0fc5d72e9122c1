"""globus-streams doctor, against the real gateway."""

import json
import re
import shutil

from lab import CLI, PROGRAMS, RUN, change_conf, free_port, wait_listening
from odd_gateways import OddGateway, closes_at_once, refuses

CLIENT = "22222222-2222-4222-8222-222222222222"


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


def test_the_launcher_is_tried(lab, tunnel, tmp_path):
    """With the conf file, and without a tunnel with one of its own."""
    found, _ = doctor(lab)
    assert found["launcher"][0] == "ok" and "launch" not in found
    found, _ = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id)
    assert found["launcher"][0] == found["launch"][0] == "ok"
    assert not list(lab.home.glob("globus-streams-*")), "nothing is left in TMPDIR"
    programs = tmp_path / "bin"
    programs.mkdir()
    copy = shutil.copy(CLI, programs)
    for script, hint in ((None, "not installed"), ("echo globus-streams-run: so it is >&2; exit 3", ": so it is"),
                         ("exit 3", "exit status 3"), ("kill -9 $$", "exit status 137")):
        if script:
            (programs / "globus-streams-run").write_text(f"#!/bin/sh\n{script}\n")
            (programs / "globus-streams-run").chmod(0o755)
        out = lab.start(copy, "doctor")
        assert out.wait(60) == 1 and re.search(f"^failed +launcher: .*{hint}", out.out, re.M), out
    found, failed = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id,
                           env={"GLOBUS_STREAMS_SUPERVISOR": str(tmp_path / "none")})
    assert "launcher" not in failed and "launch" in failed and "no supervisor" in found["launch"][1]


def test_a_tunnel_without_a_secret(lab, tunnel):
    """The access point is called all the same, and what cannot be tried is said."""
    where = ("--base-dir", tunnel.initiator, tunnel.id)
    change_conf(tunnel.initiator, tunnel.id, lankey=None, lankey_id=None, lan_auth=None)
    found, failed = doctor(lab, *where)
    assert failed == [] and found["LAN secret"][0] == "warning" and found["access point"][0] == "ok"
    assert found["far side"][0] == "warning" and "cannot be tested" in found["far side"][1]
    change_conf(tunnel.initiator, tunnel.id, lankey="x", lankey_id=tunnel.id, lan_auth="none")
    found, failed = doctor(lab, *where)
    assert failed == [] and "lan_auth=none" in found["LAN secret"][1] and found["access point"][0] == "ok"
    with OddGateway(closes_at_once) as odd:
        for contact, wrong in ((odd.port, "far side"), (free_port(), "access point")):
            change_conf(tunnel.initiator, tunnel.id, connector_contact_string=f"127.0.0.1:{contact}")
            nowhere = {"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://127.0.0.1"}
            assert wrong in doctor(lab, *where, env=nowhere)[1]


def test_a_listener_that_keeps_the_access_point_waiting(lab, tunnel):
    """One that globus-streams-run did not start: a new secret on the initiator's side would not help."""
    with OddGateway(refuses(5)) as odd:
        change_conf(tunnel.initiator, tunnel.id, connector_contact_string=f"127.0.0.1:{odd.port}")
        found, failed = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id,
                               env={"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://127.0.0.1"})
    assert "far side" in failed and "LAN authentication" not in failed and "timed out" in found["far side"][1]


def test_a_tunnel_whose_time_is_over(lab, tunnel):
    """By the conf file: a warning while the tunnel lives, for the launcher asks Transfer; a failure once it has
    ended."""
    for base in (tunnel.initiator, tunnel.listener):
        change_conf(base, tunnel.id, tunnel_expiration_time="1000")
        found, failed = doctor(lab, "--base-dir", base, tunnel.id)
        assert found["time left"][0] == "warning" and "environment update" in found["time left"][1]
        assert found["launch"][0] == "ok" and not {"time left", "launch"} & set(failed)
    lab.cli("tunnel", "stop", "--wait", tunnel.id)
    for base in (tunnel.initiator, tunnel.listener):
        change_conf(base, tunnel.id, tunnel_expiration_time="1000")
        assert {"launch", "tunnel"} <= set(doctor(lab, "--base-dir", base, tunnel.id)[1])


def test_a_listener_that_transfer_has_elsewhere(lab, tunnel):
    where = ("--base-dir", tunnel.listener, tunnel.id)
    assert doctor(lab, *where)[0]["stored contact"][0] == "ok"
    change_conf(tunnel.listener, tunnel.id, listener_contact_string=f"127.0.0.1:{free_port()}")
    found, failed = doctor(lab, *where)
    assert failed == ["stored contact"] and f"127.0.0.1:{tunnel.port}" in found["stored contact"][1]
    advice = re.search(r"run: globus-streams (.*)", found["stored contact"][1]).group(1)
    lab.cli(*advice.split(), "--base-dir", tunnel.listener)
    assert doctor(lab, *where)[1] == []


def test_a_listener_that_is_not_under_the_launcher(lab, tunnel):
    """It would be sent the handshake's bytes as if they were its own."""
    where = ("--base-dir", tunnel.listener, tunnel.id)
    stranger = lab.start("nc", "-lk", "127.0.0.1", tunnel.port)
    wait_listening(tunnel.port, stranger)
    found, failed = doctor(lab, *where)
    assert failed == ["listener"] and "globus-streams-run" in found["listener"][1]
    stranger.end()
    tunnel.listen("nc", "-lk", "127.0.0.1", tunnel.port)
    found, failed = doctor(lab, *where)
    assert failed == [] and "accepts the LAN secret" in found["listener"][1]
    assert "cannot be tested" in found["LAN secret"][1]
    change_conf(tunnel.listener, tunnel.id, lankey="another")
    assert doctor(lab, *where)[1] == ["listener"]


def test_the_token_for_the_manager(lab, tunnel):
    """What is initialized works without: a warning."""
    where = ("--base-dir", tunnel.initiator, tunnel.id)
    assert doctor(lab, *where)[0]["GCS Manager"][0] == "ok"
    tokens = lab.home / ".globus" / "streams" / "tokens.json"
    document = json.loads(tokens.read_text())
    for entry in document["tokens"]:
        entry.update(kind="login", client_id=CLIENT, refresh_token="r")
    document["tokens"] = [e for e in document["tokens"] if e["resource_server"] == "transfer.api.globus.org"]
    tokens.write_text(json.dumps(document))
    login = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None, "GLOBUS_STREAMS_CLIENT_ID": CLIENT}
    found, failed = doctor(lab, *where, env=login)
    assert found["login"][0] == "ok" and found["GCS Manager"][0] == "warning" and "launch" not in failed
    assert "globus-streams login --scope" in found["GCS Manager"][1]


def test_a_conf_without_a_port(lab, tunnel):
    """Everybody takes the same one then."""
    change_conf(tunnel.initiator, tunnel.id, fake_port=None)
    where = ("--base-dir", tunnel.initiator, tunnel.id)
    name = f"globus.{tunnel.id}:1000"
    assert name in doctor(lab, *where)[0]["contact string"][1]
    assert name in lab.cli("environment", "show", *where)
    tunnel.listen("nc", "-lk", "127.0.0.1", tunnel.port)
    tunnel.call("nc", "-N", f"globus.{tunnel.id}", "1000").ok()


def test_what_is_wrong_is_found(lab, tunnel):
    where = ("--base-dir", tunnel.initiator, tunnel.id)
    change_conf(tunnel.initiator, tunnel.id, lankey="another")
    found, failed = doctor(lab, *where)
    assert failed == ["LAN authentication"] and "--force" in found["LAN authentication"][1]
    change_conf(tunnel.initiator, tunnel.id, lankey=None)
    found, failed = doctor(lab, *where)
    assert "LAN secret" in failed and "lost" in found["LAN secret"][1]
    (tunnel.initiator / f"{tunnel.id}.conf").chmod(0o644)
    found, failed = doctor(lab, *where)
    assert failed == ["conf file"] and "chmod 600" in found["conf file"][1]
    change_conf(tunnel.listener, tunnel.id, listener_contact_string=f"192.0.2.1:{free_port()}")
    found, failed = doctor(lab, "--base-dir", tunnel.listener, tunnel.id)
    assert failed == ["stored contact", "listener"] and "not an address of this machine" in found["listener"][1]
    lab.cli("tunnel", "stop", tunnel.id)
    found, failed = doctor(lab, "--base-dir", tunnel.listener, tunnel.id)
    assert "tunnel" in failed and "create a new one" in found["tunnel"][1]


def test_services_that_are_not_there(lab, tunnel):
    found, failed = doctor(lab, env={"GLOBUS_CLI_CLIENT_SECRET": "wrong", "HOME": str(lab.folder)})
    assert failed == ["login"]
    found, failed = doctor(lab, "--base-dir", tunnel.initiator, tunnel.id,
                           env={"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://127.0.0.1"})
    assert "Transfer" in failed


def test_under_a_launcher(lab, tunnel):
    """Its own connections are those of a program in the tunnel: it says so, and does not test the launcher."""
    program = lab.start(RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", CLI, "doctor")
    assert program.ok().splitlines()[-1] == "0 failed, 1 warning"
    assert re.search(r"^warning +inside a launch: .*run doctor outside", program.out, re.M)
    assert not re.search("launcher:", program.out)


def test_under_another_listener(lab):
    """A second listener is refused: the doctor says so."""
    program = lab.start(PROGRAMS / "box", "has-listener", CLI, "doctor")
    assert program.wait(60) == 1
    assert re.search(r"^failed +kernel: another seccomp listener", program.out, re.M)
    assert re.search(r"^warning +launcher: not tested", program.out, re.M)
