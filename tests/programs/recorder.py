"""Between globus-streams and the gateway: what was asked and answered, in order, and answers changed on the way.

A run that is given `url(case)` instead of `url` is told by its case: its answers may be changed while others run.
"""

import http.client
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Exchange:
    """A request and its answer."""

    def __init__(self, method, target, headers, body):
        self.method, self.headers, self.body = method, headers, body
        self.path, _, self.query = target.partition("?")
        self.status, self.answer_headers, self.text = None, None, None

    def json(self):
        return json.loads(self.body)

    def form(self):
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))

    def answer(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.method} {self.path} {self.status}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one packet

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.upstream = None

    def finish(self):
        super().finish()
        if self.upstream:
            self.upstream.close()

    def ask(self, exchange, target):
        if not self.upstream:
            self.upstream = http.client.HTTPConnection(*self.server.recorder.upstream, timeout=30)
            self.upstream.connect()
            self.upstream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        headers = {k: v for k, v in self.headers.items() if k not in ("Host", "Content-Length")}
        self.upstream.request(exchange.method, target, exchange.body or None, headers)
        answer = self.upstream.getresponse()
        exchange.status, exchange.answer_headers, exchange.text = answer.status, answer.headers, answer.read()

    def _any(self):
        recorder = self.server.recorder
        case, target = re.fullmatch(r"(?:/case-(\d+))?(/.*)", self.path).groups()
        exchange = Exchange(self.command, target, self.headers,
                            self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        own = recorder.url_of(case)
        self.ask(exchange, target)
        exchange.text = exchange.text.replace(recorder.upstream_url.encode(), own.encode())
        with recorder.lock:
            recorder.exchanges.append(exchange)
        status, body = recorder.changed(case, exchange)
        self.send_response(status)
        for name, value in exchange.answer_headers.items():
            if name not in ("Content-Length", "Connection", "Date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _any


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


class Recorder:
    def __init__(self, gateway_url):
        self.upstream_url = gateway_url.rstrip("/")
        parts = urlsplit(self.upstream_url)
        self.upstream = parts.hostname, parts.port
        self.exchanges, self.lock, self.changes = [], threading.Lock(), {}
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.recorder = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def url_of(self, case):
        return self.url if case is None else f"{self.url}/case-{case}"

    def environment(self, case=None):
        return {f"GLOBUS_SDK_SERVICE_URL_{name}": self.url_of(case) for name in ("AUTH", "TRANSFER")}

    def change(self, case, change):
        """Pass each answer of a case through change(exchange), which gives a status and a body, or None."""
        self.changes[str(case)] = change

    def changed(self, case, exchange):
        change = self.changes.get(case)
        return (change(exchange) if change else None) or (exchange.status, exchange.text)

    def take(self):
        """What was asked since the last time."""
        with self.lock:
            taken, self.exchanges = self.exchanges, []
        return taken
