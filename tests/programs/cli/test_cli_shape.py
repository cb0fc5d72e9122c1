"""What scripts written around Globus's CLI pass and read: formats, expressions, exit statuses, words."""

import json
import re
import subprocess

import pytest

from cli_program import PROGRAM, Terminal
from far_side import CLIENT_SECRET, ENDPOINT, INITIATOR_AP, LISTENER_AP, Answer


def tunnel_with(far, value):
    """A tunnel whose document has that value in meta.x."""
    far.tunnels[tunnel := far.active()]["meta"]["x"] = value
    return tunnel


# Each rule of Globus's -F unix: scalars as Python writes them, sorted by name, tab-separated; then the rest.
UNIX = [
    (1, "1\n"), (-1.5, "-1.5\n"), ("text", "text\n"), (True, "True\n"), (False, "False\n"), (None, "None\n"),
    ("", "\n"),
    ([], ""), ({}, ""), ([[]], ""), ([{}], ""), ([1, "a", None, False], "1\ta\tNone\tFalse\n"),
    ([["a", "b"], ["c"]], "a\tb\nc\n"), (["x", ["a", "b"], "y", ["c", ["d"]]], "x\ty\na\tb\nc\nd\n"),
    ({"b": 1, "a": "z"}, "z\t1\n"), ({"x": 3, "y": 8, "labels": ["foo", "bar"]}, "3\t8\nLABELS\tfoo\nLABELS\tbar\n"),
    ({"labels": ["foo"]}, "LABELS\tfoo\n"), ({"x": 1, "none": [], "empty": {}}, "1\n"),
    ({"x": 1, "sub": {"b": 2, "a": 3}}, "1\nSUB\n3\t2\n"), ({"sub": {"in": {"a": 1}}}, "IN\n1\n"),
    ({"z": {"a": 1}, "b": {"a": 2}, "c": 3}, "3\nB\n2\nZ\n1\n"), ({"l": [[1, 2], [3]]}, "L\t1\nL\t2\nL\t3\n"),
    ({"l": [0, [1, 2]]}, "0\nL\t1\nL\t2\n"), ({"l": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]}, "L\n1\t2\nL\n3\t4\n"),
    ([{"foo": 1, "bar": 2}, {"foo": 200, "bar": 303}], "2\t1\n303\t200\n"),
    ([{"x": 3, "y": 1, "z": 5}, {"x": 100, "y": 200}], "3\t1\t5\n100\t200\tNone\n"),
    ([{"a": 1}, {"b": 2}], "1\tNone\nNone\t2\n"), ([{"a": 1, "s": {"q": [1]}}, {"a": 2}], "1\nQ\t1\n2\n"),
    ({"über": [1]}, "üBER\t1\n"), ("a\tb\nc\x1b[2J", "a b c [2J\n"), ({"a\nb": {"c": "\x07"}}, "A B\n \n"),
    (100000000000000000, "100000000000000000\n"), (1e300, "1e+300\n"),
]


@pytest.mark.parametrize("value, lines", UNIX, ids=[json.dumps(value)[:40] for value, _ in UNIX])
def test_unix_lines(cli, far, value, lines):
    assert cli.run("tunnel", "show", "-F", "unix", "--jq", "meta.x", tunnel_with(far, value)).ok() == lines


@pytest.mark.parametrize("value", [
    [{"a": 1}, "x"], [{"a": 1}, [1]], [{"x": 3}, {"x": [3]}], {"l": [{"x": {}}, {"x": 1}]}])
def test_what_has_no_unix_lines(cli, far, value):
    result = cli.run("tunnel", "show", "-Funix", tunnel_with(far, value))
    assert "--format unix cannot print this" in result.failed(2) and "--jq" in result.err and result.out == ""


def test_unix_lines_of_commands(cli, far):
    tunnel, other = far.active(label="one"), far.tunnel()
    out = cli.run("tunnel", "list", "-F", "UNIX", "--jmespath", "data[].{id: id, state: attributes.state}").ok()
    assert out == f"{tunnel}\tACTIVE\n{other}\tAWAITING_LISTENER\n"
    lines = cli.run("tunnel", "show", tunnel, "-Funix").ok().splitlines()
    assert lines[:3] == ["DATA", f"{tunnel}\tTunnel", "ATTRIBUTES"] and lines[3].split("\t")[3:5] == ["one", "360"]
    cli.run("environment", "initialize", tunnel).ok()
    assert cli.run("environment", "contact-lookup", tunnel, "-Funix").ok() == f"127.0.0.1:4711\t{tunnel}\n"
    assert cli.run("tunnel", "show", "-Funix", ENDPOINT).failed(1).startswith("globus-streams: Transfer")


def test_an_expression_chooses(cli, far):
    tunnel = far.active(label="a")
    for words, value in ((("--jq", "data.id"), tunnel), (("--jmespath=data.attributes.listener_port",), 8888),
                         (("--jq", "data.nothing", "-F", "text"), None),
                         (("-Fjson", "--jq", "keys(@)"), ["data", "meta"])):
        assert json.loads(cli.run("tunnel", "show", tunnel, *words).ok()) == value
    assert cli.run("--jq", "data.attributes.{s: state}", "tunnel", "show", tunnel).ok() == '{\n  "s": "ACTIVE"\n}\n'
    assert json.loads(cli.run("tunnel", "list", "--jq", "length(data)").ok()) == 1
    assert json.loads(cli.run("access-point", "list", "--jq", "data[].attributes.display_name").ok()) == [
        "Initiator Site", "Listener Site"]
    assert json.loads(cli.run("whoami", "--jq", "name").ok()) == "Ada"
    assert json.loads(cli.run("environment", "initialize", tunnel, "--jq", "side").ok()) == "initiator"
    created = json.loads(cli.run("tunnel", "create", INITIATOR_AP, LISTENER_AP, "--jq", "data.id", "-v").out)
    assert created in far.tunnels


def test_an_expression_for_each_event(cli, far):
    tunnel = far.tunnel("STOPPED")
    far.events[tunnel] = [{"type": "TunnelEvent", "id": n, "attributes": {"code": code, "time": "t", "x": {"y": n}}}
                          for n, code in ((2, "TUNNEL_STOPPED"), (1, "STARTED"))]
    follow = ("tunnel", "events", "--follow", tunnel, "--jq", "[id, attributes.code]")
    assert cli.run(*follow).ok() == '[1,"STARTED"]\n[2,"TUNNEL_STOPPED"]\n'
    assert cli.run(*follow, "-Funix").ok() == "1\tSTARTED\n2\tTUNNEL_STOPPED\n"


@pytest.mark.parametrize("words, said", [
    (("--jq", "a", "--jmespath", "b"), "only once"), (("--jq", "a", "--jq", "a"), "only once"),
    (("--jq", ""), "incomplete"),
    (("--jq", "data["), "incomplete"), (("--jq", "data..id"), "character 6"),
    (("--jq", "items(@)"), "'items' is not supported"),
    (("--jq", "abs(@, @)"), "takes 1 argument, not 2"), (("--jq",), "needs a value"),
    (("-F", "xml"), "text, json or unix"),
    (("--map-http-status", "404"), "HTTP=EXIT"), (("--map-http-status", "404=2"), "HTTP=EXIT"),
    (("--map-http-status", "404=49"), "HTTP=EXIT"), (("--map-http-status", "404=100"), "HTTP=EXIT"),
    (("--map-http-status", "x=1"), "HTTP=EXIT"), (("--map-http-status", "404=1=1"), "HTTP=EXIT"),
    (("--map-http-status", "404=50,403"), "HTTP=EXIT"), (("--map-http-status", "99=50"), "HTTP=EXIT"),
    (("--map-http-status", "404=-1"), "HTTP=EXIT"), (("--map-http-status", "404="), "HTTP=EXIT")])
def test_wrong_options_change_nothing(cli, far, words, said):
    result = cli.run("tunnel", "create", INITIATOR_AP, LISTENER_AP, *words)
    assert result.status == 2 and said in result.err and result.out == "" and far.requests == []


def test_an_expression_that_fails_on_the_document(cli, far):
    tunnel = far.active()
    result = cli.run("tunnel", "show", tunnel, "--jq", "abs(data.id)")
    error = json.loads(result.err)
    assert result.status == 1 and result.out == "" and "'abs' cannot be applied" in error["message"]
    result = cli.run("tunnel", "create", INITIATOR_AP, LISTENER_AP, "--jq", "sum(data)")
    error = json.loads(result.err)["message"]
    assert result.status == 1 and any(f"tunnel {each} is created, but " in error for each in far.tunnels)


@pytest.mark.parametrize("http, given, status", [
    (404, "404=0,403=50", 0), (403, "404=0,403=50", 50), (404, "404=1", 1), (422, "422=99", 99),
    (409, "404=0, 409=51,,", 51),
    (404, "403=50", 1), (400, "400=60,400=61", 61)])
def test_http_statuses_are_mapped(cli, far, http, given, status):
    far.rule("GET", "/v2/tunnels/.*", Answer(http, {"errors": [{"code": "C", "title": "T", "detail": "D"}]}))
    result = cli.run("tunnel", "show", ENDPOINT, "--map-http-status", given)
    assert result.status == status and result.out == "" and f"HTTP {http}" in result.err


def test_which_statuses_are_mapped(cli, far):
    tunnel = far.active()
    twice = ("--map-http-status", "409=70", "--map-http-status=403=80")
    assert "stop it first" in cli.run("tunnel", "delete", tunnel, *twice).failed(70)
    far.rule("GET", "/v2/tunnels/.*", Answer(403, {"authorization_parameters": {"session_message": "again"}}))
    assert "login --force" in cli.run("tunnel", "show", tunnel, *twice).failed(80)
    far.rules.clear()
    far.rule("GET", "/v2/tunnels/.*", Answer(404, raw=b"<html>"))  # nobody's word on the tunnel
    cli.run("tunnel", "show", tunnel, "--map-http-status", "404=0").failed(1)
    cli.run("tunnel", "show", "x", "--map-http-status", "404=0").failed(2)
    far.rules.clear()
    far.rule("POST", "/v2/oauth2/token", Answer(400, {"error": "invalid_client"}))
    (cli.base / "tokens.json").unlink()
    cli.run("tunnel", "show", tunnel, "--map-http-status", "400=55").failed(55)


def test_errors_as_json(cli, far):
    def error(*words, status=1, **more):
        result = cli.run(*words, **more)
        assert (result.status, result.out) == (status, ""), result
        return json.loads(result.err)

    theirs = {"errors": [{"code": "NOT_FOUND", "title": "Not Found", "detail": "no such tunnel"}]}
    found = error("tunnel", "show", ENDPOINT, "-Fjson")
    ours = found.pop("globus_streams")
    assert found == theirs and ours["http_status"] == 404 and ours["exit_status"] == 1
    assert "tunnel list" in ours["message"] and ENDPOINT in ours["message"]
    assert error("tunnel", "show", ENDPOINT, "--jq", "data", "--map-http-status=404=50", status=50)["globus_streams"][
        "exit_status"] == 50
    found = error("tunnel", "show", "x", "-Fjson", status=2)
    assert found["error_name"] == "UsageError" and "'x' is not" in found["message"]
    assert found["globus_streams"] == {"message": found["message"], "exit_status": 2, "http_status": None}
    assert "no such option" in error("-Fjson", "tunnel", "list", "--nothing", status=2)["message"]
    far.rule("GET", "/v2/tunnels/.*", Answer(403, {"authorization_parameters": {"session_message": "a\x1b[2J\nb"}}))
    found = error("tunnel", "show", ENDPOINT, "-Fjson", status=4)
    assert "login --force" in found["globus_streams"]["message"] and "authorization_parameters" in found
    far.rules.clear()
    gone = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None}
    found = error("tunnel", "list", "-Fjson", status=4, env=gone)
    assert found["error_name"] == "LoginRequired" and found["message"].startswith("not logged in")
    assert error("environment", "show", ENDPOINT, "-Fjson")["error_name"] == "CommandError"


def test_a_full_disk_is_an_error_in_json_too(cli, far):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([PROGRAM, "tunnel", "list", "-Fjson"], env=cli.environment, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and "No space left" in json.loads(done.stderr)["message"]


def test_an_answer_of_another_failure_is_not_shown(cli, far):
    """A refusal without JSON has no document but ours."""
    far.rule("GET", "/v2/tunnels/.*", Answer(403, {"code": "first"}), times=1)
    far.rule("GET", "/v2/tunnels/.*", Answer(403, raw=b"<html>"))
    assert json.loads(cli.run("tunnel", "show", ENDPOINT, "-Fjson").err)["code"] == "first"
    result = cli.run("tunnel", "show", ENDPOINT, "-Fjson")
    found = json.loads(result.err)
    assert found["error_name"] == "CommandError" and found["globus_streams"]["http_status"] == 403


def test_what_is_taken_back_does_not_hide_the_reason(cli, far):
    far.rule("PATCH", ".*", Answer(422, {"detail": [{"loc": ["x"], "msg": "no", "type": "t"}]}))
    far.rule("DELETE", "/manager/.*", far.envelope(403, "denied", "not the owner"))
    result = cli.run("environment", "initialize", "--listener-contact-string", "10.0.0.1:80", far.tunnel(), "-Fjson")
    assert result.status == 1 and far.count("DELETE", "/manager/.*") == 1
    found = json.loads(result.err)
    assert found["detail"][0]["msg"] == "no" and found["globus_streams"]["http_status"] == 422


def test_quiet(cli, far):
    tunnel = far.tunnel()
    loud = cli.run("environment", "initialize", "--listener-contact-string", "127.0.0.1:8888", tunnel)
    assert "warning" in loud.err
    for more in ((), ("-v",), ("--debug",)):
        result = cli.run("environment", "initialize", "-q", *more, "--force", "--listener-contact-string",
                         "127.0.0.1:8888", tunnel)
        assert result.ok() == loud.out
    for word in ("-q", "--quiet"):
        assert cli.run("tunnel", "show", ENDPOINT, word).failed(1)
    assert cli.run("login").ok() and cli.run("login", "--quiet").ok() == ""
    assert cli.run("tunnel", "delete", far.tunnel("STOPPED"), "--quiet").ok() == "Tunnel deleted successfully\n"


def test_debug_tells_each_exchange_and_no_secret(cli, far):
    tunnel = far.active()
    far.rule("GET", "/v2/tunnels/.*", Answer(503, {"code": "x"}, headers={"Retry-After": "1"}), times=1)
    result = cli.run("environment", "initialize", "--debug", tunnel)
    lines = result.err.splitlines()
    assert result.status == 0 and all(line.startswith("globus-streams: ") for line in lines)
    for pattern in (r"debug: running globus-streams environment initialize", r"asking Auth for a token for transfer",
                    r"try 1: POST \S+/v2/oauth2/token, with client credentials, \d+ bytes of application/x-www",
                    rf"try 1: GET \S+/v2/tunnels/{tunnel}, with a token", r"HTTP 503, \d+ bytes of",
                    "retrying in 1000 ms", rf"try 2: GET \S+/v2/tunnels/{tunnel}",
                    r"HTTP 201, \d+ bytes of \S.* from 127\.0\.0\.1 after \d+ ms"):
        assert any(re.search(pattern, line) for line in lines), (pattern, result.err)
    secrets = [CLIENT_SECRET, *far.tokens, *(secret["secret"] for secret in far.secrets.values())]
    assert len(secrets) > 2 and not any(secret in result.err for secret in secrets)
    verbose = cli.run("tunnel", "list", "-v")
    assert "GET" in verbose.err and "debug" not in verbose.err


def test_the_words_of_globus(cli, far):
    tunnel = far.active(label="one")
    out = cli.run("tunnel", "create", "-v", INITIATOR_AP, LISTENER_AP, "--label", "x").out
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "ID", "Label", "State", "Status", "Listener Access Point", "Listener IP", "Listener Port",
        "Initiator Access Point", "Initiator IP", "Initiator Port"]
    assert re.search(r"^Listener IP:            None$", out, re.M)
    out = cli.run("access-point", "show", LISTENER_AP).ok()
    assert [line.split(":")[0] for line in out.splitlines()][:8] == [
        "ID", "Display Name", "Contact Email", "Contact Info", "Department", "Description", "Info Link",
        "Organization"]
    cli.run("tunnel", "stop", tunnel).ok()
    assert cli.run("tunnel", "delete", tunnel).ok() == "Tunnel deleted successfully\n"


def test_the_rule_of_a_table(cli, far):
    tunnel = far.active(label="one")
    head, rule, row = cli.run("tunnel", "list").ok().splitlines()
    assert head == "ID                                   | Label | State  | Created Time"
    assert rule == f"{'-' * 36}-+-------+--------+-{'-' * 28}"
    assert row.startswith(f"{tunnel} | one   | ACTIVE | 2026-")
    unfolded = cli.run("tunnel", "list", env={"GLOBUS_CLI_FOLD_TABLES": "0"}).ok().splitlines()
    assert unfolded == [head, rule.replace("-+-", " | "), row]
    forced = cli.run("tunnel", "list", env={"GLOBUS_CLI_FOLD_TABLES": "yes", "COLUMNS": "60"}).ok().splitlines()
    assert forced[1] == f"│ {'ID':36} │" and len(forced) == 17


def screen(cli, columns, *words, **settings):
    cli.environment.update(settings)
    terminal = Terminal(cli, *words, columns=columns)
    assert terminal.end() == 0
    return re.sub(r"\x1b\[[0-9;]*[mK]|\r", "", terminal.text).splitlines()


@pytest.mark.parametrize("columns, lines", [
    (200, 1), (94, 1), (93, 2), (88, 2), (87, 1), (84, 1), (83, 2), (71, 2), (70, 4), (20, 4)])
def test_tables_fold_on_a_narrow_terminal(cli, far, columns, lines):
    """From 88 columns on, a tenth stays free, as with Globus's CLI."""
    far.tunnels.clear()
    tunnel = far.active(label="one")
    shown = screen(cli, columns, "tunnel", "list")
    if lines == 1:
        assert len(shown) == 3 and shown[1].count("-+-") == 3
        return
    body = [line for line in shown if line.startswith("│")]
    assert shown[0].startswith("╒═") and shown[-1].startswith("└─") and len(body) == 2 * lines
    assert len({len(line) for line in shown}) == 1
    assert body[lines].startswith(f"│ {tunnel}") and sum("╞" in line for line in shown) == 1


def test_a_folded_table(cli, far):
    far.rule("GET", "/v2/stream_access_points", Answer(200, {"data": [
        {"id": INITIATOR_AP, "attributes": {"display_name": "Süd", "organization": None}},
        {"id": LISTENER_AP, "attributes": {"display_name": "North", "organization": "Lab"}}]}))
    assert screen(cli, 58, "access-point", "list") == [
        "╒══════════════════════════════════════╤══════════════╕",
        "│ ID                                   ╎ Organization │",
        "├─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─  ─┼─ ─ ─ ─ ─ ─  ─┤",
        "│ Display Name                         ╎              │",
        "╞══════════════════════════════════════╪══════════════╡",
        f"│ {INITIATOR_AP} ╎ None         │",
        "├─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─  ─┼─ ─ ─ ─ ─ ─  ─┤",
        "│ Süd                                  ╎              │",
        "├──────────────────────────────────────┼──────────────┤",
        f"│ {LISTENER_AP} ╎ Lab          │",
        "├─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─  ─┼─ ─ ─ ─ ─ ─  ─┤",
        "│ North                                ╎              │",
        "└──────────────────────────────────────┴──────────────┘"]
    assert len(screen(cli, 58, "access-point", "list", GLOBUS_CLI_FOLD_TABLES="0")) == 4
