"""Verifying the audit trail online and offline, after tampering in the database or in an export."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.api import Api, assert_error, eventually
from support.deployment import Deployment


@pytest.fixture
def trail(deployment: Deployment, name: Callable[[str], str]) -> tuple[str, Api]:
    """A tenant with nine audited changes, including those that a new tenant has."""
    slug = name("audited")
    api = deployment.tenant(slug)
    eventually(lambda: api.all("ai_providers"))
    while len(api.all("audit_logs")) < 9:
        user(api, name("user"))
    return slug, api


def test_an_update_records_the_row_as_it_is_and_names_what_is_not_shown(deployment: Deployment, tenant: Api, name):
    project = tenant.create("projects", {"name": name("project"), "framework": "flask"})
    tenant.call("PATCH", f"/api/v1/projects/{project['id']}", 200, json={"description": "of somebody's own"})
    (row,) = tenant.all("audit_logs", resource_id=project["id"], action="update")
    assert {"name": project["name"], "framework": "flask", "fields": ["description"]}.items() <= row["changes"].items()
    assert row["changes"]["config"]
    assert "somebody" not in str(row["changes"])
    slug = name("changed")
    deployment.tenant(slug)
    made = next(each for each in deployment.api.all("tenants") if each["slug"] == slug)
    deployment.api.call("PATCH", f"/api/v1/tenants/{made['id']}", 200, json={"quotas": {"users": 7}, "metadata": {"a": 1}})
    found = deployment.api.call("GET", "/api/v1/audit_logs", 200, headers={"x-loam-tenant": slug}, params={"action": "update"})
    (changes,) = [each["changes"] for each in found.json()["data"] if each["resource_type"] == "tenants"]
    expected = {"name": made["name"], "status": "active", "plan": None, "fields": ["metadata"]}
    assert expected.items() <= changes.items()
    assert changes["quotas"]["users"] == 7


def user(api: Api, called: str) -> None:
    """An audited change that causes no other."""
    api.create("users", {"username": called, "email": f"{called}@example.com"})


def sql(deployment: Deployment, statement: str) -> None:
    if deployment.database == "sqlite":
        with closing(sqlite3.connect(deployment.loam.data / "loam.db", timeout=10)) as connection, connection:
            assert connection.execute(statement).rowcount > 0
    else:
        deployment.postgres.execute(f"{statement} RETURNING 1", deployment.database_name)


def tenant_of(deployment: Deployment, slug: str) -> str:
    made = next(row["id"] for row in deployment.api.all("tenants") if row["slug"] == slug)
    return f"X'{made.replace('-', '')}'" if deployment.database == "sqlite" else f"'{made}'"


def verify(deployment: Deployment, slug: str, *words: str) -> tuple[int, dict]:
    done = deployment.loam.cli("audit", "verify", "--tenant", slug, "--json", *words, check=False)
    return done.returncode, json.loads(done.stdout)[0]


def export(deployment: Deployment, slug: str, folder: Path) -> Path:
    out = folder / f"{len(list(folder.iterdir()))}.jsonl"
    deployment.loam.cli("audit", "export", "--tenant", slug, "--out", str(out))
    return out


def verify_file(deployment: Deployment, file: Path, *words: str) -> tuple[int, dict]:
    done = deployment.loam.cli("audit", "verify", "--file", str(file), "--json", *words, check=False)
    return done.returncode, json.loads(done.stdout)[0]


def test_an_untouched_trail_is_intact_on_line_and_off_line(deployment, trail, tmp_path):
    slug, api = trail
    code, found = verify(deployment, slug)
    assert (code, found["ok"], found["rows"], found["faults"]) == (0, True, 9, [])
    out = export(deployment, slug, tmp_path)
    assert out.stat().st_mode & 0o077 == 0
    code, exported = verify_file(deployment, out, "--expect-head", found["head"])
    assert (code, exported["ok"], exported["head"]) == (0, True, found["head"])
    by_api = api.get("/api/v1/audit_logs/verify", expect_head=found["head"])
    assert (by_api["ok"], by_api["complete"], by_api["head"]) == (True, True, found["head"])
    streamed = api.call("GET", "/api/v1/audit_logs/export", 200)
    assert streamed.headers["content-type"] == "application/x-ndjson"
    assert streamed.content == out.read_bytes()
    assert deployment.loam.cli("audit", "verify").returncode == 0
    done = deployment.loam.cli("audit", "export", "--tenant", slug, "--out", str(out), check=False)
    assert done.returncode == 1, "an export that is there is not written over"


@pytest.mark.parametrize(
    ("statement", "place", "said"),
    [
        ("UPDATE audit_logs SET actor = 'system:x' WHERE tenant_id = {} AND sequence = 4", 4, "has been changed"),
        ("DELETE FROM audit_logs WHERE tenant_id = {} AND sequence = 5", 5, "row 5 is missing"),
        ("UPDATE audit_logs SET sequence = 7 - sequence WHERE tenant_id = {} AND sequence IN (3, 4)", 3, "row 3"),
        ("DELETE FROM audit_logs WHERE tenant_id = {} AND sequence > 7", 8, "the tail is cut"),
    ],
    ids=["changed", "removed", "swapped", "cut"],
)
def test_what_was_done_in_the_database_is_found_and_the_place_named(deployment, trail, tmp_path, statement, place, said):
    slug, api = trail
    sql(deployment, statement.format(tenant_of(deployment, slug)))
    code, found = verify(deployment, slug)
    assert code == 1
    assert (found["ok"], found["faults"][0]["sequence"]) == (False, place), found
    assert said in found["faults"][0]["what"], found
    by_api = api.get("/api/v1/audit_logs/verify")
    assert by_api["faults"] == found["faults"]
    code, exported = verify_file(deployment, export(deployment, slug, tmp_path))
    assert (code, exported["ok"]) == (1, False)
    assert exported["faults"][0]["sequence"] == place, exported
    everything = deployment.loam.cli("audit", "verify", check=False)
    assert (everything.returncode, f"{slug}: BROKEN" in everything.stdout) == (1, True)


def test_what_was_done_to_an_export_is_found(deployment, trail, tmp_path):
    slug, _ = trail
    whole = export(deployment, slug, tmp_path).read_text()
    lines = whole.splitlines(keepends=True)
    forged = {
        "changed": whole.replace('"action":"create"', '"action":"delete"', 1),
        "removed": "".join(lines[:4] + lines[5:]),
        "swapped": "".join([*lines[:4], lines[5], lines[4], *lines[6:]]),
        "cut": "".join(lines[:-3]),
        "cut_before_its_last_line": "".join([*lines[:-3], lines[-1]]),
        "appended": whole + lines[3],
    }
    for how, text in forged.items():
        assert text != whole, how
        file = tmp_path / f"{how}.jsonl"
        file.write_text(text)
        code, found = verify_file(deployment, file)
        assert (code, found["ok"]) == (1, False), how
        assert found["faults"], how


def test_a_head_noted_earlier_must_still_be_in_the_chain(deployment, trail, name):
    slug, api = trail
    _, found = verify(deployment, slug)
    user(api, name("later"))
    assert verify(deployment, slug, "--expect-head", found["head"])[0] == 0
    forged = found["head"][:-1] + ("0" if found["head"][-1] != "0" else "1")
    code, refused = verify(deployment, slug, "--expect-head", forged)
    assert (code, "previously noted head" in refused["faults"][0]["what"]) == (1, True)
    assert_error(api.call("GET", "/api/v1/audit_logs/verify", params={"expect_head": "nonsense"}), 400, param="expect_head")
    assert_error(api.call("GET", "/api/v1/audit_logs/verify", params={"from_sequence": 99}), 400, param="from_sequence")
    assert api.get("/api/v1/audit_logs/verify", from_sequence=4)["rows"] == 6
    assert deployment.loam.cli("audit", "verify", "--expect-head", found["head"], check=False).returncode == 1


def test_what_is_no_export_is_refused(deployment, tmp_path):
    file = tmp_path / "other.jsonl"
    file.write_text('{"some": "thing"}\n')
    done = deployment.loam.cli("audit", "verify", "--file", str(file), check=False)
    assert (done.returncode, "is no export" in done.stderr) == (1, True)


def test_the_state_of_the_database_is_told_to_operators(deployment, trail):
    api = deployment.api
    status = api.get("/api/v1/database")
    assert (status["backend"], status["pending"]) == (deployment.database, 0)
    assert status["size_bytes"] > 0
    assert status["version"]
    assert {part["table"] for part in status["partitions"]} == {
        "llm_calls",
        "audit_logs",
        "api_logs",
        "error_logs",
        "messages",
        "tool_calls",
        "performance_records",
        "call_trees",
        "record_functions",
        "ai_analysis_results",
        "performance_metrics",
    }
    assert status["nodes"][0]["position"] >= 0
    assert status["journal"]["undrained_bytes"] >= 0
    told = deployment.loam.cli_json("db", "status")
    assert (told["backend"], told["migrations"], told["journal"]) == (status["backend"], status["migrations"], None)
    assert "0 pending" in deployment.loam.cli("db", "status").stdout
    _, tenant = trail
    assert_error(tenant.call("GET", "/api/v1/database"), 403, "not_an_operator")
