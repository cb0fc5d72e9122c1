"""What the newer Transfer takes: a listener at creation, filters of events and of access points, and their pages."""

import json
import subprocess
from urllib.parse import parse_qsl

import pytest

from far_side import INITIATOR_AP, LISTENER_AP, Answer
from test_cli_more import event

CREATE = ("tunnel", "create", INITIATOR_AP, LISTENER_AP, "--listener-contact-string")


def queries(far, path):
    return [dict(parse_qsl(request.query, strict_parsing=True)) for request in far.asked("GET", path) if request.query]


# --- a tunnel whose listener is known ---


def test_create_with_a_listener(cli, far):
    out = cli.run(*CREATE, "Demo.example.:8443", "--lifetime-minutes", "3600").ok()
    assert "ACTIVE\n" in out and "Listener Port:" in out and "8443" in out
    sent = far.asked("POST", "/v2/tunnels")[0].json()["data"]["attributes"]
    assert sent | {"submission_id": ""} == {"submission_id": "", "lifetime_mins": 3600,
                                            "listener_ip_address": "demo.example", "listener_port": 8443}
    assert len(far.requests) == 2  # a token, and the tunnel
    assert json.loads(cli.run(*CREATE, "[fd00::5]:80", "-Fjson", "--wait").out)["data"]["attributes"]["state"] == "ACTIVE"
    assert far.asked("POST", "/v2/tunnels")[1].json()["data"]["attributes"]["listener_ip_address"] == "fd00::5"
    cli.run(*CREATE, "127.0.0.1:80").warned("loopback")


@pytest.mark.parametrize("contact, said", [
    ("10.0.0.1", "HOST:PORT"), ("0.0.0.0:80", "unspecified"), ("224.0.0.1:80", "multicast"), ("[::]:80", "unspecified"),
    ("999.0.2.164:80", "looks like an IPv4 address"), ("", "HOST:PORT")])
def test_create_with_no_listener(cli, far, contact, said):
    """Checked as initialize does, before anything is made."""
    line = cli.run(*CREATE, contact).failed(2)
    assert said in line and far.requests == []
    assert said in cli.run("environment", "initialize", CREATE[-1], contact, INITIATOR_AP).failed(2)


def test_an_address_that_is_none(cli, far):
    """Wherever HOST:PORT is taken, and before anything is asked."""
    for words in (("initialize", "--globus-contact", "1.2.3.4.5:443"), ("initialize", CREATE[-1], "10.0.2.256:80"),
                  ("update", CREATE[-1], "10.0.2.256:80")):
        line = cli.run("environment", *words, INITIATOR_AP).failed(2)
        assert words[2] in line and "looks like an IPv4 address, but is none" in line and words[1] in line
    assert far.requests == []


def test_a_contact_that_is_not_this_machine(cli, far):
    """A warning, for there may be NAT; a name is resolved first."""
    initialize = ("environment", "initialize", CREATE[-1])
    for contact in ("198.51.100.7:80", "[2001:db8::7]:80"):
        tunnel = far.tunnel()
        cli.run(*initialize, contact, tunnel).warned(contact.rsplit(":", 1)[0].strip("[]"), "no network interface",
                                                     "environment update")
        assert cli.conf(tunnel)["listener_contact_string"] == contact
    cli.run("environment", "update", CREATE[-1], "198.51.100.8:80", tunnel).warned("198.51.100.8", "no network interface")
    cli.run(*initialize, "nowhere.invalid:80", far.tunnel()).warned("nowhere.invalid cannot be resolved")
    cli.run(*initialize, "localhost:80", far.tunnel()).warned("loopback")


def test_a_contact_of_this_machine(cli, far):
    """In a network namespace with an address of its own: no warning."""
    initialize = ("environment", "initialize", "--insecure", CREATE[-1])
    addresses = [word.split("/")[0] for line in subprocess.run(
        ["ip", "-o", "addr", "show", "scope", "global"], capture_output=True, text=True, check=True).stdout.splitlines()
        for word in line.split() if "/" in word]
    if not addresses:
        pytest.skip("this machine has no address but the loopback's")
    for address in addresses:
        contact = f"[{address}]:80" if ":" in address else f"{address}:80"
        cli.run(*initialize, contact, far.tunnel()).ok()


# --- events ---


def test_filters_of_events(cli, far):
    tunnel = far.active()
    far.events[tunnel] = [event(1, "STARTED"), event(2, "A FAULT & more", is_error=True), event(3, "TUNNEL_ACTIVE")]

    def codes(*words):
        return [e["attributes"]["code"] for e in json.loads(cli.run("tunnel", "events", "-Fjson", *words, tunnel).ok())["data"]]
    path = f"/v2/tunnels/{tunnel}/events"
    assert codes("--filter-code", "TUNNEL_ACTIVE") == ["TUNNEL_ACTIVE"]
    assert codes("--filter-errors") == codes("--filter-code=A FAULT & more") == ["A FAULT & more"]
    assert queries(far, path) == [{"code_name": "TUNNEL_ACTIVE"}, {"is_error": "true"}, {"code_name": "A FAULT & more"}]
    far.requests.clear()
    assert "--filter-code" in cli.run("tunnel", "events", "--filter-errors", "--filter-code", "x", tunnel).failed(2)
    assert far.requests == []
    far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"
    lines = cli.run("tunnel", "events", "--follow", "--filter-errors", tunnel).ok().splitlines()
    assert len(lines) == 1 and "A FAULT & more (error)" in lines[0]


def test_filtered_events_in_pages(cli, far):
    tunnel = far.active()
    path = f"/v2/tunnels/{tunnel}/events"

    def page(request, usual):
        at = int(dict(parse_qsl(request.query)).get("page[marker]", 0))
        more = f"{far.url}{path}?page[marker]={at + 1}&page[limit]=1&code_name=X" if at < 2 else None
        return Answer(200, {"data": [event(at, "X")], "links": {"next": more}})
    far.rule("GET", path, page)
    out = json.loads(cli.run("tunnel", "events", "--filter-code", "X", "-Fjson", tunnel).ok())
    assert [e["id"] for e in out["data"]] == [0, 1, 2]
    assert [q["code_name"] for q in queries(far, path)] == ["X"] * 3


@pytest.mark.parametrize("attributes", [None, {}, {"code": None, "is_error": None, "time": None}])
def test_events_without_attributes(cli, far, attributes):
    tunnel = far.active()
    far.events[tunnel] = [event(1, "STARTED"), {"type": "TunnelEvent", "id": 2, "attributes": attributes}]
    lines = cli.run("tunnel", "events", tunnel).ok().splitlines()
    assert [cell.strip() for cell in lines[3].split("|")] == ["None"] * 4
    assert json.loads(cli.run("tunnel", "events", "-Fjson", tunnel).ok())["data"] == far.events[tunnel]
    far.tunnels[tunnel]["data"]["attributes"]["state"] = "STOPPED"
    assert cli.run("tunnel", "events", "--follow", tunnel).ok().splitlines()[1] == "-  None  "


# --- access points ---


def test_filters_of_access_points(cli, far):
    path = "/v2/stream_access_points"

    def found(*words):
        return [p["id"] for p in json.loads(cli.run("access-point", "list", "-Fjson", *words).ok())["data"]]
    assert found("lISTENER") == found("--filter-fulltext", "listener site") == found(LISTENER_AP) == [LISTENER_AP]
    assert found("no & such") == []
    assert queries(far, path) == [{"filter[fulltext]": text} for text in (
        "lISTENER", "listener site", LISTENER_AP, "no & such")]
    far.requests.clear()
    assert found("--filter-endpoint-admin") == found() == [INITIATOR_AP, LISTENER_AP]
    assert queries(far, path) == [{"filter[endpoint_admin]": "true"}]
    assert "--filter-fulltext" in cli.run("access-point", "list", "a", "--filter-fulltext", "b").failed(2)


def test_access_points_in_pages(cli, far):
    path, points = "/v2/stream_access_points", [far.point(INITIATOR_AP), far.point(LISTENER_AP)]

    def page(request, usual):
        at = int(dict(parse_qsl(request.query)).get("page[marker]", 0))
        more = f"{path}?page[marker]={at + 1}&page[limit]=1&filter[fulltext]=site" if at < 1 else None
        return Answer(200, {"data": points[at:at + 1], "links": {"next": more} if more else None})
    far.rule("GET", path, page)
    lines = cli.run("access-point", "list", "site").ok().splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == [INITIATOR_AP, LISTENER_AP]
    assert [q["filter[fulltext]"] for q in queries(far, path)] == ["site"] * 2


def test_against_the_gateway(lab):
    """The same words, answered by the gateway."""
    aps = [lab.env[f"LAB_{role}_AP"] for role in ("INITIATOR", "LISTENER")]
    tunnel = json.loads(lab.cli("tunnel", "create", "-Fjson", "--listener-contact-string", "192.0.2.1:80", *aps))["data"]
    assert tunnel["attributes"]["state"] == "ACTIVE" and tunnel["attributes"]["initiator_port"]
    codes = [line.split(" | ")[0].strip() for line in
             lab.cli("tunnel", "events", "--filter-code", "TUNNEL_ACTIVE", tunnel["id"]).splitlines()[2:]]
    assert codes == ["TUNNEL_ACTIVE"]
    assert json.loads(lab.cli("tunnel", "events", "-Fjson", "--filter-errors", tunnel["id"]))["data"] == []
    for words, count in (((aps[1],), 1), (("--filter-endpoint-admin",), 2), (("--filter-fulltext", "nothing of it"), 0)):
        assert len(json.loads(lab.cli("access-point", "list", "-Fjson", *words))["data"]) == count
