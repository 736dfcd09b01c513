"""Erased personal data is removed everywhere: a planted word is searched in files, tables and responses."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import psycopg
import pytest

from support.api import Api, assert_error, eventually
from support.conversation import Chat
from support.planted import plant_job, write
from support.platforms import open_channel
from support.telemetry import record, send, sender

_numbers = itertools.count(1)
MODEL = "mock/gpt-4o"
RECORDS = "/api/v1/system_config/records.api_logs"
ALL = {"sampling": {"writes": 1, "reads": 1, "calls": 1, "errors": 1}, "bodies": True}
PASSWORD = "a-long-enough-password-1"
# A deletion looks again after two minutes for what was recorded late.
LATE = 140


class Person:
    """Somebody of a tenant, with a word that is nowhere but in what is theirs."""

    def __init__(self, api: Api) -> None:
        self.api = api
        number = f"{next(_numbers)}{os.urandom(3).hex()}"
        self.word = f"zq{os.urandom(6).hex()}"
        self.name = f"person-{number}"
        self.external = f"ext-{number}-person"
        new = {"username": self.name, "email": f"{self.word}@example.com", "password": PASSWORD, "external_id": self.external}
        self.id = api.create("users", new | {"full_name": f"{self.word} Brown", "metadata": {"note": self.word}})["id"]

    @property
    def names(self) -> list[str]:
        """What may be found nowhere any more."""
        return [self.word, self.name, self.external]

    def say_everywhere(self) -> None:
        """The word goes in by every door."""
        api, word, mine = self.api, self.word, {"user_id": self.id}
        said = {"role": "user", "content": f"call {word}"}
        calls = [
            ("/v1/chat/completions", {"model": MODEL, "messages": [said], "user": self.external}),
            ("/v1/chat/completions", {"model": MODEL, "messages": [said], "safety_identifier": self.external}),
            (
                "/anthropic/v1/messages",
                {"model": MODEL, "max_tokens": 9, "messages": [said], "metadata": {"user_id": self.external}},
            ),
        ]
        for path, body in calls:
            api.call("POST", path, 200, json=body)
        api.call("POST", "/v1/chat/completions", json={"model": "mock/none", "messages": [said], "user": self.external})
        chat = Chat(api, MODEL, title=f"title {word}", system_prompt=f"prompt {word}", metadata={"note": word}, **mine)
        chat.set("metadata_note", word)
        chat.ask(f"question {word}")
        chat.stream(f"streamed {word}")
        api.create("messages", {"session_id": chat.id, "role": "user", "content": f"message {word}"})
        header = {"x-loam-session-id": chat.id}
        api.call("POST", "/v1/chat/completions", 200, json={"model": MODEL, "messages": [said]}, headers=header)
        tool = {"function": {"name": "lookup"}, "execution": {"kind": "http", "url": "http://127.0.0.1:9/"}}
        api.call("PUT", f"{chat.path}/tools", 200, json={"tools": [tool]})
        api.call("POST", f"{chat.path}/tools/test", 200, json={"name": "lookup", "arguments": {"q": word}})
        other = api.create("chat_sessions", {"title": "of a group"})["id"]
        in_group = {"session_id": other, "role": "user", "content": f"group {word}", "sender_id": self.id}
        api.create("messages", in_group)
        api.call("PUT", f"/api/v1/users/{self.id}/preferences/favourite", 200, json={"value": word})
        again = {"idempotency-key": f"again-{next(_numbers)}"}
        api.create("chat_sessions", {"title": f"again {word}"} | mine, headers=again)
        lines = [
            {"type": "session", "external_id": f"in-{self.name}", "user_external_id": self.external, "title": f"in {word}"},
            {"type": "message", "session": f"in-{self.name}", "role": "user", "content": f"imported {word}"},
        ]
        body = "\n".join(json.dumps(line) for line in lines)
        api.call("POST", "/api/v1/chat_sessions/import", 200, content=body, headers={"content-type": "application/x-ndjson"})
        api.create("api_keys", {"name": f"key {word}", "scopes": ["gateway:call"]} | mine)
        api.call("GET", f"/api/v1/users?username={self.name}", 200)
        api.call("GET", f"/api/v1/messages/{self.id}", 404, headers={"user-agent": f"agent {word}"})
        key, _ = sender(api, f"app-{next(_numbers)}")
        request = {"method": "GET", "path": f"/users/{self.id}", "query_params": {"q": word}}
        send(key, [record(request_info=request, calls=1), record(colour=word, request_info=request)], 207)
        self.tell_spans(key)

    def tell_spans(self, key: Api) -> None:
        """Spans of a call of a model that the application made for the person."""
        now = time.time_ns()
        trace = os.urandom(16).hex()

        def value(text: str) -> dict[str, Any]:
            return {"stringValue": text}

        asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"span {self.word}"}]}])
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "gpt-4o",
            "enduser.id": self.external,
            "gen_ai.input.messages": asked,
            "note": self.word,
        }
        pairs = [{"key": name, "value": value(text)} for name, text in attributes.items()]
        span = {
            "traceId": trace,
            "spanId": os.urandom(8).hex(),
            "name": "chat gpt-4o",
            "kind": 3,
            "startTimeUnixNano": str(now - 10**9),
            "endTimeUnixNano": str(now),
            "attributes": pairs,
        }
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        key.call("POST", "/otlp/v1/traces", 200, json=body)

    def write_by_channel(self) -> str:
        """A message of another platform, whose sender is a user of their own; gives the channel's name."""
        name = f"channel-{next(_numbers)}"
        platform = open_channel(self.api, name, "http://127.0.0.1:9/", auto_reply=False, provision_users=True)
        platform.say(f"channel {self.word}", f"chat-{self.name}", sender={"id": self.name, "name": self.word})
        return name


def erase(api: Api, subject_type: str, subject: str) -> dict[str, Any]:
    """An erasure, completed; the receipt."""
    wanted = {"subject": {"type": subject_type, "id": subject}}
    made = api.call("POST", "/api/v1/erasures", 202, json=wanted).json()["id"]
    return completed(api, made)


def completed(api: Api, erasure: str) -> dict[str, Any]:
    eventually(lambda: api.get(f"/api/v1/erasures/{erasure}")["state"] == "completed", 90)
    return api.get(f"/api/v1/erasures/{erasure}/receipt")


def settle(api: Api, word: str) -> None:
    """Waits until what was sent is in the database: six answered calls, a refused one, and one that a span reports."""
    eventually(lambda: len(api.all("llm_calls")) == 8, 30)
    eventually(lambda: api.all("rejected_records"), 30)
    eventually(lambda: any(word in str(row) for row in api.all("api_logs")), 30)
    eventually(lambda: api.all("performance_records"), 30)


def exported(api: Api, **of: str) -> list[dict[str, Any]]:
    answer = api.call("GET", "/api/v1/exports", 200, params=of)
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert lines[-1] == {"rows": len(lines) - 2}
    return lines[1:-1]


def files_with(folder: Path, words: list[str]) -> list[str]:
    """The files that hold one of the words, also where their bytes are compressed each by itself: those are tables'."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [f"{path.relative_to(folder)}: {word}" for word in words if word.encode() in content]
    return found


def rows_with(deployment: Any, words: list[str]) -> list[str]:
    """Rows of any table that hold one of the words, packed or not."""
    found = []
    for table, row in every_row(deployment):
        for cell in row:
            text = opened(cell)
            found += [f"{table}: {word}: {text[:300]!r}" for word in words if word.encode() in text]
    return found


def no_row_with(deployment: Any, word: str) -> bool:
    assert rows_with(deployment, [word]) == []
    return True


def every_row(deployment: Any):
    if deployment.database == "sqlite":
        with closing(sqlite3.connect(f"file:{deployment.loam.data}/loam.db?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                yield from ((table, row) for row in database.execute(f'SELECT * FROM "{table}"'))
    else:
        with psycopg.connect(deployment.postgres.database_url(deployment.database_name)) as database:
            # the owner's policies show it nothing: a superuser looks past them
            names = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for (table,) in database.execute(names).fetchall():
                yield from ((table, row) for row in database.execute(f'SELECT * FROM "{table}"'))


def opened(cell: Any) -> bytes:
    """A cell as bytes, unpacked where it is packed."""
    import zstandard

    if isinstance(cell, (bytes, memoryview)):
        content = bytes(cell)
        if content[1:5] == b"\x28\xb5\x2f\xfd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(content[1:])
        return content
    return (json.dumps(cell, ensure_ascii=False) if isinstance(cell, (dict, list)) else str(cell)).encode()


def backup(deployment: Any) -> Path:
    """A backup made now."""
    folder = deployment.loam.folder / f"backup-{next(_numbers)}"
    folder.mkdir()
    if deployment.database == "sqlite":
        source = sqlite3.connect(deployment.loam.data / "loam.db")
        with closing(source), closing(sqlite3.connect(folder / "loam.db")) as target:
            source.backup(target)
    else:
        dump = folder / "dump.sql"
        with psycopg.connect(deployment.postgres.database_url(deployment.database_name)) as database, dump.open("wb") as out:
            tables = database.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                with database.cursor().copy(f'COPY (SELECT * FROM "{table}") TO STDOUT') as rows:
                    out.writelines(rows)
    shutil.copytree(deployment.loam.data / "journal", folder / "journal")
    return folder


def usage(api: Api) -> dict[str, int]:
    """What was used, by key and in all."""
    rows = api.get("/api/v1/usage", group_by="model")["data"]
    return {row["model"]: (row["calls"], row["total_tokens"]) for row in rows}


def gone(deployment: Any, api: Api, words: list[str]) -> None:
    """None of the words is in a row, a file or an answer."""
    left = rows_with(deployment, words)
    assert not left, "\n".join(left)
    assert files_with(deployment.loam.data, words) == []
    assert files_with(backup(deployment), words) == []
    for collection in ("users", "chat_sessions", "llm_calls", "api_logs", "error_logs", "audit_logs", "jobs", "tool_calls"):
        text = json.dumps(api.all(collection))
        assert [word for word in words if word in text] == [], collection


@pytest.fixture
def mine(gateway, name) -> Api:
    """A tenant with the provider, which records every request with its bodies."""
    api = gateway.tenant(name("erased"))
    provider = next(row for row in gateway.api.all("ai_providers") if row["name"] == "mock")
    config = {"base_url": provider["config"]["base_url"], "api_key": "sk-erasure-0000000000", "models": ["gpt-4o"]}
    api.create("ai_providers", {"name": "mock", "kind": "openai", "config": config})
    api.call("PUT", RECORDS, 200, json={"config_value": ALL})
    return api


def test_nothing_of_an_erased_user_is_left(gateway, mine):
    person = Person(mine)
    person.say_everywhere()
    settle(mine, person.word)
    before = usage(mine)
    data = exported(mine, user_id=person.id)
    places = {line["place"] for line in data if person.word in json.dumps(line)}
    assert places >= {
        "users",
        "user_preferences",
        "chat_sessions",
        "messages",
        "llm_calls",
        "tool_calls",
        "api_logs",
        "performance_records",
        "rejected_records",
        "idempotency_keys",
        "api_keys",
    }, places
    assert rows_with(gateway, [person.word]), "the search finds what is there"
    receipt = erase(mine, "user", person.id)
    gone(gateway, mine, person.names)
    assert usage(mine) == before, "sums stay"
    assert mine.get("/api/v1/audit_logs/verify")["ok"]
    removed = receipt["receipt"]["removed"]
    for place in ("llm_calls", "messages", "turns", "api_logs", "chat_sessions"):
        assert sum(removed[place].values()) > 0, (place, removed)
    verify(mine, receipt)
    remaining = json.dumps(exported(mine, user_id=person.id))
    assert not any(word in remaining for word in person.names), "an export of a deleted user has what remains"
    calls = mine.all("llm_calls")
    assert calls, "the ledger stays"
    assert all(call["user_id"] is None and call["end_user"] is None for call in calls)


def test_pending_work_and_recipients_of_alerts_keep_no_name(gateway, mine):
    person = Person(mine)
    session = mine.get("/api/v1/session")
    owner = SimpleNamespace(deployment=gateway, owner_tenant=session["tenant_id"])
    plant_job(owner, "queued", payload={"name": person.name})
    waiting = plant_job(owner, "queued", payload={"user": person.id}, last_error=f"no mailbox {person.word}@example.com")
    plant_job(owner, "failed", payload={"n": 1}, last_error=f"no mailbox {person.word}@example.com")
    project = mine.create("projects", {"name": f"app-{next(_numbers)}"})["id"]
    rule = {"project_id": project, "name": "slow", "metric": "response_time_p95", "comparison": "above", "threshold": 1}
    rule = mine.create("alert_rules", rule | {"delivery": {"webhook": {"url": "https://alerts.example.com/"}}})
    notified = {"email": {"to": [f"{person.word}@example.com", "ops@example.com"]}}
    write(gateway, f"UPDATE alert_rules SET delivery = '{json.dumps(notified)}' WHERE name = 'slow' RETURNING 1")
    shown = [line for line in exported(mine, user_id=person.id) if person.word in json.dumps(line)]
    assert {line["place"] for line in shown} >= {"jobs", "alert_rules"}
    receipt = erase(mine, "user", person.id)
    gone(gateway, mine, person.names)
    removed = receipt["receipt"]["removed"]
    assert removed["jobs"] == {"deleted": 2, "emptied": 1}, removed
    assert removed["alert_rules"] == {"deleted": 0, "emptied": 1}, removed
    job = mine.get(f"/api/v1/jobs/{waiting}")
    assert (job["state"], job["last_error"]) == ("queued", None), "what only has an id is still done"
    assert mine.get(f"/api/v1/alert_rules/{rule['id']}")["delivery"]["email"]["to"] == ["ops@example.com"]


def verify(api: Api, receipt: dict[str, Any]) -> None:
    """A stock library believes the receipt by the published keys, and Loam doesn't take it for a token."""
    keys = jwt.PyJWKSet.from_dict(api.get("/.well-known/jwks.json"))
    kid = jwt.get_unverified_header(receipt["jws"])["kid"]
    claims = jwt.decode(receipt["jws"], keys[kid].key, algorithms=["EdDSA"], audience="loam-erasure-receipt")
    assert claims == receipt["receipt"]
    damaged = receipt["jws"][:-8] + "AAAAAAAA"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(damaged, keys[kid].key, algorithms=["EdDSA"], audience="loam-erasure-receipt")
    assert api.with_key(receipt["jws"]).call("GET", "/api/v1/users").status_code == 401


def test_an_end_user_is_erased_here_and_stays_with_another_tenant(gateway, mine, name):
    end_user = f"shared-{os.urandom(4).hex()}"
    word, other_word = (f"zq{os.urandom(6).hex()}" for _ in range(2))
    other = gateway.tenant(name("other"))
    provider = mine.all("ai_providers", name="mock")[0]["config"]["base_url"]
    config = {"base_url": provider, "api_key": "sk-erasure-0000000000", "models": ["gpt-4o"]}
    other.create("ai_providers", {"name": "mock", "kind": "openai", "config": config})
    for api, said in ((mine, word), (other, other_word)):
        api.chat(MODEL, said, user=end_user)
        eventually(lambda api=api: api.all("llm_calls", end_user=end_user))
    assert len(exported(mine, end_user=end_user)) >= 1
    receipt = erase(mine, "end_user", end_user)
    assert word not in json.dumps(receipt)
    assert end_user not in json.dumps(receipt)
    digest = hashlib.sha256(f"{receipt['receipt']['jti']}\0{end_user}".encode()).hexdigest()
    assert receipt["receipt"]["sub"] == f"sha256:{digest}"
    assert rows_with(gateway, [word]) == []
    assert files_with(gateway.loam.data, [word]) == []
    assert mine.all("llm_calls", end_user=end_user) == []
    kept = other.all("llm_calls", end_user=end_user)
    assert other_word in json.dumps(other.get(f"/api/v1/llm_calls/{kept[0]['id']}"))
    mine.chat(MODEL, "anew", user=end_user)
    eventually(lambda: mine.all("llm_calls", end_user=end_user)), "who comes back is somebody new"


def test_somebody_of_another_platform_is_erased_by_what_they_are_called_there(gateway, mine):
    person = Person(mine)
    channel = person.write_by_channel()
    eventually(lambda: rows_with(gateway, [f"channel {person.word}"]))
    assert any(person.word in json.dumps(line) for line in exported(mine, end_user=f"{channel}:{person.name}"))
    erase(mine, "end_user", f"{channel}:{person.name}")
    assert rows_with(gateway, [f"channel {person.word}", f"{channel}:{person.name}"]) == []
    assert mine.get(f"/api/v1/users/{person.id}")["username"] == person.name, "a user of another name is somebody else"


def wait_for_records(deployment: Any, api: Api) -> None:
    """Until what was answered is in the database: a deletion removes that at once, and what comes later after two minutes."""
    # Every response is recorded, in order: the record of the last one comes after those of the others.
    last = f"agent-{os.urandom(6).hex()}"
    api.call("GET", "/api/v1/session", 200, headers={"user-agent": last})
    eventually(lambda: rows_with(deployment, [last]), 30)


def test_deleting_a_session_or_a_message_takes_its_calls_along(gateway, mine, mock):
    # The mock's own answers repeat the question at times, and an answer stays.
    mock.script({"type": "reply", "text": "noted", "times": 2})
    word, second = (f"zq{os.urandom(6).hex()}" for _ in range(2))
    chat = Chat(mine, MODEL, title="deleted")
    chat.stream(f"first {word}")
    chat.ask(f"then {second}")
    eventually(lambda: len(mine.all("llm_calls", session_id=chat.id)) == 2)
    asked = next(row for row in chat.messages() if second in str(row["content"]))
    wait_for_records(gateway, mine)
    mine.call("DELETE", f"/api/v1/messages/{asked['id']}", 204)
    eventually(lambda: no_row_with(gateway, second), LATE)
    assert rows_with(gateway, [word]), "what was said before stays"
    wait_for_records(gateway, mine)
    mine.call("DELETE", chat.path, 204)
    eventually(lambda: no_row_with(gateway, word), LATE)


def test_an_erasure_goes_on_after_a_kill(gateway, mine):
    person = Person(mine)
    for n in range(40):
        mine.chat(MODEL, f"{person.word} {n}", user=person.external)
    chat = Chat(mine, MODEL, title=person.word, user_id=person.id)
    chat.ask(person.word)
    wanted = {"subject": {"type": "user", "id": person.id}}
    made = mine.call("POST", "/api/v1/erasures", 202, json=wanted).json()["id"]
    gateway.loam.kill9()
    gateway.loam.start()
    receipt = completed(mine, made)
    gone(gateway, mine, person.names)
    assert receipt["receipt"]["removed"]["llm_calls"]["emptied"] >= 1
    assert all(call["end_user"] is None and call["user_id"] is None for call in mine.all("llm_calls"))
    assert mine.get("/api/v1/audit_logs/verify")["ok"]


def test_a_tenant_goes_whole_and_only_when_that_is_meant(gateway, mine, name):
    slug = name("whole")
    made = gateway.api.create("tenants", {"slug": slug, "name": slug})
    tenant = gateway.api.with_key(made["api_key"]["key"])
    person = Person(tenant)
    tenant.create("chat_sessions", {"title": person.word, "user_id": person.id})
    subject = {"subject": {"type": "tenant", "id": made["id"]}}
    assert_error(tenant.call("POST", "/api/v1/erasures", json=subject), (403, 404))
    assert_error(gateway.api.call("POST", "/api/v1/erasures", json=subject), 409, "tenant_not_archived")
    wanted = subject | {"confirm": slug}
    erasure = gateway.api.call("POST", "/api/v1/erasures", 202, json=wanted).json()["id"]
    receipt = completed(gateway.api, erasure)
    assert receipt["receipt"]["removed"]["users"]["deleted"] == 1
    assert rows_with(gateway, [person.word]) == []
    assert files_with(gateway.loam.data, [person.word]) == []
    assert tenant.call("GET", "/api/v1/users").status_code in (401, 403)
    assert mine.get("/api/v1/users")["data"] == []
    assert gateway.api.get("/api/v1/audit_logs/verify")["ok"]


def test_who_may_export_and_erase(mine, name):
    person = Person(mine)
    other = Person(mine)
    keys = [
        mine.create("api_keys", {"name": name("key"), "scopes": ["exports:read", "erasures:write"], "user_id": each.id})
        for each in (person,)
    ]
    own = mine.with_key(keys[0]["key"])
    assert own.call("GET", "/api/v1/exports", params={"user_id": person.id}).status_code in (200, 403)
    assert_error(own.call("GET", "/api/v1/exports", params={"user_id": other.id}), 403)
    assert_error(own.call("POST", "/api/v1/erasures", json={"subject": {"type": "user", "id": other.id}}), 403)
    assert_error(own.call("POST", "/api/v1/erasures", json={"subject": {"type": "end_user", "id": "x"}}), 403)
    assert_error(mine.call("GET", "/api/v1/exports"), 400)


def test_the_command_line_exports_and_erases(gateway):
    api = gateway.api
    person = Person(api)
    Chat(api, MODEL, title=person.word, user_id=person.id).ask(person.word)
    lines = gateway.loam.cli("export", "--user", person.id).stdout
    assert person.word in lines
    username = api.get(f"/api/v1/users/{person.id}")["username"]
    assert person.word in gateway.loam.cli("export", "--user", username).stdout
    refused = gateway.loam.cli("export", "--user", username, "--field", "place", check=False)
    assert refused.returncode == 1
    assert "--field doesn't apply" in refused.stderr
    made = gateway.loam.cli_json("erasure", "create", "user", person.id)
    completed(api, made["id"])
    shown = gateway.loam.cli_json("erasure", "receipt", made["id"])
    assert shown["receipt"]["jti"] == made["id"]
    assert gateway.loam.cli_json("erasure", "show", made["id"])["state"] == "completed"
    assert any(row["id"] == made["id"] for row in gateway.loam.cli_json("erasure", "list"))
    assert rows_with(gateway, [person.word]) == []
