"""What operators do with the system: its configuration, what was rejected, the audit trail, erasures, channels and jobs."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from console.conftest import Console
from support.api import eventually
from support.deployment import Deployment

pytestmark = pytest.mark.one_database


def test_a_setting_is_changed_compared_and_rolled_back(console: Console, deployment: Deployment):
    key = "records.api_logs"
    page = console.open(f"/configuration/{key}")
    reads = page.get_by_role("spinbutton", name="Requests that read")
    for value in ("0.25", "0.5"):
        reads.fill(value)
        page.get_by_role("button", name="Save").click()
        # Not only while it is being saved.
        expect(page.locator("button:disabled:not([aria-busy])", has_text="Save")).to_be_visible()
        expect(reads).to_have_value(value)
    assert deployment.api.get(f"/api/v1/system_config/{key}")["set_value"] == {"sampling": {"reads": 0.5}}

    page.get_by_role("tab", name="History").click()
    for version in (1, 2):
        page.get_by_role("checkbox", name=f"Select Version {version}").check()
    page.get_by_role("button", name="Compare").click()
    dialog = page.get_by_role("dialog", name="From version 1 to version 2")
    changed = dialog.get_by_role("row").filter(has_text="sampling.reads")
    expect(changed.get_by_role("cell")).to_have_text(["0.25", "0.5"])
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Roll back to version 1").click()
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("cell", name="Rolled back")).to_be_visible()
    assert deployment.api.get(f"/api/v1/system_config/{key}")["set_value"] == {"sampling": {"reads": 0.25}}

    # What the schema refuses stands at its field.
    page.get_by_role("tab", name="Value").click()
    page.get_by_role("spinbutton", name="Longest body (bytes)").fill("9999999")
    page.locator("form").first.evaluate("form => { form.noValidate = true }")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("1048576")
    expect(page.get_by_role("spinbutton", name="Longest body (bytes)")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Discard").click()
    page.get_by_role("button", name="Reset all").click()
    page.get_by_role("dialog").get_by_role("button", name="Reset all").click()
    expect(page.get_by_role("button", name="Restore the last value")).to_be_visible()


def test_the_first_change_of_a_setting_is_undone(console: Console, deployment: Deployment):
    key = "conversation.turns"
    page = console.open(f"/configuration/{key}")
    page.get_by_label(re.compile("^Rounds of tool calls")).fill("4")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("tab", name="History").click()
    page.get_by_role("button", name="Undo this change").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("cell", name="Reset")).to_be_visible()
    setting = deployment.api.get(f"/api/v1/system_config/{key}")
    assert (setting["is_active"], setting["config_value"]["tool_rounds"]) == (False, 8)


def test_retention_is_set_for_a_project(console: Console, deployment: Deployment):
    project = deployment.api.create("projects", {"name": "Short memory"})
    page = console.open("/configuration?tab=retention")
    page.get_by_role("button", name="Add a project").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Project").select_option("Short memory")
    dialog.get_by_label("Model calls (days)", exact=True).fill("7")
    dialog.get_by_role("button", name="Create").click()
    expect(page.get_by_role("row").filter(has_text="Short memory")).to_contain_text("7 days")
    kept = deployment.api.get("/api/v1/system_config/records.retention")["config_value"]["projects"]
    assert kept == {project["id"]: {"llm_calls_days": 7}}


def edit(page: Page, change) -> None:
    editor = page.get_by_label("Content", exact=True)
    editor.fill(json.dumps(change(json.loads(editor.input_value())), indent=2))


def test_a_rejected_record_is_corrected_and_replayed(console: Console, deployment: Deployment):
    project = deployment.api.create("projects", {"name": "Shop"})
    record = {
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "timestamp": time.time(),
        "request_info": {"method": "GET", "path": "/orders/12"},
        "response_info": {"status_code": "abc"},
        "performance_metrics": {"total_duration": 0.2},
        "function_calls": [],
    }
    deployment.api.call("POST", f"/api/v1/ingest/records?project={project['id']}", 400, json={"records": [record]})
    page = console.open("/rejected-records")
    page.get_by_role("row").filter(has_text="response_info.status_code").get_by_role("link").first.click()
    editor = page.get_by_label("Content", exact=True)
    expect(page.get_by_role("alert")).to_contain_text("response_info.status_code")
    page.get_by_role("button", name=re.compile("Go to line")).click()
    selected = editor.evaluate("area => area.value.slice(area.selectionStart, area.selectionEnd)")
    assert selected == '"abc"'

    # The next fault is shown in place of the first.
    edit(
        page, lambda content: content | {"response_info": {"status_code": 200}, "performance_metrics": {"total_duration": "long"}}
    )
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("total_duration")
    edit(page, lambda content: content | {"performance_metrics": {"total_duration": 0.2}})
    page.get_by_role("button", name="Check and replay").click()
    expect(page.get_by_text("replayed", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Open the records of its trace")).to_be_visible()
    eventually(lambda: deployment.api.all("performance_records", project_id=project["id"]))


def test_the_audit_chain_is_read_verified_and_exported(console: Console, deployment: Deployment):
    project = deployment.api.create("projects", {"name": "Before"})
    deployment.api.call("PATCH", f"/api/v1/projects/{project['id']}", 200, json={"name": "Afterwards"})
    page = console.open(f"/audit-log?resource_id={project['id']}&action=update")
    page.get_by_role("row").filter(has_text="projects").get_by_role("link").first.click()
    changed = page.get_by_role("region", name="What changed").get_by_role("row").filter(has_text="name")
    expect(changed.get_by_role("cell").first).to_have_text("Before")
    expect(changed.get_by_role("cell").last).to_have_text("Afterwards")

    page.get_by_role("link", name="Audit log").first.click()
    page.get_by_role("button", name="Verify the chain").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Verify", exact=True).click()
    expect(dialog.get_by_text("The chain is sound")).to_be_visible()
    head = deployment.api.get("/api/v1/audit_logs/verify")["head"]
    expect(dialog.get_by_text(head)).to_be_visible()
    # A head that the chain doesn't hold reveals one that was rewritten.
    dialog.get_by_label("A head noted earlier (optional)").fill("1:" + "0" * 64)
    dialog.get_by_role("button", name="Verify", exact=True).click()
    expect(dialog.get_by_text("The chain is broken")).to_be_visible()
    page.keyboard.press("Escape")

    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export the chain").click()
    rows = [json.loads(line) for line in Path(downloading.value.path()).read_text().splitlines()]
    assert project["id"] in {row.get("resource_id") for row in rows}


def test_a_person_is_exported_erased_and_has_a_receipt(console: Console, deployment: Deployment):
    user = deployment.api.create("users", {"username": "bob", "email": "bob@example.com", "external_id": "bob-of-sales"})
    page = console.open("/erasures")
    page.get_by_role("button", name="Erase…").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="ID", exact=True).fill("bob-of-sales")
    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Export the data").click()
    places = [json.loads(line).get("place") for line in Path(downloading.value.path()).read_text().splitlines()]
    assert "users" in places
    erase = dialog.get_by_role("button", name="Erase now")
    dialog.get_by_label("Type the ID again to confirm").fill("bob")
    expect(erase).to_be_disabled()
    dialog.get_by_label("Type the ID again to confirm").fill("bob-of-sales")
    erase.click()

    expect(page.get_by_text("completed", exact=True)).to_be_visible()
    expect(page.get_by_role("table", name="What stays, and why")).to_contain_text("llm_calls")
    deployment.api.call("GET", f"/api/v1/users/{user['id']}", 404)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download the receipt").click()
    receipt = json.loads(Path(downloading.value.path()).read_text())
    assert receipt["receipt"]["subject"]["type"] == "end_user"
    assert receipt["jws"].count(".") == 2


def test_a_channel_is_made_and_its_secret_shown_once(console: Console, deployment: Deployment):
    page = console.open("/channels")
    page.get_by_role("button", name="New channel").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("support")
    dialog.get_by_label("Kind").select_option("webhook")
    dialog.get_by_label("A model replies to each message").uncheck()
    dialog.get_by_role("button", name="Create").click()
    shown = page.get_by_role("dialog", name="The signing secret, shown only now")
    secret = shown.get_by_label("Signing secret").inner_text()
    page.get_by_role("button", name="I have stored it").click()
    channel = deployment.api.all("channels")[0]
    assert secret.endswith(channel["secret"]["last4"])
    expect(page.get_by_label("Where messages arrive")).to_contain_text(f"/api/v1/channels/{channel['id']}/events")
    assert secret not in page.content()


def test_jobs_of_the_instance_are_listed(console: Console, deployment: Deployment):
    page = console.open("/jobs?instance=true")
    page.get_by_label("State").select_option("succeeded")
    page.wait_for_url("**/jobs?*state=succeeded*")
    expect(page.locator("td[data-label=State]").filter(has_not_text="succeeded")).to_have_count(0)
    page.get_by_role("table").get_by_role("link").first.click()
    page.wait_for_url("**/jobs/*")
    expect(page.get_by_text("succeeded", exact=True)).to_be_visible()
    expect(page.get_by_text("Instance", exact=True)).to_be_visible()
