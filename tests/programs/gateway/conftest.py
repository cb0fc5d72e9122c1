"""A gateway of its own for each test, and connections through it."""

import concurrent.futures

import pytest

from gateway_lab import Gateway, Listener, call, through


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path / "state")
    yield gateway
    assert gateway.stop() == 0


@pytest.fixture
def listen():
    """Makes listeners."""
    made = []

    def make(*args, **options):
        made.append(Listener(*args, **options))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


def pair(gateway, listen, secured=True):
    """Both ends of one connection."""
    listener = listen()
    tunnel = through(gateway, listener, secured)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        caller = pool.submit(call, tunnel)
        answerer = listener.accept()
        return caller.result(), answerer


@pytest.fixture(params=[True, False], ids=["secured", "plain"])
def ends(request, gateway, listen):
    """Both ends of a connection, in either order: (one, the other)"""
    made = pair(gateway, listen, request.param)
    yield made
    for sock in made:
        sock.close()
