"""--help, the man pages and the completions say the same."""

import re
import subprocess

import pytest

from cli_program import PROGRAM, ROOT

MAN = ROOT / "man" / "globus-streams.1.scd"
ENVIRONMENT = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}


def output(*words):
    return subprocess.run([str(PROGRAM), *words], env=ENVIRONMENT, check=True, capture_output=True, text=True).stdout


def commands(*path):
    """Every command's words, groups before what is in them."""
    yield path
    text = output(*path, "--help")
    if "\nCommands:\n" in text:
        for name in re.findall(r"^  (\S+) ", text.split("\nCommands:\n")[1].split("\nOptions:\n")[0], re.M):
            yield from commands(*path, name)


def options(*path):
    text = output(*path, "--help").split("\nOptions:\n")[1]
    return set(re.findall(r"^  (?:-\w, |    )?--([a-z-]+)", text, re.M))


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
    assert len(lines) <= 40 and max(map(len, lines)) <= 80


def test_man_page_has_every_command_and_option_and_no_others():
    common = options()
    general = MAN.read_text().split("# OPTIONS\n")[1].split("# COMMANDS\n")[0]
    assert set(re.findall(r"\*--([a-z-]+)\*", general)) == common
    leaves = [path for path in ALL if not any(other[:-1] == path for other in ALL if other)]
    assert len(leaves) == 23
    for path in leaves:
        section = section_of(path)
        assert section, f"the man page lacks {' '.join(path)}"
        said = set(re.findall(r"\*--([a-z-]+)\*", section)) - {"format"}
        assert said == options(*path) - common, path


def test_completions_offer_what_help_shows():
    for path in ALL:
        offered = {line.split("\t")[0] for line in output("__complete", *path, "--").splitlines()}
        assert offered == {"--" + name for name in options(*path)}, path
        if path and path != ("environment",):
            parent = {line.split("\t")[0] for line in output("__complete", *path[:-1], path[-1][:2]).splitlines()}
            assert path[-1] in parent
    assert output("__complete", "tunnel", "show", "--format", "j") == "json\tfor programs\n"


def test_bash_completion(tmp_path):
    script = f"""PATH={PROGRAM.parent}:$PATH
. {ROOT}/contrib/completions/globus-streams.bash
COMP_WORDS=(globus-streams tunnel st) COMP_CWORD=2
_globus_streams globus-streams
printf '%s\\n' "${{COMPREPLY[@]}}" """
    assert subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout == "stop\n"
