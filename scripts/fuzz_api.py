#!/usr/bin/env python3
"""Schemathesis over every operation of the OpenAPI document, with and without sense, on both databases.

    fuzz_api.py [SECONDS for each database; 60 unless given]

Fails on an answer of 500 or above (503 but for what says that something is not set up), and on one that takes longer
than ten seconds. LOAM_BIN names the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from services_kit import Loam, Postgres

ROOT = Path(__file__).resolve().parent.parent
# They end what the run works with, or make it wait on purpose.
LEFT_OUT = (
    "api_keys_revoke",
    "log_in",
    "log_out",
    "session_change_password",
    "tenants_update",
    "users_delete",
    "users_reset_password",
    "users_update",
    "roles_update",
    "roles_delete",
    # lines of JSON, which it can't make
    "chat_sessions_import",
)
CHECKS = "not_a_server_error"
LONGEST_ANSWER = 10


def schemathesis() -> str:
    """The program that set-up installed."""
    setup = [sys.executable, str(ROOT / "scripts/setup.py"), "path", "venv:fuzz"]
    venv = subprocess.run(setup, capture_output=True, text=True, check=True).stdout.strip()
    return str(Path(venv) / "bin" / "schemathesis")


def run(name: str, seconds: int, database_url: str | None) -> bool:
    """True when nothing was found."""
    with Loam(database_url=database_url) as loam:
        print(f"── operations one by one, on {name} ──", flush=True)
        good = explore(loam, "examples,coverage,fuzzing", seconds * 2 // 3)
        print(f"── operations one after the other, on {name} ──", flush=True)
        good = explore(loam, "stateful", seconds // 3) and good
        alive = loam.process.running
    if not alive:
        print("the server died", file=sys.stderr)
    return good and alive


def explore(loam: Loam, phases: str, seconds: int) -> bool:
    """True when these phases found nothing."""
    command = [
        schemathesis(),
        "run",
        f"{loam.url}/openapi.json",
        f"--header=Authorization: Bearer {loam.key}",
        f"--phases={phases}",
        f"--max-time={max(seconds, 1)}",
        f"--checks={CHECKS}",
        f"--max-response-time={LONGEST_ANSWER}",
        f"--request-timeout={LONGEST_ANSWER * 3}",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--no-shrink",
        "--generation-database=none",
        "--warnings=off",
        "--no-color",
        *(f"--exclude-operation-id={each}" for each in LEFT_OUT),
    ]
    return subprocess.run(command, check=False, cwd=loam.folder).returncode == 0


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with ExitStack() as stack:
        good = run("SQLite", seconds, None)
        postgres = stack.enter_context(Postgres())
        good = run("PostgreSQL", seconds, postgres.create_database("loam")) and good
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.setdefault("LOAM_BIN", str(ROOT / "target/release/loam"))
    sys.exit(main())
