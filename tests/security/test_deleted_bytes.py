"""Deleted data is in no file: a planted word is searched in the database's files, the journal and the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from support.api import eventually
from support.deployment import MOCK_MODELS, Deployment, deploy

DATABASES = ["sqlite", "postgres"]
WORD = "quixotic-marzipan-7731"
# What the database has is overwritten in the journal after a second, so that the test need not wait for ten minutes.
SOON = {"LOAM_JOURNAL__OVERWRITE_SECONDS": "1"}


@pytest.fixture(params=DATABASES)
def fresh(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with deploy(request.param, server, env=SOON) as made:
        yield made


def files_with(deployment: Deployment, word: str) -> list[str]:
    """The files of the data folder and of the log that have the word in them."""
    files = (path for path in deployment.loam.folder.rglob("*") if path.is_file())
    return sorted(path.name for path in files if word.encode() in path.read_bytes())


def in_journal(deployment: Deployment, word: str) -> bool:
    return any(name.startswith(("seg-", "new")) for name in files_with(deployment, word))


def test_a_call_leaves_the_journal_once_it_is_drained(fresh, mock):
    fresh.add_provider("mock", mock.base_url, MOCK_MODELS)
    fresh.api.chat("mock/gpt-4o", f"remember {WORD}")
    assert in_journal(fresh, WORD), "the call is in the journal first: otherwise this proves nothing"
    eventually(lambda: fresh.api.all("llm_calls"))
    eventually(lambda: not in_journal(fresh, WORD), seconds=30)
    # and the journal goes on
    fresh.api.chat("mock/gpt-4o", "another")
    eventually(lambda: len(fresh.api.all("llm_calls")) == 2)
    call = fresh.api.all("llm_calls")[-1]
    assert WORD in str(fresh.api.get(f"/api/v1/llm_calls/{call['id']}")["request_data"]), "it is in the database"


def test_deleted_rows_are_in_no_file(fresh):
    api = fresh.api
    user = api.create("users", {"username": f"u-{WORD}", "email": f"{WORD}@example.com", "full_name": f"Name {WORD}"})
    session = api.create("chat_sessions", {"title": f"about {WORD}", "user_id": user["id"]})
    for n in range(30):
        content = f"message {n} " + f"{WORD} " * (1 + n % 3 * 400)
        api.create("messages", {"session_id": session["id"], "role": "user", "content": content})
    if fresh.database == "sqlite":
        assert files_with(fresh, WORD), "the database has it: otherwise this proves nothing"

    api.call("DELETE", f"/api/v1/chat_sessions/{session['id']}", 204)
    api.call("DELETE", f"/api/v1/users/{user['id']}", 204)
    trail = str(api.all("audit_logs"))
    assert WORD not in trail, "the trail says what was done, not to what name or text"

    def gone() -> bool:
        assert fresh.loam.cli("db", "overwrite-deleted", "--json").returncode == 0
        return not files_with(fresh, WORD)

    # jobs delete the messages, a moment later
    eventually(gone, seconds=30, pause=1)


# SQLite alone: PostgreSQL's files are the server's
@pytest.mark.parametrize("fresh", ["sqlite"], indirect=True)
def test_a_file_from_before_is_rebuilt_by_the_first_run(fresh):
    api = fresh.api
    user = api.create("users", {"username": "bob", "email": "bob@example.com", "full_name": WORD * 4})
    # as an earlier version deleted
    with closing(sqlite3.connect(fresh.loam.data / "loam.db", timeout=10)) as database, database:
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("DELETE FROM users WHERE username = 'bob'")
        database.execute("PRAGMA user_version = 0")
    with closing(sqlite3.connect(fresh.loam.data / "loam.db", timeout=10)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert files_with(fresh, WORD), f"what {user['id']} was called is on a free page"
    assert fresh.loam.cli("db", "overwrite-deleted").returncode == 0
    assert files_with(fresh, WORD) == []
    assert api.get("/readyz")
