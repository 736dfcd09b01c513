//! Attribute names in current and former conventions. The first that is present applies.

/// The provider of the model.
pub(super) const PROVIDER: [&str; 4] =
    ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"];
/// The model in the response.
pub(super) const RESPONSE_MODEL: [&str; 2] = ["gen_ai.response.model", "llm.response.model"];
/// The requested model.
pub(super) const REQUEST_MODEL: [&str; 6] = [
    "gen_ai.request.model",
    "llm.model_name",
    "embedding.model_name",
    "llm.request.model",
    "langfuse.observation.model.name",
    "llm.invocation_parameters.model",
];
/// The model in the response, otherwise the requested one.
pub(super) const MODEL: [&str; 8] = [
    RESPONSE_MODEL[0],
    RESPONSE_MODEL[1],
    REQUEST_MODEL[0],
    REQUEST_MODEL[1],
    REQUEST_MODEL[2],
    REQUEST_MODEL[3],
    REQUEST_MODEL[4],
    REQUEST_MODEL[5],
];
/// The id of the response, which the provider assigns.
pub(super) const RESPONSE_ID: [&str; 2] = ["gen_ai.response.id", "llm.response.id"];
/// The operation.
pub(super) const OPERATION: [&str; 4] =
    ["gen_ai.operation.name", "llm.request.type", "openinference.span.kind", "traceloop.span.kind"];
/// The attribute that marks OpenLLMetry's spans.
pub(super) const TYPE: [&str; 1] = ["llm.request.type"];
/// The name of a tool.
pub(super) const TOOL: [&str; 3] = ["gen_ai.tool.name", "tool.name", "traceloop.entity.name"];
/// The tool call id that the model assigned.
pub(super) const TOOL_CALL: [&str; 3] = ["gen_ai.tool.call.id", "tool_call.id", "tool.id"];
/// The arguments of a tool call.
pub(super) const TOOL_ARGUMENTS: [&str; 5] = [
    "gen_ai.tool.call.arguments",
    "tool.parameters",
    "input.value",
    "traceloop.entity.input",
    "langfuse.observation.input",
];
/// The result of a tool call.
pub(super) const TOOL_RESULT: [&str; 4] =
    ["gen_ai.tool.call.result", "output.value", "traceloop.entity.output", "langfuse.observation.output"];
/// Time to first token, in seconds.
pub(super) const FIRST_TOKEN: [&str; 3] = [
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "llm.chat_completions.streaming_time_to_first_token",
];
/// Time to first token, in milliseconds.
pub(super) const FIRST_TOKEN_MS: [&str; 1] = ["ttft_ms"];
/// The time of the first token, in RFC 3339.
pub(super) const FIRST_TOKEN_TIME: [&str; 1] = ["langfuse.observation.completion_start_time"];
/// Token counts in one attribute, by the names below.
pub(super) const USAGE: [&str; 1] = ["langfuse.observation.usage_details"];
/// Input tokens.
pub(super) const INPUT_TOKENS: [&str; 6] = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "input_tokens",
    "prompt_tokens",
];
/// The same within [`USAGE`].
pub(super) const INPUT_DETAIL: [&str; 3] = ["input", "input_tokens", "prompt_tokens"];
/// Output tokens.
pub(super) const OUTPUT_TOKENS: [&str; 6] = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "output_tokens",
    "completion_tokens",
];
/// The same within [`USAGE`].
pub(super) const OUTPUT_DETAIL: [&str; 3] = ["output", "output_tokens", "completion_tokens"];
/// Total tokens.
pub(super) const TOTAL_TOKENS: [&str; 4] =
    ["gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens", "total_tokens"];
/// The same within [`USAGE`].
pub(super) const TOTAL_DETAIL: [&str; 2] = ["total", "total_tokens"];
/// Input tokens read from the provider's cache.
pub(super) const CACHED_TOKENS: [&str; 6] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
    "cache_read_tokens",
    "cache_read_input_tokens",
];
/// The same within [`USAGE`].
pub(super) const CACHED_DETAIL: [&str; 4] =
    ["cache_read_input_tokens", "input_cached_tokens", "cached_tokens", "cache_read_tokens"];
/// Input tokens written to the provider's cache.
pub(super) const CACHE_WRITE_TOKENS: [&str; 8] = [
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
    "cache_creation_tokens",
    "cache_write_tokens",
    "cache_creation_input_tokens",
];
/// The same within [`USAGE`].
pub(super) const CACHE_WRITE_DETAIL: [&str; 3] =
    ["cache_creation_input_tokens", "cache_creation_tokens", "cache_write_tokens"];
/// Cost in US dollars.
pub(super) const COST: [&str; 3] = ["gen_ai.usage.cost", "llm.cost.total", "gen_ai.usage.total_cost"];
/// Costs in US dollars in one attribute, by `total`.
pub(super) const COST_DETAILS: [&str; 1] = ["langfuse.observation.cost_details"];
/// Whether the response was streamed.
pub(super) const STREAMED: [&str; 4] =
    ["gen_ai.request.stream", "llm.is_streaming", "gen_ai.is_streaming", "llm.request.streaming"];
/// The conversation id.
pub(super) const CONVERSATION: [&str; 4] = [
    "gen_ai.conversation.id",
    "session.id",
    "traceloop.association.properties.session_id",
    "langfuse.session.id",
];
/// The application's end user.
pub(super) const END_USER: [&str; 6] = [
    "user.id",
    "enduser.id",
    "gen_ai.request.user",
    "llm.user",
    "traceloop.association.properties.user_id",
    "langfuse.user.id",
];
/// The input messages, in one attribute.
pub(super) const INPUT: [&str; 3] = ["gen_ai.input.messages", "input.value", "langfuse.observation.input"];
/// The system instructions.
pub(super) const SYSTEM: [&str; 1] = ["gen_ai.system_instructions"];
/// The tool definitions.
pub(super) const TOOLS: [&str; 3] = ["gen_ai.tool.definitions", "llm.tools", "llm.request.functions"];
/// The output messages, in one attribute.
pub(super) const OUTPUT: [&str; 3] =
    ["gen_ai.output.messages", "output.value", "langfuse.observation.output"];
/// Prefixes of input messages with one attribute per field, by index.
pub(super) const INPUT_BY_NUMBER: [&str; 2] = ["gen_ai.prompt.", "llm.input_messages."];
/// Prefixes of output messages with one attribute per field, by index.
pub(super) const OUTPUT_BY_NUMBER: [&str; 2] = ["gen_ai.completion.", "llm.output_messages."];
/// The request parameters, in one attribute.
pub(super) const PARAMETERS: [&str; 2] =
    ["llm.invocation_parameters", "langfuse.observation.model.parameters"];
/// The type of Langfuse's observations.
pub(super) const LANGFUSE_TYPE: [&str; 1] = ["langfuse.observation.type"];
/// The OpenAI API that was called: `chat_completions` or `responses`.
pub(super) const OPENAI_API: [&str; 1] = ["openai.api.type"];
/// The prefix of request parameters with one attribute each.
pub(super) const PARAMETER: &str = "gen_ai.request.";
/// The base URL of the model API, if no server is reported.
pub(super) const BASE: [&str; 3] = ["gen_ai.openai.api_base", "llm.openai.api_base", "url.full"];

/// Whether an attribute holds content: messages, or the arguments and result of a tool.
pub(in crate::otlp) fn is_content(name: &str) -> bool {
    let whole = [&INPUT[..], &OUTPUT, &SYSTEM, &TOOL_ARGUMENTS, &TOOL_RESULT];
    let by_number = [&INPUT_BY_NUMBER, &OUTPUT_BY_NUMBER];
    whole.iter().any(|names| names.contains(&name))
        || by_number.iter().any(|prefixes| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}
