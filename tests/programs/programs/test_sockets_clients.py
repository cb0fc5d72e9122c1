"""Programs that write as soon as their socket is writable, through a gateway that takes 160 ms to let them in.
LuaSocket, Bun, libmemcached, PHP, libldap, HAProxy: none of them asks for the result of its connect()."""

import os
import socket
from pathlib import Path

import pytest

from lab import PYTHON, SOURCE, free_port, need, wait_listening

PROCESSES = 50
SCRIPTS = SOURCE / "src"
slowly = pytest.mark.parametrize("gateway", ["slow"], indirect=True)


def bun():
    """npm's: contrib/check installs it where npm is, and says where."""
    found = os.environ.get("GS_TEST_BUN")
    if not found:
        pytest.skip("no Bun: npm install @oven/bun-linux-x64-baseline, and its bin/bun in GS_TEST_BUN")
    assert os.access(found, os.X_OK), found
    return found


def echo(tunnel):
    return tunnel.listen(PYTHON, SCRIPTS / "echo.py", tunnel.port)


def memcached(tunnel):
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return tunnel.listen(need("memcached"), *user, "-l", "127.0.0.1", "-p", tunnel.port, "-U", "0")


def slapd(tunnel):
    conf = tunnel.lab.folder / "slapd.conf"
    conf.write_text("")
    return tunnel.listen(need("slapd"), "-f", conf, "-d", "0", "-h", f"ldap://127.0.0.1:{tunnel.port}")


CLIENTS = {
    "luasocket": (echo, lambda: [need("lua5.4"), SCRIPTS / "asking.lua", "NAME", "PORT"], "word"),
    "php": (echo, lambda: [need("php"), SCRIPTS / "asking.php", "NAME", "PORT"], "word"),
    "tcl": (echo, lambda: [need("tclsh"), SCRIPTS / "asking.tcl", "NAME", "PORT", "event"], "word"),
    "tcl at once": (echo, lambda: [need("tclsh"), SCRIPTS / "asking.tcl", "NAME", "PORT", "now"], "word"),
    "bun": (echo, lambda: [bun(), SCRIPTS / "asking.js", "NAME", "PORT"], "word"),
    "libmemcached": (memcached, lambda: [need("memcstat"), "--servers=NAME:PORT"], "accepting_conns: 1"),
    "libldap": (slapd, lambda: [need("ldapsearch"), "-o", "nettimeout=20", "-x", "-LLL", "-s", "base", "-H",
                                "ldap://NAME:PORT", "-b", "", "objectClass"], "objectClass: OpenLDAProotDSE"),
}


@slowly
@pytest.mark.parametrize("client", CLIENTS)
def test_first_bytes_arrive(tunnel, client):
    """In 50 of 50 processes of one launch, eight at a time."""
    serve, command, answer = CLIENTS[client]
    words = [str(word).replace("NAME", tunnel.name).replace("PORT", str(tunnel.fake_port)) for word in command()]
    there = serve(tunnel)
    one = tunnel.lab.folder / "one"
    one.write_text("#!/bin/sh\n" + " ".join(f"'{word}'" for word in words) + f" 2>&1 | grep -a '{answer}' || true\n")
    one.chmod(0o755)
    here = tunnel.call("xargs", "-P", "8", "-I{}", one, stdin="open")
    here.process.stdin.write("".join(f"{number}\n" for number in range(PROCESSES)).encode())
    here.process.stdin.close()
    said = [line.strip() for line in here.ok(80).splitlines()]
    assert len(said) == PROCESSES and all(answer in line for line in said), (len(said), str(here))
    there.end()


def start_haproxy(tunnel, options=()):
    front = free_port()
    conf = Path(tunnel.lab.folder) / f"haproxy-{front}.cfg"
    conf.write_text("defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n"
                    "  retries 0\n"
                    f"listen front\n  bind 127.0.0.1:{front}\n  server far {tunnel.name}:{tunnel.fake_port}\n")
    program = tunnel.call(need("haproxy"), "-db", "-f", conf, options=options)
    wait_listening(front, program)
    return front, program


def ask(front, text=b"word\n"):
    with socket.create_connection(("127.0.0.1", front), 20) as sock:
        sock.settimeout(20)
        sock.sendall(text)
        try:
            return sock.recv(100)
        except ConnectionResetError:
            return b""


@slowly
def test_haproxy(tunnel):
    """The first of each process arrives; of one process no more than one is lost, and none with --hold-connect."""
    there = echo(tunnel)
    for _ in range(5):
        front, program = start_haproxy(tunnel)
        assert ask(front) == b"word\n"
        program.end()
    front, _ = start_haproxy(tunnel)
    assert sum(ask(front) != b"word\n" for _ in range(30)) <= 1
    front, _ = start_haproxy(tunnel, ["--hold-connect"])
    assert [ask(front) for _ in range(20)] == [b"word\n"] * 20
    there.end()
