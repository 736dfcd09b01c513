"""A server that speaks the service API of a Dify application, and counts what it served.

Written from Dify's documentation, pages "Send Chat Message" for chat and agent applications and for chat flows
(docs.dify.ai/api-reference/chats/send-chat-message, …/chatflows/send-chat-message), "Get Application Basic Information"
and "Get Application Parameters Information", and from the same text in Dify's source
(web/app/components/develop/template/template_chat.en.mdx).

What it answers follows from the question: `It is said that …`, with the question in it; a follow-up in a conversation
says how many questions came before. Faults are asked for in the question itself, or through `inputs`:

- `inputs.fail` is the code of an error, with the status that Dify's documentation gives it;
- `inputs.fail_after` is a number of chunks after which the stream has an `error` event;
- `inputs.cut_after` is a number of chunks after which the connection just ends;
- `inputs.replace` is a text that output moderation puts in the answer's place (`message_replace`).
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import threading
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .process import Process, free_port, http_ok, temporary_folder

KEY = "app-loam-test-key"

# "Errors" of the page, and what Dify's API answers to a wrong key and to too many requests.
ERRORS = {
    "invalid_param": (400, "Arg user must be provided."),
    "app_unavailable": (400, "App unavailable, please check your app configurations."),
    "provider_not_initialize": (400, "No valid model provider credentials found."),
    "provider_quota_exceeded": (400, "Your quota for Dify Hosted Model Provider has been exhausted."),
    "model_currently_not_support": (400, "Dify Hosted OpenAI trial currently not support the GPT-4 model."),
    "completion_request_error": (400, "Completion request failed."),
    "not_found": (404, "Conversation Not Exists."),
    "unauthorized": (401, "Access token is invalid"),
    "rate_limit_error": (429, "Rate Limit Error"),
    "internal_server_error": (500, "Internal server error"),
}


class Application:
    """One application, with its conversations and received requests."""

    def __init__(self, *, agent: bool, chunk_delay: float) -> None:
        self.agent = agent
        self.chunk_delay = chunk_delay
        self.conversations: dict[str, tuple[str, int]] = {}
        self.requests: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def answer(self, body: dict[str, Any]) -> tuple[str, str]:
        """The conversation and the answer; the question is refused with the code of an error."""
        user, conversation = body.get("user"), body.get("conversation_id") or ""
        well_formed = isinstance(body.get("query"), str) and isinstance(body.get("inputs"), dict)
        if not well_formed or not isinstance(user, str) or not user:
            raise LookupError("invalid_param")
        if body.get("response_mode") not in ("blocking", "streaming"):
            raise LookupError("invalid_param")
        if self.agent and body["response_mode"] == "blocking":
            # Dify's error for an agent: "Agent Chat App does not support blocking mode".
            raise LookupError("invalid_param")
        if body["inputs"].get("fail"):
            raise LookupError(body["inputs"]["fail"])
        with self.lock:
            if conversation and self.conversations.get(conversation, ("", 0))[0] != user:
                raise LookupError("not_found")
            conversation = conversation or str(uuid.uuid4())
            before = self.conversations.get(conversation, (user, 0))[1]
            self.conversations[conversation] = (user, before + 1)
        images = len(body.get("files") or [])
        extra = f" There are {images} images." if images else ""
        later = f" After {before} questions." if before else ""
        return conversation, f"It is said that {body['query']}{extra}{later}"


def usage(body: dict[str, Any], text: str) -> dict[str, Any]:
    """Words stand for tokens: whoever checks can count them too."""
    read, written = len(body["query"].split()), len(text.split())
    prices = {"prompt_unit_price": "0.001", "prompt_price_unit": "0.001", "completion_unit_price": "0.002"}
    prices |= {"completion_price_unit": "0.001", "total_price": "0.0012890", "currency": "USD", "latency": 0.01}
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written} | prices


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    application: Application

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is its own."""

    def send_json(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(data)

    def fail(self, code: str) -> None:
        status, message = ERRORS[code]
        self.send_json(status, {"code": code, "message": message, "status": status})

    def allowed(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {KEY}"

    def do_GET(self) -> None:
        if self.path == "/health":
            return self.send_json(200, {})
        if self.path == "/_served":
            with self.application.lock:
                return self.send_json(200, self.application.requests)
        if not self.allowed():
            return self.fail("unauthorized")
        if self.path == "/v1/info":
            mode = "agent-chat" if self.application.agent else "chat"
            info = {"name": "Loam's test", "description": "", "tags": [], "mode": mode, "author_name": "loam"}
            return self.send_json(200, info)
        if self.path == "/v1/parameters":
            upload = {"image": {"enabled": True, "number_limits": 3, "transfer_methods": ["remote_url", "local_file"]}}
            return self.send_json(200, {"opening_statement": "", "user_input_form": [], "file_upload": upload})
        return self.fail("not_found")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.allowed():
            return self.fail("unauthorized")
        if self.path != "/v1/chat-messages":
            return self.fail("not_found")
        record: dict[str, Any] = {"body": None, "completed": False}
        with self.application.lock:
            self.application.requests.append(record)
        try:
            body = record["body"] = json.loads(raw)
            conversation, text = self.application.answer(body)
        except ValueError:
            return self.fail("invalid_param")
        except LookupError as refused:
            return self.fail(str(refused.args[0]))
        message = {"task_id": str(uuid.uuid4()), "message_id": str(uuid.uuid4()), "conversation_id": conversation}
        message["created_at"] = int(time.time())
        metadata = {"usage": usage(body, text), "retriever_resources": []}
        if body["response_mode"] == "blocking":
            whole = {"event": "message", "id": message["message_id"], "mode": "chat", "answer": text, "metadata": metadata}
            self.send_json(200, message | whole)
        elif not self.stream(message, text, metadata, body["inputs"]):
            return None
        record["completed"] = True
        return None

    def stream(self, message: dict[str, Any], text: str, metadata: dict[str, Any], inputs: dict[str, Any]) -> bool:
        """The events of an answer; False when it broke off."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        kind = "agent_message" if self.application.agent else "message"
        self.chunk("event: ping\n\n")
        if self.application.agent:
            self.event(message, event="agent_thought", id=str(uuid.uuid4()), position=1, thought="", tool="", tool_input="")
        pieces = [text[at : at + 7] for at in range(0, len(text), 7)]
        for sent, piece in zip(itertools.count(), pieces):
            if sent == inputs.get("cut_after"):
                self.close_connection = True
                return False
            if sent == inputs.get("fail_after"):
                status, why = ERRORS["completion_request_error"]
                self.event(message, event="error", code="completion_request_error", message=why, status=status)
                break
            time.sleep(self.application.chunk_delay)
            self.event(message, event=kind, id=message["message_id"], answer=piece)
        else:
            if inputs.get("replace"):
                self.event(message, event="message_replace", answer=inputs["replace"])
            self.event(message, event="message_end", id=message["message_id"], metadata=metadata)
        self.chunk("")
        return True

    def event(self, message: dict[str, Any], **fields: Any) -> None:
        self.chunk(f"data: {json.dumps(message | fields)}\n\n")

    def chunk(self, text: str) -> None:
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def serve(port: int, *, agent: bool, chunk_delay: float) -> None:
    """Serve for ever."""
    Handler.application = Application(agent=agent, chunk_delay=chunk_delay)
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


class Dify:
    """An application at `.base_url`, opened by `.key`; an agent streams only."""

    key = KEY

    def __init__(self, *, agent: bool = False, chunk_delay_ms: int = 0) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.url}/v1"
        self._process = Process("dify", temporary_folder("dify"))
        code = "import sys; from services_kit.dify import serve; "
        code += "serve(int(sys.argv[1]), agent=sys.argv[2] == 'agent', chunk_delay=float(sys.argv[3]))"
        what = "agent" if agent else "chat"
        command = [sys.executable, "-c", code, str(self.port), what, str(chunk_delay_ms / 1000)]
        self._process.launch(command, env=_environment())
        self._process.wait_until(lambda: http_ok(f"{self.url}/health"), 30)

    def requests(self) -> list[dict[str, Any]]:
        """Every question that came with the right key, oldest first: its `body`, and whether it was answered
        (`completed`)."""
        with urllib.request.urlopen(f"{self.url}/_served", timeout=30) as answer:
            return json.load(answer)

    def close(self) -> None:
        # It has nothing to save.
        self._process.kill9()
        shutil.rmtree(self._process.folder, ignore_errors=True)

    def __enter__(self) -> Dify:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _environment() -> dict[str, str]:
    """The own one, and where this package is found."""
    return dict(os.environ) | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
