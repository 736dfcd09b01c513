"""Usage of what isn't counted by tokens."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from console.conftest import Console
from services import Faulty
from support.api import eventually
from support.deployment import Deployment
from support.gateway import add_faulty

pytestmark = pytest.mark.one_database


def test_images_are_summed(console: Console, deployment: Deployment):
    with Faulty() as upstream:
        answer = {"created": 1, "data": [{"url": "u"}, {"url": "v"}]}
        upstream.feel(answer=json.dumps(answer).encode(), headers=(("content-type", "application/json"),))
        model = f"{add_faulty(deployment.api, upstream)}/m"
        deployment.api.call("POST", "/v1/images/generations", 200, json={"model": model, "prompt": "a fox", "n": 2})
        eventually(lambda: deployment.api.get("/api/v1/usage")["data"])
    page = console.open("/usage")
    row = page.get_by_role("table", name="Model").get_by_role("row").filter(has=page.get_by_role("link", name="m", exact=True))
    expect(row).to_contain_text("2 images")
    expect(page.get_by_text("2 images", exact=True)).to_have_count(2)
