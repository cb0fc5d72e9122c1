"""The launcher as a shell sees it."""

import os
import signal

import pytest

from lab import BUILD, PROGRAMS, PYTHON, RUN, free_port, need, wait_listening, warnings
from processes import ended, stat_of, wait_for

TALK = PROGRAMS / "talk"


@pytest.mark.parametrize("status", [0, 1, 2, 42, 126, 127, 255])
def test_exit_status(tunnel, status):
    here = tunnel.call("/bin/sh", "-c", f"exit {status}")
    assert here.wait() == status
    assert here.out == here.err == ""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGSEGV", "SIGPIPE"])
def test_command_that_a_signal_ends(tunnel, name):
    """The launcher dies of it as well, whoever starts it sees no difference, and no second core is left."""
    here = tunnel.call("/bin/sh", "-c", f"ulimit -c 0; kill -{name[3:]} $$")
    assert here.process.wait(20) == -getattr(signal, name)
    assert not [path for path in here.out_path.parent.iterdir() if path.name.startswith("core")]


def test_shell_that_is_told_of_a_signal(lab, tunnel):
    code = f'"{RUN}" --base-dir "{tunnel.initiator}" {tunnel.id} -- sh -c "kill -TERM \\$\\$"; echo "$?"'
    here = lab.start("/bin/sh", "-c", code)
    assert here.ok() == "143\n"


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGCONT",
                                  "SIGWINCH"])
def test_signals_are_passed_on(tunnel, name):
    code = ("import signal, sys\n"
            f"signal.signal(signal.{name}, lambda *_: sys.exit(7))\n"
            "print('ready', flush=True)\n"
            "while True: signal.pause()")
    here = tunnel.call(PYTHON, "-c", code)
    wait_for("the command", lambda: here.out == "ready\n")
    here.process.send_signal(getattr(signal, name))
    assert here.wait() == 7, here


def command_of(program, name):
    (found,) = [pid for pid, (comm, _) in program.children().items() if comm == name]
    return found


def test_stop_and_continue(tunnel):
    """Ctrl-Z: the launcher stops as its command does, and both go on together."""
    here = tunnel.call("/bin/sleep", "1000")
    wait_for("the command", lambda: any(n == "sleep" for n, _ in here.children().values()))
    sleep = command_of(here, "sleep")
    os.kill(here.pid, signal.SIGTSTP)
    wait_for("both stopped", lambda: stat_of(sleep)[1] == "T" and stat_of(here.pid)[1] == "T")
    os.kill(here.pid, signal.SIGCONT)
    wait_for("both go on", lambda: stat_of(sleep)[1] != "T" and stat_of(here.pid)[1] != "T")
    here.process.send_signal(signal.SIGTERM)
    assert here.wait() == 143


def test_kill_9_of_the_launcher_takes_the_command(tunnel):
    here = tunnel.call("/bin/sleep", "1000")
    wait_for("the command", lambda: any(n == "sleep" for n, _ in here.children().values()))
    sleep = command_of(here, "sleep")
    here.process.kill()
    here.wait()
    wait_for("the command's end", lambda: ended(sleep))


def test_command_substitution(lab, tunnel):
    """Nothing is added to what the command prints, and nobody else keeps its output open."""
    code = f'out=$("{RUN}" --base-dir "{tunnel.initiator}" {tunnel.id} -- echo "one line"); echo "[$out]"'
    here = lab.start("/bin/sh", "-c", code)
    assert here.ok() == "[one line]\n"
    assert here.err == ""


def test_names_that_ps_shows(lab, tunnel):
    here = tunnel.call("/bin/sleep", "1000")
    wait_for("keeper, supervisor and command",
             lambda: {"gs-keeper", "gs-supervisor", "sleep"} == {n for n, _ in here.children().values()} - {"gs-hand"})


def test_without_the_dashes(lab, tunnel):
    """The first word is the tunnel, the rest is the command, its options too."""
    here = lab.start(RUN, "--base-dir", tunnel.initiator, tunnel.id, "/bin/echo", "-n", "-d", "x")
    assert here.ok() == "-d x"


def test_inherited_descriptors_are_the_commands_alone(lab, tunnel):
    """A pipe that the caller gave the command ends when the command does, though something of it stays."""
    code = ('import os, subprocess, sys\n'
            'r, w = os.pipe()\n'
            'p = subprocess.Popen(sys.argv[1:] + ["/bin/sh", "-c", "echo x >&%d" % w], pass_fds=[w])\n'
            'os.close(w)\n'
            'data = b"".join(iter(lambda: os.read(r, 64), b""))\n'
            'print(data.decode().strip(), p.wait())')
    here = lab.start(PYTHON, "-c", code, RUN, "--base-dir", tunnel.initiator, tunnel.id, "--")
    assert here.ok() == "x 0\n"


@pytest.mark.parametrize("where", ["stderr", "file"])
def test_debug(lab, tunnel, where):
    """What the tool does, on stderr or in a file, without the secret and without touching stdout."""
    log = lab.folder / "debug.log"
    there = tunnel.listen(TALK, "listen", tunnel.port, "answer")
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question",
                       options=["-d"] if where == "stderr" else ["-l", log])
    assert here.ok() == "answer"
    text = here.err if where == "stderr" else log.read_text()
    assert tunnel.name in text or tunnel.id in text
    assert not any(secret in text for secret in tunnel.secrets())
    if where == "file":
        assert here.err == ""
    there.ok()


def test_daemon_calls_after_the_launcher_has_returned(lab, tunnel):
    """A grandchild that outlives the launcher still has its tunnel."""
    there = tunnel.listen(need("nc.openbsd"), "-l", "-N", tunnel.port, stdin="answer")
    gate, out = lab.folder / "gate", lab.folder / "out"
    os.mkfifo(gate)
    talk = f'read line <"{gate}"; "{TALK}" call {tunnel.name} {tunnel.fake_port} question >"{out}.tmp"; '
    here = tunnel.call("/bin/sh", "-c", f'setsid sh -c \'{talk} mv "{out}.tmp" "{out}"\' >/dev/null 2>&1 &')
    assert here.wait() == 0
    with open(gate, "w", encoding="utf-8") as opened:
        opened.write("go\n")
    wait_for("the answer", out.exists)
    assert out.read_text() == "answer"
    there.ok()


def test_three_launchers_at_once(lab):
    """Three tunnels side by side, each with its own launchers, all talking at the same time."""
    tunnels = [lab.tunnel() for _ in range(3)]
    pairs = []
    for tunnel in tunnels:
        there = tunnel.listen(need("nc.openbsd"), "-l", tunnel.port, stdin="open")
        pairs.append((there, tunnel.call(need("nc.openbsd"), tunnel.name, tunnel.fake_port, stdin="open")))
    for number, (there, here) in enumerate(pairs):
        here.process.stdin.write(f"tunnel {number}\n".encode())
        here.process.stdin.flush()
    for number, (there, here) in enumerate(pairs):
        wait_for("its own line", lambda: there.out == f"tunnel {number}\n")
    assert all(program.running() for pair in pairs for program in pair)


# --- the guide's launcher and its options ---

def launch(lab, *words, env=None, stdin=None):
    script = BUILD / "cli/globus-streams-launch.sh"
    return lab.start(script, *words, env=env, stdin=stdin)


def test_launch_script(lab, tunnel):
    """-d, -l and -p before the tunnel, and the rest is the command, as in the guide."""
    here = launch(lab, tunnel.id, "/bin/echo", "-n", "x",
                  env={"GLOBUS_STREAMS_BASE_DIR": str(tunnel.initiator)})
    assert here.ok() == "x"
    here = launch(lab, "-d", "-l", lab.folder / "log", "-p", "8888", tunnel.id, "/bin/sh", "-c", "exit 5",
                  env={"GLOBUS_STREAMS_BASE_DIR": str(tunnel.initiator)})
    assert here.wait() == 5
    assert here.out == ""


def test_launch_script_with_another_port(lab, tunnel):
    """-p names a listening port beside the one in the conf: the script that passes another is right."""
    port = free_port()
    there = launch(lab, "-p", port, tunnel.id, TALK, "listen", tunnel.port, "answer",
                   env={"GLOBUS_STREAMS_BASE_DIR": str(tunnel.listener)})
    wait_listening(tunnel.port, there)
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer"
    assert there.ok() == "question"


def listener_by_hand(lab, tunnel, options=(), env=None):
    """A listener whose conf does not say on which port it listens."""
    conf = tunnel.listener / f"{tunnel.id}.conf"
    lines = [line for line in conf.read_text().splitlines() if "listener_contact_string" not in line]
    conf.write_text("\n".join(lines) + "\n")
    there = lab.run(tunnel.listener, tunnel.id, TALK, "listen", tunnel.port, "answer", options=options,
                    env=env)
    wait_listening(tunnel.port, there)
    return there


@pytest.mark.parametrize("how", ["variable", "option"])
def test_intercept_port_by_hand(lab, tunnel, how):
    """The guide's variable, and the option, name the port."""
    variable = {f"GLOBUS_STREAMS_INTERCEPT_PORT_{tunnel.port}": tunnel.id}
    there = listener_by_hand(lab, tunnel, **({"env": variable} if how == "variable" else
                                             {"options": ["-p", tunnel.port]}))
    here = tunnel.call(TALK, "call", tunnel.name, tunnel.fake_port, "question")
    assert here.ok() == "answer"
    assert there.ok() == "question"


def test_a_port_of_no_tunnel_is_left_alone(lab, tunnel):
    """Another listener of the same program takes what calls it, as usual."""
    port = free_port()
    there = lab.run(tunnel.listener, tunnel.id, TALK, "listen", port, "answer")
    wait_listening(port, there)
    assert lab.start(TALK, "call", "127.0.0.1", port, "question").ok() == "answer"
    assert there.ok() == "question"
    assert warnings(there) == []
