"""A storm of connections while the supervisors are ended, all the time and at any point."""

import os
import random
import signal
import threading

import pytest

from launches import supervisor_of
from storms import storm


# A full run has it as root and as an ordinary user; ten minutes with GS_TEST_STORM_SECONDS=600.
SECONDS = int(os.environ.get("GS_TEST_STORM_SECONDS", "20" if os.geteuid() == 0 else "5"))


class Killer(threading.Thread):
    """Sends a signal to the supervisors of programs every 50 ms, give or take."""

    def __init__(self, programs, number, pause=0.05):
        super().__init__()
        self.programs, self.number, self.pause = programs, number, pause
        self.ended, self.over = 0, threading.Event()

    def run(self):
        while not self.over.wait(self.pause * random.uniform(0.5, 1.5)):
            for program in self.programs:
                pid = supervisor_of(program)
                if pid:
                    try:
                        os.kill(pid, self.number)
                        self.ended += 1
                    except ProcessLookupError:
                        pass

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


@pytest.mark.limit(SECONDS + 100)
@pytest.mark.parametrize("polled", [(), ("poll",)], ids=["blocking", "polled"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP], ids=lambda number: number.name)
def test_storm_while_supervisors_end(told_tunnel, number, polled):
    made, ended = storm(told_tunnel, SECONDS // 5, polled, lambda *programs: Killer(programs, number))
    assert made > 5 * SECONDS and ended > SECONDS
