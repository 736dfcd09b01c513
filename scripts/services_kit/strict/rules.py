"""What both formats check, and the error that a check raises."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class RefusedError(Exception):
    """The message of a provider's 400."""


def refuse_if(bad: object, why: str) -> None:
    if bad:
        raise RefusedError(why)


def only(value: dict[str, Any], known: Iterable[str], where: str) -> None:
    """No other fields."""
    unknown = sorted(set(value) - set(known))
    refuse_if(unknown, f"{where}: extra inputs are not permitted: {', '.join(unknown)}")


def of_type(value: Any, kind: type | tuple[type, ...], where: str) -> None:
    refuse_if(not isinstance(value, kind), f"{where}: has the wrong type: {str(value)[:100]}")


def unique(names: list[str], where: str) -> None:
    refuse_if(len(names) != len(set(names)), f"{where}: names must be unique: {names}")


def object_schema(schema: Any, where: str) -> None:
    """A tool's parameters: an object's schema."""
    of_type(schema, dict, where)
    refuse_if(schema.get("type") != "object", f"{where}: invalid schema: type must be `object`, not {schema.get('type')!r}")


def strict_schema(schema: Any, where: str) -> None:
    """Structured outputs need closed objects, at every depth."""
    if isinstance(schema, list):
        for each in schema:
            strict_schema(each, where)
    elif isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            open_object = schema.get("additionalProperties") is not False
            refuse_if(open_object, f"{where}: `additionalProperties` must be false")
        for each in schema.values():
            strict_schema(each, where)


def instance(schema: dict[str, Any], text: str, root: dict[str, Any] | None = None) -> Any:
    """A value that a JSON Schema accepts, with this text as every string."""
    root = root or schema
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return instance(found, text, root)
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return instance(schema[word][0], text, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: instance(each, text, root) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema["items"], text, root)] if "items" in schema else []
        case "integer" | "number":
            return schema.get("minimum", 7)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return text
