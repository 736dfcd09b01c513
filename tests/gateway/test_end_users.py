"""End users and tags: kept on the call, found, summed up, and limits for each end user."""

from __future__ import annotations

import json

import pytest

from services import Faulty
from services_kit.faulty import COMPLETION_TOKENS
from support.api import Api, assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_limit, add_price, ended_calls, fresh_minute, same_day, unique, usage

BOUND = {"max_tokens": COMPLETION_TOKENS}


@pytest.fixture
def slug() -> str:
    return unique("end-users")


@pytest.fixture
def api(deployment: Deployment, slug: str) -> Api:
    """A tenant of the test's own."""
    return deployment.tenant(slug)


@pytest.fixture
def model(api: Api, three: list[Faulty]) -> str:
    return f"{add_faulty(api, three[0])}/m"


def chat(api: Api, model: str, tags: str = "", **fields: object) -> str:
    """Makes a call; returns its id."""
    return api.chat(model, "hello", headers={"x-loam-tags": tags} if tags else None, **fields).headers["x-loam-call-id"]


def found(api: Api, **query: str) -> set[str]:
    return {row["id"] for row in api.all("llm_calls", **query)}


def test_end_users_tags_and_metadata_are_kept_found_and_summed_up(api, model, deployment, slug):
    ann = chat(api, model, "search, team-a,search", user="ann", metadata={"plan": "pro", "user_id": "x", "n": "1"})
    bob = chat(api, model, "search", safety_identifier="bob")
    cat = chat(api, model, metadata={"user_id": "cat"})
    path, body = "/anthropic/v1/messages", {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    sent = {"json": body | {"metadata": {"user_id": "ann"}}, "headers": {"x-loam-tags": "\u641c\u7d22".encode()}}
    also_ann = api.call("POST", path, 200, **sent).headers["x-loam-call-id"]
    rows = {row["id"]: row for row in ended_calls(api, [ann, bob, cat, also_ann])}
    assert (rows[ann]["end_user"], rows[ann]["tags"]) == ("ann", ["search", "team-a"])
    assert rows[ann]["metadata"] == {"plan": "pro", "n": "1"}
    assert [rows[each]["end_user"] for each in (bob, cat, also_ann)] == ["bob", "cat", "ann"]
    assert (rows[cat]["tags"], rows[cat]["metadata"], rows[cat]["refusal"]) == ([], {}, None)
    assert found(api, end_user="ann") == {ann, also_ann}
    assert found(api, tag="search") == {ann, bob}
    assert found(api, tag="\u641c\u7d22") == {also_ann}
    assert found(api, tag="sea") == found(api, tag="nobody") == set()
    assert found(api, metadata=json.dumps({"plan": "pro"})) == {ann}
    assert found(api, metadata=json.dumps({"plan": "pro", "n": "2"})) == set()
    assert_error(api.call("GET", "/api/v1/llm_calls", params={"metadata": "plan"}), 400, "invalid_value", "metadata")
    by_user = {row["end_user"]: row["calls"] for row in usage(api, group_by="end_user")}
    assert by_user == {"ann": 2, "bob": 1, "cat": 1}
    by_tag = {row["tag"]: row["calls"] for row in usage(api, group_by="tag,provider")}
    assert by_tag == {"search": 2, "team-a": 1, "\u641c\u7d22": 1}
    (total,) = usage(api)
    assert total["calls"] == 4
    (of_ann,) = usage(api, end_user="ann", granularity="hour")
    assert of_ann["total_tokens"] == rows[ann]["total_tokens"] + rows[also_ann]["total_tokens"] > 0
    (of_search,) = usage(api, tag="search")
    assert of_search["calls"] == 2
    error = assert_error(api.call("GET", "/api/v1/usage", params={"group_by": "tag", "end_user": "ann"}), 400, "invalid_value")
    assert error["param"] == "group_by"
    shown = deployment.loam.cli_json("usage", "show", "--tenant", slug, "--by", "end_user")
    assert shown == usage(api, group_by="end_user")
    assert deployment.loam.cli("call", "list", "--tenant", slug, "--tag", "team-a", "--field", "id").stdout.split() == [ann]
    other = deployment.tenant(unique("other"))
    assert usage(other, group_by="end_user") == usage(other, group_by="tag") == []


@pytest.mark.parametrize("tags", ["a,b,c,d,e,f,g,h,i", "x" * 65, "a\tb"])
def test_tags_are_bounded(api, model, three, tags):
    response = api.chat(model, "hello", None, headers={"x-loam-tags": tags})
    assert_error(response, 400, "invalid_value", "x-loam-tags")
    assert three[0].asked == []


@pytest.mark.parametrize("of", ["tenant", "api_key"])
def test_each_end_user_has_a_budget_of_their_own(api, model, of):
    same_day()
    add_price(api, model.split("/")[0], written=1000.0)
    caller, key = add_key(api)
    outsider = add_key(api)[0]
    # What was used before there was a limit counts.
    caller.chat(model, "hello", user="ann", **BOUND)
    limit = add_limit(api, "end_user", key if of == "api_key" else None, budget_per_day=0.011)
    assert (limit["subject_name"] is not None, limit["remaining"]) == (True, None)
    caller.chat(model, "hello", user="ann", **BOUND)
    refused = eventually(
        lambda: (got := caller.chat(model, "hello", None, user="ann", **BOUND)).status_code == 429 and got, 2, pause=0
    )
    assert "end user" in assert_error(refused, 429, "budget_day")["message"]
    for _ in range(2):
        assert caller.chat(model, "hello", None, user="bob", **BOUND).is_success
    assert caller.chat(model, "hello", None, user="bob", **BOUND).status_code == 429
    assert caller.chat(model, "hello", None, **BOUND).is_success, "nobody is named"
    assert outsider.chat(model, "hello", None, user="ann", **BOUND).is_success == (of == "api_key")
    row = eventually(lambda: api.get("/api/v1/llm_calls", state="refused", end_user="bob")["data"])[0]
    assert (row["refusal"]["subject_type"], row["refusal"]["limit_id"]) == ("end_user", limit["id"])
    by_user = {row["end_user"]: row["refused"] for row in usage(api, group_by="end_user")}
    assert by_user["bob"] == 1


def test_requests_of_each_end_user_are_counted_from_what_they_made_before(api, model):
    fresh_minute()
    for _ in range(3):
        api.chat(model, "hello", user="ann")
    add_limit(api, "end_user", None, requests_per_minute=4)
    statuses = []
    eventually(lambda: statuses.append(api.chat(model, "hello", None, user="ann").status_code) or statuses[-1] == 429, 2, pause=0)
    # One fits, and those that came before the limit was known.
    assert statuses.count(200) >= 1
    expected = (3 + statuses.count(200), statuses.count(429))
    eventually(lambda: [(row["calls"], row["refused"]) for row in usage(api, end_user="ann")] == [expected])
    assert api.chat(model, "hello", None, user="bob").is_success


@pytest.mark.parametrize("subject", ["project", "user"])
def test_a_limit_for_end_users_is_of_the_tenant_or_of_a_key(api, subject):
    made = {
        "project": lambda: api.create("projects", {"name": unique("project")}),
        "user": lambda: api.create("users", {"username": unique("u"), "email": f"{unique('u')}@example.com", "roles": ["admin"]}),
    }[subject]()["id"]
    new = {"subject_type": "end_user", "subject_id": made, "concurrency": 1}
    assert_error(api.call("POST", "/api/v1/limits", json=new), 400, "invalid_value", "subject_id")
