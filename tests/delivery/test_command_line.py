"""`loam requirement`, `loam prd`, `loam design` and `loam spec`, on the database and at a server."""

from __future__ import annotations

import json

import pytest

from .conftest import DESIGN, MARKDOWN, SPEC

pytestmark = pytest.mark.one_database


def test_documents_are_written_from_the_command_line(deployment, name, tmp_path):
    cli = deployment.loam.cli_json
    project = deployment.api.create("projects", {"name": name()})["id"]
    requirement = cli("requirement", "add", "--project", project, "--text", "orders can be cancelled")
    assert (requirement["version"], requirement["title"]) == (1, "orders can be cancelled")
    file = tmp_path / "prd.md"
    file.write_text(MARKDOWN)
    prd = cli("prd", "add", "--of", requirement["id"], "--file", str(file))
    design = cli("design", "add", "--of", prd["id"], "--file", "-", stdin=json.dumps(DESIGN))
    assert design["architecture"] == DESIGN["architecture"]
    spec = cli("spec", "add", "--of", design["id"], "--text", json.dumps(SPEC), "--title", "Orders")
    assert (spec["title"], spec["openapi_spec"], spec["project_id"]) == ("Orders", SPEC, project)
    words = ["--text", "orders can be returned too", "--message", "returns"]
    edited = cli("requirement", "edit", requirement["id"], "--base", "1", *words)
    assert (edited["version"], edited["raw_text"]) == (2, "orders can be returned too")
    refused = deployment.loam.cli("requirement", "edit", requirement["id"], "--base", "1", *words, check=False)
    assert refused.returncode == 1
    assert "current version is 2" in refused.stderr
    assert [row["message"] for row in cli("requirement", "versions", requirement["id"])] == ["returns", None]
    assert cli("requirement", "show", requirement["id"], "--version", "1")["content"]["raw_text"] == "orders can be cancelled"
    (change,) = cli("requirement", "diff", requirement["id"], "1", "2")["changes"]
    assert (change["path"], change["to"]) == ("/raw_text", "orders can be returned too")
    assert cli("requirement", "restore", requirement["id"], "1", "--base", "2")["version"] == 3
    assert cli("requirement", "status", requirement["id"], "in_review", "--base", "3")["status"] == "in_review"
    listed = cli("requirement", "list", "--project", project, "--status", "in_review")
    assert [row["id"] for row in listed] == [requirement["id"]]
    assert "orders can be cancelled" in deployment.loam.cli("requirement", "list", "--project", project).stdout
    deployment.loam.cli("requirement", "delete", requirement["id"])
    assert cli("spec", "list", "--project", project) == []
