"""Sessions: access, lists, updates and deletion."""

from __future__ import annotations

import json
import time

import jwt
import pytest

from support.api import assert_error, eventually
from support.chat import configs, export, jsonl, say, send, session

SECRET = "a-shared-secret-of-more-than-32-bytes"


@pytest.fixture
def end_users(tenant, name):
    """End users with tokens of the application; called with an id, it returns that user's client."""
    issuer = f"https://{name('app')}.example.com"
    body = {"name": "app", "issuer": issuer, "audience": "chat", "secret": SECRET, "auto_create_users": True}
    tenant.create("token_issuers", body)

    def api_of(user: str):
        claims = {"iss": issuer, "aud": "chat", "sub": user, "exp": int(time.time()) + 600}
        return tenant.with_key(jwt.encode(claims, SECRET, "HS256"))

    return api_of


def user(tenant, name) -> str:
    who = name("user")
    return tenant.create("users", {"username": who, "email": f"{who}@example.com"})["id"]


def ids(rows) -> list[str]:
    return [row["id"] for row in rows]


def test_a_session_is_created_with_its_fields(tenant, name):
    project = tenant.create("projects", {"name": "app"})["id"]
    provider = tenant.create("ai_providers", {"name": "p", "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1"}})[
        "id"
    ]
    given = {
        "title": "Über Tee 茶",
        "user_id": user(tenant, name),
        "project_id": project,
        "external_id": "chat-1",
        "provider_id": provider,
        "model": "gpt-4o",
        "system_prompt": "Be brief.",
        "metadata": {"plan": "pro", "nested": {"a": [1, None]}},
    }
    made = session(tenant, **given)
    assert made == made | given
    empty = {"channel_id", "head_id", "first_message_at", "last_message_at"}
    assert {key for key, value in made.items() if value is None} == empty
    assert (made["status"], made["is_active"], made["message_count"]) == ("active", True, 0)
    assert tenant.get(f"/api/v1/chat_sessions/{made['id']}") == made
    plain = session(tenant)
    assert (plain["title"], plain["user_id"], plain["metadata"]) == ("New chat", None, {})


def test_an_invalid_session_is_rejected_with_its_field(tenant):
    nobody = "01900000-0000-7000-8000-000000000000"
    session(tenant, external_id="taken")
    assert_error(
        tenant.call("POST", "/api/v1/chat_sessions", json={"external_id": "taken"}), 409, "already_exists", "external_id"
    )
    for field, value in {
        "title": "",
        "external_id": "x" * 256,
        "model": " ",
        "user_id": nobody,
        "project_id": nobody,
        "provider_id": nobody,
        "metadata": {"big": "x" * 70_000},
        "nonsense": 1,
    }.items():
        answer = tenant.call("POST", "/api/v1/chat_sessions", json={field: value})
        assert_error(answer, 400, param=field)
    assert len(tenant.all("chat_sessions")) == 1


def test_references_to_another_tenant_are_rejected(deployment, tenant, name):
    other = deployment.tenant(name("other"))
    theirs = {
        "user_id": user(other, name),
        "project_id": other.create("projects", {"name": "x"})["id"],
        "provider_id": other.create(
            "ai_providers", {"name": "p", "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1"}}
        )["id"],
    }
    for field, value in theirs.items():
        assert_error(tenant.call("POST", "/api/v1/chat_sessions", json={field: value}), 400, param=field)
        mine = session(tenant)["id"]
        assert_error(tenant.call("PATCH", f"/api/v1/chat_sessions/{mine}", json={field: value}), 400, param=field)


def test_sessions_are_listed_by_last_activity_and_paged_both_ways(tenant):
    made = [session(tenant, title=str(number))["id"] for number in range(7)]
    for id in (made[2], made[5], made[0]):
        say(tenant, id, "hello")
    wanted = [made[each] for each in (0, 5, 2, 6, 4, 3, 1)]
    for limit in (1, 2, 3, 7, 50):
        assert ids(tenant.all("chat_sessions", limit=limit)) == wanted, f"limit {limit}"
        assert ids(tenant.all("chat_sessions", limit=limit, order="asc")) == wanted[::-1], f"limit {limit}"
    path = "/api/v1/chat_sessions"
    first = tenant.get(path, limit=3)
    second = tenant.get(path, limit=3, cursor=first["next_cursor"])
    assert first["prev_cursor"] is None
    third = tenant.get(path, limit=3, cursor=second["next_cursor"])
    assert (ids(third["data"]), third["next_cursor"]) == (wanted[6:], None)
    back = tenant.get(path, limit=3, cursor=third["prev_cursor"])
    assert back == second
    assert ids(tenant.get(path, limit=3, cursor=back["prev_cursor"])["data"]) == ids(first["data"])


def test_a_list_is_filtered_by_each_parameter(tenant, name):
    who = user(tenant, name)
    project = tenant.create("projects", {"name": "app"})["id"]
    provider = tenant.create("ai_providers", {"name": "p", "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1"}})[
        "id"
    ]
    plain = session(tenant, metadata={"n": 2, "ok": True})
    middle = plain["created_at"]
    full = session(
        tenant,
        user_id=who,
        project_id=project,
        provider_id=provider,
        external_id="e-1",
        metadata={"plan": "pro", "n": 1, "ok": False, "no": None},
    )
    tenant.call("PATCH", f"/api/v1/chat_sessions/{full['id']}", 200, json={"status": "archived"})
    for filters in (
        {"user_id": who},
        {"project_id": project},
        {"provider_id": provider},
        {"external_id": "e-1"},
        {"status": "archived"},
        {"is_active": "false"},
        {"active_after": full["last_activity"]},
        {"created_after": full["created_at"]},
        {"metadata": json.dumps({"plan": "pro"})},
        {"metadata": json.dumps({"n": 1, "ok": False, "no": None})},
        {"metadata": json.dumps({"n": 1.0})},
        {"user_id": who, "is_active": "false", "project_id": project},
    ):
        assert ids(tenant.all("chat_sessions", **filters)) == [full["id"]], filters
    for filters in (
        {"status": "active"},
        {"active_before": full["last_activity"]},
        {"created_before": full["created_at"], "created_after": middle},
        {"metadata": json.dumps({"ok": True})},
    ):
        assert ids(tenant.all("chat_sessions", **filters)) == [plain["id"]], filters
    for filters in (
        {"metadata": json.dumps({"ok": 1})},
        {"metadata": json.dumps({"n": "1"})},
        {"metadata": json.dumps({"none": None})},
        {"status": "active", "is_active": "false"},
        {"channel_id": who},
    ):
        assert tenant.all("chat_sessions", **filters) == [], filters
    for bad in (
        {"metadata": "pro"},
        {"metadata": "[]"},
        {"metadata": '{"a": {}}'},
        {"order": "up"},
        {"user_id": "x"},
        {"is_active": "1"},
    ):
        assert_error(tenant.call("GET", "/api/v1/chat_sessions", params=bad), 400, param=next(iter(bad)))
    foreign = tenant.get("/api/v1/projects")
    assert foreign["next_cursor"] is None


def test_a_cursor_of_another_list_is_refused(tenant):
    for number in range(3):
        tenant.create("projects", {"name": f"p-{number}"})
        session(tenant)
    of_projects = tenant.get("/api/v1/projects", limit=1)["next_cursor"]
    of_sessions = tenant.get("/api/v1/chat_sessions", limit=1)["next_cursor"]
    assert_error(tenant.call("GET", "/api/v1/chat_sessions", params={"cursor": of_projects}), 400, param="cursor")
    assert_error(tenant.call("GET", "/api/v1/roles", params={"cursor": of_sessions}), 400, param="cursor")


def test_a_change_takes_effect_at_once_and_is_audited(tenant, name):
    made = session(tenant, title="old", user_id=user(tenant, name))
    path = f"/api/v1/chat_sessions/{made['id']}"
    tag = tenant.call("GET", path).headers["etag"]
    changes = {"title": "new", "user_id": None, "model": "m", "system_prompt": "S", "external_id": "e", "metadata": {"a": 1}}
    changed = tenant.call("PATCH", path, 200, json=changes, headers={"if-match": tag}).json()
    assert changed == changed | changes
    assert tenant.get(path) == changed
    assert tenant.all("chat_sessions", user_id=made["user_id"]) == []
    stale = tenant.call("PATCH", path, json={"title": "x"}, headers={"if-match": tag})
    assert_error(stale, 412, "stale_version")
    rows = tenant.all("audit_logs", resource_type="chat_sessions", resource_id=made["id"])
    assert [row["action"] for row in rows] == ["update", "create"]
    assert rows[0]["changes"]["title"] == "changed", "user-written texts are not audited"
    assert "S" not in rows[0]["changes"].values(), "prompts are not audited"
    cleared = tenant.call("PATCH", path, 200, json={"model": None, "system_prompt": None, "external_id": None}).json()
    assert (cleared["model"], cleared["system_prompt"], cleared["external_id"]) == (None, None, None)


def test_status_and_flag_always_agree(tenant):
    path = f"/api/v1/chat_sessions/{session(tenant)['id']}"
    for change, status in (
        ({"is_active": False}, "archived"),
        ({"status": "active"}, "active"),
        ({"status": "archived", "is_active": False}, "archived"),
        ({"is_active": True}, "active"),
    ):
        row = tenant.call("PATCH", path, 200, json=change).json()
        assert (row["status"], row["is_active"]) == (status, status == "active")
    assert_error(tenant.call("PATCH", path, json={"status": "archived", "is_active": True}), 400, param="is_active")


def test_a_session_is_deleted_with_all_its_data(deployment, tenant):
    kept, gone = session(tenant)["id"], session(tenant)["id"]
    stays = say(tenant, kept, "stays")
    messages = [say(tenant, gone, f"m-{number}")["id"] for number in range(3)]
    tenant.call("PUT", configs(gone, "temperature"), 200, json={"value": 1})
    tenant.get("/api/v1/messages", session_id=gone)
    tenant.call("DELETE", f"/api/v1/chat_sessions/{gone}", 204)
    for path in (
        f"/api/v1/chat_sessions/{gone}",
        configs(gone),
        configs(gone, "temperature"),
        *(f"/api/v1/messages/{id}" for id in messages),
    ):
        assert_error(tenant.call("GET", path), 404, "not_found")
    assert_error(tenant.call("GET", "/api/v1/messages", params={"session_id": gone}), 404)
    assert_error(tenant.call("POST", "/api/v1/messages", json={"session_id": gone, "role": "user", "content": "x"}), 404)
    assert ids(tenant.all("chat_sessions")) == [kept]
    job = eventually(lambda: tenant.all("jobs", kind="chat_sessions.delete_messages", state="succeeded"))
    assert job[0]["payload"]["session_id"] == gone
    assert tenant.get(f"/api/v1/messages/{stays['id']}") == stays


def test_a_users_sessions_are_deleted_with_the_user(tenant, name):
    who, other = user(tenant, name), user(tenant, name)
    sessions = [session(tenant, user_id=who)["id"] for _ in range(3)]
    message = say(tenant, sessions[0], "hello")["id"]
    kept = session(tenant, user_id=other)["id"]
    assert len(tenant.all("chat_sessions", user_id=who)) == 3
    tenant.call("DELETE", f"/api/v1/users/{who}", 204)
    eventually(lambda: ids(tenant.all("chat_sessions")) == [kept])
    assert_error(tenant.call("GET", f"/api/v1/messages/{message}"), 404)
    # An erasure's notices are read like those of other processes: within a second.
    eventually(lambda: tenant.all("chat_sessions", user_id=who) == [], 1)
    eventually(lambda: tenant.all("jobs", kind="erasures.run", state="succeeded"))


def test_an_end_user_with_the_applications_token_sees_only_their_own(tenant, end_users):
    ann, ben = end_users("ann"), end_users("ben")
    mine = session(ann, title="ann's")
    theirs = session(ben, title="ben's")
    applications = session(tenant, title="the application's")
    assert mine["user_id"] != theirs["user_id"]
    assert applications["user_id"] is None
    message = say(ann, mine["id"], "mine")
    assert message["sender_id"] == mine["user_id"]
    hidden = say(ben, theirs["id"], "theirs")
    tenant.call("PUT", configs(theirs["id"], "seed"), 200, json={"value": 4})
    # The caches now hold sessions that others may see.
    for id in (mine["id"], theirs["id"], applications["id"]):
        tenant.get(f"/api/v1/chat_sessions/{id}")
        tenant.get("/api/v1/messages", session_id=id)
    for owner in (mine["user_id"], theirs["user_id"]):
        assert len(tenant.all("chat_sessions", user_id=owner)) == 1
    assert ids(ann.all("chat_sessions")) == [mine["id"]]
    assert ids(ann.all("chat_sessions", limit=200)) == [mine["id"]]
    assert ann.all("chat_sessions", user_id=theirs["user_id"]) == []
    assert ids(ann.all("messages", session_id=mine["id"])) == [message["id"]]
    for id in (theirs["id"], applications["id"]):
        path = f"/api/v1/chat_sessions/{id}"
        refused = [
            ann.call("GET", path),
            ann.call("PATCH", path, json={"title": "mine now"}),
            ann.call("DELETE", path),
            ann.call("GET", "/api/v1/messages", params={"session_id": id}),
            ann.call("GET", "/api/v1/messages", params={"session_id": id, "order": "asc"}),
            ann.call("POST", "/api/v1/messages", json={"session_id": id, "role": "user", "content": "x"}),
            ann.call("GET", configs(id)),
            ann.call("PUT", configs(id, "seed"), json={"value": 5}),
            ann.call("GET", configs(id, "seed")),
            ann.call("DELETE", configs(id, "seed")),
        ]
        for answer in refused:
            assert_error(answer, 404, "not_found")
    path = f"/api/v1/messages/{hidden['id']}"
    for answer in (ann.call("GET", path), ann.call("PATCH", path, json={"content": "x"}), ann.call("DELETE", path)):
        assert_error(answer, 404, "not_found")
    assert [line["title"] for line in export(ann) if line["type"] == "session"] == ["ann's"]
    assert ben.get(path) == hidden
    assert ben.get(f"/api/v1/chat_sessions/{theirs['id']}")["message_count"] == 1


def test_an_end_user_creates_nothing_for_another_user(tenant, end_users):
    ann, ben = end_users("ann"), end_users("ben")
    hers, his = session(ann), session(ben)
    for body in ({"user_id": his["user_id"]}, {"user_id": None}):
        assert_error(ann.call("POST", "/api/v1/chat_sessions", json=body), 403, "missing_permission")
        path = f"/api/v1/chat_sessions/{hers['id']}"
        assert_error(ann.call("PATCH", path, json=body), 403, "missing_permission")
    body = {"session_id": hers["id"], "role": "user", "content": "x", "sender_id": his["user_id"]}
    assert_error(ann.call("POST", "/api/v1/messages", json=body), 403, "missing_permission")
    assert session(ann, user_id=hers["user_id"])["user_id"] == hers["user_id"]
    for lines in (
        [{"type": "session", "external_id": "stolen", "user_id": his["user_id"]}],
        [{"type": "message", "session": his["id"], "role": "user", "content": "x"}],
        [
            {"type": "session", "external_id": "s"},
            {"type": "message", "session": "s", "role": "user", "content": "x", "sender_id": his["user_id"]},
        ],
    ):
        assert_error(send(ann, jsonl(lines), None), 400, "invalid_line")
    send(ann, jsonl([{"type": "session", "external_id": "own"}]))
    assert {row["user_id"] for row in ann.all("chat_sessions")} == {hers["user_id"]}
    assert len(ann.all("chat_sessions")) == 3


def test_caches_are_never_older_than_the_last_write(tenant, name):
    who = user(tenant, name)
    made = session(tenant, user_id=who)
    path = f"/api/v1/chat_sessions/{made['id']}"
    for count in range(1, 4):
        say(tenant, made["id"], f"message {count}")
        assert tenant.get(path)["message_count"] == count, "visible at once in this process"
        assert tenant.get("/api/v1/messages", session_id=made["id"])["data"][0]["content"] == f"message {count}"
        assert tenant.get("/api/v1/chat_sessions", user_id=who)["data"][0]["message_count"] == count
