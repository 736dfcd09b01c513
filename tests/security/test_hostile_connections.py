"""Unauthenticated connections use few resources, and other requests are served as usual."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services import LlMock, Loam
from support.api import Api
from support.deployment import Deployment, add_usual_providers, deploy
from support.hostile import KINDS, Hostile, rss_mb, within

COUNT = 300
# An eighth of all may be without a credential.
MOST = 240
ANONYMOUS = MOST // 8


@pytest.fixture(scope="module")
def attacked(mock: LlMock) -> Iterator[Deployment]:
    with deploy("sqlite", env={"LOAM_SERVER__MAX_CONNECTIONS": str(MOST), "LOAM_SERVER__READ_TIMEOUT": "60"}) as made:
        add_usual_providers(made, mock)
        yield made


def serves(deployment: Deployment) -> None:
    """Health and a call, each over a connection that is there already and over a new one."""
    for _ in range(3):
        assert httpx.get(f"{deployment.loam.url}/healthz", timeout=20, trust_env=False).text == "ok"
        deployment.api.chat("mock/gpt-4o", "hello")
        deployment.api.with_key(deployment.loam.key).chat("mock/gpt-4o", "hello")


@pytest.mark.parametrize("kind", KINDS)
def test_thousands_of_one_kind_push_out_their_own(attacked, kind):
    serves(attacked)
    before = rss_mb(attacked.loam.process.pid)
    with Hostile(attacked.loam.port, kind, COUNT) as hostile:
        for _ in range(3):
            hostile.send_a_little()
            serves(attacked)
        assert within(20, lambda: hostile.open_count() <= ANONYMOUS), f"{hostile.open_count()} are open"
        # A slow reader's answers are shared; a head and a body take some kilobytes. Before it was megabytes for some kinds.
        grown = rss_mb(attacked.loam.process.pid) - before
        assert grown < 60, f"{COUNT} connections took {grown:.0f} MB"
    serves(attacked)


def test_whoever_showed_a_credential_stays(attacked):
    """The oldest connection of all, idle, but one that has been used with a key."""
    with httpx.Client(base_url=attacked.loam.url, trust_env=False, timeout=20) as http:
        headers = {"authorization": f"Bearer {attacked.loam.key}"}
        assert http.get("/api/v1/projects", headers=headers).is_success
        connection = http._transport._pool.connections[0]
        with Hostile(attacked.loam.port, "idle", COUNT) as hostile:
            assert within(20, lambda: hostile.open_count() <= ANONYMOUS)
            assert not connection.has_expired(), "the server closed it"
            assert http.get("/api/v1/projects", headers=headers).is_success


def test_an_answer_that_nobody_reads_ends():
    with (
        deploy("sqlite", env={"LOAM_SERVER__READ_TIMEOUT": "1"}) as made,
        Hostile(made.loam.port, "slow_reader", 20) as hostile,
    ):
        assert within(30, lambda: open_here(made) == 0), f"{open_here(made)} are open"
        assert len(hostile.sockets) == 20


def open_here(deployment: Deployment) -> int:
    """Connections without a credential, by the server's own count."""
    for line in deployment.api.call("GET", "/metrics", 200).text.splitlines():
        if line.startswith('loam_connections{credential="no"}'):
            return int(float(line.split()[-1]))
    raise AssertionError("no figure of connections")


class Poor(Loam):
    """One that may open few files."""

    limits = "ulimit -n 256"

    def serve_command(self) -> list[str]:
        return ["bash", "-c", f'{self.limits} && exec "$@"', "bash", *super().serve_command()]


def test_with_few_descriptors_there_are_enough_for_providers(mock):
    with Poor() as loam:
        made = Deployment(loam, Api(loam.url, loam.key), "sqlite")
        add_usual_providers(made, mock)
        with Hostile(loam.port, "idle", 300) as hostile:
            for _ in range(5):
                serves(made)
            assert hostile.open_count() < 100
        assert "LimitNOFILE" in loam.process.log()
        assert loam.stop() == 0


def test_the_soft_limit_is_raised():
    class Soft(Poor):
        limits = "ulimit -Sn 256"

    with Soft() as loam:
        limits = Path(f"/proc/{loam.process.pid}/limits").read_text().splitlines()
        soft, hard = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
        assert soft == hard
        assert soft != "256"
        assert loam.stop() == 0
