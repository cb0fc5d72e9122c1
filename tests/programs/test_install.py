"""What `meson install` puts into a DESTDIR works from there."""

import pytest

from lab import BUILD, PROGRAMS, need


def test_installed_tree(lab, tunnel):
    if not (BUILD / "build.ninja").exists() or not (BUILD / "meson-private").exists():
        pytest.skip("only in the folder in which it was built")
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
