#!/usr/bin/env python3
"""Dependencies against deny.toml (licenses, sources, banned crates) and against RustSec's advisories.

    audit.py [--require-advisories]

The advisories are a repository that is fetched when this runs. Where it can't be reached the copy of an earlier run is
used, and without one the run says that they were not checked; with --require-advisories (or
LOAM_REQUIRE_ADVISORIES=1) that is a failure. The exit code is 0 when nothing is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETUP = [sys.executable, str(ROOT / "scripts/setup.py")]


def tool(name: str) -> str:
    """The path of a program that set-up installed."""
    venv = subprocess.run([*SETUP, "path", "venv:audit"], capture_output=True, text=True, check=True).stdout.strip()
    return str(Path(venv) / "bin" / name)


def passes(*command: str) -> bool:
    """Run and show; True when the exit code is 0."""
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def database() -> Path | None:
    """The folder with advisories: fetched now, else what an earlier run left."""
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo") / "advisory-dbs"
    subprocess.run([tool("cargo-deny"), "fetch", "db"], cwd=ROOT, capture_output=True, check=False)
    copies = [each for each in home.glob("advisory-db-*") if (each / "crates").is_dir()]
    return max(copies, key=lambda each: each.stat().st_mtime, default=None)


def main() -> int:
    required = "--require-advisories" in sys.argv[1:] or os.environ.get("LOAM_REQUIRE_ADVISORIES") == "1"
    deny, audit = tool("cargo-deny"), tool("cargo-audit")
    good = passes(deny, "--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources")
    advisories = database()
    if advisories is not None:
        good = passes(deny, "--locked", "check", "--disable-fetch", "--hide-inclusion-graph", "advisories") and good
        good = passes(audit, "audit", "--no-fetch", "--deny", "warnings", "--db", str(advisories)) and good
    elif required:
        print("audit: the advisory database can't be reached, and is required", file=sys.stderr)
        good = False
    else:
        print("audit: NOT CHECKED against advisories: their database can't be reached from here", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
