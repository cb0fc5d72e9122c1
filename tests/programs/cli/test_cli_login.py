"""globus-streams: logging in, with a pasted code, by a browser, and because a service asks for it."""

import json
import os
import re
import stat
import time
import urllib.request

import pytest

import far_side
from cli_program import Cli, Terminal, address_in
from far_side import ENDPOINT, TRANSFER_SCOPE, Answer

LOGIN_CLIENT = "22222222-2222-4222-8222-222222222222"
USER = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None, "GLOBUS_STREAMS_CLIENT_ID": LOGIN_CLIENT}
MANAGER_SCOPE = f"urn:globus:auth:scope:{ENDPOINT}:manage_collections"


@pytest.fixture
def cli(tmp_path, far):
    instance = Cli(tmp_path, far.url)
    for name, value in USER.items():
        if value is None:
            instance.environment.pop(name)
        else:
            instance.environment[name] = value
    return instance


def log_in(cli, far, *words):
    terminal = Terminal(cli, "login", "--no-browser", *words)
    terminal.read_until("Enter the code: ")
    code, asked = far.log_in(address_in(terminal.text))
    terminal.send("  " + code + " ")
    assert terminal.end() == 0, terminal.text
    return asked


def test_login_with_a_pasted_code(cli, far):
    asked = log_in(cli, far)
    assert asked["client_id"] == LOGIN_CLIENT and asked["redirect_uri"] == far.url + "/v2/web/auth-code"
    assert set(asked["scope"].split()) == {"openid", "profile", "email", TRANSFER_SCOPE}
    form = far.asked("POST", "/v2/oauth2/token")[0].form()
    assert form["grant_type"] == "authorization_code" and form["client_id"] == LOGIN_CLIENT
    assert not far.asked("POST", "/v2/oauth2/token")[0].headers.get("Authorization")
    tokens = cli.base / "tokens.json"
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    assert len(json.loads(tokens.read_text())["tokens"]) == 2
    assert "already" in cli.run("login").ok()
    assert cli.run("whoami").ok() == "ada@example.org\n"
    assert json.loads(cli.run("whoami", "-Fjson").ok())["preferred_username"] == "ada@example.org"
    assert "ACTIVE" in cli.run("tunnel", "show", far.active()).ok()


def test_login_from_a_pipe(cli, far):
    process = cli.start("login", "--no-browser")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 4 and "no code" in err and address_in(out)


def test_login_with_a_wrong_code(cli, far):
    terminal = Terminal(cli, "login", "--no-browser")
    terminal.read_until("Enter the code: ")
    terminal.send("nonsense")
    assert terminal.end() == 4 and not (cli.base / "tokens.json").exists()
    assert "code was not accepted" in terminal.text and "no longer valid" not in terminal.text


def test_login_by_a_browser(cli, far, tmp_path):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {seen}.new && mv {seen}.new {seen}\n')
    browser.chmod(0o700)
    process = cli.start("login", env={"BROWSER": str(browser)})
    deadline = time.monotonic() + 20
    while not seen.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    code, asked = far.log_in(seen.read_text())
    redirect = asked["redirect_uri"]
    assert re.fullmatch(r"http://localhost:\d+", redirect)
    redirect = redirect.replace("localhost", "127.0.0.1")
    for bad in ("/favicon.ico", f"/?code={code}&state=wrong", f"/?code={code}"):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(redirect + bad, timeout=10)
    page = urllib.request.urlopen(f"{redirect}/?code={code}&state={asked['state']}", timeout=10).read()
    assert b"logged in" in page
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0 and err == "" and "You are logged in." in out
    assert cli.run("whoami").ok() == "ada@example.org\n"


def test_login_that_the_browser_refuses(cli, far, tmp_path):
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {seen}.new && mv {seen}.new {seen}\n')
    browser.chmod(0o700)
    process = cli.start("login", env={"BROWSER": str(browser)})
    deadline = time.monotonic() + 20
    while not seen.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    asked = far.log_in(seen.read_text())[1]
    address = asked["redirect_uri"].replace("localhost", "127.0.0.1")
    urllib.request.urlopen(f"{address}/?error=access_denied&state={asked['state']}", timeout=10)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 4 and "access_denied" in err


def test_not_logged_in(cli, far):
    tunnel = far.active()
    for words in (("tunnel", "show", tunnel), ("environment", "initialize", tunnel), ("whoami",)):
        assert "globus-streams login" in cli.run(*words).failed(4)


def test_a_login_that_is_missing_is_started(cli, far):
    """On a terminal: once for Transfer, and once more for the GCS Manager; stdout stays the guide's."""
    tunnel = far.active()
    log_in(cli, far)
    terminal = Terminal(cli, "environment", "initialize", tunnel)
    terminal.read_until("Enter the code: ")
    code, asked = far.log_in(address_in(terminal.text))
    assert MANAGER_SCOPE in asked["scope"].split() and TRANSFER_SCOPE in asked["scope"].split()
    terminal.send(code)
    assert terminal.end() == 0, terminal.text
    assert cli.conf(tunnel)["lankey"]
    assert f"--scope '{MANAGER_SCOPE}'" not in terminal.text
    far.tokens = {t: s for t, s in far.tokens.items() if s != ENDPOINT}
    cli.run("environment", "initialize", "--force", tunnel).ok()  # by the refresh token


def test_the_waiting_line_fits_its_terminal(cli, far):
    """One that is wrapped could not be taken away again."""
    tunnel = far.tunnel()
    log_in(cli, far)
    far.rule("PATCH", ".*", Answer(200, far.tunnels[tunnel]))
    terminal = Terminal(cli, "tunnel", "stop", "--wait", tunnel, columns=40)
    terminal.read_until(r"\(\d+s\)")
    far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"
    assert terminal.end() == 0
    drawn = re.findall(r"\r\x1b\[K([^\r\n]*\(\d+s\))", terminal.text)
    assert drawn and max(map(len, drawn)) < 40


def test_wait_bounds_the_wait_for_a_login(cli, far):
    tunnel = far.active()
    log_in(cli, far)
    far.rule("GET", "/v2/tunnels/.*", Answer(403, {"authorization_parameters": {"session_message": "again"}}))
    terminal = Terminal(cli, "tunnel", "stop", "--wait=1", tunnel)
    terminal.read_until("Enter the code: ")
    assert terminal.end() == 4 and "in time" in terminal.text


def test_control_c_at_the_question(cli, far):
    tunnel = far.active()
    log_in(cli, far)
    terminal = Terminal(cli, "environment", "initialize", tunnel)
    terminal.read_until("Enter the code: ")
    os.write(terminal.fd, b"\x03")
    assert terminal.end() == 130 and "interrupted" in terminal.text
    assert cli.files() == {} and [p.name for p in cli.base.iterdir() if "tokens" not in p.name] == []


def test_without_a_terminal_the_command_is_said(cli, far):
    log_in(cli, far)
    line = cli.run("environment", "initialize", far.active()).failed(4)
    assert f"globus-streams login --scope '{MANAGER_SCOPE}'" in line
    assert cli.files() == {}


def test_session_demands_are_asked_for_once(cli, far):
    tunnel = far.active()
    log_in(cli, far)
    demand = Answer(403, {"errors": [{"code": "x", "authorization_parameters": {
        "session_message": "Log in with your work account", "session_required_single_domain": ["example.org"],
        "session_required_policies": ["p1"], "session_required_mfa": True, "prompt": "login",
        "required_scopes": ["urn:globus:auth:scope:transfer.api.globus.org:all"]}}]})
    far.rule("GET", "/v2/tunnels/.*", demand, times=1)
    terminal = Terminal(cli, "tunnel", "show", tunnel)
    terminal.read_until("Enter the code: ")
    assert "Log in with your work account" in terminal.text
    code, asked = far.log_in(address_in(terminal.text))
    assert asked["session_required_single_domain"] == "example.org" and asked["prompt"] == "login"
    assert asked["session_required_policies"] == "p1" and asked["session_required_mfa"] == "true"
    terminal.send(code)
    assert terminal.end() == 0 and "ACTIVE" in terminal.text
    far.rule("GET", "/v2/tunnels/.*", demand)
    terminal = Terminal(cli, "tunnel", "show", tunnel)
    terminal.read_until("Enter the code: ")
    terminal.send(far.log_in(address_in(terminal.text))[0])
    assert terminal.end() == 4 and terminal.text.count("Enter the code: ") == 1
    assert "--domain 'example.org'" in terminal.text and "--mfa" in terminal.text


def test_a_service_cannot_smuggle_words_into_the_command(cli, far):
    log_in(cli, far)
    far.rule("GET", "/v2/tunnels/.*", Answer(403, {"code": "ConsentRequired", "message": "m",
                                                   "required_scopes": ["a' ; rm -rf / '"]}))
    line = cli.run("tunnel", "show", far.active()).failed(4)
    assert "rm -rf" not in line


def test_refresh(cli, far):
    tunnel = far.active()
    log_in(cli, far)
    far.tokens.clear()
    assert "ACTIVE" in cli.run("tunnel", "show", tunnel).ok()
    form = far.asked("POST", "/v2/oauth2/token")[-1].form()
    assert form["grant_type"] == "refresh_token" and form["client_id"] == LOGIN_CLIENT
    far.tokens.clear()
    far.revoked.update(far.refresh.values())
    assert "no longer valid" in cli.run("tunnel", "show", tunnel).failed(4)


@pytest.mark.parametrize("rotated", [False, True])
def test_ten_that_need_a_new_token_ask_once(cli, far, rotated):
    """Also where each refresh token is good for one renewal only."""
    tunnel = far.active()
    log_in(cli, far)
    path = cli.base / "tokens.json"

    def renew(request, usual):
        time.sleep(0.3)
        answer = json.loads(usual().body)
        far.revoked.add(request.form()["refresh_token"])
        for scope in far.refresh:
            far.refresh[scope] = "refresh-new-" + str(len(scope))
        answer["refresh_token"] = far.refresh[answer["scope"]]
        return Answer(200, answer)

    for _ in range(2):
        document = json.loads(path.read_text())
        for entry in document["tokens"]:
            entry["expires_at"] = 1000
        path.write_text(json.dumps(document))
        far.rules.clear()
        if rotated:
            far.rule("POST", "/v2/oauth2/token", renew)
            far.revoked.clear()
        far.requests.clear()
        runs = [cli.start("tunnel", "show", tunnel) for _ in range(10)]
        outputs = [run.communicate(timeout=60) + (run.returncode,) for run in runs]
        assert all((err, status) == ("", 0) for _, err, status in outputs), outputs
        forms = [request.form() for request in far.asked("POST", "/v2/oauth2/token")]
        assert [form["grant_type"] for form in forms] == ["refresh_token"]
        assert far.count("GET", "/v2/tunnels/.*") == 10
    tokens = json.loads(path.read_text())["tokens"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(tokens) == 2
    assert any(entry["refresh_token"].startswith("refresh-new-") for entry in tokens) == rotated
    assert all(entry["refresh_token"] for entry in tokens)


def test_logout(cli, far):
    log_in(cli, far)
    entries = json.loads((cli.base / "tokens.json").read_text())["tokens"]
    assert "logged out" in cli.run("logout").ok()
    revoked = {r.form()["token"] for r in far.asked("POST", "/v2/oauth2/token/revoke")}
    assert revoked == {e[k] for e in entries for k in ("access_token", "refresh_token")}
    cli.run("whoami").failed(4)
    assert "not logged in" in cli.run("logout").ok()


def test_client_credentials_win_and_leave_the_login_alone(cli, far):
    log_in(cli, far)
    as_client = {"GLOBUS_CLI_CLIENT_ID": far_side.CLIENT_ID, "GLOBUS_CLI_CLIENT_SECRET": far_side.CLIENT_SECRET}
    assert "no login is needed" in cli.run("login", env=as_client).ok()
    cli.run("whoami", env=as_client).ok()
    cli.run("logout", env=as_client).ok()
    assert cli.run("whoami").ok() == "ada@example.org\n"


def test_the_waiting_line_is_for_terminals(cli, far):
    tunnel = far.active()
    log_in(cli, far)
    far.rule("GET", "/v2/tunnels/.*", Answer(503, {}), times=1)
    far.rule("GET", "/v2/tunnels/.*", lambda request, usual: usual())
    terminal = Terminal(cli, "tunnel", "events", "--follow", tunnel)
    terminal.read_until(r"waiting for events \(\d+s\)")
    far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"
    assert terminal.end() == 0 and terminal.text.endswith("\r\x1b[K")


def test_colours_only_on_terminals_that_want_them(cli):
    for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        terminal = Terminal(cli, "tunnel", "show", "nonsense")
        if environment:
            terminal.end()
            cli.environment.update(environment)
            terminal = Terminal(cli, "tunnel", "show", "nonsense") if "TERM" not in environment else None
        if terminal:
            assert terminal.end() == 2 and ("\x1b[31m" in terminal.text) == coloured
        for name in environment:
            cli.environment.pop(name)
    assert "\x1b" not in cli.run("tunnel", "show", "nonsense").failed(2)
