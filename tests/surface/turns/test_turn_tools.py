"""Turns whose model calls tools of the client."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from support.api import assert_error, eventually
from support.conversation import QUICK, WANTS, Chat, Reading, Stream, prompts, reply, with_tool
from support.deployment import add_usual_providers, deploy


def test_the_client_executes_tools_and_the_model_continues(chat, mock):
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


def test_a_resumed_stream_begins_with_the_results(chat, mock):
    mock.script(WANTS)
    session = with_tool(chat())
    stream = session.stream("how is the weather?")
    turn = stream.events[0].data["turn_id"]
    [wanted] = stream.last().data["tool_calls"]
    mock.script(reply("it is 21 degrees"))
    results = {"tool_results": [{"tool_call_id": wanted["id"], "content": "21 °C"}], "stream": True}
    with session.api.http.stream("POST", f"{session.turns}/{turn}/tool_results", json=results) as answer:
        assert answer.status_code == 200, answer.read()
        rest = Reading(answer).to_the_end()
    assert rest.kinds() == ["tool_result", "message", "delta", "message", "ended"]
    assert stream.raw + rest.raw == session.again(turn).raw, "no event is missing between both"


def test_schemas_reach_the_provider_in_the_order_in_which_they_were_sent(chat, mock):
    """Models answer in the order of a schema's keys."""
    mock.script(reply("first"), reply("second"))
    schema = {
        "type": "object",
        "properties": {"zone": {"type": "string"}, "answer": {"type": "string"}, "b": {"type": "number", "description": "x"}},
        "required": ["zone", "answer", "b"],
        "additionalProperties": False,
    }
    answer = {"type": "json_schema", "json_schema": {"strict": True, "name": "answer", "schema": schema}}
    session = chat()
    tool = {"function": {"strict": True, "name": "lookup", "parameters": schema}}
    session.api.call("PUT", f"{session.path}/tools", 200, json={"tools": [tool]})
    session.set("response_format", answer)
    session.ask("by the session's setting")
    session.ask("by the turn's own", settings={"response_format": answer})
    for request in mock.requests():
        body = request["body"]
        assert json.dumps(body["tools"][0]["function"]["parameters"]) == json.dumps(schema)
        assert json.dumps(body["response_format"]) == json.dumps(answer)


def test_a_failed_client_tool_is_recorded_and_reported_to_the_model(chat, mock):
    mock.script(WANTS, reply("I can't say"))
    session = with_tool(chat())
    turn = session.ask("how is the weather?")
    failed = {"tool_call_id": turn["tool_calls"][0]["id"], "content": "no network", "is_error": True}
    url = f"{session.turns}/{turn['id']}/tool_results"
    assert session.api.call("POST", url, 200, json={"tool_results": [failed]}).json()["state"] == "completed"
    assert prompts(mock)[-1][-1]["content"] == "no network"
    [used] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
    assert (used["status"], used["error_message"]) == ("failed", "no network")


def test_a_turn_waiting_for_the_client_survives_a_restart(mock):
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
        assert Stream(answer.content).kinds() == ["tool_result", "message", "delta", "message", "ended"]
        assert session.again(turn["id"]).raw.endswith(answer.content)


def test_a_turn_without_tool_results_expires_and_later_turns_run(mock):
    with deploy("sqlite") as made:
        add_usual_providers(made, mock)
        made.api.call("PUT", "/api/v1/system_config/conversation.turns", 200, json={"config_value": {"tool_result_seconds": 8}})
        mock.script(WANTS)
        session = with_tool(Chat(made.api, QUICK))
        turn = session.ask("how is the weather?")
        with ThreadPoolExecutor(1) as pool:
            behind = pool.submit(made.api.with_key(made.loam.key).call, "POST", session.turns, json={"content": "next"})
            eventually(lambda: len(session.api.get(session.turns)["data"]) == 2)
            # A turn queued behind it is ended after it when the server is killed.
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


def test_a_turn_waiting_for_the_client_can_be_stopped(chat, mock):
    mock.script(WANTS)
    session = with_tool(chat())
    turn = session.ask("how is the weather?")
    assert session.api.call("DELETE", f"{session.turns}/{turn['id']}", 200).json()["state"] == "stopped"
    [used] = session.api.get("/api/v1/tool_calls", session_id=session.id)["data"]
    assert (used["status"], used["error_message"]) == ("failed", "the turn ended before a result was received")
    # The unanswered tool call is not sent: providers reject it.
    session.ask("never mind")
    assert [message["role"] for message in prompts(mock)[-1]] == ["user", "user"]


def test_a_model_that_requests_tools_endlessly_is_stopped(chat, mock, talking):
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
