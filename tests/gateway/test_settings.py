"""Settings of calls that can change at run time, by tenant."""

from __future__ import annotations

import pytest

from services import Faulty
from support.api import Api, assert_error
from support.deployment import Deployment
from support.gateway import add_faulty, the_call, unique

CALLS = "/api/v1/system_config/ai_service.calls"


@pytest.fixture
def tenant(deployment: Deployment, three: list[Faulty]) -> tuple[Api, str]:
    """A tenant of the test's own, and its model."""
    api = deployment.tenant(unique("settings"))
    return api, f"{add_faulty(api, three[0])}/m"


def bodies_recorded(api: Api, model: str) -> tuple[bool, bool]:
    """Whether a call's request and response bodies are recorded."""
    row = the_call(api, api.chat(model, "a secret of the heart"))
    return row.get("request_data") is not None, row.get("response_data") is not None


def test_a_tenant_can_turn_recording_of_bodies_off_and_on(tenant, deployment, three):
    api, model = tenant
    assert bodies_recorded(api, model) == (True, True)
    api.call("PUT", CALLS, 200, json={"config_value": {"record_bodies": False}})
    assert bodies_recorded(api, model) == (False, False)
    other = deployment.tenant(unique("settings"))
    assert bodies_recorded(other, f"{add_faulty(other, three[0])}/m") == (True, True)
    api.call("DELETE", CALLS, 204)
    assert bodies_recorded(api, model) == (True, True)


def test_the_reservation_for_an_unbounded_response_can_be_set(tenant):
    api, model = tenant
    provider = model.split("/")[0]
    price = {"provider": provider, "model": "*", "input_per_million": 0.0, "output_per_million": 1.0}
    api.create("model_prices", price)
    api.create("limits", {"subject_type": "tenant", "budget_per_day": 1000.0})
    assert the_call(api, api.chat(model, "hello"))["reserved_usd"] == pytest.approx(1024 / 1e6)
    api.call("PUT", CALLS, 200, json={"config_value": {"expected_answer_tokens": 5000}})
    assert the_call(api, api.chat(model, "hello"))["reserved_usd"] == pytest.approx(5000 / 1e6)


def test_an_invalid_setting_is_rejected_and_nothing_changed(tenant):
    api, model = tenant
    for value in ({"record_bodies": "no"}, {"expected_answer_tokens": -1}, {"bodies": True}):
        assert_error(api.call("PUT", CALLS, json={"config_value": value}), 400)
    assert bodies_recorded(api, model) == (True, True)
