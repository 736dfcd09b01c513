"""Generated from `/openapi.json`: each permission allows its operations, and nothing else."""

from __future__ import annotations

import http.client
import json
import uuid

import pytest

from support.openapi import PUBLIC, operations

pytestmark = pytest.mark.one_database

# Operations about the caller, which need no permission.
OWN = {"/api/v1/session", "/api/v1/session/password", "/api/v1/logout"}
# Permissions that belong to a header instead of an operation: see test_operators.py.
OF_A_HEADER = {"tenants:open"}
# Permissions that extend others to all users: see test_user_preferences.py and test_chat_sessions.py.
OF_EVERYBODY = {"user_preferences:all", "chat_sessions:all", "erasures:all", "exports:all"}
# A permission that some transitions need besides that of the operation: see tests/delivery/test_status.py.
OF_A_TRANSITION = {"documents:approve"}

# Operations that need a second permission, whose data they reveal: see test_privileges.py.
ALSO = {"/api/v1/projects/{id}/rotate_key": "telemetry:send", "/api/v1/model_routes/{id}/test": "gateway:call"}


def needed(operation) -> str | None:
    names = [name for security in operation.document["security"] for name in security.get("api_key", [])]
    assert len(names) <= 1, f"{operation.path} names several permissions"
    return names[0] if names else None


class Connection:
    """A client of ten thousand requests, which takes a fraction of the time of a comfortable one for each."""

    def __init__(self, port: int, key: str) -> None:
        self.http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def call(self, method: str, path: str) -> tuple[int, bytes]:
        """The status and the body of the answer to an empty object."""
        self.http.request(method, path, b"{}", self.headers)
        answer = self.http.getresponse()
        return answer.status, answer.read()


@pytest.fixture(scope="module")
def guarded(deployment) -> list[tuple[str, object]]:
    """Every operation that needs a permission, with it."""
    document = deployment.api.with_key(None).get("/openapi.json")
    found = [(needed(operation), operation) for operation in operations(document)]
    unguarded = {operation.path for permission, operation in found if permission is None}
    assert unguarded <= PUBLIC | OWN, f"reachable without a permission: {unguarded - PUBLIC - OWN}"
    return [(permission, operation) for permission, operation in found if permission is not None]


def test_a_permission_opens_what_names_it_and_nothing_else(deployment, guarded):
    api = deployment.api
    roles = {role["name"]: role["permissions"] for role in api.all("roles")}
    permissions = {permission for permission, _ in guarded} | OF_A_HEADER | OF_EVERYBODY | OF_A_TRANSITION
    known = api.call("POST", "/api/v1/api_keys", json={"name": "x", "scopes": ["no:such"]}).json()["error"]["message"]
    assert permissions == {name for name in known.split("`")[1::2] if name != "*"}, "a permission opens nothing"
    assert set(roles["admin"]) <= permissions
    wrong = []
    for permission in sorted(permissions):
        key = api.create("api_keys", {"name": permission, "scopes": [permission]})
        holder = Connection(deployment.loam.port, key["key"])
        for wants, operation in guarded:
            # Permissions are checked before the request, so an empty one suffices and changes nothing.
            status, text = holder.call(operation.method, operation.url(str(uuid.uuid4())))
            opened = status not in (401, 403)
            # Anthropic's format has no codes and OTLP's no `error`, but every message names the missing permission.
            lacking = False
            if status == 403:
                body = json.loads(text)
                message = body.get("error", body)["message"]
                lacking = f"lacks the permission `{wants}`" in message
                opened = wants == permission and f"`{ALSO.get(operation.path)}`" in message
            if opened != (wants == permission) or not (opened or lacking):
                wrong.append(f"{permission}: {operation.method} {operation.path}: {status} {text[:200]}")
    assert not wrong, wrong
    assert len(permissions) * len(guarded) > 1000, "too little was tried"


def test_a_role_opens_the_operations_of_its_permissions(deployment, guarded):
    from support.browser import Browser

    api = deployment.api
    for role in [role for role in api.all("roles") if role["built_in"] and role["name"] != "operator"]:
        body = {"username": f"a-{role['name']}", "email": f"a-{role['name']}@example.com", "roles": [role["name"]]}
        api.create("users", body | {"password": "a-long-enough-password-1"})
        browser = Browser(api.url)
        browser.log_in(username=body["username"], password="a-long-enough-password-1")
        for wants, operation in guarded:
            if operation.path.startswith(("/api/v1/tenants", "/api/v1/signing_keys", "/api/v1/database", "/metrics")):
                continue
            answer = browser.call(operation.method, operation.url(str(uuid.uuid4())), json={})
            may = role["permissions"] == ["*"] or wants in role["permissions"]
            assert (answer.status_code != 403) == may, f"{role['name']}: {operation.method} {operation.path}: {answer.text}"
