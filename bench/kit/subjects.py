"""What is measured: each subject stands between the load and the mock upstream.

A new subject is a class here and a line in `SUBJECTS`; see README.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from kit.postgres import Server, start_postgres
from kit.processes import BenchError, Process, Processes, free_port, http, wait_for


@dataclass
class Setting:
    """What every subject needs to know."""

    processes: Processes
    folder: Path
    cache: Path
    harness: Path
    loam: Path
    upstream: str


class Subject:
    name = ""
    model = "mock-model"
    # Seconds of a slot at most: where a second holds few requests anyway, more of them cost only time.
    longest = 60.0

    def __init__(self, setting: Setting):
        self.setting = setting
        self.base = ""
        self.headers: dict[str, str] = {}
        self.process: Process | None = None

    def start(self) -> None:
        raise NotImplementedError

    def url(self, stream: bool) -> str:
        return f"{self.base}/v1/chat/completions"

    def version(self) -> str:
        return ""

    def busy_pids(self) -> list[int]:
        """Processes that have to come to rest before another subject is measured."""
        return [self.process.pid] if self.process else []


class Upstream(Subject):
    """The mock upstream alone: what the harness itself can do."""

    name = "upstream"

    def start(self) -> None:
        self.base = self.setting.upstream


class Nginx(Subject):
    """A plain proxy with one worker: the limit that a gateway is held against."""

    name = "nginx"

    def binary(self) -> str:
        found = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if found is None:
            raise BenchError("nginx is not installed: run bench/setup.sh nginx")
        return found

    def version(self) -> str:
        done = subprocess.run([self.binary(), "-v"], capture_output=True, text=True)
        return done.stderr.strip().rpartition("/")[2]

    def start(self) -> None:
        folder = self.setting.folder / "nginx"
        folder.mkdir()
        plain, stream = free_port(), free_port()
        template = (Path(__file__).parent.parent / "peers/nginx.conf").read_text()
        values = {
            "FOLDER": str(folder),
            "PLAIN": str(plain),
            "STREAM": str(stream),
            "UPSTREAM": self.setting.upstream.removeprefix("http://"),
        }
        for name, value in values.items():
            template = template.replace(f"@{name}@", value)
        (folder / "nginx.conf").write_text(template)
        command = [self.binary(), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
        self.process = self.setting.processes.start(self.name, command)
        self.base, self.stream_base = f"http://127.0.0.1:{plain}", f"http://127.0.0.1:{stream}"
        wait_for(self.process, f"{self.base}/v1/models", seconds=10)

    def url(self, stream: bool) -> str:
        return f"{self.stream_base if stream else self.base}/v1/chat/completions"


class Portkey(Subject):
    name = "portkey"
    longest = 3.0

    def package(self) -> Path:
        found = self.setting.cache / "portkey/node_modules/@portkey-ai/gateway"
        if not found.is_dir():
            raise BenchError("Portkey's gateway is not installed: run bench/setup.sh portkey")
        return found

    def version(self) -> str:
        return json.loads((self.package() / "package.json").read_text())["version"]

    def start(self) -> None:
        port = free_port()
        command = ["node", self.package() / "build/start-server.js", f"--port={port}", "--headless"]
        # It refuses loopback as a target unless the host is named.
        env = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}
        self.process = self.setting.processes.start(self.name, command, env=env)
        self.base = f"http://127.0.0.1:{port}"
        self.headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"{self.setting.upstream}/v1",
            "authorization": "Bearer sk-bench",
        }
        wait_for(self.process, self.base, seconds=60)


class LiteLlm(Subject):
    name = "litellm"
    longest = 3.0
    KEY = "sk-bench-litellm"

    def version(self) -> str:
        folder = next(self.setting.cache.glob("litellm/lib/python*/site-packages/litellm-*.dist-info"), None)
        return folder.name.removeprefix("litellm-").removesuffix(".dist-info") if folder else ""

    def start(self) -> None:
        command = self.setting.cache / "litellm/bin/litellm"
        if not command.is_file():
            raise BenchError("LiteLLM is not installed: run bench/setup.sh litellm")
        port, config = free_port(), self.setting.folder / "litellm.yaml"
        # JSON is YAML.
        config.write_text(
            json.dumps(
                {
                    "model_list": [
                        {
                            "model_name": self.model,
                            "litellm_params": {
                                "model": f"openai/{self.model}",
                                "api_base": f"{self.setting.upstream}/v1",
                                "api_key": "sk-bench",
                            },
                        }
                    ],
                    "general_settings": {"master_key": self.KEY},
                    "litellm_settings": {"telemetry": False, "request_timeout": 120},
                }
            )
        )
        arguments = ["--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1", "--telemetry", "False"]
        # Its own advice for production, and nothing fetched from outside.
        env = {"LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        self.process = self.setting.processes.start(self.name, [command, *arguments], env=env)
        self.base = f"http://127.0.0.1:{port}"
        self.headers = {"authorization": f"Bearer {self.KEY}"}
        wait_for(self.process, f"{self.base}/health/liveliness", seconds=180)


class Loam(Subject):
    """Loam with its ledger on, on its embedded database."""

    name = "loam-sqlite"
    model = "mock/mock-model"
    KEY = "loam_" + "benchmark0" * 4

    @property
    def data(self) -> Path:
        return self.setting.folder / self.name

    def version(self) -> str:
        return subprocess.run([self.setting.loam, "--version"], capture_output=True, text=True).stdout.strip()

    def database(self) -> list[str]:
        """More arguments of `loam serve`."""
        return []

    def launch(self) -> None:
        """Starts the process on its data folder, without waiting for it."""
        if not self.setting.loam.is_file():
            raise BenchError(f"{self.setting.loam} is missing: run make dist, or leave Loam out with --subjects")
        port = free_port()
        command = [self.setting.loam, "serve", "--listen", f"127.0.0.1:{port}", "--data", self.data, *self.database()]
        # The upstream is on this machine.
        command += ["--allow-network", "127.0.0.0/8"]
        env = {"LOAM_BOOTSTRAP_KEY": self.KEY, "LOAM_BOOTSTRAP_PASSWORD": "benchmark-password-1"}
        self.base = f"http://127.0.0.1:{port}"
        self.headers = {"authorization": f"Bearer {self.KEY}"}
        self.process = self.setting.processes.start(self.name, command, env=env)

    def start(self) -> None:
        self.launch()
        wait_for(self.process, f"{self.base}/readyz", seconds=60)
        provider = {
            "name": "mock",
            "kind": "openai",
            "display_name": "Mock",
            "config": {"base_url": f"{self.setting.upstream}/v1", "api_key": "sk-bench"},
        }
        self.ask("POST", "ai_providers", provider)

    def ask(self, method: str, path: str, body: dict) -> None:
        """A change through the resource API."""
        headers = {**self.headers, "content-type": "application/json"}
        http(f"{self.base}/api/v1/{path}", method=method, data=json.dumps(body).encode(), headers=headers)

    def stop(self) -> float:
        """Ends it as an operator would; returns how many seconds that took."""
        begun = time.monotonic()
        status = self.setting.processes.stop(self.process, patience=120)
        self.process = None
        if status != 0:
            raise BenchError(f"{self.name} ended with status {status} when asked to stop")
        return time.monotonic() - begun


class LoamManaged(Loam):
    """The same with what a team switches on: a route, a price, limits and budgets."""

    name = "loam-managed"
    model = "bench"

    def start(self) -> None:
        super().start()
        self.ask("POST", "model_prices", {"provider": "mock", "model": "*", "input_per_million": 1.0, "output_per_million": 2.0})
        # The second target is never needed; it is there to be chosen against.
        targets = [{"provider": "mock", "model": "mock-model"}, {"provider": "mock", "model": "spare", "order": 1}]
        self.ask("POST", "model_routes", {"alias": self.model, "targets": targets})
        plenty = {"requests_per_minute": 10**9, "tokens_per_minute": 10**12, "concurrency": 10**6, "budget_per_month": 10**6}
        key = json.loads(http(f"{self.base}/api/v1/api_keys", headers=self.headers))["data"][0]["id"]
        self.ask("POST", "limits", {"subject_type": "tenant", **plenty})
        self.ask("POST", "limits", {"subject_type": "api_key", "subject_id": key, "budget_per_day": 10**6, **plenty})


class LoamRecorded(LoamManaged):
    """Also with a record of each request besides its row in the ledger."""

    name = "loam-recorded"

    def start(self) -> None:
        super().start()
        self.ask("PUT", "system_config/records.api_logs", {"config_value": {"sampling": {"calls": 1}}})


class LoamPostgres(Loam):
    """The same on PostgreSQL, whose memory is not counted as Loam's."""

    name = "loam-postgres"
    server: Server | None = None

    def database(self) -> list[str]:
        if self.server is None:
            self.server = start_postgres(self.setting.processes, self.setting.folder, self.setting.cache)
        return ["--database-url", self.server.url]

    def busy_pids(self) -> list[int]:
        return [*super().busy_pids(), *([self.server.process.pid] if self.server else [])]


SUBJECTS: dict[str, type[Subject]] = {
    subject.name: subject for subject in (Upstream, Nginx, Loam, LoamManaged, LoamRecorded, LoamPostgres, Portkey, LiteLlm)
}
