"""globus-streams: what it prints, writes and asks for when all is well."""

import json
import os
import re
import stat
import subprocess
import time
import uuid

import pytest

import cli_program
import far_side
import lab
import sanitizers
from cli_program import Hurry
from far_side import ENDPOINT, INITIATOR_AP, LISTENER_AP, Answer


def test_create_prints_a_record(cli, far):
    out = cli.run("tunnel", "create", "--label", "my tunnel", "--lifetime-minutes", "5", INITIATOR_AP,
                  LISTENER_AP).ok()
    labels = [line.split(":")[0] for line in out.splitlines()]
    assert labels == ["ID", "Label", "State", "Status", "Listener Access Point", "Listener IP", "Listener Port",
                      "Initiator Access Point", "Initiator IP", "Initiator Port"]
    first = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", out).group()
    assert first in far.tunnels
    assert re.search(r"^\s*State:\s*(\S+)", out, re.M).group(1) == "AWAITING_LISTENER"
    body = far.asked("POST", "/v2/tunnels")[0].json()
    attributes = body["data"]["attributes"]
    uuid.UUID(attributes.pop("submission_id"))
    assert attributes == {"label": "my tunnel", "lifetime_mins": 5}
    assert body["data"]["type"] == "Tunnel"
    assert body["data"]["relationships"] == {
        "initiator": {"data": {"type": "StreamAccessPoint", "id": INITIATOR_AP}},
        "listener": {"data": {"type": "StreamAccessPoint", "id": LISTENER_AP}}}


def test_create_sends_the_same_submission_on_a_retry(cli, far, tmp_path):
    lab.need("strace")
    far.rule("POST", "/v2/tunnels", far_side.Answer(503, {}), times=2)
    hurry = Hurry(tmp_path / "trace")
    cli.run("tunnel", "create", INITIATOR_AP, LISTENER_AP, "--restartable", wrapper=hurry.wrapper).ok()
    assert 0.25 + 0.5 <= hurry.slept() <= 0.75 + 1.5
    asked = [r.json()["data"]["attributes"] for r in far.asked("POST", "/v2/tunnels")]
    assert len(asked) == 3 and len({a["submission_id"] for a in asked}) == 1
    assert all(a["restartable"] is True for a in asked)


def test_show(cli, far):
    tunnel = far.active(label="a\nState: FAKE\x1b[31m")
    out = cli.run("tunnel", "show", tunnel).ok()
    assert re.findall(r"^\s*State:\s*(\S+)", out, re.M) == ["ACTIVE"]
    assert "\x1b" not in out and len(out.splitlines()) == 10
    assert re.search(r"^Initiator IP: +127\.0\.0\.1$", out, re.M)
    assert re.search(r"^Initiator Port: +4711$", out, re.M)
    assert re.search(r"^Listener IP: +10\.0\.2\.164$", out, re.M)


def test_show_as_json_is_the_services_answer(cli, far):
    tunnel = far.active()
    assert json.loads(cli.run("tunnel", "show", "--format=json", tunnel).ok()) == far.tunnels[tunnel]
    assert json.loads(cli.run("-F", "json", "tunnel", "show", tunnel).ok()) == far.tunnels[tunnel]


def test_show_tolerates_what_it_does_not_know(cli, far):
    tunnel = far.tunnel("HIBERNATING", novelty={"a": [1]}, status=None)
    out = cli.run("tunnel", "show", tunnel.upper()).ok()
    assert re.search(r"^State: +HIBERNATING$", out, re.M) and re.search(r"^Status: +None$", out, re.M)


def test_initialize_listener(cli, far):
    tunnel = far.tunnel()
    before = int(time.time())
    out = cli.run("environment", "initialize", "--listener-contact-string", "10.0.2.164:8888", tunnel).warned()
    assert out.splitlines() == [
        f"Initializing the environment for tunnel: {tunnel}",
        f"The environment is initialized for use with tunnel {tunnel}",
        f"Your application key file base directory is {cli.base}/"]
    patch = far.asked("PATCH", f"/v2/tunnels/{tunnel}")[0].json()
    assert patch == {"data": {"type": "Tunnel",
                              "attributes": {"listener_ip_address": "10.0.2.164", "listener_port": 8888}}}
    post = far.asked("POST", "/manager/api/lan_secrets")[0].json()
    assert post == {"DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": tunnel,
                    "stream_access_point_id": LISTENER_AP}
    conf = cli.conf(tunnel)
    secret = next(iter(far.secrets.values()))
    assert conf["lankey"] == secret["secret"] and conf["lankey_id"] == secret["id"]
    assert conf["endpoint_id"] == ENDPOINT and conf["listener_contact_string"] == "10.0.2.164:8888"
    assert 1000 <= int(conf["fake_port"]) <= 5000
    assert before <= int(conf["update_time"]) <= time.time()
    assert int(conf["tunnel_expiration_time"]) == 1769853600 + 360 * 60  # 2026-01-31T10:00:00Z
    path = cli.base / f"{tunnel}.conf"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(cli.base.stat().st_mode) == 0o700
    assert stat.S_IMODE((cli.base / "tokens.json").stat().st_mode) == 0o600


def test_initialize_initiator(cli, far):
    tunnel = far.active()
    out = cli.run("environment", "initialize", "--globus-contact", "Myhost.com:443", "--globus-contact",
                  "[2001:db8::1]:8443", "--cs-ttl", "30", tunnel).ok()
    conf = cli.conf(tunnel)
    assert out.splitlines()[-1] == f"Your contact string is: globus.{tunnel}:{conf['fake_port']}"
    assert len(out.splitlines()) == 4
    text = (cli.base / f"{tunnel}.conf").read_text()
    assert re.search(r"^connector_contact_string\s*=\s*([^:\s]+):(\d+)\s*$", text, re.M).groups() == (
        "127.0.0.1", "4711")
    assert conf["globus_contact"] == "myhost.com:443,[2001:db8::1]:8443"
    assert conf["connector_contact_string_ttl"] == "30"
    assert [line.split("=")[0] for line in text.splitlines()][:8] == [
        "lankey", "lankey_id", "connector_contact_string", "update_time", "connector_contact_string_ttl",
        "endpoint_id", "fake_port", "tunnel_expiration_time"]
    assert far.count("PATCH", ".*") == 0


def test_initialize_without_a_contact_yet(cli, far):
    tunnel = far.tunnel()
    out = cli.run("environment", "initialize", tunnel).ok()
    assert out.splitlines()[-1].startswith(f"Your contact string is: globus.{tunnel}:")
    assert not cli.conf(tunnel).get("connector_contact_string")


def test_initialize_listener_with_the_contact_that_is_stored(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", "--listener", tunnel).ok()
    assert cli.conf(tunnel)["listener_contact_string"] == "10.0.2.164:8888"
    assert far.count("PATCH", ".*") == 0
    other = far.tunnel()
    result = cli.run("environment", "initialize", "--listener", other)
    assert result.status == 0 and "--listener-contact-string HOST:PORT" in result.err


def test_initialize_with_endpoint_id(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel, ENDPOINT).ok()
    assert far.count("GET", "/v2/stream_access_points/.*") == 0


def test_initialize_again_needs_force(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    old, before = cli.conf(tunnel), cli.files()
    path = cli.base / f"{tunnel}.conf"
    assert "--force" in cli.run("environment", "initialize", tunnel).failed(1)
    assert cli.files() == before and len(far.secrets) == 1
    path.write_text(path.read_text() + "my_own_key=kept\n")
    cli.run("environment", "initialize", "--force", tunnel).ok()
    conf = cli.conf(tunnel)
    assert conf["fake_port"] == old["fake_port"] and conf["lankey"] != old["lankey"]
    assert conf["my_own_key"] == "kept" and list(far.secrets) == [conf["lankey_id"]]


def test_force_where_the_manager_allows_one_secret(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()

    def one_only(request, usual):
        if far.secrets:
            return far.envelope(409, "conflict", "there is a LAN secret already")
        return usual()

    far.rule("POST", "/manager/api/lan_secrets", one_only)
    cli.run("environment", "initialize", "--force", tunnel).ok()
    assert list(far.secrets) == [cli.conf(tunnel)["lankey_id"]]


@pytest.mark.parametrize("step", ["secret", "listener"])
def test_a_manager_that_allows_one_secret_and_then_fails(cli, far, step):
    """There is no way back to the old secret: it is said."""
    tunnel = far.active()
    cli.run("environment", "initialize", "--listener", tunnel).ok()
    before = cli.files()

    def refuse(request, usual):
        if far.secrets:
            return far.envelope(409, "conflict", "there is a LAN secret already")
        return usual() if step == "listener" else far.envelope(422, "no", "no more")

    far.rule("POST", "/manager/api/lan_secrets", refuse)
    far.rule("PATCH", ".*", Answer(422, {"detail": [{"loc": ["x"], "msg": "no", "type": "t"}]}))
    words = ("environment", "initialize", "--force", "--listener-contact-string", "10.0.0.1:80", tunnel)
    line = cli.run(*words).failed(1)
    assert "old one was deleted" in line and "not changed" not in line
    assert cli.files() == before and far.secrets == {}
    far.rules.clear()
    cli.run(*words).warned()
    assert list(far.secrets) == [cli.conf(tunnel)["lankey_id"]]


def test_base_dir(cli, far, tmp_path):
    tunnel = far.active()
    one, two = tmp_path / "one" / "deep", tmp_path / "two"
    cli.run("environment", "initialize", "--base-dir", f"{one}/", tunnel).ok()
    assert cli.conf(tunnel, one)["lankey"]
    out = cli.run("environment", "initialize", tunnel, env={"GLOBUS_STREAMS_BASE_DIR": str(two)}).ok()
    assert f"base directory is {two}/\n" in out and cli.conf(tunnel, two)["lankey"]
    assert (two / "tokens.json").exists() and not (one / "tokens.json").exists()


def test_lookup_from_a_fresh_conf_asks_nobody(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", "--cs-ttl", "100", tunnel).ok()
    asked, before = len(far.requests), cli.files()
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4711\n"
    assert len(far.requests) == asked and cli.files() == before


def test_lookup_fetches_what_is_stale(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", "--cs-ttl", "0", tunnel).ok()
    path = cli.base / f"{tunnel}.conf"
    path.write_text(re.sub(r"update_time=\d+", f"update_time={int(time.time()) - 2}", path.read_text()))
    old = cli.conf(tunnel)
    far.tunnels[tunnel]["data"]["attributes"]["initiator_port"] = 4712
    assert cli.run("environment", "contact-lookup", "--skip-update", tunnel).ok() == "127.0.0.1:4711\n"
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4712\n"
    new = cli.conf(tunnel)
    assert new.pop("connector_contact_string") == "127.0.0.1:4712"
    assert int(new.pop("update_time")) > int(old["update_time"])
    assert all(old[key] == value for key, value in new.items())


def test_lookup_refresh_and_numeric(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", "--cs-ttl", "1000", tunnel).ok()
    far.tunnels[tunnel]["data"]["attributes"].update(initiator_ip_address="localhost", initiator_port=4713)
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4711\n"
    out = cli.run("environment", "contact-lookup", "--refresh", "--numeric", tunnel).ok()
    assert out in ("127.0.0.1:4713\n", "[::1]:4713\n")
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "localhost:4713\n"
    far.tunnels[tunnel]["data"]["attributes"].update(initiator_ip_address="2001:db8::1")
    assert cli.run("environment", "contact-lookup", "--refresh", tunnel).ok() == "[2001:db8::1]:4713\n"


@pytest.mark.parametrize("state, hint", [
    ("AWAITING_LISTENER", "initialize the listener side"), ("STOPPED", "create a new one"),
    ("STOPPING", "create a new one"), ("UNINITIALIZED", "not active yet"), ("HIBERNATING", "state HIBERNATING")])
def test_lookup_of_a_tunnel_that_is_not_active(cli, far, state, hint):
    tunnel = far.tunnel()
    cli.run("environment", "initialize", tunnel).ok()
    far.tunnels[tunnel]["data"]["attributes"]["state"] = state
    before = cli.files()
    line = cli.run("environment", "contact-lookup", tunnel).failed(1)
    assert state in line and hint in line and cli.files() == before


def answer_slowly(far):
    """So that all of several at once have asked before one is answered."""
    def slow(_, usual):
        answer = usual()
        answer.delay = 0.3
        return answer
    for method, path in (("POST", "/v2/oauth2/token"), ("GET", "/v2/tunnels/.*")):
        far.rule(method, path, slow)


@pytest.mark.parametrize("login", [False, True], ids=["client", "login"])
def test_ten_lookups_at_once_ask_once(cli, far, login):
    """Whatever the token is renewed with: one request for it and one for the tunnel, ten answers."""
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    path, tokens = cli.base / f"{tunnel}.conf", cli.base / "tokens.json"
    path.write_text(re.sub(r"update_time=\d+", "update_time=1000", path.read_text()))
    text = re.sub(r'"expires_at":\s*\d+', '"expires_at": 1000', tokens.read_text())
    if login:
        cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = cli.environment.pop("GLOBUS_CLI_CLIENT_ID")
        del cli.environment["GLOBUS_CLI_CLIENT_SECRET"]
        far.refresh[far_side.TRANSFER_SCOPE] = "refresh-1"
        text = re.sub(r'"kind":\s*"client"', '"kind": "login", "refresh_token": "refresh-1"', text)
    tokens.write_text(text)
    far.requests.clear()
    answer_slowly(far)
    runs = [cli.start("environment", "contact-lookup", tunnel) for _ in range(10)]
    outputs = [run.communicate(timeout=60) + (run.returncode,) for run in runs]
    assert outputs == [("127.0.0.1:4711\n", "", 0)] * 10
    assert far.count("POST", "/v2/oauth2/token") == 1 and far.count("GET", "/v2/tunnels/.*") == 1
    wanted = "refresh_token" if login else "client_credentials"
    assert far.asked("POST", "/v2/oauth2/token")[0].form()["grant_type"] == wanted


def test_lookups_of_ten_tunnels_share_a_token(cli, far):
    tunnels = [far.active() for _ in range(10)]
    for tunnel in tunnels:
        cli.run("environment", "initialize", tunnel).ok()
    tokens = cli.base / "tokens.json"
    tokens.write_text(re.sub(r'"expires_at":\s*\d+', '"expires_at": 1000', tokens.read_text()))
    far.requests.clear()
    answer_slowly(far)
    runs = [cli.start("environment", "contact-lookup", "--refresh", tunnel) for tunnel in tunnels]
    assert [run.communicate(timeout=60) + (run.returncode,) for run in runs] == [("127.0.0.1:4711\n", "", 0)] * 10
    assert far.count("POST", "/v2/oauth2/token") == 1
    assert sorted(r.path.rsplit("/", 1)[1] for r in far.asked("GET", "/v2/tunnels/.*")) == sorted(tunnels)


@pytest.mark.skipif(sanitizers.SANITIZED, reason="the start of AddressSanitizer takes longer than all the rest")
def test_lookup_from_a_fresh_conf_is_quick(cli, far):
    """The whole process within 3 times /bin/true; no library of the network is loaded."""
    tunnel = far.active()
    cli.run("environment", "initialize", "--cs-ttl", "1000", tunnel).ok()

    def median(*words):
        times = []
        for _ in range(100):
            start = time.perf_counter()
            os.waitpid(os.posix_spawn(words[0], words, cli.environment, file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]), 0)
            times.append(time.perf_counter() - start)
        return sorted(times)[50]

    lookup = (str(cli_program.PROGRAM), "environment", "contact-lookup", tunnel)
    assert min(median(*lookup) / median("/bin/true") for _ in range(5)) <= 3
    lab.need("strace")
    calls = subprocess.run(["strace", "-f", "-qq", "-e", "trace=%network,openat,write", *lookup], env=cli.environment,
                           capture_output=True, text=True).stderr
    assert {line.split("(")[0] for line in calls.splitlines()} == {"openat", "write"}
    assert "libcurl" not in calls and "resolv.conf" not in calls and "ld.so.cache" in calls


def test_tokens_are_kept_between_runs(cli, far):
    tunnel = far.active()
    for _ in range(3):
        cli.run("tunnel", "show", tunnel).ok()
    assert far.count("POST", "/v2/oauth2/token") == 1
    form = far.asked("POST", "/v2/oauth2/token")[0].form()
    assert form == {"grant_type": "client_credentials", "scope": far_side.TRANSFER_SCOPE}
    far.lifetime = 30  # ends within the 60 s that a token is renewed early
    (cli.base / "tokens.json").unlink()
    for _ in range(2):
        cli.run("tunnel", "show", tunnel).ok()
    assert far.count("POST", "/v2/oauth2/token") == 3


def test_headers(cli, far):
    cli.run("tunnel", "create", INITIATOR_AP, LISTENER_AP).ok()
    token, create = far.requests
    assert token.headers["Authorization"].startswith("Basic ")
    assert token.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert create.headers["Authorization"].removeprefix("Bearer ") in far.tokens
    assert create.headers["Content-Type"] == create.headers["Accept"] == "application/json"
    assert create.headers["User-Agent"].startswith("globus-streams/") and "Expect" not in create.headers


def test_proxies_from_the_environment(cli, far):
    """The proxy is asked for names that exist nowhere else."""
    tunnel = far.active()
    elsewhere = {"http_proxy": far.url, "no_proxy": None, "GLOBUS_SDK_SERVICE_URL_AUTH": "http://auth.invalid/",
                 "GLOBUS_SDK_SERVICE_URL_TRANSFER": "http://transfer.invalid"}
    assert "ACTIVE" in cli.run("tunnel", "show", tunnel, env=elsewhere).ok()
    assert [r.headers["Host"] for r in far.requests] == ["auth.invalid", "transfer.invalid"]


def test_one_connection_serves_a_run(cli, far):
    tunnel = far.tunnel()
    cli.run("environment", "initialize", "--listener-contact-string", "[fd00::5]:8888", tunnel).warned()
    assert far.asked("PATCH", ".*")[0].json()["data"]["attributes"]["listener_ip_address"] == "fd00::5"
    assert len(far.requests) >= 6 and len({r.peer for r in far.requests}) == 1
