"""contrib/style: rooms use only those below them. contrib/messages: what users can meet, in one form."""

import shutil
import subprocess

import pytest

from lab import SOURCE, need

STYLE = SOURCE.parents[1] / "contrib/style"
MESSAGES = SOURCE.parents[1] / "contrib/messages"
ROOMS = "rooms = [\n  ['low', ['a']],\n  ['high', ['b']],\n]\n"
LOW = "int low(void);\nint low(void) { return 1; }\n"
HIGH = '#include "supervisor/low/a.h"\nint high(void);\nint high(void) { return low(); }\n'


@pytest.fixture
def house(tmp_path):
    """A tree with two rooms, and a function that builds their archives."""
    for name, text in {"meson.build": ROOMS, "low/a.h": "int low(void);\n", "low/a.c": LOW,
                       "high/b.h": "int high(void);\n", "high/b.c": HIGH}.items():
        path = tmp_path / "supervisor" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "contrib").mkdir()
    shutil.copy(STYLE, tmp_path / "contrib")
    (tmp_path / ".clang-format").write_text("DisableFormat: true\n")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def build():
        archives = tmp_path / "build/supervisor"
        archives.mkdir(parents=True)
        for room, source in (("low", "a.c"), ("high", "b.c")):
            made = archives / f"{room}.o"
            subprocess.run([need("cc"), "-I", tmp_path, "-c", tmp_path / "supervisor" / room / source, "-o", made],
                           check=True)
            subprocess.run([need("ar"), "rc", archives / f"libsupervisor_{room}.a", made], check=True)
    return tmp_path, build


def style(folder):
    """(status, what it says)"""
    subprocess.run(["git", "-C", folder, "add", "supervisor", "contrib"], check=True)
    done = subprocess.run([folder / "contrib/style"], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_house_in_order(house):
    folder, build = house
    build()
    status, said = style(folder)
    assert status == 0, said


def test_an_include_that_runs_up(house):
    folder, _ = house
    (folder / "supervisor/low/a.c").write_text('#include "supervisor/high/b.h"\n' + LOW)
    status, said = style(folder)
    assert status == 1 and "supervisor/low/a.c: b.h is in high, which is not below low" in said, said


def test_a_symbol_that_runs_up(house):
    """A prototype in the lower room does not get round it."""
    folder, build = house
    (folder / "supervisor/low/a.c").write_text("int high(void);\n" + LOW.replace("return 1", "return high()"))
    build()
    status, said = style(folder)
    assert status == 1 and "libsupervisor_low.a: high is in high, which is not below low" in said, said


def test_a_version_that_stands_alone(house):
    folder, _ = house
    (folder / "meson.build").write_text("project('house', version: '1.2')\n")
    (folder / "CHANGELOG.md").write_text("# Changes\n\n## 1.2 (unreleased)\n")
    status, said = style(folder)
    assert status == 0, said
    (folder / "CHANGELOG.md").write_text("# Changes\n\n## 1.1\n")
    status, said = style(folder)
    assert status == 1 and "CHANGELOG.md: the version is not 1.2" in said, said


def test_a_source_that_is_too_long(house):
    folder, _ = house
    (folder / "supervisor/low/a.c").write_text(LOW + "\n" * 500)
    status, said = style(folder)
    assert status == 1 and "more than 500 lines" in said, said


@pytest.mark.parametrize("name", ["tests/a.c", "tests/a.py", "tool"])
def test_every_program_has_the_limit(house, name):
    folder, _ = house
    path = folder / "contrib" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + ":\n" * 499)
    status, said = style(folder)
    assert status == 0, said
    path.write_text("#!/bin/sh\n" + ":\n" * 500)
    status, said = style(folder)
    assert status == 1 and f"contrib/{name}:501: more than 500 lines" in said, said


def test_a_function_that_is_too_long(house):
    folder, _ = house
    for lines in (60, 61):
        body = "{\n" + "\t;\n" * (lines - 3) + "\treturn 1;\n}\n"
        (folder / "supervisor/low/a.c").write_text("int low(void);\nint low(void)\n" + body)
        status, said = style(folder)
        assert status == (lines > 60), said
    assert "supervisor/low/a.c:3: a function of more than 60 lines" in said, said


def test_messages(tmp_path):
    (tmp_path / "cli/base").mkdir(parents=True)
    source = tmp_path / "cli/base/a.c"
    source.write_text('void f(void)\n{\n\tsay_warning("%s is gone (%d), "\n\t\t    "look elsewhere", name(1, ")"), 2);\n}\n')

    def run(*words):
        done = subprocess.run([MESSAGES, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout
    assert run() == (0, "cli/base/a.c:3\tsay_warning\t%s is gone (%d), look elsewhere\n")
    assert run("--check") == (0, "")
    for text, what in (("Something is wrong", "it begins with a capital"), ("it is wrong.", "it ends as a sentence"),
                       ("one\\ntwo", "more than a line")):
        source.write_text(f'void f(void) {{ say_error("{text}"); }}\n')
        assert run("--check") == (1, f"cli/base/a.c:1: {what}: {text}\n")
    source.write_text("__attribute__((format(printf, 1, 2))) static void shout(const char *format, ...);\n")
    status, told = run("--check")
    assert status == 1 and told.startswith("cli/base/a.c: shout() takes a format")
