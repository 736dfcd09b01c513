"""PgBouncer in transaction mode in front of a PostgreSQL: what a session-level setting does not survive."""

from __future__ import annotations

import shutil
import socket

from .postgres import Postgres
from .process import Process, ServiceError, free_port, temporary_folder, unprivileged_user

CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={postgres}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
# Any login that PostgreSQL accepts is passed through: Loam creates its own login.
auth_type = trust
auth_user = postgres
auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1
pool_mode = transaction
# Few server connections for many clients, so that two transactions of one client land on different ones.
default_pool_size = {pool_size}
max_client_conn = 500
server_reset_query =
ignore_startup_parameters = extra_float_digits
{extra}
"""


class PgBouncer:
    """Any database of the PostgreSQL behind it can be reached by its own name."""

    def __init__(self, postgres: Postgres, *, pool_size: int = 8, extra: str = "") -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
        if program is None:
            raise ServiceError("pgbouncer is missing: as root, apt-get install pgbouncer")
        user = unprivileged_user()
        self.port = free_port()
        self.folder = temporary_folder("pgbouncer", user)
        configuration = self.folder / "pgbouncer.ini"
        configuration.write_text(CONFIGURATION.format(postgres=postgres.port, port=self.port, pool_size=pool_size, extra=extra))
        configuration.chmod(0o644)
        self._process = Process("pgbouncer", temporary_folder("pgbouncer-log"))
        self._process.launch([program, str(configuration)], user=user)
        self._process.wait_until(self._accepts, 20)

    def database_url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def _accepts(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def close(self) -> None:
        # SIGINT waits for transactions to finish, SIGTERM is the immediate stop.
        self._process.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._process.folder, ignore_errors=True)

    def __enter__(self) -> PgBouncer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
