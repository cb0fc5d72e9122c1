"""Names reach every program, however it looks them up: /etc/hosts, libc's own look-ups, other roots, cleared
environments. What is said of /etc is done in mount namespaces: the machine's own files stay as they are."""

import os
import shutil
import subprocess

import pytest

from lab import BOTH_SPEEDS, CLI, PROGRAMS, PYTHON, RUN, SHIM, missing, need
from launches import Daemon

REACH, PLUGIN, TALK = PROGRAMS / "reach", PROGRAMS / "reach_plugin.so", PROGRAMS / "talk"
MARK = "# globus-streams-run"
ECHO = ("import socket, sys\n"
        "s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "while True:\n"
        "    c, _ = s.accept()\n"
        "    c.sendall(c.recv(100)); c.close()\n")
LINE = ("import socket, sys\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)\n"
        "s.sendall(b'line'); sys.stdout.write(s.recv(100).decode())\n")


def unshare():
    """A command in a mount namespace of its own, where it is root."""
    words = [need("unshare"), "-m"] if os.geteuid() == 0 else [need("unshare"), "-Urm"]
    if subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        missing("mount namespaces")
    return words


def over(file, path, *command):
    """The command, with a file of the test's in the place of one of the machine's."""
    return [*unshare(), "/bin/sh", "-c", f'mount --bind "$0" {path} && exec "$@"', file, *command]


def address_of(tunnel, name=None, port=None):
    return tunnel.call(TALK, "resolve", name or tunnel.name, port or tunnel.fake_port).ok()


def echo(tunnel):
    return tunnel.listen(PYTHON, "-c", ECHO, tunnel.port)


# --- libc's own look-ups ---

@pytest.mark.parametrize("how", [["async"], ["later"], ["deep", PLUGIN], ["old", PLUGIN]], ids=lambda how: how[0])
def test_past_the_preloaded_functions(tunnel, how):
    """getaddrinfo_a(), and code that was loaded with RTLD_DEEPBIND."""
    found = tunnel.call(REACH, *how, tunnel.name, tunnel.fake_port).ok().split()
    assert found[0] == address_of(tunnel).strip()
    if PLUGIN in how:
        assert found[1:] == [tunnel.name] + ["-"] * (how[0] == "old")


@pytest.mark.parametrize("how", [["async"], ["deep", PLUGIN]], ids=lambda how: how[0])
def test_names_of_others_past_them(lab, how):
    """As without the tool, a name that is not there too; at once, since nobody else is asked."""
    tunnel = lab.tunnel(mapped=["demo.example:8443"])
    for name in ("localhost", "no-such-name.invalid"):
        bare, told = lab.start(REACH, *how, name, 80), tunnel.call(REACH, *how, name, 80)
        assert (told.wait(), told.out) == (bare.wait(), bare.out)
    assert tunnel.call(REACH, *how, "demo.example", 8443).ok().startswith("198.1")


@pytest.mark.parametrize("conf", ["hosts: files", " hosts:\tdns [!UNAVAIL=return] files # and so on\npasswd: files\n",
                                  "passwd: files\n", "", None],
                         ids=["short", "long", "others", "nothing", "none"])
def test_whatever_nsswitch_says(lab, tunnel, conf):
    path = lab.folder / "nsswitch.conf"
    path.write_text(conf or "")
    command = over(path, "/etc/nsswitch.conf", REACH, "async")
    if conf is None:
        etc = lab.folder / "etc"
        etc.mkdir()
        for name in ("hosts", "ld.so.cache", "resolv.conf"):
            if os.path.exists(f"/etc/{name}"):
                shutil.copy2(f"/etc/{name}", etc)
        command = over(etc, "/etc", REACH, "async")
    assert tunnel.call(*command, tunnel.name, 80).ok().startswith("198.1")
    bare, told = lab.start(*command, "localhost", 80), tunnel.call(*command, "localhost", 80)
    assert (told.wait(), told.out) == (bare.wait(), bare.out)


def test_a_sandbox_that_kills_connect(lab, tunnel):
    """Nothing is asked in a way that a look-up in files does not take by itself: ours are found there too."""
    hosts, conf = lab.folder / "hosts", lab.folder / "nsswitch.conf"
    hosts.write_text("192.0.2.5 its.own\n")
    conf.write_text("hosts: files\n")
    command = over(conf, "/etc/nsswitch.conf", "/bin/sh", "-c", f'mount --bind "{hosts}" /etc/hosts && exec "$@"', "sh",
                   REACH, "sandboxed")
    bare = lab.start(*command, "its.own", 80)
    assert bare.ok() == "192.0.2.5\n"
    assert tunnel.call(*command, "its.own", 80).ok() == bare.out
    assert tunnel.call(*command, tunnel.name, 80).ok().startswith("198.1")


def test_no_path_at_all(lab, tunnel):
    bare = lab.start(REACH, "missing").ok()
    assert tunnel.call(REACH, "missing").ok() == bare


# --- resolvers of their own ---

def test_reads_as_python_does(tunnel):
    """Code that reads the file finds our names, each line marked, and all of the machine's own."""
    text = tunnel.call(PYTHON, "-c", "print(open('/etc/hosts').read(), end='')").ok()
    ours, rest = text.split("\n", 1)
    assert ours == f"{address_of(tunnel).strip()} {tunnel.name} {MARK}"
    with open("/etc/hosts", encoding="utf-8") as real:
        assert rest == real.read()


@pytest.mark.parametrize("tool", ["cat", "sed", "grep", "cp", "busybox"])
def test_tools_read_it_as_it_is(lab, tunnel, tool):
    copy = lab.folder / "copy"
    words = {"cat": ["cat"], "sed": ["sed", ""], "grep": ["grep", ""], "busybox": ["busybox", "cat"],
             "cp": ["cp"]}[tool]
    command = [need(words[0]), *words[1:], "/etc/hosts"] + [copy] * (tool == "cp")
    for options in ([], ["--hosts"]):
        text = tunnel.call(*command, options=options).ok()
        with open("/etc/hosts", encoding="utf-8") as real:
            assert (copy.read_text() if tool == "cp" else text) == real.read()


GRPC_SERVER = """
import sys
from concurrent import futures
import grpc
class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"back:" + request)
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((Handler(),))
server.add_insecure_port("127.0.0.1:" + sys.argv[1])
server.start()
server.wait_for_termination()
"""
GRPC_CLIENT = """
import sys
import grpc
channel = grpc.insecure_channel("%s:%s" % tuple(sys.argv[1:]))
print(channel.unary_unary("/x.Y/Z")(b"ping", timeout=20).decode())
"""
GREEN = """
import sys
import eventlet
eventlet.monkey_patch()
import socket
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
s.sendall(b"line")
sys.stdout.write(s.recv(100).decode())
"""


def python_has(module):
    if subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, check=False).returncode:
        missing(f"python3's {module}")


@BOTH_SPEEDS
@pytest.mark.parametrize("resolver", [None, "native"])
def test_grpc(tunnel, resolver):
    """gRPC resolves by c-ares unless it is told otherwise."""
    python_has("grpc")
    tunnel.listen(PYTHON, "-c", GRPC_SERVER, tunnel.port)
    here = tunnel.call(PYTHON, "-c", GRPC_CLIENT, tunnel.name, tunnel.fake_port, env={"GRPC_DNS_RESOLVER": resolver})
    assert here.ok(timeout=40) == "back:ping\n"


@BOTH_SPEEDS
def test_eventlet(tunnel):
    python_has("eventlet")
    echo(tunnel)
    assert tunnel.call(PYTHON, "-c", GREEN, tunnel.name, tunnel.fake_port).ok() == "line"


@BOTH_SPEEDS
@pytest.mark.parametrize("client", ["aria2c", "php"])
def test_clients_by_http(lab, tunnel, client):
    """aria2 has c-ares; PHP loads its extensions with RTLD_DEEPBIND, curl's beside its own streams."""
    page = lab.folder / "page"
    page.mkdir()
    (page / "index.html").write_text("a page")
    tunnel.listen(PYTHON, "-m", "http.server", "--bind", "127.0.0.1", "--directory", page, tunnel.port)
    url = f"http://{tunnel.name}:{tunnel.fake_port}/"
    if client == "aria2c":
        tunnel.call(need("aria2c"), "-q", "--async-dns=true", "-m", "1", "-d", lab.folder, "-o", "got", url).ok(timeout=40)
        assert (lab.folder / "got").read_text() == "a page"
        return
    if subprocess.run([need("php"), "-r", "exit(extension_loaded('curl') ? 0 : 1);"], check=False).returncode:
        missing("php-curl")
    code = ("echo file_get_contents($argv[1]), '; ';"
            "$c = curl_init($argv[1]); curl_setopt($c, CURLOPT_RETURNTRANSFER, 1); echo curl_exec($c);")
    assert tunnel.call(need("php"), "-r", code, url).ok(timeout=40) == "a page; a page"


# --- other roots, cleared environments ---

ROOT = ["--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink",
        "usr/bin", "/bin", "--ro-bind", "/etc", "/etc", "--dev", "/dev", "--proc", "/proc"]


@pytest.mark.parametrize("how", ["command", "--hosts", "wrapped", "script", "attached"])
def test_another_root(lab, tunnel, how):
    """The loader of each program there gets the shim, although the root does not have it, and says nothing."""
    box = [need("bwrap"), *ROOT]
    if subprocess.run([*box, "true"], capture_output=True, check=False).returncode:
        missing("bubblewrap that works here")
    echo(tunnel)
    words = [*box, "/bin/sh", "-c", '/bin/true; exec "$@"', "sh", PYTHON, "-c", LINE, tunnel.name, tunnel.fake_port]
    options = []
    if how == "--hosts":
        options, words = ["--hosts"], [PYTHON, "-c", "import os,sys; os.execv(sys.argv[1], sys.argv[1:])", *words]
    elif how == "wrapped":
        words = [need("env"), "-u", "NOTHING", *words]
    elif how == "script":
        words = ["/bin/sh", "-c", f"exec {need('bwrap')} \"$@\"", "sh", *words[1:]]
    elif how == "attached":
        options = ["--attach", Daemon(lab).path]
    here = tunnel.call(*words, options=options)
    assert (here.ok(), here.err) == ("line", "")


INTRUDES = """
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print(len(os.read(fd, 1 << 24)))
path = f"/proc/self/fd/{fd}"
for name, act in {"write": lambda: os.write(fd, b"x"), "chmod": lambda: os.fchmod(fd, 0o4777) or os.chmod(path, 0o4777),
                  "again": lambda: os.write(os.open(path, os.O_RDWR), b"x"), "end": lambda: os.truncate(path, 1),
                  "truncate": lambda: os.open(path, os.O_WRONLY | os.O_TRUNC)}.items():
    try:
        act()
    except OSError:
        pass
"""


def test_the_shim_is_itself_in_another_root(lab, tunnel):
    """What is given in the shim's place is the shim, as it is and as long; whoever may write to the file cannot reach
    it through that: neither its bytes nor its mode."""
    box = [need("bwrap"), *ROOT]
    if subprocess.run([*box, "true"], capture_output=True, check=False).returncode:
        missing("bubblewrap that works here")
    place = lab.folder / "installed"
    for path, name in ((RUN, "cli/globus-streams-run"), (CLI, "cli/globus-streams"), (SHIM, f"shim/{SHIM.name}")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place / name)
    shim = place / "shim" / SHIM.name
    before = shim.read_bytes(), shim.stat().st_mode
    here = tunnel.call(*box, PYTHON, "-c", INTRUDES, shim, launcher=place / "cli/globus-streams-run")
    assert here.ok() == f"{len(before[0])}\n"
    assert (shim.read_bytes(), shim.stat().st_mode) == before


USERS = {"sudo": ["sudo", "-n", "-u", "nobody"], "su": ["su", "-s", "/bin/sh", "nobody", "-c"],
         "su-": ["su", "-s", "/bin/sh", "-", "nobody", "-c"], "runuser": ["runuser", "-u", "nobody", "--"],
         "firejail": ["firejail", "--quiet", "--noprofile"],
         "firejail-filter": ["firejail", "--quiet", "--noprofile", "--seccomp", "--caps.drop=all", "--nonewprivs"]}


@pytest.mark.parametrize("how", USERS)
def test_root_runs_it_as_another(tunnel, how):
    if os.geteuid() != 0:
        pytest.skip("only root may")
    words = [need(USERS[how][0]), *USERS[how][1:]]
    echo(tunnel)
    line = [PYTHON, "-c", LINE, tunnel.name, str(tunnel.fake_port)]
    if how.startswith("su") and how != "sudo":
        line = [" ".join(f"'{word}'" for word in line).replace("b'line'", "b\"line\"")]
    else:
        line = [word.replace("b'line'", 'b"line"') for word in line]
    here = tunnel.call(*words, *line)
    assert here.ok().endswith("line"), here


# --- the file ---

def test_a_long_file(lab, tunnel):
    """Of some megabytes, whose last line counts, for static programs too."""
    hosts = lab.folder / "hosts"
    blocked = "".join(f"0.0.0.0 ads{i}.tracker.example\n" for i in range(80000))
    hosts.write_text(f"{blocked}10.11.12.14 last.site.internal\n")
    for program, name, address in ((PROGRAMS / "talk-static", "last.site.internal", "10.11.12.14"),
                                   (TALK, "last.site.internal", "10.11.12.14"),
                                   (PROGRAMS / "talk-static", tunnel.name, "198.1")):
        here = tunnel.call(*over(hosts, "/etc/hosts", program, "resolve", name, 80))
        assert here.ok().startswith(address)


EDITS = {"awk": "busybox sh -c 'n=$(busybox awk \"!/old/\" /etc/hosts); echo \"$n\" >/etc/hosts'",
         "cp": "busybox sh -c 'busybox cp /etc/hosts bak; busybox cat bak >/etc/hosts'",
         "sed": "n=$(sed /old/d /etc/hosts); echo \"$n\" >/etc/hosts"}


@pytest.mark.parametrize("options", [[], ["--hosts"]], ids=["plain", "hosts"])
@pytest.mark.parametrize("how", EDITS)
def test_edits_leave_nothing_of_ours(lab, tunnel, how, options):
    """Tools and scripts that read the file, change it and write it back: only the change is in it."""
    need("busybox")
    hosts = lab.folder / "hosts"
    hosts.write_text("192.0.2.1 kept\n192.0.2.2 old.example\n")
    script = f"cd {lab.folder}; {EDITS[how]}"
    tunnel.call(*over(hosts, "/etc/hosts", "/bin/sh", "-c", script), options=options).ok()
    assert hosts.read_text() == "192.0.2.1 kept\n" + "192.0.2.2 old.example\n" * (how == "cp")
