"""Where a launcher is put: jobs of a cluster, containers, terminals. What is in this folder runs when it is named
(contrib/check containers), but for what `DAILY` lists."""

import os

import pytest

import lab as laboratory
from cluster import Cluster

DAILY = ["test_ways.py"]
collect_ignore = [name for name in os.listdir(os.path.dirname(__file__))
                  if name.startswith("test_") and name not in DAILY]


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Slurm on one node, from its first use on."""
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        running.start()
        laboratory.shared_programs.update(program.pid for program in running.programs)
        yield running
    finally:
        running.stop()
