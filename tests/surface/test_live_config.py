"""Live configuration: validated, audited, versioned, effective at once, and reverted."""

from __future__ import annotations

import json

import pytest

from services import Loam
from support.api import Api, assert_error, eventually

KEY = "/api/v1/system_config/records.api_logs"
LIMIT = "/api/v1/system_config/system_limits.requests"


def test_every_key_is_listed_with_its_default_its_schema_and_its_source(api):
    rows = {row["config_key"]: row for row in api.get("/api/v1/system_config")["data"]}
    assert {"records.api_logs", "records.error_logs", "records.retention", "system_limits.requests"} <= rows.keys()
    for row in rows.values():
        assert row["description"], row
        assert row["value_schema"]["type"] == "object", row
        assert row["config_key"].startswith(f"{row['category']}."), row
    only = api.get("/api/v1/system_config", category="records")["data"]
    assert {row["category"] for row in only} == {"records"}


def test_a_limit_holds_as_soon_as_it_is_set_and_no_longer_once_it_is_taken_back(api, name):
    big = {"name": name(), "description": "x" * 3000}
    api.call("PUT", LIMIT, 200, json={"config_value": {"max_body_bytes": 2000}})
    assert_error(api.call("POST", "/api/v1/projects", json=big), 413, "body_too_large")
    api.call("DELETE", LIMIT, 204)
    api.create("projects", big)
    assert_error(api.call("DELETE", LIMIT), 404, "not_set")


def test_a_value_against_its_schema_is_refused_with_the_place_of_the_fault(api):
    before = api.get(KEY)
    for value, param in [
        ({"sampling": {"writes": 2}}, "config_value.sampling.writes"),
        ({"sampling": {"rites": 1}}, "config_value.sampling.rites"),
        ({"bodies": "sk-not-a-truth-value"}, "config_value.bodies"),
        ([], "config_value"),
    ]:
        error = assert_error(api.call("PUT", KEY, json={"config_value": value}), 400, param=param)
        assert "sk-not" not in error["message"]
    assert_error(api.call("PUT", KEY, json={}), 400)
    assert_error(api.call("PATCH", KEY, json={}), 400)
    assert api.get(KEY) == before


def test_an_unknown_key_is_not_found_and_a_near_one_is_named(api):
    error = assert_error(api.call("PUT", "/api/v1/system_config/records.api_log", json={"config_value": {}}), 404)
    assert "`records.api_logs`" in error["message"]


def test_null_sets_what_may_be_null_and_removes_the_rest(tenant):
    retention = "/api/v1/system_config/records.retention"
    project = tenant.create("projects", {"name": "kept"})["id"]
    value = {"error_logs_days": 5, "projects": {project: {"api_logs_days": 1}}}
    tenant.call("PUT", retention, 200, json={"config_value": value})
    change = {"api_logs_days": None, "projects": {project: {"api_logs_days": None}}}
    row = tenant.call("PATCH", retention, 200, json={"config_value": change}).json()
    assert row["config_value"]["api_logs_days"] is None, "for ever, though the instance has a limit"
    assert row["config_value"]["error_logs_days"] == 5
    assert row["config_value"]["projects"] == {project: {"api_logs_days": None}}
    row = tenant.call("PATCH", retention, 200, json={"config_value": {"projects": {project: None}}}).json()
    assert row["config_value"]["projects"] == {}
    tenant.call("PUT", KEY, 200, json={"config_value": {"bodies": True}})
    assert tenant.call("PATCH", KEY, 200, json={"config_value": {"bodies": None}}).json()["config_value"]["bodies"] is False


def test_every_version_is_kept_and_can_be_gone_back_to(api):
    key = "/api/v1/system_config/records.retention"
    for days in (10, 20):
        api.call("PUT", key, 200, json={"config_value": {"api_logs_days": days}})
    versions = api.get(f"{key}/versions")["data"]
    assert [each["new_value"]["api_logs_days"] for each in versions] == [20, 10]
    assert versions[0]["old_value"] == {"api_logs_days": 10}
    assert versions[0]["actor"].startswith("api_key:")
    back = api.call("POST", f"{key}/rollback", 200, json={"version": 1}).json()
    assert (back["version"], back["set_value"]) == (3, {"api_logs_days": 10})
    assert back["config_value"]["error_logs_days"] == back["default_value"]["error_logs_days"]
    assert_error(api.call("POST", f"{key}/rollback", json={"version": 99}), 400, param="version")
    audited = api.get("/api/v1/audit_logs", resource_type="system_config", resource_id="records.retention")["data"]
    assert [row["action"] for row in audited] == ["rollback", "update", "create"]
    api.call("DELETE", key, 204)
    assert api.get(key)["source"] == "default"


def test_a_change_with_an_old_version_in_mind_is_refused(api):
    key = "/api/v1/system_config/system_limits.database"
    tag = api.call("GET", key, 200).headers["etag"]
    body = {"config_value": {"slow_statement_ms": 300}}
    api.call("PUT", key, 200, json=body, headers={"if-match": tag})
    assert_error(api.call("PUT", key, json=body, headers={"if-match": tag}), 412, "stale_version")
    api.call("DELETE", key, 204)


def test_a_tenant_sets_its_own_and_nothing_of_the_instance(api, tenant):
    seen = {row["config_key"] for row in tenant.get("/api/v1/system_config")["data"]}
    assert "records.api_logs" in seen
    assert "system_limits.requests" not in seen
    assert_error(tenant.call("GET", LIMIT), 404)
    assert_error(tenant.call("PUT", KEY, json={"config_value": {}}, params={"level": "global"}), 403, "not_an_operator")
    made = tenant.call("PUT", KEY, 200, json={"config_value": {"sampling": {"reads": 1}}}).json()
    assert (made["source"], made["level"]) == ("tenant", "tenant")
    tenant.get("/api/v1/projects")
    eventually(lambda: tenant.get("/api/v1/api_logs", method="GET", path_prefix="/api/v1/projects")["data"])
    assert api.get(KEY)["source"] == "default"
    with_permission = tenant.create("api_keys", {"name": "reader", "scopes": ["system_config:read"]})["key"]
    assert_error(tenant.with_key(with_permission).call("PUT", KEY, json={"config_value": {}}), 403, "missing_permission")


def test_the_command_line_sets_what_a_running_server_follows_within_a_second(deployment, name):
    loam, api = deployment.loam, deployment.api
    big = {"name": name(), "description": "x" * 3000}
    loam.cli("config", "set", "system_limits.requests", '{"max_body_bytes": 2000}')
    eventually(lambda: api.call("POST", "/api/v1/projects", json=big).status_code == 413, 3)
    listed = {row["config_key"]: row for row in loam.cli_json("config", "list")}
    assert listed["system_limits.requests"]["source"] == "global"
    shown = loam.cli_json("config", "get", "system_limits.requests")
    assert shown["config_value"]["max_body_bytes"] == 2000
    loam.cli("config", "unset", "system_limits.requests")
    eventually(lambda: api.call("POST", "/api/v1/projects", json=big | {"name": name()}).status_code == 201, 3)
    history = loam.cli_json("config", "history", "system_limits.requests")
    assert history[0]["action"] == "unset"
    assert history[0]["actor"] == "command_line"
    loam.cli("config", "rollback", "system_limits.requests", str(history[1]["version"]))
    loam.cli("config", "unset", "system_limits.requests")
    done = loam.cli("config", "set", "system_limits.requests", '{"max_body_bytes": 1}', check=False)
    assert (done.returncode, "max_body_bytes" in done.stderr) == (1, True)
    done = loam.cli("config", "get", "system_limits.request", check=False)
    assert "`system_limits.requests`" in done.stderr


def test_a_tenants_value_is_set_on_the_command_line(deployment, name):
    slug = name("configured")
    deployment.tenant(slug)
    made = deployment.loam.cli_json("config", "set", "records.api_logs", '{"bodies": true}', "--tenant", slug)
    assert (made["source"], made["config_value"]["bodies"]) == ("tenant", True)
    merged = deployment.loam.cli_json("config", "set", "records.api_logs", '{"max_body_bytes": 99}', "--merge", "--tenant", slug)
    assert merged["set_value"] == {"bodies": True, "max_body_bytes": 99}


def test_what_was_set_holds_after_a_restart(loam):
    loam.start()
    api = Api(loam.url, loam.key)
    api.call("PUT", LIMIT, 200, json={"config_value": {"max_body_bytes": 2000}})
    loam.kill9()
    loam.start()
    assert_error(Api(loam.url, loam.key).call("POST", "/api/v1/projects", json={"name": "x" * 3000}), 413)


def test_a_bare_word_is_no_value(loam: Loam):
    loam.start()
    done = loam.cli("config", "set", "records.api_logs", "yes", check=False)
    assert (done.returncode, "JSON" in done.stderr) == (1, True)
    assert json.loads(loam.cli("config", "list", "--json").stdout)


@pytest.mark.parametrize("words", [("config",), ("config", "set", "records.api_logs"), ("config", "rollback", "x", "y")])
def test_wrong_use_is_told(loam, words):
    assert loam.cli(*words, check=False).returncode == 2
