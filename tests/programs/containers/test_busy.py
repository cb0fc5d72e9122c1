"""Launches on a machine whose processors are taken by others, as a node's are by its jobs."""

import os

import pytest

from lab import GOOD, RUN, need, write_conf

LAUNCHES = 8
HOGS = 2


@pytest.mark.alone
@pytest.mark.limit(300)
def test_of_low_priority(bare_lab):
    """On one processor with two that take it whole: what has to wait its turn for long is served all the same."""
    base = bare_lab.folder / "base"
    tunnel = write_conf(base, **GOOD)
    pinned = [need("taskset"), "-c", str(max(os.sched_getaffinity(0)))]
    for _ in range(HOGS):
        bare_lab.start(*pinned, "/bin/sh", "-c", "while :; do :; done")
    for _ in range(LAUNCHES):
        here = bare_lab.start(*pinned, need("nice"), "-n", "19", RUN, "--base-dir", base, tunnel, "--", "/bin/echo",
                              "x")
        assert here.ok(120) == "x\n" and here.err == ""
