#!/usr/bin/env python3
"""Counts what five tasks take in the pages of Loam, Open WebUI and PocketBase: clicks, fields, and seconds in a real browser.

Each subject starts on an empty folder. A click is one press of the pointer or of Enter, a field is one that is filled or
chosen. The seconds are those of a script that acts at once: what the software takes, without a person's reading and typing.
It needs the Python of the tests. docs/CONSOLE.md has the figures, and says where the others are better.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Locator, Page, Route, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))
from services_kit import LlMock
from services_kit.process import Process, free_port, http_ok, temporary_folder

NAME, EMAIL, PASSWORD = "operator", "ada@example.com", "a-password-for-tasks-1"
QUESTION, ANSWER = "What is loam?", "Loam is a soil of sand, silt and clay."
TASKS = ("first answer", "costliest user", "cause", "key", "setting")


@dataclass
class Person:
    """Somebody at the browser, whose actions are counted."""

    page: Page
    clicks: int = 0
    fields: int = 0
    began: float = field(default_factory=time.monotonic)

    def click(self, target: Locator, **how: object) -> None:
        target.click(**how)
        self.clicks += 1

    def fill(self, target: Locator, text: str) -> None:
        target.fill(text)
        self.fields += 1

    def send(self, target: Locator) -> None:
        target.press("Enter")
        self.clicks += 1

    def seconds(self) -> float:
        return time.monotonic() - self.began


def button(page: Page, name: str | re.Pattern[str]) -> Locator:
    return page.get_by_role("button", name=name)


class Subject:
    """A server on an empty folder, and how each task is done in its pages. A task that can't be done there is absent."""

    def __init__(self, program: Path, upstream: LlMock) -> None:
        self.program, self.upstream = program.resolve(), upstream
        self.folder, self.port = temporary_folder("tasks"), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = Process("subject", self.folder)

    def start(self, command: list[str], ready: str, env: dict[str, str] | None = None) -> None:
        self.process.launch([str(self.program), *command], env=os.environ | (env or {}))
        self.process.wait_until(lambda: http_ok(f"{self.url}{ready}"), 180)

    def stop(self) -> None:
        self.process.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self, page: Page) -> None:
        """Between the first answer and the other tasks: what happened at the server meanwhile."""

    def tasks(self) -> dict[str, Callable[[Person], None]]:
        raise NotImplementedError


class Loam(Subject):
    def __init__(self, program: Path, upstream: LlMock) -> None:
        super().__init__(program, upstream)
        serve = ["serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.folder / "data")]
        self.start([*serve, "--allow-network", "127.0.0.0/8"], "/readyz", {"LOAM_BOOTSTRAP_PASSWORD": PASSWORD})

    def tasks(self) -> dict[str, Callable[[Person], None]]:
        return dict(zip(TASKS, (self.first_answer, self.costliest_user, self.cause, self.key, self.setting), strict=True))

    def first_answer(self, person: Person) -> None:
        page = person.page
        page.goto(f"{self.url}/console/")
        person.fill(page.get_by_label("User name or e-mail"), NAME)
        person.fill(page.get_by_label("Password"), PASSWORD)
        person.click(button(page, "Log in"))
        person.click(page.get_by_role("link", name="Open the guide"))
        person.click(page.get_by_role("radio", name=re.compile("^OpenAI")))
        person.fill(page.get_by_label(re.compile("^Base URL")), self.upstream.base_url)
        person.fill(page.get_by_label("API key", exact=True), "sk-tasks")
        person.click(button(page, "Add the provider"))
        page.get_by_text("It works").wait_for()
        person.click(page.get_by_role("link", name="Or chat with the model here"))
        question = page.get_by_role("textbox", name="Message")
        person.fill(question, QUESTION)
        person.send(question)
        page.get_by_text(ANSWER).wait_for()

    def prepare(self, page: Page) -> None:
        """Three users of an application spend, and a request of an application makes a query for each row."""
        session = page.request.get(f"{self.url}/api/v1/session").json()
        headers = {"x-loam-csrf": session["csrf_token"]}

        def post(path: str, body: object, headers: dict[str, str] = headers) -> dict:
            answer = page.request.post(f"{self.url}{path}", data=body, headers=headers)
            assert answer.ok, answer.text()
            return answer.json()

        post("/api/v1/model_prices", {"provider": "openai", "model": "*", "input_per_million": 2, "output_per_million": 8})
        key = post("/api/v1/api_keys", {"name": "application", "scopes": ["gateway:call"]})["key"]
        for user, calls in (("ada", 1), ("bob", 5), ("eve", 2)):
            for _ in range(calls):
                body = {"model": "openai/gpt-4o", "user": user, "messages": [{"role": "user", "content": QUESTION}]}
                post("/v1/chat/completions", body, {"authorization": f"Bearer {key}"})
        ingest = post("/api/v1/projects", {"name": "shop"})["ingest_key"]
        statements = ["SELECT * FROM orders", *["SELECT * FROM customers WHERE id = %s"] * 50]
        rows = [
            {
                "call_id": f"q{row}",
                "parent_call_id": "c",
                "function_name": "execute",
                "module": "database",
                "kind": "database",
                "start_offset": 0.01 + row * 0.03,
                "duration": 0.028,
                "detail": {"system": "postgresql", "statement": statement},
            }
            for row, statement in enumerate(statements)
        ]
        top = {"call_id": "c", "function_name": "list_orders", "module": "shop", "start_offset": 0.001, "duration": 1.6}
        record = {
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "timestamp": time.time(),
            "endpoint": "/orders",
            "request_info": {"method": "GET", "path": "/orders"},
            "response_info": {"status_code": 200},
            "performance_metrics": {"total_duration": 1.65},
            "function_calls": [top, *rows],
        }
        post("/api/v1/ingest/records", {"records": [record]}, {"authorization": f"Bearer {ingest}"})
        time.sleep(3)

    def costliest_user(self, person: Person) -> None:
        page = person.page
        page.goto(f"{self.url}/console/")
        person.click(page.get_by_role("tab", name="End user"))
        assert page.get_by_role("table", name="End user").get_by_role("link").first.inner_text() == "bob"

    def cause(self, person: Person) -> None:
        page = person.page
        page.goto(f"{self.url}/console/")
        person.click(page.get_by_role("link", name="Requests", exact=True))
        person.click(page.get_by_role("link", name="GET /orders").first)
        page.get_by_text("N+1 queries").first.wait_for()

    def key(self, person: Person) -> None:
        page = person.page
        page.goto(f"{self.url}/console/")
        person.click(page.get_by_role("link", name="API keys"))
        person.click(button(page, "Create a key"))
        form = page.get_by_role("dialog")
        person.fill(form.get_by_label("Name"), "bot")
        person.click(form.get_by_role("button", name="Create"))
        person.click(button(page, "I have stored it"))
        person.click(button(page, "Actions for bot"))
        person.click(page.get_by_role("menuitem", name="Revoke"))
        person.click(page.get_by_role("dialog").get_by_role("button", name="Revoke"))
        page.get_by_role("row").filter(has_text="bot").filter(has_text="revoked").wait_for()

    def setting(self, person: Person) -> None:
        page = person.page
        page.goto(f"{self.url}/console/")
        person.click(page.get_by_role("link", name="Configuration"))
        person.click(page.get_by_role("link", name="Turns"))
        rounds = page.get_by_label(re.compile("^Rounds of tool calls"))
        person.fill(rounds, "4")
        person.click(button(page, "Save"))
        person.click(page.get_by_role("tab", name="History"))
        person.click(button(page, "Undo this change"))
        person.click(page.get_by_role("dialog").get_by_role("button", name="Roll back"))
        page.get_by_role("cell", name="Reset").wait_for()


class OpenWebUi(Subject):
    def __init__(self, program: Path, upstream: LlMock) -> None:
        super().__init__(program, upstream)
        data = self.folder / "data"
        data.mkdir()
        # Without the models that it would fetch for searching documents, which none of the tasks needs.
        env = {"DATA_DIR": str(data), "WEBUI_SECRET_KEY": "tasks", "OFFLINE_MODE": "true", "RAG_EMBEDDING_ENGINE": "openai"}
        self.start(["serve", "--host", "127.0.0.1", "--port", str(self.port)], "/health", env)

    def tasks(self) -> dict[str, Callable[[Person], None]]:
        done = (self.first_answer, self.costliest_user, self.key, self.setting)
        return dict(zip((task for task in TASKS if task != "cause"), done, strict=True))

    def settings(self, person: Person, page_name: str) -> None:
        person.click(button(person.page, "User menu"))
        person.click(person.page.get_by_text("Settings", exact=True).first)
        person.click(person.page.get_by_role("dialog").get_by_text(page_name, exact=True).first)

    def first_answer(self, person: Person) -> None:
        page = person.page
        page.goto(self.url)
        person.click(button(page, re.compile("Get started")))
        person.fill(page.get_by_label("Name"), "Ada")
        person.fill(page.get_by_label("Email"), EMAIL)
        person.fill(page.get_by_label("Password").first, PASSWORD)
        person.click(button(page, "Create Admin Account"))
        person.click(page.get_by_text("Okay, Let's Go!"))
        self.settings(person, "Connections")
        person.click(button(page, "Add Connection").first)
        person.fill(page.locator("#url-input"), self.upstream.base_url)
        person.fill(page.get_by_placeholder("API Key").last, "sk-tasks")
        person.click(button(page, "Save").last)
        page.get_by_text("OpenAI API settings updated").wait_for()
        person.click(button(page, "Back"))
        page.get_by_text("gpt-4o").first.wait_for()
        question = page.locator("#chat-input")
        question.click()
        page.keyboard.type(QUESTION)
        person.fields += 1
        person.send(question)
        page.get_by_text(ANSWER).wait_for()

    def costliest_user(self, person: Person) -> None:
        page = person.page
        page.goto(self.url)
        self.settings(person, "Analytics")
        person.click(button(page, "Users").last)
        page.get_by_role("dialog").get_by_role("row").filter(has_text="Ada").wait_for()

    def key(self, person: Person) -> None:
        """An administrator allows keys first, once for all users."""
        page = person.page
        page.goto(self.url)
        self.settings(person, "Authentication")
        person.click(page.locator("//*[normalize-space(text())='API Keys']/following::button[@role='switch'][1]"))
        page.wait_for_timeout(300)
        person.click(button(page, "Save").last)
        page.get_by_text("Settings saved successfully").wait_for()
        person.click(page.get_by_role("dialog").get_by_text("Account", exact=True).first)
        show = page.get_by_text("Show", exact=True).last
        page.get_by_text("API keys", exact=True).wait_for()
        person.click(show, force=True)
        person.click(page.get_by_text("Create new secret key"))
        person.click(page.get_by_role("dialog").get_by_label("More", exact=True).last)
        person.click(page.get_by_role("menuitem", name="Delete").or_(page.get_by_text("Delete", exact=True)).last)
        person.click(button(page, re.compile("^(Confirm|Delete)$")).last)
        page.get_by_text("Create new secret key").wait_for()

    def setting(self, person: Person) -> None:
        """It keeps no history: whoever undoes a change remembers what was there."""
        page = person.page
        page.goto(self.url)
        self.settings(person, "Authentication")
        expiry = page.get_by_role("dialog").locator("input[type=text], input:not([type])").first
        before = expiry.input_value()
        for value in ("8w", before):
            person.fill(expiry, value)
            person.click(button(page, "Save").last)
            page.get_by_text("Settings saved successfully").last.wait_for()


class PocketBase(Subject):
    def __init__(self, program: Path, upstream: LlMock) -> None:
        super().__init__(program, upstream)
        self.start(["serve", "--http", f"127.0.0.1:{self.port}", "--dir", str(self.folder / "data")], "/api/health")

    def tasks(self) -> dict[str, Callable[[Person], None]]:
        return {"first answer": self.first_answer, "cause": self.cause, "setting": self.setting, "key": self.key}

    def first_answer(self, person: Person) -> None:
        """It calls no models: the first answer is that of its own API, with the command that its page shows."""
        page = person.page
        page.goto(self.install_link())
        person.fill(page.get_by_label(re.compile("^Email")), EMAIL)
        person.fill(page.get_by_label(re.compile("^Password")).first, PASSWORD)
        person.fill(page.get_by_label(re.compile("^Password confirm")), PASSWORD)
        person.click(button(page, re.compile("Create superuser")))
        person.click(button(page, "API preview"))
        person.click(page.get_by_text("curl", exact=True).first)
        assert page.request.get(f"{self.url}/api/collections/users/records").ok

    def prepare(self, page: Page) -> None:
        """A request fails, and is written to the log some seconds later."""
        page.request.get(f"{self.url}/api/collections/nothing/records")
        time.sleep(4)

    def install_link(self) -> str:
        while not (link := re.search(r"http://\S+/pbinstall/\S+", self.process.stdout_path.read_text())):
            time.sleep(0.05)
        return link[0]

    def cause(self, person: Person) -> None:
        page = person.page
        page.goto(f"{self.url}/_/")
        person.click(page.get_by_role("link", name="Logs"))
        person.click(page.get_by_text("GET /api/collections/nothing/records").first)
        page.get_by_text("Missing collection context").first.wait_for()

    def key(self, person: Person) -> None:
        """A token of an account in place of a key. Revoking it revokes all tokens of the account, and logs it out here."""
        page = person.page
        page.goto(f"{self.url}/_/#/collections?collection=_superusers")
        person.click(page.locator("tbody tr").first)
        more = page.locator("button[title='More options']").last
        person.click(more)
        person.click(page.get_by_text("Impersonate", exact=True).last)
        person.click(button(page, "Generate token"))
        page.get_by_text(re.compile("^eyJ")).first.wait_for()
        person.click(button(page, "Close").last)
        person.click(more)
        person.click(page.get_by_text("Reset issued tokens", exact=True).last)
        person.click(button(page, "Reset all tokens"))

    def setting(self, person: Person) -> None:
        """It keeps no history: whoever undoes a change remembers what was there."""
        page = person.page
        page.goto(f"{self.url}/_/")
        person.click(page.get_by_role("link", name="Settings"))
        name = page.get_by_label(re.compile("^Application name"))
        before = name.input_value()
        for value in ("Trial", before):
            person.fill(name, value)
            person.click(button(page, "Save changes"))
            page.get_by_text(re.compile("Successfully saved", re.I)).last.wait_for()


SUBJECTS: dict[str, type[Subject]] = {"loam": Loam, "open-webui": OpenWebUi, "pocketbase": PocketBase}


def measure(subject: Subject, page: Page) -> dict[str, dict]:
    done = {}
    for name, task in subject.tasks().items():
        person = Person(page)
        task(person)
        done[name] = {"clicks": person.clicks, "fields": person.fields, "seconds": person.seconds()}
        if name == TASKS[0]:
            subject.prepare(page)
    return done


def serve(route: Route, dist: Path) -> None:
    file = dist / route.request.url.split("/console/")[1].split("?")[0]
    route.fulfill(path=file if file.is_file() else dist / "index.html")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in SUBJECTS:
        parser.add_argument(f"--{name}", type=Path, help="its program; without it the subject is left out")
    parser.add_argument("--dist", type=Path, help="a built console that is newer than the one in Loam's program")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    programs = {name: getattr(args, name.replace("-", "_")) for name in SUBJECTS}
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    results: dict[str, list[dict]] = {name: [] for name, program in programs.items() if program}
    with LlMock() as upstream, sync_playwright() as playwright:
        upstream.script({"type": "reply", "text": ANSWER, "times": None})
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(args.rounds):
            for name, rounds in results.items():
                subject = SUBJECTS[name](programs[name], upstream)
                try:
                    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
                    if args.dist:
                        context.route(f"{subject.url}/console/**", lambda route: serve(route, args.dist))
                    context.set_default_timeout(20_000)
                    page = context.new_page()
                    rounds.append(measure(subject, page))
                    page.context.close()
                finally:
                    subject.stop()
        browser.close()
    print(f"{'task':14}{'subject':14}{'clicks':>8}{'fields':>8}{'seconds':>9}")
    for task in TASKS:
        for name, rounds in results.items():
            if each := [round[task] for round in rounds if task in round]:
                seconds = statistics.median(one["seconds"] for one in each)
                print(f"{task:14}{name:14}{each[0]['clicks']:8}{each[0]['fields']:8}{seconds:9.1f}")
            else:
                print(f"{task:14}{name:14}{'-':>8}{'-':>8}{'-':>9}")
    print(json.dumps(results), file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
