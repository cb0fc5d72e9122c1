"""Listening sockets that are bound to a device, between two network namespaces that a veth pair joins: the bell
has to come by an address of the device."""

import ctypes
import os
import socket
import subprocess
import threading

import pytest

from lab import RUN, free_port, missing, need
from processes import wait_for
from sockets_lab import Listener, script

CLONE_NEWNET = 0x40000000
NEAR, FAR = ("10.79.0.1", "fd79::1"), ("10.79.0.2", "fd79::2")


def spaced(pid, make):
    """What make() gives in the network namespace of a process: sockets stay in theirs."""
    made = []

    def thread():
        with open(f"/proc/{pid}/ns/net", "rb") as space:
            assert ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET) == 0
        made.append(make())
    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    assert made, "it did not work in there"
    return made[0]


def ip(pid, *words):
    done = subprocess.run([need("nsenter"), f"--net=/proc/{pid}/ns/net", need("ip"), *[str(word) for word in words]],
                          capture_output=True, text=True, check=False)
    if "Unknown device type" in done.stderr:
        missing("a kernel with veth")
    assert done.returncode == 0, done


class Apart(Listener):
    """A listening side in a network namespace of its own, and its callers in another."""

    def __init__(self, lab):
        super().__init__(lab, free_port(), host=NEAR[0])
        # the one waits for its device and becomes the launcher then, the other is there for the callers
        self.there = self.wait(RUN, "--base-dir", self.base, self.id, "--", *script(
            "listeners.py", "woken", self.port))
        self.outside = self.wait("true")

    def wait(self, *command):
        waits = self.lab.start(need("unshare"), "--net", "/bin/sh", "-c", 'echo "$$"; read -r more; exec "$@" $more',
                               "sh", *command, stdin="open")
        wait_for("its namespace", lambda: waits.out.endswith("\n"))
        return waits

    def join(self, addresses):
        """A veth pair, with addresses of these families."""
        near, far = self.there.pid, self.outside.pid
        ip(near, "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far)
        for family in addresses:
            extra = ["nodad"] if family else []
            ip(near, "address", "add", f"{NEAR[family]}/{64 if family else 24}", "dev", "near", *extra)
            ip(far, "address", "add", f"{FAR[family]}/{64 if family else 24}", "dev", "far", *extra)
        for pid, device in ((near, "near"), (near, "lo"), (far, "far")):
            ip(pid, "link", "set", device, "up")

    def no_ipv6(self):
        for device in ("default", "all"):
            subprocess.run([need("nsenter"), f"--net=/proc/{self.there.pid}/ns/net", "/bin/sh", "-c",
                            f"echo 1 >/proc/sys/net/ipv6/conf/{device}/disable_ipv6"], check=True)

    def begin(self, kind, rounds):
        self.there.process.stdin.write(f"{kind} {rounds} near\n".encode())
        self.there.process.stdin.close()

        def listens():
            text = "".join(open(f"/proc/{self.there.pid}/net/{table}", encoding="ascii").read()
                           for table in ("tcp", "tcp6"))
            return any(line.split()[1].endswith(f":{self.port:04X}") for line in text.splitlines() if " 0A " in line)
        wait_for("it listens", listens)

    def stranger(self, host=NEAR[0]):
        return spaced(self.outside.pid, lambda: socket.create_connection((host, self.port), self.patience))


@pytest.mark.parametrize("kind,families,host", [
    ("device", [0], NEAR[0]), ("dual_device", [0, 1], NEAR[1]), ("dual_device", [0, 1], NEAR[0]),
    ("dual_device", [0], NEAR[0])], ids=["v4", "v6", "mapped", "mapped-alone"])
def test_bound_to_a_device(bare_lab, kind, families, host):
    if os.geteuid() != 0:
        pytest.skip("only root may join two network namespaces")
    far = Apart(bare_lab)
    if families == [0]:
        far.no_ipv6()
    far.join(families)
    far.begin(kind, 2)
    for number in range(8):
        assert far.ask(number, host) == f"{number}\n", str(far.there)
    far.there.ok()
    far.outside.end()
