"""The launcher stands in for the command: signals, stops, hang-ups and streams reach the command, and no
other, as if it had been started directly."""

import os
import pty
import random
import signal
import subprocess
import time

import pytest

from lab import PYTHON, RUN, need, one_warning
from processes import descendants, stat_of, wait_for


def launched(tunnel, *command):
    """The words of a launch on the initiating side."""
    return [str(RUN), "--base-dir", str(tunnel.initiator), tunnel.id, "--", *command]


def command_of(pid, name):
    """The pid of the command below a launcher."""
    found = [child for child, (comm, _) in descendants(pid).items() if comm == name]
    return found[0] if found else None


def test_alarm_that_was_set_before(lab, tunnel):
    """alarm(2) outlives exec: the launcher gets it and hands it on."""
    words = launched(tunnel, "sleep", "20")
    program = lab.start(PYTHON, "-c", "import os, signal, sys; signal.alarm(1); os.execv(sys.argv[1], sys.argv[1:])",
                        *words)
    assert program.wait(10) == 128 + signal.SIGALRM


def test_terminal_that_hangs_up(tunnel, lab):
    """As a session's leader the launcher alone is told; the command has to go."""
    pid, master = pty.fork()
    if pid == 0:
        os.execve(str(RUN), launched(tunnel, "sleep", "40"), lab.env)
    wait_for("the command", lambda: command_of(pid, "sleep"))
    os.close(master)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGHUP


def test_signal_in_the_first_moments(lab, tunnel):
    """A signal that comes before the command is there waits for it."""
    for _ in range(20):
        program = lab.start(*launched(tunnel, "sleep", "30"))
        wait_for("exec", lambda: stat_of(program.pid)[0] != "python3")
        program.process.send_signal(signal.SIGTERM)
        assert program.wait(10) in (128 + signal.SIGTERM,)


def test_stop_and_continue_of_the_command(lab, tunnel):
    """Whoever stops the command stops the launcher, and whoever lets it go on, too."""
    program = lab.start(*launched(tunnel, "cat"), stdin="open")
    command = wait_for("the command", lambda: command_of(program.pid, "cat"))
    for _ in range(3):
        os.kill(command, signal.SIGSTOP)
        wait_for("the launcher's stop", lambda: stat_of(program.pid)[1] == "T")
        os.kill(command, signal.SIGCONT)
        wait_for("the launcher's going on", lambda: stat_of(program.pid)[1] != "T")
    for _ in range(100):  # whenever it comes: between a look at what there is and the launcher's own stop, too
        os.kill(command, signal.SIGSTOP)
        time.sleep(random.uniform(0, 0.002))
        os.kill(command, signal.SIGCONT)
    program.process.stdin.close()
    assert program.wait(10) == 0


def test_keeper_that_was_killed(lab, tunnel):
    """The command goes on, its status comes back, and a line says what is lost."""
    program = lab.start(*launched(tunnel, "sh", "-c", "read line; exit 7"), stdin="open")
    wait_for("the command", lambda: command_of(program.pid, "sh"))
    keeper = command_of(program.pid, "gs-keeper")
    os.kill(keeper, signal.SIGKILL)
    wait_for("the line", lambda: program.err)
    program.process.stdin.write(b"go\n")
    program.process.stdin.close()
    assert program.wait(10) == 7
    one_warning(program, "gs-keeper")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed(lab, tunnel, closed):
    """They are closed for the command too, and nothing of ours takes their numbers."""
    check = "for fd in 0 1 2; do [ -e /proc/self/fd/$fd ] && echo $fd; done > \"$0\"; exit 5"
    seen = {}
    for kind, words in (("bare", []), ("tool", launched(tunnel))):
        out = lab.folder / f"{kind}.txt"
        line = " ".join(f"'{word}'" for word in [*words, "sh", "-c", check.replace("'", ""), str(out)])
        assert lab.start("bash", "-c", f"{line} {closed}").wait(10) == 5
        seen[kind] = out.read_text()
    assert seen["tool"] == seen["bare"]


def test_nobody_reads_the_warnings(lab, tunnel):
    """A warning for a pipe that is closed, or full, ends and holds up nothing."""
    code = ("import socket, sys\n"
            f"try: socket.create_connection(('{tunnel.name}', {tunnel.fake_port % 4000 + 4000}))\n"
            "except OSError: pass\n"
            "open(sys.argv[1], 'w').write('went on')\n")
    out = lab.folder / "out.txt"
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(launched(tunnel, PYTHON, "-c", code, str(out)), stdout=write, stderr=write,
                          env=lab.env) as program:
        os.close(write)
        assert program.wait(10) == 0
    assert out.read_text() == "went on"
    read, write = os.pipe()
    os.set_blocking(write, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(write, b"x" * 4096)
    os.set_blocking(write, True)
    with subprocess.Popen(launched(tunnel, PYTHON, "-c", code, str(out)), stderr=write,
                          stdout=subprocess.DEVNULL, env=lab.env) as program:
        assert program.wait(10) == 0
    os.close(write)
    os.close(read)


def test_limits_of_the_command_are_its_own(lab, tunnel):
    """What the launcher needs, it does not take from limits that are for the command."""
    words = " ".join(launched(tunnel, "sh", "-c", "'ulimit -f'"))
    # the shell's output is a pipe: a file would meet the limit itself
    assert lab.start("bash", "-c", f"(ulimit -f 0; {words}) | cat").ok() == "0\n"


def test_interpreter_that_is_not_there(lab, tunnel):
    script = lab.folder / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    program = lab.start(*launched(tunnel, script))
    assert program.wait() == 126
    one_warning(program, "interpreter")


@pytest.mark.parametrize("variable", ["GLOBUS_STREAMS_INTERCEPT_PORT_00008080",
                                      "GLOBUS_STREAMS_INTERCEPT_PORT_", "GLOBUS_STREAMS_INTERCEPT_PORT_x"])
def test_intercept_port_that_is_none(lab, tunnel, variable):
    program = lab.start(*launched(tunnel, "true"), env={variable: tunnel.id})
    assert program.wait() == 2
    one_warning(program, "port")


def test_program_without_libc(lab, tunnel):
    """A dynamic program that loads no libc has no use for the shim, and must start with it."""
    source, program = lab.folder / "nolibc.c", lab.folder / "nolibc"
    source.write_text("void _start(void) { __asm__ volatile(\"mov $60, %eax; mov $9, %edi; syscall\"); }\n")
    lab.start(need("gcc"), "-nostdlib", "-pie", "-fPIE", "-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2",
              "-Wl,--no-as-needed", "-o", program, source).ok()
    assert lab.start(*launched(tunnel, program)).wait() == 9
