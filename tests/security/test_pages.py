"""Security headers for browsers, and access to the instance's metrics."""

from __future__ import annotations

import re

import httpx
import pytest

from support.api import assert_error
from support.deployment import deploy

pytestmark = pytest.mark.one_database


def test_the_pages_run_nothing_but_their_own(deployment):
    with httpx.Client(base_url=deployment.loam.url, trust_env=False, follow_redirects=True) as http:
        page = http.get("/docs/")
        policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert page.headers["x-content-type-options"] == "nosniff"
        # What the page needs is what the policy allows: scripts and styles of its own, none within.
        scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.text, re.DOTALL)
        assert scripts
        for attributes, within in scripts:
            assert 'src="./' in attributes, attributes
            assert not within.strip()
        assert not re.search(r"\son[a-z]+=", page.text), "no handlers within the page"
        for source in re.findall(r'(?:src|href)="(\./[^"]+)"', page.text):
            answer = http.get(f"/docs/{source[2:]}")
            assert answer.is_success, source
            kind = answer.headers["content-type"]
            # With nosniff a wrong type is not run.
            assert ("javascript" in kind) == source.endswith(".js"), (source, kind)
            assert ("text/css" in kind) == source.endswith(".css"), (source, kind)
        assert "/openapi.json" in http.get("/docs/swagger-initializer.js").text


def test_every_answer_says_what_it_is_not(deployment, tenant):
    answers = [
        tenant.call("GET", "/api/v1/projects", 200),
        tenant.call("GET", "/api/v1/nowhere", 404),
        tenant.call("GET", "/openapi.json", 200),
        tenant.with_key(None).call("GET", "/api/v1/projects", 401),
        tenant.call("GET", "/healthz", 200),
    ]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'", answer.url
        assert answer.headers["x-frame-options"] == "DENY"
    assert tenant.call("POST", "/v1/chat/completions", json={}).headers["x-content-type-options"] == "nosniff"


def test_the_figures_of_the_instance_are_for_its_operators(deployment, tenant):
    assert "loam_journal_frames_total" in deployment.api.call("GET", "/metrics", 200).text
    assert_error(tenant.call("GET", "/metrics"), 403, "not_an_operator")
    assert_error(tenant.with_key(None).call("GET", "/metrics"), 401)


def test_they_are_everybodys_if_the_operator_says_so():
    with deploy("sqlite", env={"LOAM_SERVER__PUBLIC_METRICS": "true"}) as made:
        assert "loam_connections" in made.api.with_key(None).call("GET", "/metrics", 200).text
