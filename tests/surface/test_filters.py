"""Filters of lists: the audit trail by actor and time, request records by session, projects by status and owner."""

from __future__ import annotations

from support.api import assert_error, eventually


def test_changes_are_found_by_who_made_them_and_when(tenant, name):
    made = tenant.create("api_keys", {"name": name(), "scopes": ["*"]})
    other = tenant.with_key(made["key"])
    before = tenant.create("projects", {"name": name()})
    after = other.create("projects", {"name": name()})
    actor = f"api_key:{made['id']}"
    rows = tenant.all("audit_logs", actor=actor)
    assert [(row["resource_id"], row["actor"]) for row in rows] == [(after["id"], actor)]
    of_projects = {"resource_type": "projects", "action": "create"}
    later = tenant.all("audit_logs", created_after=after["created_at"], **of_projects)
    assert [row["resource_id"] for row in later] == [after["id"]]
    earlier = tenant.all("audit_logs", created_before=after["created_at"], **of_projects)
    assert [row["resource_id"] for row in earlier] == [before["id"]]
    assert tenant.all("audit_logs", actor="api_key:nobody") == []


def test_requests_are_found_by_the_session_in_their_header_or_path(tenant):
    session = tenant.create("chat_sessions", {"model": "m"})["id"]
    other = tenant.create("chat_sessions", {"model": "m"})["id"]
    for id in (session, other):
        tenant.call("PATCH", f"/api/v1/chat_sessions/{id}", 200, json={"title": "x"})
        tenant.call("PUT", f"/api/v1/chat_sessions/{id}/configs/temperature", json={"value": "warm"})
        tenant.call("POST", "/api/v1/projects", headers={"x-loam-session-id": id}, json={"name": ""})

    def found():
        rows = tenant.all("api_logs", session_id=session)
        return rows if len(rows) >= 3 else None

    rows = eventually(found)
    assert {row["session_id"] for row in rows} == {session}
    path = f"/api/v1/chat_sessions/{session}"
    assert {row["path"] for row in rows} == {path, f"{path}/configs/temperature", "/api/v1/projects"}


def test_projects_are_found_by_status_framework_and_owner(tenant, name):
    role = tenant.create("roles", {"name": name(), "permissions": ["projects:read"]})
    user = {"username": name(), "email": f"{name()}@example.com", "password": "correct horse battery", "roles": [role["name"]]}
    owner = tenant.create("users", user)["id"]
    django = tenant.create("projects", {"name": name(), "framework": "django", "owner_id": owner})["id"]
    flask = tenant.create("projects", {"name": name(), "framework": "flask"})["id"]
    path = f"/api/v1/projects/{flask}"
    tenant.call("PATCH", path, 200, json={"monitoring_status": "archived", "delivery_status": "active"})
    tenant.call("PATCH", path, 200, json={"delivery_status": "completed"})
    for filters, expected in [
        ({"framework": "django"}, [django]),
        ({"owner_id": owner}, [django]),
        ({"monitoring_status": "archived"}, [flask]),
        ({"delivery_status": "completed"}, [flask]),
        ({"framework": "flask", "owner_id": owner}, []),
        ({}, [flask, django]),
    ]:
        assert [row["id"] for row in tenant.all("projects", **filters)] == expected, filters
    assert tenant.call("GET", "/api/v1/projects", params={"monitoring_status": "asleep"}).status_code == 400


def test_rows_are_found_by_a_part_of_their_name(tenant, name):
    word = name().replace("-", "")
    for title in (f"about {word.upper()} and tea", "about 100 % of _everything", "other"):
        tenant.create("chat_sessions", {"title": title, "model": "m"})

    def titles(text):
        return [row["title"] for row in tenant.all("chat_sessions", search=text)]

    assert titles(word) == [f"about {word.upper()} and tea"]
    assert titles("100 % of _") == ["about 100 % of _everything"], "no character is a wildcard"
    assert titles(f"{word}%") == []
    person = {"username": f"u{word}", "email": f"{word}@example.com", "password": "a-long-enough-password-1"}
    user = tenant.create("users", person | {"full_name": f"Ada {word}"})
    for text in (f"U{word}", f"{word}@EXAMPLE", f"ada {word}"):
        assert [row["id"] for row in tenant.all("users", search=text)] == [user["id"]], text
    project = tenant.create("projects", {"name": f"p{word}"})
    assert [row["id"] for row in tenant.all("projects", search=word)] == [project["id"]]
    key = tenant.create("api_keys", {"name": f"k{word}", "scopes": ["gateway:call"]})
    assert [row["id"] for row in tenant.all("api_keys", search=word.upper())] == [key["id"]]
    for collection in ("chat_sessions", "users", "projects", "api_keys"):
        for wrong in ("", "x" * 201):
            assert_error(tenant.call("GET", f"/api/v1/{collection}", params={"search": wrong}), 400, param="search")
