"""A budget is set, reached, and seen as the reason of a refused call."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from console.conftest import Console
from services import LlMock
from support.deployment import Deployment, add_usual_providers

pytestmark = pytest.mark.one_database


def test_a_budget_is_reached(console: Console, deployment: Deployment, mock: LlMock, name):
    add_usual_providers(deployment, mock)
    # So much that one call is more than the budget.
    deployment.api.create(
        "model_prices", {"provider": "mock", "model": "gpt-4o", "input_per_million": 1000, "output_per_million": 1000}
    )
    key = deployment.api.create("api_keys", {"name": name("spender")})
    page = console.open("/limits")
    page.get_by_role("button", name="Add a limit").first.click()
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").nth(1).select_option(key["id"])
    form.get_by_label("Budget per day").fill("0.0001")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("row").filter(has_text=key["name"])).to_be_visible()
    refused = deployment.api.with_key(key["key"]).chat("mock/gpt-4o", "hello", 429)
    assert refused.json()["error"]["code"] == "budget_day"
    page.goto(f"{console.url}/console/calls?state=refused")
    page.get_by_role("row").filter(has_text="budget_day").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Why it was refused")).to_be_visible()
    expect(page.get_by_text("budget_day", exact=True)).to_be_visible()
    page.goto(f"{console.url}/console/")
    expect(page.get_by_text(key["name"])).to_be_visible()
    expect(page.get_by_role("meter", name=key["name"])).to_be_attached()
