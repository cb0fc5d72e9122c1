"""Where doctor finds itself: in which container or sandbox, and in which part of a job."""

import os
import re
import subprocess

import pytest

from broken_site import OFFLINE
from lab import BUILD, missing, need, need_user_namespace

JOB = {"SLURM_JOB_ID": "4711"}
NODE = JOB | {"SLURMD_NODENAME": "node17"}


def lines(cli, *wrapper, env=None):
    """Each check's line, by its name."""
    done = cli.run("doctor", env=env, wrapper=wrapper)
    return {match[2]: (match[1], match[3]) for match in re.finditer(r"^(\w+) +(.*?): (.*)", done.out, re.M)}


def sandbox(folder, *options):
    """A root of its own, in which nothing of the machine says what the machine is."""
    words = [need("bwrap"), "--unshare-user", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib",
             "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--dev", "/dev", "--proc", "/proc",
             "--bind", folder, folder, "--ro-bind", BUILD, BUILD, *options]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        missing("bubblewrap that works here")
    return words


@pytest.mark.parametrize("variable, name", [("container=lxc", "lxc"), ("APPTAINER_CONTAINER=/a.sif", "Apptainer"),
                                            ("SINGULARITY_CONTAINER=/a.sif", "Singularity"),
                                            ("CH_RUNNING=Weird Al Yankovic", "Charliecloud"),
                                            ("KUBERNETES_SERVICE_HOST=10.0.0.1", "Kubernetes")])
def test_runtimes_that_set_a_variable(cli, variable, name):
    verdict, said = lines(cli, env=dict([variable.split("=")]))["container"]
    assert verdict == "ok" and f"in a container ({name})" in said and "start globus-streams-run in it" in said


@pytest.mark.parametrize("options, says", [
    (["--unshare-pid"], "in a container (bwrap)"),
    (["--unshare-uts", "--ro-bind", "/dev/null", "/run/.containerenv"], "in a container (podman)"),
    (["--unshare-uts", "--ro-bind", "/dev/null", "/.dockerenv"], "in a container (docker)"),
    ([], "in a user namespace of its own"),
], ids=["process", "podman", "docker", "nothing"])
def test_what_else_tells_a_runtime(cli, options, says):
    verdict, said = lines(cli, *sandbox(cli.home, *options))["container"]
    assert verdict == "ok" and says in said, said


def test_a_runtime_that_leaves_nothing(cli):
    words = [*sandbox(cli.home), need("unshare"), "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no pid namespace can be made in a sandbox here")
    verdict, said = lines(cli, *words)["container"]
    assert verdict == "ok" and "process ids of its own" in said, said


def test_a_network_of_its_own(cli):
    """Whose process 1 is in it too, as in a container, and which has an interface."""
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 18):
        pytest.skip("before Linux 6.18 nothing tells it from the machine's")
    words = need_user_namespace("--map-root-user", "--net", "--pid", "--fork", "--mount-proc")
    script = f"{need('ip')} link add here type veth peer name there && exec \"$@\""
    if subprocess.run([*words, "sh", "-c", script, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no interface can be made here")
    verdict, said = lines(cli, *words, "sh", "-c", script, "sh", env=OFFLINE)["network"]
    assert verdict == "warning" and "in a network namespace of its own" in said and "--network host" in said, said


@pytest.mark.parametrize("env, words", [
    (JOB, ["beside job 4711, not on its nodes", "srun globus-streams-run TUNNEL"]),
    (NODE, ["in the script of job 4711 on node node17", "srun globus-streams-run TUNNEL", "before the job"]),
    (NODE | {"SLURM_STEP_ID": "0"}, ["in a step of job 4711 on node node17", "before the job"]),
], ids=["salloc", "script", "step"])
def test_in_a_job(cli, env, words):
    verdict, said = lines(cli, env=env)["Slurm"]
    assert verdict == "ok"
    for word in words:
        assert word in said


def test_in_no_job(cli):
    assert "Slurm" not in lines(cli, env=dict.fromkeys(NODE))
