"""Tools of a session: declaration, execution over HTTP, and the record of every call."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services import Loam
from support.api import Api, assert_error, eventually
from support.toolserver import ToolServer

HEADER_SECRET = "sk-tool-header-5a1f09c3e7d2"
SIGNING_SECRET = "tool-signing-secret-91b7c2"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}


@pytest.fixture
def server() -> Iterator[ToolServer]:
    with ToolServer() as made:
        yield made


@pytest.fixture
def session(tenant: Api) -> str:
    return tenant.create("chat_sessions", {"title": "with tools"})["id"]


def weather(url: str, **execution: Any) -> dict[str, Any]:
    function = {"name": "weather", "description": "The weather in a city.", "parameters": CITY}
    return {"type": "function", "function": function, "execution": {"kind": "http", "url": url} | execution}


def tools_of(session: str) -> str:
    return f"/api/v1/chat_sessions/{session}/tools"


def declare(api: Api, session: str, *tools: dict[str, Any], expect: int | None = 200, **options: Any) -> Any:
    return api.call("PUT", tools_of(session), expect, json={"tools": list(tools)}, **options)


def use(api: Api, session: str, arguments: Any = None, name: str = "weather", expect: int | None = 200) -> Any:
    arguments = {"city": "Oslo"} if arguments is None else arguments
    return api.call("POST", f"{tools_of(session)}/test", expect, json={"name": name, "arguments": arguments})


def last_use(api: Api, session: str) -> dict[str, Any]:
    newest = api.get("/api/v1/tool_calls", session_id=session)["data"][0]
    return api.get(f"/api/v1/tool_calls/{newest['id']}")


def test_tools_are_declared_together_and_read_back(tenant, session):
    assert tenant.get(tools_of(session)) == {"tools": []}
    client = {"function": {"name": "ask_user", "strict": True}}
    first = declare(tenant, session, weather("http://127.0.0.1:9/"), client)
    tools = first.json()["tools"]
    assert [tool["function"]["name"] for tool in tools] == ["weather", "ask_user"]
    assert tools[0]["execution"] == {
        "kind": "http",
        "url": "http://127.0.0.1:9/",
        "method": "POST",
        "timeout_ms": 30_000,
        "max_bytes": 262_144,
    }
    assert tools[1]["execution"] == {"kind": "client"}
    assert tools[1]["function"]["parameters"] == {"type": "object", "properties": {}}
    read = tenant.call("GET", tools_of(session), 200)
    assert (read.json(), read.headers["etag"]) == (first.json(), first.headers["etag"])
    declare(tenant, session, client, headers={"if-match": first.headers["etag"]})
    assert_error(declare(tenant, session, expect=None, headers={"if-match": first.headers["etag"]}), 412)
    assert len(tenant.get(tools_of(session))["tools"]) == 1
    declare(tenant, session)
    assert tenant.get(tools_of(session)) == {"tools": []}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"type": "web_search"}, "tools[0].type"),
        ({"function": {"name": "two words"}}, "tools[0].function.name"),
        ({"function": {"name": ""}}, "tools[0].function.name"),
        ({"function": {"name": "f", "parameters": {"type": "strnig"}}}, "tools[0].function.parameters"),
        (
            {"function": {"name": "f", "parameters": {"properties": {"a": {"type": 1}}}}},
            "tools[0].function.parameters.properties.a",
        ),
        ({"function": {"name": "f", "parameters": {"properties": {"a": {"$ref": "#"}}}}}, "tools[0].function.parameters"),
        ({"function": {"name": "f", "parameters": {"description": "x" * 20_000}}}, "tools[0].function.parameters"),
        ({"function": {"name": "f", "description": "x" * 5_000}}, "tools[0].function.description"),
        ({"execution": {"kind": "shell"}}, "tools[0].execution"),
        ({"execution": {"kind": "client", "url": "http://127.0.0.1/"}}, "tools[0].execution"),
        ({"execution": {"kind": "http"}}, "url"),
        ({"execution": {"kind": "http", "url": "ftp://127.0.0.1/"}}, "tools[0].execution.url"),
        ({"execution": {"kind": "http", "url": "http://169.254.169.254/"}}, "tools[0].execution.url"),
        ({"execution": {"kind": "http", "url": "http://u:p@127.0.0.1/"}}, "tools[0].execution.url"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "timeout_ms": 1}}, "tools[0].execution.timeout_ms"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "max_bytes": 2 << 20}}, "tools[0].execution.max_bytes"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "secret": "short"}}, "tools[0].execution.secret"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "headers": {"host": "x"}}}, "headers.host"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "headers": {"x-loam-signature": "x"}}}, "headers"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "headers": {"x": "a\r\nb: c"}}}, "headers.x"),
        ({"execution": {"kind": "http", "url": "http://127.0.0.1/", "method": "GET"}}, "tools[0].execution"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_invalid_tool_is_rejected_with_its_field_and_changes_nothing(tenant, session, change, param):
    declare(tenant, session, weather("http://127.0.0.1:9/"))
    tool = {"type": "function", "function": {"name": "f"}, "execution": {"kind": "http", "url": "http://127.0.0.1/"}} | change
    assert_error(declare(tenant, session, tool, expect=None), 400, param=param)
    assert [each["function"]["name"] for each in tenant.get(tools_of(session))["tools"]] == ["weather"]


def test_there_are_at_most_128_tools_with_unique_names(tenant, session):
    many = [{"function": {"name": f"f{number}"}} for number in range(129)]
    assert_error(declare(tenant, session, *many, expect=None), 400, param="tools")
    declare(tenant, session, *many[:128])
    assert_error(declare(tenant, session, many[0], many[0], expect=None), 400, param="tools[1].function.name")


def test_a_tools_secrets_are_sealed_and_masked_and_a_masked_secret_keeps_its_value(tenant, session, server):
    secret = {"headers": {"authorization": f"Bearer {HEADER_SECRET}", "x-team": "weather-people"}, "secret": SIGNING_SECRET}
    answer = declare(tenant, session, weather(server.url, **secret))
    shown = answer.json()["tools"][0]
    assert shown["execution"]["headers"]["authorization"] == {"sealed": True, "last4": HEADER_SECRET[-4:]}
    assert shown["execution"]["secret"] == {"sealed": True, "last4": SIGNING_SECRET[-4:]}
    configs = f"/api/v1/chat_sessions/{session}/configs"
    for text in (answer.text, tenant.call("GET", tools_of(session)).text, tenant.call("GET", configs).text):
        assert HEADER_SECRET not in text
        assert SIGNING_SECRET not in text
        assert '"v1.' not in text, "the sealed value is not shown either"
    shown["function"]["description"] = "changed"
    declare(tenant, session, shown)
    assert use(tenant, session).json() == {"content": "rain, 11 degrees", "is_error": False}
    assert server.used[0].headers["authorization"] == f"Bearer {HEADER_SECRET}"
    assert server.used[0].headers["x-team"] == "weather-people"
    trail = str(tenant.all("audit_logs", resource_type="session_configs"))
    assert HEADER_SECRET not in trail
    assert "weather" in trail


def test_a_stored_secret_is_not_sent_to_another_server(tenant, session, server):
    """Permission to change a tool must not reveal its secrets."""
    shown = declare(tenant, session, weather(server.url, secret=SIGNING_SECRET)).json()["tools"][0]
    shown["execution"]["url"] = f"http://localhost:{server.port}/"
    assert_error(declare(tenant, session, shown, expect=None), 400, param="tools[0].execution.secret")
    shown["execution"]["url"] = f"{server.url}/elsewhere"
    declare(tenant, session, shown)
    masked = {"sealed": True, "last4": "abcd"}
    assert_error(declare(tenant, session, weather(server.url, headers={"x": masked}), expect=None), 400, param="headers.x")


def test_tools_can_not_be_set_as_a_setting(tenant, session):
    url = f"/api/v1/chat_sessions/{session}/configs/tools"
    error = assert_error(tenant.call("PUT", url, json={"value": [{"type": "function"}]}), 400)
    assert "/tools" in error["message"]


def test_a_tool_receives_the_signed_arguments(tenant, session, server):
    declare(tenant, session, weather(f"{server.url}/run", secret=SIGNING_SECRET, method="PUT"))
    outcome = use(tenant, session).json()
    assert outcome == {"content": "rain, 11 degrees", "is_error": False}
    [asked] = server.used
    row = last_use(tenant, session)
    assert (asked.method, asked.path, asked.headers["content-type"]) == ("PUT", "/run", "application/json")
    assert asked.json == {
        "tool": "weather",
        "arguments": {"city": "Oslo"},
        "session_id": session,
        "turn_id": None,
        "tool_call_id": row["call_id"],
    }
    stamp = asked.headers["x-loam-timestamp"]
    assert abs(time.time() - int(stamp)) < 300
    expected = hmac.new(SIGNING_SECRET.encode(), f"{stamp}.".encode() + asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["x-loam-signature"] == f"v1={expected}"


def test_every_tool_call_is_recorded(tenant, session, server):
    declare(
        tenant, session, weather(server.url), {"function": {"name": "other"}, "execution": {"kind": "http", "url": server.url}}
    )
    use(tenant, session)
    use(tenant, session, {}, name="other")
    use(tenant, session, {"city": 1})
    rows = tenant.get("/api/v1/tool_calls", session_id=session)["data"]
    assert [(row["tool_name"], row["status"]) for row in rows] == [
        ("weather", "failed"),
        ("other", "succeeded"),
        ("weather", "succeeded"),
    ]
    assert all("tool_args" not in row and "result" not in row for row in rows), "lists omit these"
    first = tenant.get(f"/api/v1/tool_calls/{rows[2]['id']}")
    assert (first["tool_args"], first["result"], first["error_message"]) == ({"city": "Oslo"}, "rain, 11 degrees", None)
    assert first["duration_ms"] >= 0
    for filters, count in (
        ({"tool_name": "other"}, 1),
        ({"status": "failed"}, 1),
        ({"status": "waiting"}, 0),
        ({"created_before": rows[2]["created_at"]}, 0),
        ({"created_after": rows[2]["created_at"]}, 3),
        ({"llm_call_id": rows[2]["id"]}, 0),
    ):
        assert len(tenant.all("tool_calls", session_id=session, **filters)) == count, filters


@pytest.mark.parametrize(
    ("path", "execution", "said", "status"),
    [
        ("/never", {"timeout_ms": 300}, "300 ms", "timed_out"),
        ("/status/503", {}, "status 503: out of order", "failed"),
        ("/moved", {}, "status 302", "failed"),
        ("/bytes/2000", {"max_bytes": 1999}, "longer than 1999 bytes", "failed"),
    ],
    ids=["silent", "failing", "redirecting", "too long"],
)
def test_a_failed_tool_call_gives_the_model_an_error_text(tenant, session, server, path, execution, said, status):
    declare(tenant, session, weather(server.url + path, **execution))
    outcome = use(tenant, session).json()
    assert outcome["is_error"]
    assert said in outcome["content"]
    row = last_use(tenant, session)
    assert (row["status"], row["error_message"]) == (status, outcome["content"])
    assert "result" not in row
    assert len(server.used) == 1, "a redirect is not followed"


def test_a_result_of_the_maximum_size_is_accepted(tenant, session, server):
    declare(tenant, session, weather(f"{server.url}/bytes/2000", max_bytes=2000))
    assert use(tenant, session).json() == {"content": "x" * 2000, "is_error": False}


@pytest.mark.parametrize("arguments", [{"city": 5}, {}, {"city": "Oslo", "country": "Norway"}, [], "Oslo"], ids=str)
def test_invalid_arguments_never_reach_the_tool(tenant, session, server, arguments):
    declare(tenant, session, weather(server.url))
    outcome = use(tenant, session, arguments).json()
    assert outcome["is_error"]
    assert "don't match" in outcome["content"]
    assert server.used == []


def test_an_unknown_tool_or_a_client_tool_can_not_be_tested(tenant, session):
    declare(tenant, session, {"function": {"name": "ask_user"}})
    assert_error(use(tenant, session, name="none", expect=None), 400, param="name")
    assert_error(use(tenant, session, name="ask_user", expect=None), 400, param="name")
    tenant.call("PATCH", f"/api/v1/chat_sessions/{session}", 200, json={"status": "archived"})
    assert_error(declare(tenant, session, expect=None), 409, "session_archived")
    assert tenant.all("tool_calls", session_id=session) == []


def test_an_internal_address_is_refused_unless_an_operator_allows_it(server, tmp_path):
    with Loam(data=tmp_path / "data") as loam:
        session = Api(loam.url, loam.key).create("chat_sessions", {})["id"]
        declare(Api(loam.url, loam.key), session, weather(server.url))
    with Loam(data=tmp_path / "data", env={"LOAM_OUTGOING__ALLOW_NETWORKS": "[]"}) as loam:
        api = Api(loam.url, loam.key)
        for url in (server.url, f"http://localhost:{server.port}/", "http://10.0.0.1/", "http://[::1]/"):
            assert_error(declare(api, session, weather(url), expect=None), 400, param="tools[0].execution.url")
        # The address is checked again when the tool is called.
        outcome = use(api, session).json()
        assert outcome["is_error"]
        assert server.used == []


def make_user(tenant: Api, name: str) -> tuple[dict[str, Any], Api]:
    """An end user with a key of their own."""
    body = {"username": name, "email": f"{name}@example.com", "password": "a-long-enough-password-1", "roles": ["user"]}
    made = tenant.create("users", body)
    scopes = ["chat_sessions:read", "chat_sessions:write", "turns:write", "tool_calls:read"]
    key = tenant.create("api_keys", {"name": name, "scopes": scopes, "user_id": made["id"]})
    return made, tenant.with_key(key["key"])


def test_an_end_user_declares_no_server_side_tools_and_sees_only_their_own_calls(tenant, name, server):
    (ann, anns), (_, bobs) = make_user(tenant, name("ann")), make_user(tenant, name("bob"))
    session = tenant.create("chat_sessions", {"user_id": ann["id"]})["id"]
    assert_error(declare(anns, session, weather(server.url), expect=None), 403, param="tools[0].execution")
    declare(anns, session, {"function": {"name": "ask_user"}})
    declare(tenant, session, weather(server.url))
    use(anns, session)
    [row] = anns.all("tool_calls")
    assert row["user_id"] == ann["id"]
    assert bobs.all("tool_calls") == []
    assert bobs.all("tool_calls", session_id=session) == []
    for method, path, body in (
        ("GET", f"/api/v1/tool_calls/{row['id']}", None),
        ("GET", tools_of(session), None),
        ("PUT", tools_of(session), {"tools": []}),
        ("POST", f"{tools_of(session)}/test", {"name": "weather"}),
    ):
        assert_error(bobs.call(method, path, json=body), 404)
    assert len(tenant.all("tool_calls")) == 1


def test_tool_calls_are_deleted_with_their_session(tenant, session, server):
    declare(tenant, session, weather(server.url))
    use(tenant, session)
    tenant.call("DELETE", f"/api/v1/chat_sessions/{session}", 204)
    eventually(lambda: tenant.all("tool_calls", session_id=session) == [])
