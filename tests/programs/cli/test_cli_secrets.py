"""Secrets and tokens, followed with strace: in no argument list, and in files only with 0600."""

import json
import os
import re
import stat
import subprocess

import pytest

import far_side
from cli_program import Cli
from lab import BUILD, CLI, PROGRAMS, change_conf, need, read_conf, wait_listening
from cli_program import address_in

CALLS = ("execve,execveat,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,splice,open,openat,openat2,"
         "creat,memfd_create")
ARGUMENTS = re.compile(r"(\w+)\((?:-?\d+<([^>]*)>|AT_FDCWD<[^>]*>, )?")
NEW_FILE = re.compile(r"/\.(tokens\.json|[0-9a-f-]{36}\.conf)\.\w{6}$")  # what gets its name when it is whole


class Trace:
    """What a command and all that it started did."""

    def __init__(self, path):
        self.path = path
        self.wrapper = [need("strace"), "-f", "-y", "-s", "1000000", "--seccomp-bpf", "-o", str(path), "-e",
                        f"trace={CALLS}", "-e", "signal=none"]

    def lines_with(self, secret):
        """(call, file or socket) of each line that has it."""
        for line in self.path.read_text(errors="replace").splitlines():
            if secret in line and (found := ARGUMENTS.search(line)):
                yield found.groups()

    def executed(self):
        return re.findall(r'execve\("([^"]*)"', self.path.read_text(errors="replace"))


def private_files(folder, secrets):
    """The files in which one of them is; each has to be the user's alone."""
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
            found.add(path.name)
    return found


def expect_kept(trace, secrets):
    """Each of them goes into sockets, and into files that are to be renamed to the right names. How often one did."""
    count = 0
    for secret in secrets:
        for call, where in trace.lines_with(secret):
            assert not call.startswith("exec"), f"in an argument list: {where}"
            if not (where or "").startswith(("TCP", "socket:", "UNIX")):
                assert call == "write" and NEW_FILE.search(where or ""), f"{call} to {where}"
            count += 1
    trace.path.unlink()
    return count


@pytest.fixture
def cli(tmp_path, far):
    home = tmp_path / "home"
    home.mkdir()
    return Cli(home, far.url)


def tokens_in(path):
    return {entry[kind] for entry in json.loads(path.read_text())["tokens"] for kind in ("access_token", "refresh_token")
            if entry.get(kind)}


def test_every_command(cli, far, tmp_path):
    """With a login: made, renewed, used by every command, and revoked."""
    for name in ("GLOBUS_CLI_CLIENT_ID", "GLOBUS_CLI_CLIENT_SECRET"):
        cli.environment.pop(name)
    cli.environment["GLOBUS_STREAMS_CLIENT_ID"] = far_side.CLIENT_ID
    tokens, secrets = cli.base / "tokens.json", set()
    tunnel = far.tunnel()

    def run(*words, env=None, status=0, code=None):
        trace = Trace(tmp_path / "trace")
        process = subprocess.Popen([*trace.wrapper, str(CLI), "-v", *words], env={**cli.environment, **(env or {})},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   start_new_session=True)
        said = ""
        if code:
            while "authorize?" not in said:
                said += process.stdout.readline()
            code, _ = far.log_in(address_in(said))
            secrets.add(code)
        out, err = process.communicate(code, timeout=60)
        assert process.returncode == status, (words, out, err)
        if tokens.exists():
            secrets.update(tokens_in(tokens))
        secrets.update(secret["secret"] for secret in far.secrets.values())
        if far.requests:
            secrets.update(r.form()["code_verifier"] for r in far.asked("POST", "/v2/oauth2/token")
                           if "code_verifier" in r.form())
        assert not any(secret in said + out + err for secret in secrets), words
        seen = expect_kept(trace, secrets)
        assert seen or words[:2] in (("environment", "update"), ("environment", "show")), words
        assert private_files(cli.home, secrets) <= {"tokens.json", f"{tunnel}.conf"}

    run("login", "--no-browser", "--endpoint", far_side.ENDPOINT, code=True)
    run("environment", "initialize", "--listener-contact-string", "10.0.2.164:8888", tunnel)
    run("environment", "initialize", "--force", tunnel)
    tokens.write_text(re.sub(r'"expires_at":\s*\d+', '"expires_at": 1000', tokens.read_text()))
    run("environment", "contact-lookup", "--refresh", tunnel)
    assert far.asked("POST", "/v2/oauth2/token")[-1].form()["grant_type"] == "refresh_token"
    run("environment", "update", "--cs-ttl", "20", tunnel)
    run("environment", "show", tunnel)
    run("tunnel", "list")
    run("whoami")
    run("doctor", tunnel, status=1)  # nothing listens at its access point
    run("environment", "cleanup", "--force", tunnel)
    run("logout")
    assert len(secrets) >= 10 and far.secrets == {}
    secret = far_side.CLIENT_SECRET
    secrets.add(secret)
    run("tunnel", "list", env={"GLOBUS_CLI_CLIENT_ID": far_side.CLIENT_ID, "GLOBUS_CLI_CLIENT_SECRET": secret})


@pytest.mark.parametrize("launcher", ["globus-streams-run", "globus-streams-launch.sh"])
def test_launchers(lab, tunnel, launcher):
    """The contact is looked up on the way, with a new token; what is done is told to a file."""
    talk, log, tokens = PROGRAMS / "talk", lab.folder / "debug.log", lab.home / ".globus/streams/tokens.json"
    change_conf(tunnel.initiator, tunnel.id, connector_contact_string="127.0.0.1:1", update_time="0")
    tokens.write_text(re.sub(r'"expires_at":\s*\d+', '"expires_at": 1000', tokens.read_text()))
    secrets = {*tunnel.secrets(), *tokens_in(tokens), lab.env["GLOBUS_CLI_CLIENT_SECRET"]}
    traces = [Trace(lab.folder / "trace-there"), Trace(lab.folder / "trace-here")]
    program = BUILD / "cli" / launcher
    there = lab.start(*traces[0].wrapper, program, "-d", "--base-dir", tunnel.listener, tunnel.id, talk, "listen",
                      tunnel.port, "answer")
    wait_listening(tunnel.port, there)
    here = lab.start(*traces[1].wrapper, program, "-l", log, "--base-dir", tunnel.initiator, tunnel.id, talk, "call",
                     tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer" and there.ok() == "question"
    assert read_conf(tunnel.initiator, tunnel.id)["connector_contact_string"] != "127.0.0.1:1"
    if os.geteuid() == 0:  # others see nothing of the supervisor's memory, not even what it executes
        assert str(CLI) in traces[1].executed()
    secrets |= tokens_in(tokens)
    assert not any(secret in text for secret in secrets for text in (there.err, log.read_text()))
    assert expect_kept(traces[0], secrets) == 0
    assert expect_kept(traces[1], secrets) >= 3  # a token asked for, kept, and used
    assert private_files(lab.folder, secrets) == {"tokens.json", f"{tunnel.id}.conf"}
