"""globus-streams-troubleshooting(7) has every message of the programs and no other; contrib/messages says where."""

import re
import signal
import subprocess

import pytest

from lab import SOURCE

ROOT = SOURCE.parents[1]
MESSAGES = ROOT / "contrib/messages"
PAGE = "man/globus-streams-troubleshooting.7.scd"
HOME = """void f(void)
{
\tlog_warn("port %u is closed: %s%s",
\t\t port, why);
\tfailure_prefix(&failure, late ? "it is late, but " : "it is early: ");
\tsay_debug("%s: %d", name, n);
\tsay_note("one of '" TEXT_WORD "' has a_b * 2 things%s", word, more);
}
"""
MANUAL = """page(7)

*log_warn*
\tThis is no message.

it is late, but _WHY_++
it is early:
_WHY_
\tSo it is.

- port _PORT_ is closed: _WHY_
- one of '_WORD_' has a_b \\* 2
  things
"""


def manual(folder):
    done = subprocess.run([MESSAGES, "--manual"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.fixture
def house(tmp_path):
    for name, text in {"cli/base/a.c": HOME, "cli/base/text.h": '#define TEXT_WORD "%.100s"\n', PAGE: MANUAL}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_message_is_in_the_manual():
    if not (ROOT / PAGE).exists():
        pytest.skip("only where the sources are")
    status, lines = manual(ROOT)
    assert status == 0, "\n".join(lines)


def test_a_page_in_order(house):
    assert manual(house) == (0, [])


@pytest.mark.parametrize("before, after, line", [
    ("- port _PORT_ is", "- port 80 is", f"{PAGE}:11: no program says this; take it out: port 80 is closed: _..._"),
    ("- port _PORT_ is closed: _WHY_\n", "", f"cli/base/a.c:3: not in {PAGE}; write it below its symptom there: "
     "port _..._ is closed: _..._"),
    ("a_b \\* 2\n  things", "a_b \\* 2", f"cli/base/a.c:7: not in {PAGE}; write it below its symptom there: "
     "one of '_..._' has a_b \\* 2 things"),
    ("- port", "- it is late, but _WHY_\n- port",
     f"{PAGE}:11: this is also in line 6; take one out: it is late, but _..._"),
    ("it is late, but _WHY_++", "it is late,++", f"{PAGE}:6: no program says this; take it out: it is late,"),
])
def test_each_drift_is_a_line(house, before, after, line):
    page = house / PAGE
    assert before in MANUAL
    page.write_text(MANUAL.replace(before, after))
    status, lines = manual(house)
    assert status == 1 and line in lines, lines


def test_what_it_says_can_be_pasted(house):
    """Each line that it asks for, as it stands there, is enough."""
    page = house / PAGE
    page.write_text("page(7)\n")
    wanted = [line.partition(" there: ")[2] for line in manual(house)[1]]
    assert len(wanted) == 4
    page.write_text("page(7)\n\n" + "".join(f"- {text}\n" for text in wanted))
    assert manual(house) == (0, [])


def test_reasons_of_a_failed_handshake():
    """The table of reasons has those of the handshake, and no words that no program uses."""
    if not (ROOT / PAGE).exists():
        pytest.skip("only where the sources are")
    rows = re.search(r"\n:\[ \*Error\*\n.*?\n\n", (ROOT / PAGE).read_text(encoding="utf-8"), re.DOTALL)[0]
    reasons = {reason for row in re.findall(r"^\|  (.*)$", rows, re.MULTILINE)
               for reason in re.findall(r"\*(.*?)\*", row)}
    sources = "".join(path.read_text(encoding="utf-8") for folder in ("protocol", "supervisor")
                      for path in sorted((ROOT / folder).rglob("*.c")))
    said = {"".join(re.findall(r'"(.*?)"', text)) for text in re.findall(r'(?:"[^"\n]*"\s*)+', sources)}
    assert len(reasons) >= 15 and not reasons - said, reasons - said
    handshake = (ROOT / "protocol/lan_auth.c").read_text(encoding="utf-8")
    names = set(re.findall(r'(?:\[LAN_AUTH_\w+\] =|return) "((?!no fault|unknown code).*)"', handshake))
    assert len(names) >= 10 and names - {"ok"} <= reasons, names - reasons


def test_a_reader_that_has_seen_enough():
    """As in contrib/messages | head -1."""
    with subprocess.Popen([MESSAGES], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout.readline()
        program.stdout.close()
        assert program.stderr.read() == b"" and program.wait() == -signal.SIGPIPE
