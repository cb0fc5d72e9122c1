"""A Jupyter kernel whose connections go through a tunnel, driven by Jupyter's own client."""

import json
import os
import stat
import subprocess

import pytest

from lab import CLI, PROGRAMS, SOURCE, need, write_conf
from processes import wait_for

TALK = PROGRAMS / "talk"
SYSTEM = "/usr/share/jupyter/kernels/python3/kernel.json"

NOTEBOOK = SOURCE / "src/notebook.py"


@pytest.fixture
def jupyter(lab, tunnel):
    if subprocess.run(["/usr/bin/python3", "-c", "import ipykernel, jupyter_client"], capture_output=True).returncode:
        need("jupyter's ipykernel and jupyter_client")
    return tunnel


def install(lab, tunnel, *options):
    return lab.start(CLI, "jupyter", "install", "--base-dir", tunnel.initiator, *options, tunnel.id)


def test_notebook(lab, jupyter):
    said = install(lab, jupyter).ok()
    name = f"python3-tunnel-{jupyter.id[:8]}"
    assert f"kernelspec remove {name}" in said
    listen = f'"{TALK}" listen {jupyter.port}'
    there = jupyter.listen("/bin/sh", "-c", f"{listen} first; {listen} second")
    here = lab.start("/usr/bin/python3", NOTEBOOK, name, jupyter.name, jupyter.fake_port)
    assert here.wait(90) == 0, here
    assert here.out.splitlines() == ["first", "KeyboardInterrupt", "second", "ended"]
    assert there.ok() == "onetwo"
    wait_for("the kernel's processes", lambda: not lab.left())


@pytest.fixture
def kernels(bare_lab):
    """A machine with one kernel, c, whose folder has a program."""
    folder = bare_lab.folder / "data"
    kernel = folder / "kernels" / "c"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({"argv": ["{resource_dir}/run", "-f", "{connection_file}"],
                                                    "display_name": "C", "language": "c", "env": {"A": "b"}}))
    bare_lab.env |= {"JUPYTER_PATH": f"/nowhere:{folder}", "JUPYTER_DATA_DIR": str(bare_lab.folder / "own data")}
    bare_lab.base = bare_lab.folder / "base"
    bare_lab.id = write_conf(bare_lab.base, connector_contact_string="127.0.0.1:9", fake_port=1234)
    bare_lab.install = lambda *options: bare_lab.start(CLI, "jupyter", "install", "--base-dir", bare_lab.base, *options,
                                                       bare_lab.id)
    return bare_lab


def test_what_is_written(kernels):
    kernels.install("--kernel", "c", "--name", "x").ok()
    file = kernels.folder / "own data/kernels/x/kernel.json"
    spec = json.loads(file.read_text())
    assert spec["argv"] == [os.path.realpath(CLI.parent / "globus-streams-run"), "--base-dir", str(kernels.base),
                            kernels.id, "--", f"{kernels.folder}/data/kernels/c/run", "-f", "{connection_file}"]
    assert spec["display_name"] == f"C (tunnel {kernels.id[:8]})" and spec["env"] == {"A": "b"}
    assert stat.S_IMODE(file.stat().st_mode) & 0o022 == 0


def test_json(kernels):
    told = json.loads(kernels.start(CLI, "-F", "json", "jupyter", "install", "--base-dir", kernels.base, "--kernel", "c",
                                    kernels.id).ok())
    assert told["tunnel_id"] == kernels.id and told["kernel"] == f"c-tunnel-{kernels.id[:8]}"
    assert json.loads(open(told["file"]).read())["argv"]


def test_again(kernels):
    kernels.install("--kernel", "c", "--name", "x").ok()
    file = kernels.folder / "own data/kernels/x/kernel.json"
    before = file.read_text()
    again = kernels.install("--kernel", "c", "--name", "x")
    assert again.wait() == 1 and str(file) in again.err and "--force" in again.err and file.read_text() == before
    file.write_text("old")
    kernels.install("--kernel", "c", "--name", "x", "--force").ok()
    assert file.read_text() == before
    of_itself = kernels.install("--kernel", "x", "--name", "y")
    assert of_itself.wait() == 1 and "already" in of_itself.err


@pytest.mark.parametrize("options, status, says", [
    (("--kernel", "d"), 1, "no Jupyter kernel d"),
    (("--kernel", "../c"), 2, "not a kernel's name"),
    (("--kernel", "c", "--name", "a/b"), 2, "not a kernel's name"),
    (("--kernel", "c", "--name", ""), 2, "not a kernel's name"),
])
def test_refusals(kernels, options, status, says):
    refused = kernels.install(*options)
    assert refused.wait() == status and says in refused.err and refused.err.count("\n") == 1
    assert not (kernels.folder / "own data").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"argv": []}', '{"argv": [1]}', '{"argv": "x"}', "x" * 70000])
def test_what_is_no_kernel(kernels, text):
    (kernels.folder / "data/kernels/c/kernel.json").write_text(text)
    refused = kernels.install("--kernel", "c")
    assert refused.wait() == 1 and "no argv" in refused.err and str(kernels.folder) in refused.err


def test_without_an_environment(kernels):
    (kernels.base / f"{kernels.id}.conf").unlink()
    refused = kernels.install("--kernel", "c")
    assert refused.wait() == 1 and "environment initialize" in refused.err
