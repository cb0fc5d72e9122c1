"""globus-streams: whose client a login is made with, which login is in use, profiles, and the words of Globus's CLI."""

import json
import re
import stat
from pathlib import Path

import pytest

import far_side
from cli_program import Cli, Terminal, address_in
from far_side import ENDPOINT, IDENTITIES_SCOPE, Answer

ONE = "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"
SERVICE = {"GLOBUS_CLI_CLIENT_ID": far_side.CLIENT_ID, "GLOBUS_CLI_CLIENT_SECRET": far_side.CLIENT_SECRET}
DEVELOPERS = "https://app.globus.org/settings/developers"


@pytest.fixture
def cli(tmp_path, far):
    """Without a client."""
    instance = Cli(tmp_path, far.url)
    for name in SERVICE:
        instance.environment.pop(name)
    return instance


def log_in(cli, far, *words):
    """What the address asked for."""
    terminal = Terminal(cli, "login", "--no-browser", *words)
    terminal.read_until("Enter the code: ")
    code, asked = far.log_in(address_in(terminal.text))
    terminal.send(code)
    assert terminal.end() == 0, terminal.text
    return asked


def login_of(cli, *words, **more):
    return json.loads(cli.run("whoami", "-Fjson", *words, **more).ok())["login"]


# --- no client ---


def test_login_explains_how_to_get_a_client(cli):
    result = cli.run("login")
    lines = result.err.splitlines()
    assert result.status == 4 and result.out == "" and len(lines) == 3
    assert all(line.startswith("globus-streams: ") for line in lines)
    register, service, id_goes = lines
    assert DEVELOPERS in register and "Register a thick client" in register
    assert "https://auth.globus.org/v2/web/auth-code" in register and "http://localhost" in register
    assert "service account" in service and "GLOBUS_CLI_CLIENT_ID and GLOBUS_CLI_CLIENT_SECRET" in service
    for place in ("globus-streams login --client-id", "GLOBUS_STREAMS_CLIENT_ID", "-Dclient_id"):
        assert place in id_goes
    assert "--client-id" in cli.run("login", "--format", "json").failed(4)


def test_the_manual_and_readme_explain_it_too():
    root = Path(__file__).resolve().parents[3]
    if not (root / "README.md").exists():
        pytest.skip("only where the sources are")
    for page in ("README.md", "man/globus-streams.1.scd"):
        text = (root / page).read_text()
        for words in (DEVELOPERS, "https://auth.globus.org/v2/web/auth-code", "http://localhost", "--client-id",
                      "GLOBUS_STREAMS_CLIENT_ID", "-Dclient_id", "GLOBUS_CLI_CLIENT_SECRET"):
            assert words in text, (page, words)


@pytest.mark.parametrize("words", ["whoami", "tunnel list", "environment initialize {}", "logout"])
def test_other_commands_say_it_in_a_line(cli, far, words):
    line = cli.run(*words.format(far.active()).split()).failed(4)
    assert "no client id is known; run: globus-streams login (" in line
    line = cli.run(*words.format(far.active()).split(), "--profile", "work").failed(4)
    assert "with profile work" in line and "run: globus-streams login --profile work" in line


# --- where the client comes from ---


def test_a_client_id_is_remembered(cli, far):
    assert log_in(cli, far, "--client-id", ONE.upper())["client_id"] == ONE
    path = cli.base / "client.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["clients"] == {far.url: ONE}
    assert cli.run("whoami").ok() == "ada@example.org\n"
    assert login_of(cli) == {"profile": None, "kind": "user", "client_id": ONE, "client_id_from": "login --client-id"}
    cli.run("logout").ok()
    assert f"not logged in (client {ONE}, default profile)" in cli.run("whoami").failed(4)
    assert log_in(cli, far)["client_id"] == ONE


def test_a_login_that_fails_remembers_nothing(cli, far):
    log_in(cli, far, "--client-id", ONE)
    before = cli.files()
    terminal = Terminal(cli, "login", "--no-browser", "--client-id", OTHER)
    terminal.read_until("Enter the code: ")
    terminal.send("nonsense")
    assert terminal.end() == 4 and cli.files() == before
    far.rule("POST", "/v2/oauth2/token", Answer(200, {"access_token": "a", "expires_in": 1000}))
    terminal = Terminal(cli, "login", "--no-browser", "--client-id", OTHER)
    terminal.read_until("Enter the code: ")
    terminal.send("code")
    assert terminal.end() == 1 and "no valid resource_server" in terminal.text and cli.files() == before


def test_remembered_without_a_new_login(cli, far):
    log_in(cli, far, "--client-id", ONE)
    (cli.base / "client.json").unlink()
    assert "already" in cli.run("login", "--client-id", ONE).ok()
    assert login_of(cli)["client_id"] == ONE


def test_each_globus_has_its_own_client(cli, far):
    log_in(cli, far, "--client-id", ONE)
    assert "no client id is known" in cli.run("whoami", env={"GLOBUS_SDK_SERVICE_URL_AUTH": far.url + "/x"}).failed(4)


def test_the_order_of_clients(cli, far):
    """Client credentials, then GLOBUS_STREAMS_CLIENT_ID, then what is remembered."""
    log_in(cli, far, "--client-id", ONE)
    variable = {"GLOBUS_STREAMS_CLIENT_ID": OTHER}
    assert f"client {OTHER}," in cli.run("whoami", env=variable).failed(4)
    service = login_of(cli, env={**variable, **SERVICE})
    assert service == {"profile": None, "kind": "service account", "client_id": far_side.CLIENT_ID,
                       "client_id_from": "GLOBUS_CLI_CLIENT_ID"}
    cli.environment.update(variable)
    log_in(cli, far)
    assert login_of(cli) == {"profile": None, "kind": "user", "client_id": OTHER,
                             "client_id_from": "GLOBUS_STREAMS_CLIENT_ID"}


@pytest.mark.parametrize("words, env, what", [
    (["login", "--client-id", "abc"], {}, "--client-id: 'abc' is not a client's id"),
    (["login", "--client-id", ""], {}, "--client-id: '' is not a client's id"),
    (["login", "--client-id", ONE], {"GLOBUS_STREAMS_CLIENT_ID": OTHER}, "GLOBUS_STREAMS_CLIENT_ID is set"),
    (["login", "--client-id", ONE], SERVICE, "GLOBUS_CLI_CLIENT_ID is set"),
    (["whoami"], {"GLOBUS_STREAMS_CLIENT_ID": "abc"}, "GLOBUS_STREAMS_CLIENT_ID: 'abc' is not a client's id"),
])
def test_ids_that_cannot_be_used(cli, words, env, what):
    assert what in cli.run(*words, env=env).failed(2)
    assert cli.files() == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"clients": 5}', '{"clients": {"URL": 5}}', '{"clients": {"URL": "x"}}'])
def test_a_spoilt_memory_is_no_obstacle(cli, far, text):
    cli.base.mkdir(parents=True)
    path = cli.base / "client.json"
    path.write_text(text.replace("URL", far.url))
    path.chmod(0o600)
    result = cli.run("whoami")
    assert result.status == 4 and "no client id is known" in result.err
    log_in(cli, far, "--client-id", ONE)
    assert cli.run("whoami").ok() == "ada@example.org\n"


def test_a_memory_that_others_may_write_is_refused(cli, far):
    log_in(cli, far, "--client-id", ONE)
    path = cli.base / "client.json"
    path.chmod(0o666)
    assert f"{path} holds your client id" in cli.run("whoami").failed(1)


# --- whoami ---


def test_whoami_tells_the_login(cli, far):
    log_in(cli, far, "--client-id", ONE)
    result = cli.run("whoami", "-v")
    lines = result.out.splitlines()
    assert result.status == 0 and lines[0] == "ada@example.org"
    record = dict(re.fullmatch(r"([^:]+): +(.*)", line).groups() for line in lines[1:])
    assert record == {"Username": "ada@example.org", "Name": "Ada", "ID": far_side.CLIENT_ID,
                      "Email": "ada@example.org", "Profile": "(default)", "Login": "user", "Client ID": ONE,
                      "Client ID From": "login --client-id"}
    assert "Login:          service account" in cli.run("whoami", "-v", env=SERVICE).out


def test_whoami_starts_no_login(cli):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    terminal = Terminal(cli, "whoami")
    assert terminal.end() == 4 and "not logged in" in terminal.text and "Enter the code" not in terminal.text


def test_linked_identities(cli, far):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    log_in(cli, far)
    line = cli.run("whoami", "--linked-identities").failed(4)
    assert f"globus-streams login --scope '{IDENTITIES_SCOPE}'" in line
    assert IDENTITIES_SCOPE in log_in(cli, far, "--scope", IDENTITIES_SCOPE)["scope"].split()
    assert cli.run("whoami", "--linked-identities").ok() == "ada@example.org\nlovelace@example.com\n"
    assert [one["sub"] for one in json.loads(cli.run("whoami", "--linked-identities", "-Fjson").ok())] == [
        far_side.CLIENT_ID, ENDPOINT]
    table = cli.run("whoami", "--linked-identities", "-v").out.splitlines()
    assert re.split(r" +\| ", table[0]) == ["Username", "Name", "ID", "Email"] and len(table) == 4
    assert re.split(r" +\| ", table[3]) == ["lovelace@example.com", "None", ENDPOINT, "l@example.com"]
    assert cli.run("whoami").ok() == "ada@example.org\n"
    assert "lovelace" in cli.run("whoami", "--linked-identities", env=SERVICE).ok()


@pytest.mark.parametrize("identities, status, what", [
    (None, 4, "lacks the consent"), (5, 1, "'identity_set'"), ([5], 1, "'sub'"), ([{"sub": "x"}], 1, "'username'")])
def test_linked_identities_that_are_none(cli, far, identities, status, what):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    log_in(cli, far, "--scope", IDENTITIES_SCOPE)
    far.rule("GET", "/v2/oauth2/userinfo", Answer(200, {"sub": "1", "preferred_username": "a",
                                                        "identity_set": identities}))
    assert what in cli.run("whoami", "--linked-identities").failed(status)


# --- profiles ---


def test_profiles_are_apart(cli, far):
    log_in(cli, far, "--client-id", ONE)
    log_in(cli, far, "--profile", "work", "--client-id", OTHER)
    folder = cli.base / "profiles" / "work"
    assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    for path, client in ((cli.base, ONE), (folder, OTHER)):
        entries = json.loads((path / "tokens.json").read_text())["tokens"]
        assert {entry["client_id"] for entry in entries} == {client}
        assert json.loads((path / "client.json").read_text())["clients"] == {far.url: client}
    assert login_of(cli) == {"profile": None, "kind": "user", "client_id": ONE, "client_id_from": "login --client-id"}
    for how in ({"env": {"GLOBUS_PROFILE": "work"}}, {"words": ["--profile", "work"]},
                {"words": ["--profile=work"], "env": {"GLOBUS_PROFILE": "nobody"}}):
        assert login_of(cli, *how.get("words", []), env=how.get("env"))["client_id"] == OTHER
    assert cli.run("whoami", env={"GLOBUS_PROFILE": ""}).ok() == "ada@example.org\n"
    assert "Profile:        work" in cli.run("--profile", "work", "whoami", "-v").out


def test_a_logout_ends_its_own_profile_only(cli, far):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    for words in ([], ["--profile", "work"], ["--profile", "play"]):
        log_in(cli, far, *words)
    kept = {name: (cli.base / name / "tokens.json").read_bytes() for name in ("", "profiles/play")}
    assert "You are logged out." in cli.run("logout", "--yes", "--profile", "work").ok()
    assert {name: (cli.base / name / "tokens.json").read_bytes() for name in kept} == kept
    for words in ([], ["--profile", "play"]):
        assert cli.run("whoami", *words).ok() == "ada@example.org\n"
    line = cli.run("whoami", "--profile", "work").failed(4)
    assert f"not logged in (client {ONE}, profile work); run: globus-streams login --profile work" in line


def test_every_command_takes_a_profile(cli, far):
    """Conf files are not a profile's."""
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    log_in(cli, far, "--profile", "work", "--gcs", ENDPOINT)
    tunnel = far.active()
    cli.run("environment", "initialize", "--profile", "work", tunnel).ok()
    assert (cli.base / f"{tunnel}.conf").exists()
    assert "ACTIVE" in cli.run("tunnel", "show", tunnel, env={"GLOBUS_PROFILE": "work"}).ok()
    assert "not logged in" in cli.run("tunnel", "show", tunnel).failed(4)
    assert tunnel in cli.run("environment", "list").ok()
    cli.run("environment", "contact-lookup", "--skip-update", tunnel, env={"GLOBUS_PROFILE": "../x"}).ok()


def test_a_renewal_stays_in_its_profile(cli, far):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    for words in ([], ["--profile", "work"]):
        log_in(cli, far, *words)
    usual = (cli.base / "tokens.json").read_bytes()
    far.tokens.clear()
    runs = [cli.start("tunnel", "list", "--profile", "work") for _ in range(5)]
    assert [(run.communicate(timeout=60)[1], run.returncode) for run in runs] == [("", 0)] * 5
    assert (cli.base / "tokens.json").read_bytes() == usual
    assert (cli.base / "profiles/work/tokens.json.lock").exists()


NAMES = [("a", True), ("A-1_b.c", True), ("x" * 64, True), ("-", True), ("x" * 65, False), ("", False), (".", False),
         ("..", False), (".x", False), ("a/b", False), ("a b", False), ("é", False), ("a\n", False)]


@pytest.mark.parametrize("name, good", NAMES)
def test_names_of_profiles(cli, name, good):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    for source, words, env in (("--profile", ["--profile=" + name], {}), ("GLOBUS_PROFILE", [], {"GLOBUS_PROFILE": name})):
        result = cli.run("whoami", *words, env=env)
        if good or (name, source) == ("", "GLOBUS_PROFILE"):
            assert "not logged in" in result.failed(4)
        else:
            assert f"{source} is '" in result.failed(2)
            assert f"{source} is '" in cli.run("login", "--force", *words, env=env).failed(2)
    assert not cli.base.exists() or not list(cli.base.glob("**/*.json"))


# --- the words of Globus's CLI ---


def test_words_of_globus_cli(cli, far):
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = ONE
    cli.environment["BROWSER"] = "/bin/true"
    terminal = Terminal(cli, "login", "--no-local-server", "--gcs", ENDPOINT, "--endpoint", far_side.LISTENER_AP)
    terminal.read_until("Enter the code: ")
    code, asked = far.log_in(address_in(terminal.text))
    assert asked["redirect_uri"] == far.url + "/v2/web/auth-code"
    scopes = asked["scope"].split()
    assert {f"urn:globus:auth:scope:{one}:manage_collections" for one in (ENDPOINT, far_side.LISTENER_AP)} <= set(scopes)
    terminal.send(code)
    assert terminal.end() == 0
    assert "logged out" in cli.run("logout", "--yes").ok()
    assert "'x' is not an endpoint's id" in cli.run("login", "--gcs", "x").failed(2)


def test_a_login_that_cannot_be_kept_is_none(cli, far):
    """Nothing is believed to be stored that is not; with -F json a profile's name that is wrong is a document, too."""
    cli.environment |= {"GLOBUS_STREAMS_CLIENT_ID": ONE, "GLOBUS_STREAMS_BASE_DIR": "/dev/null/x"}
    terminal = Terminal(cli, "login", "--no-browser")
    terminal.read_until("Enter the code: ")
    terminal.send(far.log_in(address_in(terminal.text))[0])
    assert terminal.end() == 1 and "You are logged in" not in terminal.text and "/dev/null/x" in terminal.text
    wrong = cli.run("tunnel", "list", "-F", "json", "--profile", "..")
    assert wrong.status == 2 and json.loads(wrong.err)["error_name"] == "UsageError"
