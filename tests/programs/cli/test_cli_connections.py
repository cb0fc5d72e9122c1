"""globus-streams connections: which are shown, their numbers and verdicts, and what others cannot see."""

import json
import os
import resource
import shutil
import socket
import subprocess

import pytest

import lab as laboratory
from lab import CLI, GOOD, PYTHON, SOURCE, need, write_conf
from processes import wait_for
from users import OTHER, open_for_all

PACE = SOURCE / "src/pace.py"


def connections(lab, base, *words, env=None):
    program = lab.start(CLI, "connections", "--base-dir", base, "-F", "json", *words, env=env)
    return json.loads(program.ok())["data"]


@pytest.fixture
def pair(lab):
    """Two programs that are joined by a tunnel, each with its pace."""
    def start(initiator, listener, **options):
        tunnel = lab.tunnel()
        far = tunnel.listen(PYTHON, PACE, "listen", listener, "127.0.0.1", tunnel.port, **options)
        near = tunnel.call(PYTHON, PACE, "call", initiator, tunnel.name, tunnel.fake_port, **options)
        for program in (far, near):
            wait_for("a connection", lambda program=program: "connected" in program.out)
        return tunnel
    return start


def see(lab, base, wanted):
    """The one connection, once its verdict is as wanted."""
    seen = []

    def right():
        (one,) = connections(lab, base)
        seen.append(one["verdict"])
        return one if one["verdict"] == wanted else None
    try:
        return wait_for(f"the verdict {wanted}", right, timeout=30)
    except AssertionError as error:
        raise AssertionError(f"{error}: {seen}") from None


VERDICTS = {
    "nothing limits it": ("send", "read", "none", "reads-all"),
    "nothing limits it, the other way": ("read", "send", "reads-all", "none"),
    "a slow reader": ("send", "sip", "tunnel", "program-reads"),
    "a slow reader here": ("sip", "send", "program-reads", "tunnel"),
    "no reader": ("send", "hold", "tunnel", "program-reads"),
    "a slow writer": ("drip", "read", "program-sends", "reads-all"),
    "a slow writer there": ("read", "drip", "reads-all", "program-sends"),
    "nobody says anything": ("hold", "hold", "idle", "idle"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_is_right_on_both_sides(lab, pair, name):
    initiator, listener, there, here = VERDICTS[name]
    tunnel = pair(initiator, listener)
    near, far = see(lab, tunnel.initiator, there), see(lab, tunnel.listener, here)
    if there == "tunnel":
        assert near["unsent_bytes"] > 0
    if here == "program-reads":
        assert far["unread_bytes"] > 0
    if initiator == "drip":
        assert 0 < near["sent_bytes_per_second"] < 60_000 and near["received_bytes_per_second"] == 0


def test_bytes_are_those_of_the_programs(lab, pair):
    """Without the handshake's."""
    tunnel = pair("exchange", "exchange")
    expected = {tunnel.initiator: ("initiator", 1000, 500), tunnel.listener: ("listener", 500, 1000)}
    for base, (side, sent, received) in expected.items():
        def whole(base=base, sent=sent, received=received):
            (one,) = connections(lab, base, tunnel.id)
            return one if (one["sent_bytes"], one["received_bytes"]) == (sent, received) else None
        one = wait_for("the bytes", whole)
        assert (one["tunnel_id"], one["side"], one["uid"]) == (tunnel.id, side, os.geteuid())
        assert one["process"].startswith("python3") and one["unread_bytes"] == received and one["age_is_least"]
        command = open(f"/proc/{one['pid']}/cmdline", encoding="utf-8").read()
        assert str(PACE) in command and (side == "listener") == ("\0listen\0" in command)
    (one,) = connections(lab, tunnel.initiator)
    assert one["peer"] == "{}:{}".format(*tunnel.contact)


def test_the_table(lab, pair):
    """Also with --watch, where there is no terminal; the name of a program can do nothing."""
    tunnel = pair("hold", "hold", env={"PACE_NAME": "\x1b[31m\nred\u009b"})
    for words in ((), ("--watch",)):
        out = lab.start(CLI, "connections", "--base-dir", tunnel.initiator, *words).ok()
        heads, _, row = out.splitlines()
        assert [head.strip() for head in heads.split(" | ")] == [
            "Tunnel", "Process", "Peer", "Age", "Sent", "Received", "Sent/s", "Received/s", "Round Trip",
            "Retransmitted", "Unsent / Unread", "Verdict"]
        cells = [cell.strip() for cell in row.split(" | ")]
        assert cells[0] == tunnel.id and cells[1].startswith("[31m red") and cells[3].startswith("> ")
        assert cells[4:8] == ["0 B", "0 B", "0 B/s", "0 B/s"] and "\x1b" not in out and "\u009b" not in out


def test_of_nothing_there_is_nothing(lab):
    assert connections(lab, lab.folder / "none") == []
    program = lab.start(CLI, "connections", "--base-dir", lab.folder, laboratory.uuid.uuid4())
    assert program.wait() == 1 and ".conf does not exist" in program.err, program


def test_a_conf_that_cannot_be_read_hides_no_other(lab, pair):
    tunnel = pair("hold", "hold")
    bad = write_conf(tunnel.initiator, raw=b"\0")
    program = lab.start(CLI, "connections", "--base-dir", tunnel.initiator, "-F", "json")
    assert len(json.loads(program.ok())["data"]) == 1 and bad in program.err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has other users")
def test_of_other_users_only_what_the_kernel_shows_everybody(lab, pair):
    """One that has a conf with the same contact sees the connection, and neither its program nor its name."""
    tunnel = pair("hold", "hold")
    open_for_all(lab.folder)
    theirs = lab.folder / "theirs"
    write_conf(theirs, tunnel.id, **GOOD | {"connector_contact_string": "{}:{}".format(*tunnel.contact)})
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, 65534, 65534)
    as_other = [laboratory.need("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"]
    words = [CLI, "connections", "-F", "json", "--base-dir"]
    (one,) = json.loads(lab.start(*as_other, *words, theirs).ok())["data"]
    assert (one["pid"], one["process"], one["uid"]) == (None, None, 0)
    text = lab.start(*as_other, CLI, "connections", "--base-dir", theirs).ok()
    assert "| another user " in text and "python" not in text
    program = lab.start(*as_other, *words, tunnel.initiator)
    assert program.wait() == 1 and "cannot read the folder" in program.err, program


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
def test_root_reads_the_folder_that_it_names_with_its_owner_s_rights(lab, pair):
    tunnel = pair("hold", "hold")
    open_for_all(lab.folder)
    theirs = lab.folder / "theirs"
    shutil.copytree(tunnel.initiator, theirs)
    for path in (theirs, *theirs.iterdir()):
        os.chown(path, OTHER, OTHER)
    (one,) = connections(lab, theirs)
    assert one["tunnel_id"] == tunnel.id and one["process"].startswith("python3")
    secret = write_conf(lab.folder / "secret", **GOOD)
    (theirs / f"{secret}.conf").symlink_to(lab.folder / "secret" / f"{secret}.conf")
    program = lab.start(CLI, "connections", "--base-dir", theirs)
    assert len(program.ok().splitlines()) == 3 and secret in program.err, program


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may")
def test_root_that_may_become_nobody_reads_no_other_folder(lab, pair):
    theirs = lab.folder / "theirs"
    shutil.copytree(pair("hold", "hold").initiator, theirs)
    os.chown(theirs, OTHER, OTHER)
    for capability in ("setuid", "setgid"):
        program = lab.start(need("setpriv"), f"--bounding-set=-{capability}", CLI, "connections", "--base-dir", theirs)
        assert program.wait() == 1 and program.out == "" and "with the rights of its owner" in program.err, program


@pytest.mark.alone
def test_ten_thousand_in_less_than_a_second(bare_lab):
    """Between two processes, neither of which knows of tunnels: only the contact counts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 10_100:
        pytest.skip(f"only {hard} descriptors are allowed here")
    port = laboratory.free_port()
    peers = "import resource, socket, sys, time\n" \
            "resource.setrlimit(resource.RLIMIT_NOFILE, (10_100,) * 2)\n"
    server = bare_lab.start(PYTHON, "-c", peers + f"s = socket.create_server(('127.0.0.1', {port}), backlog=512)\n"
                            "kept = [s.accept() for _ in range(10_000)]; print('all', flush=True); time.sleep(3600)")
    laboratory.wait_listening(port, server)
    bare_lab.start(PYTHON, "-c", peers + "kept = [socket.create_connection(('127.0.0.1', "
                   f"{port})) for _ in range(10_000)]; time.sleep(3600)")
    wait_for("the connections", lambda: "all" in server.out, timeout=60)
    base = bare_lab.folder / "base"
    write_conf(base, connector_contact_string=f"127.0.0.1:{port}")
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = subprocess.run([CLI, "connections", "--base-dir", base], env=bare_lab.env, check=True,
                             capture_output=True, text=True).stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert out.count("\n") == 10_002
    assert min(took) + 0.25 < 1, took  # it measures for a quarter of a second


def test_a_listener_over_ipv6(bare_lab):
    """A dual-stack socket and one of IPv6, at the listener's port; those that it opens elsewhere are not shown."""
    port = laboratory.free_port()
    base = bare_lab.folder / "base"
    write_conf(base, listener_contact_string=f"[::1]:{port}")
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        calls = [socket.create_connection((host, port)) for host in ("::1", "127.0.0.1")]
        kept = [server.accept()[0] for _ in calls]
        found = connections(bare_lab, base)
        assert {one["peer"] for one in found} == {f"[::1]:{calls[0].getsockname()[1]}",
                                                  f"127.0.0.1:{calls[1].getsockname()[1]}"}
        assert all(one["side"] == "listener" and one["pid"] == os.getpid() for one in found)
        for sock in (*calls, *kept):
            sock.close()
