"""Prompts: which messages of which branch are sent to the model."""

from __future__ import annotations

from support.api import assert_error, eventually
from support.conversation import prompts, reply


def test_an_edited_question_and_a_regenerated_answer_are_branches(chat, mock):
    mock.script(reply("one"), reply("two"), reply("another two"), reply("edited"))
    session = chat()
    first = session.ask("first")
    second = session.ask("second")
    again = session.api.call("POST", f"{session.turns}/{second['id']}/regenerate", 201, json={}).json()
    assert again["user_message_id"] == second["user_message_id"]
    assert again["message"]["content"] == "another two"
    assert again["message"]["parent_id"] == second["message"]["parent_id"]
    edited = session.ask("second, but otherwise", parent_id=first["assistant_message_id"])
    assert edited["parent_turn_id"] == first["id"]
    anew = session.ask("a new beginning", parent_id=None)
    assert anew["parent_id"] is None
    told = [[message["content"] for message in messages] for messages in prompts(mock)]
    assert told[2] == ["first", "one", "second"]
    assert told[3] == ["first", "one", "second, but otherwise"]
    assert told[4] == ["a new beginning"]
    assert [row["sequence_number"] for row in session.messages()] == list(range(1, 10))
    # The last question is on the active branch.
    session.ask("and on")
    assert prompts(mock)[5][0]["content"] == "a new beginning"
    other = chat()
    strange = other.ask("x")["assistant_message_id"]
    answer = session.api.call("POST", session.turns, json={"content": "a", "parent_id": strange})
    assert_error(answer, 400, param="parent_id")


def test_the_oldest_messages_are_dropped_if_they_do_not_fit(chat, mock):
    session = chat(system_prompt="be brief")
    session.set("context", {"max_tokens": 300})
    for number in range(12):
        session.ask(f"{number} " + "word " * 40)
    last = prompts(mock)[-1]
    assert last[0] == {"role": "system", "content": "be brief"}
    assert last[-1]["content"].startswith("11 ")
    assert 2 < len(last) < 12
    kept = [message["content"] for message in last[1:]]
    assert kept == [content for _, content in session.said()][-len(kept) - 1 : -1]
    session.set("context", {"max_messages": 3})
    session.ask("few")
    assert [message["role"] for message in prompts(mock)[-1]] == ["system", "user", "assistant", "user"]


def test_a_question_that_does_not_fit_is_rejected(chat):
    session = chat()
    session.set("context", {"max_tokens": 50})
    answer = session.api.call("POST", session.turns, json={"content": "word " * 500})
    assert_error(answer, 400, "context_too_long", "content")


def test_dropped_messages_are_summarized_and_the_summary_is_reused(chat, mock):
    session = chat(system_prompt="be brief")
    for number in range(8):
        session.ask(f"{number} " + "word " * 60)
    session.set("context", {"max_tokens": 1_200, "overflow": "summarize", "keep_last": 2, "summary_model": "mock/gpt-4o-mini"})
    mock.reset()
    mock.script(reply("they counted words") | {"match": {"model": "gpt-4o-mini"}, "times": None})
    rounds = 8
    for number in range(rounds):
        session.ask(f"more {number} " + "word " * 60)
    asked = mock.requests()
    summaries = [request for request in asked if request["model"] == "gpt-4o-mini"]
    assert 1 <= len(summaries) < rounds, "each summary is reused until more messages are dropped"
    told = [request["body"]["messages"] for request in asked if request["model"] == "gpt-4o"]
    with_summary = [messages for messages in told if "they counted words" in messages[0]["content"]]
    assert with_summary
    assert all(messages[0]["content"].startswith("be brief") for messages in told)

    def accounted() -> bool:
        calls = session.api.get("/api/v1/llm_calls", session_id=session.id, limit=200)["data"]
        return sum(call["model"] == "gpt-4o-mini" for call in calls) == len(summaries)

    eventually(accounted)
    # Deleting a message that a summary covers deletes the summary.
    session.api.call("DELETE", f"/api/v1/messages/{session.messages()[0]['id']}", 204)
    session.ask("and now?")
    assert sum(request["model"] == "gpt-4o-mini" for request in mock.requests()) == len(summaries) + 1
