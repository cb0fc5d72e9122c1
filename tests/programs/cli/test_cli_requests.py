"""Each request that globus-streams makes, and each answer of the gateway, held against the contract."""

import base64
import json
import re
import urllib.request
from urllib.parse import parse_qsl, urlsplit

import pytest

import contract
from lab import CLI, Lab, change_conf, free_port
from recorder import Recorder
from cli_program import Terminal

LOGIN_CLIENT = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def recorder(gateway):
    between = Recorder(gateway.env["GLOBUS_SDK_SERVICE_URL_TRANSFER"])
    yield between
    between.close()


@pytest.fixture
def lab(tmp_path, gateway, recorder, nothing_left_behind):
    instance = Lab(tmp_path, gateway)
    instance.env.update(recorder.environment())
    yield instance
    instance.end()


def tokens_of(lab):
    """Every token by its resource server, of those that were ever kept."""
    text = (lab.home / ".globus/streams/tokens.json").read_text()
    return {entry["access_token"]: entry["resource_server"] for entry in json.loads(text)["tokens"]}


# what may be in the query of a list
FILTERS = {"GET events": {"code_name", "is_error"},
           "GET stream_access_points": {"filter[fulltext]", "filter[endpoint_admin]"}}


def basic(lab):
    pair = f"{lab.env['GLOBUS_CLI_CLIENT_ID']}:{lab.env['GLOBUS_CLI_CLIENT_SECRET']}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def expect_authorization(exchange, who, tokens, basic_header):
    given = exchange.headers.get("Authorization")
    if who is None:
        assert given is None, exchange
        return
    if who == contract.CLIENT:
        assert given == basic_header, exchange
        return
    server = tokens[given.removeprefix("Bearer ")] if given.startswith("Bearer ") else None
    wanted = {contract.TRANSFER: "transfer.api.globus.org", contract.OPENID: "auth.globus.org"}.get(who)
    assert server == (wanted or exchange.path.split("/")[2]), exchange


def expect_contract(exchange, tokens, basic_header):
    """The method and path, headers and body of a request, and what it was answered."""
    method, _, who, body, status, answer = contract.request_of(exchange)
    headers = {name.lower(): value for name, value in exchange.headers.items()}
    form = who == contract.CLIENT
    assert headers["accept"] == "application/json" and re.match(r"globus-streams/\d", headers["user-agent"])
    assert headers["host"].startswith("127.0.0.1:") and "expect" not in headers
    filters = {name for name, _ in parse_qsl(exchange.query, strict_parsing=bool(exchange.query))}
    assert filters <= FILTERS.get(f"{method} {exchange.path.rsplit('/', 1)[1]}", set()), exchange
    expect_authorization(exchange, who, tokens, basic_header)
    if body is None:
        assert exchange.body == b"" and "content-type" not in headers, exchange
        assert headers.get("content-length", "0") == "0"
    else:
        assert headers["content-type"] == ("application/x-www-form-urlencoded" if form else "application/json")
        sent = exchange.form() if form else exchange.json()
        assert not contract.fault(sent, body, exact=True), (exchange, contract.fault(sent, body, exact=True))
    assert set(headers) <= {"host", "user-agent", "accept", "authorization", "content-type", "content-length"}
    assert exchange.status == status, exchange
    assert exchange.answer_headers["Content-Type"] == "application/json"
    assert not contract.fault(exchange.answer(), answer, exact=False), (
        exchange, contract.fault(exchange.answer(), answer, exact=False))


def test_every_request(lab, recorder):
    """Every command, and which requests it makes in which order."""
    port, tokens = free_port(), {}
    one, two = lab.env["LAB_INITIATOR_AP"], lab.env["LAB_LISTENER_AP"]

    def ask(*words):
        """Run a command: what it printed, and the methods and ends of paths that it asked for."""
        out = lab.cli(*words)
        if words[0] != "logout":
            tokens.update(tokens_of(lab))
        exchanges = recorder.take()
        for exchange in exchanges:
            expect_contract(exchange, tokens, basic(lab))
        kinds = [(e.method, re.sub(rf"/{contract.UUID.pattern}", "", e.path).rsplit("/", 1)[1]) for e in exchanges]
        return out, " ".join(f"{method} {end}" for method, end in kinds), exchanges

    out, asked, exchanges = ask("tunnel", "create", one, two, "--label", "mine", "--lifetime-minutes", "30",
                                "--restartable")
    assert asked == "POST token POST tunnels"
    assert exchanges[0].form()["scope"] == "urn:globus:auth:scope:transfer.api.globus.org:all"
    tunnel = contract.UUID.search(out).group()
    sent = exchanges[1].json()["data"]
    assert sent["attributes"] | {"submission_id": ""} == {"submission_id": "", "label": "mine", "lifetime_mins": 30,
                                                          "restartable": True}
    assert [sent["relationships"][role]["data"]["id"] for role in ("initiator", "listener")] == [one, two]
    assert ask("tunnel", "list")[1] == "GET tunnels"
    assert ask("tunnel", "show", tunnel)[1] == "GET tunnels"
    _, asked, exchanges = ask("tunnel", "update", "--label", "é \"quoted\"", tunnel)
    assert asked == "PATCH tunnels" and exchanges[0].json()["data"]["attributes"] == {"label": "é \"quoted\""}
    assert ask("access-point", "list")[1] == "GET stream_access_points"
    assert ask("access-point", "show", two)[1] == "GET stream_access_points"
    _, asked, exchanges = ask("environment", "initialize", "--listener-contact-string", f"127.0.0.1:{port}", tunnel)
    assert asked == ("GET tunnels GET stream_access_points GET endpoint GET info POST token POST lan_secrets PATCH tunnels")
    endpoint = exchanges[2].path.rsplit("/", 1)[1]
    assert f"urn:globus:auth:scope:{endpoint}:manage_collections" in exchanges[4].form()["scope"].split()
    assert exchanges[5].json() == {"DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": tunnel,
                                   "stream_access_point_id": two}
    assert exchanges[6].json()["data"]["attributes"] == {"listener_ip_address": "127.0.0.1", "listener_port": port}
    _, asked, exchanges = ask("environment", "initialize", "--force", "--listener", tunnel)
    assert asked == "GET tunnels GET stream_access_points GET endpoint GET info POST lan_secrets DELETE lan_secrets"
    _, asked, exchanges = ask("environment", "update", "--listener-contact-string", f"127.0.0.1:{port + 1}", tunnel)
    assert asked == "PATCH tunnels"
    assert exchanges[0].json()["data"]["attributes"]["listener_port"] == port + 1
    assert ask("environment", "contact-lookup", "--refresh", tunnel)[1] == "GET tunnels"
    assert ask("environment", "contact-lookup", tunnel)[1] == ""
    for words in (("list",), ("show", tunnel), ("contact-lookup", "--skip-update", tunnel)):
        assert ask("environment", *words)[1] == ""
    assert ask("environment", "cleanup", "--force", tunnel)[1] == "GET endpoint DELETE lan_secrets"
    assert ask("environment", "initialize", "--wait=10", tunnel)[1].endswith("POST lan_secrets GET tunnels")
    assert ask("environment", "update", tunnel)[1] == "GET tunnels"
    assert ask("environment", "update", "--expiry", tunnel)[1] == "GET tunnels"
    assert ask("tunnel", "events", tunnel)[1] == "GET events"
    assert ask("tunnel", "events", "--filter-code", "STARTED", tunnel)[1] == "GET events"
    assert ask("access-point", "list", "--filter-endpoint-admin", "lab")[1] == "GET stream_access_points"
    _, asked, exchanges = ask("tunnel", "stop", "--wait=10", tunnel)
    assert re.fullmatch("PATCH tunnels( GET tunnels)+", asked)
    assert exchanges[0].json()["data"]["attributes"] == {"state": "STOPPING"}
    assert ask("tunnel", "events", "--follow", tunnel)[1] == "GET tunnels GET events"
    assert ask("tunnel", "delete", tunnel)[1] == "DELETE tunnels"
    assert ask("whoami")[1] == "POST token GET userinfo"
    _, asked, exchanges = ask("logout")
    assert asked == " ".join(["POST revoke"] * len(exchanges))
    assert {e.form()["token"] for e in exchanges} == set(tokens) and "client_id" not in exchanges[0].form()
    assert tokens_of(lab) == {}


def test_every_request_of_a_login(lab, recorder):
    """The address that a user is given, the code, the renewal of a token, and what logging out revokes."""
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        del lab.env[name]
    lab.env["GLOBUS_STREAMS_CLIENT_ID"] = LOGIN_CLIENT
    lab.environment = lab.env
    terminal = Terminal(lab, "login", "--no-browser")
    address = re.search(r"https?://\S+/v2/oauth2/authorize\?\S+", terminal.read_until("[^\0]*Enter the code: ")[0])[0]
    asked = dict(parse_qsl(urlsplit(address).query, strict_parsing=True))
    assert not contract.fault(asked, {
        "client_id": {LOGIN_CLIENT}, "redirect_uri": {recorder.url + "/v2/web/auth-code"}, "scope": str,
        "state": contract.TOKEN, "response_type": {"code"}, "code_challenge": re.compile("[A-Za-z0-9_-]{43}"),
        "code_challenge_method": {"S256"}, "access_type": {"offline"}}, exact=True), asked
    with urllib.request.urlopen(address, timeout=10) as page:
        terminal.send(page.read().decode().strip())
    assert terminal.end() == 0, terminal.text
    exchanges = [e for e in recorder.take() if e.headers["User-Agent"].startswith("globus-streams/")]
    assert [e.form()["grant_type"] for e in exchanges] == ["authorization_code"]
    assert exchanges[0].form()["redirect_uri"] == asked["redirect_uri"]
    path = lab.home / ".globus/streams/tokens.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps({**entries, "tokens": [e | {"expires_at": 1000} for e in entries["tokens"]]}))
    lab.cli("tunnel", "list")
    tokens = tokens_of(lab)
    kept = {e[kind] for e in json.loads(path.read_text())["tokens"] for kind in ("access_token", "refresh_token")}
    assert lab.start(CLI, "logout").ok() == "You are logged out.\n"
    exchanges += recorder.take()
    for exchange in exchanges:
        expect_contract(exchange, tokens, None)
    assert exchanges[1].form() == {"grant_type": "refresh_token", "client_id": LOGIN_CLIENT,
                                   "refresh_token": exchanges[1].form()["refresh_token"]}
    assert {e.form()["token"] for e in exchanges[3:]} == kept
    assert all(e.form()["client_id"] == LOGIN_CLIENT for e in exchanges[3:])


def test_every_kind_of_refusal(lab, recorder):
    """What a service says in its own shape is what the line says."""
    unknown = "0e8a675b-6b84-4220-89e4-a6a7a0d823fb"
    one, two = lab.env["LAB_INITIATOR_AP"], lab.env["LAB_LISTENER_AP"]
    tunnel = lab.create_tunnel()
    for words, env, status, shape, said in (
            (("tunnel", "show", unknown), {}, 404, contract.JSON_API, ("errors", 0, "detail")),
            (("tunnel", "delete", tunnel), {}, 409, contract.JSON_API, ("errors", 0, "detail")),
            (("tunnel", "create", unknown, two), {}, 422, contract.DETAIL, ("detail", 0, "msg")),
            (("tunnel", "create", "--label", "x" * 5000, one, two), {}, 422, contract.DETAIL, ("detail", 0, "msg")),
            (("environment", "initialize", tunnel, unknown), {}, 404, contract.TRANSFER_V010, ("message",)),
            (("tunnel", "list"), {"GLOBUS_CLI_CLIENT_SECRET": "wrong", "GLOBUS_STREAMS_BASE_DIR": str(lab.folder)}, 401,
             contract.OAUTH, ("error",))):
        recorder.take()
        run = lab.start(CLI, *words, env=env)
        assert run.wait() == 1 and run.err.count("\n") == 1 and run.out.count("\n") <= 1, run
        refusal = recorder.take()[-1]
        found = refusal.answer()
        assert refusal.status == status and not contract.fault(found, shape, exact=False), (refusal, found)
        for step in said:
            found = found[step]
        assert found in run.err and str(refusal.status) in run.err, (found, run)
    lab.cli("environment", "initialize", tunnel)
    change_conf(lab.home / ".globus/streams", tunnel, lankey_id=unknown)
    recorder.take()
    assert lab.start(CLI, "environment", "cleanup", "--force", tunnel).ok() == (
        f"Deleted the environment of tunnel {tunnel}\n")
    refusal = recorder.take()[-1]
    assert refusal.status == 404 and not contract.fault(refusal.answer(), contract.envelope(list), exact=False)
