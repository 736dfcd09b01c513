#!/usr/bin/env python3
"""Real services on the command line, for what is not written in Python.

    services.py with-postgres -- COMMAND…    start PostgreSQL, export LOAM_TEST_POSTGRES_URL, run COMMAND, stop
    services.py with-pgbouncer -- COMMAND…   the same, and LOAM_TEST_PGBOUNCER_URL: PgBouncer in transaction mode before it
    services.py postgres | llmock | dify | real-model [PORT]   start one, print its URL, stop it at Ctrl-C

The URLs are a superuser's on an empty cluster: tests create their own databases. The exit code is COMMAND's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from services_kit import (
    Asked,
    Dify,
    Faulty,
    LlMock,
    Loam,
    Mood,
    PgBouncer,
    Postgres,
    Process,
    RealModel,
    ServiceError,
    Strict,
    free_port,
)

__all__ = [
    "Asked",
    "Dify",
    "Faulty",
    "LlMock",
    "Loam",
    "Mood",
    "PgBouncer",
    "Postgres",
    "Process",
    "RealModel",
    "ServiceError",
    "Strict",
    "free_port",
]


def run_with(command: list[str], *, pgbouncer: bool) -> int:
    """Run a command with a PostgreSQL, and optionally a PgBouncer."""
    with ExitStack() as stack:
        # A test's database needs to outlive no crash of the machine.
        postgres = stack.enter_context(Postgres(fsync=False))
        environment = os.environ | {"LOAM_TEST_POSTGRES_URL": postgres.url}
        if pgbouncer:
            bouncer = stack.enter_context(PgBouncer(postgres))
            environment["LOAM_TEST_PGBOUNCER_URL"] = bouncer.database_url("postgres")
        return subprocess.run(command, env=environment, check=False).returncode


def show(url: str) -> int:
    """Print where it is and wait for the end."""
    print(url, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


def main(words: list[str]) -> int:
    # A SIGTERM ends us like a Ctrl-C: by way of every `with` block, so that nothing is left running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    match words:
        case ["with-postgres", "--", _, *_]:
            return run_with(words[2:], pgbouncer=False)
        case ["with-pgbouncer", "--", _, *_]:
            return run_with(words[2:], pgbouncer=True)
        case ["postgres"]:
            with Postgres() as postgres:
                return show(postgres.url)
        case ["llmock"]:
            with LlMock() as mock:
                return show(mock.base_url)
        case ["dify"]:
            with Dify() as dify:
                return show(f"{dify.base_url} {dify.key}")
        case ["real-model", *port] if len(port) < 2:
            with RealModel(port=int(port[0]) if port else None) as model:
                return show(f"{model.base_url} {model.model}")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except ServiceError as error:
        sys.exit(f"services: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
