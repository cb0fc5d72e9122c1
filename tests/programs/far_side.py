"""The far side's faults: a Globus that can be told to misbehave.

The real counterpart is the gateway; this one exists because a gateway cannot be made to truncate an
answer, to demand another login, or to answer with a page of HTML. It keeps every request it got.
"""

import base64
import hashlib
import json
import re
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

CLIENT_ID = "11111111-1111-4111-8111-111111111111"
CLIENT_SECRET = "client-secret-that-must-not-show"
INITIATOR_AP = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
LISTENER_AP = "bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb"
ENDPOINT = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
TRANSFER = "transfer.api.globus.org"
TRANSFER_SCOPE = "urn:globus:auth:scope:transfer.api.globus.org:all"


class Answer:
    """What to send: a document (JSON), or bytes as they are; where to stop; how slowly."""

    def __init__(self, status, document=None, raw=None, headers=None, cut=None, delay=0, reset=False):
        self.status, self.headers = status, headers or {}
        self.cut, self.delay, self.reset = cut, delay, reset
        self.body = raw if raw is not None else (b"" if document is None else json.dumps(document).encode())


class Request:
    def __init__(self, method, path, query, headers, body, peer):
        self.method, self.path, self.query, self.headers, self.body = method, path, query, headers, body
        self.peer = peer

    def json(self):
        return json.loads(self.body)

    def form(self):
        return {k: v[0] for k, v in parse_qs(self.body.decode()).items()}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each answer waits 40 ms for the acknowledgement of its head

    def log_message(self, *args):
        pass

    def _any(self):
        url = urlparse(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, url.path, url.query, self.headers, body, self.client_address)
        answer = self.server.far.answer(request)
        if answer.reset:
            self.connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0: RST
        if answer.reset and answer.cut is None:
            self.close_connection = True
            self.connection.close()
            return
        if answer.delay:
            time.sleep(answer.delay)
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body if answer.cut is None else answer.body[: answer.cut])
            if answer.cut is not None:
                self.close_connection = True
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


class FarSide:
    def __init__(self):
        self.requests, self.tunnels, self.secrets, self.events = [], {}, {}, {}
        self.rules = []  # (method, path pattern, callable(request, default) -> Answer)
        self.tokens, self.codes, self.refresh, self.revoked = {}, {}, {}, set()
        self.lifetime = 172800
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.far = self
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    # Told by tests.

    def rule(self, method, pattern, answer, times=None):
        """Answer so (an Answer, or a callable) instead; times: then as usual again."""
        self.rules.append([method, re.compile(pattern + r"\Z"), answer, times])

    def count(self, method, pattern):
        return len(self.asked(method, pattern))

    def asked(self, method, pattern):
        return [r for r in self.requests if r.method == method and re.fullmatch(pattern, r.path)]

    def tunnel(self, state="AWAITING_LISTENER", **attributes):
        number = str(uuid.uuid4())
        self.tunnels[number] = self.document(number, INITIATOR_AP, LISTENER_AP, state=state, **attributes)
        return number

    def active(self, **attributes):
        return self.tunnel("ACTIVE", initiator_ip_address="127.0.0.1", initiator_port=4711,
                           listener_ip_address="10.0.2.164", listener_port=8888, **attributes)

    def log_in(self, address):
        """What a user does in a browser: the code for what the address asks, or the redirect with it."""
        url = urlparse(address)
        asked = {k: v[0] for k, v in parse_qs(url.query).items()}
        assert url.path == "/v2/oauth2/authorize" and asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256" and asked["access_type"] == "offline"
        code = "code-" + uuid.uuid4().hex
        self.codes[code] = asked
        return code, asked

    # What Globus does.

    def document(self, number, initiator, listener, **attributes):
        values = {"label": None, "state": "AWAITING_LISTENER", "status": "waiting for the listener",
                  "lifetime_mins": 360, "restartable": False, "created_time": "2026-01-31T10:00:00.25+00:00",
                  "listener_ip_address": None, "listener_port": None, "initiator_ip_address": None,
                  "initiator_port": None}
        values.update(attributes)

        def ap(i):
            return {"data": {"type": "StreamAccessPoint", "id": i}}

        return {"data": {"type": "Tunnel", "id": number, "attributes": values,
                         "relationships": {"initiator": ap(initiator), "listener": ap(listener),
                                           "owner": {"data": {"type": "Identity", "id": str(uuid.uuid4())}}}},
                "meta": {"request_id": "r1"}}

    def answer(self, request):
        with self.lock:
            self.requests.append(request)
            for rule in self.rules:
                method, pattern, answer, times = rule
                if method != request.method or not pattern.match(request.path) or times == 0:
                    continue
                if times is not None:
                    rule[3] = times - 1
                return answer(request, lambda: self.usual(request)) if callable(answer) else answer
            return self.usual(request)

    def usual(self, request):
        if request.path.startswith("/v2/oauth2/"):
            return self.auth(request)
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        server = ENDPOINT if request.path.startswith("/manager/api/") else TRANSFER
        if self.tokens.get(token) != server:
            return Answer(401, {"errors": [{"code": "UNAUTHORIZED", "title": "Authentication failed",
                                            "detail": "the token is not valid"}]})
        for pattern, handler in ((r"/v2/tunnels", self.all_tunnels), (r"/v2/tunnels/([^/]+)", self.one_tunnel),
                                 (r"/v2/tunnels/([^/]+)/events", self.list_events),
                                 (r"/v2/stream_access_points", self.all_points),
                                 (r"/v2/stream_access_points/([^/]+)", self.one_point),
                                 (r"/v0\.10/endpoint/([^/]+)", self.endpoint),
                                 (r"/manager/api/lan_secrets(?:/([^/]+))?", self.lan_secret)):
            match = re.fullmatch(pattern, request.path)
            if match:
                return handler(request, *match.groups())
        return Answer(404, {"errors": [{"code": "NOT_FOUND", "title": "Not Found", "detail": request.path}]})

    def new_token(self, server, scope, refresh=None):
        token = "access-" + uuid.uuid4().hex
        self.tokens[token] = server
        grant = {"access_token": token, "expires_in": self.lifetime, "scope": scope, "resource_server": server,
                 "token_type": "Bearer"}
        if refresh:
            grant["refresh_token"] = refresh
        return grant

    def auth(self, request):
        form = request.form()
        if request.path.endswith("/revoke"):
            self.tokens.pop(form["token"], None)
            return Answer(200, {"active": False})
        if request.path.endswith("/userinfo"):
            token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
            if self.tokens.get(token) != "auth.globus.org":
                return Answer(401, {"error": "invalid_token"})
            return Answer(200, {"sub": CLIENT_ID, "preferred_username": "ada@example.org", "name": "Ada",
                                "email": "ada@example.org", "novelty": []})
        if form.get("grant_type") == "client_credentials":
            given = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
            if request.headers.get("Authorization") != "Basic " + given:
                return Answer(401, {"error": "invalid_client"})
        elif form.get("grant_type") == "refresh_token":
            if not form["refresh_token"].startswith("refresh-") or form["refresh_token"] in self.revoked:
                return Answer(400, {"error": "invalid_grant"})
            form["scope"] = next(s for s, refresh in self.refresh.items() if refresh == form["refresh_token"])
        elif form.get("grant_type") == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
            if (not asked or asked["code_challenge"] != challenge.decode().rstrip("=")
                    or asked["redirect_uri"] != form["redirect_uri"] or asked["client_id"] != form["client_id"]):
                return Answer(400, {"error": "invalid_grant"})
            form["scope"] = asked["scope"]
        grants = []
        scopes = form.get("scope", TRANSFER_SCOPE).split()
        about_user = " ".join(s for s in scopes if s in ("openid", "profile", "email"))
        for scope in [s for s in scopes if s.startswith("urn:")] + ([about_user] if about_user else []):
            server = scope.split(":")[4] if scope != about_user else "auth.globus.org"
            if form["grant_type"] != "client_credentials":
                self.refresh.setdefault(scope, "refresh-" + uuid.uuid4().hex)
            grants.append(self.new_token(server, scope, self.refresh.get(scope)))
        return Answer(200, dict(grants[0], other_tokens=grants[1:]))

    def missing(self, what):
        return Answer(404, {"errors": [{"code": "NOT_FOUND", "title": "Not Found", "detail": f"no {what}"}]})

    def all_tunnels(self, request):
        if request.method == "GET":
            return Answer(200, {"data": [t["data"] for t in self.tunnels.values()], "links": {"next": None}})
        data = request.json()["data"]
        attributes = {k: v for k, v in data["attributes"].items() if k != "submission_id"}
        number = str(uuid.uuid4())
        self.tunnels[number] = self.document(number, data["relationships"]["initiator"]["data"]["id"],
                                             data["relationships"]["listener"]["data"]["id"], **attributes)
        return Answer(201, self.tunnels[number])

    def one_tunnel(self, request, number):
        tunnel = self.tunnels.get(number)
        if not tunnel:
            return self.missing("such tunnel")
        attributes = tunnel["data"]["attributes"]
        if request.method == "DELETE":
            if attributes["state"] != "STOPPED":
                return Answer(409, {"errors": [{"code": "CONFLICT", "title": "Conflict",
                                                "detail": "the tunnel must be stopped first"}]})
            del self.tunnels[number]
            return Answer(200, {"data": None, "meta": {"request_id": "r"}})
        if request.method == "PATCH":
            change = request.json()["data"]["attributes"]
            if change.get("state") == "STOPPING":
                change["state"] = "STOPPED"
            attributes.update(change)
            if attributes["listener_port"] and attributes["state"] == "AWAITING_LISTENER":
                attributes.update(state="ACTIVE", initiator_ip_address="127.0.0.1", initiator_port=4711)
        return Answer(200, tunnel)

    def list_events(self, request, number):
        if number not in self.tunnels:
            return self.missing("such tunnel")
        return Answer(200, {"data": self.events.get(number, []), "links": {"next": None}})

    def point(self, number):
        name = {INITIATOR_AP: "Initiator Site", LISTENER_AP: "Listener Site"}[number]
        return {"type": "StreamAccessPoint", "id": number,
                "attributes": {"display_name": name, "tlsftp_server": "tlsftp://127.0.0.1", "organization": "Lab"},
                "relationships": {"host_endpoint": {"data": {"type": "Endpoint", "id": ENDPOINT}}}}

    def all_points(self, request):
        return Answer(200, {"data": [self.point(INITIATOR_AP), self.point(LISTENER_AP)]})

    def one_point(self, request, number):
        if number not in (INITIATOR_AP, LISTENER_AP):
            return self.missing("such access point")
        return Answer(200, {"data": self.point(number)})

    def endpoint(self, request, number):
        if number != ENDPOINT:
            return Answer(404, {"code": "EndpointNotFound", "message": "No such endpoint", "request_id": "r"})
        return Answer(200, {"id": number, "gcs_manager_url": self.url + "/manager"})

    def envelope(self, status, code, message, data=()):
        return Answer(status, {"DATA_TYPE": "result#1.1.0", "code": code, "http_response_code": status,
                               "message": message, "detail": None, "data": list(data)})

    def lan_secret(self, request, number):
        if request.method == "DELETE":
            if number not in self.secrets:
                return self.envelope(404, "not_found", "no such LAN secret")
            del self.secrets[number]
            return self.envelope(200, "success", "deleted")
        body = request.json()
        number = str(uuid.uuid4())
        self.secrets[number] = {"DATA_TYPE": "lan_secret#1.0.0", "id": number, "secret": "lan-" + uuid.uuid4().hex,
                                "expires": int(time.time()) + 3600, "tunnel_id": body["tunnel_id"],
                                "stream_access_point_id": body["stream_access_point_id"],
                                "identity_id": str(uuid.uuid4()), "username": "u@example.org"}
        return self.envelope(201, "success", "created", [self.secrets[number]])
