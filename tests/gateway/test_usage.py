"""Usage by every dimension, in every bucket, to the nano-dollar; and the monthly statement."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services import Faulty
from services_kit.faulty import COMPLETION_TOKENS, PROMPT_TOKENS
from support.api import Api, assert_error, eventually
from support.deployment import Deployment
from support.gateway import add_faulty, add_key, add_price, ended_calls, nano, same_day, unique, usage

DIMENSIONS = ["provider", "model", "api_key", "user", "project"]
SUMS = ["calls", "errors", "estimated", "orphaned", "cache_hits"]
TOKENS = ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"]


@dataclass
class Used:
    """A tenant with usage, and the calls in its ledger."""

    api: Api
    rows: list[dict[str, Any]]
    began: datetime
    user: str
    project: str

    @property
    def range(self) -> dict[str, str]:
        now = datetime.now(UTC)
        return {"from": stamp(self.began - timedelta(seconds=1)), "to": stamp(now + timedelta(seconds=1))}

    def grouped(self, *dimensions: str) -> dict[tuple, dict[str, int]]:
        """The ledger's own sums."""
        groups: dict[tuple, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for row in self.rows:
            group = groups[tuple(row[column(dimension)] for dimension in dimensions)]
            group["calls"] += 1
            group["errors"] += row["state"] == "failed"
            group["estimated"] += row["state"] == "estimated"
            group["cost"] += nano(row["cost_usd"])
            for name in TOKENS:
                group[name] += row[name] or 0
        return groups


def column(dimension: str) -> str:
    return f"{dimension}_id" if dimension in ("api_key", "user", "project") else dimension


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


@pytest.fixture(scope="module")
def used(deployment: Deployment, upstreams: list[Faulty]) -> Used:
    """Calls by three keys of two models at two providers: complete, streamed, truncated, refused, free, and cached."""
    same_day()
    api = deployment.tenant(unique("used"))
    for each in upstreams:
        each.recover()
        each.models = ["m", "n"]
    names = [add_faulty(api, each) for each in upstreams[:2]]
    # Prices that come out at odd nano-dollars.
    add_price(api, names[0], read=0.1237, written=0.4311)
    add_price(api, names[0], read=1.7, written=3.3, model="n")
    project = api.create("projects", {"name": "one"})["id"]
    user = api.create("users", {"username": "who", "email": "who@example.com", "roles": ["admin"]})["id"]
    keys = [add_key(api)[0], add_key(api, project_id=project)[0], add_key(api, user_id=user)[0]]
    upstreams[1].feel(status=500, model="n")
    began = datetime.now(UTC)

    def call(caller: Api, name: str, model: str, **fields: Any) -> str:
        return caller.chat(f"{name}/{model}", "count me", None, **fields).headers["x-loam-call-id"]

    ids = [
        call(caller, name, model)
        for number, caller in enumerate(keys)
        for name in names
        for model in ("m", "n")
        for _ in range(number + 1)
    ]
    upstreams[0].feel(cut="middle")
    ids += [call(keys[0], names[0], "m", stream=True) for _ in range(2)]
    upstreams[0].recover()
    upstreams[1].recover()
    rows = ended_calls(api, ids)
    assert {row["state"] for row in rows} == {"settled", "estimated", "failed"}
    made = Used(api, rows, began, user, project)
    # The sums are written with the calls, and are there when these are listed.
    assert usage(api, **made.range)[0]["calls"] == len(rows) == len(ids)
    return made


def same(found: dict[str, Any], wanted: dict[str, int]) -> None:
    for name in ("calls", "errors", "estimated", *TOKENS):
        assert found[name] == wanted[name], (name, found)
    assert nano(found["cost_usd"]) == wanted["cost"], found


def test_the_total_is_the_sum_of_the_ledger_to_the_nano_dollar(used):
    (total,) = usage(used.api, **used.range)
    same(total, used.grouped()[()])
    assert nano(total["cost_usd"]) > 0
    assert total["cost_usd"] == sum(nano(row["cost_usd"]) for row in used.rows) / 1e9
    assert (total["orphaned"], total["cache_hits"], total["unsettled_usd"]) == (0, 0, 0)
    assert 0 < total["latency_p50_ms"] <= total["latency_p95_ms"] <= total["latency_p99_ms"]
    assert total["prompt_tokens"] >= PROMPT_TOKENS
    assert total["completion_tokens"] >= COMPLETION_TOKENS


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_by_each_dimension(used, dimension):
    wanted = used.grouped(dimension)
    found = usage(used.api, group_by=dimension, **used.range)
    assert {(row[column(dimension)],) for row in found} == set(wanted)
    for row in found:
        same(row, wanted[row[column(dimension)],])
        assert not any(column(other) in row for other in DIMENSIONS if other != dimension)
        assert "time" not in row


def test_by_all_dimensions_at_once(used):
    wanted = used.grouped(*DIMENSIONS)
    found = usage(used.api, group_by=",".join(DIMENSIONS), **used.range)
    assert len(found) == len(wanted) > 6
    for row in found:
        same(row, wanted[tuple(row[column(dimension)] for dimension in DIMENSIONS)])


@pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
def test_by_time_in_each_granularity(used, granularity):
    found = usage(used.api, group_by="time", granularity=granularity, **used.range)
    times = [datetime.fromisoformat(row["time"]) for row in found]
    assert times == sorted(set(times))
    length = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}[granularity]
    assert all((at - datetime(2020, 1, 1, tzinfo=UTC)) % length == timedelta(0) for at in times)
    for row, at in zip(found, times, strict=True):
        begun = [each for each in used.rows if at <= datetime.fromisoformat(each["created_at"]) < at + length]
        assert row["calls"] == len(begun)
        assert nano(row["cost_usd"]) == sum(nano(each["cost_usd"]) for each in begun)
    assert sum(row["calls"] for row in found) == len(used.rows)


def test_filters(used):
    for name, value in (
        ("user_id", used.user),
        ("project_id", used.project),
        ("model", "n"),
        ("provider", used.rows[0]["provider"]),
    ):
        (found,) = usage(used.api, **used.range, **{name: value})
        assert found["calls"] == sum(row[name] == value for row in used.rows) > 0
    assert usage(used.api, **used.range, model="no-such-model") == []
    before = {"from": stamp(used.began - timedelta(days=20)), "to": stamp(used.began - timedelta(days=10))}
    assert usage(used.api, **before) == []


def test_another_tenant_sees_nothing_of_it(deployment, used):
    other = deployment.tenant(unique("other"))
    month = used.began.strftime("%Y-%m")
    assert usage(other, **used.range) == []
    assert usage(other, **used.range, project_id=used.project) == []
    assert other.get("/api/v1/statements", month=month)["total"]["calls"] == 0
    assert other.get("/api/v1/statements", month=month)["lines"] == []


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    "query",
    [
        {"group_by": "colour"},
        {"group_by": "provider,colour"},
        {"granularity": "second"},
        {"from": stamp(NOW), "to": stamp(NOW)},
        {"from": stamp(NOW), "to": stamp(NOW - timedelta(hours=1))},
        {"from": stamp(NOW - timedelta(days=1, minutes=5)), "to": stamp(NOW), "granularity": "minute"},
        {"from": stamp(NOW - timedelta(days=63)), "to": stamp(NOW), "granularity": "hour"},
        {"from": stamp(NOW - timedelta(days=4 * 366)), "to": stamp(NOW), "granularity": "day"},
        {"from": "yesterday"},
        {"to": "-262143-01-01T00:00:00Z"},
        {"from": "+262142-01-01T00:00:00Z", "to": "+262142-12-31T23:59:59Z"},
        {"from": "-262143-01-01T00:00:00Z", "to": "-262143-06-01T00:00:00Z"},
        {"api_key_id": "me"},
        {"colour": "red"},
    ],
    # the same in every process, although the times are not
    ids=lambda query: "&".join(query),
)
def test_an_invalid_range_or_group_is_rejected(api, query):
    assert_error(api.call("GET", "/api/v1/usage", params=query), 400)


def statement(used: Used) -> dict[str, Any]:
    return used.api.get("/api/v1/statements", month=used.began.strftime("%Y-%m"))


def test_a_statement_groups_by_project_key_provider_and_model(used):
    found = statement(used)
    wanted = used.grouped("project", "api_key", "provider", "model")
    assert found["closed"] is False
    first = used.began.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert datetime.fromisoformat(found["from"]) == first
    assert datetime.fromisoformat(found["to"]) == (first + timedelta(days=31)).replace(day=1)
    assert len(found["lines"]) == len(wanted)
    for line in found["lines"]:
        same(line, wanted[line["project_id"], line["api_key_id"], line["provider"], line["model"]])
    same(found["total"], used.grouped()[()])


def test_a_statement_as_csv_is_equal(used):
    month = used.began.strftime("%Y-%m")
    response = used.api.call("GET", "/api/v1/statements", 200, params={"month": month, "format": "csv"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"] == f'attachment; filename="loam-{month}.csv"'
    assert response.text.endswith("\r\n")
    rows = list(csv.DictReader(io.StringIO(response.text, newline="")))
    lines = statement(used)["lines"]
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert row["month"] == month
        assert (row["provider"], row["model"]) == (line["provider"], line["model"])
        assert (row["project_id"], row["api_key_id"]) == (line["project_id"] or "", line["api_key_id"] or "")
        assert [int(row[name]) for name in SUMS + TOKENS] == [line[name] for name in SUMS + TOKENS]
        assert (nano(float(row["cost_usd"])), nano(float(row["unsettled_usd"]))) == (nano(line["cost_usd"]), 0)
    assert sum(nano(float(row["cost_usd"])) for row in rows) == nano(statement(used)["total"]["cost_usd"])


def test_a_past_month_is_closed_and_an_invalid_month_is_rejected(api):
    old = api.get("/api/v1/statements", month="2020-02")
    assert (old["closed"], old["lines"], old["total"]["calls"]) == (True, [], 0)
    assert old["to"].startswith("2020-03-01")
    for wrong in ("2026", "2026-13", "2026-11-01", "last", ""):
        assert_error(api.call("GET", "/api/v1/statements", params={"month": wrong}), 400, param="month")
    assert_error(api.call("GET", "/api/v1/statements"), 400)
    assert_error(api.call("GET", "/api/v1/statements", params={"month": "2026-11", "format": "xml"}), 400)


def test_reading_it_requires_a_permission(api):
    caller, _ = add_key(api)
    for path in ("/api/v1/usage", "/api/v1/statements?month=2026-11"):
        assert_error(caller.call("GET", path), 403, "missing_permission")
    reader, _ = add_key(api, scopes=["usage:read"])
    eventually(lambda: reader.call("GET", "/api/v1/usage").status_code == 200, 1)
