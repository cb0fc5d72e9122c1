"""globus-streams: the commands around the main job."""

import json
import re
import threading
import time

import pytest

import far_side
import lab
from cli_program import Cli
from far_side import ENDPOINT, INITIATOR_AP, LISTENER_AP, Answer


def later(seconds, action):
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()


def activate(far, tunnel):
    far.tunnels[tunnel]["data"]["attributes"].update(state="ACTIVE", initiator_ip_address="127.0.0.1",
                                                     initiator_port=4711)


def expire(cli, tunnel):
    path = cli.base / f"{tunnel}.conf"
    path.write_text(re.sub(r"tunnel_expiration_time=\d+", "tunnel_expiration_time=1000", path.read_text()))


def renew(cli, tunnel):
    path = cli.base / f"{tunnel}.conf"
    path.write_text(re.sub(r"tunnel_expiration_time=\d+", f"tunnel_expiration_time={int(time.time()) + 900}",
                           path.read_text()))


def test_tunnel_list(cli, far):
    assert len(cli.run("tunnel", "list").ok().splitlines()) == 2
    tunnels = [far.active(label=f"number {i}") for i in range(5)]
    lines = cli.run("tunnel", "list").ok().splitlines()
    assert [cell.strip() for cell in lines[0].split("|")] == ["ID", "Label", "State", "Created Time"]
    assert [line.split(" | ")[0] for line in lines[2:]] == tunnels
    document = json.loads(cli.run("tunnel", "list", "-Fjson").ok())
    assert [t["id"] for t in document["data"]] == tunnels


def test_options_before_the_words(cli, far, tmp_path):
    tunnel = far.active()
    base = tmp_path / "other"
    cli.run("--base-dir", base, "environment", "initialize", tunnel).ok()
    for words in (("--base-dir", base, "environment", "list", "-F", "json"),
                  ("-F", "json", "--base-dir", base, "environment", "list"),
                  ("environment", "--format", "json", "--base-dir", base, "list"),
                  (f"--base-dir={base}", "-Fjson", "environment", "list")):
        assert json.loads(cli.run(*words).ok())["data"][0]["tunnel_id"] == tunnel
    for words in (("-vF", "json", "tunnel", "list"), ("-vFjson", "tunnel", "list"), ("-v", "tunnel", "-F", "json", "list")):
        result = cli.run(*words)
        assert result.status == 0 and json.loads(result.out)["data"][0]["id"] == tunnel and "Transfer" not in result.out


def test_help_as_a_word(cli):
    assert cli.run("help").ok() == cli.run("--help").ok()
    for words in (("help", "tunnel", "create"), ("tunnel", "help", "create")):
        assert cli.run(*words).ok() == cli.run("tunnel", "create", "--help").ok()


def test_a_home_with_an_odd_name(tmp_path, far):
    (tmp_path / "odd\nname").mkdir()
    cli, tunnel = Cli(tmp_path / "odd\nname", far.url), far.active()
    out = cli.run("environment", "initialize", tunnel).ok()
    assert len(out.splitlines()) == 4 and "odd name/.globus/streams/\n" in out
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4711\n"
    path = cli.base / f"{tunnel}.conf"
    path.chmod(0o644)
    cli.run("environment", "contact-lookup", tunnel).failed(1)


@pytest.mark.parametrize("mask", [0o777, 0o000])
def test_odd_umasks(cli, far, mask):
    tunnel = far.active()
    for words in (("environment", "initialize"), ("environment", "contact-lookup", "--refresh"), ("tunnel", "show")):
        cli.run(*words, tunnel, umask=mask).ok()
    modes = {p.relative_to(cli.home): p.stat().st_mode & 0o777 for p in cli.home.rglob("*")}
    assert all(mode == (0o700 if (cli.home / path).is_dir() else 0o600) for path, mode in modes.items()), modes


@pytest.mark.parametrize("absolute", [True, False])
def test_lists_have_pages(cli, far, absolute):
    tunnels = [far.active() for _ in range(5)]

    def pages(request, usual):
        at = int(request.query.split("=")[1]) if request.query else 0
        following = f"/v2/tunnels?from={at + 2}" if at + 2 < 5 else None
        if following and absolute:
            following = far.url + following
        return Answer(200, {"data": [far.tunnels[t]["data"] for t in tunnels[at:at + 2]], "links": {"next": following}})

    far.rule("GET", "/v2/tunnels", pages)
    lines = cli.run("tunnel", "list").ok().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == tunnels and far.count("GET", "/v2/tunnels") == 3


def test_a_page_elsewhere_gets_no_token(cli, far):
    other = far_side.FarSide()
    far.rule("GET", "/v2/tunnels", Answer(200, {"data": [], "links": {"next": other.url + "/v2/tunnels"}}))
    assert "next page is on another server" in cli.run("tunnel", "list").failed(1)
    assert other.requests == []
    other.close()


def test_tunnel_update_stop_delete(cli, far):
    tunnel = far.active()
    assert re.search(r"^Label: +new name$", cli.run("tunnel", "update", "--label", "new name", tunnel).ok(), re.M)
    assert far.asked("PATCH", ".*")[0].json() == {"data": {"type": "Tunnel", "attributes": {"label": "new name"}}}
    cli.run("tunnel", "update", tunnel).failed(2)
    assert f"tunnel stop --wait {tunnel}" in cli.run("tunnel", "delete", tunnel).failed(1)
    assert re.search(r"^State: +STOPPED$", cli.run("tunnel", "stop", tunnel).ok(), re.M)
    assert far.asked("PATCH", ".*")[1].json()["data"]["attributes"] == {"state": "STOPPING"}
    assert cli.run("tunnel", "delete", tunnel).ok() == "Tunnel deleted successfully\n"
    assert far.tunnels == {}
    cli.run("tunnel", "delete", tunnel).failed(1)


def test_a_delete_whose_answer_was_lost(cli, far):
    tunnel = far.tunnel("STOPPED")

    def lost(request, usual):
        usual()
        return Answer(200, reset=True)

    far.rule("DELETE", ".*", lost, times=1)
    cli.run("tunnel", "delete", tunnel).ok()
    assert far.tunnels == {}


def test_stop_waits(cli, far):
    tunnel = far.active()

    def slowly(request, usual):
        attributes = far.tunnels[tunnel]["data"]["attributes"]
        attributes["state"] = "STOPPING"
        later(1.5, lambda: attributes.update(state="STOPPED"))
        return Answer(200, far.tunnels[tunnel])

    far.rule("PATCH", ".*", slowly)
    assert re.search(r"^State: +STOPPED$", cli.run("tunnel", "stop", "--wait", tunnel).ok(), re.M)


def test_create_waits(cli, far):
    run = cli.start("tunnel", "create", "--wait=30", INITIATOR_AP, LISTENER_AP)
    deadline = time.monotonic() + 20
    while not far.asked("GET", "/v2/tunnels/.*"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    activate(far, next(iter(far.tunnels)))
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0 and re.search(r"^State: +ACTIVE$", out, re.M)
    assert re.fullmatch(r"globus-streams: tunnel [0-9a-f-]{36} is created; waiting for it to become active\n", err)
    result = cli.run("tunnel", "create", "--wait=1", INITIATOR_AP, LISTENER_AP)
    assert result.status == 1 and "AWAITING_LISTENER" in result.err.splitlines()[1], result


def test_create_tells_the_id_before_it_waits(cli, far):
    """Who is to initialize the listener needs it, and who ends the wait."""
    run = cli.start("tunnel", "create", "--wait", INITIATOR_AP, LISTENER_AP)
    line = run.stderr.readline()
    tunnel = next(iter(far.tunnels))
    assert tunnel in line and run.poll() is None
    cli.run("environment", "initialize", "--listener-contact-string", "10.0.0.1:80", tunnel).warned()
    activate(far, tunnel)
    assert run.communicate(timeout=30)[0].startswith("ID: ") and run.returncode == 0


def test_initialize_waits(cli, far):
    tunnel = far.tunnel()
    run = cli.start("environment", "initialize", "--wait", tunnel)
    deadline = time.monotonic() + 20
    while not (cli.base / f"{tunnel}.conf").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    activate(far, tunnel)
    out, err = run.communicate(timeout=30)
    assert run.returncode == 0 and err == ""
    assert cli.conf(tunnel)["connector_contact_string"] == "127.0.0.1:4711"
    ending = far.tunnel()
    later(0.5, lambda: far.tunnels[ending]["data"]["attributes"].update(state="STOPPED"))
    assert "has ended" in cli.run("environment", "initialize", "--wait", ending).failed(1)


EVENTS = [{"type": "TunnelEvent", "id": 2768, "attributes": {
    "code": "STARTED", "is_error": False, "description": "started", "details": "by u\nser", "time": "2026-01-31T10:00"}}]


def event(number, code, **attributes):
    return {"type": "TunnelEvent", "id": number,
            "attributes": {"code": code, "is_error": False, "description": "d", "details": None,
                           "time": "2026-01-31T10:00:00+00:00", **attributes}}


def test_events(cli, far):
    tunnel = far.active()
    far.events[tunnel] = EVENTS
    lines = cli.run("tunnel", "events", tunnel).ok().splitlines()
    assert [cell.strip() for cell in lines[0].split("|")] == ["Code", "Error", "Details", "Time"]
    assert [cell.strip() for cell in lines[2].split("|")] == ["STARTED", "False", "by u ser", "2026-01-31T10:00"]
    assert json.loads(cli.run("tunnel", "events", tunnel, "--format=json").ok()) == {"data": EVENTS}


def test_events_are_followed_to_the_end(cli, far):
    tunnel = far.active()
    far.events[tunnel] = [event(5, "STARTED")]
    run = cli.start("tunnel", "events", "--follow", tunnel)
    assert "STARTED" in run.stdout.readline()
    with far.lock:
        far.events[tunnel] = [event(7, "TUNNEL_STOPPED", is_error=True), event(6, "TUNNEL_ACTIVE"), event(5, "STARTED")]
        far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"
    out, err = run.communicate(timeout=30)
    lines = out.splitlines()
    assert run.returncode == 0 and len(lines) == 2
    assert "TUNNEL_ACTIVE" in lines[0] and "TUNNEL_STOPPED (error)" in lines[1]


def test_access_points(cli, far):
    lines = cli.run("access-point", "list").ok().splitlines()
    assert len(lines) == 4 and INITIATOR_AP in lines[2]
    lines = cli.run("access-point", "list", "lISTENER").ok().splitlines()
    assert len(lines) == 3 and LISTENER_AP in lines[2]
    out = cli.run("access-point", "show", LISTENER_AP).ok()
    assert re.search(r"^Display Name: +Listener Site$", out, re.M) and re.search(rf"^Endpoint: +{ENDPOINT}$", out, re.M)
    assert json.loads(cli.run("access-point", "show", LISTENER_AP, "-F", "json").ok())["data"]["id"] == LISTENER_AP
    assert "access-point list" in cli.run("access-point", "show", ENDPOINT).failed(1)


def test_update_of_the_listener(cli, far):
    tunnel = far.tunnel()
    cli.run("environment", "initialize", "--listener-contact-string", "10.0.2.164:8888", tunnel).warned()
    old = cli.conf(tunnel)
    out = cli.run("environment", "update", "--listener-contact-string", "10.0.2.165:8889", tunnel).warned()
    assert out.splitlines() == [
        f"Updating the environment for tunnel: {tunnel}",
        f"Updating the application listener on the Tunnel: {tunnel} to: 10.0.2.165:8889"]
    assert cli.conf(tunnel) == {**old, "listener_contact_string": "10.0.2.165:8889"}
    assert far.asked("PATCH", ".*")[1].json()["data"]["attributes"] == {"listener_ip_address": "10.0.2.165",
                                                                      "listener_port": 8889}
    before = cli.files()
    far.rule("PATCH", ".*", Answer(422, {"detail": [{"loc": ["x"], "msg": "no", "type": "t"}]}))
    cli.run("environment", "update", "--listener-contact-string", "10.0.2.166:8889", tunnel).failed(1)
    assert cli.files() == before


def test_update_of_the_initiator(cli, far):
    tunnel = far.tunnel()
    cli.run("environment", "initialize", tunnel).ok()
    old = cli.conf(tunnel)
    assert cli.run("environment", "update", "--cs-ttl", "60", tunnel).ok() == (
        f"Updating the environment for tunnel: {tunnel}\n")
    assert cli.conf(tunnel)["connector_contact_string_ttl"] == "60"
    activate(far, tunnel)
    cli.run("environment", "update", tunnel).ok()
    new = cli.conf(tunnel)
    assert new["connector_contact_string"] == "127.0.0.1:4711" and new["lankey"] == old["lankey"]
    other = far.tunnel()
    assert "initialize" in cli.run("environment", "update", other).failed(1)


def test_cleanup(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    renew(cli, tunnel)
    cli.run("environment", "cleanup").failed(1)
    cli.run("environment", "cleanup", "--all", tunnel).failed(2)
    assert "--force" in cli.run("environment", "cleanup", tunnel).failed(2)
    assert "no environment" in cli.run("environment", "cleanup", far.tunnel()).failed(2)
    assert cli.run("environment", "cleanup", "--all").status == 2 and len(far.secrets) == 1
    expire(cli, tunnel)
    far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"
    cli.run("environment", "cleanup", tunnel).ok()
    assert cli.files() == {} and far.secrets == {}
    assert [p.name for p in cli.base.iterdir() if p.name != "tokens.json" and p.name != "tokens.json.lock"] == []


def test_cleanup_leaves_what_it_cannot_read(cli, far):
    """Nobody knows whether its time is over: it stays, with its secret, unless --force says otherwise."""
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    conf = cli.base / f"{tunnel}.conf"
    conf.chmod(0o644)
    for words in ((tunnel,), ("--all",)):
        result = cli.run("environment", "cleanup", *words)
        assert result.status == 2 and "chmod" in result.err
        assert conf.exists() and len(far.secrets) == 1


def test_cleanup_of_all(cli, far):
    tunnels = [far.active() for _ in range(3)]
    for tunnel in tunnels:
        cli.run("environment", "initialize", tunnel).ok()
        renew(cli, tunnel)
    expire(cli, tunnels[1])
    del far.tunnels[tunnels[1]]
    far.secrets.pop(cli.conf(tunnels[1])["lankey_id"])  # already gone
    result = cli.run("environment", "cleanup", "--all")
    assert result.status == 0 and tunnels[1] in result.out and tunnels[0] not in result.out
    assert len(far.secrets) == 2
    assert set(json.loads(cli.run("environment", "cleanup", "--all", "--force", "-F", "json").ok())["data"]) == {
        tunnels[0], tunnels[2]}
    assert far.secrets == {} and cli.files() == {}


def test_cleanup_where_the_secret_cannot_be_revoked(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    far.rule("DELETE", "/manager/.*", far.envelope(403, "denied", "not the owner"))
    result = cli.run("environment", "cleanup", "--force", tunnel)
    assert result.status == 0 and "not the owner" in result.err and cli.files() == {}


def test_update_does_not_turn_an_initiator_into_a_listener(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", "--globus-contact", "a.example:1", tunnel).ok()
    before = cli.files()
    line = cli.run("environment", "update", "--listener-contact-string", "10.0.0.1:80", tunnel).failed(2)
    assert "initiator side" in line and cli.files() == before and far.count("PATCH", ".*") == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_conf_tells_its_side(cli, far, known):
    """Also where neither contact is known yet, and no hosts are mapped."""
    tunnel, other = [far.active() if known else far.tunnel() for _ in range(2)]
    cli.run("environment", "initialize", tunnel).ok()
    assert cli.run("environment", "initialize", "--listener", other).status == 0
    for _ in range(2):
        before = cli.files()
        update = ("environment", "update", "--listener-contact-string", "10.0.0.1:80")
        assert "initiator side" in cli.run(*update, tunnel).failed(2) and cli.files() == before
        assert far.count("PATCH", f"/v2/tunnels/{tunnel}") == 0
        sides = {e["tunnel_id"]: e["side"] for e in json.loads(cli.run("environment", "list", "-Fjson").ok())["data"]}
        assert sides == {tunnel: "initiator", other: "listener"}
        for each in (tunnel, other):
            activate(far, each)
            cli.run("environment", "update", each).ok()
    cli.run(*update, other).warned()
    assert cli.conf(other)["listener_contact_string"] == "10.0.0.1:80"


def test_update_of_a_conf_of_another_program(cli, far):
    """It does not tell its side, so the user's word counts."""
    tunnel = far.tunnel()
    lab.write_conf(cli.base, tunnel, fake_port=1000)
    cli.run("environment", "update", "--listener-contact-string", "10.0.0.1:80", tunnel).warned()


@pytest.mark.parametrize("contact", ["127.0.0.1:1", "[::1]:1", "127.1.2.3:1", "localhost:1", "[::ffff:127.0.0.1]:1"])
def test_a_listener_on_loopback(cli, far, contact):
    tunnel = far.tunnel()
    for words in (["initialize"], ["update"]):
        result = cli.run("environment", *words, "--listener-contact-string", contact, tunnel)
        assert result.status == 0 and result.err.count("warning") == 1 == result.err.count("\n")
        assert "on this same machine" in result.err


def test_mapped_hosts_are_stored_once_and_dropped_aloud(cli, far):
    tunnel = far.active()
    options = [f"--globus-contact={c}" for c in ("a.example:1", "A.example:1", "a.example:2", "a.example:1")]
    cli.run("environment", "initialize", *options, tunnel).ok()
    assert cli.conf(tunnel)["globus_contact"] == "a.example:1,a.example:2"
    cli.run("environment", "initialize", "--force", *options, tunnel).ok()
    result = cli.run("environment", "initialize", "--force", tunnel)
    assert result.status == 0 and "no longer mapped: a.example:1,a.example:2" in result.err
    assert "globus_contact" not in cli.conf(tunnel)


@pytest.mark.parametrize("port", ["abc", "70000"])
def test_a_conf_that_no_launch_takes(cli, far, port):
    """It is not shown as if it were right, nor is the tunnel changed by it."""
    tunnel = far.active()
    lab.write_conf(cli.base, tunnel, fake_port=port)
    before = cli.files()
    for words in (["show"], ["update"], ["update", "--listener-contact-string", "10.0.0.1:80"]):
        result = cli.run("environment", *words, tunnel)
        assert result.status == 1 and "fake_port is not a port" in result.err and "--force" in result.err
        assert ":1000" not in result.out
    assert cli.files() == before and far.count("PATCH", ".*") == 0
    assert "fake_port" in cli.run("environment", "list").err


def test_advice_tells_the_folder(cli, far, tmp_path):
    """A command that is printed works as it is."""
    tunnel, base = far.tunnel(), tmp_path / "odd 'folder'"
    option = "--base-dir '" + str(base).replace("'", "'\\''") + "' "
    where = ["--base-dir", str(base)]
    assert f"initialize {option}{tunnel}" in cli.run("environment", "update", *where, tunnel).failed(1)
    result = cli.run("environment", "initialize", *where, "--listener", tunnel)
    assert f"HOST:PORT {option}{tunnel}" in result.err
    assert f"HOST:PORT {option}{tunnel}" in cli.run("doctor", *where, tunnel).out
    result = cli.run("environment", "contact-lookup", "--skip-update", *where, tunnel)
    assert f"contact-lookup {option}{tunnel}" in result.failed(1)
    line = cli.run("environment", "show", "--base-dir", cli.base, tunnel).failed(1)
    assert "initialize " + tunnel in line, "the usual folder need not be told"


def test_cleanup_of_all_where_nothing_is(cli, tmp_path):
    line = cli.run("environment", "cleanup", "--all", "--base-dir", tmp_path / "none").failed(2)
    assert f"no environment exists in {tmp_path}/none" in line


def test_environment_show_and_list(cli, far):
    assert len(cli.run("environment", "list").ok().splitlines()) == 2
    tunnel, other = far.active(), far.active()
    cli.run("environment", "initialize", "--globus-contact", "a.example:1", tunnel).ok()
    cli.run("environment", "initialize", "--listener", other).ok()
    secrets = [s["secret"] for s in far.secrets.values()]
    outputs = [cli.run("environment", "show", tunnel).ok(), cli.run("environment", "list").ok(),
               cli.run("environment", "show", tunnel, "-Fjson").ok(), cli.run("environment", "list", "-Fjson").ok(),
               cli.run("environment", "update", tunnel, "-Fjson").ok(), cli.run("environment", "contact-lookup", tunnel,
                                                                              "-Fjson").ok()]
    assert not any(secret in out for secret in secrets for out in outputs)
    assert re.search(rf"^Contact String: +globus\.{tunnel}:\d+$", outputs[0], re.M)
    assert re.search(r"^Mapped Hosts: +a\.example:1$", outputs[0], re.M)
    shown = json.loads(outputs[2])
    assert shown["side"] == "initiator" and shown["connector_contact_string"] == "127.0.0.1:4711"
    assert {e["tunnel_id"]: e["side"] for e in json.loads(outputs[3])["data"]} == {tunnel: "initiator",
                                                                                other: "listener"}
    assert json.loads(outputs[5]) == {"tunnel_id": tunnel, "contact_string": "127.0.0.1:4711"}
    (cli.base / f"{other}.conf").chmod(0o644)
    result = cli.run("environment", "list")
    assert result.status == 0 and "chmod 600" in result.err and tunnel in result.out
