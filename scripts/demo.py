#!/usr/bin/env python3
"""Loam with a real model behind it, and nothing to sign up for: chat with it in two minutes.

Starts a language model of 135 M parameters on this machine (its wheel holds it; nothing is fetched), starts
target/quick/loam as `make run` does, registers the model as provider `local` and as the target of route `chat`, and
prints how to talk to it. Ctrl-C stops both.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from services_kit import RealModel, ServiceError
from services_kit.process import http_ok

BINARY = Path("target/quick/loam")
ALIAS = "chat"


def command(data: Path, *words: str, stdin: str | None = None) -> str:
    """Run a command of Loam on the data folder; gives its output."""
    # The model is on this machine, which Loam reaches only where its network is named.
    call = [str(BINARY), *words, "--data", str(data), "--allow-network", "127.0.0.0/8"]
    done = subprocess.run(call, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(done.stderr.strip())
    return done.stdout


def register(data: Path, model: RealModel) -> None:
    """Enter the model as provider `local`, or give the one of an earlier start its new port; and as `chat`, unless that
    is taken."""
    config = json.dumps({"base_url": model.base_url, "api_key": "not-needed", "models": [model.model]})
    if "local" in command(data, "provider", "list", "--limit", "1000", "--field", "name").split():
        command(data, "provider", "update", "local", "--active", "true", "--config", "-", stdin=config)
    else:
        command(data, "provider", "create", "--name", "local", "--kind", "openai", "--config", "-", stdin=config)
    if ALIAS not in command(data, "route", "list", "--limit", "1000", "--field", "alias").split():
        command(data, "route", "create", "--alias", ALIAS, "--target", f"local/{model.model}")


EXAMPLES = """
Loam is at {url}, with a real model behind it: local/{model}, or `{alias}`.
Paste this into another terminal in the same folder:

  export PATH="$PWD/target/quick:$PATH" LOAM_DATA={data}
  export LOAM_KEY=$(loam key create --name demo --scope '*' --field key)
  curl -N {url}/v1/chat/completions \\
    -H "Authorization: Bearer $LOAM_KEY" -H 'Content-Type: application/json' \\
    -d '{{"model": "{alias}", "stream": true, "messages": [{{"role": "user", "content": "Tell me about loam."}}]}}'
  loam call list

README.md has more, from "Chat" on. Ctrl-C stops both.
"""


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--listen", default="127.0.0.1:8790")
    options.add_argument("--data", type=Path, default=Path("data"))
    chosen = options.parse_args()
    url = f"http://{chosen.listen}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # Also where a shell started us in the background and had it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if http_ok(f"{url}/healthz"):
        raise ServiceError(f"something answers at {url} already: stop it, or choose another address with LISTEN=127.0.0.1:PORT")
    print("starting the model and Loam …", flush=True)
    with RealModel(threads=max(1, (os.cpu_count() or 2) // 2)) as model:
        serve = [str(BINARY), "serve", "--listen", chosen.listen, "--data", str(chosen.data)]
        # In our own session: a Ctrl-C reaches it directly, and it drains.
        server = subprocess.Popen([*serve, "--allow-network", "127.0.0.0/8"])
        try:
            deadline = time.monotonic() + 60
            while not http_ok(f"{url}/readyz"):
                if server.poll() is not None:
                    return server.returncode or 1
                if time.monotonic() > deadline:
                    raise ServiceError(f"Loam did not get ready at {url} within 60 s")
                time.sleep(0.05)
            register(chosen.data, model)
            print(EXAMPLES.format(url=url, model=model.model, alias=ALIAS, data=chosen.data), flush=True)
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
    except (ServiceError, OSError) as error:
        sys.exit(f"demo: {error}")
