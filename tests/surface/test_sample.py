"""`loam db sample` and `loam db clean`: consistent sample data that is removed completely."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import datetime

import pytest

from support.api import assert_error, eventually

UNTIL = "2026-11-01"
TABLES = [
    "chat_sessions",
    "turns",
    "messages",
    "llm_calls",
    "tool_calls",
    "usage_stats",
    "users",
    "user_preferences",
    "projects",
    "ai_providers",
    "model_prices",
]
# What the server makes by jobs after a project or a tenant is made, and removes by jobs after a project is deleted.
BY_JOBS = ["performance_records", "call_trees", "record_functions", "error_logs", "ai_analysis_results"]
WITH_PROJECTS = ["endpoint_stats", "function_stats", "alert_rules", "alert_events"]
SUMS = """SELECT granularity, sum(calls), sum(errors), sum(estimated), sum(orphaned), sum(prompt_tokens), sum(completion_tokens),
    sum(total_tokens), sum(cached_tokens), sum(cost_nano_usd) FROM usage_stats WHERE tenant_id = {tenant} GROUP BY granularity"""
RECOUNT = """SELECT count(*), sum(CASE state WHEN 'failed' THEN 1 ELSE 0 END), sum(CASE state WHEN 'estimated' THEN 1 ELSE 0 END),
    sum(CASE state WHEN 'orphaned' THEN 1 ELSE 0 END), sum(coalesce(prompt_tokens, 0)), sum(coalesce(completion_tokens, 0)),
    sum(coalesce(total_tokens, 0)), sum(coalesce(cached_tokens, 0)), sum(coalesce(cost_nano_usd, 0))
    FROM llm_calls WHERE tenant_id = {tenant}"""


class Place:
    """A sample tenant: by command line, API and database."""

    def __init__(self, deployment, slug: str) -> None:
        self.deployment, self.slug, self.loam = deployment, slug, deployment.loam
        self.api = deployment.tenant(slug)
        self.id = self.api.get("/api/v1/session")["tenant_id"]

    def sample(self, *words: str) -> dict:
        # no address of this machine or network is allowed, as by default
        allowed = ["--allow-network", "192.0.2.0/24"]
        return self.loam.cli_json("db", "sample", "--tenant", self.slug, "--until", UNTIL, *allowed, *words)

    def clean(self) -> dict:
        return self.loam.cli_json("db", "clean", "--tenant", self.slug, "--yes")

    def sql(self, statement: str) -> list[tuple]:
        if self.deployment.database == "sqlite":
            tenant = f"X'{self.id.replace('-', '')}'"
            with closing(sqlite3.connect(self.deployment.loam.data / "loam.db", timeout=10)) as connection, connection:
                return connection.execute(statement.format(tenant=tenant)).fetchall()
        rows = self.deployment.postgres.execute(statement.format(tenant=f"'{self.id}'"), self.deployment.database_name)
        return [tuple(int(value) if str(value).isdigit() else value for value in row) for row in rows]

    def rows(self, tables: list[str] = TABLES) -> dict[str, int]:
        return {table: self.sql(f"SELECT count(*) FROM {table} WHERE tenant_id = {{tenant}}")[0][0] for table in tables}

    def transcripts(self) -> list[list[tuple[str, str]]]:
        """The texts of each conversation, which are the same in every run."""
        lines = self.loam.cli("session", "export", "--tenant", self.slug).stdout.splitlines()
        said: list[list[tuple[str, str]]] = []
        for line in map(json.loads, lines):
            if line["type"] == "session":
                said.append([])
            elif line["type"] == "message":
                said[-1].append((line["role"], line["content"]))
        return said


@pytest.fixture
def place(deployment, name) -> Place:
    made = Place(deployment, name("sampled"))
    eventually(lambda: made.api.all("ai_providers"))
    return made


def test_as_many_are_made_as_were_asked_for_and_the_database_is_sound(place):
    checked = place.loam.cli("db", "check", check=False).stdout
    made = place.sample("--messages", "1234", "--months", "3")
    rows = place.rows()
    assert made["messages"] == rows["messages"] == 1234
    for told, table in [
        ("sessions", "chat_sessions"),
        ("turns", "turns"),
        ("llm_calls", "llm_calls"),
        ("tool_calls", "tool_calls"),
    ]:
        assert made[told] == rows[table] > 0
    assert made["users"] == rows["users"]
    gaps = """SELECT count(*) FROM (SELECT session_id FROM messages WHERE tenant_id = {tenant} GROUP BY session_id
        HAVING count(*) <> max(sequence_number) OR min(sequence_number) <> 1) AS broken"""
    assert place.sql(gaps)[0][0] == 0
    miscounted = """SELECT count(*) FROM chat_sessions s WHERE tenant_id = {tenant} AND message_count <>
        (SELECT count(*) FROM messages m WHERE m.tenant_id = s.tenant_id AND m.session_id = s.id)"""
    assert place.sql(miscounted)[0][0] == 0
    assert place.loam.cli("db", "check", check=False).stdout == checked


def test_sums_equal_a_recount(place):
    place.sample("--sessions", "150", "--months", "4")
    ((*calls,),) = place.sql(RECOUNT)
    assert calls[0] > 500
    assert min(calls[1:]) > 0, "some fail, some are cut, some cost"
    sums = {granularity: tuple(found) for granularity, *found in place.sql(SUMS)}
    assert sums == dict.fromkeys(("minute", "hour", "day"), tuple(calls))


def test_the_same_seed_says_the_same_and_another_says_something_else(deployment, name):
    first, same, other = (Place(deployment, name("seeded")) for _ in range(3))
    for place, seed in [(first, "7"), (same, "7"), (other, "8")]:
        place.sample("--sessions", "30", "--seed", seed)
    assert first.transcripts() == same.transcripts()
    assert first.transcripts() != other.transcripts()


def test_conversations_read_like_real_ones_in_both_languages(place):
    place.sample("--sessions", "200", "--months", "6")
    sessions = place.api.all("chat_sessions")
    assert len(sessions) == 200
    languages = Counter(session["metadata"]["language"] for session in sessions)
    assert min(languages["zh"], languages["en"]) > 40
    assert len({session["metadata"]["domain"] for session in sessions}) == 5
    months = {session["created_at"][:7] for session in sessions}
    assert len(months) >= 6
    assert all(session["last_activity"] <= UNTIL for session in sessions)
    lengths = [session["message_count"] for session in sessions]
    assert min(lengths) <= 2
    assert max(lengths) > 25
    longest = max(sessions, key=lambda session: session["message_count"])
    messages = place.api.all("messages", session_id=longest["id"], order="asc")
    assert [message["sequence_number"] for message in messages] == list(range(1, longest["message_count"] + 1))
    assert [message["parent_id"] for message in messages[1:]] == [message["id"] for message in messages[:-1]]
    assert messages[0]["role"] == "user"
    assert not any("{" in message["content"] and "}" in message["content"] for message in messages if message["role"] == "user")
    times = [datetime.fromisoformat(message["created_at"]) for message in messages]
    assert times == sorted(times)


def test_what_is_made_belongs_together(place):
    place.sample("--sessions", "120")
    api = place.api
    users = {user["id"] for user in api.all("users")}
    projects = {project["id"] for project in api.all("projects")}
    providers = {provider["id"]: provider for provider in api.all("ai_providers")}
    assert not any(provider["is_active"] for provider in providers.values())
    for session in api.all("chat_sessions"):
        assert session["user_id"] in users
        assert session["project_id"] in projects
        assert session["provider_id"] in providers
    session = next(session for session in api.all("chat_sessions") if session["message_count"] > 3)
    answers = api.all("messages", session_id=session["id"], role="assistant")
    call = api.get(f"/api/v1/llm_calls/{answers[0]['llm_call_id']}")
    assert call["session_id"] == session["id"]
    assert call["provider"] == providers[session["provider_id"]]["name"]
    held = api.get(f"/api/v1/users/{session['user_id']}/preferences")["data"]
    assert {"ai_settings", "notification_prefs"} <= {preference["key"] for preference in held}


def test_the_applications_are_monitored(place):
    made = place.sample("--sessions", "200")
    api = place.api
    assert made["performance_records"] == place.rows(["performance_records"])["performance_records"] > 300
    logs = [row for row in api.all("api_logs") if row["user_agent"] == "sample/1.0"]
    assert made["api_logs"] == len(logs) == 400
    desk = next(row for row in api.all("projects") if row["name"].startswith("Support"))["id"]
    period = {"project_id": desk, "from": "2026-10-17T00:00:00Z", "to": f"{UNTIL}T00:00:00Z"}
    endpoints = {row["endpoint"] for row in api.get("/api/v1/endpoint_stats", **period)["data"]}
    assert endpoints == {"POST /chat", "GET /customers/{id}/orders", "POST /documents", "GET /customers/{id}"}
    slow = api.all("performance_records", **period, endpoint="GET /customers/{id}/orders", version="1.4.0")
    record = max(slow, key=lambda row: row["performance_metrics"]["total_duration"])
    findings = {finding["rule"] for finding in api.get(f"/api/v1/performance_records/{record['id']}")["findings"]}
    assert "n_plus_one" in findings
    assert api.all("function_calls", record_id=record["id"])
    assert api.all("error_logs", project_id=desk)
    incidents = api.all("alert_events")
    assert len(incidents) == made["alert_events"] == 10
    assert {incident["state"] for incident in incidents} == {"resolved"}
    analyses = api.all("ai_analysis_results")
    assert len(analyses) == made["ai_analysis_results"] == 3
    assert {rule["name"] for rule in api.all("alert_rules", project_id=desk)} == {"response_time", "error_rate", "memory_usage"}


def test_nothing_is_made_twice(place):
    place.sample("--sessions", "5")
    before = place.rows()
    done = place.loam.cli("db", "sample", "--tenant", place.slug, "--sessions", "5", check=False)
    assert done.returncode == 1
    assert "db clean" in done.stderr
    assert place.rows() == before


def test_cleaning_takes_the_sample_and_nothing_else(place):
    api = place.api
    user = api.create("users", {"username": "real", "email": "real@example.com"})["id"]
    api.call("PUT", f"/api/v1/users/{user}/preferences/theme", 200, json={"value": "dark"})
    mine = api.create("chat_sessions", {"title": "a real one", "user_id": user, "metadata": {"sample": True}})
    said = api.create("messages", {"session_id": mine["id"], "role": "user", "content": "keep this"})
    before = place.rows()
    made = place.sample("--sessions", "60")
    sampled = next(each for each in api.all("chat_sessions") if each["id"] != mine["id"] and each["status"] == "active")
    api.create("messages", {"session_id": sampled["id"], "role": "user", "content": "added by somebody"})
    assert len(api.all("chat_sessions", user_id=sampled["user_id"])) > 0
    gone = place.clean()
    assert gone["sessions"] == made["sessions"]
    assert gone["messages"] == made["messages"] + 1
    assert gone["llm_calls"] == made["llm_calls"]
    assert gone["tool_calls"] == made["tool_calls"] > 0
    assert gone["api_logs"] == made["api_logs"]
    assert place.rows() == before
    assert not any(place.rows(WITH_PROJECTS).values())
    eventually(lambda: not any(place.rows(BY_JOBS).values()), 30)
    assert api.get(f"/api/v1/messages/{said['id']}")["content"] == "keep this"
    assert place.clean() == dict.fromkeys(gone, 0)
    assert place.sample("--sessions", "3")["sessions"] == 3


def test_cleaning_takes_messages_of_sessions_that_are_not_there(place):
    """Messages whose session row was lost, so that nobody can access them."""
    place.sample("--sessions", "20")
    one = "SELECT id FROM chat_sessions WHERE tenant_id = {tenant} ORDER BY message_count DESC LIMIT 1"
    lost = place.sql(f"DELETE FROM chat_sessions WHERE tenant_id = {{tenant}} AND id = ({one}) RETURNING message_count")
    orphans = lost[0][0]
    gone = place.clean()
    assert (gone["sessions"], gone["orphans"]) == (19, orphans)
    assert place.rows()["messages"] == 0


def test_nothing_is_removed_unless_somebody_says_so(place):
    place.sample("--sessions", "3")
    before = place.rows()
    done = place.loam.cli("db", "clean", "--tenant", place.slug, check=False)
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert place.rows() == before


@pytest.mark.parametrize(
    "words",
    [
        ("--sessions", "0"),
        ("--messages", "0"),
        ("--sessions", "1", "--messages", "1"),
        ("--months", "0"),
        ("--until", "yesterday"),
    ],
)
def test_wrong_sizes_are_refused(deployment, words):
    assert deployment.loam.cli("db", "sample", *words, check=False).returncode == 2


def test_the_future_is_not_made_up(deployment):
    done = deployment.loam.cli("db", "sample", "--until", "2999-01-01", check=False)
    assert done.returncode == 1
    assert "--until" in done.stderr


def test_a_sample_turn_is_shown_and_has_no_stream(place):
    place.sample("--sessions", "2")
    [session, *_] = place.api.all("chat_sessions")
    turns = f"/api/v1/chat_sessions/{session['id']}/turns"
    turn = next(row for row in place.api.get(turns)["data"] if row["state"] == "completed")
    assert place.api.get(f"{turns}/{turn['id']}")["message"]["content"]
    assert place.api.call("GET", f"{turns}/{turn['id']}/stream", 204).content == b""
    for used in place.api.all("tool_calls"):
        owner = place.api.get(f"/api/v1/chat_sessions/{used['session_id']}")["user_id"]
        assert used["user_id"] == owner


def test_a_sample_provider_can_not_be_called(place):
    place.sample("--sessions", "2")
    assert_error(place.api.chat("sample-openai/gpt-4o", "hello", expect=None), 404)
