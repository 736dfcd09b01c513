"""Monitored applications: from the set-up to the first record, and from an alert rule to an incident that is resolved."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from console.conftest import Console
from support.api import Api
from support.deployment import Deployment
from support.platforms import Receiver, sign

pytestmark = pytest.mark.one_database

# A rule is evaluated within 15 seconds, and again after as many.
PATIENCE_MS = 60_000
PROGRAM = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
span = provider.get_tracer("orders").start_span("GET /orders", kind=SpanKind.SERVER)
span.set_attributes({"http.request.method": "GET", "http.route": "/orders", "http.response.status_code": 200})
span.end()
"""


def slow_requests(api: Api, key: str, seconds: float) -> None:
    records = [
        {
            "trace_id": uuid.uuid4().hex,
            "timestamp": time.time() - 5,
            "endpoint": "/checkout",
            "request_info": {"method": "POST", "path": "/checkout"},
            "response_info": {"status_code": 200},
            "performance_metrics": {"total_duration": seconds},
        }
        for _ in range(20)
    ]
    api.with_key(key).call("POST", "/api/v1/ingest/records", 202, json={"records": records})


def fact(page: Page, name: str):
    """The value of a fact by its name."""
    return page.locator("dl > div").filter(has=page.locator("dt", has_text=re.compile(f"^{name}$"))).locator("dd")


def test_an_alert_goes_from_its_rule_to_an_incident_that_is_resolved(console: Console, deployment: Deployment, name):
    api = deployment.api
    project = api.create("projects", {"name": name("shop")})
    rule = name("checkout is slow")
    slow_requests(api, project["ingest_key"], 2.0)
    with Receiver() as receiver:
        page = console.open("/alert-rules")
        page.get_by_role("button", name="New rule").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Project").select_option(label=project["name"])
        form.get_by_label("Name").fill(rule)
        form.get_by_label("Endpoint").fill("POST /checkout")
        form.get_by_label("Threshold").fill("0.5")
        form.get_by_label("Window in seconds").fill("30")
        form.get_by_label("Webhook URL").fill(receiver.url)
        # The browser itself refuses a window below the minimum.
        form.get_by_role("button", name="Create").click()
        assert form.get_by_label("Window in seconds").evaluate("each => each.validity.rangeUnderflow")
        form.get_by_label("Window in seconds").fill("300")
        form.get_by_role("button", name="Create").click()
        secret = page.get_by_role("dialog", name="The signing secret of the webhook").locator("code").inner_text()
        page.get_by_role("button", name="I have stored it").click()

        page.get_by_role("link", name="Alerts", exact=True).click()
        incident = page.get_by_role("link", name=rule)
        expect(incident).to_be_visible(timeout=PATIENCE_MS)
        incident.click()
        expect(page.get_by_text("The response time (95 %) was 2 s, above 500 ms.")).to_be_visible()
        expect(fact(page, "State")).to_have_text("open")
        expect(page.get_by_role("img", name="response time (95 %)")).to_be_visible()
        page.get_by_role("button", name="Acknowledge").click()
        expect(fact(page, "State")).to_have_text("acknowledged")
        page.get_by_role("button", name="Resolve").click()
        page.get_by_role("dialog").get_by_role("button", name="Resolve").click()
        expect(fact(page, "State")).to_have_text("resolved")
        expect(page.get_by_role("listitem").filter(has_text="Resolved · operator")).to_be_visible()
        expect(page.get_by_role("table", name="Notifications").get_by_text("delivered")).to_have_count(2, timeout=PATIENCE_MS)
        told = receiver.taken[0]
        signed = sign(secret, told.body, int(told.headers["x-loam-timestamp"]))
        assert told.headers["x-loam-signature"] == signed["x-loam-signature"]


def test_a_managed_rule_keeps_its_threshold_until_it_is_taken_over(console: Console, deployment: Deployment, name):
    project = deployment.api.create("projects", {"name": name("shop")})
    page = console.open("/alert-rules")
    page.get_by_label("Project").select_option(label=project["name"])
    actions = page.get_by_role("button", name="Actions: error_rate")
    expect(actions).to_have_count(1)
    actions.click()
    page.get_by_role("menuitem", name="Edit").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_label("Samples needed")).to_be_visible()
    expect(form.get_by_label("Threshold")).to_have_count(0)
    form.get_by_role("button", name="Cancel").click()
    actions.click()
    page.get_by_role("menuitem", name="Make the threshold its own").click()
    page.get_by_role("dialog").get_by_role("button", name="Make the threshold its own").click()
    actions.click()
    page.get_by_role("menuitem", name="Edit").click()
    form.get_by_label("Threshold").fill("0.2")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row").filter(has_text="error_rate")).to_contain_text("> 20%")
    actions.click()
    page.get_by_role("menuitem", name="Pause").click()
    expect(page.get_by_role("row").filter(has_text="error_rate")).to_contain_text("paused")


def snippets(page: Page, *names: str) -> str:
    panel = page.get_by_role("tabpanel")
    return "\n".join(
        panel.locator("div", has=page.get_by_role("heading", name=name, exact=True)).last.locator("code").inner_text()
        for name in names
    )


def run(script: str, folder: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_set_up_page_shows_the_first_record_arriving(console: Console, tmp_path: Path, name):
    page = console.open("/connect")
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name").fill(name("orders"))
    page.get_by_role("dialog").get_by_label("Framework").select_option(label="Flask")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    expect(page.get_by_role("tab", name="Flask")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("Waiting for the first record…")).to_be_visible()

    page.get_by_role("tab", name="HTTP").click()
    assert '"accepted":1' in run(snippets(page, "The key", "Send a record"), tmp_path)
    expect(page.get_by_text("It arrives: this project receives records.")).to_be_visible()
    records = page.get_by_role("table", name="Latest records")
    expect(records.get_by_role("link", name="GET /users/{id}")).to_be_visible()
    (tmp_path / "send.py").write_text(snippets(page, "The same in Python"))
    assert '"accepted":1' in run(f"{snippets(page, 'The key')}\npython send.py", tmp_path)

    page.get_by_role("tab", name="OpenTelemetry").click()
    (tmp_path / "program.py").write_text(PROGRAM)
    run(f"{snippets(page, 'The key', 'Settings')}\npython program.py", tmp_path)
    expect(records.get_by_role("link", name="GET /orders")).to_be_visible()
    records.get_by_role("link", name="GET /orders").click()
    page.wait_for_url(re.compile("/records/"))
