"""A hundred and more ways to be refused: each is one line that names the thing, the cause and what to do next, with the
right exit status. A row: what is typed, the exit status, what the line has to have (regular expressions)."""

import re

import pytest

from far_side import ENDPOINT, INITIATOR_AP, LISTENER_AP, Answer
from lab import CLI, GATEWAY, GOOD, RUN, SUPERVISOR, write_conf

U = "0e8a675b-6b84-4220-89e4-a6a7a0d823fb"
NOBODY = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None}
LISTED = "globus-streams tunnel list"
INITIALIZE = "globus-streams environment initialize"

USAGE = [
    ("bogus", "no such command: globus-streams bogus", "--help"),
    ("tunnel", "missing command after globus-streams tunnel", "globus-streams tunnel --help"),
    ("tunnel shwo x", "no such command: globus-streams tunnel shwo", "did you mean: globus-streams tunnel show"),
    ("tunnel show", "missing argument TUNNEL_ID", "usage: globus-streams tunnel show"),
    (f"tunnel show {U} extra", "unexpected argument 'extra'", "tunnel show --help"),
    ("tunnel show x", "'x' is not a tunnel's id", "UUID", LISTED),
    ("tunnel show beam2", "'beam2' is not a tunnel's id", "not labels", LISTED),
    (f"tunnel show --bogus {U}", "no such option: --bogus", "--help"),
    (f"tunnel show --verbsoe {U}", "--verbsoe", "did you mean --verbose"),
    (f"tunnel show -Z {U}", "no such option: -Z", "--help"),
    ("tunnel show --format", "--format needs a value: FORMAT", "--help"),
    (f"tunnel show -F yaml {U}", "--format takes text, json or unix, not 'yaml'"),
    (f"tunnel show --verbose=3 {U}", "--verbose takes no value", "--help"),
    (f"tunnel stop --wait 5 {U}", "unexpected argument '5'", "write --wait=5"),
    (f"tunnel stop --wait=x {U}", "--wait takes a number from 1 to", "not 'x'", "--help"),
    (f"tunnel stop --wait=-1 {U}", "--wait takes a number from 1 to", "not '-1'"),
    (f"tunnel stop --wait=99999999999999999999 {U}", "--wait takes a number from 1 to", "not '9999"),
    ("tunnel create", "missing argument INITIATOR_AP", "usage:"),
    (f"tunnel create {U}", "missing argument LISTENER_AP", "usage:"),
    (f"tunnel create {U} y", "'y' is not an access point's id", "globus-streams access-point list"),
    (f"tunnel create {U} {U} --lifetime-minutes 0", "--lifetime-minutes takes a number from 1 to", "not '0'"),
    (f"tunnel create {U} {U} --lifetime-minutes 1h", "--lifetime-minutes takes a number", "not '1h'"),
    (f"tunnel create {U} {U} --listener-contact-string x", "--listener-contact-string", "HOST:PORT", "not 'x'"),
    (f"tunnel update {U}", "nothing to change", "--label TEXT"),
    (f"tunnel events --filter-errors --filter-code STARTED {U}", "--filter-errors", "--filter-code"),
    ("access-point show x", "'x' is not an access point's id", "globus-streams access-point list"),
    ("access-point list a b", "unexpected argument 'b'", "--help"),
    ("environment", "missing command", "globus-streams environment --help"),
    ("environment initialize", "missing argument TUNNEL_ID", "usage:"),
    ("environment initialize beam2", "'beam2' is not a tunnel's id", LISTED),
    (f"environment initialize {U} x", "'x' is not an endpoint's id", "access-point show"),
    (f"environment initialize --listener-contact-string x {U}", "--listener-contact-string", "HOST:PORT", "not 'x'"),
    (f"environment initialize --listener-contact-string h:0 {U}", "--listener-contact-string", "HOST:PORT", "'h:0'"),
    (f"environment initialize --listener-contact-string h:99999 {U}", "HOST:PORT", "not 'h:99999'"),
    (f"environment initialize --listener-contact-string :80 {U}", "HOST:PORT", "not ':80'"),
    (f"environment initialize --listener-contact-string 999.0.2.164:80 {U}", "999.0.2.164", "address"),
    (f"environment initialize --globus-contact x {U}", "--globus-contact", "HOST:PORT", "not 'x'"),
    (f"environment initialize --listener --globus-contact a:1 {U}", "--globus-contact", "initiator side"),
    (f"environment initialize --cs-ttl x {U}", "--cs-ttl takes a number", "not 'x'"),
    (f"environment initialize --cs-ttl -5 {U}", "--cs-ttl takes a number from 0", "not '-5'"),
    (f"environment initialize --lan-auth v2 {U}", "--lan-auth takes v1, not 'v2'", "--insecure"),
    (f"environment initialize --base-dir= {U}", "--base-dir takes a folder"),
    (f"environment contact-lookup --skip-update --refresh {U}", "--skip-update and --refresh", "give one"),
    (f"environment update --listener-contact-string h:x {U}", "--listener-contact-string", "HOST:PORT", "not 'h:x'"),
    (f"environment cleanup {U}", f"tunnel {U} has no environment in", "globus-streams environment list"),
    ("doctor x", "'x' is not a tunnel's id", LISTED),
    ("logout x", "unexpected argument 'x'", "--help"),
    ("login --endpoint x", "'x' is not an endpoint's id", "access-point show"),
    ("login --client-id x", "--client-id", "'x' is not a client's id", "app.globus.org"),
    ("tunnel list -F unix --jq [", "incomplete JMESPath expression '\\['", "an expression is expected"),
    ("tunnel list -F unix --jq nothing(@)", "JMESPath function 'nothing' is not supported", r"globus-streams\(1\)"),
    ('tunnel list -F unix --jq "\\u0000"', "JMESPath", r"a \\u that is not complete, or a NUL"),
    ('tunnel list -F unix --jq "\\u0zzz"', "JMESPath", r"a \\u that is not complete, or a NUL"),
    ("tunnel list -F unix --jq a --jmespath b", "--jq", "once"),
    ("tunnel list --map-http-status 404", "--map-http-status", "404"),
    ("tunnel list --map-http-status 404=7", "--map-http-status", "0, 1.*50 to 99"),
    ("tunnel list --profile ../x", "--profile", r"\.\./x"),
    ("help bogus", "no such command", "--help"),
]


@pytest.mark.parametrize("words, parts", [(row[0], row[1:]) for row in USAGE])
def test_usage(cli, far, words, parts):
    env = NOBODY | {"GLOBUS_STREAMS_CLIENT_ID": None if "--client-id" in words else U} if "login" in words else None
    expect(cli.run(*words.split(" "), env=env).failed(2), parts)
    assert not far.requests


def expect(line, parts):
    for part in parts:
        assert re.search(part, line), (part, line)


ENVIRONMENT = [
    (NOBODY, 4, "not logged in", "globus-streams login"),
    (NOBODY | {"GLOBUS_STREAMS_CLIENT_ID": U}, 4, "not logged in", "globus-streams login"),
    (NOBODY | {"GLOBUS_STREAMS_CLIENT_ID": "x"}, 2, "GLOBUS_STREAMS_CLIENT_ID", "'x'", "UUID"),
    ({"GLOBUS_CLI_CLIENT_ID": None}, 2, "GLOBUS_CLI_CLIENT_SECRET is set without GLOBUS_CLI_CLIENT_ID", "both or neither"),
    ({"GLOBUS_CLI_CLIENT_SECRET": None}, 2, "GLOBUS_CLI_CLIENT_ID is set without", "both or neither"),
    ({"GLOBUS_CLI_CLIENT_SECRET": "wrong"}, 1, "Auth refused the client credentials", "HTTP 401", "check GLOBUS_CLI"),
    ({"GLOBUS_PROFILE": "a/b"}, 2, "GLOBUS_PROFILE", "a/b"),
    ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": "ftp://x"}, 2, "GLOBUS_SDK_SERVICE_URL_TRANSFER is 'ftp://x'", "https://"),
    ({"GLOBUS_SDK_SERVICE_URL_AUTH": "x"}, 2, "GLOBUS_SDK_SERVICE_URL_AUTH is 'x'", "https://"),
    ({"GLOBUS_SDK_SERVICE_URL_TRANSFER": None, "GLOBUS_SDK_ENVIRONMENT": "a b"}, 2, "GLOBUS_SDK_ENVIRONMENT is 'a b'",
     "unset it"),
    ({"GLOBUS_SDK_HTTP_TIMEOUT": "abc"}, 2, "GLOBUS_SDK_HTTP_TIMEOUT is 'abc'", "seconds"),
]


@pytest.mark.parametrize("env, status, parts", [(row[0], row[1], row[2:]) for row in ENVIRONMENT])
def test_environment(cli, far, env, status, parts):
    expect(cli.run("tunnel", "list", env=env).failed(status), parts)


def test_a_file_of_certificates_that_is_none(cli, far):
    line = cli.run("tunnel", "list", env={"GLOBUS_SDK_SERVICE_URL_TRANSFER": far.url.replace("http:", "https:"),
                                          "GLOBUS_SDK_VERIFY_SSL": "/nowhere"}).failed(1)
    expect(line, ["/nowhere", "check GLOBUS_SDK_VERIFY_SSL"])


def json_api(status, code, detail):
    return Answer(status, {"errors": [{"code": code, "title": code, "detail": detail}]})


MANAGER = "the GCS Manager of endpoint " + ENDPOINT
ANSWERS = [
    ("tunnel show T", "GET", "/v2/tunnels/.*", json_api(404, "NOT_FOUND", "gone"), "tunnel T", "HTTP 404", LISTED),
    ("tunnel show T", "GET", "/v2/tunnels/.*", json_api(403, "NO", "not yours"), "tunnel T", "not yours", "owner"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", json_api(401, "NO", "bad token"), "Transfer rejected", "bad token", "check"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", json_api(409, "NO", "in the way"), "tunnel T", "in the way", "try again"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", json_api(418, "NO", "a teapot"), "tunnel T", "a teapot", "check"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", Answer(422, {"detail": [{"loc": ["path", "id"], "msg": "bad", "type": "x"}]}),
     "tunnel T", "HTTP 422", "path.id: bad", "correct"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", Answer(404, raw=b"<html>"), "is not Transfer", "HTTP 404", "check the service"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", Answer(200, raw=b"<html>"), "is not Transfer", "no JSON", "check the service"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", Answer(302, raw=b""), "is not Transfer", "HTTP 302", "check the service"),
    ("tunnel show T", "GET", "/v2/tunnels/.*", Answer(200, {"data": {}}), "Transfer", "no valid 'id'", "report"),
    ("tunnel update --label x T", "PATCH", "/v2/tunnels/.*", json_api(404, "NO", "gone"), "tunnel T", "HTTP 404", LISTED),
    ("tunnel stop T", "PATCH", "/v2/tunnels/.*", json_api(403, "NO", "not yours"), "tunnel T", "not yours", "owner"),
    ("tunnel delete T", "DELETE", "/v2/tunnels/.*", json_api(409, "NO", "must be stopped"), "tunnel T", "must be stopped",
     "tunnel stop --wait T"),
    ("tunnel events T", "GET", "/v2/tunnels/.*", json_api(404, "NO", "gone"), "tunnel T", "HTTP 404", LISTED),
    (f"tunnel create {INITIATOR_AP} {LISTENER_AP}", "POST", "/v2/tunnels",
     Answer(422, {"detail": [{"loc": ["body", "lifetime_mins"], "msg": "too long", "type": "x"}]}), "access points",
     "lifetime_mins: too long", "correct"),
    (f"access-point show {U}", "GET", "/v2/none", None, f"access point {U}", "HTTP 404", "access-point list"),
    ("environment initialize T", "GET", "/v2/tunnels/.*", json_api(404, "NO", "gone"), "tunnel T", "HTTP 404", LISTED),
    ("environment initialize T", "GET", "/v2/stream_access_points/.*", json_api(404, "NO", "gone"),
     f"access point {INITIATOR_AP}", "HTTP 404", "access-point list"),
    ("environment initialize T", "GET", r"/v0\.10/endpoint/.*", Answer(404, {"code": "NO", "message": "gone", "request_id": "r"}),
     f"endpoint {ENDPOINT}", "HTTP 404", "gone"),
    ("environment initialize T", "GET", r"/v0\.10/endpoint/.*", Answer(200, {"id": ENDPOINT}), f"endpoint {ENDPOINT}",
     "gcs_manager_url"),
    ("environment initialize T", "GET", "/manager/api/info", Answer(404, {"code": "NO", "message": "gone"}), MANAGER,
     "nothing was changed", "HTTP 404"),
    ("environment initialize T", "POST", "/manager/.*", Answer(422, {"code": "bad", "message": "expires_in_mins: bad"}), MANAGER,
     "tunnel T", "expires_in_mins: bad"),
    ("environment initialize T", "POST", "/manager/.*", Answer(400, {"code": "bad", "message": "no"}), MANAGER, "HTTP 400", ";"),
    ("environment initialize T", "POST", "/manager/.*", Answer(415, {"code": "bad", "message": "no"}), MANAGER, "HTTP 415", ";"),
    ("environment initialize T", "POST", "/manager/.*", Answer(403, {"code": "denied", "message": "no role"}), MANAGER, "no role",
     "owner"),
    ("environment initialize T", "POST", "/manager/.*", Answer(201, {"data": []}), "LAN secret", "no valid 'data'", "report"),
    ("environment update T", "GET", "/v2/tunnels/.*", json_api(404, "NO", "gone"), "does not exist", INITIALIZE),
    ("environment show T", "GET", "/none", None, r"T\.conf does not exist", INITIALIZE),
    ("environment contact-lookup T", "GET", "/none", None, r"T\.conf does not exist", INITIALIZE),
    ("environment cleanup", "GET", "/none", None, "missing argument TUNNEL_ID", "--all"),
    ("environment initialize --base-dir /proc/x T", "GET", "/none", None, "/proc/x", "No such file", "--base-dir"),
    ("supervisor status --socket /none/x", "GET", "/none", None, "/none/x", "No such file", "globus-streams-supervisor"),
    ("supervisor reload --socket /etc/passwd", "GET", "/none", None, "/etc/passwd", "refused|Permission denied", "globus-streams-supervisor"),
    ("supervisor stop --socket /none/x", "GET", "/none", None, "/none/x", "No such file", "globus-streams-supervisor"),
    ("supervisor upgrade --socket /none/x", "GET", "/none", None, "/none/x", "No such file", "globus-streams-supervisor"),
]


@pytest.mark.parametrize("words, method, path, answer, parts", [(*row[:4], row[4:]) for row in ANSWERS])
def test_services(cli, far, words, method, path, answer, parts):
    """T stands for a tunnel that is active."""
    tunnel = far.active()
    if answer:
        far.rule(method, path, answer)
    line = cli.run(*words.replace("T", tunnel).split() if words.isascii() else (), timeout=100).failed(1)
    expect(line, [re.sub(r"\bT\b", tunnel, part) for part in parts])


def test_proxies(cli, far):
    """The proxy is named, without its password, and not the service."""
    for proxy in ("http://me:secret@127.0.0.1:1", "socks5://127.0.0.1:1"):
        line = cli.run("tunnel", "list", env={"http_proxy": proxy, "no_proxy": None, "GLOBUS_SDK_HTTP_TIMEOUT": "1"},
                       timeout=100).failed(1)
        expect(line, ["through the proxy " + proxy.replace("me:secret@", "").replace("/", "/"), r"\(http_proxy\)", "no_proxy"])
        assert "secret@" not in line


LAUNCHES = [
    ("", 2, "missing arguments TUNNEL and COMMAND", "--help"),
    (U, 2, "missing argument COMMAND", "--help"),
    (f"{U} --", 2, "missing argument COMMAND", "--help"),
    ("beam2 -- true", 2, "'beam2' is not a tunnel's id", "globus-streams environment list"),
    ("C -- /nonexistent", 127, "/nonexistent: command not found", "PATH"),
    ("C -- /etc/passwd", 126, "cannot run /etc/passwd: Permission denied", "executable"),
    ("C -- /tmp", 126, "cannot run /tmp: Permission denied", "executable"),
    ("--port abc C -- true", 2, "--port: 'abc' is not a port", "1 to 65535"),
    ("--port 0 C -- true", 2, "--port: '0' is not a port", "1 to 65535"),
    ("--port 70000 C -- true", 2, "--port: '70000' is not a port", "1 to 65535"),
    ("--log /none/x C -- true", 1, "cannot write the log to /none/x: No such file", "path"),
    ("--log-level foo C -- true", 2, "foo: unknown log level", "warning, info or debug"),
    ("--log-format foo C -- true", 2, "foo: unknown log format", "text, logfmt or json"),
    ("--limit x C -- true", 2, "--limit x: unknown limit", "LIMITS"),
    ("--limit strangers=-1 C -- true", 2, "--limit strangers=-1", "N from 1"),
    ("--attach /none C -- true", 1, "no supervisor at /none: No such file", "globus-streams-supervisor --socket /none"),
    (f"{U} -- true", 1, f"{U}.conf does not exist", INITIALIZE),
    ("--async-connect --hold-connect C -- true", 2, "--async-connect and --hold-connect", "give one"),
    ("--bogus C -- true", 2, "no such option: --bogus", "--help"),
    ("--port", 2, "--port needs a value: PORT", "--help"),
]


@pytest.mark.parametrize("words, status, parts", [(row[0], row[1], row[2:]) for row in LAUNCHES])
def test_launches(bare_lab, words, status, parts):
    """C stands for a tunnel with a conf file."""
    tunnel = write_conf(bare_lab.folder / "base", **GOOD)
    words = [tunnel if word == "C" else word for word in words.split()]
    expect(one_line(bare_lab.start(RUN, "--base-dir", bare_lab.folder / "base", *words), status), parts)


@pytest.mark.parametrize("changes, env, parts", [
    ({"fake_port": "x"}, {}, ["fake_port", "is not a port", INITIALIZE + " --force"]),
    ({"lan_auth": "v9"}, {}, ["lan_auth", "neither v1 nor none", INITIALIZE + " --force"]),
    ({"connector_contact_string": "x"}, {}, ["connector_contact_string", "HOST:PORT", INITIALIZE + " --force"]),
    ({"connector_contact_string": "999.1.1.1:80"}, {}, ["connector_contact_string", INITIALIZE + " --force"]),
    ({"lankey_id": "x"}, {}, ["lankey_id", INITIALIZE + " --force"]),
    ({"globus_contact": "x"}, {}, ["globus_contact", INITIALIZE + " --force"]),
    ({}, {"GLOBUS_STREAMS_INTERCEPT_PORT_abc": U}, ["GLOBUS_STREAMS_INTERCEPT_PORT_abc", "'abc' is not a port", "65535"]),
    ({}, {"GLOBUS_STREAMS_INTERCEPT_PORT_80": "x"}, ["GLOBUS_STREAMS_INTERCEPT_PORT_80=x", "is not valid", "TUNNEL_ID"]),
])
def test_confs(bare_lab, changes, env, parts):
    base = bare_lab.folder / "base"
    tunnel = write_conf(base, **(GOOD | changes))
    write_conf(base, U, **GOOD)
    program = bare_lab.start(RUN, "--base-dir", base, tunnel, "--", "true", env=env)
    expect(one_line(program, 1 if changes else 2), parts)


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o604])
def test_confs_that_others_reach(bare_lab, mode):
    base = bare_lab.folder / "base"
    tunnel = write_conf(base, mode=mode, **GOOD)
    for words in ((RUN, "--base-dir", base, tunnel, "--", "true"), (CLI, "environment", "show", "--base-dir", base, tunnel)):
        expect(one_line(bare_lab.start(*words), 1), [rf"{tunnel}\.conf", "other users may", "chmod 600"])


SERVERS = [
    (SUPERVISOR, "", 2, "no control socket", "--socket PATH"),
    (SUPERVISOR, "--socket", 2, "missing value after --socket", "--help"),
    (SUPERVISOR, "--bogus", 2, "no such option: --bogus", "--help"),
    (SUPERVISOR, "-Z", 2, "no such option: -Z", "--help"),
    (SUPERVISOR, "x", 2, "x: unexpected argument", "--help"),
    (SUPERVISOR, "--socket /none/x", 1, "/none/x: its folder does not exist", "--socket"),
    (SUPERVISOR, "--socket /etc", 1, "/etc: (a supervisor already listens there, or it is not a socket|its folder belongs to another user)", "--socket"),
    (SUPERVISOR, "--limit x", 2, "--limit x: unknown limit", "LIMITS"),
    (GATEWAY, "", 2, "--state DIR is required", "--help"),
    (GATEWAY, "--state", 2, "--state needs a value", "--help"),
    (GATEWAY, "--bogus", 2, "--bogus", "--help"),
    (GATEWAY, "--state x --port y", 2, "--port takes a number from 0 to 65535, not 'y'", "--help"),
    (GATEWAY, "--state x --as-globus=y", 2, "--as-globus takes optional, required or silent, not 'y'", "--help"),
    (GATEWAY, "--state /none/a/b", 1, "cannot use the folder /none/a/b: No such file", "--state"),
]


@pytest.mark.parametrize("program, words, status, parts", [(*row[:3], row[3:]) for row in SERVERS])
def test_servers(bare_lab, program, words, status, parts):
    expect(one_line(bare_lab.start(program, *words.split()), status), parts)


def one_line(program, status):
    assert program.wait(30) == status, program
    assert program.err.count("\n") == 1, program.err
    return program.err
