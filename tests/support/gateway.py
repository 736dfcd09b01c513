"""Creates routes, limits and prices for a test, and asserts what was recorded of calls."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from services import Faulty

from .api import Api, eventually

_numbers = itertools.count(1)
NANO = 1_000_000_000
ENDED = {"settled", "estimated", "failed", "orphaned"}


def unique(prefix: str) -> str:
    """A unique name."""
    return f"{prefix}-{next(_numbers)}"


def nano(usd: float | None) -> int:
    """US dollars, rounded like the server does."""
    return round((usd or 0) * NANO)


def add_faulty(api: Api, faulty: Faulty, name: str | None = None, **config: Any) -> str:
    """Creates a provider with this address; returns its name."""
    name = name or unique(faulty.name)
    config = {"base_url": faulty.base_url, "api_key": f"sk-{name}", "models": faulty.models} | config
    api.create("ai_providers", {"name": name, "kind": "openai", "config": config})
    return name


def to(provider: str, model: str = "m", **fields: int) -> dict[str, Any]:
    """A route's target."""
    return {"provider": provider, "model": model} | fields


def add_route(api: Api, *targets: dict[str, Any], **fields: Any) -> str:
    """Creates a route to these targets; returns its alias. No cool-down unless the test sets one."""
    alias = fields.pop("alias", None) or unique("route")
    calm = {"cool_down": {"failures": 100, "seconds": 0.05}, "retries": {"rounds": 0}}
    api.create("model_routes", calm | {"alias": alias, "targets": list(targets)} | fields)
    return alias


def add_price(api: Api, provider: str, *, read: float = 0, written: float = 0, model: str = "*") -> None:
    """US dollars per million tokens."""
    price = {"provider": provider, "model": model, "input_per_million": read, "output_per_million": written}
    api.create("model_prices", price)


def add_limit(api: Api, subject_type: str, subject_id: str | None, **limits: float) -> dict[str, Any]:
    """Creates a limit. It applies to calls that start after this returns; running calls may follow the old rules."""
    subject = {"subject_type": subject_type} | ({"subject_id": subject_id} if subject_id else {})
    return api.create("limits", subject | limits)


def add_key(api: Api, **fields: Any) -> tuple[Api, str]:
    """Creates a key that may only call models; returns a client with it, and its id."""
    made = api.create("api_keys", {"name": unique("key"), "scopes": ["gateway:call"]} | fields)
    return api.with_key(made["key"]), made["id"]


def the_call(api: Api, answer: Any) -> dict[str, Any]:
    """The call of a response, once it has ended."""

    def ended() -> dict[str, Any] | None:
        call = api.get(f"/api/v1/llm_calls/{answer.headers['x-loam-call-id']}")
        return call if call["state"] in ENDED else None

    return eventually(ended)


def tried(call: dict[str, Any]) -> list[tuple[str, int | None]]:
    """The attempts of a call, in order, with their results."""
    return [(attempt["target"].split("/")[0], attempt["status"]) for attempt in call["attempts"]]


def ended_calls(api: Api, ids: Iterable[str | None], key: str | None = None) -> list[dict[str, Any]]:
    """All calls that were not refused, or those of a key, once these are listed and none is in progress."""
    wanted = set(ids) - {None}

    def all_ended() -> tuple[list[dict[str, Any]]]:
        listed = [row for row in api.all("llm_calls", limit=200) if key is None or row["api_key_id"] == key]
        rows = [row for row in listed if row["state"] != "refused"]
        missing = wanted - {row["id"] for row in rows}
        assert not missing, f"{len(missing)} of {len(wanted)} calls are not listed"
        under_way = [row["id"] for row in rows if row["state"] not in ENDED]
        assert not under_way, f"{len(under_way)} calls are still under way: {under_way[:3]}"
        # In a tuple, because an empty list is a valid result.
        return (rows,)

    return eventually(all_ended, 15, pause=0.2)[0]


def stays_within(seconds: float, window: timedelta) -> datetime:
    """Waits until the current window of the clock (a minute, a day) lasts at least this long; returns its end."""
    while True:
        now = datetime.now(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        end = midnight + window * ((now - midnight) // window + 1)
        left = (end - now).total_seconds()
        if left >= seconds:
            return end
        time.sleep(left + 0.05)


def fresh_minute(seconds: float = 15) -> datetime:
    """Ensures that many seconds before the minute ends; returns its end."""
    return stays_within(seconds, timedelta(minutes=1))


def same_day(seconds: float = 60) -> datetime:
    """Ensures that many seconds before midnight (UTC); returns midnight."""
    return stays_within(seconds, timedelta(days=1))


def seconds_until(end: datetime) -> int:
    """Remaining seconds, rounded up like `Retry-After`."""
    return math.ceil((end - datetime.now(UTC)).total_seconds())


def usage(api: Api, **query: Any) -> list[dict[str, Any]]:
    """`GET /api/v1/usage`."""
    return api.get("/api/v1/usage", **query)["data"]
