"""A tenant that misbehaves in many ways at once, and another whose work is measured meanwhile.

Everything is bounded: the number of threads, requests and sockets, until the block ends.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from .api import Api
from .chat import jsonl
from .chat import send as bring_in
from .platforms import Platform, Receiver, open_channel
from .telemetry import PATH, record, sender
from .telemetry import send as ingest

_numbers = itertools.count(1)


class Tarpit:
    """Accepts every connection, and sends a byte per second of a response head that never ends."""

    def __init__(self, most: int = 500) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(0.2)
        self._taken: list[socket.socket] = []
        self._most = most
        self._over = threading.Event()
        self.seen = 0
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._accept, self._drip)]
        for thread in self._threads:
            thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                taken, _ = self._listener.accept()
                self.seen += 1
                self._taken.append(taken)
                if len(self._taken) > self._most:
                    self._taken.pop(0).close()

    def _drip(self) -> None:
        while not self._over.wait(1):
            for each in list(self._taken):
                with contextlib.suppress(OSError):
                    each.setblocking(False)
                    each.send(b"H")

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()
        for each in self._taken:
            each.close()

    def __enter__(self) -> Tarpit:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class NoisyNeighbor:
    """`with NoisyNeighbor(api, tarpit):` the tenant of `api` misbehaves."""

    def __init__(self, api: Api, tarpit: Tarpit, *, deliveries: int = 40, imports: int = 6, threads: int = 4) -> None:
        self.api = api
        self.tarpit = tarpit
        self.platform = open_channel(api, f"tarpit-{next(_numbers)}", tarpit.url, auto_reply=False)
        config = {"base_url": f"{tarpit.url}/v1", "api_key": "sk-none", "models": ["m"]}
        api.create("ai_providers", {"name": "tarpit", "kind": "openai", "config": config})
        self.sending, _ = sender(api, f"flood-{next(_numbers)}")
        self._deliveries, self._imports, self._each = deliveries, imports, threads
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.done: dict[str, int] = {}

    def __enter__(self) -> NoisyNeighbor:
        for number in range(self._deliveries):
            # One chat each, because deliveries of one chat wait for each other.
            self.platform.say("hello", f"chat-{number}")
            path = f"/api/v1/channels/{self.platform.channel}/send"
            self.api.call("POST", path, 201, json={"chat_id": f"chat-{number}", "text": "never taken"})
        kinds: list[Callable[[], None]] = [self._trickle] * self._imports
        for kind in (self._flood, self._call, self._turn, self._list):
            kinds += [kind] * self._each
        self._threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)

    def pending(self) -> int:
        """Its undelivered deliveries, which are all of them."""
        return len(self.api.all("webhook_deliveries", state="pending"))

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1

    def _client(self, api: Api | None = None) -> httpx.Client:
        headers = {"authorization": f"Bearer {(api or self.api).key}"}
        return httpx.Client(base_url=self.api.url, headers=headers, timeout=5, trust_env=False, verify=False)

    def _trickle(self) -> None:
        """An import that sends a line now and then, and never ends."""
        at = urlsplit(self.api.url)
        head = (
            f"POST /api/v1/chat_sessions/import?mode=resumable HTTP/1.1\r\nhost: {at.netloc}\r\n"
            f"authorization: Bearer {self.api.key}\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        while not self._over.is_set():
            with contextlib.suppress(OSError), socket.create_connection((at.hostname, at.port), timeout=5) as line:
                line.sendall(head.encode())
                self._count("imports")
                while not self._over.wait(0.5):
                    line.sendall(b"1\r\n\n\r\n")

    def _flood(self) -> None:
        """Batches that take long to decompress and parse."""
        with self._client(self.sending) as http:
            while not self._over.is_set():
                batch = {"records": [record(str(uuid.uuid4()), calls=400) for _ in range(20)]}
                body = gzip.compress(json.dumps(batch).encode(), 1)
                headers = {"content-type": "application/json", "content-encoding": "gzip"}
                for _ in range(5):
                    with contextlib.suppress(httpx.HTTPError):
                        http.post(PATH, content=body, headers=headers)
                        self._count("batches")

    def _call(self) -> None:
        """Calls to an unresponsive provider, cancelled and repeated by the client."""
        while not self._over.is_set():
            with contextlib.suppress(httpx.HTTPError), self._client() as http:
                body = {"model": "tarpit/m", "messages": [{"role": "user", "content": "word " * 2000}], "stream": True}
                http.post("/v1/chat/completions", json=body, timeout=1)
            self._count("calls")

    def _turn(self) -> None:
        """Turns that wait for that provider."""
        with self._client() as http:
            while not self._over.is_set():
                with contextlib.suppress(httpx.HTTPError):
                    answer = http.post("/api/v1/chat_sessions", json={"model": "tarpit/m"})
                    if answer.status_code == 201:
                        self._count("turns")
                        path = f"/api/v1/chat_sessions/{answer.json()['id']}/turns"
                        http.post(path, json={"content": "word " * 500}, timeout=0.5)

    def _list(self) -> None:
        """Expensive lists and aggregates."""
        paths = ("llm_calls?limit=200", "performance_records?limit=200", "messages?limit=200", "audit_logs?limit=200")
        with self._client() as http:
            for path in itertools.cycle(paths):
                if self._over.is_set():
                    return
                with contextlib.suppress(httpx.HTTPError):
                    http.get(f"/api/v1/{path}")
                    self._count("lists")


@dataclass
class Victim:
    """The other tenant. Operations of each kind run one at a time and are timed; a rejection fails."""

    api: Api
    receiver: Receiver
    model: str
    times: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.platform: Platform = open_channel(self.api, f"well-{next(_numbers)}", self.receiver.url, auto_reply=False)
        self.platform.say("hello")
        self.sending, _ = sender(self.api, f"watched-{next(_numbers)}")

    def round(self) -> None:
        """One operation of each kind."""
        for kind in ("delivery", "import", "ingest", "call", "list"):
            began = time.monotonic()
            getattr(self, f"_{kind}")()
            self.times.setdefault(kind, []).append(time.monotonic() - began)

    def _delivery(self) -> None:
        before = len(self.receiver.taken)
        path = f"/api/v1/channels/{self.platform.channel}/send"
        self.api.call("POST", path, 201, json={"chat_id": "chat-1", "text": f"number {before}"})
        deadline = time.monotonic() + 60
        while len(self.receiver.taken) == before:
            assert time.monotonic() < deadline, "the delivery was held up for a minute by another tenant's"
            time.sleep(0.002)

    def _import(self) -> None:
        bring_in(self.api, jsonl([{"type": "session", "external_id": str(uuid.uuid4()), "title": "brought in"}]), 200)

    def _ingest(self) -> None:
        ingest(self.sending, [record(str(uuid.uuid4()), calls=20)])

    def _call(self) -> None:
        self.api.chat(self.model, "hello", 200)

    def _list(self) -> None:
        self.api.get("/api/v1/llm_calls", limit=50)


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def figures(alone: dict[str, list[float]], beside: dict[str, list[float]]) -> str:
    """One line per kind of work: median and 99th percentile without and with the misbehaviour, and their ratio."""
    rows = ["kind        alone p50 / p99 ms     beside p50 / p99 ms    p99 ratio"]
    for kind, before in alone.items():
        after = beside[kind]
        one, two = (tuple(quantile(each, share) * 1000 for share in (0.5, 0.99)) for each in (before, after))
        rows.append(
            f"{kind:<10} {one[0]:8.1f} / {one[1]:8.1f}   {two[0]:8.1f} / {two[1]:8.1f}   {two[1] / max(one[1], 0.1):6.2f}"
        )
    return "\n".join(rows)
