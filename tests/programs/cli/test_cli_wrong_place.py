"""Answers from a wrong place: what they do not say is not believed."""

import pytest

from far_side import Answer, ENDPOINT
from lab import GOOD, RUN, write_conf

GONE = Answer(404, {"errors": [{"code": "NOT_FOUND", "title": "Not Found", "detail": "no such tunnel"}]})
NO_PATH = Answer(404, {"detail": "Not Found"})


def over(cli, far):
    """A tunnel that lives, with a conf file whose time is over, as Globus's own command line writes it."""
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    path = cli.base / f"{tunnel}.conf"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("tunnel_expiration_time")]
    path.write_text("\n".join([*lines, "tunnel_expiration_time=1000", ""]))
    return tunnel, path


@pytest.mark.parametrize("words", [[], ["--all"]], ids=["one", "all"])
def test_cleanup_keeps_what_no_tunnel_service_knows(cli, far, words):
    tunnel, path = over(cli, far)
    far.rule("GET", "/v2/tunnels/.*", NO_PATH)
    assert cli.run("environment", "cleanup", *(words or [tunnel])).status != 0
    assert path.exists() and far.secrets
    far.rules.clear()
    far.rule("GET", "/v2/tunnels/.*", GONE)
    assert cli.run("environment", "cleanup", *(words or [tunnel])).status == 0 and not path.exists()


def test_a_secret_whose_endpoint_is_not_found_is_not_revoked(cli, far):
    tunnel, path = over(cli, far)
    far.rule("GET", r"/v0\.10/endpoint/.*", Answer(404, {"code": "EndpointNotFound", "message": "no", "request_id": "r"}))
    done = cli.run("environment", "cleanup", "--force", tunnel)
    assert done.status == 0 and "was not revoked" in done.err and ENDPOINT in done.err and far.secrets
    assert not path.exists()


@pytest.mark.parametrize("key", ["", None])
def test_authentication_that_is_demanded_and_cannot_be(bare_lab, key):
    """lan_auth=v1 without a lankey: no plain LAN leg."""
    base = bare_lab.folder / "base"
    values = {name: value for name, value in (GOOD | {"lankey": key}).items() if value is not None}
    tunnel = write_conf(base, **values)
    program = bare_lab.start(RUN, "--base-dir", base, tunnel, "--", "true")
    assert program.wait() == 1 and "lan_auth is v1, but lankey is missing" in program.err
    tunnel = write_conf(base, **{name: value for name, value in values.items() if name != "lan_auth"})
    bare_lab.start(RUN, "--base-dir", base, tunnel, "--", "true").ok()


@pytest.mark.parametrize("url", ["http://", "https:///x", "http://bob:hunter2@127.0.0.1:1", "https://bob@host/"])
def test_urls_of_services(cli, url):
    line = cli.run("tunnel", "list", env={"GLOBUS_SDK_SERVICE_URL_TRANSFER": url}).failed(2)
    assert "GLOBUS_SDK_SERVICE_URL_TRANSFER must be a URL with a host" in line and "hunter2" not in line
