"""secure_connect.py KIND …: a program whose connections must go through the tunnel or nowhere. Prints what
came of it."""

import ctypes
import errno
import os
import select
import socket
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


def name_of(error):
    return errno.errorcode.get(error, str(error)) if error else "0"


def address(host, port):
    return socket.getaddrinfo(host, int(port), 0, socket.SOCK_STREAM)[0][::4]


def so_error(host, port, *rooms):
    """Connect without blocking to what refuses, and ask for the result with that room: what each question gave,
    the length that was written, and the bytes."""
    family, where = address(host, port)
    sock = socket.socket(family)
    sock.setblocking(False)
    sock.connect_ex(where)
    time.sleep(0.3)  # so that it has failed before it asks
    for room in rooms:
        value, length = (ctypes.c_ubyte * 8)(*[0xaa] * 8), ctypes.c_int(int(room))
        rc = libc.getsockopt(sock.fileno(), socket.SOL_SOCKET, socket.SO_ERROR, value, ctypes.byref(length))
        print(name_of(rc and ctypes.get_errno()), length.value, bytes(value).hex())


def hide():
    """From now on nobody may look into this process, but a root that may trace."""
    assert libc.prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE


def connect(host, port, family=None):
    """The outcome of one connect()."""
    own, where = address(host, port)
    with socket.socket(family or own) as sock:
        sock.settimeout(10)
        try:
            sock.connect(where)
            sock.sendall(b"word")
            said = sock.recv(4).decode() or "end"
        except OSError as error:
            said = "timeout" if isinstance(error, TimeoutError) and not error.errno else name_of(error.errno)
    print(said, flush=True)


def later(host, port):
    """connect() once there is a line on standard input."""
    print("ready", flush=True)
    sys.stdin.readline()
    connect(host, port)


def raw(family, where, length=16):
    """An IPv4 address with as many bytes behind it as make up the length."""
    return (family.to_bytes(2, sys.byteorder) + where[1].to_bytes(2, "big")
            + socket.inet_aton(where[0])).ljust(int(length), b"\0")


def send(host, port, kind, *lengths):
    """sendto() on a socket that is not connected, or on one that is, with addresses of some lengths."""
    family, where = address(host, port)
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
        if kind == "tcp":
            sock.connect(where)
        for length in lengths:
            to = raw(socket.AF_UNSPEC if kind == "no-family" else family, where, length)
            rc = libc.sendto(sock.fileno(), b"word", 4, 0, to, len(to))
            print(rc if rc >= 0 else name_of(ctypes.get_errno()))


def hidden(host, port):
    """It knows the address before it hides."""
    _, where = address(host, port)
    hide()
    connect(*where[:2])


def hidden_child(host, port, kind):
    """A child (or an orphan, whose parent has gone) of a child that was told; neither it nor this one was."""
    done, end = os.pipe()
    if os.fork():
        os.close(end)
        os.read(done, 1)
        return
    _, where = address(host, port)
    told = os.getpid()
    if os.fork():
        os._exit(0 if kind == "orphan" else os.wait()[0] * 0)
    while kind == "orphan" and os.getppid() == told:
        time.sleep(0.01)
    hide()
    connect(*where[:2])


def hidden_from_the_start(host, port, children, *told):
    """It was told nothing; so many children of it were."""
    hide()
    for _ in range(int(children)):
        if os.fork() == 0:
            assert libc.prctl(4, 1, 0, 0, 0) == 0
            address(*told)
            os._exit(0)
    for _ in range(int(children)):
        os.wait()
    connect(host, port)


def hidden_elsewhere(host, port, *where):
    """It knows the address, and connects to another."""
    address(host, port)
    hide()
    connect(*where)


def hidden_local(path, host, port):
    """It knows an address, and connects to a local socket by paths of some lengths."""
    address(host, port)
    hide()
    for more in ("", "/.", "/./.", "/././"):
        folder, name = os.path.split(path)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(f"{folder}{more}/{name}")
    print("connected")


def hidden_so_error(host, port):
    """It connects without blocking, hides, and asks then."""
    family, where = address(host, port)
    with socket.socket(family) as sock:
        sock.setblocking(False)
        sock.connect_ex(where)
        hide()
        select.select([], [sock], [], 10)
        try:
            print(name_of(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))
        except OSError as error:
            print("failed", name_of(error.errno))
            return
        sock.setblocking(True)
        sock.sendall(b"word")
        print(sock.recv(4).decode())


def ring(fd):
    """What a ring that was inherited is good for."""
    params = ctypes.create_string_buffer(120)
    calls = {"setup": (425, 1, params), "enter": (426, int(fd), 0, 0, 0, 0, 0),
             "register": (427, int(fd), 8, None, 0)}  # IORING_REGISTER_PROBE
    for name, call in calls.items():
        rc = libc.syscall(*call)
        print(name, "there" if rc >= 0 else name_of(ctypes.get_errno()))


def confined(name, mapped, *ports):
    """Forbid itself all connections by Landlock, and connect to a mapped name's virtual address and to the host
    itself."""
    virtual = address(name, mapped)[1][0]
    connect(virtual, ports[0])
    rules = struct.pack("=QQ", 0, 3)  # BIND_TCP and CONNECT_TCP
    made = libc.syscall(444, rules, len(rules), 0)
    if made < 0:
        print("no landlock")
        return
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.syscall(446, made, 0) == 0
    for port in (mapped, *ports):
        connect(virtual, port)
    connect("127.0.0.1", ports[0])


def filtered(host, port):
    """Refuse connect() to itself by a filter of its own, and to the supervisor's filter thus."""
    program = [(0x20, 0, 0, 0), (0x15, 0, 1, 42), (0x06, 0, 0, 0x50000 | errno.EACCES), (0x06, 0, 0, 0x7fff0000)]
    code = b"".join(struct.pack("=HBBI", *one) for one in program)
    filter_of = ctypes.create_string_buffer(code, len(code))
    prog = struct.pack("@HP", len(program), ctypes.addressof(filter_of))
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.syscall(317, 1, 0, prog) == 0
    connect(host, port)


def direct(host, port):
    """What the first connect() of the program says."""
    with socket.socket() as sock:
        print(name_of(sock.connect_ex((host, int(port)))))


def no_descriptor(host, port):
    """connect() to an IPv4 address on what cannot be connected to it: each error."""
    family, where = address(host, port)
    wanted = {"closed": 1000, "file": os.open("/dev/null", os.O_RDONLY),
              "local": socket.socket(socket.AF_UNIX).detach(), "other family": socket.socket(socket.AF_INET6).detach(),
              "short": socket.socket(socket.AF_INET6).detach(), "used": used()}
    for way, number in wanted.items():
        to = raw(family, where, 28 if way == "other family" else 16)
        rc = libc.connect(number, to, len(to))
        print(way, name_of(rc and ctypes.get_errno()))


def used():
    """An IPv6 socket that was connected once."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        sock = socket.socket(socket.AF_INET6)
        sock.connect(server.getsockname())
        return sock.detach()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
