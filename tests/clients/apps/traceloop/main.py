"""OpenLLMetry (`traceloop-sdk`) on OpenAI's library."""

import os
import sys
from pathlib import Path

from traceloop.sdk import Traceloop

sys.path.append(str(Path(__file__).parent.parent))
headers = {"authorization": f"Bearer {os.environ['INGEST_KEY']}"}
Traceloop.init(app_name="reader", api_endpoint=os.environ["OTLP"], headers=headers, disable_batch=True, telemetry_enabled=False)

from openai_reader import read  # noqa: E402

print(read())
