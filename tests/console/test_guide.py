"""A new user's way from an empty server to the first call, with what the guide shows pasted as it stands."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from console.conftest import Console
from support.deployment import MOCK_MODELS, PROVIDER_SECRET, Deployment
from support.installed import setup_path

pytestmark = pytest.mark.one_database


def run(language: str, code: str, folder) -> str:
    """Runs a snippet; returns what it prints."""
    if language == "curl":
        command = ["bash", "-ec", code]
    elif language == "Python":
        command = [sys.executable, "-c", code]
    else:
        # Where the packages of npm's clients are, so that the import is found.
        program = folder / "snippet.mjs"
        (folder / "node_modules").symlink_to(f"{setup_path('node')}/node_modules")
        program.write_text(code)
        command = [setup_path("node-bin"), str(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_from_nothing_to_the_first_call(console: Console, deployment: Deployment, mock, tmp_path):
    page = console.open("/")
    page.get_by_role("link", name="Open the guide").click()
    expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    page.get_by_role("radio", name=re.compile("^OpenAI")).check()
    page.get_by_role("textbox", name=re.compile("^Name")).fill("first")
    page.get_by_label(re.compile("^Base URL")).fill(mock.base_url)
    page.get_by_label("API key", exact=True).fill(PROVIDER_SECRET)
    page.get_by_text("More settings").click()
    page.get_by_label(re.compile("^Models")).fill("\n".join(MOCK_MODELS))
    page.get_by_role("button", name="Add the provider").click()
    expect(page.get_by_text("There is a provider: first.")).to_be_visible()
    expect(page.get_by_text("It works")).to_be_visible()
    page.get_by_label("Choose a model").select_option("first/gpt-4o-mini")
    page.get_by_role("button", name="Create the key").click()
    shown = page.get_by_label("Create an API key").inner_text().strip()
    assert shown.startswith("loam_")
    answers = {}
    for language in ("curl", "Python", "TypeScript"):
        page.get_by_role("tab", name=language).click()
        answers[language] = run(language, page.get_by_role("tabpanel", name=language).locator("pre").inner_text(), tmp_path)
    assert '"choices"' in answers["curl"]
    assert answers["Python"].strip()
    assert answers["TypeScript"].strip()
    expect(page.get_by_text("The first call has arrived: first/gpt-4o-mini.")).to_be_visible()
    page.get_by_role("link", name="Look at it").click()
    expect(page.get_by_role("heading", name="first/gpt-4o-mini")).to_be_visible()
    page.get_by_role("link", name="Set a price").click()
    price = page.get_by_role("dialog", name="New price")
    expect(price.get_by_label("Provider")).to_have_value("first")
    expect(price.get_by_label("Model")).to_have_value("gpt-4o-mini")
    # Without the guide in memory the key is not to be seen again.
    page.goto(f"{console.url}/console/start")
    expect(page.get_by_role("button", name="Create the key")).to_be_visible()
    assert shown not in page.content()
    calls = deployment.api.all("llm_calls")
    assert [call["state"] for call in calls] == ["settled"] * 3


def test_a_provider_that_does_not_answer_is_told(console: Console, deployment: Deployment):
    # The other test may have left one that works.
    deployment.add_provider("other", "http://127.0.0.1:2/v1", ["any"])
    page = console.open("/start")
    page.get_by_role("button", name="Add another").click()
    page.get_by_role("radio", name=re.compile("^OpenAI")).check()
    page.get_by_role("textbox", name=re.compile("^Name")).fill("dead")
    page.get_by_label(re.compile("^Base URL")).fill("http://127.0.0.1:1/v1")
    page.get_by_role("button", name="Add the provider").click()
    expect(page.get_by_text("It doesn’t work")).to_be_visible()
    expect(page.get_by_text("doesn't accept connections")).to_be_visible()
