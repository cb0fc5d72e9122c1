"""What is wrong before a command starts: one line on stderr that says what to do next, the exit status, and
nothing started, nothing changed."""

import os
import time
import uuid

import pytest

from lab import GOOD, PROGRAMS, RUN, one_warning, warnings, write_conf

TALK = PROGRAMS / "talk"


@pytest.fixture
def base(bare_lab):
    return bare_lab.folder / "base"


def refused(lab, base, tunnel, *parts, status=1, command=None):
    """The launcher refuses, says why in one line, and the command was not started."""
    started = lab.folder / "started"
    here = lab.run(base, tunnel, *(command or ["/bin/sh", "-c", f'>"{started}"']))
    assert here.wait() == status, here
    assert here.out == ""
    assert len(here.err.splitlines()) == 1, here
    one_warning(here, *parts)
    assert not started.exists()
    return here


def test_no_conf(bare_lab, base):
    tunnel = str(uuid.uuid4())
    refused(bare_lab, base, tunnel, tunnel, "environment initialize")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o606])
def test_conf_that_others_can_read_or_write(bare_lab, base, mode):
    tunnel = write_conf(base, mode=mode, **GOOD)
    refused(bare_lab, base, tunnel, tunnel, "chmod")
    assert (base / f"{tunnel}.conf").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize("kind", ["empty", "in the secret", "in its id", "in the contact"])
def test_truncated_conf(bare_lab, base, kind):
    text = "".join(f"{key}={value}\n" for key, value in GOOD.items())
    cut = {"empty": 0, "in the secret": 20, "in its id": text.index("lankey_id") + 20,
           "in the contact": text.index("127.0.0.1:9") + 10}[kind]
    tunnel = write_conf(base, raw=text[:cut])
    here = refused(bare_lab, base, tunnel, tunnel, "initialize")
    assert GOOD["lankey"][:12] not in here.err
    assert (base / f"{tunnel}.conf").read_text() == text[:cut]


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\0\0\0", os.urandom(4096), b"lankey=\0\0\0\n",
                                     b"x" * 100_000], ids=["elf", "random", "nul", "too long"])
def test_binary_conf(bare_lab, base, content):
    tunnel = write_conf(base, raw=content)
    refused(bare_lab, base, tunnel, tunnel, "initialize")


@pytest.mark.parametrize("entry", [("fake_port", "x"), ("connector_contact_string", "nowhere"),
                                   ("lan_auth", "v9"), ("globus_contact", "a b:1"),
                                   ("listener_contact_string", "x:0"), ("lankey_id", "")],
                         ids=lambda entry: entry[0])
def test_conf_with_a_wrong_value(bare_lab, base, entry):
    key, value = entry
    tunnel = write_conf(base, **(GOOD | {key: value}))
    refused(bare_lab, base, tunnel, tunnel, key)


def test_conf_that_is_a_folder(bare_lab, base):
    tunnel = str(uuid.uuid4())
    (base / f"{tunnel}.conf").mkdir(parents=True)
    refused(bare_lab, base, tunnel, tunnel)


def test_conf_that_may_not_be_read(bare_lab, base):
    if os.geteuid() == 0:
        pytest.skip("root may read it")
    tunnel = write_conf(base, mode=0, **GOOD)
    refused(bare_lab, base, tunnel, tunnel)


@pytest.mark.parametrize("tunnel", ["x", "13fb1936-c8dd-4c6b-9af3-394075c0842", "../../etc/passwd",
                                    "13fb1936-c8dd-4c6b-9af3-394075c0842g", ""])
def test_malformed_id(bare_lab, base, tunnel):
    refused(bare_lab, base, tunnel, "not a tunnel's id", status=2)


def test_expired_tunnel_and_nobody_to_ask(bare_lab, base):
    """The file may be wrong, and the access point decides: one line, and the command is started."""
    tunnel = write_conf(base, **(GOOD | {"tunnel_expiration_time": int(time.time()) - 60}))
    here = bare_lab.run(base, tunnel, "/bin/echo", "started")
    assert here.wait() == 0 and here.out == "started\n"
    one_warning(here, tunnel, "expired", "Connection refused", "environment update")


def test_second_tunnel_is_bad(bare_lab, base):
    """Two tunnels, one without a conf: nothing is started for the other."""
    tunnels = [write_conf(base, **GOOD), str(uuid.uuid4())]
    refused(bare_lab, base, tunnels, tunnels[1])


# --- commands ---

@pytest.mark.parametrize("words", [[], ["--"]])
def test_no_command(bare_lab, base, words):
    tunnel = write_conf(base, **GOOD)
    here = bare_lab.start(RUN, "--base-dir", base, tunnel, *words)
    assert here.wait() == 2
    assert here.out == ""
    one_warning(here, "command")


@pytest.mark.parametrize("words", [[], ["--no-such-option"], ["-l"], ["-p", "x"], ["-p", "0"],
                                   ["-p", "65536"]], ids=" ".join)
def test_wrong_usage(bare_lab, words):
    here = bare_lab.start(RUN, *words)
    assert here.wait() == 2
    assert here.out == ""
    assert here.err.startswith("globus-streams-run: "), here


def test_help_and_version(bare_lab):
    for option in ("--help", "--version"):
        here = bare_lab.start(RUN, option)
        assert "globus-streams-run" in here.ok()
        assert here.err == ""


def test_command_not_found(bare_lab, base):
    tunnel = write_conf(base, **GOOD)
    refused(bare_lab, base, tunnel, "no-such-command", "not found|no such", status=127,
            command=["no-such-command"])
    refused(bare_lab, base, tunnel, "/no/such/command", status=127, command=["/no/such/command"])


def test_command_not_executable(bare_lab, base):
    tunnel = write_conf(base, **GOOD)
    plain = bare_lab.folder / "plain"
    plain.write_text("no program\n")
    refused(bare_lab, base, tunnel, "plain", "permission|executable", status=126, command=[plain])
    refused(bare_lab, base, tunnel, status=126, command=[bare_lab.folder])


def test_script_without_an_interpreter_line(bare_lab, base):
    """execvp() gives such a file to the shell, and so does this."""
    tunnel = write_conf(base, **GOOD)
    script = bare_lab.folder / "script"
    script.write_text("echo from the script\n")
    script.chmod(0o755)
    assert bare_lab.run(base, tunnel, script).ok() == "from the script\n"


# --- kernels and containers ---

@pytest.mark.parametrize("error", [22, 38, 1], ids=["EINVAL", "ENOSYS", "EPERM"])
def test_no_user_notification(bare_lab, base, error):
    tunnel = write_conf(base, **GOOD)
    started = bare_lab.folder / "started"
    here = bare_lab.start(PROGRAMS / "box", "no-listener", error, RUN, "--base-dir", base, tunnel, "--",
                          "/bin/sh", "-c", f'>"{started}"')
    assert here.wait() == 1, here
    one_warning(here, "seccomp|user notification", "kernel|container")
    assert not started.exists()


def test_listener_already_in_place(bare_lab, base):
    tunnel = write_conf(base, **GOOD)
    started = bare_lab.folder / "started"
    here = bare_lab.start(PROGRAMS / "box", "has-listener", RUN, "--base-dir", base, tunnel, "--",
                          "/bin/sh", "-c", f'>"{started}"')
    assert here.wait() == 1, here
    one_warning(here, "listener|already|another")
    assert not started.exists()


# --- tunnels that are not what they should be ---

def call_once(tunnel):
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.wait(60) == 1
    return here


def test_tunnel_that_is_not_active_yet(lab):
    """No listener has said where it is: the environment is made all the same, a call fails and says so."""
    ident, base = lab.create_tunnel(), lab.folder / "initiator"
    lab.cli("environment", "initialize", "--base-dir", base, ident)
    conf = (base / f"{ident}.conf").read_text()
    port = [line.split("=")[1] for line in conf.splitlines() if line.startswith("fake_port=")][0]
    here = lab.run(base, ident, TALK, "call", f"globus.{ident}", port, "question")
    assert here.wait(60) == 1
    assert "talk: connect: Network is unreachable" in here.err, here
    one_warning(here, ident, "not active|not known yet|AWAITING", "tunnel show|listener|initialize")


def stop_tunnel(lab, ident):
    """What `globus streams tunnel stop` does."""
    code = """
import base64, json, os, sys, urllib.parse, urllib.request
def call(url, data, method, auth):
    request = urllib.request.Request(url, data, {"Authorization": auth,
        "Content-Type": "application/json" if method == "PATCH" else "application/x-www-form-urlencoded"},
        method=method)
    return json.load(urllib.request.urlopen(request, timeout=10))
env = os.environ
basic = base64.b64encode(f"{env['GLOBUS_CLI_CLIENT_ID']}:{env['GLOBUS_CLI_CLIENT_SECRET']}".encode()).decode()
token = call(env["GLOBUS_SDK_SERVICE_URL_AUTH"].rstrip("/") + "/v2/oauth2/token", urllib.parse.urlencode({
    "grant_type": "client_credentials", "scope": "urn:globus:auth:scope:transfer.api.globus.org:all"}).encode(),
    "POST", "Basic " + basic)["access_token"]
call(env["GLOBUS_SDK_SERVICE_URL_TRANSFER"].rstrip("/") + "/v2/tunnels/" + sys.argv[1], json.dumps(
    {"data": {"type": "Tunnel", "attributes": {"state": "STOPPING"}}}).encode(), "PATCH", "Bearer " + token)
"""
    lab.start("/usr/bin/python3", "-c", code, ident).ok()


def test_stopped_tunnel(lab):
    tunnel = lab.tunnel()
    stop_tunnel(lab, tunnel.id)
    here = call_once(tunnel)
    assert "talk: connect: " in here.err
    one_warning(here, tunnel.id, "stopped|not active|not known yet|refused")


def test_unknown_tunnel(lab):
    """The services know no such tunnel (any more), and the stored contact is past its time."""
    base = lab.folder / "initiator"
    ident = write_conf(base, **(GOOD | {"update_time": 1, "connector_contact_string": "127.0.0.1:9"}))
    here = lab.run(base, ident, TALK, "call", f"globus.{ident}", 1234, "question")
    assert here.wait(60) == 1
    assert len(warnings(here)) == 1
    one_warning(here, ident)


def test_services_are_down(bare_lab, base):
    """The stored contact does not answer and no new one can be had: both are in the one line."""
    tunnel = write_conf(base, **(GOOD | {"update_time": 1}))
    here = bare_lab.run(base, tunnel, TALK, "call", f"globus.{tunnel}", 1234, "question")
    assert here.wait(60) == 1
    one_warning(here, tunnel)
