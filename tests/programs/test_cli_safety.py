"""globus-streams: files are old or new, whatever happens, and secrets go nowhere else."""

import json
import os
import re
import shutil
import stat
import subprocess

import pytest

import far_side
import lab
from cli_program import PROGRAM, Cli

WRITING = "write,fsync,fchmod,rename,unlink"


@pytest.fixture
def far():
    side = far_side.FarSide()
    yield side
    side.close()


@pytest.fixture
def cli(tmp_path, far):
    lab.need("strace")
    return Cli(tmp_path, far.url)


def traced(cli, options, *words):
    """Run under strace: its status, stdout, stderr, and the trace."""
    trace = cli.home / "trace"
    done = subprocess.run(["strace", "-f", "-o", str(trace), *options, str(PROGRAM), *map(str, words)],
                          env=cli.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    text = trace.read_text(errors="replace")
    trace.unlink()
    return done, text


def killed_at_each(cli, reset, *words):
    """Run again and again, killed at the first, second … call that changes files, until one run ends by itself."""
    for n in range(1, 1000):
        reset()
        done, _ = traced(cli, ["-qq", "-e", f"trace={WRITING}", "-e", f"inject={WRITING}:signal=KILL:when={n}"], *words)
        yield n
        if done.returncode == 0:
            return
    raise AssertionError("it never came to its end")


@pytest.mark.limit(300)
def test_a_conf_is_the_old_or_the_new_one(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    path = cli.base / f"{tunnel}.conf"
    old = path.read_bytes()

    def reset():
        path.write_bytes(old)
        far.tunnels[tunnel]["data"]["attributes"]["initiator_port"] = 4712

    seen, leftovers = set(), set()
    for _ in killed_at_each(cli, reset, "environment", "contact-lookup", "--refresh", tunnel):
        text = path.read_text()
        conf = cli.conf(tunnel)
        assert len(conf) == len(dict(line.split("=", 1) for line in old.decode().splitlines()))
        assert conf["connector_contact_string"] in ("127.0.0.1:4711", "127.0.0.1:4712") and text.endswith("\n")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        seen.add(conf["connector_contact_string"])
        leftovers.update(p for p in cli.base.iterdir() if ".conf." in p.name)
        assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in leftovers if p.exists())
    assert seen == {"127.0.0.1:4711", "127.0.0.1:4712"}
    assert leftovers and not any(p.exists() for p in leftovers), "the next writer sweeps"


@pytest.mark.limit(300)
def test_tokens_are_the_old_or_the_new_ones(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    path = cli.base / "tokens.json"
    old = json.loads(path.read_text())

    def reset():
        path.write_text(json.dumps({**old, "tokens": [{**entry, "expires_at": 1000} for entry in old["tokens"]]}))
        path.chmod(0o600)

    for _ in killed_at_each(cli, reset, "tunnel", "show", tunnel):
        tokens = json.loads(path.read_text())["tokens"]
        assert any(entry["resource_server"] == "transfer.api.globus.org" for entry in tokens)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("fault", ["fsync:error=EIO", "fsync:error=ENOSPC", "rename:error=EDQUOT", "fchmod:error=EPERM"])
def test_a_disk_that_fails(cli, far, fault):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    before, secrets = cli.files(), dict(far.secrets)
    call = fault.split(":")[0]
    options = ["-qq", "-e", f"trace={call}", "-e", f"inject={fault}"]
    done, _ = traced(cli, options, "environment", "initialize", "--force", tunnel)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "left as it was" in done.stderr
    assert cli.files() == before and far.secrets == secrets
    done, _ = traced(cli, options, "environment", "contact-lookup", "--refresh", tunnel)
    assert done.returncode == 0 and done.stdout == "127.0.0.1:4711\n" and "warning" in done.stderr
    assert cli.files() == before


def test_a_read_only_home(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    before = cli.files()
    if os.geteuid() == 0:
        if not shutil.which("unshare"):
            lab.missing("unshare")
        script = f'mount --bind "{cli.home}" "{cli.home}" && mount -o remount,ro,bind "{cli.home}" && exec "$@"'
        wrapper = ["unshare", "-m", "sh", "-c", script, "sh"]
        if subprocess.run([*wrapper, "true"], capture_output=True).returncode:
            lab.missing("mount namespaces")
    else:
        wrapper = []
        cli.base.chmod(0o500)

    def run(*words):
        return subprocess.run([*wrapper, str(PROGRAM), *words], env=cli.environment, capture_output=True, text=True)

    done = run("environment", "contact-lookup", "--refresh", tunnel)
    assert done.returncode == 0 and done.stdout == "127.0.0.1:4711\n" and done.stderr.count("\n") == 1
    done = run("environment", "initialize", "--force", tunnel)
    assert done.returncode == 1 and "--base-dir" in done.stderr and done.stderr.count("\n") == 1
    other = far.active()
    done = run("environment", "initialize", other)
    assert done.returncode == 1 and "--base-dir" in done.stderr and len(far.secrets) == 1
    cli.base.chmod(0o700)
    assert cli.files() == before


def test_secrets_are_in_private_files_and_nowhere_else(cli, far):
    tunnel = far.active()
    done, trace = traced(cli, ["-y", "-s", "100000", "-e", "trace=execve,write,writev,pwrite64,sendto,sendmsg"],
                         "-v", "environment", "initialize", tunnel)
    assert done.returncode == 0, done.stderr
    conf = cli.conf(tunnel)
    tokens = [entry["access_token"] for entry in json.loads((cli.base / "tokens.json").read_text())["tokens"]]
    secrets = [conf["lankey"], far_side.CLIENT_SECRET, *tokens]
    assert not any(secret in done.stdout + done.stderr for secret in secrets)
    written = {secret: set() for secret in secrets}
    for line in trace.splitlines():
        call, descriptor = re.match(r"(?:\d+ +)?(\w+)\(\d*<?([^>,]*)", line).groups() if "(" in line else ("", "")
        for secret in secrets:
            if secret in line:
                assert call != "execve", "in an argument list"
                written[secret].add(descriptor)
    # the conf gets the LAN secret, the cache the tokens, both under the names of the files to be
    assert all(re.search(r"/\.[0-9a-f-]{36}\.conf\.\w{6}$", d) for d in written[conf["lankey"]])
    for token in tokens:
        files = {d for d in written[token] if d.startswith("/")}
        assert files and all(re.search(r"/\.tokens\.json\.\w{6}$", d) for d in files)
        assert all(d.startswith(("TCP", "socket:")) for d in written[token] - files)
    for path in cli.base.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_others_can_read_the_tokens(cli, far):
    cli.run("tunnel", "list").ok()
    (cli.base / "tokens.json").chmod(0o644)
    assert "chmod 600" in cli.run("tunnel", "list").failed(1)
    (cli.base / "tokens.json").chmod(0o600)
    (cli.base / "tokens.json").write_text("{ nonsense")
    result = cli.run("tunnel", "list")
    assert result.status == 0 and "begun anew" in result.err
