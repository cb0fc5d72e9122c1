"""The gateway as it is, and as an access point of Globus's own: what the manager says, what the LAN port takes."""

import socket
import subprocess

import pytest

from gateway_lab import PROGRAM, Gateway, Listener, scope_of

FIELD = "globus_streams_lan_auth"


@pytest.fixture
def start(tmp_path):
    running = []

    def with_options(*options):
        running.append(Gateway(tmp_path, *options))
        return running[-1]
    yield with_options
    for one in running:
        one.stop()


def info(gateway, endpoint):
    status, answer, _ = gateway.request("GET", f"/gcs/{endpoint}/api/info")
    assert status == 200 and answer["code"] == "success"
    return answer["data"][0]


def stream_gateways(gateway, endpoint):
    return gateway.call("GET", f"/gcs/{endpoint}/api/stream_gateways", scope=scope_of(endpoint))


def test_info(start):
    """Without a login."""
    gateway = start()
    endpoint = gateway.endpoint(gateway.initiator_ap)
    told = info(gateway, endpoint)
    assert told["DATA_TYPE"] == "info#1.0.0" and told["endpoint_id"] == endpoint and told["api_version"]
    assert told[FIELD] == ["v1"]
    status, answer, _ = gateway.request("GET", "/gcs/00000000-0000-4000-8000-000000000000/api/info")
    assert status == 404 and answer["code"] == "not_found"


@pytest.mark.parametrize("part, required", [("", False), ("=optional", False), ("=required", True), ("=silent", None)])
def test_manager(start, part, required):
    gateway = start("--as-globus" + part)
    endpoint = gateway.endpoint(gateway.initiator_ap)
    assert FIELD not in info(gateway, endpoint)
    status, answer = stream_gateways(gateway, endpoint)
    if required is None:
        assert status == 403
    else:
        assert status == 200 and answer["data"][0]["id"] == gateway.initiator_ap
        assert answer["data"][0]["lan_secret_required"] is required
    assert gateway.request("GET", f"/gcs/{endpoint}/api/stream_gateways")[0] == 401


def ends(contact):
    """Whether a connection there is ended at once: it may be before connect() returns."""
    try:
        with socket.create_connection(contact, 10) as sock:
            return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("part, through", [("optional", True), ("silent", True), ("required", False)])
def test_lan_port(start, part, through):
    """Also where a secret was made for the tunnel."""
    gateway = start(f"--as-globus={part}")
    listener = Listener()
    tunnel = gateway.active(listener.contact)
    if not through:
        assert ends(tunnel.contact)
    else:
        with socket.create_connection(tunnel.contact, 10) as caller:
            caller.sendall(b"question")
            with listener.accept() as callee:
                assert callee.recv(100) == b"question"
                callee.sendall(b"answer")
                assert caller.recv(100) == b"answer"
    listener.close()


def test_wrong_part(tmp_path):
    done = subprocess.run([PROGRAM, "--state", tmp_path, "--as-globus=other"], capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "optional, required or silent, not 'other'" in done.stderr
