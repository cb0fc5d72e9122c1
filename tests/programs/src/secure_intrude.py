"""secure_intrude WHAT WHERE …: try to get at a file or a process, and say for each how it went."""

import ctypes
import os
import signal
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE, PIDFD_OPEN, PIDFD_GETFD = 0x4206, 434, 438


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path):
    with open(path, "rb") as file:
        return f"{len(file.read())} bytes"


def write(path):
    with open(path, "ab"):
        return "open"


def mem(pid):
    with open(f"/proc/{pid}/mem", "rb") as file:
        return f"open: {file}"


def environ(pid):
    return read(f"/proc/{pid}/environ")


def descriptors(pid):
    """Root may see the numbers (the folder is root's); what they are is another matter."""
    names = os.listdir(f"/proc/{pid}/fd")
    return str([os.readlink(f"/proc/{pid}/fd/{name}") for name in names])


def trace(pid):
    checked(libc.ptrace(PTRACE_SEIZE, int(pid), 0, 0))
    return "traced"


def take(pid):
    pidfd = checked(libc.syscall(PIDFD_OPEN, int(pid), 0))
    return f"descriptor {[checked(libc.syscall(PIDFD_GETFD, pidfd, number, 0)) for number in range(16)]}"


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


def vm(pid):
    room = ctypes.create_string_buffer(16)
    here, there = Iovec(ctypes.addressof(room), 16), Iovec(0x1000, 16)
    checked(libc.process_vm_readv(int(pid), ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    return "read"


def vm_write(pid):
    room = ctypes.create_string_buffer(16)
    here, there = Iovec(ctypes.addressof(room), 16), Iovec(0x1000, 16)
    checked(libc.process_vm_writev(int(pid), ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    return "written"


def reopen(pid):
    """A descriptor by its place in /proc."""
    for number in range(64):
        try:
            os.close(os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR))
            return f"descriptor {number}"
        except FileNotFoundError:
            continue
    raise PermissionError("none is shown")


def mem_write(pid):
    with open(f"/proc/{pid}/mem", "r+b") as file:
        return f"open: {file}"


def kill(pid):
    os.kill(int(pid), signal.SIGCONT)
    return "signalled"


def control(path):
    """Ask for the status."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(5)
        asking.connect(path)
        asking.send(struct.pack("=BBHI", 1, 4, 0, 8))
        told = asking.recv(1000)
        if not told:
            raise ConnectionResetError("hung up")
        return f"{len(told)} bytes"


if __name__ == "__main__":
    for what, where in zip(sys.argv[1::2], sys.argv[2::2]):
        try:
            told = globals()[what](where)
        except OSError as error:
            told = f"refused: {error}"
        print(f"{what} {where}={told}")
