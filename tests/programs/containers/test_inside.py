"""A launcher inside a container, on the machine's network: it works, or one line names the option that makes it work,
before the command has started. Of sandboxes that need no engine, launch/test_sandboxes.py says the same."""

import os

import pytest

from inside import CAPABILITIES, OTHER, PROFILES, Containers, is_refused, without, works
from lab import CLI, PROGRAMS, PYTHON, SOURCE, wait_listening

TALK = PROGRAMS / "talk"
ENGINES = ["crun", "runc", "podman"]
TRACING = [*CAPABILITIES, "SYS_PTRACE"]
ROOTS = pytest.mark.skipif(os.geteuid() != 0, reason="the engines are root's here")
USERS = pytest.mark.parametrize("uid", [0, OTHER], ids=["root", "another"])


@pytest.fixture
def containers(lab, tunnel):
    ends = Containers(lab, tunnel)
    yield ends
    ends.finish()


@pytest.fixture
def there(tunnel):
    return tunnel.listen(PYTHON, SOURCE / "src/listeners.py", "blocking", tunnel.port, 1)


def words(tunnel):
    return TALK, "call", tunnel.name, tunnel.fake_port, "hello"


# --- engines ---

@ROOTS
@USERS
@pytest.mark.parametrize("way", ENGINES)
@pytest.mark.parametrize("profile, capabilities", [("podman", CAPABILITIES), ("docker", TRACING)],
                         ids=["podman", "docker with CAP_SYS_PTRACE"])
def test_default_profiles_that_allow_it(containers, tunnel, there, way, uid, profile, capabilities):
    """Root without CAP_SYS_PTRACE too."""
    how = {"uid": uid, "profile": PROFILES[profile](), "capabilities": capabilities}
    works(containers.launch(way, *words(tunnel), **how), there)


@ROOTS
@USERS
@pytest.mark.parametrize("way", ENGINES)
def test_docker_s_default_profile(containers, tunnel, there, way, uid):
    here = containers.launch(way, *words(tunnel), uid=uid, profile=PROFILES["docker"]())
    is_refused(here, there, "pidfd_getfd()", "--cap-add SYS_PTRACE",
               "a seccomp profile that allows pidfd_getfd, process_vm_readv and")


@ROOTS
@USERS
def test_docker_s_profile_with_what_the_line_names(containers, tunnel, there, uid):
    """No capability, and the calls in the profile."""
    profile = PROFILES["docker"]()
    profile["syscalls"].append({"names": ["pidfd_getfd", "process_vm_readv", "kcmp"], "action": "SCMP_ACT_ALLOW"})
    works(containers.launch("crun", *words(tunnel), uid=uid, profile=profile), there)


@ROOTS
@pytest.mark.parametrize("call", ["seccomp", "pidfd_open", "pidfd_getfd", "process_vm_readv"])
def test_a_profile_without_one_call(containers, tunnel, there, call):
    profile = without(PROFILES["podman"](), call)
    is_refused(containers.launch("crun", *words(tunnel), profile=profile), there, f"{call}()", "docker, podman: ")


@ROOTS
@pytest.mark.parametrize("way", ENGINES)
def test_root_s_program_of_another_user(containers, tunnel, there, way):
    """A capability more than docker and podman give root; without it nothing of the program arrives."""
    command, profile = ("setpriv", f"--reuid={OTHER}", "--clear-groups", *words(tunnel)), PROFILES["podman"]()
    here = containers.launch(way, *command, profile=profile)
    assert here.wait(60) != 0 and there.out == "" and there.running(), here
    (line,) = [line for line in here.err.splitlines() if "cannot be inspected" in line]
    assert "are not answered" in line and "--cap-add SYS_PTRACE" in line, here
    works(containers.launch(way, *command, profile=profile, capabilities=TRACING), there)


@ROOTS
@USERS
@pytest.mark.parametrize("way", ENGINES)
def test_both_ends(containers, tunnel, way, uid):
    how = {"uid": uid, "profile": PROFILES["podman"]()}
    there = containers.launch(way, TALK, "listen", tunnel.port, "answer", base=tunnel.listener, **how)
    wait_listening(tunnel.port, there)
    here = containers.launch(way, *words(tunnel), **how)
    assert here.wait(60) == 0 and here.out == "answer", here
    assert there.wait(60) == 0 and there.out == "hello", there


# --- systemd-nspawn ---

@ROOTS
@USERS
def test_nspawn(containers, tunnel, there, uid):
    option = "--system-call-filter=pidfd_getfd"
    is_refused(containers.launch("nspawn", *words(tunnel), uid=uid), there, "pidfd_getfd()", f"nspawn: {option}")
    works(containers.launch("nspawn", *words(tunnel), uid=uid, profile=[option]), there)


# --- ch-run ---

def test_ch_run(containers, tunnel, there):
    works(containers.launch("ch_run", *words(tunnel), uid=os.geteuid()), there)


# --- what doctor says there ---

@ROOTS
@pytest.mark.parametrize("way, says", [("podman", "in a container (podman)"), ("crun", "in a container"),
                                       ("nspawn", "in a container (systemd-nspawn)")])
def test_doctor(containers, way, says):
    profile = None if way == "nspawn" else PROFILES["docker"]()
    here = containers.run(way, CLI, "doctor", profile=profile)
    assert here.wait(60) == 1, here
    lines = {line.split(":")[0].split()[1]: line for line in here.out.splitlines() if ": " in line}
    assert says in lines["container"] and "a filter is already active" in lines["seccomp"], here
    assert "--cap-add SYS_PTRACE" in lines["pidfd"] and "--system-call-filter=" in lines["pidfd"], here
    assert lines["launcher"].startswith("failed") and "pidfd_getfd" in lines["launcher"], here
