"""stamps.py HOST PORT WAY: asks for transmit timestamps before it connects, sends three messages, and counts what comes in
its error queue: before the first message, and in all."""

import select
import socket
import sys

SO_TIMESTAMPING = 37
TX_SOFTWARE, SOFTWARE, TX_ACK, TSONLY = 1 << 1, 1 << 4, 1 << 9, 1 << 11


def count(sock, wanted):
    found, poll = 0, select.poll()
    poll.register(sock, 0)
    while found < wanted and poll.poll(5000 if wanted < 100 else 100):
        sock.recvmsg(64, 512, socket.MSG_ERRQUEUE)
        found += 1
    return found


host, port, way = sys.argv[1:]
where = socket.getaddrinfo(host, int(port), 0, socket.SOCK_STREAM)[0]
sock = socket.socket(where[0])
sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, TX_SOFTWARE | SOFTWARE | TX_ACK | TSONLY)
sock.setblocking(way == "blocking")
sock.connect_ex(where[4])
select.select([], [sock], [], 20)
assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
before, during = count(sock, 100), 0
for _ in range(3):
    sock.send(b"stamp\n")
    during += count(sock, 2)
print(before, during + count(sock, 100))
