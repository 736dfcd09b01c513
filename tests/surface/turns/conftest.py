"""Fixtures for turns: a fast provider and a slow one."""

from __future__ import annotations

import pytest

from support.conversation import QUICK, Chat
from support.deployment import add_usual_providers


@pytest.fixture(scope="module")
def talking(deployment, mock, slow):
    """The deployment with a fast provider and a slow one."""
    add_usual_providers(deployment, mock, slow)
    return deployment


@pytest.fixture(autouse=True)
def unscripted(mock, slow):
    mock.reset()
    slow.reset()


@pytest.fixture
def chat(talking):
    return lambda model=QUICK, **fields: Chat(talking.api, model, **fields)
