"""What the suites of channels start from: a bot platform that takes messages."""

from __future__ import annotations

import pytest

from support.platforms import Receiver


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made
