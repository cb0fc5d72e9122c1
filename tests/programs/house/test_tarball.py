"""What contrib/packaging/tarball-check says of tarballs that lack something, or have too much."""

import shutil
import subprocess

import pytest

from lab import SOURCE, need

CHECK = SOURCE.parents[1] / "contrib/packaging/tarball-check"
LIBRARIES = ["libcap.so.2", "libcjson.so.1", "libcrypto.so.3", "libcurl.so.4", "libseccomp.so.2", "libssl.so.3"]
LICENCES = ["libcap2", "libcjson1", "libcurl4", "libseccomp2", "libssl3", "LGPL-2.1", "SOURCES"]
RPATH = "-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib/globus-streams"
PROGRAM, LIBRARY = "bin/globus-streams", "lib/globus-streams/libcurl.so.4"


def link(path, *words):
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([need("cc"), "-o", path, *words, "-x", "c", "-"], input=b"int main(void) { return 0; }", check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One that is in order, of programs that do nothing."""
    tree = tmp_path_factory.mktemp("tarball") / "globus-streams-0"
    link(tree / PROGRAM, RPATH)
    link(tree / LIBRARY, "-shared")
    for name in LIBRARIES:
        if tree / "lib/globus-streams" / name != tree / LIBRARY:
            shutil.copy(tree / LIBRARY, tree / "lib/globus-streams" / name)
    (tree / "share/doc/globus-streams/licences").mkdir(parents=True)
    for name in LICENCES:
        (tree / "share/doc/globus-streams/licences" / name).write_text("You may.\n")
    return tree


@pytest.fixture
def tree(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / whole.name)


def check(tree):
    file = tree.parent / "file.tar.gz"
    subprocess.run([need("tar"), "-C", tree.parent, "-czf", file, tree.name], check=True)
    return subprocess.run([CHECK, file], capture_output=True, text=True, check=False)


def newer_glibc(tree):
    content = (tree / PROGRAM).read_bytes()
    assert b"GLIBC_2.34\0" in content  # since then every program needs it
    (tree / PROGRAM).write_bytes(content.replace(b"GLIBC_2.34\0", b"GLIBC_2.35\0"))


FAULTS = {
    "needs GLIBC_2.35; GLIBC_2.34 is the newest allowed": newer_glibc,
    "is missing": lambda tree: (tree / LIBRARY).unlink(),
    "libmore.so.1 is one library too many": lambda tree: shutil.copy(tree / LIBRARY, tree / "lib/libmore.so.1"),
    "needs libmore.so, which is neither bundled nor glibc's": lambda tree: (
        link(tree.parent / "libmore.so", "-shared", "-Wl,-soname,libmore.so"),
        link(tree / PROGRAM, RPATH, "-Wl,--no-as-needed", tree.parent / "libmore.so")),
    "has DT_RPATH '', not": lambda tree: link(tree / PROGRAM),
    "has a DT_RUNPATH": lambda tree: link(tree / LIBRARY, "-shared", "-Wl,--enable-new-dtags,-rpath,/opt"),
    "has a DT_RPATH, /opt": lambda tree: link(tree / LIBRARY, "-shared", "-Wl,--disable-new-dtags,-rpath,/opt"),
    "the licence of libssl3 is missing": lambda tree: (
        tree / "share/doc/globus-streams/licences/libssl3").write_text(""),
}


def test_one_that_is_in_order(tree):
    done = check(tree)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("said", FAULTS)
def test_faults(tree, said):
    FAULTS[said](tree)
    done = check(tree)
    assert done.returncode == 1 and said in done.stderr, done
    assert all(line.startswith("tarball-check: ") for line in done.stderr.splitlines()), done
