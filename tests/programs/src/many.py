"""many.py hold PORT | call COUNT HOST:PORT … | bomb DEPTH HOST:PORT

hold: take connections and answer a text on each, keeping all of them. call: open COUNT to each, keep them
all, and have a text answered on each; then wait for a line, and do it again. bomb: a process that forks two, which
fork two …; each of them connects, has a text answered, and ends.
"""

import os
import resource
import select
import socket
import sys


def hold(port):
    server = socket.create_server(("127.0.0.1", port), backlog=4096)
    server.setblocking(False)
    poll, held = select.epoll(), {}
    poll.register(server, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == server.fileno():
                try:
                    connection = server.accept()[0]
                except BlockingIOError:
                    continue
                held[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            elif text := held[number].recv(100):
                held[number].sendall(text)
            else:
                held.pop(number).close()


def connect(address, text):
    connection = socket.create_connection(address)
    connection.sendall(text)
    assert connection.recv(100) == text
    return connection


def call(count, *addresses):
    held = []
    for number in range(count):
        held += [connect(address, b"%d" % number) for address in addresses]
    print("open", len(held), flush=True)
    sys.stdin.readline()
    for number, connection in enumerate(held):
        connection.sendall(b"again %d" % number)
        assert connection.recv(100) == b"again %d" % number
    print("good", flush=True)


def bomb(depth, address):
    children = []
    while depth > 0:
        depth -= 1
        child = os.fork()
        if child == 0:
            children.clear()
        else:
            children.append(child)
    connect(address, b"boom").close()
    os.write(1, b"x")
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    os._exit(len(failed))


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
if sys.argv[1] == "hold":
    hold(int(sys.argv[2]))
else:
    to = [socket.getaddrinfo(*word.rsplit(":", 1), type=socket.SOCK_STREAM)[0][4] for word in sys.argv[3:]]
    (call if sys.argv[1] == "call" else bomb)(int(sys.argv[2]), *to)
