"""The status of documents, who approves them, and the delivery of projects."""

from __future__ import annotations

import pytest

from support.api import assert_error


@pytest.mark.parametrize("collection", ["requirements", "prd_docs", "tech_designs", "api_specs"])
def test_an_approved_document_is_not_changed_until_it_is_a_draft_again(delivered, collection):
    one = delivered.chain()[collection]
    refused = delivered.move(collection, one, "approved", 409)["error"]
    assert refused["code"] == "invalid_transition"
    assert "in_review" in refused["message"], "what it can become"
    review = delivered.move(collection, one, "in_review")
    changed = delivered.save(collection, review, title="changed in review")
    approved = delivered.move(collection, changed, "approved")
    assert (approved["status"], approved["approved_version"]) == ("approved", 2)
    refused = delivered.save(collection, approved, 409, title="after it was approved")
    assert refused["error"]["code"] == "document_not_editable"
    draft = delivered.move(collection, approved, "draft")
    assert (draft["status"], draft["approved_version"]) == ("draft", None)
    third = delivered.save(collection, draft, title="again a draft")
    approved = delivered.move(collection, delivered.move(collection, third, "in_review"), "approved")
    superseded = delivered.move(collection, approved, "superseded")
    assert (superseded["status"], superseded["approved_version"]) == ("superseded", 3)
    for status in ("draft", "in_review", "approved", "superseded"):
        assert delivered.move(collection, superseded, status, 409)["error"]["code"] == "invalid_transition"
    rows = delivered.api.all("audit_logs", resource_type=collection, action="transition")
    statuses = [row["changes"]["status"] for row in reversed(rows)]
    assert statuses == ["in_review", "approved", "draft", "in_review", "approved", "superseded"]


def test_only_who_may_approve_approves_and_takes_back(delivered, name):
    scopes = ["requirements:read", "requirements:write"]
    writer = delivered.api.with_key(delivered.api.create("api_keys", {"name": name(), "scopes": scopes})["key"])
    one = delivered.requirement()
    path = f"/api/v1/requirements/{one['id']}/transition"
    move = lambda who, status, expect: who.call("POST", path, expect, json={"base_version": 1, "status": status})  # noqa: E731
    move(writer, "in_review", 200)
    error = assert_error(move(writer, "approved", 403), 403, "missing_permission")
    assert "documents:approve" in error["message"]
    move(delivered.api, "approved", 200)
    assert_error(move(writer, "draft", 403), 403, "missing_permission")
    assert_error(move(writer, "superseded", 403), 403, "missing_permission")
    move(delivered.api, "draft", 200)
    roles = {role["name"]: role["permissions"] for role in delivered.api.all("roles")}
    assert "documents:approve" in roles["admin"]
    assert "documents:approve" not in roles["developer"]
    assert "requirements:write" in roles["analyst"]
    assert "requirements:write" not in roles["viewer"]


def test_a_project_is_delivered_step_by_step(tenant, name):
    project = tenant.create("projects", {"name": name()})
    path = f"/api/v1/projects/{project['id']}"
    assert project["delivery_status"] == "draft"
    refused = tenant.call("PATCH", path, json={"delivery_status": "completed"})
    assert_error(refused, 409, "invalid_transition", "delivery_status")
    for status in ("active", "completed", "archived", "active"):
        answer = tenant.call("PATCH", path, 200, json={"delivery_status": status}).json()
        assert answer["delivery_status"] == status
    milestone = {"name": "beta", "date": "2027-01-31T00:00:00Z", "completed": False}
    timeline = {"milestones": [milestone], "own": 1}
    assert tenant.call("PATCH", path, 200, json={"timeline": timeline}).json()["timeline"] == timeline
    wrong = {"timeline": {"milestones": [milestone | {"date": "soon"}]}}
    assert_error(tenant.call("PATCH", path, json=wrong), 400, "invalid_value", "timeline.milestones[0]")
    assert_error(tenant.call("POST", "/api/v1/projects", json={"name": name()} | wrong), 400, None, "timeline.milestones[0]")


def test_custom_fields_are_merged_and_filtered(tenant, name):
    own = {"custom_fields": {"enterprise_grade": True, "tier": 2, "legacy": "SAP"}, "other": {"tier": 3}}
    one = tenant.create("projects", {"name": name(), "metadata": own})["id"]
    two = tenant.create("projects", {"name": name(), "metadata": {"custom_fields": {"tier": 3}}})["id"]
    tenant.create("projects", {"name": name(), "metadata": {"tier": 2}})
    change = {"metadata": {"custom_fields": {"legacy": None, "region": "eu"}}}
    changed = tenant.call("PATCH", f"/api/v1/projects/{one}", 200, json=change).json()["metadata"]
    assert changed == {"custom_fields": {"enterprise_grade": True, "tier": 2, "region": "eu"}, "other": {"tier": 3}}
    for fields, expected in [
        ('{"enterprise_grade":true}', [one]),
        ('{"enterprise_grade":1}', []),
        ('{"tier":2,"region":"eu"}', [one]),
        ('{"tier":3}', [two]),
        ('{"legacy":"SAP"}', []),
        ("{}", None),
    ]:
        found = [row["id"] for row in tenant.all("projects", custom_fields=fields)]
        assert expected is None or found == expected, fields
    for wrong in ("tier", '{"tier":[2]}'):
        assert_error(tenant.call("GET", "/api/v1/projects", params={"custom_fields": wrong}), 400, None, "custom_fields")
