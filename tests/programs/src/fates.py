"""Children that connect or accept and come to an end of their own meanwhile.

    fates.py echo PORT                    answer everybody
    fates.py call HOST PORT               commands on stdin, below
    fates.py serve PORT                   the same

    begin               a child connects and wants its text back, or accepts one connection and answers it
    kill | exit | exec  the child is killed, or another thread of it ends it, or puts a program in its place
    ask                 connect here, and want the text back
    serve               accept here, until ask has been answered

Each is answered by a line.
"""

import os
import signal
import socket
import sys
import threading


def say(*words):
    print(*words, flush=True)


def echo(connection):
    with connection:
        text = connection.recv(100)
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(100)
    return text


def ask(address, text):
    with socket.create_connection(address, timeout=None) as connection:
        connection.sendall(text)
        return connection.recv(100) == text


def obey(reading):
    """In the child: what else becomes of it."""
    fate = os.read(reading, 10)
    if fate == b"exec":
        os.execv("/bin/true", ["true"])
    os._exit(0)


def begin(work):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        threading.Thread(target=obey, args=(reading,), daemon=True).start()
        try:
            work()
        except OSError as error:
            print(error, file=sys.stderr, flush=True)
        os._exit(0)
    os.close(reading)
    say("begun", child)
    return child, writing


def end(child, writing, fate):
    if fate == "kill":
        os.kill(child, signal.SIGKILL)
    else:
        try:
            os.write(writing, fate.encode())
        except BrokenPipeError:
            pass  # it has ended by itself
    os.close(writing)
    os.waitpid(child, 0)
    say("gone")


def serve_last(server):
    while True:
        try:
            if echo(server.accept()[0]) == b"last":
                break
        except OSError:
            pass  # its caller has given up
    say("served")


def main(how, *words):
    server = address = child = None
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if how == "call":
        address = socket.getaddrinfo(*words, type=socket.SOCK_STREAM)[0][4]
    else:
        server = socket.create_server(("127.0.0.1", int(words[0])), backlog=64)
    while how == "echo":
        threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()
    for line in sys.stdin:
        word = line.strip()
        if word == "begin":
            child = begin(lambda: echo(server.accept()[0]) if server else ask(address, b"first"))
        elif word == "ask":
            say("good" if ask(address, b"last") else "bad")
        elif word == "serve":
            serve_last(server)
        else:
            end(*child, word)


main(*sys.argv[1:])
