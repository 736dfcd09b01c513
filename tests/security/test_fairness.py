"""One tenant abuses the server in every way at once; another tenant's requests still complete in time."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from support.api import assert_error, eventually
from support.chat import send as bring_in
from support.noisy_neighbor import NoisyNeighbor, Tarpit, Victim, figures
from support.platforms import Receiver, open_channel

ROUNDS = 12


@pytest.fixture
def tarpit():
    with Tarpit() as made:
        yield made


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def usual_provider(api, mock) -> str:
    config = {"base_url": mock.base_url, "api_key": "sk-well", "models": ["gpt-4o-mini"]}
    api.create("ai_providers", {"name": "mock", "kind": "openai", "config": config})
    return "mock/gpt-4o-mini"


def test_a_tenant_that_does_its_worst_holds_up_no_other(deployment, mock, tarpit, receiver, capsys):
    bad, good = deployment.tenant("does-its-worst"), deployment.tenant("does-well")
    model = usual_provider(good, mock)
    before, beside = Victim(good, receiver, model), None
    for _ in range(ROUNDS):
        before.round()
    with NoisyNeighbor(bad, tarpit) as neighbor:
        eventually(lambda: tarpit.seen >= 8, 60)
        beside = Victim(good, receiver, model)
        # nothing of it is refused, nothing of it waits until the other's is over: none of that is over at the end
        for _ in range(ROUNDS):
            beside.round()
        assert neighbor.pending() == 40
    assert set(neighbor.done) == {"imports", "batches", "calls", "turns", "lists"}, "it did not do its worst"
    with capsys.disabled():
        print(f"\n{deployment.database}: {neighbor.done}\n{figures(before.times, beside.times)}")
    assert all(len(times) == ROUNDS for times in beside.times.values())


def test_a_host_that_never_answers_is_left_alone(deployment, tarpit):
    """Deliveries to it are put off without being tried, and none of them is lost."""
    bad = deployment.tenant("patient")
    settings = {"timeout_ms": 1000, "first_pause_ms": 10, "longest_pause_ms": 20}
    bad.call("PUT", "/api/v1/system_config/webhooks.deliveries", 200, json={"config_value": settings})
    platform = open_channel(bad, "tarpit", tarpit.url, auto_reply=False)
    for number in range(20):
        platform.say("hello", f"chat-{number}")
        path = f"/api/v1/channels/{platform.channel}/send"
        bad.call("POST", path, 201, json={"chat_id": f"chat-{number}", "text": "never taken"})

    def left_alone() -> bool:
        rows = bad.all("webhook_deliveries", state="pending")
        assert len(rows) == 20
        return sum("left alone" in (row["error_message"] or "") for row in rows) >= 10

    eventually(left_alone, 60)
    # eight at a time: the first round, and what began before its end was known
    assert tarpit.seen <= 20


def test_imports_that_never_end_leave_places_to_others(deployment):
    bad, good = deployment.tenant("trickles"), deployment.tenant("imports")
    at = urlsplit(bad.url)
    lines = []
    try:
        for _ in range(6):
            line = socket.create_connection((at.hostname, at.port), timeout=10)
            lines.append(line)
            head = (
                f"POST /api/v1/chat_sessions/import?mode=resumable HTTP/1.1\r\nhost: {at.netloc}\r\n"
                f"authorization: Bearer {bad.key}\r\ncontent-type: application/x-ndjson\r\n"
                "transfer-encoding: chunked\r\n\r\n1\r\n\n\r\n"
            )
            line.sendall(head.encode())
        eventually(lambda: bring_in(bad, b"", None).status_code == 429, 30)
        assert_error(bring_in(bad, b"", None), 429, "import_busy")
        for _ in range(3):
            bring_in(good, b"", 200)
    finally:
        for line in lines:
            line.close()
    eventually(lambda: bring_in(bad, b"", None).status_code == 200, 30)
