"""The mock model server that can fail on demand and counts what it served: PyPI's `llmock`."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.request
from pathlib import Path
from typing import Any

from .process import Process, free_port, http_ok, temporary_folder


class LlMock:
    """`llmock serve`: OpenAI's wire format at `.base_url`, driven over HTTP at `/_llmock/…`.

    Faults (`script`) are objects with a `type`, consumed by the next matching requests:

    - `{"type": "fail", "status": 429, "retry_after": 1}`: an error instead of an answer;
    - `{"type": "delay", "seconds": 0.5}`, `{"type": "slow_first_token", "seconds": 0.5}`;
    - `{"type": "stream_fault", "kind": K, "after_chunks": 3}` with K one of `disconnect` (the connection drops),
      `truncate` (the stream ends early but cleanly: no finish reason, no usage, no `[DONE]`), `malformed` (a chunk
      that is no JSON), `stall` (`stall_seconds`);
    - `{"type": "reply", "text": "…"}`, `{"type": "reply", "tool_calls": [{"name": …, "arguments": {…}}]}`.

    Each takes `"times": N`, or null for ever, and `"match": {"model": "glob*", "path": …, "stream": true}`: one per
    category (fail, delay, stream fault, reply) is applied to a request, the first that matches. A permanent fault
    bound to a model's name makes that model a broken one, whatever order requests come in.

    Its own count (`requests`) is a record for each request that arrived whole: `path`, `model`, `stream`, `status`,
    `fault`, `completed` (false when the answer was cut, by a fault or by the client), `chunks_sent`, and the `body`
    as received (up to 256 KiB; headers are not kept). It holds the last 10,000; `reset` empties it and drops the
    faults. The same prompt always gets the same text, offered tools are called unless a tool's result is there,
    a JSON schema is obeyed, and usage is sent in a stream only to who asks for it (`stream_options.include_usage`).
    """

    def __init__(self, *, chunk_delay_ms: int = 0, latency_ms: int = 0) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/v1"
        self._process = Process("llmock", temporary_folder("llmock"))
        command = [str(Path(sys.executable).with_name("llmock")), "serve", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--log-level", "error", "--response-style", "varied"]
        command += ["--stream-chunk-delay-ms", str(chunk_delay_ms), "--latency-ms", str(latency_ms)]
        self._process.launch(command)
        self._process.wait_until(lambda: http_ok(f"{self.url}/health"), 30)

    def script(self, *behaviors: dict[str, Any]) -> None:
        """Queue faults and replies."""
        self._admin("POST", "scenario", {"behaviors": list(behaviors)})

    def requests(self) -> list[dict[str, Any]]:
        """Every request served so far, oldest first; waits up to 2 s for those still being answered."""
        return self._admin("GET", "requests")["requests"]

    def reset(self) -> None:
        """Forget the requests and the faults."""
        self._admin("POST", "reset")

    def _admin(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_llmock/{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def close(self) -> None:
        # Uvicorn waits for open connections at SIGTERM; a mock has nothing to save.
        self._process.kill9()
        shutil.rmtree(self._process.folder, ignore_errors=True)

    def __enter__(self) -> LlMock:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
