"""Processes: starting, bounding and ending them, and knowing whose they are.

The test run makes itself a child subreaper: whatever a test leaves behind, however often it forked and
whoever ended, becomes a child of the run, can be seen, and is ended by its id.
"""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

PR_SET_CHILD_SUBREAPER = 36


HIDDEN = not os.path.exists("/proc/1")  # by hidepid: then not even a user's own keepers and supervisors are seen


def needs_to_see():
    """For whoever looks for the tool's processes."""
    if HIDDEN:
        pytest.skip("this /proc hides processes (hidepid)")


def adopt_orphans():
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def wait_for(what, condition, timeout=20):
    """Wait until condition() is true and return what it returned; fail with what is missing."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.01)


def stat_of(pid):
    """(name, state, parent) of a process, or None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text[text.index("(") + 1:].rsplit(")", 1)
    state, parent = rest.split()[:2]
    return name, state, int(parent)


def ended(pid):
    """Has it ended, whether or not somebody has waited for it?"""
    stat = stat_of(pid)
    return not stat or stat[1] == "Z"


def all_processes():
    pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return {pid: stat for pid in pids if (stat := stat_of(pid))}


def descendants(root, without=()):
    """The processes below root, except those in `without` and all below them: {pid: (name, state)}."""
    table = all_processes()
    children = {}
    for pid, (_, _, parent) in table.items():
        children.setdefault(parent, []).append(pid)
    found, todo = {}, [root]
    while todo:
        for pid in children.get(todo.pop(), []):
            if pid not in without:
                found[pid] = table[pid][:2]
                todo.append(pid)
    return found


class Program:
    """A command that was started: its streams go to files, its end is waited for with a limit."""

    def __init__(self, command, folder, env, stdin=None, cwd=None):
        self.command = [str(word) for word in command]
        folder.mkdir(parents=True, exist_ok=True)
        self.out_path, self.err_path = folder / "stdout", folder / "stderr"
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                self.command, stdout=out, stderr=err, env=env, cwd=cwd or folder,
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                preexec_fn=os.setpgrp)  # a job of its own, as a shell would make it
        self.pid = self.process.pid
        if stdin not in (None, "open"):
            self.process.stdin.write(stdin.encode())
            self.process.stdin.close()

    @property
    def out(self):
        return self.out_path.read_text(errors="replace")

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def wait(self, timeout=30):
        """Its exit status: 128+N for a signal, as a shell has it."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout} s: {self}") from None
        return 128 - status if status < 0 else status

    def ok(self, timeout=30):
        """Wait for success and return what it printed."""
        status = self.wait(timeout)
        assert status == 0, f"exit {status}: {self}"
        return self.out

    def running(self):
        return self.process.poll() is None

    def children(self):
        needs_to_see()
        return descendants(self.pid)

    def end(self):
        """Ask it to end, and then see to it."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    pass

    def __str__(self):
        return f"{' '.join(self.command)}\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"


def reap(pid):
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def left_over(known):
    """Our processes that are still there, without those known and what is below them. Reaps."""
    found = descendants(os.getpid(), without=known)
    for pid, (_, state) in found.items():
        if state == "Z":
            reap(pid)
    return {pid: name for pid, (name, state) in found.items() if state != "Z"}


def end_left_over(known):
    """End them all, by id; returns what there was."""
    first = found = left_over(known)
    end = time.monotonic() + 5
    while found and time.monotonic() < end:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        found = left_over(known)
    return first
