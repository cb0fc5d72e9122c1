"""A launcher inside a supervised program: the outer supervisor takes its tunnels."""

import os
import shutil
import socket

import pytest

from lab import BOTH_SPEEDS, LOOPBACK, PROGRAMS, RUN, need_user_namespace, one_warning, wait_listening
from launches import status
from launches import Daemon

pytestmark = BOTH_SPEEDS

TALK = PROGRAMS / "talk"


def inner(tunnel, base, *command):
    """The words of a launcher that is the command of another."""
    return [RUN, "--base-dir", base, tunnel.id, "--", *command]


def test_both_tunnels(lab):
    """The inner command has its own tunnel and the outer one's, and its exit status is the launcher's."""
    outer, own = lab.tunnel(), lab.tunnel()
    for tunnel in (own, outer):
        there = tunnel.listen(TALK, "listen", tunnel.port, "answer")
        here = outer.call(*inner(own, own.initiator, TALK, "call", tunnel.name, tunnel.fake_port, "question"))
        assert here.ok() == "answer"
        assert here.err == ""
        there.ok()
    assert outer.call(*inner(own, own.initiator, "/bin/sh", "-c", "exit 42")).wait() == 42
    assert outer.call(*inner(own, own.initiator, "no-such-command")).wait() == 127


def test_three_deep(lab):
    tunnels = [lab.tunnel() for _ in range(3)]
    there = tunnels[2].listen(TALK, "listen", tunnels[2].port, "answer")
    here = tunnels[0].call(*inner(tunnels[1], tunnels[1].initiator, *inner(
        tunnels[2], tunnels[2].initiator, TALK, "call", tunnels[2].name, tunnels[2].fake_port, "question")))
    assert here.ok() == "answer"
    there.ok()


def test_listening_inside(lab):
    """Its listening port is watched as if it had been named outside."""
    outer, own = lab.tunnel(), lab.tunnel()
    there = lab.run(outer.listener, outer.id, *inner(own, own.listener, TALK, "listen", own.port, "answer"))
    wait_listening(own.port, there)
    assert own.call(TALK, "call", own.name, own.fake_port, "question").ok() == "answer"
    there.ok()


@pytest.mark.parametrize("outside, call", [("listener", "connect"), ("initiator", "accept")])
def test_outer_filter_lacks_the_calls(lab, outside, call):
    outer, own = lab.tunnel(), lab.tunnel()
    base = own.initiator if outside == "listener" else own.listener
    refused = lab.run(getattr(outer, outside), outer.id, *inner(own, base, "/bin/true"))
    assert refused.wait() == 1
    one_warning(refused, rf"does not watch {call}\(\)", own.id, "name this tunnel there as well")


def test_options_that_do_not_count(tunnel):
    here = tunnel.call(RUN, "--base-dir", tunnel.initiator, "-d", tunnel.id, "--", "/bin/true")
    assert here.wait() == 0
    one_warning(here, "only --port and --base-dir take effect")


def test_names_that_are_taken(lab):
    """What leads through a tunnel already is not led through another."""
    outer, own = lab.tunnel(mapped=["host.example:80"]), lab.tunnel(mapped=["host.example:80"])
    refused = outer.call(*inner(own, own.initiator, "/bin/true"))
    assert refused.wait() == 1
    one_warning(refused, "refused tunnel", "another tunnel")


def test_tunnel_that_is_there_stays_what_it_is(lab):
    """A program that names its own tunnel again leads it to nobody else, with or without a secret."""
    tunnel = lab.tunnel()
    there = tunnel.listen(TALK, "listen", tunnel.port, "answer")
    conf = tunnel.initiator / f"{tunnel.id}.conf"
    with socket.create_server((LOOPBACK, 0)) as rogue:
        lines = [line for line in conf.read_text().splitlines() if not line.startswith(("lankey", "connector_"))]
        false = "\n".join([*lines, f"connector_contact_string={LOOPBACK}:{rogue.getsockname()[1]}", ""])
        (lab.folder / "false").write_text(false)
        words = [RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", "/bin/true"]
        script = f"cp {conf} true; cat false > {conf}; {' '.join(map(str, words))}; cp true {conf}; exec \"$@\""
        here = lab.start(RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", "/bin/sh", "-c", script, "sh", TALK,
                         "call", tunnel.name, tunnel.fake_port, "question", cwd=lab.folder)
        assert here.ok() == "answer"
    there.ok()


def test_program_of_another_user(lab):
    """One that has given up its rights does not say where the names of the others lead."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    outer, own = lab.tunnel(), lab.tunnel()
    base = lab.folder / "theirs"
    shutil.copytree(own.initiator, base)
    for path in (base, *base.iterdir()):
        os.chown(path, 65534, 65534)
    for folder in (lab.folder, *lab.folder.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    refused = outer.call("/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                         *inner(own, base, "/bin/true"))
    assert refused.wait() == 1
    one_warning(refused, "refused tunnel", "another user")


@pytest.mark.parametrize("how", [("--user", "--map-root-user"), ("--mount",)], ids=["user", "mount"])
def test_program_in_a_container(lab, how):
    """Its root has our id, and neither our rights nor our files: it does not say where names lead, nor which folder
    a supervisor outside looks into."""
    outer, own = lab.tunnel(), lab.tunnel()
    if how == ("--mount",) and os.geteuid() != 0:
        pytest.skip("only root can make a mount namespace alone")
    unshare = need_user_namespace(*how[1:]) if "--user" in how else ["unshare", *how]
    refused = outer.call(*unshare, *inner(own, own.initiator, "/bin/true"))
    assert refused.wait() == 1
    one_warning(refused, "refused tunnel", "in a container")
    assert outer.call(*unshare, "/bin/true").wait() == 0


def test_daemon_outside(lab):
    """The outer supervisor may be a long-running one."""
    outer, own = lab.tunnel(), lab.tunnel()
    daemon = Daemon(lab)
    there = own.listen(TALK, "listen", own.port, "answer")
    here = lab.run(outer.initiator, outer.id, *inner(own, own.initiator, TALK, "call", own.name, own.fake_port,
                                                     "question"), options=["--attach", daemon.path])
    assert here.ok() == "answer"
    assert {entry["id"] for entry in status(lab, daemon)["tunnels"]} == {outer.id, own.id}
    there.ok()


def test_attach_inside(lab, tunnel):
    """Where a supervisor sees everything already, there is no other to attach to."""
    daemon = Daemon(lab)
    here = tunnel.call(RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", "/bin/true",
                       env={"GLOBUS_STREAMS_SUPERVISOR": str(daemon.path)})
    assert here.ok() == ""
