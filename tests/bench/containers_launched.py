"""How long a container takes to start and end, with the agent and without."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from stats import MILLISECONDS, Row
from world import BUILD, PROGRAMS, Missing, Wrong, need, processes

import containers as real  # noqa: E402 - of the tests' fixtures, whose folder world knows

CLI, AGENT = BUILD / "cli/globus-streams", BUILD / "cli/globus-streams-oci-agent"
SUPERVISOR = BUILD / "supervisor/globus-streams-supervisor"


class Folder:
    """What stands for a test's lab."""

    def __init__(self, folder):
        self.folder = folder


def bundle(runtime, name, profile):
    folder = runtime.lab.folder / f"{name}-bundle"
    folder.mkdir()
    config = runtime.config(profile, ["/usr/bin/true"], 0)
    (folder / "config.json").write_text(json.dumps(config))
    return [need("crun"), "--root", runtime.lab.folder / "state", "--cgroup-manager=disabled", "run", "--bundle",
            folder, f"bench-{name}-{os.getpid()}"]


def launched_containers(world, rounds=30):
    if os.geteuid() != 0:
        raise Missing("only root may start these containers")
    need("crun")
    tunnel, folder = world.tunnel(), Path(tempfile.mkdtemp(dir=world.folder))
    daemon, agent = folder / "daemon", folder / "agent"
    world.background(SUPERVISOR, "--socket", daemon)
    world.background(AGENT, "--listen", agent, "--base-dir", tunnel.initiator, "--attach", daemon)
    processes.wait_for("the agent", lambda: daemon.exists() and agent.exists())
    text = subprocess.run([CLI, "oci", "seccomp", "--socket", agent, tunnel.id], capture_output=True,
                          check=True).stdout
    runtime = real.Runtime(Folder(folder), "crun", real.make_root(folder / "root"))
    profile = json.loads(text)
    plain = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": profile["architectures"]}
    command = [*real.ALONE, PROGRAMS / "bench-launch", rounds, *bundle(runtime, "agent", profile), "---",
               *bundle(runtime, "plain", plain)]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Wrong(f"bench-launch: {done.stderr}")
    a, b = ([[int(value)] for value in line.split()] for line in done.stdout.splitlines())
    yield Row("crun run … true, by the agent", "crun without it", MILLISECONDS, a, b,
              note="no goal: what the agent and the daemon add")
