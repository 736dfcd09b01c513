"""Projects to send telemetry to, and programs that send it with standard libraries."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.api import Api
from support.deployment import Deployment

SAMPLES = Path(__file__).parent.parent / "samples"
_numbers = itertools.count(1)


@dataclass
class Project:
    """A project, a client that may read it, and a client that may only send telemetry to it."""

    id: str
    api: Api
    sender: Api

    def environment(self, **more: str) -> dict[str, str]:
        """The environment variables that make OpenTelemetry's exporters send to Loam."""
        return os.environ | {
            "OTEL_SERVICE_NAME": "shop",
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4.0,vcs.ref.head.revision=abc123",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{self.api.url}/otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{self.sender.key}",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "300",
            **more,
        }


@pytest.fixture
def project(deployment: Deployment) -> Project:
    api = deployment.api
    made = api.create("projects", {"name": f"telemetry-{next(_numbers)}"})
    return Project(made["id"], api, api.with_key(made["ingest_key"]))


def program(name: str) -> str:
    """The path of a program in the virtual environment of the tests."""
    return str(Path(sys.executable).with_name(name))


def run(command: list[str], environment: dict[str, str]) -> str:
    """Runs a command to its end; returns its standard output."""
    done = subprocess.run(command, env=environment, cwd=SAMPLES, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Failed to export" not in done.stderr, done.stderr[-4000:]
    return done.stdout
