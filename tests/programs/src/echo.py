"""echo.py PORT: sends each connection back what it says."""

import socket
import sys
import threading


def serve(sock):
    with sock:
        try:
            while data := sock.recv(65536):
                sock.sendall(data)
        except OSError:
            pass


with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
