"""A browser with a cookie jar, as far as logging in needs one."""

from __future__ import annotations

from typing import Any

import httpx


class Browser:
    """Stores cookies, and sends the CSRF token from the log-in with every request that changes something."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=30, trust_env=False, verify=False)
        self.csrf: str | None = None

    def log_in(self, expect: int = 200, **who: Any) -> httpx.Response:
        answer = self.http.post("/api/v1/login", json=who)
        assert answer.status_code == expect, f"{answer.status_code}: {answer.text}"
        if answer.is_success:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def call(self, method: str, path: str, expect: int | None = None, **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if method != "GET" and self.csrf is not None:
            headers.setdefault("x-loam-csrf", self.csrf)
        answer = self.http.request(method, path, headers=headers, **options)
        if expect is not None:
            assert answer.status_code == expect, f"{method} {path}: {answer.status_code}: {answer.text}"
        return answer

    @property
    def cookie(self) -> str:
        """The content of the session cookie."""
        return self.http.cookies["loam_session"]
