"""What goes over the wire, byte for byte, where the clients would hide it."""

from __future__ import annotations

import json
import time

import httpx
import pytest


def stream_lines(api, model: str, prompt: str, **fields) -> tuple[list[str], list[float]]:
    """The data of every event, and when each came."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True} | fields
    lines, times = [], []
    began = time.monotonic()
    with api.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-loam-call-id"]
        for line in answer.iter_lines():
            if line.startswith("data: "):
                lines.append(line.removeprefix("data: "))
                times.append(time.monotonic() - began)
    return lines, times


def without_id(line: str) -> object:
    """A chunk without what differs from call to call, and without the null that a provider puts where usage would be
    once it is asked for usage, which Loam always does."""
    if line == "[DONE]":
        return line
    chunk = json.loads(line)
    return {name: value for name, value in chunk.items() if name not in ("id", "created") and (name, value) != ("usage", None)}


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}], ids=["without usage", "with usage"])
def test_a_stream_is_the_providers_own_chunk_by_chunk(api, mock, ask, options):
    prompt = ask("Count to five.")
    through, _ = stream_lines(api, "mock/gpt-4o", prompt, **options)
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}], "stream": True} | options
    direct = httpx.post(f"{mock.base_url}/chat/completions", json=asked, trust_env=False)
    expected = [line.removeprefix("data: ") for line in direct.text.splitlines() if line.startswith("data: ")]
    assert [without_id(line) for line in through] == [without_id(line) for line in expected]


def test_chunks_are_forwarded_as_they_come(api, ask):
    lines, times = stream_lines(api, "slow/gpt-4o", ask("Count to five."))
    assert lines[-1] == "[DONE]"
    # The mock pauses 60 ms between chunks: were they held back, the first would come with the last.
    assert times[0] < times[-1] / 2
    assert len({round(moment, 2) for moment in times}) > len(times) / 2


def test_a_streamed_call_is_kept_with_the_time_of_its_first_token(api, ask):
    prompt = ask("Count to five.")
    body = {"model": "slow/gpt-4o", "messages": [{"role": "user", "content": prompt}], "stream": True}
    with api.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        call = answer.headers["x-loam-call-id"]
        answer.read()
    # Settled before its last byte was sent: there is nothing to wait for.
    row = api.get(f"/api/v1/llm_calls/{call}")
    assert row["state"] == "settled"
    assert row["streamed"] is True
    assert 0 < row["first_token_ms"] < row["latency_ms"]


def test_a_large_body_passes_whole(api, mock, ask):
    # The mock keeps no body of that size, but counts its tokens. Of a body beyond a megabyte Loam keeps the beginning.
    prompt = ask("A long one:") + "x" * 2_000_000
    answer = api.chat("mock/gpt-4o", prompt)
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": prompt}]}
    direct = httpx.post(f"{mock.base_url}/chat/completions", json=asked, timeout=60, trust_env=False).json()
    assert answer.json()["choices"] == direct["choices"]
    assert answer.json()["usage"] == direct["usage"]
    kept = api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")["request_data"]
    assert kept["truncated"] is True
    assert len(kept["text"]) == 1 << 20


def test_a_call_costs_what_the_price_list_says(api, ask):
    price = {"provider": "mock", "model": "gpt-4o-mini", "input_per_million": 2.5, "output_per_million": 10.0}
    answer = api.call("POST", "/api/v1/model_prices", json=price)
    assert answer.status_code in (201, 409), answer.text
    usage = (answer := api.chat("mock/gpt-4o-mini", ask("Say hello."))).json()["usage"]
    cost = float(api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")["cost_usd"])
    assert cost == pytest.approx(usage["prompt_tokens"] * 2.5e-6 + usage["completion_tokens"] * 10e-6, rel=1e-6)


def test_a_providers_error_keeps_its_status_and_says_which_provider_failed(api, mock):
    fault = {"type": "fail", "status": 503, "times": None, "match": {"model": "gpt-4o-mini", "path": "/v1/chat/completions"}}
    mock.script(fault)
    try:
        answer = api.chat("mock/gpt-4o-mini", "hello", expect=503)
    finally:
        mock.reset()
    assert "mock" in answer.json()["error"]["message"]
    row = api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")
    assert (row["state"], row["status_code"]) == ("failed", 503)
    assert row["error_message"]
