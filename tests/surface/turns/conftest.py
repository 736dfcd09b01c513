"""What the suites of turns start from: a provider that answers at once, and one that takes its time."""

from __future__ import annotations

import pytest

from support.conversation import QUICK, Chat
from support.deployment import add_usual_providers


@pytest.fixture(scope="module")
def talking(deployment, mock, slow):
    """The deployment with a provider that answers at once, and one that takes its time."""
    add_usual_providers(deployment, mock, slow)
    return deployment


@pytest.fixture(autouse=True)
def unscripted(mock, slow):
    mock.reset()
    slow.reset()


@pytest.fixture
def chat(talking):
    return lambda model=QUICK, **fields: Chat(talking.api, model, **fields)
