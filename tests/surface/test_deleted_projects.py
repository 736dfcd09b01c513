"""What becomes of everything around a project when it, or its owner, is deleted."""

from __future__ import annotations

from support.api import Api, eventually
from support.telemetry import record, send, sender

FAILED = {"call_id": "1", "function": 0, "start_offset": 0, "duration": 0.1, "exception_info": "ValueError: no"}


def telemetry(api: Api, project: str) -> dict[str, int]:
    tables = ["performance_records", "performance_metrics", "error_logs"]
    return {table: len(api.all(table, project_id=project)) for table in tables}


def test_a_deleted_project_takes_its_telemetry_with_it_and_leaves_its_sessions(api: Api, name) -> None:
    (key, project), (other_key, other) = sender(api, name("gone")), sender(api, name("stays"))
    told = {"functions": [{"name": "f"}], "function_calls": [FAILED], "response_info": {"status_code": 500}}
    metric = {"metrics": [{"metric_name": "queue.length", "metric_value": 17}]}
    for one, its in ((key, project), (other_key, other)):
        send(one, [record(f"{its['id']}-{number}", **told) for number in range(3)])
        one.call("POST", "/api/v1/performance_metrics", None, json=metric)
        eventually(lambda its=its: all(telemetry(api, its["id"]).values()), 30)
    there = telemetry(api, other["id"])
    session = api.create("chat_sessions", {"title": "kept", "project_id": project["id"]})["id"]
    body = {"name": name("channel"), "kind": "webhook", "settings": {"model": "m"}, "project_id": project["id"]}
    channel = api.create("channels", body)["id"]
    assert api.get(f"/api/v1/chat_sessions/{session}")["project_id"] == project["id"]

    api.call("DELETE", f"/api/v1/projects/{project['id']}", 204)

    eventually(lambda: not any(telemetry(api, project["id"]).values()), 30)
    eventually(lambda: api.get(f"/api/v1/chat_sessions/{session}")["project_id"] is None, 30)
    eventually(lambda: api.get(f"/api/v1/channels/{channel}")["project_id"] is None, 30)
    assert telemetry(api, other["id"]) == there
    kinds = {job["kind"] for job in api.all("jobs")}
    assert {"projects.delete_telemetry", "projects.detach_sessions"} <= kinds


def test_a_project_outlives_its_owner_and_can_be_given_to_another(api: Api, name) -> None:
    users = [name("owner"), name("heir")]
    owner, heir = (api.create("users", {"username": user, "email": f"{user}@example.com"})["id"] for user in users)
    kept, given = (api.create("projects", {"name": name("project"), "owner_id": owner})["id"] for _ in range(2))
    path = f"/api/v1/projects/{given}"
    assert api.call("PATCH", path, 200, json={"owner_id": heir}).json()["owner_id"] == heir
    before = api.get(f"/api/v1/projects/{kept}")["updated_at"]
    api.call("DELETE", f"/api/v1/users/{owner}", 204)
    row = api.get(f"/api/v1/projects/{kept}")
    assert row["owner_id"] is None
    assert row["updated_at"] > before
    assert api.get(path)["owner_id"] == heir
    (change,) = [row for row in api.all("audit_logs", resource_type="projects", resource_id=kept) if row["action"] == "update"]
    assert change["changes"]["owner_id"] is None
    assert api.call("PATCH", f"/api/v1/projects/{kept}", 200, json={"owner_id": heir}).json()["owner_id"] == heir
