"""globus-streams-gateway: who may call its access points, whom they call, and for how long."""

import concurrent.futures
import os
import signal
import socket
import threading
import time
import uuid

import pytest

import gateway_lab as lab
from gateway_lab import Gateway, Refused, call, echo, receive, receive_all, reset, through, wait_for


# --- who may call ---


def refused(tunnel, **options):
    with socket.create_connection(tunnel.contact, timeout=20) as sock:
        with pytest.raises(Refused) as raised:
            lab.authenticate_caller(sock, tunnel.initiator, **options)
        assert sock.recv(1) == b""
    return raised.value.args[0]


def test_wrong_secret(gateway, listen):
    listener = listen()
    tunnel = through(gateway, listener)
    right = tunnel.initiator
    tunnel.initiator = (right[0], right[1][:-1] + ("0" if right[1][-1] != "0" else "1"))
    assert refused(tunnel) == lab.REFUSED
    listener.socket.setblocking(False)
    with pytest.raises(BlockingIOError):  # the listener never heard of it
        listener.socket.accept()


def test_unknown_key(gateway, listen):
    tunnel = through(gateway, listen())
    assert refused(tunnel, key_id=str(uuid.uuid4())) == lab.UNKNOWN_KEY
    # the listener's secret is no good at the initiator's access point; nor another tunnel's
    other = through(gateway, listen())
    for secret in (tunnel.listener, other.initiator):
        tunnel.initiator = secret
        assert refused(tunnel) == lab.UNKNOWN_KEY


def test_replayed_hello_and_response(gateway, listen):
    tunnel = through(gateway, listen(echo))
    frames = []

    class Recorder:
        def __init__(self, sock):
            self.sock = sock

        def sendall(self, data):
            frames.append(data)
            self.sock.sendall(data)

        def recv(self, count):
            return self.sock.recv(count)

    with socket.create_connection(tunnel.contact, timeout=20) as sock:
        lab.authenticate_caller(Recorder(sock), tunnel.initiator)
    with socket.create_connection(tunnel.contact, timeout=20) as sock:
        sock.sendall(frames[0])
        lab.receive_frame(sock, lab.CHALLENGE)
        sock.sendall(frames[1])
        with pytest.raises(Refused, match=str(lab.REFUSED)):
            lab.receive_frame(sock, lab.STATUS)


def test_frames_a_byte_at_a_time(gateway, listen):
    tunnel = through(gateway, listen(echo))

    class Slow:
        def __init__(self, sock):
            self.sock = sock
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def sendall(self, data):
            for byte in data:
                self.sock.sendall(bytes([byte]))
                time.sleep(0.001)

        def recv(self, count):
            return self.sock.recv(1)

    with socket.create_connection(tunnel.contact, timeout=20) as sock:
        lab.authenticate_caller(Slow(sock), tunnel.initiator)
        sock.sendall(b"x")
        assert sock.recv(9) == b"x"


@pytest.mark.parametrize("says", [b"GET / HTTP/1.1\r\n\r\n", os.urandom(64), b"GSL1\x02\x01\0\0", b"GSL1\x01\x01\0\1"],
                         ids=["http", "random", "version", "length"])
def test_strangers_learn_nothing(gateway, listen, says):
    tunnel = through(gateway, listen())
    with socket.create_connection(tunnel.contact, timeout=5) as sock:
        sock.sendall(says)
        try:
            assert sock.recv(100) == b""
        except ConnectionResetError:
            pass  # what it said was not read to its end


def test_another_version(gateway, listen):
    tunnel = through(gateway, listen())
    with socket.create_connection(tunnel.contact, timeout=5) as sock:
        sock.sendall(b"GSL1\x01\x02\0\0")
        assert receive_all(sock) == lab.header(lab.STATUS, lab.BAD_VERSION)


def test_silent_strangers_are_dropped_and_hold_nobody_up(gateway, listen):
    tunnel = through(gateway, listen(echo))
    strangers = [socket.create_connection(tunnel.contact, timeout=15) for _ in range(50)]
    began = time.monotonic()
    with call(tunnel) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert time.monotonic() - began < 2
    for sock in strangers:
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        sock.close()
    assert 9 < time.monotonic() - began < 13


def test_several_secrets_at_once_and_the_newest_to_the_listener(gateway, listen):
    listener = listen(echo)
    tunnel = through(gateway, listener)
    old, tunnel.initiator = tunnel.initiator, gateway.secret(tunnel.id, gateway.initiator_ap)
    listener.secret = gateway.secret(tunnel.id, gateway.listener_ap)
    for secret in (old, tunnel.initiator):
        tunnel.initiator = secret
        call(tunnel).close()


@pytest.mark.parametrize("side", ["initiator", "listener"])
def test_a_deleted_secret(gateway, listen, side):
    tunnel = through(gateway, listen(echo))
    access_point = getattr(gateway, side + "_ap")
    endpoint = gateway.endpoint(access_point)
    status, answer = gateway.call("DELETE", f"/gcs/{endpoint}/api/lan_secrets/{getattr(tunnel, side)[0]}",
                                  scope=lab.scope_of(endpoint))
    assert status == 200, answer
    assert refused(tunnel) == (lab.UNKNOWN_KEY if side == "initiator" else lab.UNREACHABLE)


@pytest.mark.parametrize("side", ["initiator", "listener"])
def test_a_secret_on_one_side_only(gateway, listen, side):
    listener = listen(echo)
    tunnel = lab.Tunnel(gateway.create())
    setattr(tunnel, side, gateway.secret(tunnel.id, getattr(gateway, side + "_ap")))
    listener.secret = tunnel.listener
    gateway.update(tunnel.id, listener_ip_address=listener.contact[0], listener_port=listener.contact[1])
    tunnel.contact = ("127.0.0.1", gateway.show(tunnel.id)["initiator_port"])
    with call(tunnel) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"


def with_descriptors(count, state):
    return Gateway(state, wrapper=("sh", "-c", f'ulimit -n {count}; exec "$@"', "sh"))


def test_busy_beyond_its_limit(tmp_path, listen):
    gateway = with_descriptors(638, tmp_path / "state")  # enough for (638 - 512) / 6 calls
    tunnel = through(gateway, listen(echo))
    socks = [call(tunnel) for _ in range(21)]
    assert refused(tunnel) == lab.BUSY
    for sock in socks:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        sock.close()
    wait_for(lambda: len(os.listdir(f"/proc/{gateway.process.pid}/fd")) < 30)
    call(tunnel).close()
    assert gateway.stop() == 0


def test_out_of_descriptors(tmp_path, listen):
    gateway = with_descriptors(64, tmp_path / "state")
    tunnel = through(gateway, listen(echo))
    strangers = [socket.create_connection(tunnel.contact, timeout=5) for _ in range(100)]
    with socket.create_connection(tunnel.contact, timeout=5):
        for sock in strangers:
            sock.close()
    with call(tunnel) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert gateway.stop() == 0


# --- the listener ---


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_listener_down(gateway):
    tunnel = gateway.active(("127.0.0.1", free_port()))
    assert refused(tunnel) == lab.UNREACHABLE


def test_listener_down_plain(gateway):
    tunnel = gateway.active(("127.0.0.1", free_port()), secured=False)
    with pytest.raises(ConnectionResetError):  # it may come before connect() has returned
        with socket.create_connection(tunnel.contact, timeout=5) as sock:
            sock.recv(1)


def bad_mac(sock):
    receive(sock, 56)
    sock.sendall(lab.header(lab.CHALLENGE) + os.urandom(32))
    receive(sock, 40)
    sock.sendall(lab.header(lab.STATUS) + os.urandom(32))
    sock.recv(1)


@pytest.mark.parametrize("handle", [
    lambda sock: None,
    lambda sock: reset(sock),
    lambda sock: sock.sendall(b"220 mail.example ESMTP\r\n") or sock.recv(1000) and sock.recv(1),
    lambda sock: receive(sock, 56) and sock.sendall(lab.header(lab.STATUS, lab.UNKNOWN_KEY)),
    bad_mac,
], ids=["closes", "resets", "something else", "refuses", "wrong mac"])
def test_listener_does_not_authenticate(gateway, listen, handle):
    tunnel = gateway.active(listen(handle).contact)
    assert refused(tunnel) == lab.UNREACHABLE
    assert "the listener did not authenticate: " in errors(gateway, tunnel)[0]


def errors(gateway, tunnel):
    """What the tunnel's events say about its listener."""
    events = gateway.call("GET", f"/v2/tunnels/{tunnel.id}/events?is_error=true")[1]["data"]
    assert all(event["attributes"]["code"] == "LISTENER_FAILED" for event in events)
    return [event["attributes"]["details"] for event in events]


def test_a_listener_that_fails_is_an_event(gateway, listen):
    """Each change is one; a restart in between is none."""
    tunnel = gateway.active(("127.0.0.1", free_port()))
    for _ in range(3):
        assert refused(tunnel) == lab.UNREACHABLE
    assert gateway.stop() == 0
    gateway.start()
    assert refused(tunnel) == lab.UNREACHABLE
    assert errors(gateway, tunnel) == ["cannot connect to the listener: Connection refused"]
    listener = listen(echo)
    listener.secret = tunnel.listener
    gateway.update(tunnel.id, listener_ip_address=listener.contact[0], listener_port=listener.contact[1])
    for _ in range(2):
        call(tunnel).close()
    events = gateway.call("GET", f"/v2/tunnels/{tunnel.id}/events")[1]["data"]
    assert [event["attributes"]["code"] for event in events][-2:] == ["LISTENER_FAILED", "LISTENER_REACHED"]
    gateway.update(tunnel.id, listener_ip_address="127.0.0.1", listener_port=free_port())
    assert refused(tunnel) == lab.UNREACHABLE and len(errors(gateway, tunnel)) == 2


def test_listener_says_nothing(gateway, listen):
    tunnel = gateway.active(listen(lambda sock: sock.recv(1000) and sock.recv(1)).contact)
    began = time.monotonic()
    assert refused(tunnel) == lab.TIMED_OUT
    assert 8 < time.monotonic() - began < 10


def test_caller_that_leaves_takes_the_call_with_it(gateway, listen):
    left = threading.Event()

    def handle(sock):
        try:
            while sock.recv(1000):
                pass
        except ConnectionResetError:
            pass
        left.set()

    tunnel = gateway.active(listen(handle).contact)
    with socket.create_connection(tunnel.contact, timeout=5) as sock:
        hello = lab.header(lab.HELLO) + uuid.UUID(tunnel.initiator[0]).bytes + os.urandom(32)
        sock.sendall(hello)
        challenge = lab.receive_frame(sock, lab.CHALLENGE)
        sock.sendall(lab.header(lab.RESPONSE) + lab.mac(tunnel.initiator[1], b"caller", hello, challenge))
        time.sleep(0.1)
        assert not left.is_set()
    assert left.wait(2)


def test_ipv6_listener(gateway, listen):
    tunnel = through(gateway, listen(echo, host="::1"))
    with call(tunnel) as sock:
        sock.sendall(b"six")
        assert sock.recv(9) == b"six"


def test_named_listener(gateway, listen):
    listener = listen(echo)
    tunnel = through(gateway, listener)
    gateway.update(tunnel.id, listener_ip_address="LocalHost.", listener_port=listener.contact[1])
    assert gateway.show(tunnel.id)["listener_ip_address"] == "localhost"
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        for sock in pool.map(lambda _: call(tunnel), range(100)):
            sock.close()


def test_name_that_does_not_resolve(gateway):
    tunnel = gateway.active(("no-such-host.invalid", 1))
    assert refused(tunnel) in (lab.UNREACHABLE, lab.TIMED_OUT)


# --- the life of a tunnel ---


def test_stopping_cuts_connections_and_closes_the_port(ends, gateway):
    tunnel = gateway.call("GET", "/v2/tunnels")[1]["data"][0]["id"]
    port = gateway.show(tunnel)["initiator_port"]
    status, answer = gateway.update(tunnel, state="STOPPING")
    assert (status, answer["data"]["attributes"]["state"]) == (200, "STOPPED")
    for sock in ends:
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_stopping_cuts_handshakes_too(gateway, listen):
    tunnel = through(gateway, listen())
    with socket.create_connection(tunnel.contact, timeout=5) as sock:
        sock.sendall(lab.header(lab.HELLO))
        gateway.update(tunnel.id, state="STOPPING")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_new_listener_contact_is_for_new_connections(gateway, listen):
    tunnel = through(gateway, listen(echo), secured=False)
    other = listen(lambda sock: sock.sendall(b"other"))
    with call(tunnel) as old:
        old.sendall(b"x")
        assert old.recv(1) == b"x"
        gateway.update(tunnel.id, listener_ip_address="127.0.0.1", listener_port=other.contact[1])
        with call(tunnel) as new:
            assert receive(new, 5) == b"other"
        old.sendall(b"y")
        assert old.recv(1) == b"y"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_restart_keeps_contact_and_secrets(gateway, listen, how):
    tunnel = through(gateway, listen(echo))
    port = gateway.port
    with call(tunnel) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        assert gateway.stop(how) == (0 if how == signal.SIGTERM else -how)
        with pytest.raises(ConnectionResetError):
            if not sock.recv(1):
                raise ConnectionResetError  # a killed process's sockets end with a FIN
    gateway.start()
    assert gateway.port == port
    assert ("127.0.0.1", gateway.show(tunnel.id)["initiator_port"]) == tunnel.contact
    call(tunnel).close()


def test_a_contact_that_moved(gateway, listen):
    tunnel = through(gateway, listen(echo))
    port = gateway.port
    assert gateway.stop() == 0
    gateway.start("--new-ports")
    assert gateway.port != port
    with pytest.raises(ConnectionRefusedError):
        call(tunnel)
    moved = ("127.0.0.1", gateway.show(tunnel.id)["initiator_port"])
    assert moved != tunnel.contact
    tunnel.contact = moved
    call(tunnel).close()


def test_listener_delay(tmp_path, listen):
    gateway = Gateway(tmp_path / "state", "--listener-delay", "150")
    tunnel = through(gateway, listen(echo))
    began = time.monotonic()
    with call(tunnel) as sock:
        assert 0.15 <= time.monotonic() - began < 1
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    with socket.create_connection(tunnel.contact, timeout=5):  # one that leaves before that
        pass
    call(tunnel).close()
    assert gateway.stop() == 0


def test_lan_delay(tmp_path, listen):
    gateway = Gateway(tmp_path / "state", "--lan-delay", "150")
    listener = listen(echo)
    tunnel = through(gateway, listener)
    began = time.monotonic()
    with call(tunnel) as sock:  # CHALLENGE, HELLO, RESPONSE, STATUS
        assert 0.6 <= time.monotonic() - began < 2
        began = time.monotonic()
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
        assert time.monotonic() - began < 0.1
    assert gateway.stop() == 0
