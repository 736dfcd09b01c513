"""Fills a deployment with something of every kind that Loam stores: first drained, then only in the journal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from services import LlMock
from support.api import Api, eventually
from support.conversation import WANTS, Chat, with_tool
from support.deployment import Deployment, add_usual_providers
from support.insight import Watched, an_analysis, reply
from support.platforms import Receiver, open_channel
from support.telemetry import record, send, sender

# As long as the settings allow.
DAYS = 3650
# The suggestions' job runs once a minute.
MINUTE = 90.0


def fill(deployment: Deployment, mock: LlMock, slow: LlMock, receiver: Receiver) -> Callable[[], None]:
    """Stores something of every kind, and waits until it is in the database. Returns what the journal alone is to have."""
    api = deployment.api
    keep_forever(api)
    add_usual_providers(deployment, mock, slow)
    resources(api)
    calls(api)
    session = turns(api, mock)
    platform = open_channel(api, "support", receiver.url, model="mock/gpt-4o-mini")
    platform.say("Where is my parcel?")
    eventually(lambda: [each for each in api.all("webhook_deliveries") if each["state"] == "delivered"], 30)
    application, project = sender(api, "shop")
    records(application)
    # The reason for a rejection goes to the database at once.
    assert send(application, [record(unknown=1)], expect=None).status_code == 400
    watched = Watched(api)
    watched.send()
    genai(watched)
    analyse(api, mock, project)
    suggestion = eventually(lambda: api.all("suggestions"), MINUTE)[0]
    api.call("PATCH", f"/api/v1/suggestions/{suggestion['id']}", 200, json={"status": "dismissed"})
    settled(api)

    def undrained() -> None:
        api.chat("mock/gpt-4o", "only in the journal", user="carol-3")
        records(application)
        watched.send(version="1.1")
        genai(watched)
        # The call is answered; that its messages can't be stored now is in the journal too.
        session_call(api, session.id)

    return undrained


def keep_forever(api: Api) -> None:
    """Retention as long as the settings allow."""
    values = {
        "records.retention": {"api_logs_days": None, "error_logs_days": None},
        "insight.storage": {"records_days": DAYS, "history_days": DAYS, "minute_stats_days": 400, "hour_stats_days": DAYS},
        "insight.ingest": {"rejected_days": 366},
        "webhooks.deliveries": {"keep_days": DAYS},
        "conversation.channels": {"remember_days": 365},
    }
    for key, value in values.items():
        api.call("PUT", f"/api/v1/system_config/{key}", 200, json={"config_value": value})


def resources(api: Api) -> None:
    """Rows with sealed secrets, JSON documents and hashes."""
    price = {"provider": "mock", "model": "gpt-4o", "input_per_million": 2.5, "output_per_million": 10.0}
    api.create("model_prices", price)
    api.create(
        "model_routes", {"alias": "fast", "targets": [{"provider": "mock", "model": "gpt-4o-mini"}], "metadata": {"team": "a"}}
    )
    api.create("roles", {"name": "reader", "permissions": ["llm_calls:read"]})
    who = {"username": "ann", "email": "ann@example.com", "password": "a-long-enough-password-1", "roles": ["reader"]}
    user = api.create("users", who)
    api.call("PUT", f"/api/v1/users/{user['id']}/preferences/theme", 200, json={"value": {"dark": True}})
    issuer = {"name": "app", "issuer": "https://app.example.com", "audience": "loam", "secret": "s" * 32}
    api.create("token_issuers", issuer)
    project = api.create("projects", {"name": "limited", "metadata": {"stage": "test"}})["id"]
    api.create("limits", {"subject_type": "project", "subject_id": project, "requests_per_minute": 5})
    rule = {
        "project_id": project,
        "name": "slow",
        "metric": "response_time_p95",
        "comparison": "above",
        "threshold": 5.0,
        "window_seconds": 300,
        "is_active": False,
        "delivery": {"webhook": {"url": "https://hooks.example.com/loam"}},
    }
    api.create("alert_rules", rule)
    broken = {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-broken-00000000", "models": ["any"]}
    api.create("ai_providers", {"name": "broken", "kind": "openai", "config": broken})


def calls(api: Api) -> None:
    """Three successful calls, one as a stream, and a failed one, which is an error record too."""
    api.chat("mock/gpt-4o", "plain", user="bob-1")
    api.chat("fast", "through a route " * 200)
    api.chat("mock/gpt-4o", "as a stream", stream=True)
    api.chat("broken/any", "nobody answers", expect=None)


def session_call(api: Api, session: str) -> None:
    api.chat("mock/gpt-4o", "names its session", headers={"x-loam-session-id": session})


def turns(api: Api, mock: LlMock) -> Chat:
    """A session with two turns and a call that names it, and one that waits for a result of a tool."""
    session = Chat(api, "mock/gpt-4o", title="Tea", metadata={"shop": "berlin"}, system_prompt="Be brief.")
    session.ask("Which tea?")
    session.ask([{"type": "text", "text": "And then?"}])
    session_call(api, session.id)
    session.set("temperature", 0.5)
    mock.script(WANTS)
    tools = with_tool(Chat(api, "mock/gpt-4o"))
    tools.ask("What is the weather in Paris?")
    return session


def records(application: Api) -> None:
    """A record with calls, and metric values of each kind."""
    call = {"call_id": "q", "parent_call_id": "c0", "function": 1, "kind": "database", "start_offset": 0.002, "duration": 0.15}
    detail = {"system": "postgresql", "operation": "SELECT", "statement": "SELECT * FROM users WHERE id = %s", "rows": 1}
    whole = record(
        calls=3,
        environment={"python_version": "3.12.4"},
        version_info={"app_version": "1.4.2"},
        exception_info="ValueError: no such user",
    )
    whole["functions"].append({"name": "execute", "module": "sqlalchemy.engine"})
    whole["function_calls"].append(call | {"detail": detail, "exception_info": "Timeout: late", "memory_delta": -2048})
    send(application, [whole])
    values = []
    for kind in ("gauge", "delta", "total"):
        times = {"timestamp": datetime.now(UTC).isoformat(), "tags": {"host": "a"}}
        values.append({"metric_name": f"load.{kind}", "kind": kind, "metric_value": 0.5} | times)
    application.call("POST", "/api/v1/performance_metrics", 200, json={"metrics": values})


def genai(watched: Watched) -> None:
    """A model call and a tool call that an application made itself."""
    begin = time.time_ns() - 1_000_000_000
    trace = f"{begin:032x}"

    def span(number: int, name: str, **attributes: Any) -> dict[str, Any]:
        kind = {str: "stringValue", int: "intValue"}
        listed = [{"key": key.replace("__", "."), "value": {kind[type(value)]: value}} for key, value in attributes.items()]
        times = {"startTimeUnixNano": str(begin), "endTimeUnixNano": str(begin + 80_000_000)}
        return {"traceId": trace, "spanId": f"{begin + number:016x}", "name": name, "kind": 3, "attributes": listed} | times

    model = span(
        1,
        "chat",
        gen_ai__operation__name="chat",
        gen_ai__provider__name="openai",
        gen_ai__request__model="gpt-4o",
        gen_ai__usage__input_tokens=9,
        gen_ai__usage__output_tokens=4,
        user__id="dan-4",
        gen_ai__input__messages=json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
    )
    tool = span(2, "execute_tool", gen_ai__operation__name="execute_tool", gen_ai__tool__name="search")
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [model, tool]}]}]}
    watched._sender.call("POST", "/v1/traces", 200, json=body)


def analyse(api: Api, mock: LlMock, project: dict[str, Any]) -> None:
    """A model's explanation of a request."""
    found = eventually(lambda: api.all("performance_records", project_id=project["id"]))[0]
    mock.script(reply(an_analysis(optimization_suggestions=[])))
    made = api.call("POST", "/api/v1/ai_analysis_results", None, json={"record_id": found["id"], "model": "mock/gpt-4o"})
    assert made.status_code in (201, 202), made.text
    eventually(lambda: [each for each in api.all("ai_analysis_results") if each["status"] != "pending"], 30)


def settled(api: Api) -> None:
    """Everything acknowledged is in the database, and nothing more is under way."""
    eventually(lambda: api.get("/api/v1/database")["journal"]["undrained_bytes"] == 0, 30)
    eventually(lambda: not any(api.all("jobs", state=state, instance=True) for state in ("queued", "running")), 30)
