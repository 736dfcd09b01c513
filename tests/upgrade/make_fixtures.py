"""Writes the fixtures of a version with its binary: LOAM_BIN=… python -m upgrade.make_fixtures VERSION, in tests/.

Fixtures are written once, by the released binary of their version, and never again: that is what they are for.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from services import LlMock, Postgres
from support.conversation import Chat
from support.deployment import Deployment, deploy
from support.platforms import Receiver
from upgrade.filling import fill, settled
from upgrade.fixtures import FOLDER, archive, opened, pack
from upgrade.reading import read


@contextmanager
def frozen(deployment: Deployment) -> Iterator[None]:
    """The journal isn't drained, and no message can be written."""
    if deployment.postgres:
        with psycopg.connect(deployment.postgres.database_url(deployment.database_name)) as connection:
            connection.execute("LOCK TABLE journal_checkpoints, messages IN EXCLUSIVE MODE")
            yield
            connection.rollback()
    else:
        with closing(sqlite3.connect(deployment.loam.data / "loam.db", timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield


def write(version: str, database: str, postgres: Postgres | None, folder: Path) -> None:
    with LlMock() as mock, LlMock(chunk_delay_ms=200) as slow, deploy(database, postgres) as deployment:
        undrained = fill(deployment, mock, slow, Receiver())
        running = Chat(deployment.api, "slow/gpt-4o")
        with running.asking("Tell me a long story.") as answer:
            answer.until(4)
            with frozen(deployment):
                undrained()
                time.sleep(1)
                deployment.loam.kill9()
                written = datetime.now(UTC)
        shutil.copytree(deployment.loam.data, folder / "data", ignore=shutil.ignore_patterns("lock", "*.tmp"))
        if postgres:
            (folder / "dump.sql").write_text(postgres.dump(deployment.database_name))
    contents = []
    for number in range(2):
        with opened(folder, postgres, f"opened_{number}") as deployment:
            settled(deployment.api)
            contents.append(read(deployment.api, written))
    for key in contents[0].keys() | contents[1].keys():
        assert contents[0].get(key) == contents[1].get(key), f"{key} differs from one start to the next"
    expected = {"written": written.isoformat(), "content": contents[0]}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True, ensure_ascii=False))
    FOLDER.mkdir(exist_ok=True)
    pack(archive(version, database), folder)


def main(version: str) -> None:
    for database in ("sqlite", "postgres"):
        with (
            tempfile.TemporaryDirectory() as folder,
            Postgres() if database == "postgres" else nullcontext() as postgres,
        ):
            write(version, database, postgres, Path(folder))
            print(archive(version, database), archive(version, database).stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])
