"""The gateway's answers, spoilt on the way: one clear line, exit status 1, no file changed.

tests/unit/test_services.c tries every byte and every value of every answer inside one process; here it is the whole
program over a connection, at some of the bytes, or at all of them with GS_TEST_EVERY_BYTE=1.
"""

import itertools
import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import CLI, LOOPBACK, Lab, free_port
from recorder import Recorder

STRIDE = 1 if os.environ.get("GS_TEST_EVERY_BYTE") else 67
HTML = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body>hotel network</body></html>\n"


class Spoiler:
    """Runs of globus-streams, two at a time, each with a folder of its own and one answer changed."""

    def __init__(self, lab, recorder):
        self.lab, self.recorder, self.numbers = lab, recorder, itertools.count()

    def run(self, prepared, words, change=None):
        number = next(self.numbers)
        base = self.lab.folder / f"base-{number}"
        shutil.copytree(prepared, base)
        if change:
            self.recorder.change(number, change)
        settings = {**self.recorder.environment(number), "GLOBUS_STREAMS_BASE_DIR": str(base)}
        done = subprocess.run([str(CLI), *map(str, words)], env={**self.lab.env, **settings}, capture_output=True,
                              stdin=subprocess.DEVNULL, text=True)
        return done, base

    def spoilt(self, prepared, words, index, body):
        """The run with its answer of that index having another body: what is wrong with it, or None."""
        count = itertools.count()
        done, base = self.run(
            prepared, words, lambda exchange: (exchange.status, body(exchange.text)) if next(count) == index else None)
        where = f"{' '.join(map(str, words))}, answer {index}"
        if done.returncode != 1 or done.stderr.count("\n") != 1 or not done.stderr.startswith("globus-streams: "):
            return f"{where}: exit {done.returncode}: {done.stderr}"
        if done.stdout.splitlines()[1:] or files(base) != files(prepared):
            return f"{where}: {done.stdout} {files(base)}"
        if index == 0 and tokens(base) != tokens(prepared):
            return f"{where}: the tokens changed"
        shutil.rmtree(base)
        return None


def files(base):
    return {path.name: path.read_bytes() for path in base.iterdir()
            if not path.name.endswith(".lock") and path.name != "tokens.json"}


def tokens(base):
    path = base / "tokens.json"
    return path.read_bytes() if path.exists() else None


def cut_at(size):
    return lambda text: text[:size]


@pytest.fixture
def recorder(gateway):
    between = Recorder(gateway.env["GLOBUS_SDK_SERVICE_URL_TRANSFER"])
    yield between
    between.close()


@pytest.fixture
def lab(tmp_path, gateway, recorder, nothing_left_behind):
    instance = Lab(tmp_path, gateway)
    instance.env.update(recorder.environment())
    yield instance
    instance.end()


@pytest.mark.limit(1800)
def test_every_answer_cut_and_in_html(lab, recorder, tmp_path):
    bare, ready = tmp_path / "bare", tmp_path / "ready"
    bare.mkdir(mode=0o700)
    tunnel = lab.create_tunnel()
    listener = ("environment", "initialize", "--listener-contact-string", f"{LOOPBACK}:{free_port()}")
    lab.cli(*listener, tunnel)
    lab.cli("environment", "initialize", "--base-dir", ready, tunnel)
    access_points = [lab.env[f"LAB_{role}_AP"] for role in ("INITIATOR", "LISTENER")]
    commands = [(bare, ("tunnel", "create", *access_points)), (bare, ("tunnel", "show", tunnel)),
                (bare, ("tunnel", "list")), (bare, ("tunnel", "events", tunnel)),
                (bare, ("tunnel", "update", "--label", "x", tunnel)), (bare, ("access-point", "list")),
                (bare, ("access-point", "show", access_points[0])), (bare, (*listener, tunnel)), (bare, ("whoami",)),
                (ready, ("environment", "initialize", "--force", tunnel)), (ready, ("environment", "update", tunnel)),
                (ready, ("environment", "contact-lookup", "--refresh", tunnel))]
    spoiler, jobs = Spoiler(lab, recorder), []
    for prepared, words in commands:
        recorder.take()
        done, _ = spoiler.run(prepared, words)
        assert done.returncode == 0, done
        for index, exchange in enumerate(recorder.take()):
            if exchange.path.endswith("/token") and any(index == 0 for _, _, index, _ in jobs):
                continue  # the same for every command
            # not at the same places in every command
            start = (7 * len(jobs)) % STRIDE
            bodies = [cut_at(size) for size in range(start, len(exchange.text), STRIDE)] + [lambda text: HTML]
            jobs += [(prepared, words, index, body) for body in bodies]
            if "--force" in words and exchange.path.endswith("/lan_secrets"):
                break  # then the old secret is deleted, and whether that succeeds or not the outcome stands
    with ThreadPoolExecutor(2) as pool:
        wrong = [found for found in pool.map(lambda job: spoiler.spoilt(*job), jobs) if found]
    assert not wrong, f"{len(wrong)} of {len(jobs)}: {wrong[0]}"
    assert len(jobs) > 100, len(jobs)


def test_doctor(lab, recorder):
    """It reports what it was answered, and is not stopped by it."""
    tunnel, spoiler = lab.tunnel(), Spoiler(lab, recorder)
    recorder.take()
    words = ("doctor", "-Fjson", tunnel.id)
    spoiler.run(tunnel.initiator, words)
    answers = len(recorder.take())
    assert answers >= 3
    for index, body in itertools.product(range(answers), (lambda text: HTML, lambda text: text[:-2])):
        count = itertools.count()
        done, base = spoiler.run(tunnel.initiator, words, lambda exchange: (
            exchange.status, body(exchange.text)) if next(count) == index else None)
        verdicts = [line["verdict"] for line in json.loads(done.stdout)["data"]]
        assert done.returncode == 1 and done.stderr == "" and "failed" in verdicts, (index, done)
        assert files(base) == files(tunnel.initiator)


def test_in_the_middle_of_waiting(lab, recorder, tmp_path):
    """The last answer spoilt: the line says so, and what had been done is done."""
    tunnel, spoiler, bare = lab.tunnel(), Spoiler(lab, recorder), tmp_path / "bare"
    bare.mkdir()
    access_points = [lab.env[f"LAB_{role}_AP"] for role in ("INITIATOR", "LISTENER")]

    def html_at(kind):
        """Once that was asked for, nothing but HTML."""
        seen = []

        def change(exchange):
            if seen and exchange.method == "GET":
                return 200, HTML
            seen.extend([True] if (exchange.method, exchange.path.rsplit("/", 1)[1]) == kind else [])
            return None
        return change
    for prepared, words, kind in (
            (bare, ("tunnel", "create", "--wait=20", *access_points), ("POST", "tunnels")),
            (bare, ("environment", "initialize", "--wait=20", tunnel.id), ("POST", "lan_secrets")),
            (bare, ("tunnel", "events", "--follow", tunnel.id), ("GET", "events")),
            (bare, ("tunnel", "stop", "--wait=20", tunnel.id), ("PATCH", tunnel.id))):
        done, base = spoiler.run(prepared, words, html_at(kind))
        assert done.returncode == 1 and "not Transfer" in done.stderr and done.stderr.count("\n") == 1 + (words[1] == "create"), done
        assert tunnel.id in done.stderr or "is created" in done.stderr
        assert (base / f"{tunnel.id}.conf").exists() == (words[1] == "initialize")
    assert "STOPP" in lab.cli("tunnel", "show", tunnel.id)
