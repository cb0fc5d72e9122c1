"""globus-streams oci: the lines that it prints, and bases that a runtime would understand otherwise."""

import json
import shlex

import pytest

from lab import CLI

EXAMPLE = "00000000-0000-4000-8000-000000000000"
ALLOW = {"names": ["connect", "open", "openat"], "action": "SCMP_ACT_ALLOW"}


@pytest.fixture
def lab(bare_lab):
    return bare_lab


def write_base(folder, **keys):
    path = folder / "base.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [ALLOW]} | keys))
    return path


@pytest.mark.parametrize("keys", [
    {"archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}]},
    {"syscalls": [ALLOW, {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}}]},
    {"syscalls": [ALLOW, {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["s390"]}}]}])
def test_what_crun_does_not_understand(lab, keys):
    """It would allow to all what is allowed under a condition. Podman and docker understand it."""
    base = write_base(lab.folder, **keys)
    crun = lab.start(CLI, "oci", "crun", "--base", base, EXAMPLE)
    assert crun.wait() == 1 and crun.out == ""
    assert f"{base} cannot be used with crun" in crun.err and "start the container with podman" in crun.err
    for runtime in ("podman", "docker"):
        assert f"--base {base}" in lab.start(CLI, "oci", runtime, "--base", base, EXAMPLE).ok()
    assert "jq " in lab.start(CLI, "oci", "crun", "--base", write_base(lab.folder), EXAMPLE).ok()


def test_a_long_path(lab):
    """What is printed is whole, and means the same to a shell."""
    base = "/it's/" + 5000 * "x"
    first = lab.start(CLI, "oci", "podman", "--base", base, "--socket", "/a b", EXAMPLE).ok().splitlines()[0]
    assert shlex.split(first) == ["globus-streams", "oci", "seccomp", "--base", base, "--socket", "/a b", EXAMPLE,
                                  ">", f"tunnel-{EXAMPLE[:8]}.json"]
