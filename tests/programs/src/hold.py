"""hold.py listen PORT | call HOST PORT: one connection, held open until standard input ends. Prints the
process's id once it is there."""

import os
import socket
import sys

if sys.argv[1] == "listen":
    with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as server:
        peer = server.accept()[0]
else:
    peer = socket.create_connection((sys.argv[2], int(sys.argv[3])))
print(os.getpid(), flush=True)
sys.stdin.read()
