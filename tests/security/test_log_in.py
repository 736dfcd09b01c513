"""Password guessing, and exhaustion of the hashing pool."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import httpx
import pytest

from support.api import Api, assert_error, eventually
from support.browser import Browser
from support.deployment import deploy

PASSWORD = "a-long-enough-password-1"
MANY = {"LOAM_IDENTITY__ADDRESS_FAILURES": "100000"}


def make_user(api: Api, name: str, **fields) -> dict:
    return api.create("users", {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | fields)


def try_password(api: Api, password: str = "wrong-password", client: httpx.Client | None = None, **who) -> httpx.Response:
    return (client or api.http).post("/api/v1/login", json=who | {"password": password}, headers={"authorization": ""})


@pytest.fixture(scope="module")
def one_thread():
    """A Loam that hashes one password at a time."""
    with deploy("sqlite", env=MANY | {"LOAM_IDENTITY__PASSWORD_THREADS": "1"}) as deployment:
        yield deployment.api


def processor_seconds(pid: int) -> float:
    """What a process has worked: unlike the time that passes, others on the machine don't add to it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_the_time_of_a_refusal_does_not_tell_accounts_apart():
    with deploy("sqlite", env=MANY | {"LOAM_IDENTITY__ACCOUNT_FAILURES": "1000"}) as deployment:
        api = deployment.api
        for cost in (4, 11):
            hashed = bcrypt.hashpw(b"from-elsewhere", bcrypt.gensalt(cost)).decode()
            api.create("users", {"username": f"imported-{cost}", "email": f"i{cost}@example.com", "password_hash": hashed})
        make_user(api, "usual")
        api.create("users", {"username": "no-password", "email": "no@example.com"})
        work = {}
        for username in ("imported-4", "imported-11", "usual", "no-password", "nobody"):
            began = processor_seconds(deployment.loam.process.pid)
            for _ in range(5):
                assert try_password(api, username=username).status_code == 401
            work[username] = (processor_seconds(deployment.loam.process.pid) - began) / 5
        print({kind: f"{seconds * 1000:.0f} ms" for kind, seconds in work.items()})
        # a hash of cost 11 takes several times as long as Argon2id, and 128 times as long as one of cost 4
        assert max(work.values()) < 1.7 * min(work.values()), work


def test_a_name_and_an_address_are_one_account(api, name):
    user = make_user(api, name("ann"))
    other = {"username": name("nobody")}
    for known in (True, False):
        username = user["username"] if known else other["username"]
        for _ in range(5):
            assert try_password(api, username=username).status_code == 401
        for who in ({"username": username.upper()}, {"email": f"{username}@example.com"}):
            assert_error(try_password(api, **who), 429, "too_many_logins")


def test_a_known_browser_is_let_in_while_somebody_tries(api, name):
    user = make_user(api, name("ann"))
    who = {"username": user["username"]}
    known = Browser(api.url)
    cookies = known.log_in(**who, password=PASSWORD).headers.get_list("set-cookie")
    (device,) = [cookie for cookie in cookies if "loam_device_" in cookie]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in device.split(";")}
    while try_password(api, **who).status_code == 401:
        pass
    stranger = Browser(api.url)
    assert_error(try_password(api, PASSWORD, stranger.http, **who), 429, "too_many_logins")
    assert known.http.post("/api/v1/login", json=who | {"password": PASSWORD}).status_code == 200
    # she is known by more than her name, and may not try for ever either
    forged = httpx.Client(base_url=api.url)
    for cookie_name, value in known.http.cookies.items():
        forged.cookies.set(cookie_name, ("A" if value[0] != "A" else "B") + value[1:])
    assert_error(try_password(api, PASSWORD, forged, **who), 429, "too_many_logins")
    tries = [try_password(api, "wrong-password", known.http, **who).status_code for _ in range(6)]
    assert tries == [401] * 5 + [429]


def test_one_address_keeps_nobody_else_out():
    with deploy("sqlite", env=MANY | {"LOAM_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]'}) as deployment:
        api = deployment.api
        make_user(api, "ann")

        def log_in(address: str, password: str) -> int:
            body = {"username": "ann", "password": password}
            return httpx.post(f"{api.url}/api/v1/login", json=body, headers={"x-forwarded-for": address}).status_code

        while log_in("203.0.113.7", "wrong-password") == 401:
            pass
        assert log_in("203.0.113.7", PASSWORD) == 429
        assert log_in("203.0.113.8", PASSWORD) == 200


def test_a_new_password_ends_the_browsers_that_are_known(api, name):
    user = make_user(api, name("ann"))
    who = {"username": user["username"]}
    stale, fresh = Browser(api.url), Browser(api.url)
    stale.log_in(**who, password=PASSWORD)
    fresh.log_in(**who, password=PASSWORD)
    change = {"old_password": PASSWORD, "new_password": "another-password-2"}
    fresh.call("POST", "/api/v1/session/password", 204, json=change)
    while try_password(api, **who).status_code == 401:
        pass
    assert_error(try_password(api, "another-password-2", stale.http, **who), 429, "too_many_logins")
    assert try_password(api, "another-password-2", fresh.http, **who).status_code == 200


class Flood:
    """The same request, made by many at once and again and again, while it is entered. `body` makes its bodies."""

    def __init__(self, api: Api, path: str, body: Callable[[str], dict]) -> None:
        self.api, self.path, self.body = api, path, body
        self.statuses: list[int] = []
        self.stop = threading.Event()
        self.pool = ThreadPoolExecutor(80)

    def send(self, n: int) -> None:
        with httpx.Client(base_url=self.api.url, timeout=60, headers=self.api.http.headers, verify=False) as client:
            for again in range(1000):
                if self.stop.is_set():
                    return
                self.statuses.append(client.post(self.path, json=self.body(f"u{n}-{again}")).status_code)

    def __enter__(self) -> Flood:
        self.running = [self.pool.submit(self.send, n) for n in range(80)]
        eventually(lambda: len(self.statuses) >= 80, 60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.pool.shutdown()
        for one in self.running:
            one.result()


def users(**fields) -> Callable[[str], dict]:
    return lambda name: {"username": name, "email": f"{name}@example.com", "password": PASSWORD} | fields


def test_a_busy_answer_is_no_wrong_password(one_thread):
    api = one_thread
    make_user(api, "ann")
    answers = []
    with Flood(api.with_key(None), "/api/v1/login", lambda name: {"username": name, "password": PASSWORD}) as flood:
        while len([answer for answer in answers if answer.status_code == 429]) < 12 and len(answers) < 200:
            with httpx.Client(base_url=api.url, timeout=60, verify=False) as fresh:
                answers.append(try_password(api, PASSWORD, fresh, username="ann"))
    assert {answer.status_code for answer in answers} <= {200, 429}
    busy = [assert_error(answer, 429)["code"] for answer in answers if answer.status_code == 429]
    assert busy == ["login_busy"] * 12, "nothing was shown unless the line was full"
    assert set(flood.statuses) == {401, 429}
    assert try_password(api, PASSWORD, username="ann").status_code == 200


@pytest.mark.parametrize(("roles", "expected"), [(["no-such-role"], {400}), (["user"], {201, 429})])
def test_one_tenants_users_do_not_keep_others_from_logging_in(one_thread, name, roles, expected):
    api = one_thread
    noisy, quiet = (api.with_key(api.create("tenants", {"slug": name(kind)})["api_key"]["key"]) for kind in ("noisy", "quiet"))
    slug = api.get(f"/api/v1/tenants/{quiet.get('/api/v1/session')['tenant_id']}")["slug"]
    make_user(quiet, "ann")
    with Flood(noisy, "/api/v1/users", users(roles=roles)) as flood:
        statuses = [try_password(quiet, PASSWORD, tenant=slug, username="ann").status_code for _ in range(10)]
    assert statuses == [200] * 10
    assert set(flood.statuses) <= expected


def test_everything_that_can_be_refused_is_refused_before_anything_is_hashed(one_thread, name):
    """What waits for a hash finds the line full."""
    api = one_thread
    tenant = api.with_key(api.create("tenants", {"slug": name("checked")})["api_key"]["key"])
    ann = make_user(tenant, "ann")
    new = {"username": "new", "email": "new@example.com", "password": PASSWORD}
    url, changed = f"/api/v1/users/{ann['id']}", {"password": "another-password-2"}
    with Flood(tenant, "/api/v1/users", users()) as flood:
        for _ in range(3):
            for body, status in (
                (new | {"roles": ["no-such-role"]}, 400),
                (new | {"username": "ann"}, 409),
                (new | {"email": "ann@example.com"}, 409),
                (new | {"password": "short"}, 400),
            ):
                assert_error(tenant.call("POST", "/api/v1/users", json=body), status)
            assert_error(tenant.call("PATCH", url, json=changed, headers={"if-match": '"0"'}), 412)
            assert_error(tenant.call("PATCH", url, json=changed | {"roles": ["no-such-role"]}), 400)
    assert set(flood.statuses) == {201, 429}, "the line was never full: nothing was shown"
