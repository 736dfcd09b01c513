"""Anthropic's Messages API: what api.anthropic.com refuses, and its answers.

The rules are those of the API reference and of its error messages. Models of `ADAPTIVE` think adaptively, and refuse
prefilled answers and sampling parameters but the defaults; those of `BUDGET` think with a budget; others don't think.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .chat import as_text, pieces
from .fields import MESSAGE_FIELDS, TOOL_FIELDS
from .rules import object_schema, of_type, only, refuse_if, strict_schema, unique
from .script import Asked, Reply

ADAPTIVE = ("claude-opus-4-7", "claude-opus-5", "claude-sonnet-5")
BUDGET = ("claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5")
# Fields of beta features, and what their header's value begins with.
BETA_FIELDS = {
    "context_management": "context-management-",
    "mcp_servers": "mcp-client-",
    "container": "code-execution-",
    "speed": "fast-mode-",
    "output_format": "structured-outputs-",
}
BLOCK_FIELDS = {
    "text": "text citations",
    "image": "source",
    "document": "source title context citations",
    "tool_use": "id name input caller",
    "tool_result": "tool_use_id content is_error",
    "thinking": "thinking signature",
    "redacted_thinking": "data",
}
ID = re.compile(r"[a-zA-Z0-9_-]+")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
SIGNATURE = "c2lnbmF0dXJl"


def check(body: dict[str, Any], headers: dict[str, str]) -> None:
    refuse_if("anthropic-version" not in headers, "anthropic-version: header is required")
    betas = [each.strip() for each in headers.get("anthropic-beta", "").split(",")]
    allowed = [field for field, beta in BETA_FIELDS.items() if any(each.startswith(beta) for each in betas)]
    only(body, [*MESSAGE_FIELDS, *allowed], "body")
    refuse_if(not isinstance(body.get("max_tokens"), int), "max_tokens: field required")
    if "metadata" in body:
        only(body["metadata"], ["user_id"], "metadata")
        refuse_if(len(body["metadata"].get("user_id") or "") > 256, "metadata.user_id: at most 256 characters")
    refuse_if(any(not each.strip() for each in body.get("stop_sequences") or []), "stop_sequences: must contain non-whitespace")
    tools = body.get("tools") or []
    refuse_if(body.get("tool_choice") and not tools, "tool_choice: may only be specified while providing tools")
    for at, tool in enumerate(tools):
        check_tool(tool, f"tools.{at}")
    unique([tool["name"] for tool in tools], "tools")
    output = body.get("output_config") or {}
    if output.get("format"):
        strict_schema(output["format"]["schema"], "output_config.format")
    check_thinking(body, output)
    refuse_if(body.get("temperature", 1) > 1, "temperature: range: 0..1")
    if body["model"].startswith(ADAPTIVE):
        # The reference: the defaults "will be accepted for backwards compatibility, all other values will be rejected".
        others = {"temperature": body.get("temperature", 1) != 1, "top_p": body.get("top_p", 1) < 0.99, "top_k": "top_k" in body}
        refused = [field for field, other in others.items() if other]
        refuse_if(refused, f"{refused}: deprecated for this model")
    both = "temperature" in body and "top_p" in body
    refuse_if(both and body["model"].startswith(BUDGET), "temperature and top_p cannot both be specified for this model")
    if isinstance(body.get("system"), list):
        for at, block in enumerate(body["system"]):
            check_block(block, "system", f"system.{at}")
    check_messages(body)
    marked = json.dumps(body).count('"cache_control"')
    refuse_if(marked > 4, f"a maximum of 4 blocks with cache_control may be provided, found {marked}")


def check_tool(tool: dict[str, Any], where: str) -> None:
    if tool.get("type", "custom") != "custom":
        return
    only(tool, TOOL_FIELDS, where)
    refuse_if(not TOOL_NAME.fullmatch(tool["name"]), f"{where}.name: does not match {TOOL_NAME.pattern}")
    object_schema(tool.get("input_schema"), f"{where}.input_schema")
    combined = [word for word in ("oneOf", "allOf", "anyOf") if word in tool["input_schema"]]
    refuse_if(combined, f"{where}.input_schema: does not support {combined} at the top level")


def check_thinking(body: dict[str, Any], output: dict[str, Any]) -> None:
    thinking, model = body.get("thinking") or {"type": "disabled"}, body["model"]
    refuse_if(
        output.get("effort") and not model.startswith((*ADAPTIVE, "claude-opus-4-5")), "effort: not supported by this model"
    )
    if thinking["type"] == "disabled":
        return
    if thinking["type"] == "adaptive":
        refuse_if(not model.startswith(ADAPTIVE), "adaptive thinking is not supported on this model")
    else:
        refuse_if(not model.startswith(BUDGET), "thinking is not supported by this model")
        budget = thinking["budget_tokens"]
        refuse_if(
            not 1024 <= budget < body["max_tokens"], "max_tokens must be greater than thinking.budget_tokens, at least 1024"
        )
        last = next((turn for turn in reversed(body["messages"]) if turn["role"] == "assistant"), None)
        kinds = [block["type"] for block in last["content"]] if last and isinstance(last["content"], list) else []
        refuse_if("tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking"), "expected thinking before tool_use")
    refuse_if(body.get("temperature", 1) != 1, "temperature may only be set to 1 when thinking is enabled")
    refuse_if(not 0.95 <= body.get("top_p", 1) <= 1, "top_p must be at least 0.95 when thinking is enabled")
    refuse_if("top_k" in body, "top_k must be unset when thinking is enabled")
    forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
    refuse_if(forced, "thinking may not be enabled when tool_choice forces tool use")


def check_messages(body: dict[str, Any]) -> None:
    messages = body.get("messages")
    refuse_if(not messages, "messages: at least one message is required")
    refuse_if(messages[0]["role"] != "user", "messages: first message must use the user role")
    last = len(messages) - 1
    if messages[last]["role"] == "assistant":
        refuse_if(body["model"].startswith(ADAPTIVE), "this model does not support assistant message prefill")
        refuse_if(
            as_text(messages[last]["content"])[-1:].isspace(), "final assistant content cannot end with trailing whitespace"
        )
    waiting: list[str] = []
    for at, message in enumerate(messages):
        where = f"messages.{at}"
        only(message, ["role", "content"], where)
        # The newest models accept system messages after the user's.
        roles = ("user", "assistant", "system") if at and body["model"].startswith(ADAPTIVE) else ("user", "assistant")
        refuse_if(message["role"] not in roles, f"{where}.role: {message['role']!r}")
        content = message["content"]
        refuse_if(not content and not (at == last and message["role"] == "assistant"), f"{where}: must have non-empty content")
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        for number, block in enumerate(blocks):
            check_block(block, message["role"], f"{where}.content.{number}")
        if message["role"] == "system":
            continue
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        missing, unexpected = set(waiting) - set(results), set(results) - set(waiting)
        refuse_if(missing, f"{where}: tool_use ids without tool_result blocks immediately after: {missing}")
        refuse_if(unexpected, f"{where}: unexpected tool_use_id in tool_result blocks: {unexpected}")
        kinds = [block["type"] == "tool_result" for block in blocks]
        refuse_if(kinds != sorted(kinds, reverse=True), f"{where}: tool_result blocks must come first")
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        unique(waiting, f"{where}: tool_use ids")
    refuse_if(waiting, f"tool_use ids without tool_result blocks immediately after: {waiting}")


def check_block(block: dict[str, Any], role: str, where: str) -> None:
    kind = block.get("type")
    refuse_if(kind not in BLOCK_FIELDS, f"{where}: unknown block {kind!r}")
    only(block, ["type", "cache_control", *BLOCK_FIELDS[kind].split()], where)
    if kind == "text":
        refuse_if(not block["text"].strip(), f"{where}: text content blocks must contain non-whitespace text")
    if kind in ("tool_use", "tool_result"):
        refuse_if(role != ("assistant" if kind == "tool_use" else "user"), f"{where}: {kind} can't be in a turn of the {role}")
        id_ = block["id" if kind == "tool_use" else "tool_use_id"]
        refuse_if(not ID.fullmatch(id_), f"{where}.id: {id_!r} does not match {ID.pattern}")
    if kind == "tool_use":
        of_type(block["input"], dict, f"{where}.input")
    if kind == "thinking":
        refuse_if(block.get("signature") != SIGNATURE, f"{where}: invalid signature in thinking block")
    if kind == "tool_result" and isinstance(block.get("content"), list):
        for at, part in enumerate(block["content"]):
            check_block(part, "tool", f"{where}.content.{at}")
    if kind in ("image", "document") and block["source"]["type"] == "base64":
        types = "application/pdf" if kind == "document" else "image/jpeg image/png image/gif image/webp"
        refuse_if(block["source"]["media_type"] not in types.split(), f"{where}: {block['source']['media_type']}")


def asked(body: dict[str, Any]) -> Asked:
    """What the script needs to know."""
    results: list[str] = []
    for turn in reversed(body["messages"]):
        content = turn["content"] if isinstance(turn["content"], list) else []
        found = [as_text(block.get("content")) for block in content if block["type"] == "tool_result"]
        if turn["role"] == "system":
            continue
        if turn["role"] == "user" and not found:
            break
        results = found + results
    output = (body.get("output_config") or {}).get("format") or {}
    tools = {tool["name"]: tool.get("input_schema") or {} for tool in body.get("tools") or []}
    prompt = as_text([body.get("system"), *(turn["content"] for turn in body["messages"])])
    choice = (body.get("tool_choice") or {}).get("type")
    return Asked(tools, results, output.get("schema"), prompt, choice)


def complete(body: dict[str, Any], reply: Reply, number: int) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        content.append({"type": "thinking", "thinking": "The note has to be read.", "signature": SIGNATURE})
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    if reply.tool:
        content.append({"type": "tool_use", "id": f"toolu_{number}", "name": reply.tool, "input": reply.arguments})
    usage = {"input_tokens": 120, "output_tokens": 30, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    head = {"id": f"msg_{number}", "type": "message", "role": "assistant", "model": body["model"], "content": content}
    return head | {"stop_reason": "tool_use" if reply.tool else "end_turn", "stop_sequence": None, "usage": usage}


def stream(body: dict[str, Any], reply: Reply, number: int) -> Iterator[str]:
    message = complete(body, reply, number)

    def event(kind: str, **fields: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n"

    start = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield event("message_start", message=start)
    yield event("ping")
    for index, block in enumerate(message["content"]):
        empty = {"text": {"text": ""}, "tool_use": {"input": {}}, "thinking": {"thinking": "", "signature": ""}}
        yield event("content_block_start", index=index, content_block=block | empty[block["type"]])
        match block["type"]:
            case "text":
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
            case "tool_use":
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(json.dumps(block["input"]))]
            case _:
                deltas = [{"type": "thinking_delta", "thinking": block["thinking"]}]
                deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield event("message_delta", delta=end, usage={"output_tokens": 30})
    yield event("message_stop")
