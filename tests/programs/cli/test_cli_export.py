"""An environment that is handed to a machine without a login: environment export and import."""

import json
import os

import pytest

from test_cli_more import expire

SECRET = "tell-nobody"


@pytest.fixture
def tunnel(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", "--globus-contact", "demo.example:443", tunnel).ok()
    return tunnel


@pytest.fixture
def file(cli, tmp_path, tunnel):
    file = tmp_path / "handed"
    cli.run("environment", "export", "--output", file, tunnel).ok()
    return file


def without_login(cli, base):
    """Another machine: nothing of this one's home, and no account."""
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        cli.environment.pop(name, None)
    return lambda *words: cli.run("environment", *words[:1], "--base-dir", base, *words[1:], env={"HOME": str(base)})


def test_there_and_back(cli, far, tunnel, file, tmp_path):
    there = tmp_path / "there"
    far.requests.clear()
    said = without_login(cli, there)("import", file).ok()
    copy = there / f"{tunnel}.conf"
    assert copy.read_bytes() == (cli.base / f"{tunnel}.conf").read_bytes() and copy.stat().st_mode & 0o777 == 0o600
    conf = cli.conf(tunnel)
    assert f"globus.{tunnel}:{conf['fake_port']}" in said and "ends at" in said and conf["lankey"] not in said
    assert far.requests == []


def test_what_it_says(cli, tunnel, tmp_path):
    file = tmp_path / "handed"
    said = cli.run("environment", "export", "--output", file, tunnel).ok()
    assert "LAN secret" in said and "ends at" in said and f"environment import {file}" in said
    assert cli.conf(tunnel)["lankey"] not in said and file.stat().st_mode & 0o777 == 0o600
    told = json.loads(cli.run("-F", "json", "environment", "export", "--output", tmp_path / "two", tunnel).ok())
    assert told["tunnel_id"] == tunnel and told["file"] == str(tmp_path / "two") and "lankey" not in told


@pytest.mark.parametrize("there", ["file", "link", "dangling", "folder"])
def test_never_over_another(cli, tunnel, tmp_path, there):
    file, other = tmp_path / "handed", tmp_path / "other"
    if there == "file":
        file.write_text("mine")
    elif there == "folder":
        file.mkdir()
    else:
        if there == "link":
            other.write_text("mine")
        file.symlink_to(other)
    before = sorted(tmp_path.iterdir())
    line = cli.run("environment", "export", "--output", file, tunnel).failed(1)
    assert str(file) in line and "exists already" in line
    assert sorted(tmp_path.iterdir()) == before
    assert not other.exists() or other.read_text() == "mine"


def test_a_closed_folder(cli, tunnel, tmp_path):
    line = cli.run("environment", "export", "--output", tmp_path / "no" / "handed", tunnel).failed(1)
    assert f"cannot write {tmp_path}/no/handed: No such file" in line
    assert "--output FILE" in cli.run("environment", "export", tunnel).failed(2)


def test_without_a_contact(cli, far, tmp_path):
    tunnel = far.tunnel()
    cli.run("environment", "initialize", tunnel).ok()
    line = cli.run("environment", "export", "--output", tmp_path / "handed", tunnel).failed(1)
    assert "not known yet" in line and f"environment update {tunnel}" in line and not (tmp_path / "handed").exists()


def test_the_listeners_side(cli, far, tmp_path):
    tunnel, there = far.active(), tmp_path / "there"
    cli.run("environment", "initialize", "--listener-contact-string", "192.0.2.7:8888", tunnel)
    cli.run("environment", "export", "--output", tmp_path / "handed", tunnel).ok()
    assert "contact string" not in without_login(cli, there)("import", tmp_path / "handed").ok()
    assert "listener_contact_string=192.0.2.7:8888" in (there / f"{tunnel}.conf").read_text()


def test_twice_is_once(cli, file, tunnel, tmp_path):
    """Tasks that import the same do not disturb each other, and keep a contact that one of them has looked up."""
    there = tmp_path / "there"
    run = without_login(cli, there)
    run("import", file).ok()
    copy = there / f"{tunnel}.conf"
    copy.write_text(copy.read_text().replace("connector_contact_string=", "connector_contact_string=1"))
    newer = copy.read_text()
    run("import", file).ok()
    assert copy.read_text() == newer


def test_another_is_kept(cli, file, tunnel, tmp_path):
    there = tmp_path / "there"
    run = without_login(cli, there)
    run("import", file).ok()
    copy = there / f"{tunnel}.conf"
    good = copy.read_text()
    other = good.replace("lankey=", "lankey=x")
    copy.write_text(other)
    line = run("import", file).failed(1)
    assert str(copy) in line and "--force" in line and copy.read_text() == other
    run("import", "--force", file).ok()
    assert copy.read_text() == good


def test_cut_off_anywhere(cli, file, tmp_path):
    """No part of it is taken for the whole."""
    whole, there = file.read_bytes(), tmp_path / "there"
    run = without_login(cli, there)
    for size in (*range(0, 110, 3), *range(110, len(whole) - 30, 23), *range(len(whole) - 30, len(whole))):
        file.write_bytes(whole[:size])
        line = run("import", file).failed(1)
        assert str(file) in line and ("cut off" in line or "not an exported" in line)
    assert not list(there.glob("*.conf"))


@pytest.mark.parametrize("change, says", [
    (lambda data: data.replace(b"tunnel ", b"tunnel x", 1), "not an exported"),
    (lambda data: data.replace(b"\n", b"\0", 2), "not an exported"),
    (lambda data: data.replace(b"lankey=", b"lankey=\0", 1), "damaged"),
    (lambda data: data.replace(b"fake_port=", b"fake_port=9", 1), "fake_port"),
    (lambda data: data + b"x" * 100000, "too large"),
    (lambda data: data.replace(b"# end\n", b"# end\n# end"), "cut off"),
], ids=["id", "zero", "value", "port", "large", "tail"])
def test_damaged(cli, file, tmp_path, change, says):
    file.write_bytes(change(file.read_bytes()))
    assert says in without_login(cli, tmp_path / "there")("import", file).failed(1)
    assert not list((tmp_path / "there").glob("*.conf"))


def test_others_can_read_it(cli, file, tmp_path):
    file.chmod(0o640)
    line = without_login(cli, tmp_path / "there")("import", file).failed(1)
    assert "chmod 600" in line and not list((tmp_path / "there").glob("*.conf"))


@pytest.mark.parametrize("there", ["missing", "folder", "fifo"])
def test_no_file(cli, tmp_path, there):
    file = tmp_path / "handed"
    if there == "folder":
        file.mkdir()
    elif there == "fifo":
        os.mkfifo(file, 0o600)
    line = without_login(cli, tmp_path / "there")("import", file).failed(1)
    assert line.startswith(f"globus-streams: cannot read {file}: ")


def test_one_that_has_passed(cli, tunnel, tmp_path):
    expire(cli, tunnel)
    assert "passed" in cli.run("environment", "export", "--output", tmp_path / "handed", tunnel).ok()
    assert "passed" in without_login(cli, tmp_path / "there")("import", tmp_path / "handed").ok()
