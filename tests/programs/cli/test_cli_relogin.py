"""A gateway's policy demands another login: it is made on a terminal, and named as a command without one."""

import json
import re
import shlex

import pytest

import far_side
from cli_program import Terminal, address_in
from far_side import ENDPOINT, TRANSFER_SCOPE, Answer
from test_cli_login import MANAGER_SCOPE, USER, log_in

IDENTITY = "0e8a675b-6b84-4220-89e4-a6a7a0d823fb"


@pytest.fixture
def cli(cli):
    """For users who log in."""
    for name, value in USER.items():
        cli.environment.pop(name, None)
        if value:
            cli.environment[name] = value
    return cli


def with_parameters(**parameters):
    return {"authorization_parameters": {"session_message": "Session reauthentication required", **parameters}}


def with_detail(kind, **detail):
    """As managers say it that give no authorization_parameters."""
    return {"detail": {"DATA_TYPE": kind, **detail}, "message": "You must reauthenticate one of your identities"}


# what the manager says beside "permission_denied", and what the login has to ask for then
DEMANDS = {
    "identities": (with_parameters(session_required_identities=[IDENTITY, "ada@example.org"]),
                   {"session_required_identities": f"{IDENTITY},ada@example.org"}),
    "domain": (with_parameters(session_required_single_domain=["example.org", "example.com"]),
               {"session_required_single_domain": "example.org,example.com"}),
    "mfa": (with_parameters(session_required_mfa=True), {"session_required_mfa": "true"}),
    "timeout": (with_parameters(session_required_identities=[IDENTITY], prompt="login"),
                {"session_required_identities": IDENTITY}),
    "timeout, nothing else": (with_parameters(prompt="login"), {}),
    "timeout, in the detail": (with_detail("authentication_timeout#1.1.0", identities=[IDENTITY], require_mfa=True,
                                           high_assurance=True),
                               {"session_required_identities": IDENTITY, "session_required_mfa": "true"}),
    "domain, in the detail": (with_detail("not_from_allowed_domain#1.0.0", allowed_domains=["example.org"]),
                              {"session_required_single_domain": "example.org"}),
}


def demand(far, status, said):
    """The manager takes no token of a login from before."""
    old = set(far.tokens)

    def answer(request, usual):
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if token not in old:
            return usual()
        return Answer(status, {"DATA_TYPE": "result#1.1.0", "code": "permission_denied", "http_response_code": status,
                               "message": "Permission denied", "detail": None, "data": [], **said})
    far.rule("POST", "/manager/api/lan_secrets", answer)


def expect_asked(asked, wanted):
    assert wanted.items() <= asked.items() and asked["prompt"] == "login", asked
    assert {TRANSFER_SCOPE, MANAGER_SCOPE} <= set(asked["scope"].split())
    others = {k for k in asked if k.startswith("session_required_")} - set(wanted)
    assert not others, asked


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("kind", DEMANDS)
def test_on_a_terminal(cli, far, kind, status):
    """Asked once, and the command goes on."""
    said, wanted = DEMANDS[kind]
    tunnel = far.active()
    log_in(cli, far, "--endpoint", ENDPOINT)
    demand(far, status, said)
    terminal = Terminal(cli, "environment", "initialize", tunnel)
    terminal.read_until("Enter the code: ")
    code, asked = far.log_in(address_in(terminal.text))
    expect_asked(asked, wanted)
    assert "reauthenticat" in terminal.text and "reauthenticat" in asked["session_message"]
    terminal.send(code)
    assert terminal.end() == 0 and "Your contact string is" in terminal.text, terminal.text
    assert terminal.text.count("Enter the code: ") == 1
    assert list(far.secrets) == [cli.conf(tunnel)["lankey_id"]]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("kind", DEMANDS)
def test_without_a_terminal(cli, far, kind, status):
    """Exit status 4, nothing changed, and the command that the line names makes the next run work."""
    said, wanted = DEMANDS[kind]
    tunnel = far.active()
    log_in(cli, far, "--endpoint", ENDPOINT)
    demand(far, status, said)
    line = cli.run("environment", "initialize", tunnel).failed(4)
    assert "reauthenticat" in line and cli.files() == {} and far.secrets == {}
    words = shlex.split(re.search(r"run: globus-streams (.*)", line).group(1))
    expect_asked(log_in(cli, far, *words[1:]), wanted)
    assert words[:2] == ["login", "--force"]
    cli.run("environment", "initialize", tunnel).ok()


def test_a_login_that_does_not_help(cli, far):
    """Asked once, and not again and again."""
    tunnel = far.active()
    log_in(cli, far, "--endpoint", ENDPOINT)
    said, _ = DEMANDS["identities"]
    far.rule("POST", "/manager/api/lan_secrets", Answer(403, {"code": "permission_denied", **said}))
    terminal = Terminal(cli, "environment", "initialize", tunnel)
    terminal.read_until("Enter the code: ")
    terminal.send(far.log_in(address_in(terminal.text))[0])
    assert terminal.end() == 4 and terminal.text.count("Enter the code: ") == 1
    assert f"--scope '{MANAGER_SCOPE}' --identity '{IDENTITY},ada@example.org'" in terminal.text
    assert cli.files() == {}


def test_client_credentials_cannot(cli, far):
    as_client = {"GLOBUS_CLI_CLIENT_ID": far_side.CLIENT_ID, "GLOBUS_CLI_CLIENT_SECRET": far_side.CLIENT_SECRET}
    far.rule("POST", "/manager/api/lan_secrets", Answer(403, DEMANDS["timeout, in the detail"][0]))
    line = cli.run("environment", "initialize", far.active(), env=as_client).failed(4)
    assert "client credentials cannot" in line and "administrator" in line


# --- other refusals of a secret ---


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_secret_that_is_refused(cli, far, status):
    """The line names the tunnel and the access point, and what to look at."""
    tunnel = far.active()
    log_in(cli, far, "--endpoint", ENDPOINT)
    far.rule("POST", "/manager/api/lan_secrets", far.envelope(status, "unprocessable_entity", "it is not right"))
    line = cli.run("environment", "initialize", tunnel).failed(1)
    assert all(part in line for part in (tunnel, far_side.INITIATOR_AP, f"HTTP {status}", "it is not right",
                                         "; check that", f"access-point show {far_side.INITIATOR_AP}")), line
    assert cli.files() == {} and far.secrets == {}


@pytest.mark.parametrize("status", [400, 415, 422])
def test_a_tunnel_that_is_refused(cli, far, status):
    tunnel = far.active()
    log_in(cli, far)
    answer = Answer(status, {"detail": [{"loc": ["body", "label"], "msg": "too long", "type": "t"}]})
    far.rule("POST", "/v2/tunnels", answer)
    far.rule("PATCH", "/v2/tunnels/.*", answer)
    aps = far_side.INITIATOR_AP, far_side.LISTENER_AP
    for words, names in ((("tunnel", "create", *aps), aps), (("tunnel", "update", "--label", "x", tunnel), (tunnel,)),
                         (("tunnel", "stop", tunnel), (tunnel,))):
        line = cli.run(*words).failed(1)
        assert all(name in line for name in names) and f"HTTP {status}: body.label: too long); " in line


@pytest.mark.parametrize("more", [{"identity_id": None, "username": None}, {"identity_id": IDENTITY, "username": "ada"}])
def test_a_secret_with_the_users_name(cli, far, more):
    tunnel = far.active()
    log_in(cli, far, "--endpoint", ENDPOINT)

    def answer(request, usual):
        document = json.loads(usual().body)
        document["data"][0].update(more)
        return Answer(201, document)
    far.rule("POST", "/manager/api/lan_secrets", answer)
    cli.run("environment", "initialize", tunnel).ok()
    assert cli.conf(tunnel)["lankey_id"] in far.secrets
