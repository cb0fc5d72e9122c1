"""Servers with many workers, unchanged, under what they meet from day to day: restarts, and more callers than
workers. They lose nothing, as without the tool."""

import os
import re
import signal
import time

import pytest

from lab import BOTH_SPEEDS, SOURCE, need
from processes import wait_for

pytestmark = BOTH_SPEEDS

# where Debian has them
MODULES = "/usr/lib/apache2/modules"
APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/pid
Mutex file:{folder}
ErrorLog {folder}/log
Listen 127.0.0.1:{port}
LoadModule mpm_{kind}_module {modules}/mod_mpm_{kind}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
{user}
StartServers 4
"""


def apache(lab, tunnel, kind):
    folder = lab.folder / "apache"
    folder.mkdir()
    user = "User #65534\nGroup #65534" if os.geteuid() == 0 else ""
    (folder / "conf").write_text(APACHE.format(folder=folder, port=tunnel.port, modules=MODULES, kind=kind,
                                                user=user))
    return tunnel.listen(need("apache2"), "-f", folder / "conf", "-DFOREGROUND"), folder


def root_of_apache(server, folder):
    wait_for("its number", lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip())
    assert server.running()
    return int((folder / "pid").read_text())


@pytest.mark.parametrize("kind", ["event", "prefork"])
def test_apache_restarts_gracefully(lab, tunnel, kind):
    """Under ab, every half second: each request is answered, if only by 404."""
    server, folder = apache(lab, tunnel, kind)
    root = root_of_apache(server, folder)
    client = tunnel.call(need("ab"), "-q", "-c", "12", "-t", "3", "-n", "1000000", "-s", "20",
                         f"http://{tunnel.name}:{tunnel.fake_port}/")
    restarts = 0
    while client.running():
        os.kill(root, signal.SIGUSR1)
        restarts += 1
        wait_for("the restart", lambda: resumed(folder) > restarts or not client.running())
        time.sleep(0.5)
    out = client.ok()
    assert int(re.search(r"Complete requests: +(\d+)", out)[1]) > 10
    assert re.search(r"Failed requests: +0\n", out), out
    assert restarts > 2
    os.kill(root, signal.SIGTERM)
    server.wait()


def resumed(folder):
    """How often it has begun to take requests."""
    return (folder / "log").read_text().count("resuming normal operations")


@pytest.mark.parametrize("backend", ["inet", "socket"])
def test_erlang(tunnel, backend):
    """gen_tcp: eight acceptors, and eighty callers at once."""
    words = [need("escript"), SOURCE / "src/acceptors.escript"]
    server = tunnel.listen(*words, "listen", backend, tunnel.port, 8, 80)
    client = tunnel.call(*words, "call", backend, tunnel.name, tunnel.fake_port, 80)
    assert client.ok() == "wrong []\n", server
    assert server.ok() == "served 80\n"
