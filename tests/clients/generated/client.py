"""Calls a server with the client that is generated from its document. Writes what it read as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from uuid import UUID

import httpx
from loam_client import AuthenticatedClient, Client
from loam_client.api.chat_sessions import chat_sessions_create, chat_sessions_get, chat_sessions_list
from loam_client.api.login import log_in
from loam_client.api.messages import messages_list
from loam_client.models import (
    ChatSessionCreate,
    ChatSessionView,
    ContentPartText,
    ErrorBody,
    LoggedInView,
    LogIn,
    Order,
    PageChatSessionView,
    PageMessageView,
    TurnStreamEventDelta,
    TurnStreamEventEnded,
    TurnStreamEventStarted,
)
from loam_client.types import UNSET, Unset


def main(base_url: str, username: str, password: str, model: str) -> None:
    # A log-in, and the session that follows it.
    stranger = Client(base_url=base_url)
    logged_in = log_in.sync_detailed(client=stranger, body=LogIn(username=username, password=password))
    assert isinstance(logged_in.parsed, LoggedInView), logged_in.content
    cookie = "; ".join(each.split(";")[0] for each in httpx.Headers(logged_in.headers).get_list("set-cookie"))
    csrf = logged_in.parsed.csrf_token
    loam = AuthenticatedClient(base_url, token=csrf, prefix="", auth_header_name="x-loam-csrf", headers={"cookie": cookie})

    # Three sessions, and all of them page by page.
    created: list[UUID] = []
    for title in ("one", "two", "three"):
        session = chat_sessions_create.sync(client=loam, body=ChatSessionCreate(title=title))
        assert isinstance(session, ChatSessionView), session
        created.append(session.id)
    listed: list[UUID] = []
    cursor: str | Unset = UNSET
    while True:
        page = chat_sessions_list.sync(client=loam, limit=2, order=Order.ASC, cursor=cursor)
        assert isinstance(page, PageChatSessionView), page
        listed += [session.id for session in page.data]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor

    # A question, whose answer is read event by event: the generator knows no streams, but it does know their events.
    body = {"content": [{"type": "text", "text": "Count to three."}], "model": model, "stream": True}
    url = f"/api/v1/chat_sessions/{created[0]}/turns"
    names: list[str] = []
    text = ""
    tokens = 0
    for name, event in events(loam.get_httpx_client().post(url, json=body).text):
        names.append(name)
        if name == "started":
            assert TurnStreamEventStarted.from_dict(event).data.session_id == created[0]
        elif name == "delta":
            text += TurnStreamEventDelta.from_dict(event).data.text
        elif name == "ended":
            tokens = TurnStreamEventEnded.from_dict(event).data.usage.total_tokens
    messages = messages_list.sync(client=loam, session_id=created[0], order=Order.ASC)
    assert isinstance(messages, PageMessageView), messages
    first = messages.data[0].content
    part = first[0] if isinstance(first, list) else None
    question = part.text if isinstance(part, ContentPartText) else ""

    # An error: its status and its body.
    missing = chat_sessions_get.sync_detailed(id=UUID(int=0), client=loam)
    assert isinstance(missing.parsed, ErrorBody), missing
    error = {"status": HTTPStatus(missing.status_code).value, "code": missing.parsed.error.code}

    ids = {"created": [str(each) for each in created], "listed": [str(each) for each in listed]}
    print(json.dumps({**ids, "names": names, "text": text, "tokens": tokens, "question": question, "error": error}))


def events(stream: str) -> Iterator[tuple[str, dict[str, object]]]:
    for block in filter(None, stream.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        yield fields["event"], {"event": fields["event"], "data": json.loads(fields["data"])}


if __name__ == "__main__":
    main(*sys.argv[1:])
