"""Finding calls in the ledger."""

from __future__ import annotations

import pytest

from support.api import eventually
from support.gateway import add_faulty, add_key, add_route, the_call, to, unique


@pytest.fixture
def tenant(deployment, three):
    api = deployment.tenant(unique("calls"))
    return api, add_faulty(api, three[0])


def test_calls_are_found_by_key_and_by_route(tenant):
    api, provider = tenant
    alias = add_route(api, to(provider))
    other, key = add_key(api)
    by_route, by_key = the_call(api, api.chat(alias, "hello"))["id"], the_call(api, other.chat(f"{provider}/m", "hello"))["id"]

    def found(**query) -> list[str]:
        return [row["id"] for row in api.all("llm_calls", **query)]

    eventually(lambda: set(found()) == {by_route, by_key}, 3)
    assert found(api_key_id=key) == [by_key]
    assert found(route=alias) == [by_route]
    assert found(api_key_id=key, route=alias) == []


def test_times_outside_the_range_of_ids_match_all_or_no_calls(tenant):
    api, provider = tenant
    call = the_call(api, api.chat(f"{provider}/m", "hello"))["id"]
    eventually(lambda: [row["id"] for row in api.all("llm_calls")] == [call], 3)
    assert api.all("llm_calls", created_after="+262142-01-01T00:00:00Z") == []
    assert [row["id"] for row in api.all("llm_calls", created_before="+262142-01-01T00:00:00Z")] == [call]
    assert [row["id"] for row in api.all("llm_calls", created_after="-262142-01-01T00:00:00Z")] == [call]
