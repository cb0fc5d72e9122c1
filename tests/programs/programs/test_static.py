"""Programs without a dynamic loader, and 32-bit ones: the names reach them by /etc/hosts."""

import pytest

from lab import BOTH_SPEEDS, PROGRAMS, missing, need

pytestmark = BOTH_SPEEDS

KINDS = ["go", "musl", "glibc", "busybox", "static-pie", "m32", "m32-static"]
TALK = {"go": "talk-go", "musl": "talk-musl", "glibc": "talk-static", "static-pie": "talk-static-pie",
        "m32": "talk-m32", "m32-static": "talk-m32-static"}


def program(kind):
    path = PROGRAMS / TALK[kind]
    if not path.exists():
        missing(path)
    return path


def listening(kind, port):
    if kind == "busybox":
        return [need("busybox"), "nc", "-l", "-p", port]
    return [program(kind), "listen", port, "answer"]


def calling(kind, host, port):
    if kind == "busybox":
        return [need("busybox"), "nc", host, port]
    return [program(kind), "call", host, port, "question"]


def as_child(command):
    """The same as the child of a shell, which does something after it and so cannot become it."""
    return ["/bin/sh", "-c", '"$@"; status=$?; exit $status', "sh", *command]


def wrapped(command, how):
    return as_child(command) if how == "child" else command


def options(kind, how):
    """A static-pie program looks like a dynamic one until it has started: as a child it needs --hosts."""
    return ["--hosts"] if kind == "static-pie" and how == "child" else []


@pytest.mark.parametrize("how", ["command", "child"])
@pytest.mark.parametrize("kind", KINDS)
def test_calls_by_name(tunnel, kind, how):
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    here = tunnel.call(*wrapped(calling(kind, tunnel.name, tunnel.fake_port), how),
                       options=options(kind, how), stdin="question")
    assert here.ok() == "answer"
    assert there.ok() == "question"
    # the loader of 32-bit programs says that the shim is not for it
    said = [line for line in here.err.splitlines() if kind != "m32" or "wrong ELF class" not in line]
    assert said == [] and there.err == ""


@pytest.mark.parametrize("how", ["command", "child"])
@pytest.mark.parametrize("kind", KINDS)
def test_listens(tunnel, kind, how):
    there = tunnel.listen(*wrapped(listening(kind, tunnel.port), how), options=options(kind, how),
                          stdin="answer")
    here = tunnel.call(need("nc.openbsd"), "-N", tunnel.name, tunnel.fake_port, stdin="question")
    assert here.ok() == "answer"
    assert there.ok() == "question"


@pytest.mark.parametrize("kind", KINDS)
def test_mapped_name(lab, kind):
    tunnel = lab.tunnel(mapped=["demo.example:8443"])
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    here = tunnel.call(*calling(kind, "demo.example", 8443), stdin="question")
    assert here.ok() == "answer"
    assert there.ok() == "question"


@pytest.mark.parametrize("options", [[], ["--hosts"]], ids=["plain", "hosts"])
def test_the_real_hosts_are_in_it(tunnel, options):
    """What the machine's own file says still holds, and a dynamic program reads the file as it is."""
    here = tunnel.call(program("glibc"), "resolve", "localhost", 80, options=options)
    assert here.ok() in ("127.0.0.1\n", "::1\n")
    own = tunnel.call("/bin/cat", "/etc/hosts").ok()
    with open("/etc/hosts", encoding="utf-8") as real:
        assert own == real.read()
