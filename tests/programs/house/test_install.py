"""What `meson install` puts into a DESTDIR works from there."""

import json
import os

import pytest

from lab import BUILD, PROGRAMS, need


def test_installed_tree(lab, tunnel):
    about = BUILD / "meson-info/meson-info.json"
    built = about.exists() and json.loads(about.read_text())["directories"]["build"]  # this may be a copy of it
    if not built or not os.access(built, os.R_OK | os.X_OK):
        pytest.skip("only who may read the folder in which it was built can install it")
    root = lab.folder / "root"
    lab.start(need("meson"), "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", root).ok(60)
    talk = PROGRAMS / "talk"
    there = tunnel.listen(talk, "listen", tunnel.port, "answer")
    here = lab.start(root / "usr/share/globus/streams/globus-streams-launch.sh", "--base-dir", tunnel.initiator,
                     tunnel.id, talk, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer"
    assert here.err == ""  # the shim was found, too
    there.ok()
    assert lab.start(root / "usr/bin/globus-streams-launch", "--version").ok().startswith("globus-streams-run")
    assert lab.start(root / "usr/bin/globus-streams", "environment", "contact-lookup", "--base-dir",
                     tunnel.initiator, tunnel.id).ok().count(":") == 1
