"""Every block of both READMEs works as it is pasted, after `make run` and after `make demo`."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services import LlMock, Postgres
from services_kit.loam import binary
from services_kit.process import Process, free_port, http_ok, temporary_folder
from support.api import Api, eventually
from support.pasted import Terminal, blocks

ROOT = Path(__file__).resolve().parents[2]
READMES = {"english": ROOT / "README.md", "chinese": ROOT / "README.zh-CN.md"}
# What the blocks print: a stream to its end, the ledger's row, a turn, the diagnosis, the comparison.
EXPECTED = ["data: [DONE]", "settled", "event: ended", "n_plus_one", "faster"]


@pytest.fixture
def cluster() -> Iterator[Postgres]:
    """A PostgreSQL without Loam's roles, as a reader has it."""
    with Postgres(fsync=False) as server:
        yield server


@pytest.fixture
def clone() -> Iterator[Path]:
    """A clone in which Loam is built: the files of this one, and its own data folder."""
    folder = temporary_folder("readme")
    for name in ("Makefile", "scripts", "tests"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "target/quick").mkdir(parents=True)
    (folder / "target/quick/loam").symlink_to(binary())
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(folder: Path, command: list[str], url: str, environment: dict[str, str]) -> Iterator[Process]:
    """A server in its own terminal, ended as by Ctrl-C."""
    process = Process(command[0], folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOAM_") or name == "LOAM_CACHE"}
    process.launch(command, env=kept | environment)
    try:
        process.wait_until(lambda: http_ok(f"{url}/readyz"), 60)
        yield process
    finally:
        interrupt(process)


def interrupt(process: Process) -> None:
    """Ctrl-C, which goes to the whole group."""
    if process.running:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(30)


def set_by_the_reader(mock: LlMock, port: int, cluster: Postgres) -> dict[str, str]:
    """What the documents ask the reader to set, and where the services of the test are."""
    names = ("OPENAI", "DEEPSEEK", "DASHSCOPE")
    return {
        **{f"{name}_API_KEY": "sk-of-the-reader" for name in names},
        **{f"{name}_BASE_URL": mock.base_url for name in names},
        "LOAM_OUTGOING__ALLOW_NETWORKS": '["127.0.0.0/8"]',
        "LOAM_LISTEN": f"127.0.0.1:{port}",
        "PGPORT": str(cluster.port),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # What the documents install is in this environment already.
        "PIP_NO_INDEX": "1",
    }


def drained(api: Api) -> bool:
    """Whether all that was acknowledged is in the database. A reader takes longer to paste the next block."""
    return "\nloam_journal_undrained_bytes 0\n" in api.call("GET", "/metrics", 200).text


@pytest.mark.parametrize("start", ["run", "demo"])
@pytest.mark.parametrize("language", READMES)
def test_every_block_works_as_it_is_pasted(clone, mock, cluster, language, start):
    port = free_port()
    url, reader = f"http://127.0.0.1:{port}", set_by_the_reader(mock, port, cluster)
    api, printed = None, ""
    # `--assume-old`: Loam is built.
    make = ["make", "--assume-old=build", start, f"LISTEN=127.0.0.1:{port}"]
    with running(clone, make, url, {}) as server, Terminal(clone, url, reader) as terminal:
        for block in blocks(READMES[language]):
            if api and server.running:
                eventually(lambda caller=api: drained(caller), 10)
            match block.language, block.text.split()[:2]:
                case "sh", ["make", "run"]:
                    eventually(lambda: start == "run" or "Paste this" in server.output(), 30)
                case "sh", ["target/quick/loam", "serve"]:
                    interrupt(server)
                    with running(clone, ["bash", "-c", f"exec {block.text}"], url, reader) as on_postgres:
                        assert "user `operator`, password" in on_postgres.output()
                case "sh", _:
                    printed += terminal.run(block.text)
                case "python", _:
                    printed += terminal.python(block.text)
                case "sql", _:
                    for statement in block.text.split(";\n"):
                        cluster.execute(statement)
                case _:
                    pytest.fail(f"line {block.line}: the test does not know how to run a block of `{block.language}`")
            if api is None and (key := terminal.run('echo -n "$LOAM_KEY"')):
                api = Api(url, key)
                if start == "demo":
                    # The name that the demo gives to its model, before the reader registers a provider.
                    answer = api.chat("chat", "Hello", max_tokens=4)
                    assert answer.json()["model"] == "smollm2-135m-instruct", answer.text
    for expected in EXPECTED:
        assert expected in printed, f"nothing printed `{expected}`:\n{printed}"
