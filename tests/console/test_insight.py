"""Where the time of requests goes: from a list to the query that repeats, rankings, versions and metrics."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from console.conftest import Console
from support.api import Api, eventually
from support.deployment import Deployment
from support.insight import ENDPOINT, LOOP, STATEMENT, Watched

pytestmark = pytest.mark.one_database
ROWS = 30


@pytest.fixture(scope="module")
def watched(deployment: Deployment) -> Watched:
    """A project with one request of a version, and a quicker one of the next."""
    project = Watched(deployment.api)
    traces = [project.send(version="1.0", rows=ROWS), project.send(version="1.1", rows=2)]
    for trace in traces:
        eventually(lambda trace=trace: deployment.api.all("performance_records", trace_id=trace))
    eventually(lambda: len(deployment.api.get("/api/v1/versions", project_id=project.id)["data"]) == 2)
    return project


def described(page: Page, text: str | re.Pattern[str]) -> None:
    """What a screen reader says of the call that has the focus."""
    expect(page.locator("[aria-live=polite]").filter(has_text=text)).to_have_count(1)


def test_a_slow_request_leads_to_its_repeated_query(console: Console, watched: Watched):
    page = console.open(f"/records?project_id={watched.id}")
    page.get_by_role("searchbox", name="At least (s)").fill("0.5")
    rows = page.get_by_role("table", name="Requests").get_by_role("link", name=ENDPOINT)
    expect(rows).to_have_count(1)
    rows.focus()
    page.keyboard.press("Enter")

    finding = page.get_by_role("listitem").filter(has_text="N+1 queries")
    expect(finding).to_contain_text(f"{ROWS} times {STATEMENT}")
    finding.get_by_role("button", name=f"Show {ROWS} calls").click()
    expect(page.get_by_text(f"{ROWS} calls selected")).to_be_visible()
    tree = page.get_by_role("treegrid", name="Call tree")
    selected = tree.locator("[role=row][aria-selected=true]")
    expect(selected.first).to_contain_text(STATEMENT)
    # The query for the list is none of them.
    expect(tree.get_by_role("row").filter(has_text="SELECT * FROM orders")).to_have_attribute("aria-selected", "false")

    graph = page.get_by_role("application", name="Flame graph")
    graph.focus()
    described(page, re.compile("SELECT: Database, 20 ms"))
    page.keyboard.press("ArrowUp")
    described(page, re.compile(f"{LOOP}: Function"))
    zoom_out = page.get_by_role("button", name="Zoom out")
    expect(zoom_out).to_be_disabled()
    page.keyboard.press("Enter")
    expect(zoom_out).to_be_enabled()
    page.keyboard.press("Escape")
    expect(zoom_out).to_be_disabled()
    graph.click(position={"x": 40, "y": 8})
    described(page, re.compile(f"{ENDPOINT}: Request"))

    page.get_by_role("searchbox", name="Search functions and statements").fill("from customers")
    expect(page.get_by_text(re.compile(f"^{ROWS} found, 600 ms"))).to_be_visible()
    page.wait_for_url(re.compile(r"q=from\+customers"))
    page.get_by_role("checkbox", name="Merge equal calls").check()
    expect(tree.get_by_role("row").filter(has_text=STATEMENT).get_by_role("gridcell").nth(3)).to_have_text(str(ROWS))
    page.reload()
    expect(page.get_by_role("checkbox", name="Merge equal calls")).to_be_checked()
    expect(page.get_by_text(f"{ROWS} calls selected")).to_be_visible()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
        page.get_by_role("menuitem", name="Folded stacks").click()
    assert LOOP in downloading.value.path().read_text()


def test_rankings_lead_to_the_slowest_requests(console: Console, watched: Watched):
    page = console.open(f"/endpoints?project_id={watched.id}")
    page.get_by_role("button", name=ENDPOINT).click()
    slowest = page.get_by_role("dialog").get_by_role("table", name="Slowest requests")
    expect(slowest.get_by_role("row")).to_have_count(3)
    page.goto(f"{console.url}/console/functions?project_id={watched.id}&order=total")
    page.get_by_role("button", name=LOOP).click()
    page.get_by_role("dialog").get_by_role("link", name=ENDPOINT).first.click()
    expect(page.get_by_role("heading", level=1, name=ENDPOINT)).to_be_visible()


def test_two_versions_with_little_traffic_have_no_verdict(console: Console, watched: Watched):
    page = console.open(f"/versions?project_id={watched.id}&base=1.0&version=1.1")
    row = page.get_by_role("table", name="Endpoints").get_by_role("row").filter(has_text=ENDPOINT)
    expect(row).to_contain_text("Too little traffic")
    expect(row).to_contain_text("missing 49 and 49")
    page.get_by_role("button", name="Swap").click()
    page.wait_for_url(re.compile("base=1.1&version=1.0"))


def test_a_metric_is_charted_by_its_tags(console: Console, api: Api, watched: Watched):
    values = {"mail": 4, "chat": 9}
    points = [{"metric_name": "queue.length", "metric_value": value, "tags": {"queue": queue}} for queue, value in values.items()]
    project = {"x-loam-project": watched.id}
    api.call("POST", "/api/v1/performance_metrics", 200, headers=project, json={"metrics": points})
    eventually(lambda: len(api.all("performance_metrics", project_id=watched.id)) == 2)
    page = console.open(f"/metrics?project_id={watched.id}")
    page.get_by_role("checkbox", name="queue").check()
    page.get_by_role("button", name="Show as a table").click()
    chart = page.get_by_role("region", name="queue.length")
    expect(chart.get_by_role("columnheader")).to_have_text(["Time", "queue: chat", "queue: mail"])
    expect(chart.get_by_role("row").nth(1)).to_contain_text("94")
    expect(page.get_by_role("table", name="Points queue.length").get_by_role("row")).to_have_count(3)
