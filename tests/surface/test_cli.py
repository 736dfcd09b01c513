"""The command line: tables for people, JSON for programs, reliable exit codes."""

from __future__ import annotations

import json
import subprocess

import pytest

from services import LlMock
from support.api import Api, eventually
from support.deployment import Deployment, add_usual_providers


@pytest.fixture(scope="module")
def made(deployment: Deployment, mock: LlMock) -> Deployment:
    """With a provider, and one recorded call."""
    add_usual_providers(deployment, mock)
    deployment.api.chat("mock/gpt-4o", "hello from the command line's test")
    return deployment


def rows(value: object) -> list[dict]:
    """A list, whether bare or as a page."""
    return value["data"] if isinstance(value, dict) else value


def test_a_tenant_is_created_with_its_first_key(made, name):
    slug = name("cli")
    answer = made.loam.cli_json("tenant", "create", "--slug", slug, "--name", "Command Line")
    assert answer["slug"] == slug
    key = answer["api_key"]["key"]
    mine = Api(made.loam.url, key)
    mine.create("projects", {"name": "by-its-first-key"})
    assert slug in [row["slug"] for row in rows(made.loam.cli_json("tenant", "list"))]


def test_a_key_is_created_listed_and_revoked(made, name):
    called = name("ci")
    answer = made.loam.cli_json("key", "create", "--name", called, "--scope", "gateway:call", "--scope", "projects:read")
    mine = Api(made.loam.url, answer["key"])
    eventually(lambda: mine.call("GET", "/api/v1/projects").status_code == 200, 2)
    assert mine.call("GET", "/api/v1/users").status_code == 403
    listed = {row["id"]: row for row in rows(made.loam.cli_json("key", "list"))}
    assert listed[answer["id"]]["name"] == called
    assert "key" not in listed[answer["id"]]
    made.loam.cli("key", "revoke", answer["id"])
    eventually(lambda: mine.call("GET", "/api/v1/projects").status_code == 401, 2)
    assert made.loam.cli("key", "revoke", "01890000-0000-7000-8000-000000000000", check=False).returncode != 0


def test_a_user_is_created_and_listed(made, name):
    called = name("cliuser")
    words = ["user", "create", "--username", called, "--email", f"{called}@example.com", "--password-stdin"]
    answer = made.loam.cli_json(*words, "--external-id", f"app-{called}", stdin="a-long-enough-password-2\n")
    assert (answer["username"], answer["external_id"]) == (called, f"app-{called}")
    assert answer["has_password"] is True
    assert "password" not in answer
    assert "a-long-enough-password-2" not in json.dumps(answer)
    assert "argon2" not in json.dumps(answer)
    assert called in [row["username"] for row in rows(made.loam.cli_json("user", "list"))]


def test_a_provider_is_created_and_listed_without_its_secret(made, mock, name):
    called = name("cliprovider")
    config = json.dumps({"base_url": mock.base_url, "api_key": "sk-from-the-command-line", "models": ["gpt-4o"]})
    made.loam.cli_json("provider", "create", "--name", called, "--kind", "openai", "--config", config)
    listing = made.loam.cli("provider", "list", "--json").stdout
    assert called in listing
    assert "sk-from-the-command-line" not in listing
    # at once: a name that the server does not know may just have been created
    made.api.chat(f"{called}/gpt-4o", "hello")


def test_calls_are_listed_and_shown(made):
    def listed() -> dict | None:
        """Calls of other tests are listed too, and a call is listed within a second, not at once."""
        calls = [made.loam.cli_json("call", "show", row["id"]) for row in rows(made.loam.cli_json("call", "list"))[:5]]
        ours = [call for call in calls if "hello from the command line's test" in json.dumps(call["request_data"])]
        return ours[0] if ours else None

    assert eventually(listed)["state"] == "settled"
    assert made.loam.cli("call", "show", "01890000-0000-7000-8000-000000000000", check=False).returncode != 0


@pytest.mark.parametrize("words", [("tenant", "list"), ("user", "list"), ("key", "list"), ("provider", "list"), ("call", "list")])
def test_people_get_a_table(made, words):
    text = made.loam.cli(*words).stdout
    assert len(text.splitlines()) >= 2, text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    with pytest.raises(ValueError):
        json.loads(text)


def test_people_see_a_new_tenants_key_on_a_line_of_its_own(made, name):
    text = made.loam.cli("tenant", "create", "--slug", name("shown")).stdout
    keys = [line.split()[-1] for line in text.splitlines() if "loam_" in line and "prefix" not in line]
    assert len(keys) == 1, text
    Api(made.loam.url, keys[0]).get("/api/v1/projects")


def test_the_databases_state_is_told(made):
    status = made.loam.cli_json("db", "status")
    assert "pending" in json.dumps(status)
    assert made.loam.cli("db", "check").returncode == 0


def test_the_schema_is_printed_for_either_database(made):
    for dialect in ("sqlite", "postgres"):
        text = made.loam.cli("db", "schema", dialect).stdout
        assert "CREATE TABLE" in text.upper()
        assert "llm_calls" in text
    assert "PARTITION BY" in made.loam.cli("db", "schema", "postgres").stdout.upper()


def test_the_document_is_the_servers_own(made):
    printed = json.loads(made.loam.cli("openapi").stdout)
    served = made.api.get("/openapi.json")
    assert printed["paths"] == served["paths"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_printed(made, shell):
    script = made.loam.cli("completions", shell).stdout
    assert "loam" in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize("words", [("no-such-command",), ("tenant",), ("tenant", "create"), ("key", "list", "--no-such-flag")])
def test_wrong_use_exits_with_2_and_says_how(made, words):
    done = made.loam.cli(*words, check=False)
    assert done.returncode == 2
    assert "Usage" in done.stderr


@pytest.mark.parametrize("words", [("key", "list", "--limit", "0"), ("call", "list", "--state", "no"), ("db", "schema", "no")])
def test_a_wrong_value_exits_with_2_and_names_what_it_was_for(made, words):
    done = made.loam.cli(*words, check=False)
    assert done.returncode == 2
    assert f"'{words[-1]}'" in done.stderr
    assert ("DIALECT" if "schema" in words else words[-2]) in done.stderr


def test_a_refused_command_exits_with_1_and_says_why(made):
    done = made.loam.cli("tenant", "create", "--slug", "default", "--name", "Again", check=False)
    assert done.returncode == 1
    assert "default" in done.stderr
    assert done.stdout == ""


def test_help_and_version_answer(made):
    assert "serve" in made.loam.cli("--help").stdout
    assert made.loam.cli("--version").stdout.startswith("loam ")


def test_a_taken_name_is_refused_in_words(made, name):
    called = name("taken")
    for words in (
        ["provider", "create", "--name", called, "--kind", "openai", "--config", '{"api_key": "x"}'],
        ["project", "create", "--name", called],
        ["role", "create", "--name", called, "--permission", "projects:read"],
        ["tenant", "create", "--slug", called, "--name", called],
        ["price", "create", "--provider", called, "--model", "m", "--input", "1", "--output", "2"],
    ):
        made.loam.cli(*words)
        done = made.loam.cli(*words, check=False)
        assert done.returncode == 1
        assert "already" in done.stderr
        assert "constraint" not in done.stderr, done.stderr
        assert "database" not in done.stderr, done.stderr
