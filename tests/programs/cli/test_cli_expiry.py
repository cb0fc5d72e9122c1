"""The time in a conf file that has passed: Transfer is asked before it is believed.

A tunnel may have been extended, and Globus's own CLI counts minutes as seconds, so that the time in its conf files
has passed after some minutes, while the tunnel lives.
"""

import json
import time
from datetime import datetime, timezone

import pytest

from far_side import ENDPOINT, Answer
from test_cli_more import expire

KEYS = ["lankey", "lankey_id", "connector_contact_string", "update_time", "connector_contact_string_ttl", "endpoint_id",
        "fake_port", "tunnel_expiration_time"]


@pytest.fixture
def tunnel(cli, far):
    """One that lives, with a conf file whose time has passed."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    tunnel = far.active(created_time=now.isoformat(), lifetime_mins=60)
    cli.run("environment", "initialize", tunnel).ok()
    cli.end = cli.conf(tunnel)["tunnel_expiration_time"]
    assert int(cli.end) == int(now.timestamp()) + 3600
    expire(cli, tunnel)
    return tunnel


def stop(far, tunnel):
    far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"


def as_globus_writes(cli, tunnel, **values):
    """A conf file of Globus's own CLI: eight lines, and minutes that were counted as seconds."""
    known = {"update_time": int(time.time()) - 400, "connector_contact_string": "None:None", "fake_port": 2353,
             "connector_contact_string_ttl": 10, "endpoint_id": ENDPOINT, "tunnel_expiration_time": int(time.time()) - 40}
    path = cli.base / f"{tunnel}.conf"
    cli.base.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text("".join(f"{key}={ {**known, **values}.get(key, '') }\n" for key in KEYS))
    path.chmod(0o600)


@pytest.mark.parametrize("words", [(), ("--all",)])
def test_cleanup_keeps_a_living_tunnel(cli, far, tunnel, words):
    line = cli.run("environment", "cleanup", *(words or (tunnel,))).failed(2)
    assert tunnel in line and "has not ended" in line and "--force" in line
    assert cli.conf(tunnel)["tunnel_expiration_time"] == cli.end and len(far.secrets) == 1
    far.requests.clear()
    assert "has not expired" in cli.run("environment", "cleanup", tunnel).failed(2)
    assert far.requests == []


@pytest.mark.parametrize("gone", [False, True])
def test_cleanup_of_one_that_has_ended(cli, far, tunnel, gone):
    far.tunnels.pop(tunnel) if gone else stop(far, tunnel)
    assert tunnel in cli.run("environment", "cleanup", tunnel).ok()
    assert cli.files() == {} and far.secrets == {}


@pytest.mark.parametrize("answer", [Answer(403, {"errors": [{"code": "x", "title": "No", "detail": "not yours"}]}),
                                    Answer(404, raw=b"<html>not Transfer</html>")])
def test_cleanup_where_it_cannot_be_learnt(cli, far, tunnel, answer):
    far.rule("GET", "/v2/tunnels/.*", answer)
    line = cli.run("environment", "cleanup", tunnel).failed(1)
    assert tunnel in line and "was kept" in line and "--force" in line
    assert cli.conf(tunnel)["lankey"] and len(far.secrets) == 1
    cli.run("environment", "cleanup", "--force", tunnel).ok()


def test_cleanup_without_a_login(cli, far, tunnel):
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        cli.environment.pop(name)
    line = cli.run("environment", "cleanup", tunnel, env={"GLOBUS_STREAMS_CLIENT_ID": ENDPOINT}).failed(4)
    assert "was kept" in line and "globus-streams login" in line and cli.conf(tunnel)["lankey"]


def test_cleanup_of_all_asks_an_unreachable_service_once(cli, far, tunnel):
    second = far.active()
    cli.run("environment", "initialize", second).ok()
    expire(cli, second)
    kept = cli.files()
    result = cli.run("environment", "cleanup", "--all", env={"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://127.0.0.1"})
    assert result.status == 1 and tunnel in result.err and second in result.err and cli.files() == kept
    assert result.err.count("could not be asked") == 1, result.err


def test_what_a_launch_asks(cli, far, tunnel):
    assert cli.run("environment", "update", "--expiry", tunnel).ok() == "alive\n"
    assert cli.conf(tunnel)["tunnel_expiration_time"] == cli.end
    assert json.loads(cli.run("-Fjson", "environment", "update", "--expiry", tunnel).ok()) == {
        "tunnel_id": tunnel, "ended": False}
    stop(far, tunnel)
    before = cli.files()
    assert cli.run("environment", "update", "--expiry", tunnel).ok() == "ended\n"
    del far.tunnels[tunnel]
    assert json.loads(cli.run("-Fjson", "environment", "update", "--expiry", tunnel).ok())["ended"] is True
    assert cli.files() == before
    for more in (("--cs-ttl", "5"), ("--listener-contact-string", "10.0.0.1:80")):
        assert "--expiry" in cli.run("environment", "update", "--expiry", *more, tunnel).failed(2)


def test_what_a_launch_asks_is_answered_soon(cli, far, tunnel):
    far.rule("GET", "/v2/tunnels/.*", Answer(503, {"errors": []}))
    start = time.monotonic()
    assert "HTTP 503" in cli.run("environment", "update", "--expiry", tunnel).failed(1)
    assert time.monotonic() - start < 8


def test_a_lookup_stores_the_end(cli, far, tunnel):
    cli.run("environment", "contact-lookup", "--refresh", tunnel).ok()
    assert cli.conf(tunnel)["tunnel_expiration_time"] == cli.end


def test_a_conf_of_globus_own(cli, far):
    """Contact None:None: not known, for every command; what is rewritten has the eight lines, in their order."""
    tunnel = far.active()
    as_globus_writes(cli, tunnel)
    assert "Access Point Contact: None\n" in cli.run("environment", "show", tunnel).ok()
    document = json.loads(cli.run("environment", "show", tunnel, "-Fjson").ok())
    assert document["connector_contact_string"] is None and document["endpoint_id"] == ENDPOINT
    assert "None:None" not in cli.run("environment", "list").ok()
    assert "no contact is stored" in cli.run("environment", "contact-lookup", "--skip-update", tunnel).failed(1)
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4711\n"
    text = (cli.base / f"{tunnel}.conf").read_text()
    assert [line.split("=")[0] for line in text.splitlines()] == KEYS
    assert text.startswith("lankey=\nlankey_id=\nconnector_contact_string=127.0.0.1:4711\n") and "fake_port=2353\n" in text
    as_globus_writes(cli, tunnel)
    found = {line["check"]: line for line in json.loads(cli.run("doctor", "-Fjson", tunnel).out)["data"]}
    assert found["conf file"]["verdict"] == "ok" and "127.0.0.1:4711" in str(found["access point"]), found


def test_all_eight_lines_are_written(cli, far):
    for options in ((), ("--listener-contact-string", "10.0.2.164:8888"), ("--listener",)):
        tunnel = far.tunnel()
        assert cli.run("environment", "initialize", *options, tunnel).status == 0
        lines = (cli.base / f"{tunnel}.conf").read_text().splitlines()
        ours = ["listener_contact_string", "lan_auth"] if options else ["globus_contact", "lan_auth"]
        assert [line.split("=")[0] for line in lines] == KEYS + ours
        assert "connector_contact_string=" in lines
    far.rule("GET", "/manager/api/info", far.envelope(200, "success", "info", [
        {k: v for k, v in far.info.items() if k != "globus_streams_lan_auth"}]))
    tunnel = far.tunnel()
    assert cli.run("environment", "initialize", "--insecure", tunnel).status == 0
    assert (cli.base / f"{tunnel}.conf").read_text().startswith("lankey=\nlankey_id=\nconnector_contact_string=\n")
