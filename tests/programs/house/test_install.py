"""What `meson install` puts into a DESTDIR works from there, and all of it is where it belongs."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab import BUILD, GATEWAY, PROGRAMS, need, wait_listening

PAGES = {"globus-streams.1", "globus-streams-run.1", "globus-streams-launch.1", "globus-streams-launch.sh.1",
         "globus-streams-supervisor.1", "globus-streams-oci.1", "globus-streams-oci-agent.1",
         "globus-streams.conf.5", "globus-streams-containers.7", "globus-streams-lan-auth.7",
         "globus-streams-troubleshooting.7"}
COMMANDS = {"globus-streams", "globus-streams-run", "globus-streams-launch", "globus-streams-launch.sh",
            "globus-streams-supervisor", "globus-streams-oci-agent"}
UNITS = {"globus-streams-supervisor.service", "globus-streams-supervisor.socket", "globus-streams-oci.socket",
         "globus-streams-oci@.service"}
OTHERS = {*(f"lib/systemd/{kind}/{name}" for kind in ("user", "system") for name in UNITS),
          "share/globus/streams/globus-streams-launch.sh", "share/zsh/site-functions/_globus-streams",
          *(f"share/doc/globus-streams/examples/{whose}/globus-streams@.service" for whose in ("system", "user")),
          *(f"share/doc/globus-streams/{name}" for name in ("CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md"))}


@pytest.fixture
def about():
    """What meson knows of the build folder, where it can be installed from."""
    known = BUILD / "meson-info/meson-info.json"
    built = known.exists() and json.loads(known.read_text())["directories"]  # this may be a copy of it
    logs = built and os.path.join(built["build"], "meson-logs/install-log.txt")
    if not built or not os.access(logs if os.path.exists(logs) else os.path.dirname(logs), os.W_OK):
        pytest.skip("only who may write to the folder in which it was built can install from it")
    return built


@pytest.fixture
def install(lab, about):
    def into(name):
        root = lab.folder / name
        lab.start(need("meson"), "install", "-C", about["build"], "--no-rebuild", "--quiet", "--destdir", root).ok(60)
        return root
    return into


def page_path(name):
    return f"share/man/man{name[-1]}/{name}"


def expected(libdir):
    """Every file, below the prefix."""
    shims = {"libglobus_streams_shim.so"} | {path.name for path in (BUILD / "shim").glob("*shim32.so")}
    gateway = {"globus-streams-gateway"} if GATEWAY.exists() else set()
    pages = PAGES | {f"{name}.1" for name in gateway} if (BUILD / "man/globus-streams.1").exists() else set()
    commands = COMMANDS | gateway
    return (OTHERS | {f"{libdir}/globus-streams/{name}" for name in shims}
            | {page_path(name) for name in pages} | {f"share/zsh/site-functions/_{name}" for name in gateway}
            | {f"{folder}/{name}{end}" for name in commands
               for folder, end in (("bin", ""), ("share/bash-completion/completions", ""),
                                   ("share/fish/vendor_completions.d", ".fish"))})


def test_every_file(install):
    root = install("root")
    options = json.loads((BUILD / "meson-info/intro-buildoptions.json").read_text())
    libdir = next(option["value"] for option in options if option["name"] == "libdir")
    found = {str(path.relative_to(root / "usr")) for path in root.rglob("*") if not path.is_dir()}
    assert found == expected(libdir)
    for path in root.rglob("*"):
        assert path.resolve().is_relative_to(root) and path.exists(), path  # links lead somewhere in it


def test_installed_tree(lab, tunnel, install):
    root = install("elsewhere")
    root = root.rename(lab.folder / "root")
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


def test_the_main_job(lab, install, about):
    """What packages are tried with, by the programs that were installed."""
    job = Path(about["source"], "contrib/packaging/main-job")
    if not os.access(job, os.X_OK) or not GATEWAY.exists():
        pytest.skip("only who may read the sources, with a gateway")
    path = f"{install('root') / 'usr/bin'}:{lab.env['PATH']}"
    assert lab.start(job, env={"PATH": path}).ok(60) == "main job: ok\n"


def test_installed_tree_in_a_path_with_a_blank(lab, tunnel, install):
    """Refused before the command starts; a listener, and who reads /etc/hosts, needs no preload library."""
    root, talk = install("a root"), PROGRAMS / "talk"
    launcher, began = root / "usr/bin/globus-streams-launch.sh", lab.folder / "began"
    here = lab.start(launcher, "--base-dir", tunnel.initiator, tunnel.id, "--", "touch", began)
    assert here.wait() == 1 and not began.exists(), here
    assert len(here.err.splitlines()) == 1 and "in its path" in here.err, here
    there = lab.start(launcher, "--base-dir", tunnel.listener, tunnel.id, talk, "listen", tunnel.port, "answer")
    wait_listening(tunnel.port, there)
    here = lab.start(launcher, "--hosts", "--base-dir", tunnel.initiator, tunnel.id, PROGRAMS / "talk-static", "call",
                     tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer"
    there.ok()


def configure(source, build, prefix):
    subprocess.run([need("meson"), "setup", "-Dtests=disabled", f"--prefix={prefix}", build, source], check=True,
                   capture_output=True)
    plan = json.loads((build / "meson-info/intro-installed.json").read_text())
    return {Path(target).relative_to(prefix) for target in plan.values()}


@pytest.mark.limit(300)  # it builds
def test_a_user_s_own_prefix(lab, about):
    """systemd looks for a user's units in ~/.local/share, and for the system's in lib."""
    if not os.access(about["source"], os.R_OK | os.X_OK):
        pytest.skip("only who may read the sources can build them")
    build = lab.folder / "build"
    for prefix, folders in (("/home/some body/.local", ["share/systemd/user"]),
                            ("/usr/local", ["lib/systemd/user", "lib/systemd/system"])):
        targets = configure(about["source"], build, prefix)
        found = {path.parent for path in targets if "systemd" in path.parts}  # of a file that goes to two, one
        assert found and found <= set(map(Path, folders))
        service = (build / "contrib/systemd/globus-streams-supervisor.service").read_text()
        assert f'ExecStart="{prefix}/bin/globus-streams-supervisor"\n' in service
        assert f'ExecReload="{prefix}/bin/globus-streams" supervisor' in service
        agent = (build / "contrib/systemd/globus-streams-oci@.service").read_text()
        assert f'ExecStart="{prefix}/bin/globus-streams-oci-agent" --attach' in agent
        shutil.rmtree(build)


def test_a_build_folder_with_a_blank(lab, about):
    """Of sources in one: what is put together by commands of ours, and a program with all that belongs to it."""
    if not os.access(about["source"], os.R_OK | os.X_OK):
        pytest.skip("only who may read the sources can build them")
    source = lab.folder / "the sources"
    shutil.copytree(about["source"], source, symlinks=True,
                    ignore=lambda folder, names: [name for name in names if name == ".git" or name.startswith("build")])
    configure(source, source / "a build", "/opt/a b")
    made = ["supervisor/layout.h", *(f"shim/{path.name}" for path in (BUILD / "shim").glob("lib*shim*.so"))]
    subprocess.run([need("ninja"), "-C", source / "a build", *made], check=True, capture_output=True)
    assert all((source / "a build" / path).stat().st_size for path in made)
