"""Programs of MPI: each rank has a connection through the tunnel, while all of them exchange their own messages."""

import subprocess

import pytest

from lab import SOURCE, need
from ways import FarSide, inside

OPEN_MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
# its folder for sockets wants a short path
ALL_ON_ONE = ["--oversubscribe", "--mca", "orte_tmpdir_base", "/tmp"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    program = tmp_path_factory.mktemp("mpi") / "ranks"
    subprocess.run([need("mpicc"), "-D_GNU_SOURCE", "-O2", "-o", program, SOURCE / "src/ranks.c"], check=True)
    return program


def numbers(count):
    return [f"rank-{number}" for number in range(count)]


@pytest.mark.limit(600)
@pytest.mark.parametrize("transport, count", [("vader,self", 64), ("tcp,self", 16)])
def test_mpirun_under_one_launcher(tunnel, ranks, transport, count):
    """Their messages go through shared memory, or through sockets that are not the tunnel's."""
    far = FarSide(tunnel, count)
    here = tunnel.call(need("mpirun"), *ALL_ON_ONE, "--mca", "btl", transport, "-np", count, ranks, tunnel.name,
                       tunnel.fake_port, env=OPEN_MPI)
    assert here.ok(550) == f"{count} of {count}\n"
    far.has_exactly(*numbers(count))


@pytest.mark.limit(180)
def test_a_launcher_for_each_rank(lab, tunnel, ranks):
    far = FarSide(tunnel, 8)
    here = lab.start(need("mpirun"), *ALL_ON_ONE, "-np", 8, *inside(tunnel, ranks, tunnel.name, tunnel.fake_port),
                     env=OPEN_MPI)
    assert here.ok(150) == "8 of 8\n"
    far.has_exactly(*numbers(8))


@pytest.mark.limit(180)
def test_srun(lab, cluster, tunnel, ranks):
    """Slurm starts the ranks, and PMIx joins them."""
    far = FarSide(tunnel, 8)
    here = lab.start(need("srun"), "--mpi=pmix", "--ntasks=8", *inside(tunnel, ranks, tunnel.name, tunnel.fake_port),
                     env=OPEN_MPI | cluster.env)
    assert here.ok(150) == "8 of 8\n"
    far.has_exactly(*numbers(8))
