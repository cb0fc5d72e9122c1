"""Names and virtual addresses, where a program has little left of its surroundings."""

import ipaddress
import os
import shutil

import pytest

from lab import BOTH_SPEEDS, PROGRAMS, PYTHON, free_port, need, need_user_namespace, wait_listening, write_conf

pytestmark = BOTH_SPEEDS

TALK = PROGRAMS / "talk"
VIRTUAL = ipaddress.ip_network("198.18.0.0/15")


def expect_talk(tunnel, *command):
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    here = tunnel.call(*command)
    assert here.ok() == "answer"
    assert there.ok() == "question"
    return here


def address_of(tunnel, name=None, port=None):
    """What the name resolves to under the tool."""
    return tunnel.call(TALK, "resolve", name or tunnel.name, port or tunnel.fake_port).ok().strip()


def test_virtual_address(tunnel):
    """The same each time, from the range that no machine has, and back to its name."""
    address = address_of(tunnel)
    assert ipaddress.ip_address(address) in VIRTUAL
    assert address_of(tunnel) == address
    back = f"import socket; print(socket.gethostbyaddr('{address}')[0])"
    assert tunnel.call(PYTHON, "-c", back).ok().strip() == tunnel.name


def test_after_chroot(lab, tunnel):
    """Nothing of the machine's files is needed to ask: not even the launcher's."""
    if os.geteuid() != 0:
        need_user_namespace()
    root = lab.folder / "root"
    root.mkdir()
    expect_talk(tunnel, TALK, "chroot", root, "call", tunnel.name, tunnel.fake_port, "question")


def test_with_every_descriptor_closed(tunnel):
    closing = ("import os, socket, sys\n"
               "os.closerange(3, 1024)\n"
               "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
               "s.sendall(b'question'); s.shutdown(socket.SHUT_WR)\n"
               "sys.stdout.write(s.recv(64).decode())")
    expect_talk(tunnel, PYTHON, "-c", closing, tunnel.name, tunnel.fake_port)


def test_env_i(tunnel):
    """Without the shim there are no names, but the virtual address works."""
    address = address_of(tunnel)
    lost = tunnel.call(need("env"), "-i", TALK, "resolve", tunnel.name, tunnel.fake_port)
    assert lost.wait() == 1
    expect_talk(tunnel, need("env"), "-i", TALK, "call", address, tunnel.fake_port, "question")


def test_address_on_the_command_line(tunnel):
    """A v4-mapped address means the same."""
    address = address_of(tunnel)
    expect_talk(tunnel, TALK, "call", f"::ffff:{address}", tunnel.fake_port, "question")


def test_same_fake_port(lab):
    """Two tunnels in one launch that happen to have the same port: the name tells them apart."""
    one, two = lab.tunnel(), lab.tunnel()
    shutil.copy(two.initiator / f"{two.id}.conf", one.initiator)
    for tunnel in (one, two):
        conf = one.initiator / f"{tunnel.id}.conf"
        lines = conf.read_text().splitlines()
        conf.write_text("".join(f"{'fake_port=4321' if line.startswith('fake_port=') else line}\n"
                                for line in lines))
    for tunnel in (one, two):
        there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin=f"this is {tunnel.id}")
        here = lab.run(one.initiator, [one.id, two.id], TALK, "call", tunnel.name, 4321, "question")
        assert here.ok() == f"this is {tunnel.id}"
        there.ok()
    assert address_of(one, port=4321) != address_of(two, port=two.fake_port)


def test_another_port_of_a_mapped_name(lab):
    """A name that is mapped on one port leads where it always led on another."""
    elsewhere = free_port()
    tunnel = lab.tunnel(mapped=["localhost:8443"])
    there = tunnel.listen(TALK, "listen", tunnel.port, "through the tunnel")
    other = lab.start(TALK, "listen", elsewhere, "directly")
    wait_listening(elsewhere, other)
    assert tunnel.call(TALK, "call", "localhost", 8443, "one").ok() == "through the tunnel"
    assert tunnel.call(TALK, "call", "localhost", elsewhere, "two").ok() == "directly"
    assert there.ok() == "one" and other.ok() == "two"


def test_other_names_are_libcs(tunnel):
    here = tunnel.call(TALK, "resolve", "localhost", 80)
    assert here.ok() in ("127.0.0.1\n", "::1\n")
    here = tunnel.call(TALK, "resolve", "no-such-name.invalid", 80)
    assert here.wait() == 1
    assert here.err.startswith("talk: no-such-name.invalid:")


@pytest.mark.parametrize("name", ["GLOBUS.{id}", "globus.{id}.", "Globus.{upper}"])
def test_ways_to_write_a_name(tunnel, name):
    written = name.format(id=tunnel.id, upper=tunnel.id.upper())
    assert address_of(tunnel, written) == address_of(tunnel)


def test_ipv6_contact(lab):
    """A contact that is IPv6 gives the name an address of that family, and one only."""
    base = lab.folder / "v6"
    tunnel = write_conf(base, connector_contact_string="[::1]:9", update_time=2 ** 33, fake_port=1234,
                        connector_contact_string_ttl=10 ** 6)
    here = lab.run(base, tunnel, TALK, "resolve", f"globus.{tunnel}", 1234)
    assert ipaddress.ip_address(here.ok().strip()) in ipaddress.ip_network("fd47:5347:4c53::/48")


def test_names_in_python(tunnel):
    """The older functions answer like getaddrinfo()."""
    code = ("import socket, sys; n = sys.argv[1]\n"
            "print(socket.gethostbyname(n), socket.gethostbyname_ex(n)[2][0],"
            " socket.getaddrinfo(n, int(sys.argv[2]), type=socket.SOCK_STREAM)[0][4][0])")
    found = tunnel.call(PYTHON, "-c", code, tunnel.name, tunnel.fake_port).ok().split()
    assert found == [address_of(tunnel)] * 3
