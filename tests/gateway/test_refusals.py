"""Calls that are refused leave a reason, in a bounded number of rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from services import Faulty
from services_kit.faulty import COMPLETION_TOKENS
from support.api import Api, assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_limit, add_price, add_route, fresh_minute, same_day, to, unique, usage

ADDRESSES = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hello"}]}),
    "messages": ("/anthropic/v1/messages", {"max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}),
    "responses": ("/v1/responses", {"input": "hello"}),
    "embeddings": ("/v1/embeddings", {"input": "hello"}),
    "completions": ("/v1/completions", {"prompt": "hello"}),
    "speech": ("/v1/audio/speech", {"input": "hello", "voice": "alloy"}),
    "transcriptions": ("/v1/audio/transcriptions", {}),
    "images": ("/v1/images/generations", {"prompt": "hello"}),
    "moderations": ("/v1/moderations", {"input": "hello"}),
    "rerank": ("/v1/rerank", {"query": "hello", "documents": ["world"]}),
}


@pytest.fixture
def slug() -> str:
    return unique("refused")


@pytest.fixture
def api(deployment: Deployment, slug: str) -> Api:
    """A tenant of the test's own."""
    return deployment.tenant(slug)


@pytest.fixture
def model(api: Api, three: list[Faulty]) -> str:
    return f"{add_faulty(api, three[0])}/m"


def refused(api: Api, calls: int, **query: object) -> dict:
    """The only row of refused calls, once it counts these."""

    def counted() -> dict | None:
        rows = api.get("/api/v1/llm_calls", state="refused", **query)["data"]
        assert len(rows) <= 1, rows
        return rows[0] if rows and rows[0]["refused_calls"] == calls else None

    return eventually(counted)


def test_a_budget_that_is_spent_leaves_which_one_what_was_needed_and_left_and_until_when(api, model, deployment, slug):
    midnight = same_day()
    add_price(api, model.split("/")[0], written=1000.0)
    caller, key = add_key(api)
    limit = add_limit(api, "api_key", key, budget_per_day=0.004)
    response = eventually(
        lambda: (got := caller.chat(model, "too much", None, max_tokens=COMPLETION_TOKENS)).status_code == 429 and got
    )
    error = assert_error(response, 429, "budget_day")
    assert midnight.strftime("%Y-%m-%dT%H:%M:%SZ") in error["message"]
    assert "x-loam-call-id" not in response.headers
    row = refused(api, 1, api_key_id=key)
    assert row["refusal"] == {
        "code": "budget_day",
        "free_at": midnight.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "limit_id": limit["id"],
        "subject_type": "api_key",
        "subject_id": key,
        "unit": "usd",
        "limit": 0.004,
        "needed": 0.005,
        "left": 0.004,
    }
    assert row["error_message"] == error["message"]
    assert row["request_id"] == response.headers["x-request-id"]
    assert (row["provider"], row["model"], row["api_key_id"]) == (*model.split("/"), key)
    assert (row["cost_usd"], row["total_tokens"], row["attempts"]) == (None, None, [])
    assert api.get(f"/api/v1/llm_calls/{row['id']}")["refusal"] == row["refusal"]
    (found,) = deployment.loam.cli_json("call", "list", "--tenant", slug, "--state", "refused")
    assert found == row
    assert "budget_day" in deployment.loam.cli("call", "list", "--tenant", slug, "--state", "refused").stdout


def test_each_reason_is_a_row_and_repetitions_are_counted_in_it_and_in_usage(api, model):
    fresh_minute()
    caller, key = add_key(api)
    add_limit(api, "api_key", key, requests_per_minute=0)
    eventually(lambda: caller.chat(model, "hello", None).status_code == 429)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: caller.chat(model, "hello", None).status_code, range(40)))
    assert set(statuses) == {429}
    for _ in range(3):
        assert_error(caller.chat("nobody/m", "hello", None), 404, "model_not_found")
    by_code = {}

    def all_counted() -> bool:
        rows = api.all("llm_calls", state="refused")
        by_code.clear()
        by_code.update({row["refusal"]["code"]: row for row in rows})
        assert len(by_code) == len(rows) == 2, "equal refusals of a minute are one row"
        return by_code["rate_limit_requests"]["refused_calls"] >= 41 and by_code["model_not_found"]["refused_calls"] == 3

    eventually(all_counted)
    limited, unknown = by_code["rate_limit_requests"], by_code["model_not_found"]
    assert (limited["refusal"]["unit"], limited["refusal"]["limit"], limited["refusal"]["left"]) == ("requests", 0, 0)
    assert datetime.fromisoformat(limited["refusal"]["free_at"]) > datetime.now(UTC).replace(second=0, microsecond=0)
    assert (unknown["provider"], unknown["model"], unknown["refusal"]["free_at"]) == ("", "nobody/m", None)
    total = limited["refused_calls"] + 3
    (used,) = usage(api, group_by="api_key")
    assert (used["api_key_id"], used["refused"], used["calls"]) == (key, total, used["calls"])
    assert used["calls"] == len([row for row in api.all("llm_calls") if row["state"] != "refused"])
    assert sum(row["refused"] for row in usage(api, granularity="minute", group_by="time")) == total


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_key_without_the_permission_leaves_a_row_for_each_endpoint(api, address):
    path, body = ADDRESSES[address]
    key = api.create("api_keys", {"name": unique("reader"), "scopes": ["usage:read"]})
    caller = api.with_key(key["key"])
    assert caller.call("POST", path, 403, json=body | {"model": "any/m"}, headers={"x-loam-tags": "batch"})
    row = refused(api, 1, api_key_id=key["id"])
    assert (row["refusal"]["code"], row["tags"], row["model"]) == ("missing_permission", ["batch"], "")
    assert row["endpoint"] in path
    caller.call("GET", "/v1/models", 403)
    refused(api, 1)


def test_rows_of_refusals_are_bounded(api):
    fresh_minute(20)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: api.chat(f"nobody/m{number}", "hello", 404), range(80)))

    def all_counted() -> list:
        rows = api.all("llm_calls", state="refused", limit=200)
        assert sum(row["refused_calls"] for row in rows) == 80
        return rows

    assert len(eventually(all_counted)) <= 51
    # Names that don't exist don't multiply the rows of usage.
    (used,) = usage(api, group_by="provider,model")
    assert (used["provider"], used["model"], used["refused"]) == ("", "", 80)


def test_another_tenant_sees_no_refusal(api, deployment):
    api.chat("nobody/m", "hello", 404)
    row = refused(api, 1)
    other = deployment.tenant(unique("other"))
    assert other.get("/api/v1/llm_calls", state="refused")["data"] == []
    assert_error(other.call("GET", f"/api/v1/llm_calls/{row['id']}"), 404, "not_found")
    assert usage(other) == []


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("address", ["chat", "messages"])
def test_a_provider_that_refuses_the_key_is_a_bad_gateway(api, model, three, address, status, streamed):
    three[0].feel(status=status)
    path, body = ADDRESSES[address]
    for name in (model, add_route(api, to(model.split("/")[0]))):
        response = api.call("POST", path, 502, json=body | {"model": name, "stream": streamed})
        error = assert_error(response, 502)
        assert model.split("/")[0] in error["message"]
        assert str(status) in error["message"]
        assert response.headers["x-should-retry"] == "false"
        assert error.get("code", "provider_refused_credentials") == "provider_refused_credentials"
        call = api.get(f"/api/v1/llm_calls/{response.headers['x-loam-call-id']}")
        assert (call["state"], call["status_code"]) == ("failed", status)


def test_a_turn_whose_provider_refuses_the_key_says_so(api, model, three):
    three[0].feel(status=401)
    session = api.create("chat_sessions", {"model": model})["id"]
    response = api.call("POST", f"/api/v1/chat_sessions/{session}/turns", json={"content": "hello"})
    assert "provider_refused_credentials" in response.text
    assert response.status_code != 401
    assert model.split("/")[0] in response.text
