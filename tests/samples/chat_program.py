"""A program that talks to a model. `chat_program.py openinference|openllmetry` chooses who tells of its calls."""

import sys

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
headers: dict[str, str] = {}
if sys.argv[1] == "openinference":
    from openinference.instrumentation.openai import OpenAIInstrumentor
else:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor
OpenAIInstrumentor().instrument()

client = OpenAI()
model, marker = sys.argv[2], sys.argv[3]
with trace.get_tracer("chat").start_as_current_span("conversation") as span:
    print(f"{span.get_span_context().trace_id:032x}")
    if sys.argv[1] == "openinference":
        # it leaves it to the program to hand the trace on; OpenLLMetry does so itself
        inject(headers)
    said = [{"role": "user", "content": f"hello {marker}"}]
    client.chat.completions.create(model=model, messages=said, max_tokens=20, extra_headers=headers)
    for _ in client.chat.completions.create(
        model=model, messages=said, stream=True, stream_options={"include_usage": True}, extra_headers=headers
    ):
        pass
provider.shutdown()
