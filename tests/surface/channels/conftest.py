"""Fixtures for channels: a platform that receives deliveries."""

from __future__ import annotations

import pytest

from support.platforms import Receiver


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made
