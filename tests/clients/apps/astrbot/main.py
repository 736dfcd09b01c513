"""AstrBot, driven through the API of its page: signs in, adds a provider and a model, and chats, streamed."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx

MESSAGES = os.environ["ENDPOINT"] == "/messages"
SOURCE = {
    "id": "loam",
    "provider": "anthropic" if MESSAGES else "openai",
    "type": "anthropic_chat_completion" if MESSAGES else "openai_chat_completion",
    "provider_type": "chat_completion",
    "enable": True,
    "key": [os.environ["API_KEY"]],
    "api_base": os.environ["ANTHROPIC_BASE_URL" if MESSAGES else "OPENAI_BASE_URL"],
    "timeout": 60,
}


def ask(page: httpx.Client, method: str, path: str, **request):
    answer = page.request(method, f"/api{path}", **request).raise_for_status().json()
    if answer["status"] != "ok":
        sys.exit(f"{path}: {answer['message']}")
    return answer["data"]


def sign_in(page: httpx.Client, process: subprocess.Popen) -> None:
    login = {"username": "astrbot", "password": hashlib.md5(b"astrbot").hexdigest()}
    while process.poll() is None:
        try:
            page.headers["authorization"] = f"Bearer {ask(page, 'POST', '/auth/login', json=login)['token']}"
            return
        except httpx.ConnectError:
            time.sleep(0.2)
    sys.exit("AstrBot did not start")


def chat(page: httpx.Client) -> str:
    model = os.environ["MODEL"]
    ask(page, "POST", "/config/provider_sources/update", json={"original_id": "loam", "config": SOURCE})
    offered = ask(page, "GET", "/config/provider_sources/models", params={"source_id": "loam"})["models"]
    if model not in offered:
        sys.exit(f"{model} is not among the models: {offered}")
    ask(page, "POST", "/config/provider/new", json={"id": model, "provider_source_id": "loam", "model": model, "enable": True})
    session = ask(page, "GET", "/chat/new_session")["session_id"]
    message = [{"type": "plain", "text": os.environ["TASK"]}]
    request = {"message": message, "session_id": session, "selected_provider": model, "selected_model": model}
    said = ""
    with page.stream("POST", "/api/chat/send", json=request | {"enable_streaming": True}) as answer:
        for line in answer.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
            if event.get("type") == "plain" and event.get("streaming") and not event.get("chain_type"):
                said += event["data"]
            if event.get("type") == "end":
                break
    return said


with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
command = [Path(sys.executable).with_name("astrbot"), "run", "--port", str(port)]
with subprocess.Popen(command) as process:
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as page:
            sign_in(page, process)
            print(chat(page))
    finally:
        process.kill()
