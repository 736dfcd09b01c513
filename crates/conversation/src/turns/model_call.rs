//! One model call of a turn: sends the request and logs the output.

use loam_gateway::interrupted;
use loam_kernel::Result;
use loam_providers::openai::{StreamEnd, StreamEvent as Part};

use super::event::{Tokens, ToolCall, TurnEvent};
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
        let language = self.turns.0.sessions.ai_settings(&self.session).await?.language;
        let params = PromptParams {
            session: &self.session,
            model: self.turn.model.as_deref().unwrap_or_default(),
            last: self.live.events().progress().last,
            question: self.turn.user_message_id,
            settings: &input.settings,
            tools: &self.tools,
            language: language.as_deref(),
        };
        let request = self.turns.0.prompts.prompt(&self.scope, &params).await?;
        let end_user = self.turns.0.sessions.end_user(&self.session).await?;
        let proxy = &self.turns.0.proxy;
        let session = Some(self.session.id);
        let (call, stream) = proxy.stream_chat(&self.scope, session, end_user, request, MAX_ANSWER).await;
        self.call = call.or(self.call);
        let mut stream = stream?;
        loop {
            let pieces = tokio::select! {
                pieces = stream.next() => pieces?,
                () = self.log.published() => {
                    self.log.write();
                    continue;
                }
            };
            let Some(pieces) = pieces else { break };
            if self.log_output(pieces) > MAX_ANSWER {
                return Err(interrupted(&format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
            self.log.write();
        }
        stream.end().map(reply_of)
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
    let calls =
        tools.into_iter().map(|tool| ToolCall { id: tool.id, name: tool.name, arguments: tool.arguments });
    ModelReply { finish, calls: calls.collect(), tokens }
}
