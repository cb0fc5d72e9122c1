"""Jobs of Slurm: a real slurmctld and slurmd. The launcher stands in front of what a task runs."""

import os
import re
import signal

import pytest

from lab import need
from processes import wait_for
from users import open_for_all
from ways import FarSide, inside, is_not_redirected, nothing_left, script, talk


@pytest.fixture
def job(lab, cluster):
    """Starts a command of Slurm."""
    def start(name, *words, **options):
        return lab.start(need(name), *words, env=cluster.env | options.pop("env", {}), **options)
    return start


def batch(lab, *lines):
    path = lab.folder / "job"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    return path


def words(command):
    return " ".join(f"'{word}'" for word in command)


@pytest.mark.parametrize("tasks", [1, 8])
def test_srun(job, tunnel, tasks):
    """Each task has a launcher of its own."""
    far = FarSide(tunnel, tasks)
    here = job("srun", f"--ntasks={tasks}", *inside(tunnel, "/bin/sh", "-c", script(tunnel, "<$SLURM_PROCID>")))
    expected = [f"<{number}>" for number in range(tasks)]
    assert sorted(re.findall("<[0-9]+>", here.ok(60))) == sorted(expected)
    far.has_exactly(*expected)


def test_the_exit_status(job, tunnel):
    here = job("srun", *inside(tunnel, "/bin/sh", "-c", "exit 7"))
    assert here.wait() == 7
    here = job("srun", *inside(tunnel, "/bin/sh", "-c", "kill -KILL $$"))
    assert here.wait() == 128 + signal.SIGKILL, here


def test_sbatch(lab, job, tunnel):
    """In the script the launcher stands in front of a program, and in front of what srun starts."""
    far = FarSide(tunnel, 3)
    file = batch(lab, words(inside(tunnel, *talk(tunnel, "batch"))),
                 f"srun -n2 {words(inside(tunnel, *talk(tunnel, 'step')))}")
    job("sbatch", "--wait", "-n2", f"--output={lab.folder}/said", file).ok(60)
    assert (lab.folder / "said").read_text() == "batchstepstep"
    far.has_exactly("batch", "step", "step")


def test_array(lab, job, tunnel):
    far = FarSide(tunnel, 4)
    file = batch(lab, " ".join(f"'{word}'" for word in inside(tunnel)) + " " +
                 script(tunnel, "task-$SLURM_ARRAY_TASK_ID"))
    job("sbatch", "--wait", "--array=1-4", f"--output={lab.folder}/said-%a", file).ok(60)
    for number in range(1, 5):
        assert (lab.folder / f"said-{number}").read_text() == f"task-{number}"
    far.has_exactly(*(f"task-{number}" for number in range(1, 5)))


def test_salloc(job, tunnel):
    far = FarSide(tunnel, 2)
    here = job("salloc", "-n2", "srun", *inside(tunnel, *talk(tunnel, "text")))
    assert here.ok(60) == "texttext"
    far.has_exactly("text", "text")


def test_what_the_prolog_exports_is_kept(job, tunnel):
    far = FarSide(tunnel, 1)
    job("srun", *inside(tunnel, "/bin/sh", "-c", script(tunnel, "prolog:$FROM_PROLOG"))).ok(60)
    far.has_exactly("prolog:kept")


@pytest.mark.parametrize("command", ["exec sleep 1000", "trap '' TERM; while :; do sleep 1; done"],
                         ids=["ends", "ignores"])
@pytest.mark.parametrize("how", ["srun", "sbatch"])
def test_scancel(lab, job, tunnel, how, command):
    """The launcher and its command end, and what serves them."""
    pids = lab.folder / "pids"
    says = f'echo $$ $SLURM_JOB_ID >"{pids}.new" && mv "{pids}.new" "{pids}"'
    line = inside(tunnel, "/bin/sh", "-c", f"{says}; {command}")
    before = set(lab.left())
    if how == "srun":
        here = job("srun", *line)
    else:
        quoted = " ".join("'" + str(word).replace("'", "'\\''") + "'" for word in line)
        here = job("sbatch", "--wait", f"--output={lab.folder}/said", batch(lab, f"exec {quoted}"))
    wait_for("the job", pids.exists, timeout=60)
    pid, ident = pids.read_text().split()
    assert os.path.exists(f"/proc/{pid}") and {"gs-keeper", "gs-supervisor"} <= set(lab.left().values())
    job("scancel", ident).ok()
    here.wait(40)  # its status may be anything, as without a launcher
    nothing_left(lab, before)
    assert not os.path.exists(f"/proc/{pid}")


def test_around_srun(tunnel, cluster):
    """Slurm's daemon starts the task, not srun: what is loaded into it finds no launch, and says so."""
    far = FarSide(tunnel, 1)
    is_not_redirected(tunnel.call(need("srun"), *talk(tunnel, "text"), env=cluster.env), far)


USERS = {"daemon": 1, "nobody": 65534}


def give(tunnel, uid):
    for path in (tunnel.initiator, *tunnel.initiator.rglob("*")):
        os.chown(path, uid, uid)


def test_two_users_at_once(lab, cluster):
    """On one node, at the same time, each through a tunnel of its own."""
    open_for_all(cluster.folder)
    open_for_all(lab.folder)
    go, running = lab.folder / "go", []
    for name, uid in USERS.items():
        tunnel = lab.tunnel()
        give(tunnel, uid)
        far, folder = FarSide(tunnel, 2), lab.folder / name
        folder.mkdir()
        os.chown(folder, uid, uid)
        wait = f'touch "{folder}/ready"; until [ -e "{go}" ]; do sleep 0.05; done'
        line = f'{script(tunnel, f"{name}-1")} && {wait} && {script(tunnel, f"{name}-2")}'
        user = [need("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        here = lab.start(*user, need("srun"), *inside(tunnel, "/bin/sh", "-c", line), cwd=folder,
                         env=cluster.env | {"HOME": str(folder), "TMPDIR": str(folder)})
        running.append((name, far, here, folder / "ready"))
    for _, _, here, ready in running:
        wait_for("the first answer", lambda ready=ready, here=here: ready.exists() or not here.running(), timeout=60)
        assert here.running(), here
    go.touch()
    for name, far, here, _ in running:
        assert here.ok(60) == f"{name}-1{name}-2"
        far.has_exactly(f"{name}-1", f"{name}-2")
