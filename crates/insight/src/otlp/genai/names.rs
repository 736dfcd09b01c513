//! What attributes are called, in the conventions of now and of before. The first that is there counts.

/// Who serves the model.
pub(super) const PROVIDER: [&str; 4] =
    ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"];
/// Which model answered, else which was asked.
pub(super) const MODEL: [&str; 6] = [
    "gen_ai.response.model",
    "gen_ai.request.model",
    "llm.model_name",
    "embedding.model_name",
    "llm.response.model",
    "llm.request.model",
];
/// What it was asked to do.
pub(super) const OPERATION: [&str; 4] =
    ["gen_ai.operation.name", "llm.request.type", "openinference.span.kind", "traceloop.span.kind"];
/// The sign of OpenLLMetry's spans.
pub(super) const TYPE: [&str; 1] = ["llm.request.type"];
/// The name of a tool.
pub(super) const TOOL: [&str; 3] = ["gen_ai.tool.name", "tool.name", "traceloop.entity.name"];
/// Seconds to the first token.
pub(super) const FIRST_TOKEN: [&str; 3] = [
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "llm.chat_completions.streaming_time_to_first_token",
];
