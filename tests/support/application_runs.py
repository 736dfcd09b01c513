"""Runs client applications over strict providers, and checks what came of it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services import Loam, Strict

from .api import Api, eventually
from .applications import CLAUDE_NAMES, MODELS, NO_CALLS_HOME, ONLY_TRANSLATED, Application, Run
from .installed import setup_path


@dataclass
class Outcome:
    """What a run left: `secret` is what the note holds."""

    output: str
    secret: str
    code: int | None


def start(application: Application, loam: Loam, ingest_key: str, model: str) -> Outcome:
    """Runs it in a folder of its own with a home of its own."""
    folder = Path(tempfile.mkdtemp(prefix=f"loam-{application.name}-"))
    try:
        installed = Path(setup_path(f"app:{application.name}"))
        name = application.routes.get(model, model)
        run = Run(application.name, installed, folder / "home", folder / "work", loam.url, loam.key, ingest_key, name)
        run.home.mkdir()
        run.work.mkdir()
        secret = f"pear-{secrets.token_hex(4)}"
        (run.work / "note.txt").write_text(f"The word is {secret}.\n")
        for name, content in application.files(run).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        subprocess.run(["git", "init", "-q", run.work], check=True)
        environment = {"PATH": os.environ["PATH"], "HOME": str(run.home), "TERM": "dumb", "LANG": "C.UTF-8"}
        environment |= NO_CALLS_HOME | application.environment(run)
        try:
            done = subprocess.run(
                application.command(run),
                cwd=run.work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=application.timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
            return Outcome(said.decode(errors="replace") if isinstance(said, bytes) else said, secret, None)
        return Outcome(done.stdout, secret, done.returncode)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def prepare(loam: Loam, upstream: Strict) -> tuple[Api, str]:
    """The strict providers, of kind `openai` and `anthropic`: Loam's API, and the key of a project for telemetry."""
    api = Api(loam.url, loam.key)
    offered = lambda kind: [each.split("/")[1] for each in MODELS + ONLY_TRANSLATED if each.startswith(kind)]  # noqa: E731
    config = {"base_url": upstream.base_url, "models": offered("openai"), "responses": "translated"}
    api.create("ai_providers", {"name": "openai", "kind": "openai", "config": config})
    config = {"base_url": upstream.url, "models": offered("anthropic")}
    api.create("ai_providers", {"name": "anthropic", "kind": "anthropic", "config": config})
    for target, alias in CLAUDE_NAMES.items():
        provider, model = target.split("/")
        api.create("model_routes", {"alias": alias, "targets": [{"provider": provider, "model": model}]})
    return api, api.create("projects", {"name": "reader"})["ingest_key"]


def check(api: Api, upstream: Strict, application: Application, outcome: Outcome) -> list[str]:
    """What is wrong with a run; forgets the upstream's requests."""
    said = "\n".join(outcome.output.splitlines()[-30:])
    problems = [f"refused: {each}" for each in upstream.refusals()]
    if outcome.code != 0:
        problems.append(f"it {'did not end in time' if outcome.code is None else f'ended with {outcome.code}'}:\n{said}")
    elif outcome.secret not in outcome.output:
        problems.append(f"it did not say what the note holds:\n{said}")
    arrived = len(upstream.requests)
    upstream.requests.clear()

    def recorded() -> list[dict[str, Any]]:
        calls = api.all("llm_calls", limit=200)
        new = [call for call in calls if call["id"] not in _seen]
        assert new, "no call is in the ledger"
        made = sum(call["source"] == "gateway" for call in new)
        assert made >= arrived, f"{made} calls in the ledger, but {arrived} reached the provider"
        assert all(call["state"] != "open" for call in new), "a call has not ended"
        reported = [call for call in new if call["trace_id"]]
        assert reported or not application.reports, "no call has a trace, and none was reported"
        return new

    try:
        new = eventually(recorded)
    except AssertionError as error:
        return [*problems, str(error)]
    _seen.update(call["id"] for call in new)
    calls = [call for call in new if call["source"] == "gateway"]
    problems += [
        f"{call['endpoint']} {call['state']} {call['status_code']}: {call['error_message']}"
        for call in calls
        if call["state"] != "settled" or not call["prompt_tokens"] or not call["completion_tokens"]
    ]
    if not any(call["endpoint"] == application.endpoint for call in calls):
        problems.append(f"no call of {application.endpoint} in the ledger: {[call['endpoint'] for call in calls]}")
    return problems


_seen: set[str] = set()
