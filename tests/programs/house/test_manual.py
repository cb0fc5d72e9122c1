"""Every option that --help names stands in the manual page, and the other way round."""

import re
from pathlib import Path

import pytest

from lab import GATEWAY, RUN, SUPERVISOR

PAGES = Path(__file__).resolve().parents[3] / "man"


def options_of_help(text):
    return {word for line in text.splitlines() if line.startswith("  ")
            for word in re.findall(r"(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z])(?![\w-])", line[:34])}


def options_of_page(text):
    section = text.split("# OPTIONS")[1].split("\n# ")[0]
    return {word for line in section.splitlines() if re.match(r"\*-", line)
            for word in re.findall(r"\*(--[a-z][a-z-]*|-[a-zA-Z])\*", line)}


@pytest.mark.parametrize("program", [RUN, SUPERVISOR, GATEWAY], ids=lambda path: path.name)
def test_options(bare_lab, program):
    page = PAGES / f"{program.name}.1.scd"
    if not page.exists():
        pytest.skip("only where the sources are")
    shown = options_of_help(bare_lab.start(program, "--help").ok())
    assert len(shown) >= 5
    assert shown == options_of_page(page.read_text())


def test_no_other_way_to_write_a_page():
    """What README and the pages refer to is there."""
    names = {(name, number) for page in PAGES.glob("*.scd")
             for name, number in re.findall(r"\*(globus-streams[a-z.-]*)\*\((\d)\)", page.read_text())}
    if not names:
        pytest.skip("only where the sources are")
    missing = [f"{name}({number})" for name, number in names if not (PAGES / f"{name}.{number}.scd").exists()]
    assert not missing
