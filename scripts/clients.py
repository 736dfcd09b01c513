#!/usr/bin/env python3
"""Client applications, unmodified, over Loam and strict providers: one line for each run.

    clients.py [APPLICATION…]     all that tests/support/applications.py knows, by default

Each application gets a task that needs a tool, over models of both kinds of provider. A run succeeds if its tool ran, the answer
of the second round reached it, no provider refused a request, and Loam's ledger has all calls, settled, with tokens.
The exit code is 0 if all did.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from services import Loam, Strict  # noqa: E402
from support.application_runs import check, prepare, start  # noqa: E402
from support.applications import APPLICATIONS, models_for  # noqa: E402


def main(names: list[str]) -> int:
    verbose = "-v" in names
    names = [name for name in names if name != "-v"]
    known = {application.name for application in APPLICATIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"there is no application {', '.join(unknown)}: {', '.join(known)}")
    chosen = [application for application in APPLICATIONS if not names or application.name in names]
    setup = [sys.executable, str(ROOT / "scripts/setup.py")]
    subprocess.run([*setup, "app", *dict.fromkeys(each.name for each in chosen)], check=True)
    failed = 0
    with Strict() as upstream, Loam() as loam:
        api, ingest_key = prepare(loam, upstream)
        for application in chosen:
            for model in models_for(application):
                began = time.monotonic()
                outcome = start(application, loam, ingest_key, model)
                problems = check(api, upstream, application, outcome)
                failed += bool(problems)
                seconds = time.monotonic() - began
                print(
                    f"{application.name:16}{application.endpoint:19}{model:30}{'failed' if problems else 'ok':8}{seconds:5.1f} s",
                    flush=True,
                )
                for problem in problems:
                    print(f"    {problem}", flush=True)
                if verbose:
                    print(outcome.output, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
