"""What can be broken, and that doctor names the cause: a row for each breakage. In each, one thing is broken, and the
line of one check says it: the verdict, the words for the cause, the next step."""

import contextlib
import json
import os
import re
import shutil
import socket
import time

import pytest

from broken_site import OFFLINE, Site
from lab import CLI, PROGRAMS, RUN, SHIM, free_port, need, need_user_namespace, wait_listening
from odd_gateways import BlackHole, OddGateway, closes_at_once, is_silent, refuses

ROWS = []
NATIVE = "c0ffee00-0000-4000-8000-000000000000"  # a client without a secret


def row(number, check, verdict, *words, speaks=None):
    """A breakage: the function breaks it, and returns what doctor is to be run with. speaks: the gateway's part."""
    def add(function):
        name = f"{number}-{function.__name__.replace('_', '-')}"
        ROWS.append(pytest.param(function, check, verdict, words, speaks, id=name))
        return function
    return add


@pytest.fixture
def site(request, tmp_path):
    with contextlib.ExitStack() as stack:
        speaks = getattr(request, "param", None)
        lab = request.getfixturevalue("own_lab" if speaks else "lab")
        gateway = request.getfixturevalue("own_gateway") if speaks else None
        yield Site(lab, gateway, tmp_path, stack)


@pytest.mark.parametrize("side", ["initiator", "listener"])
def test_nothing_is_broken(site, side):
    site.serve(site.tunnel.listener)
    done = site.lab.start(CLI, "doctor", "--base-dir", getattr(site.tunnel, side), site.tunnel.id,
                          env={"PATH": f"{CLI.parent}:{site.lab.env['PATH']}"})
    assert done.ok().splitlines()[-1] == "0 failed, 0 warnings"


# 1: the secret was replaced

@row(1, "listener", "failed", "under globus-streams-run", "initialized again", "--force --listener-contact-string")
def replaced_and_running(site):
    """The program runs with the conf that was made elsewhere; here is the old one."""
    elsewhere = site.folder / "elsewhere"
    site.lab.cli("environment", "initialize", "--base-dir", elsewhere, "--listener-contact-string",
                 f"127.0.0.1:{site.tunnel.port}", site.tunnel.id)
    site.serve(elsewhere)
    return {"side": "listener"}


def replace(site):
    """The program runs with the old one, and the access point has the new one."""
    site.serve(site.tunnel.listener)
    site.lab.cli("environment", "initialize", "--base-dir", site.folder / "elsewhere", "--listener-contact-string",
                 f"127.0.0.1:{site.tunnel.port}", site.tunnel.id)


@row(1, "far side", "failed", "unknown key", "initialized again", "start it again, with the newest conf")
def replaced_seen_from_the_initiator(site):
    replace(site)
    return {}


@row(1, "access point", "warning", "did not authenticate: unknown key", "was replaced", "--force --listener")
def replaced_after_a_connection(site):
    replace(site)
    site.doctor()
    return {"side": "listener"}


@row(1, "LAN authentication", "failed", "unknown key", "replaced or deleted", "initialize --force")
def deleted_at_the_access_point(site):
    kept = site.folder / "kept"
    shutil.copytree(site.tunnel.initiator, kept)
    site.lab.cli("environment", "initialize", "--force", "--base-dir", site.tunnel.initiator, site.tunnel.id)
    return {"base": kept}


# 2, 3: the listener, seen from the initiator

@row(2, "far side", "failed", "has not answered within 5 s", "without globus-streams-run does not authenticate",
     "start the listening program with globus-streams-run")
def a_silent_listener_without_the_launcher(site):
    wait_listening(site.tunnel.port, site.lab.start(need("nc"), "-lk", "127.0.0.1", site.tunnel.port))
    return {}


@row(2, "far side", "failed", "did not authenticate: it closed", "start it with globus-streams-run")
def a_listener_without_the_launcher_that_closes(site):
    odd = site.stack.enter_context(OddGateway(closes_at_once))
    site.made = site.lab.tunnel(port=odd.port)
    return {}


@row(2, "far side", "failed", "tunnel not active: the tunnel is not active at the access point", "listener side")
def an_access_point_whose_tunnel_is_not_active(site):
    return site.odd(refuses(3))


@row(3, "far side", "failed", "cannot connect to the listener: Connection refused", "start the listening program")
def nobody_listens(_):
    return {}


@row(3, "listener", "warning", "no program listens at", "start it with: globus-streams-run")
def nobody_listens_here(_):
    return {"side": "listener"}


# 4: waiting has an end

@row(4, "LAN authentication", "failed", "sent no reply within 5 s", "hangs", "administrator")
def an_access_point_that_hangs(site):
    return site.odd(is_silent)


@row(4, "access point", "failed", "no answer within 5 s", "firewall", "check the firewalls")
def an_access_point_behind_a_filter(site):
    hole = site.stack.enter_context(BlackHole())
    site.conf(connector_contact_string=f"127.0.0.1:{hole.port}")
    return {"env": OFFLINE}


# 5 to 8: this machine, the conf and Transfer

@row(5, "inside a launch", "warning", "connections and names are intercepted", "run doctor outside")
def inside_a_launch(site):
    return {"wrapper": (RUN, "--base-dir", site.tunnel.initiator, site.tunnel.id, "--")}


@row(6, "stored contact", "failed", "Transfer has 127", "but the conf file has 127.0.0.1:1, to", "environment update")
def a_contact_that_is_wrong(site):
    site.conf(connector_contact_string="127.0.0.1:1", update_time=int(time.time()), connector_contact_string_ttl=1000)
    return {}


@row(6, "stored contact", "failed", "Transfer has the listener contact", "environment update")
def a_listener_contact_that_is_wrong(site):
    site.conf("listener", listener_contact_string=f"127.0.0.1:{free_port()}")
    return {"side": "listener"}


@row(7, "mapped name db.example.org:5432", "ok", "db.example.org resolves to the tunnel", r"\(198\.1[89]\.")
def mapped_names_are_shown(site):
    site.made = site.lab.tunnel(mapped=["db.example.org:5432"])
    return {}


@row(7, "mapped name db.example.invalid:5432", "failed", "does not resolve", "shim", "--hosts")
def a_mapped_name_that_does_not_resolve(site):
    site.made = site.lab.tunnel(mapped=["db.example.invalid:5432"])
    return {"program": site.install(b"no library")}


@row(7, "mapped name localhost:5432", "failed", r"resolves to (127\.0\.0\.1|::1)", "does not lead into the tunnel")
def a_mapped_name_that_leads_elsewhere(site):
    site.made = site.lab.tunnel(mapped=["localhost:5432"])
    return {"program": site.install(b"no library")}


@row(7, "names", "failed", "were not tested: no command runs in this tunnel", "line about the launch")
def mapped_names_where_no_launcher_runs(site):
    site.made = site.lab.tunnel(mapped=["db.example.org:5432"])
    return {"program": site.install()}


@row(8, "listener", "failed", "192.0.2.1:.* is not an address of this machine", "listener-contact-string")
def a_contact_of_another_machine(site):
    site.conf("listener", listener_contact_string="192.0.2.1:4711")
    return {"side": "listener"}


def test_the_advice_for_a_contact_helps(site):
    found = site.doctor(**a_contact_that_is_wrong(site))
    advice = re.search(r"run: globus-streams (.*)", found["stored contact"][1])[1]
    site.lab.cli(*advice.split())
    assert site.doctor()["stored contact"][0] == "ok"


# 9: see test_a_clock_that_is_off

# 10: the login

@row(10, "login", "failed", "Auth refused the client credentials", "check GLOBUS_CLI_CLIENT_ID")
def a_wrong_secret_behind_a_cached_token(site):
    assert site.doctor()["login"][0] == "ok"
    return {"env": {"GLOBUS_CLI_CLIENT_SECRET": "wrong"}}


# 11: whose programs

@row(11, "globus-streams", "warning", r"PATH is \S+/other/globus-streams,", "cli/globus-streams;", "put this")
def anothers_globus_streams(site):
    return site.first_in_path("globus-streams")


@row(11, "globus-streams-run", "warning", r"PATH is \S+/other/globus-streams-run,", "cli/globus-streams-run;")
def anothers_launcher(site):
    return site.first_in_path("globus-streams-run")


@row(11, "globus-streams-launch.sh", "warning", r"is \S+/other/globus-streams-launch.sh,", "put this installation")
def anothers_script(site):
    return site.first_in_path("globus-streams-launch.sh")


# 12, 13: containers

@row(12, "pidfd", "failed", "pidfd_getfd", "seccomp filter of the container forbids", "--cap-add SYS_PTRACE")
def the_filter_of_docker(_):
    return {"wrapper": (PROGRAMS / "box", "docker")}


@row(12, "kernel", "failed", "seccomp filter of the container forbids seccomp listeners", "seccomp=unconfined")
def a_filter_without_listeners(_):
    return {"wrapper": (PROGRAMS / "box", "no-listener", "1")}


@row(13, "network", "warning", "network namespace of its own", "127.0.0.1 too", "listener contact that is")
def another_network(_):
    own = ("unshare", "--net") if os.geteuid() == 0 else need_user_namespace("--map-root-user", "--net")
    return {"wrapper": tuple(own)}


@row(13, "root", "warning", "a root directory of its own", "conf files", "give --base-dir")
def another_root(site):
    root = site.folder / "root"
    root.mkdir()
    script = ('root=$1; shift; for i in /*; do [ -d "$i" ] && [ ! -L "$i" ] || continue; mkdir -p "$root$i" && '
              'mount --rbind "$i" "$root$i"; done; for i in /*; do [ -L "$i" ] && cp -a "$i" "$root"; done; '
              'exec chroot "$root" "$@"')
    own = ("unshare", "--mount") if os.geteuid() == 0 else need_user_namespace("--map-root-user", "--mount")
    return {"wrapper": (*own, "sh", "-c", script, "sh", root)}


# 14, 15: the tunnel

@row(14, "tunnel", "failed", "has ended .state STOPPED", "create a new one: globus-streams tunnel create")
def a_tunnel_that_was_stopped(site):
    site.tunnel
    site.lab.cli("tunnel", "stop", site.tunnel.id)
    return {}


@row(14, "time left", "warning", "has passed", "environment update")
def a_tunnel_that_has_expired(site):
    site.conf(tunnel_expiration_time=1000)
    return {}


@row(14, "tunnel", "failed", "was deleted, or never existed", "tunnel list")
def a_tunnel_that_was_deleted(site):
    site.lab.cli("tunnel", "stop", site.tunnel.id)
    site.lab.cli("tunnel", "delete", site.tunnel.id)
    return {}


@row(15, "tunnel", "failed", "is not active yet .state AWAITING_LISTENER", "initialize the listener side first")
def a_tunnel_that_waits_for_its_listener(site):
    ident, base = site.lab.create_tunnel(), site.folder / "waiting"
    site.lab.cli("environment", "initialize", "--base-dir", base, ident)
    return {"base": base, "tunnel": ident}


# 16, 17: the conf file

@row(16, "conf file", "failed", "other users", "chmod 600")
def a_conf_that_others_read(site):
    (site.tunnel.initiator / f"{site.tunnel.id}.conf").chmod(0o644)
    return {}


@row(16, "conf file", "failed", "other users own it|belongs to|owned by", "chmod|chown|remove")
def a_conf_of_another_user(site):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(site.tunnel.initiator / f"{site.tunnel.id}.conf", 12345, 12345)
    return {}


@row(17, "conf file", "failed", "does not exist|no conf file|not initialized", "environment initialize")
def no_conf(site):
    return {"base": site.folder / "empty"}


@row(17, "conf file", "failed", "lankey_id", "environment initialize --force")
def a_conf_with_a_broken_line(site):
    site.conf(lankey_id="13fb1936")
    return {}


# 18, 19: services

def user_login(site, **entry):
    """A user's login in the cache."""
    tokens = site.lab.home / ".globus" / "streams" / "tokens.json"
    document = json.loads(tokens.read_text())
    for one in document["tokens"]:
        one.update(kind="login", client_id=NATIVE, **entry)
    tokens.write_text(json.dumps(document))
    no_client = {"GLOBUS_CLI_CLIENT_ID": None, "GLOBUS_CLI_CLIENT_SECRET": None}
    return {"env": no_client | {"GLOBUS_STREAMS_CLIENT_ID": NATIVE}}


@row(18, "login", "failed", "not logged in", "run: globus-streams login")
def no_login(site):
    site.tunnel
    return {"env": user_login(site)["env"] | {"HOME": str(site.folder)}}


@row(18, "login", "failed", "login is no longer valid", "run: globus-streams login")
def a_login_that_has_expired(site):
    site.tunnel
    return user_login(site, expires_at=1000, refresh_token="withdrawn")


@row(19, "Transfer", "failed", "no answer from Transfer at http://127.0.0.1:1/", "refused")
def no_transfer(site):
    site.tunnel
    return {"env": {"GLOBUS_SDK_SERVICE_URL_TRANSFER": "http://127.0.0.1:1"}}


def forbids(status):
    def behave(_, connection):
        connection.recv(4096)
        connection.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    return behave


def with_proxy(site, status, **more):
    site.tunnel
    proxy = site.stack.enter_context(OddGateway(forbids(status)))
    return {"env": {name: f"http://127.0.0.1:{proxy.port}" for name in ("http_proxy", "https_proxy")} | more}


@row(19, "proxy", "failed", "proxy 127.0.0.1:.*from http_proxy.* answers HTTP 403", "not the service", "no_proxy")
def a_proxy_that_refuses(site):
    return with_proxy(site, 403)


@row(19, "proxy", "failed", "from https_proxy.* answers HTTP 407", "not the service", "for credentials")
def a_proxy_that_refuses_tls(site):
    return with_proxy(site, 407, GLOBUS_SDK_SERVICE_URL_TRANSFER="https://transfer.example.invalid")


@row(19, "proxy", "failed", "cannot reach the proxy 127.0.0.1:1 .from http_proxy", "unset")
def a_proxy_that_is_gone(site):
    site.tunnel
    return {"env": {"http_proxy": "127.0.0.1:1"}}


# 20: the shim

@row(20, "shim", "failed", "is not installed with this program", "reinstall the package")
def no_shim(site):
    return {"program": site.install()}


@row(20, "shim", "failed", "libglobus_streams_shim.so: ", "reinstall the package")
def a_shim_that_cannot_be_loaded(site):
    return {"program": site.install(b"no library")}


@row(20, "shim", "failed", "has a colon or a space in its path", "another folder")
def a_shim_that_cannot_be_preloaded(site):
    return {"program": site.install(SHIM.read_bytes(), "in a folder")}


# 21: whose access point

def as_globus(site, part):
    """The tunnel was initialized when the access point spoke our format."""
    site.tunnel
    service = site.gateway.env["GLOBUS_SDK_SERVICE_URL_TRANSFER"].rsplit(":", 1)[1].split("/")[0]
    site.gateway.stop()
    site.gateway.start("--port", service, f"--as-globus={part}")
    return {}


@row(21, "LAN format", "failed", "is Globus's own and requires no", "lan_auth=v1", "--force --insecure", speaks="own")
def our_secret_at_an_open_one(site):
    return as_globus(site, "optional")


@row(21, "LAN format", "failed", "could not be found out", "lan_auth=v1", "--force --insecure", speaks="own")
def our_secret_at_a_silent_one(site):
    return as_globus(site, "silent")


@row(21, "LAN format", "failed", "Globus's own LAN authentication, which is not", "administrator", speaks="own")
def one_that_requires_theirs(site):
    site.conf(lan_auth="none")
    return as_globus(site, "required")


@row(21, "LAN format", "ok", "is Globus's own and requires no LAN authentication", speaks="own")
def none_at_an_open_one(site):
    site.conf(lan_auth="none")
    return as_globus(site, "optional")


@row(21, "LAN format", "warning", "could not be found out", "ask its administrator", speaks="own")
def none_at_a_silent_one(site):
    site.conf(lan_auth="none")
    return as_globus(site, "silent")


@row(21, "LAN format", "warning", "speaks LAN authentication v1", "does without",
     "initialize --force --globus-contact a.example:1 --globus-contact b.example:2 --base-dir")
def none_at_one_of_ours(site):
    site.made = site.lab.tunnel(mapped=["a.example:1", "b.example:2"])
    site.conf(lan_auth="none")
    return {}


@row(21, "LAN format", "ok", "speaks LAN authentication v1")
def ours_at_one_of_ours(_):
    return {}


# 22: the way there

@row(22, "contact", "failed", "cannot resolve access.point.invalid", "DNS")
def a_name_that_does_not_resolve(site):
    site.conf(connector_contact_string="access.point.invalid:4711")
    return {"env": OFFLINE}


@row(22, "contact", "ok", "localhost resolves to (127|::1)")
def a_name_that_resolves(site):
    site.conf(connector_contact_string=f"localhost:{site.tunnel.contact[1]}")
    return {"env": OFFLINE}


@row(22, "contact", "failed", "cannot resolve access.point.example: Temporary failure", "DNS")
def a_name_server_that_is_silent(site):
    if os.geteuid() != 0:
        pytest.skip("only root has port 53")
    server = site.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.83.83", 53))
    resolver = site.folder / "resolv.conf"
    resolver.write_text("nameserver 127.0.83.83\noptions timeout:30\n")
    site.conf(connector_contact_string="access.point.example:4711")
    script = 'mount --bind "$1" /etc/resolv.conf; shift; exec "$@"'
    return {"env": OFFLINE, "wrapper": ("unshare", "--mount", "sh", "-c", script, "sh", resolver)}


@row(22, "access point", "failed", "Connection refused", "nothing listens at that port", "environment update")
def a_port_that_is_closed(site):
    site.conf(connector_contact_string=f"127.0.0.1:{free_port()}")
    return {"env": OFFLINE}


@pytest.mark.parametrize("breaks, check, verdict, words, site", ROWS, indirect=["site"])
def test_names_the_cause(breaks, check, verdict, words, site):
    found = site.doctor(**breaks(site))
    assert check in found and found[check][0] == verdict, found
    for word in words:
        assert re.search(word, found[check][1]), f"no {word!r} in: {found[check][1]}"


@pytest.mark.parametrize("off, verdict, words", [(0, "ok", "agrees"), (-45, "ok", "agrees"),
                                                 (120, "warning", r"1(19|20|21) s behind"),
                                                 (-120, "warning", r"1(19|20|21) s ahead"),
                                                 (400, "failed", r"(399|400|401) s behind Transfer's.*NTP")])
def test_a_clock_that_is_off(cli, far, off, verdict, words):
    """9. By the Date of Transfer's answer."""
    far.clock = off
    done = cli.run("doctor")
    line = re.search(rf"^{verdict} +clock: (.*)", done.out, re.M)
    assert line and re.search(words, line[1]), done


@pytest.mark.parametrize("breaks", [an_access_point_that_hangs, an_access_point_behind_a_filter,
                                    a_name_server_that_is_silent])
def test_it_takes_five_seconds(site, breaks):
    words = breaks(site)
    begin = time.monotonic()
    site.doctor(**words)
    assert 5 <= time.monotonic() - begin < 10


def test_the_proxy_is_named_and_not_transfer(site):
    found = site.doctor(**with_proxy(site, 403))
    assert "Transfer" not in found and "login" not in found
    found = site.doctor(**with_proxy(site, 403, no_proxy="example.org, 127.0.0.1"))
    assert "proxy" not in found and found["Transfer"][0] == "ok"


def test_the_number_of_the_breakages():
    assert {int(one.id.split("-")[0]) for one in ROWS} | {9} == set(range(1, 23))
