"""globus-streams: what it does when the far side, the disk or the user is at fault."""

import contextlib
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

import far_side
import lab
from cli_program import Cli, Hurry
from far_side import ENDPOINT, INITIATOR_AP, LISTENER_AP, Answer

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


LOOKUP = ("environment", "contact-lookup", "--refresh")


def initialized(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    return tunnel


@pytest.mark.parametrize("words, hint", [
    (("tunnel", "show", "not-a-uuid"), "not-a-uuid"),
    (("tunnel", "show"), "TUNNEL_ID"),
    (("tunnel", "show", "0e8a675b-6b84-4220-89e4-a6a7a0d823fb", "more"), "more"),
    (("tunnel", "create", INITIATOR_AP), "LISTENER_AP"),
    (("tunnel", "create", INITIATOR_AP, LISTENER_AP, "--lifetime-minutes", "soon"), "soon"),
    (("tunnel", "create", INITIATOR_AP, LISTENER_AP, "--lifetime-minutes"), "needs a value"),
    (("tunnle",), "did you mean: globus-streams tunnel"),
    (("environment", "initialise", "x"), "did you mean: globus-streams environment initialize"),
    (("environment", "initialize", "--frce", "x"), "did you mean --force"),
    (("--formt", "json", "tunnel", "list"), "did you mean --format"),
    (("--nonesuch", "x"), "no such option: --nonesuch"),
    (("environment",), "--help"), ((), "--help"),
    (("--format", "xml", "tunnel", "show", INITIATOR_AP), "xml"),
    (("environment", "initialize", "--listener-contact-string", "10.0.0.1", INITIATOR_AP), "HOST:PORT"),
    (("environment", "initialize", "--listener-contact-string", "0.0.0.0:80", INITIATOR_AP), "0.0.0.0"),
    (("environment", "initialize", "--globus-contact", "a:b:c", INITIATOR_AP), "a:b:c"),
    (("tunnel", "stop", "--wait", "5", INITIATOR_AP), "--wait=5"),
    (("environment", "initialize", "--wait", "3", INITIATOR_AP), "--wait=3"),
    (("environment", "initialize", INITIATOR_AP, "not-a-uuid"), "'not-a-uuid' is not an endpoint's id"),
    (("environment", "initialize", "--base-dir", "", INITIATOR_AP), "--base-dir"),
    (("environment", "list", "--base-dir="), "--base-dir"),
    (("environment", "initialize", "--wait", "5", INITIATOR_AP, ENDPOINT), "--wait=5"),
    (("environment", "lookup", INITIATOR_AP), "did you mean: globus-streams environment contact-lookup"),
    (("-vF", "xml", "tunnel", "list"), "xml"), (("help", "tunnle"), "did you mean: globus-streams tunnel"),
    (("environment", "initialize", "--listener", "--globus-contact", "a:1", INITIATOR_AP), "initiator side"),
    (("environment", "initialize", "--cs-ttl", "-1", INITIATOR_AP), "-1"),
    (("environment", "contact-lookup", "--refresh", "--skip-update", INITIATOR_AP), "cannot be used together"),
])
def test_wrong_usage(cli, far, words, hint):
    assert hint in cli.run(*words).failed(2)
    assert far.requests == [] and cli.files() == {}


UNCALLABLE = [f"{host}:80" for host in (
    "0", "0.0.0.0", "0x0", "0.1.2.3", "00.0", "255.255.255.255", "0xffffffff", "4294967295", "224.0.0.1",
    "239.255.255.255", "[::]", "[::0]", "[0:0::0]", "[ff02::1]", "[::ffff:0.0.0.0]", "[::ffff:224.0.0.1]")]


def test_listener_contacts_that_nobody_can_call(cli, far):
    tunnel = far.tunnel()
    for contact in UNCALLABLE:
        line = cli.run("environment", "initialize", "--listener-contact-string", contact, tunnel).failed(2)
        assert "nothing can connect" in line
    assert far.requests == [] and cli.files() == {}
    cli.run("environment", "initialize", "--listener-contact-string", "10.0.0.1:80", tunnel).warned()
    before, asked = cli.files(), len(far.requests)
    for contact in UNCALLABLE:
        cli.run("environment", "update", "--listener-contact-string", contact, tunnel).failed(2)
    assert len(far.requests) == asked and cli.files() == before
    for contact in ("[fe80::1]:1", "223.255.255.255:1", "240.0.0.1:1", "a0.example:1"):
        cli.run("environment", "update", "--listener-contact-string", contact, tunnel).warned()


def test_unknown_tunnel(cli, far):
    unknown = "0e8a675b-6b84-4220-89e4-a6a7a0d823fb"
    for words in (("tunnel", "show"), ("environment", "initialize"),
                  ("environment", "initialize", "--listener-contact-string", "10.0.0.1:80")):
        line = cli.run(*words, unknown).failed(1)
        assert "404" in line and unknown in line and "tunnel list" in line
    assert cli.files() == {} and far.secrets == {}
    assert "initialize" in cli.run("environment", "contact-lookup", unknown).failed(1)


def test_ended_tunnel(cli, far):
    tunnel = far.tunnel("STOPPED")
    line = cli.run("environment", "initialize", tunnel).failed(1)
    assert f"tunnel create {INITIATOR_AP} {LISTENER_AP}" in line and cli.files() == {} and far.secrets == {}


@pytest.mark.parametrize("change, status, hint", [
    ({"GLOBUS_CLI_CLIENT_SECRET": "wrong"}, 1, "GLOBUS_CLI_CLIENT_SECRET"),
    ({"GLOBUS_CLI_CLIENT_SECRET": None}, 2, "both or neither"),
    ({"GLOBUS_CLI_CLIENT_ID": None}, 2, "both or neither"),
    ({"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None}, 4, "login"),
    ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://127.0.0.1"}, 2, "GLOBUS_SDK_SERVICE_URL_TRANSFER"),
    ({"GLOBUS_SDK_HTTP_TIMEOUT": "soon"}, 2, "GLOBUS_SDK_HTTP_TIMEOUT"),
    ({"GLOBUS_SDK_ENVIRONMENT": "a/b", "GLOBUS_SDK_SERVICE_URL_AUTH": None}, 2, "GLOBUS_SDK_ENVIRONMENT"),
])
def test_wrong_settings(cli, far, change, status, hint):
    line = cli.run("environment", "initialize", far.active(), env=change).failed(status)
    assert hint in line and cli.files() == {}


def test_token_refused_once(cli, far):
    tunnel = initialized(cli, far)
    far.tokens.clear()  # the service forgot them all
    far.requests.clear()
    assert cli.run(*LOOKUP, tunnel).ok() == "127.0.0.1:4711\n"
    assert far.count("POST", "/v2/oauth2/token") == 1 and far.count("GET", "/v2/tunnels/.*") == 2


@pytest.mark.parametrize("answer", [
    Answer(403, {"code": "ConsentRequired", "message": "Missing consent", "required_scopes": ["urn:a"]}),
    Answer(401, {"authorization_parameters": {"session_message": "Missing consent", "required_scopes": ["urn:a"]}})])
def test_demands_that_client_credentials_cannot_meet(cli, far, answer):
    """With them, `login` says that no login is needed: the line says what helps."""
    far.rule("GET", "/v2/tunnels/.*", answer)
    line = cli.run("tunnel", "show", far.active()).failed(4)
    assert "Missing consent" in line and "allow the client" in line and "unset GLOBUS_CLI_CLIENT_ID" in line
    assert line.endswith("globus-streams login --force --scope 'urn:a'")


def test_token_refused_for_good(cli, far):
    tunnel = initialized(cli, far)
    far.rule("GET", "/v2/tunnels/.*", Answer(401, {"errors": [{"code": "UNAUTHORIZED", "title": "No"}]}))
    before = cli.files()
    far.requests.clear()
    assert "401" in cli.run(*LOOKUP, tunnel).failed(1)
    assert far.count("GET", "/v2/tunnels/.*") == 2 and cli.files() == before


@pytest.mark.parametrize("answer, status, hints", [
    (Answer(403, {"errors": [{"code": "FORBIDDEN", "title": "Forbidden", "detail": "not yours"}]}), 1, ["not yours"]),
    (Answer(403, {"code": "PermissionDenied", "message": "denied", "request_id": "r"}), 1, ["denied"]),
    (Answer(403, raw=HTML), 1, ["403"]),
    (Answer(404, raw=HTML), 1, ["no JSON"]),
    (Answer(409, {"errors": [{"code": "CONFLICT", "title": "Conflict", "detail": "stop it first"}]}), 1,
     ["stop it first"]),
    (Answer(422, {"detail": [{"loc": ["body", "data", 0, "label"], "msg": "too long", "type": "value_error"}]}), 1,
     ["body.data[0].label: too long"]),
    (Answer(301, {}, headers={"Location": "http://127.0.0.1:1/"}), 1, ["301"]),
    (Answer(200, raw=HTML), 1, ["not Transfer"]),
    (Answer(200, raw=b""), 1, ["no JSON"]),
    (Answer(200, raw=b"[1, 2]"), 1, ["no JSON"]),
    (Answer(200, raw=b"[" * 100000), 1, ["no JSON"]),
    (Answer(200, raw=b"\xff\xfe\x00" * 1000), 1, ["no JSON"]),
    (Answer(200, {"data": None}), 1, ["'id'"]),
    (Answer(200, raw=b'{"data": "' + b"x" * (9 << 20) + b'"}'), 1, ["8 MiB"]),
    (Answer(403, {"code": "ConsentRequired", "message": "Missing consent", "required_scopes": ["urn:a", "urn:b"]}), 4,
     ["Missing consent", "--scope 'urn:a urn:b'"]),
    (Answer(403, {"errors": [{"code": "ConsentRequired", "title": "t", "required_scopes": ["urn:a"]}]}), 4, ["urn:a"]),
    (Answer(403, {"code": "ConsentRequired", "required_scope": "urn:a", "description": "d"}), 4, ["urn:a"]),
    (Answer(401, {"authorization_parameters": {"session_message": "Use your work account",
                                               "session_required_single_domain": ["example.org"]}}), 4,
     ["Use your work account", "--domain 'example.org'"]),
    (Answer(403, {"errors": [{"code": "x", "authorization_parameters": {
        "session_message": "MFA please", "session_required_policies": ["p1", "p2"]}}]}), 4,
     ["MFA please", "--policy 'p1,p2'"]),
])
def test_answers_that_are_no_help(cli, far, answer, status, hints):
    tunnel = initialized(cli, far)
    before = cli.files()
    far.rule("GET", "/v2/tunnels/.*", answer)
    far.requests.clear()
    line = cli.run(*LOOKUP, tunnel).failed(status)
    assert all(hint in line for hint in hints), line
    assert far.count("GET", "/v2/tunnels/.*") == 1 and cli.files() == before


def test_answers_that_pass_are_tried_again(cli, far, tmp_path):
    lab.need("strace")
    tunnel = initialized(cli, far)
    for answer in (Answer(429, {}, headers={"Retry-After": "1"}), Answer(500, raw=HTML), Answer(503, {}),
                   Answer(200, far.tunnels[tunnel], cut=20), Answer(200, reset=True)):
        far.rule("GET", "/v2/tunnels/.*", answer, times=1)
    far.requests.clear()
    hurry = Hurry(tmp_path / "trace")
    assert cli.run(*LOOKUP, tunnel, wrapper=hurry.wrapper).ok() == "127.0.0.1:4711\n"
    assert far.count("GET", "/v2/tunnels/.*") == 6
    assert 1 + 0.5 + 1 + 2 + 4 <= hurry.slept() <= 1 + 1.5 + 3 + 6 + 10


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Slow:
    """A service that sends the head of an answer, and then a byte now and then."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.trickle, args=(self.server.accept()[0],), daemon=True).start()

    def trickle(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
            while True:
                connection.sendall(b" ")
                time.sleep(0.2)


def test_what_never_passes(cli, far, tmp_path):
    """Each of these takes all the retries: side by side, each with a tunnel of its own."""
    lab.need("strace")
    nowhere = f"http://127.0.0.1:{free_port()}"
    silent, slow = socket.create_server(("127.0.0.1", 0)), Slow()
    cases = {
        "refused": ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": nowhere}, ["Connection refused", nowhere]),
        "no name": ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": "http://no-such-host.invalid"}, ["DNS"]),
        "silence": ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": f"http://127.0.0.1:{silent.getsockname()[1]}",
                     "GLOBUS_SDK_HTTP_TIMEOUT": "1"}, ["within 1 s"]),
        "a slow body": ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": f"http://127.0.0.1:{slow.port}",
                         "GLOBUS_SDK_HTTP_TIMEOUT": "1"}, ["within 1 s"]),
        "500": (Answer(500, {"errors": [{"code": "x", "title": "broken"}]}), ["500", "try again later"]),
        "503": (Answer(503, raw=HTML), ["503", "try again later"]),
        "429": (Answer(429, {"message": "slowly"}, headers={"Retry-After": "2"}), ["429", "slowly", "try again later"]),
        "a reset": (Answer(200, reset=True), ["6 tries"]),
        "a reset in the middle": (Answer(200, {"data": "x" * 1000}, cut=20, reset=True), ["6 tries"]),
    }
    tunnels = {name: initialized(cli, far) for name in cases}
    before, runs = cli.files(), {}
    for name, (how, _) in cases.items():
        hurry = Hurry(tmp_path / f"trace {name}")
        if isinstance(how, Answer):
            far.rule("GET", f"/v2/tunnels/{tunnels[name]}", how)
        runs[name] = hurry, cli.start(*LOOKUP, tunnels[name], env=how if isinstance(how, dict) else {},
                                      wrapper=hurry.wrapper)
    for name, (_, hints) in cases.items():
        hurry, run = runs[name]
        out, err = run.communicate(timeout=90)
        assert run.returncode == 1 and out == "" and err.count("\n") == 1, (name, out, err)
        assert all(hint in err for hint in hints), (name, err)
        slept = hurry.slept()
        assert slept == pytest.approx(10) if name == "429" else 31 * 0.25 <= slept <= 31 * 0.75, (name, slept)
    assert {path: data for path, data in cli.files().items() if "trace" not in path} == before
    silent.close()
    slow.server.close()


def test_a_secret_that_cannot_be_had(cli, far):
    tunnel = initialized(cli, far)
    before = cli.files()
    for answer in (far.envelope(403, "permission_denied", "no role on this endpoint"),
                   far.envelope(201, "success", "created", []),
                   far.envelope(201, "success", "created", [{"id": ENDPOINT, "secret": "a\nlankey=b"}]),
                   far.envelope(201, "success", "created", [{"id": "x", "secret": "abc"}]),
                   far.envelope(201, "success", "created", [{"id": ENDPOINT, "secret": "y" * 300}])):
        far.rules.clear()
        far.rule("POST", "/manager/api/lan_secrets", answer)
        line = cli.run("environment", "initialize", "--force", tunnel).failed(1)
        assert "LAN secret" in line and cli.files() == before and len(far.secrets) == 1
    result = cli.run("environment", "initialize", "--force", "--insecure", tunnel)
    assert result.status == 0 and "not secured" in result.err
    assert "lankey" not in cli.conf(tunnel) or not cli.conf(tunnel)["lankey"]


def test_a_listener_contact_that_is_refused(cli, far):
    tunnel = far.tunnel()
    far.rule("PATCH", ".*", Answer(422, {"detail": [{"loc": ["listener_ip_address"], "msg": "bad", "type": "t"}]}))
    line = cli.run("environment", "initialize", "--listener-contact-string", "nowhere:1", tunnel).failed(1)
    assert "listener_ip_address: bad" in line
    assert cli.files() == {} and far.secrets == {}, "the new secret is taken back"


@pytest.mark.parametrize("field, value", [
    ("state", None), ("state", 5), ("label", 5), ("created_time", None), ("created_time", "yesterday"),
    ("lifetime_mins", None), ("lifetime_mins", "360"), ("lifetime_mins", 1e300), ("lifetime_mins", -1),
    ("initiator_port", "4711"), ("initiator_port", 0), ("initiator_port", 70000), ("initiator_port", 4711.5),
    ("initiator_ip_address", 5), ("initiator_ip_address", "a b"), ("initiator_ip_address", "x\nlankey=y"),
])
def test_fields_of_another_kind(cli, far, field, value):
    tunnel = far.active()
    far.tunnels[tunnel]["data"]["attributes"][field] = value
    line = cli.run("environment", "initialize", tunnel).failed(1)
    assert field in line and cli.files() == {} and far.secrets == {}


def test_another_tunnel_than_asked_for(cli, far):
    one, two = far.active(), far.active()
    far.rule("GET", f"/v2/tunnels/{one}", Answer(200, far.tunnels[two]))
    assert "'id'" in cli.run("tunnel", "show", one).failed(1)


def test_a_manager_that_would_get_the_token_in_the_clear(cli, far):
    tunnel = far.active()
    far.rule("GET", "/v0.10/endpoint/.*", Answer(200, {"gcs_manager_url": "file:///etc/passwd"}))
    assert "gcs_manager_url" in cli.run("environment", "initialize", tunnel).failed(1)


def test_conf_files_that_cannot_be_used(cli, far):
    tunnel = initialized(cli, far)
    path = cli.base / f"{tunnel}.conf"
    good = path.read_bytes()
    path.chmod(0o640)
    assert "chmod 600" in cli.run("environment", "contact-lookup", tunnel).failed(1)
    path.chmod(0o600)
    for bad in (b"\x7fELF\x00\x01\x02", os.urandom(4096) + b"\0", b"a=b\n" * 40000):
        path.write_bytes(bad)
        assert "not a conf file" in cli.run("environment", "contact-lookup", tunnel).failed(1)
    for cut in range(0, len(good), 17):  # an editor that died: what is left is used, the rest looked up
        path.write_bytes(good[:cut])
        assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4711\n"
    path.unlink()
    path.mkdir()
    cli.run("environment", "contact-lookup", tunnel).failed(1)


def test_a_clock_that_jumped(cli, far):
    tunnel = initialized(cli, far)
    path = cli.base / f"{tunnel}.conf"
    ahead = int(time.time()) + 100000
    path.write_text(re.sub(r"update_time=\d+", f"update_time={ahead}", path.read_text()))
    far.tunnels[tunnel]["data"]["attributes"]["initiator_port"] = 4712
    assert cli.run("environment", "contact-lookup", tunnel).ok() == "127.0.0.1:4712\n"
    assert int(cli.conf(tunnel)["update_time"]) < ahead


def test_a_wrong_certificate(cli, far, tmp_path):
    for name, subject in (("ca", "/CN=ca"), ("wrong", "/CN=wrong.example")):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem", "-subj", subject,
                        "-days", "1", "-addext", "subjectAltName=" + ("IP:127.0.0.1" if name == "ca" else
                                                                      "DNS:wrong.example")],
                       check=True, capture_output=True)
    for name in ("ca", "wrong"):
        side = far_side.FarSide()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        side.server.socket = context.wrap_socket(side.server.socket, server_side=True)
        other = Cli(tmp_path / name, side.url.replace("http:", "https:"))
        other.home.mkdir()
        tunnel = side.active()
        assert "certificate" in other.run("tunnel", "show", tunnel).failed(1)
        trusted = {"GLOBUS_SDK_VERIFY_SSL": str(tmp_path / f"{name}.pem")}
        if name == "ca":
            assert "ACTIVE" in other.run("tunnel", "show", tunnel, env=trusted).ok()
        else:
            other.run("tunnel", "show", tunnel, env=trusted).failed(1)
        result = other.run("tunnel", "show", tunnel, env={"GLOBUS_SDK_VERIFY_SSL": "False"})
        assert result.status == 0 and "not checked" in result.err
        side.close()


def test_a_folder_that_cannot_be_written(cli, far, tmp_path):
    tunnel = far.active()
    blocked = tmp_path / "file"
    blocked.write_text("")
    line = cli.run("environment", "initialize", "--base-dir", blocked / "x", tunnel).failed(1)
    assert "--base-dir" in line or "Not a directory" in line
    assert far.secrets == {}


def test_full_stdout(cli, far):
    tunnel = far.active()
    with open("/dev/full", "w") as full:
        process = subprocess.run([str(__import__("cli_program").PROGRAM), "tunnel", "show", tunnel],
                                 env=cli.environment, stdout=full, stderr=subprocess.PIPE, text=True)
    assert process.returncode == 1 and "stdout" in process.stderr
