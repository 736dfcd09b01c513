"""`loam session` and `loam message` follow the rules of the API."""

from __future__ import annotations

import json

import pytest

from support.api import Api


@pytest.fixture
def acme(deployment, name) -> tuple[str, Api]:
    slug = name("acme")
    return slug, deployment.tenant(slug)


def talk(api: Api, title: str, *said: str, **fields) -> dict:
    session = api.create("chat_sessions", {"title": title} | fields)
    for number, text in enumerate(said):
        role = "assistant" if number % 2 else "user"
        api.create("messages", {"session_id": session["id"], "role": role, "content": text})
    return session


def test_sessions_are_listed_shown_and_filtered(deployment, acme):
    slug, api = acme
    older = talk(api, "older", "hi", metadata={"plan": "pro"})
    newer = talk(api, "newer", "hello", "good day", external_id="mine-1")
    api.call("PATCH", f"/api/v1/chat_sessions/{older['id']}", 200, json={"status": "archived"})

    def titles(*words: str) -> list[str]:
        return [row["title"] for row in deployment.loam.cli_json("session", "list", "--tenant", slug, *words)]

    assert titles() == ["newer", "older"]
    assert titles("--limit", "1") == ["newer"]
    assert titles("--active") == ["newer"]
    assert titles("--archived") == ["older"]
    assert titles("--external-id", "mine-1") == ["newer"]
    assert titles("--metadata", '{"plan":"pro"}') == ["older"]
    shown = deployment.loam.cli_json("session", "show", "--tenant", slug, newer["id"])
    assert shown == api.get(f"/api/v1/chat_sessions/{newer['id']}")
    assert deployment.loam.cli("session", "show", newer["id"], check=False).returncode == 1, "another tenant's"
    table = deployment.loam.cli("session", "list", "--tenant", slug).stdout
    assert table.splitlines()[0].split()[:2] == ["TITLE", "STATUS"]


def test_messages_are_listed_shown_and_printed(deployment, acme):
    slug, api = acme
    session = talk(api, "long", *(f"message {number}" for number in range(230)))["id"]
    rows = deployment.loam.cli_json("message", "list", "--tenant", slug, "--session", session, "--limit", "3")
    assert [row["sequence_number"] for row in rows] == [230, 229, 228]
    assert deployment.loam.cli_json("message", "show", "--tenant", slug, rows[0]["id"])["content"] == "message 229"
    lines = deployment.loam.cli("message", "export", "--tenant", slug, "--session", session).stdout.splitlines()
    assert [json.loads(line)["content"] for line in lines] == [f"message {number}" for number in range(230)]


def test_an_export_can_be_imported_by_another_tenant(deployment, acme, name, tmp_path):
    slug, api = acme
    talk(api, "one", "第一个问题", "第一个回答")
    talk(api, "two", "a question")
    other = name("other")
    elsewhere = deployment.tenant(other)
    file = tmp_path / "sessions.jsonl"
    told = deployment.loam.cli("session", "export", "--tenant", slug, "--output", str(file)).stdout
    assert "2 sessions with 3 messages" in told
    assert file.read_text() == deployment.loam.cli("session", "export", "--tenant", slug).stdout
    taken = deployment.loam.cli_json("session", "import", "--tenant", other, str(file))
    assert (taken["sessions"], taken["messages"]) == (2, 3)
    found = {row["title"]: row["message_count"] for row in elsewhere.all("chat_sessions")}
    assert found == {"one": 2, "two": 1}


def history(messages: int) -> list[str]:
    session = {"type": "session", "external_id": "old", "title": "from elsewhere", "created_at": "2024-02-03T04:05:06Z"}
    said = [
        {"type": "message", "session": "old", "role": "user", "content": f"{number}", "created_at": "2024-02-03T04:06:00Z"}
        for number in range(messages)
    ]
    return [json.dumps(line) for line in [session, *said]]


def test_an_invalid_line_is_named(deployment, acme, tmp_path):
    slug, api = acme
    lines = history(5)
    lines[3] = '{"type": "message", "session": "old", "role": "nobody", "content": "x"}'
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join(lines))
    words = ("session", "import", "--tenant", slug, str(file))
    done = deployment.loam.cli(*words, check=False)
    assert done.returncode == 1
    assert "line 4" in done.stderr
    assert api.all("chat_sessions") == []
    done = deployment.loam.cli(*words, "--resumable", check=False)
    assert done.returncode == 1
    assert "from_line=4" in done.stderr
    assert api.all("chat_sessions")[0]["message_count"] == 2
    lines[3] = history(5)[3]
    file.write_text("\n".join(lines))
    taken = deployment.loam.cli_json(*words, "--resumable", "--from-line", "4")
    assert taken["messages"] == 3
    assert api.all("chat_sessions")[0]["message_count"] == 5


def test_standard_input_is_imported(deployment, acme):
    slug, api = acme
    taken = deployment.loam.cli_json("session", "import", "--tenant", slug, "-", stdin="\n".join(history(2)))
    assert (taken["sessions"], taken["messages"]) == (1, 2)
    (session,) = api.all("chat_sessions")
    assert session["first_message_at"].startswith("2024-02-03T04:06")


def test_a_session_is_deleted(deployment, acme):
    slug, api = acme
    session = talk(api, "gone", "soon")["id"]
    deployment.loam.cli("session", "delete", "--tenant", slug, session)
    assert api.all("chat_sessions") == []
    done = deployment.loam.cli("session", "delete", "--tenant", slug, session, check=False)
    assert done.returncode == 1
    assert "session" in done.stderr


def test_a_missing_file_is_named(deployment, tmp_path):
    missing = tmp_path / "missing.jsonl"
    done = deployment.loam.cli("session", "import", str(missing), check=False)
    assert done.returncode == 1
    assert str(missing) in done.stderr
