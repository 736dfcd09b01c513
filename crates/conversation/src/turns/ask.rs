//! Asking the model once, and taking down what it says.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use loam_kernel::{Error, Kind, Result};
use loam_providers::openai::{StreamEnd, StreamEvent as Part, StreamParser};

use super::event::{Tokens, ToolCall, TurnEvent};
use super::progress::Progress;
use super::run::{Heard, Run, finish_of};
use crate::context::Asking;
use crate::messages::entity::FinishReason;

/// Bytes that a model may say in one answer. It is all in memory until it is stored.
const MAX_ANSWER: usize = 4 << 20;

impl Run {
    /// Asks the model, with all that was said so far.
    pub(super) async fn ask(&mut self) -> Result<Heard> {
        self.read_tools().await?;
        let input = self.input()?;
        let asking = Asking {
            session: &self.session,
            model: self.turn.model.as_deref().unwrap_or_default(),
            last: Progress::of(&self.live.events()).last,
            question: self.turn.user_message_id,
            settings: &input.settings,
            tools: &self.tools,
        };
        let request = self.conversation.prompt(&self.scope, &asking).await?;
        let end_user = self.conversation.end_user(&self.session).await?;
        let gateway = &self.conversation.0.gateway;
        let done = gateway.complete_chat(&self.scope, Some(self.session.id), end_user, request).await;
        self.call = done.call.or(self.call);
        let (head, body) = done.response?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut listener = StreamParser::default();
        if kind.starts_with("text/event-stream") {
            self.listen(body, &mut listener).await?;
        } else {
            let whole =
                Limited::new(body, MAX_ANSWER).collect().await.map_err(|e| broke_off(e.to_string()))?;
            self.take(listener.read_complete(&whole.to_bytes())?);
        }
        listener.end().map(heard).map_err(broke_off)
    }

    async fn listen(&mut self, mut body: axum::body::Body, listener: &mut StreamParser) -> Result<()> {
        let mut bytes = 0;
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.log.shown() => {
                    self.log.write();
                    continue;
                }
            };
            let Some(frame) = frame else { return Ok(()) };
            let data: Bytes = frame.map_err(|e| broke_off(e.to_string()))?.into_data().unwrap_or_default();
            bytes += data.len();
            // events around a text are many times its size
            if bytes > MAX_ANSWER * 64 || self.take(listener.push(&data)) > MAX_ANSWER {
                return Err(broke_off(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            self.log.write();
        }
    }

    /// Takes down what was said; gives how much the answer has come to.
    fn take(&mut self, said: Vec<Part>) -> usize {
        for part in said {
            let (event, more) = match part {
                Part::Text(text) => (text.len(), TurnEvent::Delta(text)),
                Part::Reasoning(text) => (text.len(), TurnEvent::Reasoning(text)),
            };
            self.heard_bytes += event;
            self.log.push(more);
        }
        self.heard_bytes
    }
}

fn heard(ending: StreamEnd) -> Heard {
    let tokens = ending.usage.map(|usage| Tokens {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
    });
    let finish = finish_of(ending.finish_reason);
    // at the limit of tokens the arguments are half a text
    let tools = if finish == FinishReason::Length { Vec::new() } else { ending.tools };
    let calls = tools.into_iter().enumerate().map(|(at, tool)| ToolCall {
        id: if tool.id.is_empty() { format!("call_{at}") } else { tool.id },
        name: tool.name,
        arguments: tool.arguments,
    });
    Heard { finish, calls: calls.collect(), tokens }
}

fn broke_off(why: String) -> Error {
    let message = format!("the model's answer broke off: {why}");
    Error::new(Kind::BadGateway, "answer_broke_off", message)
}
