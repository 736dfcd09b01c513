"""Budgets: under load, through kills, and for each subject that can have one."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import httpx
import pytest

from services import Faulty
from services_kit.faulty import COMPLETION_TOKENS, PROMPT_TOKENS
from support.api import Api, assert_error, eventually
from support.burst import Call, burst
from support.deployment import Deployment, deploy
from support.gateway import (
    add_faulty,
    add_key,
    add_limit,
    add_price,
    ended_calls,
    nano,
    same_day,
    seconds_until,
    the_call,
    unique,
    usage,
)

CLIENTS = 64
KILLS = 2
# A call costs exactly 0.005 dollars, and no less is reserved for it: prompt tokens are free.
PRICE = 1000.0
COST = COMPLETION_TOKENS * PRICE / 1e6
BOUND = {"max_tokens": COMPLETION_TOKENS}


@pytest.fixture(params=["sqlite", "postgres"])
def strict(request: pytest.FixtureRequest):
    """A Loam of the test's own that calls no provider before the call is recorded, so that every call sent is found again."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with deploy(request.param, server, env={"LOAM_GATEWAY__STRICT": "true"}) as made:
        yield made


def spent(rows: list[dict]) -> int:
    return sum(nano(row["cost_usd"]) for row in rows)


def unsettled(rows: list[dict]) -> int:
    return sum(nano(row["reserved_usd"]) for row in rows if row["state"] == "orphaned")


async def kill_and_restart(deployment: Deployment, upstream: Faulty, dice, served: list[int]) -> None:
    """Kill it each time that `count` more calls were served."""
    for count in served:
        await asyncio.to_thread(eventually, lambda count=count: len(upstream.asked) >= count, 60, 0.005)
        await asyncio.sleep(dice.uniform(0, 0.05))
        deployment.loam.kill9()
        await asyncio.to_thread(deployment.loam.start)


async def test_the_budget_is_not_exceeded_through_kills_and_restarts(strict, three, dice, soak):
    midnight = await asyncio.to_thread(same_day)
    calls, affordable = (10_000, 1_000) if soak else (2_000, 200)
    api, upstream = strict.api, three[0]
    provider = add_faulty(api, upstream)
    add_price(api, provider, written=PRICE)
    caller, key = add_key(api)
    budget = nano(affordable * COST)
    add_limit(api, "api_key", key, budget_per_day=affordable * COST)

    upstream.feel(late=0.02)
    wanted = [Call(f"{provider}/m", f"call-{number}", streamed=number % 2 == 0) for number in range(calls)]
    killer = asyncio.create_task(kill_and_restart(strict, upstream, dice, [affordable // 5, affordable * 2 // 5]))
    seen = await burst(strict.loam.url, caller.key, wanted, clients=CLIENTS, pause=0.01, **BOUND)
    await asyncio.wait_for(killer, 60)
    assert {one.code for one in seen if one.status == 429} == {"budget_day"}

    # Use up the budget, now that no call is in progress and every orphan has been found.
    ids = {one.id for one in seen}
    await asyncio.to_thread(ended_calls, api, ids, key)
    last, more = await asyncio.to_thread(use_up, caller, provider, affordable)
    rows = await asyncio.to_thread(ended_calls, api, ids | more, key)
    states = Counter(row["state"] for row in rows)
    assert set(states) <= {"settled", "estimated", "failed", "orphaned"}
    assert spent(rows) <= budget, states
    # Calls in progress at a kill may have been admitted before the reservations of the previous kill were known.
    held = nano(COST) * CLIENTS * KILLS
    assert spent(rows) + unsettled(rows) <= budget + held, states
    assert spent(rows) + unsettled(rows) > budget - nano(COST), f"the budget was not used to the end: {states}"

    on_record = {row["request_id"]: row for row in rows}
    served = Counter(one.prompt for one in upstream.asked)
    assert set(served.values()) == {1}, "a call was sent twice"
    assert set(served) <= set(on_record), "the provider received a call that is not recorded"
    beyond = [on_record[marker] for marker in served if on_record[marker]["state"] == "orphaned"]
    paid = [row for row in rows if row["state"] in ("settled", "estimated")]
    assert len(served) <= len(paid) + len(beyond) + states["failed"]
    assert {nano(row["cost_usd"]) for row in paid if row["state"] == "settled"} == {nano(COST)}
    assert {nano(row["reserved_usd"]) for row in rows} == {nano(COST)}
    for one in seen:
        assert not one.whole or on_record[one.marker]["state"] == "settled", one
        assert one.status != 429 or one.marker not in on_record, "a call that was refused is on record"

    def sums_agree() -> bool:
        total = usage(api, api_key_id=key)[0]
        assert total["calls"] == len(rows)
        assert (total["orphaned"], total["errors"]) == (states["orphaned"], states["failed"])
        assert nano(total["cost_usd"]) == spent(rows)
        assert nano(total["unsettled_usd"]) == unsettled(rows)
        return True

    await asyncio.to_thread(eventually, sums_agree)
    assert_spent(last, midnight)
    strict.loam.kill9()
    await asyncio.to_thread(strict.loam.start)
    assert_spent(await asyncio.to_thread(caller.chat, f"{provider}/m", "after", None, **BOUND), midnight)


def use_up(caller: Api, provider: str, most: int) -> tuple[httpx.Response, set[str]]:
    """Call until a call is refused; returns the refusal and the ids of the calls."""
    ids = set()
    for number in range(most + 1):
        response = caller.chat(f"{provider}/m", f"last-{number}", None, headers={"x-request-id": f"last-{number}"}, **BOUND)
        if response.status_code == 429:
            return response, ids
        assert response.is_success, response.text
        ids.add(response.headers["x-loam-call-id"])
    raise AssertionError("the budget never ended")


def assert_spent(response: httpx.Response, midnight: datetime) -> None:
    """Refused for the budget of the day, until the day is over."""
    error = assert_error(response, 429, "budget_day")
    assert "API key" in error["message"]
    assert "US dollars per day" in error["message"]
    left = seconds_until(midnight)
    assert left <= int(response.headers["retry-after"]) <= left + 5


class Subject:
    """A subject with a limit: a key that counts against it, and one that doesn't."""

    def __init__(self, deployment: Deployment, kind: str, upstream: Faulty) -> None:
        self.kind = kind
        # Each has its own tenant: a tenant's limit applies to all its callers.
        self.api = deployment.tenant(unique("budgets"))
        self.provider = add_faulty(self.api, upstream)
        # 4.5 and 15 US dollars per million: sums of thousandths of cents.
        add_price(self.api, self.provider, read=4.5, written=15)
        self.cost = PROMPT_TOKENS * 4500 + COMPLETION_TOKENS * 15000
        self.id, self.caller, self.outsider = self._make(kind)

    def _make(self, kind: str) -> tuple[str | None, Api, Api | None]:
        if kind == "tenant":
            return None, add_key(self.api)[0], None
        outsider = add_key(self.api)[0]
        if kind == "api_key":
            caller, made = add_key(self.api)
            return made, caller, outsider
        if kind == "project":
            made = self.api.create("projects", {"name": unique("project")})["id"]
            return made, add_key(self.api, project_id=made)[0], outsider
        name = unique("user")
        made = self.api.create("users", {"username": name, "email": f"{name}@example.com", "roles": ["admin"]})["id"]
        return made, add_key(self.api, user_id=made)[0], outsider

    def chat(self, caller: Api | None = None):
        return (caller or self.caller).chat(f"{self.provider}/m", "hello", None, **BOUND)


@pytest.fixture(params=["tenant", "project", "user", "api_key"])
def subject(request: pytest.FixtureRequest, deployment: Deployment, three: list[Faulty]) -> Subject:
    return Subject(deployment, request.param, three[0])


WORDS = {"tenant": "tenant", "project": "project", "user": "user", "api_key": "API key"}


@pytest.mark.parametrize("window", ["day", "month"])
def test_each_subject_has_its_own_budget(subject, window):
    same_day()
    # What was used before there was a limit counts.
    before = the_call(subject.api, subject.chat())
    assert (nano(before["cost_usd"]), before["reserved_usd"]) == (subject.cost, None)
    limit = add_limit(subject.api, subject.kind, subject.id, **{f"budget_per_{window}": (2 * subject.cost + 1e6) / 1e9})
    second = eventually(lambda: (call := the_call(subject.api, subject.chat()))["reserved_usd"] and call, 1, pause=0)
    assert nano(second["reserved_usd"]) >= subject.cost
    refused = eventually(lambda: (response := subject.chat()).status_code == 429 and response, 1, pause=0)
    error = assert_error(refused, 429, f"budget_{window}")
    assert WORDS[subject.kind] in error["message"]
    assert f"US dollars per {window}" in error["message"]
    assert int(refused.headers["retry-after"]) >= 1
    if subject.outsider:
        assert subject.chat(subject.outsider).is_success
    # With a higher budget the next call succeeds.
    subject.api.call("PATCH", f"/api/v1/limits/{limit['id']}", 200, json={f"budget_per_{window}": 1})
    eventually(lambda: subject.chat().is_success, 1)
    subject.api.call("DELETE", f"/api/v1/limits/{limit['id']}", 204)
    eventually(lambda: the_call(subject.api, subject.chat())["reserved_usd"] is None, 1)


def test_a_month_ends_with_the_month(deployment, three):
    same_day()
    subject = Subject(deployment, "api_key", three[0])
    add_limit(subject.api, "api_key", subject.id, budget_per_month=0)
    response = eventually(lambda: (response := subject.chat()).status_code == 429 and response, 1)
    now = datetime.now(UTC)
    first = now.replace(
        year=now.year + now.month // 12, month=now.month % 12 + 1, day=1, hour=0, minute=0, second=0, microsecond=0
    )
    assert abs(int(response.headers["retry-after"]) - seconds_until(first)) <= 5


def test_a_free_call_needs_no_budget(deployment, three):
    subject = Subject(deployment, "api_key", three[0])
    free = add_faulty(subject.api, three[1])
    add_limit(subject.api, "api_key", subject.id, budget_per_day=0)
    eventually(lambda: subject.chat().status_code == 429, 1)
    assert subject.caller.chat(f"{free}/m", "hello").is_success
    assert three[1].asked, "the free one was not called"
