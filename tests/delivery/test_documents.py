"""Requirements, PRDs, technical designs and API specifications: what is stored, listed, refused and deleted."""

from __future__ import annotations

import pytest

from support.api import assert_error

from .conftest import DESIGN, MARKDOWN, SPEC, TEXT

ANALYSIS = {
    "user_stories": ["As a customer I cancel an order"],
    "features": {"must": ["cancel"], "should": [], "could": ["cancel a part"], "wont": ["refund in cash"]},
    "non_functional": ["within 200 ms"],
    "acceptance_criteria": [{"id": "AC-1", "trigger": "the customer cancels", "system": "the shop", "response": "refund"}],
}


def test_a_requirement_becomes_a_specification(delivered):
    made = delivered.chain()
    requirement, prd, design, spec = (made[name] for name in ("requirements", "prd_docs", "tech_designs", "api_specs"))
    assert (requirement["raw_text"], requirement["title"]) == (TEXT, "Customers cancel an open order.")
    assert (requirement["status"], requirement["version"], requirement["confidence_score"]) == ("draft", 1, None)
    assert (prd["markdown_content"], prd["title"], prd["requirement_id"]) == (MARKDOWN, "Orders", requirement["id"])
    assert design["architecture"] == DESIGN["architecture"]
    assert (design["decision_log"][0]["option"], design["risk_assessment"]["security"]) == ("SQLite", 2.5)
    assert (spec["openapi_spec"], spec["validation_errors"], spec["openapi_version"]) == (SPEC, [], "3.1.0")
    assert {document["project_id"] for document in made.values()} == {delivered.project}
    for collection, document in made.items():
        path = f"/api/v1/{collection}/{document['id']}"
        assert delivered.api.get(path) == document
        (listed,) = delivered.api.all(collection, project_id=delivered.project)
        assert listed.items() <= document.items(), "a list has less of a document, and nothing else"
        tag = delivered.api.call("GET", path, 200).headers["etag"]
        stale = {"base_version": 1, "title": "x"}
        assert_error(delivered.api.call("PATCH", path, json=stale, headers={"if-match": '"0"'}), 412, "stale_version")
        assert delivered.api.call("PATCH", path, 200, json=stale, headers={"if-match": tag}).json()["version"] == 2


def test_the_order_of_a_specifications_fields_is_kept(delivered):
    document = {"openapi": "3.0.3", "paths": {"/b": {}, "/a": {}}, "info": {"version": "1", "title": "Z"}}
    spec = delivered.spec(project_id=delivered.project, openapi_spec=document)
    answer = delivered.api.get(f"/api/v1/api_specs/{spec['id']}")["openapi_spec"]
    assert (list(answer), list(answer["paths"])) == (["openapi", "paths", "info"], ["/b", "/a"])
    turned = delivered.save("api_specs", spec, openapi_spec=dict(reversed(document.items())))
    assert (turned["version"], list(turned["openapi_spec"])) == (2, ["info", "paths", "openapi"])


def test_a_specification_with_faults_is_kept_with_them(delivered):
    spec = delivered.spec(project_id=delivered.project, openapi_spec={"openapi": "3.0.3", "info": {"title": "x"}})
    assert [fault["pointer"] for fault in spec["validation_errors"]] == ["/info/version", "/paths"]
    assert delivered.save("api_specs", spec, openapi_spec=SPEC)["validation_errors"] == []


def test_an_analysis_is_changed_in_part_and_the_edits_of_people_are_told(delivered):
    one = delivered.requirement(ai_analysis=ANALYSIS, confidence_score=0.8, model="openai/gpt-4o")
    assert one["manual_edits"] is None
    two = delivered.save("requirements", one, ai_analysis={"features": {"must": ["cancel", "refund"]}})
    assert two["ai_analysis"]["features"] == ANALYSIS["features"] | {"must": ["cancel", "refund"]}
    assert two["ai_analysis"]["user_stories"] == ANALYSIS["user_stories"]
    assert two["manual_edits"]["changes"] == [
        {"op": "add", "path": "/features/must/1", "from": None, "to": "refund", "diff": None}
    ]
    three = delivered.save("requirements", two, ai_analysis={"open_questions": ["When?"]}, model="openai/gpt-4o")
    assert three["manual_edits"] is None, "a model has taken them over"
    versions = delivered.api.all(f"requirements/{one['id']}/versions")
    assert [version["model"] for version in versions] == ["openai/gpt-4o", None, "openai/gpt-4o"]
    cleared = delivered.save("requirements", three, ai_analysis=None, confidence_score=None)
    assert (cleared["ai_analysis"], cleared["confidence_score"]) == (None, None)


def test_requirements_are_listed_by_confidence(delivered):
    scores = [0.2, None, 0.9, 0.5, 0.5]
    made = [delivered.requirement(confidence_score=score)["id"] for score in scores]
    filters = {"project_id": delivered.project, "sort": "confidence"}
    rows = delivered.api.all("requirements", limit=2, **filters)
    assert [row["confidence_score"] for row in rows] == [0.9, 0.5, 0.5, 0.2, None]
    assert sorted(row["id"] for row in rows) == sorted(made)
    assert len(delivered.api.all("requirements", min_confidence=0.5, **filters)) == 3
    second = delivered.api.get("/api/v1/requirements", limit=2, cursor=page_of(delivered, filters), **filters)
    back = delivered.api.get("/api/v1/requirements", limit=2, cursor=second["prev_cursor"], **filters)
    assert [row["id"] for row in back["data"]] == [row["id"] for row in rows[:2]]


def page_of(delivered, filters) -> str:
    return delivered.api.get("/api/v1/requirements", limit=2, **filters)["next_cursor"]


def test_documents_are_found_by_what_they_are_about(delivered):
    made = delivered.chain()
    other = delivered.design(made["prd_docs"]["id"], architecture={"type": "serverless"})
    url = "https://github.com/acme/shop/blob/main/openapi.json"
    spec = delivered.save("api_specs", made["api_specs"], github_url=url)
    assert (spec["version"], spec["github_url"]) == (1, url), "an address is no new version"
    for collection, filters, expected in [
        ("tech_designs", {"architecture_type": "serverless"}, other["id"]),
        ("tech_designs", {"prd_id": made["prd_docs"]["id"], "architecture_type": "monolith"}, made["tech_designs"]["id"]),
        ("prd_docs", {"requirement_id": made["requirements"]["id"]}, made["prd_docs"]["id"]),
        ("api_specs", {"openapi_version": "3.1.0"}, spec["id"]),
        ("api_specs", {"github_url": url, "design_id": made["tech_designs"]["id"]}, spec["id"]),
        ("requirements", {"status": "draft"}, made["requirements"]["id"]),
    ]:
        assert [row["id"] for row in delivered.api.all(collection, **filters)] == [expected], filters
    assert delivered.api.all("api_specs", openapi_version="3.0.0") == []


CRITERION = {"id": "AC-1", "system": "the shop", "response": "refund"}


@pytest.mark.parametrize(
    ("collection", "fields", "param"),
    [
        ("requirements", {"raw_text": " "}, "raw_text"),
        ("requirements", {"raw_text": "x" * 200_001}, "raw_text"),
        ("requirements", {"confidence_score": 1.5}, "confidence_score"),
        ("requirements", {"ai_analysis": {"features": {"maybe": []}}}, "ai_analysis.features"),
        ("requirements", {"ai_analysis": {"user_stories": ["ok", ""]}}, "ai_analysis.user_stories[1]"),
        ("requirements", {"ai_analysis": {"acceptance_criteria": [CRITERION, CRITERION]}}, "acceptance_criteria[1].id"),
        ("requirements", {"ai_analysis": {"acceptance_criteria": [CRITERION | {"id": "A 1"}]}}, "acceptance_criteria[0].id"),
        ("requirements", {"ai_analysis": {"acceptance_criteria": [{"id": "AC-1"}]}}, "acceptance_criteria[0]"),
        ("prd_docs", {"markdown_content": "x" * (2 << 20 | 1)}, "markdown_content"),
        ("prd_docs", {"title": ""}, "title"),
        ("tech_designs", {"architecture": {"type": "spaghetti"}}, "architecture.type"),
        ("tech_designs", {"architecture": {"type": "monolith", "components": [{"name": "x"}]}}, "architecture.components[0]"),
        ("tech_designs", {"risk_assessment": {"security": 11}}, "risk_assessment.security"),
        ("tech_designs", {"decision_log": [{"timestamp": "yesterday"}]}, "decision_log[0].timestamp"),
        ("api_specs", {"openapi_spec": {"swagger": "2.0"}}, "openapi_spec.openapi"),
        ("api_specs", {"openapi_spec": "openapi: 3.1.0"}, "openapi_spec"),
        ("api_specs", {"github_url": "file:///etc/passwd"}, "github_url"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_field(delivered, collection, fields, param):
    made = delivered.chain()
    of = {
        "requirements": {"project_id": delivered.project, "raw_text": TEXT},
        "prd_docs": {"requirement_id": made["requirements"]["id"]},
        "tech_designs": {"prd_id": made["prd_docs"]["id"]},
        "api_specs": {"design_id": made["tech_designs"]["id"], "openapi_spec": SPEC},
    }[collection]
    refused = delivered.api.call("POST", f"/api/v1/{collection}", json=of | fields)
    assert_error(refused, 400, None, param)
    change = {"base_version": 1} | fields
    refused = delivered.api.call("PATCH", f"/api/v1/{collection}/{made[collection]['id']}", json=change)
    assert_error(refused, 400, None, param)
    assert delivered.api.get(f"/api/v1/{collection}/{made[collection]['id']}") == made[collection]


def test_a_document_is_made_from_one_of_the_same_tenant(delivered, deployment, name):
    mine, other = delivered.chain(), deployment.tenant(name("other"))
    project = other.create("projects", {"name": name()})["id"]
    for collection, body, param in [
        ("requirements", {"project_id": delivered.project, "raw_text": TEXT}, "project_id"),
        ("prd_docs", {"requirement_id": mine["requirements"]["id"]}, "requirement_id"),
        ("tech_designs", {"prd_id": mine["prd_docs"]["id"]}, "prd_id"),
        ("api_specs", {"design_id": mine["tech_designs"]["id"], "openapi_spec": SPEC}, "design_id"),
        ("api_specs", {"openapi_spec": SPEC}, "project_id"),
    ]:
        assert_error(other.call("POST", f"/api/v1/{collection}", json=body), 400, "invalid_value", param)
    theirs = other.create("api_specs", {"project_id": project, "openapi_spec": SPEC})["id"]
    refused = delivered.save("tech_designs", mine["tech_designs"], 400, api_spec_id=theirs)
    assert refused["error"]["param"] == "api_spec_id"
    wrong = {"design_id": mine["tech_designs"]["id"], "project_id": delivered.api.create("projects", {"name": name()})["id"]}
    assert_error(delivered.api.call("POST", "/api/v1/api_specs", json=wrong | {"openapi_spec": SPEC}), 400, None, "project_id")


def test_a_design_names_the_specification_that_describes_it(delivered):
    made = delivered.chain()
    design = delivered.save("tech_designs", made["tech_designs"], api_spec_id=made["api_specs"]["id"])
    assert (design["api_spec_id"], design["version"]) == (made["api_specs"]["id"], 1)
    sibling = delivered.spec(design_id=delivered.design(made["prd_docs"]["id"])["id"])
    assert delivered.save("tech_designs", design, 400, api_spec_id=sibling["id"])["error"]["param"] == "api_spec_id"
    delivered.api.call("DELETE", f"/api/v1/api_specs/{made['api_specs']['id']}", 204)
    assert delivered.api.get(f"/api/v1/tech_designs/{design['id']}")["api_spec_id"] is None


def test_a_deletion_takes_what_was_made_from_it(delivered):
    made, stays = delivered.chain(), delivered.chain()
    delivered.api.call("DELETE", f"/api/v1/requirements/{made['requirements']['id']}", 204)
    for collection, document in made.items():
        path = f"/api/v1/{collection}/{document['id']}"
        for below in ("", "/versions", "/versions/1"):
            assert_error(delivered.api.call("GET", path + below), 404, "not_found")
        assert delivered.api.get(f"/api/v1/{collection}/{stays[collection]['id']}") == stays[collection]
    delivered.api.call("DELETE", f"/api/v1/projects/{delivered.project}", 204)
    for collection in made:
        assert delivered.api.all(collection) == []


def test_a_repeated_creation_takes_effect_once(delivered):
    new = {"project_id": delivered.project, "raw_text": TEXT}
    again = [delivered.api.create("requirements", new, headers={"idempotency-key": "once"}) for _ in range(2)]
    assert again[0] == again[1]
    assert len(delivered.api.all("requirements")) == 1
    (row,) = delivered.api.all("audit_logs", resource_type="requirements")
    assert (row["action"], row["resource_id"]) == ("create", again[0]["id"])
    assert TEXT not in str(row)
