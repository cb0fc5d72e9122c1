"""callers.py KIND HOST PORT …: one program for each odd way to connect a socket. Prints what came of it."""

import array
import ctypes
import errno
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

CLONE_FILES = 0x400
MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, IPPROTO_MPTCP = 0x20000000, 30, 262
libc = ctypes.CDLL(None, use_errno=True)


def address(host, port, family=0):
    return socket.getaddrinfo(host, int(port), family, socket.SOCK_STREAM)[0][::4]


def fresh(host, port):
    family, where = address(host, port)
    return socket.socket(family), where


def name_of(error):
    return errno.errorcode.get(error, str(error))


def outcome(sock, connect):
    """An error's name, or the echo of a word."""
    try:
        connect()
        sock.settimeout(20)
        sock.sendall(b"word")
        return sock.recv(4).decode()
    except OSError as error:
        return "timeout" if isinstance(error, TimeoutError) and not error.errno else name_of(error.errno)


def started(host, port):
    """A socket that is connecting."""
    sock, where = fresh(host, port)
    sock.setblocking(False)
    assert sock.connect_ex(where) == errno.EINPROGRESS
    return sock


def close_early(host, port, count):
    for _ in range(int(count)):
        started(host, port).close()
    print("closed", flush=True)
    sys.stdin.read()


def killed(host, port, count):
    """The same by the death of the process."""
    for _ in range(int(count)):
        child = os.fork()
        if child == 0:
            sock = started(host, port)
            os.kill(os.getpid(), signal.SIGKILL * bool(sock))
        os.waitpid(child, 0)
    print("closed", flush=True)
    sys.stdin.read()


def duplicated(host, port):
    """Connected by one descriptor, asked and used by another, the first closed meanwhile."""
    sock = started(host, port)
    other = sock.dup()
    sock.close()
    select_writable(other)
    print(outcome(other, lambda: raise_error(other)))


def select_writable(sock):
    assert select.select([], [sock], [], 20)[1]


def raise_error(sock):
    error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


def inherited(host, port):
    """The parent makes the socket, the child connects it, the parent uses it."""
    sock, where = fresh(host, port)
    child = os.fork()
    if child == 0:
        os._exit(sock.connect_ex(where))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(name_of(status) if status else outcome(sock, lambda: None))


def inherited_while_connecting(host, port):
    """The parent begins to connect and closes; the child asks for the result."""
    sock = started(host, port)
    child = os.fork()
    if child == 0:
        select_writable(sock)
        print(outcome(sock, lambda: raise_error(sock)), flush=True)
        os._exit(0)
    sock.close()
    os.waitpid(child, 0)


def passed(host, port):
    """A socket from another process, by SCM_RIGHTS, under a number that the sender does not have."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    child = os.fork()
    if child == 0:
        sock, _ = fresh(host, port)
        theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
        theirs.recv(1)
        os._exit(0)
    data = ours.recvmsg(1, socket.CMSG_SPACE(4))[1][0][2]
    sock = socket.socket(fileno=fcntl_high(struct.unpack("i", data[:4])[0]))
    print(outcome(sock, lambda: sock.connect(address(host, port)[1])))
    ours.send(b"x")
    os.waitpid(child, 0)


def fcntl_high(number):
    high = fcntl.fcntl(number, fcntl.F_DUPFD, 200)
    os.close(number)
    return high


def passed_while_connecting(host, port):
    """It is passed on after EINPROGRESS, and the process that began to connect is gone."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    child = os.fork()
    if child == 0:
        sock = started(host, port)
        theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
        os._exit(0)
    data = ours.recvmsg(1, socket.CMSG_SPACE(4))[1][0][2]
    os.waitpid(child, 0)
    sock = socket.socket(fileno=fcntl_high(struct.unpack("i", data[:4])[0]))
    select_writable(sock)
    print(outcome(sock, lambda: raise_error(sock)))


def own_table(host, port):
    """A thread with a descriptor table of its own, in which the number is another file's in the leader's."""
    said, gate = [], threading.Event()

    def thread():
        assert libc.unshare(CLONE_FILES) == 0
        sock, where = fresh(host, port)
        decoy.append(sock.fileno())
        made.set()
        gate.wait()
        said.append(outcome(sock, lambda: sock.connect(where)))
    decoy, made = [], threading.Event()
    worker = threading.Thread(target=thread)
    worker.start()
    made.wait()
    null = os.open("/dev/null", os.O_RDONLY)
    if null != decoy[0]:
        os.dup2(null, decoy[0])
    gate.set()
    worker.join()
    print(said[0])


def threads(host, port, count):
    """Many threads that connect at once, each its own socket."""
    said = []

    def thread():
        sock, where = fresh(host, port)
        said.append(outcome(sock, lambda: sock.connect(where)))
    workers = [threading.Thread(target=thread) for _ in range(int(count))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(said.count("word"))


def one_socket_two_threads(host, port):
    """Both connect the same blocking socket: as the kernel has it, one of them does."""
    sock, where = fresh(host, port)
    said = []
    workers = [threading.Thread(target=lambda: said.append(sock.connect_ex(where))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(outcome(sock, lambda: None), *sorted({name_of(error) if error else "0" for error in said}))


def unspec(host, port):
    """connect() to no family drops a connection that is being made; then the socket is used again."""
    sock = started(host, port)
    no_family = struct.pack("=H14x", socket.AF_UNSPEC)
    assert libc.connect(sock.fileno(), no_family, len(no_family)) == 0
    sock.setblocking(True)
    print(outcome(sock, lambda: sock.connect(address(host, port)[1])))


def unspec_after(host, port):
    """The same once the connection is there."""
    sock, where = fresh(host, port)
    sock.connect(where)
    no_family = struct.pack("=H14x", socket.AF_UNSPEC)
    assert libc.connect(sock.fileno(), no_family, len(no_family)) == 0
    print(outcome(sock, lambda: sock.connect(where)))


def refused_then_elsewhere(host, port, elsewhere):
    """A socket whose connect() failed connects to another place."""
    sock, where = fresh(host, port)
    first = sock.connect_ex(where)
    print(name_of(first), outcome(sock, lambda: sock.connect(("127.0.0.1", int(elsewhere)))))


def mapped(host, port, only):
    """An IPv6 socket, with IPV6_V6ONLY or not, to the name's address written as an IPv4-mapped one."""
    _, where = address(host, port, socket.AF_INET)
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only))
    print(outcome(sock, lambda: sock.connect(("::ffff:" + where[0], where[1]))))


def ipv4_socket(host, port):
    """An IPv4 socket, though the name has an IPv6 address: by the address that it has in IPv4."""
    _, where = address(host, port)
    number = int.from_bytes(socket.inet_pton(socket.AF_INET6, where[0])[-4:], "big")
    virtual = socket.inet_ntoa(struct.pack(">I", 0xc6120000 + (number & 0x1ffff)))
    sock = socket.socket()
    begin = time.monotonic()
    print(outcome(sock, lambda: sock.connect((virtual, where[1]))), time.monotonic() - begin < 1)


def bound(host, port, source):
    """The socket is bound to a source address first."""
    sock, where = fresh(host, port)
    sock.bind((source, 0))
    print(outcome(sock, lambda: sock.connect(where)), sock.getsockname()[0])


def send_timeout(host, port, milliseconds):
    """SO_SNDTIMEO bounds a blocking connect()."""
    sock, where = fresh(host, port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                    struct.pack("ll", 0, int(milliseconds) * 1000))
    begin = time.monotonic()
    error = sock.connect_ex(where)
    took = time.monotonic() - begin
    print(name_of(error) if error else "connected", round(took * 1000))


def fastopen(host, port):
    """sendto(MSG_FASTOPEN) is not there; the program falls back to connect()."""
    sock, where = fresh(host, port)
    try:
        sock.sendto(b"word", MSG_FASTOPEN, where)
        print("sent past the tunnel")
    except OSError as error:
        print(name_of(error.errno), outcome(sock, lambda: sock.connect(where)))


def fastopen_message(host, port):
    sock, where = fresh(host, port)
    try:
        sock.sendmsg([b"word"], [], MSG_FASTOPEN, where)
        print("sent past the tunnel")
    except OSError as error:
        print(name_of(error.errno), outcome(sock, lambda: sock.connect(where)))


def burst(host, port, count):
    """A loop that starts many connections before it looks after the first; how long starting them took."""
    family, where = address(host, port)
    socks, begin = [socket.socket(family) for _ in range(int(count))], time.monotonic()
    for sock in socks:
        sock.setblocking(False)
        assert sock.connect_ex(where) in (0, errno.EINPROGRESS)
    took = time.monotonic() - begin
    for sock in socks:
        select_writable(sock)
        assert outcome(sock, lambda sock=sock: raise_error(sock)) == "word"
    print(round(took * 1000))


def loops(host, port, kind):
    """An event loop's connect() on a socket that is not quite an ordinary one."""
    family, where = address(host, port)
    try:
        sock = socket.socket(family, proto=IPPROTO_MPTCP if kind == "multipath" else 0)
    except OSError:
        sock = socket.socket(family)  # not on this kernel
    if kind == "fastopen_connect":
        sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
    sock.setblocking(False)
    assert sock.connect_ex(where) in (0, errno.EINPROGRESS)
    select_writable(sock)
    print(outcome(sock, lambda: raise_error(sock)))


def io_uring(*_):
    """io_uring_setup(1, params)"""
    params = ctypes.create_string_buffer(120)
    fd = libc.syscall(425, 1, params)
    print(name_of(ctypes.get_errno()) if fd < 0 else "there")


def several(*pairs):
    """Each HOST PORT pair in turn, all connections open at once."""
    socks = []
    for host, port in zip(pairs[::2], pairs[1::2]):
        sock, where = fresh(host, port)
        sock.connect(where)
        socks.append(sock)
    print(*(outcome(sock, lambda: None) for sock in socks))


def udp(host, port):
    """A datagram socket has no way into a tunnel."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    print(name_of(sock.connect_ex(address(host, port, socket.AF_INET)[1])))


def again(host, port):
    """connect() on a socket that is connected, and on one that is connecting, as the kernel has it."""
    sock, where = fresh(host, port)
    sock.connect(where)
    print(name_of(sock.connect_ex(where)), outcome(sock, lambda: None))


def again_while_connecting(host, port):
    sock = started(host, port)
    _, where = address(host, port)
    said = {name_of(sock.connect_ex(where))}
    select_writable(sock)
    end = name_of(sock.connect_ex(where))
    print(*said, end, name_of(sock.connect_ex(where)), outcome(sock, lambda: None))


def readable(sock, way):
    """Wait until the socket can be read, in one of the ways in which loops wait."""
    if way == "select":
        return select.select([sock], [], [], 20)[0]
    waiter = select.poll() if way == "poll" else select.epoll()
    waiter.register(sock, select.EPOLLIN | (select.EPOLLET if way == "edge" else 0))
    return waiter.poll(20_000 if way == "poll" else 20)


def reads_without_asking(host, port, way, count):
    """Waits for what the server says, and never asks whether the connection is there."""
    for _ in range(int(count)):
        sock = started(host, port)
        try:
            print(sock.recv(100).decode() if readable(sock, way) else "nothing")
        except OSError as error:
            print(name_of(error.errno))
        sock.close()


def low_water(host, port, before, during):
    """SO_RCVLOWAT, set before connect() and perhaps while it runs, is what it is set to afterwards."""
    sock, where = fresh(host, port)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, int(before))
    assert sock.connect_ex(where) == errno.EINPROGRESS
    print("connecting", flush=True)
    sys.stdin.readline()
    if int(during):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, int(during))
    raise_error(sock)
    print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT), outcome(sock, lambda: None))


def small_buffer(host, port, *sizes):
    """SO_RCVLOWAT, and whether a short answer wakes, where the receive buffer is small."""
    for size in sizes:
        sock, where = fresh(host, port)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(size))
        sock.setblocking(False)
        assert sock.connect_ex(where) == errno.EINPROGRESS
        select_writable(sock)
        raise_error(sock)
        sock.send(b"word")
        print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT),
              "woken" if select.select([sock], [], [], 5)[0] else "asleep")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
