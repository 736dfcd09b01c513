"""A valid request for every operation that takes an id. A new endpoint has to be added here.

An operation of `/openapi.json` with a path parameter and no entry here fails the isolation test. An entry defines how the
owner gets an id for the path, and the body if the operation needs one.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services import LlMock

from .api import Api, eventually
from .browser import Browser
from .insight import ENDPOINT, Watched, an_analysis, reply
from .planted import plant_frame, plant_job
from .platforms import open_channel
from .telemetry import record, send, sender

_numbers = itertools.count(1)
PROVIDER = {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-isolation-0000000000", "models": ["any"]}


@dataclass
class World:
    """A deployment with two isolated tenants and an operator."""

    deployment: Any
    operator: Api
    owner: Api
    other: Api
    owner_tenant: str
    made: dict[str, str] = field(default_factory=dict)


def unique(prefix: str) -> str:
    """A unique name."""
    return f"{prefix}-{next(_numbers)}"


def make(collection: str, body: Callable[[], dict[str, Any]]) -> Callable[[World], str]:
    """A factory that creates a row with a POST by the owner."""

    def maker(world: World) -> str:
        made = world.owner.create(collection, body())
        return made["id"]

    return maker


def user() -> dict[str, Any]:
    name = unique("user")
    return {"username": name, "email": f"{name}@example.com", "password": "a-long-enough-password-1"}


def provider() -> dict[str, Any]:
    return {"name": unique("provider"), "kind": "openai", "config": PROVIDER}


def issuer() -> dict[str, Any]:
    name = unique("issuer")
    return {"name": name, "issuer": f"https://{name}.example.com", "audience": "app", "secret": "s" * 32}


def login_session(world: World) -> str:
    """A login session of one of the owner's users."""
    who = user()
    made = world.owner.create("users", who)
    slug = world.operator.get(f"/api/v1/tenants/{world.owner_tenant}")["slug"]
    Browser(world.operator.url).log_in(tenant=slug, username=who["username"], password=who["password"])
    return world.owner.all("login_sessions", user_id=made["id"])[0]["id"]


def llm_call(world: World) -> str:
    """A call of the owner's; it fails because the address refuses connections, and is recorded anyway."""
    if "llm_call" not in world.made:
        name = world.owner.create("ai_providers", provider())["name"]
        answer = world.owner.chat(f"{name}/any", "hello", expect=None)
        world.made["llm_call"] = answer.headers["x-loam-call-id"]
    return world.made["llm_call"]


def audit_log(world: World) -> str:
    world.owner.create("projects", {"name": unique("audited")})
    return eventually(lambda: world.owner.get("/api/v1/audit_logs")["data"])[0]["id"]


def model_price(world: World) -> str:
    name = world.owner.create("ai_providers", provider())["name"]
    price = {"provider": name, "model": "any", "input_per_million": 1.0, "output_per_million": 2.0}
    return world.owner.create("model_prices", price)["id"]


def api_log(world: World) -> str:
    """An audit log row: every change is recorded."""
    world.owner.create("projects", {"name": unique("recorded")})
    return eventually(lambda: world.owner.get("/api/v1/api_logs")["data"])[0]["id"]


def error_log(world: World) -> str:
    """A connection test; the provider's address refuses connections: 502."""
    llm_call(world)
    return eventually(lambda: world.owner.get("/api/v1/error_logs")["data"])[0]["id"]


def config_key(world: World) -> str:
    """An instance-level key with a value; only operators can see it."""
    world.operator.call("PUT", f"/api/v1/system_config/{INSTANCE_KEY}", 200, json=CONFIG)
    return INSTANCE_KEY


@dataclass(frozen=True)
class Entry:
    """`make` returns the id for the path, or several separated by blanks; `body` may be computed from it; `by` is the
    says why all tenants may see the same."""

    make: Callable[[World], str]
    body: dict[str, Any] | Callable[[World, str], dict[str, Any]] | None = None
    by: str = "owner"
    shared: str | None = None
    query: dict[str, Any] | None = None


def model_route(world: World) -> str:
    name = world.owner.create("ai_providers", provider())["name"]
    route = {"alias": unique("route"), "targets": [{"provider": name, "model": "any"}]}
    return world.owner.create("model_routes", route)["id"]


def callable_model(world: World) -> str:
    """A model of the owner's, as a segment of a path."""
    return f"{world.owner.create('ai_providers', provider())['name']}%2Fany"


def limit(world: World) -> str:
    project = world.owner.create("projects", {"name": unique("limited")})["id"]
    new = {"subject_type": "project", "subject_id": project, "requests_per_minute": 5}
    return world.owner.create("limits", new)["id"]


def message(world: World) -> str:
    session = world.owner.create("chat_sessions", {})["id"]
    return world.owner.create("messages", {"session_id": session, "role": "user", "content": "hello"})["id"]


def session_config(world: World) -> str:
    """A session setting whose key is the session's id: one value fits both path parameters."""
    session = world.owner.create("chat_sessions", {})["id"]
    world.owner.call("PUT", f"/api/v1/chat_sessions/{session}/configs/{session}", 200, json={"value": 1})
    return session


@functools.cache
def model() -> LlMock:
    """A model that responds for the whole run and calls any tool offered."""
    return LlMock()


def analysis(world: World) -> str:
    """An analysis of a slow request by a model that responds at once."""
    new = provider() | {"config": PROVIDER | {"base_url": model().base_url, "models": ["analyst"]}}
    chosen = f"{world.owner.create('ai_providers', new)['name']}/analyst"
    watched = Watched(world.owner)
    watched.send()
    model().script(reply(an_analysis()) | {"match": {"model": "analyst"}})
    wanted = {"project_id": watched.id, "endpoint": ENDPOINT, "model": chosen}

    def begun() -> str | None:
        answer = world.owner.call("POST", "/api/v1/ai_analysis_results", json=wanted)
        return answer.json()["id"] if answer.status_code == 201 else None

    return eventually(begun)


def performance_record(world: World) -> str:
    """A request that one of the owner's projects served."""
    trace = Watched(world.owner).send()
    return eventually(lambda: world.owner.all("performance_records", trace_id=trace))[0]["id"]


def suggestion(world: World) -> str:
    """A suggestion of that model."""
    if "suggestion" not in world.made:
        made = analysis(world)
        of_it = {"project_id": world.owner.get(f"/api/v1/ai_analysis_results/{made}")["project_id"], "source": "model"}
        world.made["suggestion"] = eventually(lambda: world.owner.all("suggestions", **of_it), 30)[0]["id"]
    return world.made["suggestion"]


def talking_session(world: World) -> str:
    """A session of the owner's with a model and a tool."""
    new = provider() | {"config": PROVIDER | {"base_url": model().base_url}}
    session = world.owner.create("chat_sessions", {"model": f"{world.owner.create('ai_providers', new)['name']}/any"})["id"]
    tool = {"type": "function", "function": {"name": "anything"}}
    world.owner.call("PUT", f"/api/v1/chat_sessions/{session}/tools", 200, json={"tools": [tool]})
    return session


def session_with_tool(world: World) -> str:
    """A session with a tool named `anything`."""
    session = world.owner.create("chat_sessions", {})["id"]
    tool = {"function": {"name": "anything"}, "execution": {"kind": "http", "url": "http://127.0.0.1:9/"}}
    world.owner.call("PUT", f"/api/v1/chat_sessions/{session}/tools", 200, json={"tools": [tool]})
    return session


def waiting_turn(world: World) -> str:
    """A session and a turn that waits for a tool result of the client."""
    session = talking_session(world)
    turn = world.owner.create(f"chat_sessions/{session}/turns", {"content": "use anything"})
    assert turn["state"] == "requires_action", turn
    return f"{session} {turn['id']}"


def ended_turn(world: World) -> str:
    """A session and a stopped turn."""
    session, turn = waiting_turn(world).split(" ")
    world.owner.call("DELETE", f"/api/v1/chat_sessions/{session}/turns/{turn}", 200)
    return f"{session} {turn}"


def result_for(world: World, place: str) -> dict[str, Any]:
    """The result that the turn waits for."""
    session, turn = place.split(" ")
    wanted = world.owner.get(f"/api/v1/chat_sessions/{session}/turns/{turn}")["tool_calls"]
    return {"tool_results": [{"tool_call_id": call["id"], "content": "done"} for call in wanted]}


def channel(world: World) -> str:
    """A channel through which the chat `registry` has sent a message."""
    platform = open_channel(world.owner, unique("channel"), "http://127.0.0.1:9/", auto_reply=False)
    platform.say("hello", "registry")
    return platform.channel


def webhook_delivery(world: World) -> str:
    """A delivery that fails, because the address refuses connections."""
    sent = world.owner.call("POST", f"/api/v1/channels/{channel(world)}/send", 201, json=TO_CHAT)
    return sent.json()["delivery_ids"][0]


def alert_rule(world: World) -> str:
    """An alert rule that is never violated."""
    return raise_alert(world, threshold=0)["id"]


def raise_alert(world: World, threshold: float) -> dict[str, Any]:
    """A rule that requires this many requests per minute of an application that gets none."""
    rule = {"project_id": PROJECT(world), "name": unique("rule"), "metric": "request_rate", "comparison": "below"}
    return world.owner.create("alert_rules", rule | {"threshold": threshold})


def alert_event(name: str) -> Callable[[World], str]:
    """An incident of the owner's: one per name."""

    def maker(world: World) -> str:
        if f"alert_event {name}" not in world.made:
            rules = {one: raise_alert(world, threshold=1)["id"] for one in ("read", "resolved")}
            for one, rule in rules.items():
                opened = eventually(lambda rule=rule: world.owner.all("alert_events", rule_id=rule), 60)
                world.made[f"alert_event {one}"] = opened[0]["id"]
        return world.made[f"alert_event {name}"]

    return maker


TO_CHAT = {"chat_id": "registry", "text": "hello"}


def tool_call(world: World) -> str:
    """A tool of the owner's that is tested; it is unreachable, and the call is recorded anyway."""
    session = session_with_tool(world)
    world.owner.call("POST", f"/api/v1/chat_sessions/{session}/tools/test", 200, json={"name": "anything"})
    return world.owner.get("/api/v1/tool_calls", session_id=session)["data"][0]["id"]


def erasure(world: World) -> str:
    """A completed one, of one of the owner's users."""
    if "erasure" not in world.made:
        wanted = {"subject": {"type": "user", "id": USER(world)}}
        made = world.owner.call("POST", "/api/v1/erasures", 202, json=wanted).json()["id"]
        eventually(lambda: world.owner.get(f"/api/v1/erasures/{made}")["state"] == "completed", 60)
        world.made["erasure"] = made
    return world.made["erasure"]


def user_preference(world: World) -> str:
    """Its key is its user's id: a path takes one value for all its parameters here."""
    made = USER(world)
    world.owner.call("PUT", f"/api/v1/users/{made}/preferences/{made}", 200, json={"value": "dark"})
    return made


INSTANCE_KEY = "system_limits.idempotency"
CONFIG = {"config_value": {"remember_hours": 25}}
API_KEY = make("api_keys", lambda: {"name": unique("key"), "scopes": ["gateway:call"]})


def rejected_record(world: World) -> str:
    """A rejected record of one of the owner's projects; it can be replayed since it was corrected."""
    key, _ = sender(world.owner, unique("refused"))
    (refused,) = send(key, [record(colour="red"), record()], 207).json()["rejected"]
    world.owner.call("PATCH", f"/api/v1/rejected_records/{refused['rejected_record_id']}", 200, json={"payload": record()})
    return refused["rejected_record_id"]


def metric(world: World) -> str:
    """A value of a metric of one of the owner's projects."""
    key, project = sender(world.owner, unique("measured"))
    value = {"metric_name": "queue", "metric_value": 1, "timestamp": datetime.now(UTC).isoformat()}
    key.call("POST", "/api/v1/performance_metrics", 200, json={"metrics": [value]})
    return eventually(lambda: world.owner.all("performance_metrics", project_id=project["id"]))[0]["id"]


def error_group(world: World) -> str:
    """The group of that error."""
    error_log(world)
    return eventually(lambda: world.owner.all("error_groups"))[0]["id"]


def fingerprint(world: World) -> str:
    """The fingerprint of a group of errors, which names it."""
    group = error_group(world)
    return next(row["fingerprint"] for row in world.owner.all("error_groups") if row["id"] == group)


def requirement(world: World) -> str:
    """A requirement of one of the owner's projects."""
    return world.owner.create("requirements", {"project_id": PROJECT(world), "raw_text": "orders can be cancelled"})["id"]


def prd_doc(world: World) -> str:
    return world.owner.create("prd_docs", {"requirement_id": requirement(world), "markdown_content": "# Orders"})["id"]


def tech_design(world: World) -> str:
    new = {"prd_id": prd_doc(world), "architecture": {"type": "monolith", "components": []}}
    return world.owner.create("tech_designs", new)["id"]


def api_spec(world: World) -> str:
    document = {"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {}}
    return world.owner.create("api_specs", {"project_id": PROJECT(world), "openapi_spec": document})["id"]


def document_operations(collection: str, maker: Callable[[World], str], change: dict[str, Any]) -> dict[tuple[str, str], Entry]:
    """The operations that all kinds of documents have."""
    path = f"/api/v1/{collection}/{{}}"

    def first(world: World) -> str:
        return f"{maker(world)} 1"

    return {
        ("GET", path): Entry(maker),
        ("PATCH", path): Entry(maker, {"base_version": 1} | change),
        ("DELETE", path): Entry(maker),
        ("POST", f"{path}/transition"): Entry(maker, {"base_version": 1, "status": "in_review"}),
        ("GET", f"{path}/versions"): Entry(maker),
        ("GET", f"{path}/versions/{{}}"): Entry(first),
        ("POST", f"{path}/versions/{{}}/restore"): Entry(first, {"base_version": 1}),
        ("GET", f"{path}/compare"): Entry(maker, query={"from": 1, "to": 1}),
    }


PROJECT = make("projects", lambda: {"name": unique("project")})
USER = make("users", user)
ROLE = make("roles", lambda: {"name": unique("role"), "permissions": ["gateway:call"]})
TOKEN_ISSUER = make("token_issuers", issuer)
CHAT_SESSION = make("chat_sessions", lambda: {"title": unique("session")})
AI_PROVIDER = make("ai_providers", provider)

# (method, path without parameter names) → how to make the request.
REGISTRY: dict[tuple[str, str], Entry] = {
    ("GET", "/v1/models/{}"): Entry(callable_model),
    ("GET", "/anthropic/v1/models/{}"): Entry(callable_model),
    # Only the operator can create, read and change tenants; a tenant must not even learn that another exists.
    ("GET", "/api/v1/tenants/{}"): Entry(lambda world: world.owner_tenant, by="operator"),
    ("PATCH", "/api/v1/tenants/{}"): Entry(lambda world: world.owner_tenant, {"plan": "pro"}, by="operator"),
    ("GET", "/api/v1/users/{}"): Entry(USER),
    ("PATCH", "/api/v1/users/{}"): Entry(USER, {"full_name": "Somebody"}),
    ("DELETE", "/api/v1/users/{}"): Entry(USER),
    ("GET", "/api/v1/erasures/{}"): Entry(erasure),
    ("GET", "/api/v1/erasures/{}/receipt"): Entry(erasure),
    ("GET", "/api/v1/users/{}/preferences"): Entry(user_preference),
    ("GET", "/api/v1/users/{}/preferences/{}"): Entry(user_preference),
    ("PUT", "/api/v1/users/{}/preferences/{}"): Entry(user_preference, {"value": "light"}),
    ("DELETE", "/api/v1/users/{}/preferences/{}"): Entry(user_preference),
    ("GET", "/api/v1/api_keys/{}"): Entry(API_KEY),
    ("PATCH", "/api/v1/api_keys/{}"): Entry(API_KEY, {"name": "renamed"}),
    ("DELETE", "/api/v1/api_keys/{}"): Entry(API_KEY),
    ("POST", "/api/v1/api_keys/{}/take_over"): Entry(API_KEY),
    ("GET", "/api/v1/projects/{}"): Entry(PROJECT),
    ("PATCH", "/api/v1/projects/{}"): Entry(PROJECT, {"description": "changed"}),
    ("DELETE", "/api/v1/projects/{}"): Entry(PROJECT),
    ("POST", "/api/v1/projects/{}/rotate_key"): Entry(PROJECT, {}),
    ("GET", "/api/v1/rejected_records/{}"): Entry(rejected_record),
    ("PATCH", "/api/v1/rejected_records/{}"): Entry(rejected_record, {"payload": {}}),
    ("POST", "/api/v1/rejected_records/{}/replay"): Entry(rejected_record),
    ("DELETE", "/api/v1/rejected_records/{}"): Entry(rejected_record),
    ("GET", "/api/v1/performance_records/{}"): Entry(performance_record),
    ("GET", "/api/v1/performance_records/{}/export"): Entry(performance_record),
    ("GET", "/api/v1/ai_providers/{}"): Entry(AI_PROVIDER),
    ("PATCH", "/api/v1/ai_providers/{}"): Entry(AI_PROVIDER, {"display_name": "changed"}),
    ("DELETE", "/api/v1/ai_providers/{}"): Entry(AI_PROVIDER),
    ("POST", "/api/v1/ai_providers/{}/test"): Entry(AI_PROVIDER),
    ("GET", "/api/v1/model_prices/{}"): Entry(model_price),
    ("PATCH", "/api/v1/model_prices/{}"): Entry(model_price, {"output_per_million": 3.0}),
    ("DELETE", "/api/v1/model_prices/{}"): Entry(model_price),
    ("GET", "/api/v1/model_routes/{}"): Entry(model_route),
    ("PATCH", "/api/v1/model_routes/{}"): Entry(model_route, {"cache_seconds": 60}),
    ("DELETE", "/api/v1/model_routes/{}"): Entry(model_route),
    ("GET", "/api/v1/model_routes/{}/health"): Entry(model_route),
    ("POST", "/api/v1/model_routes/{}/test"): Entry(model_route),
    ("GET", "/api/v1/limits/{}"): Entry(limit),
    ("PATCH", "/api/v1/limits/{}"): Entry(limit, {"concurrency": 3}),
    ("DELETE", "/api/v1/limits/{}"): Entry(limit),
    ("GET", "/api/v1/chat_sessions/{}"): Entry(CHAT_SESSION),
    ("PATCH", "/api/v1/chat_sessions/{}"): Entry(CHAT_SESSION, {"title": "changed"}),
    ("DELETE", "/api/v1/chat_sessions/{}"): Entry(CHAT_SESSION),
    ("GET", "/api/v1/chat_sessions/{}/configs"): Entry(CHAT_SESSION),
    ("GET", "/api/v1/chat_sessions/{}/configs/{}"): Entry(session_config),
    ("PUT", "/api/v1/chat_sessions/{}/configs/{}"): Entry(session_config, {"value": 2}),
    ("DELETE", "/api/v1/chat_sessions/{}/configs/{}"): Entry(session_config),
    ("GET", "/api/v1/messages/{}"): Entry(message),
    ("PATCH", "/api/v1/messages/{}"): Entry(message, {"content": "changed"}),
    ("DELETE", "/api/v1/messages/{}"): Entry(message),
    ("GET", "/api/v1/chat_sessions/{}/turns"): Entry(talking_session),
    ("POST", "/api/v1/chat_sessions/{}/turns"): Entry(talking_session, {"content": "hello"}),
    ("GET", "/api/v1/chat_sessions/{}/turns/{}"): Entry(ended_turn),
    ("DELETE", "/api/v1/chat_sessions/{}/turns/{}"): Entry(waiting_turn),
    ("GET", "/api/v1/chat_sessions/{}/turns/{}/stream"): Entry(ended_turn),
    ("POST", "/api/v1/chat_sessions/{}/turns/{}/regenerate"): Entry(ended_turn, {}),
    ("POST", "/api/v1/chat_sessions/{}/turns/{}/tool_results"): Entry(waiting_turn, result_for),
    ("GET", "/api/v1/channels/{}"): Entry(channel),
    ("PATCH", "/api/v1/channels/{}"): Entry(channel, {"metadata": {"changed": True}}),
    ("DELETE", "/api/v1/channels/{}"): Entry(channel),
    ("POST", "/api/v1/channels/{}/rotate_secret"): Entry(channel, {}),
    ("POST", "/api/v1/channels/{}/connect"): Entry(channel),
    ("POST", "/api/v1/channels/{}/disconnect"): Entry(channel),
    ("POST", "/api/v1/channels/{}/send"): Entry(channel, TO_CHAT),
    ("GET", "/api/v1/channels/{}/chats"): Entry(channel),
    ("GET", "/api/v1/ai_analysis_results/{}"): Entry(analysis),
    ("DELETE", "/api/v1/ai_analysis_results/{}"): Entry(analysis),
    ("GET", "/api/v1/suggestions/{}"): Entry(suggestion),
    ("PATCH", "/api/v1/suggestions/{}"): Entry(suggestion, {"status": "accepted"}),
    **document_operations("requirements", requirement, {"raw_text": "orders can be cancelled and returned"}),
    **document_operations("prd_docs", prd_doc, {"markdown_content": "# Orders and returns"}),
    **document_operations("tech_designs", tech_design, {"plantuml_code": "@startuml\n@enduml"}),
    **document_operations("api_specs", api_spec, {"title": "Shop, second edition"}),
    ("GET", "/api/v1/ai_provider_kinds/{}"): Entry(lambda _: "qwen", shared="kinds are built in"),
    ("GET", "/api/v1/alert_rules/{}"): Entry(alert_rule),
    ("PATCH", "/api/v1/alert_rules/{}"): Entry(alert_rule, {"severity": "low"}),
    ("DELETE", "/api/v1/alert_rules/{}"): Entry(alert_rule),
    ("GET", "/api/v1/alert_events/{}"): Entry(alert_event("read")),
    ("POST", "/api/v1/alert_events/{}/acknowledge"): Entry(alert_event("read")),
    ("POST", "/api/v1/alert_events/{}/resolve"): Entry(alert_event("resolved")),
    ("GET", "/api/v1/webhook_deliveries/{}"): Entry(webhook_delivery),
    ("POST", "/api/v1/webhook_deliveries/{}/retry"): Entry(webhook_delivery),
    ("DELETE", "/api/v1/webhook_deliveries/{}"): Entry(webhook_delivery),
    ("GET", "/api/v1/chat_sessions/{}/tools"): Entry(session_with_tool),
    ("PUT", "/api/v1/chat_sessions/{}/tools"): Entry(session_with_tool, {"tools": []}),
    ("POST", "/api/v1/chat_sessions/{}/tools/test"): Entry(session_with_tool, {"name": "anything"}),
    ("GET", "/api/v1/tool_calls/{}"): Entry(tool_call),
    ("GET", "/api/v1/llm_calls/{}"): Entry(llm_call),
    ("GET", "/api/v1/jobs/{}"): Entry(lambda world: plant_job(world, "queued")),
    ("POST", "/api/v1/jobs/{}/retry"): Entry(lambda world: plant_job(world, "failed")),
    ("POST", "/api/v1/jobs/{}/cancel"): Entry(lambda world: plant_job(world, "queued")),
    ("GET", "/api/v1/audit_logs/{}"): Entry(audit_log),
    ("GET", "/api/v1/journal_quarantine/{}"): Entry(plant_frame),
    ("GET", "/api/v1/roles/{}"): Entry(ROLE),
    ("PATCH", "/api/v1/roles/{}"): Entry(ROLE, {"description": "changed"}),
    ("DELETE", "/api/v1/roles/{}"): Entry(ROLE),
    ("POST", "/api/v1/users/{}/password_reset"): Entry(USER),
    ("DELETE", "/api/v1/login_sessions/{}"): Entry(login_session),
    ("GET", "/api/v1/token_issuers/{}"): Entry(TOKEN_ISSUER),
    ("PATCH", "/api/v1/token_issuers/{}"): Entry(TOKEN_ISSUER, {"is_active": False}),
    ("DELETE", "/api/v1/token_issuers/{}"): Entry(TOKEN_ISSUER),
    ("GET", "/api/v1/api_logs/{}"): Entry(api_log),
    ("GET", "/api/v1/error_logs/{}"): Entry(error_log),
    ("GET", "/api/v1/error_groups/{}"): Entry(fingerprint),
    ("GET", "/api/v1/system_config/{}"): Entry(config_key, by="operator"),
    ("PUT", "/api/v1/system_config/{}"): Entry(config_key, CONFIG, by="operator"),
    ("PATCH", "/api/v1/system_config/{}"): Entry(config_key, CONFIG, by="operator"),
    ("DELETE", "/api/v1/system_config/{}"): Entry(config_key, by="operator"),
    ("GET", "/api/v1/system_config/{}/versions"): Entry(config_key, by="operator"),
    ("POST", "/api/v1/system_config/{}/rollback"): Entry(config_key, {"version": 1}, by="operator"),
}

# Makers of rows that are listed, and have no operation that takes their id.
ONLY_LISTED = {"error_groups": error_group, "performance_metrics": metric}


def maker_of(collection: str) -> Callable[[World], str]:
    """How to make a row of a list."""
    of_row = [entry.make for (_, shape), entry in REGISTRY.items() if shape == f"/api/v1/{collection}/{{}}"]
    return ONLY_LISTED[collection] if collection in ONLY_LISTED else of_row[0]
