"""Testing the connection to a provider: the URL, the latency, and the models it lists."""

from __future__ import annotations

import pytest

from services import free_port
from support.api import Api, assert_error
from support.gateway import add_faulty, add_key, unique

pytestmark = pytest.mark.one_database

FIELDS = {"ok", "url", "status", "latency_ms", "models", "error"}


def probed(api: Api, name: str) -> dict:
    provider = api.get("/api/v1/ai_providers", name=name)["data"][0]
    found = api.call("POST", f"/api/v1/ai_providers/{provider['id']}/test", 200).json()
    assert set(found) == FIELDS
    return found


def test_a_successful_test_lists_the_models(api, three):
    three[0].models = ["m", "n"]
    three[0].feel(late=0.1)
    name = add_faulty(api, three[0], models=["configured-otherwise"])
    found = probed(api, name)
    assert found["ok"] is True
    assert found["url"] == f"{three[0].base_url}/models"
    assert (found["status"], found["models"], found["error"]) == (200, ["m", "n"], None)
    assert found["latency_ms"] >= 100
    assert [(one.path, one.key) for one in three[0].asked] == [("/v1/models", f"sk-{name}")]


def test_an_inactive_provider_can_be_tested(api, three):
    name = add_faulty(api, three[0])
    provider = api.get("/api/v1/ai_providers", name=name)["data"][0]
    api.call("PATCH", f"/api/v1/ai_providers/{provider['id']}", 200, json={"is_active": False})
    assert probed(api, name)["ok"] is True


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refusal_is_shown_with_its_status_and_without_the_key(api, three, status):
    three[0].feel(status=status)
    name = add_faulty(api, three[0], api_key="sk-wrong-key-0815")
    found = probed(api, name)
    assert (found["ok"], found["status"], found["models"]) == (False, status, None)
    assert name in found["error"]
    assert "sk-wrong-key-0815" not in str(found)


def test_an_unreachable_provider_is_reported(api):
    port = free_port()
    name = unique("nobody")
    config = {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "sk-nobody"}
    api.create("ai_providers", {"name": name, "kind": "openai", "config": config})
    found = probed(api, name)
    assert (found["ok"], found["status"], found["models"]) == (False, None, None)
    assert found["error"]
    assert found["url"] == f"http://127.0.0.1:{port}/v1/models"


@pytest.mark.parametrize("mood", [{"cut": "head"}, {"cut": "body"}, {"cut": "middle"}], ids=str)
def test_a_broken_connection_is_no_success(api, three, mood):
    name = add_faulty(api, three[0])
    three[0].feel(**mood)
    found = probed(api, name)
    assert found["ok"] is False
    assert found["error"]


def test_it_requires_the_write_permission_and_makes_no_call(api, three):
    name = add_faulty(api, three[0])
    provider = api.get("/api/v1/ai_providers", name=name)["data"][0]
    caller, _ = add_key(api)
    reader, _ = add_key(api, scopes=["ai_providers:read"])
    for other in (caller, reader):
        response = other.call("POST", f"/api/v1/ai_providers/{provider['id']}/test")
        assert_error(response, 403, "missing_permission")
    assert three[0].asked == []
    probed(api, name)
    assert api.get("/api/v1/llm_calls", provider=name)["data"] == []
