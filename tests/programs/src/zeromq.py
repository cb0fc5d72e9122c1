"""zeromq.py pull PORT COUNT | push HOST PORT COUNT: numbers through a PUSH/PULL pair."""

import sys

import zmq


def pull(port, count):
    socket = zmq.Context.instance().socket(zmq.PULL)
    socket.bind(f"tcp://*:{port}")
    print("sum", sum(int(socket.recv()) for _ in range(int(count))))


def push(host, port, count):
    socket = zmq.Context.instance().socket(zmq.PUSH)
    socket.connect(f"tcp://{host}:{port}")
    for number in range(int(count)):
        socket.send(str(number).encode())
    socket.close(linger=60_000)
    zmq.Context.instance().term()


{"pull": pull, "push": push}[sys.argv[1]](*sys.argv[2:])
