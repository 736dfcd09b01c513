"""OpenAI's chat completions: what api.openai.com refuses, and its answers.

The rules are those of the API reference and of its error messages: unknown fields are refused, a model without
reasoning refuses `reasoning_effort`, one with it refuses `max_tokens`, a temperature and stop sequences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .fields import CHAT_FIELDS
from .rules import NAME, object_schema, of_type, only, refuse_if, strict_schema, unique
from .script import Asked, Reply

REASONING_MODELS = ("gpt-5", "o1", "o3", "o4")
MESSAGE_FIELDS = {
    "system": ["role", "content", "name"],
    "developer": ["role", "content", "name"],
    "user": ["role", "content", "name"],
    "assistant": ["role", "content", "name", "tool_calls", "refusal", "audio", "annotations"],
    "tool": ["role", "content", "tool_call_id", "name"],
}
USER_PARTS = {"text": "text", "image_url": "image_url", "file": "file", "input_audio": "input_audio"}
LENGTH = 64


def check(body: dict[str, Any], _headers: dict[str, str]) -> None:
    only(body, CHAT_FIELDS, "body")
    reasons = body["model"].startswith(REASONING_MODELS)
    if reasons:
        refuse_if("max_tokens" in body, "max_tokens: use 'max_completion_tokens' with this model")
        refuse_if(body.get("temperature", 1) != 1, "temperature: only the default (1) is supported with this model")
        refuse_if(body.get("top_p", 1) != 1, "top_p: is not supported with this model")
        refuse_if(body.get("stop"), "stop: is not supported with this model")
    refuse_if(not reasons and body.get("reasoning_effort"), "reasoning_effort: unrecognized request argument supplied")
    efforts = (None, "none", "minimal", "low", "medium", "high", "xhigh")
    refuse_if(body.get("reasoning_effort") not in efforts, f"reasoning_effort: unsupported value {body.get('reasoning_effort')}")
    refuse_if(len(str(body.get("user") or "")) > LENGTH, "user: string too long, expected a maximum length of 64")
    refuse_if(len(str(body.get("prompt_cache_key") or "")) > LENGTH, "prompt_cache_key: string too long")
    refuse_if(body.get("stream_options") and not body.get("stream"), "stream_options: is only allowed with stream")
    refuse_if(body.get("metadata") and not body.get("store"), "metadata: is only allowed when store is enabled")
    refuse_if(isinstance(body.get("stop"), list) and not 1 <= len(body["stop"]) <= 4, "stop: expected 1 to 4 sequences")
    tools = body.get("tools")
    reasons_with_tools = body["model"].startswith("gpt-5.4") and tools and body.get("reasoning_effort") != "none"
    refuse_if(reasons_with_tools, "reasoning_effort: with tools, set it to 'none' or use /v1/responses")
    refuse_if(tools == [], "tools: empty array, expected at least one")
    for field in ("tool_choice", "parallel_tool_calls"):
        refuse_if(body.get(field) is not None and not tools, f"{field}: is only allowed when tools are specified")
    for at, tool in enumerate(tools or []):
        check_tool(tool, f"tools[{at}]")
    unique([tool["function"]["name"] for tool in tools or []], "tools")
    check_format(body.get("response_format"))
    refuse_if(not body.get("messages"), "messages: expected at least one")
    check_messages(body["messages"])


def check_tool(tool: dict[str, Any], where: str) -> None:
    only(tool, ["type", "function"], where)
    refuse_if(tool["type"] != "function", f"{where}.type: {tool['type']!r} is not supported")
    function = tool["function"]
    only(function, ["name", "description", "parameters", "strict"], where)
    refuse_if(not NAME.fullmatch(function["name"]), f"{where}.name: {function['name']!r} does not match {NAME.pattern}")
    refuse_if(len(function.get("description") or "") > 65_536, f"{where}.description: too long")
    if "parameters" in function:
        object_schema(function["parameters"], f"{where}.parameters")
        if function.get("strict"):
            strict_schema(function["parameters"], f"{where}.parameters")


def check_format(wanted: dict[str, Any] | None) -> None:
    if wanted and wanted["type"] == "json_schema":
        only(wanted["json_schema"], ["name", "schema", "strict", "description"], "response_format.json_schema")
        object_schema(wanted["json_schema"]["schema"], "response_format")
        if wanted["json_schema"].get("strict"):
            strict_schema(wanted["json_schema"]["schema"], "response_format")


def check_messages(messages: list[dict[str, Any]]) -> None:
    waiting: set[str] = set()
    for at, message in enumerate(messages):
        where, role = f"messages[{at}]", message.get("role")
        refuse_if(role not in MESSAGE_FIELDS, f"{where}.role: {role!r}")
        only(message, MESSAGE_FIELDS[role], where)
        if role == "tool":
            known = message["tool_call_id"] in waiting
            refuse_if(not known, f"{where}: a tool message must follow the message with its tool_calls")
            waiting.remove(message["tool_call_id"])
        else:
            refuse_if(waiting, f"{where}: tool calls without a tool message directly after them: {waiting}")
        calls = message.get("tool_calls")
        refuse_if(calls == [], f"{where}.tool_calls: empty array")
        for call in calls or []:
            only(call, ["id", "type", "function"], f"{where}.tool_calls")
            refuse_if(not call["id"] or not NAME.fullmatch(call["function"]["name"]), f"{where}: a call without id or name")
            of_type(call["function"]["arguments"], str, f"{where}.arguments")
            waiting.add(call["id"])
        content = message.get("content")
        refuse_if(content is None and not calls, f"{where}.content: expected a string, got null")
        refuse_if(content == [], f"{where}.content: empty array")
        for part in content if isinstance(content, list) else []:
            allowed = USER_PARTS if role == "user" else {"text": "text", "refusal": "refusal"}
            refuse_if(part["type"] not in allowed, f"{where}.content: {role} can't have {part['type']}")
            only(part, ["type", allowed[part["type"]]], f"{where}.content")
            if part["type"] == "file" and "file_data" in part["file"]:
                pdf = part["file"]["file_data"].startswith("data:application/pdf;base64,")
                refuse_if(not pdf or not part["file"].get("filename"), f"{where}: a file needs a name, and must be a PDF")
    refuse_if(waiting, f"tool calls without a tool message: {waiting}")


def asked(body: dict[str, Any]) -> Asked:
    """What the script needs to know."""
    since = [at for at, message in enumerate(body["messages"]) if message["role"] == "user"]
    results = [as_text(each["content"]) for each in body["messages"][since[-1] if since else 0 :] if each["role"] == "tool"]
    wanted = body.get("response_format") or {}
    schema = wanted["json_schema"]["schema"] if wanted.get("type") == "json_schema" else None
    tools = {tool["function"]["name"]: tool["function"].get("parameters") or {} for tool in body.get("tools") or []}
    return Asked(tools, results, schema, as_text([each.get("content") for each in body["messages"]]), body.get("tool_choice"))


def as_text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(as_text(each) for each in content)
    return content.get("text", "") if isinstance(content, dict) else content or ""


USAGE = {"prompt_tokens": 120, "completion_tokens": 30, "total_tokens": 150}


def complete(body: dict[str, Any], reply: Reply, number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tool:
        function = {"name": reply.tool, "arguments": json.dumps(reply.arguments)}
        message["tool_calls"] = [{"id": f"call_{number}", "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if reply.tool else "stop"}
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion", "created": 1_760_000_000, "model": body["model"]}
    return head | {"choices": [choice], "usage": USAGE}


def stream(body: dict[str, Any], reply: Reply, number: int) -> Iterator[str]:
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": body["model"]}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return f"data: {json.dumps(head | {'choices': [choice]})}\n\n"

    yield chunk({"role": "assistant", "content": None if reply.tool else "", "refusal": None})
    for piece in pieces(reply.text or ""):
        yield chunk({"content": piece})
    if reply.tool:
        function = {"name": reply.tool, "arguments": ""}
        yield chunk({"tool_calls": [{"index": 0, "id": f"call_{number}", "type": "function", "function": function}]})
        for piece in pieces(json.dumps(reply.arguments)):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield chunk({}, "tool_calls" if reply.tool else "stop")
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps(head | {'choices': [], 'usage': USAGE})}\n\n"
    yield "data: [DONE]\n\n"


def pieces(text: str) -> list[str]:
    return [text[at : at + 7] for at in range(0, len(text), 7)]
