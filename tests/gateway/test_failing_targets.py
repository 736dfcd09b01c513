"""What a route does about a target that fails: on to the next, again after a pause, left alone for a while."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from services import Faulty
from support.api import Api, assert_error, eventually
from support.deployment import Deployment, deploy
from support.gateway import add_faulty, add_route, the_call, to, tried


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    """On SQLite alone: how targets fare is kept in memory, whatever the database."""
    with deploy("sqlite") as made:
        yield made


@pytest.fixture
def names(deployment: Deployment, three: list[Faulty]) -> list[str]:
    """The three as providers of this test's own: what one test does to their health is nothing to the next."""
    return [add_faulty(deployment.api, each) for each in three]


def stream(api: Api, alias: str, prompt: str) -> tuple[str, str | None]:
    """A streamed call: the text that came, and the call's id."""
    body = {"model": alias, "messages": [{"role": "user", "content": prompt}], "stream": True}
    with api.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        return "".join(answer.iter_text()), answer.headers["x-loam-call-id"]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize(
    ("mood", "seen"),
    [
        ({"status": 401}, 401),
        ({"status": 402}, 402),
        ({"status": 403}, 403),
        ({"status": 404}, 404),
        ({"status": 408}, 408),
        ({"status": 429, "retry_after": 7}, 429),
        ({"status": 500}, 500),
        ({"status": 503}, 503),
        ({"status": 529}, 529),
        ({"cut": "head"}, None),
        ({"cut": "body"}, 200),
        ({"cut": "head", "hang": True}, None),
        ({"late": 30}, None),
    ],
    ids=lambda value: "-".join(f"{name}-{each}" for name, each in value.items()) if isinstance(value, dict) else None,
)
def test_what_another_target_could_answer_goes_to_the_next(api, names, three, mood, seen, streamed):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), timeouts={"first_token": 0.3})
    three[0].feel(**mood)
    if streamed:
        text, call_id = stream(api, alias, "hello")
        assert text.endswith("data: [DONE]\n\n")
        call = eventually(lambda: api.get(f"/api/v1/llm_calls/{call_id}"))
    else:
        call = the_call(api, api.chat(alias, "hello"))
    assert tried(call) == [(names[0], seen), (names[1], 200)]
    assert (call["state"], call["provider"], call["status_code"]) == ("settled", names[1], 200)
    assert call["attempts"][0]["error"]
    assert call["attempts"][1]["error"] is None
    assert [len(each.asked) for each in three] == [1, 1, 0]


def test_an_answer_that_stops_after_its_head_counts_as_late(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), timeouts={"first_token": 0.3})
    three[0].feel(cut="body", hang=True)
    text, call_id = stream(api, alias, "a stream")
    assert text.endswith("data: [DONE]\n\n")
    assert tried(api.get(f"/api/v1/llm_calls/{call_id}")) == [(names[0], 200), (names[1], 200)]
    assert tried(the_call(api, api.chat(alias, "a plain one"))) == [(names[0], 200), (names[1], 200)]


def test_a_plain_answer_that_breaks_off_is_asked_for_again(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), timeouts={"idle": 0.3})
    three[0].feel(cut="middle")
    assert tried(the_call(api, api.chat(alias, "broken"))) == [(names[0], 200), (names[1], 200)]
    three[0].feel(cut="middle", hang=True)
    assert tried(the_call(api, api.chat(alias, "silent"))) == [(names[0], 200), (names[1], 200)]


@pytest.mark.parametrize("hang", [False, True], ids=["closed", "silent"])
def test_a_stream_that_breaks_after_its_first_byte_is_not_tried_again_but_estimated(api, names, three, hang):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), timeouts={"idle": 0.3})
    three[0].feel(cut="middle", hang=hang)
    text, call_id = stream(api, alias, "hello")
    assert "provider_broke_off" in text
    assert "[DONE]" not in text
    call = eventually(lambda: api.get(f"/api/v1/llm_calls/{call_id}"))
    assert tried(call) == [(names[0], 200)]
    assert (call["state"], call["provider"]) == ("estimated", names[0])
    assert call["error_message"]
    assert three[1].asked == []


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_fault_of_the_request_is_not_tried_again(api, names, three, status):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), retries={"rounds": 3, "backoff": 0})
    three[0].feel(status=status)
    answer = api.chat(alias, "hello", expect=status)
    assert_error(answer, status, "provider_refused_request")
    assert tried(the_call(api, answer)) == [(names[0], status)]
    assert three[1].asked == []


def test_when_nobody_answers_the_last_error_is_the_clients_and_every_try_is_on_record(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), retries={"rounds": 2, "backoff": 0.01})
    three[0].feel(status=500)
    three[1].feel(status=503)
    answer = api.chat(alias, "hello", expect=None)
    assert answer.status_code == 503
    call = the_call(api, answer)
    assert tried(call) == [(names[0], 500), (names[1], 503)] * 3
    assert (call["state"], call["cost_usd"], call["total_tokens"]) == ("failed", None, None)


def test_what_is_hopeless_is_not_tried_in_a_further_pass(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), retries={"rounds": 2, "backoff": 0.01})
    three[0].feel(status=401)
    three[1].feel(status=500)
    assert tried(the_call(api, api.chat(alias, "hello", expect=None))) == [(names[0], 401)] + [(names[1], 500)] * 3


def test_a_retry_after_is_waited_for_when_it_fits(api, names, three):
    alias = add_route(api, to(names[0]), retries={"rounds": 1, "backoff": 0.01, "max_backoff": 2})
    three[0].feel(status=429, retry_after=1)
    began = time.monotonic()
    answer = api.chat(alias, "hello", expect=429)
    # What the provider asked for, not what the back-off would have been.
    assert time.monotonic() - began >= 1
    assert tried(the_call(api, answer)) == [(names[0], 429)] * 2
    assert answer.headers["retry-after"] == "1"


def test_a_retry_after_that_nobody_would_wait_for_goes_to_the_client(api, names, three):
    alias = add_route(api, to(names[0]), retries={"rounds": 3, "backoff": 0.01, "max_backoff": 2})
    three[0].feel(status=429, retry_after=60)
    answer = api.chat(alias, "hello", expect=429)
    assert answer.headers["retry-after"] == "60"
    assert tried(the_call(api, answer)) == [(names[0], 429)]


def test_a_retry_after_does_not_delay_another_target(api, names, three):
    targets = [to(names[0], order=0), to(names[1], order=1)]
    alias = add_route(api, *targets, retries={"rounds": 2, "backoff": 0.01, "max_backoff": 1})
    three[0].feel(status=429, retry_after=60)
    three[1].feel(status=503)
    answer = api.chat(alias, "hello", expect=None)
    # The second asked for no pause, so the call goes on, whatever the first asked for.
    assert Counter(tried(the_call(api, answer))) == {(names[0], 429): 3, (names[1], 503): 3}


def test_the_total_time_out_ends_a_call_whatever_is_left_to_try(api, names, three):
    targets = [to(names[0], order=0), to(names[1], order=1)]
    alias = add_route(api, *targets, timeouts={"total": 0.5}, retries={"rounds": 5})
    three[0].feel(status=500)
    three[1].feel(late=30)
    answer = api.chat(alias, "hello", expect=504)
    assert_error(answer, 504, "route_timeout")
    call = the_call(api, answer)
    assert tried(call) == [(names[0], 500), (names[1], None)]
    assert call["state"] == "failed"
    assert call["latency_ms"] >= 500


def test_who_was_asked_when_the_time_was_up_is_left_alone_like_one_that_failed(api, names, three):
    targets = [to(names[0], order=0), to(names[1], order=1)]
    alias = add_route(api, *targets, timeouts={"total": 0.4}, cool_down={"failures": 1, "seconds": 30})
    three[0].feel(late=30)
    api.chat(alias, "in vain", expect=504)
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[1], 200)]


def test_a_target_whose_keys_are_all_refused_is_left_alone(api, names, three):
    rule = {"failures": 2, "seconds": 30}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    three[0].feel(status=401)
    found = [tried(the_call(api, api.chat(alias, "hello"))) for _ in range(3)]
    assert found == [[(names[0], 401), (names[1], 200)]] * 2 + [[(names[1], 200)]]


def test_the_total_time_out_ends_a_stream_as_well(api, names, three):
    alias = add_route(api, to(names[0]), timeouts={"total": 0.5})
    three[0].feel(cut="middle", hang=True)
    text, call_id = stream(api, alias, "hello")
    assert "total time-out" in text
    assert eventually(lambda: api.get(f"/api/v1/llm_calls/{call_id}"))["state"] == "estimated"


def test_a_target_that_fails_often_is_left_alone_then_tried_by_one_call(api, names, three):
    rule = {"failures": 2, "seconds": 1}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    three[0].feel(status=500)

    def called() -> list[tuple[str, int | None]]:
        return tried(the_call(api, api.chat(alias, "hello")))

    bad, good = (names[0], 500), (names[1], 200)
    assert [called(), called()] == [[bad, good], [bad, good]]
    rested = time.monotonic()
    assert called() == [good], "it was not left alone"
    # One trial when the rest is over; it fails, and the next rest is twice as long.
    assert eventually(lambda: bad in (seen := called()) and seen, 5) == [bad, good]
    assert time.monotonic() - rested >= 0.9
    failed = time.monotonic()
    three[0].feel()
    assert called() == [good]
    eventually(lambda: called() == [(names[0], 200)], 5)
    assert time.monotonic() - failed >= 1.9
    # It answered, so everybody may use it again.
    assert [called() for _ in range(3)] == [[(names[0], 200)]] * 3


def test_a_target_that_says_when_to_come_back_is_left_alone_until_then(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1))
    three[0].feel(status=429, retry_after=2)
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[0], 429), (names[1], 200)]
    told = time.monotonic()
    three[0].feel()
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[1], 200)]
    eventually(lambda: tried(the_call(api, api.chat(alias, "hello"))) == [(names[0], 200)], 5)
    assert time.monotonic() - told >= 1.9


def test_when_all_targets_rest_they_are_asked_all_the_same(api, names, three):
    rule = {"failures": 1, "seconds": 60}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    for each in three:
        each.feel(status=500)
    api.chat(alias, "both fail", expect=500)
    for each in three:
        each.feel()
    assert api.chat(alias, "a slim chance").is_success


def test_a_trial_that_meets_a_bad_request_shows_that_the_target_is_well(api, names, three):
    rule = {"failures": 1, "seconds": 0.2}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    three[0].feel(status=500)
    api.chat(alias, "it fails")
    time.sleep(0.3)
    three[0].feel(status=400)
    api.chat(alias, "the trial is a bad request", expect=400)
    three[0].feel()
    assert tried(the_call(api, api.chat(alias, "who answers a 400 is there"))) == [(names[0], 200)]


def test_a_provider_that_comes_back_is_found(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down={"failures": 1, "seconds": 0.2})
    three[0].stop()
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[0], None), (names[1], 200)]
    three[0].start()
    eventually(lambda: tried(the_call(api, api.chat(alias, "hello"))) == [(names[0], 200)], 5)


class TestSeveralKeys:
    """A provider with more than one key."""

    KEYS = ("sk-first", "sk-second", "sk-third")

    @pytest.fixture
    def keyed(self, api: Api, three: list[Faulty]) -> str:
        return add_faulty(api, three[0], api_key=self.KEYS[0], api_keys=list(self.KEYS[1:]))

    def test_take_turns(self, api, keyed, three):
        for _ in range(9):
            api.chat(f"{keyed}/m", "hello")
        used = [one.key for one in three[0].asked]
        # The turn begins anew when the configuration is read again, as after the notice of the provider's own making.
        assert all(2 <= used.count(key) <= 4 for key in self.KEYS), used

    def test_one_that_is_refused_rests_while_the_others_answer(self, api, keyed, three):
        three[0].feel(status=401, key=self.KEYS[1])
        for _ in range(9):
            assert api.chat(f"{keyed}/m", "hello").is_success
        used = [one.key for one in three[0].asked]
        assert used.count(self.KEYS[1]) == 1, "a refused key was used again"
        assert min(used.count(key) for key in (self.KEYS[0], self.KEYS[2])) >= 4

    def test_one_that_is_used_up_rests_as_long_as_it_was_told(self, api, keyed, three):
        three[0].feel(status=429, retry_after=1, key=self.KEYS[2])
        for _ in range(6):
            assert api.chat(f"{keyed}/m", "hello").is_success
        assert [one.key for one in three[0].asked].count(self.KEYS[2]) == 1
        three[0].feel(key=self.KEYS[2])
        three[0].asked.clear()

        def used_again() -> bool:
            api.chat(f"{keyed}/m", "hello")
            return self.KEYS[2] in [one.key for one in three[0].asked]

        eventually(used_again, 5)

    def test_all_refused_is_the_clients_to_know(self, api, keyed, three):
        three[0].feel(status=401)
        answer = api.chat(f"{keyed}/m", "hello", expect=None)
        error = assert_error(answer, answer.status_code, "provider_refused_credentials")
        assert not any(key in error["message"] for key in self.KEYS)
        assert len(the_call(api, answer)["attempts"]) == 3

    def test_are_never_shown(self, api, keyed):
        shown = api.call("GET", "/api/v1/ai_providers", 200, params={"name": keyed}).text
        assert not any(key in shown for key in self.KEYS)


def test_a_model_that_is_called_by_its_name_is_asked_once(api, names, three):
    three[0].feel(status=500)
    answer = api.chat(f"{names[0]}/m", "hello", expect=500)
    assert tried(the_call(api, answer)) == [(names[0], 500)]
