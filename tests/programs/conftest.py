"""Fixtures: see lab.py for what they give. Every test is bounded in time and leaves no process."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent / "fixtures"))

import far_side  # noqa: E402
import lab as laboratory  # noqa: E402
import launches  # noqa: E402
import processes  # noqa: E402
import sanitizers  # noqa: E402
from cli_program import Cli  # noqa: E402

collect_ignore_glob = ["containers/test_*.py"]  # they run when they are named: contrib/check containers
TIME_LIMIT = 90  # seconds, unless a test is marked with another


def pytest_configure(config):
    config.addinivalue_line("markers", "limit(seconds): how long the test may take")
    config.addinivalue_line("markers", "alone: it measures time, so that no other test may run beside it")
    processes.adopt_orphans()
    os.environ.update(sanitizers.environment())


def pytest_unconfigure(config):
    sanitizers.end()


def runs_32_bit():
    """Some kernels and virtual machines run no 32-bit program and take no 32-bit call."""
    try:
        subprocess.run([laboratory.PROGRAMS / "talk-m32-static"], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return True


def is_of_another_speed(item):
    """Only one of the two gateways was asked for."""
    speed = getattr(item, "callspec", None) and item.callspec.params.get("gateway")
    return speed and speed != os.environ.get("GS_TEST_GATEWAY", speed)


def pytest_collection_modifyitems(config, items):
    others = [item for item in items if is_of_another_speed(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if not is_of_another_speed(item)]
    concerned = [item for item in items if re.search(r"int80|m32", item.nodeid)]
    if concerned and not runs_32_bit():
        for item in concerned:
            item.add_marker(pytest.mark.skip(reason="this machine runs no 32-bit programs"))


class TooLong(Exception):
    pass


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    mark = item.get_closest_marker("limit")
    seconds = mark.args[0] if mark else TIME_LIMIT

    def on_alarm(*_):
        raise TooLong(f"the test took longer than {seconds} s")
    before = signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def session_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("session")


@pytest.fixture(scope="session")
def shared_gateways(session_folder):
    """The gateways that the tests share, each from its first use on."""
    running = {}

    def get(speed):
        if speed not in running:
            folder = session_folder / speed
            folder.mkdir()
            running[speed] = laboratory.Gateway(folder, folder).start(*laboratory.SPEEDS[speed])
            laboratory.shared_programs.add(running[speed].program.pid)
        return running[speed]
    yield get
    for one in running.values():
        one.stop()


@pytest.fixture
def gateway(shared_gateways, request):
    """The gateway of the test: the fast one, unless the test is marked with lab.BOTH_SPEEDS."""
    return shared_gateways(getattr(request, "param", "fast"))


@pytest.fixture(autouse=True)
def nothing_left_behind(request):
    """No process of a test outlives it: the keepers and supervisors end with their commands."""
    yield
    known = frozenset(laboratory.shared_programs)
    try:
        processes.wait_for("the end of the test's processes",
                           lambda: not processes.left_over(known), timeout=10)
    except AssertionError:
        found = processes.end_left_over(known)
        if found:
            pytest.fail(f"left behind: {sorted(found.values())}")
    reports = sanitizers.findings()
    if reports:
        pytest.fail("the sanitizers found:\n" + "\n".join(reports))


@pytest.fixture
def lab(tmp_path, gateway, nothing_left_behind):
    """A folder and an environment with the shared gateway."""
    yield from laboratory.new_lab(tmp_path, gateway)


@pytest.fixture
def bare_lab(tmp_path, nothing_left_behind):
    """The same with no Globus to be reached."""
    yield from laboratory.new_lab(tmp_path)


@pytest.fixture
def own_gateway(tmp_path, nothing_left_behind):
    """A gateway of the test's own, which it may end and start again."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    running = laboratory.Gateway(folder, folder).start()
    yield running
    running.stop()


@pytest.fixture
def tunnel(lab):
    """A tunnel of the shared gateway with both ends initialized."""
    return lab.tunnel()


@pytest.fixture
def daemon(lab):
    """A supervisor that launches of the lab may attach to."""
    return launches.Daemon(lab)


@pytest.fixture
def own_lab(tmp_path, own_gateway):
    """A folder and an environment with the test's own gateway."""
    yield from laboratory.new_lab(tmp_path / "lab", own_gateway)


@pytest.fixture
def far():
    """The services' far side, played by the test: see far_side.py."""
    side = far_side.FarSide()
    yield side
    side.close()


@pytest.fixture
def cli(tmp_path, far):
    return Cli(tmp_path, far.url)


@pytest.fixture
def told_gateway(tmp_path, nothing_left_behind):
    """A gateway that logs each call."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    running = laboratory.Gateway(folder, folder).start("--verbose")
    yield running
    running.stop()


@pytest.fixture
def told_tunnel(tmp_path, told_gateway):
    for one in laboratory.new_lab(tmp_path / "lab", told_gateway):
        yield one.tunnel()
