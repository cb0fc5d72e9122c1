"""The suites: how each is run, and what it says of each of its tests."""

import re
import xml.etree.ElementTree as xml
from collections import defaultdict

from lab import PYTHON, missing, need

MODULE_LIMIT = 900  # seconds for one run of one module


class Suite:
    """Runs of one suite. results(): the outcome of each test by name; details(): why one failed."""

    def __init__(self, folder):
        self.folder, self.runs = folder, 0

    def new_run(self):
        self.runs += 1
        path = self.folder / f"run-{self.runs}"
        path.mkdir(parents=True)
        return path


class CPython(Suite):
    """A module of CPython's own tests, from the distribution's package.

    The network resource is on since whole modules need it for the loopback; nothing else can be reached
    from the namespace that the suite runs in. VSOCK tests hang on some machines.
    """

    def __init__(self, folder, module):
        super().__init__(folder)
        self.module = module

    def available(self, lab):
        if lab.start(PYTHON, "-c", f"import test.regrtest, test.{self.module}").wait() != 0:
            missing("CPython's tests: libpython3.11-testsuite")

    def command(self, run, only=()):
        chosen = [word for name in only for word in ("-m", name)]
        return [PYTHON, "-m", "test", "-v", "-u", "network", "-i", "*VSOCK*", "-i", "*Vsock*", *chosen,
                "--junit-xml", run / "results.xml", "--tempdir", run, self.module]

    def results(self, run, out):
        path = run / "results.xml"
        found = defaultdict(set)
        for case in xml.parse(path).iter("testcase") if path.exists() else ():
            outcome = "passes"
            for child in case:
                if child.tag in ("failure", "error"):
                    outcome = child.tag
                elif child.tag == "skipped":
                    outcome = f"skipped ({child.text})"
            found[case.get("name")].add(outcome)
        return {name: ", ".join(sorted(outcomes)) for name, outcomes in found.items()}

    def details(self, run, out, name):
        for case in xml.parse(run / "results.xml").iter("testcase"):
            if case.get("name") == name:
                yield from (child.text or "" for child in case if child.tag in ("failure", "error"))


class Go(Suite):
    """The tests of Go's package net, from the distribution's sources. Their program is static: names reach
    it by /etc/hosts."""

    def __init__(self, folder, package):
        super().__init__(folder)
        self.package = package

    def available(self, lab):
        go = need("go")
        root = lab.start(go, "env", "GOROOT").ok().strip()
        self.source = f"{root}/src/{self.package}"
        self.binary = self.folder / "package.test"
        self.folder.mkdir(parents=True, exist_ok=True)
        lab.start(go, "test", "-c", "-o", self.binary, self.package,
                  env={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}).ok(600)

    def command(self, run, only=()):
        tops = sorted({re.escape(name.split("/")[0]) for name in only})
        chosen = [f"-test.run=^({'|'.join(tops)})$"] if tops else []
        return ["/usr/bin/env", "-C", self.source, self.binary, "-test.v", "-test.short",
                f"-test.timeout={MODULE_LIMIT}s", *chosen]

    def results(self, run, out):
        found = re.findall(r"^\s*--- (PASS|FAIL|SKIP): (\S+)", out, re.M)
        return {name: outcome.lower() for outcome, name in found}

    def details(self, run, out, name):
        match = re.search(rf"^=== RUN   {re.escape(name)}$(.*?)(?=^=== RUN|\Z)", out, re.M | re.S)
        if match:
            yield match.group(1)
