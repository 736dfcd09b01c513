"""A running Loam with its database and providers, used by every suite."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services import LlMock, Loam, Postgres, RealModel

from .api import Api

# The secret used for the mock; it must never appear in output.
PROVIDER_SECRET = "sk-provider-secret-8f2b61c0d9"
MOCK_MODELS = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"]
_numbers = itertools.count(1)


@dataclass
class Deployment:
    """`database` is the name of the kind: sqlite, postgres or pgbouncer."""

    loam: Loam
    api: Api
    database: str
    postgres: Postgres | None = None
    database_name: str | None = None

    def add_provider(self, name: str, base_url: str, models: list[str], *, key: str = PROVIDER_SECRET) -> dict:
        config = {"base_url": base_url, "api_key": key, "models": models}
        return self.api.create("ai_providers", {"name": name, "kind": "openai", "config": config})

    def tenant(self, slug: str) -> Api:
        """Creates a tenant; returns a client with its first key."""
        made = self.api.create("tenants", {"slug": slug, "name": slug.title()})
        return self.api.with_key(made["api_key"]["key"])


@contextmanager
def deploy(
    database: str, postgres: Postgres | None = None, *, through: object = None, env: dict[str, str] | None = None
) -> Iterator[Deployment]:
    """A new Loam on a new database. `through`: a PgBouncer in front of PostgreSQL."""
    name = None
    url = None
    if database != "sqlite":
        name = f"loam_{next(_numbers)}"
        url = postgres.create_database(name)
        if through is not None:
            # In transaction mode, named prepared statements don't work: the next transaction may use another session.
            url = f"{through.database_url(name)}?statement-cache-capacity=0"
    with Loam(database_url=url, env=env) as loam:
        yield Deployment(loam, Api(loam.url, loam.key), database, postgres, name)
        # A server that can't stop cleanly after a test has left something undone.
        if loam.process.running:
            code = loam.stop()
            assert code == 0, f"loam ended with {code}\n{loam.process.tail()}"


def add_usual_providers(
    deployment: Deployment, mock: LlMock | None = None, slow: LlMock | None = None, real: RealModel | None = None
) -> None:
    """`mock`, `slow` (a slow stream) and `local` (the real model)."""
    if mock:
        deployment.add_provider("mock", mock.base_url, MOCK_MODELS)
    if slow:
        deployment.add_provider("slow", slow.base_url, MOCK_MODELS)
    if real:
        deployment.add_provider("local", real.base_url, [real.model])
