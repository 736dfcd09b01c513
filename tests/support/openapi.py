"""The operations of `/openapi.json`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

METHODS = {"get", "post", "put", "patch", "delete"}

# Operations whose response without a key depends on a password.
LOG_IN = "/api/v1/login"
# Operations whose response depends on a signature.
RECEIVE = "/api/v1/channels/{id}/events"
# All operations that respond without a key.
PUBLIC = {"/healthz", "/readyz", "/openapi.json", "/docs", "/", "/.well-known/jwks.json", LOG_IN, RECEIVE}


@dataclass(frozen=True)
class Operation:
    method: str
    path: str
    document: dict[str, Any]

    @property
    def shape(self) -> str:
        """The path without the names of its parameters."""
        return re.sub(r"\{[^}]*\}", "{}", self.path)

    @property
    def takes_id(self) -> bool:
        return "{" in self.path

    @property
    def is_list(self) -> bool:
        """Whether it returns a page of rows."""
        return any(parameter["name"] == "cursor" for parameter in self.document.get("parameters", []))

    @property
    def wants_parameter(self) -> bool:
        """Whether it requires a query parameter: a list of what belongs to a named object."""
        return any(each["in"] == "query" and each.get("required") for each in self.document.get("parameters", []))

    def url(self, value: str) -> str:
        """The path with its parameters filled in: one value for all, or values separated by blanks."""
        values = value.split(" ")
        return re.sub(r"\{[^}]*\}", lambda _: values.pop(0) if len(values) > 1 else values[0], self.path)


def operations(document: dict[str, Any]) -> list[Operation]:
    """All operations, in the order of the document."""
    found = []
    for path, item in document["paths"].items():
        found += [Operation(method.upper(), path, each) for method, each in item.items() if method in METHODS]
    return found
