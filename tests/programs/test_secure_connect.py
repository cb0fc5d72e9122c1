"""What is meant for a tunnel goes through it or fails; and the answers to a program are the kernel's."""

import errno
import struct

import odd_gateways as odd
from odd_gateways import OddGateway
from sockets_lab import FAKE_PORT, Initiator, script


def program(near, *words, **options):
    return near.run(*script("secure_connect.py", *words), **options)


def test_so_error_with_little_room(bare_lab):
    """Not a byte more is written than there is room for, and a question that is wrong takes no error away."""
    def refuses_late(gateway, connection):
        gateway.done.wait(0.1)
        odd.refuses(1)(gateway, connection)
    with OddGateway(refuses_late) as gateway:
        near = Initiator(bare_lab, gateway.port)
        for room in (0, 1, 3, 4, 8):
            said = program(near, "so_error", near.name, FAKE_PORT, -1, room).ok().split("\n")
            assert said[0] == f"EINVAL -1 {'aa' * 8}"
            error = struct.pack("=i", errno.EACCES)[:min(room, 4)]
            assert said[1] == f"0 {len(error)} {error.hex()}{'aa' * (8 - len(error))}"
