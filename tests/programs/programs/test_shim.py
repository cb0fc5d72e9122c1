"""The shim in programs that no supervisor watches: as if it were not there."""

import subprocess

import pytest

from lab import PROGRAMS, PYTHON, SHIM, SOURCE, need, need_user_namespace

# A network without a way out: what libc cannot find in its files, it gives up on at once.
ALONE = ["--map-root-user", "--net"]


def with_and_without(lab, *command, env=None):
    """(status, output, errors) of a command without the shim, and with it; but for its line on names of tunnels."""
    results = []
    for shim in (None, str(SHIM)):
        program = lab.start(*command, env=(env or {}) | {"LD_PRELOAD": shim})
        status, errors = program.wait(), program.err.splitlines()
        results.append((status, program.out, [line for line in errors if not line.startswith("globus-streams: cannot")]))
    return results


def test_every_function_says_the_same(bare_lab):
    without, with_shim = with_and_without(bare_lab, *need_user_namespace(*ALONE), PROGRAMS / "resolve")
    assert without[0] == 0 and without[1].count("\n") > 1000
    assert with_shim == without


def compile_with(lab, name, *compiler):
    output = lab.folder / name
    lab.start(*compiler, "-D_GNU_SOURCE", "-g", "-o", output, SOURCE / "src/resolve.c").ok()
    return output


@pytest.mark.parametrize("options", [["-static-libasan"], ["-shared-libasan"]], ids=["static", "shared"])
def test_under_address_sanitizer(bare_lab, options):
    """Its own wrappers and ours stand behind each other. A shared runtime has to be told that it need not
    come first: it refuses every preloaded library."""
    flags = [] if options == ["-shared-libasan"] else options
    program = compile_with(bare_lab, "resolve-asan", need("gcc"), "-fsanitize=address", *flags)
    env = {"ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"}
    without, with_shim = with_and_without(bare_lab, *need_user_namespace(*ALONE), program, env=env)
    assert without[0] == 0 and without[1].count("\n") > 1000
    assert with_shim == without


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_in_a_program_with_musl(bare_lab, host):
    without, with_shim = with_and_without(bare_lab, PROGRAMS / "talk-musl-dynamic", "resolve", host, 80)
    assert without[0] == 0
    assert with_shim == without


def test_with_another_preloaded_library(bare_lab):
    """Before it and behind it: each calls the next."""
    source, library = bare_lab.folder / "other.c", bare_lab.folder / "libother.so"
    source.write_text("""
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
int getaddrinfo(const char *n, const char *s, const struct addrinfo *h, struct addrinfo **l)
{
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    fputs("the other one\\n", stderr);
    return next(n, s, h, l);
}
""")
    bare_lab.start(need("gcc"), "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, source).ok()
    for order in (f"{library}:{SHIM}", f"{SHIM}:{library}"):
        program = bare_lab.start(PROGRAMS / "talk", "resolve", "localhost", 80, env={"LD_PRELOAD": order})
        assert program.ok() in ("127.0.0.1\n", "::1\n")
        assert program.err == "the other one\n"


def test_threads_and_forks(bare_lab):
    """Names asked for by many threads at once, and by children. (Not by children of a process whose
    other threads ask at that moment: glibc's own locks may be held in them for good.)"""
    code = ("import os, socket, threading\n"
            "def ask():\n"
            "    for _ in range(200): socket.getaddrinfo('localhost', 80); socket.gethostbyname('localhost')\n"
            "threads = [threading.Thread(target=ask) for _ in range(8)]\n"
            "[t.start() for t in threads]\n"
            "[t.join() for t in threads]\n"
            "for _ in range(8):\n"
            "    pid = os.fork()\n"
            "    if not pid: ask(); os._exit(0)\n"
            "    assert os.waitpid(pid, 0)[1] == 0\n")
    bare_lab.start(PYTHON, "-c", code, env={"LD_PRELOAD": str(SHIM)}).ok()


def test_needs_no_library_and_no_version():
    """Any libc can load it: it names neither a library nor a version of a symbol."""
    dynamic = subprocess.run([need("readelf"), "-dVW", SHIM], capture_output=True, text=True,
                             check=True).stdout
    assert "NEEDED" not in dynamic and "GLIBC" not in dynamic
    assert "TEXTREL" not in dynamic


def strong_symbols(shim):
    """What a libc has to have for the shim to be loaded by it."""
    symbols = subprocess.run([need("nm"), "-D", "--undefined-only", shim], capture_output=True, text=True,
                             check=True).stdout
    return [line for line in symbols.splitlines() if line.split()[0] == "U"]


def test_needs_no_symbol():
    assert not strong_symbols(SHIM)


def test_built_with_the_flags_of_a_distribution(bare_lab):
    """Fedora's: link-time optimization, and a level of _FORTIFY_SOURCE that is handed past the compiler's own
    options. The functions that check sizes are glibc's alone."""
    build = bare_lab.folder / "build"
    flags = {"CFLAGS": "-O2 -flto=auto -ffat-lto-objects -fexceptions -g -grecord-gcc-switches -pipe -Wall "
                       "-Werror=format-security -Wp,-U_FORTIFY_SOURCE,-D_FORTIFY_SOURCE=3 "
                       "-Wp,-D_GLIBCXX_ASSERTIONS -fstack-protector-strong -fasynchronous-unwind-tables "
                       "-fstack-clash-protection",
             "LDFLAGS": "-Wl,-z,relro -Wl,--as-needed -Wl,-z,now"}
    bare_lab.start(need("meson"), "setup", build, SOURCE.parents[1], "-Dtests=disabled", "-Dgateway=disabled",
                   "-Dman=disabled", env=flags).ok(60)
    bare_lab.start(need("ninja"), "-C", build, "shim/libglobus_streams_shim.so").ok(60)
    shim = build / "shim/libglobus_streams_shim.so"
    assert not strong_symbols(shim)
    talk = [PROGRAMS / "talk-musl-dynamic", "resolve", "127.0.0.1", 80]
    assert bare_lab.start(*talk, env={"LD_PRELOAD": str(shim)}).ok() == "127.0.0.1\n"


def test_exports_its_functions_only():
    symbols = subprocess.run([need("nm"), "-D", "--defined-only", SHIM], capture_output=True, text=True,
                             check=True).stdout
    assert sorted(line.split()[-1] for line in symbols.splitlines()) == [
        "__open64_2", "__open_2", "_nss_globus_streams_gethostbyaddr_r", "_nss_globus_streams_gethostbyname2_r",
        "_nss_globus_streams_gethostbyname4_r", "_nss_globus_streams_gethostbyname_r", "fopen", "fopen64",
        "getaddrinfo", "gethostbyaddr", "gethostbyaddr_r", "gethostbyname", "gethostbyname2",
        "gethostbyname2_r", "gethostbyname_r", "getnameinfo", "open", "open64"]


LOOKS = """
import socket, sys
for name in sys.argv[1:]:
    try:
        socket.getaddrinfo(name, 80)
    except socket.gaierror:
        pass
"""
NAME = "globus.0b53a1b5-6d0e-4d9e-8a4e-2f8c8c3f1a11"


def test_outside_of_a_launch_it_says_so_once(bare_lab):
    """LD_PRELOAD was handed on, and the filter was not: as by srun, ssh and tmux."""
    program = bare_lab.start(*need_user_namespace(*ALONE), PYTHON, "-c", LOOKS, NAME, NAME, NAME.upper().lower(),
                             env={"LD_PRELOAD": str(SHIM)})
    assert program.wait() == 0
    lines = program.err.splitlines()
    assert len(lines) == 1 and NAME in lines[0] and "srun" in lines[0] and "globus-streams-run" in lines[0]


@pytest.mark.parametrize("name", ["localhost", "globus.example", NAME[:-1], NAME + "a", NAME + ".example", "x" + NAME])
def test_of_other_names_it_says_nothing(bare_lab, name):
    program = bare_lab.start(*need_user_namespace(*ALONE), PYTHON, "-c", LOOKS, name, env={"LD_PRELOAD": str(SHIM)})
    assert program.wait() == 0 and program.err == ""


def test_nothing_is_said_into_a_socket(bare_lab):
    """A daemon that has closed its stderr may have a connection there."""
    code = f"import os, socket; a, b = socket.socketpair(); os.dup2(a.fileno(), 2)\n{LOOKS}\n" \
           "b.setblocking(False)\ntry:\n    print(b.recv(99))\nexcept BlockingIOError:\n    print('nothing')"
    program = bare_lab.start(*need_user_namespace(*ALONE), PYTHON, "-c", code, NAME, env={"LD_PRELOAD": str(SHIM)})
    assert program.ok() == "nothing\n"


def test_inside_of_a_launch_nothing_is_said(lab, tunnel):
    program = tunnel.call(PYTHON, "-c", LOOKS, tunnel.name, NAME)
    assert program.wait() == 0 and program.err == ""
