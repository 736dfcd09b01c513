"""Behaviour common to all resources: paging, entity tags, idempotent creation."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from support.api import assert_error, eventually

NOW = "2000-01-01T00:00:00Z"


def test_paging_walks_every_row_once_newest_first(tenant):
    made = [tenant.create("projects", {"name": f"page-{number}"})["id"] for number in range(23)]
    for limit in (1, 7, 22, 23, 24, 200):
        assert [row["id"] for row in tenant.all("projects", limit=limit)] == made[::-1], f"limit {limit}"


def test_the_usual_page_has_50_rows(tenant):
    for number in range(51):
        tenant.create("projects", {"name": f"usual-{number}"})
    page = tenant.get("/api/v1/projects")
    assert len(page["data"]) == 50
    assert page["next_cursor"]


def test_a_row_made_while_paging_moves_nothing(tenant):
    made = [tenant.create("projects", {"name": f"stable-{number}"})["id"] for number in range(6)]
    first = tenant.get("/api/v1/projects", limit=3)
    tenant.create("projects", {"name": "late"})
    second = tenant.get("/api/v1/projects", limit=3, cursor=first["next_cursor"])
    assert [row["id"] for row in first["data"] + second["data"]] == made[::-1]


def test_a_page_has_the_rows_and_the_cursor_and_nothing_else(api):
    for collection in ("tenants", "users", "api_keys", "projects", "ai_providers", "llm_calls", "jobs", "audit_logs", "roles"):
        page = api.get(f"/api/v1/{collection}")
        assert set(page) == {"data", "next_cursor", "prev_cursor"}, collection


def test_the_list_of_calls_can_be_filtered(gateway):
    api = gateway.api
    api.chat("mock/gpt-4o", "hello")
    api.chat("mock/gpt-4o-mini", "hello")
    for name, value in (("model", "gpt-4o-mini"), ("provider", "mock"), ("state", "settled")):
        # Lists are up to date within a second.
        rows = eventually(lambda filters={name: value}: api.all("llm_calls", **filters), 2)
        assert {row[name] for row in rows} == {value}
    assert api.all("llm_calls", state="orphaned") == []
    assert api.all("llm_calls", created_after="2099-01-01T00:00:00Z") == []
    assert api.all("llm_calls", created_after=NOW)


def test_a_change_needs_the_current_tag_when_one_is_sent(tenant):
    made = tenant.call("POST", "/api/v1/projects", 201, json={"name": "tagged"})
    url = f"/api/v1/projects/{made.json()['id']}"
    first = made.headers["etag"]
    assert tenant.call("GET", url, 200).headers["etag"] == first
    updated_at = datetime.fromisoformat(made.json()["updated_at"])
    assert first == f'"{(updated_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1):x}"'
    changed = tenant.call("PATCH", url, 200, json={"description": "one"}, headers={"if-match": first})
    assert changed.headers["etag"] != first
    assert changed.json()["description"] == "one"
    assert_error(tenant.call("PATCH", url, json={"description": "two"}, headers={"if-match": first}), 412)
    assert_error(tenant.call("PATCH", url, json={"description": "two"}, headers={"if-match": '"nonsense"'}), 412)
    assert tenant.get(url)["description"] == "one"
    tenant.call("PATCH", url, 200, json={"description": "three"}, headers={"if-match": changed.headers["etag"]})


def test_of_many_changes_under_one_tag_exactly_one_wins(tenant):
    made = tenant.call("POST", "/api/v1/projects", 201, json={"name": "raced"})
    url = f"/api/v1/projects/{made.json()['id']}"
    answers = []

    def change(number: int) -> None:
        headers = {"if-match": made.headers["etag"]}
        mine = tenant.with_key(tenant.key)
        answers.append(mine.call("PATCH", url, json={"description": str(number)}, headers=headers).status_code)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(answers) == [200] + [412] * 7


def test_a_field_that_is_not_sent_stays_and_null_clears_it(tenant):
    made = tenant.create("projects", {"name": "kept", "description": "first", "framework": "axum"})
    url = f"/api/v1/projects/{made['id']}"
    tenant.call("PATCH", url, 200, json={"framework": "actix"})
    assert tenant.get(url)["description"] == "first"
    tenant.call("PATCH", url, 200, json={"description": None})
    assert tenant.get(url)["description"] is None


def test_the_same_idempotency_key_makes_one_row_and_gives_the_same_answer(tenant):
    headers = {"idempotency-key": str(uuid.uuid4())}
    body = {"name": "once"}
    answers = [tenant.call("POST", "/api/v1/projects", 201, json=body, headers=headers) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert len([row for row in tenant.all("projects") if row["name"] == "once"]) == 1


def test_the_same_idempotency_key_for_another_body_is_refused(tenant):
    headers = {"idempotency-key": str(uuid.uuid4())}
    tenant.call("POST", "/api/v1/projects", 201, json={"name": "first"}, headers=headers)
    assert_error(tenant.call("POST", "/api/v1/projects", json={"name": "second"}, headers=headers), (409, 422))
    assert [row["name"] for row in tenant.all("projects")] == ["first"]


def test_the_same_idempotency_key_at_the_same_moment_makes_one_row(tenant):
    headers = {"idempotency-key": str(uuid.uuid4())}
    answers = []

    def create() -> None:
        answers.append(tenant.with_key(tenant.key).call("POST", "/api/v1/projects", json={"name": "at-once"}, headers=headers))

    threads = [threading.Thread(target=create) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    # Requests that arrive while the first one is running may be rejected.
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(tenant.all("projects")) == 1


def test_an_idempotency_key_belongs_to_its_tenant(tenant, deployment, name):
    other = deployment.tenant(name("other"))
    headers = {"idempotency-key": "shared-by-chance"}
    mine = tenant.call("POST", "/api/v1/projects", 201, json={"name": "mine"}, headers=headers).json()
    theirs = other.call("POST", "/api/v1/projects", 201, json={"name": "theirs"}, headers=headers).json()
    assert mine["id"] != theirs["id"]


def test_a_created_key_is_given_again_to_its_idempotency_key(tenant):
    headers = {"idempotency-key": str(uuid.uuid4())}
    body = {"name": "retried", "scopes": ["gateway:call"]}
    first, second = (tenant.call("POST", "/api/v1/api_keys", 201, json=body, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert first["key"] == second["key"]


def test_a_change_of_a_provider_is_seen_by_all_calls_from_its_answer_on(tenant, name, mock):
    """Also by requests that arrive while another one reads the change."""
    for _ in range(10):
        config = {"base_url": mock.base_url, "models": ["gpt-4o"]}
        made = tenant.create("ai_providers", {"name": name("fresh"), "kind": "openai", "config": config})
        assert statuses_at_once(tenant, f"{made['name']}/gpt-4o") == {200}
        tenant.call("PATCH", f"/api/v1/ai_providers/{made['id']}", 200, json={"is_active": False})
        assert statuses_at_once(tenant, f"{made['name']}/gpt-4o") == {404}


def statuses_at_once(api, model: str) -> set[int]:
    """The statuses of eight calls, each on an open connection."""
    clients = [api.with_key(api.key) for _ in range(8)]
    for client in clients:
        client.get("/readyz")
    statuses = []
    start = threading.Barrier(len(clients))

    def call(client) -> None:
        start.wait()
        statuses.append(client.chat(model, "hello", expect=None).status_code)

    threads = [threading.Thread(target=call, args=(client,)) for client in clients]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(statuses) == len(clients)
    return set(statuses)


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*"])
def test_every_answer_names_its_request(api, accept):
    answer = api.call("GET", "/api/v1/projects", 200, headers={"accept": accept, "x-request-id": "named-by-me"})
    assert answer.headers["x-request-id"] == "named-by-me"
    assert api.call("GET", "/api/v1/projects", 200).headers["x-request-id"]


def test_a_deleted_project_is_gone(tenant):
    made = tenant.create("projects", {"name": "short-lived"})
    tenant.call("DELETE", f"/api/v1/projects/{made['id']}", 204)
    assert_error(tenant.call("GET", f"/api/v1/projects/{made['id']}"), 404)
    assert tenant.all("projects") == []
