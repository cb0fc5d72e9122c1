"""A gateway of its own for each test, its HTTP services, and both roles of LAN authentication."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GS_BUILD", ROOT / "build"))
PROGRAM = BUILD / "contrib" / "gateway" / "globus-streams-gateway"

TRANSFER = "urn:globus:auth:scope:transfer.api.globus.org:all"

HELLO, CHALLENGE, RESPONSE, STATUS = 1, 2, 3, 4
OK, REFUSED, UNKNOWN_KEY, NOT_ACTIVE, UNREACHABLE, TIMED_OUT, BUSY, BAD_VERSION = range(8)


class Gateway:
    """The program, from its start to its end."""

    def __init__(self, state, *options, wrapper=()):
        self.state, self.options, self.wrapper = pathlib.Path(state), options, wrapper
        self.process = None
        self.start()

    def start(self, *options):
        self.process = subprocess.Popen([*self.wrapper, str(PROGRAM), "--state", str(self.state), *self.options,
                                         *options], stdout=subprocess.PIPE, text=True)
        self.ready = self.process.stdout.readline()
        assert "ready on" in self.ready, (self.ready, self.process.wait(10))
        text = (self.state / "env").read_text()
        self.env = dict(re.findall(r"^export (\w+)=(\S+)$", text, re.M))
        self.url = self.env["GLOBUS_SDK_SERVICE_URL_TRANSFER"]
        self.host, self.port = urllib.parse.urlsplit(self.url).hostname, urllib.parse.urlsplit(self.url).port
        self.initiator_ap, self.listener_ap = self.env["LAB_INITIATOR_AP"], self.env["LAB_LISTENER_AP"]
        self.client = (self.env["GLOBUS_CLI_CLIENT_ID"], self.env["GLOBUS_CLI_CLIENT_SECRET"])
        self.tokens = {}

    def stop(self, how=signal.SIGTERM):
        """End it; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(60)
        self.process.stdout.close()
        return status

    # --- HTTP ---

    def request(self, method, path, body=None, headers=None):
        """(status, body as JSON or text, headers)"""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = answer.headers.get("Content-Type") == "application/json"
        return answer.status, json.loads(text) if is_json else text, answer.headers

    def form(self, path, fields, client=None):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if client:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(client).encode()).decode()
        return self.request("POST", path, urllib.parse.urlencode(fields), headers)

    def token(self, scope=TRANSFER):
        if scope not in self.tokens:
            status, answer, _ = self.form("/v2/oauth2/token",
                                          {"grant_type": "client_credentials", "scope": scope}, self.client)
            assert status == 200, answer
            self.tokens[scope] = answer["access_token"]
        return self.tokens[scope]

    def call(self, method, path, body=None, scope=TRANSFER, token=None):
        """A request with a token: (status, body)"""
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        headers = {"Authorization": "Bearer " + (token or self.token(scope)), "Content-Type": "application/json"}
        return self.request(method, path, text, headers)[:2]

    # --- tunnels ---

    def create(self, **attributes):
        """A new tunnel's id."""
        status, answer = self.call("POST", "/v2/tunnels", self.tunnel_body(**attributes))
        assert status == 201, answer
        return answer["data"]["id"]

    def tunnel_body(self, **attributes):
        attributes.setdefault("submission_id", str(uuid.uuid4()))
        return {"data": {"type": "Tunnel", "attributes": attributes, "relationships": {
            "initiator": {"data": {"type": "StreamAccessPoint", "id": self.initiator_ap}},
            "listener": {"data": {"type": "StreamAccessPoint", "id": self.listener_ap}}}}}

    def update(self, tunnel, **attributes):
        return self.call("PATCH", f"/v2/tunnels/{tunnel}", {"data": {"type": "Tunnel", "attributes": attributes}})

    def show(self, tunnel):
        status, answer = self.call("GET", f"/v2/tunnels/{tunnel}")
        assert status == 200, answer
        return answer["data"]["attributes"]

    def endpoint(self, access_point):
        status, answer = self.call("GET", f"/v2/stream_access_points/{access_point}")
        assert status == 200, answer
        return answer["data"]["relationships"]["host_endpoint"]["data"]["id"]

    def secret(self, tunnel, access_point, **more):
        """A new LAN secret: (its id, its key)"""
        endpoint = self.endpoint(access_point)
        status, answer = self.call("POST", f"/gcs/{endpoint}/api/lan_secrets", {
            "DATA_TYPE": "lan_secret_create#1.0.0", "tunnel_id": tunnel, "stream_access_point_id": access_point,
            **more}, scope=scope_of(endpoint))
        assert status == 201, answer
        return answer["data"][0]["id"], answer["data"][0]["secret"]

    def active(self, listener, secured=True):
        """A tunnel to (host, port), with a secret on both sides or on none."""
        tunnel = Tunnel(self.create())
        if secured:
            tunnel.initiator = self.secret(tunnel.id, self.initiator_ap)
            tunnel.listener = self.secret(tunnel.id, self.listener_ap)
        status, answer = self.update(tunnel.id, listener_ip_address=listener[0], listener_port=listener[1])
        assert status == 200, answer
        attributes = answer["data"]["attributes"]
        assert attributes["state"] == "ACTIVE"
        tunnel.contact = (attributes["initiator_ip_address"], attributes["initiator_port"])
        return tunnel


class Tunnel:
    """id, contact: where the initiator calls; initiator, listener: (secret id, key) of that side, or None"""

    def __init__(self, tunnel):
        self.id, self.contact, self.initiator, self.listener = tunnel, None, None, None


def scope_of(endpoint):
    return f"urn:globus:auth:scope:{endpoint}:manage_collections"


# --- LAN authentication, written from its description alone ---


class Refused(Exception):
    """The other side said STATUS with this code."""


def header(kind, code=0):
    return b"GSL1" + struct.pack(">BBH", kind, 1, code)


def mac(key, role, *frames):
    return hmac.new(key.encode(), b"globus-streams lan-auth v1 " + role + b"\0" + b"".join(frames),
                    hashlib.sha256).digest()


def receive(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionResetError(f"closed after {len(data)} of {count} bytes")
        data += piece
    return data


def receive_all(sock):
    """Until the other side's FIN."""
    pieces = []
    while piece := sock.recv(1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def receive_frame(sock, kind):
    head = receive(sock, 8)
    if head[:5] == b"GSL1\x04" and head[6:] != b"\0\0":
        raise Refused(struct.unpack(">H", head[6:])[0])
    assert head == header(kind), head
    return head + receive(sock, 32)


def authenticate_caller(sock, secret, key_id=None, nonce=None):
    hello = header(HELLO) + uuid.UUID(key_id or secret[0]).bytes + (nonce or os.urandom(32))
    sock.sendall(hello)
    challenge = receive_frame(sock, CHALLENGE)
    response = header(RESPONSE) + mac(secret[1], b"caller", hello, challenge)
    sock.sendall(response)
    status = receive_frame(sock, STATUS)
    assert status[8:] == mac(secret[1], b"answerer", hello, challenge, response, status[:8])


def authenticate_answerer(sock, secret):
    hello = receive(sock, 56)
    assert hello[:8] == header(HELLO) and hello[8:24] == uuid.UUID(secret[0]).bytes
    challenge = header(CHALLENGE) + os.urandom(32)
    sock.sendall(challenge)
    response = receive(sock, 40)
    assert response == header(RESPONSE) + mac(secret[1], b"caller", hello, challenge)
    status = header(STATUS)
    sock.sendall(status + mac(secret[1], b"answerer", hello, challenge, response, status))


def call(tunnel, timeout=20):
    """The initiator's side of a connection through the tunnel."""
    sock = socket.create_connection(tunnel.contact, timeout=timeout)
    try:
        if tunnel.initiator:
            authenticate_caller(sock, tunnel.initiator)
    except BaseException:
        sock.close()
        raise
    return sock


class Listener:
    """A listening socket, and what is done with each connection, on a thread of its own."""

    def __init__(self, handle=None, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, 0))
        self.socket.listen(4096)
        self.contact = self.socket.getsockname()[:2]
        self.secret = None
        if handle:
            threading.Thread(target=self.serve, args=(handle,), daemon=True).start()

    def serve(self, handle):
        while True:
            try:
                sock, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(handle, sock), daemon=True).start()

    def serve_one(self, handle, sock):
        with sock:
            sock.settimeout(60)
            try:
                if self.secret:
                    authenticate_answerer(sock, self.secret)
                handle(sock)
            except OSError:
                pass

    def accept(self, timeout=20):
        """One connection, authenticated."""
        self.socket.settimeout(timeout)
        sock, _ = self.socket.accept()
        sock.settimeout(timeout)
        if self.secret:
            authenticate_answerer(sock, self.secret)
        return sock

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def echo(sock):
    while data := sock.recv(1 << 20):
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def reset(sock):
    """Close with a RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def wait_for(condition, seconds=10):
    """Until it is true; its value."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return value
