"""Real services for tests, the demo and the benchmark, each started on a free loopback port in a temporary folder."""

from .dify import Dify
from .faulty import Asked, Faulty, Mood
from .llmock import LlMock
from .loam import Loam
from .pgbouncer import PgBouncer
from .postgres import Postgres
from .process import Process, ServiceError, free_port
from .realmodel import RealModel
from .strict import Strict

__all__ = [
    "Asked",
    "Dify",
    "Faulty",
    "LlMock",
    "Loam",
    "Mood",
    "PgBouncer",
    "Postgres",
    "Process",
    "RealModel",
    "ServiceError",
    "Strict",
    "free_port",
]
