"""What a suite runs in: through.py near HOST PORT LISTEN COMMAND … runs COMMAND, and before and after it
sends a word through tunnels in both directions, so that a suite whose launch had no working tunnel counts
for nothing. `through.py far HOST PORT LISTEN` is the other end.

This side calls HOST:PORT; the far side passes what comes on to its own HOST:PORT, which leads back to this
side's LISTEN, and then the answer the same way.
"""

import socket
import subprocess
import sys

LIMIT = 20


def listening(port):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("0.0.0.0", port))
    made.listen()
    return made


def read_line(sock):
    return sock.makefile("rb").readline()


def far(host, port, listen):
    with listening(listen) as listener:
        while True:
            here, _ = listener.accept()
            with here:
                here.settimeout(LIMIT)
                word = read_line(here)
                with socket.create_connection((host, port), LIMIT) as back:
                    back.sendall(word)
                    here.sendall(read_line(back))


def round_trip(host, port, listen, word):
    with listening(listen) as listener, socket.create_connection((host, port), LIMIT) as out:
        listener.settimeout(LIMIT)
        out.sendall(word)
        back, _ = listener.accept()
        with back:
            back.settimeout(LIMIT)
            if read_line(back) != word:
                sys.exit("through.py: another word came back")
            back.sendall(word.upper())
        if read_line(out) != word.upper():
            sys.exit("through.py: another answer came")


def main():
    role, host, port, listen = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if role == "far":
        far(host, port, listen)
    round_trip(host, port, listen, b"before\n")
    status = subprocess.run(sys.argv[5:], check=False).returncode
    round_trip(host, port, listen, b"after\n")
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
