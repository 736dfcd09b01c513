//! What attributes are called, in the conventions of now and of before. The first that is there counts.

/// Who serves the model.
pub(super) const PROVIDER: [&str; 4] =
    ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"];
/// Which model answered.
pub(super) const ANSWERED: [&str; 2] = ["gen_ai.response.model", "llm.response.model"];
/// Which model was asked.
pub(super) const ASKED: [&str; 4] =
    ["gen_ai.request.model", "llm.model_name", "embedding.model_name", "llm.request.model"];
/// Which model answered, else which was asked.
pub(super) const MODEL: [&str; 6] = [ANSWERED[0], ANSWERED[1], ASKED[0], ASKED[1], ASKED[2], ASKED[3]];
/// What it was asked to do.
pub(super) const OPERATION: [&str; 4] =
    ["gen_ai.operation.name", "llm.request.type", "openinference.span.kind", "traceloop.span.kind"];
/// The sign of OpenLLMetry's spans.
pub(super) const TYPE: [&str; 1] = ["llm.request.type"];
/// The name of a tool.
pub(super) const TOOL: [&str; 3] = ["gen_ai.tool.name", "tool.name", "traceloop.entity.name"];
/// The model's own id of a use of a tool.
pub(super) const TOOL_CALL: [&str; 3] = ["gen_ai.tool.call.id", "tool_call.id", "tool.id"];
/// What a tool was asked.
pub(super) const TOOL_ARGUMENTS: [&str; 4] =
    ["gen_ai.tool.call.arguments", "tool.parameters", "input.value", "traceloop.entity.input"];
/// What it gave.
pub(super) const TOOL_RESULT: [&str; 3] =
    ["gen_ai.tool.call.result", "output.value", "traceloop.entity.output"];
/// Seconds to the first token.
pub(super) const FIRST_TOKEN: [&str; 3] = [
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "llm.chat_completions.streaming_time_to_first_token",
];
/// Tokens read.
pub(super) const INPUT_TOKENS: [&str; 4] = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
];
/// Tokens written.
pub(super) const OUTPUT_TOKENS: [&str; 4] = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
];
/// Both.
pub(super) const TOTAL_TOKENS: [&str; 3] =
    ["gen_ai.usage.total_tokens", "llm.token_count.total", "llm.usage.total_tokens"];
/// Tokens read from the provider's cache.
pub(super) const CACHED_TOKENS: [&str; 4] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.usage.cache_read_input_tokens",
];
/// Tokens written to it.
pub(super) const CACHE_WRITE_TOKENS: [&str; 4] = [
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
];
/// US dollars.
pub(super) const COST: [&str; 3] = ["gen_ai.usage.cost", "llm.cost.total", "gen_ai.usage.total_cost"];
/// Whether the answer was streamed.
pub(super) const STREAMED: [&str; 4] =
    ["gen_ai.request.stream", "llm.is_streaming", "gen_ai.is_streaming", "llm.request.streaming"];
/// The conversation.
pub(super) const CONVERSATION: [&str; 3] =
    ["gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"];
/// The application's end user.
pub(super) const END_USER: [&str; 5] =
    ["user.id", "enduser.id", "gen_ai.request.user", "llm.user", "traceloop.association.properties.user_id"];
/// What was said to the model, whole.
pub(super) const INPUT: [&str; 2] = ["gen_ai.input.messages", "input.value"];
/// What it was told before all else.
pub(super) const SYSTEM: [&str; 1] = ["gen_ai.system_instructions"];
/// The tools that it was offered.
pub(super) const TOOLS: [&str; 3] = ["gen_ai.tool.definitions", "llm.tools", "llm.request.functions"];
/// What it said, whole.
pub(super) const OUTPUT: [&str; 2] = ["gen_ai.output.messages", "output.value"];
/// What was said to it, a message for each number.
pub(super) const INPUT_BY_NUMBER: [&str; 2] = ["gen_ai.prompt.", "llm.input_messages."];
/// What it said, a message for each number.
pub(super) const OUTPUT_BY_NUMBER: [&str; 2] = ["gen_ai.completion.", "llm.output_messages."];
/// How it was asked, as one document.
pub(super) const PARAMETERS: [&str; 1] = ["llm.invocation_parameters"];
/// How it was asked, one attribute for each.
pub(super) const PARAMETER: &str = "gen_ai.request.";
/// Where the model was reached, where no server is named.
pub(super) const BASE: [&str; 3] = ["gen_ai.openai.api_base", "llm.openai.api_base", "url.full"];

/// Whether an attribute holds what was said, to a model or by it, or what a tool was asked and gave.
pub(in crate::otlp) fn is_said(name: &str) -> bool {
    let whole = [&INPUT[..], &OUTPUT, &SYSTEM, &TOOL_ARGUMENTS, &TOOL_RESULT];
    let by_number = [&INPUT_BY_NUMBER, &OUTPUT_BY_NUMBER];
    whole.iter().any(|names| names.contains(&name))
        || by_number.iter().any(|prefixes| prefixes.iter().any(|prefix| name.starts_with(prefix)))
}
