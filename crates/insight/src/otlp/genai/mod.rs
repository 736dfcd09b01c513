//! Spans that tell of calls of models and uses of tools, in the words of OpenTelemetry (`gen_ai.*`), of OpenInference
//! (`llm.*`, `openinference.span.kind`) and of OpenLLMetry (`traceloop.*`, `llm.usage.*`).

mod accept;
mod call;
mod messages;
mod names;
mod sink;
#[cfg(test)]
mod tests;

use loam_gateway::Usage;

pub(super) use call::said;
pub(super) use names::is_said;
pub(crate) use sink::CallSink;

use super::spans::Owner;
use crate::otlp::attributes::{Attributes, kept};
use crate::trace::Detail;

/// What a span tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call of a model.
    Model,
    /// A use of a tool.
    Tool,
}

/// Bytes of a name.
const MAX_NAME: usize = 256;

/// What the attributes of a span tell of; none for everything else, also for agents and chains, in which the calls of
/// models are spans of their own.
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

/// What a call tree keeps of such a span; the rest is in the call's own row.
pub(super) fn detail(attributes: Attributes<'_>) -> Detail {
    let text = |names: &[&str]| attributes.text(names).map(|text| kept(text, MAX_NAME));
    Detail {
        system: text(&names::PROVIDER).map(|name| name.to_ascii_lowercase()),
        operation: text(&names::OPERATION),
        statement: text(&names::MODEL).or_else(|| text(&names::TOOL)),
        ..Detail::default()
    }
}

/// Nanoseconds until the model began to answer, where the span says.
pub(super) fn first_token_ns(attributes: Attributes<'_>) -> Option<u64> {
    let seconds = attributes.double(&names::FIRST_TOKEN)?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
    (0.0..86_400.0).contains(&seconds).then_some((seconds * 1e9) as u64)
}
