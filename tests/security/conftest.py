"""What attacks start from: a Loam with its provider, on each database for a module."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from services import LlMock
from support.api import Api
from support.deployment import Deployment, add_usual_providers

_numbers = itertools.count(1)


@pytest.fixture
def api(deployment: Deployment) -> Api:
    """The operator's key, with all scopes, in tenant `default`."""
    return deployment.api


@pytest.fixture
def name() -> Callable[[str], str]:
    """A name that no other test uses."""
    return lambda prefix="thing": f"{prefix}-{next(_numbers)}"


@pytest.fixture
def tenant(deployment: Deployment, name: Callable[[str], str]) -> Api:
    """A new tenant's first key."""
    return deployment.tenant(name("tenant"))


@pytest.fixture(scope="module")
def gateway(deployment: Deployment, mock: LlMock) -> Deployment:
    """The deployment with the mock as provider `mock`."""
    add_usual_providers(deployment, mock)
    return deployment
