"""asking.py HOST PORT HOW [COUNT [PAUSE]]: COUNT non-blocking connects, one after the other unless HOW says else, each
of which echoes a word. A line for each: what came of it, what connect() said, and how many ms it took.

    write   wait until the socket is writable, and write        (LuaSocket, Bun, libmemcached, HAProxy)
    name    getpeername() in between                            (libldap, PHP, omniORB)
    ask     SO_ERROR if connect() said EINPROGRESS              (asyncio, Go, Java, Erlang)
    always  SO_ERROR whatever it said                           (Node, curl, nginx)
    again   a second connect() instead
    burst   as ask, but all are begun before the first is asked about
    threads as ask, each in a thread of its own, at once
    both    write and ask in turn
    keep    as write, but no connection is closed
"""

import errno
import os
import select
import socket
import sys
import threading
import time


kept = []


def begin(where):
    sock = socket.socket(where[0])
    sock.setblocking(False)
    since = time.monotonic()
    said = sock.connect_ex(where[4])
    return sock, said, round((time.monotonic() - since) * 1000)


def wait(sock, event):
    poll = select.poll()
    poll.register(sock, event)
    if not poll.poll(10_000):
        raise TimeoutError("nothing came of it")


def ask(sock, said, where, how):
    if how == "name":
        sock.getpeername()
    if how == "always" or (how == "ask" and said):
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
    if how == "again":
        error = sock.connect_ex(where[4])
        if error not in (0, errno.EISCONN):
            raise OSError(error, os.strerror(error))


def finish(sock, said, where, how):
    try:
        if said not in (0, errno.EINPROGRESS):
            raise OSError(said, os.strerror(said))
        wait(sock, select.POLLOUT)
        ask(sock, said, where, how)
        sock.send(b"word")
        wait(sock, select.POLLIN)
        return sock.recv(100).decode() or "closed"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    finally:
        kept.append(sock) if how == "keep" else sock.close()


def say(came, said, took):
    print(came, errno.errorcode.get(said, "0"), took, flush=True)


def one(where, how):
    sock, said, took = begin(where)
    say(finish(sock, said, where, how), said, took)


def main(host, port, how, count=1, pause=0):
    where = socket.getaddrinfo(host, int(port), 0, socket.SOCK_STREAM)[0]
    if how == "burst":
        begun = [begin(where) for _ in range(int(count))]
        for sock, said, took in begun:
            say(finish(sock, said, where, "ask"), said, took)
        return
    if how == "threads":
        threads = [threading.Thread(target=one, args=(where, "ask")) for _ in range(int(count))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return
    for number in range(int(count)):
        one(where, ("write", "ask")[number % 2] if how == "both" else how)
        time.sleep(float(pause))


main(*sys.argv[1:])
