"""listeners.py KIND PORT COUNT …: servers that wait for their connections in different ways. Each connection
sends a line; the server prints the line, and who took it, and sends it back, until COUNT have come."""

import ctypes
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
import time

LIMIT = 25
TCP_DEFER_ACCEPT, IPV6_V6ONLY = 9, 26


def make(port, address="", family=socket.AF_INET, backlog=128, options=(), blocking=False):
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for level, name, value in options:
        made.setsockopt(level, name, value)
    made.bind((address, int(port)))
    made.listen(backlog)
    made.setblocking(blocking)
    return made


def say(*words):
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def serve(peer, who="it"):
    """One line, and back."""
    peer.setblocking(True)
    line = peer.makefile("rb").readline()
    say(line.decode().strip(), who)
    peer.sendall(line)
    peer.close()


def wait_epoll(listener, flags):
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN | flags)
    while poller.poll(LIMIT):
        yield
    sys.exit("listeners.py: not woken")


def take_all(listener):
    """What accept() has until it has no more."""
    while True:
        try:
            yield listener.accept()[0]
        except BlockingIOError:
            return


def loop(listener, count, flags=0):
    """An event loop: the listener's, and how often it was woken."""
    left, wakes = int(count), 0
    for _ in wait_epoll(listener, flags):
        wakes += 1
        for peer in take_all(listener):
            serve(peer)
            left -= 1
        if left <= 0:
            break
    say("wakes", wakes)


def level(port, count):
    loop(make(port), count)


def edge(port, count):
    loop(make(port), count, select.EPOLLET)


def poll(port, count):
    listener, left = make(port), int(count)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    while left:
        if not poller.poll(LIMIT * 1000):
            sys.exit("listeners.py: not woken")
        for peer in take_all(listener):
            serve(peer)
            left -= 1


def blocking(port, count):
    listener = make(port, blocking=True)
    for _ in range(int(count)):
        serve(listener.accept()[0])


def poll_then_accept(port, count):
    """A blocking socket, accepted from when poll() says so."""
    listener = make(port, blocking=True)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    for _ in range(int(count)):
        if not poller.poll(LIMIT * 1000):
            sys.exit("listeners.py: not woken")
        serve(listener.accept()[0])


def threads(port, count):
    """Four threads in accept() on one blocking socket."""
    listener, left, lock = make(port, blocking=True), [int(count)], threading.Lock()

    def worker(number):
        while True:
            serve(listener.accept()[0], number)
            with lock:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(0)
    for number in range(4):
        threading.Thread(target=worker, args=(number,), daemon=True).start()
    time.sleep(LIMIT)
    sys.exit("listeners.py: not all came")


def prefork(port, count, flags="et"):
    """Three processes, each with an epoll of its own on one listening socket, as nginx and others have it."""
    listener = make(port)
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            poller = select.epoll()
            poller.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE |
                            (select.EPOLLET if flags == "et" else 0))
            while True:
                poller.poll()
                for peer in take_all(listener):
                    serve(peer, number)
        children.append(child)
    signal.sigwait({signal.SIGTERM})
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def idle(port, count):
    """Listens, and takes nothing before a line of input; then all, without blocking."""
    listener = make(port)
    for _ in take_all(listener):
        sys.exit("listeners.py: already one")
    say("idle")
    sys.stdin.readline()
    loop(listener, count)


def waiter(listener, way):
    """What waits until there is a connection, in one of the ways in which loops wait; false: in vain."""
    if way == "select":
        return lambda: select.select([listener], [], [], LIMIT)[0]
    waits = select.poll() if way == "poll" else select.epoll()
    waits.register(listener, select.EPOLLIN | (select.EPOLLET if way == "edge" else 0))
    return lambda: waits.poll(LIMIT * 1000 if way == "poll" else LIMIT)


INHERITED = {"low_water": (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 100),
             "cork": (socket.IPPROTO_TCP, socket.TCP_CORK, 1)}
KINDS = {
    "low_water": lambda port, _: make(port, options=[INHERITED["low_water"]]),
    "cork": lambda port, _: make(port, options=[INHERITED["cork"]]),
    "any": lambda port, _: make(port),
    "specific": lambda port, _: make(port, "127.0.0.5"),
    "v6": lambda port, _: make(port, "::1", socket.AF_INET6),
    "v6only": lambda port, _: make(port, "::", socket.AF_INET6, options=[(socket.IPPROTO_IPV6, IPV6_V6ONLY, 1)]),
    "dual": lambda port, _: make(port, "::", socket.AF_INET6, options=[(socket.IPPROTO_IPV6, IPV6_V6ONLY, 0)]),
    "deferred": lambda port, _: make(port, options=[(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 5)]),
    "full": lambda port, _: make(port, backlog=1),
    "device": lambda port, name: make(port, options=[(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())]),
    "dual_device": lambda port, name: make(port, "::", socket.AF_INET6, options=[
        (socket.IPPROTO_IPV6, IPV6_V6ONLY, 0), (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())]),
}


def woken(port, kind, rounds, device=""):
    """A listening socket of a kind, waited on in each way for some rounds."""
    listener = KINDS[kind](port, device)
    for way in ("level", "edge", "poll", "select"):
        wait, left = waiter(listener, way), int(rounds)
        while left:
            if not wait():
                sys.exit(f"listeners.py: not woken: {way}")
            for peer in take_all(listener):
                if kind in INHERITED:
                    name = INHERITED[kind][:2]
                    assert peer.getsockopt(*name) == INHERITED[kind][2], peer.getsockopt(*name)
                serve(peer)
                left -= 1
                if not left:
                    break


def reuseport(port, way):
    """Three processes with a listening socket each at the same port."""
    children = []
    for number in range(3):
        child = os.fork()
        if child == 0:
            listener = make(port, options=[(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)])
            wait = waiter(listener, way)
            while wait():
                for peer in take_all(listener):
                    serve(peer, number)
        children.append(child)
    signal.sigwait({signal.SIGTERM})
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def steered(port):
    """Two REUSEPORT sockets, and a program that has the kernel give each connection to the first. The second's
    process looks every few milliseconds."""
    first, second = (make(port, options=[(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)]) for _ in range(2))
    code = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0), 8)  # ret 0
    first.setsockopt(socket.SOL_SOCKET, 51, struct.pack("HP", 1, ctypes.addressof(code)))
    if not (child := os.fork()):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        first.close()
        while True:
            for peer in take_all(second):
                serve(peer, "second")
            time.sleep(0.002)
    second.close()
    poller = select.epoll()
    poller.register(first, select.EPOLLIN)
    while not signal.sigpending():
        if poller.poll(0.05):
            for peer in take_all(first):
                serve(peer, "first")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def inherited(port, count):
    """LISTEN_FDS: the socket is descriptor 3, and the variables name this process."""
    assert os.environ["LISTEN_PID"] == str(os.getpid()), "LISTEN_PID is another's"
    listener = socket.socket(fileno=3)
    assert listener.getsockname()[1] == int(port)
    listener.setblocking(False)
    loop(listener, count)


def receive_timeout(port, milliseconds):
    """SO_RCVTIMEO bounds a blocking accept(): EAGAIN."""
    listener = make(port, blocking=True)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO,
                        struct.pack("ll", 0, int(milliseconds) * 1000))
    begin = time.monotonic()
    try:
        serve(listener.accept()[0])
    except BlockingIOError:
        say("EAGAIN", round((time.monotonic() - begin) * 1000))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, bytes(16))
    serve(listener.accept()[0])


def full_table(port, _count):
    """No descriptor is free: EMFILE, as the kernel has it, and the connection is there for the next."""
    listener = make(port)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, limit[1]))
    fillers = []
    while True:
        try:
            fillers.append(os.dup(0))
        except OSError:
            break
    say("full")
    while True:
        if not poller.poll(LIMIT * 1000):
            sys.exit("listeners.py: not woken")
        try:
            peer = listener.accept()[0]
        except BlockingIOError:
            continue
        except OSError as error:
            say("error", error.errno)
            os.close(fillers.pop())
            continue
        serve(peer)
        return


def flags(port, _count):
    """What accept4() was asked for is what the new descriptor has; the peer's address is cut to its room."""
    listener = make(port, blocking=True)
    libc = ctypes.CDLL(None, use_errno=True)
    for wanted in (0, socket.SOCK_NONBLOCK, socket.SOCK_CLOEXEC, socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
        room = ctypes.create_string_buffer(b"\xff" * 16, 16)
        length = ctypes.c_uint(8)
        fd = libc.accept4(listener.fileno(), room, ctypes.byref(length), wanted)
        assert fd >= 0, ctypes.get_errno()
        peer = socket.socket(fileno=fd)
        family, port_there = struct.unpack("=H", room.raw[:2])[0], struct.unpack("!H", room.raw[2:4])[0]
        assert (family, port_there) == (socket.AF_INET, peer.getpeername()[1])
        assert room.raw[4:8] == b"\x7f\0\0\1" and room.raw[8:] == b"\xff" * 8 and length.value == 16
        assert bool(wanted & socket.SOCK_NONBLOCK) != os.get_blocking(fd)
        assert bool(wanted & socket.SOCK_CLOEXEC) != os.get_inheritable(fd)
        serve(peer)


def busy(port, workers):
    """Each worker keeps its connection until the end of file, and says how much came with it."""
    listener = make(port, blocking=True)

    def work():
        while True:
            peer, _ = listener.accept()
            with peer:
                count = 0
                while data := peer.recv(4096):
                    count += len(data)
                    peer.sendall(data)
            say("had", count)
    for _ in range(int(workers)):
        threading.Thread(target=work, daemon=True).start()
    signal.sigwait({signal.SIGTERM})


def self_wake(port, how):
    """One thread accepts; when SIGTERM comes it is woken by a connection to itself, and has to find nothing in it."""
    listener = make(port, blocking=True)
    stopping = threading.Event()

    def work():
        while True:
            peer, _ = listener.accept()
            if stopping.is_set():
                say("woken", peer.recv(100), peer.recv(100))
                return
            serve(peer)
    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    signal.sigwait({signal.SIGTERM})
    stopping.set()
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", int(port)), LIMIT) as waker:
        if how == "says":
            waker.sendall(b"unasked")
        if how == "resets":
            waker.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how in ("closes", "resets"):
            waker.close()
        worker.join(LIMIT)
    say("stopped", int(1000 * (time.monotonic() - begin)))


def again(port, count):
    """How many accept() that poll() had called for came back empty?"""
    listener = make(port)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    got = empty = 0
    while got < int(count) and poller.poll(LIMIT * 1000):
        try:
            serve(listener.accept()[0])
            got += 1
        except BlockingIOError:
            empty += 1
    say("empty", empty)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM} if sys.argv[1] in ("prefork", "reuseport", "busy", "steered", "self_wake") else ())
    globals()[sys.argv[1]](*sys.argv[2:])
