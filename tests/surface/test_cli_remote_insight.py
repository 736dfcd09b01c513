"""Commands for records, analyses, incidents, exports and keys, at a server."""

from __future__ import annotations

import json

import pytest

from services import LlMock
from support.api import Api, eventually
from support.command_line import at_server
from support.deployment import Deployment, add_usual_providers
from support.insight import ENDPOINT, LOOP, Watched, an_analysis, reply


@pytest.fixture(scope="module")
def watched(deployment: Deployment, mock: LlMock) -> Watched:
    """A project with one request, and a model for analyses."""
    add_usual_providers(deployment, mock)
    config = {"config_value": {"model": "mock/gpt-4o-mini"}}
    deployment.api.call("PUT", "/api/v1/system_config/insight.analysis", 200, json=config)
    made = Watched(deployment.api)
    made.send(rows=30)
    eventually(lambda: made.api.all("performance_records", project_id=made.id), 30)
    return made


@pytest.fixture
def run(deployment: Deployment):
    """Runs a command at the server; returns its JSON."""

    def at(*words: str) -> dict:
        done = at_server(deployment.loam.url, deployment.loam.key, *words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return at


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        pytest.param(("show", "RECORD"), "n_plus_one", id="show"),
        pytest.param(("show", "RECORD", "--json"), '"n_plus_one"', id="show-json"),
        pytest.param(("calls", "RECORD", "--limit", "2"), f"· {LOOP} ", id="calls"),
        pytest.param(("calls", "RECORD", "--json"), '"database"', id="calls-json"),
        pytest.param(("export", "RECORD"), f"{ENDPOINT};{LOOP};SELECT 610000\n", id="folded"),
        pytest.param(("export", "RECORD", "--format", "speedscope"), "www.speedscope.app", id="speedscope"),
        pytest.param(("export", "RECORD", "--json"), '"function_calls"', id="export-json"),
    ],
)
def test_a_record_is_printed_as_on_the_database(deployment, watched, words, shown):
    (record,) = watched.api.all("performance_records", project_id=watched.id)
    words = [record["id"] if word == "RECORD" else word for word in words]
    done = at_server(deployment.loam.url, deployment.loam.key, "record", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout
    assert done.stdout == deployment.loam.cli("record", *words).stdout
    if "--json" in words:
        json.loads(done.stdout)


def test_an_analysis_is_run_and_its_suggestion_decided(watched, mock, run):
    mock.script(reply(an_analysis(), times=None))
    begun = run("analysis", "run", "--project", watched.id, "--endpoint", ENDPOINT, "--app-version", "1.0")
    assert (begun["status"], begun["analysis_type"], begun["endpoint"]) == ("pending", "manual", ENDPOINT)
    done = eventually(lambda: (read := run("analysis", "show", begun["id"]))["status"] != "pending" and read, 30)
    assert (done["status"], done["analysis_results"]) == ("completed", an_analysis())
    again = run("analysis", "run", "--record", done["record_id"], "--model", "mock/gpt-4o")
    assert (again["record_id"], again["ai_service"]["model"]) == (done["record_id"], "mock/gpt-4o")
    (suggested,) = watched.api.all("suggestions", project_id=watched.id, source="model")
    assert run("suggestion", "set", suggested["id"], "accepted")["status"] == "accepted"
    assert run("suggestion", "show", suggested["id"])["status"] == "accepted"


def test_an_incident_is_acknowledged_and_resolved_by_the_key(deployment, watched, run):
    rule = {"project_id": watched.id, "name": "quiet", "metric": "request_rate", "comparison": "below", "threshold": 1000}
    rule = watched.api.create("alert_rules", rule)
    (event,) = eventually(lambda: watched.api.all("alert_events", rule_id=rule["id"]), 60)
    acknowledged = run("alert", "ack", event["id"])
    assert (acknowledged["state"], acknowledged["acknowledged_by"].split(":")[0]) == ("acknowledged", "api_key")
    resolved = run("alert", "resolve", event["id"])
    assert (resolved["state"], resolved["resolved_by"]) == ("resolved", acknowledged["acknowledged_by"])
    late = at_server(deployment.loam.url, deployment.loam.key, "alert", "ack", event["id"])
    assert (late.returncode, late.stdout, late.stderr.count("\n")) == (1, "", 1)
    assert "[already_resolved]" in late.stderr


def test_an_export_is_written_whole_or_not_at_all(deployment, api, tmp_path):
    user = api.create("users", {"username": "ann", "email": "ann@example.com"})["id"]
    session = api.create("chat_sessions", {"title": "remote", "user_id": user})["id"]
    api.create("messages", {"session_id": session, "role": "user", "content": "你好"})
    url, key = deployment.loam.url, deployment.loam.key

    def messages(text: str) -> list[str]:
        head, *rows, last = [json.loads(line) for line in text.splitlines()]
        assert head["format"] == "loam personal data export 1"
        assert last == {"rows": len(rows)}
        return [row["data"]["content"] for row in rows if row["place"] == "messages"]

    for subject in (("--user", user), ("--session", session)):
        printed = at_server(url, key, "export", *subject)
        assert (printed.returncode, printed.stderr) == (0, "")
        assert messages(printed.stdout) == messages(deployment.loam.cli("export", *subject).stdout) == ["你好"]
    file = tmp_path / "ann.jsonl"
    wrote = at_server(url, key, "export", "--user", user, "--output", str(file))
    rows = json.loads(file.read_text().splitlines()[-1])["rows"]
    assert (wrote.returncode, wrote.stdout, wrote.stderr) == (0, f"wrote {rows} rows\n", "")
    nobody = at_server(url, key, "export", "--end-user", "nobody")
    assert messages(nobody.stdout) == []
    refused = tmp_path / "refused.jsonl"
    reader = api.create("api_keys", {"name": "reader", "scopes": ["projects:read"]})["key"]
    eventually(lambda: at_server(url, reader, "project", "list").returncode == 0, 5)
    done = at_server(url, reader, "export", "--user", user, "--output", str(refused))
    assert "[missing_permission]" in done.stderr
    assert (done.returncode, done.stdout, refused.exists()) == (1, "", False)


def test_a_key_that_is_taken_over_outlives_its_creator(deployment, api, run):
    def create(owner: Api, name: str, *scopes: str) -> tuple[Api, dict]:
        made = owner.create("api_keys", {"name": name, "scopes": [*scopes, "projects:read"]})
        caller = Api(deployment.loam.url, made["key"])
        eventually(lambda: caller.call("GET", "/api/v1/projects").status_code == 200, 5)
        return caller, made

    creator, first = create(api, "creator", "api_keys:write")
    caller, kept = create(creator, "kept")
    lost, _ = create(creator, "lost")
    mine = api.get(f"/api/v1/api_keys/{first['id']}")["made_by"]
    assert run("key", "take-over", kept["id"])["made_by"] == mine
    api.call("DELETE", f"/api/v1/api_keys/{first['id']}", 204)
    eventually(lambda: lost.call("GET", "/api/v1/projects").status_code == 401, 5)
    assert caller.call("GET", "/api/v1/projects").status_code == 200
    assert deployment.loam.cli_json("key", "take-over", kept["id"])["made_by"] is None
    revoked = at_server(deployment.loam.url, deployment.loam.key, "key", "take-over", first["id"])
    assert (revoked.returncode, revoked.stdout) == (1, "")
    assert "[wrong_state]" in revoked.stderr
