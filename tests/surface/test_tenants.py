"""What an operator grants a tenant, and what a new tenant starts with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import jwt
import psycopg
import pytest

from support.api import Api, assert_error, eventually
from support.deployment import deploy

SECRET = "a secret that an application signs its tokens with"


@pytest.fixture
def limited(deployment, name):
    """Makes a tenant with quotas; gives its own API and the path of its row."""

    def make(**quotas: int) -> tuple[Api, str]:
        made = deployment.api.create("tenants", {"slug": name("quota"), "quotas": quotas})
        return deployment.api.with_key(made["api_key"]["key"]), f"/api/v1/tenants/{made['id']}"

    return make


def user(called: str) -> dict[str, str]:
    return {"username": called, "email": f"{called}@example.com"}


def assert_exceeded(answer, quota: str) -> None:
    assert f"quotas.{quota}" in assert_error(answer, 403, "quota_exceeded")["message"]


def test_a_tenant_has_no_more_than_its_quotas(deployment, limited):
    api, row = limited(users=1, projects=1, api_keys=2)
    api.create("users", user("first"))
    assert_exceeded(api.call("POST", "/api/v1/users", json=user("second")), "users")
    api.create("projects", {"name": "first"})
    assert_exceeded(api.call("POST", "/api/v1/projects", json={"name": "second"}), "projects")
    second = api.create("api_keys", {"name": "second"})
    assert_exceeded(api.call("POST", "/api/v1/api_keys", json={"name": "third"}), "api_keys")
    api.call("DELETE", f"/api/v1/api_keys/{second['id']}", 204)
    api.create("api_keys", {"name": "third"})
    deployment.api.call("PATCH", row, 200, json={"quotas": {"users": 2, "projects": None}})
    api.create("users", user("second"))
    api.create("projects", {"name": "second"})


def test_an_end_user_beyond_the_quota_is_not_provisioned(limited, name):
    api, _ = limited(users=1)
    issuer = {"name": "app", "issuer": f"https://{name('issuer')}.example.com", "audience": "chat", "secret": SECRET}
    api.create("token_issuers", issuer | {"auto_create_users": True})

    def of(sub: str) -> Api:
        claims = {"iss": issuer["issuer"], "aud": "chat", "sub": sub, "exp": 4102444800}
        return api.with_key(jwt.encode(claims, SECRET, "HS256"))

    of("ann").call("GET", "/api/v1/chat_sessions", 200)
    assert_exceeded(of("bob").call("GET", "/api/v1/chat_sessions"), "users")
    of("ann").call("GET", "/api/v1/chat_sessions", 200)
    assert [row["external_id"] for row in api.all("users")] == ["ann"]


@pytest.mark.parametrize("quotas", [{"seats": 3}, {"users": -1}, {"users": "many"}, {"users": 1.5}])
def test_quotas_that_mean_nothing_are_refused(deployment, limited, name, quotas):
    assert_error(deployment.api.call("POST", "/api/v1/tenants", json={"slug": name("bad"), "quotas": quotas}), 400)
    _, row = limited(users=2)
    assert_error(deployment.api.call("PATCH", row, json={"quotas": quotas}), 400)
    assert deployment.api.get(row)["quotas"] == {"users": 2}


def test_a_tenant_does_not_change_its_own_quotas(limited):
    api, row = limited(users=2)
    assert_error(api.call("PATCH", row, json={"quotas": {"users": 9}}), 403)
    assert api.get(row)["quotas"] == {"users": 2}


def prepared(api: Api) -> dict[str, dict]:
    return {row["name"]: row for row in api.all("ai_providers")}


def test_a_new_tenant_has_inactive_providers(limited):
    api, _ = limited()
    rows = eventually(lambda: prepared(api))
    assert {name: (row["kind"], row["is_active"]) for name, row in rows.items()} == {
        "openai": ("openai", False),
        "qwen": ("qwen", False),
        "dify": ("dify", False),
    }
    assert all(row["config"].keys() == {"base_url"} for row in rows.values())
    path = f"/api/v1/ai_providers/{rows['dify']['id']}"
    assert_error(api.call("PATCH", path, json={"is_active": True}), 400, param="config.api_key")
    ready = {"is_active": True, "config": {"api_key": "app-0000000000000000"}}
    assert api.call("PATCH", path, 200, json=ready).json()["is_active"]
    taken = {"name": "dify", "kind": "openai", "config": {}}
    assert_error(api.call("POST", "/api/v1/ai_providers", json=taken), 409, "already_exists", "name")


def test_a_prepared_provider_gives_way_to_one_of_its_name(limited):
    api, _ = limited()
    rows = eventually(lambda: prepared(api))
    own = {"name": "openai", "kind": "openai", "config": {"api_key": "sk-0000000000000000"}}
    made = api.create("ai_providers", own)
    assert made["is_active"]
    assert made["id"] != rows["openai"]["id"]
    assert prepared(api).keys() == {"openai", "qwen", "dify"}
    changes = api.all("audit_logs", resource_type="ai_providers")
    changes = {(change["action"], change["resource_id"]) for change in changes}
    assert {("delete", rows["openai"]["id"]), ("create", made["id"])} <= changes


def test_the_kinds_of_provider_are_a_resource(deployment):
    api = deployment.api
    kinds = api.get("/api/v1/ai_provider_kinds")["data"]
    assert [kind["name"] for kind in kinds] == ["openai", "anthropic", "qwen", "deepseek", "ollama", "dify"]
    for kind in kinds:
        assert kind == api.get(f"/api/v1/ai_provider_kinds/{kind['name']}")
        assert kind["config_schema"]["properties"]["base_url"]
        assert kind["config_schema"]["properties"]["api_key"].get("writeOnly")
    dify = api.get("/api/v1/ai_provider_kinds/dify")
    assert dify["config_schema"]["required"] == ["api_key", "base_url"]
    assert {"tools", "documents"} <= set(dify["unsupported_features"])
    assert "tools" not in kinds[0]["unsupported_features"]
    assert dify["endpoints"] == ["/chat/completions", "/responses", "/messages", "/completions"]
    assert "/rerank" in kinds[0]["endpoints"]
    assert "rerank" not in dify["unsupported_features"]
    assert_error(api.call("GET", "/api/v1/ai_provider_kinds/pigeon"), 404)


def test_a_change_of_a_tenant_is_in_no_deadlock_with_one_that_is_audited_there(postgres):
    with deploy("postgres", postgres) as made, ThreadPoolExecutor(1) as pool:
        tenant = made.api.create("tenants", {"slug": "busy"})
        mine = made.api.with_key(tenant["api_key"]["key"])
        # The job that prepares them is a change as well.
        eventually(lambda: len(mine.all("ai_providers")) == 3)
        with psycopg.connect(postgres.database_url(made.database_name)) as audited:
            audited.execute("SELECT 1 FROM audit_heads WHERE tenant_id = %s FOR UPDATE", [tenant["id"]])
            change = pool.submit(made.api.call, "PATCH", f"/api/v1/tenants/{tenant['id']}", 200, json={"name": "Busy"})
            waiting = f"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '{made.database_name}'"
            eventually(lambda: postgres.execute(waiting)[0][0])
            # As the foreign key of the audit row does.
            audited.execute("SELECT 1 FROM tenants WHERE id = %s FOR KEY SHARE", [tenant["id"]])
        assert change.result(30).json()["name"] == "Busy"
