"""Containers that somebody else starts: the runtime hands their calls to the agent, and the agent to a daemon."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from containers import USER, Runtime, make_root
from guests import AS_SOMEBODY, Site, somebodys_site
from lab import CLI, PROGRAMS, need, wait_listening
from processes import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root's runtimes")
# crun alone, if it is there; all of them for who asks: contrib/check containers
ALL = bool(os.environ.get("GS_TEST_CONTAINERS"))
RUNTIMES = ["crun", "runc", "podman"] if ALL else ["crun"]
PODMANS = Path("/usr/share/containers/seccomp.json")
STATIC = PROGRAMS / "talk-static"
UNTIL_GO = ["/bin/sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo done"]


def is_there(what):
    if ALL:
        need(what)
    elif not shutil.which(what):
        pytest.skip(f"missing: {what}")


@pytest.fixture
def root(tmp_path):
    return make_root(tmp_path / "root")


@pytest.fixture
def sites(lab, tunnel):
    return Site(lab, tunnel.listener, "there"), Site(lab, tunnel.initiator, "here")


def dockers(folder):
    """Of docker's default profile, which is in no package, the form: its rules allow only, with other keys, and what
    it does not name fails with EPERM."""
    profile = json.loads(PODMANS.read_text())
    rules = [{"names": rule["names"], "action": rule["action"]} | {
        key: rule[key] for key in ("args", "includes", "excludes") if rule.get(key)}
        for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"]
    rules.append({"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}})
    path = folder / "docker.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
                                "archMap": profile["archMap"], "syscalls": rules}))
    return path


def profile(site, tunnel, base=None):
    options = ["--base", base] if base else []
    return site.lab.start(CLI, "oci", "seccomp", "--socket", site.socket, *options, tunnel.id).ok()


def both_ways(lab, sites, tunnel, root, name, talk, uid, bases=(None, None)):
    """As a listener, and as a client by the tunnel's name, which no shim resolves."""
    there, here = sites
    runtime = Runtime(lab, name, root)
    listener = runtime.run(profile(there, tunnel, bases[0]), talk, "listen", tunnel.port, "answer", uid=uid)
    wait_listening(tunnel.port, listener)
    caller = runtime.run(profile(here, tunnel, bases[1]), talk, "call", tunnel.name, tunnel.fake_port, "question",
                         uid=uid)
    assert caller.ok() == "answer", (caller, here.agent.err, there.agent.err)
    assert listener.ok() == "question"


@pytest.mark.parametrize("uid", [0, USER] if ALL else [USER])
@pytest.mark.parametrize("talk", ["talk", "talk-static", "talk-go"] if ALL else ["talk"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_client_and_listener(lab, sites, tunnel, root, name, talk, uid):
    is_there(name)
    both_ways(lab, sites, tunnel, root, name, PROGRAMS / talk, uid)


def test_of_an_ordinary_user(lab, tunnel, root):
    """By that user's daemon and agent, in a user namespace; and not by root's agent."""
    is_there("crun")
    confs = tunnel.listener / f"{tunnel.id}.conf", tunnel.initiator / f"{tunnel.id}.conf"
    sites = [somebodys_site(lab, conf, name) for conf, name in zip(confs, ("there", "here"))]
    runtime = Runtime(lab, "crun", root, AS_SOMEBODY)
    listener = runtime.run(profile(sites[0], tunnel), STATIC, "listen", tunnel.port, "answer")
    wait_listening(tunnel.port, listener)
    caller = runtime.run(profile(sites[1], tunnel), STATIC, "call", tunnel.name, tunnel.fake_port, "question")
    assert caller.ok() == "answer", sites[1].agent.err
    assert listener.ok() == "question"
    refused = Runtime(lab, "crun", root).run(profile(sites[1], tunnel), "/bin/true", name=f"gs-{os.getpid()}-roots")
    assert refused.wait() != 0
    wait_for("a line", lambda: "a container of user 0 is refused" in sites[1].agent.err)


@pytest.mark.parametrize("base", ["podman", "docker"])
@pytest.mark.parametrize("name", RUNTIMES)
def test_default_profiles_as_base(lab, sites, tunnel, root, name, base):
    is_there(name)
    if not PODMANS.exists():
        is_there(PODMANS)
    base = PODMANS if base == "podman" else dockers(lab.folder)
    both_ways(lab, sites, tunnel, root, name, STATIC, 0, (base, base))


@pytest.mark.parametrize("program", RUNTIMES)
def test_exec(lab, sites, tunnel, root, program):
    """Into one that runs: a filter of its own, the same tunnels."""
    there, here = sites
    runtime, name = Runtime(lab, program, root), f"gs-exec-{os.getpid()}"
    is_there(program)
    running = runtime.run(profile(here, tunnel), *UNTIL_GO, name=name)
    wait_for("it to be served", lambda: "is served" in here.agent.err)
    listener = runtime.run(profile(there, tunnel), STATIC, "listen", tunnel.port, "answer")
    wait_listening(tunnel.port, listener)
    caller = runtime.exec(name, STATIC, "call", tunnel.name, tunnel.fake_port, "question")
    caller.wait()
    (root / "tmp/go").touch()
    running.ok()
    assert caller.ok() == "answer", here.agent.err


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_tunnel_of_somebody_else(lab, sites, tunnel, root, name):
    """It is not in the agent's folder: the container fails, and says nothing through any tunnel."""
    is_there(name)
    here = sites[1]
    other = lab.tunnel()
    runtime = Runtime(lab, name, root)
    asked = runtime.run(profile(here, other), STATIC, "call", tunnel.name, tunnel.fake_port, "question")
    assert asked.wait() != 0
    wait_for("a line", lambda: f"{other.id}.conf does not exist" in here.agent.err)
    assert here.programs() == 0


@pytest.mark.parametrize("name", RUNTIMES)
def test_without_an_agent(lab, sites, tunnel, root, name):
    """The runtime says so."""
    is_there(name)
    here = sites[1]
    text = profile(here, tunnel)
    here.agent.end()
    here.socket.unlink()
    asked = Runtime(lab, name, root).run(text, "/bin/true")
    assert asked.wait() != 0 and str(here.socket) in asked.err, asked


@pytest.mark.parametrize("name", RUNTIMES)
def test_an_agent_that_dies(lab, sites, tunnel, root, name):
    """While it has the descriptor, which its daemon does not take: the container does not start, nor hang. Once that
    has it, it goes on without the agent."""
    is_there(name)
    here = sites[1]
    runtime = Runtime(lab, name, root)
    text = profile(here, tunnel)
    os.killpg(here.daemon.pid, signal.SIGSTOP)
    asked = runtime.run(text, "/bin/true")
    (pid,) = wait_for("the agent's child", here.agent.children)
    os.kill(pid, signal.SIGKILL)
    os.killpg(here.daemon.pid, signal.SIGCONT)
    asked.wait()
    served = here.agent.err.count("is served")
    program = runtime.run(text, *UNTIL_GO)
    wait_for("the next to be served", lambda: here.agent.err.count("is served") > served)
    here.agent.process.kill()
    (root / "tmp/go").touch()
    assert program.ok() == "done\n"
