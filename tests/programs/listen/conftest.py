"""A listening side whose callers the tests play."""

import pytest

from lab import free_port
from sockets_lab import Listener


@pytest.fixture
def far(bare_lab):
    return Listener(bare_lab, free_port())
