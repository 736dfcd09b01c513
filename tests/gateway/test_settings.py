"""What can be set about calls while the server runs, by tenant."""

from __future__ import annotations

import pytest

from services import Faulty
from support.api import Api, assert_error
from support.deployment import Deployment
from support.gateway import add_faulty, the_call, unique

CALLS = "/api/v1/system_config/ai_service.calls"


@pytest.fixture
def tenant(deployment: Deployment, three: list[Faulty]) -> tuple[Api, str]:
    """A tenant of the test's own, and a model of its."""
    api = deployment.tenant(unique("settings"))
    return api, f"{add_faulty(api, three[0])}/m"


def kept(api: Api, model: str) -> tuple[bool, bool]:
    """Whether a call's request and answer are kept."""
    row = the_call(api, api.chat(model, "a secret of the heart"))
    return row.get("request_data") is not None, row.get("response_data") is not None


def test_a_tenant_can_have_its_bodies_not_kept_and_kept_again(tenant, deployment, three):
    api, model = tenant
    assert kept(api, model) == (True, True)
    api.call("PUT", CALLS, 200, json={"config_value": {"record_bodies": False}})
    assert kept(api, model) == (False, False)
    other = deployment.tenant(unique("settings"))
    assert kept(other, f"{add_faulty(other, three[0])}/m") == (True, True)
    api.call("DELETE", CALLS, 204)
    assert kept(api, model) == (True, True)


def test_what_is_held_back_for_an_unbounded_answer_can_be_set(tenant):
    api, model = tenant
    provider = model.split("/")[0]
    price = {"provider": provider, "model": "*", "input_per_million": 0.0, "output_per_million": 1.0}
    api.create("model_prices", price)
    api.create("limits", {"subject_type": "tenant", "budget_per_day": 1000.0})
    assert the_call(api, api.chat(model, "hello"))["reserved_usd"] == pytest.approx(1024 / 1e6)
    api.call("PUT", CALLS, 200, json={"config_value": {"expected_answer_tokens": 5000}})
    assert the_call(api, api.chat(model, "hello"))["reserved_usd"] == pytest.approx(5000 / 1e6)


def test_a_setting_that_makes_no_sense_is_refused_and_nothing_changed(tenant):
    api, model = tenant
    for value in ({"record_bodies": "no"}, {"expected_answer_tokens": -1}, {"bodies": True}):
        assert_error(api.call("PUT", CALLS, json={"config_value": value}), 400)
    assert kept(api, model) == (True, True)
