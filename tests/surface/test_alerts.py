"""Alerts: opened once and resolved once, with one notification each, by webhook and e-mail."""

from __future__ import annotations

import pytest

from services import Loam
from support.api import Api, assert_error, eventually
from support.certificates import Authority, make_authority
from support.mail import MailServer
from support.platforms import Receiver, set_deliveries, sign

FAST = {"first_pause_ms": 20, "longest_pause_ms": 50}
# A rule is evaluated at once, and then every 8 seconds: its interval without the tolerance.
PATIENCE = 60


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


@pytest.fixture
def mails():
    with MailServer() as made:
        yield made


@pytest.fixture
def writing(mails):
    """A Loam that sends e-mail, on SQLite."""
    with Loam(env=mails.env) as made:
        api = Api(made.url, made.key)
        set_deliveries(api, **FAST)
        yield made, api


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


def quiet(api: Api, project: str, delivery: dict, **more) -> dict:
    """A rule that requires traffic of an application that has none, so that an incident opens at once."""
    rule = {"project_id": project, "name": "quiet", "metric": "request_rate", "comparison": "below", "threshold": 1}
    return api.create("alert_rules", rule | {"delivery": delivery} | more)


def events(api: Api, rule: dict, state: str) -> list[dict]:
    return eventually(lambda: api.all("alert_events", rule_id=rule["id"], state=state), PATIENCE)


def test_an_incident_is_told_by_webhook_and_letter_once_when_it_opens_and_once_when_it_is_over(writing, receiver, mails):
    loam, api = writing
    project = api.create("projects", {"name": "shop"})["id"]
    receiver.refuse(503, 500)
    mails.refuse(451)
    delivery = {"webhook": {"url": f"{receiver.url}/alerts"}, "email": {"to": ["ops@example.com", "dev@example.com"]}}
    rule = quiet(api, project, delivery, severity="critical")
    (event,) = events(api, rule, "open")
    eventually(lambda: len(receiver.taken) == 3 and len(mails.taken) == 2, 30)
    told = receiver.taken[-1]
    said = told.json
    assert (said["type"], said["event"]["id"], said["rule"]["id"]) == ("alert.opened", event["id"], rule["id"])
    assert said["project"]["name"] == "shop"
    assert said["summary"] == "traffic is 0 requests per minute, below 1 requests per minute"
    expected = sign(rule["signing_secret"], told.body, int(told.headers["x-loam-timestamp"]))
    assert told.headers["x-loam-signature"] == expected["x-loam-signature"]
    assert len({taken.headers["x-loam-delivery"] for taken in receiver.taken}) == 1, "a repetition can be told"
    assert sorted(mails.recipients) == [["dev@example.com"], ["ops@example.com"]]
    letter = mails.taken[0]
    assert letter["subject"] == "[critical] shop: quiet"
    assert event["id"] in letter.get_content()
    assert letter["message-id"]

    # After a kill and a restart the incident continues; a delivery not yet recorded as delivered would be repeated.
    eventually(lambda: all(row["state"] == "delivered" for row in api.all("webhook_deliveries")), 30)
    loam.kill9()
    loam.start()
    path = f"/api/v1/alert_events/{event['id']}"
    assert api.call("POST", f"{path}/acknowledge", 200).json()["state"] == "acknowledged"
    looked = api.get(f"/api/v1/alert_rules/{rule['id']}")["evaluated_at"]
    eventually(lambda: api.get(f"/api/v1/alert_rules/{rule['id']}")["evaluated_at"] > looked, PATIENCE)
    api.call("PATCH", f"/api/v1/alert_rules/{rule['id']}", 200, json={"threshold": 0})
    (over,) = events(api, rule, "resolved")
    assert (over["id"], over["resolved_by"]) == (event["id"], "system:alerts")
    eventually(lambda: len(receiver.taken) == 4 and len(mails.taken) == 4, 30)
    said = receiver.taken[-1].json
    assert said["type"] == "alert.resolved"
    assert said["summary"] == "traffic was 0 requests per minute, below 1 requests per minute; resolved"
    assert [letter["subject"] for letter in mails.taken[2:]] == ["[resolved] shop: quiet"] * 2
    assert_error(api.call("POST", f"{path}/acknowledge"), 409, "already_resolved")
    eventually(lambda: all(row["state"] == "delivered" for row in api.all("webhook_deliveries")))
    assert len(api.all("webhook_deliveries")) == 6


def test_a_letter_that_is_refused_for_good_is_put_aside(writing, mails):
    _, api = writing
    project = api.create("projects", {"name": "shop"})["id"]
    mails.refuse(550)
    rule = quiet(api, project, {"email": {"to": ["nobody@example.com"]}})
    events(api, rule, "open")
    (dead,) = eventually(lambda: api.all("webhook_deliveries", state="dead"), 30)
    assert (dead["kind"], dead["target"], dead["status_code"]) == ("alert.email", "nobody@example.com", 550)
    assert dead["attempts"] == 1
    assert not mails.taken


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_letter_and_the_password_go_over_tls(authority, tls):
    login = {"LOAM_SMTP__USER": "loam", "LOAM_SMTP__PASSWORD": "of the mail server"}
    trust = {"LOAM_OUTGOING__CA_FILE": str(authority.ca_file)}
    with MailServer(tls, authority.context) as mails, Loam(env=mails.env | login | trust) as loam:
        api = Api(loam.url, loam.key)
        quiet(api, api.create("projects", {"name": "shop"})["id"], {"email": {"to": ["ops@example.com"]}})
        eventually(lambda: mails.taken, PATIENCE)
        assert mails.logins == [("loam", "of the mail server")]


@pytest.mark.parametrize(
    ("is_secure", "why"),
    [pytest.param(True, "certificate", id="of-nobody-it-knows"), pytest.param(False, "STARTTLS", id="in-plain-text")],
)
def test_a_letter_is_kept_from_a_server_that_cannot_be_trusted(authority, is_secure, why):
    server = MailServer("starttls", authority.context if is_secure else None)
    with server as mails, Loam(env=mails.env) as loam:
        api = Api(loam.url, loam.key)
        set_deliveries(api, **FAST)
        quiet(api, api.create("projects", {"name": "shop"})["id"], {"email": {"to": ["ops@example.com"]}})
        tried = eventually(lambda: [row for row in api.all("webhook_deliveries") if row["error_message"]], PATIENCE)
        assert why.lower() in tried[0]["error_message"].lower(), tried
        assert not mails.taken


def test_what_was_resolved_by_hand_is_told_and_stays_quiet(gateway, tenant, receiver):
    project = tenant.create("projects", {"name": "shop"})["id"]
    rule = quiet(tenant, project, {"webhook": {"url": receiver.url}})
    (event,) = events(tenant, rule, "open")
    over = tenant.call("POST", f"/api/v1/alert_events/{event['id']}/resolve", 200).json()
    assert over["state"] == "resolved"
    assert over["resolved_by"].startswith("api_key:")
    looked = tenant.get(f"/api/v1/alert_rules/{rule['id']}")["evaluated_at"]
    eventually(lambda: tenant.get(f"/api/v1/alert_rules/{rule['id']}")["evaluated_at"] > looked, PATIENCE)
    assert tenant.get(f"/api/v1/alert_rules/{rule['id']}")["state"] == "resolved"
    eventually(lambda: len(receiver.taken) == 2, 30)
    assert [taken.json["type"] for taken in receiver.taken] == ["alert.opened", "alert.resolved"]
    assert len(tenant.all("alert_events", rule_id=rule["id"])) == 1


def test_a_secret_is_shown_once_and_only_when_it_is_new(tenant, receiver):
    project = tenant.create("projects", {"name": "shop"})["id"]
    made = quiet(tenant, project, {"webhook": {"url": receiver.url}}, is_active=False)
    path = f"/api/v1/alert_rules/{made['id']}"
    assert made["signing_secret"] not in tenant.call("GET", path, 200).text
    assert tenant.get(path)["secret"]["last4"] == made["signing_secret"][-4:]
    moved = tenant.call("PATCH", path, 200, json={"delivery": {"webhook": {"url": f"{receiver.url}/b"}}}).json()
    assert "signing_secret" not in moved
    assert moved["secret"] == made["secret"]
    given = {"webhook": {"url": receiver.url, "secret": "s" * 32}}
    assert tenant.call("PATCH", path, 200, json={"delivery": given}).json()["signing_secret"] == "s" * 32
    assert tenant.call("PATCH", path, 200, json={"delivery": {"webhook": None}}).json()["secret"] is None


def test_what_makes_no_sense_is_refused(tenant):
    project = tenant.create("projects", {"name": "shop"})["id"]
    rule = {"project_id": project, "name": "slow", "metric": "response_time_p95", "threshold": 1}
    for param, more in [
        ("project_id", {"project_id": "01900000-0000-7000-8000-000000000000"}),
        ("recover_threshold", {"recover_threshold": 2}),
        ("window_seconds", {"window_seconds": 5}),
        ("selector.model", {"selector": {"model": "gpt"}}),
        ("delivery.webhook.url", {"delivery": {"webhook": {"url": "http://169.254.169.254/"}}}),
        ("delivery.email.to", {"delivery": {"email": {"to": ["nobody"]}}}),
        ("delivery.email", {"delivery": {"email": {"to": ["ops@example.com"]}}}),
        ("secret", {"delivery": {"webhook": {"url": "http://127.0.0.1:9/", "secret": "short"}}}),
    ]:
        answer = tenant.call("POST", "/api/v1/alert_rules", json=rule | more)
        assert answer.status_code == 400, f"{param}: {answer.text}"
        assert answer.json()["error"]["param"] == param
    tenant.create("alert_rules", rule)
    assert tenant.call("POST", "/api/v1/alert_rules", json=rule).status_code == 409


MANAGED = ["response_time", "error_rate", "memory_usage"]


def managed(api, project):
    """The thresholds of a project's managed rules, by name."""
    rows = api.all("alert_rules", project_id=project)
    return {row["name"]: (row["threshold"], round(row["recover_threshold"], 9)) for row in rows if row["is_managed"]}


def test_the_thresholds_of_a_project_become_rules_that_follow_them(tenant):
    thresholds = {"response_time": 0.5, "error_rate": 0.01, "memory_usage": 256}
    project = tenant.create("projects", {"name": "shop", "config": {"alert_threshold": thresholds}})["id"]
    made = eventually(lambda: tenant.all("alert_rules", project_id=project))
    assert {rule["name"]: (rule["metric"], rule["threshold"], rule["is_managed"]) for rule in made} == {
        "response_time": ("response_time_p95", 0.5, True),
        "error_rate": ("error_rate", 0.01, True),
        "memory_usage": ("memory_usage", 256, True),
    }
    change = {"config": {"alert_threshold": {"response_time": 2, "memory_usage": 1000}}}
    tenant.call("PATCH", f"/api/v1/projects/{project}", 200, json=change)
    changed = {"response_time": (2, 1.8), "error_rate": (0.01, 0.009), "memory_usage": (1000, 900)}
    eventually(lambda: managed(tenant, project) == changed)


def test_a_managed_rule_is_changed_by_its_project_until_it_is_taken_over(tenant):
    project = tenant.create("projects", {"name": "shop"})["id"]
    made = eventually(lambda: tenant.all("alert_rules", project_id=project, name="error_rate"))
    path = f"/api/v1/alert_rules/{made[0]['id']}"
    error = assert_error(tenant.call("PATCH", path, json={"threshold": 0.5}), 400, param="threshold")
    assert "config.alert_threshold" in error["message"]
    assert tenant.call("PATCH", path, 200, json={"severity": "low"}).json()["is_managed"], "other fields are free"
    own = tenant.call("PATCH", path, 200, json={"threshold": 0.5, "is_managed": False}).json()
    assert (own["threshold"], own["is_managed"]) == (0.5, False)
    assert_error(tenant.call("PATCH", path, json={"is_managed": True}), 400, param="is_managed")
    change = {"config": {"alert_threshold": {"response_time": 3, "error_rate": 0.2}}}
    tenant.call("PATCH", f"/api/v1/projects/{project}", 200, json=change)
    eventually(lambda: managed(tenant, project)["response_time"][0] == 3)
    assert tenant.get(path)["threshold"] == 0.5, "no longer the project's"


def test_default_rules_are_made_again_where_they_are_missing(tenant):
    project = tenant.create("projects", {"name": "shop"})["id"]
    made = eventually(lambda: tenant.all("alert_rules", project_id=project))
    gone = next(rule for rule in made if rule["name"] == "memory_usage")
    tenant.call("DELETE", f"/api/v1/alert_rules/{gone['id']}", 204)
    path = "/api/v1/alert_rules/defaults"
    again = tenant.call("POST", path, 200, json={"project_id": project}).json()["data"]
    assert sorted(rule["name"] for rule in again) == sorted(MANAGED)
    assert len({rule["id"] for rule in again} & {rule["id"] for rule in made}) == 2
    assert all(rule["is_managed"] for rule in again)


def test_automatic_analyses_need_a_model(tenant):
    """A project can't switch on what would silently do nothing."""
    new = {"name": "shop", "config": {"auto_analysis": True}}
    error = assert_error(tenant.call("POST", "/api/v1/projects", json=new), 400, param="config.auto_analysis")
    assert "insight.analysis" in error["message"]
    project = tenant.create("projects", {"name": "shop"})["id"]
    path, on = f"/api/v1/projects/{project}", {"config": {"auto_analysis": True}}
    assert_error(tenant.call("PATCH", path, json=on), 400, param="config.auto_analysis")
    setting = {"config_value": {"model": "mock/gpt-4o"}}
    tenant.call("PUT", "/api/v1/system_config/insight.analysis", 200, json=setting)
    assert eventually(lambda: tenant.call("PATCH", path, json=on).status_code == 200)


def test_a_user_who_wants_no_mail_gets_none(writing, mails):
    _, api = writing
    user = api.create("users", {"username": "quiet", "email": "Quiet@example.com"})["id"]
    api.call("PUT", f"/api/v1/users/{user}/preferences/notification_prefs", 200, json={"value": {"email": False}})
    project = api.create("projects", {"name": "quiet shop"})["id"]
    before = len(mails.taken)
    rule = quiet(api, project, {"email": {"to": ["quiet@example.com", "loud@example.com"]}})
    events(api, rule, "open")
    eventually(lambda: len(mails.taken) > before, 30)
    ended = lambda: [row for row in api.all("webhook_deliveries") if row["state"] == "dead"]  # noqa: E731
    (refused,) = eventually(ended, 30)
    assert "notification_prefs" in refused["error_message"]
    assert [recipients for recipients in mails.recipients if "quiet@example.com" in recipients] == []
