"""The access point's contact: where it comes from, and what happens when it is not where it was."""

from lab import (PROGRAMS, change_conf, free_port, need, read_conf, restart_on_other_ports, wait_listening, warnings,
                 write_conf)
from processes import wait_for

TALK = PROGRAMS / "talk"


def expect_talk(tunnel):
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer"
    assert there.ok() == "question"
    return here


def test_moved_between_launches(own_lab, own_gateway):
    tunnel = own_lab.tunnel()
    before = tunnel.contact
    restart_on_other_ports(own_gateway)
    expect_talk(tunnel)
    assert tunnel.contact != before


def test_moved_during_a_launch(own_lab, own_gateway):
    """A program that runs on calls again after the move: one refresh, and its next connect succeeds."""
    tunnel = own_lab.tunnel(ttl=100_000)
    listen, call = f'"{TALK}" listen {tunnel.port}', f'"{TALK}" call {tunnel.name} {tunnel.fake_port}'
    there = tunnel.listen("/bin/sh", "-c", f"{listen} one; {listen} two")
    here = tunnel.call("/bin/sh", "-c", f"{call} first; read line; {call} second", stdin="open")
    wait_for("the first answer", lambda: here.out == "one")
    wait_listening(tunnel.port, there)
    before = tunnel.contact
    restart_on_other_ports(own_gateway)
    here.process.stdin.write(b"\n")
    here.process.stdin.close()
    assert here.ok() == "onetwo"
    assert there.ok() == "firstsecond"
    assert tunnel.contact != before


def test_not_known_yet(lab, tunnel):
    """A conf without a contact: it is looked up when it is needed, and stored."""
    change_conf(tunnel.initiator, tunnel.id, connector_contact_string="", update_time="0")
    expect_talk(tunnel)
    assert read_conf(tunnel.initiator, tunnel.id)["connector_contact_string"]


def test_stored_contact_is_dead(lab, tunnel):
    """What is stored is past its time and nobody listens there."""
    change_conf(tunnel.initiator, tunnel.id, connector_contact_string="127.0.0.1:1", update_time="0")
    expect_talk(tunnel)
    assert tunnel.contact != ("127.0.0.1", 1)


def test_without_lankey(own_lab):
    """A tunnel whose legs are not secured, as a conf file without a secret says: the application's bytes
    are the first on the connection. The far end is a plain server here: an access point without a secret."""
    port = free_port()
    server = own_lab.start(TALK, "listen", port, "answer")
    wait_listening(port, server)
    base = own_lab.folder / "plain"
    tunnel = write_conf(base, connector_contact_string=f"127.0.0.1:{port}", update_time=2 ** 33,
                        connector_contact_string_ttl=100_000, fake_port=1234)
    here = own_lab.run(base, tunnel, TALK, "call", f"globus.{tunnel}", 1234, "question")
    assert here.ok() == "answer"
    assert server.ok() == "question"
    assert warnings(here) == []


def test_listener_without_lankey(bare_lab):
    """The same on the listening side: who calls is taken as he is."""
    port, base = free_port(), bare_lab.folder / "plain"
    tunnel = write_conf(base, listener_contact_string=f"127.0.0.1:{port}", fake_port=1234)
    there = bare_lab.run(base, tunnel, TALK, "listen", port, "answer")
    wait_listening(port, there)
    assert bare_lab.start(TALK, "call", "127.0.0.1", port, "question").ok() == "answer"
    assert there.ok() == "question"
