"""A launcher inside a sandbox that any user may make, or outside of a network: it works, or one line names the option
that makes it work, and nothing of the program has left the machine."""

import subprocess

import pytest

from inside import is_refused, works
from lab import PROGRAMS, PYTHON, RUN, SOURCE, need

TALK = PROGRAMS / "talk"


@pytest.fixture
def there(tunnel):
    return tunnel.listen(PYTHON, SOURCE / "src/listeners.py", "blocking", tunnel.port, 1)


def words(tunnel):
    return TALK, "call", tunnel.name, tunnel.fake_port, "hello"


def make(*sandbox):
    """Its words; a machine on which it cannot be made is no failure."""
    sandbox = [need(sandbox[0]), *sandbox[1:]]
    if subprocess.run([*sandbox, "/bin/true"], capture_output=True, check=False).returncode:
        pytest.skip(f"{sandbox[0]} cannot make this sandbox here")
    return sandbox


def sandboxed(lab, tunnel, *sandbox):
    return lab.start(*make(*sandbox), RUN, "--base-dir", tunnel.initiator, tunnel.id, "--", *words(tunnel))


@pytest.mark.parametrize("options", [["--bind", "/", "/"], ["--ro-bind", "/", "/", "--proc", "/proc"],
                                     ["--unshare-all", "--share-net", "--ro-bind", "/", "/", "--proc", "/proc"],
                                     ["--unshare-user", "--cap-drop", "ALL", "--new-session", "--bind", "/", "/"]],
                         ids=["bind", "read-only", "unshare-all", "user"])
def test_bwrap(lab, tunnel, there, options):
    works(sandboxed(lab, tunnel, "bwrap", *options), there)


def test_bwrap_with_a_proc_that_is_read_only(lab, tunnel, there):
    is_refused(sandboxed(lab, tunnel, "bwrap", "--ro-bind", "/", "/"), there, "/proc/PID/mem", "bwrap: --proc /proc")


def test_unshare(lab, tunnel, there):
    own = ["unshare", "--map-root-user", "--pid", "--fork"]
    is_refused(sandboxed(lab, tunnel, *own), there, "/proc/PID/mem", "unshare --pid: --mount-proc")
    works(sandboxed(lab, tunnel, *own, "--mount-proc"), there)


# --- a network of its own, with the launcher outside ---

@pytest.mark.parametrize("sandbox", [["unshare", "--map-root-user", "--net"],
                                     ["bwrap", "--unshare-net", "--dev-bind", "/", "/"]], ids=lambda words: words[0])
def test_a_network_of_its_own(lab, tunnel, there, sandbox):
    """Nothing of the program reaches any network, and a line says so."""
    here = lab.run(tunnel.initiator, tunnel.id, *make(*sandbox), *words(tunnel))
    assert here.wait(60) != 0 and "unreachable" in here.err, here
    (line,) = [line for line in here.err.splitlines() if line.startswith("globus-streams-run: ")]
    assert "another network namespace" in line and "--network host" in line, line
    assert there.out == "" and there.running()
