"""For every operation of `/openapi.json` that takes an id: the owner gets 2xx for a valid request, and the same
request with another tenant's key gets 404."""

from __future__ import annotations

import pytest

from support.api import Api, assert_error, eventually
from support.openapi import PUBLIC, operations
from support.registry import PROVIDER, REGISTRY, World, maker_of

# Lists of the instance, for operators; and function calls, which need a trace or a record: test_performance_records.py
# requests them as another tenant.
NOT_A_TENANTS = {"tenants", "signing_keys", "function_calls"}


@pytest.fixture(scope="module")
def world(deployment) -> World:
    made = deployment.api.create("tenants", {"slug": "owner", "name": "Owner"})
    owner = deployment.api.with_key(made["api_key"]["key"])
    return World(deployment, deployment.api, owner, deployment.tenant("other"), made["id"])


@pytest.fixture(scope="module")
def document(deployment):
    return deployment.api.with_key(None).get("/openapi.json")


def test_every_operation_with_an_id_is_in_the_registry(document):
    # Public operations have no tenant: they are authenticated by signature.
    guarded = [operation for operation in operations(document) if operation.path not in PUBLIC]
    found = {(operation.method, operation.shape) for operation in guarded if operation.takes_id}
    missing = sorted(found - REGISTRY.keys())
    assert not missing, f"say in tests/support/registry.py how to make a valid request for {missing}"
    assert found, "the document has no operation with an id, so nothing was tested"


def test_the_owner_gets_2xx_and_another_tenant_404(world, document):
    tried = 0
    for operation in operations(document):
        if not operation.takes_id or operation.path in PUBLIC:
            continue
        entry = REGISTRY[operation.method, operation.shape]
        place = entry.make(world)
        url = operation.url(place)
        body = entry.body(world, place) if callable(entry.body) else entry.body
        asks = ({"json": body} if body is not None else {}) | ({"params": entry.query} if entry.query else {})
        if entry.shared:
            mine, theirs = (each.call(operation.method, url, 200, **asks) for each in (world.owner, world.other))
            assert mine.json() == theirs.json(), f"{operation.path}: {entry.shared}"
            continue
        # The other tenant goes first, so that the owner's success proves that nothing was changed or removed…
        refused = world.other.call(operation.method, url, **asks)
        assert_error(refused, 404)
        owner = world.operator if entry.by == "operator" else world.owner
        answer = owner.call(operation.method, url, **asks)
        assert answer.is_success, f"{operation.method} {url}: {answer.status_code} {answer.text}"
        # …and again afterwards, so that the 404 is not caused by a missing row.
        assert_error(world.other.call(operation.method, url, **asks), 404)
        tried += 1
    assert tried >= 15, f"only {tried} operations were tried"


def test_a_deletion_is_audited_with_what_was_deleted(world, document):
    tried = set()
    for operation in operations(document):
        resource = operation.path.removeprefix("/api/v1/").split("/")[0]
        # A message leaves its row; stopping a turn, or ending a credential, deletes none.
        if operation.method != "DELETE" or resource in ("messages", "api_keys", "login_sessions"):
            continue
        # A deleted user is erased soon after, from the audit trail too.
        if operation.shape in ("/api/v1/users/{}", "/api/v1/chat_sessions/{}/turns/{}"):
            continue
        entry = REGISTRY[operation.method, operation.shape]
        owner = world.operator if entry.by == "operator" else world.owner
        place = entry.make(world)
        before = owner.get("/api/v1/audit_logs", limit=1)["data"][0]["sequence"]
        owner.call("DELETE", operation.url(place))
        rows = owner.get("/api/v1/audit_logs", limit=20)["data"]
        (row,) = [row for row in rows if row["sequence"] > before and row["action"] == "delete"]
        shown = {name: value for name, value in row["changes"].items() if value is not None}
        assert shown, f"{operation.path}: {row}"
        assert PROVIDER["api_key"] not in str(row)
        tried.add(operation.path)
    assert len(tried) >= 14, tried


def test_lists_show_only_a_tenants_own_rows(world, document):
    shown = set()
    for operation in operations(document):
        if operation.method != "GET" or operation.takes_id or not operation.is_list or operation.wants_parameter:
            continue
        collection = operation.path.removeprefix("/api/v1/")
        if collection in NOT_A_TENANTS:
            continue
        row = maker_of(collection)(world)
        mine = eventually(lambda collection=collection, row=row: row in (ids := own_rows(world.owner, collection)) and ids)
        theirs = own_rows(world.other, collection)
        assert not mine & theirs, f"{collection}: {len(mine & theirs)} rows are seen by both"
        shown.add(collection)
    assert len(shown) >= 20, f"only {sorted(shown)} were read"


def own_rows(api: Api, collection: str) -> set[str]:
    return {row["id"] for row in api.all(collection) if not row.get("built_in")}


def test_a_tenant_lists_no_tenants(world):
    assert_error(world.other.call("GET", "/api/v1/tenants"), 403)


def test_another_tenants_provider_cannot_be_called(world):
    config = {"base_url": "http://127.0.0.1:9/v1", "models": ["any"]}
    name = world.owner.create("ai_providers", {"name": "private", "kind": "openai", "config": config})["name"]
    assert any(model["id"].startswith("private") for model in world.owner.get("/v1/models")["data"])
    assert_error(world.other.chat(f"{name}/any", "hello", expect=None), 404, "model_not_found")
    assert not any(model["id"].startswith("private") for model in world.other.get("/v1/models")["data"])


def test_a_cursor_of_another_tenant_is_only_a_position(world):
    theirs = {world.other.create("projects", {"name": f"theirs-{number}"})["id"] for number in range(2)}
    for number in range(3):
        world.owner.create("projects", {"name": f"paged-{number}"})
    cursor = world.owner.get("/api/v1/projects", limit=1)["next_cursor"]
    found = {row["id"] for row in world.other.get("/api/v1/projects", cursor=cursor)["data"]}
    assert theirs <= found
    assert found <= own_rows(world.other, "projects")


def test_a_reference_to_another_tenants_row_is_rejected(world):
    project = world.owner.create("projects", {"name": "not-yours"})["id"]
    body = {"name": "stray", "scopes": ["gateway:call"], "project_id": project}
    assert_error(world.other.call("POST", "/api/v1/api_keys", json=body), 400, "invalid_value", "project_id")


def test_only_an_operator_creates_tenants(world):
    answer = world.owner.call("POST", "/api/v1/tenants", json={"slug": "mine-too", "name": "Mine"})
    assert_error(answer, 403)
