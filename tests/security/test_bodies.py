"""Request bodies that attack time or memory: by structure, size, rate or number."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time

import httpx
import pytest

from support.api import Api, assert_error
from support.deployment import deploy
from support.hostile import rss_mb, within

LOGIN = "/api/v1/login"
MIB = 1 << 20
# What took seconds or minutes takes milliseconds; a slow machine has all the room it wants.
SOON = 20


def evil(size: int) -> bytes:
    """A NUL at the end, behind a list below a name as long as the half of it."""
    return b'{"%s":[%s0],"z":"\\u0000"}' % (b"k" * (size // 2), b"0," * (size // 5))


def test_the_body_of_a_log_in_is_small(deployment):
    for body in (evil(MIB), b'{"username":"' + b"a" * 17_000 + b'"}'):
        assert_error(httpx.post(deployment.loam.url + LOGIN, content=body, trust_env=False), 413, "body_too_large")
    with socket.create_connection(("127.0.0.1", deployment.loam.port), timeout=SOON) as client:
        client.sendall(head("POST", LOGIN, 20 * MIB))
        assert client.recv(12) == b"HTTP/1.1 413", "what says that it is too large need not be waited for"


def test_what_a_route_takes_goes_by_the_route(tenant):
    assert_error(tenant.call("POST", "/api/v1/projects", json={"name": "a" * 2 * MIB}), 413, "body_too_large")
    assert_error(tenant.call("POST", "/api/v1/messages", json={"name": "a" * 2 * MIB}), 400)


@pytest.mark.parametrize(
    ("path", "size", "code"),
    [
        ("/api/v1/projects", 900_000, "invalid_value"),
        ("/v1/traces", 8 * MIB, None),
        ("/api/v1/messages", 3 * MIB, "invalid_value"),
    ],
)
def test_a_nul_is_found_in_the_time_that_reading_takes(deployment, tenant, path, size, code):
    project = tenant.create("projects", {"name": "watched"})["id"] if path == "/v1/traces" else ""
    headers = {"authorization": f"Bearer {tenant.key}", "content-type": "application/json", "x-loam-project": project}
    began = time.monotonic()
    answers: list[httpx.Response] = []

    def attack() -> None:
        with httpx.Client(base_url=tenant.url, headers=headers, timeout=600, trust_env=False) as http:
            answers.append(http.post(path, content=evil(size)))

    threads = [threading.Thread(target=attack) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert httpx.get(f"{deployment.loam.url}/healthz", timeout=SOON, trust_env=False).text == "ok"
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < SOON
    for answer in answers:
        if path == "/v1/traces":
            assert (answer.status_code, answer.json()) == (200, {}), "fields that OTLP doesn't have are skipped"
            continue
        error = assert_error(answer, 400, code)
        assert "NUL" in error["message"]
        assert len(answer.content) < 2_000, "an error doesn't repeat a megabyte"


def test_what_unfolds_in_memory_is_refused(deployment, tenant):
    before = rss_mb(deployment.loam.process.pid)
    for values in (b"0," * 9 * MIB, b"{}," * 6 * MIB):
        body = b'{"session_id":"x","content":"x","metadata":{"a":[' + values + b"0]}}"
        assert_error(
            tenant.call("POST", "/api/v1/messages", content=body, headers={"content-type": "application/json"}),
            413,
            "too_many_values",
        )
    grown = rss_mb(deployment.loam.process.pid) - before
    assert grown < 150, f"took {grown:.0f} MB"


def test_an_error_is_short(tenant):
    answer = tenant.call("POST", "/api/v1/projects", json={"name": "fine", "k" * 500_000: 1})
    assert_error(answer, 400)
    assert len(answer.content) < 2_000


def head(method: str, path: str, length: int, **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: loam", "content-type: application/json", f"content-length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_body_that_drips_ends():
    """Each pause is short; it is the whole that takes too long."""
    with (
        deploy("sqlite", env={"LOAM_SERVER__READ_TIMEOUT": "2"}) as made,
        socket.create_connection(("127.0.0.1", made.loam.port), timeout=0.2) as client,
    ):
        client.sendall(head("POST", LOGIN, 16_000))
        answer, sent = b"", 0
        while not answer and sent < 200:
            client.sendall(b" ")
            sent += 1
            with contextlib.suppress(TimeoutError):
                answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert b"body_too_slow" in answer
        assert sent > 3, "a pause alone was short enough"


def test_one_tenant_can_not_take_all_the_room():
    with deploy("sqlite", env={"LOAM_SERVER__BODY_BUDGET_BYTES": str(4 * MIB)}) as made:
        greedy, other, third = made.tenant("greedy"), made.tenant("other"), made.tenant("third")
        held = [withhold(made.loam.port, greedy, MIB // 2) for _ in range(4)]
        assert within(20, lambda: body_bytes(made.api) >= 2 * MIB)
        big = {"model": "none", "messages": [{"role": "user", "content": "a" * (MIB - 1000)}]}
        answer = greedy.call("POST", "/v1/chat/completions", json=big)
        assert_error(answer, 429, "too_many_bodies")
        assert int(answer.headers["retry-after"]) >= 1
        assert_error(other.call("POST", "/v1/chat/completions", json=big), (400, 404))
        # Log-ins aren't refused for what others send.
        assert_error(httpx.post(made.loam.url + LOGIN, json={"username": "a", "password": "b"}, trust_env=False), 401)
        held += [withhold(made.loam.port, other, MIB // 2) for _ in range(4)]
        assert within(20, lambda: body_bytes(made.api) >= 4 * MIB)
        answer = third.call("POST", "/v1/chat/completions", json=big)
        assert_error(answer, 503, "too_many_bodies")
        assert int(answer.headers["retry-after"]) >= 1
        for client in held:
            client.close()
        assert within(20, lambda: body_bytes(made.api) == 0)
        assert_error(greedy.call("POST", "/v1/chat/completions", json=big), (400, 404))


def withhold(port: int, api: Api, size: int) -> socket.socket:
    """A call whose last byte doesn't come."""
    client = socket.create_connection(("127.0.0.1", port), timeout=SOON)
    client.sendall(head("POST", "/v1/chat/completions", size + 1, authorization=f"Bearer {api.key}") + b" " * size)
    return client


def body_bytes(api: Api) -> int:
    lines = api.call("GET", "/metrics", 200).text.splitlines()
    return int(float(next(line for line in lines if line.startswith("loam_body_bytes ")).split()[1]))


def test_an_import_with_an_idempotency_key_is_read_piece_by_piece(deployment, tenant):
    """Its first line is wrong: that is answered before the rest is there."""
    with socket.create_connection(("127.0.0.1", deployment.loam.port), timeout=SOON) as client:
        path = "/api/v1/chat_sessions/import?mode=resumable"
        asked = head("POST", path, 30 * MIB, authorization=f"Bearer {tenant.key}", idempotency_key="k")
        client.sendall(asked + b'{"type":"nothing"}\n' * 8_000)
        assert client.recv(12) == b"HTTP/1.1 400"


def test_a_repeated_import_is_recognised_by_its_beginning_and_length(tenant, name):
    def line(title: str) -> bytes:
        return json.dumps({"type": "session", "external_id": title, "system_prompt": "a" * 400}).encode() + b"\n"

    def send(body: bytes) -> httpx.Response:
        return tenant.call("POST", "/api/v1/chat_sessions/import", content=body, headers={"idempotency-key": key})

    key = name("import")
    whole = b"".join(line(f"{n:03}") for n in range(400))
    assert len(whole) > 128 * 1024
    first, again = send(whole), send(whole)
    assert first.status_code == again.status_code == 200, first.text
    assert (again.headers.get("idempotent-replayed"), again.json()) == ("true", first.json())
    assert len(tenant.all("chat_sessions")) == 400
    assert_error(send(line("xxx") + whole[len(line("000")) :]), 409, "idempotency_key_reused")
    assert_error(send(whole + line("more")), 409, "idempotency_key_reused")
