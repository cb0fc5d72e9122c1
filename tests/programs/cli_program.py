"""Running the built globus-streams against a far side, with a home of its own."""

import os
import pathlib
import re
import subprocess

import far_side
import sanitizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GS_BUILD", ROOT / "build"))
PROGRAM = BUILD / "cli" / "globus-streams"


class Cli:
    def __init__(self, home, url):
        self.home = pathlib.Path(home)
        self.base = self.home / ".globus" / "streams"
        self.environment = {
            "HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8",
            "GLOBUS_SDK_SERVICE_URL_AUTH": url, "GLOBUS_SDK_SERVICE_URL_TRANSFER": url,
            "GLOBUS_CLI_CLIENT_ID": far_side.CLIENT_ID, "GLOBUS_CLI_CLIENT_SECRET": far_side.CLIENT_SECRET,
            "no_proxy": "127.0.0.1"} | sanitizers.environment()

    def start(self, *words, env=None, wrapper=(), **options):
        settings = {k: v for k, v in {**self.environment, **(env or {})}.items() if v is not None}
        return subprocess.Popen([*wrapper, str(PROGRAM), *map(str, words)], env=settings, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def run(self, *words, env=None, timeout=60, **options):
        process = self.start(*words, env=env, **options)
        out, err = process.communicate(timeout=timeout)
        return Result(process.returncode, out, err)

    def conf(self, tunnel, base=None):
        text = ((base or self.base) / f"{tunnel}.conf").read_text()
        return dict(line.split("=", 1) for line in text.splitlines())

    def files(self):
        """Every file below home with its bytes, but for locks and tokens."""
        return {str(p): p.read_bytes() for p in sorted(self.home.rglob("*"))
                if p.is_file() and not p.name.endswith(".lock") and p.name != "tokens.json"}


class Hurry:
    """A wrapper for runs that pause: the kernel is not asked to sleep, and the trace says how long they meant to."""

    def __init__(self, trace):
        self.trace = trace
        self.wrapper = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", str(trace), "-e", "trace=clock_nanosleep", "-e",
                        "inject=clock_nanosleep:retval=0"]

    def slept(self):
        times = re.findall(r"\{tv_sec=(\d+), tv_nsec=(\d+)\}", self.trace.read_text())
        return sum(int(seconds) + int(rest) / 1e9 for seconds, rest in times)


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def ok(self):
        assert (self.status, self.err) == (0, ""), self
        return self.out

    def failed(self, status=1):
        """The one line that it said."""
        assert self.status == status, self
        assert self.err.count("\n") == 1 and self.err.startswith("globus-streams: "), self
        return self.err.strip()

    def __repr__(self):
        return f"exit {self.status}\nstdout: {self.out}\nstderr: {self.err}"
