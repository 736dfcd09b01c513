"""Client applications, unmodified: how each is started without a person, configured for Loam.

Each gets the task to read a note with a tool, and must say what it holds. `tests/clients/apps/NAME` pins it: npm
packages by a lock, Python packages by requirements; a Python library has a program `main.py` beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from .installed import setup_path

APPS = Path(__file__).parent.parent / "clients" / "apps"
MODELS = ["openai/gpt-4.1", "anthropic/claude-haiku-4-5", "anthropic/claude-opus-5"]
# OpenAI refuses `max_tokens` for them, and tools without `reasoning_effort`: clients of its format must know that.
ONLY_TRANSLATED = ["openai/gpt-5", "openai/gpt-5.4"]
# LlamaIndex accepts no model for Anthropic that it doesn't know: these routes have names that it knows.
CLAUDE_NAMES = {
    "openai/gpt-4.1": "claude-sonnet-4-6",
    "openai/gpt-5": "claude-opus-4-6",
    "openai/gpt-5.4": "claude-opus-4-7",
    "anthropic/claude-haiku-4-5": "claude-haiku-4-5",
    "anthropic/claude-opus-5": "claude-opus-5",
}
# No application may call anything but Loam; there is no proxy at this port.
NO_CALLS_HOME = {
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "NO_PROXY": "127.0.0.1,localhost",
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
}


@dataclass
class Run:
    """One run: where it is installed, where it runs, and what it talks to."""

    name: str
    installed: Path
    home: Path
    work: Path
    url: str
    key: str
    ingest_key: str
    model: str

    @property
    def task(self) -> str:
        return f"Read the note {self.work}/note.txt and tell me what it says."


@dataclass
class Application:
    """`endpoint` is the one that it calls, as Loam's ledger names it."""

    name: str
    endpoint: str
    command: Callable[[Run], list[str]]
    environment: Callable[[Run], dict[str, str]]
    files: Callable[[Run], dict[str, str]] = field(default=lambda _: {})
    timeout: float = 120
    # It reports its calls to Loam too.
    reports: bool = False
    # The routes that it calls the models by; by default `provider/model`.
    routes: dict[str, str] = field(default_factory=dict)


def node_package(run: Run, path: str) -> str:
    return str(run.installed / "node_modules" / path)


def codex(run: Run) -> list[str]:
    provider = f'{{name="Loam", base_url="{run.url}/v1", env_key="LOAM_API_KEY", wire_api="responses"}}'
    options = [f"model_providers.loam={provider}", 'model_provider="loam"', f'model="{run.model}"']
    program = node_package(run, "@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex")
    settings = [word for option in options for word in ("-c", option)]
    return [program, "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", *settings, run.task]


def claude_code(run: Run) -> list[str]:
    program = node_package(run, "@anthropic-ai/claude-code-linux-x64/claude")
    return [program, "--print", "--model", run.model, "--allowedTools", "Bash", "--", run.task]


def opencode(run: Run) -> list[str]:
    program = node_package(run, "opencode-linux-x64/bin/opencode")
    return [program, "run", "--model", f"loam/{run.model}", run.task]


def opencode_files(run: Run) -> dict[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{run.url}/v1", "apiKey": run.key},
        "models": {run.model: {"name": "A model of Loam"}},
    }
    return {"work/opencode.json": json.dumps({"provider": {"loam": provider}, "autoupdate": False, "share": "disabled"})}


def qwen_code(run: Run) -> list[str]:
    program = node_package(run, "@qwen-code/qwen-code/cli-entry.js")
    return [setup_path("node-bin"), program, "--auth-type", "openai", "--yolo", "--prompt", run.task]


def openai_settings(run: Run) -> dict[str, str]:
    base = f"{run.url}/v1"
    return {"OPENAI_BASE_URL": base, "OPENAI_API_BASE": base, "OPENAI_API_KEY": run.key, "OPENAI_MODEL": run.model}


def library(name: str, endpoint: str = "/chat/completions", **environment: str) -> Application:
    """A Python library with the program `main.py`."""

    def settings(run: Run) -> dict[str, str]:
        loam = {"ANTHROPIC_BASE_URL": f"{run.url}/anthropic", "API_KEY": run.key, "MODEL": run.model}
        return openai_settings(run) | loam | {"ENDPOINT": endpoint, "TASK": run.task} | environment

    def command(run: Run) -> list[str]:
        return [str(run.installed / "bin/python"), str(APPS / name / "main.py")]

    return Application(name, endpoint, command, settings)


def telemetry(name: str) -> Application:
    """A library that observes OpenAI's, with a program `main.py`."""
    plain = library(name)

    def settings(run: Run) -> dict[str, str]:
        otlp = f"{run.url}/otlp"
        exporter = {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}
        exporter["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer%20{run.ingest_key}"
        langfuse = {"LANGFUSE_HOST": run.url, "LANGFUSE_SECRET_KEY": run.ingest_key, "LANGFUSE_PUBLIC_KEY": "reader"}
        keys = {"OTLP": otlp, "INGEST_KEY": run.ingest_key, "OTEL_SDK_DISABLED": "false"}
        return plain.environment(run) | exporter | langfuse | keys

    return replace(plain, environment=settings, reports=True)


def llm(run: Run) -> list[str]:
    program = str(run.installed / "bin/llm")
    return [program, "--model", "loam", "--key", run.key, "--functions", str(APPS / "llm/tools.py"), run.task]


def llm_files(run: Run) -> dict[str, str]:
    model = {
        "model_id": "loam",
        "model_name": run.model,
        "api_base": f"{run.url}/v1",
        "supports_tools": True,
        "api_key_name": "loam",
    }
    return {"home/llm/extra-openai-models.yaml": json.dumps([model])}


def aider(run: Run) -> list[str]:
    program = str(run.installed / "bin/aider")
    words = ["--model", f"openai/{run.model}", "--read", "note.txt", "--chat-mode", "ask", "--message", run.task]
    quiet = "--yes-always --no-check-update --no-show-model-warnings --no-analytics --no-pretty --no-gitignore --map-tokens 0"
    return [program, *words, *quiet.split()]


def astrbot(endpoint: str) -> Application:
    """Its page is downloaded at the first start, unless it lies there in this version: the program calls what the page calls."""
    dashboard = {"dashboard": {"host": "127.0.0.1"}}
    version = next(
        line.partition("==")[2]
        for line in (APPS / "astrbot/requirements.txt").read_text().splitlines()
        if line.startswith("astrbot==")
    )
    files = {
        "work/.astrbot": "",
        "work/data/dist/assets/version": f"v{version}",
        "work/data/cmd_config.json": json.dumps(dashboard),
    }
    return replace(library("astrbot", endpoint), files=lambda _: files, timeout=240)


CLAUDE_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
}

CREWAI_QUIET = {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}

APPLICATIONS = [
    Application("codex", "/responses", codex, lambda run: {"LOAM_API_KEY": run.key}),
    Application(
        "claude-code",
        "/messages",
        claude_code,
        lambda run: (
            CLAUDE_QUIET
            | {"ANTHROPIC_BASE_URL": f"{run.url}/anthropic", "ANTHROPIC_AUTH_TOKEN": run.key}
            | {"ANTHROPIC_SMALL_FAST_MODEL": run.model, "ANTHROPIC_DEFAULT_HAIKU_MODEL": run.model}
        ),
    ),
    Application("opencode", "/chat/completions", opencode, lambda _: {"OPENCODE_DISABLE_MODELS_FETCH": "1"}, opencode_files),
    Application("qwen-code", "/chat/completions", qwen_code, openai_settings),
    Application("aider", "/chat/completions", aider, openai_settings),
    Application("llm", "/chat/completions", llm, lambda run: {"LLM_USER_PATH": f"{run.home}/llm"}, llm_files),
    library("litellm", LITELLM_LOCAL_MODEL_COST_MAP="True"),
    library("litellm", "/messages", LITELLM_LOCAL_MODEL_COST_MAP="True"),
    library("instructor"),
    library("instructor", "/messages"),
    library("pydantic-ai"),
    library("pydantic-ai", "/responses"),
    library("pydantic-ai", "/messages"),
    library("openai-agents"),
    library("openai-agents", "/responses"),
    library("dspy"),
    library("llama-index"),
    replace(library("llama-index", "/messages"), routes=CLAUDE_NAMES),
    library("semantic-kernel"),
    library("semantic-kernel", "/messages"),
    library("autogen"),
    library("autogen", "/messages"),
    library("crewai", **CREWAI_QUIET),
    library("crewai", "/messages", **CREWAI_QUIET),
    astrbot("/chat/completions"),
    astrbot("/messages"),
    telemetry("traceloop"),
    telemetry("openinference"),
    telemetry("logfire"),
    telemetry("langfuse"),
]


def models_for(application: Application) -> list[str]:
    """The models that it is tried with."""
    return MODELS if application.endpoint == "/chat/completions" else MODELS + ONLY_TRANSLATED
