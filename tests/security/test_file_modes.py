"""Only Loam's own user can access its files."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from services import LlMock, Loam, ServiceError
from support.api import Api
from support.deployment import PROVIDER_SECRET


@pytest.fixture
def usual_umask():
    """As most systems have it, under which files are for everybody to read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(folder: Path) -> list[str]:
    """What others may read or write, with its mode."""
    everything = [folder, *folder.rglob("*")]
    return [f"{path} {mode(path):o}" for path in everything if path.exists() and mode(path) & 0o077]


def use(loam: Loam, mock: LlMock) -> None:
    """Something in the database, the journal and the key file."""
    api = Api(loam.url, loam.key)
    config = {"base_url": mock.base_url, "api_key": PROVIDER_SECRET, "models": ["gpt-4o"]}
    number = len(api.all("ai_providers", is_active="true"))
    api.create("ai_providers", {"name": f"mock{number}", "kind": "openai", "config": config})
    api.chat("mock0/gpt-4o", "hello")


def test_other_users_cannot_read_stored_data(mock, usual_umask, tmp_path):
    data = tmp_path / "there-already"
    data.mkdir()
    data.chmod(0o755)
    with Loam(data=data) as loam:
        use(loam, mock)
        names = {path.name for path in data.rglob("*")}
        assert {"loam.db", "loam.db-wal", "loam.db-shm", "master.key", "journal", "journal.id"} <= names
        assert open_to_others(data) == []
        assert "other users had access to the data folder" in loam.process.log()
        export = tmp_path / "trail.jsonl"
        loam.cli("audit", "export", "--tenant", "default", "--out", str(export))
        assert mode(export) == 0o600


def test_what_an_earlier_version_left_open_is_closed(mock, usual_umask, tmp_path):
    data = tmp_path / "data"
    with Loam(data=data) as loam:
        use(loam, mock)
        loam.stop()
        for path in [data, *data.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert open_to_others(data)
        loam.start()
        use(loam, mock)
        assert open_to_others(data) == []


def test_a_folder_of_everybody_is_refused(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with Loam(data=shared, start=False) as loam:
        with pytest.raises(ServiceError):
            loam.start(20)
        assert "others may use the data folder" in loam.process.log() + loam.process.output()
        assert list(shared.iterdir()) == []
