"""A running Loam with its database and its providers: what every suite starts from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services import LlMock, Loam, Postgres, RealModel

from .api import Api

# What the mock is asked for; a secret that must never be seen again.
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
        """A new tenant; gives the API under its first key."""
        made = self.api.create("tenants", {"slug": slug, "name": slug.title()})
        return self.api.with_key(made["api_key"]["key"])


@contextmanager
def deploy(
    database: str, postgres: Postgres | None = None, *, through: object = None, env: dict[str, str] | None = None
) -> Iterator[Deployment]:
    """A fresh Loam on a fresh database. `through` is a PgBouncer to reach PostgreSQL by."""
    name = None
    url = None
    if database != "sqlite":
        name = f"loam_{next(_numbers)}"
        url = postgres.create_database(name)
        if through is not None:
            # In transaction mode statements can't be kept under a name: the next transaction may have another session.
            url = f"{through.database_url(name)}?statement-cache-capacity=0"
    with Loam(database_url=url, env=env) as loam:
        yield Deployment(loam, Api(loam.url, loam.key), database, postgres, name)
        # A server that cannot end cleanly after a test has something left undone.
        if loam.process.running:
            code = loam.stop()
            assert code == 0, f"loam ended with {code}\n{loam.process.tail()}"


def add_usual_providers(
    deployment: Deployment, mock: LlMock | None = None, slow: LlMock | None = None, real: RealModel | None = None
) -> None:
    """`mock`, `slow` (a stream that takes its time) and `local` (the real model)."""
    if mock:
        deployment.add_provider("mock", mock.base_url, MOCK_MODELS)
    if slow:
        deployment.add_provider("slow", slow.base_url, MOCK_MODELS)
    if real:
        deployment.add_provider("local", real.base_url, [real.model])
