"""Where a launcher is put: jobs of a cluster, containers, terminals. What is in this folder runs when its files are
named, as contrib/check containers does; the ways that need nothing are in launch/test_ways.py."""

import pytest

import lab as laboratory
from cluster import Cluster

collect_ignore_glob = ["test_*.py"]


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
