"""Compares the ledger with what the clients received and what the provider counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from .api import Api, eventually
from .load import Seen

STATES = {"settled", "estimated", "failed", "orphaned"}


def marker_of(body: Any) -> str:
    """The marker in a request's body."""
    return body["messages"][0]["content"].rsplit(" ", 1)[1]


def upstream_count(requests: list[dict]) -> Counter[str]:
    """Number of requests that the provider got, by marker."""
    return Counter(marker_of(each["body"]) for each in requests if each["path"].endswith("/chat/completions"))


def rows_by_marker(api: Api, created_after: str | None = None) -> dict[str, list[dict]]:
    """All rows of the ledger, by the marker in their request."""
    found: dict[str, list[dict]] = defaultdict(list)
    filters = {"created_after": created_after} if created_after else {}
    for row in api.all("llm_calls", limit=200, **filters):
        # Refused calls reached no provider, and several may be one row.
        if row["state"] == "refused":
            continue
        detail = api.get(f"/api/v1/llm_calls/{row['id']}")
        marker = marker_of(detail["request_data"])
        assert detail["request_id"] == marker, f"the client's x-request-id was not kept: {detail['request_id']} for {marker}"
        assert row["state"] == detail["state"], f"{marker} is {row['state']} in the list and {detail['state']} by id"
        found[marker].append(detail)
    return found


def wait_until_drained(api: Api, seen: list[Seen], seconds: float = 10) -> None:
    """Every acknowledged call is listed, and none is open: each client got its response or disconnected.

    Lists are up to date within a second; on a loaded machine the test waits longer before it fails.
    """
    wanted = {each.call_id for each in seen if each.acknowledged}

    def all_listed() -> bool:
        listed = {row["id"]: row["state"] for row in api.all("llm_calls", limit=200)}
        missing = wanted - listed.keys()
        assert not missing, f"{len(missing)} of {len(wanted)} acknowledged calls are not listed"
        still_open = [call for call, state in listed.items() if state == "open"]
        assert not still_open, f"{len(still_open)} calls are listed as open, though every client has gone: {still_open[:3]}"
        return True

    eventually(all_listed, seconds, pause=0.2)


def complaints(seen: list[Seen], rows: dict[str, list[dict]], upstream: Counter[str], *, crashed: bool) -> list[str]:
    """All problems of the ledger. `crashed`: the server was killed meanwhile."""
    wrong = []
    sent = {each.marker for each in seen}
    wrong += [f"{marker}: a row that no client asked for" for marker in rows.keys() - sent]
    wrong += [f"{marker}: asked of the provider, but by no client" for marker in upstream.keys() - sent]
    for one in seen:
        mine = rows.get(one.marker, [])
        asked = upstream[one.marker]
        what = f"{one.marker} ({one.model}, {'stream' if one.streamed else 'plain'}, status {one.status}, {one.error})"
        if len(mine) > 1:
            wrong.append(f"{what}: {len(mine)} rows")
        if not mine:
            if one.any_byte and one.status != 503:
                wrong.append(f"{what}: the client got an answer, and there is no row")
            elif asked and not crashed:
                wrong.append(f"{what}: the provider was asked, and there is no row")
            continue
        row = mine[0]
        if row["state"] not in STATES:
            wrong.append(f"{what}: state {row['state']}")
        if row["state"] == "orphaned" and not crashed:
            wrong.append(f"{what}: orphaned, though the server never died")
        if asked > max(1, len(row["attempts"])):
            wrong.append(f"{what}: the provider was asked {asked} times, the row has {len(row['attempts'])} attempts")
        if asked == 0 and row["state"] in ("settled", "estimated"):
            wrong.append(f"{what}: {row['state']}, though the provider was never asked")
        if one.call_id and row["id"] != one.call_id:
            wrong.append(f"{what}: the answer's call id {one.call_id} is not the row's {row['id']}")
        if one.acknowledged:
            wrong += [f"{what}: {problem}" for problem in acknowledged_row(one, row)]
    return wrong


def acknowledged_row(one: Seen, row: dict) -> list[str]:
    """Conditions for a call with a complete response."""
    wrong = []
    if row["state"] != "settled":
        wrong.append(f"acknowledged, but {row['state']}")
    if row["streamed"] is not one.streamed:
        wrong.append(f"streamed is {row['streamed']}")
    if not row["prompt_tokens"] or not row["completion_tokens"]:
        wrong.append("settled without tokens")
    elif row["total_tokens"] != row["prompt_tokens"] + row["completion_tokens"]:
        wrong.append(f"{row['total_tokens']} tokens are not {row['prompt_tokens']} + {row['completion_tokens']}")
    if one.usage:
        kept = {name: row[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
        if kept != {name: one.usage[name] for name in kept}:
            wrong.append(f"kept {kept}, answered {one.usage}")
    return wrong


def assert_complete(api: Api, seen: list[Seen], requests: list[dict], *, crashed: bool) -> dict[str, list[dict]]:
    """The whole comparison; returns the rows by marker."""
    wait_until_drained(api, seen)
    rows = rows_by_marker(api)
    wrong = complaints(seen, rows, upstream_count(requests), crashed=crashed)
    assert not wrong, f"{len(wrong)} of {len(seen)} calls:\n" + "\n".join(wrong[:40])
    return rows
