"""Jobs in a state that a test needs. No request makes a tenant's job fail on demand, so a row is planted in the table."""

from __future__ import annotations

import sqlite3
import time
import uuid
from typing import Any

import psycopg
from psycopg import sql


def uuid7() -> uuid.UUID:
    """An id as the server makes them: its time comes first, so that lists by id are lists by time."""
    stamp = int(time.time() * 1000) & ((1 << 48) - 1)
    value = (stamp << 80) | (uuid.uuid4().int & ((1 << 80) - 1))
    value = (value & ~(0xF << 76)) | (7 << 76)
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def plant_job(world: Any, state: str) -> str:
    """A job of the owner's in this state, due tomorrow so that nobody takes it meanwhile; gives its id.

    It is a copy of a job that the server itself enqueued, so that its kind and payload are ones it knows.
    """
    job = uuid7()
    changes = {"id": job, "tenant_id": uuid.UUID(world.owner_tenant), "state": state, "status": state}
    deployment = world.deployment
    if deployment.database == "sqlite":
        _copy_sqlite(deployment.loam.data / "loam.db", changes)
    else:
        _copy_postgres(deployment.postgres.database_url(deployment.database_name), changes)
    return str(job)


DUE = ("run_at", "run_after", "available_at", "scheduled_at", "next_run_at", "due_at")
UNIQUE = ("unique_key", "dedupe_key", "idempotency_key", "singleton_key")


def _altered(row: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The row with these values, in the form that its columns have."""
    for name, value in changes.items():
        if name in row:
            old = row[name]
            # SQLite keeps an id as 16 bytes or as text, PostgreSQL as a uuid.
            row[name] = value.bytes if isinstance(old, bytes) else str(value) if isinstance(old, str) else value
    for name in UNIQUE:
        if row.get(name) is not None:
            row[name] = f"{row[name]}-{uuid.uuid4()}"
    return row


def _copy_sqlite(path: Any, changes: dict[str, Any]) -> None:
    connection = sqlite3.connect(path, timeout=10)
    try:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT * FROM jobs LIMIT 1").fetchone()
        assert found, "the server has enqueued no job of its own to copy"
        row = _altered(dict(found), changes)
        for name in DUE:
            if isinstance(row.get(name), str):
                row[name] = "2099-01-01" + row[name][10:]
            elif isinstance(row.get(name), int):
                row[name] += row[name] // 10
        names = ", ".join(f'"{name}"' for name in row)
        connection.execute(f"INSERT INTO jobs ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        connection.commit()
    finally:
        connection.close()


def _copy_postgres(url: str, changes: dict[str, Any]) -> None:
    with psycopg.connect(url) as connection, connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute("SELECT * FROM jobs LIMIT 1").fetchone()
        assert found, "the server has enqueued no job of its own to copy"
        row = _altered(dict(found), changes)
        for name in DUE:
            if row.get(name) is not None:
                row[name] = row[name].replace(year=2099)
        values = [psycopg.types.json.Jsonb(value) if isinstance(value, (dict, list)) else value for value in row.values()]
        statement = sql.SQL("INSERT INTO jobs ({}) VALUES ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join([sql.Placeholder()] * len(row))
        )
        cursor.execute(statement, values)
