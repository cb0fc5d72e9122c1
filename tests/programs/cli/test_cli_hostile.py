"""globus-streams: answers that mean harm cost no more than their length, and say what is wrong in one line."""

import json
import time

import pytest

from far_side import ENDPOINT, INITIATOR_AP, TRANSFER_SCOPE, Answer

SECONDS = 15  # what takes the square of its length takes minutes


def event(number):
    return {"type": "TunnelEvent", "id": number, "attributes": {"code": f"E{number}", "is_error": False}}


def repeated(text, count):
    return b"[" + b",".join([text] * count) + b"]"


@pytest.mark.parametrize("answer, status", [
    (Answer(422, raw=b'{"errors":' + repeated(b'{"code":"aa","title":"bb"}', 250000) + b"}"), 1),
    (Answer(422, raw=b'{"detail":' + repeated(b'{"loc":["a"],"msg":"bb"}', 250000) + b"}"), 1),
    (Answer(422, raw=b'{"detail":[{"msg":"x","loc":' + repeated(b'"a"', 1000000) + b"}]}"), 1),
    (Answer(403, raw=b'{"code":"ConsentRequired","required_scopes":' + repeated(b'"urn:a"', 900000) + b"}"), 4),
    (Answer(403, raw=b'{"errors":' + repeated(
        b'{"authorization_parameters":{"session_required_policies":["a","b"]}}', 100000) + b"}"), 4),
    (Answer(403, raw=b'{"authorization_parameters":{"session_message":"' + b"m" * 8000000 + b'"}}'), 4),
    (Answer(200, raw=b'{"data":{"id":"' + b"m" * 8000000 + b'"}}'), 1),
], ids=["errors", "details", "loc", "scopes", "policies", "message", "id"])
def test_long_answers(cli, far, answer, status):
    tunnel = far.active()
    cli.run("tunnel", "list").ok()
    far.rule("GET", "/v2/tunnels/.*", answer)
    start = time.monotonic()
    line = cli.run("tunnel", "show", tunnel).failed(status)
    assert len(line) < 6000 and time.monotonic() - start < SECONDS


def test_many_events(cli, far):
    tunnel = far.tunnel("STOPPED")
    far.events[tunnel] = [event(n) for n in range(40000, 0, -1)]
    start = time.monotonic()
    out = cli.run("tunnel", "events", "--follow", tunnel).ok()
    assert [line.split()[1] for line in out.splitlines()] == [f"E{n}" for n in range(1, 40001)]
    assert time.monotonic() - start < SECONDS


def test_one_long_label_does_not_widen_all_rows(cli, far):
    for n in range(100):
        far.active(label="x" * 1000000 if n == 50 else "short")
    assert len(cli.run("tunnel", "list").ok()) < 1200000


@pytest.mark.parametrize("following", [
    lambda page: "/v2/tunnels", lambda page: "/v2/tunnels?page=1", lambda page: f"/v2/tunnels?page={page % 3 + 1}"],
                         ids=["first", "second", "three"])
def test_pages_in_a_circle(cli, far, following):
    def pages(request, usual):
        page = int(request.query.split("=")[1]) if request.query else 0
        return Answer(200, {"data": [], "links": {"next": following(page)}})

    far.rule("GET", "/v2/tunnels", pages)
    assert "loop" in cli.run("tunnel", "list").failed(1)
    assert far.count("GET", "/v2/tunnels") <= 5


def test_pages_without_end(cli, far):
    far.rule("GET", "/v2/tunnels", lambda request, usual: Answer(
        200, {"data": [], "links": {"next": f"/v2/tunnels?page={far.count('GET', '/v2/tunnels')}"}}))
    assert "more than 1000 pages" in cli.run("tunnel", "list").failed(1)
    assert far.count("GET", "/v2/tunnels") == 1000


def test_pages_that_are_too_long(cli, far):
    filler = {"data": [{"id": ENDPOINT, "attributes": {"label": "x" * 4000000}}], "links": {"next": None}}

    def pages(request, usual):
        filler["links"]["next"] = f"/v2/tunnels?page={far.count('GET', '/v2/tunnels')}"
        return Answer(200, filler)

    far.rule("GET", "/v2/tunnels", pages)
    assert "too long" in cli.run("tunnel", "list").failed(1)
    assert far.count("GET", "/v2/tunnels") == 17  # 64 MiB


@pytest.mark.parametrize("path", ["/v2/tunnels?a\nb", "/v2/tunnels?" + "x" * 5000, "//\u009b", "x", "http://"],
                         ids=["newline", "long", "control", "relative", "no host"])
def test_pages_with_odd_names(cli, far, path):
    far.rule("GET", "/v2/tunnels", Answer(200, {"data": [], "links": {"next": path}}))
    assert "next page" in cli.run("tunnel", "list").failed(1)
    assert far.count("GET", "/v2/tunnels") == 1


def test_more_tokens_than_the_cache_holds(cli, far):
    """A cache that is too long to be read again is not written."""
    def grant(**more):
        return {"access_token": "a", "resource_server": "transfer.api.globus.org", "expires_in": 1000,
                "scope": TRANSFER_SCOPE, **more}

    for answer in (grant(other_tokens=[grant(resource_server=str(n)) for n in range(60000)]),
                   grant(access_token="a" * 20000)):
        far.rule("POST", "/v2/oauth2/token", Answer(200, answer), times=1)
        assert "token answer" in cli.run("tunnel", "list").failed(1)
    far.rule("POST", "/v2/oauth2/token", lambda request, usual: Answer(
        200, {**json.loads(usual().body), "other_tokens": [grant(resource_server="x" * 2000000)]}), times=1)
    result = cli.run("tunnel", "list")
    assert result.status == 0 and "not stored" in result.err and result.err.count("\n") == 1
    cli.run("tunnel", "list").ok()


@pytest.mark.parametrize("words", [
    ("{}",), ("tunnel", "{}"), ("tunnel", "show", "{}"), ("tunnel", "show", ENDPOINT, "{}"), ("tunnel", "list", "--{}"),
    ("-F{}", "tunnel", "list"), ("environment", "initialize", "--cs-ttl", "{}", ENDPOINT),
    ("environment", "initialize", "--globus-contact", "{}", ENDPOINT)])
def test_mistyped_words_are_bounded_and_clean(cli, words):
    line = cli.run(*(word.format("\x1b[2J\u009b\n" + "y" * 100000) for word in words)).failed(2)
    assert len(line) < 500 and line.isprintable()


def test_words_of_a_service_are_clean(cli, far):
    far.rule("GET", "/v2/tunnels/.*", Answer(403, {"authorization_parameters": {
        "session_message": "\x1b]0;title\x07\u009b2J\r\nlogin: "}}))
    assert cli.run("tunnel", "show", far.active()).failed(4).isprintable()
    far.rules.clear()
    tunnel = far.active(label="a\u009b2J\x1b[31m\nState: STOPPED")
    lines = cli.run("tunnel", "show", tunnel).ok().splitlines()
    assert len(lines) == 10 and all(line.isprintable() for line in lines)
    text = cli.run("tunnel", "show", tunnel, "-Fjson").ok()
    assert text.replace("\n", "").isprintable() and "\x7f" not in text
    assert json.loads(text) == far.tunnels[tunnel]


def test_json_keeps_numbers(cli, far):
    far.tunnels[tunnel := far.active()]["data"]["attributes"].update(a=100000000000000000, b=0.1, c=-7, d=1e300)
    text = cli.run("tunnel", "show", tunnel, "-Fjson").ok()
    assert '"a": 100000000000000000,' in text and json.loads(text) == far.tunnels[tunnel]


@pytest.mark.parametrize("answer", [Answer(204), Answer(200)], ids=["204", "200"])
def test_a_delete_that_is_answered_with_nothing(cli, far, answer):
    tunnel = far.tunnel("STOPPED")

    def silent(request, usual):
        return answer if usual().status == 200 else usual()

    far.rule("DELETE", ".*", silent)
    cli.run("environment", "initialize", "--force", far.active()).ok()
    assert cli.run("environment", "cleanup", "--all", "--force").status == 0 and far.secrets == {}
    cli.run("tunnel", "delete", tunnel).ok()
    assert tunnel not in far.tunnels
    far.rules.clear()
    far.rule("DELETE", ".*", Answer(200, raw=b"<html>"))
    assert "no JSON" in cli.run("tunnel", "delete", tunnel).failed(1)


@pytest.mark.parametrize("format", ["text", "json"])
def test_elements_of_lists_are_checked(cli, far, format):
    """What is needed of an element is its id: what else is missing does not hide the others."""
    good = far.active()
    data = far.tunnels[good]["data"]
    del far.tunnels[other := far.active()]["data"]["relationships"]["listener"]
    far.tunnels[third := far.active()]["data"]["attributes"] = None
    out = cli.run("tunnel", "list", "-F", format).ok()
    assert good in out and other in out and third in out
    for path, words, element in (
            ("/v2/tunnels", ("tunnel", "list"), {**data, "id": 5}), ("/v2/tunnels", ("tunnel", "list"), "x"),
            ("/v2/tunnels", ("tunnel", "list"), {**data, "attributes": {"label": []}}),
            ("/v2/tunnels/.*/events", ("tunnel", "events", good), {"id": "1", "attributes": {"code": "x"}}),
            ("/v2/tunnels/.*/events", ("tunnel", "events", good), None),
            ("/v2/stream_access_points", ("access-point", "list"), {"id": INITIATOR_AP[:-1]})):
        far.rules.clear()
        far.rule("GET", path, Answer(200, {"data": [element]}))
        assert "has no valid" in cli.run(*words, "-F", format).failed(1)
    far.rule("GET", "/v2/tunnels", Answer(200, {"data": {}}))
    far.rules.reverse()
    assert "has no valid 'data'" in cli.run("tunnel", "list", "-F", format).failed(1)
