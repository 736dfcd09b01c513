"""A project of a new tenant, and its documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from support.api import Api

TEXT = "Customers cancel an open order.\n\n客户取消订单后，系统应退款。\n"
MARKDOWN = "# Orders\n\nAn open order can be cancelled.\n"
DESIGN = {
    "title": "Shop",
    "architecture": {"type": "monolith", "components": [{"name": "shop", "technology": "Rust"}]},
    "plantuml_code": "@startuml\n@enduml\n",
    "decision_log": [
        {
            "timestamp": "2026-12-01T00:00:00Z",
            "option": "SQLite",
            "alternatives": ["PostgreSQL"],
            "rationale": "one server is enough",
        }
    ],
    "risk_assessment": {"performance": 3, "security": 2.5, "reasons": {"performance": "one writer"}},
}
SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "Shop", "version": "1"},
    "paths": {"/orders": {"get": {"operationId": "orders_list", "responses": {"200": {"description": "OK"}}}}},
}


@dataclass
class Delivered:
    """A project's documents, of each kind the newest."""

    api: Api
    project: str

    def requirement(self, **fields: Any) -> dict[str, Any]:
        return self.api.create("requirements", {"project_id": self.project, "raw_text": TEXT} | fields)

    def prd(self, requirement: str, **fields: Any) -> dict[str, Any]:
        return self.api.create("prd_docs", {"requirement_id": requirement, "markdown_content": MARKDOWN} | fields)

    def design(self, prd: str, **fields: Any) -> dict[str, Any]:
        return self.api.create("tech_designs", {"prd_id": prd} | DESIGN | fields)

    def spec(self, **fields: Any) -> dict[str, Any]:
        return self.api.create("api_specs", {"openapi_spec": SPEC} | fields)

    def chain(self) -> dict[str, dict[str, Any]]:
        """A requirement and what was made from it, by collection."""
        requirement = self.requirement()
        prd = self.prd(requirement["id"])
        design = self.design(prd["id"])
        spec = self.spec(design_id=design["id"])
        return {"requirements": requirement, "prd_docs": prd, "tech_designs": design, "api_specs": spec}

    def save(self, collection: str, document: dict[str, Any], expect: int = 200, **change: Any) -> Any:
        """Saves a change that is based on this version of the document."""
        body = {"base_version": document["version"]} | change
        return self.api.call("PATCH", f"/api/v1/{collection}/{document['id']}", expect, json=body).json()

    def move(self, collection: str, document: dict[str, Any], status: str, expect: int = 200) -> Any:
        """Changes the status of this version of the document."""
        body = {"base_version": document["version"], "status": status}
        return self.api.call("POST", f"/api/v1/{collection}/{document['id']}/transition", expect, json=body).json()


@pytest.fixture
def delivered(tenant: Api, name) -> Delivered:
    return Delivered(tenant, tenant.create("projects", {"name": name()})["id"])
