#!/usr/bin/python3
"""Usage: pass_descriptors.py NUMBER[=NAME]... -- COMMAND [ARGUMENT]...

Runs a command as a service manager does, with these descriptors as 3, 4, ... and LISTEN_* set."""

import os
import sys

end = sys.argv.index("--")
pairs = [word.split("=") for word in sys.argv[1:end]]
high = [os.dup(int(number)) for number, _ in pairs]
while high and min(high) < 3 + len(pairs):
    high = [os.dup(number) for number in high]
for index, number in enumerate(high):
    os.dup2(number, 3 + index)
os.closerange(3 + len(pairs), 65536)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(pairs)),
                  LISTEN_FDNAMES=":".join(name for _, name in pairs), WATCHDOG_PID=str(os.getpid()))
os.execv(sys.argv[end + 1], sys.argv[end + 1:])
