"""Every page of the navigation: in both languages and themes, wide and narrow, by the accessibility rules, and quick to load."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from console.conftest import NARROW, WIDE, Console
from support.deployment import Deployment
from support.installed import setup_path

pytestmark = pytest.mark.one_database

AXE = Path(setup_path("node:console")) / "node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FIRST_LOAD_KB, CHUNK_KB = 250, 80


@pytest.fixture(scope="module")
def sampled(deployment: Deployment) -> Deployment:
    """With the sample data."""
    deployment.loam.cli("db", "sample", "--sessions", "60", "--months", "1")
    return deployment


def paths(page: Page) -> list[str]:
    """Where the entries of the navigation lead."""
    links = page.get_by_role("navigation", name="Navigation").get_by_role("link")
    links.first.wait_for()
    return [link.get_attribute("href").removeprefix("/console") or "/" for link in links.all()]


def settle(page: Page) -> None:
    """Waits until nothing is being read any more."""
    page.get_by_role("heading", level=1).first.wait_for()
    expect(page.get_by_role("status", name="Loading…").or_(page.get_by_role("status", name="加载中…"))).to_have_count(0)


def violations(page: Page) -> Iterator[str]:
    page.evaluate(AXE.read_text())
    # The library's marks before and after a popup take the focus only to pass it on.
    script = "rules => axe.run({exclude: ['[data-base-ui-focus-guard]']}, {runOnly: {type: 'tag', values: rules}})"
    found = page.evaluate(script, RULES)
    for rule in found["violations"]:
        for node in rule["nodes"]:
            yield f"{rule['id']}: {node['target']} {node['html'][:200]}"


# Words that stay as they are in Chinese: names, units, code.
LATIN = re.compile(r"[A-Za-z]{4,}(?: [A-Za-z]{2,}){3,}")


@pytest.mark.parametrize("look", ["light-wide", "dark-narrow"])
def test_every_page_is_accessible_and_fits(console: Console, sampled: Deployment, look: str):
    theme, size = look.split("-")
    page = console.open("/", theme=theme, size=WIDE)
    faults = []
    all_paths = paths(page)
    assert len(all_paths) > 2
    if size == "narrow":
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
    for path in all_paths:
        page.goto(f"{console.url}/console{path}")
        settle(page)
        faults += [f"{path}: {each}" for each in violations(page)]
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if overflow > 0:
            faults.append(f"{path}: {overflow} pixels too wide")
        if page.get_by_role("heading", name="There is no such page").count():
            faults.append(f"{path}: there is no such page")
    assert not faults, "\n".join(faults)


def test_every_page_is_translated(console: Console, sampled: Deployment):
    """Headings, labels, buttons and column names have no English sentence."""
    page = console.open("/")
    all_paths = paths(page)
    page.evaluate("localStorage.setItem('loam.language', 'zh')")
    texts = """() => [...document.querySelectorAll('h1, h2, h3, label, legend, button, th, dt, [role=tab], main p, nav a')]
        .filter(each => each.checkVisibility() && !each.closest('code, pre, td, [lang=en]')).map(each => each.innerText)"""
    faults = []
    for path in all_paths:
        page.goto(f"{console.url}/console{path}")
        settle(page)
        faults += [f"{path}: {text}" for text in page.evaluate(texts) if LATIN.search(text)]
    assert not faults, "\n".join(faults)


def test_popups_are_accessible(console: Console, sampled: Deployment):
    for theme in ("light", "dark"):
        page = console.open("/calls", theme=theme)
        settle(page)
        faults = []
        page.keyboard.press("Control+k")
        page.get_by_role("combobox").wait_for()
        faults += violations(page)
        page.keyboard.press("Escape")
        for name in ("Account: operator", "Columns", "Export", "Time range: Any time"):
            page.get_by_role("button", name=name).click()
            faults += [f"{name}: {each}" for each in violations(page)]
            page.keyboard.press("Escape")
        assert not faults, "\n".join(faults)


def test_the_first_load_and_every_chunk_are_small(deployment: Deployment):
    built = Path(setup_path("console"))
    page = (built / "index.html").read_text()
    first = re.findall(r'(?:src|href)="/console/([^"]+)"', page)
    sizes = {
        file.relative_to(built).as_posix(): len(gzip.compress(file.read_bytes())) / 1000 for file in built.glob("assets/*.*s")
    }
    total = sum(size for name, size in sizes.items() if name in first)
    assert 50 < total < FIRST_LOAD_KB, f"the first load is {total:.0f} kB: {first}"
    large = {name: round(size) for name, size in sizes.items() if name not in first and size > CHUNK_KB}
    assert not large, large


def test_a_list_keeps_its_filters_and_columns_in_the_url(console: Console, sampled: Deployment):
    page = console.open("/calls")
    page.get_by_label("State", exact=True).select_option("failed")
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="Route").check()
    page.keyboard.press("Escape")
    expect(page.get_by_role("columnheader", name="Route")).to_be_visible()
    page.wait_for_url(re.compile("state=failed.*columns=|columns=.*state=failed"))
    page.reload()
    expect(page.get_by_role("columnheader", name="Route")).to_be_visible()
    states = page.locator("td[data-label=State]")
    states.first.wait_for()
    assert set(states.all_inner_texts()) == {"failed"}
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
        page.get_by_role("menuitem", name="As CSV").click()
    lines = Path(downloading.value.path()).read_text().splitlines()
    assert lines[0].startswith("Time,Model,State,")
    assert len(lines) == 1 + len(sampled.api.all("llm_calls", state="failed"))


def test_what_was_called_is_summed_and_leads_to_its_calls(console: Console, sampled: Deployment):
    page = console.open("/usage")
    sums = {row["model"]: row for row in sampled.api.get("/api/v1/usage", group_by="model")["data"]}
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="gpt-4o-mini", exact=True)).first
    expect(row).to_contain_text(str(sums["gpt-4o-mini"]["calls"]))
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Model calls")).to_be_visible()
    expect(page.get_by_role("searchbox", name="Model")).to_have_value("gpt-4o-mini")
