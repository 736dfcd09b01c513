"""The recipients to whom a tenant can send mail through the operator's mail server."""

from __future__ import annotations

import pytest

from services import Loam
from support.api import Api, assert_error, eventually
from support.mail import MailServer
from support.platforms import set_deliveries

TIMEOUT = 60


@pytest.fixture(scope="module")
def mails():
    with MailServer() as made:
        yield made


def rule(api: Api, *to: str) -> dict:
    """One that has something to raise at once."""
    project = api.create("projects", {"name": "shop"})["id"]
    named = {"project_id": project, "name": "quiet", "metric": "request_rate", "comparison": "below", "threshold": 1}
    return named | {"delivery": {"email": {"to": list(to)}}}


def test_a_tenant_writes_to_its_own_users_alone(mails):
    env = {name: value for name, value in mails.env.items() if "ALLOWED" not in name}
    with Loam(env=env) as loam:
        api = Api(loam.url, loam.key)
        set_deliveries(api, first_pause_ms=20, longest_pause_ms=50)
        ann = api.create("users", {"username": "ann", "email": "ann@example.com"})
        other = api.with_key(api.create("tenants", {"slug": "other"})["api_key"]["key"])
        for tenant, to in ((api, "victim@example.net"), (other, "ann@example.com"), (api, "Ann <victim@example.net>")):
            body = rule(tenant, to)
            assert_error(tenant.call("POST", "/api/v1/alert_rules", json=body), 400, param="delivery.email.to")
            tenant.call("DELETE", f"/api/v1/projects/{body['project_id']}", 204)
        made = api.create("alert_rules", rule(api, "ann@example.com"))
        changed = {"delivery": {"email": {"to": ["ann@example.com", "victim@example.net"]}}}
        assert_error(api.call("PATCH", f"/api/v1/alert_rules/{made['id']}", json=changed), 400, param="delivery.email.to")
        # what was allowed when the rule was written may not be when the letter is sent
        api.call("PATCH", f"/api/v1/users/{ann['id']}", 200, json={"email": "ann@example.org"})
        (dead,) = eventually(lambda: api.all("webhook_deliveries", state="dead"), TIMEOUT)
        assert "not the address of an active user" in dead["error_message"]
        assert not mails.taken


def test_the_operators_domains_are_all_that_is_written_to(mails):
    with Loam(env=mails.env | {"LOAM_SMTP__ALLOWED_DOMAINS": '["example.com"]'}) as loam:
        api = Api(loam.url, loam.key)
        api.create("users", {"username": "ann", "email": "ann@example.org"})
        body = rule(api, "ops@EXAMPLE.com")
        for to in ("ops@example.org", "ann@example.org", "ops@sub.example.com", "ops@notexample.com"):
            refused = body | {"delivery": {"email": {"to": [to]}}}
            assert_error(api.call("POST", "/api/v1/alert_rules", json=refused), 400, param="delivery.email.to")
        api.create("alert_rules", body)
