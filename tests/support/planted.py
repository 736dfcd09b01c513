"""Rows that no request can create on demand: a tenant's failed job, a frame that the database refused."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from contextlib import closing
from typing import Any


def uuid7() -> uuid.UUID:
    """An id as the server creates it: the time comes first, so that lists by id are ordered by time."""
    stamp = int(time.time() * 1000) & ((1 << 48) - 1)
    value = (stamp << 80) | (uuid.uuid4().int & ((1 << 80) - 1))
    value = (value & ~(0xF << 76)) | (7 << 76)
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (0x2 << 62))


def plant_job(world: Any, state: str, *, payload: dict[str, Any] | None = None, last_error: str | None = None) -> str:
    """Inserts a job of the owner's in this state, due too late to run during the test; returns its id.

    It is a copy of a job that the server itself enqueued, so that its kind and payload are ones it knows.
    """
    return _plant(
        world,
        "jobs",
        {
            "kind": "kind",
            "payload": "payload" if payload is None else f"'{json.dumps(payload)}'",
            "last_error": "NULL" if last_error is None else f"'{last_error}'",
            "state": f"'{state}'",
            "attempts": "1",
            "max_attempts": "max_attempts",
            "run_at": "'2099-01-01T00:00:00+00:00'",
            "finished_at": "updated_at" if state == "failed" else "NULL",
            "created_at": "created_at",
            "updated_at": "updated_at",
        },
    )


def plant_frame(world: Any) -> str:
    """Inserts a quarantined frame of the owner's; returns its id."""
    frame = "X'00ff'" if world.deployment.database == "sqlite" else r"'\x00ff'"
    node = _literal(world.deployment, uuid7())
    values = {"node_id": node, "position": "1", "kind": "1", "frame": frame, "reason": "'planted'", "created_at": "created_at"}
    return _plant(world, "journal_quarantine", values)


def _literal(deployment: Any, value: uuid.UUID) -> str:
    """SQLite stores an id as its 16 bytes."""
    return f"X'{value.hex}'" if deployment.database == "sqlite" else f"'{value}'"


def _plant(world: Any, table: str, values: dict[str, str]) -> str:
    """Inserts a row of the owner's. Values are SQL and may refer to columns of an existing job."""
    deployment, made = world.deployment, uuid7()
    tenant = _literal(deployment, uuid.UUID(world.owner_tenant))
    row = {"tenant_id": tenant, "id": _literal(deployment, made)} | values
    copy = f"INSERT INTO {table} ({', '.join(row)}) SELECT {', '.join(row.values())} FROM jobs LIMIT 1 RETURNING 1"
    assert write(deployment, copy), "the server has enqueued no job of its own to copy"
    return str(made)


def write(deployment: Any, statement: str) -> list[tuple]:
    """Changes a table behind the server's back; returns what the statement does."""
    if deployment.database == "sqlite":
        with closing(sqlite3.connect(deployment.loam.data / "loam.db", timeout=10)) as connection, connection:
            return connection.execute(statement).fetchall()
    return deployment.postgres.execute(statement, deployment.database_name)
