"""A small tracer for the corpus: records the calls of a program with their times."""

import contextlib
import contextvars
import inspect
import itertools
import json
import pathlib
import sys
import time
import tracemalloc

FOLDER = pathlib.Path(__file__).resolve().parent
_current = contextvars.ContextVar("current", default=None)


class Trace:
    """The calls of one request."""

    def __init__(self, memory=False):
        self.calls, self.functions, self.numbers, self.memory = [], [], itertools.count(), memory
        self.started = time.perf_counter_ns()

    def function(self, name, module=None, path=None, line=None):
        function = [name, module, path, line]
        if function not in self.functions:
            self.functions.append(function)
        return self.functions.index(function)

    @contextlib.contextmanager
    def call(self, name, work="function", module=None, path=None, line=None, **detail):
        entry = {"id": f"{next(self.numbers):x}", "function": self.function(name, module, path, line), "work": work}
        parent = _current.get()
        if parent is not None:
            entry["parent"] = parent["id"]
        self.calls.append(entry)
        token = _current.set(entry)
        memory = tracemalloc.get_traced_memory()[0] if self.memory else 0
        cpu, start = time.thread_time_ns(), time.perf_counter_ns()
        entry["start"] = start - self.started
        try:
            yield detail
        except BaseException as e:
            entry["exception"] = f"{type(e).__name__}: {e}"
            raise
        finally:
            entry["duration"], entry["cpu"] = time.perf_counter_ns() - start, time.thread_time_ns() - cpu
            if self.memory:
                entry["memory"] = tracemalloc.get_traced_memory()[0] - memory
            _current.reset(token)
            if detail:
                entry["detail"] = detail

    def profile(self, path):
        """Records calls of the functions of this file automatically; coroutines have to record themselves."""
        stack = []

        def on_event(frame, event, _):
            code = frame.f_code
            generator = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
            if code.co_filename != path or code.co_flags & generator or code.co_name.startswith(("<", "_")):
                return
            if event == "call":
                manager = self.call(code.co_name, module="shop", path="/srv/shop.py", line=code.co_firstlineno)
                manager.__enter__()
                stack.append(manager)
            elif event == "return" and stack:
                # a profiler does not see exceptions; programs report them with `raised`
                stack.pop().__exit__(None, None, None)

        return on_event


def raised(error):
    """Records that the current function raises this exception."""
    entry = _current.get()
    if entry is not None:
        entry["exception"] = f"{type(error).__name__}: {error}"
    return error


def run(program, endpoint, path=None, memory=False):
    """Runs a program as one request and returns its trace."""
    trace = Trace(memory)
    if memory:
        tracemalloc.start()
    before = sys.getprofile()
    try:
        with trace.call(endpoint, "request"):
            if path:
                sys.setprofile(trace.profile(path))
            try:
                program(trace)
            finally:
                sys.setprofile(before)
    finally:
        if memory:
            tracemalloc.stop()
    return trace


def write(name, traces):
    """Writes traces: `(name, planted problems as [[rule, function], …], trace)`."""
    lines = []
    for title, planted, trace in traces:
        row = {"name": title, "planted": planted, "functions": trace.functions, "calls": trace.calls}
        lines.append(json.dumps(row, separators=(",", ":")))
    (FOLDER / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{name}: {len(lines)} traces, {sum(len(line) for line in lines):,} bytes")
