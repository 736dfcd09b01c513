"""Requests and tokens per minute, concurrent calls: what is refused, what headers say, and what survives a restart.

Windows are minutes of the clock. A test that counts within one waits first until the minute has some time left.
"""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime

import pytest

from services import Faulty
from services_kit.faulty import COMPLETION_TOKENS, PROMPT_TOKENS
from support.api import Api, assert_error, eventually
from support.burst import Call, burst
from support.deployment import Deployment, deploy
from support.gateway import add_faulty, add_key, add_limit, ended_calls, fresh_minute, seconds_until, the_call, unique

TOKENS = PROMPT_TOKENS + COMPLETION_TOKENS
# Enough for a start of the server and a call.
SECONDS_LEFT = 8


class Limited:
    """A provider, and a key whose limit a test sets."""

    def __init__(self, deployment: Deployment, upstream: Faulty) -> None:
        self.api = deployment.tenant(unique("limited"))
        self.provider = add_faulty(self.api, upstream)
        self.model = f"{self.provider}/m"
        self.caller, self.key = add_key(self.api)

    def limit(self, **limits: float) -> str:
        return add_limit(self.api, "api_key", self.key, **limits)["id"]

    def chat(self, **fields):
        return self.caller.chat(self.model, "hello", None, **fields)


@pytest.fixture
def limited(deployment: Deployment, three: list[Faulty]) -> Limited:
    return Limited(deployment, three[0])


def in_force(limited: Limited, minute) -> None:
    """Wait until responses show the limit. They show it as soon as it applies: within a second."""
    eventually(lambda: "x-ratelimit-limit-requests" in limited.chat().headers, 1, pause=0)
    assert seconds_until(minute) > 5, "this machine is too slow for a minute's window"


def test_requests_per_minute_count_earlier_usage_and_apply_within_a_second(limited, three):
    minute = fresh_minute()
    before = [limited.chat() for _ in range(3)]
    assert all(response.is_success for response in before)
    limited.limit(requests_per_minute=20)
    in_force(limited, minute)
    used = len(three[0].asked)
    for number in range(used, 20):
        response = limited.chat()
        assert response.is_success, response.text
        assert response.headers["x-ratelimit-limit-requests"] == "20"
        assert response.headers["x-ratelimit-remaining-requests"] == str(20 - number - 1)
    refused = limited.chat()
    error = assert_error(refused, 429, "rate_limit_requests")
    assert "API key" in error["message"]
    assert "20 requests per minute" in error["message"]
    left = seconds_until(minute)
    assert left <= int(refused.headers["retry-after"]) <= left + 2
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(three[0].asked) == 20, "a refused call reached the provider"
    # Refused calls do not count against the limit, and are recorded apart from the others.
    assert len(ended_calls(limited.api, [response.headers["x-loam-call-id"]], limited.key)) == 20


def test_limits_are_shown_in_openais_headers_and_in_the_standards(limited):
    minute = fresh_minute()
    limited.limit(requests_per_minute=100, tokens_per_minute=10_000)
    in_force(limited, minute)
    headers = limited.chat(max_tokens=COMPLETION_TOKENS).headers
    for what, limit in (("requests", 100), ("tokens", 10_000)):
        assert headers[f"x-ratelimit-limit-{what}"] == str(limit)
        assert 0 < int(headers[f"x-ratelimit-remaining-{what}"]) < limit
        reset = int(re.fullmatch(r"(\d+)s", headers[f"x-ratelimit-reset-{what}"])[1])
        assert 0 <= reset - seconds_until(minute) <= 2
    assert headers["ratelimit-policy"] == '"requests";q=100;w=60, "tokens";q=10000;w=60'
    state = re.fullmatch(r'"requests";r=(\d+);t=(\d+), "tokens";r=(\d+);t=(\d+)', headers["ratelimit"])
    assert state[1] == headers["x-ratelimit-remaining-requests"]
    assert state[3] == headers["x-ratelimit-remaining-tokens"]
    assert state[2] == state[4] == headers["x-ratelimit-reset-requests"].removesuffix("s")


def test_a_caller_without_limits_gets_no_headers(limited):
    assert [name for name in limited.chat().headers if "ratelimit" in name] == []


def test_the_tightest_of_several_limits_is_shown_and_applies(limited):
    minute = fresh_minute()
    add_limit(limited.api, "tenant", None, requests_per_minute=1000)
    limited.limit(requests_per_minute=10)
    eventually(lambda: limited.chat().headers.get("x-ratelimit-limit-requests") == "10", 1, pause=0)
    other, _ = add_key(limited.api)
    assert other.chat(limited.model, "hello").headers["x-ratelimit-limit-requests"] == "1000"
    assert seconds_until(minute) > 5


def test_tokens_per_minute_are_reserved_then_counted(limited, three):
    minute = fresh_minute()
    limited.limit(tokens_per_minute=1000, requests_per_minute=1000)
    in_force(limited, minute)
    used = len(three[0].asked)
    # The remaining budget covers the expected response exactly once.
    headers = limited.chat(max_tokens=COMPLETION_TOKENS)
    assert headers.is_success

    def left() -> int:
        return int(limited.chat(max_tokens=10_000).headers["x-ratelimit-remaining-tokens"])

    assert left() == 1000 - (used + 1) * TOKENS
    refused = limited.chat(max_tokens=10_000)
    error = assert_error(refused, 429, "rate_limit_tokens")
    assert "1000 tokens per minute" in error["message"]
    assert 0 <= int(refused.headers["retry-after"]) - seconds_until(minute) <= 2
    assert limited.chat(max_tokens=COMPLETION_TOKENS).is_success
    assert left() == 1000 - (used + 2) * TOKENS


async def test_concurrent_calls_are_bounded_however_they_end(limited, three):
    three[0].feel(late=0.4)
    limited.limit(concurrency=3)
    await asyncio.sleep(1)
    calls = [Call(limited.model, f"call-{number}", streamed=number % 2 == 0) for number in range(12)]
    seen = await burst(limited.caller.url, limited.caller.key, calls, clients=12)
    assert sorted(one.status for one in seen) == [200] * 3 + [429] * 9
    refused = [one for one in seen if one.status == 429]
    assert {one.code for one in refused} == {"rate_limit_concurrency"}
    assert {one.headers["retry-after"] for one in refused} == {"1"}
    assert len(three[0].asked) == 3
    # Failed, refused and interrupted calls release their slot too.
    for mood in ({"status": 500}, {"cut": "head"}, {"cut": "middle"}):
        three[0].feel(**mood)
        calls = [Call(limited.model, "again", streamed=number % 2 == 0) for number in range(6)]
        seen = await burst(limited.caller.url, limited.caller.key, calls, clients=1)
        assert 429 not in [one.status for one in seen]


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.parametrize("kill", [False, True], ids=["stop", "kill"])
def test_usage_survives_a_restart(request, database, kill, three):
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    with deploy(database, server) as deployment:
        limited = Limited(deployment, three[0])
        minute = fresh_minute(25)
        limited.limit(requests_per_minute=10, tokens_per_minute=1_000_000)
        in_force(limited, minute)
        while (response := limited.chat()).is_success:
            last = response
        assert len(three[0].asked) == 10
        ended_calls(limited.api, [last.headers["x-loam-call-id"]], limited.key)
        if kill:
            deployment.loam.kill9()
            deployment.loam.start()
        else:
            deployment.loam.restart()
        after = limited.chat(max_tokens=1)
        assert seconds_until(minute) > 0, "this machine is too slow for a minute's window"
        assert_error(after, 429, "rate_limit_requests")
        assert after.headers["x-ratelimit-remaining-tokens"] == str(1_000_000 - 10 * TOKENS)


def test_a_new_minute_is_a_new_limit(three):
    # On one database: the clock is the same for both. The server's is moved so that its minute ends soon.
    offset = 60 - SECONDS_LEFT - datetime.now(UTC).second
    with deploy("sqlite", env={"LOAM_TEST_CLOCK_OFFSET": str(offset)}) as deployment:
        limited = Limited(deployment, three[0])
        limited.limit(requests_per_minute=1)
        response = eventually(lambda: (response := limited.chat()).status_code == 429 and response, 5)
        time.sleep(int(response.headers["retry-after"]))
        assert limited.chat().is_success


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"subject_type": "api_key"}, "subject_id"),
        ({"subject_type": "api_key", "subject_id": "01890000-0000-7000-8000-000000000000", "concurrency": 1}, "subject_id"),
        ({"subject_type": "tenant", "subject_id": "01890000-0000-7000-8000-000000000000", "concurrency": 1}, "subject_id"),
        ({"subject_type": "planet", "concurrency": 1}, "subject_type"),
        ({"subject_type": "tenant"}, "requests_per_minute"),
        ({"subject_type": "tenant", "requests_per_minute": -1}, "requests_per_minute"),
        ({"subject_type": "tenant", "tokens_per_minute": 10**13}, "tokens_per_minute"),
        ({"subject_type": "tenant", "concurrency": 1.5}, "concurrency"),
        ({"subject_type": "tenant", "budget_per_day": -0.01}, "budget_per_day"),
        ({"subject_type": "tenant", "budget_per_month": 1e30}, "budget_per_month"),
        ({"subject_type": "tenant", "budget_per_year": 1}, "budget_per_year"),
    ],
)
def test_an_invalid_limit_is_rejected_and_nothing_changed(a_tenant, body, param):
    assert_error(a_tenant.call("POST", "/api/v1/limits", json=body), 400, param=param)
    assert a_tenant.all("limits") == []


@pytest.fixture(scope="module")
def a_tenant(deployment: Deployment) -> Api:
    return deployment.tenant(unique("nonsense"))


def test_an_empty_or_duplicate_limit_is_rejected(limited):
    made = limited.limit(concurrency=5)
    again = {"subject_type": "api_key", "subject_id": limited.key, "concurrency": 1}
    assert_error(limited.api.call("POST", "/api/v1/limits", json=again), 409, "already_exists")
    path = f"/api/v1/limits/{made}"
    assert_error(limited.api.call("PATCH", path, json={"concurrency": None}), 400, "empty_limit")
    assert_error(limited.api.call("PATCH", path, json={"concurrency": -5}), 400, param="concurrency")
    assert limited.api.get(path)["concurrency"] == 5
    assert the_call(limited.api, limited.chat())["state"] == "settled"
