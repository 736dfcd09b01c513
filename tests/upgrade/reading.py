"""Reads everything back through the API."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

from support.api import Api

# Lists whose rows are read one by one too, as lists omit bodies and details.
WITH_DETAILS = [
    "ai_analysis_results",
    "ai_providers",
    "alert_rules",
    "api_keys",
    "api_logs",
    "channels",
    "chat_sessions",
    "error_logs",
    "limits",
    "llm_calls",
    "model_prices",
    "model_routes",
    "performance_records",
    "projects",
    "rejected_records",
    "roles",
    "suggestions",
    "tenants",
    "token_issuers",
    "tool_calls",
    "users",
    "webhook_deliveries",
]
LISTS = ["alert_events", "error_groups", "erasures", "journal_quarantine", "performance_metrics"]
# The ranks of quantiles may be rounded in another way by another version.
ESTIMATES = {"latency_p50_ms", "latency_p95_ms", "latency_p99_ms"}
SINCE = "2026-01-01T00:00:00Z"
METRICS = ["load.gauge", "load.delta", "load.total"]


TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LATER = "later"
# Of records that were in the journal: version 1 did not store when they arrived, and findings are described anew.
OF_THIS_START = re.compile(r"/performance_records/\d+/(created_at|findings/\d+/description)")
# Fields of preferences that had no effect, and are no longer there.
REMOVED = re.compile(r"/preferences of [^/]+/data/\d+/value/(streaming|push|in_app|webhook)")


def read(api: Api, written: datetime) -> dict[str, Any]:
    """Everything that the deployment stores, by where it is read. Times after `written`, and ids made after it, are those
    of this start: they become the word `later`."""
    found: dict[str, Any] = {}
    for name in LISTS:
        found[name] = api.all(name)
    for name in WITH_DETAILS:
        found[name] = [api.get(f"/api/v1/{name}/{row['id']}") for row in api.all(name)]
    for row in found["performance_records"]:
        found[f"calls of {row['id']}"] = api.all("function_calls", record_id=row["id"])
    for session in found["chat_sessions"]:
        found |= conversation(api, session["id"])
    for user in found["users"]:
        found[f"preferences of {user['username']}"] = api.get(f"/api/v1/users/{user['id']}/preferences")
    for channel in found["channels"]:
        found[f"chats of {channel['name']}"] = api.all(f"channels/{channel['id']}/chats")
    for project in found["projects"]:
        found |= statistics(api, project)
    found["usage"] = usage(api)
    settings = api.get("/api/v1/system_config")["data"]
    found["system_config"] = {row["config_key"]: row["set_value"] for row in settings if row["set_value"] is not None}
    # Those of the code may gain permissions in any version.
    found["roles"] = [role for role in found["roles"] if not role["built_in"]]
    found["audit_logs"] = api.all("audit_logs")
    found["audit chain"] = api.get("/api/v1/audit_logs/verify")["ok"]
    text = json.dumps(found, sort_keys=True)
    text = TIME.sub(lambda time: LATER if datetime.fromisoformat(time[0]) > written else time[0], text)
    return json.loads(UUID.sub(lambda found: LATER if made_at(found[0]) > written else found[0], text))


def made_at(version_7: str) -> datetime:
    """The time in an id."""
    return datetime.fromtimestamp((uuid.UUID(version_7).int >> 80) / 1000, UTC)


def conversation(api: Api, session: str) -> dict[str, Any]:
    """The messages of a session, its settings and tools, and its turns with the bytes of their streams."""
    path = f"/api/v1/chat_sessions/{session}"
    found = {
        f"messages of {session}": api.all("messages", session_id=session),
        f"configs of {session}": api.get(f"{path}/configs"),
        f"tools of {session}": api.call("GET", f"{path}/tools").json(),
    }
    for turn in api.all(f"chat_sessions/{session}/turns"):
        found[f"turn {turn['id']}"] = api.get(f"{path}/turns/{turn['id']}")
        found[f"stream of {turn['id']}"] = api.call("GET", f"{path}/turns/{turn['id']}/stream").text
    return found


def statistics(api: Api, project: dict[str, Any]) -> dict[str, Any]:
    """The sums of a project, by the buckets of each granularity, with the quantiles of their sketches."""
    found, of, name = {}, {"project_id": project["id"]}, project["name"]
    days = days_around(project["created_at"])
    for granularity, period in {"minute": days, "hour": days, "day": days}.items():
        at = of | period | {"granularity": granularity}
        found[f"endpoints of {name} by {granularity}"] = api.get("/api/v1/endpoint_stats/trend", **at)
        found[f"functions of {name} by {granularity}"] = api.get("/api/v1/function_stats", **at)
        for metric in METRICS if granularity != "day" else []:
            chart = api.get("/api/v1/metric_stats", **at, metric_name=metric, aggregate="p95")
            found[f"{metric} of {name} by {granularity}"] = chart
    return found


def usage(api: Api) -> list[dict[str, Any]]:
    rows = api.get("/api/v1/usage", **{"from": SINCE}, granularity="day", group_by="provider,model,source")["data"]
    return [{key: value for key, value in row.items() if key not in ESTIMATES} for row in rows]


def days_around(time: str) -> dict[str, str]:
    """The day of a time."""
    return {"from": f"{time[:10]}T00:00:00Z", "to": f"{time[:10]}T23:59:59Z"}


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Where `found` is not what is expected. A later version may add fields to its answers."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [each for key in expected for each in differences(expected[key], found.get(key, "nothing"), f"{path}/{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [each for at, (one, other) in pairs for each in differences(one, other, f"{path}/{at}")]
    if expected == found or OF_THIS_START.fullmatch(path) or (found == "nothing" and REMOVED.fullmatch(path)):
        return []
    return [f"{path}: {str(found)[:300]}, not {str(expected)[:300]}"]
