"""The same commands on the database and, with `--server`, at a running server."""

from __future__ import annotations

import fcntl
import http.server
import json
import os
import pty
import socket
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from services import LlMock, Loam
from support.api import Api, eventually
from support.command_line import at_server
from support.deployment import Deployment, add_usual_providers

MISSING = "01890000-0000-7000-8000-000000000000"


@pytest.fixture(scope="module")
def things(deployment: Deployment, mock: LlMock) -> dict[str, str]:
    """One resource of most kinds, by name."""
    api = deployment.api
    add_usual_providers(deployment, mock)
    api.chat("mock/gpt-4o", "hello from the other side")
    project = api.create("projects", {"name": "remote"})["id"]
    session = api.create("chat_sessions", {"title": "remote", "external_id": "remote-1"})["id"]
    message = api.create("messages", {"session_id": session, "role": "user", "content": "你好"})["id"]
    user = api.create("users", {"username": "remote", "email": "remote@example.com"})["id"]
    api.create("roles", {"name": "remote-reader", "permissions": ["projects:read"]})
    limit = api.create("limits", {"subject_type": "tenant", "concurrency": 1000})["id"]
    targets = [{"provider": "mock", "model": "gpt-4o"}]
    route = api.create("model_routes", {"alias": "remote", "targets": targets})["id"]
    api.create("model_prices", {"provider": "mock", "model": "gpt-4o", "input_per_million": 1, "output_per_million": 2})
    subject = {"type": "end_user", "id": "nobody-of-remote"}
    erasure = api.call("POST", "/api/v1/erasures", 202, json={"subject": subject}).json()["id"]
    eventually(lambda: api.get(f"/api/v1/erasures/{erasure}")["state"] == "completed", 30)
    call = eventually(lambda: (rows := api.get("/api/v1/llm_calls")["data"]) and rows[0]["state"] == "settled" and rows[0], 5)
    audit = api.get("/api/v1/audit_logs", action="create")["data"][0]["id"]
    return {
        "PROJECT": project,
        "SESSION": session,
        "MESSAGE": message,
        "USER": user,
        "LIMIT": limit,
        "ROUTE": route,
        "ERASURE": erasure,
        "CALL": call["id"],
        "AUDIT": audit,
    }


READS = [
    "tenant list",
    "user list",
    "role list",
    "role show remote-reader",
    "role show owner",
    "login-session list",
    "signing-key list",
    "erasure list",
    "erasure show ERASURE",
    "erasure receipt ERASURE",
    "key list",
    "project list",
    "project list --framework none",
    "provider kinds",
    "provider list",
    "price list",
    "route list",
    "route show ROUTE",
    "limit list",
    "limit show LIMIT",
    "usage show",
    "usage show --by time,api_key",
    "usage statement 2026-01",
    "call list",
    "call list --state settled --limit 1",
    "call show CALL",
    "session list",
    "session list --external-id remote-1",
    "session show SESSION",
    "message list --session SESSION",
    "message show MESSAGE",
    "analysis list",
    "suggestion list",
    "record list --project PROJECT",
    "record slowest --project PROJECT",
    "stats endpoints --project PROJECT --to 2026-01-02T00:00:00Z",
    "stats functions --project PROJECT --to 2026-01-02T00:00:00Z",
    "stats trend --project PROJECT --to 2026-01-02T00:00:00Z",
    "stats trend --project PROJECT --function a.b --to 2026-01-02T00:00:00Z",
    "stats versions --project PROJECT",
    "alert rules",
    "alert events --open",
    "config list",
    "config get records.api_logs",
    "config history records.api_logs",
    "audit list --action create",
    "audit show AUDIT",
    "api-log list --path /v1/chat --min-status 200",
    "error-log list",
    "error-log list --instance --type none",
    "error-log groups",
]


def changing(value: object) -> object:
    """Without what differs between two moments."""
    if isinstance(value, dict):
        moving = {"last_used_at", "from", "to", "remaining", "range", "evaluated_at", "iat", "jws"}
        return {name: changing(inner) for name, inner in value.items() if name not in moving}
    return [changing(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", READS)
def test_a_command_gives_the_same_on_the_database_and_at_a_server(deployment, things, command):
    words = [things.get(word, word) for word in command.split()]
    local = deployment.loam.cli_json(*words)
    done = at_server(deployment.loam.url, deployment.loam.key, *words, "--json")
    assert done.returncode == 0, done.stderr
    assert changing(json.loads(done.stdout)) == changing(local)
    table = at_server(deployment.loam.url, deployment.loam.key, *words)
    assert (table.returncode, table.stderr) == (0, "")
    assert table.stdout.splitlines()[:1] == deployment.loam.cli(*words).stdout.splitlines()[:1]


REFUSALS = [
    f"user update {MISSING} --active true",
    f"call show {MISSING}",
    f"key revoke {MISSING}",
    f"provider test {MISSING}",
    "role show nobody",
    "role delete owner",
    "tenant suspend no-such-tenant",
    "tenant create --slug default",
    "provider update no-such-provider --active true",
    "project create --name remote",
    "limit create --for api_key --concurrency 1",
    "config get no.such.key",
    "config set records.api_logs 3",
    "usage statement 2026-13",
    "compare --project PROJECT 1.0 2.0",
    "session list --metadata nonsense",
    f"record show {MISSING}",
    f"record calls {MISSING}",
    f"record export {MISSING}",
    f"alert ack {MISSING}",
    f"alert resolve {MISSING}",
    f"analysis run --record {MISSING}",
    "analysis run --project PROJECT --endpoint nowhere",
    f"suggestion set {MISSING} done",
    f"key take-over {MISSING}",
]


@pytest.mark.parametrize("command", REFUSALS)
def test_a_refusal_is_one_line_that_reads_the_same(deployment, things, command):
    words = [things.get(word, word) for word in command.split()]
    local = deployment.loam.cli(*words, check=False)
    remote = at_server(deployment.loam.url, deployment.loam.key, *words)
    assert (local.returncode, local.stdout) == (1, "")
    assert len(local.stderr.splitlines()) == 1, local.stderr
    assert (remote.returncode, remote.stdout, remote.stderr) == (1, "", local.stderr)


def test_changes_are_made_at_a_server_and_recorded_as_the_keys(deployment, things, name, tmp_path):
    url, key = deployment.loam.url, deployment.loam.key

    def run(*words: str, stdin: str | None = None) -> dict:
        done = at_server(url, key, *words, "--json", stdin=stdin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else {}

    slug = name("remote")
    tenant = run("tenant", "create", "--slug", slug)
    own = tenant["api_key"]["key"]
    assert run("tenant", "suspend", slug)["status"] == "suspended"
    assert run("tenant", "activate", slug)["status"] == "active"
    user = run(
        "user", "create", "--username", slug, "--email", f"{slug}@example.com", "--password-stdin", stdin="a long password 1\n"
    )
    assert user["has_password"] is True
    assert run("user", "update", user["id"], "--active", "false")["is_active"] is False
    assert run("user", "reset-password", user["id"])["password"]
    run("user", "delete", user["id"])
    run("role", "create", "--name", slug, "--permission", "projects:read")
    assert run("role", "update", slug, "--description", "x")["description"] == "x"
    run("role", "delete", slug)
    made = run("provider", "create", "--name", slug, "--config", "-", stdin='{"api_key": "sk-remote-secret"}')
    assert run("provider", "update", slug, "--active", "false")["is_active"] is False
    first = run("route", "create", "--alias", slug, "--target", f"{slug}/m", "--cache-seconds", "5")
    second = run("route", "create", "--alias", slug, "--target", f"{slug}/n", "--replace")
    assert (second["id"], second["cache_seconds"]) == (first["id"], None)
    run("provider", "delete", made["id"], "--cascade")
    limit = run("limit", "create", "--for", "tenant", "--requests-per-minute", "100000", "--tenant", slug)
    changed = run("limit", "update", limit["id"], "--requests-per-minute", "none", "--concurrency", "7", "--tenant", slug)
    assert (changed["requests_per_minute"], changed["concurrency"]) == (None, 7)
    run("limit", "delete", limit["id"], "--tenant", slug)
    assert run("config", "set", "records.api_logs", '{"bodies": true}', "--merge", "--tenant", slug)["is_active"] is True
    assert run("config", "unset", "records.api_logs", "--tenant", slug)["is_active"] is False
    file = tmp_path / "sessions.jsonl"
    assert at_server(url, key, "session", "export", "--output", str(file)).stdout.startswith("wrote ")
    assert run("session", "import", str(file), "--tenant", slug)["messages"] >= 1
    assert at_server(url, own, "session", "import", "-", stdin=file.read_text()).returncode == 1, "imported already"
    trail = tmp_path / "trail.jsonl"
    exported = run("audit", "export", "--tenant", slug, "--out", str(trail))
    assert deployment.loam.cli("audit", "verify", "--file", str(trail)).returncode == 0
    assert run("audit", "verify", "--tenant", slug, "--expect-head", exported["head"])[0]["ok"] is True
    actors = {row["actor"] for row in deployment.api.all("audit_logs", action="create") if row["resource_id"] == made["id"]}
    assert {actor.split(":")[0] for actor in actors} == {"api_key"}
    local = deployment.loam.cli_json("role", "create", "--name", f"{slug}-local", "--permission", "projects:read")
    (row,) = [row for row in deployment.api.all("audit_logs", action="create") if row["resource_id"] == local["id"]]
    assert row["actor"] == "command_line"


def test_a_key_acts_in_its_own_tenant_and_with_its_permissions(deployment, things, name):
    url = deployment.loam.url
    acme = deployment.tenant(name("acme"))
    projects = acme.create("projects", {"name": "own"})
    listed = json.loads(at_server(url, acme.key, "project", "list", "--json").stdout)
    assert [row["id"] for row in listed] == [projects["id"]]
    other = at_server(url, acme.key, "session", "show", things["SESSION"])
    assert (other.returncode, other.stdout) == (1, "")
    assert "[not_found]" in other.stderr
    done = at_server(url, acme.key, "project", "list", "--tenant", "default")
    assert (done.returncode, "[not_an_operator]" in done.stderr) == (1, True)
    reader = acme.create("api_keys", {"name": "reader", "scopes": ["projects:read"]})["key"]
    eventually(lambda: at_server(url, reader, "project", "list").returncode == 0, 5)
    done = at_server(url, reader, "user", "list")
    assert done.returncode == 1
    assert done.stderr == "loam: this credential lacks the permission `users:read` [missing_permission]\n"


def test_everybody_may_name_their_own_tenant(deployment, name):
    slug = name("own")
    acme = deployment.tenant(slug)
    acme.create("projects", {"name": "own"})
    listed = at_server(deployment.loam.url, acme.key, "project", "list", "--tenant", slug, "--field", "name")
    assert (listed.returncode, listed.stdout) == (0, "own\n")
    assert at_server(deployment.loam.url, acme.key, "audit", "verify", "--tenant", slug).returncode == 0


def test_the_key_is_read_from_where_the_process_list_has_it_not(deployment, tmp_path):
    url, key = deployment.loam.url, deployment.loam.key
    file = tmp_path / "key"
    file.write_text(f"{key}\n")
    wrong = "loam_wrong0123456789abcdefghijklmnopqrstuvwxyzabcd"
    words = ("tenant", "list", "--field", "slug")
    assert "default" in at_server(url, wrong, *words, "--key-file", str(file)).stdout
    assert "default" in at_server(url, None, *words, "--key-file", "-", stdin=f"{key}\n").stdout
    assert "default" in at_server(url, None, *words, "--key", key).stdout
    both = at_server(url, None, "config", "set", "records.api_logs", "-", "--key-file", "-", stdin=f"{key}\n3\n")
    assert "[invalid_value]" in both.stderr, "the second line is the value"
    done = at_server(url, wrong, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert wrong not in done.stderr
    assert "LOAM_KEY" in at_server(url, None, *words).stderr
    missing = at_server(url, None, *words, "--key-file", str(tmp_path / "missing"))
    assert str(tmp_path / "missing") in missing.stderr
    assert key not in at_server(url, key, "--help").stdout


@contextmanager
def answering(status: int, body: bytes, content_type: str, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Any other HTTP server."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in ({"content-type": content_type, "content-length": str(len(body))} | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "content_type", "headers", "wanted"),
    [
        (200, b"<html>welcome</html>", "text/html", {}, "is not that of a Loam server"),
        (200, b"{]", "application/json", {}, "is not that of a Loam server"),
        (404, b"<html>no</html>", "text/html", {}, "is not that of a Loam server; check --server (status 404)"),
        (401, b'{"message": "no"}', "application/json", {}, "is not that of a Loam server; check --server (status 401)"),
        (302, b"", "text/html", {"location": "https://sso.example.com/"}, "redirects to https://sso.example.com/"),
    ],
    ids=["html", "broken", "missing", "others-error", "redirect"],
)
def test_a_server_that_is_no_loam_is_said_to_be_none(status, body, content_type, headers, wanted):
    with answering(status, body, content_type, headers) as url:
        for words in (("user", "list"), ("session", "export")):
            done = at_server(url, "loam_x", *words)
            assert (done.returncode, done.stdout) == (1, "")
            assert wanted in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_a_server_that_can_not_be_reached_is_named(loam: Loam):
    done = at_server(loam.url, "loam_x", "user", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"cannot reach {loam.url}" in done.stderr


def test_a_server_that_does_not_answer_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = at_server(url, "loam_x", "user", "list", "--timeout", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no response from {url} within 1 seconds" in done.stderr


@pytest.mark.parametrize(
    "url", ["loam.example.com", "ftp://loam.example.com", "http://user:secret@loam.example.com", "http://x/?a=b"]
)
def test_a_wrong_url_is_refused(url):
    done = at_server(url, "loam_x", "user", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--server" in done.stderr


@pytest.mark.parametrize(
    "words",
    ["serve", "db status", "db migrate", "db sample", "secret status", "secret rotate", "openapi", "audit verify --file x"],
)
def test_a_command_of_this_machine_says_so(words):
    done = at_server("http://127.0.0.1:1", "loam_x", *words.split())
    assert done.returncode == 2
    assert "leave out --server" in done.stderr


def test_a_key_without_a_server_is_wrong_use(deployment):
    done = deployment.loam.cli("user", "list", "--key", "loam_x", check=False)
    assert done.returncode == 2
    assert "--server" in done.stderr
    assert "loam_x" not in done.stderr


def in_terminal(width: int, *words: str, url: str, key: str) -> str:
    """The output of a command in a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    env = {**os.environ, "LOAM_SERVER": url, "LOAM_KEY": key}
    process = subprocess.Popen([os.environ["LOAM_BIN"], *words], stdout=theirs, stdin=theirs, stderr=theirs, env=env)
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 65536):
            chunks.append(chunk)
    except OSError:
        pass  # how Linux reports the end of a terminal
    os.close(ours)
    assert process.wait(60) == 0
    return b"".join(chunks).decode().replace("\r\n", "\n")


def test_tables_fit_the_terminal_and_files_get_all(deployment, things):
    url, key = deployment.loam.url, deployment.loam.key
    for words in (("user", "list"), ("call", "list"), ("key", "list"), ("usage", "show"), ("api-log", "list", "--limit", "5")):
        narrow = in_terminal(80, *words, url=url, key=key)
        assert max(len(line) for line in narrow.splitlines()) <= 80, narrow
        whole = at_server(url, key, *words).stdout
        for row in json.loads(at_server(url, key, *words, "--json").stdout):
            if "id" in row and words[0] != "api-log":
                assert row["id"] in narrow
                assert row["id"] in whole
    wide = in_terminal(400, "user", "list", url=url, key=key)
    assert len(wide.splitlines()) == len(at_server(url, key, "user", "list").stdout.splitlines())


def test_requests_and_errors_are_listed_by_the_filters_of_the_api(deployment, things, name):
    api = deployment.api
    project = things["PROJECT"]
    key = api.create("api_keys", {"name": name("logged"), "scopes": ["projects:read"], "project_id": project})
    caller = Api(deployment.loam.url, key["key"])
    eventually(lambda: caller.call("GET", "/api/v1/projects").status_code == 200, 5)
    refused = caller.call("GET", f"/api/v1/projects/{MISSING}", 404).headers["x-request-id"]

    def ids(*words: str) -> list[str]:
        return deployment.loam.cli("api-log", "list", "--field", "request_id", *words).stdout.split()

    eventually(lambda: ids("--request", refused) == [refused], 5)
    assert ids("--project", project, "--min-status", "400") == [refused]
    assert ids("--project", project, "--status", "404", "--method", "get", "--path", "/api/v1/projects/") == [refused]
    assert ids("--api-key", key["id"], "--status", "403") == []
    shown = deployment.loam.cli_json("api-log", "list", "--request", refused)[0]
    assert deployment.loam.cli_json("api-log", "show", shown["id"])["status_code"] == 404
    assert ids("--request", refused, "--to", shown["created_at"]) == []
    assert ids("--request", refused, "--from", "2020-01-01T00:00:00Z") == [refused]
    one = deployment.loam.cli("api-log", "list", "--limit", "2", "--field", "created_at").stdout.split()
    assert one == sorted(one, reverse=True), "newest first"
