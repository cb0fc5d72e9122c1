"""globus-streams-gateway's Globus Auth: grants, logins, and what a token is good for."""

import pytest

from gateway_lab import NOBODY, TRANSFER, UUID, Gateway, exchange, login, scope_of, wait_for


# --- grants and logins ---


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
