"""Nothing that a sanitizer finds is lost, so that a run without findings says something."""

import pytest

import sanitizers
from lab import PROGRAMS


@pytest.mark.skipif(not sanitizers.SANITIZED, reason="a build without sanitizers")
def test_findings_are_told(bare_lab):
    assert bare_lab.start(PROGRAMS / "unsound").wait() != 0
    text = "\n".join(sanitizers.findings())
    assert "signed integer overflow" in text and "heap-buffer-overflow" in text and "unsound.c" in text
