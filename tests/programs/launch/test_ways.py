"""Ways of running a command that need nothing but the machine: globus-streams-containers(7) has a row for each. Those
that need more are in containers/."""

import shutil

import pytest

from lab import LOOPBACK, PROGRAMS, missing, need, need_user_namespace, one_warning
from processes import wait_for
from ways import TALK, FarSide, inside, nothing_left, script, talk

BOTH = {"nohup": ["nohup"], "setsid": ["setsid", "--wait"]}


@pytest.mark.parametrize("where", ["outside", "inside"])
@pytest.mark.parametrize("how", BOTH)
def test_one_in_front_of_the_other(lab, tunnel, how, where):
    far = FarSide(tunnel, 1)
    words = [need(BOTH[how][0]), *BOTH[how][1:]]
    here = (lab.start(*words, *inside(tunnel, *talk(tunnel, "text"))) if where == "inside" else
            tunnel.call(*words, *talk(tunnel, "text")))
    assert here.ok() == "text"
    far.has_exactly("text")


def test_setsid_that_does_not_wait(lab, tunnel):
    """What the command has left behind is still served."""
    far = FarSide(tunnel, 1)
    go = lab.folder / "go"
    tunnel.call(need("setsid"), "--fork", "/bin/sh", "-c",
                f'until [ -e "{go}" ]; do sleep 0.05; done; {script(tunnel, "left")}').ok()
    go.touch()
    far.has_exactly("left")
    nothing_left(lab)


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_xargs(lab, tunnel, where):
    """Four at a time."""
    far, texts = FarSide(tunnel, 8), [str(number) for number in range(8)]
    xargs, line = [need("xargs"), "-P4", "-n1"], talk(tunnel, "")[:-1]
    words = [*xargs, *inside(tunnel, *line)] if where == "inside" else inside(tunnel, *xargs, *line)
    assert sorted(lab.start(*words, stdin="\n".join(texts)).ok()) == texts
    far.has_exactly(*texts)


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_make(lab, tunnel, where):
    far, texts, names = FarSide(tunnel, 4), ["a", "b", "c", "d"], "a b c d"
    launcher = " ".join(f"'{word}'" for word in inside(tunnel)) if where == "inside" else ""
    (lab.folder / "Makefile").write_text(f"all: {names}\n{names}:\n\t@{launcher} {script(tunnel, '$@')}\n")
    words = [need("make"), "-j4", "-C", lab.folder, "--no-print-directory"]
    here = lab.start(*words) if where == "inside" else tunnel.call(*words)
    assert sorted(here.ok()) == texts
    far.has_exactly(*texts)


def test_as_cron_does(lab, tunnel):
    """A line for /bin/sh, hardly any environment, no terminal, a session of its own."""
    far = FarSide(tunnel, 1)
    line = " ".join(f"'{word}'" for word in inside(tunnel)) + " " + script(tunnel, "cron")
    here = lab.start(need("setsid"), "--wait", "env", "-i", f"HOME={lab.home}", "PATH=/usr/bin:/bin", "SHELL=/bin/sh",
                     "LOGNAME=somebody", "/bin/sh", "-c", line)
    assert here.ok() == "cron" and here.err == ""
    far.has_exactly("cron")


@pytest.fixture
def root(lab):
    """A folder with static programs, and nothing of the tool."""
    folder = lab.folder / "root"
    (folder / "etc").mkdir(parents=True)
    for name in ("talk-static", "talk-go"):
        if (PROGRAMS / name).exists():
            shutil.copy(PROGRAMS / name, folder / name)
    (folder / "etc/hosts").write_text(f"{LOOPBACK} localhost\n")
    return folder


@pytest.mark.parametrize("program", ["talk-static", "talk-go"])
def test_chroot(tunnel, root, program):
    """By the tunnel's name, in a root that has neither the shim nor the conf; nobody has to say --hosts."""
    chroot = [*need_user_namespace(), need("chroot")]
    need(root / program)
    far = FarSide(tunnel, 1)
    here = tunnel.call(*chroot, root, f"/{program}", *talk(tunnel, "text")[1:])
    assert here.ok() == "text"
    far.has_exactly("text")


BOX = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--ro-bind",
       PROGRAMS, "/programs", "--dev", "/dev", "--proc", "/proc"]


@pytest.mark.parametrize("wrapper", ["unshare", "setpriv", "mpirun"])
def test_box_in_a_wrapper(lab, tunnel, wrapper):
    """A dynamic program in a root without the shim: that the wrapped command needs --hosts is seen."""
    words = [need("bwrap"), *BOX]
    if lab.start(*words, "/programs/talk-static", "resolve", LOOPBACK, 80).wait():
        missing("bubblewrap that works here")
    wrapped = need_user_namespace("-r", "-m") if wrapper == "unshare" else [need("setpriv"), "--no-new-privs"]
    if wrapper == "mpirun":  # a stand-in: all that counts is its name
        wrapped = [lab.folder / wrapper, "-n", "1"]
        wrapped[0].write_text('#!/bin/sh\nshift 2; exec "$@"\n')
        wrapped[0].chmod(0o755)
    far = FarSide(tunnel, 1)
    here = tunnel.call(*wrapped, *words, "/programs/talk", *talk(tunnel, "text")[1:])
    assert (here.ok(), here.err) == ("text", "")
    far.has_exactly("text")


def test_inside_a_box(lab, tunnel):
    """The launcher in the container, in front of the program."""
    words = [need("bwrap"), "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", lab.folder,
             lab.folder]
    if lab.start(*words, "true").wait():
        missing("bubblewrap that works here")
    far = FarSide(tunnel, 1)
    here = lab.start(*words, *inside(tunnel, *talk(tunnel, "text")))
    assert (here.ok(), here.err) == ("text", "")
    far.has_exactly("text")


def test_unshare_user(tunnel):
    """Another user namespace, and a root there that is none here."""
    far = FarSide(tunnel, 1)
    assert tunnel.call(*need_user_namespace("-r", "-m"), *talk(tunnel, "text")).ok() == "text"
    far.has_exactly("text")


def test_network_namespace(tunnel):
    """Of its own: refused with a line, by name and by address; nothing leaves."""
    far = FarSide(tunnel, 1)
    address = tunnel.call(TALK, "resolve", tunnel.name, tunnel.fake_port).ok().strip()
    for host in (tunnel.name, address):
        here = tunnel.call(*need_user_namespace("-r", "-n"), TALK, "call", host, tunnel.fake_port, "text")
        assert here.wait() == 1 and "Network is unreachable" in here.err, here
        one_warning(here, "network namespace")
    assert far.texts() == [] and far.program.running()


def test_a_service_that_daemonizes(lab, tunnel):
    """sh -c 'command &': the launcher returns, the command goes on, and its supervisor with it."""
    far, go = FarSide(tunnel, 1), lab.folder / "go"
    line = f'(until [ -e "{go}" ]; do sleep 0.05; done; exec {script(tunnel, "late")}) >"{lab.folder}/said" 2>&1 &'
    tunnel.call("/bin/sh", "-c", line).ok()
    assert lab.left()
    go.touch()
    far.has_exactly("late")
    wait_for("its answer", lambda: (lab.folder / "said").read_text() == "late")
    nothing_left(lab)
