"""What generators need of the OpenAPI document, for every operation and schema in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from support.openapi import operations

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "docs" / "openapi.json").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = operations(DOCUMENT)
REFERENCE = "#/components/schemas/"
# Values, not schemas.
VALUES = {"example", "examples", "default", "enum", "mapping", "required"}


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document that is not part of an example."""
    if isinstance(value, dict):
        yield path, value
        for name, each in value.items():
            if name not in VALUES or path.endswith("/properties"):
                yield from nodes(each, f"{path}/{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from nodes(each, f"{path}/{number}")


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema, nested ones included."""
    for path, node in nodes(DOCUMENT):
        before, _, last = path.rpartition("/")
        parent = before.rpartition("/")[2]
        named = before == "/components/schemas" or parent == "properties" or parent in ("oneOf", "anyOf", "allOf")
        if named or last in ("schema", "items", "additionalProperties"):
            yield path, node


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].removeprefix(REFERENCE)]
    return schema


def reachable(starts: list[Any]) -> set[str]:
    """The names of the schemas that these parts of the document refer to, directly or not."""
    found: set[str] = set()
    while starts:
        names = set(re.findall(rf'"{REFERENCE}([^"]+)"', json.dumps(starts.pop()))) - found
        found |= names
        starts += [SCHEMAS[name] for name in names]
    return found


def may_be_null(schema: dict[str, Any]) -> bool:
    return "null" in schema.get("type", []) or any(each.get("type") == "null" for each in schema.get("oneOf", []))


def test_every_reference_leads_to_a_schema_and_every_schema_is_used():
    used = set(re.findall(rf'"\$ref": "{REFERENCE}([^"]+)"', json.dumps(DOCUMENT)))
    assert used == set(SCHEMAS)


def test_no_schema_says_nothing():
    """A bare `object` is an object without fields to a generator: JSON of any shape is `JsonValue` or `JsonObject`."""
    silent = [path for path, schema in schemas() if not set(schema) - {"description", "title", "default"}]
    assert silent == ["/components/schemas/JsonValue"]
    fields = {"properties", "additionalProperties"}
    bare = [path for path, schema in schemas() if "object" in schema.get("type", []) and not fields & set(schema)]
    assert bare == []


def test_no_schema_is_a_copy_of_a_named_one():
    named = {json.dumps(schema, sort_keys=True) for schema in SCHEMAS.values() if "properties" in schema or "allOf" in schema}
    nested = [(path, schema) for path, schema in schemas() if path.count("/") > 3]
    assert [path for path, schema in nested if json.dumps(schema, sort_keys=True) in named] == []


def test_what_is_always_in_a_response_is_required():
    received = reachable([operation.document["responses"] for operation in OPERATIONS])
    optional = []
    for name in sorted(received):
        for path, node in nodes(SCHEMAS[name], name):
            for field, schema in node.get("properties", {}).items() if "type" in node else ():
                if field not in node.get("required", []) and (may_be_null(schema) or "default" in schema):
                    optional.append(f"{path}.{field}")
    assert optional == []


def test_a_union_of_objects_has_a_discriminator():
    for path, schema in schemas():
        variants = [resolve(each) for each in schema.get("oneOf", [])]
        objects = [each for each in variants if each.get("type") == "object" or "allOf" in each]
        if len(objects) > 1 and "discriminator" not in schema:
            tags = [json.dumps(sorted(each.get("required", []))) for each in objects]
            assert len(set(tags)) == len(tags), f"{path}: generators can't tell the variants apart"
        for to in schema.get("discriminator", {}).get("mapping", {}).values():
            assert {"$ref": to} in schema["oneOf"], path


def test_a_stream_describes_each_of_its_events():
    streams = []
    for operation in OPERATIONS:
        for response in operation.document["responses"].values():
            content = response.get("content", {}).get("text/event-stream")
            if content is None:
                continue
            streams.append(operation.document["operationId"])
            event = resolve(content["schema"])
            for variant in map(resolve, event.get("oneOf", [event])):
                assert "data" in variant["required"], streams[-1]
                assert resolve(variant["properties"]["data"]).get("type") != "string", streams[-1]
    assert {"turns_create", "turns_regenerate", "turns_stream", "turns_tool_results"} < set(streams)
    assert {"chat_completions_create", "responses_create", "messages_create"} < set(streams)


def test_errors_are_described_by_status_with_their_codes():
    for operation in OPERATIONS:
        name = operation.document["operationId"]
        for status, response in operation.document["responses"].items():
            if status[0] in "45":
                shared = response.get("$ref", "").removeprefix("#/components/responses/")
                described = DOCUMENT["components"]["responses"][shared] if shared else response
                schema = described["content"]["application/json"]["schema"]["$ref"].removeprefix(REFERENCE)
                assert schema != "ErrorBody" or described["x-error-codes"], f"{name}: {status} has no codes"
        passes_on = {"gateway", "turns"} & set(operation.document["tags"])
        assert passes_on or "4XX" not in operation.document["responses"], f"{name} names no statuses"


def test_a_summary_is_one_line_and_texts_are_plain():
    for operation in OPERATIONS:
        summary = operation.document["summary"]
        assert len(summary) <= 100, f"{operation.document['operationId']}: {summary}"
        assert "\n" not in summary, operation.document["operationId"]
        assert not summary.endswith("."), f"{operation.document['operationId']}: {summary}"
    for path, node in nodes(DOCUMENT):
        text = node.get("description")
        assert not isinstance(text, str) or not re.search(r"\[`|`\]|::", text), f"{path} is written for rustdoc: {text}"


def examples() -> Iterator[tuple[str, dict[str, Any], Any]]:
    for path, node in nodes(DOCUMENT):
        schema = node.get("schema", node)
        if "example" in node:
            yield path, schema, node["example"]
        for number, example in enumerate(node.get("examples", []) if isinstance(node.get("examples"), list) else []):
            yield f"{path}/{number}", schema, example


@pytest.mark.parametrize(("path", "schema", "example"), [pytest.param(*each, id=each[0]) for each in examples()])
def test_an_example_matches_its_schema(path, schema, example):
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema_rs.validator_for(whole).validate(example)


def test_no_two_types_share_a_schema_name():
    """Of two types with one name the document has only the last one: `#[schema(as = …)]` renames a schema."""
    declaration = re.compile(r"#\[derive\(([^)]*)\)\]((?:\s*(?:#\[|//).*)*)\s*(?:pub(?:\(\w+\))? )?(?:struct|enum) (\w+)")
    names: dict[str, list[str]] = {}
    for file in sorted((ROOT / "crates").glob("*/src/**/*.rs")):
        for derived, attributes, name in declaration.findall(file.read_text()):
            if "ToSchema" in derived:
                renamed = re.search(r"schema\(as = (\w+)", attributes)
                names.setdefault(renamed[1] if renamed else name, []).append(str(file.relative_to(ROOT)))
    assert len(names) > 200
    assert {name: files for name, files in names.items() if len(files) > 1} == {}
