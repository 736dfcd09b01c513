"""Data that earlier versions wrote opens, migrates, and reads back equal: see "Upgrading" in docs/OPERATIONS.md."""

from __future__ import annotations

from datetime import datetime

import pytest

from services import Postgres
from upgrade.filling import settled
from upgrade.fixtures import archive, opened, unpack
from upgrade.reading import differences, read

VERSIONS = ["v1"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_an_earlier_version_wrote_is_read_back_equal(database, version, tmp_path, request):
    expected = unpack(archive(version, database), tmp_path)
    postgres: Postgres | None = request.getfixturevalue("postgres") if database == "postgres" else None
    with opened(tmp_path, postgres, f"upgraded_{version}") as deployment:
        settled(deployment.api)
        found = read(deployment.api, datetime.fromisoformat(expected["written"]))
        for content in (expected["content"], found):
            # newest activity first: turns of two sessions are recovered at this start, in either order
            content["chat_sessions"].sort(key=lambda session: session["id"])
        wrong = differences(expected["content"], found)
        assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:20])
        assert found["journal_quarantine"] == []
        # Every sealed value opens: it is sealed anew under another key.
        rotated = deployment.loam.cli_json("secret", "rotate", *(["--only-node"] if postgres else []))
        sealed = {table["table"] for table in rotated["tables"] if table["resealed"]}
        assert sealed >= {"ai_providers", "alert_rules", "channels", "token_issuers"}, rotated
