"""The OpenAPI document, and what holds for every operation in it."""

from __future__ import annotations

import uuid

import pytest

from support.api import assert_error
from support.openapi import LOG_IN, PUBLIC, RECEIVE, operations

pytestmark = pytest.mark.one_database


@pytest.fixture
def document(api):
    return api.with_key(None).get("/openapi.json")


def test_the_document_is_openapi_3_1_and_names_every_operation_once(document):
    assert document["openapi"].startswith("3.1")
    ids = [operation.document["operationId"] for operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_all_operations_are_documented(document):
    found = {(operation.method, operation.shape) for operation in operations(document)}
    listed = ["tenants", "users", "api_keys", "projects", "ai_providers", "llm_calls", "jobs", "audit_logs"]
    expected = {("GET", f"/api/v1/{name}") for name in listed} | {("GET", f"/api/v1/{name}/{{}}") for name in listed}
    expected |= {("POST", f"/api/v1/{name}") for name in listed[:5]}
    expected |= {("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/v1/models")}
    expected |= {("POST", "/api/v1/jobs/{}/retry"), ("POST", "/api/v1/jobs/{}/cancel")}
    assert not expected - found


def test_every_operation_outside_the_public_list_requires_a_key(api, document):
    stranger = api.with_key(None)
    for operation in operations(document):
        if operation.path in PUBLIC:
            continue
        url = operation.url(str(uuid.uuid4()))
        assert_error(stranger.call(operation.method, url, json={}), 401)
        assert_error(api.with_key("loam_nobody0000000000000000000000").call(operation.method, url, json={}), 401)


def test_the_public_list_responds_without_a_key(api):
    stranger = api.with_key(None)
    for path in sorted(PUBLIC - {LOG_IN, RECEIVE}):
        stranger.call("GET", path, 200, follow_redirects=True)
    assert_error(stranger.call("GET", "/metrics"), 401)


def test_an_unknown_path_and_a_wrong_method_use_the_error_format(api):
    assert_error(api.call("GET", "/api/v1/nothing_here"), 404)
    assert_error(api.call("DELETE", "/v1/chat/completions"), 405)
    assert_error(api.call("GET", "/v1/chat/completions"), 405)


def test_unknown_ids_get_404_and_malformed_ids_get_4xx(api, document):
    for operation in operations(document):
        if not operation.takes_id or operation.path in PUBLIC:
            continue
        answer = api.call(operation.method, operation.url(str(uuid.uuid4())), json={})
        # An invalid body, a missing query parameter or a number that is none may be rejected first.
        needs_query = any(each["in"] == "query" and each["required"] for each in operation.document.get("parameters", []))
        bodied = (
            operation.method in ("PATCH", "PUT")
            or "requestBody" in operation.document
            or needs_query
            or "{number}" in operation.path
        )
        assert_error(answer, (404, 400, 422) if bodied else 404)
        assert_error(api.call(operation.method, operation.url("not-an-id"), json={}), (400, 404, 422))


def test_the_reference_page_and_the_metrics_are_there(api):
    page = api.call("GET", "/docs", 200, follow_redirects=True)
    assert "text/html" in page.headers["content-type"]
    assert "# TYPE" in api.call("GET", "/metrics", 200).text
