"""globus-streams-gateway's Transfer: the life of a tunnel, from its creation to its end."""

import calendar
import concurrent.futures
import json
import re
import socket
import time

import pytest

from gateway_lab import NOBODY, UUID, change, wait_for


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
    assert gateway.call("GET", f"/v2/tunnels/{tunnel}/events?is_error=false")[1]["data"] == answer["data"]
    for query in ("is_error=perhaps", "is_error=true&code_name=STARTED"):
        status, refusal = gateway.call("GET", f"/v2/tunnels/{tunnel}/events?{query}")
        assert status == 422 and refusal["detail"][0]["loc"] == ["query", "is_error"]
    seen, path = [], f"/v2/tunnels/{tunnel}/events?is_error=false&page[limit]=2"
    while path:
        page = gateway.call("GET", path)[1]
        seen.append([e["id"] for e in page["data"]])
        path = page["links"] and page["links"]["next"][len(gateway.url):]
    assert [len(ids) for ids in seen] == [2, 1] and sum(seen, []) == [e["id"] for e in answer["data"]]


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
