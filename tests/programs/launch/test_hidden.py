"""A /proc that shows nobody the processes of others (hidepid=invisible), as clusters mount it: not even a user's own
keeper and supervisor are seen there, since nobody may look into them."""

import os

import pytest

from lab import PROGRAMS, RUN, need, wait_listening
from users import OTHER, open_for_all

HIDE = "mount -t proc -o hidepid=invisible proc /proc && ! ls -d /proc/1 2>/dev/null && exec \"$@\""


@pytest.fixture
def hidden(lab, tunnel):
    """Starts a launch of an ordinary user's there."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts /proc for others")
    open_for_all(lab.folder)
    for base in (tunnel.listener, tunnel.initiator):
        for path in (base, *base.iterdir()):
            os.chown(path, OTHER, OTHER)

    def start(base, *command):
        user = [need("setpriv"), f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups"]
        hide = HIDE.replace("! ls", " ".join(["!", *user, "ls"]))
        return lab.start(need("unshare"), "--mount", "sh", "-c", hide, "sh", *user, RUN, "--base-dir", base,
                         tunnel.id, "--", *command, cwd="/")
    return start


@pytest.mark.parametrize("program", ["talk", "talk-static"])
def test_both_sides(tunnel, hidden, program):
    there = hidden(tunnel.listener, PROGRAMS / program, "listen", tunnel.port, "answer")
    wait_listening(tunnel.port, there)
    here = hidden(tunnel.initiator, PROGRAMS / program, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer", here
    assert "question" in there.ok()
    assert not here.err and not there.err
