"""--help, the man pages and the completions say the same."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import lab
from cli_program import PROGRAM, ROOT

MAN = ROOT / "man" / "globus-streams.1.scd"
PATH = ":".join(str(program.parent) for program in (PROGRAM, lab.RUN, lab.SUPERVISOR, lab.GATEWAY))
ENVIRONMENT = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}


def output(*words):
    return subprocess.run([str(PROGRAM), *words], env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def commands(*path):
    """Every command's words, groups before what is in them."""
    yield path
    text = output(*path, "--help")
    if "\nCommands:\n" in text:
        listed = re.split(r"\n(?:Options|Common options):", text.split("\nCommands:\n")[1])[0]
        for name in re.findall(r"^  (\S+) ", listed, re.M):
            yield from commands(*path, name)


def options(*path):
    """Those of a command; with no words, the common ones, which commands show in short."""
    text = output(*path, "--help").partition("\nOptions:\n")[2].split("\nCommon options:")[0]
    return {name for head in re.findall(r"^  (?:-\w, |    )?(--[a-z-]+(?:, --[a-z-]+)*)", text, re.M)
            for name in re.findall(r"--([a-z-]+)", head)}


def test_common_options_are_in_every_help():
    assert options() >= {"format", "jq", "jmespath", "map-http-status", "quiet", "verbose", "debug", "help"}
    names = re.findall(r"^  (?:(-\w),|    (--[a-z-]+))", output("--help").split("\nOptions:\n")[1], re.M)
    short = f"Common options: {', '.join(letter or name for letter, name in names)}; see globus-streams --help"
    assert len(names) >= 8
    for path in ALL:
        assert not path or " ".join(output(*path, "--help").split()).endswith(short), path


def compatibility():
    """(command, options and words, whether taken) of the man page's table."""
    table = MAN.read_text().split("# COMPATIBILITY\n")[1].split("\n# ")[0]
    for row in table.split("\n|  ")[1:]:
        command, words, here = re.split(r"\n:  ", row.split("\n\n")[0])
        yield command, words, here.startswith("taken")


@pytest.mark.parametrize("command, words, taken", compatibility())
def test_the_table_of_compatibility_is_true(command, words, taken):
    path = tuple(command.split()) if command not in ("all", "environment variables") else ()
    if path != ("session",):
        assert path in ALL, path
        known = options(*path) | options()
        assert all((name in known) == taken for name in re.findall(r"--([a-z-]+)", words)), (command, words)
        if taken and "TUNNEL_ID" in words:
            assert "TUNNEL_ID" in output(*path, "--help").splitlines()[0]


ALL = list(commands())


def section_of(path):
    """The part of the man page about a command."""
    name = " ".join(path)
    for part in re.split(r"^## ", MAN.read_text(), flags=re.M)[1:]:
        head = part.splitlines()[0]
        if re.search(rf"(^|, ){re.escape(name)}( |,|$)", head):
            return re.split(r"^# ", part, flags=re.M)[0]
    return None


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_fits_a_screen(path):
    lines = output(*path, "--help").splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80


def test_help_of_the_launcher_fits_a_screen():
    run = [str(PROGRAM.with_name("globus-streams-run")), "--help"]
    lines = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 82


def test_man_page_has_every_command_and_option_and_no_others():
    common = options()
    general = MAN.read_text().split("# OPTIONS\n")[1].split("# COMMANDS\n")[0]
    assert set(re.findall(r"\*--([a-z-]+)\*", general)) == common
    leaves = [path for path in ALL if not any(other[:-1] == path for other in ALL if other)]
    assert len(leaves) == 31
    for path in leaves:
        section = section_of(path)
        assert section, f"the man page lacks {' '.join(path)}"
        said = set(re.findall(r"\*--([a-z-]+)\*", section)) - {"format"}
        assert said == options(*path), path


def test_completions_offer_what_help_shows():
    for path in ALL:
        offered = {line.split("\t")[0] for line in output("__complete", *path, "--").splitlines()}
        assert offered == {"--" + name for name in options(*path) | options()}, path
        if path and path != ("environment",):
            parent = {line.split("\t")[0] for line in output("__complete", *path[:-1], path[-1][:2]).splitlines()}
            assert path[-1] in parent
    assert output("__complete", "tunnel", "show", "--format", "j") == "json\tfor programs\n"


class Shell:
    """A shell on a terminal, in which keys are pressed."""

    def __init__(self, home, setup, *command, **more):
        environment = {"PATH": f"{PATH}:{os.environ['PATH']}", "HOME": str(home), "TERM": "xterm",
                       "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null", "PS1": "> ", "COLUMNS": "200", **more}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
            os.execvpe(command[0], command, environment)
        self.press(setup + "; echo rea''dy\n", "ready")

    def press(self, keys, expected):
        """Until the screen has what is expected, a regular expression, after the keys."""
        os.write(self.fd, keys.encode())
        text, deadline = "", time.monotonic() + 20
        while not re.search(expected, text):
            assert time.monotonic() < deadline and select.select([self.fd], [], [], 20)[0], (keys, text)
            text += os.read(self.fd, 4096).decode()
            text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|[\0\x08]", "", text)
        return text

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


SHELLS = {
    "bash": (f"bind 'set show-all-if-ambiguous on'; for file in {ROOT}/contrib/completions/*.bash; do . $file; done",
             "bash", "--norc", "--noprofile", "-i"),
    "zsh": (f"fpath=({ROOT}/contrib/completions $fpath); autoload -U compinit; compinit -u -D", "zsh", "-f", "-i"),
}


@pytest.mark.parametrize("name", SHELLS)
def test_completion_by_the_tab_key(tmp_path, name):
    lab.need(name)
    base = tmp_path / ".globus" / "streams"
    tunnel = lab.write_conf(base, fake_port=1000)
    shell = Shell(tmp_path, *SHELLS[name])
    try:
        shell.press("globus-streams tunnel sto\t", r"stop ")
        shell.press("--wa\t", r"--wait ")
        shell.press(f"{tunnel[:4]}\t", tunnel)
        listed = shell.press("\x15globus-streams environment \t", "(?s)(?=.*contact-lookup)(?=.*update)(?=.*show)")
        assert "initialize" in listed
        shell.press("\x15globus-streams --format=j\t", "json ")
        shell.press("tun\t", "tunnel ")
        other = tmp_path / "other"
        elsewhere = lab.write_conf(other, fake_port=1000)
        shell.press(f"\x15globus-streams environment show --base-dir {other} {elsewhere[:4]}\t", elsewhere)
        shell.press(f"\x15globus-streams-run {tunnel[:4]}\t", tunnel)
        shell.press("\x15globus-streams-run --allow-i\t", "--allow-io-uring ")
        shell.press("\x15globus-streams-supervisor --soc\t", "--socket ")
        shell.press("\x15globus-streams-gateway --new\t", "--new-ports ")
    finally:
        shell.end()


def test_fish_completion(tmp_path):
    lab.need("fish")
    tunnel = lab.write_conf(tmp_path / ".globus" / "streams", fake_port=1000)

    def complete(line):
        script = f"for file in {ROOT}/contrib/completions/*.fish; source $file; end; complete -C '{line}'"
        environment = {"HOME": str(tmp_path), "PATH": f"{PATH}:/usr/bin:/bin", "TERM": "vt100"}
        done = subprocess.run(["fish", "--no-config", "-c", script], env=environment, capture_output=True, text=True,
                              check=True)
        return {line.split("\t")[0]: line.partition("\t")[2] for line in done.stdout.splitlines()}

    assert complete("globus-streams tunnel sto") == {"stop": "stop a tunnel; its record is kept until you delete it"}
    assert {"create", "list", "events"} <= set(complete("globus-streams tunnel "))
    assert "--wait" in complete("globus-streams tunnel stop --w")
    assert complete("globus-streams tunnel show ") == {tunnel: "a tunnel"}
    assert complete("globus-streams --format j") == {"json": "for programs"}
    assert complete("globus-streams --format=j") == {"--format=json": "for programs"}
    assert complete("globus-streams-run ") == {tunnel: "a tunnel"}
    for launcher in ("run", "launch", "launch.sh"):
        assert {"--attach", "--hosts"} <= set(complete(f"globus-streams-{launcher} --"))
    assert complete("globus-streams-launch ") == {tunnel: "a tunnel"}
    assert {"--socket", "--limit"} <= set(complete("globus-streams-supervisor --"))
    assert {"--new-ports", "--state"} <= set(complete("globus-streams-gateway --"))


def test_bash_completion(tmp_path):
    script = f"""PATH={PROGRAM.parent}:$PATH
. {ROOT}/contrib/completions/globus-streams.bash
COMP_WORDS=(globus-streams tunnel st) COMP_CWORD=2
_globus_streams globus-streams
printf '%s\\n' "${{COMPREPLY[@]}}" """
    assert subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout == "stop\n"
