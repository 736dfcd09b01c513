"""Bytes on the wire, where client libraries would hide them."""

from __future__ import annotations

import json
import time

import httpx
import pytest

pytestmark = pytest.mark.one_database


def stream_lines(api, model: str, prompt: str, **fields) -> tuple[list[str], list[float]]:
    """The data and arrival time of every event."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True} | fields
    lines, times = [], []
    began = time.monotonic()
    with api.http.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["x-loam-call-id"]
        for line in response.iter_lines():
            if line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
                times.append(time.monotonic() - began)
    return lines, times


def without_id(line: str) -> object:
    """A chunk without what differs from call to call, and without the null that a provider puts where usage would be
    if usage is requested, which Loam always does."""
    if line == "[DONE]":
        return line
    chunk = json.loads(line)
    return {name: value for name, value in chunk.items() if name not in ("id", "created") and (name, value) != ("usage", None)}


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["without usage", "with usage"])
def test_a_stream_is_the_providers_own_chunk_by_chunk(api, mock, ask, options):
    prompt = ask("Count to five.")
    through, _ = stream_lines(api, "mock/gpt-4o", prompt, **options)
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], "stream": True} | options
    direct = httpx.post(f"{mock.base_url}/chat/completions", json=request, trust_env=False)
    expected = [line.removeprefix("data: ") for line in direct.text.splitlines() if line.startswith("data: ")]
    assert [without_id(line) for line in through] == [without_id(line) for line in expected]


def test_chunks_are_forwarded_as_they_arrive(api, ask):
    lines, times = stream_lines(api, "slow/gpt-4o", ask("Count to five."))
    assert lines[-1] == "[DONE]"
    # The mock pauses 60 ms between chunks: if they were buffered, the first would arrive with the last.
    assert times[0] < times[-1] / 2
    assert len({round(moment, 2) for moment in times}) > len(times) / 2


def test_a_streamed_call_is_recorded_with_the_time_to_its_first_token(api, ask):
    prompt = ask("Count to five.")
    body = {"model": "slow/gpt-4o", "messages": [{"role": "user", "content": prompt}], "stream": True}
    with api.http.stream("POST", "/v1/chat/completions", json=body) as response:
        call = response.headers["x-loam-call-id"]
        response.read()
    # Settled before its last byte was sent: there is nothing to wait for.
    row = api.get(f"/api/v1/llm_calls/{call}")
    assert row["state"] == "settled"
    assert row["streamed"] is True
    assert 0 < row["first_token_ms"] < row["latency_ms"]


def test_a_large_body_is_forwarded_completely(api, mock, ask):
    # The mock stores no body of that size, but counts its tokens. Loam records the first megabyte of a larger body.
    prompt = ask("A long one:") + "x" * 2_000_000
    response = api.chat("mock/gpt-4o", prompt)
    request = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]}
    direct = httpx.post(f"{mock.base_url}/chat/completions", json=request, timeout=60, trust_env=False).json()
    assert response.json()["choices"] == direct["choices"]
    assert response.json()["usage"] == direct["usage"]
    recorded = api.get(f"/api/v1/llm_calls/{response.headers['x-loam-call-id']}")["request_data"]
    assert recorded["truncated"] is True
    assert len(recorded["text"]) == 1 << 20


def test_a_call_costs_what_the_price_list_says(api, ask):
    price = {"provider": "mock", "model": "gpt-4o-mini", "input_per_million": 2.5, "output_per_million": 10.0}
    response = api.call("POST", "/api/v1/model_prices", json=price)
    assert response.status_code in (201, 409), response.text
    usage = (response := api.chat("mock/gpt-4o-mini", ask("Say hello."))).json()["usage"]
    cost = float(api.get(f"/api/v1/llm_calls/{response.headers['x-loam-call-id']}")["cost_usd"])
    assert cost == pytest.approx(usage["prompt_tokens"] * 2.5e-6 + usage["completion_tokens"] * 10e-6, rel=1e-6)


def test_a_providers_error_keeps_its_status_and_names_the_provider(api, mock):
    fault = {"type": "fail", "status": 503, "times": None, "match": {"model": "gpt-4o-mini", "path": "/v1/chat/completions"}}
    mock.script(fault)
    try:
        response = api.chat("mock/gpt-4o-mini", "hello", expect=503)
    finally:
        mock.reset()
    assert "mock" in response.json()["error"]["message"]
    row = api.get(f"/api/v1/llm_calls/{response.headers['x-loam-call-id']}")
    assert (row["state"], row["status_code"]) == ("failed", 503)
    assert row["error_message"]
