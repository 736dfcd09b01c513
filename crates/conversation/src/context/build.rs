//! Building a model's request: within its window, and within what the session allows.

use std::collections::BTreeMap;

use bytes::Bytes;
use loam_db::Tx;
use loam_kernel::{Error, Kind, MessageId, Result, Scope};
use serde_json::{Map, Value, json};

use super::path::Path;
use super::settings::{ContextSettings, Overflow};
use super::summaries;
use super::summary::{Dropped, SUMMARY_TOKENS};
use super::units::{Gathering, Unit, at_most, count};
use crate::Conversation;
use crate::chat_sessions::entity::Model as Session;
use crate::session_configs::service::settings;
use crate::tools::ToolDeclaration;
use crate::turns::SETTINGS;

/// What a model is asked for.
pub(crate) struct Asking<'a> {
    pub(crate) session: &'a Session,
    pub(crate) model: &'a str,
    /// The last message that it is told.
    pub(crate) last: Option<MessageId>,
    /// The message that the turn began with: from there on nothing is left out.
    pub(crate) question: Option<MessageId>,
    /// Settings of the turn, over those of the session.
    pub(crate) settings: &'a Map<String, Value>,
    pub(crate) tools: &'a [ToolDeclaration],
}

/// What was read of a conversation.
struct Read {
    gathering: Gathering,
    /// What an earlier summary says of what came before.
    before: Option<String>,
}

impl Conversation {
    /// The request, in OpenAI's format.
    pub(crate) async fn prompt(&self, scope: &Scope, asking: &Asking<'_>) -> Result<Bytes> {
        let tx = self.0.db.read(scope).await?;
        let own = settings(&tx, asking.session.id).await?;
        let context = self.0.context.of(scope.tenant()).as_ref().clone().with(own.get("context"));
        let mut request = fields(asking, &own);
        let answer = ["max_completion_tokens", "max_tokens"].iter().find_map(|name| request[*name].as_u64());
        let room = context.room(asking.model, answer);
        let read = read(&tx, asking, &context, room).await?;
        // a model may take its time over a summary
        drop(tx);
        request["messages"] = self.fit(scope, asking, &context, room, &request, read).await?.into();
        Ok(Bytes::from(request.to_string()))
    }

    /// As much of what was read as there is room for.
    async fn fit(
        &self,
        scope: &Scope,
        asking: &Asking<'_>,
        context: &ContextSettings,
        room: u64,
        request: &Value,
        read: Read,
    ) -> Result<Vec<Value>> {
        let Read { mut gathering, before } = read;
        let max_messages =
            context.max_messages.map_or(usize::MAX, |max| usize::try_from(max).unwrap_or(usize::MAX));
        let told = system(asking.session, before.as_deref());
        let head = json!({ "messages": told, "tools": request["tools"] });
        let mut fixed = at_most(&head);
        let fits = |gathering: &Gathering, fixed: u64| {
            gathering.tokens() + fixed <= room && gathering.messages() <= max_messages
        };
        if !fits(&gathering, fixed) {
            gathering.count(scope.tenant()).await?;
            fixed = count(scope.tenant(), vec![head.to_string()]).await?.into_iter().sum();
        }
        if fits(&gathering, fixed) {
            return Ok(in_order(told, &gathering.units));
        }
        let units = gathering.units;
        let needed: u64 = units.iter().filter(|unit| unit.pinned).map(|unit| unit.tokens).sum();
        let left = room.saturating_sub(fixed);
        if needed > left {
            return Err(too_long(needed + fixed, room));
        }
        let kept = newest(&units, left, max_messages);
        if context.overflow == Overflow::Summarize {
            let left = left.saturating_sub(SUMMARY_TOKENS);
            // half of the room, so that not every turn needs another summary; but the last messages as long as they fit
            let recent = newest(&units, left / 2, max_messages);
            let last = newest(&units, left, usize::try_from(context.keep_last).unwrap_or(usize::MAX));
            let short = recent.max(last.min(newest(&units, left, max_messages)));
            let model = context.summary_model.as_deref().unwrap_or(asking.model);
            let max_bytes = usize::try_from(context.room(model, Some(SUMMARY_TOKENS)).saturating_mul(3))
                .unwrap_or(usize::MAX);
            let dropped = Dropped {
                session: asking.session,
                model,
                max_bytes,
                before: before.as_deref(),
                units: &units[short..],
            };
            match self.summarize(scope, dropped).await {
                Ok(summary) => return Ok(in_order(system(asking.session, Some(&summary)), &units[..short])),
                // an answer without the beginning is better than none
                Err(e) => {
                    tracing::warn!(error = %e, session.id = %asking.session.id, "a conversation could not be summarised; its beginning is left out")
                }
            }
        }
        Ok(in_order(told, &units[..kept]))
    }
}

/// Reads back as far as there may be room for.
async fn read<R>(tx: &Tx<R>, asking: &Asking<'_>, context: &ContextSettings, room: u64) -> Result<Read> {
    let summarizes = context.overflow == Overflow::Summarize;
    let mut known = match summarizes {
        true => summaries::of_session(tx, asking.session.id).await?,
        false => Default::default(),
    };
    // what is to be summarised has to be read as well
    let enough = if summarizes { room.saturating_mul(2) } else { room };
    let max_messages = context.max_messages.filter(|_| !summarizes).unwrap_or(u64::MAX);
    let mut path = Path::new(tx, asking.session, asking.last);
    let (mut gathering, mut pinned) = (Gathering::default(), asking.question.is_some());
    loop {
        if path.is_at_edge() && !pinned {
            if gathering.tokens() > enough {
                gathering.count(tx.scope().tenant()).await?;
            }
            if gathering.tokens() > enough || gathering.messages() as u64 >= max_messages {
                return Ok(Read { gathering, before: None });
            }
        }
        let Some(message) = path.back().await? else { return Ok(Read { gathering, before: None }) };
        if !pinned && let Some(summary) = known.remove(&message.id) {
            return Ok(Read { gathering, before: Some(summary.content) });
        }
        let is_question = Some(message.id) == asking.question;
        gathering.take(message, pinned);
        pinned &= !is_question;
    }
}

/// The request but for its messages.
fn fields(asking: &Asking<'_>, own: &BTreeMap<String, Value>) -> Value {
    let mut request = json!({
        "model": asking.model, "stream": true, "stream_options": { "include_usage": true },
    });
    for name in SETTINGS {
        let of_tools = matches!(name, "tool_choice" | "parallel_tool_calls");
        let set = asking.settings.get(name).or_else(|| own.get(name)).filter(|value| !value.is_null());
        if let Some(value) = set.filter(|_| !of_tools || !asking.tools.is_empty()) {
            request[name] = value.clone();
        }
    }
    if !asking.tools.is_empty() {
        request["tools"] = asking.tools.iter().map(ToolDeclaration::wire).collect();
    }
    request
}

/// What is told first. In one message, as not every provider takes two.
fn system(session: &Session, before: Option<&str>) -> Vec<Value> {
    let before = before.map(|before| format!("The conversation so far, in short:\n{before}"));
    let parts: Vec<&str> = session.system_prompt.as_deref().into_iter().chain(before.as_deref()).collect();
    if parts.is_empty() {
        return Vec::new();
    }
    vec![json!({ "role": "system", "content": parts.join("\n\n") })]
}

/// How many of the units, from the last, fit. Those of the turn always do.
fn newest(units: &[Unit], room: u64, max_messages: usize) -> usize {
    let (mut tokens, mut messages) = (0, 0);
    units
        .iter()
        .take_while(|unit| {
            tokens += unit.tokens;
            messages += unit.messages.len();
            unit.pinned || (tokens <= room && messages <= max_messages)
        })
        .count()
}

fn in_order(mut told: Vec<Value>, units: &[Unit]) -> Vec<Value> {
    told.extend(units.iter().rev().flat_map(|unit| unit.messages.iter().cloned()));
    told
}

fn too_long(needed: u64, room: u64) -> Error {
    let message = format!(
        "the question and what must go with it take {needed} tokens, and there is room for {room}: shorten it, or \
         choose a model that reads more (`conversation.context` says how much each one can)"
    );
    Error::new(Kind::Invalid, "context_too_long", message).with_param("content")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn unit(tokens: u64, pinned: bool) -> Unit {
        let mut unit = Unit::new(vec![json!({})], Uuid::nil().into(), 1, pinned);
        unit.tokens = tokens;
        unit
    }

    #[test]
    fn the_oldest_goes_first_and_the_turn_never() {
        let units = [unit(50, true), unit(50, true), unit(10, false), unit(100, false), unit(1, false)];
        for (room, max_messages, kept) in [
            (1_000, 100, 5),
            (210, 100, 4),
            (209, 100, 3),
            (110, 100, 3),
            (109, 100, 2),
            (0, 0, 2),
            (1_000, 3, 3),
        ] {
            assert_eq!(newest(&units, room, max_messages), kept, "{room} {max_messages}");
        }
    }
}
