"""Messages: sequence numbers, content and branches."""

from __future__ import annotations

import threading

import pytest

from support.api import assert_error
from support.chat import jsonl, say, send, session

WRITERS = 64
EACH = 5


@pytest.fixture
def mine(tenant) -> str:
    return session(tenant)["id"]


def numbers(rows) -> list[int]:
    return [row["sequence_number"] for row in rows]


def test_64_concurrent_writers_leave_no_gap_and_no_error(tenant, mine):
    failed, seen = [], {}

    def write(writer: int) -> None:
        api = tenant.with_key(tenant.key)
        for number in range(EACH):
            body = {"session_id": mine, "role": "user", "content": f"{writer}/{number}"}
            answer = api.call("POST", "/api/v1/messages", json=body)
            if answer.status_code == 201:
                seen[writer, number] = answer.json()["sequence_number"]
            else:
                failed.append(answer.text)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(WRITERS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failed, failed[:3]
    rows = tenant.all("messages", session_id=mine, order="asc", limit=200)
    assert numbers(rows) == list(range(1, WRITERS * EACH + 1))
    assert {tuple(map(int, row["content"].split("/"))): row["sequence_number"] for row in rows} == seen
    for writer in range(WRITERS):
        mine_only = [seen[writer, number] for number in range(EACH)]
        assert mine_only == sorted(mine_only), "each writer's messages are in order"
    parents = [None] + [row["id"] for row in rows[:-1]]
    assert [row["parent_id"] for row in rows] == parents, "each follows the previous one"
    times = [row["created_at"] for row in rows]
    assert tenant.get(f"/api/v1/chat_sessions/{mine}")["message_count"] == len(rows)
    assert max(times) == tenant.get(f"/api/v1/chat_sessions/{mine}")["last_message_at"]


def test_a_message_is_returned_as_sent(tenant, mine):
    parts = [
        {"type": "text", "text": "What is this? 这是什么？"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]
    calls = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    made = [
        say(tenant, mine, "Be brief.", "system"),
        say(tenant, mine, parts, metadata={"client": "ios"}),
        say(tenant, mine, None, "assistant", tool_calls=calls),
        say(tenant, mine, "a cat", "tool", tool_call_id="c1"),
        say(tenant, mine, "", "assistant"),
    ]
    assert numbers(made) == [1, 2, 3, 4, 5]
    assert [row["content"] for row in made] == ["Be brief.", parts, "", "a cat", ""]
    assert (made[1]["metadata"], made[2]["tool_calls"], made[3]["tool_call_id"]) == ({"client": "ios"}, calls, "c1")
    assert tenant.all("messages", session_id=mine, order="asc") == made
    assert [tenant.get(f"/api/v1/messages/{row['id']}") for row in made] == made


def test_an_invalid_message_is_rejected_with_its_field_and_changes_nothing(tenant, mine):
    elsewhere = say(tenant, session(tenant)["id"], "x")["id"]
    nobody = "01900000-0000-7000-8000-000000000000"
    usual = {"session_id": mine, "role": "user", "content": "x"}
    for change, param in (
        ({"role": "robot"}, "role"),
        ({"content": None}, "content"),
        ({"content": 5}, "content"),
        ({"content": []}, "content"),
        ({"content": [{"type": "video"}]}, "content[0].type"),
        (
            {"content": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "ftp://x"}}]},
            "content[1].image_url.url",
        ),
        ({"content": "x" * (2 << 20)}, "content"),
        ({"content": "a\0b"}, "content"),
        ({"parent_id": elsewhere}, "parent_id"),
        ({"parent_id": nobody}, "parent_id"),
        ({"sender_id": nobody}, "sender_id"),
        ({"tool_call_id": "c"}, "tool_call_id"),
        ({"tool_calls": []}, "tool_calls"),
        ({"metadata": {"x": "y" * 70_000}}, "metadata"),
        ({"sequence_number": 7}, "sequence_number"),
    ):
        assert_error(tenant.call("POST", "/api/v1/messages", json=usual | change), 400, param=param)
    assert_error(tenant.call("GET", "/api/v1/messages"), 400, param="session_id")
    assert_error(tenant.call("POST", "/api/v1/messages", json=usual | {"session_id": nobody}), 404, "not_found")
    assert tenant.get(f"/api/v1/chat_sessions/{mine}")["message_count"] == 0
    assert tenant.all("messages", session_id=mine) == []


def test_an_archived_session_is_read_only(tenant, mine):
    kept = say(tenant, mine, "before")
    path = f"/api/v1/chat_sessions/{mine}"
    tenant.call("PATCH", path, 200, json={"status": "archived"})
    refused = tenant.call("POST", "/api/v1/messages", json={"session_id": mine, "role": "user", "content": "x"})
    assert_error(refused, 409, "session_archived")
    assert_error(tenant.call("PATCH", f"/api/v1/messages/{kept['id']}", json={"content": "x"}), 409, "session_archived")
    assert tenant.all("messages", session_id=mine) == [kept]
    tenant.call("PATCH", path, 200, json={"is_active": True})
    assert say(tenant, mine, "after")["sequence_number"] == 2


def test_messages_are_paged_both_ways(tenant, mine):
    for number in range(1, 24):
        say(tenant, mine, str(number))
    for limit in (1, 5, 22, 23, 24, 200):
        assert numbers(tenant.all("messages", session_id=mine, limit=limit)) == list(range(23, 0, -1)), limit
        assert numbers(tenant.all("messages", session_id=mine, limit=limit, order="asc")) == list(range(1, 24)), limit
    first = tenant.get("/api/v1/messages", session_id=mine, limit=10)
    second = tenant.get("/api/v1/messages", session_id=mine, limit=10, cursor=first["next_cursor"])
    say(tenant, mine, "24")
    newer = tenant.get("/api/v1/messages", session_id=mine, limit=20, cursor=first["data"] and second["prev_cursor"])
    assert numbers(newer["data"]) == list(range(24, 13, -1)), "back to the first page, with new messages"
    asc = tenant.get("/api/v1/messages", session_id=mine, limit=10, order="asc")
    more = tenant.get("/api/v1/messages", session_id=mine, limit=10, order="asc", cursor=asc["next_cursor"])
    assert numbers(more["data"]) == list(range(11, 21))
    assert numbers(tenant.get("/api/v1/messages", session_id=mine, limit=4, order="asc", cursor=more["prev_cursor"])["data"]) == [
        7,
        8,
        9,
        10,
    ]


def test_messages_are_filtered_by_role_and_time(tenant, mine):
    rows = [say(tenant, mine, "q"), say(tenant, mine, "a", "assistant"), say(tenant, mine, "q")]
    assert numbers(tenant.all("messages", session_id=mine, role="user")) == [3, 1]
    assert numbers(tenant.all("messages", session_id=mine, role="tool")) == []
    assert 3 in numbers(tenant.all("messages", session_id=mine, created_after=rows[2]["created_at"]))
    assert tenant.all("messages", session_id=mine, created_before=rows[0]["created_at"]) == []
    assert tenant.all("messages", session_id=mine, turn_id=mine) == []


def test_a_branch_is_the_path_to_its_message(tenant, mine):
    ids = {}
    # 1 ─ 2 ─ 3 ─ 6 ─ 7, and 2 ─ 4 ─ 5; 8 has no parent
    for number, parent in ((1, None), (2, 1), (3, 2), (4, 2), (5, 4), (6, 3), (7, 6)):
        ids[number] = say(tenant, mine, str(number), **({"parent_id": ids[parent]} if parent else {}))["id"]
    ids[8] = say(tenant, mine, "8", parent_id=None)["id"]
    for leaf, way in ((7, [7, 6, 3, 2, 1]), (5, [5, 4, 2, 1]), (4, [4, 2, 1]), (1, [1]), (8, [8])):
        for limit in (1, 2, 3, 50):
            asked = {"session_id": mine, "branch_of": ids[leaf], "limit": limit}
            assert numbers(tenant.all("messages", **asked)) == way, (leaf, limit)
            assert numbers(tenant.all("messages", order="asc", **asked)) == way[::-1], (leaf, limit)
    page = tenant.get("/api/v1/messages", session_id=mine, branch_of=ids[7], limit=2)
    page = tenant.get("/api/v1/messages", session_id=mine, branch_of=ids[7], limit=2, cursor=page["next_cursor"])
    back = tenant.get("/api/v1/messages", session_id=mine, branch_of=ids[7], limit=2, cursor=page["prev_cursor"])
    assert (numbers(page["data"]), numbers(back["data"])) == ([3, 2], [7, 6])
    elsewhere = say(tenant, session(tenant)["id"], "x")["id"]
    for asked in ({"branch_of": elsewhere}, {"branch_of": ids[7], "role": "user"}):
        assert_error(tenant.call("GET", "/api/v1/messages", params={"session_id": mine} | asked), 400, param="branch_of")


def test_the_head_selects_the_active_branch(tenant, mine):
    first, second = say(tenant, mine, "1"), say(tenant, mine, "2")
    path = f"/api/v1/chat_sessions/{mine}"
    assert tenant.get(path)["head_id"] == second["id"]
    tenant.call("PATCH", path, 200, json={"head_id": first["id"]})
    other = say(tenant, mine, "2, otherwise")
    assert (other["parent_id"], other["sequence_number"]) == (first["id"], 3)
    elsewhere = say(tenant, session(tenant)["id"], "x")["id"]
    assert_error(tenant.call("PATCH", path, json={"head_id": elsewhere}), 400, param="head_id")


def test_a_changed_or_deleted_message_keeps_its_number(tenant, mine):
    rows = [say(tenant, mine, text) for text in ("one", "two", "three")]
    path = f"/api/v1/messages/{rows[1]['id']}"
    tag = tenant.call("GET", path).headers["etag"]
    changed = tenant.call(
        "PATCH", path, 200, json={"content": [{"type": "text", "text": "TWO"}]}, headers={"if-match": tag}
    ).json()
    assert (changed["content"], changed["sequence_number"]) == ([{"type": "text", "text": "TWO"}], 2)
    assert_error(tenant.call("PATCH", path, json={"metadata": {}}, headers={"if-match": tag}), 412)
    assert_error(tenant.call("PATCH", path, json={"content": [{"type": "x"}]}), 400, param="content[0].type")
    assert_error(tenant.call("PATCH", path, json={"role": "system"}), 400, param="role")
    assert tenant.get("/api/v1/messages", session_id=mine)["data"][1] == changed, "visible at once in the newest page"
    tenant.call("DELETE", path, 204)
    tenant.call("DELETE", path, 204)
    gone = tenant.get(path)
    assert (gone["content"], gone["metadata"], gone["sequence_number"]) == ("", {}, 2)
    assert gone["deleted_at"]
    assert_error(tenant.call("PATCH", path, json={"content": "again"}), 409, "wrong_state")
    assert numbers(tenant.all("messages", session_id=mine)) == [3, 2, 1]
    assert say(tenant, mine, "four")["sequence_number"] == 4


def test_an_idempotency_key_prevents_a_duplicate_message(tenant, mine):
    body = {"session_id": mine, "role": "user", "content": "once"}
    answers = [tenant.call("POST", "/api/v1/messages", 201, json=body, headers={"idempotency-key": "k"}) for _ in range(3)]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(tenant.all("messages", session_id=mine)) == 1


def test_a_session_over_many_months_is_read_completely(tenant):
    months = [f"2024-{month:02}-15T10:00:00Z" for month in range(1, 13)]
    lines = [{"type": "session", "external_id": "old", "created_at": months[0]}]
    lines += [{"type": "message", "session": "old", "role": "user", "content": at, "created_at": at} for at in months]
    send(tenant, jsonl(lines))
    (old,) = tenant.all("chat_sessions", external_id="old")
    rows = tenant.all("messages", session_id=old["id"], limit=5)
    assert [row["content"] for row in rows] == months[::-1]
    assert [row["created_at"] for row in rows] == months[::-1]
    asked = {"created_after": "2024-03-01T00:00:00Z", "created_before": "2024-05-01T00:00:00Z"}
    assert numbers(tenant.all("messages", session_id=old["id"], **asked)) == [4, 3]
    assert say(tenant, old["id"], "now")["sequence_number"] == 13
