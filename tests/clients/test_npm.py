"""npm's `openai`, `ai` and `@ai-sdk/openai-compatible`, unmodified, each case in its own Node process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.installed import setup_path

pytestmark = pytest.mark.one_database

HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """Node, and a folder in which the scripts find their packages (ES modules are resolved relative to the script)."""
    program = setup_path("node-bin")
    assert os.access(program, os.X_OK), "the npm clients are not installed: python3 scripts/setup.py node"
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(Path(setup_path("node")) / "node_modules")
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    return program, folder


@pytest.fixture
def run(node, loam):
    def call(script: str, case: str, model: str, prompt: str = "") -> dict:
        program, folder = node
        environment = {
            "PATH": os.environ["PATH"],
            "BASE_URL": loam.loam.base_url,
            "API_KEY": loam.loam.key,
            "MODEL": model,
            "PROMPT": prompt,
            "AI_SDK_LOG_WARNINGS": "false",
        }
        done = subprocess.run(
            [program, folder / script, case], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return call


def test_openai_gets_a_response(run, model, ask):
    response = run("openai.mjs", "chat", model, ask("Say hello."))
    assert response["text"]
    assert response["usage"]["total_tokens"] > 0


def test_openai_streams(run, model, ask):
    response = run("openai.mjs", "stream", model, ask("Count to five."))
    assert response["text"]
    assert response["chunks"] > 2
    assert response["usageSeen"] is False


def test_openai_gets_structured_output(run, model, ask):
    response = run("openai.mjs", "structured", model, ask("Anna is 31 years old. Give her name and age."))
    assert isinstance(response["parsed"]["age"], int)


def test_openai_calls_tools(run, ask):
    assert run("openai.mjs", "tools", "mock/gpt-4o", ask("What is the weather in Paris?"))["tool"] == "get_weather"


def test_openai_embeds(run, ask):
    # This client asks for base64 by default and reads either form.
    assert run("openai.mjs", "embeddings", "mock/text-embedding-3-small", ask("hello"))["dimensions"] == 1536


def test_openai_lists_models(run):
    assert "mock/gpt-4o" in run("openai.mjs", "models", "")["ids"]


def test_the_ai_sdk_gets_a_response(run, model, ask):
    response = run("ai.mjs", "chat", model, ask("Say hello."))
    assert response["text"]
    assert response["totalTokens"] > 0


def test_the_ai_sdk_streams(run, model, ask):
    response = run("ai.mjs", "stream", model, ask("Count to five."))
    assert response["text"]
    assert response["chunks"] > 2
    assert response["totalTokens"] > 0


def test_the_ai_sdk_gets_structured_output(run, model, ask):
    response = run("ai.mjs", "structured", model, ask("Anna is 31 years old. Give her name and age."))
    assert isinstance(response["object"]["age"], (int, float))


def test_the_ai_sdk_runs_a_tool_to_the_end(run, ask):
    response = run("ai.mjs", "tools", "mock/gpt-4o", ask("What is the weather in Paris?", calls=2))
    assert response["ran"] == ["get_weather"]
    assert response["text"]
