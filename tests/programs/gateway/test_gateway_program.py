"""globus-streams-gateway: its command line, and what it keeps."""

import concurrent.futures
import http.client
import json
import re
import signal
import socket
import stat
import subprocess
import urllib.parse

import pytest

import gateway_lab as lab
from gateway_lab import NOBODY, PROGRAM, TRANSFER, UUID, Gateway, exchange, login, wait_for


def run(*words):
    return subprocess.run([str(PROGRAM), *map(str, words)], capture_output=True, text=True, timeout=20)


# --- the command line ---


def test_help_and_version():
    told = run("--help")
    assert told.returncode == 0 and told.stderr == "" and "--state DIR" in told.stdout
    assert all(len(line) <= 80 for line in told.stdout.splitlines())
    told = run("--version")
    assert told.returncode == 0 and re.fullmatch(r"globus-streams-gateway \d+\.\d+\.\d+\n", told.stdout)


@pytest.mark.parametrize("words", [
    [], ["--state"], ["--state", ""], ["--state", "x", "more"], ["--state", "x", "--wrong"],
    ["--state", "x", "--port", "65536"], ["--state", "x", "--port", "80x"], ["--state", "x", "--port", "-1"],
    ["--state", "x", "--address", "localhost"], ["--state", "x", "--address", "1.2.3"],
    ["--state", "x", "--token-lifetime", "0"], ["--state", "x", "--lan-delay", "1000000"],
    ["--state", "x", "--new-ports=1"]])
def test_wrong_usage(words, tmp_path):
    told = subprocess.run([str(PROGRAM), *words], capture_output=True, text=True, timeout=20, cwd=tmp_path)
    assert told.returncode == 2 and told.stdout == ""
    assert told.stderr.count("\n") == 1 and told.stderr.startswith("globus-streams-gateway: ")
    assert not (tmp_path / "x").exists()


def test_state_folder(gateway):
    assert stat.S_IMODE(gateway.state.stat().st_mode) == 0o700
    for file in gateway.state.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert gateway.ready == f"globus-streams-gateway: ready on {gateway.url}, source {gateway.state}/env\n"
    assert gateway.url.startswith("http://127.0.0.1:")
    assert list(gateway.env) == ["GLOBUS_SDK_SERVICE_URL_AUTH", "GLOBUS_SDK_SERVICE_URL_TRANSFER",
                                 "GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET", "LAB_INITIATOR_AP",
                                 "LAB_LISTENER_AP"]
    for key in ("GLOBUS_CLI_CLIENT_ID", "LAB_INITIATOR_AP", "LAB_LISTENER_AP"):
        assert UUID.fullmatch(gateway.env[key])


def test_env_is_there_only_while_it_runs(gateway):
    for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        assert (gateway.state / "env").exists()
        assert gateway.stop(how) == 0
        assert sorted(f.name for f in gateway.state.iterdir()) == ["lock", "state.json"]
        gateway.start()


def test_second_gateway_on_a_folder(gateway):
    told = run("--state", gateway.state)
    assert told.returncode == 1 and told.stdout == ""
    assert told.stderr.count("\n") == 1 and "another gateway" in told.stderr
    assert (gateway.state / "env").exists()


@pytest.mark.parametrize("text", ["", "{}", "\0\1\2", '{"version": 2}', "[" * 5000, "{\"version\":1,"])
def test_damaged_state(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    told = run("--state", tmp_path)
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and "damaged" in told.stderr
    assert (tmp_path / "state.json").read_text() == text


def test_every_truncation_of_the_state_is_refused_or_read(gateway):
    gateway.secret(gateway.create(label="x"), gateway.initiator_ap)
    assert gateway.stop() == 0
    text = (gateway.state / "state.json").read_text()
    for length in range(0, len(text.rstrip()), 97):
        (gateway.state / "state.json").write_text(text[:length])
        assert run("--state", gateway.state).returncode == 1
    (gateway.state / "state.json").write_text(text)
    gateway.start()


def test_folder_that_others_may_write_to(tmp_path):
    tmp_path.chmod(0o777)
    told = run("--state", tmp_path)
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and not any(tmp_path.iterdir())


def test_port_that_is_taken(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        told = run("--state", tmp_path / "state", "--port", sock.getsockname()[1])
    assert told.returncode == 1 and told.stderr.count("\n") == 1 and "in use" in told.stderr


def test_port_of_the_last_run_is_taken_meanwhile(gateway):
    assert gateway.stop() == 0
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", gateway.port))
        sock.listen()
        before = gateway.port
        gateway.start()
    assert gateway.port != before


@pytest.mark.parametrize("address, reached_by", [("::1", "::1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"),
                                                 ("::", "127.0.0.1"), ("127.0.0.9", "127.0.0.9")])
def test_address(tmp_path, address, reached_by):
    gateway = Gateway(tmp_path / "state", "--address", address)
    gateway.host = reached_by
    listener = lab.Listener(lab.echo)
    tunnel = gateway.active(listener.contact)
    listener.secret = tunnel.listener
    assert tunnel.contact[0] == reached_by
    with lab.call(tunnel) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    status, answer = gateway.call("GET", f"/v0.10/endpoint/{gateway.endpoint(gateway.listener_ap)}")
    assert urllib.parse.urlsplit(answer["gcs_manager_url"]).hostname == reached_by
    listener.close()
    assert gateway.stop() == 0


# --- state ---


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_everything_survives_a_restart(gateway, how):
    tunnel = gateway.create(label="kept")
    gateway.update(tunnel, listener_ip_address="127.0.0.1", listener_port=1)
    gateway.secret(tunnel, gateway.initiator_ap)
    stopped = gateway.create()
    gateway.update(stopped, state="STOPPING")
    parameters, verifier, _ = login(gateway)
    refresh = exchange(gateway, parameters["code"], verifier)[1]["refresh_token"]
    before = [gateway.call("GET", path)[1]["data"] for path in (
        "/v2/tunnels", f"/v2/tunnels/{tunnel}/events", "/v2/stream_access_points")]
    token, env = gateway.token(), gateway.env
    gateway.stop(how)
    gateway.start()
    assert gateway.env == env
    gateway.tokens[TRANSFER] = token
    assert before == [gateway.call("GET", path)[1]["data"] for path in (
        "/v2/tunnels", f"/v2/tunnels/{tunnel}/events", "/v2/stream_access_points")]
    assert gateway.form("/v2/oauth2/token", {"grant_type": "refresh_token", "refresh_token": refresh,
                                             "client_id": NOBODY})[0] == 200


def test_no_token_is_in_the_state(gateway):
    token = gateway.token()
    assert token not in (gateway.state / "state.json").read_text()


def test_state_that_cannot_be_written(gateway):
    (gateway.state / "state.json").unlink()
    (gateway.state / "state.json").mkdir()  # rename() will not replace a folder
    status, answer = gateway.form("/v2/oauth2/token", {"grant_type": "client_credentials"}, gateway.client)[:2]
    assert status == 500
    (gateway.state / "state.json").rmdir()
    gateway.create()
    assert json.loads((gateway.state / "state.json").read_text())["tunnels"]


def test_many_requests_at_once(gateway):
    gateway.token()
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        made = list(pool.map(lambda _: gateway.create(), range(300)))
    assert len(set(made)) == 300
    state = json.loads((gateway.state / "state.json").read_text())
    assert {t["id"] for t in state["tunnels"]} == set(made)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_answered_is_kept_when_it_ends_amid_requests(gateway, how):
    made = []

    def create():
        while True:
            try:
                made.append(gateway.create())
            except (OSError, http.client.HTTPException):
                return

    for _ in range(3):
        gateway.token()
        target = len(made) + 40
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(create)
            wait_for(lambda: len(made) > target)
            assert gateway.stop(how) == (0 if how == signal.SIGTERM else -how)
        gateway.start()
        assert {t["id"] for t in gateway.call("GET", "/v2/tunnels?page[limit]=1000")[1]["data"]} >= set(made)
