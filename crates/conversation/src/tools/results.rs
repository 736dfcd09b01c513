//! Tools that the client executes: Loam records the tool calls, and the results that the client sends.

use loam_db::Tx;
use loam_gateway::tool_calls::ToolCallStatus;
use loam_gateway::tool_calls::{NewToolCall, ToolCallOutcome};
use loam_kernel::{ChatSessionId, Error, Result, TurnId};

use super::execute::ToolInvocation;
use crate::chat_sessions::entity::Model as Session;
use crate::tools::Tools;

/// A tool result sent by the client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientResult<'a> {
    /// The id that the model assigned to the tool call.
    pub(crate) call_id: &'a str,
    /// Content for the model.
    pub(crate) content: &'a str,
    /// Whether the tool failed.
    pub(crate) is_error: bool,
}

impl Tools {
    /// Records a tool call that the client has to execute.
    pub(crate) async fn record_client_call<R>(
        &self,
        tx: &Tx<R>,
        session: &Session,
        tool: &str,
        invocation: ToolInvocation,
    ) -> Result<()> {
        let new = NewToolCall {
            session: session.id,
            user: session.user_id,
            turn: invocation.turn,
            message: invocation.message,
            llm_call: invocation.llm_call,
            call_id: invocation.call_id,
            tool: tool.to_owned(),
            arguments: invocation.arguments,
            run_by_client: true,
        };
        self.0.gateway.record_tool_call(tx, new).await.map(|_| ())
    }

    /// Records results sent by the client. Fails, naming the call, if a result has no pending tool call; the
    /// caller then rolls back.
    pub(crate) async fn record_client_results<R>(
        &self,
        tx: &Tx<R>,
        session: &Session,
        results: &[ClientResult<'_>],
    ) -> Result<()> {
        for (i, result) in results.iter().enumerate() {
            let end = match result.is_error {
                true => ToolCallOutcome::failed(ToolCallStatus::Failed, result.content),
                false => ToolCallOutcome::succeeded(result.content),
            };
            let pending = self.0.gateway.submit_tool_result(tx, session.id, result.call_id, end).await?;
            if !pending {
                let message = format!("no pending tool call `{}`", result.call_id);
                return Err(Error::invalid(format!("[{i}].tool_call_id"), message));
            }
        }
        Ok(())
    }

    /// Ends the pending tool calls of a turn that has ended.
    pub(crate) async fn end_pending_calls<R>(
        &self,
        tx: &Tx<R>,
        session: ChatSessionId,
        turn: TurnId,
        timed_out: bool,
    ) -> Result<()> {
        let end = match timed_out {
            true => ToolCallOutcome::failed(ToolCallStatus::TimedOut, "no result was received in time"),
            false => {
                ToolCallOutcome::failed(ToolCallStatus::Failed, "the turn ended before a result was received")
            }
        };
        self.0.gateway.abandon_tool_calls(tx, session, turn, end).await
    }
}
