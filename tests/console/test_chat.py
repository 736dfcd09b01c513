"""The chat: answers that survive a reload and a kill of the server, branches, tools, and Markdown that can't run anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from console.conftest import Console
from services import LlMock
from support.deployment import Deployment, add_usual_providers

pytestmark = pytest.mark.one_database

# A minute of the slow provider, whose chunks are words.
LONG = " ".join(f"word{number}" for number in range(1, 400))
DANGEROUS = """# Heading

<script>document.title = 'ran'</script> <img src=x onerror="document.title = 'ran'">

[a](javascript:alert(1)) [b](https://example.com/b) ![c](https://example.com/c.png)

```python
return 1
```
"""


@pytest.fixture(scope="module")
def chats(deployment: Deployment, mock: LlMock, slow: LlMock) -> Deployment:
    add_usual_providers(deployment, mock, slow)
    for alias, provider in (("quick", "mock"), ("slowly", "slow")):
        deployment.api.create("model_routes", {"alias": alias, "targets": [{"provider": provider, "model": "gpt-4o"}]})
    return deployment


@pytest.fixture(autouse=True)
def nothing_left(mock: LlMock, slow: LlMock) -> Iterator[None]:
    yield
    mock.reset()
    slow.reset()


def begin(page: Page, question: str, model: str) -> str:
    """Asks the first question of a new conversation; returns the id of its session."""
    page.get_by_label("Model", exact=True).select_option(model)
    ask(page, question)
    page.wait_for_url(re.compile(r"/chat/[0-9a-f-]{36}"))
    return re.search(r"/chat/([0-9a-f-]{36})", page.url).group(1)


def ask(page: Page, question: str) -> None:
    page.get_by_role("textbox", name="Message").fill(question)
    page.keyboard.press("Enter")


def wait_until_answered(page: Page, answers: int = 1) -> None:
    expect(page.get_by_role("button", name="Copy the answer")).to_have_count(answers)
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()


def shown(page: Page) -> str:
    """The newest answer as the page copies it."""
    page.evaluate("navigator.clipboard.writeText = async text => { window.copied = text }")
    page.get_by_role("button", name="Copy the answer").last.click()
    return page.evaluate("window.copied")


def stored(chats: Deployment, session: str) -> dict:
    return chats.api.get("/api/v1/messages", session_id=session, role="assistant", limit=1)["data"][0]


def test_an_answer_survives_a_reload(console: Console, chats: Deployment, slow: LlMock):
    slow.script({"type": "reply", "text": LONG[:600]})
    page = console.open("/chat?new=1")
    session = begin(page, "Count for me", "slowly")
    log = page.get_by_role("log")
    expect(log).to_contain_text("word5")
    page.reload()
    expect(log).to_contain_text("word5")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    wait_until_answered(page)
    answer = stored(chats, session)
    assert answer["finish_reason"] == "stop"
    assert shown(page) == answer["content"] == LONG[:600]


def test_an_answer_survives_a_kill_of_the_server(console: Console, chats: Deployment, slow: LlMock, allow_faults):
    slow.script({"type": "reply", "text": LONG})
    page = console.open("/chat?new=1")
    session = begin(page, "Count for me", "slowly")
    expect(page.get_by_role("log")).to_contain_text("word5")
    chats.loam.kill9()
    expect(page.get_by_text("Connection lost")).to_be_visible()
    chats.loam.start()
    expect(page.get_by_text("Interrupted: the server was stopped.")).to_be_visible()
    answer = stored(chats, session)
    assert answer["finish_reason"] == "interrupted"
    assert answer["content"].startswith("word1 word2")
    assert shown(page) == answer["content"]
    allow_faults("ERR_")


def test_an_answer_is_stopped(console: Console, chats: Deployment, slow: LlMock):
    slow.script({"type": "reply", "text": LONG})
    page = console.open("/chat?new=1")
    session = begin(page, "Count for me", "slowly")
    expect(page.get_by_role("log")).to_contain_text("word5")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()
    answer = stored(chats, session)
    assert answer["finish_reason"] == "stopped"
    assert shown(page) == answer["content"]


def test_a_question_is_edited_and_answered_again(console: Console, chats: Deployment, mock: LlMock):
    mock.script(*({"type": "reply", "text": text, "times": 1} for text in ("First answer", "Second answer", "Third answer")))
    page = console.open("/chat?new=1")
    log = page.get_by_role("log")
    session = begin(page, "The first question", "quick")
    wait_until_answered(page)
    page.get_by_role("button", name="Another answer").click()
    expect(log).to_contain_text("Second answer")
    expect(page.get_by_role("img", name="Version 2 of 2")).to_be_visible()
    page.get_by_role("button", name="Edit and ask again").click()
    page.get_by_role("textbox", name="Edit and ask again").fill("The second question")
    page.get_by_role("button", name="Ask again", exact=True).click()
    expect(log).to_contain_text("Third answer")
    for shown, button in (("The first question", 0), ("First answer", -1)):
        with page.expect_response(lambda answer: answer.request.method == "PATCH") as stored:
            page.get_by_role("button", name="Previous version").nth(button).click()
        expect(log).to_contain_text(shown)
        assert stored.value.ok
    # The branch that is shown is the one that continues, here and in the API.
    page.reload()
    expect(log).to_contain_text("First answer")
    heads = {chats.api.get(f"/api/v1/chat_sessions/{session}")["head_id"]}
    assert heads == {each["id"] for each in chats.api.all("messages", session_id=session) if each["content"] == "First answer"}


def test_a_person_gives_the_result_of_a_tool(console: Console, chats: Deployment, mock: LlMock):
    mock.script(
        {"type": "reply", "tool_calls": [{"name": "weather", "arguments": {"city": "Porto"}}], "times": 1},
        {"type": "reply", "text": "Sunny.", "times": 1},
    )
    session = chats.api.create("chat_sessions", {"title": "Weather", "model": "quick"})
    tools = {"tools": [{"function": {"name": "weather", "parameters": {"type": "object"}}}]}
    chats.api.call("PUT", f"/api/v1/chat_sessions/{session['id']}/tools", 200, json=tools)
    page = console.open(f"/chat/{session['id']}")
    ask(page, "What is the weather?")
    expect(page.get_by_text("The model waits for the results")).to_be_visible()
    page.reload()
    page.get_by_role("textbox", name="Result of weather").fill("sun")
    page.get_by_role("button", name="Send results").click()
    expect(page.get_by_role("log")).to_contain_text("Sunny.")
    page.goto(f"{console.url}/console/tool-calls?session_id={session['id']}")
    page.get_by_role("link", name="weather", exact=True).click()
    expect(page.get_by_label("Result")).to_contain_text("sun")


def test_markdown_runs_nothing_and_asks_no_host(console: Console, chats: Deployment, mock: LlMock):
    mock.script({"type": "reply", "text": DANGEROUS})
    page = console.open("/chat?new=1")
    begin(page, "Attack", "quick")
    wait_until_answered(page)
    log = page.get_by_role("log")
    expect(log.get_by_role("heading", name="Heading")).to_be_visible()
    expect(log).to_contain_text("<script>document.title")
    assert page.locator("[role=log] :is(script, img)").count() == 0
    assert [link.get_attribute("href") for link in log.get_by_role("link").all() if link.get_attribute("target")] == [
        "https://example.com/b",
        "https://example.com/c.png",
    ]
    assert page.title() != "ran"
