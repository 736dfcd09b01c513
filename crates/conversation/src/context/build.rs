//! Builds the request to the model, within its context window and the session's limits.

use std::collections::BTreeMap;

use bytes::Bytes;
use loam_db::Tx;
use loam_kernel::{Error, Kind, MessageId, Result, Scope};
use serde_json::{Map, Value, json};

use super::path::AncestorPath;
use super::segments::{PromptBuilder, PromptSegment, count, token_upper_bound};
use super::settings::{ContextSettings, Overflow};
use super::summaries;
use super::summary::{SUMMARY_TOKENS, SummaryInput};
use crate::chat_sessions::entity::Model as Session;
use crate::context::Prompts;
use crate::session_configs::service::settings;
use crate::tools::ToolDeclaration;
use crate::turns::SETTINGS;

/// Parameters of a prompt.
pub(crate) struct PromptParams<'a> {
    pub(crate) session: &'a Session,
    pub(crate) model: &'a str,
    /// The last message to include.
    pub(crate) last: Option<MessageId>,
    /// The message that the turn started with: from there on nothing is dropped.
    pub(crate) question: Option<MessageId>,
    /// Settings of the turn, which override those of the session.
    pub(crate) settings: &'a Map<String, Value>,
    pub(crate) tools: &'a [ToolDeclaration],
    /// The language that the session's user prefers, as a BCP 47 tag.
    pub(crate) language: Option<&'a str>,
}

/// The part of a conversation that was read.
struct History {
    builder: PromptBuilder,
    /// An earlier summary of the messages before it.
    before: Option<String>,
}

impl Prompts {
    /// The request, in OpenAI's format.
    pub(crate) async fn prompt(&self, scope: &Scope, params: &PromptParams<'_>) -> Result<Bytes> {
        let tx = self.0.db.read(scope).await?;
        let session_settings = settings(&tx, params.session.id).await?;
        let context =
            self.0.settings.of(scope.tenant()).as_ref().clone().with(session_settings.get("context"));
        let mut request = fields(params, &session_settings);
        let answer = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| request[*name].as_u64());
        let budget = context.prompt_budget(params.model, answer);
        let history = read_history(&tx, params, &context, budget).await?;
        // Summarizing may take a while, so the transaction is closed first.
        drop(tx);
        request["messages"] = self.fit(scope, params, &context, budget, &request, history).await?.into();
        Ok(Bytes::from(request.to_string()))
    }

    /// Selects as many of the read messages as fit.
    async fn fit(
        &self,
        scope: &Scope,
        params: &PromptParams<'_>,
        context: &ContextSettings,
        budget: u64,
        request: &Value,
        history: History,
    ) -> Result<Vec<Value>> {
        let History { mut builder, before } = history;
        let max_messages =
            context.max_messages.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        let system_messages = system(params.session, params.language, before.as_deref());
        let head = json!({ "messages": system_messages, "tools": request["tools"] });
        let mut fixed = token_upper_bound(&head);
        let fits = |builder: &PromptBuilder, fixed: u64| {
            builder.tokens() + fixed <= budget && builder.messages() <= max_messages
        };
        if !fits(&builder, fixed) {
            builder.count(scope.tenant()).await?;
            fixed = count(scope.tenant(), vec![head.to_string()]).await?.into_iter().sum();
        }
        if fits(&builder, fixed) {
            return Ok(in_order(system_messages, &builder.segments));
        }
        let segments = builder.segments;
        let needed: u64 =
            segments.iter().filter(|segment| segment.pinned).map(|segment| segment.tokens).sum();
        let left = budget.saturating_sub(fixed);
        if needed > left {
            return Err(too_long(needed + fixed, budget));
        }
        let fitting = newest(&segments, left, max_messages);
        if context.overflow == Overflow::Summarize {
            let left = left.saturating_sub(SUMMARY_TOKENS);
            // Targets half of the budget, so that not every turn needs a new summary, but keeps the last
            // messages if they fit.
            let recent = newest(&segments, left / 2, max_messages);
            let last = newest(&segments, left, usize::try_from(context.keep_last).unwrap_or(usize::MAX));
            let split = recent.max(last.min(newest(&segments, left, max_messages)));
            let model = context.summary_model.as_deref().unwrap_or(params.model);
            let max_bytes =
                usize::try_from(context.prompt_budget(model, Some(SUMMARY_TOKENS)).saturating_mul(3))
                    .unwrap_or(usize::MAX);
            let input = SummaryInput {
                session: params.session,
                model,
                max_bytes,
                before: before.as_deref(),
                segments: &segments[split..],
            };
            match self.summarize(scope, input).await {
                Ok(summary) => {
                    return Ok(in_order(
                        system(params.session, params.language, Some(&summary)),
                        &segments[..split],
                    ));
                }
                // An answer without the oldest messages is better than none.
                Err(e) => {
                    tracing::warn!(error = %e, session.id = %params.session.id, "a conversation could not be summarized; its oldest messages are dropped")
                }
            }
        }
        Ok(in_order(system_messages, &segments[..fitting]))
    }
}

/// Reads messages backwards until the budget is exceeded.
async fn read_history<R>(
    tx: &Tx<R>,
    params: &PromptParams<'_>,
    context: &ContextSettings,
    budget: u64,
) -> Result<History> {
    let summarizes = context.overflow == Overflow::Summarize;
    let mut by_message = match summarizes {
        true => summaries::of_session(tx, params.session.id).await?,
        false => Default::default(),
    };
    // Messages to be summarized have to be read as well.
    let enough = if summarizes { budget.saturating_mul(2) } else { budget };
    let max_messages = context.max_messages.filter(|_| !summarizes).unwrap_or(u64::MAX);
    let mut path = AncestorPath::new(tx, params.session, params.last);
    let (mut builder, mut pinned) = (PromptBuilder::default(), params.question.is_some());
    loop {
        if path.needs_query() && !pinned {
            if builder.tokens() > enough {
                builder.count(tx.scope().tenant()).await?;
            }
            if builder.tokens() > enough || builder.messages() as u64 >= max_messages {
                return Ok(History { builder, before: None });
            }
        }
        let Some(message) = path.advance().await? else { return Ok(History { builder, before: None }) };
        if !pinned && let Some(summary) = by_message.remove(&message.id) {
            return Ok(History { builder, before: Some(summary.content) });
        }
        let is_question = Some(message.id) == params.question;
        builder.prepend(message, pinned);
        pinned &= !is_question;
    }
}

/// The request without its messages.
fn fields(params: &PromptParams<'_>, session_settings: &BTreeMap<String, Value>) -> Value {
    let mut request = json!({
        "model": params.model, "stream": true, "stream_options": { "include_usage": true },
    });
    for name in SETTINGS {
        let is_tool_setting = matches!(name, "tool_choice" | "parallel_tool_calls");
        let set =
            params.settings.get(name).or_else(|| session_settings.get(name)).filter(|value| !value.is_null());
        if let Some(value) = set.filter(|_| !is_tool_setting || !params.tools.is_empty()) {
            request[name] = value.clone();
        }
    }
    if !params.tools.is_empty() {
        request["tools"] = params.tools.iter().map(ToolDeclaration::wire).collect();
    }
    request
}

/// The system prompt, the language that the user prefers and the summary, as one message, because not every provider
/// accepts two.
fn system(session: &Session, language: Option<&str>, before: Option<&str>) -> Vec<Value> {
    let language = language
        .map(|tag| format!("Answer in the language `{tag}` (BCP 47), unless the user asks for another."));
    let before = before.map(|before| format!("The conversation so far, in short:\n{before}"));
    let parts = [session.system_prompt.as_deref(), language.as_deref(), before.as_deref()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return Vec::new();
    }
    vec![json!({ "role": "system", "content": parts.join("\n\n") })]
}

/// How many of the segments fit, counted from the newest. Those of the turn always count.
fn newest(segments: &[PromptSegment], budget: u64, max_messages: usize) -> usize {
    let (mut tokens, mut messages) = (0, 0);
    segments
        .iter()
        .take_while(|segment| {
            tokens += segment.tokens;
            messages += segment.messages.len();
            segment.pinned || (tokens <= budget && messages <= max_messages)
        })
        .count()
}

fn in_order(mut system_messages: Vec<Value>, segments: &[PromptSegment]) -> Vec<Value> {
    system_messages.extend(segments.iter().rev().flat_map(|segment| segment.messages.iter().cloned()));
    system_messages
}

fn too_long(needed: u64, budget: u64) -> Error {
    let message = format!(
        "the question and its required context take {needed} tokens, but only {budget} are available: shorten it, or \
         choose a model with a larger context window (see `conversation.context`)"
    );
    Error::new(Kind::Invalid, "context_too_long", message).with_param("content")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn segment(tokens: u64, pinned: bool) -> PromptSegment {
        let mut segment = PromptSegment::new(vec![json!({})], Uuid::nil().into(), 1, pinned);
        segment.tokens = tokens;
        segment
    }

    #[test]
    fn the_oldest_segments_are_dropped_first_and_the_turn_never() {
        let segments = [
            segment(50, true),
            segment(50, true),
            segment(10, false),
            segment(100, false),
            segment(1, false),
        ];
        for (budget, max_messages, kept) in [
            (1_000, 100, 5),
            (210, 100, 4),
            (209, 100, 3),
            (110, 100, 3),
            (109, 100, 2),
            (0, 0, 2),
            (1_000, 3, 3),
        ] {
            assert_eq!(newest(&segments, budget, max_messages), kept, "{budget} {max_messages}");
        }
    }
}
