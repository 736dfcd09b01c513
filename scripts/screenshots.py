#!/usr/bin/env python3
"""Pictures of every page of the console, with sample data: in both languages and themes, wide and narrow.

    screenshots.py FOLDER

`LOAM_BIN` names the binary. It needs the Python of the tests. FOLDER gets a picture for each page and look, and an
`index.html` that shows all looks of a page side by side.
"""

from __future__ import annotations

import itertools
import re
import sys
from html import escape
from pathlib import Path
from shutil import which

from playwright.sync_api import Browser, Page, sync_playwright

from services_kit.loam import BOOTSTRAP_PASSWORD, Loam

SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
LANGUAGES, THEMES = ("en", "zh"), ("light", "dark")
# Lists whose first row leads to a page of its own.
DETAILS = ("/chat", "/calls", "/records", "/errors", "/alerts", "/analyses", "/users", "/channels", "/jobs")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with Loam() as loam, sync_playwright() as playwright:
        loam.cli("db", "sample")
        program = which("chromium-headless-shell") or which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        names = take(browser, loam.url, folder)
        browser.close()
    (folder / "index.html").write_text(index(names))
    print(f"{len(names) * 8} pictures of {len(names)} pages: {folder / 'index.html'}")


def take(browser: Browser, url: str, folder: Path) -> list[str]:
    """Takes the pictures; the names of the pages."""
    paths: list[str] = []
    for language, theme, size in itertools.product(LANGUAGES, THEMES, SIZES):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", locale="en-GB")
        context.add_init_script(
            f"localStorage.setItem('loam.language', '{language}'); localStorage.setItem('loam.theme', '{theme}')"
        )
        context.request.post(f"{url}/api/v1/login", data={"username": "operator", "password": BOOTSTRAP_PASSWORD})
        page = context.new_page()
        paths = paths or all_paths(page, url)
        for path in paths:
            page.goto(f"{url}/console{path}")
            settle(page)
            page.screenshot(path=folder / f"{name_of(path)}.{language}-{theme}-{size}.png", full_page=True)
        context.close()
    return [name_of(path) for path in paths]


def all_paths(page: Page, url: str) -> list[str]:
    """Where the navigation leads, and the first page of each list that has pages of its own."""
    page.goto(f"{url}/console/")
    links = page.get_by_role("navigation").first.get_by_role("link")
    links.first.wait_for()
    paths = [link.get_attribute("href").removeprefix("/console") or "/" for link in links.all()]
    for path in DETAILS:
        page.goto(f"{url}/console{path}")
        settle(page)
        details = page.eval_on_selector_all("main a", "links => links.map(link => new URL(link.href).pathname)")
        paths += [detail.removeprefix("/console") for detail in details if detail.startswith(f"/console{path}/")][:1]
    return paths


def settle(page: Page) -> None:
    page.get_by_role("heading", level=1).first.wait_for()
    page.wait_for_load_state("networkidle")


def name_of(path: str) -> str:
    """The name of a page's pictures: its path, without the id of what it shows."""
    return re.sub(r"/[0-9a-f-]{16,}$", "-one", path).strip("/").replace("/", "-") or "overview"


def index(names: list[str]) -> str:
    looks = [f"{language}-{theme}-{size}" for size in SIZES for language in LANGUAGES for theme in THEMES]
    rows = "".join(
        f"<h2>{escape(name)}</h2><div>"
        + "".join(f'<a href="{name}.{look}.png"><img src="{name}.{look}.png" alt="{look}" loading="lazy"></a>' for look in looks)
        + "</div>"
        for name in names
    )
    style = "div { display: flex; gap: 8px; align-items: start; overflow-x: auto } img { height: 420px; border: 1px solid #888 }"
    return f'<!doctype html><meta charset="utf-8"><title>Loam</title><style>{style}</style>{rows}'


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
