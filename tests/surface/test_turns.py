"""Turns: a question, the way to its answer, and the answer, whoever hangs up, breaks off or dies meanwhile."""

from __future__ import annotations

import base64
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from services import Loam
from support.api import Api, assert_error, eventually
from support.conversation import Chat, Reading, Stream, words
from support.deployment import add_usual_providers, deploy

QUICK, SLOW = "mock/gpt-4o", "slow/gpt-4o"


@pytest.fixture(scope="module")
def talking(deployment, mock, slow):
    """The deployment with a provider that answers at once, and one that takes its time."""
    add_usual_providers(deployment, mock, slow)
    return deployment


@pytest.fixture(autouse=True)
def unscripted(mock, slow):
    mock.reset()
    slow.reset()


@pytest.fixture
def chat(talking):
    return lambda model=QUICK, **fields: Chat(talking.api, model, **fields)


def reply(text: str, times: int = 1) -> dict:
    return {"type": "reply", "text": text, "times": times}


def prompts(mock) -> list[list[dict]]:
    """The messages of every request that the provider got."""
    return [request["body"]["messages"] for request in mock.requests() if "messages" in request["body"]]


# Asking


def test_a_question_gets_its_answer_and_both_are_kept(chat, mock):
    mock.script(reply("the capital is Paris"))
    session = chat(system_prompt="be brief")
    turn = session.ask("what is the capital of France?", metadata={"mine": 1})
    assert turn["state"] == "completed"
    assert turn["message"]["content"] == "the capital is Paris"
    assert turn["message"]["finish_reason"] == "stop"
    question, answer = session.messages()
    assert (question["role"], question["content"], question["metadata"]) == (
        "user",
        "what is the capital of France?",
        {"mine": 1},
    )
    assert (answer["id"], answer["parent_id"]) == (turn["assistant_message_id"], question["id"])
    assert answer["turn_id"] == question["turn_id"] == turn["id"]
    assert answer["completion_tokens"] > 0
    assert prompts(mock) == [
        [{"role": "system", "content": "be brief"}, {"role": "user", "content": "what is the capital of France?"}]
    ]
    call = eventually(lambda: session.api.get(f"/api/v1/llm_calls/{turn['llm_call_id']}"))
    assert call["session_id"] == session.id
    assert call["total_tokens"] == answer["prompt_tokens"] + answer["completion_tokens"]


def test_a_streamed_answer_is_events_with_numbers(chat, mock):
    text = words(30)
    mock.script(reply(text))
    session = chat()
    stream = session.stream("speak")
    assert [event.number for event in stream.events] == list(range(1, len(stream.events) + 1))
    assert stream.kinds() == ["started", "delta", "message", "ended"]
    assert stream.text == text
    ended = stream.last().data
    assert (ended["state"], ended["finish_reason"], ended["error"]) == ("completed", "stop", None)
    assert ended["usage"]["total_tokens"] > 0
    assert session.said() == [("user", "speak"), ("assistant", text)]


def test_the_next_question_goes_with_what_was_said_before(chat, mock):
    mock.script(reply("hello Ada"), reply("Ada"))
    session = chat()
    session.ask("I am Ada")
    session.ask("who am I?", settings={"temperature": 0.2})
    assert [message["content"] for message in prompts(mock)[1]] == ["I am Ada", "hello Ada", "who am I?"]
    assert mock.requests()[-1]["body"]["temperature"] == 0.2


def test_a_session_s_settings_hold_and_a_turn_s_go_before(chat, mock):
    session = chat()
    session.set("temperature", 0.1)
    session.set("max_tokens", 77)
    session.ask("a")
    session.ask("b", settings={"temperature": 0.9, "max_tokens": None})
    first, second = (request["body"] for request in mock.requests())
    assert (first["temperature"], first["max_tokens"]) == (0.1, 77)
    assert second["temperature"] == 0.9
    assert "max_tokens" not in second


def test_who_answers_is_asked_in_order_turn_session_default(chat, talking, mock):
    assert chat().ask("a", model="mock/gpt-4o-mini")["model"] == "mock/gpt-4o-mini"
    nobody = chat(model=None)
    assert_error(nobody.api.call("POST", nobody.turns, json={"content": "a"}), 400, "no_model", "model")
    assert nobody.said() == []
    key = "/api/v1/system_config/conversation.turns"
    talking.api.call("PUT", key, 200, json={"config_value": {"default_model": "mock/gpt-4o-mini"}})
    try:
        assert nobody.ask("a")["model"] == "mock/gpt-4o-mini"
    finally:
        talking.api.call("DELETE", key)


# Hanging up, attaching again


def test_an_answer_is_stored_though_the_client_hangs_up(chat, slow):
    text = words(25)
    slow.script(reply(text))
    session = chat(SLOW)
    with session.asking("speak") as answer:
        seen = answer.until(3)
    turn = seen.events[0].data["turn_id"]
    eventually(lambda: session.turn(turn)["state"] == "completed")
    assert session.said() == [("user", "speak"), ("assistant", text)]
    whole = session.again(turn)
    assert whole.raw.startswith(seen.raw)
    assert whole.text == text


def test_attaching_again_anywhere_gives_the_bytes_of_never_having_left(chat, slow, dice, soak):
    """From a second connection while it runs, at random moments and from random places, and after the end."""
    tries = 10_000 if soak else 100
    done = 0
    while done < tries:
        slow.script(reply(words(40, str(done))))
        session = chat(SLOW)
        with ThreadPoolExecutor(16) as pool, session.asking("speak") as answer:
            first = answer.until(1)
            turn = first.events[0].data["turn_id"]

            def attach(wait: float, after: int, header: bool, hang_up: int | None, of=(session, turn)) -> tuple[int, Stream]:
                time.sleep(wait)
                if hang_up is None:
                    return after, of[0].again(of[1], after, header=header)
                with of[0].api.http.stream("GET", f"{of[0].turns}/{of[1]}/stream", params={"after": after}) as again:
                    part = Reading(again).until(hang_up)
                rest = of[0].again(of[1], after + len(part.events))
                return after, Stream(part.raw + rest.raw)

            one = [
                pool.submit(
                    attach, dice.uniform(0, 2.4), dice.randrange(0, 8), dice.random() < 0.5, dice.choice([None, None, 1, 3])
                )
                for _ in range(min(50 if not soak else 400, tries - done))
            ]
            whole = answer.to_the_end()
            for future in one:
                after, stream = future.result()
                # Whoever names an event that had not come yet waits for what is behind it.
                assert stream.raw == whole.behind(after), f"behind {after} of {len(whole.events)}"
        done += len(one)
        assert whole.last().data["state"] == "completed"
        for after in (0, 1, len(whole.events) - 1, len(whole.events), len(whole.events) + 5):
            assert session.again(turn, after).raw == whole.behind(after)
        end = session.api.call("GET", f"{session.turns}/{turn}/stream", 204, params={"after": len(whole.events)})
        assert end.content == b""


def test_a_place_in_a_stream_is_a_number_or_refused(chat):
    session = chat()
    turn = session.ask("a")["id"]
    url = f"{session.turns}/{turn}/stream"
    for headers in ({"last-event-id": "x"}, {"last-event-id": "-1"}):
        assert_error(session.api.call("GET", url, headers=headers), 400, param="Last-Event-ID")
    assert_error(session.api.call("GET", url, params={"after": "x"}), 400, param="after")


# Stopping, breaking off, dying


def test_stopping_keeps_what_came(chat, slow):
    slow.script(reply(words(60)))
    session = chat(SLOW)
    with session.asking("speak") as answer:
        seen = answer.until(5)
        turn = seen.events[0].data["turn_id"]
        stopped = session.api.call("DELETE", f"{session.turns}/{turn}", 200).json()
    assert stopped["state"] == "stopped"
    whole = session.again(turn)
    assert whole.raw.startswith(seen.raw)
    assert stopped["message"]["content"] == whole.text
    assert stopped["message"]["finish_reason"] == "stopped"
    assert whole.last().data["state"] == "stopped"
    assert_error(session.api.call("DELETE", f"{session.turns}/{turn}"), 409, "wrong_state")
    assert session.ask("go on", model=QUICK)["state"] == "completed"


@pytest.mark.parametrize("how", ["disconnect", "truncate"])
def test_an_answer_that_the_provider_cuts_is_kept_as_far_as_it_came(how, chat, mock):
    mock.script(reply(words(30)), {"type": "stream_fault", "kind": how, "after_chunks": 8})
    session = chat()
    stream = session.stream("speak")
    assert stream.last().data["state"] == "failed"
    assert stream.last().data["error"]["message"]
    turn = session.turn(stream.events[0].data["turn_id"])
    assert (turn["state"], turn["message"]["finish_reason"]) == ("failed", "failed")
    assert turn["message"]["content"] == stream.text != ""
    assert turn["error"]


def test_an_error_before_the_answer_begins_is_the_answer_to_the_request(chat, mock):
    for stream in (False, True):
        session = chat()
        mock.script({"type": "fail", "status": 400, "times": 1})
        answer = session.api.call("POST", session.turns, json={"content": "hello", "stream": stream})
        assert_error(answer, 400)
        assert session.said() == [("user", "hello")]
        turn = session.api.get(session.turns)["data"][0]
        assert turn["state"] == "failed"
        assert turn["assistant_message_id"] is None
        assert session.again(turn["id"]).kinds() == ["started", "ended"]
        assert session.ask("again")["state"] == "completed"
    unknown = chat()
    answer = unknown.api.call("POST", unknown.turns, json={"content": "a", "model": "nobody/nothing"})
    assert_error(answer, 404, "model_not_found", "model")


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_kill_in_the_middle_leaves_all_that_was_seen(database, request, slow, dice, soak):
    postgres = request.getfixturevalue("postgres") if database == "postgres" else None
    with deploy(database, postgres) as made:
        add_usual_providers(made, slow=slow)
        for number in range(20 if soak else 3):
            slow.script(reply(words(80, str(number))))
            session = Chat(made.api, SLOW)
            waiting = []
            with session.asking("speak") as answer, ThreadPoolExecutor(1) as pool:
                seen = answer.until(dice.randrange(2, 25))
                # One more waits for its turn, and dies with the server.
                waiting.append(
                    pool.submit(session.api.with_key(made.loam.key).call, "POST", session.turns, json={"content": "next"})
                )
                eventually(lambda of=session: len(of.api.get(of.turns)["data"]) == 2)
                time.sleep(dice.uniform(0, 0.2))
                made.loam.kill9()
                seen = answer.to_the_end()
                assert waiting[0].exception() is not None
            made.loam.start()
            turn = seen.events[0].data["turn_id"]
            eventually(lambda of=session: all(row["ended_at"] for row in of.api.get(of.turns)["data"]))
            stored = session.turn(turn)
            assert stored["state"] == "interrupted"
            whole = session.again(turn)
            assert whole.raw.startswith(seen.raw), "a client saw more than what is stored"
            assert stored["message"]["content"] == whole.text
            assert stored["message"]["finish_reason"] == "interrupted"
            assert session.said() == [("user", "speak"), ("assistant", whole.text), ("user", "next")]
            assert [row["state"] for row in session.api.get(session.turns)["data"]] == ["interrupted", "interrupted"]
            slow.reset()
            assert session.ask("go on", settings={"max_tokens": 3})["state"] == "completed"


def test_a_clean_stop_waits_for_answers_and_then_keeps_what_came(request, slow):
    with deploy("sqlite", env={"LOAM_SERVER__SHUTDOWN_TIMEOUT": "2"}) as made:
        add_usual_providers(made, slow=slow)
        short, long = Chat(made.api, SLOW), Chat(made.api, SLOW)
        slow.script(reply(words(15, "short")))
        with short.asking("short") as answer:
            answer.until(2)
            slow.script(reply(words(300, "long")))
            with long.asking("long") as other:
                other.until(2)
                stopping = threading.Thread(target=made.loam.stop)
                stopping.start()
                rest = other.to_the_end()
                assert answer.to_the_end().last().data["state"] == "completed"
                stopping.join()
        assert rest.last().data["state"] == "interrupted"
        made.loam.start()
        assert long.said() == [("user", "long"), ("assistant", rest.text)]
        assert short.said()[1] == ("assistant", words(15, "short"))


# Several nodes

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


def test_any_node_follows_and_stops_what_another_runs_and_takes_up_what_waits(postgres, mock, slow):
    env = {"LOAM_MASTER_KEY": MASTER_KEY}
    with deploy("postgres", postgres, env=env) as one, Loam(database_url=one.loam.database_url, env=env) as two:
        add_usual_providers(one, mock, slow)
        here, there = Chat(one.api, SLOW), Chat.__new__(Chat)
        there.__dict__ |= here.__dict__ | {"api": Api(two.url, one.loam.key)}
        slow.script(reply(words(40)))
        with here.asking("speak") as answer, ThreadPoolExecutor(2) as pool:
            turn = answer.until(2).events[0].data["turn_id"]
            # It waits on the other node until the first has ended here.
            following, next_one = pool.submit(there.again, turn, 1), pool.submit(there.ask, "next", model=QUICK)
            whole = answer.to_the_end()
            assert following.result().raw == whole.behind(1)
            assert next_one.result()["state"] == "completed"
        assert [role for role, _ in here.said()] == ["user", "assistant"] * 2
        slow.script(reply(words(200)))
        with here.asking("speak on") as answer:
            turn = answer.until(3).events[0].data["turn_id"]
            stopped = there.api.call("DELETE", f"{there.turns}/{turn}", 200).json()
            assert stopped["state"] == "stopped"
            assert there.again(turn).raw == answer.to_the_end().raw
        mock.script(WANTS, reply("fine"))
        with_tool(here)
        waiting = here.ask("how is the weather?", model=QUICK)
        results = {"tool_results": [{"tool_call_id": waiting["tool_calls"][0]["id"], "content": "21 °C"}]}
        url = f"{there.turns}/{waiting['id']}/tool_results"
        assert there.api.call("POST", url, 200, json=results).json()["state"] == "completed"
        assert two.stop() == 0


def test_a_turn_of_a_node_that_is_gone_is_ended_by_another(postgres, mock, slow):
    env = {"LOAM_MASTER_KEY": MASTER_KEY}
    with deploy("postgres", postgres, env=env) as one, Loam(database_url=one.loam.database_url, env=env) as two:
        add_usual_providers(one, mock, slow)
        here, there = Chat(one.api, SLOW), Chat.__new__(Chat)
        there.__dict__ |= here.__dict__ | {"api": Api(two.url, one.loam.key)}
        slow.script(reply(words(200)))
        with here.asking("speak") as answer:
            seen = answer.until(20)
            one.loam.kill9()
        turn = seen.events[0].data["turn_id"]
        assert there.turn(turn)["state"] == "running"
        # A minute is over.
        postgres.execute("UPDATE turns SET lease_until = now() - interval '1 second' RETURNING 1", one.database_name)
        eventually(lambda: there.turn(turn)["state"] == "interrupted", seconds=40)
        stored = there.turn(turn)
        assert stored["message"]["content"] == there.again(turn).text
        # What the node had drained: at most a moment less than what was seen.
        assert seen.text.startswith(stored["message"]["content"][:20])
        assert there.ask("go on", model=QUICK)["state"] == "completed"
        one.loam.start()
        assert here.turn(turn) == stored


# Order


def test_turns_of_a_session_come_one_after_the_other(chat, talking):
    session = chat()
    with ThreadPoolExecutor(20) as pool:
        clients = [Chat.__new__(Chat) for _ in range(20)]
        for client in clients:
            client.__dict__ |= session.__dict__ | {"api": talking.api.with_key(talking.loam.key)}
        turns = list(pool.map(lambda numbered: numbered[1].ask(f"question {numbered[0]}"), enumerate(clients)))
    assert all(turn["state"] == "completed" for turn in turns)
    messages = session.messages()
    assert [row["sequence_number"] for row in messages] == list(range(1, 41))
    for question, answer in zip(messages[::2], messages[1::2], strict=True):
        assert (question["role"], answer["role"]) == ("user", "assistant")
        assert question["turn_id"] == answer["turn_id"]
        assert answer["parent_id"] == question["id"]
    by_arrival = sorted(turns, key=lambda turn: turn["id"])
    assert [row["turn_id"] for row in messages[::2]] == [turn["id"] for turn in by_arrival]
    assert [row["parent_id"] for row in messages[2::2]] == [row["id"] for row in messages[1:-1:2]]


def test_a_queue_has_an_end_and_who_waits_can_be_stopped(chat, talking, slow):
    key = "/api/v1/system_config/conversation.turns"
    talking.api.call("PUT", key, 200, json={"config_value": {"queue": 2}})
    try:
        slow.script(reply(words(60)))
        session = chat(SLOW)
        with session.asking("speak") as answer, ThreadPoolExecutor(1) as pool:
            first = answer.until(2).events[0].data["turn_id"]
            second = pool.submit(
                session.api.with_key(talking.loam.key).call, "POST", session.turns, 201, json={"content": "next"}
            )
            eventually(lambda: len(session.api.get(session.turns)["data"]) == 2)
            refused = session.api.call("POST", session.turns, json={"content": "and then"})
            assert_error(refused, 429, "session_busy")
            assert int(refused.headers["retry-after"]) > 0
            queued = session.api.get(session.turns, state="queued")["data"][0]
            assert queued["question"] == "next"
            session.api.call("DELETE", f"{session.turns}/{queued['id']}", 200)
            assert second.result().json()["state"] == "stopped"
            session.api.call("DELETE", f"{session.turns}/{first}", 200)
        assert [role for role, _ in session.said()] == ["user", "assistant"]
    finally:
        talking.api.call("DELETE", key)


# Branches


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
    # What was asked last is the branch in use.
    session.ask("and on")
    assert prompts(mock)[5][0]["content"] == "a new beginning"
    other = chat()
    strange = other.ask("x")["assistant_message_id"]
    answer = session.api.call("POST", session.turns, json={"content": "a", "parent_id": strange})
    assert_error(answer, 400, param="parent_id")


# What a model is told


def test_the_oldest_is_left_out_where_there_is_no_room(chat, mock):
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


def test_a_question_that_is_too_long_by_itself_is_refused(chat):
    session = chat()
    session.set("context", {"max_tokens": 50})
    answer = session.api.call("POST", session.turns, json={"content": "word " * 500})
    assert_error(answer, 400, "context_too_long", "content")


def test_what_there_is_no_room_for_is_told_in_a_summary_that_is_used_again(chat, mock):
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
    assert 1 <= len(summaries) < rounds, "each summary is used again until more has to go"
    told = [request["body"]["messages"] for request in asked if request["model"] == "gpt-4o"]
    with_summary = [messages for messages in told if "they counted words" in messages[0]["content"]]
    assert with_summary
    assert all(messages[0]["content"].startswith("be brief") for messages in told)

    def accounted() -> bool:
        calls = session.api.get("/api/v1/llm_calls", session_id=session.id, limit=200)["data"]
        return sum(call["model"] == "gpt-4o-mini" for call in calls) == len(summaries)

    eventually(accounted)
    # What a summary tells of is deleted: the summary goes as well.
    session.api.call("DELETE", f"/api/v1/messages/{session.messages()[0]['id']}", 204)
    session.ask("and now?")
    assert sum(request["model"] == "gpt-4o-mini" for request in mock.requests()) == len(summaries) + 1


# Tools


WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}
WANTS = {"type": "reply", "tool_calls": [{"name": "weather", "arguments": {"at": "Paris"}}], "times": 1}


def with_tool(session: Chat) -> Chat:
    session.api.call("PUT", f"{session.path}/tools", 200, json={"tools": [WEATHER]})
    return session


def test_the_client_uses_tools_and_the_model_goes_on(chat, mock):
    mock.script(WANTS)
    session = with_tool(chat())
    stream = session.stream("how is the weather?")
    assert stream.kinds() == ["started", "tool_calls", "message", "requires_action"]
    turn = stream.events[0].data["turn_id"]
    [wanted] = stream.last().data["tool_calls"]
    waiting = session.turn(turn)
    assert waiting["state"] == "requires_action"
    assert waiting["expires_at"]
    assert [call["id"] for call in waiting["tool_calls"]] == [wanted["id"]]
    [open_use] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
    asking = session.messages()[-1]["id"]
    assert (open_use["tool_name"], open_use["status"]) == ("weather", "waiting")
    assert (open_use["turn_id"], open_use["message_id"], open_use["call_id"]) == (turn, asking, wanted["id"])
    url = f"{session.turns}/{turn}/tool_results"
    for wrong in ("nobody's", wanted["id"] + "x"):
        bad = {"tool_results": [{"tool_call_id": wrong, "content": "1"}]}
        assert_error(session.api.call("POST", url, json=bad), 400, param="tool_results[0].tool_call_id")
    assert session.turn(turn)["state"] == "requires_action"
    mock.script(reply("it is 21 degrees"))
    results = {"tool_results": [{"tool_call_id": wanted["id"], "content": "21 °C"}]}
    ended = session.api.call("POST", url, 200, json=results).json()
    assert (ended["state"], ended["message"]["content"]) == ("completed", "it is 21 degrees")
    assert [role for role, _ in session.said()] == ["user", "assistant", "tool", "assistant"]
    again = prompts(mock)[-1]
    assert again[-1] == {"role": "tool", "content": "21 °C", "tool_call_id": wanted["id"]}
    assert again[-2]["tool_calls"][0]["id"] == wanted["id"]
    whole = session.again(turn)
    assert whole.raw.startswith(stream.raw)
    assert whole.kinds()[-5:] == ["tool_result", "message", "delta", "message", "ended"]
    assert_error(session.api.call("POST", url, json=results), 409, "wrong_state")
    [used] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
    assert (used["id"], used["status"]) == (open_use["id"], "succeeded")
    assert session.api.get(f"/api/v1/tool_calls/{used['id']}")["result"] == "21 °C"


def test_a_client_s_tool_that_failed_is_on_record_as_failed_and_the_model_is_told(chat, mock):
    mock.script(WANTS, reply("I can't say"))
    session = with_tool(chat())
    turn = session.ask("how is the weather?")
    failed = {"tool_call_id": turn["tool_calls"][0]["id"], "content": "no network", "is_error": True}
    url = f"{session.turns}/{turn['id']}/tool_results"
    assert session.api.call("POST", url, 200, json={"tool_results": [failed]}).json()["state"] == "completed"
    assert prompts(mock)[-1][-1]["content"] == "no network"
    [used] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
    assert (used["status"], used["error_message"]) == ("failed", "no network")


def test_a_turn_that_waits_for_the_client_outlives_the_server(mock):
    with deploy("sqlite") as made:
        add_usual_providers(made, mock)
        mock.script(WANTS)
        session = with_tool(Chat(made.api, QUICK))
        turn = session.ask("how is the weather?")
        assert turn["state"] == "requires_action"
        made.loam.kill9()
        made.loam.start()
        results = {"tool_results": [{"tool_call_id": turn["tool_calls"][0]["id"], "content": "21 °C"}], "stream": True}
        mock.script(reply("fine"))
        answer = session.api.call("POST", f"{session.turns}/{turn['id']}/tool_results", 200, json=results)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert Stream(answer.content).kinds() == ["delta", "message", "ended"]
        assert session.again(turn["id"]).raw.endswith(answer.content)


def test_a_client_that_never_comes_back_ends_its_turn_and_those_behind_it_go_on(mock):
    with deploy("sqlite") as made:
        add_usual_providers(made, mock)
        made.api.call("PUT", "/api/v1/system_config/conversation.turns", 200, json={"config_value": {"tool_result_seconds": 8}})
        mock.script(WANTS)
        session = with_tool(Chat(made.api, QUICK))
        turn = session.ask("how is the weather?")
        with ThreadPoolExecutor(1) as pool:
            behind = pool.submit(made.api.with_key(made.loam.key).call, "POST", session.turns, json={"content": "next"})
            eventually(lambda: len(session.api.get(session.turns)["data"]) == 2)
            # What waits behind it when the server dies is ended behind it as well.
            made.loam.kill9()
            assert behind.exception() is not None
        made.loam.start()
        eventually(lambda: not session.api.get(session.turns, state="queued")["data"], seconds=60)
        late = session.turn(turn["id"])
        assert (late["state"], late["error"][:17]) == ("failed", "tool_results_late")
        assert session.again(turn["id"]).last().data["error"]["code"] == "tool_results_late"
        [used] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
        assert used["status"] == "timed_out"
        assert [row["state"] for row in session.api.get(session.turns)["data"]] == ["interrupted", "failed"]
        assert [role for role, _ in session.said()] == ["user", "assistant", "user"]
        mock.script(reply("fine"))
        assert session.ask("and now?")["state"] == "completed"


def test_a_turn_that_waits_for_the_client_can_be_stopped(chat, mock):
    mock.script(WANTS)
    session = with_tool(chat())
    turn = session.ask("how is the weather?")
    assert session.api.call("DELETE", f"{session.turns}/{turn['id']}", 200).json()["state"] == "stopped"
    [used] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
    assert (used["status"], used["error_message"]) == ("failed", "its turn ended without its result")
    # The question that nobody answered is not told: providers refuse it.
    session.ask("never mind")
    assert [message["role"] for message in prompts(mock)[-1]] == ["user", "user"]


def test_a_model_that_wants_tools_without_end_is_ended(chat, mock, talking):
    mock.script(WANTS | {"times": None})
    key = "/api/v1/system_config/conversation.turns"
    talking.api.call("PUT", key, 200, json={"config_value": {"tool_rounds": 1}})
    try:
        session = with_tool(chat())
        turn = session.ask("how is the weather?")
        results = {"tool_results": [{"tool_call_id": turn["tool_calls"][0]["id"], "content": "21 °C"}]}
        answer = session.api.call("POST", f"{session.turns}/{turn['id']}/tool_results", json=results)
        assert_error(answer, 502, "too_many_tool_rounds")
        assert session.turn(turn["id"])["state"] == "failed"
    finally:
        talking.api.call("DELETE", key)


# What is refused


def test_what_is_no_question_is_refused_and_changes_nothing(chat):
    session = chat()
    for body, param in [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": [{"type": "video"}]}, "content"),
        ({"content": "a", "settings": {"messages": []}}, "settings.messages"),
        ({"content": "a", "settings": {"temperature": 9}}, "settings.temperature"),
        ({"content": "a", "model": ""}, "model"),
        ({"content": "a", "parent_id": str(uuid.uuid4())}, "parent_id"),
        ({"content": "a", "unknown": 1}, "unknown"),
    ]:
        assert_error(session.api.call("POST", session.turns, json=body), 400, param=param)
    assert session.said() == []
    assert session.api.get(session.turns)["data"] == []


def test_a_turn_on_an_archived_session_is_refused(chat):
    session = chat()
    turn = session.ask("a")
    session.api.call("PATCH", session.path, 200, json={"status": "archived"})
    assert_error(session.api.call("POST", session.turns, json={"content": "b"}), 409, "session_archived")
    url = f"{session.turns}/{turn['id']}/regenerate"
    assert_error(session.api.call("POST", url, json={}), 409, "session_archived")


def test_another_tenant_and_another_session_have_no_such_turn(chat, tenant):
    session, other = chat(), chat()
    turn = session.ask("a")["id"]
    assert_error(tenant.call("GET", f"{session.turns}/{turn}"), 404)
    for method, path in [("GET", ""), ("DELETE", ""), ("GET", "/stream")]:
        assert_error(other.api.call(method, f"{other.turns}/{turn}{path}"), 404)


def test_the_same_idempotency_key_asks_once(chat, mock):
    session = chat()
    headers = {"idempotency-key": str(uuid.uuid4())}
    first = session.ask("once", headers=headers)
    assert session.ask("once", headers=headers) == first
    headers = {"idempotency-key": str(uuid.uuid4())}
    body = {"content": "streamed once", "stream": True}
    streamed = session.api.call("POST", session.turns, 200, json=body, headers=headers)
    turn = Stream(streamed.content).events[0].data["turn_id"]
    again = session.api.call("POST", session.turns, 200, json=body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == turn
    assert len(mock.requests()) == 2
