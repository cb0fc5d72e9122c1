"""secure_listen.py KIND PORT …: programs that listen in ways that others could suffer from, and their victims. Each
connection that a server takes sends a line, which is printed with the server's name and sent back."""

import ctypes
import errno
import os
import resource
import select
import signal
import socket
import sys
import threading
import time

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, IPV6_V6ONLY = 1, 4, 26
SYS_ACCEPT4 = {"x86_64": 288, "aarch64": 242}[os.uname().machine]
LIBC = ctypes.CDLL(None, use_errno=True)


def say(*words):
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def bound(port, host="127.0.0.1", *options):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in options:
        made.setsockopt(*option)
    made.bind((host, int(port)))
    return made


def listening(port, host="127.0.0.1"):
    made = bound(port, host)
    made.listen(1024)
    return made


def take(listener, name):
    """What is there now."""
    while True:
        try:
            peer = listener.accept()[0]
        except BlockingIOError:
            return
        peer.settimeout(10)
        line = peer.makefile("rb").readline()
        say(name, line.decode().strip())
        peer.sendall(line)
        peer.close()


def serve(listener, name="server"):
    listener.setblocking(False)
    say(name, "listens")
    while True:
        if select.select([listener], [], [], 20)[0]:
            take(listener, name)


def become_other():
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(61235)
        os.setuid(61235)
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def thief(port, host):
    """A bind() to the server's address, which fails, and one to another of the same port. It asks for connections all
    the time, woken or not."""
    become_other()
    wild = host == "0.0.0.0"
    made = socket.socket(socket.AF_INET6 if wild else socket.AF_INET)
    if wild:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_V6ONLY, 0)
    try:
        made.bind(("::ffff:0.0.0.0" if wild else host, int(port)))
        say("thief: bound")
    except OSError:
        pass
    if wild:
        made.setsockopt(socket.IPPROTO_IPV6, IPV6_V6ONLY, 1)
    made.bind(("::1" if wild else "127.0.0.2", int(port)))
    made.listen(8)
    made.setblocking(False)
    say("thief listens")
    while True:
        take(made, "thief")
        time.sleep(0.0005)


def theft(port, host):
    made = listening(port, host)
    if os.fork() == 0:
        made.close()
        thief(port, host)
    serve(made)


def failed_binds(port, count):
    """So many sockets that are bound nowhere, each after a bind() that failed; kept. Then one that listens."""
    kept = []
    for _ in range(int(count)):
        kept.append(socket.socket())
        try:
            kept[-1].bind(("192.0.2.1", int(port)))
            say("bound")
        except OSError:
            pass
    serve(listening(port))


def failed_listens(port, count, other):
    """The same with listen() on sockets that are bound: another listens at their address."""
    kept = [bound(port) for _ in range(int(count))]
    first = listening(port)
    for one in kept:
        try:
            one.listen(1)
            say("listens")
        except OSError as error:
            assert error.errno == errno.EADDRINUSE
    first.setblocking(False)
    second = listening(other)
    second.setblocking(False)
    for one in (first, second):
        wait_for_room(one)
    say("room")
    serve(second)


def wait_for_room(listener):
    end = time.monotonic() + 10
    while True:
        try:
            take(listener, "early")
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS or time.monotonic() > end:
                raise
        time.sleep(0.02)


def several(*ports):
    """A listener at each port; what the first accept() on each gives; then the last of them serves."""
    made = [listening(port) for port in ports]
    good = None
    for port, one in zip(ports, made):
        one.setblocking(False)
        try:
            take(one, "early")
            say(port, "good")
            good = one
        except OSError as error:
            say(port, errno.errorcode[error.errno])
    serve(good)


def flags(port):
    """accept4() with more in the upper half of its flags: the kernel looks at an int's worth."""
    made = listening(port)
    say("server listens")
    taken = LIBC.syscall(ctypes.c_long(SYS_ACCEPT4), made.fileno(), None, None, ctypes.c_ulong(0xdead << 32))
    say("server", socket.socket(fileno=taken).makefile("rb").readline().decode().strip())


def accepted(listener):
    """What accept() says."""
    try:
        return listener.accept()[0].recv(100).decode().strip()
    except OSError as error:
        return errno.errorcode[error.errno]


def blind(port, how):
    """A program that cannot be inspected when it accepts: since before bind(), or since listen(), itself or a child
    of it; or one that has ended. Beside it an agent of AF_UNIX, which cannot be inspected either."""
    path = os.path.join(os.environ["TMPDIR"], "agent-of-this-test")
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0 and os.fork():
        os._exit(0)
    if child == 0:
        LIBC.prctl(PR_SET_DUMPABLE, 0)
        with socket.socket(socket.AF_UNIX) as agent:
            agent.bind(path)
            agent.listen()
            say("agent listens")
            os.read(ready, 1)
            say("agent", accepted(agent))
        os._exit(0)
    os.waitpid(child, 0)
    if how == "ended":
        child = os.fork()
        if child == 0:
            listening(port)
            os._exit(0)
        os.waitpid(child, 0)
        os.write(tell, b"1")
        say("server listens")
        sys.stdin.readline()
        return
    if how == "before":
        LIBC.prctl(PR_SET_DUMPABLE, 0)
    made = listening(port)
    if how == "child":
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            serve(made)
    if how == "orphan" and os.fork():
        os._exit(0)
    LIBC.prctl(PR_SET_DUMPABLE, 0)
    os.write(tell, b"1")
    say("server listens")
    sys.stdin.readline()
    say("server", accepted(made))


def call_agent(*_):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(os.path.join(os.environ["TMPDIR"], "agent-of-this-test"))
        sock.sendall(b"word\n")


def once(port):
    """One accept(), whatever it says."""
    made = listening(port)
    say("server listens")
    say("server", accepted(made))


def before_listen(port):
    """accept() on a socket that is bound and does not listen."""
    say(accepted(bound(port)))


def urgent(port):
    """select(), and then accept(), which may give what a stranger left: not a byte of it is there."""
    made = listening(port)
    say("server listens")
    select.select([made], [], [], 20)
    taken = made.accept()[0]
    taken.setblocking(False)
    try:
        say("urgent", taken.recv(1, socket.MSG_OOB))
    except OSError as error:
        say("none", errno.errorcode[error.errno])
    say("rest", accepted_rest(taken))


def accepted_rest(taken):
    try:
        return taken.recv(100)
    except OSError as error:
        return errno.errorcode[error.errno]


def strangers(port, count):
    """So many silent connections from 127.0.0.2, as many open at a time as may be."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    kept, made = [], 0
    while made < int(count):
        sock = socket.socket()
        sock.bind(("127.0.0.2", 0))
        sock.settimeout(5)
        try:
            sock.connect(("127.0.0.1", int(port)))
        except OSError:
            sock.close()
            continue
        made += 1
        kept.append(sock)
        if len(kept) > min(4000, most - 50):
            kept.pop(0).close()
    say("strangers", made)
    sys.stdin.readline()


def devices(port):
    """Two sockets that say SO_REUSEPORT at one address, the one at the device lo alone, which gets all from there: what
    the other gives meanwhile, and then that one."""
    reuses = (socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    own = bound(port, "0.0.0.0", reuses, (socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo"))
    other = bound(port, "0.0.0.0", reuses)
    for one in other, own:  # among such the kernel prefers the latest
        one.listen(8)
        one.setblocking(False)
    say("server listens")
    sys.stdin.readline()  # a caller is authenticated
    for _ in range(20):
        say("other", accepted(other))
    say("own", accepted(own))


def elsewhere(port, *others):
    """Listens on other ports, and on the tunnel's too unless that is 0; then waits."""
    made = [listening(other) for other in others]
    if int(port):
        made.append(listening(port))
    say("server listens")
    sys.stdin.readline()


def shut(port, count):
    """Sockets that have listened, were shut down, and stay; and one that listens."""
    kept = []
    server = listening(port)
    for _ in range(int(count)):
        kept.append(listening(port, "127.0.0.2"))
        kept[-1].shutdown(socket.SHUT_RDWR)
    say("shut", len(kept))
    serve(server)


def walk(port, count):
    """Listens at so many addresses, one after the other, and then at the right one."""
    for number in range(int(count)):
        listening(port, f"127.0.{number}.2").close()
    serve(listening(port))


def interrupted(*_):
    raise InterruptedError


def untold(listener):
    """A worker whose accept() is interrupted when the connection is in its table already."""
    signal.signal(signal.SIGUSR1, interrupted)
    try:
        say("accepts", os.getpid())
        listener.accept()
    except InterruptedError:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    say("interrupted")
    sys.stdin.readline()  # it is owed
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in range(listener.fileno(), 64)
             if os.path.exists(f"/proc/self/fd/{fd}")]
    say("has", sum("socket" in link for link in links))


def answer(listener, name):
    with listener.accept()[0] as peer:
        line = peer.makefile("rb").readline()
        say(name, line.decode().strip())
        peer.sendall(line)


def forks(port, way):
    """A worker that was not told of its connection forks a child, which has it too; then it ends, and another accepts;
    or both accept, first the child."""
    listener = listening(port)
    say("server listens")
    worker = os.fork()
    if worker == 0:
        untold(listener)
        child = os.fork()
        if child == 0 and way == "ends":
            LIBC.prctl(PR_SET_PDEATHSIG, 0)
            signal.pause()
        if child == 0:
            answer(listener, "child")
        elif way == "stays":
            os.waitpid(child, 0)
            answer(listener, "owner")
        else:
            say("child", child)
        os._exit(0)
    os.waitpid(worker, 0)
    if way == "ends":
        answer(listener, "other")


def accepts(port, count):
    """So many accept() at a time; those that fail say so."""
    made = listening(port)

    def one():
        say(accepted(made))
    threads = [threading.Thread(target=one, daemon=True) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


globals()[sys.argv[1]](*sys.argv[2:])
