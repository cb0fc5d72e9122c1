"""pace.py listen|call HOW HOST PORT: a connection on which it sends or reads at its own pace; HOW: send and read (as
fast as it can), drip and sip (slowly), hold (neither), or exchange (1000 bytes for 500, then hold). It has the name
in PACE_NAME, if that is set, which may have any bytes."""

import ctypes
import os
import socket
import sys
import time

role, how, host, port = sys.argv[1:]
if "PACE_NAME" in os.environ:
    ctypes.CDLL(None).prctl(15, os.environb[b"PACE_NAME"], 0, 0, 0)
if role == "listen":
    with socket.create_server((host, int(port))) as server:
        peer = server.accept()[0]
else:
    peer = socket.create_connection((host, int(port)))
block = bytes(1 << 20)
print("connected", flush=True)
while how == "send":
    peer.sendall(block)
while how == "read" and peer.recv(1 << 20):
    pass
while how == "drip":
    peer.sendall(block[:1000])
    time.sleep(0.02)
while how == "sip" and peer.recv(4096):
    time.sleep(0.02)
if how == "exchange":
    peer.sendall(block[:1000 if role == "call" else 500])
if how in ("hold", "exchange"):
    time.sleep(3600)
