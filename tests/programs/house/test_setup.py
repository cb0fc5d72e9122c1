"""setup.sh of the tarball for users without root: in a tree as the tarball has it, of the programs that were built."""

import copy
import os
import platform
import re
import shutil
import socket
import subprocess

import pytest

from lab import BUILD, CLI, PATH, PYTHON, RUN, SHIM, SOURCE, SUPERVISOR, need, need_user_namespace

CONTRIB = SOURCE.parents[1] / "contrib"
UNITS = ["globus-streams-supervisor.service", "globus-streams-supervisor.socket"]


class Tree:
    def __init__(self, folder, home):
        self.folder, self.home = folder, home
        self.home.mkdir(mode=0o700)
        self.env = {"HOME": str(home), "PATH": PATH, "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(home / "run")}
        for program in (CLI, RUN, SUPERVISOR):
            self.put(program, "bin")
        self.put(SHIM, "shim")
        self.put(BUILD / "contrib/systemd" / UNITS[0], "lib/systemd/user")
        self.put(CONTRIB / "systemd" / UNITS[1], "lib/systemd/user")
        self.put(CONTRIB / "completions/globus-streams.bash", "share/bash-completion/completions")
        self.put(CONTRIB / "completions/_globus-streams", "share/zsh/site-functions")
        self.put(CONTRIB / "packaging/userspace/setup.sh", ".")

    def put(self, file, folder):
        (self.folder / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, self.folder / folder)

    def setup(self, *words, shell=(), wrapper=()):
        return subprocess.run([*wrapper, *shell, self.folder / "setup.sh", *words], env=self.env, text=True,
                              capture_output=True, timeout=60, check=False)

    def ready(self, **how):
        done = self.setup(**how)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def refused(self, *parts, **how):
        done = self.setup(**how)
        assert (done.returncode, done.stdout) == (1, ""), done
        assert done.stderr.startswith("setup.sh: ") and all(part in done.stderr for part in parts), done
        assert not (self.folder / "globus-streams-env").exists()
        return done.stderr

    def source(self, shell, then, times=1):
        line = f". {self.folder}/globus-streams-env; " * times + then
        done = subprocess.run([*shell, "-c", line], env=self.env, text=True, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout

    def copy(self, name):
        """Another copy, in use by the same user."""
        other = copy.copy(self)
        other.folder = self.folder.with_name(name)
        shutil.copytree(self.folder, other.folder)
        return other

    def unit(self):
        return self.home / ".local/share/systemd/user" / UNITS[0]

    def said(self, *words, status=0, **how):
        """The lines of setup.sh itself: systemctl complains too, since no manager answers it."""
        done = self.setup(*words, **how)
        assert done.returncode == status, done
        assert all(line.startswith(("setup.sh: ", "Failed to ")) for line in done.stderr.splitlines()), done
        return [line for line in done.stderr.splitlines() if line.startswith("setup.sh: ")]

    def files(self):
        return {str(p): p.is_file() and p.read_bytes() for top in (self.folder, self.home) for p in top.rglob("*")}


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path / "globus-streams", tmp_path / "home")


@pytest.fixture
def manager(tree):
    """The socket of a user's systemd. Nobody answers there."""
    (tree.home / "run/systemd").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as private:
        private.bind(str(tree.home / "run/systemd/private"))
        need("systemctl")
        yield


SHELLS = {"dash": ["dash"], "sh": ["sh"], "bash": ["bash"], "posix bash": ["bash", "--posix"], "zsh": ["zsh", "-f"],
          "careful": ["bash", "-eu"], "busybox": ["busybox", "sh"]}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell(tree, shell):
    words = [need(SHELLS[shell][0]), *SHELLS[shell][1:]]
    said = tree.ready(shell=words if shell in ("dash", "bash", "busybox") else ())
    assert f"source {tree.folder}/globus-streams-env" in said
    then = "command -v globus-streams; globus-streams-run --version; echo $PATH; echo $MANPATH; env"
    once, twice = tree.source(words, then), tree.source(words, then, times=2)
    lines = once.splitlines()
    assert lines[0] == f"{tree.folder}/bin/globus-streams" and lines[1].startswith("globus-streams-run ")
    assert lines[2] == f"{tree.folder}/bin:{PATH}" and lines[3] == f"{tree.folder}/share/man:"
    assert twice.splitlines()[:4] == lines[:4]
    assert not re.search(r"^LD_|^GLOBUS", once, re.M)  # nothing that changes what programs load


def test_csh_is_told(tree):
    words = [need("tcsh"), "-f"]
    tree.ready()
    done = subprocess.run([*words, "-c", f"source {tree.folder}/globus-streams-env"], env=tree.env, text=True,
                          capture_output=True, timeout=60, check=False)
    assert "is not for csh" in done.stdout and f"set path = ( {tree.folder}/bin $path )" in done.stdout


def test_completions(tree):
    tree.ready()
    words = [need("bash"), "--norc", "-i", "-c", f". {tree.folder}/globus-streams-env; complete -p globus-streams "
             "globus-streams-launch.sh"]
    bash = subprocess.run(words, env=tree.env, text=True, capture_output=True, timeout=60, check=False).stdout
    assert "_globus_streams " in bash and "_globus_streams_run " in bash
    zsh = tree.source([need("zsh"), "-f"], "echo $fpath[1] $#fpath", times=2)
    assert zsh.split()[0] == f"{tree.folder}/share/zsh/site-functions"
    assert zsh == tree.source([need("zsh"), "-f"], "echo $fpath[1] $#fpath")
    words = [need("zsh"), "-f", "-c", f"autoload -Uz compinit; compinit -D; . {tree.folder}/globus-streams-env; "
             "echo $_comps[globus-streams] $_comps[globus-streams-launch.sh]"]
    assert subprocess.run(words, env=tree.env, text=True, capture_output=True, check=False).stdout == \
        "_globus-streams _globus-streams\n"


def test_twice_is_once_and_remove_is_never(tree, manager):
    before = tree.files()
    tree.setup()
    once = tree.files()
    tree.setup()
    assert tree.files() == once
    assert set(once) - set(before) == {str(tree.folder / "globus-streams-env")} | {
        str(tree.home / ".local" / rest) for rest in
        ["", "share", "share/systemd", "share/systemd/user", *("share/systemd/user/" + unit for unit in UNITS)]}
    assert tree.setup("--remove").returncode == 0
    assert tree.files() == before
    assert tree.setup("--remove").returncode == 0


def test_units(tree, manager):
    tree.env["XDG_DATA_HOME"] = str(tree.home / "data")
    tree.setup()
    folder = tree.home / "data/systemd/user"
    text = (folder / UNITS[0]).read_text()
    assert f"ExecStart={tree.folder}/bin/globus-streams-supervisor\n" in text
    assert f"ExecReload={tree.folder}/bin/globus-streams supervisor reload" in text
    done = subprocess.run([need("systemd-analyze"), "verify", "--user", "--man=no", *(folder / unit for unit in UNITS)],
                          env=tree.env, text=True, capture_output=True, check=False)
    assert str(tree.folder) not in done.stderr, done


def test_units_of_another_folder_are_left(tree, manager):
    other = tree.copy("another")
    other.setup()
    before = tree.unit().read_bytes()
    lines = tree.said("--remove")
    assert len(lines) == 1 and f"{other.folder}/bin/globus-streams-supervisor, not of this folder" in lines[0], lines
    assert tree.unit().read_bytes() == before
    assert other.said("--remove") == [] and not tree.unit().exists()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("before, after", [("link", ""), ("", "link"), ("slashes", ""), ("", "slashes"),
                                           ("moved", "")])
def test_units_are_removed_by_another_spelling(tree, manager, shell, before, after):
    places = {"": tree.folder, "link": tree.folder.with_name("link"), "slashes": f"/{tree.folder}",
              "moved": tree.folder.with_name("moved")}
    places["link"].symlink_to(tree.folder)
    if before == "moved":
        tree.folder.rename(places["moved"])
    words = [need(SHELLS[shell][0]), *SHELLS[shell][1:]]
    subprocess.run([*words, f"{places[before]}/setup.sh"], env=tree.env, capture_output=True, check=False)
    assert tree.unit().exists()
    if before == "moved":
        places["moved"].rename(tree.folder)
    done = subprocess.run([*words, f"{places[after]}/setup.sh", "--remove"], env=tree.env, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, "setup.sh: " in done.stderr) == (0, False), done
    assert not (tree.home / ".local").exists()


def test_units_of_another_copy_are_replaced(tree, manager):
    other = tree.copy("another")
    other.setup()
    lines = tree.said()
    assert len(lines) == 1 and f"started {other.folder}/bin/globus-streams-supervisor, are now" in lines[0], lines
    assert f"ExecStart={tree.folder}/bin/" in tree.unit().read_text()
    assert tree.said() == []


@pytest.mark.parametrize("line", ["ExecStart=/bin/sh -c true", 'ExecStart=-"/bin/sh" -c true', "ExecStart=/no/such",
                                  ""])
def test_a_unit_of_the_user_is_left(tree, manager, line):
    tree.unit().parent.mkdir(parents=True)
    tree.unit().write_text(f"[Service]\n{line}\n")
    before = tree.files()
    started = line.split("=")[-1].strip("-").split()[0].strip('"') if line else "another program"
    lines = tree.said()
    assert len(lines) == 1 and f"{tree.unit()} starts {started}, and is left" in lines[0], lines
    lines = tree.said("--remove")
    assert len(lines) == 1 and f"start {started}, not of this folder, and are left" in lines[0], lines
    assert tree.files() == before


@pytest.mark.parametrize("home", [None, ""])
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_without_a_home_there_are_no_units(tree, manager, shell, home):
    words = [need(SHELLS[shell][0]), *SHELLS[shell][1:]]
    before = tree.files()
    tree.env.pop("HOME") if home is None else tree.env.update(HOME=home)
    lines = tree.said(shell=words)
    assert len(lines) == 1 and "HOME is not set, so that no systemd units are written" in lines[0], lines
    assert set(tree.files()) - set(before) == {str(tree.folder / "globus-streams-env")}
    lines = tree.said("--remove", shell=words)
    assert len(lines) == 1 and "HOME is not set" in lines[0], lines
    assert tree.files() == before


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_a_home_that_cannot_be_written_to(tree, manager, shell):
    """The rest is done, doctor's check too."""
    words = [*without_capabilities(), need(SHELLS[shell][0]), *SHELLS[shell][1:]]
    (tree.folder / "shim/libglobus_streams_shim.so").write_bytes(b"no library")
    tree.home.chmod(0o555)
    lines = tree.said(status=1, shell=words)
    assert len(lines) == 3 and "the systemd units cannot be written (mkdir: " in lines[0], lines
    assert lines[1].startswith("setup.sh: shim: ") and (tree.folder / "globus-streams-env").exists(), lines
    tree.home.chmod(0o755)


def test_the_manager_is_found_where_systemd_puts_it(tree):
    """In a shell without XDG_RUNTIME_DIR (su, cron), systemctl has to reach it too."""
    need("systemctl")
    del tree.env["XDG_RUNTIME_DIR"]
    line = "mount -t tmpfs none /run && mkdir -p /run/user/0/systemd && cd /run/user/0 && " \
        "\"$1\" -c \"$2\" systemd/private bus && exec \"$3\""
    bind = "import socket, sys; [socket.socket(socket.AF_UNIX).bind(name) for name in sys.argv[1:]]"
    wrapper = [*need_user_namespace("--map-root-user", "--mount"), "sh", "-c", line, "sh", PYTHON, bind]
    done = tree.setup(wrapper=wrapper)
    assert done.returncode == 0 and tree.unit().exists(), done
    assert done.stderr == "Failed to connect to bus: Connection refused\n", done


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_through_a_link_to_setup_itself(tree, shell):
    link = tree.home / "set-up-streams"
    link.symlink_to("../globus-streams/setup.sh")
    done = subprocess.run([need(SHELLS[shell][0]), *SHELLS[shell][1:], link], env=tree.env, capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and (tree.folder / "globus-streams-env").exists(), done


@pytest.mark.parametrize("shell", SHELLS)
def test_the_copy_sourced_last_is_first(tree, shell):
    words = [need(SHELLS[shell][0]), *SHELLS[shell][1:]]
    other = tree.copy("another")
    tree.ready()
    other.ready()
    one, two = tree.folder, other.folder
    then = f". {two}/globus-streams-env; . {one}/globus-streams-env; echo $PATH; echo $MANPATH; " \
        f". {two}/globus-streams-env; echo $PATH; echo $MANPATH; set | grep -c ^globus_streams_list || true"
    assert tree.source(words, then).splitlines() == [
        f"{one}/bin:{two}/bin:{PATH}", f"{one}/share/man:{two}/share/man:",
        f"{two}/bin:{one}/bin:{PATH}", f"{two}/share/man:{one}/share/man:", "0"]
    for path, after in ((f":{two}/bin:{PATH}::{one}/bin", f":{two}/bin:{PATH}:"), (f"{PATH}:{one}/bin:", f"{PATH}:")):
        tree.env["PATH"] = path  # empty words stay
        assert tree.source(words, "echo $PATH") == f"{one}/bin:{after}\n"



def test_without_systemd_there_are_no_units(tree):
    tree.ready()
    assert list(tree.home.iterdir()) == []


def test_a_folder_that_was_moved(tree, manager):
    tree.setup()
    tree.folder = tree.folder.rename(tree.folder.with_name("moved"))
    tree.setup()
    assert tree.source(["sh"], "command -v globus-streams").strip() == f"{tree.folder}/bin/globus-streams"
    assert str(tree.folder) in (tree.home / ".local/share/systemd/user" / UNITS[0]).read_text()


@pytest.mark.parametrize("name", ["a blank", "a:colon", "a'quote", "a$dollar", "100%", "a\\b", "a[b]", "a,comma",
                                  "new\nline"])
def test_odd_paths(tree, name):
    tree.folder = tree.folder.rename(tree.folder.with_name(name))
    tree.refused("a blank, a colon or another special character", "move it to a folder without")
    assert tree.setup("--remove").returncode == 0


def test_readme_asks_for_the_kernel_that_doctor_asks_for():
    doctor = (CONTRIB.parent / "cli/doctor/doctor_machine.c").read_text()
    kernels = set(re.findall(r"use Linux (\S+) or newer", doctor))
    assert set(re.findall(r"Linux (\d\S+)", (CONTRIB / "packaging/userspace/README").read_text())) == kernels


def test_usage(tree):
    for words in (["--bogus"], ["--remove", "x"], [""]):
        done = tree.setup(*words)
        assert done.returncode == 2 and done.stderr == "usage: setup.sh [--remove]\n", words


def test_another_machines_programs(tree):
    program = tree.folder / "bin/globus-streams"
    content = bytearray(program.read_bytes())
    content[18] = 0xb7 if platform.machine() == "x86_64" else 0x3e
    program.write_bytes(content)
    tree.refused("these programs are for", f"this machine is {platform.machine()}; take the file for")


def test_programs_that_may_not_be_run(tree):
    line = "mount -t tmpfs -o noexec none \"$1\" && cp -r \"$2\" \"$1/there\" && exec sh \"$1/there/setup.sh\""
    place = tree.home / "noexec"
    place.mkdir()
    wrapper = [*need_user_namespace("--map-root-user", "--mount"), "sh", "-c", line, "sh", place, tree.folder]
    tree.refused("noexec", "unpack in a folder", wrapper=wrapper)


def test_a_program_that_does_not_start(tree):
    (tree.folder / "bin/globus-streams-run").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    tree.refused("does not start: broken")


@pytest.mark.parametrize("name", ["globus-streams", "globus-streams-run", "globus-streams-supervisor"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_program_that_is_missing(tree, name, how):
    (tree.folder / "bin" / name).unlink()
    if how == "empty":
        (tree.folder / "bin" / name).touch(mode=0o755)
    said = tree.refused(f"incomplete here: bin/{name} is missing or empty; unpack it again")
    assert len(said.splitlines()) == 1


def test_a_program_that_is_damaged(tree):
    (tree.folder / "bin/globus-streams").write_text("no program\n")
    assert len(tree.refused("bin/globus-streams is damaged; unpack the tarball again").splitlines()) == 1


def test_a_library_that_is_missing(tree):
    program = tree.folder / "bin/globus-streams"
    program.write_bytes(program.read_bytes().replace(b"libcjson.so.1\0", b"libcjson.so.?\0"))
    tree.refused("a library in lib is missing or damaged (libcjson.so.?: ", "; unpack the tarball again")


def without_capabilities():
    """In front of a command that may be root's: file modes hold for it too."""
    return [need("setpriv"), "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def test_a_folder_of_others(tree):
    tree.folder.chmod(0o555)
    tree.refused("cannot be written to", wrapper=without_capabilities())
    tree.folder.chmod(0o755)


def test_what_doctor_finds(tree):
    """Its failures, one a line; what is written is the same, since another machine may share the folder."""
    (tree.folder / "shim/libglobus_streams_shim.so").write_bytes(b"no library")
    done = tree.setup()
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith("setup.sh: shim: ") and "on this machine" in lines[1], done
    assert (tree.folder / "globus-streams-env").exists()
