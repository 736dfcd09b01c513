#!/usr/bin/env python3
"""All tests, and one line that sums them: `N passed, M failed`.

    run_tests.py [--release] [--only rust|doc|console|python]… [-- ARGUMENTS FOR PYTEST]

Rust's tests run beside a real PostgreSQL (LOAM_TEST_POSTGRES_URL) and PgBouncer, then the black-box tests run against
the binary. A part that does not even build, or that runs no test at all, counts as one failure. The exit code is 0
when nothing failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERVICES = [sys.executable, str(ROOT / "scripts/services.py")]
PARTS = ("rust", "doc", "console", "python")
# Black-box tests wait as much as they compute, and Rust's tests a third of their time.
PROCESSES = 2 * (os.cpu_count() or 1)
THREADS = 1 + (os.cpu_count() or 1)

# nextest: "Summary [ 1.2s] 34 tests run: 33 passed (1 slow), 1 failed, 2 skipped"
# cargo:   "test result: ok. 5 passed; 0 failed; …"
NEXTEST = re.compile(r"Summary \[.*?\]\s+\S+ tests? run: (.*)")
CARGO = re.compile(r"^test result: \S+ (\d+) passed; (\d+) failed")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Count:
    passed: int = 0
    failed: int = 0

    def add(self, passed: int, failed: int) -> None:
        self.passed += passed
        self.failed += failed


def read_line(line: str, count: Count) -> None:
    """Count what a line of a Rust test runner sums up."""
    line = COLOUR.sub("", line)
    if found := CARGO.match(line):
        count.add(int(found[1]), int(found[2]))
    elif found := NEXTEST.search(line):
        numbers = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|timed out)", found[1])}
        count.add(numbers.get("passed", 0), numbers.get("failed", 0) + numbers.get("timed out", 0))


def run_counted(command: list[str], environment: dict[str, str]) -> tuple[Count, int]:
    """Run a Rust test command, show what it says as it says it, and count."""
    count = Count()
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in child.stdout:
        print(line, end="", flush=True)
        read_line(line, count)
    return count, child.wait()


def settle(count: Count, code: int, *, may_be_empty: bool = False) -> Count:
    """A command that failed without a failed test, or passed without a test, has failed once."""
    if code != 0 and count.failed == 0:
        count.failed = 1
    elif code == 0 and count.passed == 0 and not may_be_empty:
        print("no test ran", flush=True)
        count.failed = 1
    return count


def rust(profile: list[str]) -> Count:
    """The workspace's tests, on SQLite and PostgreSQL."""
    if shutil.which("cargo-nextest"):
        # The shipped profile takes minutes for each test binary.
        release = ["--cargo-profile", "quick"] if profile else []
        threads = ["--test-threads", str(THREADS)]
        tests = ["cargo", "nextest", "run", "--workspace", "--locked", *release]
    else:
        threads = []
        tests = ["cargo", "test", "--workspace", "--locked", "--lib", "--bins", "--tests", *profile]
    # Built first, so that no database waits for the compiler.
    built = subprocess.run([*tests, "--no-run"], cwd=ROOT, check=False).returncode
    if built != 0:
        return Count(failed=1)
    return settle(*run_counted([*SERVICES, "with-pgbouncer", "--", *tests, "--no-fail-fast", *threads], dict(os.environ)))


def doc(profile: list[str]) -> Count:
    """The examples in the documentation, which nextest leaves out."""
    return settle(
        *run_counted(["cargo", "test", "--workspace", "--locked", "--doc", *profile], dict(os.environ)), may_be_empty=True
    )


def console() -> Count:
    """The console's logic, apart from its pages, which the black-box tests open in a browser."""
    node = subprocess.run(
        [sys.executable, "scripts/setup.py", "path", "node-bin"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with tempfile.TemporaryDirectory(prefix="loam-report-") as temporary:
        report = Path(temporary) / "report.xml"
        reporters = ["--reporter=default", "--reporter=junit", f"--outputFile.junit={report}"]
        command = [node.stdout.strip(), "node_modules/vitest/vitest.mjs", "run", *reporters]
        code = subprocess.run(command, cwd=ROOT / "console", check=False).returncode
        return settle(read_report(report), code)


def python(profile: list[str], arguments: list[str], *, built: bool) -> Count:
    """The black-box tests against the binary, which the build of Rust's tests brings too; a second build for the binary
    alone would repeat all crates, as their tests enable features of what they use."""
    build = ["cargo", "build", "--locked", "--bin", "loam", *profile]
    if not built and subprocess.run(build, cwd=ROOT, check=False).returncode != 0:
        return Count(failed=1)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    os.environ["LOAM_BIN"] = str(target / ("release" if profile else "debug") / "loam")
    # What is chosen by arguments runs in one process, in order, and can be debugged.
    count = pytest(ROOT / "tests", arguments or ["-n", str(PROCESSES), "--no-loadscope-reorder"])
    benchmark = ROOT / "bench"
    if (benchmark / "tests").is_dir() and not arguments:
        # The arithmetic of the benchmark's report.
        own = pytest(benchmark, ["-p", "no:llmock", "-o", "asyncio_default_fixture_loop_scope=function", "-q", "tests"])
        count.add(own.passed, own.failed)
    return count


def pytest(folder: Path, arguments: list[str]) -> Count:
    """One run of pytest in a folder."""
    with tempfile.TemporaryDirectory(prefix="loam-report-") as temporary:
        report = Path(temporary) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
        code = subprocess.run(command, cwd=folder, check=False).returncode
        return settle(read_report(report), code)


def read_report(report: Path) -> Count:
    """The results of pytest. A test whose clean-up fails too is counted once."""
    if not report.exists():
        return Count(failed=1)
    count = Count()
    for case in ElementTree.parse(report).iter("testcase"):
        # Nothing here may be skipped: what can't run has failed.
        bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        count.add(0 if bad else 1, 1 if bad else 0)
    return count


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--release", action="store_true", help="test the optimised build")
    options.add_argument("--only", action="append", choices=PARTS, help="run this part alone")
    options.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    chosen = options.parse_args()
    profile = ["--release"] if chosen.release else []
    counts: dict[str, Count] = {}
    times: dict[str, float] = {}

    def black_box() -> Count:
        # What is shipped is built without the features of the tests: those of `make soak` run on that.
        built = not chosen.release and "rust" in counts and counts["rust"].passed > 0
        return python(profile, chosen.pytest, built=built)

    steps = {"rust": lambda: rust(profile), "doc": lambda: doc(profile), "console": console, "python": black_box}
    for part in chosen.only or PARTS:
        print(f"── {part} ──", flush=True)
        began = time.monotonic()
        counts[part] = steps[part]()
        times[part] = time.monotonic() - began
    print()
    for part, count in counts.items():
        print(f"{part:8}{count.passed:6} passed {count.failed:4} failed  {times[part]:6.0f} s")
    passed, failed = (sum(getattr(count, each) for count in counts.values()) for each in ("passed", "failed"))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
