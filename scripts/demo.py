#!/usr/bin/env python3
"""Loam with a real model behind it, and nothing to sign up for: chat with it in two minutes.

Starts a language model of 135 M parameters on this machine (its wheel holds it; nothing is fetched), starts
target/release/loam on its embedded database, registers the model as provider `local`, and prints how to talk to it.
Ctrl-C stops both. The key is kept in DATA/demo.key, so that it stays the same from one start to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from services_kit import RealModel, ServiceError
from services_kit.process import http_ok

ROOT = Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/release/loam"


def demo_key(folder: Path) -> str:
    """The key of earlier starts, or a new one that only this user can read."""
    file = folder / "demo.key"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(f"loam_demo{secrets.token_hex(20)}\n")
    return file.read_text().strip()


def request(method: str, url: str, key: str, body: dict | None = None) -> dict:
    """One call of Loam's API."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers, method=method), timeout=30) as answer:
        return json.load(answer)


def register(url: str, key: str, model: RealModel) -> None:
    """Enter the model as provider `local`, or tell the one of an earlier start its new port."""
    config = {"base_url": model.base_url, "api_key": "not-needed", "models": [model.model]}
    providers = request("GET", f"{url}/api/v1/ai_providers?limit=200", key)["data"]
    known = [each["id"] for each in providers if each["name"] == "local"]
    if known:
        request("PATCH", f"{url}/api/v1/ai_providers/{known[0]}", key, {"config": config, "is_active": True})
        return
    body = {"name": "local", "kind": "openai", "display_name": "SmolLM2 135M on this machine", "config": config}
    request("POST", f"{url}/api/v1/ai_providers", key, body)


EXAMPLES = """
Loam is at {url}, with a real model behind it. Paste one of these into another terminal:

  curl -N {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "local/{model}", "stream": true, "messages": [{{"role": "user", "content": "Tell me about loam."}}]}}'

  python3 -m venv /tmp/loam-client && /tmp/loam-client/bin/pip install -q openai && /tmp/loam-client/bin/python - <<'END'
  from openai import OpenAI
  client = OpenAI(base_url="{url}/v1", api_key="{key}")
  for chunk in client.chat.completions.create(
      model="local/{model}", messages=[{{"role": "user", "content": "Tell me about loam."}}], stream=True
  ):
      print(chunk.choices[0].delta.content or "", end="", flush=True)
  END

Every call was kept:

  curl -s {url}/api/v1/llm_calls -H 'Authorization: Bearer {key}'
  target/release/loam call list --data {data}

Ctrl-C stops both.
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--listen", default="127.0.0.1:8790")
    options.add_argument("--data", type=Path, default=Path("data/demo"))
    chosen = options.parse_args()
    url = f"http://{chosen.listen}"
    key = demo_key(chosen.data)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Also where a shell started us in the background and had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if http_ok(f"{url}/healthz"):
        raise ServiceError(f"something answers at {url} already: stop it, or choose another address with LISTEN=127.0.0.1:PORT")
    print("starting the model and Loam …", flush=True)
    with RealModel(threads=max(1, (os.cpu_count() or 2) // 2)) as model:
        command = [str(BINARY), "serve", "--listen", chosen.listen, "--data", str(chosen.data)]
        # The model is on this machine, which Loam reaches only where its network is named.
        command += ["--allow-network", "127.0.0.0/8"]
        # In our own session: a Ctrl-C reaches it directly, and it drains.
        server = subprocess.Popen(command, env=os.environ | {"LOAM_BOOTSTRAP_KEY": key})
        try:
            deadline = time.monotonic() + 60
            while not http_ok(f"{url}/readyz"):
                if server.poll() is not None:
                    return server.returncode or 1
                if time.monotonic() > deadline:
                    raise ServiceError(f"Loam did not get ready at {url} within 60 s")
                time.sleep(0.05)
            register(url, key, model)
            print(EXAMPLES.format(url=url, key=key, model=model.model, data=chosen.data), flush=True)
            return server.wait()
        finally:
            if server.poll() is None:
                server.terminate()
                server.wait(30)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(0)
    except urllib.error.HTTPError as error:
        sys.exit(f"demo: {error} {error.read().decode(errors='replace')}")
    except (ServiceError, OSError) as error:
        sys.exit(f"demo: {error}")
