"""What a route does about a failing target: failover, retries after a pause, cool-down."""

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
    """On SQLite only: the health of targets is held in memory, whatever the database."""
    with deploy("sqlite") as made:
        yield made


@pytest.fixture
def names(deployment: Deployment, three: list[Faulty]) -> list[str]:
    """The three as providers of this test's own: one test's effect on their health doesn't reach the next."""
    return [add_faulty(deployment.api, each) for each in three]


def stream(api: Api, alias: str, prompt: str) -> tuple[str, str | None]:
    """A streamed call: the received text, and the call's id."""
    body = {"model": alias, "messages": [{"role": "user", "content": prompt}], "stream": True}
    with api.http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        return "".join(response.iter_text()), response.headers["x-loam-call-id"]


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
def test_a_failure_that_another_target_can_serve_fails_over(api, names, three, mood, seen, streamed):
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


def test_a_response_that_stops_after_its_headers_times_out(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), timeouts={"first_token": 0.3})
    three[0].feel(cut="body", hang=True)
    text, call_id = stream(api, alias, "a stream")
    assert text.endswith("data: [DONE]\n\n")
    assert tried(api.get(f"/api/v1/llm_calls/{call_id}")) == [(names[0], 200), (names[1], 200)]
    assert tried(the_call(api, api.chat(alias, "a plain one"))) == [(names[0], 200), (names[1], 200)]


def test_a_truncated_response_that_is_not_streamed_is_retried(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), timeouts={"idle": 0.3})
    three[0].feel(cut="middle")
    assert tried(the_call(api, api.chat(alias, "broken"))) == [(names[0], 200), (names[1], 200)]
    three[0].feel(cut="middle", hang=True)
    assert tried(the_call(api, api.chat(alias, "silent"))) == [(names[0], 200), (names[1], 200)]


@pytest.mark.parametrize("hang", [False, True], ids=["closed", "silent"])
def test_a_stream_that_breaks_after_its_first_byte_is_estimated_and_not_retried(api, names, three, hang):
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
def test_an_invalid_request_is_not_retried(api, names, three, status):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), retries={"rounds": 3, "backoff": 0})
    three[0].feel(status=status)
    response = api.chat(alias, "hello", expect=status)
    assert_error(response, status, "provider_refused_request")
    assert tried(the_call(api, response)) == [(names[0], status)]
    assert three[1].asked == []


def test_if_all_targets_fail_the_client_gets_the_last_error_and_every_attempt_is_recorded(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), retries={"rounds": 2, "backoff": 0.01})
    three[0].feel(status=500)
    three[1].feel(status=503)
    response = api.chat(alias, "hello", expect=None)
    assert response.status_code == 503
    call = the_call(api, response)
    assert tried(call) == [(names[0], 500), (names[1], 503)] * 3
    assert (call["state"], call["cost_usd"], call["total_tokens"]) == ("failed", None, None)


def test_excluded_targets_are_not_retried(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), retries={"rounds": 2, "backoff": 0.01})
    three[0].feel(status=401)
    three[1].feel(status=500)
    assert tried(the_call(api, api.chat(alias, "hello", expect=None))) == [(names[0], 401)] + [(names[1], 500)] * 3


def test_a_retry_after_up_to_max_backoff_is_honoured(api, names, three):
    alias = add_route(api, to(names[0]), retries={"rounds": 1, "backoff": 0.01, "max_backoff": 2})
    three[0].feel(status=429, retry_after=1)
    began = time.monotonic()
    response = api.chat(alias, "hello", expect=429)
    # The provider's Retry-After, not the back-off.
    assert time.monotonic() - began >= 1
    assert tried(the_call(api, response)) == [(names[0], 429)] * 2
    assert response.headers["retry-after"] == "1"


def test_a_longer_retry_after_reaches_the_client(api, names, three):
    alias = add_route(api, to(names[0]), retries={"rounds": 3, "backoff": 0.01, "max_backoff": 2})
    three[0].feel(status=429, retry_after=60)
    response = api.chat(alias, "hello", expect=429)
    assert response.headers["retry-after"] == "60"
    assert tried(the_call(api, response)) == [(names[0], 429)]


def test_a_retry_after_does_not_delay_another_target(api, names, three):
    targets = [to(names[0], order=0), to(names[1], order=1)]
    alias = add_route(api, *targets, retries={"rounds": 2, "backoff": 0.01, "max_backoff": 1})
    three[0].feel(status=429, retry_after=60)
    three[1].feel(status=503)
    response = api.chat(alias, "hello", expect=None)
    # The second sent no Retry-After, so the call continues, whatever the first sent.
    assert Counter(tried(the_call(api, response))) == {(names[0], 429): 3, (names[1], 503): 3}


def test_the_total_timeout_ends_a_call_whatever_targets_remain(api, names, three):
    targets = [to(names[0], order=0), to(names[1], order=1)]
    alias = add_route(api, *targets, timeouts={"total": 0.5}, retries={"rounds": 5})
    three[0].feel(status=500)
    three[1].feel(late=30)
    response = api.chat(alias, "hello", expect=504)
    assert_error(response, 504, "route_timeout")
    call = the_call(api, response)
    assert tried(call) == [(names[0], 500), (names[1], None)]
    assert call["state"] == "failed"
    assert call["latency_ms"] >= 500


def test_a_target_that_exceeds_the_total_timeout_cools_down(api, names, three):
    targets = [to(names[0], order=0), to(names[1], order=1)]
    alias = add_route(api, *targets, timeouts={"total": 0.4}, cool_down={"failures": 1, "seconds": 30})
    three[0].feel(late=30)
    api.chat(alias, "in vain", expect=504)
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[1], 200)]


def test_a_target_whose_keys_are_all_rejected_cools_down(api, names, three):
    rule = {"failures": 2, "seconds": 30}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    three[0].feel(status=401)
    found = [tried(the_call(api, api.chat(alias, "hello"))) for _ in range(3)]
    assert found == [[(names[0], 401), (names[1], 200)]] * 2 + [[(names[1], 200)]]


def test_the_total_timeout_ends_a_stream_too(api, names, three):
    alias = add_route(api, to(names[0]), timeouts={"total": 0.5})
    three[0].feel(cut="middle", hang=True)
    text, call_id = stream(api, alias, "hello")
    assert "total timeout" in text
    assert eventually(lambda: api.get(f"/api/v1/llm_calls/{call_id}"))["state"] == "estimated"


def test_a_failing_target_cools_down_then_one_call_tries_it(api, names, three):
    rule = {"failures": 2, "seconds": 1}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    three[0].feel(status=500)

    def called() -> list[tuple[str, int | None]]:
        return tried(the_call(api, api.chat(alias, "hello")))

    bad, good = (names[0], 500), (names[1], 200)
    assert [called(), called()] == [[bad, good], [bad, good]]
    rested = time.monotonic()
    assert called() == [good], "it was not left alone"
    # One trial after the cool-down; it fails, and the next cool-down is twice as long.
    assert eventually(lambda: bad in (seen := called()) and seen, 5) == [bad, good]
    assert time.monotonic() - rested >= 0.9
    failed = time.monotonic()
    three[0].feel()
    assert called() == [good]
    eventually(lambda: called() == [(names[0], 200)], 5)
    assert time.monotonic() - failed >= 1.9
    # It succeeded, so all calls may use it again.
    assert [called() for _ in range(3)] == [[(names[0], 200)]] * 3


def test_the_health_of_targets_is_shown_and_a_route_is_tested(api, names, three):
    rule = {"failures": 1, "seconds": 60}
    targets = [to(names[0], order=0), to(names[1], order=1)]
    route = api.create("model_routes", {"alias": f"tested-{names[0]}", "targets": targets, "cool_down": rule})["id"]
    path = f"/api/v1/model_routes/{route}"

    def states() -> list[tuple[str, str, int, bool]]:
        rows = api.get(f"{path}/health")["data"]
        return [(row["provider"], row["state"], row["failures"], row["cooling_down_until"] is not None) for row in rows]

    well = (names[1], "available", 0, False)
    assert states() == [(names[0], "available", 0, False), well]
    three[0].feel(status=500)
    tested = api.call("POST", f"{path}/test", 200).json()
    assert (tested["ok"], tested["error"]) == (True, None)
    call = eventually(lambda: (found := api.get(f"/api/v1/llm_calls/{tested['call_id']}"))["state"] != "open" and found)
    assert tried(call) == [(names[0], 500), (names[1], 200)]
    assert states() == [(names[0], "cooling_down", 1, True), well]
    three[1].feel(status=500)
    tested = api.call("POST", f"{path}/test", 200).json()
    assert not tested["ok"]
    assert tested["error_code"]
    assert tested["error"]
    assert {state for _, state, _, _ in states()} == {"cooling_down"}
    key = api.with_key(api.create("api_keys", {"name": f"no-calls-{names[0]}", "scopes": ["model_routes:write"]})["key"])
    assert_error(key.call("POST", f"{path}/test"), 403, "missing_permission")


def test_a_target_with_retry_after_cools_down_until_then(api, names, three):
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1))
    three[0].feel(status=429, retry_after=2)
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[0], 429), (names[1], 200)]
    failed_at = time.monotonic()
    three[0].feel()
    assert tried(the_call(api, api.chat(alias, "hello"))) == [(names[1], 200)]
    eventually(lambda: tried(the_call(api, api.chat(alias, "hello"))) == [(names[0], 200)], 5)
    assert time.monotonic() - failed_at >= 1.9


def test_if_all_targets_cool_down_they_are_called_anyway(api, names, three):
    rule = {"failures": 1, "seconds": 60}
    alias = add_route(api, to(names[0], order=0), to(names[1], order=1), cool_down=rule)
    for each in three:
        each.feel(status=500)
    api.chat(alias, "both fail", expect=500)
    for each in three:
        each.feel()
    assert api.chat(alias, "a slim chance").is_success


def test_a_trial_with_an_invalid_request_ends_the_cool_down(api, names, three):
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

    def test_are_used_in_rotation(self, api, keyed, three):
        for _ in range(9):
            api.chat(f"{keyed}/m", "hello")
        used = [one.key for one in three[0].asked]
        # The rotation restarts when the configuration is reloaded, as after the notice of the provider's creation.
        assert all(2 <= used.count(key) <= 4 for key in self.KEYS), used

    def test_a_rejected_key_cools_down_while_the_others_are_used(self, api, keyed, three):
        three[0].feel(status=401, key=self.KEYS[1])
        for _ in range(9):
            assert api.chat(f"{keyed}/m", "hello").is_success
        used = [one.key for one in three[0].asked]
        assert used.count(self.KEYS[1]) == 1, "a refused key was used again"
        assert min(used.count(key) for key in (self.KEYS[0], self.KEYS[2])) >= 4

    def test_an_exhausted_key_cools_down_for_its_retry_after(self, api, keyed, three):
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

    def test_if_all_are_rejected_the_client_gets_the_error(self, api, keyed, three):
        three[0].feel(status=401)
        response = api.chat(f"{keyed}/m", "hello", expect=None)
        error = assert_error(response, response.status_code, "provider_refused_credentials")
        assert not any(key in error["message"] for key in self.KEYS)
        assert len(the_call(api, response)["attempts"]) == 3

    def test_are_never_shown(self, api, keyed):
        shown = api.call("GET", "/api/v1/ai_providers", 200, params={"name": keyed}).text
        assert not any(key in shown for key in self.KEYS)


def test_a_model_called_by_name_is_attempted_once(api, names, three):
    three[0].feel(status=500)
    response = api.chat(f"{names[0]}/m", "hello", expect=500)
    assert tried(the_call(api, response)) == [(names[0], 500)]
