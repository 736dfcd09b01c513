//! Spans of model calls and tool calls, in the conventions of OpenTelemetry (`gen_ai.*`), OpenInference (`llm.*`,
//! `openinference.span.kind`), OpenLLMetry (`traceloop.*`, `llm.usage.*`) and Langfuse (`langfuse.*`).

mod call;
mod endpoint;
mod journal;
mod messages;
mod names;
mod sink;
mod stored;
#[cfg(test)]
mod tests;
mod usage;

pub(super) use call::extract;
pub(super) use names::is_content;
pub(crate) use sink::CallSink;
pub(crate) use stored::REPORTED_CALLS_FRAME;

use super::project_ref::ProjectRef;
use crate::otlp::attributes::{Attributes, storable};
use crate::trace::Detail;

/// The kind of a GenAI span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A model call.
    Model,
    /// A tool call.
    Tool,
}

/// Maximum length of a name, in bytes.
const MAX_NAME: usize = 256;

/// The kind of a span, by its attributes; none for all other spans, also for agents and chains, whose model calls are
/// separate spans.
pub(super) fn kind(attributes: Attributes<'_>) -> Option<Kind> {
    if let Some(kind) = attributes.text(&["openinference.span.kind"]) {
        return match kind {
            "LLM" | "EMBEDDING" => Some(Kind::Model),
            "TOOL" => Some(Kind::Tool),
            _ => None,
        };
    }
    match attributes.text(&["traceloop.span.kind"]) {
        Some("tool") => return Some(Kind::Tool),
        Some("workflow" | "task" | "agent") => return None,
        _ => {}
    }
    match attributes.text(&names::LANGFUSE_TYPE) {
        Some("generation" | "embedding") => return Some(Kind::Model),
        Some("tool") => return Some(Kind::Tool),
        Some("agent" | "chain" | "retriever" | "evaluator" | "guardrail") => return None,
        _ => {}
    }
    match attributes.text(&["gen_ai.operation.name"]) {
        Some("execute_tool") => Some(Kind::Tool),
        Some("invoke_agent" | "create_agent" | "invoke_workflow") => None,
        Some(_) => Some(Kind::Model),
        None if attributes.get(&names::TYPE).is_some() => Some(Kind::Model),
        None if attributes.get(&names::PROVIDER[..2]).is_some() => {
            attributes.get(&names::MODEL).map(|_| Kind::Model)
        }
        None => None,
    }
}

/// When the first token arrived, in nanoseconds since 1970, if reported.
pub(super) fn first_token_at(attributes: Attributes<'_>) -> Option<u64> {
    let time = attributes.json(&names::FIRST_TOKEN_TIME)?;
    let time = chrono::DateTime::parse_from_rfc3339(time.as_str()?).ok()?;
    u64::try_from(time.timestamp_nanos_opt()?).ok()
}

/// The details of such a span in the call tree; the rest is in the row of the call.
pub(super) fn detail(attributes: Attributes<'_>) -> Detail {
    let text = |names: &[&str]| attributes.text(names).map(|text| storable(text, MAX_NAME));
    Detail {
        system: text(&names::PROVIDER).map(|name| name.to_ascii_lowercase()),
        operation: text(&names::OPERATION),
        statement: text(&names::MODEL).or_else(|| text(&names::TOOL)),
        ..Detail::default()
    }
}

/// Time to first token in nanoseconds, if reported.
pub(super) fn first_token_ns(attributes: Attributes<'_>) -> Option<u64> {
    let millis = || attributes.double(&names::FIRST_TOKEN_MS).map(|millis| millis / 1e3);
    let seconds = attributes.double(&names::FIRST_TOKEN).or_else(millis)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
    (0.0..86_400.0).contains(&seconds).then_some((seconds * 1e9) as u64)
}
