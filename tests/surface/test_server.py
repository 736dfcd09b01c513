"""The server's life cycle: first start, second server, newer database, clean stop."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import stat

import pytest

from services import Loam, Postgres, ServiceError
from services_kit.process import http_ok
from support.api import Api
from support.deployment import deploy

KEY = re.compile(r"loam_[A-Za-z0-9_-]{16,}")


def test_the_first_start_prints_a_key_once_and_the_second_none():
    with Loam(bootstrap=False) as loam:
        keys = KEY.findall(loam.process.output())
        assert len(set(keys)) == 1, loam.process.output()
        api = Api(loam.url, keys[0])
        assert [row["slug"] for row in api.get("/api/v1/tenants")["data"]] == ["default"]
        assert api.get("/api/v1/users")["data"], "the operator was not made"
        shown = len(loam.process.output())
        loam.restart()
        assert not KEY.search(loam.process.output()[shown:])
        assert not KEY.search(loam.process.log())
        Api(loam.url, keys[0]).get("/api/v1/tenants")


def test_a_key_from_the_environment_is_taken_and_not_printed(loam):
    loam.start()
    Api(loam.url, loam.key).get("/api/v1/tenants")
    assert loam.key not in loam.process.output() + loam.process.log()


def test_the_master_key_is_for_the_owners_eyes_alone(loam):
    loam.start()
    key = loam.data / "master.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert (
        stat.S_IMODE((loam.data / "loam.db").stat().st_mode) & 0o007 == 0 or stat.S_IMODE(loam.data.stat().st_mode) & 0o007 == 0
    )


def test_another_master_key_is_noticed_at_the_start(loam):
    """Sealed values would be unreadable: it fails at startup, not at the first call."""
    loam.start()
    Api(loam.url, loam.key).create(
        "ai_providers", {"name": "p", "kind": "openai", "config": {"base_url": "http://127.0.0.1:9/v1", "api_key": "sk-1"}}
    )
    loam.stop()
    (loam.data / "master.key").rename(loam.folder / "lost.key")
    with pytest.raises(ServiceError):
        loam.start(20)
    assert "key" in loam.process.log().lower()
    (loam.data / "master.key").unlink(missing_ok=True)
    (loam.folder / "lost.key").rename(loam.data / "master.key")
    loam.start()


def test_a_second_server_on_the_same_data_says_so_and_exits(loam):
    loam.start()
    with Loam(data=loam.data, start=False) as second:
        second.launch()
        assert second.process.wait(20) != 0
        said = second.process.log() + second.process.output()
    assert "already" in said or "another" in said, said
    assert str(loam.data) in said, said
    Api(loam.url, loam.key).get("/api/v1/projects")


def test_after_a_kill_the_data_is_free_again(loam):
    loam.start()
    loam.kill9()
    loam.start()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_stops_the_server(loam, number):
    # as in the background of a shell, where nothing ends at an interrupt by itself
    of_the_test = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        loam.launch()
    finally:
        signal.signal(signal.SIGINT, of_the_test)
    loam.process.wait_until(lambda: listens(loam.port), 20)
    loam.process.send(number)
    assert loam.process.wait(20) == 0
    assert "stopped" in loam.process.log() + loam.process.output()


def newer(deployment, version: str = "m99991231_235959_from_the_future") -> None:
    if deployment.postgres:
        statement = f"INSERT INTO seaql_migrations (version, applied_at) VALUES ('{version}', 4102444800)"
        deployment.postgres.execute(statement, deployment.database_name)
        return
    with sqlite3.connect(deployment.loam.data / "loam.db") as connection:
        connection.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES (?, 4102444800)", (version,))
    connection.close()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_database_newer_than_the_binary_is_refused(database, request):
    server = request.getfixturevalue("postgres") if database == "postgres" else None
    with deploy(database, server) as deployment:
        deployment.loam.stop()
        newer(deployment)
        deployment.loam.launch()
        assert deployment.loam.process.wait(20) != 0
        said = deployment.loam.process.log() + deployment.loam.process.output()
        assert "newer" in said, said


def test_an_empty_variable_is_not_set(loam):
    empty = ("LOAM_CONFIG", "LOAM_DATA", "LOAM_DATABASE_URL", "LOAM_LISTEN", "LOAM_DATABASE__OWNER_URL", "LOAM_MAX_BODY_BYTES")
    loam.process.launch(loam.serve_command(), env=loam.environment() | dict.fromkeys(empty, ""))
    loam.process.wait_until(lambda: http_ok(f"{loam.url}/readyz"), 30)


def refused(loam: Loam, *words: str) -> str:
    """What a server says that does not start."""
    loam.process.launch([*loam.serve_command(), *words], env=loam.environment())
    assert loam.process.wait(30) == 1
    return loam.process.log().splitlines()[-1]


def test_an_empty_postgres_does_not_silently_replace_the_data_in_the_folder(loam, postgres):
    loam.start()
    loam.stop()
    loam.database_url = postgres.create_database("instead_of_sqlite")
    said = refused(loam)
    assert f"{loam.data}/loam.db holds the data of earlier starts on SQLite" in said, said
    assert "--fresh" in said
    assert "--data" in said
    loam.process.launch([*loam.serve_command(), "--fresh"], env=loam.environment())
    loam.process.wait_until(lambda: http_ok(f"{loam.url}/readyz"), 30)
    loam.stop()
    # The database has its own data now.
    loam.start()


def test_missing_privileges_are_explained_with_the_statements_to_run(loam):
    def start_as(login: str, *lacking: str) -> None:
        """Starts on a database of this login, with the statements that the refusals name."""
        cluster.execute(f"CREATE ROLE {login} LOGIN")
        loam.database_url = cluster.create_database(f"of_{login}").replace("postgres@", f"{login}@")
        for missing in lacking:
            said = refused(loam)
            assert f"the login `{login}` {missing}" in said, said
            cluster.execute(re.search(r"run as a superuser of PostgreSQL: (.*?;)", said)[1])
        loam.start()
        loam.stop()

    with Postgres(fsync=False) as cluster:
        start_as("first", "does not own the database", "may not create the roles")
        # The roles belong to the cluster, and are there already.
        start_as("second", "does not own the database", "may not create the roles", "may not act as the roles")


@pytest.mark.parametrize("words", [["--listen", "nonsense"], ["--no-such-flag"], ["--database-url", "mysql://x/y"]])
def test_a_wrong_setting_is_refused_with_a_reason(loam, words):
    loam.process.launch([*loam.serve_command()[:2], "--data", str(loam.data), *words], env=loam.environment())
    assert loam.process.wait(20) not in (0, None)
    assert loam.process.log().strip()


def test_an_unknown_database_is_refused_without_showing_the_password(loam):
    loam.database_url = "postgres://postgres:hidden-password-5551@127.0.0.1:9/none"
    loam.launch()
    assert loam.process.wait(60) not in (0, None)
    assert "hidden-password-5551" not in loam.process.log() + loam.process.output()
