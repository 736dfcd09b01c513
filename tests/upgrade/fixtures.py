"""Fixtures: data that an earlier version wrote, as `fixtures/<version>-<database>.tar.xz`.

An archive has `data/`, the server's folder with the journal, the master key and SQLite's file; on PostgreSQL also
`dump.sql`; and `expected.json`, what the version that wrote them read back.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from services import Loam, Postgres
from support.api import Api
from support.deployment import Deployment

# Jobs that delete old data. The server runs each once per hour: these are marked as done for the present one.
RETENTION = [
    "channels.forget_events",
    "db.forget_old",
    "insight.delete_old",
    "jobs.delete_finished",
    "llm_calls.delete_old",
    "records.delete_old",
    "rejected_records.delete_old",
    "turns.delete_old_events",
    "webhook_deliveries.delete_old",
]
FOLDER = Path(__file__).parent / "fixtures"
# Roles belong to the cluster, so a dump doesn't have them.
ROLES = ["loam_app", "loam_system"]


def archive(version: str, database: str) -> Path:
    return FOLDER / f"{version}-{database}.tar.xz"


def pack(path: Path, folder: Path) -> None:
    """Writes an archive of a folder's content, without owners."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(path, "w:xz", preset=9) as tar:
        for each in sorted(folder.iterdir()):
            tar.add(each, each.name, filter=anonymous)


def unpack(path: Path, folder: Path) -> dict[str, Any]:
    """Unpacks an archive; returns what is expected of it."""
    with tarfile.open(path) as tar:
        tar.extractall(folder, filter="data")
    return json.loads((folder / "expected.json").read_text()) if (folder / "expected.json").exists() else {}


def ignore_age(execute: Callable[[str], Any], database: str) -> None:
    """The data is as old as its version, and yet nothing of it expires.

    Telemetry that is not drained after 400 days, the longest that the setting allows, is dropped: in 2028 what a fixture of
    2026 expects of it has to be left out.
    """
    slot, kinds = int(time.time()) // 3600 * 3600, ", ".join(f"'{kind}'" for kind in RETENTION)
    execute(f"UPDATE jobs SET unique_key = 'slot:{slot}' WHERE kind IN ({kinds})")
    execute("UPDATE turns SET lease_until = '2099-01-01T00:00:00+00:00' WHERE state = 'requires_action'")
    late = """'{"late_days": 400}'"""
    merged = f"json_patch(config_value, {late})" if database == "sqlite" else f"config_value || {late}"
    execute(f"UPDATE system_config SET config_value = {merged} WHERE config_key = 'insight.storage'")


@contextmanager
def opened(folder: Path, postgres: Postgres | None, name: str) -> Iterator[Deployment]:
    """A server on a copy of unpacked data. The database `name` is created on PostgreSQL."""
    url = None
    if postgres:
        url = postgres.create_database(name)
        for role in ROLES:
            if not postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                postgres.execute(f"CREATE ROLE {role} NOLOGIN")
        postgres.restore(name, (folder / "dump.sql").read_text())
        ignore_age(lambda statement: postgres.execute(statement, name), "postgres")
    loam = Loam(database_url=url, start=False)
    with loam:
        shutil.copytree(folder / "data", loam.data)
        if not postgres:
            with closing(sqlite3.connect(loam.data / "loam.db")) as connection, connection:
                ignore_age(connection.execute, "sqlite")
        loam.start()
        yield Deployment(loam, Api(loam.url, loam.key), "postgres" if postgres else "sqlite", postgres, name)
        loam.stop()
