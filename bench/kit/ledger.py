"""Comparing Loam's ledger with the upstream's own count, straight from the database and after a clean stop."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from kit.processes import BenchError
from kit.subjects import Loam, LoamPostgres

QUERY = "select state, count(*) from llm_calls group by state order by state"


def ledger_count(subject: Loam) -> dict[str, int]:
    """Calls in the ledger by state."""
    if isinstance(subject, LoamPostgres):
        rows = (line.rpartition("|") for line in subject.server.query(QUERY).splitlines())
        return {state: int(count) for state, _, count in rows}
    with closing(sqlite3.connect(database_file(subject.data).as_uri() + "?mode=ro", uri=True)) as database:
        return {str(state): count for state, count in database.execute(QUERY)}


def database_file(folder: Path) -> Path:
    """The SQLite file below `folder` that has the ledger."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.open("rb").read(16) != b"SQLite format 3\0":
            continue
        with closing(sqlite3.connect(path.as_uri() + "?mode=ro", uri=True)) as database:
            if database.execute("select 1 from sqlite_master where name = 'llm_calls'").fetchone():
                return path
    raise BenchError(f"no SQLite database with a table llm_calls below {folder}")


def disagreement(ledger: dict[str, int], upstream_calls: int, answered: int) -> str | None:
    """What is wrong with the ledger, or nothing. `answered` are the right answers that clients got."""
    total = sum(ledger.values())
    if total != upstream_calls:
        return f"{total} calls in the ledger, {upstream_calls} served by the upstream"
    # No client of the benchmark hangs up and every answer carries usage.
    unsettled = {state: count for state, count in ledger.items() if state != "settled"}
    if unsettled:
        return f"calls that were not settled: {unsettled}"
    if total < answered:
        return f"{total} calls in the ledger, {answered} answered"
    return None
