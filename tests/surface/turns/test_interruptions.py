"""Turns whose client disconnects and reconnects, or whose provider or server fails."""

from __future__ import annotations

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from services import Loam
from support.api import Api, assert_error, eventually
from support.conversation import QUICK, SLOW, WANTS, Chat, Reading, Stream, reply, with_tool, words
from support.deployment import add_usual_providers, deploy


def test_an_answer_is_stored_although_the_client_disconnects(chat, slow):
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


def test_reconnecting_anywhere_gives_the_same_bytes(chat, slow, rng, soak):
    """On a second connection during the turn, at random times and positions, and after the end."""
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
                pool.submit(attach, rng.uniform(0, 2.4), rng.randrange(0, 8), rng.random() < 0.5, rng.choice([None, None, 1, 3]))
                for _ in range(min(50 if not soak else 400, tries - done))
            ]
            whole = answer.to_the_end()
            for future in one:
                after, stream = future.result()
                # A position beyond the last event waits for later events.
                assert stream.raw == whole.behind(after), f"behind {after} of {len(whole.events)}"
        done += len(one)
        assert whole.last().data["state"] == "completed"
        for after in (0, 1, len(whole.events) - 1, len(whole.events), len(whole.events) + 5):
            assert session.again(turn, after).raw == whole.behind(after)
        end = session.api.call("GET", f"{session.turns}/{turn}/stream", 204, params={"after": len(whole.events)})
        assert end.content == b""


def test_a_stream_position_must_be_a_number(chat):
    session = chat()
    turn = session.ask("a")["id"]
    url = f"{session.turns}/{turn}/stream"
    for headers in ({"last-event-id": "x"}, {"last-event-id": "-1"}):
        assert_error(session.api.call("GET", url, headers=headers), 400, param="Last-Event-ID")
    assert_error(session.api.call("GET", url, params={"after": "x"}), 400, param="after")


def test_stopping_keeps_partial_output(chat, slow):
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
def test_an_answer_cut_by_the_provider_is_stored_partially(how, chat, mock):
    mock.script(reply(words(30)), {"type": "stream_fault", "kind": how, "after_chunks": 8})
    session = chat()
    stream = session.stream("speak")
    assert stream.last().data["state"] == "failed"
    assert stream.last().data["error"]["message"]
    turn = session.turn(stream.events[0].data["turn_id"])
    assert (turn["state"], turn["message"]["finish_reason"]) == ("failed", "failed")
    assert turn["message"]["content"] == stream.text != ""
    assert turn["error"]


def test_an_error_before_any_output_is_an_error_response(chat, mock):
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
def test_a_kill_keeps_all_output_that_clients_received(database, request, slow, rng, soak):
    postgres = request.getfixturevalue("postgres") if database == "postgres" else None
    with deploy(database, postgres) as made:
        add_usual_providers(made, slow=slow)
        for number in range(20 if soak else 3):
            slow.script(reply(words(80, str(number))))
            session = Chat(made.api, SLOW)
            waiting = []
            with session.asking("speak") as answer, ThreadPoolExecutor(1) as pool:
                seen = answer.until(rng.randrange(2, 25))
                # Another one is queued, and interrupted with the server.
                waiting.append(
                    pool.submit(session.api.with_key(made.loam.key).call, "POST", session.turns, json={"content": "next"})
                )
                eventually(lambda of=session: len(of.api.get(of.turns)["data"]) == 2)
                time.sleep(rng.uniform(0, 0.2))
                made.loam.kill9()
                seen = answer.to_the_end()
                assert waiting[0].exception() is not None
            made.loam.start()
            turn = seen.events[0].data["turn_id"]
            eventually(lambda of=session: all(row["ended_at"] for row in of.api.get(of.turns)["data"]))
            stored = session.turn(turn)
            assert stored["state"] == "interrupted"
            whole = session.again(turn)
            assert whole.raw.startswith(seen.raw), "a client received more than was stored"
            assert stored["message"]["content"] == whole.text
            assert stored["message"]["finish_reason"] == "interrupted"
            assert session.said() == [("user", "speak"), ("assistant", whole.text), ("user", "next")]
            assert [row["state"] for row in session.api.get(session.turns)["data"]] == ["interrupted", "interrupted"]
            slow.reset()
            assert session.ask("go on", settings={"max_tokens": 3})["state"] == "completed"


def test_a_graceful_stop_waits_for_answers_and_stores_partial_output(request, slow):
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


def test_any_node_follows_stops_and_resumes_turns_of_another(postgres, mock, slow):
    env = {"LOAM_MASTER_KEY": MASTER_KEY}
    with deploy("postgres", postgres, env=env) as one, Loam(database_url=one.loam.database_url, env=env) as two:
        add_usual_providers(one, mock, slow)
        here, there = Chat(one.api, SLOW), Chat.__new__(Chat)
        there.__dict__ |= here.__dict__ | {"api": Api(two.url, one.loam.key)}
        slow.script(reply(words(40)))
        with here.asking("speak") as answer, ThreadPoolExecutor(2) as pool:
            turn = answer.until(2).events[0].data["turn_id"]
            # It is queued on the other node until the first one has ended here.
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


def test_a_turn_of_a_dead_node_is_ended_by_another(postgres, mock, slow):
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
        # The lease has expired.
        postgres.execute("UPDATE turns SET lease_until = now() - interval '1 second' RETURNING 1", one.database_name)
        eventually(lambda: there.turn(turn)["state"] == "interrupted", seconds=40)
        stored = there.turn(turn)
        assert stored["message"]["content"] == there.again(turn).text
        # The output that the node had drained: slightly less than the client received.
        assert seen.text.startswith(stored["message"]["content"][:20])
        assert there.ask("go on", model=QUICK)["state"] == "completed"
        one.loam.start()
        assert here.turn(turn) == stored
