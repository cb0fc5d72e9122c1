"""An access point that is Globus's own: what its manager answers decides, before a secret is made."""

import ssl
import subprocess

import pytest

from cli_program import Hurry
from far_side import ENDPOINT, INITIATOR_AP, Answer, FarSide
from lab import need

INFO = "/manager/api/info"
CONTACT = ["--listener-contact-string", "10.0.2.164:8888"]


def as_globus(far, *required, own=True):
    """A manager without our field; its stream gateways require a secret or not (None: it does not say)."""
    far.info = {key: value for key, value in far.info.items() if key != "globus_streams_lan_auth"}
    if required != (None,):
        far.stream_gateways = [{"DATA_TYPE": "stream_gateway#1.0.0", "id": INITIATOR_AP if own else f"g{number}",
                                "lan_secret_required": one} for number, one in enumerate(required)]


def initialize(cli, tunnel, *words, **options):
    return cli.run("environment", "initialize", *words, tunnel, **options)


def expect_nothing_made(far):
    assert not far.secrets and not far.asked("POST", "/manager/.*") and not far.asked("PATCH", ".*")


def test_our_own(cli, far):
    tunnel = far.active()
    initialize(cli, tunnel).ok()
    assert cli.conf(tunnel)["lan_auth"] == "v1" and far.count("GET", INFO) == 1
    assert not far.asked("GET", "/manager/api/stream_gateways")
    assert far.asked("GET", INFO)[0].headers.get("Authorization") is None


@pytest.mark.parametrize("words, more", [([], ""), (CONTACT, "can connect to it")], ids=["initiator", "listener"])
def test_none_is_required(cli, far, words, more):
    as_globus(far, False)
    tunnel = far.active()
    line = initialize(cli, tunnel, *words).failed(1)
    assert "Globus's own and requires no LAN authentication" in line and "add --insecure" in line and more in line
    expect_nothing_made(far)
    assert not cli.base.exists() or not list(cli.base.glob("*.conf"))
    done = initialize(cli, tunnel, "--insecure", *words)
    line = next(line for line in done.err.splitlines() if "is not authenticated" in line)
    assert done.status == 0 and more in line
    conf = cli.conf(tunnel)
    assert conf["lan_auth"] == "none" and not conf.get("lankey") and not far.secrets


def test_one_is_required(cli, far):
    """Which nobody but Globus's own programs can give."""
    as_globus(far, True)
    tunnel = far.active()
    for words in ([], ["--insecure"]):
        line = initialize(cli, tunnel, *words).failed(1)
        assert "requires Globus's own LAN authentication, which is not published" in line
        assert "administrator" in line and ENDPOINT in line and "Globus's own tools" in line
    expect_nothing_made(far)
    assert not list(cli.base.glob("*.conf"))


@pytest.mark.parametrize("gateways", [(None,), (), (True, False), ("no",)], ids=["403", "none", "both", "no word"])
def test_not_to_be_found_out(cli, far, gateways):
    as_globus(far, *gateways, own=False)
    tunnel = far.active()
    line = initialize(cli, tunnel).failed(1)
    assert "could not be found out" in line and "add --insecure (it fails if one is required)" in line
    if gateways == (None,):
        assert "You have no role on this endpoint" in line
    expect_nothing_made(far)
    assert initialize(cli, tunnel, "--insecure").status == 0
    assert cli.conf(tunnel)["lan_auth"] == "none"


def test_ours_among_others(cli, far):
    """What another does not say does not matter; what further pages say might."""
    as_globus(far, True)
    far.stream_gateways.insert(0, {"id": "another"})
    assert "not published" in initialize(cli, far.active(), "--insecure").failed(1)
    answer = far.envelope(200, "success", "some", [{"id": "another", "lan_secret_required": False}])
    answer.body = answer.body.replace(b'"code"', b'"has_next_page": true, "code"')
    far.rule("GET", "/manager/api/stream_gateways", answer)
    assert "could not be found out" in initialize(cli, far.active()).failed(1)


def test_a_login_would_tell(cli, far):
    """Without --insecure it is asked for, as everywhere."""
    as_globus(far, True)
    far.rule("GET", "/manager/api/stream_gateways", Answer(403, {"code": "ConsentRequired", "message": "consent",
                                                               "required_scopes": ["urn:a"]}))
    line = initialize(cli, far.active()).failed(4)
    assert "login --force" in line and "urn:a" in line and "nothing was changed" in line
    expect_nothing_made(far)


def test_gateways_that_agree(cli, far):
    """None of them has the access point's id."""
    as_globus(far, False, False, own=False)
    assert "requires no LAN" in initialize(cli, far.active()).failed(1)
    as_globus(far, True, True, own=False)
    assert "not published" in initialize(cli, far.active()).failed(1)


def test_forced(cli, far):
    """--lan-auth v1: the manager is not asked what it is."""
    as_globus(far, True)
    tunnel = far.active()
    initialize(cli, tunnel, "--lan-auth", "v1").ok()
    assert cli.conf(tunnel)["lan_auth"] == "v1" and len(far.secrets) == 1 and not far.asked("GET", INFO)
    assert "takes v1, not 'v2'" in initialize(cli, tunnel, "--lan-auth=v2").failed(2)


def no_info(far, **changes):
    return far.envelope(200, "success", "info", [far.info | changes])


NO_ANSWERS = {
    "404": lambda far: Answer(404, {"code": "not_found", "message": "nothing here"}),
    "html": lambda far: Answer(200, raw=b"<html>"),
    "not an envelope": lambda far: Answer(200, {"endpoint_id": ENDPOINT}),
    "empty": lambda far: far.envelope(200, "success", "info"),
    "another document": lambda far: no_info(far, DATA_TYPE="role#1.0.0"),
    "no version": lambda far: no_info(far, api_version=None),
    "an error in an envelope": lambda far: Answer(200, {"code": "internal", "http_response_code": 500, "data": [far.info]}),
    "null": lambda far: no_info(far, globus_streams_lan_auth=None),
    "an object": lambda far: no_info(far, globus_streams_lan_auth={"x": "v1"}),
    "another endpoint": lambda far: no_info(far, endpoint_id=INITIATOR_AP),
    "another format": lambda far: no_info(far, globus_streams_lan_auth=["v2"]),
    "401": lambda far: Answer(401, {"code": "unauthorized", "message": "who are you"}),
    "redirect": lambda far: Answer(302, raw=b""),
}


@pytest.mark.parametrize("answer", NO_ANSWERS, ids=str)
def test_answers_that_say_nothing(cli, far, answer):
    """Nothing is changed, and --insecure does not help: it may be ours, behind a fault."""
    tunnel = far.active()
    initialize(cli, tunnel).ok()
    files, secrets = cli.files(), dict(far.secrets)
    far.rule("GET", INFO, NO_ANSWERS[answer](far))
    for words in ([], ["--insecure"]):
        line = initialize(cli, tunnel, "--force", *words).failed(1)
        assert "nothing was changed" in line, line
    assert cli.files() == files and far.secrets == secrets


@pytest.mark.parametrize("fault", ["500", "503", "silent", "gone", "plain"])
def test_managers_that_are_away(cli, far, tmp_path, fault):
    need("strace")
    tunnel = far.active()
    answers = {"500": Answer(500, raw=b"<html>"), "503": Answer(503, raw=b""), "silent": Answer(200, {}, delay=20)}
    places = {"gone": "http://127.0.0.1:1", "plain": far.url.replace("http:", "https:")}
    if fault in places:
        far.rule("GET", r"/v0\.10/endpoint/.*", Answer(200, {"id": ENDPOINT, "gcs_manager_url": places[fault]}))
    else:
        far.rule("GET", INFO, answers[fault])
    line = initialize(cli, tunnel, env={"GLOBUS_SDK_HTTP_TIMEOUT": "1"},
                      wrapper=Hurry(tmp_path / "trace").wrapper).failed(1)
    assert "nothing was changed" in line and ENDPOINT in line, line
    expect_nothing_made(far)


def test_a_bad_certificate(cli, far, tmp_path):
    """Nobody trusts it."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run([need("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", key, "-out", certificate, "-subj", "/CN=localhost", "-days", "1"], check=True,
                   capture_output=True)
    manager = FarSide()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    manager.server.socket = context.wrap_socket(manager.server.socket, server_side=True)
    far.rule("GET", r"/v0\.10/endpoint/.*", Answer(200, {"id": ENDPOINT, "gcs_manager_url":
                                                         manager.url.replace("http:", "https:") + "/manager"}))
    line = initialize(cli, far.active(), "--insecure").failed(1)
    assert "nothing was changed" in line and "certificate" in line
    expect_nothing_made(far)
    manager.close()
