"""doctor --report: one file for a ticket, and nothing in it that must not leave the machine."""

import json
import os
import pwd
import re

import pytest

from lab import CLI, LOOPBACK, change_conf, read_conf


def report(lab, *words, env=None, status=0):
    path = lab.folder / "report"
    done = lab.start(CLI, "doctor", "--report", path, *words, env=env)
    assert done.wait(60) == status, done
    return done, path.read_text(), path


def secrets_of(lab, tunnel):
    """Every secret and token that there is, and the names of users."""
    yield from tunnel.secrets()
    yield lab.env["GLOBUS_CLI_CLIENT_SECRET"]
    for entry in json.loads((lab.home / ".globus/streams/tokens.json").read_text())["tokens"]:
        yield from (entry[key] for key in ("access_token", "refresh_token") if key in entry)
    state = (lab.gateway.state / "state.json").read_text()
    yield from re.findall(r'"(?:key|secret|username)": *"([^"]+)"', state)


def test_the_lines_and_the_facts(lab, tunnel):
    done, text, path = report(lab, "--base-dir", tunnel.initiator, tunnel.id, status=1)  # nobody listens
    assert path.stat().st_mode & 0o777 == 0o600
    for line in done.out.splitlines():
        assert line.replace(str(lab.home), "~") in text, line
    sections = re.findall(r"^\[([a-z]+)", text, re.M)
    assert sections == ["checks", "versions", "conf", "limits", "environment", "process"]
    release = os.uname().release
    for part in (f"kernel: Linux {release}", "libc: glibc ", "globus-streams: 0", "open files (ulimit -n): ",
                 "lankey=(set, not shown)", f"lankey_id={read_conf(tunnel.initiator, tunnel.id)['lankey_id']}",
                 "GLOBUS_CLI_CLIENT_SECRET=(set, not shown)", f"GLOBUS_SDK_SERVICE_URL_AUTH=http://{LOOPBACK}",
                 "Seccomp:", "namespace net:[", "cgroup: "):
        assert part in text, part
    pretty = re.search(r'PRETTY_NAME="?([^"\n]+)', open("/etc/os-release", encoding="utf-8").read())
    assert pretty[1] in text


@pytest.mark.parametrize("side", ["initiator", "listener"])
def test_no_secret_is_in_it(lab, tunnel, side):
    """Nor the user's name: not even where a path or a message has it."""
    lab.start(CLI, "doctor").ok()
    base, hidden = getattr(tunnel, side), ["proxy-password", "known-to-nobody", "who-am-i", "refresh-me"]
    change_conf(base, tunnel.id, someone_elses_key=hidden[1])
    env = {"http_proxy": f"http://user:{hidden[0]}@{LOOPBACK}:1", "no_proxy": LOOPBACK, "USER": hidden[2],
           "GLOBUS_STREAMS_OTHER_TOKEN": hidden[3], "TMPDIR": str(lab.home)}
    (lab.home / hidden[2]).mkdir()
    env["GLOBUS_STREAMS_BASE_DIR"] = str(lab.home / hidden[2])
    done, text, _ = report(lab, "--base-dir", base, tunnel.id, env=env, status=int(side == "initiator"))
    found = [*secrets_of(lab, tunnel), *hidden, str(lab.home)]
    assert len(found) > 8
    names = {user.pw_name for user in pwd.getpwall() if user.pw_uid == os.getuid()} - {"root"}
    for secret in [*found, *names]:
        assert secret not in text and (secret in hidden or secret == str(lab.home) or secret not in done.out), secret
    assert "GLOBUS_STREAMS_OTHER_TOKEN=(set, not shown)" in text and "someone_elses_key=(set, not shown)" in text
    assert f"http_proxy=http://(not shown)@{LOOPBACK}:1" in text and "~/(user)" in text


def test_nothing_is_overwritten(lab):
    other = lab.folder / "other"
    other.write_text("mine")
    link, dangling = lab.folder / "link", lab.folder / "dangling"
    link.symlink_to(other)
    dangling.symlink_to(lab.folder / "nowhere")
    for path in (other, link, dangling, lab.folder / "no" / "folder"):
        done = lab.start(CLI, "doctor", "--report", path)
        assert done.wait(60) == 1 and done.out == ""
        assert re.match(f"globus-streams: cannot create the report {path}: .*; give the name of a", done.err), done
        assert done.err.count("\n") == 1
    assert other.read_text() == "mine" and not (lab.folder / "nowhere").exists()


def test_a_full_disk(lab):
    """The file is there, but what it should hold is not: that is an error."""
    script = '(ulimit -f 0; trap "" XFSZ; "$@"; echo "status $?") 2>&1 | cat'
    done = lab.start("sh", "-c", script, "sh", CLI, "doctor", "--report", lab.folder / "report")
    assert re.search(r"cannot write the report .*: File too large; free.*\nstatus 1", done.ok(), re.S), done


def test_without_a_conf(lab):
    nothing = "0e8a675b-6b84-4220-89e4-a6a7a0d823fb"
    _, text, _ = report(lab, nothing, status=1)
    assert f"[conf file ~/.globus/streams/{nothing}.conf]\n(missing, or cannot be read)\n" in text
