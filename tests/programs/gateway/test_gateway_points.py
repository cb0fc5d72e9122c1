"""globus-streams-gateway: access points, endpoints, and LAN secrets."""

import re
import time
import urllib.parse

import pytest

from gateway_lab import NOBODY, UUID, change, exchange, login, scope_of


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
    assert len(gateway.call("GET", "/v2/stream_access_points?filter[endpoint_admin]=true")[1]["data"]) == 2
    assert gateway.call("GET", "/v2/stream_access_points?filter[endpoint_admin]=both")[0] == 422
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
