"""Clients that are generated from the OpenAPI document: their types check, and they talk to a real server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services import LlMock
from support.deployment import Deployment, add_usual_providers, deploy
from support.installed import setup_path

HERE = Path(__file__).parent
PASSWORD = "a-long-enough-password-1"
MODEL = "mock/gpt-4o"


def run(*command: object, cwd: Path) -> str:
    """Runs a program; a failure shows all that it wrote."""
    path = os.pathsep.join([str(Path(setup_path("venv:clients")) / "bin"), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(cwd), "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def node(script: str, *arguments: object, cwd: Path) -> str:
    """Runs a program of an npm package, in a folder that has `node_modules`."""
    return run(setup_path("node-bin"), cwd / "node_modules" / script, *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def loam(mock: LlMock) -> Iterator[Deployment]:
    with deploy("sqlite") as made:
        add_usual_providers(made, mock)
        user = {"username": "ann", "email": "ann@example.com", "password": PASSWORD, "roles": ["admin"]}
        made.api.create("users", user)
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, loam: Deployment) -> Path:
    """A folder with the running server's document, the programs and the npm packages."""
    made = tmp_path_factory.mktemp("generated")
    (made / "openapi.json").write_text(loam.api.call("GET", "/openapi.json", 200).text)
    for source in HERE.iterdir():
        if source.suffix in (".ts", ".json", ".yaml") or source.name == "client.py":
            shutil.copy(source, made)
    (made / "node_modules").symlink_to(Path(setup_path("node:generated")) / "node_modules")
    return made


@pytest.fixture
def arguments(loam: Deployment) -> list[str]:
    return [loam.loam.url, "ann", PASSWORD, MODEL]


def check(output: str) -> None:
    """What a program read: every session on some page, a streamed answer, and an error."""
    read = json.loads(output)
    assert len(read["created"]) == 3
    assert set(read["created"]) <= set(read["listed"])
    assert len(read["listed"]) == len(set(read["listed"]))
    assert read["names"][0] == "started"
    assert read["names"][-1] == "ended"
    assert read["text"]
    assert read["tokens"] > 0
    assert read["question"] == "Count to three."
    assert read["error"] == {"status": 404, "code": "not_found"}


def test_a_typescript_client_compiles_and_talks_to_the_server(folder, arguments):
    node("openapi-typescript/bin/cli.js", "openapi.json", "--output", "api.ts", cwd=folder)
    node("typescript/bin/tsc", "--project", ".", cwd=folder)
    check(run(setup_path("node-bin"), "out/client.js", *arguments, cwd=folder))


def test_a_python_client_passes_mypy_and_talks_to_the_server(folder, arguments):
    generate = ["generate", "--path", "openapi.json", "--meta", "none", "--output-path", "loam_client"]
    config = ["--config", "openapi-python-client.yaml", "--fail-on-warning"]
    run("openapi-python-client", *generate, *config, cwd=folder)
    run("mypy", "--strict", "--cache-dir", ".mypy", "client.py", "loam_client", cwd=folder)
    check(run("python", "client.py", *arguments, cwd=folder))


def test_the_document_is_valid_openapi(folder):
    run("openapi-spec-validator", "openapi.json", cwd=folder)


def test_redocly_finds_nothing_that_is_not_explained(folder):
    node("@redocly/cli/bin/cli.js", "lint", "openapi.json", "--max-problems", "50", cwd=folder)
    report = json.loads(node("@redocly/cli/bin/cli.js", "lint", "openapi.json", "--format", "json", cwd=folder))
    assert report["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}, report["problems"][:20]
