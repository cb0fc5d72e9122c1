"""Real servers and clients, unchanged, by the names that the tunnel gives them."""

import json
import os
import signal
import time

import pytest

from lab import BOTH_SPEEDS, PYTHON, SOURCE, need, sockets
from processes import wait_for

pytestmark = BOTH_SPEEDS

SCRIPTS = SOURCE / "src"


@pytest.mark.parametrize("options", [["-P", "4"], ["-P", "4", "-R"], ["-P", "4", "-Z"], ["-R", "-Z"]],
                         ids=" ".join)
def test_iperf3(tunnel, options):
    """A control connection and several for data, in both directions, with sendfile."""
    iperf3 = need("iperf3")
    there = tunnel.listen(iperf3, "-s", "-1", "-p", tunnel.port)
    here = tunnel.call(iperf3, "-c", tunnel.name, "-p", tunnel.fake_port, "-t", "1", "-J", *options)
    report = json.loads(here.ok())
    streams = 4 if "-P" in options else 1
    assert len(report["end"]["streams"]) == streams
    assert report["end"]["sum_received"]["bytes"] > 10_000_000
    there.ok()


def test_rsync_daemon_detaches(lab, tunnel):
    """The launcher returns when the daemon has detached; the daemon goes on taking calls, and forks for
    each; when it ends, nothing of the tool stays."""
    rsync = need("rsync")
    module, copy = lab.folder / "module", lab.folder / "copy"
    module.mkdir()
    for number in range(20):
        (module / f"file-{number}").write_bytes(bytes(range(256)) * 64 * number)
    conf, pid_file = lab.folder / "rsyncd.conf", lab.folder / "rsyncd.pid"
    conf.write_text(f"pid file = {pid_file}\nuse chroot = no\nport = {tunnel.port}\n"
                    f"address = 127.0.0.1\n[data]\npath = {module}\nread only = yes\n")
    launcher = lab.run(tunnel.listener, tunnel.id, rsync, "--daemon", "--config", conf)
    assert launcher.wait() == 0
    wait_for("the daemon", lambda: tunnel.port in sockets())
    source = f"rsync://{tunnel.name}:{tunnel.fake_port}/data/"
    for _ in range(2):
        tunnel.call(rsync, "-a", "--checksum", source, copy).ok()
        for path in module.iterdir():
            assert (copy / path.name).read_bytes() == path.read_bytes()
            (copy / path.name).unlink()
    wait_for("nothing else", lambda: sorted(set(lab.left().values()) - {"gs-hand"}) == [
        "gs-keeper", "gs-supervisor", "rsync"])
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_for("the end of daemon, keeper and supervisor", lambda: not lab.left())


def test_redis(lab, tunnel):
    there = tunnel.listen(need("redis-server"), "--port", tunnel.port, "--bind", "127.0.0.1", "--save", "",
                          "--daemonize", "no", "--dir", lab.folder)

    def client(*words, **options):
        return tunnel.call(need("redis-cli"), "-h", tunnel.name, "-p", tunnel.fake_port, *words, **options)
    assert client("set", "key", "value").ok() == "OK\n"
    assert client("get", "key").ok() == "value\n"
    pipe = "".join(f"set key-{number} {number}\n" for number in range(1000))
    assert client(stdin=pipe).ok().count("OK") == 1000
    assert client("dbsize").ok() == "1001\n"
    assert there.running()


def script(name, *words):
    return [PYTHON, SCRIPTS / name, *words]


def test_zeromq(lab, tunnel):
    """A PULL socket on tcp://*:port and a PUSH socket that began before there was a listener: ZeroMQ
    connects without blocking, and again."""
    if lab.start(PYTHON, "-c", "import zmq").wait() != 0:
        need("python3-zmq")
    here = tunnel.call(*script("zeromq.py", "push", tunnel.name, tunnel.fake_port, "100"))
    there = lab.run(tunnel.listener, tunnel.id, *script("zeromq.py", "pull", tunnel.port, "100"))
    assert there.ok() == "sum 4950\n"
    here.ok()


def test_asyncio(tunnel):
    there = tunnel.listen(*script("streams.py", "listen", tunnel.port, "1"))
    here = tunnel.call(*script("streams.py", "call", tunnel.name, tunnel.fake_port, "1"))
    assert here.ok() == "1 echoed\n"
    there.ok()


@pytest.mark.limit(120)
def test_500_connections_at_once(lab):
    """All of them are open before the first one ends."""
    tunnel = lab.tunnel()
    there = tunnel.listen(*script("streams.py", "listen", tunnel.port, "500"))
    here = tunnel.call(*script("streams.py", "call", tunnel.name, tunnel.fake_port, "500"))
    assert here.ok(60) == "500 echoed\n"
    assert there.ok() == "500 at once\n"


def test_node(tunnel):
    node = need("node")
    there = tunnel.listen(node, SCRIPTS / "echo.js", "listen", tunnel.port)
    here = tunnel.call(node, SCRIPTS / "echo.js", "call", tunnel.name, tunnel.fake_port)
    assert here.ok() == "HELLO FROM NODE\n"
    there.ok()


@pytest.mark.limit(240)
def test_a_gibibyte_each_way(tunnel):
    """Every byte arrives, in both directions of one connection."""
    there = tunnel.listen(*script("bulk.py", "listen", tunnel.port))
    here = tunnel.call(*script("bulk.py", "call", tunnel.name, tunnel.fake_port))
    begin = time.monotonic()
    sent, received = here.ok(180).split()
    assert there.ok(60).split() == [received, sent], "the checksums differ"
    assert sent != received
    print(f"1 GiB each way in {time.monotonic() - begin:.1f} s")
