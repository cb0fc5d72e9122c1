"""bulk.py listen PORT | call HOST PORT: send SIZE bytes and receive as many, both at once; print the
checksums of what was sent and of what came."""

import hashlib
import os
import socket
import sys
import threading

SIZE = int(os.environ.get("BULK_SIZE", 1 << 30))
BLOCK = 1 << 20


def send(connection, result):
    checksum, block = hashlib.sha256(), bytearray(os.urandom(BLOCK))
    for number in range(SIZE // BLOCK):
        block[:8] = number.to_bytes(8, "big")
        checksum.update(block)
        connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)
    result.append(checksum.hexdigest())


def receive(connection):
    checksum, count, block = hashlib.sha256(), 0, bytearray(BLOCK)
    while n := connection.recv_into(block):
        checksum.update(memoryview(block)[:n])
        count += n
    if count != SIZE:
        sys.exit(f"{count} bytes instead of {SIZE}")
    return checksum.hexdigest()


if sys.argv[1] == "listen":
    with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as server:
        peer = server.accept()[0]
else:
    peer = socket.create_connection((sys.argv[2], int(sys.argv[3])))
sent = []
thread = threading.Thread(target=send, args=(peer, sent))
thread.start()
received = receive(peer)
thread.join()
print(sent[0], received)
