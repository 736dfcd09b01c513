"""A day of provider failures in less than a minute: no call fails that a target could serve, and the attempts say why."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from services import Faulty
from support.burst import Call, burst
from support.deployment import deploy
from support.gateway import add_faulty, add_route, ended_calls, to

CLIENTS = 6
# Hours of a day, so long each; every hour two of the three are in some trouble. An hour is longer than it takes to find out
# that both say nothing: otherwise a call could follow the trouble around.
HOURS = 24
HOUR = 0.8
FIRST_TOKEN = 0.3

# Kinds of failure; another target can serve all but a stream that is truncated in the middle.
TROUBLES = {
    "429": {"status": 429, "retry_after": 1},
    "500": {"status": 500},
    "503": {"status": 503},
    "401": {"status": 401},
    "late": {"late": FIRST_TOKEN * 4},
    "hang": {"cut": "head", "hang": True},
    "reset": {"cut": "head"},
    "headless": {"cut": "body"},
    "middle": {"cut": "middle"},
    "silent": {"cut": "middle", "hang": True},
    "down": None,
}
REFUSALS = {429, 500, 503, 401}


async def a_day(upstreams: list[Faulty], dice: random.Random, over: asyncio.Event) -> None:
    """Each hour one of the three is healthy, and the others fail in a new way."""
    for _ in range(HOURS):
        well = dice.randrange(len(upstreams))
        # First the healthy one, so that one is healthy at any moment.
        await restore(upstreams[well])
        for number, upstream in enumerate(upstreams):
            if number != well:
                await trouble(upstream, dice.choice(list(TROUBLES)))
        await asyncio.sleep(dice.uniform(0.8, 1.2) * HOUR)
    over.set()


async def restore(upstream: Faulty) -> None:
    upstream.feel()
    await asyncio.to_thread(upstream.start)


async def trouble(upstream: Faulty, name: str) -> None:
    if (mood := TROUBLES[name]) is None:
        await asyncio.to_thread(upstream.stop)
        return
    await asyncio.to_thread(upstream.start)
    upstream.feel(**mood)


@pytest.mark.one_database
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_day_of_failures_fails_no_call_that_a_target_could_serve(database, request, three, dice, soak):
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    with deploy(database, server) as deployment:
        names = [add_faulty(deployment.api, each) for each in three]
        # A target that is healthy at the end of a pass may have failed when it was called: the next pass finds it.
        patience = {"rounds": 10, "backoff": 0.05, "max_backoff": 0.3}
        rule = {"failures": 2, "seconds": 0.3}
        alias = add_route(
            deployment.api,
            *(to(name) for name in names),
            timeouts={"connect": 0.5, "first_token": FIRST_TOKEN, "idle": FIRST_TOKEN, "total": 30},
            retries=patience,
            cool_down=rule,
        )
        seen: list[Call] = []
        for day in range(5 if soak else 1):
            over = asyncio.Event()
            running = asyncio.create_task(a_day(three, dice, over))
            while not over.is_set():
                start = len(seen)
                calls = [Call(alias, f"day{day}-{start + n:05d}", streamed=dice.random() < 0.5) for n in range(60)]
                seen += await burst(deployment.loam.url, deployment.loam.key, calls, clients=CLIENTS)
            await running
        for upstream in three:
            await restore(upstream)
        rows = await asyncio.to_thread(ended_calls, deployment.api, {one.id for one in seen})
        check(names, seen, {row["request_id"]: row for row in rows}, three)


def check(names: list[str], seen: list[Call], rows: dict[str, dict], upstreams: list[Faulty]) -> None:
    failed = [(one.text, one.broken, rows.get(one.marker, {}).get("attempts")) for one in seen if one.status != 200]
    assert not failed, f"{len(failed)} of {len(seen)} calls failed though one could have answered: {failed[:5]}"
    assert len(seen) >= 100, "so few calls prove nothing"
    requests = Counter((name, one.prompt) for name, upstream in zip(names, upstreams, strict=True) for one in upstream.asked)
    completed = {
        (name, one.prompt): one.completed for name, upstream in zip(names, upstreams, strict=True) for one in upstream.asked
    }
    tried_again, statuses, broken = 0, Counter(), 0
    for one in seen:
        row = rows[one.marker]
        attempts = row["attempts"]
        *before, last = attempts
        tried_again += bool(before)
        # All attempts but the last failed; the last succeeded.
        assert all(attempt["error"] for attempt in before), attempts
        assert last["status"] == 200, attempts
        assert last["error"] is None, attempts
        assert last["target"] == f"{row['provider']}/m"
        statuses.update(attempt["status"] for attempt in before)
        for name in names:
            noted = sum(attempt["target"] == f"{name}/m" for attempt in attempts)
            # A target that refused the connection was attempted, but received no request.
            assert requests[name, one.marker] <= noted, f"{name} was asked {requests[name, one.marker]} times: {attempts}"
        if one.whole:
            assert row["state"] == "settled", row
            assert one.marker in one.text
        else:
            # A stream that was truncated in the middle: the client had received a part, so there was no failover.
            assert one.streamed, one
            assert not completed[row["provider"], one.marker], one
            assert "provider_broke_off" in one.text
            assert row["state"] == "estimated", row
            assert row["error_message"], row
            broken += 1
    assert tried_again >= 20, f"hardly a call met trouble: {statuses}"
    assert {None, 200} & set(statuses), f"no silence, no refused connection: {statuses}"
    assert REFUSALS & set(statuses), f"no provider refused: {statuses}"
    assert broken <= len(seen) // 3, f"{broken} streams broke"


async def test_a_stream_that_breaks_in_the_middle_is_settled_as_estimated(three):
    """The one failure that can't be hidden: reported to the client, counted, and not retried."""
    with deploy("sqlite") as deployment:
        name, reserve = (add_faulty(deployment.api, each) for each in three[:2])
        alias = add_route(deployment.api, to(name, order=0), to(reserve, order=1))
        three[0].feel(cut="middle", model="m")
        calls = [Call(alias, f"cut-{number}", streamed=True) for number in range(30)]
        seen = await burst(deployment.loam.url, deployment.loam.key, calls, clients=CLIENTS)
        rows = {row["request_id"]: row for row in await asyncio.to_thread(ended_calls, deployment.api, {one.id for one in seen})}
        for one in seen:
            assert not one.whole
            assert "provider_broke_off" in one.text
            row = rows[one.marker]
            assert (row["state"], len(row["attempts"])) == ("estimated", 1)
            assert row["completion_tokens"] > 0
        assert three[1].asked == []
