"""The console in a real browser. No page may break the Content-Security-Policy, ask another host, or fail in its script."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from services_kit.loam import BOOTSTRAP_PASSWORD
from support.deployment import Deployment

# A page of the console as built into this folder, instead of the one in the binary: for work on the console.
DIST = os.environ.get("LOAM_CONSOLE_DIST")
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# What a browser says of an answer that a test wanted, such as a refused log-in.
EXPECTED_MESSAGES = ("Failed to load resource: the server responded with a status of 4",)
WIDE, NARROW = (1280, 800), (390, 844)
# Of the machine that tests run on, which does other things as well.
TIMEOUT_MS = 15_000
expect.set_options(timeout=TIMEOUT_MS)


# Not for the session: while Playwright runs, its event loop does, and asynchronous tests of other modules can't.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert program, "there is no Chromium: `make ready` installs one"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


class Console:
    """The console of a server, as people open it."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser, self.url = browser, url
        self.faults: list[str] = []
        self.contexts: list[BrowserContext] = []

    def open(
        self,
        path: str = "/",
        *,
        username: str | None = "operator",
        password: str = BOOTSTRAP_PASSWORD,
        tenant: str = "default",
        language: str = "en",
        theme: str = "light",
        size: tuple[int, int] = WIDE,
    ) -> Page:
        """A page in a browser of its own, of a person who is logged in unless `username` is None."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", locale="en-GB", accept_downloads=True
        )
        context.set_default_timeout(TIMEOUT_MS)
        self.contexts.append(context)
        set_up = f"localStorage.setItem('loam.language', '{language}'); localStorage.setItem('loam.theme', '{theme}');"
        context.add_init_script(f"if (!sessionStorage.getItem('begun')) {{ sessionStorage.setItem('begun', '1'); {set_up} }}")
        if DIST:
            context.route(f"{self.url}/console/**", self._built)
        if username:
            body = {"username": username, "password": password, "tenant": tenant}
            answer = context.request.post(f"{self.url}/api/v1/login", data=body)
            assert answer.ok, answer.text()
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and self._note(message.text))
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on("request", lambda request: self._host(request.url))
        page.goto(f"{self.url}/console{path}")
        return page

    def _note(self, text: str) -> None:
        # Also what breaks the Content-Security-Policy.
        if not text.startswith(EXPECTED_MESSAGES):
            self.faults.append(text)

    def _host(self, url: str) -> None:
        if not url.startswith((self.url, "data:", "blob:")):
            self.faults.append(f"a request to another host: {url}")

    def _built(self, route: Route) -> None:
        path = route.request.url.removeprefix(f"{self.url}/console/").split("?")[0]
        file = Path(DIST) / path
        file = file if path and file.is_file() else Path(DIST) / "index.html"
        headers = {"content-security-policy": POLICY, "content-type": TYPES.get(file.suffix, "application/octet-stream")}
        route.fulfill(body=file.read_bytes(), headers=headers)

    def close(self) -> None:
        for context in self.contexts:
            context.close()


@pytest.fixture
def console(browser: Browser, deployment: Deployment) -> Iterator[Console]:
    opened = Console(browser, deployment.loam.url)
    yield opened
    opened.close()
    assert not opened.faults, "\n".join(opened.faults)


@pytest.fixture
def allow_faults(console: Console) -> Callable[[str], None]:
    """Forgets noted faults that contain a text: of what a test broke itself, such as a server that it killed."""

    def forget(text: str) -> None:
        console.faults[:] = [fault for fault in console.faults if text not in fault]

    return forget
