"""A build with AddressSanitizer and UBSan (contrib/analysis sanitize): what its programs are told by their
environment, and what they found. Keeper and supervisor have no stderr, and a supervisor that ends is
replaced: so findings go to files, and a file is a failure of the test."""

import os
import shutil
import tempfile
from pathlib import Path

BUILD = Path(os.environ.get("GS_BUILD", Path(__file__).resolve().parents[2] / "build")).resolve()


def instrumented(program):
    """Does it have AddressSanitizer? With two shared runtimes UBSan's reports are lost: such a build is refused."""
    text = program.read_bytes() if program.exists() else b""
    if b"libubsan.so" in text:
        raise SystemExit(f"{BUILD} has shared runtimes of sanitizers: set it up as contrib/analysis does")
    return b"__asan_init" in text


SANITIZED = instrumented(BUILD / "cli/globus-streams-run")
FOLDER = Path(tempfile.mkdtemp(prefix="gs-sanitizers-")) if SANITIZED else None


def environment():
    """To be added to the environment of every program. Leaks are not looked for: keepers and supervisors are
    not dumpable, so that not even the runtime may look into them; valgrind does it in the unit tests."""
    if not SANITIZED:
        return {}
    common = f"log_path={FOLDER}/found"
    return {"ASAN_OPTIONS": f"detect_leaks=0:{common}",
            "UBSAN_OPTIONS": f"print_stacktrace=1:{common}"}


def findings():
    """What was found since the last call."""
    texts = []
    for path in sorted(FOLDER.iterdir()) if SANITIZED else []:
        texts.append(path.read_text(errors="replace"))
        path.unlink()
    return texts


def end():
    if SANITIZED:
        shutil.rmtree(FOLDER, ignore_errors=True)
