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
from far_side import Answer

WRITING = "write,fsync,fchmod,rename,unlink"


@pytest.fixture
def cli(tmp_path, far):
    lab.need("strace")
    return Cli(tmp_path, far.url)


def traced(cli, options, *words, typed=""):
    """Run under strace: its status, stdout, stderr, and the trace."""
    trace = cli.home / "trace"
    done = subprocess.run(["strace", "-f", "-o", str(trace), *options, str(PROGRAM),
                           *map(str, words)], env=cli.environment, capture_output=True, text=True, input=typed,
                          start_new_session=True)
    text = trace.read_text(errors="replace")
    trace.unlink()
    return done, text


def killed_at_each(cli, reset, *words, typed=""):
    """Run again and again, killed at the first, second … call that changes files, until one run ends by itself."""
    for n in range(1, 1000):
        reset()
        done, _ = traced(cli, ["-qq", "-e", f"trace={WRITING}", "-e", f"inject={WRITING}:signal=KILL:when={n}"], *words,
                         typed=typed)
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


@pytest.mark.limit(300)
def test_a_new_secret_is_there_or_the_old_one(cli, far):
    """initialize --force: the secret of the conf that stands is one that the manager has."""
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    path, seen = cli.base / f"{tunnel}.conf", set()
    old, secrets = path.read_bytes(), dict(far.secrets)

    def reset():
        path.write_bytes(old)
        far.secrets = dict(secrets)

    for _ in killed_at_each(cli, reset, "environment", "initialize", "--force", tunnel):
        conf = cli.conf(tunnel)
        assert far.secrets[conf["lankey_id"]]["secret"] == conf["lankey"]
        assert len(conf) == old.count(b"\n") and stat.S_IMODE(path.stat().st_mode) == 0o600
        seen.add(path.read_bytes() == old)
    assert seen == {True, False}


@pytest.mark.limit(300)
def test_a_login_is_the_old_or_the_new_one(cli, far):
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        cli.environment.pop(name)
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = far_side.CLIENT_ID
    far.rule("POST", "/v2/oauth2/token", lambda request, usual: Answer(200, {
        **far.new_token(far_side.TRANSFER, far_side.TRANSFER_SCOPE, "refresh-1"), "other_tokens": [
            far.new_token("auth.globus.org", "openid profile email", "refresh-2")]}))
    traced(cli, [], "login", "--no-browser", typed="code\n")
    path, seen = cli.base / "tokens.json", set()
    old = path.read_bytes()
    for _ in killed_at_each(cli, lambda: path.write_bytes(old), "login", "--no-browser", "--force", typed="code\n"):
        tokens = json.loads(path.read_text())["tokens"]
        assert len(tokens) == 2 and all(entry["access_token"] in far.tokens for entry in tokens)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        seen.add(path.read_bytes() == old)
    assert seen == {True, False}


@pytest.mark.limit(300)
def test_a_login_is_never_without_its_client(cli, far):
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        cli.environment.pop(name)
    far.rule("POST", "/v2/oauth2/token", lambda request, usual: Answer(200, far.new_token(
        far_side.TRANSFER, far_side.TRANSFER_SCOPE, "refresh-1")))
    tokens, client, seen = cli.base / "tokens.json", cli.base / "client.json", set()

    def reset():
        shutil.rmtree(cli.base, ignore_errors=True)

    for _ in killed_at_each(cli, reset, "login", "--no-browser", "--client-id", far_side.CLIENT_ID, typed="code\n"):
        seen.add((client.exists(), tokens.exists()))
        if client.exists():
            assert json.loads(client.read_text())["clients"] == {far.url: far_side.CLIENT_ID}
    assert seen == {(False, False), (True, False), (True, True)}


def test_what_is_renamed_is_on_the_disk(cli, far):
    """A power cut: the file is synced before it gets its name, and then its folder is."""
    tunnel = far.active()
    done, trace = traced(cli, ["-y", "-e", "trace=fsync,rename"], "environment", "initialize", tunnel)
    assert done.returncode == 0
    calls = [re.search(r"(fsync|rename)\((?:\d+<)?\"?([^>\"]*)", line).groups() for line in trace.splitlines()
             if "sync(" in line or "rename(" in line]
    written = [name for call, name in calls if call == "rename"]
    assert {re.sub(r".*/\.|\.\w{6}$", "", name) for name in written} == {f"{tunnel}.conf", "tokens.json"}
    for name in written:
        at = calls.index(("rename", name))
        assert calls[at - 1] == ("fsync", name) and calls[at + 1] == ("fsync", str(cli.base))


@pytest.mark.parametrize("fault", ["fsync:error=EIO", "fsync:error=ENOSPC", "rename:error=EDQUOT", "fchmod:error=EPERM"])
def test_a_disk_that_fails(cli, far, fault):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    before, secrets = cli.files(), dict(far.secrets)
    call = fault.split(":")[0]
    options = ["-qq", "-e", f"trace={call}", "-e", f"inject={fault}"]
    done, _ = traced(cli, options, "environment", "initialize", "--force", tunnel)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "is unchanged" in done.stderr
    assert cli.files() == before and far.secrets == secrets
    done, _ = traced(cli, options, "environment", "contact-lookup", "--refresh", tunnel)
    assert done.returncode == 0 and done.stdout == "127.0.0.1:4711\n" and "warning" in done.stderr
    assert cli.files() == before


def test_a_full_disk(cli, far):
    """A file system without a free block: what was there stays, what is asked is answered."""
    alone = [lab.need("unshare"), "-m" if os.geteuid() == 0 else "-rm"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        lab.missing("mount namespaces")
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    before, secrets, copy = cli.files(), dict(far.secrets), cli.home / "copy"
    shutil.copytree(cli.base, copy)
    after = cli.home / "after"
    script = (f'mount -t tmpfs -o size=64k,mode=700 none "{cli.base}" && cp -p "{copy}"/* "{cli.base}" && '
              f'cat /dev/zero >"{cli.base}/filler" 2>"{cli.home}/filled"; "$@"; status=$?; rm "{cli.base}/filler"; '
              f'rm -rf "{after}"; cp -rp "{cli.base}" "{after}"; exit $status')

    def run(*words):
        done = subprocess.run([*alone, "sh", "-c", script, "sh", str(PROGRAM), *words], env=cli.environment,
                              capture_output=True, text=True)
        assert "No space left" in (cli.home / "filled").read_text()
        assert {str(cli.base / path.name): path.read_bytes() for path in after.iterdir()
                if not path.name.endswith(".lock") and path.name != "tokens.json"} == before
        return done

    done = run("environment", "initialize", "--force", tunnel)
    assert done.returncode == 1 and "disk space" in done.stderr and done.stderr.count("\n") == 1
    assert far.secrets == secrets
    done = run("environment", "contact-lookup", "--refresh", tunnel)
    assert done.returncode == 0 and done.stdout == "127.0.0.1:4711\n" and done.stderr.count("\n") == 1
    far.tokens.clear()
    done = run("tunnel", "show", tunnel)
    assert done.returncode == 0 and "the token is not stored" in done.stderr and done.stderr.count("\n") == 1


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
    assert "is unchanged" not in done.stderr
    done = run("environment", "cleanup", "--force", tunnel)
    assert done.returncode == 1 and "nothing was deleted or revoked" in done.stderr and len(far.secrets) == 1
    cli.base.chmod(0o700)
    assert cli.files() == before


@pytest.mark.parametrize("base", ["/proc/x", "/dev/null/x"])
def test_a_folder_that_cannot_be(cli, far, base):
    """What cannot be written is found out before the tunnel is changed."""
    tunnel = far.tunnel()
    before = list(far.requests)
    line = cli.run("environment", "initialize", "--base-dir", base, "--listener-contact-string", "10.0.0.1:80",
                   tunnel).failed(1)
    assert f"cannot write {base}/{tunnel}.conf" in line and "is unchanged" not in line and "--base-dir" in line
    assert [r for r in far.requests if r not in before] == []


def test_a_conf_that_stays_although_its_secret_is_revoked(cli, far):
    tunnel = far.active()
    cli.run("environment", "initialize", tunnel).ok()
    path = cli.base / f"{tunnel}.conf"
    done, _ = traced(cli, ["-qq", "-e", "trace=unlink", "-P", str(path), "-e", "inject=unlink:error=EBUSY"], "environment",
                     "cleanup", "--force", tunnel)
    assert done.returncode == 1 and "secret is revoked" in done.stderr and "no longer works" in done.stderr
    assert path.exists() and not far.secrets


def test_others_can_read_the_tokens(cli, far):
    cli.run("tunnel", "list").ok()
    (cli.base / "tokens.json").chmod(0o644)
    assert "chmod 600" in cli.run("tunnel", "list").failed(1)
    (cli.base / "tokens.json").chmod(0o600)
    (cli.base / "tokens.json").write_text("{ nonsense")
    result = cli.run("tunnel", "list")
    assert result.status == 0 and result.err.count("starting a new one") == 1
