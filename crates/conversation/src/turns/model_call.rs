//! One model call of a turn: sends the request and logs the output.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, Limited};
use loam_kernel::{Error, Kind, Result};
use loam_providers::openai::{StreamEnd, StreamEvent as Part, StreamParser};

use super::event::{Tokens, ToolCall, TurnEvent};
use super::progress::Progress;
use super::run::{ModelReply, Run, finish_of};
use crate::context::PromptParams;
use crate::messages::entity::FinishReason;

/// Maximum size of a model's output in one answer, in bytes. It is in memory until it is stored.
const MAX_ANSWER: usize = 4 << 20;

impl Run {
    /// Calls the model with the conversation so far.
    pub(super) async fn call_model(&mut self) -> Result<ModelReply> {
        self.read_tools().await?;
        let input = self.input()?;
        let params = PromptParams {
            session: &self.session,
            model: self.turn.model.as_deref().unwrap_or_default(),
            last: Progress::of(&self.live.events()).last,
            question: self.turn.user_message_id,
            settings: &input.settings,
            tools: &self.tools,
        };
        let request = self.conversation.prompt(&self.scope, &params).await?;
        let end_user = self.conversation.end_user(&self.session).await?;
        let gateway = &self.conversation.0.gateway;
        let done = gateway.complete_chat(&self.scope, Some(self.session.id), end_user, request).await;
        self.call = done.call.or(self.call);
        let (head, body) = done.response?.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let mut parser = StreamParser::default();
        if kind.starts_with("text/event-stream") {
            self.read_stream(body, &mut parser).await?;
        } else {
            let whole =
                Limited::new(body, MAX_ANSWER).collect().await.map_err(|e| interrupted(e.to_string()))?;
            self.log_output(parser.read_complete(&whole.to_bytes())?);
        }
        parser.end().map(reply_of).map_err(interrupted)
    }

    async fn read_stream(&mut self, mut body: axum::body::Body, parser: &mut StreamParser) -> Result<()> {
        let mut bytes = 0;
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                () = self.log.published() => {
                    self.log.write();
                    continue;
                }
            };
            let Some(frame) = frame else { return Ok(()) };
            let data: Bytes = frame.map_err(|e| interrupted(e.to_string()))?.into_data().unwrap_or_default();
            bytes += data.len();
            // The events around a text are many times its size.
            if bytes > MAX_ANSWER * 64 || self.log_output(parser.push(&data)) > MAX_ANSWER {
                return Err(interrupted(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            self.log.write();
        }
    }

    /// Logs the output. Returns the size of the answer so far.
    fn log_output(&mut self, parts: Vec<Part>) -> usize {
        for part in parts {
            let (event, more) = match part {
                Part::Text(text) => (text.len(), TurnEvent::Delta(text)),
                Part::Reasoning(text) => (text.len(), TurnEvent::Reasoning(text)),
            };
            self.output_bytes += event;
            self.log.push(more);
        }
        self.output_bytes
    }
}

fn reply_of(ending: StreamEnd) -> ModelReply {
    let tokens = ending.usage.map(|usage| Tokens {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
    });
    let finish = finish_of(ending.finish_reason);
    // At the token limit the arguments are truncated.
    let tools = if finish == FinishReason::Length { Vec::new() } else { ending.tools };
    let calls = tools.into_iter().enumerate().map(|(at, tool)| ToolCall {
        id: if tool.id.is_empty() { format!("call_{at}") } else { tool.id },
        name: tool.name,
        arguments: tool.arguments,
    });
    ModelReply { finish, calls: calls.collect(), tokens }
}

fn interrupted(reason: String) -> Error {
    let message = format!("the model's answer was interrupted: {reason}");
    Error::new(Kind::BadGateway, "answer_broke_off", message)
}
