"""Import and export of histories as JSON Lines."""

from __future__ import annotations

import pytest

from support.api import assert_error, eventually
from support.chat import configs, export, jsonl, say, send, session

FAULT = 40_000


def conversation(name: str, count: int, **fields) -> list[dict]:
    roles = ("user", "assistant")
    lines = [{"type": "session", "external_id": name} | fields]
    return lines + [{"type": "message", "session": name, "role": roles[n % 2], "content": f"{name} {n}"} for n in range(count)]


@pytest.fixture(scope="module")
def long() -> list[bytes]:
    """Lines of ten sessions, of which line 40,000 is invalid."""
    lines = []
    for number in range(10):
        lines += conversation(f"s-{number}", 4999)
    text = jsonl(lines).splitlines(keepends=True)
    assert len(text) > FAULT
    text[FAULT - 1] = text[FAULT - 1].replace(b'"role": "', b'"role": "x-')
    return text


def total(api) -> int:
    return sum(row["message_count"] for row in api.all("chat_sessions"))


def test_an_export_can_be_imported_unchanged(deployment, tenant, name):
    tenant.create("users", {"username": "ann", "email": "ann@example.com", "external_id": "app-ann"})
    who = tenant.all("users", username="ann")[0]["id"]
    made = session(
        tenant, title="茶 and tea", user_id=who, external_id="e-1", system_prompt="Be brief.", metadata={"plan": "pro"}
    )
    tenant.call("PUT", configs(made["id"], "temperature"), 200, json={"value": 0.3})
    first = say(tenant, made["id"], [{"type": "text", "text": "hi"}], sender_id=who)
    say(tenant, made["id"], "hello", "assistant", metadata={"n": 1})
    say(tenant, made["id"], "other", "assistant", parent_id=first["id"])
    removed = say(tenant, made["id"], "secret")
    tenant.call("DELETE", f"/api/v1/messages/{removed['id']}", 204)
    say(tenant, made["id"], "anew", parent_id=None)
    nameless = session(tenant)
    say(tenant, nameless["id"], "I have no name")
    tenant.call("PATCH", f"/api/v1/chat_sessions/{nameless['id']}", 200, json={"status": "archived"})
    lines = export(tenant)
    assert [line["type"] for line in lines] == ["session", *["message"] * 5, "session", "message"]
    assert lines[0]["user_external_id"] == "app-ann"
    assert "secret" not in str(lines)
    other = deployment.tenant(name("copy"))
    other.create("users", {"username": "bob", "email": "bob@example.com", "external_id": "app-ann"})
    for line in lines:
        line.pop("user_id", None)
        line.pop("sender_id", None)
    answer = send(other, jsonl([*lines, {"type": "end", "sessions": 2, "messages": 6}])).json()
    assert answer == {"sessions": 2, "messages": 6, "next_line": 10}
    again = export(other)
    for line in again:
        line.pop("user_id", None)
    assert again == lines
    copied = other.all("messages", session_id=made["id"], order="asc")
    assert [row["sequence_number"] for row in copied] == [1, 2, 3, 4, 5]
    assert [row["parent_id"] for row in copied] == [None, copied[0]["id"], copied[0]["id"], copied[2]["id"], None]
    assert other.all("chat_sessions", external_id="e-1")[0]["user_id"] == other.all("users", username="bob")[0]["id"]


def test_an_invalid_line_40000_is_named_and_an_atomic_import_stores_nothing(tenant, long):
    error = assert_error(send(tenant, b"".join(long), None), 400, "invalid_line")
    assert error["message"].startswith(f"line {FAULT}: "), error
    assert "role" in error["message"] or "x-" in error["message"], error
    assert tenant.all("chat_sessions") == []
    assert tenant.all("audit_logs", action="import") == []


def test_a_resumable_import_resumes_at_the_invalid_line(tenant, long):
    error = assert_error(send(tenant, b"".join(long), None, mode="resumable"), 400, "invalid_line")
    assert error["message"].startswith(f"line {FAULT}: "), error
    assert f"from_line={FAULT}" in error["message"]
    assert total(tenant) == FAULT - 1 - 8, "all lines before it, eight of which are sessions"
    mended = list(long)
    mended[FAULT - 1] = mended[FAULT - 1].replace(b'"role": "x-', b'"role": "')
    answer = send(tenant, b"".join(mended), mode="resumable", from_line=FAULT).json()
    assert answer == {"sessions": 2, "messages": len(long) - FAULT + 1 - 2, "next_line": len(long) + 1}
    rows = tenant.all("chat_sessions", limit=200)
    assert {row["message_count"] for row in rows} == {4999}
    last = tenant.get("/api/v1/messages", session_id=rows[0]["id"], limit=1)["data"][0]
    assert last["sequence_number"] == 4999


def test_an_invalid_line_is_rejected_with_number_and_field(tenant):
    session(tenant, external_id="there")
    good = conversation("ok", 2)
    message = {"type": "message", "session": "ok", "role": "user", "content": "x"}
    nobody = "01900000-0000-7000-8000-000000000000"
    for line, said in (
        ({"type": "sesion"}, "sesion"),
        ({"type": "session"}, "external_id"),
        ({"type": "session", "external_id": "there"}, "external_id"),
        ({"type": "session", "external_id": "ok"}, "external_id"),
        ({"type": "session", "external_id": "n", "user_id": nobody}, "user_id"),
        ({"type": "session", "external_id": "n", "user_external_id": "who"}, "user_external_id"),
        ({"type": "session", "external_id": "n", "project_id": nobody}, "project_id"),
        ({"type": "session", "external_id": "n", "configs": {"temperature": 9}}, "configs.temperature"),
        ({"type": "session", "external_id": "n", "created_at": "1999-01-01T00:00:00Z"}, "created_at"),
        ({"type": "session", "external_id": "n", "more": 1}, "more"),
        (message | {"session": "nowhere"}, "session"),
        (message | {"role": "robot"}, "robot"),
        (message | {"content": 7}, "content"),
        (message | {"content": [{"type": "video"}]}, "content[0].type"),
        (message | {"content": "a\0b"}, "NUL"),
        (message | {"sequence_number": 9}, "next message of this session is number 3"),
        (message | {"parent": 3}, "parent"),
        (message | {"sender_id": nobody}, "sender_id"),
        (message | {"prompt_tokens": -1}, "prompt_tokens"),
        (message | {"created_at": "2999-01-01T00:00:00Z"}, "created_at"),
        (message | {"created_at": "yesterday"}, "line 4"),
        ({"type": "end", "sessions": 1, "messages": 3}, "incomplete"),
    ):
        error = assert_error(send(tenant, jsonl([*good, line]), None), 400, "invalid_line")
        assert error["message"].startswith("line 4: "), error
        assert said in error["message"], error
    for text in (b"{", b"[]", b"hello", b'"x"', b"\xff\xfe"):
        error = assert_error(send(tenant, jsonl(good) + b"\n" + text, None), 400, "invalid_line")
        assert error["message"].startswith("line 5: "), "empty lines are counted"
    assert len(tenant.all("chat_sessions")) == 1
    assert_error(send(tenant, b"", None, mode="both"), 400, param="mode")
    assert_error(send(tenant, b"", None, from_line=5), 400, param="from_line")
    assert_error(send(tenant, b"", None, from_line=0, mode="resumable"), 400, param="from_line")
    assert send(tenant, b"\n\n").json() == {"sessions": 0, "messages": 0, "next_line": 3}


def test_an_import_appends_to_existing_sessions(tenant):
    made = session(tenant, external_id="s")
    say(tenant, made["id"], "here already")
    more = {"type": "message", "role": "assistant", "content": "more"}
    lines = [more | {"session": "s", "sequence_number": 2}, more | {"session": made["id"], "parent": 1}]
    send(tenant, jsonl(lines))
    rows = tenant.all("messages", session_id=made["id"], order="asc")
    assert [row["parent_id"] for row in rows] == [None, rows[0]["id"], rows[0]["id"]]
    assert tenant.get(f"/api/v1/chat_sessions/{made['id']}")["message_count"] == 3, "the caches are updated"
    error = assert_error(send(tenant, jsonl(lines), None), 400, "invalid_line")
    assert "next message of this session is number 4" in error["message"], "a repeated line is detected"


def test_an_import_can_not_append_to_another_tenants_sessions(deployment, tenant, name):
    other = deployment.tenant(name("other"))
    theirs = session(other, external_id="theirs")
    for called in ("theirs", theirs["id"]):
        line = {"type": "message", "session": called, "role": "user", "content": "x"}
        assert_error(send(tenant, jsonl([line]), None), 400, "invalid_line", "session")
    assert other.get(f"/api/v1/chat_sessions/{theirs['id']}")["message_count"] == 0


def test_an_export_accepts_the_filters_of_the_list(tenant):
    send(tenant, jsonl(conversation("a", 3, metadata={"k": 1}) + conversation("b", 300)))
    assert len(export(tenant)) == 305
    assert [line["type"] for line in export(tenant, metadata='{"k":1}')] == ["session", *["message"] * 3]
    assert export(tenant, external_id="none") == []
    assert_error(tenant.call("GET", "/api/v1/chat_sessions/export", params={"metadata": "x"}), 400, param="metadata")


def test_messages_require_their_permissions(tenant):
    key = tenant.create("api_keys", {"name": "k", "scopes": ["chat_sessions:read", "chat_sessions:write"]})["key"]
    api = tenant.with_key(key)
    error = assert_error(send(api, jsonl(conversation("a", 1)), None), 400, "invalid_line")
    assert "messages:write" in error["message"]
    send(api, jsonl(conversation("a", 0)))
    say(tenant, tenant.all("chat_sessions")[0]["id"], "hidden")
    assert [line["type"] for line in export(api)] == ["session"]
    assert [line["type"] for line in export(tenant)] == ["session", "message"]


def test_an_import_may_exceed_the_usual_body_limit_but_is_bounded(tenant):
    text = "x" * 1000
    lines = conversation("big", 0)
    lines += [{"type": "message", "session": "big", "role": "user", "content": text} for _ in range(25_000)]
    body = jsonl(lines)
    assert len(body) > 25 << 20
    assert send(tenant, body).json()["messages"] == 25_000
    error = assert_error(send(tenant, jsonl([{"type": "x"}]) * 100_001, None), 413, "import_too_large")
    assert "resumable" in error["message"]
    assert_error(send(tenant, b"x" * (11 << 20), None), 413, "line_too_long")
    eventually(lambda: total(tenant) == 25_000)
