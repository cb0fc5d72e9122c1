"""globus-streams-gateway: its HTTP services, its state, its command line."""

import base64
import calendar
import concurrent.futures
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time
import urllib.parse

import pytest

import gateway_lab as lab
from gateway_lab import PROGRAM, TRANSFER, Gateway, scope_of, wait_for

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NOBODY = "00000000-0000-4000-8000-000000000000"
PASTE = "https://auth.globus.org/v2/web/auth-code"


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path / "state")
    yield gateway
    assert gateway.stop() == 0


def run(*words):
    return subprocess.run([str(PROGRAM), *map(str, words)], capture_output=True, text=True, timeout=20)


# --- the command line ---


def test_help_and_version():
    told = run("--help")
    assert told.returncode == 0 and told.stderr == "" and "--state DIR" in told.stdout
    assert all(len(line) <= 80 for line in told.stdout.splitlines())
    told = run("--version")
    assert told.returncode == 0 and re.fullmatch(r"globus-streams-gateway \d+\.\d+\.\d+\n", told.stdout)


@pytest.mark.parametrize("words", [
    [], ["--state"], ["--state", ""], ["--state", "x", "more"], ["--state", "x", "--wrong"],
    ["--state", "x", "--port", "65536"], ["--state", "x", "--port", "80x"], ["--state", "x", "--port", "-1"],
    ["--state", "x", "--address", "localhost"], ["--state", "x", "--address", "1.2.3"],
    ["--state", "x", "--token-lifetime", "0"], ["--state", "x", "--lan-delay", "1000000"],
    ["--state", "x", "--new-ports=1"]])
def test_wrong_usage(words, tmp_path):
    told = subprocess.run([str(PROGRAM), *words], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert told.returncode == 2 and told.stdout == ""
    assert told.stderr.count("\n") == 1 and told.stderr.startswith("globus-streams-gateway: ")
    assert not (tmp_path / "x").exists()


def test_state_folder(gateway):
    assert stat.S_IMODE(gateway.state.stat().st_mode) == 0o700
    for file in gateway.state.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert gateway.ready == f"globus-streams-gateway: ready on {gateway.url}, source {gateway.state}/env\n"
    assert gateway.url.startswith("http://127.0.0.1:")
    assert list(gateway.env) == ["GLOBUS_SDK_SERVICE_URL_AUTH", "GLOBUS_SDK_SERVICE_URL_TRANSFER",
                                 "GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET", "LAB_INITIATOR_AP",
                                 "LAB_LISTENER_AP"]
    for key in ("GLOBUS_CLI_CLIENT_ID", "LAB_INITIATOR_AP", "LAB_LISTENER_AP"):
        assert UUID.fullmatch(gateway.env[key])


def test_env_is_there_only_while_it_runs(gateway):
    for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        assert (gateway.state / "env").exists()
        assert gateway.stop(how) == 0
        assert sorted(f.name for f in gateway.state.iterdir()) == ["lock", "state.json"]
        gateway.start()


def test_second_gateway_on_a_folder(gateway):
    told = run("--state", gateway.state)
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr.count("\n") == 1 and "another gateway" in told.stderr
    assert (gateway.state / "env").exists()


@pytest.mark.parametrize("text", ["", "{}", "\0\1\2", '{"version": 2}', "[" * 5000, "{\"version\":1,"])
def test_damaged_state(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    told = run("--state", tmp_path)
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and "damaged" in told.stderr
    assert (tmp_path / "state.json").read_text() == text


def test_every_truncation_of_the_state_is_refused_or_read(gateway):
    gateway.secret(gateway.create(label="x"), gateway.initiator_ap)
    assert gateway.stop() == 0
    text = (gateway.state / "state.json").read_text()
    for length in range(0, len(text.rstrip()), 97):
        (gateway.state / "state.json").write_text(text[:length])
        assert run("--state", gateway.state).returncode == 1
    (gateway.state / "state.json").write_text(text)
    gateway.start()


def test_folder_that_others_may_write_to(tmp_path):
    tmp_path.chmod(0o777)
    told = run("--state", tmp_path)
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and not any(tmp_path.iterdir())


def test_port_that_is_taken(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        told = run("--state", tmp_path / "state", "--port", sock.getsockname()[1])
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and "in use" in told.stderr


def test_port_of_the_last_run_is_taken_meanwhile(gateway):
    assert gateway.stop() == 0
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", gateway.port))
        sock.listen()
        before = gateway.port
        gateway.start()
    assert gateway.port != before


@pytest.mark.parametrize("address, reached_by", [("::1", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"),
                                                 ("::", "127.0.0.1"), ("127.0.0.9", "127.0.0.9")])
def test_address(tmp_path, address, reached_by):
    gateway = Gateway(tmp_path / "state", "--address", address)
    gateway.host = reached_by
    listener = lab.Listener(lab.echo)
    tunnel = gateway.active(listener.contact)
    listener.secret = tunnel.listener
    assert tunnel.contact[0] == reached_by
    with lab.call(tunnel) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    status, answer = gateway.call("GET", f"/v0.10/endpoint/{gateway.endpoint(gateway.listener_ap)}")
    assert urllib.parse.urlsplit(answer["gcs_manager_url"]).hostname == reached_by
    listener.close()
    assert gateway.stop() == 0


# --- Auth ---


def test_token(gateway):
    status, answer, headers = gateway.form("/v2/oauth2/token", {"grant_type": "client_credentials", "scope": TRANSFER},
                                           gateway.client)
    assert status == 200 and len(answer.pop("access_token")) > 30
    assert answer == {"scope": TRANSFER, "expires_in": 172800, "token_type": "Bearer",
                      "resource_server": "transfer.api.globus.org", "other_tokens": []}
    assert headers["Cache-Control"] == "no-store"


def test_client_secret_in_the_form(gateway):
    fields = {"grant_type": "client_credentials", "client_id": gateway.client[0], "client_secret": gateway.client[1]}
    assert gateway.form("/v2/oauth2/token", fields)[0] == 200
    fields["client_secret"] += "x"
    assert gateway.form("/v2/oauth2/token", fields)[0] == 401


def test_tokens_of_several_resource_servers(gateway):
    endpoints = [gateway.endpoint(ap) for ap in (gateway.initiator_ap, gateway.listener_ap)]
    scopes = [TRANSFER + "[*https://auth.globus.org/scopes/x/data_access other]", scope_of(endpoints[0]), "openid",
              scope_of(endpoints[1]), "email"]
    status, answer, _ = gateway.form("/v2/oauth2/token", {"grant_type": "client_credentials",
                                                          "scope": "  ".join(scopes)}, gateway.client)
    assert status == 200
    entries = [answer, *answer["other_tokens"]]
    assert [(e["resource_server"], e["scope"]) for e in entries] == [
        ("transfer.api.globus.org", TRANSFER), (endpoints[0], scope_of(endpoints[0])),
        ("auth.globus.org", "openid email"), (endpoints[1], scope_of(endpoints[1]))]
    assert len({e["access_token"] for e in entries}) == 4
    assert all("other_tokens" not in e for e in entries[1:])
    assert gateway.call("GET", "/v2/tunnels", token=entries[0]["access_token"])[0] == 200
    assert gateway.call("GET", "/v2/tunnels", token=entries[1]["access_token"])[0] == 403


@pytest.mark.parametrize("client", [None, ("x", "y"), (NOBODY, "y"), ("", "")])
def test_wrong_client(gateway, client):
    fields = {"grant_type": "client_credentials", "scope": TRANSFER}
    status, answer, headers = gateway.form("/v2/oauth2/token", fields, client)
    assert (status, answer["error"]) == (401, "invalid_client")
    assert headers["WWW-Authenticate"].startswith("Basic")
    status, answer, _ = gateway.form("/v2/oauth2/token", fields, (gateway.client[0], gateway.client[1][:-1]))
    assert (status, answer["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("header", ["Basic", "Basic ", "Basic !!!!", "Basic eA==", "Bearer x", "Basic " + "QQ" * 2000])
def test_bad_authorization(gateway, header):
    status, answer, _ = gateway.request("POST", "/v2/oauth2/token", "grant_type=client_credentials",
                                        {"Authorization": header})
    assert (status, answer["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("fields, error", [
    ({}, "invalid_request"), ({"grant_type": "password"}, "unsupported_grant_type"),
    ({"grant_type": "client_credentials", "scope": "all"}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": scope_of(NOBODY)}, "invalid_scope"),
    ({"grant_type": "client_credentials", "scope": " "}, "invalid_scope"),
    ({"grant_type": "refresh_token"}, "invalid_request"),
    ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ({"grant_type": "authorization_code", "code": "x", "code_verifier": "y", "redirect_uri": "z"}, "invalid_grant")])
def test_bad_grants(gateway, fields, error):
    status, answer, _ = gateway.form("/v2/oauth2/token", fields, gateway.client)
    assert (status, answer["error"]) == (400, error) and answer["error_description"]


def test_bad_forms(gateway):
    for body in ("grant_type", "grant_type=%zz", "grant_type=%00", "=&" * 100, "\xff=1", "a=%"):
        status, answer, _ = gateway.request("POST", "/v2/oauth2/token", body.encode())
        assert (status, answer["error"]) == (400, "invalid_request"), body


def test_tokens_expire(tmp_path):
    gateway = Gateway(tmp_path / "state", "--token-lifetime", "1")
    status, answer, _ = gateway.form("/v2/oauth2/token", {"grant_type": "client_credentials", "scope": TRANSFER},
                                     gateway.client)
    assert answer["expires_in"] == 1
    token = answer["access_token"]
    assert gateway.call("GET", "/v2/tunnels", token=token)[0] == 200
    wait_for(lambda: gateway.call("GET", "/v2/tunnels", token=token)[0] == 401, 5)
    assert gateway.stop() == 0


def pkce():
    verifier = base64.urlsafe_b64encode(os.urandom(48)).decode()
    return verifier, base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def login(gateway, redirect_uri=PASTE, client=None, scope="openid " + TRANSFER, **more):
    """The parameters that the redirect brings, the verifier, and where it went."""
    verifier, challenge = pkce()
    query = {"client_id": client or NOBODY, "redirect_uri": redirect_uri, "scope": scope, "state": "a b&c",
             "response_type": "code", "code_challenge": challenge, "code_challenge_method": "S256",
             "access_type": "offline", **more}
    status, answer, headers = gateway.request("GET", "/v2/oauth2/authorize?" + urllib.parse.urlencode(query))
    if status != 302:
        return answer, verifier, None
    where = headers["Location"]
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(where).query)), verifier, where


def exchange(gateway, code, verifier, redirect_uri=PASTE, client=NOBODY):
    return gateway.form("/v2/oauth2/token", {"grant_type": "authorization_code", "code": code,
                                             "code_verifier": verifier, "redirect_uri": redirect_uri,
                                             "client_id": client})[:2]


def test_login_by_pasting(gateway):
    parameters, verifier, where = login(gateway)
    assert where.startswith("/v2/web/auth-code?") and parameters["state"] == "a b&c"
    status, text, headers = gateway.request("GET", where)
    assert (status, text) == (200, parameters["code"] + "\n") and headers["Content-Type"].startswith("text/plain")
    status, answer = exchange(gateway, parameters["code"], verifier)
    assert status == 200 and answer["refresh_token"] and answer["resource_server"] == "auth.globus.org"
    assert answer["other_tokens"][0]["refresh_token"] != answer["refresh_token"]
    assert gateway.call("GET", "/v2/tunnels", token=answer["other_tokens"][0]["access_token"])[0] == 200
    status, user = gateway.call("GET", "/v2/oauth2/userinfo", token=answer["access_token"])
    assert status == 200 and UUID.fullmatch(user["sub"]) and user["sub"] != gateway.client[0]
    assert "@" in user["preferred_username"]
    assert gateway.call("GET", "/v2/oauth2/userinfo")[0] == 403  # a token for Transfer
    assert exchange(gateway, parameters["code"], verifier)[0] == 400  # once only


@pytest.mark.parametrize("uri", ["http://127.0.0.1:8000/done?x=1", "http://localhost:1", "http://[::1]:99/"])
def test_login_by_redirect(gateway, uri):
    parameters, verifier, where = login(gateway, uri, access_type="online")
    assert where.startswith(uri)
    status, answer = exchange(gateway, parameters["code"], verifier, uri)
    assert status == 200 and "refresh_token" not in answer


@pytest.mark.parametrize("change", [{"verifier": "x" * 64}, {"redirect_uri": "http://localhost"},
                                    {"client": NOBODY[:-1] + "1"}])
def test_codes_are_bound(gateway, change):
    parameters, verifier, _ = login(gateway)
    status, answer = exchange(gateway, **{"code": parameters["code"], "verifier": verifier, **change})
    assert (status, answer["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize("change, error", [
    ({"response_type": "token"}, "unsupported_response_type"), ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"), ({"scope": "everything"}, "invalid_scope")])
def test_bad_logins_are_redirected(gateway, change, error):
    parameters, _, where = login(gateway, **change)
    assert parameters == {"error": error, "state": "a b&c"}
    assert gateway.request("GET", where)[0] == 400


@pytest.mark.parametrize("uri", ["https://evil.example/", "http://127.0.0.1.evil.example/", "http://localhostile/",
                                 "", "http://127.0.0.1/" + "x" * 300])
def test_bad_redirects_are_not(gateway, uri):
    assert login(gateway, uri)[2] is None


def test_refresh_and_revoke(gateway):
    parameters, verifier, _ = login(gateway)
    answer = exchange(gateway, parameters["code"], verifier)[1]["other_tokens"][0]
    fields = {"grant_type": "refresh_token", "refresh_token": answer["refresh_token"], "client_id": NOBODY}
    status, new, _ = gateway.form("/v2/oauth2/token", fields)
    assert status == 200 and new["access_token"] != answer["access_token"]
    assert (new["resource_server"], new["scope"]) == ("transfer.api.globus.org", TRANSFER)
    assert new["other_tokens"] == [] and new["refresh_token"] == answer["refresh_token"]
    # another client may neither use nor revoke it
    assert gateway.form("/v2/oauth2/token", {**fields, "client_id": NOBODY[:-1] + "1"})[0] == 400
    assert gateway.form("/v2/oauth2/token", {k: v for k, v in fields.items() if k != "client_id"}, gateway.client)[0] == 400
    assert gateway.form("/v2/oauth2/token/revoke", {"token": new["access_token"]}, gateway.client)[:2] == (
        200, {"active": False})
    assert gateway.call("GET", "/v2/tunnels", token=new["access_token"])[0] == 200
    # an access token alone; then the refresh token, and all that came of it
    revoke = {"client_id": NOBODY, "token": new["access_token"]}
    assert gateway.form("/v2/oauth2/token/revoke", revoke)[:2] == (200, {"active": False})
    assert gateway.call("GET", "/v2/tunnels", token=new["access_token"])[0] == 401
    assert gateway.call("GET", "/v2/tunnels", token=answer["access_token"])[0] == 200
    revoke["token"] = answer["refresh_token"]
    assert gateway.form("/v2/oauth2/token/revoke", revoke)[0] == 200
    assert gateway.call("GET", "/v2/tunnels", token=answer["access_token"])[0] == 401
    assert gateway.form("/v2/oauth2/token", fields)[1]["error"] == "invalid_grant"
    assert gateway.form("/v2/oauth2/token/revoke", {"client_id": NOBODY, "token": "x"})[0] == 200
    assert gateway.form("/v2/oauth2/token/revoke", {"client_id": NOBODY})[0] == 400


# --- tokens at the services ---


def test_no_token(gateway):
    endpoint = gateway.endpoint(gateway.listener_ap)
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer"}, {"Authorization": "Basic eDp5"}):
        status, answer, got = gateway.request("GET", "/v2/tunnels", headers=headers)
        assert status == 401 and set(answer["errors"][0]) >= {"code", "title", "detail"}
        assert got["WWW-Authenticate"] == "Bearer"
        status, answer, _ = gateway.request("GET", f"/v0.10/endpoint/{endpoint}", headers=headers)
        assert status == 401 and set(answer) == {"code", "message", "request_id"}
        status, answer, _ = gateway.request("POST", f"/gcs/{endpoint}/api/lan_secrets", "{}", headers)
        assert status == 401 and answer["http_response_code"] == 401


def test_scope_missing(gateway):
    mine, other = (gateway.endpoint(ap) for ap in (gateway.listener_ap, gateway.initiator_ap))
    status, answer = gateway.call("GET", "/v2/tunnels", scope="openid")
    assert status == 403 and answer["errors"][0]["authorization_parameters"]["required_scopes"] == [TRANSFER]
    status, answer = gateway.call("GET", f"/v0.10/endpoint/{mine}", scope="openid")
    assert (status, answer["code"], answer["required_scopes"]) == (403, "ConsentRequired", [TRANSFER])
    for scope in (TRANSFER, scope_of(other)):
        status, answer = gateway.call("POST", f"/gcs/{mine}/api/lan_secrets", {}, scope=scope)
        assert status == 403 and answer["authorization_parameters"]["required_scopes"] == [scope_of(mine)]


# --- tunnels ---


def test_create_and_show(gateway):
    body = gateway.tunnel_body(label="ä tunnel", lifetime_mins=5, restartable=True, unknown="x")
    body["more"] = body["data"]["more"] = 1
    began = int(time.time())
    status, answer = gateway.call("POST", "/v2/tunnels", body)
    assert status == 201 and list(answer) == ["data", "meta"] and answer["meta"]["request_id"]
    data = answer["data"]
    assert data["type"] == "Tunnel" and UUID.fullmatch(data["id"])
    assert data["relationships"] == {**body["data"]["relationships"],
                                     "owner": {"data": {"type": "Identity", "id": gateway.client[0]}}}
    created = data["attributes"].pop("created_time")
    status_text = data["attributes"].pop("status")
    assert data["attributes"] == {
        "submission_id": body["data"]["attributes"]["submission_id"], "label": "ä tunnel", "lifetime_mins": 5,
        "restartable": True, "state": "AWAITING_LISTENER", "listener_ip_address": None, "listener_port": None,
        "initiator_ip_address": None, "initiator_port": None}
    assert status_text and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", created)
    assert 0 <= calendar.timegm(time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S")) - began <= 2
    data["attributes"].update(created_time=created, status=status_text)
    assert gateway.call("GET", f"/v2/tunnels/{data['id'].upper()}")[1]["data"] == data


def test_defaults(gateway):
    attributes = gateway.show(gateway.create())
    assert (attributes["label"], attributes["lifetime_mins"], attributes["restartable"]) == (None, 360, False)
    attributes = gateway.show(gateway.create(label=None, lifetime_mins=None, restartable=None))
    assert (attributes["label"], attributes["lifetime_mins"], attributes["restartable"]) == (None, 360, False)


def test_same_submission_is_the_same_tunnel(gateway):
    body = gateway.tunnel_body()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: gateway.call("POST", "/v2/tunnels", body), range(8)))
    assert {status for status, _ in answers} == {201}
    assert len({answer["data"]["id"] for _, answer in answers}) == 1
    assert len(gateway.call("GET", "/v2/tunnels")[1]["data"]) == 1


def change(body, path, value):
    *way, last = path.split("/")
    for key in way:
        body = body[key]
    if value is ...:
        del body[last]
    else:
        body[last] = value


@pytest.mark.parametrize("path, value", [
    ("data", ...), ("data", 1), ("data", []), ("data/type", ...), ("data/type", "tunnel"), ("data/type", 3),
    ("data/attributes", ...), ("data/attributes/submission_id", ...), ("data/attributes/submission_id", "x"),
    ("data/attributes/submission_id", None), ("data/attributes/submission_id", 5),
    ("data/attributes/label", 5), ("data/attributes/label", "x" * 300), ("data/attributes/lifetime_mins", 0),
    ("data/attributes/lifetime_mins", "x"), ("data/attributes/lifetime_mins", 1.5),
    ("data/attributes/lifetime_mins", 1e300), ("data/attributes/lifetime_mins", -1),
    ("data/attributes/restartable", "yes"), ("data/relationships", ...), ("data/relationships/initiator", ...),
    ("data/relationships/listener/data/id", "x"), ("data/relationships/listener/data/id", NOBODY),
    ("data/relationships/listener/data/type", "Endpoint"), ("data/relationships/listener/data", None),
    ("data/attributes/listener_port", 1), ("data/attributes/listener_ip_address", "127.0.0.1")])
def test_bad_bodies(gateway, path, value):
    body = gateway.tunnel_body()
    change(body, path, value)
    status, answer = gateway.call("POST", "/v2/tunnels", body)
    assert status == 422 and list(answer) == ["detail"]
    errors = answer["detail"]
    assert len(errors) == 1 and set(errors[0]) == {"loc", "msg", "type"}, errors
    if "listener_" not in path:
        assert errors[0]["loc"] == ["body", *path.split("/")]
    assert gateway.call("GET", "/v2/tunnels")[1]["data"] == []


@pytest.mark.parametrize("body", ["", "{", "[]", "1", "null", "{}x", '{"a":"\\u0000', b"\xff\xfe", b'{"data":{}}\0x',
                                  "[" * 10000, '{"data":' * 500])
def test_bodies_that_are_no_object(gateway, body):
    status, answer = gateway.call("POST", "/v2/tunnels", body)
    assert status == 422 and len(answer["detail"]) >= 1


@pytest.mark.parametrize("label, good", [
    (b"\xc3\xa4", True), (b"\xe2\x82\xac", True), (b"\xf0\x9f\x98\x80", True), (b"\xf4\x8f\xbf\xbf", True),
    (b"\x80", False), (b"\xc3", False), (b"\xc0\xaf", False), (b"\xe0\x80\xaf", False), (b"\xed\xa0\x80", False),
    (b"\xf0\x80\x80\xaf", False), (b"\xf4\x90\x80\x80", False), (b"\xf5\x80\x80\x80", False), (b"\xff", False)])
def test_text_is_utf8(gateway, label, good):
    body = json.dumps(gateway.tunnel_body(label="LABEL")).encode().replace(b"LABEL", label)
    status, answer = gateway.call("POST", "/v2/tunnels", body)
    assert status == (201 if good else 422)
    if good:
        assert answer["data"]["attributes"]["label"].encode() == label


def test_several_errors_at_once(gateway):
    status, answer = gateway.call("POST", "/v2/tunnels", {"data": {"attributes": {"label": 1}}})
    assert status == 422
    assert [e["loc"] for e in answer["detail"]] == [
        ["body", "data", "type"], ["body", "data", "attributes", "submission_id"],
        ["body", "data", "attributes", "label"], ["body", "data", "relationships"]]


def test_large_bodies(gateway):
    headers = {"Authorization": "Bearer " + gateway.token()}
    body = gateway.tunnel_body()
    body["padding"] = "x" * 60000
    assert gateway.call("POST", "/v2/tunnels", body)[0] == 201
    # what it says that it will send is too much: answered before it is sent
    with socket.create_connection((gateway.host, gateway.port), timeout=10) as sock:
        sock.sendall(f"POST /v2/tunnels HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n"
                     f"Authorization: {headers['Authorization']}\r\n\r\n".encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")
    # and without end
    with socket.create_connection((gateway.host, gateway.port), timeout=10) as sock:
        sock.sendall(f"POST /v2/tunnels HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                     f"Authorization: {headers['Authorization']}\r\n\r\n".encode())
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                sock.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    assert gateway.call("GET", "/v2/tunnels")[0] == 200


def test_listener_contact_makes_it_active(gateway):
    tunnel = gateway.create()
    status, answer = gateway.update(tunnel, listener_ip_address="192.0.2.1", listener_port=8888)
    attributes = answer["data"]["attributes"]
    assert status == 200 and attributes["state"] == "ACTIVE"
    assert (attributes["listener_ip_address"], attributes["listener_port"]) == ("192.0.2.1", 8888)
    assert attributes["initiator_ip_address"] == "127.0.0.1" and 0 < attributes["initiator_port"] < 65536
    assert gateway.show(tunnel) == attributes
    again = gateway.update(tunnel, listener_ip_address="[::1]", listener_port="99")[1]["data"]["attributes"]
    assert (again["listener_ip_address"], again["listener_port"]) == ("::1", 99)
    assert again["initiator_port"] == attributes["initiator_port"]


def test_create_with_a_listener_contact(gateway):
    attributes = gateway.show(gateway.create(listener_ip_address="host.example", listener_port=1))
    assert (attributes["state"], attributes["listener_ip_address"]) == ("ACTIVE", "host.example")


@pytest.mark.parametrize("attributes", [
    {"listener_ip_address": "127.0.0.1"}, {"listener_port": 80}, {"listener_ip_address": "a b", "listener_port": 80},
    {"listener_ip_address": "", "listener_port": 80}, {"listener_ip_address": "1:2", "listener_port": 80},
    {"listener_ip_address": "x" * 300, "listener_port": 80}, {"listener_ip_address": "a", "listener_port": 0},
    {"listener_ip_address": "a", "listener_port": 65536}, {"listener_ip_address": "a", "listener_port": "8o"},
    {"listener_ip_address": 1, "listener_port": 80}, {"listener_ip_address": "a", "listener_port": -1},
    {"state": "STOPPED"}, {"state": 1}, {"label": []}])
def test_bad_updates(gateway, attributes):
    tunnel = gateway.create(label="as it was")
    before = gateway.show(tunnel)
    status, answer = gateway.update(tunnel, **attributes)
    assert status == 422 and answer["detail"][0]["loc"][:3] == ["body", "data", "attributes"]
    assert gateway.show(tunnel) == before


def test_update_label(gateway):
    tunnel = gateway.create(label="old")
    assert gateway.update(tunnel, label="new")[1]["data"]["attributes"]["label"] == "new"
    assert gateway.update(tunnel)[1]["data"]["attributes"]["label"] == "new"
    assert gateway.show(tunnel)["state"] == "AWAITING_LISTENER"


def test_delete(gateway):
    tunnel = gateway.create()
    status, answer = gateway.call("DELETE", f"/v2/tunnels/{tunnel}")
    assert status == 409 and answer["errors"][0]["code"] == "Conflict"
    assert gateway.update(tunnel, state="STOPPING")[1]["data"]["attributes"]["state"] == "STOPPED"
    assert gateway.update(tunnel, state="STOPPING")[0] == 200
    assert gateway.update(tunnel, listener_ip_address="a", listener_port=1)[0] == 409
    status, answer = gateway.call("DELETE", f"/v2/tunnels/{tunnel}")
    assert status == 200 and answer["data"] is None and answer["meta"]["request_id"]
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/events")):
        status, answer = gateway.call(method, f"/v2/tunnels/{tunnel}{path}")
        assert status == 404 and set(answer["errors"][0]) >= {"code", "title", "detail"}
    assert gateway.update(tunnel, label="x")[0] == 404


def test_events(gateway):
    tunnel = gateway.create()
    gateway.update(tunnel, listener_ip_address="127.0.0.1", listener_port=1)
    gateway.update(tunnel, listener_ip_address="127.0.0.1", listener_port=2)
    gateway.update(tunnel, state="STOPPING")
    status, answer = gateway.call("GET", f"/v2/tunnels/{tunnel}/events")
    assert status == 200 and list(answer) == ["data", "meta", "links"] and answer["links"] is None
    assert [e["attributes"]["code"] for e in answer["data"]] == ["STARTED", "TUNNEL_ACTIVE", "TUNNEL_STOPPED"]
    for event in answer["data"]:
        assert event["type"] == "TunnelEvent" and isinstance(event["id"], int)
        assert set(event["attributes"]) == {"code", "is_error", "description", "details", "time"}
        assert event["attributes"]["is_error"] is False
    only = gateway.call("GET", f"/v2/tunnels/{tunnel}/events?code_name=TUNNEL_ACTIVE")[1]["data"]
    assert only == answer["data"][1:2]
    assert gateway.call("GET", f"/v2/tunnels/{tunnel}/events?is_error=true")[1]["data"] == []


def test_list_pages(gateway):
    made = [gateway.create(label=str(i)) for i in range(7)]
    status, answer = gateway.call("GET", "/v2/tunnels")
    assert [t["id"] for t in answer["data"]] == made and answer["links"] is None
    seen, path = [], "/v2/tunnels?page[limit]=3"
    sizes = []
    while path:
        status, answer = gateway.call("GET", path)
        assert status == 200
        seen += [t["id"] for t in answer["data"]]
        sizes.append(len(answer["data"]))
        path = answer["links"] and answer["links"]["next"]
        if path:
            assert path.startswith(gateway.url)
            path = path[len(gateway.url):]
    assert (seen, sizes) == (made, [3, 3, 1])
    for query in ("page[limit]=0", "page[limit]=x", "page[limit]=1001", "page[marker]=-1"):
        status, answer = gateway.call("GET", "/v2/tunnels?" + query)
        assert status == 422 and answer["detail"][0]["loc"][0] == "query"


def test_lifetime(gateway):
    tunnel = gateway.create(lifetime_mins=1)
    gateway.update(tunnel, listener_ip_address="127.0.0.1", listener_port=1)
    assert gateway.stop() == 0
    state = json.loads((gateway.state / "state.json").read_text())
    state["tunnels"][0]["created"] = int(time.time()) - 58
    (gateway.state / "state.json").write_text(json.dumps(state))
    gateway.start()
    attributes = gateway.show(tunnel)
    assert attributes["state"] == "ACTIVE"
    wait_for(lambda: gateway.show(tunnel)["state"] == "STOPPED", 5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", attributes["initiator_port"]))
    assert gateway.show(tunnel)["initiator_port"] is None
    last = gateway.call("GET", f"/v2/tunnels/{tunnel}/events")[1]["data"][-1]["attributes"]
    assert last["code"] == "TUNNEL_STOPPED" and "lifetime" in last["details"]


def test_lifetime_that_ends_while_it_is_not_running(gateway):
    tunnel = gateway.create(lifetime_mins=1)
    gateway.update(tunnel, listener_ip_address="127.0.0.1", listener_port=1)
    assert gateway.stop() == 0
    state = json.loads((gateway.state / "state.json").read_text())
    state["tunnels"][0]["created"] -= 100
    (gateway.state / "state.json").write_text(json.dumps(state))
    gateway.start()
    assert gateway.show(tunnel)["state"] == "STOPPED"


# --- access points, endpoints, paths ---


def test_access_points(gateway):
    status, answer = gateway.call("GET", "/v2/stream_access_points")
    assert status == 200 and [ap["id"] for ap in answer["data"]] == [gateway.initiator_ap, gateway.listener_ap]
    for ap in answer["data"]:
        assert ap["type"] == "StreamAccessPoint" and ap["attributes"]["display_name"]
        assert ap["attributes"]["tlsftp_server"].startswith("tlsftp://")
        assert ap["relationships"]["host_endpoint"]["data"]["type"] == "Endpoint"
        assert gateway.call("GET", f"/v2/stream_access_points/{ap['id']}")[1]["data"] == ap
    for text, count in (("LISTENER", 1), ("lab access", 2), ("nothing like it", 0), (gateway.initiator_ap, 1)):
        query = urllib.parse.urlencode({"filter[fulltext]": text})
        assert len(gateway.call("GET", f"/v2/stream_access_points?{query}")[1]["data"]) == count
    status, answer = gateway.call("GET", "/v2/stream_access_points?filter[fulltext]=lab+access&page[limit]=1")
    following = answer["links"]["next"][len(gateway.url):]
    assert [ap["id"] for ap in gateway.call("GET", following)[1]["data"]] == [gateway.listener_ap]
    assert gateway.call("GET", f"/v2/stream_access_points/{NOBODY}")[0] == 404


def test_endpoint(gateway):
    endpoint = gateway.endpoint(gateway.listener_ap)
    status, answer = gateway.call("GET", f"/v0.10/endpoint/{endpoint}")
    assert (status, answer["id"], answer["gcs_manager_url"]) == (200, endpoint, f"{gateway.url}/gcs/{endpoint}")
    status, answer = gateway.call("GET", f"/v0.10/endpoint/{NOBODY}")
    assert status == 404 and set(answer) == {"code", "message", "request_id"}


def test_paths(gateway):
    status, answer = gateway.call("GET", "/v2/tunnels/not-a-uuid")
    assert status == 422 and answer["detail"][0]["loc"] == ["path", "tunnel_uuid"]
    assert gateway.call("GET", "/")[0] == 404
    assert gateway.call("GET", "/v2/tunnels/")[0] == 404
    assert gateway.call("GET", f"/v2/tunnels/{NOBODY}/")[0] == 404
    assert gateway.call("PUT", "/v2/tunnels")[0] == 405
    assert gateway.call("GET", "/v2/oauth2/nothing")[1]["error"] == "not_found"
    assert gateway.call("GET", "/v0.10/endpoint/x")[1]["code"] == "NotFound"
    assert gateway.call("GET", "/gcs/x")[1]["DATA_TYPE"].startswith("result#")


# --- LAN secrets ---


def test_lan_secret(gateway):
    tunnel, endpoint = gateway.create(lifetime_mins=10), gateway.endpoint(gateway.listener_ap)
    body = {"DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": tunnel,
            "stream_access_point_id": gateway.listener_ap}
    status, answer = gateway.call("POST", f"/gcs/{endpoint}/api/lan_secrets", body, scope=scope_of(endpoint))
    assert status == 201 and set(answer) == {"DATA_TYPE", "code", "http_response_code", "message", "detail", "data",
                                             "authorization_parameters"}
    assert (answer["code"], answer["http_response_code"]) == ("success", 201)
    secret, = answer["data"]
    assert UUID.fullmatch(secret.pop("id")) and re.fullmatch("[0-9a-f]{64}", secret.pop("secret"))
    assert 590 < secret.pop("expires") - time.time() <= 600
    assert secret == {"DATA_TYPE": "lan_secret#1.0.0", "tunnel_id": tunnel,
                      "stream_access_point_id": gateway.listener_ap, "identity_id": gateway.client[0],
                      "username": gateway.client[0] + "@clients.auth.globus.org"}


def test_lan_secret_lifetime(gateway):
    tunnel, endpoint = gateway.create(lifetime_mins=10), gateway.endpoint(gateway.listener_ap)
    for wanted, expected in ((1, 60), (1000, 600)):
        body = {"DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": tunnel, "expires_in_mins": wanted,
                "stream_access_point_id": gateway.listener_ap}
        answer = gateway.call("POST", f"/gcs/{endpoint}/api/lan_secrets", body, scope=scope_of(endpoint))[1]
        assert expected - 5 < answer["data"][0]["expires"] - time.time() <= expected


@pytest.mark.parametrize("field, value, status, code", [
    ("DATA_TYPE", "lan_secret#1.0.0", 422, "unprocessable_entity"), ("DATA_TYPE", ..., 422, "unprocessable_entity"),
    ("tunnel_id", ..., 422, "unprocessable_entity"), ("tunnel_id", "x", 422, "unprocessable_entity"),
    ("tunnel_id", NOBODY, 404, "not_found"), ("stream_access_point_id", NOBODY, 404, "not_found"),
    ("stream_access_point_id", "initiator", 404, "not_found"), ("expires_in_mins", 0, 422, "unprocessable_entity")])
def test_bad_lan_secrets(gateway, field, value, status, code):
    endpoint = gateway.endpoint(gateway.listener_ap)
    body = {"DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": gateway.create(),
            "stream_access_point_id": gateway.listener_ap}
    change(body, field, gateway.initiator_ap if value == "initiator" else value)
    got, answer = gateway.call("POST", f"/gcs/{endpoint}/api/lan_secrets", body, scope=scope_of(endpoint))
    assert (got, answer["code"], answer["http_response_code"], answer["data"]) == (status, code, status, [])


def test_delete_lan_secret(gateway):
    tunnel, endpoint = gateway.create(), gateway.endpoint(gateway.listener_ap)
    path = f"/gcs/{endpoint}/api/lan_secrets/{gateway.secret(tunnel, gateway.listener_ap)[0]}"
    parameters, verifier, _ = login(gateway, scope=scope_of(endpoint))
    somebody = exchange(gateway, parameters["code"], verifier)[1]["access_token"]
    status, answer = gateway.call("DELETE", path, token=somebody)
    assert (status, answer["code"]) == (403, "permission_denied")
    status, answer = gateway.call("DELETE", path, scope=scope_of(endpoint))
    assert (status, answer["code"], answer["data"]) == (200, "success", [])
    assert gateway.call("DELETE", path, scope=scope_of(endpoint))[0] == 404
    # at the other endpoint it does not exist
    other = gateway.secret(tunnel, gateway.initiator_ap)[0]
    assert gateway.call("DELETE", f"/gcs/{endpoint}/api/lan_secrets/{other}", scope=scope_of(endpoint))[0] == 404


def test_no_lan_secret_for_a_stopped_tunnel(gateway):
    tunnel, endpoint = gateway.create(), gateway.endpoint(gateway.listener_ap)
    gateway.update(tunnel, state="STOPPING")
    body = {"DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": tunnel,
            "stream_access_point_id": gateway.listener_ap}
    assert gateway.call("POST", f"/gcs/{endpoint}/api/lan_secrets", body, scope=scope_of(endpoint))[0] == 409


# --- state ---


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_everything_survives_a_restart(gateway, how):
    tunnel = gateway.create(label="kept")
    gateway.update(tunnel, listener_ip_address="127.0.0.1", listener_port=1)
    gateway.secret(tunnel, gateway.initiator_ap)
    stopped = gateway.create()
    gateway.update(stopped, state="STOPPING")
    parameters, verifier, _ = login(gateway)
    refresh = exchange(gateway, parameters["code"], verifier)[1]["refresh_token"]
    before = [gateway.call("GET", path)[1]["data"] for path in (
        "/v2/tunnels", f"/v2/tunnels/{tunnel}/events", "/v2/stream_access_points")]
    token, env = gateway.token(), gateway.env
    gateway.stop(how)
    gateway.start()
    assert gateway.env == env
    gateway.tokens[TRANSFER] = token
    assert before == [gateway.call("GET", path)[1]["data"] for path in (
        "/v2/tunnels", f"/v2/tunnels/{tunnel}/events", "/v2/stream_access_points")]
    assert gateway.form("/v2/oauth2/token", {"grant_type": "refresh_token", "refresh_token": refresh,
                                             "client_id": NOBODY})[0] == 200


def test_no_token_is_in_the_state(gateway):
    token = gateway.token()
    assert token not in (gateway.state / "state.json").read_text()


def test_state_that_cannot_be_written(gateway):
    (gateway.state / "state.json").unlink()
    (gateway.state / "state.json").mkdir()  # rename() will not replace a folder
    status, answer = gateway.form("/v2/oauth2/token", {"grant_type": "client_credentials"}, gateway.client)[:2]
    assert status == 500
    (gateway.state / "state.json").rmdir()
    gateway.create()
    assert json.loads((gateway.state / "state.json").read_text())["tunnels"]


def test_many_requests_at_once(gateway):
    gateway.token()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        made = list(pool.map(lambda _: gateway.create(), range(300)))
    assert len(set(made)) == 300
    state = json.loads((gateway.state / "state.json").read_text())
    assert {t["id"] for t in state["tunnels"]} == set(made)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_is_kept_when_it_ends_amid_requests(gateway, how):
    made = []

    def create():
        while True:
            try:
                made.append(gateway.create())
            except (OSError, http.client.HTTPException):
                return

    for _ in range(3):
        gateway.token()
        target = len(made) + 40
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(create)
            wait_for(lambda: len(made) > target)
            assert gateway.stop(how) == (0 if how == signal.SIGTERM else -how)
        gateway.start()
        assert {t["id"] for t in gateway.call("GET", "/v2/tunnels?page[limit]=1000")[1]["data"]} >= set(made)
