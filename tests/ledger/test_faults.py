"""Failures of the provider and of the client: each call leaves one correct row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from services import Faulty, LlMock
from services_kit.faulty import COMPLETION_TOKENS
from support.api import eventually
from support.compare import assert_complete, rows_by_marker
from support.deployment import deploy
from support.load import Load


def stream_fault(kind: str, after: int) -> dict:
    match = {"model": f"fault-{kind}", "stream": True}
    return {"type": "stream_fault", "kind": kind, "after_chunks": after, "times": None, "match": match}


# A model for each failure, which it always has: which call fails how does not depend on the order of calls.
FAULTS = [
    {"type": "fail", "status": 429, "retry_after": 1, "times": None, "match": {"model": "fault-429"}},
    {"type": "fail", "status": 500, "times": None, "match": {"model": "fault-500"}},
    {"type": "delay", "seconds": 0.3, "times": None, "match": {"model": "fault-delay"}},
    stream_fault("disconnect", 3),
    stream_fault("truncate", 3),
    stream_fault("malformed", 2),
]
MODELS = ["gpt-4o", "fault-429", "fault-500", "fault-delay", "fault-disconnect", "fault-truncate", "fault-malformed"]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def broken(request: pytest.FixtureRequest):
    """A provider with a model for each fault, and one whose streams take their time."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with LlMock() as mock, LlMock(chunk_delay_ms=60) as slow, deploy(request.param, server) as made:
        mock.script(*FAULTS)
        made.add_provider("mock", mock.base_url, MODELS)
        made.add_provider("slow", slow.base_url, ["gpt-4o"])
        yield made, mock, slow


async def load_of(deployment, models: list[str], dice, name: str, seconds: float = 0.6, **options) -> Load:
    load = Load(deployment.loam.url, deployment.loam.key, models, dice, name, **options)
    await load.run(seconds)
    return load


def mine(rows: dict[str, list[dict]], load: Load) -> dict[str, list[dict]]:
    return {marker: found for marker, found in rows.items() if marker.startswith(load.name)}


async def recorded(deployment, load: Load) -> dict[str, dict]:
    """The load's rows: exactly one for each call, by marker."""

    def one_each() -> dict[str, dict]:
        rows = mine(rows_by_marker(deployment.api, load.began), load)
        counts = {each.marker: len(rows.get(each.marker, [])) for each in load.seen}
        assert set(counts.values()) == {1}, {marker: count for marker, count in counts.items() if count != 1}
        return {marker: found[0] for marker, found in rows.items()}

    return await asyncio.to_thread(eventually, one_each)


@pytest.mark.parametrize("status", [429, 500])
async def test_a_refused_call_is_one_failed_row(broken, dice, status):
    deployment, _, _ = broken
    load = await load_of(deployment, [f"mock/fault-{status}"], dice, f"refused{status}", clients=4)
    assert {each.status for each in load.seen} == {status}
    rows = await recorded(deployment, load)
    assert {(row["state"], row["status_code"]) for row in rows.values()} == {("failed", status)}
    assert all("mock" in each.body for each in load.seen), "the error does not say which provider failed"
    assert all(row["error_message"] for row in rows.values())


async def test_a_rate_limits_retry_after_reaches_the_client(broken):
    deployment, _, _ = broken
    response = deployment.api.chat("mock/fault-429", "hello later", expect=429, headers={"x-request-id": "later"})
    assert response.headers["retry-after"] == "1"


async def test_a_slow_response_is_settled_with_its_latency(broken, dice):
    deployment, _, _ = broken
    load = await load_of(deployment, ["mock/fault-delay"], dice, "delayed", clients=8)
    rows = await recorded(deployment, load)
    assert {row["state"] for row in rows.values()} == {"settled"}
    assert min(row["latency_ms"] for row in rows.values()) >= 300


@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
async def test_a_stream_that_the_provider_cuts_is_estimated(broken, dice, kind):
    deployment, _, _ = broken
    load = await load_of(deployment, [f"mock/fault-{kind}"], dice, f"cut-{kind}", clients=4)
    rows = await recorded(deployment, load)
    streams = [each for each in load.seen if each.streamed]
    assert streams
    for one in streams:
        row = rows[one.marker]
        assert not one.acknowledged, f"the client received [DONE] of a truncated stream: {one}"
        assert row["state"] == "estimated", row
        assert row["prompt_tokens"] > 0, row
        assert row["completion_tokens"] > 0, row
        assert row["error_message"], row
        assert load.content(one), "what came before the cut did not reach the client"
    plain = [rows[each.marker]["state"] for each in load.seen if not each.streamed]
    assert set(plain) == {"settled"}


async def test_an_invalid_chunk_is_forwarded_and_does_not_end_the_call(broken, dice):
    deployment, _, _ = broken
    load = await load_of(deployment, ["mock/fault-malformed"], dice, "garbled", clients=4)
    rows = await recorded(deployment, load)
    assert all(each.acknowledged for each in load.seen)
    assert {row["state"] for row in rows.values()} == {"settled"}


async def test_a_client_that_disconnects_mid_stream_leaves_one_correct_row(broken, dice):
    deployment, _, slow = broken
    load = await load_of(deployment, ["slow/gpt-4o"], dice, "hungup", clients=6, hang_up=True)
    rows = await recorded(deployment, load)
    disconnected = [each for each in load.seen if each.hung_up]
    assert disconnected, "no client disconnected: this proves nothing"
    finished = {each["body"]["messages"][0]["content"]: each["completed"] for each in slow.requests()}
    for one in disconnected:
        row = rows[one.marker]
        # Read to its end with usage, or truncated when the client left and estimated: both are correct.
        complete = finished[f"please answer {one.marker}"]
        assert row["state"] == ("settled" if complete else "estimated"), (row, complete)
        assert row["prompt_tokens"] > 0, row
        if load.content(one):
            assert row["completion_tokens"] > 0, row


async def test_a_client_that_disconnects_before_the_response_leaves_one_row(broken):
    deployment, _, _ = broken
    marker = "impatient-000001"

    def ended() -> list[dict] | None:
        rows = rows_by_marker(deployment.api).get(marker)
        return rows if rows and rows[0]["state"] != "open" else None

    with Faulty() as late:
        deployment.add_provider("late", late.base_url, late.models)
        late.feel(late=1)
        body = {"model": "late/m", "messages": [{"role": "user", "content": f"please answer {marker}"}]}
        received = await send_and_leave(deployment, body, marker, lambda: late.asked)
        assert received == b"", "the response was there before the client left: this proves nothing"
        (row,) = await asyncio.to_thread(eventually, ended)
        assert [one.completed for one in late.asked] == [True]
    # The provider's response is awaited without the client, and paid for.
    assert row["state"] == "settled", row
    assert row["completion_tokens"] == COMPLETION_TOKENS, row


async def send_and_leave(deployment, body: dict, marker: str, arrived: Callable[[], object]) -> bytes:
    """A request on a raw socket, closed as soon as it has arrived at the provider; gives what was received."""
    reader, writer = await asyncio.open_connection("127.0.0.1", deployment.loam.port)
    payload = json.dumps(body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: loam\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {deployment.loam.key}\r\nX-Request-Id: {marker}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    writer.write(head.encode() + payload)
    await writer.drain()
    await asyncio.to_thread(eventually, arrived, 10, 0.005)
    writer.close()
    await writer.wait_closed()
    return await reader.read()


async def test_a_provider_that_cannot_be_reached_is_one_failed_row(broken, dice):
    deployment, _, _ = broken
    # Port 9 of the loopback: no server listens there.
    deployment.add_provider("gone", "http://127.0.0.1:9/v1", ["any"])
    load = await load_of(deployment, ["gone/any"], dice, "gone", seconds=0.2, clients=2)
    assert {each.status for each in load.seen} == {502}
    rows = await recorded(deployment, load)
    assert {row["state"] for row in rows.values()} == {"failed"}
    assert all(row["error_message"] for row in rows.values())


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_all_failures_at_once_under_load_and_a_kill(database, request, dice):
    """The worst hour of a year in a few seconds; the ledger is still complete."""
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    with LlMock() as mock, deploy(database, server) as deployment:
        mock.script(*FAULTS)
        deployment.add_provider("mock", mock.base_url, MODELS)
        models = [f"mock/{name}" for name in MODELS if name != "fault-malformed"]
        load = Load(deployment.loam.url, deployment.loam.key, models, dice, "worst")
        running = asyncio.create_task(load.run(60))
        await asyncio.sleep(dice.uniform(0.3, 0.8))
        deployment.loam.kill9()
        await asyncio.to_thread(deployment.loam.start)
        await asyncio.sleep(0.6)
        load.stop()
        await running
        rows = assert_complete(deployment.api, load.seen, mock.requests(), crashed=True)
        # A refusal that the client received is never lost either.
        refused = [each for each in load.seen if each.status in (429, 500)]
        assert refused
        assert {rows[each.marker][0]["state"] for each in refused} == {"failed"}
